"""
Tests for framings with a binary length.
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
)
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.errors import FramingError, InvalidRecord, RecordTooLong
from twisted_clienttcp.framing import LengthPrefixed, int8, int16, int32, tpkt
from twisted_clienttcp.framing._buffer import InputBuffer

from .._decoding import decode, decodeEachWay
from .._streams import cuts, pieces

#: The parameters of L{LengthPrefixed} that say what a frame looks like.
FORMATS: list[dict[str, Any]] = [
    {"prefixSize": 1},
    {"prefixSize": 2},
    {"prefixSize": 2, "byteOrder": "little"},
    {"prefixSize": 3},
    {"prefixSize": 4},
    {"prefixSize": 8},
    {"prefixSize": "varint"},
    {"prefixSize": 1, "offset": 2},
    {"prefixSize": 2, "offset": 3, "adjustment": -5},
    {"prefixSize": 1, "adjustment": 2},
    {"prefixSize": "varint", "offset": 1},
    {"prefixSize": "varint", "adjustment": -1},
    {"prefixSize": 1, "offset": 1, "strip": 4},
    {"prefixSize": 3, "byteOrder": "little", "adjustment": 1, "strip": 4},
]

#: Those in which a part of the header belongs to the record.
KEPT: list[dict[str, Any]] = [
    {"prefixSize": 1, "offset": 1, "strip": 0},
    {"prefixSize": 2, "offset": 2, "strip": 1},
    {"prefixSize": 2, "strip": 1, "adjustment": -2},
    {"prefixSize": 3, "strip": 0},
    {"prefixSize": "varint", "strip": 0},
    {"prefixSize": "varint", "offset": 1, "strip": 0},
    {"prefixSize": "varint", "offset": 2, "strip": 1},
]

#: Bytes in which short lengths are frequent.
noise = st.lists(
    st.sampled_from([b"\0", b"\0\0\0", b"\1", b"\2", b"\3", b"\7", b"\x80", b"\xff"])
    | st.binary(max_size=9)
).map(b"".join)

#: Records of which many in a row have the same length.
runs = st.lists(
    st.tuples(st.sampled_from([b"", b"a", b"abc", b"x" * 9]), st.integers(1, 90)),
    max_size=5,
).map(lambda pairs: [record for record, times in pairs for _ in range(times)])

MQTT = LengthPrefixed(prefixSize="varint", offset=1, strip=0)


class DecodeTests(SynchronousTestCase):
    """
    Decoding.
    """

    @given(
        st.sampled_from([*FORMATS, *KEPT]),
        st.sampled_from([1, 5, 100]),
        st.sampled_from(["close", "skip"]),
        noise,
        cuts,
    )
    def test_anyBytes(
        self,
        parameters: dict[str, Any],
        maxLength: int,
        onTooLong: str,
        data: bytes,
        at: list[int],
    ) -> None:
        """
        Records, errors and the rest do not depend on how the stream is split or on how
        many frames are decoded at once.
        """
        framing = LengthPrefixed(maxLength=maxLength, onTooLong=onTooLong, **parameters)
        found = decodeEachWay(framing, data, at)
        self.assertTrue(all(len(record) <= maxLength for record in found.records))

    @given(st.sampled_from(["close", "skip"]), noise, cuts)
    def test_anyPackets(self, onTooLong: str, data: bytes, at: list[int]) -> None:
        """
        The same for TPKT packets.
        """
        data = data.replace(b"\1", b"\3\0\0\5")
        decodeEachWay(tpkt(maxLength=5, onTooLong=onTooLong), data, at)

    @given(st.sampled_from(FORMATS), runs, cuts)
    def test_reversible(
        self, parameters: dict[str, Any], records: list[bytes], at: list[int]
    ) -> None:
        """
        Encoded records are decoded, runs of the same length too.
        """
        framing = LengthPrefixed(**parameters)
        self.assertTrue(framing.reversible)
        least = max(parameters.get("adjustment", 0), 0)
        records = [record for record in records if len(record) >= least]
        stream = framing.encodeMany(records)
        for chunks in ([stream], pieces(stream, at)):
            found = decode(framing, chunks)
            self.assertEqual(found, (records, [], b""))

    @given(st.sampled_from([*FORMATS, *KEPT]), runs, st.integers(0, 40), noise)
    def test_runThatEnds(
        self, parameters: dict[str, Any], records: list[bytes], cut: int, end: bytes
    ) -> None:
        """
        A run ends at a frame that is too long, incomplete or wrong; nothing is lost.
        """
        framing = LengthPrefixed(maxLength=20, onTooLong="skip", **parameters)
        size = parameters["prefixSize"]
        header = parameters.get("offset", 0) + (1 if size == "varint" else size)
        kept = bytes(max(header - parameters.get("strip", header), 0))
        least = max(parameters.get("adjustment", 0), 0)
        stream = framing.encodeMany([kept + r for r in records if len(r) >= least])
        stream = stream[: len(stream) - min(cut, len(stream))] + end
        decodeEachWay(framing, stream, [])

    @given(st.sampled_from(FORMATS), runs, runs, st.sampled_from(["close", "skip"]))
    def test_longRecordInTheMiddle(
        self,
        parameters: dict[str, Any],
        before: list[bytes],
        behind: list[bytes],
        onTooLong: str,
    ) -> None:
        """
        The records in front of one that is too long are decoded, and those behind it if
        it is skipped.
        """
        least = max(parameters.get("adjustment", 0), 0)
        before = [record for record in before if len(record) >= least]
        behind = [record for record in behind if len(record) >= least]
        records = [*before, b"y" * 30, *behind]
        stream = LengthPrefixed(**parameters).encodeMany(records)
        framing = LengthPrefixed(maxLength=20, onTooLong=onTooLong, **parameters)
        found = decodeEachWay(framing, stream, [])
        self.assertEqual(found.errors, [(len(before), RecordTooLong)])
        if onTooLong == "close":
            behind = []
        self.assertEqual(found.records, [*before, *behind])

    def test_notARun(self) -> None:
        """
        The bytes of a record may look like the prefixes of more frames.
        """
        records = [b"abc"] * 9 + [b"\xc8" * 200] + [b"abc"] * 9
        stream = int8().encodeMany(records)
        self.assertEqual(decodeEachWay(int8(), stream, []).records, records)

    @given(runs, st.integers(0, 450), st.data())
    def test_rewind(self, records: list[bytes], delivered: int, choice: Any) -> None:
        """
        Another framing can take over behind any record.
        """
        buffer = InputBuffer(int32())
        stream = int32().encodeMany(records)
        buffer.append(stream)
        if (batch := buffer.decode(many=True)) is None:
            return
        delivered = min(delivered, len(batch))
        self.assertIn(buffer.rewind(delivered), (delivered, None))
        done = int32().encodeMany(records[:delivered])
        self.assertEqual(buffer.takeRest(), stream[len(done) :])

    def test_netty(self) -> None:
        """
        The examples of Netty's LengthFieldBasedFrameDecoder, and one in which more than
        the header is stripped.
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
            (
                {"offset": 1, "adjustment": 1, "strip": 4},
                b"\xca\0\x0c\xfe" + hello,
                hello,
            ),
        ):
            framing = LengthPrefixed(prefixSize=2, **arguments)  # type: ignore[arg-type]
            self.assertEqual(decodeEachWay(framing, stream, []), ([record], [], b""))

    def test_varintBehindAHeader(self) -> None:
        """
        MQTT: one byte, the length of the rest as a varint, the rest.
        """
        publish = b"\x30\xc8\x01" + b"x" * 200
        found = decodeEachWay(MQTT, b"\xc0\0" + publish + b"\xd0\0", [1, 4])
        self.assertEqual(found, ([b"\xc0\0", publish, b"\xd0\0"], [], b""))

    def test_limitBeforeTheBody(self) -> None:
        """
        A length over the limit is an error before the record arrives.
        """
        for framing, head in (
            (int8(maxLength=5), b"\6"),
            (int32(maxLength=5), b"\0\0\0\6"),
            (tpkt(maxLength=5), b"\3\0\0\x0a"),
            (LengthPrefixed(prefixSize="varint", maxLength=200), b"\xc9\1"),
            (LengthPrefixed(prefixSize=1, offset=1, strip=0, maxLength=5), b"?\4"),
            (LengthPrefixed(prefixSize=1, strip=3, maxLength=5), b"\x08"),
        ):
            self.assertEqual(
                decodeEachWay(framing, head, []).errors, [(0, RecordTooLong)]
            )
            error = self.assertRaises(RecordTooLong, framing.decode, head, 0, 0)
            self.assertEqual(
                (error.length, error.skipped), (framing.maxLength + 1, False)
            )

    def test_limitChanges(self) -> None:
        """
        The limit may be changed between records.
        """
        buffer = InputBuffer(int8(maxLength=5))
        frame = b"\5abcde"
        buffer.append(frame)
        self.assertEqual(buffer.decode(many=True), [b"abcde"])
        buffer.framing.maxLength = 4
        buffer.append(frame)
        self.assertRaises(RecordTooLong, buffer.decode, True)

    def test_garbage(self) -> None:
        """
        Bytes that are not a frame are an error, behind the records before them.
        """
        for framing, stream in (
            (tpkt(), b"\3\0\0\5a\4\0\0\5b"),
            (tpkt(), b"\3\0\0\5a\3\0\0\3"),
            (LengthPrefixed(prefixSize=1, adjustment=-2), b"\3a\1"),
            (LengthPrefixed(prefixSize=1, strip=2), b"\2?a\0"),
            (LengthPrefixed(prefixSize="varint", adjustment=-1), b"\2a\0"),
            (LengthPrefixed(prefixSize="varint"), b"\1a" + b"\x80" * 10),
        ):
            found = decodeEachWay(framing, stream, [])
            self.assertEqual(found, ([b"a"], [(1, FramingError)], b""), framing)

    def test_longestVarint(self) -> None:
        """
        A varint may have ten bytes.
        """
        framing = LengthPrefixed(prefixSize="varint", maxLength=2**70)
        stream = b"\1a\x81" + b"\x80" * 8 + b"\0b"
        self.assertEqual(decodeEachWay(framing, stream, []), ([b"a", b"b"], [], b""))
        stream = b"\xff" * 9 + b"\x7f"
        self.assertEqual(decodeEachWay(framing, stream, []), ([], [], stream))

    def test_skip(self) -> None:
        """
        The end of a record that is too long is known before the record arrives.
        """
        framing = int32(maxLength=1, onTooLong="skip")
        with self.assertRaises(RecordTooLong) as caught:
            framing.decode(b"?\0\1\0\0..", 1, 1)
        self.assertEqual(caught.exception.end, 5 + 65536)


