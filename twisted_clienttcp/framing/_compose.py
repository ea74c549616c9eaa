"""
Framings made of framings.

A layer (L{Map}, L{Grep}, L{RecordBlock}) converts the records of the framing below it,
and is L{Converted}. A framing that splits bytes can also be above another one: it
decodes the stream that the records of that one form (L{_Across}).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .._validators import count, flag
from ..errors import FramingError, RecordTooLong
from ._base import Buffer, Framing
from ._buffer import InputBuffer
from ._converted import Above, Converted
from ._stream import Stream

#: How many bytes of records that were filtered out may be kept, because an incomplete
#: list begins before them.
_DROPPED = 32 * 1024


class Layer(Converted):
    """
    A framing that can be above any other one. By itself it is above a L{Stream}, so
    each read is one record to it.
    """

    _reverses = False

    def __init__(self) -> None:
        super().__init__(Stream())


class _ByFunctions(Layer):
    """
    A layer that consists of a function for input and one for output.
    """

    def __init__(
        self,
        *,
        get: Callable[[Any], Any] | None = None,
        put: Callable[[Any], Any] | None = None,
        code: Callable[[Any], Any] | None = None,
    ) -> None:
        """
        @param get: the function for received records (POE: Get). It may be called more
            than once for a record: when another framing takes over, and by a
            L{RecordBlock} above.
        @param put: the function for records that are sent (POE: Put).
        @param code: one function for both (POE: Code).

        @raise TypeError: if one of them is not a function, or is missing, or if there
            is one too many.
        """
        super().__init__()
        if code is not None:
            if get is not None or put is not None:
                raise TypeError("code serves both directions: give it, or get and put")
            get = put = code
        elif get is None or put is None:
            raise TypeError("give code, or both get and put")
        for name, function in (("get", get), ("put", put)):
            if not callable(function):
                name = name if code is None else "code"
                raise TypeError(f"{name} must be a function, not {function!r}")
        self._get: Callable[[Any], Any] = get
        self._put: Callable[[Any], Any] = put

    def _results(self, record: Any, result: Any) -> Iterable[Any]:
        """
        Return the records that the result of a function for a record means.
        """
        raise NotImplementedError

    def _fromLower(self, record: Any) -> Iterable[Any]:
        return self._results(record, self._get(record))

    def _toLower(self, record: Any) -> Iterable[Any]:
        return self._results(record, self._put(record))


class Map(_ByFunctions):
    """
    Records converted by a function (POE::Filter::Map). It returns the new record; a
    list or an iterator means several records, or none. A record that is itself a list
    must be returned in a list.
    """

    def _results(self, record: Any, result: Any) -> Iterable[Any]:
        return result if isinstance(result, (list, Iterator)) else [result]


class Grep(_ByFunctions):
    """
    Only the records for which a function returns something true (POE::Filter::Grep).
    """

    def _results(self, record: Any, result: Any) -> Iterable[Any]:
        return [record] if result else []


def _decodesAgain(framing: Framing[Any]) -> bool:
    """
    Return True if decoding the same bytes again returns the same records, from
    wherever a unit begins.
    """
    while type(framing).takeBack is Converted.takeBack:
        framing = framing._lower  # type: ignore[attr-defined]
    return framing.chunkInvariant and type(framing).takeBack is Framing.takeBack


class RecordBlock(Layer):
    """
    Lists of C{size} records (POE::Filter::RecordBlock). A list that is put is sent
    record by record.

    The bytes of an incomplete list stay in the connection's buffer, and are decoded
    again when the list is complete, since records take much more memory than their
    bytes. Where that is impossible (above a framing that cannot decode them again, or
    around records that were skipped or filtered out) the records are kept.
    """

    def __init__(self, *, size: int, checkPut: bool = False) -> None:
        """
        @param size: how many records make a list (POE: BlockSize).
        @param checkPut: send only as many records as make whole lists, and keep the
            others for the next list that is put (POE: CheckPut).

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if the size is not positive.
        """
        self._size = count("size", size, 1)
        self._checkPut = flag("checkPut", checkPut)
        super().__init__()
        self._clear()

    def _clear(self) -> None:
        #: About C{data[start:searched]}: how many of its bytes are whole units of the
        #: lower framing, how many records these hold, how many of their bytes hold no
        #: record, and what the last one swallows.
        self._counted = (0, 0, 0, b"")
        #: The limit when these were decoded.
        self._limit = self.maxLength
        #: The index at which the record that is skipped begins, from the start of the
        #: list.
        self._skipped = 0
        #: The first records of the next list, and the bytes that they came from, which
        #: are consumed.
        self._kept: list[Any] = []
        self._source = bytearray()
        #: The encoded records that were put and have not been sent.
        self._unsent: list[bytes] = []
        self._again = _decodesAgain(self._lower)

    def on(self, lower: Framing[Any]) -> Any:
        unused = super().on(lower)
        unused._clear()
        return unused

    def fresh(self) -> Any:
        unused = super().fresh()
        unused._clear()
        return unused

    def takeBack(self) -> bytes:
        kept, self._kept = self._kept, []
        source, self._source = bytes(self._source), bytearray()
        back = super().takeBack()
        if not self._again and self._lower.reversible:
            # The bytes may also hold records that were delivered.
            try:
                return self._lower.encodeMany(kept) + back
            except Exception:
                # The limit has been lowered.
                pass
        # A lower framing that keeps bytes may have kept the last of these.
        return source if source.endswith(back) else source + back

    # -- decoding

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[Any], int] | None:
        lower = self._lower
        swallows = lower.swallows
        counted, count, dropped, pending = 0, 0, 0, b""
        if searched > start:
            counted, count, dropped, pending = self._counted
        else:
            self._limit = lower.maxLength
        position = begin = start + counted
        wanted = self._size - len(self._kept) - count
        records: list[Any] = []
        lower.swallows = pending if position > start else swallows
        #: An error follows behind records of the last unit.
        follows = False
        try:
            while True:
                if position > start:
                    position = self._swallowed(data, position)
                if position == len(data) and not lower.hasMore:
                    break
                begin = position
                follows = position > start and lower.hasMore
                found = lower.decode(data, position, max(position, searched))
                if found is None:
                    break
                more, position = found
                records += more
                if len(records) >= wanted:
                    break
                if not self._again:
                    self._kept += records
                    self._source += memoryview(data)[begin:position]
                    return [], position
                if not more:
                    dropped += position - begin
                    if (not count and not records) or dropped > _DROPPED:
                        self._keep(data, start, position)
                        return [], position
        except Exception as error:
            if not (isinstance(error, RecordTooLong) and error.skipped):
                lower.swallows = swallows
                raise
            if follows:
                # Decoding the unit again would raise this again.
                raise FramingError(f"a part of a list was too long: {error}") from error
            self._skipped = position - start
            if error.end is not None:
                behind = lower.swallows
                self._keepSkipped(data, start)
                lower.swallows = behind
            raise
        if len(records) < wanted:
            count += len(records)
            self._counted = position - start, count, dropped, lower.swallows
            lower.swallows = swallows
            return None
        records = self._kept + self._decoded(data, start, start + counted) + records
        return self._lists(records, data, begin, position), position

    def _swallowed(self, data: Buffer, position: int) -> int:
        """
        Return the index behind the second half of the last newline, if that comes next.
        """
        lower = self._lower
        if lower.swallows and data[position : position + 1] == lower.swallows:
            lower.swallows = b""
            position += 1
        return position

    def _lists(
        self, records: list[Any], data: Buffer, begin: int, end: int
    ) -> list[list[Any]]:
        """
        Return the complete lists of these records, and keep the records behind them,
        which come from C{data[begin:end]}.
        """
        size = self._size
        whole = len(records) - len(records) % size
        self._kept = records[whole:]
        self._source = bytearray(data[begin:end] if self._kept else b"")
        return [records[n : n + size] for n in range(0, whole, size)]

    def _units(
        self, data: Buffer, start: int, end: int
    ) -> Iterator[tuple[list[Any], int, int]]:
        """
        Decode whole units of the lower framing again.
        """
        lower = self._lower
        swallows, limit = lower.swallows, lower.maxLength
        lower.maxLength = self._limit
        try:
            while start < end:
                found = lower.decode(data, start, start)
                assert found is not None, "the lower framing has returned this unit"
                yield found[0], start, found[1]
                start = self._swallowed(data, found[1])
        finally:
            lower.maxLength = limit
            lower.swallows = swallows

    def _decoded(self, data: Buffer, start: int, end: int) -> list[Any]:
        return [r for records, _, _ in self._units(data, start, end) for r in records]

    def _keep(self, data: Buffer, start: int, end: int) -> None:
        """
        Keep the records of these units, which are consumed.
        """
        for records, begin, behind in self._units(data, start, end):
            if records:
                self._kept += records
                self._source += memoryview(data)[begin:behind]

    def _keepSkipped(self, data: Buffer, start: int) -> int:
        """
        Keep the records before the one that is skipped.

        @return: the index at which that one begins.
        """
        begin = start + self._skipped
        self._skipped = 0
        self._keep(data, start, begin)
        return begin

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
        # The position of the last whole list is not known.
        return [], start

    def decodeEnd(self, data: Buffer, start: int) -> list[Any] | None:
        counted = self._counted[0] if start < len(data) else 0
        last = self._lower.decodeEnd(data, start + counted)
        records = self._kept + self._decoded(data, start, start + counted)
        records += last or ()
        if len(records) < self._size:
            return None
        return self._lists(records, data, start + counted, len(data))

    def skip(self, data: Buffer, start: int, searched: int) -> tuple[int, bool]:
        begin = self._keepSkipped(data, start)
        return self._lower.skip(data, begin, max(begin, searched))

    # -- encoding

    def encode(self, record: Sequence[Any]) -> bytes:
        """
        @return: the encoded records of a list. With C{checkPut} these are those of
            whole lists.

        @raise TypeError: if it is not a list or tuple.
        @raise Exception: as the lower framing for the first record for which it raises.
            None of the records is sent then.
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


