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

#: The size of the header of a TLS record, which ends with the size of the rest in two
#: bytes (RFC 8446, 5.1).
_HEADER = 5


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
    passes on each write immediately. So it contains no data when the transport below
    has sent everything.)

    If there is another TLS layer above, that layer exchanges close_notify alerts with
    the server before it closes this one, and nothing is left to send. So this layer
    closes immediately, without waiting for the proxy's close_notify, which might never
    arrive. It does not send one either: a proxy that has already closed the connection
    would answer with a reset, which would look as if the client's last bytes were lost.

    While it is paused, it passes on nothing, so it can keep the first bytes from the
    server for the next protocol. (Twisted's class passes on the rest of the read.)

    @ivar endsAtProxy: True, for L{_tls.endsAtProxy}.
    """

    endsAtProxy = True
    _hasEnded = False
    _isPaused = False
    #: How many bytes of the current TLS record have not been processed.
    _left = 0

    def __init__(
        self, factory: TLSMemoryBIOFactory, protocol: IProtocol, clock: IReactorTime
    ) -> None:
        super().__init__(factory, protocol)  # type: ignore[no-untyped-call]
        self._clock = clock
        #: Decrypted bytes to pass on before all others.
        self._first = b""
        #: Received bytes that have not been processed.
        self._received = bytearray()

    def unread(self, data: bytes) -> None:
        """
        Take back bytes from the protocol above, to pass them on to the next one. The
        protocol must call this from its C{dataReceived}.
        """
        self._first = data

    def pauseProducing(self) -> None:
        """
        Process no more TLS records.
        """
        self._isPaused = True
        transport: Any = self.transport
        transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Process the TLS records that have been received, in the next turn of the
        reactor.
        """
        self._isPaused = False
        transport: Any = self.transport
        transport.resumeProducing()
        if self._first or self._received:
            self._clock.callLater(0, self._resumed)

    def stopProducing(self) -> None:
        """
        Close the transport.
        """
        self.loseConnection()

    def _resumed(self) -> None:
        if self.connected:
            try:
                self._process()
            except BaseException:
                # The reactor does this only for exceptions during a read.
                self.abortConnection()  # type: ignore[no-untyped-call]
                raise

    def dataReceived(self, data: bytes) -> None:
        """
        Process TLS records one by one, because the protocol above may pause.
        """
        self._received += data
        self._process()

    def _process(self) -> None:
        received = self._received
        while (self._first or received) and not self._isPaused:
            if self._first:
                first, self._first = self._first, b""
                if not self.disconnecting:
                    above: Any = self.wrappedProtocol
                    above.dataReceived(first)
                continue
            if not self._left:
                if len(received) < _HEADER:
                    break
                self._left = _HEADER + int.from_bytes(received[3:_HEADER], "big")
            piece = bytes(received[: self._left])
            del received[: self._left]
            self._left -= len(piece)
            super().dataReceived(piece)  # type: ignore[no-untyped-call]

    def loseConnection(self) -> None:
        """
        Close the transport. If this is the only TLS layer, wait until each side has
        sent a close_notify.
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
        Report that the transport is lost. Like Twisted's class, first pass on all
        received bytes, even if this layer is paused.
        """
        if not self._hasEnded:
            self._isPaused = False
            try:
                self._process()
            finally:
                super().connectionLost(reason)  # type: ignore[no-untyped-call]
            return
        # Bypass this layer, which would report a missing close_notify as an error.
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
    # There is no wrapped factory, as in startTLS() of Twisted's transports.
    none: Any = None
    factory = TLSMemoryBIOFactory(_tls.Creator(options, clock), True, none, clock)
    layer: IProtocol = ProxyTLS(factory, protocol, clock)
    return layer
