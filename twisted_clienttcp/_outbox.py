"""
The octets that wait to be sent, without I/O.

The queue counts what it has and what it has handed out, so that the number it
gives is never less than what stands in user space: octets handed out count until
the transport says that it is empty.
"""

from __future__ import annotations

#: How many octets a transport is handed at a time. So little that what a lost
#: connection leaves in doubt is small, and so much that a chunk costs nothing
#: beside the system call that sends it (Twisted sends 128 KiB at the most).
CHUNK = 64 * 1024


class Outbox:
    """
    A queue of octets that is emptied in chunks.

    @ivar pending: how many octets are queued or in the transport's hands.
    @ivar handed: how many of those are in the transport's hands.
    """

    __slots__ = ("_block", "_offset", "_parts", "handed", "pending")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        # What was joined of the parts, and how much of it has been handed out.
        self._block = b""
        self._offset = 0
        self.pending = 0
        self.handed = 0

    def append(self, octets: bytes) -> None:
        """
        Queue octets.
        """
        self._parts.append(octets)
        self.pending += len(octets)

    def take(self) -> bytes:
        """
        Hand out the next chunk. All chunks handed out before must be L{emptied}.

        @return: at most L{CHUNK} octets; none if nothing is queued.
        """
        if self._offset == len(self._block):
            self._block = b"".join(self._parts)
            self._parts.clear()
            self._offset = 0
        chunk = self._block[self._offset : self._offset + CHUNK]
        self._offset += len(chunk)
        if self._offset == len(self._block):
            self._block = b""
            self._offset = 0
        self.handed = len(chunk)
        return chunk

    def emptied(self) -> None:
        """
        The transport has nothing left of what it was handed.
        """
        self.pending -= self.handed
        self.handed = 0
