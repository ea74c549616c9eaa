"""
Lines: records with a delimiter behind each.

An unfinished line is kept as the list of its parts and joined once, when its
delimiter arrives, so that a line costs the same however many reads it takes. An
octet is searched once: when a read ends in what may be the beginning of the
delimiter, those few octets alone wait for the next read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import InvalidRecord, RecordTooLong, TruncatedRecord
from ._common import MAX_LENGTH, Octets, checkMaxLength, thenRaise, wrongType

#: Any of the four newlines, the longer ones first.
_NEWLINE = re.compile(rb"\r\n?|\n\r?")

#: A newline of one octet, and the octet that would have made it one of two.
_PARTNER = {b"\r": b"\n", b"\n": b"\r"}


class Line:
    """
    Lines without their delimiter (POE::Filter::Line).

    Without a C{delimiter} any of CR LF, LF CR, CR or LF ends a line on input,
    and CR LF is written on output: POE's default, for peers of any convention. A
    line is delivered with the first octet of its newline; if the second one comes
    in a later read it is swallowed there, so the records never depend on how the
    stream was cut.
    """

    chunkInvariant = True
    reversible = True

    def __init__(
        self, *, delimiter: bytes | None = None, maxLength: int = MAX_LENGTH
    ) -> None:
        """
        @param delimiter: the octets that end a line, on input and on output
            (POE: Literal). None stands for any newline on input and CR LF on
            output.
        @param maxLength: the longest line in octets, its delimiter apart (POE:
            MaxLength).

        @raise TypeError: if an argument is of the wrong type.
        @raise ValueError: if the delimiter is empty or the limit not positive.
        """
        if delimiter is not None:
            if not isinstance(delimiter, bytes):
                raise TypeError(f"delimiter must be bytes, not {delimiter!r}")
            if not delimiter:
                raise ValueError("delimiter must have at least one octet")
        self._delimiter = delimiter
        self._ending = b"\r\n" if delimiter is None else delimiter
        self._maxLength = checkMaxLength(maxLength)
        self._empty()

    def _empty(self) -> None:
        #: The unfinished line, in the pieces it arrived in, and their length.
        self._parts: list[bytes] = []
        self._held = 0
        #: The end of the last read where a delimiter may have begun.
        self._carry = b""
        #: The octet that completes the newline the last read ended in. It is no line
        #: of its own should it come next, here or in the framing that follows.
        self.swallows = b""
        #: What the last batch was made of, if it has any line.
        self._source: list[bytes] = []

    def feed(self, data: bytes) -> Iterable[bytes]:
        """
        @return: the lines that are complete now.

        @raise RecordTooLong: from the iterator, behind the lines before it; also
            for an unfinished line that is already too long.
        """
        self._source = []
        if not data:
            return []
        if self._delimiter is None:
            if self.swallows:
                if data.startswith(self.swallows):
                    data = data[1:]
                self.swallows = b""
            lines = self._cutNewlines(data)
        else:
            if self._carry:
                data = self._carry + data
                self._carry = b""
            lines = data.split(self._delimiter)

        total = self._held + len(data)
        rest = lines.pop()
        if lines:
            self._source = [*self._parts, data]
            if self._parts:
                lines[0] = b"".join([*self._parts, lines[0]])
                self._parts = []
                self._held = 0
        if rest:
            self._keep(rest)
        # Where all octets together are within the limit, so is each line.
        if total > self._maxLength:
            return self._judged(lines)
        return lines

    def _cutNewlines(self, data: bytes) -> list[bytes]:
        """
        Split at any newline, and remember the partner a last one may yet get.

        @return: the lines, and the unfinished rest behind them, as L{bytes.split}
            does.
        """
        if b"\n\r" in data:
            lines = _NEWLINE.split(data)
        else:
            # splitlines() knows CR LF, CR and LF; it gives no rest after the last.
            lines = data.splitlines()
            if data[-1:] in (b"\r", b"\n"):
                lines.append(b"")
        if not lines:
            return [b""]
        if not lines[-1]:
            # Only the run of newlines at the end tells whether the last of them
            # has one octet or two.
            run = data[len(data.rstrip(b"\r\n")) :]
            self.swallows = _PARTNER.get(_NEWLINE.findall(run)[-1], b"")
        return lines

    def _keep(self, rest: bytes) -> None:
        """
        Keep the unfinished line, less the octets where a delimiter may begin.
        """
        delimiter = self._delimiter
        if delimiter is not None and len(delimiter) > 1:
            for size in range(min(len(delimiter) - 1, len(rest)), 0, -1):
                if delimiter.startswith(rest[-size:]):
                    self._carry = rest[-size:]
                    rest = rest[:-size]
                    break
        if rest:
            self._parts.append(rest)
            self._held += len(rest)

    def _judged(self, lines: list[bytes]) -> Iterable[bytes]:
        """
        @return: the lines, up to the first that is too long.
        """
        limit = self._maxLength
        for position, line in enumerate(lines):
            if len(line) > limit:
                return thenRaise(lines[:position], RecordTooLong(len(line), limit))
        if self._held > limit:
            return thenRaise(lines, RecordTooLong(self._held, limit))
        return lines

    def finish(self) -> Iterable[bytes]:
        """
        @return: nothing: a line without its delimiter is no record, as in POE.

        @raise TruncatedRecord: from the iterator, with the unfinished line.
        """
        rest = b"".join([*self._parts, self._carry])
        self._empty()
        return thenRaise([], TruncatedRecord(rest)) if rest else []

    def frame(self, record: Octets) -> bytes:
        """
        @return: the line and its delimiter.

        @raise TypeError: if the record is not octets.
        @raise InvalidRecord: if the delimiter stands inside the record.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        if not isinstance(record, bytes):
            if not isinstance(record, (bytearray, memoryview)):
                raise wrongType(record)
            record = bytes(record)
        if len(record) > self._maxLength:
            raise RecordTooLong(len(record), self._maxLength)
        framed = record + self._ending
        # Searched behind the join: a delimiter can also arise across it, as in
        # "x|" with the delimiter "||".
        if self._delimiter is None:
            broken = b"\n" in record or b"\r" in record
        else:
            broken = framed.find(self._ending) != len(record)
        if broken:
            raise InvalidRecord(
                f"a line cannot hold its own delimiter: {record!r:.60}; put the "
                "parts as lines of their own, or use Stream()"
            )
        return framed

    def release(self, delivered: int) -> bytes:
        """
        @return: the octets behind the first C{delivered} lines of the last batch.
        """
        octets = b"".join(self._source or [*self._parts, self._carry])
        swallows = self.swallows
        if delivered:
            if self._delimiter is None:
                octets = _NEWLINE.split(octets, delivered)[delivered]
            else:
                octets = octets.split(self._delimiter, delivered)[delivered]
        self._empty()
        # All was delivered: the second octet of the last newline may yet come,
        # should this framing be fed again.
        if not octets:
            self.swallows = swallows
        return octets

    def clone(self) -> Line:
        """
        @return: an empty one with the same delimiter and limit.
        """
        return Line(delimiter=self._delimiter, maxLength=self._maxLength)
