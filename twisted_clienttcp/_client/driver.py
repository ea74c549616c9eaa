"""
The driver of a client: creates its parts, and carries out the effects that the
L{lifecycle<twisted_clienttcp._client.lifecycle>} requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from .. import _logevents as logged
from .._connection.disconnection import Disconnection
from .._connection.protocol import Connection
from .._connection.server import ClientTCPProtocol
from .._details import describe, oneLine
from ..errors import (
    NotConnectedError,
    RetriesExhausted,
)
from .aging import greatestAge
from .attempts import Attempts
from .connections import Connections
from .events import Events, Session, releaseAlias
from .lifecycle import CONNECTING, DRAINING, IDLE, STOPPED, WAITING
from .parts import Parts
from .reporting import logEvent
from .settings import Settings, currentTarget
from .waiters import Waiters


class StillStopping(RuntimeError):
    """
    C{start} was called while the client was shutting down.
    """


class Driver:
    """
    Creates the parts of a client, and carries out the effects of its lifecycle
    (C{LifecycleOwner}).

    @ivar stopFailure: the failure passed to C{stop}, until C{stopped} is queued.
    @ivar stopping: the Deferreds that fire after the queued call of C{stopped}; None if
        no call is queued.
    """

    __slots__ = (
        "_lastEvent",
        "_outcome",
        "_timer",
        "attempts",
        "connections",
        "parts",
        "stopFailure",
        "stopping",
    )

    def __init__(
        self,
        client: Settings,
        functions: Mapping[str, Callable[..., object]],
        direct: bool,
    ) -> None:
        """
        @param functions: the callbacks by name.
        @param direct: see L{Attempts}.
        """
        self.parts = Parts(client, functions, self)
        self.attempts = Attempts(self.parts, direct)
        self.connections = Connections(self.parts, self.attempts)
        self.stopping: Waiters | None = None
        #: The timer for the deadline of an attempt, for the age of a connection, or for
        #: the delay before the next attempt.
        self._timer: IDelayedCall | None = None
        #: The serial number of the last named event before a request to stop. After the
        #: request, the client waits only for later events.
        self._lastEvent = 0
        #: The argument of the last call of C{stopped}.
        self._outcome: Failure | None = None
        self.stopFailure: Failure | None = None

    # -- requests of the user

    def start(self) -> None:
        """
        Start the client.

        @raise Exception: see L{ClientTCPFactory.start}.
        """
        lifecycle = self.parts.lifecycle
        self.attempts.mustKnowDestination("start")
        if lifecycle.stopping and lifecycle.phase is not STOPPED:
            raise StillStopping(
                "start() cannot be called while the client is shutting down: wait for "
                "whenStopped(), or call reconnect()"
            )
        self.attempts.claimAlias()
        if self.parts.callbacks.isRunning and lifecycle.phase in (IDLE, STOPPED):
            # Inside a callback, wait for the next turn: a connector cannot connect
            # while it reports a loss, and if each attempt failed immediately, this
            # would be an endless loop.
            lifecycle.reconnect(0.0)
        else:
            lifecycle.start()

    def shutdown(self) -> Deferred[Disconnection | None]:
        """
        Stop the client.

        @return: see L{ClientTCPFactory.shutdown}.
        """
        parts = self.parts
        if parts.lifecycle.phase is STOPPED and self.stopping is not None:
            return self.stopping.wait("shutdown")
        if parts.lifecycle.phase in (IDLE, STOPPED):
            self.connections.dropOffline()
            return succeed(None)
        waiter = parts.waiters.wait("shutdown")
        if parts.events is not None:
            self._lastEvent = parts.events.serial
        parts.lifecycle.shutdown()
        return waiter

    def stopTrying(self) -> None:
        """
        Make no more attempts. A connection that is in use is kept.
        """
        lifecycle = self.parts.lifecycle
        if lifecycle.phase is DRAINING and lifecycle.isScheduled:
            lifecycle.finish()
        elif lifecycle.phase in (WAITING, CONNECTING) or lifecycle.isScheduled:
            lifecycle.shutdown()
        elif lifecycle.phase is IDLE:
            # The user may have assigned a connector.
            self.attempts.cancel()

    def retry(self, connector: Any) -> float | None:
        """
        Prepare an attempt that the user requests.

        @param connector: the connector to use from now on; None for the current one.

        @return: the seconds after which the caller must make the attempt; None if one
            follows anyway, or if none may be made.

        @raise Exception: see L{ClientTCPFactory.retry}.
        """
        if connector is None:
            self.attempts.mustKnowDestination("retry")
        else:
            self.attempts.mustNotBeHosted("retry")
        if not self.parts.lifecycle.retryable or self._willAttempt:
            return None
        self.attempts.mustHaveAlias()
        if connector is not None:
            self.attempts.use(connector)
        return self.nextDelay()

    def whenConnected(self, failures: int | None) -> Deferred[ClientTCPProtocol]:
        """
        @param failures: the number of failures after which the Deferred fails.

        @return: see L{ClientTCPFactory.whenConnected}.
        """
        connection = self.parts.connection
        if self.parts.isConnected and connection is not None and connection.opened:
            return succeed(connection)
        if self._hasStopped:
            return fail(_neverConnected(self._outcome))
        return self.parts.wait("connected", failures)

    def whenStopped(self) -> Deferred[None]:
        """
        @return: see L{ClientTCPFactory.whenStopped}.
        """
        if not self._hasStopped:
            return self.parts.wait("stopped")
        if self.stopping is not None:
            return self.stopping.wait("stopped")
        return succeed(None) if self._outcome is None else fail(self._outcome)

    @property
    def _hasStopped(self) -> bool:
        lifecycle = self.parts.lifecycle
        return lifecycle.phase is STOPPED and not lifecycle.hosted

    @property
    def _willAttempt(self) -> bool:
        """
        True if an attempt is in progress, or if the connection is lost and another
        attempt follows. An attempt that the connector has ended does not count, even if
        the lifecycle is not notified: a subclass may override
        C{clientConnectionFailed}, and call C{retry} instead of the inherited method.
        """
        connection = self.parts.server
        isLost = connection is not None and connection.lost
        return self.attempts.isPending or (isLost and self.retrying)

    # -- attempts

    @property
    def retrying(self) -> bool:
        """
        True if another attempt follows a failure or a loss automatically.
        """
        client = self.parts.client
        return bool(
            client.continueTrying
            and (client.autoReconnect or currentTarget(client).left)
        )

    @property
    def expectsEvents(self) -> bool:
        """
        True if a named event is pending: its handler may request another attempt.
        """
        events = self.parts.events
        return events is not None and events.areExpected(self._lastEvent)

    def nextDelay(self) -> float | None:
        """
        Count a failure or a loss, and choose the delay before the next attempt.

        @return: the delay in seconds; None to give up.
        """
        parts = self.parts
        if not parts.client.continueTrying:
            return None
        if currentTarget(parts.client).left:
            return 0.0
        if parts.output.offline.draining is not None:
            parts.output.endWait()
        clock = parts.client.clock or parts.timeSource()
        delay = parts.retries.next(clock.seconds())
        if isinstance(delay, Failure):
            parts.reason = delay
            if delay.value is not None:
                parts.raiseLater(delay.value)
            return None
        if delay > parts.retries.delay:
            parts.beginStory().delayLimited(delay, clock.seconds())
        return parts.retries.delay

    def beginAttempt(self) -> None:
        """
        Begin an attempt.
        """
        self.connections.disconnection = None
        self._lastEvent = 0
        self.attempts.begin()

    def cancelAttempt(self) -> None:
        """
        Cancel the current attempt.
        """
        self.attempts.cancel()

    def expireAttempt(self) -> None:
        """
        End the current attempt with a timeout.
        """
        if not self.connections.expire():
            self.attempts.expire()

    def nothingFollows(self) -> None:
        """
        No attempt follows: log how the last attempt or connection ended.
        """
        if self.parts.story is not None:
            self.parts.story.follows(None)

    def startTimer(self, seconds: float) -> None:
        """
        An attempt follows: call C{timeUp} of the lifecycle after this time.
        """
        parts = self.parts
        if parts.story is not None and parts.story.pending is not None:
            parts.story.follows(seconds)
        if self._timer is not None:
            self.stopTimer()
        clock = parts.client.clock or parts.timeSource()
        self._timer = clock.callLater(seconds, self._timeUp)

    def _timeUp(self) -> None:
        self._timer = None
        self.parts.lifecycle.timeUp()

    def startAging(self) -> None:
        """
        Stop the timer. If the age of the new connection is limited, restart it with
        that age.
        """
        self.stopTimer()
        client = self.parts.client
        if client.maxAge is not None or client.failBack is not None:
            limit = greatestAge(client, not self.attempts.isForeign)
            if limit is not None:
                age, setting = limit
                clock = self.parts.timeSource()
                self._timer = clock.callLater(age, self._aged, setting)

    def _aged(self, setting: str) -> None:
        self._timer = None
        client = self.parts.client
        if self.parts.isConnected:
            self.parts.replacedFor = setting
            if client.failBack is not None:
                currentTarget(client).failBack()
            self.parts.lifecycle.aged()

    def startDeadline(self) -> None:
        """
        Start the timer for the current attempt, unless its connector limits the time.
        """
        self.stopTimer()
        seconds = self.attempts.deadline()
        if seconds is not None:
            clock = self.parts.timeSource()
            self._timer = clock.callLater(seconds, self._timeUp)

    def stopTimer(self) -> None:
        """
        Stop the timer, if it is running.
        """
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """
        Close the connection when its output has been sent.
        """
        self.connections.close()

    def drain(self) -> None:
        """
        Close the connection when its output has been sent and all its input has been
        delivered.
        """
        self.connections.drain()

    def abort(self) -> None:
        """
        Close the connection now.
        """
        self.connections.abort()

    def endDiversion(self) -> None:
        """
        No other connection follows. If the current one is draining, let it send the
        records that were meant for the next one.
        """
        self.connections.endDiversion()

    # -- callbacks

    def queueStarted(self) -> None:
        """
        Queue C{started}.
        """
        parts, client = self.parts, self.parts.client
        if parts.lifecycle.phase is WAITING:
            # The user's call to start the client overrides an earlier stopTrying(). As
            # with a ReconnectingClientFactory, connectTCP() does not: it makes one
            # attempt.
            client.continueTrying = 1
        parts.forgetFailures()
        currentTarget(client).begin()
        parts.output.setStopped(False)
        parts.callbacks.later(parts.call, "started", *(client.args or ()))

    def queueConnected(self) -> None:
        """
        Queue C{connected} for the current connection.
        """
        parts, connection = self.parts, self.parts.connection
        assert connection is not None
        parts.beginConnection()
        currentTarget(parts.client).reached()
        parts.output.queue = connection.outbound
        parts.callbacks.later(self._callConnected, connection)

    def _callConnected(self, connection: Connection) -> None:
        parts = self.parts
        peer, connection.peer = connection.peer, None
        connection.negotiated()
        parts.logConnected(peer)
        if parts.call("connected", peer):
            connection.returned()
            if parts.output.offline.isUsed:
                self.connections.sendOffline(connection)
            connection.open()
        if parts.waiters.connected and connection.opened:
            parts.waiters.split("connected").fire(connection)

    def queueStopped(self, gaveUp: bool, hosted: bool) -> None:
        """
        Queue C{stopped}, and the Deferreds that fire after it.
        """
        parts = self.parts
        if not hosted:
            self.connections.dropOffline()
            parts.output.setStopped(True)
        self.nothingFollows()
        failure, self.stopFailure = self.stopFailure, None
        # A requested stop is a failure too if it has lost output.
        self._outcome = failure or (parts.reason if gaveUp else None) or parts.lost
        # A ClientService may connect again: these events may still happen.
        events = () if hosted else ("stopped", "flushed", "connected")
        # Deferreds that are created from now on wait for the next stop.
        self.stopping = parts.waiters.split("shutdown", *events)
        isRequested = not (gaveUp and parts.client.continueTrying)
        parts.callbacks.later(
            self._callStopped, self._outcome, isRequested, hosted, self.stopping
        )

    def _callStopped(
        self,
        failure: Failure | None,
        isRequested: bool,
        hosted: bool,
        waiters: Waiters,
    ) -> None:
        parts = self.parts
        connections = self.connections
        disconnection, connections.disconnection = connections.disconnection, None
        if not hosted:
            if parts.events is not None:
                parts.events.clear()
            self._logStop(failure, isRequested)
            parts.call("stopped", failure)
        if self.stopping is waiters:
            self.stopping = None
        alias = parts.client.alias
        if alias is not None and not hosted and parts.lifecycle.phase is STOPPED:
            releaseAlias(alias, parts.client)
        waiters.split("stopped").fire(failure)
        waiters.split("flushed", "connected").fire(_neverConnected(failure))
        waiters.split("shutdown").fire(disconnection)

    def _logStop(self, failure: Failure | None, isRequested: bool) -> None:
        parts = self.parts
        kind = logged.STOPPED
        if failure is not None:
            reason = oneLine(describe(failure))
        else:
            reason = "on request" if isRequested else "the connection has ended"
        fields = {"reason": reason, "failure": failure, **parts.endStory()}
        if failure is not None:
            # The reason says enough about the past: it is the last failure, or the
            # number of failures.
            fields["history"] = ""
            if failure.check(RetriesExhausted):
                kind = logged.GAVE_UP
        logEvent(parts.client, kind, fields, parts.functions)

    # -- named events

    def attachSession(self, session: Session) -> Events:
        """
        Create the named events of the client.

        @param session: the handlers.
        """
        parts = self.parts
        parts.events = Events(
            session, parts.client, parts.timeSource, self._dispatch, self._eventDone
        )
        return parts.events

    def _dispatch(self, event: str, *args: object) -> None:
        """
        Call the handler of a posted or scheduled event, in a step.
        """
        self.parts.callbacks.do(self._callHandler, event, *args)

    def _callHandler(self, event: str, *args: object) -> None:
        events = self.parts.events
        assert events is not None
        try:
            self.callEvent(events, event, *args)
        except BaseException as error:
            self.parts.callbackRaised(event, error)
            self.parts.raiseLater(error)
        finally:
            self._eventDone()

    def callEvent(self, events: Events, event: str, *args: object) -> object:
        """
        Call the handler of an event now.

        @return: its result.
        """
        if events.isTraced:
            fields = {"event": event, "args": args}
            logEvent(self.parts.client, logged.DISPATCHED, fields)
        return events.call(event, *args)

    def _eventDone(self) -> None:
        """
        A pending event has been handled or cancelled: the client may be able to stop.
        """
        if self.parts.lifecycle.phase is WAITING:
            self.parts.lifecycle.settle()


def _neverConnected(failure: Failure | None) -> Failure:
    """
    @param failure: the argument of C{stopped}.

    @return: the failure for the Deferreds of a client that stopped before they fired.
    """
    return failure or Failure(
        NotConnectedError("the client was stopped before it was connected")
    )
