"""
Property tests: calls, network events and time in any order keep the client's promises.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import NotConnectedError, OutputFull
from twisted_clienttcp.framing import Line, Stream, int32

from .._memory import FlowTestCase, Transport, phase
from .._support import CALLBACKS, CHUNK

#: The calls that a user may make at any time, also in a callback.
CALLS = (
    "start",
    "shutdown",
    "reconnect",
    "reconnectLater",
    "replace",
    "connect",
    "put",
    "pause",
    "resume",
    "swap",
    "endSending",
    "postReconnect",
    "postShutdown",
    "postLater",
    "stopTrying",
    "retry",
    "resetDelay",
    "raising",
)


@implementer(IHalfCloseableDescriptor)
class Wire(Transport):
    """
    A transport that behaves like that of a socket, at times that the test chooses.
    """

    lost = False
    halfClosing = False
    peerEnded = False

    def loseWriteConnection(self) -> None:
        self.halfClosing = True

    def readConnectionLost(self, reason: Any) -> None:
        pass

    def writeConnectionLost(self, reason: Any) -> None:
        pass

    def lose(self, reason: Any = None) -> None:
        if not self.lost:
            self.lost = True
            super().lose(reason)


class Connection:
    """
    The reports of the network and of the callbacks about one connection.

    @ivar givenUp: a call has ended it: no record may follow.
    @ivar mayBeGivenUp: a posted event ends it in some turn: records may be left out.
    @ivar drains: what is put is for the next connection.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.connected = 0
        self.disconnected = 0
        self.errors = 0
        self.givenUp = False
        self.mayBeGivenUp = False
        self.drains = False
        self.sent = b""
        self.delivered: list[bytes] = []
        self.swapped = False
        self.put = b""


