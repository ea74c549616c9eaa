"""
Log the failures and connections of a client, without repetitions.

A story exists from the first failure or end of a connection until the client stops. It
has no timer, except while the line about a new connection waits until that has lasted.

Two families of lines have counts. Lines about single events count repetitions. Lines
about the state ("connected", "stops") count all that has happened since the last one:
each event is in exactly one of these.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from .. import _logevents as logged
from .._connecting.resolving import inWords
from .._connection.disconnection import Disconnection
from .._details import describe, errorDetails, oneLine
from .._texts import counted, duration
from ..errors import ClientTCPError
from .reporting import (
    clientFields,
    failureLog,
    logEvent,
    logFailure,
    mustBeSeen,
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

#: The events that are counted between two lines about the state, each with the words
#: for one event.
COUNTED = {
    "failures": "failed attempt",
    "losses": "lost connection",
    "replacements": "replaced connection",
    "closures": "closed connection",
}


@attrs.frozen
class Repetition:
    """
    How often an event has occurred since it was logged last.

    @ivar count: the number of events that a line stands for; 0 if there must be no
        line about this event.
    @ivar seconds: the seconds in which they occurred; 0.0 for one event.
    @ivar isMixed: True if the other events may be of any kind and reason.
    """

    count: int
    seconds: float = 0.0
    isMixed: bool = False

    @property
    def again(self) -> str:
        """
        The count in words; empty for one event.
        """
        if self.count < 2:
            return ""
        period = duration(self.seconds)
        if not self.isMixed:
            return f" ({self.count} times in {period})"
        return f" (and {counted(self.count - 1, 'other event')} in {period})"

    def fields(self) -> dict[str, object]:
        """
        @return: the fields C{count} and C{again}.
        """
        return {"count": self.count, "again": self.again}


_LEFT_OUT = Repetition(0)


class Limit:
    """
    Counts repeated events, and chooses those that are logged.
    """

    __slots__ = ("_lastLogged", "_restartedAt")

    def __init__(self) -> None:
        #: For each reason, when it was logged, and how often it was left out since.
        self._lastLogged: dict[object, tuple[float, int]] = {}
        self._restartedAt = -math.inf

    def count(
        self, what: object, now: float, failure: Failure | None = None
    ) -> Repetition:
        """
        Count an event.

        @param what: what has happened.
        @param now: the current time in seconds.
        @param failure: the reason. Events are repetitions if their reasons are equal,
            except for numbers in the text.
        """
        key = what
        if failure is not None:
            text = re.sub(r"\d+", "", failure.getErrorMessage())
            key = what, type(failure.value), text[:LONGEST]
        last = self._lastLogged.get(key)
        if last is None and len(self._lastLogged) >= MOST:
            self._forgetOld(now)
            if len(self._lastLogged) >= MOST:
                key = _MIXED
            last = self._lastLogged.get(key)
        at, left = last or _NEVER
        # The clock may be the time of day, which can be set back.
        if 0 <= now - at < MINUTE:
            self._lastLogged[key] = at, left + 1
            return _LEFT_OUT
        self._lastLogged[key] = now, 0
        if not left:
            return Repetition(1)
        seconds = max(0.0, now - max(at, self._restartedAt))
        return Repetition(left + 1, seconds, key is _MIXED)

    def _forgetOld(self, now: float) -> None:
        """
        Forget the reasons that were last logged more than a minute ago. Those of their
        events that were left out count as mixed.
        """
        kept, left, since = {}, 0, now
        for key, (at, others) in self._lastLogged.items():
            if 0 <= now - at < MINUTE:
                kept[key] = at, others
            elif others:
                left, since = left + others, min(at, since)
        if left:
            # The next mixed event is logged at once.
            _, others = kept.get(_MIXED, _NEVER)
            kept[_MIXED] = since, others + left
        self._lastLogged = kept

    def restart(self, now: float) -> None:
        """
        All events have been reported: count from 0.
        """
        self._restartedAt = now
        self._lastLogged = {key: (at, 0) for key, (at, _) in self._lastLogged.items()}


#: The value for a key that has not been logged.
_NEVER = -math.inf, 0

#: The key of events that are counted together, although their reasons differ.
_MIXED = "mixed"


class Story:
    """
    Logs the failures and connections of one client.

    @ivar pending: the event of the last failure, until the next step of the client is
        known.
    """

    __slots__ = (
        "_client",
        "_counts",
        "_errors",
        "_functions",
        "_isUnsentDue",
        "_leftOut",
        "_limit",
        "_since",
        "_stableAt",
        "_timer",
        "_unsent",
        "pending",
    )

    def __init__(
        self,
        client: Settings,
        functions: Mapping[str, object],
    ) -> None:
        """
        @param functions: the callbacks by their names.
        """
        self._client = client
        self._functions = functions
        #: For failed attempts and ends of connections, which L{past} counts too.
        self._limit = Limit()
        #: For everything else.
        self._errors = Limit()
        #: When a connection that had lasted was logged.
        self._stableAt = -math.inf
        self._forget()
        #: Lost bytes that have not been logged.
        self._unsent = 0
        #: True if they must be logged after the end of their connection.
        self._isUnsentDue = False
        self.pending: tuple[logged.Kind, dict[str, object]] | None = None
        #: Logs the current connection when it has lasted.
        self._timer: IDelayedCall | None = None

    def _forget(self) -> None:
        #: The events since the last line about the state, and the time of the first.
        self._counts = dict.fromkeys(COUNTED, 0)
        self._since: float | None = None
        #: True if the end of a connection has no line of its own.
        self._leftOut = False

    # -- what has happened, with the current time in seconds

    def failed(self, failure: Failure, now: float) -> None:
        """
        An attempt has failed.
        """
        if self._since is None:
            self._since = now
        self._counts["failures"] += 1
        fields = clientFields(self._client)
        what = ("failed", fields["destination"])
        repetition = self._limit.count(what, now, failure)
        if repetition.count:
            fields |= {"attempt": self._counts["failures"], **repetition.fields()}
            fields |= _reasonOf(failure, inWords(triedBy(self._client)))
            self.pending = logged.ATTEMPT_FAILED, fields

    def ended(
        self,
        disconnection: Disconnection,
        seconds: float,
        now: float,
        cause: str | None = None,
    ) -> None:
        """
        A connection has ended.

        @param seconds: how long it has lasted.
        @param cause: why it was drained for another connection; None if it was not.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        failure = disconnection.failure
        # An error of ours ends a connection without a request.
        isLost = disconnection.initiator != "local" or isinstance(
            failure.value, ClientTCPError
        )
        reason = None
        if isLost:
            what, kind, reason = "losses", logged.CONNECTION_LOST, failure
        elif cause is not None:
            what, kind = "replacements", logged.CONNECTION_REPLACED
        else:
            what, kind = "closures", logged.CONNECTION_CLOSED
        if self._since is None:
            self._since = now
        self._counts[what] += 1
        repetition = self._limit.count((kind, cause), now, reason)
        if not repetition.count:
            self._leftOut = True
            return
        fields = clientFields(self._client) | repetition.fields()
        fields |= {"lasted": duration(seconds), "seconds": seconds}
        if isLost:
            fields |= _reasonOf(failure)
        elif cause is not None:
            fields["cause"] = cause
        self.pending = kind, fields

    def follows(self, delay: float | None) -> None:
        """
        Log how the last attempt or connection ended. The next step is known now.

        @param delay: the seconds until the next attempt; None if none is scheduled.
        """
        pending, self.pending = self.pending, None
        if pending is not None:
            kind, fields = pending
            fields |= {"delay": delay, "outlook": _outlook(delay)}
            self._log(kind, fields)
        if self._isUnsentDue:
            self._logUnsent()

    def error(self, failure: Failure, now: float) -> None:
        """
        An error has been reported, and the connection continues.
        """
        # A peer may cause many such errors: compose their texts only if needed.
        repetition = self._errors.count(type(failure.value), now)
        if repetition.count:
            fields = clientFields(self._client) | repetition.fields()
            fields |= _reasonOf(failure)
            self._log(logged.SERVER_ERROR, fields)

    def raised(self, what: str, failure: Failure, now: float) -> None:
        """
        A call of the user's code has raised an exception.

        @param what: what raised it.
        """
        repetition = self._errors.count(what, now, failure)
        if repetition.count:
            logFailure(self._client, what, failure, repetition.count, repetition.again)

    def outputLost(self, unsent: int, now: float) -> None:
        """
        A connection has ended with this number of bytes that were put and not sent.
        """
        self._unsent += unsent
        if self._errors.count("unsent", now).count:
            if self.pending is None:
                self._logUnsent()
            else:
                self._isUnsentDue = True

    def _logUnsent(self) -> None:
        self._isUnsentDue = False
        unsent, self._unsent = self._unsent, 0
        if unsent:
            fields = {"unsent": unsent}
            logEvent(self._client, logged.OUTPUT_LOST, fields, self._functions)

    def delayLimited(self, delay: float, now: float) -> None:
        """
        The policy has returned a longer wait than the client allows.
        """
        repetition = self._errors.count("delayLimited", now)
        if repetition.count:
            fields = repetition.fields()
            fields |= {"maxDelay": self._client.maxDelay, "delay": delay}
            logEvent(self._client, logged.DELAY_LIMITED, fields)

    def connected(self, address: str, clock: IReactorTime) -> None:
        """
        A connection can be used: log it now. But if the end of one before was left out,
        log it when it has lasted, and at most once a minute.
        """
        now = clock.seconds()
        if self._leftOut:
            wait = min(self._client.stableAfter, MINUTE)
            passed = now - self._stableAt
            if 0 <= passed < MINUTE:
                wait = max(wait, MINUTE - passed)
            self._timer = clock.callLater(wait, self._logStable, address, clock, now)
        else:
            self._logConnected(address, now)

    def _logStable(self, address: str, clock: IReactorTime, madeAt: float) -> None:
        self._timer = None
        self._stableAt = now = clock.seconds()
        self._logConnected(address, madeAt, max(0.0, now - madeAt))

    def _logConnected(self, address: str, madeAt: float, age: float = 0.0) -> None:
        self._logUnsent()
        logConnected(self._client, address, self._past(madeAt), age)
        self._forget()
        self._limit.restart(madeAt)

    def stopped(self, now: float) -> dict[str, object]:
        """
        The client stops.

        @return: the result of L{past}.
        """
        self.follows(None)
        self._logUnsent()
        return self._past(now)

    # -- sentences

    def _past(self, now: float) -> dict[str, object]:
        seconds = 0.0 if self._since is None else max(0.0, now - self._since)
        fields = past(self._counts, seconds)
        isOneEnd = sum(self._counts.values()) == 1 and not self._counts["failures"]
        if isOneEnd and not self._leftOut:
            # The line before this one is about that.
            fields["history"] = ""
        return fields

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


