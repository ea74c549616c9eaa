"""
Tests for C{offlineLimit}: records that are put while there is no connection.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone

from twisted_clienttcp.errors import (
    InvalidRecord,
    NotConnectedError,
    OutputFull,
    OutputLost,
    RecordTooLong,
)
from twisted_clienttcp.framing import Line, int8

from .._memory import FlowTestCase, Transport
from .._support import CHUNK


class OfflineTests(FlowTestCase):
    """
    C{offlineLimit}.
    """

    def test_none(self) -> None:
        """
        Without C{offlineLimit} and without a connection, nothing can be put.
        """
        client = self.client()
        for method in (client.put, client.write):
            error = self.assertRaises(NotConnectedError, method, b"x")
            self.assertIn("offlineLimit", str(error))
        self.assertRaises(NotConnectedError, client.putMany, [b"x"])
        self.assertRaises(TypeError, self.client, offlineLimit=1.5)
        self.assertRaises(ValueError, self.client, offlineLimit=-1)

    def test_sentAfterTheLogin(self) -> None:
        """
        Records that wait for a connection are sent in order, after what C{connected}
        puts.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=100)
        client.put(b"a")
        client.start()
        client.putMany([b"b", b"c"])
        client.write(b"d\n")
        self.assertEqual(client.pendingBytes, 8)
        self.assertEqual(client.stats.offlineBytes, 8)
        self.recorder.on["connected"] = lambda client, peer: client.put(b"login")
        transport = self.establish()
        self.assertEqual(client.stats.offlineBytes, 0)
        self.assertEqual(client.pendingBytes, 14)
        self.drain(transport)
        self.assertEqual(transport.sent, b"login\na\nb\nc\nd\n")
        self.assertEqual(client.stats.recordsOut, 5)

    def test_full(self) -> None:
        """
        Records that would exceed the limit are rejected as a whole; those before stay.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=6)
        client.put(b"abc")
        error = self.assertRaises(OutputFull, client.put, b"de")
        self.assertEqual((error.pending, error.limit), (4, 6))
        self.assertRaises(OutputFull, client.putMany, [b"", b"", b""])
        self.assertRaises(OutputFull, client.write, b"123")
        client.put(b"f")
        self.assertEqual(client.pendingBytes, 6)

    def test_otherFraming(self) -> None:
        """
        Records that wait are encoded by the framing that C{connected} chooses, also
        those that a lost connection has not sent.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=100)
        client.put(b"a")
        client.write(b"raw")
        self.recorder.on["connected"] = lambda client, peer: client.setFraming(int8())
        client.start()
        transport = self.establish()
        client.put(b"b")
        transport.lose()
        self.assertEqual(client.pendingBytes, 7)
        self.reactor.advance(client.delay)
        transport = self.establish()
        self.drain(transport)
        self.assertEqual(transport.sent, b"\x01araw\x01b")
        self.assertEqual(client.stats.recordsRejected, 0)

    def test_cannotBeEncoded(self) -> None:
        """
        A record that the framing of the connection cannot encode is reported and
        counted; the others are sent, and the connection stays.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=1000)
        client.putMany([b"a", b"x" * 300, b"b"])
        self.recorder.on["connected"] = lambda client, peer: client.setFraming(int8())
        client.start()
        transport = self.establish()
        self.assertTrue(self.recorder.failures[0].check(RecordTooLong))
        self.assertEqual(self.events[2][0], "serverError")
        self.assertTrue(client.connected)
        self.drain(transport)
        self.assertEqual(transport.sent, b"\x01a\x01b")
        stats = client.stats
        self.assertEqual((stats.recordsRejected, stats.recordsOut), (1, 3))
        self.assertEqual((stats.unsentBytes, client.pendingBytes), (0, 0))

    def test_flushedWithoutThese(self) -> None:
        """
        C{flushed} fails when the connection cannot send some or all of the records.
        """
        for records in ([b"x" * 300], [b"a", b"x" * 300]):
            client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=1000)
            client.putMany(records)
            flushed = client.flushed()
            client.framing = int8()
            client.start()
            transport = self.establish()
            error = self.failureResultOf(flushed, OutputLost).value
            self.assertEqual(error.unsent, 301)
            self.drain(transport)
            self.successResultOf(client.flushed())

    def test_waitedForInConnected(self) -> None:
        """
        In C{connected}, the records that wait for it to return are pending, and
        C{flushed} waits for them.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=100)
        client.start()
        client.put(b"a")
        waiters: list[Deferred[None]] = []

        def connected(client: Any, peer: Any) -> None:
            self.assertEqual(client.pendingBytes, 2)
            waiters.append(client.flushed())

        self.recorder.on["connected"] = connected
        transport = self.establish()
        self.assertNoResult(waiters[0])
        self.drain(transport)
        self.successResultOf(waiters[0])

    def test_endInConnected(self) -> None:
        """
        A C{shutdown} in C{connected} sends the records that waited first.
        """
        for login in (b"login", None):
            self.setUp()
            client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=100)
            client.start()
            client.put(b"a")

            def connected(client: Any, peer: Any, login: Any = login) -> None:
                if login is not None:
                    client.put(login)
                client.shutdown()

            self.recorder.on["connected"] = connected
            transport = self.establish()
            self.assertFalse(transport.disconnecting)
            self.drain(transport)
            self.assertEqual(transport.sent, b"login\na\n" if login else b"a\n")
            self.assertTrue(transport.disconnecting)

    def test_whileLingering(self) -> None:
        """
        When everything is flushed, and another connection is to follow this one,
        records that are put wait for that one.
        """
        client, transport = self.connected(
            framing=Line(delimiter=b"\n", maxLength=5), offlineLimit=100
        )
        transport.protocol.dataReceived(b"toolong\n")
        self.assertFalse(client.connected)
        client.put(b"a")
        transport.lose(ConnectionDone())
        self.reactor.advance(client.delay)
        transport = self.establish()
        self.drain(transport)
        self.assertEqual(transport.sent, b"a\n")

    def test_framedAtOnce(self) -> None:
        """
        A record that cannot be encoded is rejected by C{put}.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=6)
        self.assertRaises(InvalidRecord, client.put, b"\n")
        self.assertRaises(TypeError, client.put, "text")

    def test_marks(self) -> None:
        """
        C{put} returns True at the high mark; no callback is called.
        """
        client = self.client(offlineLimit=100, **self.recorder.marks(60, 3))
        client.setMarks(6, 3)
        self.assertIs(client.put(b"a"), False)
        self.assertIs(client.put(b"b"), True)
        client.setMarks(100, 50)
        self.assertIs(client.put(b"c"), False)
        client.setMarks(10, 5)
        self.assertIs(client.put(b""), True)
        self.assertEqual(self.events, [])

    def test_keptAtALoss(self) -> None:
        """
        At a loss, whole records that were not passed to the transport are kept. The
        others are unsent, and never sent twice.
        """
        client, transport = self.connected(offlineLimit=CHUNK)
        client.put(b"a" * CHUNK)
        self.reactor.advance(0)
        client.put(b"b")
        client.put(b"c")
        transport.lose()
        [disconnection] = self.recorder.disconnections
        self.assertEqual(disconnection.unsent, CHUNK + 1)
        self.assertEqual(client.pendingBytes, 4)
        client.put(b"d")
        self.reactor.advance(client.delay)
        transport = self.establish()
        self.drain(transport)
        self.assertEqual(transport.sent, b"b\nc\nd\n")
        stats = client.stats
        self.assertEqual(stats.unsentBytes, CHUNK + 1)
        self.assertEqual((stats.bytesOut, stats.recordsOut), (CHUNK + 7, 4))

    def test_keptUpToTheLimit(self) -> None:
        """
        The oldest records are kept; the rest is unsent.
        """
        client, transport = self.connected(offlineLimit=5)
        client.put(b"a" * CHUNK)
        self.reactor.advance(0)
        for record in (b"b", b"c", b"d"):
            client.put(record)
        transport.lose()
        self.assertEqual(client.pendingBytes, 4)
        self.assertEqual(self.recorder.disconnections[0].unsent, CHUNK + 1 + 2)

    def test_loginIsNotKept(self) -> None:
        """
        Records that C{connected} has put belong only to that connection.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=100)
        self.recorder.on["connected"] = lambda client, peer: client.put(b"login")
        client.start()
        client.put(b"a")
        transport = self.establish()
        transport.lose()
        self.assertEqual(client.pendingBytes, 2)
        self.assertEqual(self.recorder.disconnections[0].unsent, 6)

    def test_lossInConnected(self) -> None:
        """
        If the connection ends before C{connected} has returned, everything but the
        login is kept.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=100)
        client.start()
        client.put(b"a")

        def connected(client: Any, peer: Any) -> None:
            client.put(b"login")
            client.reconnect()

        self.recorder.on["connected"] = connected
        transport = self.establish()
        del self.recorder.on["connected"]
        transport.lose()
        self.reactor.advance(0)
        transport = self.establish()
        self.drain(transport)
        self.assertEqual(transport.sent, b"a\n")

    def test_keptOverReconnect(self) -> None:
        """
        Records that were not passed on before C{reconnect} are sent by the next
        connection.
        """
        client, transport = self.connected(offlineLimit=100)
        client.put(b"a")
        client.reconnect()
        client.put(b"b")
        transport.lose()
        self.reactor.advance(0)
        transport = self.establish()
        self.drain(transport)
        self.assertEqual(transport.sent, b"a\nb\n")

    def test_waitedForOverServices(self) -> None:
        """
        Under a C{ClientService}, a Deferred of C{flushed} waits for the next connection
        if its records are kept at a loss.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=100)
        waiter: Deferred[None] = Deferred()
        for _ in range(2):
            transport = Transport()
            transport.protocol = client.buildProtocol(None)
            transport.protocol.makeConnection(transport)
            if client.pendingBytes:
                self.drain(transport)
            else:
                client.put(b"a")
                waiter = client.flushed()
                transport.lose()
                self.assertNoResult(waiter)
        self.successResultOf(waiter)
        self.assertEqual(transport.sent, b"a\n")

    def test_stopReports(self) -> None:
        """
        A client that stops without a connection reports the bytes that were never sent,
        and accepts nothing more.
        """
        client = self.client(offlineLimit=100)
        stopped = client.start()
        client.put(b"ab")
        waiter = client.flushed()
        self.assertIsNone(self.successResultOf(client.shutdown()))
        self.assertEqual(self.failureResultOf(stopped, OutputLost).value.unsent, 4)
        self.failureResultOf(waiter, OutputLost)
        self.assertIsInstance(self.recorder.failures[-1].value, OutputLost)
        self.assertEqual(client.pendingBytes, 0)
        self.assertEqual(client.stats.unsentBytes, 4)
        error = self.assertRaises(NotConnectedError, client.put, b"c")
        self.assertIn("stopped", str(error))
        client.start()
        client.put(b"d")

    def test_notKeptAtShutdown(self) -> None:
        """
        After C{shutdown} nothing is kept: it is unsent.
        """
        client, transport = self.connected(offlineLimit=100, drainTimeout=1)
        client.put(b"a" * CHUNK)
        client.put(b"b")
        client.shutdown()
        self.reactor.advance(1)
        transport.lose()
        self.assertEqual(self.recorder.disconnections[0].unsent, CHUNK + 3)
        self.assertEqual(client.pendingBytes, 0)
