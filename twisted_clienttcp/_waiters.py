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

    __slots__ = ("connected", "shutdown", "stopped")

    def __init__(self) -> None:
        self.connected: list[Deferred[Any]] = []
        self.stopped: list[Deferred[Any]] = []
        self.shutdown: list[Deferred[Any]] = []


def waiterIn(waiting: list[Deferred[Any]]) -> Deferred[Any]:
    """
    @return: a Deferred of the caller's own, which he can cancel without harm to the
        others.
    """

    def forget(cancelled: Deferred[Any]) -> None:
        if cancelled in waiting:
            waiting.remove(cancelled)

    waiter: Deferred[Any] = Deferred(forget)
    waiting.append(waiter)
    return waiter


def fire(waiting: list[Deferred[Any]], result: Any) -> None:
    """
    Fire all that wait.
    """
    waiters = waiting[:]
    waiting.clear()
    for waiter in waiters:
        if not waiter.called:
            waiter.callback(result)