class EncodeTests(SynchronousTestCase):
    """
    Encoding.
    """

    def test_prefixInTheRecord(self) -> None:
        """
        A prefix that is left in the record is replaced by the right number.
        """
        for parameters, record, frame in (
            ({"prefixSize": 1, "offset": 1, "strip": 0}, b"a?bc", b"a\2bc"),
            ({"prefixSize": 2, "offset": 2, "strip": 1}, b"a??bc", b"\0a\0\2bc"),
            ({"prefixSize": 2, "strip": 1}, b"?bc", b"\0\2bc"),
            ({"prefixSize": "varint", "strip": 0}, b"\0bc", b"\2bc"),
            ({"prefixSize": "varint", "offset": 2, "strip": 1}, b"a\0bc", b"\0a\2bc"),
        ):
            framing = LengthPrefixed(**parameters)
            self.assertFalse(framing.reversible)
            self.assertEqual(framing.encode(record), frame)

    def test_varintBehindAHeader(self) -> None:
        """
        MQTT: any number in the record is replaced by the right one, in as few bytes as
        possible.
        """
        body = b"x" * 200
        for number in (b"\0", b"\xc8\1", b"\xc8\x81\0", b"\x80\x80\x80\x80\0"):
            self.assertEqual(MQTT.encode(b"\x30" + number + body), b"\x30\xc8\1" + body)

    @given(st.sampled_from(KEPT), noise)
    def test_forwarded(self, parameters: dict[str, Any], data: bytes) -> None:
        """
        The decoded form of an encoded record is encoded to the same bytes.
        """
        framing = LengthPrefixed(**parameters)
        try:
            frame = framing.encode(data)
        except FramingError:
            return
        (record,) = decode(framing, [frame]).records
        self.assertEqual(framing.encode(record), frame)

    def test_strippedBytes(self) -> None:
        """
        Stripped bytes are sent as zeros, in front of the prefix and behind it.
        """
        framing = LengthPrefixed(prefixSize=1, offset=2, strip=5)
        self.assertEqual(framing.encode(b"abc"), b"\0\0\5\0\0abc")
        self.assertTrue(framing.reversible)

    def test_headerIsMissing(self) -> None:
        """
        A record without the part of the header that belongs to it is rejected.
        """
        for framing, record in (
            (LengthPrefixed(prefixSize=1, offset=1, strip=0), b"a"),
            (LengthPrefixed(prefixSize=2, strip=0), b"a"),
            (MQTT, b""),
            (MQTT, b"\x30"),
            (MQTT, b"\x30\x80"),
            (MQTT, b"\x30" + b"\x80" * 11),
        ):
            self.assertRaises(InvalidRecord, framing.encode, record)

    def test_tooShort(self) -> None:
        """
        A record for which the number in the prefix would be negative is rejected.
        """
        for prefixSize in (1, "varint"):
            framing = LengthPrefixed(prefixSize=prefixSize, adjustment=2)
            self.assertRaises(InvalidRecord, framing.encode, b"a")

    def test_tooLong(self) -> None:
        """
        A record that the peer would not accept, or that the prefix cannot express, is
        rejected.
        """
        for framing, fits in (
            (int8(maxLength=5), b"x" * 5),
            (int8(maxLength=1000), b"x" * 255),
            (int16(maxLength=1 << 20), bytes(65535)),
            (tpkt(maxLength=1 << 20), bytes(65531)),
            (LengthPrefixed(prefixSize=3, maxLength=1 << 25), bytes((1 << 24) - 1)),
            (LengthPrefixed(prefixSize=1, offset=1, adjustment=1), bytes(256)),
            (LengthPrefixed(prefixSize=1, strip=0, maxLength=4), bytes(4)),
            (LengthPrefixed(prefixSize="varint", maxLength=5), bytes(5)),
            # The number takes two bytes, not the one in the record.
            (LengthPrefixed(prefixSize="varint", strip=0, maxLength=130), bytes(129)),
        ):
            self.assertEqual(len(decode(framing, [framing.encode(fits)]).records), 1)
            error = self.assertRaises(RecordTooLong, framing.encode, fits + b"\0")
            self.assertFalse(error.skipped)

    def test_wrongType(self) -> None:
        """
        A record must be bytes.
        """
        for framing in (int8(), MQTT, tpkt()):
            self.assertRaises(TypeError, framing.encode, "text")
        self.assertEqual(int8().encode(memoryview(b"a")), b"\1a")


