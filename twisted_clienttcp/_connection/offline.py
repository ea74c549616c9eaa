"""
The queue of records that are put while there is no connection.
"""

from __future__ import annotations

from ..framing._base import AnyFraming
from .queue import NEVER, Encoded, Marks, OutputQueue

_NO_CONNECTION = (
    "there is no connection: start() the client, and put in connected() or later, or "
    "after whenConnected(); in preConnect, use the negotiation; or set offlineLimit, "
    "so that records wait for a connection"
)

_STOPPED = "the client has stopped"


class OfflineQueue(OutputQueue):
    """
    A queue that accepts records up to a limit, and from which connections take them.

    A record is encoded when it is put, so that C{put} can reject it and count its
    bytes. It is encoded again if the connection that sends it uses another framing.
    """

    __slots__ = ("_hasStopped",)

    _setting = "offlineLimit"

    def __init__(self, framing: AnyFraming, marks: Marks, limit: int) -> None:
        """
        @param framing: the framing whose fresh copies the connections use.
        @param marks: the marks; C{put} returns True at the high one.
        @param limit: how many bytes may wait; 0 to accept nothing.
        """
        self._hasStopped = False
        super().__init__(framing, marks)
        self.configure(limit)
        self.setMarks(marks)

    @property
    def isUsed(self) -> bool:
        """
        True if the queue accepts records, or holds some.
        """
        return bool(self.limit or self.pending)

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
        Accept nothing while the client has stopped.
        """
        self._hasStopped = hasStopped
        self._review()

    def _review(self) -> None:
        if self._hasStopped:
            self._closed = _STOPPED
        else:
            self._closed = "" if self.limit else _NO_CONNECTION
        self._chooseEncode()

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
        self.edge = marks.high if marks.given else NEVER

    def moveTo(self, queue: OutputQueue) -> list[BaseException]:
        """
        Move every record to the queue of a connection, whatever its limit.

        @return: the errors of those records that its framing cannot encode.
        """
        errors = []
        parts: list[bytes] = []
        for part in self.clear():
            if isinstance(part, Encoded) and part.origin is not queue.origin:
                try:
                    part = queue.encodeAnyway(part.record)
                except BaseException as error:
                    errors.append(error)
                    continue
            parts.append(part)
        queue.adopt(parts)
        return errors

    def clear(self) -> list[bytes]:
        """
        Remove and return everything.
        """
        parts, self.parts = self.parts, []
        self.pending = 0
        return parts
