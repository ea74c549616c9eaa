"""
Carry out the lifecycle: the half of the factory that users do not see.

Calls of Twisted and reports of connections become inputs of the lifecycle
(L{twisted_clienttcp._client.lifecycle}), whose effects are carried out here. The users'
callbacks about the lifecycle are I{steps}, called in order, one after the other and
never nested: a call that a callback makes takes effect at once, and the callbacks that
follow from it are called afterwards.
"""

from __future__ import annotations

from asyncio import CancelledError as AsyncioCancelled
from collections.abc import Callable
from functools import partial
from inspect import isawaitable, iscoroutine, isgenerator, signature
from typing import Any

from twisted.internet.base import BaseConnector
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import (
    ConnectError,
    ConnectionDone,
    NotConnectingError,
    TimeoutError,
)
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocolFactory,
    IReactorTime,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .. import _tls, _validators
from .._connecting.connector import EndpointConnector
from .._connecting.destination import DESTINATION, withoutTLS
from .._connecting.resolving import State, inWords
from .._connection.closing import Disconnection
from .._connection.negotiation import Negotiation
from .._connection.offline import OfflineQueue
from .._connection.protocol import (
    ClientTCPProtocol,
    finishing,
    raiseAgain,
)
from .._connection.queue import OutputQueue
from .._details import ConnectTimeout, describe, errorDetails
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
    nameOf,
)
from ..framing import Framing
from ..retry import MEMORY, Attempt, Policy, exponential
from . import callbacks as _callbacks
from .events import Session, claimAlias, fillSession, releaseAlias
from .lifecycle import (
    CONNECTED,
    CONNECTING,
    DRAINING,
    IDLE,
    NEGOTIATING,
    STOPPED,
    WAITING,
    Inputs,
    Then,
    Waiting,
    give,
    stopping,
)
from .notice import failureLog
from .settings import Settings
from .waiters import Waiter, fire, impatient, leave, waiterIn

#: The callbacks that C{_call} runs. The others may return a Deferred.
CALLBACKS = {
    name: arguments
    for name, arguments in _callbacks.CALLBACKS.items()
    if name not in ("preConnect", "serverInput", "serverInputBatch")
}


