"""
The end of a connection: its cause, and the one path that leads to it.

Theory of operation:

 1. An orderly close passes everything accepted to the kernel (FLUSHING), ends only our
    side, and keeps reading until the peer ends its side too (LINGERING). Closing a
    socket with unread input would send a reset, at which the peer's kernel drops what
    the peer has not read yet (RFC 1122, 4.2.2.13; RFC 2525, 2.17). Each step has a time
    limit. The limits of the last step are nginx's for C{lingering_close}.
 2. Bytes read in the meantime are discarded, or, in a drain, delivered. A peer that
    treats our end of stream as a hang-up would send nothing more: most programs do so
    at a close_notify of TLS, and many proxies at any end of stream. For such a peer, a
    drain first waits until nothing more arrives (HEARING). If a limit ends the wait,
    input may be lost, so this counts as a loss.
 3. An abort drops the output and closes immediately.
 4. A loss stops the output immediately. It is reported when every record received
    before it has been delivered.
 5. All of them lead to the loss of the transport, and from there to one report, a
    L{Disconnection}. The first cause that was recorded is the one reported: the reason
    with which Twisted reports the loss is usually a consequence.
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
from .inbound import Hold
from .liveness import watchForSilence
from .negotiation import ConnectionNegotiation
from .outbound import Outbound
from .owner import ConnectionOwner
from .reading import DELIVERING, Reading

#: Why output is not accepted.
CLOSED = "the sending side of the connection is closed"

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


class Stage(IntEnum):
    """
    The stage of the end of a connection.
    """

    #: the connection is not ending
    OPEN = 0
    #: the output is being passed to the kernel
    FLUSHING = 1
    #: the output is flushed, and what arrives is delivered until nothing arrives
    HEARING = 2
    #: our side has ended, and the peer has time to end its side
    LINGERING = 3
    #: the transport is lost or about to be, and nothing is sent or received
    ENDED = 4


OPEN, FLUSHING, HEARING, LINGERING, ENDED = Stage


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

    @ivar transport: the transport.
    @ivar stage: how far it has come.
    @ivar cause: the first cause that was recorded.
    @ivar negotiation: the exchange of records before C{connected}, which ends with the
        connection at the latest; None if there is none.
    @ivar reason: why the transport is lost; None until it is.
    @ivar hasEnded: True if the transport has ended only our side.
    @ivar isReported: True if the end has been reported.
    @ivar sendingEnded: True if no more output is accepted.
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
    stage: Stage = OPEN
    cause: Cause | None = None
    reason: Failure | None = None
    sendingEnded: bool = False
    hasEnded: bool = False
    #: True if our side ends when the output is flushed.
    _endWhenFlushed: bool = False
    isReported: bool = False
    #: True if other code has closed the transport before the end of a drain.
    isCutShort: bool = False
    #: True if the peer has ended its side after we had ended ours.
    _answered: bool = False
    _undelivered: int = 0
    #: This is a drain: what arrives until the end is delivered.
    _delivers: bool = False
    #: More of that may arrive.
    _expectsInput: bool = False
    #: Our side must not end before that.
    _hearsFirst: bool = False
    _drainTimeout: float = 0.0
    _lingerTimeout: float = 0.0
    _lastHeard: float = 0.0
    _timer: IDelayedCall | None = None

    @property
    def sendingEnds(self) -> bool:
        """
        True if our side has ended, or ends when the output is flushed.
        """
        return self.sendingEnded or self._endWhenFlushed

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

    # -- an orderly close

    def close(self, drainTimeout: float, lingerTimeout: float) -> None:
        """
        Discard the input, flush the output, end our side, and wait for the peer to end
        its side. A connection that drains delivers nothing more.

        @param drainTimeout: how many seconds flushing may take.
        @param lingerTimeout: how many seconds to wait for the peer after that.
        """
        if self.stage is not OPEN and not self._delivers:
            return
        self._delivers = self._expectsInput = False
        self._reading.discard()
        if self.reason is not None:
            self._finish()
            return
        if self.stage is not LINGERING or not self._reading.isRead:
            # Read even if the transport was paused: we must notice the peer's end, and
            # a peer that waits for us to read does not read either.
            self._reading.read(True)
        if self.stage in (OPEN, HEARING):
            self._begin(drainTimeout, lingerTimeout)
        elif self.stage is LINGERING and isHalfCloseable(self.transport):
            self._awaitPeer()

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
        if self.stage is not OPEN or self.reason is not None:
            return
        self._delivers = True
        self._expectsInput = not self._reading.hasEnded
        canHalfClose = isHalfCloseable(self.transport) and not self._isProxied
        self._hearsFirst = not (halfCloses and canHalfClose)
        # From now on, these limits replace the others.
        self._reading.stopWatching()
        self._begin(drainTimeout, lingerTimeout)

    def _begin(self, drainTimeout: float, lingerTimeout: float) -> None:
        self._stopTimer()
        self.stage = FLUSHING
        self._drainTimeout = drainTimeout
        self._lingerTimeout = lingerTimeout
        self._endWhenFlushed = True
        self._outbound.whenFlushed = self.flushed
        self.flushed()
        if self.stage is FLUSHING and self.reason is None:
            self._startTimer(drainTimeout, self._drainExpired, drainTimeout)

    def endSending(self) -> None:
        """
        End our side when the output is flushed.

        @raise RuntimeError: if the transport cannot end only our side.
        """
        if not isHalfCloseable(self.transport):
            raise RuntimeError(
                "this transport cannot close only its sending side (TLS cannot): use "
                "shutdown()"
            )
        self._hearsFirst = False
        self._endWhenFlushed = True
        self._outbound.whenFlushed = self.flushed
        self.flushed()

    def flushed(self) -> None:
        """
        End our side if that waits for the flush, and the output is flushed.
        """
        # A producer may unregister when it is stopped, after the loss.
        if not self._endWhenFlushed or self.reason is not None:
            return
        if self.isDiverted:
            self._owner.outputDiverted(self._connection)
        if not self._isFlushed:
            return
        if not (self._hearsFirst and self._expectsInput):
            self._endSending()
        elif self.stage is FLUSHING:
            self._stopTimer()
            self.stage = HEARING
            self._hear(self._silent, self._lingerExpired)

    @property
    def isDiverted(self) -> bool:
        """
        True if the connection drains, so that records that are put now are for the next
        one. What a registered producer writes is all for this one.
        """
        return self._delivers and not self._outbound.hasProducer

    @property
    def _isFlushed(self) -> bool:
        return not (self._outbound.pending or self._outbound.hasProducer)

    def _endSending(self) -> None:
        if not self.sendingEnded:
            self.sendingEnded = True
            self._outbound.close(CLOSED)
            if isHalfCloseable(self.transport) and not (
                self._reading.hasEnded and self.stage is not OPEN
            ):
                _endOurSide(self.transport)
        if self.stage is FLUSHING:
            if self._outbound.keepsRecords:
                self._owner.outputClosed(self._connection)
            self._awaitPeer()

    def _drainExpired(self, seconds: float) -> None:
        pending = self._outbound.pending
        if pending:
            why = f"{pending} bytes could not be sent"
        else:
            why = "the producer has not unregistered"
        undrained = DrainTimeout(f"{why} within drainTimeout={seconds} seconds")
        self.blame(Failure(undrained), "local", isKnown=False)
        self._cutOff()

    def _hear(self, silent: Callable[[], None], expired: Callable[[], None]) -> None:
        """
        Deliver what arrives.

        @param silent: called when nothing has arrived for L{LINGER_SILENCE}.
        @param expired: called when C{lingerTimeout} has passed before that.
        """
        reading = self._reading
        self._startTimer(self._lingerTimeout, expired)
        reading.watch = watchForSilence(
            self._clock,
            LINGER_SILENCE,
            isReading=reading.isRead,
            isAnswering=lambda: bool(reading.inbound.held & Hold.RESULT),
            silent=silent,
        )

    def _silent(self) -> None:
        """
        Nothing more arrives, although the peer has not ended its side.
        """
        self._expectsInput = False
        self._begin(self._drainTimeout, self._lingerTimeout)

    def _lingerExpired(self) -> None:
        if self.stage is HEARING:
            why = f"the peer has not been silent for {LINGER_SILENCE:g} seconds"
        else:
            why = "the peer has not ended its side"
        limit = f"within lingerTimeout={self._lingerTimeout} seconds"
        if not self._reading.isRead:
            limit += ", while input was paused"
        late = LingerTimeout(f"{why} {limit}")
        self.blame(Failure(late), "local", isKnown=False)
        self._cutOff()

    def _cutOff(self) -> None:
        """
        Close immediately, because a limit has passed. A drain delivers what has been
        read.
        """
        if not self._delivers:
            self.abort()
            return
        self._reading.stopWatching()
        # A producer may unregister when it is stopped.
        self._endWhenFlushed = False
        try:
            if not self._outbound.isStopped:
                self._stopOutput()
        finally:
            self._abortTransport()

    def limitFlush(self, seconds: float) -> None:
        """
        The peer has ended its side of TLS, and the transport waits until it has sent
        the encrypted output. Limit this wait.
        """
        if self.stage is OPEN:
            self._startTimer(seconds, self._flushExpired)

    def _flushExpired(self) -> None:
        self.blame(Failure(ConnectionDone()), "peer", isKnown=False)
        self.abort()

    def _awaitPeer(self) -> None:
        self._stopTimer()
        self.stage = LINGERING
        if self._reading.hasEnded:
            self._loseAcknowledged()
        elif not isHalfCloseable(self.transport):
            # TLS has no half-close (though its transport claims one). It waits for the
            # peer's close_notify, without a time limit of its own.
            self._startTimer(self._lingerTimeout, self._cutOff)
            self._answered = not _tls.peerHasEnded(self.transport)
            self.transport.loseConnection()
        elif not self._delivers:
            self._lastHeard = self._clock.seconds()
            self._linger(self._lastHeard + self._lingerTimeout)
        elif self._expectsInput:
            self._startTimer(self._lingerTimeout, self._lingerExpired)
        else:
            self._hear(self._lose, self._lose)

    def _linger(self, until: float) -> None:
        """
        Wait as long as the peer keeps sending, but not beyond the time C{until}.
        """
        now = self._clock.seconds()
        wake = min(self._lastHeard + LINGER_SILENCE, until)
        if wake > now:
            self._startTimer(wake - now, self._linger, until)
        else:
            self._lose()

    def _loseAcknowledged(self, until: float | None = None) -> None:
        """
        Close, because both sides have ended. If only acknowledgements are missing that
        must be on their way, wait briefly for them.
        """
        now = self._clock.seconds()
        until = now + ACKNOWLEDGE_TIME if until is None else until
        missing = self._descriptor.countUnacknowledged()
        # If the peer has answered our end of stream and does not acknowledge the bytes
        # before it, it has not read them.
        isComing = missing == 1 or not self._answered
        if missing and isComing and now < until:
            self._startTimer(ACKNOWLEDGE_STEP, self._loseAcknowledged, until)
        else:
            self._lose()

    def _lose(self) -> None:
        self._stopTimer()
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

    def heard(self) -> None:
        """
        The peer has sent something, which is discarded.
        """
        self._lastHeard = self._clock.seconds()

    def peerEnded(self) -> None:
        """
        The peer has ended its side.
        """
        self._answered = self.hasEnded
        self._expectsInput = False
        if self.stage is LINGERING:
            self._stopTimer()
            self._loseAcknowledged()
        elif self.stage is HEARING:
            self._begin(self._drainTimeout, self._lingerTimeout)

    # -- the other ways to the end

    def abort(self) -> None:
        """
        Close immediately. Pending output is lost, and reported as C{unsent}.
        """
        if self.stage is ENDED:
            return
        try:
            self._end()
        finally:
            # A producer may have raised.
            self.blame(None, "local")
            if self.negotiation is not None:
                aborted = Failure(ConnectionAborted())
                self._endNegotiation(self.negotiation, aborted)
            if self.reason is not None:
                self._finish()
            else:
                self._abortTransport()

    def _abortTransport(self) -> None:
        # Not every transport (in memory, or wrapped) can abort.
        transport = self.transport
        getattr(transport, "abortConnection", transport.loseConnection)()

    def lost(self, reason: Failure) -> None:
        """
        The transport is lost: report the end as soon as the records that were received
        before have been delivered.
        """
        reading, outbound = self._reading, self._outbound
        self.reason = reason
        if self._delivers and self.cause is None:
            isUnfinished = self._expectsInput or self.stage is not LINGERING
            self.isCutShort = isUnfinished and self._isClosedByOthers()
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
            if reading.mode is not DELIVERING:
                self._finish()
            else:
                (reading.input or reading.inbound).end(self._finish)

    def _isClosedByOthers(self) -> bool:
        """
        Return True if other code has closed the transport, or the one below TLS.
        """
        layer = _tls.layerOf(self.transport) or self.transport
        if getattr(layer, "disconnecting", False):
            return True
        # After the peer's close_notify, TLS itself closes the transport below.
        return self._outbound.isEnding and not _tls.peerHasEnded(self.transport)

    def limitDelivery(self, seconds: float) -> None:
        """
        Report a loss after at most this many seconds.
        """
        self._startTimer(seconds, self._deliveryExpired)

    def _deliveryExpired(self) -> None:
        inbound = self._reading.inbound
        self._undelivered = inbound.abandon()
        try:
            # This calls the user's code.
            inbound.cancel()
        finally:
            self._finish()

    # -- the end

    def _finish(self) -> None:
        """
        The transport is lost, and all records received before are delivered or
        discarded: report the end.
        """
        reason = self.reason
        assert reason is not None
        if self.isReported:
            return
        self.isReported = True
        unsent = self._outbound.pending
        isTLS = ISSLTransport.providedBy(self.transport)
        isClean = bool(reason.check(ConnectionDone))
        isOrderly = (
            self.stage in (HEARING, LINGERING)
            and not unsent
            and (isClean or not self._expectsInput)
        )
        answersPeer = isTLS and isClean and not (isOrderly and self.stage is LINGERING)
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
        self._end()
        if self.negotiation is not None:
            self._endNegotiation(self.negotiation, reason)
        failure, initiator, isKnown = cause
        received, descriptor = self._reading.input, self._descriptor
        unacknowledged = descriptor.unacknowledged
        if answersPeer and 0 < (unacknowledged or 0) <= CLOSE_NOTIFY:
            # Perhaps only the answer to the peer's close_notify is missing: the peer
            # may have closed the connection before it arrived.
            unacknowledged = None
        isAnswered = self._answered and (isClean or not isTLS)
        if self._isProxied:
            # A proxy can forge everything except the server's close_notify.
            isAnswered &= isTLS and not _tls.endsAtProxy(self.transport)
            unacknowledged = unacknowledged or None
        disconnection = Disconnection(
            failure=failure or reason,
            initiator=initiator,
            unsent=unsent,
            # An end of TLS without the peer's close_notify is a ConnectionLost.
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

    def _end(self) -> None:
        """
        Stop the input and the output.
        """
        self.stage = ENDED
        self._delivers = False
        self._reading.discard()
        if self._timer is not None:
            self._stopTimer()
        if not self._outbound.isStopped:
            self._stopOutput()

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
        self.sendingEnded = True
        if self._outbound.keepsRecords:
            self._owner.outputClosed(self._connection)
        self._outbound.stop(CLOSED)

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
