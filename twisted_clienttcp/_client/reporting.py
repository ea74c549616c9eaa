"""
Failures in the log, and on standard error for programs that run without a log observer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.logger import (
    LimitedHistoryLogObserver,
    Logger,
    LogPublisher,
    formatEvent,
    globalLogPublisher,
)
from twisted.python.failure import Failure

from .._connecting.connector import Connector
from .._connecting.resolving import State, inWords
from .._details import describe, errorDetails
from ..errors import CallbackError, NegotiationRefused
from .settings import Settings, currentTarget, movesAddress, nextTarget

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
        @param publisher: the destination of the loggers.
        """
        self._publisher = publisher
        self._logged = False

    def warn(self, log: Logger, message: str, **fields: object) -> None:
        """
        Log a failure.

        @param message: the format of the message, for the fields.
        """
        if self._logged:
            log.warn(message, **fields)
            return
        self._logged = True
        trace: list[tuple[object, object]] = []
        log.warn(message, log_trace=trace, **fields)
        if self._isOnlyBuffered(trace) and sys.stderr is not None:
            text = formatEvent({"log_format": message, **fields})
            # There is nowhere to report that standard error is closed.
            with suppress(OSError, ValueError):
                sys.stderr.write(f"{text}\n{HINT}")
                sys.stderr.flush()

    def _isOnlyBuffered(self, trace: list[tuple[object, object]]) -> bool:
        """
        @param trace: each publisher or filter that has passed the event on, and to
            which observer (C{log_trace} of L{twisted.logger.ILogObserver}).

        @return: True if the only observer is the one that buffers events until
            C{beginLoggingTo} is called.
        """
        observers = [to for by, to in trace if by is self._publisher]
        buffering = [
            by for by, to in trace if isinstance(to, LimitedHistoryLogObserver)
        ]
        return len(observers) == 1 and observers[0] in buffering


#: The log of failures that all clients share.
failureLog = FailureLog()


def logOf(client: Settings) -> Logger:
    """
    @return: the log of a client, whose events have the client as their C{log_source}.
    """
    return Logger("twisted_clienttcp.ClientTCPFactory", source=client)


def destinationOf(client: Settings) -> str:
    """
    @return: the destination of a client, for messages.
    """
    target = currentTarget(client)
    if target.known:
        return str(target)
    connector = client.connector
    if connector is None:
        return "?"
    # A connector of a test need not have this method.
    destination = getattr(connector, "getDestination", None)
    return str(connector if destination is None else destination())


def nextDestinationOf(client: Settings) -> str:
    """
    @return: the destination that the next attempt of a client will have, for messages.
    """
    # The settings may be incomplete, because they are changed one after the other.
    with suppress(TypeError):
        if movesAddress(client) and (target := nextTarget(client)).known:
            return str(target)
    return destinationOf(client)


def triedBy(client: Settings) -> dict[IAddress, Failure | State]:
    """
    @return: the addresses that the last attempt has tried, each with its failure or
        state.
    """
    connector = client.connector
    return connector.tried if isinstance(connector, Connector) else {}


def logFailure(client: Settings, what: str, failure: Failure) -> None:
    """
    Log an exception with its traceback and the destination of the client.

    @param what: what raised the exception.
    """
    logOf(client).failure(
        "Client {client}: {what}", failure, client=destinationOf(client), what=what
    )


def warnOfFailure(
    client: Settings,
    callback: str,
    failure: Failure,
    isRunning: bool,
) -> None:
    """
    Log a failure for which the user has no callback. The log event has C{operation},
    C{errno} and C{text}, as POE would print them.

    @param callback: the name of the callback.
    @param isRunning: False if the reactor is being stopped.
    """
    operation, number, text = errorDetails(failure)
    log = logOf(client)
    warn: Callable[..., None] = log.warn
    if isRunning and _mustBeSeen(callback, failure):
        warn = partial(failureLog.warn, log)
    warn(
        "Client {client}: {what}",
        client=destinationOf(client),
        what=describe(failure)
        + (inWords(triedBy(client)) if callback == "connectError" else ""),
        operation=operation,
        errno=number,
        text=text,
        failure=failure,
    )


def _mustBeSeen(callback: str, failure: Failure) -> bool:
    """
    @return: False if the server has only finished, or if the traceback has been logged
        as critical, and so is printed already.
    """
    error = failure.value
    if isinstance(error, (CallbackError, NegotiationRefused)):
        return error.__cause__ is None
    return callback != "serverError" or not isinstance(error, ConnectionDone)
