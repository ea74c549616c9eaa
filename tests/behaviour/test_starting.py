"""
Tests for C{start()}: a whole run over real sockets, and starting again.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError

from twisted_clienttcp import ClientTCPFactory

from .._support import NetworkTestCase, Recorder, freePort, reactor, turn


class StartTests(NetworkTestCase):
    """
    C{client.start()}.
    """

    async def test_exchange(self) -> None:
        """
        Lines are exchanged, and the server ends the connection: a client that does not
        reconnect stops.
        """
        server = await self.listen()
        server.heard = lambda peer, data: peer.send(data.upper())
        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.put(b"hello")
        recorder.on["serverInput"] = lambda client, line: server.peers[0].close()
        client = self.client(server, **recorder.parameters())
        await client.start()
        self.assertEqual(
            recorder.events,
            [
                "started",
                "connected",
                "serverFlushed",
                ("serverInput", b"HELLO"),
                ("serverError", "read", 0),
                "disconnected",
                "stopped",
            ],
        )

    async def test_name(self) -> None:
        """
        A host is connected to by its name.
        """
        server = await self.listen()
        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.shutdown()
        client = self.client(server, remoteAddress="localhost", **recorder.parameters())
        await client.start()
        self.assertEqual(
            recorder.events, ["started", "connected", "disconnected", "stopped"]
        )

    async def test_endpointString(self) -> None:
        """
        The description of an endpoint works like an address.
        """
        server = await self.listen()
        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.shutdown()
        client = self.client(
            server,
            remoteAddress=None,
            remotePort=None,
            endpoint=f"tcp:127.0.0.1:{server.port}",
            **recorder.parameters(),
        )
        await client.start()
        self.assertEqual(recorder.events[1:3], ["connected", "disconnected"])

    async def test_refused(self) -> None:
        """
        If no server listens, C{connectError} is called, and the Deferred fails.
        """
        recorder = Recorder()
        client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=freePort(),
            autoReconnect=False,
            **recorder.parameters(),
        )
        await self.assertFailure(client.start(), ConnectionRefusedError)
        self.assertEqual(
            recorder.events, ["started", ("connectError", "connect", 111), "stopped"]
        )

    async def test_reconnects(self) -> None:
        """
        A server that drops the connection is connected to again.
        """
        server = await self.listen()
        recorder = Recorder()
        again: Deferred[None] = Deferred()

        def met(peer: Any) -> None:
            if len(server.peers) == 1:
                peer.reset()
            else:
                again.callback(None)

        server.met = met
        client = self.client(server, autoReconnect=True, **recorder.parameters())
        client.start()
        await again
        await client.whenConnected()
        await client.shutdown()
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

    async def test_twoRuns(self) -> None:
        """
        A client that has stopped can be started again.
        """
        server = await self.listen()
        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.shutdown()
        client = self.client(server, **recorder.parameters())
        await client.start()
        await client.start()
        self.assertEqual(recorder.events.count("stopped"), 2)


class AgainTests(NetworkTestCase):
    """
    C{start()} in C{stopped}: the transport is still reporting its loss.
    """

    async def again(
        self, begin: Any, make: Any = ClientTCPFactory, **parameters: Any
    ) -> ClientTCPFactory:
        """
        Let the server end the first connection, and the client the second one.
        """
        server = await self.listen()
        server.met = lambda peer: peer.close() if len(server.peers) == 1 else None
        recorder, done = Recorder(), Deferred[None]()

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            if recorder.events.count("connected") == 2:
                client.shutdown()

        def stopped(client: ClientTCPFactory, failure: Any) -> None:
            if recorder.events.count("stopped") == 1:
                client.start()
            else:
                done.callback(None)

        recorder.on.update(connected=connected, stopped=stopped)
        client: ClientTCPFactory = make(
            autoReconnect=False,
            **recorder.parameters(),
            **{
                name: value(server) if callable(value) else value
                for name, value in parameters.items()
            },
        )
        begin(client, server)
        await done
        # The transport has reported everything by then.
        await turn()
        self.assertEqual(client.numPorts, 0)
        self.assertEqual(
            [event for event in recorder.events if not isinstance(event, tuple)],
            ["started", "connected", "disconnected", "stopped"] * 2,
        )
        return client

    async def test_retry(self) -> None:
        """
        A subclass that calls C{retry} at each loss, as with ReconnectingClientFactory,
        does not affect an attempt that exists already.
        """

        class Retrying(ClientTCPFactory):
            def clientConnectionLost(self, connector: Any, reason: Any) -> None:
                super().clientConnectionLost(connector, reason)
                self.retry(connector)

        client = await self.again(
            lambda client, server: client.start(),
            make=Retrying,
            remoteAddress="127.0.0.1",
            remotePort=lambda server: server.port,
        )
        self.assertEqual(client.stats.attempts, 2)

    async def test_literal(self) -> None:
        """
        With an IP address.
        """
        await self.again(
            lambda client, server: client.start(),
            remoteAddress="127.0.0.1",
            remotePort=lambda server: server.port,
        )

    async def test_name(self) -> None:
        """
        With a name.
        """
        await self.again(
            lambda client, server: client.start(),
            remoteAddress="localhost",
            remotePort=lambda server: server.port,
        )

    async def test_connectTCP(self) -> None:
        """
        With C{connectTCP}, whose connector cannot connect before that.
        """
        await self.again(
            lambda client, server: reactor.connectTCP("127.0.0.1", server.port, client)
        )


class HookTests(NetworkTestCase):
    """
    A method of a subclass that raises.
    """

    async def test_startedConnecting(self) -> None:
        """
        Only the attempt fails.
        """
        server = await self.listen()
        raising = [ZeroDivisionError()]

        class Hooked(ClientTCPFactory):
            def startedConnecting(self, connector: Any) -> None:
                if raising:
                    raise raising.pop()
                super().startedConnecting(connector)

        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.shutdown()
        client = Hooked(
            remoteAddress="127.0.0.1", remotePort=server.port, **recorder.parameters()
        )
        client.initialDelay = 0.01
        await client.start()
        self.assertEqual(recorder.events[1][0], "connectError")
        self.assertEqual(recorder.events[2:], ["connected", "disconnected", "stopped"])
        await turn()
        self.assertEqual(client.numPorts, 0)
