"""
Tests for the memory that received bytes take, for all framings: while a record is
incomplete, is skipped or is held, and when all records have been delivered.
"""

from __future__ import annotations

from typing import Any

from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.framing import (
    Block,
    Framing,
    Grep,
    Line,
    Map,
    Receiver,
    RecordBlock,
    Stackable,
)

from ..growth import SUBJECTS, Subject
from ..memory import (
    READ,
    SPARE,
    Reader,
    Use,
    held,
    incomplete,
    measured,
    reads,
    skipped,
    tail,
    usesOf,
)


class MemoryTests(SynchronousTestCase):
    """
    Tests with all framings. There is one method for each.
    """

    timeout = 120

    @classmethod
    def add(cls, name: str, subject: Subject) -> None:
        def test(self: MemoryTests) -> None:
            uses = list(usesOf(name, subject))
            self.assertEqual([use for use in uses if use.used > use.allowed], [])

        test.__doc__ = f"Bounded in every way: {name}."
        setattr(cls, f"test_{''.join(filter(str.isalnum, name.title()))}", test)


for _name, _subject in SUBJECTS.items():
    MemoryTests.add(_name, _subject)


def stack(*framings: Framing[Any]) -> Framing[Any]:
    """
    Put framings above each other.
    """
    return Stackable(framings=framings)


class ListTests(SynchronousTestCase):
    """
    Tests for lists of very many short records, of which none is complete. They take
    about as much memory as their bytes, whatever the framing below.
    """

    #: How many times the bytes that have arrived may be in memory. A buffer that grows
    #: has room for an eighth more; beside L{Map} and L{Grep} there are also their
    #: results.
    once, twice = 1.25, 2.5

    def check(self, times: float, *framings: Framing[Any]) -> None:
        size = 20_000
        framing = stack(*framings, RecordBlock(size=size), RecordBlock(size=2))
        reader = Reader(framing)
        stream = b"ab\n" * (2 * size - 1)
        uses = [
            (most, int(arrived * times) + READ + SPARE)
            for arrived, most, _ in measured(reader, reads(stream, 1000))
        ]
        self.assertEqual(reader.records, 0)
        self.assertEqual([use for use in uses if use[0] > use[1]], [])
        # All bytes are there.
        self.assertEqual(reader.inbound.discard(), len(stream))

    def test_bytes(self) -> None:
        """
        Bytes that are decoded again when the list is complete.
        """
        self.check(self.once, Line(delimiter=b"\n"))
        self.check(self.once, Block(size=3))
        self.check(self.once, Line(), RecordBlock(size=5))

    def test_records(self) -> None:
        """
        Records that cannot be decoded again, but encoded.
        """
        self.check(self.once, Receiver(LineReceiver, delimiter=b"\n"))
        self.check(self.once, Line(delimiter=b"\n", onTooLong="split"))

    def test_results(self) -> None:
        """
        Results of functions.
        """
        self.check(self.twice, Line(), Grep(code=bool))
        self.check(self.twice, Line(), Map(code=bytes.upper))


class Parts(Line):
    """
    A framing that keeps each piece of a line as an object.
    """

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.parts: list[Any] = []

    def decode(self, data: Any, start: int, searched: int) -> Any:
        self.parts.append(bytearray(data[searched:]))
        return super().decode(data, start, searched)

    def skip(self, data: Any, start: int, searched: int) -> tuple[int, bool]:
        self.parts.append(bytearray(data[start:]))
        return super().skip(data, start, searched)


class Records(Line):
    """
    A framing that keeps the records that it has decoded.
    """

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
        records, end = super().decodeMany(data, start)
        kept = self.__dict__.setdefault("kept", [])
        kept.extend({"record": record} for record in records)
        return records, end


class HoardingTests(SynchronousTestCase):
    """
    Tests that too much memory is found.
    """

    def tooMuch(self, use: Use) -> None:
        self.assertGreater(use.used, use.allowed)

    def test_incomplete(self) -> None:
        """
        While a record is incomplete, or is skipped.
        """
        self.tooMuch(incomplete(Subject(Parts), 1))
        self.tooMuch(skipped(Subject(Parts), READ))

    def test_delivered(self) -> None:
        """
        When the records were delivered, or while they are held.
        """
        self.tooMuch(tail(Subject(Records)))
        self.tooMuch(held(Subject(Records)))
