"""
Tests against peers that read slowly, never read, or reset the connection.
"""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import DrainTimeout
from twisted_clienttcp.framing import Stream

from .._peers import MANY, NaiveClient, TalkingServer
from .._peers import CountingSocket as _Counting
from .._support import CHUNK, NetworkTestCase, Peer, Recorder, Server, reactor, turn
from .._tls import TLSTestCase, below

#: The number of runs of a test that may pass by chance.
RUNS = 20


class TalkingTests(TLSTestCase):
    """
    A peer with a small receive buffer that reads slowly and sends all the time.
    """

    timeout = 100

    def talking(self, options: Any = None) -> TalkingServer:
        """
        @param options: for TLS; none for plain TCP.
        """
        server = TalkingServer()
        if options is None:
            listening = reactor.listenTCP(0, server, interface="127.0.0.1")
        else:
            listening = reactor.listenSSL(0, server, options, interface="127.0.0.1")
        # Those accepted inherit it.
        listening.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        server.port = listening.getHost().port
        return server

    async def closing(self, server: Server, run: int, **parameters: Any) -> Any:
        """
        @return: the argument of C{disconnected} after C{shutdown} with much to send.
        """
        recorder = Recorder()
        client = self.client(
            server, framing=Stream, **{**recorder.parameters(), **parameters}
        )
        client.start()
        await client.whenConnected()
        client.put(b"x" * MANY)
        disconnection = await client.shutdown()
        self.assertEqual(len(await server.peers[run].ended), MANY)
        self.assertEqual(
            recorder.events[-3:], ["serverFlushed", "disconnected", "stopped"]
        )
        return disconnection

    async def test_everyRun(self) -> None:
        """
        20 of 20 runs deliver every byte, and are confirmed.
        """
        server = self.talking()
        for run in range(RUNS):
            end = await self.closing(server, run)
            self.assertEqual(
                (end.initiator, end.unsent, end.confirmed), ("local", 0, True)
            )

    async def test_everyRunBites(self) -> None:
        """
        The same peer loses most of what is sent by C{transport.write} and
        C{loseConnection}.
        """
        server = self.talking()
        received = 0
        for run in range(RUNS):
            endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
            await connectProtocol(endpoint, NaiveClient())
            while len(server.peers) == run:
                await turn()
            received += len(await server.peers[run].ended)
        self.assertLess(received, RUNS * MANY / 2)

    async def test_everyRunTLS(self) -> None:
        """
        20 of 20 runs deliver every byte through TLS too, which has no half-close, and
        whose session tickets are unread input.
        """
        server = self.talking(self.made.good.options())
        for run in range(RUNS):
            end = await self.closing(server, run, tls=self.options())
            self.assertEqual(
                (end.initiator, end.unsent, end.confirmed), ("local", 0, True)
            )


class FlushTests(NetworkTestCase):
    """
    Events while much output is on its way.
    """

    timeout = 60

    async def test_resetAfterSome(self) -> None:
        """
        A peer that reads a part and then resets: C{unsent} is never less than the bytes
        that were lost in user space, and at most one chunk more.
        """
        server = await self.listen()

        def heard(peer: Peer, data: bytes) -> None:
            if len(peer.received) > 1_000_000:
                peer.reset()

        server.heard = heard
        recorder = Recorder()
        client = self.client(server, framing=Stream, **recorder.parameters())
        client.start().addErrback(lambda failure: None)
        await client.whenConnected()
        connection: Any = client.server
        sent: list[int] = []
        taking = connection.transport.socket
        connection.transport.socket = _Counting(taking, sent)
        client.put(b"x" * MANY * 4)
        await client.shutdown()
        [end] = recorder.disconnections
        self.assertEqual(end.initiator, "network")
        lost = MANY * 4 - sum(sent)
        self.assertGreaterEqual(end.unsent, lost)
        self.assertLessEqual(end.unsent, lost + CHUNK)

    async def test_halfCloseDuringShutdown(self) -> None:
        """
        A peer that ends its side while C{shutdown} flushes still receives all of it.
        """
        server = await self.listen()
        server.met = lambda peer: peer.transport.pauseProducing()  # type: ignore[union-attr]
        server.left = lambda peer: None
        recorder = Recorder()
        client = self.client(server, framing=Stream, **recorder.parameters())
        client.start()
        await client.whenConnected()
        client.put(b"x" * MANY)
        stopped = client.shutdown()
        peer: Any = server.peers[0]
        peer.transport.loseWriteConnection()
        for _ in range(10):
            await turn()
        peer.transport.resumeProducing()
        self.assertEqual(len(await peer.ended), MANY)
        peer.close()
        end = await stopped
        assert end is not None
        self.assertEqual((end.initiator, end.unsent), ("local", 0))
        self.assertEqual(
            recorder.events[2:], ["serverFlushed", "disconnected", "stopped"]
        )


