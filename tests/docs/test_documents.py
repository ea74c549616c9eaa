"""
The programs in the documents run, and do what the documents say.
"""

from __future__ import annotations

import doctest
import runpy
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_clienttcp import errors
from twisted_clienttcp._client.lifecycle import TABLE, Phase

from .._documents import DOCUMENTS, ROOT, Program, programs, undefinedNames
from .._processes import spawn
from .._support import GUARD, reactor


class Run(ProcessProtocol):
    """
    A running program. If it does not end by itself, it is interrupted, as by Ctrl-C,
    when it has printed everything that it should.
    """

    def __init__(self, program: Program) -> None:
        output = program.output
        self.wanted = None if output is None else output.encode()
        self.endless = program.endless
        self.out = b""
        self.err = b""
        self.ended: Deferred[Run] = Deferred(self.kill)
        self.status: Any = None

    def kill(self, cancelled: object) -> None:
        self.transport.signalProcess("KILL")  # type: ignore[union-attr]

    def outReceived(self, data: bytes) -> None:
        self.out += data
        if self.endless and self.out.startswith(self.wanted or b""):
            self.transport.signalProcess("INT")  # type: ignore[union-attr]

    def errReceived(self, data: bytes) -> None:
        self.err += data

    def processEnded(self, reason: Any) -> None:
        reason.trap(ProcessDone, ProcessTerminated)
        self.status = reason.value
        if not self.ended.called:
            self.ended.callback(self)


