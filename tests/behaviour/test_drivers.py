"""
The three ways to run a client, over real sockets.
"""

from __future__ import annotations

import socket
from typing import Any

import trustme
from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    UNIXServerEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectionRefusedError, UserError
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS

from twisted_clienttcp import ClientTCPFactory, resolve
from twisted_clienttcp.errors import AliasInUse, NegotiationRefused, TLSError
from twisted_clienttcp.framing import Stream
from twisted_clienttcp.service import ClientTCPService

from .._support import NetworkTestCase, Recorder, Server, reactor, turn
from .test_keepalive import settings


def freePort() -> int:
    """
    @return: a port of the loopback interface on which nobody listens.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class StartTests(NetworkTestCase):
    """
    C{client.start()}.
    """

    async def test_exchange(self) -> None:
        """
        Lines go and come; the server ends; the client, which does not retry, stops.
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
        A host is found by its name.
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
        An endpoint's description does as well as an address.
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
        Nobody listens: C{connectError}, and the Deferred fails with it.
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
    C{start()} from inside C{stopped}: the transport is still telling its loss.
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
        # The transport has told all by then.
        await turn()
        self.assertEqual(client.numPorts, 0)
        self.assertEqual(
            [event for event in recorder.events if not isinstance(event, tuple)],
            ["started", "connected", "disconnected", "stopped"] * 2,
        )
        return client

    async def test_retry(self) -> None:
        """
        A subclass that retries at each loss, as those of ReconnectingClientFactory do,
        disturbs no attempt that there is already.
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
        Of an IP literal.
        """
        await self.again(
            lambda client, server: client.start(),
            remoteAddress="127.0.0.1",
            remotePort=lambda server: server.port,
        )

    async def test_name(self) -> None:
        """
        Of a name.
        """
        await self.again(
            lambda client, server: client.start(),
            remoteAddress="localhost",
            remotePort=lambda server: server.port,
        )

    async def test_connectTCP(self) -> None:
        """
        Under C{connectTCP}, whose connector cannot connect before that.
        """
        await self.again(
            lambda client, server: reactor.connectTCP("127.0.0.1", server.port, client)
        )


class HookTests(NetworkTestCase):
    """
    A subclass's hook that raises.
    """

    async def test_startedConnecting(self) -> None:
        """
        It costs the attempt, and no more.
        """
        server = await self.listen()
        faults = [ZeroDivisionError()]

        class Hooked(ClientTCPFactory):
            def startedConnecting(self, connector: Any) -> None:
                if faults:
                    raise faults.pop()
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
        A user's own fail-over: C{connectTCP} to another server from C{connectError}.
        Its connector makes all further attempts.
        """
        server = await self.listen()
        # The first one is of an attempt that the client does not wait for.
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
        C{connectError}, C{stopped}.
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
        The attempt is dropped.
        """
        recorder = Recorder()
        recorder.on["started"] = lambda client: client.shutdown()
        client = ClientTCPFactory(**recorder.parameters())
        reactor.connectTCP("127.0.0.1", freePort(), client)
        await client.whenStopped()
        self.assertEqual(recorder.events, ["started", "stopped"])

    async def test_stopConnecting(self) -> None:
        """
        An attempt that others give up through the connector has failed.
        """
        recorder = Recorder()
        client = ClientTCPFactory(autoReconnect=False, **recorder.parameters())
        connector = reactor.connectTCP("127.0.0.1", freePort(), client)
        connector.stopConnecting()
        await self.assertFailure(client.whenStopped(), UserError)

    async def test_aliasInUse(self) -> None:
        """
        An alias that another client has is an error for who connects, and no attempt
        goes on behind it.
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
        A new address hands over to a connector of our own.
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
        C{connectUNIX} likewise.
        """
        path = self.mktemp()
        server = Server()
        listening = await UNIXServerEndpoint(reactor, path).listen(server)
        self.addCleanup(listening.stopListening)
        server.heard = lambda peer, data: peer.send(data)
        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.put(b"echo")
        recorder.on["serverInput"] = lambda client, octets: client.shutdown()
        client = ClientTCPFactory(framing=Stream, **recorder.parameters())
        reactor.connectUNIX(path, client)
        await client.whenStopped()
        self.assertIn(("serverInput", b"echo"), recorder.events)
        self.assertTrue(recorder.disconnections[0].confirmed)


