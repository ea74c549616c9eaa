"""
What can go wrong, as a tree::

    ClientTCPError
        NotConnectedError       put() where no connection takes output
        NegotiationRefused      preConnect did not agree to the connection
        TLSError                the certificate, the handshake or TLS itself failed
            ClearText           bytes came in clear text where TLS was to begin
        CallbackError           one of the user's callbacks raised
        UnknownEvent            no handler has that name (also a LookupError)
        UnknownAlias            no client has that name (also a LookupError)
        AliasInUse              another client has that name (also a ValueError)
        RetriesExhausted        the retry policy has given up
        PeerSilent              nothing was received for too long
            IdleTimeout         for idleTimeout seconds
            HeartbeatTimeout    no answer to a heartbeat: the connection is half open
        DrainTimeout            shutdown() could not flush in time
        OutputLost              what was put is lost, and was never sent
        OutputFull              put() without a connection, over offlineLimit
        FramingError            bytes or records that a framing cannot take
            RecordTooLong       over the framing's maxLength
            TruncatedRecord     the stream ended inside a record
            InvalidRecord       a record that cannot be framed (also a ValueError)

Each class carries an C{operation} and an C{errno}: the first two parts of the
triple that L{errorDetails<twisted_clienttcp.errorDetails>} makes of a failure.

Wrong arguments are Python's own L{TypeError} and L{ValueError}; what Twisted's
transports and endpoints report (refused, reset, timed out) stays Twisted's own,
from L{twisted.internet.error}.
"""

from __future__ import annotations

import errno


class ClientTCPError(Exception):
    """
    The base of every error of this package.

    @cvar operation: what was being done, in a word (POE: ARG0 of ServerError).
    @cvar errno: the nearest error number of the operating system
        (POE: ARG1 of ServerError).
    """

    operation = "client"
    errno = errno.EIO


class NotConnectedError(ClientTCPError):
    """
    There is no connection that takes output: there is none at all, or its
    sending side has been closed.
    """

    operation = "put"
    errno = errno.ENOTCONN


class NegotiationRefused(ClientTCPError):
    """
    C{preConnect} returned something false, or raised, so the connection was
    closed before it was ever C{connected}.
    """

    operation = "preconnect"
    errno = errno.ECONNABORTED


class TLSError(ClientTCPError):
    """
    TLS has failed: the server's certificate is not good, the server refuses us, or does
    not speak TLS at all. The text says which; C{__cause__} is what OpenSSL or
    service_identity said.
    """

    operation = "tls"
    errno = errno.EPROTO


class ClearText(TLSError):
    """
    Bytes came in clear text, behind what was read of it, when TLS was to be started.
    They may have been put there by somebody who wants them to be taken for protected
    ones (as in CVE-2011-0411): nothing is done with them, and the attempt has failed.

    @ivar count: how many.
    """

    def __init__(self, count: int) -> None:
        super().__init__(
            f"{count} bytes in clear text arrived before TLS was started: someone may "
            "have injected them, or preConnect did not read all that the server sent"
        )
        self.count = count


def nameOf(error: BaseException) -> str:
    """
    @return: the class of an exception and, if it has one, its text.
    """
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException:
        # The class may be the user's, and its __str__ may raise anything.
        return name
    return f"{name}: {text}" if text else name


class CallbackError(ClientTCPError):
    """
    A callback of the user's raised. C{__cause__} is what it raised.

    @ivar callback: the name of the callback, as it is given to the factory.
    """

    operation = "callback"
    errno = errno.ECANCELED

    def __init__(self, callback: str, error: BaseException) -> None:
        super().__init__(f"{callback} raised {nameOf(error)}")
        self.callback = callback
        self.__cause__ = error


class UnknownEvent(ClientTCPError, LookupError):
    """
    An event was posted or called that the client has no handler for.
    """

    operation = "post"
    errno = errno.EINVAL


class UnknownAlias(ClientTCPError, LookupError):
    """
    No client that runs has that alias.
    """

    operation = "post"
    errno = errno.ESRCH


class AliasInUse(ClientTCPError, ValueError):
    """
    A client was started whose alias another one has.
    """

    operation = "alias"
    errno = errno.EEXIST


