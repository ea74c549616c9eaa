"""
The framing for each of POE's filters, and the names of its parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from twisted_clienttcp import framing

#: The limit of POE's filters if none is given.
DEFAULT_LIMIT = 64 * 1024 * 1024


class Waiting(Exception):
    """
    The framing does not exist yet.
    """


#: Converts a value of POE's parameter to parameters of ours.
Translation = Callable[[Any], dict[str, Any]]


def _octets(value: Any) -> Any:
    return value.encode("latin-1") if isinstance(value, str) else value


def _number(value: Any) -> Any:
    # Digits are a number in Perl.
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _named(name: str, convert: Callable[[Any], Any] = lambda value: value) -> Any:
    return lambda value: {name: convert(value)}


def _inputLiteral(value: Any) -> dict[str, Any]:
    """
    No literal, or an empty one, means autodetection.
    """
    return {"inputDelimiter": _octets(value)} if value else {"autodetect": True}


def _lengthCodec(value: Any) -> dict[str, Any]:
    """
    POE's pair of functions is two parameters here.
    """
    if isinstance(value, Sequence) and len(value) == 2:
        return {"encoder": value[0], "decoder": value[1]}
    return {"decoder": value}


_FUNCTIONS = {name: _named(name.lower()) for name in ("Code", "Get", "Put")}
_MAX_LENGTH = _named("maxLength", _number)

#: For each filter, the framing and the meaning of each parameter. C{MaxBuffer} and
#: C{NoFatals} have none: see rules 3 and 4 of L{tests.filter_cases.rules}.
FILTERS: dict[str, tuple[str, dict[str, Translation]]] = {
    "Line": (
        "Line",
        {
            "Literal": _named("delimiter", _octets),
            "InputLiteral": _inputLiteral,
            "OutputLiteral": _named("outputDelimiter", _octets),
            "InputRegexp": _named("inputPattern", _octets),
            "MaxLength": _MAX_LENGTH,
            "MaxBuffer": lambda value: {},
        },
    ),
    "Stream": ("Stream", {}),
    "Block": (
        "Block",
        {
            "BlockSize": _named("size", _number),
            "LengthCodec": _lengthCodec,
            "MaxLength": _MAX_LENGTH,
            "MaxBuffer": lambda value: {},
        },
    ),
    "Stackable": ("Stackable", {"Filters": _named("framings")}),
    "Map": ("Map", _FUNCTIONS),
    "Grep": ("Grep", _FUNCTIONS),
    "RecordBlock": (
        "RecordBlock",
        {
            "BlockSize": _named("size", _number),
            "CheckPut": _named("checkPut", bool),
        },
    ),
    "Reference": (
        "Serialized",
        {
            "Serializer": _named("serializer"),
            "Compression": _named("compress", bool),
            "MaxBuffer": lambda value: {"maxLength": _fitting(_number(value))},
            "NoFatals": lambda value: {},
        },
    ),
}


def _fitting(room: Any) -> Any:
    """
    @return: the length of the longest record that fits into a buffer with its prefix.
    """
    if not isinstance(room, int):
        return room
    longest = room - 2
    while longest > 0 and len(str(longest)) + 1 + longest > room:
        longest -= 1
    return max(longest, 1)


def translated(name: str, arguments: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """
    @param name: a filter, as L{FILTERS} has it.
    @param arguments: the arguments of POE's constructor, with our values.

    @return: the name of the framing, and the parameters for it.

    @raise TypeError: if there is no value for the last of the parameters.
    """
    ours, meanings = FILTERS[name]
    if len(arguments) % 2:
        raise TypeError(f"{name} takes names and values")
    given: dict[str, Any] = {}
    pairs = dict(zip(arguments[::2], arguments[1::2], strict=True))
    for word, value in pairs.items():
        # Our constructor must reject what POE does not know.
        meaning = meanings.get(word, _named(str(word)))
        given.update(meaning(value))
    limit = pairs.get("BlockSize", pairs.get("MaxLength", DEFAULT_LIMIT))
    room = pairs.get("MaxBuffer", DEFAULT_LIMIT)
    if ours in ("Line", "Block") and _number(room) < _number(limit):
        given["maxBuffer"] = room
    return ours, given


def framingClass(name: str) -> Any:
    """
    @param name: the name of a framing.

    @raise Waiting: if the framing does not exist yet.
    """
    cls = getattr(framing, name, None)
    if cls is None:
        raise Waiting(name)
    return cls


def _splitComma(record: bytes) -> list[bytes]:
    return record.split(b",") if record else []


#: The functions for filters, by the names that the oracle uses.
CODE: dict[str, Callable[[bytes], Any]] = {
    "upper": lambda record: record.upper(),
    "lower": lambda record: record.lower(),
    "reverse": lambda record: record[::-1],
    "identity": lambda record: record,
    "append_bang": lambda record: record + b"!",
    "strip_bang": lambda record: record.removesuffix(b"!"),
    "split_comma": _splitComma,
    "drop_empty": lambda record: [record] if record else [],
    "duplicate": lambda record: [record, record],
    "non_empty": bool,
    "not_comment": lambda record: not record.startswith(b"#"),
    "has_digit": lambda record: re.search(rb"[0-9]", record) is not None,
    "always": lambda record: True,
    "never": lambda record: False,
}


def _fixedWidth(width: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def encoder(record: bytes) -> bytes:
        return len(record).to_bytes(width, "big") + record

    def decoder(buffer: bytearray) -> int | None:
        if len(buffer) < width:
            return None
        length = int.from_bytes(buffer[:width], "big")
        del buffer[:width]
        return length

    return encoder, decoder


def _colonEncoder(record: bytes) -> bytes:
    return b"%d:%b" % (len(record), record)


def _colonDecoder(buffer: bytearray) -> int | None:
    found = re.match(rb"([0-9]+):", buffer)
    if found is None:
        return None
    length = int(found[1])
    del buffer[: found.end()]
    return length


#: The length codecs for filters: an encoder and a decoder.
CODECS = {
    "be32": _fixedWidth(4),
    "u8": _fixedWidth(1),
    "colon": (_colonEncoder, _colonDecoder),
}
