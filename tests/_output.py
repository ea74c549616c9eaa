"""
Data for tests of the output.
"""

from __future__ import annotations

from hypothesis import strategies as st

from ._support import CHUNK

#: Sizes of records: short ones, and those of about a chunk or more.
sizes = st.one_of(st.integers(0, 100), st.integers(CHUNK - 2, CHUNK * 3))


def data(size: int, seed: int) -> bytes:
    """
    @return: this number of bytes, which show where they come from.
    """
    return (b"%06d." % seed * (size // 7 + 1))[:size]
