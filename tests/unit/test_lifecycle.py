"""
Tests for every cell of the lifecycle's table.
"""

from __future__ import annotations

from inspect import isfunction
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._client.lifecycle import TABLE, Lifecycle, Phase, Then

INPUTS = [
    name
    for name, value in vars(Lifecycle).items()
    if isfunction(value) and not name.startswith("_")
]


class RecordingOwner:
    """
    The owner of a lifecycle: records the effects that are requested.
    """

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.retrying = True
        self.expectsEvents = False
        self.delay: float | None = 1.5

    def nextDelay(self) -> float | None:
        return self.delay

    def queueStopped(self, gaveUp: bool, hosted: bool) -> None:
        self.calls.append(
            "stopped" + (" gaveUp" if gaveUp else "") + (" hosted" if hosted else "")
        )

    def startTimer(self, seconds: float) -> None:
        self.calls.append(f"timer {seconds}")

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


#: The inputs that lead to each phase.
WAYS = {
    Phase.IDLE: [],
    Phase.WAITING: ["start", "settle", "failed", "settle"],
    Phase.CONNECTING: ["start", "settle"],
    Phase.NEGOTIATING: ["start", "settle", "made"],
    Phase.CONNECTED: ["start", "settle", "made", "negotiated"],
    Phase.DRAINING: ["start", "settle", "made", "negotiated", "shutdown"],
    Phase.STOPPED: ["start", "shutdown"],
}

#: Phase, input: the next phase, the effects in order, and the action that follows.
#: Other inputs change nothing.
CELLS: dict[tuple[str, str], tuple[str, list[str], Any]] = {
    ("idle", "start"): ("waiting", ["queueStarted", "queue settle"], Then.NOW),
    ("idle", "reconnect"): ("waiting", ["queueStarted", "queue settle"], 7.0),
    ("idle", "attempting"): ("connecting", ["startDeadline", "queueStarted"], None),
    ("idle", "made"): ("negotiating", ["startDeadline"], None),
    ("stopped", "start"): ("waiting", ["queueStarted", "queue settle"], Then.NOW),
    ("stopped", "reconnect"): ("waiting", ["queueStarted", "queue settle"], 7.0),
    ("stopped", "attempting"): ("connecting", ["startDeadline", "queueStarted"], None),
    ("stopped", "made"): ("negotiating", ["startDeadline"], None),
    ("waiting", "timeUp"): ("connecting", ["beginAttempt", "startDeadline"], None),
    ("waiting", "attempting"): ("connecting", ["startDeadline"], None),
    ("waiting", "reconnect"): ("waiting", ["queue settle"], 7.0),
    ("waiting", "shutdown"): (
        "stopped",
        ["stopTimer", "cancelAttempt", "stopped"],
        None,
    ),
    ("waiting", "finish"): ("stopped", ["stopTimer", "stopped"], None),
    ("connecting", "made"): ("negotiating", [], None),
    ("connecting", "failed"): ("waiting", ["stopTimer", "queue settle"], Then.RETRY),
    ("connecting", "timeUp"): ("connecting", ["expireAttempt"], None),
    ("connecting", "reconnect"): (
        "waiting",
        ["stopTimer", "cancelAttempt", "queue settle"],
        7.0,
    ),
    ("connecting", "shutdown"): (
        "stopped",
        ["stopTimer", "cancelAttempt", "stopped"],
        None,
    ),
    ("negotiating", "negotiated"): (
        "connected",
        ["startAging", "queueConnected"],
        None,
    ),
    ("negotiating", "refused"): ("negotiating", ["abort"], None),
    ("negotiating", "timeUp"): ("negotiating", ["expireAttempt"], None),
    ("negotiating", "reconnect"): ("negotiating", ["abort"], 7.0),
    ("negotiating", "shutdown"): ("negotiating", ["abort"], Then.STOP),
    ("negotiating", "connectionEnded"): (
        "waiting",
        ["stopTimer", "queue settle"],
        Then.RETRY,
    ),
    ("connected", "shutdown"): ("draining", ["close"], Then.STOP),
    ("connected", "reconnect"): ("draining", ["abort"], 7.0),
    ("connected", "inputEnded"): ("draining", ["close"], Then.RETRY),
    ("connected", "aged"): ("draining", ["drain"], 0.0),
    ("connected", "broken"): ("draining", ["abort"], Then.RETRY),
    ("connected", "connectionEnded"): (
        "draining",
        [],
        Then.RETRY,
    ),
    ("draining", "shutdown"): ("draining", ["close"], Then.STOP),
    ("draining", "inputEnded"): ("draining", ["close"], Then.STOP),
    ("draining", "finish"): ("draining", ["endDiversion"], Then.STOP),
    ("draining", "reconnect"): ("draining", ["abort"], 7.0),
    ("draining", "broken"): ("draining", ["abort"], Then.STOP),
    ("draining", "connectionEnded"): (
        "draining",
        [],
        Then.STOP,
    ),
    ("draining", "settle"): ("stopped", ["stopTimer", "stopped"], None),
}


