"""
Drives a framing in all the ways a connection does.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from twisted_clienttcp.errors import FramingError
from twisted_clienttcp.framing import Framing
from twisted_clienttcp.framing._buffer import InputBuffer

#: Where to split a stream; the places are taken modulo its length.
cuts = st.lists(st.integers(0, 10_000), max_size=12)


def pieces(data: bytes, at: Sequence[int]) -> list[bytes]:
    """
    @return: the data, split at these places.
    """
    places = sorted({place % (len(data) + 1) for place in at} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)] or [b""]


def singly(data: bytes) -> list[bytes]:
    """
    @return: the single bytes of the data.
    """
    return [data[at : at + 1] for at in range(len(data))]


def read(buffer: InputBuffer, oneByOne: bool = False) -> tuple[list[Any], bool]:
    """
    Decode all that a buffer holds.

    @return: the records, with the class of each error in its place, and whether
        decoding can go on.
    """
    found: list[Any] = []
    while True:
        try:
            records = buffer.decode() if oneByOne else buffer.decodeMany()
        except FramingError as error:
            found.append(type(error))
            if not getattr(error, "skipped", False):
                return found, False
        else:
            if records is None:
                return found, True
            found += records


def decoded(
    framing: Framing[Any],
    chunks: Sequence[bytes],
    oneByOne: bool = False,
    end: bool = True,
) -> tuple[list[Any], bytes]:
    """
    Decode a stream.

    @return: the records, with the class of each error in its place, and the bytes that
        are left.
    """
    buffer = InputBuffer(framing.fresh())
    found: list[Any] = []
    for chunk in chunks:
        buffer.append(chunk)
        more, goesOn = read(buffer, oneByOne)
        found += more
        if not goesOn:
            return found, b""
    if end:
        try:
            found += buffer.decodeEnd()
        except FramingError as error:
            found.append(type(error))
            return found, b""
        found += read(buffer, oneByOne)[0]
    return found, buffer.takeRest()


def replaced(
    framing: Framing[Any], chunks: Sequence[bytes], stop: int, count: int
) -> tuple[list[Any], bytes]:
    """
    Decode a stream, and let a fresh framing take over in chunk number C{stop}, after
    C{count} of its records or more.

    @return: as L{decoded}, without errors.
    """
    buffer = InputBuffer(framing.fresh())
    found: list[Any] = []
    for chunk in chunks[:stop]:
        buffer.append(chunk)
        found += read(buffer)[0]
    buffer.append(chunks[stop])
    delivered: list[Any] = []
    while len(delivered) < count and (batch := buffer.decodeMany()) is not None:
        wanted = count - len(delivered)
        consumed = buffer.rewind(min(wanted, len(batch)))
        delivered += batch if consumed is None else batch[:consumed]
    buffer.use(framing.fresh())
    found += delivered + read(buffer)[0]
    for chunk in chunks[stop + 1 :]:
        buffer.append(chunk)
        found += read(buffer)[0]
    return found, buffer.takeRest()
