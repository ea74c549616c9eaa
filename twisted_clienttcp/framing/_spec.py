"""
Framings by name, as a command line has them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ._interface import Framing

#: For each name what is called in this package.
_NAMES = {
    "line": "Line",
    "stream": "Stream",
    "block": "Block",
    "lengthprefixed": "LengthPrefixed",
    "int8": "int8",
    "int16": "int16",
    "int32": "int32",
    "tpkt": "tpkt",
    "netstring": "Netstring",
    "jsonlines": "JSONLines",
    "serialized": "Serialized",
    "slip": "SLIP",
}

#: The names that L{fromSpec} knows.
SPECS = tuple(_NAMES)

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0"}


def _octets(text: str) -> bytes:
    found = b""
    last = 0
    for match in _ESCAPE.finditer(text):
        found += text[last : match.start()].encode()
        escaped = match[1]
        if len(escaped) == 3:
            found += bytes.fromhex(escaped[1:])
        else:
            found += _ESCAPES.get(escaped, escaped.encode())
        last = match.end()
    return found + text[last:].encode()


def _text(text: str) -> str:
    return _octets(text).decode()


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"must be true or false, not {text!r}")
    return text == "true"


def _number(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError(f"must be a number, not {text!r}")
    return int(text)


def _width(text: str) -> Any:
    return text if text == "varint" else _number(text)


#: What can be said on a command line, and how. A regular expression has its own
#: escapes.
_PARAMETERS: dict[str, Callable[[str], Any]] = {
    "delimiter": _octets,
    "inputDelimiter": _octets,
    "outputDelimiter": _octets,
    "inputPattern": str.encode,
    "autodetect": _flag,
    "encoding": _text,
    "size": _number,
    "octets": _width,
    "byteOrder": _text,
    "offset": _number,
    "adjustment": _number,
    "strip": _number,
    "serializer": _text,
    "compress": _flag,
    "maxLength": _number,
    "onTooLong": _text,
}


def fromSpec(text: str) -> Framing:
    r"""
    Make the framing that a text describes: its name, and parameters if it has any::

        line
        line:delimiter=|
        block:size=512,maxLength=512
        lengthprefixed:octets=varint

    Parameters are called as those of the class. A comma or a backslash in a value needs
    a backslash before it; C{\n}, C{\r}, C{\t}, C{\0} and C{\xHH} stand for octets. In
    C{inputPattern} only the comma needs one; all other escapes are those of L{re}.

    @param text: the description.

    @return: the framing.

    @raise TypeError: if it is no text.
    @raise ValueError: if there is no such framing, or a parameter is not known or out
        of its range; the message tells which there are.
    """
    if not isinstance(text, str):
        raise TypeError(f"the description of a framing must be a str, not {text!r}")
    package = import_module(__package__)
    offered = {
        name: getattr(package, made)
        for name, made in _NAMES.items()
        if hasattr(package, made)
    }
    name, colon, rest = text.partition(":")
    name = name.strip().lower()
    if name not in offered:
        raise ValueError(
            f"there is no framing {name!r}; there are {', '.join(offered)}"
        )
    made = offered[name]
    known = [
        parameter
        for parameter in inspect.signature(made).parameters
        if parameter in _PARAMETERS
    ]
    given: dict[str, Any] = {}
    for part in re.findall(r"(?:[^\\,]|\\.|\\$)+", rest, re.DOTALL):
        parameter, equals, value = part.partition("=")
        parameter = parameter.strip()
        if parameter not in known or not equals:
            raise ValueError(
                f"{name} takes {'=, '.join([*known, ''])[:-2] or 'no parameters'}, "
                f"not {part!r}"
            )
        if parameter in given:
            raise ValueError(f"{name}: {parameter} is given twice")
        if parameter == "inputPattern":
            value = value.replace("\\,", ",")
        try:
            given[parameter] = _PARAMETERS[parameter](value)
        except ValueError as error:
            raise ValueError(f"{name}: {parameter} {error}") from error
    try:
        framing: Framing = made(**given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error
    return framing
