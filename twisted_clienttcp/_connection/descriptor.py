"""
The descriptor of a connection, and the numbers that only it knows: of bytes that the
peer's kernel has not acknowledged, and of bytes that have not been read.

Twisted closes the descriptor before it reports a loss. So the call by which the reactor
reports the loss to the transport (C{connectionLost}, which is public) is intercepted,
and the descriptor is read first.
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
    The descriptor below a transport, which may be that of TLS.

    @ivar unread: how many received bytes had not been read when the descriptor was
        closed; None if that is not known.
    @ivar unacknowledged: how many bytes had not been acknowledged then, or when they
        were counted last, our end of stream included; None if that is not known. After
        a reset it is never 0.
    @ivar failed: True if the kernel had an error then that it had not reported, such as
        a reset.
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
        @param reading: the input of the connection, which may be held.
        """
        self._reading = reading
        # A transport in memory counts for itself.
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
        Return how many bytes the peer's kernel has not acknowledged; on a UNIX socket,
        the memory of the bytes that the peer's program has not read. None if that is
        not known.
        """
        if self._count is not None:
            self.unacknowledged = self._count()
        else:
            self.unacknowledged = self._ask("TIOCOUTQ")
        return self.unacknowledged

    def acceptance(self, passedOn: Callable[[], int]) -> Callable[[], int]:
        """
        @param passedOn: returns how many bytes the kernel has accepted from us, or
            fewer.

        @return: a function that returns a number that grows when the peer accepts
            output.
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
        Return how many bytes the peer's kernel has acknowledged (C{tcpi_bytes_acked} of
        C{struct tcp_info} in Linux's C{tcp.h}).
        """
        info = self._option(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        return int.from_bytes(info[120:128], sys.byteorder) if info else 0

    def _option(self, *option: int) -> Any:
        """
        @param option: the arguments for C{getsockopt}.

        @return: the value; None if there is no socket, or if the call fails: the user
            may have closed it.
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
        @param request: the name of the request for C{ioctl}.
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
        The transport is about to be lost: this is its C{connectionLost}.
        """
        transport = self._transport
        if transport is None:
            # This call was scheduled before the loss: Twisted does so when a transport
            # is closed whose sending side was closed before.
            return
        # The transport may report this twice.
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
                # The peer's kernel may have dropped bytes that it had acknowledged.
                self.unacknowledged = None
            self._transport = None
            transport.connectionLost(reason)

    def _readRest(self) -> None:
        """
        Read the data that arrived before a reset. A write that meets the reset consumes
        it, so the kernel still returns this data.
        """
        before = sys.maxsize
        while (
            self._reading.delivers()
            and 0 < (unread := self._ask("FIONREAD") or 0) < before
        ):
            before = unread
            if self._transport.doRead() is not None:
                break
