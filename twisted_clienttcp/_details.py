"""
Descriptions of failures: as POE's three values, and as text.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, NamedTuple

from twisted.internet import error
from twisted.python.failure import Failure

from . import errors
from ._texts import Form, LimitExceeded, assigned, textOf
from .errors import ClientTCPError


class LostWhileWriting(error.ConnectionLost):
    """
    The connection was lost while its input was paused or had ended, so a write failed.
    """

    operation = "write"


class ConnectTimeout(LimitExceeded, error.TimeoutError):
    """
    An attempt did not succeed in time.

    @ivar problem: what has not finished.
    """

    def __init__(self, problem: str, setting: str, limit: float) -> None:
        """
        @param problem: see the attribute.
        @param setting: the name of the setting or parameter that is the limit.
        @param limit: its value in seconds.
        """
        Exception.__init__(self, problem, setting, limit)
        self.problem = problem
        self.setting = setting
        self.limit = limit


class ErrorDetails(NamedTuple):
    """
    A failure as POE describes it (POE: ARG0 to ARG2 of ConnectError and ServerError).

    @ivar operation: what failed: C{"connect"}, C{"bind"}, C{"getaddrinfo"}, C{"read"},
        C{"write"}, C{"close"}, or the C{operation} of a L{ClientTCPError
        <twisted_clienttcp.errors.ClientTCPError>}.
    @ivar errno: the operating system's error number; 0 for a clean end of stream. For
        C{"getaddrinfo"} it is the resolver's (a C{socket.EAI_} constant).
    @ivar text: the error in words. (POE's text for a clean end of stream is empty.)
    """

    operation: str
    errno: int
    text: str


def errorDetails(failure: Failure) -> ErrorDetails:
    """
    Describe a failure as POE does: operation, error number and text (POE: ARG0 to ARG2
    of ConnectError and ServerError).

    Twisted does not report the error number of a lost connection, so every
    L{ConnectionLost<twisted.internet.error.ConnectionLost>} is described as a reset.

    @param failure: the failure that C{connectError}, C{serverError} or C{stopped} was
        called with.

    @return: the operation, the error number and a text.
    """
    return detailsWith(failure, assigned)


def detailsWith(failure: Failure, form: Form) -> ErrorDetails:
    """
    @param form: returns the form of a setting with a value, for the text.

    @return: the result of L{errorDetails}.
    """
    exception = failure.value
    assert exception is not None, "a failure has an exception"
    if isinstance(exception, ClientTCPError):
        return ErrorDetails(
            exception.operation, exception.errno, textOf(exception, form)
        )
    operation = operationOf(failure)
    if isinstance(exception, ConnectTimeout):
        return ErrorDetails(operation, errno.ETIMEDOUT, textOf(exception, form))
    if isinstance(exception, error.ConnectionDone):
        return ErrorDetails(operation, 0, "the connection was closed")
    if isinstance(exception, error.ConnectionAborted):
        return _system(operation, errno.ECONNABORTED)
    if isinstance(exception, error.ConnectionLost):
        return _system(operation, errno.ECONNRESET)
    # Leave out the words with which Twisted begins the text of each such error.
    own = " ".join(map(str, exception.args))
    if isinstance(exception, error.TimeoutError):
        text = own or os.strerror(errno.ETIMEDOUT)
        return ErrorDetails(operation, errno.ETIMEDOUT, text)
    if isinstance(exception, error.DNSLookupError):
        code = exception.errno or socket.EAI_NONAME
        text = exception.strerror or own or textOf(exception)
        return ErrorDetails(operation, code, text)
    if isinstance(exception, socket.gaierror):
        code = exception.errno or socket.EAI_FAIL
        return ErrorDetails(operation, code, exception.strerror or textOf(exception))
    number = getattr(exception, "osError", None) or getattr(exception, "errno", None)
    if isinstance(number, int) and number > 0:
        return _system(operation, number)
    if isinstance(number, int):
        # A negative number is the resolver's, for an address that cannot be bound.
        return ErrorDetails(operation, number, textOf(exception))
    for number, kind in error.errnoMapping.items():
        if isinstance(exception, kind):
            return _system(operation, number)
    return ErrorDetails(operation, errno.EIO, textOf(exception))


#: The operation of each class of Twisted's errors. The operation of any other error is
#: C{"connect"}.
_TWISTED: tuple[tuple[type[BaseException], str], ...] = (
    (LostWhileWriting, "write"),
    (error.ConnectionAborted, "close"),
    (error.ConnectionDone, "read"),
    (error.ConnectionLost, "read"),
    (error.DNSLookupError, "getaddrinfo"),
    (socket.gaierror, "getaddrinfo"),
    (error.ConnectBindError, "bind"),
)

#: The operations of Twisted's errors, and of our own exceptions.
OPERATIONS = frozenset(
    ["connect", *(operation for _, operation in _TWISTED)]
    + [
        value.operation
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, ClientTCPError)
    ]
)


def operationOf(failure: Failure) -> str:
    """
    @return: the operation of L{errorDetails}, but always one of L{OPERATIONS}:
        C{"client"} replaces an operation that a user's subclass has defined.
    """
    exception = failure.value
    if isinstance(exception, ClientTCPError):
        operation = exception.operation
        return operation if operation in OPERATIONS else ClientTCPError.operation
    for kind, operation in _TWISTED:
        if isinstance(exception, kind):
            return operation
    return "connect"


def describe(failure: Failure, form: Form = assigned) -> str:
    """
    @param form: returns the form of a setting with a value.

    @return: a description of a failure for the log and the command: what failed, with
        the first proxy if that was not reached, and why.
    """
    exception = failure.value
    if isinstance(exception, error.ConnectionDone):
        # Only the server ends a connection with this error and without a request.
        return CLOSED
    operation, _, text = detailsWith(failure, form)
    if isinstance(exception, ClientTCPError):
        return text
    what, proxy = _FAILED.get(operation, operation), getattr(failure, "proxy", "")
    if proxy and operation in _AT_PROXY:
        what += f" {_AT_PROXY[operation]} the proxy {proxy}"
    return f"{what}: {text}"


def notReached(failure: Failure, proxy: str) -> None:
    """
    Let L{describe} say that it is a proxy that was not reached, rather than the server.

    @param failure: the failure to annotate. (Its exception cannot be annotated: clients
        that wait for the same lookup share it.)
    @param proxy: the proxy.
    """
    annotated: Any = failure
    annotated.proxy = proxy


def oneLine(text: str) -> str:
    """
    @return: a text for a line of the log. A peer may have sent a part of it, so
        characters that end a line or control a terminal are escaped.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )


def dropFrames(failure: Failure) -> None:
    """
    Drop the tracebacks of a failure and of the exceptions that led to it, because their
    frames refer to received data and to records, and failures are kept. The text of the
    failure's own traceback remains. (A L{Deferred<twisted.internet.defer.Deferred>}
    does the same with a failure after its callbacks.)
    """
    if failure.tb is not None:
        failure.cleanFailure()
    found: dict[int, BaseException] = {}
    waiting = [failure.value]
    while waiting:
        error = waiting.pop()
        if error is not None and id(error) not in found:
            found[id(error)] = error
            error.__traceback__ = None
            waiting += error.__cause__, error.__context__


#: The description of the failure of a connection that the server has closed.
CLOSED = "the server closed the connection"

#: The words between the description of an operation and the proxy.
_AT_PROXY = {"connect": "to", "getaddrinfo": "of"}

#: Descriptions of the operations of Twisted's errors.
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
