"""
The texts of errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

#: Writes a setting with a value.
Form: TypeAlias = Callable[[str, float], str]


def assigned(setting: str, value: float) -> str:
    """
    @return: a setting and its value, as Python code.
    """
    return f"{setting}={value:.12g}"


class LimitExceeded:
    """
    A base class of the errors for a limit that is a setting. Their text ends in the
    setting, which L{textOf} can write in another form.

    @ivar problem: what has happened, in words.
    @ivar setting: the name of the setting.
    @ivar limit: its value.
    """

    problem: str
    setting: str
    limit: float

    def __str__(self) -> str:
        return textOf(self)


def textOf(error: BaseException | LimitExceeded, form: Form = assigned) -> str:
    """
    @param form: returns the form of a setting with a value.

    @return: the text of an exception; the name of its class if it has none.
    """
    try:
        if isinstance(error, LimitExceeded):
            return f"{error.problem} ({form(error.setting, error.limit)})"
        text = str(error)
    except BaseException:
        # The class, or its base, may be outside this package: it may raise anything,
        # or not call our constructor.
        text = ""
    return text or type(error).__name__


def counted(number: int, noun: str) -> str:
    """
    @param noun: a noun whose plural ends in s.

    @return: a number of things.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """
    @return: a time for messages, with one to three digits.
    """
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    if seconds >= 10:
        return f"{seconds:.0f} s"
    return f"{round(seconds, 3):.2g} s"
