"""
Tests for another framing that is chosen in the middle of something: inside a function
that the framing calls, or in the report of a record that is too long. The result must
not depend on how the stream is split into reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection.inbound import Inbound
from twisted_clienttcp.errors import FramingError
from twisted_clienttcp.framing import (
    SLIP,
    Block,
    Framing,
    Grep,
    JSONLines,
    LengthPrefixed,
    Line,
    Map,
    Netstring,
    RecordBlock,
    Stackable,
)

from .._streams import pieces

Function = Callable[[Any], Any]


def splits(data: bytes) -> Iterator[list[bytes]]:
    """
    @return: a stream in one piece, in two and in three pieces, split anywhere, and byte
        by byte.
    """
    for count in range(3):
        for at in combinations(range(1, len(data)), count):
            yield pieces(data, at)
    yield pieces(data, range(1, len(data)))


def bars(**parameters: Any) -> Line:
    return Line(delimiter=b"|", **parameters)


def stack(*framings: Framing[Any]) -> Stackable:
    return Stackable(framings=framings)


class Chooser:
    """
    Delivers records, and chooses another framing on request.

    @ivar found: the records, and the classes of errors.
    """

    def __init__(
        self,
        framing: Framing[Any] | Callable[[Function], Framing[Any]],
        act: Callable[[Chooser], object] | None = None,
        batched: bool = False,
    ) -> None:
        """
        @param framing: the framing; or what makes one with a function, which acts at
            the record C{s}.
        """
        self.act = act or Chooser.choose
        self.found: list[Any] = []
        self.inbound = Inbound(
            framing if isinstance(framing, Framing) else framing(self.get),
            lambda client, record: self.found.extend(record if batched else [record]),
            self,
            self.inputFailed,
            lambda error: None,
            lambda: None,
            batched,
        )

    def get(self, record: Any) -> Any:
        if record == b"s":
            self.act(self)
        return record

    def choose(self) -> None:
        self.inbound.use(Line(delimiter=b";"))

    def inputFailed(self, error: FramingError) -> None:
        self.found.append(type(error).__name__)
        if getattr(error, "skipped", False):
            self.choose()
        else:
            self.inbound.stop()


#: Stacks with a function, and streams in which the record C{s} makes it choose.
FUNCTIONS: dict[str, tuple[Callable[[Function], Framing[Any]], bytes, list[Any]]] = {
    "Map": (
        lambda get: stack(bars(), Map(get=get, put=bytes)),
        b"a|s|b;c;",
        [b"a", b"s", b"b", b"c"],
    ),
    "Grep": (
        lambda get: stack(bars(), Grep(get=get, put=bytes)),
        b"a|s|b;c;",
        [b"a", b"s", b"b", b"c"],
    ),
    "the rest of its unit": (
        lambda get: stack(bars(), Map(get=bytes.split, put=bytes), Map(code=get)),
        b"a|s x|b;c;",
        [b"a", b"s", b"x", b"b", b"c"],
    ),
    "above blocks": (
        lambda get: stack(Block(size=1), Map(code=get)),
        b"asb;c;",
        [b"a", b"s", b"b", b"c"],
    ),
    "above lines of blocks": (
        lambda get: stack(Block(size=2), bars(), Map(code=get)),
        b"a|s|b;c;",
        [b"a", b"s", b"b", b"c"],
    ),
    "below blocks": (
        lambda get: stack(bars(), Map(code=get), Block(size=1)),
        b"a|s|b;c;",
        [b"a", b"s", b"b", b"c"],
    ),
    "in a list": (
        lambda get: stack(bars(), Map(code=get), RecordBlock(size=2)),
        b"a|s|b;c;",
        [[b"a", b"s"], b"b", b"c"],
    ),
    "in an incomplete list, which is decoded again": (
        lambda get: stack(bars(), Map(code=get), RecordBlock(size=3)),
        b"a|s|b;c;",
        [b"a|s|b", b"c"],
    ),
    "in a function that raises": (
        lambda get: stack(bars(), Map(get=lambda line: get(line) / 1, put=bytes)),
        b"s|b;c;",
        ["FramingError"],
    ),
}

#: Framings that skip a record, and streams with one that is too long.
SKIPPING: dict[str, tuple[Framing[Any], bytes]] = {
    "Line": (bars(maxLength=2, onTooLong="skip"), b"a|long|b;c;"),
    "Line, a newline": (Line(maxLength=2, onTooLong="skip"), b"a\r\nlong\r\nb;c;"),
    "Line, two bytes": (
        Line(delimiter=b"|#", maxLength=2, onTooLong="skip"),
        b"a|#lo|g|#b;c;",
    ),
    "Netstring": (Netstring(maxLength=2, onTooLong="skip"), b"1:a,4:long,b;c;"),
    "LengthPrefixed": (
        LengthPrefixed(prefixSize=1, maxLength=2, onTooLong="skip"),
        b"\1a\4longb;c;",
    ),
    "JSONLines": (JSONLines(maxLength=2, onTooLong="skip"), b'""\n"abcd"\nb;c;'),
    "SLIP": (SLIP(maxLength=2, onTooLong="skip"), b"a\xc0long\xc0b;c;"),
    "Stackable": (
        stack(bars(maxLength=2, onTooLong="skip"), Map(code=bytes)),
        b"a|long|b;c;",
    ),
    "Stackable, below": (
        stack(Netstring(maxLength=2, onTooLong="skip"), bars()),
        b"1:a,1:|,4:long,b;c;",
    ),
}


class InsideTests(SynchronousTestCase):
    """
    L{Inbound.use} in the middle of something.
    """

    def test_functions(self) -> None:
        """
        A framing that is chosen inside a function of L{Map} or L{Grep} decodes what
        follows the unit of that record.
        """
        for name, (framing, data, expected) in FUNCTIONS.items():
            for batched in (False, True):
                for chunks in splits(data):
                    chooser = Chooser(framing, batched=batched)
                    for chunk in chunks:
                        chooser.inbound.feed(chunk)
                    found = chooser.found
                    self.assertEqual(found, expected, f"{name}: {chunks}")

    def test_stopped(self) -> None:
        """
        If such a function ends the input, its record is not delivered.
        """
        for chunks in splits(b"a|s|b|"):
            chooser = Chooser(
                lambda get: stack(bars(), Map(code=get), RecordBlock(size=1)),
                lambda chooser: chooser.inbound.stop(),
            )
            for chunk in chunks:
                chooser.inbound.feed(chunk)
            self.assertEqual(chooser.found, [[b"a"]])

    def test_interrupted(self) -> None:
        """
        The choice counts also if the function raises what is not an C{Exception}.
        """

        def act(chooser: Chooser) -> None:
            chooser.choose()
            raise KeyboardInterrupt

        chooser = Chooser(lambda get: stack(Block(size=1), Map(code=get)), act)
        self.assertRaises(KeyboardInterrupt, chooser.inbound.feed, b"s")
        self.assertIsInstance(chooser.inbound.buffer.framing, Line)

    def test_endOfStream(self) -> None:
        """
        A framing that is chosen while the end of the stream is decoded decodes nothing
        more, and the input ends.
        """

        ended: list[None] = []
        chooser = Chooser(
            lambda get: stack(Line(atEnd="record"), Map(code=get), Map(code=bytes))
        )
        chooser.inbound.feed(b"s")
        chooser.inbound.end(lambda: ended.append(None))
        self.assertEqual((chooser.found, ended), ([b"s"], [None]))

    def test_skipped(self) -> None:
        """
        A framing that is chosen when a record is reported as too long decodes what
        follows that record, also if its end has not arrived yet.
        """
        for name, (framing, data) in SKIPPING.items():
            for chunks in splits(data):
                chooser = Chooser(framing.fresh())
                for chunk in chunks:
                    chooser.inbound.feed(chunk)
                found = chooser.found
                self.assertEqual(
                    found[-3:], ["RecordTooLong", b"b", b"c"], f"{name}: {chunks}"
                )
                self.assertEqual(len(found), 4, found)
