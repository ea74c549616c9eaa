"""
The queue of encoded records that wait to be sent, without I/O.

Theory of operation:

 1. The queue counts the bytes that it contains and those that it has passed on, and
    passes on the next chunk only when the last one has been sent. So C{pending} is
    never less than the number of bytes that the kernel has not accepted.
 2. C{put} is on every user's fast path. It makes one comparison, with C{edge}, the
    number of pending bytes at which there is something to do. Everything that happens
    rarely is done in L{OutputQueue.reached}.
 3. The queue keeps whole records until it passes them on. So when a connection is lost,
    it is known which records were not passed to its transport.
 4. A queue that accepts no records has a L{Refusal}. Otherwise it may have a limit.
    L{OutputQueue._admit} checks both; C{put} skips it if there is neither.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from enum import Enum
from itertools import accumulate
from typing import Any, NoReturn, TypeVar

from ..errors import NotConnectedError, OutputFull
from ..framing import LengthPrefixed, Line, Netstring, Stream
from ..framing._base import AnyFraming
from ..framing._checks import bytesOf

#: The greatest number of bytes passed to a transport at a time. The smaller it is, the
#: more exact is the number of unsent bytes when a connection is lost. At this size, the
#: work for a chunk takes little time compared with the system call that sends it.
#: (Twisted sends at most 128 KiB in one call.)
CHUNK = 64 * 1024

#: The marks at which a producer is paused and resumed if the user has not set any: the
#: limits of the write buffers of asyncio and Twisted.
HIGH_MARK = 64 * 1024
LOW_MARK = 16 * 1024

#: The largest queue, in bytes, in which the number of records of a chunk is estimated.
_FEW = 4 * CHUNK

#: The greatest number of records to measure to find those that fit into a chunk.
_WINDOW = 2048

#: The empty batch, which all queues without a batch share to save memory.
_EMPTY: list[bytes | memoryview] = []

#: A number of bytes that is never reached.
NEVER = 1 << 62

#: Framings whose encode() returns bytes or raises.
_CHECKED = (Line, LengthPrefixed, Netstring, Stream)

#: The argument of a method of a framing that encodes: a record or several.
_Given = TypeVar("_Given")


class Refusal(Enum):
    """
    Why a queue accepts no records: the text for the caller of C{put}.
    """

    NO_CONNECTION = (
        "there is no connection: start() the client, and put in connected() or later, "
        "or after whenConnected(); in preConnect, use the negotiation; or set "
        "offlineLimit, so that records wait for a connection"
    )
    CLOSED = "the sending side of the connection is closed"
    STOPPED = "the client has stopped"


class Marks:
    """
    The high and the low mark. The object is immutable: to change the marks, replace it.

    @ivar given: True if the user has set them.
    """

    __slots__ = ("given", "high", "low")

    def __init__(self, high: int | None = None, low: int | None = None) -> None:
        """
        @param high: the high mark in bytes. If both marks are None, defaults are used,
            which apply only to producers.
        @param low: the low mark in bytes.

        @raise TypeError: if only one is None, or one is not an integer.
        @raise ValueError: unless 0 < low < high.
        """
        self.given = high is not None or low is not None
        if not self.given:
            high, low = HIGH_MARK, LOW_MARK
        for name, value, other in (
            ("highMark", high, "lowMark"),
            ("lowMark", low, "highMark"),
        ):
            if value is None:
                raise TypeError(f"{other} needs {name} too: set both marks, or neither")
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be a number of bytes, not {value!r}")
        assert high is not None and low is not None
        if not 0 < low < high:
            raise ValueError(
                f"the marks must be 0 < lowMark < highMark, not lowMark={low} and "
                f"highMark={high}"
            )
        self.high, self.low = high, low


class Encoded(bytes):
    """
    An encoded record that can be encoded again, because the connection that sends it
    may use a different framing.

    @ivar record: the record.
    @ivar origin: the framing whose fresh copy encoded it.
    """

    record: object
    origin: AnyFraming


class OutputQueue:
    """
    A queue of encoded records.

    @ivar encode: a function that encodes a record, or raises an exception if the record
        cannot be put.
    @ivar parts: the encoded records that were put last. To put a record, append it to
        this list, add its length to C{pending}, and if C{pending} is then at least
        C{edge}, call L{reached}.
    @ivar pending: the number of bytes in the queue and in the transport.
    @ivar edge: the value of C{pending} at which L{reached} must be called.
    @ivar passedOn: the number of these bytes that are in the transport.
    @ivar framing: encodes the records.
    @ivar origin: the framing that C{framing} is a fresh copy of; C{framing} itself if
        no other connection can have a copy.
    @ivar keepsRecords: True if records are kept with their bytes, for L{takeBack}.
    @ivar limit: the greatest number of pending bytes; None for no limit.
    @ivar marks: the marks.
    @ivar refusal: why records are not accepted; None if they are.
    """

    __slots__ = (
        "_batch",
        "_bytes",
        "_grouped",
        "_owned",
        "_records",
        "edge",
        "encode",
        "framing",
        "keepsRecords",
        "limit",
        "marks",
        "origin",
        "parts",
        "passedOn",
        "pending",
        "refusal",
    )

    encode: Callable[[object], bytes]

    def __init__(
        self,
        framing: AnyFraming,
        marks: Marks,
        *,
        origin: AnyFraming | None = None,
        limit: int | None = None,
        keepsRecords: bool = False,
    ) -> None:
        """
        @param framing: see L{use}.
        @param origin: see L{use}.
        @param marks: the marks.
        @param limit: the greatest number of pending bytes; None for no limit.
        @param keepsRecords: True to keep the records, for L{takeBack}.
        """
        self.marks = marks
        self.parts: list[bytes] = []
        #: The records that were put before those in C{parts}, oldest last. The oldest
        #: may be a view of the rest of a record. An empty list is replaced, not
        #: extended.
        self._batch = _EMPTY
        self.pending = 0
        self.passedOn = 0
        self.edge = 0
        self.refusal: Refusal | None = None
        # The number of bytes and of list entries that were passed on, and how many more
        # records than entries were put.
        self._bytes = 0
        self._records = 0
        self._grouped = 0
        #: The index, in the order of all records put, of the first record that another
        #: connection may send.
        self._owned = NEVER
        self.limit = limit
        self.keepsRecords = keepsRecords
        self.use(framing, origin)

    # -- what is put

    def use(self, framing: AnyFraming, origin: AnyFraming | None = None) -> None:
        """
        Encode records with another framing from now on.

        @param framing: a fresh framing.
        @param origin: the framing that it is a fresh copy of; None if no other
            connection can have a copy.
        """
        self.framing = framing
        self.origin = origin or framing
        self._chooseEncode()

    def configure(self, limit: int | None, keepsRecords: bool) -> None:
        """
        Change the limit. Records that are already in the queue stay there.

        @param limit: see the constructor.
        @param keepsRecords: see the constructor.
        """
        self.limit = limit
        self.keepsRecords = keepsRecords
        self._chooseEncode()

    def refuse(self, refusal: Refusal | None) -> None:
        """
        Stop or resume accepting records.

        @param refusal: why they are not accepted; None to accept them.
        """
        self.refusal = refusal
        self._chooseEncode()

    def _chooseEncode(self) -> None:
        if self.refusal is not None:
            self.encode = self._raise
        elif self.keepsRecords or self.limit is not None:
            self.encode = self._encodeOne
        else:
            self.encode = checked(self.framing, self.framing.encode)

    def _raise(self, record: object) -> NoReturn:
        assert self.refusal is not None
        raise NotConnectedError(f"cannot put: {self.refusal.value}")

    def _encodeOne(self, record: object) -> bytes:
        encoded = self.encodeAnyway(record)
        self._admit(len(encoded))
        return encoded

    def encodeAnyway(self, record: object) -> bytes:
        """
        Encode a record for L{adopt}, without regard to the limit and to C{refusal}.

        @raise TypeError: if the framing does not accept records of this type.
        @raise FramingError: if the framing cannot encode this record.
        """
        encoded = checked(self.framing, self.framing.encode)(record)
        if self.keepsRecords:
            encoded = Encoded(encoded)
            encoded.record = record
            encoded.origin = self.origin
        return encoded

    def _admit(self, size: int) -> None:
        """
        @param size: a number of bytes to put.

        @raise NotConnectedError: if records are not accepted.
        @raise OutputFull: if these bytes would exceed the limit.
        """
        if self.refusal is not None:
            self._raise(None)
        pending, limit, setting = self.room()
        if limit is not None and pending + size > limit:
            raise OutputFull(size, pending, limit, setting)

    def room(self) -> tuple[int, int | None, str]:
        """
        @return: the number of pending bytes, their limit, and the name of the setting
            that is the limit. Subclasses override this.
        """
        return self.pending, self.limit, "outputLimit"

    def put(self, record: object) -> bool:
        """
        Put a record.

        @return: True if the pending output has reached the user's high mark.

        @raise NotConnectedError: if records are not accepted.
        @raise OutputFull: if the limit would be exceeded.
        @raise TypeError: if the framing does not accept records of this type.
        @raise FramingError: if the framing cannot encode this record.
        """
        return self.adopt([self.encode(record)])

    def write(self, data: bytes | bytearray | memoryview) -> bool:
        """
        Put bytes unchanged, without the framing.

        @return: see L{put}.

        @raise TypeError: if the argument is not bytes.
        @raise Exception: see L{put}.
        """
        encoded = bytesOf(data)
        self._admit(len(encoded))
        return self.adopt([encoded])

    def putMany(self, records: Iterable[object]) -> bool:
        """
        Put records. If one of them cannot be encoded, put none.

        @return: see L{put}.

        @raise Exception: see L{put}.
        """
        records = list(records)
        self._admit(0)
        grouped = 0
        if self.keepsRecords:
            parts = list(map(self.encodeAnyway, records))
        elif records:
            parts = [checked(self.framing, self.framing.encodeMany)(records)]
            grouped = len(records) - 1
        else:
            parts = []
        self._admit(sum(map(len, parts)))
        self._grouped += grouped
        return self.adopt(parts)

    def adopt(self, parts: list[bytes]) -> bool:
        """
        Put encoded records, without regard to the limit.

        @return: see L{put}.
        """
        self.parts += parts
        self.pending += sum(map(len, parts))
        return bool(parts) and self.pending >= self.edge and self.reached()

    def reached(self) -> bool:
        """
        Handle the case that C{pending} has reached C{edge}. Subclasses override this.

        @return: see L{put}.
        """
        return self.marks.given and self.pending >= self.marks.high

    # -- what is passed on

    @property
    def accepted(self) -> tuple[int, int]:
        """
        The numbers of bytes and records that were put, without those taken back.
        """
        queued = self.pending - self.passedOn
        waiting = len(self._batch) + len(self.parts)
        return self._bytes + queued, self._records + waiting + self._grouped

    def take(self) -> bytes:
        """
        Remove the next chunk from the queue, to pass it to the transport. L{sent} must
        have been called for the last chunk.

        @return: at most L{CHUNK} bytes; empty if the queue is empty.
        """
        chunk = b""
        if not self._batch and self.pending <= CHUNK:
            chunk = b"".join(self.parts)
            self._records += len(self.parts)
            self.parts.clear()
        else:
            # Empty records may precede the others.
            while not chunk and (self._batch or self.parts):
                chunk = self._takePart()
        self.passedOn = len(chunk)
        self._bytes += len(chunk)
        return chunk

    def _takePart(self) -> bytes:
        """
        Remove some of the oldest records, or a part of the oldest one, from the queue.

        @return: their bytes.
        """
        batch = self._batch
        if not batch:
            # Reverse the list: removing a record from its end takes constant time.
            self._batch = batch = [*reversed(self.parts)]
            self.parts.clear()
        if not self.parts and self.pending <= _FEW:
            # Usually all records of a queue have about the same length. Joining an
            # estimated number of them takes less time than measuring them (benchmark
            # row: put).
            count = len(batch) // -(-self.pending // CHUNK)
            chunk = b"".join(batch[: -count - 1 : -1])
            if count and len(chunk) <= CHUNK:
                del batch[-count:]
                self._records += count
                return chunk
        window = batch[: -_WINDOW - 1 : -1]
        count = bisect_right(list(accumulate(map(len, window))), CHUNK)
        if not count:
            first = memoryview(window[0])
            batch[-1] = first[CHUNK:]
            return bytes(first[:CHUNK])
        del batch[-count:]
        self._records += count
        return b"".join(window[:count])

    def sent(self) -> None:
        """
        Note that the kernel has accepted everything that was passed on.
        """
        self.pending -= self.passedOn
        self.passedOn = 0

    # -- what another connection can send

    def own(self) -> None:
        """
        Reserve the records that were put until now for this connection, because they
        may be a login: another connection must not send them. Only the first call has
        an effect.
        """
        waiting = len(self._batch) + len(self.parts)
        self._owned = min(self._owned, self._records + waiting)

    def takeBack(self, limit: int) -> list[bytes]:
        """
        Remove the records that another connection can send: those of which nothing was
        passed on, except those that L{own} has reserved. Until L{own} is called, every
        record is reserved.

        @param limit: the greatest number of bytes to remove.

        @return: the removed records, oldest first. The bytes that remain pending are
            those in the transport, the rest of a record that was partly passed on,
            those of reserved records, and those beyond the limit.
        """
        # Only the first record can be a memoryview, and it is not removed.
        waiting: list[Any] = self._batch[::-1] + self.parts
        isCut = bool(waiting) and isinstance(waiting[0], memoryview)
        first = min(max(self._owned - self._records, int(isCut)), len(waiting))
        ends = accumulate(map(len, waiting[first:]))
        last = first + bisect_right(list(ends), limit)
        taken = waiting[first:last]
        self._batch = waiting[:first][::-1]
        self.parts = waiting[last:]
        self.pending -= sum(map(len, taken))
        return taken


def checked(
    framing: AnyFraming, encode: Callable[[_Given], bytes]
) -> Callable[[_Given], bytes]:
    """
    Check that the framing of a user returns bytes. Our own framings are known to.

    @param framing: the framing.
    @param encode: its method C{encode} or C{encodeMany}.

    @return: a function that calls the method, and raises a L{TypeError} if the result
        is not bytes; for our own framings, the method itself.
    """
    if type(framing) in _CHECKED:
        return encode

    def encodeAndCheck(record: _Given) -> bytes:
        encoded = encode(record)
        if type(encoded) is not bytes:
            name = f"{type(framing).__name__}.{encode.__name__}"
            raise TypeError(f"{name}() must return bytes, not {encoded!r:.60}")
        return encoded

    return encodeAndCheck
