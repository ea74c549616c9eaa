"""
How long to wait before the next attempt.

A policy is a function from the number of attempts that have failed in a row (1 for
the first) to the seconds to wait, as in L{twisted.application.internet.backoffPolicy}.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import random as _random


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
        ("initialDelay", initialDelay, 0.0, inf),
        ("maxDelay", maxDelay, 0.0, inf),
        ("factor", factor, 1.0, inf),
        ("jitter", jitter, 0.0, 1.0),
    ):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} must be a number, not {value!r}")
        if not least <= value <= most:
            bounds = f"{least} or more" if most == inf else f"from {least} to {most}"
            raise ValueError(f"{name} must be {bounds}, not {value!r}")

    def policy(attempt: int) -> float:
        try:
            backoff = min(initialDelay * factor ** (attempt - 1), maxDelay)
        except OverflowError:
            backoff = maxDelay
        return backoff * (1.0 - jitter * random())

    return policy
