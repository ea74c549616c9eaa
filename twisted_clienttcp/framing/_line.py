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
from copy import copy
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
            names = [*chosen, "outputDelimiter"][:2]
            raise TypeError(
                f"{' and '.join(names)} exclude each other: both say how lines end"
            )
        if not isinstance(autodetect, bool):
            raise TypeError(f"autodetect must be True or False, not {autodetect!r}")
        self._use(
            _Rules(
                delimiter=delimiter,
                inputDelimiter=inputDelimiter,
                outputDelimiter=outputDelimiter,
                inputPattern=inputPattern,
                autodetect=autodetect,
                encoding=encoding,
                maxLength=maxLength,
                onTooLong=onTooLong,
            )
        )
        self._empty()

    def _use(self, rules: _Rules) -> None:
        self._rules = rules
        self._delimiter = rules.delimiter
        self.chunkInvariant = rules.chunkInvariant
        self.reversible = rules.reversible
        if type(self).frame is Line.frame:
            # As C{put} calls it for each record, the detour is worth to be left out.
            self.frame = rules.frame  # type: ignore[assignment,method-assign]

    def _empty(self) -> None:
        if self._rules.given is not None:
            self._use(self._rules.given)
        #: The unfinished line, in the pieces it arrived in, and their length.
        self._parts: list[bytes] | tuple[()] = ()
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
        self._source: Sequence[bytes] = ()

    def feed(self, data: bytes) -> Iterable[Any]:
        """
        @return: the lines that are complete now.

        @raise RecordTooLong: from the iterator, behind the lines before it; also
            for an unfinished line that is already too long.
        @raise FramingError: likewise, if a line is not in the C{encoding}.
        """
        self._source = ()
        if self._behind:
            data, self._behind = self._behind + data, b""
        if self.swallows and data:
            data = self._swallow(data)
        if not data:
            return []
        if self._carry:
            data = self._carry + data
            self._carry = b""
        rules = self._rules
        if self._delimiter is not None:
            lines = _split(data, self._delimiter)
        elif rules.literals:
            lines = self._cutPattern(data)
        elif rules.pattern is not None:
            data = b"".join([*self._parts, data])
            self._parts, self._held = (), 0
            lines = self._cutPattern(data)
        elif rules.autodetect:
            lines = self._cutFirst(data)
        else:
            lines = self._cutNewlines(data)

        total = self._held + len(data)
        rest = lines.pop()
        if lines:
            self._source = source = [*self._parts, data]
            if self._parts:
                lines[0] = b"".join([*self._parts, lines[0]])
                self._parts, self._held = (), 0
            if self._dropping:
                # That was the end of a line reported before.
                self._dropping = False
                source[0] = source[0][self._stop(source[0], 1) :]
                del lines[0]
        if rest:
            self._keep(rest)
        # Where all octets together are within the limit, so is each line.
        if total > rules.maxLength:
            return self._judged(lines)
        return lines if rules.encoding is None else self._decoded(lines)

    # -- the ways to cut; each gives the lines, and the rest behind them

    def _swallow(self, data: bytes) -> bytes:
        """
        @return: the octets without the one that completes the last newline.
        """
        swallowed, self.swallows = self.swallows, b""
        completes = data.startswith(swallowed)
        if self._rules.autodetect:
            # What has been detected is complete now, whatever it is.
            newline = _PARTNER[swallowed] + (swallowed if completes else b"")
            self._use(self._rules.detected(newline))
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
        if found.end() == len(data) and len(found[0]) == 1:
            # It may yet get a second octet.
            self.swallows = _PARTNER[found[0]]
            return [data[: found.start()], b""]
        self._use(self._rules.detected(found[0]))
        return data.split(found[0])

    def _cutPattern(self, data: bytes) -> list[bytes]:
        """
        At what the regular expression matches; its groups never leak.
        """
        lines, start = [], 0
        for found in self._rules.regex.finditer(data):
            if found.end() > found.start():
                lines.append(data[start : found.start()])
                start = found.end()
        lines.append(data[start:])
        return lines

    def _keep(self, rest: bytes) -> None:
        """
        Keep the unfinished line, less the octets where a delimiter may begin.
        """
        delimiters = self._rules.literals
        longest = max(map(len, delimiters), default=1)
        for size in range(min(longest - 1, len(rest)), 0, -1):
            tail = rest[-size:]
            if any(d.startswith(tail) and d != tail for d in delimiters):
                self._carry = tail
                rest = rest[:-size]
                break
        if rest and not self._dropping:
            if self._parts:
                self._parts.append(rest)
            else:
                self._parts = [rest]
            self._held += len(rest)

    # -- what is done with the lines

    def _judged(self, lines: list[bytes]) -> Iterable[Any]:
        """
        @return: the lines, up to the first that is too long.
        """
        rules, limit = self._rules, self._rules.maxLength
        for position, line in enumerate(lines):
            if len(line) > limit:
                if rules.skips:
                    self._goBack(position + 1)
                fault = RecordTooLong(len(line), limit, rules.skips)
                return thenRaise(self._decoded(lines[:position]), fault)
        if self._held > limit + (_ROOM if rules.pattern is not None else 0):
            fault = RecordTooLong(self._held, limit, rules.skips)
            if rules.skips:
                self._source = self._source or [*self._parts, self._carry]
                self._parts, self._held = (), 0
                self._dropping = True
            return thenRaise(self._decoded(lines), fault)
        return self._decoded(lines)

    def _goBack(self, count: int) -> None:
        """
        Cut what stands behind so many lines of the batch again, at the next feed.
        """
        octets = b"".join(self._source)
        self._behind = octets[self._stop(octets, count) :]
        self._parts, self._held = (), 0
        self._carry = b""
        if self._behind:
            self.swallows = b""

    def _decoded(self, lines: list[bytes]) -> Iterable[Any]:
        encoding = self._rules.encoding
        if encoding is None:
            return lines
        texts: list[str] = []
        try:
            for line in lines:
                texts.append(line.decode(encoding))
        except UnicodeError as error:
            fault = FramingError(f"a line is not valid {encoding}: {error}")
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
        return self._rules.frame(record)

    def frameMany(self, records: Sequence[Any]) -> bytes:
        """
        @return: the lines, each with its delimiter.

        @raise Exception: as L{frame}, for the first that it would raise for.
        """
        rules, count = self._rules, len(records)
        ending = rules.ending
        if rules.breaking and type(self).frame is Line.frame:
            try:
                framed = ending.join(records) + ending
            except TypeError:
                framed = b""
            # Where each of these octets stands as often as the ending brings it, no
            # line holds one.
            if (
                all(framed.count(b) == count * ending.count(b) for b in rules.breaking)
                and framed
                and (
                    len(framed) - count * len(ending) <= rules.maxLength
                    or max(map(len, records)) <= rules.maxLength
                )
            ):
                return framed
        return b"".join(map(self.frame, records))

    def _stop(self, octets: bytes, count: int) -> int:
        """
        @return: where the C{count}-th line ends, its delimiter included.
        """
        found = (
            m.end() for m in self._rules.regex.finditer(octets) if m.end() > m.start()
        )
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
        if type(self) is not Line:
            return type(self)(**self._rules.arguments)
        twin = Line.__new__(Line)
        twin._use(self._rules)
        twin._empty()
        return twin


