"""
The queue of encoded records that wait to be sent, without I/O.

Theory of operation:

 1. The queue counts the bytes that it holds and those that it has passed on, and passes
    on the next chunk only when the last one has been sent. So C{pending} is never less
    than the number of bytes that the kernel has not accepted.
 2. C{put} is on every user's fast path. It makes one comparison, with C{edge}, the
    number of pending bytes at which there is something to do. Everything that is rare
    is done in L{OutputQueue.reached}.
 3. The queue holds whole records until it passes them on. So when a connection is lost,
    it is known which records no transport has received.
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

#: How many bytes are passed to a transport at a time. The smaller it is, the less
#: remains uncertain when a connection is lost. At this size, the work per chunk costs
#: little compared with the system call that sends it (Twisted sends at most 128 KiB).
CHUNK = 64 * 1024

#: The marks at which a producer is paused and resumed if the user has set none: those
#: of the write buffers of asyncio and Twisted.
HIGH_MARK = 64 * 1024
LOW_MARK = 16 * 1024

#: The largest queue, in bytes, in which the number of records of a chunk is estimated.
_FEW = 4 * CHUNK

#: How many records are measured to find those that make a chunk.
_WINDOW = 2048

#: The batch of a queue that has none: few queues ever have one.
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
    The high and the low mark. Marks do not change: a user who changes them replaces the
    object.

    @ivar given: True if the user has set them.
    """

    __slots__ = ("given", "high", "low")

    def __init__(self, high: int | None = None, low: int | None = None) -> None:
        """
        @param high: in bytes; None, with C{low} None too, for the marks that apply only
            to producers.
        @param low: in bytes.

        @raise TypeError: if only one is None, or one is not a number.
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
    An encoded record, and what is needed to encode it again: another connection may use
    another framing.

    @ivar record: the record.
    @ivar origin: the framing whose fresh copy encoded it.
    """

    record: object
    origin: AnyFraming


