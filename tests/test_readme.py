"""
The README keeps its word.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase

from ._support import NetworkTestCase, Peer, Recorder, reactor

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
            sys.executable,
            [str(program)],
            env={**os.environ, "PYTHONPATH": str(README.parent)},
            reactor=reactor,
        )
        self.assertEqual((out, err, code), (b"hello\n", b"", 0))
        self.assertEqual(server.peers[0].received, b"hello\r\n")

    def answer(self, answer: bytes, peer: Peer, data: bytes) -> None:
        peer.send(answer)

    async def test_negotiation(self) -> None:
        """
        The example of C{preConnect} logs in, and refuses where it does not.
        """
        scope: dict[str, Any] = {}
        exec(blocks("python")[1], scope)
        for answer, last in ((b"OK you\n", "connected"), (b"NO\n", "stopped")):
            server = await self.listen()
            server.met = lambda peer: peer.send(b"welcome\r\n")
            server.heard = functools.partial(self.answer, answer)
            recorder = Recorder()
            recorder.on["connected"] = lambda client, peer: client.shutdown()
            client = self.client(
                server, preConnect=scope["preConnect"], **recorder.parameters()
            )
            await client.start().addErrback(lambda failure: None)
            self.assertIn(b"USER me", server.peers[0].received)
            self.assertIn(last, recorder.events)
            self.assertEqual("connected" in recorder.events, last == "connected")


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
