"""
Tests for the output on its way to the transport, with marks and producers.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPullProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_clienttcp import _tls
from twisted_clienttcp._connection.outbound import Outbound, isEmpty
from twisted_clienttcp._connection.queue import CHUNK, Marks
from twisted_clienttcp.errors import NotConnectedError
from twisted_clienttcp.framing import Stream

from .._memory import AskingTransport, Producer
from .._output import data, sizes


class Owner:
    """
    An owner that records the reports of the outbound side.

    @ivar ends: the number of reports that TLS has closed before all output was sent.
    @ivar canReport: False if C{connected} has not been called yet.
    """

    hasPostedEvents = False

    def __init__(self) -> None:
        self.ends = 0
        self.reports: list[str] = []
        self.canReport = True

    def outputChanged(self, connection: Any, callback: str) -> bool:
        if self.canReport:
            self.reports.append(callback.removeprefix("server").lower())
        return self.canReport

    def callbackRaised(
        self, callback: str, error: BaseException, connection: Any = None
    ) -> None:
        self.reports.append(callback)

    def outputEnds(self, connection: Any) -> None:
        self.ends += 1

    def raiseLater(self, error: BaseException) -> None:
        pass


class Socket(FileDescriptor):
    """
    A transport with a socket.

    @ivar sent: the bytes that the kernel has accepted.
    @ivar room: how many more bytes the kernel accepts; None if the socket has failed.
    """

    connected = True

    def __init__(self) -> None:
        super().__init__(Mock())
        self.sent = b""
        self.room: int | None = 1 << 20

    def writeSomeData(self, data: bytes) -> int | Exception:
        if self.room is None:
            return ConnectionLost()
        accepted = bytes(data[: self.room])
        self.sent += accepted
        self.room -= len(accepted)
        return len(accepted)


class Layer:
    """
    A layer of TLS that encrypts nothing.

    @ivar transport: the transport below.
    @ivar acceptsUntil: it closes when it gets bytes after these.
    """

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.disconnecting = False
        self.written = 0
        self.acceptsUntil = 1 << 30

    def write(self, data: bytes) -> None:
        self.written += 1
        if self.written > self.acceptsUntil:
            self.disconnecting = True
        else:
            self.transport.write(data)


class OutboundCase(SynchronousTestCase):
    """
    Creates outbound sides.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.owner = Owner()

    def outbound(self, transport: Any, *marks: int) -> Outbound:
        owner: Any = self.owner
        return Outbound(transport, self.clock, owner, None, Stream(), Marks(*marks))

    def flush(self, transport: AskingTransport) -> None:
        """
        Let the kernel accept everything.
        """
        self.clock.advance(0)
        while transport.held:
            transport.drain()
            self.clock.advance(0)

    @property
    def flushes(self) -> int:
        return self.owner.reports.count("flushed")


