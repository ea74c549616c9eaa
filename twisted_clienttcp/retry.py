"""
How long to wait before the next attempt, and when to give up.

A policy is a function from the number of failures in a row (1 for the first) to the
seconds to wait, as in L{twisted.application.internet.backoffPolicy}, or to None to give
up. A failure is an attempt that does not reach C{connected} (or, with several
endpoints, a round of attempts at all of them), or the loss of a connection::

    retryPolicy=giveUpByTime(600, exponential(maxDelay=30))

A client calls its policy with an L{Attempt}: the number, and more about the failures.
The policies here have no state, so one policy may serve any number of clients. A policy
of your own can use the L{Attempt} too, for example to give up immediately when
C{attempt.failure} is a certificate that is not valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import random as _random
from typing import Any

from . import _validators

#: The seconds to wait after so many failures in a row, or None to give up.
Policy = Callable[[int], float | None]

#: The number of failures whose times a client remembers.
MEMORY = 100


class Attempt(int):
    """
    The number of failures in a row, which is the argument of a policy.

    @ivar elapsed: the seconds from the first of them to the last.
    @ivar ages: the age in seconds of each failure since the start of the client, the
        newest first, in a row or not; at most L{MEMORY} of them.
    @ivar failure: the C{Failure} of the last one, as passed to C{connectError} or
        C{serverError}; None if there is none, as in a call of C{retry}.
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
        @param number: the number of failures in a row.
        @param elapsed: as the attribute.
        @param ages: as the attribute.
        @param failure: as the attribute.
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
    jitter: float | None = 1.0,
    random: Callable[[], float] = _random,
) -> Callable[[int], float]:
    """
    Return the policy that a client has by default: exponential backoff. With full
    jitter, each wait is drawn evenly between 0 and the backoff, so that clients that
    lost their server together do not come back together.

    @param initialDelay: the backoff in seconds after the first failure.
    @param maxDelay: the longest backoff in seconds; no wait is longer.
    @param factor: the backoff is multiplied by this number at each further failure.
    @param jitter: the fraction of the backoff that is random: 1 for full jitter; None
        or 0 for none.
    @param random: returns a number between 0 and 1.

    @raise TypeError: if an argument is not a number.
    @raise ValueError: if one is out of its range.
    """
    first = _validators.delay("initialDelay", initialDelay)
    longest = _validators.delay("maxDelay", maxDelay)
    growth = _validators.factor("factor", factor)
    share = _validators.fraction("jitter", jitter) or 0.0

    def policy(attempt: int) -> float:
        try:
            backoff = min(first * growth ** (attempt - 1), longest)
        except OverflowError:
            backoff = longest if first else 0.0
        # A huge whole number may have been rounded up.
        return min(backoff * (1.0 - share * random()), maxDelay)

    return policy


def constant(seconds: float) -> Callable[[int], float]:
    """
    Return a policy that always waits for the same time. Clients that lost their server
    together come back together.

    @param seconds: the wait; a client cuts it to its C{maxDelay}.

    @raise TypeError: if it is not a number.
    @raise ValueError: if it is negative or not finite.
    """
    wait = _validators.delay("seconds", seconds)

    def policy(attempt: int) -> float:
        return wait

    return policy


def giveUpByCount(count: int, policy: Policy | None = None) -> Policy:
    """
    Return a policy that gives up when a number of retries in a row has failed, as
    C{maxRetries}.

    @param count: the number; 0 to give up at the first failure.
    @param policy: the policy for the waits until then; L{exponential} by default.

    @raise TypeError: if an argument is of the wrong type.
    @raise ValueError: if the count is negative.
    """
    _validators.count("count", count, 0)
    inner = _inner(policy)

    def limited(attempt: int) -> float | None:
        return None if attempt > count else inner(attempt)

    return limited


def giveUpByTime(seconds: float, policy: Policy | None = None) -> Policy:
    """
    Return a policy that gives up rather than begin an attempt later than a time after
    the first failure in a row.

    @param seconds: the time in seconds.
    @param policy: the policy for the waits until then; L{exponential} by default.

    @raise TypeError: if an argument is of the wrong type.
    @raise ValueError: if the seconds are not more than 0.
    """
    limit = _validators.seconds("seconds", seconds)
    inner = _inner(policy)

    def limited(attempt: int) -> float | None:
        left = limit - _known("giveUpByTime", attempt).elapsed
        wait = inner(attempt)
        return None if wait is None or wait > left else wait

    return limited


def giveUpByRate(failures: int, seconds: float, policy: Policy | None = None) -> Policy:
    """
    Return a policy that gives up at a number of failures within a time, even if there
    were stable connections in between (as the restart intensity of Erlang's
    supervisors).

    @param failures: the number, up to L{MEMORY}.
    @param seconds: the time in seconds.
    @param policy: the policy for the waits until then; L{exponential} by default.

    @raise TypeError: if an argument is of the wrong type.
    @raise ValueError: if one is out of its range.
    """
    _validators.count("failures", failures, 1, MEMORY)
    limit = _validators.seconds("seconds", seconds)
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
    checked: Policy = _validators.policy("policy", policy)
    return checked


def _known(name: str, attempt: int) -> Attempt:
    if not isinstance(attempt, Attempt):
        raise TypeError(
            f"{name} needs the times of the failures, but got {attempt!r}: use it as "
            "the retryPolicy of a ClientTCPFactory, or call it with a "
            "twisted_clienttcp.retry.Attempt"
        )
    return attempt