class RecordingCallbacks:
    """
    A queue of callbacks: records that the lifecycle queues C{settle}.
    """

    isHeld = False
    isRunning = True

    def __init__(self, owner: RecordingOwner) -> None:
        self._owner = owner

    def later(self, step: Any) -> None:
        self._owner.calls.append(f"queue {step.__name__}")


def lifecycleIn(phase: Phase) -> tuple[Any, Lifecycle]:
    """
    @return: a lifecycle in a phase, and its owner, which has recorded nothing yet.
    """
    owner: Any = RecordingOwner()
    callbacks: Any = RecordingCallbacks(owner)
    lifecycle = Lifecycle(owner, callbacks)
    for given in WAYS[phase]:
        getattr(lifecycle, given)()
    owner.calls.clear()
    return owner, lifecycle


class CellTests(SynchronousTestCase):
    """
    Each phase at each input.
    """

    def check(self, phase: Phase, given: str) -> None:
        owner, lifecycle = lifecycleIn(phase)
        self.assertIs(lifecycle.phase, phase)
        target, calls, then = CELLS.get(
            (phase.value, given), (phase.value, [], lifecycle.then)
        )
        arguments = (7.0,) if given == "reconnect" else ()
        result = getattr(lifecycle, given)(*arguments)
        self.assertIsNone(result)
        self.assertEqual(
            (lifecycle.phase.value, owner.calls, lifecycle.then), (target, calls, then)
        )

    def test_inputs(self) -> None:
        """
        Every input has a row, and every row an input.
        """
        self.assertEqual(sorted({row[1].__name__ for row in TABLE}), sorted(INPUTS))


def _cell(phase: Phase, given: str) -> Any:
    def test(self: CellTests) -> None:
        self.check(phase, given)

    test.__doc__ = f"The cell {phase.value}, {given}."
    return test


for _phase in Phase:
    for _given in INPUTS:
        setattr(CellTests, f"test_{_phase.value}_{_given}", _cell(_phase, _given))


