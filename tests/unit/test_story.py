"""
Tests for what the log says about a client: each event, with its sentence and fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import NoRouteError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.story import (
    MINUTE,
    MOST,
    Limit,
    Repetition,
    past,
)
from twisted_clienttcp._logevents import CLIENT, KINDS
from twisted_clienttcp._texts import duration
from twisted_clienttcp.framing import Line
from twisted_clienttcp.retry import constant
from twisted_clienttcp.testing import MemoryServer

from .._log import assertDocumented
from .._memory import Transport


class LimitTests(SynchronousTestCase):
    """
    Tests for L{Limit}.
    """

    def test_minute(self) -> None:
        """
        A key is logged at once, and again when a minute has passed.
        """
        limit = Limit()
        self.assertEqual(limit.count("a", 5), Repetition(1))
        self.assertEqual(limit.count("a", 5), Repetition(0))
        self.assertEqual(limit.count("a", 5 + MINUTE - 0.1), Repetition(0))
        self.assertEqual(limit.count("a", 5 + MINUTE), Repetition(3, MINUTE))
        self.assertEqual(limit.count("a", 5 + MINUTE), Repetition(0))

    def test_restart(self) -> None:
        """
        Events that another line has reported are not counted again, and are no reason
        to log the next one earlier.
        """
        limit = Limit()
        for _ in range(3):
            limit.count("a", 0)
        limit.restart(20)
        self.assertEqual(limit.count("a", 30), Repetition(0))
        self.assertEqual(limit.count("a", MINUTE), Repetition(2, MINUTE - 20))

    def test_mixed(self) -> None:
        """
        A line that stands for events of various reasons does not claim that they all
        had its own; and events of a reason that is forgotten are in such a line.
        """
        limit = Limit()
        for _ in range(3):
            for key in range(MOST + 2):
                limit.count(key, 0)
        for key in range(MOST - 1):
            self.assertEqual(limit.count(f"new {key}", MINUTE), Repetition(1))
        repetition = limit.count("one more", MINUTE)
        # Of the 30 events, 9 were logged.
        self.assertEqual(repetition.count, 3 * (MOST + 2) - (MOST + 1) + 1)
        self.assertTrue(repetition.isMixed)
        self.assertEqual(repetition.fields()["again"], " (and 21 other events in 60 s)")

    def test_oneOther(self) -> None:
        """
        One other event is in the singular.
        """
        for count, others in ((2, "1 other event"), (3, "2 other events")):
            fields = Repetition(count, 5, isMixed=True).fields()
            self.assertEqual(fields["again"], f" (and {others} in 5 s)")

    def test_forgotten(self) -> None:
        """
        Events of forgotten reasons are added to those of the other mixed events. Their
        time begins when the first of these reasons was logged.
        """
        limit = Limit()
        for key in range(MOST):
            for _ in range(2):
                limit.count(key, 1 + key)
        # The first mixed event is logged, and the second one is left out.
        for _ in range(2):
            limit.count("mixed", 30)
        # Only the latest reason is kept, so MOST - 1 events are forgotten.
        self.assertEqual(limit.count("new", MOST + MINUTE - 0.5), Repetition(1))
        for key in range(MOST - 3):
            limit.count(f"new {key}", MOST + MINUTE - 0.5)
        self.assertEqual(
            limit.count("one more", MOST + MINUTE - 0.5),
            Repetition(MOST - 1 + 1 + 1, MOST + MINUTE - 0.5 - 1, isMixed=True),
        )

    def test_rare(self) -> None:
        """
        What occurs less than once a minute is always logged.
        """
        limit = Limit()
        for number in range(20):
            self.assertEqual(limit.count("a", number * MINUTE), Repetition(1))

    def test_bounded(self) -> None:
        """
        The number of keys is bounded: further ones of the same minute count as one.
        """
        limit = Limit()
        logged = [bool(limit.count(str(key), 0).count) for key in range(1000)]
        self.assertEqual(sum(logged), MOST + 1)
        self.assertEqual(limit.count("new", MINUTE), Repetition(1))

    def test_setBack(self) -> None:
        """
        A clock that is set back does not silence a client.
        """
        limit = Limit()
        for key in range(MOST):
            limit.count(key, 10_000)
        self.assertEqual(limit.count(0, 5), Repetition(1))
        for new in ("new", "another"):
            self.assertEqual(limit.count(new, 5), Repetition(1))

    def test_setBackSinceRestart(self) -> None:
        """
        The time of a repetition is not negative if the clock is set back.
        """
        limit = Limit()
        limit.count("a", 100)
        limit.restart(130)
        limit.count("a", 140)
        self.assertEqual(limit.count("a", 90), Repetition(2, 0.0))


class WordsTests(SynchronousTestCase):
    """
    Tests for times and counts in words.
    """

    def test_duration(self) -> None:
        """
        A time has at most three digits.
        """
        for seconds, words in (
            (0, "0 s"),
            (0.0004, "0 s"),
            (0.0123, "0.012 s"),
            (0.25, "0.25 s"),
            (1, "1 s"),
            (9.94, "9.9 s"),
            (59.6, "60 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7199, "120 min"),
            (7200, "2 h"),
            (86400, "24 h"),
            (10 * 86400, "10 d"),
        ):
            self.assertEqual(duration(seconds), words)

    def test_past(self) -> None:
        """
        What has happened, each in the singular or the plural.
        """
        for failures, losses, replacements, closures, words in (
            (0, 0, 0, 0, ""),
            (1, 0, 0, 0, "1 failed attempt"),
            (3, 0, 0, 0, "3 failed attempts"),
            (0, 1, 0, 0, "1 lost connection"),
            (0, 0, 5, 0, "5 replaced connections"),
            (2, 2, 0, 0, "2 failed attempts and 2 lost connections"),
            (
                *(1, 2, 3, 1),
                "1 failed attempt, 2 lost connections, 3 replaced connections and 1 "
                "closed connection",
            ),
        ):
            counts = {
                "failures": failures,
                "losses": losses,
                "replacements": replacements,
                "closures": closures,
            }
            fields = past(counts, 7)
            history = words and f" after {words} in 7 s"
            self.assertEqual(fields, {**counts, "seconds": 7, "history": history})


def _accepted(server: MemoryServer) -> None:
    server.accept()


def _refused(server: MemoryServer) -> None:
    server.refuse()


def _closed(server: MemoryServer) -> None:
    server.accept()
    server.advance(3)
    server.close()


def _reconnected(server: MemoryServer) -> None:
    server.accept()
    server.client.reconnect(4)
    server.advance(0)


def _replaced(server: MemoryServer) -> None:
    server.accept()
    server.client.reconnect(4, drain=True)
    server.close()


def _skipped(server: MemoryServer) -> None:
    server.accept()
    server.send(b"too long\r\n")


def _stopped(server: MemoryServer) -> None:
    server.refuse()
    server.client.shutdown()


def _gaveUp(server: MemoryServer) -> None:
    server.stopped.addErrback(lambda failure: None)
    server.client.maxRetries = 0
    server.refuse(NoRouteError())


def _lostOutput(server: MemoryServer) -> None:
    server.accept()
    server.reading = False
    server.client.put(b"lost")
    server.reset()


def _lostOffline(server: MemoryServer) -> None:
    server.client.put(b"kept")
    server.stopped.addErrback(lambda failure: None)
    server.client.shutdown()


def _raised(server: MemoryServer) -> None:
    server.accept()
    server.send(b"1/0\r\n")


def _limited(server: MemoryServer) -> None:
    server.client.retryPolicy = constant(300)
    server.refuse()


def _second(server: MemoryServer) -> None:
    server.accept()
    server.client.buildProtocol(None)


def _dispatched(server: MemoryServer) -> None:
    server.client.call("greet", 1)


#: For each kind: what happens, the fields that have other values than their defaults,
#: and the sentence.
STEPS: dict[str, tuple[Callable[[MemoryServer], None], dict[str, Any], str]] = {
    "connected": (
        _accepted,
        {
            "address": "127.0.0.1:7",
            "age": 0.0,
            "failures": 0,
            "losses": 0,
            "replacements": 0,
            "closures": 0,
            "seconds": 0.0,
        },
        ": connected to 127.0.0.1:7",
    ),
    "attemptFailed": (
        _refused,
        {
            "reason": "cannot connect: Connection refused",
            "operation": "connect",
            "errno": 111,
            "text": "Connection refused",
            "attempt": 1,
            "count": 1,
            "delay": 1,
        },
        ": cannot connect: Connection refused; next attempt in 1 s",
    ),
    "connectionLost": (
        _closed,
        {
            "reason": "the server closed the connection",
            "operation": "read",
            "errno": 0,
            "text": "the connection was closed",
            "seconds": 3,
            "count": 1,
            "delay": 1,
        },
        ": the server closed the connection (connected for 3 s); next attempt in 1 s",
    ),
    "connectionClosed": (
        _reconnected,
        {"seconds": 0, "count": 1, "delay": 4},
        ": closed the connection after 0 s; next attempt in 4 s",
    ),
    "connectionReplaced": (
        _replaced,
        {"seconds": 0, "count": 1, "delay": 4, "cause": "drain requested"},
        ": closed the connection after 0 s, to replace it (drain requested); next "
        "attempt in 4 s",
    ),
    "serverError": (
        _skipped,
        {"operation": "framing", "count": 1},
        ": a record of at least 8 bytes is too long and was skipped (maxLength=5)",
    ),
    "gaveUp": (
        _gaveUp,
        {"failures": 1, "losses": 0, "seconds": 0},
        " gives up: 1 failure in 0 s; the last one: cannot connect: Network is "
        "unreachable",
    ),
    "stopped": (
        _stopped,
        {"reason": "on request", "failure": None, "failures": 1},
        " stops: on request after 1 failed attempt in 0 s",
    ),
    "outputLost": (
        _lostOutput,
        {"unsent": 6},
        " lost up to 6 bytes that were put and not sent",
    ),
    "offlineLost": (
        _lostOffline,
        {"unsent": 6},
        " stops with 6 bytes that were put and never sent",
    ),
    "raised": (_raised, {"what": "serverInput raised"}, ": serverInput raised"),
    "delayLimited": (
        _limited,
        {"maxDelay": 60.0, "delay": 300.0, "count": 1},
        " waits maxDelay=60.0 seconds, not 300.0",
    ),
    "secondConnection": (
        _second,
        {"address": "?"},
        " rejects a second connection, to ?",
    ),
    "dispatched": (
        _dispatched,
        {"event": "greet", "args": (1,)},
        " dispatches greet (1,)",
    ),
}


class EventTests(SynchronousTestCase):
    """
    Every event of a client, with its sentence and its fields.
    """

    def test_all(self) -> None:
        """
        Each kind occurs with exactly the documented fields.
        """
        kinds = {kind.name for kind in KINDS.values() if kind.namespace == CLIENT}
        self.assertEqual(set(STEPS), kinds)
        for name, (act, fields, sentence) in STEPS.items():
            with capturedLogs() as events:
                client = ClientTCPFactory(
                    "192.0.2.1",
                    6667,
                    alias="feed",
                    serverInput=lambda client, record: 1 / 0,
                    framing=Line(maxLength=5, onTooLong="skip"),
                    jitter=None,
                    offlineLimit=0 if name == "outputLost" else 100,
                    inlineStates={"greet": lambda client, *args: None},
                    sessionParams={"trace": name == "dispatched"},
                )
                server = MemoryServer(client)
                act(server)
                self.flushLoggedErrors(ZeroDivisionError)
            for event in events:
                self.assertEqual(event["log_namespace"], CLIENT)
                assertDocumented(self, event)
                self.assertEqual(event["client"], "feed (192.0.2.1:6667)")
                self.assertEqual(event["destination"], "192.0.2.1:6667")
                self.assertIs(event["log_source"], client)
            (event,) = [each for each in events if each["kind"] == name]
            self.assertEqual(
                formatEvent(event), f"Client feed (192.0.2.1:6667){sentence}"
            )
            for field, value in fields.items():
                self.assertEqual(event[field], value, f"{name}: {field}")
            client.abort()
            server.advance(100)

    def test_failure(self) -> None:
        """
        An event about a failure has the failure.
        """
        with capturedLogs() as events:
            MemoryServer(
                ClientTCPFactory("192.0.2.1", 7, serverInput=print, reactor=None)
            ).refuse()
        self.assertIsInstance(events[0]["failure"], Failure)


class RouteTests(SynchronousTestCase):
    """
    Tests for the names of destinations and addresses.
    """

    def test_unknown(self) -> None:
        """
        The destination of a client that a ClientService connects is the peer's address
        as soon as there is a transport. Before that, the lines do not contain one.
        """
        for alias, before, after in (
            (None, "(unnamed)", "192.168.1.1:54321"),
            ("feed", "feed", "feed (192.168.1.1:54321)"),
        ):
            client = ClientTCPFactory(
                alias=alias,
                serverInput=print,
                reactor=MemoryReactorClock(),
                inlineStates={"greet": lambda client: None},
                sessionParams={"trace": True},
            )
            with capturedLogs() as events:
                client.call("greet")
                protocol: Any = client.buildProtocol(None)
                transport = Transport()
                transport.protocol = protocol
                protocol.makeConnection(transport)
                transport.lose()
            self.assertEqual(
                [formatEvent(event) for event in events],
                [
                    f"Client {before} dispatches greet ()",
                    f"Client {after}: connected to 192.168.1.1:54321",
                    f"Client {after}: the connection was lost: Connection reset by "
                    "peer (connected for 0 s)",
                ],
            )
            self.assertEqual(
                [event["destination"] for event in events],
                [None, "192.168.1.1:54321", "192.168.1.1:54321"],
            )
