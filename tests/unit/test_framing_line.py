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
from twisted_clienttcp.framing import Line, Piece
from twisted_clienttcp.testing import decodeAll

from .._decoding import decode, decodeEachWay
from .._streams import cuts, pieces

#: Streams in which newlines and delimiters are frequent.
streams = st.lists(st.sampled_from([b"\r", b"\n", b"|", b"-", b"a", b"bc"])).map(
    b"".join
)


delimiters = st.sampled_from([None, b"|", b"\n", b"\r\n", b"--|", b"aa", b"||"])


def lines(data: bytes, delimiter: bytes | None) -> tuple[list[bytes], bytes]:
    """
    Split a whole stream with a regular expression.

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
    def test_anySplit(
        self, data: bytes, delimiter: bytes | None, at: list[int]
    ) -> None:
        """
        However the stream is split, the lines are those of the whole stream, and the
        rest is left.
        """
        complete, rest = lines(data, delimiter)
        found = decodeEachWay(Line(delimiter=delimiter), data, at)
        self.assertEqual((found.records, found.rest), (complete, rest))
        self.assertEqual(found.errors, [])

    def test_emptyLinesAnywhere(self) -> None:
        """
        Delimiters in a row are distinguished, however a read begins: some delimiters
        can also be seen between two others.
        """
        for delimiter in (b"||", b"aba", b"\r\n", b"|"):
            data = delimiter.join([b"x", b"", b"", b"y", b"", b"z", b""])
            for at in range(len(data)):
                found = decodeEachWay(Line(delimiter=delimiter), data, [at])
                self.assertEqual(found.records, [b"x", b"", b"", b"y", b"", b"z"])

    @given(st.lists(streams), delimiters, cuts)
    def test_reversible(
        self, records: list[bytes], delimiter: bytes | None, at: list[int]
    ) -> None:
        """
        An encoded line is decoded as that line; a line for which that would not be so
        is rejected.
        """
        framing = Line(delimiter=delimiter)
        encoded, kept = b"", []
        for record in records:
            try:
                encoded += framing.encode(record)
            except InvalidRecord:
                again = decode(framing, [record + (delimiter or b"\r\n")])
                self.assertNotEqual(again, ([record], [], b""))
            else:
                kept.append(record)
        self.assertEqual(decode(framing, pieces(encoded, at)), (kept, [], b""))

    @given(streams, delimiters, cuts, st.integers(1, 6))
    def test_limit(
        self, data: bytes, delimiter: bytes | None, at: list[int], limit: int
    ) -> None:
        """
        The lines in front of one that is too long are delivered, and no line within the
        limit is rejected.
        """
        complete, rest = lines(data, delimiter)
        fitting = 0
        while fitting < len(complete) and len(complete[fitting]) <= limit:
            fitting += 1
        framing = Line(delimiter=delimiter, maxLength=limit)
        found, error = decodeAll(framing, pieces(data, at), end=True)
        self.assertEqual(found, complete[:fitting])
        if fitting < len(complete):
            self.assertIsInstance(error, RecordTooLong)
        elif rest:
            self.assertIsInstance(error, (TruncatedRecord, RecordTooLong))
            if len(rest) <= limit:
                self.assertIsInstance(error, TruncatedRecord)
        else:
            self.assertIsNone(error)

    @given(streams, delimiters, cuts, st.integers(1, 6))
    def test_skip(
        self, data: bytes, delimiter: bytes | None, at: list[int], limit: int
    ) -> None:
        """
        With C{onTooLong="skip"} only the lines that are too long are missing, and each
        is reported at its place.
        """
        complete, rest = lines(data, delimiter)
        framing = Line(delimiter=delimiter, maxLength=limit, onTooLong="skip")
        found = decode(framing, pieces(data, at))
        fitting = [line for line in complete if len(line) <= limit]
        self.assertEqual(found.records, fitting)
        places = [
            len([line for line in complete[:n] if len(line) <= limit])
            for n, line in enumerate([*complete, rest])
            if len(line) > limit
        ]
        if len(rest) > limit and len(found.errors) < len(places):
            # The rest may still end with a part of a delimiter.
            places.pop()
        self.assertEqual([place for place, _ in found.errors], places)
        self.assertEqual({kind for _, kind in found.errors} - {RecordTooLong}, set())

    def test_checkedEarly(self) -> None:
        """
        A line is too long as soon as that is certain, not when its delimiter arrives.
        """
        framing = Line(delimiter=b"|", maxLength=4)
        self.assertEqual(decodeAll(framing, [b"a|bcde"]), ([b"a"], None))
        records, error = decodeAll(framing, [b"a|bcde", b"f"])
        assert isinstance(error, RecordTooLong)
        self.assertEqual((error.length, error.maxLength), (5, 4))

    def test_newlineOverTwoReads(self) -> None:
        """
        A line is delivered with the first byte of its newline; the second byte does not
        end another line.
        """
        for framing in (Line(), Line(onTooLong="skip", maxLength=1)):
            self.assertEqual(
                decodeAll(framing, [b"a\r", b"\nb\n", b"\r", b"\n"]),
                ([b"a", b"b", b""], None),
            )
            self.assertEqual(decodeAll(framing, [b"a\r"], end=True), ([b"a"], None))

    def test_manyParts(self) -> None:
        """
        A line in a hundred thousand reads.
        """
        chunks = [b"x"] * 100_000 + [b"\r\n"]
        framing = Line(delimiter=b"\r\n")
        self.assertEqual(decodeAll(framing, chunks), ([b"x" * 100_000], None))

    def test_changedLimit(self) -> None:
        """
        C{maxLength} may be changed between lines.
        """
        for many in (True, False):
            framing = Line(delimiter=b"|", maxLength=3)
            framing.maxLength = 4
            self.assertEqual(decode(framing, [b"abcd|"], many).records, [b"abcd"])
            framing.maxLength = 2
            errors = decode(framing, [b"abcd|"], many).errors
            self.assertEqual(errors, [(0, RecordTooLong)])
            self.assertRaises(RecordTooLong, framing.encode, b"abc")

    def test_encode(self) -> None:
        """
        CR LF is sent, or the delimiter.
        """
        self.assertEqual(Line().encode(b"a"), b"a\r\n")
        self.assertEqual(Line(delimiter=b"|").encode(bytearray(b"a")), b"a|")
        self.assertEqual(Line().encode(memoryview(b"a")), b"a\r\n")

    @given(st.lists(streams, max_size=4), delimiters, st.booleans())
    def test_encodeMany(
        self, records: list[bytes], delimiter: bytes | None, asLists: bool
    ) -> None:
        """
        C{encodeMany} encodes as C{encode} does, and raises what it raises.
        """
        framing = Line(delimiter=delimiter, maxLength=6)
        given = [bytearray(record) if asLists else record for record in records]
        try:
            encoded = b"".join(map(framing.encode, given))
        except (InvalidRecord, RecordTooLong) as error:
            self.assertRaises(type(error), framing.encodeMany, given)
        else:
            self.assertEqual(framing.encodeMany(given), encoded)

    def test_encodeRefuses(self) -> None:
        """
        Text, and lines that would be decoded as something else.
        """
        error = self.assertRaises(TypeError, Line().encode, "text")
        self.assertIn("encode it first", str(error))
        self.assertRaises(TypeError, Line().encode, 5)
        self.assertRaises(InvalidRecord, Line().encode, b"a\nb")
        self.assertRaises(ValueError, Line(delimiter=b"||").encode, b"x|")
        self.assertRaises(RecordTooLong, Line(maxLength=2).encode, b"abc")

    def test_arguments(self) -> None:
        """
        The error for a wrong argument names it.
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

    def test_fresh(self) -> None:
        """
        A fresh framing has the same settings, and has not seen any data.
        """
        framing = Line(delimiter=b"|", maxLength=3)
        self.assertIsNone(framing.decode(b"ab", 0, 0))
        self.assertEqual(framing.fresh().decode(b"c|", 0, 0), ([b"c"], 2))
        self.assertRaises(RecordTooLong, framing.fresh().encode, b"long")
        newlines = Line()
        self.assertEqual(newlines.decode(b"a\r", 0, 0), ([b"a"], 2))
        self.assertEqual(newlines.swallows, b"\n")
        self.assertEqual(decodeAll(newlines, [b"\n"]), ([b""], None))


