"""
What log events say about a client, and failures on standard error for programs that run
without a log observer.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping
from contextlib import suppress

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
from .._connecting.resolving import State
from .._connection.peer import addressText
from .._logevents import ATTEMPT_FAILED, RAISED, Kind
from ..errors import CallbackError, NegotiationRefused
from .settings import Settings, currentTarget, lastPeer, movesAddress, nextTarget

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


def destinationOf(client: Settings) -> str:
    """
    @return: the destination of a client, for messages; C{"?"} if it is not known.
    """
    return _knownDestination(client) or "?"


def _knownDestination(client: Settings) -> str | None:
    target = currentTarget(client)
    if target.known:
        return str(target)
    connector = client.connector
    if connector is None:
        # The destination is known only to a ClientService.
        peer = lastPeer(client)
        return None if peer is None else addressText(peer)
    # A connector of a test need not have this method.
    destination = getattr(connector, "getDestination", None)
    return addressText(connector if destination is None else destination())


def clientFields(client: Settings) -> dict[str, object]:
    """
    @return: the fields that every event of a client has.
    """
    destination, alias = _knownDestination(client), client.alias
    name = alias or destination or "(unnamed)"
    return {
        "client": f"{alias} ({destination})" if alias and destination else name,
        "destination": destination,
        "alias": alias,
        "id": id(client),
    }


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


def logEvent(
    client: Settings,
    kind: Kind,
    fields: Mapping[str, object],
    callbacks: Container[str] = (),
) -> None:
    """
    Log an event of a client.

    @param fields: its own fields.
    @param callbacks: the names of the callbacks that may handle it.
    """
    kind.log(client, {**clientFields(client), **fields}, kind.levelWith(callbacks))


def logFailure(
    client: Settings, what: str, failure: Failure, count: int = 1, again: str = ""
) -> None:
    """
    Log an exception with its traceback.

    @param what: what raised the exception.
    @param count: how often that has happened since it was logged.
    @param again: the same in words.
    """
    fields = {"what": what, "log_failure": failure, "count": count, "again": again}
    logEvent(client, RAISED, fields)


def mustBeSeen(kind: Kind, failure: Failure) -> bool:
    """
    @param kind: the kind of the event about a failure that no callback handles.

    @return: False if the server has only finished, or if the traceback has been logged
        as critical, and so is printed already.
    """
    error = failure.value
    if isinstance(error, (CallbackError, NegotiationRefused)):
        return error.__cause__ is None
    return kind is ATTEMPT_FAILED or not isinstance(error, ConnectionDone)
