"""
The exceptions of this package::

    ClientTCPError
        NotConnectedError       put() without a connection that accepts output
        NegotiationRefused      preConnect did not accept the connection
        TLSError                the certificate, the handshake or TLS itself failed
            ClearText           unprotected bytes arrived before TLS was started
        ProxyError              a proxy has refused, or does not speak its protocol
        CallbackError           a callback raised an exception
        UnknownEvent            no handler has that name (also a LookupError)
        UnknownAlias            no client has that name (also a LookupError)
        AliasInUse              another client has that name (also a ValueError)
        RetriesExhausted        the retry policy has given up
        PeerSilent              nothing was received for too long
            IdleTimeout         for idleTimeout seconds
            HeartbeatTimeout    no answer to a heartbeat: the connection is half open
        DrainTimeout            shutdown() or a drain could not flush in time
        LingerTimeout           a peer did not end its side of a drained connection
        OutputLost              records that were put are lost
        OutputFull              put() beyond outputLimit or offlineLimit
        FramingError            bytes or records that do not fit the framing
            RecordTooLong       over the framing's maxLength
            TruncatedRecord     the stream ended inside a record
            InvalidRecord       a record that cannot be encoded (also a ValueError)

Each class has an C{operation} and an C{errno}, the first two values that
L{errorDetails<twisted_clienttcp.errorDetails>} returns for a failure.

Wrong arguments raise L{TypeError} or L{ValueError}. Errors of Twisted's transports and
endpoints (refused, reset, timed out) are passed on as they are; see
L{twisted.internet.error}.
"""

from __future__ import annotations

import errno

from ._texts import LimitExceeded, counted, duration, textOf


class ClientTCPError(Exception):
    """
    The base class of all exceptions of this package.

    @cvar operation: what failed, in one word (POE: ARG0 of ServerError).
    @cvar errno: the operating system's error number that fits best (POE: ARG1 of
        ServerError).
    """

    operation = "client"
    errno = errno.EIO


class NotConnectedError(ClientTCPError):
    """
    There is no connection, or its sending side is closed.
    """

    operation = "put"
    errno = errno.ENOTCONN


class NegotiationRefused(ClientTCPError):
    """
    C{preConnect} raised an exception or returned a false value, so the connection was
    closed and C{connected} was not called.
    """

    operation = "preconnect"
    errno = errno.ECONNABORTED


class TLSError(ClientTCPError):
    """
    TLS has failed: the server's certificate is not valid, or the server refuses the
    client or does not speak TLS. The text says which; C{__cause__} is the exception of
    OpenSSL or service_identity.
    """

    operation = "tls"
    errno = errno.EPROTO


class ClearText(TLSError):
    """
    Unread bytes had arrived in clear text when TLS was started. An attacker may have
    injected them so that the client treats them as encrypted (as in CVE-2011-0411). The
    client discards them, and the attempt fails.

    @ivar count: the number of bytes, at least: those of a record that was decoded and
        not read count as one.
    """

    def __init__(self, count: int) -> None:
        """
        @param count: see the attribute.
        """
        super().__init__(
            f"{count} bytes in clear text arrived before TLS was started: someone may "
            "have injected them, or preConnect did not read all that the server sent"
        )
        self.count = count


class ProxyError(ClientTCPError):
    """
    A proxy did not connect the client to the server: it refused, closed the connection,
    or does not speak its protocol. The text says which. This object never contains the
    user name or the password.

    @ivar proxy: the proxy, as a URL without user and password.
    @ivar response: the proxy's answer, at most its first 64 KiB.
    """

    operation = "proxy"
    errno = errno.ECONNREFUSED

    def __init__(self, proxy: str, text: str, response: bytes = b"") -> None:
        """
        @param proxy: see the attribute.
        @param text: what the proxy did, to follow its name, such as C{"closed the
            connection"}.
        @param response: see the attribute.
        """
        super().__init__(f"the proxy {proxy} {text}")
        self.proxy = proxy
        self.response = response


