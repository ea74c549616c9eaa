"""
The options of a TCP socket, for a transport that may have none.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IUNIXTransport

from ._check import KEEP_IDLE, KeepAlive


def noDelay(transport: Any) -> None:
    """
    Have small writes go out at once (RFC 9293, 3.7.4). A transport that is no TCP
    connection is left alone.
    """
    switch = getattr(transport, "setTcpNoDelay", None)
    # The transport of a UNIX socket has the method too, and logs that it fails.
    if switch is None or IUNIXTransport.providedBy(transport):
        return
    try:
        switch(True)
    except OSError:
        # As in keepAlive: Twisted before 25.5 does not catch this itself.
        pass


def keepAlive(transport: Any, wanted: KeepAlive) -> None:
    """
    Have the kernel probe a silent peer, or not (RFC 9293, 3.8.4). A transport that is
    no TCP connection is left alone.

    @param wanted: as the parameter of L{ClientTCPFactory
        <twisted_clienttcp.ClientTCPFactory>}.
    """
    switch = getattr(transport, "setTcpKeepAlive", None)
    if switch is None or wanted is False:
        return
    try:
        switch(True)
        # Under TLS getHandle() gives that of TLS; attributes it hands through.
        connection = getattr(transport, "socket", None)
        if wanted is not True and isinstance(connection, socket.socket):
            idle, interval, count = wanted
            connection.setsockopt(socket.IPPROTO_TCP, KEEP_IDLE, idle)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
    except OSError:
        # Some kernels refuse this for a connection that is reset already; that it is,
        # the transport will tell.
        pass


def readBeforeLoss(transport: Any, received: Callable[[], int | None]) -> None:
    """
    If a write fails because the peer has reset the connection, let a transport read the
    data that arrived before the reset, and report the loss then. The reset is consumed
    by the write, so the kernel still returns this data.

    @param transport: a transport of Twisted's for a socket.
    @param received: returns how many bytes were received; None while no more may be
        read.
    """
    write = transport.doWrite

    def doWrite() -> Any:
        lost = write()
        if isinstance(lost, ConnectionLost):
            last = -1
            # doRead() also returns None if there is nothing to read.
            while (count := received()) is not None and count > last:
                last = count
                if transport.doRead() is not None:
                    break
        return lost

    transport.doWrite = doWrite
