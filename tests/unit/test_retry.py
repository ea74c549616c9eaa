"""
Tests for the retry policies: the delays, and when they give up.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.retry import (
    MEMORY,
    Attempt,
    constant,
    exponential,
    giveUpByCount,
    giveUpByRate,
    giveUpByTime,
)

#: A number of seconds, of any size.
SECONDS = st.floats(0, sys.float_info.max) | st.integers(0, 10**20)


class ExponentialTests(SynchronousTestCase):
    """
    L{exponential}.
    """

    @given(
        initialDelay=SECONDS,
        maxDelay=SECONDS,
        factor=st.floats(1, sys.float_info.max) | st.integers(1, 10**20),
        jitter=st.floats(0, 1),
        drawn=st.floats(0, 1),
        attempt=st.integers(0, 10**9),
    )
    def test_bounds(
        self,
        initialDelay: float,
        maxDelay: float,
        factor: float,
        jitter: float,
        drawn: float,
        attempt: int,
    ) -> None:
        """
        With any numbers, no wait is negative or longer than C{maxDelay}.
        """
        policy = exponential(
            initialDelay=initialDelay,
            maxDelay=maxDelay,
            factor=factor,
            jitter=jitter,
            random=lambda: drawn,
        )
        self.assertTrue(0 <= policy(attempt) <= maxDelay)

    @given(
        initialDelay=st.floats(0.001, 100),
        factor=st.floats(1, 10),
        attempts=st.lists(st.integers(1, 2000), min_size=2),
    )
    def test_grows(
        self, initialDelay: float, factor: float, attempts: list[int]
    ) -> None:
        """
        Without jitter, a later wait is never shorter.
        """
        policy = exponential(
            initialDelay=initialDelay, factor=factor, jitter=0, maxDelay=1000
        )
        waits = [policy(attempt) for attempt in sorted(attempts)]
        self.assertEqual(waits, sorted(waits))

    def test_growth(self) -> None:
        """
        It is multiplied by the factor from the second failure on.
        """
        policy = exponential(initialDelay=2, factor=3, jitter=0, maxDelay=50)
        self.assertEqual([policy(n) for n in range(1, 6)], [2, 6, 18, 50, 50])

    def test_nothing(self) -> None:
        """
        A delay of 0 stays 0 after any number of failures.
        """
        self.assertEqual(exponential(initialDelay=0, jitter=0)(10**6), 0)

    def test_jitter(self) -> None:
        """
        The random fraction is the jitter: by default, the whole wait.
        """
        for jitter, drawn, wait in (
            ({}, 0.0, 8.0),
            ({}, 0.75, 2.0),
            ({}, 1.0, 0.0),
            ({"jitter": 0.5}, 0.5, 6.0),
            ({"jitter": 0.5}, 1.0, 4.0),
            ({"jitter": 0}, 1.0, 8.0),
        ):
            policy = exponential(
                initialDelay=8, random=iter([drawn]).__next__, **jitter
            )
            self.assertEqual(policy(1), wait)

    def test_arguments(self) -> None:
        """
        A value out of range is an error that names it.
        """
        for name, wrong in (
            ("initialDelay", -1),
            ("initialDelay", float("inf")),
            ("maxDelay", float("nan")),
            ("maxDelay", float("inf")),
            ("factor", 0.5),
            ("jitter", 1.5),
            ("jitter", -0.5),
        ):
            error = self.assertRaises(ValueError, exponential, **{name: wrong})
            self.assertIn(name, str(error))
        for noNumber in ("1", None, True):
            error = self.assertRaises(TypeError, exponential, factor=noNumber)
            self.assertIn("factor", str(error))


class ConstantTests(SynchronousTestCase):
    """
    L{constant}.
    """

    def test_constant(self) -> None:
        """
        The wait is the same each time.
        """
        self.assertEqual([constant(3)(n) for n in (1, 2, 1000)], [3, 3, 3])
        self.assertEqual(constant(0)(1), 0)
        self.assertRaises(ValueError, constant, -1)
        self.assertRaises(TypeError, constant, "3")


class GiveUpTests(SynchronousTestCase):
    """
    Tests for policies that give up.
    """

    def test_count(self) -> None:
        """
        After a number of retries.
        """
        policy = giveUpByCount(2, constant(3))
        self.assertEqual([policy(n) for n in (1, 2, 3, 4)], [3, 3, None, None])
        self.assertIsNone(giveUpByCount(0)(1))

    def test_time(self) -> None:
        """
        If the next attempt would begin too late.
        """
        policy = giveUpByTime(10, constant(3))
        for elapsed, wait in ((0.0, 3), (7.0, 3), (7.1, None), (100.0, None)):
            self.assertEqual(policy(Attempt(5, elapsed=elapsed)), wait)

    @given(
        times=st.lists(st.integers(0, 1000), min_size=1, max_size=MEMORY),
        failures=st.integers(1, MEMORY),
        seconds=st.integers(1, 1000),
    )
    def test_rate(self, times: list[int], failures: int, seconds: int) -> None:
        """
        If so many failures, including the last one, happened within so many seconds.
        """
        now = max(times)
        ages = sorted(now - time for time in times)
        policy = giveUpByRate(failures, seconds, constant(3))
        within = sum(age <= seconds for age in ages)
        wait = policy(Attempt(1, ages=ages))
        self.assertEqual(wait, None if within >= failures else 3)

    def test_nested(self) -> None:
        """
        They can be combined, and can wrap a policy that gives up.
        """
        policy = giveUpByRate(2, 60, giveUpByTime(10, giveUpByCount(5, constant(3))))
        for attempt, wait in (
            (Attempt(1), 3),
            (Attempt(6), None),
            (Attempt(2, elapsed=8.0), None),
            (Attempt(2, ages=(0.0, 60.0)), None),
            (Attempt(2, ages=(0.0, 61.0)), 3),
        ):
            self.assertEqual(policy(attempt), wait)
        self.assertIsNone(giveUpByTime(5, lambda attempt: None)(Attempt(1)))

    def test_default(self) -> None:
        """
        Without a policy, they wait as the default policy does.
        """
        policies: tuple[Callable[[int], Any], ...] = (
            giveUpByCount(3),
            giveUpByTime(10),
            giveUpByRate(3, 10),
        )
        for policy in policies:
            self.assertTrue(0 <= policy(Attempt(1)) <= 1)

    def test_plainNumber(self) -> None:
        """
        A policy that needs more than a number raises an error that says so.
        """
        for policy in (giveUpByTime(10), giveUpByRate(3, 10)):
            error = self.assertRaises(TypeError, policy, 1)
            self.assertIn("ClientTCPFactory", str(error))

    def test_arguments(self) -> None:
        """
        A value out of range is an error that names it.
        """
        for name, make, wrong, kind in (
            ("count", giveUpByCount, (-1,), ValueError),
            ("count", giveUpByCount, (1.5,), TypeError),
            ("count", giveUpByCount, (True,), TypeError),
            ("seconds", giveUpByTime, (0,), ValueError),
            ("seconds", giveUpByTime, ("1",), TypeError),
            ("failures", giveUpByRate, (0, 1), ValueError),
            ("failures", giveUpByRate, (MEMORY + 1, 1), ValueError),
            ("seconds", giveUpByRate, (3, float("inf")), ValueError),
            ("policy", giveUpByCount, (1, 5), TypeError),
            ("policy(failures)", giveUpByCount, (1, lambda: 5), TypeError),
        ):
            error = self.assertRaises(kind, make, *wrong)
            self.assertIn(name, str(error))


class AttemptTests(SynchronousTestCase):
    """
    L{Attempt}.
    """

    def test_number(self) -> None:
        """
        It is a number, for policies that use only the number of failures.
        """
        attempt = Attempt(3, elapsed=7.5, ages=[0, 5])
        self.assertEqual((attempt, attempt + 1), (3, 4))
        self.assertEqual((attempt.elapsed, attempt.ages), (7.5, (0, 5)))
        self.assertIsNone(attempt.failure)
