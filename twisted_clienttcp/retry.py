"""
Retry policies: how long to wait before the next attempt, and when to give up.

A policy is a function that is called after each failure with the number of failures in
a row (1 for the first). It returns the seconds to wait, like
L{twisted.application.internet.backoffPolicy}, or None to give up. A failure is an
attempt that does not reach C{connected} (with several endpoints, a round of attempts at
all of them), or the loss of a connection::

    retryPolicy=giveUpByTime(600, exponential(maxDelay=30))

The number is an L{Attempt}, whose attributes describe the failures. A policy of your
own can use them, for example to give up immediately if C{attempt.failure} reports an
invalid certificate. The policies in this module have no state, so several clients can
share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import random as _random

from twisted.python.failure import Failure

from . import _validators

#: Called with the number of failures in a row. Returns the seconds to wait, or None to
#: give up.
Policy = Callable[[int], float | None]

#: The number of failures whose times a client keeps.
MEMORY = 100


class Attempt(int):
    """
    The argument of a policy: the number of failures in a row.

    @ivar elapsed: the seconds from the first of these failures to the last.
    @ivar ages: how many seconds ago each failure happened, the newest first. These are
        all failures since the start of the client, in a row or not, but at most
        L{MEMORY}.
    @ivar failure: the failure that C{connectError} or C{serverError} was last called
        with; None if there was none, for example if C{client.retry()} started the
        client.
    """

    elapsed: float
    ages: tuple[float, ...]
    failure: Failure | None

    def __new__(
        cls,
        number: int,
        *,
        elapsed: float = 0.0,
        ages: Iterable[float] = (0.0,),
        failure: Failure | None = None,
    ) -> Attempt:
        """
        @param number: the number of failures in a row.
        @param elapsed: see the attribute.
        @param ages: see the attribute.
        @param failure: see the attribute.
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
    Return a policy of exponential backoff, the default of clients. With full jitter,
    each wait is chosen uniformly between 0 and the backoff, so that clients that lost
    their server at the same time do not all reconnect at the same time.

    @param initialDelay: the backoff in seconds after the first failure.
    @param maxDelay: the longest backoff in seconds; no wait is longer.
    @param factor: the factor by which each further failure multiplies the backoff.
    @param jitter: the fraction of the backoff that is random: 1 for full jitter; None
        or 0 for none.
    @param random: a function that returns a number between 0 and 1.

    @return: the policy.

    @raise TypeError: if a delay, the factor or the jitter is not a number.
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
        # The conversion to a float may have rounded a huge maxDelay up.
        return min(backoff * (1.0 - share * random()), maxDelay)

    return policy


def constant(seconds: float) -> Callable[[int], float]:
    """
    Return a policy that always waits for the same time. It has no jitter, so clients
    that lost their server at the same time also reconnect at the same time.

    @param seconds: the wait in seconds. A client never waits for longer than its
        C{maxDelay}.

    @return: the policy.

    @raise TypeError: if it is not a number.
    @raise ValueError: if it is negative or not finite.
    """
    wait = _validators.delay("seconds", seconds)

    def policy(attempt: int) -> float:
        return wait

    return policy


def giveUpByCount(count: int, policy: Policy | None = None) -> Policy:
    """
    Return a policy that gives up when this many retries in a row have failed, like the
    setting C{maxRetries}.

    @param count: the number of retries; 0 to give up at the first failure.
    @param policy: the policy for the waits until then; L{exponential} by default.

    @return: the policy.

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
    Return a policy that gives up if the next attempt would start more than this many
    seconds after the first failure in a row.

    @param seconds: the longest time in seconds from that failure to an attempt.
    @param policy: the policy for the waits until then; L{exponential} by default.

    @return: the policy.

    @raise TypeError: if an argument is of the wrong type.
    @raise ValueError: if the time is not positive and finite.
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
    Return a policy that gives up after this many failures within this time, even if
    there were stable connections between them (like the restart intensity of Erlang's
    supervisors).

    @param failures: the number of failures, from 1 to L{MEMORY}.
    @param seconds: the time in seconds.
    @param policy: the policy for the waits until then; L{exponential} by default.

    @return: the policy.

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
    return _validators.policy("policy", policy)


def _known(name: str, attempt: int) -> Attempt:
    if not isinstance(attempt, Attempt):
        raise TypeError(
            f"{name} needs the times of the failures, not only {attempt!r}: use it as "
            "the retryPolicy of a ClientTCPFactory, or call it with a "
            "twisted_clienttcp.retry.Attempt"
        )
    return attempt
