"""
Decodes unit by unit, for framings that cannot decode several units at once.
"""

from __future__ import annotations

from ._base import Framing, Record


def decodeEach(
    framing: Framing[Record], data: bytes, start: int
) -> tuple[list[Record], int]:
    """
    Decode all units that L{Framing.decodeMany} may decode, one after the other.
    """
    records: list[Record] = []
    swallows = framing.swallows
    try:
        while start < len(data) and not framing.hasMore:
            found = framing.decode(data, start, start)
            if found is None:
                break
            records += found[0]
            start = found[1]
            swallows = framing.swallows
    except Exception:
        # The next call of decode() raises the exception again.
        framing.swallows = swallows
    return records, start
