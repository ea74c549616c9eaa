"""
Attempts: their connector, their deadline, and how they fail.
"""

from __future__ import annotations

from twisted.internet.base import BaseConnector
from twisted.internet.error import ConnectError, NotConnectingError, TimeoutError
from twisted.internet.interfaces import IConnector, IReactorTime
from twisted.python.failure import Failure

from .._connecting.connector import Connector
from .._connecting.target import withoutTLS
from .._connection.protocol import finishing
from .._details import ConnectTimeout
from .events import checkAlias, claimAlias
from .lifecycle import CONNECTING, IDLE, NEGOTIATING, STOPPED
from .parts import Parts
from .settings import currentTarget, isMoving, movesAddress, moveToNext, nextTarget


class Attempts:
    """
    Makes the attempts of a client with its connector: ours, or one that has called the
    client and has an address of its own.

    @ivar isForeign: True if the connector of the client is not ours.
    """

    __slots__ = ("_allowed", "_direct", "_expired", "_parts", "isForeign")

    def __init__(self, parts: Parts, direct: bool) -> None:
        """
        @param direct: False if the class of the client overrides a method that a
            connector calls. Then a connector of Twisted may not end an attempt in time,
            and the client measures the time itself.
        """
        self._parts = parts
        self._direct = direct
        #: C{connectTimeout} at the beginning of the current attempt.
        self._allowed = 0.0
        #: The timeout that has ended the current attempt.
        self._expired: Failure | None = None
        self.isForeign = False

    # -- Twisted's calls of the factory

    @finishing
    def startedConnecting(self, connector: IConnector) -> None:
        """
        A connector has begun an attempt.
        """
        parts = self._parts
        try:
            self.prepare(connector)
        except ValueError:
            connector.stopConnecting()
            raise
        self.use(connector)
        parts.attempts += 1
        if parts.lifecycle.phase is not CONNECTING:
            parts.lifecycle.attempting()

    @finishing
    def clientConnectionFailed(
        self, connector: IConnector, reason: Failure | None
    ) -> None:
        """
        An attempt has failed.

        @param reason: the reason; None, which only tests pass, if it is unknown.
        """
        parts = self._parts
        if parts.lifecycle.phase is not CONNECTING and not self._adopt(connector):
            # The attempt was cancelled: there is nothing to report.
            return
        self.queueFailure(self._failureOf(connector, reason))
        parts.callbacks.later(parts.lifecycle.failed)
        parts.callbacks.run()

    @finishing
    def clientConnectionLost(
        self, connector: IConnector, reason: Failure | None
    ) -> None:
        """
        A connection is lost, which the connection itself has already reported. Make
        another attempt only if the factory was never passed to a connector, as in tests
        that were written for a C{ReconnectingClientFactory}.
        """
        parts = self._parts
        isPresent = connector is parts.client.connector
        if isPresent and parts.lifecycle.phase is CONNECTING:
            # The protocol was not ours, but from a subclass or a test.
            self.clientConnectionFailed(connector, reason)
        elif self._adopt(connector):
            parts.retries.failure = reason
            parts.lifecycle.failed()

    def timeSource(self) -> IReactorTime:
        """
        @return: the clock.
        """
        return self._parts.timeSource()

    def _adopt(self, connector: IConnector) -> bool:
        """
        Use a connector that reports the end of an attempt or connection to a factory
        that was never passed to it, as if it had reported an attempt.

        @return: False if the client has another connector, or must make no attempts.
        """
        lifecycle = self._parts.lifecycle
        isNew = lifecycle.phase is IDLE or (
            lifecycle.phase is STOPPED and lifecycle.hosted
        )
        # The connectors of Twisted, and ours, report each attempt.
        isReal = isinstance(connector, (BaseConnector, Connector))
        if isReal or not (isNew and self._parts.client.continueTrying):
            return False
        self.startedConnecting(connector)
        return True

    def use(self, connector: IConnector) -> None:
        """
        Make all further attempts with this connector, which has called the client.
        """
        if connector is not self._parts.client.connector:
            self._parts.client.connector = connector
            self.isForeign = True

    @property
    def ownConnector(self) -> Connector | None:
        """
        The connector, if it is an L{Connector}: it must be notified of events
        that Twisted's connectors learn from their transports.
        """
        connector = self._parts.client.connector
        return connector if isinstance(connector, Connector) else None

    @property
    def isPending(self) -> bool:
        """
        True if the connector makes an attempt that has not ended.
        """
        state = getattr(self._parts.client.connector, "state", None)
        return self._parts.lifecycle.phase is CONNECTING and state == "connecting"

    # -- one attempt

    def begin(self) -> None:
        """
        Begin an attempt.
        """
        client = self._parts.client
        self._expired = None
        try:
            if movesAddress(client):
                self.isForeign = False
            moveToNext(client)
            target = currentTarget(client)
            if self.isForeign or not target.known:
                client.connector.connect()
                return
            try:
                client.connector = target.connect(
                    client, self._parts.reactor, client.connectTimeout
                )
            finally:
                self.isForeign = False
        except BaseException as error:
            # Call it on the client, because a subclass may override it.
            client.clientConnectionFailed(  # type: ignore[no-untyped-call]
                client.connector, Failure()
            )
            self._parts.raiseLater(error)

    def cancel(self) -> None:
        """
        Cancel the current attempt, if there is one.
        """
        self._parts.connection = None
        connector = self._parts.client.connector
        if connector is not None:
            try:
                connector.stopConnecting()
            except NotConnectingError:
                pass
            except BaseException as error:
                what = "the attempt could not be cancelled"
                self._parts.logFailure(what, Failure(error))
                self._parts.raiseLater(error)

    def expire(self) -> None:
        """
        End the current attempt, which has no transport, with a timeout.
        """
        connector = self.ownConnector
        unfinished = "" if connector is None else connector.unfinished
        self._expired = expired = self.timeout(unfinished)
        self.cancel()
        if self._expired is not None:
            # The attempt had already ended, but a subclass has not called our
            # clientConnectionFailed().
            self.clientConnectionFailed(self._parts.client.connector, expired)

    def timeout(self, unfinished: str) -> Failure:
        """
        @param unfinished: the step that has not finished in time; empty if it is not
            known.

        @return: the failure that names the deadline.
        """
        why = unfinished and f": {unfinished} has not finished"
        return self._timeout(self._allowed, why)

    def queueFailure(self, failure: Failure) -> None:
        """
        An attempt has failed, and not at the user's request: queue C{connectError}.
        """
        parts = self._parts
        parts.reason = parts.retries.failure = failure
        parts.counts.failures += 1
        parts.callbacks.later(parts.report, "connectError", failure)
        if not currentTarget(parts.client).left:
            parts.callbacks.later(parts.waiters.countFailure("connected").fire, failure)

    def _failureOf(self, connector: IConnector, reason: Failure | None) -> Failure:
        expired, self._expired = self._expired, None
        reason = reason or Failure(ConnectError(string="for an unknown reason"))
        hasExpired = isinstance(reason.value, TimeoutError) and (
            reason.value.args == ("",)
        )
        if hasExpired and isinstance(connector, (BaseConnector, Connector)):
            # The errors of these connectors do not name the timeout.
            expired = self._timeout(connector.timeout)
        return expired or reason

    def _timeout(self, seconds: float | None, why: str = "") -> Failure:
        """
        @param seconds: the time that has passed; None if only the endpoint knows it.
        """
        if seconds is None:
            text = "not connected within the endpoint's timeout"
            return Failure(TimeoutError(string=text))
        name = "connectTimeout" if seconds == self._allowed else "timeout"
        return Failure(ConnectTimeout(f"not connected in time{why}", name, seconds))

    def deadline(self) -> float | None:
        """
        @return: the longest time in seconds that the current attempt may take; None if
            its connector measures it.
        """
        parts = self._parts
        self._allowed = parts.client.connectTimeout
        if parts.lifecycle.phase is NEGOTIATING and parts.connection is not None:
            # The connection of a ClientService, which has a transport already.
            isMeasured = not parts.connection.isHandshaking
        else:
            isMeasured = self._connectorMeasures()
        if isMeasured and "preConnect" not in parts.functions:
            return None
        return self._allowed

    def _connectorMeasures(self) -> bool:
        """
        @return: True if the connector ends the attempt in time. A connector of Twisted
            does so until it calls C{buildProtocol}. That is enough if there is nothing
            to wait for but TCP, and our protocol gets the transport immediately.
        """
        client = self._parts.client
        connector = client.connector
        return (
            isinstance(connector, BaseConnector)
            and connector.timeout is not None
            and connector.timeout <= self._allowed
            and connector.reactor is self._parts.timeSource()
            and connector.factory is client
            and not currentTarget(client).speaksTLS
            and self._direct
        )

    # -- checks

    def mustHaveAlias(self) -> None:
        """
        @raise AliasInUse: if another client has the alias.
        """
        client = self._parts.client
        if client.alias is not None:
            checkAlias(client.alias, client)

    def prepare(self, connector: IConnector | None) -> None:
        """
        Prepare an attempt that begins: claim the alias, and use the destination that
        was set last.

        @param connector: see L{mustNotPassProxy}.

        @raise AliasInUse: see L{claimAlias}.
        @raise ValueError: see L{mustNotPassProxy}.
        """
        self.claimAlias()
        self.moveIfComplete()
        self.mustNotPassProxy(connector)

    def claimAlias(self) -> None:
        """
        @raise AliasInUse: if another client has the alias.
        """
        client = self._parts.client
        if client.alias is not None:
            claimAlias(client.alias, client)

    def mustNotPassProxy(self, connector: IConnector | None) -> None:
        """
        @param connector: the connector of an attempt; None if a C{ClientService}
            connects.

        @raise ValueError: if the client has a proxy, which this connector ignores.
        """
        isTwisteds = connector is None or isinstance(connector, BaseConnector)
        if isTwisteds and currentTarget(self._parts.client).isProxied:
            raise ValueError(
                "proxy has no effect on connectTCP() or a ClientService: use start() "
                "or ClientTCPService, or connect with a "
                "twisted_clienttcp.proxy.ProxyEndpoint"
            )

    def mustNotBeHosted(self, call: str) -> None:
        """
        @raise RuntimeError: if a C{ClientService} connects.
        """
        lifecycle = self._parts.lifecycle
        if lifecycle.hosted and (lifecycle.phase is not STOPPED or call != "start"):
            raise RuntimeError(
                f"{call}() cannot be called while a ClientService drives the client: "
                "the service connects; use ClientTCPService or start() instead"
            )

    def mustBeMovable(self, what: str) -> None:
        """
        @param what: the change of the destination.

        @raise RuntimeError: if a C{ClientService} connects.
        @raise ValueError: if the current connector uses TLS, and connections to another
            address would not.
        """
        client, lifecycle = self._parts.client, self._parts.lifecycle
        if lifecycle.hosted and lifecycle.phase is not STOPPED:
            raise RuntimeError(
                f"{what} has no effect while a ClientService drives the client: the "
                "service connects; use ClientTCPService or start() instead"
            )
        if getattr(client.connector, "factory", client) is not client:
            raise withoutTLS(what, "the settings of connectSSL() are not known here")

    def mustKnowDestination(self, call: str) -> None:
        """
        @raise RuntimeError: if a C{ClientService} connects.
        @raise ValueError: if there is nothing to connect to.
        @raise TypeError: if only an address or only a port was set.
        """
        self.mustNotBeHosted(call)
        client = self._parts.client
        if not nextTarget(client).known and client.connector is None:
            raise ValueError(
                f"{call}() has nothing to connect to: pass remoteAddress and "
                "remotePort, or endpoint, to the factory"
            )

    def moveIfComplete(self) -> None:
        """
        A connector begins to use a client that was not running: use the destination
        that was set last, unless a part of it is missing. The connector has an address
        of its own.
        """
        client = self._parts.client
        if self._parts.lifecycle.phase in (IDLE, STOPPED) and isMoving(client):
            try:
                moveToNext(client)
            except TypeError:
                pass
