"""
Tests over a connection that breaks silently.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.task import Clock

from twisted_clienttcp._details import describe
from twisted_clienttcp.errors import HeartbeatTimeout
from twisted_clienttcp.framing import Stream

from .._documents import GUIDE, ROUTES, terms
from .._namespaces import NOWHERE6, SERVER, SERVER6, WireTestCase
from .._processes import completed
from .._resolver import FakeResolver
from .._support import Recorder, Server, reactor, turn

#: The seconds after which the next address is tried.
ATTEMPT_DELAY = 0.25


class ControlledReactor(Clock):
    """
    The reactor with another clock.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


class WireTests(WireTestCase):
    """
    A client and a server at the two ends of a virtual cable.
    """

    async def test_exchange(self) -> None:
        """
        The cable carries both address families.
        """
        server = await self.serve()
        server.heard = lambda peer, data: peer.send(data)
        for address in (SERVER, SERVER6):
            recorder = Recorder()
            recorder.on["connected"] = lambda client, peer: client.put(b"hello")
            recorder.on["serverInput"] = lambda client, line: client.shutdown()
            client = self.client(server, remoteAddress=address, **recorder.parameters())
            await client.start()
            self.assertIn(("serverInput", b"hello"), recorder.events)
            self.assertTrue(recorder.disconnections[0].confirmed)

    async def test_blackholeBeside(self) -> None:
        """
        A name with an IPv6 address that does not answer and an IPv4 address that works:
        the other address is tried when its time has come, whichever is first. In the
        first case, the test controls the clock of the attempt.
        """
        server = await self.serve()
        both = ((NOWHERE6, SERVER), (SERVER, NOWHERE6))
        for addresses, clock in product(both, (ControlledReactor(), None)):
            names = {"both.example": addresses}
            before = reactor.installNameResolver(FakeResolver(names.get))
            try:
                client = self.client(
                    server,
                    remoteAddress="both.example",
                    serverInput=print,
                    reactor=clock or reactor,
                )
                begun = reactor.seconds()
                client.start()
                waiter = client.whenConnected()
                if clock is not None:
                    while not client.tried:
                        await turn()
                    self.assertEqual(
                        {getattr(each, "host", "") for each in client.tried},
                        {addresses[0]},
                    )
                    clock.advance(ATTEMPT_DELAY)
                connection: Any = await waiter
                if clock is None:
                    took = 1000 * (reactor.seconds() - begun)
                    print(f"connected beside a black hole in {took:.0f} ms", flush=True)
                self.assertIn(SERVER, connection.transport.getPeer().host)
                results = {
                    getattr(address, "host", ""): result
                    for address, result in client.tried.items()
                }
                self.assertEqual(results.pop(SERVER), "connected")
                self.assertLessEqual(set(results.values()), {"abandoned"})
            finally:
                reactor.installNameResolver(before)
            await client.shutdown()

    async def test_messages(self) -> None:
        """
        The guide quotes the messages of failures that depend on the network.
        """
        for kind, address in (("prohibit", "192.0.2.1"), ("unreachable", "192.0.2.2")):
            self.wire.ip("client", "route", "add", kind, address)
        found = []
        server = await self.serve()
        # There is one local port, which the first client uses.
        ports = Path("/proc/sys/net/ipv4/ip_local_port_range")
        ports.write_text("40000 40000")
        first = self.client(server, remoteAddress=SERVER, serverInput=print)
        first.start()
        await first.whenConnected()
        recorder = Recorder()
        second = self.client(server, remoteAddress=SERVER, **recorder.parameters())
        await second.start().addErrback(lambda failure: None)
        found.append(describe(recorder.failures[0]))
        await first.shutdown()
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
            recorder = Recorder()
            client = self.client(
                Server(),
                remoteAddress=address,
                remotePort=7,
                **recorder.parameters(),
            )
            await client.start().addErrback(lambda failure: None)
            found.append(describe(recorder.failures[0]))
        # A process that is started here has this network, without a name server.
        command = (sys.executable, "-m", "twisted_clienttcp", "server.test", "7")
        *_, text = completed(*command).stderr.strip().rpartition(": ")
        found.append(f"cannot resolve the name: {text}")
        self.assertEqual(sorted(found), sorted(ROUTES))
        self.assertLessEqual(set(found), set(terms(GUIDE)))

    async def test_blackhole(self) -> None:
        """
        The IPv6 address alone really does not answer: C{connectTimeout} ends the
        attempt.
        """
        server = await self.serve()
        recorder = Recorder()
        client = self.client(
            server,
            remoteAddress=NOWHERE6,
            connectTimeout=0.3,
            **recorder.parameters(),
        )
        await client.start().addErrback(lambda failure: None)
        self.assertEqual(
            recorder.events, ["started", ("connectError", "connect", 110), "stopped"]
        )

    async def test_failover(self) -> None:
        """
        The first of two endpoints does not answer: after C{connectTimeout}, the second
        is used without a further wait, and it is used again when that connection is
        lost.
        """
        server = await self.serve()
        recorder = Recorder()
        client = self.client(
            server,
            remoteAddress=None,
            remotePort=None,
            endpoint=[
                TCP6ClientEndpoint(reactor, NOWHERE6, server.port),
                TCP4ClientEndpoint(reactor, SERVER, server.port),
            ],
            connectTimeout=0.3,
            autoReconnect=True,
            **recorder.parameters(),
        )
        client.start()
        begun = reactor.seconds()
        await client.whenConnected()
        self.assertLess(reactor.seconds() - begun, 1)
        timeout = ("connectError", "connect", 110)
        self.assertEqual(recorder.events, ["started", timeout, "connected"])
        while not server.peers:
            await turn()
        server.peers[0].close()
        while recorder.events[-1] != "connected" or len(server.peers) < 2:
            await turn()
        self.assertEqual(recorder.events.count(timeout), 1)

    async def test_backAtOnce(self) -> None:
        """
        The network works again while the client waits: after C{reconnect()}, it is used
        at once, however long the wait was.
        """
        server = await self.serve()
        waiting: Deferred[None] = Deferred()
        recorder = Recorder()
        recorder.on["connectError"] = lambda client, failure: waiting.callback(None)
        client = self.client(
            server,
            remoteAddress=SERVER,
            autoReconnect=True,
            **recorder.parameters(),
        )
        client.initialDelay = 50.0
        client.jitter = 0.0
        client.start()
        await client.whenConnected()
        self.wire.unplug()
        # The connection is dropped on request; the server cannot be notified.
        client.reconnect()
        await waiting
        self.assertEqual(
            recorder.events[-2:], ["disconnected", ("connectError", "connect", 101)]
        )
        self.wire.repair()
        begun = reactor.seconds()
        client.reconnect()
        await client.whenConnected()
        self.assertLess(reactor.seconds() - begun, 1)

    async def test_heartbeat(self) -> None:
        """
        A peer that answers is alive. When the cable drops everything, the client
        notices it after twice the heartbeat's seconds, with no output and with more
        than the kernel accepts. It connects again when the cable works again.
        """
        server = await self.serve()
        server.heard = lambda peer, data: peer.send(data.replace(b"ping", b"pong"))
        for lines in (0, 20):
            recorder = Recorder()
            client = self.client(
                server,
                remoteAddress=SERVER,
                autoReconnect=True,
                heartbeat=(0.2, b"ping"),
                **recorder.parameters(),
            )
            client.start()
            await client.whenConnected()
            while recorder.events.count(("serverInput", b"pong")) < 5:
                await turn()
            self.assertNotIn("disconnected", recorder.events)
            self.wire.breakOff()
            begun = reactor.seconds()
            for _ in range(lines):
                client.put(b"x" * 1_000_000)
            while "disconnected" not in recorder.events:
                await turn()
            self.assertLess(reactor.seconds() - begun, 1)
            self.assertTrue(recorder.failures[0].check(HeartbeatTimeout))
            self.assertEqual(recorder.disconnections[0].unsent > 0, lines > 0)
            self.wire.repair()
            client.reconnect()
            await client.whenConnected()
            await client.shutdown()

    async def test_keepAlive(self) -> None:
        """
        The kernel notices that the cable drops everything, without output: after a
        second of silence, it sends two probes, a second apart.
        """
        server = await self.serve()
        recorder = Recorder()
        client = self.client(
            server,
            remoteAddress=SERVER,
            keepAlive=(1, 1, 2),
            **recorder.parameters(),
        )
        stopped = client.start().addErrback(lambda failure: None)
        await client.whenConnected()
        self.wire.breakOff()
        begun = reactor.seconds()
        await stopped
        self.assertLess(reactor.seconds() - begun, 6)
        self.assertEqual(
            recorder.events[2:],
            [("serverError", "read", 104), "disconnected", "stopped"],
        )
        self.assertEqual(recorder.disconnections[0].initiator, "network")

    async def test_unacknowledgedTimeout(self) -> None:
        """
        With output pending the kernel sends no probes; C{unacknowledgedTimeout} limits
        how long it repeats the output when there is no answer.
        """
        server = await self.serve()
        recorder = Recorder()
        client = self.client(
            server,
            remoteAddress=SERVER,
            unacknowledgedTimeout=1,
            **recorder.parameters(),
        )
        stopped = client.start().addErrback(lambda failure: None)
        await client.whenConnected()
        self.wire.breakOff()
        client.put(b"x")
        await stopped
        self.assertEqual(
            recorder.events[-3:],
            [("serverError", "read", 104), "disconnected", "stopped"],
        )
        self.assertEqual(recorder.disconnections[0].initiator, "network")

    async def test_shutdownOverSilence(self) -> None:
        """
        Over a cable that drops everything, C{shutdown()} ends within its limits and
        reports that nothing is confirmed; output that the kernel did not accept is
        reported.
        """
        server = await self.serve()
        for data, unsent in ((b"x", False), (b"x" * 20_000_000, True)):
            client = self.client(
                server,
                remoteAddress=SERVER,
                framing=Stream,
                serverInput=print,
                drainTimeout=0.2,
                lingerTimeout=0.2,
            )
            client.start().addErrback(lambda failure: None)
            await client.whenConnected()
            self.wire.breakOff()
            client.put(data)
            disconnection = await client.shutdown()
            assert disconnection is not None
            self.assertEqual(disconnection.initiator, "local")
            self.assertFalse(disconnection.confirmed)
            self.assertEqual(bool(disconnection.unsent), unsent)
            self.wire.repair()
