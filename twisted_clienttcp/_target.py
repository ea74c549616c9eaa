"""
Where a client connects to: an address or an endpoint, checked when it is given.
"""

from __future__ import annotations

from socket import AF_UNIX
from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import (
    IReactorPluggableNameResolver,
    IStreamClientEndpoint,
)
from zope.interface import implementer

from . import _check
from ._connector import Address, Destination, EndpointAddress, destinationFor


class Target:
    """
    What C{remoteAddress}, C{remotePort}, C{endpoint}, C{domain}, C{bindAddress} and
    C{bindPort} say together; or nothing, if somebody else's connector knows.
    """

    def __init__(
        self,
        *,
        remoteAddress: object,
        remotePort: object,
        endpoint: object,
        domain: object,
        bindAddress: object,
        bindPort: object,
        reactor: Any,
    ) -> None:
        """
        @param reactor: what an endpoint's description is judged with; None if that is
            not to be installed yet.

        @raise TypeError: if one is of the wrong type, missing or too many.
        @raise ValueError: if one is out of its range.
        """
        self._domain = _check.domain(domain)
        self._binding = _check.binding(bindAddress, bindPort, self._domain)
        self._address: Address | None = None
        self._text = endpoint if isinstance(endpoint, str) else None
        self._endpoint = _endpointFrom(endpoint, reactor)
        if remoteAddress is not None or remotePort is not None:
            self._set(remoteAddress, remotePort)
        if self._endpoint is not None:
            _excludeAddress(
                remoteAddress=remoteAddress,
                remotePort=remotePort,
                domain=domain,
                bindAddress=bindAddress,
                bindPort=bindPort,
            )

    @property
    def known(self) -> bool:
        """
        Whether there is anything to connect to.
        """
        return self._address is not None or self._endpoint is not None

    def __str__(self) -> str:
        if self._address is not None:
            return str(self._address)
        return self._text or str(self._endpoint)

    def move(self, address: object, port: object) -> None:
        """
        Be another address.

        @param address: as C{remoteAddress}; None for the present one.
        @param port: as C{remotePort}; None for the present one.

        @raise TypeError: if one is of the wrong type, or missing.
        @raise ValueError: if it cannot be an address or a port.
        """
        known = self._address
        self._set(
            known.host if address is None and known else address,
            known.port if port is None and known else port,
        )
        self._endpoint = self._text = None

    def _set(self, address: object, port: object) -> None:
        if address is None:
            raise TypeError("remotePort needs remoteAddress too")
        host = _check.host("remoteAddress", address, self._domain)
        if self._domain == AF_UNIX:
            if port is not None:
                raise TypeError("remotePort is not for domain=AF_UNIX: leave it out")
            number = None
        elif port is None:
            raise TypeError("remoteAddress needs remotePort too")
        else:
            number = _check.port("remotePort", port)
        self._address = Address(host, number, self._domain, self._binding)

    def destination(self, reactor: Any, timeout: float) -> Destination:
        """
        @param timeout: the seconds after which an endpoint gives up by itself.

        @return: where the next attempt goes.
        """
        if self._address is not None:
            return destinationFor(reactor, self._address, timeout)
        endpoint = self._endpoint
        if self._text is not None:
            endpoint = clientFromString(reactor, self._text)
        return Destination(endpoint, EndpointAddress(endpoint))


def _endpointFrom(endpoint: Any, reactor: Any) -> Any:
    """
    @raise TypeError: if it is none, nor the description of one.
    @raise ValueError: if it describes none.
    """
    if endpoint is None or IStreamClientEndpoint.providedBy(endpoint):
        return endpoint
    if not isinstance(endpoint, str):
        raise TypeError(
            "endpoint must provide IStreamClientEndpoint or be a string such as "
            f"'tcp:host:port', not {endpoint!r}"
        )
    try:
        # The installed reactor is not needed before the start, so it is not
        # installed now.
        return clientFromString(reactor or _Unknown(), endpoint)
    except Exception as e:
        raise ValueError(
            f"endpoint: {endpoint!r} describes no client endpoint ({e}); give one "
            "as 'tcp:host:port'"
        ) from e


def _excludeAddress(**parameters: object) -> None:
    """
    @raise TypeError: if one is given beside an endpoint.
    """
    for name, value in parameters.items():
        if value is not None:
            raise TypeError(
                f"endpoint and {name} exclude each other: the endpoint says where to "
                "connect to"
            )


@implementer(IReactorPluggableNameResolver)
class _Unknown:
    """
    Stands for a reactor where only the description of an endpoint is judged.
    """

    nameResolver = None

    def installNameResolver(self, resolver: Any) -> Any:
        "It has none."
