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

#: The callbacks of a client, except C{preConnect}, whose result matters.
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


#: The seconds after which a test that waits for the network fails. A test that passes
#: never waits that long, even on a busy machine.
GUARD = 60

#: For C{suppress} of a test in which C{bind} fails: Twisted does not close such a
#: socket, which has neither an address nor a port.
UNBOUND = suppress(
    category=ResourceWarning,
    message=r"unclosed <socket\.socket fd=\d+, .*, laddr=\('0\.0\.0\.0', 0\)>",
)

#: Sizes that are private to the package, but that a test can observe, in bytes: of a
#: chunk passed to the transport, of the largest read, and of the data that may wait
#: behind an awaited result. C{tests.unit} compares them with those in the package.
CHUNK = 64 * 1024
LARGE_READ = 1024 * 1024
BACKLOG = 64 * 1024


#: Ports below those that systems choose for connections, and for servers that ask for a
#: free port, so that no other process gets one of them. Each process starts at another.
_ports = itertools.count(os.getpid() * 97)


def suppressing(
    *warnings: Any,
) -> Callable[
    [Callable[[Any], Coroutine[Any, Any, None]]], Callable[[Any], Deferred[None]]
]:
    """
    Suppress warnings in a test that is a coroutine. C{suppress} of trial alone ends
    when the coroutine has been created, before it runs.
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
    The server's side of a connection. It stays open after the client has ended its
    side.

    @ivar received: all bytes that were received.
    @ivar ended: a Deferred that fires with them when the client has ended its side.
    @ivar lost: a Deferred that fires when the connection is lost.
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
        @return: a Deferred that fires with all received bytes when they contain this
            data.
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
    A server on a free port of the loopback interface, with a L{Peer} for each
    connection.

    @ivar port: its port, once it listens.
    @ivar peers: all peers until now.
    @ivar met: called with each new peer.
    @ivar heard: called with a peer and the data that it has just received.
    @ivar left: called with a peer whose client has ended its side; by default, it
        closes the connection.
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
    A client's callbacks, which record their calls.

    @ivar events: the calls in their order: the name of the callback; with the record
        for C{serverInput}, and with operation and error number for C{connectError} and
        C{serverError}.
    @ivar on: functions to call by the callback with that name, with its arguments.
    @ivar failures: the failures that callbacks were called with; C{stopped} may add
        None.
    @ivar disconnections: the arguments of C{disconnected}.
    """

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.on: dict[str, Callable[..., object]] = {}
        self.failures: list[Any] = []
        self.disconnections: list[Any] = []

    def parameters(self, *without: str) -> dict[str, Any]:
        """
        @return: the callbacks as parameters of a client, without those of these names.
        """
        return {name: self.callback(name) for name in CALLBACKS if name not in without}

    def marks(self, high: int, low: int) -> dict[str, Any]:
        """
        @return: marks and their callbacks, as parameters of a client.
        """
        names = ("serverHigh", "serverLow")
        callbacks = {name: self.callback(name) for name in names}
        return {"highMark": high, "lowMark": low, **callbacks}

    def callback(self, name: str) -> Callable[..., object]:
        """
        @return: the callback with this name.
        """

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
    Tests over the loopback interface. When a test ends, all sockets are closed.
    """

    timeout = GUARD

    async def listen(self, server: Server | None = None, port: int = 0) -> Server:
        """
        Start a server.

        @param server: the server; None for a new one.
        @param port: its port; 0 for a free one.
        """
        server = Server() if server is None else server
        endpoint = TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")
        listening = await endpoint.listen(server)
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        server.port = listening.getHost().port
        return server

    def listeningSocket(
        self, family: int, receiveBuffer: int
    ) -> tuple[socket.socket, dict[str, Any]]:
        """
        @param receiveBuffer: the size in bytes of the buffers of TCP connections.

        @return: a blocking socket that listens, for a peer that the test plays, and its
            address as parameters of a client.
        """
        listening = socket.socket(family)
        self.addCleanup(listening.close)
        if family == socket.AF_UNIX:
            path = self.socketPath()
            listening.bind(path)
            address: dict[str, Any] = {"remoteAddress": path, "domain": family}
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receiveBuffer)
            listening.bind(("127.0.0.1", 0))
            host, port = listening.getsockname()
            address = {"remoteAddress": host, "remotePort": port}
        listening.listen()
        return listening, address

    def socketPath(self) -> str:
        """
        @return: a path for a UNIX socket. In the folder of a clone, it could be longer
            than the operating system allows.
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
        @return: a client of a server, which is shut down when the test ends. By
            default, it does not retry.
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
    @return: a Deferred that fires in the next turn of the reactor.
    """
    waiter: Deferred[None] = Deferred()
    reactor.callLater(0, waiter.callback, None)
    return waiter


#: The socket option for the idle time, which has another name on macOS.
KEEP_IDLE: Any = getattr(socket, "TCP_KEEPIDLE", None) or getattr(
    socket, "TCP_KEEPALIVE", None
)


def keepAliveSettings(client: ClientTCPFactory) -> list[int]:
    """
    @return: the keepalive options of the client's socket: whether it is enabled (0 or
        1), the idle time, the interval and the count.
    """
    transport: Any = client.server and client.server.transport
    read = transport.socket.getsockopt
    return [
        int(read(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0),
        read(socket.IPPROTO_TCP, KEEP_IDLE),
        read(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        read(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    ]
