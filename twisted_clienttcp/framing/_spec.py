"""
Framings by name, for a command line.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from ._base import Framing
from ._block import Block
from ._converted import SLIP, JSONLines
from ._jsonvalues import JSONValues
from ._line import Line
from ._netstring import Netstring
from ._prefixed import LengthPrefixed, int8, int16, int32, tpkt
from ._serialized import Serialized
from ._stream import Stream

_CLASSES: dict[str, type[Framing[Any]]] = {
    "line": Line,
    "stream": Stream,
    "block": Block,
    "lengthprefixed": LengthPrefixed,
    "int8": int8,
    "int16": int16,
    "int32": int32,
    "tpkt": tpkt,
    "netstring": Netstring,
    "jsonlines": JSONLines,
    "jsonvalues": JSONValues,
    "serialized": Serialized,
    "slip": SLIP,
}

#: The names that L{fromSpec} knows.
SPECS = tuple(_CLASSES)

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0"}


def _bytes(text: str) -> bytes:
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
    return _bytes(text).decode()


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"must be true or false, not {text!r}")
    return text == "true"


def _number(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError(f"must be a number, not {text!r}")
    return int(text)


def _prefixSize(text: str) -> Any:
    return text if text == "varint" else _number(text)


#: The parameters that a text can give, and how each is read. A regular expression has
#: its own escapes.
_PARAMETERS: dict[str, Callable[[str], Any]] = {
    "delimiter": _bytes,
    "inputDelimiter": _bytes,
    "outputDelimiter": _bytes,
    "inputPattern": str.encode,
    "maxMatch": _number,
    "autodetect": _flag,
    "encoding": _text,
    "keepDelimiter": _flag,
    "atEnd": _text,
    "size": _number,
    "prefixSize": _prefixSize,
    "byteOrder": _text,
    "offset": _number,
    "adjustment": _number,
    "strip": _number,
    "serializer": _text,
    "compress": _flag,
    "maxLength": _number,
    "onTooLong": _text,
}


def fromSpec(text: str) -> Framing[Any]:
    r"""
    Build the framing that a text describes: its name, and parameters if there are any::

        line
        line:delimiter=|
        block:size=512,maxLength=512
        lengthprefixed:prefixSize=varint

    Parameters have the names of the class's parameters. In a value, put a backslash
    before each comma and backslash; C{\n}, C{\r}, C{\t}, C{\0} and C{\xHH} stand for
    bytes. In C{inputPattern} only the comma needs a backslash; all other escapes are
    those of L{re}.

    @param text: the description.

    @return: the framing.

    @raise TypeError: if it is not text.
    @raise ValueError: if there is no such framing, or a parameter is unknown or out of
        range; the message lists the known ones.
    """
    if not isinstance(text, str):
        raise TypeError(f"a framing is described by a str, not {text!r}")
    name, _, rest = text.partition(":")
    name = name.strip().lower()
    if name not in _CLASSES:
        raise ValueError(f"there is no framing {name!r}; there are {', '.join(SPECS)}")
    cls = _CLASSES[name]
    signature = inspect.signature(cls.__init__)
    known = [each for each in signature.parameters if each in _PARAMETERS]
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
        framing: Framing[Any] = cls(**given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error
    return framing
