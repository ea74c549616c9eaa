"""
Handlers: objects whose methods are callbacks. Methods with a misspelt name are found.
"""

from __future__ import annotations

from typing import Any

from .._validators import misspelt
from .callbacks import CALLBACKS
from .constructor import OTHER_WORDS, byWord, plain

#: The callbacks, by their names and by other words for them.
_WORDS = {
    word: name
    for word, name in byWord(CALLBACKS, OTHER_WORDS).items()
    if name in CALLBACKS
}


def isHandler(candidate: object, kind: type) -> bool:
    """
    @param kind: the class of the client.

    @return: True if an object has a method whose name is that of a callback, or is
        similar to one.
    """
    return any(
        (name in CALLBACKS or _misspelt(name, kind))
        and _isMethod(getattr(candidate, name, None))
        for name in dir(candidate)
    )


def withMethods(handler: object, given: dict[str, Any], kind: type) -> dict[str, Any]:
    """
    Add the methods of a handler to the callbacks that were passed as parameters.

    @param given: the callbacks by name; None for those that were not passed.
    @param kind: the class of the client.

    @return: all callbacks, in the same form.

    @raise TypeError: if the handler is a class or has no callback, if a callback is not
        a method or was also passed as a parameter, or if the name of a method is
        similar to that of a callback.
    """
    if isinstance(handler, type):
        raise TypeError(
            "handler must be an object whose methods are callbacks, not the class "
            f"{handler.__name__}: create an object, as in "
            f"handler={handler.__name__}(...)"
        )
    shown = getattr(handler, "__name__", type(handler).__name__)
    for name in dir(handler):
        meant = _misspelt(name, kind) or _missing(name, handler, given)
        if meant and _isMethod(getattr(handler, name, None)):
            raise TypeError(f"handler: {_advice(f'{shown}.{name}', meant)}")
    methods = {}
    for name, parameter in given.items():
        method = getattr(handler, name, None)
        if method is None:
            continue
        if not callable(method):
            raise TypeError(
                f"handler: {shown}.{name} has the name of a callback, so it must be a "
                f"method, not {method!r}; use another name for the attribute"
            )
        if parameter is not None:
            raise TypeError(
                f"{name} is given twice, as the parameter {name}= and as the handler's "
                f"method {shown}.{name}: leave one out"
            )
        methods[name] = method
    merged = {**given, **methods}
    if not methods and (merged["serverInput"] or merged["serverInputBatch"]):
        # Without either of these, the constructor reports that one is required.
        raise TypeError(
            f"handler: no method of {handler!r} has the name of a callback: use one of "
            f"{', '.join(CALLBACKS)}"
        )
    return merged


def rejectMethods(cls: type, kind: type) -> None:
    """
    Reject a subclass of the client that has a method whose name is that of a callback,
    or is similar to one: the client would never call it.

    @param cls: the subclass. Its bases, which may be mixins, are checked too.
    @param kind: the class of the client.

    @raise TypeError: if there is such a method.
    """
    for base in cls.__mro__:
        if base in kind.__mro__:
            continue
        for name in vars(base):
            meant = name if name in CALLBACKS else _misspelt(name, kind)
            if not meant or not _isMethod(getattr(base, name, None)):
                continue
            shown = f"{base.__name__}.{name}"
            if name != meant:
                raise TypeError(f"{cls.__name__}: {_advice(shown, meant)}")
            raise TypeError(
                f"{cls.__name__}: {shown} would never be called: a callback is a "
                f"parameter, as in super().__init__({name}=...), or a method of a "
                "separate object, as in super().__init__(handler=...); use another "
                "name for this method"
            )


def _advice(shown: str, meant: str) -> str:
    return (
        f"{shown} is not a callback: did you mean {meant}? If not, choose a name that "
        "is less similar, or begin it with an underscore"
    )


def _isMethod(value: object) -> bool:
    return callable(value) and not isinstance(value, type)


def _misspelt(name: str, kind: type) -> str | None:
    """
    @return: the callback that was probably meant by a name; None if there is none, or
        if the client has an attribute with this name.
    """
    return None if hasattr(kind, name) else misspelt(name, CALLBACKS)


def _missing(name: str, handler: object, given: dict[str, Any]) -> str | None:
    """
    @return: the callback that was probably meant by a name such as C{onConnect}; None
        if the client has this callback, so that the method must have another purpose.
    """
    if name[:2].lower() != "on":
        return None
    meant = _WORDS.get(plain(name)[2:], "")
    alike = (meant, "serverInputBatch") if meant == "serverInput" else (meant,)
    isThere = any(given.get(each) or hasattr(handler, each) for each in alike)
    return None if isThere else meant
