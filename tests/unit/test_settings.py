"""
Tests for the settings: one table for the constructor, subclasses and assignments.
"""

from __future__ import annotations

import socket
from inspect import Parameter, signature
from math import inf, nan
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory, MultiDispatchSession
from twisted_clienttcp._client.callbacks import CALLBACKS
from twisted_clienttcp._client.settings import (
    DOCUMENTATION,
    GROUPS,
    NEVER,
    SETTINGS,
    Settings,
)
from twisted_clienttcp.framing import JSONLines, Line, Stream
from twisted_clienttcp.retry import constant, exponential
from twisted_clienttcp.wirelog import WireLog

ADDRESS = {"remoteAddress": "127.0.0.1", "remotePort": 7}
MARKS = {"highMark": 2000, "lowMark": 20}
NUMBER = (("soon", TypeError), (True, TypeError), (nan, ValueError), (inf, ValueError))
SECONDS = (*NUMBER, (0, ValueError), (-1, ValueError), (None, TypeError))
DELAY = (*NUMBER, (-1, ValueError), (None, TypeError))
FLAG = ((1, TypeError), ("no", TypeError), (None, TypeError))
BYTES = (("64k", TypeError), (1.5, TypeError), (True, TypeError), (-1, ValueError))
ADDRESSES = ((5, TypeError), ("http://host/", ValueError), ("", ValueError))
STATES = ((5, TypeError), ([5], TypeError), ([(print, 5)], TypeError))

ENDPOINT = TCP4ClientEndpoint(MemoryReactorClock(), "127.0.0.1", 7)
POLICY = constant(3)
CLOCK = Clock()
WIRE_LOG = WireLog(print)
REACTOR = MemoryReactorClock()

