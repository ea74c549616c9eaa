"""
Tests for the messages that a client logs when it has no callbacks for errors.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.logger import LogLevel, formatEvent
from twisted.logger import capturedLogs as capture
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import NegotiationRefused
from twisted_clienttcp.testing import MemoryServer


class FailureMessageTests(SynchronousTestCase):
    """
    Tests for the messages about failures.
    """

    def logged(self, act: Any, **callbacks: Any) -> list[str]:
        """
        @param act: called with the server.

        @return: the warnings that the client has logged.
        """
        given = {"serverInput": lambda client, record: None, **callbacks}
        with capture() as events:
            server = MemoryServer(
                ClientTCPFactory(
                    remoteAddress="quotes.example.org", remotePort=1717, **given
                )
            )
            act(server)
        return [
            formatEvent(event)
            for event in events
            if event["log_level"] is LogLevel.warn
        ]

    def test_words(self) -> None:
        """
        A message names the client and says in words what has happened.
        """

        def raising(client: Any, record: bytes) -> None:
            raise ValueError("no number")

        def sending(server: MemoryServer) -> None:
            server.accept()
            server.send(b"tea\r\n")

        def closing(server: MemoryServer) -> None:
            server.accept()
            server.close()

        def resetting(server: MemoryServer) -> None:
            server.accept()
            server.reset()

        for act, callbacks, words in (
            (MemoryServer.refuse, {}, "cannot connect: Connection refused"),
            (closing, {}, "the server closed the connection"),
            (resetting, {}, "the connection was lost: Connection reset by peer"),
            (
                sending,
                {"serverInput": raising},
                "serverInput raised ValueError: no number",
            ),
            (
                MemoryServer.accept,
                {"preConnect": lambda client, negotiation: False},
                "preConnect refused the connection: it returned False",
            ),
        ):
            messages = self.logged(act, **callbacks)
            self.assertEqual(messages, [f"Client quotes.example.org:1717: {words}"])
            self.flushLoggedErrors(ValueError)

    def test_fields(self) -> None:
        """
        The event of a failure has the failure and its details as fields, for observers
        that need them.
        """
        with capture() as events:
            MemoryServer(
                ClientTCPFactory(
                    remoteAddress="quotes.example.org",
                    remotePort=1717,
                    serverInput=lambda client, record: None,
                )
            ).refuse()
        (event,) = events
        self.assertEqual(event["operation"], "connect")
        self.assertEqual(event["text"], "Connection refused")
        self.assertTrue(event["failure"].check(ConnectionRefusedError))


class RefusalTests(SynchronousTestCase):
    """
    Tests for the error of a C{preConnect} that does not accept the connection.
    """

    def refusal(self, answer: object) -> str:
        """
        @return: the text of the error.
        """
        failures: list[Any] = []
        server = MemoryServer(
            ClientTCPFactory(
                remoteAddress="quotes.example.org",
                remotePort=1717,
                serverInput=lambda client, record: None,
                preConnect=lambda client, negotiation: answer,
                connectError=lambda client, failure: failures.append(failure),
            )
        )
        server.accept()
        (failure,) = failures
        self.assertTrue(failure.check(NegotiationRefused))
        return str(failure.value)

    def test_deliberate(self) -> None:
        """
        A false value is a refusal and is reported as one; no advice is needed.
        """
        for answer, shown in (
            (False, "False"),
            (0, "0"),
            ("", "''"),
            (succeed(False), "False"),
        ):
            self.assertEqual(
                self.refusal(answer),
                f"preConnect refused the connection: it returned {shown}",
            )

    def test_forgotten(self) -> None:
        """
        None may come from a missing return statement: the error says so.
        """
        for answer in (None, succeed(None)):
            text = self.refusal(answer)
            self.assertIn("it returned None", text)
            self.assertIn("must return True", text)
            self.assertIn("return statement missing?", text)

    def test_notAwaited(self) -> None:
        """
        A generator is not awaited: the error says what can be returned.
        """
        text = self.refusal(each for each in range(2))
        self.assertIn("<generator object", text)
        self.assertIn("True, or a Deferred or coroutine", text)
