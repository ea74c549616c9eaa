"""
Helpers for tests over loopback sockets: a server, recorded callbacks, a base class.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from twisted.trial.util import suppress
from zope.interface import implementer

from twisted_clienttcp import ClientTCPFactory, errorDetails

reactor: Any = _reactor

#: The callbacks of a client, but for C{preConnect}, which decides something.
CALLBACKS = (
    "started",
    "connected",
    "connectError",
    "serverInput",
    "serverError",
    "serverFlushed",
    "disconnected",
    "stopped",
)


#: The seconds after which a test that waits for the network has failed. No test waits
#: so long if it passes; other work on the machine must not make one fail.
GUARD = 60

#: For C{suppress} of a test in which C{bind} fails: Twisted leaves such a socket, which
#: has neither an address nor a port, to the garbage collector.
UNBOUND = suppress(
    category=ResourceWarning,
    message=r"unclosed <socket\.socket fd=\d+, .*, laddr=\('0\.0\.0\.0', 0\)>",
)

#: Sizes that are private to the package, but show in what a test observes: the bytes
#: that go to the transport at a time, the most that is read at once, and what may wait
#: behind an awaited result. C{tests.unit} compares them with those in the package.
CHUNK = 64 * 1024
LARGE_READ = 1024 * 1024
BACKLOG = 64 * 1024


#: Ports below those that systems give to connections and to servers that ask for a free
#: port: no other process gets one of them by chance. Each process starts elsewhere.
_ports = itertools.count(os.getpid() * 97)


def suppressing(
    *warnings: Any,
) -> Callable[
    [Callable[[Any], Coroutine[Any, Any, None]]], Callable[[Any], Deferred[None]]
]:
    """
    Suppress warnings in a test that is a coroutine. trial's C{suppress} alone ends when
    the coroutine has been made.
    """

    def decorate(
        test: Callable[[Any], Coroutine[Any, Any, None]],
    ) -> Callable[[Any], Deferred[None]]:
        @wraps(test)
        def run(self: Any) -> Deferred[None]:
            return Deferred.fromCoroutine(test(self))

        run.suppress = list(warnings)  # type: ignore[attr-defined]
        return run

    return decorate


def freePort() -> int:
    """
    @return: a port of the loopback interface on which nothing listens.
    """
    while True:
        port = 10_000 + next(_ports) % 20_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@implementer(IHalfCloseableProtocol)
class Peer(Protocol):
    """
    One connection as the server sees it, which remembers all and does what the test
    says. It survives a half-close of the client's.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.received = b""
        self.ended: Deferred[bytes] = Deferred()
        self.lost: Deferred[None] = Deferred()
        self._waiting: list[tuple[bytes, Deferred[bytes]]] = []

    def connectionMade(self) -> None:
        self.server.peers.append(self)
        self.server.met(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        waiting, self._waiting = self._waiting, []
        for awaited, waiter in waiting:
            if awaited in self.received:
                waiter.callback(self.received)
            else:
                self._waiting.append((awaited, waiter))
        self.server.heard(self, data)

    def until(self, data: bytes) -> Deferred[bytes]:
        """
        @return: fires with all received once those bytes are among it.
        """
        waiter: Deferred[bytes] = Deferred()
        self._waiting.append((data, waiter))
        self.dataReceived(b"")
        return waiter

    def readConnectionLost(self) -> None:
        if not self.ended.called:
            self.ended.callback(self.received)
        self.server.left(self)

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Any = None) -> None:
        if not self.ended.called:
            self.ended.callback(self.received)
        self.lost.callback(None)

    def send(self, data: bytes) -> None:
        transport: Any = self.transport
        transport.write(data)

    def close(self) -> None:
        transport: Any = self.transport
        transport.loseConnection()

    def reset(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


class Server(Factory):
    """
    A server of L{Peer}s on a free port of the loopback interface.

    @ivar port: its port, when it listens.
    @ivar met: called with each new peer.
    @ivar heard: called with a peer and what it has just received.
    @ivar left: called with a peer whose client has ended its side; closes by default.
    """

    noisy = False
    port = 0

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.met: Callable[[Peer], object] = lambda peer: None
        self.heard: Callable[[Peer, bytes], object] = lambda peer, data: None
        self.left: Callable[[Peer], object] = lambda peer: peer.close()

    def buildProtocol(self, addr: Any) -> Peer:
        return Peer(self)


class Recorder:
    """
    Callbacks for every event, which remember the order of the calls and can be told
    what to do.

    @ivar events: what was called: a name, or a name and what it was called with.
    @ivar on: what to do, by name of callback; called as that callback.
    """

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.on: dict[str, Callable[..., object]] = {}
        self.failures: list[Any] = []
        self.disconnections: list[Any] = []

    def parameters(self, *without: str) -> dict[str, Any]:
        """
        @return: the callbacks as parameters for a client.
        """
        return {name: self.callback(name) for name in CALLBACKS if name not in without}

    def marks(self, high: int, low: int) -> dict[str, Any]:
        """
        @return: marks and their callbacks.
        """
        names = ("serverHigh", "serverLow")
        told = {name: self.callback(name) for name in names}
        return {"highMark": high, "lowMark": low, **told}

    def callback(self, name: str) -> Callable[..., object]:
        def callback(client: ClientTCPFactory, *args: Any) -> object:
            if name == "serverInput":
                self.events.append((name, args[0]))
            elif name in ("connectError", "serverError"):
                self.failures.append(args[0])
                self.events.append((name, *errorDetails(args[0])[:2]))
            else:
                self.events.append(name)
            if name == "disconnected":
                self.disconnections.append(args[0])
            if name == "stopped":
                self.failures.append(args[0])
            if name in self.on:
                return self.on[name](client, *args)
            return None

        return callback


class NetworkTestCase(TestCase):
    """
    A test over loopback sockets, which all are closed when it ends.
    """

    timeout = GUARD

    async def listen(self, server: Server | None = None, port: int = 0) -> Server:
        """
        Start a server, on a free port if none is named.
        """
        server = Server() if server is None else server
        endpoint = TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")
        listening = await endpoint.listen(server)
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        server.port = listening.getHost().port
        return server

    def socketPath(self) -> str:
        """
        @return: a path for a socket. Below the folder of a clone it could be longer
            than the address of a socket may be.
        """
        folder = tempfile.mkdtemp(prefix="clienttcp-")
        self.addCleanup(shutil.rmtree, folder)
        return os.path.join(folder, "socket")

    async def _closeAll(self, server: Server) -> None:
        for peer in server.peers:
            if not peer.lost.called:
                peer.reset()
                await peer.lost

    def client(self, server: Server, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client of that server, which does not retry unless told so, and is
            shut down when the test ends.
        """
        given = {
            "remoteAddress": "127.0.0.1",
            "remotePort": server.port,
            "autoReconnect": False,
            **parameters,
        }
        client = ClientTCPFactory(**given)
        client.initialDelay = 0.01
        self.addCleanup(self._stop, client)
        return client

    async def _stop(self, client: ClientTCPFactory) -> None:
        client.autoReconnect = False
        if client.server is not None:
            client.server.abort()
        await client.shutdown()


def turn() -> Deferred[None]:
    """
    @return: fires in the next turn of the reactor.
    """
    waiter: Deferred[None] = Deferred()
    reactor.callLater(0, waiter.callback, None)
    return waiter


#: The option for the idle time; macOS has its own name for it.
KEEP_IDLE: Any = getattr(socket, "TCP_KEEPIDLE", None) or getattr(
    socket, "TCP_KEEPALIVE", None
)


def keepAliveSettings(client: ClientTCPFactory) -> list[int]:
    """
    @return: whether the kernel watches over the connection, and how.
    """
    transport: Any = client.server and client.server.transport
    read = transport.socket.getsockopt
    return [
        int(read(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0),
        read(socket.IPPROTO_TCP, KEEP_IDLE),
        read(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        read(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    ]
