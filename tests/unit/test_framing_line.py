"""
Tests for L{Line}.
"""

from __future__ import annotations

import re
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
from twisted_clienttcp.framing import Line, Stream

from .._streams import cuts, pieces, read

#: Octets in which newlines and delimiters are frequent.
streams = st.lists(st.sampled_from([b"\r", b"\n", b"|", b"-", b"a", b"bc"])).map(
    b"".join
)


delimiters = st.sampled_from([None, b"|", b"\n", b"\r\n", b"--|", b"aa", b"||"])


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


class LineEndingTests(SynchronousTestCase):
    """
    The ways to say how lines end.
    """

    @given(
        st.lists(st.integers(0, 1500), max_size=20),
        st.sampled_from([b"\n", b"|", b"\r\n"]),
        st.booleans(),
    )
    def test_longLines(self, sizes: list[int], delimiter: bytes, ended: bool) -> None:
        """
        Reads of few and long lines are cut in another way, and to the same.
        """
        data = delimiter.join(b"%04d" % size * (size // 4) for size in sizes)
        data += delimiter if ended else b""
        *lines, rest = data.split(delimiter)
        framing = Line(delimiter=delimiter)
        self.assertEqual(framing.feed(data), lines)
        self.assertEqual(framing.release(len(lines)), rest)

    def test_several(self) -> None:
        """
        Any of them ends a line; where more than one fits the longest counts.
        """
        framing = Line(inputDelimiter=[b"|", b"||"], outputDelimiter=b";")
        self.assertEqual(framing.feed(b"a|b||c"), [b"a", b"b"])
        self.assertEqual(framing.frame(b"x"), b"x;")

    def test_pattern(self) -> None:
        """
        A regular expression, compiled or not; its groups never leak.
        """
        for pattern in (rb"(;|,)\s*", re.compile(rb"(;|,)\s*")):
            framing = Line(inputPattern=pattern)
            self.assertEqual(framing.feed(b"a; b,c"), [b"a", b"b"])
            self.assertEqual(framing.feed(b"d;"), [b"cd"])
            self.assertEqual(framing.frame(b"x"), b"x\r\n")

    def test_patternInTwoReads(self) -> None:
        """
        What may be the beginning of a delimiter does not make a line too long.
        """
        framing = Line(inputPattern=b"--", maxLength=8)
        self.assertEqual(framing.feed(b"aaaaaaaa-"), [])
        self.assertEqual(framing.feed(b"-"), [b"aaaaaaaa"])
        self.assertRaises(RecordTooLong, list, framing.feed(b"a" * 2000))

    def test_autodetect(self) -> None:
        """
        The first newline that comes is the only one; a clone looks again.
        """
        framing = Line(autodetect=True)
        self.assertEqual(framing.feed(b"a\nb\r\nc\n"), [b"a", b"b\r", b"c"])
        framing = framing.clone()
        self.assertEqual(framing.feed(b"a\r"), [b"a"])
        self.assertEqual(framing.feed(b"\nb\nc\r\n"), [b"b\nc"])
        framing = framing.clone()
        self.assertEqual(framing.feed(b"a\r"), [b"a"])
        self.assertEqual(framing.feed(b"b\r\nc"), [b"b"])

    def test_encoding(self) -> None:
        """
        Lines are text; what is not in the encoding is a fault, behind what is.
        """
        framing = Line(encoding="utf-8")
        self.assertEqual(framing.feed("ä\nö".encode()), ["ä"])
        batch = framing.feed(b"\nok\n\xff\n")
        records: list[Any] = []
        error = self.assertRaises(FramingError, lambda: records.extend(batch))
        self.assertEqual(records, ["ö", "ok"])
        self.assertIn("utf-8", str(error))
        self.assertRaises(TypeError, framing.frame, b"octets")
        self.assertRaises(InvalidRecord, Line(encoding="ascii").frame, "ä")

    def test_encodingWithErrorsOfItsOwn(self) -> None:
        """
        Some encodings raise another error than most; some codecs are none of text.
        """
        framing = Line(encoding="idna")
        self.assertRaises(FramingError, list, framing.feed(b"xn--\xff\n"))
        self.assertRaises(FramingError, list, framing.feed(b"xn--a-\x80\n"))
        self.assertRaises(InvalidRecord, framing.frame, "\x8c")
        for name in ("hex", "rot13"):
            error = self.assertRaises(ValueError, Line, encoding=name)
            self.assertIn("encoding", str(error))

    def test_arguments(self) -> None:
        """
        What is wrong is refused by name.
        """
        wrong: tuple[tuple[Any, dict[str, Any]], ...] = (
            (TypeError, {"delimiter": b"|", "inputDelimiter": b";"}),
            (TypeError, {"delimiter": b"|", "outputDelimiter": b";"}),
            (TypeError, {"inputDelimiter": b"|", "autodetect": True}),
            (TypeError, {"inputDelimiter": "|"}),
            (TypeError, {"inputDelimiter": 5}),
            (ValueError, {"inputDelimiter": []}),
            (ValueError, {"inputDelimiter": [b"|", b""]}),
            (TypeError, {"inputPattern": "a"}),
            (ValueError, {"inputPattern": b"("}),
            (ValueError, {"inputPattern": b"a*"}),
            (TypeError, {"outputDelimiter": "x"}),
            (TypeError, {"autodetect": 1}),
            (ValueError, {"encoding": "no-such"}),
            (TypeError, {"encoding": 5}),
            (ValueError, {"onTooLong": "ignore"}),
        )
        for error, arguments in wrong:
            raised = self.assertRaises(error, Line, **arguments)
            self.assertIn(next(iter(arguments)), str(raised))
