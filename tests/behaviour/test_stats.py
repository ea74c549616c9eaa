"""
Tests for C{client.stats}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, DNSLookupError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from twisted_clienttcp.errors import ClientTCPError
from twisted_clienttcp.framing import Line

from .._memory import FlowTestCase


class StatsTests(FlowTestCase):
    """
    C{stats}.
    """

    def test_counts(self) -> None:
        """
        All events are counted, across connections.
        """
        client = self.client(
            framing=Line(delimiter=b"\n", maxLength=5, onTooLong="skip"),
            **self.recorder.marks(4, 2),
        )
        client.start()
        self.attempts()
        self.refuse()
        self.reactor.advance(client.delay)
        transport = self.establish()
        client.put(b"abc")
        self.drain(transport)
        transport.protocol.dataReceived(b"a\ntoolong\nb\nc")
        self.reactor.advance(5)
        transport.lose()
        self.reactor.advance(client.delay)
        transport = self.establish()
        client.put(b"d")
        self.reactor.advance(2)
        stats = client.stats
        self.assertEqual(
            (stats.attempts, stats.failures, stats.connections, stats.losses),
            (3, 1, 2, 1),
        )
        self.assertEqual(
            (stats.bytesIn, stats.recordsIn, stats.framingErrors), (13, 2, 1)
        )
        self.assertEqual(
            (stats.bytesOut, stats.recordsOut, stats.pendingBytes), (6, 2, 2)
        )
        self.assertEqual((stats.highs, stats.lows, stats.flushes), (1, 1, 1))
        self.assertEqual(stats.secondsConnected, 7)
        assert stats.lastError is not None
        self.assertTrue(stats.lastError.check(ConnectionLost))
        self.assertEqual((stats.unsentBytes, stats.offlineBytes), (0, 0))

    def test_once(self) -> None:
        """
        A connection counts once, also while the callbacks about its end are called.
        """
        client, transport = self.connected()
        seen = []
        for name in ("serverError", "disconnected"):
            self.recorder.on[name] = lambda client, *args: seen.append(client.stats)
        client.put(b"abc")
        self.drain(transport)
        transport.protocol.dataReceived(b"a\n")
        client.put(b"de")
        self.reactor.advance(3)
        transport.lose()
        for stats in seen:
            self.assertEqual(
                (stats.bytesIn, stats.recordsIn, stats.bytesOut, stats.recordsOut),
                (2, 1, 7, 2),
            )
            self.assertEqual(stats.pendingBytes + stats.unsentBytes, 3)
            self.assertEqual(stats.secondsConnected, 3)
        self.assertEqual(len(seen), 2)

    def test_clockSetBack(self) -> None:
        """
        C{secondsConnected} is not negative if the clock is set back or replaced.
        """
        client, transport = self.connected(stableAfter=0.0)
        self.reactor.advance(5)
        self.assertEqual(client.stats.secondsConnected, 5)
        self.reactor.rightNow -= 100
        self.assertEqual(client.stats.secondsConnected, 0)
        transport.lose()
        self.assertEqual(client.stats.secondsConnected, 0)
        self.reactor.advance(client.delay)
        transport = self.establish()
        client.clock = clock = Clock()
        clock.rightNow = -1000.0
        self.assertEqual(client.stats.secondsConnected, 0)
        transport.lose()
        self.assertEqual(client.stats.secondsConnected, 0)

    def test_lostInTheNegotiation(self) -> None:
        """
        A connection that was lost in its negotiation counts once, too.
        """

        def preConnect(client: Any, negotiation: Any) -> Deferred[bool]:
            negotiation.put(b"abc")
            return Deferred()

        client, transport = self.connected(preConnect=preConnect)
        self.drain(transport)
        transport.lose()
        self.assertEqual(client.stats.bytesOut, 4)
        self.reactor.advance(client.delay)
        self.establish()
        self.assertEqual(client.stats.bytesOut, 8)

    def test_copy(self) -> None:
        """
        The result is a copy.
        """
        client, transport = self.connected()
        before = client.stats
        client.put(b"a")
        self.assertEqual((before.recordsOut, client.stats.recordsOut), (0, 1))

    def test_phase(self) -> None:
        """
        C{phase} is the phase that the page of the lifecycle shows.
        """
        client = self.client()
        phases = [client.stats.phase]
        client.start()
        phases.append(client.stats.phase)
        self.establish()
        phases.append(client.stats.phase)
        self.assertEqual(phases, ["idle", "connecting", "connected"])

    def test_secondsHigh(self) -> None:
        """
        The time above the high mark ends at the low mark or with the connection, and
        an earlier copy does not change.
        """
        client, transport = self.connected(**self.recorder.marks(4, 2))
        client.put(b"abc")
        self.reactor.advance(0)
        self.reactor.advance(3)
        self.assertEqual(client.stats.secondsHigh, 3)
        self.drain(transport)
        self.reactor.advance(10)
        before = client.stats
        self.assertEqual((before.secondsHigh, before.lows), (3, 1))
        client.put(b"abc")
        self.reactor.advance(0)
        self.reactor.advance(2)
        transport.lose()
        self.reactor.advance(client.delay)
        self.establish()
        self.reactor.advance(10)
        self.assertEqual((client.stats.secondsHigh, client.stats.lows), (5, 1))
        self.assertEqual(before.secondsHigh, 3)

    def test_errors(self) -> None:
        """
        Errors are counted by their operation. The operation of a user's class is not
        one of the fixed set, so it counts as C{"client"}.
        """

        class Odd(ClientTCPError):
            operation = "odd"

        client = self.client(framing=Line(maxLength=3, onTooLong="skip"))
        client.start()
        self.refuse()
        before = client.stats
        self.assertEqual(before.connectErrors, {"connect": 1})
        for error in (Odd(), DNSLookupError(), DNSLookupError()):
            self.reactor.advance(client.delay)
            self.attempts()[-1][2].clientConnectionFailed(None, Failure(error))
        self.reactor.advance(client.delay)
        transport = self.establish()
        transport.protocol.dataReceived(b"toolong\r\nlong\r\n")
        transport.lose()
        stats = client.stats
        self.assertEqual(
            stats.connectErrors, {"connect": 1, "client": 1, "getaddrinfo": 2}
        )
        self.assertEqual(sum(stats.connectErrors.values()), stats.failures)
        self.assertEqual(stats.serverErrors, {"framing": 2, "read": 1})
        self.reactor.advance(client.delay)
        self.establish().lose()
        self.assertEqual(client.stats.serverErrors, {"framing": 2, "read": 2})
        self.assertEqual(stats.serverErrors, {"framing": 2, "read": 1})
        self.assertEqual(before.connectErrors, {"connect": 1})

    def test_acceptedNeverFalls(self) -> None:
        """
        A record counts as accepted, also if the framing of the next connection cannot
        encode it or encodes it in fewer bytes.
        """
        client = self.client(framing=Line(delimiter=b"\r\n"), offlineLimit=100)
        client.putMany([b"a", b"b\nc"])
        client.framing = Line(delimiter=b"\n")
        before = client.stats
        client.start()
        self.establish()
        stats = client.stats
        self.assertEqual(stats.recordsRejected, 1)
        self.assertEqual((before.recordsOut, stats.recordsOut), (2, 2))
        self.assertEqual((before.bytesOut, stats.bytesOut), (8, 8))