#: For each setting: good values, each with the value that is read back, and bad values,
#: each with the type of its error.
VALUES: dict[str, tuple[tuple[tuple[Any, Any], ...], tuple[tuple[Any, Any], ...]]] = {
    "remoteAddress": (
        (("localhost", "localhost"), ("::1", "::1"), (b"\x7f\0\0\1", b"\x7f\0\0\1")),
        (*ADDRESSES, (b"name!", ValueError)),
    ),
    "remotePort": (
        ((1, 1), (65535, 65535), ("7", "7")),
        ((0, ValueError), (65536, ValueError), (True, TypeError), (7.0, TypeError)),
    ),
    "endpoint": (
        (
            ("tcp:127.0.0.1:8", "tcp:127.0.0.1:8"),
            (ENDPOINT, ENDPOINT),
            (["unix:/x", ENDPOINT], ("unix:/x", ENDPOINT)),
        ),
        ((5, TypeError), ("nonsense", ValueError), ([], ValueError), ([5], TypeError)),
    ),
    "tls": (((None, None), (False, False)), ((5, TypeError), ("yes", TypeError))),
    "domain": (
        ((socket.AF_INET, socket.AF_INET), (None, None)),
        ((socket.AF_INET6, ValueError), (-5, ValueError), ("inet", ValueError)),
    ),
    "bindAddress": ((("127.0.0.2", "127.0.0.2"), (None, None)), ADDRESSES),
    "bindPort": (
        ((0, 0), (8, 8), (None, None)),
        ((-1, ValueError), (65536, ValueError), (1.5, TypeError)),
    ),
    "socketOptions": (
        (
            (None, None),
            ([], None),
            ([(1, 9, 1)], ((1, 9, 1),)),
            (([1, 13, b"\0" * 8],), ((1, 13, b"\0" * 8),)),
        ),
        (
            (5, TypeError),
            ("abc", TypeError),
            ({(1, 9, 1)}, TypeError),
            ([(1, 9)], TypeError),
            ([(1, 9, "1")], TypeError),
            ([("SOL_SOCKET", 9, 1)], TypeError),
        ),
    ),
    "proxy": (
        (
            (None, None),
            ("environment", "environment"),
            ("socks5://a.test", "socks5://a.test"),
            (["socks5://a.test"], ("socks5://a.test",)),
        ),
        (
            (5, TypeError),
            ([5], TypeError),
            ([], ValueError),
            ("a.test", ValueError),
            ("ftp://a.test:21", ValueError),
            (["environment"], ValueError),
        ),
    ),
    "connectTimeout": (((5, 5.0), (0.5, 0.5)), SECONDS),
    "framing": (
        ((JSONLINES := JSONLines(), JSONLINES),),
        ((5, TypeError), ("int8", TypeError), (Clock, TypeError)),
    ),
    "autoReconnect": (((False, False), (True, True)), FLAG),
    "retryPolicy": (
        ((POLICY, POLICY), (None, None)),
        ((5, TypeError), (lambda: 5, TypeError)),
    ),
    "initialDelay": (((0, 0.0), (2, 2.0)), DELAY),
    "maxDelay": (((0, 0.0), (300, 300.0)), DELAY),
    "factor": (((1, 1.0), (3.5, 3.5)), (*NUMBER, (0.5, ValueError))),
    "jitter": (((None, None), (0, 0.0), (1, 1.0)), (*NUMBER, (1.5, ValueError))),
    "maxRetries": (((None, None), (0, 0)), (("3", TypeError), (-1, ValueError))),
    "stableAfter": (((0, 0.0), (5, 5.0)), DELAY),
    "maxAge": (((None, None), (300, 300.0)), SECONDS[:-1]),
    "failBack": (((None, None), (300, 300.0)), SECONDS[:-1]),
    "keepAlive": (
        ((False, False), ((60, 10, 3), (60, 10, 3))),
        ((1, TypeError), ((1, 2), TypeError), ((0, 1, 1), ValueError)),
    ),
    "unacknowledgedTimeout": (
        ((None, None), (90, 90.0)),
        (*SECONDS[:-1], (0.0001, ValueError), (3_000_000, ValueError)),
    ),
    "idleTimeout": (((None, None), (300, 300.0)), SECONDS[:-1]),
    "heartbeat": (
        ((None, None), ((30, b"PING"), (30.0, b"PING")), ((30, len), (30.0, len))),
        (
            (30, TypeError),
            ((30, b"PING", 1), TypeError),
            (("30", b"PING"), TypeError),
            ((0, b"PING"), ValueError),
            ((30, lambda: b"PING"), TypeError),
        ),
    ),
    "keepTalking": (
        ((None, None), ((30, b"HERE"), (30.0, b"HERE")), ((30, len), (30.0, len))),
        ((30, TypeError), ((0, b"HERE"), ValueError)),
    ),
    "drainTimeout": (((5, 5.0),), SECONDS),
    "lingerTimeout": (((5, 5.0),), SECONDS),
    "halfClose": (((False, False),), FLAG),
    "shutdownOnError": (((False, False),), FLAG),
    "highMark": (((1000, 1000),), (*BYTES, (10, ValueError))),
    "lowMark": (((10, 10),), (*BYTES, (3000, ValueError), (0, ValueError))),
    "outputLimit": (((None, None), (64, 64)), BYTES),
    "offlineLimit": (((0, 0), (64, 64)), (*BYTES, (None, TypeError))),
    "noDelay": (((False, False),), FLAG),
    "args": (
        (((1, 2), (1, 2)), ([1], (1,)), (None, ())),
        ((5, TypeError), ("text", TypeError), ({}, TypeError)),
    ),
    "alias": ((("feed", "feed"), (None, None)), (("", TypeError), (5, TypeError))),
    "inlineStates": (
        ((STATE := {"tick": print}, STATE), (None, None)),
        ((5, TypeError), ({5: print}, TypeError), ({"connect": print}, ValueError)),
    ),
    "objectStates": (((PAIRS := [(CLOCK, ["advance"])], PAIRS),), STATES),
    "packageStates": (((PAIRS, PAIRS),), STATES),
    "sessionType": (
        ((MultiDispatchSession, MultiDispatchSession),),
        ((5, TypeError), (Clock, TypeError)),
    ),
    "sessionParams": (
        ((TRACE := {"trace": True}, TRACE), (None, None)),
        ((5, TypeError), ("trace", TypeError)),
    ),
    "reactor": (((REACTOR, REACTOR),), ((5, TypeError),)),
    "clock": (((CLOCK, CLOCK),), ((5, TypeError),)),
    "wireLog": (((WIRE_LOG, WIRE_LOG),), ((print, TypeError),)),
}

