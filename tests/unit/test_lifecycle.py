"""
Tests for every cell of the lifecycle's table.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._client.lifecycle import (
    Inputs,
    Phase,
    Then,
    Waiting,
    give,
    stopping,
)

INPUTS = [name for name in vars(Inputs) if not name.startswith("_")]


class RecordingClient:
    """
    A client that only remembers what was asked for.
    """

    def __init__(self) -> None:
        self._phase = Phase.IDLE
        self._then: Then | float | None = None
        self._hosted = False
        self._inputs: Waiting | None = None
        self.calls: list[Any] = []
        self._retrying = True
        self._expectant = False
        self.delay: float | None = 1.5

    def _retryDelay(self) -> float | None:
        return self.delay

    def _tellStopped(self, gaveUp: bool, hosted: bool) -> None:
        self.calls.append(
            "stopped" + (" gaveUp" if gaveUp else "") + (" hosted" if hosted else "")
        )

    def _startTimer(self, seconds: float) -> None:
        self.calls.append(f"timer {seconds}")

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name.lstrip("_"))


#: How to get into each phase.
WAYS = {
    Phase.IDLE: [],
    Phase.WAITING: ["start", "settle", "failed", "settle"],
    Phase.CONNECTING: ["start", "settle"],
    Phase.NEGOTIATING: ["start", "settle", "made"],
    Phase.CONNECTED: ["start", "settle", "made", "negotiated"],
    Phase.DRAINING: ["start", "settle", "made", "negotiated", "shutdown"],
    Phase.STOPPED: ["start", "shutdown"],
}

#: phase, input: the next phase, the effects in order, and what is to follow then.
#: What is not here changes nothing.
CELLS: dict[tuple[str, str], tuple[str, list[str], Any]] = {
    ("idle", "start"): ("waiting", ["tellStarted", "settleLater"], Then.NOW),
    ("idle", "reconnect"): ("waiting", ["tellStarted", "settleLater"], 7.0),
    ("idle", "attempting"): ("connecting", ["startDeadline", "tellStarted"], None),
    ("idle", "made"): ("negotiating", ["startDeadline"], None),
    ("stopped", "start"): ("waiting", ["tellStarted", "settleLater"], Then.NOW),
    ("stopped", "reconnect"): ("waiting", ["tellStarted", "settleLater"], 7.0),
    ("stopped", "attempting"): ("connecting", ["startDeadline", "tellStarted"], None),
    ("stopped", "made"): ("negotiating", ["startDeadline"], None),
    ("waiting", "timeUp"): ("connecting", ["attempt", "startDeadline"], None),
    ("waiting", "attempting"): ("connecting", ["startDeadline"], None),
    ("waiting", "reconnect"): ("waiting", ["settleLater"], 7.0),
    ("waiting", "shutdown"): (
        "stopped",
        ["stopTimer", "cancelAttempt", "stopped"],
        None,
    ),
    ("waiting", "finish"): ("stopped", ["stopTimer", "stopped"], None),
    ("connecting", "made"): ("negotiating", [], None),
    ("connecting", "failed"): ("waiting", ["stopTimer", "settleLater"], Then.RETRY),
    ("connecting", "timeUp"): ("connecting", ["expireAttempt"], None),
    ("connecting", "reconnect"): (
        "waiting",
        ["stopTimer", "cancelAttempt", "settleLater"],
        7.0,
    ),
    ("connecting", "shutdown"): (
        "stopped",
        ["stopTimer", "cancelAttempt", "stopped"],
        None,
    ),
    ("negotiating", "negotiated"): ("connected", ["stopTimer", "tellConnected"], None),
    ("negotiating", "refused"): ("negotiating", ["abort"], None),
    ("negotiating", "timeUp"): ("negotiating", ["expireAttempt"], None),
    ("negotiating", "reconnect"): ("negotiating", ["abort"], 7.0),
    ("negotiating", "shutdown"): ("negotiating", ["abort"], Then.STOP),
    ("negotiating", "lost"): ("waiting", ["stopTimer", "settleLater"], Then.RETRY),
    ("connected", "shutdown"): ("draining", ["drain"], Then.STOP),
    ("connected", "reconnect"): ("draining", ["abort"], 7.0),
    ("connected", "ended"): ("draining", ["drain"], Then.RETRY),
    ("connected", "broken"): ("draining", ["abort"], Then.RETRY),
    ("connected", "lost"): (
        "draining",
        ["tellDisconnected", "settleLater"],
        Then.RETRY,
    ),
    ("draining", "shutdown"): ("draining", [], Then.STOP),
    ("draining", "reconnect"): ("draining", ["abort"], 7.0),
    ("draining", "broken"): ("draining", ["abort"], Then.STOP),
    ("draining", "lost"): (
        "draining",
        ["tellDisconnected", "settleLater"],
        Then.STOP,
    ),
    ("draining", "settle"): ("stopped", ["stopTimer", "stopped"], None),
}


class Machine:
    """
    Has the inputs as methods.
    """

    def __init__(self, client: RecordingClient) -> None:
        self._client: Any = client

    def __getattr__(self, name: str) -> Any:
        return partial(give, self._client, getattr(Inputs, name))


def machineIn(phase: Phase) -> tuple[Any, Any]:
    """
    @return: a client that has come into that phase, with no calls yet, and his machine.
    """
    client = RecordingClient()
    machine = Machine(client)
    for given in WAYS[phase]:
        getattr(machine, given)()
    client.calls.clear()
    return client, machine


class CellTests(SynchronousTestCase):
    """
    Each phase at each input.
    """

    def check(self, phase: Phase, given: str) -> None:
        client, machine = machineIn(phase)
        self.assertIs(client._phase, phase)
        target, calls, then = CELLS.get(
            (phase.value, given), (phase.value, [], client._then)
        )
        arguments = (7.0,) if given == "reconnect" else ()
        result = getattr(machine, given)(*arguments)
        self.assertIsNone(result)
        self.assertEqual(
            (client._phase.value, client.calls, client._then), (target, calls, then)
        )


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
    What follows an attempt or a connection.
    """

    def settled(self, phase: Phase, *inputs: str, **effects: Any) -> Any:
        client, machine = machineIn(phase)
        vars(client).update(effects)
        for given in [*inputs, "settle"]:
            getattr(machine, given)()
        return client, client.calls

    def test_everyCellIsTried(self) -> None:
        """
        The table here has no row that no test looks at.
        """
        phases = {phase.value for phase in Phase}
        self.assertEqual(
            [cell for cell in CELLS if cell[0] not in phases or cell[1] not in INPUTS],
            [],
        )

    def test_retry(self) -> None:
        """
        A failure is followed by the wait that the policy gives.
        """
        client, calls = self.settled(Phase.CONNECTING, "failed")
        self.assertEqual((client._phase, client._then), (Phase.WAITING, None))
        self.assertEqual(calls[-1], "timer 1.5")

    def test_giveUp(self) -> None:
        """
        It is followed by the end when the policy gives none.
        """
        client, calls = self.settled(Phase.CONNECTING, "failed", delay=None)
        self.assertIs(client._phase, Phase.STOPPED)
        self.assertEqual(calls[-1], "stopped gaveUp")

    def test_noRetry(self) -> None:
        """
        It is followed by the end where nothing asks for another attempt, and is on the
        way there from the moment of the loss.
        """
        client, machine = machineIn(Phase.CONNECTED)
        client._retrying = False
        self.assertFalse(stopping(client))
        machine.lost()
        self.assertTrue(stopping(client))
        machine.settle()
        self.assertEqual(client.calls[-1], "stopped gaveUp")

    def test_expectant(self) -> None:
        """
        The end waits while an event is to come that may ask for another attempt.
        """
        client, machine = machineIn(Phase.CONNECTED)
        client._expectant = True
        machine.shutdown()
        machine.lost()
        machine.settle()
        self.assertIs(client._phase, Phase.WAITING)
        self.assertTrue(stopping(client))
        client._expectant = False
        machine.settle()
        self.assertIs(client._phase, Phase.STOPPED)

    def test_lastOrderWins(self) -> None:
        """
        While a connection ends, the last order decides.
        """
        client, machine = machineIn(Phase.CONNECTED)
        machine.shutdown()
        machine.reconnect(3.0)
        self.assertFalse(stopping(client))
        machine.lost()
        machine.settle()
        self.assertEqual(client.calls[-1], "timer 3.0")
        machine.shutdown()
        self.assertIs(client._phase, Phase.STOPPED)

    def test_shutdownAfterReconnect(self) -> None:
        """
        And the other way round.
        """
        client, machine = machineIn(Phase.CONNECTED)
        machine.reconnect(3.0)
        machine.shutdown()
        machine.lost()
        machine.settle()
        self.assertIs(client._phase, Phase.STOPPED)
        self.assertEqual(client.calls[-1], "stopped")

    def test_settleOnce(self) -> None:
        """
        A second settle finds nothing to do.
        """
        client, machine = machineIn(Phase.WAITING)
        machine.reconnect(1.0)
        machine.reconnect(2.0)
        machine.settle()
        machine.settle()
        self.assertEqual(client.calls, ["settleLater", "settleLater", "timer 2.0"])

    def test_hosted(self) -> None:
        """
        A connection that somebody else has made is followed by nothing: he makes the
        next, and C{stopped} is not called.
        """
        client, machine = machineIn(Phase.IDLE)
        for given in ("made", "negotiated", "lost", "settle"):
            getattr(machine, given)()
        self.assertIs(client._phase, Phase.STOPPED)
        self.assertEqual(client.calls[-1], "stopped hosted")
        machine.made()
        self.assertIs(client._phase, Phase.NEGOTIATING)

    def test_reentrant(self) -> None:
        """
        An input given from inside an effect is taken behind the present one.
        """
        client, machine = machineIn(Phase.CONNECTED)
        client._drain = machine.lost
        machine.shutdown()
        self.assertIs(client._phase, Phase.DRAINING)
        self.assertEqual(client.calls, ["tellDisconnected", "settleLater"])
