"""
Proxies: their URLs, chains of proxies, and proxies from environment variables.

User and password are parts of the URL. They never appear in a message, a C{repr} or a
traceback: the errors that this module raises do not contain the rejected value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from .. import _tls
from .._connection.peer import hostAndPort
from .._validators import oneOf
from . import addresses, httpconnect
from .addresses import Host
from .dialogue import Credentials, Dialogue, redacted
from .httpconnect import HTTPConnect
from .socks import SOCKS5

#: The value of C{proxy} that stands for the proxy in the environment variables.
ENVIRONMENT = "environment"

#: The dialogue for each scheme, and the default port.
_SCHEMES: dict[str, tuple[type[SOCKS5] | type[HTTPConnect], int | None]] = {
    "socks5": (SOCKS5, 1080),
    # curl's name for a proxy that resolves the name itself. With us, all proxies do.
    "socks5h": (SOCKS5, 1080),
    "http": (HTTPConnect, None),
    "https": (HTTPConnect, None),
}

_EXAMPLE = "'socks5://user:password@host:1080' or 'http://host:3128'"

#: The greatest length of a user, a password or a host name in SOCKS 5, in bytes.
_LONGEST = 255


class WrongProxy(ValueError):
    """
    The setting C{proxy} has a wrong value.

    @ivar reason: what is wrong, and what to do.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"proxy: {reason}")
        self.reason = reason


class Proxy:
    """
    A proxy.

    @ivar scheme: the scheme of its URL.
    @ivar host: its host.
    @ivar port: its port.
    """

    __slots__ = ("_credentials", "_speak", "_tls", "host", "port", "scheme")

    def __init__(self, url: str, tls: object = True) -> None:
        """
        @param url: C{"socks5://user:password@host:1080"}, C{"http://host:3128"} or
            C{"https://host:443"}. User and password may be left out; special characters
            in them are percent-encoded (RFC 3986, 2.1). Only for SOCKS is there a
            default port.
        @param tls: for C{https}, how to verify the proxy: like the setting C{tls} of
            the client.

        @raise TypeError: if the URL is not text, or C{tls} has the wrong type.
        @raise ValueError: if it is not the URL of a proxy.
        @raise ImportError: if the scheme needs an extra that is not installed.
        """
        scheme, user, host, port = _parsed(url)
        self.scheme = scheme
        self._speak, defaultPort = _SCHEMES[scheme]
        try:
            self.host = addresses.host("proxy", host)
        except ValueError:
            raise WrongProxy(
                "the host of the URL is neither a host name nor an IP address"
            ) from None
        if port:
            self.port = int(port)
        elif defaultPort is not None:
            self.port = defaultPort
        else:
            raise WrongProxy(
                f"the URL has no port; add it, as in '{scheme}://host:3128'"
            )
        if not 1 <= self.port <= 65535:
            raise WrongProxy(f"the port must be from 1 to 65535, not {port}")
        self._credentials = None if user is None else _credentialsOf(user, self._speak)
        self._tls: IOpenSSLClientConnectionCreator | None = None
        if self._speak is HTTPConnect:
            httpconnect.require(f"proxy='{scheme}://...'")
        if scheme == "https":
            _tls.require("proxy='https://...'")
            given = _tls.checkOptions("tls of the proxy", tls)
            self._tls = (
                _tls.platformOptions(self.host.name)
                if isinstance(given, bool)
                else given
            )
        elif tls is not True:
            raise WrongProxy(f"tls is only for https, not for {scheme}: omit it")

    def __str__(self) -> str:
        return f"{self.scheme}://{hostAndPort(self.host.name, self.port)}"

    def __repr__(self) -> str:
        return f"<Proxy {self}>"

    @property
    def tlsOptions(self) -> IOpenSSLClientConnectionCreator | None:
        """
        The options for TLS with the proxy; None for no TLS.
        """
        return self._tls

    def dialogue(self, host: Host, port: int) -> Dialogue:
        """
        @param host: the server.
        @param port: the port of the server.

        @return: a new dialogue that requests a connection to it.
        """
        dialogue: Dialogue = self._speak(self._credentials, host, port)
        return dialogue

    def check(self, host: Host) -> None:
        """
        Check that a request to this proxy can name a server.

        @param host: the server.

        @raise ValueError: if it cannot.
        """
        if "%" in host.name:
            raise WrongProxy(
                f"{host.name!r} has a zone, which only this machine knows; use "
                "an address without one, or no proxy"
            )
        if self._speak is SOCKS5 and len(host.lookupName) > _LONGEST:
            raise WrongProxy(
                f"a host name has at most {_LONGEST} bytes in SOCKS 5, not "
                f"{len(host.lookupName)}"
            )

    def redacted(self, data: bytes) -> bytes:
        """
        @param data: an answer of the proxy, which may repeat what was sent to it.

        @return: the same without user and password.
        """
        return redacted(data, self._credentials)