#: Settings that need other settings.
BESIDE: dict[str, dict[str, Any]] = {
    "endpoint": {},
    "highMark": ADDRESS | MARKS,
    "lowMark": ADDRESS | MARKS,
}


def beside(name: str) -> dict[str, Any]:
    """
    @return: the parameters of a client that a setting is tried on, without it.
    """
    others = BESIDE.get(name, ADDRESS)
    return {other: value for other, value in others.items() if other != name}


class TableTests(SynchronousTestCase):
    """
    The table agrees with what shows it.
    """

    def test_signature(self) -> None:
        """
        The constructor's parameters are the callbacks and the settings, with the
        table's defaults and, where they are not too wide for that, its types.
        """
        parameters = dict(signature(ClientTCPFactory).parameters)
        for name in CALLBACKS:
            self.assertIsNone(parameters.pop(name).default)
        del parameters["handler"]
        self.assertEqual(parameters.keys(), SETTINGS.keys())
        for name, setting in SETTINGS.items():
            self.assertEqual(parameters[name].default, setting.default, name)
            declared = Settings.__annotations__[name]
            if declared != "Any":
                self.assertEqual(parameters[name].annotation, declared, name)

    def test_positional(self) -> None:
        """
        Only C{remoteAddress} and C{remotePort} can be given by position.
        """
        parameters = signature(ClientTCPFactory).parameters.values()
        kind = Parameter.POSITIONAL_OR_KEYWORD
        self.assertEqual(
            [parameter.name for parameter in parameters if parameter.kind is kind],
            ["remoteAddress", "remotePort"],
        )

    def test_docstring(self) -> None:
        """
        The constructor's docstring, which C{help} prints, has each parameter once.
        """
        text = ClientTCPFactory.__init__.__doc__
        assert text is not None
        for name in signature(ClientTCPFactory).parameters:
            self.assertEqual(text.count(f"@param {name}: "), 1, name)
        words = " ".join(text.split())
        self.assertEqual(DOCUMENTATION.keys(), SETTINGS.keys())
        for sentence in DOCUMENTATION.values():
            self.assertIn(sentence, words)
        self.assertLess(max(map(len, text.splitlines())), 89)

    def test_groups(self) -> None:
        """
        Each setting is in one group of the documentation.
        """
        listed = [name for names in GROUPS.values() for name in names]
        self.assertEqual(sorted(listed), sorted(SETTINGS))

    def test_values(self) -> None:
        """
        The tests below have values for each setting.
        """
        self.assertEqual(VALUES.keys(), SETTINGS.keys())

    def test_defaults(self) -> None:
        """
        The defaults are attributes of the class and of a client. They are valid.
        """
        client = ClientTCPFactory(serverInput=print)
        for name, setting in SETTINGS.items():
            self.assertIs(getattr(ClientTCPFactory, name), setting.default, name)
            self.assertEqual(getattr(client, name), setting.default, name)
            self.assertEqual(setting.validate(name, setting.default), setting.default)

    def test_oneBackoff(self) -> None:
        """
        The client and L{exponential} have the same default backoff.
        """
        parameters = signature(exponential).parameters
        for name in ("initialDelay", "maxDelay", "factor", "jitter"):
            self.assertEqual(parameters[name].default, SETTINGS[name].default, name)


