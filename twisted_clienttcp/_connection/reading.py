"""
The input of a connection: where received bytes go, whether the transport is read, and
how much at a time.

Received bytes wait for the negotiation or for C{connected}, then they are delivered,
and when the connection ends they are discarded. While records are delivered, the
transport is paused if the user or a consumer holds them, or if too many bytes wait
behind a record whose result is awaited. After the end of the stream it is never
resumed: a transport would report the end again.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from sys import maxsize
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime

from ..framing._base import AnyFraming
from .inbound import Hold, Inbound
from .liveness import Watch

#: The size in bytes up to which reads grow while the peer fills each of them (benchmark
#: rows: lines and blocks of 1 KiB, one line of 64 MiB).
LARGE_READ = 1024 * 1024

#: Reads grow only while each results in at most this many records and errors: the
#: memory of more records costs more time than larger reads save, and one turn of the
#: reactor handles all of them.
MANY_RECORDS = 8192

#: The most bytes in a TLS record (RFC 8446, 5.1), and so in a read through TLS.
TLS_RECORD = 16 * 1024

#: How many bytes may wait behind a record whose result is awaited before the transport
#: is paused: one read.
BACKLOG = 64 * 1024


class Mode(IntEnum):
    """
    Where received bytes go.
    """

    #: they wait for the negotiation, or for C{connected} to return
    EARLY = 0
    #: their records are delivered
    DELIVERING = 1
    #: nowhere: the connection is about to end
    DISCARDING = 2


# Each read looks at the mode: a name of the module is found faster than a member.
EARLY, DELIVERING, DISCARDING = Mode


class Reading:
    """
    The input of one connection.

    @ivar transport: the transport.
    @ivar mode: where received bytes go.
    @ivar input: the inbound side; None until it is needed.
    @ivar watch: notices a silent peer; None if that is not wanted.
    @ivar hasEnded: True if the peer has ended its side.
    @ivar isLost: True if the transport is lost.
    @ivar isPaused: True if the transport is paused.
    @ivar few: a read of fewer bytes makes the next reads smaller.
    @ivar full: a read of at least this many bytes makes the next reads larger.
    """

    __slots__ = (
        "_clock",
        "_newInbound",
        "_socket",
        "_throttled",
        "_turn",
        "_usual",
        "few",
        "full",
        "hasEnded",
        "input",
        "isLost",
        "isPaused",
        "mode",
        "transport",
        "watch",
    )

    #: The socket whose reads can be made larger, if there is one, and how many bytes it
    #: usually reads at most.
    _socket: FileDescriptor
    _usual: int

    def __init__(
        self, transport: Any, clock: IReactorTime, newInbound: Callable[[], Inbound]
    ) -> None:
        """
        @param newInbound: returns the inbound side. It is called only when something is
            received or set, to save the memory of idle connections.
        """
        self.transport = transport
        self._clock = clock
        self._newInbound = newInbound
        self.input: Inbound | None = None
        self.mode = EARLY
        self.watch: Watch | None = None
        self.hasEnded = False
        self.isLost = False
        self.isPaused = False
        #: True if the transport is paused because too many bytes wait.
        self._throttled = False
        #: Delivers what waits for a turn of its own.
        self._turn: IDelayedCall | None = None
        self.few = 0
        self.full = maxsize
        below = getattr(transport, "transport", None)
        if isinstance(transport, FileDescriptor):
            self._socket = transport
            self.full = self._usual = transport.bufferSize
        elif isinstance(below, FileDescriptor):
            # The size of reads below TLS does not show here, but they are full as long
            # as all records are (benchmark row: TLS lines of 100 bytes).
            self._socket = below
            self._usual = below.bufferSize
            self.full = TLS_RECORD

    @property
    def inbound(self) -> Inbound:
        """
        The inbound side.
        """
        if self.input is None:
            self.input = self._newInbound()
        return self.input

    @property
    def isRead(self) -> bool:
        """
        True if the transport is read and the records are delivered.
        """
        if self._throttled or self.hasEnded:
            return False
        return self.input is None or not self.input.held & ~Hold.RESULT

    @property
    def awaited(self) -> Deferred[object] | None:
        """
        The result for which the next record waits; None if there is none.
        """
        return None if self.input is None else self.input.awaited

    def delivers(self) -> bool:
        """
        Return True if received bytes are delivered immediately.
        """
        return self.mode is DELIVERING and self.isRead

    # -- the course of a connection

    def open(self) -> None:
        """
        Deliver the records received until now and from now on.
        """
        self.mode = DELIVERING
        if self.input is not None:
            self.input.feed()
        if self.isPaused:
            self._resume()

    def discard(self) -> None:
        """
        Deliver nothing more: forget the records that wait, and discard all bytes that
        are received from now on.
        """
        self.mode = DISCARDING
        if self.watch is not None:
            self.stopWatching()
        if self.input is not None:
            self.input.stop()
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()

    def stopWatching(self) -> None:
        """
        Stop noticing a silent peer.
        """
        watch, self.watch = self.watch, None
        if watch is not None:
            watch.stop()

    # -- whether the transport is read

    def read(self, wanted: bool) -> None:
        """
        Read from the transport, or pause it.
        """
        transport = IPushProducer(self.transport, None)
        if transport is None or self.hasEnded or self.isLost:
            return
        self.isPaused = not wanted
        if self.watch is not None:
            self.watch.reading(wanted)
        if wanted:
            transport.resumeProducing()
        else:
            transport.pauseProducing()

    def hold(self, reason: int) -> None:
        """
        Deliver no records and read nothing until L{release}.

        @param reason: one of L{Hold}.
        """
        if self.mode is not DISCARDING and not self.inbound.held & reason:
            self.inbound.hold(reason)
            self.read(False)

    def release(self, reason: int) -> None:
        """
        Deliver the records that wait, and continue to read, unless there is another
        reason to hold the records.
        """
        inbound = self.inbound
        if self.mode is EARLY:
            inbound.held &= ~reason
        elif self.mode is DELIVERING and inbound.held & reason:
            inbound.release(reason)
            self._resume()

    def resultArrived(self) -> None:
        """
        The result of the callback that was awaited has arrived.
        """
        if self.watch is not None:
            self.watch.answered()
        if self._throttled:
            self._resume()

    def use(self, framing: AnyFraming) -> None:
        """
        Decode all bytes after the delivered records with another framing.
        """
        if self.mode is DISCARDING:
            return
        if (self.input or self.inbound).use(framing) and self._turn is None:
            self._turn = self._clock.callLater(0, self._deliver)

    def _deliver(self) -> None:
        self._turn = None
        self.inbound.feed()
        if self._throttled:
            self._resume()

    def _resume(self) -> None:
        self._throttled = len(self.inbound.buffer) > BACKLOG
        if self.delivers():
            self.read(True)

    # -- how much is read

    def adjust(self, length: int) -> None:
        """
        Change the size of the next read, and pause the transport if too much waits.

        @param length: the number of bytes in the last read.
        """
        inbound = self.inbound
        if not self.few <= length < self.full:
            self._resize(length, inbound.sinceRead, bool(inbound.held))
        if inbound.held and not self._throttled and len(inbound.buffer) > BACKLOG:
            self._throttled = True
            self.read(False)

    def _resize(self, length: int, records: int, isHeld: bool) -> None:
        """
        Let the next read take as much as usual, or more.

        Each read costs a turn of the reactor. But a few bytes cost more if there is a
        large buffer for them, and all of them wait while the records are held. So there
        is a large buffer only while the peer fills it and the user takes the records.
        """
        throughTLS = self._socket is not self.transport
        usual, size = self._usual, self._socket.bufferSize
        least = TLS_RECORD if throughTLS else usual
        if length < least or records > MANY_RECORDS or isHeld:
            size = usual
        elif size < LARGE_READ and 2 * records <= MANY_RECORDS:
            size = min(2 * size, LARGE_READ)
            if size == LARGE_READ:
                # glibc returns free memory to the system when it is more than twice the
                # largest block that was ever freed. A read and its records are, so
                # that every read would have to fetch the memory again (benchmark row:
                # lines of 1 KiB). The zeros themselves take no memory.
                bytes(2 * size)
        if not throughTLS:
            self.full = size
        self.few = least if size > usual else 0
        # This is also the mark at which the transport pauses a push producer; the
        # outbound side is a pull producer.
        self._socket.bufferSize = size
