"""
Tests for the effects that the lifecycle of a client requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.driver import Driver
from twisted_clienttcp._client.lifecycle import Phase
from twisted_clienttcp._connecting.connector import Connector
from twisted_clienttcp.errors import NotConnectedError, OutputLost, RetriesExhausted


class DriverTests(SynchronousTestCase):
    """
    Tests for L{Driver}.
    """

    def setUp(self) -> None:
        self.prepare()

    def prepare(self, **settings: Any) -> None:
        """
        Create the driver of a client.
        """
        self.calls: list[tuple[str, Any]] = []
        self.client = ClientTCPFactory(
            **{
                "remoteAddress": "localhost",
                "remotePort": 7,
                "serverInput": lambda client, line: None,
                "clock": Clock(),
                "jitter": 0,
                **settings,
            },
        )
        functions: dict[str, Callable[..., object]] = {
            "stopped": lambda client, failure: self.calls.append(("stopped", failure)),
            "disconnected": lambda client, end: self.calls.append(("end", end)),
        }
        self.driver = Driver(self.client, functions, True)
        self.parts = self.driver.parts

    def stop(self, gaveUp: bool = False, hosted: bool = False) -> None:
        """
        Call C{stopped}.
        """
        self.parts.lifecycle.phase = Phase.STOPPED
        self.parts.lifecycle.hosted = hosted
        self.driver.queueStopped(gaveUp, hosted)
        self.parts.callbacks.run()

    def test_nextDelay(self) -> None:
        """
        The policy chooses the wait, or gives up, which is the reason of the end; after
        C{stopTrying} it is not asked.
        """
        self.prepare(initialDelay=3.0, maxRetries=1)
        self.assertEqual(self.driver.nextDelay(), 3)
        self.assertIsNone(self.parts.reason)
        self.assertIsNone(self.driver.nextDelay())
        assert self.parts.reason is not None
        self.assertIs(self.parts.reason.type, RetriesExhausted)
        self.prepare()
        self.client.continueTrying = 0
        self.assertIsNone(self.driver.nextDelay())
        self.assertEqual(self.parts.retries.count, 0)

    def test_nextEndpoint(self) -> None:
        """
        Until each endpoint has been tried, there is no wait, and no failure is counted.
        """
        self.prepare(
            remoteAddress=None, remotePort=None, endpoint=["tcp:a:1", "tcp:b:1"]
        )
        connect = Mock()
        self.patch(Connector, "connect", connect)
        for delay, count in ((0, 0), (1, 1)):
            self.driver.beginAttempt()
            self.assertEqual(self.driver.nextDelay(), delay)
            self.assertEqual(self.parts.retries.count, count)

    def test_outcome(self) -> None:
        """
        C{stopped} is called with the argument of C{stop}, or else the reason for giving
        up, or else the loss of output, or None.
        """
        given, reason, lost = (Failure(OSError(name)) for name in ("a", "b", "c"))
        for stopFailure, gaveUp, lostOutput, expected in (
            (given, True, lost, given),
            (None, True, lost, reason),
            (None, False, lost, lost),
            (None, False, None, None),
        ):
            self.prepare()
            self.driver.stopFailure = stopFailure
            self.parts.reason, self.parts.lost = reason, lostOutput
            self.stop(gaveUp)
            self.assertEqual(self.calls, [("stopped", expected)])
            self.assertIsNone(self.driver.stopFailure)

    def test_waiters(self) -> None:
        """
        At the end, everything that waits is called: for C{stopped} with the outcome,
        for a connection with an error, for C{shutdown} with the last connection's end.
        """
        wait = self.parts.waiters.wait
        stopped, connected, flushed, shutdown = map(
            wait, ("stopped", "connected", "flushed", "shutdown")
        )
        end = self.driver.connections.disconnection = Mock()
        self.stop()
        self.assertIsNone(self.successResultOf(stopped))
        self.failureResultOf(connected, NotConnectedError)
        self.failureResultOf(flushed, NotConnectedError)
        self.assertIs(self.successResultOf(shutdown), end)

    def test_hosted(self) -> None:
        """
        Under a C{ClientService}, which may connect again, the end of a connection is
        not the end of the client.
        """
        waiters = [self.parts.waiters.wait(name) for name in ("stopped", "connected")]
        shutdown = self.parts.waiters.wait("shutdown")
        self.stop(hosted=True)
        self.assertEqual(self.calls, [])
        for waiter in waiters:
            self.assertNoResult(waiter)
        self.successResultOf(shutdown)

    def test_dropOffline(self) -> None:
        """
        When the client stops, records that wait are discarded and counted, and their
        loss is the outcome.
        """
        self.prepare(offlineLimit=100)
        self.parts.output.queue.put(b"never")
        size = self.parts.output.pending
        self.stop()
        ((_, failure),) = self.calls
        self.assertIs(failure.type, OutputLost)
        stats = self.parts.stats()
        self.assertEqual((stats.unsentBytes, stats.bytesOut), (size, size))
        self.assertEqual((stats.recordsOut, stats.pendingBytes), (1, 0))

    def test_whenConnected(self) -> None:
        """
        A client that has stopped is never connected; one that has not may be.
        """
        waiting = self.driver.whenConnected(None)
        self.assertNoResult(waiting)
        outcome = self.driver.stopFailure = Failure(OSError())
        self.stop()
        self.assertIs(self.failureResultOf(waiting), outcome)
        self.assertIs(self.failureResultOf(self.driver.whenConnected(None)), outcome)
        self.assertIs(self.failureResultOf(self.driver.whenStopped()), outcome)

    def test_whenStoppedInTheMeantime(self) -> None:
        """
        Between the end and the call of C{stopped}, Deferreds wait for that call.
        """
        self.parts.lifecycle.phase = Phase.STOPPED
        self.driver.queueStopped(False, False)
        stopped, shutdown = self.driver.whenStopped(), self.driver.shutdown()
        self.assertNoResult(stopped)
        self.assertNoResult(shutdown)
        self.parts.callbacks.run()
        self.successResultOf(stopped)
        self.successResultOf(shutdown)

    def test_retry(self) -> None:
        """
        An attempt in progress is not repeated; a connector that is passed replaces the
        present one.
        """
        self.parts.lifecycle.phase = Phase.CONNECTING
        self.client.connector = Mock(state="connecting")
        self.assertIsNone(self.driver.retry(None))
        self.prepare()
        other = Mock(state="disconnected")
        self.assertEqual(self.driver.retry(other), 1)
        self.assertIs(self.client.connector, other)

    def test_oneTimer(self) -> None:
        """
        The deadline of an attempt and the wait before the next one use one timer, which
        can be stopped.
        """
        inputs: list[str] = []
        self.patch(
            type(self.parts.lifecycle), "timeUp", lambda lifecycle: inputs.append("")
        )
        clock = self.client.clock
        self.driver.startTimer(1.0)
        self.driver.startTimer(2.0)
        clock.advance(1.0)
        self.assertEqual(inputs, [])
        clock.advance(1.0)
        self.assertEqual(len(inputs), 1)
        self.driver.startDeadline()
        self.assertEqual(len(clock.getDelayedCalls()), 1)
        self.driver.stopTimer()
        self.assertEqual(clock.getDelayedCalls(), [])
