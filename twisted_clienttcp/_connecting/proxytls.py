"""
TLS with a proxy. TLS with the server may be another layer inside it.

This module imports OpenSSL, so it is imported only where it is needed.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from .. import _tls


class _Mute:
    """
    A transport that drops everything written to it.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        "Drop the bytes."


class ProxyTLS(TLSMemoryBIOProtocol):
    """
    The TLS with a proxy. (Unlike the class that newer versions of Twisted use, it
    passes on each write immediately, so that nothing is left here when the transport
    below has sent everything.)

    If there is another TLS layer above, that layer exchanges close_notify alerts with
    the server before it closes this one, and nothing is left to send. So this layer
    closes immediately, without waiting for the proxy's close_notify, which might never
    come. It does not send one either: a proxy that has already closed would answer with
    a reset, which looks like one that loses the client's last bytes.

    @ivar endsAtProxy: True, for L{_tls.endsAtProxy}.
    """

    endsAtProxy = True
    _hasEnded = False

    def loseConnection(self) -> None:
        """
        Close the transport: if this is the only TLS layer, after each side has sent a
        close_notify.
        """
        if not isinstance(self.wrappedProtocol, TLSMemoryBIOProtocol):
            super().loseConnection()  # type: ignore[no-untyped-call]
        elif not self._hasEnded:
            self._hasEnded = self.disconnecting = True
            transport: Any = self.transport
            transport.loseConnection()
            mute: Any = _Mute(transport)
            self.transport = mute

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The transport is lost.
        """
        if not self._hasEnded:
            super().connectionLost(reason)  # type: ignore[no-untyped-call]
            return
        # Without a close_notify of the proxy, this layer would report an error.
        above, self.wrappedProtocol = self.wrappedProtocol, Protocol()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        above.connectionLost(reason)


def secured(
    options: IOpenSSLClientConnectionCreator, protocol: IProtocol, clock: IReactorTime
) -> IProtocol:
    """
    Create the TLS layer for a proxy.

    @param options: the options for TLS.
    @param protocol: the protocol above, which must be an C{IHandshakeListener}.

    @return: the protocol to connect to the transport.
    """
    # There is no other factory, as in startTLS() of Twisted's transports.
    none: Any = None
    factory = TLSMemoryBIOFactory(_tls.Creator(options), True, none, clock)
    layer: IProtocol = ProxyTLS(factory, protocol)  # type: ignore[no-untyped-call]
    return layer
