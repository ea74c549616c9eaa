"""
Every framing, with many different parameters, and limits small enough to be reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from twisted.protocols.basic import (
    Int8StringReceiver,
    Int16StringReceiver,
    Int32StringReceiver,
    LineOnlyReceiver,
    LineReceiver,
)

from twisted_clienttcp.framing import (
    Block,
    Framing,
    Grep,
    JSONValues,
    LengthPrefixed,
    Line,
    Map,
    Receiver,
    RecordBlock,
    Serialized,
    Stackable,
    Stream,
    fromSpec,
    int8,
)

#: The C{maxLength} of all framings.
LIMIT = 20


@dataclass
class Made:
    """
    A framing and its properties.

    @ivar make: creates it.
    @ivar records: examples of its records.
    @ivar holds: the number of bytes of incomplete records that it and its input buffer
        may hold: the limit, the bytes around a record, and the records of a list.
    @ivar unitsOfReads: True if the ends of units depend on how the stream is split into
        reads.
    @ivar exact: True if another framing of its kind that replaces it decodes the same
        records that it would have decoded.
    @ivar raises: True if it calls a function that may raise any exception.
    """

    make: Callable[[], Framing[Any]]
    records: list[Any]
    holds: int = LIMIT + 24
    unitsOfReads: bool = False
    exact: bool = True
    raises: bool = False

    @cached_property
    def pattern(self) -> Framing[Any]:
        """
        The framing whose C{fresh} creates others.
        """
        return self.make()


def colon(buffer: bytearray) -> int | None:
    """
    Decode a length in digits and a colon.
    """
    if b":" not in buffer:
        return None
    digits = buffer.partition(b":")[0]
    del buffer[: len(digits) + 1]
    return int(digits)


def withColon(record: bytes) -> bytes:
    """
    Encode a record with its length in digits and a colon.
    """
    return b"%d:%b" % (len(record), record)


def splitComma(record: bytes) -> list[bytes]:
    """
    Split a record into any number of records.
    """
    return record.split(b",") if record else []


def notComment(record: bytes) -> bool:
    """
    Filter out some records.
    """
    return not record.startswith(b"#")


_BYTES = [b"", b"a", b"\0\1\2", b"12:,", b"\xc0\xdb\xdc", b"x" * LIMIT]
_LINES = [b"", b"a", b"b c", b"#", b"a,b", b"x" * LIMIT]
_VALUES: list[Any] = [None, 1, "\xe4\n", {"a": [1, 2]}, []]

#: Framings that C{fromSpec} creates, with examples of records and other properties.
#: Each is used with C{onTooLong="close"} and with C{onTooLong="skip"}.
_SPECS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "line": (_LINES, {}),
    "line:delimiter=\\n": (_LINES, {}),
    "line:delimiter=--|--": (_LINES, {}),
    "line:delimiter=aa": ([b"", b"b", b"ba b"], {}),
    "line:inputDelimiter=|,outputDelimiter=|": (_LINES, {}),
    "line:inputPattern=[;\\,]+x?": (_LINES, {"holds": LIMIT + 1024}),
    "line:autodetect=true": (_LINES, {}),
    "line:encoding=utf-8": (["", "\xe4", "b\0"], {}),
    "line:encoding=utf-16": (["", "\xe4"], {}),
    "block": (_BYTES, {}),
    "block:size=3": ([b"abc", b"\0\0\0"], {}),
    "int8": (_BYTES, {}),
    "int16": (_BYTES, {}),
    "int32": (_BYTES, {}),
    "lengthprefixed:prefixSize=3,byteOrder=little": (_BYTES, {}),
    "lengthprefixed:prefixSize=8": (_BYTES, {}),
    "lengthprefixed:prefixSize=varint": (_BYTES, {}),
    "lengthprefixed:prefixSize=varint,offset=1": (_BYTES, {}),
    "lengthprefixed:prefixSize=2,offset=3,adjustment=-5": (_BYTES, {}),
    "lengthprefixed:prefixSize=1,offset=1,adjustment=1,strip=1": ([b"ab", b"abc"], {}),
    "tpkt": (_BYTES, {}),
    "netstring": (_BYTES, {}),
    "slip": ([b"a", b"\xc0\xdb\xdc\xdd", b"x" * LIMIT], {}),
    "jsonlines": (_VALUES, {}),
    "serialized": (_VALUES, {"raises": True}),
    "serialized:compress=true": ([1, [], "a"], {"raises": True}),
    "serialized:serializer=msgpack": ([*_VALUES, b"\0"], {"raises": True}),
    "serialized:serializer=cbor": ([*_VALUES, b"\0"], {"raises": True}),
}


def _stack(*framings: Framing[Any]) -> Framing[Any]:
    return Stackable(framings=framings)


def _newline(**more: Any) -> Line:
    return Line(delimiter=b"\n", maxLength=LIMIT, **more)


#: The other framings.
_OTHERS: dict[str, Made] = {
    "stream": Made(Stream, _BYTES[1:]),
    "line, several": Made(
        lambda: Line(inputDelimiter=[b"\r\n", b"|", b"aab"], maxLength=LIMIT), _LINES
    ),
    "line, prefixes": Made(
        lambda: Line(inputDelimiter=[b"|", b"||"], maxLength=LIMIT), _LINES
    ),
    "line, kept": Made(
        lambda: Line(delimiter=b"--", keepDelimiter=True, maxLength=LIMIT),
        [b"--", b"a--", b"x" * LIMIT + b"--"],
    ),
    "line, at the end": Made(lambda: Line(atEnd="record", maxLength=LIMIT), _LINES),
    "line, split": Made(
        lambda: Line(delimiter=b"||", maxLength=LIMIT, onTooLong="split"), _LINES
    ),
    "lines, split": Made(lambda: Line(maxLength=3, onTooLong="split"), [b"", b"abc"]),
    "jsonvalues": Made(lambda: JSONValues(maxLength=LIMIT), _VALUES),
    "block, codec": Made(
        lambda: Block(encoder=withColon, decoder=colon, maxLength=LIMIT),
        _BYTES,
        holds=LIMIT + 1024,
    ),
    "block, codec, skip": Made(
        lambda: Block(
            encoder=withColon, decoder=colon, maxLength=LIMIT, onTooLong="skip"
        ),
        _BYTES,
        holds=LIMIT + 1024,
    ),
    "lengthprefixed, netty": Made(
        lambda: LengthPrefixed(prefixSize=2, offset=2, strip=0, maxLength=LIMIT),
        [b"\xca\xfe\0\1a"],
    ),
    "map": Made(lambda: Map(code=bytes.upper), [b"A"]),
    "grep": Made(lambda: Grep(code=notComment), [b"a"]),
    "recordblock": Made(lambda: RecordBlock(size=2), [[b"a", b"b"]], holds=1 << 20),
    "serialized, own": Made(
        lambda: Serialized(serializer=_Ascii(), maxLength=LIMIT), ["a"], raises=True
    ),
    "stack, map": Made(
        lambda: _stack(_newline(), Map(get=splitComma, put=bytes)),
        [b"ab"],
    ),
    "stack, map that raises": Made(
        lambda: _stack(_newline(), Map(get=int, put=lambda n: b"%d" % n)),
        [12],
        raises=True,
    ),
    "stack, grep": Made(
        lambda: _stack(Line(maxLength=LIMIT), Grep(code=notComment)),
        [b"ab"],
    ),
    "stack, lists": Made(
        lambda: _stack(Line(maxLength=LIMIT), RecordBlock(size=3)),
        [[b"a", b"b", b"c"]],
        holds=6 * LIMIT + 24,
    ),
    "stack, lists of lists": Made(
        lambda: _stack(_newline(), *[RecordBlock(size=2)] * 2),
        [[[b"a", b"b"], [b"c", b"d"]]],
        holds=16 * LIMIT + 24,
    ),
    "stack, lists, skip": Made(
        lambda: _stack(_newline(onTooLong="skip"), RecordBlock(size=2)),
        [[b"a", b"b"]],
        holds=6 * LIMIT + 24,
    ),
    "stack, kept": Made(
        lambda: _stack(
            Line(maxLength=LIMIT),
            Grep(code=notComment),
            Map(code=lambda record: record + b"!"),
            RecordBlock(size=2),
        ),
        [[b"a", b"b"]],
        holds=6 * LIMIT + 24,
    ),
    "stack, int8 and line": Made(
        lambda: _stack(int8(maxLength=LIMIT), _newline()),
        [b"a", b"bcd"],
        holds=3 * LIMIT + 24,
    ),
    "stack, block and line, skip": Made(
        lambda: _stack(
            Block(maxLength=LIMIT, onTooLong="skip"), _newline(onTooLong="skip")
        ),
        [b"a", b"bcd"],
        holds=3 * LIMIT + 24,
    ),
    "stack, fixed and line": Made(
        lambda: _stack(Block(size=2, maxLength=LIMIT), _newline()),
        [b"a", b"bcd"],
        holds=3 * LIMIT + 24,
        # The blocks start at another index.
        exact=False,
    ),
    "stack, lines across blocks in lists": Made(
        lambda: _stack(
            int8(maxLength=LIMIT),
            _newline(),
            Grep(code=notComment),
            Map(code=lambda record: record + b"!"),
            RecordBlock(size=2),
        ),
        [[b"a", b"b"]],
        holds=8 * LIMIT + 24,
    ),
    "stack, three": Made(
        lambda: _stack(
            int8(maxLength=LIMIT), _newline(), Line(delimiter=b",", maxLength=LIMIT)
        ),
        [b"a"],
        holds=4 * LIMIT + 24,
    ),
    "stack, lists above nothing to cut": Made(
        lambda: _stack(_newline(), RecordBlock(size=1), _newline()), []
    ),
    **{
        f"receiver, {cls.__name__}": Made(
            partial(Receiver, cls, MAX_LENGTH=LIMIT),
            [b"a", b"bcd"],
            holds=2 * LIMIT + 24,
            unitsOfReads=True,
        )
        for cls in (
            LineReceiver,
            LineOnlyReceiver,
            Int8StringReceiver,
            Int16StringReceiver,
            Int32StringReceiver,
        )
    },
}


class _Ascii:
    """
    A serializer that accepts little.
    """

    def dumps(self, value: object) -> bytes:
        if not isinstance(value, str):
            raise TypeError("only text")
        return value.encode("ascii")

    def loads(self, data: bytes) -> str:
        return data.decode("ascii")


def _specified() -> dict[str, Made]:
    made = {}
    for spec, (records, more) in _SPECS.items():
        separator = "," if ":" in spec else ":"
        for onTooLong in ("close", "skip"):
            text = f"{spec}{separator}maxLength={LIMIT},onTooLong={onTooLong}"
            name = spec if onTooLong == "close" else f"{spec}, skip"
            made[name] = Made(partial(fromSpec, text), records, **more)
    return made


#: All framings by name.
FRAMINGS: dict[str, Made] = {**_specified(), **_OTHERS}
