"""
JSON text (RFC 8259) in UTF-8, without the extensions of Python's L{json}.

This module is a serializer: it has C{dumps} and C{loads}.
"""

from __future__ import annotations

import json
from math import isinf
from typing import Any, NoReturn


def dumps(value: object) -> str:
    """
    @return: the shortest JSON text of a value.

    @raise TypeError: if the value, or a part of it, has a type that JSON lacks.
    @raise ValueError: if it contains NaN, an infinite number or itself.
    @raise RecursionError: if it is nested too deeply.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def loads(data: bytes) -> Any:
    """
    @return: the value of a JSON text.

    @raise ValueError: if the data is not UTF-8 or not JSON, or contains a number that
        is too large for a float, which Python would read as infinite.
    @raise RecursionError: if it is nested too deeply.
    """
    return _DECODER.decode(data.decode("utf-8"))


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(f"{text:.40} is too large for a float")
    return number


#: One decoder for all framings: a decoder is a reference cycle, which only the garbage
#: collector frees.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