class TLSTests(NetworkTestCase):
    """
    Connections through TLS, by an endpoint and by C{connectSSL}.
    """

    def serve(self, server: Server) -> tuple[Any, Any]:
        """
        @return: options for clients: one that trusts the server, and one that does not.
        """
        authority = trustme.CA()
        issued = authority.issue_cert("localhost")
        pem = issued.private_key_pem.bytes() + issued.cert_chain_pems[0].bytes()
        options = PrivateCertificate.loadPEM(pem).options()
        listening = reactor.listenSSL(0, server, options, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        server.port = listening.getHost().port
        root = Certificate.loadPEM(authority.cert_pem.bytes())
        return (
            optionsForClientTLS("localhost", trustRoot=root),
            optionsForClientTLS("localhost"),
        )

    async def test_exchange(self) -> None:
        """
        C{connected} comes when the certificate has been verified; all that was put is
        flushed before the close.
        """
        server = Server()
        trusting, _ = self.serve(server)
        for endpoint in (True, False):
            recorder = Recorder()

            def connected(client: ClientTCPFactory, peer: Any) -> None:
                client.put(b"x" * 1_000_000)
                client.shutdown()

            recorder.on["connected"] = connected
            client = self.tls(server, trusting, endpoint, recorder)
            await client.whenStopped()
            peer = server.peers[-1]
            self.assertEqual(len(await peer.until(b"\r\n")), 1_000_002)
            self.assertEqual(
                recorder.events,
                ["started", "connected", "serverFlushed", "disconnected", "stopped"],
            )
            self.assertEqual(recorder.disconnections[0].unsent, 0)

    async def test_untrusted(self) -> None:
        """
        A certificate that nobody vouches for is a failed attempt.
        """
        server = Server()
        _, wary = self.serve(server)
        for endpoint in (True, False):
            recorder = Recorder()
            client = self.tls(server, wary, endpoint, recorder)
            await self.assertFailure(client.whenStopped(), TLSError)
            self.assertEqual(
                [
                    event if isinstance(event, str) else event[0]
                    for event in recorder.events
                ],
                ["started", "connectError", "stopped"],
            )

    async def test_connectElsewhere(self) -> None:
        """
        Under C{connectSSL} a new address is refused: the connector of our own would
        know nothing of that TLS.
        """
        server = Server()
        trusting, _ = self.serve(server)
        recorder = Recorder()
        refused: list[str] = []

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            try:
                client.connect("127.0.0.1", server.port)
            except ValueError as error:
                refused.append(str(error))
            client.shutdown()

        recorder.on["connected"] = connected
        client = self.tls(server, trusting, False, recorder)
        await client.whenStopped()
        self.assertIn("give the factory remoteAddress, remotePort and tls", refused[0])
        self.assertEqual(len(server.peers), 1)

    async def test_keepAlive(self) -> None:
        """
        The kernel watches over what is below TLS.
        """
        server = Server()
        trusting, _ = self.serve(server)
        for endpoint in (True, False):
            client = self.tls(
                server, trusting, endpoint, Recorder(), keepAlive=(77, 11, 5)
            )
            await client.whenConnected()
            self.assertEqual(settings(client), [1, 77, 11, 5])
            await client.shutdown()

    def tls(
        self,
        server: Server,
        options: Any,
        endpoint: bool,
        recorder: Recorder,
        **parameters: Any,
    ) -> ClientTCPFactory:
        """
        @return: a client that connects, by an endpoint or else by C{connectSSL}.
        """
        parameters.update(recorder.parameters())
        if endpoint:
            plain = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
            client = self.client(
                server,
                remoteAddress=None,
                remotePort=None,
                endpoint=wrapClientTLS(options, plain),
                **parameters,
            )
            client.start().addErrback(lambda failure: None)
        else:
            client = self.client(
                server, remoteAddress=None, remotePort=None, **parameters
            )
            reactor.connectSSL("127.0.0.1", server.port, client, options)
        return client


class ClientServiceTests(NetworkTestCase):
    """
    C{ClientService(endpoint, client)}: the service connects, retries and stops.
    """

    async def test_reducedContract(self) -> None:
        """
        No C{started}, C{connectError} and C{stopped}; C{shutdown} ends the connection,
        and the service makes the next; C{connect} and C{reconnect} raise.
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
        # An endpoint cannot be cancelled while it is telling of its success.
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
        While the service waits, C{connect} and C{reconnect} raise too, and what the
        client has put off is kept.
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
        The peer's end of stream is told as always.
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
        What fails when there is a transport is known here: it is C{connectError}, and
        counts for who waits. Where nobody listens nothing is told.
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
        What C{tls} asks for is there whoever connects.
        """
        authority = trustme.CA()
        issued = authority.issue_cert("localhost")
        pem = issued.private_key_pem.bytes() + issued.cert_chain_pems[0].bytes()
        server = Server()
        server.heard = lambda peer, data: peer.send(data)
        listening = reactor.listenSSL(
            0, server, PrivateCertificate.loadPEM(pem).options(), interface="127.0.0.1"
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
        # The service closes what is below TLS, so that is no clean end.
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


class ServiceTests(NetworkTestCase):
    """
    L{ClientTCPService}.
    """

    async def test_flushesAtStop(self) -> None:
        """
        Stopping the service shuts the client down in order: all is sent.
        """
        server = await self.listen()
        recorder = Recorder()
        client = self.client(server, framing=Stream, **recorder.parameters())
        service = ClientTCPService(client)
        service.startService()
        await client.whenConnected()
        client.put(b"x" * 1_000_000)
        await service.stopService()
        self.assertEqual(len(server.peers[0].received), 1_000_000)
        self.assertEqual(recorder.events[-2:], ["disconnected", "stopped"])
        self.assertTrue(recorder.disconnections[0].confirmed)

    async def test_restart(self) -> None:
        """
        A service that is started again while it stops runs again when it has stopped.
        """
        server = await self.listen()
        recorder = Recorder()
        service = ClientTCPService(self.client(server, **recorder.parameters()))
        service.startService()
        await service.client.whenConnected()
        stopping = service.stopService()
        service.startService()
        await stopping
        await service.client.whenConnected()
        await service.stopService()
        self.assertEqual(recorder.events.count("stopped"), 2)
        self.assertFalse(service.running)

    def test_argument(self) -> None:
        """
        It takes a client.
        """
        wrong: Any = object()
        self.assertRaises(TypeError, ClientTCPService, wrong)
