"""
Tests for a peer that ends its side, keeps its socket open, and reads nothing while
output is pending.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import NotConnectedError
from twisted_clienttcp.framing import Stream

from .._support import Peer
from .._tls import layer
from .._ways import TLS_WAYS, WAYS, WaysTestCase, addTests


class PeerEndsTests(WaysTestCase):
    """
    A test for each kind of connection.
    """

    async def ended(
        self, way: str, **parameters: Any
    ) -> tuple[ClientTCPFactory, Peer, int]:
        """
        Let the peer end its side alone.

        @return: the client, the peer, and the number of pending bytes.
        """
        client, peer = await self.connected(way, framing=Stream(), **parameters)
        theirs: Any = peer.transport
        theirs.stopReading()
        client.put(b"x" * 1_000_000)
        # The kernel accepts nothing more when nothing changes for a few turns.
        pending = 0
        while pending != client.pendingBytes:
            pending = client.pendingBytes
            for _ in range(5):
                self.clock.advance(0)
                await self.until(lambda: True)
        if way in TLS_WAYS:
            handle = layer(peer).getHandle()
            handle.shutdown()
            await self.deliver(client, peer, handle.bio_read(1000))
        else:
            theirs.loseWriteConnection()
        await self.until(lambda: not client.connected)
        return client, peer, pending

    async def bounded(self, way: str) -> None:
        """
        The connection ends C{drainTimeout} after that at the latest, and the report
        names the bytes that were not sent.
        """
        client, _, pending = await self.ended(way, drainTimeout=20)
        self.assertGreater(pending, 0)
        self.clock.advance(19)
        await self.until(lambda: True)
        self.assertNotIn("disconnected", self.events)
        self.clock.advance(1)
        await self.until(lambda: "disconnected" in self.events)
        [report] = self.recorder.disconnections
        self.assertGreater(report.unsent, 0)
        self.assertFalse(report.confirmed)
        if way in TLS_WAYS:
            self.assertEqual(report.initiator, "peer")
            self.assertTrue(report.failure.check(ConnectionDone))

    async def shutDown(self, way: str) -> None:
        """
        So it does when the client is shut down in the meantime, whose C{drainTimeout}
        counts then.
        """
        client, _, _ = await self.ended(way, drainTimeout=20)
        self.clock.advance(10)
        stopped = client.shutdown()
        self.clock.advance(19)
        await self.until(lambda: True)
        self.clock.advance(1)
        await self.until(lambda: bool(stopped.called))
        self.assertGreater(self.recorder.disconnections[0].unsent, 0)
        self.assertRaises(NotConnectedError, client.put, b"x")

    async def lost(self, way: str) -> None:
        """
        No timer is left when the connection is lost in the meantime.
        """
        client, peer, _ = await self.ended(way, drainTimeout=20, autoReconnect=False)
        peer.reset()
        await self.until(lambda: "stopped" in self.events)
        self.assertEqual(self.clock.getDelayedCalls(), [])


addTests(PeerEndsTests, WAYS, "bounded", "shutDown", "lost")
