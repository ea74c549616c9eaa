"""
The interface that a connection requires of its owner.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from .disconnection import Disconnection

#: The class of the connection: its modules that call the owner do not know it.
ConnectionT = TypeVar("ConnectionT", contravariant=True)


class ConnectionOwner(Protocol[ConnectionT]):
    """
    The owner of a connection, called for each event of it.

    Methods may be called for a connection that is no longer the current one; then they
    do nothing.
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
        There is a transport.
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
        The connection must not be used.

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
        This is called only if the queue of the connection keeps its records, and may be
        called again.
        """

    def outputDiverted(self, connection: ConnectionT) -> None:
        """
        The connection drains: records that are put from now on are for the next one.
        This may be called again.
        """

    def outputEnds(self, connection: ConnectionT) -> None:
        """
        TLS accepts no more output, because the peer has ended its side, and encrypted
        output still waits to be sent.
        """

    def outputLost(self, connection: ConnectionT) -> None:
        """
        The transport is lost, with output that the kernel has not accepted.
        """

    def inputEnded(self, connection: ConnectionT, failure: Failure) -> None:
        """
        The input has ended without a request of the client: report the reason to
        C{serverError}, and close the connection.
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
        A callback has raised: log the error, and drop the connection.

        @param callback: the name of the callback.
        @param connection: the connection that it was called for; None for the current
            one.
        """

    def raiseLater(self, error: BaseException) -> None:
        """
        If an error is not an C{Exception}, raise it again after everything that follows
        from it is done.
        """

    def endDelayed(self, connection: ConnectionT) -> None:
        """
        The transport is lost, and L{connectionEnded} follows when an awaited result has
        arrived, or a pause has ended.
        """

    def connectionEnded(
        self, connection: ConnectionT, disconnection: Disconnection, isKnown: bool
    ) -> None:
        """
        The connection has ended: every record received before the loss has been
        delivered, or C{drainTimeout} has passed since the loss.

        @param isKnown: True if the user knows the reason, because the user's own call
            or C{serverError} has named it.
        """
