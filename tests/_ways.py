"""
A client that is connected over loopback sockets in every way: in clear text, by each
kind of TLS, and over a UNIX socket.
"""

from __future__ import annotations

import fcntl
import socket
import termios
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOProtocol

from twisted_clienttcp import ClientTCPFactory

from ._support import Peer, Server, reactor, turn
from ._tls import TLSTestCase, below, layer

#: The ways, by the name of what connects the client.
TLS_WAYS = ("tls", "startTLS", "endpoint", "connectSSL")
WAYS = ("tcp", "unix", *TLS_WAYS)


class WaysTestCase(TLSTestCase):
    """
    Tests with connections of every kind, whose kernels buffer little.

    @ivar clock: the client's clock, which only moves when the test moves it.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()

    async def connected(
        self, way: str, **parameters: Any
    ) -> tuple[ClientTCPFactory, Peer]:
        """
        Connect a client.

        @param way: one of L{WAYS}.

        @return: the client and its server's side of the connection.
        """
        server = Server()
        parameters = {**self.recorder.parameters(), "clock": self.clock, **parameters}
        nowhere = {"remoteAddress": None, "remotePort": None}
        options: Any = self.made.good.options()
        if way == "unix":
            path = self.socketPath()
            listening = reactor.listenUNIX(path, server)
            parameters.update(
                remoteAddress=path, remotePort=None, domain=socket.AF_UNIX
            )
        elif way in ("tcp", "startTLS"):
            listening = reactor.listenTCP(0, server, interface="127.0.0.1")
        else:
            listening = reactor.listenSSL(0, server, options, interface="127.0.0.1")
        # Its connections have the same small buffer from the beginning.
        self._shrink(listening)
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        if way != "unix":
            server.port = listening.getHost().port
        ours: Any = self.options("127.0.0.1")
        if way == "tls":
            parameters["tls"] = ours
        elif way == "startTLS":
            parameters["preConnect"] = lambda client, negotiation: negotiation.startTLS(
                ours
            )

            def heard(peer: Peer, data: bytes) -> None:
                # The client begins at once, on each connection.
                if ISSLTransport.providedBy(peer.transport):
                    return
                transport: Any = peer.transport
                peer.received = b""
                transport.startTLS(options)
                transport.protocol.dataReceived(data)

            server.heard = heard
        elif way == "endpoint":
            plain = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
            parameters.update(nowhere, endpoint=wrapClientTLS(ours, plain))
        elif way == "connectSSL":
            parameters.update(nowhere)
        client = self.client(server, **parameters)
        if way == "connectSSL":
            reactor.connectSSL("127.0.0.1", server.port, client, ours)
        else:
            client.start().addErrback(lambda failure: None)
        await self.until(lambda: client.connected and bool(server.peers))
        assert client.server is not None
        self._shrink(client.server.transport)
        peer = server.peers[0]
        if way != "unix":
            theirs: Any = peer.transport
            theirs.setTcpNoDelay(True)
        if way in TLS_WAYS:
            # With TLS 1.3, the server's handshake is completed last.
            handle = layer(peer).getHandle()
            await self.until(lambda: handle.get_peer_finished() is not None)
        return client, peer

    def _shrink(self, transport: Any) -> None:
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            transport.socket.setsockopt(socket.SOL_SOCKET, option, 4096)

    async def _stop(self, client: ClientTCPFactory) -> None:
        client.autoReconnect = False
        if client.server is not None:
            client.server.abort()
        stopped = client.shutdown()
        await self.until(lambda: bool(stopped.called))

    async def until(self, condition: Callable[[], bool]) -> None:
        """
        Let the reactor run, and the client's clock stand still, until a condition is
        true.
        """
        while not condition():
            self.clock.advance(0)
            await turn()

    # -- bytes below TLS

    def capture(self, peer: Peer, data: bytes) -> bytes:
        """
        @return: the bytes that a server's side would send for this data.
        """
        if not ISSLTransport.providedBy(peer.transport):
            return data
        captured: list[bytes] = []
        transport = below(peer)
        transport.write = captured.append
        # The method of the transport collects small writes for a turn.
        TLSMemoryBIOProtocol.write(layer(peer), data)
        del transport.write
        return b"".join(captured)

    async def deliver(self, client: ClientTCPFactory, peer: Peer, data: bytes) -> None:
        """
        Send bytes past TLS, and let the client read them.
        """
        ours: Any = client.server and client.server.transport
        theirs: Any = peer.transport
        # The session tickets of TLS 1.3 may still be there.
        theirs.doWrite()
        self.assertEqual(theirs.socket.send(data), len(data))
        # With TCP_NODELAY, data arrives at once on the loopback interface.
        await self.until(lambda: queued(ours, termios.FIONREAD) == 0)

    async def read(self, peer: Peer, size: int) -> None:
        """
        Read bytes, past the transport of a server's side.
        """
        theirs: Any = peer.transport
        while size > 0:
            try:
                data = theirs.socket.recv(min(size, 4096))
            except BlockingIOError:
                self.clock.advance(0)
                await turn()
            else:
                self.assertNotEqual(data, b"", "the client has closed the connection")
                size -= len(data)


def queued(transport: Any, request: int) -> int:
    """
    @param request: C{FIONREAD} for bytes to read, C{TIOCOUTQ} for bytes not accepted.

    @return: the bytes in a queue of the kernel.
    """
    answer = fcntl.ioctl(transport.socket, request, bytes(4))
    return int.from_bytes(answer, "little")


def addTests(case: type[WaysTestCase], ways: Iterable[str], *names: str) -> None:
    """
    Add a test for each of these ways and methods, which get the way.
    """

    def add(way: str, name: str) -> None:
        async def test(self: Any) -> None:
            await getattr(self, name)(way)

        test.__doc__ = getattr(case, name).__doc__
        setattr(case, f"test_{name}_{way}", test)

    for way in ways:
        for name in names:
            add(way, name)