class ProgramTests(TestCase):
    """
    The programs of each document, in a test network.
    """

    timeout = 10 * GUARD
    #: The number of programs that run at a time.
    together = DeferredSemaphore(2)

    async def runAll(self, path: Path) -> None:
        """
        Run the programs of a document.
        """
        done: Any = await DeferredList(
            [self.together.run(self.run1, program) for program in programs(path)],
            consumeErrors=True,
        )
        failures = [str(result.value) for success, result in done if not success]
        self.assertEqual(failures, [], "\n".join(failures))

    async def run1(self, program: Program) -> None:
        """
        Run a program: it ends without an error, prints what the document says, and
        writes nothing to standard error.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        for name, source in program.files.items():
            folder.joinpath(name).write_text(source)
        run = Run(program)
        spawn(
            run,
            *(sys.executable, "-m", "tests._world", folder / program.main),
            # Its output decides when it is interrupted.
            variables={"PYTHONUNBUFFERED": "1"},
            path=str(ROOT),
        )
        await run.ended.addTimeout(GUARD, reactor)
        about = f"{program}: {run.status}\n{run.out.decode()}{run.err.decode()}"
        self.assertEqual(run.err, b"", about)
        if run.endless:
            self.assertTrue(run.out.startswith(run.wanted or b""), about)
            return
        self.assertEqual(run.status.exitCode, 0, about)
        if run.wanted is not None:
            self.assertEqual(run.out, run.wanted, about)


def _test(path: Path) -> Callable[[ProgramTests], Coroutine[Any, Any, None]]:
    async def test(self: ProgramTests) -> None:
        await self.runAll(path)

    test.__doc__ = f"The programs of {path.relative_to(ROOT)}."
    return test


for _path in DOCUMENTS:
    if programs(_path):
        _name = "_".join(_path.relative_to(ROOT).with_suffix("").parts)
        setattr(ProgramTests, f"test_{_name}", _test(_path))


class CompletenessTests(SynchronousTestCase):
    """
    A program is complete as printed.
    """

    def test_documents(self) -> None:
        """
        The visible files of each program define or import every name that they use.
        """
        for path in DOCUMENTS:
            for program in programs(path):
                self.assertEqual(program.undefined(), [], program)

    def test_undefinedNames(self) -> None:
        """
        Names that are used and not defined are found wherever they are used; names of
        any other kind are not reported.
        """
        for source, names in (
            ("print(reactor)", ["reactor"]),
            ("def stopped():\n    reactor.stop()", ["reactor"]),
            ("class A:\n    def stopped(self):\n        reactor.stop()", ["reactor"]),
            ("make(lambda: reactor)", ["make", "reactor"]),
            ("print([wait for port in (1, 2)])", ["wait"]),
            ("@decorated\ndef f(x: int = default): pass", ["decorated", "default"]),
            ("class A(Base):\n    x = y = 1\n    z = x", ["Base"]),
            ("def f():\n    from os import path\n    return path, getcwd", ["getcwd"]),
            ("import os.path\nfrom sys import argv as words\nos, words", []),
            ("def f():\n    return g()\n\ndef g():\n    return __file__, __name__", []),
            ("def f():\n    global x\n    x = 1\n\ndef g():\n    return x", []),
            ("try:\n    pass\nexcept OSError as e:\n    print(e)", []),
            ("for x in (1, 2):\n    with open('x') as f:\n        print(x, f)", []),
        ):
            self.assertEqual(undefinedNames(source), names, source)

    def test_scene(self) -> None:
        """
        A block that the reader does not see is a module of its own: a name in it is not
        a name of the program, and the program's names have to be imported.
        """
        document = Path(self.mktemp())
        document.write_text(
            ".. code-block:: python\n\n    print(reactor)\n\n"
            ".. invisible-code-block: python\n\n    reactor = 1\n\n"
            ".. code-block:: python\n    :caption: other.py\n\n    x = 1\n"
        )
        [program] = programs(document)
        self.assertEqual(
            {name: source.strip() for name, source in program.files.items()},
            {
                "program.py": "print(reactor)",
                "scene.py": "reactor = 1",
                "other.py": "x = 1",
            },
        )
        self.assertEqual(program.main, "scene.py")
        self.assertEqual(program.undefined(), ["program.py: reactor"])


class DoctestTests(SynchronousTestCase):
    """
    The dialogues with Python.
    """

    def test_documents(self) -> None:
        """
        Python prints what the documents show.
        """
        for path in DOCUMENTS:
            done = doctest.testfile(str(path), module_relative=False)
            self.assertEqual(done.failed, 0, path)


def _assertUpToDate(test: SynchronousTestCase, script: str) -> None:
    """
    A script of C{docs} would write the page that is there, also without the part that
    it has generated.
    """
    written: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / script))
    page = written["PAGE"].read_text()
    test.assertEqual(written["page"](page), page)
    test.assertEqual(written["page"](page.split(written["MARKER"])[0]), page)


class ParameterTests(SynchronousTestCase):
    """
    The page of the parameters is generated from the table of settings.
    """

    def test_upToDate(self) -> None:
        """
        C{docs/parameters.py} would write the page that is there. If not, run it.
        """
        _assertUpToDate(self, "parameters.py")

    def test_literal(self) -> None:
        """
        Literals are converted, with braces inside.
        """
        written: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "parameters.py"))
        self.assertEqual(
            written["literal"]("handlers, C{{event: function}}, or C{None}."),
            "Handlers, ``{event: function}``, or ``None``.",
        )


class LogEventTests(SynchronousTestCase):
    """
    The tables of log events are generated from the events.
    """

    def test_upToDate(self) -> None:
        """
        C{docs/logevents.py} would write the page that is there. If not, run it.
        """
        _assertUpToDate(self, "logevents.py")


class LifecycleTests(SynchronousTestCase):
    """
    The picture and the page of the lifecycle agree with the table.
    """

    def test_upToDate(self) -> None:
        """
        C{docs/lifecycle.py} would write the files that are there. If not, run it.
        """
        written: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "lifecycle.py"))
        drawn = written["drawnFrom"](written["PICTURE"].read_text())
        self.assertEqual(drawn, written["dot"]())
        self.assertEqual(written["PAGE"].read_text(), written["page"]())

    def test_whole(self) -> None:
        """
        Every row of the table is in the text the picture is drawn from.
        """
        written: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "lifecycle.py"))
        lines = written["dot"]().split("\n")
        for source, given, target, _ in TABLE:
            if source is Phase.IDLE:
                continue
            if source is target:
                start = f"  {source.value} [label="
            else:
                start = f"  {source.value} -> {target.value} [label="
            [line] = [line for line in lines if line.startswith(start)]
            self.assertRegex(line, rf"\b{given.__name__}\b")


class ErrorsTests(SynchronousTestCase):
    """
    The page of the errors.
    """

    def test_whole(self) -> None:
        """
        Each error of ours has a row.
        """
        page = (ROOT / "docs" / "errors.rst").read_text()
        for name, thing in vars(errors).items():
            isOurs = getattr(thing, "__module__", "") == errors.__name__
            isHidden = name.startswith("_") or thing is errors.ClientTCPError
            if isinstance(thing, type) and isOurs and not isHidden:
                self.assertIn(f"   * - ``{name}``\n", page)
