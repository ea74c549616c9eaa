"""
The manual page and the tables of options are generated from the table of options.
"""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import __version__
from twisted_clienttcp._command.table import GROUPS

from .._documents import ROOT


def words(manual: str) -> list[str]:
    """
    @return: the words of a manual page. The macros around them differ between versions
        of docutils.
    """
    header, _, text = manual.partition(".SH")
    title = re.findall(r"(?m)^\.TH .*", header)
    text = re.sub(r"(?m)^(\.(?!SH|SS|B|I)|\.\\\").*", "", text)
    return re.findall(r"\w+", re.sub(r"\\f\w|\\", "", "\n".join([*title, text])))


class ManualTests(SynchronousTestCase):
    """
    C{docs/options.py} would write what is there. If not, run it.
    """

    def setUp(self) -> None:
        self.written: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "options.py"))

    def test_upToDate(self) -> None:
        """
        The tables of C{command.rst} and the source of the manual page are up to date.
        """
        for page in self.written["PAGES"]:
            self.assertEqual(self.written["written"](page), page.read_text(), page)

    def test_manual(self) -> None:
        """
        The manual page is the one that Sphinx builds: it has each option and the
        version.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        page = (ROOT / "docs" / "man" / "clienttcp.1").read_text()
        self.assertEqual(words(self.written["build"](folder)), words(page))
        self.assertIn(f'"{__version__}"', page)
        plain = page.replace("\\", "")
        for options in GROUPS.values():
            for option in options:
                self.assertIn(option.synopsis, plain)
