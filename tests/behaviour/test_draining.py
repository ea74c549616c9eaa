"""
Tests for drains: C{reconnect(drain=True)} and C{halfClose}.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import (
    CallbackError,
    DrainTimeout,
    LingerTimeout,
    NotConnectedError,
    OutputFull,
    OutputLost,
    RecordTooLong,
)
from twisted_clienttcp.framing import Line
from twisted_clienttcp.proxy import ProxiedAddress
from twisted_clienttcp.testing import MemoryServer

from .._memory import ABC, ClientTestCase, Producer, Transport
from .._support import CHUNK, Peer, Recorder
from .._ways import TLS_WAYS, WAYS, WaysTestCase, addTests


class DrainTestCase(SynchronousTestCase):
    """
    Tests with a client that is connected to a server in memory.
    """

    def setUp(self) -> None:
        self.recorder = Recorder()

    def connected(self, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client that is connected to a server that does not end its side.
        """
        given: dict[str, Any] = {
            "remoteAddress": "127.0.0.1",
            "remotePort": 7,
            "framing": Line(delimiter=b"\n"),
            "jitter": 0,
            **self.recorder.parameters(),
            **parameters,
        }
        client = ClientTCPFactory(**given)
        self.server = MemoryServer(client)
        self.server.stopped.addErrback(lambda failure: None)
        self.server.closing = False
        self.server.accept()
        self.recorder.events.clear()
        return client

    def drained(self, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client whose connection drains.
        """
        client = self.connected(**parameters)
        client.reconnect(drain=True)
        self.server.advance(0)
        return client

    def awaits(self, result: Deferred[None]) -> None:
        """
        Let C{serverInput} return this result.
        """
        self.recorder.on["serverInput"] = lambda client, record: result

    def names(self) -> list[str]:
        """
        @return: the names of the callbacks that were called.
        """
        return [event if isinstance(event, str) else event[0] for event in self.events]

    @property
    def events(self) -> list[Any]:
        return self.recorder.events

    def records(self) -> list[bytes]:
        """
        @return: the records that were delivered.
        """
        return [event[1] for event in self.events if event[0] == "serverInput"]

    @property
    def disconnection(self) -> Any:
        (disconnection,) = self.recorder.disconnections
        return disconnection

    def assertLost(self, kind: type[BaseException], initiator: str) -> None:
        """
        The connection has ended with a failure, which C{serverError} has got.
        """
        self.assertEqual(self.disconnection.initiator, initiator)
        self.assertIsInstance(self.disconnection.failure.value, kind)
        self.assertIsInstance(self.recorder.failures[0].value, kind)
        self.assertFalse(self.disconnection.confirmed)

    def assertOrderly(self) -> None:
        """
        The connection has ended without a loss.
        """
        self.assertNotIn("serverError", self.names())
        end = self.disconnection
        self.assertIsInstance(end.failure.value, ConnectionDone)
        self.assertEqual((end.initiator, end.unsent, end.undelivered), ("local", 0, 0))


class ReconnectTests(DrainTestCase):
    """
    C{reconnect(drain=True)}.
    """

    def test_steps(self) -> None:
        """
        The output is flushed, our side ends, all input until the end of the peer's side
        is delivered, C{disconnected} is called, and an attempt follows.
        """
        client = self.connected()
        self.server.reading = False
        client.put(b"question")
        client.reconnect(drain=True)
        self.server.send(b"a\nb")
        self.assertEqual(self.records(), [b"a"])
        self.assertFalse(self.server.ended)
        self.server.reading = True
        self.assertEqual(self.server.read(), b"question\n")
        self.assertTrue(self.server.ended)
        self.server.advance(client.lingerTimeout - 1)
        self.server.send(b"c\n")
        self.assertEqual(self.names()[-1:], ["serverInput"])
        self.assertFalse(self.server.attempting)
        self.server.send(b"d\nrest")
        self.server.close()
        self.assertEqual(self.records(), [b"a", b"bc", b"d"])
        self.assertOrderly()
        self.assertTrue(self.disconnection.confirmed)
        self.assertEqual(self.disconnection.truncated.rest, b"rest")
        self.assertTrue(self.server.attempting)

    def test_flags(self) -> None:
        """
        During a drain, the client is not connected, but has a connection, and it is not
        shutting down.
        """
        client = self.drained()
        self.assertFalse(client.connected or client.shuttingDown)
        self.assertIsNotNone(client.server)
        waiting = client.whenConnected()
        self.server.close()
        self.assertNoResult(waiting)
        self.server.accept()
        self.assertIs(self.successResultOf(waiting), client.server)

    def test_delay(self) -> None:
        """
        The delay begins when C{disconnected} has been called.
        """
        client = self.connected()
        client.reconnect(3, drain=True)
        self.server.advance(5)
        self.server.close()
        self.server.advance(2)
        self.assertFalse(self.server.attempting)
        self.server.advance(1)
        self.assertTrue(self.server.attempting)

    def test_autoReconnect(self) -> None:
        """
        The attempt is made without C{autoReconnect} too.
        """
        self.drained(autoReconnect=False)
        self.server.close()
        self.assertTrue(self.server.attempting)

    def test_noConnection(self) -> None:
        """
        Without a connection, C{drain} changes nothing.
        """
        client = self.connected()
        self.server.reset()
        self.assertFalse(self.server.attempting)
        client.reconnect(drain=True)
        self.server.advance(0)
        self.assertEqual((self.server.attempting, self.server.attempts), (True, 2))
        client.reconnect(drain=True)
        self.server.advance(0)
        self.assertEqual((self.server.attempting, self.server.attempts), (True, 3))
        self.assertRaises(TypeError, client.reconnect, drain=1)

    def test_preConnect(self) -> None:
        """
        A connection that C{preConnect} has not accepted is aborted.
        """
        ended: list[Failure] = []

        def preConnect(client: Any, negotiation: Any) -> Any:
            record = negotiation.nextRecord()
            record.addErrback(ended.append)
            return record

        client = self.connected(preConnect=preConnect)
        client.reconnect(drain=True)
        self.server.advance(0)
        self.assertEqual(len(ended), 1)
        self.assertNotIn("disconnected", self.names())
        self.assertTrue(self.server.attempting)
        self.server.accept()
        self.server.send(b"welcome\n")
        self.assertTrue(client.connected)

    def test_inConnected(self) -> None:
        """
        A drain in C{connected} flushes what was put there, and delivers.
        """
        waiting: list[Deferred[Any]] = []

        def connected(client: Any, peer: Any) -> None:
            waiting.append(client.whenConnected())
            client.put(b"login")
            client.reconnect(drain=True)
            client.put(b"next")
            del self.recorder.on["connected"]

        self.recorder.on["connected"] = connected
        self.connected(idleTimeout=3)
        self.assertEqual(self.server.read(), b"login\n")
        self.assertTrue(self.server.ended)
        self.server.advance(20)
        self.server.send(b"a\n")
        self.assertEqual(self.records(), [b"a"])
        self.assertNoResult(waiting[0])
        self.server.close()
        self.server.accept()
        self.assertEqual(self.server.read(), b"next\n")
        self.successResultOf(waiting[0])

    def test_repeated(self) -> None:
        """
        A second call changes only the delay.
        """
        client = self.drained()
        client.reconnect(5, drain=True)
        self.server.send(b"a\n")
        self.server.close()
        self.assertEqual(self.records(), [b"a"])
        self.assertOrderly()
        self.server.advance(4)
        self.assertFalse(self.server.attempting)
        self.server.advance(1)
        self.assertTrue(self.server.attempting)

    def test_whileClosing(self) -> None:
        """
        A connection that C{shutdown} closes continues to close, and an attempt follows.
        """
        client = self.connected()
        stopped = client.shutdown()
        client.reconnect(drain=True)
        self.server.send(b"discarded\n")
        self.server.close()
        self.assertEqual(self.records(), [])
        self.assertIs(self.successResultOf(stopped), self.disconnection)
        self.assertTrue(self.server.attempting)

    def test_endSeenBefore(self) -> None:
        """
        If the peer has ended its side already, there is only output to flush.
        """
        client = self.connected(shutdownOnError=False)
        self.server.reading = False
        client.put(b"late")
        self.server.close()
        client.reconnect(drain=True)
        self.server.advance(0)
        self.assertEqual(self.recorder.disconnections, [])
        self.server.reading = True
        self.assertEqual(self.server.read(), b"late\n")
        self.assertEqual(self.disconnection.unsent, 0)
        self.assertEqual(self.names().count("serverError"), 1)
        self.assertTrue(self.server.attempting)

    def test_ownSideEndedBefore(self) -> None:
        """
        If our side has ended already, there is only input to deliver.
        """
        client = self.connected()
        client.loseWriteConnection()
        self.server.advance(0)
        self.assertRaises(NotConnectedError, client.put, b"x")
        client.reconnect(drain=True)
        client.put(b"next")
        self.server.send(b"a\n")
        self.server.close()
        self.assertEqual(self.records(), [b"a"])
        self.assertOrderly()
        self.server.accept()
        self.assertEqual(self.server.read(), b"next\n")

    def test_watches(self) -> None:
        """
        C{idleTimeout}, C{heartbeat} and C{keepTalking} do not apply to a drain, which
        has time limits of its own.
        """
        client = self.drained(
            idleTimeout=3,
            heartbeat=(2, b"ping"),
            keepTalking=(1, b"hello"),
            offlineLimit=9,
        )
        self.server.advance(20)
        self.server.send(b"a\n")
        self.server.close()
        self.assertEqual(self.server.read(), b"")
        self.assertOrderly()
        self.assertEqual(client.pendingBytes, 0)


class OutputTests(DrainTestCase):
    """
    Records that are put during a drain.
    """

    def test_next(self) -> None:
        """
        They are sent in order on the next connection, behind those of C{connected}, as
        are those that are put between the connections.
        """
        client = self.connected()
        self.server.reading = False
        client.put(b"a")
        client.reconnect(drain=True)
        client.put(b"b")
        self.server.advance(0)
        client.putMany([b"c", b"d"])
        client.write(b"e\n")
        self.assertEqual(client.pendingBytes, 10)
        self.assertEqual(client.stats.pendingBytes, 10)
        self.server.reading = True
        self.assertEqual(self.server.read(), b"a\n")
        client.put(b"f")
        self.assertEqual(client.pendingBytes, 10)
        self.server.close()
        client.put(b"g")
        self.recorder.on["connected"] = lambda client, peer: client.put(b"login")
        self.server.accept()
        self.assertEqual(self.server.read(), b"login\nb\nc\nd\ne\nf\ng\n")
        self.assertEqual(client.stats.recordsOut, 8)
        self.server.reset()
        self.assertRaises(NotConnectedError, client.put, b"g")

    def test_inDisconnected(self) -> None:
        """
        In C{disconnected}, records can be put if an attempt follows.
        """
        for follows in (True, False):
            self.setUp()
            client = self.drained()
            if not follows:
                client.stopTrying()
            refused: list[Exception] = []

            def disconnected(
                client: Any, end: Any, refused: list[Exception] = refused
            ) -> None:
                try:
                    client.put(b"x")
                except NotConnectedError as error:
                    refused.append(error)

            self.recorder.on["disconnected"] = disconnected
            self.server.close()
            self.assertEqual(len(refused), not follows)
            self.assertEqual(client.pendingBytes, 2 * follows)

    def test_failedAttempt(self) -> None:
        """
        When the next attempt has failed, C{offlineLimit} applies again: records that
        were put before are kept.
        """
        for offlineLimit in (0, 4):
            self.setUp()
            client = self.drained(offlineLimit=offlineLimit)
            self.server.close()
            client.put(b"abc")
            self.recorder.on["connectError"] = lambda client, failure: client.put(b"d")
            self.server.refuse()
            error = OutputFull if offlineLimit else NotConnectedError
            self.assertRaises(error, client.put, b"e")
            self.assertEqual(client.pendingBytes, 6)
            self.server.advance(client.maxDelay)
            self.server.accept()
            self.assertEqual(self.server.read(), b"abc\nd\n")
            self.server.reset()
            self.assertEqual(client.pendingBytes, 0)
            if not offlineLimit:
                self.assertRaises(NotConnectedError, client.put, b"e")

    def test_nothingPut(self) -> None:
        """
        After the next connection, C{offlineLimit} applies again, also if nothing was
        put.
        """
        client = self.drained()
        self.server.close()
        self.server.accept()
        self.server.reset()
        self.assertRaises(NotConnectedError, client.put, b"a")

    def test_stopBetween(self) -> None:
        """
        If the client stops between the connections, the records are reported as lost,
        and a later start does not accept any without C{offlineLimit}.
        """
        client = self.drained()
        self.server.close()
        client.put(b"abc")
        waiting = client.flushed()
        client.shutdown()
        self.failureResultOf(waiting, OutputLost)
        self.assertEqual(client.stats.unsentBytes, 4)
        self.assertRaises(NotConnectedError, client.put, b"d")
        client.start()
        self.assertRaises(NotConnectedError, client.put, b"d")

    def test_offlineLimit(self) -> None:
        """
        C{offlineLimit} does not limit them.
        """
        client = self.drained(offlineLimit=4)
        client.put(b"more than four")
        self.server.close()
        client.put(b"a")
        self.server.accept()
        self.assertEqual(self.server.read(), b"more than four\na\n")
        self.server.reset()
        self.assertRaises(OutputFull, client.put, b"more than four")

    def test_outputLimit(self) -> None:
        """
        C{outputLimit} limits them, together with those of the connection that drains.
        """
        client = self.connected(outputLimit=6)
        self.server.reading = False
        client.put(b"a")
        client.reconnect(drain=True)
        client.put(b"b")
        error = self.assertRaises(OutputFull, client.putMany, [b"c", b""])
        self.assertEqual((error.pending, error.limit), (4, 6))
        self.assertIn("outputLimit", str(error))
        client.put(b"c")
        self.assertRaises(OutputFull, client.write, b"d")
        self.server.reading = True
        self.assertEqual(self.server.read(), b"a\n")
        client.put(b"d")
        client.outputLimit = 7
        client.write(b"\n")
        self.server.close()
        self.assertRaises(OutputFull, client.write, b"e")
        client.outputLimit = 9
        client.put(b"e")
        self.assertRaises(OutputFull, client.write, b"f")
        self.server.accept()
        self.assertEqual(self.server.read(), b"b\nc\nd\n\ne\n")

    def test_highMark(self) -> None:
        """
        C{put} returns True if both queues together have reached C{highMark}.
        """
        client = self.connected(**self.recorder.marks(8, 2))
        self.server.reading = False
        client.put(b"123")
        client.reconnect(drain=True)
        self.assertEqual(
            [client.put(b"4"), client.put(b"5"), client.put(b"6")], [False, True, True]
        )

    def test_flushed(self) -> None:
        """
        C{flushed()} and C{serverFlushed} wait for all of them.
        """
        client = self.connected()
        self.server.reading = False
        client.put(b"a")
        client.reconnect(drain=True)
        client.put(b"b")
        waiting = client.flushed()
        self.server.reading = True
        self.server.advance(0)
        self.assertTrue(self.server.ended)
        self.assertNoResult(waiting)
        self.server.close()
        self.server.accept()
        self.successResultOf(waiting)
        names = self.names()
        self.assertEqual(names.count("serverFlushed"), 1)
        self.assertLess(names.index("connected"), names.index("serverFlushed"))

    def test_flushedBefore(self) -> None:
        """
        If no others were put, they are called when the connection has flushed its own.
        """
        client = self.connected()
        client.put(b"a")
        client.reconnect(drain=True)
        waiting = client.flushed()
        self.server.advance(0)
        self.successResultOf(waiting)
        self.assertEqual(self.names(), ["serverFlushed"])

    def test_nextEndsInConnected(self) -> None:
        """
        If the next connection is aborted in C{connected}, the one after that sends
        them.
        """
        client = self.drained()
        client.put(b"a")
        self.server.close()
        self.recorder.on["connected"] = lambda client, peer: client.reconnect()
        self.server.accept()
        del self.recorder.on["connected"]
        self.server.advance(0)
        self.server.accept()
        self.assertEqual(self.server.read(), b"a\n")
        self.assertEqual(client.stats.unsentBytes, 0)

    def test_againAfterShutdown(self) -> None:
        """
        They wait for the next connection too if C{shutdown} is called during the drain,
        and then C{reconnect}.
        """
        client = self.drained()
        client.put(b"a")
        client.shutdown()
        client.reconnect(drain=True)
        self.server.advance(0)
        self.server.close()
        self.assertOrderly()
        self.server.advance(0)
        self.server.accept()
        self.assertEqual(self.server.read(), b"a\n")

    def test_otherFraming(self) -> None:
        """
        They have the framing of the next connection.
        """
        client = self.connected()
        client.setFraming(Line(delimiter=b";"))
        client.put(b"a")
        client.reconnect(drain=True)
        client.put(b"b")
        self.assertEqual(self.server.read(), b"a;")
        self.server.send(b"c;")
        self.server.close()
        self.assertEqual(self.records(), [b"c"])
        self.server.accept()
        self.assertEqual(self.server.read(), b"b\n")

    def test_gaveUp(self) -> None:
        """
        If no connection follows, they are reported as lost.
        """
        client = self.drained(maxRetries=0)
        client.put(b"abc")
        waiting = client.flushed()
        self.server.close()
        self.server.refuse()
        self.failureResultOf(waiting, OutputLost)
        self.assertEqual(client.stats.unsentBytes, 4)
        self.assertEqual(self.names()[-1], "stopped")

    def test_producer(self) -> None:
        """
        Everything that a registered producer writes, and everything put before it is
        unregistered, is sent on the draining connection.
        """
        client = self.connected()
        client.registerProducer(Producer(), True)
        client.reconnect(drain=True)
        client.write(b"file\n")
        client.put(b"a")
        self.assertEqual(self.server.read(), b"file\na\n")
        self.assertFalse(self.server.ended)
        client.unregisterProducer()
        self.server.advance(0)
        client.put(b"b")
        self.assertEqual(self.server.read(), b"")
        self.assertTrue(self.server.ended)
        late = Producer()
        client.registerProducer(late, True)
        self.assertEqual(late.calls, ["stop"])
        self.server.close()
        self.server.accept()
        self.assertEqual(self.server.read(), b"b\n")


class LimitTests(DrainTestCase):
    """
    Limits that are reached, and losses.
    """

    def test_drainTimeout(self) -> None:
        """
        If the output is not flushed in time, C{serverError} gets a C{DrainTimeout}, and
        C{unsent} counts the output. Records that were put during the drain follow.
        """
        client = self.connected(drainTimeout=5)
        self.server.reading = False
        client.put(b"a")
        client.reconnect(drain=True)
        client.put(b"b")
        waiting = client.flushed()
        self.server.advance(4)
        self.server.send(b"c\n")
        self.assertEqual(self.recorder.disconnections, [])
        self.server.advance(1)
        self.assertLost(DrainTimeout, "local")
        self.assertEqual(self.disconnection.unsent, 2)
        self.failureResultOf(waiting, OutputLost)
        self.assertEqual(self.records(), [b"c"])
        self.server.reading = True
        self.server.accept()
        self.assertEqual(self.server.read(), b"b\n")
        stats = client.stats
        self.assertEqual((stats.unsentBytes, stats.bytesOut), (2, 4))

    def test_producer(self) -> None:
        """
        A producer that does not finish in time is stopped, and may unregister then.
        """
        client = self.connected(drainTimeout=5)
        producer = Producer()
        producer.stopProducing = client.unregisterProducer  # type: ignore[method-assign]
        client.registerProducer(producer, True)
        client.reconnect(drain=True)
        self.server.send(b"a\n")
        self.server.advance(5)
        self.assertLost(DrainTimeout, "local")
        self.assertFalse(self.server.ended)
        self.assertEqual(self.records(), [b"a"])

    def test_lingerTimeout(self) -> None:
        """
        If the peer does not end its side in time, C{serverError} gets a
        C{LingerTimeout}.
        """
        self.drained(lingerTimeout=7)
        self.server.advance(6)
        self.server.send(b"a\nb")
        self.server.advance(1)
        self.assertLost(LingerTimeout, "local")
        self.assertIn("lingerTimeout=7", str(self.disconnection.failure.value))
        self.assertEqual(self.records(), [b"a"])
        self.assertTrue(self.server.attempting)

    def test_loss(self) -> None:
        """
        A loss during a drain is reported as any loss is.
        """
        for reading in (True, False):
            self.setUp()
            client = self.connected()
            self.server.reading = reading
            client.put(b"a")
            client.reconnect(drain=True)
            self.server.advance(0)
            client.put(b"b")
            self.server.send(b"c\n")
            self.server.reset()
            self.assertLost(ConnectionLost, "network")
            self.assertEqual(self.disconnection.unsent, 0 if reading else 2)
            self.assertEqual(self.records(), [b"c"])
            self.server.advance(0)
            self.server.reading = True
            self.server.accept()
            self.assertEqual(self.server.read(), b"b\n")

    def test_lossWithOfflineLimit(self) -> None:
        """
        With C{offlineLimit}, records that no transport has received are sent on the
        next connection too, before those that were put during the drain.
        """
        big = b"x" * CHUNK
        client = self.connected(offlineLimit=2 * CHUNK)
        self.server.reading = False
        client.put(big)
        client.put(b"a")
        client.put(b"b")
        client.reconnect(drain=True)
        self.server.advance(0)
        client.put(b"c")
        self.server.reset()
        client.put(b"d")
        self.assertEqual(self.disconnection.unsent, CHUNK + 1)
        self.server.advance(0)
        self.server.reading = True
        self.server.accept()
        self.assertEqual(self.server.read(), b"a\nb\nc\nd\n")

    def test_pause(self) -> None:
        """
        While input is paused, nothing is delivered. Records read before the limit are
        delivered if the pause ends soon after it, and counted as undelivered otherwise.
        """
        for resumes in (True, False):
            self.setUp()
            client = self.connected(drainTimeout=3, lingerTimeout=7)
            self.recorder.on["serverInput"] = lambda client, record: (
                client.pauseProducing()
            )
            client.reconnect(drain=True)
            self.server.send(b"a\nb\nc\n")
            self.server.close()
            self.server.advance(7)
            self.assertEqual(self.recorder.disconnections, [])
            self.assertEqual(self.records(), [b"a"])
            del self.recorder.on["serverInput"]
            if resumes:
                client.resumeProducing()
                self.assertEqual(self.records(), [b"a", b"b", b"c"])
            else:
                self.server.advance(3)
            self.assertLost(LingerTimeout, "local")
            self.assertIn("paused", str(self.disconnection.failure.value))
            self.assertEqual(self.disconnection.undelivered, 0 if resumes else 2)

    def test_awaited(self) -> None:
        """
        C{disconnected} waits for the results of C{serverInput}, but no longer than
        C{drainTimeout} after the end.
        """
        for arrives in (True, False):
            self.setUp()
            client = self.connected(drainTimeout=3)
            result: Deferred[None] = Deferred()
            self.awaits(result)
            client.reconnect(drain=True)
            self.server.send(b"a\nb\n")
            self.server.close()
            self.server.advance(2)
            self.assertEqual(self.recorder.disconnections, [])
            self.assertFalse(self.server.attempting)
            if arrives:
                result.callback(None)
                self.assertEqual(self.records(), [b"a", b"b"])
                self.assertOrderly()
            else:
                self.server.advance(1)
                self.assertEqual(self.disconnection.undelivered, 1)
            self.server.advance(0)
            self.assertTrue(self.server.attempting)

    def test_framingError(self) -> None:
        """
        After bytes that cannot be decoded, the input is discarded.
        """
        client = self.connected(framing=Line(delimiter=b"\n", maxLength=4))
        client.reconnect(drain=True)
        self.server.send(b"a\ntoo long\n")
        self.assertIsInstance(self.recorder.failures[0].value, RecordTooLong)
        self.server.send(b"b\n")
        self.server.advance(4)
        self.assertEqual(self.recorder.disconnections, [])
        self.server.advance(1)
        self.assertLost(RecordTooLong, "local")
        self.assertEqual(self.records(), [b"a"])
        self.assertTrue(self.server.attempting)

    def test_callbackRaises(self) -> None:
        """
        A callback that raises ends the connection.
        """
        client = self.drained()
        client.put(b"next")

        def serverInput(client: Any, record: bytes) -> None:
            raise ZeroDivisionError

        self.recorder.on["serverInput"] = serverInput
        self.server.send(b"a\nb\n")
        self.assertLost(CallbackError, "local")
        self.assertEqual(self.records(), [b"a"])
        self.server.accept()
        self.assertEqual(self.server.read(), b"next\n")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class CallTests(DrainTestCase):
    """
    Calls during a drain.
    """

    def test_shutdownWhileFlushing(self) -> None:
        """
        C{shutdown} sends the records that were put during the drain on the same
        connection, if our side has not ended, and delivers nothing more.
        """
        client = self.connected()
        self.server.reading = False
        client.put(b"a")
        client.reconnect(drain=True)
        client.put(b"b")
        stopped = client.shutdown()
        client.put(b"c")
        self.server.send(b"discarded\n")
        self.server.reading = True
        self.assertEqual(self.server.read(), b"a\nb\nc\n")
        self.server.close()
        self.assertEqual(self.records(), [])
        self.assertOrderly()
        self.assertIs(self.successResultOf(stopped), self.disconnection)
        self.assertEqual(self.names()[-1], "stopped")
        self.successResultOf(self.server.stopped)

    def test_shutdownAfterwards(self) -> None:
        """
        If our side has ended, C{stopped} reports that they are lost.
        """
        client = self.drained()
        client.put(b"b")
        client.shutdown()
        self.assertRaises(NotConnectedError, client.put, b"c")
        self.assertEqual(client.pendingBytes, 2)
        self.server.send(b"discarded\n")
        self.server.close()
        self.assertEqual(self.records(), [])
        self.assertEqual(self.names()[-1], "stopped")
        self.assertIsInstance(self.recorder.failures[-1].value, OutputLost)
        self.assertEqual(client.stats.unsentBytes, 2)

    def test_shutdownIsPatient(self) -> None:
        """
        C{shutdown} waits for the end of the peer's side as always: until it is silent.
        """
        client = self.drained()
        self.server.advance(20)
        client.shutdown()
        self.server.advance(4)
        self.assertEqual(self.recorder.disconnections, [])
        self.server.advance(1)
        self.assertOrderly()

    def test_stop(self) -> None:
        """
        C{stop} is C{shutdown} with a failure.
        """
        client = self.drained()
        failure = Failure(ValueError("enough"))
        client.stop(failure)
        self.server.close()
        self.assertIs(self.recorder.failures[-1], failure)

    def test_abort(self) -> None:
        """
        C{abort} ends the connection and the client.
        """
        client = self.drained()
        client.put(b"b")
        client.abort()
        self.server.advance(0)
        self.assertEqual(self.names(), ["disconnected", "stopped"])
        self.assertEqual(client.stats.unsentBytes, 2)

    def test_reconnect(self) -> None:
        """
        C{reconnect} without C{drain} and C{connect} abort the connection. Records put
        for the next connection are kept.
        """
        for name in ("reconnect", "connect"):
            self.setUp()
            client = self.connected()
            self.server.reading = False
            client.put(b"a")
            client.reconnect(drain=True)
            client.put(b"b")
            getattr(client, name)()
            self.server.advance(0)
            self.assertEqual(self.names(), ["disconnected"])
            self.assertEqual(self.disconnection.unsent, 2)
            self.server.reading = True
            self.server.accept()
            self.assertEqual(self.server.read(), b"b\n")

    def test_stopTrying(self) -> None:
        """
        C{stopTrying} stops the client after the drain.
        """
        client = self.drained()
        client.stopTrying()
        self.server.send(b"a\n")
        self.server.close()
        self.assertEqual(self.names(), ["serverInput", "disconnected", "stopped"])

    def test_stopTryingWithOutput(self) -> None:
        """
        After C{stopTrying}, the connection that drains is the last one: it sends the
        records that waited for the next one, and those that are put until they are
        sent.
        """
        for parameters in ({}, {"halfClose": False}, {"offlineLimit": 100}):
            self.recorder.events.clear()
            client = self.connected(**parameters)
            client.put(b"a")
            client.reconnect(drain=True)
            client.put(b"b")
            client.stopTrying()
            client.put(b"c")
            flushed = client.flushed()
            self.assertEqual(self.server.read(), b"a\nb\nc\n")
            self.successResultOf(flushed)
            self.server.close()
            self.assertEqual(self.names()[-1], "stopped")
            self.assertEqual(client.stats.unsentBytes, 0)

    def test_stopTryingTooLate(self) -> None:
        """
        If our side of that connection has ended, the records cannot be sent, and
        nothing more can be put.
        """
        client = self.drained()
        client.put(b"a")
        client.stopTrying()
        self.assertRaises(NotConnectedError, client.put, b"b")
        self.server.close()
        self.assertEqual(self.names()[-1], "stopped")
        self.assertEqual(client.stats.unsentBytes, 2)

    def test_loseWriteConnection(self) -> None:
        """
        C{loseWriteConnection} ends our side though C{halfClose} is False.
        """
        client = self.drained(halfClose=False)
        self.assertFalse(self.server.ended)
        client.loseWriteConnection()
        self.server.advance(0)
        self.assertTrue(self.server.ended)
        self.server.advance(20)
        self.assertEqual(self.recorder.disconnections, [])
        self.server.close()
        self.assertOrderly()


class HalfCloseTests(DrainTestCase):
    """
    C{halfClose=False}.
    """

    def test_silence(self) -> None:
        """
        Our side ends when nothing has arrived for 5 seconds.
        """
        client = self.connected(halfClose=False)
        client.put(b"a")
        client.reconnect(drain=True)
        self.assertEqual(self.server.read(), b"a\n")
        for _ in range(3):
            self.server.advance(4)
            self.server.send(b"b\n")
        self.server.advance(4)
        self.assertFalse(self.server.ended)
        self.server.advance(1)
        self.assertTrue(self.server.ended)
        self.server.send(b"c\n")
        self.server.close()
        self.assertEqual(self.records(), [b"b", b"b", b"b", b"c"])
        self.assertOrderly()
        self.assertTrue(self.disconnection.confirmed)
        self.assertTrue(self.server.attempting)

    def test_endOfPeer(self) -> None:
        """
        If the peer ends its side, there is nothing to wait for.
        """
        self.drained(halfClose=False)
        self.server.send(b"a\n")
        self.server.close()
        self.assertOrderly()
        self.assertFalse(self.disconnection.confirmed)
        self.assertTrue(self.server.attempting)

    def test_peerStays(self) -> None:
        """
        After our side has ended, a peer that stays silent is not waited for.
        """
        self.drained(halfClose=False)
        self.server.advance(5)
        self.assertTrue(self.server.ended)
        self.server.advance(4)
        self.assertEqual(self.recorder.disconnections, [])
        self.server.advance(1)
        self.assertOrderly()

    def test_limit(self) -> None:
        """
        A peer that does not stop to send is a C{LingerTimeout}.
        """
        self.drained(halfClose=False, lingerTimeout=10)
        for _ in range(5):
            self.server.send(b"a\n")
            self.server.advance(2)
        self.assertLost(LingerTimeout, "local")
        self.assertIn("stopped sending", str(self.disconnection.failure.value))
        self.assertEqual(len(self.records()), 5)

    def test_everyLimit(self) -> None:
        """
        A drain from a silent peer succeeds with every C{lingerTimeout}: our side ends
        after half of it, but at the latest after 5 seconds.
        """
        for limit, silence in ((0.5, 0.25), (5, 2.5), (10, 5), (30, 5)):
            self.setUp()
            self.drained(halfClose=False, lingerTimeout=limit)
            self.server.advance(silence * 0.99)
            self.assertFalse(self.server.ended)
            self.server.advance(silence * 0.01)
            self.assertTrue(self.server.ended, limit)
            self.server.close()
            self.assertOrderly()

    def test_notRead(self) -> None:
        """
        While input is paused, or a result is awaited, the peer is not silent.
        """
        client = self.drained(halfClose=False)
        self.server.advance(3)
        client.pauseProducing()
        self.server.advance(8)
        client.resumeProducing()
        self.server.advance(1)
        self.assertFalse(self.server.ended)
        result: Deferred[None] = Deferred()
        self.awaits(result)
        self.server.send(b"a\n")
        self.server.advance(8)
        result.callback(None)
        self.server.advance(4)
        self.assertFalse(self.server.ended)
        self.server.advance(1)
        self.assertTrue(self.server.ended)

    def test_pauses(self) -> None:
        """
        A pause that is over is not a sign of life of the peer.
        """
        client = self.drained(halfClose=False)
        for _ in range(10):
            self.server.advance(0.5)
            client.pauseProducing()
            client.resumeProducing()
        self.server.advance(0)
        self.assertTrue(self.server.ended)
        self.server.close()
        self.assertOrderly()

    def test_loss(self) -> None:
        """
        A loss before the peer was silent is a loss.
        """
        self.drained(halfClose=False)
        self.server.reset()
        self.assertLost(ConnectionLost, "network")

    def test_shutdown(self) -> None:
        """
        C{shutdown} flushes what was put since and ends our side at once.
        """
        client = self.drained(halfClose=False)
        client.put(b"b")
        client.shutdown()
        client.put(b"c")
        self.assertEqual(self.server.read(), b"b\nc\n")
        self.assertTrue(self.server.ended)
        self.server.close()
        self.assertOrderly()

    def test_others(self) -> None:
        """
        It does not matter for C{shutdown}.
        """
        client = self.connected(halfClose=False)
        client.shutdown()
        self.server.advance(0)
        self.assertTrue(self.server.ended)


class MaxAgeTests(DrainTestCase):
    """
    C{maxAge}.
    """

    def test_drained(self) -> None:
        """
        A connection of that age is drained and replaced, and the next one too.
        """
        client = self.connected(maxAge=100)
        for number in range(3):
            self.recorder.events.clear()
            self.recorder.disconnections.clear()
            self.server.advance(99)
            self.assertTrue(client.connected)
            self.server.advance(1)
            self.assertFalse(client.connected)
            client.put(b"%d" % number)
            self.server.send(b"late\n")
            self.server.close()
            self.assertEqual(self.records(), [b"late"])
            self.assertOrderly()
            self.server.advance(0)
            self.server.accept()
            self.assertEqual(self.server.read(), b"%d\n" % number)
        self.assertEqual((client.stats.losses, client.retries), (0, 0))

    def test_jitter(self) -> None:
        """
        The age is drawn from the last tenth, or from as much less as C{jitter} is less.
        """
        for jitter, least in ((None, 100.0), (0.5, 95.0), (1.0, 90.0)):
            ages = []
            for _ in range(50):
                self.connected(maxAge=100, jitter=jitter)
                (call,) = self.server.clock.getDelayedCalls()
                ages.append(call.getTime())
                self.assertGreaterEqual(ages[-1], least)
                self.assertLessEqual(ages[-1], 100)
            if least < 100:
                self.assertGreater(max(ages) - min(ages), (100 - least) / 3)

    def test_firstOnly(self) -> None:
        """
        The age starts at 0 with each connection, and the timer ends with it.
        """
        client = self.connected(maxAge=100)
        self.server.advance(60)
        self.server.reset()
        self.server.advance(client.delay)
        self.server.accept()
        self.server.advance(99)
        self.assertTrue(client.connected)
        client.abort()
        self.server.advance(0)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_later(self) -> None:
        """
        A change takes effect at the next connection.
        """
        client = self.connected()
        client.maxAge = 100
        self.server.advance(200)
        self.assertTrue(client.connected)
        self.server.reset()
        self.server.advance(client.delay)
        self.server.accept()
        self.server.advance(100)
        self.assertFalse(client.connected)

    def test_lost(self) -> None:
        """
        The age does not matter for a connection that is lost, and whose records are
        still to be delivered: its loss is a failure.
        """
        client = self.connected(maxAge=100)
        self.server.advance(90)
        result: Deferred[None] = Deferred()
        self.awaits(result)
        self.server.send(b"a\nb\n")
        self.server.reset()
        self.server.advance(10)
        result.callback(None)
        self.assertEqual(self.records(), [b"a", b"b"])
        self.server.advance(0)
        self.assertFalse(self.server.attempting)
        self.server.advance(client.delay)
        self.assertTrue(self.server.attempting)

    def test_noAutoReconnect(self) -> None:
        """
        Without C{autoReconnect}, the client stops. Records that are put in the meantime
        are sent on the same connection as long as that is possible.
        """
        client = self.connected(maxAge=100, autoReconnect=False, halfClose=False)
        self.server.advance(100)
        client.put(b"a")
        self.server.advance(5)
        self.assertEqual(self.server.read(), b"a\n")
        self.assertTrue(self.server.ended)
        self.assertRaises(NotConnectedError, client.put, b"b")
        self.server.send(b"c\n")
        self.server.close()
        self.assertEqual(self.records(), [b"c"])
        self.assertOrderly()
        self.assertEqual(self.names()[-1], "stopped")
        self.successResultOf(self.server.stopped)

    def test_next(self) -> None:
        """
        If the next attempt fails, the client waits as after each failure.
        """
        client = self.connected(maxAge=100)
        self.server.advance(100)
        self.server.close()
        self.server.advance(0)
        self.server.refuse()
        self.assertFalse(self.server.attempting)
        self.server.advance(client.delay)
        self.assertTrue(self.server.attempting)


class FailBackTests(ClientTestCase):
    """
    C{failBack}.
    """

    def test_named(self) -> None:
        """
        While the connection drains, and when its end is logged, the client has the
        destination of this connection.
        """
        with capturedLogs() as events:
            client, transport = self.failedOver(1, failBack=100, jitter=0)
            before = repr(client).split()[1]
            self.reactor.advance(100)
            self.assertEqual(repr(client).split()[1], before)
            transport.lose(Failure(ConnectionDone()))
        (event,) = [each for each in events if each["kind"] == "connectionReplaced"]
        self.assertEqual(event["destination"], before)
        self.assertEqual(event["cause"], "failBack")
        self.assertEqual(self.ports()[-1], self.ports()[0])

    def test_cause(self) -> None:
        """
        The log names the setting that has replaced the connection.
        """
        for settings, cause in (
            ({"failBack": 100, "maxAge": 200}, "failBack"),
            ({"failBack": 200, "maxAge": 100}, "maxAge"),
        ):
            with capturedLogs() as events:
                client, transport = self.failedOver(1, jitter=0, **settings)
                self.reactor.advance(100)
                transport.lose(Failure(ConnectionDone()))
                client.abort()
            causes = [each["cause"] for each in events if "cause" in each]
            self.assertEqual(causes, [cause])

    def failedOver(self, failures: int, **parameters: Any) -> tuple[Any, Any]:
        """
        @return: a client of three endpoints whose first attempts have failed, and its
            transport.
        """
        given = {"remoteAddress": None, "remotePort": None, "endpoint": ABC}
        client = self.client(**{**given, **parameters})
        client.start().addErrback(lambda failure: None)
        for _ in range(failures):
            self.refuse()
        return client, self.establish()

    def ports(self) -> list[int]:
        return [attempt[1] for attempt in self.attempts()]

    def test_drained(self) -> None:
        """
        A connection to another endpoint is drained at that age, and the next round
        starts at the first.
        """
        for failures in (1, 2):
            self.setUp()
            client, transport = self.failedOver(failures, failBack=100)
            self.reactor.advance(99)
            self.assertTrue(client.connected)
            self.reactor.advance(1)
            self.assertFalse(client.connected)
            transport.protocol.dataReceived(b"late\r\n")
            self.assertIn(("serverInput", b"late"), self.events)
            transport.lose(ConnectionDone())
            tried = [1, 2, 3][: failures + 1]
            self.assertEqual(self.ports(), [*tried, 1])
            self.refuse()
            self.assertEqual(self.ports(), [*tried, 1, 2])
            self.establish()
            self.assertTrue(client.connected)

    def test_first(self) -> None:
        """
        A connection to the first endpoint stays.
        """
        client, _ = self.failedOver(0, failBack=100)
        self.reactor.advance(1000)
        self.assertTrue(client.connected)

    def test_off(self) -> None:
        """
        By default, the client stays at an endpoint that works.
        """
        client, _ = self.failedOver(1)
        self.reactor.advance(10**6)
        self.assertTrue(client.connected)

    def test_maxAge(self) -> None:
        """
        With C{maxAge} too, the lower age counts for another endpoint, and C{maxAge} for
        the first.
        """
        for failBack, age in ((50, 50), (200, 100)):
            self.setUp()
            client, transport = self.failedOver(1, maxAge=100, failBack=failBack)
            self.reactor.advance(age - 1)
            self.assertTrue(client.connected)
            self.reactor.advance(1)
            self.assertFalse(client.connected)
            transport.lose(ConnectionDone())
            self.assertEqual(self.ports(), [1, 2, 1])
            self.establish()
            self.reactor.advance(99)
            self.assertTrue(client.connected)
            self.reactor.advance(1)
            self.assertFalse(client.connected)

    def test_otherTargets(self) -> None:
        """
        It does not matter after C{connect} to one address, nor for the connector of
        C{connectTCP}.
        """
        client, transport = self.failedOver(1, failBack=100)
        client.connect("127.0.0.9", 9)
        transport.lose(ConnectionDone())
        self.ports()
        self.establish()
        self.reactor.advance(1000)
        self.assertTrue(client.connected)
        self.setUp()
        client, transport = self.failedOver(1, failBack=100)
        client.shutdown()
        transport.lose(ConnectionDone())
        self.reactor.connectTCP("127.0.0.9", 9, client)
        self.establish()
        self.reactor.advance(1000)
        self.assertTrue(client.connected)


@implementer(IHalfCloseableDescriptor)
class HalfCloseable(Transport):
    """
    A transport that can end one side alone.

    @ivar hasEnded: True if it has ended ours.
    """

    hasEnded = False

    def loseWriteConnection(self) -> None:
        self.hasEnded = True

    def readConnectionLost(self, reason: Any) -> None:
        pass

    def writeConnectionLost(self, reason: Any) -> None:
        pass


class HostedTests(ClientTestCase):
    """
    A client that a C{ClientService} connects.
    """

    def hosted(self, client: Any, peer: Any = None) -> HalfCloseable:
        """
        Connect a client as a C{ClientService} does.
        """
        transport = HalfCloseable()
        transport.protocol = client.buildProtocol(peer)
        transport.protocol.makeConnection(transport)
        return transport

    def test_maxAge(self) -> None:
        """
        A connection that is C{maxAge} old is drained, and the next connection, which
        the service makes, sends what was put meanwhile.
        """
        client = self.client(maxAge=100, failBack=50)
        first = self.hosted(client)
        error = self.assertRaises(RuntimeError, client.reconnect, drain=True)
        self.assertIn("ClientService", str(error))
        self.reactor.advance(99)
        self.assertTrue(client.connected)
        self.reactor.advance(1)
        self.assertTrue(first.hasEnded)
        client.put(b"next")
        first.protocol.dataReceived(b"late\r\n")
        first.protocol.readConnectionLost()
        first.lose(ConnectionDone())
        self.assertEqual(
            self.events, ["connected", ("serverInput", b"late"), "disconnected"]
        )
        self.assertEqual(self.reactor.tcpClients, [])
        second = self.hosted(client)
        self.reactor.advance(0)
        second.drain()
        self.assertEqual(second.sent, b"next\r\n")

    def test_service(self) -> None:
        """
        A service that stops closes the connection that drains: the records for the next
        one are reported as lost. With C{offlineLimit}, they wait until the service
        starts again or the client is shut down.
        """
        for offlineLimit in (0, 9):
            self.setUp()
            client = self.client(maxAge=100, offlineLimit=offlineLimit)
            transport = self.hosted(client)
            self.reactor.advance(100)
            client.put(b"next")
            waiting = client.flushed()
            transport.loseConnection()
            transport.lose(ConnectionDone())
            if offlineLimit:
                self.assertEqual(client.stats.unsentBytes, 0)
                self.assertNoResult(waiting)
                client.shutdown()
            self.failureResultOf(waiting, OutputLost)
            self.assertEqual(client.stats.unsentBytes, 6)
            self.assertEqual(client.stats.recordsOut, 1)
            self.assertEqual(client.pendingBytes, 0)
            if not offlineLimit:
                self.assertRaises(NotConnectedError, client.put, b"a")

    def test_proxied(self) -> None:
        """
        Through a proxy, our side ends only when the peer is silent.
        """
        client = self.client(maxAge=100)
        transport = self.hosted(client, ProxiedAddress("server.test", 7, ("a",)))
        self.reactor.advance(100)
        self.reactor.advance(4)
        self.assertFalse(transport.hasEnded)
        self.reactor.advance(1)
        self.reactor.advance(0)
        self.assertTrue(transport.hasEnded)


class EveryWayTests(WaysTestCase):
    """
    Drains of connections of every kind. The servers are Twisted's.
    """

    async def draining(self, way: str, **parameters: Any) -> tuple[Any, Peer]:
        """
        @return: a client whose connection drains, with C{b"question\n"} sent, and its
            peer, which does not end its side when the client has ended its own.
        """
        self.recorder = Recorder()
        client, peer = await self.connected(
            way,
            framing=Line(delimiter=b"\n"),
            **{**self.recorder.parameters("preConnect"), **parameters},
        )
        peer.server.left = lambda peer: None
        client.put(b"question")
        client.reconnect(drain=True)
        client.put(b"next")
        await self.until(lambda: b"question\n" in peer.received)
        return client, peer

    def records(self) -> list[bytes]:
        return [event[1] for event in self.recorder.events if event[0] == "serverInput"]

    async def assertNext(self, client: Any, peer: Peer, answers: int) -> None:
        """
        All answers are delivered, the connection has ended without a loss, and what was
        put meanwhile is sent on the next one.
        """
        peers = peer.server.peers
        await self.until(lambda: len(peers) > 1 and b"next\n" in peers[1].received)
        self.assertEqual(self.records(), [b"a" * 1000] * answers)
        self.assertEqual(peer.received, b"question\n")
        names = [event for event in self.recorder.events if isinstance(event, str)]
        self.assertEqual(
            [name for name in names if "onnected" in name],
            ["connected", "disconnected", "connected"],
        )
        self.assertEqual(self.recorder.failures, [])
        (end,) = self.recorder.disconnections
        self.assertEqual((end.initiator, end.unsent), ("local", 0))

    async def answered(self, way: str) -> None:
        """
        A server that answers slowly, when it has seen our end of stream, and then ends
        its side loses nothing.
        """
        client, peer = await self.draining(way)
        await peer.ended
        for _ in range(3):
            self.clock.advance(9)
            peer.send((b"a" * 1000 + b"\n") * 10)
            await self.until(lambda: not peer.transport.dataBuffer)  # type: ignore[union-attr]
        peer.close()
        await self.assertNext(client, peer, 30)
        self.assertTrue(self.recorder.disconnections[0].confirmed)

    async def hungUp(self, way: str) -> None:
        """
        A server that hangs up at our end of stream, as those of TLS do, loses nothing
        either: our side ends only when nothing has arrived for 5 seconds.
        """
        client, peer = await self.draining(way, halfClose=way in TLS_WAYS)
        peer.server.left = lambda peer: peer.close()
        for number in range(1, 4):
            self.clock.advance(4)
            peer.send((b"a" * 1000 + b"\n") * 10)
            await self.until(lambda n=number: len(self.records()) == 10 * n)  # type: ignore[misc]
        self.clock.advance(4)
        await self.until(lambda: True)
        self.assertFalse(peer.ended.called)
        self.clock.advance(1)
        await self.assertNext(client, peer, 30)

    async def peerEnds(self, way: str) -> None:
        """
        If the server ends its side, there is nothing to wait for.
        """
        client, peer = await self.draining(way, halfClose=way in TLS_WAYS)
        peer.send((b"a" * 1000 + b"\n") * 10)
        peer.close()
        await self.assertNext(client, peer, 10)

    def hasRecords(self, expected: list[bytes]) -> bool:
        return self.records() == expected

    async def talkingPeer(self, way: str) -> None:
        """
        If the server neither ends its side nor is silent for long enough, this is a
        loss.
        """
        _, peer = await self.draining(way, halfClose=False, lingerTimeout=7)
        for expected in ([b"a"], [b"a", b"a"]):
            peer.send(b"a\n")
            self.clock.advance(3)
            await self.until(partial(self.hasRecords, expected))
        self.clock.advance(1)
        await self.until(lambda: bool(self.recorder.disconnections))
        self.assertTrue(self.recorder.failures[0].check(LingerTimeout))


addTests(EveryWayTests, ("tcp", "unix"), "answered")
addTests(EveryWayTests, WAYS, "hungUp", "peerEnds", "talkingPeer")
