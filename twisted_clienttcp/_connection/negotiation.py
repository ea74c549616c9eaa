"""
The negotiation: the exchange of records before C{connected} is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import ISSLTransport, ITransport
from twisted.python.failure import Failure

from ..errors import ClearText, NotConnectedError
from ..framing._building import FramingSpec, freshFraming
from .queue import OutputQueue
from .reading import Reading


class Negotiation:
    """
    The second argument of C{preConnect}: exchanges records with the server before the
    connection is usable.

    During the negotiation, the connection is read only while a L{nextRecord} waits, and
    records are decoded one by one. Bytes after the last of these records are decoded
    when C{connected} has returned, by the framing that is in use then, and their
    records are passed to C{serverInput}.

    @ivar transport: the transport of the connection. After L{startTLS} through a proxy
        with TLS, it is another object.
    """

    def __init__(
        self,
        transport: ITransport,
        reading: Reading,
        outbound: OutputQueue,
        startTLS: Callable[[object, bytes], None],
        refuse: Callable[[Failure], None],
    ) -> None:
        """
        @param transport: the transport of the connection.
        @param reading: the input of the connection.
        @param outbound: the queue of its output.
        @param startTLS: called with the options, and with a byte that may still arrive
            in clear text, to send the queue in clear text and use TLS from then on.
        @param refuse: called if the connection must not be used.
        """
        self.transport = transport
        self._reading = reading
        self._outbound = outbound
        self._startTLS = startTLS
        self._refuse = refuse
        self._waiter: Deferred[Any] | None = None
        #: Fires when the current handshake is complete.
        self._handshake: Deferred[bool] | None = None
        #: Called after the handshake, if C{preConnect} has already agreed.
        self._then: Callable[[], object] | None = None
        #: The result of L{startTLS}.
        self._started: Deferred[bool] | None = None
        #: Why the negotiation is over; None until it is.
        self._over: Failure | None = None

    def put(self, record: object) -> None:
        """
        Send a record.

        @param record: the record, of a type that the framing accepts.

        @raise NotConnectedError: if the negotiation is over.
        @raise TypeError: if the framing does not accept records of this type.
        @raise FramingError: if the framing cannot encode this record.
        """
        outbound = self._output("put")
        outbound.put(record)

    def putMany(self, records: Iterable[object]) -> None:
        """
        Send records, in order. If one of them cannot be encoded, none is sent.

        @param records: the records.

        @raise Exception: see L{put}.
        """
        self._output("putMany").putMany(records)

    def write(self, data: bytes) -> None:
        """
        Send bytes unchanged, without the framing.

        @param data: the bytes.

        @raise NotConnectedError: if the negotiation is over.
        @raise TypeError: if C{data} is not bytes.
        """
        self._output("write").write(data)

    def setFraming(self, framing: FramingSpec[Any]) -> None:
        """
        Use another framing for the bytes after the records that L{nextRecord} has
        returned, and for records that are put from now on. It stays in use after the
        negotiation.

        @param framing: a value of the client's setting C{framing}.

        @raise NotConnectedError: if the negotiation is over.
        @raise RuntimeError: if a L{nextRecord} is still waiting.
        @raise TypeError: if the argument is not a framing.
        """
        outbound = self._output("set the framing")
        if self._waiter is not None:
            raise RuntimeError(
                "setFraming() cannot be called while nextRecord() is waiting"
            )
        fresh = freshFraming(framing)
        self._reading.inbound.use(fresh)
        outbound.use(fresh)

    def nextRecord(self) -> Deferred[Any]:
        """
        Read one record.

        @return: a Deferred that fires with the record, or fails: with the reason for
            the end of the connection, with a L{NotConnectedError
            <twisted_clienttcp.errors.NotConnectedError>} when the negotiation is over,
            or with a L{FramingError<twisted_clienttcp.errors.FramingError>} if the
            bytes received cannot be decoded.

        @raise RuntimeError: if the last Deferred has not fired yet.
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
        else:
            self._receive()
        if self._waiter is not None:
            self._read(True)
        return waiter

    def startTLS(self, options: object = True) -> Deferred[bool]:
        """
        Use TLS from now on, after the server has agreed to a command such as STARTTLS
        (RFC 3207). Read everything that the server sends in clear text first: if any of
        it is unread, the attempt fails. Records put before are sent in clear text.

        @param options: a value of the client's setting C{tls}: True to require a
            certificate that the platform trusts and that is valid for the host of the
            connection; or the result of C{twisted.internet.ssl.optionsForClientTLS}.

        @return: a Deferred that fires with True when the handshake is complete and the
            certificate is verified, so C{preConnect} may return it. It fails with the
            reason for the end of the connection, usually a L{TLSError
            <twisted_clienttcp.errors.TLSError>}.

        @raise NotConnectedError: if the negotiation is over.
        @raise RuntimeError: if a L{nextRecord} is still waiting, if the connection uses
            TLS already, or if the transport cannot start it.
        @raise TypeError: if the options have the wrong type.
        @raise ImportError: if the extra C{tls} is not installed.
        @raise ValueError: if the options are True and no host name is known.
        """
        self._output("start TLS")
        if self._waiter is not None:
            raise RuntimeError(
                "startTLS() cannot be called while nextRecord() is waiting"
            )
        if ISSLTransport.providedBy(self.transport):
            raise RuntimeError("the connection uses TLS already")
        inbound = self._reading.inbound
        if unread := inbound.discard():
            failure = Failure(ClearText(unread))
            self._refuse(failure)
            self._started = fail(failure)
            return self._started
        self._startTLS(options, inbound.buffer.swallows)
        if self._over is not None:
            self._started = fail(self._over)
        else:
            self._started = self._handshake = Deferred()
            self._read(True)
        return self._started

    def _output(self, action: str) -> OutputQueue:
        if self._over is not None:
            raise NotConnectedError(f"cannot {action}: the negotiation is over")
        return self._outbound

    def _forget(self, waiter: Deferred[Any]) -> None:
        self._waiter = None
        self._read(False)

    def _fire(self, result: object) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(result)

    def _read(self, wanted: bool) -> None:
        """
        Read from the transport, or pause it. During a handshake, it is always read.
        """
        self._reading.read(wanted or self._handshake is not None)

    def _receive(self) -> None:
        """
        Decode a record if one is awaited and its bytes have been received.
        """
        if self._waiter is None:
            return
        try:
            record = self._reading.inbound.next()
            if record is None:
                return
            result = record[0]
        except Exception:
            result = Failure()
        self._read(False)
        self._fire(result)


