"""
Netstrings.
"""

from __future__ import annotations

from ..errors import FramingError, RecordTooLong
from ._base import MAX_LENGTH, Buffer
from ._checks import BytesLike, bytesOf
from ._decimal import DecimalHeader
from ._prefixed import Measured

_HEADER = DecimalHeader("netstring", mark=b":", trailer=b",", padded=False)


class Netstring(Measured, leaf=True):
    """
    D. J. Bernstein's netstrings: the length in decimal digits, a colon, the record, and
    a comma.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest record in bytes.
        @param onTooLong: what to do with a longer record: C{"close"} the connection, or
            C{"skip"} the record.

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if an argument is out of range.
        """
        super().__init__(maxLength, onTooLong)

    def measure(self, data: Buffer, start: int) -> tuple[int, int, int] | None:
        found = _HEADER.measure(data, start)
        return None if found is None else (*found, found[1] + 1)

    def checkTrailer(self, trailer: bytes) -> None:
        if trailer != b",":
            raise FramingError(f"a netstring ends with a comma, not {trailer!r}")

    def decodeMany(self, data: bytes, start: int) -> tuple[list[bytes], int]:
        return _HEADER.decodeMany(data, start, self.maxLength)

    def encode(self, record: BytesLike) -> bytes:
        """
        Encode a netstring.

        @param record: C{bytes}, C{bytearray} or C{memoryview}.

        @return: the netstring.

        @raise TypeError: if the record is not bytes.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        record = bytesOf(record)
        if len(record) > self.maxLength:
            raise RecordTooLong(len(record), self.maxLength)
        return b"%d:%b," % (len(record), record)
