"""
One connection: bytes become records become callbacks, and records become bytes
become writes.

Theory of operation:

 1. Input goes to the L{Negotiation} until C{connected} has returned, then to the
    inbound side (L{Inbound<twisted_clienttcp._connection.inbound.Inbound>}), and after
    the client has begun to close it is discarded.
 2. Output goes to the L{Outbound<twisted_clienttcp._connection.outbound.Outbound>}.
    Records that are put while bytes are received leave when all records of these bytes
    have been delivered.
 3. The transport is read while nothing holds the delivery, and never after the end of
    the stream. A loss waits until every record received before it is delivered.
 4. A close is: flush, half-close, read on (and discard) until the peer ends its side
    too. Closing a socket with unread input would send a reset, at which the peer's
    kernel throws away what the peer has not read yet (RFC 1122, 4.2.2.13; RFC 2525,
    2.17). The bounds are those of nginx's C{lingering_close}.
 5. The first cause of the end is the one reported. What Twisted says later, when the
    transport is gone, is mostly only a consequence.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import update_wrapper
from sys import maxsize
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar
from typing import Protocol as TypingProtocol

import attrs
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITLSTransport,
    IUNIXTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from .. import _tls
from .._details import LostWhileWriting
from .._stats import Stats
from ..errors import (
    ClientTCPError,
    DrainTimeout,
    FramingError,
    NotConnectedError,
    RecordTooLong,
    TruncatedRecord,
)
from ..framing import Framing
from ..framing._buffer import InputBuffer
from .inbound import Hold, Inbound
from .liveness import Heartbeat, Watch
from .negotiation import Negotiation
from .outbound import Outbound
from .queue import Marks
from .tcp import KeepAlive, keepAlive, noDelay, readBeforeLoss

#: How many seconds of silence end the wait for the peer's end of stream, as nginx's
#: C{lingering_timeout}.
LINGER_SILENCE = 5.0

#: The size in bytes up to which reads grow while the peer fills each of them (benchmark
#: rows: lines and blocks of 1 KiB, one line of 64 MiB).
LARGE_READ = 1024 * 1024

#: How many records a read may give that takes more than usual: more of them cost more
#: memory than the reads saved are worth.
MANY_RECORDS = 8192

#: How many bytes may wait behind the record whose Deferred is waited for before the
#: transport is read no more: one read.
BACKLOG = 64 * 1024


@attrs.frozen(kw_only=True)
class Disconnection:
    """
    How a connection ended (the second argument of C{disconnected}, and what the
    Deferred of C{shutdown()} fires with).

    @ivar failure: what Twisted, or this package, gave as the reason;
        L{ConnectionDone<twisted.internet.error.ConnectionDone>} for a clean end.
    @ivar initiator: who ended it: C{"local"} (an order, a fault in what was
        received, a callback that raised), C{"peer"} (it ended its side) or
        C{"network"} (a reset, a route that is gone).
    @ivar unsent: the bytes that were accepted and never given to the kernel. An
        upper bound: the last chunk (64 KiB) counts whole even if a part of it was.
    @ivar confirmed: the peer ended its side after we had ended ours, so it has read
        all there was. (With TLS, it has answered our close_notify with its own.)
    @ivar truncated: the bytes received behind the last complete record, as a
        L{TruncatedRecord<twisted_clienttcp.errors.TruncatedRecord>}; None if there
        were none.
    """

    failure: Failure
    initiator: str
    unsent: int
    confirmed: bool
    truncated: TruncatedRecord | None = None


class Client(TypingProtocol):
    """
    The client that a connection belongs to: its settings, read when they are needed.
    The settings are documented where they are defined.
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
    def idleTimeout(self) -> float | None: ...

    @property
    def heartbeat(self) -> Heartbeat | None: ...

    @property
    def marks(self) -> Marks: ...

    @property
    def noDelay(self) -> bool: ...

    @property
    def drainTimeout(self) -> float: ...

    @property
    def lingerTimeout(self) -> float: ...

    @property
    def shutdownOnError(self) -> bool: ...

    def shutdown(self) -> object:
        """
        Stop the client.
        """


