"""
The file descriptor of a connection, which knows how many bytes the peer's kernel has
not acknowledged, and how many received bytes have not been read.

Twisted closes the descriptor before it reports a loss to the protocol. So we replace
the transport's method C{connectionLost}, which is public and which the reactor calls
first, and query the descriptor there.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.python.failure import Failure

from .reading import Reading

try:
    import fcntl
    import termios
except ImportError:  # pragma: no cover
    # Windows.
    fcntl = termios = None  # type: ignore[assignment]


class Descriptor:
    """
    The file descriptor below a transport, with or without TLS.

    @ivar unread: the number of received bytes that had not been read when the
        descriptor was closed; None if it is unknown.
    @ivar unacknowledged: the number of bytes, our end of stream included, that had not
        been acknowledged when the descriptor was closed or, before that, when they were
        last counted; None if it is unknown. After a reset, it is never 0.
    @ivar failed: True if the socket had an unreported error, such as a reset, when the
        descriptor was closed.
    """

    __slots__ = (
        "_count",
        "_reading",
        "_transport",
        "failed",
        "unacknowledged",
        "unread",
    )

    def __init__(self, transport: object, reading: Reading) -> None:
        """
        @param transport: the transport of the connection.
        @param reading: the input of the connection.
        """
        self._reading = reading
        # A transport in memory has no descriptor, but has this method.
        self._count = getattr(transport, "countUnacknowledged", None)
        while not (transport is None or isinstance(transport, FileDescriptor)):
            transport = getattr(transport, "transport", None)
        self._transport: Any = transport
        self.unread: int | None = None
        self.unacknowledged: int | None = None
        self.failed = False
        if transport is not None:
            setattr(transport, "connectionLost", self)  # noqa: B010

    def countUnacknowledged(self) -> int | None:
        """
        Count the bytes that the peer's kernel has not acknowledged.

        @return: the number; on a UNIX socket, the size of the memory that holds the
            bytes that the peer's program has not read; None if it is unknown.
        """
        if self._count is not None:
            self.unacknowledged = self._count()
        else:
            self.unacknowledged = self._ask("TIOCOUTQ")
        return self.unacknowledged

    def acceptance(self, passedOn: Callable[[], int]) -> Callable[[], int]:
        """
        @param passedOn: returns a lower bound of the number of bytes that our kernel
            has accepted, for connections without a better measure.

        @return: a function that returns a number, which increases whenever the peer
            accepts output.
        """
        transport = self._transport
        handle = getattr(transport, "socket", None)
        if handle is None or not isinstance(transport, FileDescriptor):
            return passedOn
        if (
            handle.family != getattr(socket, "AF_UNIX", None)
            and sys.platform == "linux"
        ):
            return self._countAcknowledged
        written = 0
        writeSomeData = transport.writeSomeData

        def counting(data: bytes) -> int | BaseException:
            nonlocal written
            result = writeSomeData(data)
            if isinstance(result, int) and result > 0:
                written += result
            return result

        transport.writeSomeData = counting  # type: ignore[method-assign]
        return lambda: written - (self.countUnacknowledged() or 0)

    def _countAcknowledged(self) -> int:
        """
        Count the bytes that the peer's kernel has acknowledged (C{tcpi_bytes_acked} of
        C{struct tcp_info} in Linux's C{tcp.h}).

        @return: the number; 0 if it is unknown.
        """
        info = self._option(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        return int.from_bytes(info[120:128], sys.byteorder) if info else 0

    def _option(self, *option: int) -> Any:
        """
        @param option: the arguments for C{getsockopt}.

        @return: the value; None if there is no socket, or if the call fails, for
            example because the user has closed the socket.
        """
        handle = getattr(self._transport, "socket", None)
        if handle is None:
            return None
        try:
            return handle.getsockopt(*option)
        except OSError:
            return None

    def _ask(self, request: str) -> int | None:
        """
        @param request: the name of a request for C{ioctl} that returns a number.

        @return: the number; None if it is unknown.
        """
        fileno = getattr(self._transport, "fileno", None)
        if fcntl is None or fileno is None:
            return None
        try:
            answer = fcntl.ioctl(fileno(), getattr(termios, request), bytes(4))
        except (AttributeError, OSError, ValueError):
            return None
        return int(struct.unpack("i", answer)[0])

    def __call__(self, reason: Failure) -> None:
        """
        Query the descriptor, then report the loss: the reactor calls this as the
        transport's C{connectionLost}.
        """
        transport = self._transport
        if transport is None:
            # Twisted scheduled this call before the loss: it does so when a transport
            # is closed after loseWriteConnection().
            return
        # From now on, further calls reach the transport itself.
        del transport.connectionLost
        isAborted = reason.check(ConnectionAborted)
        isReset = bool(reason.check(ConnectionLost)) and not isAborted
        try:
            if isReset:
                self._readRest()
        finally:
            self.failed = bool(self._option(socket.SOL_SOCKET, socket.SO_ERROR))
            self.unread = self._ask("FIONREAD")
            if not self.countUnacknowledged() and (isReset or self.failed):
                # The peer's kernel may have discarded bytes that it had acknowledged.
                self.unacknowledged = None
            self._transport = None
            transport.connectionLost(reason)

    def _readRest(self) -> None:
        """
        Read the data that arrived before a reset. The kernel reports the reset only
        once: if a write has failed because of it, this data can still be read.
        """
        before = sys.maxsize
        while (
            self._reading.delivers()
            and 0 < (unread := self._ask("FIONREAD") or 0) < before
        ):
            before = unread
            if self._transport.doRead() is not None:
                break
