"""
Framings that cut with another one and convert what that gives.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ..errors import FramingError, InvalidRecord
from ._common import MAX_LENGTH, Octets, octetsOf, thenRaise
from ._line import Line

#: Stands for octets that make no record.
_NOTHING: Any = object()


class Converted:
    """
    What a framing needs whose frames end in a delimiter and are to be converted.
    """

    chunkInvariant = True
    reversible = True

    def __init__(self, delimiter: bytes, maxLength: int, onTooLong: str) -> None:
        self._settings: dict[str, Any] = {
            "maxLength": maxLength,
            "onTooLong": onTooLong,
        }
        self._lines = Line(
            delimiter=delimiter, maxLength=maxLength, onTooLong=onTooLong
        )
        #: Which lines of the last batch became records.
        self._kept: list[int] = []

    # -- for subclasses

    def _decode(self, line: bytes) -> Any:
        """
        @return: the record, or L{_NOTHING}.

        @raise FramingError: if that is none.
        """
        raise NotImplementedError

    # -- the contract

    def feed(self, data: bytes) -> Iterable[Any]:
        """
        @return: the records that are complete now.

        @raise RecordTooLong: from the iterator, behind the records before it.
        @raise FramingError: likewise, if one cannot be converted.
        """
        return self._converted(self._lines.feed(data))

    def _converted(self, lines: Iterable[bytes]) -> Iterable[Any]:
        self._kept = []
        records: list[Any] = []
        position = 0
        try:
            for line in lines:
                record = self._decode(line)
                position += 1
                if record is not _NOTHING:
                    records.append(record)
                    self._kept.append(position)
        except FramingError as fault:
            return thenRaise(records, fault)
        return records

    def finish(self) -> Iterable[Any]:
        """
        @return: nothing.

        @raise TruncatedRecord: from the iterator, if a record is unfinished.
        """
        return self._converted(self._lines.finish())

    def release(self, delivered: int) -> bytes:
        """
        @return: the octets behind the first C{delivered} records of the last batch.
        """
        lines = self._kept[delivered - 1] if delivered else 0
        self._kept = []
        return self._lines.release(lines)

    def clone(self) -> Any:
        """
        @return: an empty one with the same settings.
        """
        return type(self)(**self._settings)


class JSONLines(Converted):
    """
    A JSON value a line (jsonlines.org): any value that JSON knows, in UTF-8, with LF
    behind it. Empty lines are no records.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest line in octets.
        @param onTooLong: C{"close"} the connection at a longer one, or C{"skip"} it.

        @raise TypeError: if an argument is of the wrong type.
        @raise ValueError: if one is out of its range.
        """
        super().__init__(b"\n", maxLength, onTooLong)

    def _decode(self, line: bytes) -> Any:
        if not line.strip():
            return _NOTHING
        try:
            return json.loads(line.decode("utf-8"), parse_constant=_noNumber)
        except (ValueError, RecursionError) as error:
            raise FramingError(f"not JSON: {error}: {line!r:.60}") from error

    def frame(self, record: Any) -> bytes:
        """
        @return: the value as a line of JSON.

        @raise TypeError: if JSON knows no such value.
        @raise InvalidRecord: if it is not a number that JSON knows, or not finite.
        @raise RecordTooLong: if its line is longer than C{maxLength}.
        """
        try:
            text = json.dumps(
                record, ensure_ascii=False, allow_nan=False, separators=(",", ":")
            )
            return self._lines.frame(text.encode("utf-8"))
        except FramingError:
            raise
        except (ValueError, RecursionError) as error:
            raise InvalidRecord(f"not for JSON: {error}") from error


def _noNumber(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_END, _ESC, _ESC_END, _ESC_ESC = b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd"


class SLIP(Converted):
    """
    Packets of the Serial Line Internet Protocol (RFC 1055): an END octet behind each,
    and before it too on output, which flushes what noise may have left.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest packet in octets, as it is sent: an octet that has
            to be escaped counts twice.
        @param onTooLong: C{"close"} the connection at a longer one, or C{"skip"} it.

        @raise TypeError: if an argument is of the wrong type.
        @raise ValueError: if one is out of its range.
        """
        super().__init__(_END, maxLength, onTooLong)

    def _decode(self, line: bytes) -> Any:
        if not line:
            return _NOTHING
        if _ESC not in line:
            return line
        first, *others = line.split(_ESC)
        packet = [first]
        for part in others:
            if part[:1] not in (b"\xdc", b"\xdd"):
                raise FramingError(f"SLIP escapes END and ESC, not {part[:1]!r}")
            packet += [_END if part[:1] == b"\xdc" else _ESC, part[1:]]
        return b"".join(packet)

    def frame(self, record: Octets) -> bytes:
        """
        @return: the packet between two END octets.

        @raise TypeError: if the record is not octets.
        @raise InvalidRecord: if it is empty: SLIP has no empty packets.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        packet = octetsOf(record)
        if not packet:
            raise InvalidRecord("SLIP has no empty packets")
        escaped = packet.replace(_ESC, _ESC_ESC).replace(_END, _ESC_END)
        return _END + self._lines.frame(escaped)
