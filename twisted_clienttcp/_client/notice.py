"""
The first failure of the process, for programs that run without a log observer.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from twisted.logger import (
    LimitedHistoryLogObserver,
    Logger,
    LogPublisher,
    formatEvent,
    globalLogPublisher,
)

#: Printed after the first failure.
HINT = """\
    Only this first failure is printed, because no log observer is running.
    To see every message, call twisted.python.log.startLogging(sys.stderr).
    To print nothing, give the client the callbacks connectError and serverError.
"""


class FailureLog:
    """
    Logs failures as warnings. Prints the first one to standard error too, if logging
    has not begun: the warning is only buffered then, and would never be seen.
    """

    def __init__(self, publisher: LogPublisher = globalLogPublisher) -> None:
        """
        @param publisher: what the loggers publish to.
        """
        self._publisher = publisher
        self._logged = False

    def warn(self, log: Logger, message: str, **fields: Any) -> None:
        """
        Log a failure.

        @param message: the format of the message, for the fields.
        """
        if self._logged:
            log.warn(message, **fields)
            return
        self._logged = True
        trace: list[tuple[Any, Any]] = []
        log.warn(message, log_trace=trace, **fields)
        if self._isOnlyBuffered(trace) and sys.stderr is not None:
            text = formatEvent({"log_format": message, **fields})
            # There is nowhere to report that standard error is closed.
            with suppress(OSError, ValueError):
                sys.stderr.write(f"{text}\n{HINT}")
                sys.stderr.flush()

    def _isOnlyBuffered(self, trace: list[tuple[Any, Any]]) -> bool:
        """
        @param trace: each publisher or filter that has passed the event on, and to
            which observer (C{log_trace} of L{twisted.logger.ILogObserver}).

        @return: whether the only observer is the one that buffers events until
            C{beginLoggingTo} is called.
        """
        observers = [to for by, to in trace if by is self._publisher]
        buffering = [
            by for by, to in trace if isinstance(to, LimitedHistoryLogObserver)
        ]
        return len(observers) == 1 and observers[0] in buffering


#: What all clients log their failures with.
failureLog = FailureLog()
