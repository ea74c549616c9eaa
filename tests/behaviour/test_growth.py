"""
Tests that the time to decode a stream grows linearly with its length, for all framings,
sizes of reads, and ways to use the client.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import framing
from twisted_clienttcp.framing import Framing, Line, Piece

from ..growth import LIMIT, SUBJECTS, Subject, growth, tooFast, waysFor


class GrowthTests(SynchronousTestCase):
    """
    Tests with all framings. There is one method for each.
    """

    timeout = 120

    def test_every(self) -> None:
        """
        All framings of the package are measured.
        """
        parts = {
            type(part)
            for subject in SUBJECTS.values()
            for made in [subject.framing()]
            for part in [made, *getattr(made, "parts", list)()]
        }
        kinds = {getattr(framing, name) for name in framing.__all__}
        kinds = {kind for kind in kinds if isinstance(kind, type)}
        # These are a LengthPrefixed with other defaults.
        kinds -= {Framing, Piece, framing.int8, framing.int32}
        self.assertEqual(kinds - parts, set())

    @classmethod
    def add(cls, name: str, subject: Subject) -> None:
        def test(self: GrowthTests) -> None:
            self.assertEqual(tooFast(name, subject), [])

        test.__doc__ = f"Linear in every way: {name}."
        setattr(cls, f"test_{''.join(filter(str.isalnum, name.title()))}", test)


for _name, _subject in SUBJECTS.items():
    GrowthTests.add(_name, _subject)


class SearchesAgain(Line):
    """
    A framing that searches all bytes of an incomplete line at each read.
    """

    def decode(self, data: Any, start: int, searched: int) -> Any:
        # A search in C alone is too fast to be seen in these short times.
        sum(bytes(data[start:searched]))
        return super().decode(data, start, start)


class LooksBack(Line):
    """
    A framing that checks all earlier records.
    """

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.earlier: list[Any] = []

    def decode(self, data: Any, start: int, searched: int) -> Any:
        found = super().decode(data, start, searched)
        if found is not None:
            self.earlier += found[0]
            sorted(self.earlier)
        return found


class QuadraticTests(SynchronousTestCase):
    """
    Tests that quadratic time is found.
    """

    def check(self, kind: Callable[..., Framing[Any]], title: str) -> None:
        subject = Subject(partial(kind, delimiter=b"\n"))
        [way] = [way for way in waysFor("line", subject) if way.title == title]
        ratio, _ = growth(way, subject, LIMIT)
        self.assertGreater(ratio, LIMIT)

    def test_searchesAgain(self) -> None:
        """
        A long record, in pieces.
        """
        self.check(SearchesAgain, "long, pieces of 64")

    def test_looksBack(self) -> None:
        """
        Many short records.
        """
        self.check(LooksBack, "64 KiB")