class SourceTests(SynchronousTestCase):
    """
    Each setting, from each source, with good and bad values.
    """

    def test_constructor(self) -> None:
        """
        The constructor uses good values.
        """
        for name, (good, _) in VALUES.items():
            for value, expected in good:
                given = {**beside(name), name: value}
                client = ClientTCPFactory(serverInput=print, **given)
                self.assertEqual(getattr(client, name), expected, name)

    def test_constructorErrors(self) -> None:
        """
        It rejects bad ones. The error has the name of the parameter.
        """
        for name, (_, bad) in VALUES.items():
            for value, kind in bad:
                given = {**beside(name), name: value}
                error = self.assertRaises(
                    kind, ClientTCPFactory, serverInput=print, **given
                )
                self.assertIn(name, str(error))

    def test_classAttribute(self) -> None:
        """
        An attribute of a subclass is the default of its clients.
        """
        for name, (good, _) in VALUES.items():
            for value, expected in good:
                kind = type(
                    "Feeder", (ClientTCPFactory,), {**beside(name), name: value}
                )
                self.assertEqual(getattr(kind, name), expected, name)
                self.assertEqual(getattr(kind(serverInput=print), name), expected, name)

    def test_classAttributeErrors(self) -> None:
        """
        A bad attribute is an error when the class is created. The error has the names
        of the class and of the attribute.
        """
        for name, (_, bad) in VALUES.items():
            for value, kind in bad:
                attributes = {**beside(name), name: value}
                error = self.assertRaises(
                    kind, type, "Feeder", (ClientTCPFactory,), attributes
                )
                self.assertIn("class Feeder: ", str(error))
                self.assertIn(name, str(error))

    def test_mixin(self) -> None:
        """
        So is an attribute of a mixin.
        """
        for name, (good, bad) in VALUES.items():
            for value, expected in good:
                mixin = type("Mixin", (), {**beside(name), name: value})
                made = type("Feeder", (mixin, ClientTCPFactory), {})
                self.assertEqual(getattr(made(serverInput=print), name), expected, name)
            mixin = type("Mixin", (), {**beside(name), name: bad[0][0]})
            self.assertRaises(bad[0][1], type, "Feeder", (mixin, ClientTCPFactory), {})

    def test_assignment(self) -> None:
        """
        A good value can be assigned, unless the setting is fixed.
        """
        for name, (good, _) in VALUES.items():
            for value, expected in good:
                client = ClientTCPFactory(
                    serverInput=print, **BESIDE.get(name, ADDRESS)
                )
                if SETTINGS[name].later == NEVER:
                    error = self.assertRaises(
                        AttributeError, setattr, client, name, value
                    )
                    self.assertIn(f"pass {name}= to the constructor", str(error))
                    continue
                setattr(client, name, value)
                self.assertEqual(getattr(client, name), expected, name)
                setattr(client, name, getattr(client, name))
                self.assertEqual(getattr(client, name), expected, name)

    def test_assignmentErrors(self) -> None:
        """
        A bad value is an error of the assignment, and changes nothing.
        """
        for name, (_, bad) in VALUES.items():
            for value, kind in bad:
                client = ClientTCPFactory(
                    serverInput=print, **BESIDE.get(name, ADDRESS)
                )
                before = getattr(client, name)
                error = self.assertRaises(kind, setattr, client, name, value)
                self.assertIn(name, str(error))
                self.assertEqual(getattr(client, name), before, name)

    def test_deleted(self) -> None:
        """
        C{del} restores the value of the class.
        """

        class Patient(ClientTCPFactory):
            connectTimeout = 90.0

        client = Patient(serverInput=print, connectTimeout=5)
        del client.connectTimeout
        self.assertEqual(client.connectTimeout, 90)