class _Across(Framing[Any]):
    """
    A framing that decodes the stream that the records of another framing, which are
    bytes, form.

    A unit is a unit of the lower framing. The upper framing has an input buffer of its
    own, which holds the beginning of its next record.
    """

    def __init__(self, lower: Framing[Any], upper: Framing[Any]) -> None:
        self._lower = lower
        self._upper = InputBuffer(upper)
        #: The error behind the records of the upper framing that were returned, and the
        #: one behind all that was decoded by the lower framing.
        self._error: FramingError | None = None
        self._late: FramingError | None = None
        #: The upper framing may have more records or errors.
        self._unread = False
        self.chunkInvariant = lower.chunkInvariant and upper.chunkInvariant
        self.reversible = lower.reversible and upper.reversible

    @property
    def maxLength(self) -> int:
        return self._upper.framing.maxLength

    @maxLength.setter
    def maxLength(self, maxLength: int) -> None:
        self._upper.framing.maxLength = maxLength

    @property
    def onTooLong(self) -> str:  # type: ignore[override]
        return self._upper.framing.onTooLong

    @property
    def swallows(self) -> bytes:
        return self._lower.swallows

    @swallows.setter
    def swallows(self, swallows: bytes) -> None:
        self._lower.swallows = swallows

    @property
    def hasMore(self) -> bool:  # type: ignore[override]
        return self._unread or self._lower.hasMore

    def fresh(self) -> _Across:
        return type(self)(self._lower.fresh(), self._upper.framing.fresh())

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[Any], int] | None:
        if self._error is not None:
            error, self._error = self._error, None
            if isinstance(error, RecordTooLong):
                # The buffer of the upper framing skips its record.
                error.end = start
            raise error
        if self._unread:
            return self._records(), start
        found = self._lower.decode(data, start, searched)
        if found is None:
            return None
        self._append(found[0])
        return self._records(), found[1]

    def _append(self, pieces: list[Any]) -> None:
        for piece in pieces:
            if not isinstance(piece, bytes):
                self._late = FramingError(
                    f"{type(self._upper.framing).__name__} decodes bytes, but the "
                    f"framing below it has returned {type(piece).__name__}"
                )
                break
            self._upper.append(piece)

    def _records(self) -> list[Any]:
        """
        Return the records of the upper framing, up to the next error.
        """
        records: list[Any] = []
        try:
            while (more := self._upper.decodeMany()) is not None:
                records += more
            error, self._late = self._late, None
        except FramingError as raised:
            error = raised
        self._error = error
        self._unread = error is not None
        return records

    def decodeEnd(self, data: Buffer, start: int) -> list[Any] | None:
        unfinished = self._upper.rest
        pieces = self._lower.decodeEnd(data, start)
        self._append(pieces or [])
        records = self._records()
        if self._error is None:
            records += self._upper.decodeEnd()
        if records or not pieces:
            return records or pieces
        # The bytes count as not consumed.
        self._upper = InputBuffer(self._upper.framing)
        self._upper.append(unfinished)
        return None

    def skip(self, data: Buffer, start: int, searched: int) -> tuple[int, bool]:
        return self._lower.skip(data, start, searched)

    def takeBack(self) -> bytes:
        self._error = self._late = None
        self._unread = False
        return self._encoded(self._upper.takeRest()) + self._lower.takeBack()

    def _encoded(self, data: bytes) -> bytes:
        """
        Encode bytes so that the lower framing decodes them as the same stream.
        """
        if not data:
            return b""
        try:
            return self._lower.encode(data)
        except RecordTooLong:
            half = len(data) // 2
            if half:
                return self._encoded(data[:half]) + self._encoded(data[half:])
        except Exception:
            pass
        # A part of a block of fixed size: such blocks are a stream of bytes.
        return data

    def encode(self, record: Any) -> bytes:
        return self._lower.encode(self._upper.framing.encode(record))


