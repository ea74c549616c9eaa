"""
Framings that convert the records of another framing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import FramingError, InvalidRecord, RecordTooLong
from . import _json
from ._base import MAX_LENGTH, Buffer, Framing
from ._checks import BytesLike, bytesOf
from ._line import Line
from ._units import decodeEach


class Above(Framing[Any]):
    """
    A framing above another one, the lower framing, whose limit, C{onTooLong} and
    C{swallows} are its own too.
    """

    _lower: Framing[Any]

    @property
    def maxLength(self) -> int:
        return self._lower.maxLength

    @maxLength.setter
    def maxLength(self, maxLength: int) -> None:
        self._lower.maxLength = maxLength

    @property
    def onTooLong(self) -> str:
        return self._lower.onTooLong

    @onTooLong.setter
    def onTooLong(self, onTooLong: str) -> None:
        self._lower.onTooLong = onTooLong

    @property
    def swallows(self) -> bytes:
        return self._lower.swallows

    @swallows.setter
    def swallows(self, swallows: bytes) -> None:
        self._lower.swallows = swallows


class Converted(Above):
    """
    A framing above another one, the lower framing: it makes any number of records of
    each record of that.

    A unit is a unit of the lower framing. The limit, C{onTooLong} and C{swallows} are
    those of the lower framing too.
    """

    #: True if converting an encoded record returns that record.
    _reverses = True

    def __init__(self, lower: Framing[Any]) -> None:
        """
        @param lower: the lower framing, which belongs to this one from now on.
        """
        self._setLower(lower)
        #: The error of a record, behind others of its unit that have been returned.
        self._error: Exception | None = None

    def _setLower(self, lower: Framing[Any]) -> None:
        self._lower = lower
        self.chunkInvariant = lower.chunkInvariant
        self.reversible = lower.reversible and self._reverses

    # -- for subclasses

    def _fromLower(self, record: Any) -> Iterable[Any]:
        """
        Return the records made of a record of the lower framing.

        @raise Exception: if it cannot be converted.
        """
        raise NotImplementedError

    def _manyFromLower(self, records: list[Any]) -> list[Any]:
        """
        As L{_fromLower}, for several records of the lower framing.
        """
        converted: list[Any] = []
        for record in records:
            converted += self._fromLower(record)
        return converted

    def _toLower(self, record: Any) -> Iterable[Any]:
        """
        Return the records of the lower framing that are sent for a record.
        """
        raise NotImplementedError

    # -- the rest of the lower framing's state

    @property
    def hasMore(self) -> bool:  # type: ignore[override]
        return self._error is not None or self._lower.hasMore

    def takeBack(self) -> bytes:
        self._error = None
        return self._lower.takeBack()

    def on(self, lower: Framing[Any]) -> Any:
        """
        Return an unused framing with the same configuration above another one.
        """
        unused = self.fresh()
        unused._setLower(lower)
        return unused

    def fresh(self) -> Any:
        unused = super().fresh()
        unused._error = None
        return unused

    # -- decoding

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[Any], int] | None:
        if self._error is not None:
            error, self._error = self._error, None
            raise _endingAt(start, error)
        swallows = self._lower.swallows
        found = self._lower.decode(data, start, searched)
        if found is None:
            return None
        converted: list[Any] = []
        try:
            for record in found[0]:
                converted += self._fromLower(record)
        except Exception as error:
            if converted:
                self._error = error
            elif isinstance(error, RecordTooLong):
                raise _endingAt(found[1], error) from error.__cause__
            else:
                self._lower.swallows = swallows
                raise
        return converted, found[1]

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
        if self._error is not None:
            return [], start
        swallows = self._lower.swallows
        records, end = self._lower.decodeMany(data, start)
        try:
            return self._manyFromLower(records), end
        except Exception:
            # Stop exactly before the unit that cannot be converted.
            self._lower.swallows = swallows
            return decodeEach(self, data, start)

    def decodeEnd(self, data: Buffer, start: int) -> list[Any] | None:
        records = self._lower.decodeEnd(data, start)
        if records is None:
            return None
        converted: list[Any] = []
        try:
            for record in records:
                converted += self._fromLower(record)
        except Exception as error:
            if not converted:
                raise
            self._error = error
        return converted

    def skip(self, data: Buffer, start: int, searched: int) -> tuple[int, bool]:
        return self._lower.skip(data, start, searched)

    # -- encoding

    def encode(self, record: Any) -> bytes:
        """
        @raise TypeError: if the record has a type that cannot be sent.
        @raise InvalidRecord: if the peer would not decode the result as that record.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        return b"".join(map(self._lower.encode, self._toLower(record)))


