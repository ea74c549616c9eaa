"""
The options of C{twistd clienttcp}, C{twist clienttcp} and C{clienttcp}.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from twisted.python import usage

from . import ClientTCPFactory, __version__
from .framing import Line, Stream

#: The exit status for wrong usage, as in sysexits.h.
EX_USAGE = 64

#: The framings that can be had by name.
FRAMINGS = {"line": Line, "stream": Stream}


def _seconds(text: str) -> float | str:
    """
    @return: the number; what is none is left to the client to refuse, by name.
    """
    try:
        return float(text)
    except ValueError:
        return text


class Options(usage.Options):
    """
    What all three commands take. What cannot be used ends the process, with one line
    on standard error.
    """

    optFlags = [
        ["demo", None, "Show the client at work with a server of its own, and end."],
    ]
    optParameters = [
        [
            "framing",
            None,
            "line",
            "How octets become records: line or stream. [framing]",
        ],
        [
            "connect-timeout",
            None,
            30.0,
            "The seconds an attempt to connect may take. [connectTimeout]",
            _seconds,
        ],
    ]
    synopsis = "[options] HOST PORT"
    #: What is true of all three commands.
    about = (
        "Connects to HOST (a name or an address) [remoteAddress] and PORT (a number or "
        "the name of a service) [remotePort], sends what is read from standard input "
        "and prints what comes on standard output: with --framing=line, lines, "
        "whatever ends them; they are sent with CR LF and printed with LF; with "
        "--framing=stream, octets as they are. Standard input is read only while there "
        "is a connection that keeps up. In square brackets: the parameter of "
        "ClientTCPFactory. "
    )
    longdesc = about + (
        "After a failure or a loss it connects again. At the end of standard input it "
        "goes on. SIGINT and SIGTERM end it when all is sent. The log goes where that "
        "of the whole process goes, by default to standard output too."
    )

    def opt_version(self) -> NoReturn:
        """
        Display the version and exit.
        """
        print(f"clienttcp {__version__}")
        sys.exit(0)

    def parseArgs(self, host: str | None = None, port: str | None = None) -> None:
        """
        Take HOST and PORT.
        """
        self["host"] = host
        self["port"] = port

    def postOptions(self) -> None:
        """
        Check what the client itself cannot.

        @raise usage.UsageError: if anything is wrong.
        """
        if self.parent is not None and not self.parent.get("nodaemon", True):
            raise usage.UsageError(
                "a daemon has no standard input and output: use twistd --nodaemon"
            )
        if self["demo"]:
            if self["host"] is not None:
                raise usage.UsageError("--demo takes neither HOST nor PORT")
        elif self["port"] is None:
            raise usage.UsageError("HOST and PORT are required")
        if self["framing"] not in FRAMINGS:
            raise usage.UsageError(
                f"framing must be {' or '.join(FRAMINGS)}, not {self['framing']!r}"
            )

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse; what is wrong ends the process.

        @raise SystemExit: with L{EX_USAGE}, if anything is wrong.
        """
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as e:
            _refuse(e)

    def client(self, **callbacks: Any) -> ClientTCPFactory:
        """
        Make the client; what it does not accept ends the process.

        @param callbacks: parameters for which there are no options.

        @raise SystemExit: with L{EX_USAGE}, if anything is wrong.
        """
        try:
            return ClientTCPFactory(
                remoteAddress=self["host"],
                remotePort=self["port"],
                framing=FRAMINGS[self["framing"]],
                connectTimeout=self["connect-timeout"],
                **callbacks,
            )
        except (TypeError, ValueError) as e:
            _refuse(e)


class CommandOptions(Options):
    """
    What the command of our own takes besides.
    """

    optFlags = [
        ["reconnect", None, "Connect again after a failure or a loss. [autoReconnect]"],
    ]
    synopsis = "Usage: clienttcp [options] HOST PORT"
    longdesc = Options.about + (
        "After the end of standard input it reads on until the server closes, or has "
        "been silent for a second with all sent; then it ends its side and waits for "
        "the server to end its own. What comes meanwhile is not printed. SIGINT and "
        "SIGTERM end it when all is sent; given twice, at once. Messages go to "
        "standard error. Exit status: 0 if all was sent, 1 if the connection failed or "
        "was lost, 64 for wrong usage, 130 and 143 after SIGINT and SIGTERM."
    )


def _refuse(error: Exception) -> NoReturn:
    print(f"clienttcp: {error} (see --help)", file=sys.stderr)
    sys.exit(EX_USAGE)
