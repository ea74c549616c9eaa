"""
JSON values that no delimiter separates.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import FramingError, RecordTooLong
from ._base import MAX_LENGTH, Buffer, Framing
from ._checks import checkChoice, checkMaxLength, cut
from ._converted import jsonFrom, jsonOf
from ._units import decodeEach

_SPACE = re.compile(rb"[ \t\r\n]*")
_NUMBER = re.compile(rb"[-+.0-9eE]*")
_WHOLE_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_LITERALS = {b"t"[0]: b"true", b"f"[0]: b"false", b"n"[0]: b"null"}

#: What matters outside a string: a bracket, a string without escapes, or the beginning
#: of another string.
_STRUCTURE = re.compile(rb'"[^"\\]*"|["{}\[\]]')
#: What matters inside a string.
_STRING = re.compile(rb'["\\]')


class _Scan:
    """
    Finds the end of a value, which may arrive in pieces.

    @ivar offset: how many bytes of the value are scanned. One more than have arrived
        if they end with a backslash in a string.
    """

    __slots__ = ("_depth", "_first", "_inString", "_matched", "offset")

    def __init__(self, first: int) -> None:
        """
        @param first: the first byte of the value.
        """
        self.offset = 0
        self._first = first
        #: How much of C{true}, C{false} or C{null} has arrived.
        self._matched = 0
        self._depth = 0
        self._inString = False

    def run(self, data: Buffer, start: int) -> bool:
        """
        Scan C{data[start:]} on from C{offset}.

        @return: True if the value ends at C{start + offset}.

        @raise FramingError: if this is not a value.
        """
        first = self._first
        if first in b'{["':
            return self._brackets(data, start)
        if first in _LITERALS:
            return self._literal(data, start, _LITERALS[first])
        if first not in b"-0123456789":
            raise FramingError(f"not JSON: {cut(data, start, start + 20)!r}")
        match = _NUMBER.match(data, start + self.offset)
        assert match is not None
        self.offset = match.end() - start
        return match.end() < len(data)

    def _literal(self, data: Buffer, start: int, literal: bytes) -> bool:
        position = start + self.offset
        found = cut(data, position, position + len(literal) - self._matched)
        if not literal.startswith(found, self._matched):
            raise FramingError(f"not JSON: {literal[: self._matched] + found!r}")
        self.offset += len(found)
        self._matched += len(found)
        return self._matched == len(literal)

    def _brackets(self, data: Buffer, start: int) -> bool:
        position, depth, inString = start + self.offset, self._depth, self._inString
        while True:
            match = (_STRING if inString else _STRUCTURE).search(data, position)
            if match is None:
                position = max(position, len(data))
                break
            position = match.end()
            byte = data[match.start()]
            if inString:
                if byte == 0x5C:
                    position += 1
                    continue
                inString = False
            elif byte == 0x22:
                inString = position - match.start() == 1
            elif byte in b"{[":
                depth += 1
            else:
                depth -= 1
            if not depth and not inString:
                self.offset = position - start
                return True
        self.offset = position - start
        self._depth, self._inString = depth, inString
        return False


class JSONValues(Framing[Any]):
    """
    JSON values without a delimiter: objects, arrays, strings, numbers, C{true},
    C{false} and C{null} in UTF-8, one after the other, with or without white space
    between them.

    A value is delivered with its last byte; a number with the first byte that does not
    belong to it, or at the end of the stream. A newline is sent behind each value, so
    that a number is complete at once. A value takes many times its length in memory
    when it is decoded.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest value in bytes.
        @param onTooLong: C{"close"} the connection at a longer value, or C{"skip"} it.

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if an argument is out of range.
        """
        self.maxLength = checkMaxLength(maxLength)
        self.onTooLong = checkChoice("onTooLong", onTooLong, "close", "skip")
        #: What is known of C{data[start:searched]}.
        self._scan: _Scan | None = None
        #: The value that is being skipped.
        self._skipped: _Scan | None = None

    def fresh(self) -> JSONValues:
        unused: JSONValues = super().fresh()
        unused._scan = unused._skipped = None
        return unused

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[Any], int] | None:
        # It is kept only if more data is needed.
        scan, self._scan = self._scan, None
        if scan is None or searched <= start:
            begin = self._begin(data, start)
            if begin > start:
                # White space can be dropped without waiting for a value.
                return [], begin
            scan = _Scan(data[start])
        if not scan.run(data, start):
            if len(data) - start > self.maxLength:
                raise self.tooLong(len(data) - start)
            self._scan = scan
            return None
        self._scan = None
        return [self._value(data, start, start + scan.offset)], start + scan.offset

    def _begin(self, data: Buffer, start: int) -> int:
        match = _SPACE.match(data, start)
        assert match is not None
        return match.end()

    def _value(self, data: Buffer, start: int, end: int) -> Any:
        if end - start > self.maxLength:
            raise self.tooLong(end - start)
        return jsonFrom(cut(data, start, end))

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
        return decodeEach(self, data, start)

    def decodeEnd(self, data: Buffer, start: int) -> list[Any] | None:
        if _WHOLE_NUMBER.fullmatch(data, start) is None:
            return None
        return [self._value(data, start, len(data))]

    def skip(self, data: Buffer, start: int, searched: int) -> tuple[int, bool]:
        scan = self._skipped
        if scan is None:
            scan = self._skipped = _Scan(data[start])
        done = scan.run(data, start)
        index, scan.offset = start + scan.offset, 0
        if done:
            self._skipped = None
        return index, done

    def encode(self, record: Any) -> bytes:
        """
        @return: the value and a newline.

        @raise TypeError: if JSON has no such type.
        @raise InvalidRecord: if JSON has no such value.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        text = jsonOf(record)
        if len(text) > self.maxLength:
            raise RecordTooLong(len(text), self.maxLength)
        return text + b"\n"
