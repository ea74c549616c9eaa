"""
The setting C{endpoint}: convert endpoints, and their descriptions, to destinations.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import (
    IReactorPluggableNameResolver,
    IStreamClientEndpoint,
)
from zope.interface import implementer

from .. import _tls
from . import addresses
from .destination import Address, UserEndpoint


def tupleIfSeveral(name: str, value: object) -> object:
    """
    @return: a sequence of endpoints or proxies as a tuple, because an iterator can be
        read only once; any other value unchanged.
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
    given: object,
    options: tuple[addresses.SocketOption, ...] | None,
    reactor: object,
    name: str = "endpoint",
) -> tuple[Address | UserEndpoint, ...]:
    """
    @param name: the name of C{given}, for messages.

    @return: the destinations that C{endpoint} describes.

    @raise TypeError: if an item is neither an endpoint nor text, or cannot have socket
        options.
    @raise ValueError: if an item does not describe an endpoint, or there is none.
    """
    if not isinstance(given, tuple):
        given = (given,)
    destinations = tuple(_destinationOf(each, options, reactor, name) for each in given)
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
    options: tuple[addresses.SocketOption, ...] | None,
    reactor: object,
    name: str,
) -> Address | UserEndpoint:
    if IStreamClientEndpoint.providedBy(endpoint):
        return UserEndpoint(endpoint)
    if not isinstance(endpoint, str):
        raise TypeError(
            "endpoint must provide IStreamClientEndpoint, be a string such as "
            f"'tcp:host:port', or a sequence of these, not {endpoint!r}"
        )
    isSecure = _schemeOf(endpoint) in ("tls", "ssl")
    if isSecure:
        _tls.require(f"{name} {endpoint!r}")
    try:
        address = _described(endpoint, reactor)
    except Exception as e:
        raise ValueError(
            f"{name}: {endpoint!r} does not describe a client endpoint ({e}); pass "
            "one such as 'tcp:host:port'"
        ) from e
    if address is None:
        return UserEndpoint(endpoint, isSecure)
    return attrs.evolve(address, options=options)


def _described(description: str, reactor: object) -> Address | None:
    """
    Validate the description of an endpoint.

    @return: for C{"tcp:..."}, the address to connect to instead, because Twisted's
        endpoint does not reach hosts that have only IPv6 addresses; None for any other
        description.

    @raise Exception: if it does not describe an endpoint.
    """
    scheme = _schemeOf(description)
    if "\0" in description and scheme != "unix":
        raise ValueError("it must not contain a NUL")
    # Do not install a reactor now: none is needed before the client starts.
    recording = _RecordingReactor()
    isRecorded = scheme in ("tcp", "unix")
    endpoint: Any = clientFromString(
        recording if isRecorded or reactor is None else reactor, description
    )
    if not isRecorded:
        return None
    endpoint.connect(None)
    if scheme == "unix":
        addresses.path("endpoint", recording.path)
        return None
    host, port, timeout, binding = recording.address
    return Address(
        addresses.host("endpoint", host),
        addresses.port("endpoint", port),
        addresses.literal(binding[0]) if binding else None,
        binding,
        timeout if "timeout=" in description else None,
    )


def _schemeOf(description: str) -> str:
    return description.partition(":")[0].lower()


@implementer(IReactorPluggableNameResolver)
class _RecordingReactor:
    """
    A reactor that records how an endpoint would connect.

    @ivar address: the host, port, timeout and local address passed to C{connectTCP}.
    @ivar path: the path passed to C{connectUNIX}.
    """

    nameResolver = None
    address: tuple[str, int, float, tuple[str, int] | None]
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
        self.address = host, port, timeout, bindAddress

    def connectUNIX(self, address: str, factory: object, **options: object) -> None:
        "Record the path."
        self.path = address
