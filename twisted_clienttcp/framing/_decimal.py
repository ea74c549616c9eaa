"""
Lengths in decimal digits.
"""

from __future__ import annotations

import re

from ..errors import FramingError
from ._base import Buffer

#: How many digits a length may have. The longest is less than 2**63.
_MAX_DIGITS = 18

_ZERO = ord("0")


class DecimalHeader:
    """
    The header of a frame: the length in decimal digits, and a mark.
    """

    def __init__(self, name: str, mark: bytes, trailer: bytes, padded: bool) -> None:
        """
        @param name: the name of such a frame in error messages.
        @param mark: the byte after the digits.
        @param trailer: the byte after the record; empty for none.
        @param padded: True if the length may begin with zeros.
        """
        self._name = name
        self._mark = mark
        self._trailer = trailer
        self._padded = padded
        digits = rb"[0-9]{1,18}" if padded else rb"0|[1-9][0-9]{0,17}"
        # If the data ends where the mark should be, the header is not complete.
        self._pattern = re.compile(b"(%b)(%b|\\Z)" % (digits, re.escape(mark)))

    def measure(self, data: Buffer, start: int) -> tuple[int, int] | None:
        """
        Return the indices at which the record begins and ends; None if the header is
        not complete.

        @raise FramingError: if no such header begins there.
        """
        # Beyond the longest match, so that \Z matches only at the end of the data.
        stop = start + _MAX_DIGITS + 2
        match = self._pattern.match(data, start, stop)
        if match is None:
            raise FramingError(
                f"a {self._name} begins with its length and {self._mark!r}, not "
                f"{bytes(data[start:stop])!r}"
            )
        begin = match.end()
        return (begin, begin + int(match[1])) if match[2] else None

    def decodeMany(
        self, data: bytes, start: int, maxLength: int
    ) -> tuple[list[bytes], int]:
        """
        Decode all complete frames, like C{Framing.decodeMany}.
        """
        # benchmark rows: netstring; decimal Block
        records: list[bytes] = []
        append, find = records.append, data.find
        mark, isPadded, tail = self._mark, self._padded, len(self._trailer)
        trailer = self._trailer[0] if tail else None
        end = len(data) - tail
        while (index := find(mark, start, start + _MAX_DIGITS + 1)) >= 0:
            digits = data[start:index]
            # int() alone would also accept signs, spaces and underscores.
            if not digits.isdigit():
                break
            begin = index + 1
            length = int(digits)
            stop = begin + length
            if length > maxLength or stop > end:
                break
            if data[start] == _ZERO and index - start > 1 and not isPadded:
                break
            if tail and data[stop] != trailer:
                break
            append(data[begin:stop])
            start = stop + tail
        return records, start
