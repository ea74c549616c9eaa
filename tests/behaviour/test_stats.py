"""
Tests for C{client.stats}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock

from twisted_clienttcp.framing import Line

from .._memory import FlowTestCase


class StatsTests(FlowTestCase):
    """
    C{stats}.
    """

    def test_counts(self) -> None:
        """
        All that happens is counted, over connections.
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
        One that was lost in its negotiation counts once, too.
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
        They are a copy.
        """
        client, transport = self.connected()
        before = client.stats
        client.put(b"a")
        self.assertEqual((before.recordsOut, client.stats.recordsOut), (0, 1))
