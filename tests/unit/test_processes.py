"""
Tests depend on no variable of the environment in which they are started.
"""

from __future__ import annotations

import ast
import os
import signal
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from .. import _processes
from .._processes import (
    completed,
    environment,
    execute,
    program,
    run,
    setVariable,
    unavailable,
)

TESTS = Path(_processes.__file__).parent

#: What reads the environment or starts a process.
FORBIDDEN = {
    "environ",
    "environb",
    "execute_child",
    "fork",
    "forkpty",
    "getenv",
    "getProcessOutput",
    "getProcessOutputAndValue",
    "getProcessValue",
    "multiprocessing",
    "popen",
    "posix_spawn",
    "putenv",
    "spawnProcess",
    "subprocess",
    "system",
    "unsetenv",
}

#: The files that may do that, and why.
EXCEPTIONS = {
    "_processes.py": "it is what all others use",
    "fuzz/__main__.py": "it forks itself, once per framing",
    "_world.py": "it sets variables of the process that it is itself",
    "unit/test_processes.py": "it tests L{_processes}",
}


def uses(source: str) -> Iterator[str]:
    """
    @return: the forbidden names that a program uses.
    """
    for node in ast.walk(ast.parse(source)):
        names: list[str | None] = []
        if isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.Name):
            names = [node.id]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(alias.name for alias in node.names)]
        for name in names:
            if name in FORBIDDEN:
                yield name


class EnvironmentTests(TestCase):
    """
    The environment of processes.
    """

    def test_only(self) -> None:
        """
        Only L{_processes} starts processes or reads variables.
        """
        found = {
            name: sorted(names)
            for path in TESTS.glob("**/*.py")
            if (name := str(path.relative_to(TESTS))) not in EXCEPTIONS
            and (names := set(uses(path.read_text())))
        }
        self.assertEqual(found, {})
        for source in ("import subprocess", "from os import environ", "os.environ"):
            self.assertNotEqual(list(uses(source)), [], source)

    def test_inherited(self) -> None:
        """
        A process inherits nothing but what L{PASSED_ON<_processes.PASSED_ON>} names,
        and only if it runs this Python.
        """
        for name in ("PYTHONPATH", "LC_ALL", "COLUMNS", "https_proxy", "TZ", "CI"):
            setVariable(self, name, "inherited")
        setVariable(self, "PYTHONWARNINGS", "default")
        expected = {"HOME", "LANG", "PATH", "TMPDIR"}
        self.assertEqual(environment("/bin/true").keys(), expected)
        passed = environment(sys.executable).keys() - expected
        self.assertLessEqual(passed, set(_processes.PASSED_ON))
        self.assertIn("PYTHONWARNINGS", passed)
        printed = run(sys.executable, "-c", "import os; print(sorted(os.environ))")
        names = set(ast.literal_eval(printed))
        # CPython may set this one itself.
        self.assertEqual(names - {"LC_CTYPE"}, environment(sys.executable).keys())

    async def test_signals(self) -> None:
        """
        A process can be interrupted, although its parent ignores the signal.
        """
        for number in (signal.SIGINT, signal.SIGHUP):
            handler = signal.signal(number, signal.SIG_IGN)
            self.addCleanup(signal.signal, number, handler)
            source = f"import os; os.kill(os.getpid(), {number:d}); print('ignored')"
            self.assertEqual(completed(sys.executable, "-c", source).stdout, "")
            output, _, status = await execute(sys.executable, "-c", source)
            self.assertEqual((output, status), (b"", -number))

    async def test_execute(self) -> None:
        """
        The status is that of the exit, or the negative number of the signal.
        """
        for source, expected in (
            ("import sys; print(1); sys.exit(3)", (b"1\n", b"", 3)),
            ("import os; os.kill(os.getpid(), 15)", (b"", b"", -15)),
        ):
            self.assertEqual(await execute(sys.executable, "-c", source), expected)

    def test_unavailable(self) -> None:
        """
        Without a program its tests are skipped, with a reason; in CI they fail.
        """
        self.patch(_processes, "PATH", "/nonexistent")
        setVariable(self, "CI", None)
        reason = str(self.assertRaises(SkipTest, program, "nginx"))
        self.assertEqual(reason, "nginx is not installed")
        setVariable(self, "CI", "true")
        reason = str(self.assertRaises(AssertionError, unavailable, "no nginx"))
        self.assertEqual(reason, "no nginx, and CI must not skip")

    def test_setVariable(self) -> None:
        """
        A variable has its earlier value after the test.
        """
        setVariable(self, "CLIENTTCP_TEST", "before")
        found = []

        class Inner(SynchronousTestCase):
            def test(self) -> None:
                for name, value in (("TEST", "a"), ("TEST", None), ("OTHER", "b")):
                    setVariable(self, f"CLIENTTCP_{name}", value)
                    found.append(os.environ.get(f"CLIENTTCP_{name}"))

        Inner("test").run(unittest.TestResult())
        self.assertEqual(found, ["a", None, "b"])
        self.assertEqual(os.environ["CLIENTTCP_TEST"], "before")
        self.assertNotIn("CLIENTTCP_OTHER", os.environ)
