"""
The lifecycle of a client, as one table.

Theory of operation:

 1. The machine knows phases and orders, nothing else: no reactor, transport,
    address or failure. What it wants done it asks of its L{Effects}.
 2. Each input returns nothing, so each may be given at any time, also from inside
    an effect (Automat then puts it off until the running one is done).
 3. Users' callbacks never run inside the machine. An effect that has something to
    tell leaves it to the L{Effects} to tell after the input is done. So an order
    given in a callback acts at once, and the flags show it at once.
 4. What follows the present attempt or connection is decided while it ends, by
    whoever speaks last: the policy, then the callbacks. It stands in C{core.then}
    until C{settle} comes, behind the last callback, and carries it out.
 5. A cell of the table that is empty is an input without meaning in that phase
    (C{shutdown} of a client that is stopped, an end that was reported already). It
    changes nothing. Nothing is undefined: every phase takes every input.
 6. The phase is all that the machine remembers, and it stands in the core. So there is
    a machine only while an input is taken; a client that idles needs none.
 7. The data path never comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol

from automat import TypeMachineBuilder


class Phase(Enum):
    """
    Where a client stands.
    """

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


class Effects(Protocol):
    """
    What the machine asks of its owner.
    """

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

    def _startTimer(self, seconds: float | None = None) -> None:
        """
        Give C{timeUp} after so many seconds; None: when an attempt has taken too
        long. There is one timer: a running one is replaced.
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


@dataclass(slots=True)
class Core:
    """
    What the machine knows.

    @ivar phase: the present phase; the factory's flags are read from it.
    @ivar then: what follows the present attempt or connection; None if nobody has
        said so yet.
    @ivar hosted: this connection was made by somebody who neither told us of its
        attempt nor lets us make another (a C{ClientService}).
    @ivar machine: what takes the present input.
    """

    effects: Effects
    phase: Phase = Phase.IDLE
    then: Then | float | None = None
    hosted: bool = False
    machine: Any = None

    @property
    def stopping(self) -> bool:
        """
        Whether the client has been stopped or is about to be.
        """
        return self.phase is Phase.STOPPED or self.then in (Then.STOP, Then.GIVE_UP)

    @property
    def ordered(self) -> bool:
        """
        Whether an attempt is to follow by order.
        """
        return self.then is not None and not isinstance(self.then, Then)

    @property
    def retryable(self) -> bool:
        """
        Whether an order to retry would change anything: not where an attempt is under
        way or will follow, nor against an order to stop.
        """
        if self.phase in (Phase.STOPPED, Phase.NEGOTIATING):
            return False
        if self.phase is Phase.WAITING or self.then is not None:
            return self.then is Then.GIVE_UP
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
        "The timer has run down."

    def settle(self) -> None:
        "All is told: do what follows."

    def finish(self) -> None:
        "What follows is nothing."


def _begin(inputs: Inputs, core: Core) -> None:
    core.hosted = False
    core.then = 0.0
    core.effects._tellStarted()
    core.effects._settleLater()


def _beginAfter(inputs: Inputs, core: Core, delay: float) -> None:
    _begin(inputs, core)
    core.then = delay


def _begunByOthers(inputs: Inputs, core: Core) -> None:
    core.hosted = False
    core.then = None
    core.effects._startTimer()
    core.effects._tellStarted()


def _madeByOthers(inputs: Inputs, core: Core) -> None:
    core.hosted = True
    core.then = None
    core.effects._startTimer()


def _attempt(inputs: Inputs, core: Core) -> None:
    core.effects._startTimer()
    core.effects._attempt()


def _attemptedByOthers(inputs: Inputs, core: Core) -> None:
    core.then = None
    core.effects._startTimer()


def _cancelAndStop(inputs: Inputs, core: Core) -> None:
    core.effects._stopTimer()
    core.effects._cancelAttempt()
    core.then = None
    core.effects._tellStopped(gaveUp=False, hosted=False)


def _cancelAndWait(inputs: Inputs, core: Core, delay: float) -> None:
    core.effects._stopTimer()
    core.effects._cancelAttempt()
    core.then = delay
    core.effects._settleLater()


def _expireAttempt(inputs: Inputs, core: Core) -> None:
    core.effects._expireAttempt()


