"""
Log the events of a client. Programs without a log observer see the first failure on
standard error.
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
    Logs failures as warnings. Also prints the first one to standard error if logging
    has not begun: Twisted then only buffers the warning, and it would never be seen.
    """

    def __init__(self, publisher: LogPublisher = globalLogPublisher) -> None:
        """
        @param publisher: the publisher that the loggers send their events to.
        """
        self._publisher = publisher
        self._logged = False

    def warn(self, log: Logger, message: str, **fields: object) -> None:
        """
        Log a failure.

        @param log: the logger.
        @param message: the message, with the names of fields in braces.
        @param fields: the fields.
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
        @param trace: for each time that the event was passed on, the publisher or
            filter, and the observer (C{log_trace} of L{twisted.logger.ILogObserver}).

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
    @return: the destination of a client, for messages; C{"?"} if it is unknown.
    """
    return _knownDestination(client) or "?"


def _knownDestination(client: Settings) -> str | None:
    target = currentTarget(client)
    if target.known:
        return str(target)
    connector = client.connector
    if connector is None:
        # A ClientService connects: the destination is known only from the last peer.
        peer = lastPeer(client)
        return None if peer is None else addressText(peer)
    # A test's connector may lack this method.
    destination = getattr(connector, "getDestination", None)
    return addressText(connector if destination is None else destination())


def clientFields(client: Settings) -> dict[str, object]:
    """
    @return: the fields that all events of a client have.
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
    @return: the destination of a client's next attempt, for messages.
    """
    # The settings are changed one by one, so they may be incomplete.
    with suppress(TypeError):
        if movesAddress(client) and (target := nextTarget(client)).known:
            return str(target)
    return destinationOf(client)


def triedBy(client: Settings) -> dict[IAddress, Failure | State]:
    """
    @return: the addresses that the last attempt tried, each with its failure or state;
        empty if the connector does not report them.
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

    @param kind: the kind of the event.
    @param fields: the fields of this kind. Those of L{clientFields} are added.
    @param callbacks: the names of the client's callbacks: the level is lower if one of
        them handles the failure.
    """
    kind.log(client, {**clientFields(client), **fields}, kind.levelWith(callbacks))


def logFailure(
    client: Settings, what: str, failure: Failure, count: int = 1, again: str = ""
) -> None:
    """
    Log an exception with its traceback.

    @param what: what has happened, for the message.
    @param count: how often it has happened since it was last logged.
    @param again: C{count} in words.
    """
    fields = {"what": what, "log_failure": failure, "count": count, "again": again}
    logEvent(client, RAISED, fields)


def mustBeSeen(kind: Kind, failure: Failure) -> bool:
    """
    @param kind: the kind of the event for a failure that no callback handles.

    @return: False if the server has only closed the connection, or if the traceback has
        already been logged: Twisted prints critical events even before logging begins.
    """
    error = failure.value
    if isinstance(error, (CallbackError, NegotiationRefused)):
        return error.__cause__ is None
    return kind is ATTEMPT_FAILED or not isinstance(error, ConnectionDone)
