"""
Tests for the connections of a client, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.attempts import Attempts
from twisted_clienttcp._client.connections import Connections
from twisted_clienttcp._client.lifecycle import Phase, Then
from twisted_clienttcp._client.parts import Parts
from twisted_clienttcp._connection.protocol import Connection
from twisted_clienttcp.errors import OutputLost

#: The phases in which a client accepts a connection.
FREE = (Phase.IDLE, Phase.STOPPED, Phase.CONNECTING)


class ConnectionsTests(SynchronousTestCase):
    """
    Tests for L{Connections}.
    """

    def setUp(self) -> None:
        self.calls: list[str] = []
        self.clock = Clock()
        client = ClientTCPFactory(
            "localhost", 7, serverInput=lambda client, line: None, clock=self.clock
        )
        functions: dict[str, Callable[..., object]] = {
            "serverHigh": lambda client: self.calls.append("serverHigh"),
            "serverError": lambda client, failure: self.calls.append("serverError"),
            "disconnected": lambda client, end: self.calls.append("disconnected"),
        }
        self.parts = Parts(client, functions, Mock())
        attempts = Attempts(self.parts, direct=True)
        self.connections = Connections(self.parts, attempts)

    def watch(self, *names: str) -> None:
        """
        Record these inputs of the lifecycle instead of processing them.
        """
        for name in names:
            self.patch(
                type(self.parts.lifecycle),
                name,
                lambda lifecycle, name=name: self.calls.append(name),
            )

    def enter(self, phase: Phase, **attributes: Any) -> Mock:
        """
        @return: the present connection, in a phase.
        """
        self.parts.lifecycle.phase = phase
        self.parts.connection = connection = Mock(**attributes)
        return connection

    def test_onlyOne(self) -> None:
        """
        A connection is built only if there is none.
        """
        for phase in Phase:
            self.setUp()
            self.parts.lifecycle.phase = phase
            built = self.connections.build(None)
            self.assertEqual(isinstance(built, Connection), phase in FREE)
            self.assertIs(self.parts.connection, built)

    def test_givenUp(self) -> None:
        """
        A connection that was given up before it had a transport is aborted.
        """
        self.watch("made")
        present, former = self.enter(Phase.CONNECTING), Mock()
        self.connections.transportMade(former)
        former.abort.assert_called_once_with()
        self.assertEqual(self.calls, [])
        self.connections.transportMade(present)
        present.abort.assert_not_called()
        self.assertEqual(self.calls, ["made"])

    def test_ready(self) -> None:
        """
        A transport that can be used completes the negotiation of the present
        connection, unless that is about to end.
        """
        self.watch("negotiated")
        for phase in Phase:
            for isEnding in (False, True):
                self.calls.clear()
                self.connections.transportReady(self.enter(phase, ending=isEnding))
                isDone = phase is Phase.NEGOTIATING and not isEnding
                self.assertEqual(self.calls, ["negotiated"] * isDone)

    def test_refuse(self) -> None:
        """
        Only the present connection can be refused.
        """
        self.watch("refused")
        connection = self.enter(Phase.NEGOTIATING)
        self.connections.refuse(Mock(), Failure(OSError()))
        self.assertEqual(self.calls, [])
        failure = Failure(OSError())
        self.connections.refuse(connection, failure)
        self.assertEqual(self.calls, ["refused"])
        connection.blame.assert_called_once_with(failure, "local")

    def test_outputChanged(self) -> None:
        """
        The marks are those of the connection in use; others report nothing.
        """
        connection = self.enter(Phase.CONNECTED)
        self.assertFalse(self.connections.outputChanged(Mock(), "serverHigh"))
        self.assertEqual(self.parts.counts.highs, 0)
        self.assertTrue(self.connections.outputChanged(connection, "serverHigh"))
        self.assertEqual((self.parts.counts.highs, self.calls), (1, ["serverHigh"]))
        self.parts.lifecycle.phase = Phase.NEGOTIATING
        self.assertFalse(self.connections.outputChanged(connection, "serverHigh"))

    def test_outputLost(self) -> None:
        """
        Waiting for a flush fails when output of the connection in use is lost with the
        transport.
        """
        connection = self.enter(Phase.CONNECTED)
        waiter = self.parts.waiters.wait("flushed")
        connection.outbound.pending = 3
        self.connections.outputLost(Mock())
        self.assertNoResult(waiter)
        self.connections.outputLost(connection)
        self.failureResultOf(waiter, OutputLost)

    def test_reason(self) -> None:
        """
        A clean end has no reason, unless output was lost. Every end is the last failure
        of the policy.
        """
        cases: list[tuple[Exception, int, type[Exception] | None]] = [
            (ConnectionDone(), 0, None),
            (ConnectionDone(), 5, OutputLost),
            (ConnectionLost(), 0, ConnectionLost),
            (ConnectionLost(), 5, ConnectionLost),
        ]
        self.watch("connectionEnded", "settle")
        for error, unsent, kind in cases:
            parts = self.parts
            parts.lifecycle.then = Then.STOP
            failure = Failure(error)
            connection = self.enter(Phase.CONNECTED)
            end = Mock(failure=failure, unsent=unsent, initiator="peer")
            self.connections.connectionEnded(connection, end, True)
            self.assertIs(self.connections.disconnection, end)
            self.assertIs(parts.retries.failure, failure)
            reasons = (parts.reason, parts.lost)
            expected = (kind, kind if unsent else None)
            self.assertEqual(tuple(each and each.type for each in reasons), expected)
        each = ["connectionEnded", "disconnected", "settle"]
        self.assertEqual(self.calls, each * len(cases))
        self.assertEqual(self.parts.counts.losses, len(cases))

    def test_reported(self) -> None:
        """
        C{serverError} is called for an end that was not reported, and C{disconnected}
        for every end, before the client settles.
        """
        self.watch("connectionEnded", "settle")
        for isTold in (True, False):
            self.calls.clear()
            connection = self.enter(Phase.CONNECTED)
            end = Mock(failure=Failure(ConnectionLost()), unsent=0)
            self.connections.connectionEnded(connection, end, isTold)
            reported = [] if isTold else ["serverError"]
            expected = [*reported, "connectionEnded", "disconnected", "settle"]
            self.assertEqual(self.calls, expected)

    def lose(self, seconds: float, then: Then | None = None) -> Mock:
        """
        Lose a connection and 3 bytes of output.

        @return: the end of the connection.
        """
        connection = self.enter(Phase.CONNECTED)
        self.parts.lifecycle.then = then
        self.parts.output.queue = Mock(pending=3)
        self.parts.beginConnection()
        self.clock.advance(seconds)
        end = Mock(failure=Failure(ConnectionLost()), unsent=3, initiator="peer")
        self.connections.connectionEnded(connection, end, True)
        return end

    def test_stable(self) -> None:
        """
        A connection that has lasted C{stableAfter} ends the row of failures.
        """
        self.watch("connectionEnded", "settle")
        for seconds, count in ((9.0, 2), (10.0, 0)):
            self.parts.retries.count = 2
            self.lose(seconds)
            self.assertEqual(self.parts.retries.count, count)

    def test_waiters(self) -> None:
        """
        A flush of lost output fails; C{shutdown} waits for the end of the client,
        unless another attempt follows.
        """
        self.watch("connectionEnded", "settle")
        for then in (*Then, None):
            flushed = self.parts.waiters.wait("flushed")
            shutdown = self.parts.waiters.wait("shutdown")
            end = self.lose(1.0, then)
            self.assertIsNone(self.parts.connection)
            self.assertIs(self.parts.output.queue, self.parts.output.offline)
            self.failureResultOf(flushed, OutputLost)
            if then in (Then.STOP, Then.GIVE_UP):
                self.assertNoResult(shutdown)
                self.assertIs(self.connections.disconnection, end)
            else:
                self.assertIs(self.successResultOf(shutdown), end)
                self.assertIsNone(self.connections.disconnection)
