"""
Pass the queue to the transport, and detect when the kernel has accepted everything.

Theory of operation:

 1. Twisted has no event for "everything is written". But a transport asks a I{pull}
    producer for more data exactly when it has passed its last byte to the kernel. So
    L{Outbound} is a pull producer. A transport does not close while it has a producer,
    so this one is registered only while the transport buffers a chunk.
 2. With TLS, rule 1 is true only for the transport below TLS. So the producer is
    registered there, and chunks bypass the buffer that Twisted puts above TLS.
 3. A socket usually accepts a chunk immediately. So chunks are written to the socket at
    once, and rule 1 applies only to the bytes that it does not accept. If such a write
    fails, the reactor writes again and reports the error. (The kernel reports a reset
    only once: a later read finds the end of the stream.) If named events are posted,
    the reactor writes the chunk, so that the events are handled before the flush, as in
    POE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IPullProducer,
    IReactorTime,
)
from zope.interface import implementer

from .. import _tls
from ..framing._base import AnyFraming
from .owner import ConnectionOwner, ConnectionT
from .producer import ProducerControl
from .queue import NEVER, Marks, OutputQueue, Refusal

#: The most chunks to write in one turn, so that other connections are not delayed.
_CHUNKS_PER_TURN = 4


@implementer(IPullProducer)
class Outbound(OutputQueue):
    """
    The output of a connection: passes the queue to the transport, a chunk at a time,
    and pauses and resumes the registered producer.

    All records that are put in one turn of the reactor are sent together, in the next
    turn.

    @ivar clock: the clock of the connection.
    @ivar isHeld: the connection sets this to True while it processes received bytes.
        Records that are put during this time are sent by L{pump} at its end.
    @ivar isDue: True if L{pump} must be called after C{isHeld} is set to False.
    @ivar isStopped: True if no more output is accepted or passed on.
    @ivar hasFailed: True if writing to the socket has failed.
    @ivar onWrite: called whenever a chunk is written, unless it is None.
    @ivar whenFlushed: called after the owner whenever the kernel has accepted
        everything, unless it is None. If the transport does not provide C{IConsumer},
        this is when the transport has accepted everything.
    """

    __slots__ = (
        "_call",
        "_connection",
        "_consumer",
        "_hasMarks",
        "_isByUser",
        "_isHandshaking",
        "_isHigh",
        "_isRegistered",
        "_isUnreported",
        "_owner",
        "_producer",
        "_socket",
        "_tls",
        "_transport",
        "_write",
        "clock",
        "hasFailed",
        "isDue",
        "isHeld",
        "isStopped",
        "onWrite",
        "whenFlushed",
    )

    def __init__(
        self,
        transport: Any,
        clock: IReactorTime,
        owner: ConnectionOwner[ConnectionT],
        connection: ConnectionT,
        framing: AnyFraming,
        marks: Marks,
        **options: Any,
    ) -> None:
        """
        @param transport: the transport of the connection.
        @param clock: the clock of the connection.
        @param owner: notified of the marks and of flushes.
        @param connection: the connection that the output belongs to.
        @param framing: see L{OutputQueue}, also for C{marks}.
        @param options: further keyword arguments of L{OutputQueue}.
        """
        super().__init__(framing, marks, **options)
        self.clock = clock
        self._owner: ConnectionOwner[Any] = owner
        self._connection: Any = connection
        self._call: IDelayedCall | None = None
        self._producer: ProducerControl | None = None
        self._isRegistered = False
        self.isStopped = False
        #: True if the marks apply: they are the user's, or a producer is registered.
        self._hasMarks = marks.given
        #: True after C{pending} has reached the high mark, until it has fallen to the
        #: low mark.
        self._isHigh = False
        #: True if this high mark is the user's.
        self._isByUser = False
        #: True if C{serverHigh} must still be called for it.
        self._isUnreported = False
        self.hasFailed = False
        self.isDue = False
        self.isHeld = False
        self.onWrite: Callable[[], object] | None = None
        self.whenFlushed: Callable[[], object] | None = None
        self._use(transport)

    def _use(self, transport: Any) -> None:
        """
        Find out how to write to a transport, and which of its layers asks a producer
        for more when the kernel has accepted everything.
        """
        self._transport = transport
        self._consumer = transport
        #: None for the method of the transport.
        self._write: Callable[[bytes], object] | None = None
        self._tls = _tls.layerOf(transport)
        self._isHandshaking = self._tls is not None
        if self._tls is not None:
            self._consumer = _tls.below(self._tls)
            self._write = _tls.unbufferedWrite(self._tls)
        #: The transport that has a socket, if it is one of Twisted's.
        self._socket: Any = None
        for layer in (transport, self._consumer):
            if isinstance(layer, FileDescriptor):
                self._socket = layer
        if self._socket is None and not IConsumer.providedBy(self._consumer):
            self._consumer = None

    # -- the marks

    def reached(self) -> bool:
        """
        See L{OutputQueue.reached}: schedule a call of L{pump}, and at the high mark
        pause the producer and report the mark.
        """
        if not self.edge:
            self._schedule()
        marks = self.marks
        if not self._hasMarks or self.pending < marks.high:
            self.edge = marks.high if self._hasMarks else NEVER
            return False
        if not self._isHigh:
            self._isHigh = True
            self._isByUser = marks.given
            if self._producer is not None:
                self._producer.pause()
            if marks.given:
                self._isUnreported = True
                self._schedule()
        self.edge = marks.high if marks.given else NEVER
        return marks.given

    def setMarks(self, marks: Marks) -> None:
        """
        Use other marks. The output may have reached them already.
        """
        if not self.isStopped:
            self.marks = marks
            self._review()
            if self._producer is not None and not self._isHigh:
                self._producer.resume()

    def _review(self) -> None:
        """
        Apply new marks, or the fact that a producer was registered or unregistered.
        """
        marks = self.marks
        self._hasMarks = marks.given or self.hasProducer
        isHigh = self._hasMarks and self.pending > marks.low
        if self._isHigh and not (isHigh and marks.given is self._isByUser):
            self._lower()
        if self.edge:
            self.reached()

    def _lower(self) -> None:
        """
        The output is low again: report this. The caller resumes the producer.
        """
        self._isHigh = False
        if self._hasMarks:
            self.edge = self.marks.high
        if self._isByUser:
            self._reportHigh()
            self._isUnreported = False
            self._owner.outputChanged(self._connection, "serverLow")

    def _reportHigh(self) -> None:
        """
        Report the high mark, unless this has been done.
        """
        if self._isUnreported:
            reported = self._owner.outputChanged(self._connection, "serverHigh")
            self._isUnreported = not reported

    # -- the registered producer

    @property
    def hasProducer(self) -> bool:
        """
        True if a producer is registered.
        """
        return self._producer is not None and self._producer.isActive

    def _pending(self) -> int:
        return self.pending

    def _producerRaised(self, method: str, error: BaseException) -> None:
        self._owner.callbackRaised(method, error, self._connection)
        self._owner.raiseLater(error)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """
        Let a producer fill the queue.

        @param producer: the producer.
        @param streaming: see L{ProducerControl.register}.

        @raise RuntimeError: if a producer is registered already.
        """
        if self._producer is None:
            self._producer = ProducerControl(self._pending, self._producerRaised)
        self._producer.register(producer, streaming)
        self._review()
        if self._isHigh:
            self._producer.pause()
        elif not streaming:
            self._producer.resume()

    def unregisterProducer(self) -> None:
        """
        Forget the producer.
        """
        if self._producer is not None:
            self._producer.unregister()
            self._review()

    # -- to the transport

    def _schedule(self) -> None:
        """
        Schedule a call of L{pump}: at the end of the current read, or in the next turn
        of the reactor.
        """
        if self.isHeld:
            self.isDue = True
        elif self._call is None and not self.isStopped:
            self._call = self.clock.callLater(0, self.pump)

    def opened(self) -> None:
        """
        The owner can report marks from now on.
        """
        if self._isUnreported:
            self._schedule()

    def pump(self) -> None:
        """
        Pass chunks to the transport as long as the kernel accepts each one immediately
        and the queue is not empty.
        """
        self.isDue = False
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        if self._isUnreported:
            self._reportHigh()
        for _ in range(_CHUNKS_PER_TURN):
            if self.passedOn or self.isStopped:
                return
            if self._tls is not None and self._isBlocked():
                return
            chunk = self.take()
            if not chunk:
                self.edge = 0
                return
            if not self._pass(chunk):
                return
            self.sent()
            if self.isStopped:
                return
            if not self.pending:
                self._reportFlush()
                return
            if self._owner.hasPostedEvents:
                break
        self._schedule()

    def _isBlocked(self) -> bool:
        """
        @return: True if TLS accepts no data: during its handshake, and while it closes.
        """
        return (
            self._isHandshaking
            or self._tls.disconnecting
            or getattr(self._consumer, "disconnecting", False)
        )

    def _pass(self, chunk: bytes) -> bool:
        """
        Write a chunk to the transport.

        @return: True if the kernel has accepted it. If not, L{resumeProducing} is
            called when it has.
        """
        consumer, socket = self._consumer, self._socket
        isNow = not (
            socket is None
            or self._isRegistered
            or socket.disconnecting
            or self._owner.hasPostedEvents
        )
        if isNow and self._tls is None:
            chunk = self._sendNow(socket, chunk)
        if chunk:
            (self._write or self._transport.write)(chunk)
        if self.onWrite is not None:
            self.onWrite()
        if self._tls is not None and self._isBlocked():
            # TLS has failed, and the chunk was not sent.
            if self._isRegistered:
                self._unregister()
            return False
        if self._isRegistered:
            return False
        if not chunk or consumer is None:
            return True
        if isNow and self._tls is not None and self._flushNow(socket):
            return True
        # registerProducer() calls resumeProducing(), which ignores the call, because
        # _isRegistered is still False.
        if self._tls is not None:
            _tls.whenClosed(consumer, self._tlsEnded)
        consumer.registerProducer(self, False)
        self._isRegistered = True
        return False

    def _sendNow(self, socket: FileDescriptor, chunk: bytes) -> bytes:
        """
        Send a chunk without the buffer of the transport, which would cost two more
        system calls (benchmark row: echo).

        @return: the rest of the chunk. If sending fails, this is the whole chunk: the
            reactor sends it again and reports the error.
        """
        # abortConnection() replaces a method of the transport.
        if not isEmpty(socket) or "doWrite" in vars(socket):
            return chunk
        sent = socket.writeSomeData(chunk)
        if not isinstance(sent, int) or sent < 0:
            self.hasFailed = True
            return chunk
        return chunk[sent:]

    def _flushNow(self, socket: FileDescriptor) -> bool:
        """
        Make the transport below TLS write.

        @return: True if the kernel has accepted everything. If writing fails, the
            reactor writes again and reports the error.
        """
        if socket.doWrite() is not None:
            self.hasFailed = True
            return False
        return isEmpty(socket)

    def resumeProducing(self) -> None:
        """
        Pass the next chunk to the transport, which has passed everything to the kernel.
        If there is none, report the flush.
        """
        if not self._isRegistered:
            return
        self.sent()
        if self.isStopped or not self._isRegistered:
            return
        isBlocked = self._tls is not None and self._isBlocked()
        if self.pending and not isBlocked:
            self._pass(self.take())
            return
        self._isRegistered = False
        self._consumer.unregisterProducer()
        if not self.pending:
            self._reportFlush()

    def stopProducing(self) -> None:
        """
        The transport is lost. The bytes in its buffer stay pending.
        """
        self._isRegistered = False

    def _unregister(self) -> None:
        self._isRegistered = False
        self._consumer.unregisterProducer()

    def _tlsEnded(self) -> None:
        if self._isRegistered:
            self._owner.outputEnds(self._connection)

    def sent(self) -> None:
        """
        See L{OutputQueue.sent}. Resume the producer if the output is low.
        """
        if self._isUnreported:
            # Report this while the output is still high.
            self._reportHigh()
        self.pending -= self.passedOn
        self.passedOn = 0
        if self._isHigh and self.pending <= self.marks.low:
            self._lower()
        producer = self._producer
        if producer is not None and producer.isActive and not self._isHigh:
            producer.resume()

    def _reportFlush(self) -> None:
        """
        Report that the kernel has accepted everything.
        """
        self.edge = 0
        self._owner.outputChanged(self._connection, "serverFlushed")
        if self.whenFlushed is not None:
            self.whenFlushed()

    # -- what the connection calls

    @property
    def isEnding(self) -> bool:
        """
        True if the transport, or the one below TLS, is closing or closed.
        """
        layers = (self._transport, self._consumer)
        return any(getattr(layer, "disconnecting", False) for layer in layers)

    def stop(self) -> None:
        """
        Stop accepting output and passing it on.
        """
        self.refusal, self.encode = Refusal.CLOSED, self._raise
        self.isStopped = True
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        if self._producer is not None:
            self._producer.stop()

    def startTLS(self, start: Callable[[], Any]) -> Any:
        """
        Pass everything that was put to the transport, in clear text, and start TLS.
        Records that are put from now on wait for the handshake.

        @param start: starts TLS on the transport, and returns the transport to use from
            then on.

        @return: that transport.
        """
        size = self.passedOn
        while chunk := self.take():
            self._transport.write(chunk)
            size += len(chunk)
        self.passedOn = size
        if self._isRegistered:
            self._unregister()
        self._use(start())
        if self._consumer is None:
            self.sent()
        elif size:
            self._consumer.registerProducer(self, False)
            self._isRegistered = True
        if not self.pending:
            self.edge = 0
        return self._transport

    def handshakeCompleted(self) -> None:
        """
        The TLS handshake is complete.
        """
        self._isHandshaking = False
        if self.edge:
            self.pump()


def isEmpty(socket: FileDescriptor) -> bool:
    """
    @return: True if a transport buffers no output. It has two buffers, and the size of
        the second one has no public name. If that name does not exist, return False.
    """
    return not (socket.dataBuffer or getattr(socket, "_tempDataLen", True))
