"""
The time between having a transport and being C{connected}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IPushProducer, ISSLTransport, ITransport
from twisted.python.failure import Failure

from .errors import ClearText, NotConnectedError
from .framing import Framing


class Wire(Protocol):
    """
    What a negotiation needs of its connection.
    """

    def send(self, octets: bytes) -> object:
        """
        Queue octets.
        """

    def startTLS(self, options: Any, swallow: bytes) -> Framing:
        """
        Send what is queued in clear text, and speak TLS from then on.

        @param swallow: octets that may yet come in clear text.

        @return: the framing of what comes and goes then; it knows nothing of what was
            in clear text.
        """

    def refuse(self, failure: Failure) -> None:
        """
        Give the connection up.
        """


class Negotiation:
    """
    What C{preConnect} talks through (its second argument), and what keeps the octets
    that come before the connection is usable.

    While it is negotiated, a connection is read only while a L{nextRecord} waits, and
    decoded only so far. What stands behind that record goes, unread, to the next one,
    or to C{serverInput} once C{connected} has returned.

    @ivar transport: the transport of the connection.
    """

    def __init__(self, transport: ITransport, framing: Framing, wire: Wire) -> None:
        self.transport = transport
        self._framing = framing
        self._wire = wire
        self._held: list[bytes] = []
        self._waiter: Deferred[Any] | None = None
        #: Who waits for the handshake, while it is going on.
        self._handshake: Deferred[bool] | None = None
        #: What follows it, if that has been agreed to already.
        self._then: Callable[[], object] | None = None
        #: What L{startTLS} has returned.
        self._started: Deferred[bool] | None = None
        self._over: Failure | None = None

    def put(self, record: Any) -> None:
        """
        Frame a record and send it.

        @raise NotConnectedError: if the negotiation is over.
        @raise TypeError: as the framing's C{frame}.
        @raise FramingError: as the framing's C{frame}.
        """
        if self._over is not None:
            raise NotConnectedError("cannot put: the negotiation is over")
        self._wire.send(self._framing.frame(record))

    def nextRecord(self) -> Deferred[Any]:
        """
        Read one record.

        @return: a Deferred that fires with the record, or fails: with what ended the
            connection, with a L{NotConnectedError
            <twisted_clienttcp.errors.NotConnectedError>} when the negotiation is over,
            or with the L{FramingError<twisted_clienttcp.errors.FramingError>} that
            came instead of a record.

        @raise RuntimeError: if the last one has not fired yet.
        """
        if self._waiter is not None:
            raise RuntimeError(
                "nextRecord() was called before the previous call had a record: await "
                "each call, in a function defined with async def"
            )
        waiter: Deferred[Any] = Deferred(self._forget)
        self._waiter = waiter
        if self._over is not None:
            self._fire(self._over)
        elif self._held:
            self._received(self._rest())
        if self._waiter is not None:
            self._reading(True)
        return waiter

    def startTLS(self, options: Any = True) -> Deferred[bool]:
        """
        Speak TLS from now on (as STARTTLS of RFC 3207 and its like), when the server
        has agreed to. Before this, read all that it says in clear text: nothing of that
        may be left over, or the attempt fails. What has been put is sent in clear text.

        @param options: True, with which the certificate must be trusted by the platform
            and be for the host that is connected to; or what
            C{twisted.internet.ssl.optionsForClientTLS} gives: as C{tls} of the client.

        @return: a Deferred that fires with True when the handshake is done and the
            certificate verified; so C{preConnect} may end with it. It fails with what
            ended the connection: mostly a L{TLSError
            <twisted_clienttcp.errors.TLSError>}.

        @raise NotConnectedError: if the negotiation is over.
        @raise RuntimeError: if a L{nextRecord} is still waiting, if this is TLS
            already, or if the transport cannot start it.
        @raise TypeError: if the options are none.
        @raise ImportError: if the extra C{tls} is not installed.
        @raise ValueError: if the options are True and no host name is known.
        """
        if self._over is not None:
            raise NotConnectedError("cannot start TLS: the negotiation is over")
        if self._waiter is not None:
            raise RuntimeError(
                "startTLS() cannot be called while nextRecord() is waiting"
            )
        if ISSLTransport.providedBy(self.transport):
            raise RuntimeError("the connection uses TLS already")
        framing = self._framing
        swallow: bytes = getattr(framing, "swallows", b"")
        clear = framing.release(0) + self._rest()
        if swallow and clear.startswith(swallow):
            clear, swallow = clear.removeprefix(swallow), b""
        if clear:
            failure = Failure(ClearText(len(clear)))
            self._wire.refuse(failure)
            self._started = fail(failure)
            return self._started
        self._framing = self._wire.startTLS(options, swallow)
        if self._over is not None:
            self._started = fail(self._over)
        else:
            self._started = self._handshake = Deferred()
            self._reading(True)
        return self._started

    def _agreed(self, then: Callable[[], object]) -> None:
        """
        C{preConnect} has agreed to the connection. Where it has started TLS, it is not
        there yet.

        @param then: called when it is; never if the handshake fails.
        """
        if self._handshake is None:
            then()
        else:
            self._then = then

    def _finished(self) -> None:
        """
        C{preConnect} has finished. If L{startTLS} fails and C{preConnect} has not
        handled that, only the end of the connection reports it.
        """
        started, self._started = self._started, None
        if started is not None:
            started.addErrback(lambda failure: None)

    def _hasEndedWith(self, error: BaseException) -> bool:
        """
        @return: whether this error is the one that has ended the negotiation, and that
            C{preConnect} has been called back with.
        """
        return self._over is not None and self._over.value is error

    def _secured(self) -> bool:
        """
        A TLS handshake is done.

        @return: whether it was that of L{startTLS}.
        """
        handshake, self._handshake = self._handshake, None
        if handshake is None:
            return False
        self._reading(self._waiter is not None)
        handshake.callback(True)
        then, self._then = self._then, None
        if then is not None:
            then()
        return True

    def _forget(self, waiter: Deferred[Any]) -> None:
        self._waiter = None
        self._reading(False)

    def _fire(self, result: Any) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(result)

    def _reading(self, wanted: bool) -> None:
        """
        Read from the transport, or do not. A handshake reads in any case.
        """
        wanted = wanted or self._handshake is not None
        transport = IPushProducer(self.transport, None)
        if transport is not None:
            if wanted:
                transport.resumeProducing()
            else:
                transport.pauseProducing()

    def _wait(self) -> None:
        """
        C{preConnect} has not made up its mind: read nothing meanwhile, unless it has
        asked for a record.
        """
        if self._waiter is None:
            self._reading(False)

    def _received(self, data: bytes) -> None:
        """
        Take octets from the transport.
        """
        if self._waiter is None:
            self._held.append(data)
            return
        result: Any = self
        try:
            # The first alone: what stands behind it is taken back undecoded.
            result = next(iter(self._framing.feed(data)), self)
            if result is self:
                return
            rest = self._framing.release(1)
            self._held = [rest] if rest else []
        except Exception:
            result = Failure()
        self._reading(False)
        self._fire(result)

    def _rest(self) -> bytes:
        """
        Give up the octets that came and were not decoded.
        """
        held, self._held = self._held, []
        return b"".join(held)

    def _end(self, failure: Failure) -> None:
        """
        There will be no more records, and none is taken.
        """
        if self._over is None:
            self._over = failure
            self._fire(failure)
            handshake, self._handshake = self._handshake, None
            if handshake is not None and not handshake.called:
                handshake.errback(failure)
