"""
Names of hosts, services and sockets: a name that the system would take for another one
is rejected.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from socket import AF_INET6, AF_UNIX
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import quoteStringArgument as quote
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.tap import Options

#: Every parameter that takes a name, as the keyword arguments for one.
PARAMETERS: tuple[Callable[[str], dict[str, Any]], ...] = (
    lambda name: {"remoteAddress": name, "remotePort": 7},
    lambda name: {"remoteAddress": name, "remotePort": 7, "domain": AF_INET6},
    lambda name: {"remoteAddress": "/" + name, "domain": AF_UNIX},
    lambda name: {"remoteAddress": "localhost", "remotePort": name},
    lambda name: {"remoteAddress": "::1", "remotePort": 7, "bindAddress": name},
    lambda name: {"remoteAddress": "::1", "remotePort": 7, "bindPort": name},
    lambda name: {"endpoint": f"tcp:{quote(name)}:7"},
    lambda name: {"endpoint": f"tcp:host={quote(name)}:port=7"},
    lambda name: {"endpoint": f"tcp:localhost:{quote(name)}"},
    lambda name: {"endpoint": f"tcp:localhost:7:bindAddress={quote(name)}"},
    lambda name: {"endpoint": f"unix:/{quote(name)}"},
    lambda name: {"endpoint": f"unix:path=/{quote(name)}:lockfile=1"},
    lambda name: {"endpoint": ["tcp:localhost:7", f"tcp:{quote(name)}:7"]},
    lambda name: {"endpoint": name},
)
TLS: tuple[Callable[[str], dict[str, Any]], ...] = (
    lambda name: {"remoteAddress": name, "remotePort": 7, "tls": True},
    lambda name: {"endpoint": f"tls:{quote(name)}:7"},
    lambda name: {"endpoint": f"ssl:{quote(name)}:7"},
    lambda name: {"endpoint": f"tls:localhost:7:trustRoots=/{quote(name)}"},
)

#: Names that C would end at the NUL.
NULS = ("localhost\0.example", "\0localhost", "localhost\0", "127.0.0.1\0", "::1%lo\0x")


def ignore(client: ClientTCPFactory, record: object) -> None:
    """
    A callback.
    """


def client(**parameters: Any) -> ClientTCPFactory:
    """
    @return: a client with those parameters.
    """
    return ClientTCPFactory(serverInput=ignore, **parameters)


class NULTests(SynchronousTestCase):
    """
    C ends a string at a NUL, so a name that contains one would lead to another host.
    """

    def refused(
        self, function: Callable[..., object], *args: Any, **named: Any
    ) -> None:
        error = self.assertRaises(ValueError, function, *args, **named)
        self.assertIn("\\x00", str(error))

    def test_parameters(self) -> None:
        """
        Every parameter rejects such a name.
        """
        for parameters in PARAMETERS:
            for name in NULS:
                self.refused(client, **parameters(name))

    def test_tls(self) -> None:
        """
        So do the parameters for TLS.
        """
        try:
            client(remoteAddress="localhost", remotePort=7, tls=True)
        except ImportError as error:
            raise SkipTest(str(error)) from None
        for parameters in TLS:
            for name in NULS:
                self.refused(client, **parameters(name))

    def test_connect(self) -> None:
        """
        C{connect()} rejects such a name, and the client keeps its address.
        """
        ours = client(remoteAddress="localhost", remotePort=7)
        for name in NULS:
            self.refused(ours.connect, name, 7)
            self.refused(ours.connect, "localhost", name)

    def test_abstract(self) -> None:
        """
        Linux's abstract socket names begin with a NUL.
        """
        client(remoteAddress="\0name", domain=AF_UNIX)
        client(endpoint="unix:\0name")

    def test_command(self) -> None:
        """
        The command rejects such a name.
        """
        for arguments in (
            ["{}", "7"],
            ["localhost", "{}"],
            ["[{}]:7"],
            ["unix:/{}"],
            ["--endpoint=tcp:{}:7"],
            ["--bind={}", "localhost", "7"],
            ["--servername={}", "localhost", "7"],
            ["--servername={}", "--insecure", "localhost", "7"],
        ):
            for name in NULS:
                options = Options()
                options.parseOptions([each.format(name) for each in arguments])
                stderr = io.StringIO()
                self.patch(sys, "stderr", stderr)
                self.assertRaises(SystemExit, options.client, serverInput=ignore)
                self.assertIn("\\x00", stderr.getvalue())


class HostTests(SynchronousTestCase):
    """
    Other characters that cannot be in the name of a host.
    """

    @given(
        st.text(st.characters(codec="utf-8"), max_size=3),
        st.sampled_from(
            [*map(chr, range(33)), *"/:\x7f", "\uff0f", "\uff1a", "\u2100", "\u3000"]
        ),
        st.text(st.characters(codec="utf-8"), max_size=3),
    )
    def test_refused(self, before: str, character: str, after: str) -> None:
        """
        A name is rejected if it contains white space, a control character, C{/} or
        C{:}, or a character that becomes one of these in ASCII.
        """
        name = f"a{before}{character}{after}a"
        error = self.assertRaises(ValueError, client, remoteAddress=name, remotePort=7)
        self.assertIn("remoteAddress", str(error))