class OutboundTests(OutboundCase):
    """
    Tests for L{Outbound}.
    """

    def test_interface(self) -> None:
        """
        An outbound side is a pull producer.
        """
        outbound = self.outbound(AskingTransport())
        self.assertTrue(verifyObject(IPullProducer, outbound))

    @given(
        st.lists(st.one_of(sizes, st.sampled_from(["turn", "drain", "read"]))),
        st.sampled_from([(), (2, 1), (100, 10), (CHUNK * 2, CHUNK)]),
    )
    def test_accounting(self, plan: list[Any], marks: tuple[int, ...]) -> None:
        """
        In any order of records and drains: the transport receives the bytes that were
        put, C{pending} is never less than the bytes in user space and at most one chunk
        more, the transport never holds more than a chunk, high and low alternate, and a
        flush is reported exactly when everything has been sent.
        """
        self.setUp()
        clock, transport, flushes = self.clock, AskingTransport(), []
        put, reading = b"", False
        outbound = self.outbound(transport, *marks)

        def outputChanged(connection: Any, callback: str) -> bool:
            if callback == "serverFlushed":
                flushes.append(len(put))
                return True
            return Owner.outputChanged(self.owner, connection, callback)

        self.owner.outputChanged = outputChanged  # type: ignore[method-assign]
        for seed, step in enumerate([*plan, "turn"]):
            if step == "turn":
                clock.advance(0)
            elif step == "drain":
                transport.drain()
            elif step == "read":
                outbound.isHeld = reading = not reading
                if outbound.isDue and not reading:
                    outbound.pump()
            else:
                put += data(step, seed)
                isHigh = outbound.put(data(step, seed))
                self.assertEqual(isHigh, bool(marks) and outbound.pending >= marks[0])
            inUserSpace = len(put) - len(transport.sent)
            self.assertLessEqual(inUserSpace, outbound.pending)
            self.assertLessEqual(outbound.pending, inUserSpace + CHUNK)
            self.assertLessEqual(transport.held, CHUNK)
            self.assertTrue(all(n <= len(transport.sent) for n in flushes))
        outbound.isHeld = False
        if outbound.isDue:
            outbound.pump()
        while transport.held or clock.getDelayedCalls():
            clock.advance(0)
            transport.drain()
        self.assertEqual(transport.sent, put)
        self.assertEqual(outbound.pending, 0)
        self.assertIsNone(transport.producer)
        self.assertEqual(flushes, sorted(set(flushes)))
        if put:
            self.assertEqual(flushes[-1], len(put))
        reports = self.owner.reports
        self.assertEqual(reports, ["high", "low"] * (len(reports) // 2))

    def test_oneTurnOneWrite(self) -> None:
        """
        Records that are put in one turn are sent in one write, in the next turn.
        """
        transport = AskingTransport()
        writes: list[bytes] = []
        transport.write = writes.append  # type: ignore[method-assign]
        outbound = self.outbound(transport)
        for record in (b"a", b"b", b"c"):
            outbound.put(record)
        self.assertEqual(writes, [])
        self.clock.advance(0)
        self.assertEqual(writes, [b"abc"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_registeredWhilePending(self) -> None:
        """
        The transport has a producer only while it holds a chunk: otherwise it could not
        be closed.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport)
        outbound.put(b"x")
        self.assertIsNone(transport.producer)
        self.clock.advance(0)
        self.assertIs(transport.producer, outbound)
        self.assertEqual(self.flushes, 0)
        transport.drain()
        self.assertIsNone(transport.producer)
        self.assertEqual(self.flushes, 1)

    def test_isEmpty(self) -> None:
        """
        A transport with an empty buffer is empty. If the size of its second buffer is
        not known, it may not be.
        """
        socket: Any = FileDescriptor(Mock())
        self.assertTrue(isEmpty(socket))
        socket.connected = True
        socket.write(b"a")
        self.assertFalse(isEmpty(socket))
        self.assertFalse(isEmpty(Mock(spec=["dataBuffer"], dataBuffer=b"")))

    def test_noConsumer(self) -> None:
        """
        For a transport that is not a consumer, passed on counts as sent.
        """

        class Plain:
            def __init__(self) -> None:
                self.data = b""

            def write(self, data: bytes) -> None:
                self.data += data

        transport: Any = Plain()
        outbound = self.outbound(transport)
        outbound.put(b"x" * (CHUNK * 2 + 1))
        self.clock.advance(0)
        self.assertEqual(len(transport.data), CHUNK * 2 + 1)
        self.assertEqual((outbound.pending, self.flushes), (0, 1))

    def test_lost(self) -> None:
        """
        The content of a lost transport stays pending, and nothing more is accepted or
        passed on.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport)
        outbound.put(b"abc")
        self.clock.advance(0)
        outbound.put(b"def")
        outbound.stopProducing()
        outbound.stop()
        with self.assertRaisesRegex(NotConnectedError, "sending side"):
            outbound.put(b"ghi")
        self.clock.advance(0)
        transport.drain()
        self.assertEqual(transport.sent, b"abc")
        self.assertEqual((outbound.pending, self.flushes), (6, 0))

    def test_pumpAfterStop(self) -> None:
        """
        C{pump} passes on nothing after C{stop}.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport)
        outbound.isHeld = True
        outbound.put(b"abc")
        self.assertTrue(outbound.isDue)
        outbound.stop()
        outbound.pump()
        self.assertEqual(transport.value(), b"")
        self.assertEqual((outbound.pending, self.flushes), (3, 0))

    def test_stopWhileDraining(self) -> None:
        """
        A producer may stop the output when it is resumed. Then nothing more is passed
        on, and no flush is reported.
        """
        for rest in (0, 5):
            transport = AskingTransport()
            outbound = self.outbound(transport, CHUNK, 5)
            outbound.registerProducer(Producer(outbound.stop), True)
            outbound.put(b"x" * (CHUNK + rest))
            self.clock.advance(0)
            transport.drain()
            self.assertEqual(len(transport.sent), CHUNK)
            self.assertEqual((transport.held, outbound.pending), (0, rest))
            self.assertEqual(self.flushes, 0)

    def test_pumpAtOnce(self) -> None:
        """
        C{pump} replaces the scheduled call.
        """
        outbound = self.outbound(AskingTransport())
        outbound.put(b"abc")
        outbound.pump()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopBeforeTurn(self) -> None:
        """
        C{stop} cancels the turn in which the output would be sent.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport)
        outbound.put(b"abc")
        outbound.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(transport.value(), b"")

    def test_highBeforeLow(self) -> None:
        """
        If the output falls before the high mark was reported, the high mark is reported
        first.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport, 100, 10)
        outbound.put(b"x")
        self.clock.advance(0)
        outbound.put(b"x" * 100)
        transport.drain()
        transport.drain()
        self.assertEqual(self.owner.reports, ["high", "low", "flushed"])
        self.clock.advance(0)
        self.assertEqual(self.owner.reports, ["high", "low", "flushed"])

    def test_highWhileItIs(self) -> None:
        """
        When the high mark is reported, the output is still high.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport, 100, 10)
        pending: list[int] = []

        def outputChanged(connection: Any, callback: str) -> bool:
            if callback == "serverHigh":
                pending.append(outbound.pending)
            return True

        self.owner.outputChanged = outputChanged  # type: ignore[method-assign]
        outbound.put(b"x" * 60)
        self.clock.advance(0)
        outbound.put(b"x" * 60)
        transport.drain()
        self.assertEqual(pending, [120])

    # -- the marks

    def test_marks(self) -> None:
        """
        The high mark is reported once, and the low one once after that; between them,
        only C{put} says whether the high mark is reached.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport, 100, 10)
        self.assertFalse(outbound.put(b"x" * 99))
        self.assertTrue(outbound.put(b"x"))
        self.assertTrue(outbound.put(b"x"))
        self.clock.advance(0)
        self.assertEqual(self.owner.reports, ["high"])
        outbound.put(b"x" * 50)
        transport.drain()
        self.assertEqual(outbound.pending, 50)
        self.assertFalse(outbound.put(b"x"))
        self.assertEqual(self.owner.reports, ["high"])
        transport.drain()
        self.assertEqual(self.owner.reports, ["high", "low"])
        self.assertTrue(outbound.put(b"x" * 100))
        self.flush(transport)
        self.assertEqual(self.owner.reports, ["high", "low", "high", "low", "flushed"])

    def test_smallestMarks(self) -> None:
        """
        Marks of 2 and 1.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport, 2, 1)
        self.assertFalse(outbound.put(b"x"))
        self.assertTrue(outbound.put(b"x"))
        self.flush(transport)
        self.assertEqual(self.owner.reports, ["high", "low", "flushed"])

    def test_noMarks(self) -> None:
        """
        Without marks, only the flush is reported.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport)
        self.assertFalse(outbound.put(b"x" * 10_000_000))
        self.flush(transport)
        self.assertEqual(self.owner.reports, ["flushed"])

    def test_exactlyLow(self) -> None:
        """
        The output is low when it has fallen to the low mark.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport, 100, 10)
        outbound.put(b"x" * 90)
        self.clock.advance(0)
        outbound.put(b"x" * 10)
        transport.drain()
        self.assertEqual(outbound.pending, 10)
        self.assertEqual(self.owner.reports, ["high", "low"])

    def test_removedBeforeTheReport(self) -> None:
        """
        A high mark that was reached is reported even if the marks are removed before.
        """
        outbound = self.outbound(AskingTransport(), 100, 10)
        outbound.put(b"x" * 100)
        outbound.setMarks(Marks())
        self.assertEqual(self.owner.reports, ["high", "low"])

    def test_changedMarks(self) -> None:
        """
        Changed marks apply at once, also while the output is high.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport, 100, 10)
        outbound.put(b"x" * 50)
        self.clock.advance(0)
        for marks, reports in (
            (Marks(50, 10), ["high"]),
            (Marks(1000, 49), ["high"]),
            (Marks(1000, 50), ["high", "low"]),
        ):
            outbound.setMarks(marks)
            self.clock.advance(0)
            self.assertEqual(self.owner.reports, reports)

    def test_marksOfAnotherKind(self) -> None:
        """
        If the output is high by marks that are removed, it becomes low first, and high
        again by the new ones.
        """
        producer, transport = Producer(), AskingTransport()
        outbound = self.outbound(transport, 100, 10)
        outbound.put(b"x" * CHUNK)
        self.clock.advance(0)
        outbound.setMarks(Marks())
        self.assertEqual(self.owner.reports, ["high", "low"])
        outbound.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["pause"])
        outbound.setMarks(Marks(CHUNK, 1))
        self.clock.advance(0)
        self.assertEqual(self.owner.reports, ["high", "low", "high"])
        self.assertEqual(producer.calls, ["pause"])
        outbound.unregisterProducer()
        self.assertEqual(self.owner.reports, ["high", "low", "high"])

    def test_marksBeforeConnected(self) -> None:
        """
        A mark that is reached before C{connected} is reported after it, unless the
        output is low again; then the low mark is not reported either.
        """
        for isFlushed, reports in ((False, ["high"]), (True, [])):
            self.setUp()
            self.owner.canReport = False
            transport = AskingTransport()
            outbound = self.outbound(transport, 100, 10)
            outbound.put(b"x" * 100)
            self.clock.advance(0)
            if isFlushed:
                self.flush(transport)
            self.owner.canReport = True
            outbound.opened()
            self.clock.advance(0)
            self.assertEqual(self.owner.reports, reports)

    # -- the registered producer

    def test_defaultMarks(self) -> None:
        """
        Without the user's marks, a producer is paused at 64 KiB and resumed at 16 KiB.
        """
        producer, transport = Producer(), AskingTransport()
        outbound = self.outbound(transport)
        outbound.registerProducer(producer, True)
        outbound.put(b"x" * (64 * 1024 - 1))
        self.assertEqual(producer.calls, [])
        self.assertFalse(outbound.put(b"x"))
        self.assertEqual(producer.calls, ["pause"])
        self.flush(transport)
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.assertEqual(self.owner.reports, ["flushed"])

    def test_push(self) -> None:
        """
        A push producer is paused at the high mark and resumed at the low one, each
        once, and stopped at the end.
        """
        transport, producer = AskingTransport(), Producer()
        outbound = self.outbound(transport, 100, 10)
        outbound.registerProducer(producer, True)
        self.assertEqual(producer.calls, [])
        outbound.put(b"x" * 100)
        outbound.put(b"x" * 100)
        self.assertEqual(producer.calls, ["pause"])
        self.clock.advance(0)
        transport.drain()
        self.assertEqual(producer.calls, ["pause", "resume"])
        outbound.stop()
        outbound.stop()
        self.assertEqual(producer.calls, ["pause", "resume", "stop"])

    def test_pushIntoFull(self) -> None:
        """
        A producer that is registered while the output is high is paused at once.
        """
        producer = Producer()
        outbound = self.outbound(AskingTransport(), 100, 10)
        outbound.put(b"x" * 100)
        outbound.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["pause"])

    def test_raisedMarks(self) -> None:
        """
        A paused producer is resumed as soon as the marks are above the output.
        """
        producer = Producer()
        outbound = self.outbound(AskingTransport(), 100, 10)
        outbound.registerProducer(producer, True)
        outbound.put(b"x" * 100)
        outbound.setMarks(Marks(1000, 100))
        self.assertEqual(producer.calls, ["pause", "resume"])

    def test_pushAfterPush(self) -> None:
        """
        The default marks are for one producer: the next one begins unpaused below the
        high mark.
        """
        transport, following = AskingTransport(), Producer()
        outbound = self.outbound(transport)
        outbound.registerProducer(Producer(), True)
        outbound.put(b"x" * (CHUNK + 20_000))
        self.clock.advance(0)
        transport.drain()
        outbound.unregisterProducer()
        outbound.registerProducer(following, True)
        self.assertEqual(following.calls, [])

    def test_pull(self) -> None:
        """
        A pull producer is asked until the high mark is reached, and again when the
        output has fallen to the low one.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport)
        producer = Producer(lambda: outbound.put(b"x" * 30_000))
        outbound.registerProducer(producer, False)
        self.assertEqual(producer.calls, ["resume"] * 3)
        self.clock.advance(0)
        transport.drain()
        self.assertEqual(len(transport.value()), 60_000)
        self.assertEqual(producer.calls, ["resume"] * 3)
        transport.drain()
        self.assertEqual(producer.calls, ["resume"] * 6)
        outbound.unregisterProducer()
        while transport.held:
            transport.drain()
        self.assertEqual(len(transport.sent), 180_000)
        self.assertEqual(self.flushes, 1)

    def test_pullLater(self) -> None:
        """
        A pull producer that has no data is asked again after the output that it puts
        later, and not before.
        """
        transport, producer = AskingTransport(), Producer()
        outbound = self.outbound(transport)
        outbound.registerProducer(producer, False)
        self.clock.advance(1)
        self.assertEqual(producer.calls, ["resume"])
        outbound.put(b"late")
        self.clock.advance(0)
        transport.drain()
        self.assertEqual(producer.calls, ["resume", "resume"])

    def test_pullEndsItself(self) -> None:
        """
        A pull producer that unregisters when it is asked is not asked again.
        """
        transport = AskingTransport()
        outbound = self.outbound(transport)
        producer = Producer(outbound.unregisterProducer)
        outbound.registerProducer(producer, False)
        self.assertEqual(producer.calls, ["resume"])
        self.assertFalse(outbound.hasProducer)

    def test_pullAfterPull(self) -> None:
        """
        A pull producer that registers another one when it is asked, or itself again,
        without having put anything: the new one is asked too.
        """
        outbound = self.outbound(AskingTransport())
        files = [b"", b"", b"x" * 80_000]

        def end() -> None:
            file = files.pop(0)
            if file:
                outbound.put(file)
            else:
                outbound.unregisterProducer()
                outbound.registerProducer(producer if files[1:] else second, False)

        producer, second = Producer(end), Producer(end)
        outbound.registerProducer(producer, False)
        self.assertEqual((producer.calls, second.calls), (["resume"] * 2, ["resume"]))

    def test_second(self) -> None:
        """
        A second producer cannot be registered.
        """
        outbound = self.outbound(AskingTransport())
        outbound.registerProducer(Producer(), True)
        self.assertRaises(RuntimeError, outbound.registerProducer, Producer(), True)

    def test_raises(self) -> None:
        """
        An exception of a producer is reported, and does not reach the transport.
        """
        outbound = self.outbound(AskingTransport())
        outbound.registerProducer(Producer(lambda: 1 / 0), False)
        self.assertEqual(self.owner.reports, ["resumeProducing"])

    def test_raisesAtTheEnd(self) -> None:
        """
        A producer that raises when it is stopped is not stopped again by the result.
        """

        def stop(error: BaseException) -> None:
            outbound.stop()

        self.owner.raiseLater = stop  # type: ignore[method-assign]
        outbound = self.outbound(AskingTransport())
        producer = Producer()

        def stopProducing() -> None:
            producer.calls.append("stop")
            raise ZeroDivisionError

        producer.stopProducing = stopProducing  # type: ignore[method-assign]
        outbound.registerProducer(producer, True)
        outbound.stop()
        self.assertEqual(producer.calls, ["stop"])


