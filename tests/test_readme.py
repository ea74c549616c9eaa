"""
The README says what other places say. What can be run in it, L{tests.test_docs} runs.
"""

from __future__ import annotations

import re
import textwrap

from twisted.trial.unittest import SynchronousTestCase

from ._documents import ROOT, blocks

README = ROOT / "README.rst"


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
        from ._support import Recorder

        for name in (*Recorder().parameters(), "preConnect"):
            self.assertIn(f"``{name}(client", README.read_text())

    def test_figures(self) -> None:
        """
        The figures of the table are those that the benchmark has printed.
        """
        page = (ROOT / "docs" / "benchmarks.rst").read_text()
        table = page.split("\n    lines of 16 octets\n")[1].split("\n\n")[0]
        row = (
            README.read_text().split("blocking socket's being 1\n")[1].split("\n\n")[0]
        )
        shown = re.findall(r"- (\d+\.\d+)$", row, re.MULTILINE)
        for name in ("clienttcp", "LineReceiver", "asyncio streams", "POE"):
            [figure] = re.findall(
                rf"^      {name} +\S+ +(\d+\.\d+)", table, re.MULTILINE
            )
            self.assertIn(figure, shown, name)
        self.assertEqual(len(shown), 4)
