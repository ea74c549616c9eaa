"""
How long to wait before the next attempt, and when to give up.

A policy is a function from the number of failures in a row (1 for the first) to the
seconds to wait, as in L{twisted.application.internet.backoffPolicy}, or to None to give
up. A failure is an attempt that does not reach C{connected} (or a round of attempts, at
all of several endpoints), or the loss of a connection::

    retryPolicy=giveUpByTime(600, exponential(maxDelay=30))

The number that a client's policy is given is an L{Attempt}, which knows more. So no
policy here remembers anything, and one may serve any number of clients. One of your own
may look at it too: to give up at once, say, when C{attempt.failure} is a certificate
that is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from random import random as _random
from typing import Any

from . import _check

#: The seconds to wait after so many failures in a row, or None to give up.
Policy = Callable[[int], float | None]

#: Of how many failures a client remembers when they were.
MEMORY = 100


class Attempt(int):
    """
    How many failures in a row there were: the number that a policy is given.

    @ivar elapsed: the seconds from the first of them to the last.
    @ivar ages: how many seconds ago each of the last failures was since the start of
        the client, the newest first, whether in a row or not; L{MEMORY} at most.
    @ivar failure: the C{Failure} of the last one, as C{connectError} or C{serverError}
        gets it; None if there is none, as at an order to C{retry}.
    """

    elapsed: float
    ages: tuple[float, ...]
    failure: Any

    def __new__(
        cls,
        number: int,
        *,
        elapsed: float = 0.0,
        ages: Iterable[float] = (0.0,),
        failure: Any = None,
    ) -> Attempt:
        """
        Know what is known.
        """
        attempt = super().__new__(cls, number)
        attempt.elapsed = elapsed
        attempt.ages = tuple(ages)
        attempt.failure = failure
        return attempt


def exponential(
    *,
    initialDelay: float = 1.0,
    maxDelay: float = 60.0,
    factor: float = 2.0,
    jitter: float = 1.0,
    random: Callable[[], float] = _random,
) -> Callable[[int], float]:
    """
    Exponential backoff. With full jitter, the default, each wait is drawn evenly
    between nothing and the backoff, so that clients that lost their server together
    do not come back together.

    @param initialDelay: the backoff in seconds after the first failure.
    @param maxDelay: the longest backoff in seconds; no wait is longer.
    @param factor: what the backoff is multiplied by at each further failure.
    @param jitter: the share of the backoff that is drawn at random, from 0 (none) to
        1 (all).
    @param random: draws a number between 0 and 1.

    @raise TypeError: if an argument is no number.
    @raise ValueError: if one is out of its range.
    """
    for name, value, least, most in (
        ("initialDelay", initialDelay, 0.0, sys.float_info.max),
        ("maxDelay", maxDelay, 0.0, sys.float_info.max),
        ("factor", factor, 1.0, sys.float_info.max),
        ("jitter", jitter, 0.0, 1.0),
    ):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} must be a number, not {value!r}")
        if not least <= value <= most:
            bounds = f"from {least} to {most}" if most == 1 else f"{least} or more"
            raise ValueError(f"{name} must be {bounds}, not {value!r}")
    # A whole number would grow without an end; this one overflows.
    growth = float(factor)

    def policy(attempt: int) -> float:
        try:
            backoff = min(initialDelay * growth ** (attempt - 1), maxDelay)
        except OverflowError:
            backoff = maxDelay if initialDelay else 0.0
        # A huge whole number may have been rounded up.
        return min(backoff * (1.0 - jitter * random()), maxDelay)

    return policy


def constant(seconds: float) -> Callable[[int], float]:
    """
    The same wait each time. Clients that lost their server together come back together.

    @param seconds: the wait; a client cuts it to its C{maxDelay}.

    @raise TypeError: if it is no number.
    @raise ValueError: if it is negative or not finite.
    """
    wait = _check.delay("seconds", seconds)

    def policy(attempt: int) -> float:
        return wait

    return policy


def giveUpByCount(count: int, policy: Policy | None = None) -> Policy:
    """
    Give up after so many retries in a row that failed, as C{maxRetries}.

    @param count: how many; 0 to give up at the first failure.
    @param policy: what says how long to wait till then; L{exponential} if not given.

    @raise TypeError: if an argument is of the wrong type.
    @raise ValueError: if the count is negative.
    """
    _check.count("count", count, 0)
    inner = _inner(policy)

    def limited(attempt: int) -> float | None:
        return None if attempt > count else inner(attempt)

    return limited


def giveUpByTime(seconds: float, policy: Policy | None = None) -> Policy:
    """
    Give up rather than begin an attempt more than so many seconds after the first
    failure in a row.

    @param seconds: how many.
    @param policy: what says how long to wait till then; L{exponential} if not given.

    @raise TypeError: if an argument is of the wrong type.
    @raise ValueError: if the seconds are not more than 0.
    """
    limit = _check.seconds("seconds", seconds)
    inner = _inner(policy)

    def limited(attempt: int) -> float | None:
        left = limit - _known("giveUpByTime", attempt).elapsed
        wait = inner(attempt)
        return None if wait is None or wait > left else wait

    return limited


def giveUpByRate(failures: int, seconds: float, policy: Policy | None = None) -> Policy:
    """
    Give up at so many failures within so many seconds, even if connections in between
    have held (as the restart intensity of Erlang's supervisors).

    @param failures: how many, up to L{MEMORY}.
    @param seconds: within how many.
    @param policy: what says how long to wait till then; L{exponential} if not given.

    @raise TypeError: if an argument is of the wrong type.
    @raise ValueError: if one is out of its range.
    """
    _check.count("failures", failures, 1, MEMORY)
    limit = _check.seconds("seconds", seconds)
    inner = _inner(policy)

    def limited(attempt: int) -> float | None:
        ages = _known("giveUpByRate", attempt).ages
        if len(ages) >= failures and ages[failures - 1] <= limit:
            return None
        return inner(attempt)

    return limited


def _inner(policy: Policy | None) -> Policy:
    if policy is None:
        return exponential()
    checked: Policy = _check.policy("policy", policy)
    return checked


def _known(name: str, attempt: int) -> Attempt:
    if not isinstance(attempt, Attempt):
        raise TypeError(
            f"{name} needs the times of the failures, but got {attempt!r}: use it as "
            "the retryPolicy of a ClientTCPFactory, or call it with a "
            "twisted_clienttcp.retry.Attempt"
        )
    return attempt
