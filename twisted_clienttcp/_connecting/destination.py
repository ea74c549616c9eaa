"""
One destination of a client: an address or a user's endpoint, and how to connect to it.
Destinations behind proxies are in L{proxied<twisted_clienttcp._connecting.proxied>}.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    IReactorPluggableNameResolver,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from .. import _tls
from .._connection.peer import hostAndPort
from .._raising import caught
from . import addresses as _addresses
from .connector import ConnectAttempt
from .resolving import ATTEMPT_DELAY, Candidate, Race, interleaved, lookUp


@attrs.frozen
class Address:
    """
    The address of a server.

    @ivar host: the host, or with C{AF_UNIX} the path.
    @ivar port: its port; None with C{AF_UNIX}.
    @ivar domain: the family to connect with; None for any.
    @ivar binding: the local address and port; None for any.
    @ivar timeout: the longest time in seconds that an attempt at one of its IP
        addresses may take; None for no limit.
    @ivar options: the options of its sockets.
    """

    host: _addresses.Host
    port: int | None
    domain: int | None = None
    binding: tuple[str, int] | None = None
    timeout: float | None = None
    options: tuple[_addresses.SocketOption, ...] | None = None

    def __str__(self) -> str:
        host = self.host.name
        return host if self.port is None else hostAndPort(host, self.port)

    #: Connections are not TLS unless the client starts it.
    secure = False

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
            )
        )

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

    def _start(self, reactor: Any, host: str, candidate: Candidate) -> IConnector:
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
            # There is no socket, and the connector will report the reason.
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
    The address of a user's endpoint. Only the endpoint itself is known.

    @ivar endpoint: the endpoint, or the string that describes it, as it was given.
    """

    endpoint: object

    def __str__(self) -> str:
        return str(self.endpoint)


@attrs.define
class UserEndpoint:
    """
    A user's endpoint.

    @ivar given: the endpoint, or a string that describes it.
    """

    given: object
    name: None = None
    port: None = None
    _built: Any = None

    def __str__(self) -> str:
        return str(self.given)

    @property
    def secure(self) -> bool:
        """
        True if it is known to speak TLS itself.
        """
        return isinstance(self.given, str) and _schemeOf(self.given) in _SECURE

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
            if self._built is None:
                # For TLS this reads the trust roots of the platform: do it only once.
                isText = isinstance(self.given, str)
                self._built = (
                    clientFromString(reactor, self.given) if isText else self.given
                )
            return self._built.connect(attempt)
        except BaseException:
            return caught(reactor)


def endpointsFrom(name: str, value: object) -> object:
    """
    @return: several endpoints as a tuple, since an iterator can be read only once;
        anything else unchanged.
    """
    if (
        value is None
        or IStreamClientEndpoint.providedBy(value)
        or not isinstance(value, Iterable)
        or isinstance(value, (str, bytes, dict, set))
    ):
        return value
    return tuple(value)


def destinationsOf(
    given: object, options: tuple[_addresses.SocketOption, ...] | None, reactor: object
) -> tuple[Address | UserEndpoint, ...]:
    """
    @return: the destinations that C{endpoint} describes.

    @raise TypeError: if an item is neither an endpoint nor text, or cannot have socket
        options.
    @raise ValueError: if an item does not describe an endpoint, or there is none.
    """
    if not isinstance(given, tuple):
        given = (given,)
    destinations = tuple(_destinationOf(each, options, reactor) for each in given)
    if not destinations:
        raise ValueError("endpoint is an empty sequence: pass at least one endpoint")
    for each in destinations:
        if options and isinstance(each, UserEndpoint):
            raise TypeError(
                f"socketOptions cannot be used with the endpoint {str(each)!r}, which "
                "makes its own sockets; use remoteAddress, or 'tcp:host:port'"
            )
    return destinations


def _destinationOf(
    endpoint: object,
    options: tuple[_addresses.SocketOption, ...] | None,
    reactor: object,
) -> Address | UserEndpoint:
    if IStreamClientEndpoint.providedBy(endpoint):
        return UserEndpoint(endpoint)
    if not isinstance(endpoint, str):
        raise TypeError(
            "endpoint must provide IStreamClientEndpoint, be a string such as "
            f"'tcp:host:port', or a sequence of these, not {endpoint!r}"
        )
    scheme = _schemeOf(endpoint)
    if scheme in _SECURE:
        _tls.require(f"endpoint {endpoint!r}")
    try:
        if "\0" in endpoint and scheme != "unix":
            raise ValueError("it must not contain a NUL")
        # No reactor is needed before the client starts, so do not install one now.
        asking = _Asking()
        described: Any = clientFromString(
            asking if scheme in ("tcp", "unix") or reactor is None else reactor,
            endpoint,
        )
        if scheme == "unix":
            described.connect(None)
            _addresses.path("endpoint", asking.path)
        if scheme != "tcp":
            return UserEndpoint(endpoint)
        # Twisted's endpoint for this description does not reach hosts that have only
        # IPv6 addresses. So use an Address instead.
        described.connect(None)
        host, port, timeout, binding = asking.asked
        return Address(
            _addresses.host("endpoint", host),
            _addresses.port("endpoint", port),
            _addresses.literal(binding[0]) if binding else None,
            binding,
            timeout if "timeout=" in endpoint else None,
            options,
        )
    except Exception as e:
        raise ValueError(
            f"endpoint: {endpoint!r} does not describe a client endpoint ({e}); pass "
            "one such as 'tcp:host:port'"
        ) from e


#: The schemes of endpoints that speak TLS themselves.
_SECURE = ("tls", "ssl")


def _schemeOf(description: str) -> str:
    return description.partition(":")[0].lower()


@implementer(IReactorPluggableNameResolver)
class _Asking:
    """
    A reactor that records the arguments with which an endpoint would connect.

    @ivar asked: host, port, timeout and local address of C{connectTCP}.
    @ivar path: the path of C{connectUNIX}.
    """

    nameResolver = None
    asked: tuple[str, int, float, tuple[str, int] | None]
    path: str

    def installNameResolver(self, resolver: object) -> Any:
        "Do nothing."

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: object,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> None:
        "Record the arguments."
        self.asked = host, port, timeout, bindAddress

    def connectUNIX(self, address: str, factory: object, **options: object) -> None:
        "Record the path."
        self.path = address
