"""
The options of C{clienttcp}, C{twistd clienttcp} and C{twist clienttcp}.

An option that sets a parameter of the client takes its name, default, validator and
documentation from the table of settings (L{twisted_clienttcp._client.settings}). A
parameter without an option given keeps the client's own default.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Sequence
from getopt import GetoptError, gnu_getopt
from shutil import get_terminal_size
from socket import AF_INET, AF_INET6, AF_UNIX
from typing import Any, NamedTuple, NoReturn

from twisted.python import usage

from .. import ClientTCPFactory, __version__
from .._client.settings import DOCUMENTATION, SETTINGS
from ..demo import SERVERS
from ..errors import ClientTCPError
from ..framing import SPECS, Framing, Stream, fromSpec
from .certificates import tlsFrom
from .stdio import display, refuse
from .text import Form
from .values import CONVERSIONS


class Option(NamedTuple):
    """
    One option.

    @ivar name: the name, without the two hyphens.
    @ivar placeholder: stands for its value in the help; empty for a flag.
    @ivar help: its description, apart from that of its setting.
    @ivar settings: the names of the settings that it is for.
    @ivar short: its one-letter form.
    @ivar isSetting: True if its value is that of its only setting, and the setting's
        documentation is part of its help.
    """

    name: str
    placeholder: str
    help: str
    settings: str = ""
    short: str | None = None
    isSetting: bool = False

    @property
    def description(self) -> str:
        """
        The help, the default, and the names of the settings here and in POE.
        """
        parts = [self.help]
        if self.isSetting:
            # There are no docstrings under python -OO.
            parts.insert(0, oneLine(DOCUMENTATION.get(self.settings, "")))
            default = SETTINGS[self.settings].default
            if type(default) in (int, float):
                parts.append(f"Default: {default:g}.")
        if self.settings:
            names = self.settings.split(", ")
            poe = ", ".join(filter(None, (SETTINGS[name].poe for name in names)))
            parts.append(f"[{self.settings}{poe and '; POE: '}{poe}]")
        return " ".join(filter(None, parts))

    def convert(self, text: str) -> Any:
        """
        @return: the value that a text stands for.

        @raise usage.UsageError: if it stands for none.
        """
        name = f"--{self.name}"
        convert = CONVERSIONS.get(self.placeholder)
        value = convert(name, text) if convert else text
        # Framings and records are made from several options.
        isMade = self.name == "framing" or self.placeholder == "SECONDS:RECORD"
        if self.isSetting and not isMade:
            value = _validated(name, self.settings, value)
        return value


def _validated(name: str, setting: str, value: object) -> object:
    try:
        valid: object = SETTINGS[setting].validate(name, value)
    except (TypeError, ValueError) as error:
        raise usage.UsageError(str(error)) from error
    return valid


def oneLine(documentation: str) -> str:
    """
    @return: the first clause of a setting's documentation, as a sentence without
        markup.
    """
    clause = re.split("[.:;](?: |$)", documentation)[0]
    plain = re.sub(r"C\{([^{}]*)\}", r"\1", clause)
    return plain and f"{plain[0].upper()}{plain[1:]}."


def _setting(
    setting: str, help: str = "", placeholder: str | None = None, name: str = ""
) -> Option:
    """
    @param placeholder: if not given, the first word of the setting's kind.
    @param name: the name; if not given, the setting's, in lower case with hyphens.

    @return: an option for a setting.
    """
    if placeholder is None:
        placeholder = SETTINGS[setting].kind.partition(" ")[0].strip(",").upper()
    name = name or re.sub("[A-Z]", lambda capital: f"-{capital[0].lower()}", setting)
    return Option(name, placeholder, help, setting, isSetting=True)


#: The options by subject.
GROUPS: dict[str, tuple[Option, ...]] = {
    "Destination": (
        Option(
            "endpoint",
            "ENDPOINT",
            "Connect to a client endpoint of Twisted, such as tcp:example.com:7, "
            "instead of HOST and PORT. Given several times, these are tried in turn.",
            "endpoint",
        ),
        Option(
            "bind",
            "ADDRESS[:PORT]",
            "The local address, the local port, or both.",
            "bindAddress, bindPort",
        ),
        Option("ipv4", "", "Use only IPv4.", "domain", "4"),
        Option("ipv6", "", "Use only IPv6.", "domain", "6"),
        _setting("connectTimeout"),
    ),
    "TLS": (
        Option(
            "tls",
            "",
            "Use TLS; the server's certificate must be valid for HOST and trusted by "
            "the platform. Each of the next options turns TLS on too.",
            "tls",
        ),
        Option("ca", "FILE", "Trust these certificates, not those of the platform."),
        Option("cert", "FILE", "Our certificate and its chain, in PEM."),
        Option("key", "FILE", "The key of --cert, if it is in another file."),
        Option("servername", "NAME", "The certificate must be valid for this name."),
        Option("alpn", "NAMES", "Protocols to offer, as in h2,http/1.1."),
        Option("insecure", "", "Verify nothing: anyone can impersonate the server."),
    ),
    "Records": (
        _setting(
            "framing",
            f"A name ({', '.join(SPECS)}) and parameters, as in line:delimiter=|. "
            "Default: line, which reads any newline and writes CR LF.",
            "SPEC",
        ),
        Option(
            "max-length",
            "BYTES",
            "The length of the longest record. Default: 1M. [maxLength of the framing; "
            "POE: MaxLength]",
        ),
        Option(
            "on-too-long",
            "WHAT",
            "What to do with a longer record: close (the connection), skip (the "
            "record), or, with line, split. Default: close. [onTooLong of the framing]",
        ),
    ),
    "Output and end": (
        _setting(
            "highMark",
            "That producer is standard input. Default: 64k. BYTES are a number, or as "
            "in 64k, 2M, 1G.",
        ),
        _setting("lowMark", "Default: 16k."),
        _setting("offlineLimit"),
        Option(
            "eof",
            "half|close|keep",
            "At the end of standard input: half-close the connection and keep reading "
            "(with TLS: as keep), close it when everything is sent, or keep it open. "
            "Default: half; close with --send-only; keep under twistd and twist.",
        ),
        _setting("drainTimeout"),
        _setting("lingerTimeout"),
    ),
    "Staying connected": (
        _setting(
            "autoReconnect",
            "twistd and twist always connect again. Without this, the next six options "
            "have no effect.",
            "",
            "reconnect",
        ),
        _setting("initialDelay"),
        _setting("maxDelay"),
        _setting("factor"),
        _setting("jitter"),
        _setting("maxRetries", "Default: no limit."),
        _setting("stableAfter"),
        _setting("idleTimeout", "Default: never."),
        _setting(
            "heartbeat",
            "Write it like a line of standard input, as in 30:PING. After the same "
            "time without an answer, the connection is dropped. Default: none.",
            "SECONDS:RECORD",
        ),
        _setting("keepTalking", "Default: none.", "SECONDS:RECORD"),
        _setting(
            "keepAlive",
            "The seconds of silence before the first probe, the seconds between "
            "probes, and their number; or no. Default: the kernel's numbers.",
            "IDLE,INTERVAL,COUNT",
            "keepalive",
        ),
        _setting("unacknowledgedTimeout", "Default: the kernel's limit."),
    ),
    "Standard input and output": (
        Option("send-only", "", "Do not print records."),
        Option("recv-only", "", "Do not read standard input."),
        Option("timestamps", "", "Print the time before each record and message."),
        Option(
            "json-events",
            "",
            "Print a JSON object per line for each callback, with event, time and its "
            'arguments. Bytes that are not UTF-8 become {"base64": ...}.',
        ),
        Option("verbose", "", "Report connections too, not only errors.", short="v"),
    ),
    "Handlers and demos": (
        Option(
            "client",
            "MODULE:OBJECT",
            "Use your own callbacks instead of standard input and output: a module, "
            "class or object with methods named as the callbacks; a ClientTCPFactory "
            "or a subclass; or a function of the reactor and the options that returns "
            "a client, such as options.client(serverInput=...).",
        ),
        Option("demo", "", "Show the client at work with its own server, and end."),
        Option(
            "demo-server",
            "NAME[:PORT]",
            f"Run a server to try a client with ({' or '.join(SERVERS)}) on the "
            "loopback interface, until SIGINT or SIGTERM. Default: any free port.",
        ),
    ),
}

#: The options for parameters of the framing.
_OF_FRAMING = {"max-length": "maxLength", "on-too-long": "onTooLong"}

_ALL = {option.name: option for options in GROUPS.values() for option in options}

_ABOUT = (
    "Connects to HOST (a name or an address) [remoteAddress] and PORT (a number or a "
    "service name) [remotePort], sends the lines of standard input, and prints the "
    "records that arrive; each side is read only as fast as the other accepts. With "
    "--framing=stream, bytes are passed as they are. With jsonlines, jsonvalues and "
    "serialized, a record is a line with its value as JSON. HOST:PORT, [IPv6]:PORT and "
    "unix:/path work too. "
    "Square brackets contain the parameter of ClientTCPFactory and its name in "
    "POE::Component::Client::TCP."
)

_COMMAND = (
    "The command ends when the server ends the connection. SIGINT and SIGTERM end it "
    "after everything that was read has been sent; a second signal ends it at once. "
    "Messages go to standard error. Exit status: 0 if all of standard input was sent "
    "and acknowledged, everything received was printed, and nothing failed; 1 if the "
    "connection failed, was lost or ended too early, or a callback of --client raised; "
    "2 if TLS could not verify the server; 64 for wrong usage; 124 after "
    "--connect-timeout, --drain-timeout, --idle-timeout or --heartbeat; 130 after "
    "SIGINT and 143 after SIGTERM."
)

_SERVICE = (
    "It connects again after a failure or a loss, and keeps running at the end of "
    "standard input. SIGINT and SIGTERM end it after everything that was read has been "
    "sent. The log goes to standard output too unless twistd --logfile or twist "
    "--log-file is given. Standard input needs twistd --nodaemon; a daemon needs "
    "--client. When the client gives up, the log says why, with the exit status that "
    "clienttcp would have had."
)

_EXAMPLES = (
    r"printf 'PING\r\n' | clienttcp localhost 6379",
    "clienttcp --framing=stream --send-only db.example:9000 < dump",
    "twistd --pidfile=feed.pid clienttcp --client=feed:Handlers feed.example:9000",
)


class Options(usage.Options):
    """
    The options of all three commands. Wrong usage ends the process, with one line on
    standard error.

    @ivar staying: True under twistd and twist, which keep the client running.
    @ivar given: the names of the options that were given.
    @ivar framing: the framing that they describe.
    """

    optFlags = [[o.name, o.short, o.help] for o in _ALL.values() if not o.placeholder]
    optParameters = [
        [o.name, o.short, None, o.help]
        for o in _ALL.values()
        if o.placeholder and o.name != "endpoint"
    ]
    synopsis = "[options] HOST PORT"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["endpoint"] = []

    @property
    def staying(self) -> bool:
        return self.parent is not None

    def opt_endpoint(self, endpoint: str) -> None:
        """
        Add an endpoint to try.
        """
        self["endpoint"].append(endpoint)

    def getSynopsis(self) -> str:
        """
        @return: the first line of the help.
        """
        if self.staying:
            synopsis: str = super().getSynopsis()
            return synopsis
        return f"Usage: clienttcp {self.synopsis}"

    def getUsage(self, width: int | None = None) -> str:
        """
        @return: the rest of the help.
        """
        width = max(width or get_terminal_size().columns, 40)

        def wrap(text: str, indent: str = "") -> str:
            return textwrap.fill(
                text,
                width,
                initial_indent=indent,
                subsequent_indent=indent,
                break_on_hyphens=False,
            )

        parts = ["", wrap(_ABOUT), "", wrap(_SERVICE if self.staying else _COMMAND)]
        for title, options in GROUPS.items():
            parts += ["", f"{title}:"]
            for option in options:
                if option.name == "reconnect" and self.staying:
                    continue
                short = f"-{option.short}, " if option.short else ""
                placeholder = f"={option.placeholder}" if option.placeholder else ""
                parts.append(f"  {short}--{option.name}{placeholder}")
                parts.append(wrap(option.description, " " * 8))
        parts += ["", "  --version", "  -h, --help", "", "Examples:"]
        parts += [f"  {example}" for example in _EXAMPLES]
        return "\n".join(parts) + "\n"

    def opt_help(self) -> NoReturn:
        """
        Display this help and exit.
        """
        display(f"{self}\n")

    opt_h = opt_help

    def opt_version(self) -> NoReturn:
        """
        Display the version and exit.
        """
        display(f"clienttcp {__version__}\n")

    def parseArgs(self, *words: str) -> None:
        """
        Keep HOST and PORT, in any of their forms.
        """
        self._words = words

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse the command line. Options may also follow HOST and PORT.

        @raise SystemExit: with 64, if anything is wrong.
        """
        given = sys.argv[1:] if options is None else list(options)
        try:
            if "--_shell-completion" not in given:
                pairs, words = gnu_getopt(given, self.shortOpt, self.longOpt)
                given = [
                    f"{name}={value}" if f"{name[2:]}=" in self.longOpt else name
                    for name, value in pairs
                ]
                given += ["--", *words]
            super().parseOptions(given)  # type: ignore[no-untyped-call]
        except (GetoptError, usage.UsageError) as error:
            refuse(error)

    def postOptions(self) -> None:
        """
        Convert the values, and check what the client itself cannot check.

        @raise usage.UsageError: if a value is wrong, or options are in conflict.
        """
        self.given = [name for name in _ALL if self[name] not in (None, 0, [])]
        for name in self.given:
            if not _ALL[name].placeholder:
                self[name] = True
            elif self[name] in ("", [""]):
                raise usage.UsageError(f"--{name} must not be empty: leave it out")
            elif name != "endpoint":
                self[name] = _ALL[name].convert(self[name])
        self._checkParent()
        if self["send-only"] and self["recv-only"]:
            raise usage.UsageError("--send-only and --recv-only exclude each other")
        if self["demo"]:
            self.exclude("--demo brings its own server", but="demo")
        if self["demo-server"] is not None:
            self.exclude("--demo-server runs a server, not a client", but="demo-server")
        if self["client"] is not None:
            console = [option.name for option in GROUPS["Standard input and output"]]
            if not self.staying:
                console.remove("verbose")
            self.exclude("--client replaces standard input and output", "eof", *console)
        self.framing = self._framing()
        if self["timestamps"] and isinstance(self.framing, Stream):
            raise usage.UsageError(
                "--timestamps needs records: it cannot be used with --framing=stream"
            )
        for name in ("heartbeat", "keep-talking"):
            if self[name] is not None:
                self[name] = self._timedRecord(name)

    def _checkParent(self) -> None:
        """
        Check that twistd or twist can run what was asked for.
        """
        if self.parent is None:
            return
        if self["client"] is None and not self.parent.get("nodaemon", True):
            raise usage.UsageError(
                "a daemon has no standard input and output: use twistd --nodaemon, or "
                "your own callbacks with --client"
            )
        if self["reconnect"]:
            raise usage.UsageError(
                "--reconnect is for clienttcp: twistd and twist always connect again"
            )

    def exclude(self, reason: str, *names: str, but: str = "") -> None:
        """
        Reject options that would have no effect.

        @param reason: why they would have none.
        @param names: their names; without any, all options, and HOST and PORT.
        @param but: an option to accept.

        @raise usage.UsageError: if one is given.
        """
        rejected = [
            f"--{name}"
            for name in self.given
            if (name in names if names else name != but)
        ]
        if self._words and not names:
            rejected.insert(0, "HOST and PORT")
        if rejected:
            raise usage.UsageError(f"{reason}: leave out {', '.join(sorted(rejected))}")

    def _framing(self) -> Framing[Any]:
        spec = self["framing"] or "line"
        for name, parameter in _OF_FRAMING.items():
            if self[name] is not None:
                spec += f"{',' if ':' in spec else ':'}{parameter}={self[name]}"
        try:
            return fromSpec(spec)
        except (ImportError, ValueError) as error:
            raise usage.UsageError(f"--framing: {error}") from error

    def _timedRecord(self, name: str) -> object:
        """
        @return: the setting, with the record that the text stands for as a line of
            standard input.
        """
        seconds, text = self[name]
        form = Form(self.framing)
        try:
            records = [*form.read(os.fsencode(text)), *form.end()]
        except ClientTCPError as error:
            raise usage.UsageError(f"--{name}: {error}") from error
        if len(records) != 1:
            raise usage.UsageError(
                f"--{name} must have one record, not {len(records)}: {text!r}"
            )
        return _validated(f"--{name}", _ALL[name].settings, (seconds, records[0]))

    def client(
        self, kind: type[ClientTCPFactory] = ClientTCPFactory, /, **parameters: Any
    ) -> ClientTCPFactory:
        """
        Create the client that the options describe.

        @param kind: its class.
        @param parameters: callbacks, and settings without an option.

        @raise SystemExit: with 64, if the client rejects a value.
        """
        settings = {
            _ALL[name].settings: self[name]
            for name in self.given
            if _ALL[name].isSetting
        }
        if not {"framing", *_OF_FRAMING}.isdisjoint(self.given):
            settings["framing"] = self.framing
        try:
            destination = self._destination()
            return kind(
                **destination,
                **self._tls(destination.get("remoteAddress")),
                **{"autoReconnect": self.staying, **settings},
                **parameters,
            )
        except (
            ClientTCPError,
            ImportError,
            TypeError,
            ValueError,
            usage.UsageError,
        ) as error:
            refuse(error)

    def _tls(self, host: str | None) -> dict[str, Any]:
        """
        @param host: the host that is connected to, if it is one host.

        @return: the setting C{tls}, if an option asks for it.
        """
        values = {option.name: self[option.name] for option in GROUPS["TLS"]}
        if not any(values.values()):
            return {}
        del values["tls"]
        isPath = host is not None and host.startswith("/")
        return {"tls": tlsFrom(host=None if isPath else host, **values)}

    def _destination(self) -> dict[str, Any]:
        """
        @return: the settings of the destination and the local side.
        """
        found: dict[str, Any] = {}
        if self["ipv4"] or self["ipv6"]:
            if self["ipv4"] and self["ipv6"]:
                raise usage.UsageError("--ipv4 and --ipv6 exclude each other")
            found["domain"] = AF_INET if self["ipv4"] else AF_INET6
        if self["bind"] is not None:
            address, port = _split(self["bind"])
            found["bindAddress"] = address or None
            found["bindPort"] = int(port) if port and port.isdecimal() else port
        if self["endpoint"]:
            if self._words:
                raise usage.UsageError(
                    "--endpoint replaces HOST and PORT: leave out HOST and PORT"
                )
            first, *others = self["endpoint"]
            return {**found, "endpoint": [first, *others] if others else first}
        if len(self._words) == 1 and self._words[0].startswith("unix:"):
            path = self._words[0].removeprefix("unix:")
            return {**found, "remoteAddress": path, "domain": AF_UNIX}
        host, port = _split(*self._words) if self._words else ("", None)
        if not host or not port:
            raise usage.UsageError(
                "HOST and PORT are required, as in: localhost 7, localhost:7, [::1]:7, "
                "unix:/path"
            )
        return {**found, "remoteAddress": host, "remotePort": port}


def _split(host: str, port: str | None = None, *more: str) -> tuple[str, str | None]:
    """
    @return: host and port of C{HOST PORT}, C{HOST:PORT} or C{[IPv6]:PORT}; None for a
        missing port.
    """
    if more:
        raise usage.UsageError(f"too many arguments: leave out {' '.join(more)}")
    bracketed = re.fullmatch(r"\[(.*)\](?::(.*))?", host)
    if bracketed:
        host, inner = bracketed.groups()
        port = port or inner
    elif port is None and host.count(":") == 1:
        host, port = host.split(":")
    return host, port
