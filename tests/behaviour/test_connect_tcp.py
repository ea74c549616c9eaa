"""
Tests for clients that are passed to C{reactor.connectTCP} or C{reactor.connectUNIX}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.error import ConnectionRefusedError, UserError

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import AliasInUse
from twisted_clienttcp.framing import Stream

from .._support import NetworkTestCase, Recorder, Server, freePort, reactor, turn


class ConnectTCPTests(NetworkTestCase):
    """
    C{reactor.connectTCP(host, port, client)}.
    """

    async def test_wholeContract(self) -> None:
        """
        All callbacks, a reconnect through Twisted's connector, and the end.
        """
        server = await self.listen()
        recorder = Recorder()
        server.met = lambda peer: peer.reset() if len(server.peers) == 1 else None
        again: Deferred[None] = Deferred()

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            if recorder.events.count("connected") == 2:
                again.callback(None)

        recorder.on["connected"] = connected
        client = ClientTCPFactory(**recorder.parameters())
        client.initialDelay = 0.01
        connector = reactor.connectTCP(
            "127.0.0.1",
            server.port,
            client,
        )
        self.assertEqual(recorder.events, ["started"])
        await again
        self.assertIs(client.connector, connector)
        stopped = client.whenStopped()
        await client.shutdown()
        await stopped
        self.assertEqual(
            recorder.events,
            [
                "started",
                "connected",
                ("serverError", "read", 104),
                "disconnected",
                "connected",
                "disconnected",
                "stopped",
            ],
        )

    async def test_byHand(self) -> None:
        """
        A user's own failover: C{connectTCP} to another server in C{connectError}. Its
        connector makes all further attempts.
        """
        server = await self.listen()
        # The first one belongs to an attempt that the client does not wait for.
        server.met = lambda peer: peer.close() if len(server.peers) < 3 else None
        recorder, again = Recorder(), Deferred[None]()

        def connectError(client: ClientTCPFactory, failure: Any) -> None:
            if client.connector.getDestination().port != server.port:
                reactor.connectTCP("127.0.0.1", server.port, client)

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            if recorder.events.count("connected") == 2:
                again.callback(None)

        recorder.on.update(connectError=connectError, connected=connected)
        client = ClientTCPFactory(**recorder.parameters())
        client.initialDelay = 0.01
        reactor.connectTCP("127.0.0.1", freePort(), client)
        await again
        self.assertEqual(client.connector.getDestination().port, server.port)
        await client.shutdown()
        await turn()
        self.assertEqual(client.numPorts, 0)

    async def test_refused(self) -> None:
        """
        Only C{connectError} and C{stopped} are called.
        """
        recorder = Recorder()
        client = ClientTCPFactory(autoReconnect=False, **recorder.parameters())
        reactor.connectTCP("127.0.0.1", freePort(), client)
        await self.assertFailure(client.whenStopped(), ConnectionRefusedError)
        self.assertEqual(
            recorder.events, ["started", ("connectError", "connect", 111), "stopped"]
        )

    async def test_shutdownFromStarted(self) -> None:
        """
        The attempt ends.
        """
        recorder = Recorder()
        recorder.on["started"] = lambda client: client.shutdown()
        client = ClientTCPFactory(**recorder.parameters())
        reactor.connectTCP("127.0.0.1", freePort(), client)
        await client.whenStopped()
        self.assertEqual(recorder.events, ["started", "stopped"])

    async def test_stopConnecting(self) -> None:
        """
        An attempt that other code ends through the connector has failed.
        """
        recorder = Recorder()
        client = ClientTCPFactory(autoReconnect=False, **recorder.parameters())
        connector = reactor.connectTCP("127.0.0.1", freePort(), client)
        connector.stopConnecting()
        await self.assertFailure(client.whenStopped(), UserError)

    async def test_aliasInUse(self) -> None:
        """
        C{connectTCP} raises if another client has the alias, and no attempt is left
        behind.
        """
        server = await self.listen()
        first = self.client(server, alias="dup", serverInput=print)
        first.start()
        recorder = Recorder()
        second = ClientTCPFactory(alias="dup", **recorder.parameters())
        self.assertRaises(
            AliasInUse, reactor.connectTCP, "127.0.0.1", server.port, second
        )
        await first.whenConnected()
        await first.shutdown()
        self.assertEqual((recorder.events, len(server.peers)), ([], 1))

    async def test_connectElsewhere(self) -> None:
        """
        A new address is connected to by our own connector.
        """
        first, second = await self.listen(), await self.listen()
        recorder = Recorder()
        arrived: Deferred[None] = Deferred()

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            if peer.port == second.port:
                arrived.callback(None)
            else:
                client.connect("127.0.0.1", second.port)

        recorder.on["connected"] = connected
        client = ClientTCPFactory(**recorder.parameters())
        self.addCleanup(client.shutdown)
        reactor.connectTCP(
            "127.0.0.1",
            first.port,
            client,
        )
        await arrived
        self.assertEqual(
            recorder.events, ["started", "connected", "disconnected", "connected"]
        )

    async def test_unix(self) -> None:
        """
        The same with C{connectUNIX}.
        """
        path = self.socketPath()
        server = Server()
        listening = await UNIXServerEndpoint(reactor, path).listen(server)
        self.addCleanup(listening.stopListening)
        server.heard = lambda peer, data: peer.send(data)
        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.put(b"echo")
        recorder.on["serverInput"] = lambda client, record: client.shutdown()
        client = ClientTCPFactory(framing=Stream, **recorder.parameters())
        reactor.connectUNIX(path, client)
        await client.whenStopped()
        self.assertIn(("serverInput", b"echo"), recorder.events)
        self.assertTrue(recorder.disconnections[0].confirmed)
