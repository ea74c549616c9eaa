"""
The queue of records that are put without a connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import OutputFull
from ..framing import Framing, Stream
from .queue import Marks, OutputQueue, checked


class OfflineQueue(OutputQueue):
    """
    Takes what is put without a connection, up to a limit. Nobody empties it, and
    C{put} says whether the high mark is reached.

    @ivar limit: in bytes; 0 for none.
    """

    __slots__ = ("limit",)

    def __init__(self, framing: Framing[Any], marks: Marks, limit: int) -> None:
        """
        @param limit: as the attribute.
        """
        super().__init__(framing, marks)
        self.limit = limit
        self.idle = False
        self._aim()
        self.open()

    def open(self) -> None:
        """
        Accept records, after L{close}.
        """
        self._closed = "" if self.limit else _NO_CONNECTION
        self.encode = self._encode

    def bound(self, limit: int) -> None:
        """
        Change the limit. Records that are queued already stay.
        """
        self.limit = limit
        if self._closed != HAS_STOPPED:
            self.open()

    def use(self, framing: Framing[Any]) -> None:
        """
        As L{OutputQueue.use}, for records that are put from now on.
        """
        self._framing = framing

    def _encode(self, record: Any) -> bytes:
        """
        @raise NotConnectedError: if nothing is accepted.
        @raise OutputFull: if this would be too much.
        """
        self._check(0)
        encoded = checked(self._framing, self._framing.encode)(record)
        self._check(len(encoded))
        return encoded

    def _check(self, size: int) -> None:
        if self._closed:
            self._refuse(None)
        if self.pending + size > self.limit:
            raise OutputFull(size, self.pending, self.limit)

    def send(self, data: bytes) -> bool:
        """
        As L{OutputQueue.send}.

        @raise NotConnectedError: if nothing is taken.
        @raise OutputFull: if this would be too much.
        """
        self._check(len(data))
        return super().send(data)

    def sendAll(self, records: Iterable[Any], apart: bool = True) -> bool:
        """
        As L{OutputQueue.sendAll}.

        @raise NotConnectedError: if nothing is taken.
        @raise OutputFull: if all of them would be too much; then none is taken.
        """
        self._check(0)
        parts = list(map(checked(self._framing, self._framing.encode), records))
        self._check(sum(map(len, parts)))
        return self.adopt(parts)

    def moveTo(self, queue: OutputQueue) -> None:
        """
        Give all to an queue that has a transport.
        """
        queue.adopt(self.clear())

    def clear(self) -> list[bytes]:
        """
        @return: what was queued, and is not any more.
        """
        parts = self.parts[:]
        self.parts.clear()
        self.pending = 0
        self.isHigh = False
        self._aim()
        return parts


_NO_CONNECTION = (
    "there is no connection: start() the client, and put in connected() or later, or "
    "after whenConnected(); in preConnect, use the negotiation; or set offlineLimit, "
    "so that records wait for a connection"
)

HAS_STOPPED = "the client has stopped"

#: The queues without a limit, which take nothing: nobody needs one of his own.
NOT_CONNECTED = OfflineQueue(Stream(), Marks(), 0)
CLOSED = OfflineQueue(Stream(), Marks(), 0)
CLOSED.close(HAS_STOPPED)
