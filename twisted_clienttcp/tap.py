"""
The plugin of C{twistd clienttcp} and C{twist clienttcp}.
"""

from __future__ import annotations

import signal
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from ._command.options import Options
from ._command.tasks import Outcome, Task, taskFrom
from ._logevents import ANNOUNCED, BUG, ENDED

__all__ = ["Options", "makeService"]


class _TaskService(Service):
    """
    Runs a task, and ends the process when the task ends.
    """

    _ended: Deferred[None] = succeed(None)

    def __init__(self, task: Task, reactor: Any) -> None:
        self._task = task
        self._reactor = reactor

    def startService(self) -> None:
        """
        Start the task when the reactor runs.
        """
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._start)

    def _start(self) -> None:
        if self.running:
            self._ended = self._task.start().addCallback(self._end)
            self._ended.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        BUG.log(self, {"log_failure": failure})

    def _end(self, outcome: Outcome) -> None:
        if not self.running:
            return
        ENDED.log(self, outcome._asdict())
        if outcome.status:
            # Only a signal makes twistd and twist end with a status that is not 0.
            signal.raise_signal(signal.SIGTERM)
        else:
            self._reactor.stop()

    def stopService(self) -> Deferred[None]:
        """
        Stop the task.

        @return: a Deferred that fires when it has ended.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        if not self._ended.called:
            self._task.stop()
        return self._ended


def makeService(options: Options) -> Service:
    """
    @param options: the parsed options.

    @return: the service that the options ask for.

    @raise SystemExit: with 64, if it cannot be made.
    """
    from twisted.internet import reactor

    task = taskFrom(
        options, reactor, lambda text: ANNOUNCED.log(_TaskService, {"text": text})
    )
    if task.console is not None:
        task.console.reports.enabled = False
    return _TaskService(task, reactor)
