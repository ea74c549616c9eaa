"""
The output queue, and the way from there to a transport.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IPullProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_clienttcp._outbox import CHUNK, Outbox
from twisted_clienttcp._sender import Sender

sizes = st.one_of(st.integers(0, 100), st.integers(CHUNK - 2, CHUNK * 3))


def octets(size: int, seed: int) -> bytes:
    """
    @return: so many octets that tell where they come from.
    """
    return (b"%06d." % seed * (size // 7 + 1))[:size]


class AskingTransport(StringTransport):
    """
    A transport that asks a pull producer for more when it is registered, and then
    whenever the test has C{drain}ed it, as a socket does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        producer.resumeProducing()

    def drain(self) -> None:
        """
        Give all to the kernel.
        """
        self.sent += self.value()
        self.clear()
        if self.producer is not None:
            self.producer.resumeProducing()

    @property
    def held(self) -> int:
        """
        The octets that the kernel does not have.
        """
        return len(self.value())


class OutboxTests(SynchronousTestCase):
    """
    L{Outbox}.
    """

    @given(st.lists(st.one_of(sizes, st.none())))
    def test_nothingLost(self, plan: list[int | None]) -> None:
        """
        What is taken is what was appended, in chunks; what is pending is what has not
        left.
        """
        outbox, put, taken = Outbox(), b"", b""
        for seed, size in enumerate(plan):
            if size is None:
                outbox.emptied()
                chunk = outbox.take()
                self.assertLessEqual(len(chunk), CHUNK)
                self.assertEqual(outbox.handed, len(chunk))
                taken += chunk
            else:
                put += octets(size, seed)
                outbox.append(octets(size, seed))
            self.assertEqual(outbox.pending, len(put) - len(taken) + outbox.handed)
        outbox.emptied()
        while chunk := outbox.take():
            taken += chunk
            outbox.emptied()
        self.assertEqual(taken, put)
        self.assertEqual(outbox.pending, 0)


class SenderTests(SynchronousTestCase):
    """
    L{Sender}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.flushes = 0

    def flushed(self) -> None:
        self.flushes += 1

    def test_interface(self) -> None:
        """
        It is a pull producer.
        """
        sender = Sender(AskingTransport(), self.clock, self.flushed)
        self.assertTrue(verifyObject(IPullProducer, sender))

    @given(st.lists(st.one_of(sizes, st.sampled_from(["turn", "drain"]))))
    def test_accounting(self, plan: list[Any]) -> None:
        """
        Whatever is sent and drained in whatever order: what comes out is what went in,
        C{pending} is never less than what is in user space and at most one chunk more,
        the transport never holds more than a chunk, and C{flushed} is called exactly
        when all has become sent.
        """
        clock, transport, flushes = Clock(), AskingTransport(), []
        put = b""
        sender = Sender(transport, clock, lambda: flushes.append(len(put)))
        for seed, step in enumerate([*plan, "turn"]):
            if step == "turn":
                clock.advance(0)
            elif step == "drain":
                transport.drain()
            else:
                put += octets(step, seed)
                sender.send(octets(step, seed))
            queued = len(put) - len(transport.sent) - transport.held
            self.assertLessEqual(queued + transport.held, sender.pending)
            self.assertLessEqual(sender.pending, queued + transport.held + CHUNK)
            self.assertLessEqual(transport.held, CHUNK)
            self.assertTrue(all(n <= len(transport.sent) for n in flushes))
        while transport.held:
            transport.drain()
            clock.advance(0)
        self.assertEqual(transport.sent, put)
        self.assertEqual(sender.pending, 0)
        self.assertIsNone(transport.producer)
        self.assertEqual(flushes, sorted(set(flushes)))
        if put:
            self.assertEqual(flushes[-1], len(put))

    def test_oneTurnOneWrite(self) -> None:
        """
        What is sent in one turn leaves in one write, in the next turn.
        """
        transport = AskingTransport()
        writes: list[bytes] = []
        transport.write = writes.append  # type: ignore[method-assign]
        sender = Sender(transport, self.clock, self.flushed)
        for record in (b"a", b"b", b"c"):
            sender.send(record)
        self.assertEqual(writes, [])
        self.clock.advance(0)
        self.assertEqual(writes, [b"abc"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_registeredWhilePending(self) -> None:
        """
        The transport has a producer only while it holds a chunk: it could not be closed
        otherwise.
        """
        transport = AskingTransport()
        sender = Sender(transport, self.clock, self.flushed)
        sender.send(b"x")
        self.assertIsNone(transport.producer)
        self.clock.advance(0)
        self.assertIs(transport.producer, sender)
        self.assertEqual(self.flushes, 0)
        transport.drain()
        self.assertIsNone(transport.producer)
        self.assertEqual(self.flushes, 1)

    def test_noConsumer(self) -> None:
        """
        For a transport that is no consumer, handed over counts as sent.
        """

        class Plain:
            def __init__(self) -> None:
                self.data = b""

            def write(self, data: bytes) -> None:
                self.data += data

        transport: Any = Plain()
        sender = Sender(transport, self.clock, self.flushed)
        sender.send(b"x" * (CHUNK * 2 + 1))
        self.clock.advance(0)
        self.assertEqual(len(transport.data), CHUNK * 2 + 1)
        self.assertEqual((sender.pending, self.flushes), (0, 1))

    def test_lost(self) -> None:
        """
        What a lost transport held stays pending, and nothing more is handed out.
        """
        transport = AskingTransport()
        sender = Sender(transport, self.clock, self.flushed)
        sender.send(b"abc")
        self.clock.advance(0)
        sender.send(b"def")
        sender.stopProducing()
        sender.stop()
        sender.send(b"ghi")
        self.clock.advance(0)
        transport.drain()
        self.assertEqual(transport.sent, b"abc")
        self.assertEqual((sender.pending, self.flushes), (9, 0))

    def test_pumpAfterStop(self) -> None:
        """
        Nor is anything when somebody pumps who had promised to.
        """
        transport = AskingTransport()
        sender = Sender(transport, self.clock, self.flushed)
        sender.idle = False
        sender.send(b"abc")
        sender.stop()
        sender.pump()
        self.assertEqual(transport.value(), b"")
        self.assertEqual((sender.pending, self.flushes), (3, 0))

    def test_stopBeforeTurn(self) -> None:
        """
        Nor is what waits for its turn, and no call is left behind.
        """
        transport = AskingTransport()
        sender = Sender(transport, self.clock, self.flushed)
        sender.send(b"abc")
        sender.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(transport.value(), b"")
