"""
Tests for receiving: pausing, changing the framing, closing in C{serverInput}, and how
much is read at once.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.tcp import Connection

from twisted_clienttcp import errorDetails
from twisted_clienttcp.errors import NotConnectedError
from twisted_clienttcp.framing import Framing, Line, Stream

from .._memory import ClientTestCase
from .._support import CHUNK, LARGE_READ


class Socket(Connection):
    """
    A transport over a socket of a pair.
    """

    connected = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        "It has no such option."

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 40000)

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 7)


class Units(Framing[bytes]):
    """
    A framing as a user may write it: two bytes, or any number of zeros, are a record.
    """

    def decode(self, data: Any, start: int, searched: int) -> Any:
        if len(data) - start < 2:
            return None
        end = start + 2 if data[start] else len(data)
        return [bytes(data[start:end])], end

    def encode(self, record: bytes) -> bytes:
        return record


class ReadTests(ClientTestCase):
    """
    The size of reads.
    """

    def read(self, server: socket.socket, data: int) -> list[int]:
        """
        Send so many bytes from the server, and read what has arrived.

        @return: the lengths of the reads.
        """
        sent = server.send(bytes(data))
        transport: Any = self.transport
        del self.events[:]
        while sum(len(record) for _, record in self.events) < sent:
            transport.doRead()
        return [len(record) for _, record in self.events]

    def pair(self, framing: Framing[Any] | None = None) -> socket.socket:
        """
        @return: the server's end of a connection to a client that delivers at once.
        """
        self.theClient = client = self.client(framing=framing or Stream())
        client.start().addErrback(lambda failure: None)
        protocol = self.attempts()[-1][2].buildProtocol(None)
        ours, server = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(server.close)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * LARGE_READ)
        self.transport = Socket(ours, protocol, self.reactor)
        protocol.makeConnection(self.transport)
        return server

    def test_fullReads(self) -> None:
        """
        A full read is followed by a larger one; a short one by a read of the usual
        size, and so is a full one while records wait.
        """
        server = self.pair()
        usual = Socket.bufferSize
        self.assertEqual(self.read(server, usual - 1), [usual - 1])
        self.assertEqual(self.transport.bufferSize, usual)
        self.assertEqual(self.read(server, usual + 100_000), [usual, 100_000])
        self.assertEqual(self.transport.bufferSize, 2 * usual)
        self.assertEqual(self.read(server, 100), [100])
        self.assertEqual(self.transport.bufferSize, usual)

    def feed(self, data: bytes) -> int:
        """
        @return: the size of the next read after these bytes.
        """
        self.transport.protocol.dataReceived(data)
        return self.transport.bufferSize

    def test_bound(self) -> None:
        """
        No read is larger than the limit, with any number of full reads; a transport
        whose usual reads are larger keeps that size.
        """
        for usual in (64 * 1024, 100_000, 2 * LARGE_READ):
            self.patch(Socket, "bufferSize", usual)
            self.pair()
            for _ in range(5):
                size = self.feed(bytes(self.transport.bufferSize))
            self.assertEqual(size, max(usual, LARGE_READ))
            self.assertEqual(self.feed(b"short"), usual)
            self.assertEqual(self.feed(b"short"), usual)

    def test_manyRecords(self) -> None:
        """
        A read with many records is not followed by a larger one.
        """
        usual = Socket.bufferSize
        self.pair(Line(delimiter=b"|"))
        long, short = b"x" * 15 + b"|", b"x|"
        self.assertEqual(self.feed(short * (usual // 2)), usual)
        self.assertEqual(self.feed(long * (usual // 16)), 2 * usual)
        self.assertEqual(self.feed(long * (usual // 8)), 2 * usual)
        self.assertEqual(self.feed(short * usual), usual)

    def test_manyUnits(self) -> None:
        """
        Neither is a read whose records are decoded one by one, nor one with errors,
        each of which calls C{serverError}: the duration of a turn of the reactor
        depends on their number.
        """
        usual = Socket.bufferSize
        skipping = Line(delimiter=b"|", maxLength=1, onTooLong="skip")
        for framing, unit in ((Units(), b"x|"), (skipping, b"xx|")):
            self.events.clear()
            self.pair(framing)
            self.assertEqual(self.feed(unit * (usual // len(unit) + 1)), usual)
            self.assertGreater(len(self.events), 10_000)
        self.pair(Units())
        self.assertEqual(self.feed(bytes(usual)), 2 * usual)

    def test_held(self) -> None:
        """
        While records wait for the user, reads are not larger.
        """
        usual = Socket.bufferSize
        self.pair()
        self.assertEqual(self.feed(bytes(usual)), 2 * usual)
        self.theClient.pauseProducing()
        self.assertEqual(self.feed(bytes(2 * usual)), usual)

    def test_otherTransports(self) -> None:
        """
        The reads of other kinds of transports stay as they are.
        """
        _, transport = self.connected(framing=Stream())
        transport.bufferSize = 10  # type: ignore[attr-defined]
        transport.protocol.dataReceived(bytes(LARGE_READ))
        self.assertEqual(transport.bufferSize, 10)  # type: ignore[attr-defined]

    def test_output(self) -> None:
        """
        Pending output is still passed to the kernel in chunks, although the size of a
        read is also the mark at which a transport pauses a push producer.
        """
        self.pair()
        self.assertGreater(self.feed(bytes(Socket.bufferSize)), Socket.bufferSize)
        writes: list[int] = []
        write = self.transport.writeSomeData

        def recording(data: bytes) -> Any:
            writes.append(len(data))
            return write(data)

        self.transport.writeSomeData = recording  # type: ignore[method-assign]
        self.theClient.put(bytes(8 * CHUNK))
        self.reactor.advance(0)
        self.assertEqual(max(writes), CHUNK)


class InputTests(ClientTestCase):
    """
    How the calls of a client affect its input.
    """

    def records(self) -> list[Any]:
        return [event[1] for event in self.events if event[0] == "serverInput"]

    def test_swapInCallback(self) -> None:
        """
        The bytes after the current record are decoded with the new framing; their
        records are delivered when the callback has returned.
        """
        client, transport = self.connected()
        seen: list[Any] = []

        def swap(client: Any, record: bytes) -> None:
            if record == b"stream":
                client.setFraming(Stream)
                seen.append(self.records())

        self.recorder.on["serverInput"] = swap
        transport.protocol.dataReceived(b"a\r\nstream\r\nb\r\nc")
        self.assertEqual(seen, [[b"a", b"stream"]])
        self.assertEqual(self.records(), [b"a", b"stream", b"b\r\nc"])
        client.put(b"bytes")
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"bytes")

    def test_swapOutside(self) -> None:
        """
        Outside a callback, the undecoded bytes get the new framing too; they are
        decoded in the next turn, before later reads.
        """
        client, transport = self.connected()
        transport.protocol.dataReceived(b"a\r\nunfin")
        client.setInputFraming((Line, {"delimiter": b"i"}))
        self.assertEqual(self.records(), [b"a"])
        transport.protocol.dataReceived(b"iii")
        self.reactor.advance(0)
        self.assertEqual(self.records(), [b"a", b"unf", b"n", b"", b""])

    def test_swapSame(self) -> None:
        """
        Setting the current framing again changes nothing.
        """
        client, transport = self.connected()
        transport.protocol.dataReceived(b"unfin")
        assert client.server is not None
        client.setFraming(client.server.inputFraming)
        transport.protocol.dataReceived(b"ished\r\n")
        self.assertEqual(self.records(), [b"unfinished"])

    def test_swapOutput(self) -> None:
        """
        Only the output changes; records put before keep their framing.
        """
        client, transport = self.connected()
        client.put(b"old")
        client.setOutputFraming(Line(delimiter=b"|"))
        client.put(b"new")
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"old\r\nnew|")
        transport.protocol.dataReceived(b"line\r\n")
        self.assertEqual(self.records(), [b"line"])

    def test_swapEndsWithConnection(self) -> None:
        """
        The next connection has the framing that was configured.
        """
        client, transport = self.connected()
        client.setFraming(Stream())
        transport.lose()
        self.reactor.advance(client.delay)
        transport = self.establish()
        transport.protocol.dataReceived(b"line\r\n")
        self.assertEqual(self.records(), [b"line"])

    def test_swapRefused(self) -> None:
        """
        Without a connection, or with an object that is not a framing: an error, and
        nothing changes.
        """
        client = self.client()
        for order in (client.setFraming, client.setInputFraming):
            self.assertRaises(NotConnectedError, order, Stream)
        client, transport = self.connected()
        self.assertRaises(TypeError, client.setFraming, object())
        transport.protocol.dataReceived(b"a\r\n")
        self.assertEqual(self.records(), [b"a"])

    def test_pause(self) -> None:
        """
        While paused, the client delivers and reads nothing; the rest of the batch is
        delivered at the resume, before later reads.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, line: client.pauseProducing()
        transport.protocol.dataReceived(b"a\r\nb\r\nc\r\nd")
        self.assertEqual(self.records(), [b"a"])
        self.assertEqual(transport.producerState, "paused")
        client.resumeProducing()
        self.assertEqual(self.records(), [b"a", b"b"])
        self.assertEqual(transport.producerState, "paused")
        del self.recorder.on["serverInput"]
        client.resumeProducing()
        self.assertEqual(transport.producerState, "producing")
        transport.protocol.dataReceived(b"ef\r\n")
        self.assertEqual(self.records(), [b"a", b"b", b"c", b"def"])

    def test_pauseInConnected(self) -> None:
        """
        A pause in C{connected} holds the first record too.
        """
        self.recorder.on["connected"] = lambda client, peer: client.pauseProducing()
        client, transport = self.connected()
        self.assertEqual(transport.producerState, "paused")
        transport.protocol.dataReceived(b"early\r\n")
        self.assertEqual(self.records(), [])
        client.resumeProducing()
        self.assertEqual(self.records(), [b"early"])

    def test_pauseAndResumeInCallback(self) -> None:
        """
        A pause that ends at once changes nothing.
        """

        def both(client: Any, line: bytes) -> None:
            client.pauseProducing()
            client.resumeProducing()

        client, transport = self.connected()
        self.recorder.on["serverInput"] = both
        transport.protocol.dataReceived(b"a\r\nb\r\nc\r\n")
        self.assertEqual(self.records(), [b"a", b"b", b"c"])
        self.assertEqual(transport.producerState, "producing")

    def test_swapWhilePaused(self) -> None:
        """
        Held records are decoded again when the framing changes.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, line: client.pauseProducing()
        transport.protocol.dataReceived(b"a\r\nb\r\nc")
        del self.recorder.on["serverInput"]
        client.setInputFraming(Stream)
        client.resumeProducing()
        self.assertEqual(self.records(), [b"a", b"b\r\nc"])

    def test_lossWhilePaused(self) -> None:
        """
        A loss that a write notices is visible at once. It is reported when everything
        received before has been delivered.
        """
        client, transport = self.connected(autoReconnect=False)
        self.recorder.on["serverInput"] = lambda client, line: client.pauseProducing()
        transport.protocol.dataReceived(b"a\r\nb\r\n")
        transport.lose(ConnectionLost())
        self.assertEqual(self.records(), [b"a"])
        self.assertFalse(client.connected)
        self.assertRaises(NotConnectedError, client.put, b"x")
        del self.recorder.on["serverInput"]
        client.resumeProducing()
        self.assertEqual(
            self.events[-4:],
            [
                ("serverInput", b"b"),
                ("serverError", "write", 104),
                "disconnected",
                "stopped",
            ],
        )
        self.assertEqual(errorDetails(self.recorder.failures[0]).operation, "write")

    def test_lossWhilePausedWithNothingWaiting(self) -> None:
        """
        A loss is reported at once if no records wait before it.
        """
        client, transport = self.connected(autoReconnect=False)
        client.pauseProducing()
        transport.lose(ConnectionLost())
        self.assertEqual(
            self.events[-3:], [("serverError", "write", 104), "disconnected", "stopped"]
        )

    def test_shutdownAfterLossWhilePaused(self) -> None:
        """
        C{shutdown} discards the held records, and then the loss is reported.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, line: client.pauseProducing()
        transport.protocol.dataReceived(b"a\r\nb\r\n")
        transport.lose(ConnectionLost())
        client.shutdown()
        self.assertEqual(self.records(), [b"a"])
        self.assertEqual(self.events[-2:], ["disconnected", "stopped"])

    def test_shutdownWhilePaused(self) -> None:
        """
        C{shutdown} continues to read, to receive the peer's end of stream.
        """
        client, transport = self.connected()
        client.pauseProducing()
        client.shutdown()
        self.assertEqual(transport.producerState, "producing")

    def test_noConnection(self) -> None:
        """
        Without a connection, pausing has no effect, and ending our side is an error.
        """
        client = self.client()
        client.pauseProducing()
        client.resumeProducing()
        client.stopProducing()
        self.assertRaises(NotConnectedError, client.loseWriteConnection)

    def test_skipTooLong(self) -> None:
        """
        With C{onTooLong="skip"}, a record that is too long is a C{serverError}, and the
        connection continues with the next one.
        """
        framing = Line(delimiter=b"|", maxLength=2, onTooLong="skip")
        client, transport = self.connected(framing=framing)
        transport.protocol.dataReceived(b"a|long|b|more")
        transport.protocol.dataReceived(b"more|c|")
        tooLong = ("serverError", "framing", 90)
        self.assertEqual(
            self.events[2:],
            [
                ("serverInput", b"a"),
                tooLong,
                ("serverInput", b"b"),
                tooLong,
                ("serverInput", b"c"),
            ],
        )
        self.assertTrue(client.connected)

    def test_shutdownOnError(self) -> None:
        """
        Without C{shutdownOnError}, the peer's end of stream leaves a connection that
        can be written to, until C{shutdown}; other losses end it.
        """
        client, transport = self.connected(shutdownOnError=False)
        transport.protocol.readConnectionLost()
        self.assertEqual(self.events[-1], ("serverError", "read", 0))
        self.assertTrue(client.connected)
        client.put(b"after")
        self.reactor.advance(0)
        transport.drain()
        self.assertEqual(transport.sent, b"after\r\n")
        client.shutdown()
        self.assertTrue(transport.disconnecting)
        transport.lose(ConnectionDone())
        self.assertEqual(self.events[-2:], ["disconnected", "stopped"])
        self.assertRaises(TypeError, self.client, shutdownOnError=0)
