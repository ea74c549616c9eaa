"""
A proxy for fault injection: it delays, closes, resets, stalls or silences connections.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from zope.interface import implementer

from ._support import NetworkTestCase, Server, reactor

#: The bytes that may wait in one direction before its sender is paused.
WAITING = 64 * 1024


class Fault(Enum):
    """
    A fault of a direction, after a number of bytes.
    """

    #: close both sides
    CUT = "cut"
    #: reset both sides
    RESET = "reset"
    #: stop reading from the sender
    STALL = "stall"
    #: be half-open: discard everything from both sides, and do not pass on their ends
    SILENCE = "silence"


@attrs.frozen(kw_only=True)
class Way:
    """
    The behaviour of one direction of a connection.

    @ivar delay: the seconds by which each byte is delayed.
    @ivar rate: the bytes per second; None for no limit.
    @ivar after: the number of bytes before the fault; None for no fault.
    @ivar fault: the fault.
    """

    delay: float = 0.0
    rate: int | None = None
    after: int | None = None
    fault: Fault = Fault.CUT


#: A direction that changes nothing.
CLEAR = Way()


class _End(Enum):
    """
    The end of a direction.
    """

    STREAM = "the end of the stream"
    RESET = "a reset"


@implementer(IHalfCloseableProtocol)
class _Side(Protocol):
    """
    One of the two connections of a link, with the bytes that it has read and that are
    on their way to the other one.
    """

    def __init__(self, link: Link, way: Way) -> None:
        self.link = link
        self.passed = 0
        self.ended = False
        self.lost: Deferred[None] = Deferred()
        self._way = way
        self._waiting: deque[tuple[float, bytes | _End]] = deque()
        self._bytes = 0
        self._free = 0.0
        self._timer: IDelayedCall | None = None

    @property
    def connection(self) -> Any:
        return self.transport

    @property
    def other(self) -> _Side:
        return self.link.far if self is self.link.near else self.link.near

    def connectionMade(self) -> None:
        self.link.made()

    # -- input

    def dataReceived(self, data: bytes) -> None:
        if self.link.silent:
            return
        # With a rate, split the data into pieces for a hundredth of a second.
        size = len(data) if self._way.rate is None else max(self._way.rate // 100, 1)
        for at in range(0, len(data), size):
            self._take(data[at : at + size])
        if self._bytes > WAITING:
            self.connection.pauseProducing()

    def readConnectionLost(self) -> None:
        self._take(_End.STREAM)

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Any = None) -> None:
        if not reason.check(ConnectionDone):
            self._take(_End.RESET)
        self.lost.callback(None)

    def _take(self, piece: bytes | _End) -> None:
        due = reactor.seconds() + self._way.delay
        if isinstance(piece, bytes):
            self._bytes += len(piece)
            if self._way.rate is not None:
                self._free = max(self._free, due) + len(piece) / self._way.rate
                due = self._free
        self._waiting.append((max(due, self._free), piece))
        self._pass()

    # -- output

    def _pass(self) -> None:
        """
        Pass everything that is due to the other side.
        """
        if self._timer is not None and self._timer.active():
            return
        while self._waiting and not self.link.over:
            due, piece = self._waiting[0]
            wait = due - reactor.seconds()
            if wait > 0:
                self._timer = reactor.callLater(wait, self._pass)
                return
            self._waiting.popleft()
            self._give(piece)
        if not self.link.over and not self.ended:
            self.connection.resumeProducing()

    def _give(self, piece: bytes | _End) -> None:
        if self.link.silent:
            return
        if piece is _End.RESET:
            self.link.reset()
        elif piece is _End.STREAM:
            self.ended = True
            self.other.connection.loseWriteConnection()
            if self.other.ended:
                self.link.cut()
        else:
            assert isinstance(piece, bytes)
            self._bytes -= len(piece)
            if self._way.after is not None:
                piece = piece[: self._way.after - self.passed]
            self.passed += len(piece)
            self.other.connection.write(piece)
            if self.passed == self._way.after:
                self.link.fail(self, self._way.fault)

    def forget(self) -> None:
        """
        Discard everything that waits.
        """
        self._waiting.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


class Link:
    """
    A client's connection to the proxy, and the proxy's to the server.

    @ivar near: the client's.
    @ivar far: the server's.
    @ivar failed: the fault that has happened; None for none.
    @ivar silent: True if everything is discarded from now on.
    @ivar over: True if both connections are closed.
    """

    def __init__(self, forth: Way, back: Way) -> None:
        self.near = _Side(self, forth)
        self.far = _Side(self, back)
        self.failed: Fault | None = None
        self.silent = False
        self.over = False

    def made(self) -> None:
        """
        A connection is made. Read from the client only when both are.
        """
        if self.far.transport is None:
            self.near.connection.pauseProducing()
        else:
            self.near.connection.resumeProducing()

    def fail(self, side: _Side, fault: Fault) -> None:
        """
        Cause a fault.
        """
        self.failed = fault
        if fault is Fault.CUT:
            self.cut()
        elif fault is Fault.RESET:
            self.reset()
        elif fault is Fault.STALL:
            side.ended = True
            side.connection.pauseProducing()
            side.forget()
        else:
            self.silent = True

    def cut(self) -> None:
        """
        Close both sides.
        """
        self._end("loseConnection")

    def reset(self) -> None:
        """
        Reset both sides.
        """
        self._end("abortConnection")

    def _end(self, how: str) -> None:
        self.over = True
        for side in (self.near, self.far):
            side.forget()
            if side.transport is not None:
                getattr(side.transport, how)()


class FaultProxy(Factory):
    """
    A proxy in front of a server on the loopback interface.

    @ivar port: its port, once it listens.
    @ivar links: the connections through it.
    """

    noisy = False
    port = 0

    def __init__(self, server: Server, ways: Iterable[tuple[Way, Way]]) -> None:
        """
        @param server: the server.
        @param ways: the behaviour of each connection in turn: towards the server, and
            back. Further connections are not changed.
        """
        self.links: list[Link] = []
        self._server = server
        self._ways = iter(ways)

    def buildProtocol(self, addr: Any) -> _Side:
        link = Link(*next(self._ways, (CLEAR, CLEAR)))
        self.links.append(link)
        onward = ClientFactory.forProtocol(lambda: link.far)
        onward.noisy = False
        reactor.connectTCP("127.0.0.1", self._server.port, onward)
        return link.near


class FaultyTestCase(NetworkTestCase):
    """
    A test with a proxy between client and server.
    """

    async def proxy(self, server: Server, *ways: tuple[Way, Way]) -> FaultProxy:
        """
        Start a proxy in front of a server, until the test ends.
        """
        proxy = FaultProxy(server, ways)
        listening = reactor.listenTCP(0, proxy, interface="127.0.0.1")
        self.addCleanup(self._endLinks, proxy)
        self.addCleanup(listening.stopListening)
        proxy.port = listening.getHost().port
        return proxy

    async def _endLinks(self, proxy: FaultProxy) -> None:
        for link in proxy.links:
            link.reset()
            for side in (link.near, link.far):
                if side.transport is not None:
                    await side.lost
