"""
Framings that convert the records of another framing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import FramingError, InvalidRecord, RecordTooLong
from . import _json
from ._base import MAX_LENGTH, AnyFraming, Buffer, Framing, Record
from ._checks import BytesLike, bytesOf
from ._line import Line
from ._units import decodeEach


class Above(Framing[Record]):
    """
    A framing that uses another one, the lower framing. It has the lower framing's
    methods and attributes, except those that a subclass defines.
    """

    #: True if converting a record for output, and then the result for input, returns an
    #: equal record.
    _reverses = True

    def __init__(self, lower: AnyFraming) -> None:
        """
        @param lower: the lower framing, which belongs to this one from now on.
        """
        self._setLower(lower)

    def _setLower(self, lower: AnyFraming) -> None:
        self._lower = lower
        self.chunkInvariant = lower.chunkInvariant
        self.reversible = lower.reversible and self._reverses

    def _limited(self) -> AnyFraming:
        """
        Return the framing whose limits are those of this one.
        """
        return self._lower

    @property
    def maxLength(self) -> int:
        return self._limited().maxLength

    @maxLength.setter
    def maxLength(self, maxLength: int) -> None:
        self._limited().maxLength = maxLength

    @property
    def onTooLong(self) -> str:
        return self._limited().onTooLong

    @onTooLong.setter
    def onTooLong(self, onTooLong: str) -> None:
        self._limited().onTooLong = onTooLong

    @property
    def swallows(self) -> bytes:
        return self._lower.swallows

    @swallows.setter
    def swallows(self, swallows: bytes) -> None:
        self._lower.swallows = swallows

    @property
    def hasMore(self) -> bool:  # type: ignore[override]
        return self._lower.hasMore

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[Record], int] | None:
        return self._lower.decode(data, start, searched)

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Record], int]:
        return self._lower.decodeMany(data, start)

    def decodeEnd(self, data: Buffer, start: int) -> list[Record] | None:
        return self._lower.decodeEnd(data, start)

    def skip(self, data: Buffer, start: int, searched: int) -> tuple[int, bool]:
        return self._lower.skip(data, start, searched)

    def takeBack(self) -> bytes:
        return self._lower.takeBack()

    def encode(self, record: Record) -> bytes:
        """
        Encode a record with the lower framing.
        """
        return self._lower.encode(record)

    def encodeMany(self, records: Sequence[Record]) -> bytes:
        return self._lower.encodeMany(records)


class Converted(Above[Record]):
    """
    A framing that converts each record of the lower framing into at most one record,
    and equal records into equal ones. Each unit of the lower framing must hold one
    record.
    """

    def _fromLower(self, records: list[Any]) -> list[Record]:
        """
        Convert records of the lower framing.

        @raise Exception: if one of them cannot be converted.
        """
        raise NotImplementedError

    def _toLower(self, record: Record) -> object:
        """
        Convert a record for output into one of the lower framing.
        """
        raise NotImplementedError

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[Record], int] | None:
        found = self._lower.decode(data, start, searched)
        if found is None:
            return None
        try:
            return self._fromLower(found[0]), found[1]
        except RecordTooLong as error:
            error.end = found[1]
            raise

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Record], int]:
        records, end = self._lower.decodeMany(data, start)
        try:
            return self._fromLower(records), end
        except Exception:
            # Find the unit that cannot be converted, and end before it.
            return decodeEach(self, data, start)

    def decodeEnd(self, data: Buffer, start: int) -> list[Record] | None:
        last = self._lower.decodeEnd(data, start)
        return None if last is None else self._fromLower(last)

    def encode(self, record: Record) -> bytes:
        """
        Convert a record, and encode the result with the lower framing.

        @param record: the record.

        @return: the bytes to send.

        @raise TypeError: if the framing does not accept records of this type.
        @raise InvalidRecord: if the peer would not decode the result as that record.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        return self._lower.encode(self._toLower(record))


def jsonFrom(data: bytes) -> Any:
    """
    Return the value of a JSON text.

    @raise FramingError: if it is not JSON.
    """
    try:
        return _json.loads(data)
    except (ValueError, RecursionError) as error:
        # The exception itself refers to the whole text.
        reason = str(error)
    raise FramingError(f"not JSON: {reason}: {data!r:.60}")


def jsonOf(value: object) -> bytes:
    """
    Return a value as JSON text.

    @raise TypeError: if JSON has no such type.
    @raise InvalidRecord: if JSON has no such value.
    """
    try:
        return _json.dumps(value).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise InvalidRecord(f"cannot be expressed in JSON: {error}") from error


class JSONLines(Converted[Any]):
    """
    One JSON value per line (jsonlines.org): any JSON value in UTF-8, followed by LF.
    Empty lines are ignored. A decoded value takes many times as much memory as its
    text.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest line in bytes.
        @param onTooLong: what to do with a longer line: C{"close"} the connection, or
            C{"skip"} the line.

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if an argument is out of range.
        """
        super().__init__(
            Line(delimiter=b"\n", maxLength=maxLength, onTooLong=onTooLong)
        )

    def _fromLower(self, records: list[bytes]) -> list[Any]:
        return [jsonFrom(line) for line in records if line.strip()]

    def _toLower(self, record: object) -> bytes:
        return jsonOf(record)


_END, _ESC, _ESC_END, _ESC_ESC = b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd"


def _unescaped(line: bytes) -> bytes:
    """
    @raise FramingError: if an ESC byte is not part of an escape.
    """
    packet = line.replace(_ESC_END, _END).replace(_ESC_ESC, _ESC)
    # Each escape that was replaced has made the packet one byte shorter.
    if len(line) - len(packet) != line.count(_ESC):
        raise FramingError(f"ESC must be followed by ESC_END or ESC_ESC: {line!r:.60}")
    return packet


class SLIP(Converted[bytes]):
    """
    Packets of the Serial Line Internet Protocol (RFC 1055). Each packet ends with an
    END byte. In output, it also begins with one, to flush noise on the line.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest packet in bytes, as it is sent: each escaped byte
            counts as two.
        @param onTooLong: what to do with a longer packet: C{"close"} the connection, or
            C{"skip"} the packet.

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if an argument is out of range.
        """
        super().__init__(Line(delimiter=_END, maxLength=maxLength, onTooLong=onTooLong))

    def _fromLower(self, records: list[bytes]) -> list[bytes]:
        # benchmark row: SLIP
        escape = _ESC[0]
        return [
            _unescaped(line) if escape in line else line for line in records if line
        ]

    def _toLower(self, record: BytesLike) -> bytes:
        packet = bytesOf(record)
        if not packet:
            raise InvalidRecord("SLIP has no empty packets")
        return packet.replace(_ESC, _ESC_ESC).replace(_END, _ESC_END)

    def encode(self, record: BytesLike) -> bytes:
        """
        Encode a packet.

        @param record: C{bytes}, C{bytearray} or C{memoryview}.

        @return: the packet between two END bytes.

        @raise TypeError: if the record is not bytes.
        @raise InvalidRecord: if the record is empty: SLIP has no empty packets.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        return _END + self._lower.encode(self._toLower(record))