def _endingAt(end: int, error: Exception) -> Exception:
    """
    Return the error of a record that ends at this index of the data.
    """
    if isinstance(error, RecordTooLong):
        error.end = end
    return error


def jsonFrom(data: bytes) -> Any:
    """
    Return the value of a JSON text.

    @raise FramingError: if it is not JSON.
    """
    try:
        return _json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FramingError(f"not JSON: {error}: {data!r:.60}") from error


def jsonOf(value: Any) -> bytes:
    """
    Return a value as JSON text.

    @raise TypeError: if JSON does not have the value's type.
    @raise InvalidRecord: if JSON does not have the value.
    """
    try:
        return _json.dumps(value).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise InvalidRecord(f"cannot be expressed in JSON: {error}") from error


class JSONLines(Converted):
    """
    One JSON value per line (jsonlines.org): any JSON value in UTF-8, with LF behind it.
    Empty lines are not records. A value takes many times its length in memory when it
    is decoded.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest line in bytes.
        @param onTooLong: C{"close"} the connection at a longer line, or C{"skip"} it.

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if an argument is out of range.
        """
        super().__init__(
            Line(delimiter=b"\n", maxLength=maxLength, onTooLong=onTooLong)
        )

    def _fromLower(self, record: bytes) -> list[Any]:
        return [jsonFrom(record)] if record.strip() else []

    def _toLower(self, record: Any) -> list[bytes]:
        return [jsonOf(record)]


_END, _ESC, _ESC_END, _ESC_ESC = b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd"


def _unescaped(line: bytes) -> bytes:
    """
    @raise FramingError: if an ESC byte is not part of an escape.
    """
    packet = line.replace(_ESC_END, _END).replace(_ESC_ESC, _ESC)
    # Each escape has made the packet one byte shorter.
    if len(line) - len(packet) != line.count(_ESC):
        raise FramingError(f"SLIP escapes only END and ESC: {line!r:.60}")
    return packet


class SLIP(Converted):
    """
    Packets of the Serial Line Internet Protocol (RFC 1055): an END byte behind each
    packet; on output also before it, to flush noise on the line.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest packet in bytes, as it is sent: a byte that has to
            be escaped counts twice.
        @param onTooLong: C{"close"} the connection at a longer packet, or C{"skip"} it.

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if an argument is out of range.
        """
        super().__init__(Line(delimiter=_END, maxLength=maxLength, onTooLong=onTooLong))

    def _fromLower(self, record: bytes) -> list[bytes]:
        return [_unescaped(record) if _ESC in record else record] if record else []

    def _manyFromLower(self, records: list[bytes]) -> list[bytes]:
        # benchmark row: SLIP
        escape = _ESC[0]
        return [
            _unescaped(line) if escape in line else line for line in records if line
        ]

    def _toLower(self, record: BytesLike) -> list[bytes]:
        packet = bytesOf(record)
        if not packet:
            raise InvalidRecord("SLIP has no empty packets")
        return [packet.replace(_ESC, _ESC_ESC).replace(_END, _ESC_END)]

    def encode(self, record: BytesLike) -> bytes:
        """
        @return: the packet between two END bytes.

        @raise TypeError: if the record is not bytes.
        @raise InvalidRecord: if it is empty: SLIP has no empty packets.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        return _END + super().encode(record)
