"""
Tests for how much memory received bytes take, whatever the framing: while a record is
incomplete, is skipped or is held, and when all records were delivered.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.framing import Line

from ..growth import SUBJECTS, Subject
from ..memory import READ, Use, held, incomplete, skipped, tail, usesOf


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
