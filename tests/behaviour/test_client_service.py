"""
Tests for clients that Twisted's C{ClientService} connects.
"""

from __future__ import annotations

from typing import Any

import trustme
from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import Clock

from twisted_clienttcp import ClientTCPFactory, resolve
from twisted_clienttcp.errors import NegotiationRefused, OutputLost

from .._support import NetworkTestCase, Recorder, Server, freePort, reactor, turn
from .._tls import Identity


class ClientServiceTests(NetworkTestCase):
    """
    C{ClientService(endpoint, client)}: the service connects, retries and stops.
    """

    async def test_reducedContract(self) -> None:
        """
        C{started}, C{connectError} and C{stopped} are not called; C{shutdown} ends the
        connection, and the service makes the next; C{connect} and C{reconnect} raise.
        """
        server = await self.listen()
        recorder = Recorder()
        client = ClientTCPFactory(**recorder.parameters())
        service = ClientService(
            TCP4ClientEndpoint(
                reactor,
                "127.0.0.1",
                server.port,
            ),
            client,
            retryPolicy=lambda attempt: 0.01,
        )
        service.startService()
        self.addCleanup(lambda: service.stopService() if service.running else None)
        connection = await client.whenConnected()
        self.assertIs(connection, client.server)
        client.put(b"x")
        for order in (client.connect, client.reconnect, client.start):
            error = self.assertRaises(RuntimeError, order)
            self.assertIn("ClientService", str(error))
        disconnection = await client.shutdown()
        assert disconnection is not None
        self.assertTrue(disconnection.confirmed)
        self.assertEqual(server.peers[0].received, b"x\r\n")
        await client.whenConnected()
        # An endpoint cannot be cancelled while it reports its success.
        await turn()
        await service.stopService()
        self.assertEqual(
            recorder.events,
            [
                "connected",
                "serverFlushed",
                "disconnected",
                "connected",
                "disconnected",
            ],
        )
        self.assertEqual(recorder.disconnections[1].initiator, "local")

    async def test_betweenConnections(self) -> None:
        """
        While the service waits, C{connect} and C{reconnect} raise too, and scheduled
        events are kept.
        """
        server = await self.listen()
        recorder = Recorder()
        came: Deferred[None] = Deferred()
        client = ClientTCPFactory(
            alias="hosted",
            inlineStates={"later": lambda client: came.callback(None)},
            **recorder.parameters(),
        )
        service = ClientService(
            TCP4ClientEndpoint(reactor, "127.0.0.1", server.port),
            client,
            retryPolicy=lambda attempt: 60,
        )
        service.startService()
        self.addCleanup(lambda: service.stopService() if service.running else None)
        await client.whenConnected()
        client.postLater(0.01, "later")
        await client.shutdown()
        for order in (client.connect, client.reconnect):
            self.assertRaises(RuntimeError, order)
        self.assertIs(resolve("hosted"), client)
        await came
        await turn()

    async def test_peerEnds(self) -> None:
        """
        The peer's end of stream is reported as usual.
        """
        server = await self.listen()
        server.met = lambda peer: peer.close() if len(server.peers) == 1 else None
        recorder = Recorder()
        client = ClientTCPFactory(**recorder.parameters())
        service = ClientService(
            TCP4ClientEndpoint(
                reactor,
                "127.0.0.1",
                server.port,
            ),
            client,
            retryPolicy=lambda attempt: 0.01,
        )
        service.startService()
        self.addCleanup(lambda: service.stopService() if service.running else None)
        gone: Deferred[None] = Deferred()
        recorder.on["disconnected"] = lambda client, disconnection: gone.callback(None)
        await gone
        del recorder.on["disconnected"]
        self.assertEqual(
            recorder.events, ["connected", ("serverError", "read", 0), "disconnected"]
        )
        self.assertEqual(recorder.disconnections[0].initiator, "peer")

    async def test_negotiation(self) -> None:
        """
        The client notices a failure after the connection has a transport:
        C{connectError} is called, and C{whenConnected} counts it. Without a callback,
        nothing is reported.
        """
        server = await self.listen()
        for port, events in (
            (server.port, [("connectError", "preconnect", 103)] * 2),
            (freePort(), []),
        ):
            recorder = Recorder()
            waits: list[Deferred[None]] = [Deferred(), Deferred()]
            twice = waits[1]

            def wait(attempt: int, waits: list[Deferred[None]] = waits) -> float:
                reactor.callLater(0, waits.pop(0).callback, None)
                return 0.01 if waits else 1000

            client = ClientTCPFactory(
                preConnect=lambda client, negotiation: False, **recorder.parameters()
            )
            service = ClientService(
                TCP4ClientEndpoint(reactor, "127.0.0.1", port),
                client,
                retryPolicy=wait,
            )
            waiter = client.whenConnected(failAfterFailures=2)
            service.startService()
            await twice
            await service.stopService()
            self.assertEqual(recorder.events, events)
            if events:
                self.failureResultOf(waiter, NegotiationRefused)
            else:
                self.assertNoResult(waiter)

    async def test_tls(self) -> None:
        """
        The setting C{tls} is used by any driver of the client.
        """
        authority = trustme.CA()
        issued = authority.issue_cert("localhost")
        server = Server()
        server.heard = lambda peer, data: peer.send(data)
        listening = reactor.listenSSL(
            0, server, Identity(issued).options(), interface="127.0.0.1"
        )
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        recorder = Recorder()
        heard: Deferred[None] = Deferred()
        recorder.on["connected"] = lambda client, peer: client.put(b"hello")
        recorder.on["serverInput"] = lambda client, line: heard.callback(None)
        root = Certificate.loadPEM(authority.cert_pem.bytes())
        client = ClientTCPFactory(
            tls=optionsForClientTLS("localhost", trustRoot=root),
            **recorder.parameters(),
        )
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", listening.getHost().port)
        service = ClientService(endpoint, client)
        service.startService()
        await heard
        await service.stopService()
        # The service closes the transport below TLS, so this is not a clean end.
        self.assertEqual(
            recorder.events,
            [
                "connected",
                "serverFlushed",
                ("serverInput", b"hello"),
                ("serverError", "read", 104),
                "disconnected",
            ],
        )

    async def test_draining(self) -> None:
        """
        Records that are put while a connection drains for C{maxAge} are sent on the
        next one that the service makes. If the service stops instead, they are reported
        as lost. This is so with TLS too, of the client or of the endpoint.
        """
        authority = trustme.CA()
        issued = Identity(authority.issue_cert("localhost")).options()
        options = optionsForClientTLS(
            "localhost", trustRoot=Certificate.loadPEM(authority.cert_pem.bytes())
        )
        for way in ("tcp", "tls", "endpoint"):
            server = Server()
            if way == "tcp":
                listening = reactor.listenTCP(0, server, interface="127.0.0.1")
            else:
                listening = reactor.listenSSL(0, server, issued, interface="127.0.0.1")
            self.addCleanup(listening.stopListening)
            self.addCleanup(self._closeAll, server)
            clock = Clock()
            client = ClientTCPFactory(
                maxAge=100,
                jitter=0,
                clock=clock,
                tls=options if way == "tls" else None,
                **Recorder().parameters(),
            )
            endpoint: Any = TCP4ClientEndpoint(
                reactor, "127.0.0.1", listening.getHost().port
            )
            if way == "endpoint":
                endpoint = wrapClientTLS(options, endpoint)
            service = ClientService(endpoint, client, retryPolicy=lambda attempt: 0)
            service.startService()
            await client.whenConnected()
            await turn()
            clock.advance(100)
            self.assertFalse(client.connected)
            client.put(b"next")
            flushed = client.flushed()
            server.peers[0].close()
            while not flushed.called:
                clock.advance(0.1)
                await turn()
            await server.peers[1].until(b"next\r\n")
            clock.advance(100)
            client.put(b"lost")
            flushed = client.flushed()
            await service.stopService()
            self.failureResultOf(flushed, OutputLost)
            self.assertEqual(client.stats.unsentBytes, 6)
