"""
Tests for the queue of records that are put without a connection.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection.offline import OfflineQueue
from twisted_clienttcp._connection.queue import Marks, OutputQueue
from twisted_clienttcp.errors import (
    InvalidRecord,
    NotConnectedError,
    OutputFull,
    RecordTooLong,
)
from twisted_clienttcp.framing import Framing, Line, Stream, int8, int32


class Counting(Framing[bytes]):
    """
    A framing that counts the records that were encoded.
    """

    encoded = 0

    def encode(self, record: bytes) -> bytes:
        self.encoded += 1
        return record


def queueOf(origin: Framing[Any]) -> OutputQueue:
    """
    @return: the queue of a connection of a client with this framing.
    """
    return OutputQueue(origin.fresh(), Marks(), origin=origin, limit=1)


class OfflineQueueTests(SynchronousTestCase):
    """
    Tests for L{OfflineQueue}.
    """

    def test_sameFraming(self) -> None:
        """
        A connection with a fresh copy of the same framing sends the bytes as they are.
        """
        origin = Counting()
        offline, queue = OfflineQueue(origin, Marks(), 9), queueOf(origin)
        offline.put(b"a")
        offline.putMany([b"b", b"c"])
        encoder: Any = offline.framing
        self.assertEqual(encoder.encoded, 3)
        self.assertEqual(offline.moveTo(queue), [])
        encoder = queue.framing
        self.assertEqual((queue.take(), encoder.encoded), (b"abc", 0))
        self.assertEqual((offline.pending, offline.parts), (0, []))
        self.assertEqual(origin.encoded, 0)

    def test_otherFraming(self) -> None:
        """
        A connection with another framing encodes the records again; bytes that were
        written stay as they are.
        """
        origin = Line(delimiter=b";")
        for framing in (int32(), origin.fresh()):
            offline, queue = OfflineQueue(origin, Marks(), 99), queueOf(origin)
            queue.use(framing)
            offline.put(b"a")
            offline.write(b"raw")
            offline.putMany([b"b"])
            self.assertEqual(offline.moveTo(queue), [])
            self.assertEqual(
                queue.take(), framing.encode(b"a") + b"raw" + framing.encode(b"b")
            )

    def test_cannotBeEncoded(self) -> None:
        """
        A record that the connection's framing cannot encode is left out, and its error
        returned.
        """
        origin = Stream()
        offline, queue = OfflineQueue(origin, Marks(), 999), queueOf(origin)
        queue.use(int8())
        offline.putMany([b"a", b"x" * 256, b"b"])
        [(record, error)] = offline.moveTo(queue)
        self.assertEqual(record, b"x" * 256)
        self.assertIsInstance(error, RecordTooLong)
        self.assertEqual(queue.take(), b"\x01a\x01b")
        self.assertEqual(queue.accepted, (4, 2))

    def test_roundTrip(self) -> None:
        """
        Records that a lost connection has not passed on are sent by the next one in its
        own framing.
        """
        origin = Line(delimiter=b";")
        offline = OfflineQueue(origin, Marks(), 99)
        offline.put(b"early")
        lost = OutputQueue(origin.fresh(), Marks(), origin=origin, keepsRecords=True)
        lost.use(int32())
        lost.put(b"login")
        lost.own()
        offline.moveTo(lost)
        lost.put(b"late")
        offline.adopt(lost.takeBack(99))
        queue = queueOf(origin)
        offline.moveTo(queue)
        self.assertEqual(queue.take(), b"early;late;")

    def test_limit(self) -> None:
        """
        Nothing is put beyond the limit.
        """
        offline = OfflineQueue(Stream(), Marks(), 3)
        offline.put(b"ab")
        for method, argument in (
            (offline.put, b"cd"),
            (offline.write, b"cd"),
            (offline.putMany, [b"c", b"d"]),
        ):
            error = self.assertRaises(OutputFull, method, argument)
            self.assertEqual(error.setting, "offlineLimit")
        offline.put(b"c")
        self.assertEqual(offline.pending, 3)

    def test_without(self) -> None:
        """
        Without a limit nothing is accepted, and the error says what to do; a limit that
        is set later allows it, and the records stay when it is removed.
        """
        origin = Line(delimiter=b";")
        offline = OfflineQueue(origin, Marks(), 0)
        error = self.assertRaises(NotConnectedError, offline.put, b"a")
        self.assertIn("offlineLimit", str(error))
        self.assertFalse(offline.isUsed)
        offline.configure(9)
        offline.put(b"a")
        self.assertRaises(InvalidRecord, offline.put, b";")
        offline.configure(0)
        self.assertRaises(NotConnectedError, offline.put, b"a")
        self.assertTrue(offline.isUsed)
        queue = queueOf(origin)
        self.assertEqual(offline.moveTo(queue), [])
        self.assertEqual(queue.take(), b"a;")

    def test_stopped(self) -> None:
        """
        While the client has stopped nothing is accepted, whatever the limit.
        """
        offline = OfflineQueue(Stream(), Marks(), 9)
        offline.setStopped(True)
        offline.configure(99)
        for method, argument in ((offline.put, b"x"), (offline.putMany, [b"x"])):
            error = self.assertRaises(NotConnectedError, method, argument)
            self.assertIn("stopped", str(error))
        offline.setStopped(False)
        offline.put(b"x")
        self.assertEqual(offline.clear(), [b"x"])

    def test_marks(self) -> None:
        """
        C{put} returns True at the high mark, which may change.
        """
        offline = OfflineQueue(Stream(), Marks(2, 1), 9)
        self.assertEqual([offline.put(b"x") for _ in range(3)], [False, True, True])
        offline.setMarks(Marks())
        self.assertFalse(offline.put(b"x"))
        offline.setMarks(Marks(5, 4))
        self.assertTrue(offline.put(b"x"))
