"""
Tests for flow control: water marks, and producers on both sides.
"""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Callable
from tempfile import TemporaryFile
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.protocols.basic import FileSender
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import CallbackError
from twisted_clienttcp.framing import Stream

from .._memory import FlowTestCase, Producer
from .._peers import MANY
from .._support import CHUNK, NetworkTestCase, Peer, Recorder, Server, reactor, turn

#: More than all buffers between two processes of this machine can hold.
TOO_MUCH = 20_000_000


@implementer(IPushProducer)
class RecordingProducer:
    """
    A producer that remembers what it is told.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class BlockedServerTestCase(NetworkTestCase):
    """
    A client with marks, and a server that does not read.
    """

    timeout = 60

    async def connected(
        self, **parameters: Any
    ) -> tuple[ClientTCPFactory, Recorder, Server]:
        server = await self.listen()
        server.met = lambda peer: peer.transport.pauseProducing()  # type: ignore[union-attr]
        recorder = Recorder()
        client = self.client(
            server,
            **{
                "framing": Stream,
                "highMark": 200_000,
                "lowMark": 50_000,
                **recorder.parameters(),
                "serverHigh": recorder.callback("serverHigh"),
                "serverLow": recorder.callback("serverLow"),
                **parameters,
            },
        )
        client.start().addErrback(lambda failure: None)
        await client.whenConnected()
        while not server.peers:
            await turn()
        return client, recorder, server

    def marks(self, recorder: Recorder) -> list[str]:
        """
        @return: C{serverHigh} and C{serverLow}, as they came; they alternate.
        """
        found = [
            event for event in recorder.events if event in ("serverHigh", "serverLow")
        ]
        self.assertEqual(found[::2], ["serverHigh"] * len(found[::2]))
        self.assertEqual(found[1::2], ["serverLow"] * len(found[1::2]))
        return found


class ProducerTests(BlockedServerTestCase):
    """
    An application's producer.
    """

    async def test_peerClosesWhilePaused(self) -> None:
        """
        The peer goes while the producer is paused, in order or by a reset: the producer
        is stopped, once, and not resumed before.
        """
        for end in ("close", "reset"):
            client, recorder, server = await self.connected()
            producer = RecordingProducer()
            client.registerProducer(producer, True)
            client.write(b"x" * TOO_MUCH)
            for _ in range(20):
                await turn()
            self.assertEqual(producer.told, ["pause"])
            getattr(server.peers[0], end)()
            await client.whenStopped().addErrback(lambda failure: None)
            self.assertEqual(producer.told, ["pause", "stop"])
            self.assertGreater(recorder.disconnections[0].unsent, 0)
            self.assertEqual(self.marks(recorder), ["serverHigh"])
            self.assertEqual(recorder.events[-2:], ["disconnected", "stopped"])

    async def test_file(self) -> None:
        """
        A file that is sent to a slow reader is not read into memory: what is pending
        stays below the high mark and one read of the file more, and the memory that is
        taken below a few times that.
        """
        block = bytes(range(256)) * 4096
        client, recorder, server = await self.connected()
        peer = server.peers[0]
        transport: Any = peer.transport
        pending: list[int] = []
        received = hashlib.sha256()

        def heard(peer: Peer, data: bytes) -> None:
            pending.append(client.pendingOctets)
            received.update(data)
            peer.received = b""
            transport.pauseProducing()
            reactor.callLater(0, transport.resumeProducing)

        server.heard = heard
        with TemporaryFile() as file:
            for _ in range(30):
                file.write(block)
            file.seek(0)
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            transport.resumeProducing()
            await FileSender().beginFileTransfer(file, client)
            end: Any = await client.shutdown()
            _, peak = tracemalloc.get_traced_memory()
        self.assertTrue(end.confirmed)
        self.assertEqual(received.digest(), hashlib.sha256(block * 30).digest())
        self.assertGreater(max(pending), 50_000)
        self.assertLess(max(pending), 200_000 + FileSender.CHUNK_SIZE)
        self.assertLess(peak, 2_000_000)

    async def test_shutdownWhilePaused(self) -> None:
        """
        C{shutdown} while the producer is paused: it may finish what it has begun, and
        all of it is delivered.
        """
        client, recorder, server = await self.connected()
        producer = RecordingProducer()
        client.registerProducer(producer, True)
        client.write(b"x" * TOO_MUCH)
        stopping = client.shutdown()
        for _ in range(20):
            await turn()
        server.peers[0].transport.resumeProducing()  # type: ignore[union-attr]
        while producer.told != ["pause", "resume"]:
            await turn()
        client.write(b"the end")
        client.unregisterProducer()
        end: Any = await stopping
        self.assertTrue(end.confirmed)
        received = await server.peers[0].ended
        self.assertEqual(len(received), TOO_MUCH + 7)
        self.assertTrue(received.endswith(b"xthe end"))


class HighTests(BlockedServerTestCase):
    """
    What happens at, or inside, C{serverHigh}.
    """

    async def ending(
        self, end: Callable[[ClientTCPFactory, Server], object]
    ) -> Recorder:
        """
        Put records, one a turn, and do something inside the first C{serverHigh}.

        @return: what was recorded.
        """
        client, recorder, server = await self.connected()
        recorder.on["serverHigh"] = lambda client: end(client, server)
        octets = 0
        while octets < TOO_MUCH and client.connected:
            client.put(b"x" * 100_000)
            octets += 100_000
            await turn()
        await client.whenStopped().addErrback(lambda failure: None)
        self.assertEqual(self.marks(recorder), ["serverHigh"])
        self.assertEqual(recorder.events.count("disconnected"), 1)
        self.assertEqual(recorder.events[-1], "stopped")
        [told] = recorder.disconnections
        self.assertGreaterEqual(told.unsent, 200_000 - CHUNK)
        self.assertLess(told.unsent, octets)
        return recorder

    async def test_reset(self) -> None:
        """
        The peer resets.
        """
        recorder = await self.ending(lambda client, server: server.peers[0].reset())
        self.assertEqual(recorder.disconnections[0].initiator, "network")
        self.assertEqual(
            [event[0] for event in recorder.events if "Error" in event[0]],
            ["serverError"],
        )

    async def test_transportAborted(self) -> None:
        """
        The transport is aborted behind the client's back.
        """
        await self.ending(
            lambda client, server: client.server.transport.abortConnection()  # type: ignore[union-attr]
        )

    async def test_lost(self) -> None:
        """
        The transport is lost right there, inside the callback.
        """

        def lose(client: Any, server: Server) -> None:
            client.server.transport.connectionLost(Failure(ConnectionLost()))

        recorder = await self.ending(lose)
        self.assertEqual(recorder.disconnections[0].initiator, "network")

    async def test_abort(self) -> None:
        """
        C{abort()}.
        """
        recorder = await self.ending(lambda client, server: client.abort())
        self.assertEqual(recorder.disconnections[0].initiator, "local")

    async def test_reconnect(self) -> None:
        """
        C{reconnect()}: there is another connection, and that is empty.
        """
        client, recorder, server = await self.connected()
        recorder.on["serverHigh"] = lambda client: client.reconnect()
        client.put(b"x" * TOO_MUCH)
        while "disconnected" not in recorder.events:
            await turn()
        await client.whenConnected()
        self.assertEqual(client.pendingOctets, 0)
        self.assertGreater(recorder.disconnections[0].unsent, 0)
        client.put(b"again")
        while len(server.peers) < 2:
            await turn()
        server.peers[1].transport.resumeProducing()  # type: ignore[union-attr]
        self.assertEqual(await server.peers[1].until(b"again"), b"again")

    async def test_shutdown(self) -> None:
        """
        C{shutdown()}, which flushes past the low mark.
        """
        client, recorder, server = await self.connected()
        recorder.on["serverHigh"] = lambda client: client.shutdown()
        client.put(b"x" * TOO_MUCH)
        server.peers[0].transport.resumeProducing()  # type: ignore[union-attr]
        await client.whenStopped()
        self.assertEqual(self.marks(recorder), ["serverHigh", "serverLow"])
        self.assertEqual(
            recorder.events[-4:],
            ["serverLow", "serverFlushed", "disconnected", "stopped"],
        )
        self.assertEqual(len(await server.peers[0].ended), TOO_MUCH)
        self.assertTrue(recorder.disconnections[0].confirmed)

    async def test_shutdownAtLow(self) -> None:
        """
        C{shutdown()} inside C{serverLow}: what is still pending is flushed.
        """
        client, recorder, server = await self.connected()
        recorder.on["serverLow"] = lambda client: client.shutdown()
        client.put(b"x" * TOO_MUCH)
        server.peers[0].transport.resumeProducing()  # type: ignore[union-attr]
        await client.whenStopped()
        self.assertEqual(self.marks(recorder), ["serverHigh", "serverLow"])
        self.assertEqual(len(await server.peers[0].ended), TOO_MUCH)
        self.assertTrue(recorder.disconnections[0].confirmed)


class MarksTests(BlockedServerTestCase):
    """
    Marks that are small, and marks that change.
    """

    async def test_smallest(self) -> None:
        """
        Marks of 2 and 1: each record of two octets is high and then low; one octet is
        neither.
        """
        client, recorder, server = await self.connected(highMark=2, lowMark=1)
        server.peers[0].transport.resumeProducing()  # type: ignore[union-attr]
        for number in range(1, 101):
            self.assertFalse(client.put(b"a"))
            self.assertTrue(client.put(b"b"))
            await client.flushed()
            self.assertEqual(len(self.marks(recorder)), 2 * number)
        self.assertFalse(client.put(b"c"))
        await client.flushed()
        await turn()
        self.assertEqual(len(self.marks(recorder)), 200)
        self.assertEqual(recorder.events.count("serverFlushed"), 101)
        self.assertEqual(client.stats.flushes, 101)
        end: Any = await client.shutdown()
        self.assertTrue(end.confirmed)
        self.assertEqual(server.peers[0].received, b"ab" * 100 + b"c")

    async def test_changedWhileHigh(self) -> None:
        """
        Marks raised while output is high make it low, and lowered again high, at once.
        """
        client, recorder, server = await self.connected()
        self.assertTrue(client.put(b"x" * MANY * 4))
        for _ in range(20):
            await turn()
        self.assertEqual(self.marks(recorder), ["serverHigh"])
        pending = client.pendingOctets

        async def change(high: int, low: int, *told: str) -> None:
            before = len(self.marks(recorder))
            client.setMarks(high, low)
            await turn()
            self.assertEqual(self.marks(recorder)[before:], [*told])

        await change(2 * pending, pending, "serverLow")
        self.assertFalse(client.put(b"y"))
        # The kernel may have taken a little more meanwhile.
        await change(pending // 2, pending // 4, "serverHigh")
        # It is high already.
        await change(pending // 3, pending // 6)
        await change(2, 1)
        server.peers[0].transport.resumeProducing()  # type: ignore[union-attr]
        await client.flushed()
        await turn()
        self.assertEqual(self.marks(recorder)[3:], ["serverLow"])
        self.assertEqual(recorder.events.count("serverFlushed"), 1)
        await client.shutdown()
        self.assertEqual(len(await server.peers[0].ended), MANY * 4 + 1)


class ConsumerTests(FlowTestCase):
    """
    The client as a consumer.
    """

    def test_marks(self) -> None:
        """
        A push producer is paused at the high mark and resumed at the low one, and
        stopped when the connection ends; the next connection takes another one.
        """
        client, transport = self.connected(**self.recorder.marks(10, 5))
        producer = Producer()
        client.registerProducer(producer, True)
        self.assertRaises(RuntimeError, client.registerProducer, Producer(), True)
        client.write(b"x" * 10)
        self.assertEqual(producer.told, ["pause"])
        self.drain(transport)
        self.assertEqual(producer.told, ["pause", "resume"])
        transport.lose()
        self.assertEqual(producer.told, ["pause", "resume", "stop"])
        self.reactor.advance(client.delay)
        transport = self.establish()
        client.registerProducer(Producer(), True)

    def test_withoutConnection(self) -> None:
        """
        A producer is stopped where nothing takes what it produces.
        """
        client = self.client()
        producer = Producer()
        client.registerProducer(producer, True)
        client.unregisterProducer()
        self.assertEqual(producer.told, ["stop"])
        client, transport = self.connected()
        client.shutdown()
        late = Producer()
        client.registerProducer(late, False)
        self.assertEqual(late.told, ["stop"])

    def test_shutdownWaits(self) -> None:
        """
        Shutdown waits until the producer has unregistered and all is flushed.
        """
        client, transport = self.connected()
        client.registerProducer(Producer(), True)
        client.write(b"x")
        client.shutdown()
        self.drain(transport)
        self.assertFalse(transport.disconnecting)
        client.write(b"y")
        client.unregisterProducer()
        self.assertFalse(transport.disconnecting)
        self.drain(transport)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(transport.sent, b"xy")

    def test_shutdownWaitsNotForEver(self) -> None:
        """
        But for no longer than drainTimeout.
        """
        client, transport = self.connected(drainTimeout=10)
        producer = Producer()
        client.registerProducer(producer, True)
        client.shutdown()
        self.reactor.advance(9.9)
        self.assertEqual((producer.told, transport.aborted), ([], False))
        self.reactor.advance(0.1)
        self.assertEqual((producer.told, transport.aborted), (["stop"], True))
        transport.lose()
        [disconnection] = self.recorder.disconnections
        self.assertIn("producer has not unregistered", str(disconnection.failure.value))

    def test_unregistersAtALoss(self) -> None:
        """
        One that unregisters when it is stopped does not make a loss an end in order.
        """
        client, transport = self.connected()
        producer = Producer()
        producer.stopProducing = client.unregisterProducer  # type: ignore[method-assign]
        client.registerProducer(producer, True)
        client.shutdown()
        transport.lose()
        [disconnection] = self.recorder.disconnections
        self.assertEqual(disconnection.initiator, "network")

    def test_raisesAtALoss(self) -> None:
        """
        One that raises when it is stopped is told of once, and so is the end.
        """
        client, transport = self.connected()
        producer = Producer()
        producer.stopProducing = lambda: 1 / 0  # type: ignore[assignment]
        client.registerProducer(producer, True)
        transport.lose()
        self.assertEqual(
            self.events[2:], [("serverError", "callback", 125), "disconnected"]
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_raises(self) -> None:
        """
        One that raises costs the connection, as a callback does.
        """
        client, transport = self.connected()
        client.registerProducer(Producer(lambda: 1 / 0), False)
        self.assertIsInstance(self.recorder.failures[0].value, CallbackError)
        self.assertTrue(transport.aborted)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