class RetriesExhausted(ClientTCPError):
    """
    The client has given up: C{maxRetries}, or its C{retryPolicy}, allows no further
    attempt. C{__cause__} is the last failure.

    @ivar attempts: how many attempts had failed in a row (of several endpoints:
        rounds), or connections that did not hold.
    @ivar elapsed: in how many seconds, from the first of these failures to the last.
    """

    operation = "retry"
    errno = errno.ETIMEDOUT

    def __init__(
        self,
        attempts: int,
        elapsed: float,
        cause: BaseException | None,
        words: str = "",
    ) -> None:
        """
        @param words: the last failure in words.
        """
        last = f"; the last one: {words}" if words else ""
        failures = "1 failure" if attempts == 1 else f"{attempts} failures"
        super().__init__(f"{failures} in {elapsed:.1f} seconds{last}")
        self.attempts = attempts
        self.elapsed = elapsed
        self.__cause__ = cause


class PeerSilent(ClientTCPError):
    """
    Nothing was received for too long, so the connection was dropped.

    @ivar seconds: for how many seconds nothing was received.
    """

    operation = "read"
    errno = errno.ETIMEDOUT

    def __init__(self, seconds: float) -> None:
        super().__init__(f"nothing was received for {seconds:.1f} seconds")
        self.seconds = seconds


class IdleTimeout(PeerSilent):
    """
    Nothing was received for C{idleTimeout} seconds.
    """


class HeartbeatTimeout(PeerSilent):
    """
    The peer has not answered a C{heartbeat}: the connection is half open.
    """


class DrainTimeout(ClientTCPError):
    """
    The peer did not take all output within C{drainTimeout} seconds of C{shutdown()}, or
    a producer did not unregister, so the connection was aborted with bytes unsent.
    """

    operation = "write"
    errno = errno.ETIMEDOUT


class OutputLost(ClientTCPError):
    """
    What was put is lost: the peer closed the connection in order, but before it had
    taken all of it, or the client was stopped while it waited for a connection. What
    the client has stopped with, and C{flushed()} fails with.

    @ivar unsent: how many bytes may be lost, as in
        L{Disconnection<twisted_clienttcp.Disconnection>}.
    """

    operation = "write"
    errno = errno.EPIPE

    def __init__(self, unsent: int) -> None:
        super().__init__(f"up to {unsent} bytes were put and never sent")
        self.unsent = unsent


class OutputFull(ClientTCPError):
    """
    There is no connection, and what was put would be over C{offlineLimit}. Nothing of
    it was taken.

    @ivar pending: how many bytes wait already.
    @ivar offlineLimit: how many may.
    """

    operation = "put"
    errno = errno.ENOBUFS

    def __init__(self, size: int, pending: int, offlineLimit: int) -> None:
        super().__init__(
            f"{size} bytes, in addition to the {pending} that wait for a connection, "
            f"exceed offlineLimit={offlineLimit}"
        )
        self.pending = pending
        self.offlineLimit = offlineLimit


class FramingError(ClientTCPError):
    """
    The bytes received are not what the framing expects, or a record cannot
    be framed.
    """

    operation = "framing"
    errno = errno.EPROTO


class RecordTooLong(FramingError):
    """
    A record is longer than the framing's C{maxLength}.

    @ivar length: its length in bytes, as far as it is known.
    @ivar maxLength: the limit in bytes.
    @ivar skipped: the record is left out and the framing goes on at the next one
        (C{onTooLong="skip"}); otherwise nothing more can be read.
    """

    errno = errno.EMSGSIZE

    def __init__(self, length: int, maxLength: int, skipped: bool = False) -> None:
        super().__init__(
            f"a record of at least {length} bytes exceeds maxLength={maxLength}"
            + (" and was skipped" if skipped else "")
        )
        self.skipped = skipped
        self.length = length
        self.maxLength = maxLength


class TruncatedRecord(FramingError):
    """
    The stream ended inside a record.

    @ivar rest: the bytes that stood unfinished.
    """

    def __init__(self, rest: bytes) -> None:
        super().__init__(f"the stream ended {len(rest)} bytes into a record")
        self.rest = rest


class InvalidRecord(FramingError, ValueError):
    """
    A record given to C{put} cannot be framed so that the other side would read
    it back as that one record.
    """

    errno = errno.EINVAL
