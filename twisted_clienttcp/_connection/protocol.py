"""
One connection: the protocol for Twisted, which connects the parts of a connection with
the transport and with the client.

Theory of operation:

 1. Received bytes go to the L{ConnectionNegotiation} until C{connected} has returned,
    then to the L{Inbound<twisted_clienttcp._connection.inbound.Inbound>} side. When the
    client has begun to close, they are discarded.
    L{Reading<twisted_clienttcp._connection.reading.Reading>} decides this, and whether
    the transport is read.
 2. Output goes to the L{Outbound<twisted_clienttcp._connection.outbound.Outbound>}
    side. All records that callbacks put during one read are sent together at its end.
 3. L{Closing<twisted_clienttcp._connection.closing.Closing>} ends the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec
from typing import Protocol as TypingProtocol

from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IReactorTime,
    ISSLTransport,
    ITLSTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from .. import _tls
from .._details import LostWhileWriting
from .._raising import caught
from .._stats import Stats
from ..errors import FramingError, NotConnectedError, RecordTooLong
from ..framing._base import AnyFraming
from ..framing._buffer import InputBuffer
from .closing import OPEN, Closing
from .descriptor import Descriptor
from .inbound import Hold, Inbound
from .liveness import OutputProgress, TimedRecord, Watch
from .negotiation import ConnectionNegotiation
from .outbound import Outbound
from .owner import ConnectionOwner
from .peer import ProxiedAddress
from .queue import Marks
from .reading import DELIVERING, EARLY, Reading
from .server import ClientTCPProtocol
from .tcp import (
    KeepAlive,
    keepAlive,
    noDelay,
    refuseOwnEnd,
    unacknowledgedTimeout,
)


class Client(TypingProtocol):
    """
    The attributes of a client that its connection uses. Settings are read when they are
    needed, and documented where they are defined.
    """

    @property
    def serverInput(self) -> Callable[[Any, Any], object]:
        """
        The user's callback for input, called as C{serverInput(client, record)}.
        """

    @property
    def batched(self) -> bool:
        """
        True if the callback is C{serverInputBatch}, called as
        C{serverInputBatch(client, records)}.
        """

    @property
    def keepAlive(self) -> KeepAlive: ...
    @property
    def unacknowledgedTimeout(self) -> float | None: ...

    @property
    def idleTimeout(self) -> float | None: ...

    @property
    def heartbeat(self) -> TimedRecord | None: ...

    @property
    def keepTalking(self) -> TimedRecord | None: ...

    @property
    def marks(self) -> Marks: ...

    @property
    def outputLimit(self) -> int | None: ...

    @property
    def offlineLimit(self) -> int: ...

    @property
    def noDelay(self) -> bool: ...

    @property
    def drainTimeout(self) -> float: ...

    @property
    def lingerTimeout(self) -> float: ...

    @property
    def halfClose(self) -> bool: ...

    @property
    def shutdownOnError(self) -> bool: ...

    def shutdown(self) -> object:
        """
        Stop the client.
        """


_P = ParamSpec("_P")


def finishing(
    notify: Callable[Concatenate[Any, _P], None],
) -> Callable[Concatenate[Any, _P], None]:
    """
    Decorate a method that Twisted calls before it has finished its own work. For
    example, Twisted notifies the connector of a loss after the protocol, and it cannot
    connect again before that. So if the method raises an error that is not an
    C{Exception}, the error is raised again in a later turn of the reactor.

    @param notify: a method of an object with a C{timeSource} method, which returns the
        clock.
    """

    def notified(self: Any, /, *args: _P.args, **named: _P.kwargs) -> None:
        try:
            notify(self, *args, **named)
        except Exception:
            raise
        except BaseException:
            caught(self.timeSource())

    update_wrapper(notified, notify)
    return notified


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class Connection(ClientTCPProtocol):
    """
    One connection of a client, which L{ClientTCPFactory
    <twisted_clienttcp.ClientTCPFactory>} builds. Users see only its base class.

    @ivar outbound: the queue of the output, once there is a transport.
    @ivar reading: the input, once there is a transport.
    @ivar peer: the address of the peer, until C{connected} is called with it.
    @ivar isHandshaking: True while a TLS handshake is in progress.
    @ivar factory: the client.
    @ivar transport: Twisted's transport.
    """

    __slots__ = (
        "_bytesIn",
        "_client",
        "_closing",
        "_descriptor",
        "_framing",
        "_framingErrors",
        "_isProxied",
        "_owner",
        "factory",
        "isHandshaking",
        "outbound",
        "peer",
        "reading",
        "transport",
    )

    #: The classes of the parts, which a subclass may replace.
    outboundType = Outbound
    closingType = Closing

    outbound: Outbound
    reading: Reading

    def __init__(
        self,
        owner: ConnectionOwner[Connection],
        client: Client,
        framing: AnyFraming,
        peer: IAddress | None = None,
    ) -> None:
        """
        @param owner: notified of every event of the connection.
        @param client: the first argument of callbacks, and the source of settings.
        @param framing: the framing of the client. The connection uses a fresh copy.
        @param peer: the address of the peer, if it is known.
        """
        self._owner = owner
        self._client = client
        self._framing = framing
        self._bytesIn = 0
        self._framingErrors = 0
        self.peer = peer
        self._closing: Closing | None = None
        self.isHandshaking = False
        self.transport = None

    def __dir__(self) -> list[str]:
        """
        @return: the names that users may use, for completion in a shell.
        """
        return dir(ClientTCPProtocol)

    def logPrefix(self) -> str:
        """
        @return: the name under which Twisted logs for this connection.
        """
        return type(self._client).__name__

    def timeSource(self) -> IReactorTime:
        """
        @return: the clock of the client.
        """
        return self._owner.timeSource()

    # -- the beginning

    @finishing
    def connectionMade(self) -> None:
        """
        The transport is connected. A TLS transport calls this before its handshake, and
        can be used only after that.
        """
        transport, clock = self.transport, self._owner.timeSource()
        self.isHandshaking = _tls.usesTLS(transport)
        self.reading = Reading(transport, clock, self._newInbound)
        error: BaseException | None = None
        origin, client = self._framing, self._client
        try:
            self._setUp(transport)
        except BaseException as raised:
            error = raised
        # Continue even after an error: the client can refuse only a connection that is
        # able to close.
        self.outbound = self.outboundType(
            transport,
            clock,
            self._owner,
            self,
            self._framing,
            client.marks,
            origin=origin,
            limit=client.outputLimit,
            keepsRecords=client.offlineLimit > 0,
        )
        self._descriptor = Descriptor(transport, self.reading)
        self._isProxied = isinstance(self.peer, ProxiedAddress)
        self._owner.transportMade(self)
        if error is not None:
            self._refuse(Failure(error))
            self._owner.raiseLater(error)
        elif not self.isHandshaking:
            self._owner.transportReady(self)
        elif _tls.endsAtProxy(transport):
            # The handshake with the proxy was completed before its dialogue.
            self.handshakeCompleted()
        elif (broken := _tls.setupFailure(transport)) is not None:
            self._refuse(broken)

    def _setUp(self, transport: Any) -> None:
        """
        Do the part of L{connectionMade} that may raise an exception, because it calls
        the user's framing and the transport.
        """
        self._framing = self._framing.fresh()
        if self.peer is None:
            self.peer = transport.getPeer()
        refuseOwnEnd(transport, self.peer)
        keepAlive(transport, self._client.keepAlive)
        if self._client.unacknowledgedTimeout is not None:
            unacknowledgedTimeout(transport, self._client.unacknowledgedTimeout)
        if self._client.noDelay:
            noDelay(transport)
        # The wrapper that an endpoint puts around a protocol forwards half-closing and
        # handshakes, but declares only one of these two interfaces. Unless it declares
        # half-closing, the transport closes at the peer's end of stream. (A TLS
        # transport must close then: it has no half-close.)
        wrapper = getattr(transport, "protocol", None)
        if (
            wrapper is not self
            and not self.isHandshaking
            and not IHalfCloseableProtocol.providedBy(wrapper)
            and hasattr(wrapper, "readConnectionLost")
        ):
            alsoProvides(wrapper, IHalfCloseableProtocol)

    def _newInbound(self) -> Inbound:
        client = self._client
        return Inbound(
            self._framing,
            client.serverInput,
            client,
            self._inputFailed,
            self._inputRaised,
            self.reading.resultArrived,
            client.batched,
        )

    @property
    def closing(self) -> Closing:
        """
        The part that closes the connection, which requires a transport. It is created
        on demand, to save the memory of idle connections.
        """
        if self._closing is None:
            self._closing = self.closingType(
                self,
                self._owner,
                self.transport,
                self.outbound.clock,
                self.outbound,
                self.reading,
                self._descriptor,
                self._isProxied,
            )
        return self._closing

    @property
    def negotiation(self) -> ConnectionNegotiation:
        """
        The exchange of records before C{connected}.
        """
        if self.closing.negotiation is None:
            self.closing.negotiation = ConnectionNegotiation(
                self.transport,
                self.reading,
                self.outbound,
                self._startTLS,
                self._refuse,
            )
        return self.closing.negotiation

    @property
    def _startedNegotiation(self) -> ConnectionNegotiation | None:
        return None if self._closing is None else self._closing.negotiation

    def _startTLS(self, options: object, swallow: bytes) -> None:
        """
        Send the queue in clear text, and use TLS from then on, with one fresh copy of
        the framing for both directions.

        @param options: see L{ConnectionNegotiation.startTLS}.
        @param swallow: a byte that may still arrive in clear text.

        @raise TypeError: if the options have the wrong type.
        @raise RuntimeError: if the transport cannot start TLS.
        @raise ImportError: if the extra C{tls} is not installed.
        """
        options = _tls.checkOptions("options of startTLS()", options)
        transport = self.transport
        if not ITLSTransport.providedBy(transport):
            raise RuntimeError(f"this transport cannot start TLS: {transport!r}")
        creator = self._owner.tlsOptions(options)
        inbound = self.reading.inbound
        framing = inbound.buffer.framing.fresh()
        self.isHandshaking = True
        # This is a new transport if the connection uses TLS with a proxy already.
        self.transport = self.outbound.startTLS(
            lambda: _tls.start(transport, creator, swallow, self)
        )
        for part in (self.reading, self.closing, self.negotiation):
            part.transport = self.transport
        self.outbound.use(framing)
        inbound.buffer = InputBuffer(framing)
        if (broken := _tls.setupFailure(self.transport)) is not None:
            self._refuse(broken)

    def _refuse(self, failure: Failure) -> None:
        """
        End the attempt: the connection must not be used.
        """
        self._owner.refuse(self, failure)

    @finishing
    def handshakeCompleted(self) -> None:
        """
        The TLS handshake is complete and, unless the transport is closing, the
        certificate is verified.
        """
        if not _tls.verified(self.transport):
            return
        self.isHandshaking = False
        _tls.whenClosing(self.transport, self._transportClosed)
        self.outbound.handshakeCompleted()
        negotiation = self._startedNegotiation
        if negotiation is None or not negotiation.secured():
            self._owner.transportReady(self)

    def negotiated(self) -> None:
        """
        End the negotiation, because the client is about to call C{connected}.
        """
        if (negotiation := self._startedNegotiation) is not None:
            over = NotConnectedError("the negotiation is over: use the client")
            negotiation.end(Failure(over))

    def returned(self) -> None:
        """
        C{connected} has returned. The client next sends the offline queue, and then
        calls L{open}. A connection with a wire log overrides this method.
        """

    def open(self) -> None:
        """
        Begin to deliver records, including those that have already been received.
        """
        reading = self.reading
        if reading.mode is not EARLY:
            return
        if not (reading.hasEnded or self.ending):
            self._watchOver()
        if self._closing is not None:
            self._closing.negotiation = None
        self.outbound.opened()
        reading.open()
        if reading.hasEnded and reading.mode is DELIVERING:
            reading.inbound.end(self._streamEnded)

    def _transportClosed(self) -> None:
        """
        The TLS transport is closing, perhaps because the user has closed it.
        """
        self.closing.limitTLS(self._client.drainTimeout, "local")

    @property
    def opened(self) -> bool:
        """
        True if C{connected} has returned and nothing has ended the connection since.
        """
        return self.reading.mode is DELIVERING and not self.ending

    # -- input

    def dataReceived(self, data: bytes) -> None:
        """
        Process received bytes, and send the records that callbacks have put meanwhile.
        """
        self._bytesIn += len(data)
        reading, outbound = self.reading, self.outbound
        if reading.watch is not None:
            reading.watch.heard()
        outbound.isHeld = True
        try:
            if reading.mode is DELIVERING:
                (reading.input or reading.inbound).feed(data)
            elif reading.mode is EARLY:
                reading.inbound.buffer.append(data)
                if (negotiation := self._startedNegotiation) is not None:
                    negotiation.received()
        finally:
            outbound.isHeld = False
            if outbound.isDue:
                outbound.pump()
        inbound = reading.input
        if inbound is not None and (
            inbound.held or not reading.few <= len(data) < reading.full
        ):
            reading.adjust(len(data))

    def readConnectionLost(self) -> None:
        """
        The peer has ended its side.
        """
        reading = self.reading
        # A transport reports this again when reading is resumed. After a write that
        # failed because of a reset, a read finds only the end of the stream, but it is
        # the loss that must be reported, and it follows.
        if reading.hasEnded or self.outbound.hasFailed:
            return
        reading.hasEnded = True
        reading.stopWatching()
        self.closing.peerEnded()
        if reading.mode is DELIVERING:
            reading.inbound.end(self._streamEnded)
        elif reading.mode is EARLY:
            self._owner.endedEarly(self)

    def _streamEnded(self) -> None:
        """
        Every record before the end of the stream has been delivered.
        """
        if self.closing.isEnding:
            # A drain has delivered its last record. The user knows that it ends.
            return
        if self._client.shutdownOnError:
            self._inputEnded(Failure(ConnectionDone()), "peer")
        else:
            self._owner.errorOccurred(self, Failure(ConnectionDone()))

    def writeConnectionLost(self) -> None:
        """
        Our side has ended.
        """
        self.closing.ourSideEnded()

    def _inputEnded(self, failure: Failure, initiator: str) -> None:
        """
        Report that nothing more can be delivered, unless there is an earlier cause of
        the end.
        """
        if self.closing.blame(failure, initiator):
            self._owner.inputEnded(self, failure)

    def _inputFailed(self, error: FramingError) -> None:
        """
        Report that the bytes after the delivered records cannot be decoded.
        """
        self._framingErrors += 1
        if isinstance(error, RecordTooLong) and error.skipped:
            self._owner.errorOccurred(self, Failure(error))
        else:
            self.reading.inbound.stop()
            self._inputEnded(Failure(error), "local")

    def _inputRaised(self, error: BaseException) -> None:
        callback = "serverInputBatch" if self._client.batched else "serverInput"
        self._owner.callbackRaised(callback, error, self)

    def pauseProducing(self) -> None:
        self.reading.hold(Hold.CONSUMER)

    def resumeProducing(self) -> None:
        self.reading.release(Hold.CONSUMER)

    def stopProducing(self) -> None:
        self._client.shutdown()

    @property
    def inputFraming(self) -> AnyFraming:
        return (self.reading.input or self.reading.inbound).buffer.framing

    @property
    def outputFraming(self) -> AnyFraming:
        return self.outbound.framing

    def setInputFraming(self, framing: AnyFraming) -> None:
        """
        Decode all bytes after the delivered records with another framing.
        """
        self.reading.use(framing)

    def setOutputFraming(self, framing: AnyFraming) -> None:
        """
        Encode all records that are put from now on with another framing.
        """
        self.outbound.use(framing)

    # -- liveness

    def _watchOver(self) -> None:
        """
        Start to check the liveness of the connection, if the settings request this.
        """
        client, reading = self._client, self.reading
        given = (client.idleTimeout, client.heartbeat, client.keepTalking)
        if given == (None, None, None):
            return
        outbound, descriptor = self.outbound, self._descriptor
        accepted = descriptor.acceptance(
            lambda: outbound.accepted[0] - outbound.pending
        )
        reading.watch = watch = Watch(
            self._owner.timeSource(),
            idleTimeout=client.idleTimeout,
            heartbeat=client.heartbeat,
            keepTalking=client.keepTalking,
            isReading=not reading.inbound.held,
            isProxied=self._isProxied,
            isAnswering=lambda: bool(reading.inbound.held & Hold.RESULT),
            progress=lambda: OutputProgress(
                put=outbound.accepted[0],
                blocked=outbound.passedOn,
                accepted=accepted(),
                isWaiting=bool(outbound.pending or descriptor.countUnacknowledged()),
            ),
            send=self._sendTimed,
            silent=lambda error: self._owner.broken(self, Failure(error)),
        )
        _tls.whenReceived(self.transport, watch.heard)
        if client.keepTalking is not None:
            outbound.onWrite = watch.wrote

    def _sendTimed(self, name: str, timed: TimedRecord) -> bool:
        """
        Put the record of C{heartbeat} or C{keepTalking}.

        @param name: the name of the setting.
        @param timed: its value.

        @return: False if our side has ended.
        """
        if self._closing is not None and self._closing.state is not OPEN:
            return False
        try:
            record = timed.recordFor(self._client)
            if record is not None and not self.ending:
                self.outbound.adopt([self.outbound.encodeAnyway(record)])
        except BaseException as error:
            self._owner.callbackRaised(name, error)
            self._owner.raiseLater(error)
        return True

    # -- output

    def unregisterProducer(self) -> None:
        """
        See C{client.unregisterProducer}.
        """
        self.outbound.unregisterProducer()
        if self._closing is not None:
            self._closing.flushed()

    # -- the end

    @property
    def ending(self) -> bool:
        """
        True if the connection is about to end. (The user may have closed the transport
        itself.)
        """
        closing = self._closing
        return (closing is not None and closing.isEnding) or self.outbound.isEnding

    @property
    def sendsNoMore(self) -> bool:
        """
        True if pending output will never be sent, because the connection is lost or
        aborted.
        """
        return self.transport is not None and self.outbound.isStopped

    @property
    def lost(self) -> bool:
        """
        True if the transport is lost.
        """
        return self._closing is not None and self._closing.reason is not None

    def blame(self, failure: Failure | None, initiator: str) -> bool:
        """
        Record a cause of the end; the first recorded cause wins.

        @return: True if this was the first.
        """
        return self.closing.blame(failure, initiator)

    def close(self) -> None:
        """
        Stop the input, flush the output, end our side, and wait until the peer ends its
        side.
        """
        self.closing.close(self._client.drainTimeout, self._client.lingerTimeout)

    def drain(self) -> None:
        """
        Flush the output, end our side, and deliver what arrives until the peer ends its
        side.
        """
        client = self._client
        self.closing.drain(client.drainTimeout, client.lingerTimeout, client.halfClose)

    def loseWriteConnection(self) -> None:
        """
        End our side when the output is flushed, and continue to receive.

        @raise RuntimeError: if the transport cannot end only our side (TLS cannot).
        """
        self.closing.endSending()

    def abort(self) -> None:
        self.closing.abort()

    @finishing
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Report that the transport is lost, with the most specific reason.
        """
        closing = self.closing
        reactor = getattr(self.transport, "reactor", None)
        if getattr(reactor, "running", None) is False:
            # When the reactor stops, it drops all connections with the error of a
            # network failure.
            reason = Failure(ConnectionAborted("the reactor was stopped"))
            closing.blame(reason, "local")
        # Only behind a proxy, TLS may be that with a proxy.
        isTLS = ISSLTransport.providedBy(self.transport) or (
            self._isProxied and _tls.endsAtProxy(self.transport)
        )
        if isTLS:
            reason = _tls.explained(reason, self.transport, self.isHandshaking)
        reading, isAborted = self.reading, reason.check(ConnectionAborted)
        isRead = not (reading.isPaused or reading.hasEnded)
        if reason.check(ConnectionLost) and not (isAborted or isRead):
            reason = Failure(LostWhileWriting())
        closing.lost(reason, self._client.drainTimeout, isTLS)

    def count(self, stats: Stats) -> None:
        """
        Add the counts of this connection to the statistics.
        """
        data, records = self.outbound.accepted
        stats.bytesIn += self._bytesIn
        if self.reading.input is not None:
            stats.recordsIn += self.reading.input.delivered
        stats.bytesOut += data
        stats.recordsOut += records
        stats.framingErrors += self._framingErrors
