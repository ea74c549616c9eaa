"""
Tests for what the log says about a client: each event, with its sentence and fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
)
from twisted.internet.error import NoRouteError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.reporting import shown
from twisted_clienttcp._client.story import MINUTE, MOST, Limit, duration, past
from twisted_clienttcp._connection.peer import ProxiedAddress
from twisted_clienttcp._logevents import CLIENT, KINDS
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
        self.assertEqual(limit.count("a", 5), (1, 0.0))
        self.assertEqual(limit.count("a", 5), (0, 0.0))
        self.assertEqual(limit.count("a", 5 + MINUTE - 0.1), (0, 0.0))
        self.assertEqual(limit.count("a", 5 + MINUTE), (3, MINUTE))
        self.assertEqual(limit.count("a", 5 + MINUTE), (0, 0.0))

    def test_rare(self) -> None:
        """
        What occurs less than once a minute is always logged.
        """
        limit = Limit()
        for number in range(20):
            count, _ = limit.count("a", number * MINUTE)
            self.assertEqual(count, 1)

    def test_bounded(self) -> None:
        """
        The number of keys is bounded: further ones of the same minute count as one.
        """
        limit = Limit()
        logged = [bool(limit.count(str(key), 0)[0]) for key in range(1000)]
        self.assertEqual(sum(logged), MOST + 1)
        self.assertEqual(limit.count("new", MINUTE), (1, 0.0))

    def test_setBack(self) -> None:
        """
        A clock that is set back does not silence a client.
        """
        limit = Limit()
        limit.count("a", 10_000)
        self.assertEqual(limit.count("a", 5)[0], 1)


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
        Failures and losses, each in the singular or the plural.
        """
        for failures, losses, words in (
            (0, 0, ""),
            (1, 0, " after 1 failed attempt in 7 s"),
            (3, 0, " after 3 failed attempts in 7 s"),
            (0, 1, " after 1 lost connection in 7 s"),
            (2, 2, " after 2 failed attempts and 2 lost connections in 7 s"),
        ):
            fields = past(failures, losses, 7)
            self.assertEqual(fields.pop("history"), words)
            self.assertEqual(
                fields, {"failures": failures, "losses": losses, "seconds": 7}
            )


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
        {"address": "127.0.0.1:7", "failures": 0, "losses": 0, "seconds": 0.0},
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
            "text": "",
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
    "serverError": (
        _skipped,
        {"operation": "framing", "count": 1},
        ": a record of at least 8 bytes exceeds maxLength=5 and was skipped",
    ),
    "gaveUp": (
        _gaveUp,
        {"failures": 1, "losses": 0, "seconds": 0},
        " gives up: 1 failure in 0.0 seconds; the last one: cannot connect: Network is "
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

    def test_addresses(self) -> None:
        """
        A name is logged with the address that it was resolved to; IPv6 addresses have
        brackets; a route through proxies is shown without credentials.
        """
        for address, text in (
            (IPv4Address("TCP", "192.0.2.1", 7), "192.0.2.1:7"),
            (IPv6Address("TCP", "2001:db8::1", 7), "[2001:db8::1]:7"),
            (HostnameAddress(b"a.example", 7), "a.example:7"),
            (UNIXAddress("/run/a\nb"), "/run/a\\nb"),
            (UNIXAddress(None), "?"),
            (None, "?"),
            (
                ProxiedAddress("a.example", 7, ("socks5://p:1080",)),
                "a.example:7 through socks5://p:1080",
            ),
        ):
            self.assertEqual(shown(address), text)

    def test_unknown(self) -> None:
        """
        The destination of a client that is driven by a ClientService is unknown until
        it has a connector.
        """
        client = ClientTCPFactory(serverInput=print, reactor=MemoryReactorClock())
        with capturedLogs() as events:
            protocol: Any = client.buildProtocol(None)
            transport = Transport()
            transport.protocol = protocol
            protocol.makeConnection(transport)
            transport.lose()
        self.assertEqual(
            [formatEvent(event) for event in events],
            [
                "Client ?: connected to 192.168.1.1:54321",
                "Client ?: the connection was lost: Connection reset by peer "
                "(connected for 0 s)",
            ],
        )
