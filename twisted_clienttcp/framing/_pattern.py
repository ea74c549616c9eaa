"""
From what a user gives for a framing to the pattern that is cloned for each connection.
"""

from __future__ import annotations

from typing import Any

from ._block import Block
from ._interface import Framing
from ._line import Line
from ._netstring import Netstring
from ._prefixed import LengthPrefixed
from ._stream import Stream

#: What can be given for a framing.
FramingSpec = Framing | type | tuple[type, dict[str, Any]]

#: These are framings, and so are their clones.
_OURS = (Block, LengthPrefixed, Line, Netstring, Stream)

#: What a framing must have to be one.
_TRAITS = ("chunkInvariant", "reversible")
_FRAMING = ("feed", "finish", "frame", "release", "clone")


def patternFrom(framing: Any) -> Framing:
    """
    Build the framing that is the pattern for all connections, and try it. A pattern is
    only ever cloned, so that one may serve any number of clients.

    @raise TypeError: if it is none.
    """
    if isinstance(framing, str):
        raise TypeError(
            f"framing must be a framing, not the text {framing!r}: "
            "twisted_clienttcp.framing.fromSpec() creates a framing from it"
        )
    built: Any = framing
    if isinstance(framing, tuple):
        if len(framing) != 2 or not isinstance(framing[1], dict):
            raise TypeError(
                f"framing must be a class and its keyword arguments, not {framing!r}"
            )
        try:
            built = framing[0](**framing[1])
        except TypeError as e:
            raise TypeError(f"framing: {e}") from e
    elif isinstance(framing, type):
        built = framing()
    pattern: Framing = built
    if type(built) in _OURS:
        return pattern
    if missing := _missing(built):
        raise _noFraming(framing, missing)
    if missing := _missing(built.clone()):
        raise _noFraming(f"what {built!r}.clone() returns", missing)
    return pattern


def _missing(built: object) -> list[str]:
    missing = [name for name in _FRAMING if not callable(getattr(built, name, None))]
    return missing + [name for name in _TRAITS if not hasattr(built, name)]


def _noFraming(given: object, missing: list[str]) -> TypeError:
    return TypeError(
        "framing must be a framing such as Line(), its class, or a pair of class "
        f"and keyword arguments; {given} has no {', '.join(missing)}"
    )
