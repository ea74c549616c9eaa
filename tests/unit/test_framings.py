"""
All framings, run through the suite that is shipped to those who write their own; and
what each of them does besides.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import (
    Int8StringReceiver,
    Int16StringReceiver,
    Int32StringReceiver,
    LineReceiver,
    NetstringReceiver,
)
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.errors import (
    FramingError,
    InvalidRecord,
    RecordTooLong,
    TruncatedRecord,
)
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
    Receiver,
    RecordBlock,
    Serialized,
    Stackable,
    Stream,
    int8,
    int16,
    int32,
    tpkt,
)
from twisted_clienttcp.testing import FramingConformance

from .test_framing_line import cuts, pieces

#: What could be mistaken for a delimiter, a length or an escape.
OCTETS = [b"", b"a", b"\0\1\2", b"12:,", b"\xc0\xdb\xdc\xdd", b"x" * 300, b"\x80" * 9]
LINES = [b"", b"a", b"b c", b"x" * 300, b"\0", b"a"]


class WithOctets(FramingConformance):
    """
    The suite, with octets.
    """

    records: Any = OCTETS
    longest = b"1234"
    tooLong = b"12345"
    arguments: dict[str, Any] = {}
    kind: Any = None

    def framing(self) -> Framing:
        framing: Framing = self.kind(**self.arguments)
        return framing

    def limited(self) -> Framing:
        framing: Framing = self.kind(**{**self.arguments, "maxLength": 4})
        return framing


def conformance(name: str, kind: Any, records: Any = OCTETS, **more: Any) -> Any:
    """
    @return: the suite for one framing; C{more} are its arguments, or class attributes.
    """
    body: dict[str, Any] = {"kind": staticmethod(kind), "records": records}
    for key in ("longest", "tooLong"):
        if key in more:
            body[key] = more.pop(key)
    bases = (WithOctets, SynchronousTestCase)
    return type(f"{name}Conformance", bases, {**body, "arguments": more})


LineConformance = conformance("Line", Line, LINES)
LiteralConformance = conformance("Literal", Line, LINES, delimiter=b"\r\n")
LongLiteralConformance = conformance("LongLiteral", Line, LINES, delimiter=b"--|--")
SeveralConformance = conformance(
    "Several", Line, LINES, inputDelimiter=[b"\r\n", b"|", b"aab"]
)
TextConformance = conformance(
    "Text", Line, ["", "ä", "b"], encoding="utf-8", longest="ää", tooLong="äää"
)
BlockConformance = conformance("Block", Block)
FixedConformance = conformance("Fixed", Block, [b"abc", b"def"], size=3, longest=None)
Int8Conformance = conformance("Int8", int8, [o for o in OCTETS if len(o) < 256])
Int16Conformance = conformance("Int16", int16)
Int32Conformance = conformance("Int32", int32)
TPKTConformance = conformance("TPKT", tpkt)
VarintConformance = conformance("Varint", LengthPrefixed, octets="varint")
LittleConformance = conformance("Little", LengthPrefixed, octets=3, byteOrder="little")
OffsetConformance = conformance(
    "Offset", LengthPrefixed, octets=2, offset=3, adjustment=-5
)
NetstringConformance = conformance("Netstring", Netstring)
SLIPConformance = conformance("SLIP", SLIP, [o for o in OCTETS if o])
JSONLinesConformance = conformance(
    "JSONLines",
    JSONLines,
    [None, 1, "ä\n", {"a": [1, 2]}, []],
    longest="ab",
    tooLong="abc",
)


class SomeFramings(SynchronousTestCase):
    """
    What they say of themselves.
    """

    def test_traits(self) -> None:
        """
        Those that depend on the cuts, and those that do not read back what they frame,
        are the expected few.
        """
        every: dict[str, Any] = {
            "Stream": Stream(),
            "Line": Line(),
            "literal": Line(delimiter=b"|"),
            "literals": Line(inputDelimiter=[b"|", b";"]),
            "prefixes": Line(inputDelimiter=[b"|", b"||"]),
            "pattern": Line(inputPattern=b"[;,]+"),
            "autodetect": Line(autodetect=True),
            "different": Line(inputDelimiter=b"|", outputDelimiter=b";"),
            "Block": Block(),
            "fixed": Block(size=3),
            "int32": int32(),
            "Netstring": Netstring(),
            "SLIP": SLIP(),
            "JSONLines": JSONLines(),
        }
        self.assertEqual(
            [name for name, framing in every.items() if not framing.chunkInvariant],
            ["Stream", "prefixes", "pattern", "autodetect"],
        )
        self.assertEqual(
            [name for name, framing in every.items() if not framing.reversible],
            ["literals", "prefixes", "pattern", "different", "fixed"],
        )


class SubclassTests(SynchronousTestCase):
    """
    A user's subclass that overrides a method or two.
    """

    def test_clone(self) -> None:
        """
        A clone is of the same class.
        """
        kinds: list[tuple[Any, dict[str, Any]]] = [
            (Line, {}),
            (Stream, {}),
            (Block, {}),
            (LengthPrefixed, {}),
            (Netstring, {}),
            (JSONLines, {}),
            (SLIP, {}),
            (Serialized, {}),
            (Map, {"code": bytes.upper}),
            (Grep, {"code": bool}),
            (RecordBlock, {"size": 2}),
            (Stackable, {"framings": [Line()]}),
            (Receiver, {"cls": LineReceiver}),
        ]
        for kind, arguments in kinds:
            own: Any = type("Own", (kind,), {})
            self.assertIs(type(own(**arguments).clone()), own)

    def test_frame(self) -> None:
        """
        Its C{frame} is called for each record.
        """

        class Upper(Line):
            def frame(self, record: bytes) -> bytes:
                return super().frame(record.upper())

        for framing in (Upper(), Upper(delimiter=b"|")):
            self.assertEqual(framing.frame(b"a")[:1], b"A")
            self.assertEqual(framing.frameMany([b"a"])[:1], b"A")


class LineTests(SynchronousTestCase):
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


class SkipTests(SynchronousTestCase):
    """
    C{onTooLong="skip"}.
    """

    def read(self, framing: Any, chunks: list[bytes]) -> tuple[list[Any], int]:
        """
        @return: the records, and how many were skipped.
        """
        records: list[Any] = []
        skipped = 0
        for chunk in chunks:
            batch = framing.feed(chunk)
            while True:
                try:
                    records.extend(batch)
                    break
                except RecordTooLong as error:
                    self.assertTrue(error.skipped)
                    skipped += 1
                    batch = framing.feed(b"")
        return records, skipped

    @given(st.lists(st.integers(0, 9)), cuts)
    def test_theOthersCome(self, sizes: list[int], at: list[int]) -> None:
        """
        Records that are too long are left out, each is reported, and all others come.
        """
        records = [b"%d" % size * size for size in sizes]
        for make in (
            lambda **k: Line(delimiter=b"|", **k),
            lambda **k: Line(**k),
            lambda **k: Line(delimiter=b"<>", **k),
            lambda **k: int16(**k),
            lambda **k: Netstring(**k),
            lambda **k: Block(**k),
        ):
            stream = b"".join(map(make().frame, records))
            framing = make(maxLength=5, onTooLong="skip")
            got = self.read(framing, pieces(stream, at))
            fitting = [record for record in records if len(record) <= 5]
            self.assertEqual(got, (fitting, len(records) - len(fitting)))


class AgainstTwistedTests(SynchronousTestCase):
    """
    The same stream gives what Twisted's own receivers make of it: the same records, and
    an end at the same place.
    """

    def compare(
        self, receiver: Any, framing: Framing, chunks: list[bytes]
    ) -> tuple[bool, Any]:
        """
        @return: whether the receiver has closed, and our fault or None.
        """
        got: list[bytes] = []
        receiver.stringReceived = receiver.lineReceived = got.append
        transport = StringTransport()
        receiver.makeConnection(transport)
        found: list[bytes] = []
        fault = None
        for chunk in chunks:
            if not transport.disconnecting:
                receiver.dataReceived(chunk)
            try:
                if fault is None:
                    found.extend(framing.feed(chunk))
            except FramingError as error:
                fault = error
        self.assertEqual(found, got)
        return transport.disconnecting, fault

    @given(st.lists(st.binary(max_size=200)), cuts)
    def test_framed(self, records: list[bytes], at: list[int]) -> None:
        """
        What is framed here is read there, and here.
        """
        for kind, make in (
            (Int8StringReceiver, int8),
            (Int16StringReceiver, int16),
            (Int32StringReceiver, int32),
            (NetstringReceiver, Netstring),
        ):
            framing = make()
            stream = b"".join(map(framing.frame, records))
            ends = self.compare(kind(), framing, pieces(stream, at))
            self.assertEqual(ends, (False, None))
            self.assertEqual(framing.feed(stream), records)

    @given(
        st.lists(
            st.sampled_from([b"\0", b"\0\0", b"\1", b"\0\5", b"\6", b"\xff", b"abc"])
            | st.binary(max_size=8).map(lambda r: b"%c%b" % (len(r), r))
            | st.binary(max_size=8).map(lambda r: b"\0\0\0%c%b" % (len(r), r))
        ).map(b"".join),
        cuts,
    )
    def test_prefixed(self, data: bytes, at: list[int]) -> None:
        """
        Int8, Int16 and Int32, with any octets and a limit.
        """
        for kind, make in (
            (Int8StringReceiver, int8),
            (Int16StringReceiver, int16),
            (Int32StringReceiver, int32),
        ):
            for limit in (5, 255):
                receiver: Any = kind()
                receiver.MAX_LENGTH = limit
                closed, fault = self.compare(
                    receiver, make(maxLength=limit), pieces(data, at)
                )
                self.assertEqual(closed, isinstance(fault, RecordTooLong))

    @given(
        st.lists(
            st.sampled_from([b"0", b"1", b"12", b":", b",", b"a", b"3:abc,", b"0:,"])
        ).map(b"".join),
        cuts,
        st.sampled_from([2, 11, 500]),
    )
    def test_netstrings(self, data: bytes, at: list[int], limit: int) -> None:
        """
        Netstrings, with any octets and a limit. There the digits of a length are judged
        as they come, here when they are complete.
        """
        receiver: Any = NetstringReceiver()
        receiver.MAX_LENGTH = limit
        framing = Netstring(maxLength=limit)
        closed, fault = self.compare(receiver, framing, pieces(data, at))
        if fault is None and closed:
            error = self.assertRaises(TruncatedRecord, list, framing.finish())
            self.assertTrue(error.rest.isdigit())
        else:
            self.assertEqual(closed, fault is not None)

    @given(
        st.lists(
            st.sampled_from([b"\r\n", b"\r", b"\n", b"|", b"||", b"a", b"bcd"])
        ).map(b"".join),
        cuts,
        st.sampled_from([b"\r\n", b"|", b"||"]),
        st.sampled_from([2, 5, 500]),
    )
    def test_lines(
        self, data: bytes, at: list[int], delimiter: bytes, limit: int
    ) -> None:
        """
        Lines, with a limit. An unfinished one is too long here as soon as it is, there
        when a delimiter would not fit any more.
        """
        receiver: Any = LineReceiver()
        receiver.delimiter, receiver.MAX_LENGTH = delimiter, limit
        framing = Line(delimiter=delimiter, maxLength=limit)
        closed, fault = self.compare(receiver, framing, pieces(data, at))
        if closed or len(data.split(delimiter)[-1]) <= limit:
            self.assertEqual(closed, isinstance(fault, RecordTooLong))


class PrefixTests(SynchronousTestCase):
    """
    L{LengthPrefixed} and its like.
    """

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([b"abc", b"xyz", b"", b"abcd"]), st.integers(1, 30)
            ),
            max_size=4,
        ),
        cuts,
    )
    def test_runs(self, runs: list[tuple[bytes, int]], at: list[int]) -> None:
        """
        Runs of blocks of one length are cut faster, and to the same.
        """
        records = [record for record, times in runs for _ in range(times)]
        stream = b"".join(map(int32().frame, records))
        framing = int32()
        read = [r for piece in pieces(stream, at) for r in framing.feed(piece)]
        self.assertEqual(read, records)

    def test_releaseBehindAPart(self) -> None:
        """
        A record of two reads and those behind it can be taken back, each alone.
        """
        for make in (int32, Netstring, Block, partial(Block, size=3)):
            stream = b"".join(map(make().frame, [b"abc"] * 20))
            step = len(stream) // 20
            for delivered in range(20):
                framing = make()
                framing.feed(stream[: step - 1])
                self.assertEqual(framing.feed(stream[step - 1 :]), [b"abc"] * 20)
                rest = framing.release(delivered)
                self.assertEqual(rest, stream[delivered * step :])

    def test_judgedBeforeTheBody(self) -> None:
        """
        A length that is too great is refused before its body has come.
        """
        for framing, head in (
            (int32(maxLength=5), b"\0\0\0\6"),
            (Netstring(maxLength=5), b"6:"),
            (Block(maxLength=5), b"6\0"),
        ):
            self.assertRaises(RecordTooLong, list, framing.feed(head))

    def test_garbage(self) -> None:
        """
        What is no frame is a fault, behind the records before it.
        """
        for framing, stream in (
            (Netstring(), b"1:a,x"),
            (Netstring(), b"1:a,1:b;"),
            (Netstring(), b"1:a,01:b,"),
            (Block(), b"1\0a1x"),
            (tpkt(), b"\3\0\0\5a\4\0\0\5b"),
            (LengthPrefixed(octets=1, adjustment=-2), b"\3a\1"),
            (LengthPrefixed(octets="varint"), b"\1a" + b"\x80" * 10),
        ):
            records: list[bytes] = []
            batch: Any = framing.feed(stream)
            self.assertRaises(FramingError, lambda b=batch, r=records: r.extend(b))
            self.assertEqual(records, [b"a"], framing)

    def test_netty(self) -> None:
        """
        The examples of Netty's LengthFieldBasedFrameDecoder.
        """
        hello = b"HELLO, WORLD"
        for arguments, stream, record in (
            ({"strip": 0}, b"\0\x0c" + hello, b"\0\x0c" + hello),
            ({}, b"\0\x0c" + hello, hello),
            ({"adjustment": -2, "strip": 0}, b"\0\x0e" + hello, b"\0\x0e" + hello),
            (
                {"offset": 2, "strip": 0},
                b"\xca\xfe\0\x0c" + hello,
                b"\xca\xfe\0\x0c" + hello,
            ),
            (
                {"offset": 1, "strip": 1, "adjustment": 1},
                b"\xca\0\x0c\xfe" + hello,
                b"\0\x0c\xfe" + hello,
            ),
        ):
            framing = LengthPrefixed(octets=2, **arguments)  # type: ignore[arg-type]
            self.assertEqual(framing.feed(stream), [record])

    def test_lengthInTheRecord(self) -> None:
        """
        A length field that is left in the record is filled in on output; so what was
        put is not what is read back.
        """
        framing = LengthPrefixed(octets=1, offset=1, strip=0)
        self.assertFalse(framing.reversible)
        self.assertEqual(framing.feed(framing.frame(b"a?bc")), [b"a\2bc"])
        self.assertTrue(LengthPrefixed(octets=1, offset=1, strip=2).reversible)

    def test_frameTooLongForItsField(self) -> None:
        """
        A record that its length field cannot tell is refused.
        """
        self.assertRaises(RecordTooLong, int8(maxLength=1000).frame, b"x" * 256)
        self.assertRaises(
            RecordTooLong,
            LengthPrefixed(octets=3, maxLength=1 << 25).frame,
            bytes(1 << 24),
        )

    def test_arguments(self) -> None:
        """
        What is wrong is refused by name.
        """
        wrong: tuple[tuple[Any, Any, dict[str, Any]], ...] = (
            (ValueError, LengthPrefixed, {"octets": 5}),
            (ValueError, LengthPrefixed, {"octets": True}),
            (ValueError, LengthPrefixed, {"byteOrder": "middle"}),
            (ValueError, LengthPrefixed, {"offset": -1}),
            (TypeError, LengthPrefixed, {"offset": 1.5}),
            (TypeError, LengthPrefixed, {"adjustment": "x"}),
            (ValueError, LengthPrefixed, {"strip": 9}),
            (TypeError, LengthPrefixed, {"strip": "x"}),
            (ValueError, LengthPrefixed, {"strip": 1, "octets": "varint"}),
            (ValueError, Block, {"size": 0}),
            (TypeError, Block, {"size": "x"}),
            (ValueError, Block, {"size": 10, "maxLength": 5}),
            (TypeError, Block, {"encoder": len}),
            (TypeError, Block, {"decoder": 5}),
            (ValueError, Netstring, {"maxLength": 0}),
        )
        for error, kind, arguments in wrong:
            raised = self.assertRaises(error, kind, **arguments)
            self.assertIn(next(iter(arguments)), str(raised))

    def test_codec(self) -> None:
        """
        A length codec of the user's, and what it does wrong.
        """

        def decoder(buffer: bytearray) -> int | None:
            if b":" not in buffer:
                return None
            digits, _, _ = buffer.partition(b":")
            del buffer[: len(digits) + 1]
            return int(digits)

        framing = Block(encoder=lambda r: b"%d:%b" % (len(r), r), decoder=decoder)
        self.assertEqual(framing.feed(b"1:a2:b"), [b"a"])
        self.assertEqual(framing.feed(b"c10"), [b"bc"])
        self.assertEqual(framing.frame(b"xyz"), b"3:xyz")
        error = self.assertRaises(FramingError, list, framing.feed(b"x:"))
        self.assertIsInstance(error.__cause__, ValueError)

    def test_noLength(self) -> None:
        """
        A peer that never completes the length, as the user's decoder sees it, is not
        waited for without end.
        """
        framing = Block(encoder=bytes, decoder=lambda buffer: None, maxLength=100)
        self.assertEqual(framing.feed(b"x" * 100), [])
        error = self.assertRaises(FramingError, list, framing.feed(b"x"))
        self.assertIn("decoder", str(error))


class ConvertedTests(SynchronousTestCase):
    """
    L{JSONLines} and L{SLIP}.
    """

    def test_json(self) -> None:
        """
        Values a line; empty lines are none; what is no JSON is a fault.
        """
        framing = JSONLines()
        self.assertEqual(framing.feed(b'{"a": 1}\n\n[2]\r\nnul'), [{"a": 1}, [2]])
        for wrong in (b"\n", b"NaN\n", b"\xff\n", b"[" * 100_000 + b"\n"):
            self.assertRaises(FramingError, list, JSONLines().feed(b"x" + wrong))
        self.assertEqual(framing.frame({"a": "ä"}), '{"a":"ä"}\n'.encode())
        self.assertRaises(InvalidRecord, framing.frame, float("nan"))
        self.assertRaises(TypeError, framing.frame, b"octets")

    def test_slip(self) -> None:
        """
        RFC 1055: END and ESC are escaped; an escape of anything else is a fault.
        """
        framing = SLIP()
        self.assertEqual(framing.frame(b"a\xc0\xdb"), b"\xc0a\xdb\xdc\xdb\xdd\xc0")
        self.assertEqual(
            framing.feed(b"\xc0a\xdb\xdc\xdb\xdd\xc0\xc0b"), [b"a\xc0\xdb"]
        )
        self.assertRaises(FramingError, list, framing.feed(b"\xdbx\xc0"))
        self.assertRaises(InvalidRecord, framing.frame, b"")

    def test_releaseCountsRecords(self) -> None:
        """
        Empty frames are no records, and do not count.
        """
        framing = SLIP()
        self.assertEqual(framing.feed(b"\xc0a\xc0\xc0b\xc0c"), [b"a", b"b"])
        self.assertEqual(framing.release(1), b"\xc0b\xc0c")
