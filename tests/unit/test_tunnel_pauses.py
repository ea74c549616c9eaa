"""
Tests for the first bytes of a server that is reached through proxies: with Twisted's
own transport on a socket of the test, and protocols that pause it or end it early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_clienttcp._connecting.addresses import host
from twisted_clienttcp._connecting.proxies import Proxy
from twisted_clienttcp._connecting.tunnel import Tunnel
from twisted_clienttcp._connection.peer import ProxiedAddress

from .._tls import made

HTTP = [b"HTTP/1.1 200 OK\r\n\r\n"]
SOCKS = [b"\x05\x00", b"\x05\x00\x00\x01abcd\x00\x07"]

#: Routes through proxies: each kind, and chains in which TLS comes first or last.
ROUTES = (
    ("http",),
    ("socks5",),
    ("https",),
    ("http", "socks5"),
    ("http", "https"),
    ("https", "socks5"),
)


class Socket:
    """
    A socket whose peer is the test.

    @ivar reads: the results of the next calls of C{recv}; b"" for the end of the
        stream.
    """

    def __init__(self) -> None:
        self.reads: list[bytes] = []
        self.sent = b""

    def recv(self, size: int) -> bytes:
        return self.reads.pop(0)

    def send(self, data: Any) -> int:
        self.sent += data
        return len(data)

    def fileno(self) -> int:
        return 0

    def nothing(self, *args: object) -> None:
        "Do nothing."

    setblocking = setsockopt = shutdown = close = nothing


class Transport(Connection):
    """
    The transport of a socket, which can start TLS.
    """

    _tlsClientDefault = True


class Pausing(Protocol):
    """
    A protocol that pauses its transport when the test says so.

    @ivar isPaused: True from the pause to the next call of C{resume}.
    @ivar events: what it has received, in order.
    """

    def __init__(self, pauses: Iterable[bool] = (False,)) -> None:
        self.pauses = cycle(pauses)
        self.isPaused = False
        self.events: list[Any] = []
        self.onMade: Callable[[Any], object] = lambda transport: None

    @property
    def data(self) -> bytes:
        return b"".join(each for each in self.events if isinstance(each, bytes))

    def connectionMade(self) -> None:
        self.onMade(self.transport)
        self.perhapsPause()

    def perhapsPause(self) -> None:
        if next(self.pauses):
            self.isPaused = True
            self.transport.pauseProducing()  # type: ignore[union-attr]

    def resume(self) -> None:
        if self.isPaused:
            self.isPaused = False
            self.transport.resumeProducing()  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        assert not self.isPaused, data
        self.events.append(data)
        self.perhapsPause()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.events.append("lost")


@implementer(IHalfCloseableProtocol)
class HalfClosed(Pausing):
    """
    The same for a transport that can be half-closed.
    """

    def readConnectionLost(self) -> None:
        assert not self.isPaused
        self.events.append("ended")

    def writeConnectionLost(self) -> None:
        self.events.append("shut")


class Route:
    """
    A connection through proxies, whose far side is the test.
    """

    def __init__(self, schemes: Iterable[str], protocol: Protocol) -> None:
        self.reactor = MemoryReactorClock()
        self.socket = Socket()
        self.peer: Any = None
        self.schemes = list(schemes)
        options = optionsForClientTLS("localhost", trustRoot=made().root)
        proxies = [
            Proxy(f"{scheme}://localhost:1", options if scheme == "https" else True)
            for scheme in self.schemes
        ]
        self.tunnel = Tunnel(
            proxies,
            host("host", "server.test"),
            ProxiedAddress("server.test", 7, ()),
            lambda address: protocol,
            self.reactor,
        )
        raw: Any = self.socket
        self.transport = Transport(raw, self.tunnel.next(), self.reactor)
        self.transport.connected = True
        self.transport.startReading()
        self.transport.protocol.makeConnection(self.transport)

    # -- the far side

    def wire(self, *records: bytes, ends: bool = False) -> bytes:
        """
        @param records: what the proxy sends; with TLS, each in a TLS record.
        @param ends: True if it then ends TLS.

        @return: the bytes on the connection.
        """
        if self.peer is None:
            return b"".join(records)
        for record in records:
            self.peer.write(record)
        if ends:
            self.peer.loseConnection()
        below = self.peer.transport
        data: bytes = below.value()
        below.clear()
        return data

    def handshake(self) -> None:
        factory = TLSMemoryBIOFactory(
            made().good.options(), False, Factory.forProtocol(Protocol)
        )
        factory.protocol = TLSMemoryBIOProtocol
        self.peer = factory.buildProtocol(None)
        self.peer.makeConnection(StringTransport())
        for _ in range(3):
            self.turn()
            sent, self.socket.sent = self.socket.sent, b""
            if sent:
                self.peer.dataReceived(sent)
            self.arrive(self.wire())
            self.turn()

    def arrive(self, *reads: bytes) -> None:
        """
        Let bytes arrive.
        """
        self.socket.reads += filter(None, reads)

    def agree(self) -> bytes:
        """
        Let all proxies agree, except for the last answer.

        @return: that answer.
        """
        answer = b""
        for scheme in self.schemes:
            if answer:
                self.turn()
                # What follows may be a TLS handshake.
                self.socket.sent = b""
                self.arrive(self.wire(answer))
                self.turn()
            if scheme == "https":
                self.handshake()
            *answers, answer = SOCKS if scheme == "socks5" else HTTP
            for each in answers:
                self.arrive(self.wire(each))
                self.turn()
        return answer

    # -- the reactor

    def turn(self) -> None:
        """
        Run one turn of the reactor.
        """
        self.reactor.advance(0)
        for writer in list(self.reactor.getWriters()):
            self._end(writer.doWrite())
        for reader in list(self.reactor.getReaders()):
            if self.socket.reads:
                self._end(reader.doRead())

    def _end(self, reason: Any) -> None:
        if isinstance(reason, ConnectionDone) and not self.transport.disconnecting:
            self.reactor.removeReader(self.transport)
            self.transport.readConnectionLost(Failure(reason))
        elif reason is not None:
            self.transport.connectionLost(Failure(reason))

    def finish(self, protocol: Pausing) -> None:
        """
        Let the protocol resume until it has received everything.
        """
        for _ in range(200):
            protocol.resume()
            self.turn()


def split(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """
    @return: the data in pieces of these sizes, over and over.
    """
    pieces, each = [], cycle(sizes)
    while data:
        size = next(each)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


class PauseTests(SynchronousTestCase):
    """
    Protocols that pause their transport.
    """

    @given(
        st.sampled_from(ROUTES),
        st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=6),
        st.lists(st.integers(1, 400), min_size=1, max_size=4),
        st.lists(st.booleans(), min_size=1, max_size=6),
        st.lists(st.booleans(), min_size=1, max_size=6),
        st.booleans(),
    )
    def test_anyPattern(
        self,
        schemes: tuple[str, ...],
        records: list[bytes],
        sizes: list[int],
        pauses: list[bool],
        resumes: list[bool],
        ends: bool,
    ) -> None:
        """
        However the bytes are split into TLS records and reads, and whenever the
        protocol pauses and resumes, it receives each byte, in order, and none while it
        is paused; then the end of the stream.
        """
        protocol = HalfClosed(pauses)
        route = Route(schemes, protocol)
        first, *others = records
        wire = route.wire(route.agree() + first, *others, ends=ends)
        route.arrive(*split(wire, sizes))
        isTLS = route.peer is not None
        if ends and not isTLS:
            route.socket.reads.append(b"")
        for _, isResumed in zip(range(12), cycle(resumes), strict=False):
            route.turn()
            if isResumed:
                protocol.resume()
        route.finish(protocol)
        self.assertEqual(protocol.data, b"".join(records))
        end = [each for each in protocol.events if not isinstance(each, bytes)]
        self.assertEqual(end, ["lost" if isTLS else "ended"] if ends else [])
        if ends:
            self.assertEqual(protocol.events[-1], end[0])

    def test_paused(self) -> None:
        """
        A protocol that pauses in C{connectionMade} receives nothing before it resumes,
        and then not inside its call of C{resumeProducing}.
        """
        for schemes in ROUTES:
            protocol = Pausing([True, False])
            route = Route(schemes, protocol)
            route.arrive(route.wire(route.agree() + b"one", b"two"))
            route.turn()
            self.successResultOf(route.tunnel.done)
            route.turn()
            self.assertEqual(protocol.events, [], schemes)
            protocol.resume()
            self.assertEqual(protocol.events, [], schemes)
            route.turn()
            route.turn()
            self.assertEqual(protocol.data, b"onetwo", schemes)
            # Nothing is left on the transport.
            below = protocol.transport
            self.assertNotIn("pauseProducing", vars(below))

    def test_resumedAtOnce(self) -> None:
        """
        A protocol that pauses and resumes receives its bytes once.
        """
        protocol = Pausing()

        def hesitate(transport: Any) -> None:
            for _ in range(3):
                transport.pauseProducing()
                transport.resumeProducing()

        protocol.onMade = hesitate
        route = Route(["http"], protocol)
        route.arrive(route.agree() + b"one", b"two")
        route.turn()
        self.assertEqual(protocol.events, [b"one"])
        route.turn()
        self.assertEqual(protocol.events, [b"one", b"two"])

    def test_resumedByOwner(self) -> None:
        """
        A protocol that the caller of the endpoint resumes receives its bytes.
        """
        protocol = Pausing([True, False])
        route = Route(["http"], protocol)
        route.tunnel.done.addCallback(lambda made: protocol.resume())
        route.arrive(route.agree() + b"one", b"two")
        for _ in range(3):
            route.turn()
        self.assertEqual(protocol.events, [b"one", b"two"])

    def test_keptMethods(self) -> None:
        """
        Methods of the transport that the protocol has kept work later too.
        """
        protocol = Pausing()
        kept: list[Callable[[], object]] = []

        def keep(transport: Any) -> None:
            kept.extend((transport.pauseProducing, transport.resumeProducing))
            kept[0]()

        protocol.onMade = keep
        route = Route(["http"], protocol)
        route.arrive(route.agree() + b"one", b"two", b"three")
        route.turn()
        self.assertEqual(protocol.events, [])
        kept[1]()
        route.turn()
        self.assertEqual(protocol.events, [b"one", b"two"])
        kept[0]()
        route.turn()
        self.assertEqual(protocol.events, [b"one", b"two"])
        kept[1]()
        route.turn()
        self.assertEqual(protocol.data, b"onetwothree")

    def test_raises(self) -> None:
        """
        If the protocol raises when it receives the bytes after a pause, the connection
        is aborted, as in a read.
        """

        class Raising(Pausing):
            def dataReceived(self, data: bytes) -> None:
                raise ZeroDivisionError

        for schemes in ROUTES:
            protocol = Raising([True])
            route = Route(schemes, protocol)
            route.arrive(route.wire(route.agree() + b"one"))
            route.turn()
            protocol.resume()
            self.assertRaises(ZeroDivisionError, route.turn)
            route.turn()
            self.assertEqual(protocol.events, ["lost"])

    def test_lost(self) -> None:
        """
        TLS with the proxy passes on everything that it has received before it reports a
        loss, even during a pause, as Twisted's TLS does.
        """
        protocol = Pausing([True, False])
        route = Route(["https"], protocol)
        route.arrive(route.wire(route.agree() + b"one", b"two"))
        route.turn()
        self.assertEqual(protocol.events, [])
        protocol.isPaused = False
        route.transport.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(protocol.events, [b"one", b"two", "lost"])

    def test_startTLS(self) -> None:
        """
        If the protocol starts TLS before it resumes, the bytes are for TLS.
        """
        protocol = Pausing([True, False])
        route = Route(["http"], protocol)
        route.arrive(route.agree() + b"not TLS")
        route.turn()
        transport: Any = protocol.transport
        transport.startTLS(optionsForClientTLS("localhost"))
        protocol.resume()
        for _ in range(3):
            route.turn()
        self.assertEqual(protocol.events, ["lost"])

    def test_wrappedTLS(self) -> None:
        """
        A protocol above another TLS layer pauses the transport too.
        """
        protocol = Pausing([True, False])
        factory = TLSMemoryBIOFactory(
            optionsForClientTLS("localhost"), True, Factory.forProtocol(Protocol)
        )
        layer = TLSMemoryBIOProtocol(factory, protocol)
        for schemes in ROUTES:
            route = Route(schemes, layer)
            route.arrive(route.wire(route.agree() + b"not TLS"))
            for _ in range(3):
                route.turn()
            self.assertEqual(protocol.events, [])
            protocol.resume()
            for _ in range(4):
                route.turn()
            self.assertEqual(protocol.events, ["lost"])
            protocol = layer.wrappedProtocol = Pausing([True, False])
            layer = TLSMemoryBIOProtocol(factory, protocol)


class EndTests(SynchronousTestCase):
    """
    Protocols that end the connection, or lose it.
    """

    WAYS: dict[str, Callable[[Any], object]] = {
        "close": lambda transport: transport.loseConnection(),
        "abort": lambda transport: transport.abortConnection(),
        "stop": lambda transport: transport.stopProducing(),
        "lose": lambda transport: transport.connectionLost(Failure(ConnectionDone())),
    }

    def each(self, *pauses: bool) -> Iterator[tuple[Pausing, Route, Any]]:
        """
        Try each way to end a connection, on each route.

        @return: a protocol that pauses as often, the route, and the way.
        """
        for schemes in ROUTES:
            for name, end in self.WAYS.items():
                if name == "lose" and "https" in schemes:
                    # Twisted's TLS expects losses only in another turn.
                    continue
                protocol = Pausing(pauses)
                route = Route(schemes, protocol)
                route.arrive(route.wire(route.agree() + b"one"))
                yield protocol, route, end
                route.turn()
                route.turn()
                self.assertEqual(protocol.data, b"", (schemes, name))

    def test_inConnectionMade(self) -> None:
        """
        A protocol that ends the connection in C{connectionMade} receives nothing.
        """
        for protocol, _, end in self.each(False):
            protocol.onMade = end

    def test_whilePaused(self) -> None:
        """
        Nor does one that ends it during a pause, even if it resumes then.
        """
        for protocol, route, end in self.each(True):
            route.turn()
            end(protocol.transport)
            protocol.resume()

    def test_afterResume(self) -> None:
        """
        Nor does one that ends it after it has resumed, before the next turn.
        """
        for protocol, route, end in self.each(True):
            route.turn()
            protocol.resume()
            end(protocol.transport)
