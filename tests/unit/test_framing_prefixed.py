"""
Tests for framings with lengths: L{LengthPrefixed}, L{Block}, L{Netstring}.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.errors import FramingError, RecordTooLong
from twisted_clienttcp.framing import (
    Block,
    LengthPrefixed,
    Netstring,
    int8,
    int32,
    tpkt,
)

from .._streams import cuts, pieces


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
