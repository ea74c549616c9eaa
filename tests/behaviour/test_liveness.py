"""
Tests for C{heartbeat}, C{idleTimeout} and C{keepTalking} on connections of every kind.
"""

from __future__ import annotations

import termios
from typing import Any

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import HeartbeatTimeout, IdleTimeout
from twisted_clienttcp.framing import Line, Stream

from .._support import Peer
from .._ways import WAYS, WaysTestCase, addTests, queued

#: Settings with which a peer is dropped that is silent for 30 seconds, and the error.
SETTINGS: tuple[tuple[dict[str, Any], type[Exception]], ...] = (
    ({"idleTimeout": 30}, IdleTimeout),
    ({"heartbeat": (15, b"PING")}, HeartbeatTimeout),
)


class EveryWayTests(WaysTestCase):
    """
    Tests on connections of every kind. One kind is one test.
    """

    async def silent(self, error: type[Exception]) -> None:
        """
        Let the peer be silent for so long that it is dropped.
        """
        self.assertNotIn("disconnected", self.events)
        for _ in range(3):
            # Accepted output is noticed up to a quarter of the 30 seconds later.
            self.clock.advance(15)
            await self.until(lambda: True)
        self.clock.pump([0, 0, 0])
        await self.until(lambda: "disconnected" in self.events)
        self.assertIsInstance(self.recorder.disconnections[0].failure.value, error)

    async def pieces(self, way: str) -> None:
        """
        Each byte counts as a sign of life, also one that completes no record, and no
        TLS record.
        """
        for settings, error in SETTINGS:
            self.setUp()
            client, peer = await self.connected(way, **settings)
            data = self.capture(peer, b"x" * 1000 + b"\r\n")
            for position in range(8):
                self.clock.advance(14)
                piece = data[position : position + 1]
                if position == 7:
                    piece = data[position:]
                await self.deliver(client, peer, piece)
                self.assertNotIn(("serverError", "read", 110), self.events)
            await self.until(lambda: ("serverInput", b"x" * 1000) in self.events)
            await self.silent(error)

    async def slowReader(self, way: str) -> None:
        """
        A peer that accepts output is alive, even if it accepts less than a chunk in
        each period; and one that accepts nothing more is not.
        """
        for settings, error in SETTINGS:
            self.setUp()
            client, peer = await self.connected(way, framing=Stream(), **settings)
            self.pause(peer)
            client.put(b"y" * 400_000)
            for _ in range(8):
                await self.read(peer, 16_000)
                self.clock.advance(14)
                await self.until(lambda: True)
                self.assertNotIn(("serverError", "read", 110), self.events)
            await self.silent(error)

    async def deafProgram(self, way: str) -> None:
        """
        A peer whose kernel accepts the question, but whose program does not read it, is
        dropped when it was silent for twice the seconds.
        """
        client, peer = await self.connected(
            way, framing=Line(), heartbeat=(15, b"PING")
        )
        self.pause(peer)
        ours: Any = client.server and client.server.transport
        self.clock.pump([15, 0])
        await self.until(lambda: client.pendingBytes == 0)
        if way != "unix":
            await self.until(lambda: queued(ours, termios.TIOCOUTQ) == 0)
        self.clock.advance(14)
        await self.until(lambda: True)
        self.assertNotIn(("serverError", "read", 110), self.events)
        self.clock.pump([1, 0])
        await self.until(lambda: "disconnected" in self.events)
        [disconnection] = self.recorder.disconnections
        self.assertIsInstance(disconnection.failure.value, HeartbeatTimeout)

    async def keepTalking(self, way: str) -> None:
        """
        The record of C{keepTalking} is sent when nothing else was.
        """
        client, peer = await self.connected(way, keepTalking=(15, b"HERE"))
        self.clock.advance(10)
        client.put(b"hello")
        await self.until(lambda: b"hello\r\n" in peer.received)
        self.clock.pump([14, 0])
        await self.until(lambda: True)
        self.assertEqual(peer.received, b"hello\r\n")
        self.clock.pump([1, 0])
        await self.until(lambda: b"hello\r\nHERE\r\n" in peer.received)
        self.clock.pump([15, 0])
        await self.until(lambda: b"hello\r\nHERE\r\nHERE\r\n" in peer.received)

    def pause(self, peer: Peer) -> None:
        """
        Let a server's side read nothing by itself.
        """
        transport: Any = peer.transport
        transport.stopReading()


addTests(EveryWayTests, WAYS, "pieces", "slowReader", "deafProgram", "keepTalking")


class FunctionTests(WaysTestCase):
    """
    Tests for a function in C{keepTalking}.
    """

    async def test_function(self) -> None:
        """
        A function is called with the client; if it returns None, nothing is sent.
        """
        records = [b"one", None, b"two"]
        called: list[ClientTCPFactory] = []

        def record(client: ClientTCPFactory) -> bytes | None:
            called.append(client)
            return records[len(called) - 1]

        client, peer = await self.connected("tcp", keepTalking=(15, record))
        for _ in records:
            self.clock.pump([15, 0])
        await self.until(lambda: b"two" in peer.received)
        self.assertEqual(peer.received, b"one\r\ntwo\r\n")
        self.assertEqual(called, [client] * 3)
