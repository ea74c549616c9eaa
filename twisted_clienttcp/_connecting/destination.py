"""
One destination of a client, and how to connect to it: L{Address} or L{UserEndpoint}.
Destinations behind proxies are in L{proxied<twisted_clienttcp._connecting.proxied>},
and descriptions such as C{"tcp:host:port"} in
L{endpoints<twisted_clienttcp._connecting.endpoints>}.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
from twisted.internet.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
)
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from .._connection.peer import hostAndPort
from .._raising import caught
from . import addresses
from .connector import ConnectAttempt
from .resolving import ATTEMPT_DELAY, Candidate, Race, interleaved, lookUp


@attrs.frozen
class Address:
    """
    The address of a server: the name or IP address of a host with a port, or the path
    of a UNIX socket. L{connect} resolves a name, and tries the IP addresses.

    @ivar host: the host or, with C{AF_UNIX}, the path.
    @ivar port: the port; None with C{AF_UNIX}.
    @ivar domain: the address family to use; None for any.
    @ivar binding: the local address and port; None for any.
    @ivar timeout: the longest time in seconds that an attempt at one of its IP
        addresses may take; None for no limit.
    @ivar options: the options of its sockets.
    """

    host: addresses.Host
    port: int | None
    domain: int | None = None
    binding: tuple[str, int] | None = None
    timeout: float | None = None
    options: tuple[addresses.SocketOption, ...] | None = None

    #: Connections are not TLS unless the client starts it.
    isSecure = False

    def __str__(self) -> str:
        host = self.host.name
        return host if self.port is None else hostAndPort(host, self.port)

    @property
    def name(self) -> str | None:
        """
        The name that the server's certificate must have; None for a UNIX socket.
        """
        return None if self.port is None else self.host.name

    @property
    def address(self) -> IAddress:
        "See L{Destination}."
        name = self.host.name
        if self.port is None or self.host.family is not None:
            return self.addressOf(name)
        address: IAddress = HostnameAddress(name.encode("ascii"), self.port)
        return address

    def addressOf(self, host: str) -> IAddress:
        "See L{Destination}."
        address: IAddress
        if self.port is None:
            address = UNIXAddress(host)
        elif ":" in host:
            address = IPv6Address("TCP", host, self.port)
        else:
            address = IPv4Address("TCP", host, self.port)
        return address

    def limit(self, timeout: float) -> float:
        "See L{Destination}."
        return timeout if self.timeout is None else min(timeout, self.timeout)

    def connect(self, reactor: object, attempt: ConnectAttempt) -> None:
        "See L{Destination}."
        host = self.host
        if self.port is None or host.family is not None:
            self._race([host.name], reactor, attempt)
        else:
            lookup = lookUp(reactor, host.lookupName, self.domain)
            attempt.waitFor(lookup)
            lookup.addCallback(interleaved)
            lookup.addCallbacks(
                self._race, attempt.failed, callbackArgs=(reactor, attempt)
            )

    def _race(self, hosts: list[str], reactor: Any, attempt: ConnectAttempt) -> None:
        """
        Try the IP addresses (or the path) until one connects.
        """
        # A second socket cannot be bound to the same port.
        delay = None if self.binding and self.binding[1] else ATTEMPT_DELAY
        attempt.run(
            Race(
                hosts,
                reactor,
                partial(self._start, reactor),
                attempt.buildProtocol,
                attempt.failed,
                delay,
                attempt.factory,
            )
        )

    def _start(self, reactor: Any, host: str, candidate: Candidate) -> IConnector:
        """
        Start the attempt at one IP address (or at the path).
        """
        connector: IConnector
        if self.port is None:
            connector = reactor.connectUNIX(host, candidate, self.timeout)
        else:
            connector = reactor.connectTCP(
                host, self.port, candidate, self.timeout, self.binding
            )
        if self.options:
            self._setOptions(connector, candidate)
        return connector

    def _setOptions(self, connector: Any, candidate: Candidate) -> None:
        # Twisted's connectors call connect(2) in the next turn of the reactor.
        try:
            handle = connector.transport.getHandle()
        except AttributeError:
            # There is no socket. The connector will report the reason.
            return
        try:
            for option in self.options or ():
                handle.setsockopt(*option)
        except Exception:
            candidate.fail(Failure())
            connector.disconnect()


@implementer(IAddress)
@attrs.frozen
class EndpointAddress:
    """
    The address of a user's endpoint, about which only the endpoint itself is known.

    @ivar endpoint: the endpoint, or the string that describes it.
    """

    endpoint: object

    def __str__(self) -> str:
        return str(self.endpoint)


@attrs.define
class UserEndpoint:
    """
    A user's endpoint, which connects in its own way.

    @ivar given: the endpoint, or a string that describes it.
    @ivar isSecure: True if it is known to speak TLS itself.
    """

    given: object
    isSecure: bool = False
    #: The endpoint, once it has been used.
    _endpoint: Any = None

    #: The name for a certificate is not known.
    name = None

    def __str__(self) -> str:
        return str(self.given)

    @property
    def address(self) -> IAddress:
        "See L{Destination}."
        address: IAddress = EndpointAddress(self.given)
        return address

    def addressOf(self, host: str) -> IAddress:
        "See L{Destination}. The single addresses of an endpoint are not known."
        return self.address

    def limit(self, timeout: float) -> None:
        "See L{Destination}."

    def connect(self, reactor: object, attempt: ConnectAttempt) -> None:
        "See L{Destination}."
        connecting = maybeDeferred(self._connect, reactor, attempt)
        attempt.waitFor(connecting)
        connecting.addErrback(attempt.failed)

    def _connect(self, reactor: Any, attempt: ConnectAttempt) -> object:
        try:
            if self._endpoint is None:
                # Do this only once: for TLS, it reads the platform's trust roots.
                isText = isinstance(self.given, str)
                self._endpoint = (
                    clientFromString(reactor, self.given) if isText else self.given
                )
            return self._endpoint.connect(attempt)
        except BaseException:
            return caught(reactor)
