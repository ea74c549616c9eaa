"""
Attempts to connect, and the connector that makes them for every kind of destination.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import NotConnectingError, UserError
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IProtocol,
    IProtocolFactory,
)
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from .._details import notReached
from .resolving import Candidate, Race, State

_Result = TypeVar("_Result")

#: Returns the protocol of a connection.
Build = Callable[[IAddress | None], IProtocol | None]


class Destination(Protocol):
    """
    An address or an endpoint to connect to, directly or through proxies.
    """

    @property
    def address(self) -> IAddress:
        """
        The address of the destination, for reports.
        """

    def addressOf(self, host: str) -> IAddress:
        """
        @param host: one of the IP addresses of the destination, without port.

        @return: the address, for reports.
        """

    def limit(self, timeout: float) -> float | None:
        """
        @param timeout: the client's time limit for an attempt in seconds.

        @return: the effective time limit in seconds; None if the user's endpoint
            determines it.
        """

    def connect(self, reactor: object, attempt: ConnectAttempt) -> None:
        """
        Start an attempt.
        """


class AttemptOwner(Protocol):
    """
    The object that makes an attempt, which reports to it.
    """

    def buildProtocol(
        self, addr: IAddress | None, attempt: ConnectAttempt
    ) -> IProtocol | None:
        """
        The attempt has connected.

        @return: the protocol; None to close the connection, because the attempt has
            already ended.
        """

    def attemptFailed(self, reason: Failure, attempt: ConnectAttempt) -> None:
        """
        The attempt has failed.
        """


@implementer(IProtocolFactory)
class ConnectAttempt:
    """
    One attempt of a connector: the factory that an endpoint calls, and the object that
    a destination reports to. Once the attempt has ended, reports have no effect.

    @ivar candidates: the attempts at single addresses, in the order in which they
        started.
    @ivar factory: the factory that is notified of each connection, as by Twisted's
        endpoints; None if the owner notifies it.
    @ivar unfinished: the step that the attempt waits for, for messages; empty if
        messages need not name it.
    """

    __slots__ = (
        "_connector",
        "_first",
        "_proxy",
        "_stop",
        "candidates",
        "factory",
        "unfinished",
    )

    def __init__(
        self, connector: AttemptOwner, factory: IProtocolFactory | None = None
    ) -> None:
        self._connector = connector
        self.factory = factory
        self._first: Build | None = None
        self._stop: Callable[[], object] | None = None
        self.candidates: Sequence[Candidate] = ()
        self.unfinished = ""

    def doStart(self) -> None:
        "Do nothing: the connector has called C{doStart} of the client."

    def doStop(self) -> None:
        "Do nothing: the connector calls C{doStop} of the client."

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """
        @return: the protocol of the client; None to close the connection, because this
            attempt has already ended.
        """
        build, self._first = self._first, None
        if build is not None:
            return build(addr)
        return self._connector.buildProtocol(addr, self)

    def buildFirst(self, build: Build, proxy: str) -> None:
        """
        Connect to a proxy first.

        @param build: the next call of L{buildProtocol} returns the protocol that this
            function builds.
        @param proxy: the proxy, for reports.
        """
        self._first = build
        self._proxy = proxy
        self.unfinished = f"connecting to the proxy {proxy}"

    def failed(self, reason: Failure) -> None:
        """
        End the attempt. If the first proxy was not reached, the failure names it.
        """
        if self._first is not None:
            notReached(reason, self._proxy)
        self._connector.attemptFailed(reason, self)

    def waitFor(self, pending: Deferred[_Result], unfinished: str = "") -> None:
        """
        Wait for a lookup, an endpoint or a proxy, which will be cancelled if the
        attempt is.

        @param pending: the Deferred to cancel.
        @param unfinished: the name of this step, for the message after a timeout; empty
            to keep the last name.
        """
        self._stop = pending.cancel
        self.unfinished = unfinished or self.unfinished

    def run(self, race: Race) -> None:
        """
        Start a race.
        """
        self._stop = race.cancel
        self.candidates = race.candidates
        race.advance()

    def release(self) -> Callable[[], object] | None:
        """
        Drop the reference to the lookup, endpoint, proxy or race, to break the
        reference cycle with it.

        @return: a function that cancels it; None if nothing has started.
        """
        stop, self._stop = self._stop, None
        return stop


@implementer(IConnector)
class Connector:
    """
    A connector for any destination. Like Twisted's connectors, it also reports failed
    attempts and lost connections to its factory, which endpoints do not (Twisted's
    ticket 6592).

    @ivar state: C{"disconnected"}, C{"connecting"} or C{"connected"}, as in Twisted's
        connectors.
    """

    __slots__ = (
        "_attempt",
        "_candidates",
        "_destination",
        "_factory",
        "_protocol",
        "_reactor",
        "_timeout",
        "state",
    )

    def __init__(
        self,
        factory: ClientFactory,
        destination: Destination,
        reactor: object,
        timeout: float,
    ) -> None:
        """
        @param factory: the client.
        @param timeout: the client's time limit for an attempt in seconds.
        """
        self._factory = factory
        self._destination = destination
        self._reactor = reactor
        self._timeout = timeout
        self._candidates: Sequence[Candidate] = ()
        self._attempt: ConnectAttempt | None = None
        self._protocol: Any = None
        self.state = "disconnected"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._destination} {self.state}>"

    def getDestination(self) -> IAddress:
        """
        @return: the address connected to.
        """
        return self._destination.address

    @property
    def timeout(self) -> float | None:
        """
        The time limit for an attempt in seconds; None if the user's endpoint determines
        it.
        """
        return self._destination.limit(self._timeout)

    @property
    def tried(self) -> dict[IAddress, Failure | State]:
        """
        The result of each address in the last attempt, in the order in which they were
        tried; empty for endpoints, which do not report it.
        """
        attempt = self._attempt
        candidates = self._candidates if attempt is None else attempt.candidates
        addressOf = self._destination.addressOf
        return {addressOf(each.host): each.result for each in candidates}

    @property
    def unfinished(self) -> str:
        """
        The step that the current attempt waits for, for messages; empty if messages
        need not name it.
        """
        return "" if self._attempt is None else self._attempt.unfinished

    def connect(self) -> None:
        """
        Start an attempt.

        @raise RuntimeError: if there is an attempt or a connection.
        """
        if self.state != "disconnected":
            raise RuntimeError(f"cannot connect while {self.state}")
        self.state = "connecting"
        attempt = self._attempt = ConnectAttempt(self)
        self._factory.doStart()
        try:
            self._factory.startedConnecting(self)
        except BaseException:
            self._over()
            self._doStop()
            raise
        if self._attempt is attempt:
            # It was not cancelled in startedConnecting.
            self._destination.connect(self._reactor, attempt)

    def buildProtocol(
        self, addr: IAddress | None, attempt: ConnectAttempt
    ) -> IProtocol | None:
        """
        @return: the protocol of the factory; None if the attempt has ended.
        """
        if attempt is not self._attempt:
            return None
        return self._factory.buildProtocol(addr)

    def attemptFailed(self, reason: Failure, attempt: ConnectAttempt) -> None:
        """
        Report that an attempt has failed, unless it has ended.
        """
        if attempt is self._attempt:
            self._over()
            self._factory.clientConnectionFailed(self, reason)
            self._doStop()

    def _over(self) -> None:
        self._endAttempt()
        self._protocol = None
        self.state = "disconnected"

    def _endAttempt(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.release()
            self._candidates = tuple(attempt.candidates)

    def _doStop(self) -> None:
        # If the factory has called connect() in the meantime, Twisted's connectors skip
        # this call and the next call of doStart(), which has the same effect.
        self._factory.doStop()

    def stopConnecting(self) -> None:
        """
        Cancel the attempt. It fails with a
        L{UserError<twisted.internet.error.UserError>}.

        @raise NotConnectingError: if there is none.
        """
        attempt = self._attempt
        if attempt is None or self.state != "connecting":
            raise NotConnectingError("we're not trying to connect")
        stop = attempt.release()
        self._over()
        try:
            if stop is not None:
                # The canceller of an endpoint may raise.
                stop()
        finally:
            self._factory.clientConnectionFailed(self, Failure(UserError()))
            self._doStop()

    def disconnect(self) -> None:
        """
        Cancel the attempt, or close the connection.
        """
        if self.state == "connecting":
            self.stopConnecting()
        elif self.state == "connected":
            self._protocol.transport.loseConnection()

    def connectionMade(self, protocol: IProtocol) -> None:
        """
        The attempt has succeeded, because the protocol has a transport. (It is not
        enough that the protocol was built: an endpoint may fail after that, or hang.)
        """
        self.state = "connected"
        self._protocol = protocol
        self._endAttempt()

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is lost. Its protocol reports this, since endpoints do not.
        """
        self._over()
        self._factory.clientConnectionLost(self, reason)
        self._doStop()
