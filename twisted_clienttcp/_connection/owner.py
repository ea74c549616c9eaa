"""
The interface that a connection requires of its owner.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from .disconnection import Disconnection

#: The class of the connection. The modules that call the owner are used by this class,
#: so they cannot import it.
ConnectionT = TypeVar("ConnectionT", contravariant=True)


class ConnectionOwner(Protocol[ConnectionT]):
    """
    The owner of a connection, which the connection notifies of each event.

    The owner ignores events of a connection that is no longer the current one.
    """

    @property
    def hasPostedEvents(self) -> bool:
        """
        True if named events are posted that must be handled before a flush is reported.
        """

    def timeSource(self) -> IReactorTime:
        """
        @return: the clock that runs the timers of the connection.
        """

    def transportMade(self, connection: ConnectionT) -> None:
        """
        The connection has got its transport.
        """

    def transportReady(self, connection: ConnectionT) -> None:
        """
        The transport can be used: the TLS handshake, if there is one, is complete and
        the certificate is verified.
        """

    def tlsOptions(self, given: object) -> Any:
        """
        @param given: a value of the setting C{tls}.

        @return: the options for TLS; those of the platform for True.
        """

    def refuse(self, connection: ConnectionT, failure: Failure) -> None:
        """
        The connection must not be used: end the attempt.

        @param failure: the reason.
        """

    def endedEarly(self, connection: ConnectionT) -> None:
        """
        The peer has ended its side before C{connected} was called.
        """

    def outputChanged(self, connection: ConnectionT, callback: str) -> bool:
        """
        Call a callback about the output.

        @param callback: C{"serverHigh"}, C{"serverLow"} or C{"serverFlushed"}.

        @return: False if the connection is not the current one.
        """

    def outputClosed(self, connection: ConnectionT) -> None:
        """
        The connection accepts and sends no more output: the offline queue takes over.
        This is called only if the connection's queue keeps its records, and may be
        called more than once.
        """

    def outputDiverted(self, connection: ConnectionT) -> None:
        """
        The connection is draining: records that are put from now on are for the next
        one. This may be called more than once.
        """

    def outputEnds(self, connection: ConnectionT) -> None:
        """
        TLS accepts no more output, because the peer has ended its side, but encrypted
        output still waits to be sent.
        """

    def outputLost(self, connection: ConnectionT) -> None:
        """
        The transport is lost before the kernel has accepted all output.
        """

    def inputEnded(self, connection: ConnectionT, failure: Failure) -> None:
        """
        The peer has ended its side, or its bytes cannot be decoded: report the reason
        to C{serverError}, and close the connection.
        """

    def errorOccurred(self, connection: ConnectionT, failure: Failure) -> None:
        """
        Report an error to C{serverError}. The connection continues.
        """

    def broken(self, connection: ConnectionT, failure: Failure) -> None:
        """
        The connection can no longer be used: drop it.

        @param failure: the reason, for C{serverError}.
        """

    def callbackRaised(
        self,
        callback: str,
        error: BaseException,
        connection: ConnectionT | None = None,
    ) -> None:
        """
        A callback has raised an exception: log it, and drop the connection.

        @param callback: the name of the callback.
        @param connection: the connection that it was called for; None for the current
            one.
        """

    def raiseLater(self, error: BaseException) -> None:
        """
        If an error is not an C{Exception}, raise it again after the connection has been
        cleaned up and its callbacks have run.
        """

    def endDelayed(self, connection: ConnectionT) -> None:
        """
        The transport is lost, but L{connectionEnded} must wait for an awaited result or
        the end of a pause.
        """

    def connectionEnded(
        self, connection: ConnectionT, disconnection: Disconnection, isKnown: bool
    ) -> None:
        """
        The connection has ended: every record received before the loss has been
        delivered, or C{drainTimeout} has passed since the loss.

        @param disconnection: how it ended.
        @param isKnown: True if the user already knows the reason: it is a call of the
            user, or C{serverError} was called with it.
        """
