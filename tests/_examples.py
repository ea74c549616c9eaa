"""
Run the documents' examples as a user does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol

from ._documents import ROOT
from ._processes import spawn
from ._servers import RealServerTestCase
from ._support import GUARD, reactor

EXAMPLES = ROOT / "docs" / "examples"


class Example(ProcessProtocol):
    """
    A running example.
    """

    def __init__(self) -> None:
        self.output = b""
        self.ended: Deferred[int] = Deferred()
        self._waiting: list[tuple[Callable[[bytes], bool], Deferred[None]]] = []

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        # A terminal ends its lines with CR LF.
        self.output += data.replace(b"\r\n", b"\n")
        for waiting in self._waiting[:]:
            isReached, waiter = waiting
            if isReached(self.output):
                self._waiting.remove(waiting)
                waiter.callback(None)

    def printed(self, data: bytes) -> Deferred[None]:
        """
        @return: a Deferred that fires when the output contains this data.
        """
        return self.until(lambda output: data in output)

    def until(self, isReached: Callable[[bytes], bool]) -> Deferred[None]:
        """
        @param isReached: called with the whole output whenever there is more.

        @return: a Deferred that fires when this function returns True.
        """
        waiter: Deferred[None] = Deferred()
        self._waiting.append((isReached, waiter))
        self.childDataReceived(1, b"")
        return waiter.addTimeout(GUARD, reactor, lambda result, seconds: self._never())

    def _never(self) -> None:
        raise AssertionError(f"the output is only {self.output.decode()}")

    def processEnded(self, reason: Any) -> None:
        reason.trap(ProcessDone, ProcessTerminated)
        self.ended.callback(reason.value.exitCode)


class ExampleTestCase(RealServerTestCase):
    """
    Tests that run examples.
    """

    timeout = 3 * GUARD

    def example(self, name: str, *arguments: object, terminal: bool = False) -> Example:
        """
        Run an example until it ends or the test does.
        """
        example = Example()
        process = spawn(
            example,
            *(sys.executable, EXAMPLES / f"{name}.py", *arguments),
            variables={"PYTHONUNBUFFERED": "1"},
            usePTY=terminal,
        )

        def stop() -> Deferred[int]:
            if not example.ended.called:
                process.signalProcess("KILL")
            return example.ended

        self.addCleanup(stop)
        return example
