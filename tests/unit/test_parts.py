"""
Tests for what the parts of a client have in common.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.lifecycle import Phase
from twisted_clienttcp._client.parts import Parts
from twisted_clienttcp.errors import CallbackError, OutputLost

#: The phases in which C{client.server} is the connection.
SERVED = (Phase.CONNECTED, Phase.DRAINING)


class PartsTests(SynchronousTestCase):
    """
    Tests for L{Parts}.
    """

    def setUp(self) -> None:
        self.calls: list[Any] = []
        self.clock = Clock()
        client = ClientTCPFactory(
            serverInput=lambda client, line: None, clock=self.clock
        )
        self.parts = Parts(client, {"serverError": self.serverError}, Mock())
        self.connection = self.parts.connection = Mock(
            lost=False, ending=False, sendsNoMore=False
        )

    def serverError(self, client: object, failure: Failure) -> None:
        self.calls.append(failure.value)

    def enter(self, phase: Phase) -> None:
        """
        Put the lifecycle into a phase.
        """
        self.parts.lifecycle.phase = phase

    def test_server(self) -> None:
        """
        The connection is C{client.server} while it is used or drained; it is connected
        only until it is lost, drained or about to end.
        """
        for phase in Phase:
            self.enter(phase)
            isServer = self.parts.server is self.connection
            self.assertEqual(isServer, phase in SERVED, phase)
            self.assertEqual(self.parts.isConnected, phase is Phase.CONNECTED)
        self.enter(Phase.CONNECTED)
        for flag in ("lost", "ending"):
            setattr(self.connection, flag, True)
            self.assertFalse(self.parts.isConnected)
            setattr(self.connection, flag, False)

    def test_statsOfIdle(self) -> None:
        """
        Reading the statistics of a client that has counted nothing creates no counts.
        """
        self.parts.connection = None
        self.assertEqual(self.parts.stats().failures, 0)
        self.assertNotIn("counts", vars(self.parts))

    def test_flushed(self) -> None:
        """
        Output that is lost cannot be flushed; without output there is nothing to wait
        for.
        """
        self.assertIsNone(self.successResultOf(self.parts.flushed()))
        self.parts.output.queue = Mock(pending=3)
        self.assertNoResult(self.parts.flushed())
        self.connection.sendsNoMore, self.connection.outbound.pending = True, 3
        self.failureResultOf(self.parts.flushed(), OutputLost)

    def test_call(self) -> None:
        """
        A callback gets the client and the arguments; one that was not given is not
        called.
        """
        failure = Failure(ZeroDivisionError())
        self.assertTrue(self.parts.call("serverError", failure))
        self.assertTrue(self.parts.call("disconnected", "details"))
        self.assertEqual(self.calls, [failure.value])

    def test_callRaises(self) -> None:
        """
        The exception of a callback is logged, and one that is not an C{Exception} is
        raised after all steps; a returned coroutine is an error too.
        """

        async def coroutine(client: object) -> None:
            pass

        def exit(client: object) -> None:
            raise SystemExit

        self.parts.functions = {"connected": coroutine, "stopped": exit}
        self.assertFalse(self.parts.call("connected"))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.parts.callbacks.later(self.parts.call, "stopped")
        self.assertRaises(SystemExit, self.parts.callbacks.run)
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_clock(self) -> None:
        """
        The time comes from the setting C{clock}, also after a change.
        """
        self.assertIs(self.parts.timeSource(), self.clock)
        other = self.parts.client.clock = Clock()
        self.assertIs(self.parts.timeSource(), other)

    def test_seconds(self) -> None:
        """
        The time of a connection is counted while it lasts and afterwards, and is never
        negative, even if the clock is set back.
        """
        for passed, expected in ((5.0, 5.0), (-3.0, 0.0)):
            self.setUp()
            self.parts.beginConnection()
            self.clock.rightNow += passed
            self.assertEqual(self.parts.stats().secondsConnected, expected)
            seconds = self.parts.endConnection(
                self.connection, Mock(unsent=7), self.clock.seconds()
            )
            self.assertEqual(seconds, expected)
            self.clock.rightNow += 100.0
            stats = self.parts.stats()
            self.assertEqual(stats.secondsConnected, expected)
            self.assertEqual((stats.connections, stats.unsentBytes), (1, 7))
            self.assertIsNone(self.parts.connection)

    def test_secondsHigh(self) -> None:
        """
        The time above the high mark ends at the low mark, or with the connection.
        """
        for isLow in (True, False):
            self.setUp()
            self.parts.reachedHighMark()
            self.clock.advance(2.0)
            self.assertEqual(self.parts.stats().secondsHigh, 2)
            if isLow:
                self.parts.reachedLowMark()
            else:
                now = self.clock.seconds()
                self.parts.endConnection(self.connection, Mock(unsent=0), now)
            self.clock.advance(2.0)
            self.assertEqual(self.parts.stats().secondsHigh, 2)

    def test_callbackRaised(self) -> None:
        """
        A callback that raises drops the connection, and C{serverError} is called unless
        it is the one that has raised, or the connection ends for an earlier reason.
        """
        cases = (
            ("serverFlushed", True, 1),
            ("serverError", True, 0),
            ("serverFlushed", False, 0),
        )
        for callback, isFirst, reported in cases:
            self.setUp()
            self.enter(Phase.CONNECTED)
            self.connection.blame.return_value = isFirst
            broken = Mock()
            self.patch(type(self.parts.lifecycle), "broken", broken)
            self.parts.callbackRaised(callback, ZeroDivisionError())
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.assertEqual([type(e) for e in self.calls], [CallbackError] * reported)
            self.assertEqual(broken.call_count, 1)

    def test_raisedElsewhere(self) -> None:
        """
        The exception of a callback does not affect a connection that is not the present
        one; the exception is logged.
        """
        self.enter(Phase.CONNECTED)
        other = Mock()
        self.parts.callbackRaised("serverInput", ZeroDivisionError(), other)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        other.blame.assert_not_called()
        self.connection.blame.assert_not_called()

    def test_raiseLater(self) -> None:
        """
        Only what is not an C{Exception} is raised, after everything that is queued.
        """
        self.parts.raiseLater(ZeroDivisionError())
        self.parts.callbacks.later(self.calls.append, "queued")
        self.assertRaises(SystemExit, self.parts.raiseLater, SystemExit())
        self.assertEqual(self.calls, ["queued"])
