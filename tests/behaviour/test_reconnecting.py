"""
Tests for reconnecting: the delays, when they reset, giving up, C{whenConnected}.
"""

from __future__ import annotations

import gc
from typing import Any
from weakref import ref

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.logger import LogLevel, globalLogPublisher

from twisted_clienttcp import ClientTCPFactory, errorDetails
from twisted_clienttcp.errors import NegotiationRefused, OutputLost, RetriesExhausted
from twisted_clienttcp.retry import constant, giveUpByCount, giveUpByRate, giveUpByTime

from .._memory import ClientTestCase, RetryTestCase


class DelayTests(ClientTestCase):
    """
    The time of the next attempt.
    """

    def delays(self, client: ClientTCPFactory, count: int) -> list[float]:
        found = []
        client.start()
        for _ in range(count):
            self.refuse()
            found.append(client.delay)
            self.reactor.advance(client.delay)
        return found

    def test_exponential(self) -> None:
        """
        The attributes of C{ReconnectingClientFactory} determine how the waits grow.
        """
        client = self.client()
        client.factor = 2
        client.maxDelay = 5
        self.assertEqual(self.delays(client, 5), [1, 2, 4, 5, 5])

    def test_subclass(self) -> None:
        """
        They are used in a subclass, from the first wait on.
        """

        class Slow(ClientTCPFactory):
            initialDelay = 3
            factor = 3

        client = Slow(
            remoteAddress="127.0.0.1",
            remotePort=7,
            reactor=self.reactor,
            **self.recorder.parameters(),
        )
        client.jitter = 0
        self.assertEqual(self.delays(client, 3), [3, 9, 27])

    def test_jitter(self) -> None:
        """
        By default, each wait is random, from 0 to the limit.
        """
        client = self.client()
        del client.jitter
        client.maxDelay = 8
        drawn = self.delays(client, 50)
        self.assertTrue(all(0 <= delay <= 8 for delay in drawn))
        self.assertGreater(len(set(drawn)), 40)

    def test_nonsense(self) -> None:
        """
        A bad delay is rejected when it is assigned, and the client keeps the old one.
        """
        client = self.client()
        client.start()
        for name, wrong in (("initialDelay", -1), ("factor", 0.5), ("jitter", 2)):
            error = self.assertRaises(ValueError, setattr, client, name, wrong)
            self.assertIn(name, str(error))
        self.refuse()
        self.assertEqual(client.delay, 1)

    def test_noJitter(self) -> None:
        """
        None means no jitter, as in C{ReconnectingClientFactory}.
        """
        client = self.client()
        client.jitter = None
        self.assertEqual(self.delays(client, 1), [1])

    def test_resetAfterStability(self) -> None:
        """
        The waits reset only after a stable connection.
        """
        client = self.client()
        self.delays(client, 3)
        self.establish().lose()
        self.assertEqual(client.retries, 4)
        self.reactor.advance(client.delay)
        transport = self.establish()
        self.reactor.advance(client.stableAfter)
        transport.lose()
        self.assertEqual(client.retries, 1)

    def test_deadline(self) -> None:
        """
        An attempt that takes too long fails, and is dropped.
        """
        client = self.client(connectTimeout=5)
        client.start()
        self.attempts()
        self.reactor.advance(5)
        self.assertEqual(self.events[-1], ("connectError", "connect", 110))
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 2)

    def test_stopTrying(self) -> None:
        """
        C{stopTrying} ends a wait and an attempt at once, and the client of a connection
        when that is lost.
        """
        client = self.client()
        client.start()
        self.refuse()
        client.stopTrying()
        self.assertEqual(self.events[-1], "stopped")
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        client.start().addErrback(lambda failure: None)
        transport = self.establish()
        client.stopTrying()
        self.assertTrue(client.connected)
        transport.lose()
        self.assertEqual(self.events[-1], "stopped")
        client.resetDelay()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_notBeforeDisconnected(self) -> None:
        """
        No attempt begins before C{disconnected} has returned, whatever it calls.
        """
        for call in (
            lambda client: client.connect(),
            lambda client: client.connect("127.0.0.2", 8),
            lambda client: client.reconnect(),
            lambda client: client.retry(),
            lambda client: client.call("reconnect"),
            lambda client: client.shutdown() and client.start,
        ):
            self.setUp()
            client, transport = self.connected(initialDelay=0.0)
            client.initialDelay = 0
            inside: list[int] = []

            def disconnected(client: Any, details: Any, call: Any = call) -> None:
                call(client)
                inside.append(len(self.reactor.tcpClients))  # noqa: B023

            self.recorder.on["disconnected"] = disconnected
            before = len(self.reactor.tcpClients)
            transport.lose()
            self.assertEqual(inside, [before])

    def test_retry(self) -> None:
        """
        C{retry} makes an attempt after the policy's wait.
        """
        client = self.client()
        client.start()
        self.refuse()
        client.retry()
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 2)


