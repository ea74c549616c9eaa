"""
Tests for the options of the command.
"""

from __future__ import annotations

import io
import math
import re
import sys
from collections.abc import Collection
from socket import AF_INET, AF_INET6, AF_UNIX
from typing import Any

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.settings import DOCUMENTATION, SETTINGS
from twisted_clienttcp._command.options import Options
from twisted_clienttcp._command.table import (
    ALL,
    ARGUMENTS,
    GROUPS,
    RULES,
    SECOND,
    Option,
    oneLine,
)
from twisted_clienttcp.errors import RecordTooLong
from twisted_clienttcp.framing import Line, Netstring, Stream

#: Text for the placeholder of each option, and the value that it stands for.
VALUES: dict[str, tuple[str, Any]] = {
    "": ("", True),
    "SECONDS": ("2.5", 2.5),
    "BYTES": ("3k", 3072),
    "NUMBER": ("1", 1),
    "COUNT": ("3", 3),
    "IDLE,INTERVAL,COUNT": ("3,2,1", (3, 2, 1)),
    "SECONDS:RECORD": ("5:x", (5.0, b"x")),
    "URL": ("socks5://a.test", "socks5://a.test"),
    "yes|no": ("no", False),
    "close|skip|split": ("skip", "skip"),
    "half|close|keep": ("half", "half"),
    "ENDPOINT": ("tcp:localhost:7", "tcp:localhost:7"),
    "ADDRESS[:PORT]": ("127.0.0.1", "127.0.0.1"),
    "FILE": ("file", "file"),
    "NAME": ("a.test", "a.test"),
    "NAMES": ("h2", ["h2"]),
    "SPEC": ("line", "line"),
    "MODULE:OBJECT": ("x:y", "x:y"),
    "NAME[:PORT]": ("echo", ("echo", 0)),
}


def completed(names: set[str]) -> set[str]:
    """
    @return: the names of options, with those that they need.
    """
    while True:
        missing = {
            rule.needs[0]
            for rule in RULES
            if rule.needs
            and names.intersection(rule.options)
            and names.isdisjoint(rule.needs)
        }
        if not missing:
            return names
        names = names | missing


def commandLine(*names: str) -> list[str]:
    """
    @return: a command line with these options and all that they need.
    """
    given = completed(set(names))
    words = []
    for name in sorted(given.difference(PLACES)):
        text, _ = VALUES[ALL[name].placeholder]
        if name not in names or "low-mark" in names:
            text = {"high-mark": "1M"}.get(name, text)
        if name not in names:
            text = {"low-mark": "1"}.get(name, text)
        words.append(f"--{name}={text}" if text else f"--{name}")
    for name in given.intersection(PLACES):
        words += PLACES[name]
    if given.isdisjoint({"unix", ARGUMENTS, SECOND, "endpoint", "demo", "demo-server"}):
        words += PLACES[ARGUMENTS]
    return words


#: The words for the names in rules that are not options.
PLACES = {
    ARGUMENTS: ["localhost", "7"],
    "unix": ["unix:/x"],
    "stream": ["--framing=stream"],
    "twistd": [],
    SECOND: ["--endpoint=tcp:localhost:7", "--endpoint=tcp:localhost:8"],
}


