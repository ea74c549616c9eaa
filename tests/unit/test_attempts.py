"""
Tests for the attempts of a client: their connector and their deadline.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from twisted.internet.base import BaseConnector
from twisted.internet.error import ConnectionRefusedError, NotConnectingError
from twisted.internet.error import TimeoutError as TwistedTimeout
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.attempts import Attempts
from twisted_clienttcp._client.lifecycle import Phase
from twisted_clienttcp._client.parts import Parts


class AttemptsTests(SynchronousTestCase):
    """
    Tests for L{Attempts}.
    """

    def setUp(self) -> None:
        self.prepare()

    def prepare(self, direct: bool = True, **settings: Any) -> None:
        """
        Create attempts at a server.
        """
        self.errors: list[Failure] = []
        self.inputs: list[str] = []
        self.clock = Clock()
        self.client = ClientTCPFactory(
            "localhost",
            7,
            serverInput=lambda client, line: None,
            clock=self.clock,
            connectTimeout=5.0,
            **settings,
        )
        functions = {
            "connectError": lambda client, failure: self.errors.append(failure)
        }
        self.parts = Parts(self.client, functions, Mock())
        for name in ("attempting", "failed"):
            self.patch(
                type(self.parts.lifecycle),
                name,
                lambda lifecycle, name=name: self.inputs.append(name),
            )
        self.attempts = Attempts(self.parts, direct)

    def twisteds(self, **attributes: Any) -> Any:
        """
        @return: a connector of Twisted for the client, which measures 5 s.
        """
        given = {"timeout": 5.0, "reactor": self.clock, "factory": self.client}
        connector = Mock(spec=BaseConnector, **{**given, **attributes})
        self.client.connector = connector
        return connector

    def test_deadline(self) -> None:
        """
        The attempt has a deadline of ours, unless a connector of Twisted is sure to end
        the attempt in time.
        """
        cases: list[tuple[dict[str, Any], bool, bool]] = [
            ({}, True, False),
            ({"timeout": None}, True, True),
            ({"timeout": 6.0}, True, True),
            ({"reactor": Clock()}, True, True),
            ({"factory": object()}, True, True),
            ({}, False, True),
        ]
        for attributes, isDirect, isOurs in cases:
            self.prepare(isDirect)
            self.twisteds(**attributes)
            deadline = 5.0 if isOurs else None
            self.assertEqual(self.attempts.deadline(), deadline, attributes)

    def test_adopt(self) -> None:
        """
        A failure of an attempt that was never reported counts, if the client is not in
        use and the connector is not one that reports its attempts.
        """
        failure = Failure(ConnectionRefusedError())
        for phase in Phase:
            if phase is Phase.CONNECTING:
                continue
            for connector in (Mock(), self.twisteds()):
                self.prepare()
                self.parts.lifecycle.phase = phase
                self.attempts.clientConnectionFailed(connector, failure)
                isReal = isinstance(connector, BaseConnector)
                isAdopted = phase is Phase.IDLE and not isReal
                expected = ["attempting", "failed"] if isAdopted else []
                self.assertEqual(self.inputs, expected, phase)
                self.assertEqual(self.errors, [failure] * isAdopted)
                self.assertEqual(self.attempts.isForeign, isAdopted)

    def test_reason(self) -> None:
        """
        A failed attempt reports the reason of its connector; a timeout names the
        setting if it is ours, and None is an unknown reason.
        """
        cases: list[tuple[dict[str, Any], Failure | None, str]] = [
            ({}, Failure(ConnectionRefusedError("no")), "no"),
            ({}, Failure(TwistedTimeout(string="the proxy's")), "the proxy's"),
            ({}, Failure(TwistedTimeout()), "not connected in time (connectTimeout=5)"),
            ({"timeout": 3.0}, Failure(TwistedTimeout()), "in time (timeout=3)"),
            ({"timeout": None}, Failure(TwistedTimeout()), "the endpoint's timeout"),
            ({}, None, "unknown reason"),
        ]
        for attributes, reason, words in cases:
            self.prepare()
            connector = self.twisteds(**attributes)
            self.attempts.deadline()
            self.parts.lifecycle.phase = Phase.CONNECTING
            self.attempts.clientConnectionFailed(connector, reason)
            (reported,) = self.errors
            self.assertIn(words, str(reported.value))
            self.assertIs(self.parts.reason, reported)
            self.assertIs(self.parts.retries.failure, reported)
            self.assertEqual(self.parts.counts.failures, 1)

    def test_cancel(self) -> None:
        """
        An attempt that cannot be cancelled is logged; one that has ended is not. What
        is not an C{Exception} is raised again.
        """
        connector = self.twisteds()
        connector.stopConnecting.side_effect = NotConnectingError
        self.attempts.cancel()
        connector.stopConnecting.side_effect = ZeroDivisionError
        self.attempts.cancel()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        connector.stopConnecting.side_effect = SystemExit
        self.assertRaises(SystemExit, self.attempts.cancel)
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_expire(self) -> None:
        """
        At the deadline the attempt is cancelled, and its failure is the timeout,
        whether or not the connector reports that.
        """
        for doesReport in (True, False):
            self.prepare()
            connector = self.twisteds(timeout=None)

            def stop(doesReport: bool = doesReport, connector: Any = connector) -> None:
                if doesReport:
                    reason = Failure(NotConnectingError())
                    self.attempts.clientConnectionFailed(connector, reason)
                    self.parts.lifecycle.phase = Phase.WAITING

            connector.stopConnecting.side_effect = stop
            self.parts.lifecycle.phase = Phase.CONNECTING
            self.attempts.deadline()
            self.attempts.expire()
            (reported,) = self.errors
            self.assertIn("not connected in time", str(reported.value))

    def test_mustKnowDestination(self) -> None:
        """
        Without an address and a connector there is nothing to connect to; a
        C{ClientService} makes its own attempts.
        """
        self.attempts.mustKnowDestination("start")
        self.parts.lifecycle.hosted = True
        self.assertRaises(RuntimeError, self.attempts.mustKnowDestination, "start")
        client = ClientTCPFactory(serverInput=lambda client, line: None)
        attempts = Attempts(Parts(client, {}, Mock()), True)
        self.assertRaises(ValueError, attempts.mustKnowDestination, "start")
        client.connector = self.twisteds()
        attempts.mustKnowDestination("start")
