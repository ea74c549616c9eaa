"""
Octets as they come.
"""

from __future__ import annotations

from collections.abc import Iterable

from ._common import Octets, octetsOf


class Stream:
    """
    No framing: each read is one record, as it came, and each record goes out as
    it is (POE::Filter::Stream).
    """

    chunkInvariant = False
    reversible = True

    def __init__(self) -> None:
        self._last = b""

    def feed(self, data: bytes) -> Iterable[bytes]:
        """
        @return: the octets themselves; nothing for no octets.
        """
        self._last = data
        return [data] if data else []

    def finish(self) -> Iterable[bytes]:
        """
        @return: nothing: a stream is complete wherever it ends.
        """
        self._last = b""
        return []

    def frame(self, record: Octets) -> bytes:
        """
        @return: the octets of the record.

        @raise TypeError: if the record is not octets.
        """
        return octetsOf(record)

    def release(self, delivered: int) -> bytes:
        """
        @return: the last read, unless it has been delivered.
        """
        last, self._last = self._last, b""
        return b"" if delivered else last

    def clone(self) -> Stream:
        """
        @return: another one.
        """
        return type(self)()
