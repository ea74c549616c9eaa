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

from twisted_clienttcp._connection.liveness import OutputProgress, TimedRecord, Watch
from twisted_clienttcp.errors import ClientTCPError, HeartbeatTimeout, IdleTimeout

from .._memory import ClientTestCase


class CountingClock(Clock):
    """
    A clock that counts the timers set. Like a reactor, it rejects a negative delay.
    """

    timers = 0

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any:
        assert delay >= 0, delay
        self.timers += 1
        return super().callLater(delay, callable, *args, **kw)


class Subject:
    """
    A connection that records the actions of its watch.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.put = 0
        self.accepted = 0
        self.isAnswering = False
        #: The times at which records were sent, for each setting.
        self.sent: dict[str, list[float]] = {"heartbeat": [], "keepTalking": []}
        self.ends: list[tuple[float, ClientTCPError]] = []
        self.answer: Callable[[], object] = lambda: None
        self.canSend = True
        #: The length of the records.
        self.length = 0

    @property
    def beats(self) -> list[float]:
        return self.sent["heartbeat"]

    def progress(self) -> OutputProgress:
        waiting = self.put - self.accepted
        return OutputProgress(self.put, waiting, self.accepted, waiting > 0)

    def send(self, name: str, timed: TimedRecord) -> bool:
        if self.canSend:
            self.sent[name].append(self.clock.seconds())
            self.put += self.length
            self.answer()
        return self.canSend

    def silent(self, error: ClientTCPError) -> None:
        self.ends.append((self.clock.seconds(), error))


class WatchTests(SynchronousTestCase):
    """
    Tests for L{Watch}.
    """

    def watch(
        self,
        idle: float | None = None,
        beat: float | None = None,
        talk: float | None = None,
        reading: bool = True,
        proxied: bool = False,
        put: int = 0,
    ) -> Watch:
        self.clock = CountingClock()
        self.subject = subject = Subject(self.clock)
        subject.put = put
        return Watch(
            self.clock,
            idleTimeout=idle,
            heartbeat=None if beat is None else TimedRecord(beat, b"PING"),
            keepTalking=None if talk is None else TimedRecord(talk, b"HERE"),
            isReading=reading,
            isProxied=proxied,
            isAnswering=lambda: subject.isAnswering,
            progress=subject.progress,
            send=subject.send,
            silent=subject.silent,
        )

    def to(self, time: float) -> None:
        """
        Advance the clock second by second: a clock that leaps means a process that was
        busy.
        """
        while (rest := time - self.clock.seconds()) > 0:
            self.clock.advance(min(rest, 1))

    @given(
        gaps=st.lists(st.integers(1, 40), max_size=20),
        idle=st.none() | st.integers(1, 30),
        beat=st.none() | st.integers(1, 30),
        pauses=st.lists(st.integers(0, 3), min_size=20, max_size=20),
    )
    def test_silence(
        self,
        gaps: list[int],
        idle: int | None,
        beat: int | None,
        pauses: list[int],
    ) -> None:
        """
        With reads at any times, the connection ends exactly when the peer has been
        silent for so long, and a heartbeat is sent exactly half way; nothing happens
        before. Pauses of any length only delay this.
        """
        watch = self.watch(idle, beat)
        last, beats = 0.0, []
        longest = min(idle or 1000, 2 * (beat or 1000))
        for gap, pause in zip(gaps, pauses, strict=False):
            watch.reading(False)
            last += pause
            self.to(last)
            watch.reading(True)
            time = last + gap
            if beat is not None and gap >= beat and (idle is None or beat < idle):
                beats.append(last + beat)
            if gap >= longest:
                break
            self.to(last + gap // 2)
            watch.reading(False)
            watch.reading(True)
            self.to(time)
            watch.heard()
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

    @given(
        steps=st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=30),
        idle=st.integers(1, 30),
        beat=st.none() | st.integers(1, 30),
    )
    def test_pauses(
        self, steps: list[tuple[bool, int]], idle: int, beat: int | None
    ) -> None:
        """
        A silent peer is dropped when the connection was read for so long, with any
        pauses in between, and not during a pause.
        """
        watch = self.watch(idle, beat)
        longest, read = min(idle, 2 * (beat or idle)), 0
        for isRead, seconds in [*steps, (True, longest)]:
            watch.reading(isRead)
            last = self.clock.seconds()
            rest = longest - read
            self.to(last + seconds)
            if isRead and seconds >= rest:
                self.assertEqual([when for when, _ in self.subject.ends], [last + rest])
                return
            read += seconds * isRead
            self.assertEqual(self.subject.ends, [])
        self.fail("the connection has not ended")

    def test_oneTimer(self) -> None:
        """
        Reads of any number of bytes do not change the timer.
        """
        watch = self.watch(idle=10, beat=5)
        for _ in range(1000):
            watch.heard()
        self.assertEqual(self.clock.timers, 1)
        self.to(4)
        watch.heard()
        self.to(8)
        # One for each quarter of the heartbeat.
        self.assertLessEqual(self.clock.timers, 1 + 8 / (5 / 4))
        self.assertEqual(self.subject.beats, [])
        self.to(9)
        self.assertEqual(self.subject.beats, [9])

    def test_answered(self) -> None:
        """
        Any byte is an answer; the next heartbeat is sent after the same silence again.
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
        So is a byte that arrives before the clock has moved.
        """
        watch = self.watch(beat=10)
        self.subject.answer = watch.heard
        self.to(100)
        self.assertEqual(self.subject.beats, [*range(10, 101, 10)])
        self.assertEqual(self.subject.ends, [])

    def test_busyProcess(self) -> None:
        """
        Bytes that arrived while the process was busy are read before the silence
        counts.
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
        So are the bytes of an answer.
        """
        watch = self.watch(beat=10)
        self.to(10)
        self.assertEqual(self.subject.beats, [10])
        self.clock.callLater(12, watch.heard)
        self.clock.advance(12)
        self.assertEqual(self.subject.ends, [])

    def test_paused(self) -> None:
        """
        While nothing is read, nothing happens, and this time does not count.
        """
        watch = self.watch(idle=30, beat=10)
        self.to(5)
        watch.reading(False)
        self.to(500)
        self.assertEqual((self.subject.beats, self.subject.ends), ([], []))
        watch.reading(True)
        self.to(504)
        self.assertEqual(self.subject.beats, [])
        self.to(505)
        self.assertEqual(self.subject.beats, [505])

    def test_pausedInTheLastTurn(self) -> None:
        """
        After a pause, bytes that the kernel has received are read before the silence
        counts. A pause that begins in the last turn restarts it.
        """
        watch = self.watch(idle=10)

        def pause() -> None:
            watch.reading(False)
            watch.reading(True)
            # The reactor runs timers first, and then reads.
            self.clock.callLater(0, watch.heard)

        self.to(9)
        self.clock.callLater(1, pause)
        self.to(19)
        self.assertEqual(self.subject.ends, [])
        self.clock.callLater(1, watch.reading, False)
        self.to(50)
        self.assertEqual(self.subject.ends, [])
        watch.reading(True)
        self.to(60)
        self.assertEqual(len(self.subject.ends), 1)

    def test_pausedFromTheStart(self) -> None:
        """
        The same with a connection that is paused when the watch begins.
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
        The time for an answer does not include pauses either.
        """
        watch = self.watch(beat=10)
        self.to(14)
        watch.reading(False)
        self.to(50)
        watch.reading(True)
        self.to(55)
        self.assertEqual((self.subject.beats, self.subject.ends), ([10], []))
        self.to(56)
        self.assertEqual([when for when, _ in self.subject.ends], [56])

    def test_pausedAfterAnswer(self) -> None:
        """
        A pause does not shorten the time since the last result of our callback.
        """
        watch = self.watch(idle=10)
        self.to(5)
        watch.answered()
        self.to(6)
        watch.reading(False)
        self.to(100)
        watch.reading(True)
        self.to(108)
        self.assertEqual(self.subject.ends, [])
        self.to(109)
        self.assertEqual([when for when, _ in self.subject.ends], [109])

    def test_pausedAfterOutput(self) -> None:
        """
        A pause does not shorten the time since the peer accepted output.
        """
        watch = self.watch(idle=10)
        self.subject.put = 900
        self.to(9)
        self.subject.accepted = 100
        self.to(11)
        watch.reading(False)
        self.to(101)
        watch.reading(True)
        self.to(109)
        self.assertEqual(self.subject.ends, [])
        self.to(110)
        self.assertEqual([when for when, _ in self.subject.ends], [110])

    def test_heardInThePause(self) -> None:
        """
        Bytes that are received after a pause has begun count until the end of the
        pause, and not longer.
        """
        watch = self.watch(idle=10)
        self.to(5)
        watch.reading(False)
        self.to(6)
        watch.heard()
        self.to(20)
        watch.reading(True)
        self.to(29)
        self.assertEqual(self.subject.ends, [])
        self.to(30)
        self.assertEqual([when for when, _ in self.subject.ends], [30])

    def test_answering(self) -> None:
        """
        While a result of our callback is awaited, the peer is not idle, but the
        connection may be half open.
        """
        watch = self.watch(idle=10, beat=25)
        self.to(5)
        self.subject.isAnswering = True
        self.to(24)
        self.subject.isAnswering = False
        watch.answered()
        self.to(33)
        self.assertEqual((self.subject.beats, self.subject.ends), ([25], []))
        self.to(34)
        self.assertIsInstance(self.subject.ends[0][1], IdleTimeout)
        self.watch(idle=10, beat=25)
        self.subject.isAnswering = True
        self.to(50)
        self.assertIsInstance(self.subject.ends[0][1], HeartbeatTimeout)

    def test_resumedTwice(self) -> None:
        """
        To resume a connection that is not paused is not a sign of life of the peer.
        """
        watch = self.watch(idle=10)
        self.to(9)
        watch.reading(True)
        self.to(10)
        self.assertEqual(len(self.subject.ends), 1)

    def test_acceptsOutput(self) -> None:
        """
        A peer that accepts the output before the question is alive, in each period in
        which it accepts some.
        """
        self.watch(beat=10)
        self.subject.put, self.subject.length = 900, 6
        self.to(10)
        for time in (15, 25):
            # More may be put than is accepted.
            self.subject.put += 300
            self.to(time)
            self.subject.accepted += 100
            self.to(time + 5)
        self.assertEqual(self.subject.ends, [])
        self.to(40)
        self.assertIsInstance(self.subject.ends[0][1], HeartbeatTimeout)

    def test_acceptsTheLast(self) -> None:
        """
        When the last output before the question was accepted, the peer has as many
        seconds again to answer.
        """
        self.watch(beat=10)
        self.subject.put, self.subject.length = 900, 6
        self.to(15)
        self.subject.accepted = self.subject.put
        self.to(25)
        self.assertEqual(self.subject.ends, [])
        self.to(28)
        self.assertEqual(len(self.subject.ends), 1)

    def test_proxyAccepts(self) -> None:
        """
        Through a proxy, records that the proxy accepts at once are not a sign of the
        server; output that has to wait is, because the proxy's buffers are full.
        """
        for waiting in (0, 1000):
            self.watch(beat=10, idle=35, proxied=True)
            self.subject.length = 6
            self.subject.put = 5000 + waiting
            for time in range(1, 60):
                self.subject.accepted = self.subject.put - waiting
                self.to(time)
                self.subject.put += 10
            found = [when for when, _ in self.subject.ends]
            self.assertEqual(found, [] if waiting else [20])

    def test_acceptsTheQuestion(self) -> None:
        """
        If only the peer's kernel has accepted the question, this is not a sign of its
        program.
        """
        for idle in (None, 18):
            self.watch(beat=10, idle=idle)
            self.subject.length = 6
            self.to(10)
            self.subject.accepted = 6
            self.to(20)
            [(when, _)] = self.subject.ends
            self.assertEqual(when, idle or 20)

    def test_idleAcceptsOutput(self) -> None:
        """
        A peer that accepts output is not idle; one that does not is idle, and so is one
        that only accepts what C{keepTalking} sends.
        """
        self.watch(idle=10, talk=3)
        self.subject.length = 5
        for time in (8, 16, 24):
            self.to(time)
            self.subject.put += 100
            self.subject.accepted = self.subject.put
        self.assertEqual(self.subject.ends, [])
        while not self.subject.ends and self.clock.seconds() < 100:
            self.subject.accepted = self.subject.put
            self.to(self.clock.seconds() + 1)
        [(when, error)] = self.subject.ends
        self.assertLessEqual(when, 24 + 2 * 10)
        self.assertIn("(idleTimeout=10)", str(error))

    def test_idleAcceptsEarlierOutput(self) -> None:
        """
        Output that was put before the watch began counts, too.
        """
        self.watch(idle=10, put=900)
        self.to(5)
        self.subject.accepted = 100
        self.to(15)
        self.assertEqual(self.subject.ends, [])
        self.to(18)
        self.assertEqual(len(self.subject.ends), 1)

    def test_idleAcceptsLittle(self) -> None:
        """
        A record of the user counts even if it is shorter than everything that
        C{keepTalking} has sent.
        """
        self.watch(idle=10, talk=3)
        self.subject.length = 5
        for time in range(1, 60):
            self.to(time)
            self.subject.put += time % 8 == 0
            self.subject.accepted = self.subject.put
        self.assertEqual(self.subject.ends, [])

    def test_busyProcessTwiceDue(self) -> None:
        """
        If a busy process has missed the times of two actions, both follow at once.
        """
        self.watch(beat=10, talk=12)
        self.clock.advance(15)
        for _ in range(4):
            self.clock.advance(0)
        sent = {"heartbeat": [15.0], "keepTalking": [15.0]}
        self.assertEqual(self.subject.sent, sent)

    def test_keepTalking(self) -> None:
        """
        The record is sent when nothing was written for so many seconds, and only then.
        """
        watch = self.watch(talk=10)
        self.subject.answer = watch.wrote
        self.to(5)
        watch.wrote()
        self.to(14)
        self.assertEqual(self.subject.sent["keepTalking"], [])
        self.to(40)
        self.assertEqual(self.subject.sent["keepTalking"], [15, 25, 35])
        watch.heard()
        watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_keepTalkingAfterOutput(self) -> None:
        """
        While output is pending, nothing is added to it.
        """
        self.watch(talk=10)
        self.subject.put, self.subject.length = 900, 6
        self.to(25)
        self.assertEqual(self.subject.sent["keepTalking"], [])
        self.subject.accepted = 900
        self.to(30)
        self.assertEqual(self.subject.sent["keepTalking"], [30])

    def test_keepTalkingUnread(self) -> None:
        """
        The record is sent whether the connection is read or not.
        """
        self.watch(talk=10, reading=False)
        self.to(20)
        self.assertEqual(self.subject.sent["keepTalking"], [10, 20])

    def test_keepTalkingAtTheEnd(self) -> None:
        """
        When our side has ended, nothing is sent, and no timer remains.
        """
        self.watch(talk=10)
        self.subject.canSend = False
        self.to(20)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_messages(self) -> None:
        """
        The errors name the setting.
        """
        for settings, wanted in (
            ({"idle": 10}, "nothing was received for 10 s (idleTimeout=10)"),
            ({"beat": 2.5}, "nothing was received for 5 s (heartbeat=2.5)"),
        ):
            self.watch(**settings)
            self.clock.pump([2.5] * 10 + [0] * 4)
            self.assertEqual(str(self.subject.ends[0][1]), wanted)

    def test_cannotAsk(self) -> None:
        """
        When nothing can be sent any more, only C{idleTimeout} applies.
        """
        for idle in (None, 50):
            self.watch(beat=10, idle=idle)
            self.subject.canSend = False
            self.to(49)
            self.assertEqual(self.subject.ends, [])
            self.to(1000)
            self.assertEqual(len(self.subject.ends), int(idle is not None))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stoppedInTheBeat(self) -> None:
        """
        The function of a heartbeat may end the watch.
        """
        watch = self.watch(beat=10)
        self.subject.answer = watch.stop
        self.to(1000)
        self.assertEqual((self.subject.beats, self.subject.ends), ([10], []))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TimesTests(SynchronousTestCase):
    """
    The times at which a L{Watch} acts, as a table of settings and behaviours.
    """

    #: The seconds of each setting, and a step of the clock.
    SECONDS, STEP = 8.0, 0.125

    def watched(
        self, setting: str, put: dict[float, int], accepts: Callable[[float], bool]
    ) -> Subject:
        """
        Watch a connection until it ends, for at most ten times the seconds.

        @param setting: the name of the setting.
        @param put: how many bytes are put at which time.
        @param accepts: returns True if the peer accepts a byte at this time.
        """
        clock = Clock()
        subject = Subject(clock)
        timed = TimedRecord(self.SECONDS, b"PING")
        watch = Watch(
            clock,
            idleTimeout=self.SECONDS if setting == "idleTimeout" else None,
            heartbeat=timed if setting == "heartbeat" else None,
            keepTalking=timed if setting == "keepTalking" else None,
            isReading=True,
            isProxied=False,
            isAnswering=lambda: False,
            progress=subject.progress,
            send=subject.send,
            silent=subject.silent,
        )
        while not subject.ends and clock.seconds() < 10 * self.SECONDS:
            now = clock.seconds()
            if now in put:
                subject.put += put[now]
                watch.wrote()
            if subject.accepted < subject.put and accepts(now):
                subject.accepted += 1
            clock.advance(self.STEP)
            # The next turn of the reactor.
            clock.advance(0)
        watch.stop()
        return subject

    def assertDropped(self, found: Subject, last: float, case: str) -> None:
        """
        The connection was dropped when the peer had been silent for the seconds, and at
        most a quarter later.

        @param last: the time of the last sign of life.
        """
        [(when, _)] = found.ends
        self.assertGreaterEqual(when, last + self.SECONDS, case)
        self.assertLessEqual(when, last + 1.25 * self.SECONDS, case)

    def test_table(self) -> None:
        """
        For each setting and behaviour of the peer, the connection is dropped, or the
        record is sent, in time.
        """
        seconds = self.SECONDS
        for at in (0.0, 0.125, 1.875, 2.0, 3.5, 4.0, 5.875, 7.75, 7.875):
            rows: dict[str, tuple[dict[float, int], Callable[[float], bool], float]] = {
                "silent": ({}, lambda now: True, 0.0),
                "accepts one record": ({at: 1}, lambda now: True, at),
                "accepts slowly": (
                    {0.0: 1000},
                    lambda now: now % 7.5 == 0 and now <= 60,
                    60.0,
                ),
                "stops accepting": ({0.0: 1000}, at.__ge__, at),
            }
            for behaviour, (put, accepts, last) in rows.items():
                case = f"{behaviour}, {at}"
                found = self.watched("idleTimeout", put, accepts)
                self.assertDropped(found, last, case)
                found = self.watched("heartbeat", put, accepts)
                # What the peer accepts does not delay the question.
                self.assertEqual(found.beats, [seconds], case)
                self.assertDropped(found, max(last, seconds), case)
                found = self.watched("keepTalking", put, accepts)
                self.assertEqual(found.ends, [], case)
                sent = found.sent["keepTalking"]
                if 1000 in put.values():
                    # Output is pending all the time.
                    self.assertEqual(sent, [], case)
                else:
                    self.assertEqual(sent[0], max(put, default=0.0) + seconds, case)

    def test_exactWithoutOutput(self) -> None:
        """
        If the peer accepts nothing, the connection is dropped at exactly the seconds.
        """
        for setting, periods in (("idleTimeout", 1), ("heartbeat", 2)):
            [(when, _)] = self.watched(setting, {}, lambda now: True).ends
            self.assertEqual(when, periods * self.SECONDS)


class ClientTests(ClientTestCase):
    """
    Tests for the watch that a client makes.
    """

    def test_none(self) -> None:
        """
        A connection without C{heartbeat}, C{idleTimeout} and C{keepTalking} has no
        watch.
        """
        _, transport = self.connected()
        self.assertIsNone(transport.protocol.reading.watch)
