"""
Helpers for tests of framings: split a stream anywhere, and decode it in every way that
a connection can.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from twisted_clienttcp.errors import FramingError
from twisted_clienttcp.framing import Framing
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
    framing: Framing[Any], chunks: Iterable[bytes], many: bool = True
) -> Decoded:
    """
    Decode a stream with a fresh framing.

    @param many: decode as many units at once as possible; or one by one.
    """
    buffer = InputBuffer(framing.fresh())
    step = buffer.decodeMany if many else buffer.decode
    records: list[Any] = []
    errors: list[tuple[int, type[Exception]]] = []
    for chunk in chunks:
        buffer.append(chunk)
        while True:
            try:
                decoded = step()
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
    several units at once and one by one.

    @return: the result, which is always the same.

    @raise AssertionError: if it is not.
    """
    expected = decode(framing, [data], many=False)
    assert _stops(framing.fresh(), data), (framing, data)
    for chunks in ([data], pieces(data, at), pieces(data, range(1, len(data)))):
        for many in (True, False):
            found = decode(framing, chunks, many)
            assert found == expected, (framing, chunks, many, found, expected)
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
