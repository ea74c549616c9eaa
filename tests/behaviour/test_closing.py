"""
Tests for closing without loss: C{shutdown()} and C{abort()}.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import LoopingCall

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import DrainTimeout, OutputLost
from twisted_clienttcp.framing import Stream

from .._memory import FlowTestCase
from .._peers import MANY, NaiveClient, TalkingServer
from .._support import (
    GUARD,
    NetworkTestCase,
    Peer,
    Recorder,
    Server,
    freePort,
    reactor,
    turn,
)


class ClosingTests(NetworkTestCase):
    """
    C{shutdown()}.
    """

    timeout = 60

    async def connected(
        self, server: Server, **parameters: Any
    ) -> tuple[ClientTCPFactory, Recorder]:
        """
        @return: a connected client of bytes, and what it records.
        """
        recorder = Recorder()
        client = self.client(
            server, framing=Stream, **{**recorder.parameters(), **parameters}
        )
        client.start().addErrback(lambda failure: None)
        await client.whenConnected()
        return client, recorder

    async def test_talkingPeer(self) -> None:
        """
        A peer that reads slowly, and sends data itself, receives every byte.
        """
        server = await self.listen(TalkingServer())
        client, recorder = await self.connected(server)
        client.put(b"x" * MANY)
        disconnection = await client.shutdown()
        self.assertEqual(len(await server.peers[0].ended), MANY)
        assert disconnection is not None
        self.assertEqual(
            (disconnection.initiator, disconnection.unsent, disconnection.confirmed),
            ("local", 0, True),
        )
        self.assertNotIn("serverError", [event[0] for event in recorder.events])

    async def test_talkingPeerLosesData(self) -> None:
        """
        With C{transport.write} and C{loseConnection}, the same peer loses most of the
        data: the test above can fail.
        """
        from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

        server = await self.listen(TalkingServer())
        endpoint = TCP4ClientEndpoint(
            reactor,
            "127.0.0.1",
            server.port,
        )
        await connectProtocol(endpoint, NaiveClient())
        while not server.peers:
            await turn()
        received = await server.peers[0].ended
        self.assertLess(len(received), MANY)

    async def test_offlineFirst(self) -> None:
        """
        If C{connected} itself calls C{shutdown}, the records that waited for the
        connection are flushed first.
        """
        for order in ("shutdown", "loseWriteConnection"):
            server = await self.listen(TalkingServer())
            recorder = Recorder()
            recorder.on["connected"] = lambda client, peer, order=order: getattr(
                client, order
            )()
            client = self.client(
                server, framing=Stream, offlineLimit=MANY, **recorder.parameters()
            )
            for _ in range(60):
                client.put(b"x" * (MANY // 60))
            await client.start()
            self.assertEqual(len(await server.peers[0].ended), MANY)
            self.assertTrue(recorder.disconnections[0].confirmed)

    async def test_shutdownAfterNegotiation(self) -> None:
        """
        A dialogue before C{connected} does not keep C{shutdown} from noticing the end
        of the peer's side.
        """

        async def preConnect(client: Any, negotiation: Any) -> bool:
            return bool(await negotiation.nextRecord() == b"welcome")

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            client.setOutputFraming(Stream)
            client.put(b"x" * MANY)
            client.shutdown()

        server = await self.listen(TalkingServer())
        slow = server.met

        def met(peer: Peer) -> None:
            peer.send(b"welcome\r\n")
            slow(peer)

        server.met = met
        recorder = Recorder()
        recorder.on["connected"] = connected
        client = self.client(server, preConnect=preConnect, **recorder.parameters())
        await client.start()
        self.assertEqual(len(await server.peers[0].ended), MANY)
        self.assertTrue(recorder.disconnections[0].confirmed)

    async def test_idle(self) -> None:
        """
        With nothing to flush, the peer receives our end of stream, and C{serverFlushed}
        is not called.
        """
        server = await self.listen()
        client, recorder = await self.connected(server)
        await client.shutdown()
        self.assertEqual(
            recorder.events, ["started", "connected", "disconnected", "stopped"]
        )
        self.assertTrue(recorder.disconnections[0].confirmed)

    async def test_peerNeverReads(self) -> None:
        """
        A peer that reads nothing is dropped after C{drainTimeout}, and the bytes that
        it has not read are reported.
        """
        server = await self.listen()
        server.met = lambda peer: peer.transport.pauseProducing()  # type: ignore[union-attr]
        client, recorder = await self.connected(server, drainTimeout=0.2)
        client.put(b"x" * MANY * 4)
        disconnection = await client.shutdown()
        assert disconnection is not None
        self.assertTrue(disconnection.failure.check(DrainTimeout))
        self.assertGreater(disconnection.unsent, 0)
        self.assertFalse(disconnection.confirmed)
        self.assertEqual(
            recorder.events[-3:],
            [("serverError", "write", 110), "disconnected", "stopped"],
        )

    async def test_peerNeverEnds(self) -> None:
        """
        A peer that keeps sending and never ends its side is dropped after
        C{lingerTimeout}, unconfirmed.
        """
        server = await self.listen()
        server.left = lambda peer: None

        def talk() -> None:
            for peer in server.peers:
                peer.send(b"blah")

        talking = LoopingCall(talk)
        talking.start(0.02)
        self.addCleanup(talking.stop)
        client, recorder = await self.connected(server, lingerTimeout=0.3)
        disconnection = await client.shutdown()
        assert disconnection is not None
        self.assertEqual(
            (disconnection.initiator, disconnection.unsent, disconnection.confirmed),
            ("local", 0, False),
        )

    async def test_resetInFlush(self) -> None:
        """
        A reset during the flush causes one C{serverError}, and the lost bytes are
        reported.
        """
        server = await self.listen()
        server.met = lambda peer: peer.transport.pauseProducing()  # type: ignore[union-attr]
        client, recorder = await self.connected(server)
        client.put(b"x" * MANY * 4)
        shutdown = client.shutdown()
        reactor.callLater(0.05, server.peers[0].reset)
        disconnection = await shutdown
        assert disconnection is not None
        self.assertEqual(disconnection.initiator, "network")
        self.assertGreater(disconnection.unsent, 0)
        self.assertEqual(
            recorder.events[-3:],
            [("serverError", "read", 104), "disconnected", "stopped"],
        )

    async def test_resetAtTheWrite(self) -> None:
        """
        A reset that a write notices before the reactor has read again is reported as a
        reset. The kernel reports it only once, and then a clean end of stream.
        """
        server = await self.listen()
        client, recorder = await self.connected(server)
        while not server.peers:
            await turn()
        sending: Any = server.peers[0].transport
        sending.stopReading()

        def reset() -> None:
            sending.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            other = socket.socket()
            os.dup2(other.fileno(), sending.socket.fileno())
            other.close()

        reactor.callLater(0, reset)
        client.put(b"x")
        await client.whenStopped().addErrback(lambda failure: None)
        self.assertEqual(
            recorder.events[2:],
            [("serverError", "read", 104), "disconnected", "stopped"],
        )
        self.assertEqual(recorder.disconnections[0].initiator, "network")
        self.assertEqual(recorder.disconnections[0].unsent, 1)

    async def test_abortedBehindUs(self) -> None:
        """
        Records that are put after other code has aborted the transport count as lost.
        """
        server = await self.listen()
        client, recorder = await self.connected(server)
        client.put(b"x" * 1000)
        client.server.transport.abortConnection()  # type: ignore[union-attr]
        await client.whenStopped().addErrback(lambda failure: None)
        self.assertNotIn("serverFlushed", recorder.events)
        self.assertEqual(recorder.disconnections[0].unsent, 1000)

    async def test_lossIsAFailure(self) -> None:
        """
        C{start()} fails if C{shutdown} has lost bytes, and if the server closes cleanly
        before it has received everything.
        """
        server = await self.listen()
        server.met = lambda peer: peer.transport.pauseProducing()  # type: ignore[union-attr]
        client = self.client(
            server, framing=Stream, serverInput=print, drainTimeout=0.2
        )
        stopped = client.start()
        await client.whenConnected()
        client.put(b"x" * MANY * 4)
        client.shutdown()
        await self.assertFailure(stopped, DrainTimeout)
        await self.assertFailure(client.whenStopped(), DrainTimeout)

        client = self.client(server, framing=Stream, serverInput=print, drainTimeout=5)
        stopped = client.start()
        await client.whenConnected()
        while len(server.peers) < 2:
            await turn()
        client.put(b"x" * MANY * 4)
        server.peers[1].close()
        await self.assertFailure(stopped, OutputLost, ConnectionLost)

    async def test_halfCloseOutputPending(self) -> None:
        """
        A peer that ends its side while output is pending still receives all of it.
        """
        server = await self.listen()

        def met(peer: Peer) -> None:
            transport: Any = peer.transport
            transport.pauseProducing()
            transport.loseWriteConnection()
            reactor.callLater(0.05, transport.resumeProducing)

        server.met = met
        client, recorder = await self.connected(
            server, connected=lambda client, peer: client.put(b"x" * MANY)
        )
        await client.whenStopped()
        self.assertEqual(len(await server.peers[0].ended), MANY)
        self.assertEqual(
            recorder.events,
            [
                "started",
                ("serverError", "read", 0),
                "serverFlushed",
                "disconnected",
                "stopped",
            ],
        )
        self.assertEqual(recorder.disconnections[0].initiator, "peer")

    async def test_flushIsExact(self) -> None:
        """
        While the peer does not read, C{serverFlushed} is not called, and
        C{pendingBytes} is at least the number of bytes that the kernel has not
        accepted.
        """
        server = await self.listen()
        server.met = lambda peer: peer.transport.pauseProducing()  # type: ignore[union-attr]
        client, recorder = await self.connected(server)
        client.put(b"x" * MANY * 4)
        previous = -1
        while client.pendingBytes != previous or previous == MANY * 4:
            previous = client.pendingBytes
            pause: Deferred[None] = Deferred()
            reactor.callLater(0.02, pause.callback, None)
            await pause
        self.assertNotIn("serverFlushed", recorder.events)
        connection: Any = client.server
        held = len(connection.transport.dataBuffer) - connection.transport.offset
        self.assertGreaterEqual(client.pendingBytes, held)
        flushed: Deferred[None] = Deferred()
        recorder.on["serverFlushed"] = lambda client: flushed.callback(None)
        server.peers[0].transport.resumeProducing()  # type: ignore[union-attr]
        await flushed
        self.assertEqual(client.pendingBytes, 0)
        self.assertEqual(recorder.events.count("serverFlushed"), 1)


class UNIXTests(NetworkTestCase):
    """
    A UNIX socket is lost as soon as its peer closes, unlike a TCP connection.
    """

    async def test_dataBeforeTheEnd(self) -> None:
        """
        The data that the peer sent before it closed is delivered even if we end our
        side after that, and the end is a clean one.
        """
        path = self.socketPath()
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind(path)
        listening.listen()
        recorder = Recorder()

        def answer(client: ClientTCPFactory) -> None:
            peer, _ = listening.accept()
            self.assertEqual(peer.recv(100), b"hello\r\n")
            peer.sendall(b"last words\r\n")
            peer.close()
            client.loseWriteConnection()

        recorder.on["connected"] = lambda client, peer: client.put(b"hello")
        recorder.on["serverFlushed"] = answer
        client = ClientTCPFactory(
            remoteAddress=path,
            domain=socket.AF_UNIX,
            autoReconnect=False,
            **recorder.parameters(),
        )
        await client.start().addTimeout(GUARD, reactor)
        self.assertEqual(
            recorder.events[-4:],
            [
                ("serverInput", b"last words"),
                ("serverError", "read", 0),
                "disconnected",
                "stopped",
            ],
        )
        self.assertEqual(recorder.disconnections[0].initiator, "peer")

    async def test_fullBuffer(self) -> None:
        """
        A peer that has ended its side and reads nothing does not delay the end, though
        its kernel would accept no more output now.
        """
        listening, address = self.listeningSocket(socket.AF_UNIX, 0)
        recorder = Recorder()
        peers: list[socket.socket] = []

        def endUnread(client: ClientTCPFactory) -> None:
            peer, _ = listening.accept()
            self.addCleanup(peer.close)
            peers.append(peer)
            peer.shutdown(socket.SHUT_WR)
            client.shutdown()

        # Less than the kernel accepts, and more than leaves the socket writable.
        recorder.on["connected"] = lambda client, peer: client.write(b"x" * 150_000)
        recorder.on["serverFlushed"] = endUnread
        client = ClientTCPFactory(
            **address, autoReconnect=False, **recorder.parameters()
        )
        await client.start().addTimeout(GUARD, reactor)
        (end,) = recorder.disconnections
        self.assertEqual((end.initiator, end.unsent), ("local", 0))
        self.assertGreater(end.unacknowledged, 0)
        self.assertEqual(len(peers[0].recv(200_000, socket.MSG_WAITALL)), 150_000)


class ShutdownInsideTests(NetworkTestCase):
    """
    C{shutdown()} in each callback.
    """

    async def inside(
        self, name: str, marks: tuple[int, int] | None = None, **parameters: Any
    ) -> list[str]:
        """
        The server sends three lines, and ends the connection when it has received one;
        the callback with this name calls C{shutdown}.

        @return: the names of the callbacks, in order.
        """
        server = await self.listen()
        server.met = lambda peer: peer.send(b"one\r\ntwo\r\nthree\r\n")
        server.heard = lambda peer, data: peer.close()
        orders: list[Any] = []

        def ordering(first: Callable[..., object] | None) -> Callable[..., object]:
            def callback(client: ClientTCPFactory, *args: Any) -> bool:
                if first is not None:
                    first(client, *args)
                orders.append(client.shutdown())
                return True

            return callback

        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.put(b"enough")
        if marks is not None:
            parameters["highMark"], parameters["lowMark"] = marks
            for callback in ("serverHigh", "serverLow"):
                parameters[callback] = recorder.callback(callback)
        if name in ("preConnect", "serverInputBatch"):
            parameters[name] = ordering(None)
        else:
            recorder.on[name] = ordering(recorder.on.get(name))
        client = self.client(
            server,
            **{"autoReconnect": True, **recorder.parameters(), **parameters},
        )
        await client.start().addErrback(lambda failure: None)
        self.assertEqual(len(orders), 1)
        await orders[0]
        return [
            event if isinstance(event, str) else event[0] for event in recorder.events
        ]

    async def test_started(self) -> None:
        """
        In C{started}: no attempt is made.
        """
        self.assertEqual(await self.inside("started"), ["started", "stopped"])

    async def test_connectError(self) -> None:
        """
        In C{connectError}: no other attempt follows.
        """
        self.assertEqual(
            await self.inside("connectError", remotePort=freePort()),
            ["started", "connectError", "stopped"],
        )

    async def test_preConnect(self) -> None:
        """
        In C{preConnect}, with any result: the attempt is given up.
        """
        self.assertEqual(await self.inside("preConnect"), ["started", "stopped"])

    async def test_connected(self) -> None:
        """
        In C{connected}: records put there are flushed, and nothing is delivered.
        """
        self.assertEqual(
            await self.inside("connected"),
            ["started", "connected", "serverFlushed", "disconnected", "stopped"],
        )

    async def test_serverInput(self) -> None:
        """
        In C{serverInput}: no other record is delivered, although more have been
        received.
        """
        events = await self.inside("serverInput")
        self.assertEqual(events.count("serverInput"), 1)
        self.assertEqual(events[-2:], ["disconnected", "stopped"])
        self.assertNotIn("serverError", events)

    async def test_serverInputBatch(self) -> None:
        """
        In C{serverInputBatch}: no other batch is delivered.
        """
        events = await self.inside("serverInputBatch", serverInput=None)
        self.assertEqual(events[-2:], ["disconnected", "stopped"])
        self.assertNotIn("serverError", events)

    async def test_serverFlushed(self) -> None:
        """
        In C{serverFlushed}: only the end follows.
        """
        events = await self.inside("serverFlushed")
        self.assertEqual(events[-3:], ["serverFlushed", "disconnected", "stopped"])

    async def test_serverError(self) -> None:
        """
        In C{serverError}: the client does not connect again.
        """
        self.assertEqual(
            (await self.inside("serverError"))[-3:],
            ["serverError", "disconnected", "stopped"],
        )

    async def test_serverHighAndLow(self) -> None:
        """
        In C{serverHigh} and in C{serverLow}: the output is flushed, past the low mark.
        """
        for name in ("serverHigh", "serverLow"):
            events = await self.inside(name, marks=(2, 1))
            for callback in ("serverHigh", "serverLow", "serverFlushed"):
                self.assertEqual(events.count(callback), 1)
            self.assertEqual(events[-2:], ["disconnected", "stopped"])

    async def test_disconnected(self) -> None:
        """
        In C{disconnected}: the same.
        """
        self.assertEqual(
            (await self.inside("disconnected"))[-3:],
            ["serverError", "disconnected", "stopped"],
        )

    async def test_stopped(self) -> None:
        """
        In C{stopped}: the client has stopped already.
        """
        self.assertEqual(
            (await self.inside("stopped", autoReconnect=False))[-2:],
            ["disconnected", "stopped"],
        )


class AbortTests(FlowTestCase):
    """
    C{abort}.
    """

    def test_connected(self) -> None:
        """
        It ends the connection at once and stops the client; the pending bytes are
        reported.
        """
        client, transport = self.connected()
        client.put(b"abc")
        stopped = client.abort()
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertEqual(self.unsent(stopped), 4)
        self.assertEqual(self.events[2:], ["disconnected", "stopped"])
        self.assertEqual(self.recorder.disconnections[0].initiator, "local")

    def test_whileShuttingDown(self) -> None:
        """
        It ends a C{shutdown} that is in progress.
        """
        client, transport = self.connected()
        client.put(b"abc")
        first = client.shutdown()
        client.abort()
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertEqual(self.unsent(first), 4)

    def test_withoutConnection(self) -> None:
        """
        Without a connection, it does what C{shutdown} does.
        """
        client = self.client()
        self.assertIsNone(self.successResultOf(client.abort()))
        client.start()
        self.attempts()
        self.assertIsNone(self.successResultOf(client.abort()))
        self.assertEqual(self.events, ["started", "stopped"])

    def test_withoutTransport(self) -> None:
        """
        The same if an endpoint has requested a protocol and has not connected it.
        """
        client = self.client()
        client.buildProtocol(IPv4Address("TCP", "127.0.0.1", 7))
        self.assertIsNone(self.successResultOf(client.abort()))
