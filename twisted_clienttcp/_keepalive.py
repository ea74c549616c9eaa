"""
The kernel's own watch over a connection that is silent (RFC 9293, 3.8.4).
"""

from __future__ import annotations

import socket
from typing import Any

from ._check import KEEP_IDLE, KeepAlive


def keepAlive(transport: Any, wanted: KeepAlive) -> None:
    """
    Have the kernel probe a silent peer, or not. A transport that is no TCP connection
    is left alone.

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