def _keepDeadline(inputs: Inputs, core: Core) -> None:
    """
    The one deadline of the attempt runs on: it covers the negotiation too.
    """


def _abort(inputs: Inputs, core: Core) -> None:
    core.effects._abort()


def _connect(inputs: Inputs, core: Core) -> None:
    core.effects._stopTimer()
    core.effects._tellConnected()


def _drainAndStop(inputs: Inputs, core: Core) -> None:
    core.then = Then.STOP
    core.effects._drain()


def _abortAndStop(inputs: Inputs, core: Core) -> None:
    core.then = Then.STOP
    core.effects._abort()


def _abortAndWait(inputs: Inputs, core: Core, delay: float) -> None:
    core.then = delay
    core.effects._abort()


def _byPolicy(core: Core) -> None:
    if core.then is None:
        core.then = Then.RETRY if core.effects._retrying else Then.GIVE_UP


def _drainByPolicy(inputs: Inputs, core: Core) -> None:
    _byPolicy(core)
    core.effects._drain()


def _abortByPolicy(inputs: Inputs, core: Core) -> None:
    _byPolicy(core)
    core.effects._abort()


def _disconnect(inputs: Inputs, core: Core) -> None:
    _byPolicy(core)
    core.effects._tellDisconnected()
    core.effects._settleLater()


def _attemptOver(inputs: Inputs, core: Core) -> None:
    core.effects._stopTimer()
    _byPolicy(core)
    core.effects._settleLater()


def _stopAfterAll(inputs: Inputs, core: Core) -> None:
    core.then = Then.STOP


def _waitAfterAll(inputs: Inputs, core: Core, delay: float) -> None:
    core.then = delay
    core.effects._settleLater()


def _settle(inputs: Inputs, core: Core) -> None:
    then = core.then
    if then is None:
        # An earlier settle has seen to it.
        return
    if then is Then.RETRY and not core.hosted:
        delay = core.effects._retryDelay()
        then = Then.GIVE_UP if delay is None else delay
    if core.hosted or isinstance(then, Then):
        core.then = then
        # Who expects an event settles again when it has come.
        if core.hosted or not core.effects._expectant:
            inputs.finish()
    else:
        core.then = None
        core.effects._startTimer(then)


def _finish(inputs: Inputs, core: Core) -> None:
    gaveUp = core.then is Then.GIVE_UP
    core.then = None
    core.effects._stopTimer()
    core.effects._tellStopped(gaveUp, core.hosted)


#: One row: in this phase, at this input, go to that phase and do this.
Row = tuple[Phase, Callable[..., None], Phase, Callable[..., None]]

_P = Phase
_I = Inputs

