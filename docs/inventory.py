"""
Where the docstrings' references to Twisted and to Python lead to.

Sphinx and pydoctor would ask the network for that. Here the references themselves are
gathered and looked up in what is installed: so the documents can be built anywhere, and
a reference to what does not exist is found.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent / "twisted_clienttcp"
TWISTED = "https://docs.twisted.org/en/stable/api/"
PYTHON = "https://docs.python.org/3/library/"


def references() -> set[str]:
    """
    @return: the targets of all references in our docstrings; what a module imports is
        called by its full name.
    """
    found = set()
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text()
        imported = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.ImportFrom) and not node.level
            for alias in node.names
        }
        for text in re.findall(r"L\{([^}]*)\}", source):
            target = re.sub(r"^.*<(.*)>$", r"\1", re.sub(r"\s", "", text))
            found.add(imported.get(target, target))
    return found


def lookUp(name: str) -> Any:
    """
    @return: what has that dotted name.

    @raise LookupError: if there is nothing.
    """
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:length]))
            for part in parts[length:]:
                found = getattr(found, part)
        except (ImportError, AttributeError):
            continue
        return found
    raise LookupError(name)


def twistedPage(name: str, thing: Any) -> str:
    """
    @return: where pydoctor puts what Twisted calls by that name.
    """
    if inspect.ismodule(thing) or inspect.isclass(thing):
        return f"{name}.html"
    parent, _, own = name.rpartition(".")
    return f"{parent}.html#{own}"


def pythonPage(name: str, thing: Any) -> str:
    """
    @return: where the library reference of Python puts it.
    """
    if inspect.ismodule(thing):
        return f"{name}.html#module-{name}"
    if not hasattr(builtins, name):
        return f"{name.rpartition('.')[0]}.html#{name}"
    if not inspect.isclass(thing):
        return f"functions.html#{name}"
    kind = "exceptions" if issubclass(thing, BaseException) else "stdtypes"
    return f"{kind}.html#{name}"


def entries() -> dict[str, dict[str, str]]:
    """
    @return: by site: the page of each name that is referred to.
    """
    found: dict[str, dict[str, str]] = {TWISTED: {}, PYTHON: {}}
    for name in sorted(references()):
        root = name.partition(".")[0]
        try:
            thing = getattr(builtins, name, None) or lookUp(name)
        except LookupError:
            # One of ours: pydoctor says if not.
            continue
        if root == "twisted":
            found[TWISTED][name] = twistedPage(name, thing)
        elif root != "twisted_clienttcp":
            found[PYTHON][name] = pythonPage(name, thing)
    return found


def arguments(folder: Path) -> list[str]:
    """
    Write the inventories.

    @return: the arguments with which pydoctor uses them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number, (site, pages) in enumerate(entries().items()):
        path = folder / f"{number}.inv"
        lines = "".join(f"{name} py:class 1 {at} -\n" for name, at in pages.items())
        path.write_bytes(
            b"# Sphinx inventory version 2\n# Project: others\n# Version: 0\n"
            b"# The remainder of this file is compressed using zlib.\n"
            + zlib.compress(lines.encode())
        )
        made.append(f"--intersphinx-file={path}::{site}")
    return made
