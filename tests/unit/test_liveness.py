"""
Tests for the timers behind C{heartbeat} and C{idleTimeout}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection.liveness import Heartbeat, Watch
from twisted_clienttcp.errors import ClientTCPError, HeartbeatTimeout, IdleTimeout

from .._memory import ClientTestCase


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
        self.pendingBytes = 0
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
        Any byte is an answer; the next heartbeat comes after as much silence again.
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
        self.subject.pendingBytes = 900
        self.to(10)
        for time in (15, 25):
            # More may come than is taken.
            self.subject.pendingBytes += 300
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
        self.subject.pendingBytes = 6
        self.to(10)
        self.subject.pendingBytes, self.subject.taken = 0, 6
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


class ClientTests(ClientTestCase):
    """
    Tests for the watch that a client makes.
    """

    def test_none(self) -> None:
        """
        A connection without C{heartbeat} and C{idleTimeout} has no watch.
        """
        client, transport = self.connected()
        assert client.server is not None
        self.assertIsNone(client.server.reading.watch)
