"""
Staying connected: the policy, the end of it, and the orders of those who know only
C{ReconnectingClientFactory}. The network is a memory reactor and the time a clock.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import capturedLogs, formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from twisted_clienttcp import ClientTCPFactory, errorDetails
from twisted_clienttcp._check import delay as _valid
from twisted_clienttcp._lifecycle import Phase
from twisted_clienttcp.errors import NegotiationRefused, OutputLost, RetriesExhausted
from twisted_clienttcp.retry import (
    MEMORY,
    Attempt,
    constant,
    giveUpByCount,
    giveUpByRate,
    giveUpByTime,
)

from .test_factory import ClientTestCase


class RetryTestCase(ClientTestCase):
    """
    A client that is started, and whose failure is looked at by the test.
    """

    def started(self, **parameters: Any) -> ClientTCPFactory:
        client = self.client(**parameters)
        self.stop = client.start()
        return client

    def assertGaveUp(self, *cause: type[BaseException]) -> RetriesExhausted:
        """
        The client has given up, and nothing of it is left.
        """
        error = self.failureResultOf(self.stop, RetriesExhausted).value
        self.assertEqual(self.events[-1], "stopped")
        self.assertIs(self.recorder.failures[-1].value, error)
        self.assertIsInstance(error.__cause__, cause)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        assert isinstance(error, RetriesExhausted)
        return error

    def wait(self, client: ClientTCPFactory) -> float:
        """
        Let the wait be over.

        @return: how long it was.
        """
        (timer,) = self.reactor.getDelayedCalls()
        wait: float = timer.getTime() - self.reactor.seconds()
        attempts = len(self.attempts())
        self.reactor.advance(wait)
        self.assertEqual(len(self.attempts()), attempts + 1)
        return wait


class PolicyTests(RetryTestCase):
    """
    C{retryPolicy}.
    """

    def test_attempts(self) -> None:
        """
        It is called with the number of failures in a row, and says the wait.
        """
        asked: list[int] = []

        def policy(attempt: int) -> float:
            asked.append(attempt)
            return attempt * 1.5

        client = self.started(retryPolicy=policy)
        for wait in (1.5, 3.0, 4.5):
            self.refuse()
            self.assertEqual(client.delay, wait)
            self.assertEqual(self.wait(client), wait)
        self.assertEqual(asked, [1, 2, 3])

    def test_whatItKnows(self) -> None:
        """
        The number knows when the failures were, and which the last was.
        """
        known: list[Any] = []

        def policy(attempt: int) -> float:
            assert isinstance(attempt, Attempt)
            known.append((attempt.elapsed, attempt.ages, type(attempt.failure.value)))
            return 2

        client = self.started(retryPolicy=policy, stableAfter=5)
        self.refuse()
        self.wait(client)
        self.refuse()
        self.wait(client)
        transport = self.establish()
        self.reactor.advance(5)
        transport.lose()
        self.assertEqual(
            known,
            [
                (0.0, (0.0,), Refused),
                (2.0, (0.0, 2.0), Refused),
                (0.0, (0.0, 7.0, 9.0), ConnectionLost),
            ],
        )

    def test_memory(self) -> None:
        """
        It knows of so many failures and no more.
        """
        counts: list[int] = []

        def policy(attempt: int) -> float:
            assert isinstance(attempt, Attempt)
            counts.append(len(attempt.ages))
            return 0

        self.started(retryPolicy=policy)
        for _ in range(MEMORY + 5):
            self.refuse()
        self.assertEqual(counts[-6:], [MEMORY] * 6)

    def test_twisted(self) -> None:
        """
        A policy of Twisted's does; no wait is over C{maxDelay}, also of that one, which
        adds its jitter to its own greatest.
        """
        client = self.started(
            retryPolicy=backoffPolicy(4, maxDelay=60, factor=2, jitter=lambda: 0.5)
        )
        waits = []
        for _ in range(5):
            self.refuse()
            waits.append(self.wait(client))
        self.assertEqual(waits, [8.5, 16.5, 32.5, 60, 60])

    def test_longer(self) -> None:
        """
        Who wants to wait longer sets C{maxDelay}.
        """
        client = self.started(retryPolicy=constant(300))
        with capturedLogs() as logs:
            self.refuse()
            self.assertEqual(self.wait(client), 60)
        said = [str(formatEvent(event)) for event in logs if "delay" in event]
        self.assertIn("waits maxDelay=60.0 seconds, not 300.0", said[0])
        client.maxDelay = 300
        with capturedLogs() as logs:
            self.refuse()
            self.assertEqual(self.wait(client), 300)
        self.assertEqual([event for event in logs if "delay" in event], [])

    def test_none(self) -> None:
        """
        None gives up.
        """
        self.started(retryPolicy=lambda attempt: None)
        self.refuse()
        self.assertGaveUp(Refused)

    def test_nonsense(self) -> None:
        """
        What is no number of seconds stops the client, with a logged error that names
        the policy.
        """
        for wrong, kind in (
            ("1", TypeError),
            (True, TypeError),
            (-1, ValueError),
            (float("nan"), ValueError),
            (float("inf"), ValueError),
            (10**400, ValueError),
        ):
            self.setUp()
            policy: Any = {1: wrong}.__getitem__
            self.started(retryPolicy=policy)
            self.refuse()
            error = self.failureResultOf(self.stop, kind).value
            self.assertIn("retryPolicy", str(error))
            self.assertEqual(len(self.flushLoggedErrors(kind)), 1)
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_raises(self) -> None:
        """
        So does one that raises.
        """
        self.started(retryPolicy=lambda attempt: 1 / 0)
        self.refuse()
        self.failureResultOf(self.stop, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    @given(
        wait=st.floats() | st.integers() | st.none() | st.text(max_size=2),
        maxDelay=st.floats(0, 1e9),
    )
    def test_bounds(self, wait: Any, maxDelay: float) -> None:
        """
        Whatever it returns: no wait is negative or over C{maxDelay}, and the client
        either waits or has stopped.
        """
        self.setUp()
        client = self.client(retryPolicy=lambda attempt: wait)
        client.maxDelay = maxDelay
        stopped = client.start()
        self.refuse()
        try:
            valid = _valid("", wait)
        except (TypeError, ValueError) as e:
            expected = RetriesExhausted if wait is None else type(e)
            self.failureResultOf(stopped, expected)
            self.flushLoggedErrors(TypeError, ValueError)
        else:
            (timer,) = self.reactor.getDelayedCalls()
            self.assertEqual(
                timer.getTime() - self.reactor.seconds(), min(valid, maxDelay)
            )

    def test_notAFunction(self) -> None:
        """
        It must be one, and one that answers at once.
        """

        async def slow(attempt: int) -> float:
            return 1

        for wrong in (5, slow):
            error = self.assertRaises(TypeError, self.client, retryPolicy=wrong)
            self.assertIn("retryPolicy", str(error))


class StabilityTests(RetryTestCase):
    """
    When the waits begin anew.
    """

    def test_acceptThenClose(self) -> None:
        """
        A server that accepts and closes is waited for as one that refuses.
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
        And so is one with which C{preConnect} does not come to terms.
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
        @return: how long the waits are when the server refuses.
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
            that held so long.
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
        They begin anew after a connection that has held for C{stableAfter} seconds, 10
        by default, and no sooner.
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
        A subclass may have it as an attribute, and an instance be given another.
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
        Nonsense is refused by the constructor, or else by C{start}.
        """
        self.assertRaises(ValueError, self.client, stableAfter=-1)
        self.assertRaises(TypeError, self.client, stableAfter="10")
        for name, wrong, kind in (
            ("stableAfter", -1, ValueError),
            ("maxRetries", "3", TypeError),
            ("maxRetries", -1, ValueError),
            ("maxDelay", float("inf"), ValueError),
        ):
            client = self.client()
            setattr(client, name, wrong)
            self.assertIn(name, str(self.assertRaises(kind, client.start)))

    def test_resetDelay(self) -> None:
        """
        The user may say so earlier, who knows when a login is done.
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
        After so many retries: how many attempts failed, in what time, and why.
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
        self.assertIn("3 failures in 3.0 seconds", str(error))
        self.assertIn("refused", str(error))
        for waiter in (connection, client.whenConnected(), client.whenStopped()):
            self.assertIs(self.failureResultOf(waiter, RetriesExhausted).value, error)
        details = errorDetails(self.recorder.failures[-1])
        self.assertEqual(details[:2], ("retry", 110))

    def test_anyPolicy(self) -> None:
        """
        It holds with any policy.
        """
        client = self.started(retryPolicy=constant(1))
        client.maxRetries = 0
        self.refuse()
        self.assertEqual(self.assertGaveUp(Refused).attempts, 1)

    def test_changedOnTheWay(self) -> None:
        """
        Set to nonsense later it ends the client instead of leaving it hanging; so do
        other attributes.
        """
        for name, wrong, kind in (
            ("maxRetries", "3", TypeError),
            ("maxDelay", -1, ValueError),
            ("maxDelay", float("nan"), ValueError),
        ):
            self.setUp()
            client = self.started(retryPolicy=constant(1))
            setattr(client, name, wrong)
            self.refuse()
            self.failureResultOf(self.stop, kind)
            self.assertEqual(len(self.flushLoggedErrors(kind)), 1)
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_byCount(self) -> None:
        """
        L{giveUpByCount} is the same as a policy.
        """
        client = self.started(retryPolicy=giveUpByCount(2, constant(1)))
        for _ in range(2):
            self.refuse()
            self.wait(client)
        self.refuse()
        self.assertEqual(self.assertGaveUp(Refused).attempts, 3)

    def test_byTime(self) -> None:
        """
        L{giveUpByTime} measures from the first failure in a row; a connection that held
        begins another.
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
        L{giveUpByRate} counts all failures, even if connections between them held.
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
        Who starts it again begins anew, in all that is counted.
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
        What was lost before is none of the loss of who is started again.
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
        A server that closes in order each time does not make the end look like success.
        """
        client = self.started()
        client.maxRetries = 0
        transport = self.establish()
        transport.protocol.readConnectionLost()
        transport.lose(ConnectionDone())
        self.assertGaveUp(ConnectionDone)

    def test_logged(self) -> None:
        """
        It is logged where no callback is told.
        """
        events: list[Any] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        for silent, count in ((False, 0), (True, 1)):
            client = self.client(**({"stopped": None} if silent else {}))
            client.maxRetries = 0
            client.start().addErrback(lambda failure: None)
            self.refuse()
            said = [e for e in events if "gives up" in (e.get("log_format") or "")]
            self.assertEqual(len(said), count)

    def test_orderInStopped(self) -> None:
        """
        Giving up is no end if a callback thinks better of it.
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
        It fails with the last failure of so many from the call on; the client goes on.
        """
        client = self.started()
        one = client.whenConnected(failAfterFailures=1)
        two = client.whenConnected(2)
        never = client.whenConnected()
        self.refuse()
        self.failureResultOf(one, Refused)
        self.assertNoResult(two)
        self.assertNotIn(one, client._waiters or [])
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
        An attempt that C{preConnect} refuses has failed; one that is dropped by order
        has not.
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
        Of several endpoints, each must have failed.
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
        The loss of a connection is no attempt that failed.
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
        Who waits from C{connectError} on waits for the next attempt.
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
        Cancelling forgets that one.
        """
        client = self.started()
        one, other = client.whenConnected(1), client.whenConnected(1)
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.refuse()
        self.failureResultOf(other, Refused)

    def test_arguments(self) -> None:
        """
        It must be a number from 1 on.
        """
        client = self.client()
        self.assertRaises(ValueError, client.whenConnected, 0)
        self.assertRaises(TypeError, client.whenConnected, 1.5)


class NetworkIsBackTests(RetryTestCase):
    """
    C{reconnect()} while waiting.
    """

    def test_atOnce(self) -> None:
        """
        It connects at once; if that fails, the policy goes on where it was.
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
        However often it is said: one attempt, and one timer.
        """
        client = self.started()
        self.refuse()
        for _ in range(5):
            client.reconnect()
        self.assertEqual(len(self.attempts()), 2)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)


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
        The example of Twisted's documentation: a subclass that calls the original's
        methods by name waits once for each failure and loss.
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

    def test_lossBehindRecords(self) -> None:
        """
        Such a subclass loses no record that came before the loss.
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
        A subclass that keeps a failure to itself, and does not retry, is told of it by
        the deadline: the client never hangs.
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
        And an attempt, without a word.
        """
        client = self.started()
        self.attempts()
        client.stopTrying()
        self.assertEqual(self.events, ["started", "stopped"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stopTryingWhileNegotiating(self) -> None:
        """
        A transport that there is may still become a connection; if it does not, that
        was the last attempt.
        """
        client = self.started(preConnect=lambda client, negotiation: Deferred())
        transport = self.establish()
        client.stopTrying()
        transport.lose()
        self.failureResultOf(self.stop, ConnectionLost)

    def test_stopTryingBehindAnOrder(self) -> None:
        """
        It takes back an order to connect again, whenever it comes.
        """
        client = self.started()
        transport = self.establish()
        client.reconnect(3)
        client.stopTrying()
        transport.lose()
        self.assertIsNone(self.successResultOf(self.stop))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_orderBehindStopTrying(self) -> None:
        """
        An order that comes later is carried out, once.
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
        Before a connection is made by C{connectTCP} it means: one attempt.
        """
        client = self.client()
        client.stopTrying()
        self.reactor.connectTCP("127.0.0.1", 7, client)
        stopped = client.whenStopped()
        self.refuse()
        self.failureResultOf(stopped, Refused)
        client.start().addErrback(lambda failure: None)
        self.refuse()
        self.assertIs(client._phase, Phase.WAITING)

    def test_resetDelayRevivesNobody(self) -> None:
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

    def test_resetDelayWhileWaiting(self) -> None:
        """
        While waiting it makes the next wait the first again.
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
        C{retry} finds one timer and leaves one; the failure is counted once.
        """
        client = self.started()
        self.refuse()
        for _ in range(3):
            client.retry()
        self.assertEqual(client.retries, 1)
        self.assertEqual(self.wait(client), client.initialDelay)

    def test_retryWhileConnecting(self) -> None:
        """
        It does not disturb an attempt, nor a negotiation.
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
        Without C{autoReconnect} it is what a callback asks for: by the policy.
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
        It does not take back an order to stop.
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
        A client that was never started begins by it, after the wait; with nowhere to
        connect to it says so.
        """
        client = self.client()
        client.retry()
        self.assertEqual(self.wait(client), client.initialDelay)
        nowhere = ClientTCPFactory(serverInput=print, reactor=self.reactor)
        self.assertRaises(ValueError, nowhere.retry)

    def test_retryConnector(self) -> None:
        """
        The connector that is given is the one that connects.
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
