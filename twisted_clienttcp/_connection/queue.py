"""
The bytes that wait to be sent, with their marks, without I/O.

Theory of operation:

 1. The queue counts what it has and what it has handed out, so that the number it
    gives is never less than what stands in user space: bytes handed out count until
    the transport says that it is empty.
 2. Queueing a record is on every user's fast path. So it makes one comparison, with
    C{edge}, the count from which there is more to do: nothing at all while the queue is
    idle, else the high mark. All that is rare happens behind it, in
    L{OutputQueue.reached}.
 3. The queue keeps whole records until it hands them out. So those that no transport
    was handed are known when a connection is lost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any, NoReturn

from ..errors import NotConnectedError
from ..framing import Framing, LengthPrefixed, Line, Netstring, Stream
from ..framing._checks import bytesOf

#: How many bytes a transport is handed at a time. So little that what a lost
#: connection leaves in doubt is small, and so much that a chunk costs nothing
#: beside the system call that sends it (Twisted sends 128 KiB at the most).
CHUNK = 64 * 1024

#: The marks at which a producer is paused and resumed if the user has given none:
#: the write buffer's of asyncio and Twisted.
HIGH_MARK = 64 * 1024
LOW_MARK = 16 * 1024

#: Up to how many bytes a chunk may be guessed.
_FEW = 4 * CHUNK

#: How many records are looked at to find as many as make a chunk.
_WINDOW = 2048

#: A count of bytes that is never reached.
_NEVER = 1 << 62

#: Framings that give bytes or raise.
_SURE = (Line, LengthPrefixed, Netstring, Stream)


class Marks:
    """
    The high and the low mark. They do not change: other ones are other marks.

    @ivar given: they are the user's, not those for producers alone.
    """

    __slots__ = ("given", "high", "low")

    def __init__(self, high: int | None = None, low: int | None = None) -> None:
        """
        @param high: in bytes; None, as C{low}, for no marks.

        @raise TypeError: if only one is given, or one is no number.
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


