"""
Tests that every framing must pass, and comparisons with Twisted's own receivers.
"""

from __future__ import annotations

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

from .._streams import cuts, pieces

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
