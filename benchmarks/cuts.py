"""
The limits for the framings: hand-written loops that do no more than necessary.

Each function is called with the bytes that its last call has kept, and with the bytes
that were read. It returns the records, and the bytes to keep.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import Struct
from typing import Any

INT32 = Struct("!I")

Cut = Callable[[Any, bytes], tuple[list[Any], Any]]


def lines(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    found = data.split(b"\n")
    found[0] = rest + found[0]
    return found, found.pop()


def newlines(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    data = rest + data
    found = data.splitlines()
    if data[-1] == 10:
        return found, b""
    # Keep a final CR: its LF may follow.
    return found, found.pop() + (b"\r" if data[-1] == 13 else b"")


def matches(
    rest: bytes, data: bytes, pattern: re.Pattern[bytes]
) -> tuple[list[bytes], bytes]:
    found = pattern.split(rest + data)
    return found, found.pop()


def shortLines(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    found, rest = lines(rest, data)
    return [line for line in found if len(line) <= 16], rest


def longLine(rest: Any, data: bytes) -> tuple[list[bytes], list[bytes]]:
    parts: list[bytes] = rest or []
    end = data.find(b"\n")
    if end < 0:
        parts.append(data)
        return [], parts
    parts.append(data[:end])
    return [b"".join(parts)], [data[end + 1 :]]


def int32(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    data = rest + data
    found, start, end = [], 0, len(data)
    unpack = INT32.unpack_from
    while start + 4 <= end:
        stop = start + 4 + unpack(data, start)[0]
        if stop > end:
            break
        found.append(data[start + 4 : stop])
        start = stop
    return found, data[start:]


def longBlock(rest: Any, data: bytes) -> tuple[list[bytes], list[Any]]:
    if not rest:
        rest = [INT32.unpack_from(data)[0]]
        data = data[4:]
    rest[0] -= len(data)
    rest.append(data)
    return ([], rest) if rest[0] else ([b"".join(rest[1:])], [])


def prefixed(rest: bytes, data: bytes, head: Struct, more: int) -> Any:
    data = rest + data
    found, start, end = [], 0, len(data)
    unpack, size = head.unpack_from, head.size
    while start + size <= end:
        stop = start + unpack(data, start)[0] + more
        if stop > end:
            break
        found.append(data[start + size : stop])
        start = stop
    return found, data[start:]


def varint(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    data = rest + data
    found, start, end = [], 0, len(data)
    while start < end:
        at, length, shift = start, 0, 0
        while at < end and data[at] & 128:
            length |= (data[at] & 127) << shift
            shift += 7
            at += 1
        if at == end:
            break
        stop = at + 1 + (length | data[at] << shift)
        if stop > end:
            break
        found.append(data[at + 1 : stop])
        start = stop
    return found, data[start:]


def counted(
    rest: bytes, data: bytes, mark: bytes = b"\0", trailer: int = 0
) -> tuple[list[bytes], bytes]:
    data = rest + data
    found, start, end = [], 0, len(data)
    while (at := data.find(mark, start)) >= 0:
        stop = at + 1 + int(data[start:at])
        if stop + trailer > end:
            break
        found.append(data[at + 1 : stop])
        start = stop + trailer
    return found, data[start:]


def fixed(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    data = rest + data
    whole = len(data) - len(data) % 64
    return [data[start : start + 64] for start in range(0, whole, 64)], data[whole:]


def slip(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    found = (rest + data).split(b"\xc0")
    rest = found.pop()
    return [
        packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
        if b"\xdb" in packet
        else packet
        for packet in found
        if packet
    ], rest


def reads(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    return [data], b""


def converted(cut: Cut, convert: Callable[[bytes], Any]) -> Cut:
    def cutAndConvert(rest: bytes, data: bytes) -> tuple[list[Any], bytes]:
        found, rest = cut(rest, data)
        return list(map(convert, found)), rest

    return cutAndConvert
