"""
The options of C{clienttcp}, C{twistd clienttcp} and C{twist clienttcp}: the command
line, and the client that it describes.

A setting keeps the client's default unless its option is given.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from getopt import GetoptError, gnu_getopt
from socket import AF_INET, AF_INET6, AF_UNIX
from typing import Any, NoReturn

from twisted.python import usage

from .. import ClientTCPFactory, __version__
from ..errors import ClientTCPError
from ..framing import Stream, fromSpec
from ..framing._base import AnyFraming
from .certificates import tlsFrom
from .hexdump import wireLogTo
from .status import STATUSES
from .stdio import display, refuse
from .table import ALL, COMPLETIONS, GROUPS, REPEATED, validated
from .text import Form
from .wording import aboutOption, inOptions, ofFraming

#: The options for parameters of the framing.
_OF_FRAMING = {"max-length": "maxLength", "on-too-long": "onTooLong"}

#: The width of the column of options in the help.
_COLUMN = 36

_ABOUT = """
Connects to a server, sends the lines of standard input, and prints the records
that arrive. HOST:PORT, [IPv6]:PORT and unix:/path work too.
"""

_SERVICE = """
It always connects again, and keeps running at the end of standard input.
"""

_MORE = "The manual, clienttcp(1), explains each option.\n"


class Options(usage.Options):
    """
    The options of all three commands. Wrong usage ends the process, with one line on
    standard error.

    @cvar optFlags: the options without a value (L{twisted.python.usage.Options}).
    @cvar optParameters: the options with a value, except those that can be repeated.
    @cvar synopsis: what follows the name of the command in the help.
    @ivar given: the names of the options that were given.
    @ivar framing: the framing that they describe.
    """

    optFlags = [[o.name, o.short, o.summary] for o in ALL.values() if not o.placeholder]
    optParameters = [
        [o.name, o.short, None, o.summary]
        for o in ALL.values()
        if o.placeholder and o.name not in REPEATED
    ]
    compData = COMPLETIONS
    synopsis = "[options] HOST PORT"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        for name in REPEATED:
            self[name] = []

    @property
    def staying(self) -> bool:
        """
        True under twistd and twist, which keep the client running.
        """
        return self.parent is not None

    def opt_endpoint(self, endpoint: str) -> None:
        """
        Add an endpoint to try.
        """
        self["endpoint"].append(endpoint)

    def opt_proxy(self, proxy: str) -> None:
        """
        Add a proxy to the chain.
        """
        self["proxy"].append(proxy)

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
        @return: the rest of the help, for at least 80 columns.
        """
        parts = [_ABOUT + _SERVICE.lstrip("\n") if self.staying else _ABOUT]
        for title, options in GROUPS.items():
            rows = [
                (option.synopsis, option.summary)
                for option in options
                if not (option.name == "reconnect" and self.staying)
            ]
            parts.append(_section(title, rows))
        about = [("-V, --version", "print the version"), ("-h, --help", "print this")]
        parts.append(_section("About", about))
        if not self.staying:
            parts.append(_section("Exit statuses", STATUSES))
        return "\n".join([*parts, _MORE])

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

    opt_V = opt_version

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
                given = []
                for name, value in pairs:
                    if f"{name[2:]}=" in self.longOpt:
                        given.append(f"{name}={value}")
                    elif f"{name[1:]}:" in self.shortOpt:
                        given += [name, value]
                    else:
                        given.append(name)
                given += ["--", *words]
            super().parseOptions(given)  # type: ignore[no-untyped-call]
        except GetoptError as error:
            refuse(aboutOption(error))
        except usage.UsageError as error:
            refuse(error)

    def postOptions(self) -> None:
        """
        Convert the values, and check what the client itself cannot check.

        @raise usage.UsageError: if a value is wrong, or options are in conflict.
        """
        self.given = [name for name in ALL if self[name] not in (None, 0, [])]
        for name in self.given:
            if not ALL[name].placeholder:
                self[name] = True
            elif self[name] in ("", [""]):
                raise usage.UsageError(
                    f"--{name} must not be empty: pass a value, or leave it out"
                )
            elif name not in REPEATED:
                self[name] = ALL[name].convert(self[name])
        self._checkParent()
        self._checkConflicts()
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

    def _checkConflicts(self) -> None:
        """
        Check that each of the options that was given has an effect.
        """
        if self["send-only"] and self["recv-only"]:
            raise usage.UsageError(
                "--send-only and --recv-only exclude each other: leave one out"
            )
        if self["recv-only"]:
            self.exclude("--recv-only does not read standard input", "eof")
        if self["send-only"]:
            self.exclude("--send-only does not print records", "raw")
        if self["json-events"]:
            self.exclude("--json-events escapes control characters", "raw")
        if self["insecure"]:
            self.exclude("--insecure does not verify the server", "ca")

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

    def _framing(self) -> AnyFraming:
        spec = self["framing"] or "line"
        try:
            framing = fromSpec(spec)
        except (ImportError, ValueError) as error:
            raise usage.UsageError(f"--framing: {error}") from error
        for name, parameter in _OF_FRAMING.items():
            if self[name] is not None:
                spec += f"{',' if ':' in spec else ':'}{parameter}={self[name]}"
                try:
                    framing = fromSpec(spec)
                except ValueError as error:
                    raise usage.UsageError(
                        ofFraming(error, spec, f"--{name}", parameter)
                    ) from error
        return framing

    def _timedRecord(self, name: str) -> object:
        """
        @return: the value of the setting: the seconds, and the record that the text
            would be as a line of standard input.
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
        return validated(f"--{name}", ALL[name].settings, (seconds, records[0]))

    def client(
        self, kind: type[ClientTCPFactory] = ClientTCPFactory, /, **parameters: Any
    ) -> ClientTCPFactory:
        """
        Create the client that the options describe.

        @param kind: its class.
        @param parameters: callbacks, and settings without an option.

        @return: the client, not started.

        @raise SystemExit: with 64, if the client rejects a value.
        """
        settings = {
            ALL[name].settings: self[name] for name in self.given if ALL[name].isSetting
        }
        if len(settings.get("proxy", ())) == 1:
            (settings["proxy"],) = settings["proxy"]
        if not {"framing", *_OF_FRAMING}.isdisjoint(self.given):
            settings["framing"] = self.framing
        try:
            destination = self._destination()
            client = kind(
                **destination,
                **self._tls(destination.get("remoteAddress")),
                **{"autoReconnect": self.staying, **settings},
                **parameters,
            )
            if self["hex-dump"] is not None:
                # If anything is wrong, there is no file.
                client.wireLog = wireLogTo(self["hex-dump"])
        except (
            ClientTCPError,
            ImportError,
            TypeError,
            ValueError,
            usage.UsageError,
        ) as error:
            refuse(inOptions(str(error), self.given))
        return client

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
                raise usage.UsageError(
                    "--ipv4 and --ipv6 exclude each other: leave one out"
                )
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
            if not path:
                raise usage.UsageError("unix: needs a path, as in unix:/path")
            return {**found, "remoteAddress": path, "domain": AF_UNIX}
        if len(self._words) == 2 and self._words[0].startswith("unix:"):
            raise usage.UsageError(
                f"a UNIX socket has no port: leave out {self._words[1]}"
            )
        host, port = _split(*self._words) if self._words else ("", None)
        if not host or not port:
            raise usage.UsageError(
                "HOST and PORT are required, as in: localhost 7, localhost:7, [::1]:7, "
                "unix:/path"
            )
        return {**found, "remoteAddress": host, "remotePort": port}


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"  {name:{_COLUMN - 2}}{text}\n" for name, text in rows]
    return "".join([f"{title}:\n", *lines])


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
