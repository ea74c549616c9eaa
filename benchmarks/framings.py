"""
The other framings, each compared with its own limit. The workload is 40 MiB in records
of 62 bytes; for formats with a length or an end mark, also records of 1 to 128 bytes.
The limit for C{Receiver} is the wrapped class without the client.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from struct import Struct

from .cuts import (
    INT32,
    Cut,
    converted,
    counted,
    fixed,
    lines,
    matches,
    prefixed,
    reads,
    slip,
    varint,
)
from .inbound import (
    LONGEST,
    MEAN,
    Inbound,
    blocking,
    figures,
    ours,
    receiver,
    unequal,
)
from .measure import LIMIT, MIB, OURS, READ, Competitor


def _framing(
    title: str,
    head: bytes,
    tail: bytes,
    framing: str,
    cut: Cut,
    size: int = 62,
    **rivals: Competitor,
) -> Inbound:
    def wire(size: int) -> bytes:
        return head + b"x" * size + tail

    competitors = {
        LIMIT: Competitor(partial(blocking, cut=cut)),
        OURS: Competitor(ours),
        **rivals,
    }
    return Inbound(
        title, competitors, figures({}), 40 * MIB // size, size, wire, framing
    )


def _unequal(
    title: str, encode: Callable[[bytes], bytes], framing: str, cut: Cut
) -> Inbound:
    return Inbound(
        f"{title}, 1 to {LONGEST} bytes",
        {LIMIT: Competitor(partial(blocking, cut=cut)), OURS: Competitor(ours)},
        figures({OURS: 1.5}),
        *(400_000, MEAN, unequal(encode), framing),
        lump=LONGEST,
    )


def _receiver(
    base: str, hook: str, size: int, records: int, read: int | None = None
) -> Inbound:
    def wire(size: int) -> bytes:
        if base == "LineReceiver":
            return b"x" * size + b"\n"
        return INT32.pack(size) + b"x" * size

    attributes = "delimiter=b'\\n'" if base == "LineReceiver" else "MAX_LENGTH=1 << 30"
    reads = "" if read is None else f", reads of {read} bytes"
    return Inbound(
        f"Receiver({base}), {size} bytes{reads}",
        {
            LIMIT: Competitor(partial(receiver, base=base, hook=hook)),
            OURS: Competitor(ours),
        },
        figures({OURS: 1.2}),
        *(records, size, wire, f"Receiver({base}, {attributes})"),
        read=read,
    )


_LINES = partial(_receiver, "LineReceiver", "lineReceived")
_STRINGS = partial(_receiver, "Int32StringReceiver", "stringReceived")


def _varint(record: bytes) -> bytes:
    length = len(record)
    head = [length] if length < 128 else [length & 127 | 128, length >> 7]
    return bytes(head) + record


def _slip(record: bytes) -> bytes:
    escaped = record.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + escaped + b"\xc0"


_OFFSET = Struct("!2xH")
_TPKT = Struct("!BxH")
_NETSTRING = partial(counted, mark=b":", trailer=1)
_NETSTRING_RECEIVER = Competitor(
    partial(receiver, base="NetstringReceiver", hook="stringReceived")
)
_CRLF = partial(matches, pattern=re.compile(rb"\r?\n"))

WORKLOADS = {
    "stream": _framing("Stream, reads", b"", b"", "Stream()", reads, READ),
    "text": _framing(
        "Line, decoded",
        *(b"", b"\n", r"Line(delimiter=b'\n', encoding='utf-8')"),
        converted(lines, bytes.decode),
    ),
    "pattern": _framing(
        "Line, regular expression",
        *(b"", b"\r\n", r"Line(inputPattern=rb'\r?\n', outputDelimiter=b'\n')", _CRLF),
    ),
    "autodetect": _framing(
        "Line, autodetection", b"", b"\n", "Line(autodetect=True)", lines
    ),
    "json": _framing(
        "JSONLines", b'"', b'"\n', "JSONLines()", converted(lines, json.loads)
    ),
    "block": _framing("Block, 64 bytes", b"", b"", "Block(size=64)", fixed, 64),
    "counted": _framing("Block, length codec", b"62\0", b"", "Block()", counted),
    "varint": _framing(
        "LengthPrefixed, varint",
        *(b"\x3e", b"", "LengthPrefixed(prefixSize='varint')", varint),
    ),
    "netstring": _framing(
        "Netstring",
        *(b"62:", b",", "Netstring()", _NETSTRING),
        NetstringReceiver=_NETSTRING_RECEIVER,
    ),
    "serialized": _framing(
        "Serialized, JSON",
        *(b'64\0"', b'"', "Serialized(serializer='json')"),
        converted(counted, json.loads),
    ),
    "slip": _framing("SLIP", b"\xc0", b"\xc0", "SLIP()", slip),
    "varintUnequal": _unequal(
        "LengthPrefixed, varint", _varint, "LengthPrefixed(prefixSize='varint')", varint
    ),
    "offsetUnequal": _unequal(
        "LengthPrefixed, 2 bytes after 2 others",
        lambda record: _OFFSET.pack(len(record)) + record,
        "LengthPrefixed(prefixSize=2, offset=2)",
        partial(prefixed, head=_OFFSET, more=4),
    ),
    "netstringUnequal": _unequal(
        "Netstring",
        lambda record: b"%d:%b," % (len(record), record),
        "Netstring()",
        _NETSTRING,
    ),
    "tpktUnequal": _unequal(
        "tpkt",
        lambda record: _TPKT.pack(3, len(record) + 4) + record,
        "tpkt()",
        partial(prefixed, head=_OFFSET, more=0),
    ),
    "slipUnequal": _unequal("SLIP", _slip, "SLIP()", slip),
    "countedUnequal": _unequal(
        "Block, length codec",
        lambda record: b"%d\0%b" % (len(record), record),
        "Block()",
        counted,
    ),
    "lineReceiver2": _LINES(62, 5_000, 2),
    "lineReceiver64": _LINES(62, 200_000, 64),
    "lineReceiver": _LINES(62, 400_000),
    "int32Receiver2": _STRINGS(60, 5_000, 2),
    "int32Receiver64": _STRINGS(60, 200_000, 64),
    "int32Receiver20000": _STRINGS(1000, 100_000, 20_000),
    "int32Receiver": _STRINGS(60, 400_000),
}
