"""
A tunnel through proxies: one dialogue after another on a connected transport, which is
then passed to the protocol of the client.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IProtocol,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .. import _tls
from .._connection.peer import ProxiedAddress
from .._raising import caught
from ..errors import ProxyError, TLSError
from .addresses import Host
from .dialogue import RESPONSE_LIMIT, Dialogue, Refusal
from .proxies import Proxy


class Tunnel:
    """
    The tunnel to one server through a chain of proxies.

    @ivar done: a Deferred that fires with the protocol for the server when it has got
        its transport. Cancelling it aborts the transport.
    """

    __slots__ = ("_address", "_build", "_clock", "_host", "_left", "_transport", "done")

    def __init__(
        self,
        proxies: Sequence[Proxy],
        host: Host,
        address: ProxiedAddress,
        build: Callable[[IAddress], IProtocol | None],
        clock: IReactorTime,
    ) -> None:
        """
        @param proxies: the proxies, in the order from the client to the server.
        @param host: the server.
        @param address: the address of the server, for reports.
        @param build: called with this address when the last proxy has agreed; returns
            the protocol, or None if it is no longer wanted.
        @param clock: the reactor.
        """
        self._left = list(proxies)
        self._host = host
        self._address = address
        self._build = build
        self._clock = clock
        self._transport: Any = None
        self.done: Deferred[IProtocol] = Deferred(lambda done: self._abort())

    def next(self) -> IProtocol:
        """
        @return: the protocol for the next proxy or, after the last one, for the server.

        @raise NoProtocol: if the protocol for the server is no longer wanted.
        """
        if not self._left:
            protocol = self._build(self._address)
            if protocol is None:
                raise NoProtocol()
            return protocol
        proxy = self._left.pop(0)
        if self._left:
            host, port = self._left[0].host, self._left[0].port
        else:
            host, port = self._host, self._address.port
        hop = Hop(self, proxy, proxy.dialogue(host, port))
        if proxy.tlsOptions is None:
            return hop
        # This imports OpenSSL.
        from .proxytls import secured

        return secured(proxy.tlsOptions, hop, self._clock)

    def use(self, transport: Any) -> None:
        """
        Set the transport to abort when the tunnel fails.

        @param transport: the transport to the current proxy; None if it is lost.
        """
        self._transport = transport

    def agreed(self, transport: Any, rest: bytes) -> None:
        """
        A proxy has connected the transport to the next proxy or to the server: pass the
        transport to the next protocol.

        @param transport: the transport.
        @param rest: the bytes after the proxy's answer.
        """
        isComplete = not self._left
        try:
            protocol = self.next()
        except BaseException:
            # Building a protocol calls the user's code.
            self.fail(caught(self._clock))
            return
        if self.done.called:
            # The user's code has cancelled the tunnel.
            return
        unread = None
        if _tls.endsAtProxy(transport):
            # TLS with a proxy is our own class, which can take back the bytes.
            transport.wrappedProtocol = protocol
            transport.unread(rest)
        else:
            transport.protocol = protocol
            unread = _Unread(rest, transport, self._clock) if rest else None
        try:
            protocol.makeConnection(transport)
        except BaseException:
            # As with Twisted's transports, the reactor logs the error.
            self.fail(Failure())
            raise
        if self.done.called:
            return
        if isComplete:
            self.done.callback(protocol)
        if unread is not None:
            unread.deliver()

    def fail(self, failure: Failure) -> None:
        """
        Abort the transport, and report the failure.
        """
        if not self.done.called:
            self._abort()
            self.done.errback(failure)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abortConnection()


class _Unread:
    """
    Bytes from the server that have arrived with the proxy's answer. Twisted's transport
    has already passed them on, so it cannot hold them back if the next protocol pauses
    it. Until they are delivered, methods of this object replace those of the transport.
    """

    #: The methods of the transport that are replaced.
    _METHODS = ("pauseProducing", "resumeProducing", "abortConnection")

    __slots__ = ("_clock", "_data", "_isPaused", "_transport")

    def __init__(self, data: bytes, transport: Any, clock: IReactorTime) -> None:
        self._data = data
        self._transport = transport
        self._clock = clock
        self._isPaused = False
        for name in self._METHODS:
            setattr(transport, name, getattr(self, name))

    def _call(self, name: str) -> None:
        getattr(type(self._transport), name)(self._transport)

    def pauseProducing(self) -> None:
        """
        Pause the transport, and hold the bytes back.
        """
        self._isPaused = True
        self._call("pauseProducing")

    def resumeProducing(self) -> None:
        """
        Deliver the bytes in the next turn of the reactor, and resume the transport only
        then.
        """
        self._isPaused = False
        if self._data:
            self._clock.callLater(0, self.deliver)
        else:
            self._call("resumeProducing")

    def abortConnection(self) -> None:
        """
        Abort the transport, and drop the bytes.
        """
        self._data = b""
        self._call("abortConnection")

    def deliver(self) -> None:
        """
        Deliver the bytes, unless the transport is paused or has ended.
        """
        transport, data = self._transport, self._data
        if self._isPaused or not data:
            return
        self._data = b""
        for name in self._METHODS:
            delattr(transport, name)
        if transport.disconnecting or transport.disconnected:
            return
        transport.resumeProducing()
        try:
            # The protocol may have changed, for example to TLS.
            transport.protocol.dataReceived(data)
        except BaseException:
            # The reactor does this only for exceptions during a read.
            transport.abortConnection()
            raise


@implementer(IHandshakeListener)
class Hop(Protocol):
    """
    The dialogue with one proxy.
    """

    def __init__(self, tunnel: Tunnel, proxy: Proxy, dialogue: Dialogue) -> None:
        self._tunnel = tunnel
        self._proxy = proxy
        self._dialogue = dialogue
        self._response = bytearray()
        self._isHandshaking = proxy.tlsOptions is not None

    def connectionMade(self) -> None:
        """
        Start the dialogue, unless a TLS handshake must come first.
        """
        self._tunnel.use(self.transport)
        if not self._isHandshaking:
            self._start()
        elif (broken := _tls.setupFailure(self.transport)) is not None:
            self._tunnel.fail(broken)

    def handshakeCompleted(self) -> None:
        """
        Start the dialogue, if this was the handshake with the proxy and the proxy's
        certificate is valid.
        """
        if self._isHandshaking and _tls.verified(self.transport):
            self._isHandshaking = False
            self._start()

    def _start(self) -> None:
        self._write(self._dialogue.start())

    def _write(self, data: bytes) -> None:
        transport: Any = self.transport
        if data:
            transport.write(data)

    def dataReceived(self, data: bytes) -> None:
        """
        Continue the dialogue with the proxy's answer.
        """
        dialogue = self._dialogue
        if dialogue.rest is not None or self._tunnel.done.called:
            return
        self._response += data[: RESPONSE_LIMIT - len(self._response)]
        try:
            output = dialogue.receive(data)
        except Refusal as refusal:
            self._refused(str(refusal))
            return
        self._write(output)
        if dialogue.rest is not None:
            self._tunnel.agreed(self.transport, dialogue.rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Fail if the transport is lost before the proxy has agreed.
        """
        if self._dialogue.rest is not None or self._tunnel.done.called:
            return
        # abortConnection() of a lost TLS layer would raise.
        self._tunnel.use(None)
        reason = _tls.explained(reason, self.transport, self._isHandshaking)
        if isinstance(reason.value, TLSError):
            error = TLSError(f"proxy {self._proxy}: {reason.value}")
            error.__cause__ = reason.value.__cause__
            self._tunnel.fail(Failure(error))
        elif reason.check(ConnectionDone, ConnectionLost):
            self._refused("closed the connection before it had answered")
        else:
            self._tunnel.fail(reason)

    def _refused(self, text: str) -> None:
        response = self._proxy.redacted(bytes(self._response))
        self._tunnel.fail(Failure(ProxyError(str(self._proxy), text, response)))
