"""
Checks the site after it was built::

    $ sphinx-build -n -W docs docs/_build
    $ python docs/checks.py docs/_build

It prints each mistake and fails if there is one:

  - a link to a page, file or anchor of the site that does not exist;
  - a link to another site that is not C{https://host/path} (they are not fetched);
  - a line of code that is so long that its block scrolls at 1280 pixels (text wraps);
  - a block, other than a doctest, that is highlighted without regard to its language;
  - a page of the API that mentions a private name or is not documented;
  - a public name that the API leaves out;
  - a reference to nothing in the docstring of a private name: Sphinx sees only those of
    public ones.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from html.parser import HTMLParser
from importlib import import_module
from io import StringIO
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

HERE = Path(__file__).parent

#: pydoctor's lists for programs, and its list of what is not documented.
LISTS = ("all-documents.html", "undoccedSummary.html")

#: The characters of a line for which a block of the theme is wide enough, if the window
#: has 1280 pixels. (A scrollWidth greater than the clientWidth in Chromium shows it.)
WIDTH = 90

_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_PRIVATE = re.compile(r"twisted_clienttcp(\.\w+)*\._[a-z]\w*")


class Page(HTMLParser):
    """
    The links and anchors of a page, its blocks of code, and the blocks that are
    highlighted as doctests.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors = {"", "#"}
        self.blocks: list[str] = []
        self.doctests: list[str] = []
        self._isCode = False
        self._isDoctest = False
        self._isInside = False
        self.text = path.read_text()
        self.feed(self.text)

    def handle_starttag(
        self, tag: str, attributes: list[tuple[str, str | None]]
    ) -> None:
        for name, value in attributes:
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value or "")
            elif name in ("href", "src"):
                self.links.add(value or "")
            elif name == "class" and "highlight-" in (value or ""):
                self._isCode = "highlight-text" not in (value or "")
                self._isDoctest = "highlight-default" in (value or "")
        if tag == "pre" and self._isCode:
            self._isInside = True
            self.blocks.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            if self._isInside and self._isDoctest:
                self.doctests.append(self.blocks[-1])
            self._isInside = False

    def handle_data(self, data: str) -> None:
        if self._isInside:
            self.blocks[-1] += data


def isForeign(link: str) -> bool:
    """
    @return: True if a link leads to another site.
    """
    parts = urlsplit(link)
    return bool(parts.scheme or parts.netloc)


def isWellFormed(link: str) -> bool:
    """
    @return: True if a link to another site has the form that it should have.
    """
    parts = urlsplit(link)
    return parts.scheme in ("mailto", "data") or (
        parts.scheme == "https"
        and _HOST.fullmatch(parts.netloc) is not None
        and not re.search(r"[\s<>\"`]", link)
    )


def brokenLinks(site: Path) -> Iterator[str]:
    """
    @return: a message for each bad link of the site.
    """
    paths = sorted(site.rglob("*.html"))
    pages = {path.resolve(): Page(path) for path in paths}
    for path, page in pages.items():
        at = path.relative_to(site.resolve())
        for link in sorted(page.links):
            if isForeign(link):
                if not isWellFormed(link):
                    yield f"{at}: not a link as https://host/path: {link}"
                continue
            to, _, anchor = link.partition("#")
            to = unquote(to.partition("?")[0])
            target = (path.parent / to).resolve() if to else path
            if not target.is_file():
                yield f"{at}: no such page: {link}"
            elif target in pages and unquote(anchor) not in pages[target].anchors:
                yield f"{at}: no such anchor: {link}"


def wideBlocks(site: Path) -> Iterator[str]:
    """
    @return: a message for each line of code that is too long.
    """
    for path in sorted(site.rglob("*.html")):
        for block in Page(path).blocks:
            for line in block.split("\n"):
                if len(line) > WIDTH:
                    yield f"{path.relative_to(site)}: longer than {WIDTH}: {line}"


def unhighlightedBlocks(site: Path) -> Iterator[str]:
    """
    @return: a message for each block that Sphinx has highlighted as a doctest and that
        is not one: another extension has replaced the directive C{code-block}.
    """
    for path in sorted(site.rglob("*.html")):
        for block in Page(path).doctests:
            if not block.lstrip().startswith(">>>"):
                first = block.strip().partition("\n")[0]
                yield f"{path.relative_to(site)}: not highlighted: {first}"


def apiPages(site: Path) -> Iterator[str]:
    """
    @return: a message for each page of the API that is incomplete or has private names.
    """
    for path in sorted((site / "api").glob("*.html")):
        if path.name in LISTS:
            continue
        text = path.read_text()
        for name in sorted({found[0] for found in _PRIVATE.finditer(text)}):
            yield f"api/{path.name}: a private name: {name}"
        if "Undocumented" in text:
            yield f"api/{path.name}: something is not documented"


def missingNames(site: Path) -> Iterator[str]:
    """
    @return: a message for each public name of the package without a place in the API.
    """
    package = import_module("twisted_clienttcp")
    modules = ["twisted_clienttcp"] + [
        name
        for _, name, _ in walk_packages(package.__path__, "twisted_clienttcp.")
        if "._" not in name
    ]
    api = site / "api"
    # pydoctor makes the page of the only package the first one.
    pages = {name: Page(api / f"{name}.html") for name in modules[1:]}
    pages["twisted_clienttcp"] = Page(api / "index.html")
    for name in modules:
        module = import_module(name)
        own = [
            each
            for each, value in vars(module).items()
            if each[0] != "_" and getattr(value, "__module__", None) == name
        ]
        for each in getattr(module, "__all__", own):
            isPage = (api / f"{name}.{each}.html").is_file()
            if not isPage and f"{name}.{each}" not in pages[name].anchors:
                yield f"api: no place for {name}.{each}"


def references() -> Iterator[str]:
    """
    @return: what pydoctor reports about all docstrings, those of private names
        included.
    """
    import inventory
    from pydoctor.driver import main as pydoctor

    with TemporaryDirectory() as folder, redirect_stdout(StringIO()) as output:
        pydoctor(
            [
                *("--quiet", "--docformat=epytext", f"--html-output={folder}/api"),
                f"--project-base-dir={HERE.parent}",
                *inventory.arguments(Path(folder) / "inventories"),
                str(HERE.parent / "twisted_clienttcp"),
            ]
        )
    yield from output.getvalue().splitlines()


def main(folder: str) -> int:
    """
    Check a site.

    @return: the exit status.
    """
    site = Path(folder)
    mistakes = [
        *brokenLinks(site),
        *wideBlocks(site),
        *unhighlightedBlocks(site),
        *apiPages(site),
        *missingNames(site),
        *references(),
    ]
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    return min(len(mistakes), 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
