"""
Proxies for tests: one that does what the test says, and one that works.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol

from twisted_clienttcp.proxy import Proxy as ProxyURL

from ._support import Recorder, Server, reactor
from ._tls import TLSTestCase

#: An answer of each kind of proxy that agrees, after the one before.
SOCKS_AGREES = (b"\x05\x00", b"\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38")
HTTP_AGREES = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Onward(Protocol):
    """
    A connection of a proxy to a server.
    """

    def __init__(self, relay: Relay) -> None:
        self.relay = relay

    def connectionMade(self) -> None:
        self.relay.onward = self
        self.relay.reached()

    def dataReceived(self, data: bytes) -> None:
        self.relay.toClient(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.relay.onward = None
        self.relay.serverLeft()


class Relay(Protocol):
    """
    A connection of a client to a proxy that works.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.onward: Onward | None = None
        self.waiting = b""
        self.steps: Iterator[int] | None = None
        self.answer = b""

    def connectionMade(self) -> None:
        self.proxy.relays.append(self)
        self.steps = self.socks() if self.proxy.scheme == "socks5" else self.http()
        self.needed = next(self.steps)

    def socks(self) -> Iterator[int]:
        """
        Speak SOCKS 5, yielding the number of bytes needed.
        """
        yield 2
        count = self.take(2)[1]
        yield count
        methods = self.take(count)
        method = 2 if self.proxy.credentials else 0
        self.toClient(bytes((5, method if method in methods else 0xFF)))
        if method:
            yield 2
            size = self.take(2)[1]
            yield size + 1
            user, size = self.take(size), self.take(1)[0]
            yield size
            isRight = (user, self.take(size)) == self.proxy.credentials
            self.toClient(b"\x01\x00" if isRight else b"\x01\x01")
        yield 5
        *_, kind, first = self.take(5)
        size = {1: 3, 4: 15}.get(kind, first)
        yield size + 2
        name = self.take(size)
        if kind == 3:
            host = name.decode("ascii")
        else:
            family = socket.AF_INET if kind == 1 else socket.AF_INET6
            host = socket.inet_ntop(family, bytes((first,)) + name)
        self.open(host, int.from_bytes(self.take(2), "big"))
        self.answer = SOCKS_AGREES[1]

    def http(self) -> Iterator[int]:
        """
        Speak HTTP.
        """
        while b"\r\n\r\n" not in self.waiting:
            yield len(self.waiting) + 1
        head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
        self.proxy.requests.append(head)
        host, _, port = head.split(b" ")[1].decode("ascii").rpartition(":")
        self.open(host.strip("[]"), int(port))
        self.answer = HTTP_AGREES

    def take(self, size: int) -> bytes:
        taken, self.waiting = self.waiting[:size], self.waiting[size:]
        return taken

    def open(self, host: str, port: int) -> None:
        self.proxy.asked.append((host, port))
        factory = Factory.forProtocol(lambda: Onward(self))
        factory.noisy = False
        address = self.proxy.addresses.get(host, host)
        endpoint = TCP4ClientEndpoint(reactor, address, port)
        endpoint.connect(factory).addErrback(lambda failure: self.serverLeft())

    def reached(self) -> None:
        self.toClient(self.answer)
        self.dataReceived(b"")

    def dataReceived(self, data: bytes) -> None:
        self.waiting += data
        while self.steps is not None and len(self.waiting) >= self.needed:
            try:
                self.needed = next(self.steps)
            except StopIteration:
                self.steps = None
        if self.onward is not None and self.waiting:
            onward: Any = self.onward.transport
            onward.write(self.take(len(self.waiting)))

    def toClient(self, data: bytes) -> None:
        transport: Any = self.transport
        transport.write(data)

    def serverLeft(self) -> None:
        transport: Any = self.transport
        if self.proxy.closes:
            transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self.proxy.relays.remove(self)
        if self.onward is not None:
            onward: Any = self.onward.transport
            onward.loseConnection()


class Proxy(Factory):
    """
    A proxy that works.

    @ivar port: its port, once it listens.
    @ivar asked: the hosts and ports that clients have asked for.
    @ivar requests: the requests in HTTP.
    @ivar relays: the connections that are open.
    @ivar addresses: the addresses of names.
    @ivar closes: whether it closes when the server has closed.
    """

    noisy = False
    port = 0

    def __init__(
        self, scheme: str, credentials: tuple[bytes, bytes] | None = None
    ) -> None:
        self.scheme = scheme
        self.credentials = credentials
        self.asked: list[tuple[str, int]] = []
        self.requests: list[bytes] = []
        self.relays: list[Relay] = []
        self.addresses = {"server.test": "127.0.0.1", "localhost": "127.0.0.1"}
        self.closes = True

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def buildProtocol(self, addr: Any) -> Relay:
        return Relay(self)


class ScriptedProxy(Server):
    """
    A proxy that answers with the next item of a script to all that it has received by
    then, and closes the connection where the item is None.

    @ivar whole: whether an answer is sent at once, and not byte by byte.
    """

    def __init__(self, *script: bytes | None, whole: bool = True) -> None:
        super().__init__()
        self.script = list(script)
        self.heard = self.answer

    def answer(self, peer: Any, data: bytes) -> None:
        if data and self.script:
            answer = self.script.pop(0)
            if answer is None:
                peer.close()
            else:
                peer.send(answer)


class ProxyTestCase(TLSTestCase):
    """
    Tests with a proxy that works.
    """

    def setUp(self) -> None:
        super().setUp()
        #: The second arguments of C{connected}.
        self.met: list[Any] = []

    async def proxy(self, scheme: str, *credentials: bytes) -> Proxy:
        """
        Run a proxy until the test ends.
        """
        user = (credentials[0], credentials[1]) if credentials else None
        proxy = Proxy(scheme, user)
        if scheme == "https":
            listening = reactor.listenSSL(
                0, proxy, self.made.good.options(), interface="127.0.0.1"
            )
        else:
            listening = reactor.listenTCP(0, proxy, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._end, proxy)
        proxy.port = listening.getHost().port
        return proxy

    def _end(self, proxy: Proxy) -> None:
        for relay in list(proxy.relays):
            transport: Any = relay.transport
            transport.abortConnection()

    def url(self, proxy: Proxy) -> Any:
        """
        @return: the value of the setting for a proxy.
        """
        if proxy.scheme == "https":
            return ProxyURL(proxy.url, self.options("127.0.0.1"))
        return proxy.url

    async def exchange(self, server: Server, **parameters: Any) -> Any:
        """
        Send a line to a server and receive its answer, and shut down.

        @return: the disconnection.
        """
        server.heard = lambda peer, data: peer.send(data.upper())
        received: Deferred[bytes] = Deferred()
        self.recorder = recorder = Recorder()
        recorder.on["serverInput"] = lambda client, line: received.callback(line)
        given = {
            "remoteAddress": "server.test",
            **recorder.parameters(),
            **parameters,
        }
        client = self.client(server, **given)
        recorder.on["connected"] = lambda client, peer: self.met.append(peer)
        client.start().addErrback(received.errback)
        await client.whenConnected()
        client.put(b"hello")
        self.assertEqual(await received, b"HELLO")
        return await client.shutdown()