class ClientMachine(RuleBasedStateMachine):
    """
    A client, its network, and what it has reported.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reactor = MemoryReactorClock()
        self.connections: list[Connection] = []
        self.plans: dict[str, str] = {}
        self.running = False
        self.shutdowns: list[Deferred[Any]] = []
        self.stops: list[Deferred[Any]] = []
        self.records = 0
        #: What was put for the next connection.
        self.waiting = b""
        self.laters: list[Any] = []
        self.broken: list[AssertionError] = []
        #: The callbacks that are making calls.
        self.calling: list[str] = []

    @initialize(
        autoReconnect=st.booleans(),
        shutdownOnError=st.booleans(),
        maxRetries=st.sampled_from([None, None, 0, 1]),
        watched=st.booleans(),
        connected=st.sampled_from([True, True, True, False]),
        plan=st.none() | st.tuples(st.sampled_from(CALLBACKS), st.sampled_from(CALLS)),
    )
    def build(
        self,
        autoReconnect: bool,
        shutdownOnError: bool,
        maxRetries: int | None,
        watched: bool,
        connected: bool,
        plan: tuple[str, str] | None,
    ) -> None:
        self.client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=7,
            reactor=self.reactor,
            autoReconnect=autoReconnect,
            shutdownOnError=shutdownOnError,
            framing=Line(delimiter=b"\n"),
            idleTimeout=20 if watched else None,
            heartbeat=(3, lambda client: self.call_put()) if watched else None,
            **{name: self.callback(name) for name in CALLBACKS},
        )
        self.client.jitter = 0
        self.client.maxRetries = maxRetries
        if plan is not None:
            self.plans[plan[0]] = plan[1]
        if connected:
            self.connectAgain()

    @precondition(lambda self: not (self.connections and self.client.connected))
    @rule()
    def connectAgain(self) -> None:
        """
        Most errors need a connection.
        """
        if not self.running:
            self.call_start()
        self.reactor.advance(5)
        if self.connecting():
            self.succeed()

    @precondition(lambda self: self.client.connected)
    @rule()
    def putAndDrain(self) -> None:
        """
        Many errors need output.
        """
        self.call_put()
        if self.wired():
            self.drain()

    @precondition(lambda self: self.client.connected)
    @rule(pending=st.booleans(), call=st.sampled_from(CALLS))
    def replaceAndPut(self, pending: bool, call: str) -> None:
        """
        And what is put during a drain is for the next connection.
        """
        if pending:
            self.call_put()
        self.call_replace()
        self.call_put()
        self.call(call)
        self.call_put()

    # -- what the client reports

    @property
    def now(self) -> Connection:
        return self.connections[-1]

    def callback(self, name: str) -> Any:
        check = getattr(self, f"check_{name}")

        def call(client: ClientTCPFactory, *args: Any) -> None:
            try:
                assert self.running or name == "started", f"{name} after stopped"
                check(*args)
            except AssertionError as broken:
                # Raised here, it would be one more callback that raises.
                self.broken.append(broken)
            plan = self.plans.pop(name, None)
            if plan is not None:
                self.calling.append(name)
                try:
                    self.call(plan)
                finally:
                    self.calling.pop()
            if name == "connected" and client.connected:
                self.sendWaiting()

        return call

    def check_started(self) -> None:
        assert not self.running
        self.running = True

    def check_connected(self, peer: Any) -> None:
        self.now.connected += 1
        if any(later.active() for later in self.laters):
            self.mayGiveUp()
        assert self.now.connected == 1
        assert self.client.server is not None

    def check_connectError(self, failure: Failure) -> None:
        assert not (self.connections and self.now.connected > self.now.disconnected)

    def check_serverInput(self, record: bytes) -> None:
        assert self.now.connected and not self.now.disconnected
        assert not self.now.givenUp, "a record after the connection was given up"
        self.now.delivered.append(record)

    def check_serverError(self, failure: Failure) -> None:
        assert self.now.connected and not self.now.disconnected
        self.now.errors += 1
        # Without shutdownOnError the end of the peer's side is one, the loss another.
        assert self.now.errors <= (1 if self.client.shutdownOnError else 2)

    def check_serverFlushed(self) -> None:
        assert self.now.connected and not self.now.disconnected
        assert self.client.pendingBytes == 0

    def check_disconnected(self, disconnection: Any) -> None:
        connection = self.now
        connection.disconnected += 1
        assert connection.connected == connection.disconnected == 1
        assert self.client.server is None and not self.client.connected
        lost = len(connection.put) - len(connection.wire.sent)
        assert disconnection.unsent >= lost - connection.wire.held
        complete = connection.sent.split(b"\n")[:-1]
        if connection.swapped:
            data = connection.sent.replace(b"\n", b"")
            got = b"".join(connection.delivered).replace(b"\n", b"")
            assert data.startswith(got)
        else:
            assert connection.delivered == complete[: len(connection.delivered)]
            if not (connection.givenUp or connection.mayBeGivenUp):
                # Records are undelivered if the client is paused until the deadline.
                undelivered = len(complete) - len(connection.delivered)
                assert disconnection.undelivered == undelivered, "a record was lost"

    def check_stopped(self, failure: Failure | None) -> None:
        assert self.client.shuttingDown
        for connection in self.connections:
            assert connection.connected == connection.disconnected
        self.running = False
        self.waiting = b""

    # -- what the user does

    @rule(call=st.sampled_from(CALLS))
    def call(self, call: str) -> None:
        getattr(self, f"call_{call}")()

    @rule(name=st.sampled_from(CALLBACKS), call=st.sampled_from(CALLS))
    def plan(self, name: str, call: str) -> None:
        """
        Make a call in the next callback with this name.
        """
        self.plans[name] = call

    def giveUp(self) -> None:
        if self.connections:
            self.now.givenUp = True

    def call_start(self) -> None:
        try:
            stopped = self.client.start()
        except RuntimeError:
            assert self.client.shuttingDown
        else:
            self.stops.append(stopped)
            stopped.addErrback(lambda failure: None)

    def sendWaiting(self) -> None:
        """
        The present connection sends what was put for the one after another.
        """
        self.now.put += self.waiting
        self.waiting = b""

    def call_replace(self) -> None:
        """
        Drain the connection, unless a posted event will end it.
        """
        if self.connections and self.now.mayBeGivenUp:
            return
        if self.client.connected:
            self.sendWaiting()
            self.now.drains = True
        elif self.client.server is None:
            self.giveUp()
        self.client.reconnect(drain=True)

    def isLast(self) -> None:
        """
        No connection follows the present one.
        """
        connection, wire = self.now, self.now.wire
        isOpen = self.client.connected or connection.drains
        hasEnded = wire.halfClosing or wire.disconnecting
        if isOpen and not (hasEnded or wire.lost or wire.aborted):
            self.sendWaiting()
        connection.drains = False

    def call_shutdown(self) -> None:
        if self.connections and self.client.server is not None:
            self.isLast()
        self.giveUp()
        self.shutdowns.append(self.client.shutdown())

    def call_reconnect(self) -> None:
        self.giveUp()
        self.client.reconnect()

    def call_reconnectLater(self) -> None:
        self.giveUp()
        self.client.reconnect(5)

    def call_connect(self) -> None:
        self.giveUp()
        self.client.connect("127.0.0.1", 8)

    def mayGiveUp(self) -> None:
        if self.connections:
            self.now.mayBeGivenUp = True

    def call_postReconnect(self) -> None:
        self.mayGiveUp()
        self.client.post("reconnect")

    def call_postShutdown(self) -> None:
        if self.connections and self.now.drains:
            return
        self.mayGiveUp()
        self.client.post("shutdown")

    def call_postLater(self) -> None:
        self.mayGiveUp()
        self.laters.append(self.client.postLater(9, "reconnect"))

    def call_put(self) -> None:
        self.records += 1
        record = b"%06d" % self.records * 1000
        try:
            self.client.put(record)
        except NotConnectedError:
            assert self.client.server is None or not self.now.drains
        else:
            server = self.client.server
            if server is None:
                assert any(connection.drains for connection in self.connections)
            if server is None or self.now.drains:
                self.waiting += record + b"\n"
            else:
                framing: Any = server.outputFraming
                self.now.put += framing.encode(record)

    def call_pause(self) -> None:
        self.client.pauseProducing()

    def call_resume(self) -> None:
        self.client.resumeProducing()

    def call_swap(self) -> None:
        try:
            self.client.setInputFraming(Stream)
        except NotConnectedError:
            pass
        else:
            self.now.swapped = True

    def call_endSending(self) -> None:
        if self.client.connected:
            self.sendWaiting()
        try:
            self.client.loseWriteConnection()
        except NotConnectedError:
            pass

    def call_raising(self) -> None:
        """
        A callback raises, and the connection is dropped.
        """
        if self.calling:
            self.giveUp()
            raise ZeroDivisionError(self.calling[-1])

    def call_retry(self) -> None:
        self.mayGiveUp()
        self.client.retry()

    def call_resetDelay(self) -> None:
        self.client.resetDelay()

    def call_stopTrying(self) -> None:
        wasStopping = self.client.shuttingDown
        self.client.stopTrying()
        if self.client.shuttingDown and not wasStopping and self.client.server:
            self.isLast()

    # -- what the network does

    @property
    def attempt(self) -> Any:
        return self.reactor.tcpClients[-1][2] if self.reactor.tcpClients else None

    def connecting(self) -> bool:
        return phase(self.client) == "connecting"

    def wired(self) -> bool:
        return bool(self.connections) and not self.now.wire.lost

    @precondition(connecting)
    @rule()
    def succeed(self) -> None:
        self.reactor.advance(0)
        if not self.connecting():
            return
        protocol = self.attempt.buildProtocol(None)
        wire = Wire()
        wire.protocol = protocol
        self.connections.append(Connection(wire))
        protocol.makeConnection(wire)

    @precondition(connecting)
    @rule()
    def fail(self) -> None:
        self.attempt.clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    @precondition(wired)
    @rule(data=st.sampled_from([b"a\n", b"b\nc\nd", b"e", b"\n", b"f\ng\nh\ni\n"]))
    def send(self, data: bytes) -> None:
        wire = self.now.wire
        reading = wire.producerState == "producing" and not wire.disconnecting
        if reading and not wire.peerEnded and not wire.aborted:
            self.now.sent += data
            wire.protocol.dataReceived(data)

    @precondition(lambda self: self.client.connected)
    @rule(
        call=st.sampled_from(CALLS),
        event=st.sampled_from(["reset", "peerEnds", "drain"]),
    )
    def callInMidBatch(self, call: str, event: str) -> None:
        """
        The call is made while records of the same read are still to be delivered, and
        the network continues.
        """
        self.plans["serverInput"] = call
        if self.wired():
            self.send(b"f\ng\nh\ni\n")
        if self.wired():
            getattr(self, event)()

    @precondition(wired)
    @rule()
    def peerEnds(self) -> None:
        wire = self.now.wire
        if wire.producerState == "producing" and not (wire.peerEnded or wire.aborted):
            wire.peerEnded = True
            wire.protocol.readConnectionLost()

    @precondition(wired)
    @rule()
    def reset(self) -> None:
        self.now.wire.lose(ConnectionLost())

    @precondition(wired)
    @rule()
    def drain(self) -> None:
        """
        The kernel accepts the output of the transport; a close that waited for it
        happens.
        """
        self.reactor.advance(0)
        wire = self.now.wire
        if wire.aborted:
            wire.lose(ConnectionAborted())
            return
        wire.drain()
        if wire.held or wire.producer is not None or wire.lost:
            return
        if wire.disconnecting:
            wire.lose(ConnectionDone())
        elif wire.halfClosing:
            wire.protocol.writeConnectionLost()

    @rule(seconds=st.sampled_from([0, 0.5, 3, 6, 40]))
    def passTime(self, seconds: float) -> None:
        self.reactor.advance(seconds)

    # -- what holds at all times

    @invariant()
    def promises(self) -> None:
        if self.broken:
            raise self.broken[0]

    @invariant()
    def flags(self) -> None:
        client = self.client
        live = bool(self.connections) and (self.now.connected > self.now.disconnected)
        assert live == (client.server is not None)
        assert not (client.connected and client.shuttingDown)
        if client.connected:
            assert live

    @invariant()
    def counts(self) -> None:
        if self.client.server is not None:
            wire = self.now.wire
            inUserSpace = len(self.now.put) - len(wire.sent)
            pending = self.client.pendingBytes - len(self.waiting)
            assert pending >= inUserSpace, (pending, inUserSpace)
            assert pending <= inUserSpace + 65536

    @invariant()
    def order_of_bytes(self) -> None:
        for connection in self.connections:
            assert connection.put.startswith(connection.wire.sent)

    @invariant()
    def oneOwnedTimer(self) -> None:
        if not self.running:
            assert all(deferred.called for deferred in self.shutdowns)
            assert self.timers() == [], "a timer after stopped"

    def timers(self) -> list[Any]:
        """
        @return: the calls that must follow later than in the next turn, apart from
            events that the user has posted since.
        """
        return [
            call
            for call in self.reactor.getDelayedCalls()
            if "Events." not in str(call) and call.getTime() > self.reactor.seconds()
        ]

    def teardown(self) -> None:
        """
        In any state, C{shutdown} leads to C{stopped}.
        """
        self.plans.clear()
        for later in self.laters:
            if later.active():
                later.cancel()
        self.reactor.advance(0)
        self.giveUp()
        stopped = self.client.shutdown()
        for _ in range(3):
            self.reactor.advance(100)
            if self.wired():
                self.now.wire.lose(ConnectionDone())
        self.reactor.advance(100)
        self.promises()
        assert stopped.called
        assert not self.running
        assert all(deferred.called for deferred in self.stops)
        assert self.timers() == []


class InvariantTests(SynchronousTestCase):
    """
    Many runs of L{ClientMachine}.
    """

    def test_anyOrder(self) -> None:
        """
        Every promise is kept, with any calls and events in any order.
        """
        try:
            run_state_machine_as_test(
                ClientMachine,
                settings=settings(max_examples=200, stateful_step_count=50),
            )
        finally:
            # Errors of the callbacks that raise on purpose.
            self.flushLoggedErrors(ZeroDivisionError)


class AnySequenceTests(FlowTestCase):
    """
    Any calls and events in any order.
    """

    @settings(max_examples=150)
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
        The bytes sent are exactly those that were put, or the first of them; high and
        low alternate; a flush is reported exactly when nothing is pending; C{unsent} is
        never less than the bytes lost in user space; the records kept are sent by the
        next connection, once and in its framing.
        """
        self.setUp()
        client, transport = self.connected(
            **self.recorder.marks(100, 10), offlineLimit=offlineLimit, drainTimeout=5
        )
        put: list[bytes] = []
        again: list[bytes] = []
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
                put.append(framing.encode(record))
                again.append(framings[0].encode(record))
                self.assertEqual(isHigh, client.pendingBytes >= (client.highMark or 0))
            elif step == "putMany":
                records = [b"%d.%d" % (seed, n) for n in range(much)]
                client.putMany(records)
                put += map(framing.encode, records)
                again += map(framings[0].encode, records)
            elif step == "write":
                client.write(b"w" * much)
                put.append(b"w" * much)
                again.append(b"w" * much)
            elif step == "marks":
                client.setMarks(much * 2, much)
            elif step == "swap":
                framing = framings[much].fresh()
                client.setOutputFraming(framing)
            elif step == "turn":
                self.reactor.advance(0)
            elif step == "drain":
                transport.drain()
            elif client.server is not None:
                client.pauseProducing()
            sent = len(transport.sent)
            total = sum(map(len, put))
            self.assertLessEqual(total - sent, client.pendingBytes)
            self.assertLessEqual(client.pendingBytes, total - sent + CHUNK)
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
            # A transport that is not read does not notice the loss before.
            client.resumeProducing()
            self.assertTrue(everything.startswith(transport.sent))
            [disconnection] = self.recorder.disconnections
            kept = client.pendingBytes
            lost = len(everything) - len(transport.sent) - kept
            self.assertGreaterEqual(disconnection.unsent, lost)
            if kept:
                del self.recorder.on["serverFlushed"]
                self.reactor.advance(client.delay)
                second = self.establish()
                self.drain(second)
                numbers = range(len(put) + 1)
                self.assertIn(
                    (kept, second.sent),
                    [
                        (sum(map(len, put[a:b])), b"".join(again[a:b]))
                        for a in numbers
                        for b in numbers[a:]
                    ],
                )
        self.assertEqual(atFlush, [0] * len(atFlush))
        # A connection may end high, and the next one begins low.
        ofFirst = self.events[: self.events.index("disconnected")]
        marks = [e for e in ofFirst if e in ("serverHigh", "serverLow")]
        first = marks[: len(marks) // 2 * 2]
        self.assertEqual(first, ["serverHigh", "serverLow"] * (len(first) // 2))

    @settings(max_examples=200)
    @given(
        st.lists(
            st.sampled_from(
                [
                    *("put", "putMuch", "drain", "lose", "connect") * 2,
                    *("turn", "peerEnds", "flushed", "replace", "silence"),
                ]
            ),
            max_size=30,
        ),
        st.sampled_from([0, 200, CHUNK * 3, CHUNK * 20]),
        st.booleans(),
    )
    def test_overConnections(
        self, plan: list[str], offlineLimit: int, login: bool
    ) -> None:
        """
        Over any number of connections, no record is sent twice or before an older one.
        All accepted bytes have been sent, are pending, or are reported as lost, and are
        counted so at any time; and each Deferred that waits for a flush fires.
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

        def put(data: int) -> None:
            nonlocal accepted, number
            number += 1
            record = (b"%d;" % number).ljust(data, b".")
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
                if step == "connect" and phase(client) == "connecting":
                    live = self.establish()
                    transports.append(live)
            elif step == "drain":
                self.reactor.advance(0)
                live.drain()
                if live.disconnecting and not live.held:
                    live.lose(ConnectionDone())
                    live = None
            elif step == "replace":
                client.reconnect(drain=True)
            elif step == "silence":
                self.reactor.advance(6)
                self.reactor.advance(0)
            elif step == "peerEnds":
                live.protocol.readConnectionLost()
            elif step == "lose":
                live.lose()
                live = None
            stats = client.stats
            sent = sum(len(transport.sent) for transport in transports)
            self.assertEqual(stats.bytesOut, accepted)
            self.assertEqual(sent + stats.pendingBytes + stats.unsentBytes, accepted)
            self.assertGreaterEqual(stats.unsentBytes, 0)
        if live is not None:
            live.lose()
        stats = client.stats
        sent = sum(len(transport.sent) for transport in transports)
        self.assertEqual(sent + stats.unsentBytes, accepted)
        self.assertTrue(all(waiter.called for waiter in waiters))
        numbers = []
        for transport in transports:
            records = transport.sent.split(b"\n")
            self.assertNotIn(b"login", records[1:])
            numbers += [int(r.split(b";")[0]) for r in records if b";" in r]
        self.assertEqual(numbers, sorted(set(numbers)))
