"""
Tests for framings made of framings: L{Stackable}, L{Map}, L{Grep}, L{RecordBlock}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.errors import FramingError, RecordTooLong, TruncatedRecord
from twisted_clienttcp.framing import Framing, Line, Stream, int8
from twisted_clienttcp.framing._block import Block
from twisted_clienttcp.framing._compose import Grep, Map, RecordBlock, Stackable

from .._framings import notComment, splitComma
from .._streams import cuts, pieces, read
from ..fuzz.target import octetsHeld

#: Octets in which all that these stacks look for is frequent.
streams = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b"a", b"bc", b",", b"#", b"d;"])
).map(b"".join)

#: Stacks whose octets are those of whole lines.
STACKS: dict[str, Callable[[], Any]] = {
    "line": lambda: Stackable(framings=[Line()]),
    "upper": lambda: Stackable(framings=[Line(), Map(code=bytes.upper)]),
    "grep": lambda: Stackable(framings=[Line(), Grep(code=notComment)]),
    "blocks": lambda: Stackable(framings=[Line(), RecordBlock(size=3)]),
    "blocks of blocks": lambda: Stackable(
        framings=[Line(delimiter=b"\n"), RecordBlock(size=2), RecordBlock(size=2)]
    ),
    "kept": lambda: Stackable(
        framings=[
            Line(),
            Grep(code=notComment),
            Map(code=lambda record: record + b"!"),
            RecordBlock(size=2),
        ]
    ),
    "nested": lambda: Stackable(
        framings=[
            Stackable(framings=[Line(), Grep(code=notComment)]),
            Stackable(framings=[Map(code=bytes.upper), RecordBlock(size=2)]),
        ]
    ),
}

#: Stacks in which lines run across blocks, whose octets may be framed anew.
CUTTING: dict[str, Callable[[], Any]] = {
    "int8": lambda: Stackable(framings=[int8(), Line(delimiter=b"\n")]),
    "block": lambda: Stackable(framings=[Block(), Line(delimiter=b"\r\n")]),
    "fixed": lambda: Stackable(framings=[Block(size=1), Line(delimiter=b"\n")]),
    "in lists, changed": lambda: Stackable(
        framings=[
            int8(),
            Line(delimiter=b"\n"),
            Map(code=lambda record: record + b"!"),
            RecordBlock(size=3),
        ]
    ),
    "in lists": lambda: Stackable(
        framings=[int8(), Line(delimiter=b"\n"), RecordBlock(size=2)]
    ),
    "twice": lambda: Stackable(
        framings=[int8(), Line(delimiter=b"\n"), Line(delimiter=b",")]
    ),
}


def everything(framing: Framing, data: bytes) -> list[Any]:
    return [record for chunk in [data] for record in framing.feed(chunk)]


class StackTests(SynchronousTestCase):
    """
    L{Stackable}.
    """

    def test_droppedOfOne(self) -> None:
        """
        Of a record that several were made of, what is dropped above does not give the
        others back: they were delivered.
        """

        def split(record: bytes) -> list[bytes]:
            return record.split(b",")

        for top in (Grep(code=bool), Map(get=lambda r: [r] if r else [], put=bytes)):
            framing = Stackable(
                framings=[Block(size=3), Map(get=split, put=bytes), top]
            )
            self.assertEqual(list(framing.feed(b"a,,b,,")), [b"a", b"b"])
            self.assertEqual(framing.clone().release(0), b"")
            self.assertEqual(framing.release(2), b"")
            list(framing.feed(b"a,,b,,"))
            self.assertEqual(framing.release(1), b"b,,")
            # Here there is one more to come of the first.
            list(framing.feed(b"a,b"))
            self.assertEqual(framing.release(1), b"a,b")

    def handOver(
        self, make: Callable[[], Framing], data: bytes, at: list[int], choice: Any
    ) -> tuple[bytes, list[Any], bytes]:
        """
        Release at any record.

        @return: the octets not taken, the records delivered before, and the octets that
            had not been fed.
        """
        framing = make()
        found: list[Any] = []
        chunks = pieces(data, at)
        stop = choice.draw(st.integers(0, len(chunks) - 1))
        for chunk in chunks[:stop]:
            found += framing.feed(chunk)
        batch = list(framing.feed(chunks[stop]))
        delivered = choice.draw(st.integers(0, len(batch)))
        octets = framing.release(delivered)
        later = b"".join(chunks[stop + 1 :])
        # It is empty: released again, and fed again, it gives nothing of before.
        self.assertEqual(framing.release(0), b"")
        skip = getattr(framing, "swallows", b"") if not octets else b""
        again = everything(make(), octets + later.removeprefix(skip))
        self.assertEqual(everything(framing, octets + later), again)
        return octets, found + batch[:delivered] + again, later

    @given(st.sampled_from(sorted(STACKS)), streams, cuts)
    def test_anyCut(self, name: str, data: bytes, at: list[int]) -> None:
        """
        However the stream is cut, the records are those of the whole, and an unfinished
        one is reported with the octets it came in.
        """
        make = STACKS[name]
        self.assertTrue(make().chunkInvariant)
        framing = make()
        found = [r for piece in pieces(data, at) for r in framing.feed(piece)]
        self.assertEqual(found, everything(make(), data))
        _, fault = read(framing, [])
        if fault is not None:
            self.assertIs(fault, TruncatedRecord)

    @given(st.sampled_from(sorted(STACKS)), streams, cuts, st.data())
    def test_release(self, name: str, data: bytes, at: list[int], choice: Any) -> None:
        """
        Released at any record, nothing is lost and nothing doubled: the octets are
        those of the stream behind it.
        """
        make = STACKS[name]
        octets, found, later = self.handOver(make, data, at, choice)
        # What was dropped in a batch before is gone.
        if b"#" not in data:
            self.assertTrue(data.endswith(octets + later))
        self.assertEqual(found, everything(make(), data))

    @given(
        st.sampled_from(sorted(CUTTING)),
        st.lists(streams.filter(lambda record: len(record) < 200)),
        cuts,
        st.data(),
    )
    def test_releaseInside(
        self, name: str, blocks: list[bytes], at: list[int], choice: Any
    ) -> None:
        """
        The same for lines that run across blocks.
        """
        make = CUTTING[name]
        lower = make()._parts[0]
        data = b"".join(map(lower.frame, blocks))
        found = self.handOver(make, data, at, choice)[1]
        self.assertEqual(found, everything(make(), data))

    @given(st.sampled_from(sorted(CUTTING)), st.lists(streams), cuts, st.integers(1, 5))
    def test_manyBatches(
        self, name: str, blocks: list[bytes], at: list[int], size: int
    ) -> None:
        """
        What is taken is forgotten: what a stack hands over at the end is never more
        than its unfinished records.
        """
        framing = CUTTING[name]()
        lower = framing._parts[0]
        data = b"".join(lower.frame(block) for block in blocks * 3)
        total = 0
        for piece in pieces(data, at):
            batch = list(framing.feed(piece))
            total += len(batch)
        rest = framing.release(len(batch))
        self.assertEqual(everything(CUTTING[name](), rest), [])

    @given(st.lists(st.binary(max_size=20)), cuts)
    def test_reversible(self, records: list[bytes], at: list[int]) -> None:
        """
        A stack of framings that are reversible is so too.
        """
        framing = Stackable(framings=[int8(), Block()])
        self.assertTrue(framing.reversible)
        framed = b"".join(map(framing.frame, records))
        self.assertEqual(read(framing, pieces(framed, at)), (records, None))

    def test_says(self) -> None:
        """
        What a stack says of itself comes from its parts.
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
            stack = Stackable(framings=parts)
            self.assertEqual(
                (stack.chunkInvariant, stack.reversible), (invariant, reversible), parts
            )

    def test_likePOE(self) -> None:
        """
        The cases that were recorded from the original.
        """
        stack = Stackable(framings=[Line(), Grep(code=bool), Map(code=bytes.upper)])
        self.assertEqual(read(stack, [b"one\n\ntwo\nthr"])[0], [b"ONE", b"TWO"])
        self.assertEqual(b"".join(map(stack.frame, [b"x", b"", b"y"])), b"X\r\nY\r\n")
        framings: Any
        for framings, data, records in (
            (
                [Line(), Map(code=splitComma)],
                b"a,b\nc\n,\n",
                [b"a", b"b", b"c", b"", b""],
            ),
            ([Block(), Line(delimiter=b"\n")], b"3\0a\nb2\0c\n", [b"a", b"bc"]),
            ([Stream(), Line(delimiter=b"\n")], b"a\nb\nc", [b"a", b"b"]),
        ):
            self.assertEqual(everything(Stackable(framings=framings), data), records)

    def test_heldBelow(self) -> None:
        """
        The unfinished line below is handed over (POE loses it).
        """
        stack = Stackable(framings=[Line(), Grep(code=bool)])
        self.assertEqual(stack.feed(b"ab\ncd"), [b"ab"])
        self.assertEqual(stack.release(1), b"cd")

    def test_severalOfOne(self) -> None:
        """
        The octets of a line of which several records are made are taken with the last
        of them.
        """
        for delivered, octets in (
            (0, b"a,b\nc\nd"),
            (1, b"a,b\nc\nd"),
            (2, b"c\nd"),
            (3, b"d"),
        ):
            stack = Stackable(framings=[Line(delimiter=b"\n"), Map(code=splitComma)])
            self.assertEqual(stack.feed(b"a,b\nc\nd"), [b"a", b"b", b"c"])
            self.assertEqual(stack.release(delivered), octets)

    def test_dropped(self) -> None:
        """
        What was dropped is taken with the next record, as if records were asked for one
        by one.
        """
        for delivered, octets in ((0, b"#\na\n#\nb\n#\n"), (1, b"#\nb\n#\n")):
            stack = Stackable(framings=[Line(), Grep(code=notComment)])
            self.assertEqual(stack.feed(b"#\na\n#\nb\n#\n"), [b"a", b"b"])
            self.assertEqual(stack.release(delivered), octets)
        # Where all was dropped nobody was called who could hand it over.
        self.assertEqual(stack.feed(b"#\n#\nb"), [])
        self.assertEqual(stack.release(0), b"b")

    def test_droppedInAList(self) -> None:
        """
        The newline of a line that was dropped is not taken for one of a line before it.
        """
        stack = Stackable(framings=[Line(), Grep(code=notComment), RecordBlock(size=2)])
        for chunk in (b"a\n#\r", b"\n"):
            self.assertEqual(stack.feed(chunk), [])
        self.assertEqual(stack.release(0), b"a\n")
        for chunk in (b"#\na\r", b"\nb"):
            self.assertEqual(stack.feed(chunk), [])
        self.assertEqual(stack.release(0), b"#\na\r\nb")

    def test_insideABlock(self) -> None:
        """
        A block that is taken in part is handed over as the block of its rest.
        """
        stack = Stackable(framings=[int8(), Line(delimiter=b"\n")])
        for delivered, octets in ((0, b"\1b\4c\nd\n"), (1, b"\2d\n"), (2, b"")):
            self.assertEqual(stack.feed(b"\3a\nb"), [b"a"])
            self.assertEqual(stack.feed(b"\4c\nd\n"), [b"bc", b"d"])
            self.assertEqual(stack.release(delivered), octets)
        # Blocks of fixed size are nothing but octets.
        stack = Stackable(framings=[Block(size=3), Line(delimiter=b"\n")])
        self.assertEqual(stack.feed(b"a\nb"), [b"a"])
        self.assertEqual(stack.release(1), b"b")

    def test_insideABlockAfterASkip(self) -> None:
        """
        Behind a record that was skipped a block is handed over as a whole, and later in
        part again.
        """
        line = Line(delimiter=b"\n", maxLength=2, onTooLong="skip")
        for delivered, octets in ((0, b"\4e\nf\n"), (1, b"\2f\n"), (2, b"")):
            stack = Stackable(framings=[int8(), line])
            self.assertRaises(RecordTooLong, list, stack.feed(b"\3ccc"))
            self.assertEqual(stack.feed(b""), [])
            self.assertEqual(stack.feed(b"\3\nd\n"), [b"d"])
            self.assertEqual(stack.feed(b"\4e\nf\n"), [b"e", b"f"])
            self.assertEqual(stack.release(delivered), octets)

    def test_overBatches(self) -> None:
        """
        Records that an unfinished list holds since long ago are handed over with their
        own octets, not framed anew.
        """
        stack = Stackable(framings=[Line(), Map(code=bytes.upper), RecordBlock(size=3)])
        for chunk in (b"a\nb", b"\n", b""):
            self.assertEqual(stack.feed(chunk), [])
        self.assertEqual(stack.feed(b"c\r\nd\ne"), [[b"A", b"B", b"C"]])
        self.assertEqual(stack.release(0), b"a\nb\nc\r\nd\ne")

    def test_swallows(self) -> None:
        """
        The second octet of a newline is still to be swallowed.
        """
        stack = Stackable(framings=[Line(), Grep(code=bool)])
        self.assertEqual(stack.feed(b"a\r"), [b"a"])
        self.assertEqual(stack.release(1), b"")
        self.assertEqual(stack.swallows, b"\n")

    def test_finish(self) -> None:
        """
        What is unfinished at the end is told in the octets it came in.
        """
        framings: Any
        for framings, chunks, rest in (
            ([Line(), RecordBlock(size=2)], [b"a\r\nb\nc\n", b"d"], b"c\nd"),
            ([int8(), Line(delimiter=b"\n")], [b"\4a\nbc", b"\3d"], b"\2bc\3d"),
            (
                [int8(), Line(delimiter=b"\n"), RecordBlock(size=2)],
                [b"\4a\nbc", b"\3d"],
                b"\4a\nbc\3d",
            ),
            ([Line(), Grep(code=bool)], [b"a\nb"], b"b"),
        ):
            stack = Stackable(framings=framings)
            for chunk in chunks:
                stack.feed(chunk)
            error = self.assertRaises(TruncatedRecord, list, stack.finish())
            self.assertEqual(error.rest, rest)
        self.assertEqual(list(Stackable(framings=[Line()]).finish()), [])

    def test_endsOnce(self) -> None:
        """
        Behind its end a stack is empty, also if a list stood unfinished.
        """
        for make in STACKS.values():
            stack = make()
            list(stack.feed(b"a\nb"))
            self.assertRaises(TruncatedRecord, list, stack.finish())
            self.assertEqual(stack.finish(), [])
            self.assertEqual(stack.release(0), b"")

    def test_holdsNothingThatWasDropped(self) -> None:
        """
        What is dropped without end is not held, also where a list stands unfinished and
        lines run across blocks.
        """
        for lower in (Line(delimiter=b"\r"), int8()):
            stack = Stackable(
                framings=[
                    lower,
                    Line(delimiter=b"\n"),
                    Grep(code=notComment),
                    RecordBlock(size=2),
                ]
            )
            self.assertEqual(stack.feed(lower.frame(b"a\n")), [])
            for _ in range(100):
                self.assertEqual(stack.feed(lower.frame(b"#" * 100)), [])
                self.assertEqual(stack.feed(lower.frame(b"\n")), [])
            self.assertLess(octetsHeld(stack), 2000)
            rest = everything(lower, stack.release(0))
            self.assertEqual(b"".join(rest), b"a\n")

    def test_longerThanABlock(self) -> None:
        """
        What is handed over and does not go into one block goes into several.
        """
        stack = Stackable(framings=[int8(), Line(delimiter=b"\n")])
        line = b"0123456789" * 70
        for part in (line[:250], line[250:500], line[500:]):
            self.assertEqual(stack.feed(int8().frame(part)), [])
        blocks = int8().feed(stack.release(0))
        self.assertEqual(b"".join(blocks), line)

    def test_limits(self) -> None:
        """
        A limit of a part is one of the stack; the records before come first.
        """
        framings: Any
        for framings in (
            [Line(delimiter=b"\n", maxLength=2), Map(code=bytes.upper)],
            [Block(size=1), Line(delimiter=b"\n", maxLength=2), Map(code=bytes.upper)],
        ):
            stack = Stackable(framings=framings)
            found, fault = read(stack, [b"a\nb\nccc\nd\n"])
            self.assertEqual((found, fault), ([b"A", b"B"], RecordTooLong))
            self.assertRaises(RecordTooLong, stack.frame, b"ccc")

    def test_skip(self) -> None:
        """
        A part that skips what is too long goes on behind it, wherever it stands.
        """
        line = Line(delimiter=b"\n", maxLength=2, onTooLong="skip")
        framings: Any
        for framings, data in (
            ([line, Map(code=bytes.upper)], b"a\nb\nccc\nd\ne"),
            ([Block(size=1), line, Map(code=bytes.upper)], b"a\nb\nccc\nd\ne"),
            ([int8(), line, Map(code=bytes.upper)], b"\3a\nb\6\nccc\nd\2\ne"),
            ([int8(), line, Map(code=bytes.upper)], b"\x0ba\nb\nccc\nd\ne"),
        ):
            for chunks in ([data], pieces(data, range(len(data)))):
                stack = Stackable(framings=framings)
                found, faults = [], 0
                for chunk in chunks:
                    feed = chunk
                    while True:
                        try:
                            for record in stack.feed(feed):
                                found.append(record)
                            break
                        except RecordTooLong as error:
                            self.assertTrue(error.skipped)
                            faults += 1
                            feed = b""
                self.assertEqual((found, faults), ([b"A", b"B", b"D"], 1), framings)
                rest = stack.release(0 if len(chunks) > 1 else 1)
                self.assertEqual(rest[-1:], b"e")

    def test_skipAboveAndFaultBelow(self) -> None:
        """
        A fault below comes behind the records that stand behind one above.
        """
        stack = Stackable(
            framings=[Block(), Line(delimiter=b"\n", maxLength=2, onTooLong="skip")]
        )
        batch = iter(stack.feed(b"6\0ccc\nd\n2\0e\nX"))
        self.assertRaises(RecordTooLong, next, batch)
        batch = iter(stack.feed(b""))
        self.assertEqual([next(batch), next(batch)], [b"d", b"e"])
        self.assertRaises(FramingError, next, batch)

    def test_wrongBelow(self) -> None:
        """
        A framing that cuts octets says so when it gets something else.
        """
        stack = Stackable(framings=[Line(), RecordBlock(size=1), Line()])
        error = self.assertRaises(FramingError, list, stack.feed(b"a\n"))
        self.assertIn("splits bytes", str(error))

    def test_clone(self) -> None:
        """
        A clone has clones of the parts, and the parts given are not shared either.
        """
        line = Line()
        stack = Stackable(framings=[line, RecordBlock(size=2)])
        self.assertEqual(stack.feed(b"a\nb"), [])
        self.assertEqual(stack.clone().feed(b"c\nd\n"), [[b"c", b"d"]])
        self.assertEqual(line.feed(b"e\n"), [b"e"])
        self.assertEqual(stack.feed(b"\n"), [[b"a", b"b"]])
        twice = Stackable(framings=[line, Map(code=lambda r: r + b"\n"), line])
        self.assertEqual(twice.feed(b"a\nb\n"), [b"a", b"b"])

    def test_arguments(self) -> None:
        """
        What is no framing is refused by its place.
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

    def test_list(self) -> None:
        """
        All is well: a list.
        """
        for make in [*STACKS.values(), *CUTTING.values()]:
            octets = make()._parts[0].frame(b"a")
            self.assertIs(type(make().feed(octets)), list)


class LayerTests(SynchronousTestCase):
    """
    L{Map}, L{Grep} and L{RecordBlock} by themselves, for which a read is a record.
    """

    def test_map(self) -> None:
        """
        One to one, to several, to none: POE's results.
        """
        upper = Map(code=bytes.upper)
        self.assertEqual(upper.feed(b"abc"), [b"ABC"])
        self.assertEqual(upper.feed(b""), [])
        self.assertEqual(upper.frame(b"x"), b"X")
        split = Map(code=splitComma)
        self.assertEqual(split.feed(b"a,b"), [b"a", b"b"])
        self.assertEqual(split.feed(b""), [])
        self.assertEqual(split.frame(b"a,b"), b"ab")
        bang = Map(get=lambda r: r.removesuffix(b"!"), put=lambda r: r + b"!")
        self.assertEqual(bang.clone().feed(b"a!"), [b"a"])
        self.assertEqual(bang.frame(b"a!"), b"a!!")

    def test_mapIterator(self) -> None:
        """
        A generator gives several records too; those before it raises are delivered.
        """

        def two(record: bytes) -> Any:
            yield record
            if record == b"x":
                raise KeyError("x")
            yield record

        self.assertEqual(Map(code=two).feed(b"a"), [b"a", b"a"])
        stack = Stackable(framings=[Line(), Map(code=two)])
        batch = iter(stack.feed(b"a\nx\nb\n"))
        self.assertEqual([next(batch), next(batch), next(batch)], [b"a", b"a", b"x"])
        error = self.assertRaises(FramingError, next, batch)
        self.assertIsInstance(error.__cause__, KeyError)
        self.assertEqual(stack.release(3), b"x\nb\n")

    def test_grep(self) -> None:
        """
        Only what the function is for.
        """
        grep = Grep(get=lambda r: r.isdigit(), put=bool)
        self.assertEqual(
            [grep.feed(b"a"), grep.feed(b"1"), grep.clone().feed(b"2")],
            [[], [b"1"], [b"2"]],
        )
        self.assertEqual([grep.frame(b"a"), grep.frame(b"")], [b"a", b""])

    def test_recordBlock(self) -> None:
        """
        POE's results.
        """
        block = RecordBlock(size=2)
        self.assertEqual(
            [block.feed(b"a"), block.feed(b"b"), block.feed(b"c")],
            [[], [[b"a", b"b"]], []],
        )
        error = self.assertRaises(TruncatedRecord, list, block.finish())
        self.assertEqual(error.rest, b"c")
        self.assertEqual(block.frame([b"a", b"b"]) + block.frame((b"c",)), b"abc")
        self.assertRaises(TypeError, block.frame, b"a")

    def test_checkPut(self) -> None:
        """
        Only whole lists are sent; a clone has nothing of them.
        """
        block = RecordBlock(size=2, checkPut=True)
        self.assertEqual(block.frame([b"a"]), b"")
        self.assertEqual(block.frame([b"b", b"c"]), b"ab")
        self.assertEqual(block.clone().frame([b"x"]), b"")
        self.assertEqual(block.frame([b"d"]), b"cd")

    def test_release(self) -> None:
        """
        The reads that are not taken.
        """
        split = Map(code=splitComma)
        for delivered, octets in ((0, b"a,b"), (1, b"a,b"), (2, b"")):
            split.feed(b"a,b")
            self.assertEqual(split.release(delivered), octets)
            self.assertEqual(split.release(0), b"")
        block = RecordBlock(size=2)
        for octet in (b"a", b"b", b"c"):
            block.feed(octet)
        self.assertEqual(block.release(0), b"c")

    def test_raises(self) -> None:
        """
        A function that raises on what was received is a fault behind the good records;
        on what is put, the error is the caller's.
        """
        stack = Stackable(framings=[Line(), Map(code=int)])
        batch = iter(stack.feed(b"1\n2\nx\n3\n"))
        self.assertEqual([next(batch), next(batch)], [1, 2])
        error = self.assertRaises(FramingError, next, batch)
        self.assertIsInstance(error.__cause__, ValueError)
        self.assertIn("Map", str(error))
        self.assertEqual(stack.release(1), b"2\nx\n3\n")
        self.assertRaises(ValueError, stack.frame, "x")
        self.assertRaises(TypeError, Map(code=int).frame, b"1")

    def test_arguments(self) -> None:
        """
        A wrong argument is refused by name.
        """
        wrong: tuple[tuple[type[Exception], dict[str, Any], str], ...] = (
            (TypeError, {}, "code"),
            (TypeError, {"code": "upper"}, "code"),
            (TypeError, {"get": bytes.upper}, "put"),
            (TypeError, {"get": bytes.upper, "put": 1}, "put"),
            (TypeError, {"get": bool, "put": bool, "code": bool}, "code"),
        )
        for error, arguments, name in wrong:
            for cls in (Map, Grep):
                raised = self.assertRaises(error, cls, **arguments)
                self.assertIn(name, str(raised))
        self.assertRaises(ValueError, RecordBlock, size=0)
        self.assertRaises(TypeError, RecordBlock, size=True)
        self.assertRaises(TypeError, RecordBlock, size="2")
        self.assertRaises(TypeError, RecordBlock)
        self.assertRaises(TypeError, RecordBlock, size=2, checkPut=1)
