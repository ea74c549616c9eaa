"""
From an endpoint to an C{IConnector}.
"""

from __future__ import annotations

from typing import Any, Protocol

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


class Tried(Protocol):
    """
    One of the addresses of a name that was tried.
    """

    @property
    def address(self) -> IAddress:
        """
        The address.
        """

    @property
    def failure(self) -> Failure | None:
        """
        How it has failed; None if it has not.
        """


class Place(Protocol):
    """
    Where to connect to.
    """

    @property
    def address(self) -> IAddress:
        """
        What is connected to.
        """

    def limit(self, timeout: float) -> float | None:
        """
        @param timeout: the seconds that the client allows.

        @return: the seconds after which the endpoint gives up; None if only it knows.
        """

    def endpoint(self, reactor: Any, timeout: float, tried: list[Tried]) -> Any:
        """
        @param timeout: the seconds after which it gives up by itself.
        @param tried: where it notes the addresses of a name.

        @return: the C{IStreamClientEndpoint} for one attempt.
        """


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
    One attempt of a connector: what its endpoint takes for the factory.

    @ivar result: what the endpoint has returned.
    """

    __slots__ = ("_connector", "result")

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

    def failed(self, reason: Failure) -> None:
        """
        It has failed.
        """
        self._connector._failed(reason, self)


@implementer(IConnector)
class EndpointConnector:
    """
    An C{IConnector} by way of endpoints, which tell their factory
    neither of attempts that fail nor of connections that are lost (Twisted's ticket
    6592); this tells it as Twisted's own connectors do.

    @ivar state: "disconnected", "connecting" or "connected", as in Twisted's.
    """

    __slots__ = (
        "_attempt",
        "_factory",
        "_place",
        "_protocol",
        "_reactor",
        "_timeout",
        "_tried",
        "state",
    )

    def __init__(
        self,
        factory: ConnectorFactory,
        place: Place,
        reactor: Any,
        timeout: float,
    ) -> None:
        """
        @param timeout: the seconds after which an endpoint gives up by itself.
        """
        self._factory = factory
        self._place = place
        self._reactor = reactor
        self._timeout = timeout
        self._tried: list[Tried] = []
        self._attempt: Attempt | None = None
        self._protocol: Any = None
        self.state = "disconnected"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._place} {self.state}>"

    def getDestination(self) -> IAddress:
        """
        @return: the address connected to.
        """
        return self._place.address

    @property
    def timeout(self) -> float | None:
        """
        The seconds after which the endpoint gives up by itself; None if only the
        endpoint knows it.
        """
        return self._place.limit(self._timeout)

    @property
    def tried(self) -> dict[IAddress, Failure | None]:
        """
        What has become of each address in the last attempt, in the order in which they
        were tried; nothing where the endpoint does not note it.
        """
        return {one.address: one.failure for one in self._tried}

    def connect(self) -> None:
        """
        Begin an attempt.

        @raise RuntimeError: if there is one, or a connection.
        """
        if self.state != "disconnected":
            raise RuntimeError(f"cannot connect while {self.state}")
        self.state = "connecting"
        self._tried = []
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
        attempt.result = maybeDeferred(self._begin, attempt)
        attempt.result.addErrback(attempt.failed)

    def _begin(self, attempt: Attempt) -> Any:
        endpoint = self._place.endpoint(self._reactor, self._timeout, self._tried)
        return endpoint.connect(attempt)

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
        if self._attempt is not None:
            self._attempt.result = None

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection made through this connector is lost. Its protocol says so,
        since no endpoint does.
        """
        self._over()
        self._factory.clientConnectionLost(self, reason)
        self._rest()
