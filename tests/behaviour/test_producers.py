"""
Tests for producers: those that fill the client's output, and the client's own.
"""

from __future__ import annotations

import hashlib
import tracemalloc
from tempfile import TemporaryFile
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.protocols.basic import FileSender
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import CallbackError
from twisted_clienttcp.framing import Stream
from twisted_clienttcp.testing import MemoryServer

from .._memory import FlowTestCase, Producer
from .._peers import TOO_MUCH, BlockedServerTestCase
from .._support import Peer, reactor, turn


def connect(**parameters: Any) -> tuple[ClientTCPFactory, MemoryServer]:
    """
    @return: a connected client with marks at 5 and 10 bytes, and its server.
    """
    client = ClientTCPFactory(
        **{
            "remoteAddress": "192.0.2.1",
            "remotePort": 7,
            "framing": Stream(),
            "autoReconnect": False,
            "lowMark": 5,
            "highMark": 10,
            "serverInput": lambda client, record: None,
            **parameters,
        }
    )
    server = MemoryServer(client)
    server.stopped.addErrback(lambda failure: None)
    server.accept()
    return client, server


class Chain:
    """
    A sequence of producers. Each of them, when a method of it is called for the given
    time, unregisters itself and registers the next one.

    @ivar calls: the calls of each producer, in order.
    @ivar streaming: for each producer, True if it is a push producer.
    """

    def __init__(self, client: ClientTCPFactory, links: list[tuple[bool, int]]) -> None:
        """
        @param links: for each producer, whether it is a push producer, and at which
            call it is replaced.
        """
        self.calls: list[list[str]] = []
        self.streaming: list[bool] = []
        self._client = client
        self._links = links

    def next(self) -> None:
        """
        Register the next producer, if there is one.
        """
        if len(self.calls) < len(self._links):
            streaming, last = self._links[len(self.calls)]
            calls: list[str] = []
            self.calls.append(calls)
            self.streaming.append(streaming)
            self._client.registerProducer(_Link(self, calls, last), streaming)

    def called(self, last: bool) -> None:
        """
        A method of the present producer has been called.
        """
        if last:
            self._client.unregisterProducer()
            self.next()
        elif not self.streaming[-1]:
            self._client.write(b"xxx")


class _Link:
    """
    One producer of a L{Chain}.
    """

    def __init__(self, chain: Chain, calls: list[str], last: int) -> None:
        self._chain = chain
        self._calls = calls
        self._last = last

    def _call(self, name: str) -> None:
        self._calls.append(name)
        self._chain.called(len(self._calls) == self._last)

    def pauseProducing(self) -> None:
        self._call("pause")

    def resumeProducing(self) -> None:
        self._call("resume")

    def stopProducing(self) -> None:
        self._calls.append("stop")


class SuccessionTests(SynchronousTestCase):
    """
    Tests for producers that replace one another.
    """

    def test_pushAfterPull(self) -> None:
        """
        A push producer that is registered when a pull producer ends is not resumed
        before it is paused.
        """
        client, server = connect()
        chain = Chain(client, [(False, 2), (True, 9)])
        chain.next()
        server.advance(0)
        self.assertEqual(chain.calls, [["resume", "resume"], []])

    @given(
        links=st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=6),
        reads=st.lists(st.booleans(), max_size=12),
    )
    def test_contract(self, links: list[tuple[bool, int]], reads: list[bool]) -> None:
        """
        In any succession of producers, a push producer is paused and resumed by turns,
        beginning with a pause; a pull producer is only resumed; both are stopped at
        most once, at the end.
        """
        client, server = connect()
        chain = Chain(client, links)
        chain.next()
        for reading in reads:
            server.reading = reading
            client.write(b"yyyyyy")
            server.advance(0)
        server.reset()
        for streaming, calls in zip(chain.streaming, chain.calls, strict=True):
            if calls[-1:] == ["stop"]:
                calls.pop()
            turns = ["pause", "resume"] if streaming else ["resume"]
            wanted = turns * len(calls)
            self.assertEqual(calls, wanted[: len(calls)])


