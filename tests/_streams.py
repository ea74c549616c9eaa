"""
Helpers for tests of framings: cut a stream anywhere, read all records of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from twisted_clienttcp.errors import FramingError
from twisted_clienttcp.framing import Framing

cuts = st.lists(st.integers(0, 60)).map(sorted)


def pieces(data: bytes, at: Iterable[int]) -> list[bytes]:
    """
    @return: the octets, cut at those places; some pieces may be empty.
    """
    edges = [0, *(min(place, len(data)) for place in at), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def read(framing: Framing, chunks: Iterable[bytes]) -> tuple[list[Any], Any]:
    """
    @return: the records, and the type of the fault that ended them.
    """
    records: list[Any] = []
    try:
        for chunk in chunks:
            records.extend(framing.feed(chunk))
        records.extend(framing.finish())
    except FramingError as error:
        return records, type(error)
    return records, None
