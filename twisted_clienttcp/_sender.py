"""
From the queue to the transport, and knowing when the kernel has it all.

Twisted has no event for "everything is written". But a transport asks a I{pull}
producer for more exactly when it has given its last octet to the kernel, so the
L{Sender} is one. A transport does not close while it has a producer, so the sender
is registered only while the transport holds a chunk.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IPullProducer,
    IReactorTime,
    ITransport,
)
from zope.interface import implementer

from ._outbox import Outbox


@implementer(IPullProducer)
class Sender:
    """
    Hands the transport a chunk at a time, the next one when it is empty.

    What is sent in one turn of the reactor leaves together, in a turn of its own,
    unless somebody holds the output back meanwhile (see L{idle}).

    @ivar idle: nobody is going to L{pump}. Who sets it to False promises to pump.
    """

    __slots__ = (
        "_call",
        "_clock",
        "_flushed",
        "_outbox",
        "_registered",
        "_stopped",
        "_transport",
        "idle",
    )

    def __init__(
        self, transport: ITransport, clock: IReactorTime, flushed: Callable[[], None]
    ) -> None:
        """
        @param flushed: called each time when the kernel has all that was sent. With
            TLS it may come early by what one buffer of the transport holds; with a
            transport that is no C{IConsumer}, handed over counts as sent.
        """
        self._transport = transport
        self._clock = clock
        self._flushed = flushed
        self._outbox = Outbox()
        self._registered = False
        self._stopped = False
        self._call: IDelayedCall | None = None
        self.idle = True

    @property
    def pending(self) -> int:
        """
        The octets that the kernel does not have: never too few, and too many by one
        chunk at the most.
        """
        return self._outbox.pending

    def send(self, octets: bytes) -> None:
        """
        Queue octets.
        """
        self._outbox.append(octets)
        if self.idle and not self._stopped:
            self.idle = False
            self._call = self._clock.callLater(0, self._pumpNow)

    def _pumpNow(self) -> None:
        self._call = None
        self.pump()

    def stop(self) -> None:
        """
        Hand out nothing more.
        """
        self._stopped = True
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def pump(self) -> None:
        """
        Hand the transport what is queued, if it is empty.
        """
        outbox = self._outbox
        if outbox.handed or self._stopped:
            return
        chunk = outbox.take()
        if not chunk:
            self.idle = True
        elif IConsumer.providedBy(self._transport):
            self._transport.write(chunk)
            # This asks for more at once, which resumeProducing knows by the flag.
            self._transport.registerProducer(self, False)
            self._registered = True
        else:
            while chunk:
                self._transport.write(chunk)
                outbox.emptied()
                chunk = outbox.take()
            self._empty()

    def resumeProducing(self) -> None:
        """
        The transport is empty.
        """
        if not self._registered:
            return
        outbox = self._outbox
        outbox.emptied()
        chunk = outbox.take()
        if chunk:
            self._transport.write(chunk)
            return
        self._registered = False
        self._transport.unregisterProducer()  # type: ignore[attr-defined]
        self._empty()

    def handOver(self) -> None:
        """
        Hand the transport all that is queued, whether it is empty or not, and produce
        nothing for it any more: it is about to become another.
        """
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        outbox = self._outbox
        outbox.emptied()
        while chunk := outbox.take():
            self._transport.write(chunk)
            outbox.emptied()
        if self._registered:
            self._registered = False
            self._transport.unregisterProducer()  # type: ignore[attr-defined]
        self.idle = True

    def stopProducing(self) -> None:
        """
        The transport is lost. What it held stays pending.
        """
        self._registered = False

    def _empty(self) -> None:
        self.idle = True
        self._flushed()