class StabilityTests(RetryTestCase):
    """
    Tests for connections that reset the waits.
    """

    def test_acceptThenClose(self) -> None:
        """
        After a server has accepted and closed, the wait is as long as after a refusal.
        """
        client = self.started()
        waits = []
        for _ in range(4):
            transport = self.establish()
            transport.protocol.readConnectionLost()
            transport.lose(ConnectionDone())
            waits.append(self.wait(client))
        self.assertEqual(waits, self.refusals(4))

    def test_refusedNegotiations(self) -> None:
        """
        The same if C{preConnect} refuses the connection.
        """
        client = self.started(preConnect=lambda client, negotiation: False)
        waits = []
        for _ in range(4):
            self.establish().lose()
            self.assertEqual(self.events[-1][0], "connectError")
            self.recorder.failures[-1].trap(NegotiationRefused)
            waits.append(self.wait(client))
        self.assertEqual(waits, self.refusals(4))

    def refusals(self, count: int) -> list[float]:
        """
        @return: the waits while the server refuses.
        """
        self.setUp()
        client = self.started()
        waits = []
        for _ in range(count):
            self.refuse()
            waits.append(self.wait(client))
        self.assertEqual(waits, sorted(set(waits)))
        return waits

    def held(self, client: ClientTCPFactory, seconds: float) -> int:
        """
        @return: the number of failures in a row, after three of them and a connection
            that lasted so long.
        """
        client.start().addErrback(lambda failure: None)
        client.factor = 2
        # So that the times are whole numbers, and the sums exact.
        client.jitter = 0
        for _ in range(3):
            self.refuse()
            self.wait(client)
        transport = self.establish()
        self.reactor.advance(seconds)
        transport.lose()
        return client.retries

    def test_stableAfter(self) -> None:
        """
        The waits reset after a connection that has lasted for C{stableAfter} seconds
        (10 by default), not sooner.
        """
        self.assertEqual(self.held(self.client(), 9.9), 4)
        self.setUp()
        self.assertEqual(self.held(self.client(), 10), 1)
        self.setUp()
        self.assertEqual(self.held(self.client(stableAfter=2.5), 2.4), 4)
        self.setUp()
        self.assertEqual(self.held(self.client(stableAfter=2.5), 2.5), 1)
        self.setUp()
        self.assertEqual(self.held(self.client(stableAfter=0), 0), 1)

    def test_attribute(self) -> None:
        """
        It can be an attribute of a subclass, and another value can be assigned to an
        instance.
        """

        class Quick(ClientTCPFactory):
            stableAfter = 1

        self.assertEqual(Quick(serverInput=print).stableAfter, 1)
        self.assertEqual(Quick(serverInput=print, stableAfter=3).stableAfter, 3)
        client = Quick(
            remoteAddress="127.0.0.1",
            remotePort=7,
            reactor=self.reactor,
            **self.recorder.parameters(),
        )
        self.assertEqual(self.held(client, 1), 1)

    def test_attributeNonsense(self) -> None:
        """
        Wrong values are rejected by the constructor, or by C{start}.
        """
        self.assertRaises(ValueError, self.client, stableAfter=-1)
        self.assertRaises(TypeError, self.client, stableAfter="10")

    def test_resetDelay(self) -> None:
        """
        The user may reset the waits earlier, for example after a login.
        """
        client = self.started()
        for _ in range(3):
            self.refuse()
            self.wait(client)
        transport = self.establish()
        client.resetDelay()
        self.assertEqual((client.retries, client.delay), (0, client.initialDelay))
        transport.lose()
        self.assertEqual((client.retries, client.delay), (1, client.initialDelay))


