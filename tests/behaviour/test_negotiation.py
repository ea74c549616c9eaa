"""
Tests for C{preConnect}: an exchange with the server before C{connected}.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone, TimeoutError
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import (
    FramingError,
    NegotiationRefused,
    NotConnectedError,
    TLSError,
)
from twisted_clienttcp.framing import Line
from twisted_clienttcp.testing import MemoryServer

from .._memory import ClientTestCase, Transport
from .._support import NetworkTestCase, Server, turn


class NegotiationTests(ClientTestCase):
    """
    C{preConnect}.
    """

    def negotiating(self, preConnect: Any, **more: Any) -> tuple[Any, Transport]:
        return self.connected(preConnect=preConnect, autoReconnect=False, **more)

    def test_true(self) -> None:
        """
        A true value accepts the connection; until then, C{put} has no connection.
        """
        seen: list[Any] = []

        def preConnect(client: ClientTCPFactory, negotiation: Any) -> bool:
            seen.append((negotiation.transport, client.connected))
            self.assertRaises(NotConnectedError, client.put, b"x")
            return True

        client, transport = self.negotiating(preConnect)
        self.assertEqual(seen, [(transport, False)])
        self.assertEqual(self.events, ["started", "connected"])

    def test_false(self) -> None:
        """
        Anything false refuses it: the transport is closed, and C{connectError} gets
        what was returned.
        """
        for answer in (None, False, 0, ""):
            self.setUp()
            client, transport = self.negotiating(lambda c, n, answer=answer: answer)
            self.assertTrue(transport.aborted)
            self.assertEqual(self.events, ["started"])
            transport.lose()
            self.assertEqual(
                self.events,
                ["started", ("connectError", "preconnect", 103), "stopped"],
            )
            refusal = self.recorder.failures[0]
            self.assertTrue(refusal.check(NegotiationRefused))
            self.assertIn(f"it returned {answer!r}", refusal.getErrorMessage())

    def test_raises(self) -> None:
        """
        An exception refuses it too, and is logged.
        """
        client, transport = self.negotiating(lambda c, n: 1 / 0)
        transport.lose()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        refusal = self.recorder.failures[0].value
        self.assertIsInstance(refusal.__cause__, ZeroDivisionError)

    def test_dialogue(self) -> None:
        """
        A coroutine reads record by record; the records behind the last one that it has
        read are passed to C{serverInput} when C{connected} has returned.
        """
        got: list[Any] = []

        async def preConnect(client: Any, negotiation: Any) -> bool:
            got.append(await negotiation.nextRecord())
            negotiation.put(b"USER me")
            got.append(await negotiation.nextRecord())
            return True

        client, transport = self.negotiating(preConnect)
        self.assertEqual(transport.producerState, "producing")
        transport.protocol.dataReceived(b"hel")
        transport.protocol.dataReceived(b"lo\r\n")
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"USER me\r\n")
        transport.protocol.dataReceived(b"welcome\r\nfirst\r\nsec")
        self.assertEqual(got, [b"hello", b"welcome"])
        transport.protocol.dataReceived(b"ond\r\n")
        self.assertEqual(
            self.events[1:],
            ["connected", ("serverInput", b"first"), ("serverInput", b"second")],
        )

    def test_oneReadManyRecords(self) -> None:
        """
        Records that came in one read go out one by one, and nothing is read between.
        """
        answer: Deferred[bool] = Deferred()
        negotiations: list[Any] = []

        def preConnect(client: Any, negotiation: Any) -> Deferred[bool]:
            negotiations.append(negotiation)
            return answer

        client, transport = self.negotiating(preConnect)
        self.assertEqual(transport.producerState, "paused")
        [negotiation] = negotiations
        first = negotiation.nextRecord()
        self.assertEqual(transport.producerState, "producing")
        error = self.assertRaises(RuntimeError, negotiation.nextRecord)
        self.assertIn("await each call", str(error))
        transport.protocol.dataReceived(b"a\r\nb\r\nc\r")
        self.assertEqual(transport.producerState, "paused")
        self.assertEqual(self.successResultOf(first), b"a")
        self.assertEqual(self.successResultOf(negotiation.nextRecord()), b"b")
        self.assertEqual(self.successResultOf(negotiation.nextRecord()), b"c")
        answer.callback(True)
        self.assertEqual(transport.producerState, "producing")
        transport.protocol.dataReceived(b"\nd\r\n")
        self.assertEqual(self.events[1:], ["connected", ("serverInput", b"d")])
        self.failureResultOf(negotiation.nextRecord(), NotConnectedError)
        self.assertRaises(NotConnectedError, negotiation.put, b"late")

    def test_forgottenDecorator(self) -> None:
        """
        A result that is never awaited does not accept the connection: a generator
        without its decorator, or a future of another library.
        """

        def generator(client: Any, negotiation: Any) -> Any:
            yield negotiation.nextRecord()

        class Future:
            def __await__(self) -> Any:
                yield

        for answer in (lambda c, n: generator(c, n), lambda c, n: Future()):
            self.setUp()
            client, transport = self.negotiating(answer)
            self.assertTrue(transport.aborted)
            transport.lose()
            self.assertEqual(self.events[1], ("connectError", "preconnect", 103))

    def test_cancellerRaises(self) -> None:
        """
        A Deferred that cannot be cancelled does not hinder the end.
        """

        def cancel(waiting: Deferred[Any]) -> None:
            raise ZeroDivisionError()

        client, transport = self.negotiating(lambda c, n: Deferred(cancel))
        client.shutdown()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        transport.lose()
        self.assertEqual(self.events, ["started", "stopped"])

    def test_reason(self) -> None:
        """
        C{nextRecord} fails with what ended the connection.
        """
        reasons: list[Any] = []

        def preConnect(client: Any, negotiation: Any) -> Any:
            return negotiation.nextRecord().addErrback(reasons.append)

        client, transport = self.negotiating(preConnect)
        transport.protocol.readConnectionLost()
        self.assertTrue(reasons[0].check(ConnectionDone))

    def test_overWhenConnected(self) -> None:
        """
        When C{connected} is called the negotiation is over.
        """
        negotiations: list[Any] = []

        def preConnect(client: Any, negotiation: Any) -> bool:
            negotiations.append(negotiation)
            return True

        def connected(client: Any, peer: Any) -> None:
            self.assertRaises(NotConnectedError, negotiations[0].put, b"late")
            client.shutdown()

        self.recorder.on["connected"] = connected
        client, transport = self.negotiating(preConnect)
        self.assertTrue(transport.disconnecting)

    def test_lostMeanwhile(self) -> None:
        """
        A loss fails the record that is waited for, and the attempt.
        """

        async def preConnect(client: Any, negotiation: Any) -> bool:
            await negotiation.nextRecord()
            return True

        client, transport = self.negotiating(preConnect)
        transport.lose()
        self.assertEqual(
            self.events, ["started", ("connectError", "read", 104), "stopped"]
        )

    def test_endedMeanwhile(self) -> None:
        """
        So does the peer's end of stream, however clean: it is a failed attempt.
        """

        async def preConnect(client: Any, negotiation: Any) -> bool:
            await negotiation.nextRecord()
            return True

        client, transport = self.negotiating(preConnect)
        transport.protocol.readConnectionLost()
        transport.lose()
        self.assertEqual(
            self.events, ["started", ("connectError", "read", 0), "stopped"]
        )
        self.failureResultOf(client.whenStopped(), ConnectionDone)

    def test_lostWhileWaiting(self) -> None:
        """
        So does any other loss, and C{preConnect} is cancelled.
        """
        cancelled: list[Any] = []
        _, transport = self.negotiating(lambda c, n: Deferred(cancelled.append))
        transport.lose()
        self.assertEqual(len(cancelled), 1)
        # The connection is read only while nextRecord() waits.
        self.assertEqual(
            self.events, ["started", ("connectError", "write", 104), "stopped"]
        )

    def test_shutdownMeanwhile(self) -> None:
        """
        C{shutdown} cancels C{preConnect}, and no error is reported.
        """
        cancelled: list[Any] = []
        client, transport = self.negotiating(lambda c, n: Deferred(cancelled.append))
        client.shutdown()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.events, ["started"])
        transport.lose()
        self.assertEqual(self.events, ["started", "stopped"])

    def test_deadline(self) -> None:
        """
        C{connectTimeout} covers it: one deadline for the whole attempt.
        """
        client = self.client(
            preConnect=lambda c, n: Deferred(), connectTimeout=5, autoReconnect=False
        )
        stopped = client.start()
        self.attempts()
        self.reactor.advance(3)
        transport = self.establish()
        self.reactor.advance(1.9)
        self.assertFalse(transport.aborted)
        self.reactor.advance(0.1)
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertEqual(
            self.events, ["started", ("connectError", "connect", 110), "stopped"]
        )
        expired = self.failureResultOf(stopped, TimeoutError)
        self.assertIn(
            "in time: preConnect has not finished (connectTimeout=5)",
            str(expired.value),
        )

    def test_badRecord(self) -> None:
        """
        Bytes that are no record fail the record that is waited for.
        """
        failures: list[Any] = []

        async def preConnect(client: Any, negotiation: Any) -> bool:
            try:
                await negotiation.nextRecord()
            except FramingError as error:
                failures.append(error)
            return False

        client, transport = self.negotiating(preConnect, framing=Line(maxLength=2))
        transport.protocol.dataReceived(b"long\r\n")
        self.assertEqual(len(failures), 1)
        self.assertTrue(transport.aborted)


#: The calls by which a client gives up a connection.
CALLS: dict[str, Callable[[ClientTCPFactory], object]] = {
    "shutdown": lambda client: client.shutdown(),
    "abort": lambda client: client.abort(),
    "reconnect": lambda client: client.reconnect(),
    "connect": lambda client: client.connect(),
}


class Oops(Exception):
    """
    An error of C{preConnect}.
    """


async def awaited(client: ClientTCPFactory, call: Any, wait: Any) -> bool:
    """
    A coroutine that gives up the connection and raises.
    """
    call(client)
    if wait is not None:
        try:
            await wait
        finally:
            raise Oops("the reason")
    raise Oops("the reason")


class LoggedTests(SynchronousTestCase):
    """
    Tests for what is logged when C{preConnect} raises.
    """

    def connect(self, preConnect: Any, **parameters: Any) -> MemoryServer:
        """
        @return: the server of a client, whose connection has just been made.
        """
        self.failures: list[Any] = []
        client = ClientTCPFactory(
            remoteAddress="192.0.2.1",
            remotePort=7,
            autoReconnect=False,
            preConnect=preConnect,
            connectError=lambda client, failure: self.failures.append(failure),
            serverInput=lambda client, record: None,
            **parameters,
        )
        client.initialDelay = client.jitter = 0
        server = MemoryServer(client)
        server.stopped.addErrback(lambda failure: None)
        server.accept()
        return server

    def assertLogged(self) -> None:
        """
        Check that the error has been logged once, with its traceback.
        """
        gc.collect()
        (failure,) = self.flushLoggedErrors()
        self.assertTrue(failure.check(Oops))
        self.assertIn('raise Oops("the reason")', failure.getTraceback())
        self.assertEqual(self.failures, [])

    def test_givesUp(self) -> None:
        """
        An exception is logged also if C{preConnect} has given up the connection before.
        """
        for name, call in CALLS.items():

            def sync(client: Any, negotiation: Any, call: Any = call) -> bool:
                call(client)
                raise Oops("the reason")

            def later(client: Any, negotiation: Any, call: Any = call) -> Any:
                return awaited(client, call, None)

            def failed(client: Any, negotiation: Any, call: Any = call) -> Any:
                call(client)
                try:
                    raise Oops("the reason")
                except Oops:
                    return fail()

            def waits(client: Any, negotiation: Any, call: Any = call) -> Any:
                return awaited(client, call, Deferred())

            def reads(client: Any, negotiation: Any, call: Any = call) -> Any:
                return awaited(client, call, negotiation.nextRecord())

            for preConnect in (sync, later, failed, waits, reads):
                server = self.connect(preConnect)
                server.advance(1)
                self.assertLogged()
                server.client.shutdown()
                server.advance(1)
                self.assertTrue(server.client.shuttingDown, name)

    def test_afterALoss(self) -> None:
        """
        An exception that is raised because of the end of the connection is logged.
        """

        async def preConnect(client: Any, negotiation: Any) -> bool:
            try:
                await negotiation.nextRecord()
            except Exception:
                raise Oops("the reason") from None
            return True

        for end in (MemoryServer.reset, MemoryServer.close):
            server = self.connect(preConnect)
            end(server)
            (failure,) = self.failures
            self.failures.clear()
            self.assertLogged()

    def test_late(self) -> None:
        """
        So is one that is raised when the next connection is being negotiated, which it
        does not disturb.
        """
        answers: list[Deferred[Any]] = []

        def preConnect(client: Any, negotiation: Any) -> Any:
            answers.append(Deferred(lambda answer: None))
            return stubborn(answers[-1])

        async def stubborn(answer: Any) -> Any:
            try:
                return await answer
            except Exception:
                return await late

        late: Any = Deferred()
        server = self.connect(preConnect)
        server.client.reconnect()
        server.advance(0)
        server.accept()
        try:
            raise Oops("the reason")
        except Oops:
            late.errback()
        self.assertLogged()
        server.client.shutdown()
        server.advance(0)
        self.assertEqual(answers[1].called, True)

    def test_consequences(self) -> None:
        """
        The errors with which the end of the connection ends C{preConnect} are not
        logged.
        """
        for act in (*CALLS.values(), None):
            for wait in ("nextRecord", "sleep"):

                async def preConnect(
                    client: Any, negotiation: Any, wait: str = wait
                ) -> bool:
                    if wait == "nextRecord":
                        await negotiation.nextRecord()
                    else:
                        await deferLater(client.clock, 100)
                    return True

                server = self.connect(preConnect, connectTimeout=5)
                if act is None:
                    server.advance(5)
                else:
                    act(server.client)
                server.client.shutdown()
                server.advance(1)
                gc.collect()
                self.assertEqual(self.flushLoggedErrors(), [])


class StartTLSTests(NetworkTestCase):
    """
    Tests for a handshake that fails and that nothing waits for.
    """

    async def test_notAwaited(self) -> None:
        """
        If C{preConnect} does not await the handshake, only C{connectError} reports that
        it has failed.
        """
        options = optionsForClientTLS("localhost")

        def agrees(client: Any, negotiation: Any) -> bool:
            negotiation.startTLS(options)
            return True

        def refuses(client: Any, negotiation: Any) -> bool:
            negotiation.startTLS(options)
            return False

        def raises(client: Any, negotiation: Any) -> bool:
            negotiation.startTLS(options)
            raise Oops("the reason")

        def stops(client: Any, negotiation: Any) -> bool:
            negotiation.startTLS(options)
            client.shutdown()
            return True

        async def agreesLater(client: Any, negotiation: Any) -> bool:
            negotiation.startTLS(options)
            await turn()
            return True

        async def neverAgrees(client: Any, negotiation: Any) -> bool:
            negotiation.startTLS(options)
            await Deferred()
            return True

        async def afterAnAnswer(client: Any, negotiation: Any) -> bool:
            await negotiation.nextRecord()
            negotiation.startTLS(options)
            return True

        server = Server()
        server.met = lambda peer: peer.send(b"220 ready\r\nand more\r\n")
        server.heard = lambda peer, data: peer.send(b"no TLS\r\n")
        await self.listen(server)
        for preConnect, expected in (
            (agrees, TLSError),
            (refuses, None),
            (raises, None),
            (stops, None),
            (agreesLater, TLSError),
            (neverAgrees, TLSError),
            (afterAnAnswer, TLSError),
        ):
            failures: list[Any] = []
            client = self.client(
                server,
                preConnect=preConnect,
                connectError=lambda client, failure, failures=failures: failures.append(
                    failure
                ),
                serverInput=lambda client, record: None,
            )
            client.start().addErrback(lambda failure: None)
            await client.whenStopped().addErrback(lambda failure: None)
            if expected is not None:
                self.assertTrue(failures[0].check(expected), preConnect.__name__)
            gc.collect()
            logged = self.flushLoggedErrors()
            self.assertEqual(
                [failure.type for failure in logged],
                [Oops] if preConnect is raises else [],
                preConnect.__name__,
            )
