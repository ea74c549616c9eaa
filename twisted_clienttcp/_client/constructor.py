"""
The constructor of the client: its parameters for settings, their documentation, and
suggestions for unknown ones.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Callable, Collection
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

from ..framing import Line
from .settings import DOCUMENTATION, NEVER, SETTINGS

Init = TypeVar("Init", bound=Callable[..., None])

#: Other words for parameters, for suggestions.
_SYNONYMS = {
    "address": "remoteAddress",
    "filter": "framing",
    "host": "remoteAddress",
    "hostname": "remoteAddress",
    "port": "remotePort",
    "protocol": "framing",
    "timeout": "connectTimeout",
}


def constructor(attributes: Collection[str]) -> Callable[[Init], Init]:
    """
    Decorate the constructor of a L{Settings} subclass: store the settings that are
    passed, then run the constructor's body, which reads them from the client. Its
    parameters for settings are there for L{help}, editors and type checkers. An unknown
    parameter raises a L{TypeError} that suggests the nearest one.

    @param attributes: the names of attributes that are not parameters.
    """

    def decorate(init: Init) -> Init:
        known = [name for name in signature(init).parameters if name != "self"]
        names = {name.lower(): name for name in sorted(known)} | _SYNONYMS
        ofFraming = signature(Line).parameters

        @wraps(init)
        def checked(self: Any, *args: object, **given: object) -> None:
            try:
                # Only the first two parameters can be given by position.
                self._configure({**dict(zip(known[:2], args, strict=False)), **given})
                init(self, *args, **given)
            except TypeError:
                # Check only on failure, to keep the common path fast.
                if error := unknown(given):
                    raise error from None
                raise

        def unknown(given: dict[str, object]) -> TypeError | None:
            for name in given.keys() - known:
                if name in attributes:
                    hint = f"it is an attribute: set client.{name}"
                elif name in ofFraming:
                    hint = (
                        "it is a parameter of the framing, as in "
                        f"framing={Line.__name__}({name}=...)"
                    )
                elif near := difflib.get_close_matches(name.lower(), names, 1, 0.5):
                    hint = f"did you mean {names[near[0]]}?"
                else:
                    hint = f"use one of {', '.join(known)}"
                return TypeError(f"unknown parameter {name}: {hint}")
            return None

        checked.__doc__ = documented(init.__doc__)
        return checked  # type: ignore[return-value]

    return decorate


def documented(docstring: str | None) -> str | None:
    """
    @return: the constructor's docstring with a C{@param} field for each setting.
    """
    if docstring is None:
        # python -OO
        return None
    fields = ""
    for name, setting in SETTINGS.items():
        poe = f" (POE: {setting.poe}.)" if setting.poe else ""
        later = f"A later change takes effect {setting.later}."
        if setting.later == NEVER:
            later = f"It {NEVER} later."
        fields += textwrap.fill(
            f"@param {name}: {DOCUMENTATION[name]}{poe} {later}",
            88,
            initial_indent=" " * 8,
            subsequent_indent=" " * 12,
            break_on_hyphens=False,
            break_long_words=False,
        )
        fields += "\n"
    before, raises, after = docstring.partition("        @raise")
    return f"{before.rstrip()}\n{fields}\n{raises}{after}"