class SocketTests(OutboundCase):
    """
    Tests for L{Outbound} on a transport with a socket.
    """

    def test_now(self) -> None:
        """
        A chunk is written at once if the kernel accepts it, and its flush is reported.
        """
        socket = Socket()
        outbound = self.outbound(socket)
        outbound.put(b"abc")
        self.clock.advance(0)
        self.assertEqual((socket.sent, outbound.pending), (b"abc", 0))
        self.assertEqual(self.flushes, 1)

    def test_afterOthers(self) -> None:
        """
        Bytes that other code has written to the transport are sent first.
        """
        socket = Socket()
        outbound = self.outbound(socket)
        socket.write(b"first,")
        outbound.put(b"second")
        self.clock.advance(0)
        self.assertEqual(self.flushes, 0)
        while outbound.pending:
            socket.doWrite()
        self.assertEqual(socket.sent, b"first,second")
        self.assertEqual(self.flushes, 1)

    def test_postedEvents(self) -> None:
        """
        If named events are posted, the reactor writes, so that the events are handled
        before the flush.
        """
        socket = Socket()
        outbound = self.outbound(socket)
        self.owner.hasPostedEvents = True
        outbound.put(b"abc")
        self.clock.advance(0)
        self.assertEqual((socket.sent, self.flushes), (b"", 0))
        socket.doWrite()
        self.assertEqual((socket.sent, self.flushes), (b"abc", 1))


