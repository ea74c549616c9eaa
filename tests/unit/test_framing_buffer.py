"""
Tests for the input buffer, with framings that make use of all it offers. (Tests of
swaps, of skipping and of what framings decode are elsewhere.)
"""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.errors import FramingError, RecordTooLong
from twisted_clienttcp.framing import Block, Framing, LengthPrefixed, Line, Stream
from twisted_clienttcp.framing._buffer import InputBuffer

from .._streams import cuts, pieces


class Views(Line):
    """
    A framing that keeps views of the data.
    """

    def __init__(self) -> None:
        super().__init__(delimiter=b"|")
        self.views: list[memoryview] = []

    def decode(self, data: Any, start: int, searched: int) -> Any:
        self.views.append(memoryview(data))
        return super().decode(data, start, searched)


class Fails(Framing[bytes]):
    """
    A framing whose methods raise what they should not.
    """

    onTooLong = "skip"

    def decode(self, data: Any, start: int, searched: int) -> Any:
        if data[start] == b"s"[0]:
            raise self.tooLong(1)
        raise KeyError("oops")

    def decodeMany(self, data: bytes, start: int) -> Any:
        if data[start] == b"m"[0]:
            raise ZeroDivisionError
        return [], start

    def decodeEnd(self, data: Any, start: int) -> Any:
        raise ZeroDivisionError

    def skip(self, data: Any, start: int, searched: int) -> Any:
        raise ZeroDivisionError


def filled(framing: Framing[Any], *chunks: bytes) -> InputBuffer:
    """
    Make a buffer to which these bytes were added.
    """
    buffer = InputBuffer(framing)
    for chunk in chunks:
        buffer.append(chunk)
    return buffer


