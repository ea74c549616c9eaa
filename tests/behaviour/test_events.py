"""
Tests for named events, their handlers, and aliases.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled, ConnectionDone
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import globalLogPublisher
from zope.interface.verify import verifyObject

from twisted_clienttcp import (
    ClientTCPFactory,
    MultiDispatchSession,
    Session,
    post,
    resolve,
)
from twisted_clienttcp.errors import AliasInUse, UnknownAlias, UnknownEvent

from .._memory import ClientTestCase


class EventTestCase(ClientTestCase):
    """
    A client whose handlers record their arguments.
    """

    def setUp(self) -> None:
        super().setUp()
        self.calls: list[Any] = []

    def noting(self, name: str, result: object = None) -> Any:
        """
        @return: a handler that records its call.
        """

        def handler(client: ClientTCPFactory, *args: Any) -> object:
            self.calls.append((name, *args))
            return result

        return handler


class HandlerTests(EventTestCase):
    """
    The kinds of handlers.
    """

    def test_inline(self) -> None:
        """
        Functions by name are called with the client and the arguments; C{call} returns
        their value.
        """
        client = self.client(inlineStates={"a": self.noting("a", "value")})
        self.assertEqual(client.call("a", 1, "two"), "value")
        self.assertEqual(self.calls, [("a", 1, "two")])

    def test_objects(self) -> None:
        """
        Methods of objects, under their own name or another.
        """
        calls = self.calls

        class Thing:
            def one(self, client: Any, *args: Any) -> None:
                calls.append(("one", self, client, *args))

            def two(self, client: Any, *args: Any) -> None:
                calls.append(("two", self, client, *args))

        thing = Thing()
        client = self.client(objectStates=[(thing, {"x": "one"}), (thing, ["two"])])
        client.call("x", 5)
        client.call("two")
        self.assertEqual(calls, [("one", thing, client, 5), ("two", thing, client)])

    def test_packages(self) -> None:
        """
        Functions of classes and modules.
        """
        calls = self.calls

        class Package:
            @classmethod
            def one(cls, client: Any) -> None:
                calls.append((cls, client))

            @staticmethod
            def two(client: Any) -> None:
                calls.append(client)

        client = self.client(packageStates=[(Package, ["one", "two"])])
        client.call("one")
        client.call("two")
        self.assertEqual(calls, [(Package, client), client])

    def test_refused(self) -> None:
        """
        Reserved names, wrong values and two handlers for one event are rejected by
        name.
        """
        handler = self.noting("a")
        for name in ("connect", "reconnect", "shutdown", "_start"):
            error = self.assertRaises(
                ValueError, self.client, inlineStates={name: handler}
            )
            self.assertIn("reserved", str(error))
            self.assertIn(repr(name), str(error))

        async def coroutine(client: Any) -> None:
            pass

        wrong: tuple[dict[str, Any], ...] = (
            {"inlineStates": {"a": coroutine}},
            {"inlineStates": [1]},
            {"inlineStates": {5: handler}},
            {"inlineStates": {"a": 5}},
            {"objectStates": {"a": "b"}},
            {"objectStates": [object()]},
            {"objectStates": [(object(), "name")]},
            {"objectStates": [(object(), ["missing"])]},
            {"packageStates": 5},
            {"packageStates": [("MyPkg", ["split"])]},
            {"sessionType": object},
            {"sessionType": Session()},
            {"sessionParams": [1]},
            {"sessionParams": {"nonsense": 1}},
            {"alias": 5},
            {"alias": ""},
        )
        for parameters in wrong:
            error = self.assertRaises(TypeError, self.client, **parameters)
            self.assertIn(next(iter(parameters)).removesuffix("Params"), str(error))
        thing = type("Thing", (), {"a": handler})()
        error = self.assertRaises(
            ValueError,
            self.client,
            inlineStates={"a": handler},
            objectStates=[(thing, ["a"])],
        )
        self.assertIn("MultiDispatchSession", str(error))

    def test_unknown(self) -> None:
        """
        Posting an unknown event is an error at once.
        """
        client = self.client(inlineStates={"known": self.noting("known")})
        for order in (client.post, client.call):
            error = self.assertRaises(UnknownEvent, order, "unknwon")
            self.assertIn("are connect, known, reconnect, shutdown;", str(error))
        self.assertRaises(LookupError, client.postLater, 1, "unknwon")
        self.assertRaises(ValueError, client.postLater, -1, "known")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_multiDispatch(self) -> None:
        """
        C{MultiDispatchSession} calls all handlers, in order; the last one's value
        counts.
        """
        thing = type("Thing", (), {})()
        thing.a = self.noting("second", 2)
        client = self.client(
            inlineStates={"a": self.noting("first", 1)},
            objectStates=[(thing, ["a"])],
            sessionType=MultiDispatchSession,
        )
        self.assertEqual(client.call("a"), 2)
        self.assertEqual(self.calls, [("first",), ("second",)])

    def test_subclass(self) -> None:
        """
        A user's subclass can dispatch in its own way, and have its own parameters.
        """

        class Shouting(Session):
            def __init__(self, *, mark: str, trace: bool = False) -> None:
                super().__init__(trace=trace)
                self.mark = mark

            def dispatch(self, event: str, *args: Any) -> object:
                return super().dispatch(event, self.mark, *args)

        client = self.client(
            inlineStates={"a": self.noting("a")},
            sessionType=Shouting,
            sessionParams={"mark": "!"},
        )
        client.call("a", 1)
        self.assertEqual(self.calls, [("a", "!", 1)])

    def test_trace(self) -> None:
        """
        C{trace=True} logs every dispatch, also of the events that all clients have.
        """
        events: list[Any] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        client = self.client(
            inlineStates={"a": self.noting("a")}, sessionParams={"trace": True}
        )
        client.call("a", 1)
        client.call("shutdown")
        traced = [(e["event"], e["args"]) for e in events if "event" in e]
        self.assertEqual(traced, [("a", (1,)), ("shutdown", ())])


class QueueTests(EventTestCase):
    """
    The order of events.
    """

    def test_post(self) -> None:
        """
        First in, first out, in the next turn; events that a handler posts follow all
        others.
        """

        def again(client: ClientTCPFactory, *args: Any) -> None:
            self.calls.append(("a", *args))
            client.post("b", "late")

        client = self.client(inlineStates={"a": again, "b": self.noting("b")})
        client.post("b", 1)
        client.post("a", 2)
        client.post("b", 3)
        self.assertEqual(self.calls, [])
        self.reactor.advance(0)
        self.assertEqual(self.calls, [("b", 1), ("a", 2), ("b", 3), ("b", "late")])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_postLater(self) -> None:
        """
        C{delay} dispatches an event after so many seconds, and returns an
        C{IDelayedCall}.
        """
        client = self.client(inlineStates={"a": self.noting("a")})
        later = client.postLater(5, "a", 1)
        self.assertTrue(verifyObject(IDelayedCall, later))
        self.assertEqual(later.getTime(), 5)
        later.delay(2)
        self.reactor.advance(6)
        self.assertEqual(self.calls, [])
        later.reset(3)
        self.reactor.advance(3)
        self.assertEqual(self.calls, [("a", 1)])
        self.assertFalse(later.active())
        self.assertRaises(AlreadyCalled, later.cancel)

    def test_cancel(self) -> None:
        """
        It can be cancelled, once.
        """
        client = self.client(inlineStates={"a": self.noting("a")})
        later = client.postLater(5, "a")
        self.assertTrue(later.active())
        later.cancel()
        self.assertRaises(AlreadyCancelled, later.cancel)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_orders(self) -> None:
        """
        C{connect}, C{reconnect} and C{shutdown} are events, with their arguments.
        """
        client = self.client()
        client.start()
        client.post("connect", "127.0.0.5", 9)
        self.reactor.advance(0)
        self.assertEqual(self.attempts()[-1][:2], ("127.0.0.5", 9))
        client.post("reconnect", 3)
        self.reactor.advance(0)
        count = len(self.attempts())
        self.reactor.advance(3)
        self.assertEqual(len(self.attempts()), count + 1)
        client.call("shutdown", "arguments", "are", "ignored")
        self.assertEqual(self.events[-1], "stopped")

    def test_handlerRaises(self) -> None:
        """
        An exception of the handler of a posted event is treated as that of a callback;
        the next event is still dispatched. C{call} raises the exception.
        """
        client, transport = self.connected(
            inlineStates={"bad": lambda client: 1 / 0, "good": self.noting("good")}
        )
        self.assertRaises(ZeroDivisionError, client.call, "bad")
        client.post("bad")
        client.post("good")
        self.reactor.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.events[-1], ("serverError", "callback", 125))
        self.assertTrue(transport.aborted)
        self.assertEqual(self.calls, [("good",)])

    def test_recordsBeforePostedShutdown(self) -> None:
        """
        A posted C{shutdown} takes effect after the records of the same read.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, line: client.post("shutdown")
        transport.protocol.dataReceived(b"a\r\nb\r\n")
        self.reactor.advance(0)
        self.assertEqual(
            self.events[2:], [("serverInput", b"a"), ("serverInput", b"b")]
        )
        self.assertTrue(client.shuttingDown)

    def test_postedReconnect(self) -> None:
        """
        A C{reconnect} that is posted or delayed in C{disconnected} keeps the client
        from stopping.
        """
        for order in (
            lambda client, d: client.post("reconnect"),
            lambda client, d: client.postLater(4, "reconnect"),
        ):
            self.setUp()
            self.recorder.on["disconnected"] = order
            client, transport = self.connected(autoReconnect=False)
            transport.lose(ConnectionDone())
            self.assertNotIn("stopped", self.events)
            self.assertTrue(client.shuttingDown)
            self.reactor.advance(4)
            self.assertEqual(len(self.attempts()), 2)
            self.assertFalse(client.shuttingDown)

    def test_eventThatDoesNotReconnect(self) -> None:
        """
        When the event has been handled without another attempt, or is cancelled, the
        client stops.
        """
        laters: list[Any] = []
        for cancel in (False, True):
            self.setUp()
            self.recorder.on["connectError"] = lambda client, failure: laters.append(
                client.postLater(4, "a")
            )
            client = self.client(
                autoReconnect=False, inlineStates={"a": self.noting("a")}
            )
            client.start().addErrback(lambda failure: None)
            self.refuse()
            self.assertNotEqual(self.events[-1], "stopped")
            if cancel:
                laters[-1].cancel()
            else:
                self.reactor.advance(4)
            self.assertEqual(self.events[-1], "stopped")

    def test_overridden(self) -> None:
        """
        The events call the methods, also those that a subclass overrides.
        """
        calls = self.calls

        class Mine(ClientTCPFactory):
            def reconnect(self, delay: float = 0, *, drain: bool = False) -> None:
                calls.append(delay)

        Mine(serverInput=print).call("reconnect", 5)
        self.assertEqual(calls, [5])

    def test_retryThatIsNone(self) -> None:
        """
        C{retry} of a client that has stopped trying claims no alias.
        """
        client = self.client(alias="cli")
        client.stopTrying()
        client.retry()
        self.assertRaises(UnknownAlias, resolve, "cli")

    def test_olderEvents(self) -> None:
        """
        An event that was scheduled before a loss is dispatched, and may request another
        attempt.
        """
        client, transport = self.connected(autoReconnect=False)
        client.postLater(60, "reconnect")
        transport.lose(ConnectionDone())
        self.assertNotIn("stopped", self.events)
        self.reactor.advance(60)
        self.assertEqual(len(self.attempts()), 2)

    def test_eventsBeforeShutdown(self) -> None:
        """
        An event that was scheduled before C{shutdown} does not delay it, and is not
        dispatched.
        """
        client, transport = self.connected(inlineStates={"a": self.noting("a")})
        client.postLater(60, "a")
        client.shutdown()
        transport.lose(ConnectionDone())
        self.assertEqual(self.events[-1], "stopped")
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.calls, [])


