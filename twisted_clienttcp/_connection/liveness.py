"""
Watching over a connection whose peer is silent.

Theory of operation:

 1. A read only notes the time. There is one timer, which nothing moves: when it has run
    down, it is seen when the last read was, and it sleeps on until there may be
    something to do.
 2. Silence is judged one turn of the reactor after it is found. If the process was busy
    meanwhile, it is not the peer who was silent, and that turn reads what has come.
 3. While we do not read, nothing can be heard: silence begins when we read again.
 4. After a C{heartbeat}'s seconds of silence the peer is asked something. It has as
    many seconds again to say anything at all. So a connection that is half open is
    found twice these seconds after the last byte.
 5. While the user's answer to a record is waited for, it may be the peer who waits: he
    is not idle, but may be gone.
 6. What is asked goes behind the output that waits. While the peer takes of that, it is
    there, and has more time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..errors import ClientTCPError, HeartbeatTimeout, IdleTimeout


class Heartbeat(NamedTuple):
    """
    What to send to a silent peer.

    @ivar seconds: the seconds of silence before it is sent, and the seconds to wait for
        an answer.
    @ivar record: the record; or a function of the client that returns one, or None if
        it has put something itself.
    """

    seconds: float
    record: Any

    def recordFor(self, client: Any) -> Any:
        """
        @return: the record to put now; None for none.
        """
        return self.record(client) if callable(self.record) else self.record


class Watched(Protocol):
    """
    What a watch needs of its connection.
    """

    @property
    def pendingBytes(self) -> int:
        """
        How many bytes of the output the kernel has not taken yet.
        """

    @property
    def taken(self) -> int:
        """
        How many it has.
        """

    @property
    def answering(self) -> bool:
        """
        Whether the user's answer to a record is waited for.
        """

    def _beat(self, heartbeat: Heartbeat) -> bool:
        """
        Ask the peer something.

        @return: whether that was possible.
        """

    def _silent(self, error: ClientTCPError) -> None:
        """
        The peer is taken for gone.
        """


class Watch:
    """
    Watches over one connection.

    @ivar idleTimeout: after how many seconds of silence it is dropped; None for never.
    @ivar heartbeat: what to ask before; None for nothing.
    """

    __slots__ = (
        "_answered",
        "_asked",
        "_clock",
        "_heard",
        "_heardBefore",
        "_over",
        "_reading",
        "_sure",
        "_taken",
        "_timer",
        "_watched",
        "heartbeat",
        "idleTimeout",
    )

    def __init__(
        self,
        watched: Watched,
        clock: IReactorTime,
        idleTimeout: float | None,
        heartbeat: Heartbeat | None,
        reading: bool,
    ) -> None:
        """
        Begin.

        @param reading: whether the connection is read.
        """
        self._watched = watched
        self._clock = clock
        self.idleTimeout = idleTimeout
        self.heartbeat = heartbeat
        self._reading = reading
        self._heard = clock.seconds()
        # When an answer was waited for last.
        self._answered = self._heard
        # When the peer was asked, and what had been heard and taken then.
        self._asked: float | None = None
        self._heardBefore = self._heard
        self._taken = 0
        self._sure = False
        self._over = False
        self._timer: IDelayedCall | None = None
        self._sleep()

    def heard(self) -> None:
        """
        Something has been received.
        """
        self._heard = self._clock.seconds()

    def answered(self) -> None:
        """
        An answer is there that was waited for.
        """
        self._answered = self._clock.seconds()

    def reading(self, wanted: bool) -> None:
        """
        The connection is read from now on, or is not.
        """
        if wanted and not self._reading:
            self._heard = self._clock.seconds()
        self._reading = wanted

    def stop(self) -> None:
        """
        Watch no more.
        """
        self._over = True
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _sleep(self, seconds: float | None = None) -> None:
        """
        @param seconds: for how many; None for as many as nothing can be due.
        """
        due = self._next()
        if self._over or due is None:
            return
        if seconds is None:
            seconds = max(due[0] - self._clock.seconds(), 0)
        self._timer = self._clock.callLater(seconds, self._look)

    def _next(self) -> tuple[float, Callable[[float], None]] | None:
        """
        @return: when there is something to do, if nothing is heard till then, and what.
        """
        due: list[tuple[float, Callable[[float], None]]] = []
        if self.idleTimeout is not None:
            since = max(self._heard, self._answered)
            due.append((since + self.idleTimeout, self._isIdle))
        if self.heartbeat is not None:
            if self._asked is None:
                due.append((self._heard + self.heartbeat.seconds, self._ask))
            else:
                due.append((self._asked + self.heartbeat.seconds, self._unanswered))
        return min(due, key=lambda one: one[0], default=None)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        if not self._reading:
            self._heard = now
        if self._watched.answering:
            self._answered = now
        if self._asked is not None and self._heard != self._heardBefore:
            self._asked = None
        due = self._next()
        assert due is not None
        time, act = due
        if time > now:
            self._sure = False
            self._sleep()
        elif not self._sure:
            self._sure = True
            self._sleep(0)
        else:
            self._sure = False
            act(now)

    def _ask(self, now: float) -> None:
        heartbeat = self.heartbeat
        assert heartbeat is not None
        self._asked, self._heardBefore = now, self._heard
        if not self._watched._beat(heartbeat):
            # Our side is ended, and the peer may have nothing to say.
            self.heartbeat = None
        self._taken = self._watched.taken
        self._sleep()

    def _unanswered(self, now: float) -> None:
        before, self._taken = self._taken, self._watched.taken
        if self._watched.pendingBytes and self._taken > before:
            self._asked = now
            self._sleep()
            return
        assert self.heartbeat is not None
        self.stop()
        self._watched._silent(HeartbeatTimeout(now - self._heard))

    def _isIdle(self, now: float) -> None:
        self.stop()
        self._watched._silent(IdleTimeout(now - self._heard))
