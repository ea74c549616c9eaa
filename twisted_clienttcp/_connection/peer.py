"""
Addresses of peers: the address of a server behind proxies, and addresses as text.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import attrs
from twisted.internet.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
)
from twisted.internet.interfaces import IAddress
from zope.interface import implementer

from .._details import oneLine


@implementer(IAddress)
@attrs.frozen
class ProxiedAddress:
    """
    The address of a server that is reached through proxies.

    @ivar host: the host name or IP address of the server. The last proxy resolves a
        host name.
    @ivar port: the port of the server.
    @ivar proxies: the proxies, as URLs without user and password.
    """

    host: str
    port: int
    proxies: tuple[str, ...]

    def __str__(self) -> str:
        server = hostAndPort(self.host, self.port)
        return f"{server} through {' and '.join(self.proxies)}"


def hostAndPort(host: str, port: int) -> str:
    """
    @return: the host and the port as in a URL, with an IPv6 address in brackets (RFC
        3986, 3.2.2).
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def addressText(address: object, join: Callable[[str, int], str] = hostAndPort) -> str:
    """
    @param address: an C{IAddress}; None if it is unknown.
    @param join: joins a host and a port.

    @return: the address as text, for messages and the log; C{"?"} for None.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        return join(address.host, address.port)
    if isinstance(address, HostnameAddress):
        return join(address.hostname.decode(), address.port)
    if isinstance(address, UNIXAddress):
        return oneLine(os.fsdecode(address.name or "an unnamed socket"))
    return "?" if address is None else oneLine(str(address))
