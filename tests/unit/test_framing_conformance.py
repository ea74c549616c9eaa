"""
Tests that every framing must pass, and comparisons with Twisted's own receivers.
"""

from __future__ import annotations

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

from twisted_clienttcp.errors import FramingError, RecordTooLong, TruncatedRecord
from twisted_clienttcp.framing import (
    SLIP,
    Block,
    Framing,
    Grep,
    JSONLines,
    JSONValues,
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
from twisted_clienttcp.testing import FramingConformance, decodeAll

from .._decoding import decode
from .._streams import cuts, pieces

#: Records that could be mistaken for a delimiter, a length or an escape.
RECORDS = [b"", b"a", b"\0\1\2", b"12:,", b"\xc0\xdb\xdc\xdd", b"x" * 300, b"\x80" * 9]


LINES = [b"", b"a", b"b c", b"x" * 300, b"\0", b"a"]


class WithBytes(FramingConformance):
    """
    The tests, with records that are bytes.
    """

    records: Any = RECORDS
    longest = b"1234"
    tooLong = b"12345"
    arguments: dict[str, Any] = {}
    kind: Any = None

    def framing(self) -> Framing[Any]:
        framing: Framing[Any] = self.kind(**self.arguments)
        return framing

    def limited(self) -> Framing[Any]:
        framing: Framing[Any] = self.kind(**{**self.arguments, "maxLength": 4})
        return framing


def conformance(name: str, kind: Any, records: Any = RECORDS, **more: Any) -> Any:
    """
    Make the test case of a framing; C{more} are its arguments, or class attributes.
    """
    body: dict[str, Any] = {"kind": staticmethod(kind), "records": records}
    for key in ("longest", "tooLong"):
        if key in more:
            body[key] = more.pop(key)
    bases = (WithBytes, SynchronousTestCase)
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


Int8Conformance = conformance("Int8", int8, [o for o in RECORDS if len(o) < 256])


Int16Conformance = conformance("Int16", int16)


Int32Conformance = conformance("Int32", int32)


TPKTConformance = conformance("TPKT", tpkt)


VarintConformance = conformance("Varint", LengthPrefixed, prefixSize="varint")


LittleConformance = conformance(
    "Little", LengthPrefixed, prefixSize=3, byteOrder="little"
)


OffsetConformance = conformance(
    "Offset", LengthPrefixed, prefixSize=2, offset=3, adjustment=-5
)


NetstringConformance = conformance("Netstring", Netstring)


SLIPConformance = conformance("SLIP", SLIP, [o for o in RECORDS if o])


JSONLinesConformance = conformance(
    "JSONLines",
    JSONLines,
    [None, 1, "ä\n", {"a": [1, 2]}, []],
    longest="ab",
    tooLong="abc",
)


JSONValuesConformance = conformance(
    "JSONValues", JSONValues, [1, "ä\n", {"a": [1, 2]}, []], longest="ab", tooLong="abc"
)


VarintOffsetConformance = conformance(
    "VarintOffset", LengthPrefixed, prefixSize="varint", offset=1
)


KeptConformance = conformance(
    "Kept",
    Line,
    [b"a|", b"|", b"bc|"],
    delimiter=b"|",
    keepDelimiter=True,
    longest=None,
)


AtEndConformance = conformance("AtEnd", Line, LINES, atEnd="record")


SerializedConformance = conformance(
    "Serialized", Serialized, [1, "ä", [None]], longest="ab", tooLong="abc"
)


ReceiverConformance = conformance(
    "Receiver", partial(Receiver, LineReceiver), LINES, longest=None
)


StackConformance = conformance(
    "Stack",
    lambda: Stackable(framings=[Block(), Line(delimiter=b"\n")]),
    LINES,
    longest=None,
)


ListsConformance = conformance(
    "Lists",
    lambda: Stackable(framings=[Line(), RecordBlock(size=2)]),
    [[b"a", b"b"], [b"c", b""]],
    longest=None,
)


class TraitTests(SynchronousTestCase):
    """
    The attributes C{chunkInvariant} and C{reversible}.
    """

    def test_traits(self) -> None:
        """
        The framings that depend on how the stream is split, and those that do
        not decode what they encode, are the expected few.
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

    def test_fresh(self) -> None:
        """
        A fresh framing is of the same class.
        """
        kinds: list[tuple[Any, dict[str, Any]]] = [
            (Line, {}),
            (Stream, {}),
            (Block, {}),
            (LengthPrefixed, {}),
            (Netstring, {}),
            (JSONLines, {}),
            (JSONValues, {}),
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
            self.assertIs(type(own(**arguments).fresh()), own)

    def test_encode(self) -> None:
        """
        Its C{encode} is called for each record.
        """

        class Upper(Line):
            def encode(self, record: bytes) -> bytes:
                return super().encode(record.upper())

        for framing in (Upper(), Upper(delimiter=b"|")):
            self.assertEqual(framing.encode(b"a")[:1], b"A")
            self.assertEqual(framing.encodeMany([b"a"])[:1], b"A")

    def test_decode(self) -> None:
        """
        Its C{decode} is called for each unit.
        """

        class Upper(Line):
            def decode(self, data: Any, start: int, searched: int) -> Any:
                found = super().decode(data, start, searched)
                return found and ([record.upper() for record in found[0]], found[1])

        for framing in (Upper(), Upper(delimiter=b"\n")):
            self.assertEqual(decodeAll(framing, [b"a\nb\n"]), ([b"A", b"B"], None))

    def test_constructor(self) -> None:
        """
        It may have a constructor of its own; each connection gets a framing with the
        same attributes.
        """

        class Tagged(Line):
            def __init__(self, tag: bytes) -> None:
                super().__init__(delimiter=b"|")
                self.tag = tag

            def decode(self, data: Any, start: int, searched: int) -> Any:
                found = super().decode(data, start, searched)
                return found and ([self.tag + r for r in found[0]], found[1])

        self.assertEqual(decodeAll(Tagged(b"#"), [b"a|"]), ([b"#a"], None))
        self.assertEqual(repr(Tagged(b"#")), "Tagged(b'#')")


class SkipTests(SynchronousTestCase):
    """
    C{onTooLong="skip"}.
    """

    @given(st.lists(st.integers(0, 9)), cuts)
    def test_others(self, sizes: list[int], at: list[int]) -> None:
        """
        Records that are too long are left out, each is reported, and all others are
        delivered.
        """
        records = [b"%d" % size * size for size in sizes]
        for make in (
            partial(Line, delimiter=b"|"),
            Line,
            partial(Line, delimiter=b"<>"),
            int16,
            partial(LengthPrefixed, prefixSize="varint"),
            Netstring,
            Block,
        ):
            stream = b"".join(map(make().encode, records))
            framing = make(maxLength=5, onTooLong="skip")
            found = decode(framing, pieces(stream, at))
            fitting = [record for record in records if len(record) <= 5]
            self.assertEqual(found.records, fitting)
            self.assertEqual(
                [error for _, error in found.errors],
                [RecordTooLong] * (len(records) - len(fitting)),
            )


class AgainstTwistedTests(SynchronousTestCase):
    """
    The same stream results in the same records as with Twisted's own receivers, and
    ends at the same place.
    """

    def compare(
        self, receiver: Any, framing: Framing[Any], chunks: list[bytes]
    ) -> tuple[bool, FramingError | None]:
        """
        @return: whether the receiver has closed, and our error or None.
        """
        got: list[bytes] = []
        receiver.stringReceived = receiver.lineReceived = got.append
        transport = StringTransport()
        receiver.makeConnection(transport)
        for chunk in chunks:
            if not transport.disconnecting:
                receiver.dataReceived(chunk)
        found, error = decodeAll(framing, chunks)
        self.assertEqual(found, got)
        return transport.disconnecting, error

    @given(st.lists(st.binary(max_size=200)), cuts)
    def test_encoded(self, records: list[bytes], at: list[int]) -> None:
        """
        The receivers decode what the framings encode.
        """
        for kind, make in (
            (Int8StringReceiver, int8),
            (Int16StringReceiver, int16),
            (Int32StringReceiver, int32),
            (NetstringReceiver, Netstring),
        ):
            framing = make()
            stream = b"".join(map(framing.encode, records))
            ends = self.compare(kind(), framing, pieces(stream, at))
            self.assertEqual(ends, (False, None))
            self.assertEqual(decodeAll(framing, [stream]), (records, None))

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
        Int8, Int16 and Int32, with any bytes and a limit.
        """
        for kind, make in (
            (Int8StringReceiver, int8),
            (Int16StringReceiver, int16),
            (Int32StringReceiver, int32),
        ):
            for limit in (5, 255):
                receiver: Any = kind()
                receiver.MAX_LENGTH = limit
                closed, error = self.compare(
                    receiver, make(maxLength=limit), pieces(data, at)
                )
                self.assertEqual(closed, isinstance(error, RecordTooLong))

    @given(
        st.lists(
            st.sampled_from([b"0", b"1", b"12", b":", b",", b"a", b"3:abc,", b"0:,"])
        ).map(b"".join),
        cuts,
        st.sampled_from([2, 11, 500]),
    )
    def test_netstrings(self, data: bytes, at: list[int], limit: int) -> None:
        """
        Netstrings, with any bytes and a limit. Twisted checks the digits of a length as
        they arrive, we check them when they are complete.
        """
        receiver: Any = NetstringReceiver()
        receiver.MAX_LENGTH = limit
        framing = Netstring(maxLength=limit)
        closed, error = self.compare(receiver, framing, pieces(data, at))
        if error is None and closed:
            _, truncated = decodeAll(framing, pieces(data, at), end=True)
            assert isinstance(truncated, TruncatedRecord)
            self.assertTrue(truncated.rest.isdigit())
        else:
            self.assertEqual(closed, error is not None)

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
        Lines, with a limit. An unfinished line is too long for us as soon as that is
        certain, for Twisted when the delimiter would not fit any more.
        """
        receiver: Any = LineReceiver()
        receiver.delimiter, receiver.MAX_LENGTH = delimiter, limit
        framing = Line(delimiter=delimiter, maxLength=limit)
        closed, error = self.compare(receiver, framing, pieces(data, at))
        if closed or len(data.split(delimiter)[-1]) <= limit:
            self.assertEqual(closed, isinstance(error, RecordTooLong))
