"""
Tests for the methods that the client has from C{ReconnectingClientFactory}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.python.failure import Failure

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.retry import constant

from .._memory import RetryTestCase, phase


class KnowsOnlyTwistedTests(RetryTestCase):
    """
    C{stopTrying}, C{resetDelay} and C{retry} for code that knows only
    C{ReconnectingClientFactory}.
    """

    def subclass(self, **methods: Any) -> ClientTCPFactory:
        """
        @return: a started client of a subclass with such methods.
        """
        kind: Any = type("Subclass", (ClientTCPFactory,), methods)
        client: ClientTCPFactory = kind(
            remoteAddress="127.0.0.1",
            remotePort=7,
            reactor=self.reactor,
            **self.recorder.parameters(),
        )
        client.jitter = 0
        self.stop = client.start()
        return client

    def test_howto(self) -> None:
        """
        The example of Twisted's documentation: a subclass that calls methods of
        C{ReconnectingClientFactory} by name waits once for each failure and loss.
        """

        def failed(client: Any, connector: Any, reason: Any) -> None:
            ReconnectingClientFactory.clientConnectionFailed(client, connector, reason)

        def lost(client: Any, connector: Any, reason: Any) -> None:
            ReconnectingClientFactory.clientConnectionLost(client, connector, reason)

        client = self.subclass(clientConnectionFailed=failed, clientConnectionLost=lost)
        for retries in (1, 2):
            self.refuse()
            self.assertEqual(client.retries, retries)
            self.wait(client)
        self.establish().lose()
        self.assertEqual(client.retries, 3)
        self.assertEqual(self.events[-1], "disconnected")
        self.wait(client)

    def test_lossAfterRecords(self) -> None:
        """
        Such a subclass receives each record that arrived before the loss.
        """

        def lost(client: Any, connector: Any, reason: Any) -> None:
            client.retry(connector)

        client = self.subclass(clientConnectionLost=lost)
        transport = self.establish()
        client.pauseProducing()
        transport.protocol.dataReceived(b"a\r\nb\r\n")
        transport.lose()
        client.clientConnectionLost(client.connector, Failure(ConnectionLost()))
        client.resumeProducing()
        self.assertEqual(
            self.events[2:],
            [
                ("serverInput", b"a"),
                ("serverInput", b"b"),
                ("serverError", "write", 104),
                "disconnected",
            ],
        )
        self.assertEqual(client.retries, 1)

    def test_keptFromUs(self) -> None:
        """
        If a subclass neither passes on a failure nor retries, the deadline reports it:
        the client never hangs.
        """
        client = self.subclass(clientConnectionFailed=lambda *args: None)
        self.refuse()
        self.assertEqual(self.events, ["started"])
        self.reactor.advance(client.connectTimeout)
        self.assertEqual(self.events[1:], [("connectError", "connect", 110)])
        self.wait(client)

    def test_stopTryingWhileWaiting(self) -> None:
        """
        C{stopTrying} ends a wait, and leaves no timer.
        """
        client = self.started()
        self.refuse()
        client.stopTrying()
        self.assertIsNone(self.successResultOf(self.stop))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stopTryingWhileConnecting(self) -> None:
        """
        It ends an attempt silently.
        """
        client = self.started()
        self.attempts()
        client.stopTrying()
        self.assertEqual(self.events, ["started", "stopped"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stopTryingWhileNegotiating(self) -> None:
        """
        An existing transport may still become a connection; if it does not, this was
        the last attempt.
        """
        client = self.started(preConnect=lambda client, negotiation: Deferred())
        transport = self.establish()
        client.stopTrying()
        transport.lose()
        self.failureResultOf(self.stop, ConnectionLost)

    def test_stopTryingAfterARequest(self) -> None:
        """
        It cancels a request to connect again that was made before.
        """
        client = self.started()
        transport = self.establish()
        client.reconnect(3)
        client.stopTrying()
        transport.lose()
        self.assertIsNone(self.successResultOf(self.stop))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_requestAfterStopTrying(self) -> None:
        """
        A request that is made afterwards is carried out once.
        """
        client = self.started()
        transport = self.establish()
        client.stopTrying()
        client.reconnect(3)
        transport.lose()
        self.assertEqual(self.wait(client), 3)
        self.refuse()
        self.failureResultOf(self.stop, Refused)

    def test_stopTryingInDisconnected(self) -> None:
        """
        In C{disconnected}, as it is often called, it ends the client.
        """
        self.recorder.on["disconnected"] = lambda client, details: client.stopTrying()
        self.started()
        self.establish().lose()
        self.failureResultOf(self.stop, ConnectionLost)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stopTryingBefore(self) -> None:
        """
        Before C{connectTCP}, it limits the client to one attempt.
        """
        client = self.client()
        client.stopTrying()
        self.reactor.connectTCP("127.0.0.1", 7, client)
        stopped = client.whenStopped()
        self.refuse()
        self.failureResultOf(stopped, Refused)
        client.start().addErrback(lambda failure: None)
        self.refuse()
        self.assertEqual(phase(client), "waiting")

    def test_resetDelayDoesNotStart(self) -> None:
        """
        C{resetDelay} neither revives a stopped client nor forgets a timer.
        """
        client = self.started()
        self.refuse()
        client.resetDelay()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        client.stopTrying()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        client.resetDelay()
        self.assertFalse(client.continueTrying)
        client.retry()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.events.count("started"), 1)

    def test_resetDelayRaises(self) -> None:
        """
        The client itself does not call C{resetDelay}, as a C{ReconnectingClientFactory}
        does not: an override that raises affects neither the start nor a loss.
        """
        client = self.subclass(resetDelay=lambda client: 1 / 0)
        transport = self.establish()
        self.reactor.advance(client.stableAfter)
        transport.lose()
        self.assertIn("disconnected", self.recorder.events)
        self.assertEqual(client.retries, 1)
        client.shutdown()
        self.successResultOf(self.stop)

    def test_resetDelayWhileWaiting(self) -> None:
        """
        During a wait, it resets the next wait.
        """
        client = self.started()
        for _ in range(3):
            self.refuse()
            self.wait(client)
        self.refuse()
        client.resetDelay()
        self.wait(client)
        self.refuse()
        self.assertEqual(client.delay, client.initialDelay)

    def test_retryWhileWaiting(self) -> None:
        """
        C{retry} replaces the timer; the failure is counted once.
        """
        client = self.started()
        self.refuse()
        for _ in range(3):
            client.retry()
        self.assertEqual(client.retries, 1)
        self.assertEqual(self.wait(client), client.initialDelay)

    def test_retryWhileConnecting(self) -> None:
        """
        It does not affect an attempt or a negotiation.
        """
        client = self.started(
            preConnect=lambda client, negotiation: Deferred(),
            # The memory reactor's connectors do not say how far they have come.
            remoteAddress="fe80::1%0",
        )
        self.attempts()
        client.retry()
        self.assertEqual(len(self.attempts()), 1)
        transport = self.establish()
        client.retry()
        self.assertFalse(transport.aborted)

    def test_retryInACallback(self) -> None:
        """
        Without C{autoReconnect}, it requests an attempt, after the wait of the policy.
        """
        for name in ("connectError", "disconnected"):
            self.setUp()
            self.recorder.on[name] = lambda client, what: client.retry()
            client = self.started(autoReconnect=False, retryPolicy=constant(7))
            if name == "connectError":
                self.refuse()
            else:
                self.establish().lose()
            self.assertEqual(self.wait(client), 7)

    def test_retryGivesUp(self) -> None:
        """
        If the policy gives up, so does the client.
        """
        self.recorder.on["connectError"] = lambda client, failure: client.retry()
        client = self.started(autoReconnect=False)
        client.maxRetries = 1
        self.refuse()
        self.wait(client)
        self.refuse()
        self.assertEqual(self.assertGaveUp(Refused).attempts, 2)

    def test_retryAfterShutdown(self) -> None:
        """
        It does not cancel a request to stop.
        """
        client = self.started()
        transport = self.establish()
        client.shutdown()
        client.retry()
        transport.lose(ConnectionDone())
        self.assertIsNone(self.successResultOf(self.stop))
        client.retry()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_retryFromTheStart(self) -> None:
        """
        It starts a client that was never started, after the wait; without a
        destination, it is an error.
        """
        client = self.client()
        client.retry()
        self.assertEqual(self.wait(client), client.initialDelay)
        nowhere = ClientTCPFactory(serverInput=print, reactor=self.reactor)
        self.assertRaises(ValueError, nowhere.retry)

    def test_retryConnector(self) -> None:
        """
        The connector that is passed to it connects.
        """

        class Another:
            connects = 0

            def connect(self) -> None:
                self.connects += 1

        client, another = self.client(), Another()
        client.retry(another)
        self.reactor.advance(client.delay)
        self.assertEqual((another.connects, self.attempts()), (1, []))
        self.assertIs(client.connector, another)