class GiveUpTests(RetryTestCase):
    """
    Giving up.
    """

    def test_maxRetries(self) -> None:
        """
        After C{maxRetries}: the error has the number of attempts, the time and the
        reason.
        """
        client = self.client()
        client.maxRetries = 2
        client.factor = 2
        self.stop, connection = client.start(), client.whenConnected()
        for _ in range(2):
            self.refuse()
            self.wait(client)
        self.refuse()
        error = self.assertGaveUp(Refused)
        self.assertEqual((error.attempts, error.elapsed), (3, 3.0))
        self.assertIn("3 failures in 3 s", str(error))
        self.assertIn("refused", str(error))
        for waiter in (connection, client.whenConnected(), client.whenStopped()):
            self.assertIs(self.failureResultOf(waiter, RetriesExhausted).value, error)
        details = errorDetails(self.recorder.failures[-1])
        self.assertEqual(details[:2], ("retry", 110))

    def test_anyPolicy(self) -> None:
        """
        The limit applies to any policy.
        """
        client = self.started(retryPolicy=constant(1))
        client.maxRetries = 0
        self.refuse()
        self.assertEqual(self.assertGaveUp(Refused).attempts, 1)

    def test_byCount(self) -> None:
        """
        L{giveUpByCount} is a policy with the same effect.
        """
        client = self.started(retryPolicy=giveUpByCount(2, constant(1)))
        for _ in range(2):
            self.refuse()
            self.wait(client)
        self.refuse()
        self.assertEqual(self.assertGaveUp(Refused).attempts, 3)

    def test_byTime(self) -> None:
        """
        L{giveUpByTime} measures from the first failure in a row; a stable connection
        starts a new row.
        """
        client = self.started(retryPolicy=giveUpByTime(10, constant(4)))
        for _ in range(2):
            self.refuse()
            self.wait(client)
        transport = self.establish()
        self.reactor.advance(client.stableAfter)
        transport.lose()
        for _ in range(2):
            self.wait(client)
            self.refuse()
        error = self.assertGaveUp(Refused)
        self.assertEqual((error.attempts, error.elapsed), (3, 8.0))

    def test_byRate(self) -> None:
        """
        L{giveUpByRate} counts all failures, even those with stable connections between
        them.
        """
        client = self.started(
            stableAfter=5, retryPolicy=giveUpByRate(3, 30, constant(1))
        )
        for pause in (5, 25, 6):
            transport = self.establish()
            self.reactor.advance(pause)
            transport.lose()
            self.wait(client)
        self.refuse()
        error = self.assertGaveUp(Refused)
        self.assertEqual((error.attempts, error.elapsed), (2, 1.0))

    def test_startAgain(self) -> None:
        """
        When the client is started again, all counts are 0.
        """
        client = self.started(retryPolicy=giveUpByRate(2, 30, constant(1)))
        for _ in range(2):
            self.refuse()
            self.reactor.advance(1)
        self.assertGaveUp(Refused)
        self.stop = client.start()
        self.refuse()
        self.assertNoResult(self.stop)
        self.assertEqual(self.wait(client), 1)

    def test_lossIsForgotten(self) -> None:
        """
        Bytes that were lost before do not count when the client is started again.
        """
        client = self.started(autoReconnect=False)
        transport = self.establish()
        client.put(b"lost")
        transport.lose(ConnectionDone())
        self.failureResultOf(self.stop, OutputLost)
        self.stop = client.start()
        client.shutdown()
        self.assertIsNone(self.successResultOf(self.stop))

    def test_cleanEnds(self) -> None:
        """
        Even if the server closes cleanly each time, the end is not a success.
        """
        client = self.started()
        client.maxRetries = 0
        transport = self.establish()
        transport.protocol.readConnectionLost()
        transport.lose(ConnectionDone())
        self.assertGaveUp(ConnectionDone)

    def test_logged(self) -> None:
        """
        It is logged as a warning if there is no callback for it.
        """
        events: list[Any] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        for silent, level in ((False, LogLevel.info), (True, LogLevel.warn)):
            client = self.client(**({"stopped": None} if silent else {}))
            client.maxRetries = 0
            client.start().addErrback(lambda failure: None)
            self.refuse()
            said = [e for e in events if "gives up" in (e.get("log_format") or "")]
            self.assertEqual(said[-1]["log_level"], level)

    def test_callInStopped(self) -> None:
        """
        A callback may continue after the client has given up.
        """
        self.recorder.on["stopped"] = lambda client, failure: client.reconnect(5)
        client = self.started()
        client.maxRetries = 0
        self.refuse()
        self.failureResultOf(self.stop, RetriesExhausted)
        self.assertEqual(self.wait(client), 5)


