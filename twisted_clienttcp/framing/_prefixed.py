"""
Records prefixed with their length as a binary number.
"""

from __future__ import annotations

import struct
from itertools import chain
from typing import Any, Literal

from .._validators import count
from ..errors import FramingError, InvalidRecord, RecordTooLong
from ._base import MAX_LENGTH, Buffer, Framing
from ._checks import BytesLike, bytesOf, checkChoice, checkMaxLength, cut
from ._units import decodeEach

#: The sizes of a prefix in bytes, and the formats for L{struct}, which has none for 3.
_SIZES = (1, 2, 3, 4, 8)
_FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}

#: How many records of equal length are unpacked at once, at least.
_RUN = 8

#: The distance in bytes from one search for such records to the next, at first.
_SEARCH = 1024

#: The shift of the last byte of the longest varint, which has ten bytes of 7 bits for a
#: number of 64 bits.
_LAST_SHIFT = 63


class Measured(Framing[bytes]):
    """
    A framing in which the first bytes of a frame say where the record begins and where
    the frame ends.

    A subclass defines L{measure}. The limit is checked as soon as the length is known.
    While the record arrives, each call of L{decode} takes constant time.
    """

    def __init__(self, maxLength: int, onTooLong: str) -> None:
        self.maxLength = checkMaxLength(maxLength)
        self.onTooLong = checkChoice("onTooLong", onTooLong, "close", "skip")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # An inherited decodeMany() might not call measure().
        if "measure" in vars(cls) and "decodeMany" not in vars(cls):
            cls.decodeMany = Measured.decodeMany  # type: ignore[method-assign]

    def measure(self, data: Buffer, start: int) -> tuple[int, int, int] | None:
        """
        Measure the frame that begins at C{start}, before its last bytes have arrived.

        @return: the indices at which the record begins, the record ends and the frame
            ends; None if more bytes are needed.

        @raise FramingError: if no frame begins there.
        """
        raise NotImplementedError(f"{type(self).__name__} must define measure()")

    def checkTrailer(self, trailer: bytes) -> None:
        """
        Check the bytes between the end of a record and the end of its frame.

        @raise FramingError: if they are wrong.
        """

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[bytes], int] | None:
        measured = self.measure(data, start)
        if measured is None:
            return None
        begin, end, frameEnd = measured
        if end - begin > self.maxLength:
            raise self.tooLong(end - begin, frameEnd)
        if frameEnd > len(data):
            return None
        if frameEnd > end:
            self.checkTrailer(cut(data, end, frameEnd))
        return [cut(data, begin, end)], frameEnd

    def decodeMany(self, data: bytes, start: int) -> tuple[list[bytes], int]:
        return decodeEach(self, data, start)


