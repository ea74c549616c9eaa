"""
The lifecycle of a client, as one table.

Theory of operation:

 1. The machine knows phases and orders, nothing else: no reactor, transport,
    address or failure. What it wants done it asks of the L{Client}.
 2. Each input returns nothing, so each may be given at any time, also from inside
    an effect: then it is taken when the present one is done.
 3. Users' callbacks never run inside the machine. An effect that has something to
    tell leaves it to the L{Client} to tell after the input is done. So an order
    given in a callback acts at once, and the flags show it at once.
 4. What follows the present attempt or connection is decided while it ends, by
    whoever speaks last: the policy, then the callbacks. It stands in C{_then}
    until C{settle} comes, behind the last callback, and carries it out.
 5. A cell of the table that is empty is an input without meaning in that phase
    (C{shutdown} of a client that is stopped, an end that was reported already). It
    changes nothing. Nothing is undefined: every phase takes every input.
 6. The machine is L{give} and the table; what it remembers stands in the client.
 7. The data path never comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol


class Phase(Enum):
    """
    Where a client stands.

    @ivar row: for each input that means something in this phase the phase that follows,
        and what is done.
    """

    row: dict[Callable[..., None], tuple[Phase, Callable[..., None]]]

    #: never started
    IDLE = "idle"
    #: an attempt is under way: name look-up, then TCP
    CONNECTING = "connecting"
    #: there is a transport, but TLS or C{preConnect} is not done
    NEGOTIATING = "negotiating"
    #: C{connected} has been called; records flow
    CONNECTED = "connected"
    #: the connection is being closed; C{disconnected} is still to come
    DRAINING = "draining"
    #: between two attempts
    WAITING = "waiting"
    #: C{stopped} has been called, or the service that drives us may connect again
    STOPPED = "stopped"


# By these names they are found in a third of the time, and each connection looks for
# some dozens.
IDLE, CONNECTING, NEGOTIATING, CONNECTED, DRAINING, WAITING, STOPPED = Phase


class Then(Enum):
    """
    What may follow an attempt or a connection, beside a delay in seconds.
    """

    #: by order
    STOP = "stop"
    #: because nothing asks for another attempt
    GIVE_UP = "give up"
    #: after whatever delay the policy gives
    RETRY = "retry"
    #: an attempt, with no delay
    NOW = "now"


STOP, GIVE_UP, RETRY, NOW = Then


#: Inputs, each with its arguments.
Waiting = tuple[tuple[Callable[..., None], tuple[Any, ...]], ...]


class Client(Protocol):
    """
    Who lives by the table: what is remembered of him, and what he is asked for.

    @ivar _phase: the present phase; the flags are read from it.
    @ivar _then: what follows the present attempt or connection; None if nobody has
        said so yet.
    @ivar _hosted: this connection was made by somebody who neither told us of its
        attempt nor lets us make another (a C{ClientService}).
    @ivar _inputs: those that wait for the present one to be done; None if there is no
        present one.
    """

    _phase: Phase
    _then: Then | float | None
    _hosted: bool
    _inputs: Waiting | None

    @property
    def _retrying(self) -> bool:
        """
        Whether the client goes on by itself after a failure or a loss.
        """

    @property
    def _expectant(self) -> bool:
        """
        Whether an event is to come that may yet ask for another attempt.
        """

    def _retryDelay(self) -> float | None:
        """
        @return: the seconds to wait before the next attempt, or None to give up.
        """

    def _attempt(self) -> None:
        """
        Begin an attempt, and give its end as C{made} or C{failed}.
        """

    def _cancelAttempt(self) -> None:
        """
        Forget the attempt under way, if it still is; it ends without a word.
        """

    def _expireAttempt(self) -> None:
        """
        End the attempt under way, with a timeout as its failure.
        """

    def _drain(self) -> None:
        """
        Close the connection when all its output has been taken.
        """

    def _abort(self) -> None:
        """
        Close the connection now; C{lost} follows.
        """

    def _startTimer(self, seconds: float) -> None:
        """
        Give C{timeUp} after so many seconds. There is one timer: a running one is
        replaced.
        """

    def _startDeadline(self) -> None:
        """
        Give C{timeUp} when the attempt under way has taken too long.
        """

    def _stopTimer(self) -> None:
        """
        Stop the timer, if it runs.
        """

    def _tellStarted(self) -> None:
        """
        Call C{started}, later.
        """

    def _tellConnected(self) -> None:
        """
        Call C{connected}, later.
        """

    def _tellDisconnected(self) -> None:
        """
        Call C{disconnected}, later.
        """

    def _tellStopped(self, gaveUp: bool, hosted: bool) -> None:
        """
        Call C{stopped}, later; with what stopped the client, if it gave up. Only
        tell who waits for the end of the connection, if that was C{hosted}.
        """

    def _settleLater(self) -> None:
        """
        Give C{settle} behind all that is still to be told.
        """


def stopping(client: Client) -> bool:
    """
    @return: whether the client has stopped or is about to.
    """
    return client._phase is STOPPED or client._then in (STOP, GIVE_UP)


def ordered(client: Client) -> bool:
    """
    @return: whether an attempt is to follow by order.
    """
    return client._then is not None and not isinstance(client._then, Then)


def retryable(client: Client) -> bool:
    """
    @return: whether an order to retry would change anything: not where an attempt is
        under way or will follow, nor against an order to stop.
    """
    if client._phase in (STOPPED, NEGOTIATING):
        return False
    if client._phase is WAITING or client._then is not None:
        return client._then is GIVE_UP
    return True


class Inputs(Protocol):
    """
    What can happen to a client.
    """

    def start(self) -> None:
        "Order: begin."

    def reconnect(self, delay: float) -> None:
        "Order: drop what there is and make an attempt after C{delay} seconds."

    def shutdown(self) -> None:
        "Order: flush, close, and stay stopped."

    def attempting(self) -> None:
        "A connector has begun an attempt, at our order or somebody else's."

    def made(self) -> None:
        "There is a transport."

    def negotiated(self) -> None:
        "The connection is usable."

    def refused(self) -> None:
        "The connection must not be used; whoever says so knows why."

    def failed(self) -> None:
        "The attempt ended without a transport; C{connectError} has been called."

    def ended(self) -> None:
        "The peer has ended its side, or sent what cannot be read: close in order."

    def broken(self) -> None:
        "The connection cannot go on: a callback has raised."

    def lost(self) -> None:
        "The transport is gone; C{connectError} or C{serverError} has been called."

    def timeUp(self) -> None:
        "The timer has run down, or none is needed."

    def settle(self) -> None:
        "All is told: do what follows."

    def finish(self) -> None:
        "What follows is nothing."


def _begin(client: Client) -> None:
    client._hosted = False
    client._then = NOW
    client._tellStarted()
    client._settleLater()


def _beginAfter(client: Client, delay: float) -> None:
    _begin(client)
    client._then = delay


def _begunByOthers(client: Client) -> None:
    client._hosted = False
    client._then = None
    client._startDeadline()
    client._tellStarted()


def _madeByOthers(client: Client) -> None:
    client._hosted = True
    client._then = None
    client._startDeadline()


def _attempt(client: Client) -> None:
    client._attempt()
    # Who makes the attempt is known now, and may keep the time himself.
    client._startDeadline()


def _attemptedByOthers(client: Client) -> None:
    client._then = None
    client._startDeadline()


def _cancelAndStop(client: Client) -> None:
    client._stopTimer()
    client._cancelAttempt()
    client._then = None
    client._tellStopped(gaveUp=False, hosted=False)


def _cancelAndWait(client: Client, delay: float) -> None:
    client._stopTimer()
    client._cancelAttempt()
    client._then = delay
    client._settleLater()


def _expireAttempt(client: Client) -> None:
    client._expireAttempt()


def _keepDeadline(client: Client) -> None:
    """
    The one deadline of the attempt runs on: it covers the negotiation too.
    """


def _abort(client: Client) -> None:
    client._abort()


def _connect(client: Client) -> None:
    client._stopTimer()
    client._tellConnected()


def _drainAndStop(client: Client) -> None:
    client._then = STOP
    client._drain()


def _abortAndStop(client: Client) -> None:
    client._then = STOP
    client._abort()


def _abortAndWait(client: Client, delay: float) -> None:
    client._then = delay
    client._abort()


def _byPolicy(client: Client) -> None:
    if client._then is None:
        client._then = RETRY if client._retrying else GIVE_UP


def _drainByPolicy(client: Client) -> None:
    _byPolicy(client)
    client._drain()


def _abortByPolicy(client: Client) -> None:
    _byPolicy(client)
    client._abort()


def _disconnect(client: Client) -> None:
    _byPolicy(client)
    client._tellDisconnected()
    client._settleLater()


def _attemptOver(client: Client) -> None:
    client._stopTimer()
    _byPolicy(client)
    client._settleLater()


def _stopAfterAll(client: Client) -> None:
    client._then = STOP


def _waitAfterAll(client: Client, delay: float) -> None:
    client._then = delay
    client._settleLater()


def _settle(client: Client) -> None:
    then = client._then
    if then is None:
        # An earlier settle has seen to it.
        return
    if then is RETRY and not client._hosted:
        delay = client._retryDelay()
        then = GIVE_UP if delay is None else delay
    if then is NOW:
        client._then = None
        give(client, Inputs.timeUp)
    elif client._hosted or isinstance(then, Then):
        client._then = then
        # Who expects an event settles again when it has come.
        if client._hosted or not client._expectant:
            give(client, Inputs.finish)
    else:
        client._then = None
        client._startTimer(then)


def _finish(client: Client) -> None:
    gaveUp = client._then is GIVE_UP
    client._then = None
    client._stopTimer()
    client._tellStopped(gaveUp, client._hosted)


#: One row: in this phase, at this input, go to that phase and do this.
Row = tuple[Phase, Callable[..., None], Phase, Callable[..., None]]

_I = Inputs

TABLE: tuple[Row, ...] = (
    # -- nothing is going on; a ClientService may still hand us a connection
    (IDLE, _I.start, WAITING, _begin),
    (IDLE, _I.reconnect, WAITING, _beginAfter),
    (IDLE, _I.attempting, CONNECTING, _begunByOthers),
    (IDLE, _I.made, NEGOTIATING, _madeByOthers),
    (STOPPED, _I.start, WAITING, _begin),
    (STOPPED, _I.reconnect, WAITING, _beginAfter),
    (STOPPED, _I.attempting, CONNECTING, _begunByOthers),
    (STOPPED, _I.made, NEGOTIATING, _madeByOthers),
    # -- between two attempts
    (WAITING, _I.settle, WAITING, _settle),
    (WAITING, _I.timeUp, CONNECTING, _attempt),
    (WAITING, _I.attempting, CONNECTING, _attemptedByOthers),
    (WAITING, _I.reconnect, WAITING, _waitAfterAll),
    (WAITING, _I.shutdown, STOPPED, _cancelAndStop),
    (WAITING, _I.finish, STOPPED, _finish),
    # -- an attempt is under way
    (CONNECTING, _I.made, NEGOTIATING, _keepDeadline),
    (CONNECTING, _I.failed, WAITING, _attemptOver),
    (CONNECTING, _I.timeUp, CONNECTING, _expireAttempt),
    (CONNECTING, _I.reconnect, WAITING, _cancelAndWait),
    (CONNECTING, _I.shutdown, STOPPED, _cancelAndStop),
    # -- a transport, but not yet a connection: it ends with its transport
    (NEGOTIATING, _I.negotiated, CONNECTED, _connect),
    (NEGOTIATING, _I.refused, NEGOTIATING, _abort),
    (NEGOTIATING, _I.timeUp, NEGOTIATING, _expireAttempt),
    (NEGOTIATING, _I.reconnect, NEGOTIATING, _abortAndWait),
    (NEGOTIATING, _I.shutdown, NEGOTIATING, _abortAndStop),
    (NEGOTIATING, _I.lost, WAITING, _attemptOver),
    # -- records flow
    (CONNECTED, _I.shutdown, DRAINING, _drainAndStop),
    (CONNECTED, _I.reconnect, DRAINING, _abortAndWait),
    (CONNECTED, _I.ended, DRAINING, _drainByPolicy),
    (CONNECTED, _I.broken, DRAINING, _abortByPolicy),
    (CONNECTED, _I.lost, DRAINING, _disconnect),
    # -- the connection is on its way out; the last order decides what follows
    (DRAINING, _I.shutdown, DRAINING, _stopAfterAll),
    (DRAINING, _I.reconnect, DRAINING, _abortAndWait),
    (DRAINING, _I.broken, DRAINING, _abort),
    (DRAINING, _I.lost, DRAINING, _disconnect),
    (DRAINING, _I.settle, WAITING, _settle),
)


def _fill() -> None:
    """
    Give each phase its row.
    """
    for phase in Phase:
        phase.row = {}
    for phase, given, target, act in TABLE:
        phase.row[given] = target, act


_fill()


def give(client: Client, given: Callable[..., None], *args: Any) -> None:
    """
    Give an input. What is given while another one is taken is taken behind it.

    @param given: one of L{Inputs}.
    """
    if client._inputs is not None:
        client._inputs += ((given, args),)
        return
    client._inputs = ()
    try:
        while True:
            row = client._phase.row
            if given in row:
                client._phase, act = row[given]
                act(client, *args)
            if not client._inputs:
                return
            (given, args), client._inputs = client._inputs[0], client._inputs[1:]
    finally:
        client._inputs = None
