"""
One connection: bytes become records become callbacks, and records become bytes
become writes.

Theory of operation:

 1. Input goes to whatever C{_receive} is: to the L{Negotiation} until C{connected} has
    returned, then to the framing, and after an order to close nowhere.
 2. C{_pending} is the one iterator of records not delivered yet. The loop over it
    makes no test per record: whoever wants it to end (a shutdown, a loss) empties
    the iterator from inside the callback.
 3. Output goes to the L{Sender<twisted_clienttcp._sender.Sender>}. What is put while
    octets are being received goes out when all their records have been delivered.
 4. A close is: flush, half-close, read on (and discard) until the peer ends its side
    too. Closing a socket with unread input would send a reset, at which the peer's
    kernel throws away what the peer has not read yet (RFC 1122, 4.2.2.13; RFC 2525,
    2.17). The bounds are those of nginx's C{lingering_close}.
 5. The first cause of the end is the one reported. What Twisted says later, when the
    transport is gone, is mostly only a consequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import Any, NamedTuple
from typing import Protocol as TypingProtocol

import attrs
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from ._negotiation import Negotiation
from ._sender import Sender
from .errors import DrainTimeout, FramingError, NotConnectedError, TruncatedRecord
from .framing import Framing

#: How many seconds of silence end the wait for the peer's end of stream, as nginx's
#: C{lingering_timeout}.
LINGER_SILENCE = 5.0


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
    @ivar unsent: the octets that were accepted and never given to the kernel. An
        upper bound: the last chunk (64 KiB) counts whole even if a part of it was.
    @ivar confirmed: the peer ended its side after we had ended ours, so it has read
        all there was.
    @ivar truncated: the octets received behind the last complete record, as a
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
    What a connection needs of the client it belongs to.
    """

    @property
    def serverInput(self) -> Callable[[Any, Any], object]:
        """
        The user's callback, called as C{serverInput(client, record)}.
        """

    @property
    def drainTimeout(self) -> float:
        """
        The seconds that flushing may take at the end.
        """

    @property
    def lingerTimeout(self) -> float:
        """
        The seconds to wait for the peer's end of stream after that.
        """

    def timeSource(self) -> IReactorTime:
        """
        @return: what tells the time and calls later.
        """

    def connectionMade(self, connection: ClientTCPProtocol) -> None:
        """
        There is a transport.
        """

    def connectionSecured(self, connection: ClientTCPProtocol) -> None:
        """
        The transport can be used: the TLS handshake, if there is one, is done.
        """

    def negotiationEnded(self, connection: ClientTCPProtocol) -> None:
        """
        The peer has ended its side before the connection was open.
        """

    def connectionFlushed(self, connection: ClientTCPProtocol) -> None:
        """
        The kernel has every octet.
        """

    def connectionEnded(self, connection: ClientTCPProtocol, failure: Failure) -> None:
        """
        There will be no more input, and nobody here has asked for that.
        """

    def callbackRaised(self, callback: str, failure: Failure) -> None:
        """
        The user's callback of that name has raised.
        """

    def connectionGone(
        self, connection: ClientTCPProtocol, disconnection: Disconnection, told: bool
    ) -> None:
        """
        The transport is gone.

        @param told: the user knows why already: by his own order, or by
            C{serverError}.
        """


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


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class ClientTCPProtocol(Protocol):
    """
    One connection of a client. L{ClientTCPFactory
    <twisted_clienttcp.ClientTCPFactory>} builds it and is what users talk to; they
    see this as C{client.server}, for its C{transport}.
    """

    _sender: Sender
    negotiation: Negotiation | None = None

    def __init__(self, client: Client, framing: Framing) -> None:
        self._client = client
        self._framing = framing
        self._pending: Iterator[Any] = iter(())
        self._receive: Callable[[bytes], None] = self._hear
        self._stage = Stage.EARLY
        self._peerEnded = False
        self._confirmed = False
        self._cause: Cause | None = None
        self._truncated: TruncatedRecord | None = None
        self._lastHeard = 0.0
        self._timer: IDelayedCall | None = None

    def logPrefix(self) -> str:
        """
        @return: the name under which Twisted logs for this connection.
        """
        return type(self._client).__name__

    # -- the beginning

    def connectionMade(self) -> None:
        """
        There is a transport. A TLS transport says so before anything is verified:
        it can be used only when the handshake is completed.
        """
        transport: Any = self.transport
        # An endpoint's wrapper around a protocol forwards half-closing and handshakes,
        # but of two such interfaces it declares only the last. Without this one the
        # transport would close at the peer's end of stream.
        wrapper = getattr(transport, "protocol", None)
        if not IHalfCloseableProtocol.providedBy(wrapper) and hasattr(
            wrapper, "readConnectionLost"
        ):
            alsoProvides(wrapper, IHalfCloseableProtocol)
        self._sender = sender = Sender(
            transport, self._client.timeSource(), self._flushed
        )
        self.negotiation = Negotiation(transport, self._framing, sender.send)
        self._receive = self.negotiation._received
        self._client.connectionMade(self)
        if not ISSLTransport.providedBy(transport):
            self._client.connectionSecured(self)

    def handshakeCompleted(self) -> None:
        """
        The TLS handshake is done and the certificate verified.
        """
        self._client.connectionSecured(self)

    def open(self) -> None:
        """
        C{connected} has returned: deliver what comes, and what has come already.
        """
        if self._stage is not Stage.EARLY or self.negotiation is None:
            return
        self._stage = Stage.OPEN
        self._receive = self._decode
        negotiation, self.negotiation = self.negotiation, None
        negotiation._end(Failure(NotConnectedError("the negotiation is over")))
        early = negotiation._rest()
        if early:
            self.dataReceived(early)
        if self._stage is Stage.OPEN:
            if self._peerEnded:
                self._streamEnded()
            else:
                negotiation._reading(True)

    @property
    def opened(self) -> bool:
        """
        Whether C{connected} has returned and nothing has ended the connection since.
        """
        return self._stage is Stage.OPEN

    @property
    def ending(self) -> bool:
        """
        Whether the connection is about to end.
        """
        return self._stage > Stage.OPEN

    # -- input

    def dataReceived(self, data: bytes) -> None:
        """
        Take octets from the transport.
        """
        sender = self._sender
        idle, sender.idle = sender.idle, False
        self._receive(data)
        if idle:
            sender.pump()

    def _decode(self, data: bytes) -> None:
        self._deliver(self._framing.feed, data)

    def _deliver(self, cut: Callable[..., Iterable[Any]], *args: Any) -> None:
        """
        Call back for each record that C{cut} gives, then see to the fault that came
        behind them, if one did.
        """
        faults: list[Failure] = []
        try:
            batch = cut(*args)
        except Exception:
            batch = []
            faults.append(Failure())
        if type(batch) is not list:
            batch = _untilFault(batch, faults)
        pending = self._pending = iter(batch)
        client = self._client
        serverInput = client.serverInput
        try:
            for record in pending:
                serverInput(client, record)
        except Exception:
            client.callbackRaised("serverInput", Failure())
        if faults and self._stage is Stage.OPEN:
            self._faulted(faults[0])

    def _faulted(self, failure: Failure) -> None:
        """
        The octets received are no records. An unfinished record at the end of the
        stream is no reason of its own: it goes into the report of that end.
        """
        if isinstance(failure.value, TruncatedRecord):
            self._truncated = failure.value
            return
        if not isinstance(failure.value, FramingError):
            raised = failure.value
            fault = FramingError(
                f"{type(self._framing).__name__} raised "
                f"{type(raised).__name__}: {raised}"
            )
            fault.__cause__ = raised
            failure = Failure(fault)
        self._ended(failure, "local")

    def _stopInput(self) -> None:
        """
        Deliver nothing more: forget the records that wait, discard what comes.
        """
        self._receive = self._hear
        for _ in self._pending:
            pass

    def _hear(self, data: bytes) -> None:
        self._lastHeard = self._client.timeSource().seconds()

    def readConnectionLost(self) -> None:
        """
        The peer has ended its side.
        """
        if self._peerEnded:
            # A transport says it again when its reading is resumed.
            return
        self._peerEnded = True
        if self._stage is Stage.OPEN:
            self._streamEnded()
        elif self._stage is Stage.EARLY:
            self._client.negotiationEnded(self)
        elif self._stage is Stage.LINGERING:
            self._confirmed = True
            self._lose()

    def _streamEnded(self) -> None:
        self._deliver(self._framing.finish)
        if self._stage is Stage.OPEN:
            self._ended(Failure(ConnectionDone()), "peer")

    def _ended(self, failure: Failure, initiator: str) -> None:
        """
        Nothing more can be read, and nobody here has asked for that.
        """
        if self.blame(failure, initiator):
            self._client.connectionEnded(self, failure)

    def writeConnectionLost(self) -> None:
        """
        Our half-close has been sent.
        """

    # -- output

    @property
    def pendingOctets(self) -> int:
        """
        The octets accepted and not yet given to the kernel: never too few, and too
        many by one chunk (64 KiB) at the most.
        """
        return self._sender.pending

    def put(self, record: Any) -> None:
        """
        Frame a record and queue it.

        @raise NotConnectedError: if our side is ended already.
        """
        if self._stage >= Stage.LINGERING:
            raise NotConnectedError(
                "cannot put: the sending side of the connection is closed"
            )
        self._sender.send(self._framing.frame(record))

    def _flushed(self) -> None:
        self._client.connectionFlushed(self)
        # The callback may have put more.
        if self._stage is Stage.FLUSHING and not self._sender.pending:
            self._endSending()

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
        if self._stage >= Stage.FLUSHING:
            return
        self._stage = Stage.FLUSHING
        self._stopInput()
        if self._sender.pending:
            self._startTimer(self._client.drainTimeout, self._drainExpired)
        else:
            self._endSending()

    def _drainExpired(self) -> None:
        untaken = DrainTimeout(
            f"the peer left {self._sender.pending} octets untaken for "
            f"drainTimeout={self._client.drainTimeout} seconds"
        )
        self.blame(Failure(untaken), "local", told=False)
        self.abort()

    def _endSending(self) -> None:
        """
        All is flushed: end our side, and wait for the peer to end its own.
        """
        self._stopTimer()
        self._stage = Stage.LINGERING
        transport: Any = self.transport
        if self._peerEnded:
            self._lose()
        elif _halfCloseable(transport):
            self._lastHeard = self._client.timeSource().seconds()
            transport.loseWriteConnection()
            self._linger(self._lastHeard + self._client.lingerTimeout)
        else:
            # TLS has no half-close (though its transport claims one): it waits for
            # the peer's close_notify, and without a bound for ever.
            self._startTimer(self._client.lingerTimeout, self.abort)
            transport.loseConnection()

    def _linger(self, until: float) -> None:
        """
        Wait on while the peer talks, but not longer than until then.
        """
        now = self._client.timeSource().seconds()
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
        if self._stage is Stage.GONE:
            return
        self._stage = Stage.GONE
        self._stopInput()
        self._stopTimer()
        self._sender.stop()
        self.blame(None, "local")
        self._endNegotiation(Failure(ConnectionAborted()))
        transport: Any = self.transport
        # Not every transport (in memory, or wrapped) can abort.
        getattr(transport, "abortConnection", transport.loseConnection)()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The transport is gone.
        """
        if self._stage is Stage.OPEN:
            self._deliver(self._framing.finish)
        unsent = self._sender.pending
        if self._stage is Stage.LINGERING and not unsent:
            # What the transport says of an end that we asked for is of no interest.
            self.blame(None, "local")
        elif reason.check(ConnectionDone):
            # An end of stream of the peer's comes as readConnectionLost first, save
            # with TLS: without one, somebody here has closed the transport.
            secure = ISSLTransport.providedBy(self.transport)
            self.blame(reason, "peer" if secure else "local", told=not secure)
        else:
            self.blame(reason, "network", told=False)
        self._stage = Stage.GONE
        self._stopInput()
        self._stopTimer()
        self._sender.stop()
        self._endNegotiation(reason)
        assert self._cause is not None
        failure, initiator, told = self._cause
        disconnection = Disconnection(
            failure=failure or reason,
            initiator=initiator,
            unsent=unsent,
            confirmed=self._confirmed,
            truncated=self._truncated,
        )
        self._client.connectionGone(self, disconnection, told)

    def _endNegotiation(self, failure: Failure) -> None:
        if self.negotiation is not None:
            self.negotiation._end(failure)

    def _startTimer(
        self, seconds: float, call: Callable[..., None], *args: Any
    ) -> None:
        self._timer = self._client.timeSource().callLater(seconds, call, *args)

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


def _halfCloseable(transport: object) -> bool:
    """
    @return: whether the transport can end our side alone. TLS cannot, though its
        transport claims to.
    """
    return IHalfCloseableDescriptor.providedBy(
        transport
    ) and not ISSLTransport.providedBy(transport)


def _untilFault(batch: Iterable[Any], faults: list[Failure]) -> Iterator[Any]:
    """
    Yield records up to a fault, which is put aside.
    """
    try:
        yield from batch
    except Exception:
        faults.append(Failure())