def logConnected(
    client: Settings, address: str, before: Mapping[str, object], age: float = 0.0
) -> None:
    """
    @param before: the result of L{past}.
    @param age: how many seconds ago the connection was made.
    """
    stable = f" and stable for {duration(age)}" if age else ""
    if stable and before["history"]:
        stable += ","
    fields = {"address": address, "age": age, "stable": stable, **before}
    logEvent(client, logged.CONNECTED, fields)


def past(counts: Mapping[str, int], seconds: float) -> dict[str, object]:
    """
    @param counts: how often each of L{COUNTED} has occurred.
    @param seconds: the time since the first of them.

    @return: these values as fields, and the field C{history}.
    """
    words = [
        counted(counts[what], noun)
        for what, noun in COUNTED.items()
        if counts.get(what)
    ]
    history = " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
    return {
        **{what: counts.get(what, 0) for what in COUNTED},
        "seconds": seconds,
        "history": history and f" after {history} in {duration(seconds)}",
    }


#: The result of L{past} if nothing has happened.
NOTHING: Mapping[str, object] = MappingProxyType(past({}, 0.0))


def _outlook(delay: float | None) -> str:
    if delay is None:
        return ""
    return f"; next attempt in {duration(delay)}" if delay else "; next attempt now"


def _reasonOf(failure: Failure, more: str = "") -> dict[str, object]:
    """
    @param more: what the sentence says after the description of the failure.

    @return: the fields about a failure.
    """
    reason = oneLine(describe(failure) + more)
    return {"reason": reason, **errorDetails(failure)._asdict(), "failure": failure}
