"""
The end of a connection: its cause, and the steps that lead to it.

Theory of operation:

 1. An orderly close passes all accepted output to the kernel, ends only our side, and
    keeps reading until the peer ends its side too. If we closed a socket with unread
    input, it would send a reset, and the peer's kernel would discard data that the peer
    has not read yet (RFC 1122, 4.2.2.13; RFC 2525, 2.17). Each step has a time limit.
    The limits of the last step are nginx's for C{lingering_close}.
 2. Bytes read in the meantime are discarded or, in a drain, delivered. Some peers send
    nothing more after our end of stream: most programs treat a close_notify of TLS this
    way, and many proxies any end of stream. For such a peer, a drain first waits until
    nothing more arrives. If a time limit ends the wait, input may be lost, so this is
    reported as an error.
 3. An abort drops the output and closes immediately.
 4. A loss stops the output immediately. It is reported when every record received
    before it has been delivered.
 5. Each of these leads to the loss of the transport, and then to one report, a
    L{Disconnection}. The first recorded cause is reported, because the reason that
    Twisted gives for the loss is usually only a consequence.

L{State} lists the states, and the table in L{Closing} shows the transitions.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

import attrs
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableDescriptor,
    IReactorTime,
    ISSLTransport,
    IUNIXTransport,
)
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

from .. import _tls
from ..errors import DrainTimeout, LingerTimeout
from .descriptor import Descriptor
from .disconnection import Disconnection
from .liveness import watchForSilence
from .negotiation import ConnectionNegotiation
from .outbound import Outbound
from .owner import ConnectionOwner
from .queue import Refusal
from .reading import DELIVERING, DISCARDING, Reading

#: The time of silence, in seconds, that ends the wait for the peer's end of stream
#: (nginx: C{lingering_timeout}).
LINGER_SILENCE = 5.0

#: The longest wait for an acknowledgement that should already be on its way, and the
#: interval of the checks for it, in seconds.
ACKNOWLEDGE_TIME = 0.1
ACKNOWLEDGE_STEP = 0.01

#: The greatest size in bytes of a close_notify (an alert record with a block cipher and
#: SHA-384), plus 1 for our end of stream.
CLOSE_NOTIFY = 86


class State(IntEnum):
    """
    The progress of the end of a connection. The order matters: a connection is ending
    in every state after L{HALF_CLOSED}, and sends nothing more from L{ABORTED} on.
    """

    #: the connection is in use
    OPEN = 0
    #: C{loseWriteConnection}: our side ends when the output is flushed
    HALF_CLOSING = 1
    #: our side has ended; records are received as before
    HALF_CLOSED = 2
    #: a drain flushes the output; our side does not end until nothing more arrives
    EMPTYING = 3
    #: a drain delivers records until nothing more arrives
    HEARING = 4
    #: a drain flushes the output, and then ends our side
    DRAINING = 5
    #: our side has ended; a drain delivers records until the peer ends its side
    RECEIVING = 6
    #: the output is flushed, and then our side ends; no more input is expected
    FLUSHING = 7
    #: our side has ended, and the peer has some time to end its side
    LINGERING = 8
    #: both sides have ended, but acknowledgements may still be on their way
    ACKNOWLEDGING = 9
    #: the transport is aborted, and its loss follows
    ABORTED = 10
    #: the transport is lost, but earlier records are still being delivered
    LOST = 11
    #: the end has been reported
    REPORTED = 12


(
    OPEN,
    HALF_CLOSING,
    HALF_CLOSED,
    EMPTYING,
    HEARING,
    DRAINING,
    RECEIVING,
    FLUSHING,
    LINGERING,
    ACKNOWLEDGING,
    ABORTED,
    LOST,
    REPORTED,
) = State

#: The state that follows when the output is flushed. (If the peer has ended its side,
#: C{ACKNOWLEDGING} follows.)
AFTER_FLUSH = {
    HALF_CLOSING: HALF_CLOSED,
    EMPTYING: HEARING,
    DRAINING: RECEIVING,
    FLUSHING: LINGERING,
}


class Cause(NamedTuple):
    """
    Why a connection ends.

    @ivar failure: the reason; None for the one that the transport reports.
    @ivar initiator: see L{Disconnection}.
    @ivar isKnown: True if the user already knows the reason.
    """

    failure: Failure | None
    initiator: str
    isKnown: bool


@attrs.define(eq=False)
class Closing:
    """
    The end of one connection, from the first event or call that leads to it.

    A call, an event or a limit moves it to the next state::

        state          moved by                       to
        -------------  -----------------------------  ----------------------------
        OPEN           endSending()                   HALF_CLOSING
        HALF_CLOSING   flushed                        HALF_CLOSED
        OPEN to        close()                        FLUSHING
        HALF_CLOSED    drain()                        DRAINING; EMPTYING if our
                                                      side must not end first
        EMPTYING       flushed                        HEARING
        HEARING        silence, the peer's end        FLUSHING
        DRAINING       flushed                        RECEIVING
        RECEIVING      the peer's end                 ACKNOWLEDGING
        FLUSHING       flushed                        LINGERING
        LINGERING      the peer's end                 ACKNOWLEDGING
                       silence, lingerTimeout         (the transport is closed)
        ACKNOWLEDGING  acknowledged, or late          (the transport is closed)
        EMPTYING to    close()                        FLUSHING, or LINGERING if
        RECEIVING                                     our side has ended
        EMPTYING,      endSending()                   DRAINING
        HEARING
        EMPTYING to    drainTimeout while output is   ABORTED
        FLUSHING       flushed, else lingerTimeout
        OPEN to        abort()                        ABORTED
        ACKNOWLEDGING  the transport is lost          LOST
        ABORTED        the transport is lost          LOST
        LOST           all is delivered or discarded  REPORTED

    "Flushed" means that the kernel has accepted the output, and that no producer is
    registered. If the peer has ended its side before that, ACKNOWLEDGING follows the
    flush of a connection that is ending. In LINGERING, TLS itself waits for the peer's
    end, and C{lingerTimeout} leads to ABORTED.

    L{Reading.mode<Reading>} says whether records are delivered: C{close} and C{abort}
    stop the delivery, and C{drain} does not.

    @ivar transport: the transport.
    @ivar state: the progress of the end.
    @ivar cause: the first recorded cause; None if there is none.
    @ivar negotiation: the exchange of records before C{connected}; None if there is
        none. The end of the connection ends it.
    @ivar reason: why the transport is lost; None until it is.
    @ivar isCutShort: True if other code has closed the transport before the end of a
        drain.
    """

    #: The connection, for calls of the owner.
    _connection: Any
    _owner: ConnectionOwner[Any]
    transport: Any
    _clock: IReactorTime
    _outbound: Outbound
    _reading: Reading
    _descriptor: Descriptor
    #: True if a proxy is between us and the peer, so that acknowledgements are those of
    #: the proxy.
    _isProxied: bool
    negotiation: ConnectionNegotiation | None = None
    state: State = OPEN
    cause: Cause | None = None
    reason: Failure | None = None
    isCutShort: bool = False
    #: The state in which the transport was lost.
    _lostIn: State = OPEN
    #: True if it used TLS.
    _isTLS: bool = False
    #: True if our side ended before the peer's side.
    _hasEndedFirst: bool = False
    _undelivered: int = 0
    _drainTimeout: float = 0.0
    _lingerTimeout: float = 0.0
    _timer: IDelayedCall | None = None

    @property
    def isEnding(self) -> bool:
        """
        True if the whole connection is ending, and not only our side.
        """
        return self.state > HALF_CLOSED

    @property
    def isDraining(self) -> bool:
        """
        True if the connection is ending, but still delivers records. Records that are
        put are for the next connection.
        """
        return (
            HALF_CLOSED < self.state < ABORTED and self._reading.mode is not DISCARDING
        )

    def blame(
        self, failure: Failure | None, initiator: str, isKnown: bool = True
    ) -> bool:
        """
        Record a cause of the end; the first recorded cause wins.

        @param failure: the reason; None for the one that the transport reports.
        @param initiator: see L{Disconnection}.
        @param isKnown: True if the user already knows the reason.

        @return: True if this was the first.
        """
        if self.cause is not None:
            return False
        self.cause = Cause(failure, initiator, isKnown)
        return True

    # -- calls

    def close(self, drainTimeout: float, lingerTimeout: float) -> None:
        """
        Discard the input, flush the output, end our side, and wait for the peer to end
        its side. Do so even during a drain.

        @param drainTimeout: the longest time in seconds for the flush.
        @param lingerTimeout: the longest time in seconds to wait for the peer after
            that.
        """
        if self._reading.mode is DISCARDING:
            return
        self._reading.discard()
        if self.state is LOST:
            self._finish()
            return
        if self.state < RECEIVING or not self._reading.isRead:
            # Read even if the transport was paused: we must notice the peer's end of
            # stream, and a peer that cannot send may not read either.
            self._reading.read(True)
        if self.state in (OPEN, HALF_CLOSING, HALF_CLOSED, HEARING):
            self._setLimits(drainTimeout, lingerTimeout)
            self._enter(FLUSHING)
        elif self.state in (EMPTYING, DRAINING):
            # The flush continues, with the same time limit.
            self.state = FLUSHING
        elif isHalfCloseable(self.transport):
            if self.state is RECEIVING:
                self._enter(LINGERING)
            elif self.state is LINGERING:
                # The limit remains; discarding has stopped the watch.
                self._watch(LINGER_SILENCE, self._lose)

    def drain(
        self, drainTimeout: float, lingerTimeout: float, halfCloses: bool
    ) -> None:
        """
        Flush the output, end our side, and deliver records until the peer ends its
        side. Do nothing if the connection is already ending or lost.

        @param drainTimeout: the longest time in seconds for the flush.
        @param lingerTimeout: the longest time in seconds to wait for the peer after
            that.
        @param halfCloses: False if our side must not end before the peer is silent.
        """
        if self.isEnding:
            return
        self._setLimits(drainTimeout, lingerTimeout)
        canHalfClose = isHalfCloseable(self.transport) and not self._isProxied
        self._enter(DRAINING if halfCloses and canHalfClose else EMPTYING)

    def endSending(self) -> None:
        """
        End our side when the output is flushed. A drain then does not wait for silence
        before that.

        @raise RuntimeError: if the transport cannot end only our side.
        """
        if not isHalfCloseable(self.transport):
            raise RuntimeError(
                "this transport cannot close only its sending side (TLS cannot): use "
                "shutdown()"
            )
        if self.state is OPEN:
            self.state = HALF_CLOSING
            self._outbound.whenFlushed = self.flushed
            self.flushed()
        elif self.state is EMPTYING:
            self.state = DRAINING
        elif self.state is HEARING:
            self._enter(DRAINING)

    def abort(self) -> None:
        """
        Close immediately. Pending output is lost, and is reported as C{unsent}.
        """
        if self.state < ABORTED or self._reading.mode is not DISCARDING:
            self._reading.discard()
            self._breakOff()

    # -- events

    def flushed(self) -> None:
        """
        Enter the next state if the output is flushed and no producer is registered.
        This is called whenever that may have become true.
        """
        if self.isDraining and not self._outbound.hasProducer:
            # Everything that a registered producer writes is for this connection.
            self._owner.outputDiverted(self._connection)
        state, outbound = self.state, self._outbound
        if state not in AFTER_FLUSH or outbound.pending or outbound.hasProducer:
            return
        after = AFTER_FLUSH[state]
        if self._reading.hasEnded and state is not HALF_CLOSING:
            after = ACKNOWLEDGING
        if after is not HEARING:
            self._endOurSide()
        if self.state is state:
            self._enter(after)

    def ourSideEnded(self) -> None:
        """
        Note that the transport has ended our side.
        """
        self._hasEndedFirst = not self._reading.hasEnded

    def peerEnded(self) -> None:
        """
        Enter the next state, because the peer has ended its side.
        """
        if self.state in (RECEIVING, LINGERING):
            self._enter(ACKNOWLEDGING)
        elif self.state is HEARING:
            self._enter(FLUSHING)

    def limitTLS(self, seconds: float, initiator: str) -> None:
        """
        TLS is closing, and has no time limit of its own: limit the wait.

        @param seconds: the limit in seconds.
        @param initiator: C{"peer"} if the peer has ended its side, and the transport
            waits until it has sent the encrypted output; C{"local"} if the user has
            closed the transport, and TLS waits for the peer.
        """
        if self.state is OPEN:
            self._startTimer(seconds, self._closeExpired, initiator)

    def _closeExpired(self, initiator: str) -> None:
        isKnown = initiator == "local"
        self.blame(Failure(ConnectionDone()), initiator, isKnown)
        self.abort()

    def _drainExpired(self) -> None:
        pending = self._outbound.pending
        if pending:
            why = f"{pending} bytes could not be sent"
        else:
            why = "the producer has not unregistered"
        late = DrainTimeout(f"{why} in time", self._drainTimeout)
        self.blame(Failure(late), "local", isKnown=False)
        self._breakOff()

    def _lingerExpired(self) -> None:
        if self.state is HEARING:
            why = "the peer has not stopped sending in time"
        else:
            why = "the peer has not ended its side in time"
        if not self._reading.isRead:
            why += ", while input was paused"
        late = LingerTimeout(why, self._lingerTimeout)
        self.blame(Failure(late), "local", isKnown=False)
        self._breakOff()

    # -- states

    def _setLimits(self, drainTimeout: float, lingerTimeout: float) -> None:
        self._drainTimeout = drainTimeout
        self._lingerTimeout = lingerTimeout

    def _enter(self, state: State) -> None:
        """
        Enter a state: begin its work, and start its time limit, which replaces all
        earlier limits and checks of liveness.
        """
        self.state = state
        if state is HALF_CLOSED:
            return
        self._stopTimer()
        self._reading.stopWatching()
        if state in AFTER_FLUSH:
            self._outbound.whenFlushed = self.flushed
            self.flushed()
            if self.state is state:
                self._startTimer(self._drainTimeout, self._drainExpired)
        elif state is ACKNOWLEDGING:
            self._loseAcknowledged(self._clock.seconds() + ACKNOWLEDGE_TIME)
        elif state is RECEIVING:
            self._startTimer(self._lingerTimeout, self._lingerExpired)
        elif state is HEARING:
            self._startTimer(self._lingerTimeout, self._lingerExpired)
            self._watch(self._silence(), lambda: self._enter(FLUSHING))
        elif isHalfCloseable(self.transport):
            self._startTimer(self._lingerTimeout, self._lose)
            self._watch(LINGER_SILENCE, self._lose)
        else:
            # TLS has no half-close, although its transport claims to. loseConnection()
            # sends a close_notify and waits for the peer's, without a time limit.
            self._startTimer(self._lingerTimeout, self._breakOff)
            self._hasEndedFirst = not _tls.peerHasEnded(self.transport)
            self.transport.loseConnection()

    def _silence(self) -> float:
        """
        @return: the seconds of silence after which a drain ends our side. It must be
            possible to detect them before the limit of L{HEARING}.
        """
        return min(LINGER_SILENCE, self._lingerTimeout / 2)

    def _watch(self, seconds: float, silent: Callable[[], None]) -> None:
        """
        Call a function when nothing has arrived for some time. Time in which records
        are held, or a result is awaited, does not count.

        @param seconds: the time in seconds.
        @param silent: the function.
        """
        reading = self._reading
        reading.watch = watchForSilence(
            self._clock,
            seconds,
            isReading=reading.isRead or reading.mode is DISCARDING,
            isAnswering=lambda: (
                reading.mode is not DISCARDING and reading.awaited is not None
            ),
            silent=silent,
        )

    def _endOurSide(self) -> None:
        """
        Accept no more output, and end our side, unless the transport is about to close
        because the peer has already ended its side.
        """
        outbound, transport = self._outbound, self.transport
        if outbound.refusal is None:
            outbound.refuse(Refusal.CLOSED)
            isClosing = self.isEnding and self._reading.hasEnded
            if isHalfCloseable(transport) and not isClosing:
                _endOurSide(transport)
        if self.isEnding and outbound.keepsRecords:
            self._owner.outputClosed(self._connection)

    def _loseAcknowledged(self, until: float) -> None:
        """
        Close, because both sides have ended. First wait for acknowledgements that
        should already be on their way.

        @param until: the time in seconds at which to stop waiting.
        """
        missing = self._descriptor.countUnacknowledged()
        # If the peer ended its side in answer to ours, but has not acknowledged the
        # bytes before our end of stream, it has not read them, and will not.
        isComing = missing == 1 or not self._hasEndedFirst
        if missing and isComing and self._clock.seconds() < until:
            self._startTimer(ACKNOWLEDGE_STEP, self._loseAcknowledged, until)
        else:
            self._lose()

    def _lose(self) -> None:
        self._stopTimer()
        self._reading.stopWatching()
        self.transport.loseConnection()
        if self.reason is None and isinstance(self.transport, FileDescriptor):
            self._startTimer(0, self._loseUnwritable)

    def _loseUnwritable(self) -> None:
        """
        Close now. C{loseConnection} waits until the kernel would accept more output, so
        it would wait for a peer that does not read, although there is no more output.
        """
        transport = self.transport
        if transport.connected:
            transport.stopReading()
            transport.stopWriting()
            transport.connectionLost(Failure(CONNECTION_DONE))

    # -- the end

    def _breakOff(self) -> None:
        """
        Drop the output, and abort the transport. Received records are still delivered,
        unless input is discarded.
        """
        if self.state < ABORTED:
            self.state = ABORTED
        self._stopTimer()
        self._reading.stopWatching()
        try:
            if not self._outbound.isStopped:
                # This may raise: it calls the user's producer.
                self._stopOutput()
        finally:
            self.blame(None, "local")
            if self.negotiation is not None:
                self._endNegotiation(self.negotiation, Failure(ConnectionAborted()))
            if self.reason is not None:
                self._finish()
            else:
                self._abortTransport()

    def _abortTransport(self) -> None:
        # Some transports (in memory, or wrapped) cannot abort.
        transport = self.transport
        getattr(transport, "abortConnection", transport.loseConnection)()

    def lost(self, reason: Failure, deliveryTimeout: float, isTLS: bool) -> None:
        """
        The transport is lost: report the end as soon as all records received before the
        loss have been delivered.

        @param reason: the reason, from Twisted.
        @param deliveryTimeout: the longest time in seconds for the delivery.
        @param isTLS: True if the transport used TLS, with the peer or a proxy.
        """
        self._isTLS = isTLS
        reading, outbound = self._reading, self._outbound
        self.isCutShort = (
            self.state < LINGERING
            and self.cause is None
            and self.isDraining
            and self._isClosedByOthers()
        )
        self.reason, self._lostIn, self.state = reason, self.state, LOST
        reading.isLost = True
        if reading.watch is not None:
            reading.stopWatching()
        if self._timer is not None:
            self._stopTimer()
        try:
            if not outbound.isStopped:
                # This may raise: it calls the user's producer.
                self._stopOutput()
            if outbound.pending:
                self._owner.outputLost(self._connection)
        finally:
            try:
                if reading.mode is not DELIVERING:
                    self._finish()
                else:
                    (reading.input or reading.inbound).end(self._finish)
            finally:
                if self.state is LOST:
                    self._startTimer(deliveryTimeout, self._deliveryExpired)
                    self._owner.endDelayed(self._connection)

    def _isClosedByOthers(self) -> bool:
        """
        Return True if other code has closed the transport, or the one below TLS.
        """
        layer = _tls.layerOf(self.transport) or self.transport
        if getattr(layer, "disconnecting", False):
            return True
        # After the peer's close_notify, it was TLS that closed the transport below it.
        return self._outbound.isEnding and not _tls.peerHasEnded(self.transport)

    def _deliveryExpired(self) -> None:
        inbound = self._reading.inbound
        self._undelivered = inbound.abandon()
        try:
            # This may raise: it calls the user's code.
            inbound.cancel()
        finally:
            self._finish()

    def _finish(self) -> None:
        """
        Report the end, because the transport is lost, and all records received before
        the loss have been delivered or discarded.
        """
        reason = self.reason
        assert reason is not None
        if self.state is REPORTED:
            return
        self.state = REPORTED
        unsent = self._outbound.pending
        isClean = bool(reason.check(ConnectionDone))
        isOver = not unsent and self._lostIn in (LINGERING, ACKNOWLEDGING)
        isOrderly = isOver or (
            not unsent and isClean and self._lostIn in (HEARING, RECEIVING)
        )
        answersPeer = self._isTLS and isClean and not isOver
        if self.cause is not None:
            cause = self.cause
        elif isOrderly:
            # We were closing the connection, so it does not matter how the transport
            # ended.
            cause = Cause(None, "local", isKnown=True)
        elif isClean:
            # If the peer ends its side, readConnectionLost() is called before this,
            # except with TLS. If it was not, code on our side closed the transport.
            peer = self._reading.hasEnded or self._isTLS
            cause = Cause(reason, "peer" if peer else "local", isKnown=not peer)
        else:
            cause = Cause(reason, "network", isKnown=False)
        self.cause = cause
        self._reading.discard()
        if self._timer is not None:
            self._stopTimer()
        if self.negotiation is not None:
            self._endNegotiation(self.negotiation, reason)
        failure, initiator, isKnown = cause
        received, descriptor = self._reading.input, self._descriptor
        unacknowledged = descriptor.unacknowledged
        if answersPeer and 0 < (unacknowledged or 0) <= CLOSE_NOTIFY:
            # Perhaps only our answer to the peer's close_notify is unacknowledged: the
            # peer may have closed the connection before it arrived.
            unacknowledged = None
        # If TLS ends without the peer's close_notify, the reason is a ConnectionLost.
        hasPeerEnded = isClean if self._isTLS else self._reading.hasEnded
        isAnswered = self._hasEndedFirst and hasPeerEnded
        if self._isProxied:
            # A proxy can forge everything except the server's close_notify.
            isAnswered &= ISSLTransport.providedBy(self.transport)
            unacknowledged = unacknowledged or None
        disconnection = Disconnection(
            failure=failure or reason,
            initiator=initiator,
            unsent=unsent,
            confirmed=isOrderly
            and isAnswered
            and descriptor.unacknowledged == 0
            and not descriptor.failed,
            unacknowledged=unacknowledged,
            truncated=None if received is None else received.truncated,
            undelivered=self._undelivered,
            unread=descriptor.unread,
        )
        self._owner.connectionEnded(self._connection, disconnection, isKnown)

    def _endNegotiation(
        self, negotiation: ConnectionNegotiation, failure: Failure
    ) -> None:
        """
        @param negotiation: the negotiation to end.
        @param failure: the reason, if no cause was recorded.
        """
        cause = None if self.cause is None else self.cause.failure
        negotiation.end(cause or failure)

    def _stopOutput(self) -> None:
        """
        Accept and send no more output.
        """
        if self._outbound.keepsRecords:
            self._owner.outputClosed(self._connection)
        self._outbound.stop()

    def _startTimer(
        self, seconds: float, call: Callable[..., None], *args: object
    ) -> None:
        if self._timer is not None:
            self._stopTimer()
        self._timer = self._clock.callLater(seconds, call, *args)

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


def isHalfCloseable(transport: object) -> bool:
    """
    @return: True if the transport can end only our side. TLS cannot, although its
        transport claims to.
    """
    return IHalfCloseableDescriptor.providedBy(transport) and not _tls.usesTLS(
        transport
    )


def _endOurSide(transport: Any) -> None:
    """
    End only our side, after the output has been flushed.

    C{loseWriteConnection} calls C{send} first, even if there is nothing to send. If the
    peer of a UNIX socket has closed it, this call fails, and the connection is lost
    with all bytes that we have not read. So do not let it send nothing.
    """
    isUNIX = IUNIXTransport.providedBy(transport)
    if isUNIX:
        send = transport.writeSomeData
        transport.writeSomeData = lambda data: send(data) if data else 0
    transport.loseWriteConnection()
