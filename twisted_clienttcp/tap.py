"""
The plugin of C{twistd clienttcp} and C{twist clienttcp}.
"""

from __future__ import annotations

import signal
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ._command.options import Options
from ._command.tasks import Outcome, Task, taskFrom

__all__ = ["Options", "makeService"]

_log = Logger()


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
            self._ended.addErrback(
                lambda failure: _log.failure("this is a bug in clienttcp", failure)
            )

    def _end(self, outcome: Outcome) -> None:
        if not self.running:
            return
        _log.info(
            "clienttcp has ended: {reason} (as exit status: {status})",
            reason=outcome.reason,
            status=outcome.status,
        )
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

    task = taskFrom(options, reactor, lambda text: _log.info("{text}", text=text))
    return _TaskService(task, reactor)
