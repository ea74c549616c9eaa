"""
Framings that are built from other framings.

A layer converts each record of the framing below it into any number of records: with a
function (L{Map}, L{Grep}), by collecting several in a list (L{RecordBlock}), or by
splitting the byte stream that they form (L{_Across}). L{Stackable} combines any number
of framings.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from math import prod
from typing import Any, TypeVar

from .._validators import count, flag
from ..errors import FramingError, RecordTooLong
from ._base import AnyFraming, Buffer, Converter, Framing
from ._buffer import InputBuffer
from ._converted import Above
from ._prefixed import LengthPrefixed
from ._stream import Stream

_Self = TypeVar("_Self", bound="Layer")


class Layer(Above[Any]):
    """
    Converts each record of another framing, the lower framing, into any number of
    records. Used alone, its lower framing is a L{Stream}, so that it converts each
    read.

    Its units are those of the lower framing. Each record is converted only once: a unit
    is consumed before its records are converted, and without C{decodeMany}, no unit is
    decoded again. If a record cannot be converted, the records before it are returned
    first.
    """

    _reverses = False

    def __init__(self) -> None:
        self._setLower(Stream())

    def _setLower(self, lower: AnyFraming) -> None:
        super()._setLower(lower)
        #: The records of the last unit that are not converted yet.
        self._unread: deque[Any] = deque()
        #: The error that follows the records that were returned.
        self._error: Exception | None = None

    def on(self: _Self, lower: AnyFraming) -> _Self:
        """
        Return an unused copy of this layer, above another framing.
        """
        unused = self.fresh()
        unused._setLower(lower)
        return unused

    def fresh(self: _Self) -> _Self:
        unused = super().fresh()
        unused._setLower(unused._lower)
        return unused

    def _fromLower(self, record: object) -> Iterable[object]:
        """
        Return the records made from one record of the lower framing.

        @raise Exception: if it cannot be converted. The iteration of the result may
            raise this too.
        """
        raise NotImplementedError

    @property
    def hasMore(self) -> bool:  # type: ignore[override]
        return self._error is not None or bool(self._unread) or self._lower.hasMore

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[object], int] | None:
        if self._error is not None:
            error = self._error
            if isinstance(error, RecordTooLong) and error.skipped:
                # The unit is consumed.
                self._error, error.end = None, start
            raise error
        if not self._unread:
            found = self._lower.decode(data, start, searched)
            if found is None:
                return None
            self._unread.extend(found[0])
            start = found[1]
        return self._converted(), start

    def _converted(self) -> list[object]:
        """
        Convert the records of the last unit, up to the first error.
        """
        records: list[object] = []
        unread = self._unread
        try:
            while unread:
                records += self._fromLower(unread.popleft())
        except Exception as error:
            self._error = error
        return records

    def decodeEnd(self, data: Buffer, start: int) -> list[object] | None:
        last = self._lower.decodeEnd(data, start)
        self._unread.extend(last or ())
        return None if last is None else self._converted()

    def takeBack(self) -> bytes:
        unread = [*self._unread]
        self._unread.clear()
        self._error = None
        return _encoded(self._lower, unread) + self._lower.takeBack()


def _encoded(framing: AnyFraming, records: Iterable[object]) -> bytes:
    """
    Encode decoded records, so that they can be decoded again. A record that the framing
    cannot encode is encoded in parts or left as it is: the limit may have been lowered,
    or the record is a part of a block of fixed size.
    """
    encoded = bytearray()
    for record in records:
        try:
            encoded += framing.encode(record)
        except Exception as error:
            if not isinstance(record, bytes):
                continue
            half = len(record) // 2
            if half and isinstance(error, RecordTooLong):
                encoded += _encoded(framing, (record[:half], record[half:]))
            else:
                encoded += record
    return bytes(encoded)


class _ByFunctions(Layer):
    """
    A layer that consists of one function for input and one for output.
    """

    def __init__(
        self,
        *,
        get: Callable[[Any], object] | None = None,
        put: Callable[[Any], object] | None = None,
        code: Callable[[Any], object] | None = None,
    ) -> None:
        """
        @param get: the function for received records (POE: Get). It is called exactly
            once for each record, in order. If it raises an exception, the record cannot
            be decoded.
        @param put: the function for records to send (POE: Put). L{encode} passes its
            exceptions on.
        @param code: one function for both directions (POE: Code).

        @raise TypeError: if an argument is not a function, if C{get} or C{put} is
            missing, or if C{code} is combined with them.
        """
        super().__init__()
        if code is not None:
            if get is not None or put is not None:
                raise TypeError("code replaces get and put: pass code, or get and put")
            get = put = code
        elif get is None or put is None:
            raise TypeError("pass code, or both get and put")
        for name, function in (("get", get), ("put", put)):
            if not callable(function):
                name = name if code is None else "code"
                raise TypeError(f"{name} must be a function, not {function!r}")
        self._get: Callable[[Any], object] = get
        self._put: Callable[[Any], object] = put

    def _results(self, record: object, result: object) -> Iterable[object]:
        """
        Return the records to deliver or send instead of a record, for which the
        function has returned C{result}.
        """
        raise NotImplementedError

    def _fromLower(self, record: object) -> Iterable[object]:
        return self._results(record, self._get(record))

    @property
    def above(self) -> tuple[AnyFraming, Converter] | None:  # type: ignore[override]
        lower = self._lower
        if self.hasMore:
            return None
        if lower.above is not None:
            base, below = lower.above
            return base, lambda record: (
                each for one in below(record) for each in self._fromLower(one)
            )
        if type(lower).decodeMany is Framing.decodeMany:
            return None
        return lower, self._fromLower

    def encode(self, record: object) -> bytes:
        """
        Encode the result of C{put}.

        @param record: a record that C{put} accepts.

        @return: the result of C{put}, encoded by the lower framing.

        @raise Exception: any exception that C{put} or the lower framing raises.
        """
        return self._lower.encodeMany([*self._results(record, self._put(record))])


class Map(_ByFunctions):
    """
    Records that a function converts (POE::Filter::Map). The function returns the new
    record; or a list or an iterator of records, which may be empty. To return a record
    that is a list, put it in another list.
    """

    def _results(self, record: object, result: object) -> Iterable[object]:
        return result if isinstance(result, (list, Iterator)) else (result,)


class Grep(_ByFunctions):
    """
    Only the records for which a function returns a true value (POE::Filter::Grep).
    """

    def _results(self, record: object, result: object) -> Iterable[object]:
        return (record,) if result else ()


#: Encodes the records that a L{RecordBlock} stores: many short C{bytes} objects would
#: take many times as much memory.
_STORE = LengthPrefixed(prefixSize="varint", maxLength=sys.maxsize)


class RecordBlock(Layer):
    """
    Lists of C{size} records (POE::Filter::RecordBlock). A list that is put is sent
    record by record. If another framing takes over, it decodes the bytes of an
    incomplete list. At the end of the stream, they are reported as truncated.

    An incomplete list takes about as much memory as its bytes, which are decoded a
    second time when it is complete. Above L{Map}, L{Grep} and other framings that
    cannot decode them twice, it takes the memory of the records too.
    """

    def __init__(self, *, size: int, checkPut: bool = False) -> None:
        """
        @param size: the number of records in a list (POE: BlockSize).
        @param checkPut: True to send only complete lists, and keep the remaining
            records until more are put (POE: CheckPut).

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if C{size} is not positive.
        """
        self._size = count("size", size, 1)
        self._checkPut = flag("checkPut", checkPut)
        super().__init__()

    def _setLower(self, lower: AnyFraming) -> None:
        super()._setLower(lower)
        #: The sizes of the innermost lists, of the lists of these, and so on. All of
        #: them are made in one step, from the records of the framing below the
        #: innermost.
        self._sizes = [self._size]
        while isinstance(lower, RecordBlock):
            self._sizes.insert(0, lower._size)
            lower = lower._lower
        self._base = lower
        self._wanted = prod(self._sizes)
        #: True if decoding a unit again returns the same record. This is so for a
        #: framing with C{decodeMany}, which has no state, unless it splits long lines:
        #: this depends on the limit at that time.
        self._decodesAgain = (
            type(lower).decodeMany is not Framing.decodeMany
            and lower.chunkInvariant
            and lower.onTooLong != "split"
        )
        #: The encoded records that were put and have not been sent.
        self._unsent: list[bytes] = []
        self._clear()

    def _clear(self) -> None:
        #: The number of records for the next list.
        self._count = 0
        #: The bytes of the units of these records, if the units will be decoded again
        #: or the records cannot be encoded again; and how many records of these units
        #: have been delivered already.
        self._source = bytearray()
        self._delivered = 0
        #: True if the last unit that was decoded is one of these units.
        self._endsWithUnit = False
        #: The highest C{maxLength} with which these units were decoded.
        self._limit = 0
        #: The records, if their units are not decoded again: those before the first
        #: that is not C{bytes}, encoded by L{_STORE}, and the others.
        self._stored = bytearray()
        self._others: list[object] = []

    @property
    def swallows(self) -> bytes:
        return self._lower.swallows

    @swallows.setter
    def swallows(self, swallows: bytes) -> None:
        if self._source and self._endsWithUnit:
            # The second byte of the newline of the last unit has arrived.
            self._source += self._lower.swallows
        self._lower.swallows = swallows

    # -- decoding

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[object], int] | None:
        found = self._base.decode(data, start, searched)
        if found is None:
            return None
        records, end = found
        if not records:
            self._endsWithUnit = False
            return [], end
        unit = data[start:end]
        self._keep(records, unit)
        if self._count < self._wanted:
            return [], end
        return self._lists(self._kept(), unit, len(records)), end

    def _keep(self, records: list[object], unit: Buffer) -> None:
        """
        Keep the records of a unit for the next list.
        """
        self._count += len(records)
        self._endsWithUnit = True
        if self._decodesAgain or not self._base.reversible:
            self._source += unit
        if self._decodesAgain:
            self._limit = max(self._limit, self._base.maxLength)
            return
        for record in records:
            if type(record) is bytes and not self._others:
                self._stored += _STORE.encode(record)
            else:
                self._others.append(record)

    def _kept(self) -> list[object]:
        """
        Return the records for the next list.
        """
        if not self._decodesAgain:
            return _STORE.decodeMany(bytes(self._stored), 0)[0] + self._others
        records: list[object] = []
        buffer = InputBuffer(self._base.fresh())
        buffer.framing.maxLength = self._limit
        buffer.append(bytes(self._source))
        while (more := buffer.decode(many=True)) is not None:
            records += more
        return records[self._delivered :]

    def _lists(self, records: list[object], unit: Buffer, ofUnit: int) -> list[object]:
        """
        Return records in lists, and keep the remaining ones, which are among the last
        C{ofUnit} records, those of C{unit}.
        """
        self._clear()
        over = len(records) % self._wanted
        if over:
            self._keep(records[-over:], unit)
            self._delivered = ofUnit - over
            del records[-over:]
        for size in self._sizes:
            starts = range(0, len(records), size)
            records = [records[start : start + size] for start in starts]
        return records

    def decodeEnd(self, data: Buffer, start: int) -> list[object] | None:
        last = self._base.decodeEnd(data, start)
        if not last:
            return last
        if self._count + len(last) < self._wanted:
            return None
        return self._lists(self._kept() + last, data[start:], len(last))

    def takeBack(self) -> bytes:
        back = bytes(self._source) or _encoded(self._base, self._kept())
        self._clear()
        return back + self._base.takeBack()

    # -- encoding

    def encode(self, record: Sequence[object]) -> bytes:
        """
        Encode a list of records, one after the other.

        @param record: a list or tuple of records.

        @return: the encoded records of the list; with C{checkPut}, those of complete
            lists.

        @raise TypeError: if it is not a list or tuple.
        @raise Exception: the exception that the lower framing raises for the first
            record that it cannot encode. No record is sent in this case.
        """
        if not isinstance(record, (list, tuple)):
            raise TypeError(
                f"RecordBlock accepts a list of records, not {record!r:.60}"
            )
        if not self._checkPut:
            return self._lower.encodeMany(record)
        encoded = [*self._unsent, *map(self._lower.encode, record)]
        whole = len(encoded) - len(encoded) % self._size
        self._unsent = encoded[whole:]
        return b"".join(encoded[:whole])


class _Across(Layer):
    """
    Decodes with an upper framing the byte stream that the records of a lower framing
    form. These records must be bytes.

    The upper framing has its own input buffer, which holds the beginning of its next
    record. Limits are those of the upper framing.
    """

    def __init__(self, lower: AnyFraming, upper: AnyFraming) -> None:
        self._upper = InputBuffer(upper)
        #: The incomplete unit of the lower framing at the end of the stream.
        self._incomplete = b""
        self._setLower(lower)
        self.chunkInvariant = lower.chunkInvariant and upper.chunkInvariant
        self.reversible = lower.reversible and upper.reversible

    def _limited(self) -> AnyFraming:
        return self._upper.framing

    def fresh(self) -> _Across:
        return type(self)(self._lower.fresh(), self._upper.framing.fresh())

    @property
    def swallows(self) -> bytes:
        swallowed = self._upper.swallows
        if not swallowed:
            return self._lower.swallows
        try:
            unit = self._lower.encode(swallowed)
        except Exception:
            return b""
        # A longer unit may also contain bytes that follow this byte.
        return unit if len(unit) == 1 else b""

    @swallows.setter
    def swallows(self, swallows: bytes) -> None:
        self._lower.swallows = self._upper.framing.swallows = swallows

    def _fromLower(self, record: object) -> Iterator[object]:
        upper = self._upper
        if not isinstance(record, bytes):
            raise FramingError(
                f"{type(upper.framing).__name__} decodes bytes, but the framing below "
                f"it has returned {type(record).__name__}"
            )
        try:
            if record:
                upper.append(record)
            while (more := upper.decode(many=True)) is not None:
                yield from more
        except FramingError:
            # More records may follow one that is skipped.
            self._unread.appendleft(b"")
            raise

    def decodeEnd(self, data: Buffer, start: int) -> list[object] | None:
        upper, before = self._upper, self._upper.rest
        records = super().decodeEnd(data, start)
        try:
            if self._error is None and (more := upper.decodeEnd()):
                if records is None:
                    self._incomplete = bytes(data[start:])
                records = [*(records or ()), *more]
        except FramingError as error:
            self._error = error
        if records == [] and self._error is None and upper.rest != before:
            # The last records of the lower framing do not complete a record of the
            # upper one, so their bytes are not consumed.
            self._upper = InputBuffer(upper.framing)
            self._upper.append(before)
            return None
        return records

    def takeBack(self) -> bytes:
        rest = b"".join([self._upper.takeRest(), *filter(None, self._unread)])
        self._unread = deque([rest] if rest else ())
        incomplete, self._incomplete = self._incomplete, b""
        return super().takeBack() + incomplete

    def encode(self, record: object) -> bytes:
        """
        Encode a record with the upper framing, and the result with the lower one.

        @return: the bytes to send.

        @raise Exception: any exception that one of the two framings raises.
        """
        return self._lower.encode(self._upper.framing.encode(record))


class Stackable(Above[Any]):
    """
    A stack of framings (POE::Filter::Stackable): the second framing decodes the records
    of the first one, and so on. Records that are put pass through the framings in
    reverse order.

    Each framing has its own limit. The C{maxLength} and C{onTooLong} of the stack are
    those of the last framing that splits bytes.
    """

    def __init__(self, *, framings: Sequence[AnyFraming]) -> None:
        """
        @param framings: the framings, beginning with the one next to the network (POE:
            Filters). The stack uses fresh copies of them.

        @raise TypeError: if one of them is not a framing.
        @raise ValueError: if the list is empty.
        """
        if not isinstance(framings, (list, tuple)):
            raise TypeError(f"framings must be a list of framings, not {framings!r}")
        if not framings:
            raise ValueError("framings must contain at least one framing")
        parts: list[AnyFraming] = []
        for index, framing in enumerate(framings):
            if not isinstance(framing, Framing):
                raise TypeError(
                    f"framings[{index}] must be a framing such as Line(), not "
                    f"{framing!r}"
                )
            parts += framing.parts() if isinstance(framing, Stackable) else [framing]
        #: Returns the framings passed to the constructor. (It is a function because
        #: C{fresh} would copy a list of framings.)
        self.parts: Callable[[], list[AnyFraming]] = lambda: parts
        # A layer goes directly above the framing that splits bytes below it, so that
        # the bytes of an incomplete list need not be encoded again.
        segments: list[AnyFraming] = []
        for part in parts:
            if segments and isinstance(part, Layer):
                segments[-1] = part.on(segments[-1])
            elif segments and type(segments[-1]) is Stream:
                segments[-1] = part.fresh()
            elif not segments or type(part) is not Stream:
                segments.append(part.fresh())
        super().__init__(reduce(_Across, segments))

    @property
    def above(self) -> tuple[AnyFraming, Converter] | None:  # type: ignore[override]
        return self._lower.above
