"""
Tests for failures that are logged where no log observer is running.
"""

from __future__ import annotations

import io
import sys
import warnings
from types import SimpleNamespace
from typing import Any

from twisted.logger import (
    LogBeginner,
    Logger,
    LogPublisher,
    jsonFileLogObserver,
    textFileLogObserver,
)
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._client.reporting import HINT, FailureLog


class FailureLogTests(SynchronousTestCase):
    """
    Tests for L{FailureLog}.
    """

    def setUp(self) -> None:
        self.stderr = io.StringIO()
        self.patch(sys, "stderr", self.stderr)
        self.publisher = LogPublisher()
        # As twisted.logger does for the process.
        self.beginner = LogBeginner(
            self.publisher,
            io.StringIO(),
            SimpleNamespace(),
            SimpleNamespace(showwarning=warnings.showwarning),
        )
        self.log = Logger("clients", observer=self.publisher)
        self.failures = FailureLog(self.publisher)

    def warn(self, number: int = 1) -> None:
        """
        Log a failure.
        """
        self.failures.warn(self.log, "failure {number}", number=number)

    def test_first(self) -> None:
        """
        Without an observer, the first failure is printed, with a hint; later ones are
        not.
        """
        for number in range(3):
            self.warn(number)
        self.assertEqual(self.stderr.getvalue(), f"failure 0\n{HINT}")

    def test_logged(self) -> None:
        """
        All of them are logged, and an observer that is started later gets them.
        """
        for number in range(3):
            self.warn(number)
        events: list[Any] = []
        observer: Any = events.append
        self.beginner.beginLoggingTo([observer], redirectStandardIO=False)
        self.assertEqual([event["number"] for event in events], [0, 1, 2])

    def test_observed(self) -> None:
        """
        Where there is an observer of any kind, or logging has begun without any,
        nothing is printed: neither for the first failure nor for a later one.
        """
        file = io.StringIO()
        for observers in (
            [],
            [textFileLogObserver(file)],
            [jsonFileLogObserver(file)],
            [LogPublisher()],
        ):
            self.setUp()
            self.beginner.beginLoggingTo(observers, redirectStandardIO=False)
            self.warn()
            for observer in observers:
                self.publisher.removeObserver(observer)
            self.warn()
            self.assertEqual(self.stderr.getvalue(), "")

    def test_added(self) -> None:
        """
        An observer that was added without beginning to log counts too, also one that
        sees nothing of this level.
        """
        observer: Any = lambda event: None  # noqa: E731
        self.publisher.addObserver(observer)
        self.warn()
        self.assertEqual(self.stderr.getvalue(), "")

    def test_unwritable(self) -> None:
        """
        A standard error that is missing, closed or broken does no harm.
        """

        class Broken(io.StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        closed = io.StringIO()
        closed.close()
        for stderr in (None, closed, Broken()):
            self.patch(sys, "stderr", stderr)
            FailureLog(self.publisher).warn(self.log, "failure")
