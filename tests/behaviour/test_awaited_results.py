"""
Tests for C{serverInput} callbacks that return a Deferred or a coroutine.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import coroutine
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import NotConnectedError, OutputLost
from twisted_clienttcp.framing import Line, Stream

from .._memory import FlowTestCase, Transport
from .._support import BACKLOG


def generator(record: bytes) -> Any:
    """
    @return: a generator.
    """
    yield record


class AnswerTests(FlowTestCase):
    """
    C{serverInput} callbacks whose result is awaited.
    """

    def waiting(self, **parameters: Any) -> tuple[ClientTCPFactory, Transport]:
        """
        @return: a client whose results are Deferreds in C{self.answers}.
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
        The next record waits until the last result has fired, also across reads.
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
        A coroutine is run and awaited.
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

    def test_coroutineOfManySteps(self) -> None:
        """
        A coroutine receives the result or the error of each Deferred that it awaits,
        and the values of any other awaitable, as under Twisted.
        """
        steps: list[Deferred[Any]] = []
        seen: list[Any] = []

        def step() -> Deferred[Any]:
            steps.append(Deferred())
            return steps[-1]

        @coroutine
        def plain() -> Any:
            return (yield "plain")

        async def serverInput(client: Any, record: bytes) -> None:
            seen.append(record)
            seen.append(await succeed("at once"))
            seen.append(await plain())
            seen.append(await step())
            try:
                await step()
            except ZeroDivisionError as error:
                seen.append(str(error))

        client, transport = self.connected(serverInput=serverInput)
        transport.protocol.dataReceived(b"a\nb\n")
        self.assertEqual(seen, [b"a", "at once", "plain"])
        steps[0].callback("later")
        steps[1].errback(ZeroDivisionError("no"))
        self.assertEqual(seen[3:6], ["later", "no", b"b"])
        self.assertIsNone(self.successResultOf(steps[1]))

    def test_coroutineFails(self) -> None:
        """
        A coroutine that raises, at once or later, has the effect of a callback that
        raises.
        """
        for isLater in (False, True):
            step: Deferred[None] = Deferred()

            async def serverInput(
                client: Any, record: bytes, step: Any = step, waits: bool = isLater
            ) -> None:
                if waits:
                    await step
                raise ZeroDivisionError(record)

            client, transport = self.connected(serverInput=serverInput)
            transport.protocol.dataReceived(b"a\nb\n")
            step.callback(None)
            self.assertTrue(transport.aborted)
            [logged] = self.flushLoggedErrors(ZeroDivisionError)
            self.assertEqual(logged.value.args, (b"a",))

    def test_coroutineReturnsDeferred(self) -> None:
        """
        A Deferred that a coroutine returns is awaited too.
        """
        result: Deferred[None] = Deferred()
        seen: list[bytes] = []

        async def serverInput(client: Any, record: bytes) -> Deferred[None]:
            seen.append(record)
            return result

        client, transport = self.connected(serverInput=serverInput)
        transport.protocol.dataReceived(b"a\nb\n")
        self.assertEqual(seen, [b"a"])
        result.callback(None)
        self.assertEqual(seen, [b"a", b"b"])

    def test_contextVariables(self) -> None:
        """
        Each coroutine has context variables of its own, from its first step to its
        last.
        """
        steps: list[Deferred[None]] = []
        variable: ContextVar[bytes] = ContextVar("variable", default=b"none")
        seen: list[bytes] = []

        async def serverInput(client: Any, record: bytes) -> None:
            seen.append(variable.get())
            variable.set(record)
            steps.append(Deferred())
            await steps[-1]
            seen.append(variable.get())

        client, transport = self.connected(serverInput=serverInput)
        transport.protocol.dataReceived(b"a\nb\n")
        steps[0].callback(None)
        steps[1].callback(None)
        self.assertEqual(seen, [b"none", b"a", b"none", b"b"])
        self.assertEqual(variable.get(), b"none")

    def test_atOnce(self) -> None:
        """
        Results that have fired already do not nest the calls, for any number of
        records.
        """
        got: list[bytes] = []

        async def serverInput(client: Any, record: bytes) -> None:
            got.append(record)

        client, transport = self.connected(serverInput=serverInput)
        transport.protocol.dataReceived(b"x\n" * 10_000)
        self.assertEqual(len(got), 10_000)

    def test_otherAnswers(self) -> None:
        """
        Any other result is ignored, except one that would never be awaited.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, record: client.put(record)
        transport.protocol.dataReceived(b"a\nb\n")
        self.assertEqual(self.records(), [b"a", b"b"])
        self.recorder.on["serverInput"] = lambda client, record: generator(record)
        transport.protocol.dataReceived(b"c\nd\n")
        self.assertEqual(self.records(), [b"a", b"b", b"c"])
        self.assertIn("which is never awaited", str(self.recorder.failures[0].value))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_fails(self) -> None:
        """
        A result that fails has the effect of a callback that raises.
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
        A result that fails after the loss of its connection is logged, and does not
        affect the next connection.
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
        C{disconnected} is called when the result of the last record has fired.
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

    def test_lossIsVisible(self) -> None:
        """
        A loss is visible at once while a result is awaited: the client has no
        connection, C{put} fails, and a flush fails. C{serverError}, C{disconnected} and
        the next attempt follow when the result has fired.
        """
        client, transport = self.waiting(**self.recorder.marks(100, 10))
        transport.protocol.dataReceived(b"a\n")
        client.put(b"lost")
        before = client.flushed()
        transport.lose()
        self.assertFalse(client.connected)
        self.assertIsNotNone(client.server)
        self.assertRaises(NotConnectedError, client.put, b"x")
        for flushed in (before, client.flushed()):
            self.assertEqual(self.failureResultOf(flushed, OutputLost).value.unsent, 5)
        self.assertNoResult(waiter := client.whenConnected())
        waiter.addErrback(lambda failure: None)
        self.reactor.advance(0)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.assertNotIn("disconnected", self.events)
        self.answers[0].callback(None)
        self.assertEqual(self.events[-1], "disconnected")
        self.assertEqual(client.pendingBytes, 0)
        attempts = len(self.attempts())
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), attempts + 1)

    def test_waitsForTheFlush(self) -> None:
        """
        A coroutine that waits for a flush cannot delay the report of a loss: the flush
        fails, and it continues.
        """
        errors: list[Any] = []

        async def serverInput(client: Any, record: Any) -> None:
            client.put(b"x" * 1000)
            for _ in range(2):
                try:
                    await client.flushed()
                except OutputLost as error:
                    errors.append(error.unsent)

        client, transport = self.connected(serverInput=serverInput)
        transport.protocol.dataReceived(b"a\n")
        transport.lose()
        self.assertEqual(errors, [1001, 1001])
        self.assertEqual(self.events[-1], "disconnected")

    def test_waitsForTheNextConnection(self) -> None:
        """
        Nor can one that waits for something that follows the report: that fails at
        once. It is awaited before the loss, or after it.
        """
        for call, isBefore in (
            ("flushed", False),
            ("whenConnected", False),
            ("whenStopped", False),
            ("whenStopped", True),
        ):
            self.setUp()
            seen: list[Any] = []
            gate: Deferred[None] = Deferred()
            if isBefore:
                gate.callback(None)

            async def serverInput(
                client: Any,
                record: Any,
                gate: Any = gate,
                call: str = call,
                seen: list[Any] = seen,
            ) -> None:
                await gate
                if not client.connected:
                    client.put(b"kept")
                try:
                    await getattr(client, call)()
                except NotConnectedError as error:
                    seen.append((record, str(error)))

            client, transport = self.connected(
                serverInput=serverInput, offlineLimit=1000
            )
            transport.protocol.dataReceived(b"a\nb\n")
            transport.lose()
            if not isBefore:
                self.assertEqual(seen, [])
                gate.callback(None)
            self.reactor.pump([0, 0, 0])
            self.assertEqual([record for record, _ in seen], [b"a", b"b"])
            self.assertIn("before serverInput has finished", seen[0][1])
            self.assertEqual(self.events[-1], "disconnected")
            # Records that were put after the loss are sent on the next connection.
            self.reactor.advance(client.delay)
            transport = self.establish()
            self.drain(transport)
            self.assertEqual(transport.sent, b"kept\n" * (1 if isBefore else 2))

    def test_othersWait(self) -> None:
        """
        What other code waits for is not affected, and neither is a result that waits
        for something else.
        """
        client, transport = self.waiting(offlineLimit=1000)
        transport.protocol.dataReceived(b"a\n")
        client.put(b"kept")
        transport.lose()
        waiting: list[Deferred[Any]]
        waiting = [client.flushed(), client.whenConnected(), client.whenStopped()]
        self.reactor.advance(0)
        for each in waiting:
            self.assertNoResult(each)
        self.assertNotIn("disconnected", self.events)
        self.answers[0].callback(None)
        self.assertEqual(self.events[-1], "disconnected")
        waiting[2].addErrback(lambda failure: None)

    def test_offlineRecordsWait(self) -> None:
        """
        With C{offlineLimit}, records can be put after the loss, and a flush waits for
        the next connection.
        """
        client, transport = self.waiting(offlineLimit=1000)
        transport.protocol.dataReceived(b"a\n")
        transport.lose()
        client.put(b"kept")
        flushed = client.flushed()
        self.answers[0].callback(None)
        self.assertNoResult(flushed)
        self.reactor.advance(client.delay)
        self.drain(self.establish())
        self.successResultOf(flushed)

    def test_endOfStream(self) -> None:
        """
        The end of the peer's side waits in the same way.
        """
        client, transport = self.waiting()
        transport.protocol.dataReceived(b"a\n")
        transport.protocol.readConnectionLost()
        self.assertEqual(self.events[2:], [("serverInput", b"a")])
        self.answers[0].callback(None)
        self.assertEqual(self.events[3], ("serverError", "read", 0))

    def test_shutdown(self) -> None:
        """
        C{shutdown} discards the waiting records, and does not wait for the result.
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
        The transport is read until more than one read waits, and again when that has
        been delivered.
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
        The holds of the user, of a consumer and of an awaited result are independent.
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
        If too much waits because of another hold, reading continues when that hold is
        released.
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
        Bytes that wait for another framing are delivered with the next read, which is
        not throttled.
        """
        client, transport = self.connected()
        transport.protocol.dataReceived(b"a")
        client.setInputFraming(Stream)
        transport.protocol.dataReceived(b"x" * BACKLOG)
        self.reactor.advance(0)
        self.assertEqual(self.records(), [b"a" + b"x" * BACKLOG])
        self.assertEqual(transport.producerState, "producing")

    def test_notAfterTheEnd(self) -> None:
        """
        Releasing a hold does not read after the end of the stream.
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
        A framing that is changed while a result is awaited decodes the bytes after that
        record.
        """
        client, transport = self.waiting()
        transport.protocol.dataReceived(b"a\nb;c\nd;")
        client.setInputFraming(Line(delimiter=b";"))
        self.answers[0].callback(None)
        self.answers[1].callback(None)
        self.assertEqual(self.records(), [b"a", b"b", b"c\nd"])

    def test_consumerStops(self) -> None:
        """
        A consumer that accepts no more data ends the client.
        """
        client, transport = self.connected()
        consumed: Any = client.server
        consumed.stopProducing()
        self.assertTrue(client.shuttingDown)
