"""
Attempts: their connector, and how they time out.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.base import BaseConnector
from twisted.internet.error import ConnectError, NotConnectingError, TimeoutError
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.python.failure import Failure

from .._connecting.connector import EndpointConnector
from .._connecting.resolving import State
from .._details import ConnectTimeout
from .settings import Settings, currentTarget, movesAddress, moveToNext


class Attempts:
    """
    Makes the attempts of a client, each with the connector of the client: ours, or one
    that has called the client, whose attempts go to its own address.

    @ivar isForeign: True if the connector of the client is not ours.
    @ivar allowed: C{connectTimeout} at the beginning of the present attempt.
    """

    __slots__ = ("_client", "_direct", "_expired", "allowed", "isForeign")

    def __init__(self, client: Settings, direct: bool) -> None:
        """
        @param direct: False if the class of the client overrides a method that a
            connector calls. Then attempts end only with a connector and a deadline of
            our own.
        """
        self._client = client
        self._direct = direct
        #: The timeout that has ended the present attempt.
        self._expired: Failure | None = None
        self.isForeign = False
        self.allowed = 0.0

    def use(self, connector: Any) -> None:
        """
        Make all further attempts with this connector, which has called the client.
        """
        if connector is not self._client.connector:
            self._client.connector = connector
            self.isForeign = True

    @property
    def ownConnector(self) -> EndpointConnector | None:
        """
        The connector, if it is an L{EndpointConnector}: it must be notified of events
        that Twisted's connectors learn from their transports.
        """
        connector = self._client.connector
        return connector if isinstance(connector, EndpointConnector) else None

    @property
    def tried(self) -> dict[IAddress, Failure | State]:
        """
        The addresses that the last attempt has tried, each with its failure or state.
        """
        connector = self.ownConnector
        return {} if connector is None else connector.tried

    def begin(self, reactor: Any) -> None:
        """
        Begin an attempt.

        @raise BaseException: as the connector.
        """
        client = self._client
        self._expired = None
        if movesAddress(client):
            self.isForeign = False
        moveToNext(client)
        target = currentTarget(client)
        if self.isForeign or not target.known:
            client.connector.connect()
            return
        try:
            client.connector = target.connect(client, reactor, client.connectTimeout)
        finally:
            self.isForeign = False

    def cancel(self) -> None:
        """
        Cancel the present attempt, if there is one.

        @raise BaseException: as the connector.
        """
        connector = self._client.connector
        if connector is not None:
            try:
                connector.stopConnecting()
            except NotConnectingError:
                pass

    def expire(self) -> Failure | None:
        """
        End the present attempt with a timeout.

        @return: the timeout, if the connector has not reported the end of the attempt.

        @raise BaseException: as the connector.
        """
        self._expired = self.timeout(self.allowed)
        self.cancel()
        return self._expired

    def failureOf(self, connector: Any, reason: Failure | None) -> Failure:
        """
        @param connector: the connector of an attempt.
        @param reason: the reason for its end that the connector has reported; None,
            which only tests pass, for an unknown reason.

        @return: the failure to report.
        """
        expired, self._expired = self._expired, None
        if reason is None:
            reason = Failure(ConnectError(string="for an unknown reason"))
        hasExpired = isinstance(reason.value, TimeoutError) and (
            reason.value.args == ("",)
        )
        if hasExpired and isinstance(connector, (BaseConnector, EndpointConnector)):
            # Their errors do not name the timeout.
            expired = self.timeout(connector.timeout)
        return expired or reason

    def timeout(self, seconds: float | None, why: str = "") -> Failure:
        """
        @param seconds: the time that has passed; None if only the endpoint knows it.
        @param why: more words about the reason.

        @return: a failure that names the deadline.
        """
        if seconds is None:
            return Failure(
                ConnectTimeout("not connected within the endpoint's timeout")
            )
        name = "connectTimeout" if seconds == self.allowed else "timeout"
        return Failure(
            ConnectTimeout(f"{name}: not connected within {seconds:g} s{why}")
        )

    def measuresTime(self, clock: IReactorTime) -> bool:
        """
        @param clock: the clock of the client.

        @return: True if the connector ends the attempt in time. One of Twisted's does
            until it requests a protocol; that is enough if TCP is all there is to wait
            for, and our protocol gets the transport immediately.
        """
        client = self._client
        connector = client.connector
        return (
            isinstance(connector, BaseConnector)
            and connector.timeout is not None
            and connector.timeout <= self.allowed
            and connector.reactor is clock
            and connector.factory is client
            and not currentTarget(client).speaksTLS
            and self._direct
        )
