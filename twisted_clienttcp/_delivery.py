"""
From octets to the user's callback: in order, each record once, whatever happens in
between.

There is one iterator of records not delivered yet, and the loop over it makes one test
per record: whether the callback has answered anything. Who wants the loop to end (a
hold, another framing, the end) empties the iterator from inside the callback, and keeps
what he took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntFlag
from inspect import isawaitable, iscoroutine, isgenerator
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from .framing import Framing


class Hold(IntFlag):
    """
    Who holds the records. Each has a hold of his own.
    """

    #: the user, by C{client.pauseProducing}
    USER = 1
    #: a consumer that is fed with the records, by C{client.server.pauseProducing}
    CONSUMER = 2
    #: the Deferred that the callback has answered the last record with
    ANSWER = 4


class DeliveryOwner(Protocol):
    """
    Who is told how the delivery goes.
    """

    def _faulted(self, fault: Exception) -> None:
        """
        The framing has raised that, behind the records that came before. If this does
        not stop the delivery, it goes on.
        """

    def _raised(self, error: BaseException) -> None:
        """
        The callback has raised that, or its answer failed with it; nothing is delivered
        afterwards.
        """

    def _resumed(self) -> None:
        """
        An answer has come.
        """


_NOBODY = Hold(0)

#: No records.
_NOTHING: Iterator[Any] = iter(())


class Delivery:
    """
    Cuts octets into records and delivers them. It can be held, stopped, and given
    another framing at any time, also from inside a delivery.

    @ivar framing: the present framing.
    @ivar held: who holds the records; nobody, if it is false.
    @ivar records: how many were delivered.
    @ivar backlog: how many octets wait that were not cut yet.
    """

    __slots__ = (
        "_atEnd",
        "_batched",
        "_client",
        "_count",
        "_deliver",
        "_fault",
        "_finished",
        "_octets",
        "_owner",
        "_pending",
        "_running",
        "_skip",
        "_stopped",
        "_waiting",
        "backlog",
        "framing",
        "held",
        "records",
    )

    def __init__(
        self,
        framing: Framing,
        deliver: Callable[[Any, Any], object],
        client: Any,
        owner: DeliveryOwner,
        batched: bool = False,
    ) -> None:
        """
        @param deliver: what to call with the client and each record. If it returns a
            Deferred or a coroutine, the next record waits for that.
        @param batched: C{deliver} takes the list of all the records there are.
        """
        self.framing = framing
        self.held = _NOBODY
        self.records = 0
        self.backlog = 0
        self._batched = batched
        self._deliver = deliver
        self._client = client
        self._owner = owner
        #: Records of the last batch: its size, those being delivered, those taken back.
        self._count = 0
        self._pending = _NOTHING
        self._waiting: Sequence[Any] = ()
        #: What comes behind them: a fault, octets not cut yet, the end.
        self._fault: Exception | None = None
        self._octets: list[bytes] | None = None
        self._atEnd: Callable[[], None] | None = None
        self._finished = False
        #: What a former framing would have swallowed at the head of what comes next.
        self._skip = b""
        self._running = False
        self._stopped = False

    @property
    def waiting(self) -> bool:
        """
        Whether something is to be delivered, and nobody is doing it.
        """
        return not self._running and bool(self._waiting or self._octets)

    def feed(self, data: bytes) -> None:
        """
        Deliver the records that these octets complete, when those before are delivered.
        """
        if self._running or self.held or self._octets:
            self._wait(data)
        else:
            self._cutOctets(data)
            self.run()

    def _wait(self, data: bytes) -> None:
        """
        Cut these octets later.
        """
        if self._octets is None:
            self._octets = []
        self._octets.append(data)
        self.backlog += len(data)

    def end(self, atEnd: Callable[[], None]) -> None:
        """
        Deliver the records that the end of the stream completes, when those before are
        delivered.

        @param atEnd: called after that.
        """
        self._atEnd = atEnd
        self.run()

    def run(self) -> None:
        """
        Deliver what can be delivered.
        """
        if self._running:
            return
        self._running = True
        deliver, client = self._deliver, self._client
        try:
            while self._advance():
                try:
                    for record in self._pending:
                        if (answer := deliver(client, record)) is not None:
                            self._answered(answer)
                except BaseException as error:
                    self.stop()
                    self._owner._raised(error)
                    if not isinstance(error, Exception):
                        raise
        finally:
            self._running = False

    def _answered(self, answer: object) -> None:
        """
        The callback has answered: wait, if there is anything to wait for.

        @raise TypeError: if nobody would.
        """
        if iscoroutine(answer):
            answer = Deferred.fromCoroutine(answer)
        if isinstance(answer, Deferred):
            self.held |= Hold.ANSWER
            answer.addCallbacks(self._came, self._failed)
            # To take back what waits for one that is there already would cost as much
            # for each record as there are behind it.
            if self.held & Hold.ANSWER:
                self._waiting = self._takeBack()
        elif isgenerator(answer) or isawaitable(answer):
            raise TypeError(
                f"it returned {answer!r}, which is not awaited: return a Deferred "
                "or a coroutine"
            )

    def _came(self, result: object) -> None:
        self.held &= ~Hold.ANSWER
        self.run()
        self._owner._resumed()

    def _failed(self, failure: Any) -> None:
        self.held &= ~Hold.ANSWER
        self.stop()
        self._owner._raised(failure.value)

    def _advance(self) -> bool:
        """
        Go on to what comes next.

        @return: whether there are records to deliver.
        """
        while not self._stopped:
            if self.held and (self._waiting or self._octets or self.held & Hold.ANSWER):
                return False
            if self._waiting:
                waiting, self._waiting = self._waiting, ()
                self.records += len(waiting)
                self._pending = iter([waiting] if self._batched else waiting)
                return True
            if self._fault is not None:
                fault, self._fault = self._fault, None
                if getattr(fault, "skipped", False):
                    # The framing goes on with what stands behind that record.
                    self._wait(b"")
                self._owner._faulted(fault)
            elif self._octets:
                data = b"".join(self._octets)
                self._octets = None
                self.backlog = 0
                self._cutOctets(data)
            elif self._atEnd is not None and not self._finished:
                self._finished = True
                self._cut(self.framing.finish)
            elif self._atEnd is not None:
                atEnd, self._atEnd = self._atEnd, None
                atEnd()
                return False
            else:
                return False
        return False

    def _cutOctets(self, data: bytes) -> None:
        if self._skip and data:
            data = data.removeprefix(self._skip)
            self._skip = b""
        self._cut(self.framing.feed, data)

    def _cut(self, cut: Callable[..., Iterable[Any]], *args: Any) -> None:
        """
        Make the next batch.
        """
        records: list[Any] = []
        try:
            batch = cut(*args)
            if type(batch) is list:
                records = batch
            else:
                for record in batch:
                    records.append(record)
        except Exception as fault:
            self._fault = fault
        self._waiting = records
        self._count = len(records)

    def _takeBack(self) -> list[Any]:
        """
        End the loop over the records.

        @return: those that were not delivered.
        """
        undelivered = [*self._pending]
        if self._batched and undelivered:
            undelivered = undelivered[0]
        self.records -= len(undelivered)
        undelivered += self._waiting
        self._waiting = ()
        return undelivered

    def hold(self, who: Hold) -> None:
        """
        Deliver nothing for now.
        """
        self.held |= who
        self._waiting = self._takeBack()

    def release(self, who: Hold) -> None:
        """
        Go on delivering, if nobody else holds the records.
        """
        self.held &= ~who
        self.run()

    def swap(self, framing: Framing) -> None:
        """
        Cut all octets behind the records delivered until now with another framing. What
        there is of them is delivered when the present callback has returned, or else by
        L{run}.
        """
        octets = self.framing.release(self._count - len(self._takeBack()))
        if octets:
            self._octets = [octets, *(self._octets or ())]
            self.backlog += len(octets)
        else:
            # One that is empty has nothing to say of what the one before would swallow.
            self._skip = getattr(self.framing, "swallows", b"") or self._skip
        self._finished = False
        # The fault was found in those octets; the other framing may find none.
        self._fault = None
        self._count = 0
        self.framing = framing

    def stop(self) -> None:
        """
        Deliver nothing any more.
        """
        self._stopped = True
        self._takeBack()
        self._octets = None
        self.backlog = 0
        self._fault = None
        self._atEnd = None
