"""
Framings: any cut of a stream gives the same records, and what is framed is read back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.errors import (
    FramingError,
    InvalidRecord,
    RecordTooLong,
    TruncatedRecord,
)
from twisted_clienttcp.framing import Framing, Line, Stream

#: Octets in which newlines and delimiters are frequent.
streams = st.lists(st.sampled_from([b"\r", b"\n", b"|", b"-", b"a", b"bc"])).map(
    b"".join
)
delimiters = st.sampled_from([None, b"|", b"\n", b"\r\n", b"--|", b"aa", b"||"])
cuts = st.lists(st.integers(0, 60)).map(sorted)


def pieces(data: bytes, at: Iterable[int]) -> list[bytes]:
    """
    @return: the octets, cut at those places; some pieces may be empty.
    """
    edges = [0, *(min(place, len(data)) for place in at), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def read(framing: Framing, chunks: Iterable[bytes]) -> tuple[list[Any], Any]:
    """
    @return: the records, and the type of the fault that ended them.
    """
    records: list[Any] = []
    try:
        for chunk in chunks:
            records.extend(framing.feed(chunk))
        records.extend(framing.finish())
    except FramingError as error:
        return records, type(error)
    return records, None


def lines(data: bytes, delimiter: bytes | None) -> tuple[list[bytes], bytes]:
    """
    The model: the whole stream at once, the slow way.

    @return: the lines, and the unfinished rest.
    """
    pattern = rb"\r\n|\n\r|\r|\n" if delimiter is None else re.escape(delimiter)
    *complete, rest = re.split(pattern, data)
    return complete, rest


class LineTests(SynchronousTestCase):
    """
    L{Line}.
    """

    @given(streams, delimiters, cuts)
    def test_anyCut(self, data: bytes, delimiter: bytes | None, at: list[int]) -> None:
        """
        However the stream is cut, the lines are those of the whole, and an unfinished
        one is reported with its octets.
        """
        complete, rest = lines(data, delimiter)
        framing = Line(delimiter=delimiter)
        found = [line for piece in pieces(data, at) for line in framing.feed(piece)]
        self.assertEqual(found, complete)
        if rest:
            error = self.assertRaises(TruncatedRecord, list, framing.finish())
            self.assertEqual(error.rest, rest)
        self.assertEqual(list(framing.finish()), [])

    @given(streams, delimiters)
    def test_octetByOctet(self, data: bytes, delimiter: bytes | None) -> None:
        """
        Nor does it matter that each octet comes alone.
        """
        framing = Line(delimiter=delimiter)
        found = [
            line for n in range(len(data)) for line in framing.feed(data[n : n + 1])
        ]
        self.assertEqual(found, lines(data, delimiter)[0])

    @given(streams, delimiters, cuts, st.data())
    def test_release(
        self, data: bytes, delimiter: bytes | None, at: list[int], choice: Any
    ) -> None:
        """
        After any number of delivered records the rest of the octets comes back, once,
        and the framing is empty: a framing that goes on from there finds the rest.
        """
        complete, rest = lines(data, delimiter)
        framing = Line(delimiter=delimiter)
        found: list[bytes] = []
        chunks = pieces(data, at)
        stop = choice.draw(st.integers(0, len(chunks) - 1))
        for chunk in chunks[:stop]:
            found += framing.feed(chunk)
        batch = list(framing.feed(chunks[stop]))
        delivered = choice.draw(st.integers(0, len(batch)))
        found += batch[:delivered]
        octets = framing.release(delivered)
        # Fed again to itself, it goes on as if nothing had been.
        for chunk in [octets, *chunks[stop + 1 :]]:
            batch = list(framing.feed(chunk))
            found += batch
        self.assertEqual(found, complete)
        self.assertEqual(framing.release(len(batch)), rest)

    @given(st.lists(streams), delimiters, cuts)
    def test_reversible(
        self, records: list[bytes], delimiter: bytes | None, at: list[int]
    ) -> None:
        """
        What can be framed is read back; what would not be is refused.
        """
        framing = Line(delimiter=delimiter)
        framed, kept = b"", []
        for record in records:
            try:
                framed += framing.frame(record)
            except InvalidRecord:
                again = read(
                    Line(delimiter=delimiter), [record + framing._rules.ending]
                )
                self.assertNotEqual(again, ([record], None))
            else:
                kept.append(record)
        self.assertEqual(read(framing, pieces(framed, at)), (kept, None))

    @given(streams, delimiters, cuts, st.integers(1, 6))
    def test_limit(
        self, data: bytes, delimiter: bytes | None, at: list[int], limit: int
    ) -> None:
        """
        The lines before one that is too long come first, and no line that is within the
        limit is refused.
        """
        complete, rest = lines(data, delimiter)
        fitting = 0
        while fitting < len(complete) and len(complete[fitting]) <= limit:
            fitting += 1
        framing = Line(delimiter=delimiter, maxLength=limit)
        found, fault = read(framing, pieces(data, at))
        self.assertEqual(found, complete[:fitting])
        if fitting < len(complete):
            self.assertIs(fault, RecordTooLong)
        elif rest:
            self.assertIn(fault, (TruncatedRecord, RecordTooLong))
            if len(rest) <= limit:
                self.assertIs(fault, TruncatedRecord)
        else:
            self.assertIsNone(fault)

    def test_judgedEarly(self) -> None:
        """
        A line is too long as soon as it is, not when its delimiter comes.
        """
        framing = Line(delimiter=b"|", maxLength=4)
        self.assertEqual(framing.feed(b"a|bcde"), [b"a"])
        error = self.assertRaises(RecordTooLong, list, framing.feed(b"f"))
        self.assertEqual((error.length, error.maxLength), (5, 4))

    def test_listWhenGood(self) -> None:
        """
        All is well: a list, which the connection's loop counts with.
        """
        for framing in (Line(), Line(delimiter=b"|"), Stream()):
            self.assertIs(type(framing.feed(b"a|b\r\nc")), list)

    def test_newlineOverTwoReads(self) -> None:
        """
        The line is delivered with the first octet of its newline; the second makes no
        line of its own.
        """
        framing = Line()
        self.assertEqual(framing.feed(b"a\r"), [b"a"])
        self.assertEqual(framing.feed(b"\nb\n"), [b"b"])
        self.assertEqual(framing.feed(b"\r\n"), [b""])

    def test_manyParts(self) -> None:
        """
        A line in a hundred thousand reads is joined once.
        """
        framing = Line(delimiter=b"\r\n")
        for _ in range(100_000):
            self.assertEqual(framing.feed(b"x"), [])
        self.assertEqual(framing.feed(b"\r\n"), [b"x" * 100_000])

    def test_frame(self) -> None:
        """
        CR LF goes out, or the delimiter.
        """
        self.assertEqual(Line().frame(b"a"), b"a\r\n")
        self.assertEqual(Line(delimiter=b"|").frame(bytearray(b"a")), b"a|")
        self.assertEqual(Line().frame(memoryview(b"a")), b"a\r\n")

    def test_frameRefuses(self) -> None:
        """
        Text, and lines that would be read back as something else.
        """
        error = self.assertRaises(TypeError, Line().frame, "text")
        self.assertIn("encode it first", str(error))
        self.assertRaises(TypeError, Line().frame, 5)
        self.assertRaises(InvalidRecord, Line().frame, b"a\nb")
        self.assertRaises(ValueError, Line(delimiter=b"||").frame, b"x|")
        self.assertRaises(RecordTooLong, Line(maxLength=2).frame, b"abc")

    def test_arguments(self) -> None:
        """
        A wrong argument is refused by name.
        """
        wrong: tuple[tuple[Any, dict[str, Any]], ...] = (
            (TypeError, {"delimiter": "|"}),
            (ValueError, {"delimiter": b""}),
            (ValueError, {"maxLength": 0}),
            (TypeError, {"maxLength": "5"}),
        )
        for error, arguments in wrong:
            raised = self.assertRaises(error, Line, **arguments)
            self.assertIn(next(iter(arguments)), str(raised))

    def test_clone(self) -> None:
        """
        A clone has the same settings and none of the octets.
        """
        framing = Line(delimiter=b"|", maxLength=3)
        framing.feed(b"ab")
        clone = framing.clone()
        self.assertEqual(clone.feed(b"c|"), [b"c"])
        self.assertRaises(RecordTooLong, clone.frame, b"long")
        newlines = Line()
        newlines.feed(b"a\r")
        self.assertEqual(newlines.clone().feed(b"\n"), [b""])


class StreamTests(SynchronousTestCase):
    """
    L{Stream}.
    """

    @given(st.binary(), cuts)
    def test_octets(self, data: bytes, at: list[int]) -> None:
        """
        The records are the reads, and their octets all octets.
        """
        chunks = pieces(data, at)
        self.assertEqual(read(Stream(), chunks), ([c for c in chunks if c], None))

    def test_frame(self) -> None:
        """
        Octets go out as they are.
        """
        self.assertEqual(Stream().frame(b"a\r\nb"), b"a\r\nb")
        self.assertEqual(Stream().frame(bytearray(b"a")), b"a")
        self.assertRaises(TypeError, Stream().frame, "text")

    def test_release(self) -> None:
        """
        What was not delivered is given back, once.
        """
        framing = Stream().clone()
        framing.feed(b"abc")
        self.assertEqual(framing.release(0), b"abc")
        self.assertEqual(framing.release(0), b"")
        framing.feed(b"abc")
        self.assertEqual(framing.release(1), b"")
