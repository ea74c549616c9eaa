"""
The end of a connection: its cause, and the one path that leads to it.

Theory of operation:

 1. An orderly close passes everything accepted to the kernel, ends only our side, and
    keeps reading until the peer ends its side too. Closing a socket with unread input
    would send a reset, at which the peer's kernel drops what the peer has not read yet
    (RFC 1122, 4.2.2.13; RFC 2525, 2.17). Each step has a time limit. The limits of the
    last step are nginx's for C{lingering_close}.
 2. Bytes read in the meantime are discarded, or, in a drain, delivered. A peer that
    treats our end of stream as a hang-up would send nothing more: most programs do so
    at a close_notify of TLS, and many proxies at any end of stream. For such a peer, a
    drain first waits until nothing more arrives. If a limit ends the wait, input may be
    lost, so this counts as a loss.
 3. An abort drops the output and closes immediately.
 4. A loss stops the output immediately. It is reported when every record received
    before it has been delivered.
 5. All of them lead to the loss of the transport, and from there to one report, a
    L{Disconnection}. The first cause that was recorded is the one reported: the reason
    with which Twisted reports the loss is usually a consequence.

L{State} lists the states, and L{Closing} has the table of what moves a connection from
one to another.
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

#: The seconds of silence that end the wait for the peer's end of stream (nginx:
#: C{lingering_timeout}).
LINGER_SILENCE = 5.0

#: The longest wait for an acknowledgement that must be on its way, and the interval at
#: which to check for it, in seconds.
ACKNOWLEDGE_TIME = 0.1
ACKNOWLEDGE_STEP = 0.01

#: The most bytes that a close_notify and our end of stream count: the record of an
#: alert with a block cipher and SHA-384, and 1.
CLOSE_NOTIFY = 86


class State(IntEnum):
    """
    How far the end of a connection has come. The order matters: a connection is ending
    in every state after L{HALF_CLOSED}, and sends nothing more from L{ABORTED} on.
    """

    #: nothing leads to the end
    OPEN = 0
    #: C{loseWriteConnection}: our side ends when the output is flushed
    HALF_CLOSING = 1
    #: our side has ended; records are received as before
    HALF_CLOSED = 2
    #: a drain flushes the output; our side does not end until nothing more arrives
    EMPTYING = 3
    #: a drain delivers what arrives until nothing more does
    HEARING = 4
    #: a drain flushes the output, and then ends our side
    DRAINING = 5
    #: our side has ended; a drain delivers what arrives until the peer ends its side
    RECEIVING = 6
    #: the output is flushed, and then our side ends; no more input is expected
    FLUSHING = 7
    #: our side has ended, and the peer has time to end its side
    LINGERING = 8
    #: both sides have ended, and acknowledgements may be on their way
    ACKNOWLEDGING = 9
    #: the transport is aborted, and its loss follows
    ABORTED = 10
    #: the transport is lost, and records received before are delivered
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
    @ivar isKnown: True if the user knows it already.
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

    The input knows whether records are delivered (L{Reading.mode<Reading>}): C{close}
    and C{abort} end that, and C{drain} does not.

    @ivar transport: the transport.
    @ivar state: how far the end has come.
    @ivar cause: the first cause that was recorded.
    @ivar negotiation: the exchange of records before C{connected}, which ends with the
        connection at the latest; None if there is none.
    @ivar reason: why the transport is lost; None until it is.
    @ivar isCutShort: True if other code has closed the transport before the end of a
        drain.
    """

    #: The connection, for the owner.
    _connection: Any
    _owner: ConnectionOwner[Any]
    transport: Any
    _clock: IReactorTime
    _outbound: Outbound
    _reading: Reading
    _descriptor: Descriptor
    #: A proxy is between us and the peer: the acknowledgements are those of the proxy.
    _isProxied: bool
    negotiation: ConnectionNegotiation | None = None
    state: State = OPEN
    cause: Cause | None = None
    reason: Failure | None = None
    isCutShort: bool = False
    #: The state in which the transport was lost.
    _lostIn: State = OPEN
    #: True if the transport had ended our side before the peer ended its side.
    _hasEndedFirst: bool = False
    _undelivered: int = 0
    _drainTimeout: float = 0.0
    _lingerTimeout: float = 0.0
    _timer: IDelayedCall | None = None

    @property
    def isEnding(self) -> bool:
        """
        True if the connection is ending, rather than only our side of it.
        """
        return self.state > HALF_CLOSED

    @property
    def isDraining(self) -> bool:
        """
        True if records are delivered until the connection ends, and those that are put
        are for the next one.
        """
        isEnding = HALF_CLOSED < self.state < ABORTED
        return isEnding and self._reading.mode is not DISCARDING

    def blame(
        self, failure: Failure | None, initiator: str, isKnown: bool = True
    ) -> bool:
        """
        Record a cause of the end; the first recorded cause wins.

        @param failure: the reason; None for the one that the transport reports.
        @param initiator: see L{Disconnection}.
        @param isKnown: True if the user knows it already.

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
        its side. A connection that drains delivers nothing more.

        @param drainTimeout: how many seconds flushing may take.
        @param lingerTimeout: how many seconds to wait for the peer after that.
        """
        if self._reading.mode is DISCARDING:
            return
        self._reading.discard()
        if self.state is LOST:
            self._finish()
            return
        if self.state < RECEIVING or not self._reading.isRead:
            # Read even if the transport was paused: we must notice the peer's end, and
            # a peer that waits for us to read does not read either.
            self._reading.read(True)
        if self.state in (OPEN, HALF_CLOSING, HALF_CLOSED, HEARING):
            self._setLimits(drainTimeout, lingerTimeout)
            self._enter(FLUSHING)
        elif self.state in (EMPTYING, DRAINING):
            # Flushing goes on, within the same limit.
            self.state = FLUSHING
        elif self.state in (RECEIVING, LINGERING) and isHalfCloseable(self.transport):
            self._enter(LINGERING)

    def drain(
        self, drainTimeout: float, lingerTimeout: float, halfCloses: bool
    ) -> None:
        """
        Flush the output, end our side, and deliver what arrives until the peer ends its
        side. Do nothing if the connection is ending or lost already.

        @param drainTimeout: how many seconds flushing may take.
        @param lingerTimeout: how many seconds to wait for the peer after that.
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
        Close immediately. Pending output is lost, and reported as C{unsent}.
        """
        if self.state < ABORTED or self._reading.mode is not DISCARDING:
            self._reading.discard()
            self._breakOff()

    # -- events

    def flushed(self) -> None:
        """
        The output may be flushed, or the producer has unregistered.
        """
        if self.isDraining and not self._outbound.hasProducer:
            # What a registered producer writes is all for this connection.
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
        The transport has ended our side.
        """
        self._hasEndedFirst = not self._reading.hasEnded

    def peerEnded(self) -> None:
        """
        The peer has ended its side.
        """
        if self.state in (RECEIVING, LINGERING):
            self._enter(ACKNOWLEDGING)
        elif self.state is HEARING:
            self._enter(FLUSHING)

    def limitFlush(self, seconds: float) -> None:
        """
        The peer has ended its side of TLS, and the transport waits until it has sent
        the encrypted output. Limit this wait.
        """
        if self.state is OPEN:
            self._startTimer(seconds, self._flushExpired)

    def _flushExpired(self) -> None:
        self.blame(Failure(ConnectionDone()), "peer", isKnown=False)
        self.abort()

    def _drainExpired(self) -> None:
        pending = self._outbound.pending
        if pending:
            why = f"{pending} bytes could not be sent"
        else:
            why = "the producer has not unregistered"
        limit = f"within drainTimeout={self._drainTimeout} seconds"
        self.blame(Failure(DrainTimeout(f"{why} {limit}")), "local", isKnown=False)
        self._breakOff()

    def _lingerExpired(self) -> None:
        if self.state is HEARING:
            why = f"the peer has not been silent for {LINGER_SILENCE:g} seconds"
        else:
            why = "the peer has not ended its side"
        limit = f"within lingerTimeout={self._lingerTimeout} seconds"
        if not self._reading.isRead:
            limit += ", while input was paused"
        late = LingerTimeout(f"{why} {limit}")
        self.blame(Failure(late), "local", isKnown=False)
        self._breakOff()

    # -- states

    def _setLimits(self, drainTimeout: float, lingerTimeout: float) -> None:
        self._drainTimeout = drainTimeout
        self._lingerTimeout = lingerTimeout

    def _enter(self, state: State) -> None:
        """
        Begin what is done in a state, and its limit. From now on, these limits replace
        all others.
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
            self._watch(lambda: self._enter(FLUSHING))
        elif isHalfCloseable(self.transport):
            self._startTimer(self._lingerTimeout, self._lose)
            self._watch(self._lose)
        else:
            # TLS has no half-close (though its transport claims one). It waits for the
            # peer's close_notify, without a time limit of its own.
            self._startTimer(self._lingerTimeout, self._breakOff)
            self._hasEndedFirst = not _tls.peerHasEnded(self.transport)
            self.transport.loseConnection()

    def _watch(self, silent: Callable[[], None]) -> None:
        """
        Call a function when nothing has arrived for L{LINGER_SILENCE}. The time in
        which records are held, or a result is awaited, does not count.
        """
        reading = self._reading
        reading.watch = watchForSilence(
            self._clock,
            LINGER_SILENCE,
            isReading=reading.isRead or reading.mode is DISCARDING,
            isAnswering=lambda: (
                reading.mode is not DISCARDING and reading.awaited is not None
            ),
            silent=silent,
        )

    def _endOurSide(self) -> None:
        """
        Accept no more output, and let the transport end our side, unless it closes now,
        because the peer has ended its side.
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
        Close, because both sides have ended. If only acknowledgements are missing that
        must be on their way, wait for them until the time C{until}.
        """
        missing = self._descriptor.countUnacknowledged()
        # If the peer has answered our end of stream and does not acknowledge the bytes
        # before it, it has not read them.
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
        Close now: C{loseConnection} waits until the kernel would accept more output,
        and so for a peer that does not read. But there is no more.
        """
        transport = self.transport
        if transport.connected:
            transport.stopReading()
            transport.stopWriting()
            transport.connectionLost(Failure(CONNECTION_DONE))

    # -- the end

    def _breakOff(self) -> None:
        """
        Drop the output, and abort the transport. Records that have been received are
        delivered, unless input is discarded.
        """
        if self.state < ABORTED:
            self.state = ABORTED
        self._stopTimer()
        self._reading.stopWatching()
        try:
            if not self._outbound.isStopped:
                # This calls the user's producer.
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
        # Not every transport (in memory, or wrapped) can abort.
        transport = self.transport
        getattr(transport, "abortConnection", transport.loseConnection)()

    def lost(self, reason: Failure, deliveryTimeout: float) -> None:
        """
        The transport is lost: report the end as soon as the records that were received
        before have been delivered.

        @param deliveryTimeout: how many seconds this may take.
        """
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
                # This calls the user's producer.
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
        # After the peer's close_notify, TLS itself closes the transport below.
        return self._outbound.isEnding and not _tls.peerHasEnded(self.transport)

    def _deliveryExpired(self) -> None:
        inbound = self._reading.inbound
        self._undelivered = inbound.abandon()
        try:
            # This calls the user's code.
            inbound.cancel()
        finally:
            self._finish()

    def _finish(self) -> None:
        """
        The transport is lost, and all records received before are delivered or
        discarded: report the end.
        """
        reason = self.reason
        assert reason is not None
        if self.state is REPORTED:
            return
        self.state = REPORTED
        unsent = self._outbound.pending
        isTLS = ISSLTransport.providedBy(self.transport)
        isClean = bool(reason.check(ConnectionDone))
        isOver = not unsent and self._lostIn in (LINGERING, ACKNOWLEDGING)
        isOrderly = isOver or (
            not unsent and isClean and self._lostIn in (HEARING, RECEIVING)
        )
        answersPeer = isTLS and isClean and not isOver
        if self.cause is not None:
            cause = self.cause
        elif isOrderly:
            # We have closed the connection, so it does not matter how the transport
            # ended.
            cause = Cause(None, "local", isKnown=True)
        elif isClean:
            # Except with TLS, readConnectionLost() reports an end of the peer's side
            # first. If it did not, code on our side has closed the transport.
            peer = self._reading.hasEnded or isTLS
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
            # Perhaps only the answer to the peer's close_notify is missing: the peer
            # may have closed the connection before it arrived.
            unacknowledged = None
        # An end of TLS without the peer's close_notify is a ConnectionLost.
        hasPeerEnded = isClean if isTLS else self._reading.hasEnded
        isAnswered = self._hasEndedFirst and hasPeerEnded
        if self._isProxied:
            # A proxy can forge everything except the server's close_notify.
            isAnswered &= isTLS and not _tls.endsAtProxy(self.transport)
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
        @param failure: the reason, if none was recorded.
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
    Return True if the transport can end only our side. TLS cannot, though its transport
    claims to.
    """
    return IHalfCloseableDescriptor.providedBy(
        transport
    ) and not ISSLTransport.providedBy(transport)


def _endOurSide(transport: Any) -> None:
    """
    End only our side, after the output was flushed.

    C{loseWriteConnection} first sends once more, even if there is nothing to send. If
    the peer of a UNIX socket has closed, this loses the connection, with the bytes that
    we have not read. So for UNIX sockets, make it send nothing.
    """
    isUNIX = IUNIXTransport.providedBy(transport)
    if isUNIX:
        send = transport.writeSomeData
        transport.writeSomeData = lambda data: send(data) if data else 0
    transport.loseWriteConnection()
