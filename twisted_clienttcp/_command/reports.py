"""
What the command says about failures: why an attempt failed or a connection was lost,
and whether the client tries again.
"""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure

from .. import ClientTCPFactory
from .. import _logevents as logged
from .._client.reporting import destinationOf
from .._connecting.resolving import inWords
from .._details import describe, oneLine
from .._texts import counted, duration
from ..errors import RetriesExhausted
from .table import asOption


class Reports:
    """
    Logs the failures of a client as messages.

    @ivar enabled: False if the user sees the log events of the client, which say the
        same.
    """

    def __init__(self, reactor: Any) -> None:
        self.enabled = True
        self._reactor = reactor
        #: Why no attempt follows, if the client has given up.
        self._gaveUp: RetriesExhausted | None = None

    def errorOccurred(self, client: ClientTCPFactory, failure: Failure) -> None:
        """
        There was an error during a connection.
        """
        self._log(_whereAndWhy(client, failure))

    def attemptFailed(self, client: ClientTCPFactory, failure: Failure) -> None:
        """
        An attempt has failed. (This must be called by C{connectError}.)
        """
        text = f"{_whereAndWhy(client, failure)}{inWords(client.tried)}"
        self._logWithOutlook(client, text)

    def connectionLost(self, client: ClientTCPFactory) -> None:
        """
        A connection has been lost, and the reason has been reported. (This must be
        called by C{serverError}.)
        """
        self._logWithOutlook(client)

    def _logWithOutlook(self, client: ClientTCPFactory, *texts: str) -> None:
        """
        Log what has happened, if that is given, and what follows. The client decides
        this after the callback has returned.
        """
        retries = client.retries

        def log() -> None:
            if text := "; ".join(
                filter(None, (*texts, self._outlook(client, retries)))
            ):
                self._log(text)

        self._reactor.callLater(0, log)

    def _log(self, text: str) -> None:
        if self.enabled:
            logged.FAILED.log(self, {"text": oneLine(text)})

    def _outlook(self, client: ClientTCPFactory, retries: int) -> str:
        """
        @param retries: the client's C{retries} when the failure was reported.

        @return: what follows, in words; empty if the client just stops.
        """
        if self._gaveUp is not None:
            return f"giving up after {counted(self._gaveUp.attempts, 'failure')}"
        if client.retries > retries and not client.shuttingDown:
            return f"next attempt in {duration(client.delay)}"
        return ""

    def stopped(self, client: ClientTCPFactory, failure: Failure | None) -> None:
        """
        The client has stopped (the callback C{stopped}).
        """
        if failure is not None and isinstance(failure.value, RetriesExhausted):
            self._gaveUp = failure.value


def _whereAndWhy(client: ClientTCPFactory, failure: Failure) -> str:
    """
    @return: the server and the reason of a failure, in words.
    """
    return f"{destinationOf(client)}: {describe(failure, asOption)}"
