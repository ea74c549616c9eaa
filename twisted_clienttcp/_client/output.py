"""
The queue that records are put into: that of the connection, or the offline queue.
"""

from __future__ import annotations

from typing import Any

from .._connection.offline import OfflineQueue
from .._connection.queue import Marks, OutputQueue
from ..framing import Framing, Stream
from .settings import Settings

#: The offline queues of all clients without C{offlineLimit}: they accept nothing.
_NONE = OfflineQueue(Stream(), Marks(), 0)
_STOPPED = OfflineQueue(Stream(), Marks(), 0)
_STOPPED.setStopped(True)


class Output:
    """
    The output of a client, with and without a connection.

    Everything that puts records asks C{queue}, and a producer is registered only with a
    connection that L{isSentBy} is true for::

        state                    records                limit or error
        -----------------------  ---------------------  ---------------------------
        connected                are sent               outputLimit
        our side has ended       are refused            Refusal.CLOSED
        a drain, and until the   wait for the next      outputLimit, with those of
        next connection          connection             the connection that drains
        a drain with a producer  are sent               outputLimit
        or before a stop
        no connection            wait for a connection  offlineLimit
        without offlineLimit     are refused            Refusal.NO_CONNECTION
        stopped                  are refused            Refusal.STOPPED

    @ivar queue: the queue that accepts records now.
    @ivar offline: the queue for records that wait for a connection. It may contain
        records of an earlier connection while there is another one. Clients without
        C{offlineLimit} share it.
    """

    __slots__ = ("_client", "offline", "queue")

    def __init__(self, client: Settings) -> None:
        self._client = client
        self.offline = _NONE
        self.queue: OutputQueue = _NONE
        self.configure()

    @property
    def _isShared(self) -> bool:
        return self.offline is _NONE or self.offline is _STOPPED

    def configure(self) -> None:
        """
        Apply the setting C{offlineLimit}.
        """
        client = self._client
        if not self._isShared:
            self.offline.configure(client.offlineLimit)
            if self.offline.draining is not None:
                self.offline.draining.limit = client.outputLimit
        elif client.offlineLimit:
            offline = OfflineQueue(client.framing, client.marks, client.offlineLimit)
            offline.setStopped(self.offline is _STOPPED)
            self._use(offline)

    def _use(self, offline: OfflineQueue) -> None:
        if self.queue is self.offline:
            self.queue = offline
        self.offline = offline

    def setStopped(self, hasStopped: bool) -> None:
        """
        Accept nothing while the client has stopped.
        """
        if self._isShared:
            self._use(_STOPPED if hasStopped else _NONE)
        else:
            self.offline.setStopped(hasStopped)

    def setFraming(self, framing: Framing[Any]) -> None:
        """
        Apply the setting C{framing}.
        """
        if not self._isShared:
            self.offline.setFraming(framing)

    def setMarks(self, marks: Marks) -> None:
        """
        Apply other marks.
        """
        if not self._isShared:
            self.offline.setMarks(marks)

    def isSentBy(self, queue: OutputQueue) -> bool:
        """
        Return True if records that are put now are accepted and sent by a connection.

        @param queue: the queue of the connection.
        """
        return self.queue is queue and queue.refusal is None

    @property
    def pending(self) -> int:
        """
        The bytes that are pending, on the connection and for the next one.
        """
        offline = self.offline
        return offline.total + (0 if self.queue is offline else self.queue.pending)

    @property
    def accepted(self) -> tuple[int, int]:
        """
        The bytes and records that were put on the connection or for the next one.
        """
        data, records = self.offline.accepted
        if self.queue is self.offline:
            return data, records
        moreData, moreRecords = self.queue.accepted
        return data + moreData, records + moreRecords

    def sendOffline(self, queue: OutputQueue) -> list[tuple[bytes, BaseException]]:
        """
        Move the records that wait to the queue of a connection, if it is in use, after
        those that C{connected} has put, which only this connection may send.

        @return: the records that the framing of the connection cannot encode, each with
            the error.
        """
        if not self.isSentBy(queue):
            return []
        queue.own()
        rejected = self.offline.moveTo(queue)
        self.endWait()
        if not self.offline.limit:
            # The queue was needed only for a drain.
            self._use(_NONE)
        return rejected

    def divert(self, queue: OutputQueue) -> None:
        """
        Let the records that are put from now on wait for the next connection.

        @param queue: the queue of the current connection, which drains.
        """
        if self.queue is not queue:
            return
        client = self._client
        if self._isShared:
            self._use(OfflineQueue(client.framing, client.marks, client.offlineLimit))
        self.queue = self.offline
        self.offline.follow(queue)

    def awaitNext(self) -> None:
        """
        Continue to accept records for the next connection: the connection that drained
        has ended, and an attempt follows.
        """
        offline, limit = self.offline, self._client.outputLimit
        offline.follow(OutputQueue(offline.origin, offline.marks, limit=limit))

    def endWait(self) -> None:
        """
        Let C{offlineLimit} apply again after a drain: the next connection is made, or
        may not be made for a long time.
        """
        if self.offline.draining is not None:
            self.offline.follow(None)

    def takeBack(self, queue: OutputQueue) -> None:
        """
        Keep the records of a connection that no transport has received for the next
        one, if there is an C{offlineLimit}.

        @param queue: the queue of the connection.
        """
        limit = self.offline.limit
        if limit and (self.queue is queue or self.offline.draining is queue):
            self.queue = self.offline
            self.offline.restore(queue.takeBack(limit))

    def drop(self) -> int:
        """
        Discard the records that wait for a connection.

        @return: the number of bytes.
        """
        self.endWait()
        unsent = self.offline.pending
        if unsent:
            self.offline.clear()
        return unsent
