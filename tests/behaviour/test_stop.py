"""
Tests for C{stop(failure)}: it does what C{shutdown} does, and has a reason.
"""

from __future__ import annotations

from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from .._memory import RetryTestCase, SlowEndpoint, phase


class WrongPassword(Exception):
    """
    The reason of these tests.
    """


class StopTests(RetryTestCase):
    """
    The failure is passed to C{stopped} and to everything that waits for the client.
    """

    def setUp(self) -> None:
        super().setUp()
        self.reason = Failure(WrongPassword())

    def assertStopped(self, *waiting: Any) -> None:
        """
        The client has stopped with the reason, and leaves nothing behind.
        """
        self.assertEqual(self.events[-1], "stopped")
        self.assertEqual(self.events.count("stopped"), 1)
        self.assertIs(self.recorder.failures[-1], self.reason)
        for deferred in (self.stop, *waiting):
            self.assertIs(self.failureResultOf(deferred), self.reason)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_connected(self) -> None:
        """
        A connection is closed as by C{shutdown}: its output is sent first.
        """
        client = self.started()
        transport = self.establish()
        client.put(b"bye")
        stopped = client.stop(self.reason)
        self.assertNoResult(stopped)
        self.reactor.advance(0)
        transport.drain()
        self.assertEqual(transport.sent, b"bye\r\n")
        transport.lose(ConnectionDone())
        disconnection = self.successResultOf(stopped)
        assert disconnection is not None
        self.assertEqual(disconnection.unsent, 0)
        self.assertStopped(client.whenStopped(), client.whenConnected())

    def test_waiting(self) -> None:
        """
        Between two attempts, the client stops immediately.
        """
        client = self.started()
        self.refuse()
        connected = client.whenConnected()
        self.assertIsNone(self.successResultOf(client.stop(self.reason)))
        self.assertStopped(connected)

    def test_connecting(self) -> None:
        """
        An attempt is cancelled.
        """
        client = self.started()
        self.attempts()
        connected = client.whenConnected()
        client.stop(self.reason)
        self.assertStopped(connected)

    def test_negotiating(self) -> None:
        """
        A connection that is not open yet is aborted.
        """

        def preConnect(client: Any, negotiation: Any) -> Any:
            return negotiation.nextRecord()

        client = self.started(preConnect=preConnect)
        transport = self.establish()
        client.stop(self.reason)
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertStopped()

    def test_afterShutdown(self) -> None:
        """
        It adds the reason to a C{shutdown} that has not finished; the first reason
        counts.
        """
        client = self.started()
        transport = self.establish()
        client.shutdown()
        client.stop(self.reason)
        client.stop(Failure(ZeroDivisionError()))
        transport.lose(ConnectionDone())
        self.assertStopped()

    def test_reconnect(self) -> None:
        """
        A client that is connected again after all has forgotten the reason.
        """
        client = self.started()
        transport = self.establish()
        client.stop(self.reason)
        client.reconnect()
        transport.lose()
        self.assertEqual(len(self.attempts()), 2)
        client.shutdown()
        self.assertIsNone(self.successResultOf(self.stop))

    def test_startedAgain(self) -> None:
        """
        A client that is started again does not stop for the same reason.
        """
        client = self.started()
        client.stop(self.reason)
        self.assertStopped()
        stop = client.start()
        client.shutdown()
        self.assertIsNone(self.successResultOf(stop))

    def test_stoppedAlready(self) -> None:
        """
        A client that does not run has nothing to stop, as for C{shutdown}.
        """
        client = self.client()
        self.assertIsNone(self.successResultOf(client.stop(self.reason)))
        stop = client.start()
        client.shutdown()
        self.assertIsNone(self.successResultOf(client.stop(self.reason)))
        self.assertIsNone(self.successResultOf(stop))
        self.assertIsNone(self.successResultOf(client.whenStopped()))

    def test_inACallback(self) -> None:
        """
        It can be called in C{disconnected}, where a client would retry.
        """
        self.recorder.on["disconnected"] = lambda client, details: client.stop(
            self.reason
        )
        self.started()
        self.establish().lose()
        self.assertStopped()

    def test_hosted(self) -> None:
        """
        Under a C{ClientService}, which makes its next attempt, the reason is forgotten.
        """
        endpoint = SlowEndpoint()
        client = self.client(remoteAddress=None, remotePort=None)
        service = ClientService(endpoint, client, clock=self.reactor)
        service.startService()
        self.addCleanup(service.stopService)
        protocol = endpoint.factories[0].buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        endpoint.results[0].callback(protocol)
        stopped = client.stop(self.reason)
        protocol.connectionLost(Failure(ConnectionDone()))
        disconnection = self.successResultOf(stopped)
        assert disconnection is not None
        self.assertEqual(disconnection.unsent, 0)
        self.assertNotIn("stopped", self.events)
        self.assertEqual(phase(client), "stopped")

    def test_type(self) -> None:
        """
        The reason must be a C{Failure}.
        """
        client = self.started()
        for wrong in (None, "wrong password", WrongPassword()):
            with self.assertRaisesRegex(TypeError, "Failure"):
                client.stop(wrong)  # type: ignore[arg-type]
        self.attempts()
        self.assertEqual(phase(client), "connecting")
