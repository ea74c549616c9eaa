"""
The README keeps its word.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase

from ._support import NetworkTestCase, reactor

README = Path(__file__).parent.parent / "README.rst"


def blocks(language: str) -> list[str]:
    """
    @return: the code blocks of the README in that language.
    """
    found = re.findall(
        rf"^\.\. code-block:: {language}\n\n((?:    .*\n|\n)+)",
        README.read_text(),
        re.MULTILINE,
    )
    return [textwrap.dedent(block) for block in found]


class ExampleTests(NetworkTestCase):
    """
    The examples.
    """

    async def test_first(self) -> None:
        """
        The first example, run as it stands but for the port, prints what an echo server
        sends back.
        """
        server = await self.listen()
        server.heard = lambda peer, data: peer.send(data)
        port = server.port
        source = blocks("python")[0]
        self.assertIn("remotePort=7,", source)
        program = Path(self.mktemp())
        program.write_text(source.replace("remotePort=7,", f"remotePort={port},"))
        out, err, code = await getProcessOutputAndValue(
            sys.executable, [str(program)], reactor=reactor, env=None
        )
        self.assertEqual((out, err, code), (b"hello\n", b"", 0))
        self.assertEqual(server.peers[0].received, b"hello\r\n")


class SameTests(SynchronousTestCase):
    """
    What is told in more than one place.
    """

    def test_packageDocstring(self) -> None:
        """
        The package's docstring opens with the README's example.
        """
        import twisted_clienttcp

        doc = textwrap.dedent(twisted_clienttcp.__doc__ or "")
        words = " ".join(re.sub(r"#.*", "", blocks("python")[0]).split())
        self.assertIn(words, " ".join(doc.split()))

    def test_callbacks(self) -> None:
        """
        The table of callbacks names all there are.
        """
        from ._support import Recorder

        for name in (*Recorder().parameters(), "preConnect"):
            self.assertIn(f"``{name}(client", README.read_text())
