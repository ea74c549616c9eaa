"""
Framings made of framings.

A stack is made of pairs. What makes records of records (L{Map}, L{Grep},
L{RecordBlock}) lies above another framing and counts its records, as L{Converted} has
it. What cuts octets lies across another framing, whose records are nothing but a stream
to it: what it hands over is the end of that stream, of which the records that came last
are handed over as they came, and the part of one before them as a record of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..errors import FramingError, RecordTooLong, TruncatedRecord
from ._common import collect, thenRaise
from ._converted import Converted
from ._interface import Framing
from ._stream import Stream


class Layer(Converted):
    """
    What can lie above any framing. By itself it lies above a L{Stream}, so each read is
    one record to it.
    """

    _reverses = False

    def __init__(self) -> None:
        super().__init__(Stream())


class _ByFunctions(Layer):
    """
    A layer that is one function for input and one for output.
    """

    def __init__(
        self,
        *,
        get: Callable[[Any], Any] | None = None,
        put: Callable[[Any], Any] | None = None,
        code: Callable[[Any], Any] | None = None,
    ) -> None:
        """
        @param get: the function for records that are received (POE: Get).
        @param put: the function for records that are put (POE: Put).
        @param code: one for both (POE: Code).

        @raise TypeError: if one of them is no function, or missing, or one too many.
        """
        super().__init__()
        if code is not None:
            if get is not None or put is not None:
                raise TypeError("code replaces get and put: give code, or get and put")
            get = put = code
        elif get is None or put is None:
            raise TypeError("code, or both get and put, must be given")
        for name, function in (("get", get), ("put", put)):
            if not callable(function):
                name = name if code is None else "code"
                raise TypeError(f"{name} must be a function, not {function!r}")
        self._get: Callable[[Any], Any] = get
        self._put: Callable[[Any], Any] = put

    def _results(self, record: Any, result: Any) -> Iterable[Any]:
        """
        @return: the records that a function's result stands for.
        """
        raise NotImplementedError

    def _convert(self, record: Any) -> Iterable[Any]:
        return self._results(record, self._get(record))

    def _give(self, record: Any) -> Iterable[Any]:
        return self._results(record, self._put(record))


class Map(_ByFunctions):
    """
    Records changed by a function (POE::Filter::Map). What it returns is the record; a
    list or an iterator are several records, or none. So a record that is a list itself
    is returned in a list.
    """

    def _results(self, record: Any, result: Any) -> Iterable[Any]:
        return result if isinstance(result, (list, Iterator)) else [result]


class Grep(_ByFunctions):
    """
    Only the records for which a function returns something true
    (POE::Filter::Grep).
    """

    def _results(self, record: Any, result: Any) -> Iterable[Any]:
        return [record] if result else []


class RecordBlock(Layer):
    """
    Lists of C{size} records (POE::Filter::RecordBlock). A list that is put is sent
    record by record.
    """

    def __init__(self, *, size: int, checkPut: bool = False) -> None:
        """
        @param size: the records in each list (POE: BlockSize).
        @param checkPut: send only as many records as make whole lists, and keep the
            others for the next one that is put (POE: CheckPut).

        @raise TypeError: if an argument is of the wrong type.
        @raise ValueError: if the size is not positive.
        """
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"size must be a number of records, not {size!r}")
        if size < 1:
            raise ValueError(f"size must be at least 1 record, not {size}")
        if not isinstance(checkPut, bool):
            raise TypeError(f"checkPut must be True or False, not {checkPut!r}")
        self._size = size
        self._checkPut = checkPut
        super().__init__()

    def _lieOn(self, below: Framing) -> None:
        super()._lieOn(below)
        #: What was put and has not been sent.
        self._kept: list[Any] = []

    def _empty(self) -> None:
        super()._empty()
        #: The records that make no list yet, and how many of its first list the last
        #: batch did not bring.
        self._waiting: list[Any] = []
        self._old = 0
        #: The octets of those that came before it.
        self._held: list[bytes] = []
        #: Whether what comes next may be the end of their last newline.
        self._open = False

    def feed(self, data: bytes) -> Iterable[Any]:
        """
        @return: the lists that are complete now.

        @raise FramingError: from the iterator, behind the lists before it, if the
            framing below raised one.
        """
        self._hold()
        if data and self._open:
            self._open = False
            if self.swallows and data.startswith(self.swallows):
                self._held.append(self.swallows)
        return self._made(self._below.feed, data)

    def _hold(self) -> None:
        """
        Keep the octets of those records from the last batch which make no list yet.
        """
        if len(self._waiting) <= self._count:
            self._held = []
            self._open = False
        fresh = min(len(self._waiting), self._count)
        if fresh:
            # How many octets they are is seen when they are taken back and cut again.
            octets = self._below.release(self._count - fresh)
            collect(self, self._below.feed, octets)
            rest = self._below.release(fresh)
            collect(self, self._below.feed, rest)
            self._held.append(octets[: len(octets) - len(rest)])
            self._open = not rest

    def _made(self, make: Callable[..., Iterable[Any]], *args: Any) -> Iterable[Any]:
        records, fault = collect(self._below, make, *args)
        self._count = len(records)
        self._old = len(self._waiting)
        records = [*self._waiting, *records]
        whole = len(records) - len(records) % self._size
        self._waiting = records[whole:]
        made = [records[n : n + self._size] for n in range(0, whole, self._size)]
        return made if fault is None else thenRaise(made, fault)

    def finish(self) -> Iterable[Any]:
        """
        @return: the lists which the end of the stream completes.

        @raise TruncatedRecord: from the iterator, if a record or a list is not
            complete.
        """
        self._hold()
        made, fault = collect(self, self._made, self._below.finish)
        if self._waiting and (fault is None or isinstance(fault, TruncatedRecord)):
            rest = b"" if made else self.release(0)
            self._waiting = []
            fault = TruncatedRecord(rest + (fault.rest if fault else b""))
        return made if fault is None else thenRaise(made, fault)

    def _give(self, record: Sequence[Any]) -> Iterable[Any]:
        if not isinstance(record, (list, tuple)):
            raise TypeError(f"RecordBlock takes a list of records, not {record!r:.60}")
        if not self._checkPut:
            return record
        self._kept += record
        whole = len(self._kept) - len(self._kept) % self._size
        given, self._kept = self._kept[:whole], self._kept[whole:]
        return given

    def _wholeFrom(self, number: int) -> int:
        # Each list has records of its own.
        return number

    def release(self, delivered: int) -> bytes:
        """
        @return: the octets behind the first C{delivered} lists of the last batch.
        """
        taken = delivered * self._size - self._old
        held = b"" if delivered else b"".join(self._held)
        octets = held + self._below.release(max(taken, 0))
        if held:
            # What that one would swallow is not what comes next.
            self._below = self._below.clone()
        self._empty()
        return octets


class _Across:
    """
    A framing that cuts the records of another one, which are octets.
    """

    def __init__(self, lower: Framing, upper: Framing) -> None:
        self._lower = lower
        self._upper = upper
        self.chunkInvariant = lower.chunkInvariant and upper.chunkInvariant
        self.reversible = lower.reversible and upper.reversible
        self._empty()

    def _empty(self) -> None:
        #: The records of the lower one that the last batch was made of.
        self._pieces: list[bytes] = []
        #: The upper one goes on with what stands behind a fault.
        self._goesOn = False
        #: Faults of the lower one, behind one of the upper one.
        self._late: list[FramingError] = []

    def feed(self, data: bytes) -> Iterable[Any]:
        if not data and (self._goesOn or self._late):
            return self._cut(b"", None)
        return self._made(self._lower.feed, data)

    def _made(self, make: Callable[..., Iterable[Any]], *args: Any) -> Iterable[Any]:
        pieces, fault = collect(self._lower, make, *args)
        for place, piece in enumerate(pieces):
            if not isinstance(piece, bytes):
                del pieces[place:]
                fault = FramingError(
                    f"{type(self._upper).__name__} splits bytes, but the framing below "
                    f"it returned {type(piece).__name__}"
                )
                break
        self._pieces = pieces
        return self._cut(b"".join(pieces), fault)

    def _cut(self, octets: bytes, fault: FramingError | None) -> Iterable[Any]:
        records, above = collect(self._upper, self._upper.feed, octets)
        self._goesOn = above is not None
        faults = [each for each in (above, *self._late, fault) if each is not None]
        self._late = faults[1:]
        return thenRaise(records, faults[0]) if faults else records

    def finish(self) -> Iterable[Any]:
        records, fault = collect(self, self._made, self._lower.finish)
        more, above = collect(self._upper, self._upper.finish)
        if isinstance(above, TruncatedRecord):
            # It is told in octets as they came.
            rest = fault.rest if isinstance(fault, TruncatedRecord) else b""
            above = TruncatedRecord(self._framed(above.rest) + rest)
        records, fault = records + more, above or fault
        return records if fault is None else thenRaise(records, fault)

    def _framed(self, octets: bytes) -> bytes:
        """
        @return: octets that are read back as these.
        """
        if not octets:
            return b""
        try:
            return self._lower.frame(octets)
        except RecordTooLong:
            half = len(octets) // 2
            if half:
                return self._framed(octets[:half]) + self._framed(octets[half:])
        except Exception:
            pass
        # Part of a block of fixed size: such blocks are nothing but octets.
        return octets

    def frame(self, record: Any) -> bytes:
        return self._lower.frame(self._upper.frame(record))

    def release(self, delivered: int) -> bytes:
        rest = self._upper.release(delivered)
        end, fresh = len(rest), 0
        for piece in reversed(self._pieces):
            if not rest.endswith(piece, 0, end):
                break
            end -= len(piece)
            fresh += 1
        behind = self._lower.release(len(self._pieces) - fresh)
        self._empty()
        return self._framed(rest[:end]) + behind

    def clone(self) -> _Across:
        return _Across(self._lower.clone(), self._upper.clone())


class Stackable:
    """
    Framings above each other (POE::Filter::Stackable): what the first one reads from
    the network is read by the second one, and so on; what is put goes the other way.

    Limits are those of its parts. What a part raises on reading, if it is no
    L{FramingError}, becomes one.
    """

    def __init__(self, *, framings: Sequence[Framing]) -> None:
        """
        @param framings: the framings, that next to the network first (POE: Filters).
            They are cloned.

        @raise TypeError: if one of them is no framing.
        @raise ValueError: if there is none.
        """
        if not isinstance(framings, (list, tuple)):
            raise TypeError(f"framings must be a list of framings, not {framings!r}")
        if not framings:
            raise ValueError("framings must have at least one framing")
        parts: list[Framing] = []
        for position, framing in enumerate(framings):
            if isinstance(framing, type) or not all(
                callable(getattr(framing, name, None))
                for name in ("feed", "finish", "frame", "release", "clone")
            ):
                raise TypeError(
                    f"framings[{position}] must be a framing such as Line(), not "
                    f"{framing!r}"
                )
            parts += framing._parts if isinstance(framing, Stackable) else [framing]
        # Reads that are given on as they come: what cuts them can do so by itself.
        while (
            len(parts) > 1
            and type(parts[0]) is Stream
            and not isinstance(parts[1], Layer)
        ):
            del parts[0]
        self._parts: list[Framing] = [part.clone() for part in parts]
        # For each part that cuts what lies across those before, with its layers.
        cut: list[Framing] = []
        for part in self._parts:
            if cut and isinstance(part, Layer):
                cut[-1] = part.on(cut[-1])
            elif not cut or type(part) is not Stream:
                cut.append(part)
        self._top = cut[0]
        for upper in cut[1:]:
            self._top = _Across(self._top, upper)
        self.chunkInvariant = self._top.chunkInvariant
        self.reversible = self._top.reversible

    @property
    def swallows(self) -> bytes:
        """
        As L{Framing.release} has it.
        """
        swallows: bytes = getattr(self._top, "swallows", b"")
        return swallows

    def feed(self, data: bytes) -> Iterable[Any]:
        """
        @return: the records of the last framing that are complete now.

        @raise FramingError: from the iterator, behind the records before it, if one of
            the framings found a fault.
        """
        return self._top.feed(data)

    def finish(self) -> Iterable[Any]:
        """
        @return: the records which the end of the stream completes.

        @raise TruncatedRecord: from the iterator, if one of the framings holds octets
            that are no record.
        """
        return self._top.finish()

    def frame(self, record: Any) -> bytes:
        """
        @return: the octets for a record of the last framing. What one of them raises
            goes to who put the record.
        """
        return self._top.frame(record)

    def release(self, delivered: int) -> bytes:
        """
        @return: the octets behind the first C{delivered} records of the last batch; the
            octets of a record that several others were made of count as taken when all
            of these are delivered.
        """
        return self._top.release(delivered)

    def clone(self) -> Stackable:
        """
        @return: an empty one of clones of the same framings.
        """
        return type(self)(framings=self._parts)
