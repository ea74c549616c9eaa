"""
The news have every name of version 0.1 that is gone, and every fragment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .._documents import ROOT
from ..public_names import names

#: What C{python -m tests.public_names} printed for version 0.1.0.
RECORDED = Path(__file__).with_name("public_names_0_1.txt")


def table() -> Iterator[tuple[list[str], list[str]]]:
    """
    @return: for each row of the table "0.1 to 0.2", the names in its first column, and
        those in its second.
    """
    _, _, rest = (ROOT / "NEWS.rst").read_text().partition("list-table:: 0.1 to 0.2\n")
    body, *_ = re.split(r"(?m)^(?=\S)", rest)
    _, _, *rows = re.split(r"(?m)^   \* - ", body)
    for row in rows:
        old, new, _ = re.split(r"(?m)^     - ?", row)
        yield namesIn(old), namesIn(new)


def namesIn(cell: str) -> list[str]:
    """
    @return: the names in a cell, as the list of version 0.1 has them.
    """
    cell = cell.replace("=...", "").replace("``client.server.", "``ClientTCPProtocol.")
    return re.findall("``(.+?)``", cell.replace("``client.", "``ClientTCPFactory."))


def inherited(name: str) -> Iterator[str]:
    """
    @return: the names that stand for a name of version 0.1: itself; the function of a
        parameter; and, for an attribute of a framing, that of C{Framing}.
    """
    yield name
    function = name.partition("(")[0]
    yield function
    yield re.sub(r"^framing\.\w+\.", "framing.Framing.", function)


class NamesTests(SynchronousTestCase):
    """
    The table "0.1 to 0.2".
    """

    def setUp(self) -> None:
        self.old = set(RECORDED.read_text().splitlines())
        self.new = names(inherited=True)
        self.rows = list(table())

    def test_complete(self) -> None:
        """
        It has each public name of version 0.1 that is gone.
        """
        listed = {name for old, _ in self.rows for name in old}
        missing = {
            name for name in self.old - self.new if not listed & set(inherited(name))
        }
        self.assertEqual(missing, set())

    def test_true(self) -> None:
        """
        The first column has only names of version 0.1 that are gone, each once; the
        second only names of this version.
        """
        listed = [name for old, _ in self.rows for name in old]
        self.assertEqual(len(listed), len(set(listed)))
        self.assertEqual({name for name in listed if name not in self.old}, set())
        self.assertEqual({name for name in listed if name in self.new}, set())
        present = {name for _, new in self.rows for name in new}
        self.assertEqual(present - self.new, set())

    def test_recorded(self) -> None:
        """
        The list is that of version 0.1, and the same kinds of names are found in this
        version.
        """
        for name in ("ClientTCPFactory", "framing.Line(encoding)", "clienttcp --tls"):
            self.assertIn(name, self.old)
            self.assertIn(name, self.new)
        self.assertIn("framing.Line.feed", self.old)
        self.assertIn("framing.Line.decode", self.new)


class FragmentsTests(SynchronousTestCase):
    """
    The files in C{newsfragments}.
    """

    def test_names(self) -> None:
        """
        towncrier ignores a file with another name than these.
        """
        for path in (ROOT / "newsfragments").glob("*"):
            if path.name != "template.rst":
                self.assertRegex(
                    path.name,
                    r"^([0-9]+|\+[\w-]+)\.(removal|feature|bugfix|doc|misc)"
                    r"(\.[0-9]+)?\.rst$",
                )
