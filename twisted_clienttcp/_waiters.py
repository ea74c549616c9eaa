"""
Who waits for what is still to come.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred


class Waiters:
    """
    Who waits for what is still to come.
    """

    __slots__ = ("connected", "flushed", "shutdown", "stopped")

    def __init__(self) -> None:
        self.connected: list[Deferred[Any]] = []
        self.stopped: list[Deferred[Any]] = []
        self.flushed: list[Deferred[Any]] = []
        self.shutdown: list[Deferred[Any]] = []


class PatientDeferred(Deferred[Any]):
    """
    Waits for a success.

    @ivar patience: how many failures make it give up.
    """

    patience: int


def waiterIn(
    waiting: list[Deferred[Any]], patience: int | None = None
) -> Deferred[Any]:
    """
    @param patience: how many failures make the caller give up; None for any number.

    @return: a Deferred of the caller's own, which he can cancel without harm to the
        others.
    """

    def forget(cancelled: Deferred[Any]) -> None:
        if cancelled in waiting:
            waiting.remove(cancelled)

    waiter: Deferred[Any]
    if patience is None:
        waiter = Deferred(forget)
    else:
        waiter = PatientDeferred(forget)
        waiter.patience = patience
    waiting.append(waiter)
    return waiter


def impatient(waiting: list[Deferred[Any]]) -> list[Deferred[Any]]:
    """
    Count a failure.

    @return: those who give up at it; they wait no longer.
    """
    leaving: list[Deferred[Any]] = []
    for waiter in waiting:
        if isinstance(waiter, PatientDeferred):
            waiter.patience -= 1
            if not waiter.patience:
                leaving.append(waiter)
    for waiter in leaving:
        waiting.remove(waiter)
    return leaving


def fire(waiting: list[Deferred[Any]], result: Any) -> None:
    """
    Fire all that wait.
    """
    waiters = waiting[:]
    waiting.clear()
    for waiter in waiters:
        if not waiter.called:
            waiter.callback(result)