TABLE: tuple[Row, ...] = (
    # -- nothing is going on; a ClientService may still hand us a connection
    (_P.IDLE, _I.start, _P.WAITING, _begin),
    (_P.IDLE, _I.reconnect, _P.WAITING, _beginAfter),
    (_P.IDLE, _I.attempting, _P.CONNECTING, _begunByOthers),
    (_P.IDLE, _I.made, _P.NEGOTIATING, _madeByOthers),
    (_P.STOPPED, _I.start, _P.WAITING, _begin),
    (_P.STOPPED, _I.reconnect, _P.WAITING, _beginAfter),
    (_P.STOPPED, _I.attempting, _P.CONNECTING, _begunByOthers),
    (_P.STOPPED, _I.made, _P.NEGOTIATING, _madeByOthers),
    # -- between two attempts
    (_P.WAITING, _I.settle, _P.WAITING, _settle),
    (_P.WAITING, _I.timeUp, _P.CONNECTING, _attempt),
    (_P.WAITING, _I.attempting, _P.CONNECTING, _attemptedByOthers),
    (_P.WAITING, _I.reconnect, _P.WAITING, _waitAfterAll),
    (_P.WAITING, _I.shutdown, _P.STOPPED, _cancelAndStop),
    (_P.WAITING, _I.finish, _P.STOPPED, _finish),
    # -- an attempt is under way
    (_P.CONNECTING, _I.made, _P.NEGOTIATING, _keepDeadline),
    (_P.CONNECTING, _I.failed, _P.WAITING, _attemptOver),
    (_P.CONNECTING, _I.timeUp, _P.CONNECTING, _expireAttempt),
    (_P.CONNECTING, _I.reconnect, _P.WAITING, _cancelAndWait),
    (_P.CONNECTING, _I.shutdown, _P.STOPPED, _cancelAndStop),
    # -- a transport, but not yet a connection: it ends with its transport
    (_P.NEGOTIATING, _I.negotiated, _P.CONNECTED, _connect),
    (_P.NEGOTIATING, _I.refused, _P.NEGOTIATING, _abort),
    (_P.NEGOTIATING, _I.timeUp, _P.NEGOTIATING, _expireAttempt),
    (_P.NEGOTIATING, _I.reconnect, _P.NEGOTIATING, _abortAndWait),
    (_P.NEGOTIATING, _I.shutdown, _P.NEGOTIATING, _abortAndStop),
    (_P.NEGOTIATING, _I.lost, _P.WAITING, _attemptOver),
    # -- records flow
    (_P.CONNECTED, _I.shutdown, _P.DRAINING, _drainAndStop),
    (_P.CONNECTED, _I.reconnect, _P.DRAINING, _abortAndWait),
    (_P.CONNECTED, _I.ended, _P.DRAINING, _drainByPolicy),
    (_P.CONNECTED, _I.broken, _P.DRAINING, _abortByPolicy),
    (_P.CONNECTED, _I.lost, _P.DRAINING, _disconnect),
    # -- the connection is on its way out; the last order decides what follows
    (_P.DRAINING, _I.shutdown, _P.DRAINING, _stopAfterAll),
    (_P.DRAINING, _I.reconnect, _P.DRAINING, _abortAndWait),
    (_P.DRAINING, _I.broken, _P.DRAINING, _abort),
    (_P.DRAINING, _I.lost, _P.DRAINING, _disconnect),
    (_P.DRAINING, _I.settle, _P.WAITING, _settle),
)


def _entering(phase: Phase, act: Callable[..., None]) -> Callable[..., None]:
    """
    @return: C{act}, with the phase entered before it acts.
    """

    def output(inputs: Inputs, core: Core, *args: Any) -> None:
        core.phase = phase
        act(inputs, core, *args)

    output.__qualname__ = output.__name__ = act.__name__.lstrip("_")
    return output


def _ignoring(inputs: Inputs, core: Core, *args: Any) -> None:
    """
    The output of every empty cell.
    """


class _Index:
    """
    What an automaton of Automat's tells, looked up: it goes through all transitions at
    each input itself, which costs more than all the rest.
    """

    def __init__(self, automaton: Any) -> None:
        self.initialState = automaton.initialState
        self._found = {
            (state, given): (target, outputs)
            for state, given, target, outputs in automaton.allTransitions()
        }

    def outputForInput(self, state: Any, given: str) -> tuple[Any, Any]:
        "As Automat's."
        return self._found[state, given]


def _build() -> tuple[Any, dict[Phase, Any]]:
    """
    @return: what makes a machine of a core and a state: L{TABLE}, and every other cell
        of it empty; and the states.
    """
    builder: Any = TypeMachineBuilder(Inputs, Core)
    states = {phase: builder.state(phase.value) for phase in Phase}
    filled = set()
    for phase, given, target, act in TABLE:
        states[phase].upon(given).to(states[target])(_entering(target, act))
        filled.add((phase, given.__name__))
    for phase, state in states.items():
        for name, given in vars(Inputs).items():
            if not name.startswith("_") and (phase, name) not in filled:
                state.upon(given).loop()(_ignoring)
    return _indexed(builder.build()), states


def _indexed(machine: Any) -> Any:
    """
    @return: what makes the same machine, with an index; as it is, only slower, where
        Automat keeps its transitions otherwise than the versions that we know.
    """
    try:
        index = _Index(machine.__automat_automaton__)
        return replace(machine, __automat_automaton__=index)
    except (AttributeError, TypeError):
        return machine


_Machine, _states = _build()


def give(core: Core, given: Callable[..., None], *args: Any) -> None:
    """
    Give an input. What is given while another one is taken is taken behind it.

    @param given: one of L{Inputs}.
    """
    if core.machine is not None:
        getattr(core.machine, given.__name__)(*args)
        return
    core.machine = machine = _Machine(core, _states[core.phase])
    try:
        getattr(machine, given.__name__)(*args)
    finally:
        core.machine = None
