"""
A stream of bytes without framing.
"""

from __future__ import annotations

from ._base import Buffer, Framing
from ._checks import BytesLike, bytesOf, cut


class Stream(Framing[bytes], leaf=True):
    """
    No framing: the bytes of each read are one record, and records are sent unchanged
    (POE::Filter::Stream). C{maxLength} has no effect.
    """

    chunkInvariant = False

    def __init__(self) -> None:
        pass

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[bytes], int]:
        return [cut(data, start, len(data))], len(data)

    def encode(self, record: BytesLike) -> bytes:
        """
        Send the bytes of a record unchanged.

        @param record: C{bytes}, C{bytearray} or C{memoryview}.

        @return: the bytes of the record.

        @raise TypeError: if the record is not bytes.
        """
        return bytesOf(record)
