"""
Tests for L{Block}.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.errors import FramingError, InvalidRecord, RecordTooLong
from twisted_clienttcp.framing import Block
from twisted_clienttcp.framing._buffer import InputBuffer

from .._decoding import decode, decodeEachWay
from .._streams import cuts, pieces


def colonLength(head: bytearray) -> int | None:
    """
    Decode a length in decimal digits and a colon.
    """
    digits, colon, _ = head.partition(b":")
    if not colon:
        return None
    del head[: len(digits) + 1]
    return int(digits)


def withColonLength(record: bytes) -> bytes:
    """
    Encode a record with its length in decimal digits and a colon.
    """
    return b"%d:%b" % (len(record), record)


def codec(**parameters: Any) -> Block:
    """
    Make a L{Block} with the two functions above.
    """
    return Block(encoder=withColonLength, decoder=colonLength, **parameters)


#: Bytes of which many are blocks, or nearly.
noise = st.lists(
    st.sampled_from([b"0", b"1", b"12", b"\0", b":", b"a", b"+", b" ", b"_", b"3\0abc"])
    | st.binary(max_size=9).map(Block().encode)
    | st.binary(max_size=9).map(withColonLength)
).map(b"".join)


class BlockTests(SynchronousTestCase):
    """
    All kinds of L{Block}.
    """

    @given(
        st.sampled_from([Block, codec]),
        st.sampled_from([1, 5, 500]),
        st.sampled_from(["close", "skip"]),
        noise,
        cuts,
    )
    def test_anyBytes(
        self, make: Any, maxLength: int, onTooLong: str, data: bytes, at: list[int]
    ) -> None:
        """
        Records, errors and the rest do not depend on how the stream is split or on how
        many blocks are decoded at once.
        """
        framing = make(maxLength=maxLength, onTooLong=onTooLong)
        found = decodeEachWay(framing, data, at)
        self.assertTrue(all(len(record) <= maxLength for record in found.records))

    @given(st.integers(1, 9), st.binary(), cuts)
    def test_fixedSize(self, size: int, data: bytes, at: list[int]) -> None:
        """
        With a fixed size, all blocks have it, and what is left is shorter.
        """
        found = decodeEachWay(Block(size=size), data, at)
        self.assertEqual({*map(len, found.records)} - {size}, set())
        self.assertEqual(b"".join([*found.records, found.rest]), data)
        self.assertLess(len(found.rest), size)

    @given(st.sampled_from([Block, codec]), st.lists(st.binary(max_size=200)), cuts)
    def test_reversible(self, make: Any, records: list[bytes], at: list[int]) -> None:
        """
        Encoded records are decoded.
        """
        stream = make().encodeMany(records)
        self.assertEqual(decode(make(), pieces(stream, at)), (records, [], b""))

    def test_limitBeforeTheBody(self) -> None:
        """
        A length over the limit is an error before the record arrives.
        """
        for framing, head in (
            (Block(maxLength=5), b"6\0"),
            (codec(maxLength=5), b"6:"),
        ):
            found = decodeEachWay(framing, head, [])
            self.assertEqual(found, ([], [(0, RecordTooLong)], b""))

    def test_limitChanges(self) -> None:
        """
        The limit may be changed between records, and then also excludes a fixed size.
        """
        for framing, frame in (
            (Block(), b"3\0abc"),
            (codec(), b"3:abc"),
            (Block(size=3), b"abc"),
        ):
            for many in (True, False):
                buffer = InputBuffer(framing.fresh())
                buffer.append(frame)
                self.assertEqual(buffer.decode(many), [b"abc"])
                buffer.framing.maxLength = 2
                buffer.append(frame)
                self.assertRaises(RecordTooLong, buffer.decode, many)

    def test_decimal(self) -> None:
        """
        The length may begin with zeros and has at most 18 digits, as in POE, which
        leaves out any bytes in front of it. Here they are an error.
        """
        found = decodeEachWay(Block(), b"0\x00003\0abc" + b"0" * 17 + b"1\0d1", [])
        self.assertEqual(found, ([b"", b"abc", b"d"], [], b"1"))
        for wrong in (
            b"x",
            b"\0",
            b"1x",
            b"-1\0",
            b"+1\0",
            b" 1\0",
            b"1_1\0",
            b"0" * 19,
        ):
            found = decodeEachWay(Block(), b"1\0a" + wrong, [])
            self.assertEqual(found, ([b"a"], [(1, FramingError)], b""), wrong)

    def test_encode(self) -> None:
        """
        Records that the peer would not decode as they are are rejected.
        """
        self.assertEqual(Block().encode(memoryview(b"ab")), b"2\0ab")
        self.assertEqual(codec().encode(b"ab"), b"2:ab")
        self.assertEqual(Block(size=2).encode(b"abcd"), b"abcd")
        self.assertEqual(Block(size=2).encode(b""), b"")
        self.assertRaises(InvalidRecord, Block(size=2).encode, b"abc")
        for framing in (Block(maxLength=5), codec(maxLength=5)):
            self.assertRaises(RecordTooLong, framing.encode, b"123456")
        for framing in (Block(), codec(), Block(size=4)):
            self.assertRaises(TypeError, framing.encode, "text")

    def test_properties(self) -> None:
        """
        Only records of a fixed size may be decoded as others than were sent.
        """
        self.assertTrue(Block().reversible)
        self.assertTrue(codec().reversible)
        self.assertFalse(Block(size=3).reversible)

    def test_arguments(self) -> None:
        """
        The error for a wrong argument names it.
        """
        wrong: tuple[tuple[Any, dict[str, Any]], ...] = (
            (ValueError, {"size": 0}),
            (TypeError, {"size": "x"}),
            (TypeError, {"size": True}),
            (ValueError, {"size": 10, "maxLength": 5}),
            (ValueError, {"size": 10, "encoder": bytes, "decoder": len}),
            (TypeError, {"encoder": len}),
            (TypeError, {"decoder": len}),
            (TypeError, {"decoder": 5, "encoder": len}),
            (ValueError, {"headerLimit": 0}),
            (ValueError, {"maxLength": 0}),
            (ValueError, {"onTooLong": "split"}),
        )
        for error, arguments in wrong:
            raised = self.assertRaises(error, Block, **arguments)
            self.assertIn(next(iter(arguments)), str(raised))


class CodecTests(SynchronousTestCase):
    """
    C{encoder} and C{decoder}.
    """

    def test_decoderRaises(self) -> None:
        """
        An exception of the decoder is an error, behind the records before it.
        """
        found = decodeEachWay(codec(), b"1:ax:", [])
        self.assertEqual(found, ([b"a"], [(1, FramingError)], b""))
        error = self.assertRaises(FramingError, codec().decode, b"x:", 0, 0)
        self.assertIsInstance(error.__cause__, ValueError)

    def test_wrongResult(self) -> None:
        """
        A decoder that returns something else than a length or None, or that does not
        consume anything, is an error.
        """

        def grows(head: bytearray) -> int:
            head += b"x"
            return 5

        for decoder in (lambda head: "1", lambda head: -1, lambda head: 0, grows):
            framing: Any = Block(encoder=bytes, decoder=decoder)  # type: ignore[arg-type]
            found = decodeEachWay(framing, b"abc", [])
            self.assertEqual(found, ([], [(0, FramingError)], b""))

    def test_lengthInTheRecord(self) -> None:
        """
        A header that the decoder does not remove is a part of the record.
        """
        framing = Block(encoder=bytes, decoder=lambda head: head[0])
        found = decodeEachWay(framing, b"\2a\3bc\1", [])
        self.assertEqual(found, ([b"\2a", b"\3bc", b"\1"], [], b""))

    def test_encoderResult(self) -> None:
        """
        An encoder must return bytes.
        """
        framing: Any = Block(encoder=lambda record: "1:a", decoder=colonLength)  # type: ignore[arg-type,return-value]
        error = self.assertRaises(TypeError, framing.encode, b"a")
        self.assertIn("encoder", str(error))

    def test_headerLimit(self) -> None:
        """
        The decoder gets a copy of at most C{headerLimit} bytes, and a longer header is
        an error.
        """
        sizes = []

        def decoder(head: bytearray) -> int | None:
            sizes.append(len(head))
            return colonLength(head)

        framing = Block(encoder=withColonLength, decoder=decoder, headerLimit=8)
        found = decodeEachWay(framing, b"0000001:a" * 5 + b"0000000", [])
        self.assertEqual(found, ([b"a"] * 5, [], b"0000000"))
        self.assertEqual(max(sizes), 8)
        found = decodeEachWay(framing, b"0000001:a" + b"00000001:b", [])
        self.assertEqual(found, ([b"a"], [(1, FramingError)], b""))
        error = self.assertRaises(FramingError, codec().decode, b"0" * 1024, 0, 0)
        self.assertIn("headerLimit=1024", str(error))
