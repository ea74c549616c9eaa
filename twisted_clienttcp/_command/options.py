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
from .._connecting import addresses
from .._connecting.destination import Address, UserEndpoint
from .._connecting.endpoints import destinationsOf
from .._connecting.proxies import Route, WrongProxy
from .._validators import meant
from ..errors import ClientTCPError
from ..framing._spec import Spec
from .certificates import tlsFrom
from .hexdump import wireLogTo
from .status import STATUSES
from .stdio import display, refuse
from .table import (
    ALL,
    ARGUMENTS,
    COMPLETIONS,
    GROUPS,
    OF_FRAMING,
    REPEATED,
    SECOND,
    checkRules,
    exclude,
    validated,
)
from .text import Form

#: The width of the column of options in the help.
_COLUMN = 36

#: Scheme, host and port of a URL.
_URL = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(?:[^/@]*@)?(\[[^]]*\]|[^:/?#]*)(?::([0-9]*))?.*"
)

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
            refuse(_aboutOption(error))
        except usage.UsageError as error:
            refuse(error)

    def postOptions(self) -> None:
        """
        Convert the values, and do the checks that the client itself cannot do.

        @raise usage.UsageError: if a value is wrong, or options cannot be combined.
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
        try:
            self._spec = Spec(self["framing"] or "line")
            self._checkRules()
            self.framing = self._spec.build()
        except (ImportError, ValueError) as error:
            raise usage.UsageError(f"--framing: {error}") from error
        for name, parameter in OF_FRAMING.items():
            if self[name] is not None:
                self._setParameter(name, parameter)
        low, high = self["low-mark"], self["high-mark"]
        if low is not None and high is not None and not 0 < low < high:
            raise usage.UsageError(
                f"--low-mark must be more than 0 and less than --high-mark={high}, not "
                f"{low}"
            )
        for name in ("heartbeat", "keep-talking"):
            if self[name] is not None:
                self[name] = self._timedRecord(name)

    def _checkRules(self) -> None:
        """
        Check that each of the options that was given has an effect.
        """
        parent: Any = self.parent or {}
        if self["client"] is None and not parent.get("nodaemon", True):
            raise usage.UsageError(
                "a daemon has no standard input and output: use twistd --nodaemon, or "
                "your own callbacks with --client"
            )
        checkRules(self._situation())

    def _situation(self) -> set[str]:
        """
        @return: the names in L{RULES} that apply.
        """
        found = set(self.given)
        if self._words:
            found.add(ARGUMENTS)
            if self._words[0].startswith("unix:"):
                found.add("unix")
        if len(self["endpoint"]) > 1:
            found.add(SECOND)
        if self._spec.name == "stream":
            found.add("stream")
        if self.staying:
            found.add("twistd")
        return found

    def exclude(self, reason: str, names: Iterable[str]) -> None:
        """
        Reject options that would have no effect.

        @param reason: why they would have none.
        @param names: their names.

        @raise usage.UsageError: if one is given.
        """
        exclude(self._situation(), reason, names)

    def _setParameter(self, name: str, parameter: str) -> None:
        """
        Set the parameter of the framing that has an option of its own.
        """
        spec = self._spec
        if parameter not in spec.known:
            raise usage.UsageError(
                f"--{name} has no effect with --framing={spec.name}: leave it out"
            )
        if parameter in spec.given:
            raise usage.UsageError(
                f"--framing has {parameter} already: leave out --{name}"
            )
        spec.given[parameter] = self[name]
        try:
            self.framing = spec.build()
        except ValueError as error:
            # The cause names the parameter: name the option instead.
            text = str(error.__cause__).replace(parameter, f"--{name}", 1)
            raise usage.UsageError(f"with --framing={spec.name}, {text}") from error

    def _timedRecord(self, name: str) -> object:
        """
        @param name: the name of the option.

        @return: the value of the setting: the seconds, and the record for the text,
            which is converted like a line of standard input.
        """
        seconds, text = self[name]
        form = Form(self.framing)
        try:
            records = [*form.read(os.fsencode(text)), *form.end()]
            for record in records:
                self.framing.fresh().encode(record)
        except (ClientTCPError, TypeError, ValueError) as error:
            raise usage.UsageError(f"--{name}: {error}") from error
        if len(records) != 1:
            number = f"not {len(records)}" if records else "as in 30:PING"
            raise usage.UsageError(f"--{name} must have one record, {number}: {text!r}")
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
        if not {"framing", *OF_FRAMING}.isdisjoint(self.given):
            settings["framing"] = self.framing
        try:
            client = kind(
                **self._destination(settings.get("proxy")),
                **{"autoReconnect": self.staying, **settings},
                **parameters,
            )
            if self["hex-dump"] is not None:
                # If anything is wrong, there is no file.
                client.wireLog = wireLogTo(self["hex-dump"])
        except WrongProxy as error:
            refuse(f"--proxy: {error.reason}")
        except (
            ClientTCPError,
            ImportError,
            TypeError,
            ValueError,
            usage.UsageError,
        ) as error:
            refuse(error)
        return client

    def _tls(self, destinations: Iterable[Address | UserEndpoint]) -> dict[str, Any]:
        """
        @return: the setting C{tls}, if an option asks for it.
        """
        values = {option.name: self[option.name] for option in GROUPS["TLS"]}
        if not any(values.values()):
            return {}
        for each in destinations:
            if each.isSecure:
                self.exclude(f"--endpoint={each} uses TLS already:", values)
        del values["tls"]
        return {"tls": tlsFrom(hosts={each.name for each in destinations}, **values)}

    def _destination(self, proxy: object) -> dict[str, Any]:
        """
        Validate the destination and the local side, under their names in the command.

        @param proxy: the setting C{proxy}.

        @return: their settings, and C{tls}.
        """
        found: dict[str, Any] = {}
        families: dict[str, int | None] = {}
        for name, family in (("ipv4", AF_INET), ("ipv6", AF_INET6)):
            if self[name]:
                found["domain"] = families[f"--{name}"] = family
        if self["bind"] is not None:
            host, port = _split(self["bind"])
            local = host or None, int(port) if port and port.isdecimal() else port
            found["bindAddress"], found["bindPort"] = local
            addresses.binding(*local, None, ("the address of --bind", "--bind's port"))
            families["--bind"] = addresses.literal(host)
        route = Route(proxy)
        reached: tuple[Address | UserEndpoint, ...]
        if self["endpoint"]:
            first, *others = self["endpoint"]
            found["endpoint"] = [first, *others] if others else first
            reached = destinationsOf((first, *others), None, None, "--endpoint")
        elif "unix" in self._situation():
            path = addresses.host("unix:", self._path(), AF_UNIX)
            found |= {"remoteAddress": path.name, "domain": AF_UNIX}
            reached = (Address(path, None),)
        else:
            host, port = self._hostAndPort()
            found |= {"remoteAddress": host, "remotePort": port}
            valid = addresses.host("HOST", host)
            reached = (Address(valid, addresses.port("PORT", port)),)
            if not route:
                families["HOST"] = valid.family
        differing = {name: family for name, family in families.items() if family}
        if len(set(differing.values())) > 1:
            raise usage.UsageError(
                f"{' and '.join(differing)} are of different address families: use "
                "IPv4 or IPv6 for both"
            )
        for each in reached:
            if route.isDemanded and each.name is None:
                raise usage.UsageError(
                    f"--proxy cannot be used with {str(each)!r}, which has no host and "
                    "port: use HOST and PORT"
                )
        return {**found, **self._tls(reached)}

    def _path(self) -> str:
        word, *more = self._words
        if more:
            raise usage.UsageError(
                f"a UNIX socket has no port: leave out {' '.join(more)}"
            )
        path: str = word.removeprefix("unix:")
        if not path:
            raise usage.UsageError("unix: needs a path, as in unix:/path")
        return path

    def _hostAndPort(self) -> tuple[str, str]:
        first, *more = self._words or ("",)
        if url := _URL.fullmatch(first):
            scheme, host, port = url.groups()
            right = f"{host.strip('[]')} {port or ''.join(more) or scheme}"
            raise usage.UsageError(
                "HOST must not be a URL: leave out the scheme and the path, as in: "
                f"{right}{' --tls' if scheme == 'https' else ''}"
            )
        if first.startswith(("tcp:", "tls:", "ssl:")) and first.count(":") > 1:
            raise usage.UsageError(
                f"HOST must not be an endpoint: use --endpoint={first}"
            )
        if first.startswith(("/", "./", "../")):
            raise usage.UsageError(
                f"HOST must not be a path: for a UNIX socket, use unix:{first}"
            )
        host, port = _split(first, *more)
        if not host or not port:
            raise usage.UsageError(
                "HOST and PORT are required, as in: localhost 7, localhost:7, [::1]:7, "
                "unix:/path"
            )
        return host, port


def _aboutOption(error: GetoptError) -> str:
    """
    @return: what is wrong with an option, and what to do.
    """
    name = error.opt
    if error.msg.startswith("option --"):
        option = ALL.get(name)
    else:
        option = next((each for each in ALL.values() if each.short == name), None)
        if option is None:
            return f"there is no option -{name}"
    if option is not None and option.placeholder:
        form = option.synopsis.rpartition(" ")[2]
        return f"--{option.name} needs a value, as in {form}"
    names = sorted([*ALL, "help", "version"])
    if name in names:
        return f"--{name} has no value: leave out '=' and what follows"
    return f"there is no option --{name}{meant(name, names, '--{}')}"


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
