"""
Standard input, output and error.

Twisted's C{StandardIO} reads 8 KiB at a time, does not say what kept it from writing,
and makes the streams non-blocking, which every process that shares them notices.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from struct import Struct
from termios import FIONREAD
from typing import Any, NoReturn

from twisted.internet.abstract import FileDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

from .status import EX_FAILED, EX_USAGE

#: The number of bytes that are read at a time: the size of a pipe.
READ = 64 * 1024

_INT = Struct("i")


def isOpen(descriptor: int) -> bool:
    """
    True if the process was started with this standard stream: 0, 1 or 2.

    If not, the number may belong to any file that was opened since then, such as one of
    the reactor's own.
    """
    return (sys.__stdin__, sys.__stdout__, sys.__stderr__)[descriptor] is not None


def standard(descriptor: int) -> int:
    """
    @return: the descriptor of a standard stream, 0 or 1; or one of the null device, if
        the process was started without that stream.
    """
    return descriptor if isOpen(descriptor) else os.open(os.devnull, os.O_RDWR)


def write(descriptor: int, text: str) -> None:
    """
    Write all of a text to standard output or standard error.

    Python's own streams keep it until the process ends, where an error is a traceback.
    A stream that is closed, or that nobody reads, is not an error.

    @param descriptor: 1 or 2.
    @param text: the text.

    @raise OSError: if it cannot be written.
    """
    if not isOpen(descriptor):
        return
    data = text.encode(errors="backslashreplace")
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            # Another process has made the stream non-blocking.
            select.select([], [descriptor], [])
        except BrokenPipeError:
            return


def writeIfReady(text: str, descriptor: int = 2) -> None:
    """
    Write as much of a text to standard error as it accepts now, and drop the rest.

    The client must go on, and end at a signal, even if the reader of its messages does
    not read. That is often the reader of its output, which may be full: C{2>&1}.

    @param text: the text.
    @param descriptor: another descriptor to write to.
    """
    own = None
    if os.isatty(descriptor):
        # A terminal may be ready and accept less than it is given.
        own = _opened(descriptor, os.O_WRONLY)
    ready = select.poll()
    ready.register(descriptor, select.POLLOUT)
    data = text.encode(errors="backslashreplace")
    # A pipe that is ready accepts this much without blocking.
    with suppress(OSError):
        while data and ready.poll(0):
            written = os.write(
                descriptor if own is None else own, data[: select.PIPE_BUF]
            )
            data = data[written:]
    if own is not None:
        os.close(own)


def say(descriptor: int, text: str) -> None:
    """
    As L{write}, unless Python's stream has been redirected: then to that.

    @raise OSError: if it cannot be written.
    """
    own = (sys.__stdin__, sys.__stdout__, sys.__stderr__)[descriptor]
    stream = (sys.stdin, sys.stdout, sys.stderr)[descriptor]
    if stream is own:
        write(descriptor, text)
    else:
        stream.write(text)


def display(text: str) -> NoReturn:
    """
    Write a text to standard output, and end the process.

    @raise SystemExit: always.
    """
    try:
        say(1, text)
    except OSError as error:
        _fail(error)
    sys.exit(0)


def refuse(error: Exception) -> NoReturn:
    """
    Report wrong usage on standard error, and end the process.

    @raise SystemExit: always.
    """
    # If the message cannot be written, the status says enough.
    with suppress(OSError):
        say(2, f"clienttcp: {error} (see --help)\n")
    sys.exit(EX_USAGE)


def flush() -> None:
    """
    Write what callbacks have printed, before the process ends.

    @raise SystemExit: if it cannot be written.
    """
    if sys.stdout is None or sys.stdout.closed:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python tries once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(error, BrokenPipeError):
            _fail(error)


def _fail(error: OSError) -> NoReturn:
    with suppress(OSError):
        say(2, f"clienttcp: standard output cannot be written: {error.strerror}\n")
    sys.exit(EX_FAILED)


def _opened(descriptor: int, access: int) -> int | None:
    """
    Open a pipe or a terminal again: as another open file, with a blocking mode of its
    own. Only Linux can do that.

    @param access: C{os.O_RDONLY} or C{os.O_WRONLY}.

    @return: a non-blocking descriptor; None if that is not possible.
    """
    try:
        return os.open(
            f"/proc/self/fd/{descriptor}", access | os.O_NONBLOCK | os.O_NOCTTY
        )
    except OSError:
        # There is no /proc, or the file belongs to another user.
        return None


class StandardInput(FileDescriptor):
    """
    Reads standard input, an C{IPushProducer}. It is made paused.

    The blocking mode of the stream stays as it is: see L{StandardOutput}. It is read
    when it can be read, and then a read gives what there is.

    @ivar error: what kept it from reading, if anything did.
    """

    connected = 1
    error: OSError | None = None

    def __init__(
        self,
        reactor: Any,
        descriptor: int,
        received: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        """
        @param descriptor: the descriptor to read.
        @param received: called with what has been read.
        @param ended: called when there is no more.
        """
        super().__init__(reactor)
        own = None
        if os.isatty(descriptor):
            # What can be read is discarded at Ctrl-C, and then a read would block.
            own = _opened(descriptor, os.O_RDONLY)
        self._descriptor = os.dup(descriptor) if own is None else own
        self._received = received
        self._ended = ended

    def fileno(self) -> int:
        """
        @return: the descriptor.
        """
        return self._descriptor

    def doRead(self) -> Any:
        """
        Read what there is.
        """
        try:
            data = os.read(self._descriptor, READ)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno != errno.EIO:
                # Or else it is a terminal that has hung up.
                self.error = error
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self._received(data)
        return None

    def hasEnded(self) -> bool:
        """
        True if nothing is left to read, and nothing more will come. Nothing is read to
        find out: it may be for another process.
        """
        descriptor = self._descriptor
        try:
            return not os.pread(descriptor, 1, os.lseek(descriptor, 0, os.SEEK_CUR))
        except OSError:
            # A pipe, a socket or a terminal.
            pass
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(0):
            return False
        try:
            [left] = _INT.unpack(fcntl.ioctl(descriptor, FIONREAD, bytes(_INT.size)))
        except OSError:
            # A terminal that has hung up.
            return True
        return not left

    def stopProducing(self) -> None:
        """
        Pause: the consumer takes no more, and there may be another one later.
        """
        self.pauseProducing()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure) -> None:
        """
        Standard input has ended.
        """
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        os.close(self._descriptor)
        self._ended()


class StandardOutput(FileDescriptor):
    """
    Writes standard output, an C{IConsumer}.

    The blocking mode of the stream stays as it is. It belongs to the open file, which
    other processes share: with another mode they would lose output while this process
    runs, while it is stopped, and after it has been killed.

    @ivar error: what kept it from writing, if anything did.
    @ivar pending: the number of bytes that have not been written yet.
    """

    connected = 1
    error: OSError | None = None
    pending = 0

    def __init__(
        self, reactor: Any, descriptor: int, closed: Callable[[], None]
    ) -> None:
        """
        @param descriptor: the descriptor to write to.
        @param closed: called when nothing more can be written: all is written and it
            was asked to close, or nobody reads any more, or C{error}.
        """
        super().__init__(reactor)
        self._closed = closed
        mode = os.fstat(descriptor).st_mode
        own = None
        if stat.S_ISFIFO(mode) or os.isatty(descriptor):
            own = _opened(descriptor, os.O_WRONLY)
        self._descriptor = os.dup(descriptor) if own is None else own
        #: The number of bytes to write at a time; None for any number. A pipe, a
        #: socket, or a terminal that is read, takes this much at once when it is ready.
        #: Other files never block.
        self._most: int | None = None
        if own is None and (
            stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
        ):
            self._most = select.PIPE_BUF
        access = fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        if stat.S_ISFIFO(mode) and access == os.O_WRONLY:
            # This end of a pipe is readable when nobody is at the other end any more.
            self.startReading()  # type: ignore[no-untyped-call]

    def fileno(self) -> int:
        """
        @return: the descriptor.
        """
        return self._descriptor

    @property
    def full(self) -> bool:
        """
        Whether more should not be written now.
        """
        return bool(self._isSendBufferFull())  # type: ignore[no-untyped-call]

    def doRead(self) -> Any:
        """
        Nobody reads the pipe any more.
        """
        return CONNECTION_LOST

    def write(self, data: bytes) -> None:
        """
        Write data, as soon as it can be.
        """
        if self.connected:
            self.pending += len(data)
        super().write(data)

    def writeSomeData(self, data: Any) -> Any:
        """
        @return: how many bytes could be written.
        """
        try:
            written = os.write(self._descriptor, data[: self._most])
        except BlockingIOError:
            return 0
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.error = error
            return CONNECTION_LOST
        self.pending -= written
        return written

    def connectionLost(self, reason: Failure) -> None:
        """
        Close the stream. The producer is not stopped: C{closed} decides about it.
        """
        self.producer = None
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        os.close(self._descriptor)
        self._closed()
