"""
The programs in the documents.

The visible Python blocks of one section are one program, C{program.py}. A block with a
C{:caption:} is a file of its own, which has that name and which the others can import.

A block that the reader does not see (a comment, C{.. invisible-code-block: python})
calls a program that does nothing by itself. It is a separate module: it imports what it
needs from the program, and cannot define a name for it.

Text under a sentence that ends in C{prints::} is the output of the program. If the
sentence ends in C{prints, until it is interrupted::}, the program does not end by
itself. Blocks that start with a prompt are doctests.
"""

from __future__ import annotations

import builtins
import re
import symtable
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: All documents.
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.rst"),
        *(path for path in ROOT.glob("docs/**/*.rst") if "_build" not in path.parts),
    ]
)

#: The guides about attempts that fail.
GUIDE = ROOT / "docs" / "howto" / "connecting.rst"
PROXIES = ROOT / "docs" / "howto" / "proxies.rst"

#: The messages in the first one that depend on the network of the machine. They are
#: produced by C{tests.network.test_outages}.
ROUTES = [
    "cannot connect: Cannot assign requested address",
    "cannot connect: Network is unreachable",
    "cannot connect: No route to host",
    "cannot connect: Permission denied",
    "cannot resolve the name: Temporary failure in name resolution",
]

#: The files of a program: its visible and its invisible code.
PROGRAM = "program.py"
SCENE = "scene.py"

_BLOCK = re.compile(r"( *)\.\. (code-block::|invisible-code-block:) python$")
_CAPTION = re.compile(r" *:caption: (\S+)$")
_OUTPUT = re.compile(r"( *)\S.*prints(, until it is interrupted)?::$")
_RULE = re.compile(r"([=\-~^\"'])\1{2,}$")


@dataclass
class Program:
    """
    The code of one section.

    @ivar line: the line of its first block.
    @ivar output: what it prints; None if the document does not say.
    @ivar endless: True if it does not end by itself.
    """

    path: Path
    line: int = 0
    output: str | None = None
    endless: bool = False
    _code: dict[str, dict[int, str]] = field(default_factory=dict)

    def add(self, name: str, code: dict[int, str]) -> None:
        """
        Add a block to a file.

        @param code: the lines that are not empty, by their numbers in the document.
        """
        self._code.setdefault(name, {}).update(code)
        self.line = self.line or min(code)

    @property
    def files(self) -> dict[str, str]:
        """
        The source of each file, with each line at the number that it has in the
        document.
        """
        return {
            name: "".join(f"{code.get(at, '')}\n" for at in range(1, max(code) + 1))
            for name, code in self._code.items()
        }

    @property
    def main(self) -> str:
        """
        The file to run: the invisible code if there is any, or the program, or the last
        file.
        """
        names = [name for name in (SCENE, PROGRAM) if name in self._code]
        return names[0] if names else list(self._code)[-1]

    def undefined(self) -> list[str]:
        """
        @return: the names that the visible files use and do not define.
        """
        return [
            f"{name}: {undefined}"
            for name, source in self.files.items()
            if name != SCENE
            for undefined in undefinedNames(source)
        ]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}, line {self.line}"


def undefinedNames(source: str) -> list[str]:
    """
    @return: the global names that a module uses and neither defines nor imports, also
        in functions that are never called.
    """
    module = symtable.symtable(source, "<source>", "exec")
    scopes = [module]
    for scope in scopes:
        scopes += scope.get_children()
    symbols = [
        (symbol, scope is module) for scope in scopes for symbol in scope.get_symbols()
    ]
    defined = {
        symbol.get_name()
        for symbol, isGlobal in symbols
        if (isGlobal or symbol.is_declared_global())
        and (symbol.is_assigned() or symbol.is_imported())
    }
    used = {
        symbol.get_name()
        for symbol, isGlobal in symbols
        if symbol.is_referenced() and (isGlobal or symbol.is_global())
    }
    return sorted(used - defined - {*vars(builtins), "__file__"})


def _body(lines: list[str], start: int, indent: int) -> tuple[int, list[str]]:
    """
    @return: the index of the first line of a directive's body, and its lines without
        their indentation.
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
    for index, line in enumerate(lines):
        if _RULE.match(line) and index and lines[index - 1].strip():
            found.append(Program(path))
        elif block := _BLOCK.match(line):
            first, body = _body(lines, index + 1, len(block[1]))
            if "\n".join(body).strip().startswith(">>>"):
                continue
            caption = _CAPTION.match(lines[index + 1])
            if block[2] == "invisible-code-block:":
                name = SCENE
            else:
                name = caption[1] if caption else PROGRAM
            found[-1].add(
                name,
                {first + 1 + more: text for more, text in enumerate(body) if text},
            )
        elif output := _OUTPUT.match(line):
            _, body = _body(lines, index + 1, len(output[1]))
            text = "\n".join(body).strip("\n") + "\n"
            found[-1].output = (found[-1].output or "") + text
            found[-1].endless = bool(output[2])
    return [program for program in found if program.line]


def blocks(path: Path, language: str) -> list[str]:
    """
    @return: the visible code blocks of a document that are in this language.
    """
    lines = path.read_text().split("\n")
    return [
        "\n".join(_body(lines, number + 1, 0)[1]).strip("\n") + "\n"
        for number, line in enumerate(lines)
        if line == f".. code-block:: {language}"
    ]


def terms(path: Path) -> list[str]:
    """
    @return: the terms of a document's definition lists that are literals.
    """
    return re.findall(r"(?m)^``(.+)``\n +\S", path.read_text())


def fits(text: str, quoted: str) -> bool:
    """
    @return: True if a message is the quoted one, in which C{...} means any text.
    """
    pattern = ".*".join(map(re.escape, quoted.split("...")))
    return re.fullmatch(pattern, text) is not None


def table(path: Path, heading: str) -> list[list[str]]:
    """
    @param heading: the text of the first cell in the row of headings.

    @return: the other rows of a C{list-table}: the text of each cell.
    """
    _, _, body = path.read_text().partition(f"   * - {heading}\n")
    rows: list[list[str]] = []
    for line in body.partition("\n\n")[0].split("\n"):
        if line.startswith("   * - "):
            rows.append([line[7:]])
        elif line.startswith("     -") and rows:
            rows[-1].append(line[7:])
        elif rows:
            rows[-1][-1] += f" {line.strip()}"
    return rows