class ConnectionOwner(TypingProtocol):
    """
    The owner of a connection, called for each event of it.

    Methods may be called for a connection that is not the present one any more; then
    they do nothing.
    """

    @property
    def eventful(self) -> bool:
        """
        True if named events are posted that must be handled before a flush is reported.
        """

    def timeSource(self) -> IReactorTime:
        """
        @return: the clock that runs the timers of the connection.
        """

    def transportMade(self, connection: ClientTCPProtocol) -> None:
        """
        There is a transport.
        """

    def transportReady(self, connection: ClientTCPProtocol) -> None:
        """
        The transport can be used: the TLS handshake, if there is one, is complete and
        the certificate is verified.
        """

    def tlsOptions(self, given: Any) -> Any:
        """
        @param given: a value as C{tls} accepts it.

        @return: the options for TLS; those of the platform for True.
        """

    def refuse(self, connection: ClientTCPProtocol, failure: Failure) -> None:
        """
        The connection must not be used.

        @param failure: the reason.
        """

    def endedEarly(self, connection: ClientTCPProtocol) -> None:
        """
        The peer has ended its side before C{connected} was called.
        """

    def outputChanged(self, connection: ClientTCPProtocol, callback: str) -> bool:
        """
        Call a callback about the output.

        @param callback: C{"serverHigh"}, C{"serverLow"} or C{"serverFlushed"}.

        @return: False if the connection is not the present one.
        """

    def outputClosed(self, connection: ClientTCPProtocol) -> None:
        """
        The connection accepts and sends no more output: the offline queue takes over.
        """

    def inputEnded(
        self, connection: ClientTCPProtocol, failure: Failure, closing: bool
    ) -> None:
        """
        The input ends, though the client has not asked for that; or a record was
        skipped.

        @param failure: the reason, for C{serverError}.
        @param closing: True if the connection must be closed.
        """

    def broken(self, connection: ClientTCPProtocol, failure: Failure) -> None:
        """
        The connection cannot be used any longer: drop it.

        @param failure: the reason, for C{serverError}.
        """

    def callbackRaised(
        self,
        callback: str,
        error: BaseException,
        connection: ClientTCPProtocol | None = None,
    ) -> None:
        """
        A callback has raised: log the error, and drop the connection.

        @param callback: the name of the callback.
        @param connection: the connection that it was called for; None for the present
            one.
        """

    def raiseLater(self, error: BaseException) -> None:
        """
        Raise an error again that is not an C{Exception}, after everything that follows
        from it is done. Do nothing for an C{Exception}.
        """

    def transportLost(self, connection: ClientTCPProtocol) -> None:
        """
        The transport is gone. This is called at once, and may be called again.
        """

    def connectionEnded(
        self, connection: ClientTCPProtocol, disconnection: Disconnection, told: bool
    ) -> None:
        """
        The connection has ended: every record received before the loss has been
        delivered, or C{drainTimeout} has passed since the loss.

        @param told: True if the user knows the reason, because the user's own call or
            C{serverError} has named it.
        """


_C = TypeVar("_C", bound="Notified")
_P = ParamSpec("_P")


class Notified(TypingProtocol):
    """
    An object that Twisted notifies.
    """

    def timeSource(self) -> IReactorTime:
        """
        @return: the clock.
        """


def finishing(
    notify: Callable[Concatenate[_C, _P], None],
) -> Callable[Concatenate[_C, _P], None]:
    """
    Decorate a method that Twisted calls in the middle of something that it must finish:
    a connector whose connection is lost cannot connect again before it has been
    notified too. An error that is not an C{Exception} is raised in a turn of its own.
    """

    def notified(self: _C, /, *args: _P.args, **named: _P.kwargs) -> None:
        try:
            notify(self, *args, **named)
        except Exception:
            raise
        except BaseException as error:
            self.timeSource().callLater(0, raiseAgain, error)

    update_wrapper(notified, notify)
    return notified


def raiseAgain(error: BaseException) -> None:
    """
    Raise an error.
    """
    raise error


class Stage(IntEnum):
    """
    How far a connection has come.
    """

    #: C{connected} has not returned
    EARLY = 0
    #: records flow
    OPEN = 1
    #: no input any more, and the output is on its way to the kernel
    FLUSHING = 2
    #: our side is ended; waiting for the peer to end its own
    LINGERING = 3
    #: there is no transport any more, or will not be soon
    GONE = 4


# As each read and each connection looks for them, they are worth names of their own.
EARLY, OPEN, FLUSHING, LINGERING, GONE = Stage


