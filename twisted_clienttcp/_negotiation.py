"""
The time between having a transport and being C{connected}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, ITransport
from twisted.python.failure import Failure

from .errors import NotConnectedError
from .framing import Framing


class Negotiation:
    """
    What C{preConnect} talks through (its second argument), and what keeps the octets
    that come before the connection is usable.

    While it is negotiated, a connection is read only while a L{nextRecord} waits, and
    decoded only so far. What stands behind that record goes, unread, to the next one,
    or to C{serverInput} once C{connected} has returned.

    @ivar transport: the transport of the connection.
    """

    def __init__(
        self, transport: ITransport, framing: Framing, send: Callable[[bytes], None]
    ) -> None:
        self.transport = transport
        self._framing = framing
        self._send = send
        self._held: list[bytes] = []
        self._waiter: Deferred[Any] | None = None
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
        self._send(self._framing.frame(record))

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
            raise RuntimeError("nextRecord() is still waiting: one at a time")
        waiter: Deferred[Any] = Deferred(self._forget)
        self._waiter = waiter
        if self._over is not None:
            self._fire(self._over)
        elif self._held:
            self._received(self._rest())
        if self._waiter is not None:
            self._reading(True)
        return waiter

    def _forget(self, waiter: Deferred[Any]) -> None:
        self._waiter = None
        self._reading(False)

    def _fire(self, result: Any) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(result)

    def _reading(self, wanted: bool) -> None:
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
