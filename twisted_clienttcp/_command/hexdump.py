"""
C{--hex-dump}: the wire log of the command.
"""

from __future__ import annotations

import os

from twisted.logger import Logger
from twisted.python.usage import UsageError

from .._connection.reading import LARGE_READ
from ..wirelog import WireLog

_log = Logger()


def _warn(entry: str) -> None:
    # Messages below the level of a warning would be shown only with --verbose.
    _log.warn("{entry}", entry=entry)


def wireLogTo(path: str) -> WireLog:
    """
    Create a wire log that shows every byte, except those of a login.

    @param path: a file, to which the log is appended; C{-} for the messages of the
        command.

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