class LineEndingTests(SynchronousTestCase):
    """
    The ways to specify how lines end.
    """

    @given(
        st.lists(st.integers(0, 1500), max_size=20),
        st.sampled_from([b"\n", b"|", b"\r\n"]),
        st.booleans(),
    )
    def test_longLines(self, sizes: list[int], delimiter: bytes, ended: bool) -> None:
        """
        Reads of few and long lines are split in another way, with the same result.
        """
        data = delimiter.join(b"%04d" % size * (size // 4) for size in sizes)
        data += delimiter if ended else b""
        *lines, rest = data.split(delimiter)
        found = decode(Line(delimiter=delimiter), [data])
        self.assertEqual(found, (lines, [], rest))

    def test_several(self) -> None:
        """
        Any of them ends a line; where more than one fits the longest counts.
        """
        framing = Line(inputDelimiter=[b"|", b"||"], outputDelimiter=b";")
        self.assertEqual(decodeAll(framing, [b"a|b||c"]), ([b"a", b"b"], None))
        self.assertEqual(framing.encode(b"x"), b"x;")

    def test_pattern(self) -> None:
        """
        A regular expression, compiled or not; its groups are not delivered.
        """
        for pattern in (rb"(;|,)\s*", re.compile(rb"(;|,)\s*")):
            framing = Line(inputPattern=pattern)
            found = decodeAll(framing, [b"a; b,c", b"d;"])
            self.assertEqual(found, ([b"a", b"b", b"cd"], None))
            self.assertEqual(framing.encode(b"x"), b"x\r\n")

    def test_patternInTwoReads(self) -> None:
        """
        Bytes that may be the beginning of a delimiter do not make a line too long.
        """
        framing = Line(inputPattern=b"--", maxLength=8)
        found = decodeAll(framing, [b"aaaaaaaa-", b"-", b"b"])
        self.assertEqual(found, ([b"aaaaaaaa"], None))
        _, error = decodeAll(framing, [b"a" * 2000])
        self.assertIsInstance(error, RecordTooLong)

    @given(
        st.lists(st.sampled_from([b"a", b"bc", b"-", b"--", b"---", b";"])).map(
            b"".join
        ),
        cuts,
        st.integers(2, 6),
    )
    def test_maxMatch(self, data: bytes, at: list[int], maxMatch: int) -> None:
        """
        A pattern whose matches are at most C{maxMatch} bytes long is found however the
        stream is split.
        """
        framing = Line(inputPattern=rb"--|;", maxMatch=maxMatch)
        whole = decode(framing, [data, b"x" * maxMatch])
        split = decode(framing, [*pieces(data, at), b"x" * maxMatch])
        self.assertEqual(split, whole)
        self.assertEqual(whole.records, re.split(rb"--|;", data)[:-1])

    def test_autodetect(self) -> None:
        """
        The first newline that arrives is the only one; a fresh framing detects again.
        """
        framing = Line(autodetect=True)
        for chunks, records in (
            ([b"a\nb\r\nc\n"], [b"a", b"b\r", b"c"]),
            ([b"a\r", b"\nb\nc\r\n"], [b"a", b"b\nc"]),
            ([b"a\r", b"b\r\nc"], [b"a", b"b"]),
        ):
            for many in (True, False):
                self.assertEqual(decode(framing, chunks, many).records, records)

    def test_encoding(self) -> None:
        """
        Lines are text; the lines in front of one that cannot be decoded are delivered.
        """
        framing = Line(encoding="utf-8")
        for many in (True, False):
            found = decode(framing, ["ä\nö".encode(), b"\nok\n\xff\n"], many)
            self.assertEqual(found, (["ä", "ö", "ok"], [(3, FramingError)], b""))
        _, error = decodeAll(framing, [b"\xff\n"])
        self.assertIn("utf-8", str(error))
        self.assertRaises(TypeError, framing.encode, b"bytes")
        self.assertRaises(InvalidRecord, Line(encoding="ascii").encode, "ä")

    def test_encodingWithErrorsOfItsOwn(self) -> None:
        """
        Some encodings raise another error than most; some codecs do not encode text.
        """
        framing = Line(encoding="idna")
        for line in (b"xn--\xff\n", b"xn--a-\x80\n"):
            self.assertRaises(FramingError, framing.decode, line, 0, 0)
        self.assertRaises(InvalidRecord, framing.encode, "\x8c")
        for name in ("hex", "rot13"):
            error = self.assertRaises(ValueError, Line, encoding=name)
            self.assertIn("encoding", str(error))

    def test_arguments(self) -> None:
        """
        The error for a wrong argument names it.
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
            (ValueError, {"atEnd": "ignore"}),
            (TypeError, {"keepDelimiter": 1}),
            (ValueError, {"maxMatch": 0}),
            (ValueError, {"onTooLong": "split", "encoding": "utf-8"}),
        )
        for error, arguments in wrong:
            raised = self.assertRaises(error, Line, **arguments)
            self.assertIn(next(iter(arguments)), str(raised))


class KeepDelimiterTests(SynchronousTestCase):
    """
    C{keepDelimiter=True}.
    """

    @given(streams, delimiters, cuts)
    def test_kept(self, data: bytes, delimiter: bytes | None, at: list[int]) -> None:
        """
        The records are the stream again, without the rest.
        """
        framing = Line(delimiter=delimiter, keepDelimiter=True)
        if delimiter is None:
            # A newline in two reads is not kept as a whole.
            found = decode(framing, [data])
        else:
            found = decodeEachWay(framing, data, at)
            complete, _ = lines(data, delimiter)
            self.assertEqual(found.records, [line + delimiter for line in complete])
        self.assertEqual(b"".join(found.records) + found.rest, data)

    def test_limit(self) -> None:
        """
        The limit is that of the line without its delimiter.
        """
        framing = Line(delimiter=b"--", keepDelimiter=True, maxLength=2)
        found = decode(framing, [b"ab--abc--"])
        self.assertEqual(found, ([b"ab--"], [(1, RecordTooLong)], b""))

    def test_encode(self) -> None:
        """
        A record must end with the delimiter, and contain it only there.
        """
        framing = Line(delimiter=b"|", keepDelimiter=True)
        self.assertEqual(framing.encode(b"a|"), b"a|")
        self.assertEqual(framing.encodeMany([b"a|", b"|"]), b"a||")
        for record in (b"a", b"", b"a|b|"):
            self.assertRaises(InvalidRecord, framing.encode, record)

    def test_encoding(self) -> None:
        """
        It can be combined with an encoding.
        """
        framing = Line(delimiter=b"\n", keepDelimiter=True, encoding="utf-8")
        self.assertEqual(framing.encode("ä\n"), b"\xc3\xa4\n")
        self.assertEqual(decodeAll(framing, [b"\xc3\xa4\n"]), (["ä\n"], None))


class AtEndTests(SynchronousTestCase):
    """
    C{atEnd="record"}.
    """

    @given(streams, delimiters, cuts)
    def test_record(self, data: bytes, delimiter: bytes | None, at: list[int]) -> None:
        """
        The rest of the stream is one more line, unless it is empty.
        """
        complete, rest = lines(data, delimiter)
        framing = Line(delimiter=delimiter, atEnd="record")
        found = decodeAll(framing, pieces(data, at), end=True)
        self.assertEqual(found, (complete + [rest] * bool(rest), None))

    def test_errors(self) -> None:
        """
        The last line is checked as all others.
        """
        for framing, rest, kind in (
            # Half a delimiter does not make a line too long before the end.
            (Line(delimiter=b"||", atEnd="record", maxLength=2), b"ab|", RecordTooLong),
            (Line(encoding="utf-8", atEnd="record"), b"\xff", FramingError),
        ):
            self.assertEqual(decodeAll(framing, [rest]), ([], None))
            records, error = decodeAll(framing, [rest], end=True)
            self.assertEqual((records, type(error)), ([], kind))


class SplitTests(SynchronousTestCase):
    """
    C{onTooLong="split"}.
    """

    @given(streams, delimiters, cuts, st.integers(1, 5), st.booleans())
    def test_pieces(
        self,
        data: bytes,
        delimiter: bytes | None,
        at: list[int],
        limit: int,
        ends: bool,
    ) -> None:
        """
        However the stream is split, the pieces of a long line have C{maxLength} bytes,
        and all but the last are instances of L{Piece}.
        """
        framing = Line(
            delimiter=delimiter, maxLength=limit, onTooLong="split", atEnd="record"
        )
        complete, rest = lines(data, delimiter)
        expected: list[tuple[bool, bytes]] = []
        for line in complete + [rest] * bool(rest):
            last = max(len(line) - 1, 0) // limit * limit
            expected += [(True, line[n : n + limit]) for n in range(0, last, limit)]
            expected.append((False, line[last:]))
        for chunks in ([data], pieces(data, at), pieces(data, range(1, len(data)))):
            records, error = decodeAll(framing, chunks, end=True)
            self.assertIsNone(error)
            self.assertEqual(
                [(isinstance(record, Piece), bytes(record)) for record in records],
                expected,
            )
        decodeEachWay(framing, data, at)

    def test_encode(self) -> None:
        """
        A longer line cannot be sent.
        """
        framing = Line(maxLength=2, onTooLong="split")
        self.assertRaises(RecordTooLong, framing.encode, b"abc")
