"""
The queue of records that are put while there is no connection.
"""

from __future__ import annotations

from ..framing._base import AnyFraming
from .queue import NEVER, Encoded, Marks, OutputQueue, Refusal


class OfflineQueue(OutputQueue):
    """
    A queue that accepts records up to a limit, and keeps them for the next connection.

    A record is encoded when it is put, so that C{put} can reject it and count its
    bytes. It is encoded again if the connection that sends it uses a different framing.

    @ivar draining: the queue of a draining connection, or, from the end of that
        connection until the next one, an empty queue with the same limit; otherwise
        None. Records that are put in the meantime wait for the next connection. They
        count toward this limit, together with those of the draining connection.
    """

    __slots__ = ("_hasStopped", "draining")

    def __init__(self, framing: AnyFraming, marks: Marks, limit: int) -> None:
        """
        @param framing: the client's framing, of which each connection uses a fresh
            copy.
        @param marks: the marks: C{put} returns True from the high mark on.
        @param limit: the greatest number of bytes that may wait; 0 to accept no
            records.
        """
        self._hasStopped = False
        self.draining: OutputQueue | None = None
        super().__init__(framing, marks)
        self.configure(limit)
        self.setMarks(marks)

    @property
    def isUsed(self) -> bool:
        """
        True if the queue accepts or contains records.
        """
        return bool(self.limit or self.pending or self.draining is not None)

    def configure(self, limit: int | None, keepsRecords: bool = True) -> None:
        """
        See L{OutputQueue.configure}.
        """
        self.limit = limit
        self.keepsRecords = keepsRecords
        if limit and self.framing is self.origin:
            self.setFraming(self.origin)
        self._review()

    def setStopped(self, hasStopped: bool) -> None:
        """
        Accept no records while the client has stopped.
        """
        self._hasStopped = hasStopped
        self._review()

    def follow(self, queue: OutputQueue | None) -> None:
        """
        Start or stop accepting records for the connection after a draining one.

        @param queue: see C{draining}; None to stop.
        """
        self.draining = queue
        self._review()
        self.setMarks(self.marks)

    def _review(self) -> None:
        if self._hasStopped:
            self.refuse(Refusal.STOPPED)
        elif self.limit or self.draining is not None:
            self.refuse(None)
        else:
            self.refuse(Refusal.NO_CONNECTION)

    def room(self) -> tuple[int, int | None, str]:
        """
        See L{OutputQueue.room}.
        """
        if self.draining is None:
            return self.pending, self.limit, "offlineLimit"
        return self.total, self.draining.limit, "outputLimit"

    @property
    def total(self) -> int:
        """
        The number of bytes pending here and on a draining connection.
        """
        return self.pending + (0 if self.draining is None else self.draining.pending)

    def reached(self) -> bool:
        """
        See L{OutputQueue.reached}.
        """
        return self.marks.given and self.total >= self.marks.high

    def setFraming(self, framing: AnyFraming) -> None:
        """
        Encode records with a fresh copy of another framing from now on.
        """
        self.use(framing.fresh(), framing)

    def setMarks(self, marks: Marks) -> None:
        """
        Use other marks.
        """
        self.marks = marks
        self.edge = 0 if self.draining is not None else marks.high
        if not marks.given:
            self.edge = NEVER

    def moveTo(self, queue: OutputQueue) -> list[tuple[bytes, BaseException]]:
        """
        Move all records to the queue of a connection, without regard to its limit.

        @return: the records that its framing cannot encode, each as the bytes that were
            put here and the error.
        """
        rejected: list[tuple[bytes, BaseException]] = []
        parts: list[bytes] = []
        for part in self.clear():
            if isinstance(part, Encoded) and part.origin is not queue.origin:
                try:
                    part = queue.encodeAnyway(part.record)
                except BaseException as error:
                    rejected.append((part, error))
                    continue
            parts.append(part)
        queue.adopt(parts)
        return rejected

    def restore(self, parts: list[bytes]) -> None:
        """
        Put back the encoded records of a connection, before all others.
        """
        self.parts[:0] = parts
        self.pending += sum(map(len, parts))

    def clear(self) -> list[bytes]:
        """
        Remove all records.

        @return: the encoded records.
        """
        parts, self.parts = self.parts, []
        self.pending = 0
        return parts
