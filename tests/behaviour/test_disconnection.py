"""
Tests for what a C{Disconnection} says about the bytes and records that were lost: it
must never claim more than is true.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory, Disconnection
from twisted_clienttcp.framing import Line, Stream
from twisted_clienttcp.testing import MemoryServer

from .._support import NetworkTestCase, turn
from .._tls import TLSTestCase, below

#: More than fits in the receive buffer of L{ScriptedTestCase}'s peer, and less than the
#: kernel accepts.
SIZE = 100_000


def ignore(client: object, record: object) -> None:
    pass


def readAll(peer: socket.socket) -> bool:
    """
    Read until the end of the stream.

    @return: True at the end.
    """
    with contextlib.suppress(BlockingIOError):
        while data := peer.recv(65536):
            assert data
        return True
    return False


def reset(peer: socket.socket) -> None:
    """
    Close with a reset.
    """
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


class ScriptedTestCase(NetworkTestCase):
    """
    A client whose peer is a socket: the test knows exactly what it has read.
    """

    families = (socket.AF_INET, socket.AF_UNIX)

    async def connect(
        self, family: int, **parameters: Any
    ) -> tuple[ClientTCPFactory, socket.socket]:
        """
        Connect a client with a peer that has a small receive buffer.
        """
        listening, where = self.listeningSocket(family, 4096)
        client = ClientTCPFactory(
            **where,
            **{
                "autoReconnect": False,
                "framing": Stream,
                "serverInput": ignore,
                **parameters,
            },
        )
        self.addCleanup(self._stop, client)
        client.start().addErrback(lambda failure: None)
        await client.whenConnected()
        peer, _ = listening.accept()
        self.addCleanup(peer.close)
        peer.setblocking(False)
        return client, peer

    async def flush(self, client: ClientTCPFactory, size: int) -> None:
        """
        Put bytes, and wait until the kernel has accepted them.
        """
        transport: Any = client.server and client.server.transport
        transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * size)
        client.put(b"x" * size)
        await client.flushed()

    async def finish(self, stopped: Deferred[Any]) -> Disconnection:
        disconnection = await stopped
        assert isinstance(disconnection, Disconnection)
        return disconnection


class ConfirmedTests(ScriptedTestCase):
    """
    C{confirmed} and C{unacknowledged}.
    """

    async def shutDown(
        self, family: int, size: int, act: Callable[[socket.socket], object]
    ) -> Disconnection:
        """
        Shut down after so many bytes.

        @param act: called when our side has ended, with the peer.
        """
        client, peer = await self.connect(family)
        if size:
            await self.flush(client, size)
        stopped = client.shutdown()
        await turn()
        act(peer)
        return await self.finish(stopped)

    async def test_honest(self) -> None:
        """
        A peer that reads everything and then closes confirms everything.
        """
        for family in self.families:
            client, peer = await self.connect(family)
            await self.flush(client, SIZE)
            stopped = client.shutdown()
            while not readAll(peer):
                await turn()
            peer.close()
            end = await self.finish(stopped)
            self.assertEqual((end.unsent, end.unacknowledged), (0, 0))
            self.assertTrue(end.confirmed)
            self.assertEqual(end.unread, 0)

    async def test_nothingRead(self) -> None:
        """
        A peer that ends its side without having read confirms nothing, no matter what
        it does next.
        """

        def end(peer: socket.socket) -> None:
            peer.shutdown(socket.SHUT_WR)

        def endAndReset(peer: socket.socket) -> None:
            peer.shutdown(socket.SHUT_WR)
            reset(peer)

        for family in self.families:
            for act in (end, endAndReset):
                report = await self.shutDown(family, SIZE, act)
                self.assertEqual(report.unsent, 0)
                self.assertNotEqual(report.unacknowledged, 0)
                self.assertFalse(report.confirmed)

    async def test_reset(self) -> None:
        """
        After a reset it is not known what the peer has read: the number is never 0.
        """
        for family in self.families:
            lost: Deferred[Disconnection] = Deferred()
            client, peer = await self.connect(
                family,
                disconnected=lambda client, report, lost=lost: lost.callback(report),
                serverError=ignore,
            )
            await self.flush(client, 10)
            reset(peer)
            report = await lost
            self.assertEqual((report.initiator, report.unsent), ("network", 0))
            self.assertNotEqual(report.unacknowledged, 0)
            self.assertFalse(report.confirmed)

    async def test_readLess(self) -> None:
        """
        The program of a peer may end without having read what its kernel has. On a UNIX
        socket this is known; over TCP it is not, unless a reset follows.
        """

        def end(peer: socket.socket) -> None:
            peer.shutdown(socket.SHUT_WR)

        report = await self.shutDown(socket.AF_UNIX, 10, end)
        self.assertGreater(report.unacknowledged or 0, 0)
        self.assertFalse(report.confirmed)
        report = await self.shutDown(socket.AF_INET, 10, end)
        self.assertEqual(report.unacknowledged, 0)
        self.assertTrue(report.confirmed)
        report = await self.shutDown(socket.AF_INET, 10, reset)
        self.assertFalse(report.confirmed)

    async def test_peerFirst(self) -> None:
        """
        A peer that ends its side before ours confirms nothing. If it reads on, all its
        bytes are acknowledged.
        """
        for family in self.families:
            lost: Deferred[Disconnection] = Deferred()
            client, peer = await self.connect(
                family,
                disconnected=lambda client, report, lost=lost: lost.callback(report),
                serverError=lambda client, failure: client.put(b"bye"),
            )
            peer.shutdown(socket.SHUT_WR)
            while not lost.called:
                readAll(peer)
                await turn()
            report = await lost
            self.assertEqual((report.initiator, report.unsent), ("peer", 0))
            self.assertEqual(report.unacknowledged, 0)
            self.assertFalse(report.confirmed)

    async def test_sameTurn(self) -> None:
        """
        A peer whose end of stream arrived before C{shutdown} was called has not
        answered ours.
        """
        client, peer = await self.connect(socket.AF_INET)
        peer.shutdown(socket.SHUT_WR)
        report = await self.finish(client.shutdown())
        self.assertEqual((report.unsent, report.unacknowledged), (0, 0))
        self.assertFalse(report.confirmed)

    async def test_lingerTimeout(self) -> None:
        """
        If the peer never ends its side, the bytes are counted when we close.
        """
        for family in self.families:
            client, _ = await self.connect(family, lingerTimeout=0.05)
            await self.flush(client, SIZE)
            report = await self.finish(client.shutdown())
            self.assertEqual(report.unsent, 0)
            self.assertGreater(report.unacknowledged or 0, 0)
            self.assertFalse(report.confirmed)

    async def test_abort(self) -> None:
        """
        C{abort} counts the bytes too.
        """
        for family in self.families:
            client, _ = await self.connect(family)
            await self.flush(client, SIZE)
            report = await self.finish(client.abort())
            self.assertGreater(report.unacknowledged or 0, 0)
            self.assertFalse(report.confirmed)

    async def test_unread(self) -> None:
        """
        Bytes that were received while the records were held are counted.
        """
        for family in self.families:
            client, peer = await self.connect(family)
            client.pauseProducing()
            peer.send(b"12345")
            report = await self.finish(client.abort())
            self.assertEqual(report.unread, 5)
            self.assertTrue(report.failure.check(ConnectionAborted))


class TLSTests(TLSTestCase):
    """
    The same, with TLS.
    """

    async def shutDown(self, size: int, act: Callable[[Any], object]) -> Disconnection:
        """
        Shut down while the peer does not read.

        @param act: called when our side has ended, with the peer.
        """
        server = await self.serve()
        client = self.client(
            server, framing=Stream, tls=self.options(), serverInput=ignore
        )
        client.start().addErrback(lambda failure: None)
        await client.whenConnected()
        while not server.peers:
            await turn()
        [peer] = server.peers
        lower = below(peer)
        lower.pauseProducing()
        lower.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        transport: Any = client.server and client.server.transport
        transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * SIZE)
        if size:
            client.put(b"x" * size)
            await client.flushed()
        stopped = client.shutdown()
        for _ in range(3):
            await turn()
        act(peer)
        report = await stopped
        assert isinstance(report, Disconnection)
        return report

    async def test_honest(self) -> None:
        """
        A peer that reads everything and answers our close_notify confirms everything.
        """
        for size in (0, 10, SIZE):
            report = await self.shutDown(
                size, lambda peer: below(peer).resumeProducing()
            )
            self.assertEqual((report.unsent, report.unacknowledged), (0, 0))
            self.assertTrue(report.confirmed)

    async def test_nothingRead(self) -> None:
        """
        A peer that sends its close_notify without having read anything confirms
        nothing.
        """
        report = await self.shutDown(SIZE, lambda peer: peer.close())
        self.assertEqual(report.unsent, 0)
        self.assertGreater(report.unacknowledged or 0, 0)
        self.assertFalse(report.confirmed)

    async def test_peerFirst(self) -> None:
        """
        A peer whose close_notify comes before ours confirms nothing. Our answer to it
        does not count as unacknowledged.
        """
        server = await self.serve()
        server.heard = lambda peer, data: peer.close()
        lost: Deferred[Disconnection] = Deferred()
        client = self.client(
            server,
            framing=Stream,
            tls=self.options(),
            serverInput=ignore,
            disconnected=lambda client, report: lost.callback(report),
            serverError=lambda client, failure: None,
        )
        client.start().addErrback(lambda failure: None)
        await client.whenConnected()
        client.put(b"x")
        report = await lost
        self.assertEqual((report.initiator, report.confirmed), ("peer", False))
        self.assertIn(report.unacknowledged, (0, None))


class DeliveryTests(SynchronousTestCase):
    """
    C{undelivered}: the records that were received before a loss.
    """

    def connect(
        self, serverInput: Callable[[Any, Any], object], **parameters: Any
    ) -> MemoryServer:
        self.reports: list[Disconnection] = []
        client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=7,
            serverInput=serverInput,
            serverError=lambda client, failure: None,
            disconnected=lambda client, report: self.reports.append(report),
            **{"drainTimeout": 5, **parameters},
        )
        server = MemoryServer(client)
        server.accept()
        return server

    def test_awaited(self) -> None:
        """
        A result that never arrives delays the report of a loss by C{drainTimeout}, and
        is then cancelled.
        """
        cancelled: list[object] = []

        def serverInput(client: Any, record: bytes) -> Deferred[None]:
            return Deferred(cancelled.append)

        server = self.connect(serverInput)
        server.send(b"1\r\n2\r\n3\r\n4")
        server.reset()
        server.advance(4.9)
        self.assertEqual((self.reports, cancelled), ([], []))
        server.advance(0.1)
        [report] = self.reports
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(report.undelivered, 2)
        assert report.truncated is not None
        self.assertEqual(report.truncated.rest, b"4")
        self.assertTrue(report.failure.check(ConnectionLost))

    def test_arrives(self) -> None:
        """
        If the result arrives in time, everything is delivered first.
        """
        results: list[Deferred[None]] = []

        def serverInput(client: Any, record: bytes) -> Deferred[None]:
            results.append(Deferred())
            return results[-1]

        server = self.connect(serverInput)
        server.send(b"1\r\n2\r\n")
        server.reset()
        results[0].callback(None)
        self.assertEqual(self.reports, [])
        results[1].callback(None)
        [report] = self.reports
        self.assertEqual(report.undelivered, 0)
        # The deadline does nothing any more.
        server.advance(5)
        self.assertEqual(len(self.reports), 1)

    def test_oneDeadline(self) -> None:
        """
        There is one deadline for each loss, which all awaited results share.
        """
        results: list[Deferred[None]] = []

        def serverInput(client: Any, record: bytes) -> Deferred[None]:
            results.append(Deferred())
            return results[-1]

        server = self.connect(serverInput)
        server.send(b"1\r\n2\r\n3\r\n")
        server.reset()
        server.advance(4)
        results[0].callback(None)
        server.advance(1)
        [report] = self.reports
        self.assertEqual(report.undelivered, 1)

    def test_coroutine(self) -> None:
        """
        A coroutine is cancelled where it waits. The C{CancelledError} that it raises is
        not reported.
        """
        seen: list[str] = []

        async def serverInput(client: Any, record: bytes) -> None:
            try:
                await Deferred()
            except CancelledError:
                seen.append("cancelled")
                raise

        server = self.connect(serverInput)
        server.send(b"1\r\n")
        server.reset()
        server.advance(5)
        self.assertEqual(seen, ["cancelled"])
        self.assertEqual(len(self.reports), 1)

    def test_shutdownInside(self) -> None:
        """
        A coroutine that shuts down when it is cancelled changes nothing in the report.
        """

        async def serverInput(client: Any, record: bytes) -> None:
            try:
                await Deferred()
            finally:
                client.shutdown()

        server = self.connect(serverInput)
        server.send(b"1\r\n2\r\n")
        server.reset()
        server.advance(5)
        [report] = self.reports
        self.assertEqual(report.undelivered, 1)

    def test_stubborn(self) -> None:
        """
        A coroutine that keeps waiting does not hide the loss.
        """

        async def serverInput(client: Any, record: bytes) -> None:
            while True:
                with contextlib.suppress(CancelledError):
                    await Deferred()

        server = self.connect(serverInput)
        server.send(b"1\r\n")
        server.reset()
        server.advance(5)
        self.assertEqual(len(self.reports), 1)

    def test_cancellerRaises(self) -> None:
        """
        A canceller that raises does not hide the loss.
        """

        def raises(deferred: object) -> None:
            raise ZeroDivisionError

        server = self.connect(lambda client, record: Deferred(raises))
        server.send(b"1\r\n")
        server.reset()
        server.advance(5)
        self.assertEqual(len(self.reports), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_paused(self) -> None:
        """
        The deadline holds for records that the user holds, too.
        """
        records: list[bytes] = []
        server = self.connect(lambda client, record: records.append(record))
        server.client.pauseProducing()
        server.client.server.transport.resumeProducing()  # type: ignore[union-attr]
        server.send(b"1\r\n2\r\n")
        server.reset()
        server.advance(5)
        [report] = self.reports
        self.assertEqual((records, report.undelivered), ([], 2))

    def test_atEnd(self) -> None:
        """
        A record that the end of the stream completes counts as well.
        """
        server = self.connect(
            lambda client, record: Deferred(), framing=Line(atEnd="record")
        )
        server.send(b"1\r\n2\r\n3")
        server.reset()
        server.advance(5)
        [report] = self.reports
        self.assertEqual((report.undelivered, report.truncated), (2, None))

    def test_shutdown(self) -> None:
        """
        A client that shuts down meanwhile discards its input, and waits no longer.
        """
        server = self.connect(lambda client, record: Deferred())
        server.send(b"1\r\n2\r\n")
        server.reset()
        self.assertEqual(self.reports, [])
        server.client.shutdown()
        [report] = self.reports
        self.assertEqual(report.undelivered, 0)
        server.advance(5)
        self.assertEqual(len(self.reports), 1)
