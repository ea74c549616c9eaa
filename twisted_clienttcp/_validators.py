"""
Validators that several layers share, and a helper that imports modules of extras.

Each validator takes the name of a parameter and the value that was passed, and returns
the value to use. Error messages contain the name, the value and what to do. Booleans,
NaN and infinity are not accepted as numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from difflib import get_close_matches
from importlib import import_module
from inspect import (
    CO_ASYNC_GENERATOR,
    CO_COROUTINE,
    CO_GENERATOR,
    CO_VARARGS,
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
    signature,
)
from types import FunctionType, MethodType
from typing import Any, TypeVar

T = TypeVar("T")


def imported(module: str, what: str, *, needs: str, extra: str) -> Any:
    """
    Import a module that an extra of the package installs.

    @param what: the feature that needs the module, for the message.
    @param needs: the name of the library, for the message.
    @param extra: the extra to install, for the message.

    @return: the module.

    @raise ImportError: if it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{what} needs {needs}: pip install 'twisted_clienttcp[{extra}]'"
        ) from error


def oneOf(words: Iterable[str]) -> str:
    """
    Return two or more words as in "a, b or c", for messages.
    """
    *first, last = words
    return f"{', '.join(first)} or {last}"


def flag(name: str, value: object) -> bool:
    """
    Validate a boolean.

    @raise TypeError: if the value is neither True nor False.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


def count(
    name: str, value: object, least: int | None = None, most: int | None = None
) -> int:
    """
    Validate a whole number.

    @param least: the least value; None for no limit.
    @param most: the greatest value; None for no limit. Requires C{least}.

    @raise TypeError: if the value is not a whole number.
    @raise ValueError: if it is out of the range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if (least is not None and value < least) or (most is not None and value > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be {bounds}, not {value!r}")
    return value


def byteCount(name: str, value: object) -> int:
    """
    Validate a number of bytes, 0 or more.

    @raise TypeError: if the value is not a whole number.
    @raise ValueError: if it is negative.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a number of bytes, not {value!r}")
    if value < 0:
        raise ValueError(f"{name} must be 0 bytes or more, not {value}")
    return value


def seconds(name: str, value: object) -> float:
    """
    Validate a time in seconds.

    @raise TypeError: if the value is not a number.
    @raise ValueError: if it is not positive and finite.
    """
    number = _number(name, value, "a number of seconds")
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"{name} must be more than 0 seconds, not {value!r}")
    return number


def optionalSeconds(name: str, value: object) -> float | None:
    """
    Validate a time in seconds, as L{seconds}, or None.
    """
    return None if value is None else seconds(name, value)


def delay(name: str, value: object) -> float:
    """
    Validate a time in seconds that may be 0.

    @raise TypeError: if the value is not a number.
    @raise ValueError: if it is negative or not finite.
    """
    number = _number(name, value, "a number of seconds")
    if not (number >= 0 and math.isfinite(number)):
        raise ValueError(f"{name} must be 0 or more seconds, not {value!r}")
    return number


def factor(name: str, value: object) -> float:
    """
    Validate the factor by which a delay grows.

    @raise TypeError: if the value is not a number.
    @raise ValueError: if it is less than 1 or not finite.
    """
    number = _number(name, value, "a number")
    if not (number >= 1 and math.isfinite(number)):
        raise ValueError(f"{name} must be 1 or more, not {value!r}")
    return number


def fraction(name: str, value: object) -> float | None:
    """
    Validate a number from 0 to 1, or None.

    @raise TypeError: if the value is neither a number nor None.
    @raise ValueError: if it is not from 0 to 1.
    """
    if value is None:
        return None
    number = _number(name, value, "a number from 0 to 1")
    if not 0 <= number <= 1:
        raise ValueError(f"{name} must be from 0 to 1, not {value!r}")
    return number


def _number(name: str, value: object, expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be {expected}, not {value!r}")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def callback(
    name: str,
    value: T,
    arguments: tuple[str, ...] | None = None,
    awaited: bool = False,
    required: bool = False,
) -> T:
    """
    Validate a function that will be called with positional arguments.

    @param arguments: the names of the arguments, for messages; None if their number
        varies.
    @param awaited: True if its result is awaited, so that it may be a coroutine
        function.
    @param required: False if None is accepted too.

    @return: the function.

    @raise TypeError: if the value is not a function, does not accept these arguments,
        or would not run when it is called (a generator function, or a coroutine
        function whose result is not awaited).
    """
    if value is None and not required:
        return value
    if arguments is not None and _plainlyAccepts(value, len(arguments), awaited):
        return value
    if not callable(value):
        raise TypeError(f"{name} must be a function, not {value!r}")
    if isgeneratorfunction(value) or isasyncgenfunction(value):
        raise TypeError(
            f"{name} must be a plain function: a generator would never run here"
        )
    if not awaited and iscoroutinefunction(value):
        raise TypeError(
            f"{name} must be a plain function: a coroutine is not awaited here; start "
            "it inside the function with Deferred.fromCoroutine"
        )
    if arguments is not None and not _accepts(value, len(arguments)):
        raise TypeError(
            f"{name} is called as {name}({', '.join(arguments)}), which "
            f"{_signed(value)} does not accept"
        )
    return value


def policy(name: str, value: T) -> T:
    """
    Validate a retry policy, or None.

    @raise TypeError: if the value is neither.
    """
    return callback(name, value, ("failures",))


#: The flags of functions whose body does not run when they are called. The body of a
#: coroutine function runs if the result is awaited.
_GENERATOR = CO_GENERATOR | CO_ASYNC_GENERATOR
_SPECIAL = _GENERATOR | CO_COROUTINE


def _plainlyAccepts(function: object, arguments: int, awaited: bool) -> bool:
    """
    @return: True if this is certainly an ordinary function or method that accepts this
        number of positional arguments. Nearly all callbacks are, and for these this
        saves the microseconds that L{inspect} takes.
    """
    inner = function.__func__ if isinstance(function, MethodType) else function
    if not isinstance(inner, FunctionType) or vars(inner):
        # Attributes may mark it as a coroutine function, or name a wrapped function.
        return False
    code = inner.__code__
    if code.co_kwonlyargcount or code.co_flags & (_GENERATOR if awaited else _SPECIAL):
        return False
    most = code.co_argcount - (inner is not function)
    if arguments > most:
        return bool(code.co_flags & CO_VARARGS)
    return arguments >= most - len(inner.__defaults__ or ())


def _accepts(function: Callable[..., object], arguments: int) -> bool:
    """
    @return: False if the function certainly does not accept this number of positional
        arguments. It may if it has no signature, like some built-in functions.
    """
    try:
        # A wrapper may accept other arguments than the function that it wraps.
        signed = signature(function, follow_wrapped=False)
    except TypeError:
        return True
    except ValueError:
        # A method without a parameter for its object has an invalid signature.
        return not isinstance(function, MethodType)
    try:
        signed.bind(*range(arguments))
    except TypeError:
        return False
    return True


def _signed(function: Callable[..., object]) -> str:
    """
    @return: the function's name and parameters; its repr if they are not known.
    """
    try:
        return f"{function.__qualname__}{signature(function, follow_wrapped=False)}"
    except (AttributeError, TypeError, ValueError):
        return repr(function)


def meant(name: str, known: Collection[str], form: str = "{}") -> str:
    """
    @param name: an unknown name that a user has written.
    @param form: the format of a name in the message.

    @return: the end of a message, which asks for the known names that begin with it, or
        else contain it as a word, or else for the most similar one. Empty if there is
        none.
    """
    found = [each for each in known if each.lower().startswith(name.lower())]
    found = found or [each for each in known if name in each.split("-")]
    found = found or get_close_matches(name, known, 1)
    if not name or not found:
        return ""
    found = [form.format(each) for each in found]
    return f": did you mean {oneOf(found) if len(found) > 1 else found[0]}?"


def misspelt(name: str, known: Collection[str]) -> str | None:
    """
    @param known: names in camelCase.

    @return: the known name that was probably meant: one that differs only in case and
        underscores, or by one edit. None if there is none, or if the name is known or
        private.
    """
    if name.startswith("_") or name in known:
        return None
    for each in known:
        if name.replace("_", "").lower() == each.lower() or _isOneEditAway(name, each):
            return each
    return None


def _isOneEditAway(one: str, other: str) -> bool:
    """
    @return: True if the Damerau-Levenshtein distance between two different words is 1:
        one character is added, missing or different, or two neighbours are swapped.
    """
    shorter = min(len(one), len(other))
    start = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    one, other = one[start:], other[start:]
    return (
        one[1:] == other
        or one == other[1:]
        or one[1:] == other[1:]
        or (one[:2] == other[1::-1] and one[2:] == other[2:])
    )
