"""
The delimiters of lines: how to find one, and how to split a whole read at all of them.
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

#: How many bytes are sampled to see whether lines are long, and how many bytes a long
#: line has.
_SAMPLE = 2048
_LONG = 200

_WITHOUT_END = itemgetter(slice(None, -1))


class Delimiters:
    """
    The delimiters that a regular expression matches.

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

        @param searched: C{data[start:searched]} holds no whole delimiter.
        @param stop: the index at which the search ends.

        @return: where the delimiter begins and ends; None if there is none.
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
        Return how many bytes at the end of C{data[start:]}, in which there is no
        delimiter, may be the beginning of one.
        """
        return min(self.longest, len(data) - start)

    def swallows(self, data: Buffer, start: int) -> bytes:
        """
        Return the byte that still belongs to the delimiter at the end of
        C{data[start:]} if it comes next.
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
        # bytes.split() looks at each byte. Where delimiters are rare, other methods
        # find them several times as fast (benchmark row: lines of 1 KiB).
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
        # Split all the data rather than copy it from C{start} on.
        lines = data.split(self._delimiter)
        del lines[: data.count(self._delimiter, 0, start)]
        return lines


class Newlines(Delimiters):
    """
    Any of CR LF, LF CR, CR and LF. A line ends with the first byte of its newline; the
    second byte is swallowed if it comes later.
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
        # Only the run of newlines at the end shows whether the last of them has one
        # byte or two.
        data = bytes(memoryview(data)[start:])
        run = data[len(data.rstrip(b"\r\n")) :]
        return PARTNER.get(NEWLINE.findall(run)[-1], b"")
