"""
What ends a line: how it is searched for, and how a whole read is split at it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from operator import itemgetter

from ._base import Buffer

#: Any of the four newlines, the longer ones first.
NEWLINE = re.compile(rb"\r\n?|\n\r?")

#: The byte that makes a newline of one byte a newline of two.
PARTNER = {b"\r": b"\n", b"\n": b"\r"}

#: How many bytes show whether lines are long, and the length from which they are.
_SAMPLE = 2048
_LONG = 200

_WITHOUT_END = itemgetter(slice(None, -1))


class Delimiters:
    """
    Finds the ends of lines.

    @ivar longest: the length of the longest delimiter in bytes.
    """

    longest: int

    def find(
        self, data: Buffer, start: int, searched: int, stop: int
    ) -> tuple[int, int] | None:
        """
        Find the end of the line that begins at C{start}.

        @param searched: C{data[start:searched]} holds no whole delimiter.
        @param stop: the index at which the search ends.

        @return: where the delimiter begins and ends; None if there is none.
        """
        raise NotImplementedError

    def split(self, data: bytes, start: int) -> list[bytes]:
        """
        Split C{data[start:]} at all delimiters. The last item is the unfinished line.
        """
        raise NotImplementedError

    def partial(self, data: Buffer, start: int) -> int:
        """
        Return how many bytes at the end of C{data[start:]}, in which there is no
        delimiter, may be the beginning of one.
        """
        raise NotImplementedError

    def swallows(self, data: Buffer, found: tuple[int, int]) -> bytes:
        """
        Return the byte that would still belong to the delimiter, should it come next.
        """
        return b""

    def swallowsAtEnd(self, data: bytes, start: int) -> bytes:
        """
        As L{swallows}, for the delimiter with which C{data[start:]} ends.
        """
        return b""


class Literal(Delimiters):
    """
    One delimiter.
    """

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self.longest = len(delimiter)
        #: True if two occurrences may overlap, as of C{"||"} in C{"|||"}.
        self._overlaps = any(
            delimiter.startswith(delimiter[index:]) for index in range(1, self.longest)
        )

    def find(
        self, data: Buffer, start: int, searched: int, stop: int
    ) -> tuple[int, int] | None:
        begin = searched - self.longest + 1
        index = data.find(self._delimiter, begin if begin > start else start, stop)
        return None if index < 0 else (index, index + self.longest)

    def split(self, data: bytes, start: int) -> list[bytes]:
        # bytes.split() looks at one byte after the other. Where delimiters are rare,
        # other methods find them several times as fast (benchmark row: lines of 1 KiB).
        delimiter, sampled = self._delimiter, start + _SAMPLE
        if (
            delimiter != b"\n"
            or sampled > len(data)
            or data.count(delimiter, start, sampled) > _SAMPLE // _LONG
        ):
            return self._splitAll(data, start)
        last = data.rfind(delimiter, start)
        if last < 0:
            return [data[start:]]
        # One line at a time, so that each is copied while the processor's cache still
        # holds it. The file does not copy the data.
        file = BytesIO(data)
        file.seek(start)
        lines = list(map(_WITHOUT_END, file))
        rest = data[last + 1 :]
        if rest:
            lines.pop()
        lines.append(rest)
        return lines

    def _splitAll(self, data: bytes, start: int) -> list[bytes]:
        if start > _SAMPLE or self._overlaps or not self._isEnd(data, start):
            return data[start:].split(self._delimiter)
        # Split all the data rather than copy it from C{start} on.
        lines = data.split(self._delimiter)
        del lines[: data.count(self._delimiter, 0, start)]
        return lines

    def _isEnd(self, data: bytes, start: int) -> bool:
        return not start or data.endswith(self._delimiter, 0, start)

    def partial(self, data: Buffer, start: int) -> int:
        return _partial((self._delimiter,), data, start)


class Pattern(Delimiters):
    """
    A regular expression.
    """

    def __init__(self, pattern: re.Pattern[bytes], maxMatch: int) -> None:
        """
        @param maxMatch: the longest match in bytes.
        """
        self._pattern = pattern
        self.longest = maxMatch

    def find(
        self, data: Buffer, start: int, searched: int, stop: int
    ) -> tuple[int, int] | None:
        begin = max(start, searched - self.longest)
        for match in self._pattern.finditer(data, begin, stop):
            if match.end() > match.start():
                return match.span()
        return None

    def split(self, data: bytes, start: int) -> list[bytes]:
        lines = []
        for match in self._pattern.finditer(data, start):
            if match.end() > match.start():
                lines.append(data[start : match.start()])
                start = match.end()
        lines.append(data[start:])
        return lines

    def partial(self, data: Buffer, start: int) -> int:
        return min(self.longest, len(data) - start)


class Literals(Pattern):
    """
    Several delimiters, of which the longest counts where more than one fits.
    """

    def __init__(self, delimiters: Sequence[bytes]) -> None:
        """
        @param delimiters: the delimiters, longer ones first.
        """
        pattern = re.compile(b"|".join(map(re.escape, delimiters)))
        super().__init__(pattern, len(delimiters[0]))
        self._delimiters = delimiters

    def partial(self, data: Buffer, start: int) -> int:
        return _partial(self._delimiters, data, start)


class Newlines(Delimiters):
    """
    Any of CR LF, LF CR, CR and LF. A line ends with the first byte of its newline; the
    second byte is swallowed if it comes later.
    """

    longest = 2

    def find(
        self, data: Buffer, start: int, searched: int, stop: int
    ) -> tuple[int, int] | None:
        match = NEWLINE.search(data, max(start, searched), stop)
        return None if match is None else match.span()

    def split(self, data: bytes, start: int) -> list[bytes]:
        # splitlines() knows CR LF, CR and LF, and returns no rest after the last. It
        # takes LF CR for two newlines with an empty line between them.
        data = data[start:]
        lines = data.splitlines()
        if not all(lines) and b"\n\r" in data:
            lines = NEWLINE.split(data)
        elif data[-1:] in (b"\r", b"\n"):
            lines.append(b"")
        return lines

    def partial(self, data: Buffer, start: int) -> int:
        return 0

    def swallows(self, data: Buffer, found: tuple[int, int]) -> bytes:
        begin, end = found
        if end < len(data) or end - begin == 2:
            return b""
        return PARTNER[bytes(data[begin:end])]

    def swallowsAtEnd(self, data: bytes, start: int) -> bytes:
        # Only the run of newlines at the end shows whether the last of them has one
        # byte or two.
        run = data[max(start, len(data.rstrip(b"\r\n"))) :]
        return PARTNER.get(NEWLINE.findall(run)[-1], b"") if run else b""


def _partial(delimiters: Sequence[bytes], data: Buffer, start: int) -> int:
    longest = max(map(len, delimiters))
    for size in range(min(longest - 1, len(data) - start), 0, -1):
        tail = bytes(data[len(data) - size :])
        if any(d.startswith(tail) and d != tail for d in delimiters):
            return size
    return 0
