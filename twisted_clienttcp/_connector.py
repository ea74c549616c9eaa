"""
From an endpoint to an C{IConnector}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import NotConnectingError, UserError
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IProtocol,
    IProtocolFactory,
)
from twisted.python.failure import Failure
from zope.interface import implementer


class Destination(Protocol):
    """
    Where to connect to.
    """

    @property
    def address(self) -> IAddress:
        """
        What is connected to.
        """

    @property
    def tried(self) -> dict[IAddress, Failure | None] | None:
        """
        If that is a name, the addresses that it has and that the last attempt has
        tried, each with its failure; None for one that had not failed.
        """

    def connect(self, attempt: Attempt) -> Callable[[], object]:
        """
        Begin an attempt.

        @return: what gives it up.
        """


@attrs.frozen
class ByEndpoint:
    """
    What an endpoint connects to.

    @ivar endpoint: the endpoint.
    @ivar address: as in L{Destination}.
    @ivar tried: as in L{Destination}.
    """

    endpoint: Any
    address: IAddress
    tried: dict[IAddress, Failure | None] | None = None

    def __str__(self) -> str:
        return str(self.address)

    def connect(self, attempt: Attempt) -> Callable[[], object]:
        "As L{Destination}'s."
        result: Deferred[Any] = maybeDeferred(self.endpoint.connect, attempt)
        result.addErrback(attempt.failed)
        return result.cancel


@attrs.frozen
class ByAddress:
    """
    An IP address: for this the reactor's own connector will do, and the detour of an
    endpoint costs as much as all the rest.

    @ivar host: the literal.
    @ivar port: the port.
    @ivar kind: the class of C{address}.
    @ivar options: what else C{connectTCP} is told.
    """

    reactor: Any
    host: str
    port: int
    kind: Any
    options: tuple[float, tuple[str, int] | None]
    tried: None = None

    @property
    def address(self) -> IAddress:
        "As L{Destination}'s."
        address: IAddress = self.kind("TCP", self.host, self.port)
        return address

    def __str__(self) -> str:
        return str(self.address)

    def connect(self, attempt: Attempt) -> Callable[[], object]:
        "As L{Destination}'s."
        connector = self.reactor.connectTCP(
            self.host, self.port, attempt, *self.options
        )
        stop: Callable[[], object] = connector.stopConnecting
        return stop


class ConnectorFactory(Protocol):
    """
    The part of a C{ClientFactory} that a connector needs.
    """

    def doStart(self) -> None:
        "The factory is used by one more."

    def doStop(self) -> None:
        "The factory is used by one less."

    def startedConnecting(self, connector: Any) -> None:
        "An attempt has begun."

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        "There is a connection."

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        "The attempt has failed."

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        "The connection is lost."


@implementer(IProtocolFactory)
class Attempt:
    """
    One attempt of a connector: what its destination takes for the factory.

    @ivar cancel: gives it up.
    """

    __slots__ = ("_connector", "cancel")

    def __init__(self, connector: EndpointConnector) -> None:
        self._connector = connector
        self.cancel: Callable[[], object] | None = None

    def doStart(self) -> None:
        "The connector has said so."

    def doStop(self) -> None:
        "The connector will say so."

    def startedConnecting(self, connector: Any) -> None:
        "Likewise."

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """
        @return: the factory's protocol; None, which closes the connection, if this
            attempt has been given up meanwhile.
        """
        return self._connector._build(self, addr)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """
        It has failed.
        """
        self.failed(reason)

    def failed(self, reason: Failure) -> None:
        """
        It has failed.
        """
        self._connector._failed(reason, self)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        "The protocol will say so."


@implementer(IConnector)
class EndpointConnector:
    """
    An C{IConnector} over any L{Destination}. Endpoints tell their factory
    neither of attempts that fail nor of connections that are lost (Twisted's ticket
    6592); this tells it as Twisted's own connectors do.

    @ivar state: "disconnected", "connecting" or "connected", as in Twisted's.
    """

    __slots__ = ("_attempt", "_destination", "_factory", "_protocol", "state")

    def __init__(self, destination: Destination, factory: ConnectorFactory) -> None:
        self._destination = destination
        self._factory = factory
        self._attempt: Attempt | None = None
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
    def tried(self) -> dict[IAddress, Failure | None]:
        """
        The addresses of the name connected to that the last attempt has tried, in that
        order, each with its failure; with None if it has answered, or had not yet when
        the attempt was over. Empty where no name is looked up here.
        """
        return dict(self._destination.tried or {})

    def connect(self) -> None:
        """
        Begin an attempt.

        @raise RuntimeError: if there is one, or a connection.
        """
        if self.state != "disconnected":
            raise RuntimeError(f"cannot connect while {self.state}")
        self.state = "connecting"
        if self._destination.tried:
            self._destination.tried.clear()
        attempt = self._attempt = Attempt(self)
        self._factory.doStart()
        try:
            self._factory.startedConnecting(self)
        except BaseException:
            self._over()
            self._rest()
            raise
        if self._attempt is not attempt:
            # Given up from inside startedConnecting.
            return
        try:
            attempt.cancel = self._destination.connect(attempt)
        except Exception:
            attempt.failed(Failure())

    def _build(self, attempt: Attempt, addr: IAddress | None) -> IProtocol | None:
        if attempt is not self._attempt:
            return None
        return self._factory.buildProtocol(addr)

    def _failed(self, reason: Failure, attempt: Attempt) -> None:
        if attempt is self._attempt and self.state == "connecting":
            self._over()
            self._factory.clientConnectionFailed(self, reason)
            self._rest()

    def _over(self) -> None:
        self._attempt = None
        self._protocol = None
        self.state = "disconnected"

    def _rest(self) -> None:
        # Twisted's connectors say so unless they have been made to connect again;
        # then they do not call doStart() again either. The sum is the same.
        self._factory.doStop()

    def stopConnecting(self) -> None:
        """
        Give up the attempt; it fails with a
        L{UserError<twisted.internet.error.UserError>}.

        @raise NotConnectingError: if there is none.
        """
        attempt = self._attempt
        if attempt is None or self.state != "connecting":
            raise NotConnectingError("we're not trying to connect")
        self._over()
        if attempt.cancel is not None:
            attempt.cancel()
        self._factory.clientConnectionFailed(self, Failure(UserError()))
        self._rest()

    def disconnect(self) -> None:
        """
        Give up the attempt or close the connection, whichever there is.
        """
        if self.state == "connecting":
            self.stopConnecting()
        elif self.state == "connected":
            self._protocol.transport.loseConnection()

    def connectionMade(self, protocol: Any) -> None:
        """
        The protocol has its transport: there is nothing left to give up. (To have built
        the protocol is not enough; an endpoint may still fail, or never go on.)
        """
        self.state = "connected"
        self._protocol = protocol
        if self._attempt is not None:
            self._attempt.cancel = None

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection made through this connector is lost. Its protocol says so,
        since no endpoint does.
        """
        self._over()
        self._factory.clientConnectionLost(self, reason)
        self._rest()