@implementer(IProtocolFactory)
class LifecycleFactory(Settings):
    """
    A factory that lives by the table. L{ClientTCPFactory
    <twisted_clienttcp.ClientTCPFactory>} is one that takes orders.
    """

    # What each client has. The rest is the class's, until a client has its own.
    __slots__ = (
        "_allowed",
        "_attempts",
        "_busy",
        "_clock",
        "_connectedAt",
        "_connection",
        "_connections",
        "_disconnection",
        "_expired",
        "_failedAt",
        "_failingSince",
        "_failure",
        "_foreign",
        "_heap",
        "_hosted",
        "_inputs",
        "_lastEvent",
        "_loss",
        "_negotiating",
        "_offline",
        *(f"_on_{name}" for name in CALLBACKS),
        "_outbox",
        "_outcome",
        "_own",
        "_phase",
        "_preConnect",
        "_reason",
        "_session",
        "_stats",
        "_steps",
        "_stopFailure",
        "_stopping",
        "_target",
        "_then",
        "_timer",
        "_waiters",
        "connector",
        "delay",
        "numPorts",
        "retries",
        "serverInput",
    )

    noisy = False
    connector: Any
    #: A subclass has a say in how attempts begin, what their protocol is and how they
    #: fail: then only a connector and a deadline of our own see to it that they end.
    _hooked = False
    batched = False

    _log = Logger()

    # The callbacks, which the subclass validates.
    _on_started: Any
    _on_connected: Any
    _on_connectError: Any
    _on_serverError: Any
    _on_serverFlushed: Any
    _on_serverHigh: Any
    _on_serverLow: Any
    _on_disconnected: Any
    _on_stopped: Any
    _preConnect: Any
    _session: Session | None
    serverInput: Any

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        cls._hooked = any(
            getattr(cls, name) is not getattr(LifecycleFactory, name)
            for name in ("startedConnecting", "buildProtocol", "clientConnectionFailed")
        )

    def __init__(self) -> None:
        #: Events put off later than this one may ask for another attempt; those before
        #: were put off before the order to shut down.
        self._lastEvent = 0

        self.connector = None
        #: The connector is somebody else's, and makes all further attempts.
        self._foreign = False
        self.numPorts = 0
        self.resetDelay()
        self._heap: Any = None
        # What the lifecycle remembers.
        self._phase = IDLE
        self._then: Then | float | None = None
        self._hosted = False
        self._inputs: Waiting | None = None
        self._connection: ClientTCPProtocol | None = None
        #: Records go into the outbox of the connection; without one, into this queue.
        self._offline = OfflineQueue(self.framing, self.marks, self.offlineLimit)
        self._outbox: OutputQueue = self._offline
        self._attempts = 0
        self._connections = 0
        #: What else there is to count, if there is.
        self._stats: Stats | None = None
        self._negotiating: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        #: C{connectTimeout} at the beginning of the present attempt.
        self._allowed = 0.0
        self._connectedAt = 0.0
        #: When the last failures were, the newest first, and the first one in a row.
        self._failedAt: tuple[float, ...] = ()
        self._failingSince = 0.0
        #: How the last attempt or connection ended.
        self._failure: Failure | None = None
        #: Why the last attempt or connection ended, if not well; and the same if bytes
        #: were lost by that.
        self._reason: Failure | None = None
        self._loss: Failure | None = None
        self._expired: Failure | None = None
        #: What the last C{stopped} was given.
        self._outcome: Failure | None = None
        self._disconnection: Disconnection | None = None
        #: The argument of C{stop}.
        self._stopFailure: Failure | None = None
        self._steps: tuple[tuple[Callable[..., object], tuple[Any, ...]], ...] = ()
        self._busy = False
        self._waiters: list[Waiter] | None = None
        #: Those of a stop that is about to be told.
        self._stopping: list[Waiter] | None = None

    @property
    def connected(self) -> bool:
        """
        Whether there is a connection that C{connected} was called for and that is not
        about to end (POE: heap connected).
        """
        return self._phase is CONNECTED

    @property
    def shuttingDown(self) -> bool:
        """
        Whether the client has stopped or is about to (POE: heap shutdown).
        """
        return stopping(self)

    @property
    def server(self) -> ClientTCPProtocol | None:
        """
        The live connection, until C{disconnected} is called (POE: heap server).
        """
        if self._phase in (CONNECTED, DRAINING):
            return self._connection
        return None

    def resetDelay(self) -> None:
        """
        Reset the delays and the count of failures. Calling it is optional: a connection
        that has lasted for C{stableAfter} seconds does the same. It does not restart a
        client that has stopped, nor end a wait.
        """
        self.delay = self.initialDelay
        self.retries = 0

    def _counted(self) -> Stats:
        """
        @return: what has been counted, but for what each client has.
        """
        if self._stats is None:
            self._stats = Stats()
        return self._stats

    # -- what Twisted tells the factory

    @finishing
    def startedConnecting(self, connector: Any) -> None:
        """
        An attempt has begun.
        """
        if self.alias is not None:
            try:
                self._claimAlias()
            except AliasInUse:
                connector.stopConnecting()
                raise
        if self._phase in (IDLE, STOPPED):
            self._moveIfComplete()
        self._connectBy(connector)
        self._attempts += 1
        if self._phase is not CONNECTING:
            self._feed(Inputs.attempting)

    def _connectBy(self, connector: Any) -> None:
        """
        Make all further attempts by somebody else's connector, if this is another one.
        """
        if connector is not self.connector:
            self.connector = connector
            self._foreign = True

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        @return: the connection, below TLS if that was asked for; None if there is one
            already or none is wanted.
        """
        if self._phase not in (IDLE, STOPPED, CONNECTING):
            self._log.warn(
                "{client} rejects a second connection, to {addr}",
                client=self,
                addr=addr,
            )
            return None
        if self.alias is not None:
            self._claimAlias()
        if self._phase in (IDLE, STOPPED):
            self._moveIfComplete()
        client: Any = self
        connection = ClientTCPProtocol(client, client, self.framing, addr)
        connection.factory = self
        self._connection = connection
        if not self._target.speaksTLS:
            return connection
        return _tls.secured(self._target.tls, connection, self, self.timeSource())

    @finishing
    def clientConnectionFailed(self, connector: Any, reason: Failure | None) -> None:
        """
        An attempt has failed.

        @param reason: None, which only tests pass, for an unknown reason.
        """
        if self._phase is not CONNECTING and not self._adopt(connector):
            # The attempt was cancelled: there is nothing to report.
            return
        reason = reason or Failure(ConnectError(string="for an unknown reason"))
        expired, self._expired = self._expired, None
        if _isTheirs(reason) and isinstance(
            connector, (BaseConnector, EndpointConnector)
        ):
            expired = self._timeout(connector.timeout)
        self._attemptFailed(expired or reason)
        self._later(give, self, Inputs.failed)
        self._run()

    def _attemptFailed(self, failure: Failure) -> None:
        """
        An attempt has not reached C{connected}, and nobody here has asked for that.
        """
        self._reason = self._failure = failure
        self._counted().failures += 1
        self._later(self._callOrLog, "connectError", failure)
        if not self._target.left:
            self._later(fire, impatient(self._waiters or []), failure)

    @finishing
    def clientConnectionLost(self, connector: Any, reason: Failure | None) -> None:
        """
        A connection is lost, as the connection itself has reported already. Make
        another attempt only if the factory was never passed to a connector, as in tests
        that were written for a C{ReconnectingClientFactory}.
        """
        if self._phase is CONNECTING and connector is self.connector:
            # The connection had another protocol, from a subclass or a test.
            LifecycleFactory.clientConnectionFailed(self, connector, reason)
        elif self._adopt(connector):
            self._failure = reason
            self._feed(Inputs.failed)

    def _adopt(self, connector: Any) -> bool:
        """
        Use a connector that reports the end of an attempt or connection to a factory
        that was never passed to it, as if it had reported an attempt.

        @return: False if the client has another connector, or must make no attempts.
        """
        isNew = self._phase is IDLE or (self._phase is STOPPED and self._hosted)
        # The connectors of Twisted, and ours, report each attempt.
        isReal = isinstance(connector, (BaseConnector, EndpointConnector))
        if isReal or not (isNew and self.continueTrying):
            return False
        LifecycleFactory.startedConnecting(self, connector)
        return True

    # -- what the connection tells

    def timeSource(self) -> IReactorTime:
        """
        @return: the clock; the reactor if there is none.
        """
        if self._clock is None:
            self._clock = self._theReactor()
        clock: IReactorTime = self._clock
        return clock

    def transportMade(self, connection: ClientTCPProtocol) -> None:
        """
        There is a transport.
        """
        if connection is not self._connection:
            # It was given up before it came.
            connection.abort()
            return
        if self._phase is CONNECTING and self._ownConnector is not None:
            self._ownConnector.connectionMade(connection)
        self._feed(Inputs.made)

    @property
    def _ownConnector(self) -> EndpointConnector | None:
        """
        Our own connector, which has to be told what Twisted's learn from their
        transports; None if the connector is one of Twisted's.
        """
        connector = self.connector
        return connector if isinstance(connector, EndpointConnector) else None

    @property
    def tried(self) -> dict[IAddress, Failure | State]:
        """
        The addresses that the last attempt has tried, in the order of their start. The
        value of each is its C{Failure}; or C{"connected"} for the one that was first to
        answer, C{"abandoned"} if the attempt ended before it had answered, and
        C{"connecting"} until then. Empty for your own endpoints, and for the connectors
        of C{connectTCP} and C{ClientService}.
        """
        connector = self._ownConnector
        return {} if connector is None else connector.tried

    def transportReady(self, connection: ClientTCPProtocol) -> None:
        """
        The transport can be used.
        """
        if self._inputs is not None:
            # An endpoint that connects at once, from inside the order to: it is not
            # taken yet that the connection is made.
            self._later(self.transportReady, connection)
            return
        if not self._negotiable(connection):
            return
        if self._preConnect is None:
            self._feed(Inputs.negotiated)
        else:
            self._later(self._negotiate, connection)
            self._run()

    def _negotiable(self, connection: ClientTCPProtocol) -> bool:
        return (
            connection is self._connection
            and self._phase is NEGOTIATING
            and not connection.ending
        )

    def _negotiate(self, connection: ClientTCPProtocol) -> None:
        if not self._negotiable(connection):
            return
        negotiation = connection.negotiation
        try:
            answer = self._preConnect(self, negotiation)
            if iscoroutine(answer):
                answer = Deferred.fromCoroutine(answer)
            if isinstance(answer, Deferred):
                negotiation.wait()
                objection = answer.addCallback(_objection)
            else:
                objection = succeed(_objection(answer))
        except BaseException as error:
            objection = fail()
            self.raiseLater(error)
        self._negotiating = objection
        objection.addBoth(self._decided, connection, negotiation)

    def _decided(
        self,
        objection: str | Failure,
        connection: ClientTCPProtocol,
        negotiation: Negotiation,
    ) -> None:
        """
        C{preConnect} has finished.

        @param objection: why the connection is not accepted; empty if it is.
        """
        cancelled = connection is not self._connection or self._negotiating is None
        if not cancelled:
            self._negotiating = None
        negotiation.finished()
        if isinstance(objection, Failure):
            error: Any = objection.value
            ours = cancelled and objection.check(CancelledError, AsyncioCancelled)
            if not (ours or negotiation.hasEndedWith(error)):
                self._logFailure("preConnect raised", objection)
            refusal = NegotiationRefused(f"preConnect raised {nameOf(error)}")
            refusal.__cause__ = error
        elif objection:
            what = f"preConnect refused the connection: {objection}"
            refusal = NegotiationRefused(what)
        if not self._negotiable(connection):
            # It was lost or given up meanwhile, and its end is reported.
            return
        if objection:
            self.refuse(connection, Failure(refusal))
        else:
            negotiation.agreed(partial(self._feed, Inputs.negotiated))

    def refuse(self, connection: ClientTCPProtocol, failure: Failure) -> None:
        """
        The connection must not be used.
        """
        if connection is self._connection:
            connection.blame(failure, "local")
            self._feed(Inputs.refused)

    def tlsOptions(self, given: Any) -> Any:
        """
        @return: options for TLS; those of the platform for True.
        """
        return self._target.tlsOptions(given)

    def endedEarly(self, connection: ClientTCPProtocol) -> None:
        """
        The peer has ended its side before the connection was open.
        """
        if self._negotiable(connection):
            connection.blame(Failure(ConnectionDone()), "peer")
            self._feed(Inputs.refused)

    def outputChanged(self, connection: ClientTCPProtocol, callback: str) -> bool:
        """
        Call C{serverHigh}, C{serverLow} or C{serverFlushed}.

        @return: whether this is a connection that there is anything to tell of.
        """
        if connection is not self.server:
            return False
        stats = self._stats or self._counted()
        if self._has(callback):
            # Before those who wait: what they order may lead to more to tell.
            self._later(self._call, callback)
        if callback == "serverFlushed":
            stats.flushes += 1
            self._fire("flushed", None)
        elif callback == "serverHigh":
            stats.highs += 1
        else:
            stats.lows += 1
        if self._steps:
            self._run()
        return True

    def outputClosed(self, connection: ClientTCPProtocol) -> None:
        """
        The connection takes no more output, and sends none: records that no transport
        was handed wait for the next one, if there is to be any.
        """
        outbox = connection.outbound
        limit = self._offline.limit
        if self._outbox is outbox and limit and not stopping(self):
            self._outbox = self._offline
            self._offline.adopt(outbox.takeBack(limit))

    def inputEnded(
        self, connection: ClientTCPProtocol, failure: Failure, closing: bool
    ) -> None:
        """
        There will be no more input, and nobody here has asked for that.
        """
        self._later(self._callOrLog, "serverError", failure)
        if closing:
            self._later(give, self, Inputs.ended)
        self._run()

    def callbackRaised(
        self,
        callback: str,
        error: BaseException,
        connection: ClientTCPProtocol | None = None,
    ) -> None:
        """
        A callback of the user's has raised: log it, and drop the connection it has left
        in a state that nobody knows.

        @param connection: the one that it was called for, if it may be another than the
            present one.
        """
        self._logFailure(f"{callback} raised", Failure(error))
        if connection is None:
            connection = self.server
        if connection is not None and connection is self.server:
            failure = Failure(CallbackError(callback, error))
            self.broken(connection, failure, told=callback == "serverError")

    def broken(
        self, connection: ClientTCPProtocol, failure: Failure, told: bool = False
    ) -> None:
        """
        The connection cannot go on: drop it.

        @param told: C{serverError} knows it already.
        """
        if connection.blame(failure, "local") and not told:
            self._later(self._callOrLog, "serverError", failure)
        self._later(give, self, Inputs.broken)
        self._run()

    def transportLost(self, connection: ClientTCPProtocol) -> None:
        """
        The transport of a connection is gone.
        """

    def connectionEnded(
        self, connection: ClientTCPProtocol, disconnection: Disconnection, told: bool
    ) -> None:
        """
        The transport is gone.
        """
        if connection is not self._connection:
            return
        ours = None if self._hosted else self._ownConnector
        self._reason = self._failure = disconnection.failure
        self._loss = None
        if self._phase is not NEGOTIATING:
            self._disconnection = disconnection
            self._counted().losses += disconnection.initiator != "local"
            if self._reason.check(ConnectionDone):
                lost = OutputLost(disconnection.unsent)
                self._reason = Failure(lost) if disconnection.unsent else None
            if disconnection.unsent:
                self._loss = self._reason
        if self._phase is NEGOTIATING:
            self._forget(connection, disconnection)
            self._cancelNegotiation()
            if self._then is None:
                self._attemptFailed(disconnection.failure)
        elif not told:
            self._later(self._callOrLog, "serverError", disconnection.failure)
        self._later(give, self, Inputs.lost)
        try:
            self._run()
        finally:
            if ours is not None:
                ours.connectionLost(disconnection.failure)

    def _forget(
        self, connection: ClientTCPProtocol, disconnection: Disconnection
    ) -> None:
        """
        The connection is over and done with: what it counted is the client's.
        """
        connection.count(self._counted())
        self._counted().unsentBytes += disconnection.unsent
        self._connection = None

    # -- what the lifecycle asks for (as its Client)

    @property
    def _retrying(self) -> bool:
        """
        Whether the client goes on by itself after a failure or a loss.
        """
        return bool(self.continueTrying and (self.autoReconnect or self._target.left))

    @property
    def _expectant(self) -> bool:
        """
        Whether an event is to come that may yet ask for another attempt.
        """
        session = self._session
        return session is not None and session._expects(self._lastEvent)

    def _retryDelay(self) -> float | None:
        """
        @return: the seconds to wait before the next attempt, or None to give up.
        """
        if not self.continueTrying:
            return None
        if self._target.left:
            return 0.0
        now = self.timeSource().seconds()
        if not self.retries:
            self._failingSince = now
        self.retries += 1
        self._failedAt = (now, *self._failedAt[: MEMORY - 1])
        elapsed = now - self._failingSince
        try:
            delay = self._policyDelay(now, elapsed)
        except BaseException as error:
            # Without a delay the client can only give up.
            self._reason = Failure()
            self._logFailure("no delay for the next attempt, so it stops", self._reason)
            self.raiseLater(error)
            return None
        if delay is None:
            cause, words = None, ""
            if self._failure is not None:
                cause, words = self._failure.value, describe(self._failure)
            self._reason = Failure(
                RetriesExhausted(self.retries, elapsed, cause, words)
            )
        else:
            self.delay = delay
        return delay

    def _policyDelay(self, now: float, elapsed: float) -> float | None:
        if self.maxRetries is not None and self.retries > self.maxRetries:
            return None
        policy = self._ownPolicy() if self.retryPolicy is None else self.retryPolicy
        attempt = Attempt(
            self.retries,
            elapsed=elapsed,
            ages=(now - at for at in self._failedAt),
            failure=self._failure,
        )
        delay = policy(attempt)
        if delay is None:
            return None
        delay = _validators.delay(f"the result of retryPolicy for {attempt}", delay)
        if delay > self.maxDelay:
            self._log.info(
                "{client} waits maxDelay={maxDelay} seconds, not {delay}",
                client=self,
                maxDelay=self.maxDelay,
                delay=delay,
            )
        return min(delay, self.maxDelay)

    def _ownPolicy(self) -> Policy:
        """
        @return: the policy that the settings describe.
        """
        return exponential(
            initialDelay=self.initialDelay,
            maxDelay=self.maxDelay,
            factor=self.factor,
            jitter=self.jitter,
        )

    def _attempt(self) -> None:
        """
        Begin an attempt.
        """
        self._expired = None
        self._disconnection = None
        self._lastEvent = 0
        try:
            if self._moving:
                # A connector of somebody else's connects to its own address.
                if any(name in (self._own or ()) for name in _ADDRESS):
                    self._foreign = False
                self._moveTo(self._nextTarget())
            if self._foreign or not self._target.known:
                self.connector.connect()
                return
            try:
                self.connector = self._target.connect(
                    self, self._theReactor(), self.connectTimeout
                )
            finally:
                self._foreign = False
        except BaseException as error:
            self.clientConnectionFailed(self.connector, Failure())
            self.raiseLater(error)

    def _cancelAttempt(self) -> None:
        """
        Forget the attempt under way.
        """
        self._connection = None
        if self.connector is not None:
            try:
                self.connector.stopConnecting()
            except NotConnectingError:
                pass
            except BaseException as error:
                self._logFailure("the attempt could not be cancelled")
                self.raiseLater(error)

    def _expireAttempt(self) -> None:
        """
        End the attempt under way, with a timeout as its failure.
        """
        connection = self._connection
        if self._phase is NEGOTIATING and connection is not None:
            what = "the TLS handshake" if connection.shaking else "preConnect"
            unfinished = f": {what} has not finished"
            expired = self._timeout(self._allowed, unfinished)
            connection.blame(expired, "local")
            self._abort()
        else:
            self._expired = expired = self._timeout(self._allowed)
            self._cancelAttempt()
            if self._expired is not None:
                # It had ended already, and a subclass has kept that from us.
                LifecycleFactory.clientConnectionFailed(self, self.connector, expired)

    def _timeout(self, seconds: float | None, why: str = "") -> Failure:
        """
        @param seconds: the time that has passed; None if only the endpoint knows it.

        @return: a failure that names the deadline.
        """
        if seconds is None:
            return Failure(
                ConnectTimeout("not connected within the endpoint's timeout")
            )
        name = "connectTimeout" if seconds == self._allowed else "timeout"
        return Failure(
            ConnectTimeout(f"{name}: not connected within {seconds:g} s{why}")
        )

    def _drain(self) -> None:
        """
        Close the connection when all its output has been taken.
        """
        if self._connection is not None:
            self._sendOffline(self._connection)
            self._connection.close()

    def _abort(self) -> None:
        """
        Close the connection now.
        """
        if self._connection is not None:
            self._connection.abort()
        self._cancelNegotiation()

    def _cancelNegotiation(self) -> None:
        negotiating, self._negotiating = self._negotiating, None
        if negotiating is not None:
            try:
                negotiating.cancel()
            except BaseException as error:
                self._logFailure("preConnect could not be cancelled")
                self.raiseLater(error)

    def _startTimer(self, seconds: float) -> None:
        """
        Give C{timeUp} after so many seconds.
        """
        self._stopTimer()
        self._timer = self.timeSource().callLater(seconds, self._timeUp)

    def _startDeadline(self) -> None:
        """
        Give C{timeUp} after C{connectTimeout}, if the attempt may last so long.
        """
        self._stopTimer()
        self._allowed = self.connectTimeout
        if self._phase is NEGOTIATING:
            # A ClientService's, which has a transport already.
            connection = self._connection
            lasting = connection is not None and connection.shaking
        else:
            lasting = not self._timed
        if lasting or self._preConnect is not None:
            self._startTimer(self._allowed)

    @property
    def _timed(self) -> bool:
        """
        Whether the connector keeps the time, as one of Twisted's does until it asks for
        a protocol; and TCP is all that there is to wait for, since the protocol that it
        gets is ours, and is given the transport at once.
        """
        connector = self.connector
        return (
            isinstance(connector, BaseConnector)
            and connector.timeout is not None
            and connector.timeout <= self._allowed
            and connector.reactor is self.timeSource()
            and connector.factory is self
            and not self._target.speaksTLS
            and not self._hooked
        )

    def _timeUp(self) -> None:
        self._timer = None
        self._feed(Inputs.timeUp)

    def _stopTimer(self) -> None:
        """
        Stop the timer, if it runs.
        """
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _tellStarted(self) -> None:
        """
        Call C{started}, later.
        """
        if self._phase is WAITING:
            # By an order of ours; who has called stopTrying() before connectTCP() wants
            # one attempt alone, as of any ReconnectingClientFactory.
            self.continueTrying = 1
        self._reason = None
        self._loss = None
        self._failure = None
        self._failedAt = ()
        self.resetDelay()
        self._target.begin()
        self._offline.setStopped(False)
        if self._has("started"):
            self._later(self._call, "started", *(self.args or ()))

    def _tellConnected(self) -> None:
        """
        Call C{connected}, later.
        """
        self._connectedAt = self.timeSource().seconds()
        self._target.reached()
        assert self._connection is not None
        self._outbox = self._connection.outbound
        self._connections += 1
        self._later(self._callConnected, self._connection)

    def _callConnected(self, connection: ClientTCPProtocol) -> None:
        peer, connection.peer = connection.peer, None
        connection.negotiated()
        if self._call("connected", peer):
            if self._offline.isUsed:
                self._sendOffline(connection)
            connection.open()
        if connection.opened:
            self._fire("connected", connection)

    def _sendOffline(self, connection: ClientTCPProtocol) -> None:
        """
        What has waited for a connection goes out, behind what C{connected} has put
        until now.
        """
        outbox = connection.outbound
        if self._outbox is outbox:
            outbox.own()
            for error in self._offline.moveTo(outbox):
                self._counted().recordsRejected += 1
                self._later(self._callOrLog, "serverError", Failure(error))
            self._run()

    def _tellDisconnected(self) -> None:
        """
        Call C{disconnected}, later.
        """
        held = self.timeSource().seconds() - self._connectedAt
        stable = held >= self.stableAfter
        if stable:
            self.resetDelay()
        disconnection = self._disconnection
        if disconnection is not None and (
            disconnection.initiator != "local"
            # It is we who go, but for what the peer does.
            or disconnection.failure.check(PeerSilent, FramingError)
        ):
            self._target.lost(stable)
        self._later(self._callDisconnected)

    def _callDisconnected(self) -> None:
        connection, disconnection = self._connection, self._disconnection
        assert connection is not None and disconnection is not None
        self._forget(connection, disconnection)
        passed = self.timeSource().seconds() - self._connectedAt
        self._counted().secondsConnected += passed
        self._outbox = self._offline
        if disconnection.unsent:
            self._fire("flushed", Failure(OutputLost(disconnection.unsent)))
        if self._has("disconnected"):
            self._call("disconnected", disconnection)
        elif disconnection.unsent:
            self._log.warn(
                "Client {client} lost up to {unsent} bytes that were put and not sent",
                client=self._name(),
                unsent=disconnection.unsent,
            )
        if not stopping(self):
            # An order to connect again came after that to shut down.
            self._loss = self._disconnection = None
            self._fire("shutdown", disconnection)

    def _tellStopped(self, gaveUp: bool, hosted: bool) -> None:
        """
        Call C{stopped}, later.
        """
        if not hosted:
            self._dropOffline()
            self._offline.setStopped(True)
        given, self._stopFailure = self._stopFailure, None
        # A stop on request that has lost bytes is a failure too.
        self._outcome = given or (self._reason if gaveUp else None) or self._loss
        # Those who wait from now on wait for the next time.
        waiters, self._waiters = self._waiters or [], None
        if hosted:
            self._waiters = leave(waiters, "connected", "stopped", "flushed")
        self._stopping = waiters
        self._later(self._callStopped, self._outcome, hosted, waiters)

    def _limitOutput(self) -> None:
        """
        Apply a change of C{offlineLimit} or C{outputLimit}.
        """
        self._offline.configure(self.offlineLimit)
        connection = self._connection
        if connection is not None and connection.transport is not None:
            connection.outbound.configure(self.outputLimit, self.offlineLimit > 0)

    def _reframeOffline(self, framing: Framing[Any]) -> None:
        """
        Use another framing for records that are put without a connection from now on.
        """
        self._offline.setFraming(framing)

    def _dropOffline(self) -> None:
        """
        What waits for a connection waits in vain.
        """
        unsent = self._offline.pending
        if unsent:
            data, records = self._offline.accepted
            self._counted().bytesOut += data
            self._counted().recordsOut += records
            self._counted().unsentBytes += unsent
            self._offline.clear()
            self._loss = self._loss or Failure(OutputLost(unsent))
            self._log.warn(
                "Client {client} stops with {unsent} bytes that were put and never "
                "sent",
                client=self._name(),
                unsent=unsent,
            )
            self._fire("flushed", self._loss)

    def _callStopped(
        self, failure: Failure | None, hosted: bool, waiters: list[Waiter]
    ) -> None:
        disconnection, self._disconnection = self._disconnection, None
        if not hosted:
            if self._session is not None:
                self._session._forget()
            if self._has("stopped"):
                self._call("stopped", failure)
            elif failure is not None and failure.check(RetriesExhausted):
                self._log.warn(
                    "Client {client} gives up: {reason}",
                    client=self._name(),
                    reason=str(failure.value),
                    failure=failure,
                )
        if self._stopping is waiters:
            self._stopping = None
        fire(leave(waiters, "stopped"), failure)
        fire(leave(waiters, "flushed", "connected"), neverConnected(failure))
        fire(leave(waiters, "shutdown"), disconnection)
        if self.alias is not None and not hosted and self._phase is STOPPED:
            releaseAlias(self.alias, self)

    def _settleLater(self) -> None:
        """
        Give C{settle} behind all that is still to be told.
        """
        self._later(give, self, Inputs.settle)

    @property
    def eventful(self) -> bool:
        """
        Whether events are posted that have not been handled yet.
        """
        return self._session is not None and bool(self._session._posted)

    # -- what the session needs (as its owner)

    def _traced(self, event: str, args: tuple[Any, ...]) -> None:
        """
        An event is about to be dispatched, and the user wants to see that.
        """
        self._log.info(
            "Client {client} dispatches {event} {args}",
            client=self._name(),
            event=event,
            args=args,
        )

    def _eventDone(self) -> None:
        """
        An event that was to come has been dispatched or cancelled.
        """
        if self._phase is WAITING:
            self._feed(Inputs.settle)

    def _newSession(self) -> Session:
        """
        @return: a session as the settings describe it.
        """
        parameters = self.sessionParams or {}
        try:
            signature(self.sessionType).bind(**parameters)
        except TypeError as e:
            raise TypeError(f"sessionParams: {e}") from e
        session = self.sessionType(**parameters)
        session._attach(self)
        fillSession(
            session,
            inlineStates=self.inlineStates,
            objectStates=self.objectStates,
            packageStates=self.packageStates,
        )
        return session

    def _events(self) -> Session:
        """
        @return: the session.
        """
        if self._session is None:
            self._session = self._newSession()
        return self._session

    def _claimAlias(self) -> None:
        if self.alias is not None:
            claimAlias(self.alias, self)

    # -- steps

    def _feed(self, given: Callable[..., None], *args: Any) -> None:
        """
        Give the lifecycle an input, now, and tell what there is to tell of it
        afterwards.
        """
        busy, self._busy = self._busy, True
        try:
            give(self, given, *args)
        finally:
            self._busy = busy
        if self._steps:
            self._run()

    def _waiter(self, event: str, patience: int | None = None) -> Deferred[Any]:
        if self._waiters is None:
            self._waiters = []
        return waiterIn(self._waiters, event, patience)

    def _fire(self, event: str, result: Any) -> None:
        """
        Fire all that wait.
        """
        waiters = self._waiters or []
        for waiter in waiters:
            if waiter.event == event:
                fire(leave(waiters, event), result)
                return

    def _later(self, step: Callable[..., object], *args: Any) -> None:
        self._steps += ((step, args),)

    def _run(self) -> None:
        """
        Perform the waiting steps, all of them: then raise the first error that one of
        them has raised. Do nothing if this is called from a step.
        """
        if self._busy:
            return
        self._busy = True
        first: BaseException | None = None
        while self._steps:
            step, args = self._steps[0]
            self._steps = self._steps[1:]
            try:
                step(*args)
            except BaseException as error:
                first = first or error
        self._busy = False
        if first is not None:
            raise first

    def raiseLater(self, error: BaseException) -> None:
        """
        Raise an error again that is not an C{Exception}, when all that follows from it
        is done.
        """
        if not isinstance(error, Exception):
            self._later(raiseAgain, error)
            self._run()

    def _has(self, name: str) -> bool:
        """
        @return: whether there is such a callback.
        """
        return getattr(self, f"_on_{name}") is not None

    def _call(self, name: str, *args: Any) -> bool:
        """
        Call a callback of the user's, if there is one.

        @return: whether it did not raise.
        """
        callback = getattr(self, f"_on_{name}")
        if callback is not None:
            try:
                answer = callback(self, *args)
                if answer is not None and iscoroutine(answer):
                    answer.close()
                    raise TypeError(
                        "it returned a coroutine, which is not awaited here: start it "
                        "inside the callback with Deferred.fromCoroutine"
                    )
            except BaseException as error:
                self.callbackRaised(name, error)
                self.raiseLater(error)
                return False
        return True

    def _callOrLog(self, name: str, failure: Failure) -> None:
        """
        Call a callback for errors; without one, log the failure. The log event has what
        POE would print as C{operation}, C{errno} and C{text}.
        """
        self._counted().lastError = failure
        if self._has(name):
            self._call(name, failure)
            return
        operation, number, text = errorDetails(failure)
        each = inWords(self.tried) if name == "connectError" else ""
        warn: Callable[..., None] = self._log.warn
        if self._mustBeSeen(name, failure):
            warn = partial(failureLog.warn, self._log)
        warn(
            "Client {client}: {what}",
            client=self._name(),
            what=describe(failure) + each,
            operation=operation,
            errno=number,
            text=text,
            failure=failure,
        )

    def _logFailure(self, what: str, failure: Failure | None = None) -> None:
        """
        Log an exception with its traceback and the client's name.

        @param failure: the exception, if not the one that is being handled.
        """
        self._log.failure(
            "Client {client}: {what}", failure, client=self._name(), what=what
        )

    def _mustBeSeen(self, callback: str, failure: Failure) -> bool:
        """
        @param callback: the callback for the failure.

        @return: whether a failure is printed where no log observer is running: unless
            the server or the program has only finished, or the traceback has been
            logged as critical, and so is printed already.
        """
        error = failure.value
        if isinstance(error, (CallbackError, NegotiationRefused)):
            return error.__cause__ is None
        hasFinished = callback == "serverError" and isinstance(error, ConnectionDone)
        isStopping = not getattr(self.timeSource(), "running", True)
        return not (hasFinished or isStopping)

    # -- where to

    def _theReactor(self) -> Any:
        if self.reactor is not None:
            return self.reactor
        from twisted.internet import reactor

        return reactor

    def _name(self) -> str:
        """
        @return: whom this client is connected to, for people.
        """
        if self._target.known:
            return str(self._target)
        if self.connector is None:
            return "?"
        # A connector of a test need not have this method.
        destination = getattr(self.connector, "getDestination", None)
        return str(self.connector if destination is None else destination())

    def _mayNotBeHosted(self, order: str) -> None:
        if self._hosted and (self._phase is not STOPPED or order != "start"):
            raise RuntimeError(
                f"{order}() cannot be called while a ClientService drives the client: "
                "the service connects; use ClientTCPService or start() instead"
            )

    def _mayMove(self, what: str) -> None:
        """
        @param what: the change of the destination.

        @raise RuntimeError: if a C{ClientService} connects.
        @raise ValueError: if the present connector speaks TLS by itself, which a
            connection to another address would not.
        """
        if self._hosted and self._phase is not STOPPED:
            raise RuntimeError(
                f"{what} has no effect while a ClientService drives the client: the "
                "service connects; use ClientTCPService or start() instead"
            )
        if getattr(self.connector, "factory", self) is not self:
            raise withoutTLS(what, "the settings of connectSSL() are not known here")

    def _moveIfComplete(self) -> None:
        """
        Use the destination that was assigned last, unless a part of it is missing:
        somebody else's connector has an address of its own.
        """
        if self._moving:
            try:
                self._moveTo(self._nextTarget())
            except TypeError:
                pass

    def _mayConnect(self, order: str) -> None:
        self._mayNotBeHosted(order)
        if not self._nextTarget().known and self.connector is None:
            raise ValueError(
                f"{order}() has nothing to connect to: pass remoteAddress and "
                "remotePort, or endpoint, to the factory"
            )


#: The settings of the destination that a connector has of its own.
_ADDRESS = tuple(name for name in DESTINATION if name != "tls")


def _isTheirs(reason: Failure) -> bool:
    """
    @return: whether a connector or an endpoint of Twisted's has reached its timeout,
        which its error does not name.
    """
    return isinstance(reason.value, TimeoutError) and reason.value.args == ("",)


def _objection(answer: object) -> str:
    """
    @param answer: what C{preConnect} has returned.

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


def neverConnected(failure: Failure | None) -> Failure:
    """
    @return: why C{whenConnected} fails.
    """
    return failure or Failure(
        NotConnectedError("the client was stopped before it was connected")
    )
