"""
From an endpoint to an C{IConnector}.
"""

from __future__ import annotations

from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import NotConnectingError, UserError
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer


@attrs.frozen
class Destination:
    """
    Where to connect to.

    @ivar endpoint: what connects.
    @ivar address: what it connects to.
    @ivar tried: if that is a name, the addresses that it has and that the last attempt
        has tried, each with its failure; None for one that had not failed.
    """

    endpoint: Any
    address: IAddress
    tried: dict[IAddress, Failure | None] | None = None

    def __str__(self) -> str:
        return str(self.address)


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
class _Attempt:
    """
    One attempt of a connector: what its endpoint takes for the factory.
    """

    def __init__(self, connector: EndpointConnector) -> None:
        self._connector = connector
        self.result: Deferred[Any] | None = None

    def doStart(self) -> None:
        "The connector has said so."

    def doStop(self) -> None:
        "The connector will say so."

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """
        @return: the factory's protocol; None, which closes the connection, if this
            attempt has been given up meanwhile.
        """
        return self._connector._build(self, addr)


@implementer(IConnector)
class EndpointConnector:
    """
    An C{IConnector} over any C{IStreamClientEndpoint}. Endpoints tell their factory
    neither of attempts that fail nor of connections that are lost (Twisted's ticket
    6592); this tells it as Twisted's own connectors do.

    @ivar state: "disconnected", "connecting" or "connected", as in Twisted's.
    """

    def __init__(self, destination: Destination, factory: ConnectorFactory) -> None:
        self._destination = destination
        self._factory = factory
        self._attempt: _Attempt | None = None
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
        attempt = self._attempt = _Attempt(self)
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
        endpoint: IStreamClientEndpoint = self._destination.endpoint
        attempt.result = result = maybeDeferred(endpoint.connect, attempt)
        result.addErrback(self._failed, attempt)

    def _build(self, attempt: _Attempt, addr: IAddress | None) -> IProtocol | None:
        if attempt is not self._attempt:
            return None
        return self._factory.buildProtocol(addr)

    def _failed(self, reason: Failure, attempt: _Attempt) -> None:
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
        if attempt.result is not None:
            attempt.result.cancel()
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

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection made through this connector is lost. Its protocol says so,
        since no endpoint does.
        """
        self._over()
        self._factory.clientConnectionLost(self, reason)
        self._rest()