class Cause(NamedTuple):
    """
    Why a connection ends.

    @ivar failure: the reason; None to take what the transport gives.
    @ivar initiator: as in L{Disconnection}.
    @ivar told: the user knows it already.
    """

    failure: Failure | None
    initiator: str
    told: bool


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class ClientTCPProtocol(Protocol):
    """
    One connection of a client. L{ClientTCPFactory
    <twisted_clienttcp.ClientTCPFactory>} builds it and is what users talk to; they
    see this as C{client.server}, for its C{transport}.
    """

    # What each connection has. The rest is the class's, until it is other than there.
    __slots__ = (
        "_bytesIn",
        "_client",
        "_fewRead",
        "_framing",
        "_fullRead",
        "_input",
        "_negotiation",
        "_owner",
        "_shaking",
        "_stage",
        "_usualRead",
        "_watch",
        "factory",
        "outbound",
        "peer",
        "transport",
    )

    _client: Client
    _owner: ConnectionOwner
    #: The queue of what is to be sent, once there is a transport.
    outbound: Outbound
    factory: Any
    transport: Any

    _faults = 0
    #: Reading is paused because too much waits for a Deferred.
    _throttled = False
    #: The user knows that the high mark has been reached.
    _isHigh = False
    _peerEnded = False
    #: Our side is to be ended when all is flushed; it is ended.
    _endWhenFlushed = False
    _sendingEnded = False
    _confirmed = False
    _cause: Cause | None = None
    _lost: Failure | None = None
    _lastHeard = 0.0
    _timer: IDelayedCall | None = None
    _turn: IDelayedCall | None = None

    def __init__(
        self,
        owner: ConnectionOwner,
        client: Client,
        framing: Framing[Any],
        peer: IAddress | None = None,
    ) -> None:
        """
        @param owner: called for everything that happens to the connection.
        @param client: the first argument of callbacks; its settings are read when they
            are needed.
        @param framing: the framing of the client, of which the connection uses a copy.
        @param peer: the address that the connection is made to, if it is known.
        """
        self._owner = owner
        self._client = client
        #: Known until somebody is told.
        self.peer = peer
        self._framing = framing
        self._input: Inbound | None = None
        self._bytesIn = 0
        #: How many bytes a read takes as a rule, if the transport lets us say; below
        #: how many the next takes less than this one, and from how many on more.
        self._usualRead = 0
        self._fewRead = 0
        self._fullRead = maxsize
        self._stage = EARLY
        #: The TLS handshake is not done.
        self._shaking = False
        self._negotiation: Negotiation | None = None
        self._watch: Watch | None = None
        self.transport = None

    def logPrefix(self) -> str:
        """
        @return: the name under which Twisted logs for this connection.
        """
        return type(self._client).__name__

    # -- the beginning

    @finishing
    def connectionMade(self) -> None:
        """
        There is a transport. A TLS transport says so before anything is verified:
        it can be used only when the handshake is completed.
        """
        transport = self.transport
        self._shaking = ISSLTransport.providedBy(transport)
        error: BaseException | None = None
        try:
            self._setUp(transport)
        except BaseException as raised:
            error = raised
        # The client can give up only a connection that can be closed.
        self.outbound = Outbound(
            transport,
            self._owner.timeSource(),
            self._framing,
            self._client.marks,
            self,
        )
        self._owner.transportMade(self)
        if error is not None:
            self.refuse(Failure(error))
            self._owner.raiseLater(error)
        elif not self._shaking:
            self._owner.transportReady(self)
        elif (fault := _tls.setupFailure(transport)) is not None:
            self.refuse(fault)

    def _setUp(self, transport: Any) -> None:
        """
        Call everything that belongs to the user or to the transport, which may raise.
        """
        self._framing = self._framing.fresh()
        if self.peer is None:
            self.peer = transport.getPeer()
        keepAlive(transport, self._client.keepAlive)
        if self._client.noDelay:
            noDelay(transport)
        # An endpoint's wrapper around a protocol forwards half-closing and handshakes,
        # but of two such interfaces it declares only the last. Without this one the
        # transport would close at the peer's end of stream.
        # (TLS is to have it closed: it has no half-close.)
        wrapper = getattr(transport, "protocol", None)
        if (
            wrapper is not self
            and not self._shaking
            and not IHalfCloseableProtocol.providedBy(wrapper)
            and hasattr(wrapper, "readConnectionLost")
        ):
            alsoProvides(wrapper, IHalfCloseableProtocol)
        if isinstance(transport, FileDescriptor):
            self._usualRead = self._fullRead = transport.bufferSize
            readBeforeLoss(transport, self._received)

    def _received(self) -> int | None:
        """
        Return how many bytes were received; None if no more can be delivered now.
        """
        held = self.inbound.held & ~Hold.RESULT
        if self._stage is not OPEN or held or self._throttled or self._peerEnded:
            return None
        return self._bytesIn

    def timeSource(self) -> IReactorTime:
        return self._owner.timeSource()

    @property
    def inbound(self) -> Inbound:
        """
        The inbound side. It is made when it is first needed: a connection on which
        nothing is received has none.
        """
        inbound = self._input
        if inbound is None:
            client = self._client
            inbound = self._input = Inbound(
                self._framing, client.serverInput, client, self, client.batched
            )
        return inbound

    @property
    def negotiation(self) -> Negotiation:
        """
        What is talked through until the connection is open.
        """
        if self._negotiation is None:
            self._negotiation = Negotiation(self.transport, self)
        return self._negotiation

    def send(self, data: bytes) -> None:
        """
        Queue bytes.
        """
        self.outbound.send(data)

    def startTLS(self, options: Any, swallow: bytes) -> None:
        """
        Send what is queued in clear text, and speak TLS from then on.

        @param options: as those of L{Negotiation.startTLS}.
        @param swallow: a byte that may still arrive in clear text.

        @raise TypeError: if the options are no such.
        @raise RuntimeError: if the transport cannot start TLS.
        @raise ImportError: if the extra C{tls} is not installed.
        """
        options = _tls.given("options of startTLS()", options)
        transport = self.transport
        if not ITLSTransport.providedBy(transport):
            raise RuntimeError(f"this transport cannot start TLS: {transport!r}")
        creator = self._owner.tlsOptions(options)
        self.outbound.handOver()
        self._shaking = True
        framing = self.inbound.framing.fresh()
        self.outbound.use(framing)
        self.inbound.buffer = InputBuffer(framing)
        _tls.start(transport, creator, swallow)
        if (fault := _tls.setupFailure(transport)) is not None:
            self.refuse(fault)

    def refuse(self, failure: Failure) -> None:
        """
        Give the connection up before it is open.
        """
        self._owner.refuse(self, failure)

    @finishing
    def handshakeCompleted(self) -> None:
        """
        The TLS handshake is done and, unless the transport has been told to go, the
        certificate verified.
        """
        if not _tls.verified(self.transport):
            return
        self._shaking = False
        if self._negotiation is None or not self._negotiation.secured():
            self._owner.transportReady(self)

    def open(self) -> None:
        """
        C{connected} has returned: deliver what comes, and what has come already.
        """
        if self._stage is not EARLY:
            return
        self._stage = OPEN
        if not self._peerEnded:
            self._watchOver()
        self.outbound.opened()
        negotiation, self._negotiation = self._negotiation, None
        if self._input is not None:
            self._input.run()
        if self._stage is OPEN:
            if self._peerEnded:
                self.inbound.end(self._streamEnded)
            elif negotiation is not None and not self.inbound.held:
                negotiation.readOn()

    @property
    def opened(self) -> bool:
        """
        Whether C{connected} has returned and nothing has ended the connection since.
        """
        return self._stage is OPEN

    @property
    def ending(self) -> bool:
        """
        Whether the connection is about to end.
        """
        return self._stage > OPEN

    @property
    def shaking(self) -> bool:
        """
        Whether a TLS handshake is going on.
        """
        return self._shaking

    @property
    def lost(self) -> bool:
        """
        Whether the transport is gone.
        """
        return self._lost is not None

    # -- input

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes from the transport.
        """
        self._bytesIn += len(data)
        if self._watch is not None:
            self._watch.heard()
        outbound, inbound = self.outbound, self._input or self.inbound
        held = outbound.hold()
        try:
            if self._stage is OPEN:
                inbound.feed(data)
            elif self._stage is EARLY:
                inbound.buffer.append(data)
                if self._negotiation is not None:
                    self._negotiation.received()
            else:
                self._lastHeard = self._owner.timeSource().seconds()
        finally:
            if held:
                outbound.pump()
        if not self._fewRead <= len(data) < self._fullRead:
            self._adaptRead(len(data))
        if inbound.held and not self._throttled and len(inbound.buffer) > BACKLOG:
            self._throttled = True
            self._read(False)

    def _adaptRead(self, length: int) -> None:
        """
        Let the next read take as much as usual, or more.

        Each read costs a turn of the reactor. But a few bytes cost more if there is
        a large buffer for them, and all of them wait while the delivery is held: so it
        is there only while the peer fills it and the user takes it.
        """
        size, usual, inbound = self._fullRead, self._usualRead, self.inbound
        records = inbound.lastBatch
        if length < usual or records > MANY_RECORDS or inbound.held:
            size = usual
        elif size < LARGE_READ and 2 * records <= MANY_RECORDS:
            size = min(2 * size, LARGE_READ)
            if size == LARGE_READ:
                # glibc returns free memory to the system when it is more than twice the
                # largest block that was ever freed. A read and its records are, so
                # that every read would have to fetch the memory again (benchmark row:
                # lines of 1 KiB). The zeros themselves take no memory.
                bytes(2 * size)
        self._fullRead = size
        self._fewRead = usual if size > usual else 0
        # This is also the mark at which the transport pauses a push producer; the
        # sender is none.
        transport: Any = self.transport
        transport.bufferSize = size

    def inputFailed(self, error: FramingError) -> None:
        """
        The bytes behind the records that were delivered cannot be decoded.
        """
        self._faults += 1
        if isinstance(error, RecordTooLong) and error.skipped:
            self._owner.inputEnded(self, Failure(error), False)
        else:
            self.inbound.stop()
            self._ended(Failure(error), "local")

    def inputRaised(self, error: BaseException) -> None:
        callback = "serverInputBatch" if self._client.batched else "serverInput"
        self._owner.callbackRaised(callback, error, self)

    def _producerRaised(self, order: str, error: BaseException) -> None:
        self._owner.callbackRaised(order, error, self)
        self._owner.raiseLater(error)

    def hold(self, who: int = Hold.USER) -> None:
        """
        Deliver no records and read nothing until L{release}.
        """
        if self._stage <= OPEN and not self.inbound.held & who:
            self.inbound.hold(who)
            self._read(False)

    def release(self, who: int = Hold.USER) -> None:
        """
        Deliver what waits, and read on, unless somebody else holds the records.
        """
        inbound = self.inbound
        if self._stage is EARLY:
            inbound.held &= ~who
            if not inbound.held and self._negotiation is None:
                self._read(True)
        elif self._stage is OPEN and inbound.held & who:
            inbound.release(who)
            self._readOn()

    def inputResumed(self) -> None:
        """
        A Deferred has fired that a record waited for.
        """
        if self._watch is not None:
            self._watch.answered()
        if self._throttled:
            self._readOn()

    def _readOn(self) -> None:
        self._throttled = len(self.inbound.buffer) > BACKLOG
        held = self.inbound.held & ~Hold.RESULT
        if self._stage is OPEN and not held and not self._throttled:
            self._read(True)

    def pauseProducing(self) -> None:
        """
        For a consumer that this connection is registered with: hold the records. The
        client's own pauses are kept apart.
        """
        self.hold(Hold.CONSUMER)

    def resumeProducing(self) -> None:
        """
        Release them.
        """
        self.release(Hold.CONSUMER)

    def stopProducing(self) -> None:
        """
        For a consumer that takes no more: end the connection, as C{client.shutdown()}.
        """
        self._client.shutdown()

    def _read(self, wanted: bool) -> None:
        """
        Read from the transport, or do not; after the end of stream never.
        """
        transport = IPushProducer(self.transport, None)
        if transport is None or self._peerEnded or self._lost is not None:
            return
        if self._watch is not None:
            self._watch.reading(wanted)
        if wanted:
            transport.resumeProducing()
        else:
            transport.pauseProducing()

    @property
    def inputFraming(self) -> Framing[Any]:
        """
        What cuts the bytes received (POE: get_input_filter).
        """
        return self.inbound.framing

    @property
    def outputFraming(self) -> Framing[Any]:
        """
        What frames the records put (POE: get_output_filter).
        """
        return self.outbound.framing

    def setInputFraming(self, framing: Framing[Any]) -> None:
        """
        Cut all bytes behind the records delivered until now with another framing.
        """
        if self._stage <= OPEN:
            self.inbound.use(framing)
            if self.inbound.waiting and self._turn is None:
                self._turn = self._owner.timeSource().callLater(0, self._deliverNow)

    def setOutputFraming(self, framing: Framing[Any]) -> None:
        """
        Frame all records that are put from now on with another framing.
        """
        self.outbound.use(framing)

    def _deliverNow(self) -> None:
        self._turn = None
        self.inbound.run()
        if self._throttled:
            self._readOn()

    def _stopInput(self) -> None:
        """
        Deliver nothing more: forget the records that wait, discard what comes.
        """
        self.inbound.stop()
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()

    def readConnectionLost(self) -> None:
        """
        The peer has ended its side.
        """
        # A transport says it again when its reading is resumed. And where it has failed
        # to write, this is what a reset leaves to be read, and the loss follows.
        if self._peerEnded or self.outbound.failed:
            return
        self._peerEnded = True
        self._stopWatching()
        self._confirmed = self._sendingEnded
        if self._stage is OPEN:
            self.inbound.end(self._streamEnded)
        elif self._stage is EARLY:
            self._owner.endedEarly(self)
        elif self._stage is LINGERING:
            self._lose()

    def _streamEnded(self) -> None:
        """
        Every record before the end of the stream has been delivered.
        """
        if self._client.shutdownOnError:
            self._ended(Failure(ConnectionDone()), "peer")
        else:
            self._owner.inputEnded(self, Failure(ConnectionDone()), False)

    def _ended(self, failure: Failure, initiator: str) -> None:
        """
        Nothing more can be read, and nobody here has asked for that.
        """
        if self.blame(failure, initiator):
            self._owner.inputEnded(self, failure, True)

    def writeConnectionLost(self) -> None:
        """
        Our half-close has been sent.
        """

    # -- the silent peer

    def _watchOver(self) -> None:
        """
        Watch over the connection, if the user wants that.
        """
        client = self._client
        if client.idleTimeout is not None or client.heartbeat is not None:
            self._watch = Watch(
                self,
                self._owner.timeSource(),
                client.idleTimeout,
                client.heartbeat,
                reading=not self.inbound.held,
            )

    def _stopWatching(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    @property
    def taken(self) -> int:
        """
        The bytes that the kernel has taken: never too many, and too few by one chunk
        at the most.
        """
        return self.outbound.accepted[0] - self.outbound.pending

    @property
    def answering(self) -> bool:
        """
        Whether the user's answer to a record is waited for.
        """
        return bool(self.inbound.held & Hold.RESULT)

    def _beat(self, heartbeat: Heartbeat) -> bool:
        """
        Ask the peer something.

        @return: whether that was possible.
        """
        if self._sendingEnded or self._endWhenFlushed:
            return False
        try:
            record = heartbeat.recordFor(self._client)
            if record is not None and not self.ending:
                self.outbound.send(self.outbound.encode(record))
        except BaseException as error:
            self._owner.callbackRaised("heartbeat", error)
            self._owner.raiseLater(error)
        return True

    def _silent(self, error: ClientTCPError) -> None:
        """
        The peer is taken for gone.
        """
        self._owner.broken(self, Failure(error))

    # -- output

    @property
    def pendingBytes(self) -> int:
        """
        The bytes accepted and not yet given to the kernel: never too few, and too
        many by one chunk (64 KiB) at the most.
        """
        return self.outbound.pending

    def _refuseOutput(self) -> None:
        """
        Nothing can be put any more.
        """
        self._sendingEnded = True
        self.outbound.close("the sending side of the connection is closed")

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        As C{client.registerProducer}.

        @raise RuntimeError: if there is a producer already.
        """
        if self._sendingEnded:
            producer.stopProducing()
        else:
            self.outbound.supplyFrom(producer, streaming)

    def unregisterProducer(self) -> None:
        """
        As C{client.unregisterProducer}.
        """
        self.outbound.supplyEnded()
        self._endIfFlushed()

    def mark(self, marks: Marks) -> None:
        """
        Have other marks.
        """
        if self.transport is not None:
            self.outbound.mark(marks)

    def loseWriteConnection(self) -> None:
        """
        Flush, then end our side, and read on.

        @raise RuntimeError: if the transport cannot end one side alone, as TLS cannot.
        """
        if not _halfCloseable(self.transport):
            raise RuntimeError(
                "this transport cannot close only its sending side (TLS cannot): use "
                "shutdown()"
            )
        self._endWhenFlushed = True
        self._endIfFlushed()

    @property
    def eventful(self) -> bool:
        """
        Whether events are posted that are to be handled before a flush is told.
        """
        return self._owner.eventful

    def _high(self) -> bool:
        self._isHigh = self._owner.outputChanged(self, "serverHigh")
        return self._isHigh

    def _low(self) -> None:
        # Of what was put in the negotiation nobody may have been told.
        if self._isHigh:
            self._isHigh = False
            self._owner.outputChanged(self, "serverLow")

    def _flushed(self) -> None:
        self._owner.outputChanged(self, "serverFlushed")
        # The callback may have put more.
        self._endIfFlushed()

    @property
    def _flushing(self) -> bool:
        """
        Whether there is, or may yet come, something to send.
        """
        return bool(self.outbound.pending) or self.outbound.supplied

    def _endIfFlushed(self) -> None:
        # A producer may unregister at being stopped, when the transport is gone.
        if self._endWhenFlushed and not self._flushing and self._lost is None:
            self._endSending()

    def _endSending(self) -> None:
        """
        All is flushed: end our side.
        """
        if not self._sendingEnded:
            self._refuseOutput()
            if _halfCloseable(self.transport) and not (
                self._peerEnded and self._stage > OPEN
            ):
                _endOurSide(self.transport)
        if self._stage is FLUSHING:
            self._owner.outputClosed(self)
            self._awaitPeer()

    # -- the end

    def blame(self, failure: Failure | None, initiator: str, told: bool = True) -> bool:
        """
        Say why the connection ends; who says so first is right.

        @return: whether this was the first.
        """
        if self._cause is not None:
            return False
        self._cause = Cause(failure, initiator, told)
        return True

    def close(self) -> None:
        """
        Stop input, flush, half-close, and read on until the peer ends its side, each
        within its bound.
        """
        if self._stage >= FLUSHING:
            return
        self._stage = FLUSHING
        self._stopWatching()
        self._stopInput()
        self._endWhenFlushed = True
        if self._lost is not None:
            self._gone()
            return
        # Whoever stopped the reading: the peer's end is to be seen, and a peer that
        # talks is to be heard out, or it would not hear us.
        self._read(True)
        if self._flushing:
            seconds = self._client.drainTimeout
            self._startTimer(seconds, self._drainExpired, seconds)
        else:
            self._endSending()

    def _drainExpired(self, seconds: float) -> None:
        pending = self.outbound.pending
        if pending:
            why = f"the peer has not read {pending} bytes"
        else:
            why = "the producer has not unregistered"
        undrained = DrainTimeout(f"{why} within drainTimeout={seconds} seconds")
        self.blame(Failure(undrained), "local", told=False)
        self.abort()

    def _awaitPeer(self) -> None:
        """
        Our side is ended: wait for the peer to end its own.
        """
        self._stopTimer()
        self._stage = LINGERING
        if self._peerEnded:
            self._lose()
        elif _halfCloseable(self.transport):
            self._lastHeard = self._owner.timeSource().seconds()
            self._linger(self._lastHeard + self._client.lingerTimeout)
        else:
            # TLS has no half-close (though its transport claims one): it waits for
            # the peer's close_notify, and without a bound for ever.
            transport: Any = self.transport
            self._startTimer(self._client.lingerTimeout, self.abort)
            transport.loseConnection()

    def _linger(self, until: float) -> None:
        """
        Wait on while the peer talks, but not longer than until then.
        """
        now = self._owner.timeSource().seconds()
        wake = min(self._lastHeard + LINGER_SILENCE, until)
        if wake > now:
            self._startTimer(wake - now, self._linger, until)
        else:
            self._lose()

    def _lose(self) -> None:
        self._stopTimer()
        transport: Any = self.transport
        transport.loseConnection()

    def abort(self) -> None:
        """
        Close at once; what is pending is lost, and reported as C{unsent}.
        """
        if self._stage is GONE:
            return
        try:
            self._end()
        finally:
            # A producer may have raised.
            self._abort()

    def _abort(self) -> None:
        self.blame(None, "local")
        if self._lost is not None:
            self._gone()
            return
        cause = self._cause.failure if self._cause is not None else None
        self.endNegotiation(cause or Failure(ConnectionAborted()))
        transport: Any = self.transport
        # Not every transport (in memory, or wrapped) can abort.
        getattr(transport, "abortConnection", transport.loseConnection)()

    def _end(self) -> None:
        """
        Nothing goes in or out any more.
        """
        self._stage = GONE
        self._stopWatching()
        self._stopInput()
        self._stopTimer()
        self._stopOutput()

    def _stopOutput(self) -> None:
        self._refuseOutput()
        try:
            self.outbound.stop()
        finally:
            self._owner.outputClosed(self)

    @finishing
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The transport is gone.
        """
        if _isDropped(self.transport):
            reason = Failure(ConnectionAborted("the reactor was stopped"))
            self.blame(reason, "local")
        reason = _tls.explained(reason, self.transport, self._shaking)
        held = self.inbound.held & ~Hold.RESULT
        reading = not (held or self._throttled or self._peerEnded)
        if reason.check(ConnectionLost) and not reading:
            reason = Failure(LostWhileWriting())
        self._lost = reason
        self._owner.transportLost(self)
        self._stopWatching()
        try:
            self._stopOutput()
        finally:
            if self._stage is OPEN:
                self.inbound.end(self._gone)
            else:
                self._gone()

    def _gone(self) -> None:
        """
        The transport is gone, and every record that came before has been delivered.
        """
        reason = self._lost
        assert reason is not None
        unsent = self.outbound.pending
        if self._stage is LINGERING and not unsent:
            # What the transport says of an end that we asked for is of no interest,
            # save for how TLS tells of the peer's close_notify: an end without one is
            # a ConnectionLost.
            if ISSLTransport.providedBy(self.transport):
                self._confirmed = bool(reason.check(ConnectionDone))
            self.blame(None, "local")
        elif reason.check(ConnectionDone):
            # An end of stream of the peer's comes as readConnectionLost first, save
            # with TLS: without one, somebody here has closed the transport.
            peer = self._peerEnded or ISSLTransport.providedBy(self.transport)
            self.blame(reason, "peer" if peer else "local", told=not peer)
        else:
            self.blame(reason, "network", told=False)
        self._end()
        assert self._cause is not None
        failure, initiator, told = self._cause
        self.endNegotiation(failure or reason)
        disconnection = Disconnection(
            failure=failure or reason,
            initiator=initiator,
            unsent=unsent,
            confirmed=self._confirmed,
            truncated=None if self._input is None else self._input.truncated,
        )
        self._owner.connectionEnded(self, disconnection, told)

    def negotiated(self) -> None:
        """
        From now on records go by the client, and none by the negotiation.
        """
        if self._negotiation is not None:
            over = NotConnectedError("the negotiation is over: use the client")
            self._negotiation.end(Failure(over))

    def endNegotiation(self, failure: Failure) -> None:
        """
        Let no more records come or go by the negotiation.

        @param failure: what whoever waits for one is told.
        """
        if self._negotiation is not None:
            self._negotiation.end(failure)

    def count(self, stats: Stats) -> None:
        """
        Add what went through this connection.
        """
        data, records = self.outbound.accepted
        stats.bytesIn += self._bytesIn
        if self._input is not None:
            stats.recordsIn += self._input.delivered
        stats.bytesOut += data
        stats.recordsOut += records
        stats.framingErrors += self._faults

    def _startTimer(
        self, seconds: float, call: Callable[..., None], *args: Any
    ) -> None:
        self._timer = self._owner.timeSource().callLater(seconds, call, *args)

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


def _endOurSide(transport: Any) -> None:
    """
    End our side alone, when all is flushed.

    A transport sends nothing, literally, before it does so. At that a UNIX socket whose
    peer has closed is lost, with what the peer has said and we have not read. So there
    only what follows is done, and that has no name in public.
    """
    hidden: Any = transport
    if IUNIXTransport.providedBy(transport) and hasattr(
        transport, "_closeWriteConnection"
    ):
        hidden._writeDisconnected = True
        hidden._closeWriteConnection()
    else:
        transport.loseWriteConnection()


def _isDropped(transport: object) -> bool:
    """
    @return: whether the transport is lost because its reactor stops: a reactor that
        runs no more drops all connections, as if the network had lost them.
    """
    reactor = getattr(transport, "reactor", None)
    return getattr(reactor, "running", None) is False


def _halfCloseable(transport: object) -> bool:
    """
    @return: whether the transport can end our side alone. TLS cannot, though its
        transport claims to.
    """
    return IHalfCloseableDescriptor.providedBy(
        transport
    ) and not ISSLTransport.providedBy(transport)
