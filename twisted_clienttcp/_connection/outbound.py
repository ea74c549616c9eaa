"""
From the queue to the transport, and knowing when the kernel has it all.

Theory of operation:

 1. Twisted has no event for "everything is written". But a transport asks a I{pull}
    producer for more exactly when it has given its last byte to the kernel, so the
    L{Outbound} is one. A transport does not close while it has a producer, so it is
    registered only while the transport holds a chunk.
 2. A socket mostly takes a chunk at once. So its transport is told to write without the
    detour through the reactor, and only what is left over then needs rule 1. An error
    that this meets is met again by the reactor, which reports it as any other. But the
    kernel tells of a reset once: who reads after that finds the end of the stream.
    Events that are posted come before the flush, though, as they do in POE: they take
    their turn while the bytes go by the reactor.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IPullProducer,
    IReactorTime,
    ITransport,
)
from zope.interface import implementer

from ..framing import Framing
from .producer import ProducerControl
from .queue import Marks, OutputQueue

#: How many chunks are written in one turn, so that others get theirs.
_AT_ONCE = 4


class OutboundOwner(Protocol):
    """
    Who is told how the output stands.
    """

    @property
    def eventful(self) -> bool:
        """
        Whether events are posted that are handled in this turn or the next.
        """

    def _high(self) -> bool:
        """
        It has reached the user's high mark. Told in a turn of its own, or at the end of
        a read.

        @return: whether there was anybody to tell.
        """

    def _low(self) -> None:
        """
        It has fallen to the user's low mark, after that.
        """

    def _flushed(self) -> None:
        """
        The kernel has all that was sent. With TLS this may come early by what one
        buffer of the transport holds; with a transport that is no C{IConsumer}, handed
        over counts as sent.
        """

    def _producerRaised(self, order: str, error: BaseException) -> None:
        """
        The application's producer has raised.
        """


@implementer(IPullProducer)
class Outbound(OutputQueue):
    """
    The queue of a connection: hands the transport a chunk at a time, the next one when
    it is empty, and pauses and resumes the application's producer.

    What is sent in one turn of the reactor leaves together, in a turn of its own,
    unless somebody holds the output back meanwhile (see L{hold}).

    @ivar supply: the application's producer; None if there has been none.
    @ivar failed: the kernel has refused bytes.
    """

    __slots__ = (
        "_call",
        "_clock",
        "_isConsumer",
        "_isSocket",
        "_owner",
        "_registered",
        "_stopped",
        "_transport",
        "_untold",
        "failed",
        "supply",
    )

    def __init__(
        self,
        transport: ITransport,
        clock: IReactorTime,
        framing: Framing[Any],
        marks: Marks,
        owner: OutboundOwner,
    ) -> None:
        super().__init__(framing, marks)
        self._transport: Any = transport
        self._clock = clock
        self._owner = owner
        self._isSocket = isinstance(transport, FileDescriptor)
        self._isConsumer = self._isSocket or IConsumer.providedBy(transport)
        self._registered = False
        self._stopped = False
        self.failed = False
        #: The high mark has been reached, and nobody told.
        self._untold = False
        self._call: IDelayedCall | None = None
        self.supply: ProducerControl | None = None

    def _pending(self) -> int:
        return self.pending

    @property
    def supplied(self) -> bool:
        """
        Whether there is a producer of the application's.
        """
        return self.supply is not None and self.supply.active

    # -- what the queue tells

    def wake(self) -> None:
        """
        Hand out what is queued in the next turn.
        """
        self._soon()

    def high(self, marked: bool) -> None:
        """
        Pause the producer, and tell in the next turn.
        """
        if self.supply is not None:
            self.supply.pause()
        if marked:
            self._untold = True
            self._soon()

    def low(self, marked: bool) -> None:
        """
        Tell; whoever empties the queue resumes the producer.
        """
        if marked:
            self._tellHigh()
            self._untold = False
            self._owner._low()

    def _soon(self) -> None:
        if self._call is None and not self._stopped:
            self._call = self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        self._call = None
        self.pump()

    def _tellHigh(self) -> None:
        if self._untold:
            self._untold = False
            if not self._owner._high():
                self._untold = True

    # -- what the connection orders

    def hold(self) -> bool:
        """
        Hand out nothing until L{pump}, even if nothing is going on.

        @return: whether it is to be called.
        """
        if not self.idle:
            return False
        self.rest(False)
        return True

    def pump(self) -> None:
        """
        Hand the transport what is queued, if it is empty.
        """
        if self._untold:
            self._tellHigh()
        if not self.handed and not self._stopped:
            self._hand()

    def stop(self) -> None:
        """
        Hand out nothing more.
        """
        self._stopped = True
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        if self.supply is not None:
            self.supply.stop()

    def supplyFrom(self, producer: object, streaming: bool) -> None:
        """
        Let a producer of the application's fill the queue.

        @raise RuntimeError: if there is one already.
        """
        if self.supply is None:
            self.supply = ProducerControl(self._pending, self._owner._producerRaised)
        self.supply.register(producer, streaming)
        self.produced = True
        if self.isHigh:
            self.supply.pause()
        elif not streaming:
            self.supply.resume()

    def supplyEnded(self) -> None:
        """
        The producer has no more.
        """
        if self.supply is not None:
            self.supply.unregister()
            self.produced = False

    def mark(self, marks: Marks) -> None:
        """
        Have other marks.
        """
        if self._stopped:
            return
        super().mark(marks)
        if self.supply is not None and not self.isHigh:
            self.supply.resume()

    def opened(self) -> None:
        """
        From now on there is somebody to tell.
        """
        if self._untold:
            self._soon()

    def _hand(self) -> None:
        """
        Hand the transport chunk after chunk, until it is not empty any more or there is
        none.
        """
        transport = self._transport
        for _ in range(_AT_ONCE):
            chunk = self.take()
            if not chunk:
                self.rest(True)
                return
            transport.write(chunk)
            if self._isConsumer and not self._written():
                # This asks for more at once, which resumeProducing knows by the flag.
                transport.registerProducer(self, False)
                self._registered = True
                return
            self._drained()
            if self._stopped:
                return
            if not self.pending:
                self._empty()
                return
            if self._owner.eventful:
                break
        self._soon()

    def _written(self) -> bool:
        """
        @return: whether the kernel has taken all at once.
        """
        transport = self._transport
        if not self._isSocket or transport.disconnecting or self._owner.eventful:
            return False
        # An error is left to the reactor's own call, which reads before it reports it.
        doWrite = transport.doWrite
        if getattr(doWrite, "withoutReading", doWrite)() is not None:
            self.failed = True
            return False
        # One that somebody has aborted takes nothing out of its second buffer.
        return not (transport.dataBuffer or transport._tempDataLen)

    # -- what the transport tells

    def resumeProducing(self) -> None:
        """
        The transport is empty.
        """
        if not self._registered:
            return
        self._drained()
        if self._stopped or not self._registered:
            return
        chunk = self.take()
        if chunk:
            self._transport.write(chunk)
            return
        self._registered = False
        self._transport.unregisterProducer()
        self._empty()

    def handOver(self) -> None:
        """
        Hand the transport all that is queued, whether it is empty or not, and produce
        nothing for it any more: it is about to become another.
        """
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        self.emptied()
        while chunk := self.take():
            self._transport.write(chunk)
            self.emptied()
        if self._registered:
            self._registered = False
            self._transport.unregisterProducer()
        self.rest(True)

    def stopProducing(self) -> None:
        """
        The transport is lost. What it held stays pending.
        """
        self._registered = False

    def _drained(self) -> None:
        if self._untold:
            # While it is so.
            self._tellHigh()
        self.emptied()
        supply = self.supply
        if supply is not None and supply.active and not self.isHigh:
            supply.resume()

    def _empty(self) -> None:
        self.rest(True)
        self._owner._flushed()
