"""
Tests for the Deferreds that wait for events of a client.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._client.waiters import EVENTS, Waiters


class WaitersTests(SynchronousTestCase):
    """
    Tests for L{Waiters}.
    """

    def setUp(self) -> None:
        self.waiters = Waiters()

    def test_fire(self) -> None:
        """
        Only the Deferreds that wait for the event fire, each once.
        """
        first = self.waiters.wait("flushed")
        second = self.waiters.wait("flushed")
        other = self.waiters.wait("stopped")
        self.waiters.split("flushed").fire(5)
        self.waiters.split("flushed").fire(6)
        self.assertEqual(self.successResultOf(first), 5)
        self.assertEqual(self.successResultOf(second), 5)
        self.assertNoResult(other)

    def test_split(self) -> None:
        """
        Deferreds that begin to wait after a split are not affected by it; those that
        were taken out can still be cancelled.
        """
        before = self.waiters.wait("shutdown")
        cancelled = self.waiters.wait("stopped")
        taken = self.waiters.split("shutdown", "stopped", "flushed")
        after = self.waiters.wait("shutdown")
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        taken.fire(None)
        self.assertIsNone(self.successResultOf(before))
        self.assertNoResult(after)

    def test_cancel(self) -> None:
        """
        A Deferred can be cancelled, also by the callback of another one. The others
        fire.
        """
        waiters = [self.waiters.wait("connected") for _ in range(4)]
        waiters[0].addCallback(lambda result: waiters[1].cancel())
        waiters[2].cancel()
        self.waiters.split("connected").fire("connection")
        self.assertIsNone(self.successResultOf(waiters[0]))
        self.failureResultOf(waiters[1], CancelledError)
        self.failureResultOf(waiters[2], CancelledError)
        self.assertEqual(self.successResultOf(waiters[3]), "connection")

    def test_order(self) -> None:
        """
        Events that fire together have an order.
        """
        fired: list[str] = []

        def append(result: None, event: str) -> None:
            fired.append(event)

        for event in reversed(EVENTS):
            self.waiters.wait(event).addCallback(append, event)
        self.waiters.split(*EVENTS).fire(None)
        self.assertEqual(fired, ["flushed", "connected", "shutdown", "stopped"])

    def test_failAfterFailures(self) -> None:
        """
        A Deferred fails at the failure for which it was prepared to wait.
        """
        one = self.waiters.wait("connected", 1)
        two = self.waiters.wait("connected", 2)
        patient = self.waiters.wait("connected")
        failure = Failure(ZeroDivisionError())
        self.waiters.countFailure("connected").fire(failure)
        self.failureResultOf(one, ZeroDivisionError)
        self.assertNoResult(two)
        self.waiters.countFailure("connected").fire(failure)
        self.failureResultOf(two, ZeroDivisionError)
        self.assertNoResult(patient)