def _parsed(url: object) -> tuple[str, str | None, str, str]:
    """
    @return: the scheme (in lower case), user and password (still percent-encoded), the
        host, and the port of a URL; an empty port if there is none.

    @raise TypeError: if the URL is not text.
    @raise ValueError: if it is not the URL of a proxy.
    """
    if not isinstance(url, str):
        raise TypeError(
            f"proxy must be a URL as str, such as {_EXAMPLE}, not {type(url).__name__}"
        )
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator:
        raise WrongProxy(f"the URL has no scheme: write it like {_EXAMPLE}")
    if scheme not in _SCHEMES:
        known = oneOf(_SCHEMES)
        raise WrongProxy(f"the scheme of the URL must be {known}, not {scheme!r}")
    user, at, authority = rest.rpartition("@")
    found = re.fullmatch(r"(\[[^][]*\]|[^][:/?#]+)(?::([0-9]{1,9}))?/?", authority)
    if found is None:
        raise WrongProxy(
            f"the URL must end in a host and a port, as in {_EXAMPLE}; "
            "percent-encode special characters in the password"
        )
    host, port = found.groups()
    return scheme, user if at else None, host.strip("[]"), port or ""


def _credentialsOf(text: str, speak: object) -> Credentials:
    """
    @param text: user and password, percent-encoded, with a colon between them.
    @param speak: the class of the dialogue.

    @return: user and password.

    @raise ValueError: if the dialogue cannot send them.
    """
    user, _, password = text.partition(":")
    credentials = unquote_to_bytes(user), unquote_to_bytes(password)
    if not credentials[0]:
        raise WrongProxy("the URL has a password, but no user; add the user")
    if speak is SOCKS5 and max(map(len, credentials)) > _LONGEST:
        raise WrongProxy(
            f"user and password have at most {_LONGEST} bytes each in SOCKS 5 "
            "(RFC 1929)"
        )
    if speak is HTTPConnect and b":" in credentials[0]:
        raise WrongProxy("for HTTP, the user must not contain a colon (RFC 7617, 2)")
    return credentials


class Route:
    """
    The setting C{proxy}, which chooses the proxies for a server.

    @ivar isDemanded: True if every connection must use a proxy. It is False for
        C{"environment"}, which applies only to servers with a host and a port.
    """

    def __init__(self, given: object) -> None:
        """
        @param given: the value of the setting: a URL, a L{Proxy}, a sequence of these
            for a chain, C{"environment"}, or None.

        @raise Exception: see L{Proxy}.
        """
        self.isDemanded = given is not None and given != ENVIRONMENT
        self._chain: tuple[Proxy, ...] = ()
        self._excepted: tuple[str, ...] = ()
        if given == ENVIRONMENT:
            url, self._excepted = fromEnvironment(os.environ)
            if url:
                self._chain = _chainOf("http://" + url if "://" not in url else url)
        elif given is not None:
            self._chain = _chainOf(given)

    def __bool__(self) -> bool:
        return bool(self._chain)

    def to(self, host: Host, port: int) -> tuple[Proxy, ...]:
        """
        @return: the proxies for a server, in the order from the client to the server;
            empty to connect directly.

        @raise ValueError: if a request to one of them cannot name the next one or the
            server.
        """
        if not self._chain or isExcepted(host, port, self._excepted):
            return ()
        for proxy, following in zip(
            self._chain, (*(each.host for each in self._chain[1:]), host), strict=True
        ):
            proxy.check(following)
        return self._chain


def _chainOf(given: object) -> tuple[Proxy, ...]:
    if isinstance(given, (str, Proxy)) or not isinstance(given, Iterable):
        given = (given,)
    chain = tuple(
        each if isinstance(each, Proxy) else Proxy(each)  # type: ignore[arg-type]
        for each in given
    )
    if not chain:
        raise WrongProxy("the sequence is empty; pass at least one proxy, or None")
    return chain


def fromEnvironment(environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """
    @return: the URL of the proxy, empty for none, and the servers to connect to
        directly. As in curl, a variable in lower case takes precedence.
    """

    def read(name: str) -> str:
        return environ.get(name.lower()) or environ.get(name) or ""

    excepted = re.split("[, ]+", read("NO_PROXY").strip().lower())
    return read("ALL_PROXY").strip(), tuple(filter(None, excepted))


def isExcepted(host: Host, port: int, excepted: Iterable[str]) -> bool:
    """
    @param excepted: the items of C{NO_PROXY}, each with or without C{:port}: C{*}, a
        host name, a domain (for all names in it), an IP address, or a network such as
        C{10.0.0.0/8}.

    @return: True if one of them matches the server.
    """
    for item in excepted:
        found = re.fullmatch(r"\[(.*)\](?::(.*))?|([^:]*):([0-9]+)", item)
        name, number = item, None
        if found is not None:
            name = found[1] or found[3] or ""
            number = found[2] or found[4]
        if number not in (None, str(port)):
            continue
        if name == "*" or (
            _isInNetwork(host.name, name)
            if host.family is not None
            else _isInDomain(host.name, name.removeprefix("*").strip("."))
        ):
            return True
    return False


def _isInDomain(host: str, domain: str) -> bool:
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _isInNetwork(host: str, network: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]) in ip_network(network, strict=False)
    except ValueError:
        # The item is a name.
        return False
