"""
Failures, as POE tells them.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import NamedTuple

from twisted.internet import error
from twisted.python.failure import Failure

from .errors import ClientTCPError


class LostWhileWriting(error.ConnectionLost):
    """
    The connection was lost while nothing was read from it, so it was a write that
    found out.
    """

    operation = "write"


class ConnectTimeout(error.TimeoutError):
    """
    An attempt has taken longer than it may. The text names the deadline.
    """

    def __init__(self, text: str) -> None:
        super().__init__(string=text)  # type: ignore[no-untyped-call]

    def __str__(self) -> str:
        # Twisted's own says only that the user has limited the time.
        text: str = self.args[0]
        return text


class ErrorDetails(NamedTuple):
    """
    What POE gives its ConnectError and ServerError callbacks.

    @ivar operation: what failed: "connect", "bind", "getaddrinfo", "preconnect",
        "read", "write", "framing", "callback"...
    @ivar errno: the operating system's error number; 0 for a clean end of stream.
        For "getaddrinfo" it is the resolver's (an C{EAI_} constant).
    @ivar text: the error in words; empty for a clean end of stream.
    """

    operation: str
    errno: int
    text: str


def errorDetails(failure: Failure) -> ErrorDetails:
    """
    Tell a failure as POE does: operation, error number and text (POE: ARG0 to ARG2
    of ConnectError and ServerError).

    Twisted does not keep the error number of a connection that was reset, so every
    L{ConnectionLost<twisted.internet.error.ConnectionLost>} is taken for a reset.

    @param failure: what C{connectError}, C{serverError} or C{stopped} was given.
    """
    exception = failure.value
    if isinstance(exception, ClientTCPError):
        return ErrorDetails(
            exception.operation, exception.errno, failure.getErrorMessage()
        )
    if isinstance(exception, error.ConnectionDone):
        return ErrorDetails("read", 0, "")
    if isinstance(exception, error.ConnectionAborted):
        return _system("close", errno.ECONNABORTED)
    if isinstance(exception, error.ConnectionLost):
        return _system(getattr(exception, "operation", "read"), errno.ECONNRESET)
    if isinstance(exception, error.TimeoutError):
        return _system("connect", errno.ETIMEDOUT)
    if isinstance(exception, error.DNSLookupError):
        return ErrorDetails("getaddrinfo", socket.EAI_NONAME, failure.getErrorMessage())
    if isinstance(exception, socket.gaierror):
        return ErrorDetails(
            "getaddrinfo", exception.errno or socket.EAI_FAIL, exception.strerror or ""
        )
    operation = "bind" if isinstance(exception, error.ConnectBindError) else "connect"
    number = getattr(exception, "osError", None) or getattr(exception, "errno", None)
    if isinstance(number, int) and number > 0:
        return _system(operation, number)
    if isinstance(number, int):
        # The resolver's number, for an address that cannot be bound.
        return ErrorDetails(operation, number, failure.getErrorMessage())
    for number, kind in error.errnoMapping.items():
        if isinstance(exception, kind):
            return _system(operation, number)
    return ErrorDetails(operation, errno.EIO, failure.getErrorMessage())


def fullText(failure: Failure) -> str:
    """
    @return: the text of L{errorDetails}, but not empty for a clean end of stream, and
        with the name of a deadline of our own.
    """
    if isinstance(failure.value, error.ConnectionDone):
        return "the server closed the connection"
    if isinstance(failure.value, ConnectTimeout):
        return str(failure.value)
    return errorDetails(failure).text


def describe(failure: Failure) -> str:
    """
    Describe a failure in words, for messages: without error numbers, and complete
    where L{errorDetails} leaves its text empty.
    """
    exception, text = failure.value, fullText(failure)
    if isinstance(exception, (ClientTCPError, error.ConnectionDone)):
        return text
    operation = errorDetails(failure).operation
    if isinstance(exception, (error.DNSLookupError, error.TimeoutError)):
        # Without the words that Twisted puts before every error of the class.
        text = " ".join(map(str, exception.args)) or text
    return f"{_FAILED.get(operation, operation)}: {text}"


#: The operations of Twisted's errors, in words.
_FAILED = {
    "bind": "cannot bind the local address",
    "close": "the connection was aborted",
    "connect": "cannot connect",
    "getaddrinfo": "cannot resolve the name",
    "read": "the connection was lost",
    "write": "the connection was lost while writing",
}


def _system(operation: str, number: int) -> ErrorDetails:
    return ErrorDetails(operation, number, os.strerror(number))