class TLSTests(OutboundCase):
    """
    Tests for L{Outbound} on TLS.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(_tls, "layerOf", lambda transport: transport)
        self.patch(_tls, "unbufferedWrite", lambda layer: layer.write)

    def secured(self, transport: Any) -> tuple[Layer, Outbound]:
        layer = Layer(transport)
        outbound = self.outbound(layer)
        outbound.handshakeCompleted()
        return layer, outbound

    def test_fails(self) -> None:
        """
        A chunk that TLS no longer accepts stays pending, and the transport below can
        close: it has no producer.
        """
        transport = AskingTransport()
        layer, outbound = self.secured(transport)
        layer.acceptsUntil = 1
        outbound.put(b"x" * (CHUNK + 5))
        self.clock.advance(0)
        transport.drain()
        self.assertIsNone(transport.producer)
        transport.drain()
        self.assertEqual((len(transport.sent), outbound.pending), (CHUNK, 5))
        self.assertEqual(self.flushes, 0)

    def test_ends(self) -> None:
        """
        Nothing is passed to TLS that has begun to close in the meantime: the rest of
        the queue stays there, for the next connection.
        """
        transport = AskingTransport()
        layer, outbound = self.secured(transport)
        outbound.put(b"x" * CHUNK)
        self.clock.advance(0)
        outbound.own()
        outbound.put(b"later")
        layer.disconnecting = True
        transport.drain()
        self.assertIsNone(transport.producer)
        self.assertEqual((layer.written, outbound.pending), (1, 5))
        self.assertEqual(outbound.takeBack(100), [b"later"])

    def test_endsWhileWriting(self) -> None:
        """
        When TLS closes the transport below, this is reported only while encrypted
        output waits to be sent.
        """
        for isDrained, ends in ((False, 1), (True, 0)):
            self.owner.ends = 0
            transport = AskingTransport()
            _, outbound = self.secured(transport)
            outbound.put(b"x")
            self.clock.advance(0)
            if isDrained:
                transport.drain()
            transport.loseConnection()
            self.assertEqual(self.owner.ends, ends)

    def test_writeFails(self) -> None:
        """
        If the socket below has failed, this is recorded, and nothing counts as sent.
        """
        socket = Socket()
        _, outbound = self.secured(socket)
        socket.room = None
        outbound.put(b"abc")
        self.clock.advance(0)
        self.assertTrue(outbound.hasFailed)
        self.assertEqual((outbound.pending, self.flushes), (3, 0))
