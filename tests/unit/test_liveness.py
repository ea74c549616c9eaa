"""
The watch over a silent peer: C{idleTimeout} and C{heartbeat}. The network is a memory
reactor and the time a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._watch import Heartbeat, Watch
from twisted_clienttcp.errors import (
    CallbackError,
    ClientTCPError,
    HeartbeatTimeout,
    IdleTimeout,
)
from twisted_clienttcp.framing import Stream

from ..behaviour.test_factory import ClientTestCase


class CountingClock(Clock):
    """
    A clock that counts the timers set.
    """

    timers = 0

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any:
        self.timers += 1
        return super().callLater(delay, callable, *args, **kw)


class Subject:
    """
    A connection under watch, which remembers when it was asked for what.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.pendingOctets = 0
        self.taken = 0
        self.answering = False
        self.beats: list[float] = []
        self.ends: list[tuple[float, ClientTCPError]] = []
        self.answer: Callable[[], object] = lambda: None
        self.canBeat = True

    def _beat(self, heartbeat: Heartbeat) -> bool:
        if self.canBeat:
            self.beats.append(self.clock.seconds())
            self.answer()
        return self.canBeat

    def _silent(self, error: ClientTCPError) -> None:
        self.ends.append((self.clock.seconds(), error))


class WatchTests(SynchronousTestCase):
    """
    L{Watch} by itself.
    """

    def watch(
        self, idle: float | None = None, beat: float | None = None, reading: bool = True
    ) -> Watch:
        self.clock = CountingClock()
        self.subject = Subject(self.clock)
        heartbeat = None if beat is None else Heartbeat(beat, lambda client: None)
        return Watch(self.subject, self.clock, idle, heartbeat, reading)

    def to(self, time: float) -> None:
        """
        Let time go by, second by second: a clock that leaps is a process that was busy.
        """
        while (rest := time - self.clock.seconds()) > 0:
            self.clock.advance(min(rest, 1))

    @given(
        gaps=st.lists(st.integers(1, 40), max_size=20),
        idle=st.none() | st.integers(1, 30),
        beat=st.none() | st.integers(1, 30),
        kind=st.sampled_from(["data", "pause"]),
    )
    def test_silence(
        self, gaps: list[int], idle: int | None, beat: int | None, kind: str
    ) -> None:
        """
        With reads (or pauses, which end) at any times: the end comes exactly when the
        peer has been silent for so long, and a heartbeat exactly half way; nothing
        comes before.
        """
        watch = self.watch(idle, beat)
        last, beats = 0.0, []
        longest = min(idle or 1000, 2 * (beat or 1000))
        for gap in gaps:
            time = last + gap
            if beat is not None and gap >= beat and (idle is None or beat < idle):
                beats.append(last + beat)
            if gap >= longest:
                break
            self.to(time)
            if kind == "data":
                watch.heard()
            else:
                watch.reading(False)
                watch.reading(True)
            last = time
        else:
            self.assertEqual(self.subject.ends, [])
            self.assertEqual(len(self.clock.getDelayedCalls()), int(longest < 1000))
            watch.stop()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            return
        self.to(last + longest)
        ((when, error),) = self.subject.ends
        self.assertEqual(when, last + longest)
        self.assertEqual(error.seconds, longest)  # type: ignore[attr-defined]
        self.assertEqual(self.clock.getDelayedCalls(), [])
        if idle != beat:
            self.assertEqual(self.subject.beats, beats)

    def test_oneTimer(self) -> None:
        """
        However much is read, the timer is not touched.
        """
        watch = self.watch(idle=10, beat=5)
        for _ in range(1000):
            watch.heard()
        self.assertEqual(self.clock.timers, 1)
        self.to(4)
        watch.heard()
        self.to(8)
        self.assertEqual(self.clock.timers, 2)
        self.assertEqual(self.subject.beats, [])
        self.to(9)
        self.assertEqual(self.subject.beats, [9])

    def test_answered(self) -> None:
        """
        Any octet is an answer; the next heartbeat comes after as much silence again.
        """
        watch = self.watch(beat=10)
        self.to(10)
        self.to(19.5)
        watch.heard()
        self.to(29)
        self.assertEqual(self.subject.beats, [10])
        self.to(29.5)
        self.assertEqual(self.subject.beats, [10, 29.5])
        self.to(39.5)
        ((when, error),) = self.subject.ends
        self.assertEqual(when, 39.5)
        self.assertIsInstance(error, HeartbeatTimeout)

    def test_answeredAtOnce(self) -> None:
        """
        Also one that comes before the clock has moved.
        """
        watch = self.watch(beat=10)
        self.subject.answer = watch.heard
        self.to(100)
        self.assertEqual(self.subject.beats, [*range(10, 101, 10)])
        self.assertEqual(self.subject.ends, [])

    def test_busyProcess(self) -> None:
        """
        What has come while the process was busy is read before the silence is judged.
        """
        watch = self.watch(idle=10)
        # The reactor runs timers first, and then reads.
        self.clock.callLater(12, watch.heard)
        self.clock.advance(12)
        self.assertEqual(self.subject.ends, [])
        self.clock.callLater(12, watch.heard)
        self.clock.advance(12)
        self.assertEqual(self.subject.ends, [])
        self.to(34)
        self.assertEqual([when for when, _ in self.subject.ends], [34])

    def test_busyProcessAsked(self) -> None:
        """
        So is an answer.
        """
        watch = self.watch(beat=10)
        self.to(10)
        self.assertEqual(self.subject.beats, [10])
        self.clock.callLater(12, watch.heard)
        self.clock.advance(12)
        self.assertEqual(self.subject.ends, [])

    def test_paused(self) -> None:
        """
        While nothing is read, nothing happens; silence begins when reading begins.
        """
        watch = self.watch(idle=30, beat=10)
        self.to(5)
        watch.reading(False)
        self.to(500)
        self.assertEqual((self.subject.beats, self.subject.ends), ([], []))
        watch.reading(True)
        self.to(509)
        self.assertEqual(self.subject.beats, [])
        self.to(510)
        self.assertEqual(self.subject.beats, [510])

    def test_pausedFromTheStart(self) -> None:
        """
        So it is with a connection that is paused when the watch begins.
        """
        watch = self.watch(idle=10, reading=False)
        self.to(100)
        watch.reading(True)
        self.to(109)
        self.assertEqual(self.subject.ends, [])
        self.to(110)
        self.assertEqual(len(self.subject.ends), 1)

    def test_pausedWhileAsked(self) -> None:
        """
        A pause takes the question back: the answer may wait unread.
        """
        watch = self.watch(beat=10)
        self.to(10)
        watch.reading(False)
        self.to(50)
        watch.reading(True)
        self.to(59)
        self.assertEqual((self.subject.beats, self.subject.ends), ([10], []))

    def test_answering(self) -> None:
        """
        While our own answer is waited for the peer is not idle, but may be gone.
        """
        watch = self.watch(idle=10, beat=25)
        self.to(5)
        self.subject.answering = True
        self.to(24)
        self.subject.answering = False
        watch.answered()
        self.to(33)
        self.assertEqual((self.subject.beats, self.subject.ends), ([25], []))
        self.to(34)
        self.assertIsInstance(self.subject.ends[0][1], IdleTimeout)
        self.watch(idle=10, beat=25)
        self.subject.answering = True
        self.to(50)
        self.assertIsInstance(self.subject.ends[0][1], HeartbeatTimeout)

    def test_resumedTwice(self) -> None:
        """
        To resume what is not paused is no sign of the peer's.
        """
        watch = self.watch(idle=10)
        self.to(9)
        watch.reading(True)
        self.to(10)
        self.assertEqual(len(self.subject.ends), 1)

    def test_takesOutput(self) -> None:
        """
        A peer that takes what waits before the question is there; one that takes
        nothing more is not.
        """
        self.watch(beat=10)
        self.subject.pendingOctets = 900
        self.to(10)
        for time in (15, 25):
            # More may come than is taken.
            self.subject.pendingOctets += 300
            self.to(time)
            self.subject.taken += 100
            self.to(time + 5)
        self.assertEqual(self.subject.ends, [])
        self.to(40)
        self.assertIsInstance(self.subject.ends[0][1], HeartbeatTimeout)

    def test_tookTheQuestion(self) -> None:
        """
        That our own kernel has taken the question says nothing of the peer.
        """
        self.watch(beat=10)
        self.subject.pendingOctets = 6
        self.to(10)
        self.subject.pendingOctets, self.subject.taken = 0, 6
        self.to(20)
        self.assertEqual(len(self.subject.ends), 1)

    def test_cannotAsk(self) -> None:
        """
        Where nothing can be sent any more, only C{idleTimeout} counts.
        """
        for idle in (None, 50):
            self.watch(beat=10, idle=idle)
            self.subject.canBeat = False
            self.to(49)
            self.assertEqual(self.subject.ends, [])
            self.to(1000)
            self.assertEqual(len(self.subject.ends), int(idle is not None))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stoppedInTheBeat(self) -> None:
        """
        Who asks may end the watch.
        """
        watch = self.watch(beat=10)
        self.subject.answer = watch.stop
        self.to(1000)
        self.assertEqual((self.subject.beats, self.subject.ends), ([10], []))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ClientWatchTests(ClientTestCase):
    """
    A client's connections under watch.
    """

    def test_idle(self) -> None:
        """
        The connection is dropped, C{serverError} knows why, and the policy goes on.
        """
        client, transport = self.connected(idleTimeout=30)
        self.reactor.advance(20)
        transport.protocol.dataReceived(b"a\r\n")
        self.reactor.advance(29.9)
        self.assertFalse(transport.aborted)
        self.reactor.advance(0.1)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.events[-1], ("serverError", "read", 110))
        error = self.recorder.failures[-1].value
        self.assertIsInstance(error, IdleTimeout)
        self.assertIn("30.0 seconds", str(error))
        transport.lose(ConnectionAborted())
        self.assertEqual(self.events[-1], "disconnected")
        disconnection = self.recorder.disconnections[-1]
        self.assertEqual(disconnection.initiator, "local")
        self.assertIs(disconnection.failure.value, error)
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 2)

    def test_heartbeat(self) -> None:
        """
        A record is put after the silence; without an answer the connection is half
        open, and told so.
        """
        client, transport = self.connected(heartbeat=(30, b"PING"))
        for _ in range(3):
            self.reactor.advance(30)
            self.reactor.advance(0)
            self.assertEqual(transport.value(), b"PING\r\n")
            transport.drain()
            transport.clear()
            transport.protocol.dataReceived(b"P")
        self.reactor.pump([30, 0, 29.9])
        self.assertFalse(transport.aborted)
        self.reactor.advance(0.1)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.events[-1], ("serverError", "read", 110))
        self.assertIsInstance(self.recorder.failures[-1].value, HeartbeatTimeout)
        transport.lose(ConnectionAborted())
        self.assertEqual(self.recorder.disconnections[-1].initiator, "local")
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 2)

    def test_function(self) -> None:
        """
        A function is called with the client, and what it returns is put; it may put
        itself, and return None.
        """
        for returned in (True, False):
            self.setUp()

            def ask(client: ClientTCPFactory, returned: bool = returned) -> Any:
                if returned:
                    return b"PING"
                client.put(b"PING")
                return None

            client, transport = self.connected(heartbeat=(30, ask))
            self.reactor.advance(30)
            self.reactor.advance(0)
            self.assertEqual(transport.value(), b"PING\r\n")
            client.shutdown()

    def test_functionThatStops(self) -> None:
        """
        The function may end the connection.
        """
        client, transport = self.connected(
            heartbeat=(30, lambda client: client.shutdown())
        )
        self.reactor.advance(30)
        self.assertTrue(client.shuttingDown)
        self.assertTrue(transport.disconnecting)
        transport.lose(ConnectionDone())
        self.assertEqual(self.events[-2:], ["disconnected", "stopped"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_functionRaises(self) -> None:
        """
        A function that raises, or returns what cannot be framed, costs the connection
        as any callback does.
        """
        for ask, kind in (
            (lambda client: 1 / 0, ZeroDivisionError),
            (lambda client: "text", TypeError),
        ):
            self.setUp()
            _, transport = self.connected(heartbeat=(30, ask))
            self.reactor.advance(30)
            self.assertEqual(len(self.flushLoggedErrors(kind)), 1)
            error = self.recorder.failures[-1].value
            self.assertIsInstance(error, CallbackError)
            self.assertEqual(error.callback, "heartbeat")
            self.assertTrue(transport.aborted)
            transport.lose()

    def test_bothAtOnce(self) -> None:
        """
        Whichever comes first.
        """
        _, transport = self.connected(heartbeat=(10, b"PING"), idleTimeout=15)
        self.reactor.advance(15)
        self.assertIsInstance(self.recorder.failures[-1].value, IdleTimeout)
        transport.lose()

    def test_heldRecords(self) -> None:
        """
        While the user holds the records, the peer may be as silent as it likes.
        """
        client, transport = self.connected(idleTimeout=30)
        client.pauseProducing()
        self.reactor.advance(1000)
        self.assertFalse(transport.aborted)
        client.resumeProducing()
        self.reactor.advance(29)
        self.assertFalse(transport.aborted)
        self.reactor.advance(1)
        self.assertTrue(transport.aborted)

    def test_heldInConnected(self) -> None:
        """
        Also from the first moment on.
        """
        self.recorder.on["connected"] = lambda client, peer: client.pauseProducing()
        client, transport = self.connected(idleTimeout=30)
        self.reactor.advance(1000)
        self.assertFalse(transport.aborted)
        client.resumeProducing()
        self.reactor.pump([29, 1])
        self.assertTrue(transport.aborted)

    def test_slowAnswer(self) -> None:
        """
        A peer that waits for what our callback is slow to do is not idle.
        """
        answers: list[Deferred[None]] = []

        def serverInput(client: ClientTCPFactory, record: bytes) -> Deferred[None]:
            answers.append(Deferred())
            return answers[-1]

        _, transport = self.connected(idleTimeout=30, serverInput=serverInput)
        transport.protocol.dataReceived(b"a\r\n")
        self.reactor.pump([29, 50])
        answers[0].callback(None)
        self.reactor.advance(29)
        self.assertFalse(transport.aborted)
        self.reactor.advance(1)
        self.assertTrue(transport.aborted)

    def test_lostMeanwhile(self) -> None:
        """
        A connection that is lost is not silent: what is told is the loss, when the
        records before it are delivered.
        """
        answers: list[Deferred[None]] = []

        def serverInput(client: ClientTCPFactory, record: bytes) -> Deferred[None]:
            answers.append(Deferred())
            return answers[-1]

        _, transport = self.connected(
            idleTimeout=30, heartbeat=(10, b"PING"), serverInput=serverInput
        )
        transport.protocol.dataReceived(b"a\r\n")
        transport.lose()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.reactor.advance(100)
        answers[0].callback(None)
        self.assertEqual(
            self.events[2:], [("serverError", "read", 104), "disconnected"]
        )

    def test_afterTheEnd(self) -> None:
        """
        A peer that has ended its side says nothing any more, and need not.
        """
        client, transport = self.connected(
            idleTimeout=30, heartbeat=(10, b"PING"), shutdownOnError=False
        )
        transport.protocol.readConnectionLost()
        self.reactor.advance(1000)
        self.assertFalse(transport.aborted)
        self.assertEqual(transport.value(), b"")

    def test_whileClosing(self) -> None:
        """
        What has been ordered to close has its own bounds.
        """
        client, transport = self.connected(idleTimeout=10, drainTimeout=60)
        client.put(b"x")
        self.reactor.advance(0)
        client.shutdown()
        self.reactor.advance(59)
        self.assertFalse(transport.aborted)

    def test_beforeConnected(self) -> None:
        """
        It begins with C{connected}; before, C{connectTimeout} counts.
        """
        ready: list[Any] = []

        async def preConnect(client: Any, negotiation: Any) -> Any:
            ready.append(negotiation.nextRecord())
            return await ready[0]

        client, transport = self.connected(
            idleTimeout=10, connectTimeout=60, preConnect=preConnect
        )
        self.reactor.advance(50)
        transport.protocol.dataReceived(b"welcome\r\n")
        self.assertEqual(self.events[-1], "connected")
        self.reactor.advance(9)
        self.assertFalse(transport.aborted)
        self.reactor.advance(1)
        self.assertTrue(transport.aborted)

    def test_nothingLeft(self) -> None:
        """
        A loss ends the watch; the next connection has its own.
        """
        client, transport = self.connected(idleTimeout=10, heartbeat=(5, b"PING"))
        transport.lose()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.reactor.advance(client.delay)
        transport = self.establish()
        self.reactor.advance(10)
        self.assertTrue(transport.aborted)
        transport.lose()
        client.shutdown()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_reconnectMeanwhile(self) -> None:
        """
        So does an order to connect again.
        """
        client, transport = self.connected(idleTimeout=10)
        client.reconnect(50)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        transport.lose()
        client.shutdown()

    def test_costsNothing(self) -> None:
        """
        Without either there is no timer, and no watch.
        """
        client, transport = self.connected()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        assert client.server is not None
        self.assertIsNone(client.server._watch)


class ArgumentTests(SynchronousTestCase):
    """
    Wrong arguments.
    """

    def test_nonsense(self) -> None:
        """
        They are refused by name.
        """

        async def slow(client: Any) -> bytes:
            return b"PING"

        for name, wrong, kind in (
            ("idleTimeout", 0, ValueError),
            ("idleTimeout", "30", TypeError),
            ("idleTimeout", float("nan"), ValueError),
            ("heartbeat", 30, TypeError),
            ("heartbeat", (30,), TypeError),
            ("heartbeat", [30, b"PING"], TypeError),
            ("heartbeat", (0, b"PING"), ValueError),
            ("heartbeat", ("30", b"PING"), TypeError),
            ("heartbeat", (30, "PING"), TypeError),
            ("heartbeat", (30, b"PI\nNG"), ValueError),
            ("heartbeat", (30, slow), TypeError),
        ):
            given: Any = {name: wrong}
            error = self.assertRaises(
                kind, ClientTCPFactory, serverInput=print, **given
            )
            self.assertIn(name, str(error))
        ClientTCPFactory(serverInput=print, heartbeat=(30, b"PI\nNG"), framing=Stream())
