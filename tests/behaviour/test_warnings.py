"""
In CI, C{PYTHONWARNINGS} makes each new warning an error. These tests prove that this
fails a run, under both runners, and wherever the warning comes from.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from .._processes import ROOT, completed
from .._support import GUARD

#: The runners, and how each names a test that has failed.
RUNNERS = {
    ("-m", "twisted.trial", "-j1", "test_all"): r"^test_all\.Tests\.test_(\w+)$",
    ("-m", "pytest", "-q", "test_all.py"): r"^FAILED test_all.py::Tests::test_(\w+)",
}

#: Tests that cause warnings: in the test, in a callback, where exceptions are only
#: printed, and in a process. One test causes none.
TESTS = f"""
import gc, socket, sys, warnings
sys.path.append({str(ROOT)!r})
from twisted.trial.unittest import TestCase
from tests._processes import run
from tests._support import reactor, turn

def warn():
    warnings.warn("this is new", DeprecationWarning)

class Tests(TestCase):
    def test_silent(self):
        pass

    def test_itself(self):
        warn()

    async def test_callback(self):
        reactor.callLater(0, warn)
        await turn()

    def test_finaliser(self):
        socket.socket()
        gc.collect()

    def test_process(self):
        run(sys.executable, "-c", "import warnings; warnings.warn('this is new')")
"""


class WarningTests(TestCase):
    """
    Runs of tests that cause warnings.
    """

    timeout = 4 * GUARD

    def test_failed(self) -> None:
        """
        A run fails because of the tests that cause warnings, if these are errors.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "test_all.py").write_text(TESTS)
        noisy = {"itself", "callback", "finaliser", "process"}
        for command, name in RUNNERS.items():
            for filters, expected in (("ignore", set()), ("error", noisy)):
                done = completed(
                    *(sys.executable, *command),
                    cwd=folder,
                    variables={"PYTHONWARNINGS": filters},
                    seconds=GUARD,
                )
                failed = set(re.findall(name, done.stdout, re.MULTILINE))
                self.assertEqual(failed, expected, done.stdout + done.stderr)
                self.assertEqual(done.returncode != 0, bool(expected))
