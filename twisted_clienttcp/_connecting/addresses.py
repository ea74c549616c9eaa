"""
Validators for hosts, ports and paths.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import NamedTuple

from .._validators import imported

#: The address families of destinations.
DOMAINS = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)

#: The size in bytes of the kernel's field for the path of a socket, including the final
#: NUL.
PATH_SIZE = 108 if sys.platform.startswith("linux") else 104


def port(name: str, value: object) -> int:
    """
    Validate a port.

    @param value: a port number, or the name of a TCP service.

    @return: the number.

    @raise TypeError: if it is neither an integer nor text.
    @raise ValueError: if there is no such port or service.
    """
    if isinstance(value, str):
        if value.isdecimal():
            value = int(value)
        else:
            try:
                return socket.getservbyname(value, "tcp")
            except (OSError, ValueError):
                raise ValueError(
                    f"{name}: there is no TCP service {value!r} on this machine; "
                    "use the port number"
                ) from None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(
            f"{name} must be a port number or the name of a service, not {value!r}"
        )
    if not 1 <= value <= 65535:
        raise ValueError(f"{name} must be from 1 to 65535, not {value}")
    return value


class Host(NamedTuple):
    """
    A host, or the path of a socket.

    @ivar name: the name for TLS, reports and the log: in lower case, in ASCII (with
        A-labels; RFC 5890, 2.3.2.1), and without a final dot. An IP literal or a path
        is unchanged.
    @ivar lookupName: the name for the resolver, which includes any final dot, because
        that matters there.
    @ivar family: the address family of an IP literal; None for anything else.
    """

    name: str
    lookupName: str
    family: int | None


def host(name: str, value: object, domain: int | None = None) -> Host:
    """
    Validate a host.

    @param value: a host name, an IPv4 or IPv6 literal, or an address packed into 4 or
        16 bytes; with C{AF_UNIX} the path of a socket.
    @param domain: the family that it must have; None for any.

    @raise TypeError: if it is neither text nor bytes.
    @raise ValueError: if it cannot be the name of a host, or has another family.
    @raise ImportError: if it is not ASCII, and C{idna} is not installed.
    """
    if domain == socket.AF_UNIX:
        if not isinstance(value, str) or not value:
            raise TypeError(f"{name} must be a path as str, not {value!r}")
        value = path(name, value)
        return Host(value, value, None)
    if isinstance(value, bytes):
        if len(value) not in (4, 16):
            raise ValueError(
                f"{name}: bytes must be a packed address of 4 or 16 bytes, not "
                f"{value!r}; pass a name as str"
            )
        packed = socket.AF_INET if len(value) == 4 else socket.AF_INET6
        value = socket.inet_ntop(packed, value)
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be a host name or an IP address as str, or a packed "
            f"address as bytes, not {value!r}"
        )
    if "\0" in value:
        # C ends a string at a NUL, so another host would be looked up.
        raise ValueError(f"{name} must not contain a NUL: {value!r}")
    family = literal(value)
    if family is not None:
        if domain is not None and family != domain:
            raise ValueError(
                f"{name}: {value!r} is not an address of the domain "
                f"{socket.AddressFamily(domain).name}; omit domain, or change one of "
                "them"
            )
        return Host(value, value, family)
    lookupName = _lookupName(name, value)
    return Host(lookupName.removesuffix("."), lookupName, None)


def _lookupName(name: str, value: str) -> str:
    """
    Encode a host name by IDNA 2008, with the mapping of UTS 46. A name in ASCII is
    checked no more strictly than by resolvers: IDNA would reject C{my_service}.
    """
    why = ""
    try:
        if value.isascii():
            # This only checks the length of the labels.
            encoded = value.encode("idna").decode().lower()
        else:
            encoded = _idna(name, value)
    except UnicodeError as error:
        encoded, why = "", f" ({error})"
    if not encoded or any(c <= " " or c in ":/\x7f" for c in encoded):
        raise ValueError(
            f"{name}: {value!r} is neither a host name nor an IP address{why}; use the "
            "host alone, without scheme, port or brackets"
        )
    return encoded


def _idna(name: str, value: str) -> str:
    # The codec of the standard library is IDNA 2003, which encodes some names
    # differently.
    what = f"{name}: {value!r} is not ASCII, which"
    idna = imported("idna", what, needs="idna", extra="tls")
    encoded: bytes = idna.encode(value, uts46=True)
    return encoded.decode()


def path(name: str, value: str) -> str:
    """
    Validate the path of a UNIX socket.

    @return: the path, unchanged.

    @raise ValueError: if it is too long, or contains a NUL (except at the beginning of
        a Linux abstract name).
    """
    encoded = os.fsencode(value)
    # A name in Linux's abstract namespace begins with a NUL, and needs no final one.
    abstract = encoded.startswith(b"\0")
    most = PATH_SIZE if abstract else PATH_SIZE - 1
    if len(encoded) > most:
        raise ValueError(
            f"{name}: the path of a socket has at most {most} bytes, not "
            f"{len(encoded)}: {value!r}; use a shorter path, or one relative to the "
            "current directory"
        )
    if b"\0" in encoded and not abstract:
        raise ValueError(f"{name}: the path must not contain a NUL: {value!r}")
    return value


def literal(value: str) -> int | None:
    """
    @return: the family of an IP literal; None for anything else.
    """
    address, percent, scope = value.partition("%")
    families = [socket.AF_INET, socket.AF_INET6]
    if percent:
        # Only IPv6 has scopes (RFC 4007, 11).
        families = [socket.AF_INET6] if scope and "%" not in scope else []
    for family in families:
        try:
            socket.inet_pton(family, address)
        except (OSError, ValueError):
            continue
        return family
    return None


def domain(value: object) -> int | None:
    """
    Validate the setting C{domain}.

    @return: the value as an integer; None for any family.

    @raise ValueError: if it is neither None nor one of L{DOMAINS}.
    """
    if value is not None and value not in DOMAINS:
        known = ", ".join(f"socket.{family.name}" for family in DOMAINS)
        raise ValueError(f"domain must be one of {known} or None, not {value!r}")
    return None if value is None else int(value)  # type: ignore[call-overload]


#: A level, the name of an option of that level, and its value.
SocketOption = tuple[int, int, int | bytes]


def socketOptions(name: str, value: object) -> tuple[SocketOption, ...] | None:
    """
    Validate the setting C{socketOptions}.

    @param value: a sequence of options, each C{(level, name, value)}; None for none.

    @return: the options as a tuple of tuples; None for none.

    @raise TypeError: if it is anything else.
    """
    if value is None:
        return None
    options = value if isinstance(value, (list, tuple)) else (None,)
    for option in options:
        if not (
            isinstance(option, (list, tuple))
            and len(option) == 3
            and all(isinstance(each, int) for each in option[:2])
            and isinstance(option[2], (int, bytes))
        ):
            raise TypeError(
                f"{name} must be a list of (level, name, value) with the constants of "
                "the module socket, and values that are int or bytes, not "
                f"{value!r}"
            )
    return tuple((level, option, set_) for level, option, set_ in options) or None


def binding(
    address: object,
    port_: object,
    family: int | None,
    names: tuple[str, str] = ("bindAddress", "bindPort"),
) -> tuple[str, int] | None:
    """
    Validate a local address and port.

    @param family: the address family of the destination; None if it is unknown.
    @param names: the names of the address and the port, for messages.

    @return: the local address and port; None for any.

    @raise TypeError: if one has the wrong type.
    @raise ValueError: if one is out of range, or the family is C{AF_UNIX}.
    """
    if address is None and port_ is None:
        return None
    if family == socket.AF_UNIX:
        raise ValueError(
            "bindAddress and bindPort cannot be used with domain=AF_UNIX: omit them"
        )
    local = ""
    if address is not None:
        local, _, localFamily = host(names[0], address, family)
        if localFamily is None:
            raise ValueError(
                f"{names[0]} must be an IP address of this machine, not {address!r}"
            )
    return local, 0 if port_ is None or port_ == 0 else port(names[1], port_)
