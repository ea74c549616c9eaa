"""
Tests for the queue that a client puts records into.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.output import Output
from twisted_clienttcp._connection.queue import Marks, OutputQueue
from twisted_clienttcp.errors import NotConnectedError
from twisted_clienttcp.framing import Line


class OutputTests(SynchronousTestCase):
    """
    Tests for L{Output}.
    """

    def output(self, offlineLimit: int = 100) -> Output:
        """
        @return: the output of a client that has never been connected.
        """
        framing = Line(delimiter=b"\n")
        self.queue = OutputQueue(
            framing.fresh(), Marks(), origin=framing, keepsRecords=True
        )
        self.client = ClientTCPFactory(
            serverInput=lambda client, line: None,
            framing=framing,
            offlineLimit=offlineLimit,
        )
        return Output(self.client)

    def test_sums(self) -> None:
        """
        Bytes and records are counted once, whether or not there is a connection.
        """
        output = self.output()
        output.queue.put(b"one")
        self.assertEqual((output.pending, output.accepted), (4, (4, 1)))
        output.queue = self.queue
        self.queue.put(b"three")
        self.assertEqual((output.pending, output.accepted), (10, (10, 2)))

    def test_sendOffline(self) -> None:
        """
        Records that wait follow those that the connection has already; a connection
        that is not in use gets none.
        """
        output = self.output()
        output.queue.put(b"waiting")
        self.assertEqual(output.sendOffline(self.queue), [])
        self.assertEqual(self.queue.pending, 0)
        output.queue = self.queue
        self.queue.put(b"hello")
        self.assertEqual(output.sendOffline(self.queue), [])
        self.assertEqual(self.queue.take(), b"hello\nwaiting\n")
        self.assertEqual(output.offline.pending, 0)

    def test_takeBack(self) -> None:
        """
        At a loss, the client keeps what no transport has received, except the records
        that C{connected} has put, if it keeps records at all; those of a connection
        that is not in use are left there.
        """
        for offlineLimit, isUsed, kept in (
            (100, True, 5),
            (0, True, 0),
            (100, False, 0),
        ):
            output = self.output(offlineLimit)
            if isUsed:
                output.queue = self.queue
            self.queue.put(b"hello")
            self.queue.own()
            self.queue.put(b"late")
            output.takeBack(self.queue)
            self.assertEqual(output.offline.pending, kept)
            self.assertEqual(output.queue is self.queue, isUsed and not kept)

    def test_drop(self) -> None:
        """
        The records that wait are discarded, and their bytes are counted.
        """
        output = self.output()
        self.assertEqual(output.drop(), 0)
        output.queue.put(b"gone")
        self.assertEqual(output.drop(), 5)
        self.assertEqual(output.pending, 0)

    def refusal(self, output: Output) -> str:
        """
        @return: the reason why C{put} fails.
        """
        return str(self.assertRaises(NotConnectedError, output.queue.put, b"no"))

    def test_stopped(self) -> None:
        """
        A client that has stopped says so, with and without C{offlineLimit}, also if the
        limit is set later; one that starts again does not.
        """
        for offlineLimit in (0, 100):
            output = self.output(offlineLimit)
            output.setStopped(True)
            self.assertIn("stopped", self.refusal(output))
            self.client.offlineLimit = 50
            output.configure()
            self.assertIn("stopped", self.refusal(output))
            output.setStopped(False)
            output.queue.put(b"yes")
        output = self.output(0)
        output.setStopped(True)
        output.setStopped(False)
        self.assertNotIn("stopped", self.refusal(output))

    def test_shared(self) -> None:
        """
        Clients without C{offlineLimit} share a queue, which none of them changes.
        """
        other, output = self.output(0), self.output(0)
        framing, marks = other.offline.framing, other.offline.marks
        self.assertIs(output.offline, other.offline)
        output.setFraming(Line())
        output.setMarks(Marks(10, 5))
        self.client.offlineLimit = 50
        output.configure()
        self.assertEqual(
            (other.offline.framing, other.offline.marks, other.offline.limit),
            (framing, marks, 0),
        )
