"""
Every framing, in the ways it can be set up, with limits small enough to be reached.
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

#: The C{maxLength} of all of these.
LIMIT = 20


@dataclass
class Made:
    """
    How a framing is made, and what is known of it.
    """

    make: Callable[[], Framing]
    #: Records that it frames.
    records: list[Any]
    #: How many octets it may hold, the last read apart: the limit, what stands before
    #: and behind a record, and a copy in a receiver or in the records of a list.
    holds: int = LIMIT + 24
    #: How often it may hold the last read: as it came, and what of it is unfinished;
    #: in a stack that is so for each part that cuts.
    reads: int = 2
    #: What it hands over is the end of the stream as it came.
    raw: bool = True
    #: It makes several records of one, which are taken together.
    several: bool = False
    #: From what it hands over all other records are read, and no more.
    exact: bool = True

    @cached_property
    def pattern(self) -> Framing:
        """
        One that others are cloned from.
        """
        return self.make()


def colon(buffer: bytearray) -> int | None:
    """
    The decoder of a length codec: digits and a colon.
    """
    if b":" not in buffer:
        return None
    digits = buffer.partition(b":")[0]
    del buffer[: len(digits) + 1]
    return int(digits)


def frameColon(record: bytes) -> bytes:
    """
    Its encoder.
    """
    return b"%d:%b" % (len(record), record)


def splitComma(record: bytes) -> list[bytes]:
    """
    Makes any number of records of one.
    """
    return record.split(b",") if record else []


def notComment(record: bytes) -> bool:
    """
    Drops some.
    """
    return not record.startswith(b"#")


_OCTETS = [b"", b"a", b"\0\1\2", b"12:,", b"\xc0\xdb\xdc", b"x" * LIMIT]
_LINES = [b"", b"a", b"b c", b"#", b"a,b", b"x" * LIMIT]
_VALUES: list[Any] = [None, 1, "\xe4\n", {"a": [1, 2]}, []]

#: Those that can be said in a word, with examples and what else is known. Each is made
#: twice: so that it closes at what is too long, and so that it skips.
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
    "block": (_OCTETS, {}),
    "block:size=3": ([b"abc", b"\0\0\0"], {}),
    "int8": (_OCTETS, {}),
    "int16": (_OCTETS, {}),
    "int32": (_OCTETS, {}),
    "lengthprefixed:octets=3,byteOrder=little": (_OCTETS, {}),
    "lengthprefixed:octets=8": (_OCTETS, {}),
    "lengthprefixed:octets=varint": (_OCTETS, {}),
    "lengthprefixed:octets=2,offset=3,adjustment=-5": (_OCTETS, {}),
    "lengthprefixed:octets=1,offset=1,adjustment=1,strip=1": ([b"ab", b"abc"], {}),
    "tpkt": (_OCTETS, {}),
    "netstring": (_OCTETS, {}),
    "slip": ([b"a", b"\xc0\xdb\xdc\xdd", b"x" * LIMIT], {}),
    "jsonlines": (_VALUES, {}),
    "serialized": (_VALUES, {}),
    "serialized:compress=true": ([1, [], "a"], {}),
    "serialized:serializer=msgpack": ([*_VALUES, b"\0"], {}),
    "serialized:serializer=cbor": ([*_VALUES, b"\0"], {}),
}


def _stack(*framings: Framing) -> Framing:
    return Stackable(framings=framings)


def _dozen(**more: Any) -> Line:
    return Line(delimiter=b"\n", maxLength=LIMIT, **more)


#: The others.
_OTHERS: dict[str, Made] = {
    "stream": Made(Stream, _OCTETS[1:]),
    "line, several": Made(
        lambda: Line(inputDelimiter=[b"\r\n", b"|", b"aab"], maxLength=LIMIT), _LINES
    ),
    "line, prefixes": Made(
        lambda: Line(inputDelimiter=[b"|", b"||"], maxLength=LIMIT), _LINES
    ),
    "block, codec": Made(
        lambda: Block(encoder=frameColon, decoder=colon, maxLength=LIMIT),
        _OCTETS,
        holds=LIMIT + 64,
    ),
    "block, codec, skip": Made(
        lambda: Block(
            encoder=frameColon, decoder=colon, maxLength=LIMIT, onTooLong="skip"
        ),
        _OCTETS,
        holds=LIMIT + 64,
    ),
    "lengthprefixed, netty": Made(
        lambda: LengthPrefixed(octets=2, offset=2, strip=0, maxLength=LIMIT),
        [b"\xca\xfe\0\1a"],
    ),
    "map": Made(lambda: Map(code=bytes.upper), [b"A"]),
    "grep": Made(lambda: Grep(code=notComment), [b"a"]),
    "recordblock": Made(lambda: RecordBlock(size=2), [[b"a", b"b"]], holds=1 << 20),
    "serialized, own": Made(
        lambda: Serialized(serializer=_Ascii(), maxLength=LIMIT), ["a"]
    ),
    "stack, map": Made(
        lambda: _stack(_dozen(), Map(get=splitComma, put=bytes)),
        [b"ab"],
        reads=4,
        several=True,
    ),
    "stack, map that raises": Made(
        lambda: _stack(_dozen(), Map(get=int, put=lambda n: b"%d" % n)), [12], reads=4
    ),
    "stack, grep": Made(
        lambda: _stack(Line(maxLength=LIMIT), Grep(code=notComment)),
        [b"ab"],
        reads=4,
        raw=False,
    ),
    "stack, lists": Made(
        lambda: _stack(Line(maxLength=LIMIT), RecordBlock(size=3)),
        [[b"a", b"b", b"c"]],
        holds=6 * LIMIT + 24,
        reads=4,
    ),
    "stack, lists of lists": Made(
        lambda: _stack(_dozen(), *[RecordBlock(size=2)] * 2),
        [[[b"a", b"b"], [b"c", b"d"]]],
        holds=16 * LIMIT + 24,
        reads=6,
    ),
    "stack, lists, skip": Made(
        lambda: _stack(_dozen(onTooLong="skip"), RecordBlock(size=2)),
        [[b"a", b"b"]],
        holds=6 * LIMIT + 24,
        reads=4,
        raw=False,
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
        reads=6,
        raw=False,
    ),
    "stack, int8 and line": Made(
        lambda: _stack(int8(maxLength=LIMIT), _dozen()),
        [b"a", b"bcd"],
        holds=3 * LIMIT + 24,
        reads=6,
        raw=False,
    ),
    "stack, block and line, skip": Made(
        lambda: _stack(
            Block(maxLength=LIMIT, onTooLong="skip"), _dozen(onTooLong="skip")
        ),
        [b"a", b"bcd"],
        holds=3 * LIMIT + 24,
        reads=6,
        raw=False,
    ),
    "stack, fixed and line": Made(
        lambda: _stack(Block(size=2, maxLength=LIMIT), _dozen()),
        [b"a", b"bcd"],
        holds=3 * LIMIT + 24,
        reads=6,
        raw=False,
        # Blocks that begin elsewhere end elsewhere.
        exact=False,
    ),
    "stack, lines across blocks in lists": Made(
        lambda: _stack(
            int8(maxLength=LIMIT),
            _dozen(),
            Grep(code=notComment),
            Map(code=lambda record: record + b"!"),
            RecordBlock(size=2),
        ),
        [[b"a", b"b"]],
        holds=8 * LIMIT + 24,
        reads=8,
        raw=False,
    ),
    "stack, three": Made(
        lambda: _stack(
            int8(maxLength=LIMIT), _dozen(), Line(delimiter=b",", maxLength=LIMIT)
        ),
        [b"a"],
        holds=4 * LIMIT + 24,
        reads=9,
        raw=False,
    ),
    "stack, lists above nothing to cut": Made(
        lambda: _stack(_dozen(), RecordBlock(size=1), _dozen()), [], reads=6, raw=False
    ),
    **{
        f"receiver, {cls.__name__}": Made(
            partial(Receiver, cls, MAX_LENGTH=LIMIT),
            [b"a", b"bcd"],
            holds=2 * LIMIT + 24,
            reads=4,
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
    A serializer that refuses much.
    """

    def dumps(self, value: object) -> bytes:
        if not isinstance(value, str):
            raise TypeError("only text")
        return value.encode("ascii")

    def loads(self, octets: bytes) -> str:
        return octets.decode("ascii")


def _said() -> dict[str, Made]:
    made = {}
    for spec, (records, more) in _SPECS.items():
        separator = "," if ":" in spec else ":"
        for onTooLong in ("close", "skip"):
            said = f"{spec}{separator}maxLength={LIMIT},onTooLong={onTooLong}"
            name = spec if onTooLong == "close" else f"{spec}, skip"
            made[name] = Made(partial(fromSpec, said), records, **more)
    return made


#: All of them by name.
FRAMINGS: dict[str, Made] = {**_said(), **_OTHERS}
