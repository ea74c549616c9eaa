"""
JSON values without a delimiter.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import FramingError, RecordTooLong
from ._base import MAX_LENGTH, Buffer, Framing
from ._checks import checkChoice, checkMaxLength, cut
from ._converted import jsonFrom, jsonOf
from ._units import decodeEach

_NOT_SPACE = re.compile(rb"[^ \t\r\n]|\Z")
_NOT_NUMBER = re.compile(rb"[^-+.0-9eE]|\Z")
_LITERALS = {literal[0]: literal for literal in (b"true", b"false", b"null")}

#: Outside a string, this finds a bracket, a whole string without escapes, or the
#: beginning of any other string.
_STRUCTURE = re.compile(rb'"[^"\\]*"|["{}\[\]]')
#: Inside a string, this finds its end or an escape.
_STRING = re.compile(rb'["\\]')


class _Scan:
    """
    Finds the end of a value, which may arrive in pieces.

    @ivar offset: how many bytes of the value have been scanned. If they end with a
        backslash in a string, the byte after it, which has not arrived, counts too.
    """

    __slots__ = ("_depth", "_first", "_inString", "offset")

    def __init__(self, first: int) -> None:
        """
        @param first: the first byte of the value.
        """
        self.offset = 0
        self._first = first
        self._depth = 0
        self._inString = False

    def run(self, data: Buffer, start: int) -> bool:
        """
        Continue to scan the value that begins at C{start}.

        @return: True if the value ends at C{start + offset}.

        @raise FramingError: if it is not a JSON value.
        """
        if self._first in b'{["':
            return self._runBrackets(data, start)
        if self._first in b"-0123456789":
            end = _end(_NOT_NUMBER, data, start + self.offset)
            self.offset = end - start
            return end < len(data)
        literal = _LITERALS.get(self._first, b"")
        found = cut(data, start, start + len(literal))
        if not literal or not literal.startswith(found):
            raise FramingError(f"not JSON: {cut(data, start, start + 20)!r}")
        if found == literal:
            self.offset = len(literal)
        return found == literal

    def _runBrackets(self, data: Buffer, start: int) -> bool:
        position, depth, inString = start + self.offset, self._depth, self._inString
        isComplete = False
        while not isComplete:
            match = (_STRING if inString else _STRUCTURE).search(data, position)
            if match is None:
                position = max(position, len(data))
                break
            position = match.end()
            byte = data[match.start()]
            if byte == 0x5C:
                # The next byte is escaped.
                position += 1
                continue
            if byte == 0x22:
                inString = not inString and position - match.start() == 1
            else:
                depth += 1 if byte in b"{[" else -1
            isComplete = not depth and not inString
        self.offset = position - start
        self._depth, self._inString = depth, inString
        return isComplete


def _end(pattern: re.Pattern[bytes], data: Buffer, start: int) -> int:
    """
    Return the first index from C{start} on at which this pattern matches.
    """
    match = pattern.search(data, start)
    assert match is not None, "it matches at the end of the data"
    return match.start()


class JSONValues(Framing[Any]):
    """
    JSON values without a delimiter: one value after the other, in UTF-8, with or
    without white space between them.

    A value is delivered when its last byte arrives. A number is delivered when the
    first byte after it arrives, or at the end of the stream. A newline is sent after
    each value, so that the peer sees where a number ends. A decoded value takes many
    times as much memory as its text.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest value in bytes.
        @param onTooLong: what to do with a longer value: C{"close"} the connection, or
            C{"skip"} the value.

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if an argument is out of range.
        """
        self.maxLength = checkMaxLength(maxLength)
        self.onTooLong = checkChoice("onTooLong", onTooLong, "close", "skip")
        #: The scan of C{data[start:searched]}, or of the value that is being skipped.
        self._scan: _Scan | None = None

    def fresh(self) -> JSONValues:
        unused: JSONValues = super().fresh()
        unused._scan = None
        return unused

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[object], int] | None:
        scan, self._scan = self._scan, None
        if scan is None or searched <= start:
            begin = _end(_NOT_SPACE, data, start)
            if begin > start:
                # White space is a unit of its own, so that it can be dropped before a
                # value arrives.
                return [], begin
            scan = _Scan(data[start])
        isComplete = scan.run(data, start)
        length = scan.offset if isComplete else len(data) - start
        if not isComplete:
            self._scan = scan
        if length > self.maxLength:
            raise self.tooLong(length, start + length if isComplete else None)
        if not isComplete:
            return None
        return [jsonFrom(cut(data, start, start + length))], start + length

    def decodeMany(self, data: bytes, start: int) -> tuple[list[object], int]:
        return decodeEach(self, data, start)

    def decodeEnd(self, data: Buffer, start: int) -> list[object] | None:
        try:
            return [jsonFrom(cut(data, start, len(data)))]
        except FramingError:
            # The end of the stream completes only a number.
            return None

    def skip(self, data: Buffer, start: int, searched: int) -> tuple[int, bool]:
        scan = self._scan or _Scan(data[start])
        isComplete = scan.run(data, start)
        index, scan.offset = start + scan.offset, 0
        self._scan = None if isComplete else scan
        return index, isComplete

    def encode(self, record: object) -> bytes:
        """
        Encode a value as JSON text.

        @param record: a value that can be expressed in JSON.

        @return: the value and a newline.

        @raise TypeError: if JSON has no such type.
        @raise InvalidRecord: if JSON has no such value.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        text = jsonOf(record)
        if len(text) > self.maxLength:
            raise RecordTooLong(len(text), self.maxLength)
        return text + b"\n"
