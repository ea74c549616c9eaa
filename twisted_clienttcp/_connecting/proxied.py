"""
A server behind proxies, as a destination.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.interfaces import IAddress, IProtocol

from .._connection.peer import ProxiedAddress
from .addresses import Host
from .connector import ConnectAttempt
from .destination import Address, UserEndpoint
from .proxies import Proxy, Route
from .tunnel import Tunnel


@attrs.frozen
class Proxied:
    """
    The address of a server behind proxies.

    @ivar first: the first proxy.
    @ivar proxies: all proxies, in the order from the client to the server.
    @ivar host: the host of the server.
    @ivar port: the port of the server.
    """

    first: Address
    proxies: tuple[Proxy, ...]
    host: Host
    port: int

    #: Connections are not TLS unless the client starts it.
    isSecure = False

    def __str__(self) -> str:
        return str(self.address)

    @property
    def name(self) -> str:
        """
        The name that the server's certificate must have.
        """
        return self.host.name

    @property
    def address(self) -> ProxiedAddress:
        "See L{Destination<twisted_clienttcp._connecting.connector.Destination>}."
        return ProxiedAddress(self.host.name, self.port, tuple(map(str, self.proxies)))

    def addressOf(self, host: str) -> IAddress:
        "See L{Destination<twisted_clienttcp._connecting.connector.Destination>}."
        return self.first.addressOf(host)

    def limit(self, timeout: float) -> float | None:
        "See L{Destination<twisted_clienttcp._connecting.connector.Destination>}."
        return self.first.limit(timeout)

    def connect(
        self,
        reactor: Any,
        attempt: ConnectAttempt,
        connected: Callable[[IProtocol], object] = lambda protocol: None,
    ) -> None:
        """
        Start an attempt.

        @param connected: called with the protocol for the server when it has got its
            transport.
        """

        def build(addr: IAddress | None) -> IProtocol:
            tunnel = Tunnel(
                self.proxies, self.host, self.address, attempt.buildProtocol, reactor
            )
            names = " and ".join(self.address.proxies)
            attempt.waitFor(tunnel.done, f"the dialogue with {names}")
            tunnel.done.addCallbacks(connected, attempt.failed)
            return tunnel.next()

        attempt.buildFirst(build, str(self.proxies[0]))
        self.first.connect(reactor, attempt)


def through(
    route: Route, destination: Address | UserEndpoint
) -> Address | UserEndpoint | Proxied:
    """
    @return: the destination, reached through the proxies for it if there are any.

    @raise TypeError: if it cannot be reached through a proxy, but must be.
    @raise ValueError: see L{Route.to}.
    """
    if isinstance(destination, Address) and destination.port is not None:
        proxies = route.to(destination.host, destination.port)
        if not proxies:
            return destination
        # The other settings, such as the local address, apply to the first proxy.
        first = attrs.evolve(destination, host=proxies[0].host, port=proxies[0].port)
        return Proxied(first, proxies, destination.host, destination.port)
    if route.isDemanded:
        raise TypeError(
            f"proxy cannot be used with {str(destination)!r}, which has no host and "
            "port; instead of an endpoint, pass a twisted_clienttcp.proxy.ProxyEndpoint"
        )
    return destination
