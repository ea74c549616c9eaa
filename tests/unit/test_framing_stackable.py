"""
Framings made of framings: POE's results, exact swaps, errors at their position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection.inbound import Hold, Inbound
from twisted_clienttcp.errors import FramingError, RecordTooLong, TruncatedRecord
from twisted_clienttcp.framing import (
    Block,
    Framing,
    Grep,
    Line,
    Map,
    Receiver,
    RecordBlock,
    Stackable,
    Stream,
    int8,
)
from twisted_clienttcp.framing._buffer import InputBuffer
from twisted_clienttcp.testing import decodeAll

from .._decoding import decoded, read, replaced, singly
from .._streams import cuts, pieces


def splitComma(record: bytes) -> list[bytes]:
    return record.split(b",") if record else []


def notComment(record: bytes) -> bool:
    return not record.startswith(b"#")


def bang(record: bytes) -> bytes:
    return record + b"!"


def stack(*framings: Framing[Any]) -> Stackable:
    return Stackable(framings=framings)


def lines(**parameters: Any) -> Line:
    return Line(delimiter=b"\n", **parameters)


def skipping(maxLength: int) -> Line:
    return lines(maxLength=maxLength, onTooLong="skip")


#: Bytes in which the delimiters of these stacks are frequent.
streams = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b"a", b"bc", b",", b"#", b"d;"])
).map(b"".join)

#: Stacks whose records are made of whole lines.
STACKS: dict[str, Stackable] = {
    "line": stack(Line()),
    "upper": stack(Line(), Map(code=bytes.upper)),
    "several": stack(Line(), Map(code=splitComma)),
    "grep": stack(Line(), Grep(code=notComment)),
    "blocks": stack(Line(), RecordBlock(size=3)),
    "large blocks": stack(Line(), Grep(code=notComment), RecordBlock(size=7)),
    "blocks of blocks": stack(lines(), RecordBlock(size=2), RecordBlock(size=2)),
    "kept": stack(Line(), Grep(code=notComment), Map(code=bang), RecordBlock(size=2)),
    "skip": stack(skipping(1), Map(code=bytes.upper)),
    "skip in blocks": stack(skipping(1), RecordBlock(size=3)),
    "split in blocks": stack(
        lines(maxLength=2, onTooLong="split"), RecordBlock(size=3)
    ),
    "last line": stack(lines(atEnd="record"), RecordBlock(size=2)),
    "receiver": stack(Receiver(LineReceiver), RecordBlock(size=2)),
    "nested": stack(
        stack(Line(), Grep(code=notComment)),
        stack(Map(code=bytes.upper), RecordBlock(size=2)),
    ),
}

#: Stacks in which lines run across blocks, which may be encoded again.
ACROSS: dict[str, Stackable] = {
    "int8": stack(int8(), lines()),
    "block": stack(Block(), Line(delimiter=b"\r\n")),
    "fixed": stack(Block(size=1), lines()),
    "in lists": stack(int8(), lines(), Map(code=bang), RecordBlock(size=3)),
    "twice": stack(int8(), lines(), Line(delimiter=b",")),
    "skip": stack(int8(), skipping(2)),
    "skip twice": stack(int8(maxLength=9, onTooLong="skip"), skipping(2)),
    "last line": stack(int8(), lines(atEnd="record")),
    "receiver": stack(int8(), Receiver(LineReceiver)),
}


class StackTests(SynchronousTestCase):
    """
    L{Stackable}.
    """

    def same(self, framing: Framing[Any], data: bytes, at: list[int]) -> None:
        """
        The results do not depend on how the stream is split, nor on decoding one by one
        or together.
        """
        whole = decoded(framing, [data])
        for chunks in (pieces(data, at), singly(data)):
            self.assertEqual(decoded(framing, chunks), whole)
            self.assertEqual(decoded(framing, chunks, oneByOne=True), whole)

    @given(st.sampled_from(sorted(STACKS)), streams, cuts)
    def test_anySplit(self, name: str, data: bytes, at: list[int]) -> None:
        """
        The records do not depend on how the stream is split.
        """
        self.assertTrue(STACKS[name].chunkInvariant)
        self.same(STACKS[name], data, at)

    @given(st.sampled_from(sorted(ACROSS)), st.lists(streams), cuts)
    def test_anySplitAcross(
        self, name: str, blocks: list[bytes], at: list[int]
    ) -> None:
        """
        The same for lines that run across blocks.
        """
        lower = ACROSS[name].parts()[0].fresh()
        lower.maxLength = 255
        self.same(ACROSS[name], b"".join(map(lower.encode, blocks)), at)

    @given(st.sampled_from(sorted(STACKS)), streams, cuts, st.data())
    def test_replaced(self, name: str, data: bytes, at: list[int], choice: Any) -> None:
        """
        When another framing takes over, no bytes are lost or decoded twice.
        """
        self.handOver(STACKS[name], data, at, choice)

    def test_replacedInNewline(self) -> None:
        """
        If it takes over between the two bytes of a newline, and lines wait for the rest
        of a block, it decodes the whole newline, and the first of these lines is not
        mistaken for its second byte.
        """
        framing = STACKS["blocks"]
        for data in (b"\na\r\n\r\n", b"\n\r\n\n", b"\ra\n\r\r"):
            whole = decoded(framing, [data], end=False)[0]
            for cut in range(1, len(data)):
                chunks = [data[:cut], data[cut:]]
                for count in range(len(whole) + 1):
                    found, _ = replaced(framing, chunks, 0, count)
                    self.assertEqual(found, whole, (data, cut, count))

    @given(st.sampled_from(sorted(ACROSS)), st.lists(streams), cuts, st.data())
    def test_replacedAcross(
        self, name: str, blocks: list[bytes], at: list[int], choice: Any
    ) -> None:
        """
        The same for lines that run across blocks.
        """
        encode = ACROSS[name].parts()[0].encode
        data = b"".join(encode(block) for block in blocks if len(block) < 10)
        self.handOver(ACROSS[name], data, at, choice)

    def handOver(
        self, framing: Framing[Any], data: bytes, at: list[int], choice: Any
    ) -> None:
        whole = decoded(framing, [data], end=False)
        if any(isinstance(found, type) for found in whole[0]):
            return
        chunks = pieces(data, at)
        stop = choice.draw(st.integers(0, len(chunks) - 1))
        count = choice.draw(st.integers(0, len(whole[0])))
        found, rest = replaced(framing, chunks, stop, count)
        self.assertEqual(found, whole[0])
        self.assertEqual(decoded(framing, [rest], end=False)[0], [])

    @given(st.lists(st.binary(max_size=20)), cuts)
    def test_reversible(self, records: list[bytes], at: list[int]) -> None:
        """
        A stack of reversible framings is reversible.
        """
        framing = stack(int8(), Block())
        self.assertTrue(framing.reversible)
        encoded = framing.encodeMany(records)
        self.assertEqual(decoded(framing, pieces(encoded, at)), (records, b""))

    def test_filteredAtTheEnd(self) -> None:
        """
        A last record that is filtered out is not reported as truncated.
        """
        line = Line(atEnd="record")
        for framing, expected in (
            (stack(line, Grep(code=notComment)), [b"a"]),
            (stack(line, Map(get=lambda r: r.split(), put=bytes)), [b"a", b"#b"]),
            (stack(line, Grep(code=notComment), Line(delimiter=b"a")), [b""]),
        ):
            self.assertEqual(decodeAll(framing, [b"a\n#b"], end=True), (expected, None))
        nothing = stack(line, Map(get=lambda record: [], put=bytes))
        self.assertEqual(decodeAll(nothing, [b"a\n#b"], end=True), ([], None))

    def test_says(self) -> None:
        """
        The properties of a stack are those of its parts.
        """
        parts: Any
        for parts, invariant, reversible in (
            ([Line(delimiter=b"|")], True, True),
            ([Stream()], False, True),
            ([Stream(), Line(delimiter=b"|")], True, True),
            ([int8(), Stream()], True, True),
            ([int8(), Line(inputPattern=b";+")], False, False),
            ([Line(), Map(code=bytes.upper)], True, False),
            ([Map(code=bytes.upper), Line()], False, False),
        ):
            each = stack(*parts)
            self.assertEqual(
                (each.chunkInvariant, each.reversible), (invariant, reversible), parts
            )

    def test_likePOE(self) -> None:
        """
        The cases that were recorded with POE.
        """
        upper = stack(Line(), Grep(code=bool), Map(code=bytes.upper))
        self.assertEqual(
            decoded(upper, [b"one\n\ntwo\nthr"]), ([b"ONE", b"TWO"], b"thr")
        )
        self.assertEqual(upper.encodeMany([b"x", b"", b"y"]), b"X\r\nY\r\n")
        framings: Any
        for framings, data, records in (
            (
                [Line(), Map(code=splitComma)],
                b"a,b\nc\n,\n",
                [b"a", b"b", b"c", b"", b""],
            ),
            ([Block(), lines()], b"3\0a\nb2\0c\n", [b"a", b"bc"]),
            ([Stream(), lines()], b"a\nb\nc", [b"a", b"b"]),
        ):
            self.assertEqual(decoded(stack(*framings), [data])[0], records)

    def replacing(
        self, framing: Framing[Any], chunks: list[bytes], count: int
    ) -> tuple[list[Any], bytes]:
        """
        @return: the records of the last batch that are delivered, if the framing is
            replaced after so many of them, and the bytes that the next framing gets.
        """
        buffer = InputBuffer(framing.fresh())
        for chunk in chunks[:-1]:
            buffer.append(chunk)
            read(buffer)
        buffer.append(chunks[-1])
        batch = buffer.decode(many=True) or []
        consumed = buffer.rewind(count)
        buffer.use(Stream())
        return batch[:consumed], buffer.rest

    def test_severalOfOne(self) -> None:
        """
        The records that are made of one line are delivered together.
        """
        framing = stack(lines(), Map(code=splitComma))
        for count in (1, 2):
            self.assertEqual(
                self.replacing(framing, [b"a,b\nc\nd"], count),
                ([b"a", b"b"], b"c\nd"),
            )

    def test_dropped(self) -> None:
        """
        A line that is filtered out is consumed; those behind the last record that was
        delivered are not looked at.
        """
        framing = stack(Line(), Grep(code=notComment))
        buffer = InputBuffer(framing)
        buffer.append(b"#\na\n#\nb\n")
        self.assertEqual(
            [buffer.decode(many=True), buffer.decode(many=True)], [[], [b"a"]]
        )
        buffer.use(Stream())
        self.assertEqual(buffer.rest, b"#\nb\n")

    def test_incompleteList(self) -> None:
        """
        The lines of an incomplete list are passed on unchanged, each with its own
        newline.
        """
        for above in ([], [Grep(code=notComment)], [Map(code=bang)]):
            framing = stack(Line(), *above, RecordBlock(size=9))
            buffer = InputBuffer(framing)
            for chunk in (b"a\n", b"b\r", b"\nc\r\nd\r", b"\n\ne"):
                buffer.append(chunk)
                self.assertEqual(read(buffer), ([], True))
            buffer.use(Stream())
            self.assertEqual(buffer.rest, b"a\nb\r\nc\r\nd\r\n\ne")
        framing = stack(Line(), Grep(code=notComment), RecordBlock(size=5))
        found = self.replacing(framing, [b"#\na\n#\r", b"\nb\r\n", b"c"], 0)
        self.assertEqual(found, ([], b"a\nb\r\nc"))

    def test_newlineOfTheRest(self) -> None:
        """
        The second half of a newline belongs to the bytes that are passed on, also if
        only some records of its line are.
        """
        framing = stack(Line(), Map(code=splitComma), RecordBlock(size=2))
        buffer = InputBuffer(framing)
        for chunk, expected in ((b"a,b,c\r", [[b"a", b"b"]]), (b"\n", [])):
            buffer.append(chunk)
            self.assertEqual(read(buffer), (expected, True))
        buffer.use(Stream())
        self.assertEqual(buffer.rest, b"a,b,c\r\n")

    def test_listsOfSeveral(self) -> None:
        """
        Lists are filled with all records of a line; those left over begin the next one.
        """
        framing = stack(lines(), Map(code=splitComma), RecordBlock(size=2))
        data = b"a,b,c\nd\ne,f,g\nh,i,j,k\n"
        expected = [
            [b"a", b"b"],
            [b"c", b"d"],
            [b"e", b"f"],
            [b"g", b"h"],
            [b"i", b"j"],
        ]
        for chunks in ([data], singly(data)):
            self.assertEqual(decoded(framing, chunks)[0], expected)

    def test_replacedInANewline(self) -> None:
        """
        The second half of a newline does not become an empty line of the framing that
        takes over, if each byte is a unit of the lower framing.
        """
        for lower in (Block(size=1), stack(Block(size=1), Map(code=bytes))):
            framing = stack(lower, Line())
            for stream, newline in ((b"a\r", b"\n"), (b"a\n", b"\r")):
                for following in (framing, Line(), stack(framing, Map(code=bytes))):
                    buffer = InputBuffer(framing.fresh())
                    buffer.append(stream)
                    self.assertEqual(read(buffer)[0], [b"a"])
                    buffer.use(following.fresh())
                    buffer.append(newline + b"b\n" + newline)
                    self.assertEqual(
                        read(buffer)[0], [b"b"] + [b""] * (newline == b"\n")
                    )
            self.assertEqual(
                decoded(framing, singly(b"a\r\nb\rc\r\r\n")),
                ([b"a", b"b", b"c", b""], b""),
            )
        blocks = InputBuffer(stack(Block(), Line()))
        blocks.append(b"2\0a\r")
        self.assertEqual((read(blocks)[0], blocks.swallows), ([b"a"], b""))

    def test_insideABlock(self) -> None:
        """
        The beginning of a line is passed on as a block.
        """
        framing = stack(int8(), lines())
        self.assertEqual(
            self.replacing(framing, [b"\3a\nb", b"\2cd\1"], 0), ([], b"\3bcd\1")
        )
        # Blocks of fixed size are a stream of bytes.
        framing = stack(Block(size=3), lines())
        self.assertEqual(self.replacing(framing, [b"a\nb"], 1), ([b"a"], b"b"))

    def test_longerThanABlock(self) -> None:
        """
        Data that does not fit into one block is passed on in several.
        """
        line = b"0123456789" * 70
        chunks = [int8().encode(line[at : at + 250]) for at in (0, 250, 500)]
        _, rest = self.replacing(stack(int8(), lines()), chunks, 0)
        self.assertEqual(b"".join(decoded(int8(), [rest])[0]), line)

    def test_end(self) -> None:
        """
        Bytes that are unfinished at the end are reported.
        """
        framings: Any
        for framings, chunks, expected in (
            (
                [Line(), RecordBlock(size=2)],
                [b"a\r\nb\nc\n", b"d"],
                ([[b"a", b"b"]], b"c\nd"),
            ),
            ([int8(), lines()], [b"\4a\nbc", b"\3d"], ([b"a"], b"\2bc\3d")),
            (
                [int8(), lines(), RecordBlock(size=2)],
                [b"\4a\nbc", b"\3d"],
                ([], b"\4a\nbc\3d"),
            ),
            ([Line(), Grep(code=bool)], [b"a\nb"], ([b"a"], b"b")),
            ([lines(atEnd="record"), Map(code=bang)], [b"a"], ([b"a!"], b"")),
            (
                [lines(atEnd="record"), RecordBlock(size=2)],
                [b"a\nb"],
                ([[b"a", b"b"]], b""),
            ),
            ([lines(atEnd="record"), RecordBlock(size=2)], [b"a"], ([], b"a")),
            ([int8(), lines(atEnd="record")], [b"\3a\nb"], ([b"a", b"b"], b"")),
            (
                [lines(atEnd="record"), Line(delimiter=b",")],
                [b"a,b\nc"],
                ([b"a"], b"b\nc"),
            ),
            ([Line()], [b""], ([], b"")),
        ):
            self.assertEqual(decoded(stack(*framings), chunks), expected, framings)

    def test_droppedIsNotKept(self) -> None:
        """
        Lines that are filtered out without end are not kept, also while a list is
        incomplete and where lines run across blocks.
        """
        above = lines(), Grep(code=notComment), RecordBlock(size=2)
        for lower in (Line(delimiter=b"\r"), int8()):
            buffer = InputBuffer(stack(lower, *above))
            buffer.append(lower.encode(b"a\n"))
            self.assertEqual(read(buffer), ([], True))
            for _ in range(2000):
                buffer.append(lower.encode(b"#" * 100) + lower.encode(b"\n"))
                self.assertEqual(read(buffer), ([], True))
            rest = buffer.takeRest()
            self.assertLess(len(rest), 100_000)
            self.assertEqual(decoded(lower, [rest])[0][0][:2], b"a\n")

    def test_limits(self) -> None:
        """
        A limit of a part limits the stack; the records before the error are delivered
        first.
        """
        framings: Any
        for framings in (
            [lines(maxLength=2), Map(code=bytes.upper)],
            [Block(size=1), lines(maxLength=2), Map(code=bytes.upper)],
            [Block(size=10), lines(maxLength=2), Map(code=bytes.upper)],
        ):
            framing = stack(*framings)
            self.assertEqual(framing.maxLength, 2)
            found, _ = decoded(framing, [b"a\nb\nccc\nd\n"])
            self.assertEqual(found, [b"A", b"B", RecordTooLong])
            framing.maxLength = 3
            found, _ = decoded(framing, [b"a\nb\nccc\nd\n"])
            self.assertEqual(found, [b"A", b"B", b"CCC", b"D"])

    def test_skip(self) -> None:
        """
        A part that skips records that are too long continues after them.
        """
        line, upper = skipping(2), Map(code=bytes.upper)
        framings: Any
        for framings, data in (
            ([line, upper], b"a\nb\nccc\nd\ne"),
            ([Block(size=1), line, upper], b"a\nb\nccc\nd\ne"),
            ([int8(), line, upper], b"\3a\nb\6\nccc\nd\2\ne"),
            ([int8(), line, upper], b"\x0ba\nb\nccc\nd\ne"),
        ):
            for chunks in ([data], singly(data)):
                found, rest = decoded(stack(*framings), chunks)
                self.assertEqual(found, [b"A", b"B", RecordTooLong, b"D"], framings)
                self.assertEqual(rest[-1:], b"e")

    def test_errorsInOrder(self) -> None:
        """
        An error of a lower framing follows the records and errors of an upper one that
        precede it.
        """
        framing = stack(Block(), skipping(2))
        found, _ = decoded(framing, [b"6\0ccc\nd\n2\0e\nX"])
        self.assertEqual(found, [RecordTooLong, b"d", b"e", FramingError])

    def test_hasMore(self) -> None:
        """
        Records after an error are delivered, although all bytes are consumed.
        """
        buffer = InputBuffer(stack(Block(), skipping(2)))
        buffer.append(b"8\0a\nccc\nd\n")
        self.assertEqual(buffer.decode(many=True), [b"a"])
        self.assertEqual(len(buffer), 1)
        self.assertRaises(RecordTooLong, buffer.decode, True)
        self.assertEqual(read(buffer), ([b"d"], True))
        self.assertEqual(len(buffer), 0)

    def test_replacedAtASkippedRecord(self) -> None:
        """
        A framing that takes over when a record is skipped does not see that record.
        """

        def get(record: bytes) -> Any:
            for part in record.split(b","):
                if part == b"long":
                    raise RecordTooLong(4, 3, skipped=True)
                yield part

        framings: Any
        for framings, data, expected in (
            ([int8(), skipping(2)], b"\x09a\nccc\nd\ne", b"\3d\ne"),
            ([int8(), skipping(2)], b"\3a\nc\2ccX", b"X"),
            ([Block(), int8(maxLength=2, onTooLong="skip")], b"4\0\3abcX", b"X"),
            ([lines(), Map(get=get, put=bytes)], b"a,long,b\nc\nX", b"c\nX"),
            ([lines(), Map(get=get, put=bytes), RecordBlock(size=2)], b"long\nX", b"X"),
        ):
            buffer = InputBuffer(stack(*framings))
            buffer.append(data)
            with self.assertRaises(RecordTooLong):
                while buffer.decode(many=True) is not None:
                    pass
            buffer.use(Stream())
            self.assertEqual(buffer.rest, expected, framings)

    def test_skippedBelow(self) -> None:
        """
        Records of a unit that follow one which is skipped are decoded too.
        """

        def get(record: bytes) -> bytes:
            if record == b"long":
                raise RecordTooLong(4, 3, skipped=True)
            return record

        framing = stack(lines(), Map(code=splitComma), Map(get=get, put=bytes))
        for oneByOne in (False, True):
            found, _ = decoded(framing, [b"a,long,b\nlong,long\nc\n"], oneByOne)
            self.assertEqual(
                found, [b"a", RecordTooLong, b"b", *[RecordTooLong] * 2, b"c"]
            )

    def test_notBytesBelow(self) -> None:
        """
        A framing that decodes bytes reports if it gets something else.
        """
        framing = stack(Line(), RecordBlock(size=1), Line())
        _, error = decodeAll(framing, [b"a\n"])
        self.assertIn("decodes bytes", str(error))

    def test_fresh(self) -> None:
        """
        A fresh stack consists of fresh parts; the parts that were given are not used.
        """
        line = Line(maxLength=5)
        framing = stack(line, RecordBlock(size=2))
        self.assertEqual(framing.decode(b"a\nb", 0, 0), ([], 2))
        fresh = framing.fresh()
        fresh.maxLength = 1
        self.assertEqual((line.maxLength, framing.maxLength), (5, 5))
        self.assertEqual(decoded(fresh, [b"c\nd\n"])[0], [[b"c", b"d"]])
        twice = stack(line, Map(code=lambda r: r + b"\n"), line)
        self.assertEqual(decoded(twice, [b"a\nb\n"])[0], [b"a", b"b"])
        nested = stack(fresh, RecordBlock(size=1))
        self.assertEqual(decoded(nested.fresh(), [b"c\nd\n"])[0], [[[b"c", b"d"]]])

    def test_arguments(self) -> None:
        """
        A part that is not a framing is rejected, with its place.
        """
        wrong: Any
        for error, wrong in (
            (ValueError, []),
            (TypeError, "x"),
            (TypeError, [Line(), "x"]),
            (TypeError, [Line(), Line]),
        ):
            raised = self.assertRaises(error, Stackable, framings=wrong)
            self.assertIn("framings", str(raised))
        self.assertRaises(TypeError, Stackable, bogus=1)


class OnceTests(SynchronousTestCase):
    """
    The function of a L{Map} or L{Grep} is called once for each record that is
    delivered, just before the delivery, and for no other.
    """

    def calls(self, at: list[int], swaps: set[int], holds: set[int]) -> None:
        """
        Decode numbered lines, and check the calls at each record that is delivered.
        """
        calls: list[bytes] = []

        def get(record: bytes) -> bytes:
            calls.append(record)
            return record

        def framing() -> Framing[Any]:
            return stack(Line(), Map(get=get, put=bytes), Grep(get=get, put=bool))

        delivered: list[bytes] = []

        def deliver(test: Any, record: bytes) -> None:
            delivered.append(record)
            self.assertEqual(calls, [each for each in delivered for _ in range(2)])
            if len(delivered) in swaps:
                inbound.use(framing())
            if len(delivered) in holds:
                inbound.hold(Hold.USER)

        lines = [b"%d" % number for number in range(12)]
        owner = FailingOwner()
        inbound = Inbound(
            framing(),
            deliver,
            self,
            owner.inputFailed,
            owner.inputRaised,
            owner.inputResumed,
        )
        for chunk in pieces(b"\r\n".join([*lines, b""]), at):
            inbound.feed(chunk)
            inbound.release(Hold.USER)
        while inbound.held:
            inbound.release(Hold.USER)
        self.assertEqual(delivered, lines)

    @given(cuts, st.sets(st.integers(1, 12)), st.sets(st.integers(1, 12)))
    def test_once(self, at: list[int], swaps: set[int], holds: set[int]) -> None:
        """
        For all reads, and wherever the framing is replaced or the records are held.
        """
        self.calls(at, swaps, holds)

    @given(
        st.lists(st.sampled_from([b"ab", b"a", b"", b"!"]), max_size=12),
        st.sampled_from(["deliver", "get"]),
        *(cuts, st.sets(st.integers(1, 12)), st.sets(st.integers(1, 12))),
    )
    @example([b"a", b"!", b"a"], "deliver", [], set(), set())
    @example([b"a", b"!"], "deliver", [], set(), set())
    @example([b"a", b"ab", b"a"], "deliver", [], {2}, set())
    @example([b"a", b"ab", b"a"], "deliver", [], set(), {2})
    @example([b"a", b"a", b"a"], "get", [], set(), {2})
    @example([b"ab", b"ab"], "get", [], set(), {2})
    @example([b"!", b""], "get", [], set(), {1, 2})
    def test_anyNumber(
        self,
        sent: list[bytes],
        place: str,
        at: list[int],
        swaps: set[int],
        holds: set[int],
    ) -> None:
        """
        A function that makes two records of one, or none, or raises an error that ends
        nothing, in a stack that is replaced or held by the callback for any record, or
        held by the function itself.
        """
        calls: list[bytes] = []
        records: list[bytes] = []
        failed: list[Exception] = []

        def interrupt(count: int) -> None:
            if count in swaps and place == "deliver":
                inbound.use(framing())
            if count in holds:
                inbound.hold(Hold.USER)

        def get(record: bytes) -> list[bytes]:
            calls.append(record)
            if place == "get":
                interrupt(len(calls))
            if record == b"!":
                raise RecordTooLong(1, 0, True)
            return [record[index : index + 1] for index in range(len(record))]

        def deliver(test: Any, record: bytes) -> None:
            self.assertFalse(inbound.held)
            records.append(record)
            if place == "deliver":
                interrupt(len(records))
            # Only the records until now have been converted.
            self.assertEqual(b"".join(records), before(len(calls))[: len(records)])

        def before(count: int) -> bytes:
            return b"".join(sent[:count]).replace(b"!", b"")

        def framing() -> Framing[Any]:
            return stack(Line(), Map(get=get, put=bytes))

        inbound = Inbound(
            *(framing(), deliver, self, failed.append),
            *(FailingOwner().inputRaised, FailingOwner().inputResumed),
        )
        for chunk in pieces(b"".join(each + b"\r\n" for each in sent), at):
            inbound.feed(chunk)
            self.assertEqual(inbound.delivered, len(records))
            inbound.release(Hold.USER)
        while inbound.held:
            inbound.release(Hold.USER)
        self.assertEqual(calls, sent)
        self.assertEqual(b"".join(records), before(len(sent)))
        self.assertEqual(len(failed), sent.count(b"!"))
        self.assertEqual(inbound.delivered, len(records))

    def test_stopped(self) -> None:
        """
        Nothing is delivered or converted after the function has ended the input.
        """
        calls: list[bytes] = []
        records: list[bytes] = []

        def get(record: bytes) -> bytes:
            calls.append(record)
            if record == b"b":
                inbound.stop()
            return record

        inbound = Inbound(
            stack(Line(), Map(get=get, put=bytes)),
            lambda test, record: records.append(record),
            *(self, FailingOwner().inputFailed),
            *(FailingOwner().inputRaised, FailingOwner().inputResumed),
        )
        inbound.feed(b"a\nb\nc\n")
        self.assertEqual((calls, records), ([b"a", b"b"], [b"a"]))
        self.assertEqual(inbound.delivered, 1)

    @given(st.lists(st.sampled_from([b"a,b,c\n", b"d\n", b",\n", b"\n"])), cuts)
    def test_inLists(self, parts: list[bytes], at: list[int]) -> None:
        """
        Also below lists, and below framings that split bytes.
        """
        calls: list[bytes] = []

        def get(record: bytes) -> list[bytes]:
            calls.append(record)
            return [each + b";" for each in splitComma(record)]

        data = b"".join(parts)
        above: Any
        for above in ([RecordBlock(size=2)], [Line(delimiter=b";")]):
            calls.clear()
            decoded(stack(lines(), Map(get=get, put=bytes), *above), pieces(data, at))
            self.assertEqual(calls, data.split(b"\n")[:-1])

    def test_atTheEnd(self) -> None:
        """
        Also for a record that the end of the stream completes.
        """
        calls: list[bytes] = []

        def get(record: bytes) -> bytes:
            calls.append(record)
            return record

        framing = stack(lines(atEnd="record"), Map(get=get, put=bytes))
        self.assertEqual(decoded(framing, [b"a\nb"]), ([b"a", b"b"], b""))
        self.assertEqual(calls, [b"a", b"b"])

    def test_incompleteAtTheEnd(self) -> None:
        """
        A unit of the lower framing that the end of the stream cuts off is reported,
        also if the upper framing completes a record there.
        """
        framing = stack(lines(), Line(delimiter=b";", atEnd="record"))
        records, error = decodeAll(framing, [b"a;b\nc"], end=True)
        self.assertEqual(records, [b"a", b"b"])
        assert isinstance(error, TruncatedRecord)
        self.assertEqual(error.rest, b"c")

    def test_thenAnError(self) -> None:
        """
        The records that the function makes of one before it raises an error are
        delivered, and the error follows: anywhere in a stream, and at its end.
        """

        def get(record: bytes) -> Iterator[bytes]:
            yield record
            if record == b"b":
                raise ValueError(record)

        for below in ([], [Map(code=bytes.lower)]):
            framing = stack(lines(atEnd="record"), *below, Map(get=get, put=bytes))
            for chunk in (b"a\nb", b"a\nb\nc"):
                records, error = decodeAll(framing, [chunk], end=True)
                self.assertEqual(records, [b"a", b"b"])
                self.assertIsInstance(error and error.__cause__, ValueError)
            delivered: list[bytes] = []
            failed: list[Exception] = []
            inbound = Inbound(
                framing,
                *(list.append, delivered, failed.append),
                *(FailingOwner().inputRaised, FailingOwner().inputResumed),
            )
            inbound.feed(b"a\nb\n")
            self.assertEqual(delivered, [b"a", b"b"])
            self.assertIsInstance(failed[0].__cause__, ValueError)


class FailingOwner:
    """
    Owns an L{Inbound} that decodes without errors.
    """

    def inputFailed(self, error: Exception) -> None:
        raise AssertionError("the stream must be valid") from error

    def inputRaised(self, error: BaseException) -> None:
        raise error

    def inputResumed(self) -> None:
        raise AssertionError("nothing is awaited here")


class LayerTests(SynchronousTestCase):
    """
    L{Map}, L{Grep} and L{RecordBlock} by themselves, for which a read is a record.
    """

    def test_map(self) -> None:
        """
        One record becomes one, several or none: POE's results.
        """
        upper = Map(code=bytes.upper)
        self.assertEqual(decoded(upper, [b"abc"])[0], [b"ABC"])
        self.assertEqual(upper.encode(b"x"), b"X")
        split = Map(code=splitComma)
        self.assertEqual(decoded(split, [b"a,b"])[0], [b"a", b"b"])
        self.assertEqual(split.encode(b"a,b"), b"ab")
        both = Map(get=lambda r: r.removesuffix(b"!"), put=bang)
        self.assertEqual(decoded(both, [b"a!"])[0], [b"a"])
        self.assertEqual(both.encode(b"a!"), b"a!!")

    def test_mapIterator(self) -> None:
        """
        A generator can return several records too; those before it raises are
        delivered.
        """

        def two(record: bytes) -> Any:
            yield record
            if record == b"x":
                raise KeyError("x")
            yield record

        records, error = decodeAll(stack(Line(), Map(code=two)), [b"a\nx\nb\n"])
        self.assertEqual(records, [b"a", b"a", b"x"])
        assert error is not None
        self.assertIsInstance(error.__cause__, KeyError)

    def test_grep(self) -> None:
        """
        Only the records that the function accepts.
        """
        grep = Grep(get=lambda r: r.isdigit(), put=bool)
        self.assertEqual(decoded(grep, [b"a", b"1", b"2"])[0], [b"1", b"2"])
        self.assertEqual([grep.encode(b"a"), grep.encode(b"")], [b"a", b""])

    def test_recordBlock(self) -> None:
        """
        POE's results.
        """
        block = RecordBlock(size=2)
        self.assertEqual(decoded(block, [b"a", b"b", b"c"]), ([[b"a", b"b"]], b"c"))
        self.assertEqual(block.encode([b"a", b"b"]) + block.encode((b"c",)), b"abc")
        self.assertRaises(TypeError, block.encode, b"a")

    def test_limitOfAList(self) -> None:
        """
        A limit that is lowered while a list is incomplete does not concern the records
        that have arrived.
        """
        for parts in ([], [Map(code=bytes.upper)], [RecordBlock(size=1)]):
            buffer = InputBuffer(stack(lines(), *parts, RecordBlock(size=2)))
            buffer.append(b"long\n")
            self.assertEqual(read(buffer), ([], True))
            buffer.framing.maxLength = 1
            buffer.append(b"a\n")
            [[first, _]], goesOn = read(buffer)
            self.assertEqual((first[-1:] or first, goesOn), (first[-1:], True))

    def test_mixed(self) -> None:
        """
        Records of any type are kept in their order.
        """
        values: list[Any] = [b"1", b"", 2, b"3", None, b"x" * 200, [b"4"]]

        def get(record: bytes) -> Any:
            return [values[int(record)]]

        framing = stack(lines(), Map(get=get, put=bytes), RecordBlock(size=len(values)))
        data = b"".join(b"%d\n" % number for number in range(len(values)))
        self.assertEqual(decoded(framing, [data])[0], [values])

    def test_checkPut(self) -> None:
        """
        Only whole lists are sent; a fresh framing does not have their records, and of a
        list with a record that cannot be sent, nothing is kept.
        """
        block = RecordBlock(size=2, checkPut=True)
        self.assertEqual(block.encode([b"a"]), b"")
        self.assertRaises(TypeError, block.encode, [b"x", "text"])
        self.assertEqual(block.encode([b"b", b"c"]), b"ab")
        self.assertEqual(block.fresh().encode([b"x"]), b"")
        self.assertEqual(block.encode([b"d"]), b"cd")

    def test_arguments(self) -> None:
        """
        A wrong argument is rejected by name.
        """
        wrong: list[tuple[Callable[..., Any], type[Exception], dict[str, Any], str]] = [
            (Map, TypeError, {}, "code"),
            (Map, TypeError, {"get": len}, "put"),
            (Map, TypeError, {"code": 5}, "code"),
            (Grep, TypeError, {"get": 5, "put": len}, "get"),
            (Grep, TypeError, {"code": len, "put": len}, "code"),
            (RecordBlock, ValueError, {"size": 0}, "size"),
            (RecordBlock, TypeError, {"size": "1"}, "size"),
            (RecordBlock, TypeError, {"size": 1, "checkPut": 1}, "checkPut"),
        ]
        for cls, error, arguments, word in wrong:
            raised = self.assertRaises(error, cls, **arguments)
            self.assertIn(word, str(raised))
