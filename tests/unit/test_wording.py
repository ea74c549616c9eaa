"""
Tests for the words of the command's error messages.
"""

from __future__ import annotations

import re
from getopt import GetoptError, gnu_getopt

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.settings import SETTINGS
from twisted_clienttcp._command.options import Options
from twisted_clienttcp._command.wording import aboutOption, inOptions, ofFraming
from twisted_clienttcp.framing import fromSpec


class InOptionsTests(SynchronousTestCase):
    """
    Messages of the client.
    """

    def message(self, **settings: object) -> str:
        """
        @return: the message for wrong settings, in the words of the command.
        """
        settings = {"remoteAddress": "localhost", "remotePort": 7, **settings}
        error = self.assertRaises(
            (TypeError, ValueError),
            ClientTCPFactory,
            serverInput=lambda client, record: None,
            **settings,
        )
        return inOptions(str(error), ["ipv4"])

    def test_parameters(self) -> None:
        """
        Parameters become the options that set them.
        """
        for expected, settings in (
            ("PORT must be from 1 to 65535, not 70000", {"remotePort": 70000}),
            ("HOST: 'a b' is neither a host name", {"remoteAddress": "a b"}),
            ("--high-mark needs --low-mark too", {"highMark": 10}),
            ("0 < --low-mark < --high-mark", {"highMark": 1, "lowMark": 2}),
            ("the port of --bind must be from 1", {"bindPort": 70000}),
            ("the address of --bind must be an IP", {"bindAddress": "x"}),
            ("--proxy: the port must be from 1", {"proxy": "socks5://x:99999"}),
        ):
            message = self.message(**settings)
            self.assertIn(expected, message)
            for name in SETTINGS:
                if name != name.lower():
                    self.assertNotIn(name, message)

    def test_python(self) -> None:
        """
        Where the client suggests a Python object, the command suggests an option.
        """
        endpoint = {"remoteAddress": None, "remotePort": None, "endpoint": "unix:/x"}
        for expected, settings in (
            ("; pass --servername", {"tls": True}),
            ("; use HOST and PORT", {"proxy": "socks5://proxy:1"}),
        ):
            message = self.message(**endpoint, **settings)
            self.assertTrue(message.endswith(expected), message)
            self.assertNotIn("True", message)

    def test_domain(self) -> None:
        """
        The domain of sockets is the option for a family of addresses.
        """
        self.assertIn(
            "HOST: '::1' is not an IPv4 address; omit --ipv4, or",
            inOptions(
                "remoteAddress: '::1' is not an address of the domain AF_INET; omit "
                "domain, or change one of them",
                ["ipv4"],
            ),
        )

    def test_words(self) -> None:
        """
        An English word that is also the name of a parameter stays as it is.
        """
        self.assertEqual(
            inOptions("endpoint and tls exclude each other: the endpoint; omit tls"),
            "--endpoint and --tls exclude each other: the endpoint; omit --tls",
        )


class FramingTests(SynchronousTestCase):
    """
    Messages for options that are parameters of the framing.
    """

    def test_messages(self) -> None:
        """
        The message is about the option.
        """
        for spec, expected in (
            ("line:maxLength=0", "--max-length must be at least 1, not 0"),
            ("line:maxLength=1,maxLength=2", "--framing has maxLength already: leave"),
            ("stream:maxLength=1", "--max-length has no effect with --framing=stream"),
        ):
            error = self.assertRaises(ValueError, fromSpec, spec)
            message = ofFraming(error, spec, "--max-length", "maxLength")
            self.assertTrue(message.startswith(expected), message)


class AboutOptionTests(SynchronousTestCase):
    """
    Messages of L{getopt}.
    """

    def test_messages(self) -> None:
        """
        Each mistake has a message that says what to do.
        """
        options = Options()
        for word, expected in (
            ("--nope", "there is no option --nope"),
            (
                "--lingre-timeout",
                "there is no option --lingre-timeout: did you mean --linger-timeout?",
            ),
            ("-z", "there is no option -z"),
            ("--tls=yes", "--tls has no value: leave out '=' and what follows"),
            ("--version=3", "--version has no value: leave out '=' and what follows"),
            ("--ca", "--ca needs a value, as in --ca=FILE"),
            ("-x", "--hex-dump needs a value, as in --hex-dump=FILE"),
            ("--key", "--key needs a value, as in --key=FILE"),
            (
                "--h",
                "--h may be --half-close, --heartbeat, --help, --hex-dump or "
                "--high-mark: write the whole name",
            ),
            ("--ipv", "--ipv may be --ipv4 or --ipv6: write the whole name"),
        ):
            error = self.assertRaises(
                GetoptError, gnu_getopt, [word], options.shortOpt, options.longOpt
            )
            self.assertEqual(aboutOption(error), expected)

    def test_everyOption(self) -> None:
        """
        Every option that needs a value says which.
        """
        options = Options()
        for name in options.longOpt:
            if name.endswith("="):
                error = self.assertRaises(
                    GetoptError, gnu_getopt, [f"--{name[:-1]}"], "", options.longOpt
                )
                self.assertTrue(re.search(f" --{name}.", aboutOption(error)), name)