class BufferTests(SynchronousTestCase):
    """
    L{InputBuffer}.
    """

    def test_keptView(self) -> None:
        """
        A view that a framing keeps is an error. No byte is lost.
        """
        buffer = filled(Views(), b"ab")
        self.assertIsNone(buffer.decode())
        buffer.append(b"c")
        self.assertIsNone(buffer.decode())
        error = self.assertRaises(FramingError, buffer.append, b"|d")
        self.assertIn("Views has kept a view", str(error))
        self.assertEqual(buffer.decode(), [b"abc"])
        self.assertEqual(buffer.takeRest(), b"d")

    def test_index(self) -> None:
        """
        The index behind a unit must be behind its beginning, and within the data.
        """
        for end in (0, -1, 4):

            class Wrong(Stream):
                def decode(self, data: Any, start: int, searched: int) -> Any:
                    return [], end  # noqa: B023

            error = self.assertRaises(FramingError, filled(Wrong(), b"abc").decode)
            self.assertIn(f"an index from 1 to 3, not {end}", str(error))

    def test_converted(self) -> None:
        """
        Any exception of a framing is converted to an error that names the framing.
        """
        for many in (False, True):
            buffer = filled(Fails(), b"x")
            error = self.assertRaises(FramingError, buffer.decode, many)
            self.assertIn("Fails could not decode a record: KeyError", str(error))
            self.assertIsInstance(error.__cause__, KeyError)
        for step in (
            partial(filled(Fails(), b"m").decode, many=True),
            filled(Fails(), b"x").decodeEnd,
        ):
            error = self.assertRaises(FramingError, step)
            self.assertIsInstance(error.__cause__, ZeroDivisionError)

    def test_skipRaises(self) -> None:
        """
        The same for an exception while a record is skipped.
        """
        for many in (False, True):
            buffer = filled(Fails(), b"s")
            self.assertRaises(RecordTooLong, buffer.decode, many)
            error = self.assertRaises(FramingError, buffer.decode, many)
            self.assertIsInstance(error.__cause__, ZeroDivisionError)

    def test_skipsLaterRecords(self) -> None:
        """
        A framing that knows the length skips bytes that have not arrived. None of them
        is kept.
        """
        framing = LengthPrefixed(prefixSize=1, maxLength=4, onTooLong="skip")
        for size in (1, 3, 300):
            buffer = InputBuffer(framing.fresh())
            records: list[bytes] = []
            errors = 0
            stream = b"\x02ab\xc8" + b"x" * 200 + b"\x01c"
            for n in range(0, len(stream), size):
                buffer.append(stream[n : n + size])
                while True:
                    try:
                        found = buffer.decode(many=True)
                    except RecordTooLong:
                        errors += 1
                        continue
                    if found is None:
                        break
                    records += found
                self.assertLessEqual(len(buffer.rest), 2)
            self.assertEqual((records, errors), ([b"ab", b"c"], 1))

    @given(
        st.lists(st.binary(max_size=4), max_size=20),
        cuts,
        st.integers(0, 20),
        st.booleans(),
    )
    def test_rewind(
        self, records: list[bytes], at: list[int], delivered: int, more: bool
    ) -> None:
        """
        C{rewind} goes back to any record of a batch, also when more has arrived.
        """
        stream = b"".join(map(Block().encode, records))
        buffer = InputBuffer(Block())
        found: list[bytes] = []
        rest = pieces(stream, at)
        while rest:
            buffer.append(rest.pop(0))
            while (batch := buffer.decode(many=True)) is not None:
                if more and rest:
                    buffer.append(rest.pop(0))
                wanted = delivered % (len(batch) + 1)
                consumed = buffer.rewind(wanted)
                found += batch if consumed is None else batch[:consumed]
                if consumed is not None:
                    # A record that was decoded by itself is not taken back.
                    self.assertIn(consumed, {wanted, wanted or 1})
                if consumed == 0:
                    # It has to go on.
                    single = buffer.decode()
                    assert single is not None
                    found += single
        self.assertEqual(found, records)

    def test_limitOfABatch(self) -> None:
        """
        A rewind works also if the limit was lowered after the batch.
        """
        framing = Line(delimiter=b"|")
        buffer = filled(framing, b"abc|def|g|")
        self.assertEqual(buffer.decode(many=True), [b"abc", b"def", b"g"])
        framing.maxLength = 1
        self.assertEqual(buffer.rewind(1), 1)
        self.assertEqual(framing.maxLength, 1)
        self.assertRaises(RecordTooLong, buffer.decode)

    def test_swallowed(self) -> None:
        """
        The second half of a newline is dropped once, by the framing that follows too.
        """
        buffer = filled(Line(), b"a\r")
        self.assertEqual(buffer.decode(many=True), [b"a"])
        self.assertEqual(buffer.swallows, b"\n")
        buffer.use(Stream())
        self.assertEqual(buffer.swallows, b"\n")
        buffer.append(b"\n\nb")
        self.assertEqual(buffer.decode(many=True), [b"\nb"])
        self.assertEqual(buffer.swallows, b"")

    def test_notSwallowed(self) -> None:
        """
        It is not dropped if the line was taken back.
        """
        buffer = filled(Line(), b"a\r")
        self.assertEqual(buffer.decode(many=True), [b"a"])
        self.assertEqual(buffer.rewind(0), 0)
        buffer.use(Stream())
        buffer.append(b"\n")
        self.assertEqual(buffer.takeRest(), b"a\r\n")

    def test_swallowedAtTheEnd(self) -> None:
        """
        It does not belong to the rest of the stream.
        """
        buffer = filled(Line(), b"a\r")
        self.assertEqual(buffer.decode(many=True), [b"a"])
        buffer.append(b"\n")
        self.assertEqual(buffer.takeRest(), b"")

    def test_length(self) -> None:
        """
        The length is that of the bytes that wait.
        """
        buffer = filled(Block(size=3), b"abcdefg")
        self.assertEqual(len(buffer), 7)
        self.assertEqual(buffer.decode(), [b"abc"])
        self.assertEqual((len(buffer), buffer.rest), (4, b"defg"))
        self.assertEqual(buffer.decode(many=True), [b"def"])
        self.assertEqual((len(buffer), buffer.rest), (1, b"g"))
        self.assertEqual((buffer.takeRest(), len(buffer)), (b"g", 0))

    @given(
        st.lists(st.integers(0, 9000), max_size=8),
        st.lists(st.integers(1, 20_000), min_size=1, max_size=8),
        st.booleans(),
    )
    def test_largeReads(self, sizes: list[int], reads: list[int], many: bool) -> None:
        """
        Records that end in the next read, of any size: no byte is lost, and the length
        is right at any time.
        """
        records = [bytes([n + 1]) * size for n, size in enumerate(sizes)]
        for framing in (LengthPrefixed(), Line(delimiter=b"\0")):
            stream = framing.encodeMany(records)
            buffer = InputBuffer(framing)
            found: list[bytes] = []
            at = number = 0
            while at < len(stream):
                size = reads[number % len(reads)]
                buffer.append(stream[at : at + size])
                at, number = min(at + size, len(stream)), number + 1
                while True:
                    consumed = len(framing.encodeMany(found))
                    self.assertEqual(len(buffer), at - consumed)
                    self.assertEqual(buffer.rest, stream[consumed:at])
                    batch = buffer.decode(many)
                    if batch is None:
                        break
                    found += batch
            self.assertEqual(found, records)
