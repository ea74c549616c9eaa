"""
Flow, as a client's user sees it: what is put and when it has gone, who is held back by
whom, and what waits for a connection. The network is in memory, the time a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface.verify import verifyObject

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._connection import BACKLOG
from twisted_clienttcp._lifecycle import Phase
from twisted_clienttcp._outbox import CHUNK
from twisted_clienttcp.errors import (
    CallbackError,
    InvalidRecord,
    NotConnectedError,
    OutputFull,
    OutputLost,
)
from twisted_clienttcp.framing import Line, Stream, int32

from ..unit.test_outbound import Producer
from .test_factory import ClientTestCase, Transport


def generator(record: bytes) -> Any:
    """
    @return: a generator.
    """
    yield record


class FlowTestCase(ClientTestCase):
    """
    A client with a framing that adds one octet to a record.
    """

    def connected(self, **parameters: Any) -> tuple[ClientTCPFactory, Transport]:
        return super().connected(**{"framing": Line(delimiter=b"\n"), **parameters})

    def records(self) -> list[Any]:
        return [event[1] for event in self.events if event[0] == "serverInput"]

    def unsent(self, stopped: Deferred[Any]) -> int:
        """
        @return: what a Deferred of C{shutdown} tells to be unsent.
        """
        unsent: int = self.successResultOf(stopped).unsent
        return unsent

    def drain(self, transport: Transport) -> None:
        """
        Let the kernel take all there is, and all that follows.
        """
        self.reactor.advance(0)
        while transport.held:
            transport.drain()
            self.reactor.advance(0)


class OutputTests(FlowTestCase):
    """
    C{put} and its like.
    """

    def test_interfaces(self) -> None:
        """
        A client is a consumer, and a producer that can be paused; and so is its
        connection.
        """
        client, transport = self.connected()
        self.assertTrue(verifyObject(IConsumer, client))
        self.assertTrue(verifyObject(IPushProducer, client))
        self.assertTrue(verifyObject(IPushProducer, client.server))

    def test_putMany(self) -> None:
        """
        As many puts, in order; or none, if there is one that cannot be framed.
        """
        client, transport = self.connected(**self.recorder.marks(10, 5))
        self.assertIs(client.putMany([b"a", b"b"]), False)
        self.assertRaises(InvalidRecord, client.putMany, [b"c", b"d\nd", b"e"])
        self.assertRaises(TypeError, client.putMany, [b"c", "d"])
        self.assertIs(client.putMany(iter([b"f", b"ggggggggg"])), True)
        self.assertIs(client.putMany([]), False)
        self.drain(transport)
        self.assertEqual(transport.sent, b"a\nb\nf\nggggggggg\n")
        self.assertEqual(client.stats.recordsOut, 4)

    def test_write(self) -> None:
        """
        Octets go out as they are; what is none is refused.
        """
        client, transport = self.connected()
        client.put(b"a")
        client.write(b"b\n\nc")
        client.write(bytearray(b"d"))  # type: ignore[arg-type]
        self.assertRaises(TypeError, client.write, "text")
        self.drain(transport)
        self.assertEqual(transport.sent, b"a\nb\n\ncd")

    def test_flushed(self) -> None:
        """
        Fires when the kernel has all; at once if it has; each caller's own.
        """
        client, transport = self.connected()
        self.successResultOf(client.flushed())
        client.put(b"a")
        first, second = client.flushed(), client.flushed()
        second.addErrback(lambda failure: None)
        self.reactor.advance(0)
        self.assertNoResult(first)
        second.cancel()
        transport.drain()
        self.successResultOf(first)

    def test_flushedFails(self) -> None:
        """
        It fails if octets are lost.
        """
        client, transport = self.connected()
        client.put(b"a")
        waiter = client.flushed()
        self.reactor.advance(0)
        transport.lose()
        self.assertEqual(self.failureResultOf(waiter, OutputLost).value.unsent, 2)

    def negotiating(self, **parameters: Any) -> tuple[ClientTCPFactory, Transport]:
        """
        @return: a client that has sent 20 octets in its negotiation, which goes on
            until C{self.agreed} fires.
        """
        self.agreed: Deferred[bool] = Deferred()

        def preConnect(client: Any, negotiation: Any) -> Deferred[bool]:
            negotiation.put(b"x" * 19)
            return self.agreed

        client, transport = self.connected(preConnect=preConnect, **parameters)
        self.reactor.advance(0)
        return client, transport

    def test_highWhileNegotiating(self) -> None:
        """
        Marks that are reached in the negotiation are told to nobody, nor is the low one
        after that.
        """
        client, transport = self.negotiating(**self.recorder.marks(10, 5))
        self.drain(transport)
        self.agreed.callback(True)
        self.reactor.advance(0)
        self.assertEqual(self.events, ["started", "connected"])
        self.assertEqual((client.stats.highs, client.stats.lows), (0, 0))

    def test_highSinceTheNegotiation(self) -> None:
        """
        But where the output is still high when the connection is usable, that is told
        then: who is told by C{put} that it is waits for C{serverLow}.
        """
        client, transport = self.negotiating(**self.recorder.marks(10, 5))
        self.agreed.callback(True)
        self.assertIs(client.put(b"y"), True)
        self.drain(transport)
        self.assertEqual(
            self.events,
            ["started", "connected", "serverHigh", "serverLow", "serverFlushed"],
        )

    def test_marksWhileNegotiating(self) -> None:
        """
        Marks that are changed in the negotiation count.
        """
        client, transport = self.negotiating(**self.recorder.marks(1000, 500))
        client.setMarks(30, 10)
        self.agreed.callback(True)
        self.assertIs(client.put(b"y" * 8), False)
        self.assertIs(client.put(b""), True)

    def test_marksTakenAway(self) -> None:
        """
        Marks that are taken away while output is high make it low: nothing holds it
        back any more.
        """
        client, transport = self.connected(**self.recorder.marks(10, 5))
        client.put(b"x" * 10)
        self.reactor.advance(0)
        client.setMarks(None, None)
        self.assertEqual(self.events[2:], ["serverHigh", "serverLow"])
        client.setMarks(10, 5)
        self.reactor.advance(0)
        self.assertEqual(self.events[4:], ["serverHigh"])

    def test_marksAfterALoss(self) -> None:
        """
        Marks that are changed when the connection is lost, and its output with it, tell
        nothing of that.
        """
        client, transport = self.connected(**self.recorder.marks(10, 5))
        client.put(b"x" * 10)
        self.reactor.advance(0)
        self.recorder.on["serverError"] = lambda client, failure: client.setMarks(
            99, 50
        )
        transport.lose()
        self.assertEqual(
            self.events[2:],
            ["serverHigh", ("serverError", "read", 104), "disconnected"],
        )

    def test_abortAtFlush(self) -> None:
        """
        Who waits for the flush may end the connection; what was to be told before that
        is.
        """
        client, transport = self.connected()
        transport.abortConnection = transport.lose  # type: ignore[method-assign]
        client.put(b"x")
        client.flushed().addCallback(lambda nothing: client.abort())
        self.drain(transport)
        self.assertEqual(self.events[2:], ["serverFlushed", "disconnected", "stopped"])

    def test_ordersInEach(self) -> None:
        """
        What serverHigh, serverLow and serverFlushed put goes out too, and none of them
        is called inside another one.
        """
        client, transport = self.connected(**self.recorder.marks(CHUNK * 2, CHUNK))
        inside: list[str] = []
        nested: list[str] = []

        def puts(name: str) -> Callable[..., None]:
            def callback(client: Any) -> None:
                if inside:
                    nested.append(name)
                inside.append(name)
                if not done[name]:
                    done[name] = True
                    client.put(name.encode())
                inside.pop()

            return callback

        names = ("serverHigh", "serverLow", "serverFlushed")
        done = dict.fromkeys(names, False)
        for name in names:
            self.recorder.on[name] = puts(name)
        client.put(b"x" * CHUNK * 2)
        self.drain(transport)
        self.assertEqual(nested, [])
        self.assertTrue(
            transport.sent.endswith(b"x\nserverHigh\nserverLow\nserverFlushed\n")
        )
        self.assertEqual(
            [event for event in self.events if event in names],
            ["serverHigh", "serverLow", "serverFlushed", "serverFlushed"],
        )

    def test_lossInsideHigh(self) -> None:
        """
        The connection may be lost inside serverHigh.
        """
        client, transport = self.connected(**self.recorder.marks(10, 5))
        self.recorder.on["serverHigh"] = lambda client: transport.lose()
        client.put(b"x" * 10)
        self.reactor.advance(0)
        self.assertEqual(
            self.events[2:],
            ["serverHigh", ("serverError", "read", 104), "disconnected"],
        )
        self.assertEqual(self.recorder.disconnections[0].unsent, 11)

    def test_putInsideInput(self) -> None:
        """
        What is put while records are delivered goes out in one write behind them, and
        serverHigh is told then.
        """
        client, transport = self.connected(**self.recorder.marks(3, 1))
        self.recorder.on["serverInput"] = lambda client, record: client.put(record)
        writes: list[bytes] = []
        write = transport.write

        def recording(data: bytes) -> None:
            writes.append(data)
            write(data)

        transport.write = recording  # type: ignore[method-assign]
        transport.protocol.dataReceived(b"a\nb\nc\n")
        self.assertEqual(writes, [b"a\nb\nc\n"])
        inputs = [("serverInput", record) for record in (b"a", b"b", b"c")]
        self.assertEqual(self.events[2:], [*inputs, "serverHigh"])


class ProducerTests(FlowTestCase):
    """
    The client as a consumer.
    """

    def test_marks(self) -> None:
        """
        A push producer is paused at the high mark and resumed at the low one, and
        stopped when the connection ends; the next connection takes another one.
        """
        client, transport = self.connected(**self.recorder.marks(10, 5))
        producer = Producer()
        client.registerProducer(producer, True)
        self.assertRaises(RuntimeError, client.registerProducer, Producer(), True)
        client.write(b"x" * 10)
        self.assertEqual(producer.told, ["pause"])
        self.drain(transport)
        self.assertEqual(producer.told, ["pause", "resume"])
        transport.lose()
        self.assertEqual(producer.told, ["pause", "resume", "stop"])
        self.reactor.advance(client.delay)
        transport = self.establish()
        client.registerProducer(Producer(), True)

    def test_withoutConnection(self) -> None:
        """
        A producer is stopped where nothing takes what it produces.
        """
        client = self.client()
        producer = Producer()
        client.registerProducer(producer, True)
        client.unregisterProducer()
        self.assertEqual(producer.told, ["stop"])
        client, transport = self.connected()
        client.shutdown()
        late = Producer()
        client.registerProducer(late, False)
        self.assertEqual(late.told, ["stop"])

    def test_shutdownWaits(self) -> None:
        """
        Shutdown waits until the producer has unregistered and all is flushed.
        """
        client, transport = self.connected()
        client.registerProducer(Producer(), True)
        client.write(b"x")
        client.shutdown()
        self.drain(transport)
        self.assertFalse(transport.disconnecting)
        client.write(b"y")
        client.unregisterProducer()
        self.assertFalse(transport.disconnecting)
        self.drain(transport)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(transport.sent, b"xy")

    def test_shutdownWaitsNotForEver(self) -> None:
        """
        But for no longer than drainTimeout.
        """
        client, transport = self.connected(drainTimeout=10)
        producer = Producer()
        client.registerProducer(producer, True)
        client.shutdown()
        self.reactor.advance(9.9)
        self.assertEqual((producer.told, transport.aborted), ([], False))
        self.reactor.advance(0.1)
        self.assertEqual((producer.told, transport.aborted), (["stop"], True))
        transport.lose()
        [disconnection] = self.recorder.disconnections
        self.assertIn("producer has not unregistered", str(disconnection.failure.value))

    def test_unregistersAtALoss(self) -> None:
        """
        One that unregisters when it is stopped does not make a loss an end in order.
        """
        client, transport = self.connected()
        producer = Producer()
        producer.stopProducing = client.unregisterProducer  # type: ignore[method-assign]
        client.registerProducer(producer, True)
        client.shutdown()
        transport.lose()
        [disconnection] = self.recorder.disconnections
        self.assertEqual(disconnection.initiator, "network")

    def test_raisesAtALoss(self) -> None:
        """
        One that raises when it is stopped is told of once, and so is the end.
        """
        client, transport = self.connected()
        producer = Producer()
        producer.stopProducing = lambda: 1 / 0  # type: ignore[assignment]
        client.registerProducer(producer, True)
        transport.lose()
        self.assertEqual(
            self.events[2:], [("serverError", "callback", 125), "disconnected"]
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_raises(self) -> None:
        """
        One that raises costs the connection, as a callback does.
        """
        client, transport = self.connected()
        client.registerProducer(Producer(lambda: 1 / 0), False)
        self.assertIsInstance(self.recorder.failures[0].value, CallbackError)
        self.assertTrue(transport.aborted)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class AnswerTests(FlowTestCase):
    """
    C{serverInput} that returns something to wait for.
    """

    def waiting(self, **parameters: Any) -> tuple[ClientTCPFactory, Transport]:
        """
        @return: a client whose answers wait in C{self.answers}.
        """
        self.answers: list[Deferred[Any]] = []
        client, transport = self.connected(**parameters)

        def serverInput(client: Any, record: Any) -> Deferred[Any]:
            answer: Deferred[Any] = Deferred()
            self.answers.append(answer)
            return answer

        self.recorder.on["serverInput"] = serverInput
        return client, transport

    def test_oneAtATime(self) -> None:
        """
        The next record waits for the answer to the last, also over reads.
        """
        client, transport = self.waiting()
        transport.protocol.dataReceived(b"a\nb\n")
        transport.protocol.dataReceived(b"c\n")
        self.assertEqual(self.records(), [b"a"])
        self.answers[0].callback("anything")
        self.assertEqual(self.records(), [b"a", b"b"])
        self.answers[1].callback(None)
        self.assertEqual(self.records(), [b"a", b"b", b"c"])

    def test_coroutine(self) -> None:
        """
        A coroutine is run, and waited for.
        """
        steps: list[Deferred[None]] = []
        done: list[bytes] = []

        async def serverInput(client: Any, record: bytes) -> None:
            steps.append(Deferred())
            await steps[-1]
            done.append(record)

        client, transport = self.connected(serverInput=serverInput)
        transport.protocol.dataReceived(b"a\nb\n")
        self.assertEqual((len(steps), done), (1, []))
        steps[0].callback(None)
        self.assertEqual((len(steps), done), (2, [b"a"]))

    def test_atOnce(self) -> None:
        """
        What has its answer already does not nest, however many records there are.
        """
        got: list[bytes] = []

        async def serverInput(client: Any, record: bytes) -> None:
            got.append(record)

        client, transport = self.connected(serverInput=serverInput)
        transport.protocol.dataReceived(b"x\n" * 10_000)
        self.assertEqual(len(got), 10_000)

    def test_otherAnswers(self) -> None:
        """
        Any other answer is of no interest; but what nobody would wait for is an error.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, record: client.put(record)
        transport.protocol.dataReceived(b"a\nb\n")
        self.assertEqual(self.records(), [b"a", b"b"])
        self.recorder.on["serverInput"] = lambda client, record: generator(record)
        transport.protocol.dataReceived(b"c\nd\n")
        self.assertEqual(self.records(), [b"a", b"b", b"c"])
        self.assertIn("nothing waits for", str(self.recorder.failures[0].value))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_fails(self) -> None:
        """
        An answer that fails goes the way of a callback that raises.
        """
        client, transport = self.waiting()
        transport.protocol.dataReceived(b"a\nb\n")
        self.answers[0].errback(ZeroDivisionError("no"))
        self.assertEqual(self.events[3], ("serverError", "callback", 125))
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertEqual(self.records(), [b"a"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_failsLater(self) -> None:
        """
        One that fails when its connection is gone is logged, and costs the next
        connection nothing.
        """
        client, transport = self.waiting()
        transport.protocol.dataReceived(b"a\n")
        client.reconnect()
        transport.lose()
        self.establish()
        self.assertTrue(client.connected)
        self.answers[0].errback(ZeroDivisionError("late"))
        self.assertTrue(client.connected)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_disconnectedLast(self) -> None:
        """
        C{disconnected} comes when the last record has its answer.
        """
        client, transport = self.waiting(autoReconnect=False)
        transport.protocol.dataReceived(b"a\nb\n")
        transport.lose()
        self.answers[0].callback(None)
        self.assertNotIn("disconnected", self.events)
        self.answers[1].callback(None)
        self.assertEqual(
            self.events[3:],
            [
                ("serverInput", b"b"),
                ("serverError", "read", 104),
                "disconnected",
                "stopped",
            ],
        )

    def test_endOfStream(self) -> None:
        """
        So does the end of the peer's side.
        """
        client, transport = self.waiting()
        transport.protocol.dataReceived(b"a\n")
        transport.protocol.readConnectionLost()
        self.assertEqual(self.events[2:], [("serverInput", b"a")])
        self.answers[0].callback(None)
        self.assertEqual(self.events[3], ("serverError", "read", 0))

    def test_shutdown(self) -> None:
        """
        C{shutdown} discards what waits, and does not wait for the answer.
        """
        client, transport = self.waiting()
        transport.protocol.dataReceived(b"a\nb\n")
        client.shutdown()
        self.reactor.advance(0)
        self.assertTrue(transport.disconnecting)
        transport.lose(ConnectionDone())
        self.answers[0].callback(None)
        self.assertEqual(self.records(), [b"a"])
        self.assertEqual(self.events[-2:], ["disconnected", "stopped"])

    def test_bounded(self) -> None:
        """
        The transport is read on until more than a read waits, and again when that has
        been taken.
        """
        client, transport = self.waiting(framing=Stream())
        transport.protocol.dataReceived(b"a")
        transport.protocol.dataReceived(b"x" * BACKLOG)
        self.assertEqual(transport.producerState, "producing")
        transport.protocol.dataReceived(b"y")
        self.assertEqual(transport.producerState, "paused")
        self.answers[0].callback(None)
        self.assertEqual(transport.producerState, "producing")
        self.assertEqual(self.records(), [b"a", b"x" * BACKLOG + b"y"])

    def test_holds(self) -> None:
        """
        The user's hold, a consumer's and that of an answer are each their own.
        """
        client, transport = self.waiting()
        transport.protocol.dataReceived(b"a\nb\n")
        consumed: Any = client.server
        client.pauseProducing()
        consumed.pauseProducing()
        self.assertEqual(transport.producerState, "paused")
        self.answers[0].callback(None)
        self.assertEqual(self.records(), [b"a"])
        client.resumeProducing()
        self.assertEqual((self.records(), transport.producerState), ([b"a"], "paused"))
        client.resumeProducing()
        self.assertEqual(self.records(), [b"a"])
        consumed.resumeProducing()
        self.assertEqual(self.records(), [b"a", b"b"])
        self.assertEqual(transport.producerState, "producing")
        client.pauseProducing()
        self.answers[1].callback(None)
        self.assertEqual(transport.producerState, "paused")

    def test_tooMuchWhilePaused(self) -> None:
        """
        Where too much waits because of another hold, the transport is read on when that
        is released.
        """
        client, transport = self.connected()

        def serverInput(client: Any, record: Any) -> None:
            client.setInputFraming(Stream)
            client.pauseProducing()

        self.recorder.on["serverInput"] = serverInput
        transport.protocol.dataReceived(b"a\n" + b"x" * (BACKLOG + 1))
        del self.recorder.on["serverInput"]
        client.resumeProducing()
        self.assertEqual(self.records(), [b"a", b"x" * (BACKLOG + 1)])
        self.assertEqual(transport.producerState, "producing")

    def test_tooMuchAfterASwap(self) -> None:
        """
        And where it waits for another framing, when that has taken it.
        """
        client, transport = self.connected()
        transport.protocol.dataReceived(b"a")
        client.setInputFraming(Stream)
        transport.protocol.dataReceived(b"x" * BACKLOG)
        self.assertEqual(transport.producerState, "paused")
        self.reactor.advance(0)
        self.assertEqual(self.records(), [b"a" + b"x" * BACKLOG])
        self.assertEqual(transport.producerState, "producing")

    def test_notAfterTheEnd(self) -> None:
        """
        Nobody who lets go reads on behind the end of the stream.
        """
        client, transport = self.waiting(framing=Stream())
        transport.protocol.dataReceived(b"a")
        transport.protocol.dataReceived(b"x" * (BACKLOG + 1))
        client.pauseProducing()
        transport.protocol.readConnectionLost()
        transport.resumeProducing = lambda: self.fail("resumed")  # type: ignore[method-assign]
        client.resumeProducing()
        self.answers[0].callback(None)

    def test_swap(self) -> None:
        """
        A framing that is changed while an answer is waited for cuts what stands behind
        that record.
        """
        client, transport = self.waiting()
        transport.protocol.dataReceived(b"a\nb;c\nd;")
        client.setInputFraming(Line(delimiter=b";"))
        self.answers[0].callback(None)
        self.answers[1].callback(None)
        self.assertEqual(self.records(), [b"a", b"b", b"c\nd"])

    def test_consumerStops(self) -> None:
        """
        A consumer that takes no more ends the client.
        """
        client, transport = self.connected()
        consumed: Any = client.server
        consumed.stopProducing()
        self.assertTrue(client.shuttingDown)


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
        It gets all records of a read at once, and none if there is none.
        """
        client, transport = self.batched()
        transport.protocol.dataReceived(b"a\nb\nc")
        transport.protocol.dataReceived(b"d")
        transport.protocol.dataReceived(b"\n")
        self.assertEqual(self.batches, [[b"a", b"b"], [b"cd"]])
        self.assertEqual(client.stats.recordsIn, 3)

    def test_held(self) -> None:
        """
        It can be held, by a pause and by an answer; no batch is lost or doubled.
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
        Another framing counts from behind the batch.
        """
        client, transport = self.batched()
        transport.protocol.dataReceived(b"a\nb\nc;")
        client.setInputFraming(Line(delimiter=b";"))
        self.reactor.advance(0)
        self.assertEqual(self.batches, [[b"a", b"b"], [b"c"]])

    def test_raises(self) -> None:
        """
        If it raises, the error names it.
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
        There is one of the two.
        """
        error = self.assertRaises(
            TypeError, ClientTCPFactory, serverInput=print, serverInputBatch=print
        )
        self.assertIn("exclude each other", str(error))


class OfflineTests(FlowTestCase):
    """
    C{offlineLimit}.
    """

    def test_none(self) -> None:
        """
        Without it, there is nothing to put to.
        """
        client = self.client()
        for order in (client.put, client.write):
            error = self.assertRaises(NotConnectedError, order, b"x")
            self.assertIn("offlineLimit", str(error))
        self.assertRaises(NotConnectedError, client.putMany, [b"x"])
        self.assertRaises(TypeError, self.client, offlineLimit=1.5)
        self.assertRaises(ValueError, self.client, offlineLimit=-1)

    def test_sentBehindTheLogin(self) -> None:
        """
        What was put before goes out in order, behind what connected() puts.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=100)
        client.put(b"a")
        client.start()
        client.putMany([b"b", b"c"])
        client.write(b"d\n")
        self.assertEqual(client.pendingOctets, 8)
        self.assertEqual(client.stats.offlineOctets, 8)
        self.recorder.on["connected"] = lambda client, peer: client.put(b"login")
        transport = self.establish()
        self.assertEqual(client.stats.offlineOctets, 0)
        self.assertEqual(client.pendingOctets, 14)
        self.drain(transport)
        self.assertEqual(transport.sent, b"login\na\nb\nc\nd\n")
        self.assertEqual(client.stats.recordsOut, 5)

    def test_full(self) -> None:
        """
        What would be over the limit is refused, whole, and nothing else is touched.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=6)
        client.put(b"abc")
        error = self.assertRaises(OutputFull, client.put, b"de")
        self.assertEqual((error.pending, error.offlineLimit), (4, 6))
        self.assertRaises(OutputFull, client.putMany, [b"", b"", b""])
        self.assertRaises(OutputFull, client.write, b"123")
        client.put(b"f")
        self.assertEqual(client.pendingOctets, 6)

    def test_waitedForInConnected(self) -> None:
        """
        In connected() what waits for its return is still pending, and waited for.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=100)
        client.start()
        client.put(b"a")
        waiters: list[Deferred[None]] = []

        def connected(client: Any, peer: Any) -> None:
            self.assertEqual(client.pendingOctets, 2)
            waiters.append(client.flushed())

        self.recorder.on["connected"] = connected
        transport = self.establish()
        self.assertNoResult(waiters[0])
        self.drain(transport)
        self.successResultOf(waiters[0])

    def test_endInConnected(self) -> None:
        """
        C{shutdown} in connected() comes behind what has waited for the connection.
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
        When all is flushed, and the end of a connection is waited for that is to be
        followed by another, what is put waits for that one.
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
        What cannot be framed is refused to the caller.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=6)
        self.assertRaises(InvalidRecord, client.put, b"\n")
        self.assertRaises(TypeError, client.put, "text")

    def test_marks(self) -> None:
        """
        C{put} says when the high mark is reached, without a callback.
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
        At a loss, whole records that no transport was handed are kept; those that were
        handed out are unsent, and never sent twice.
        """
        client, transport = self.connected(offlineLimit=CHUNK)
        client.put(b"a" * CHUNK)
        self.reactor.advance(0)
        client.put(b"b")
        client.put(b"c")
        transport.lose()
        [disconnection] = self.recorder.disconnections
        self.assertEqual(disconnection.unsent, CHUNK + 1)
        self.assertEqual(client.pendingOctets, 4)
        client.put(b"d")
        self.reactor.advance(client.delay)
        transport = self.establish()
        self.drain(transport)
        self.assertEqual(transport.sent, b"b\nc\nd\n")
        stats = client.stats
        self.assertEqual(stats.unsentOctets, CHUNK + 1)
        self.assertEqual((stats.octetsOut, stats.recordsOut), (CHUNK + 7, 4))

    def test_keptUpToTheLimit(self) -> None:
        """
        The oldest are kept; the rest is unsent.
        """
        client, transport = self.connected(offlineLimit=5)
        client.put(b"a" * CHUNK)
        self.reactor.advance(0)
        for record in (b"b", b"c", b"d"):
            client.put(record)
        transport.lose()
        self.assertEqual(client.pendingOctets, 4)
        self.assertEqual(self.recorder.disconnections[0].unsent, CHUNK + 1 + 2)

    def test_loginIsNotKept(self) -> None:
        """
        What connected() has put is for that connection alone.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=100)
        self.recorder.on["connected"] = lambda client, peer: client.put(b"login")
        client.start()
        client.put(b"a")
        transport = self.establish()
        transport.lose()
        self.assertEqual(client.pendingOctets, 2)
        self.assertEqual(self.recorder.disconnections[0].unsent, 6)

    def test_lossInConnected(self) -> None:
        """
        If the connection ends before connected() has returned, all is kept but the
        login.
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
        What reconnect() finds not handed out goes to the next connection.
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
        Under a C{ClientService}, who waits for what is kept at a loss waits for the
        next connection, as what is kept does.
        """
        client = self.client(framing=Line(delimiter=b"\n"), offlineLimit=100)
        waiter: Deferred[None] = Deferred()
        for _ in range(2):
            transport = Transport()
            transport.protocol = client.buildProtocol(None)
            transport.protocol.makeConnection(transport)
            if client.pendingOctets:
                self.drain(transport)
            else:
                client.put(b"a")
                waiter = client.flushed()
                transport.lose()
                self.assertNoResult(waiter)
        self.successResultOf(waiter)
        self.assertEqual(transport.sent, b"a\n")

    def test_stopTells(self) -> None:
        """
        A client that stops without a connection tells what was never sent, and takes
        nothing more.
        """
        client = self.client(offlineLimit=100)
        stopped = client.start()
        client.put(b"ab")
        waiter = client.flushed()
        self.assertIsNone(self.successResultOf(client.shutdown()))
        self.assertEqual(self.failureResultOf(stopped, OutputLost).value.unsent, 4)
        self.failureResultOf(waiter, OutputLost)
        self.assertIsInstance(self.recorder.failures[-1].value, OutputLost)
        self.assertEqual(client.pendingOctets, 0)
        self.assertEqual(client.stats.unsentOctets, 4)
        error = self.assertRaises(NotConnectedError, client.put, b"c")
        self.assertIn("stopped", str(error))
        client.start()
        client.put(b"d")

    def test_notKeptAtShutdown(self) -> None:
        """
        At an ordered end nothing is kept: it is unsent.
        """
        client, transport = self.connected(offlineLimit=100, drainTimeout=1)
        client.put(b"a" * CHUNK)
        client.put(b"b")
        client.shutdown()
        self.reactor.advance(1)
        transport.lose()
        self.assertEqual(self.recorder.disconnections[0].unsent, CHUNK + 3)
        self.assertEqual(client.pendingOctets, 0)


