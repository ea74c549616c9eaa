"""
Tests that L{ProxyEndpoint} treats a factory and its protocols as Twisted's endpoints
do.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IHandshakeListener,
    ISSLTransport,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_clienttcp.proxy import ProxyEndpoint

from .._proxies import ProxyTestCase
from .._support import Server, freePort, reactor


class Notified(Factory):
    """
    A factory that records how an endpoint calls it.

    @ivar events: the calls, and the result of the endpoint.
    @ivar stopped: a Deferred that fires when the factory has been stopped.
    """

    def __init__(self, build: Callable[[], Any]) -> None:
        self.build = build
        self.events: list[str] = []
        self.stopped: Deferred[None] = Deferred()

    def doStart(self) -> None:
        self.events.append("doStart")

    def doStop(self) -> None:
        self.events.append("doStop")
        self.stopped.callback(None)

    def buildProtocol(self, addr: Any) -> Any:
        self.events.append("buildProtocol")
        return self.build()

    def connected(self, result: Any) -> None:
        """
        The Deferred of the endpoint has fired.
        """
        isFailure = isinstance(result, Failure)
        self.events.append(type(result.value if isFailure else result).__name__)


class Closing(Protocol):
    """
    A protocol that closes its connection.
    """

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.loseConnection()


def fail() -> None:
    """
    Raise an exception.
    """
    raise ZeroDivisionError


class FactoryTests(ProxyTestCase):
    """
    The calls of the factory are the same as with Twisted's endpoints.
    """

    async def outcome(self, endpoint: Any, step: str) -> list[str]:
        """
        Connect with an endpoint until the factory is stopped.

        @param step: what happens.

        @return: the calls of the factory, and the result of the endpoint.
        """
        build = {"no protocol": lambda: None, "exception": fail}.get(step, Closing)
        factory = Notified(build)
        if step == "not started":
            factory.doStart = fail  # type: ignore[method-assign]
        connecting = endpoint.connect(factory)
        connecting.addBoth(factory.connected)
        if step == "cancelled":
            connecting.cancel()
        await connecting
        if "doStart" in factory.events:
            await factory.stopped
        return factory.events

    def endpoints(self, server: Server, port: int) -> list[Any]:
        """
        @return: endpoints of Twisted, and ours without a proxy.
        """
        return [
            TCP4ClientEndpoint(reactor, "127.0.0.1", port),
            HostnameEndpoint(reactor, "127.0.0.1", port),
            ProxyEndpoint(reactor, None, "127.0.0.1", port),
        ]

    async def test_direct(self) -> None:
        """
        Without a proxy, for every way in which an attempt can end.
        """
        server = await self.listen()
        for step in (
            "closed",
            "refused",
            "cancelled",
            "no protocol",
            "exception",
            "not started",
        ):
            port = freePort() if step == "refused" else server.port
            *twisteds, ours = [
                await self.outcome(each, step) for each in self.endpoints(server, port)
            ]
            # Twisted's differ: after a refused connection, only one of them reports it
            # before it stops the factory; and one is cancelled before it starts it.
            self.assertIn(ours, twisteds, step)

    async def test_proxied(self) -> None:
        """
        Through a proxy: the factory is started before the connection to the proxy, and
        stopped when that is lost.
        """
        server = await self.listen()
        for scheme in ("socks5", "http", "https"):
            proxy = await self.proxy(scheme)
            for step, port, expected in (
                ("closed", server.port, ["buildProtocol", "Closing"]),
                ("no protocol", server.port, ["buildProtocol", "NoProtocol"]),
                ("exception", server.port, ["buildProtocol", "ZeroDivisionError"]),
                ("refused", freePort(), ["ProxyError"]),
                ("cancelled", server.port, ["ConnectingCancelledError"]),
            ):
                endpoint = ProxyEndpoint(reactor, self.url(proxy), "server.test", port)
                self.assertEqual(
                    await self.outcome(endpoint, step),
                    ["doStart", *expected, "doStop"],
                    f"{scheme}, {step}",
                )


@implementer(IHandshakeListener, IHalfCloseableProtocol)
class User(Protocol):
    """
    A protocol that knows nothing of proxies.

    @ivar handshakes: the number of handshakes that were reported.
    @ivar data: what was received.
    @ivar lost: a Deferred that fires with the name of the error of the loss.
    """

    def __init__(self) -> None:
        self.handshakes = 0
        self.data = b""
        self.lost: Deferred[str] = Deferred()
        self._waiting: tuple[bytes, Deferred[None]] | None = None

    def handshakeCompleted(self) -> None:
        self.handshakes += 1

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if self._waiting is not None and self._waiting[0] in self.data:
            (_, waiter), self._waiting = self._waiting, None
            waiter.callback(None)

    def until(self, data: bytes) -> Deferred[None]:
        """
        @return: a Deferred that fires when this data has been received.
        """
        waiter: Deferred[None] = Deferred()
        self._waiting = data, waiter
        self.dataReceived(b"")
        return waiter

    def readConnectionLost(self) -> None:
        transport: Any = self.transport
        transport.loseConnection()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(type(reason.value).__name__)


def seen(user: User) -> dict[str, object]:
    """
    @return: what a protocol finds out from its transport.
    """
    transport: Any = user.transport
    certificate = getattr(transport, "getPeerCertificate", lambda: None)()
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    return {
        **{
            each.__name__: each.providedBy(transport)
            for each in (ITCPTransport, ITLSTransport, ISSLTransport, IConsumer)
        },
        "certificate": certificate and certificate.to_cryptography().subject,
        "noDelay": bool(transport.getTcpNoDelay()),
        "keepAlive": bool(transport.getTcpKeepAlive()),
        "disconnecting": bool(transport.disconnecting),
        "handshakes": user.handshakes,
    }


class Thrice:
    """
    A producer that writes three times, and unregisters itself.

    @ivar isActive: False to write nothing yet.
    """

    def __init__(self, consumer: Any) -> None:
        self.consumer = consumer
        self.left = 3
        self.isActive = False

    def resumeProducing(self) -> None:
        while self.isActive and self.left:
            self.left -= 1
            self.consumer.write(b"data")
            if not self.left:
                self.consumer.unregisterProducer()

    def pauseProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


class TransportTests(ProxyTestCase):
    """
    Through any proxies, a protocol has a transport that behaves like Twisted's own.
    """

    #: The schemes of the proxies; the first item is a connection without a proxy.
    ways = (
        (),
        ("socks5",),
        ("http",),
        ("https",),
        ("https", "socks5"),
        ("socks5", "https"),
        ("https", "https"),
    )

    def setUp(self) -> None:
        super().setUp()
        #: The certificate of the server.
        self.certificate = self.made.good

    async def connect(self, schemes: tuple[str, ...], server: Server) -> User:
        """
        @return: the protocol of a connection through proxies.
        """
        proxies = [await self.proxy(each) for each in schemes]
        if proxies:
            urls = [self.url(each) for each in proxies]
            endpoint: Any = ProxyEndpoint(reactor, urls, "server.test", server.port)
        else:
            endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
        factory = Factory.forProtocol(User)
        factory.noisy = False
        user: User = await endpoint.connect(factory)
        return user

    async def compared(
        self, use: Callable[[User, Server], Coroutine[Any, Any, object]]
    ) -> None:
        """
        Check that a protocol sees the same through any proxies.

        @param use: uses a protocol that is connected to a server, and returns what it
            has seen.
        """
        expected, *others = [
            await use(await self.connect(each, server), server)
            for each in self.ways
            for server in [await self.listen()]
        ]
        for way, found in zip(self.ways[1:], others, strict=True):
            self.assertEqual(found, expected, way)

    async def secured(self, user: User, server: Server) -> None:
        """
        Start TLS on both sides.
        """
        transport: Any = user.transport

        def start(peer: Any, data: bytes) -> None:
            server.heard = lambda peer, data: peer.send(data.upper())
            peer.send(b"go")
            peer.transport.startTLS(self.certificate.options())

        server.heard = start
        transport.write(b"STARTTLS")
        await user.until(b"go")
        transport.startTLS(self.options())

    async def test_clear(self) -> None:
        """
        Without TLS with the server. In particular, TLS with a proxy is not TLS with the
        server.
        """

        async def use(user: User, server: Server) -> object:
            found = seen(user)
            transport: Any = user.transport
            server.heard = lambda peer, data: peer.send(data.upper())
            transport.writeSequence([b"he", b"llo"])
            await user.until(b"HELLO")
            transport.loseConnection()
            return found, await user.lost, await server.peers[0].ended

        await self.compared(use)

    async def test_startTLS(self) -> None:
        """
        C{startTLS} starts TLS with the server.
        """

        async def use(user: User, server: Server) -> object:
            transport: Any = user.transport
            await self.secured(user, server)
            transport.write(b"hello")
            transport.writeSequence([b"wor", b"ld"])
            await user.until(b"WORLD")
            found = seen(user)
            transport.loseConnection()
            peer = server.peers[0]
            return found, user.data, await user.lost, await peer.ended

        await self.compared(use)

    async def test_wrongCertificate(self) -> None:
        """
        C{startTLS} verifies the certificate of the server, not that of a proxy.
        """

        async def use(user: User, server: Server) -> object:
            await self.secured(user, server)
            return await user.lost, user.handshakes

        self.certificate = self.made.elsewhere
        await self.compared(use)

    async def test_abort(self) -> None:
        """
        C{abortConnection}, with and without TLS with the server. (Twisted's own TLS
        layers report it in two ways.)
        """
        for isTLS in (False, True):

            async def use(user: User, server: Server, isTLS: bool = isTLS) -> object:
                transport: Any = user.transport
                if isTLS:
                    await self.secured(user, server)
                    transport.write(b"hello")
                    await user.until(b"HELLO")
                transport.abortConnection()
                return await user.lost in ("ConnectionAborted", "ConnectionLost")

            await self.compared(use)

    async def test_producer(self) -> None:
        """
        A producer that was registered before C{startTLS} continues to produce, and the
        connection closes when it has been unregistered.
        """
        for streaming in (False, True):

            async def use(
                user: User, server: Server, streaming: bool = streaming
            ) -> object:
                transport: Any = user.transport
                producer = Thrice(transport)
                transport.registerProducer(producer, streaming)
                await self.secured(user, server)
                producer.isActive = True
                if streaming:
                    producer.resumeProducing()
                await user.until(b"DATADATADATA")
                transport.loseConnection()
                return await user.lost

            await self.compared(use)

    async def test_serverEnds(self) -> None:
        """
        The server closes the connection after C{startTLS}.
        """

        async def use(user: User, server: Server) -> object:
            await self.secured(user, server)
            transport: Any = user.transport
            transport.write(b"hello")
            await user.until(b"HELLO")
            server.peers[0].close()
            return await user.lost, user.data

        await self.compared(use)
