"""
Tests for the fuzzer: it covers every framing, accepts ours, and finds broken ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from twisted_clienttcp import framing
from twisted_clienttcp.framing import SPECS, Line, Piece, Stackable, int16

from .._framings import FRAMINGS, LIMIT, Made
from .._processes import execute
from .__main__ import main, seeds
from .target import HEAD, Broken, check


class Own(Line):
    """
    A framing that decodes one line at a time.
    """

    def decode(self, data: Any, start: int, searched: int) -> Any:
        return super().decode(data, start, searched)


class Keeps(Own):
    """
    Keeps the beginning of a line, and does not return it from C{takeBack}.
    """

    kept = b""

    def decode(self, data: Any, start: int, searched: int) -> Any:
        found = super().decode(data, start, searched)
        if found is None:
            self.kept += data[start:]
            return [], len(data)
        records, end = found
        kept, self.kept = self.kept, b""
        return [kept + records[0]], end


class Doubles(Line):
    """
    Returns the last record again, if there are several.
    """

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
        records, end = super().decodeMany(data, start)
        return records + records[1:][-1:], end


class Hoards(Own):
    """
    Keeps all that it has seen.
    """

    def decode(self, data: Any, start: int, searched: int) -> Any:
        self.__dict__.setdefault("log", []).append(bytes(data[start:]))
        return super().decode(data, start, searched)


class Accepts(Own):
    """
    Has no limit.
    """

    def decode(self, data: Any, start: int, searched: int) -> Any:
        self.maxLength = 1000
        return super().decode(data, start, searched)


class DependsOnReads(Own):
    """
    Ends a line where a read ends.
    """

    def decode(self, data: Any, start: int, searched: int) -> Any:
        found = super().decode(data, start, searched)
        return found or ([bytes(data[start:])], len(data))


class TrustsItsSearch(Own):
    """
    Continues behind C{searched}, where half a delimiter may be.
    """

    def decode(self, data: Any, start: int, searched: int) -> Any:
        end = data.find(b"\n\n", searched)
        return None if end < 0 else ([bytes(data[start:end])], end + 2)


class Raises(Own):
    """
    Raises an exception that is not a FramingError.
    """

    def decode(self, data: Any, start: int, searched: int) -> Any:
        if b"\xff" in data:
            raise ZeroDivisionError
        return super().decode(data, start, searched)


class RaisesFromMany(Line):
    """
    Raises it from C{decodeMany}, which never raises.
    """

    def decodeMany(self, data: bytes, start: int) -> Any:
        if b"\xff" in data:
            raise ZeroDivisionError
        return super().decodeMany(data, start)


class RaisesAtTheEnd(Line):
    """
    Raises it from C{decodeEnd}.
    """

    def decodeEnd(self, data: Any, start: int) -> Any:
        raise ZeroDivisionError


class Drops(Line):
    """
    Returns no record of a batch in front of an error.
    """

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
        records, end = super().decodeMany(data, start)
        return ([], end) if len(data) - end > self.maxLength else (records, end)


class StopsEarly(Line):
    """
    Decodes at most one unit at once.
    """

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
        return self.decode(data, start, start) or ([], start)


class StandsStill(Own):
    """
    Returns the index where the unit begins.
    """

    def decode(self, data: Any, start: int, searched: int) -> Any:
        return [], start


class ChangesData(Own):
    """
    Changes the data.
    """

    def decode(self, data: Any, start: int, searched: int) -> Any:
        if isinstance(data, bytearray):
            data[start] = 0
        return super().decode(data, start, searched)


class KeepsView(Own):
    """
    Keeps a view of the data.
    """

    def decode(self, data: Any, start: int, searched: int) -> Any:
        self.view = memoryview(data)
        return super().decode(data, start, searched)


class Counts(Own):
    """
    Has changed when it has returned None.
    """

    misses = 0

    def decode(self, data: Any, start: int, searched: int) -> Any:
        found = super().decode(data, start, searched)
        self.misses += found is None
        return ([], len(data)) if self.misses == 2 else found


class Changes(Line):
    """
    Encodes another record.
    """

    def encode(self, record: Any) -> bytes:
        return super().encode(record).upper()


class RaisesAnything(Line):
    """
    Raises an undocumented exception from C{encode}.
    """

    def encode(self, record: Any) -> bytes:
        raise ValueError


BROKEN: dict[Callable[..., Line], str] = {
    Keeps: "lost or doubled",
    Doubles: "decodeMany() differs",
    Hoards: "holds more",
    Accepts: "holds more",
    DependsOnReads: "depends on the reads",
    TrustsItsSearch: "depends on the reads",
    Raises: "ZeroDivisionError",
    RaisesFromMany: "ZeroDivisionError",
    RaisesAtTheEnd: "ZeroDivisionError",
    Drops: "decodeMany() differs",
    StopsEarly: "stops early",
    StandsStill: "must end behind",
    ChangesData: "changed the data",
    KeepsView: "keeps a view",
    Counts: "after None",
    Changes: "not read back",
    RaisesAnything: "raised ValueError",
}


def of(kind: Callable[..., Any]) -> Made:
    """
    Return that framing, as it is to be checked.
    """

    def make() -> Any:
        return kind(delimiter=b"\n", maxLength=LIMIT)

    return Made(make, [b"ab", b"c"])


#: Heads that split in different ways, and change the framing in different places.
HEADS = [
    bytes([size, size, size, size, stop, choice])
    for size in (1, 3, 0)
    for stop in (1, 3)
    for choice in (0, 1, 2, 4)
]
STREAMS = [
    b"ab\ncd\nef",
    b"a\xffb\n",
    b"a\nb\n" + b"x" * 30,
    b"ab" * 60,
    b"a\n" * 60,
    b"a\n\nb\n\n",
]
INPUTS = [head + stream for head in HEADS for stream in STREAMS]


class TargetTests(SynchronousTestCase):
    """
    L{check}.
    """

    def test_broken(self) -> None:
        """
        Each of these framings is found to break that law.
        """
        for kind, words in BROKEN.items():
            found = []
            made = of(kind)
            for data in INPUTS:
                try:
                    check(made, data)
                except Broken as error:
                    found.append(str(error))
            self.assertTrue(any(words in each for each in found), (kind, found[:3]))

    def test_sound(self) -> None:
        """
        No framing of the package breaks a law with these inputs.
        """
        for name, made in {**FRAMINGS, "the base": of(Line)}.items():
            for data in [*INPUTS, *seeds(made)]:
                try:
                    check(made, data)
                except Exception as error:
                    raise AssertionError(f"{name}: {data.hex()}") from error

    @settings(max_examples=500, deadline=None)
    @given(
        st.sampled_from(sorted(FRAMINGS)),
        st.binary(min_size=HEAD, max_size=HEAD),
        st.lists(
            st.integers(0, 20)
            | st.sampled_from([b"\r", b"\n", b"\r\n", b"|", b"--", b"a", b"x" * 21])
            | st.binary(max_size=3),
            max_size=12,
        ),
    )
    def test_anyInput(self, name: str, head: bytes, parts: list[Any]) -> None:
        """
        No framing breaks a law with streams of encoded records, delimiters and random
        bytes. Atheris tries more inputs, where it is installed.
        """
        made = FRAMINGS[name]
        encoded = [made.pattern.fresh().encode(record) for record in made.records]
        stream = b""
        for part in parts:
            if isinstance(part, int):
                part = encoded[part % len(encoded)] if encoded else b""
            stream += part
        check(made, head + stream)

    def test_every(self) -> None:
        """
        All framings of the package are checked, with both ways to treat records that
        are too long.
        """
        kinds = {type(made.pattern) for made in FRAMINGS.values()}
        for name in framing.__all__:
            offered = getattr(framing, name)
            if isinstance(offered, type) and offered not in (framing.Framing, Piece):
                self.assertIn(offered, kinds)
        for word in SPECS:
            names = [name for name in FRAMINGS if name.startswith(word)]
            self.assertTrue(names, word)
            if word not in ("stream", "jsonvalues"):
                self.assertTrue(any(n.endswith(", skip") for n in names), word)
        self.assertIn(type(int16()), kinds)
        self.assertIn(Stackable, kinds)


class CommandTests(TestCase):
    """
    C{python -m tests.fuzz}.
    """

    timeout = 120

    def call(self, *arguments: str) -> tuple[int, str]:
        """
        @return: its exit status, and its output.
        """
        output = StringIO()
        with redirect_stdout(output), redirect_stderr(output):
            try:
                status = main([*arguments])
            except SystemExit as end:
                status = int(str(end.code))
        return status, output.getvalue()

    def test_input(self) -> None:
        """
        One input can be checked again, without a fuzzer.
        """
        status, output = self.call("--input", "010101010101610a62", "line", "netstring")
        self.assertEqual((status, output), (0, "2 framings, 0 found\n"))
        self.patch(import_module("tests._framings"), "FRAMINGS", {"x": of(Raises)})
        status, output = self.call("--input", "010101010101ff")
        self.assertEqual(status, 1)
        self.assertIn("ZeroDivisionError", output)
        self.assertIn("--input 010101010101ff 'x'", output)

    def test_unknown(self) -> None:
        """
        The error for an unknown framing lists those that exist.
        """
        status, output = self.call("--input", "00", "lines")
        self.assertEqual(status, 2)
        self.assertIn("netstring", output)

    def test_noFuzzer(self) -> None:
        """
        Without atheris the command reports that, and fails.
        """
        self.patch(sys, "modules", {**sys.modules, "atheris": None})
        status, output = self.call("--runs", "1", "line")
        self.assertEqual(status, 2)
        self.assertIn("atheris is not installed", output)

    async def fuzz(self, *arguments: str) -> tuple[str, int]:
        """
        Run Python.

        @return: its output, and its exit status.
        """
        if find_spec("atheris") is None:
            raise SkipTest(
                "atheris is not installed: there is no wheel for this Python"
            )
        output, _, status = await execute(sys.executable, *arguments)
        return output.decode(), status

    async def test_runs(self) -> None:
        """
        The fuzzer tries a number of inputs.
        """
        output, status = await self.fuzz("-m", "tests.fuzz", "--runs", "60", "int32")
        self.assertEqual((output, status), ("1 framings, 0 found\n", 0))

    async def test_finds(self) -> None:
        """
        The fuzzer finds an input for which a framing breaks a law.
        """
        program = (
            "from tests import _framings; from tests.fuzz.test_fuzz import Keeps, of\n"
            "from tests.fuzz.__main__ import main; import sys\n"
            "_framings.FRAMINGS = {'keeps': of(Keeps)}\n"
            "sys.exit(main(['--runs', '2000']))"
        )
        output, status = await self.fuzz("-c", program)
        self.assertEqual(status, 1, output)
        self.assertIn("keeps: Broken: ", output)
        self.assertIn("python -m tests.fuzz --input ", output)
