"""
Tests for whether the transport of a connection is read.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection.inbound import Hold, Inbound
from twisted_clienttcp._connection.reading import BACKLOG, Reading
from twisted_clienttcp.framing import Line

from .._memory import Producer


class ReadingTests(SynchronousTestCase):
    """
    L{Reading}.
    """

    def setUp(self) -> None:
        self.transport = Producer()
        self.clock = Clock()
        self.records: list[bytes] = []
        self.results: list[Any] = []
        self.reading = Reading(self.transport, self.clock, self.newInbound)

    def newInbound(self) -> Inbound:
        return Inbound(
            Line(), self.serverInput, None, self.fail, self.fail, self.resumed
        )

    def resumed(self) -> None:
        self.reading.resultArrived()

    def serverInput(self, client: object, record: bytes) -> Any:
        self.records.append(record)
        return self.results.pop(0) if self.results else None

    def receive(self, data: bytes) -> None:
        self.reading.inbound.feed(data)
        self.reading.adjust(len(data))

    def assertCalls(self, *calls: str) -> None:
        """
        These are the calls since the last check.
        """
        self.assertEqual(self.transport.calls, [*calls])
        self.transport.calls.clear()

    def test_holds(self) -> None:
        """
        The transport is paused at the first reason to hold the records, and resumed
        when there is none any more.
        """
        self.reading.open()
        self.reading.hold(Hold.USER)
        self.assertCalls("pause")
        self.reading.hold(Hold.USER)
        self.assertCalls()
        self.reading.hold(Hold.CONSUMER)
        self.reading.release(Hold.USER)
        self.assertCalls("pause")
        self.assertFalse(self.reading.delivers())
        self.reading.release(Hold.CONSUMER)
        self.assertCalls("resume")
        self.assertTrue(self.reading.delivers())

    def test_early(self) -> None:
        """
        A hold that ends before the connection is open ends with it.
        """
        self.reading.hold(Hold.USER)
        self.reading.release(Hold.USER)
        self.assertCalls("pause")
        self.reading.open()
        self.assertCalls("resume")

    def test_heldEarly(self) -> None:
        """
        A hold outlasts the opening.
        """
        self.reading.hold(Hold.USER)
        self.assertCalls("pause")
        self.reading.open()
        self.assertCalls()

    def test_backlog(self) -> None:
        """
        While a result is awaited, the transport is read until too much waits.
        """
        awaited: Deferred[None] = Deferred()
        self.results = [awaited]
        self.reading.open()
        self.receive(b"first\r\n")
        self.receive(b"x" * 10)
        self.assertCalls()
        self.receive(b"x" * BACKLOG + b"\r\n")
        self.assertCalls("pause")
        awaited.callback(None)
        self.assertCalls("resume")
        self.assertEqual(len(self.records), 2)

    def test_ended(self) -> None:
        """
        After the end of the stream or the loss of the transport, nothing is asked of
        the transport.
        """
        for name in ("hasEnded", "isLost"):
            self.setUp()
            self.reading.open()
            setattr(self.reading, name, True)
            self.reading.read(True)
            self.reading.hold(Hold.USER)
            self.reading.release(Hold.USER)
            self.assertCalls()

    def test_discarded(self) -> None:
        """
        When the input is discarded, records that wait are forgotten, and holds do
        nothing.
        """
        self.reading.open()
        self.reading.hold(Hold.USER)
        self.receive(b"record\r\n")
        self.reading.discard()
        self.assertCalls("pause")
        self.reading.hold(Hold.CONSUMER)
        self.reading.release(Hold.USER)
        self.assertCalls()
        self.assertEqual(self.records, [])

    def test_idle(self) -> None:
        """
        A connection on which nothing is received has no inbound side.
        """
        self.reading.open()
        self.reading.read(False)
        self.reading.read(True)
        self.reading.discard()
        self.assertIsNone(self.reading.input)

    def test_swap(self) -> None:
        """
        Records that another framing finds in the bytes that wait are delivered in a
        turn of their own; not if the input is discarded before.
        """
        for discard in (False, True):
            self.setUp()
            self.reading.open()
            self.receive(b"a|b|")
            self.reading.use(Line(delimiter=b"|"))
            self.assertEqual(self.records, [])
            if discard:
                self.reading.discard()
            self.clock.advance(0)
            self.assertEqual(self.records, [] if discard else [b"a", b"b"])