class AbortTests(FlowTestCase):
    """
    C{abort}.
    """

    def test_connected(self) -> None:
        """
        It ends the connection at once and stops the client; what was pending is told.
        """
        client, transport = self.connected()
        client.put(b"abc")
        stopped = client.abort()
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertEqual(self.unsent(stopped), 4)
        self.assertEqual(self.events[2:], ["disconnected", "stopped"])
        self.assertEqual(self.recorder.disconnections[0].initiator, "local")

    def test_whileShuttingDown(self) -> None:
        """
        It cuts an orderly end short.
        """
        client, transport = self.connected()
        client.put(b"abc")
        first = client.shutdown()
        client.abort()
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertEqual(self.unsent(first), 4)

    def test_withoutConnection(self) -> None:
        """
        Otherwise it is C{shutdown}.
        """
        client = self.client()
        self.assertIsNone(self.successResultOf(client.abort()))
        client.start()
        self.attempts()
        self.assertIsNone(self.successResultOf(client.abort()))
        self.assertEqual(self.events, ["started", "stopped"])


class StatsTests(FlowTestCase):
    """
    C{stats}.
    """

    def test_counts(self) -> None:
        """
        All that happens is counted, over connections.
        """
        client = self.client(
            framing=Line(delimiter=b"\n", maxLength=5, onTooLong="skip"),
            **self.recorder.marks(4, 2),
        )
        client.start()
        self.attempts()
        self.refuse()
        self.reactor.advance(client.delay)
        transport = self.establish()
        client.put(b"abc")
        self.drain(transport)
        transport.protocol.dataReceived(b"a\ntoolong\nb\nc")
        self.reactor.advance(5)
        transport.lose()
        self.reactor.advance(client.delay)
        transport = self.establish()
        client.put(b"d")
        self.reactor.advance(2)
        stats = client.stats
        self.assertEqual(
            (stats.attempts, stats.failures, stats.connections, stats.losses),
            (3, 1, 2, 1),
        )
        self.assertEqual(
            (stats.octetsIn, stats.recordsIn, stats.framingFaults), (13, 2, 1)
        )
        self.assertEqual(
            (stats.octetsOut, stats.recordsOut, stats.pendingOctets), (6, 2, 2)
        )
        self.assertEqual((stats.highs, stats.lows, stats.flushes), (1, 1, 1))
        self.assertEqual(stats.secondsConnected, 7)
        assert stats.lastError is not None
        self.assertTrue(stats.lastError.check(ConnectionLost))
        self.assertEqual((stats.unsentOctets, stats.offlineOctets), (0, 0))

    def test_once(self) -> None:
        """
        A connection counts once, also while the callbacks about its end are called.
        """
        client, transport = self.connected()
        seen = []
        for name in ("serverError", "disconnected"):
            self.recorder.on[name] = lambda client, *args: seen.append(client.stats)
        client.put(b"abc")
        self.drain(transport)
        transport.protocol.dataReceived(b"a\n")
        client.put(b"de")
        self.reactor.advance(3)
        transport.lose()
        for stats in seen:
            self.assertEqual(
                (stats.octetsIn, stats.recordsIn, stats.octetsOut, stats.recordsOut),
                (2, 1, 7, 2),
            )
            self.assertEqual(stats.pendingOctets + stats.unsentOctets, 3)
            self.assertEqual(stats.secondsConnected, 3)
        self.assertEqual(len(seen), 2)

    def test_lostInTheNegotiation(self) -> None:
        """
        One that was lost in its negotiation counts once, too.
        """

        def preConnect(client: Any, negotiation: Any) -> Deferred[bool]:
            negotiation.put(b"abc")
            return Deferred()

        client, transport = self.connected(preConnect=preConnect)
        self.drain(transport)
        transport.lose()
        self.assertEqual(client.stats.octetsOut, 4)
        self.reactor.advance(client.delay)
        self.establish()
        self.assertEqual(client.stats.octetsOut, 8)

    def test_copy(self) -> None:
        """
        They are a copy.
        """
        client, transport = self.connected()
        before = client.stats
        client.put(b"a")
        self.assertEqual((before.recordsOut, client.stats.recordsOut), (0, 1))


