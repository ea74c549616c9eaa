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
from .._connection.protocol import Connection
from .._details import dropFrames, operationOf
from .._raising import raiseAgain
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
    @ivar functions: the callbacks by name.
    @ivar attempts: the number of attempts that have begun.
    @ivar connections: the number of connections that have reached C{connected}.
    @ivar connection: the current connection, from the creation of its protocol to its
        end.
    @ivar events: the named events; None until they are used.
    @ivar reason: the failure of the last attempt or connection; None for a clean end.
    @ivar lost: the failure of the last connection if output was lost.
    @ivar story: summarizes failures for the log; None until the first failure.
    @ivar replacedFor: why the current connection is being drained to be replaced; None
        if it is not.
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

    # To save memory, the next four are created on demand: an idle connection does not
    # need them.

    story: Story | None = None
    replacedFor: str | None = None

    @cached_property
    def counts(self) -> Stats:
        """
        The statistics, to which L{stats} adds the attempts, the connections, and the
        counts of the current connection.
        """
        return Stats()

    @cached_property
    def retries(self) -> Retries:
        """
        The failures since the start, and the delays after them.
        """
        return Retries(self.client)

    def forgetFailures(self) -> None:
        """
        Forget all earlier failures, because the client starts.
        """
        self.reason = self.lost = None
        try:
            del self.retries
        except AttributeError:
            # They were never created.
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
        True if there is a connection that can be used: it is past its negotiation, and
        neither lost nor about to end.
        """
        connection = self.connection
        return (
            self.lifecycle.phase is CONNECTED
            and connection is not None
            and not (connection.lost or connection.ending)
        )

    def flushed(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when no output is pending, or fails if the output
            cannot be sent.
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
        See L{Waiters.wait}. If the connection is lost already, an awaited result may
        have to fail: see L{failAwaited}.
        """
        if self.connection is not None and self.connection.lost:
            self.timeSource().callLater(0, self.failAwaited)
        return self.waiters.wait(event, failures)

    def failAwaited(self) -> None:
        """
        Avoid a deadlock. The end of a lost connection is reported only when the awaited
        result of C{serverInput} has arrived. If that result is itself a Deferred for an
        event after the report, neither would ever happen, so the Deferred fails.
        """
        connection = self.connection
        if connection is None or not connection.lost:
            return
        awaited = connection.reading.awaited
        if isinstance(awaited, Waiter) and not awaited.called:
            awaited.others.remove(awaited)
            error = NotConnectedError(
                "the connection is lost, and serverInput waits for an event that "
                "cannot happen before serverInput has finished"
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
        @return: the clock of the client; the reactor if none was set.
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
        @return: the summary of failures for the log, created if necessary.
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
        Log an exception of the user's code with its traceback. The same exception is
        logged at most once a minute.

        @param what: what has happened, for the message.
        """
        self.beginStory().raised(what, failure, self.now())

    def endStory(self) -> Mapping[str, object]:
        """
        End the story, because the client stops.

        @return: the log fields about what has happened since the last connection.
        """
        story = self.story
        if story is None:
            return NOTHING
        del self.story
        return story.stopped(self.now())

    # -- counts

    def beginConnection(self) -> None:
        """
        Count a connection that can now be used, and measure how long it lasts.
        """
        self._connectedAt = self.timeSource().seconds()
        self.connections += 1

    def _secondsSince(self, moment: float | None) -> float:
        if moment is None:
            return 0.0
        # The clock may show the time of day, which can be set back.
        return max(0.0, self.now() - moment)

    def reachedHighMark(self) -> None:
        """
        Count that the output of the current connection has reached the high mark.
        """
        self._highSince = self.timeSource().seconds()
        self.counts.highs += 1

    def reachedLowMark(self) -> None:
        """
        Count that the output has then fallen to the low mark.
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
        Add the counts of an ended connection to those of the client, and forget the
        connection.

        @return: how long it lasted, in seconds.
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
        @return: the current statistics. The caller owns the object.
        """
        now = Stats()
        # Do not create the counts of an idle client only to read them.
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
        If an exception is not an C{Exception}, raise it again after all queued steps.
        """
        if not isinstance(error, Exception):
            self.callbacks.do(raiseAgain, error)

    def fireLater(self, event: str, result: object) -> None:
        """
        Queue a step that fires the Deferreds that wait for an event now.

        @param result: the result, or a C{Failure}.
        """
        self.callbacks.later(self.waiters.split(event).fire, result)

    def report(self, callback: str, failure: Failure, continues: bool = False) -> None:
        """
        Count and log a failure, and call the callback for it. This must be called in a
        step.

        @param callback: C{"connectError"} or C{"serverError"}.
        @param continues: True if the connection continues. Otherwise the failure is not
            logged here, because the end of the connection will be.
        """
        counts, operation = self.counts, operationOf(failure)
        counts.lastError = failure
        isAttempt = callback == "connectError"
        errors = counts.connectErrors if isAttempt else counts.serverErrors
        errors[operation] = errors.get(operation, 0) + 1
        if isAttempt:
            self.beginStory().failed(failure, self.now())
        elif continues:
            self.beginStory().error(failure, self.now())
        self.call(callback, failure)
        error: Any = failure.value
        if failure.tb is not None or error.__cause__ or error.__context__:
            dropFrames(failure)

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
        A callback has raised an exception: log it, and drop the connection, because the
        state of the user's code is unknown.

        @param callback: the name of the callback.
        @param connection: the connection that it was called for; None for the current
            one.
        """
        self.logFailure(f"{callback} raised", Failure(error))
        if connection is None:
            connection = self.server
        if connection is not None and connection is self.server:
            failure = Failure(CallbackError(callback, error))
            # Do not call serverError for its own exception.
            self.drop(connection, failure, report=callback != "serverError")

    def drop(
        self, connection: Connection, failure: Failure, report: bool = True
    ) -> None:
        """
        Drop a connection that can no longer be used.

        @param report: True to call C{serverError}.
        """
        isFirst = connection.blame(failure, "local")
        if not report:
            dropFrames(failure)
        elif isFirst:
            self.callbacks.later(self.report, "serverError", failure)
        self.callbacks.do(self.lifecycle.broken)
