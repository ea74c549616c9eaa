"""
Tests for C{ClientTCPService}.
"""

from __future__ import annotations

from typing import Any

from twisted.application.internet import ClientService
from twisted.application.service import Application, IService, MultiService
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from twisted_clienttcp import ClientTCPFactory, Disconnection
from twisted_clienttcp.errors import NotConnectedError, RetriesExhausted
from twisted_clienttcp.framing import Stream
from twisted_clienttcp.service import ClientTCPService

from .._memory import ClientTestCase, SlowEndpoint, Transport
from .._support import NetworkTestCase, Recorder


class ServiceTests(ClientTestCase):
    """
    The service alone, and in others.
    """

    def service(self, **parameters: Any) -> ClientTCPService:
        return ClientTCPService(self.client(**parameters))

    def running(self, **parameters: Any) -> tuple[ClientTCPService, Transport]:
        """
        @return: a service that runs and is connected, and the transport.
        """
        service = self.service(**parameters)
        service.startService()
        return service, self.establish()

    def test_interface(self) -> None:
        """
        It is a service of one client.
        """
        verifyObject(IService, self.service())
        for wrong in (object(), ClientTCPFactory):
            argument: Any = wrong
            self.assertRaises(TypeError, ClientTCPService, argument)

    def test_stopFlushes(self) -> None:
        """
        It stops when all output is flushed.
        """
        service, transport = self.running()
        service.client.put(b"last")
        stopped = service.stopService()
        self.assertFalse(service.running)
        self.reactor.advance(0)
        self.assertNoResult(stopped)
        transport.drain()
        self.assertEqual(transport.sent, b"last\r\n")
        self.assertTrue(transport.disconnecting)
        transport.lose(ConnectionDone())
        self.assertIsInstance(self.successResultOf(stopped), Disconnection)
        self.assertEqual(self.events[-1], "stopped")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stopIsBounded(self) -> None:
        """
        But no longer than C{drainTimeout} seconds.
        """
        service, transport = self.running(drainTimeout=5)
        service.client.put(b"last")
        self.reactor.advance(0)
        stopped = service.stopService()
        self.reactor.advance(5)
        self.assertTrue(transport.aborted)
        transport.lose()
        disconnection = self.successResultOf(stopped)
        assert disconnection is not None
        self.assertEqual(disconnection.unsent, 6)

    def test_stopWithoutConnection(self) -> None:
        """
        Without a connection it stops at once: never started, connecting or waiting.
        """
        service = self.service()
        self.assertIsNone(self.successResultOf(service.stopService()))
        service.startService()
        self.attempts()
        self.assertIsNone(self.successResultOf(service.stopService()))
        service.startService()
        self.refuse()
        self.assertIsNone(self.successResultOf(service.stopService()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_tree(self) -> None:
        """
        In a C{MultiService} and an application, it starts once, with the others, and
        the parent stops when it has stopped.
        """
        application: Any = Application("test")
        services = MultiService()
        services.setServiceParent(application)
        service = self.service()
        service.setServiceParent(services)
        root = IService(application)
        root.privilegedStartService()
        self.assertEqual(self.events, [])
        root.startService()
        self.assertEqual(self.events, ["started"])
        transport = self.establish()
        stopped: Any = root.stopService()
        self.assertNoResult(stopped)
        transport.lose(ConnectionDone())
        self.successResultOf(stopped)

    def test_addedToWhatRuns(self) -> None:
        """
        It starts when it is added to a running service, and stops when it is removed.
        """
        services = MultiService()
        services.startService()
        service = self.service()
        service.setServiceParent(services)
        self.attempts()
        self.assertEqual(self.events, ["started"])
        gone: Any = service.disownServiceParent()
        self.successResultOf(gone)
        self.assertEqual(self.events, ["started", "stopped"])

    def test_startTwice(self) -> None:
        """
        A second start changes nothing.
        """
        service, _ = self.running()
        service.startService()
        self.assertEqual(self.events, ["started", "connected"])
        self.assertEqual(len(self.attempts()), 1)

    def test_restartWhileStopping(self) -> None:
        """
        If it is started again while it stops, it runs again after that.
        """
        service, transport = self.running()
        stopped = service.stopService()
        service.startService()
        again = service.whenConnected()
        self.assertTrue(service.running)
        self.assertNoResult(stopped)
        transport.lose(ConnectionDone())
        self.successResultOf(stopped)
        self.assertNoResult(again)
        self.establish()
        self.assertIs(self.successResultOf(again), service.client.server)
        self.assertEqual(
            self.events,
            ["started", "connected", "disconnected", "stopped", "started", "connected"],
        )

    def test_restartAfterALoss(self) -> None:
        """
        Waiting for the next connection does not depend on how the last one ended.
        """
        service, transport = self.running()
        service.client.put(b"lost")
        stopped = service.client.whenStopped()
        service.stopService()
        service.startService()
        again = service.whenConnected()
        transport.lose()
        self.failureResultOf(stopped)
        self.establish()
        self.assertIs(self.successResultOf(again), service.client.server)

    def test_cancelledWhenConnected(self) -> None:
        """
        Waiting for the connection can be cancelled.
        """
        service, transport = self.running()
        service.stopService()
        service.startService()
        again = service.whenConnected()
        again.cancel()
        self.failureResultOf(again, CancelledError)
        transport.lose(ConnectionDone())
        self.establish()
        self.assertTrue(service.client.connected)

    def test_changesOfMind(self) -> None:
        """
        With any number of calls, the last one counts, and one client runs.
        """
        for orders, runs in ((3, False), (4, True)):
            self.setUp()
            service, transport = self.running()
            stops = []
            for order in range(orders):
                if order % 2:
                    service.startService()
                else:
                    stops.append(service.stopService())
            transport.lose(ConnectionDone())
            for stop in stops:
                self.successResultOf(stop)
            self.assertEqual(self.events.count("started"), 2 if runs else 1)
            self.assertEqual(len(self.attempts()), 2 if runs else 1)
            self.assertEqual(service.running, runs)

    def test_cancelledStop(self) -> None:
        """
        To cancel the Deferred of the stop does not prevent the restart.
        """
        service, transport = self.running()
        stopped = service.stopService()
        service.startService()
        stopped.cancel()
        self.failureResultOf(stopped, CancelledError)
        transport.lose(ConnectionDone())
        self.assertEqual(len(self.attempts()), 2)

    def test_restartWhenStopped(self) -> None:
        """
        The same when the client has given up.
        """
        service = self.service()
        service.client.maxRetries = 0
        service.startService()
        waiter = service.whenConnected()
        self.refuse()
        self.failureResultOf(waiter, RetriesExhausted)
        self.failureResultOf(service.whenConnected(), RetriesExhausted)
        service.startService()
        self.establish()
        self.assertTrue(service.client.connected)

    def test_afterAnotherService(self) -> None:
        """
        A client that Twisted's C{ClientService} has driven can be started, although it
        has never reported to have stopped.
        """
        client, endpoint = self.client(), SlowEndpoint()
        other = ClientService(endpoint, client, clock=self.reactor)
        other.startService()
        protocol = endpoint.factories[0].buildProtocol(None)
        protocol.makeConnection(StringTransport())
        endpoint.results[0].callback(protocol)
        other.stopService()
        protocol.connectionLost(Failure(ConnectionDone()))
        service = ClientTCPService(client)
        service.startService()
        self.establish()
        self.assertTrue(client.connected)

    def test_beforeAnotherServiceEnds(self) -> None:
        """
        A client that Twisted's C{ClientService} drives cannot be started, although it
        is shutting down: it would never report that it has stopped.
        """
        client, endpoint = self.client(), SlowEndpoint()
        other = ClientService(endpoint, client, clock=self.reactor)
        other.startService()
        protocol = endpoint.factories[0].buildProtocol(None)
        protocol.makeConnection(StringTransport())
        endpoint.results[0].callback(protocol)
        client.shutdown()
        self.assertTrue(client.shuttingDown)
        service = ClientTCPService(client)
        error = self.assertRaises(RuntimeError, service.startService)
        self.assertIn("ClientService", str(error))
        self.assertFalse(service.running)
        other.stopService()
        protocol.connectionLost(Failure(ConnectionDone()))
        service.startService()
        self.establish()
        self.assertTrue(client.connected)

    def test_whenConnected(self) -> None:
        """
        C{whenConnected} is that of the client, even before the start.
        """
        service = self.service()
        early = service.whenConnected()
        service.startService()
        once = service.whenConnected(failAfterFailures=1)
        self.refuse()
        self.failureResultOf(once, Refused)
        self.reactor.advance(1)
        self.establish()
        self.assertIs(self.successResultOf(early), service.client.server)
        service, transport = self.running()
        service.stopService()
        transport.lose(ConnectionDone())
        self.failureResultOf(service.whenConnected(), NotConnectedError)

    def test_cannotStart(self) -> None:
        """
        A client without a destination does not start the service.
        """
        service = ClientTCPService(ClientTCPFactory(serverInput=print))
        self.assertRaises(ValueError, service.startService)
        self.assertFalse(service.running)

    def test_cannotStartAgain(self) -> None:
        """
        If the second start is not possible, that is logged, and the stop is still
        reported.
        """
        service, transport = self.running()
        stopped = service.stopService()
        service.startService()
        service.client.remotePort = None
        transport.lose(ConnectionDone())
        self.successResultOf(stopped)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertFalse(service.running)


class NetworkServiceTests(NetworkTestCase):
    """
    L{ClientTCPService}.
    """

    async def test_flushesAtStop(self) -> None:
        """
        Stopping the service shuts the client down: everything is sent.
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
        Its argument must be a client.
        """
        wrong: Any = object()
        self.assertRaises(TypeError, ClientTCPService, wrong)
