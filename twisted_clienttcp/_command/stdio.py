"""
Standard input, output and error.

Twisted's C{StandardIO} reads 8 KiB at a time, does not report why it cannot write, and
makes the streams non-blocking, even for every other process that shares them.
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

#: The number of bytes to read at a time: the size of a pipe.
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
    @return: the descriptor of a standard stream, 0 or 1; a new descriptor of the null
        device, if the process was started without that stream.
    """
    return descriptor if isOpen(descriptor) else os.open(os.devnull, os.O_RDWR)


def write(descriptor: int, text: str) -> None:
    """
    Write all of a text to standard output or standard error, bypassing Python's buffer:
    Python flushes it when the process ends, and prints a traceback if that fails.

    It is not an error if the stream is closed, or its reader has closed it.

    @param descriptor: 1 or 2.

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

    The client must continue, and end at a signal, even if nothing reads its messages.
    Often they go to the same full pipe as its output: C{2>&1}.

    @param descriptor: another descriptor to write to.
    """
    own = None
    if os.isatty(descriptor):
        # A terminal that is ready may accept only a part, and block.
        own = _reopen(descriptor, os.O_WRONLY)
    ready = select.poll()
    ready.register(descriptor, select.POLLOUT)
    data = text.encode(errors="backslashreplace")
    with suppress(OSError):
        while data and ready.poll(0):
            # A pipe that is ready accepts this much without blocking.
            part = data[: select.PIPE_BUF]
            data = data[os.write(descriptor if own is None else own, part) :]
    if own is not None:
        os.close(own)


def _say(descriptor: int, text: str) -> None:
    """
    Write a text to Python's stream if that was replaced; otherwise call L{write}.

    @raise OSError: if it cannot be written.
    """
    stream, own = (
        (sys.stdout, sys.__stdout__)
        if descriptor == 1
        else (sys.stderr, sys.__stderr__)
    )
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
        _say(1, text)
    except OSError as error:
        _fail(error)
    sys.exit(0)


def refuse(error: Exception | str) -> NoReturn:
    """
    Report wrong usage on standard error, and end the process.

    @param error: what is wrong.

    @raise SystemExit: always.
    """
    # If the message cannot be written, the exit status must be enough.
    with suppress(OSError):
        _say(2, f"clienttcp: {error} (see --help)\n")
    sys.exit(EX_USAGE)


def flush() -> None:
    """
    Flush the output that callbacks have printed, before the process ends.

    @raise SystemExit: if it cannot be written.
    """
    if sys.stdout is None or sys.stdout.closed:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python flushes again when the process ends: let that succeed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(error, BrokenPipeError):
            _fail(error)


def _fail(error: OSError) -> NoReturn:
    with suppress(OSError):
        _say(2, f"clienttcp: standard output cannot be written: {error.strerror}\n")
    sys.exit(EX_FAILED)


def _reopen(descriptor: int, access: int) -> int | None:
    """
    Open a pipe or a terminal again, to get an open file with its own blocking mode.
    Only Linux can do that.

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


class _Stream(FileDescriptor):
    """
    A standard stream in the reactor. Its blocking mode is not changed, because the mode
    belongs to the open file, which other processes share. They would lose output while
    this process runs or is stopped, and even after it was killed.
    """

    connected = 1
    #: Why the stream cannot be read or written.
    error: OSError | None = None

    def __init__(
        self,
        reactor: Any,
        descriptor: int,
        own: int | None,
        closed: Callable[[OSError | None], None],
    ) -> None:
        """
        @param own: the same file, opened again; None if that is not possible.
        @param closed: called at the end of the stream, with the error if there was one.
        """
        super().__init__(reactor)
        self._descriptor = os.dup(descriptor) if own is None else own
        self._closed = closed

    def fileno(self) -> int:
        """
        @return: the descriptor.
        """
        return self._descriptor

    def connectionLost(self, reason: Failure) -> None:
        """
        Close the stream. The producer is not stopped: C{closed} decides what to do.
        """
        self.producer = None
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        os.close(self._descriptor)
        self._closed(self.error)


class StandardInput(_Stream):
    """
    Reads standard input, as an C{IPushProducer} that is paused at first.
    """

    def __init__(
        self,
        reactor: Any,
        descriptor: int,
        received: Callable[[bytes], None],
        closed: Callable[[OSError | None], None],
    ) -> None:
        """
        @param received: called with the data.
        @param closed: called at the end, with the error if there was one.
        """
        # Ctrl-C discards input after the terminal was reported as readable. A blocking
        # read would then wait.
        own = _reopen(descriptor, os.O_RDONLY) if os.isatty(descriptor) else None
        super().__init__(reactor, descriptor, own, closed)
        self._received = received

    def doRead(self) -> Exception | None:
        """
        Read the available data.
        """
        try:
            data = os.read(self._descriptor, READ)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno != errno.EIO:
                # EIO: a terminal has hung up.
                self.error = error
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self._received(data)
        return None

    def hasEnded(self) -> bool:
        """
        Check for the end of the input without reading, because the rest of the input
        may be for another process.

        @return: True if nothing is left to read and nothing more will arrive.
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

    def pauseProducing(self) -> None:
        """
        Stop reading.
        """
        self.stopReading()  # type: ignore[no-untyped-call]

    def resumeProducing(self) -> None:
        """
        Start reading.
        """
        if self.connected:
            self.startReading()  # type: ignore[no-untyped-call]

    def stopProducing(self) -> None:
        """
        Pause: the next connection may continue.
        """
        self.pauseProducing()


class StandardOutput(_Stream):
    """
    Writes standard output, as an C{IConsumer}.

    @ivar pending: the number of bytes that have not been written yet.
    """

    pending = 0

    def __init__(
        self,
        reactor: Any,
        descriptor: int,
        closed: Callable[[OSError | None], None],
    ) -> None:
        """
        @param closed: called when nothing more can be written: with the error, or with
            None if the stream was closed here or by its reader.
        """
        mode = os.fstat(descriptor).st_mode
        isPipe, isTerminal = stat.S_ISFIFO(mode), os.isatty(descriptor)
        own = _reopen(descriptor, os.O_WRONLY) if isPipe or isTerminal else None
        super().__init__(reactor, descriptor, own, closed)
        #: The greatest number of bytes to write at a time; None for any number. If a
        #: blocking pipe, socket or terminal is ready, it accepts this many bytes. Other
        #: files never block.
        self._most: int | None = None
        if own is None and (isPipe or isTerminal or stat.S_ISSOCK(mode)):
            self._most = select.PIPE_BUF
        access = fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        if isPipe and access == os.O_WRONLY:
            # This end of a pipe becomes readable when the other end is closed.
            self.startReading()  # type: ignore[no-untyped-call]

    @property
    def full(self) -> bool:
        """
        True if nothing more should be written for now.
        """
        return bool(self._isSendBufferFull())  # type: ignore[no-untyped-call]

    def doRead(self) -> Exception:
        """
        The other end of the pipe has been closed.
        """
        return CONNECTION_LOST

    def write(self, data: bytes) -> None:
        """
        Write data as soon as possible.
        """
        if self.connected:
            self.pending += len(data)
        super().write(data)

    def writeSomeData(self, data: bytes) -> int | Exception:
        """
        @return: the number of bytes written; the reason of the loss if the stream can
            no longer be written.
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