def nameOf(error: BaseException) -> str:
    """
    Describe an exception in one line.

    @param error: the exception.

    @return: the name of its class, followed by its text if it has one.
    """
    name, text = type(error).__name__, textOf(error)
    return name if text == name else f"{name}: {text}"


class CallbackError(ClientTCPError):
    """
    A callback raised an exception, which is the C{__cause__}.

    @ivar callback: the name of the callback.
    """

    operation = "callback"
    errno = errno.ECANCELED

    def __init__(self, callback: str, error: BaseException) -> None:
        """
        @param callback: see the attribute.
        @param error: the exception.
        """
        super().__init__(f"{callback} raised {nameOf(error)}")
        self.callback = callback
        self.__cause__ = error


class UnknownEvent(ClientTCPError, LookupError):
    """
    The client has no handler for an event that was posted or called.
    """

    operation = "post"
    errno = errno.EINVAL


class UnknownAlias(ClientTCPError, LookupError):
    """
    No running client has that alias.
    """

    operation = "post"
    errno = errno.ESRCH


class AliasInUse(ClientTCPError, ValueError):
    """
    A client cannot start, because another running client has its alias.
    """

    operation = "alias"
    errno = errno.EEXIST


class RetriesExhausted(ClientTCPError):
    """
    The client gave up, because C{maxRetries} or its C{retryPolicy} allows no further
    attempt. C{__cause__} is the exception of the last failure.

    @ivar attempts: the number of failures in a row: failed attempts (with several
        endpoints: rounds of attempts) and lost connections.
    @ivar elapsed: the seconds from the first of these failures to the last.
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
        @param attempts: see the attribute.
        @param elapsed: see the attribute.
        @param cause: the exception of the last failure; None if there was none.
        @param words: a description of the last failure; empty for none.
        """
        last = f"; the last one: {words}" if words else ""
        failures = counted(attempts, "failure")
        super().__init__(f"{failures} in {duration(elapsed)}{last}")
        self.attempts = attempts
        self.elapsed = elapsed
        self.__cause__ = cause


class PeerSilent(LimitExceeded, ClientTCPError):
    """
    Nothing was received for too long, so the connection was aborted.

    @ivar seconds: the seconds since something was received.
    @ivar limit: the seconds that the setting allows.
    @ivar setting: the name of the setting.
    """

    operation = "read"
    errno = errno.ETIMEDOUT
    setting = "idleTimeout"

    def __init__(self, seconds: float, limit: float) -> None:
        """
        @param seconds: see the attribute.
        @param limit: see the attribute.
        """
        super().__init__(seconds, limit)
        self.problem = f"nothing was received for {duration(seconds)}"
        self.seconds = seconds
        self.limit = limit


class IdleTimeout(PeerSilent):
    """
    Nothing was received for C{idleTimeout} seconds, and the peer accepted no output.
    """


class HeartbeatTimeout(PeerSilent):
    """
    The peer did not answer a C{heartbeat}: the connection is half open.
    """

    setting = "heartbeat"


class _ClosingTimeout(LimitExceeded, ClientTCPError):
    """
    The base class of timeouts of a connection that is closing.

    @ivar problem: what has not happened in time.
    """

    errno = errno.ETIMEDOUT

    def __init__(self, problem: str, limit: float) -> None:
        """
        @param problem: see the attribute.
        @param limit: the seconds that the setting allows.
        """
        super().__init__(problem, limit)
        self.problem = problem
        self.limit = limit


class DrainTimeout(_ClosingTimeout):
    """
    The output was not flushed within C{drainTimeout} seconds after C{shutdown()} or the
    start of a drain, because the peer did not read it or a producer did not unregister.
    The connection was aborted.
    """

    operation = "write"
    setting = "drainTimeout"


class LingerTimeout(_ClosingTimeout):
    """
    The peer of a drained connection did not end its side, or did not stop sending,
    within C{lingerTimeout} seconds. The connection was aborted, and records that the
    peer had not sent yet are lost.
    """

    operation = "read"
    setting = "lingerTimeout"