class AgainstTwistedTests(SynchronousTestCase):
    """
    The same stream produces the same records as in Twisted's receivers.
    """

    @given(
        st.sampled_from(
            [
                (Int8StringReceiver, int8),
                (Int16StringReceiver, int16),
                (Int32StringReceiver, int32),
            ]
        ),
        st.sampled_from([5, 255]),
        noise,
        cuts,
    )
    def test_receivers(
        self, kinds: tuple[Any, Any], limit: int, data: bytes, at: list[int]
    ) -> None:
        """
        Any bytes, with a limit.
        """
        receiver, framing = kinds[0](), kinds[1](maxLength=limit)
        receiver.MAX_LENGTH = limit
        records: list[bytes] = []
        receiver.stringReceived = records.append
        transport = StringTransport()
        receiver.makeConnection(transport)
        chunks = pieces(data, at)
        for chunk in chunks:
            if not transport.disconnecting:
                receiver.dataReceived(chunk)
        found = decode(framing, chunks)
        self.assertEqual(found.records, records)
        self.assertEqual(bool(found.errors), transport.disconnecting)


class ConstructorTests(SynchronousTestCase):
    """
    Parameters, subclasses, repr.
    """

    def test_arguments(self) -> None:
        """
        The error for a wrong argument names it.
        """
        wrong: tuple[tuple[Any, dict[str, Any]], ...] = (
            (ValueError, {"prefixSize": 5}),
            (ValueError, {"prefixSize": True}),
            (ValueError, {"prefixSize": 4.0}),
            (ValueError, {"prefixSize": "3"}),
            (ValueError, {"byteOrder": "middle"}),
            (ValueError, {"offset": -1}),
            (TypeError, {"offset": 1.5}),
            (TypeError, {"adjustment": "x"}),
            (ValueError, {"strip": -1}),
            (TypeError, {"strip": "x"}),
            (ValueError, {"strip": 1, "prefixSize": "varint"}),
            (ValueError, {"maxLength": 0}),
            (ValueError, {"onTooLong": "split"}),
        )
        for error, arguments in wrong:
            raised = self.assertRaises(error, LengthPrefixed, **arguments)
            self.assertIn(next(iter(arguments)), str(raised))

    def test_unknownParameter(self) -> None:
        """
        The error for an unknown parameter suggests the nearest one.
        """
        for kind in (LengthPrefixed, int8, tpkt):
            error = self.assertRaises(TypeError, kind, maxLenght=5)
            self.assertIn("did you mean maxLength?", str(error))

    def test_repr(self) -> None:
        """
        A framing is shown as it was made.
        """
        self.assertEqual(repr(int32(maxLength=5)), "int32(maxLength=5)")
        self.assertEqual(repr(tpkt().fresh()), "tpkt()")

    def test_subclass(self) -> None:
        """
        A subclass that measures or decodes differently does so for several frames too.
        """

        class Halves(LengthPrefixed):
            def measure(self, data: Any, start: int) -> tuple[int, int, int] | None:
                size = 1 + data[start] // 2
                return start + 1, start + size, start + size

        class Upper(LengthPrefixed):
            def decode(self, data: Any, start: int, searched: int) -> Any:
                found = super().decode(data, start, searched)
                return found and ([found[0][0].upper()], found[1])

        for kind, stream in ((Halves, b"\2A\4BC"), (Upper, b"\1a\2bc")):
            framing = kind(prefixSize=1)
            self.assertEqual(decodeEachWay(framing, stream, [])[0], [b"A", b"BC"])

    def test_measureRaises(self) -> None:
        """
        Any exception of a subclass's C{measure} is an error behind the records before.
        """

        class Digits(LengthPrefixed):
            def measure(self, data: Any, start: int) -> tuple[int, int, int] | None:
                end = start + 1 + int(data[start : start + 1])
                return start + 1, end, end

        found = decodeEachWay(Digits(), b"1a2bcx", [])
        self.assertEqual(found, ([b"a", b"bc"], [(2, FramingError)], b""))
