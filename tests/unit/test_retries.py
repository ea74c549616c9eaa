"""
Tests for the waits between attempts.
"""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.retries import Retries
from twisted_clienttcp.errors import RetriesExhausted
from twisted_clienttcp.retry import Attempt


def retries(**settings: Any) -> Retries:
    """
    @return: the retries of a client with these settings, which waits 1, 2, 4 ... s.
    """
    return Retries(
        ClientTCPFactory(
            serverInput=lambda client, line: None, **{"jitter": 0, **settings}
        )
    )


class RetriesTests(SynchronousTestCase):
    """
    Tests for L{Retries}.
    """

    def test_backoff(self) -> None:
        """
        Waits grow from C{initialDelay} to C{maxDelay}; after L{Retries.reset} they
        begin with the first again.
        """
        waits = retries(initialDelay=3.0, maxDelay=10.0)
        self.assertEqual([waits.next(0.0) for _ in range(4)], [3, 6, 10, 10])
        self.assertEqual((waits.count, waits.delay), (4, 10))
        waits.reset()
        self.assertEqual((waits.count, waits.delay), (0, 3))
        self.assertEqual(waits.next(0.0), 3)

    def test_settingsChange(self) -> None:
        """
        The next wait follows the settings as they are then.
        """
        client = ClientTCPFactory(serverInput=lambda client, line: None, jitter=0)
        waits = Retries(client)
        waits.next(0.0)
        client.factor = 10.0
        self.assertEqual(waits.next(0.0), 10)

    def test_exhausted(self) -> None:
        """
        After C{maxRetries} waits, the reason is the number of failures, the time since
        the first one and the last error.
        """
        waits = retries(maxRetries=2)
        waits.failure = Failure(ZeroDivisionError("by zero"))
        self.assertEqual([waits.next(now) for now in (5.0, 6.0)], [1, 2])
        reason = waits.next(9.5)
        assert isinstance(reason, Failure)
        error = reason.value
        assert isinstance(error, RetriesExhausted)
        self.assertEqual((error.attempts, error.elapsed), (3, 4.5))
        self.assertIs(error.__cause__, waits.failure.value)

    def test_policy(self) -> None:
        """
        The user's policy gets the failures in a row, their ages and the last error. Its
        answer is limited to C{maxDelay}, and None gives up.
        """
        attempts: list[Attempt] = []
        answers: list[float | None] = [0.5, 1e6, None]

        def policy(attempt: Attempt) -> float | None:
            attempts.append(attempt)
            return answers[len(attempts) - 1]

        waits = retries(retryPolicy=policy, maxDelay=7.0)
        failure = waits.failure = Failure(OSError())
        self.assertEqual([waits.next(now) for now in (1.0, 3.0)], [0.5, 1e6])
        self.assertEqual(waits.delay, 7)
        self.assertIsInstance(waits.next(10.0), Failure)
        self.assertEqual(attempts, [1, 2, 3])
        self.assertEqual(attempts[2].ages, (0, 7, 9))
        # They are those of that time, though they are computed only now.
        self.assertEqual(attempts[0].ages, (0,))
        self.assertEqual([attempt.elapsed for attempt in attempts], [0, 2, 9])
        self.assertIs(attempts[0].failure, failure)

    def test_policyFails(self) -> None:
        """
        A policy that raises or returns no delay gives up, with the error as the reason,
        which is logged.
        """

        def raising(attempt: Attempt) -> float:
            raise ZeroDivisionError

        cases: list[tuple[Any, type[Exception]]] = [
            (raising, ZeroDivisionError),
            (lambda attempt: "soon", TypeError),
            (lambda attempt: -1.0, ValueError),
        ]
        for policy, kind in cases:
            reason = retries(retryPolicy=policy).next(0.0)
            assert isinstance(reason, Failure)
            self.assertTrue(reason.check(kind))
            self.assertEqual(len(self.flushLoggedErrors(kind)), 1)
