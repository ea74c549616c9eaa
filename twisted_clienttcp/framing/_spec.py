"""
Builds framings from text, for command lines.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

from .._validators import meant
from ._base import AnyFraming
from ._block import Block
from ._converted import SLIP, JSONLines
from ._jsonvalues import JSONValues
from ._line import Line
from ._netstring import Netstring
from ._prefixed import LengthPrefixed, int8, int16, int32, tpkt
from ._serialized import Serialized
from ._stream import Stream

_CLASSES: dict[str, Callable[..., AnyFraming]] = {
    cls.__name__.lower(): cls
    for cls in (
        *(Line, Stream, Block, LengthPrefixed, int8, int16, int32, tpkt),
        *(Netstring, JSONLines, JSONValues, Serialized, SLIP),
    )
}

#: The names of framings that L{fromSpec} accepts.
SPECS = tuple(_CLASSES)

_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0"}


def _bytes(text: str) -> bytes:
    def unescaped(match: re.Match[bytes]) -> bytes:
        escaped = match[1]
        if len(escaped) == 3:
            return bytes.fromhex(escaped[1:].decode())
        return _ESCAPES.get(escaped, escaped)

    return _ESCAPE.sub(unescaped, text.encode())


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


def _prefixSize(text: str) -> int | str:
    return text if text == "varint" else _number(text)


#: The parameters that a description can contain, each with the function that reads its
#: value. In a regular expression, only the escape of the comma is ours; all others are
#: those of L{re}.
_PARAMETERS: dict[str, Callable[[str], object]] = {
    name: read
    for read, names in (
        (_bytes, "delimiter inputDelimiter outputDelimiter"),
        (lambda text: text.replace("\\,", ",").encode(), "inputPattern"),
        (_text, "encoding atEnd byteOrder serializer onTooLong"),
        (_flag, "autodetect keepDelimiter compress"),
        (_number, "maxMatch size offset adjustment strip maxLength"),
        (_prefixSize, "prefixSize"),
    )
    for name in names.split()
}


class Spec:
    """
    A description of a framing.

    @ivar name: the name of the framing.
    @ivar known: the names of the parameters that the framing has.
    @ivar given: the parameters that are given.
    """

    def __init__(self, text: str) -> None:
        """
        @raise Exception: see L{fromSpec}.
        """
        if not isinstance(text, str):
            raise TypeError(f"a framing is described by a str, not {text!r}")
        name, _, rest = text.partition(":")
        self.name = name = name.strip().lower()
        if name not in _CLASSES:
            hint = meant(name, SPECS) or f": use one of {', '.join(SPECS)}"
            raise ValueError(f"unknown framing {name!r}{hint}")
        signature = inspect.signature(_CLASSES[name].__init__)
        self.known = [each for each in signature.parameters if each in _PARAMETERS]
        self.given: dict[str, object] = {}
        for part in re.findall(r"(?:[^\\,]|\\.|\\$)+", rest, re.DOTALL):
            self._add(part)

    def _add(self, part: str) -> None:
        parameter, equals, value = part.partition("=")
        parameter = parameter.strip()
        if parameter not in self.known or not equals:
            known = ", ".join(f"{each}=" for each in self.known) or "no parameters"
            hint = meant(parameter, self.known, "{}=") or f": it takes {known}"
            raise ValueError(f"{self.name} does not take {part!r}{hint}")
        if parameter in self.given:
            raise ValueError(f"{self.name}: {parameter} is given twice")
        try:
            self.given[parameter] = _PARAMETERS[parameter](value)
        except ValueError as error:
            raise ValueError(f"{self.name}: {parameter} {error}") from error

    def build(self) -> AnyFraming:
        """
        @return: the framing.

        @raise ValueError: if a parameter is out of range.
        """
        try:
            return _CLASSES[self.name](**self.given)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name}: {error}") from error


def fromSpec(text: str) -> AnyFraming:
    r"""
    Build a framing from a description: its name, and its parameters, if any::

        line
        line:delimiter=|
        block:size=512,maxLength=512
        lengthprefixed:prefixSize=varint

    The parameters are those of the framing's class. In a value, put a backslash before
    each comma and backslash; C{\n}, C{\r}, C{\t}, C{\0} and C{\xHH} stand for bytes. In
    C{inputPattern} only the comma needs a backslash; all other escapes are those of
    L{re}.

    @param text: the description.

    @return: the framing.

    @raise TypeError: if it is not a L{str}.
    @raise ValueError: if there is no such framing, or a parameter is unknown or out of
        range. The message lists the known framings or parameters.
    """
    return Spec(text).build()
