"""
C{--client}: the user's own callbacks.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from traceback import extract_tb
from typing import Any

from twisted.python import usage

from .. import ClientTCPFactory
from .._client.callbacks import CALLBACKS, isHandler
from ..errors import nameOf
from .options import Options


def clientFrom(options: Options, reactor: Any) -> ClientTCPFactory:
    """
    Make the client that C{--client} asks for.

    @raise usage.UsageError: if there is none; it names the module and the reason.
    @raise SystemExit: if the client does not accept the other options.
    """
    name: str = options["client"]
    found = load(name)
    if isinstance(found, ClientTCPFactory):
        options.exclude(f"--client {name} is a whole client", but="client")
        return found
    if isinstance(found, type):
        if issubclass(found, ClientTCPFactory):
            return options.client(found)
        found = _called(name, found)
    if isHandler(found, ClientTCPFactory):
        return options.client(handler=found)
    if not callable(found):
        raise usage.UsageError(
            f"--client {name} has no method with the name of a callback "
            f"({', '.join(CALLBACKS)}), and is not a function that makes a client"
        )
    made = _called(name, found, reactor, options)
    if not isinstance(made, ClientTCPFactory):
        raise usage.UsageError(
            f"--client {name} must return a ClientTCPFactory, such as "
            f"options.client(serverInput=...), not {made!r:.60}"
        )
    return made


def load(name: str) -> Any:
    """
    @param name: C{package.module:object}, or a module alone.

    @return: the object.

    @raise usage.UsageError: if there is no such thing.
    """
    moduleName, _, path = name.partition(":")
    if "" not in sys.path and os.getcwd() not in sys.path:
        # As python -m has it.
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = import_module(moduleName)
    except ModuleNotFoundError as error:
        if not f"{moduleName}.".startswith(f"{error.name}."):
            raise _failed(f"{moduleName} cannot be imported", error) from error
        raise usage.UsageError(
            f"--client {name}: there is no module {error.name} in {os.getcwd()} or on "
            "Python's path"
        ) from error
    except Exception as error:
        raise _failed(f"{moduleName} cannot be imported", error) from error
    for part in path.split(".") if path else ():
        if not hasattr(found, part):
            raise usage.UsageError(f"--client {name}: {moduleName} has no {path}")
        found = getattr(found, part)
    return found


def _called(name: str, function: Any, *args: Any) -> Any:
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
