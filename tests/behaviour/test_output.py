"""
Tests for sending: C{put}, C{write}, C{flushed}, and how the kernel sends small records.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface.verify import verifyObject

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import (
    FramingError,
    InvalidRecord,
    NotConnectedError,
    OutputFull,
    OutputLost,
)
from twisted_clienttcp.framing import Line, Stream

from .._memory import ClientTestCase, FlowTestCase, Transport
from .._support import CHUNK, NetworkTestCase, Peer, Server, reactor, turn


class PutTests(ClientTestCase):
    """
    C{put}.
    """

    def test_notConnected(self) -> None:
        """
        Without a connection, before, between and after connections, C{put} raises.
        """
        client = self.client()
        self.assertRaises(NotConnectedError, client.put, b"x")
        client.start()
        self.assertRaises(NotConnectedError, client.put, b"x")
        transport = self.establish()
        transport.lose()
        self.assertRaises(NotConnectedError, client.put, b"x")
        self.assertEqual(client.pendingBytes, 0)

    def test_wrongRecords(self) -> None:
        """
        A record that the framing rejects is an error of the caller, and leaves the
        connection alone.
        """
        client, transport = self.connected()
        self.assertRaises(TypeError, client.put, "text")
        self.assertRaises(FramingError, client.put, b"a\nb")
        client.put(b"good")
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"good\r\n")

    def test_framingThatEncodesWrongly(self) -> None:
        """
        The error for a framing that does not return bytes names its method.
        """

        class Wrong(Stream):
            def encode(self, record: Any) -> Any:
                return "text"

        client, transport = self.connected(framing=Wrong)
        error = self.assertRaises(TypeError, client.put, b"x")
        self.assertIn("Wrong.encode() must return bytes", str(error))

    def test_whileShuttingDown(self) -> None:
        """
        Records are accepted until our side ends, and flushed with the rest.
        """
        client, transport = self.connected()
        client.put(b"a")
        client.shutdown()
        client.put(b"b")
        self.reactor.advance(0)
        transport.drain()
        self.assertEqual(transport.sent, b"a\r\nb\r\n")
        self.assertRaises(NotConnectedError, client.put, b"c")

    def test_fromServerInput(self) -> None:
        """
        Records that are put while bytes are received leave at their end, in one write.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, line: client.put(line)
        transport.protocol.dataReceived(b"a\r\nb\r\n")
        self.assertEqual(transport.value(), b"a\r\nb\r\n")


