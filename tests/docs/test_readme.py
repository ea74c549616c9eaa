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
from importlib.metadata import metadata
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import framing
from twisted_clienttcp._client.callbacks import CALLBACKS

from .._commands import killed
from .._documents import ROOT, blocks
from .._peers import MANY
from .._processes import execute
from .._support import NetworkTestCase, turn
from ..conformance.rules import NOT_APPLICABLE

README = ROOT / "README.rst"
DOCS = ROOT / "docs"


class DaemonTests(NetworkTestCase):
    """
    The daemon.
    """

    timeout = 60

    async def test_daemon(self) -> None:
        """
        The C{.tac} file of C{running.rst}, with another port, is a daemon under twistd,
        which logs what it prints, and ends cleanly at SIGTERM.
        """
        server = await self.listen()
        server.heard = lambda peer, data: peer.send(data)
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        page = DOCS / "running.rst"
        [source] = blocks(page, "python")
        self.assertIn("remotePort=7,", source)
        home.joinpath("feeder.tac").write_text(
            source.replace("remotePort=7,", f"remotePort={server.port},")
        )
        self.assertIn("twistd --python feeder.tac", page.read_text())
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


def printed(title: str, row: str) -> list[str]:
    """
    @return: the figures in a row of a table that the benchmarks have printed.
    """
    page = (DOCS / "benchmarks.rst").read_text()
    table = page.split(f"\n    {title}\n")[1].split("\n\n")[0]
    # A wide table is folded.
    found: list[str] = re.findall(rf"^      {row}  .*", table, re.MULTILINE)
    return " ".join(line[31:] for line in found).split()


class SameTests(SynchronousTestCase):
    """
    Facts that are written in more than one place.
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
        The table of callbacks names all of them.
        """
        for name in CALLBACKS:
            self.assertIn(f"``{name}(client", (DOCS / "callbacks.rst").read_text())

    def test_framings(self) -> None:
        """
        The table of framings names the framings that the package has, and the README
        has their number.
        """
        names = re.findall(
            r"^``(\w+)``  ", (DOCS / "framings.rst").read_text(), re.MULTILINE
        )
        for name in names:
            self.assertTrue(callable(getattr(framing, name)), name)
        self.assertIn(f" {len(names)} kinds of records ", README.read_text())

    def test_extras(self) -> None:
        """
        The README names every extra for users.
        """
        extras = metadata("twisted_clienttcp").get_all("Provides-Extra") or []
        for extra in set(extras) - {"dev"}:
            self.assertIn(f"``{extra}``", README.read_text())

    def test_readmeFigures(self) -> None:
        """
        The figures of the README are those of the benchmarks, or of the test that it
        refers to.
        """
        herd = "10,000 clients lose a server, which stays down"
        lines = "lines of 16 bytes"
        scenarios = list((ROOT / "tests" / "conformance" / "golden").glob("*.json"))
        text = " ".join(README.read_text().split())
        for claim in (
            f"puts {MANY:,} bytes",
            f"{printed(herd, 'clienttcp')[0]} times the mean",
            f"with ``ClientService``, {printed(herd, 'ClientService')[0]} times",
            f"takes {printed(lines, 'clienttcp')[1]} times the CPU time",
            f"with ``LineReceiver``, {printed(lines, 'LineReceiver')[1]} times",
            f"adds {printed('FileSender, 1 GiB', 'clienttcp')[-1]} KiB",
            f"{len(scenarios) - len(NOT_APPLICABLE)} scenarios recorded from POE",
        ):
            self.assertIn(claim, text)

    def test_migrationFigures(self) -> None:
        """
        So are those of the migration guide.
        """
        scenarios = list((ROOT / "tests" / "conformance" / "golden").glob("*.json"))
        assert len(NOT_APPLICABLE) == 1, "the guide says one"
        text = " ".join((DOCS / "migration.rst").read_text().split())
        for claim in (
            f"compares {len(scenarios)} recorded runs of the original",
            f"that is so for one of them, and the other {len(scenarios) - 1} are",
        ):
            self.assertIn(claim, text)

    def test_comparisonFigures(self) -> None:
        """
        The figures of the comparison are those that the benchmarks have printed,
        wherever these have any.
        """
        service, streams = "ClientService", "asyncio streams"
        for row, title, column, names in (
            (
                "CPU time to read a line of 16 bytes",
                "lines of 16 bytes",
                1,
                ("clienttcp", "LineReceiver", "", streams, "POE"),
            ),
            (
                "CPU time to send a line of 32 bytes",
                "1,000,000 records of 32 bytes, as lines",
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
                "peak rate of attempts of 10,000 clients",
                "10,000 clients lose a server, which stays down",
                0,
                ("clienttcp", "ReconnectingClientFactory", service, "", ""),
            ),
        ):
            wanted = [printed(title, name)[column] if name else "" for name in names]
            found = re.search(
                rf"   \* - {row}.*\n((?:     -.*\n){{5}})",
                (DOCS / "comparison.rst").read_text(),
            )
            assert found is not None, row
            shown = [line[7:] for line in found[1].splitlines()]
            self.assertEqual(shown, wanted, row)


class LinkTests(SynchronousTestCase):
    """
    The links of the README.
    """

    def test_targets(self) -> None:
        """
        Each leads to a file of the project and, if it names a section, to that section.
        """
        links = re.findall(r"<([^<>`]*)>`__", README.read_text())
        self.assertGreater(len(links), 20)
        for link in links:
            path, _, section = link.partition("#")
            self.assertTrue((ROOT / path).exists(), link)
            if section:
                titles = (ROOT / path).read_text().lower().replace(" ", "-")
                self.assertRegex(titles, rf"(?m)^{section}$")

    def test_length(self) -> None:
        """
        The README stays short.
        """
        self.assertLessEqual(len(README.read_text().splitlines()), 150)
