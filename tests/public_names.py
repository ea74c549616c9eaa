"""
The public names of the package, one a line::

    python -m tests.public_names

A name is a module (C{retry}), a class or a function (C{retry.exponential}), an
attribute of a class (C{framing.Line.encode}), a parameter (C{framing.Line(encoding)}),
or an option of the command (C{clienttcp --tls}). C{tests/docs/public_names_0_1.txt} is
what this printed for version 0.1.0; C{tests/docs/test_news.py} compares it with the
present version.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from inspect import isfunction
from types import ModuleType
from typing import Any

import twisted_clienttcp
from twisted_clienttcp.tap import Options

PACKAGE = twisted_clienttcp.__name__

#: Public attributes whose class has no public name: where that class is.
REACHED = {"ClientTCPFactory.stats": ("_stats", "Stats")}


def modules() -> Iterator[tuple[str, ModuleType]]:
    """
    @return: the prefix of the names of each public module, and the module.
    """
    yield "", twisted_clienttcp
    for found in pkgutil.iter_modules(twisted_clienttcp.__path__):
        if not found.name.startswith("_"):
            module = importlib.import_module(f"{PACKAGE}.{found.name}")
            yield f"{found.name}.", module


def exported(module: ModuleType) -> Iterable[str]:
    """
    @return: the names that a module has for its users: C{__all__}, or what it defines.
    """
    defined = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
    ]
    return getattr(module, "__all__", defined)


def parameters(path: str, function: Any) -> Iterator[str]:
    """
    @return: the names of a function's parameters.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    for name in signature.parameters:
        if name not in ("self", "cls") and not name.startswith("_"):
            yield f"{path}({name})"


def attributesOf(cls: type, inherited: bool) -> set[str]:
    """
    @return: the public attributes of a class and its instances.
    """
    found = {*dir(cls)} if inherited else set()
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] != PACKAGE:
            continue
        found.update(vars(base), getattr(base, "__annotations__", ()))
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id == "self"
            ):
                found.add(node.attr)
    return {name for name in found if not name.startswith("_")}


def ofClass(path: str, cls: type, inherited: bool) -> Iterator[str]:
    """
    @return: the parameters of a class, its attributes, and their parameters.
    """
    # Python 3.10 takes those of an inherited __new__, which accepts anything.
    constructor = inspect.getattr_static(cls, "__init__")
    yield from parameters(path, constructor if isfunction(constructor) else cls)
    for name in attributesOf(cls, inherited):
        yield f"{path}.{name}"
        value = getattr(cls, name, None)
        if callable(value) and not inspect.isclass(value):
            yield from parameters(f"{path}.{name}", value)


def names(inherited: bool = False) -> set[str]:
    """
    @param inherited: True to add attributes that classes inherit from other packages.

    @return: every public name.
    """
    found: set[str] = set()
    for prefix, module in modules():
        if prefix:
            found.add(prefix.rstrip("."))
        for name in exported(module):
            value, path = getattr(module, name), prefix + name
            found.add(path)
            if inspect.isclass(value):
                found.update(ofClass(path, value, inherited))
            elif callable(value):
                found.update(parameters(path, value))
    for path, (moduleName, className) in REACHED.items():
        module = importlib.import_module(f"{PACKAGE}.{moduleName}")
        attributes = attributesOf(getattr(module, className), inherited)
        found.update(f"{path}.{name}" for name in attributes)
    options: Any = Options()
    found.update(f"clienttcp --{name.rstrip('=')}" for name in options.longOpt)
    found.update(f"clienttcp -{name}" for name in options.shortOpt.replace(":", ""))
    return found


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}\n" for name in sorted(names()))
