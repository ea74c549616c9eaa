"""
Tests for a connection that the peer resets while data of it waits in the kernel.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import NotConnectedError

from .._support import NetworkTestCase, Server, turn
from .._tls import TLSTestCase, below

#: The stream, which takes three reads, and its records.
RECORDS = 80_000
STREAM = b"a\n" * RECORDS

#: The number of a record in the third read.
LATE = 70_000


class ResetTests(NetworkTestCase):
    """
    The peer sends records and resets the connection. The client reads only then, and
    meets the reset when it writes.
    """

    async def start(self) -> Server:
        """
        Start the server.
        """
        return await self.listen()

    async def reset(self, **parameters: Any) -> ClientTCPFactory:
        """
        Send all records and the reset to a client that is paused.
        """
        connected: Deferred[None] = Deferred()

        def begin(client: ClientTCPFactory, peer: object) -> None:
            assert client.server is not None
            self.transport: Any = client.server.transport
            self.transport.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * len(STREAM)
            )
            client.pauseProducing()
            connected.callback(None)

        self.records = 0
        self.lost: Deferred[Any] = Deferred()
        server = await self.start()
        client = self.client(
            server,
            connected=begin,
            serverInput=self.serverInput,
            serverError=lambda client, failure: None,
            disconnected=lambda client, report: self.lost.callback(report),
            **parameters,
        )
        client.start().addErrback(lambda failure: None)
        await connected
        while not server.peers:
            await turn()
        [peer] = server.peers
        peer.send(STREAM)
        while self.unread() < len(STREAM):
            await turn()
        below(peer).abortConnection()
        await peer.lost
        return client

    def unread(self) -> int:
        """
        Return how many bytes wait in the client's kernel.
        """
        answer = fcntl.ioctl(self.transport.socket, termios.FIONREAD, bytes(4))
        return int(struct.unpack("i", answer)[0])

    def serverInput(self, client: ClientTCPFactory, record: bytes) -> None:
        self.records += 1
        with contextlib.suppress(NotConnectedError):
            # After the loss has been seen.
            client.put(record)
        if self.records == self.actAt:
            self.act(client)

    #: The action at the record with that number.
    actAt = 0
    act: Callable[[ClientTCPFactory], object]

    async def test_delivered(self) -> None:
        """
        All records are delivered before the loss is reported.
        """
        client = await self.reset()
        client.resumeProducing()
        report = await self.lost
        self.assertEqual(self.records, RECORDS)
        self.assertTrue(report.failure.check(ConnectionLost))
        self.assertIsNone(report.truncated)

    async def test_paused(self) -> None:
        """
        While records are held, nothing is read. The records that were read are
        delivered when they are released.
        """
        self.actAt, self.act = 10, ClientTCPFactory.pauseProducing
        client = await self.reset()
        client.resumeProducing()
        while not self.transport.disconnected:
            self.assertLessEqual(self.records, 10)
            await turn()
        self.assertEqual(self.records, 10)
        client.resumeProducing()
        report = await self.lost
        self.assertGreater(report.unread, 0)
        self.assertGreater(self.records, 10)
        self.assertLess(self.records, RECORDS)

    async def test_shutdown(self) -> None:
        """
        A client that shuts down meanwhile receives no more records.
        """

        def stop(client: ClientTCPFactory) -> None:
            client.shutdown().addErrback(lambda failure: None)

        self.actAt, self.act = LATE, stop
        client = await self.reset()
        client.resumeProducing()
        await self.lost
        self.assertEqual(self.records, LATE)


class TLSResetTests(TLSTestCase, ResetTests):
    """
    The same, with TLS.
    """

    async def start(self) -> Server:
        return await self.serve()

    async def reset(self, **parameters: Any) -> ClientTCPFactory:
        return await super().reset(tls=self.options(), **parameters)
