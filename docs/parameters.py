"""
Write the tables of C{parameters.rst} from the table of settings::

    $ python docs/parameters.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted_clienttcp._client.settings import DOCUMENTATION, GROUPS, SETTINGS

PAGE = Path(__file__).parent / "parameters.rst"

#: Everything behind this line is generated.
MARKER = ".. Written by parameters.py from here to the end; do not edit.\n"

HEADINGS = ("parameter", "values", "default", "meaning", "later change", "in POE")
WIDTHS = (16, 14, 9, 37, 13, 11)


def literal(epytext: str) -> str:
    """
    @return: the same text in reStructuredText, with a capital letter at its beginning.
    """
    text = re.sub(r"C\{((?:[^{}]|\{[^{}]*\})*)\}", r"``\1``", epytext)
    return text[0].upper() + text[1:]


def shown(default: Any) -> str:
    """
    @return: a default, as one would write it.
    """
    if isinstance(default, type):
        return default.__name__
    if isinstance(default, float):
        return f"{default:g}"
    return repr(default)


def row(name: str) -> list[str]:
    """
    @return: the cells of a setting.
    """
    setting = SETTINGS[name]
    return [
        f"``{name}``",
        setting.kind,
        f"``{shown(setting.default)}``",
        literal(DOCUMENTATION[name]),
        setting.later,
        setting.poe,
    ]


def table(rows: list[list[str]]) -> list[str]:
    """
    @return: the lines of a table.
    """
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {' '.join(map(str, WIDTHS))}",
        "",
    ]
    for cells in [list(HEADINGS), *rows]:
        for number, cell in enumerate(cells):
            bullet = "   * - " if not number else "     - "
            lines.append((bullet + cell).rstrip())
    return lines


def page(former: str) -> str:
    """
    @param former: the page as it is.

    @return: the page with new tables.
    """
    lines = [former.partition(MARKER)[0] + MARKER]
    for title, names in GROUPS.items():
        lines += [title, "-" * len(title), "", *table(list(map(row, names))), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
