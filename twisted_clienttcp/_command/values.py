"""
From the text of an option to its value.

Each conversion is called with the name of the option, for error messages, and the text.
Text that is not a number is returned as it is: the validator of the setting rejects it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from twisted.python import usage

from .._validators import oneOf
from ..demo import SERVERS


def _number(name: str, text: str) -> object:
    if re.fullmatch("-?[0-9]{1,18}", text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def _bytes(name: str, text: str) -> int:
    found = re.fullmatch("([0-9]{1,18})([kMG]?)", text)
    if found is None:
        raise usage.UsageError(
            f"{name} must be a number of bytes, which may end with k, M or G, as in "
            f"64k, not {text!r}"
        )
    unit: int = 1024 ** " kMG".index(found[2] or " ")
    return int(found[1]) * unit


def _choice(name: str, text: str, words: Iterable[str]) -> str:
    if text not in words:
        raise usage.UsageError(f"{name} must be {oneOf(words)}, not {text!r}")
    return text


def _word(*words: str) -> Callable[[str, str], str]:
    return lambda name, text: _choice(name, text, words)


def _yesOrNo(name: str, text: str) -> bool:
    return _choice(name, text, ("yes", "no")) == "yes"


def _names(name: str, text: str) -> list[str]:
    names = text.split(",")
    if not text.isascii() or "" in names:
        raise usage.UsageError(
            f"{name} must be ASCII names, separated by commas, not {text!r}"
        )
    return names


def _timedRecord(name: str, text: str) -> tuple[object, str]:
    seconds, colon, record = text.partition(":")
    if not colon:
        raise usage.UsageError(
            f"{name} must be seconds and a record, as in 30:PING, not {text!r}"
        )
    return _number(name, seconds), record


def _keepAlive(name: str, text: str) -> object:
    if text == "no":
        return False
    if not re.fullmatch("[0-9]{1,9}(,[0-9]{1,9}){2}", text):
        raise usage.UsageError(
            f"{name} must be no or IDLE,INTERVAL,COUNT, as in 60,10,3, not {text!r}"
        )
    return tuple(map(int, text.split(",")))


def _demoServer(name: str, text: str) -> tuple[str, int]:
    server, _, port = text.partition(":")
    if not re.fullmatch("[0-9]{0,5}", port) or int(port or 0) > 65535:
        raise usage.UsageError(
            f"{name}: the port must be from 0 to 65535, not {port!r}"
        )
    return _choice(name, server, SERVERS), int(port or 0)


#: The conversion for each placeholder; other values are text.
CONVERSIONS: dict[str, Callable[[str, str], object]] = {
    **dict.fromkeys(("SECONDS", "NUMBER", "COUNT"), _number),
    "BYTES": _bytes,
    "NAMES": _names,
    "SECONDS:RECORD": _timedRecord,
    "IDLE,INTERVAL,COUNT": _keepAlive,
    "NAME[:PORT]": _demoServer,
    "close|skip|split": _word("close", "skip", "split"),
    "half|close|keep": _word("half", "close", "keep"),
    "yes|no": _yesOrNo,
}
