"""
The site: its diagrams, and the checks of what was built.
"""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import (
    ClientTCPFactory,
    Disconnection,
    Negotiation,
    framing,
)
from twisted_clienttcp._client.settings import SETTINGS

from .._documents import ROOT

PAGE = """\
<a name="old"></a><h1 id="top">A page</h1>
<a href="{link}">a link</a> <img src="picture.svg">
"""


class ChecksTests(SynchronousTestCase):
    """
    C{docs/checks.py}, which CI runs on the site.
    """

    def setUp(self) -> None:
        self.checks: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "checks.py"))
        self.site = Path(self.mktemp()).absolute()
        self.site.joinpath("api").mkdir(parents=True)
        self.site.joinpath("picture.svg").write_text("<svg/>")

    def broken(self, link: str) -> list[str]:
        """
        @return: the messages about a site in which a page has this link.
        """
        self.site.joinpath("other.html").write_text('<p id="here"></p>')
        self.site.joinpath("page.html").write_text(PAGE.format(link=link))
        return [*self.checks["brokenLinks"](self.site)]

    def test_goodLinks(self) -> None:
        """
        Pages, files, anchors of this and of other pages, and other sites are accepted.
        """
        for link in (
            "other.html",
            "other.html#here",
            "other.html?q=1#here",
            "#top",
            "#old",
            "#",
            "picture.svg",
            "https://example.org/page.html#anything",
            "mailto:me@example.org",
        ):
            self.assertEqual(self.broken(link), [], link)

    def test_badLinks(self) -> None:
        """
        A page, a file or an anchor that does not exist is reported, and so is a link to
        another site that nobody else can follow.
        """
        for link in (
            "another.html",
            "other.html#there",
            "#bottom",
            "api/",
            "http://example.org/",
            "https://example/",
            "https://example.org:443/",
            "https://user@example.org/",
            "https://example.org/a b",
            "file:///etc/passwd",
        ):
            [message] = self.broken(link)
            self.assertIn(link, message)

    def test_wideBlocks(self) -> None:
        """
        A line of code that is too long for the page is reported. Text wraps.
        """
        page = self.site.joinpath("page.html")
        for length, count in ((90, 0), (91, 1)):
            line = "<b>x</b>" + (length - 1) * "x"
            page.write_text(
                f"<p>{'y' * 200}</p>"
                f'<div class="highlight-python"><pre>short\n{line}\n</pre></div>'
                f'<div class="highlight-text"><pre>{line}</pre></div>'
            )
            messages = [*self.checks["wideBlocks"](self.site)]
            self.assertEqual(len(messages), count, messages)

    def test_unhighlightedBlocks(self) -> None:
        """
        A block that is highlighted as a doctest and is not one is reported.
        """
        for text, count in (("&gt;&gt;&gt; 1", 0), ("$ clienttcp --demo", 1)):
            self.site.joinpath("page.html").write_text(
                f'<div class="doctest highlight-default"><pre>{text}\n</pre></div>'
                '<div class="highlight-text"><pre>a text</pre></div>'
            )
            messages = [*self.checks["unhighlightedBlocks"](self.site)]
            self.assertEqual(len(messages), count, messages)

    def test_apiPages(self) -> None:
        """
        A page of the API with a private name or something that is not documented is
        reported; the documentation of dunder methods is neither.
        """
        for text, expected in (
            ("twisted_clienttcp.ClientTCPFactory.__init__", []),
            ("Undocumented", ["something is not documented"]),
            (
                "twisted_clienttcp._client.factory twisted_clienttcp.framing._base",
                [
                    "a private name: twisted_clienttcp._client",
                    "a private name: twisted_clienttcp.framing._base",
                ],
            ),
        ):
            self.site.joinpath("api", "page.html").write_text(text)
            messages = [*self.checks["apiPages"](self.site)]
            self.assertEqual(messages, [f"api/page.html: {each}" for each in expected])


class DiagramsTests(SynchronousTestCase):
    """
    C{docs/diagrams.py} would write the pictures that are there. If not, run it.
    """

    def test_upToDate(self) -> None:
        """
        Each picture is up to date, and a page includes it.
        """
        written: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "diagrams.py"))
        pages = "".join(path.read_text() for path in ROOT.glob("docs/*.rst"))
        for make in written["PICTURES"]:
            path = written["FOLDER"] / f"{make.__name__}.svg"
            self.assertEqual(path.read_text(), make(), path)
            self.assertIn(f"   :file: diagrams/{path.name}\n", pages)


class ReferenceTests(SynchronousTestCase):
    """
    The pages of the reference are complete.
    """

    def missing(self, page: str, names: Iterable[str]) -> list[str]:
        """
        @return: the names that a page does not have.
        """
        text = (ROOT / "docs" / page).read_text()
        return [name for name in names if not re.search(rf"\b{name}\b", text)]

    def test_methods(self) -> None:
        """
        Everything that users call on a client and in a negotiation.
        """
        # Those that only a connection and Twisted read.
        internal = {"batched", "noisy", "numPorts", "serverInput", *SETTINGS}
        for kind in (ClientTCPFactory, Negotiation):
            public = {name for name in vars(kind) if not name.startswith("_")}
            self.assertEqual(self.missing("methods.rst", public - internal), [])

    def test_framings(self) -> None:
        """
        Everything that the package C{framing} has.
        """
        self.assertEqual(self.missing("framings.rst", framing.__all__), [])

    def test_disconnection(self) -> None:
        """
        What a disconnection says.
        """
        fields = Disconnection.__annotations__
        self.assertEqual(self.missing("callbacks.rst", fields), [])