class TLSFlushTests(TLSTestCase):
    """
    The same through TLS.
    """

    timeout = 60

    async def shutDown(
        self, data: int, meanwhile: Callable[[Peer], object], **parameters: Any
    ) -> Any:
        """
        @param meanwhile: called with a peer that does not read, while C{shutdown} waits
            for it.

        @return: the disconnection.
        """
        server = await self.serve()
        client = self.client(
            server,
            tls=self.options(),
            framing=Stream,
            **{**self.recorder.parameters(), **parameters},
        )
        client.start().addErrback(lambda failure: None)
        await client.whenConnected()
        while not server.peers:
            await turn()
        below(server.peers[0]).pauseProducing()
        if data:
            client.put(b"x" * data)
        stopped = client.shutdown()
        reactor.callLater(0.05, meanwhile, server.peers[0])
        return await stopped

    async def test_stalled(self) -> None:
        """
        A peer that reads nothing: C{drainTimeout}, and the bytes that it has not read
        are reported.
        """
        end = await self.shutDown(MANY * 4, lambda peer: None, drainTimeout=0.3)
        self.assertTrue(end.failure.check(DrainTimeout))
        self.assertGreater(end.unsent, 0)
        self.assertEqual((end.initiator, end.confirmed), ("local", False))

    async def test_reset(self) -> None:
        """
        A reset during the flush.
        """
        end = await self.shutDown(MANY * 4, lambda peer: below(peer).abortConnection())
        self.assertGreater(end.unsent, 0)
        self.assertEqual((end.initiator, end.confirmed), ("network", False))

    async def test_silentServer(self) -> None:
        """
        A peer that does not answer our close_notify: C{lingerTimeout}.
        """
        end = await self.shutDown(5, lambda peer: None, lingerTimeout=0.3)
        self.assertEqual(
            (end.initiator, end.unsent, end.confirmed), ("local", 0, False)
        )

    async def test_cutOff(self) -> None:
        """
        A peer that ends only TCP, instead of answering: nothing is confirmed.
        """
        end = await self.shutDown(5, lambda peer: below(peer).loseConnection())
        self.assertEqual(
            (end.initiator, end.unsent, end.confirmed), ("local", 0, False)
        )

    async def test_slow(self) -> None:
        """
        A peer that reads later receives everything, and answers.
        """
        end = await self.shutDown(MANY * 4, lambda peer: below(peer).resumeProducing())
        self.assertEqual((end.initiator, end.unsent, end.confirmed), ("local", 0, True))


class CycleTests(TLSTestCase):
    """
    Connections leave nothing behind when they end.
    """

    timeout = 60

    #: The class of the client's connections.
    kind: type = type(None)

    def remains(self) -> tuple[int, int, int]:
        """
        @return: the numbers of open files, running timers, and connections that are
            kept.
        """
        gc.collect()
        return (
            len(os.listdir("/dev/fd")),
            len(reactor.getDelayedCalls()),
            sum(type(thing) is self.kind for thing in gc.get_objects()),
        )

    async def cycles(
        self,
        lose: Callable[[ClientTCPFactory, Peer], object],
        run: Callable[[ClientTCPFactory, Server], object],
        **parameters: Any,
    ) -> None:
        """
        Lose and make 200 connections, then 200 more, and compare these numbers while
        the last one exists.

        @param lose: loses a connection.
        @param run: runs the client.
        """
        server = await (self.serve() if "tls" in parameters else self.listen())
        settled: Deferred[None] = Deferred()
        left = 200

        def serverInput(client: ClientTCPFactory, record: bytes) -> None:
            nonlocal left
            left -= 1
            self.kind = type(client.server)
            if left > 0:
                lose(client, server.peers[-1])
            else:
                settled.callback(None)

        def met(peer: Peer) -> None:
            # What is behind the session tickets of TLS would wait 40 ms otherwise.
            below(peer).setTcpNoDelay(True)
            peer.send(b"hello\r\n")

        server.met = met
        client = self.client(
            server,
            autoReconnect=True,
            serverInput=serverInput,
            serverError=lambda client, failure: None,
            **parameters,
        )
        client.initialDelay = client.maxDelay = 0.0001
        run(client, server)
        remains = []
        for _ in range(2):
            await settled
            for peer in server.peers[:-1]:
                await peer.lost
            # Let the rest of this turn happen.
            await turn()
            remains.append(self.remains())
            settled, left = Deferred(), 200
            lose(client, server.peers[-1])
        await settled
        self.assertEqual(remains[0], remains[1])

    async def test_closed(self) -> None:
        """
        A server that closes, with checks of a silent peer.
        """
        await self.cycles(
            lambda client, peer: peer.close(),
            lambda client, server: client.start(),
            heartbeat=(30, b"are you there?"),
            idleTimeout=90,
        )

    async def test_tls(self) -> None:
        """
        The same through TLS.
        """
        await self.cycles(
            lambda client, peer: peer.close(),
            lambda client, server: client.start(),
            tls=self.options(),
        )

    async def test_reset(self) -> None:
        """
        A server that resets, connected to by its name.
        """
        await self.cycles(
            lambda client, peer: peer.reset(),
            lambda client, server: client.start(),
            remoteAddress="localhost",
        )

    async def test_reconnect(self) -> None:
        """
        C{reconnect()}, after a negotiation.
        """

        async def preConnect(client: ClientTCPFactory, negotiation: Any) -> bool:
            return bool(await negotiation.nextRecord())

        await self.cycles(
            lambda client, peer: client.reconnect(),
            lambda client, server: client.start(),
            preConnect=preConnect,
            connected=lambda client, peer: client.serverInput(client, b""),
        )

    async def test_connectTCP(self) -> None:
        """
        Twisted's own connector.
        """
        await self.cycles(
            lambda client, peer: peer.close(),
            lambda client, server: reactor.connectTCP("localhost", server.port, client),
            remoteAddress=None,
            remotePort=None,
        )
