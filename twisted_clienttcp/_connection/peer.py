"""
The address of a server behind a proxy.
"""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IAddress
from zope.interface import implementer


@implementer(IAddress)
@attrs.frozen
class ProxiedAddress:
    """
    The address of a server that is reached through proxies.

    @ivar host: the host name or IP address of the server. The last proxy looks up a
        name.
    @ivar port: its port.
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
    @return: both as in a URL: an IPv6 address in brackets (RFC 3986, 3.2.2).
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
