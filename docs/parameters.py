"""
Write the lists of C{parameters.rst} from the table of settings::

    $ python docs/parameters.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted_clienttcp._client.settings import DOCUMENTATION, GROUPS, NEVER, SETTINGS

PAGE = Path(__file__).parent / "parameters.rst"

#: Everything behind this line is generated.
MARKER = ".. Written by parameters.py from here to the end; do not edit.\n"


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


def entry(name: str) -> list[str]:
    """
    @return: the lines about a setting.
    """
    setting = SETTINGS[name]
    facts = {
        "Values": setting.kind,
        "Default": f"``{shown(setting.default)}``",
        "A later change takes effect": setting.later,
        "In POE": setting.poe,
    }
    if setting.later == NEVER:
        facts["A later change takes effect"] = ""
        facts["After the creation"] = setting.later
    line = " · ".join(f"*{title}:* {said}" for title, said in facts.items() if said)
    return [f"``{name}``", f"    {literal(DOCUMENTATION[name])}", "", f"    {line}", ""]


def page(former: str) -> str:
    """
    @param former: the page as it is.

    @return: the page with new lists.
    """
    lines = [former.partition(MARKER)[0] + MARKER]
    for title, names in GROUPS.items():
        lines += [title, "-" * len(title), ""]
        lines += [line for name in names for line in entry(name)]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
