"""
What the log says about a client: its failures and connections, without repetitions.

A story exists from the first failure or end of a connection until the client stops. It
has no timer, except while a connection whose line was left out exists.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from .. import _logevents as logged
from .._connecting.resolving import inWords
from .._connection.disconnection import Disconnection
from .._details import describe, errorDetails
from ..errors import ClientTCPError
from .reporting import (
    clientFields,
    failureLog,
    logEvent,
    mustBeSeen,
    oneLine,
    triedBy,
)
from .settings import Settings

#: A repeated event is logged at most once in this many seconds.
MINUTE = 60.0

#: How many characters of their texts are compared to find equal reasons.
LONGEST = 200

#: The most different reasons that are logged in that time. A peer may send texts that
#: are all different.
MOST = 8


class Limit:
    """
    Counts repeated events, and chooses those that are logged.
    """

    __slots__ = ("_lastLogged",)

    def __init__(self) -> None:
        #: For each reason, when it was logged, and how often it was left out since.
        self._lastLogged: dict[Hashable, tuple[float, int]] = {}

    def count(
        self, what: Hashable, now: float, failure: Failure | None = None
    ) -> tuple[int, float]:
        """
        Count an event.

        @param what: what has happened.
        @param now: the current time in seconds.
        @param failure: the reason. Events are repetitions if their reasons are equal,
            except for numbers in the text.

        @return: the number of events that a line stands for, and the seconds since the
            last one. The number is 0 if this event must be left out.
        """
        last, key = self._lastLogged, what
        if failure is not None:
            text = re.sub(r"\d+", "", str(failure.value))
            key = what, type(failure.value), text[:LONGEST]
        if key not in last and len(last) >= MOST:
            self._lastLogged = last = {
                each: (at, left)
                for each, (at, left) in last.items()
                if 0 <= now - at < MINUTE
            }
            if len(last) >= MOST:
                key = None
        at, left = last.get(key, _NEVER)
        # The clock may be the time of day, which can be set back.
        if 0 <= now - at < MINUTE:
            last[key] = at, left + 1
            return 0, 0.0
        last[key] = now, 0
        return left + 1, now - at if left else 0.0


#: What is known about a key that has not been logged.
_NEVER = -math.inf, 0


class Story:
    """
    What the log says about one client.

    @ivar pending: the event of the last failure, until it is known what follows.
    """

    __slots__ = (
        "_client",
        "_connectedAt",
        "_failures",
        "_functions",
        "_limit",
        "_losses",
        "_since",
        "_timer",
        "_unsent",
        "pending",
    )

    def __init__(
        self,
        client: Settings,
        functions: Mapping[str, object],
        connectedAt: float | None,
    ) -> None:
        """
        @param functions: the callbacks by their names.
        @param connectedAt: when the current connection was logged; None if there is
            none.
        """
        self._client = client
        self._functions = functions
        self._limit = Limit()
        #: When the last connection was logged.
        self._connectedAt = -math.inf if connectedAt is None else connectedAt
        self._forget()
        #: Lost bytes that have not been logged.
        self._unsent = 0
        self.pending: tuple[logged.Kind, dict[str, object]] | None = None
        #: Logs the current connection, whose line was left out.
        self._timer: IDelayedCall | None = None

    def _forget(self) -> None:
        #: What has happened since the last line that says what the state is.
        self._failures = self._losses = 0
        self._since: float | None = None

    # -- what has happened, with the current time in seconds

    def failed(self, failure: Failure, now: float) -> None:
        """
        An attempt has failed.
        """
        if self._since is None:
            self._since = now
        self._failures += 1
        fields = clientFields(self._client)
        what = ("failed", fields["destination"])
        count, seconds = self._limit.count(what, now, failure)
        if count:
            words = describe(failure) + inWords(triedBy(self._client))
            fields |= {"reason": oneLine(words), "attempt": self._failures}
            fields |= _counted(count, seconds) | _details(failure)
            self.pending = logged.ATTEMPT_FAILED, fields

    def ended(self, disconnection: Disconnection, seconds: float, now: float) -> None:
        """
        A connection has ended.

        @param seconds: how long it has lasted.
        """
        if self._since is None:
            self._since = now
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        failure = disconnection.failure
        # An error of ours ends a connection without a request.
        isRequested = disconnection.initiator == "local" and not isinstance(
            failure.value, ClientTCPError
        )
        kind = logged.CONNECTION_CLOSED if isRequested else logged.CONNECTION_LOST
        reason = None if isRequested else failure
        count, before = self._limit.count(kind, now, reason)
        if not count:
            self._losses += 1
            return
        fields = clientFields(self._client) | _counted(count, before)
        fields |= {"lasted": duration(seconds), "seconds": seconds}
        if not isRequested:
            fields |= {"reason": oneLine(describe(failure)), **_details(failure)}
        self.pending = kind, fields

    def follows(self, delay: float | None) -> None:
        """
        It is known what follows the last attempt or connection: log how it ended.

        @param delay: the seconds until the next attempt; None if none is scheduled.
        """
        pending, self.pending = self.pending, None
        if pending is not None:
            kind, fields = pending
            fields |= {"delay": delay, "outlook": _outlook(delay)}
            self._log(kind, fields)

    def error(self, failure: Failure, now: float) -> None:
        """
        An error has been reported, and the connection continues.
        """
        # A peer may cause many such errors: compose their texts only if needed.
        count, seconds = self._limit.count(("error", type(failure.value)), now)
        if count:
            fields = clientFields(self._client) | _counted(count, seconds)
            fields |= {"reason": oneLine(describe(failure)), **_details(failure)}
            self._log(logged.SERVER_ERROR, fields)

    def outputLost(self, unsent: int, now: float) -> None:
        """
        A connection has ended with this number of bytes that were put and not sent.
        """
        self._unsent += unsent
        if self._limit.count("unsent", now)[0]:
            self._logUnsent()

    def _logUnsent(self) -> None:
        unsent, self._unsent = self._unsent, 0
        if unsent:
            fields = {"unsent": unsent}
            logEvent(self._client, logged.OUTPUT_LOST, fields, self._functions)

    def delayLimited(self, delay: float, now: float) -> None:
        """
        The policy has returned a longer wait than the client allows.
        """
        count, seconds = self._limit.count("delayLimited", now)
        if count:
            fields = _counted(count, seconds)
            fields |= {"maxDelay": self._client.maxDelay, "delay": delay}
            logEvent(self._client, logged.DELAY_LIMITED, fields)

    def connected(self, address: str, clock: IReactorTime) -> None:
        """
        A connection can be used: log it now. But if the end of one before was left out,
        log it when a minute has passed since the last line about a connection, if it
        exists then.
        """
        passed = clock.seconds() - self._connectedAt
        if self._losses and 0 <= passed < MINUTE:
            wait = MINUTE - passed
            self._timer = clock.callLater(wait, self._logConnected, address, clock)
        else:
            self._logConnected(address, clock)

    def _logConnected(self, address: str, clock: IReactorTime) -> None:
        self._timer = None
        self._connectedAt = now = clock.seconds()
        self._logUnsent()
        logConnected(self._client, address, self._past(now))
        self._forget()

    def stopped(self, now: float) -> dict[str, object]:
        """
        The client stops.

        @return: C{failures}, C{losses}, C{seconds} and C{history}.
        """
        self.follows(None)
        self._logUnsent()
        return self._past(now)

    # -- sentences

    def _past(self, now: float) -> dict[str, object]:
        seconds = 0.0 if self._since is None else max(0.0, now - self._since)
        return past(self._failures, self._losses, seconds)

    def _log(self, kind: logged.Kind, fields: dict[str, object]) -> None:
        client, failure = self._client, fields.get("failure")
        if (
            isinstance(failure, Failure)
            and kind.handledBy not in self._functions
            and getattr(client.clock, "running", True)
            and mustBeSeen(kind, failure)
        ):
            failureLog.warn(kind.logger(client), kind.format, kind=kind.name, **fields)
        else:
            kind.log(client, fields, kind.levelWith(self._functions))


def logConnected(client: Settings, address: str, before: dict[str, object]) -> None:
    """
    @param before: the result of L{past}.
    """
    logEvent(client, logged.CONNECTED, {"address": address, **before})


def past(failures: int = 0, losses: int = 0, seconds: float = 0.0) -> dict[str, object]:
    """
    @return: these values as fields, and the field C{history}.
    """
    history = " and ".join(
        f"{count} {noun}{'s' if count > 1 else ''}"
        for count, noun in ((failures, "failed attempt"), (losses, "lost connection"))
        if count
    )
    return {
        "failures": failures,
        "losses": losses,
        "seconds": seconds,
        "history": history and f" after {history} in {duration(seconds)}",
    }


def duration(seconds: float) -> str:
    """
    @return: a time in words, with one to three digits.
    """
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    if seconds >= 10:
        return f"{seconds:.0f} s"
    return f"{round(seconds, 3):.2g} s"


def _outlook(delay: float | None) -> str:
    if delay is None:
        return ""
    return f"; next attempt in {duration(delay)}" if delay else "; next attempt now"


def _details(failure: Failure) -> dict[str, object]:
    return {**errorDetails(failure)._asdict(), "failure": failure}


def _counted(count: int, seconds: float) -> dict[str, object]:
    again = f" ({count} times in {duration(seconds)})" if count > 1 else ""
    return {"count": count, "again": again}