class OutputTests(FlowTestCase):
    """
    C{put} and similar methods.
    """

    def test_interfaces(self) -> None:
        """
        A client is a consumer, and a producer that can be paused; and so is its
        connection.
        """
        client, transport = self.connected()
        self.assertTrue(verifyObject(IConsumer, client))
        self.assertTrue(verifyObject(IPushProducer, client))
        self.assertTrue(verifyObject(IPushProducer, client.server))

    def test_putMany(self) -> None:
        """
        All records are put, in order; or none, if one of them cannot be encoded.
        """
        client, transport = self.connected(**self.recorder.marks(10, 5))
        self.assertIs(client.putMany([b"a", b"b"]), False)
        self.assertRaises(InvalidRecord, client.putMany, [b"c", b"d\nd", b"e"])
        self.assertRaises(TypeError, client.putMany, [b"c", "d"])
        self.assertIs(client.putMany(iter([b"f", b"ggggggggg"])), True)
        self.assertIs(client.putMany([]), False)
        self.drain(transport)
        self.assertEqual(transport.sent, b"a\nb\nf\nggggggggg\n")
        self.assertEqual(client.stats.recordsOut, 4)

    def test_write(self) -> None:
        """
        Bytes are sent unchanged; other types are rejected.
        """
        client, transport = self.connected()
        client.put(b"a")
        client.write(b"b\n\nc")
        client.write(bytearray(b"d"))  # type: ignore[arg-type]
        self.assertRaises(TypeError, client.write, "text")
        self.drain(transport)
        self.assertEqual(transport.sent, b"a\nb\n\ncd")

    def test_flushed(self) -> None:
        """
        C{flushed} fires when the kernel has accepted everything, at once if it has;
        each caller gets a Deferred of its own.
        """
        client, transport = self.connected()
        self.successResultOf(client.flushed())
        client.put(b"a")
        first, second = client.flushed(), client.flushed()
        second.addErrback(lambda failure: None)
        self.reactor.advance(0)
        self.assertNoResult(first)
        second.cancel()
        transport.drain()
        self.successResultOf(first)

    def test_flushedFails(self) -> None:
        """
        C{flushed} fails if bytes are lost.
        """
        client, transport = self.connected()
        client.put(b"a")
        waiter = client.flushed()
        self.reactor.advance(0)
        transport.lose()
        self.assertEqual(self.failureResultOf(waiter, OutputLost).value.unsent, 2)

    def negotiating(self, **parameters: Any) -> tuple[ClientTCPFactory, Transport]:
        """
        @return: a client that has sent 20 bytes in its negotiation, which continues
        until C{self.agreed} fires.
        """
        self.agreed: Deferred[bool] = Deferred()

        def preConnect(client: Any, negotiation: Any) -> Deferred[bool]:
            negotiation.put(b"x" * 19)
            return self.agreed

        client, transport = self.connected(preConnect=preConnect, **parameters)
        self.reactor.advance(0)
        return client, transport

    def test_highWhileNegotiating(self) -> None:
        """
        Marks that are reached during the negotiation are not reported, nor is the low
        one after that.
        """
        client, transport = self.negotiating(**self.recorder.marks(10, 5))
        self.drain(transport)
        self.agreed.callback(True)
        self.reactor.advance(0)
        self.assertEqual(self.events, ["started", "connected"])
        self.assertEqual((client.stats.highs, client.stats.lows), (0, 0))

    def test_highSinceTheNegotiation(self) -> None:
        """
        If the output is still high when the connection is usable, C{serverHigh} is
        called then: a caller that C{put} has returned True to waits for C{serverLow}.
        """
        client, transport = self.negotiating(**self.recorder.marks(10, 5))
        self.agreed.callback(True)
        self.assertIs(client.put(b"y"), True)
        self.drain(transport)
        self.assertEqual(
            self.events,
            ["started", "connected", "serverHigh", "serverLow", "serverFlushed"],
        )

    def test_marksWhileNegotiating(self) -> None:
        """
        Marks that are changed during the negotiation apply.
        """
        client, transport = self.negotiating(**self.recorder.marks(1000, 500))
        client.setMarks(30, 10)
        self.agreed.callback(True)
        self.assertIs(client.put(b"y" * 8), False)
        self.assertIs(client.put(b""), True)

    def test_marksRemoved(self) -> None:
        """
        Marks that are removed while the output is high make it low: nothing pauses it
        any more.
        """
        client, transport = self.connected(**self.recorder.marks(10, 5))
        client.put(b"x" * 10)
        self.reactor.advance(0)
        client.setMarks(None, None)
        self.assertEqual(self.events[2:], ["serverHigh", "serverLow"])
        client.setMarks(10, 5)
        self.reactor.advance(0)
        self.assertEqual(self.events[4:], ["serverHigh"])

    def test_marksAfterALoss(self) -> None:
        """
        Marks that are changed when the connection is lost, and its output with it, are
        not reported for that output.
        """
        client, transport = self.connected(**self.recorder.marks(10, 5))
        client.put(b"x" * 10)
        self.reactor.advance(0)
        self.recorder.on["serverError"] = lambda client, failure: client.setMarks(
            99, 50
        )
        transport.lose()
        self.assertEqual(
            self.events[2:],
            ["serverHigh", ("serverError", "read", 104), "disconnected"],
        )

    def test_abortAtFlush(self) -> None:
        """
        A callback of C{flushed} may end the connection; the reports before that come
        first.
        """
        client, transport = self.connected()
        transport.abortConnection = transport.lose  # type: ignore[method-assign]
        client.put(b"x")
        client.flushed().addCallback(lambda nothing: client.abort())
        self.drain(transport)
        self.assertEqual(self.events[2:], ["serverFlushed", "disconnected", "stopped"])

    def test_callsInEach(self) -> None:
        """
        Records that serverHigh, serverLow and serverFlushed put are sent too, and none
        of these is called inside another one.
        """
        client, transport = self.connected(**self.recorder.marks(CHUNK * 2, CHUNK))
        inside: list[str] = []
        nested: list[str] = []

        def puts(name: str) -> Callable[..., None]:
            def callback(client: Any) -> None:
                if inside:
                    nested.append(name)
                inside.append(name)
                if not done[name]:
                    done[name] = True
                    client.put(name.encode())
                inside.pop()

            return callback

        names = ("serverHigh", "serverLow", "serverFlushed")
        done = dict.fromkeys(names, False)
        for name in names:
            self.recorder.on[name] = puts(name)
        client.put(b"x" * CHUNK * 2)
        self.drain(transport)
        self.assertEqual(nested, [])
        self.assertTrue(
            transport.sent.endswith(b"x\nserverHigh\nserverLow\nserverFlushed\n")
        )
        self.assertEqual(
            [event for event in self.events if event in names],
            ["serverHigh", "serverLow", "serverFlushed", "serverFlushed"],
        )

    def test_lossInsideHigh(self) -> None:
        """
        The connection may be lost inside serverHigh.
        """
        client, transport = self.connected(**self.recorder.marks(10, 5))
        self.recorder.on["serverHigh"] = lambda client: transport.lose()
        client.put(b"x" * 10)
        self.reactor.advance(0)
        self.assertEqual(
            self.events[2:],
            ["serverHigh", ("serverError", "read", 104), "disconnected"],
        )
        self.assertEqual(self.recorder.disconnections[0].unsent, 11)

    def test_limit(self) -> None:
        """
        Beyond C{outputLimit}, C{put} raises and puts nothing; a later change applies to
        the present connection. Records that waited for the connection do not count.
        """
        client = self.client(
            framing=Line(delimiter=b"\n"), outputLimit=4, offlineLimit=100
        )
        client.put(b"waiting")
        client.start()
        transport = self.establish()
        self.assertRaises(OutputFull, client.put, b"")
        self.drain(transport)
        client.put(b"abc")
        for method, argument in (
            (client.put, b""),
            (client.putMany, [b""]),
            (client.write, b"x"),
        ):
            error = self.assertRaises(OutputFull, method, argument)
            self.assertIn("outputLimit=4", str(error))
        self.assertEqual(client.pendingBytes, 4)
        client.outputLimit = None
        client.put(b"abc")
        client.outputLimit = 8
        self.assertRaises(OutputFull, client.put, b"")
        self.drain(transport)
        self.assertEqual(transport.sent, b"waiting\nabc\nabc\n")

    def test_heartbeatBeyondTheLimit(self) -> None:
        """
        C{outputLimit} does not keep back a heartbeat: it is for the application.
        """
        client, transport = self.connected(outputLimit=4, heartbeat=(30, b"PING"))
        client.put(b"abc")
        self.reactor.advance(30)
        self.reactor.advance(0)
        self.assertTrue(client.connected)
        self.drain(transport)
        self.assertEqual(transport.sent, b"abc\nPING\n")

    def test_putInsideInput(self) -> None:
        """
        Records that are put while records are delivered leave in one write after them,
        and serverHigh is called then.
        """
        client, transport = self.connected(**self.recorder.marks(3, 1))
        self.recorder.on["serverInput"] = lambda client, record: client.put(record)
        writes: list[bytes] = []
        write = transport.write

        def recording(data: bytes) -> None:
            writes.append(data)
            write(data)

        transport.write = recording  # type: ignore[method-assign]
        transport.protocol.dataReceived(b"a\nb\nc\n")
        self.assertEqual(writes, [b"a\nb\nc\n"])
        inputs = [("serverInput", record) for record in (b"a", b"b", b"c")]
        self.assertEqual(self.events[2:], [*inputs, "serverHigh"])


#: The number of requests and answers.
ROUNDS = 20


def segments(client: ClientTCPFactory) -> int:
    """
    @return: the number of segments with data that the present connection has sent,
        without retransmissions (C{tcpi_data_segs_out} and C{tcpi_total_retrans} of
        linux/tcp.h).
    """
    transport: Any = client.server and client.server.transport
    info = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    count: int = struct.unpack_from("=I", info, 156)[0]
    again: int = struct.unpack_from("=I", info, 100)[0]
    return count - again


class SegmentTests(NetworkTestCase):
    """
    Records that are put together are sent together, without a delay.
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
        A head and a body are put, then an answer is awaited: one segment for each
        request.
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
        A head and a body in two turns are two segments, and the second does not wait
        until the peer acknowledges the first, which the peer delays. C{noDelay} is for
        this: without it, each request costs 40 ms.
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
