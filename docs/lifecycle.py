"""
Draws the lifecycle, and writes it as a table, from the table the machine is built of::

    $ python docs/lifecycle.py

writes C{lifecycle.svg} and C{states.rst} beside this file. It needs Graphviz (C{dot}).
The picture keeps the text that it was drawn from, so a test can tell without Graphviz
whether it is up to date.
"""

from __future__ import annotations

import inspect
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape, unescape

from twisted_clienttcp._client.lifecycle import TABLE, Lifecycle, Phase

HERE = Path(__file__).parent
PICTURE = HERE / "lifecycle.svg"
PAGE = HERE / "states.rst"

#: The way of a client for which all goes well, drawn as a straight line.
SPINE = (
    Phase.STOPPED,
    Phase.WAITING,
    Phase.CONNECTING,
    Phase.NEGOTIATING,
    Phase.CONNECTED,
    Phase.DRAINING,
)

REQUEST = "#1f5fa8"
EVENT = "#444444"

PREAMBLE = f"""\
digraph lifecycle {{
  graph [bgcolor=white, pad=0.2, nodesep=0.6, ranksep=0.5];
  node [shape=box, style="rounded,filled", fillcolor="#eef3f8", color="{EVENT}",
        fontname=Helvetica, fontsize=11, fontcolor="{EVENT}", margin="0.2,0.1"];
  edge [color="{EVENT}", fontcolor="{EVENT}", fontname=Helvetica, fontsize=11,
        arrowsize=0.7];
"""


def isRequest(name: str) -> bool:
    """
    @return: True if this input is a request of the user, False if it is an event.
    """
    return name in ("start", "reconnect", "shutdown")


def inputs() -> list[str]:
    """
    @return: the names of all inputs.
    """
    return [
        name
        for name, value in vars(Lifecycle).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]


def arrows() -> dict[tuple[Phase, Phase], list[str]]:
    """
    @return: the inputs that lead from one phase to another, by these two. What can
        happen to a client that was never started is what can happen to one that has
        stopped, so both are one.
    """
    found: dict[tuple[Phase, Phase], list[str]] = {}
    for source, given, target, _ in TABLE:
        if source is not Phase.IDLE:
            found.setdefault((source, target), []).append(given.__name__)
    idle = [row[1:] for row in TABLE if row[0] is Phase.IDLE]
    if idle != [row[1:] for row in TABLE if row[0] is Phase.STOPPED]:
        raise AssertionError("idle and stopped differ: draw them apart")
    return found


def words(names: list[str]) -> list[str]:
    """
    @return: these inputs as a picture shows them: requests are blue.
    """
    return [
        f'<FONT COLOR="{REQUEST}"><B>{name}</B></FONT>' if isRequest(name) else name
        for name in names
    ]


def label(names: list[str]) -> str:
    """
    @return: these inputs as the label of an arrow, a little apart from it.
    """
    return "<BR/>".join(f"&#160; {word} &#160;" for word in words(names))


def box(phase: Phase, staying: list[str]) -> str:
    """
    @return: a phase as the label of its box, with the inputs that do not leave it.
    """
    text = f'<FONT POINT-SIZE="15"><B>{phase.value}</B></FONT>'
    if phase is Phase.STOPPED:
        text += "<BR/>before the first start: idle"
    if staying:
        text += "<BR/>stays at " + ", ".join(words(staying))
    return text


def dot() -> str:
    """
    @return: the picture in Graphviz's language.
    """
    lines = [PREAMBLE]
    leading = arrows()
    for phase in SPINE:
        text = box(phase, leading.pop((phase, phase), []))
        lines.append(f"  {phase.value} [label=<{text}>];\n")
    spine = set(pairwise(SPINE))
    for (source, target), names in leading.items():
        straight = ", weight=50" if (source, target) in spine else ""
        lines.append(
            f"  {source.value} -> {target.value} [label=<{label(names)}>{straight}];\n"
        )
    lines.append("}\n")
    return "".join(lines)


def draw(text: str) -> str:
    """
    @return: the picture, with the text it was drawn from.
    """
    svg = subprocess.run(
        ["dot", "-Tsvg"], input=text, capture_output=True, check=True, text=True
    ).stdout
    start = svg.index("<g id=")
    return (
        svg[:start]
        + "<title>The lifecycle of a client</title>\n"
        + f"<metadata>{escape(text)}</metadata>\n"
        + svg[start:]
    )


def drawnFrom(svg: str) -> str:
    """
    @return: the text that a picture of ours was drawn from.
    """
    found = re.search("<metadata>(.*)</metadata>", svg, re.DOTALL)
    return unescape(found[1]) if found else ""


def page() -> str:
    """
    @return: the table as a page.
    """
    cells = {
        (source, given.__name__): (target, act.__name__)
        for source, given, target, act in TABLE
    }
    lines = [
        ".. Written by lifecycle.py; do not edit.",
        "",
        "The lifecycle",
        "=============",
        "",
        "This is the state machine inside a client. :doc:`callbacks` shows a client",
        "as its users see it.",
        "",
        ".. image:: lifecycle.svg",
        "   :alt: The phases of a client, and what leads from one to the next",
        "",
        "Blue: your requests. Black: events.",
        "",
        "Phases",
        "------",
        "",
        ".. list-table::",
        "   :widths: 20 80",
        "",
    ]
    for phase, text in phases().items():
        lines += [f"   * - {phase.value}", f"     - {text}"]
    lines += ["", "Inputs", "------", "", ".. list-table::", "   :widths: 20 80", ""]
    for name in inputs():
        text = markup(inspect.getdoc(getattr(Lifecycle, name)) or "")
        lines += [f"   * - {name}", f"     - {text}"]
    lines += [
        "",
        "What leads where",
        "----------------",
        "",
        "An input that has no row for a phase changes nothing. The last column names",
        "the method of the class ``Lifecycle`` that performs the action.",
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "   :widths: 20 20 20 40",
        "",
        "   * - in phase",
        "     - at input",
        "     - go to",
        "     - and",
    ]
    for phase in Phase:
        for name in inputs():
            if (phase, name) in cells:
                target, act = cells[phase, name]
                same = "the same" if target is phase else target.value
                lines += [f"   * - {phase.value}", f"     - {name}", f"     - {same}"]
                lines += [f"     - {act.lstrip('_')}"]
    return "\n".join([*lines, ""])


def phases() -> dict[Phase, str]:
    """
    @return: what each phase means, in the words of the comment above it.
    """
    comments = re.findall(r'#: (.*)\n    (\w+) = "', inspect.getsource(Phase))
    return {Phase[name]: markup(text) for text, name in comments}


def markup(epytext: str) -> str:
    """
    @return: a sentence of a docstring in the markup of a page.
    """
    text = " ".join(epytext.split())
    return re.sub(r"[CL]\{([^}]*)\}", r"``\1``", text[:1].upper() + text[1:])


def main() -> None:
    """
    Write the picture and the page.
    """
    PICTURE.write_text(draw(dot()))
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
