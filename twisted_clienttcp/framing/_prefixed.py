"""
Records whose length is told before they come.

What all of these have in common is L{Measured}: an unfinished record is kept in the
pieces it arrived in and joined once, and its length is judged before its body comes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from ..errors import FramingError, RecordTooLong, TruncatedRecord
from ._common import (
    MAX_LENGTH,
    Octets,
    checkMaxLength,
    checkOnTooLong,
    octetsOf,
    thenRaise,
)


class Measure(NamedTuple):
    """
    The parts of a frame, in octets: what stands before the record, the record, and what
    stands behind it.
    """

    head: int
    body: int
    tail: int = 0


class Measured:
    """
    What a framing needs that can measure a frame by its head.
    """

    chunkInvariant = True
    reversible = True

    def __init__(self, maxLength: int, onTooLong: str) -> None:
        self._maxLength = checkMaxLength(maxLength)
        self._skips = checkOnTooLong(onTooLong)
        self._empty()

    def _empty(self) -> None:
        #: The octets of the unfinished frame, and its measure as soon as that is known.
        self._parts: list[bytes] = []
        self._held = 0
        self._measured: Measure | None = None
        #: How many octets of a frame that was too long are still to be dropped.
        self._dropping = 0
        #: What the last batch was made of, if it has any record or fault.
        self._source: list[bytes] = []

    # -- for subclasses

    def _measure(self, octets: bytes, start: int) -> Measure | None:
        """
        @return: the measure of the frame that begins there; None while its head is not
            complete.

        @raise FramingError: if no frame begins there.
        """
        raise NotImplementedError

    def _checkTail(self, tail: bytes) -> None:
        """
        @raise FramingError: if that is not what stands behind a record.
        """

    # -- the contract

    def feed(self, data: bytes) -> Iterable[bytes]:
        """
        @return: the records that are complete now.

        @raise RecordTooLong: from the iterator, behind the records before it, as soon
            as the length is known.
        @raise FramingError: likewise, if what comes is no frame.
        """
        self._source = []
        if self._dropping:
            dropped = min(self._dropping, len(data))
            self._dropping -= dropped
            data = data[dropped:]
        measured = self._measured
        if measured is not None:
            total = sum(measured)
            if self._held + len(data) < total:
                if data:
                    self._parts.append(data)
                    self._held += len(data)
                return []
            missing = total - self._held
            source = [*self._parts, data]
            parts = [self._parts[0][measured.head :], *self._parts[1:], data[:missing]]
            self._parts, self._held, self._measured = [], 0, None
            record = b"".join(parts)
            records = [record]
            try:
                if measured.tail:
                    self._checkTail(record[-measured.tail :])
                    records = [record[: -measured.tail]]
            except FramingError as fault:
                self._source = source
                return thenRaise([], fault)
            found = self._cut(data, records, missing)
            self._source = source
            return found
        if self._parts:
            source = [*self._parts, data]
            data = b"".join(source)
            self._parts, self._held = [], 0
        return self._cut(data, [])

    def _cut(
        self, data: bytes, records: list[bytes], start: int = 0
    ) -> Iterable[bytes]:
        """
        @return: the records, and those that stand in the octets from C{start} on.
        """
        end = len(data)
        while start < end:
            try:
                measured = self._measure(data, start)
                if measured is None:
                    self._keep(data[start:], None)
                    break
                head, body, tail = measured
                if body > self._maxLength:
                    stop = start + sum(measured)
                    return self._tooLong(data, stop, records, body)
                stop = start + head + body + tail
                if stop > end:
                    self._keep(data[start:], measured)
                    break
                if tail:
                    self._checkTail(data[stop - tail : stop])
            except FramingError as fault:
                self._source = [data]
                return thenRaise(records, fault)
            records.append(data[start + head : start + head + body])
            start = stop
        if records:
            self._source = [data]
        return records

    def _keep(self, rest: bytes, measured: Measure | None) -> None:
        self._parts = [rest]
        self._held = len(rest)
        self._measured = measured

    def _tooLong(
        self, data: bytes, stop: int, records: list[bytes], length: int
    ) -> Iterable[bytes]:
        fault = RecordTooLong(length, self._maxLength, self._skips)
        self._source = [data]
        if self._skips:
            # What stands behind it is for the next feed.
            self._dropping = max(stop - len(data), 0)
            if stop < len(data):
                self._keep(data[stop:], None)
        return thenRaise(records, fault)

    def finish(self) -> Iterable[bytes]:
        """
        @return: nothing.

        @raise TruncatedRecord: from the iterator, if a record is unfinished.
        """
        rest = b"".join(self._parts)
        self._empty()
        return thenRaise([], TruncatedRecord(rest)) if rest else []

    def release(self, delivered: int) -> bytes:
        """
        @return: the octets behind the first C{delivered} records of the last batch.
        """
        octets = b"".join(self._source or self._parts)
        self._empty()
        start = 0
        for _ in range(delivered):
            measured = self._measure(octets, start)
            assert measured is not None, "those records were delivered"
            start += sum(measured)
        return octets[start:]


#: The formats of fixed length fields by their size.
_FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}

#: For how many blocks of one length it is worth looking whether they are a run; so many
#: are unpacked at once.
_RUN = 8


class LengthPrefixed(Measured):
    """
    Records with their length before them, as a binary number
    (LengthFieldBasedFrameDecoder of Netty).

    A frame has C{offset} octets, the length field, and the rest; it is as long as all
    these and C{adjustment} together. By default the number counts what stands behind
    it, and that is the record.
    """

    def __init__(
        self,
        *,
        octets: int | str = 4,
        byteOrder: str = "big",
        offset: int = 0,
        adjustment: int = 0,
        strip: int | None = None,
        maxLength: int = MAX_LENGTH,
        onTooLong: str = "close",
    ) -> None:
        """
        @param octets: the size of the length field: 1, 2, 3, 4 or 8; or C{"varint"}, a
            base 128 number as in Protocol Buffers.
        @param byteOrder: C{"big"} or C{"little"}.
        @param offset: how many octets stand before the length field. They are sent as
            zeros, unless C{strip} leaves them in the record.
        @param adjustment: what is to be added to the number for the octets behind the
            field: -4, if it counts itself too and has 4 octets.
        @param strip: how many octets of the frame do not belong to the record: all to
            the end of the length field, if not given. A length field that is left in
            the record is filled in when that is sent.
        @param maxLength: the longest record in octets.
        @param onTooLong: C{"close"} the connection at a longer one, or C{"skip"} it.

        @raise TypeError: if an argument is of the wrong type.
        @raise ValueError: if one is out of its range.
        """
        super().__init__(maxLength, onTooLong)
        if octets not in (1, 2, 3, 4, 8, "varint") or isinstance(octets, bool):
            raise ValueError(
                f"octets must be 1, 2, 3, 4, 8 or 'varint', not {octets!r}"
            )
        if byteOrder not in ("big", "little"):
            raise ValueError(f"byteOrder must be 'big' or 'little', not {byteOrder!r}")
        for name, value in (("offset", offset), ("adjustment", adjustment)):
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name} must be a number of bytes, not {value!r}")
        if offset < 0:
            raise ValueError(f"offset must be 0 or more, not {offset}")
        self._varint = octets == "varint"
        self._size = 0 if isinstance(octets, str) else octets
        if strip is not None:
            if not isinstance(strip, int) or isinstance(strip, bool):
                raise TypeError(f"strip must be a number of bytes, not {strip!r}")
            if self._varint:
                raise ValueError(
                    "strip cannot be used with octets='varint', whose size varies"
                )
            if not 0 <= strip <= offset + self._size:
                raise ValueError(
                    f"strip must be from 0 to {offset + self._size}, where the length "
                    f"field ends, not {strip}"
                )
        self._byteOrder = byteOrder
        self._offset = offset
        self._adjustment = adjustment
        self._strip = strip
        #: A length that is left in the record is written anew.
        self.reversible = strip is None or strip == offset + self._size
        order = ">" if byteOrder == "big" else "<"
        self._field = (
            struct.Struct(order + _FORMATS[self._size])
            if self._size in _FORMATS
            else None
        )
        #: The plain case, which is made fast.
        self._plain = (
            self._field is not None
            and not offset
            and not adjustment
            and strip in (None, self._size)
        )

    def _number(self, octets: bytes, start: int) -> tuple[int, int] | None:
        """
        @return: the number in the length field, and where that ends; None if it is not
            complete.
        """
        if self._varint:
            value = 0
            for place in range(10):
                if start + place >= len(octets):
                    return None
                octet = octets[start + place]
                value |= (octet & 0x7F) << (7 * place)
                if octet < 0x80:
                    return value, start + place + 1
            raise FramingError("a varint of more than 10 bytes")
        end = start + self._size
        if end > len(octets):
            return None
        order = self._byteOrder
        return int.from_bytes(octets[start:end], order), end  # type: ignore[arg-type]

    def _measure(self, octets: bytes, start: int) -> Measure | None:
        found = self._number(octets, start + self._offset)
        if found is None:
            return None
        number, end = found
        field = end - start
        total = field + number + self._adjustment
        if total < field:
            raise FramingError(
                f"the length {number} is too small for adjustment={self._adjustment}"
            )
        head = field if self._strip is None else self._strip
        return Measure(head, total - head)

    def _cut(
        self, data: bytes, records: list[bytes], start: int = 0
    ) -> Iterable[bytes]:
        if not self._plain or self._field is None:
            return super()._cut(data, records, start)
        size, unpack, limit = self._size, self._field.unpack_from, self._maxLength
        end = len(data)
        while start + size <= end:
            (length,) = unpack(data, start)
            stop = start + size + length
            if length > limit or stop > end:
                break
            count = (end - start) // (size + length)
            if count >= _RUN and length and self._isRun(data, start, count, length):
                run = struct.Struct(f"{size}x{length}s" * _RUN)
                stop = start + count // _RUN * run.size
                blocks = run.iter_unpack(memoryview(data)[start:stop])
                records += chain.from_iterable(blocks)
            else:
                records.append(data[start + size : stop])
            start = stop
        if start == end:
            if records:
                self._source = [data]
            return records
        # What is left is one frame that is unfinished or too long.
        rest = super()._cut(data, records, start)
        if records:
            self._source = [data]
        return rest

    def _isRun(self, data: bytes, start: int, count: int, length: int) -> bool:
        """
        @return: whether so many blocks of that length follow each other.
        """
        step = self._size + length
        end = start + count * step
        return all(
            data[start + place : end : step]
            == data[start + place : start + place + 1] * count
            for place in range(self._size - 1, -1, -1)
        )

    def frame(self, record: Octets) -> bytes:
        """
        @return: the record behind its length.

        @raise TypeError: if the record is not octets.
        @raise RecordTooLong: if it is longer than C{maxLength}, or than the field can
            tell.
        @raise FramingError: if C{strip} leaves a head in the record, which it lacks.
        """
        record = octetsOf(record)
        if len(record) > self._maxLength:
            raise RecordTooLong(len(record), self._maxLength)
        if self._plain and self._field is not None:
            try:
                return self._field.pack(len(record)) + record
            except struct.error:
                raise RecordTooLong(len(record), 256**self._size - 1) from None
        kept = 0 if self._strip is None else self._offset + self._size - self._strip
        if len(record) < kept:
            raise FramingError(f"strip={self._strip} leaves {kept} bytes in the record")
        lead = self._offset - max(kept - self._size, 0)
        before, body = record[: max(kept - self._size, 0)], record[kept:]
        number = len(body) - self._adjustment
        if number < 0:
            raise FramingError(
                f"a record is too short for adjustment={self._adjustment}"
            )
        return bytes(lead) + before + self._encoded(number) + body

    def _encoded(self, number: int) -> bytes:
        if not self._varint:
            try:
                return number.to_bytes(self._size, self._byteOrder)  # type: ignore[arg-type]
            except OverflowError:
                raise RecordTooLong(number, 256**self._size - 1) from None
        found = bytearray()
        while number > 0x7F:
            found.append(number & 0x7F | 0x80)
            number >>= 7
        found.append(number)
        return bytes(found)

    def clone(self) -> LengthPrefixed:
        """
        @return: an empty one with the same settings.
        """
        return type(self)(
            octets="varint" if self._varint else self._size,
            byteOrder=self._byteOrder,
            offset=self._offset,
            adjustment=self._adjustment,
            strip=self._strip,
            maxLength=self._maxLength,
            onTooLong="skip" if self._skips else "close",
        )


def int8(*, maxLength: int = 255, onTooLong: str = "close") -> LengthPrefixed:
    """
    @return: records behind one octet of length, as C{Int8StringReceiver}.
    """
    return LengthPrefixed(octets=1, maxLength=maxLength, onTooLong=onTooLong)


def int16(*, maxLength: int = 65535, onTooLong: str = "close") -> LengthPrefixed:
    """
    @return: records behind two octets of length, as C{Int16StringReceiver}.
    """
    return LengthPrefixed(octets=2, maxLength=maxLength, onTooLong=onTooLong)


def int32(*, maxLength: int = MAX_LENGTH, onTooLong: str = "close") -> LengthPrefixed:
    """
    @return: records behind four octets of length, as C{Int32StringReceiver}.
    """
    return LengthPrefixed(octets=4, maxLength=maxLength, onTooLong=onTooLong)


class _TPKT(LengthPrefixed):
    """
    L{LengthPrefixed} with the version of RFC 1006 before it.
    """

    def __init__(self, *, maxLength: int, onTooLong: str) -> None:
        super().__init__(
            octets=2, offset=2, adjustment=-4, maxLength=maxLength, onTooLong=onTooLong
        )

    def _measure(self, octets: bytes, start: int) -> Measure | None:
        if octets[start] != 3:
            raise FramingError(f"a TPKT begins with 3, not {octets[start]}")
        return super()._measure(octets, start)

    def frame(self, record: Octets) -> bytes:
        """
        @return: the record behind its head: version 3, zero, the length of all.
        """
        return b"\3" + super().frame(record)[1:]

    def clone(self) -> _TPKT:
        """
        @return: an empty one with the same settings.
        """
        return _TPKT(
            maxLength=self._maxLength, onTooLong="skip" if self._skips else "close"
        )


def tpkt(*, maxLength: int = 65531, onTooLong: str = "close") -> LengthPrefixed:
    """
    @return: the packets of RFC 1006, section 6: version 3, a zero, and two octets that
        count these four too.
    """
    return _TPKT(maxLength=maxLength, onTooLong=onTooLong)
