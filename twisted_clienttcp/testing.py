"""
Helpers for the tests of code that uses this package.

L{MemoryServer} is a server for tests of callbacks, without sockets and without
waiting::

    def test_login(self):
        server = MemoryServer(makeClient())
        server.accept()
        server.send(b"welcome\\r\\n")
        self.assertEqual(server.read(), b"USER me\\r\\n")

L{FramingConformance} contains tests of the contract of
L{Framing<twisted_clienttcp.framing.Framing>}. Mix it into a test case::

    class MyFramingTests(FramingConformance, TestCase):
        records = [b"", b"a record", b"x" * 100]

        def framing(self):
            return MyFraming()

L{decodeAll} decodes a stream with a framing, as a connection would.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.base import BaseConnector
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IPushProducer,
    ITCPTransport,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from ._client.factory import ClientTCPFactory
from ._client.lifecycle import Phase
from .errors import FramingError, RecordTooLong, TruncatedRecord
from .framing import Framing
from .framing._base import AnyFraming, Record
from .framing._buffer import InputBuffer

#: The address of every L{MemoryServer}.
ADDRESS = IPv4Address("TCP", "127.0.0.1", 7)

#: How many random ways to split a stream are tested. They are the same in each run.
SPLITS = 50


def decodeAll(
    framing: Framing[Record], chunks: Iterable[bytes], end: bool = False
) -> tuple[list[Record], FramingError | None]:
    """
    Decode a stream as a connection would.

    @param framing: the framing. It is not changed: a fresh copy decodes the stream.
    @param chunks: the stream, in pieces as a connection would read them.
    @param end: True if the stream ends after the last piece.

    @return: the records, and the error that ended the decoding: a
        L{TruncatedRecord<twisted_clienttcp.errors.TruncatedRecord>} if the stream ends
        inside a record. Without such an error, that of the last record that was skipped
        (C{onTooLong="skip"}), or None.
    """
    buffer = InputBuffer(framing.fresh())
    records: list[Record] = []
    skipped: FramingError | None = None

    def decode() -> None:
        nonlocal skipped
        while True:
            try:
                decoded = buffer.decode(many=True)
            except RecordTooLong as error:
                if not error.skipped:
                    raise
                skipped = error
                continue
            if decoded is None:
                break
            records.extend(decoded)

    try:
        for chunk in chunks:
            buffer.append(chunk)
            decode()
        if end:
            records += buffer.decodeEnd()
            # The framing may report an error after these records.
            decode()
            if rest := buffer.takeRest():
                raise TruncatedRecord(rest)
    except FramingError as error:
        return records, error
    return records, skipped


class FramingConformance:
    """
    Tests of the contract of a L{Framing<twisted_clienttcp.framing.Framing>}: a mixin
    for a C{TestCase}.

    @cvar records: at least two examples of records, as the framing decodes them.
        Include short ones, and any that resemble a delimiter.
    @cvar longest: one of the longest records that L{limited} allows; None if the
        framing has no limit.
    @cvar tooLong: a record that is longer than L{limited} allows.
    """

    records: Sequence[object] = ()
    longest: object = None
    tooLong: object = None

    def framing(self) -> AnyFraming:
        """
        Create the framing to test. Every test case must override this.

        @return: a new framing.
        """
        raise NotImplementedError("override framing()")

    def limited(self) -> AnyFraming:
        """
        Create a framing with a low limit. A test case that sets L{longest} must
        override this.

        @return: a new framing that allows L{longest}, but not L{tooLong}.
        """
        raise NotImplementedError("override limited(), or set longest to None")

    # -- helpers

    def _stream(self) -> bytes:
        return b"".join(map(self.framing().encode, self.records))

    def _decoded(self, chunks: Iterable[bytes], about: str) -> list[object]:
        records, error = decodeAll(self.framing(), chunks)
        if error is not None:
            raise AssertionError(f"{about}: {error!r}") from error
        return records

    def _same(self, got: object, wanted: object, about: str) -> None:
        if got != wanted:
            raise AssertionError(f"{about}: {got!r} is not {wanted!r}")

    # -- the tests

    def test_examples(self) -> None:
        """
        There are examples to test with.
        """
        if len(self.records) < 2:
            raise AssertionError("records must contain at least two examples")

    def test_reversible(self) -> None:
        """
        Decoding the encoded records returns the same records, if the framing is
        C{reversible}.
        """
        if self.framing().reversible:
            found = self._decoded([self._stream()], "the encoded records")
            self._same(found, list(self.records), "decoded")

    def test_encodeMany(self) -> None:
        """
        C{encodeMany} encodes as C{encode} does.
        """
        encoded = self.framing().encodeMany(list(self.records))
        self._same(encoded, self._stream(), "encodeMany")

    def test_chunkInvariant(self) -> None:
        """
        The records do not depend on how the stream is split, if the framing is
        C{chunkInvariant}.
        """
        if not self.framing().chunkInvariant:
            return
        stream = self._stream()
        whole = self._decoded([stream], "the whole stream")
        single = [stream[at : at + 1] for at in range(len(stream))]
        self._same(self._decoded(single, "single bytes"), whole, "single bytes")
        chance = random.Random(0)
        for _ in range(SPLITS):
            places = sorted(chance.choices(range(len(stream) + 1), k=5))
            chunks = [stream[a:b] for a, b in pairwise([0, *places, len(stream)])]
            about = f"split at {places}"
            self._same(self._decoded(chunks, about), whole, about)

    def test_unchanged(self) -> None:
        """
        C{decode} does not change the data and keeps no view of it. Where it returns
        None, it does so again for the same data, however much of it counts as searched.
        """
        stream = self._stream()
        for end in range(1, len(stream) + 1):
            framing = self.framing()
            data = bytearray(stream[:end])
            start = 0
            while start < len(data):
                found = framing.decode(data, start, start)
                self._same(bytes(data), stream[:end], "the data after decode()")
                if found is None:
                    for searched in {start, (start + end) // 2, end}:
                        again = framing.decode(data, start, searched)
                        self._same(again, None, f"decode() again, searched={searched}")
                    break
                if not start < found[1] <= end:
                    raise AssertionError(f"the unit at {start} ends at {found[1]}")
                start = found[1]
            try:
                data += b"x"
            except BufferError as error:
                raise AssertionError("decode() has kept a view of the data") from error

    def test_unfinished(self) -> None:
        """
        A stream that ends anywhere decodes to the first of its records. The bytes after
        these are reported as truncated, or are a last record.
        """
        if not self.framing().chunkInvariant:
            return
        stream = self._stream()
        whole = self._decoded([stream], "the whole stream")
        for end in range(len(stream)):
            records, error = decodeAll(self.framing(), [stream[:end]])
            self._same((records, error), (whole[: len(records)], None), f"up to {end}")
            ended, error = decodeAll(self.framing(), [stream[:end]], end=True)
            self._same(ended[: len(records)], records, f"up to the end at {end}")
            if isinstance(error, TruncatedRecord):
                if not stream[:end].endswith(error.rest):
                    raise AssertionError(f"{error.rest!r} is not the rest") from error
            elif error is not None:
                raise AssertionError(f"the end at {end}: {error!r}") from error

    def test_replaced(self) -> None:
        """
        A framing that replaces this one, at any point of the stream, continues after
        the last delivered record. Here, it is of the same class, so it decodes all the
        other records.
        """
        if not self.framing().chunkInvariant:
            return
        stream = self._stream()
        whole = self._decoded([stream], "the whole stream")
        for end in range(len(stream) + 1):
            for count in range(len(self.records) + 1):
                found = self._replacing(stream, end, count)
                self._same(found, whole, f"replaced at {end}, after {count}")

    def _replacing(self, stream: bytes, end: int, count: int) -> list[object]:
        """
        @param stream: the encoded records.
        @param end: the number of bytes that arrive before the framing is replaced.
        @param count: how many records are delivered before that, at most.

        @return: all records.
        """
        buffer = InputBuffer(self.framing())
        records: list[object] = []
        buffer.append(stream[:end])
        while len(records) < count and (batch := buffer.decode(many=True)) is not None:
            wanted = count - len(records)
            if len(batch) > wanted:
                consumed = buffer.rewind(wanted)
                batch = batch if consumed is None else batch[:consumed]
            records += batch
        buffer.use(self.framing())
        buffer.append(stream[end:])
        while (batch := buffer.decode(many=True)) is not None:
            records += batch
        return records

    def test_fresh(self) -> None:
        """
        C{fresh} returns an unused framing, even if this one has decoded a part of a
        record.
        """
        stream = self._stream()
        whole = self._decoded([stream], "the whole stream")
        used = InputBuffer(self.framing())
        used.append(stream[: len(stream) // 2])
        while used.decode() is not None:
            pass
        records, _ = decodeAll(used.framing, [stream])
        self._same(records, whole, "the records of a fresh framing")
        encoded = used.framing.fresh().encode(self.records[0])
        self._same(encoded, self.framing().encode(self.records[0]), "encoded")

    def test_limit(self) -> None:
        """
        The longest allowed record is encoded and decoded. A longer record is rejected,
        even if it arrives in pieces.
        """
        if self.longest is None:
            return
        encoded = self.limited().encode(self.longest)
        records, _ = decodeAll(self.limited(), [encoded])
        self._same(records, [self.longest], "the longest")
        try:
            self.limited().encode(self.tooLong)
        except (RecordTooLong, ValueError):
            pass
        else:
            raise AssertionError(f"encode({self.tooLong!r:.60}) did not raise")
        try:
            wrong = self.framing().encode(self.tooLong)
        except (RecordTooLong, ValueError) as error:
            raise AssertionError(
                "framing() must be able to encode tooLong, to test that limited() "
                "does not decode it; if no framing can, set longest to None"
            ) from error
        for step in (1, len(wrong)):
            chunks = [wrong[at : at + step] for at in range(0, len(wrong), step)]
            records, refusal = decodeAll(self.limited(), chunks)
            if refusal is None:
                raise AssertionError(f"{records!r:.60} was accepted")

    def test_wrongType(self) -> None:
        """
        Encoding an object that is not a record raises L{TypeError} or L{ValueError}.
        """
        try:
            self.framing().encode(object())
        except (TypeError, ValueError):
            pass
        else:
            raise AssertionError("encode(object()) did not raise")


@implementer(IConsumer, IHalfCloseableDescriptor, IPushProducer, ITCPTransport)
class _Transport:
    """
    The client's transport of a connection to a L{MemoryServer}. Like the transport of a
    socket, it never calls the protocol or the producer while the client is calling it:
    it calls them later, in L{work}.
    """

    #: The size of a read, which a protocol may change.
    bufferSize = 65536
    disconnecting = False
    disconnected = False
    producer: Any = None

    def __init__(self, server: MemoryServer, connector: _Connector) -> None:
        self.server = server
        self.connector = connector
        self.protocol: Any = None
        self.output = b""
        self._input: list[bytes] = []
        self._peerEnds = False
        self._peerEnded = False
        self._paused = False
        self._halfClosing = False
        self._streaming = False
        self._asking = False

    # -- called by the connector

    def failIfNotConnected(self, reason: Exception) -> None:
        """
        End the attempt.
        """
        if self.protocol is None and not self.disconnected:
            self.disconnected = True
            self.connector.connectionFailed(Failure(reason))

    # -- called by the server

    def accept(self) -> None:
        """
        Let the attempt succeed.
        """
        self.protocol = self.connector.buildProtocol(self.getPeer())
        if self.protocol is None:
            self.lose(ConnectionDone())
        else:
            self.protocol.makeConnection(self)

    def deliver(self, data: bytes) -> None:
        """
        Make bytes available to the client's next read.
        """
        self._input.append(data)

    def peerEnds(self) -> None:
        """
        Make the end of the stream available, after all bytes.
        """
        self._peerEnds = True

    def lose(self, reason: Exception) -> None:
        """
        Lose the connection, unless it is lost already.
        """
        if self.disconnected:
            return
        self.disconnected = True
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        failure = Failure(reason)
        if self.protocol is not None:
            self.protocol.connectionLost(failure)
        self.connector.connectionLost(failure)

    def countUnacknowledged(self) -> int:
        """
        Return how many bytes the server has not received.
        """
        return len(self.output)

    def work(self) -> bool:
        """
        Take the next step that a reactor would take.

        @return: False if there is nothing to do.
        """
        if self.disconnected or self.protocol is None:
            return False
        if self._input and not self._paused:
            self.protocol.dataReceived(self._input.pop(0))
        elif self._peerEnds and not self._paused and not self._input:
            self._peerEnds, self._peerEnded = False, True
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.readConnectionLost()
            else:
                self.lose(ConnectionDone())
        elif self.output and self.server.reading:
            self.server._received += self.output
            self.output = b""
            self._asking = not self._streaming
        elif self.output:
            return False
        elif self.producer is not None and self._asking:
            self._asking = False
            self.producer.resumeProducing()
        elif self.producer is not None:
            return False
        elif self.disconnecting:
            self.lose(ConnectionDone())
        elif self._halfClosing:
            self._halfClosing = False
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.writeConnectionLost()
            self.server._clientEnded(self)
        else:
            return False
        return True

    # -- called by the client

    def write(self, data: bytes) -> None:
        self.output += data

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self.output += b"".join(iovec)

    def loseConnection(self) -> None:
        self.disconnecting = True

    def loseWriteConnection(self) -> None:
        self._halfClosing = True

    def abortConnection(self) -> None:
        self.server.clock.callLater(0, self.lose, ConnectionAborted())

    def readConnectionLost(self, reason: Failure) -> None:
        "Do nothing: L{work} calls the protocol."

    def writeConnectionLost(self, reason: Failure) -> None:
        "Do nothing: L{work} calls the protocol."

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.producer is not None:
            raise RuntimeError("there is a producer already")
        self.producer = producer
        self._streaming = streaming
        self._asking = not streaming

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False

    def stopProducing(self) -> None:
        self.loseConnection()

    def getPeer(self) -> IPv4Address:
        return ADDRESS

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 49152)

    def getTcpNoDelay(self) -> bool:
        return True

    def setTcpNoDelay(self, enabled: object) -> None:
        "Do nothing: there are no packets."

    def getTcpKeepAlive(self) -> bool:
        return False

    def setTcpKeepAlive(self, enabled: object) -> None:
        "Do nothing: there are no packets."


class _Connector(BaseConnector):
    """
    Connects a client to a L{MemoryServer}.
    """

    def __init__(self, server: MemoryServer) -> None:
        # A connector uses its reactor only as a clock.
        super().__init__(server.client, None, server.clock)  # type: ignore[arg-type]
        self._server = server

    def _makeTransport(self) -> Any:
        return self._server._attempted(self)

    def getDestination(self) -> IPv4Address:
        """
        @return: the address of the server.
        """
        return ADDRESS


class MemoryServer:
    """
    A server without sockets, for tests of callbacks. The test decides what the server
    does, and when::

        server = MemoryServer(client)              # starts the client
        server.accept()
        server.send(b"welcome\\r\\n")
        self.assertEqual(server.read(), b"USER me\\r\\n")
        server.advance(30)

    It replaces C{client.start()} and the network, whatever the client's address or
    endpoint is. When one of its methods returns, everything that is due has happened.
    After calling a method of the client, call C{advance(0)}.

    TLS and C{client.connect(address, port)} need a network, so do not use them with it.
    To make the client's waits predictable, set C{client.jitter} to 0.

    @ivar client: the client.
    @ivar clock: the client's L{twisted.internet.task.Clock}.
    @ivar attempts: the number of attempts that the client has made.
    @ivar reading: True if the server reads; set it to False to let the client's output
        accumulate.
    @ivar closing: True if the server ends its side after the client has ended its own,
        as most servers do.
    @ivar ended: True if the client has ended its side of the current connection.
    @ivar stopped: the Deferred that C{client.start()} would return.
    """

    def __init__(self, client: ClientTCPFactory) -> None:
        """
        Start a client.

        @param client: a client that has not been started.

        @raise TypeError: if it is not a client.
        @raise RuntimeError: if the client has been started.
        """
        if not isinstance(client, ClientTCPFactory):
            raise TypeError(f"client must be a ClientTCPFactory, not {client!r}")
        if client.stats.phase not in (Phase.IDLE.value, Phase.STOPPED.value):
            raise RuntimeError(
                f"{client!r} has been started already: MemoryServer starts the client"
            )
        self.client = client
        self.clock = client.clock = Clock()
        self.attempts = 0
        self.reading = True
        self.closing = True
        self.ended = False
        self._received = b""
        self._transport: _Transport
        connector = _Connector(self)
        connector.connect()
        self.stopped = client.whenStopped()
        self.advance(0)

    # -- an attempt

    @property
    def attempting(self) -> bool:
        """
        True if the client is making an attempt, and waits for L{accept} or L{refuse}.
        """
        transport = self._transport
        return transport.protocol is None and not transport.disconnected

    def accept(self) -> None:
        """
        Let the current attempt succeed.

        @raise AssertionError: if there is no attempt.
        """
        attempt = self._attempt()
        self.ended = False
        self._received = b""
        attempt.accept()
        self.advance(0)

    def refuse(self, error: Exception | None = None) -> None:
        """
        Let the current attempt fail.

        @param error: the reason; by default, a
            L{twisted.internet.error.ConnectionRefusedError}.

        @raise AssertionError: if there is no attempt.
        """
        self._attempt().failIfNotConnected(error or ConnectionRefusedError())
        self.advance(0)

    def _attempt(self) -> _Transport:
        if not self.attempting:
            due = [call.getTime() for call in self.clock.getDelayedCalls()]
            wait = f"{min(due) - self.clock.seconds():.6g}" if due else ""
            hint = f"; call advance({wait}) first" if due else ""
            if not self._transport.disconnected:
                hint = "; its attempt was accepted already"
            raise AssertionError(
                f"the client is not making an attempt: it is {self.client!r}{hint}"
            )
        return self._transport

    def _attempted(self, connector: _Connector) -> _Transport:
        self.attempts += 1
        self._transport = _Transport(self, connector)
        return self._transport

    # -- a connection

    def send(self, data: bytes) -> None:
        """
        Send bytes to the client.

        @param data: the bytes. They arrive in one read.

        @raise TypeError: if it is not bytes.
        @raise AssertionError: if there is no connection.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"data must be bytes, not {data!r:.60}")
        self._connection().deliver(data)
        self.advance(0)

    def read(self) -> bytes:
        """
        Read what the client has sent.

        @return: the bytes that the client has sent since the last call of this method,
            on the current connection or, if there is none, on the last one.
        """
        self.advance(0)
        received, self._received = self._received, b""
        return received

    def close(self) -> None:
        """
        End the server's side of the connection.

        @raise AssertionError: if there is no connection.
        """
        self._connection().peerEnds()
        self.advance(0)

    def reset(self) -> None:
        """
        Lose the connection, as if the server or the network had failed.

        @raise AssertionError: if there is no connection.
        """
        self._connection().lose(ConnectionLost())
        self.advance(0)

    def _connection(self) -> _Transport:
        transport = self._transport
        if transport.protocol is None or transport.disconnected:
            hint = "; call accept() first" if self.attempting else ""
            raise AssertionError(
                f"there is no connection: the client is {self.client!r}{hint}"
            )
        return transport

    def _clientEnded(self, transport: _Transport) -> None:
        self.ended = True
        if self.closing:
            transport.peerEnds()

    # -- time

    def advance(self, seconds: float) -> None:
        """
        Let time pass.

        @param seconds: the seconds; 0 to run only what is due now.
        """
        self.clock.advance(seconds)
        while self._transport.work():
            self.clock.advance(0)
