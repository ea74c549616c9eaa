"""
Write the tables of C{logevents.rst} from the log events of the package::

    $ python docs/logevents.py
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted_clienttcp._logevents import CLIENT, COMMON, FIELDS, KINDS, Kind

PAGE = Path(__file__).parent / "logevents.rst"

#: Everything behind this line is generated.
MARKER = ".. Written by logevents.py from here to the end; do not edit.\n"


def literal(epytext: str) -> str:
    """
    @return: the same text in reStructuredText.
    """
    return re.sub(r"C\{((?:[^{}]|\{[^{}]*\})*)\}", r"``\1``", epytext)


def level(kind: Kind) -> str:
    """
    @return: the level of an event, and on what it depends.
    """
    name = kind.level.name
    if not kind.handledBy:
        return str(name)
    return f"{name}; info with ``{kind.handledBy}``"


def row(kind: Kind) -> list[str]:
    """
    @return: the cells of an event.
    """
    return [
        f"``{kind.name}``",
        level(kind),
        f"{literal(kind.when)} |br| ``{kind.format}``",
        ", ".join(f"``{field}``" for field in kind.fields),
    ]


def table(headings: list[str], widths: str, rows: list[list[str]]) -> list[str]:
    """
    @return: the lines of a table.
    """
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {widths}",
        "",
    ]
    for cells in [headings, *rows]:
        for number, cell in enumerate(cells):
            bullet = "   * - " if not number else "     - "
            lines.append((bullet + cell).rstrip())
    return [*lines, ""]


def section(title: str, kinds: list[Kind]) -> list[str]:
    """
    @return: the lines of a section about some events.
    """
    headings = ["kind", "level", "when, and the sentence", "fields"]
    rows = [row(kind) for kind in kinds]
    return [title, "-" * len(title), "", *table(headings, "14 11 50 25", rows)]


def page(former: str) -> str:
    """
    @param former: the page as it is.

    @return: the page with new tables.
    """
    ours = [kind for kind in KINDS.values() if kind.namespace == CLIENT]
    command = [kind for kind in KINDS.values() if kind.namespace.endswith(".command")]
    others = [kind for kind in KINDS.values() if kind not in ours + command]
    common = ", ".join(f"``{field}``" for field in ("kind", *COMMON))
    fields = [[f"``{name}``", literal(text)] for name, text in FIELDS.items()]
    title = "Fields"
    lines = [
        former.partition(MARKER)[0] + MARKER,
        *section("Events of clients", ours),
        f"All of them also have the fields {common}.",
        "",
        *section("Events of other parts", others),
        *section("Messages of the command", command),
        title,
        "-" * len(title),
        "",
        *table(["field", "meaning"], "15 85", fields),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
