"""
The parts of a client, and the state and helpers that they share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from functools import cached_property
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.python.failure import Failure

from .._connection.disconnection import Disconnection
from .._connection.peer import addressText
from .._connection.protocol import Connection, raiseAgain
from .._details import operationOf
from .._stats import Stats
from ..errors import CallbackError, NotConnectedError, OutputLost
from .callbacks import Callbacks
from .events import Events
from .lifecycle import CONNECTED, DRAINING, Lifecycle, LifecycleOwner
from .output import Output
from .retries import Retries
from .settings import Settings, storeClock
from .story import NOTHING, Story, logConnected
from .waiters import Waiter, Waiters


class Parts:
    """
    The parts of a client, which work together through this object.

    @ivar client: the factory that users see.
    @ivar functions: the callbacks by their names.
    @ivar attempts: how many attempts have begun.
    @ivar connections: how many of them have reached C{connected}.
    @ivar connection: the current connection, from the creation of its protocol to its
        end.
    @ivar events: the pending named events; None until the first one.
    @ivar reason: the failure of the last attempt or connection; None for a clean end.
    @ivar lost: the same, if output was lost.
    @ivar story: what the log says about failures; None until the first one.
    @ivar replacedFor: why the current connection is drained for another one; None if it
        is not.
    """

    __slots__ = (
        "__dict__",
        "_connectedAt",
        "_highSince",
        "attempts",
        "callbacks",
        "client",
        "connection",
        "connections",
        "events",
        "functions",
        "lifecycle",
        "lost",
        "output",
        "reason",
        "waiters",
    )

    def __init__(
        self,
        client: Settings,
        functions: Mapping[str, Callable[..., object]],
        owner: LifecycleOwner,
    ) -> None:
        """
        @param owner: the owner of the lifecycle.
        """
        self.client = client
        self.functions = functions
        self.callbacks = Callbacks()
        self.lifecycle = Lifecycle(owner, self.callbacks)
        self.output = Output(client)
        self.waiters = Waiters()
        self.attempts = 0
        self.connections = 0
        self.connection: Connection | None = None
        self.events: Events | None = None
        self.reason: Failure | None = None
        self.lost: Failure | None = None
        self._connectedAt: float | None = None
        self._highSince: float | None = None

    # An idle connection needs none of the next four, so they are created late.

    story: Story | None = None
    replacedFor: str | None = None

    @cached_property
    def counts(self) -> Stats:
        """
        The statistics, without the attempts, the connections, and those of the current
        connection.
        """
        return Stats()

    @cached_property
    def retries(self) -> Retries:
        """
        The failures since the start, and the waits that follow them.
        """
        return Retries(self.client)

    def forgetFailures(self) -> None:
        """
        The client starts: forget the failures before.
        """
        self.reason = self.lost = None
        try:
            del self.retries
        except AttributeError:
            # There was none.
            pass

    @property
    def server(self) -> Connection | None:
        """
        The current connection, from C{connected} until C{disconnected}.
        """
        if self.lifecycle.phase in (CONNECTED, DRAINING):
            return self.connection
        return None

    @property
    def isConnected(self) -> bool:
        """
        True if there is a connection that C{connected} was called for, and that is not
        lost and not about to end.
        """
        connection = self.connection
        return (
            self.lifecycle.phase is CONNECTED
            and connection is not None
            and not (connection.lost or connection.ending)
        )

    def flushed(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when no output is pending.
        """
        if not self.output.pending:
            return succeed(None)
        connection = self.connection
        if (
            connection is not None
            and connection.sendsNoMore
            and connection.outbound.pending
        ):
            return fail(OutputLost(connection.outbound.pending))
        return self.wait("flushed")

    def wait(self, event: str, failures: int | None = None) -> Deferred[Any]:
        """
        Wait for an event that follows the current connection, as L{Waiters.wait}.
        """
        if self.connection is not None and self.connection.lost:
            self.timeSource().callLater(0, self.failAwaited)
        return self.waiters.wait(event, failures)

    def failAwaited(self) -> None:
        """
        The connection is lost, and its end is reported when an awaited result of
        C{serverInput} has arrived. If that waits for an event that follows the report,
        neither would come: fail the Deferred for the event.
        """
        connection = self.connection
        if connection is None or not connection.lost:
            return
        awaited = connection.reading.awaited
        if isinstance(awaited, Waiter) and not awaited.called:
            awaited.others.remove(awaited)
            error = NotConnectedError(
                "the connection is lost, which is reported when serverInput has "
                "finished: what it waits for comes after that"
            )
            self.callbacks.do(awaited.errback, Failure(error))

    # -- time

    @property
    def reactor(self) -> Any:
        """
        The reactor that makes connections.
        """
        if self.client.reactor is not None:
            return self.client.reactor
        from twisted.internet import reactor

        return reactor

    def timeSource(self) -> IReactorTime:
        """
        @return: the clock; the reactor if there is none.
        """
        client = self.client
        if client.clock is None:
            # As in a ReconnectingClientFactory, the attribute then is the reactor.
            storeClock(client, self.reactor)
        clock: IReactorTime = client.clock
        return clock

    def now(self) -> float:
        """
        @return: the current time in seconds.
        """
        return (self.client.clock or self.timeSource()).seconds()

    # -- the log

    def beginStory(self) -> Story:
        """
        @return: the story of the log, which is created at the first failure.
        """
        if self.story is None:
            self.story = Story(self.client, self.functions)
        return self.story

    def logConnected(self, peer: IAddress | None) -> None:
        """
        Log that the current connection can be used.
        """
        if self.story is None:
            logConnected(self.client, addressText(peer), NOTHING)
        else:
            self.story.connected(addressText(peer), self.timeSource())

    def logFailure(self, what: str, failure: Failure) -> None:
        """
        Log an exception of the user's code with its traceback, unless it is repeated.

        @param what: what raised it.
        """
        self.beginStory().raised(what, failure, self.now())

    def endStory(self) -> Mapping[str, object]:
        """
        The client stops.

        @return: the fields for what has happened since the last connection.
        """
        story = self.story
        if story is None:
            return NOTHING
        del self.story
        return story.stopped(self.now())

    # -- counts

    def beginConnection(self) -> None:
        """
        A connection can be used: measure how long it lasts.
        """
        self._connectedAt = self.timeSource().seconds()
        self.connections += 1

    def _secondsSince(self, moment: float | None) -> float:
        if moment is None:
            return 0.0
        # The clock may be the time of day, which can be set back.
        return max(0.0, self.now() - moment)

    def reachedHighMark(self) -> None:
        """
        The output of the current connection has reached the high mark.
        """
        self._highSince = self.timeSource().seconds()
        self.counts.highs += 1

    def reachedLowMark(self) -> None:
        """
        The output has fallen to the low mark after that.
        """
        self._endHigh()
        self.counts.lows += 1

    def _endHigh(self) -> None:
        if self._highSince is not None:
            self.counts.secondsHigh += self._secondsSince(self._highSince)
            self._highSince = None

    def endConnection(
        self, connection: Connection, disconnection: Disconnection, now: float
    ) -> float:
        """
        Add what a connection has counted to the counts of the client, and forget it.

        @return: how many seconds it has lasted.
        """
        begun = now if self._connectedAt is None else self._connectedAt
        seconds = max(0.0, now - begun)
        connection.count(self.counts)
        self.counts.unsentBytes += disconnection.unsent
        self.counts.secondsConnected += seconds
        if self._highSince is not None:
            self._endHigh()
        self.connection = self._connectedAt = None
        return seconds

    def stats(self) -> Stats:
        """
        @return: a copy of the counts, as they are now.
        """
        now = Stats()
        # Reading them must not create the counts of an idle client.
        if "counts" in vars(self):
            now = copy(self.counts)
            now.connectErrors = now.connectErrors.copy()
            now.serverErrors = now.serverErrors.copy()
        now.phase = self.lifecycle.phase.value
        now.attempts = self.attempts
        now.connections = self.connections
        now.secondsHigh += self._secondsSince(self._highSince)
        now.pendingBytes = self.output.pending
        offline = self.output.offline
        now.offlineBytes = offline.pending
        connection = self.connection
        if connection is not None and connection.transport is not None:
            connection.count(now)
        now.secondsConnected += self._secondsSince(self._connectedAt)
        data, records = offline.accepted
        now.bytesOut += data
        now.recordsOut += records
        return now

    # -- callbacks

    def raiseLater(self, error: BaseException) -> None:
        """
        Raise an exception that is not an C{Exception} after everything that is queued.
        """
        if not isinstance(error, Exception):
            self.callbacks.do(raiseAgain, error)

    def fireLater(self, event: str, result: object) -> None:
        """
        Fire the Deferreds that now wait for an event, in a step.
        """
        self.callbacks.later(self.waiters.split(event).fire, result)

    def report(self, callback: str, failure: Failure, continues: bool = False) -> None:
        """
        Call a callback for failures in a step.

        @param continues: True if the connection continues. If not, its end will be
            logged.
        """
        counts, operation = self.counts, operationOf(failure)
        counts.lastError = failure
        isAttempt = callback == "connectError"
        errors = counts.connectErrors if isAttempt else counts.serverErrors
        errors[operation] = errors.get(operation, 0) + 1
        if isAttempt or continues:
            story = self.story or self.beginStory()
            now = (self.client.clock or self.timeSource()).seconds()
            if isAttempt:
                story.failed(failure, now)
            else:
                story.error(failure, now)
        self.call(callback, failure)

    def call(self, name: str, *args: object) -> bool:
        """
        Call a callback, if there is one. This must be called in a step.

        @return: False if it has raised.
        """
        function = self.functions.get(name)
        if function is None:
            return True
        try:
            answer = function(self.client, *args)
            if answer is not None and iscoroutine(answer):
                answer.close()
                raise TypeError(
                    "it returned a coroutine, which is not awaited here: start it "
                    "inside the callback with Deferred.fromCoroutine"
                )
        except BaseException as error:
            self.callbackRaised(name, error)
            self.raiseLater(error)
            return False
        return True

    def callbackRaised(
        self,
        callback: str,
        error: BaseException,
        connection: Connection | None = None,
    ) -> None:
        """
        A callback has raised: log the exception, and drop the connection, whose state
        is unknown.
        """
        self.logFailure(f"{callback} raised", Failure(error))
        if connection is None:
            connection = self.server
        if connection is not None and connection is self.server:
            failure = Failure(CallbackError(callback, error))
            # If serverError has raised, it has been called.
            self.drop(connection, failure, report=callback != "serverError")

    def drop(
        self, connection: Connection, failure: Failure, report: bool = True
    ) -> None:
        """
        Drop a connection that can no longer be used.

        @param report: True to call C{serverError}.
        """
        if connection.blame(failure, "local") and report:
            self.callbacks.later(self.report, "serverError", failure)
        self.callbacks.do(self.lifecycle.broken)
