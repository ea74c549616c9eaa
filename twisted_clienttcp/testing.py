"""
What helps to test code that uses this package.

L{FramingConformance} is what every framing has to pass, ours too. To test a framing of
your own, mix it into a test case::

    class MyFramingTests(FramingConformance, TestCase):
        records = [b"", b"a record", b"x" * 100]

        def framing(self):
            return MyFraming()
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from .errors import FramingError, RecordTooLong, TruncatedRecord
from .framing import Framing

#: How many random cuts of a stream are tried. The same ones at each run.
CUTS = 50


class FramingConformance:
    """
    Tests of a framing's contract, to be mixed into a C{TestCase}.

    @cvar records: examples of records, as they are read: at least two, short ones among
        them, and whatever could be mistaken for a delimiter.
    @cvar longest: a record of as many octets as L{limited} allows, and L{tooLong} one
        that is longer; None if the framing has no limit.
    """

    records: Sequence[Any] = ()
    longest: Any = None
    tooLong: Any = None

    def framing(self) -> Framing:
        """
        @return: a new framing, as the tests are to use it.
        """
        raise NotImplementedError("override framing()")

    def limited(self) -> Framing:
        """
        @return: a new framing that allows L{longest}, and not L{tooLong}.
        """
        raise NotImplementedError("override limited(), or leave longest at None")

    # -- helpers

    def _stream(self, records: Iterable[Any]) -> bytes:
        framing = self.framing()
        return b"".join(framing.frame(record) for record in records)

    def _read(self, framing: Framing, chunks: Iterable[bytes]) -> list[Any]:
        return [record for chunk in chunks for record in framing.feed(chunk)]

    def _same(self, got: Any, wanted: Any, about: str) -> None:
        if got != wanted:
            raise AssertionError(f"{about}: {got!r} is not {wanted!r}")

    # -- the tests

    def test_examples(self) -> None:
        """
        There is something to test with, and it is worth that.
        """
        if len(self.records) < 2:
            raise AssertionError("records must hold at least two examples")

    def test_identity(self) -> None:
        """
        What is framed is read back, as a list, if the framing says so.
        """
        if self.framing().reversible:
            batch = self.framing().feed(self._stream(self.records))
            self._same(type(batch), list, "what feed returns when all is well")
            self._same(batch, list(self.records), "read back")

    def test_anyCut(self) -> None:
        """
        The records do not depend on the cuts, octet by octet and at random, if the
        framing says so; empty reads change nothing.
        """
        framing = self.framing()
        if not framing.chunkInvariant:
            return
        stream = self._stream(self.records)
        whole = self._read(self.framing(), [stream])
        octets = [stream[at : at + 1] for at in range(len(stream))]
        self._same(self._read(self.framing(), octets), whole, "octet by octet")
        chance = random.Random(0)
        for _ in range(CUTS):
            places = sorted(chance.choices(range(len(stream) + 1), k=5))
            edges = [0, *places, len(stream)]
            cut = [stream[a:b] for a, b in pairwise(edges)]
            self._same(self._read(self.framing(), cut), whole, f"cut at {places}")

    def test_unfinished(self) -> None:
        """
        A stream that ends anywhere gives the records before, and what stands unfinished
        either as a record or in a L{TruncatedRecord}.
        """
        if not self.framing().chunkInvariant:
            return
        stream = self._stream(self.records)
        whole = self._read(self.framing(), [stream])
        for end in range(len(stream)):
            framing = self.framing()
            records = self._read(framing, [stream[:end]])
            self._same(records, whole[: len(records)], f"up to {end}")
            try:
                for _ in framing.finish():
                    pass
            except TruncatedRecord as rest:
                if not stream[:end].endswith(rest.rest):
                    raise AssertionError(f"{rest.rest!r} is not unread") from rest
            self._same(list(framing.finish()), [], "what is left after the end")

    def test_release(self) -> None:
        """
        After any number of delivered records the octets behind them come back, once and
        whole, wherever the stream was cut.
        """
        if not self.framing().chunkInvariant:
            return
        stream = self._stream(self.records)
        whole = self._read(self.framing(), [stream])
        for end in range(len(stream) + 1):
            before = len(self._read(self.framing(), [stream[:end]]))
            for first in {0, end // 2}:
                framing = self.framing()
                early = len(self._read(framing, [stream[:first]]))
                batch = list(framing.feed(stream[first:end]))
                self._same(early + len(batch), before, "records")
                for delivered in range(len(batch) + 1):
                    again = framing.clone()
                    self._read(again, [stream[:first]])
                    list(again.feed(stream[first:end]))
                    octets = again.release(delivered)
                    if first < end or not delivered:
                        rest = self._read(again, [octets, stream[end:]])
                        done = early + delivered
                        self._same(
                            rest, whole[done:], f"behind {delivered} up to {end}"
                        )

    def test_clone(self) -> None:
        """
        A clone is empty, reads the same, and shares nothing that changes.
        """
        stream = self._stream(self.records)
        framing = self.framing()
        self._read(framing, [stream[: len(stream) // 2]])
        clone = framing.clone()
        self._same(
            self._read(clone, [stream]),
            self._read(self.framing(), [stream]),
            "what a clone reads",
        )
        self._same(
            clone.frame(self.records[0]), framing.frame(self.records[0]), "frame"
        )

    def test_limit(self) -> None:
        """
        A record of the greatest length goes out and comes in; a longer one does
        neither, however it is cut.
        """
        if self.longest is None:
            return
        framing = self.limited()
        framed = framing.frame(self.longest)
        self._same(self._read(framing, [framed]), [self.longest], "the longest")
        try:
            framing.frame(self.tooLong)
        except (RecordTooLong, ValueError):
            pass
        else:
            raise AssertionError(f"frame({self.tooLong!r:.60}) was not refused")
        wrong = self.framing().frame(self.tooLong)
        for step in (1, len(wrong)):
            framing = self.limited()
            cut = [wrong[at : at + step] for at in range(0, len(wrong), step)]
            try:
                got = self._read(framing, cut)
            except FramingError:
                continue
            raise AssertionError(f"{got!r:.60} was not refused")

    def test_wrongType(self) -> None:
        """
        What is no record is refused, with a L{TypeError} or a L{ValueError}.
        """
        try:
            self.framing().frame(object())
        except (TypeError, ValueError):
            pass
        else:
            raise AssertionError("frame(object()) was not refused")
