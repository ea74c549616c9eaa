"""
Tests for C{serverInputBatch}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Line

from .._memory import FlowTestCase, Transport


class BatchTests(FlowTestCase):
    """
    C{serverInputBatch}.
    """

    def batched(self, **parameters: Any) -> tuple[ClientTCPFactory, Transport]:
        self.batches: list[list[bytes]] = []
        self.answer: Any = None

        def serverInputBatch(client: Any, records: list[bytes]) -> Any:
            self.batches.append(records)
            return self.answer

        return self.connected(
            serverInput=None, serverInputBatch=serverInputBatch, **parameters
        )

    def test_oneARead(self) -> None:
        """
        It is called with all records of a read, and not at all if there are none.
        """
        client, transport = self.batched()
        transport.protocol.dataReceived(b"a\nb\nc")
        transport.protocol.dataReceived(b"d")
        transport.protocol.dataReceived(b"\n")
        self.assertEqual(self.batches, [[b"a", b"b"], [b"cd"]])
        self.assertEqual(client.stats.recordsIn, 3)

    def test_held(self) -> None:
        """
        It can be held, by a pause and by an awaited result; no batch is lost or
        doubled.
        """
        client, transport = self.batched()
        answer: Deferred[None] = Deferred()
        self.answer = answer
        transport.protocol.dataReceived(b"a\nb\n")
        self.answer = None
        transport.protocol.dataReceived(b"c\n")
        transport.protocol.dataReceived(b"d\n")
        self.assertEqual(self.batches, [[b"a", b"b"]])
        answer.callback(None)
        self.assertEqual(self.batches, [[b"a", b"b"], [b"c", b"d"]])
        client.pauseProducing()
        transport.protocol.dataReceived(b"e\n")
        self.assertEqual(len(self.batches), 2)
        client.resumeProducing()
        self.assertEqual(self.batches[2:], [[b"e"]])

    def test_swap(self) -> None:
        """
        Another framing is used after the batch.
        """
        client, transport = self.batched()
        transport.protocol.dataReceived(b"a\nb\nc;")
        client.setInputFraming(Line(delimiter=b";"))
        self.reactor.advance(0)
        self.assertEqual(self.batches, [[b"a", b"b"], [b"c"]])

    def test_raises(self) -> None:
        """
        If it raises, the error has its name.
        """

        def serverInputBatch(client: Any, records: Any) -> None:
            raise ZeroDivisionError

        client, transport = self.connected(
            serverInput=None, serverInputBatch=serverInputBatch
        )
        transport.protocol.dataReceived(b"a\n")
        self.assertIn("serverInputBatch", str(self.recorder.failures[0].value))
        self.flushLoggedErrors(ZeroDivisionError)

    def test_eitherOr(self) -> None:
        """
        Exactly one of the two callbacks is required.
        """
        error = self.assertRaises(
            TypeError, ClientTCPFactory, serverInput=print, serverInputBatch=print
        )
        self.assertIn("cannot be used together", str(error))