class OutputLost(ClientTCPError):
    """
    Records that were put are lost: the connection ended before the kernel had accepted
    all of them, or the client stopped while they waited for a connection. C{flushed()}
    fails with this error, and C{stopped} is called with it if there is no other reason.
    C{flushed()} also fails with it if the connection's framing cannot encode records
    that waited for the connection.

    @ivar unsent: the number of lost bytes, an upper bound as in
        L{Disconnection<twisted_clienttcp.Disconnection>}.
    """

    operation = "write"
    errno = errno.EPIPE

    def __init__(self, unsent: int) -> None:
        """
        @param unsent: see the attribute.
        """
        super().__init__(f"up to {unsent} bytes were put and never sent")
        self.unsent = unsent


class OutputFull(LimitExceeded, ClientTCPError):
    """
    Records that were put would exceed C{outputLimit} or, without a connection,
    C{offlineLimit}. None of them was accepted.

    @ivar pending: the number of bytes that were already pending.
    @ivar limit: the number of bytes that may be pending.
    @ivar setting: the name of the setting that sets the limit.
    """

    operation = "put"
    errno = errno.ENOBUFS

    def __init__(self, size: int, pending: int, limit: int, setting: str) -> None:
        """
        @param size: the number of bytes that were rejected.
        @param pending: see the attribute.
        @param limit: see the attribute.
        @param setting: see the attribute.
        """
        super().__init__(size, pending, limit, setting)
        self.problem = f"{size} bytes cannot be put, because {pending} are pending"
        self.pending = pending
        self.limit = limit
        self.setting = setting


class FramingError(ClientTCPError):
    """
    The framing cannot decode the received bytes, or cannot encode a record.
    """

    operation = "framing"
    errno = errno.EPROTO


class RecordTooLong(LimitExceeded, FramingError):
    """
    A record is longer than the framing's C{maxLength}.

    @ivar length: its length in bytes; a lower bound if its end has not arrived.
    @ivar maxLength: the limit in bytes.
    @ivar skipped: True if the framing skips this record and continues with the next one
        (C{onTooLong="skip"}); False if no more records can be decoded.
    @ivar end: the index at which the record ends in the data that C{decode} was called
        with, which may be beyond the end of the data; None if it is not known. (For
        framings, see L{Framing.tooLong<twisted_clienttcp.framing.Framing.tooLong>}.)
    """

    # A peer may send many such records.
    __slots__ = ("end", "length", "maxLength", "skipped")

    errno = errno.EMSGSIZE
    setting = "maxLength"

    def __init__(
        self,
        length: int,
        maxLength: int,
        skipped: bool = False,
        end: int | None = None,
    ) -> None:
        """
        @param length: see the attribute.
        @param maxLength: see the attribute.
        @param skipped: see the attribute.
        @param end: see the attribute.
        """
        self.length = length
        self.maxLength = maxLength
        self.skipped = skipped
        self.end = end

    def __reduce__(self) -> tuple[object, ...]:
        # The arguments may have been passed by name.
        args = (self.length, self.maxLength, self.skipped, self.end)
        return type(self), args, self.__dict__ or None

    @property
    def limit(self) -> int:  # type: ignore[override]
        "The same as C{maxLength}."
        return self.maxLength

    @property
    def problem(self) -> str:  # type: ignore[override]
        "What has happened, in words."
        skipped = " and was skipped" if self.skipped else ""
        return f"a record of at least {self.length} bytes is too long{skipped}"


class TruncatedRecord(FramingError):
    """
    The stream ended inside a record.

    @ivar rest: the bytes of the incomplete record.
    """

    def __init__(self, rest: bytes) -> None:
        """
        @param rest: see the attribute.
        """
        super().__init__(f"the stream ended {len(rest)} bytes into a record")
        self.rest = rest


class InvalidRecord(FramingError, ValueError):
    """
    A record passed to C{put} cannot be encoded, or the peer would not decode it as the
    same single record.
    """

    errno = errno.EINVAL
