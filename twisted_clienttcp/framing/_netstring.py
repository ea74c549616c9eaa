"""
Netstrings.
"""

from __future__ import annotations

import re

from ..errors import FramingError, RecordTooLong
from ._common import MAX_LENGTH, Octets, octetsOf
from ._prefixed import Measure, Measured

_LENGTH = re.compile(rb"(0|[1-9][0-9]*):")
_DIGITS = re.compile(rb"0|[1-9][0-9]{0,18}|$")


class Netstring(Measured):
    """
    D. J. Bernstein's netstrings: the length in decimal digits, a colon, the record, a
    comma.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest record in octets.
        @param onTooLong: C{"close"} the connection at a longer one, or C{"skip"} it.

        @raise TypeError: if an argument is of the wrong type.
        @raise ValueError: if one is out of its range.
        """
        super().__init__(maxLength, onTooLong)

    def _measure(self, octets: bytes, start: int) -> Measure | None:
        # A length of 20 digits is none that could ever come.
        head = octets[start : start + 20]
        found = _LENGTH.match(head)
        if found is not None:
            return Measure(found.end(), int(found[1]), 1)
        if _DIGITS.fullmatch(head) is None:
            raise FramingError(f"a netstring begins with its length, not {head!r}")
        return None

    def _checkTail(self, tail: bytes) -> None:
        if tail != b",":
            raise FramingError(f"a netstring ends with a comma, not {tail!r}")

    def frame(self, record: Octets) -> bytes:
        """
        @return: the netstring.

        @raise TypeError: if the record is not octets.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        record = octetsOf(record)
        if len(record) > self._maxLength:
            raise RecordTooLong(len(record), self._maxLength)
        return b"%d:%b," % (len(record), record)

    def clone(self) -> Netstring:
        """
        @return: an empty one with the same limit.
        """
        return type(self)(
            maxLength=self._maxLength, onTooLong="skip" if self._skips else "close"
        )
