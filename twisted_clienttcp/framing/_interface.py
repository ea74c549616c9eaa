"""
The contract between a framing and whatever drives it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol


class Framing(Protocol):
    """
    A framing turns received octets into records, and records into octets. It
    does no I/O, knows no reactor, and serves one connection: a factory's framing
    is a pattern which is L{clone}d for each of them.

    What a framing holds between two calls is the octets of the one record that
    is not complete yet, and nothing else that could change a result. So::

        records = []
        for octet in stream:
            records.extend(framing.feed(bytes([octet])))
        records.extend(framing.finish())

    gives the same records as one C{feed(stream)}, for every framing that says
    it is C{chunkInvariant}.

    @cvar chunkInvariant: the records do not depend on how the stream was cut
        into reads.
    @cvar reversible: feeding what L{frame} made of a record gives that record.
    """

    chunkInvariant: bool
    reversible: bool

    def feed(self, data: bytes) -> Iterable[Any]:
        """
        Take octets as they were read and return the records they complete.

        @return: a L{list} when all is well; otherwise an iterator that yields
            the good records and then raises the L{FramingError
            <twisted_clienttcp.errors.FramingError>}, so that what came before a
            fault is always delivered.
        """

    def finish(self) -> Iterable[Any]:
        """
        The stream has ended: return the records which its end completes.
        Afterwards nothing is held of what was not complete.

        @return: as L{feed}; it ends in
            L{TruncatedRecord<twisted_clienttcp.errors.TruncatedRecord>} if
            octets are left that are no record.
        """

    def frame(self, record: Any) -> bytes:
        """
        Turn a record into the octets that stand for it.

        @raise TypeError: if the record is of a type this framing cannot take.
        @raise InvalidRecord: if the other side would not read it back as that
            one record.
        """

    def release(self, delivered: int) -> bytes:
        """
        Give up every octet after the first C{delivered} records of the last
        batch, and be empty afterwards. This is how one framing hands over to
        the next in mid-stream without losing or doubling an octet.

        A framing may have an attribute C{swallows}: octets which, should they come
        first in the next read, still belong to the last record (the second octet of a
        newline, when the first one has ended the line). Who hands over skips them.

        @param delivered: how many records of the last L{feed} or L{finish} count as
            taken, from 0 to all of them.
        """

    def clone(self) -> Framing:
        """
        @return: an empty framing configured as this one, sharing nothing that
            changes with it.
        """
