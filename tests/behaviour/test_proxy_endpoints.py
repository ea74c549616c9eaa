"""
Tests that L{ProxyEndpoint} treats a factory and its protocols as Twisted's endpoints
do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

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
