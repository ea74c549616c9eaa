"""
What helps to test code that uses this package.

With a L{MemoryServer} you test callbacks without sockets, and without waiting::

    def test_login(self):
        server = MemoryServer(makeClient())
        server.accept()
        server.send(b"welcome\\r\\n")
        self.assertEqual(server.read(), b"USER me\\r\\n")

L{FramingConformance} is what every framing has to pass, ours too. To test a framing of
your own, mix it into a test case::

    class MyFramingTests(FramingConformance, TestCase):
        records = [b"", b"a record", b"x" * 100]

        def framing(self):
            return MyFraming()
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

from ._factory import ClientTCPFactory
from .errors import FramingError, RecordTooLong, TruncatedRecord
from .framing import Framing

#: Where a L{MemoryServer} claims to be: the echo port of this machine.
ADDRESS = IPv4Address("TCP", "127.0.0.1", 7)

#: How many random cuts of a stream are tried. The same ones at each run.
CUTS = 50


class FramingConformance:
    """
    Tests of a framing's contract, to be mixed into a C{TestCase}.

    @cvar records: examples of records, as they are read: at least two, short ones among
        them, and whatever could be mistaken for a delimiter.
    @cvar longest: a record of as many octets as L{limited} allows, and L{tooLong} one
        that is longer; None if the framing has no limit.
    """

    records: Sequence[Any] = ()
    longest: Any = None
    tooLong: Any = None

    def framing(self) -> Framing:
        """
        @return: a new framing, as the tests are to use it.
        """
        raise NotImplementedError("override framing()")

    def limited(self) -> Framing:
        """
        @return: a new framing that allows L{longest}, and not L{tooLong}.
        """
        raise NotImplementedError("override limited(), or leave longest at None")

    # -- helpers

    def _stream(self, records: Iterable[Any]) -> bytes:
        framing = self.framing()
        return b"".join(framing.frame(record) for record in records)

    def _read(self, framing: Framing, chunks: Iterable[bytes]) -> list[Any]:
        return [record for chunk in chunks for record in framing.feed(chunk)]

    def _same(self, got: Any, wanted: Any, about: str) -> None:
        if got != wanted:
            raise AssertionError(f"{about}: {got!r} is not {wanted!r}")

    # -- the tests

    def test_examples(self) -> None:
        """
        There is something to test with, and it is worth that.
        """
        if len(self.records) < 2:
            raise AssertionError("records must hold at least two examples")

    def test_identity(self) -> None:
        """
        What is framed is read back, as a list, if the framing says so.
        """
        if self.framing().reversible:
            batch = self.framing().feed(self._stream(self.records))
            self._same(type(batch), list, "what feed returns when all is well")
            self._same(batch, list(self.records), "read back")

    def test_anyCut(self) -> None:
        """
        The records do not depend on the cuts, octet by octet and at random, if the
        framing says so; empty reads change nothing.
        """
        framing = self.framing()
        if not framing.chunkInvariant:
            return
        stream = self._stream(self.records)
        whole = self._read(self.framing(), [stream])
        octets = [stream[at : at + 1] for at in range(len(stream))]
        self._same(self._read(self.framing(), octets), whole, "octet by octet")
        chance = random.Random(0)
        for _ in range(CUTS):
            places = sorted(chance.choices(range(len(stream) + 1), k=5))
            edges = [0, *places, len(stream)]
            cut = [stream[a:b] for a, b in pairwise(edges)]
            self._same(self._read(self.framing(), cut), whole, f"cut at {places}")

    def test_unfinished(self) -> None:
        """
        A stream that ends anywhere gives the records before, and what stands unfinished
        either as a record or in a L{TruncatedRecord}.
        """
        if not self.framing().chunkInvariant:
            return
        stream = self._stream(self.records)
        whole = self._read(self.framing(), [stream])
        for end in range(len(stream)):
            framing = self.framing()
            records = self._read(framing, [stream[:end]])
            self._same(records, whole[: len(records)], f"up to {end}")
            try:
                for _ in framing.finish():
                    pass
            except TruncatedRecord as rest:
                if not stream[:end].endswith(rest.rest):
                    raise AssertionError(f"{rest.rest!r} is not unread") from rest
            self._same(self._left(framing), [], "what finish() has left")

    def _left(self, framing: Framing) -> list[Any]:
        """
        @return: what a framing still has after the end of its stream.
        """
        try:
            return list(framing.finish())
        except TruncatedRecord as rest:
            return [rest.rest]

    def test_release(self) -> None:
        """
        After any number of delivered records the octets behind them come back, once and
        whole, wherever the stream was cut.
        """
        if not self.framing().chunkInvariant:
            return
        stream = self._stream(self.records)
        whole = self._read(self.framing(), [stream])
        for end in range(len(stream) + 1):
            before = len(self._read(self.framing(), [stream[:end]]))
            for first in {0, end // 2}:
                framing = self.framing()
                early = len(self._read(framing, [stream[:first]]))
                batch = list(framing.feed(stream[first:end]))
                self._same(early + len(batch), before, "records")
                for delivered in range(len(batch) + 1):
                    again = framing.clone()
                    self._read(again, [stream[:first]])
                    list(again.feed(stream[first:end]))
                    octets = again.release(delivered)
                    if first < end or not delivered:
                        rest = self._read(again, [octets, stream[end:]])
                        done = early + delivered
                        self._same(
                            rest, whole[done:], f"behind {delivered} up to {end}"
                        )

    def test_clone(self) -> None:
        """
        A clone is empty, reads the same, and shares nothing that changes.
        """
        stream = self._stream(self.records)
        framing = self.framing()
        self._read(framing, [stream[: len(stream) // 2]])
        clone = framing.clone()
        self._same(
            self._read(clone, [stream]),
            self._read(self.framing(), [stream]),
            "what a clone reads",
        )
        self._same(
            clone.frame(self.records[0]), framing.frame(self.records[0]), "frame"
        )

    def test_limit(self) -> None:
        """
        A record of the greatest length goes out and comes in; a longer one does
        neither, however it is cut.
        """
        if self.longest is None:
            return
        framing = self.limited()
        framed = framing.frame(self.longest)
        self._same(self._read(framing, [framed]), [self.longest], "the longest")
        try:
            framing.frame(self.tooLong)
        except (RecordTooLong, ValueError):
            pass
        else:
            raise AssertionError(f"frame({self.tooLong!r:.60}) was not refused")
        try:
            wrong = self.framing().frame(self.tooLong)
        except (RecordTooLong, ValueError) as error:
            raise AssertionError(
                "framing() must allow tooLong, for it to be read; where no framing can "
                "express it, leave longest out"
            ) from error
        for step in (1, len(wrong)):
            framing = self.limited()
            cut = [wrong[at : at + step] for at in range(0, len(wrong), step)]
            try:
                got = self._read(framing, cut)
            except FramingError:
                continue
            raise AssertionError(f"{got!r:.60} was not refused")

    def test_wrongType(self) -> None:
        """
        What is no record is refused, with a L{TypeError} or a L{ValueError}.
        """
        try:
            self.framing().frame(object())
        except (TypeError, ValueError):
            pass
        else:
            raise AssertionError("frame(object()) was not refused")


@implementer(IConsumer, IHalfCloseableDescriptor, IPushProducer, ITCPTransport)
class _Transport:
    """
    The client's end of a connection to a L{MemoryServer}: it does in its turn what a
    socket's transport does.
    """

    #: What a transport reads at a time.
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

    # -- what the connector asks

    def failIfNotConnected(self, reason: Any) -> None:
        """
        The attempt is given up.
        """
        if self.protocol is None and not self.disconnected:
            self.disconnected = True
            self.connector.connectionFailed(Failure(reason))

    # -- what the server does

    def accept(self) -> None:
        """
        The attempt succeeds.
        """
        self.protocol = self.connector.buildProtocol(self.getPeer())
        if self.protocol is None:
            self.loseConnection()
        else:
            self.protocol.makeConnection(self)

    def deliver(self, octets: bytes) -> None:
        """
        Octets come.
        """
        self._input.append(octets)

    def peerEnds(self) -> None:
        """
        The end of the stream comes.
        """
        self._peerEnds = True

    def lose(self, reason: Exception) -> None:
        """
        The connection is gone.
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

    def work(self) -> bool:
        """
        Do one thing that is to be done.

        @return: whether there was one.
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
            self.server._clientEnded(self)
        else:
            return False
        return True

    # -- what a client may ask of a transport

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
        "The protocol is told by L{work}."

    def writeConnectionLost(self, reason: Failure) -> None:
        "The protocol is told by L{work}."

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
        "There is no Nagle here."

    def getTcpKeepAlive(self) -> bool:
        return False

    def setTcpKeepAlive(self, enabled: object) -> None:
        "There is no silent wire here."


class _Connector(BaseConnector):
    """
    What connects a client to a L{MemoryServer}.
    """

    def __init__(self, server: MemoryServer) -> None:
        # It uses of a reactor only the clock, and with no timeout not even that.
        super().__init__(server.client, None, server.clock)  # type: ignore[arg-type]
        self._server = server

    def _makeTransport(self) -> Any:
        transport = self._server._transport = _Transport(self._server, self)
        self._server.attempts += 1
        return transport

    def getDestination(self) -> IPv4Address:
        """
        @return: an address of no meaning.
        """
        return ADDRESS


class MemoryServer:
    """
    A server without sockets, for tests of your own callbacks, which says what the test
    says, at the time that the test sets::

        server = MemoryServer(client)              # starts the client
        server.accept()
        server.send(b"welcome\\r\\n")
        self.assertEqual(server.read(), b"USER me\\r\\n")
        server.advance(30)

    It takes the place of C{start()} and of the network, whatever address or endpoint
    the client has. All that is to happen at the present time has happened when a method
    returns.

    The client's own C{connect(address, port)} and TLS would go to the network: leave
    them out. Turn C{client.jitter} to 0 for waits without chance.

    @ivar client: the client.
    @ivar clock: its time, a L{twisted.internet.task.Clock}.
    @ivar attempts: how many attempts the client has made.
    @ivar reading: whether the server takes octets; set to False to let them pile up.
    @ivar closing: whether the server ends its side when the client has, as most do.
    @ivar ended: whether the client has ended its side of the present connection.
    @ivar stopped: what C{client.start()} gives: a Deferred.
    """

    def __init__(self, client: ClientTCPFactory) -> None:
        """
        @param client: a client that has not been started.

        @raise TypeError: if it is none.
        """
        if not isinstance(client, ClientTCPFactory):
            raise TypeError(f"client must be a ClientTCPFactory, not {client!r}")
        self.client = client
        self.clock = client.clock = Clock()
        self.attempts = 0
        self.reading = True
        self.closing = True
        self.ended = False
        self._received = b""
        self._transport: Any = None
        connector = _Connector(self)
        connector.connect()
        self.stopped = client.whenStopped()
        self.advance(0)

    # -- an attempt

    @property
    def attempting(self) -> bool:
        """
        Whether an attempt of the client's waits to be accepted or refused.
        """
        transport = self._transport
        return transport.protocol is None and not transport.disconnected

    def accept(self) -> None:
        """
        Let the attempt succeed.

        @raise AssertionError: if there is none.
        """
        attempt = self._attempt()
        self.ended = False
        self._received = b""
        attempt.accept()
        self.advance(0)

    def refuse(self, error: Exception | None = None) -> None:
        """
        Let the attempt fail.

        @param error: why; L{twisted.internet.error.ConnectionRefusedError} if not
            given.

        @raise AssertionError: if there is none.
        """
        self._attempt().failIfNotConnected(error or ConnectionRefusedError())
        self.advance(0)

    def _attempt(self) -> _Transport:
        if not self.attempting:
            due = [call.getTime() for call in self.clock.getDelayedCalls()]
            hint = f"; advance({min(due) - self.clock.seconds():.6g})?" if due else ""
            raise AssertionError(
                f"the client makes no attempt: it is {self.client!r}{hint}"
            )
        transport: _Transport = self._transport
        return transport

    # -- a connection

    def send(self, octets: bytes) -> None:
        """
        Send octets to the client.

        @raise AssertionError: if there is no connection.
        """
        self._connection().deliver(octets)
        self.advance(0)

    def read(self) -> bytes:
        """
        @return: the octets that have come from the client on the present connection, or
            the last one, since they were read last.
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
        Lose the connection without a word.

        @raise AssertionError: if there is no connection.
        """
        self._connection().lose(ConnectionLost())
        self.advance(0)

    def _connection(self) -> _Transport:
        transport: _Transport = self._transport
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
        """
        self.clock.advance(seconds)
        while self._transport.work():
            self.clock.advance(0)