class ChoiceTests(SynchronousTestCase):
    """
    The action after an attempt or a connection.
    """

    def settled(self, phase: Phase, *inputs: str, **effects: Any) -> Any:
        owner, lifecycle = lifecycleIn(phase)
        vars(owner).update(effects)
        for given in [*inputs, "settle"]:
            getattr(lifecycle, given)()
        return lifecycle, owner.calls

    def test_everyCellIsTried(self) -> None:
        """
        Each row of this table is used by a test.
        """
        phases = {phase.value for phase in Phase}
        self.assertEqual(
            [cell for cell in CELLS if cell[0] not in phases or cell[1] not in INPUTS],
            [],
        )

    def test_retry(self) -> None:
        """
        A failure is followed by the wait that the policy returns.
        """
        lifecycle, calls = self.settled(Phase.CONNECTING, "failed")
        self.assertEqual((lifecycle.phase, lifecycle.then), (Phase.WAITING, None))
        self.assertEqual(calls[-1], "timer 1.5")

    def test_begunByOthers(self) -> None:
        """
        If another connector begins an attempt before a requested one, what follows its
        failure is chosen then.
        """
        owner, lifecycle = lifecycleIn(Phase.IDLE)
        owner.retrying = False
        for given in ("start", "attempting", "failed", "settle"):
            getattr(lifecycle, given)()
        self.assertIs(lifecycle.phase, Phase.STOPPED)
        self.assertEqual(owner.calls[-1], "stopped gaveUp")

    def test_giveUp(self) -> None:
        """
        It is followed by the end if the policy returns none.
        """
        lifecycle, calls = self.settled(Phase.CONNECTING, "failed", delay=None)
        self.assertIs(lifecycle.phase, Phase.STOPPED)
        self.assertEqual(calls[-1], "stopped gaveUp")

    def test_noRetry(self) -> None:
        """
        It is followed by the end if nothing requests another attempt; the client is
        stopping from the moment of the loss.
        """
        owner, lifecycle = lifecycleIn(Phase.CONNECTED)
        owner.retrying = False
        self.assertFalse(lifecycle.stopping)
        lifecycle.connectionEnded()
        self.assertTrue(lifecycle.stopping)
        lifecycle.settle()
        self.assertEqual(owner.calls[-1], "stopped gaveUp")

    def test_expectant(self) -> None:
        """
        The end waits while an event is scheduled that may request another attempt.
        """
        owner, lifecycle = lifecycleIn(Phase.CONNECTED)
        owner.expectsEvents = True
        lifecycle.shutdown()
        lifecycle.connectionEnded()
        lifecycle.settle()
        self.assertIs(lifecycle.phase, Phase.WAITING)
        self.assertTrue(lifecycle.stopping)
        owner.expectsEvents = False
        lifecycle.settle()
        self.assertIs(lifecycle.phase, Phase.STOPPED)

    def test_lastRequestWins(self) -> None:
        """
        While a connection ends, the last call decides.
        """
        owner, lifecycle = lifecycleIn(Phase.CONNECTED)
        lifecycle.shutdown()
        lifecycle.reconnect(3.0)
        self.assertFalse(lifecycle.stopping)
        lifecycle.connectionEnded()
        lifecycle.settle()
        self.assertEqual(owner.calls[-1], "timer 3.0")
        lifecycle.shutdown()
        self.assertIs(lifecycle.phase, Phase.STOPPED)

    def test_shutdownAfterReconnect(self) -> None:
        """
        And the other way round.
        """
        owner, lifecycle = lifecycleIn(Phase.CONNECTED)
        lifecycle.reconnect(3.0)
        lifecycle.shutdown()
        lifecycle.connectionEnded()
        lifecycle.settle()
        self.assertIs(lifecycle.phase, Phase.STOPPED)
        self.assertEqual(owner.calls[-1], "stopped")

    def test_settleOnce(self) -> None:
        """
        A second settle finds nothing to do.
        """
        owner, lifecycle = lifecycleIn(Phase.WAITING)
        lifecycle.reconnect(1.0)
        lifecycle.reconnect(2.0)
        lifecycle.settle()
        lifecycle.settle()
        self.assertEqual(owner.calls, ["queue settle", "queue settle", "timer 2.0"])

    def test_hosted(self) -> None:
        """
        A connection that was made by another object, such as a C{ClientService}, is
        followed by nothing: that object makes the next one, and C{stopped} is not
        called.
        """
        owner, lifecycle = lifecycleIn(Phase.IDLE)
        for given in ("made", "negotiated", "connectionEnded", "settle"):
            getattr(lifecycle, given)()
        self.assertIs(lifecycle.phase, Phase.STOPPED)
        self.assertEqual(owner.calls[-1], "stopped hosted")
        lifecycle.made()
        self.assertIs(lifecycle.phase, Phase.NEGOTIATING)

    def test_hostedPolicy(self) -> None:
        """
        After such a connection the retry policy is not asked, and the client does not
        wait for events: that object alone decides when to connect again.
        """
        owner, lifecycle = lifecycleIn(Phase.IDLE)
        owner.delay, owner.expectsEvents = None, True
        for given in ("made", "negotiated", "connectionEnded", "settle"):
            getattr(lifecycle, given)()
        self.assertEqual(owner.calls[-1], "stopped hosted")

    def test_startAfterHosted(self) -> None:
        """
        A client that is started after such a connection retries its own attempts.
        """
        owner, lifecycle = lifecycleIn(Phase.IDLE)
        inputs = "made negotiated connectionEnded settle start settle failed settle"
        for given in inputs.split():
            getattr(lifecycle, given)()
        self.assertEqual(owner.calls[-1], "timer 1.5")

    def test_effectRaises(self) -> None:
        """
        If an effect raises an exception, the inputs that wait are dropped.
        """
        owner, lifecycle = lifecycleIn(Phase.CONNECTED)

        def close() -> None:
            lifecycle.reconnect(7.0)
            raise ZeroDivisionError

        owner.close = close
        self.assertRaises(ZeroDivisionError, lifecycle.shutdown)
        lifecycle.connectionEnded()
        self.assertEqual((lifecycle.then, owner.calls), (Then.STOP, []))

    def test_reentrant(self) -> None:
        """
        An input that arrives inside an effect is processed after the present one.
        """
        owner, lifecycle = lifecycleIn(Phase.CONNECTED)
        owner.close = lifecycle.connectionEnded
        lifecycle.shutdown()
        self.assertIs(lifecycle.phase, Phase.DRAINING)
        self.assertEqual(owner.calls, [])