class ConnectionNegotiation(Negotiation):
    """
    A negotiation, with the methods that the connection calls.
    """

    def __dir__(self) -> list[str]:
        """
        @return: the names that users may use, for completion in a shell.
        """
        return [*dir(Negotiation), "transport"]

    #: Bytes may have been received.
    received = Negotiation._receive

    def agreed(self, then: Callable[[], object]) -> None:
        """
        C{preConnect} has agreed to the connection.

        @param then: called now or, if C{preConnect} has started a handshake, after
            that; never if the handshake fails.
        """
        if self._handshake is None:
            then()
        else:
            self._then = then

    def finished(self) -> None:
        """
        C{preConnect} has finished. If L{startTLS} fails and C{preConnect} has not
        handled that, only the end of the connection reports it.
        """
        started, self._started = self._started, None
        if started is not None:
            started.addErrback(lambda failure: None)

    def hasEndedWith(self, error: BaseException) -> bool:
        """
        Return True if this error has ended the negotiation, and was passed on to
        C{preConnect}.
        """
        return self._over is not None and self._over.value is error

    def secured(self) -> bool:
        """
        Continue after a TLS handshake.

        @return: True if L{startTLS} had started the handshake.
        """
        handshake, self._handshake = self._handshake, None
        if handshake is None:
            return False
        self._read(self._waiter is not None)
        handshake.callback(True)
        then, self._then = self._then, None
        if then is not None:
            then()
        return True

    def wait(self) -> None:
        """
        C{preConnect} waits for something: read nothing until that is a record.
        """
        if self._waiter is None:
            self._read(False)

    def end(self, failure: Failure) -> None:
        """
        End the negotiation. All its Deferreds that have not fired fail.

        @param failure: the reason.
        """
        if self._over is None:
            self._over = failure
            self._fire(failure)
            handshake, self._handshake = self._handshake, None
            if handshake is not None and not handshake.called:
                handshake.errback(failure)
