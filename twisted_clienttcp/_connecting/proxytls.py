"""
TLS with a proxy. TLS with the server may be another layer inside it.

This module imports OpenSSL, so it is imported only where it is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import (
    ILoggingContext,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IReactorTime,
    ISSLTransport,
    ISystemHandle,
    ITLSTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer_only

from .. import _tls

#: The size of the header of a TLS record, which ends with the size of the rest in two
#: bytes (RFC 8446, 5.1).
_HEADER = 5


#: The methods of a transport that behave differently once it has started TLS.
_SECURED = (
    "abortConnection",
    "getHandle",
    "getPeerCertificate",
    "loseConnection",
    "registerProducer",
    "unregisterProducer",
    "write",
)


class _Changed:
    """
    A transport with some methods replaced.
    """

    def __init__(self, transport: Any, **methods: Callable[..., object]) -> None:
        self._transport = transport
        vars(self).update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


@implementer_only(IProtocol, ILoggingContext, ISystemHandle, ITLSTransport)
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

    The protocol above must not mistake it for TLS with the server: until L{startTLS} is
    called, it provides the interfaces of a transport without TLS, and no certificate.

    @ivar endsAtProxy: True, for L{_tls.endsAtProxy}.
    """

    endsAtProxy = True
    _hasEnded = False
    _isPaused = False
    #: How many bytes of the current TLS record have not been processed.
    _left = 0
    #: The registered producer and whether it is a push producer; None without one.
    _registered: tuple[object, bool] | None = None
    #: The TLS with the server, if L{startTLS} has been called.
    _server: TLSMemoryBIOProtocol | None = None

    def __init__(
        self, factory: TLSMemoryBIOFactory, protocol: IProtocol, clock: IReactorTime
    ) -> None:
        super().__init__(factory, protocol)  # type: ignore[no-untyped-call]
        self._clock = clock
        #: Decrypted bytes to pass on before all others.
        self._first = b""
        #: Received bytes that have not been processed.
        self._received = bytearray()

    # -- what a protocol finds out about TLS

    def getPeerCertificate(self) -> object:
        """
        @return: None: there is no certificate of the server.
        """
        return None

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """
        The protocol negotiated with the server; None if there is none.
        """
        return None if self._server is None else self._server.negotiatedProtocol

    def insert(
        self, options: Any, isClient: bool = True, below: object = None
    ) -> TLSMemoryBIOProtocol:
        """
        Start TLS with the server, between this layer and the protocol above.

        @param options: the options for TLS.
        @param isClient: True if the server is the server of the TLS handshake too.
        @param below: the transport of the new layer; None for this one.

        @return: the new layer.
        """
        none: Any = None
        factory = TLSMemoryBIOFactory(options, isClient, none, self._clock)
        # Connect a substitute: the protocol above has a transport already.
        layer: TLSMemoryBIOProtocol = factory.protocol(factory, Protocol())
        layer.makeConnection(below or self)
        layer.wrappedProtocol, self.wrappedProtocol = self.wrappedProtocol, layer
        return layer

    def startTLS(self, contextFactory: object, normal: bool = True) -> None:
        """
        Start TLS with the server, as Twisted's transports do: from now on, methods of
        this object are those of the new layer.

        @param contextFactory: the options for TLS.
        @param normal: True if the server is the server of the TLS handshake too.
        """
        registered = self._registered
        if registered is not None:
            self.unregisterProducer()
        methods = {name: getattr(self, name) for name in _SECURED}
        layer = self.insert(contextFactory, normal, _Changed(self, **methods))
        self._server = layer
        for name in _SECURED:
            setattr(self, name, getattr(layer, name))
        alsoProvides(self, ISSLTransport)
        if registered is not None:
            self.registerProducer(*registered)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """
        Register a producer.
        """
        super().registerProducer(producer, streaming)  # type: ignore[no-untyped-call]
        self._registered = producer, streaming

    def unregisterProducer(self) -> None:
        """
        Unregister the producer.
        """
        self._registered = None
        super().unregisterProducer()  # type: ignore[no-untyped-call]

    # -- reading

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
            # Drop what this layer writes from now on.
            mute: Any = _Changed(transport, write=lambda data: None)
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
