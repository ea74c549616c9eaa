"""
Framings that convert the records of another one: L{JSONLines} and L{SLIP}.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.errors import FramingError, InvalidRecord, RecordTooLong
from twisted_clienttcp.framing import SLIP, Framing, JSONLines, Line, Map, Stackable
from twisted_clienttcp.testing import decodeAll

from .._decoding import decoded, replaced, singly
from .._streams import cuts, pieces

streams = st.lists(
    st.sampled_from([b"\n", b"1", b"[]", b" ", b"\xc0", b"\xdb", b"\xdc", b"\xdd"])
).map(b"".join)


def failing(record: bytes) -> list[int]:
    """
    @return: the numbers of a line, by and by.
    """
    return [int(number) for number in record.split(b",") if number]


def lazily(record: bytes) -> Any:
    """
    As L{failing}, one number after the other.
    """
    return (int(number) for number in record.split(b",") if number)


class ConvertedTests(SynchronousTestCase):
    """
    Tests for all converted framings.
    """

    def framings(self) -> list[Framing[Any]]:
        limited: dict[str, Any] = {"maxLength": 2, "onTooLong": "skip"}
        return [
            SLIP(),
            SLIP(maxLength=2),
            SLIP(**limited),
            JSONLines(),
            JSONLines(**limited),
            Stackable(framings=[Line(), Map(get=failing, put=str)]),
            Stackable(framings=[Line(), Map(get=lazily, put=str)]),
        ]

    @given(streams, cuts)
    def test_anySplit(self, data: bytes, at: list[int]) -> None:
        """
        However the stream is split, and one by one or together, the same records and
        errors result.
        """
        for framing in self.framings():
            whole = decoded(framing, [data])
            for chunks in (pieces(data, at), singly(data)):
                self.assertEqual(decoded(framing, chunks), whole)
                self.assertEqual(decoded(framing, chunks, oneByOne=True), whole)

    @given(streams, cuts, st.data())
    def test_replaced(self, data: bytes, at: list[int], choice: Any) -> None:
        """
        Another framing can take over after any record.
        """
        for framing in self.framings():
            whole = decoded(framing, [data], end=False)
            if any(isinstance(found, type) for found in whole[0]):
                continue
            chunks = pieces(data, at)
            stop = choice.draw(st.integers(0, len(chunks) - 1))
            count = choice.draw(st.integers(0, len(whole[0])))
            self.assertEqual(replaced(framing, chunks, stop, count), whole)

    def test_limit(self) -> None:
        """
        The limit is the one of the framing below, and can be changed.
        """
        framing = SLIP(maxLength=5)
        self.assertEqual((framing.maxLength, framing.onTooLong), (5, "close"))
        framing.maxLength = 1
        self.assertEqual(decoded(framing, [b"a\xc0bc\xc0"])[0], [b"a", RecordTooLong])
        self.assertRaises(RecordTooLong, framing.encode, b"ab")
        self.assertEqual(framing.fresh().maxLength, 1)

    def test_fresh(self) -> None:
        """
        A changed limit, and an error that waits, do not reach the other framing.
        """
        framing = Stackable(framings=[Line(), Map(get=lazily, put=str)])
        framing.decode(b"1,x\n", 0, 0)
        self.assertTrue(framing.hasMore)
        fresh = framing.fresh()
        self.assertFalse(fresh.hasMore)
        fresh.maxLength = 1
        self.assertNotEqual(framing.maxLength, 1)

    def test_errorInside(self) -> None:
        """
        Records before an error are delivered, also if they come from the same record
        below; and records behind a record that a function reports as skipped.
        """

        def get(record: bytes) -> Any:
            for part in record.split(b","):
                if part == b"long":
                    raise RecordTooLong(4, 3, skipped=True)
                yield part.upper()

        framing = Stackable(framings=[Line(), Map(get=get, put=bytes)])
        expected = [b"A", b"B", RecordTooLong, b"C", RecordTooLong, b"D"]
        for data in (
            b"a\nb,long,x\nc\nlong\nd\n",
            b"a\r\nb,long\r\nc\r\nlong\r\nd\r\n",
        ):
            for chunks in ([data], singly(data), pieces(data, [3, 9, 10])):
                for oneByOne in (False, True):
                    self.assertEqual(decoded(framing, chunks, oneByOne)[0], expected)

    def test_anyError(self) -> None:
        """
        Any exception of a user's function is a L{FramingError}.
        """
        for raised in (RecursionError, MemoryError, KeyError, StopIteration):

            def get(record: bytes, raised: Any = raised) -> Any:
                raise raised("reason")

            framing = Stackable(framings=[Line(), Map(get=get, put=bytes)])
            records, error = decodeAll(framing, [b"a\n"])
            self.assertEqual((records, type(error)), ([], FramingError))
            self.assertIn("reason", str(error))


class SLIPTests(SynchronousTestCase):
    """
    L{SLIP}.
    """

    @given(st.lists(st.binary(min_size=1)), cuts)
    def test_reversible(self, packets: list[bytes], at: list[int]) -> None:
        """
        Encoded packets are decoded.
        """
        framing = SLIP()
        data = framing.encodeMany(packets)
        self.assertEqual(data, b"".join(map(framing.encode, packets)))
        self.assertEqual(decoded(framing, pieces(data, at)), (packets, b""))

    def test_escapes(self) -> None:
        """
        END and ESC are escaped (RFC 1055); any other escape is an error.
        """
        self.assertEqual(SLIP().encode(b"\xc0\xdb"), b"\xc0\xdb\xdc\xdb\xdd\xc0")
        self.assertEqual(
            decoded(SLIP(), [b"\xdb\xdd\xdc\xdb\xdc\xc0"]), ([b"\xdb\xdc\xc0"], b"")
        )
        for wrong in (b"\xdb\xc0", b"\xdba\xc0", b"\xdb\xdb\xdc\xc0"):
            self.assertEqual(
                decoded(SLIP(), [b"a\xc0" + wrong])[0], [b"a", FramingError]
            )
        self.assertRaises(InvalidRecord, SLIP().encode, b"")
        self.assertRaises(TypeError, SLIP().encode, "text")


class JSONLinesTests(SynchronousTestCase):
    """
    L{JSONLines}.
    """

    def test_lines(self) -> None:
        """
        One value per line; empty lines are not records.
        """
        data = b'1\n\n [2] \r\n{"a": "b"}\n'
        self.assertEqual(decoded(JSONLines(), [data]), ([1, [2], {"a": "b"}], b""))
        self.assertEqual(JSONLines().encode({"a": "\n"}), b'{"a":"\\n"}\n')
        self.assertRaises(TypeError, JSONLines().encode, object())
        self.assertEqual(decoded(JSONLines(), [b"1\n2"]), ([1], b"2"))
