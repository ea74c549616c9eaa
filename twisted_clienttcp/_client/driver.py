"""
The driver of a client: it connects the parts of the client with Twisted and with the
connections.

Twisted's calls of the factory and the events of a connection become inputs of the
L{lifecycle<twisted_clienttcp._client.lifecycle>}; the driver carries out the effects
that the lifecycle requests. Callbacks are called in the steps of
L{Callbacks<twisted_clienttcp._client.callbacks.Callbacks>}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, cast

from twisted.internet.base import BaseConnector
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocol,
    IReactorTime,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from .. import _tls
from .._connecting.connector import EndpointConnector
from .._connecting.destination import withoutTLS
from .._connection.closing import Disconnection
from .._connection.protocol import (
    Client,
    ClientTCPProtocol,
    finishing,
    raiseAgain,
)
from .._stats import Stats
from ..errors import (
    AliasInUse,
    CallbackError,
    FramingError,
    NegotiationRefused,
    NotConnectedError,
    OutputLost,
    PeerSilent,
    RetriesExhausted,
)
from .attempts import Attempts
from .callbacks import Callbacks
from .events import Events, Session, claimAlias, releaseAlias
from .lifecycle import (
    CONNECTED,
    CONNECTING,
    DRAINING,
    IDLE,
    NEGOTIATING,
    STOPPED,
    WAITING,
    Lifecycle,
)
from .output import Output
from .preconnect import PreConnect
from .reporting import destinationOf, logFailure, warnOfFailure
from .retries import Retries
from .settings import Settings, currentTarget, isMoving, moveToNext, nextTarget
from .waiters import Waiters


class Driver:
    """
    Has the parts of a client, owns its connection, and carries out the effects of its
    lifecycle.

    @ivar connection: the present connection, from its protocol's creation to its end.
    @ivar outcome: the argument of the last call of C{stopped}.
    @ivar stopFailure: the argument of C{stop}.
    @ivar stopping: the Deferreds that wait for a C{stopped} that is queued.
    @ivar lastEvent: after a request to stop, the client waits only for events that were
        scheduled after this one.
    """

    __slots__ = (
        "_clock",
        "_connectedAt",
        "_disconnection",
        "_loss",
        "_preConnect",
        "_reason",
        "_stats",
        "_timer",
        "attempts",
        "callbacks",
        "client",
        "connection",
        "events",
        "lastEvent",
        "lifecycle",
        "outcome",
        "output",
        "retries",
        "stopFailure",
        "stopping",
        "waiters",
    )

    _log = Logger()

    def __init__(
        self,
        client: Settings,
        functions: Mapping[str, Callable[..., object]],
        direct: bool,
    ) -> None:
        """
        @param functions: the callbacks by their names.
        @param direct: as of L{Attempts}.
        """
        self.client = client
        self.callbacks = Callbacks(client, functions, self._raised)
        self.lifecycle = Lifecycle(self)
        self.attempts = Attempts(client, direct)
        self.retries = Retries(client)
        self.output = Output(client)
        self.waiters = Waiters()
        self.stopping: Waiters | None = None
        self.events: Events | None = None
        self.lastEvent = 0
        self.connection: ClientTCPProtocol | None = None
        self.outcome: Failure | None = None
        self.stopFailure: Failure | None = None
        self._preConnect: PreConnect | None = None
        self._clock: IReactorTime | None = None
        self._timer: IDelayedCall | None = None
        self._stats = Stats()
        #: The end of the present connection.
        self._disconnection: Disconnection | None = None
        self._connectedAt = 0.0
        #: The failure of the last attempt or connection; None for a clean end.
        self._reason: Failure | None = None
        #: The same, if output was lost.
        self._loss: Failure | None = None

    # -- what users can see

    @property
    def server(self) -> ClientTCPProtocol | None:
        """
        The present connection, from C{connected} until C{disconnected}.
        """
        if self.lifecycle.phase in (CONNECTED, DRAINING):
            return self.connection
        return None

    @property
    def stats(self) -> Stats:
        """
        A copy of the counts, as they are now.
        """
        now = copy(self._stats)
        now.pendingBytes = self.output.pending
        offline = self.output.offline
        now.offlineBytes = offline.pending
        connection = self.connection
        if connection is not None and connection.transport is not None:
            connection.count(now)
        if self.server is not None:
            now.secondsConnected += self._secondsSinceConnected()
        data, records = offline.accepted
        now.bytesOut += data
        now.recordsOut += records
        return now

    def _secondsSinceConnected(self) -> float:
        # The clock may be the time of day, which can be set back.
        return max(0.0, self.timeSource().seconds() - self._connectedAt)

    # -- Twisted's calls of the factory

    @finishing
    def startedConnecting(self, connector: Any) -> None:
        """
        A connector has begun an attempt.
        """
        try:
            self.claimAlias()
        except AliasInUse:
            connector.stopConnecting()
            raise
        self._moveIfComplete()
        self.attempts.use(connector)
        self._stats.attempts += 1
        if self.lifecycle.phase is not CONNECTING:
            self.lifecycle.attempting()

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """
        @return: the new connection, or the TLS protocol below it; None if there is a
            connection already, or none is wanted.
        """
        if self.lifecycle.phase not in (IDLE, STOPPED, CONNECTING):
            self._log.warn(
                "{client} rejects a second connection, to {addr}",
                client=self.client,
                addr=addr,
            )
            return None
        self.claimAlias()
        self._moveIfComplete()
        client = self.client
        connection = ClientTCPProtocol(self, cast(Client, client), client.framing, addr)
        connection.factory = client
        self.connection = connection
        target = currentTarget(client)
        if not target.speaksTLS:
            return connection
        return _tls.secured(target.tls, connection, client, self.timeSource())

    @finishing
    def clientConnectionFailed(self, connector: Any, reason: Failure | None) -> None:
        """
        An attempt has failed.

        @param reason: None, which only tests pass, for an unknown reason.
        """
        if self.lifecycle.phase is not CONNECTING and not self._adopt(connector):
            # The attempt was cancelled: there is nothing to report.
            return
        self._queueConnectError(self.attempts.failureOf(connector, reason))
        self.callbacks.later(self.lifecycle.failed)
        self.runCallbacks()

    def _queueConnectError(self, failure: Failure) -> None:
        """
        An attempt has failed, and not at the user's request.
        """
        self._reason = self.retries.failure = failure
        self._stats.failures += 1
        self.callbacks.later(self._report, "connectError", failure)
        if not currentTarget(self.client).left:
            self.callbacks.later(self.waiters.countFailure("connected").fire, failure)

    @finishing
    def clientConnectionLost(self, connector: Any, reason: Failure | None) -> None:
        """
        A connection is lost, as the connection itself has reported already. Make
        another attempt only if the factory was never passed to a connector, as in tests
        that were written for a C{ReconnectingClientFactory}.
        """
        isPresent = connector is self.client.connector
        if isPresent and self.lifecycle.phase is CONNECTING:
            # The connection had another protocol, from a subclass or a test.
            self.clientConnectionFailed(connector, reason)
        elif self._adopt(connector):
            self.retries.failure = reason
            self.lifecycle.failed()

    def _adopt(self, connector: Any) -> bool:
        """
        Use a connector that reports the end of an attempt or connection to a factory
        that was never passed to it, as if it had reported an attempt.

        @return: False if the client has another connector, or must make no attempts.
        """
        lifecycle = self.lifecycle
        isNew = lifecycle.phase is IDLE or (
            lifecycle.phase is STOPPED and lifecycle.hosted
        )
        # The connectors of Twisted, and ours, report each attempt.
        isReal = isinstance(connector, (BaseConnector, EndpointConnector))
        if isReal or not (isNew and self.client.continueTrying):
            return False
        self.startedConnecting(connector)
        return True

    @property
    def willAttempt(self) -> bool:
        """
        True if the connector makes an attempt that has not ended, or if the connection
        is lost and a retry will follow. (A subclass whose C{clientConnectionFailed}
        does not call ours calls C{retry} when the attempt has ended.)
        """
        if self.lifecycle.phase is CONNECTING:
            state = getattr(self.client.connector, "state", None)
            return bool(state == "connecting")
        connection = self.server
        return connection is not None and connection.lost and self.retrying

    # -- events of the connection (ConnectionOwner)

    def timeSource(self) -> IReactorTime:
        """
        @return: the clock; the reactor if there is none.
        """
        if self._clock is None:
            if self.client.clock is None:
                # A ReconnectingClientFactory shows the reactor too.
                self.client.clock = self.reactor
            self._clock = self.client.clock
        clock: IReactorTime = self._clock
        return clock

    def outputLimitChanged(self) -> None:
        """
        The setting C{offlineLimit} or C{outputLimit} has been changed.
        """
        client, connection = self.client, self.connection
        self.output.offline.configure(client.offlineLimit)
        if connection is not None and connection.transport is not None:
            keeps = client.offlineLimit > 0
            connection.outbound.configure(client.outputLimit, keeps)

    def clockChanged(self) -> None:
        """
        The setting C{clock} has been changed.
        """
        self._clock = None

    @property
    def reactor(self) -> Any:
        """
        The reactor that makes connections.
        """
        if self.client.reactor is not None:
            return self.client.reactor
        from twisted.internet import reactor

        return reactor

    @property
    def eventful(self) -> bool:
        """
        True if named events are posted that have not been handled.
        """
        return self.events is not None and self.events.arePosted

    def transportMade(self, connection: ClientTCPProtocol) -> None:
        """
        There is a transport.
        """
        if connection is not self.connection:
            # It was given up before.
            connection.abort()
            return
        connector = self.attempts.ownConnector
        if connector is not None and self.lifecycle.phase is CONNECTING:
            connector.connectionMade(connection)
        self.lifecycle.made()

    def transportReady(self, connection: ClientTCPProtocol) -> None:
        """
        The transport can be used.
        """
        if self.lifecycle.inputs is not None:
            # An endpoint has connected while the attempt was begun: the input that
            # there is a transport has not been processed.
            self.callbacks.later(self.transportReady, connection)
        elif not self._isNegotiable(connection):
            return
        elif "preConnect" not in self.callbacks.functions:
            self.lifecycle.negotiated()
        else:
            self.callbacks.later(self._callPreConnect, connection)
            self.runCallbacks()

    def _isNegotiable(self, connection: ClientTCPProtocol) -> bool:
        return (
            connection is self.connection
            and self.lifecycle.phase is NEGOTIATING
            and not connection.ending
        )

    def _callPreConnect(self, connection: ClientTCPProtocol) -> None:
        callback = self.callbacks.functions.get("preConnect")
        if callback is None or not self._isNegotiable(connection):
            return

        def decide(refusal: NegotiationRefused | None) -> None:
            if connection is self.connection:
                self._preConnect = None
            # The connection may have ended; then its end is reported.
            if self._isNegotiable(connection):
                if refusal is not None:
                    self.refuse(connection, Failure(refusal))
                else:
                    connection.negotiation.agreed(self.lifecycle.negotiated)

        self._preConnect = PreConnect(self.client, connection.negotiation, decide)
        self._preConnect.call(callback)

    def tlsOptions(self, given: Any) -> Any:
        """
        @return: options for TLS; those of the platform for True.
        """
        return currentTarget(self.client).tlsOptions(given)

    def refuse(self, connection: ClientTCPProtocol, failure: Failure) -> None:
        """
        The connection must not be used.
        """
        if connection is self.connection:
            connection.blame(failure, "local")
            self.lifecycle.refused()

    def endedEarly(self, connection: ClientTCPProtocol) -> None:
        """
        The peer has ended its side before C{connected} was called.
        """
        if self._isNegotiable(connection):
            connection.blame(Failure(ConnectionDone()), "peer")
            self.lifecycle.refused()

    def outputChanged(self, connection: ClientTCPProtocol, callback: str) -> bool:
        """
        Call C{serverHigh}, C{serverLow} or C{serverFlushed}.

        @return: False if the connection is not the present one.
        """
        if connection is not self.connection or self.server is None:
            return False
        if callback == "serverFlushed":
            self._stats.flushes += 1
            if self.waiters.waiting.get("flushed"):
                self._fireLater(None, "flushed")
        elif callback == "serverHigh":
            self._stats.highs += 1
        else:
            self._stats.lows += 1
        self.callbacks.later(self.callbacks.call, callback)
        self.runCallbacks()
        return True

    def outputClosed(self, connection: ClientTCPProtocol) -> None:
        """
        The connection accepts and sends no more output: records that no transport has
        received wait for the next connection, if there may be one.
        """
        if not self.lifecycle.stopping:
            self.output.takeBack(connection.outbound)

    def inputEnded(
        self, connection: ClientTCPProtocol, failure: Failure, closing: bool
    ) -> None:
        """
        The input ends, though the client has not asked for that; or a record was
        skipped.
        """
        self.callbacks.later(self._report, "serverError", failure)
        if closing:
            self.callbacks.later(self.lifecycle.inputEnded)
        self.runCallbacks()

    def callbackRaised(
        self,
        callback: str,
        error: BaseException,
        connection: ClientTCPProtocol | None = None,
    ) -> None:
        """
        A callback has raised: log the exception, and drop the connection, whose state
        is unknown.
        """
        logFailure(self.client, f"{callback} raised", Failure(error))
        if connection is None:
            connection = self.server
        if connection is not None and connection is self.server:
            failure = Failure(CallbackError(callback, error))
            # If serverError has raised, it has been called.
            self._drop(connection, failure, report=callback != "serverError")

    def broken(self, connection: ClientTCPProtocol, failure: Failure) -> None:
        """
        The connection cannot be used any longer: drop it.
        """
        self._drop(connection, failure, report=True)

    def _drop(
        self, connection: ClientTCPProtocol, failure: Failure, report: bool
    ) -> None:
        if connection.blame(failure, "local") and report:
            self.callbacks.later(self._report, "serverError", failure)
        self.callbacks.later(self.lifecycle.broken)
        self.runCallbacks()

    def transportLost(self, connection: ClientTCPProtocol) -> None:
        """
        The transport is gone.
        """

    def connectionEnded(
        self, connection: ClientTCPProtocol, disconnection: Disconnection, told: bool
    ) -> None:
        """
        The connection has ended.
        """
        if connection is not self.connection:
            return
        lifecycle = self.lifecycle
        connector = None if lifecycle.hosted else self.attempts.ownConnector
        failure = disconnection.failure
        if lifecycle.phase is NEGOTIATING:
            self._forget(connection, disconnection)
            self._cancelPreConnect()
            if lifecycle.then is None:
                self._queueConnectError(failure)
        else:
            self._noteEnd(disconnection)
            if not told:
                self.callbacks.later(self._report, "serverError", failure)
        self.callbacks.later(lifecycle.connectionEnded)
        try:
            self.runCallbacks()
        finally:
            if connector is not None:
                connector.connectionLost(failure)

    def _noteEnd(self, disconnection: Disconnection) -> None:
        """
        Remember how a connection has ended that C{connected} was called for.
        """
        self._disconnection = disconnection
        self._stats.losses += disconnection.initiator != "local"
        self._reason = self.retries.failure = disconnection.failure
        if self._reason.check(ConnectionDone):
            lost = OutputLost(disconnection.unsent)
            self._reason = Failure(lost) if disconnection.unsent else None
        self._loss = self._reason if disconnection.unsent else None

    def _forget(
        self, connection: ClientTCPProtocol, disconnection: Disconnection
    ) -> None:
        """
        The connection has ended: add its counts to those of the client.
        """
        connection.count(self._stats)
        self._stats.unsentBytes += disconnection.unsent
        self.connection = None

    # -- effects (LifecycleOwner)

    def processed(self) -> None:
        """
        An input has been processed.
        """
        self.callbacks.run()

    @property
    def retrying(self) -> bool:
        """
        True if another attempt follows a failure or a loss by itself.
        """
        client = self.client
        return bool(
            client.continueTrying
            and (client.autoReconnect or currentTarget(client).left)
        )

    @property
    def expectsEvents(self) -> bool:
        """
        True if a named event is pending whose handler may request another attempt.
        """
        return self.events is not None and self.events.areExpected(self.lastEvent)

    def nextDelay(self) -> float | None:
        """
        @return: the seconds to wait before the next attempt; None to give up.
        """
        if not self.client.continueTrying:
            return None
        if currentTarget(self.client).left:
            return 0.0
        delay = self.retries.next(self.timeSource().seconds())
        if isinstance(delay, Failure):
            self._reason = delay
            error: Any = delay.value
            self.raiseLater(error)
            return None
        return delay

    def beginAttempt(self) -> None:
        """
        Begin an attempt.
        """
        self._disconnection = None
        self.lastEvent = 0
        try:
            self.attempts.begin(self.reactor)
        except BaseException as error:
            # A subclass may override this.
            client = self.client
            client.clientConnectionFailed(  # type: ignore[no-untyped-call]
                client.connector, Failure()
            )
            self.raiseLater(error)

    def cancelAttempt(self) -> None:
        """
        Cancel the present attempt.
        """
        self.connection = None
        try:
            self.attempts.cancel()
        except BaseException as error:
            self._couldNotCancel(error)

    def _couldNotCancel(self, error: BaseException) -> None:
        what = "the attempt could not be cancelled"
        logFailure(self.client, what, Failure(error))
        self.raiseLater(error)

    def expireAttempt(self) -> None:
        """
        End the present attempt with a timeout.
        """
        attempts, connection = self.attempts, self.connection
        if self.lifecycle.phase is NEGOTIATING and connection is not None:
            what = "the TLS handshake" if connection.shaking else "preConnect"
            unfinished = f": {what} has not finished"
            connection.blame(attempts.timeout(attempts.allowed, unfinished), "local")
            self.abort()
            return
        self.connection = None
        try:
            expired = attempts.expire()
        except BaseException as error:
            expired = attempts.timeout(attempts.allowed)
            self._couldNotCancel(error)
        if expired is not None:
            # The attempt had ended already, and a subclass has not passed that on.
            self.clientConnectionFailed(self.client.connector, expired)

    def drain(self) -> None:
        """
        Close the connection when its output has been sent.
        """
        if self.connection is not None:
            self.sendOffline(self.connection)
            self.connection.close()

    def abort(self) -> None:
        """
        Close the connection now.
        """
        if self.connection is not None:
            self.connection.abort()
        self._cancelPreConnect()

    def _cancelPreConnect(self) -> None:
        preConnect, self._preConnect = self._preConnect, None
        if preConnect is not None:
            try:
                preConnect.cancel()
            except BaseException as error:
                self.raiseLater(error)

    def startTimer(self, seconds: float) -> None:
        """
        Call C{timeUp} of the lifecycle after this time.
        """
        self.stopTimer()
        self._timer = self.timeSource().callLater(seconds, self._timeUp)

    def startDeadline(self) -> None:
        """
        Start the timer with C{connectTimeout}, unless the connector measures it.
        """
        self.stopTimer()
        self.attempts.allowed = self.client.connectTimeout
        connection = self.connection
        if self.lifecycle.phase is NEGOTIATING and connection is not None:
            # The connection of a ClientService, which has a transport already.
            isOpen = not connection.shaking
        else:
            isOpen = self.attempts.measuresTime(self.timeSource())
        if not isOpen or "preConnect" in self.callbacks.functions:
            self.startTimer(self.attempts.allowed)

    def _timeUp(self) -> None:
        self._timer = None
        self.lifecycle.timeUp()

    def stopTimer(self) -> None:
        """
        Stop the timer, if it is running.
        """
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def queueStarted(self) -> None:
        """
        Queue C{started}.
        """
        client = self.client
        if self.lifecycle.phase is WAITING:
            # The user has started the client. If stopTrying() was called before
            # connectTCP(), one attempt is made, as by a ReconnectingClientFactory.
            client.continueTrying = 1
        self._reason = self._loss = None
        self.retries.begin()
        client.resetDelay()  # type: ignore[no-untyped-call]
        currentTarget(client).begin()
        self.output.offline.setStopped(False)
        self.callbacks.later(self.callbacks.call, "started", *(client.args or ()))

    def queueConnected(self) -> None:
        """
        Queue C{connected}.
        """
        connection = self.connection
        assert connection is not None
        self._connectedAt = self.timeSource().seconds()
        currentTarget(self.client).reached()
        self.output.queue = connection.outbound
        self._stats.connections += 1
        self.callbacks.later(self._callConnected, connection)

    def _callConnected(self, connection: ClientTCPProtocol) -> None:
        peer, connection.peer = connection.peer, None
        connection.negotiated()
        if self.callbacks.call("connected", peer):
            if self.output.offline.isUsed:
                self.sendOffline(connection)
            connection.open()
        if connection.opened:
            self.waiters.split("connected").fire(connection)

    def sendOffline(self, connection: ClientTCPProtocol) -> None:
        """
        Send the records that wait for a connection, and report those that its framing
        cannot encode.
        """
        for error in self.output.sendOffline(connection.outbound):
            self._stats.recordsRejected += 1
            self.callbacks.later(self._report, "serverError", Failure(error))
        self.runCallbacks()

    def queueDisconnected(self) -> None:
        """
        Queue C{disconnected}.
        """
        disconnection = self._disconnection
        assert disconnection is not None
        seconds = self._secondsSinceConnected()
        isStable = seconds >= self.client.stableAfter
        if isStable:
            self.client.resetDelay()  # type: ignore[no-untyped-call]
        if disconnection.initiator != "local" or disconnection.failure.check(
            # We closed the connection because of what the peer did.
            PeerSilent,
            FramingError,
        ):
            currentTarget(self.client).lost(isStable)
        self.callbacks.later(self._callDisconnected, disconnection, seconds)

    def _callDisconnected(self, disconnection: Disconnection, seconds: float) -> None:
        assert self.connection is not None
        self._forget(self.connection, disconnection)
        self._stats.secondsConnected += seconds
        self.output.queue = self.output.offline
        if disconnection.unsent:
            lost = Failure(OutputLost(disconnection.unsent))
            self.waiters.split("flushed").fire(lost)
        if "disconnected" in self.callbacks.functions:
            self.callbacks.call("disconnected", disconnection)
        elif disconnection.unsent:
            self._log.warn(
                "Client {client} lost up to {unsent} bytes that were put and not sent",
                client=destinationOf(self.client),
                unsent=disconnection.unsent,
            )
        if not self.lifecycle.stopping:
            # The user has requested another attempt after the request to stop.
            self._loss = self._disconnection = None
            if self.waiters.waiting.get("shutdown"):
                self.waiters.split("shutdown").fire(disconnection)

    def queueStopped(self, gaveUp: bool, hosted: bool) -> None:
        """
        Queue C{stopped}.
        """
        if not hosted:
            self.dropOffline()
            self.output.offline.setStopped(True)
        failure, self.stopFailure = self.stopFailure, None
        # A stop on request that has lost bytes is a failure too.
        self.outcome = failure or (self._reason if gaveUp else None) or self._loss
        # A ClientService may connect again, and then these events may come.
        events = () if hosted else ("stopped", "flushed", "connected")
        # Deferreds that begin to wait from now on wait for the next stop.
        self.stopping = self.waiters.split("shutdown", *events)
        self.callbacks.later(self._callStopped, self.outcome, hosted, self.stopping)

    def dropOffline(self) -> None:
        """
        Discard the records that wait for a connection, because none will follow.
        """
        data, records = self.output.offline.accepted
        unsent = self.output.drop()
        if unsent:
            self._stats.bytesOut += data
            self._stats.recordsOut += records
            self._stats.unsentBytes += unsent
            self._loss = self._loss or Failure(OutputLost(unsent))
            self._log.warn(
                "Client {client} stops with {unsent} bytes that were put and never "
                "sent",
                client=destinationOf(self.client),
                unsent=unsent,
            )
            self._fireLater(self._loss, "flushed")

    def _callStopped(
        self, failure: Failure | None, hosted: bool, waiters: Waiters
    ) -> None:
        disconnection, self._disconnection = self._disconnection, None
        if not hosted:
            if self.events is not None:
                self.events.clear()
            if "stopped" in self.callbacks.functions:
                self.callbacks.call("stopped", failure)
            elif failure is not None and failure.check(RetriesExhausted):
                self._log.warn(
                    "Client {client} gives up: {reason}",
                    client=destinationOf(self.client),
                    reason=str(failure.value),
                    failure=failure,
                )
        if self.stopping is waiters:
            self.stopping = None
        waiters.split("stopped").fire(failure)
        waiters.split("flushed", "connected").fire(neverConnected(failure))
        waiters.split("shutdown").fire(disconnection)
        alias = self.client.alias
        if alias is not None and not hosted and self.lifecycle.phase is STOPPED:
            releaseAlias(alias, self.client)

    def queueSettle(self) -> None:
        """
        Queue C{settle} of the lifecycle.
        """
        self.callbacks.later(self.lifecycle.settle)

    # -- callbacks

    def runCallbacks(self) -> None:
        """
        Run the queued callbacks, or leave that to the input that is being processed.
        """
        if self.lifecycle.inputs is None:
            self.callbacks.run()

    def raiseLater(self, error: BaseException) -> None:
        """
        Raise an exception that is not an C{Exception} after everything that is queued.
        """
        if not isinstance(error, Exception):
            self.callbacks.later(raiseAgain, error)
            self.runCallbacks()

    def _fireLater(self, result: object, event: str) -> None:
        """
        Fire the Deferreds that now wait for an event, when it is their turn.
        """
        self.callbacks.later(self.waiters.split(event).fire, result)

    def _raised(self, name: str, error: BaseException) -> None:
        self.callbackRaised(name, error)
        self.raiseLater(error)

    def _report(self, callback: str, failure: Failure) -> None:
        """
        Call a callback for failures, or log the failure if there is none.
        """
        self._stats.lastError = failure
        if callback in self.callbacks.functions:
            self.callbacks.call(callback, failure)
        else:
            isRunning = getattr(self.timeSource(), "running", True)
            tried = self.attempts.tried
            warnOfFailure(self.client, callback, failure, tried, isRunning)

    # -- named events

    def attachSession(self, session: Session) -> Events:
        """
        Use a session for named events.
        """
        self.events = Events(
            session, self.client, self.timeSource, self._dispatch, self._eventDone
        )
        return self.events

    def _dispatch(self, event: str, *args: object) -> None:
        """
        Call the handler of a posted or scheduled event.
        """
        self.callbacks.later(self._callHandler, event, *args)
        self.runCallbacks()

    def _callHandler(self, event: str, *args: object) -> None:
        try:
            if self.events is not None:
                self.callEvent(self.events, event, *args)
        except BaseException as error:
            self.callbackRaised(event, error)
            self.raiseLater(error)
        finally:
            self._eventDone()

    def callEvent(self, events: Events, event: str, *args: object) -> object:
        """
        Call the handler of an event now.

        @return: its result.
        """
        if events.isTraced:
            self._log.info(
                "Client {client} dispatches {event} {args}",
                client=destinationOf(self.client),
                event=event,
                args=args,
            )
        return events.call(event, *args)

    def _eventDone(self) -> None:
        """
        A pending event has been handled or cancelled.
        """
        if self.lifecycle.phase is WAITING:
            self.lifecycle.settle()

    # -- checks

    def claimAlias(self) -> None:
        """
        @raise AliasInUse: if another client has the alias.
        """
        if self.client.alias is not None:
            claimAlias(self.client.alias, self.client)

    def mustNotBeHosted(self, call: str) -> None:
        """
        @raise RuntimeError: if a C{ClientService} connects.
        """
        lifecycle = self.lifecycle
        if lifecycle.hosted and (lifecycle.phase is not STOPPED or call != "start"):
            raise RuntimeError(
                f"{call}() cannot be called while a ClientService drives the client: "
                "the service connects; use ClientTCPService or start() instead"
            )

    def mustBeMovable(self, what: str) -> None:
        """
        @param what: the change of the destination.

        @raise RuntimeError: if a C{ClientService} connects.
        @raise ValueError: if the present connector speaks TLS by itself, which a
            connection to another address would not.
        """
        if self.lifecycle.hosted and self.lifecycle.phase is not STOPPED:
            raise RuntimeError(
                f"{what} has no effect while a ClientService drives the client: the "
                "service connects; use ClientTCPService or start() instead"
            )
        if getattr(self.client.connector, "factory", self.client) is not self.client:
            raise withoutTLS(what, "the settings of connectSSL() are not known here")

    def mustKnowDestination(self, call: str) -> None:
        """
        @raise RuntimeError: if a C{ClientService} connects.
        @raise ValueError: if there is nothing to connect to.
        @raise TypeError: if only an address or only a port was set.
        """
        self.mustNotBeHosted(call)
        if not nextTarget(self.client).known and self.client.connector is None:
            raise ValueError(
                f"{call}() has nothing to connect to: pass remoteAddress and "
                "remotePort, or endpoint, to the factory"
            )

    def _moveIfComplete(self) -> None:
        """
        A connector begins to use a client that was not running: use the destination
        that was set last, unless a part of it is missing. The connector has an address
        of its own.
        """
        if self.lifecycle.phase in (IDLE, STOPPED) and isMoving(self.client):
            try:
                moveToNext(self.client)
            except TypeError:
                pass


def neverConnected(failure: Failure | None) -> Failure:
    """
    @param failure: the argument of C{stopped}.

    @return: the failure of the Deferreds that wait for a connection.
    """
    return failure or Failure(
        NotConnectedError("the client was stopped before it was connected")
    )
