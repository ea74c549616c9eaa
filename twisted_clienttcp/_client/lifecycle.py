"""
The lifecycle of a client, as one table.

Theory of operation:

 1. L{Lifecycle} owns the phase and the action that follows the current attempt or
    connection. It does not use reactors, transports, addresses or failures: it requests
    all effects from its L{LifecycleOwner}.
 2. Every input returns None and may be called at any time. If it is called from inside
    an effect, it is processed after the current input.
 3. Users' callbacks never run while an input is processed. An effect that leads to a
    callback queues it in L{Callbacks}, which run after the input. So a call that a
    callback makes takes effect before the call returns, and the flags reflect it.
 4. The action that follows an attempt or a connection is chosen while it ends, and the
    last choice wins: the settings choose first, then the callbacks.
    L{Lifecycle.settle}, which is queued after the last callback, performs the action.
 5. Every input is valid in every phase. An input without a row for the current phase
    has no effect: C{shutdown} of a client that has stopped, for example, or the second
    report of a loss.
 6. Records and output never pass through this module.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from .callbacks import Callbacks


class Phase(Enum):
    """
    The phase of a client.

    @ivar row: for each input that has an effect in this phase, the next phase and the
        action.
    """

    row: dict[Callable[..., None], tuple[Phase, Callable[..., None]]]

    #: never started
    IDLE = "idle"
    #: an attempt has begun: name lookup, then TCP
    CONNECTING = "connecting"
    #: there is a transport, but TLS or C{preConnect} has not finished
    NEGOTIATING = "negotiating"
    #: C{connected} has been called; records flow
    CONNECTED = "connected"
    #: the connection is being closed, or is lost; C{disconnected} will be called
    DRAINING = "draining"
    #: between two attempts
    WAITING = "waiting"
    #: C{stopped} has been called, or a C{ClientService} may connect again
    STOPPED = "stopped"


# A module-level name is three times as fast to access as a member of an Enum.
IDLE, CONNECTING, NEGOTIATING, CONNECTED, DRAINING, WAITING, STOPPED = Phase


class Then(Enum):
    """
    The action that follows an attempt or a connection. A number of seconds may be used
    in place of a member: an attempt after a delay that the user has chosen, or after 0
    seconds, to replace an old connection.
    """

    #: stop, as the user has requested
    STOP = "stop"
    #: stop, because nothing requests another attempt
    GIVE_UP = "give up"
    #: an attempt after the delay of the policy
    RETRY = "retry"
    #: an attempt without a delay
    NOW = "now"


STOP, GIVE_UP, RETRY, NOW = Then


class LifecycleOwner(Protocol):
    """
    The effects that a lifecycle requests.
    """

    @property
    def retrying(self) -> bool:
        """
        True if another attempt automatically follows a failure or a loss.
        """

    @property
    def expectsEvents(self) -> bool:
        """
        True if a named event is pending whose handler may request another attempt.
        """

    def nextDelay(self) -> float | None:
        """
        @return: the seconds to wait before the next attempt; None to give up.
        """

    def beginAttempt(self) -> None:
        """
        Begin an attempt. L{Lifecycle.made} or L{Lifecycle.failed} follows.
        """

    def cancelAttempt(self) -> None:
        """
        Cancel the current attempt, if there is one. No input follows.
        """

    def expireAttempt(self) -> None:
        """
        End the current attempt with a timeout. L{Lifecycle.failed} or
        L{Lifecycle.connectionEnded} follows.
        """

    def close(self) -> None:
        """
        Close the connection when its output has been sent, and deliver nothing more.
        L{Lifecycle.connectionEnded} follows.
        """

    def drain(self) -> None:
        """
        Send all output, deliver everything that the peer sends until it ends its side,
        and close the connection. L{Lifecycle.connectionEnded} follows. Do nothing if
        the connection is already ending.
        """

    def abort(self) -> None:
        """
        Close the connection now. L{Lifecycle.connectionEnded} follows.
        """

    def endDiversion(self) -> None:
        """
        No connection follows the current one: if the current one is draining, let it
        send the records that were meant for the next one.
        """

    def nothingFollows(self) -> None:
        """
        No attempt follows, unless the handler of a named event requests one.
        """

    def startTimer(self, seconds: float) -> None:
        """
        An attempt follows: call L{Lifecycle.timeUp} after this time. There is only one
        timer, so this stops any other use of it.
        """

    def startAging(self) -> None:
        """
        Stop the timer. If the age of the connection is limited, restart it with the
        maximum age: L{Lifecycle.aged} follows after that time.
        """

    def startDeadline(self) -> None:
        """
        Start the timer with the longest time that the current attempt may take, unless
        the connector itself limits the time.
        """

    def stopTimer(self) -> None:
        """
        Stop the timer, if it is running.
        """

    def queueStarted(self) -> None:
        """
        Queue the callback C{started}.
        """

    def queueConnected(self) -> None:
        """
        Queue the callback C{connected}.
        """

    def queueStopped(self, gaveUp: bool, hosted: bool) -> None:
        """
        Queue the callback C{stopped}.

        @param gaveUp: True if the client gave up, False if the user stopped it.
        @param hosted: True if a C{ClientService} may connect again. Then C{stopped} is
            not called, and only the Deferreds of C{shutdown} fire.
        """


#: A sequence of inputs, each with its arguments.
Inputs = tuple[tuple[Callable[..., None], tuple[float, ...]], ...]


class Lifecycle:
    """
    The state machine of a client.

    @ivar phase: the current phase.
    @ivar then: the action that follows the current attempt or connection; None if it
        has not been chosen.
    @ivar hosted: True if a C{ClientService} makes the connections: the client did not
        see an attempt before the current connection.
    """

    __slots__ = ("_callbacks", "_inputs", "_owner", "hosted", "phase", "then")

    def __init__(self, owner: LifecycleOwner, callbacks: Callbacks) -> None:
        """
        @param callbacks: the queue of callbacks, which is run after each input.
        """
        self._owner = owner
        self._callbacks = callbacks
        #: The inputs to process after the current one.
        self._inputs: Inputs = ()
        self.phase = IDLE
        self.then: Then | float | None = None
        self.hosted = False

    @property
    def stopping(self) -> bool:
        """
        True if the client has stopped or is about to stop.
        """
        return self.phase is STOPPED or self.then in (STOP, GIVE_UP)

    @property
    def isScheduled(self) -> bool:
        """
        True if another attempt will follow because the user has requested it, or to
        replace an old connection.
        """
        return self.then is not None and not isinstance(self.then, Then)

    @property
    def retryable(self) -> bool:
        """
        True if a request to retry can have an effect: not during the negotiation, not
        if another attempt will follow anyway, and not after a request to stop.
        """
        if self.phase in (STOPPED, NEGOTIATING):
            return False
        if self.phase is WAITING or self.then is not None:
            return self.then is GIVE_UP
        return True

    # -- inputs

    def start(self) -> None:
        """
        The user starts the client.
        """
        self._process(Lifecycle.start)

    def reconnect(self, delay: float, drains: bool = False) -> None:
        """
        The user ends the current connection or attempt, and requests another attempt
        after C{delay} seconds. If C{drains} is true, a connection is drained first.
        """
        self._process(Lifecycle.reconnect, delay, drains)

    def shutdown(self) -> None:
        """
        The user stops the client: flush, close, and do not connect again.
        """
        self._process(Lifecycle.shutdown)

    def attempting(self) -> None:
        """
        A connector has begun an attempt that the client has not requested.
        """
        self._process(Lifecycle.attempting)

    def made(self) -> None:
        """
        The transport is connected; TLS and C{preConnect} follow.
        """
        self._process(Lifecycle.made)

    def negotiated(self) -> None:
        """
        TLS and C{preConnect} have finished: the connection can be used.
        """
        self._process(Lifecycle.negotiated)

    def refused(self) -> None:
        """
        The connection must not be used: abort it.
        """
        self._process(Lifecycle.refused)

    def failed(self) -> None:
        """
        The attempt has ended without a transport; C{connectError} has been called.
        """
        self._process(Lifecycle.failed)

    def aged(self) -> None:
        """
        The connection has reached its maximum age: replace it.
        """
        self._process(Lifecycle.aged)

    def inputEnded(self) -> None:
        """
        The peer has ended its side, or has sent bytes that cannot be decoded: flush and
        close.
        """
        self._process(Lifecycle.inputEnded)

    def broken(self) -> None:
        """
        The connection can no longer be used, for example because a callback has raised:
        drop it.
        """
        self._process(Lifecycle.broken)

    def connectionEnded(self) -> None:
        """
        The transport is lost, and everything received has been delivered;
        C{connectError} or C{serverError} has been called. If C{connected} had been
        called, the owner calls C{disconnected} in the same step, and then L{settle}.
        """
        self._process(Lifecycle.connectionEnded)

    def timeUp(self) -> None:
        """
        The timer has expired, or none is needed.
        """
        self._process(Lifecycle.timeUp)

    def settle(self) -> None:
        """
        All callbacks have run: perform the action that follows.
        """
        self._process(Lifecycle.settle)

    def finish(self) -> None:
        """
        No attempt follows: stop.
        """
        self._process(Lifecycle.finish)

    def _process(self, given: Callable[..., None], *args: float) -> None:
        """
        Process an input now, or after the current one.
        """
        if self._callbacks.isHeld:
            self._inputs += ((given, args),)
            return
        self._callbacks.isHeld = True
        try:
            while True:
                row = self.phase.row
                if given in row:
                    self.phase, act = row[given]
                    act(self, *args)
                if not self._inputs:
                    break
                (given, args), self._inputs = self._inputs[0], self._inputs[1:]
        finally:
            self._inputs = ()
            self._callbacks.isHeld = False
        if not self._callbacks.isRunning:
            self._callbacks.run()

    # -- actions

    def _begin(self) -> None:
        self.hosted = False
        self.then = NOW
        self._owner.queueStarted()
        self._callbacks.later(self.settle)

    def _beginAfter(self, delay: float, drains: bool) -> None:
        self._begin()
        self.then = delay

    def _begunByOthers(self) -> None:
        self.hosted = False
        self.then = None
        self._owner.startDeadline()
        self._owner.queueStarted()

    def _madeByOthers(self) -> None:
        self.hosted = True
        self.then = None
        self._owner.startDeadline()

    def _attempt(self) -> None:
        self._owner.beginAttempt()
        # Only now is the connector known, which may limit the time itself.
        self._owner.startDeadline()

    def _attemptedByOthers(self) -> None:
        self.then = None
        self._owner.startDeadline()

    def _cancelAndStop(self) -> None:
        self._owner.stopTimer()
        self._owner.cancelAttempt()
        self.then = None
        self._owner.queueStopped(gaveUp=False, hosted=False)

    def _cancelAndWait(self, delay: float, drains: bool) -> None:
        self._owner.stopTimer()
        self._owner.cancelAttempt()
        self.then = delay
        self._callbacks.later(self.settle)

    def _expireAttempt(self) -> None:
        self._owner.expireAttempt()

    def _keepDeadline(self) -> None:
        """
        Do nothing: the deadline of the attempt includes the negotiation.
        """

    def _abort(self) -> None:
        self._owner.abort()

    def _connect(self) -> None:
        self._owner.startAging()
        self._owner.queueConnected()

    def _close(self) -> None:
        self._owner.close()

    def _closeAndStop(self) -> None:
        self.then = STOP
        self._owner.close()

    def _abortAndStop(self) -> None:
        self.then = STOP
        self._owner.abort()

    def _abortAndWait(self, delay: float, drains: bool) -> None:
        self.then = delay
        self._owner.abort()

    def _endAndWait(self, delay: float, drains: bool) -> None:
        self.then = delay
        if drains:
            self._owner.drain()
        else:
            self._owner.abort()

    def _choose(self) -> None:
        """
        Choose the next action by the settings, unless one has been chosen already.
        """
        if self.then is None:
            self.then = RETRY if self._owner.retrying else GIVE_UP

    def _replace(self) -> None:
        self.then = 0.0 if self._owner.retrying else GIVE_UP
        self._owner.drain()

    def _chooseAndClose(self) -> None:
        self._choose()
        self._owner.close()

    def _chooseAndAbort(self) -> None:
        self._choose()
        self._owner.abort()

    def _attemptOver(self) -> None:
        self._owner.stopTimer()
        self._choose()
        self._callbacks.later(self.settle)

    def _stopAfterwards(self) -> None:
        self.then = STOP
        self._owner.endDiversion()

    def _waitAfterwards(self, delay: float, drains: bool) -> None:
        self.then = delay
        self._callbacks.later(self.settle)

    def _settle(self) -> None:
        then = self.then
        if then is None:
            # An earlier call has performed the action.
            return
        if then is RETRY and not self.hosted:
            delay = self._owner.nextDelay()
            then = GIVE_UP if delay is None else delay
        if then is NOW:
            self.then = None
            self.timeUp()
        elif self.hosted or isinstance(then, Then):
            self.then = then
            # The owner calls settle() again when these events have been handled.
            if self.hosted or not self._owner.expectsEvents:
                self.finish()
            else:
                self._owner.nothingFollows()
        else:
            self.then = None
            self._owner.startTimer(then)

    def _finish(self) -> None:
        gaveUp = self.then is GIVE_UP
        self.then = None
        self._owner.stopTimer()
        self._owner.queueStopped(gaveUp, self.hosted)


#: A row: in this phase, at this input, enter that phase and perform this action.
Row = tuple[Phase, Callable[..., None], Phase, Callable[..., None]]

_L = Lifecycle

TABLE: tuple[Row, ...] = (
    # -- the client is not running; a ClientService may still make a connection
    (IDLE, _L.start, WAITING, _L._begin),
    (IDLE, _L.reconnect, WAITING, _L._beginAfter),
    (IDLE, _L.attempting, CONNECTING, _L._begunByOthers),
    (IDLE, _L.made, NEGOTIATING, _L._madeByOthers),
    (STOPPED, _L.start, WAITING, _L._begin),
    (STOPPED, _L.reconnect, WAITING, _L._beginAfter),
    (STOPPED, _L.attempting, CONNECTING, _L._begunByOthers),
    (STOPPED, _L.made, NEGOTIATING, _L._madeByOthers),
    # -- between two attempts
    (WAITING, _L.settle, WAITING, _L._settle),
    (WAITING, _L.timeUp, CONNECTING, _L._attempt),
    (WAITING, _L.attempting, CONNECTING, _L._attemptedByOthers),
    (WAITING, _L.reconnect, WAITING, _L._waitAfterwards),
    (WAITING, _L.shutdown, STOPPED, _L._cancelAndStop),
    (WAITING, _L.finish, STOPPED, _L._finish),
    # -- an attempt is being made
    (CONNECTING, _L.made, NEGOTIATING, _L._keepDeadline),
    (CONNECTING, _L.failed, WAITING, _L._attemptOver),
    (CONNECTING, _L.timeUp, CONNECTING, _L._expireAttempt),
    (CONNECTING, _L.reconnect, WAITING, _L._cancelAndWait),
    (CONNECTING, _L.shutdown, STOPPED, _L._cancelAndStop),
    # -- a transport that is not a connection yet: the phase ends when it is lost
    (NEGOTIATING, _L.negotiated, CONNECTED, _L._connect),
    (NEGOTIATING, _L.refused, NEGOTIATING, _L._abort),
    (NEGOTIATING, _L.timeUp, NEGOTIATING, _L._expireAttempt),
    (NEGOTIATING, _L.reconnect, NEGOTIATING, _L._abortAndWait),
    (NEGOTIATING, _L.shutdown, NEGOTIATING, _L._abortAndStop),
    (NEGOTIATING, _L.connectionEnded, WAITING, _L._attemptOver),
    # -- records flow
    (CONNECTED, _L.shutdown, DRAINING, _L._closeAndStop),
    (CONNECTED, _L.reconnect, DRAINING, _L._endAndWait),
    (CONNECTED, _L.aged, DRAINING, _L._replace),
    (CONNECTED, _L.inputEnded, DRAINING, _L._chooseAndClose),
    (CONNECTED, _L.broken, DRAINING, _L._chooseAndAbort),
    (CONNECTED, _L.connectionEnded, DRAINING, _L._choose),
    # -- the connection is ending; the last request decides what follows
    (DRAINING, _L.shutdown, DRAINING, _L._closeAndStop),
    (DRAINING, _L.finish, DRAINING, _L._stopAfterwards),
    (DRAINING, _L.reconnect, DRAINING, _L._endAndWait),
    (DRAINING, _L.inputEnded, DRAINING, _L._close),
    (DRAINING, _L.broken, DRAINING, _L._abort),
    (DRAINING, _L.settle, WAITING, _L._settle),
)

for _phase in Phase:
    _phase.row = {}
for _source, _given, _target, _act in TABLE:
    _source.row[_given] = _target, _act