class AliasTests(EventTestCase):
    """
    Aliases.
    """

    def test_whileItRuns(self) -> None:
        """
        An alias refers to the client from its start until it has stopped.
        """
        self.assertRaises(UnknownAlias, resolve, "cli")
        found: list[Any] = []
        for name in self.recorder.parameters():
            self.recorder.on[name] = lambda client, *args: found.append(resolve("cli"))
        client = self.client(alias="cli", autoReconnect=False)
        self.assertRaises(LookupError, resolve, "cli")
        client.start()
        transport = self.establish()
        transport.protocol.dataReceived(b"a\r\n")
        transport.lose(ConnectionDone())
        self.assertEqual(found, [client] * len(self.events))
        self.assertRaises(UnknownAlias, post, "cli", "shutdown")

    def test_keptWhileReconnectIsPending(self) -> None:
        """
        It does so between two attempts too.
        """
        client = self.client(alias="cli")
        client.start()
        self.refuse()
        self.assertIs(resolve("cli"), client)
        post("cli", "shutdown")
        self.reactor.advance(0)
        self.assertRaises(UnknownAlias, resolve, "cli")

    def test_post(self) -> None:
        """
        C{post} posts to the client with an alias; an unknown event is an error.
        """
        client = self.client(alias="cli", inlineStates={"a": self.noting("a")})
        client.start()
        self.addCleanup(client.shutdown)
        post("cli", "a", 1)
        self.assertRaises(UnknownEvent, post, "cli", "b")
        self.reactor.advance(0)
        self.assertEqual(self.calls, [("a", 1)])

    def test_inUse(self) -> None:
        """
        A second client with the same alias cannot be started while the first one runs.
        """
        first, second = self.client(alias="cli"), self.client(alias="cli")
        first.start()
        for order in (second.start, second.reconnect, second.connect):
            error = self.assertRaises(AliasInUse, order)
            self.assertIn("'cli'", str(error))
        given_up: list[Any] = []
        connector = type(
            "Connector", (), {"stopConnecting": lambda self: given_up.append(self)}
        )()
        self.assertRaises(ValueError, second.startedConnecting, connector)
        self.assertEqual(given_up, [connector])
        self.assertRaises(ValueError, second.buildProtocol, None)
        first.shutdown()
        second.start()
        self.assertIs(resolve("cli"), second)
        second.shutdown()

    def test_handedOver(self) -> None:
        """
        The alias is free when the Deferreds for the end of the client fire.
        """
        first, second = self.client(alias="cli"), self.client(alias="cli")
        stopped = first.start().addCallback(lambda ignored: second.start())
        first.shutdown()
        self.assertIs(resolve("cli"), second)
        second.shutdown()
        self.successResultOf(stopped)

    def test_restart(self) -> None:
        """
        A client that is started again in C{stopped} keeps its alias.
        """
        started: list[Any] = []

        def stopped(client: ClientTCPFactory, failure: Any) -> None:
            if not started:
                started.append(client.start())

        self.recorder.on["stopped"] = stopped
        client = self.client(alias="cli")
        client.start()
        client.shutdown()
        self.assertIs(resolve("cli"), client)
        client.shutdown()
        self.assertRaises(UnknownAlias, resolve, "cli")