class NetworkProducerTests(BlockedServerTestCase):
    """
    An application's producer.
    """

    async def test_peerClosesWhilePaused(self) -> None:
        """
        The peer disconnects while the producer is paused, cleanly or by a reset: the
        producer is stopped, once, and not resumed before.
        """
        for end in ("close", "reset"):
            client, recorder, server = await self.connected()
            producer = Producer()
            client.registerProducer(producer, True)
            client.write(b"x" * TOO_MUCH)
            for _ in range(20):
                await turn()
            self.assertEqual(producer.calls, ["pause"])
            getattr(server.peers[0], end)()
            await client.whenStopped().addErrback(lambda failure: None)
            self.assertEqual(producer.calls, ["pause", "stop"])
            self.assertGreater(recorder.disconnections[0].unsent, 0)
            self.assertEqual(self.marks(recorder), ["serverHigh"])
            self.assertEqual(recorder.events[-2:], ["disconnected", "stopped"])

    async def test_file(self) -> None:
        """
        A file that is sent to a slow reader is not read into memory: the pending output
        stays below the high mark and one read of the file, and the use of memory below
        a small multiple of that.
        """
        block = bytes(range(256)) * 4096
        client, recorder, server = await self.connected()
        peer = server.peers[0]
        transport: Any = peer.transport
        pending: list[int] = []
        received = hashlib.sha256()

        def heard(peer: Peer, data: bytes) -> None:
            pending.append(client.pendingBytes)
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
        C{shutdown} while the producer is paused: the producer may finish, and all of
        its output is delivered.
        """
        client, recorder, server = await self.connected()
        producer = Producer()
        client.registerProducer(producer, True)
        client.write(b"x" * TOO_MUCH)
        stopping = client.shutdown()
        for _ in range(20):
            await turn()
        server.peers[0].transport.resumeProducing()  # type: ignore[union-attr]
        while producer.calls != ["pause", "resume"]:
            await turn()
        client.write(b"the end")
        client.unregisterProducer()
        end: Any = await stopping
        self.assertTrue(end.confirmed)
        received = await server.peers[0].ended
        self.assertEqual(len(received), TOO_MUCH + 7)
        self.assertTrue(received.endswith(b"xthe end"))


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
        self.assertEqual(producer.calls, ["pause"])
        self.drain(transport)
        self.assertEqual(producer.calls, ["pause", "resume"])
        transport.lose()
        self.assertEqual(producer.calls, ["pause", "resume", "stop"])
        self.reactor.advance(client.delay)
        transport = self.establish()
        client.registerProducer(Producer(), True)

    def test_withoutConnection(self) -> None:
        """
        A producer is stopped if there is no connection for its output.
        """
        client = self.client()
        producer = Producer()
        client.registerProducer(producer, True)
        client.unregisterProducer()
        self.assertEqual(producer.calls, ["stop"])
        client, transport = self.connected()
        client.shutdown()
        late = Producer()
        client.registerProducer(late, False)
        self.assertEqual(late.calls, ["stop"])

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

    def test_shutdownIsBounded(self) -> None:
        """
        But no longer than C{drainTimeout}.
        """
        client, transport = self.connected(drainTimeout=10)
        producer = Producer()
        client.registerProducer(producer, True)
        client.shutdown()
        self.reactor.advance(9.9)
        self.assertEqual((producer.calls, transport.aborted), ([], False))
        self.reactor.advance(0.1)
        self.assertEqual((producer.calls, transport.aborted), (["stop"], True))
        transport.lose()
        [disconnection] = self.recorder.disconnections
        self.assertIn("producer has not unregistered", str(disconnection.failure.value))

    def test_unregistersAtALoss(self) -> None:
        """
        A producer that unregisters when it is stopped does not turn a loss into a clean
        end.
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
        If a producer raises when it is stopped, that is reported once, and so is the
        end.
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
        A producer that raises drops the connection, as a callback does.
        """
        client, transport = self.connected()
        client.registerProducer(Producer(lambda: 1 / 0), False)
        self.assertIsInstance(self.recorder.failures[0].value, CallbackError)
        self.assertTrue(transport.aborted)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