class OutputQueue:
    """
    A queue of encoded records.

    @ivar encode: a function that encodes a record, or raises the reason why it cannot
        be put.
    @ivar parts: the encoded records that were put last. To put one, append it here, add
        its length to C{pending}, and call L{reached} if C{pending} is then at least
        C{edge}.
    @ivar pending: the number of bytes in the queue and in the transport.
    @ivar edge: the value of C{pending} at which L{reached} must be called.
    @ivar passedOn: the number of these bytes that are in the transport.
    @ivar framing: encodes the records.
    @ivar origin: the framing that C{framing} is a fresh copy of; C{framing} itself if
        no other connection can have a copy.
    @ivar keepsRecords: True if records are kept with their bytes, for L{takeBack}.
    @ivar limit: how many bytes may be pending; None for no limit.
    @ivar marks: the marks.
    @ivar refusal: why no records are accepted; None if they are.
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
        @param limit: how many bytes may be pending; None for no limit.
        @param keepsRecords: True to keep the records, for L{takeBack}.
        """
        self.marks = marks
        self.parts: list[bytes] = []
        #: The records that were put before those in C{parts}, the oldest last. The
        #: oldest may be a view of the rest of a record. The list is replaced when it is
        #: empty.
        self._batch = _EMPTY
        self.pending = 0
        self.passedOn = 0
        self.edge = 0
        self.refusal: Refusal | None = None
        # The number of bytes and entries that were passed on, and how many more records
        # than entries were put.
        self._bytes = 0
        self._records = 0
        self._grouped = 0
        #: The number of the first record that another connection may send.
        self._owned = NEVER
        self.limit = limit
        self.keepsRecords = keepsRecords
        self.use(framing, origin)

    # -- what is put

    def use(self, framing: AnyFraming, origin: AnyFraming | None = None) -> None:
        """
        Encode records with another framing from now on.

        @param framing: a fresh framing.
        @param origin: the framing that it is a copy of; None if this does not matter.
        """
        self.framing = framing
        self.origin = origin or framing
        self._chooseEncode()

    def configure(self, limit: int | None, keepsRecords: bool) -> None:
        """
        Change the limit. Records that are in the queue stay there.

        @param limit: see the constructor.
        @param keepsRecords: see the constructor.
        """
        self.limit = limit
        self.keepsRecords = keepsRecords
        self._chooseEncode()

    def refuse(self, refusal: Refusal | None) -> None:
        """
        Accept no records from now on, or accept them again.

        @param refusal: see C{refusal}.
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
        Encode a record for L{adopt}.

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
        @raise NotConnectedError: if the queue has a refusal.
        @raise OutputFull: if this many more bytes would exceed the limit.
        """
        if self.refusal is not None:
            self._raise(None)
        pending, limit, setting = self.room()
        if limit is not None and pending + size > limit:
            raise OutputFull(size, pending, limit, setting)

    def room(self) -> tuple[int, int | None, str]:
        """
        @return: how many bytes are pending, how many may be, and the name of the
            setting that says so. Subclasses override this.
        """
        return self.pending, self.limit, "outputLimit"

    def put(self, record: object) -> bool:
        """
        Put a record.

        @return: True if the pending output has reached the user's high mark.

        @raise NotConnectedError: if the queue has a refusal.
        @raise OutputFull: if the limit would be exceeded.
        @raise TypeError: if the framing does not accept records of this type.
        @raise FramingError: if the framing cannot encode this record.
        """
        return self.adopt([self.encode(record)])

    def write(self, data: bytes | bytearray | memoryview) -> bool:
        """
        Put bytes as they are.

        @return: see L{put}.

        @raise TypeError: if the argument is not bytes.
        @raise Exception: see L{put}.
        """
        encoded = bytesOf(data)
        self._admit(len(encoded))
        return self.adopt([encoded])

    def putMany(self, records: Iterable[object]) -> bool:
        """
        Put records; if one of them cannot be encoded, put none.

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
        Act on the fact that C{pending} has reached C{edge}. Subclasses override this.

        @return: see L{put}.
        """
        return self.marks.given and self.pending >= self.marks.high

    # -- what is passed on

    @property
    def accepted(self) -> tuple[int, int]:
        """
        The number of bytes and records that were put, less those taken back.
        """
        queued = self.pending - self.passedOn
        waiting = len(self._batch) + len(self.parts)
        return self._bytes + queued, self._records + waiting + self._grouped

    def take(self) -> bytes:
        """
        Pass on the next chunk. The last chunk must have been L{sent}.

        @return: at most L{CHUNK} bytes; none if the queue is empty.
        """
        chunk = b""
        if not self._batch and self.pending <= CHUNK:
            chunk = b"".join(self.parts)
            self._records += len(self.parts)
            self.parts.clear()
        else:
            # Records without bytes may precede the others.
            while not chunk and (self._batch or self.parts):
                chunk = self._takePart()
        self.passedOn = len(chunk)
        self._bytes += len(chunk)
        return chunk

    def _takePart(self) -> bytes:
        """
        Take some of the oldest records, or a part of the oldest one, from the queue.
        """
        batch = self._batch
        if not batch:
            # Records are removed from the end of a list in constant time each.
            self._batch = batch = [*reversed(self.parts)]
            self.parts.clear()
        if not self.parts and self.pending <= _FEW:
            # Most records of a queue have about the same length. Measuring all of them
            # would cost more than joining an estimated number of them (benchmark row:
            # put).
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
        Everything that was passed on has been sent.
        """
        self.pending -= self.passedOn
        self.passedOn = 0

    # -- what another connection can send

    def own(self) -> None:
        """
        Reserve the records that were put until now, such as a login, for this
        connection: another one must not send them. Only the first call has an effect.
        """
        waiting = len(self._batch) + len(self.parts)
        self._owned = min(self._owned, self._records + waiting)

    def takeBack(self, limit: int) -> list[bytes]:
        """
        Remove the records of which nothing was passed on, except those that L{own} has
        reserved for this connection. Until L{own} is called, every record is reserved.

        @param limit: the largest number of bytes to take back.

        @return: these records, the oldest first. The bytes that remain pending are
            those in the transport, the rest of a record that was passed on in part, and
            those beyond the limit.
        """
        # Only the first can be a memoryview, and that one stays.
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
    Return a function that calls C{encode}, a method of the framing, and raises a
    L{TypeError} if it does not return bytes. Our own framings need no such check.
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
