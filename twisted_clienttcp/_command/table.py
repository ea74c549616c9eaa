"""
The table of options, from which the parser, the help, the manual page and the tables in
the documentation are made.

An option that sets a parameter of the client takes its name, default, validator and
documentation from the table of settings (L{twisted_clienttcp._client.settings}).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from twisted.python import usage

from .._client.settings import DOCUMENTATION, SETTINGS
from .._texts import assigned
from ..demo import SERVERS
from ..framing import SPECS
from .values import CONVERSIONS


class Option(NamedTuple):
    """
    One option.

    @ivar name: the name, without the two hyphens.
    @ivar placeholder: the name of its value in the help; empty for a flag.
    @ivar summary: its line in the help.
    @ivar details: its description in the manual, apart from that of its setting; if
        both are empty, the summary is the description.
    @ivar settings: the names of the settings that it sets.
    @ivar short: its one-letter form.
    @ivar isSetting: True if its value is that of its only setting, and the setting's
        documentation is part of its description.
    """

    name: str
    placeholder: str
    summary: str
    details: str = ""
    settings: str = ""
    short: str | None = None
    isSetting: bool = False

    @property
    def synopsis(self) -> str:
        """
        The forms of the option, with the placeholder.
        """
        short = f"-{self.short}, " if self.short else ""
        value = f"={self.placeholder}" if self.placeholder else ""
        return f"{short}--{self.name}{value}"

    @property
    def description(self) -> str:
        """
        The description for the manual, with the default if it is a number.
        """
        parts = [self.details]
        if self.isSetting:
            # There are no docstrings under python -OO.
            parts.insert(0, oneLine(DOCUMENTATION.get(self.settings, "")))
            default = SETTINGS[self.settings].default
            if type(default) in (int, float):
                parts.append(f"Default: {default:g}.")
        return " ".join(filter(None, parts)) or sentence(self.summary)

    @property
    def parameters(self) -> str:
        """
        The names of its settings here and in POE, for the manual.
        """
        names = self.settings.split(", ") if self.settings else []
        poe = ", ".join(filter(None, (SETTINGS[name].poe for name in names)))
        return f"{self.settings}; POE: {poe}" if poe else self.settings

    def convert(self, text: str) -> Any:
        """
        @param text: the value on the command line.

        @return: the value to use.

        @raise usage.UsageError: if the text is not valid.
        """
        name = f"--{self.name}"
        convert = CONVERSIONS.get(self.placeholder)
        value = convert(name, text) if convert else text
        # Framings and records are made from several options.
        isMade = self.name == "framing" or self.placeholder == "SECONDS:RECORD"
        if self.isSetting and not isMade:
            value = validated(name, self.settings, value)
        return value


def validated(name: str, setting: str, value: object) -> object:
    try:
        valid: object = SETTINGS[setting].validate(name, value)
    except (TypeError, ValueError) as error:
        raise usage.UsageError(str(error)) from error
    return valid


def sentence(clause: str) -> str:
    """
    @return: a clause with a capital letter and a full stop.
    """
    return clause and f"{clause[0].upper()}{clause[1:]}."


def oneLine(documentation: str) -> str:
    """
    @return: the first clause of a setting's documentation, as a sentence without
        markup.
    """
    clause = re.split("[.:;](?: |$)", documentation)[0]
    return sentence(re.sub(r"C\{([^{}]*)\}", r"\1", clause))


def _setting(
    setting: str,
    summary: str,
    details: str = "",
    placeholder: str | None = None,
    name: str = "",
) -> Option:
    """
    @param placeholder: if not given, the first word of the setting's kind.
    @param name: the name; if not given, the setting's, in lower case with hyphens.

    @return: an option for a setting.
    """
    if placeholder is None:
        placeholder = SETTINGS[setting].kind.partition(" ")[0].strip(",").upper()
    name = name or re.sub("[A-Z]", lambda capital: f"-{capital[0].lower()}", setting)
    return Option(name, placeholder, summary, details, setting, isSetting=True)


#: The options by subject.
GROUPS: dict[str, tuple[Option, ...]] = {
    "Destination": (
        Option(
            "endpoint",
            "ENDPOINT",
            "connect to an endpoint of Twisted",
            "Connect to a client endpoint of Twisted, such as tcp:example.com:7, "
            "instead of HOST and PORT. Give it several times for failover: the "
            "endpoints are tried in turn.",
            "endpoint",
        ),
        Option(
            "bind",
            "ADDRESS[:PORT]",
            "use this local address",
            "Connect from this local address, this local port (:PORT), or both.",
            "bindAddress, bindPort",
        ),
        Option("ipv4", "", "use only IPv4", settings="domain", short="4"),
        Option("ipv6", "", "use only IPv6", settings="domain", short="6"),
        _setting(
            "proxy",
            "connect through this proxy",
            "Give it several times for a chain: each proxy is reached through the one "
            "before. Other users of this machine can see options: put a password into "
            "the environment variable ALL_PROXY, and use --proxy=environment. Default: "
            "none.",
            "URL",
        ),
        _setting("connectTimeout", "limit the time of each attempt"),
    ),
    "TLS": (
        Option(
            "tls",
            "",
            "use TLS (each option below implies it)",
            "Use TLS; the server's certificate must be valid for HOST and trusted by "
            "the platform. Each of the next options turns TLS on too.",
            "tls",
        ),
        Option(
            "ca",
            "FILE",
            "trust only these certificates",
            "Trust the certificates in this file, not those of the platform.",
        ),
        Option(
            "cert",
            "FILE",
            "the client's certificate",
            "The client's certificate and its chain, in PEM.",
        ),
        Option("key", "FILE", "the key of --cert, if in another file"),
        Option(
            "servername",
            "NAME",
            "the name in the server's certificate",
            "The server's certificate must be valid for this name instead of HOST.",
        ),
        Option(
            "alpn",
            "NAMES",
            "protocols to offer, as in h2,http/1.1",
        ),
        Option(
            "insecure",
            "",
            "do not verify the server",
            "Verify nothing: anyone can impersonate the server.",
        ),
    ),
    "Records": (
        _setting(
            "framing",
            "line (the default), stream and others",
            f"A name ({', '.join(SPECS)}) and parameters, as in line:delimiter=|. "
            "Default: line, which reads any newline and writes CR LF.",
            "SPEC",
        ),
        Option(
            "max-length",
            "BYTES",
            "the length of the longest record (1M)",
            "The longest record to send or to accept, in bytes: maxLength of the "
            "framing (POE: MaxLength). A longer line of standard input ends the "
            "command. Default: 1M.",
        ),
        Option(
            "on-too-long",
            "close|skip|split",
            "what to do with a longer one (close)",
            "What to do with a longer record from the server: close the connection, "
            "skip the record, or (only with --framing=line) split it. This is "
            "onTooLong of the framing. Default: close.",
        ),
    ),
    "Output and end": (
        _setting(
            "highMark",
            "pause input at this much output (64k)",
            "Here, the producer is standard input: it is not read until the low mark. "
            "Default: 64k. BYTES may end with k, M or G, as in 64k, 2M, 1G.",
        ),
        _setting("lowMark", "resume it at this much (16k)", "Default: 16k."),
        _setting("offlineLimit", "queue this much without a connection"),
        Option(
            "eof",
            "half|close|keep",
            "what to do at the end of standard input",
            "What to do at the end of standard input. half: end our side of the "
            "connection, and read on until the server ends its side; with TLS, which "
            "has no half-close, like keep. close: close the connection when everything "
            "is sent; what arrives after the end of standard input is not printed. "
            "keep: leave it open. Default: half; close with --send-only; keep under "
            "twistd and twist.",
        ),
        _setting(
            "drainTimeout",
            "limit the time of the flush at the end",
            "SIGINT, SIGTERM and --eof=close call shutdown.",
        ),
        _setting(
            "lingerTimeout",
            "limit the wait for the server to close",
            "It is the limit with --eof=close and --max-age, and after a signal. "
            "--eof=half waits without a limit.",
        ),
    ),
    "Staying connected": (
        _setting(
            "autoReconnect",
            "connect again after a failure or a loss",
            "twistd and twist always do this. --initial-delay, --max-delay, --factor, "
            "--max-retries, --stable-after and --fail-back need it.",
            "",
            "reconnect",
        ),
        _setting("initialDelay", "limit the wait after the first failure"),
        _setting("maxDelay", "limit each wait"),
        _setting("factor", "multiply the limit after each failure"),
        _setting("jitter", "the random fraction of a wait, 0 to 1"),
        _setting(
            "maxRetries", "give up after this many failed retries", "Default: no limit."
        ),
        _setting("stableAfter", "connected time that resets the limit"),
        _setting("idleTimeout", "drop a silent connection", "Default: never."),
        _setting(
            "heartbeat",
            "send this to a silent server, as in 30:PING",
            "Write RECORD like a line of standard input, as in 30:PING. If nothing is "
            "received for the same time again, the connection is dropped. Default: "
            "none.",
            "SECONDS:RECORD",
        ),
        _setting(
            "keepTalking",
            "send this when nothing else was sent",
            "Default: none.",
            "SECONDS:RECORD",
        ),
        _setting(
            "keepAlive",
            "how to probe a silent server, or no",
            "The values are the seconds of silence before the first probe, the seconds "
            "between probes, and the number of probes, as in 60,10,5; no turns the "
            "probes off. Default: the kernel's values.",
            "IDLE,INTERVAL,COUNT",
            "keepalive",
        ),
        _setting(
            "unacknowledgedTimeout",
            "limit the wait for acknowledgement",
            "Default: the kernel's limit.",
        ),
        _setting(
            "maxAge",
            "replace a connection of this age",
            "Standard input stays open: lines that are read during a drain are sent on "
            "the next connection. If a drain ends at --drain-timeout or "
            "--linger-timeout, answers may be missing, and the exit status is not 0. "
            "Without --reconnect, the command ends instead, with status 1 if standard "
            "input has not ended. Default: never.",
        ),
        _setting(
            "failBack",
            "return to the first endpoint after this",
            "For several --endpoint options. Default: never.",
        ),
        _setting(
            "halfClose",
            "end our side of a replaced connection (yes)",
            "Only --max-age and --fail-back drain; for the end of standard input, see "
            "--eof. Default: yes.",
            "yes|no",
        ),
    ),
    "Standard input and output": (
        Option("send-only", "", "do not print records"),
        Option("recv-only", "", "do not read standard input"),
        Option(
            "raw",
            "",
            "print control characters as they are",
            "Print control characters and escape sequences of the server as they are, "
            "on a terminal too: the server can then control the terminal. Without "
            "this, a terminal shows them as text, ESC as ^[.",
        ),
        Option("timestamps", "", "print the time before records and messages"),
        Option(
            "json-events",
            "",
            "print a JSON object for each callback",
            "For each callback, print a line with a JSON object: its name as event, "
            "the time, and its arguments. Bytes that are not UTF-8 become "
            '{"base64": ...}.',
        ),
        Option(
            "verbose",
            "",
            "report connections too",
            "Report connections and their ends too, not only errors.",
            short="v",
        ),
    ),
    "Debugging": (
        Option(
            "hex-dump",
            "FILE",
            "append all bytes to a file, as a hexdump",
            "Append all bytes that are sent and received to this file, as a hexdump "
            "with the time, the direction and the offset. A new file can be read only "
            "by its owner. With -, the hexdump is written to standard error; if its "
            "reader is too slow, parts are lost. With --client, bytes that are "
            "exchanged before connected has returned are not shown: they may be a "
            "login.",
            "wireLog",
            "x",
        ),
    ),
    "Handlers and demos": (
        Option(
            "client",
            "MODULE:OBJECT",
            "your callbacks instead of standard input",
            "Use your own callbacks instead of standard input and output: a module, "
            "class or object with methods named like the callbacks; a ClientTCPFactory "
            "or a subclass; or a function that is called with the reactor and the "
            "options and returns a client, such as options.client(serverInput=...).",
        ),
        Option("demo", "", "show the client at work with its own server"),
        Option(
            "demo-server",
            "NAME[:PORT]",
            f"run a server to try: {' or '.join(SERVERS)}",
            f"Run a server to try a client with ({' or '.join(SERVERS)}) on the "
            "loopback interface, until SIGINT or SIGTERM. Default: any free port.",
        ),
    ),
}

#: The options that can be given several times.
REPEATED = ("endpoint", "proxy")

#: Every option by its name.
ALL = {option.name: option for options in GROUPS.values() for option in options}

#: The options for parameters of the framing.
OF_FRAMING = {"max-length": "maxLength", "on-too-long": "onTooLong"}

#: The option for each setting and each parameter of the framing that has one.
_OPTIONS = {
    **{option.settings: option.name for option in ALL.values() if option.isSetting},
    **{parameter: name for name, parameter in OF_FRAMING.items()},
}


def asOption(setting: str, value: float) -> str:
    """
    @return: a setting with a value, as on the command line.
    """
    name = _OPTIONS.get(setting)
    return assigned(f"--{name}" if name else setting, value)


#: Names in rules that are no options, as in messages.
ARGUMENTS = "HOST and PORT"
SECOND = "a second --endpoint"


def allBut(name: str) -> tuple[str, ...]:
    """
    @return: the names of all other options, and L{ARGUMENTS}.
    """
    return ARGUMENTS, *(each for each in ALL if each != name)


class Rule(NamedTuple):
    """
    When options have no effect, which is an error.

    The names are those of options, L{ARGUMENTS}, L{SECOND}, and C{unix} (the server has
    a path), C{stream} (the framing) and C{twistd} (or twist).

    @ivar options: the options.
    @ivar needs: they have an effect only with one of these.
    @ivar excluded: they have no effect if all of these are given.
    @ivar reason: why.
    """

    options: tuple[str, ...]
    needs: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    reason: str = ""


def _need(options: str, *needs: str) -> Rule:
    return Rule(tuple(options.split()), needs)


def _exclude(excluded: str, reason: str, *options: str) -> Rule:
    return Rule(options, (), tuple(excluded.split()), reason)


_CONSOLE = tuple(option.name for option in GROUPS["Standard input and output"][:-1])

#: The rules. The user's callbacks (--client) may reconnect, drain and set marks.
RULES = (
    _exclude("demo", "--demo brings its own server", *allBut("demo")),
    _exclude(
        "demo-server",
        "--demo-server runs a server, not a client",
        *allBut("demo-server"),
    ),
    _exclude("client", "--client replaces standard input", "eof", *_CONSOLE),
    _exclude("client twistd", "--client replaces standard output", "verbose"),
    _exclude("twistd", "twistd and twist always connect again", "reconnect"),
    _need(
        "initial-delay max-delay factor max-retries stable-after fail-back",
        *("reconnect", "twistd", "client"),
    ),
    _need("jitter", "reconnect", "twistd", "max-age", "client"),
    _need("fail-back", SECOND),
    _need("half-close", "max-age", "fail-back", "client"),
    _need("high-mark", "low-mark", "client"),
    _need("low-mark", "high-mark", "client"),
    _need("key", "cert"),
    _exclude("insecure", "--insecure does not verify the server", "ca"),
    _exclude("ipv4", "--ipv4 uses only IPv4", "ipv6"),
    _exclude(
        "endpoint",
        "--endpoint has its own address",
        *(ARGUMENTS, "bind", "ipv4", "ipv6"),
    ),
    _exclude(
        "unix",
        "a UNIX socket does not use TCP",
        *("bind", "ipv4", "ipv6", "keepalive", "unacknowledged-timeout"),
    ),
    _exclude("send-only", "--send-only does not print records", "recv-only", "raw"),
    _exclude(
        "recv-only",
        "--recv-only does not read standard input",
        *("eof", "high-mark", "low-mark", "offline-limit"),
    ),
    _exclude("json-events", "--json-events escapes control characters", "raw"),
    _exclude("stream", "--framing=stream has no records", "timestamps"),
)


def checkRules(given: set[str]) -> None:
    """
    Check that each option has an effect.

    @param given: the names in L{RULES} that apply.

    @raise usage.UsageError: if one has none.
    """
    unmet = []
    for rule in RULES:
        if rule.needs:
            if given.isdisjoint(rule.needs) and not given.isdisjoint(rule.options):
                unmet.append(rule)
        elif given.issuperset(rule.excluded):
            exclude(given, f"{rule.reason}:", rule.options)
    if unmet:
        # An option may need several others: name all of them at once.
        needs = dict.fromkeys(_shown(rule.needs[0]) for rule in unmet)
        verb, them = ("is", "it") if len(needs) == 1 else ("are", "them")
        reason = f"{' and '.join(needs)} {verb} missing: add {them}, or"
        options = dict.fromkeys(name for rule in unmet for name in rule.options)
        exclude(given, reason, options)


def exclude(given: set[str], reason: str, names: Iterable[str]) -> None:
    """
    Reject options that would have no effect.

    @param given: the names in L{RULES} that apply.
    @param reason: why they would have none.
    @param names: their names.

    @raise usage.UsageError: if one is given.
    """
    rejected = [_shown(name) for name in names if name in given]
    if rejected:
        raise usage.UsageError(f"{reason} leave out {', '.join(rejected)}")


def _shown(name: str) -> str:
    return f"--{name}" if name in ALL else name


def _completer(option: Option) -> usage.Completer:
    """
    @return: how a shell completes the value of an option.
    """
    words = {"SPEC": SPECS, "NAME[:PORT]": SERVERS}.get(option.placeholder, ())
    if "|" in option.placeholder:
        words = option.placeholder.split("|")
    if words:
        return usage.CompleteList(list(words), descr=option.placeholder)
    if option.placeholder == "FILE":
        return usage.CompleteFiles(descr="file")
    return usage.Completer(descr=option.placeholder)


#: For the completion of shells (C{--_shell-completion}).
COMPLETIONS = usage.Completions(
    descriptions={option.name: option.summary for option in ALL.values()},
    multiUse=REPEATED,
    mutuallyExclusive=[("ipv4", "ipv6"), ("send-only", "recv-only")],
    optActions={o.name: _completer(o) for o in ALL.values() if o.placeholder},
    extraActions=[usage.CompleteHostnames(), usage.Completer(descr="port")],
)
