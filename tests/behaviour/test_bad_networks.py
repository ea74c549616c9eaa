"""
Tests over a network that delays, throttles, ends, resets, stalls or silences
connections.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Protocol

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import HeartbeatTimeout
from twisted_clienttcp.framing import Stream

from .._faults import CLEAR, Fault, FaultProxy, FaultyTestCase, Way
from .._support import Recorder, Server, reactor, turn
from .._tls import TLSTestCase


class Plain(Protocol):
    """
    A plain protocol that collects what it receives.
    """

    def __init__(self) -> None:
        self.received = b""
        self.made: Deferred[None] = Deferred()
        self.lost: Deferred[str] = Deferred()

    def connectionMade(self) -> None:
        self.made.callback(None)

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(reason.type.__name__)


class ProxyTests(FaultyTestCase):
    """
    The proxy itself: it causes each fault at exactly the configured byte.
    """

    async def through(self, *ways: Way) -> tuple[Plain, FaultProxy, Server]:
        """
        @return: a connection through a proxy, to a server that echoes.
        """
        server = await self.listen()
        server.heard = lambda peer, data: peer.send(data)
        proxy = await self.proxy(server, (ways[0], ways[1]))
        plain = Plain()
        factory = ClientFactory.forProtocol(lambda: plain)
        factory.noisy = False
        reactor.connectTCP("127.0.0.1", proxy.port, factory)
        await plain.made
        while not server.peers:
            await turn()
        self.addCleanup(lambda: plain.lost)
        self.addCleanup(plain.transport.abortConnection)  # type: ignore[union-attr]
        return plain, proxy, server

    def write(self, plain: Plain, data: bytes) -> None:
        plain.transport.write(data)  # type: ignore[union-attr]

    async def test_clear(self) -> None:
        """
        Without a failure everything passes, including the ends of both streams.
        """
        plain, proxy, server = await self.through(CLEAR, CLEAR)
        self.write(plain, b"x" * 100_000)
        plain.transport.loseWriteConnection()  # type: ignore[union-attr]
        self.assertEqual(await plain.lost, "ConnectionDone")
        self.assertEqual(plain.received, b"x" * 100_000)
        self.assertEqual(await server.peers[0].ended, b"x" * 100_000)

    async def test_delay(self) -> None:
        """
        Data arrives after the configured delay, in each direction.
        """
        delay = Way(delay=0.05)
        plain, proxy, server = await self.through(delay, delay)
        begun = reactor.seconds()
        self.write(plain, b"x")
        while not plain.received:
            await turn()
        self.assertGreaterEqual(reactor.seconds() - begun, 0.1)

    async def test_throttle(self) -> None:
        """
        No more than the configured bytes pass in a second, and the sender is throttled.
        """
        plain, proxy, server = await self.through(Way(rate=1_000_000), CLEAR)
        begun = reactor.seconds()
        self.write(plain, b"x" * 200_000)
        while len(plain.received) < 200_000:
            await turn()
        self.assertGreaterEqual(reactor.seconds() - begun, 0.2)

    async def test_cut(self) -> None:
        """
        Exactly the configured number of bytes pass, and then both sides receive a clean
        end.
        """
        plain, proxy, server = await self.through(Way(after=1234), CLEAR)
        self.write(plain, b"x" * 1233)
        await server.peers[0].until(b"x" * 1233)
        self.write(plain, b"y" * 100)
        self.assertEqual(await server.peers[0].ended, b"x" * 1233 + b"y")
        self.assertEqual(await plain.lost, "ConnectionDone")
        self.assertIs(proxy.links[0].failed, Fault.CUT)

    async def test_reset(self) -> None:
        """
        The same with a reset, from the server to the client.
        """
        back = Way(after=10, fault=Fault.RESET)
        plain, proxy, server = await self.through(CLEAR, back)
        self.write(plain, b"x" * 100)
        self.assertEqual(await plain.lost, "ConnectionLost")
        self.assertLessEqual(len(plain.received), 10)
        await server.peers[0].lost

    async def test_stall(self) -> None:
        """
        The sender's bytes stay in its buffers; the other direction is not affected.
        """
        plain, proxy, server = await self.through(
            Way(after=10, fault=Fault.STALL), CLEAR
        )
        self.write(plain, b"x" * 20_000_000)
        await server.peers[0].until(b"x" * 10)
        server.peers[0].send(b"still here")
        while b"still here" not in plain.received:
            await turn()
        self.assertEqual(server.peers[0].received, b"x" * 10)
        # The sender's transport still waits to write the rest.
        self.assertIn(plain.transport, reactor.getWriters())

    async def test_silence(self) -> None:
        """
        Nothing passes any more in either direction, and neither side notices the end of
        the other.
        """
        plain, proxy, server = await self.through(
            Way(after=10, fault=Fault.SILENCE), CLEAR
        )
        self.write(plain, b"x" * 10)
        await server.peers[0].until(b"x" * 10)
        server.peers[0].send(b"lost")
        self.write(plain, b"lost")
        server.peers[0].reset()
        for _ in range(20):
            await turn()
        self.assertNotIn(b"lost", plain.received + server.peers[0].received)
        self.assertFalse(plain.lost.called)


def cuts(number: int, furthest: int, delay: float = 0.0) -> list[tuple[Way, Way]]:
    """
    @return: the faults of so many connections: each is closed or reset at a random
        byte, in alternating directions. The same in each run.
    """
    random = Random(number)
    clear, ways = Way(delay=delay), []
    for count in range(number):
        fault = random.choice([Fault.CUT, Fault.RESET])
        faulty = Way(delay=delay, after=random.randint(1, furthest), fault=fault)
        ways.append((faulty, clear) if count % 2 else (clear, faulty))
    return [*ways, (clear, clear)]


class ResumptionTestCase(FaultyTestCase):
    """
    An application that resumes at its last position, over a network that breaks.
    """

    timeout = 60

    async def resume(
        self,
        server: Server,
        lines: list[bytes],
        ways: list[tuple[Way, Way]],
        **tls: Any,
    ) -> tuple[Recorder, list[int]]:
        """
        Send lines and receive them through a proxy that breaks all connections but the
        last. After each loss, send again those after the last one that was delivered.
        None is lost, doubled, torn or out of order.

        @return: the recorded callbacks, and the number of lines that had been delivered
            when each connection was made.
        """
        server.heard = lambda peer, data: peer.send(data)
        proxy = await self.proxy(server, *ways)
        delivered: list[bytes] = []
        resumed: list[int] = []

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            resumed.append(len(delivered))
            for line in lines[len(delivered) :]:
                client.put(line)

        def serverInput(client: ClientTCPFactory, line: bytes) -> None:
            delivered.append(line)
            if len(delivered) == len(lines):
                client.shutdown()

        recorder = Recorder()
        recorder.on["connected"] = connected
        client = self.client(
            server,
            remotePort=proxy.port,
            autoReconnect=True,
            **{**recorder.parameters(), "serverInput": serverInput, **tls},
        )
        client.factor = 1.0
        await client.start()
        self.assertEqual(delivered, lines)
        failed = [link.failed is not None for link in proxy.links]
        self.assertEqual(failed, [True] * (len(ways) - 1) + [False])
        ends = recorder.disconnections
        self.assertEqual(len(ends), len(resumed))
        self.assertEqual((ends[-1].initiator, ends[-1].unsent), ("local", 0))
        return recorder, resumed


class ResumptionTests(ResumptionTestCase):
    """
    The same, over TCP.
    """

    async def test_echo(self) -> None:
        """
        10,000 lines are echoed with 50 ms of delay in each direction and 20 closes and
        resets at random bytes. What the server receives is always the beginning of what
        was put.
        """
        lines = [b"line %d" % number for number in range(10_000)]
        server = await self.listen()
        recorder, resumed = await self.resume(server, lines, cuts(20, 8000, delay=0.05))
        self.assertEqual(len(resumed), 21)
        for start, peer in zip(resumed, server.peers, strict=True):
            put = b"".join(line + b"\r\n" for line in lines[start:])
            self.assertEqual(peer.received, put[: len(peer.received)])
        # An incomplete line is reported, not delivered.
        ends = recorder.disconnections
        self.assertTrue(any(end.truncated for end in ends))
        self.assertTrue(ends[-1].confirmed)

    async def test_stalled(self) -> None:
        """
        If a direction stalls during the flush, the bytes that it held are lost, and
        that is reported.
        """
        server = await self.listen()
        proxy = await self.proxy(server, (Way(after=5, fault=Fault.STALL), CLEAR))
        recorder = Recorder()
        client = self.client(
            server,
            remotePort=proxy.port,
            framing=Stream,
            drainTimeout=0.3,
            **recorder.parameters(),
        )
        client.start().addErrback(lambda failure: None)
        await client.whenConnected()
        client.put(b"x" * 20_000_000)
        disconnection = await client.shutdown()
        assert disconnection is not None
        self.assertGreater(disconnection.unsent, 0)
        self.assertFalse(disconnection.confirmed)
        self.assertEqual(server.peers[0].received, b"xxxxx")

    async def test_halfOpen(self) -> None:
        """
        The heartbeat finds a connection that becomes silent in the middle of an answer,
        and the next connection is not affected.
        """
        server = await self.listen()
        server.heard = lambda peer, data: peer.send(data)
        silent = Way(after=30, fault=Fault.SILENCE)
        proxy = await self.proxy(server, (CLEAR, silent))
        recorder = Recorder()
        client = self.client(
            server,
            remotePort=proxy.port,
            autoReconnect=True,
            heartbeat=(0.1, b"are you there?"),
            **recorder.parameters(),
        )
        client.start()
        while recorder.events.count("connected") < 2 or not server.peers[1:]:
            await turn()
        # Sixteen bytes are an answer; fourteen are an incomplete one.
        self.assertEqual(recorder.events.count(("serverInput", b"are you there?")), 1)
        self.assertTrue(recorder.failures[0].check(HeartbeatTimeout))
        while recorder.events.count(("serverInput", b"are you there?")) < 4:
            await turn()
        self.assertEqual(len(recorder.disconnections), 1)


class TLSResumptionTests(ResumptionTestCase, TLSTestCase):
    """
    The same, over TLS.
    """

    async def test_echo(self) -> None:
        """
        40 closes and resets at random bytes, even during the handshake: a broken
        handshake is a failed attempt, not a connection.
        """
        lines = [b"line %d" % number for number in range(4000)]
        recorder, resumed = await self.resume(
            await self.serve(), lines, cuts(40, 6000), tls=self.options()
        )
        refused = [event for event in recorder.events if event[0] == "connectError"]
        self.assertEqual(len(resumed) + len(refused), 41)
        self.assertGreater(len(resumed), 5)
        self.assertGreater(len(refused), 5)
