"""
Tests for what is done with the transport of a socket.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection.tcp import readBeforeLoss


class Transport:
    """
    A transport.

    @ivar written: the results of C{doWrite}.
    @ivar reads: how many bytes the next calls of C{doRead} read; an exception is
        returned.
    @ivar keep: nothing may be read when so many reads are left.
    """

    def __init__(self, written: list[Any], reads: list[Any]) -> None:
        self.written, self.reads = written, reads
        self.received: int | None = 0
        self.keep = -1

    def doWrite(self) -> Any:
        return self.written.pop(0)

    def doRead(self) -> Any:
        read = self.reads.pop(0)
        if not isinstance(read, int):
            return read
        assert self.received is not None
        self.received += read
        return None

    def count(self) -> int | None:
        return None if len(self.reads) <= self.keep else self.received


class ReadBeforeLossTests(SynchronousTestCase):
    """
    L{readBeforeLoss}.
    """

    def left(self, lost: Any, reads: list[Any], keep: int = -1) -> list[Any]:
        """
        Let a write return C{lost}.

        @param keep: reading must stop when so many reads are left.

        @return: the reads that are left.
        """
        transport = Transport([lost], reads)
        transport.keep = keep
        readBeforeLoss(transport, transport.count)
        self.assertIs(transport.doWrite(), lost)
        return transport.reads

    def test_lost(self) -> None:
        """
        All data is read, up to the end of the stream.
        """
        self.assertEqual(self.left(ConnectionLost(), [5, 1, ConnectionDone(), 9]), [9])

    def test_nothingToRead(self) -> None:
        """
        A read that brings nothing is the last one.
        """
        self.assertEqual(self.left(ConnectionLost(), [5, 0, 9]), [9])

    def test_held(self) -> None:
        """
        Nothing is read while no more may be delivered.
        """
        self.assertEqual(self.left(ConnectionLost(), [5, 6, 7], keep=1), [7])

    def test_others(self) -> None:
        """
        Nothing is read if the write succeeds, or if our side has closed the connection.
        """
        for result in (None, ConnectionDone()):
            self.assertEqual(self.left(result, [5]), [5])
