"""
Who waits for what is still to come.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred


class Waiting(list[Deferred[Any]]):
    """
    Who waits for one thing.
    """

    __slots__ = ()

    def forget(self, cancelled: Deferred[Any]) -> None:
        """
        One waits no longer.
        """
        if cancelled in self:
            self.remove(cancelled)


#: Who waits, by the name of what for.
Waiters = dict[str, Waiting]


class PatientDeferred(Deferred[Any]):
    """
    Waits for a success.

    @ivar patience: how many failures make it give up.
    """

    patience: int


def waiterIn(
    waiters: Waiters, event: str, patience: int | None = None
) -> Deferred[Any]:
    """
    @param event: what is waited for.
    @param patience: how many failures make the caller give up; None for any number.

    @return: a Deferred of the caller's own, which he can cancel without harm to the
        others.
    """

    waiting = waiters.setdefault(event, Waiting())

    waiter: Deferred[Any]
    if patience is None:
        waiter = Deferred(waiting.forget)
    else:
        waiter = PatientDeferred(waiting.forget)
        waiter.patience = patience
    waiting.append(waiter)
    return waiter


def impatient(waiters: Waiters) -> list[Deferred[Any]]:
    """
    Count a failure.

    @return: those of C{connected} who give up at it; they wait no longer.
    """
    waiting = waiters.get("connected", Waiting())
    leaving: list[Deferred[Any]] = []
    for waiter in waiting:
        if isinstance(waiter, PatientDeferred):
            waiter.patience -= 1
            if not waiter.patience:
                leaving.append(waiter)
    for waiter in leaving:
        waiting.remove(waiter)
    return leaving


def fire(waiting: list[Deferred[Any]] | None, result: Any) -> None:
    """
    Fire all that wait; they wait no longer.
    """
    if not waiting:
        return
    leaving = waiting[:]
    waiting.clear()
    for waiter in leaving:
        if not waiter.called:
            waiter.callback(result)
