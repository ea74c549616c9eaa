"""
Tests for the fuzzer: it covers every framing, accepts ours, and finds broken ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from twisted_clienttcp.framing._common import thenRaise

from twisted_clienttcp import framing
from twisted_clienttcp.errors import FramingError
from twisted_clienttcp.framing import SPECS, Line, Stackable, int16

from .._framings import FRAMINGS, LIMIT, Made
from .._processes import execute
from .__main__ import main, seeds
from .target import Broken, check


class Loses(Line):
    """
    Hands over an octet too few.
    """

    def release(self, delivered: int) -> bytes:
        return super().release(delivered)[1:]


class Doubles(Line):
    """
    Hands over what has been delivered.
    """

    def release(self, delivered: int) -> bytes:
        return super().release(0)


class Keeps(Line):
    """
    Is not empty when it has handed over.
    """

    def release(self, delivered: int) -> bytes:
        octets = super().release(delivered)
        self._parts = [octets]
        return octets


class Holds(Line):
    """
    Holds all that ever came.
    """

    def feed(self, data: bytes) -> Iterable[Any]:
        self.__dict__.setdefault("log", []).append(data)
        return super().feed(data)


class DependsOnCuts(Line):
    """
    Ends each line where a read ends.
    """

    def feed(self, data: bytes) -> Iterable[Any]:
        return super().feed(data + b"\n")


class Raises(Line):
    """
    Raises what nobody expects.
    """

    def feed(self, data: bytes) -> Iterable[Any]:
        if b"\xff" in data:
            raise ZeroDivisionError
        return super().feed(data)


class RaisesAtTheEnd(Line):
    """
    Does so at the end.
    """

    def finish(self) -> Iterable[Any]:
        raise ZeroDivisionError


class DropsBeforeAFault(Line):
    """
    Gives no record that comes in the same read as a fault behind it.
    """

    def feed(self, data: bytes) -> Iterable[Any]:
        try:
            return list(super().feed(data))
        except FramingError as fault:
            return thenRaise([], fault)


class RaisesAtOnce(Line):
    """
    Raises a fault in place of an iterator that does.
    """

    def feed(self, data: bytes) -> Iterable[Any]:
        return list(super().feed(data))


class GivesAnIterator(Line):
    """
    Gives no list where all is well.
    """

    def feed(self, data: bytes) -> Iterable[Any]:
        return iter(super().feed(data))


class Changes(Line):
    """
    Sends another record than was put.
    """

    def frame(self, record: Any) -> bytes:
        return super().frame(record).upper()


class NeverEnds(Line):
    """
    Tells of an unfinished line again and again.
    """

    def finish(self) -> Iterable[Any]:
        parts = self._parts
        try:
            return super().finish()
        finally:
            self._parts = parts


BROKEN: dict[Callable[..., Line], str] = {
    Loses: "lost or doubled",
    Doubles: "lost or doubled",
    Keeps: "is not empty",
    Holds: "holds more",
    DependsOnCuts: "depends on the cuts",
    Raises: "ZeroDivisionError",
    RaisesAtTheEnd: "ZeroDivisionError",
    RaisesAtOnce: "in place of an iterator",
    DropsBeforeAFault: "depends on the cuts",
    GivesAnIterator: "no list",
    Changes: "not read back",
    NeverEnds: "ends twice",
}


def of(kind: Callable[..., Any], **arguments: Any) -> Made:
    """
    @return: that one, as it is to be checked.
    """

    def make() -> Any:
        made = kind(delimiter=b"\n", maxLength=LIMIT, **arguments)
        made.clone = make
        return made

    return Made(make, [b"ab", b"c"])


#: Heads that cut in different ways and release in different places.
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
]
INPUTS = [head + stream for head in HEADS for stream in STREAMS]


class TargetTests(SynchronousTestCase):
    """
    L{check}.
    """

    def test_broken(self) -> None:
        """
        What is broken is found, and called what it is.
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
        No framing is broken, at least with what each test here begins with.
        """
        for name, made in {**FRAMINGS, "the base": of(Line)}.items():
            for data in [*INPUTS, *seeds(made)]:
                try:
                    check(made, data)
                except Exception as error:
                    raise AssertionError(f"{name}: {data.hex()}") from error

    def test_every(self) -> None:
        """
        All framings of the package are there, in both ways to treat what is too long,
        and all that have a word.
        """
        kinds = {type(made.pattern) for made in FRAMINGS.values()}
        for name in framing.__all__:
            offered = getattr(framing, name)
            if isinstance(offered, type) and offered is not framing.Framing:
                self.assertIn(offered, kinds)
        for word in SPECS:
            names = [name for name in FRAMINGS if name.startswith(word)]
            self.assertTrue(names, word)
            if word != "stream":
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
        @return: its exit status, and what it has printed.
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
        One input is checked again, without a fuzzer.
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
        A framing that does not exist is told with those that do.
        """
        status, output = self.call("--input", "00", "lines")
        self.assertEqual(status, 2)
        self.assertIn("netstring", output)

    def test_noFuzzer(self) -> None:
        """
        Without atheris it says so, and is no success.
        """
        self.patch(sys, "modules", {**sys.modules, "atheris": None})
        status, output = self.call("--runs", "1", "line")
        self.assertEqual(status, 2)
        self.assertIn("atheris is not installed", output)

    async def fuzz(self, *arguments: str) -> tuple[str, int]:
        """
        @return: what a process of Python's prints, and its exit status.
        """
        if find_spec("atheris") is None:
            raise SkipTest(
                "atheris is not installed: there is no wheel for this Python"
            )
        output, _, status = await execute(sys.executable, *arguments)
        return output.decode(), status

    async def test_runs(self) -> None:
        """
        With the fuzzer, for so many inputs.
        """
        output, status = await self.fuzz("-m", "tests.fuzz", "--runs", "60", "int32")
        self.assertEqual((output, status), ("1 framings, 0 found\n", 0))

    async def test_finds(self) -> None:
        """
        The fuzzer finds an input that breaks what is broken.
        """
        program = (
            "from tests import _framings; from tests.fuzz.test_fuzz import Keeps, of\n"
            "from tests.fuzz.__main__ import main; import sys\n"
            "_framings.FRAMINGS = {'keeps': of(Keeps)}\n"
            "sys.exit(main(['--runs', '2000']))"
        )
        output, status = await self.fuzz("-c", program)
        self.assertEqual(status, 1, output)
        self.assertIn("keeps: Broken: is not empty", output)
        self.assertIn("python -m tests.fuzz --input ", output)
