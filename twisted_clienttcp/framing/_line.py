"""
Lines: records with a delimiter behind each.

An unfinished line is kept as the list of its parts and joined once, when its
delimiter arrives, so that a line costs the same however many reads it takes. An
octet is searched once: when a read ends in what may be the beginning of the
delimiter, those few octets alone wait for the next read. (Only a regular expression
of the user's has to look at an unfinished line again: what it matches may begin
anywhere.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from operator import itemgetter
from typing import Any

from ..errors import FramingError, InvalidRecord, RecordTooLong, TruncatedRecord
from ._common import (
    MAX_LENGTH,
    checkMaxLength,
    checkOnTooLong,
    octetsOf,
    thenRaise,
)

#: Any of the four newlines, the longer ones first.
_NEWLINE = re.compile(rb"\r\n?|\n\r?")

#: A newline of one octet, and the octet that would have made it one of two.
_PARTNER = {b"\r": b"\n", b"\n": b"\r"}

#: For how many octets more than C{maxLength} an unfinished line is kept where a regular
#: expression ends it: they may be the beginning of what it matches.
_ROOM = 1024

#: How many octets tell whether lines are long, and the length from which they are.
_SAMPLE = 2048
_LONG = 200

_WITHOUT_END = itemgetter(slice(None, -1))


def _split(data: bytes, delimiter: bytes) -> list[bytes]:
    """
    @return: as C{data.split(delimiter)}, which looks at one octet after the other:
        where delimiters are few, others find them several times as fast.
    """
    if len(data) < _SAMPLE or data.count(delimiter, 0, _SAMPLE) > _SAMPLE // _LONG:
        return data.split(delimiter)
    if delimiter not in data:
        return [data]
    if delimiter != b"\n":
        return data.split(delimiter)
    # One line at a time, so that each is cut where the one before was: the memory of it
    # is in the cache of the processor then.
    lines = list(map(_WITHOUT_END, BytesIO(data)))
    rest = data[data.rindex(b"\n") + 1 :]
    if rest:
        lines.pop()
    lines.append(rest)
    return lines


class Line:
    """
    Lines without their delimiter (POE::Filter::Line).

    Without any argument any of CR LF, LF CR, CR or LF ends a line on input, and CR LF
    is written on output: POE's default, for peers of any convention. A line is
    delivered with the first octet of its newline; if the second one comes in a later
    read it is swallowed there, so the records never depend on how the stream was cut.
    """

    def __init__(
        self,
        *,
        delimiter: bytes | None = None,
        inputDelimiter: bytes | Sequence[bytes] | None = None,
        outputDelimiter: bytes | None = None,
        inputPattern: bytes | re.Pattern[bytes] | None = None,
        autodetect: bool = False,
        encoding: str | None = None,
        maxLength: int = MAX_LENGTH,
        onTooLong: str = "close",
    ) -> None:
        """
        @param delimiter: the octets that end a line, on input and on output (POE:
            Literal).
        @param inputDelimiter: what ends a line on input: octets, or several of them, of
            which the longest counts where more than one fits (POE: InputLiteral).
        @param outputDelimiter: what is written behind a line; CR LF if nothing says
            otherwise (POE: OutputLiteral).
        @param inputPattern: a regular expression for what ends a line on input (POE:
            InputRegexp). Where it could match more than has come, what has come counts;
            so, with such a one, the records depend on how the stream was cut.
        @param autodetect: take the first newline that comes for the one of this
            connection (POE: an InputLiteral that is empty). If more than one convention
            is used, the records depend on how the stream was cut.
        @param encoding: the encoding of the lines, which are L{str} then.
        @param maxLength: the longest line in octets, its delimiter apart (POE:
            MaxLength).
        @param onTooLong: C{"close"} the connection at a longer one, or C{"skip"} it.

        @raise TypeError: if an argument is of the wrong type, or excludes another.
        @raise ValueError: if one is out of its range.
        """
        given = {
            "delimiter": delimiter,
            "inputDelimiter": inputDelimiter,
            "inputPattern": inputPattern,
            "autodetect": autodetect or None,
        }
        chosen = [name for name, value in given.items() if value is not None]
        if len(chosen) > 1 or (delimiter is not None and outputDelimiter is not None):
            names = " and ".join(chosen[:2]) if len(chosen) > 1 else "delimiter"
            raise TypeError(f"{names} exclude what else says how lines end: give one")
        if not isinstance(autodetect, bool):
            raise TypeError(f"autodetect must be True or False, not {autodetect!r}")
        self._settings: dict[str, Any] = {
            "delimiter": delimiter,
            "inputDelimiter": inputDelimiter,
            "outputDelimiter": outputDelimiter,
            "inputPattern": inputPattern,
            "autodetect": autodetect,
            "encoding": encoding,
            "maxLength": maxLength,
            "onTooLong": onTooLong,
        }
        self._maxLength = checkMaxLength(maxLength)
        self._skips = checkOnTooLong(onTooLong)
        self._encoding = _checkEncoding(encoding)
        self._pattern = None if inputPattern is None else _checkPattern(inputPattern)
        self._autodetect = autodetect
        if delimiter is not None:
            self._literals = _checkDelimiters("delimiter", delimiter)
        elif inputDelimiter is not None:
            self._literals = _checkDelimiters("inputDelimiter", inputDelimiter)
        else:
            self._literals = ()
        if outputDelimiter is not None and not isinstance(outputDelimiter, bytes):
            raise TypeError(f"outputDelimiter must be bytes, not {outputDelimiter!r}")
        self._ending = next(
            (e for e in (delimiter, outputDelimiter) if e is not None), b"\r\n"
        )
        #: Where one literal begins another, what has come decides which of them it is.
        self.chunkInvariant = not (
            autodetect
            or self._pattern is not None
            or any(
                a != b and b.startswith(a)
                for a in self._literals
                for b in self._literals
            )
        )
        anyNewline = not self._literals and self._pattern is None
        self.reversible = (
            _NEWLINE.fullmatch(self._ending) is not None
            if anyNewline
            else self._literals == (self._ending,)
        )
        #: The octets that a line cannot hold, if it is not looked at more closely.
        self._breaking: tuple[bytes, ...] = ()
        if self._encoding is None and type(self).frame is Line.frame:
            if anyNewline:
                self._breaking = (b"\n", b"\r")
            elif self._literals == (self._ending,) and len(self._ending) == 1:
                self._breaking = (self._ending,)
        if self._breaking:
            # As C{put} calls it for each record, this is worth a function of its own.
            self.frame = _framer(  # type: ignore[assignment,method-assign]
                self._ending, self._breaking, maxLength, self.frame
            )
        self._empty()

    def _empty(self) -> None:
        #: The newline that autodetection has found.
        self._detected = b""
        self._use(self._literals)
        #: The unfinished line, in the pieces it arrived in, and their length.
        self._parts: list[bytes] = []
        self._held = 0
        #: The end of the last read where a delimiter may have begun.
        self._carry = b""
        #: The octet that completes the newline the last read ended in. It is no line
        #: of its own should it come next, here or in the framing that follows.
        self.swallows = b""
        #: An unfinished line was too long, and the rest of it is to be dropped.
        self._dropping = False
        #: What stands behind a line that was too long, and is to be cut again.
        self._behind = b""
        #: What the last batch was made of, if it has any line.
        self._source: list[bytes] = []

    def _use(self, literals: tuple[bytes, ...]) -> None:
        """
        Cut at these from now on; at any newline if there are none.
        """
        self._delimiters = literals
        self._delimiter = literals[0] if len(literals) == 1 else None
        if self._pattern is not None:
            self._regex = self._pattern
        elif literals:
            self._regex = re.compile(b"|".join(map(re.escape, literals)))
        else:
            self._regex = _NEWLINE

    def feed(self, data: bytes) -> Iterable[Any]:
        """
        @return: the lines that are complete now.

        @raise RecordTooLong: from the iterator, behind the lines before it; also
            for an unfinished line that is already too long.
        @raise FramingError: likewise, if a line is not in the C{encoding}.
        """
        self._source = []
        if self._behind:
            data, self._behind = self._behind + data, b""
        if self.swallows and data:
            data = self._swallow(data)
        if not data:
            return []
        if self._carry:
            data = self._carry + data
            self._carry = b""
        if self._delimiter is not None:
            lines = _split(data, self._delimiter)
        elif self._delimiters:
            lines = self._cutPattern(data)
        elif self._pattern is not None:
            data = b"".join([*self._parts, data])
            self._parts, self._held = [], 0
            lines = self._cutPattern(data)
        elif self._autodetect:
            lines = self._cutFirst(data)
        else:
            lines = self._cutNewlines(data)

        total = self._held + len(data)
        rest = lines.pop()
        if lines:
            self._source = [*self._parts, data]
            if self._parts:
                lines[0] = b"".join([*self._parts, lines[0]])
                self._parts, self._held = [], 0
            if self._dropping:
                # That was the end of a line reported before.
                self._dropping = False
                self._source[0] = self._source[0][self._stop(self._source[0], 1) :]
                del lines[0]
        if rest:
            self._keep(rest)
        # Where all octets together are within the limit, so is each line.
        if total > self._maxLength:
            return self._judged(lines)
        return lines if self._encoding is None else self._decoded(lines)

    # -- the ways to cut; each gives the lines, and the rest behind them

    def _swallow(self, data: bytes) -> bytes:
        """
        @return: the octets without the one that completes the last newline.
        """
        swallowed, self.swallows = self.swallows, b""
        completes = data.startswith(swallowed)
        if self._autodetect:
            # What has been detected is complete now, whatever it is.
            self._use((self._detected + (swallowed if completes else b""),))
        return data[1:] if completes else data

    def _cutNewlines(self, data: bytes) -> list[bytes]:
        """
        At any newline; remember the partner that a last one may yet get.
        """
        # splitlines() knows CR LF, CR and LF, and gives no rest after the last. An LF
        # CR it takes for two newlines, with an empty line between them.
        lines = data.splitlines()
        if not all(lines) and b"\n\r" in data:
            lines = _NEWLINE.split(data)
        elif data[-1:] in (b"\r", b"\n"):
            lines.append(b"")
        if not lines[-1]:
            # Only the run of newlines at the end tells whether the last of them
            # has one octet or two.
            run = data[len(data.rstrip(b"\r\n")) :]
            self.swallows = _PARTNER.get(_NEWLINE.findall(run)[-1], b"")
        return lines

    def _cutFirst(self, data: bytes) -> list[bytes]:
        """
        At the first newline, and from there on at those like it.
        """
        found = _NEWLINE.search(data)
        if found is None:
            return [data]
        self._detected = found[0]
        if found.end() == len(data) and len(found[0]) == 1:
            # It may yet get a second octet.
            self.swallows = _PARTNER[found[0]]
            return [data[: found.start()], b""]
        self._use((found[0],))
        return data.split(found[0])

    def _cutPattern(self, data: bytes) -> list[bytes]:
        """
        At what the regular expression matches; its groups never leak.
        """
        lines, start = [], 0
        for found in self._regex.finditer(data):
            if found.end() > found.start():
                lines.append(data[start : found.start()])
                start = found.end()
        lines.append(data[start:])
        return lines

    def _keep(self, rest: bytes) -> None:
        """
        Keep the unfinished line, less the octets where a delimiter may begin.
        """
        longest = max(map(len, self._delimiters), default=1)
        for size in range(min(longest - 1, len(rest)), 0, -1):
            tail = rest[-size:]
            if any(d.startswith(tail) and d != tail for d in self._delimiters):
                self._carry = tail
                rest = rest[:-size]
                break
        if rest and not self._dropping:
            self._parts.append(rest)
            self._held += len(rest)

    # -- what is done with the lines

    def _judged(self, lines: list[bytes]) -> Iterable[Any]:
        """
        @return: the lines, up to the first that is too long.
        """
        limit = self._maxLength
        for position, line in enumerate(lines):
            if len(line) > limit:
                if self._skips:
                    self._goBack(position + 1)
                fault = RecordTooLong(len(line), limit, self._skips)
                return thenRaise(self._decoded(lines[:position]), fault)
        if self._held > limit + (_ROOM if self._pattern is not None else 0):
            fault = RecordTooLong(self._held, limit, self._skips)
            if self._skips:
                self._source = self._source or [*self._parts, self._carry]
                self._parts, self._held = [], 0
                self._dropping = True
            return thenRaise(self._decoded(lines), fault)
        return self._decoded(lines)

    def _goBack(self, count: int) -> None:
        """
        Cut what stands behind so many lines of the batch again, at the next feed.
        """
        octets = b"".join(self._source)
        self._behind = octets[self._stop(octets, count) :]
        self._parts, self._held = [], 0
        self._carry = b""
        if self._behind:
            self.swallows = b""

    def _decoded(self, lines: list[bytes]) -> Iterable[Any]:
        if self._encoding is None:
            return lines
        texts: list[str] = []
        try:
            for line in lines:
                texts.append(line.decode(self._encoding))
        except UnicodeError as error:
            fault = FramingError(f"a line is not {self._encoding}: {error}")
            return thenRaise(texts, fault)
        return texts

    def finish(self) -> Iterable[Any]:
        """
        @return: nothing: a line without its delimiter is no record, as in POE.

        @raise TruncatedRecord: from the iterator, with the unfinished line.
        """
        rest = b"".join([*self._parts, self._carry])
        self._empty()
        return thenRaise([], TruncatedRecord(rest)) if rest else []

    def frame(self, record: Any) -> bytes:
        """
        @return: the line and its delimiter.

        @raise TypeError: if the record is not octets, or with an C{encoding} no text.
        @raise InvalidRecord: if the delimiter stands inside the record.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        if self._encoding is None:
            line = octetsOf(record)
        elif isinstance(record, str):
            try:
                line = record.encode(self._encoding)
            except UnicodeError as error:
                raise InvalidRecord(f"not in {self._encoding}: {error}") from error
        else:
            raise TypeError(
                f"with encoding={self._encoding!r} a line is str, not {record!r:.60}"
            )
        if len(line) > self._maxLength:
            raise RecordTooLong(len(line), self._maxLength)
        framed = line + self._ending
        # Searched behind the join: a delimiter can also arise across it, as in
        # "x|" with the delimiter "||".
        if self._delimiter == self._ending:
            broken = framed.find(self._ending) != len(line)
        elif self._delimiters or self._pattern is not None:
            broken = bool(self._ending) and self._ending in line
        else:
            broken = b"\n" in line or b"\r" in line
        if broken:
            raise InvalidRecord(
                f"a line cannot hold its own delimiter: {line!r:.60}; put the "
                "parts as lines of their own, or use Stream()"
            )
        return framed

    def frameMany(self, records: Sequence[Any]) -> bytes:
        """
        @return: the lines, each with its delimiter.

        @raise Exception: as L{frame}, for the first that it would raise for.
        """
        ending, count = self._ending, len(records)
        if self._breaking:
            try:
                framed = ending.join(records) + ending
            except TypeError:
                framed = b""
            # Where each of these octets stands as often as the ending brings it, no
            # line holds one.
            if (
                all(framed.count(b) == count * ending.count(b) for b in self._breaking)
                and framed
                and (
                    len(framed) - count * len(ending) <= self._maxLength
                    or max(map(len, records)) <= self._maxLength
                )
            ):
                return framed
        return b"".join(map(self.frame, records))

    def _stop(self, octets: bytes, count: int) -> int:
        """
        @return: where the C{count}-th line ends, its delimiter included.
        """
        found = (m.end() for m in self._regex.finditer(octets) if m.end() > m.start())
        for _ in range(count - 1):
            next(found)
        return next(found)

    def release(self, delivered: int) -> bytes:
        """
        @return: the octets behind the first C{delivered} lines of the last batch.
        """
        octets = b"".join(self._source or [*self._parts, self._carry, self._behind])
        swallows = self.swallows
        if delivered:
            octets = octets[self._stop(octets, delivered) :]
        self._empty()
        # All was delivered: the second octet of the last newline may yet come,
        # should this framing be fed again.
        if not octets:
            self.swallows = swallows
        return octets

    def clone(self) -> Line:
        """
        @return: an empty one with the same settings.
        """
        return type(self)(**self._settings)


