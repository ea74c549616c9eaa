"""
Tests for the delivery of records: in order, each once, also when it is interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection import inbound as _inbound
from twisted_clienttcp._connection.inbound import (
    Cursor,
    Hold,
    Inbound,
    cursor,
    cursorsFor,
)
from twisted_clienttcp.errors import FramingError, RecordTooLong, TruncatedRecord
from twisted_clienttcp.framing import (
    Block,
    Framing,
    Line,
    Map,
    Netstring,
    Stackable,
    Stream,
)

from .._streams import cuts, pieces

#: Streams of short words between two delimiters.
words = st.lists(st.sampled_from([b"a", b"bb", b"|", b";", b"c|", b"d;"])).map(b"".join)


def model(data: bytes, swaps: set[int]) -> list[bytes]:
    """
    Split a stream at the delimiter C{|}, and after each record whose number is in
    C{swaps} at the other one of C{|} and C{;}.
    """
    records: list[bytes] = []
    delimiter = b"|"
    while delimiter in data:
        record, data = data.split(delimiter, 1)
        records.append(record)
        if len(records) in swaps:
            delimiter = b";" if delimiter == b"|" else b"|"
    return records


class Reader:
    """
    Owns an L{Inbound}, and collects what it delivers and reports.

    @ivar on: called with the number of each record, from 1; its result is returned to
        the inbound side.
    """

    def __init__(
        self,
        framing: Framing[Any],
        on: Callable[[int], object] = lambda number: None,
        batched: bool = False,
    ) -> None:
        self.records: list[Any] = []
        self.reported: list[BaseException | None] = []
        self.ends = 0
        self.on = on
        self.inbound = Inbound(
            framing,
            Reader.deliver,
            self,
            self.inputFailed,
            self.inputRaised,
            self.inputResumed,
            batched,
        )

    def deliver(self, record: Any) -> object:
        self.records.append(record)
        return self.on(len(self.records))

    def feed(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.inbound.feed(chunk)

    def end(self) -> None:
        self.inbound.end(self.ended)

    def ended(self) -> None:
        self.ends += 1

    def inputFailed(self, error: FramingError) -> None:
        self.reported.append(error)
        if not getattr(error, "skipped", False):
            self.inbound.stop()

    def inputRaised(self, error: BaseException) -> None:
        self.reported.append(error)

    def inputResumed(self) -> None:
        self.reported.append(None)


class DeliveryTests(SynchronousTestCase):
    """
    L{Inbound}.
    """

    def test_firedResult(self) -> None:
        """
        A result that has fired already does not end the loop over the records.
        """
        loops: list[int] = []

        def counted(items: list[Any]) -> Any:
            loops.append(len(items))
            return cursor(items)

        self.patch(_inbound, "cursor", counted)
        reader = Reader(Line(delimiter=b"|"), lambda number: succeed(None))
        reader.feed(b"x|" * 100)
        self.assertEqual(len(reader.records), 100)
        self.assertEqual(loops.count(100), 1)
        self.assertEqual(reader.reported, [None] * 100)

    @given(words, cuts, st.sets(st.integers(1, 12)), st.sets(st.integers(1, 12)))
    def test_swapsAndHolds(
        self, data: bytes, at: list[int], swaps: set[int], holds: set[int]
    ) -> None:
        """
        For any reads, changes of the framing and holds, the records are those of a
        reader that takes one at a time.
        """
        delimiters = [b"|"]

        def interrupt(number: int) -> None:
            if number in swaps:
                delimiters.append(b";" if delimiters[-1] == b"|" else b"|")
                reader.inbound.use(Line(delimiter=delimiters[-1]))
            if number in holds:
                reader.inbound.hold(Hold.USER)

        reader = Reader(Line(delimiter=b"|"), interrupt)
        for piece in pieces(data, at):
            reader.feed(piece)
            if len(piece) % 2:
                reader.inbound.release(Hold.USER)
        while reader.inbound.held:
            reader.inbound.release(Hold.USER)
        self.assertEqual(reader.records, model(data, swaps))
        self.assertEqual(reader.reported, [])

    @given(
        st.lists(
            st.sampled_from(["hold", "release", "result", "arrive", "again", "read"]),
            max_size=30,
        ),
        st.booleans(),
    )
    def test_manyHolds(self, steps: list[str], movable: bool) -> None:
        """
        Three independent holds, set and cleared in any order and also inside the
        callback: each record is delivered once, in order, and none while one is set.
        """
        waiting: list[Deferred[None]] = []
        script = iter(steps)

        def interrupt(number: int) -> Any:
            self.assertEqual(inbound.held, 0)
            for step in script:
                if step == "result":
                    waiting.append(Deferred())
                    return waiting[-1]
                if step == "read":
                    return None
                outside(step)
            return None

        def outside(step: str) -> None:
            if step == "hold":
                inbound.hold(Hold.USER)
            elif step == "again":
                inbound.hold(Hold.CONSUMER)
                inbound.hold(Hold.USER)
                inbound.release(Hold.CONSUMER)
            elif step == "release":
                inbound.release(Hold.USER)
            elif step == "arrive" and waiting:
                waiting.pop().callback(None)

        if not movable:
            self.patch(_inbound, "cursor", Cursor)
        reader = Reader(Line(delimiter=b"|"), interrupt)
        inbound = reader.inbound
        sent = [b"%d" % number for number in range(40)]
        for at in range(0, 40, 8):
            reader.feed(b"".join(b"%b|" % record for record in sent[at : at + 8]))
            self.assertEqual(reader.records, sent[: len(reader.records)])
            for step in script:
                outside(step)
                if step == "read":
                    break
        while inbound.held:
            outside("arrive")
            outside("release")
        self.assertEqual(reader.records, sent)
        self.assertEqual(inbound.delivered, 40)

    def test_holdsAreIndependent(self) -> None:
        """
        Nothing is delivered until each hold is released, in any order.
        """
        for first in (Hold.USER, Hold.CONSUMER):
            reader = Reader(Line(delimiter=b"|"))
            reader.inbound.hold(Hold.USER)
            reader.inbound.hold(Hold.CONSUMER)
            reader.feed(b"a|b|")
            reader.inbound.release(first)
            self.assertEqual((reader.records, len(reader.inbound.buffer)), ([], 4))
            reader.inbound.release((Hold.USER | Hold.CONSUMER) & ~first)
            self.assertEqual(reader.records, [b"a", b"b"])

    def test_heldEnd(self) -> None:
        """
        The end of the stream waits until the held records have been delivered.
        """
        reader = Reader(Line(delimiter=b"|", atEnd="record"))
        reader.inbound.hold(Hold.USER)
        reader.feed(b"a|b")
        reader.end()
        self.assertEqual((reader.records, reader.ends), ([], 0))
        reader.inbound.release(Hold.USER)
        self.assertEqual((reader.records, reader.ends), ([b"a", b"b"], 1))

    def test_truncated(self) -> None:
        """
        The bytes between the last record and the end of the stream are reported.
        """
        reader = Reader(Netstring())
        reader.feed(b"1:a,3:b")
        reader.end()
        truncated = reader.inbound.truncated
        assert isinstance(truncated, TruncatedRecord)
        self.assertEqual((reader.records, truncated.rest), ([b"a"], b"3:b"))

    def test_endIsReportedOnce(self) -> None:
        """
        C{decodeEnd} is called once, even if it always returns records.
        """

        class Endless(Stream):
            def decodeEnd(self, data: Any, start: int) -> list[Any]:
                return [b"last"]

        reader = Reader(Endless())
        reader.end()
        self.assertEqual((reader.records, reader.ends), ([b"last"], 1))

    def test_recordsBeforeAnError(self) -> None:
        """
        The records before an error are delivered first, then the error is reported
        once, and nothing follows.
        """
        for batched in (False, True):
            reader = Reader(Netstring(), batched=batched)
            reader.feed(b"1:a,1:b,x1:c,")
            reader.end()
            records = [[b"a", b"b"]] if batched else [b"a", b"b"]
            self.assertEqual((reader.records, reader.ends), (records, 0))
            [error] = reader.reported
            self.assertIsInstance(error, FramingError)

    def test_skipped(self) -> None:
        """
        A record that is too long is reported at its position, and the others follow.
        """
        for step in (1, 3, 100):
            reader = Reader(Line(delimiter=b"|", maxLength=2, onTooLong="skip"))
            stream = b"a|long|b|longer|c|"
            reader.feed(*(stream[n : n + step] for n in range(0, len(stream), step)))
            self.assertEqual(reader.records, [b"a", b"b", b"c"])
            self.assertEqual([type(e) for e in reader.reported], [RecordTooLong] * 2)

    def test_raises(self) -> None:
        """
        After an exception in the callback nothing is delivered any more.
        """

        def fail(number: int) -> None:
            raise ZeroDivisionError

        reader = Reader(Line(delimiter=b"|"), fail)
        reader.feed(b"a|b|", b"c|")
        reader.end()
        self.assertEqual((reader.records, reader.ends), ([b"a"], 0))
        self.assertEqual([type(e) for e in reader.reported], [ZeroDivisionError])
        self.assertEqual(reader.inbound.delivered, 1)

    def test_batched(self) -> None:
        """
        With C{batched}, the callback is called with all records of a read, also with a
        framing that decodes one at a time.
        """

        class Pairs(Framing[bytes]):
            def decode(self, data: Any, start: int, searched: int) -> Any:
                if len(data) - start < 2:
                    return None
                return [bytes(data[start : start + 2])], start + 2

        for framing in (Block(size=2), Pairs()):
            reader = Reader(framing, batched=True)
            reader.feed(b"aabbc", b"cdd")
            self.assertEqual(reader.records, [[b"aa", b"bb"], [b"cc", b"dd"]])

    def test_next(self) -> None:
        """
        C{next} takes one record, also among others; a loop delivers the rest.
        """
        reader = Reader(Line(delimiter=b"|"))
        reader.inbound.hold(Hold.USER)
        reader.feed(b"a|b|c|d")
        self.assertEqual(reader.inbound.next(), (b"a",))
        self.assertEqual(reader.inbound.next(), (b"b",))
        reader.inbound.release(Hold.USER)
        self.assertEqual(reader.records, [b"c"])
        self.assertIsNone(reader.inbound.next())
        self.assertEqual(reader.inbound.delivered, 3)

    def test_nextOfAUnit(self) -> None:
        """
        If the unit holds more records than C{next} takes, the others are passed to the
        callback: one by one, or as a batch.
        """
        for batched in (False, True):
            framing = Stackable(
                framings=[Line(delimiter=b"|"), Map(get=bytes.split, put=bytes)]
            )
            reader = Reader(framing, batched=batched)
            reader.inbound.hold(Hold.USER)
            reader.feed(b"a b c|d|")
            self.assertEqual(reader.inbound.next(), (b"a",))
            self.assertEqual(reader.inbound.sinceRead, 3)
            reader.inbound.release(Hold.USER)
            expected: list[Any] = [b"b", b"c", b"d"]
            if batched:
                expected = [[b"b", b"c"], [b"d"]]
            self.assertEqual(reader.records, expected)
            self.assertEqual(reader.inbound.delivered, 4)

    def test_nextError(self) -> None:
        """
        C{next} raises if the bytes cannot be decoded.
        """
        reader = Reader(Netstring())
        reader.inbound.hold(Hold.USER)
        reader.feed(b"1:a,x")
        self.assertEqual(reader.inbound.next(), (b"a",))
        self.assertRaises(FramingError, reader.inbound.next)

    def test_swapInANewline(self) -> None:
        """
        A newline belongs to its line, also if its second byte arrives after another
        framing has taken over.
        """
        for chunks in ([b"a\r\nbody"], [b"a\r", b"\nbody"], [b"a\r", b"\n", b"body"]):
            reader = Reader(
                Line(),
                lambda n: reader.inbound.use(Stream()) if n == 1 else None,  # noqa: B023
            )
            reader.feed(*chunks)
            self.assertEqual(reader.records, [b"a", b"body"])

    def test_swapTwiceInANewline(self) -> None:
        """
        The same after two other framings, and if the byte arrived while the records
        were held.
        """
        reader = Reader(
            Line(), lambda n: reader.inbound.hold(Hold.USER) if n == 1 else None
        )
        reader.feed(b"a\r", b"\nbody")
        reader.inbound.use(Line())
        reader.inbound.use(Stream())
        reader.inbound.release(Hold.USER)
        self.assertEqual(reader.records, [b"a", b"body"])

    def test_swapDoesNotDecodeTwice(self) -> None:
        """
        A swap at each record discards at most two decoded units per record: after a
        batch is discarded, as many units are decoded one by one before the next batch.
        """
        decoded = [0]

        class Counting(Line):
            def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
                records, end = super().decodeMany(data, start)
                decoded[0] += len(records)
                return records, end

        reader = Reader(
            Counting(delimiter=b"|"),
            lambda n: reader.inbound.use(Counting(delimiter=b"|")),
        )
        reader.feed(b"x|" * 1000)
        self.assertEqual(len(reader.records), 1000)
        self.assertLessEqual(decoded[0], 2000)

    def test_swapAtAnErrorInABatch(self) -> None:
        """
        An error behind the records of a batch is not reported if another framing takes
        over before it, which can decode these bytes.
        """
        reader = Reader(
            Netstring(),
            lambda n: reader.inbound.use(Stream()) if n == 1 else None,
            batched=True,
        )
        reader.feed(b"1:a,raw")
        self.assertEqual(reader.records, [[b"a"], [b"raw"]])
        self.assertEqual(reader.reported, [])

    def test_nestedFeed(self) -> None:
        """
        Bytes that arrive inside the callback are delivered behind the present ones.
        """
        reader = Reader(
            Line(delimiter=b"|"), lambda n: reader.feed(b"c|") if n == 1 else None
        )
        reader.feed(b"a|b|")
        self.assertEqual(reader.records, [b"a", b"b", b"c"])

    def test_discard(self) -> None:
        """
        Everything that waits can be dropped.
        """
        reader = Reader(Line(delimiter=b"|"))
        reader.inbound.hold(Hold.USER)
        reader.feed(b"a|b|c")
        self.assertGreater(reader.inbound.discard(), 0)
        reader.inbound.release(Hold.USER)
        reader.feed(b"d|")
        self.assertEqual(reader.records, [b"d"])

    def test_keptView(self) -> None:
        """
        A framing that keeps a view of the buffer is reported.
        """
        views: list[memoryview] = []

        class Keeping(Line):
            def decode(self, data: Any, start: int, searched: int) -> Any:
                views.append(memoryview(data))
                return super().decode(data, start, searched)

        reader = Reader(Keeping(delimiter=b"|"))
        reader.feed(b"x" * 100, b"x", b"x")
        [error] = reader.reported
        self.assertIn("Keeping has kept a view", str(error))


class AbandonTests(SynchronousTestCase):
    """
    Tests for the records that are received and never delivered.
    """

    @given(
        st.lists(st.sampled_from([b"a", b"bb", b"x" * 9, b"x" * 30]), min_size=1),
        st.sampled_from([b"", b"half"]),
        st.integers(0, 5),
        st.booleans(),
    )
    def test_counted(
        self, lines: list[bytes], rest: bytes, held: int, batched: bool
    ) -> None:
        """
        They are counted, whatever is skipped between them, and the incomplete record at
        the end is kept.
        """
        framing = Line(delimiter=b"|", maxLength=5, onTooLong="skip")
        stream = b"".join(line + b"|" for line in lines) + rest
        complete = sum(len(line) <= 5 for line in lines)
        reader = Reader(
            framing,
            lambda number: Deferred() if number == held else None,
            batched,
        )
        if not held:
            reader.inbound.hold(Hold.USER)
        reader.feed(stream)
        before = reader.inbound.delivered
        self.assertEqual(before + reader.inbound.abandon(), complete)
        truncated = reader.inbound.truncated
        self.assertEqual(truncated.rest if truncated else b"", rest)


class CursorTests(SynchronousTestCase):
    """
    L{cursor}, and its replacement for other interpreters.
    """

    def test_same(self) -> None:
        """
        Both can be moved forwards, backwards and to the end from inside a loop.
        """
        makers: list[Callable[[list[Any]], Any]] = [cursor, Cursor]
        for make in makers:
            items = list("abcde")
            moved = make(items)
            seen = []
            for item in moved:
                seen.append((item, moved.__length_hint__()))
                if item == "b" and len(seen) == 2:
                    moved.__setstate__(0)
                elif item == "d":
                    moved.__setstate__(len(items))
            self.assertEqual(
                seen, [("a", 4), ("b", 3), ("a", 4), ("b", 3), ("c", 2), ("d", 1)]
            )
            self.assertEqual(moved.__length_hint__(), 0)

    def test_withoutSetState(self) -> None:
        """
        An interpreter whose list iterators cannot be moved gets the replacement.
        """
        self.assertIs(cursorsFor(type(iter([]))), iter)
        self.assertIs(cursorsFor(object), Cursor)
