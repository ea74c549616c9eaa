"""
Tests for the decision of C{preConnect}.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.preconnect import PreConnect
from twisted_clienttcp.errors import NegotiationRefused


class PreConnectTests(SynchronousTestCase):
    """
    Tests for L{PreConnect}.
    """

    def setUp(self) -> None:
        self.decisions: list[NegotiationRefused | None] = []
        self.negotiation = Mock()
        self.negotiation.hasEndedWith.return_value = False
        client = ClientTCPFactory(serverInput=lambda client, line: None)
        self.logged: list[str] = []
        self.call = PreConnect(
            client,
            self.negotiation,
            self.decisions.append,
            lambda what, failure: self.logged.append(what),
        )

    def refusal(self) -> str:
        """
        @return: the reason of the only decision.
        """
        (decision,) = self.decisions
        return str(decision)

    def test_accepts(self) -> None:
        """
        A true result accepts the connection, and so does a Deferred or a coroutine that
        has it already.
        """

        async def coroutine(*args: object) -> bool:
            return True

        callbacks: list[Any] = [
            lambda client, negotiation: True,
            lambda client, negotiation: succeed(1),
            coroutine,
        ]
        for callback in callbacks:
            self.setUp()
            self.call.call(callback)
            self.assertEqual(self.decisions, [None])
            self.negotiation.finished.assert_called_once_with()

    def test_refuses(self) -> None:
        """
        Every other result refuses it, and the reason says what was returned.
        """
        results: list[tuple[Any, str]] = [
            (False, "it returned False"),
            ("", "it returned ''"),
            (None, "return statement missing"),
            ((each for each in "ab"), "which is not awaited here"),
        ]
        for result, words in results:
            for answer in (result, succeed(result)):
                self.setUp()
                self.call.call(Mock(return_value=answer))
                self.assertIn(words, self.refusal())

    def test_waits(self) -> None:
        """
        Until a Deferred fires there is no decision, and nothing is read.
        """
        answer: Deferred[bool] = Deferred()
        self.call.call(lambda client, negotiation: answer)
        self.assertEqual(self.decisions, [])
        self.negotiation.wait.assert_called_once_with()
        answer.callback(True)
        self.assertEqual(self.decisions, [None])

    def test_raises(self) -> None:
        """
        An exception is logged and refuses the connection, of which it is the cause.
        """
        error = ZeroDivisionError()
        self.call.call(Mock(side_effect=error))
        self.assertEqual(self.refusal(), "preConnect raised ZeroDivisionError")
        (decision,) = self.decisions
        assert decision is not None
        self.assertIs(decision.__cause__, error)
        self.assertEqual(self.logged, ["preConnect raised"])

    def test_endOfNegotiation(self) -> None:
        """
        An error that the negotiation itself has passed on is not logged.
        """
        self.negotiation.hasEndedWith.return_value = True
        self.call.call(Mock(side_effect=ZeroDivisionError))
        self.assertEqual(len(self.decisions), 1)
        self.assertEqual(self.logged, [])

    def test_raisesAfterDecision(self) -> None:
        """
        What is not an C{Exception} is raised again, after the decision.
        """
        self.assertRaises(SystemExit, self.call.call, Mock(side_effect=SystemExit))
        self.assertEqual(len(self.decisions), 1)
        self.assertEqual(self.logged, ["preConnect raised"])

    def test_cancel(self) -> None:
        """
        When the connection is given up, the awaited result is cancelled, which is not
        logged; also if the callback has given it up itself.
        """
        for isInside in (False, True):
            self.setUp()

            def callback(*args: object, isInside: bool = isInside) -> Deferred[bool]:
                if isInside:
                    self.call.cancel()
                return Deferred()

            self.call.call(callback)
            if not isInside:
                self.call.cancel()
            self.assertEqual(self.refusal(), "preConnect raised CancelledError")
            self.assertEqual(self.logged, [])

    def test_failsAtCancel(self) -> None:
        """
        Another error than the cancellation is logged.
        """
        answer: Deferred[bool] = Deferred(
            lambda waiter: waiter.errback(Failure(ZeroDivisionError()))
        )
        self.call.call(lambda client, negotiation: answer)
        self.call.cancel()
        self.assertEqual(self.logged, ["preConnect raised"])
        self.assertEqual(self.refusal(), "preConnect raised ZeroDivisionError")
