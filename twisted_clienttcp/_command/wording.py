"""
Error messages in the words of the command: the client's messages name parameters, which
are options here, and those of L{getopt} do not say what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from getopt import GetoptError

from .._validators import oneOf
from .table import ALL

#: The option for each parameter of the client.
_OPTIONS = {
    setting: f"--{option.name}"
    for option in ALL.values()
    for setting in option.settings.split(", ")
    if setting
} | {
    "bindAddress": "the address of --bind",
    "bindPort": "the port of --bind",
    "remoteAddress": "HOST",
    "remotePort": "PORT",
    "tls": "--tls",
}

#: A parameter in a message. A name that is also an English word is recognised only
#: where messages contain parameters: at the beginning, and after these words.
_PARAMETER = re.compile(
    "|".join(
        rf"\b{name}\b"
        if name != name.lower()
        else rf"(?:(?<=omit )|(?<=and )|^){name}\b"
        for name in _OPTIONS
    )
)


def inOptions(message: str, given: Iterable[str] = ()) -> str:
    """
    @param message: an error message of the client.
    @param given: the names of the options that were given.

    @return: the message with the options in place of parameters.
    """
    family = "--ipv4" if "ipv4" in given else "--ipv6"
    for old, new in (
        ("an address of the domain AF_INET6", "an IPv6 address"),
        ("an address of the domain AF_INET", "an IPv4 address"),
        ("omit domain", f"omit {family}"),
        ("tls=True cannot know", "tls cannot know"),
        (
            "pass tls=twisted.internet.ssl.optionsForClientTLS('the.host')",
            "pass --servername",
        ),
        (
            "instead of an endpoint, pass a twisted_clienttcp.proxy.ProxyEndpoint",
            "use HOST and PORT",
        ),
    ):
        message = message.replace(old, new)
    return _PARAMETER.sub(lambda found: _OPTIONS[found[0]], message)


def ofFraming(error: ValueError, spec: str, option: str, parameter: str) -> str:
    """
    @param error: the error for the last parameter of a framing's description.
    @param spec: the description.
    @param option: the option that has added the parameter.
    @param parameter: the name of the parameter.

    @return: the message, about the option.
    """
    framing, _, parameters = spec.partition(":")
    if parameters.count(f"{parameter}=") > 1:
        return f"--framing has {parameter} already: leave out {option}"
    message = str(error)
    if f"{framing}: {parameter}" in message:
        return message.replace(f"{framing}: {parameter}", option)
    return f"{option} has no effect with --framing={framing}: leave it out"


def aboutOption(error: GetoptError) -> str:
    """
    @return: what is wrong with an option, and what to do.
    """
    name = error.opt
    needsValue = "requires argument" in error.msg
    if f"option -{name}" in error.msg:
        letters = {option.short: option.name for option in ALL.values()}
        if not needsValue:
            return f"there is no option -{name}"
        name = letters[name]
    option = ALL.get(name)
    if "must not have an argument" in error.msg:
        return f"--{name} has no value: leave out '=' and what follows"
    if needsValue:
        form = option.synopsis.split(", ")[-1] if option else f"--{name}=VALUE"
        return f"--{name} needs a value, as in {form}"
    names = sorted([*ALL, "help", "version"])
    longer = [f"--{each}" for each in names if each.startswith(name)]
    if longer:
        return f"--{name} may be {oneOf(longer)}: write the whole name"
    close = get_close_matches(name, names, 1)
    hint = f": did you mean --{close[0]}?" if close else ""
    return f"there is no option --{name}{hint}"
