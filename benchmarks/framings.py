"""
The other framings, each beside its own limit: 40 MiB in records of 62 octets.
"""

from __future__ import annotations

import json
import re
from functools import partial

from .cuts import Cut, converted, counted, fixed, lines, matches, reads, slip, varint
from .inbound import Inbound, blocking, figures, ours, receiver
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


_NETSTRING = partial(counted, mark=b":", trailer=1)
_NETSTRING_RECEIVER = Competitor(
    partial(receiver, base="NetstringReceiver", hook="stringReceived")
)
_CRLF = partial(matches, pattern=re.compile(rb"\r?\n"))

WORKS = {
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
    "block": _framing("Block, 64 octets", b"", b"", "Block(size=64)", fixed, 64),
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
}
