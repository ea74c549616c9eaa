"""
The constructor of the client: its parameters for settings, their documentation, and
suggestions for unknown ones.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

from ..framing import Line
from .settings import DOCUMENTATION, NEVER, SETTINGS

Init = TypeVar("Init", bound=Callable[..., None])

#: Other words for parameters, in lower case and without underscores and a leading "on",
#: for suggestions: those of Twisted, of other libraries, and some that are similar to
#: another parameter by chance.
OTHER_WORDS = {
    "remoteAddress": "address host hostname ip path server unix",
    "remotePort": "port",
    "tls": "certificate contextfactory secure ssl sslcontext tlsoptions usessl usetls",
    "bindAddress": "bind interface localaddr localaddress sourceaddress",
    "domain": "addressfamily family",
    "connectTimeout": "timeout",
    "framing": "codec decoder filter framer parser protocol",
    "autoReconnect": "reconnect retry",
    "maxRetries": "attempts maxattempts retries retrylimit",
    "initialDelay": "backoff delay reconnectdelay reconnectinterval retrydelay",
    "maxDelay": "maxbackoff maxinterval",
    "factor": "backofffactor multiplier",
    "heartbeat": "ping pinginterval pingtimeout",
    "highMark": "highwater highwatermark",
    "lowMark": "lowwater lowwatermark",
    "outputLimit": "buffersize maxqueue queuesize",
    "reactor": "ioloop loop",
    "alias": "name",
    "handler": "callbacks delegate listener",
    "started": "start",
    "connected": "connect connection connectionmade open ready",
    "connectError": "clientconnectionfailed connectfailed connectionfailed",
    "serverInput": (
        "callback data datareceived input line linereceived message messagereceived "
        "receive record stringreceived"
    ),
    "serverError": "errback error",
    "disconnected": "clientconnectionlost close closed connectionlost disconnect lost",
    "stopped": "stop",
}

#: The same for parameters of a framing.
_WORDS_OF_FRAMING = {"delimiter": "separator terminator", "maxLength": "maxlinelength"}


def plain(name: str) -> str:
    """
    @return: a name in the form of L{OTHER_WORDS}, with a leading "on".
    """
    return name.replace("_", "").lower()


def byWord(known: Iterable[str], others: dict[str, str]) -> dict[str, str]:
    """
    @return: the parameter for each name and each other word.
    """
    words = {plain(name): name for name in known}
    words |= {word: name for name in others for word in others[name].split()}
    return words


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
        words = byWord(known, OTHER_WORDS)
        ofFraming = byWord(signature(Line).parameters, _WORDS_OF_FRAMING)

        @wraps(init)
        def checked(self: Any, *args: object, **given: object) -> None:
            try:
                # Only the first two parameters can be given by position.
                self._configure({**dict(zip(known[:2], args, strict=False)), **given})
                init(self, *args, **given)
            except TypeError:
                # Check only on failure, to keep the common path fast.
                if len(args) > 2:
                    raise TypeError(
                        f"only {known[0]} and {known[1]} can be passed by position, "
                        f"not {args[2]!r}: pass it by its name, as in serverInput=..."
                    ) from None
                if error := unknown(given):
                    raise error from None
                raise

        def unknown(given: dict[str, object]) -> TypeError | None:
            for name in given.keys() - known:
                word = plain(name)
                short = word.removeprefix("on")
                near = [word, short, *difflib.get_close_matches(word, words, 1, 0.75)]
                near += difflib.get_close_matches(short, words, 1, 0.75)
                meant = [words[each] for each in near if each in words]
                if name in attributes:
                    hint = f"it is an attribute: set client.{name}"
                elif word in ofFraming:
                    hint = (
                        "it is a parameter of the framing, as in "
                        f"framing={Line.__name__}({ofFraming[word]}=...)"
                    )
                elif meant:
                    hint = f"did you mean {meant[0]}?"
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
