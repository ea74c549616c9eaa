"""
How many segments the kernel sends, as it counts them itself.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any

from twisted.internet.defer import Deferred

from twisted_clienttcp import ClientTCPFactory

from .._support import NetworkTestCase, Peer, Server, reactor, turn

#: How often a request goes and an answer comes.
ROUNDS = 20


def segments(client: ClientTCPFactory) -> int:
    """
    @return: how many segments with data the present connection has sent, those that
        the kernel has sent again apart (C{tcpi_data_segs_out} and C{tcpi_total_retrans}
        of linux/tcp.h).
    """
    transport: Any = client.server and client.server.transport
    told = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    count: int = struct.unpack_from("=I", told, 156)[0]
    again: int = struct.unpack_from("=I", told, 100)[0]
    return count - again


class SegmentTests(NetworkTestCase):
    """
    What is put together leaves together, and waits for nothing.
    """

    if sys.platform != "linux":
        skip = "the kernel does not tell how many segments it has sent"

    async def connected(self, **parameters: Any) -> tuple[ClientTCPFactory, Server]:
        server = await self.listen()
        client = self.client(server, **parameters)
        client.start()
        await client.whenConnected()
        while not server.peers:
            await turn()
        return client, server

    async def test_oneTurn(self) -> None:
        """
        A hundred records of one turn are one segment, and those of the next turn
        another.
        """
        client, server = await self.connected(serverInput=print)
        for turns in (1, 2):
            for _ in range(100):
                client.put(b"a record")
            await turn()
            await turn()
            self.assertEqual(segments(client), turns)
        await server.peers[0].until(b"a record\r\n" * 200)

    async def test_answers(self) -> None:
        """
        The answers to all records that are received together are one segment.
        """
        heard: Deferred[bytes] = Deferred()
        client, server = await self.connected(
            serverInput=lambda client, line: client.put(line)
        )
        server.heard = lambda peer, data: heard.callback(data)
        server.peers[0].send(b"a record\r\n" * 100)
        self.assertEqual(await heard, b"a record\r\n" * 100)
        self.assertEqual(segments(client), 1)

    async def test_writeWriteRead(self) -> None:
        """
        A head and a body put one behind the other, then an answer awaited: one segment
        for each request.
        """
        done: Deferred[None] = Deferred()
        left = ROUNDS

        def ask(client: ClientTCPFactory, answer: object) -> None:
            nonlocal left
            if left:
                left -= 1
                client.put(b"head")
                client.put(b"body")
            else:
                done.callback(None)

        def answer(peer: Peer, data: bytes) -> None:
            if peer.received.endswith(b"body\r\n"):
                peer.send(b"answer\r\n")

        client, server = await self.connected(serverInput=ask)
        server.heard = answer
        ask(client, None)
        await done
        self.assertEqual(segments(client), ROUNDS)

    async def test_noDelay(self) -> None:
        """
        A head and a body of two turns are two segments, and the second does not wait
        for the peer's acknowledgement of the first, which the peer delays. That is
        what C{noDelay} is for: without it each request costs 40 ms.
        """
        taken = {}
        for noDelay in (True, False):
            client, server = await self.connected(
                serverInput=lambda client, line: None, noDelay=noDelay
            )
            transport: Any = client.server and client.server.transport
            read = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            self.assertEqual(bool(read), noDelay)
            begun = reactor.seconds()
            peer = server.peers[0]
            for _ in range(ROUNDS):
                client.put(b"head")
                await turn()
                await turn()
                client.put(b"body")
                await peer.until(b"body\r\n")
                peer.received = b""
                # The answer, after which the peer's kernel delays its next
                # acknowledgement.
                peer.send(b"answer\r\n")
            taken[noDelay] = reactor.seconds() - begun
            self.assertEqual(segments(client), 2 * ROUNDS)
        self.assertLess(taken[True], taken[False] / 2)
