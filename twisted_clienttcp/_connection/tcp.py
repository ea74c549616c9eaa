"""
The options of TCP sockets.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import ITransport, IUNIXTransport

from .._validators import count, optionalSeconds

#: True if the kernel probes a silent peer, with its own settings; False if it does not;
#: or the seconds of silence before the first probe, the seconds between probes, and
#: the number of unanswered probes after which the connection is dropped.
KeepAlive = bool | tuple[int, int, int]

#: The socket option for the first of these numbers, which macOS calls TCP_KEEPALIVE.
KEEP_IDLE: Any = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))


def keepAliveFrom(name: str, value: object) -> KeepAlive:
    """
    Validate C{keepAlive}.

    @raise TypeError: if the value is neither a boolean nor a tuple of three numbers.
    @raise ValueError: if a number is out of range, or if the platform supports only
        True and False.
    """
    if isinstance(value, bool):
        return value
    if not isinstance(value, tuple) or len(value) != 3:
        raise TypeError(
            f"{name} must be True, False, or (idle, interval, count), as in "
            f"{name}=(60, 10, 3), not {value!r}"
        )
    if KEEP_IDLE is None or not hasattr(socket, "TCP_KEEPINTVL"):
        raise ValueError(
            f"{name} must be True or False on this platform, not {value!r}"
        )
    idle, interval, probes = value
    # The limits of Linux, which are the narrowest.
    return (
        count(f"{name}'s idle", idle, 1, 32767),
        count(f"{name}'s interval", interval, 1, 32767),
        count(f"{name}'s count", probes, 1, 127),
    )


#: The option that limits the time without acknowledgement, in milliseconds; Linux only.
USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)


def unacknowledgedTimeoutFrom(name: str, value: object) -> float | None:
    """
    Validate C{unacknowledgedTimeout}.

    @raise TypeError: if the value is neither a number nor None.
    @raise ValueError: if it is not from 0.001 to 2,000,000 seconds (23 days), or if the
        platform does not support it.
    """
    seconds = optionalSeconds(name, value)
    if seconds is not None and USER_TIMEOUT is None:
        raise ValueError(f"{name} must be None on this platform, not {value!r}")
    if seconds is not None and not 0.001 <= seconds <= 2_000_000:
        raise ValueError(f"{name} must be from 0.001 to 2000000 seconds, not {value!r}")
    return seconds


def unacknowledgedTimeout(transport: object, seconds: float) -> None:
    """
    Make the kernel drop the connection if sent data, or a keepalive probe, is not
    acknowledged in time (TCP_USER_TIMEOUT; RFC 5482). Do nothing for transports other
    than TCP.

    @param seconds: the time in seconds.
    """
    connection = getattr(transport, "socket", None)
    isTCP = hasattr(transport, "setTcpKeepAlive")
    if isTCP and isinstance(connection, socket.socket) and USER_TIMEOUT is not None:
        try:
            connection.setsockopt(
                socket.IPPROTO_TCP, USER_TIMEOUT, round(seconds * 1000)
            )
        except OSError:
            # See keepAlive().
            pass


def refuseOwnEnd(transport: ITransport, peer: object) -> None:
    """
    Refuse a connection of a socket to itself. This happens on one host if no server
    listens on a port, and the kernel chooses the same port for the client's end
    (simultaneous open; RFC 9293, 3.5).

    @param peer: the address of the peer.

    @raise ConnectionRefusedError: if the transport has the same IP address and port.
    """
    if isinstance(peer, (IPv4Address, IPv6Address)) and transport.getHost() == peer:
        raise ConnectionRefusedError(
            errno.ECONNREFUSED,
            f"the socket connected to itself: no server listens on port {peer.port}",
        )


def noDelay(transport: object) -> None:
    """
    Make the kernel send small writes immediately (RFC 9293, 3.7.4). Do nothing for
    transports other than TCP.
    """
    switch = getattr(transport, "setTcpNoDelay", None)
    # A UNIX transport also has this method, but only logs that it fails.
    if switch is None or IUNIXTransport.providedBy(transport):
        return
    try:
        switch(True)
    except OSError:
        # See keepAlive(). Twisted catches this error itself since 25.5.
        pass


def keepAlive(transport: object, wanted: KeepAlive) -> None:
    """
    Make the kernel probe a silent peer (RFC 9293, 3.8.4). Do nothing for transports
    other than TCP.

    @param wanted: a value of the setting C{keepAlive}.
    """
    switch = getattr(transport, "setTcpKeepAlive", None)
    if switch is None or wanted is False:
        return
    try:
        switch(True)
        # Not getHandle(), which under TLS returns the handle of TLS. Unknown attributes
        # of a TLS transport are those of the TCP transport.
        connection = getattr(transport, "socket", None)
        if wanted is not True and isinstance(connection, socket.socket):
            idle, interval, probes = wanted
            connection.setsockopt(socket.IPPROTO_TCP, KEEP_IDLE, idle)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, probes)
    except OSError:
        # Some kernels refuse this for a connection that has already been reset. The
        # transport will report the reset.
        pass