class _Rules:
    """
    What the arguments of a L{Line} say, for all its clones: they differ in what they
    have received.

    @ivar arguments: these arguments.
    @ivar literals: what ends a line on input, the longer ones first; none if any
        newline or the C{pattern} does.
    @ivar delimiter: the only one of them.
    @ivar regex: what finds them, if there is none.
    @ivar ending: what is written behind a line.
    @ivar breaking: the octets that a line cannot hold, if it is not looked at more
        closely.
    @ivar frame: turns a line into octets.
    @ivar given: the rules before these were detected; None for those.
    """

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments
        literals = _checkLiterals(arguments["delimiter"], arguments["inputDelimiter"])
        ending = _checkEnding(arguments["delimiter"], arguments["outputDelimiter"])
        self.pattern = pattern = _checkPattern(arguments["inputPattern"])
        self.autodetect: bool = arguments["autodetect"]
        self.ending = ending
        self.encoding = _checkEncoding(arguments["encoding"])
        self.maxLength = checkMaxLength(arguments["maxLength"])
        self.skips = checkOnTooLong(arguments["onTooLong"])
        self.given: _Rules | None = None
        #: Where one literal begins another, what has come decides which of them it is.
        self.chunkInvariant = not (
            self.autodetect
            or pattern is not None
            or any(a != b and b.startswith(a) for a in literals for b in literals)
        )
        anyNewline = not literals and pattern is None
        self.reversible = (
            _NEWLINE.fullmatch(ending) is not None
            if anyNewline
            else literals == (ending,)
        )
        self.breaking: tuple[bytes, ...] = ()
        if self.encoding is None:
            if anyNewline:
                self.breaking = (b"\n", b"\r")
            elif literals == (ending,) and len(ending) == 1:
                self.breaking = (ending,)
        self._cutAt(literals)

    def _cutAt(self, literals: tuple[bytes, ...]) -> None:
        self.literals = literals
        self.delimiter = literals[0] if len(literals) == 1 else None
        if self.pattern is not None:
            self.regex = self.pattern
        elif literals:
            self.regex = re.compile(b"|".join(map(re.escape, literals)))
        else:
            self.regex = _NEWLINE
        self.frame: Callable[[Any], bytes] = self._frame
        if self.breaking:
            self.frame = _framer(
                self.ending, self.breaking, self.maxLength, self._frame
            )

    def detected(self, newline: bytes) -> _Rules:
        """
        @return: these rules, with a newline that has been detected.
        """
        rules = copy(self)
        rules.given = self.given or self
        rules._cutAt((newline,))
        return rules

    def _frame(self, record: Any) -> bytes:
        if self.encoding is None:
            line = octetsOf(record)
        elif isinstance(record, str):
            try:
                line = record.encode(self.encoding)
            except UnicodeError as error:
                raise InvalidRecord(
                    f"cannot be encoded as {self.encoding}: {error}"
                ) from error
        else:
            raise TypeError(
                f"with encoding={self.encoding!r} a line must be a str, not "
                f"{record!r:.60}"
            )
        if len(line) > self.maxLength:
            raise RecordTooLong(len(line), self.maxLength)
        framed = line + self.ending
        # Searched behind the join: a delimiter can also arise across it, as in
        # "x|" with the delimiter "||".
        if self.delimiter == self.ending:
            broken = framed.find(self.ending) != len(line)
        elif self.literals or self.pattern is not None:
            broken = bool(self.ending) and self.ending in line
        else:
            broken = b"\n" in line or b"\r" in line
        if broken:
            raise InvalidRecord(
                f"a line cannot hold its own delimiter: {line!r:.60}; put the "
                "parts as separate lines, or use Stream()"
            )
        return framed


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


def _checkLiterals(delimiter: object, inputDelimiter: object) -> tuple[bytes, ...]:
    if delimiter is not None:
        return _checkDelimiters("delimiter", delimiter)
    if inputDelimiter is not None:
        return _checkDelimiters("inputDelimiter", inputDelimiter)
    return ()


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
        raise ValueError(f"{name} must have at least one byte")
    return tuple(sorted(values, key=len, reverse=True))


def _checkPattern(value: object) -> re.Pattern[bytes] | None:
    """
    @raise TypeError: if that is no regular expression for octets.
    @raise ValueError: if it is none at all, or matches nothing.
    """
    if value is None:
        return None
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
        raise ValueError(f"inputPattern: {value.pattern!r} matches the empty string")
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
        raise ValueError(f"encoding: there is no text encoding {value!r}") from None
    return value
