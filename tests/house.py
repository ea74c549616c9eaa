"""
Measure the structure of the package, and compare it with the bounds of its design::

    python -m tests.house [--root PATH] [--details] [--check]

C{--root} measures another checkout, C{--details} lists what is counted, and C{--check}
exits with status 1 if a figure is worse than its limit in L{LIMITS}. L{RULES} say how
each figure is counted.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import NamedTuple

#: The final bound of each figure; None if it is only printed.
BOUNDS: dict[str, float | None] = {
    "largest module": 500,
    "largest class": 350,
    "underscored attributes": 39,
    "interfaces": 6,
    "interfaces with underscored members": 0,
    "calls: received line": 8,
    "calls: put to flushed": 16,
    "calls: lost connection to timer": 45,
    "code lines: framing": 1400,
    "code lines: client, connection, connecting": 3500,
    "code lines: command": 1400,
    "code lines: testing": None,
    "code lines: all": 6800,
    "Any per 1,000 code lines": 20,
}

#: The limits that C{--check} enforces. Where they are above the bounds, they are what
#: the package reached last: lower them with each improvement, down to the bounds.
LIMITS: dict[str, float] = {
    "largest module": 500,
    "underscored attributes": 39,
    "calls: received line": 8,
    "calls: put to flushed": 16,
    "calls: lost connection to timer": 45,
}

RULES = """\
Code lines: without docstrings, comments and blank lines. "client, connection,
    connecting" has every module that is in no other group.
Underscored attributes: each x._name, unless x is self, cls, super() or an imported
    module, or a class of the same module defines _name in its body or assigns it to
    self. The members of typing.Protocol classes are not definitions.
Interfaces: classes with typing.Protocol as a base.
Calls: the call events of sys.setprofile, of frames in the package without testing,
    comprehensions and generator expressions. A client with all callbacks is connected
    to a MemoryServer: it receives one line; puts one record and takes one turn of the
    reactor; and loses its connection by a reset, with a retry to follow. It has done
    each of these once before, so that caches are filled.
