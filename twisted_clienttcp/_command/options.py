"""
The options of C{twistd clienttcp}, C{twist clienttcp} and C{clienttcp}.

Each option that is a parameter of the client has a row that says which: what is given
goes there, what is not is left to the client's own default.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from getopt import GetoptError, gnu_getopt
from socket import AF_INET, AF_INET6, AF_UNIX
from typing import Any, NamedTuple, NoReturn

from twisted.python import usage

from .. import ClientTCPFactory, __version__
from ..errors import ClientTCPError
from ..framing import SPECS, Framing, Stream, fromSpec
from .certificates import tlsFrom
from .stdio import display, refuse
from .text import Form


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"must be a number of seconds, not {text!r}") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"must be a number, not {text!r}") from None


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):
        raise ValueError(f"must be a whole number, not {text!r}")
    return int(text)


def _bytes(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}[kMG]?", text):
        raise ValueError(
            f"must be a number of bytes, such as 65536 or 64k, not {text!r}"
        )
    power = " kMG".find(text[-1])
    return int(text) if power < 1 else int(text[:-1]) * 1024**power


def _oneOf(*words: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be {' or '.join(words)}, not {text!r}")
        return text

    return convert


def _names(text: str) -> list[str]:
    names = text.split(",")
    if not all(name and name.isascii() for name in names):
        raise ValueError(f"must be names with commas between them, not {text!r}")
    return names


def _heartbeat(text: str) -> tuple[float, str]:
    seconds, colon, record = text.partition(":")
    if not colon:
        raise ValueError(f"must be seconds and a record, as in 30:PING, not {text!r}")
    return _seconds(seconds), record


def _keepAlive(text: str) -> bool | tuple[int, ...]:
    if text == "no":
        return False
    if not re.fullmatch("[0-9]{1,9}(,[0-9]{1,9}){2}", text):
        raise ValueError(f"must be no, or as 60,10,3, not {text!r}")
    return tuple(map(int, text.split(",")))


class Option(NamedTuple):
    """
    A row of the table.

    @ivar name: what is written behind the two hyphens.
    @ivar takes: what stands for its value; empty if it is a flag.
    @ivar help: what it does.
    @ivar parameter: the parameter of the client that it is for.
    @ivar poe: the parameter of POE that is the same.
    @ivar convert: makes the value of the text, or raises L{ValueError}.
    @ivar short: a letter that stands for it.
    """

    name: str
    takes: str
    help: str
    parameter: str = ""
    poe: str = ""
    convert: Callable[[str], Any] = str
    short: str | None = None

    @property
    def description(self) -> str:
        """
        What it does, and the names that it has elsewhere.
        """
        names = self.parameter + (f"; POE: {self.poe}" if self.poe else "")
        return f"{self.help} [{names}]" if names else self.help


_WHERE = (
    Option(
        "endpoint",
        "ENDPOINT",
        "Instead of HOST and PORT: a client endpoint of Twisted's, such as "
        "tcp:example.com:7. Given several times, those are tried in turn.",
        "endpoint",
    ),
    Option(
        "bind",
        "ADDRESS[:PORT]",
        "The local side.",
        "bindAddress, bindPort",
        "BindAddress, BindPort",
    ),
    Option("ipv4", "", "Only over IPv4.", "domain", "Domain", short="4"),
    Option("ipv6", "", "Only over IPv6.", "domain", "Domain", short="6"),
    Option(
        "connect-timeout",
        "SECONDS",
        "How long an attempt may take; 30.",
        "connectTimeout",
        "ConnectTimeout",
        _seconds,
    ),
)
_TLS = (
    Option(
        "tls",
        "",
        "Speak TLS, with a certificate that the platform trusts and that is for HOST. "
        "Each of the following asks for TLS too.",
        "tls",
    ),
    Option("ca", "FILE", "Trust these certificates instead of the platform's."),
    Option("cert", "FILE", "Our certificate in PEM, and those that vouch for it."),
    Option("key", "FILE", "Its key, if that is not in the same file."),
    Option("servername", "NAME", "Whom the certificate must be for, if not for HOST."),
    Option(
        "alpn",
        "NAMES",
        "The protocols that we offer, with commas between them.",
        convert=_names,
    ),
    Option("insecure", "", "Verify nothing: anybody can be taken for the server."),
)
_FRAMING = (
    Option(
        "framing",
        "SPEC",
        "How bytes become records: a name, and parameters if any, as in "
        f"line:delimiter=|. There are {', '.join(SPECS)}. If not given: line, any "
        "newline on input, CR LF on output.",
        "framing",
        "Filter",
    ),
    Option(
        "max-length",
        "BYTES",
        "The longest record; 1M. [maxLength of the framing; POE: MaxLength]",
        convert=_bytes,
    ),
    Option(
        "on-too-long",
        "WHAT",
        "close the connection at a longer one, or skip it. [onTooLong of the framing]",
        convert=_oneOf("close", "skip"),
    ),
)
_FLOW = (
    Option(
        "high-mark",
        "BYTES",
        "At how many bytes of output that wait standard input is read no further; "
        "64k. BYTES are a number, or as 64k, 2M, 1G.",
        "highMark",
        "HighMark",
        _bytes,
    ),
    Option(
        "low-mark",
        "BYTES",
        "Down to how many they must fall for it to be read again; 16k.",
        "lowMark",
        "LowMark",
        _bytes,
    ),
    Option(
        "offline-limit",
        "BYTES",
        "How many bytes may wait without a connection; 0. What no connection was "
        "handed is not lost with it then.",
        "offlineLimit",
        convert=_bytes,
    ),
    Option(
        "eof",
        "WHAT",
        "What the end of standard input does: half (end our side and read on; with "
        "TLS, which cannot do that, as keep), close (end when all is sent), keep (read "
        "on). If not given: half; close with --send-only; keep under twistd and twist.",
        convert=_oneOf("half", "close", "keep"),
    ),
    Option(
        "drain-timeout",
        "SECONDS",
        "How long the last flush may take; 60.",
        "drainTimeout",
        convert=_seconds,
    ),
    Option(
        "linger",
        "SECONDS",
        "How long to wait for the server to end its side, when all is sent; 30.",
        "lingerTimeout",
        convert=_seconds,
    ),
)
_STAYING = (
    Option(
        "reconnect",
        "",
        "Connect again after a failure or a loss, as twistd and twist always do. "
        "Without it the next six have nothing to do.",
        "autoReconnect",
    ),
    Option(
        "initial-delay",
        "SECONDS",
        "The longest wait before the first new attempt; 1.",
        "initialDelay",
        convert=_seconds,
    ),
    Option(
        "max-delay",
        "SECONDS",
        "The longest wait before any; 60.",
        "maxDelay",
        convert=_seconds,
    ),
    Option(
        "factor",
        "NUMBER",
        "What the longest wait is multiplied by after each failure; 2.",
        "factor",
        convert=_number,
    ),
    Option(
        "jitter",
        "SHARE",
        "The share of each wait that is drawn at random, from 0 to 1; 1.",
        "jitter",
        convert=_number,
    ),
    Option(
        "max-retries",
        "COUNT",
        "How many attempts may fail in a row; any number.",
        "maxRetries",
        convert=_count,
    ),
    Option(
        "stable-after",
        "SECONDS",
        "For how long a connection must hold for the waits to begin anew; 10.",
        "stableAfter",
        convert=_seconds,
    ),
    Option(
        "idle-timeout",
        "SECONDS",
        "After how long a silence of the server its connection is dropped; never.",
        "idleTimeout",
        convert=_seconds,
    ),
    Option(
        "heartbeat",
        "SECONDS:RECORD",
        "What to send after so long a silence; if that is not answered in as long a "
        "time, the connection is dropped.",
        "heartbeat",
        convert=_heartbeat,
    ),
    Option(
        "keepalive",
        "IDLE,INTERVAL,COUNT",
        "After how many seconds of silence the kernel probes the server, how many "
        "seconds apart, and how often before it takes it for gone; no for never. If "
        "not given: as the kernel has it.",
        "keepAlive",
        convert=_keepAlive,
    ),
)
_CONSOLE = (
    Option("send-only", "", "Do not print what comes."),
    Option("recv-only", "", "Do not read standard input."),
    Option("timestamps", "", "Print the time before each record."),
    Option(
        "json-events",
        "",
        "Print a JSON object a line for each callback: event, time, and what it tells; "
        "records are the record of serverInput. Bytes that are no UTF-8 are "
        '{"base64": ...}.',
    ),
    Option("verbose", "", "Tell of connections too, not only of faults.", short="v"),
)
_HANDLERS = (
    Option(
        "client",
        "MODULE:OBJECT",
        "Callbacks of your own instead of standard input and output: a class or an "
        "object (or, without OBJECT, a module) that has them under their names; a "
        "ClientTCPFactory, or a subclass; or a function of the reactor and the options "
        "that returns one: options.client(serverInput=...) makes it.",
    ),
    Option("demo", "", "Show the client at work with a server of its own, and end."),
    Option(
        "demo-server",
        "NAME",
        "Run a server to try a client with, echo or quotes, on a free port of the "
        "loopback interface, until SIGINT or SIGTERM.",
        convert=_oneOf("echo", "quotes"),
    ),
)

#: All options, by subject.
GROUPS = (
    ("Where", _WHERE),
    ("TLS", _TLS),
    ("Records", _FRAMING),
    ("Flow and the end", _FLOW),
    ("Staying connected", _STAYING),
    ("Standard input and output", _CONSOLE),
    ("Handlers", _HANDLERS),
)
_ALL = {option.name: option for _, options in GROUPS for option in options}

#: The options whose values are passed to the constructor of the client unchanged.
_PARAMETERS = (
    "connect-timeout",
    "drain-timeout",
    "high-mark",
    "linger",
    "low-mark",
    "offline-limit",
    "initial-delay",
    "max-delay",
    "factor",
    "jitter",
    "max-retries",
    "stable-after",
    "idle-timeout",
    "keepalive",
)

_ABOUT = (
    "Connects to HOST (a name or an address) [remoteAddress] and PORT (a number or "
    "the name of a service) [remotePort]; sends what standard input gives and prints "
    "what comes on standard output, each only as fast as the other side takes it. "
    "With --framing=stream bytes are passed as they are; with any other framing a "
    "record is a line here: its bytes, or, with jsonlines and serialized, its value "
    "as JSON. HOST:PORT, [IPv6]:PORT and unix:/path will do too. In square brackets: "
    "the parameter of ClientTCPFactory, and what POE::Component::Client::TCP calls "
    "it."
)

_COMMAND = (
    "It ends when the server ends. SIGINT and SIGTERM end it when all that was read "
    "is sent; given twice, at once. Messages go to standard error. Exit status: 0 if "
    "standard input was sent to its end and the server ended in order; 1 if the "
    "connection failed, was lost, or ended before standard input; 2 if TLS could not "
    "verify the server; 64 for wrong usage; 124 after --connect-timeout, "
    "--drain-timeout, --idle-timeout or --heartbeat; 130 and 143 after SIGINT and "
    "SIGTERM."
)

_SERVICE = (
    "After a failure or a loss it connects again, and stays at the end of standard "
    "input. SIGINT and SIGTERM end it when all that was read is sent. The log goes "
    "where that of the whole process goes, by default to standard output too. "
    "Standard input needs twistd --nodaemon; a daemon needs --client. If the client "
    "gives up, the log tells why, with the exit status that clienttcp would have had."
)

_EXAMPLES = (
    r"printf 'PING\r\n' | clienttcp localhost 6379",
    "clienttcp --framing=stream --send-only db.example:9000 < dump",
    "twistd --pidfile=feed.pid clienttcp --client=feed:Handlers feed.example:9000",
)


class Options(usage.Options):
    """
    What all three commands take. What cannot be used ends the process, with one line
    on standard error.

    @ivar staying: whether this is twistd or twist, and not the command of our own.
    @ivar framing: the framing asked for.
    @ivar given: the names of the options given.
    """

    optFlags = [[o.name, o.short, o.help] for o in _ALL.values() if not o.takes]
    optParameters = [
        [o.name, o.short, None, o.help]
        for o in _ALL.values()
        if o.takes and o.name != "endpoint"
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
        An endpoint; given several times, those are tried in turn.
        """
        self["endpoint"].append(endpoint)

    def getSynopsis(self) -> str:
        """
        @return: how the command is called.
        """
        if self.staying:
            synopsis: str = super().getSynopsis()
            return synopsis
        return f"Usage: clienttcp {self.synopsis}"

    def getUsage(self, width: int | None = None) -> str:
        """
        @return: the help behind that.
        """
        width = width or int(os.environ.get("COLUMNS", "80"))

        def wrap(text: str, indent: int = 0) -> str:
            space = " " * indent
            return textwrap.fill(
                text,
                max(width, 40),
                initial_indent=space,
                subsequent_indent=space,
                break_on_hyphens=False,
            )

        parts = ["", wrap(_ABOUT), "", wrap(_SERVICE if self.staying else _COMMAND)]
        for title, options in GROUPS:
            parts += ["", f"{title}:"]
            for option in options:
                if option.name == "reconnect" and self.staying:
                    continue
                short = f"-{option.short}, " if option.short else ""
                takes = f"={option.takes}" if option.takes else ""
                parts.append(f"  {short}--{option.name}{takes}")
                parts.append(wrap(option.description, 8))
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
        Take HOST and PORT, in any of their forms.
        """
        self._words = words

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse; options may stand behind HOST and PORT too. What is wrong ends the
        process.

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
        except (GetoptError, usage.UsageError) as e:
            refuse(e)

    def postOptions(self) -> None:
        """
        Check what the client itself cannot.

        @raise usage.UsageError: if anything is wrong.
        """
        self.given = [name for name in _ALL if self[name] not in (None, 0, [])]
        for name in self.given:
            if isinstance(self[name], str):
                try:
                    self[name] = _ALL[name].convert(self[name])
                except ValueError as e:
                    raise usage.UsageError(f"--{name} {e}") from e
        if self.parent is not None and not (
            "client" in self.given or self.parent.get("nodaemon", True)
        ):
            raise usage.UsageError(
                "a daemon has no standard input and output: use twistd --nodaemon, or "
                "give it handlers with --client"
            )
        if self.staying and self["reconnect"]:
            raise usage.UsageError(
                "--reconnect is for clienttcp: twistd and twist always connect again"
            )
        if self["send-only"] and self["recv-only"]:
            raise usage.UsageError("--send-only and --recv-only exclude each other")
        if self["demo"]:
            self.exclude("--demo brings its own server", but="demo")
        if self["demo-server"] is not None:
            self.exclude("--demo-server runs a server, not a client", but="demo-server")
        if "client" in self.given:
            console = [
                option.name
                for option in _CONSOLE
                if self.staying or option.name != "verbose"
            ]
            self.exclude("--client replaces the console", only=["eof", *console])
        self.framing = self._framing()
        if self["timestamps"] and isinstance(self.framing, Stream):
            raise usage.UsageError("--timestamps is for records: a stream has none")

    def exclude(
        self, reason: str, only: Sequence[str] | None = None, but: str = ""
    ) -> None:
        """
        Refuse options that would do nothing.

        @param reason: why.
        @param only: which; all, and HOST and PORT, if not given.
        @param but: except for this one.

        @raise usage.UsageError: if one is given.
        """
        refused = self.given if only is None else set(self.given) & set(only)
        names = [f"--{name}" for name in refused if name != but]
        if only is None and self._words:
            names.insert(0, "HOST and PORT")
        if names:
            raise usage.UsageError(f"{reason}: leave out {', '.join(sorted(names))}")

    def _framing(self) -> Framing[Any]:
        spec = self["framing"] or "line"
        for name, parameter in (
            ("max-length", "maxLength"),
            ("on-too-long", "onTooLong"),
        ):
            if self[name] is not None:
                spec += f"{',' if ':' in spec else ':'}{parameter}={self[name]}"
        try:
            return fromSpec(spec)
        except ValueError as e:
            raise usage.UsageError(f"--framing: {e}") from e

    def client(
        self, kind: type[ClientTCPFactory] = ClientTCPFactory, /, **callbacks: Any
    ) -> ClientTCPFactory:
        """
        Make the client that the options describe; what it does not accept ends the
        process.

        @param kind: its class.
        @param callbacks: parameters for which there are no options.

        @raise SystemExit: with 64, if anything is wrong.
        """
        try:
            given = {
                _ALL[name].parameter: self[name]
                for name in _PARAMETERS
                if name in self.given
            }
            if "heartbeat" in self.given:
                given["heartbeat"] = self._heartbeat()
            if any(option.name in self.given for option in _FRAMING):
                given["framing"] = self.framing
            return kind(
                **self._where(),
                **self._tls(),
                autoReconnect=bool(self.staying or self["reconnect"]),
                **given,
                **callbacks,
            )
        except (ClientTCPError, ImportError, TypeError, ValueError) as e:
            refuse(e)
        except usage.UsageError as e:
            refuse(e)

    def _heartbeat(self) -> tuple[float, Any]:
        """
        @return: after how many seconds, and the record, which is given as a line of
            standard input.
        """
        seconds, text = self["heartbeat"]
        form = Form(self.framing)
        records = [*form.read(os.fsencode(text)), *form.end()]
        if len(records) != 1:
            raise usage.UsageError(f"--heartbeat takes one record, not {records!r}")
        return seconds, records[0]

    def _tls(self) -> dict[str, Any]:
        """
        @return: what TLS is to be like, as parameters of the client.
        """
        names = [option.name for option in _TLS]
        if not set(names) & set(self.given):
            return {}
        settings = {name: self[name] for name in names if name != "tls"}
        host = self._where().get("remoteAddress")
        return {
            "tls": tlsFrom(
                host=None if host is None or host.startswith("/") else host, **settings
            )
        }

    def _where(self) -> dict[str, Any]:
        """
        @return: where to connect to, as parameters of the client.
        """
        where: dict[str, Any] = {}
        if self["ipv4"] or self["ipv6"]:
            if self["ipv4"] and self["ipv6"]:
                raise usage.UsageError("--ipv4 and --ipv6 exclude each other")
            where["domain"] = AF_INET if self["ipv4"] else AF_INET6
        if self["bind"] is not None:
            address, port = _split(self["bind"])
            where["bindAddress"] = address or None
            where["bindPort"] = int(port) if port and port.isdecimal() else port
        if self["endpoint"]:
            if self._words:
                raise usage.UsageError("--endpoint stands for HOST and PORT: leave out")
            several = len(self["endpoint"]) > 1
            return {
                **where,
                "endpoint": self["endpoint"] if several else self["endpoint"][0],
            }
        if len(self._words) == 1 and self._words[0].startswith("unix:"):
            path = self._words[0].removeprefix("unix:")
            return {"remoteAddress": path, **where, "domain": AF_UNIX}
        host, port = _split(*self._words) if self._words else ("", None)
        if not host or not port:
            raise usage.UsageError(
                "HOST and PORT are required, as in: localhost 7, localhost:7, [::1]:7, "
                "unix:/path"
            )
        return {**where, "remoteAddress": host, "remotePort": port}


def _split(host: str, port: str | None = None, *more: str) -> tuple[str, str | None]:
    """
    @return: host and port of C{HOST PORT}, C{HOST:PORT} or C{[IPv6]:PORT}; no port if
        there is none.
    """
    if more:
        raise usage.UsageError("too many arguments: HOST and PORT are all")
    bracketed = re.fullmatch(r"\[(.*)\](?::(.*))?", host)
    if bracketed:
        host, inner = bracketed.groups()
        port = port or inner
    elif port is None and host.count(":") == 1:
        host, port = host.split(":")
    return host, port