class OutputQueue:
    """
    A queue of framed records that is emptied in chunks. Who empties it is a subclass,
    and is told when there is something to do.

    @ivar encode: encodes a record; raises if none is accepted.
    @ivar parts: what was queued, record by record. Who appends to it adds to
        C{pending}, and calls L{reached} if that is at C{edge} then.
    @ivar pending: how many bytes are queued or in the transport's hands.
    @ivar edge: see above.
    @ivar handed: how many of those are in the transport's hands.
    @ivar idle: L{wake} is to be called at the next bytes that are queued.
    @ivar isHigh: the high mark has been reached, and the low one not since.
    """

    __slots__ = (
        "_byUser",
        "_bytes",
        "_closed",
        "_framing",
        "_grouped",
        "_marks",
        "_next",
        "_offset",
        "_owned",
        "_produced",
        "_records",
        "edge",
        "encode",
        "handed",
        "idle",
        "isHigh",
        "parts",
        "pending",
    )

    def __init__(self, framing: Framing[Any], marks: Marks) -> None:
        self._marks = marks
        self._produced = False
        self.idle = True
        #: Why nothing is accepted any more, if that is so.
        self._closed = ""
        self._framing = framing
        self.encode: Callable[[Any], bytes] = checked(framing, framing.encode)
        self.parts: list[bytes] = []
        # The place in the parts up to which all was handed out, and how many bytes
        # were of the one behind that.
        self._next = 0
        self._offset = 0
        self.pending = 0
        self.handed = 0
        self.edge = 0
        self.isHigh = False
        #: The high mark that was reached is the user's.
        self._byUser = False
        # How many bytes and entries of the queue were handed out, and how many records
        # more than entries there are.
        self._bytes = 0
        self._records = 0
        self._grouped = 0
        #: The first of them that is not of this connection alone.
        self._owned = _NEVER

    # -- what there is to do about it

    def wake(self) -> None:
        """
        Something is queued where nothing was going on.
        """

    def high(self, marked: bool) -> None:
        """
        What is pending has reached the high mark.

        @param marked: it is a mark of the user's.
        """

    def low(self, marked: bool) -> None:
        """
        What is pending has fallen to the low mark, after L{high}.
        """

    # -- what comes in

    @property
    def framing(self) -> Framing[Any]:
        """
        What frames the records.
        """
        return self._framing

    def use(self, framing: Framing[Any]) -> None:
        """
        Frame the records with another framing from now on.
        """
        self._framing = framing
        if not self._closed:
            self.encode = checked(framing, framing.encode)

    def close(self, reason: str) -> None:
        """
        Accept nothing any more.

        @param reason: what whoever tries is told.
        """
        self._closed = reason
        self.encode = self._refuse

    def _refuse(self, record: object) -> NoReturn:
        raise NotConnectedError(f"cannot put: {self._closed}")

    def send(self, data: bytes) -> bool:
        """
        Queue bytes.

        @return: whether the output stands at or over the user's high mark.

        @raise NotConnectedError: if nothing is accepted.
        """
        if self._closed:
            self._refuse(data)
        self.parts.append(data)
        self.pending += len(data)
        return self.pending >= self.edge and self.reached()

    def write(self, data: bytes | bytearray | memoryview) -> bool:
        """
        Queue bytes as they are.

        @return: as L{send}.

        @raise TypeError: if that is not bytes.
        """
        return self.send(bytesOf(data))

    def adopt(self, parts: list[bytes]) -> bool:
        """
        Queue records that are framed already.

        @return: as L{send}.
        """
        self.parts += parts
        self.pending += sum(map(len, parts))
        return bool(parts) and self.pending >= self.edge and self.reached()

    def sendAll(self, records: Iterable[Any], apart: bool = False) -> bool:
        """
        Frame records and queue them, all or, if one cannot be framed, none.

        @param apart: keep their bytes apart, for L{giveBack}.

        @return: as L{send}.
        """
        framing, records = self._framing, list(records)
        if not records:
            return False
        if apart or self._closed:
            parts = list(map(self.encode, records))
        else:
            parts = [checked(framing, framing.encodeMany)(records)]
            self._grouped += len(records) - 1
        return self.adopt(parts)

    @property
    def accepted(self) -> tuple[int, int]:
        """
        How many bytes and records were queued in all, less those given back.
        """
        queued = self.pending - self.handed
        waiting = len(self.parts) - self._next
        return self._bytes + queued, self._records + waiting + self._grouped

    def reached(self) -> bool:
        """
        What is pending is at the edge: do what there is to do about it.

        @return: as L{send}.
        """
        if self.idle:
            self.idle = False
            self.wake()
        marks = self._marks
        isOver = self.pending >= marks.high
        if isOver and not self.isHigh and (marks.given or self._produced):
            self.isHigh = True
            self._byUser = marks.given
            self._aim()
            self.high(marks.given)
        else:
            self._aim()
        return isOver and marks.given

    def _aim(self) -> None:
        """
        Say from which count on there is more to do.
        """
        if self.idle:
            self.edge = 0
        elif self._marks.given or (self._produced and not self.isHigh):
            self.edge = self._marks.high
        else:
            self.edge = _NEVER

    def rest(self, idle: bool) -> None:
        """
        Begin or cease to be idle. Who ends it looks for what is queued himself.
        """
        self.idle = idle
        self._aim()

    @property
    def produced(self) -> bool:
        """
        Whether a producer is to be paused and resumed at the marks.
        """
        return self._produced

    @produced.setter
    def produced(self, produced: bool) -> None:
        self._produced = produced
        self.review()

    def mark(self, marks: Marks) -> None:
        """
        Have other marks.
        """
        self._marks = marks
        self.review()

    def review(self) -> None:
        """
        The marks are others, or count from now on: see whether they are reached.
        """
        marks = self._marks
        same = marks.given is self._byUser and (marks.given or self._produced)
        if self.isHigh and not same:
            self._lower()
        self._aim()
        if self.pending >= marks.high and not self.idle:
            self.reached()
        else:
            self._fall()

    # -- what goes out

    def take(self) -> bytes:
        """
        Hand out the next chunk. All chunks handed out before must be L{emptied}.

        @return: at most L{CHUNK} bytes; none if nothing is queued.
        """
        parts, first = self.parts, self._next
        if not parts:
            return b""
        chunk, count = b"", 0
        if self.pending <= _FEW and not self._offset:
            # Records are mostly of about one length: so many should make a chunk.
            count = (len(parts) - first) // max(1, -(-self.pending // CHUNK))
            chunk = b"".join(parts[first : first + count])
        if not count or len(chunk) > CHUNK:
            window = parts[first : first + _WINDOW]
            ends = list(accumulate(map(len, window)))
            count = bisect_right(ends, CHUNK) if not self._offset else 0
            if count:
                chunk = b"".join(window[:count])
            elif window:
                # One record alone is more than a chunk, or what is left of one.
                begin = self._offset
                chunk = window[0][begin : begin + CHUNK]
                self._offset = begin + len(chunk)
                if self._offset == len(window[0]):
                    self._offset = 0
                    count = 1
        self._next = first + count
        if self._next == len(parts):
            parts.clear()
            self._next = 0
        elif self._next > _WINDOW and self._next > len(parts) // 2:
            del parts[: self._next]
            self._next = 0
        else:
            # To move the others up each time would cost more than their places do.
            parts[first : self._next] = [b""] * count
        self.handed = len(chunk)
        self._bytes += len(chunk)
        self._records += count
        # Records without a byte may stand before those that have some.
        return chunk if chunk or not self.pending else self.take()

    def emptied(self) -> None:
        """
        The transport has nothing left of what it was handed.
        """
        self.pending -= self.handed
        self.handed = 0
        if self.isHigh:
            self._fall()

    def _fall(self) -> None:
        if self.isHigh and self.pending <= self._marks.low:
            self._lower()

    def _lower(self) -> None:
        self.isHigh = False
        self._aim()
        self.low(self._byUser)

    def own(self) -> None:
        """
        What was queued until now is of this connection alone (a login), and what comes
        later is not. The first time counts.
        """
        self._owned = min(self._owned, self._records + len(self.parts) - self._next)

    def giveBack(self, limit: int) -> list[bytes]:
        """
        Give up records of which nothing was handed out, for another connection; not
        what is this one's L{own}, which is all until that is called.

        @param limit: how many bytes they may be, at most.

        @return: these records, in order. What stays pending is in the transport's
            hands, or the rest of a record that is, or over the limit.
        """
        own = min(self._owned - self._records, len(self.parts) - self._next)
        first = self._next + max(own, bool(self._offset))
        ends = list(accumulate(map(len, self.parts[first:])))
        last = first + bisect_right(ends, limit)
        kept = self.parts[first:last]
        del self.parts[first:last]
        self.pending -= sum(map(len, kept))
        return kept


def checked(
    framing: Framing[Any], encode: Callable[[Any], Any]
) -> Callable[[Any], bytes]:
    """
    Return a function that calls C{encode}, a method of the framing, and raises a
    L{TypeError} if it does not return bytes. Our own framings need no such check.
    """
    if type(framing) in _SURE:
        return encode

    def checked(record: Any) -> bytes:
        encoded = encode(record)
        if type(encoded) is not bytes:
            name = f"{type(framing).__name__}.{encode.__name__}"
            raise TypeError(f"{name}() must return bytes, not {encoded!r:.60}")
        return encoded

    return checked