def _across(lower: Framing[Any], upper: Framing[Any]) -> Framing[Any]:
    return upper if type(lower) is Stream else _Across(lower, upper)


class Stackable(Above):
    """
    Framings above each other (POE::Filter::Stackable): the second framing decodes the
    records of the first one, and so on; records that are put go the other way.

    Limits are those of the parts. C{maxLength} and C{onTooLong} are those of the last
    framing that splits bytes.
    """

    def __init__(self, *, framings: Sequence[Framing[Any]]) -> None:
        """
        @param framings: the framings, the one next to the network first (POE: Filters).
            The stack uses fresh ones.

        @raise TypeError: if one of them is not a framing.
        @raise ValueError: if there are none.
        """
        if not isinstance(framings, (list, tuple)):
            raise TypeError(f"framings must be a list of framings, not {framings!r}")
        if not framings:
            raise ValueError("framings must contain at least one framing")
        parts: list[Framing[Any]] = []
        for index, framing in enumerate(framings):
            if not isinstance(framing, Framing):
                raise TypeError(
                    f"framings[{index}] must be a framing such as Line(), not "
                    f"{framing!r}"
                )
            parts += framing._parts if isinstance(framing, Stackable) else [framing]
        #: The framings given, of which this and other stacks make fresh ones.
        self._parts: tuple[Framing[Any], ...] = tuple(parts)
        # The layers above a framing that splits bytes belong to it: so an incomplete
        # list stays in one buffer.
        segments: list[Framing[Any]] = []
        for part in parts:
            if segments and isinstance(part, Layer):
                segments[-1] = part.on(segments[-1])
            elif not segments or type(part) is not Stream:
                segments.append(part.fresh())
        self._lower = segments[0]
        for upper in segments[1:]:
            self._lower = _across(self._lower, upper)
        self.chunkInvariant = self._lower.chunkInvariant
        self.reversible = self._lower.reversible

    def fresh(self) -> Any:
        parts, self._parts = self._parts, ()
        try:
            unused = super().fresh()
        finally:
            self._parts = parts
        unused._parts = parts
        return unused

    @property
    def hasMore(self) -> bool:  # type: ignore[override]
        return self._lower.hasMore

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[Any], int] | None:
        return self._lower.decode(data, start, searched)

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
        return self._lower.decodeMany(data, start)

    def decodeEnd(self, data: Buffer, start: int) -> list[Any] | None:
        return self._lower.decodeEnd(data, start)

    def skip(self, data: Buffer, start: int, searched: int) -> tuple[int, bool]:
        return self._lower.skip(data, start, searched)

    def takeBack(self) -> bytes:
        return self._lower.takeBack()

    def encode(self, record: Any) -> bytes:
        """
        @return: the bytes that are sent for a record of the last framing.

        @raise Exception: as the parts do.
        """
        return self._lower.encode(record)

    def encodeMany(self, records: Sequence[Any]) -> bytes:
        return self._lower.encodeMany(records)
