"""
Exceptions of code that is not ours. Those that are not an C{Exception} are raised again
where nothing else depends on it.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure


def caught(clock: IReactorTime) -> Failure:
    """
    @param clock: the reactor.

    @return: the exception that is being handled. If it is not an C{Exception}, it is
        also raised in the next turn of the reactor, where nothing else depends on it.
    """
    failure = Failure()
    if not isinstance(failure.value, Exception):
        clock.callLater(0, failure.raiseException)
    return failure


def raiseAgain(error: BaseException) -> None:
    """
    Raise an error, in a step or a delayed call.
    """
    raise error
