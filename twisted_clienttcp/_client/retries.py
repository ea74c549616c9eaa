"""
How long to wait before the next attempt, and when to give up.
"""

from __future__ import annotations

from functools import lru_cache

from twisted.python.failure import Failure

from .. import _validators
from .._details import describe
from ..errors import RetriesExhausted
from ..retry import MEMORY, Attempt, Policy, exponential
from .reporting import logFailure
from .settings import Settings


class Retries:
    """
    Counts the failures of a client, and chooses the delays between its attempts.

    @ivar count: the number of consecutive failures.
    @ivar delay: the last delay in seconds; initially C{initialDelay}.
    @ivar failure: how the last attempt or connection ended; None if none has ended
        since the start.
    """

    __slots__ = (
        "_client",
        "_failedAt",
        "_firstAt",
        "count",
        "delay",
        "failure",
    )

    def __init__(self, client: Settings) -> None:
        self._client = client
        #: The times of up to C{MEMORY} failures, the latest first.
        self._failedAt: tuple[float, ...] = ()
        #: The time of the first of the consecutive failures.
        self._firstAt = 0.0
        self.failure: Failure | None = None
        self.reset()

    def reset(self) -> None:
        """
        Set the count and the delay to their initial values.
        """
        self.delay: float = self._client.initialDelay
        self.count = 0

    def next(self, now: float) -> float | Failure:
        """
        Count a failure, and choose the delay before the next attempt.

        @param now: the current time in seconds.

        @return: the result of the policy in seconds (C{delay} is set to this, but at
            most to C{maxDelay}). To give up, the reason: a L{RetriesExhausted}, or the
            exception of the policy.
        """
        if not self.count:
            self._firstAt = now
        self.count += 1
        self._failedAt = (now, *self._failedAt[: MEMORY - 1])
        client = self._client
        try:
            if client.maxRetries is not None and self.count > client.maxRetries:
                delay = None
            elif client.retryPolicy is None:
                policy = _backoff(
                    client.initialDelay, client.maxDelay, client.factor, client.jitter
                )
                delay = policy(self.count)
            else:
                delay = self._ask(client.retryPolicy, now)
        except BaseException:
            reason = Failure()
            logFailure(client, "retryPolicy failed, so the client gives up", reason)
            return reason
        if delay is None:
            cause, words = None, ""
            if self.failure is not None:
                cause, words = self.failure.value, describe(self.failure)
            elapsed = now - self._firstAt
            return Failure(RetriesExhausted(self.count, elapsed, cause, words))
        self.delay = min(delay, client.maxDelay)
        return delay

    def _ask(self, policy: Policy, now: float) -> float | None:
        """
        Call the user's policy.

        @return: the delay in seconds; None to give up.

        @raise Exception: if the policy raises, or if its result is invalid.
        """
        attempt = Attempt(
            self.count,
            elapsed=now - self._firstAt,
            ages=(now - at for at in self._failedAt),
            failure=self.failure,
        )
        delay = policy(attempt)
        if delay is None:
            return None
        return _validators.delay(f"the result of retryPolicy for {attempt}", delay)


@lru_cache(maxsize=64)
def _backoff(
    initialDelay: float, maxDelay: float, factor: float, jitter: float | None
) -> Policy:
    """
    @return: the policy for these settings. It has no state, so clients share it.
    """
    return exponential(
        initialDelay=initialDelay, maxDelay=maxDelay, factor=factor, jitter=jitter
    )
