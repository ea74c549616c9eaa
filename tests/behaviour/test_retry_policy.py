"""
Tests for C{retryPolicy}: a user's function that decides about each retry.
"""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.application.internet import backoffPolicy
from twisted.internet.error import ConnectionLost
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.logger import capturedLogs, formatEvent

from twisted_clienttcp.errors import RetriesExhausted
from twisted_clienttcp.retry import MEMORY, Attempt, constant

from .._memory import RetryTestCase


class PolicyTests(RetryTestCase):
    """
    C{retryPolicy}.
    """

    def test_attempts(self) -> None:
        """
        It is called with the number of failures in a row, and returns the wait.
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
        The number has the ages of the failures, and the last failure.
        """
        known: list[Any] = []

        def policy(attempt: int) -> float:
            assert isinstance(attempt, Attempt)
            assert attempt.failure is not None
            known.append((attempt.elapsed, attempt.ages, attempt.failure.type))
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
        It has a limited number of ages.
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
        A policy of Twisted works. No wait is longer than C{maxDelay}, even with a
        policy that adds its jitter to its own maximum.
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
        For longer waits, C{maxDelay} can be set.
        """
        client = self.started(retryPolicy=constant(300))
        with capturedLogs() as logs:
            self.refuse()
            self.assertEqual(self.wait(client), 60)
        said = [str(formatEvent(event)) for event in logs if "maxDelay" in event]
        self.assertIn("waits maxDelay=60.0 seconds, not 300.0", said[0])
        client.maxDelay = 300
        with capturedLogs() as logs:
            self.refuse()
            self.assertEqual(self.wait(client), 300)
        self.assertEqual([event for event in logs if "maxDelay" in event], [])

    def test_none(self) -> None:
        """
        A policy that returns None gives up.
        """
        self.started(retryPolicy=lambda attempt: None)
        self.refuse()
        self.assertGaveUp(Refused)

    def test_nonsense(self) -> None:
        """
        A result that is not a number of seconds stops the client, with a logged error
        that names the policy.
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
        With any results, no wait is negative or longer than C{maxDelay}, and the client
        either waits or has stopped.
        """
        self.setUp()
        client = self.client(retryPolicy=lambda attempt: wait)
        client.maxDelay = maxDelay
        stopped = client.start()
        self.refuse()
        if wait is None:
            self.failureResultOf(stopped, RetriesExhausted)
        elif isinstance(wait, str):
            self.failureResultOf(stopped, TypeError)
            self.flushLoggedErrors(TypeError)
        elif not 0 <= wait <= sys.float_info.max:
            self.failureResultOf(stopped, ValueError)
            self.flushLoggedErrors(ValueError)
        else:
            (timer,) = self.reactor.getDelayedCalls()
            self.assertEqual(
                timer.getTime() - self.reactor.seconds(), min(wait, maxDelay)
            )

    def test_notAFunction(self) -> None:
        """
        It must be a function, and not a coroutine function.
        """

        async def slow(attempt: int) -> float:
            return 1

        for wrong in (5, slow):
            error = self.assertRaises(TypeError, self.client, retryPolicy=wrong)
            self.assertIn("retryPolicy", str(error))
