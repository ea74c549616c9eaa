"""
Tests that a client can be used in tests written for C{ReconnectingClientFactory}: they
call its methods by hand, with connectors of their own and with None as a reason.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.test import test_factories
from twisted.trial import reporter
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.testing import MemoryServer

from .._support import Recorder


class Replacement(ClientTCPFactory):
    """
    A client that is created like a C{ReconnectingClientFactory}.
    """

    def __init__(self) -> None:
        super().__init__(serverInput=lambda client, record: None)


class TwistedTests(SynchronousTestCase):
    """
    Twisted's own tests of C{ReconnectingClientFactory}, from the Twisted that is
    installed, with a subclass of ours in its place.
    """

    #: The tests that need a factory that can be pickled.
    SERIALIZING = {
        "test_deserializationResetsParameters",
        "test_serializeUnused",
        "test_serializeWithClock",
    }

    def test_factories(self) -> None:
        """
        All tests pass, except those that pickle the factory: they fail because a client
        cannot be pickled.
        """
        self.patch(test_factories, "ReconnectingClientFactory", Replacement)
        kind = test_factories.ReconnectingFactoryTests
        names = {name for name in dir(kind) if name.startswith("test_")}
        self.assertLess(self.SERIALIZING, names)
        for name in names:
            result = reporter.TestResult()
            kind(name).run(result)
            if name in self.SERIALIZING:
                ((_, failure),) = result.errors
                assert isinstance(failure, Failure)
                self.assertIs(failure.type, TypeError)
                self.assertIn("cannot be pickled or copied", str(failure))
            else:
                self.assertTrue(result.wasSuccessful(), (name, result.errors))


class Connector:
    """
    A connector of a test: it has only the methods that a
    C{ReconnectingClientFactory} calls.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def connect(self) -> None:
        self.calls.append("connect")

    def stopConnecting(self) -> None:
        self.calls.append("stopConnecting")


class ByHandTests(SynchronousTestCase):
    """
    A factory that was never passed to a connector.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.connector = Connector()
        self.recorder = Recorder()
        self.client = ClientTCPFactory(**self.recorder.parameters())
        self.client.clock = self.clock
        self.client.jitter = None

    def waits(self) -> float:
        """
        Advance to the only timer.

        @return: the seconds that have passed.
        """
        (call,) = self.clock.getDelayedCalls()
        wait: float = call.getTime() - self.clock.seconds()
        self.clock.advance(wait)
        return wait

    def test_lost(self) -> None:
        """
        Each loss is followed by an attempt of the connector, after a delay that grows.
        """
        for number, delay in enumerate((1, 2, 4), 1):
            self.client.clientConnectionLost(self.connector, None)
            self.assertIs(self.client.connector, self.connector)
            self.assertEqual(self.client.retries, number)
            self.assertEqual(self.waits(), delay)
            self.assertEqual(self.connector.calls, ["connect"] * number)

    def test_failed(self) -> None:
        """
        And so is each failure, which is passed to C{connectError}, also without a
        reason.
        """
        for delay, reason in (1, None), (2, Failure(ConnectionLost())):
            self.client.clientConnectionFailed(self.connector, reason)
            self.assertEqual(self.waits(), delay)
        self.assertEqual(self.connector.calls, ["connect"] * 2)
        unknown, known = (failure.value for failure in self.recorder.failures)
        self.assertIsInstance(unknown, ConnectError)
        self.assertIsInstance(known, ConnectionLost)

    def test_logged(self) -> None:
        """
        Without C{connectError}, the failure is logged with the connector's name.
        """
        client = ClientTCPFactory(serverInput=print, clock=self.clock)
        client.clientConnectionFailed(self.connector, None)
        self.assertIn(repr(self.connector), repr(client))

    def test_stopTrying(self) -> None:
        """
        After C{stopTrying} there is no attempt, and no callback either.
        """
        self.client.stopTrying()
        self.client.clientConnectionLost(self.connector, None)
        self.client.clientConnectionFailed(self.connector, None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((self.connector.calls, self.recorder.events), ([], []))

    def test_stopTryingWhileWaiting(self) -> None:
        """
        C{stopTrying} cancels the timer, and the connector's attempt.
        """
        self.client.clientConnectionLost(self.connector, None)
        self.client.stopTrying()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.connector.calls, ["stopConnecting"])

    def test_assignedConnector(self) -> None:
        """
        A connector that was assigned makes the attempts if the client has no address of
        its own; C{stopTrying} stops it.
        """
        self.client.connector = self.connector
        self.client.stopTrying()
        self.assertEqual(self.connector.calls, ["stopConnecting"])
        self.client.start().addErrback(lambda failure: None)
        self.clock.advance(0)
        self.assertEqual(self.connector.calls, ["stopConnecting", "connect"])

    def test_connection(self) -> None:
        """
        A connection whose protocol was built by hand calls the callbacks. Its loss
        leads to an attempt when C{clientConnectionLost} is called, and not before: a
        C{ClientService} never calls it.
        """
        protocol = self.client.buildProtocol(None)
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(b"a\r\n")
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.recorder.events[-1], "disconnected")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.client.clientConnectionLost(self.connector, Failure(ConnectionLost()))
        self.assertEqual(self.waits(), 1)
        self.assertEqual(self.connector.calls, ["connect"])
        self.assertEqual(
            self.recorder.events,
            [
                "connected",
                ("serverInput", b"a"),
                ("serverError", "read", 104),
                "disconnected",
                "started",
            ],
        )

    def test_autoReconnect(self) -> None:
        """
        With C{autoReconnect} False, the client stops.
        """
        self.client.autoReconnect = False
        self.client.clientConnectionFailed(self.connector, None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.recorder.events[-1], "stopped")


class OtherProtocolTests(SynchronousTestCase):
    """
    A subclass whose C{buildProtocol} does not return the protocol of its base class.
    """

    def test_lost(self) -> None:
        """
        Its connection never reaches C{connected}, so its end is a failed attempt, and
        is followed by the next one.
        """
        for protocol in (None, Protocol()):

            class Subclass(ClientTCPFactory):
                def buildProtocol(
                    self, addr: object, protocol: Protocol | None = protocol
                ) -> Protocol | None:
                    return protocol

            recorder = Recorder()
            client = Subclass(**recorder.parameters())
            client.jitter = None
            server = MemoryServer(client)
            server.accept()
            if protocol is not None:
                server.reset()
            self.assertEqual(recorder.events[0], "started")
            self.assertEqual(recorder.events[1][:2], ("connectError", "read"))
            self.assertEqual(len(recorder.events), 2)
            server.advance(client.delay)
            self.assertTrue(server.attempting)
            self.assertEqual(client.stats.failures, 1)


class Unused(Connector):
    """
    A connector of a test whose connection is lost by hand.
    """

    def getDestination(self) -> Any:
        return "elsewhere"


class NameTests(SynchronousTestCase):
    """
    The name of a client in messages.
    """

    def test_destination(self) -> None:
        """
        It is the connector's destination if the client has none of its own.
        """
        client = ClientTCPFactory(serverInput=print)
        self.assertEqual(repr(client), "<ClientTCPFactory ? idle>")
        client.connector = Unused()
        self.assertEqual(repr(client), "<ClientTCPFactory elsewhere idle>")