class AnySequenceTests(FlowTestCase):
    """
    Whatever is done in whatever order.
    """

    @settings(deadline=None, max_examples=150)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("put"), st.integers(0, CHUNK * 2)),
                st.tuples(st.just("putMany"), st.integers(0, 3)),
                st.tuples(st.just("write"), st.integers(0, 9)),
                st.tuples(st.just("marks"), st.sampled_from([1, 50, CHUNK, CHUNK * 3])),
                st.tuples(st.just("swap"), st.booleans()),
                st.tuples(st.sampled_from(["turn", "drain", "pause"]), st.none()),
            ),
            max_size=25,
        ),
        st.sampled_from(["shutdown", "lose", "abort"]),
        st.sampled_from([0, 1000, CHUNK * 4]),
    )
    def test_output(self, plan: list[Any], end: str, offlineLimit: int) -> None:
        """
        What came out is exactly what was put, or the beginning of it; high and low
        alternate; flushed is told exactly at zero; what is unsent is never less than
        what was lost in user space, and what is kept goes to the next connection, once.
        """
        self.setUp()
        client, transport = self.connected(
            **self.recorder.marks(100, 10), offlineLimit=offlineLimit, drainTimeout=5
        )
        put: list[bytes] = []
        framings = (Line(delimiter=b"\n"), int32())
        framing: Any = framings[0]
        atFlush: list[int] = []
        self.recorder.on["serverFlushed"] = lambda client: atFlush.append(
            sum(map(len, put)) - len(transport.sent)
        )
        for seed, (step, much) in enumerate(plan):
            if step == "put":
                record = (b"%d;" % seed * (much // 2 + 1))[:much]
                isHigh = client.put(record)
                put.append(framing.frame(record))
                self.assertEqual(isHigh, client.pendingOctets >= (client.highMark or 0))
            elif step == "putMany":
                records = [b"%d.%d" % (seed, n) for n in range(much)]
                client.putMany(records)
                put += map(framing.frame, records)
            elif step == "write":
                client.write(b"w" * much)
                put.append(b"w" * much)
            elif step == "marks":
                client.setMarks(much * 2, much)
            elif step == "swap":
                framing = framings[much].clone()
                client.setOutputFraming(framing)
            elif step == "turn":
                self.reactor.advance(0)
            elif step == "drain":
                transport.drain()
            elif client.server is not None:
                client.pauseProducing()
            sent = len(transport.sent)
            total = sum(map(len, put))
            self.assertLessEqual(total - sent, client.pendingOctets)
            self.assertLessEqual(client.pendingOctets, total - sent + CHUNK)
        everything = b"".join(put)
        if end == "shutdown":
            stopped = client.shutdown()
            self.drain(transport)
            self.assertTrue(transport.disconnecting)
            transport.lose(ConnectionDone())
            self.assertEqual(transport.sent, everything)
            self.assertEqual(self.unsent(stopped), 0)
        else:
            if end == "abort":
                client.abort()
            transport.lose()
            # What is not read does not see the loss before.
            client.resumeProducing()
            self.assertTrue(everything.startswith(transport.sent))
            [disconnection] = self.recorder.disconnections
            kept = client.pendingOctets
            lost = len(everything) - len(transport.sent) - kept
            self.assertGreaterEqual(disconnection.unsent, lost)
            if kept:
                del self.recorder.on["serverFlushed"]
                self.reactor.advance(client.delay)
                second = self.establish()
                self.drain(second)
                self.assertEqual(len(second.sent), kept)
                self.assertIn(second.sent, everything)
        self.assertEqual(atFlush, [0] * len(atFlush))
        # A connection may end high, and the next one begins low.
        ofFirst = self.events[: self.events.index("disconnected")]
        told = [e for e in ofFirst if e in ("serverHigh", "serverLow")]
        first = told[: len(told) // 2 * 2]
        self.assertEqual(first, ["serverHigh", "serverLow"] * (len(first) // 2))

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(
            st.sampled_from(
                [
                    *("put", "putMuch", "drain", "lose", "connect") * 2,
                    *("turn", "peerEnds", "flushed"),
                ]
            ),
            max_size=30,
        ),
        st.sampled_from([200, CHUNK * 3, CHUNK * 20]),
        st.booleans(),
    )
    def test_overConnections(
        self, plan: list[str], offlineLimit: int, login: bool
    ) -> None:
        """
        Over any number of connections, no record is sent twice or before an older one;
        all that was accepted has been sent, or is pending, or told as lost, and counted
        so at any time; and whoever waits for a flush is told.
        """
        self.setUp()
        client = self.client(
            framing=Line(delimiter=b"\n"),
            offlineLimit=offlineLimit,
            **self.recorder.marks(CHUNK, 100),
        )
        client.start().addErrback(lambda failure: None)
        waiters: list[Deferred[None]] = []
        accepted = number = 0

        def put(octets: int) -> None:
            nonlocal accepted, number
            number += 1
            record = (b"%d;" % number).ljust(octets, b".")
            try:
                client.put(record)
            except (NotConnectedError, OutputFull):
                return
            accepted += len(record) + 1

        def connected(client: Any, peer: Any) -> None:
            nonlocal accepted
            if login:
                client.put(b"login")
                accepted += 6

        self.recorder.on["connected"] = connected
        live: Transport | None = self.establish()
        transports: list[Any] = [live]
        for step in [*plan, "shutdown"]:
            if step.startswith("put"):
                put(9 if step == "put" else CHUNK * 2)
            elif step == "turn":
                self.reactor.advance(0)
            elif step == "flushed":
                waiters.append(client.flushed().addErrback(lambda failure: None))
            elif step == "shutdown":
                client.shutdown()
            elif live is None:
                self.reactor.advance(client.delay)
                if step == "connect" and client._phase is Phase.CONNECTING:
                    live = self.establish()
                    transports.append(live)
            elif step == "drain":
                self.reactor.advance(0)
                live.drain()
                if live.disconnecting and not live.held:
                    live.lose(ConnectionDone())
                    live = None
            elif step == "peerEnds":
                live.protocol.readConnectionLost()
            elif step == "lose":
                live.lose()
                live = None
            stats = client.stats
            sent = sum(len(transport.sent) for transport in transports)
            self.assertEqual(stats.octetsOut, accepted)
            self.assertEqual(sent + stats.pendingOctets + stats.unsentOctets, accepted)
            self.assertGreaterEqual(stats.unsentOctets, 0)
        if live is not None:
            live.lose()
        stats = client.stats
        sent = sum(len(transport.sent) for transport in transports)
        self.assertEqual(sent + stats.unsentOctets, accepted)
        self.assertTrue(all(waiter.called for waiter in waiters))
        numbers = []
        for transport in transports:
            records = transport.sent.split(b"\n")
            self.assertNotIn(b"login", records[1:])
            numbers += [int(r.split(b";")[0]) for r in records if b";" in r]
        self.assertEqual(numbers, sorted(set(numbers)))
