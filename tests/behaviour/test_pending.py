"""
Tests for C{pendingBytes}, C{serverFlushed} and C{unsent} on connections of every kind,
compared with the bytes that the kernel has accepted.
"""

from __future__ import annotations

import socket
import sys
import termios
from typing import Any
from unittest import skipUnless

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import OutputFull
from twisted_clienttcp.framing import Line, Stream

from .._support import Peer, turn
from .._ways import TLS_WAYS, WaysTestCase, addTests, queued

#: The kinds whose kernel counts bytes.
COUNTED = ("tcp", *TLS_WAYS)


def acceptedBy(transport: Any) -> int:
    """
    @return: how many bytes the kernel has accepted from a TCP transport.
    """
    info = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
    acknowledged = int.from_bytes(info[120:128], sys.byteorder)
    return acknowledged + queued(transport, termios.TIOCOUTQ)


@skipUnless(sys.platform == "linux", "the bytes are counted by Linux")
class PendingTests(WaysTestCase):
    """
    Tests on connections of every kind. With TLS, the kernel accepts more bytes than
    were put, so each comparison is an inequality that holds in clear text too.
    """

    def below(self, client: ClientTCPFactory) -> Any:
        assert client.server is not None
        return client.server.transport

    async def turns(self) -> None:
        for _ in range(5):
            self.clock.advance(0)
            await turn()

    def pause(self, peer: Peer) -> None:
        transport: Any = peer.transport
        transport.stopReading()

    async def pending(self, way: str) -> None:
        """
        C{pendingBytes} is never less than the bytes in user space, a flush is reported
        when the kernel has accepted everything, and C{unsent} counts what it has not.
        """
        client, peer = await self.connected(way, framing=Stream())
        transport = self.below(client)
        before, put = acceptedBy(transport), 0
        flushed: list[bool] = []
        self.recorder.on["serverFlushed"] = lambda client: flushed.append(
            acceptedBy(transport) - before >= put
        )
        self.pause(peer)
        for size in (1, 100, 70_000, 200_000):
            client.put(b"x" * size)
            put += size
            await self.turns()
            inUserSpace = put - (acceptedBy(transport) - before)
            self.assertGreaterEqual(client.pendingBytes, inUserSpace)
        self.assertGreater(client.pendingBytes, 64 * 1024)
        theirs: Any = peer.transport
        theirs.startReading()
        waiter = client.flushed()
        await self.until(lambda: bool(waiter.called))
        self.assertEqual(client.pendingBytes, 0)
        self.assertTrue(flushed)
        self.assertTrue(all(flushed))
        await self.until(lambda: len(peer.received) == put)
        self.pause(peer)
        client.put(b"y" * 300_000)
        await self.turns()
        missing = put + 300_000 - (acceptedBy(transport) - before)
        client.abort()
        await self.until(lambda: "disconnected" in self.events)
        [disconnection] = self.recorder.disconnections
        self.assertGreaterEqual(disconnection.unsent, missing)
        self.assertLessEqual(disconnection.unsent, missing + 2 * 64 * 1024)

    async def reset(self, way: str) -> None:
        """
        If the peer resets the connection while output is pending, C{unsent} counts it.
        """
        client, peer = await self.connected(way, framing=Stream())
        transport = self.below(client)
        before = acceptedBy(transport)
        self.pause(peer)
        client.put(b"x" * 300_000)
        await self.turns()
        missing = 300_000 - (acceptedBy(transport) - before)
        peer.reset()
        await self.until(lambda: "disconnected" in self.events)
        [disconnection] = self.recorder.disconnections
        self.assertGreaterEqual(disconnection.unsent, missing)

    async def closedByUser(self, way: str) -> None:
        """
        C{loseConnection} of the transport loses no output silently.
        """
        client, peer = await self.connected(way, framing=Stream())
        client.put(b"x" * 300_000)
        self.below(client).loseConnection()
        await self.until(lambda: "disconnected" in self.events)
        await peer.lost
        [disconnection] = self.recorder.disconnections
        self.assertGreaterEqual(disconnection.unsent, 300_000 - len(peer.received))

    async def limited(self, way: str) -> None:
        """
        Beyond C{outputLimit} nothing is put; when the peer has read, there is room.
        """
        client, peer = await self.connected(
            way, framing=Line(delimiter=b"\n"), outputLimit=100_000
        )
        self.pause(peer)
        put: list[bytes] = []
        while True:
            record = b"%05d" % len(put) * 1000
            try:
                client.put(record)
            except OutputFull as error:
                self.assertEqual((error.limit, error.setting), (100_000, "outputLimit"))
                break
            put.append(record)
            await self.turns()
        self.assertLessEqual(client.pendingBytes, 100_000)
        theirs: Any = peer.transport
        theirs.startReading()
        await self.until(lambda: client.pendingBytes == 0)
        client.putMany([b"last"])
        wanted = b"\n".join([*put, b"last", b""])
        await self.until(lambda: len(peer.received) == len(wanted))
        self.assertEqual(peer.received, wanted)


addTests(PendingTests, COUNTED, "pending", "reset", "closedByUser", "limited")
