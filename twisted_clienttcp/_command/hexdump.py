"""
C{--hex-dump}: the wire log of the command.
"""

from __future__ import annotations

import os

from twisted.python.usage import UsageError

from .._connection.reading import LARGE_READ
from .._logevents import WIRE_ENTRY
from ..wirelog import WireLog


def _warn(entry: str) -> None:
    WIRE_ENTRY.log(WireLog, {"entry": entry})


def wireLogTo(path: str) -> WireLog:
    """
    Create a wire log that shows all bytes except those that it masks by default.

    @param path: the file to append to; C{-} to log to the messages of the command.

    @raise UsageError: if the file cannot be opened.
    """
    if path == "-":
        return WireLog(_warn, limit=LARGE_READ)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(
            f"--hex-dump: {path!r} cannot be opened: {error.strerror}"
        ) from error

    def write(entry: str) -> None:
        data = f"{entry}\n".encode("ascii")
        while data:
            data = data[os.write(descriptor, data) :]

    return WireLog(write, limit=LARGE_READ)
