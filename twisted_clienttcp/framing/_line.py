"""
Lines: records that end with a delimiter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .._validators import flag
from ..errors import FramingError, InvalidRecord, RecordTooLong
from ._base import MAX_LENGTH, Buffer, Framing
from ._checks import bytesOf, checkChoice, checkMaxLength, cut
from ._delimiters import (
    NEWLINE,
    PARTNER,
    Delimiters,
    Literal,
    Literals,
    Newlines,
)
from ._units import decodeEach

#: The default of C{maxMatch}: how many bytes the search for C{inputPattern} goes back
#: when more data has arrived.
MAX_MATCH = 64


class Piece(bytes):
    """
    A part of a line that is longer than C{maxLength} (C{onTooLong="split"}). The last
    part of such a line is C{bytes}, not a L{Piece}.
    """

    __slots__ = ()


class Line(Framing[Any], leaf=True):
    """
    Lines without their delimiter (POE::Filter::Line).

    By default, a received line ends with any of CR LF, LF CR, CR and LF, and a sent
    line ends with CR LF. This works with peers of any convention. A line is delivered
    when the first byte of its newline arrives. If the second byte arrives in a later
    read, it is dropped, so the records never depend on how the stream is split into
    reads.
    """

    def __init__(
        self,
        *,
        delimiter: bytes | None = None,
        inputDelimiter: bytes | Sequence[bytes] | None = None,
        outputDelimiter: bytes | None = None,
        inputPattern: bytes | re.Pattern[bytes] | None = None,
        maxMatch: int = MAX_MATCH,
        autodetect: bool = False,
        encoding: str | None = None,
        keepDelimiter: bool = False,
        atEnd: str = "truncated",
        maxLength: int = MAX_LENGTH,
        onTooLong: str = "close",
    ) -> None:
        """
        @param delimiter: the bytes that end each line, received or sent (POE: Literal).
        @param inputDelimiter: the bytes that end a received line, or a sequence of such
            byte strings (POE: InputLiteral). Where several of them match, the longest
            wins. If one of them begins with another, the records depend on how the
            stream is split into reads.
        @param outputDelimiter: the bytes sent after a line; CR LF by default (POE:
            OutputLiteral).
        @param inputPattern: a regular expression that matches the end of a received
            line (POE: InputRegexp). A match is used as soon as it is found, even if
            more data could make it longer, so the records depend on how the stream is
            split into reads.
        @param maxMatch: the length of the longest match of C{inputPattern} in bytes.
            When more data arrives, the search resumes this many bytes before it.
        @param autodetect: True to accept only the kind of newline that ends the first
            received line (POE: an empty InputLiteral). If the peer mixes several kinds,
            the records depend on how the stream is split into reads.
        @param encoding: the text encoding of the lines. With it, records are L{str}; by
            default, they are C{bytes}.
        @param keepDelimiter: True to keep the delimiter at the end of each record. A
            record to send must then end with it too.
        @param atEnd: what happens to a last line without a delimiter: C{"truncated"}
            (it is reported in C{Disconnection.truncated}) or C{"record"} (it is
            delivered).
        @param maxLength: the longest line in bytes, without its delimiter (POE:
            MaxLength).
        @param onTooLong: what to do with a longer line: C{"close"} the connection,
            C{"skip"} it, or C{"split"} it into L{Piece}s of C{maxLength} bytes,
            followed by the rest as plain C{bytes}.

        @raise TypeError: if an argument has the wrong type, or two arguments cannot be
            combined.
        @raise ValueError: if an argument is out of range.
        """
        given = {
            "delimiter": delimiter,
            "inputDelimiter": inputDelimiter,
            "inputPattern": inputPattern,
            "autodetect": flag("autodetect", autodetect) or None,
        }
        chosen = [name for name, value in given.items() if value is not None]
        if len(chosen) > 1:
            raise TypeError(
                f"{chosen[0]} and {chosen[1]} both say how received lines end: "
                "pass only one of them"
            )
        if delimiter is not None and outputDelimiter is not None:
            raise TypeError(
                "delimiter is also used for sent lines: pass inputDelimiter and "
                "outputDelimiter instead"
            )
        self.maxLength = checkMaxLength(maxLength)
        self.onTooLong = checkChoice("onTooLong", onTooLong, "close", "skip", "split")
        self._atEnd = checkChoice("atEnd", atEnd, "truncated", "record")
        self._keeps = flag("keepDelimiter", keepDelimiter)
        self._encoding = _checkEncoding(encoding)
        if onTooLong == "split" and encoding is not None:
            raise ValueError(
                'onTooLong="split" cannot be combined with encoding: a piece might '
                "end inside a character"
            )
        checkMaxLength(maxMatch, "maxMatch")
        literals: Sequence[bytes] = ()
        if delimiter is not None:
            if not isinstance(delimiter, bytes):
                raise TypeError(f"delimiter must be bytes, not {delimiter!r}")
            literals = _checkDelimiters("delimiter", delimiter)
        elif inputDelimiter is not None:
            literals = _checkDelimiters("inputDelimiter", inputDelimiter)
        self._autodetects = autodetect
        #: True until the connection's newline is known.
        self._detects = autodetect
        #: The newline that has ended the first line, if it is one byte so far: the next
        #: byte shows whether it belongs to the same newline.
        self._lone = b""
        self._delimiters: Delimiters
        if inputPattern is not None:
            self._delimiters = Delimiters(_checkPattern(inputPattern), maxMatch)
        elif len(literals) == 1:
            self._delimiters = Literal(literals[0])
        elif literals:
            self._delimiters = Literals(literals)
        else:
            self._delimiters = Newlines()
        self._anyNewline = isinstance(self._delimiters, Newlines)
        #: The bytes sent after a line; and the bytes that a line must not contain, if
        #: it is enough to test for these.
        self._ending = ending = _checkEnding(delimiter, outputDelimiter)
        self._splitsAtEnding = tuple(literals) == (ending,)
        self._breaking = b""
        if self._encoding is None and not self._keeps:
            if self._anyNewline:
                self._breaking = b"\r\n"
            elif self._splitsAtEnding and len(ending) == 1:
                self._breaking = ending
        # Testing for a number is five times as fast as testing for a byte string.
        self._break, self._otherBreak = (self._breaking * 2 or b"\0\0")[:2]
        self.chunkInvariant = not (
            autodetect
            or inputPattern is not None
            or (self._keeps and self._anyNewline)
            or any(a != b and b.startswith(a) for a in literals for b in literals)
        )
        self.reversible = (
            NEWLINE.fullmatch(ending) is not None
            if self._anyNewline
            else self._splitsAtEnding
        )

    def fresh(self) -> Line:
        unused: Line = super().fresh()
        if self._autodetects:
            unused._detects = True
            unused._delimiters = Newlines()
            unused._lone = b""
        return unused

    # -- decoding

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[Any], int] | None:
        if self._lone:
            # The connection has cleared C{swallows} if the second byte has arrived.
            self._detected(self._lone + (b"" if self.swallows else PARTNER[self._lone]))
        limit, stop = self.maxLength, len(data)
        isSplit = self.onTooLong == "split"
        if isSplit:
            # Do not search bytes that the next piece will search again.
            stop = start + limit + self._delimiters.longest
        found = self._delimiters.find(data, start, searched, stop)
        if found is not None:
            begin, end = found
            length = begin - start
        else:
            end = None
            length = len(data) - start
            if length > limit:
                length -= self._delimiters.partial(data, start)
            if length <= limit:
                return None
        if length > limit and isSplit:
            return [Piece(data[start : start + limit])], start + limit
        if end is None:
            raise self.tooLong(length)
        self.swallows = b""
        if end == len(data) or self._detects:
            self._ended(data, begin, end)
        if length > limit:
            raise self.tooLong(length, end)
        return [self._record(data, start, end if self._keeps else begin)], end

    def _record(self, data: Buffer, start: int, end: int) -> bytes | str:
        # Avoid the call of cut() where possible (benchmark row: swap).
        line = data[start:end] if type(data) is bytes else cut(data, start, end)
        if self._encoding is None:
            return line
        try:
            return line.decode(self._encoding)
        except UnicodeError as error:
            # The exception itself refers to the line.
            reason = str(error)
        raise FramingError(f"a line is not {self._encoding}: {reason}")

    def _ended(self, data: Buffer, begin: int, end: int) -> None:
        """
        Note what the newline C{data[begin:end]}, which has ended a line, says about the
        next bytes.
        """
        atEnd = end == len(data)
        self.swallows = self._delimiters.swallows(data, begin) if atEnd else b""
        if self._detects:
            newline = bytes(data[begin:end])
            if self.swallows:
                self._lone = newline
            else:
                self._detected(newline)

    def _detected(self, newline: bytes) -> None:
        self._lone = b""
        self._detects = False
        self._delimiters = Literal(newline)

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
        if self._detects:
            return [], start
        lines: list[Any] = self._delimiters.split(data, start)
        unfinished = lines.pop()
        limit = self.maxLength
        longest = 0
        if len(data) - start > limit:
            longest = max(map(len, lines), default=0)
            if self.onTooLong == "split":
                # An unfinished line may contain pieces, which are records too.
                longest = max(longest, len(unfinished))
        if longest > limit or (lines and self._keeps):
            return decodeEach(self, data, start)
        if not lines:
            return [], start
        if self._encoding is not None:
            try:
                lines = [line.decode(self._encoding) for line in lines]
            except UnicodeError:
                return decodeEach(self, data, start)
        self.swallows = b"" if unfinished else self._delimiters.swallows(data, start)
        return lines, len(data) - len(unfinished)

    def decodeEnd(self, data: Buffer, start: int) -> list[Any] | None:
        if self._atEnd == "truncated" or start == len(data):
            return None
        records: list[object] = []
        limit = self.maxLength
        while len(data) - start > limit:
            # The bytes after the limit could have been half a delimiter until now.
            if self.onTooLong != "split":
                raise self.tooLong(len(data) - start, len(data))
            records.append(Piece(data[start : start + limit]))
            start += limit
        records.append(self._record(data, start, len(data)))
        return records

    def skip(self, data: Buffer, start: int, searched: int) -> tuple[int, bool]:
        found = self._delimiters.find(data, start, searched, len(data))
        if found is None:
            return len(data) - self._delimiters.partial(data, start), False
        self._ended(data, *found)
        return found[1], True

    # -- encoding

    def encode(self, record: Any) -> bytes:
        """
        Encode a line.

        @param record: C{bytes}, C{bytearray} or C{memoryview}; L{str} if there is an
            C{encoding}.

        @return: the line and the delimiter.

        @raise TypeError: if the record is not bytes; with an C{encoding}, if it is not
            L{str}.
        @raise InvalidRecord: if the record contains the delimiter.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        # benchmark row: put
        if (
            type(record) is bytes
            and self._breaking
            and self._break not in record
            and self._otherBreak not in record
            and len(record) <= self.maxLength
        ):
            return record + self._ending
        if self._encoding is None:
            line = bytesOf(record)
        elif isinstance(record, str):
            try:
                line = record.encode(self._encoding)
            except UnicodeError as error:
                raise InvalidRecord(f"not {self._encoding}: {error}") from error
        else:
            raise TypeError(
                f"with encoding={self._encoding!r} a line is str, not {record!r:.60}"
            )
        if self._keeps:
            line = self._withoutEnding(line)
        if len(line) > self.maxLength:
            raise RecordTooLong(len(line), self.maxLength)
        encoded = line + self._ending
        if self._breaks(line, encoded):
            raise InvalidRecord(
                f"a line cannot contain its own delimiter: {line!r:.60}; put the parts "
                "as separate lines, or use Stream()"
            )
        return encoded

    def _withoutEnding(self, line: bytes) -> bytes:
        if not line.endswith(self._ending):
            raise InvalidRecord(
                f"with keepDelimiter=True a line must end with {self._ending!r}: "
                f"{line!r:.60}"
            )
        return line[: len(line) - len(self._ending)]

    def _breaks(self, line: bytes, encoded: bytes) -> bool:
        """
        Return True if the peer would not decode the encoded line as this one line.
        """
        if self._anyNewline:
            return b"\n" in line or b"\r" in line
        if self._splitsAtEnding:
            # Line and delimiter together can contain an earlier delimiter, as "x|" and
            # "||" do.
            return encoded.find(self._ending) != len(line)
        return bool(self._ending) and self._ending in line

    def encodeMany(self, records: Sequence[Any]) -> bytes:
        """
        Encode several lines.

        @param records: the records.

        @return: the lines, each with its delimiter.

        @raise Exception: the exception that L{encode} raises for the first record that
            it cannot encode.
        """
        ending, count = self._ending, len(records)
        if self._breaking:
            try:
                encoded = ending.join(records) + ending
            except TypeError:
                encoded = b""
            # If each of these bytes occurs only as often as in the endings, no line
            # contains it.
            if (
                encoded
                and all(
                    encoded.count(byte) == count * ending.count(byte)
                    for byte in self._breaking
                )
                and (
                    len(encoded) - count * len(ending) <= self.maxLength
                    or max(map(len, records)) <= self.maxLength
                )
            ):
                return encoded
        return b"".join(map(self.encode, records))


