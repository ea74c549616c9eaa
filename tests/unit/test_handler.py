"""
Tests for the rules about the names of callbacks.
"""

from __future__ import annotations

from functools import partial
from inspect import signature
from string import ascii_letters
from types import ModuleType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.callbacks import CALLBACKS

#: Names that are nearly a callback's, and the callback that was probably meant.
NEARLY = {
    "server_input": "serverInput",
    "ServerInput": "serverInput",
    "serverinput": "serverInput",
    "SERVER_INPUT": "serverInput",
    "Connected": "connected",
    "conected": "connected",
    "connectted": "connected",
    "connecter": "connected",
    "conencted": "connected",
    "connectErorr": "connectError",
    "preconnect": "preConnect",
    "stoped": "stopped",
    "serverInputs": "serverInput",
}

#: Names that are the user's own, or the client's.
OTHERS = (
    "connect",
    "connector",
    "_conected",
    "_connected",
    "_onConnect",
    "onward",
    "onTick",
    "serverInputted",
    "helper",
    "stop",
)


def distance(one: str, other: str) -> int:
    """
    @return: the Damerau distance of two words, from its definition.
    """
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        rows.append([i])
        for j, b in enumerate(other, 1):
            costs = [rows[i - 1][j] + 1, rows[i][j - 1] + 1]
            costs.append(rows[i - 1][j - 1] + (a != b))
            if i > 1 and j > 1 and (a, b) == (other[j - 2], one[i - 2]):
                costs.append(rows[i - 2][j - 2] + 1)
            rows[i].append(min(costs))
    return rows[-1][-1]


def method(*args: Any) -> None:
    """
    A method that accepts everything.
    """


def subclass(*bases: type, **members: Any) -> type:
    """
    @return: a new subclass of the client.
    """
    return type("Mine", (*bases, ClientTCPFactory), members)


def client(**parameters: Any) -> ClientTCPFactory:
    """
    @return: a client.
    """
    return ClientTCPFactory(remoteAddress="localhost", remotePort=7, **parameters)


def edits(word: str) -> st.SearchStrategy[str]:
    """
    @return: words that differ from this one in a few places.
    """
    letters = st.sampled_from(ascii_letters + "_")

    def edited(edit: tuple[int, str, str]) -> str:
        at, kind, letter = edit
        left, right = word[:at], word[at:]
        if kind == "swap":
            return left + right[1:2] + right[:1] + right[2:]
        return left + {"add": letter + right, "drop": right[1:]}.get(
            kind, letter + right[1:]
        )

    places = st.integers(0, len(word))
    kinds = st.sampled_from(["add", "drop", "change", "swap"])
    return st.tuples(places, kinds, letters).map(edited)


class NameTests(SynchronousTestCase):
    """
    Tests for names that are nearly those of callbacks.
    """

    def test_table(self) -> None:
        """
        The table has exactly the parameters that are callbacks.
        """
        parameters = signature(ClientTCPFactory).parameters.items()
        callbacks = [
            name
            for name, parameter in parameters
            if str(parameter.annotation).startswith("Callable[")
        ]
        self.assertEqual(sorted(callbacks), sorted(CALLBACKS))

    def test_handler(self) -> None:
        """
        A public method of a handler with nearly the name of a callback is rejected, and
        the error has both names.
        """
        for name, meant in NEARLY.items():
            members = {"serverInput": method, name: method}
            handler = type("Handler", (), members)()
            error = self.assertRaises(TypeError, client, handler=handler)
            self.assertIn(f"Handler.{name} is not a callback", str(error))
            self.assertIn(f"did you mean {meant}?", str(error))

    def test_subclass(self) -> None:
        """
        So is one of a subclass, or of a mixin of it, when the class is created.
        """
        for name, meant in NEARLY.items():
            for create in (
                partial(subclass, **{name: method}),
                partial(subclass, type("Mixin", (), {name: method})),
            ):
                error = self.assertRaises(TypeError, create)
                self.assertIn(f"{name} is not a callback", str(error))
                self.assertIn(f"did you mean {meant}?", str(error))

    def test_on(self) -> None:
        """
        A method that is named after an event of other libraries is rejected unless the
        callback that was probably meant is there too: then it is the user's own.
        """
        for name, meant in {
            "onConnect": "connected",
            "onConnected": "connected",
            "on_connected": "connected",
            "onClose": "disconnected",
            "on_message": "serverInput",
            "onConnectError": "connectError",
            "onLineReceived": "serverInput",
        }.items():
            members: dict[str, Any] = {"started": method, name: method}
            handler = type("Handler", (), members)()
            given = {} if meant == "serverInput" else {"serverInput": method}
            error = self.assertRaises(TypeError, client, handler=handler, **given)
            self.assertIn(f"Handler.{name} is not a callback", str(error))
            self.assertIn(f"did you mean {meant}?", str(error))
            client(handler=handler, **{**given, meant: method})
            if not given:
                client(handler=handler, serverInputBatch=method)
            members[meant] = method
            client(handler=type("Handler", (), members)(), **given)
            # A subclass may pass such a method as the callback.
            subclass(**{name: method})

    def test_others(self) -> None:
        """
        Other names are allowed: private ones, less similar ones, and those that the
        client itself has. What is not a method may have any name but a callback's.
        """
        for name in OTHERS:
            client(handler=type("Handler", (), {"serverInput": method, name: method})())
            subclass(**{name: method})
        for value in (5, None, type("Nested", (), {}), property(lambda self: 5)):
            members: dict[str, Any] = {"serverInput": method, "conected": value}
            client(handler=type("Handler", (), members)())
            subclass(conected=value)

    @given(st.sampled_from(sorted(CALLBACKS)).flatmap(edits).flatmap(edits))
    def test_distance(self, name: str) -> None:
        """
        The names that are rejected are those that the rule describes.
        """
        if not name.isidentifier() or name in CALLBACKS:
            return
        nearly = not name.startswith("_") and any(
            name.replace("_", "").lower() == callback.lower()
            or distance(name, callback) == 1
            for callback in CALLBACKS
        )
        members = {"serverInput": method, name: method}
        handler = type("Handler", (), members)()
        if nearly and not hasattr(ClientTCPFactory, name):
            self.assertRaises(TypeError, client, handler=handler)
            self.assertRaises(TypeError, subclass, **{name: method})
        else:
            client(handler=handler)
            subclass(**{name: method})