class DrainTests(SynchronousTestCase):
    """
    C{reconnect} with a drain.
    """

    def test_connection(self) -> None:
        """
        It drains a connection that is in use or ending, and is followed by an attempt
        after the delay.
        """
        for phase in (Phase.CONNECTED, Phase.DRAINING):
            owner, lifecycle = lifecycleIn(phase)
            lifecycle.reconnect(7.0, True)
            self.assertEqual(
                (lifecycle.phase, owner.calls, lifecycle.then),
                (Phase.DRAINING, ["drain"], 7.0),
            )

    def test_elsewhere(self) -> None:
        """
        Without a connection that is in use, there is nothing to drain.
        """
        for phase in Phase:
            if phase not in (Phase.CONNECTED, Phase.DRAINING):
                outcomes = []
                for drains in (False, True):
                    owner, lifecycle = lifecycleIn(phase)
                    lifecycle.reconnect(7.0, drains)
                    outcomes.append((lifecycle.phase, owner.calls, lifecycle.then))
                self.assertEqual(outcomes[0], outcomes[1])

    def test_lastRequest(self) -> None:
        """
        A later request during a drain decides what follows: C{shutdown} ends the
        delivery, C{reconnect} the connection, and C{finish} only what follows.
        """
        for given, effect, then in (
            ("shutdown", ["close"], Then.STOP),
            ("reconnect", ["abort"], 3.0),
            ("finish", ["endDiversion"], Then.STOP),
        ):
            owner, lifecycle = lifecycleIn(Phase.CONNECTED)
            lifecycle.reconnect(7.0, True)
            owner.calls.clear()
            getattr(lifecycle, given)(*([3.0] if given == "reconnect" else []))
            self.assertEqual((owner.calls, lifecycle.then), (effect, then))

    def test_aged(self) -> None:
        """
        An old connection is drained. If no attempts follow a loss by themselves, none
        follows it, and the client stops.
        """
        owner, lifecycle = lifecycleIn(Phase.CONNECTED)
        owner.retrying = False
        lifecycle.aged()
        self.assertTrue(lifecycle.stopping)
        lifecycle.connectionEnded()
        lifecycle.settle()
        self.assertEqual(owner.calls, ["drain", "stopTimer", "stopped gaveUp"])
