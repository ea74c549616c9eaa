"""
C{--client}: the user's own callbacks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from traceback import extract_tb

from twisted.python import usage

from .. import ClientTCPFactory
from .._client.callbacks import CALLBACKS
from .._client.handler import isHandler
from ..errors import nameOf
from .options import Options
from .table import allBut


def clientFrom(options: Options, reactor: object) -> ClientTCPFactory:
    """
    Create the client that C{--client} describes.

    @raise usage.UsageError: if the object cannot be loaded, is not a client, or raises
        an exception. The message names the module and the reason.
    @raise SystemExit: if the client rejects another option.
    """
    name: str = options["client"]
    found = _load(name)
    if isinstance(found, ClientTCPFactory):
        options.exclude(f"--client {name} is a complete client:", allBut("client"))
        return found
    if isinstance(found, type):
        if issubclass(found, ClientTCPFactory):
            return options.client(found)
        found = _called(name, found)
    if isHandler(found, ClientTCPFactory):
        return options.client(handler=found)
    if not callable(found):
        raise usage.UsageError(
            f"--client {name} must have a method with the name of a callback "
            f"({', '.join(CALLBACKS)}), or be a function that returns a client"
        )
    made = _called(name, found, reactor, options)
    if not isinstance(made, ClientTCPFactory):
        raise usage.UsageError(
            f"--client {name} must return a ClientTCPFactory, such as "
            f"options.client(serverInput=...), not {made!r:.60}"
        )
    return made


def _load(name: str) -> object:
    """
    @param name: C{package.module:object}, or a module alone.

    @return: the object or the module.

    @raise usage.UsageError: if there is no such object, or the import fails.
    """
    moduleName, _, path = name.partition(":")
    if "" not in sys.path and os.getcwd() not in sys.path:
        # As python -m does.
        sys.path.insert(0, os.getcwd())
    try:
        found: object = import_module(moduleName)
    except Exception as error:
        missing = f"{error.name}." if isinstance(error, ModuleNotFoundError) else ""
        if missing and f"{moduleName}.".startswith(missing):
            raise usage.UsageError(
                f"--client {name}: there is no module {missing[:-1]} in {os.getcwd()} "
                "or on Python's path"
            ) from error
        raise _failed(f"{moduleName} cannot be imported", error) from error
    for part in path.split(".") if path else ():
        if not hasattr(found, part):
            raise usage.UsageError(
                f"--client {name}: {moduleName} has no attribute {path}"
            )
        found = getattr(found, part)
    return found


def _called(name: str, function: Callable[..., object], *args: object) -> object:
    try:
        return function(*args)
    except Exception as error:
        raise _failed(name, error) from error


def _failed(what: str, error: Exception) -> usage.UsageError:
    last = extract_tb(error.__traceback__)[-1]
    where = ""
    if last.filename != __file__ and not last.filename.startswith("<"):
        where = f" ({last.filename}, line {last.lineno})"
    return usage.UsageError(f"--client: {what}: {nameOf(error)}{where}")
