"""
A resolver whose answers the test chooses, without a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
)
from zope.interface import implementer


@implementer(IHostResolution)
class Resolution:
    """
    A lookup that has ended, or that never ends.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        "Do nothing."


@implementer(IHostnameResolver)
class FakeResolver:
    """
    A resolver that answers at once.

    @ivar asked: for each lookup, the name and the address types.
    """

    def __init__(self, lookUp: Callable[[str], Iterable[str] | None]) -> None:
        """
        @param lookUp: returns the addresses of a name, or None if the lookup should
            never end.
        """
        self._lookUp = lookUp
        self.asked: list[tuple[str, Any]] = []

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        self.asked.append((hostName, addressTypes))
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        addresses = self._lookUp(hostName)
        if addresses is not None:
            for address in addresses:
                kind = IPv6Address if ":" in address else IPv4Address
                if addressTypes is None or kind in addressTypes:
                    resolutionReceiver.addressResolved(kind("TCP", address, portNumber))
            resolutionReceiver.resolutionComplete()
        return resolution


@implementer(IReactorPluggableNameResolver)
class NamingReactor:
    """
    A reactor with a resolver of its own, and otherwise another reactor.
    """

    def __init__(self, reactor: Any, **names: list[str]) -> None:
        """
        @param names: addresses by name. The lookup of any other name never ends.
        """
        self._reactor = reactor
        self.nameResolver = FakeResolver(names.get)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def installNameResolver(self, resolver: Any) -> Any:
        raise NotImplementedError
