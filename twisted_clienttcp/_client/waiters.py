"""
Deferreds that wait for events of a client.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred


class Waiter(Deferred[Any]):
    """
    A Deferred that waits for an event. It can be cancelled without an effect on the
    others.

    @ivar others: the list that contains it while it waits.
    @ivar patience: the number of failures after which it fails; None for no limit.
    """

    others: list[Waiter]
    patience: int | None


class Waiters:
    """
    The Deferreds of one client that wait for an event: C{"connected"}, C{"flushed"},
    C{"shutdown"} or C{"stopped"}.

    @ivar waiting: the Deferreds for each event, in the order in which they began to
        wait. An event may be missing.
    """

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: dict[str, list[Waiter]] = {}

    def wait(self, event: str, patience: int | None = None) -> Deferred[Any]:
        """
        Wait for an event.

        @param event: the name of the event.
        @param patience: the number of failures after which the Deferred fails; None for
            no limit.

        @return: a new Deferred, which belongs to the caller.
        """
        waiter = Waiter(_leave)
        waiter.others = self.waiting.setdefault(event, [])
        waiter.others.append(waiter)
        waiter.patience = patience
        return waiter

    def split(self, *events: str) -> Waiters:
        """
        Take out the Deferreds that wait for some events. Those that begin to wait later
        are not affected by what happens to these.

        @param events: the names of the events.

        @return: the Deferreds, which can still be cancelled.
        """
        taken = Waiters()
        for event in events:
            if event in self.waiting:
                taken.waiting[event] = self.waiting.pop(event)
        return taken

    def countFailure(self, event: str) -> Waiters:
        """
        Count a failure.

        @param event: the event that has not come because of the failure.

        @return: the Deferreds that do not wait for more failures, as from L{split}.
        """
        leaving: list[Waiter] = []
        for waiter in list(self.waiting.get(event, ())):
            if waiter.patience is not None:
                waiter.patience -= 1
                if not waiter.patience:
                    waiter.others.remove(waiter)
                    waiter.others = leaving
                    leaving.append(waiter)
        taken = Waiters()
        taken.waiting[event] = leaving
        return taken

    def fire(self, result: object) -> None:
        """
        Fire all of these Deferreds.

        @param result: the result, or a C{Failure}.
        """
        for waiting in list(self.waiting.values()):
            for waiter in waiting[:]:
                # The callback of an earlier one may have cancelled it.
                if not waiter.called:
                    waiter.callback(result)


def _leave(cancelled: Any) -> None:
    """
    Remove a Deferred that has been cancelled.
    """
    if cancelled in cancelled.others:
        cancelled.others.remove(cancelled)
