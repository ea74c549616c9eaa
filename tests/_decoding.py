"""
Helpers for tests of framings: split a stream anywhere, and decode it in every way that
a connection can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Any, NamedTuple
from unittest.mock import patch

from twisted_clienttcp.errors import FramingError
from twisted_clienttcp.framing import Framing, _buffer
from twisted_clienttcp.framing._buffer import InputBuffer

from ._streams import pieces


class Decoded(NamedTuple):
    """
    The result of decoding a stream.

    @ivar records: the records.
    @ivar errors: the errors, each with the number of records in front of it. All but
        the last are records that were skipped.
    @ivar rest: the bytes that are left.
    """

    records: list[Any]
    errors: list[tuple[int, type[Exception]]]
    rest: bytes


def decode(
    framing: Framing[Any], chunks: Iterable[bytes], many: bool | Sequence[bool] = True
) -> Decoded:
    """
    Decode a stream with a fresh framing.

    @param many: decode as many units at once as possible, or one by one; or which of
        these, for each step in turn.
    """
    buffer = InputBuffer(framing.fresh())
    turns = [many] if isinstance(many, bool) else many
    steps = cycle(turns)
    records: list[Any] = []
    errors: list[tuple[int, type[Exception]]] = []
    for chunk in chunks:
        buffer.append(chunk)
        while True:
            try:
                decoded = buffer.decode(next(steps))
            except FramingError as error:
                errors.append((len(records), type(error)))
                if not getattr(error, "skipped", False):
                    return Decoded(records, errors, b"")
            else:
                if decoded is None:
                    break
                records += decoded
    return Decoded(records, errors, buffer.takeRest())


def decodeEachWay(framing: Framing[Any], data: bytes, at: Iterable[int]) -> Decoded:
    """
    Decode a stream as a whole, split at these indices, and byte by byte, each time
    several units at once, one by one, and both in turn; also as if the reads were too
    large to be copied.

    @return: the result, which is always the same.

    @raise AssertionError: if it is not.
    """
    expected = decode(framing, [data], False)
    assert _stops(framing.fresh(), data), (framing, data)
    for chunks in ([data], pieces(data, at), pieces(data, range(1, len(data)))):
        for many in ([True], [False], [False] * 2 + [True], [False] * 3 + [True]):
            for small in (_buffer.SMALL, 0):
                with patch.multiple(_buffer, HEAD=3, SMALL=small):
                    found = decode(framing, chunks, many)
                context = (framing, chunks, many, small, found, expected)
                assert found == expected, context
    return expected


def _stops(framing: Framing[Any], data: bytes) -> bool:
    """
    Return True if C{decodeMany}, where it is defined, stops only where C{decode} would
    not return records.
    """
    if not data or type(framing).decodeMany is Framing.decodeMany:
        return True
    _, end = framing.decodeMany(data, 0)
    try:
        return end == len(data) or framing.decode(data, end, end) is None
    except Exception:
        return True


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
            records = buffer.decode(not oneByOne)
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
    while len(delivered) < count and (batch := buffer.decode(many=True)) is not None:
        wanted = count - len(delivered)
        consumed = buffer.rewind(min(wanted, len(batch)))
        delivered += batch if consumed is None else batch[:consumed]
    buffer.use(framing.fresh())
    found += delivered + read(buffer)[0]
    for chunk in chunks[stop + 1 :]:
        buffer.append(chunk)
        found += read(buffer)[0]
    return found, buffer.takeRest()
