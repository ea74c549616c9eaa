"""
Tests for the order of callbacks, in each way in which a connection can end.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError

from twisted_clienttcp import ClientTCPFactory, Disconnection
from twisted_clienttcp.errors import NotConnectedError, OutputLost
from twisted_clienttcp.framing import Stream

from .._memory import ClientTestCase


class OrderTests(ClientTestCase):
    """
    The order of the callbacks.
    """

    def test_wholeLife(self) -> None:
        """
        From C{started} to C{stopped}.
        """
        client = self.client(args=("x",))
        stopped = client.start()
        self.assertEqual(self.events, ["started"])
        transport = self.establish()
        self.assertEqual(self.events, ["started", "connected"])
        self.assertTrue(client.connected)
        client.put(b"one")
        self.assertEqual(client.pendingBytes, 5)
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"one\r\n")
        transport.drain()
        transport.protocol.dataReceived(b"two\r\nthr")
        disconnection = client.shutdown()
        self.assertEqual((client.connected, client.shuttingDown), (False, True))
        self.assertTrue(transport.disconnecting)
        self.assertNoResult(disconnection)
        transport.lose(ConnectionDone())
        self.assertEqual(
            self.events,
            [
                "started",
                "connected",
                "serverFlushed",
                ("serverInput", b"two"),
                "disconnected",
                "stopped",
            ],
        )
        self.assertIsInstance(self.successResultOf(disconnection), Disconnection)
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_startedArguments(self) -> None:
        """
        C{started} is called with C{args}; it can stop the client before any attempt.
        """
        got: list[Any] = []
        client = self.client(args=[1, 2], started=lambda *args: got.append(args))
        client.start()
        self.assertEqual(got, [(client, 1, 2)])

        def started(client: ClientTCPFactory) -> None:
            client.shutdown()

        stopped = self.client(started=started).start()
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(len(self.attempts()), 1)

    def test_refusedWithoutRetry(self) -> None:
        """
        Only C{connectError} is called, then C{stopped}, with the failure.
        """
        client = self.client(autoReconnect=False)
        stopped, connection = client.start(), client.whenConnected()
        self.refuse()
        self.assertEqual(
            self.events, ["started", ("connectError", "connect", 111), "stopped"]
        )
        self.failureResultOf(stopped, ConnectionRefusedError)
        self.failureResultOf(connection, ConnectionRefusedError)
        self.failureResultOf(client.whenConnected(), ConnectionRefusedError)
        self.failureResultOf(client.whenStopped(), ConnectionRefusedError)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_retry(self) -> None:
        """
        After a failure and after a loss there is another attempt.
        """
        client = self.client()
        client.start()
        self.refuse()
        self.assertEqual(len(self.attempts()), 1)
        self.reactor.advance(1)
        transport = self.establish()
        transport.lose()
        self.assertEqual(
            self.events[-2:], [("serverError", "read", 104), "disconnected"]
        )
        self.assertFalse(client.shuttingDown)
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 3)

    def test_reconnectInConnectError(self) -> None:
        """
        After C{reconnect} in C{connectError}, one attempt follows.
        """
        client = self.client(autoReconnect=False)
        stopped = client.start()
        self.recorder.on["connectError"] = lambda client, failure: client.reconnect(3)
        self.refuse()
        self.assertNoResult(stopped)
        self.reactor.advance(2.9)
        self.assertEqual(len(self.attempts()), 1)
        self.reactor.advance(0.1)
        self.assertEqual(len(self.attempts()), 2)

    def test_reconnectInServerError(self) -> None:
        """
        C{reconnect} from C{serverError}: C{disconnected} first, then the attempt.
        """
        client, transport = self.connected(autoReconnect=False)
        self.recorder.on["serverError"] = lambda client, failure: client.reconnect()
        transport.protocol.readConnectionLost()
        transport.lose(ConnectionDone())
        self.assertEqual(self.events[-2:], [("serverError", "read", 0), "disconnected"])
        self.assertEqual(len(self.attempts()), 2)

    def test_reconnectWhileConnected(self) -> None:
        """
        C{reconnect} aborts the connection: C{disconnected} reports the lost bytes, and
        no more records are delivered.
        """
        client, transport = self.connected(autoReconnect=False)
        client.put(b"lost")
        self.recorder.on["serverInput"] = lambda client, line: client.reconnect()
        transport.protocol.dataReceived(b"a\r\nb\r\n")
        self.assertTrue(transport.aborted)
        self.assertEqual((client.connected, client.shuttingDown), (False, False))
        transport.protocol.dataReceived(b"c\r\n")
        transport.lose()
        self.assertEqual(
            self.events, ["started", "connected", ("serverInput", b"a"), "disconnected"]
        )
        self.assertEqual(self.recorder.disconnections[0].unsent, 6)
        self.assertEqual(self.recorder.disconnections[0].initiator, "local")
        self.establish()
        self.assertEqual(self.events[-1], "connected")

    def test_connectElsewhere(self) -> None:
        """
        A new address is kept; the attempt to connect to the old one ends silently.
        """
        client = self.client()
        client.start()
        self.attempts()
        client.connect("127.0.0.2", 8)
        self.assertEqual(self.attempts()[-1][:2], ("127.0.0.2", 8))
        self.refuse()
        self.reactor.advance(1)
        self.assertEqual(self.attempts()[-1][:2], ("127.0.0.2", 8))
        client.connect(port=9)
        self.assertEqual(self.attempts()[-1][:2], ("127.0.0.2", 9))
        self.assertEqual(self.events, ["started", ("connectError", "connect", 111)])

    def test_connectFromStarted(self) -> None:
        """
        An address given in C{started} is the first one tried.
        """
        self.recorder.on["started"] = lambda client: client.connect("127.0.0.3", 9)
        self.client().start()
        self.assertEqual([a[:2] for a in self.attempts()], [("127.0.0.3", 9)])

    def test_shutdownWhileConnecting(self) -> None:
        """
        The attempt ends: only C{stopped} is called.
        """
        client = self.client()
        stopped = client.start()
        self.attempts()
        self.assertIsNone(self.successResultOf(client.shutdown()))
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.events, ["started", "stopped"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_shutdownWhileWaiting(self) -> None:
        """
        C{shutdown} between two attempts calls only C{stopped}.
        """
        client = self.client()
        client.start()
        self.refuse()
        client.shutdown()
        self.assertEqual(self.events[-1], "stopped")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_shutdownTwice(self) -> None:
        """
        The second C{shutdown} changes nothing; each has its own Deferred.
        """
        client, transport = self.connected()
        client.put(b"x")
        first, second = client.shutdown(), client.shutdown()
        first.cancel()
        self.failureResultOf(first)
        self.reactor.advance(0)
        transport.drain()
        self.assertTrue(transport.disconnecting)
        transport.lose(ConnectionDone())
        self.assertIsNotNone(self.successResultOf(second))
        self.assertEqual(self.events.count("disconnected"), 1)
        self.assertIsNone(self.successResultOf(client.shutdown()))

    def test_nothingAfterShutdown(self) -> None:
        """
        No record is delivered after C{shutdown}, from the same read or a later one.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, line: client.shutdown()
        transport.protocol.dataReceived(b"a\r\nb\r\nc\r\n")
        transport.protocol.dataReceived(b"d\r\n")
        self.assertEqual(self.events[2:], [("serverInput", b"a")])

    def test_restart(self) -> None:
        """
        A stopped client can be started again, even in C{stopped}. The Deferred of this
        C{start} waits for the next stop.
        """
        again: list[Deferred[None]] = []

        def stopped(client: ClientTCPFactory, failure: Any) -> None:
            if not again:
                again.append(client.start())

        self.recorder.on["stopped"] = stopped
        client = self.client()
        first = client.start()
        client.shutdown()
        self.assertIsNone(self.successResultOf(first))
        self.assertNoResult(again[0])
        self.assertEqual(self.events, ["started", "stopped", "started"])
        self.establish()
        self.assertTrue(client.connected)

    def test_stopAndStartInOneCallback(self) -> None:
        """
        A client that is stopped and started again in one callback: the Deferred of
        C{start} waits for the next stop.
        """
        waiting: list[Any] = []

        def connectError(client: ClientTCPFactory, failure: Any) -> None:
            if not waiting:
                waiting.append(client.shutdown())
                waiting.append(client.shutdown())
                waiting.append(client.whenStopped())
                waiting.append(client.start())
                waiting.append(client.whenConnected())

        self.recorder.on["connectError"] = connectError
        client = self.client()
        client.start()
        self.refuse()
        for waiter in waiting[:3]:
            self.assertIsNone(self.successResultOf(waiter))
        for waiter in waiting[3:]:
            self.assertNoResult(waiter)
        self.establish()
        self.assertIs(self.successResultOf(waiting[4]), client.server)

    def test_shutdownAfterALoss(self) -> None:
        """
        C{shutdown} succeeds after a loss, and if the connection is lost before
        C{connected}.
        """
        client, transport = self.connected()
        transport.lose()
        self.assertIsNone(self.successResultOf(client.shutdown()))
        self.setUp()
        client, transport = self.connected(preConnect=lambda c, n: Deferred())
        stopping = client.shutdown()
        transport.lose()
        self.assertIsNone(self.successResultOf(stopping))

    def test_startWhileShuttingDown(self) -> None:
        """
        A call of C{start} that would have no effect is an error.
        """
        client, transport = self.connected()
        client.shutdown()
        self.assertRaises(RuntimeError, client.start)

    def test_startTwice(self) -> None:
        """
        A second start changes nothing; both Deferreds fire.
        """
        client = self.client()
        first, second = client.start(), client.start()
        client.shutdown()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.events, ["started", "stopped"])

    def test_whenConnected(self) -> None:
        """
        It fires with the connection after C{connected}, or at once if there is a
        connection.
        """
        client = self.client()
        early = client.whenConnected()
        given_up = client.whenConnected()
        given_up.cancel()
        self.failureResultOf(given_up)
        client.start()
        self.recorder.on["connected"] = lambda client, peer: self.assertNoResult(early)
        self.establish()
        self.assertIs(self.successResultOf(early), client.server)
        self.assertIs(self.successResultOf(client.whenConnected()), client.server)

    def test_whenConnectedFails(self) -> None:
        """
        It fails if the client stops before.
        """
        client = self.client()
        client.start()
        waiting = client.whenConnected()
        client.shutdown()
        self.failureResultOf(waiting, NotConnectedError)

    def test_cleanEnd(self) -> None:
        """
        A clean end of stream is not a failure: the client stops with None.
        """
        client, transport = self.connected(autoReconnect=False)
        stopped = client.whenStopped()
        transport.protocol.readConnectionLost()
        self.assertEqual(self.events[-1], ("serverError", "read", 0))
        self.assertTrue(client.shuttingDown)
        transport.lose(ConnectionDone())
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.recorder.disconnections[0].initiator, "peer")

    def test_flags(self) -> None:
        """
        The values of the flags in each callback.
        """
        flags: list[Any] = []

        def note(name: str) -> Any:
            return lambda client, *args: flags.append(
                (name, client.connected, client.shuttingDown, client.server is not None)
            )

        for name in self.recorder.parameters():
            self.recorder.on[name] = note(name)
        client, transport = self.connected(autoReconnect=False)
        transport.protocol.dataReceived(b"a\n")
        transport.lose()
        self.assertEqual(
            flags,
            [
                ("started", False, False, False),
                ("connected", True, False, True),
                ("serverInput", True, False, True),
                ("serverError", False, False, True),
                ("disconnected", False, True, False),
                ("stopped", False, True, False),
            ],
        )

    def test_connectedUntilItEnds(self) -> None:
        """
        C{connected} is False as soon as the connection is certain to end, even if the
        transport is lost later.
        """
        for end in (
            lambda client, transport: client.server.abort(),
            lambda client, transport: client.server.transport.loseConnection(),
            lambda client, transport: client.server.stopProducing(),
            lambda client, transport: client.abort(),
            lambda client, transport: client.shutdown(),
            lambda client, transport: client.reconnect(),
            lambda client, transport: transport.protocol.readConnectionLost(),
            lambda client, transport: transport.lose(),
        ):
            client, transport = self.connected()
            self.assertTrue(client.connected)
            end(client, transport)
            self.assertFalse(client.connected)
            self.assertNoResult(client.whenConnected().addErrback(lambda _: None))

    def test_aborted(self) -> None:
        """
        After C{client.server.abort()}, nothing is sent: C{put} raises an exception, or
        keeps the record for the next connection, and C{flushed()} fails at once if
        output is lost.
        """
        client, _ = self.connected(framing=Stream())
        client.put(b"lost")
        assert client.server is not None
        client.server.abort()
        self.assertRaises(NotConnectedError, client.put, b"x")
        lost = self.failureResultOf(client.flushed(), OutputLost).value
        self.assertEqual(lost.unsent, 4)
        keeping, transport = self.connected(framing=Stream(), offlineLimit=10)
        assert keeping.server is not None
        keeping.server.abort()
        keeping.put(b"kept")
        flushed = keeping.flushed()
        transport.lose()
        self.assertNoResult(flushed)
        self.reactor.advance(keeping.delay)
        transport = self.establish()
        self.reactor.advance(0)
        transport.drain()
        self.assertEqual(transport.sent, b"kept")
        self.successResultOf(flushed)

    def test_closedInPreConnect(self) -> None:
        """
        A C{preConnect} that has closed the transport has not agreed, whatever it
        returns.
        """

        def preConnect(client: Any, negotiation: Any) -> bool:
            negotiation.transport.loseConnection()
            return True

        client, transport = self.connected(preConnect=preConnect)
        self.assertEqual(self.events, ["started"])
        transport.lose(ConnectionDone())
        self.assertNotIn("connected", self.events)
        self.assertEqual(sum(client.stats.connectErrors.values()), 1)

    def test_truncated(self) -> None:
        """
        An incomplete record at the end is reported.
        """
        client, transport = self.connected()
        transport.protocol.dataReceived(b"a\r\nrest")
        transport.protocol.readConnectionLost()
        transport.lose(ConnectionDone())
        self.assertEqual(self.recorder.disconnections[0].truncated.rest, b"rest")

    def test_endOfStreamTwice(self) -> None:
        """
        A transport that reports the end of stream twice: it is handled once.
        """
        client, transport = self.connected()
        transport.protocol.readConnectionLost()
        transport.protocol.readConnectionLost()
        self.assertEqual(self.events.count(("serverError", "read", 0)), 1)
