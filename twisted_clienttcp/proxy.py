"""
Proxies: SOCKS 5 (RFC 1928), HTTP CONNECT (RFC 9110, 9.3.6), and chains of these. The
client has the setting C{proxy} for them; this module offers the same as an endpoint,
for any protocol.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ._connecting.connector import ConnectAttempt
from ._connecting.destination import Address
from ._connecting.proxied import Proxied
from ._connecting.proxies import Proxy
from ._connecting.target import Target
from ._connection.peer import ProxiedAddress
from ._details import ConnectTimeout
from ._validators import seconds

__all__ = ["ProxiedAddress", "Proxy", "ProxyEndpoint"]


@implementer(IStreamClientEndpoint)
class ProxyEndpoint:
    """
    An endpoint that connects through a proxy, or a chain of proxies.

    The transport of the protocol is Twisted's own or, if the last proxy is an C{https}
    one, a transport that behaves like it: C{startTLS} starts TLS with the server, and
    until then the transport does not provide C{ISSLTransport}, because the proxy can
    read everything. The factory is called with a L{ProxiedAddress}. As with
    Twisted's endpoints, it is started before each connection and stopped after that.
    """

    def __init__(
        self,
        reactor: Any,
        proxy: str | Proxy | Iterable[str | Proxy] | None,
        host: str,
        port: int,
        timeout: float = 30,
    ) -> None:
        """
        @param reactor: the reactor to connect with.
        @param proxy: the value of the client's setting: a URL such as
            C{"socks5://user:password@proxy.example:1080"}, a L{Proxy}, several of these
            for a chain, or C{"environment"}. If there is none for this server, the
            endpoint connects directly, as the client does.
        @param host: the host name or IP address of the server. The last proxy looks up
            a name.
        @param port: its port.
        @param timeout: the seconds that an attempt may take, from the lookup of the
            first proxy's name to the last proxy's answer.

        @raise TypeError: if a parameter has the wrong type.
        @raise ValueError: if C{proxy} does not describe a proxy, or another parameter
            is not valid.
        @raise ImportError: if the proxy needs an extra that is not installed.
        """
        self._reactor = reactor
        self._timeout = seconds("timeout", timeout)
        destination = Target(host, port, proxy=proxy).current
        assert isinstance(destination, (Address, Proxied))
        self._destination = destination

    def __repr__(self) -> str:
        return f"<ProxyEndpoint {self._destination}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect to the server through the proxies.

        @param protocolFactory: the factory of the protocol.

        @return: a Deferred that fires with the protocol, or fails: with a L{ProxyError
            <twisted_clienttcp.errors.ProxyError>}, a L{TLSError
            <twisted_clienttcp.errors.TLSError>} if TLS with a proxy has failed, or an
            error of Twisted.
        """
        return _Connecting(
            self._reactor, self._destination, protocolFactory, self._timeout
        ).done


class _Connecting:
    """
    An attempt of an endpoint.

    @ivar done: the result of the endpoint.
    """

    def __init__(
        self,
        reactor: Any,
        destination: Address | Proxied,
        factory: IProtocolFactory,
        timeout: float,
    ) -> None:
        self._destination = destination
        self._factory = factory
        self._timeout = timeout
        self._attempt = ConnectAttempt(self, factory)
        self._deadline = reactor.callLater(timeout, self._expired)
        self.done: Deferred[IProtocol] = Deferred(self._cancelled)
        if isinstance(destination, Proxied):
            destination.connect(reactor, self._attempt, self.connected)
        else:
            destination.connect(reactor, self._attempt)

    def _expired(self) -> None:
        unfinished = self._attempt.unfinished or f"connecting to {self._destination}"
        problem = f"{unfinished} has not finished in time"
        self.fail(Failure(ConnectTimeout(problem, "timeout", self._timeout)))

    def _cancelled(self, done: Deferred[IProtocol]) -> None:
        self.fail(Failure(ConnectingCancelledError(self._destination.address)))

    def fail(self, reason: Failure) -> None:
        """
        End the attempt.
        """
        if self._deadline.active():
            self._deadline.cancel()
        stop = self._attempt.release()
        if not self.done.called:
            self.done.errback(reason)
        if stop is not None:
            stop()

    def connected(self, protocol: IProtocol) -> None:
        """
        The protocol has its transport.
        """
        self._deadline.cancel()
        self.done.callback(protocol)

    # -- what the attempt calls

    def buildProtocol(
        self, addr: IAddress | None, attempt: ConnectAttempt
    ) -> IProtocol | None:
        assert addr is not None
        protocol = self._factory.buildProtocol(addr)
        if protocol is None or isinstance(self._destination, Proxied):
            return protocol
        return _Direct(self, protocol)

    def attemptFailed(self, reason: Failure, attempt: ConnectAttempt) -> None:
        self.fail(reason)


class _Direct(Protocol):
    """
    Passes the transport of a connection without a proxy on to the protocol.
    """

    def __init__(self, connecting: _Connecting, protocol: IProtocol) -> None:
        self._connecting = connecting
        self._protocol = protocol

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.protocol = self._protocol
        try:
            self._protocol.makeConnection(transport)
        except BaseException:
            # The reactor logs the error, and closes the transport.
            self._connecting.fail(Failure())
            raise
        if self._connecting.done.called:
            # The protocol has cancelled the attempt.
            transport.abortConnection()
        else:
            self._connecting.connected(self._protocol)
