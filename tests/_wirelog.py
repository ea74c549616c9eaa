"""
The entries of a wire log, read back from its text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HEADING = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) #(?P<number>\d+) (?P<rest>.*)"
)
_DATA = re.compile(
    r"(?P<name>.*) (?P<direction>[<>]) offset (?P<offset>\d+), "
    r"length (?P<length>\d+)(?:, (?P<note>.*))?"
)
_LINE = re.compile(r"(?P<offset>[0-9a-f]{8,})  (?P<bytes>.{48})  \|(?P<text>.{1,16})\|")


class Entry(NamedTuple):
    """
    Bytes that have passed.
    """

    number: int
    name: str
    direction: str
    offset: int
    length: int
    note: str
    data: bytes


class Dump:
    """
    A wire log. Each of its lines must have the documented form.

    @ivar entries: the entries with bytes.
    @ivar notes: the other ones, without their times.
    """

    def __init__(self, text: str) -> None:
        self.entries: list[Entry] = []
        self.notes: list[str] = []
        for line in text.splitlines():
            heading = _HEADING.fullmatch(line)
            if heading is None:
                self._add(line)
            elif found := _DATA.fullmatch(heading["rest"]):
                self.entries.append(
                    Entry(
                        int(heading["number"]),
                        found["name"],
                        found["direction"],
                        int(found["offset"]),
                        int(found["length"]),
                        found["note"] or "",
                        b"",
                    )
                )
            else:
                self.notes.append(f"#{heading['number']} {heading['rest']}")

    def _add(self, line: str) -> None:
        """
        Add a line of bytes to the last entry.
        """
        found = _LINE.fullmatch(line)
        assert found is not None, f"not a line of a wire log: {line!r}"
        last = self.entries[-1]
        assert int(found["offset"], 16) == last.offset + len(last.data), line
        data = bytes.fromhex(found["bytes"])
        assert len(data) == len(found["text"]), line
        self.entries[-1] = last._replace(data=last.data + data)

    def stream(self, direction: str) -> bytes:
        """
        @return: the bytes of one direction that are shown.
        """
        return b"".join(e.data for e in self.entries if e.direction == direction)