def _framer(
    ending: bytes,
    breaking: tuple[bytes, ...],
    maxLength: int,
    otherwise: Callable[[Any], bytes],
) -> Callable[[Any], bytes]:
    """
    @param breaking: one or two octets that a line cannot hold.
    @param otherwise: judges a record that is not plain.

    @return: a function that frames a record.
    """
    # To look for a number is five times as fast as for an octet.
    first, second = breaking[0][0], breaking[-1][0]

    def frame(record: Any) -> bytes:
        if type(record) is not bytes or first in record or len(record) > maxLength:
            return otherwise(record)
        return record + ending

    def frameTwo(record: Any) -> bytes:
        if (
            type(record) is not bytes
            or first in record
            or second in record
            or len(record) > maxLength
        ):
            return otherwise(record)
        return record + ending

    return frame if first == second else frameTwo


def _checkDelimiters(name: str, value: object) -> tuple[bytes, ...]:
    """
    @return: the delimiters, the longer ones first.

    @raise TypeError: if one is not octets.
    @raise ValueError: if one is empty, or there is none.
    """
    values = [value] if isinstance(value, (bytes, str)) else value
    if name == "delimiter" and not isinstance(value, bytes):
        raise TypeError(f"delimiter must be bytes, not {value!r}")
    if not isinstance(values, Sequence) or not all(
        isinstance(v, bytes) for v in values
    ):
        raise TypeError(f"{name} must be bytes, or a sequence of them, not {value!r}")
    if not values or not all(values):
        raise ValueError(f"{name} must have at least one octet")
    return tuple(sorted(values, key=len, reverse=True))


def _checkPattern(value: object) -> re.Pattern[bytes]:
    """
    @raise TypeError: if that is no regular expression for octets.
    @raise ValueError: if it is none at all, or matches nothing.
    """
    if isinstance(value, bytes):
        try:
            value = re.compile(value)
        except re.error as error:
            raise ValueError(f"inputPattern: {value!r}: {error}") from error
    if not isinstance(value, re.Pattern) or not isinstance(value.pattern, bytes):
        raise TypeError(
            f"inputPattern must be a regular expression for bytes, not {value!r}"
        )
    if value.fullmatch(b""):
        raise ValueError(f"inputPattern: {value.pattern!r} matches without an octet")
    return value


def _checkEncoding(value: object) -> str | None:
    """
    @raise TypeError: if that is no name.
    @raise ValueError: if it is of no encoding.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"encoding must be a name, not {value!r}")
    try:
        "a".encode(value)
    except LookupError:
        # Some codecs are no encodings of text, such as hex.
        raise ValueError(f"encoding: there is none called {value!r}") from None
    return value