class Recording(ClientTCPFactory):
    """
    A client that keeps the arguments of its constructor.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.given = given


class OptionsTestCase(SynchronousTestCase):
    """
    Parses command lines in this process.
    """

    def parsed(self, *words: str, **parent: Any) -> Options:
        """
        @param parent: the options of twistd, if any.
        """
        options = Options()
        if parent:
            options.parent = usage.Options()
            options.parent.update(parent)
        options.parseOptions(words)
        return options

    def given(self, *words: str, **parent: Any) -> dict[str, Any]:
        """
        @return: the arguments for the client.
        """
        client = self.parsed(*words, **parent).client(
            Recording, serverInput=lambda client, record: None
        )
        assert isinstance(client, Recording)
        return client.given

    def refused(self, expected: str, *words: str, **parent: Any) -> str:
        """
        Check that a command line ends the process with one line.

        @return: the line.
        """
        stderr = io.StringIO()
        self.patch(sys, "stderr", stderr)
        error = self.assertRaises(SystemExit, self.given, *words, **parent)
        said = stderr.getvalue()
        self.assertEqual(error.code, 64, said)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertIn(expected, said)
        return said


class WhereTests(OptionsTestCase):
    """
    HOST and PORT, in all their forms.
    """

    def test_forms(self) -> None:
        """
        An address has several forms.
        """
        for words, host, port in (
            (["localhost", "7"], "localhost", "7"),
            (["localhost:7"], "localhost", "7"),
            (["localhost", "echo"], "localhost", "echo"),
            (["127.0.0.1:7"], "127.0.0.1", "7"),
            (["[::1]:7"], "::1", "7"),
            (["::1", "7"], "::1", "7"),
            (["[::1]", "7"], "::1", "7"),
        ):
            given = self.given(*words)
            where = (given["remoteAddress"], given["remotePort"])
            self.assertEqual(where, (host, port), words)

    def test_unix(self) -> None:
        """
        C{unix:} is followed by a path.
        """
        given = self.given("unix:/run/a:b.sock")
        self.assertEqual(given["remoteAddress"], "/run/a:b.sock")
        self.assertEqual(given["domain"], AF_UNIX)
        self.assertNotIn("remotePort", given)

    def test_endpoint(self) -> None:
        """
        An endpoint replaces the address.
        """
        given = self.given("--endpoint=tcp:localhost:7")
        self.assertEqual(given["endpoint"], "tcp:localhost:7")
        self.assertNotIn("remoteAddress", given)

    def test_family(self) -> None:
        """
        C{-4} and C{-6} choose the address family.
        """
        self.assertEqual(self.given("-4", "localhost", "7")["domain"], AF_INET)
        self.assertEqual(self.given("-6", "localhost", "7")["domain"], AF_INET6)
        self.refused("leave out --ipv6", "-4", "-6", "localhost", "7")

    def test_bind(self) -> None:
        """
        C{--bind} has an address, a port, or both.
        """
        for bind, address, port in (
            ("127.0.0.1", "127.0.0.1", None),
            ("127.0.0.1:99", "127.0.0.1", 99),
            ("[::1]:99", "::1", 99),
            ("::1", "::1", None),
            (":99", None, 99),
        ):
            given = self.given("--bind", bind, "localhost", "7")
            self.assertEqual(given["bindAddress"], address)
            self.assertEqual(given["bindPort"], port)

    def test_refused(self) -> None:
        """
        The error for a wrong address shows the right forms.
        """
        for expected, words in (
            ("[::1]:7", []),
            ("[::1]:7", ["localhost"]),
            ("[::1]:7", ["::1"]),
            ("too many", ["localhost", "7", "8"]),
            ("HOST: 'localhost:7' is neither", ["localhost:7", "8"]),
            ("--endpoint", ["--endpoint=tcp:localhost:7", "localhost", "7"]),
            ("endpoint", ["--endpoint=nonsense"]),
            ("65535", ["localhost:65536"]),
            ("--bind must be", ["--bind=nowhere", "localhost", "7"]),
            ("unix:/path", ["unix:"]),
            ("leave out 7", ["unix:/x", "7"]),
            ("not be a URL: leave out", ["http://host:80/"]),
            ("as in: host 80 (see", ["http://host:80/"]),
            ("as in: host 80 (see", ["http://me:secret@host:80/x?y"]),
            ("as in: host 80 (see", ["http://host/", "80"]),
            ("as in: host http (see", ["http://host"]),
            ("as in: ::1 443 --tls (see", ["https://[::1]:443/"]),
            ("use --endpoint=tcp:host:80", ["tcp:host:80"]),
            ("for a UNIX socket, use unix:/run/x", ["/run/x"]),
        ):
            self.refused(expected, *words)


class RestTests(OptionsTestCase):
    """
    The other options.
    """

    def test_anywhere(self) -> None:
        """
        Options may follow the address.
        """
        given = self.given("localhost", "7", "--connect-timeout", "2.5")
        self.assertEqual(given["connectTimeout"], 2.5)

    def test_short(self) -> None:
        """
        The value of an option with one letter may follow as a word of its own or not,
        and may look like an option.
        """
        where = ("localhost", "7")
        for words, file in (
            (("-x", "file", *where), "file"),
            (("-xfile", *where), "file"),
            ((*where, "-vx", "file"), "file"),
            (("-x", "-", *where), "-"),
            (("-x", "--", *where), "--"),
        ):
            self.assertEqual(self.parsed(*words)["hex-dump"], file, words)
        self.refused("--hex-dump must not be empty", "-x", "", "localhost", "7")

    def test_defaults(self) -> None:
        """
        Without options, the client keeps its defaults.
        """
        given = self.given("localhost", "7")
        self.assertEqual(
            set(given),
            {
                "remoteAddress",
                "remotePort",
                "autoReconnect",
                "serverInput",
            },
        )

    def test_ofTheClass(self) -> None:
        """
        Without options, a user's class keeps its settings.
        """

        class Feed(Recording):
            framing = Netstring()
            connectTimeout = 5.0

        for words, kind in (([], Netstring), (["--framing=stream"], Stream)):
            options = self.parsed("localhost", "7", *words)
            client = options.client(Feed, serverInput=lambda client, record: None)
            self.assertIsInstance(client.framing, kind)
            self.assertEqual(client.connectTimeout, 5)

    def test_reconnect(self) -> None:
        """
        Reconnecting is on under twistd and twist; otherwise it needs the option.
        """
        for expected, words, parent in (
            (False, [], {}),
            (True, ["--reconnect"], {}),
            (True, [], {"nodaemon": True}),
            (True, [], {"twist": True}),
        ):
            given = self.given("localhost", "7", *words, **parent)
            self.assertIs(given["autoReconnect"], expected)
        self.refused("--reconnect", "--reconnect", "localhost", "7", twist=True)

    def test_framing(self) -> None:
        """
        The framing is described by several options.
        """
        for words, kind in (
            (["--framing=stream"], Stream),
            (["--framing=netstring:maxLength=5"], Netstring),
            (["--framing=line:delimiter=|", "--max-length=64k"], Line),
            (["--on-too-long=skip"], Line),
        ):
            self.assertIsInstance(self.given("localhost", "7", *words)["framing"], kind)
        framing = self.parsed("localhost", "7", "--max-length=2k").framing
        self.assertEqual(len(framing.encode(b"x" * 2048)), 2050)
        self.assertRaises(RecordTooLong, framing.encode, b"x" * 2049)

    def test_keepAlive(self) -> None:
        """
        C{--keepalive} is C{no} or three numbers.
        """
        for text, expected in (("no", False), ("60,10,3", (60, 10, 3))):
            given = self.given("localhost", "7", f"--keepalive={text}")
            self.assertEqual(given["keepAlive"], expected)
        self.refused("--keepalive must be", "localhost", "7", "--keepalive=60")
        self.refused("--keepalive's idle", "localhost", "7", "--keepalive=0,1,1")

    def test_heartbeat(self) -> None:
        """
        C{--heartbeat} and C{--keep-talking} have seconds, and a record in the form of
        standard input.
        """
        given = self.given("localhost", "7", "--keep-talking=2.5:HERE")
        self.assertEqual(given["keepTalking"], (2.5, b"HERE"))
        self.refused("--keep-talking must have", "localhost", "7", "--keep-talking=1:")
        for spec, record in (("line", b"PING"), ("jsonlines", ["a"])):
            text = "PING" if isinstance(record, bytes) else '["a"]'
            words = ("localhost", "7", f"--framing={spec}", f"--heartbeat=2.5:{text}")
            self.assertEqual(self.given(*words)["heartbeat"], (2.5, record))
        for expected, text in (
            ("--heartbeat must be seconds and a record", "30"),
            ("--heartbeat's seconds must be a number of seconds", "x:PING"),
            ("not a JSON value", "30:}"),
            ("must have one record, not 2: 'a\\nb'", "30:a\nb"),
            ("must have one record, as in 30:PING: ''", "30:"),
        ):
            framing = "--framing=jsonlines" if "}" in text else "--framing=line"
            words = ("localhost", "7", framing, f"--heartbeat={text}")
            self.refused(expected, *words)

    def test_attributes(self) -> None:
        """
        The settings for reconnecting are passed to the client.
        """
        client = self.parsed(
            *("localhost", "7", "--initial-delay=2", "--max-delay=3", "--factor=4"),
            *("--jitter=0.5", "--max-retries=0", "--reconnect"),
        ).client(serverInput=lambda client, record: None)
        self.assertEqual(client.initialDelay, 2.0)
        self.assertEqual(client.maxDelay, 3.0)
        self.assertEqual(client.factor, 4.0)
        self.assertEqual(client.jitter, 0.5)
        self.assertEqual(client.maxRetries, 0)
        self.refused("jitter", "localhost", "7", "--jitter=2")

    def test_bytes(self) -> None:
        """
        A number of bytes may have one of the units of the manual. The error for any
        other text lists them.
        """
        for text, expected in (
            ("5", 5),
            ("2k", 2048),
            ("3M", 3 * 1024**2),
            ("1G", 1024**3),
        ):
            given = self.given("localhost", "7", f"--offline-limit={text}")
            self.assertEqual(given["offlineLimit"], expected)
        for option in ("max-length", "high-mark", "low-mark", "offline-limit"):
            for text in (
                "1T",
                "1K",
                "1m",
                "1kB",
                "1 k",
                "1.5",
                "-1",
                "x",
                "k",
                "\u0661",
            ):
                self.refused(
                    f"--{option} must be a number of bytes, which may end with k, M or "
                    f"G, as in 64k, not {text!r}",
                    *("localhost", "7", f"--{option}={text}"),
                )

    def test_refused(self) -> None:
        """
        The error for a wrong value names its option.
        """
        for expected, words in (
            ("--connect-timeout must be a number of seconds", ["--connect-timeout=x"]),
            ("--max-length must be at least 1, not 0", ["--max-length=0"]),
            ("--on-too-long must be close, skip or split", ["--on-too-long=x"]),
            ("--eof must be half, close or keep, not", ["--eof=x"]),
            ("--max-retries must be at least 0, not -1", ["--max-retries=-1"]),
            ("--max-retries must be a whole number", ["--max-retries=1.5"]),
            ("--factor must be a number", ["--factor=x"]),
            ("--connect-timeout must be more than 0", ["--connect-timeout=0"]),
            ("--jitter must be from 0 to 1, not 2", ["--jitter=2"]),
            ("echo or quotes, not 'x'", ["--demo-server=x"]),
            ("--ca must not be empty: pass a value, or leave", ["--ca="]),
            ("--client must not be empty", ["--client="]),
            ("--endpoint must not be empty", ["--endpoint="]),
            ("--proxy must not be empty", ["--proxy="]),
            ("from 0 to 65535, not '65536'", ["--demo-server=echo:65536"]),
            ("--framing: unknown framing 'xml'", ["--framing=xml"]),
            ("--max-length has no effect", ["--framing=stream", "--max-length=5"]),
        ):
            self.refused(expected, "localhost", "7", *words)

    def test_daemon(self) -> None:
        """
        A daemon has no standard input: it needs C{--client}.
        """
        self.refused("twistd --nodaemon", "localhost", "7", nodaemon=False)
        options = self.parsed("--client=x:y", nodaemon=False)
        self.assertEqual(options["client"], "x:y")


class RuleTests(OptionsTestCase):
    """
    Options without an effect are refused.
    """

    def parent(self, names: Collection[str]) -> dict[str, Any]:
        return {"nodaemon": True} if "twistd" in names else {}

    def test_alone(self) -> None:
        """
        Each option is accepted with the options that it needs.
        """
        for name in ALL:
            self.parsed(*commandLine(name))

    def test_needs(self) -> None:
        """
        An option that has an effect only with one of several others is refused without
        all of them, and the message names the first. It is accepted with each of them.
        """
        for rule in RULES:
            for option in rule.options if rule.needs else ():
                first = rule.needs[0]
                left = PLACES.get(first, [f"--{first}"])
                words = [
                    word
                    for word in commandLine(option)
                    if word not in left and word.partition("=")[0] not in left
                ]
                if not any(word.startswith(("localhost", "--end")) for word in words):
                    words += ["localhost", "7"]
                shown = first if first in PLACES else f"--{first}"
                self.refused(
                    f"{shown} is missing: add it, or leave out --{option}", *words
                )
                for need in rule.needs:
                    parent = self.parent(rule.needs if need == "twistd" else ())
                    if parent:
                        parts = commandLine(option)
                        words = [each for each in parts if each != "--reconnect"]
                        self.parsed(*words, **parent)
                    else:
                        self.parsed(*commandLine(option, need))

    def test_severalNeeds(self) -> None:
        """
        If an option lacks several others, or several options lack one, the message
        names all of them.
        """
        for expected, *options in (
            (
                "--reconnect and a second --endpoint are missing: add them, or leave "
                "out --fail-back",
                "--fail-back=3",
                "--endpoint=tcp:localhost:7",
            ),
            (
                "--reconnect is missing: add it, or leave out --factor, --max-retries",
                "--max-retries=3",
                "--factor=2",
                "localhost",
                "7",
            ),
        ):
            self.refused(expected, *options)

    def test_excluded(self) -> None:
        """
        An option that has no effect with another one is refused, and the message has
        the reason and the option.
        """
        for rule in RULES:
            for option in rule.options if rule.excluded else ():
                names = (option, *rule.excluded)
                if option == "demo":
                    # The rule before has excluded --demo-server.
                    continue
                if option == ARGUMENTS:
                    reason = f"{rule.reason}: leave out HOST and PORT"
                else:
                    reason = rule.reason
                words = commandLine(*names)
                self.refused(reason, *words, **self.parent(names))

    def test_everyName(self) -> None:
        """
        The names in the rules exist.
        """
        for rule in RULES:
            self.assertNotEqual(bool(rule.needs), bool(rule.excluded))
            self.assertEqual(bool(rule.reason), bool(rule.excluded))
            names = {*rule.options, *rule.needs, *rule.excluded}
            self.assertLessEqual(names, {*ALL, *PLACES})

    def test_ofTheClient(self) -> None:
        """
        What the client itself would refuse, the command refuses with its own names.
        """
        here = ("localhost", "7")
        for expected, *words in (
            ("PORT must be from 1 to 65535, not 70000", "localhost", "70000"),
            ("HOST: 'a b' is neither a host name", "a b", "7"),
            (
                "--low-mark must be more than 0 and less than --high-mark=1, not 2",
                *here,
                "--high-mark=1",
                "--low-mark=2",
            ),
            ("--bind's port must be from 1 to", *here, "--bind=127.0.0.1:70000"),
            ("the address of --bind must be an IP", *here, "--bind=x"),
            ("--proxy: the port must be from 1", *here, "--proxy=socks5://x:99999"),
            ("--proxy: the URL has no port", *here, "--proxy=http://x"),
            ("--proxy: 'fe80::1%1' has a zone", "fe80::1%1", "7", "--proxy=socks5://x"),
            ("--ipv4 and HOST are of different address", "-4", "::1", "7"),
            ("--bind and HOST are of different", "--bind=127.0.0.1", "::1", "7"),
            ("--ipv6 and --bind are of different", "-6", *here, "--bind=127.0.0.1"),
            ("--servername is missing", "--tls", "unix:/x"),
            ("--servername is missing", "--tls", "--endpoint=unix:/x"),
            ("uses TLS already: leave out --tls", "--tls", "--endpoint=tls:a.test:7"),
            ("use HOST and PORT", "--proxy=socks5://x", "unix:/x"),
            ("use HOST and PORT", "--proxy=socks5://x", "--endpoint=unix:/x"),
            ("--endpoint: 'nonsense' does not describe", "--endpoint=nonsense"),
            (
                "--heartbeat: a record of at least 3 bytes",
                *here,
                "--heartbeat=1:abc",
                "--max-length=2",
            ),
        ):
            said = self.refused(expected, *words)
            for name in SETTINGS:
                if name != name.lower():
                    self.assertNotIn(name, said)

    def test_throughProxy(self) -> None:
        """
        The server behind a proxy may have another address family than the connection
        to the proxy.
        """
        self.given("--ipv4", "::1", "7", "--proxy=socks5://127.0.0.1")

    def test_getopt(self) -> None:
        """
        Each mistake has a message that says what to do.
        """
        for word, expected in (
            ("--nope", "there is no option --nope "),
            ("--lingre-timeout", "--lingre-timeout: did you mean --linger-timeout?"),
            ("-z", "there is no option -z "),
            ("--timeout", "--timeout: did you mean --connect-timeout, --drain-timeout"),
            ("--x", "there is no option --x "),
            ("--tls=yes", "--tls has no value: leave out '=' and what follows"),
            ("--version=3", "--version has no value: leave out '=' and what follows"),
            ("--ca", "--ca needs a value, as in --ca=FILE"),
            ("-x", "--hex-dump needs a value, as in --hex-dump=FILE"),
            ("--key", "--key needs a value, as in --key=FILE"),
            (
                "--h",
                "there is no option --h: did you mean --half-close, --heartbeat, "
                "--help, --hex-dump or --high-mark?",
            ),
            ("--ipv", "there is no option --ipv: did you mean --ipv4 or --ipv6?"),
        ):
            self.refused(expected, word)
        for option in ALL.values():
            if option.placeholder:
                form = f"as in --{option.name}={option.placeholder}"
                self.refused(form, f"--{option.name}")

    def test_framing(self) -> None:
        """
        An error of the framing names the option that causes it, and asks for the name
        that was meant.
        """
        for expected, words in (
            ("did you mean delimiter=?", ["--framing=line:delim=|"]),
            ("did you mean delimiter=?", ["--framing=line:delimeter=|"]),
            ("did you mean delimiter=?", ["--framing=line:delimiter"]),
            ("did you mean netstring?", ["--framing=net"]),
            ("did you mean jsonlines or jsonvalues?", ["--framing=json"]),
            ("did you mean stream?", ["--framing=strream"]),
            (
                "--framing has maxLength already: leave out --max-length",
                ["--framing=line:maxLength=1", "--max-length=2"],
            ),
            (
                "--max-length has no effect with --framing=stream: leave it out",
                ["--framing=stream", "--max-length=5"],
            ),
            (
                "with --framing=netstring, --on-too-long must be",
                ["--framing=netstring", "--on-too-long=split"],
            ),
        ):
            self.refused(expected, "localhost", "7", *words)


class TableTests(SynchronousTestCase):
    """
    An option that sets a parameter takes everything from the table of settings.
    """

    #: The options whose names are not those of their settings.
    RENAMED = {"reconnect": "autoReconnect", "keepalive": "keepAlive"}

    OPTIONS = tuple(option for options in GROUPS.values() for option in options)

    def ofSettings(self) -> list[Option]:
        """
        @return: the options that are settings.
        """
        return [option for option in self.OPTIONS if option.isSetting]

    def client(self, *words: str) -> Recording:
        options = Options()
        options.parseOptions(words)
        client = options.client(Recording, serverInput=lambda client, record: None)
        assert isinstance(client, Recording)
        return client

    def test_names(self) -> None:
        """
        The name of an option is that of its setting, in lower case with hyphens, with
        few exceptions.
        """
        for option in self.ofSettings():
            setting = option.settings
            words = re.sub("([A-Z])", r"-\1", setting).lower()
            self.assertEqual(self.RENAMED.get(option.name, setting), setting)
            if option.name not in self.RENAMED:
                self.assertEqual(option.name, words)

    def test_all(self) -> None:
        """
        Every setting has an option, or is one that only a program can give.
        """
        having = {name for o in self.OPTIONS for name in o.settings.split(", ")}
        self.assertEqual(
            set(SETTINGS).difference(having),
            {
                *("remoteAddress", "remotePort", "socketOptions"),
                # Standard input is paused at the high mark.
                "outputLimit",
                *("retryPolicy", "shutdownOnError", "noDelay", "args", "alias"),
                *("inlineStates", "objectStates", "packageStates"),
                *("sessionType", "sessionParams", "reactor", "clock"),
            },
        )

    def test_documentation(self) -> None:
        """
        The description of an option has the first clause of its setting's
        documentation and the default if it is a number. The parameters are the
        setting's names here and in POE.
        """
        for option in self.OPTIONS:
            for name in filter(None, option.settings.split(", ")):
                self.assertIn(name, option.parameters)
                self.assertIn(SETTINGS[name].poe, option.parameters)
        for option in self.ofSettings():
            name = option.settings
            text = re.sub(r"C\{(.*?)\}", r"\1", DOCUMENTATION[name])
            clause = option.description.partition(".")[0]
            self.assertEqual(clause[1:], text[1 : len(clause)], option)
            self.assertIn(text[len(clause)], ".:;", option)
            default = SETTINGS[name].default
            if isinstance(default, (int, float)) and not isinstance(default, bool):
                self.assertIn(f"Default: {default:g}.", option.description)

    def test_oneLine(self) -> None:
        """
        A clause ends at a full stop, a colon or a semicolon, but not inside a number.
        """
        for text, line in (
            ("seconds: C{a.b} 1.5; none.", "Seconds."),
            ("C{put} waits 1.5 s. Never more.", "Put waits 1.5 s."),
            ("", ""),
        ):
            self.assertEqual(oneLine(text), line)

    def test_values(self) -> None:
        """
        The client gets the value that the setting's validator returns.
        """
        for option in self.ofSettings():
            if option.name == "framing":
                continue
            _, expected = VALUES[option.placeholder]
            given = self.client(*commandLine(option.name)).given
            self.assertEqual(given[option.settings], expected, option)

    def test_proxy(self) -> None:
        """
        One proxy is used alone, several are a chain.
        """
        for urls, expected in (
            (["environment"], "environment"),
            (["http://a:1", "http://b:2"], ["http://a:1", "http://b:2"]),
        ):
            words = [f"--proxy={url}" for url in urls]
            given = self.client(*words, "localhost", "7").given
            self.assertEqual(given["proxy"], expected)

    def test_validators(self) -> None:
        """
        What the setting's validator rejects, the option rejects, with its own name in
        the message.
        """
        numbers = ("SECONDS", "NUMBER", "COUNT")
        for option in self.ofSettings():
            if option.placeholder not in numbers:
                continue
            validate = SETTINGS[option.settings].validate
            name = f"--{option.name}"
            for text, value in (("-1", -1), ("nan", math.nan), ("x", "x")):
                rejected = self.assertRaises(
                    (TypeError, ValueError), validate, name, value
                )
                raised = self.assertRaises(usage.UsageError, option.convert, text)
                self.assertEqual(str(raised), str(rejected))
                self.assertIn(name, str(raised))

    def test_help(self) -> None:
        """
        The help has one line for each option, in 80 columns.
        """
        for parent in (None, usage.Options()):
            options = Options()
            options.parent = parent
            if parent is not None:
                parent.subCommand = "clienttcp"
            lines = str(options).splitlines()
            for line in lines:
                self.assertLessEqual(len(line), 80, line)
            for option in self.OPTIONS:
                if option.name != "reconnect":
                    line = f"  {option.synopsis:34}{option.summary}"
                    self.assertEqual(lines.count(line), 1, line)
                    self.assertIn("  ", line.strip(), "there is space between columns")
            text = "\n".join(lines)
            self.assertEqual("--reconnect" in text, parent is None)
            self.assertEqual("Exit statuses:" in text, parent is None)

    def test_summaries(self) -> None:
        """
        A line of the help is a clause; a description is a sentence or more.
        """
        for option in self.OPTIONS:
            self.assertNotIn(option.summary[-1], ".:;", option)
            self.assertTrue(option.description[0].isupper(), option)
            self.assertTrue(option.description.endswith("."), option)

    def test_completion(self) -> None:
        """
        The completion for zsh has each option with its summary, and its values: words,
        files, or nothing.
        """
        printed = io.BytesIO()
        self.patch(Options, "_shellCompFile", io.TextIOWrapper(printed))
        self.patch(sys, "argv", ["clienttcp"])
        words = ["--framing", "", "--_shell-completion", "zsh:3"]
        self.assertRaises(SystemExit, Options().parseOptions, words)
        text = printed.getvalue().decode()
        self.assertTrue(text.startswith("#compdef clienttcp\n"), text[:80])
        for option in self.OPTIONS:
            equals = "=" if option.placeholder else ""
            line = f"--{option.name}{equals}[{option.summary}]"
            self.assertIn(line, text)
            [rest] = re.findall(re.escape(line) + "(.*)", text)
            self.assertEqual("_files" in rest, option.placeholder == "FILE", rest)
        self.assertRegex(text, r"--framing=.*\(line stream ")
        self.assertRegex(text, r"--eof=.*\(half close keep\)")
        self.assertRegex(text, r"--demo-server=.*\(echo quotes\)")
        self.assertIn("_hosts", text)
