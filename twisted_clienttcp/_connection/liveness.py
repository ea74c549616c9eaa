"""
Detect silent peers, and send often enough not to seem silent.

Theory of operation:

 1. A read only records the time. There is one timer, which is never rescheduled. When
    it fires, the time of the last read and the progress of the output are checked, and
    the timer is started again for the next time when something may be due, but for at
    most a quarter of C{idleTimeout} or C{heartbeat}.
 2. A silence counts only if it lasts for one more turn of the reactor. If the process
    was busy, bytes of the peer may wait in the kernel, and that turn reads them.
 3. Time in which the connection is not read does not count, because nothing could have
    been received. After the pause, the silence from before it continues. The end of a
    pause is not a sign of life: if the peer has sent anything in the meantime, it is in
    the kernel, and will be read.
 4. After a silence as long as C{heartbeat}, its record is put. Then the peer has the
    same time again to send anything at all. So a half-open connection is detected after
    twice that time.
 5. While the result of a callback for a record is awaited, the peer may be waiting for
    an answer. So it is not idle, but a heartbeat is still sent, because the connection
    may be half open.
 6. A peer that accepts output is not silent either. The next check notices this, and
    the silence begins at the check. So a peer is never dropped too early, and at most a
    quarter of the time too late. But the peer's kernel accepts a heartbeat even if the
    peer's program hangs. So records that are put here do not count, unless other
    records wait to be accepted as well.
 7. A proxy accepts output into its own buffers even if the server is dead. So through a
    proxy, output counts only if it had to wait in this process, because the buffers of
    the proxy were full.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..errors import ClientTCPError, HeartbeatTimeout, IdleTimeout


class TimedRecord(NamedTuple):
    """
    A record that is put after some time: the value of C{heartbeat} and C{keepTalking}.

    @ivar seconds: the time in seconds.
    @ivar record: the record; or a function that is called with the client and returns
        the record, or None to put nothing.
    """

    seconds: float
    record: object

    def recordFor(self, client: object) -> object:
        """
        @return: the record to put now; None to put nothing.
        """
        return self.record(client) if callable(self.record) else self.record


class OutputProgress(NamedTuple):
    """
    The progress of the output of a connection.

    @ivar put: the number of bytes that were put.
    @ivar blocked: the number of these bytes that were passed to the transport, and that
        our kernel has not accepted.
    @ivar accepted: a number that increases when the peer accepts output.
    @ivar isWaiting: True if the peer has not accepted everything that was put.
    """

    put: int
    blocked: int
    accepted: int
    isWaiting: bool


#: The progress of output that is not checked.
_NO_OUTPUT = OutputProgress(0, 0, 0, False)


def watchForSilence(
    clock: IReactorTime,
    seconds: float,
    *,
    isReading: bool,
    isAnswering: Callable[[], bool],
    silent: Callable[[], object],
) -> Watch:
    """
    Create a watch that only detects silence.

    @param seconds: the time in seconds.
    @param silent: called when nothing has been received for that time.

    @return: the watch. For the other parameters, see L{Watch}.
    """
    return Watch(
        clock,
        idleTimeout=seconds,
        heartbeat=None,
        keepTalking=None,
        isReading=isReading,
        isProxied=False,
        isAnswering=isAnswering,
        progress=lambda: _NO_OUTPUT,
        send=lambda name, timed: False,
        silent=lambda error: silent(),
    )


class Watch:
    """
    Checks the liveness of one connection.

    @ivar idleTimeout: the seconds of silence after which the connection is dropped;
        None for no limit.
    @ivar heartbeat: the record to send to a silent peer; None for none.
    @ivar keepTalking: the record to send if nothing else is sent; None for none.
    """

    __slots__ = (
        "_acceptedAt",
        "_answeredAt",
        "_askedAt",
        "_automatic",
        "_clock",
        "_hasOthers",
        "_heardAt",
        "_heardBefore",
        "_isAnswering",
        "_isOver",
        "_isProxied",
        "_isReading",
        "_isSure",
        "_longest",
        "_output",
        "_pausedAt",
        "_progress",
        "_send",
        "_silent",
        "_timer",
        "_wroteAt",
        "heartbeat",
        "idleTimeout",
        "keepTalking",
    )

    def __init__(
        self,
        clock: IReactorTime,
        *,
        idleTimeout: float | None,
        heartbeat: TimedRecord | None,
        keepTalking: TimedRecord | None,
        isReading: bool,
        isProxied: bool,
        isAnswering: Callable[[], bool],
        progress: Callable[[], OutputProgress],
        send: Callable[[str, TimedRecord], bool],
        silent: Callable[[ClientTCPError], object],
    ) -> None:
        """
        Start watching.

        @param clock: the clock that runs the timer.
        @param isReading: True if the connection is read.
        @param isProxied: True if a proxy is between us and the peer.
        @param isAnswering: returns True if the result of a callback is awaited.
        @param progress: returns the progress of the output.
        @param send: called with the name and the value of a setting: puts the record,
            and returns False if our side of the connection has ended.
        @param silent: called with the reason why the connection must be dropped.
        """
        self._clock = clock
        self.idleTimeout = idleTimeout
        self.heartbeat = heartbeat
        self.keepTalking = keepTalking
        self._isReading = isReading
        self._isProxied = isProxied
        self._isAnswering = isAnswering
        self._progress = progress
        self._send = send
        self._silent = silent
        now = clock.seconds()
        self._heardAt = self._answeredAt = self._acceptedAt = self._wroteAt = now
        #: Pauses of reading have been subtracted from the other times up to this time.
        self._pausedAt = now
        #: The time of the heartbeat that has not been answered, if there is one, and
        #: the time of the last received bytes before that.
        self._askedAt: float | None = None
        self._heardBefore = now
        #: The progress of the output when it was last checked.
        self._output = progress()
        #: The number of bytes that this object has put since then.
        self._automatic = 0
        #: True if the output that had not been accepted then included other records.
        self._hasOthers = self._output.isWaiting
        self._isSure = False
        self._isOver = False
        #: The longest time between two checks, in seconds.
        self._longest = (
            min(idleTimeout or math.inf, heartbeat.seconds if heartbeat else math.inf)
            / 4
        )
        self._timer: IDelayedCall | None = None
        self._sleep()

    # -- what the connection calls

    def heard(self) -> None:
        """
        Note that bytes have been received.
        """
        self._heardAt = self._clock.seconds()

    def wrote(self) -> None:
        """
        Note that output has been written.
        """
        self._wroteAt = self._clock.seconds()

    def answered(self) -> None:
        """
        Note that the awaited result of a callback has arrived.
        """
        self._answeredAt = self._clock.seconds()

    def reading(self, isReading: bool) -> None:
        """
        Note that reading has been resumed or paused.
        """
        if self._isReading:
            self._pausedAt = self._clock.seconds()
        else:
            self._skipPause(self._clock.seconds())
            self._isSure = False
        self._isReading = isReading

    def _skipPause(self, now: float) -> None:
        """
        Subtract the pause since the connection was last read.
        """
        paused, self._pausedAt = now - self._pausedAt, now
        # Bytes may be received shortly after a pause has begun.
        self._heardAt = min(self._heardAt + paused, now)
        self._answeredAt = min(self._answeredAt + paused, now)
        self._acceptedAt = min(self._acceptedAt + paused, now)
        self._heardBefore += paused
        if self._askedAt is not None:
            self._askedAt += paused

    def stop(self) -> None:
        """
        Stop watching.
        """
        self._isOver = True
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    # -- the timer

    def _sleep(self, seconds: float | None = None) -> None:
        """
        Start the timer, unless nothing will be due.

        @param seconds: the time in seconds; None to wait until something may be due.
        """
        due = self._next()
        if self._isOver or due is None:
            return
        if seconds is None:
            seconds = min(max(due[0] - self._clock.seconds(), 0), self._longest)
        self._timer = self._clock.callLater(seconds, self._look)

    def _next(self) -> tuple[float, Callable[[float], None]] | None:
        """
        @return: the time of the next action if nothing happens until then, and the
            action, which is called with the current time; None if there is none.
        """
        due: list[tuple[float, Callable[[float], None]]] = []
        if self.idleTimeout is not None:
            since = max(self._heardAt, self._answeredAt, self._acceptedAt)
            due.append((since + self.idleTimeout, self._isIdle))
        if self.heartbeat is not None:
            if self._askedAt is None:
                due.append((self._heardAt + self.heartbeat.seconds, self._ask))
            else:
                since = max(self._askedAt, self._acceptedAt)
                due.append((since + self.heartbeat.seconds, self._isUnanswered))
        if self.keepTalking is not None:
            due.append((self._wroteAt + self.keepTalking.seconds, self._talk))
        return min(due, key=lambda one: one[0], default=None)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        if not self._isReading:
            self._skipPause(now)
        if self._isAnswering():
            self._answeredAt = now
        if self._askedAt is not None and self._heardAt != self._heardBefore:
            self._askedAt = None
        self._lookAtOutput(now)
        due = self._next()
        if due is None:
            return
        time, act = due
        if time > now:
            self._isSure = False
            self._sleep()
        elif not self._isSure:
            self._isSure = True
            self._sleep(0)
        else:
            self._isSure = False
            if self._isReading or act == self._talk:
                act(now)
            else:
                # Reading was paused in the turn that should have confirmed the silence.
                self._heardAt = now
            self._sleep()

    def _lookAtOutput(self, now: float) -> None:
        """
        Note whether the peer has accepted output since the last call.
        """
        before, self._output = self._output, self._progress()
        if self._output.put - before.put > self._automatic:
            self._hasOthers = True
        self._automatic = 0
        isByPeer = bool(before.blocked) or not self._isProxied
        if self._hasOthers and isByPeer and self._output.accepted > before.accepted:
            self._acceptedAt = now
        if not self._output.isWaiting:
            self._hasOthers = False

    # -- what is due

    def _put(self, name: str, record: TimedRecord) -> bool:
        before = self._progress().put
        isPut = self._send(name, record)
        self._automatic += self._progress().put - before
        return isPut

    def _talk(self, now: float) -> None:
        assert self.keepTalking is not None
        self._wroteAt = now
        if self._output.blocked:
            return
        if not self._put("keepTalking", self.keepTalking):
            self.keepTalking = None

    def _ask(self, now: float) -> None:
        assert self.heartbeat is not None
        self._askedAt, self._heardBefore = now, self._heardAt
        if not self._put("heartbeat", self.heartbeat):
            # Our side has ended, so the peer cannot answer heartbeats.
            self.heartbeat = None

    def _isUnanswered(self, now: float) -> None:
        assert self.heartbeat is not None
        self.stop()
        limit = self.heartbeat.seconds
        self._silent(HeartbeatTimeout(now - self._heardAt, limit))

    def _isIdle(self, now: float) -> None:
        self.stop()
        assert self.idleTimeout is not None
        self._silent(IdleTimeout(now - self._heardAt, self.idleTimeout))
