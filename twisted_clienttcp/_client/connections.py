"""
The connections of a client: turn the events of each connection into inputs of the
lifecycle.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocol, IReactorTime
from twisted.python.failure import Failure

from .. import _logevents as logged
from .. import _tls
from .._connecting.connector import Connector
from .._connection.disconnection import Disconnection
from .._connection.logged import LoggedConnection
from .._connection.peer import addressText
from .._connection.protocol import Client, Connection
from .._connection.wirelog import ConnectionLog, WireLog
from .._raising import raiseAgain
from ..errors import FramingError, NegotiationRefused, OutputLost, PeerSilent
from .attempts import Attempts
from .lifecycle import CONNECTING, GIVE_UP, IDLE, NEGOTIATING, STOP, STOPPED
from .parts import Parts
from .preconnect import PreConnect
from .reporting import destinationOf, logEvent
from .settings import currentTarget, storePeer


class Connections:
    """
    Creates the connections of a client, one after another, and owns the current one
    (C{ConnectionOwner}).

    @ivar disconnection: how the last connection ended, until another attempt begins or
        the Deferreds of C{shutdown} fire with it.
    """

    __slots__ = ("_attempts", "_parts", "_preConnect", "_target", "disconnection")

    def __init__(self, parts: Parts, attempts: Attempts) -> None:
        self._parts = parts
        self._attempts = attempts
        self._preConnect: PreConnect | None = None
        #: The target of the current connection.
        self._target = currentTarget(parts.client)
        self.disconnection: Disconnection | None = None

    def build(self, addr: IAddress | None) -> IProtocol | None:
        """
        Create a connection.

        @param addr: the address of the peer.

        @return: the connection, or the TLS protocol below it; None to reject the
            transport, because there already is a connection, or none is wanted.
        """
        parts, client = self._parts, self._parts.client
        if parts.lifecycle.phase not in (IDLE, STOPPED, CONNECTING):
            logEvent(client, logged.SECOND_CONNECTION, {"address": addressText(addr)})
            return None
        if parts.lifecycle.phase is not CONNECTING:
            # A ClientService connects: it does not report its attempts.
            self._attempts.prepare(None)
        if client.wireLog is None:
            connection = Connection(self, cast(Client, client), client.framing, addr)
        else:
            connection = self._logged(client.wireLog, addr)
        connection.factory = client
        parts.connection = connection
        self._target = target = currentTarget(client)
        if not target.speaksTLS:
            return connection
        return _tls.secured(target.tls, connection, client, parts.timeSource())

    def _logged(self, log: WireLog, addr: IAddress | None) -> Connection:
        client = self._parts.client
        name = client.alias or destinationOf(client)
        return LoggedConnection(
            self,
            cast(Client, client),
            client.framing,
            addr,
            ConnectionLog(log, name, self.timeSource()),
        )

    # -- the beginning

    def timeSource(self) -> IReactorTime:
        """
        @return: the clock; the reactor if there is none.
        """
        return self._parts.timeSource()

    def transportMade(self, connection: Connection) -> None:
        """
        A connection has got its transport.
        """
        if connection is not self._parts.connection:
            # The attempt was cancelled in the meantime.
            connection.abort()
            return
        if not self._target.known and self._parts.client.connector is None:
            storePeer(self._parts.client, connection.peer)
        connector = self._attempts.ownConnector
        if connector is not None and self._parts.lifecycle.phase is CONNECTING:
            connector.connectionMade(connection)
        self._parts.lifecycle.made()

    def transportReady(self, connection: Connection) -> None:
        """
        The transport can be used: begin the negotiation.
        """
        parts = self._parts
        if parts.callbacks.isHeld:
            # An endpoint has connected before its connect() returned: the lifecycle has
            # not processed the input C{made} yet.
            parts.callbacks.later(self.transportReady, connection)
        elif not self._isNegotiable(connection):
            return
        elif "preConnect" not in parts.functions:
            parts.lifecycle.negotiated()
        else:
            parts.callbacks.do(self._callPreConnect, connection)

    def _isNegotiable(self, connection: Connection) -> bool:
        return (
            connection is self._parts.connection
            and self._parts.lifecycle.phase is NEGOTIATING
            and not connection.ending
        )

    def _callPreConnect(self, connection: Connection) -> None:
        if not self._isNegotiable(connection):
            return
        parts = self._parts

        def decide(refusal: NegotiationRefused | None) -> None:
            if connection is parts.connection:
                self._preConnect = None
            # If the connection has ended instead, its end is reported elsewhere.
            if self._isNegotiable(connection):
                if refusal is not None:
                    self.refuse(connection, Failure(refusal))
                else:
                    connection.negotiation.agreed(parts.lifecycle.negotiated)

        self._preConnect = PreConnect(
            parts.client, connection.negotiation, decide, parts.logFailure
        )
        self._preConnect.call(parts.functions["preConnect"])

    def _cancelPreConnect(self) -> None:
        preConnect, self._preConnect = self._preConnect, None
        if preConnect is not None:
            try:
                preConnect.cancel()
            except BaseException as error:
                self.raiseLater(error)

    def tlsOptions(self, given: object) -> Any:
        """
        @param given: a value of the setting C{tls}.

        @return: the options for TLS; for True, those of the platform.
        """
        return self._target.tlsOptions(given)

    def refuse(self, connection: Connection, failure: Failure) -> None:
        """
        The connection must not be used: end the attempt.

        @param failure: the reason.
        """
        if connection is self._parts.connection:
            connection.blame(failure, "local")
            self._parts.lifecycle.refused()

    def endedEarly(self, connection: Connection) -> None:
        """
        The peer has ended its side before C{connected} was called.
        """
        if self._isNegotiable(connection):
            connection.blame(Failure(ConnectionDone()), "peer")
            self._parts.lifecycle.refused()

    # -- output

    @property
    def hasPostedEvents(self) -> bool:
        """
        True if a posted named event has not been handled yet.
        """
        events = self._parts.events
        return events is not None and events.arePosted

    def outputChanged(self, connection: Connection, callback: str) -> bool:
        """
        Call a callback about the output, and count the event.

        @param callback: C{"serverHigh"}, C{"serverLow"} or C{"serverFlushed"}.

        @return: False if the connection is not the current one.
        """
        parts = self._parts
        if connection is not parts.server:
            return False
        if callback == "serverFlushed":
            output = parts.output
            if output.queue is not connection.outbound and output.offline.pending:
                # The connection is draining, and records wait for the next one.
                return True
            parts.counts.flushes += 1
            if parts.waiters.flushed:
                parts.fireLater("flushed", None)
        elif callback == "serverHigh":
            parts.reachedHighMark()
        else:
            parts.reachedLowMark()
        parts.callbacks.do(parts.call, callback)
        return True

    def outputClosed(self, connection: Connection) -> None:
        """
        The connection accepts and sends no more output. Keep the records that were not
        passed to its transport for the next connection, if there may be one.
        """
        output = self._parts.output
        if output.offline.limit and not self._parts.lifecycle.stopping:
            output.takeBack(connection.outbound)

    def outputDiverted(self, connection: Connection) -> None:
        """
        The connection is draining. Records that are put from now on are for the next
        one, if there may be one.
        """
        if not self._parts.lifecycle.stopping:
            self._parts.output.divert(connection.outbound)

    def sendOffline(self, connection: Connection) -> None:
        """
        Send the records that wait for a connection, and report those that its framing
        cannot encode.
        """
        parts, output = self._parts, self._parts.output
        data, records = output.accepted
        rejected = output.sendOffline(connection.outbound)
        # The counts of accepted bytes and records must never decrease, even if fewer
        # bytes or records were moved than had been accepted.
        parts.counts.bytesOut += max(0, data - output.accepted[0])
        parts.counts.recordsOut += records - output.accepted[1]
        if rejected:
            lost = sum(len(record) for record, _ in rejected)
            parts.fireLater("flushed", Failure(OutputLost(lost)))
        for _, error in rejected:
            parts.counts.recordsRejected += 1
            parts.callbacks.later(parts.report, "serverError", Failure(error), True)
            if not isinstance(error, Exception):
                parts.callbacks.later(raiseAgain, error)
        parts.callbacks.run()

    def limitsChanged(self) -> None:
        """
        Apply a changed C{offlineLimit} or C{outputLimit}.
        """
        client, connection = self._parts.client, self._parts.connection
        self._parts.output.configure()
        if connection is not None and connection.transport is not None:
            keeps = client.offlineLimit > 0
            connection.outbound.configure(client.outputLimit, keeps)

    # -- the end

    def inputEnded(self, connection: Connection, failure: Failure) -> None:
        """
        The peer has ended its side, or its bytes cannot be decoded: call C{serverError}
        and close the connection.
        """
        parts = self._parts
        parts.callbacks.later(parts.report, "serverError", failure)
        parts.callbacks.do(parts.lifecycle.inputEnded)

    def errorOccurred(self, connection: Connection, failure: Failure) -> None:
        """
        Call C{serverError} for an error after which the connection continues.
        """
        parts = self._parts
        parts.callbacks.do(parts.report, "serverError", failure, True)

    def callbackRaised(
        self,
        callback: str,
        error: BaseException,
        connection: Connection | None = None,
    ) -> None:
        """
        A callback has raised an exception: log it, and drop the connection.
        """
        self._parts.callbackRaised(callback, error, connection)

    def raiseLater(self, error: BaseException) -> None:
        """
        If an exception is not an C{Exception}, raise it again after all queued steps.
        """
        self._parts.raiseLater(error)

    def broken(self, connection: Connection, failure: Failure) -> None:
        """
        The connection can no longer be used: drop it.
        """
        self._parts.drop(connection, failure)

    def close(self) -> None:
        """
        Close the current connection when its output has been sent.
        """
        connection = self._parts.connection
        if connection is not None:
            if self._parts.lifecycle.stopping:
                self.endDiversion()
            self.sendOffline(connection)
            connection.close()

    def endDiversion(self) -> None:
        """
        No other connection follows. If the current one is draining, let it send the
        records that were meant for the next one, unless our side has ended.
        """
        connection, output = self._parts.connection, self._parts.output
        if connection is not None and output.offline.draining is connection.outbound:
            output.queue = connection.outbound
            output.endWait()
            self.sendOffline(connection)

    def _endDrain(self, connection: Connection) -> None:
        """
        A draining connection has ended. Continue to accept records if this client makes
        the next connection.
        """
        lifecycle, output = self._parts.lifecycle, self._parts.output
        if not lifecycle.hosted and lifecycle.isScheduled:
            output.awaitNext()
            return
        output.endWait()
        isStopping = lifecycle.hosted and connection.closing.isCutShort
        if isStopping and not output.offline.limit:
            # The ClientService itself has closed the transport, because it is stopping.
            self.dropOffline()

    def dropOffline(self) -> None:
        """
        No connection follows: discard the records that wait for one, and report them as
        lost.
        """
        parts = self._parts
        data, records = parts.output.offline.accepted
        unsent = parts.output.drop()
        if unsent:
            parts.counts.bytesOut += data
            parts.counts.recordsOut += records
            parts.counts.unsentBytes += unsent
            parts.lost = parts.lost or Failure(OutputLost(unsent))
            logEvent(parts.client, logged.OFFLINE_LOST, {"unsent": unsent})
            parts.fireLater("flushed", parts.lost)
            parts.callbacks.run()

    def drain(self) -> None:
        """
        Close the current connection when its output has been sent and all its input has
        been delivered.
        """
        connection = self._parts.connection
        if connection is not None:
            if not connection.ending and self._parts.replacedFor is None:
                self._parts.replacedFor = "drain requested"
            self.sendOffline(connection)
            connection.drain()

    def abort(self) -> None:
        """
        Close the current connection now.
        """
        connection = self._parts.connection
        self._parts.replacedFor = None
        if connection is not None:
            connection.abort()
        self._cancelPreConnect()

    def expire(self) -> bool:
        """
        Close the connection because its negotiation has taken too long.

        @return: False if no negotiation is in progress.
        """
        connection = self._parts.connection
        if connection is None or self._parts.lifecycle.phase is not NEGOTIATING:
            return False
        unfinished = "the TLS handshake" if connection.isHandshaking else "preConnect"
        connection.blame(self._attempts.timeout(unfinished), "local")
        self.abort()
        return True

    def outputEnds(self, connection: Connection) -> None:
        """
        TLS accepts no more output, but encrypted output still waits to be sent: limit
        the time for that.
        """
        connection.closing.limitTLS(self._parts.client.drainTimeout, "peer")

    def outputLost(self, connection: Connection) -> None:
        """
        The transport is lost, and pending output with it.
        """
        parts = self._parts
        if connection is parts.connection:
            lost = Failure(OutputLost(connection.outbound.pending))
            parts.fireLater("flushed", lost)
            parts.callbacks.run()

    def endDelayed(self, connection: Connection) -> None:
        """
        The transport is lost, but an awaited result or a pause delays the report.
        """
        if connection is self._parts.connection:
            self._parts.failAwaited()

    def connectionEnded(
        self, connection: Connection, disconnection: Disconnection, isKnown: bool
    ) -> None:
        """
        The connection has ended: report this, and let the lifecycle go on.
        """
        parts = self._parts
        if connection is not parts.connection:
            return
        lifecycle, failure = parts.lifecycle, disconnection.failure
        connector = parts.client.connector
        if lifecycle.phase is NEGOTIATING:
            parts.endConnection(connection, disconnection, parts.now())
            self._cancelPreConnect()
            if lifecycle.then is None:
                self._attempts.queueFailure(failure)
            parts.callbacks.later(lifecycle.connectionEnded)
        else:
            self.disconnection = disconnection
            parts.counts.losses += disconnection.initiator != "local"
            parts.retries.failure = parts.reason = failure
            if failure.check(ConnectionDone):
                lost = OutputLost(disconnection.unsent)
                parts.reason = Failure(lost) if disconnection.unsent else None
            parts.lost = parts.reason if disconnection.unsent else None
            parts.callbacks.later(self._reportEnd, connection, disconnection, isKnown)
        isHosted = lifecycle.hosted
        try:
            parts.callbacks.run()
        finally:
            if isinstance(connector, Connector) and not isHosted:
                # The transport itself notifies a connector of Twisted.
                connector.connectionLost(failure)

    def _reportEnd(
        self, connection: Connection, disconnection: Disconnection, isKnown: bool
    ) -> None:
        """
        In a step: call C{serverError}, unless the user already knows the reason, and
        then C{disconnected}.
        """
        parts, lifecycle = self._parts, self._parts.lifecycle
        if not isKnown:
            parts.report("serverError", disconnection.failure)
        lifecycle.connectionEnded()
        try:
            story = parts.story or parts.beginStory()
            now = (parts.client.clock or parts.timeSource()).seconds()
            seconds = parts.endConnection(connection, disconnection, now)
            cause = parts.replacedFor
            if cause is not None:
                parts.replacedFor = None
                if lifecycle.stopping:
                    # The client has been stopped since: no connection replaces it.
                    cause = None
            story.ended(disconnection, seconds, now, cause)
            isStable = seconds >= parts.client.stableAfter
            if isStable:
                parts.retries.reset()
            parts.output.queue = parts.output.offline
            if parts.output.offline.draining is not None:
                self._endDrain(connection)
            if self._target.others and (
                disconnection.initiator != "local"
                # We closed the connection because the peer misbehaved.
                or disconnection.failure.check(PeerSilent, FramingError)
            ):
                self._target.lost(isStable)
            if disconnection.unsent:
                parts.waiters.split("flushed").fire(
                    Failure(OutputLost(disconnection.unsent))
                )
                story.outputLost(disconnection.unsent, now)
            parts.call("disconnected", disconnection)
            if lifecycle.then not in (STOP, GIVE_UP):
                # An attempt follows. The user may have requested it after shutdown().
                parts.lost = self.disconnection = None
                if parts.waiters.shutdown:
                    parts.waiters.split("shutdown").fire(disconnection)
        finally:
            lifecycle.settle()
