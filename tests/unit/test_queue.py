"""
Tests for the output queue, without a transport.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection.queue import (
    CHUNK,
    Encoded,
    Marks,
    OutputQueue,
    Refusal,
)
from twisted_clienttcp.errors import InvalidRecord, NotConnectedError, OutputFull
from twisted_clienttcp.framing import Framing, Line, Stream

from .._output import data, sizes


class MarksTests(SynchronousTestCase):
    """
    L{Marks}.
    """

    def test_refused(self) -> None:
        """
        Marks must be 0 < low < high, and both or neither must be set.
        """
        for high, low in ((5, 5), (5, 6), (5, 0), (5, -1), (0, 0)):
            self.assertRaises(ValueError, Marks, high, low)
        for wrong in ("5", 5.0, True):
            self.assertRaises(TypeError, Marks, wrong, 1)
            self.assertRaises(TypeError, Marks, 10, wrong)
        error = self.assertRaises(TypeError, Marks, 5, None)
        self.assertIn("highMark needs lowMark", str(error))
        error = self.assertRaises(TypeError, Marks, None, 5)
        self.assertIn("lowMark needs highMark", str(error))

    def test_given(self) -> None:
        """
        C{given} is True for marks that the user has set.
        """
        marks = Marks(2, 1)
        self.assertEqual((marks.high, marks.low, marks.given), (2, 1, True))
        self.assertFalse(Marks().given)


class OutputQueueTests(SynchronousTestCase):
    """
    Tests for L{OutputQueue}.
    """

    def queue(self, limit: int | None = None) -> OutputQueue:
        return OutputQueue(Stream(), Marks(), limit=limit)

    @given(st.lists(st.one_of(sizes, st.none())))
    def test_nothingLost(self, plan: list[int | None]) -> None:
        """
        The chunks are what was put, in order, and C{pending} counts the bytes that were
        not sent.
        """
        queue, put, taken, count = self.queue(), b"", b"", 0
        for seed, size in enumerate(plan):
            if size is None:
                queue.sent()
                chunk = queue.take()
                self.assertLessEqual(len(chunk), CHUNK)
                self.assertEqual(queue.passedOn, len(chunk))
                taken += chunk
            else:
                put += data(size, seed)
                count += 1
                queue.put(data(size, seed))
            self.assertEqual(queue.pending, len(put) - len(taken) + queue.passedOn)
            self.assertEqual(queue.accepted, (len(put), count))
        queue.sent()
        while chunk := queue.take():
            taken += chunk
            queue.sent()
        self.assertEqual(taken, put)
        self.assertEqual((queue.pending, queue.accepted), (0, (len(put), count)))

    @given(st.lists(sizes), st.integers(0, 5), st.integers(0, 3), st.integers(0, 3))
    def test_takeBack(self, plan: list[int], takes: int, own: int, limit: int) -> None:
        """
        The records that are taken back are the oldest ones that are not the
        connection's own and of which nothing was passed on, up to the limit. Every byte
        was passed on, is taken back or remains pending.
        """
        records = [data(size, seed) for seed, size in enumerate(plan)]
        queue, taken = self.queue(), b""
        for number, record in enumerate(records):
            if number == own:
                queue.own()
            queue.put(record)
        for _ in range(takes):
            queue.sent()
            taken += queue.take()
        kept = queue.takeBack(limit * CHUNK)
        self.assertLessEqual(sum(map(len, kept)), limit * CHUNK)
        # Short records look alike: take the last position where they fit.
        positions = range(len(records) - len(kept), -1, -1)
        first = next(n for n in positions if records[n : n + len(kept)] == kept)
        if any(kept):
            self.assertGreaterEqual(first, own)
            self.assertGreaterEqual(sum(map(len, records[:first])), len(taken))
        total = sum(map(len, records))
        lost = total - len(taken) - sum(map(len, kept))
        self.assertEqual(queue.pending, lost + queue.passedOn)
        self.assertEqual(queue.accepted[0], total - sum(map(len, kept)))

    def test_takeBackAfterPart(self) -> None:
        """
        A record that was passed on in part is not taken back; the records behind it
        are.
        """
        queue = self.queue()
        queue.own()
        queue.put(b"x" * (CHUNK + 1))
        queue.put(b"next")
        queue.take()
        self.assertEqual(queue.takeBack(CHUNK), [b"next"])
        self.assertEqual(queue.pending, CHUNK + 1)

    def test_chunksAreWholeRecords(self) -> None:
        """
        A chunk ends with a record, unless the record is longer than a chunk.
        """
        queue = self.queue()
        for _ in range(5000):
            queue.put(b"x" * 100)
        self.assertEqual(len(queue.take()), CHUNK // 100 * 100)

    def test_longRecord(self) -> None:
        """
        A record of many chunks is passed on in linear time: no rest of it is copied.
        """
        queue, count = self.queue(), 200
        queue.put(bytes(count * CHUNK))
        for _ in range(count):
            self.assertEqual(len(queue.take()), CHUNK)
            queue.sent()
            self.assertTrue(all(type(part) is memoryview for part in queue._batch))
        self.assertEqual(queue.accepted, (count * CHUNK, 1))

    def test_ownOnce(self) -> None:
        """
        Only the first call of C{own} counts.
        """
        queue = self.queue()
        queue.put(b"login")
        queue.own()
        queue.put(b"other")
        queue.own()
        self.assertEqual(queue.takeBack(9), [b"other"])

    def test_putMany(self) -> None:
        """
        If a record cannot be encoded, none is put.
        """
        queue = self.queue()
        self.assertRaises(TypeError, queue.putMany, [b"a", "b"])
        self.assertEqual((queue.pending, queue.parts), (0, []))
        self.assertFalse(queue.putMany([]))
        queue.putMany(iter([b"a", b"b"]))
        self.assertEqual(queue.accepted, (2, 2))

    def test_keepsRecords(self) -> None:
        """
        A queue that keeps records can take them back one by one, with the record and
        the framing that has encoded it.
        """
        origin = Line(delimiter=b";")
        queue = OutputQueue(origin.fresh(), Marks(), origin=origin, keepsRecords=True)
        queue.own()
        queue.put(b"a")
        queue.putMany(iter([b"b", b"c"]))
        queue.write(b"raw")
        taken = queue.takeBack(99)
        self.assertEqual(taken, [b"a;", b"b;", b"c;", b"raw"])
        encoded = [part for part in taken if isinstance(part, Encoded)]
        self.assertEqual([part.record for part in encoded], [b"a", b"b", b"c"])
        self.assertTrue(all(part.origin is origin for part in encoded))

    def test_origin(self) -> None:
        """
        A framing that was chosen for this connection alone is its own origin.
        """
        origin, other = Line(), Line()
        queue = OutputQueue(origin.fresh(), Marks(), origin=origin)
        queue.use(other)
        self.assertIs(queue.origin, other)

    def test_limit(self) -> None:
        """
        Nothing is put that would exceed the limit, by any method. Bytes in the
        transport count.
        """
        queue = self.queue(limit=6)
        queue.put(b"abc")
        queue.take()
        for method, argument in (
            (queue.encode, b"defg"),
            (queue.put, b"defg"),
            (queue.write, b"defg"),
            (queue.putMany, [b"de", b"fg"]),
        ):
            error = self.assertRaises(OutputFull, method, argument)
            self.assertEqual(
                (error.pending, error.limit, error.setting), (3, 6, "outputLimit")
            )
            self.assertEqual((queue.pending, queue.parts), (3, []))
        queue.put(b"def")
        queue.sent()
        queue.put(b"ghi")
        self.assertEqual(queue.pending, 6)

    def test_limitChanges(self) -> None:
        """
        A limit that changes applies from the next record on.
        """
        queue = self.queue()
        queue.put(b"abc")
        queue.configure(2, False)
        self.assertRaises(OutputFull, queue.put, b"")
        queue.configure(None, False)
        queue.put(b"d")
        self.assertEqual(queue.pending, 4)

    def test_adoptBeyondLimit(self) -> None:
        """
        Records that were accepted before do not count.
        """
        queue = self.queue(limit=2)
        queue.adopt([b"abc"])
        self.assertEqual(queue.pending, 3)

    def test_refusal(self) -> None:
        """
        A queue with a refusal accepts nothing, by any method, and the error has its
        text; without it, it accepts records again.
        """
        for limit in (None, 9):
            queue = self.queue(limit)
            queue.refuse(Refusal.STOPPED)
            queue.use(Stream())
            queue.configure(limit, True)
            for method, argument in (
                (queue.encode, b"x"),
                (queue.put, b"x"),
                (queue.write, b"x"),
                (queue.putMany, [b"x"]),
            ):
                error = self.assertRaises(NotConnectedError, method, argument)
                self.assertIn(Refusal.STOPPED.value, str(error))
            self.assertEqual(queue.pending, 0)
            queue.refuse(None)
            queue.put(b"x")
            self.assertEqual(queue.pending, 1)

    def test_checked(self) -> None:
        """
        A framing that does not return bytes is an error of the framing, and nothing is
        put.
        """

        class Text(Framing[str]):
            def encode(self, record: str) -> bytes:
                return record  # type: ignore[return-value]

        queue = OutputQueue(Text(), Marks())
        error = self.assertRaises(TypeError, queue.put, "text")
        self.assertIn("Text.encode() must return bytes, not 'text'", str(error))
        self.assertEqual((queue.pending, queue.parts), (0, []))

    def test_invalid(self) -> None:
        """
        A record that the framing rejects is not put.
        """
        queue = OutputQueue(Line(), Marks())
        self.assertRaises(InvalidRecord, queue.put, b"a\r\nb")
        self.assertEqual(queue.accepted, (0, 0))