Any: each use of the name, and of AnyFraming, which is Framing[Any].
"""

PACKAGE = "twisted_clienttcp"

#: The modules of the command outside its subpackage. Version 0.1.0 had no subpackage.
COMMAND = {
    *("__main__", "demo", "tap"),
    *("_certificates", "_console", "_demo", "_handlers", "_options", "_progress"),
    *("_status", "_stdio", "_text"),
}

#: The frames that are not counted as calls.
COMPREHENSIONS = {"<dictcomp>", "<genexpr>", "<listcomp>", "<setcomp>"}


class Place(NamedTuple):
    """
    Something that is counted: where it is, what it is, and its code lines, if any.
    """

    file: str
    line: int
    what: str
    size: int = 0


class Module:
    """
    A module of the package.

    @ivar name: its path in the package, without the suffix.
    @ivar lines: the numbers of its code lines.
    """

    def __init__(self, path: Path, package: Path) -> None:
        self.name = path.relative_to(package).with_suffix("").as_posix()
        source = path.read_text()
        self.tree = ast.parse(source)
        self.lines = codeLines(source, self.tree)
        self.classes = [n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef)]

    @property
    def group(self) -> str:
        """
        The group in which its code lines are counted.
        """
        first = self.name.partition("/")[0]
        if first in ("framing", "testing"):
            return first
        isCommand = first == "_command" or first in COMMAND
        return "command" if isCommand else "client, connection, connecting"

    def place(self, node: ast.AST, what: str, size: int = 0) -> Place:
        """
        @return: the place of a node.
        """
        line = getattr(node, "lineno", 1)
        return Place(f"{PACKAGE}/{self.name}.py", line, what, size)

    def sized(self) -> Iterator[Place]:
        """
        @return: its classes with their code lines.
        """
        for node in self.classes:
            inside = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            yield self.place(node, node.name, len(self.lines.intersection(inside)))

    def interfaces(self) -> list[ast.ClassDef]:
        """
        @return: the classes with C{typing.Protocol} as a base.
        """
        names = {"typing.Protocol"} | {
            alias.asname or alias.name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom) and node.module == "typing"
            for alias in node.names
            if alias.name == "Protocol"
        }
        return [
            node
            for node in self.classes
            if any(ast.unparse(base).partition("[")[0] in names for base in node.bases)
        ]

    def underscored(self) -> Iterator[Place]:
        """
        @return: the uses of other modules' underscored attributes.
        """
        own = {"self", "cls", "super()", *self._modules()}
        defined = self._definitions()
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.Attribute)
                and isPrivate(node.attr)
                and node.attr not in defined
                and ast.unparse(node.value) not in own
            ):
                yield self.place(node, ast.unparse(node))

    def _modules(self) -> Iterator[str]:
        """
        @return: the names under which modules are imported.
        """
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import) or (
                isinstance(node, ast.ImportFrom) and node.module is None
            ):
                for alias in node.names:
                    yield alias.asname or alias.name

    def _definitions(self) -> set[str]:
        """
        @return: the attributes that its classes have, except interfaces.
        """
        found: set[str] = set()
        interfaces = self.interfaces()
        for kind in self.classes:
            if kind in interfaces:
                continue
            for statement in kind.body:
                found |= members(statement)
            for node in ast.walk(kind):
                if (
                    isinstance(node, ast.Attribute)
                    and isinstance(node.ctx, ast.Store)
                    and ast.unparse(node.value) == "self"
                ):
                    found.add(node.attr)
        return found


def codeLines(source: str, tree: ast.Module) -> set[int]:
    """
    @return: the numbers of the lines that have code.
    """
    ignored = {
        *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
        *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in ignored:
            lines.update(range(token.start[0], token.end[0] + 1))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            first = node.body[0]
            lines -= set(range(first.lineno, (first.end_lineno or 0) + 1))
    return lines


def isPrivate(name: str) -> bool:
    """
    @return: True for an underscored name that is not a special one.
    """
    return name.startswith("_") and not name.endswith("__")


def members(node: ast.stmt) -> set[str]:
    """
    @return: the names that a statement in the body of a class defines.
    """
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return {
        name.id for t in targets for name in ast.walk(t) if isinstance(name, ast.Name)
    }


class House(NamedTuple):
    """
    A measured package: each figure, and the places that it counts.
    """

    figures: dict[str, float]
    places: dict[str, list[Place]]


def measure(root: Path) -> House:
    """
    Measure the source of a checkout.
    """
    package = root / PACKAGE
    modules = [Module(path, package) for path in sorted(package.rglob("*.py"))]
    sizes = [m.place(m.tree, m.name, len(m.lines)) for m in modules]
    classes = [place for module in modules for place in module.sized()]
    underscored = [
        place
        for module in modules
        for place in sorted(module.underscored(), key=lambda place: place.line)
    ]
    interfaces = [(m, node) for m in modules for node in m.interfaces()]
    private = [
        (module, node)
        for module, node in interfaces
        if any(isPrivate(name) for part in node.body for name in members(part))
    ]
    uses = sum(
        isinstance(node, ast.Name) and node.id in ("Any", "AnyFraming")
        for module in modules
        for node in ast.walk(module.tree)
    )
    total = sum(place.size for place in sizes)
    figures: dict[str, float] = {
        "largest module": max(place.size for place in sizes),
        "largest class": max((place.size for place in classes), default=0),
        "underscored attributes": len(underscored),
        "interfaces": len(interfaces),
        "interfaces with underscored members": len(private),
        "code lines: all": total,
        "Any per 1,000 code lines": round(1000 * uses / max(total, 1), 1),
    }
    for module in modules:
        title = f"code lines: {module.group}"
        figures[title] = figures.get(title, 0) + len(module.lines)
    places = {
        "modules of more than 500 code lines": [p for p in sizes if p.size > 500],
        "classes of more than 350 code lines": [p for p in classes if p.size > 350],
        "underscored attributes": underscored,
        "interfaces": [module.place(node, node.name) for module, node in interfaces],
    }
    return House(figures, places)


# -- calls, counted in a process of their own


def countCalls(folder: Path, action: Callable[[], object]) -> int:
    """
    @return: the number of calls of functions whose source is in a folder.
    """
    found: list[CodeType] = []

    def note(frame: object, event: str, argument: object) -> None:
        if event == "call":
            found.append(frame.f_code)  # type: ignore[attr-defined]

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return sum(
        folder in Path(code.co_filename).parents
        and Path(code.co_filename) != folder / "testing.py"
        and code.co_name not in COMPREHENSIONS
        for code in found
    )


def printCalls() -> None:
    """
    Print the calls of the package that this process imports.
    """
    import twisted_clienttcp
    from twisted_clienttcp import ClientTCPFactory
    from twisted_clienttcp.testing import MemoryServer

    def ignore(*args: object) -> None:
        pass

    client = ClientTCPFactory(
        remoteAddress="127.0.0.1",
        remotePort=7,
        connected=ignore,
        connectError=ignore,
        serverInput=ignore,
        serverError=ignore,
        serverFlushed=ignore,
        disconnected=ignore,
        stopped=ignore,
    )
    server = MemoryServer(client)
    server.accept()

    def put() -> None:
        client.put(b"record")
        server.advance(0)

    # Fill caches first.
    server.reset()
    server.advance(client.delay)
    server.accept()
    for _ in range(2):
        server.send(b"line\r\n")
        put()
    actions: dict[str, Callable[[], object]] = {
        "received line": lambda: server.send(b"line\r\n"),
        "put to flushed": put,
        "lost connection to timer": server.reset,
    }
    folder = Path(twisted_clienttcp.__file__).parent
    for name, action in actions.items():
        print(name, countCalls(folder, action), sep="=")


def measureCalls(root: Path) -> dict[str, float]:
    """
    @return: the number of calls of each kind in the package of a checkout.
    """
    # The process that counts runs this file outside of its package.
    from ._processes import completed

    done = completed(
        *(sys.executable, __file__, "--calls"), variables={"PYTHONPATH": str(root)}
    )
    if done.returncode:
        raise RuntimeError(f"the calls cannot be counted: {done.stderr}")
    pairs = (line.split("=") for line in done.stdout.splitlines())
    return {f"calls: {name}": float(number) for name, number in pairs}


# -- the command


def worse(figures: dict[str, float]) -> list[str]:
    """
    @return: a message for each figure that is over its limit.
    """
    return [
        f"{name}: {figures[name]:g}, but at most {limit:g} are allowed"
        for name, limit in LIMITS.items()
        if figures[name] > limit
    ]


def main(arguments: list[str] | None = None) -> int:
    """
    @return: the exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.house")
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--details", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--calls", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.calls:
        printCalls()
        return 0
    root = given.root.resolve()
    figures, places = measure(root)
    figures.update(measureCalls(root))
    print(f"{'measure':<44}{'now':>8}{'bound':>8}{'limit':>8}")
    for name, bound in BOUNDS.items():
        figure = figures.get(name, 0)
        columns = (f"{x:g}" if x is not None else "" for x in (bound, LIMITS.get(name)))
        print(f"{name:<44}{figure:>8g}" + "".join(f"{text:>8}" for text in columns))
    print(f"\n{RULES}", end="")
    if given.details:
        for name, found in places.items():
            print(f"\n{name}:")
            for file, line, what, size in found:
                print(f"  {file}:{line}  {what}" + (f"  {size}" if size else ""))
    problems = worse(figures) if given.check else []
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