def _checkEnding(delimiter: bytes | None, outputDelimiter: object) -> bytes:
    if delimiter is not None:
        return delimiter
    if outputDelimiter is None:
        return b"\r\n"
    if not isinstance(outputDelimiter, bytes):
        raise TypeError(f"outputDelimiter must be bytes, not {outputDelimiter!r}")
    return outputDelimiter


def _checkDelimiters(name: str, value: object) -> tuple[bytes, ...]:
    """
    @return: the delimiters, longer ones first.

    @raise TypeError: if one is not bytes.
    @raise ValueError: if one is empty, or there are none.
    """
    values = [value] if isinstance(value, (bytes, str)) else value
    if not isinstance(values, Sequence) or not all(
        isinstance(v, bytes) for v in values
    ):
        raise TypeError(f"{name} must be bytes, or a sequence of them, not {value!r}")
    if not values or not all(values):
        raise ValueError(f"{name} must contain at least one byte")
    return tuple(sorted(values, key=len, reverse=True))


def _checkPattern(value: object) -> re.Pattern[bytes]:
    """
    @raise TypeError: if it is not a regular expression for bytes.
    @raise ValueError: if it does not compile, or matches the empty string.
    """
    if isinstance(value, bytes):
        try:
            value = re.compile(value)
        except re.error as error:
            raise ValueError(
                f"inputPattern must be a regular expression, not {value!r}: {error}"
            ) from error
    if not isinstance(value, re.Pattern) or not isinstance(value.pattern, bytes):
        raise TypeError(
            f"inputPattern must be a regular expression for bytes, not {value!r}"
        )
    if value.fullmatch(b""):
        raise ValueError(f"inputPattern: {value.pattern!r} matches the empty string")
    return value


def _checkEncoding(value: object) -> str | None:
    """
    @raise TypeError: if it is not a string.
    @raise ValueError: if there is no such encoding of text.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"encoding must be the name of an encoding, not {value!r}")
    try:
        "a".encode(value)
    except LookupError:
        # Some codecs, such as hex, do not encode text.
        raise ValueError(f"encoding: {value!r} is not an encoding of text") from None
    return value
