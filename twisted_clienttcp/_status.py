"""
The exit status that says how a client has fared.
"""

from __future__ import annotations

from twisted.internet.error import TimeoutError
from twisted.python.failure import Failure

from .errors import DrainTimeout

#: The statuses beside 0, and beside 128 and the number of a signal. That for wrong
#: usage is of sysexits.h, that for a timeout is of timeout(1).
EX_FAILED = 1
EX_USAGE = 64
EX_TIMEOUT = 124


def exitStatus(failure: Failure | None) -> int:
    """
    @param failure: what C{stopped} was given.

    @return: the exit status.
    """
    if failure is None:
        return 0
    if failure.check(TimeoutError, DrainTimeout):
        return EX_TIMEOUT
    return EX_FAILED
