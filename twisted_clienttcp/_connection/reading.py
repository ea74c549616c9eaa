"""
The input of a connection: what happens to received bytes, whether the transport is
read, and how much is read at a time.

Received bytes wait until the negotiation reads them or C{connected} returns. Then their
records are delivered. When the connection is about to end, bytes are discarded. While
records are delivered, the transport is paused if the user or a consumer holds the
records, or if too many bytes wait behind a record whose result is awaited. After the
end of the stream, the transport is never resumed, because it would report the end
again.
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

#: The greatest size of a read in bytes. Reads grow to it as long as the peer fills each
#: of them (benchmark rows: lines and blocks of 1 KiB, one line of 64 MiB).
LARGE_READ = 1024 * 1024

#: Reads grow only while each contains at most this many records and errors. The memory
#: for more records would cost more time than larger reads save, and all records of a
#: read are delivered in one turn of the reactor.
MANY_RECORDS = 8192

#: The most bytes in a TLS record (RFC 8446, 5.1), and so in a read through TLS.
TLS_RECORD = 16 * 1024

#: How many bytes may wait behind a record whose result is awaited before the transport
#: is paused: one read.
BACKLOG = 64 * 1024


class Mode(IntEnum):
    """
    The ways to process received bytes.
    """

    #: they wait for the negotiation, or for C{connected} to return
    EARLY = 0
    #: their records are delivered
    DELIVERING = 1
    #: they are discarded: the connection is about to end
    DISCARDING = 2


# Each read checks the mode, and a module-level name is faster to access than a member.
EARLY, DELIVERING, DISCARDING = Mode


class Reading:
    """
    The input of one connection.

    @ivar transport: the transport.
    @ivar mode: what happens to received bytes.
    @ivar input: the inbound side; None until it is needed.
    @ivar watch: checks the liveness of the connection; None if no setting requires it.
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

    #: The transport with the socket, if it is one of Twisted's, and the usual size of
    #: its reads in bytes.
    _socket: FileDescriptor
    _usual: int

    def __init__(
        self, transport: Any, clock: IReactorTime, newInbound: Callable[[], Inbound]
    ) -> None:
        """
        @param newInbound: creates the inbound side. To save the memory of idle
            connections, it is called only when something is received or set.
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
        #: The scheduled call of C{_deliver}.
        self._turn: IDelayedCall | None = None
        self.few = 0
        self.full = maxsize
        below = getattr(transport, "transport", None)
        if isinstance(transport, FileDescriptor):
            self._socket = transport
            self.full = self._usual = transport.bufferSize
        elif isinstance(below, FileDescriptor):
            # The size of reads below TLS is not visible here. But as long as all TLS
            # records are full, so are the reads (benchmark row: TLS lines of 100
            # bytes).
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
        True unless reading is throttled, the stream has ended, or the user or a
        consumer holds the records.
        """
        if self._throttled or self.hasEnded:
            return False
        return self.input is None or not self.input.held & ~Hold.RESULT

    @property
    def awaited(self) -> Deferred[object] | None:
        """
        The result that must arrive before the next record is delivered; None if there
        is none.
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
        Deliver the records that have been received and those that will be.
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
        Stop checking the liveness of the connection.
        """
        watch, self.watch = self.watch, None
        if watch is not None:
            watch.stop()

    # -- whether the transport is read

    def read(self, wanted: bool) -> None:
        """
        Resume or pause reading from the transport.

        @param wanted: True to resume.
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
        The awaited result of a callback has arrived: resume reading if it was
        throttled.
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
        Change the size of the next read, and pause the transport if too many bytes
        wait.

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
        Choose the size of the next read.

        Large reads need fewer turns of the reactor. But a large buffer makes the read
        of a few bytes slower, and while records are held, all bytes of a large read
        stay in memory. So reads are large only while the peer fills them and no records
        are held.
        """
        throughTLS = self._socket is not self.transport
        usual, size = self._usual, self._socket.bufferSize
        least = TLS_RECORD if throughTLS else usual
        if length < least or records > MANY_RECORDS or isHeld:
            size = usual
        elif size < LARGE_READ and 2 * records <= MANY_RECORDS:
            size = min(2 * size, LARGE_READ)
            if size == LARGE_READ:
                # glibc returns free memory to the system when there is more than twice
                # the largest block that was ever freed. A large read and its records
                # exceed that, so each read would have to request its memory again
                # (benchmark row: lines of 1 KiB). Freeing a larger block raises the
                # threshold. Its pages are never touched, so it takes no memory.
                bytes(2 * size)
        if not throughTLS:
            self.full = size
        self.few = least if size > usual else 0
        # This is also the transport's high-water mark for push producers, but the
        # outbound side is a pull producer.
        self._socket.bufferSize = size
