"""
Builds framings from the values that users pass as C{framing}.
"""

from __future__ import annotations

from typing import Any

from ._base import AnyFraming, Framing, Record

#: The types of values that can be passed as C{framing}.
FramingSpec = (
    Framing[Record]
    | type[Framing[Record]]
    | tuple[type[Framing[Record]], dict[str, Any]]
)


def buildFraming(framing: object) -> AnyFraming:
    """
    Build and check the framing that a user has passed. Connections use fresh copies of
    the result, so clients can share one framing.

    @param framing: a framing, its class, or a pair of the class and its keyword
        arguments.

    @raise TypeError: if it is something else, or the framing lacks C{decode} or
        C{encode}.
    """
    built = framing if isinstance(framing, Framing) else _construct(framing)
    freshFraming(built)
    return built


def freshFraming(framing: object) -> AnyFraming:
    """
    Like L{buildFraming}, but return an unused copy, for one connection.
    """
    built = framing if isinstance(framing, Framing) else _construct(framing)
    fresh = built.fresh()
    if not isinstance(fresh, Framing):
        raise TypeError(f"{built!r}.fresh() must return a framing, not {fresh!r}")
    if not built.isComplete:
        cls = type(built)
        missing = "decode" if cls.decode is Framing.decode else "encode"
        raise TypeError(f"framing: {cls.__name__} must define {missing}()")
    return fresh


def _construct(framing: object) -> AnyFraming:
    if isinstance(framing, str):
        raise TypeError(
            f"framing must be a framing, not the text {framing!r}: use "
            "twisted_clienttcp.framing.fromSpec()"
        )
    cls: Any = framing
    arguments: dict[str, Any] = {}
    if isinstance(framing, tuple):
        if len(framing) != 2 or not isinstance(framing[1], dict):
            raise TypeError(
                "framing must be a class and a dict of its keyword arguments, not "
                f"{framing!r}"
            )
        cls, arguments = framing
    if not isinstance(cls, type) or not issubclass(cls, Framing):
        raise TypeError(
            "framing must be a framing such as Line(), its class, or a pair of class "
            f"and keyword arguments, not {framing!r}{_hint(cls)}"
        )
    try:
        built: AnyFraming = cls(**arguments)
    except TypeError as error:
        raise TypeError(f"framing: {error}") from error
    return built


def _hint(given: object) -> str:
    """
    Return a hint for some likely mistakes, or an empty string.
    """
    cls = given if isinstance(given, type) else type(given)
    if hasattr(cls, "lineReceived") or hasattr(cls, "stringReceived"):
        return f": use Receiver({cls.__name__})"
    if hasattr(cls, "decode") and hasattr(cls, "encode"):
        return f": {cls.__name__} must be a subclass of Framing"
    return ""
