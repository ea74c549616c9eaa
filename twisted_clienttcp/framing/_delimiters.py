"""
Finds the delimiters of lines, one by one or all those of a read at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from operator import itemgetter

from ._base import Buffer

#: Any of the four newlines, the longer ones first.
NEWLINE = re.compile(rb"\r\n?|\n\r?")

#: The second byte of a newline of two bytes, by its first byte.
PARTNER = {b"\r": b"\n", b"\n": b"\r"}

#: How many bytes are sampled to estimate the length of lines, and from how many bytes
#: on a line is long.
_SAMPLE = 2048
_LONG = 200

_WITHOUT_END = itemgetter(slice(None, -1))


class Delimiters:
    """
    Delimiters, found by a regular expression.

    @ivar longest: the length of the longest delimiter in bytes.
    """

    def __init__(self, pattern: re.Pattern[bytes], longest: int) -> None:
        self._pattern = pattern
        self.longest = longest

    def find(
        self, data: Buffer, start: int, searched: int, stop: int
    ) -> tuple[int, int] | None:
        """
        Find the end of the line that begins at C{start}.

        @param searched: C{data[start:searched]} contains no complete delimiter.
        @param stop: the index at which the search ends.

        @return: the indices at which the delimiter begins and ends; None if there is
            none.
        """
        begin = max(start, searched - self.longest)
        for match in self._pattern.finditer(data, begin, stop):
            if match.end() > match.start():
                return match.span()
        return None

    def split(self, data: bytes, start: int) -> list[bytes]:
        """
        Split C{data[start:]} at all delimiters. The last item is the unfinished line.
        """
        lines = []
        for match in self._pattern.finditer(data, start):
            if match.end() > match.start():
                lines.append(data[start : match.start()])
                start = match.end()
        lines.append(data[start:])
        return lines

    def partial(self, data: Buffer, start: int) -> int:
        """
        Return how many bytes at the end of C{data[start:]} may be the beginning of a
        delimiter. There is no complete delimiter in it.
        """
        return min(self.longest, len(data) - start)

    def swallows(self, data: Buffer, start: int) -> bytes:
        """
        Return the byte that belongs to the delimiter at the end of C{data[start:]} if
        it comes next; empty if there is no such byte.
        """
        return b""


class Literals(Delimiters):
    """
    Several byte strings. Where more than one matches, the longest wins.
    """

    def __init__(self, delimiters: Sequence[bytes]) -> None:
        """
        @param delimiters: the delimiters, longer ones first.
        """
        pattern = re.compile(b"|".join(map(re.escape, delimiters)))
        super().__init__(pattern, len(delimiters[0]))
        self._delimiters = delimiters

    def partial(self, data: Buffer, start: int) -> int:
        for size in range(min(self.longest - 1, len(data) - start), 0, -1):
            tail = bytes(data[len(data) - size :])
            if any(d.startswith(tail) and d != tail for d in self._delimiters):
                return size
        return 0


class Literal(Literals):
    """
    One byte string.
    """

    def __init__(self, delimiter: bytes) -> None:
        super().__init__([delimiter])
        self._delimiter = delimiter
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
        # bytes.split() examines each byte. If delimiters are rare, other methods find
        # them several times as fast (benchmark row: lines of 1 KiB).
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
        # Read one line at a time, and drop its end while the line is still in the
        # processor's cache. BytesIO itself does not copy the data.
        file = BytesIO(data)
        file.seek(start)
        lines = list(map(_WITHOUT_END, file))
        rest = data[last + 1 :]
        if rest:
            lines.pop()
        lines.append(rest)
        return lines

    def _splitAll(self, data: bytes, start: int) -> list[bytes]:
        isLineStart = not start or data.endswith(self._delimiter, 0, start)
        if start > _SAMPLE or self._overlaps or not isLineStart:
            return data[start:].split(self._delimiter)
        # Splitting all the data is faster than copying it from C{start} on.
        lines = data.split(self._delimiter)
        del lines[: data.count(self._delimiter, 0, start)]
        return lines


class Newlines(Delimiters):
    """
    Any of CR LF, LF CR, CR and LF. A line ends at the first byte of its newline. If the
    second byte arrives later, it is dropped.
    """

    def __init__(self) -> None:
        super().__init__(NEWLINE, 2)

    def split(self, data: bytes, start: int) -> list[bytes]:
        # splitlines() splits at CR LF, CR and LF, and returns no empty string after the
        # last of them. It treats LF CR as two newlines with an empty line between them.
        data = data[start:]
        lines = data.splitlines()
        if not all(lines) and b"\n\r" in data:
            lines = NEWLINE.split(data)
        elif data[-1:] in (b"\r", b"\n"):
            lines.append(b"")
        return lines

    def partial(self, data: Buffer, start: int) -> int:
        return 0

    def swallows(self, data: Buffer, start: int) -> bytes:
        # Whether the last newline has one byte or two depends on the whole run of
        # newlines at the end.
        data = bytes(memoryview(data)[start:])
        run = data[len(data.rstrip(b"\r\n")) :]
        return PARTNER.get(NEWLINE.findall(run)[-1], b"")
