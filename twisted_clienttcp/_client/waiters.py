"""
Deferreds that wait for events of a client.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred


class Waiter(Deferred[Any]):
    """
    A Deferred that waits for an event. Cancelling it does not affect other Deferreds
    for the same event.

    @ivar others: the list that this Deferred is in while it waits.
    @ivar failuresLeft: how many more failures make it fail; None for no limit.
    """

    others: list[Waiter]
    failuresLeft: int | None


#: The events, in the order in which they fire.
EVENTS = ("flushed", "connected", "shutdown", "stopped")


class Waiters:
    """
    The Deferreds of one client that wait for an event: C{"connected"}, C{"flushed"},
    C{"shutdown"} or C{"stopped"}.

    Each attribute is the list of the Deferreds for one event, oldest first, or None
    until there is one.
    """

    __slots__ = EVENTS

    flushed: list[Waiter] | None
    connected: list[Waiter] | None
    shutdown: list[Waiter] | None
    stopped: list[Waiter] | None

    def __init__(self) -> None:
        self.flushed = self.connected = self.shutdown = self.stopped = None

    def wait(self, event: str, failures: int | None = None) -> Deferred[Any]:
        """
        Wait for an event.

        @param event: the name of the event, from L{EVENTS}.
        @param failures: the number of failures after which the Deferred fails; None for
            no limit.

        @return: a new Deferred, which the caller may cancel.
        """
        waiter = Waiter(_leave)
        waiting: list[Waiter] | None = getattr(self, event)
        if waiting is None:
            waiting = [waiter]
            setattr(self, event, waiting)
        else:
            waiting.append(waiter)
        waiter.others = waiting
        waiter.failuresLeft = failures
        return waiter

    def split(self, *events: str) -> Waiters:
        """
        Remove the Deferreds that wait for these events. Deferreds that begin to wait
        later are separate from them.

        @param events: the names of the events.

        @return: the removed Deferreds, which can still be cancelled.
        """
        taken = Waiters()
        for event in events:
            setattr(taken, event, getattr(self, event))
            setattr(self, event, None)
        return taken

    def countFailure(self, event: str) -> Waiters:
        """
        Count a failure, and remove the Deferreds that have reached their limit.

        @param event: the event that the failure has prevented.

        @return: the removed Deferreds, as from L{split}.
        """
        leaving: list[Waiter] = []
        for waiter in list(getattr(self, event) or ()):
            if waiter.failuresLeft is not None:
                waiter.failuresLeft -= 1
                if not waiter.failuresLeft:
                    waiter.others.remove(waiter)
                    waiter.others = leaving
                    leaving.append(waiter)
        taken = Waiters()
        setattr(taken, event, leaving)
        return taken

    def fire(self, result: object) -> None:
        """
        Fire all Deferreds, in the order of L{EVENTS}.

        @param result: the result, or a C{Failure}.
        """
        for waiting in [getattr(self, event) for event in EVENTS]:
            for waiter in list(waiting or ()):
                # A callback of an earlier Deferred may have cancelled this one.
                if not waiter.called:
                    waiter.callback(result)


def _leave(cancelled: Any) -> None:
    """
    Remove a cancelled Deferred from its list.
    """
    cancelled.others.remove(cancelled)
