"""
Who waits for what is still to come.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred


class Waiter(Deferred[Any]):
    """
    One who waits.

    @ivar event: what for.
    @ivar others: all who wait where he does.
    @ivar patience: how many failures make him give up; None for any number.
    """

    event: str
    others: list[Waiter]
    patience: int | None


def waiterIn(waiters: list[Waiter], event: str, patience: int | None = None) -> Waiter:
    """
    @param event: what is waited for.
    @param patience: how many failures make the caller give up; None for any number.

    @return: a Deferred of the caller's own, which he can cancel without harm to the
        others.
    """
    waiter = Waiter(_forget)
    waiter.event = event
    waiter.others = waiters
    waiter.patience = patience
    waiters.append(waiter)
    return waiter


def _forget(cancelled: Any) -> None:
    """
    One waits no longer.
    """
    if cancelled in cancelled.others:
        cancelled.others.remove(cancelled)


def leave(waiters: list[Waiter], *events: str) -> list[Waiter]:
    """
    @return: who waits for one of these. They are where they can be waiting on.
    """
    leaving = [waiter for waiter in waiters if waiter.event in events]
    for waiter in leaving:
        waiters.remove(waiter)
        waiter.others = leaving
    return leaving


def impatient(waiters: list[Waiter]) -> list[Waiter]:
    """
    Count a failure.

    @return: who gives up at it; they wait no longer.
    """
    leaving = []
    for waiter in waiters:
        if waiter.patience is not None:
            waiter.patience -= 1
            if not waiter.patience:
                leaving.append(waiter)
    for waiter in leaving:
        waiters.remove(waiter)
    return leaving


def fire(waiting: list[Waiter], result: Any) -> None:
    """
    Fire all of these.
    """
    for waiter in waiting[:]:
        # The one before may have cancelled it.
        if not waiter.called:
            waiter.callback(result)
