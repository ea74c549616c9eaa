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