class WhenConnectedTests(RetryTestCase):
    """
    C{whenConnected(failAfterFailures)}.
    """

    def test_failures(self) -> None:
        """
        It fails with the last of that number of failures since the call; the client
        continues.
        """
        client = self.started()
        one = client.whenConnected(failAfterFailures=1)
        two = client.whenConnected(2)
        never = client.whenConnected()
        self.refuse()
        self.failureResultOf(one, Refused)
        self.assertNoResult(two)
        forgotten = ref(one)
        del one
        gc.collect()
        self.assertIsNone(forgotten(), "the client keeps a Deferred that has fired")
        again = client.whenConnected(1)
        self.wait(client)
        self.refuse()
        self.failureResultOf(two, Refused)
        self.failureResultOf(again, Refused)
        self.wait(client)
        self.establish()
        self.assertIs(self.successResultOf(never), client.server)
        self.assertIs(self.successResultOf(client.whenConnected(1)), client.server)

    def test_negotiation(self) -> None:
        """
        An attempt that C{preConnect} refuses is a failure; one that a call has dropped
        is not.
        """
        client = self.started(preConnect=lambda client, negotiation: Deferred())
        waiter = client.whenConnected(1)
        transport = self.establish()
        client.reconnect()
        transport.lose()
        self.assertNoResult(waiter)
        self.establish().lose()
        self.failureResultOf(waiter, ConnectionLost)

    def test_rounds(self) -> None:
        """
        With several endpoints, each must have failed.
        """
        client = self.started(
            remoteAddress=None,
            remotePort=None,
            endpoint=["tcp:127.0.0.1:7", "tcp:127.0.0.1:8"],
        )
        one, two = client.whenConnected(1), client.whenConnected(2)
        self.refuse()
        self.assertNoResult(one)
        self.refuse()
        self.failureResultOf(one, Refused)
        self.assertEqual(client.retries, 1)
        self.wait(client)
        self.refuse()
        self.assertNoResult(two)
        self.establish()
        self.assertIs(self.successResultOf(two), client.server)

    def test_lossIsNone(self) -> None:
        """
        The loss of a connection is not a failed attempt.
        """
        client = self.started()
        transport = self.establish()
        waiters: list[Any] = []
        self.recorder.on["disconnected"] = lambda client, details: waiters.append(
            client.whenConnected(1)
        )
        transport.lose()
        self.assertNoResult(waiters[0])
        self.wait(client)
        self.establish()
        self.successResultOf(waiters[0])

    def test_inConnectError(self) -> None:
        """
        A Deferred that C{connectError} requests waits for the next attempt.
        """
        waiters: list[Any] = []
        self.recorder.on["connectError"] = lambda client, failure: waiters.append(
            client.whenConnected(1)
        )
        client = self.started()
        self.refuse()
        self.assertNoResult(waiters[0])
        self.wait(client)
        self.refuse()
        self.failureResultOf(waiters[0], Refused)

    def test_cancelled(self) -> None:
        """
        A cancelled Deferred is forgotten.
        """
        client = self.started()
        one, other = client.whenConnected(1), client.whenConnected(1)
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.refuse()
        self.failureResultOf(other, Refused)

    def test_arguments(self) -> None:
        """
        It must be an integer of at least 1.
        """
        client = self.client()
        self.assertRaises(ValueError, client.whenConnected, 0)
        self.assertRaises(TypeError, client.whenConnected, 1.5)


class NotRunningTests(ClientTestCase):
    """
    C{reconnect()} and C{connect()} of a client that is not running.
    """

    def test_start(self) -> None:
        """
        They start a client that was never started or has stopped: C{started} is called,
        and the attempt follows, after the delay that was passed.
        """
        for delay in (0, 5):
            client = self.client()
            for _ in range(2):
                self.events.clear()
                before = len(self.attempts())
                client.reconnect(delay)
                self.assertEqual(self.events, ["started"])
                self.reactor.advance(delay)
                self.assertEqual(len(self.attempts()), before + 1)
                client.shutdown()
                self.assertEqual(self.events, ["started", "stopped"])
            client.connect("127.0.0.2")
            self.assertEqual(self.attempts()[-1][0], "127.0.0.2")
            client.shutdown()


class NetworkIsBackTests(RetryTestCase):
    """
    C{reconnect()} while waiting.
    """

    def test_atOnce(self) -> None:
        """
        It connects at once; if that fails, the policy continues from its state.
        """
        client = self.started()
        for _ in range(3):
            self.refuse()
            self.wait(client)
        self.refuse()
        longer = client.delay
        client.reconnect()
        self.assertEqual(len(self.attempts()), 5)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.refuse()
        self.assertGreater(client.delay, longer)

    def test_manyTimes(self) -> None:
        """
        Any number of calls causes one attempt, and one timer.
        """
        client = self.started()
        self.refuse()
        for _ in range(5):
            client.reconnect()
        self.assertEqual(len(self.attempts()), 2)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
