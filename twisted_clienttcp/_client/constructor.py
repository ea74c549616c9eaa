"""
A decorator for the client's constructor: it stores the settings, documents their
parameters, and suggests the right name for an unknown parameter.
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

#: For each parameter, the names for which it is suggested: those that Twisted and other
#: libraries use, and some that happen to resemble another parameter more. They are in
#: lower case, without underscores and without a leading "on".
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

#: The same for the parameters of a framing.
_WORDS_OF_FRAMING = {"delimiter": "separator terminator", "maxLength": "maxlinelength"}


def plain(name: str) -> str:
    """
    @return: a name in the form of L{OTHER_WORDS}, except that it keeps a leading "on".
    """
    return name.replace("_", "").lower()


def byWord(known: Iterable[str], others: dict[str, str]) -> dict[str, str]:
    """
    @param known: the names of parameters.
    @param others: other words for some of them, as in L{OTHER_WORDS}.

    @return: the parameter that each name, as from L{plain}, or other word stands for.
    """
    words = {plain(name): name for name in known}
    words |= {word: name for name in others for word in others[name].split()}
    return words


def constructor(attributes: Collection[str]) -> Callable[[Init], Init]:
    """
    Decorate the constructor of a L{Settings} subclass: store the settings that are
    passed, then run the constructor's body, which reads them from the client. Its
    signature lists the settings only for L{help}, editors and type checkers.

    The constructor raises a L{TypeError} for an unknown parameter, which suggests the
    most similar one.

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
