"""
Helpers for tests of framings: split a stream anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import strategies as st

#: Where to split a stream.
cuts = st.lists(st.integers(0, 60)).map(sorted)


def pieces(data: bytes, at: Iterable[int]) -> list[bytes]:
    """
    Split a stream at these indices. Some pieces may be empty.
    """
    edges = [0, *(min(place, len(data)) for place in at), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]
