"""
What a document holds that can be run.

The Python code blocks of one section are one program, together with blocks that the
reader does not see (comments, C{.. invisible-code-block: python}): what sets the scene
for an extract. What stands under a sentence that ends in C{prints::}, or in C{prints,
until it is interrupted::}, is what the program prints. Blocks that begin with a prompt
are doctests.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: Everything that is written for people.
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.rst"),
        *(path for path in ROOT.glob("docs/**/*.rst") if "_build" not in path.parts),
    ]
)

_BLOCK = re.compile(r"( *)\.\. (code-block:|invisible-code-block): python$")
_OUTPUT = re.compile(r"( *)\S.*prints(, until it is interrupted)?::$")
_RULE = re.compile(r"([=\-~^\"'])\1{2,}$")


@dataclass
class Program:
    """
    The code of one section.

    @ivar line: where it begins.
    @ivar source: the code, each line at the number it has in the document.
    @ivar output: what it prints; None if the document does not say.
    @ivar endless: it goes on after that.
    """

    path: Path
    line: int = 0
    output: str | None = None
    endless: bool = False
    code: dict[int, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        last = max(self.code)
        return "".join(f"{self.code.get(at, '')}\n" for at in range(last + 1))

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}, line {self.line}"


def _body(lines: list[str], start: int, indent: int) -> tuple[int, list[str]]:
    """
    @return: where the body of a directive begins, and its lines without their
        indentation.
    """
    at = start
    while at < len(lines) and lines[at].strip().startswith(":"):
        at += 1
    end = at
    while end < len(lines) and (
        not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent
    ):
        end += 1
    return at, textwrap.dedent("\n".join(lines[at:end])).split("\n")


def programs(path: Path) -> list[Program]:
    """
    @return: the programs of a document.
    """
    lines = path.read_text().split("\n")
    found = [Program(path)]
    for number, line in enumerate(lines):
        if _RULE.match(line) and number and lines[number - 1].strip():
            found.append(Program(path))
        elif block := _BLOCK.match(line):
            at, body = _body(lines, number + 1, len(block[1]))
            if "\n".join(body).strip().startswith(">>>"):
                continue
            found[-1].line = found[-1].line or number + 1
            found[-1].code.update(
                {at + more: text for more, text in enumerate(body) if text}
            )
        elif output := _OUTPUT.match(line):
            _, body = _body(lines, number + 1, len(output[1]))
            text = "\n".join(body).strip("\n") + "\n"
            found[-1].output = (found[-1].output or "") + text
            found[-1].endless = bool(output[2])
    return [program for program in found if program.code]


def blocks(path: Path, language: str) -> list[str]:
    """
    @return: the code blocks of a document in that language, that the reader sees.
    """
    lines = path.read_text().split("\n")
    return [
        "\n".join(_body(lines, number + 1, 0)[1]).strip("\n") + "\n"
        for number, line in enumerate(lines)
        if line == f".. code-block:: {language}"
    ]
