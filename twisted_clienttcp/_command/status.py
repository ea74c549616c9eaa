"""
The exit status of the command.
"""

from __future__ import annotations

from twisted.internet.error import TimeoutError
from twisted.python.failure import Failure

from ..errors import (
    DrainTimeout,
    LingerTimeout,
    PeerSilent,
    RetriesExhausted,
    TLSError,
)

#: The exit statuses for errors. Wrong usage is as in sysexits.h, and a timeout as in
#: timeout(1). After a signal, the status is 128 plus its number, as in the shell.
EX_FAILED = 1
EX_UNVERIFIED = 2
EX_USAGE = 64
EX_TIMEOUT = 124

#: The exit statuses, with their lines in the help.
STATUSES = (
    ("0", "everything was sent and printed"),
    (str(EX_FAILED), "a failure, or data was lost"),
    (str(EX_UNVERIFIED), "TLS could not verify the server"),
    (str(EX_USAGE), "wrong usage"),
    (str(EX_TIMEOUT), "a timeout"),
    ("130, 143", "ended by SIGINT, by SIGTERM"),
)

#: More about some of them, for the manual.
DETAILS = {
    "0": "Standard input was read to its end (except with --recv-only) and sent, the "
    "server's kernel acknowledged all of it (checked only on Linux), everything "
    "received was printed (with --eof=close, everything received before the end of "
    "standard input), and nothing failed. If the reader of standard output closes "
    "it, as head does, the rest does not have to be printed. The server's program may "
    "still not have read everything. With --reconnect, a failed attempt or a lost "
    "connection that another connection follows changes the status only if output was "
    "not sent, or if the server's kernel is known not to have acknowledged it. After a "
    "reset, this is unknown, and the status can be 0.",
    str(EX_FAILED): "The connection failed, was lost, or ended before the end of "
    "standard input; data could not be sent or printed, or was not acknowledged; or a "
    "callback raised an exception.",
    str(EX_TIMEOUT): "A timeout: --connect-timeout, --drain-timeout, --idle-timeout or "
    "--heartbeat.",
}


def exitStatus(failure: Failure | None) -> int:
    """
    @param failure: the error with which the client has stopped, if any.

    @return: the exit status.
    """
    if failure is None:
        return 0
    error: BaseException | None = failure.value
    if isinstance(error, RetriesExhausted):
        error = error.__cause__
    if isinstance(error, (TimeoutError, DrainTimeout, LingerTimeout, PeerSilent)):
        return EX_TIMEOUT
    if isinstance(error, TLSError) and _isVerification(error.__cause__):
        return EX_UNVERIFIED
    return EX_FAILED


def _isVerification(cause: BaseException | None) -> bool:
    """
    @param cause: the error of OpenSSL or service_identity, if there is one.

    @return: True if the server's certificate was rejected.
    """
    try:
        from OpenSSL.SSL import Error
        from twisted.internet.ssl import VerificationError
    except ImportError:
        return False
    if isinstance(cause, Error):
        return "certificate verify failed" in str(cause)
    return isinstance(cause, VerificationError)
