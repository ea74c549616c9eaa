"""
The callback C{preConnect}, from its call to its decision.
"""

from __future__ import annotations

from asyncio import CancelledError as AsyncioCancelled
from collections.abc import Callable
from inspect import isawaitable, iscoroutine, isgenerator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from .._connection.negotiation import ConnectionNegotiation, Negotiation
from ..errors import NegotiationRefused, nameOf
from .settings import Settings


class PreConnect:
    """
    One call of C{preConnect}.
    """

    __slots__ = (
        "_answer",
        "_client",
        "_decide",
        "_hasCancelled",
        "_isCancelled",
        "_logFailure",
        "_negotiation",
    )

    def __init__(
        self,
        client: Settings,
        negotiation: ConnectionNegotiation,
        decide: Callable[[NegotiationRefused | None], None],
        logFailure: Callable[[str, Failure], None],
    ) -> None:
        """
        @param client: the first argument of C{preConnect}.
        @param negotiation: the second argument of C{preConnect}.
        @param decide: called with None if C{preConnect} accepts the connection;
            otherwise with the reason.
        @param logFailure: called with each exception, after a text that says what has
            happened.
        """
        self._client = client
        self._negotiation = negotiation
        self._decide = decide
        self._logFailure = logFailure
        #: The result that is awaited.
        self._answer: Deferred[Any] | None = None
        #: True if the connection has been given up.
        self._isCancelled = False
        #: True if the awaited result was cancelled for this reason.
        self._hasCancelled = False

    def call(self, callback: Callable[[Any, Negotiation], object]) -> None:
        """
        Call C{preConnect}.

        @raise BaseException: any exception of the callback that is not an C{Exception},
            after the decision.
        """
        try:
            answer = callback(self._client, self._negotiation)
            if iscoroutine(answer):
                answer = Deferred.fromCoroutine(answer)
            if isinstance(answer, Deferred):
                self._negotiation.wait()
                self._answer = answer.addCallback(_objection)
            else:
                objection = _objection(answer)
        except BaseException as error:
            self._failed(Failure())
            if not isinstance(error, Exception):
                raise
            return
        if self._answer is None:
            self._returned(objection)
            return
        self._answer.addCallbacks(self._returned, self._failed)
        if self._isCancelled:
            # The callback itself has given up the connection.
            self.cancel()

    def cancel(self) -> None:
        """
        The connection has ended or been given up: cancel the awaited result.

        @raise BaseException: any exception of its canceller that is not an
            C{Exception}.
        """
        self._isCancelled = True
        if self._answer is not None:
            self._hasCancelled = True
            try:
                self._answer.cancel()
            except BaseException as error:
                what = "preConnect could not be cancelled"
                self._logFailure(what, Failure(error))
                if not isinstance(error, Exception):
                    raise

    def _returned(self, objection: str) -> None:
        refusal = None
        if objection:
            what = f"preConnect refused the connection: {objection}"
            refusal = NegotiationRefused(what)
        self._finish(refusal)

    def _failed(self, failure: Failure) -> None:
        error: Any = failure.value
        isOurs = self._hasCancelled and failure.check(CancelledError, AsyncioCancelled)
        if not (isOurs or self._negotiation.hasEndedWith(error)):
            self._logFailure("preConnect raised", failure)
        refusal = NegotiationRefused(f"preConnect raised {nameOf(error)}")
        refusal.__cause__ = error
        self._finish(refusal)

    def _finish(self, refusal: NegotiationRefused | None) -> None:
        self._answer = None
        self._negotiation.finished()
        self._decide(refusal)


def _objection(answer: object) -> str:
    """
    @param answer: the result of C{preConnect}.

    @return: why this does not accept the connection; empty if it does.
    """
    if isgenerator(answer) or isawaitable(answer):
        return (
            f"it returned {answer!r}, which is not awaited here; it must return True, "
            "or a Deferred or coroutine with that result"
        )
    if answer is None:
        return (
            "it returned None; to accept the connection, it must return True (is a "
            "return statement missing?)"
        )
    return "" if answer else f"it returned {answer!r}"
