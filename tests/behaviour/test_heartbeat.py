"""
Tests for C{heartbeat} and C{idleTimeout}: noticing a peer that has fallen silent.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import CallbackError, HeartbeatTimeout, IdleTimeout
from twisted_clienttcp.framing import Stream

from .._memory import ClientTestCase


class ClientWatchTests(ClientTestCase):
    """
    Checks of silent connections.
    """

    def test_idle(self) -> None:
        """
        The connection is dropped, C{serverError} is called with the reason, and the
        client tries again.
        """
        client, transport = self.connected(idleTimeout=30)
        self.reactor.advance(20)
        transport.protocol.dataReceived(b"a\r\n")
        self.reactor.advance(29.9)
        self.assertFalse(transport.aborted)
        self.reactor.advance(0.1)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.events[-1], ("serverError", "read", 110))
        error = self.recorder.failures[-1].value
        self.assertIsInstance(error, IdleTimeout)
        self.assertIn("30 s", str(error))
        transport.lose(ConnectionAborted())
        self.assertEqual(self.events[-1], "disconnected")
        disconnection = self.recorder.disconnections[-1]
        self.assertEqual(disconnection.initiator, "local")
        self.assertIs(disconnection.failure.value, error)
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 2)

    def test_heartbeat(self) -> None:
        """
        A record is put after the silence; without an answer, the connection is dropped
        as half open.
        """
        client, transport = self.connected(heartbeat=(30, b"PING"))
        for _ in range(3):
            self.reactor.advance(30)
            self.reactor.advance(0)
            self.assertEqual(transport.value(), b"PING\r\n")
            transport.drain()
            transport.clear()
            transport.protocol.dataReceived(b"P")
        self.reactor.pump([30, 0, 29.9])
        self.assertFalse(transport.aborted)
        self.reactor.advance(0.1)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.events[-1], ("serverError", "read", 110))
        self.assertIsInstance(self.recorder.failures[-1].value, HeartbeatTimeout)
        transport.lose(ConnectionAborted())
        self.assertEqual(self.recorder.disconnections[-1].initiator, "local")
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 2)

    def test_function(self) -> None:
        """
        A function is called with the client, and its result is put; it may put a record
        itself and return None.
        """
        for returned in (True, False):
            self.setUp()

            def ask(client: ClientTCPFactory, returned: bool = returned) -> Any:
                if returned:
                    return b"PING"
                client.put(b"PING")
                return None

            client, transport = self.connected(heartbeat=(30, ask))
            self.reactor.advance(30)
            self.reactor.advance(0)
            self.assertEqual(transport.value(), b"PING\r\n")
            client.shutdown()

    def test_functionThatStops(self) -> None:
        """
        The function may end the connection.
        """
        client, transport = self.connected(
            heartbeat=(30, lambda client: client.shutdown())
        )
        self.reactor.advance(30)
        self.assertTrue(client.shuttingDown)
        self.assertTrue(transport.disconnecting)
        transport.lose(ConnectionDone())
        self.assertEqual(self.events[-2:], ["disconnected", "stopped"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_functionRaises(self) -> None:
        """
        A function that raises, or returns a record that cannot be encoded, ends the
        connection as any callback does.
        """
        for ask, kind in (
            (lambda client: 1 / 0, ZeroDivisionError),
            (lambda client: "text", TypeError),
        ):
            self.setUp()
            _, transport = self.connected(heartbeat=(30, ask))
            self.reactor.advance(30)
            self.assertEqual(len(self.flushLoggedErrors(kind)), 1)
            error = self.recorder.failures[-1].value
            self.assertIsInstance(error, CallbackError)
            self.assertEqual(error.callback, "heartbeat")
            self.assertTrue(transport.aborted)
            transport.lose()

    def test_keepTalkingRaises(self) -> None:
        """
        A function of C{keepTalking} that raises is an error of a callback.
        """
        _, transport = self.connected(keepTalking=(30, lambda client: 1 / 0))
        self.reactor.advance(30)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        error = self.recorder.failures[-1].value
        self.assertIsInstance(error, CallbackError)
        self.assertEqual(error.callback, "keepTalking")
        self.assertTrue(transport.aborted)
        transport.lose()

    def test_bothAtOnce(self) -> None:
        """
        The setting whose time comes first drops the connection.
        """
        _, transport = self.connected(heartbeat=(10, b"PING"), idleTimeout=15)
        self.reactor.advance(15)
        self.assertIsInstance(self.recorder.failures[-1].value, IdleTimeout)
        transport.lose()

    def test_heldRecords(self) -> None:
        """
        While the user holds the records, silence does not count.
        """
        client, transport = self.connected(idleTimeout=30)
        client.pauseProducing()
        self.reactor.advance(1000)
        self.assertFalse(transport.aborted)
        client.resumeProducing()
        self.reactor.advance(29)
        self.assertFalse(transport.aborted)
        self.reactor.advance(1)
        self.assertTrue(transport.aborted)

    def test_heldInConnected(self) -> None:
        """
        Nor does it if they are held in C{connected}.
        """
        self.recorder.on["connected"] = lambda client, peer: client.pauseProducing()
        client, transport = self.connected(idleTimeout=30)
        self.reactor.advance(1000)
        self.assertFalse(transport.aborted)
        client.resumeProducing()
        self.reactor.pump([29, 1])
        self.assertTrue(transport.aborted)

    def test_slowAnswer(self) -> None:
        """
        A peer that waits for the result of our callback is not idle.
        """
        answers: list[Deferred[None]] = []

        def serverInput(client: ClientTCPFactory, record: bytes) -> Deferred[None]:
            answers.append(Deferred())
            return answers[-1]

        _, transport = self.connected(idleTimeout=30, serverInput=serverInput)
        transport.protocol.dataReceived(b"a\r\n")
        self.reactor.pump([29, 50])
        answers[0].callback(None)
        self.reactor.advance(29)
        self.assertFalse(transport.aborted)
        self.reactor.advance(1)
        self.assertTrue(transport.aborted)

    def test_lostMeanwhile(self) -> None:
        """
        A connection that is lost is not silent: only the loss is reported, when the
        records before it are delivered.
        """
        answers: list[Deferred[None]] = []

        def serverInput(client: ClientTCPFactory, record: bytes) -> Deferred[None]:
            answers.append(Deferred())
            return answers[-1]

        _, transport = self.connected(
            idleTimeout=30, heartbeat=(10, b"PING"), serverInput=serverInput
        )
        transport.protocol.dataReceived(b"a\r\n")
        transport.lose()
        [deadline] = self.reactor.getDelayedCalls()
        self.reactor.advance(deadline.getTime() - self.reactor.seconds() - 1)
        self.assertEqual(self.events[2:], [])
        answers[0].callback(None)
        self.assertEqual(
            self.events[2:], [("serverError", "read", 104), "disconnected"]
        )

    def test_afterTheEnd(self) -> None:
        """
        A peer that has ended its side need not send anything.
        """
        client, transport = self.connected(
            idleTimeout=30, heartbeat=(10, b"PING"), shutdownOnError=False
        )
        transport.protocol.readConnectionLost()
        self.reactor.advance(1000)
        self.assertFalse(transport.aborted)
        self.assertEqual(transport.value(), b"")

    def test_whileClosing(self) -> None:
        """
        A connection that is closing has other time limits.
        """
        client, transport = self.connected(idleTimeout=10, drainTimeout=60)
        client.put(b"x")
        self.reactor.advance(0)
        client.shutdown()
        self.reactor.advance(59)
        self.assertFalse(transport.aborted)

    def test_beforeConnected(self) -> None:
        """
        The time begins with C{connected}; before that, C{connectTimeout} applies.
        """
        ready: list[Any] = []

        async def preConnect(client: Any, negotiation: Any) -> Any:
            ready.append(negotiation.nextRecord())
            return await ready[0]

        client, transport = self.connected(
            idleTimeout=10, connectTimeout=60, preConnect=preConnect
        )
        self.reactor.advance(50)
        transport.protocol.dataReceived(b"welcome\r\n")
        self.assertEqual(self.events[-1], "connected")
        self.reactor.advance(9)
        self.assertFalse(transport.aborted)
        self.reactor.advance(1)
        self.assertTrue(transport.aborted)

    def test_nothingLeft(self) -> None:
        """
        A loss stops the timers; the next connection has its own.
        """
        client, transport = self.connected(idleTimeout=10, heartbeat=(5, b"PING"))
        transport.lose()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.reactor.advance(client.delay)
        transport = self.establish()
        self.reactor.advance(10)
        self.assertTrue(transport.aborted)
        transport.lose()
        client.shutdown()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_reconnectMeanwhile(self) -> None:
        """
        So does C{reconnect}.
        """
        client, transport = self.connected(idleTimeout=10)
        client.reconnect(50)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        transport.lose()
        client.shutdown()

    def test_withoutSettings(self) -> None:
        """
        Without these settings there is no timer.
        """
        self.connected()
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class ArgumentTests(SynchronousTestCase):
    """
    Wrong arguments.
    """

    def test_nonsense(self) -> None:
        """
        Wrong values are rejected, and the error has the name of the setting.
        """

        async def slow(client: Any) -> bytes:
            return b"PING"

        for name, wrong, kind in (
            ("idleTimeout", 0, ValueError),
            ("idleTimeout", "30", TypeError),
            ("idleTimeout", float("nan"), ValueError),
            ("heartbeat", 30, TypeError),
            ("heartbeat", (30,), TypeError),
            ("heartbeat", [30, b"PING"], TypeError),
            ("heartbeat", (0, b"PING"), ValueError),
            ("heartbeat", ("30", b"PING"), TypeError),
            ("heartbeat", (30, "PING"), TypeError),
            ("heartbeat", (30, b"PI\nNG"), ValueError),
            ("heartbeat", (30, slow), TypeError),
            ("keepTalking", 30, TypeError),
            ("keepTalking", (0, b"HERE"), ValueError),
            ("keepTalking", (30, b"HE\nRE"), ValueError),
            ("keepTalking", (30, slow), TypeError),
        ):
            given: Any = {name: wrong}
            error = self.assertRaises(
                kind, ClientTCPFactory, serverInput=print, **given
            )
            self.assertIn(name, str(error))
        ClientTCPFactory(serverInput=print, heartbeat=(30, b"PI\nNG"), framing=Stream())