class PrecedenceTests(SynchronousTestCase):
    """
    Which of several values counts.
    """

    def test_passed(self) -> None:
        """
        A value that is passed wins over the class's, even if it is the default.
        """
        for name, setting in SETTINGS.items():
            value, _ = VALUES[name][0][0]
            kind = type("Feeder", (ClientTCPFactory,), {**beside(name), name: value})
            more: dict[str, Any] = {}
            if name in MARKS:
                more = {"highMark": None, "lowMark": None}
            if name in ADDRESS:
                more = {"remoteAddress": None, "remotePort": None}
            client = kind(serverInput=print, **{name: setting.default, **more})
            self.assertEqual(getattr(client, name), setting.default, name)

    def test_nearestClass(self) -> None:
        """
        The nearest class in the order of resolution counts, whether it is a mixin or a
        client.
        """

        class Slow(ClientTCPFactory):
            connectTimeout = 90.0
            idleTimeout = 300

        class Quick:
            connectTimeout = 1.0

        class Mixed(Quick, Slow):
            pass

        class Own(Mixed):
            connectTimeout = 2.0

        for kind, expected in ((Slow, 90), (Mixed, 1), (Own, 2)):
            client = kind(serverInput=print)
            self.assertEqual(
                (client.connectTimeout, client.idleTimeout), (expected, 300)
            )
        self.assertEqual(ClientTCPFactory(serverInput=print).connectTimeout, 30)

    def test_constructorsOwn(self) -> None:
        """
        A subclass may set attributes before it calls the constructor; what it passes
        wins.
        """

        class Early(ClientTCPFactory):
            def __init__(self, **parameters: Any) -> None:
                self.maxDelay = 5
                self.framing = Stream()
                self.remoteAddress, self.remotePort = "127.0.0.1", 7
                self.clock = CLOCK
                self.assertion = self.maxDelay
                super().__init__(serverInput=print, **parameters)

        client = Early()
        self.assertEqual((client.maxDelay, client.assertion), (5, 5))
        self.assertEqual((client.remoteAddress, client.remotePort), ("127.0.0.1", 7))
        self.assertIs(client.clock, CLOCK)
        self.assertIsInstance(client.framing, Stream)
        self.assertEqual(Early(maxDelay=7).maxDelay, 7)

    def test_partsOfTheDestination(self) -> None:
        """
        A class may know a part of the destination, and the constructor the rest. A
        destination of another form replaces the class's.
        """

        class Redis(ClientTCPFactory):
            remotePort = 6379
            tls = None

        client = Redis("localhost", serverInput=print)
        self.assertEqual((client.remoteAddress, client.remotePort), ("localhost", 6379))
        client = Redis(endpoint="tcp:127.0.0.1:7", serverInput=print)
        self.assertEqual(
            (client.endpoint, client.remotePort), ("tcp:127.0.0.1:7", None)
        )

        class Local(ClientTCPFactory):
            endpoint = "unix:/x"

        local = Local("localhost", 7, serverInput=print)
        self.assertEqual((local.endpoint, local.remotePort), (None, 7))

        class Encrypted(ClientTCPFactory):
            tls = True

        self.assertIs(Encrypted("localhost", 7, serverInput=print).tls, True)

    def test_together(self) -> None:
        """
        Settings of a class that do not fit together are an error of the class, where
        the constructor could not complete them.
        """
        wrong: tuple[tuple[dict[str, Any], type[Exception]], ...] = (
            ({"highMark": 1000}, TypeError),
            ({"highMark": 10, "lowMark": 20}, ValueError),
            ({"endpoint": "unix:/x", "remoteAddress": "localhost"}, TypeError),
            ({"remoteAddress": "::1", "bindAddress": "127.0.0.1"}, ValueError),
        )
        for attributes, kind in wrong:
            self.assertRaises(kind, type, "Feeder", (ClientTCPFactory,), attributes)

    def test_policyIsNotAMethod(self) -> None:
        """
        A policy in a class is called without the client, however it is written.
        """

        class Function(ClientTCPFactory):
            retryPolicy: Any = constant(3)

        class Static(ClientTCPFactory):
            @staticmethod
            def retryPolicy(failures: int) -> float:
                return 3

        kinds: tuple[Any, ...] = (Function, Static)
        for kind in kinds:
            self.assertEqual(kind(serverInput=print).retryPolicy(1), 3)

    def test_heartbeatAndFraming(self) -> None:
        """
        A heartbeat's record must fit the framing, whichever of them is changed.
        """

        class Beating(ClientTCPFactory):
            heartbeat = (30, {"ping": 1})

        self.assertRaises(TypeError, Beating, serverInput=print)
        client = Beating(serverInput=print, framing=JSONLines)
        self.assertRaises(TypeError, setattr, client, "framing", Line)
        self.assertIsInstance(client.framing, JSONLines)
        plain = ClientTCPFactory(serverInput=print)
        self.assertRaises(ValueError, setattr, plain, "heartbeat", (30, b"a\nb"))
        self.assertIsNone(plain.heartbeat)

    def test_argsAndStarted(self) -> None:
        """
        C{args} must fit C{started}.
        """
        client = ClientTCPFactory(serverInput=print, started=lambda client: None)
        self.assertRaises(TypeError, setattr, client, "args", (1,))

        class Named(ClientTCPFactory):
            args = (1,)

        self.assertRaises(
            TypeError, Named, serverInput=print, started=lambda client: None
        )
