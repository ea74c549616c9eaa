"""
Write the tables of C{command.rst}, the options of the manual page's source
(C{man/options.inc}), and the manual page itself, from the table of options::

    $ python docs/options.py
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from twisted_clienttcp._command.status import DETAILS, STATUSES
from twisted_clienttcp._command.table import GROUPS, Option, sentence

HERE = Path(__file__).parent

#: Everything behind this line is generated.
MARKER = ".. Written by options.py from here to the end; do not edit.\n"

#: The options that the parser itself brings.
OTHERS = (
    Option("version", "", "print the version", short="V"),
    Option("help", "", "print a line about each option", short="h"),
)


def escaped(text: str) -> str:
    """
    @return: plain text in reStructuredText.
    """
    return re.sub(r"([*`|_\\]|(?<=\w):(?=\w))", r"\\\1", text)


def groups() -> Iterator[tuple[str, tuple[Option, ...]]]:
    """
    @return: the title and the options of each group.
    """
    yield from GROUPS.items()
    yield "About", OTHERS


def statuses() -> Iterator[tuple[str, str]]:
    """
    @return: each exit status, with its meaning.
    """
    for status, summary in STATUSES:
        yield status, escaped(DETAILS.get(status, sentence(summary)))


def table(widths: str, *rows: tuple[str, ...]) -> Iterator[str]:
    """
    @param rows: the cells of each row; the first row is the header.

    @return: the lines of a table.
    """
    yield from (
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {widths}",
        "",
    )
    for first, *others in rows:
        yield f"   * - {first}"
        yield from (f"     - {cell}".rstrip() for cell in others)
    yield ""


def heading(title: str, underline: str) -> tuple[str, ...]:
    """
    @return: the lines of a heading.
    """
    return "", title, underline * len(title), ""


def tables() -> Iterator[str]:
    """
    @return: the end of C{command.rst}.
    """
    yield from heading("Exit statuses", "-")
    yield from table("10 90", ("status", "meaning"), *statuses())
    yield from heading("Options", "-")
    for title, options in groups():
        yield from heading(title, "~")
        rows = (
            (f"``{o.synopsis}``", escaped(o.description), parameters(o))
            for o in options
        )
        yield from table("30 50 20", ("option", "meaning", "parameter"), *rows)


def parameters(option: Option) -> str:
    """
    @return: the parameters of an option, for a cell of a table.
    """
    names, _, poe = option.parameters.partition("; ")
    shown = ", ".join(f"``{name}``" for name in names.split(", ") if name)
    return f"{shown}; {escaped(poe)}" if poe else shown


def manual() -> Iterator[str]:
    """
    @return: the options of the manual page's source.
    """
    yield from heading("Options", "-")
    yield (
        "Square brackets contain the parameter of ClientTCPFactory and its name in "
        "POE::Component::Client::TCP."
    )
    for title, options in groups():
        yield from heading(title, "~")
        for option in options:
            names = f" [{option.parameters}]" if option.parameters else ""
            yield f"**{escaped(option.synopsis)}**"
            yield f"    {escaped(option.description)}{escaped(names)}"
            yield ""
    yield from heading("Exit status", "-")
    for status, meaning in statuses():
        yield f"**{status}**"
        yield f"    {meaning}"
        yield ""


#: What is written behind the marker of each page.
PAGES: dict[Path, Callable[[], Iterator[str]]] = {
    HERE / "command.rst": tables,
    HERE / "man" / "options.inc": manual,
}


def written(page: Path) -> str:
    """
    @return: the page with a new end.
    """
    return "\n".join([page.read_text().partition(MARKER)[0] + MARKER, *PAGES[page]()])


def build(folder: Path) -> str:
    """
    Build the manual page with Sphinx.

    @param folder: a folder for the page, C{clienttcp.1}, and what Sphinx keeps.

    @return: the page.
    """
    sphinx = (sys.executable, "-m", "sphinx", "-q", "-W", "-E", "-b", "man")
    folders = ("-d", folder / "doctrees", HERE / "man", folder)
    subprocess.run([*sphinx, *folders], check=True)
    return (folder / "clienttcp.1").read_text()


if __name__ == "__main__":
    import tempfile

    for page in PAGES:
        page.write_text(written(page))
    with tempfile.TemporaryDirectory() as folder:
        (HERE / "man" / "clienttcp.1").write_text(build(Path(folder)))