class SubclassTests(SynchronousTestCase):
    """
    Tests for subclasses whose methods have the names of callbacks.
    """

    def test_rejected(self) -> None:
        """
        Such a method would never be called, whatever kind it is and wherever it comes
        from. The error says what to do.
        """
        for name in CALLBACKS:
            for value in (
                method,
                staticmethod(method),
                classmethod(method),
                partial(method),
            ):
                for create in (
                    partial(subclass, **{name: value}),
                    partial(subclass, type("Mixin", (), {name: value})),
                ):
                    error = self.assertRaises(TypeError, create)
                    self.assertIn(f".{name} would never be called", str(error))
                    self.assertIn(f"super().__init__({name}=...)", str(error))
                    self.assertIn("super().__init__(handler=...)", str(error))

    def test_deep(self) -> None:
        """
        A subclass of a subclass is checked too.
        """
        base = subclass()
        error = self.assertRaises(
            TypeError, type, "Deeper", (base,), {"stopped": method}
        )
        self.assertIn("Deeper.stopped would never be called", str(error))

    def test_handler(self) -> None:
        """
        A subclass may give a handler to the constructor, as the error says.
        """
        handler = type("Handler", (), {"serverInput": method})()

        class Mine(ClientTCPFactory):
            def __init__(self, **parameters: Any) -> None:
                super().__init__(handler=handler, **parameters)

        mine = Mine(remoteAddress="localhost", remotePort=7)
        self.assertEqual(mine.serverInput, handler.serverInput)


class HandlerTests(SynchronousTestCase):
    """
    Tests for objects that cannot be handlers.
    """

    def rejected(self, handler: object, *expected: str, **parameters: Any) -> None:
        """
        Check that the error has all these parts.
        """
        error = self.assertRaises(TypeError, client, handler=handler, **parameters)
        for part in expected:
            self.assertIn(part, str(error))

    def test_twice(self) -> None:
        """
        A callback given by the handler and as a parameter is an error that names both.
        """
        for name in CALLBACKS:
            self.rejected(
                type("Handler", (), {name: method})(),
                f"the parameter {name}=",
                f"Handler.{name}",
                **{name: method},
            )

    def test_noInput(self) -> None:
        """
        A handler must have C{serverInput} or C{serverInputBatch}, as without a handler,
        unless the parameter is given; and not both.
        """
        deaf = type("Handler", (), {"connected": method})()
        self.rejected(deaf, "serverInput is required", "handler")
        self.rejected(object(), "serverInput is required", "handler")
        client(handler=deaf, serverInput=method)
        both = type("Handler", (), {"serverInput": method, "serverInputBatch": method})
        self.rejected(both(), "cannot be used together")

    def test_kinds(self) -> None:
        """
        A class, an object without callbacks, an attribute that is not a method, and a
        method with other arguments are errors that say so.
        """
        good = type("Handler", (), {"serverInput": method})
        self.rejected(good, "not the class Handler", "handler=Handler(...)")
        for handler in (object(), 5, "feeder"):
            self.rejected(handler, "has the name of a callback", serverInput=method)
        data = type("Handler", (), {"serverInput": method, "connected": False})
        self.rejected(data(), "Handler.connected", "must be a method, not False")
        narrow = type("Handler", (), {"serverInput": lambda self, client: None})
        self.rejected(
            narrow(),
            "is called as serverInput(client, record)",
            "<lambda>(client) does not accept",
        )

    def test_none(self) -> None:
        """
        A callback that is None is not given.
        """
        handler = type("Handler", (), {"serverInput": method, "connected": None})()
        client(handler=handler, connected=method)

    def test_module(self) -> None:
        """
        A module serves too; its functions are the methods.
        """
        module = ModuleType("feeder")
        vars(module).update(serverInput=method, conected=method)
        self.rejected(module, "feeder.conected is not a callback")
        vars(module).pop("conected")
        self.assertEqual(client(handler=module).serverInput, method)