class LengthPrefixed(Measured, leaf=True):
    """
    Records prefixed with their length as a binary number (like Netty's
    LengthFieldBasedFrameDecoder).

    A frame consists of C{offset} bytes, the prefix, and the rest. The length of the
    rest is the number in the prefix plus C{adjustment}. By default, the rest is the
    record.
    """

    def __init__(
        self,
        *,
        prefixSize: int | Literal["varint"] = 4,
        byteOrder: Literal["big", "little"] = "big",
        offset: int = 0,
        adjustment: int = 0,
        strip: int | None = None,
        maxLength: int = MAX_LENGTH,
        onTooLong: str = "close",
    ) -> None:
        """
        @param prefixSize: the size of the prefix in bytes: 1, 2, 3, 4 or 8; or
            C{"varint"} for a number in base 128, as in Protocol Buffers and MQTT.
        @param byteOrder: C{"big"} or C{"little"}, for a prefix of fixed size.
        @param offset: the number of bytes before the prefix.
        @param adjustment: a number to add to the one in the prefix: -4 if the prefix
            has 4 bytes and counts itself too.
        @param strip: how many bytes at the beginning of the frame are not part of the
            record; by default, all up to the end of the prefix. With C{"varint"}, at
            most C{offset}.

            L{encode} adds the stripped bytes again, as zeros apart from the prefix. If
            the prefix is not stripped, a record to send must contain one, with any
            number: L{encode} replaces it by the right one.
        @param maxLength: the longest record in bytes, including the part of the header
            that is not stripped.
        @param onTooLong: what to do with a longer record: C{"close"} the connection, or
            C{"skip"} the record.

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if an argument is out of range.
        """
        super().__init__(maxLength, onTooLong)
        if type(prefixSize) not in (int, str) or prefixSize not in (*_SIZES, "varint"):
            raise ValueError(
                f"prefixSize must be 1, 2, 3, 4, 8 or 'varint', not {prefixSize!r}"
            )
        checkChoice("byteOrder", byteOrder, "big", "little")
        self._isVarint = prefixSize == "varint"
        self._size = 0 if isinstance(prefixSize, str) else prefixSize
        self._byteOrder = byteOrder
        self._offset = count("offset", offset, 0)
        self._adjustment = count("adjustment", adjustment)
        self._strip = strip
        if strip is not None:
            count("strip", strip, 0)
            if self._isVarint and strip > offset:
                raise ValueError(
                    f"with prefixSize='varint' strip must be at most offset={offset}, "
                    f"because the size of the prefix varies, not {strip}"
                )
        #: L{encode} changes a record that contains its prefix.
        self.reversible = strip is None or (
            not self._isVarint and strip >= offset + self._size
        )
        order = ">" if byteOrder == "big" else "<"
        #: Unpacks the number from the beginning of a frame.
        self._head = (
            struct.Struct(f"{order}{offset}x{_FORMATS[self._size]}")
            if self._size in _FORMATS
            else None
        )
        #: Packs the prefix, if the frame consists of only the prefix and the record.
        self._prefix = (
            self._head
            if not offset and not adjustment and strip in (None, self._size)
            else None
        )

    # -- decoding

    def _number(self, data: Buffer, start: int) -> tuple[int, int] | None:
        """
        Read the prefix that begins at C{start}.

        @return: the number, and the index at which the prefix ends; None if it is not
            complete.
        """
        if self._isVarint:
            return _varint(data, start)
        end = start + self._size
        if end > len(data):
            return None
        return int.from_bytes(data[start:end], self._byteOrder), end

    def measure(self, data: Buffer, start: int) -> tuple[int, int, int] | None:
        found = self._number(data, start + self._offset)
        if found is None:
            return None
        number, rest = found
        end = rest + number + self._adjustment
        if end < rest:
            raise FramingError(
                f"the length {number} is too small for adjustment={self._adjustment}"
            )
        begin = rest if self._strip is None else start + self._strip
        if begin > end:
            raise FramingError(
                f"a frame of {end - start} bytes is too short for strip={self._strip}"
            )
        return begin, end, end

    def decodeMany(self, data: bytes, start: int) -> tuple[list[bytes], int]:
        if self._isVarint:
            return self._decodeVarints(data, start)
        if self._head is not None:
            return self._decodeFixed(data, start, self._head)
        return super().decodeMany(data, start)

    def _decodeFixed(
        self, data: bytes, start: int, head: struct.Struct
    ) -> tuple[list[bytes], int]:
        """
        Implement L{decodeMany} for a prefix of fixed size.
        """
        # benchmark rows: int32 blocks, equal and unequal size; 2 bytes with offset
        records: list[bytes] = []
        append, unpack = records.append, head.unpack_from
        strip = head.size if self._strip is None else self._strip
        # A frame is C{more} bytes longer than the number in its prefix. The number is
        # at least C{least}, because a frame contains its head and the stripped bytes.
        more = head.size + self._adjustment
        least = max(head.size, strip) - more
        lastHead = len(data) - head.size
        if start <= lastHead and start + more + unpack(data, start)[0] > len(data):
            # Do not copy the part of a long record that has arrived.
            return records, start
        # Look for a run of frames of equal size, at distances that double until there
        # is one. Looking takes less time than decoding the frames between.
        begin = stop = search = start
        distance = _SEARCH
        while stop <= lastHead:
            # Decode frame by frame. The limit is checked later.
            last = min(search, lastHead)
            while stop <= last:
                frame = stop
                (number,) = unpack(data, frame)
                if number < least:
                    lastHead = frame - 1
                    break
                stop += more + number
                append(data[frame + strip : stop])
            if stop > lastHead:
                break
            distance *= 2
            if unpack(data, stop)[0] == number:
                runEnd = self._decodeRun(data, stop, stop - frame, strip, records)
                if runEnd > stop:
                    stop, distance = runEnd, _SEARCH
            search = stop + distance
        if stop > len(data):
            records.pop()
            stop = frame
        limit = self.maxLength
        if stop - begin > limit and max(map(len, records), default=0) > limit:
            # A record in the middle is too long: return those before it.
            count = next(i for i, record in enumerate(records) if len(record) > limit)
            del records[count:]
            stop = begin + sum(map(len, records)) + count * strip
        return records, stop

    def _decodeRun(
        self, data: bytes, start: int, size: int, strip: int, records: list[bytes]
    ) -> int:
        """
        Decode frames from C{start} on while they have C{size} bytes, like the frame
        before: eight at first, and four times as many in each further step.

        @return: the index at which the last of them ends.
        """
        several = f"{strip}x{size - strip}s" * _RUN
        count = _RUN
        while True:
            count = min(count, (len(data) - start) // size // _RUN * _RUN)
            stop = start + count * size
            if not count or not self._isRun(data, start - size, stop, size, count + 1):
                return start
            run = struct.iter_unpack(several, memoryview(data)[start:stop])
            records += chain.from_iterable(run)
            start = stop
            count *= 4

    def _isRun(self, data: bytes, start: int, end: int, size: int, count: int) -> bool:
        """
        Return True if C{data[start:end]} consists of C{count} frames of this size. The
        first of them is known to be such a frame.
        """
        prefix = start + self._offset
        for index in range(prefix + self._size - 1, prefix - 1, -1):
            if data[index:end:size].count(data[index]) != count:
                return False
        return True

    def _decodeVarints(self, data: bytes, start: int) -> tuple[list[bytes], int]:
        """
        Implement L{decodeMany} for a varint.
        """
        # benchmark row: varint
        records: list[bytes] = []
        append = records.append
        offset, adjustment, strip = self._offset, self._adjustment, self._strip
        limit, end = self.maxLength, len(data)
        lastHead = end - offset - 1
        while start <= lastHead:
            rest = start + offset
            number = data[rest]
            rest += 1
            if number > 127:
                number, shift = number & 127, 7
                while rest < end and data[rest] > 127 and shift < _LAST_SHIFT:
                    number |= (data[rest] & 127) << shift
                    shift += 7
                    rest += 1
                if rest == end or data[rest] > 127:
                    break
                number |= data[rest] << shift
                rest += 1
            stop = rest + number + adjustment
            begin = rest if strip is None else start + strip
            if not rest <= stop <= end or stop - begin > limit:
                break
            append(data[begin:stop])
            start = stop
        return records, start

    # -- encoding

    def encode(self, record: BytesLike) -> bytes:
        """
        Encode a frame.

        @param record: C{bytes}, C{bytearray} or C{memoryview}.

        @return: the frame.

        @raise TypeError: if the record is not bytes.
        @raise InvalidRecord: if the record lacks a part of the header that is not
            stripped, or is too short for C{adjustment}.
        @raise RecordTooLong: if the record is longer than C{maxLength}, or its length
            does not fit in the prefix.
        """
        record = bytesOf(record)
        if self._prefix is not None and len(record) <= self.maxLength:
            try:
                return self._prefix.pack(len(record)) + record
            except struct.error:
                raise RecordTooLong(len(record), 256**self._size - 1) from None
        lead, body = self._split(record)
        number = len(body) - self._adjustment
        if number < 0:
            raise InvalidRecord(
                f"{len(record)} bytes are too short for adjustment={self._adjustment}"
            )
        if self._isVarint:
            prefix = _encodeVarint(number)
        else:
            most = 256**self._size - 1
            if number > most:
                raise RecordTooLong(len(record), len(record) - number + most)
            prefix = number.to_bytes(self._size, self._byteOrder)
        frame = lead + prefix + body
        strip = len(lead) + len(prefix) if self._strip is None else self._strip
        if len(frame) - strip > self.maxLength:
            raise RecordTooLong(len(frame) - strip, self.maxLength)
        return frame

    def _split(self, record: bytes) -> tuple[bytes, bytes]:
        """
        Return the bytes before the prefix in the frame of a record, and those after it.
        """
        offset, strip = self._offset, self._strip
        if strip is None:
            return bytes(offset), record
        kept = max(offset - strip, 0)
        lead = bytes(min(strip, offset)) + record[:kept]
        rest = offset + self._size - strip
        if self._isVarint:
            try:
                found = _varint(record, kept)
            except FramingError as error:
                raise InvalidRecord(f"{error}: {record!r:.60}") from error
            rest = len(record) + 1 if found is None else found[1]
        if rest > len(record):
            raise InvalidRecord(
                f"strip={strip} leaves a part of the header in the record, which "
                f"{record!r:.60} lacks"
            )
        return lead, bytes(max(-rest, 0)) + record[max(rest, 0) :]


def _varint(data: Buffer, start: int) -> tuple[int, int] | None:
    """
    Return the number that begins at C{start}, and the index at which it ends; None if
    it is not complete.

    @raise FramingError: if it is too long.
    """
    number = shift = 0
    for index in range(start, len(data)):
        byte = data[index]
        number |= (byte & 127) << shift
        if byte < 128:
            return number, index + 1
        if shift == _LAST_SHIFT:
            raise FramingError("a varint has at most 10 bytes")
        shift += 7
    return None


def _encodeVarint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


class int8(LengthPrefixed, leaf=True):
    """
    Records prefixed with their length in one byte, as in C{Int8StringReceiver}. The
    parameters are those of L{LengthPrefixed}.
    """

    def __init__(self, *, maxLength: int = 255, onTooLong: str = "close") -> None:
        super().__init__(prefixSize=1, maxLength=maxLength, onTooLong=onTooLong)


class int16(LengthPrefixed, leaf=True):
    """
    Records prefixed with their length in two bytes, as in C{Int16StringReceiver}. The
    parameters are those of L{LengthPrefixed}.
    """

    def __init__(self, *, maxLength: int = 65535, onTooLong: str = "close") -> None:
        super().__init__(prefixSize=2, maxLength=maxLength, onTooLong=onTooLong)


class int32(LengthPrefixed, leaf=True):
    """
    Records prefixed with their length in four bytes, as in C{Int32StringReceiver}. The
    parameters are those of L{LengthPrefixed}.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        super().__init__(prefixSize=4, maxLength=maxLength, onTooLong=onTooLong)


class tpkt(LengthPrefixed, leaf=True):
    """
    TPKT packets (RFC 1006, section 6): the version, 3, in one byte; a reserved byte;
    the length of the whole packet in two bytes; and the record. The parameters are
    those of L{LengthPrefixed}.
    """

    def __init__(self, *, maxLength: int = 65531, onTooLong: str = "close") -> None:
        super().__init__(
            prefixSize=2,
            offset=2,
            adjustment=-4,
            maxLength=maxLength,
            onTooLong=onTooLong,
        )

    def measure(self, data: Buffer, start: int) -> tuple[int, int, int] | None:
        if data[start] != 3:
            raise FramingError(f"a TPKT packet begins with 3, not {data[start]}")
        return super().measure(data, start)

    def decodeMany(self, data: bytes, start: int) -> tuple[list[bytes], int]:
        # benchmark row: tpkt
        records: list[bytes] = []
        append, unpack = records.append, _TPKT.unpack_from
        end, longest = len(data), self.maxLength + _TPKT.size
        lastHead = end - _TPKT.size
        while start <= lastHead:
            version, size = unpack(data, start)
            stop = start + size
            if version != 3 or not 4 <= size <= longest or stop > end:
                break
            append(data[start + 4 : stop])
            start = stop
        return records, start

    def encode(self, record: BytesLike) -> bytes:
        """
        Encode a packet.

        @param record: C{bytes}, C{bytearray} or C{memoryview}.

        @return: the packet, with a reserved byte of zero.

        @raise TypeError: if the record is not bytes.
        @raise RecordTooLong: if the record is longer than C{maxLength}, or its length
            does not fit in the prefix.
        """
        return b"\3" + super().encode(record)[1:]


#: The head of a packet: the version and the length.
_TPKT = struct.Struct(">BxH")
