"""
Tests for the output queue, and for its way into the transport.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IPullProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_clienttcp._connection.outbound import Outbound
from twisted_clienttcp._connection.queue import CHUNK, Marks, OutputQueue
from twisted_clienttcp.errors import NotConnectedError
from twisted_clienttcp.framing import Framing, Stream

from .._memory import AskingTransport, Producer

sizes = st.one_of(st.integers(0, 100), st.integers(CHUNK - 2, CHUNK * 3))


def data(size: int, seed: int) -> bytes:
    """
    @return: so many bytes that tell where they come from.
    """
    return (b"%06d." % seed * (size // 7 + 1))[:size]


class TellingOutbox(OutputQueue):
    """
    Notes what it is told.
    """

    def __init__(self, framing: Framing[Any], marks: Marks) -> None:
        self.told: list[str] = []
        super().__init__(framing, marks)

    def wake(self) -> None:
        self.told.append("wake")

    def high(self, marked: bool) -> None:
        self.told.append("high" if marked else "full")

    def low(self, marked: bool) -> None:
        self.told.append("low" if marked else "room")


class Owner:
    """
    Is told how a sender stands.
    """

    #: Events are posted.
    eventful = False

    def __init__(self) -> None:
        self.told: list[str] = []

    def _high(self) -> bool:
        self.told.append("high")
        return True

    def _low(self) -> None:
        self.told.append("low")

    def _flushed(self) -> None:
        self.told.append("flushed")

    def _producerRaised(self, order: str, error: BaseException) -> None:
        self.told.append(order)


class MarksTests(SynchronousTestCase):
    """
    L{Marks}.
    """

    def test_refused(self) -> None:
        """
        0 < low < high, and both or neither.
        """
        for high, low in ((5, 5), (5, 6), (5, 0), (5, -1), (0, 0)):
            self.assertRaises(ValueError, Marks, high, low)
        for wrong in ("5", 5.0, True):
            self.assertRaises(TypeError, Marks, wrong, 1)
            self.assertRaises(TypeError, Marks, 10, wrong)
        error = self.assertRaises(TypeError, Marks, 5, None)
        self.assertIn("highMark needs lowMark", str(error))
        error = self.assertRaises(TypeError, Marks, None, 5)
        self.assertIn("lowMark needs highMark", str(error))

    def test_given(self) -> None:
        """
        They know whether they are the user's.
        """
        marks = Marks(2, 1)
        self.assertEqual((marks.high, marks.low, marks.given), (2, 1, True))
        self.assertFalse(Marks().given)


class OutputQueueTests(SynchronousTestCase):
    """
    L{OutputQueue}.
    """

    def outbox(self, *marks: int) -> TellingOutbox:
        return TellingOutbox(Stream(), Marks(*marks))

    @given(st.lists(st.one_of(sizes, st.none())))
    def test_nothingLost(self, plan: list[int | None]) -> None:
        """
        What is taken is what was sent, in chunks; what is pending is what has not left.
        """
        outbox, put, taken, count = self.outbox(), b"", b"", 0
        for seed, size in enumerate(plan):
            if size is None:
                outbox.emptied()
                chunk = outbox.take()
                self.assertLessEqual(len(chunk), CHUNK)
                self.assertEqual(outbox.handed, len(chunk))
                taken += chunk
            else:
                put += data(size, seed)
                count += 1
                outbox.send(data(size, seed))
            self.assertEqual(outbox.pending, len(put) - len(taken) + outbox.handed)
            self.assertEqual(outbox.accepted, (len(put), count))
        outbox.emptied()
        while chunk := outbox.take():
            taken += chunk
            outbox.emptied()
        self.assertEqual(taken, put)
        self.assertEqual(outbox.pending, 0)
        self.assertEqual(outbox.parts, [])

    @given(st.lists(sizes), st.integers(0, 5), st.integers(0, 3), st.integers(0, 3))
    def test_rest(self, plan: list[int], takes: int, own: int, limit: int) -> None:
        """
        What is given back are whole records of which nothing was handed out, the oldest
        ones first, up to the limit; and not those of the connection's own. What was
        handed out, what is given back and what stays pending are all there was, once.
        """
        records = [data(size, seed) for seed, size in enumerate(plan)]
        outbox, taken = self.outbox(), b""
        for number, record in enumerate(records):
            if number == own:
                outbox.own()
            outbox.send(record)
        for _ in range(takes):
            outbox.emptied()
            taken += outbox.take()
        kept = outbox.giveBack(limit * CHUNK)
        self.assertLessEqual(sum(map(len, kept)), limit * CHUNK)
        # Short records look alike: the last place where they fit is theirs.
        places = range(len(records) - len(kept), -1, -1)
        first = next(n for n in places if records[n : n + len(kept)] == kept)
        if any(kept):
            self.assertGreaterEqual(first, own)
            self.assertGreaterEqual(sum(map(len, records[:first])), len(taken))
        total = sum(map(len, records))
        lost = total - len(taken) - sum(map(len, kept))
        self.assertEqual(outbox.pending, lost + outbox.handed)
        self.assertEqual(outbox.accepted[0], total - sum(map(len, kept)))

    def test_restBehindARecord(self) -> None:
        """
        A record that was handed out in part is not given back, those behind it are.
        """
        outbox = self.outbox()
        outbox.own()
        outbox.send(b"x" * (CHUNK + 1))
        outbox.send(b"next")
        outbox.take()
        self.assertEqual(outbox.giveBack(CHUNK), [b"next"])
        self.assertEqual(outbox.pending, CHUNK + 1)

    def test_chunksAreWholeRecords(self) -> None:
        """
        A chunk ends with a record, unless that one is longer than a chunk.
        """
        outbox = self.outbox()
        for _ in range(5000):
            outbox.send(b"x" * 100)
        chunk = outbox.take()
        self.assertEqual(len(chunk), CHUNK // 100 * 100)

    def test_marks(self) -> None:
        """
        The high mark is told once, the low one once when it is reached after that, and
        a put between them changes nothing. What is sent at or over the high mark says
        so.
        """
        outbox = self.outbox(100, 10)
        self.assertFalse(outbox.send(b"x" * 99))
        self.assertEqual(outbox.told, ["wake"])
        self.assertTrue(outbox.send(b"x"))
        self.assertTrue(outbox.send(b"x"))
        self.assertEqual(outbox.told, ["wake", "high"])
        outbox.take()
        self.assertTrue(outbox.isHigh)
        outbox.send(b"x" * 50)
        outbox.emptied()
        self.assertEqual(outbox.pending, 50)
        self.assertFalse(outbox.send(b"x"))
        self.assertEqual(outbox.told, ["wake", "high"])
        outbox.take()
        outbox.emptied()
        self.assertEqual(outbox.told, ["wake", "high", "low"])
        self.assertTrue(outbox.send(b"x" * 100))
        self.assertEqual(outbox.told, ["wake", "high", "low", "high"])

    def test_smallestMarks(self) -> None:
        """
        Marks of 2 and 1.
        """
        outbox = self.outbox(2, 1)
        self.assertFalse(outbox.send(b"x"))
        self.assertTrue(outbox.send(b"x"))
        outbox.take()
        outbox.emptied()
        self.assertEqual(outbox.told, ["wake", "high", "low"])

    def test_noMarks(self) -> None:
        """
        Without marks nothing is told, and nothing said.
        """
        outbox = self.outbox()
        self.assertFalse(outbox.send(b"x" * 10_000_000))
        self.assertEqual(outbox.told, ["wake"])

    def test_producer(self) -> None:
        """
        Without marks of the user's a producer has those that are usual.
        """
        outbox = self.outbox()
        outbox.produced = True
        outbox.send(b"x" * (64 * 1024 - 1))
        self.assertEqual(outbox.told, ["wake"])
        self.assertFalse(outbox.send(b"x"))
        self.assertEqual(outbox.told, ["wake", "full"])
        outbox.take()
        outbox.emptied()
        self.assertEqual(outbox.told, ["wake", "full", "room"])

    def test_review(self) -> None:
        """
        Marks that are changed count at once, also while the output is high.
        """
        outbox = self.outbox(100, 10)
        outbox.send(b"x" * 50)
        outbox.mark(Marks(50, 10))
        self.assertEqual(outbox.told, ["wake", "high"])
        outbox.mark(Marks(1000, 49))
        self.assertEqual(outbox.told, ["wake", "high"])
        outbox.mark(Marks(1000, 50))
        self.assertEqual(outbox.told, ["wake", "high", "low"])

    def test_reviewOfOthers(self) -> None:
        """
        What is high by marks that are taken away, or by a producer's where the user
        gives his own, is low first; and high again by the new ones.
        """
        outbox = self.outbox(100, 10)
        outbox.send(b"x" * CHUNK)
        outbox.mark(Marks())
        self.assertEqual(outbox.told, ["wake", "high", "low"])
        outbox.produced = True
        self.assertEqual(outbox.told[3:], ["full"])
        outbox.mark(Marks(CHUNK, 1))
        self.assertEqual(outbox.told[4:], ["room", "high"])
        outbox.produced = False
        self.assertEqual(outbox.told[6:], [])

    def test_ownOnce(self) -> None:
        """
        What is the connection's own is what was queued until that was said first.
        """
        outbox = self.outbox()
        outbox.send(b"login")
        outbox.own()
        outbox.send(b"other")
        outbox.own()
        self.assertEqual(outbox.giveBack(9), [b"other"])

    def test_sendAll(self) -> None:
        """
        All of the records, or if one is none, none of them.
        """
        outbox = self.outbox()
        self.assertRaises(TypeError, outbox.sendAll, [b"a", "b"])
        self.assertEqual((outbox.pending, outbox.parts), (0, []))
        self.assertFalse(outbox.sendAll([]))
        self.assertEqual(outbox.told, [])
        outbox.own()
        outbox.sendAll(iter([b"a", b"b"]), apart=True)
        self.assertEqual(outbox.giveBack(9), [b"a", b"b"])

    def test_closed(self) -> None:
        """
        A queue that is closed takes nothing, however it comes, and says why.
        """
        outbox = self.outbox()
        outbox.close("it rains")
        outbox.use(Stream())
        for order, what in (
            (outbox.encode, b"x"),
            (outbox.send, b"x"),
            (outbox.write, b"x"),
            (outbox.sendAll, [b"x"]),
        ):
            error = self.assertRaises(NotConnectedError, order, what)
            self.assertIn("it rains", str(error))
        self.assertEqual(outbox.pending, 0)


class OutboundTests(SynchronousTestCase):
    """
    L{Outbound}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.owner = Owner()

    def sender(self, transport: Any, *marks: int) -> Outbound:
        return Outbound(transport, self.clock, Stream(), Marks(*marks), self.owner)

    @property
    def flushes(self) -> int:
        return self.owner.told.count("flushed")

    def test_interface(self) -> None:
        """
        It is a pull producer.
        """
        sender = self.sender(AskingTransport())
        self.assertTrue(verifyObject(IPullProducer, sender))

    @given(
        st.lists(st.one_of(sizes, st.sampled_from(["turn", "drain", "read"]))),
        st.sampled_from([(), (2, 1), (100, 10), (CHUNK * 2, CHUNK)]),
    )
    def test_accounting(self, plan: list[Any], marks: tuple[int, ...]) -> None:
        """
        Whatever is sent and drained in whatever order: what comes out is what went in,
        what is pending is never less than what is in user space and at most one chunk
        more, the transport never holds more than a chunk, high and low alternate, and
        flushed is told exactly when all has become sent.
        """
        self.setUp()
        clock, transport, flushes = self.clock, AskingTransport(), []
        put, reading = b"", False
        sender = self.sender(transport, *marks)
        outbox = sender
        self.owner._flushed = lambda: flushes.append(len(put))  # type: ignore[method-assign]
        for seed, step in enumerate([*plan, "turn"]):
            if step == "turn":
                clock.advance(0)
            elif step == "drain":
                transport.drain()
            elif step == "read":
                if reading:
                    sender.pump()
                    reading = False
                else:
                    reading = sender.hold()
            else:
                put += data(step, seed)
                isHigh = outbox.send(data(step, seed))
                self.assertEqual(isHigh, bool(marks) and outbox.pending >= marks[0])
            inUserSpace = len(put) - len(transport.sent)
            self.assertLessEqual(inUserSpace, outbox.pending)
            self.assertLessEqual(outbox.pending, inUserSpace + CHUNK)
            self.assertLessEqual(transport.held, CHUNK)
            self.assertTrue(all(n <= len(transport.sent) for n in flushes))
        if reading:
            sender.pump()
        while transport.held or clock.getDelayedCalls():
            clock.advance(0)
            transport.drain()
        self.assertEqual(transport.sent, put)
        self.assertEqual(outbox.pending, 0)
        self.assertIsNone(transport.producer)
        self.assertEqual(flushes, sorted(set(flushes)))
        if put:
            self.assertEqual(flushes[-1], len(put))
        told = self.owner.told
        self.assertEqual(told, ["high", "low"] * (len(told) // 2))

    def test_oneTurnOneWrite(self) -> None:
        """
        What is sent in one turn leaves in one write, in the next turn.
        """
        transport = AskingTransport()
        writes: list[bytes] = []
        transport.write = writes.append  # type: ignore[method-assign]
        sender = self.sender(transport)
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
        sender = self.sender(transport)
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
        sender = self.sender(transport)
        sender.send(b"x" * (CHUNK * 2 + 1))
        self.clock.advance(0)
        self.assertEqual(len(transport.data), CHUNK * 2 + 1)
        self.assertEqual((sender.pending, self.flushes), (0, 1))

    def test_lost(self) -> None:
        """
        What a lost transport held stays pending, and nothing more is handed out.
        """
        transport = AskingTransport()
        sender = self.sender(transport)
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
        sender = self.sender(transport)
        self.assertTrue(sender.hold())
        self.assertFalse(sender.hold())
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
        sender = self.sender(transport)
        sender.send(b"abc")
        sender.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(transport.value(), b"")

    def test_highBeforeLow(self) -> None:
        """
        If the output falls before the turn comes in which the high mark is told, it is
        told first all the same.
        """
        transport = AskingTransport()
        sender = self.sender(transport, 100, 10)
        sender.send(b"x")
        self.clock.advance(0)
        sender.send(b"x" * 100)
        transport.drain()
        transport.drain()
        self.assertEqual(self.owner.told, ["high", "low", "flushed"])
        self.clock.advance(0)
        self.assertEqual(self.owner.told, ["high", "low", "flushed"])

    def test_highWhileItIs(self) -> None:
        """
        When the high mark is told, the output is still there, however late that is.
        """
        transport = AskingTransport()
        sender = self.sender(transport, 100, 10)
        pending: list[int] = []

        def high() -> bool:
            pending.append(sender.pending)
            return True

        self.owner._high = high  # type: ignore[method-assign]
        sender.send(b"x" * 60)
        self.clock.advance(0)
        sender.send(b"x" * 60)
        transport.drain()
        self.assertEqual(pending, [120])

    # -- the application's producer

    def test_push(self) -> None:
        """
        A push producer is paused at the high mark and resumed at the low one, each
        once, and stopped at the end.
        """
        transport, producer = AskingTransport(), Producer()
        sender = self.sender(transport, 100, 10)
        sender.supplyFrom(producer, True)
        self.assertEqual(producer.told, [])
        sender.send(b"x" * 100)
        sender.send(b"x" * 100)
        self.assertEqual(producer.told, ["pause"])
        self.clock.advance(0)
        transport.drain()
        self.assertEqual(producer.told, ["pause", "resume"])
        sender.stop()
        sender.stop()
        self.assertEqual(producer.told, ["pause", "resume", "stop"])

    def test_pushIntoFull(self) -> None:
        """
        One that comes when the output is high already is paused at once.
        """
        producer = Producer()
        sender = self.sender(AskingTransport(), 100, 10)
        sender.send(b"x" * 100)
        sender.supplyFrom(producer, True)
        self.assertEqual(producer.told, ["pause"])

    def test_pull(self) -> None:
        """
        A pull producer is asked until the high mark is reached, and again when the
        output has fallen to the low one.
        """
        transport = AskingTransport()
        sender = self.sender(transport)
        producer = Producer(lambda: sender.send(b"x" * 30_000))
        sender.supplyFrom(producer, False)
        self.assertEqual(producer.told, ["resume"] * 3)
        self.clock.advance(0)
        transport.drain()
        self.assertEqual(len(transport.value()), 60_000)
        self.assertEqual(producer.told, ["resume"] * 3)
        transport.drain()
        self.assertEqual(producer.told, ["resume"] * 6)
        sender.supplyEnded()
        while transport.held:
            transport.drain()
        self.assertEqual(len(transport.sent), 180_000)
        self.assertEqual(self.flushes, 1)

    def test_pullLater(self) -> None:
        """
        One that has nothing when it is asked is asked again behind what it sends later,
        and not before.
        """
        transport, producer = AskingTransport(), Producer()
        sender = self.sender(transport)
        sender.supplyFrom(producer, False)
        self.clock.advance(1)
        self.assertEqual(producer.told, ["resume"])
        sender.send(b"late")
        self.clock.advance(0)
        transport.drain()
        self.assertEqual(producer.told, ["resume", "resume"])

    def test_pullEndsItself(self) -> None:
        """
        One that unregisters when it is asked is not asked again.
        """
        transport = AskingTransport()
        sender = self.sender(transport)
        producer = Producer(sender.supplyEnded)
        sender.supplyFrom(producer, False)
        self.assertEqual(producer.told, ["resume"])
        self.assertFalse(sender.supplied)

    def test_pullAfterPull(self) -> None:
        """
        One that registers another one when it is asked, or itself anew, having sent
        nothing: that one is asked too.
        """
        sender = self.sender(AskingTransport())
        files = [b"", b"", b"x" * 80_000]

        def end() -> None:
            file = files.pop(0)
            if file:
                sender.send(file)
            else:
                sender.supplyEnded()
                sender.supplyFrom(producer if files[1:] else second, False)

        producer, second = Producer(end), Producer(end)
        sender.supplyFrom(producer, False)
        self.assertEqual((producer.told, second.told), (["resume"] * 2, ["resume"]))

    def test_second(self) -> None:
        """
        There is one producer at a time.
        """
        sender = self.sender(AskingTransport())
        sender.supplyFrom(Producer(), True)
        self.assertRaises(RuntimeError, sender.supplyFrom, Producer(), True)

    def test_raises(self) -> None:
        """
        What a producer raises is told, and does not reach the transport.
        """
        sender = self.sender(AskingTransport())
        sender.supplyFrom(Producer(lambda: 1 / 0), False)
        self.assertEqual(self.owner.told, ["resumeProducing"])

    def test_raisesAtTheEnd(self) -> None:
        """
        One that raises when it is stopped is not stopped again by what that leads to.
        """
        self.owner._producerRaised = lambda order, error: sender.stop()  # type: ignore[method-assign]
        sender = self.sender(AskingTransport())
        producer = Producer()

        def stopProducing() -> None:
            producer.told.append("stop")
            raise ZeroDivisionError

        producer.stopProducing = stopProducing  # type: ignore[method-assign]
        sender.supplyFrom(producer, True)
        sender.stop()
        self.assertEqual(producer.told, ["stop"])
