"""
The README agrees with the code and with the other documents. Its programs are run by
L{tests.docs.test_documents}.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import textwrap
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .._documents import ROOT, blocks
from .._processes import execute
from .._support import NetworkTestCase, turn
from ..behaviour.test_command import killed

README = ROOT / "README.rst"


class DaemonTests(NetworkTestCase):
    """
    The daemon.
    """

    timeout = 60

    async def test_daemon(self) -> None:
        """
        The file of the README, but for the port, is a daemon under twistd, which logs
        what it prints, and ends in order at SIGTERM.
        """
        server = await self.listen()
        server.heard = lambda peer, data: peer.send(data)
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        [source] = [one for one in blocks(README, "python") if "Application(" in one]
        self.assertIn("remotePort=7,", source)
        home.joinpath("feeder.tac").write_text(
            source.replace("remotePort=7,", f"remotePort={server.port},")
        )
        self.assertIn("twistd --python feeder.tac", README.read_text())
        out, err, code = await execute(
            sys.executable,
            *("-c", "from twisted.scripts.twistd import run; run()"),
            *("--python", "feeder.tac"),
            path=home,
        )
        self.assertEqual((out, err, code), (b"", b"", 0))
        process = int(home.joinpath("twistd.pid").read_text())
        self.addCleanup(killed, process)
        while not server.peers:
            await turn()
        await server.peers[0].until(b"hello\r\n")
        log = home / "twistd.log"
        while "hello" not in log.read_text():
            await turn()
        os.kill(process, signal.SIGTERM)
        self.assertEqual(await server.peers[0].ended, b"hello\r\n")
        while home.joinpath("twistd.pid").exists():
            await turn()


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
        words = " ".join(re.sub(r"#.*", "", blocks(README, "python")[0]).split())
        self.assertIn(words, " ".join(doc.split()))

    def test_callbacks(self) -> None:
        """
        The table of callbacks names all there are.
        """
        from .._support import Recorder

        for name in (*Recorder().parameters(), "preConnect"):
            self.assertIn(f"``{name}(client", README.read_text())

    def test_figures(self) -> None:
        """
        The figures of the table are those that the benchmarks have printed, wherever
        these have any.
        """
        page = (ROOT / "docs" / "benchmarks.rst").read_text()
        service, streams = "ClientService", "asyncio streams"
        for row, title, column, names in (
            (
                "CPU time to read a line of 16 octets",
                "lines of 16 octets",
                1,
                ("clienttcp", "LineReceiver", "", streams, "POE"),
            ),
            (
                "CPU time to send a line of 32 octets",
                "1,000,000 records of 32 octets, as lines",
                1,
                ("clienttcp, put", "sendLine", "", "asyncio writer", "POE"),
            ),
            (
                "KiB of memory for an idle connection",
                "5,000 idle connections",
                0,
                (
                    "clienttcp, connectTCP",
                    "ReconnectingClientFactory",
                    service,
                    streams,
                    "",
                ),
            ),
            (
                "most attempts a second of 10,000 clients",
                "10,000 clients lose a server, which stays down",
                0,
                ("clienttcp", "ReconnectingClientFactory", service, "", ""),
            ),
        ):
            table = page.split(f"\n    {title}\n")[1].split("\n\n")[0]
            printed = [
                re.findall(rf"^      {name}  .*", table, re.MULTILINE)[0][31:].split()
                if name
                else []
                for name in names
            ]
            wanted = [(figures or [""] * 2)[column] for figures in printed]
            found = re.search(
                rf"   \* - {row}.*\n((?:     -.*\n){{5}})", README.read_text()
            )
            assert found is not None, row
            shown = [line[7:] for line in found[1].splitlines()]
            self.assertEqual(shown, wanted, row)
