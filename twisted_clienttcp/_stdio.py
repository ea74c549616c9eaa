"""
Standard input and output under a reactor.

Twisted's C{StandardIO} reads 8 KiB at a time, does not say what kept it from writing,
and leaves standard input, and whatever shares it, in non-blocking mode.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

#: How many octets are read at a time: what a pipe holds.
READ = 64 * 1024


class StandardInput(FileDescriptor):
    """
    Reads file descriptor 0, an C{IPushProducer}. It is made paused.

    The descriptor is not made non-blocking, since the mode is shared with other
    processes: it is read when it can be read, and then a read gives what there is.

    @ivar error: what kept it from reading, if anything did.
    """

    connected = 1
    error: OSError | None = None

    def __init__(
        self, reactor: Any, received: Callable[[bytes], None], ended: Callable[[], None]
    ) -> None:
        """
        @param received: called with what has been read.
        @param ended: called when there is no more.
        """
        super().__init__(reactor)
        self._received = received
        self._ended = ended

    def fileno(self) -> int:
        """
        @return: 0.
        """
        return 0

    def doRead(self) -> Any:
        """
        Read what there is.
        """
        try:
            data = os.read(0, READ)
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

    def stopProducing(self) -> None:
        """
        Who consumed this does so no more: pause, another may come.
        """
        self.pauseProducing()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure) -> None:
        """
        Standard input has ended.
        """
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        self._ended()


class StandardOutput(FileDescriptor):
    """
    Writes file descriptor 1, an C{IConsumer}.

    @ivar error: what kept it from writing, if anything did.
    """

    connected = 1
    error: OSError | None = None

    def __init__(self, reactor: Any, closed: Callable[[], None]) -> None:
        """
        @param closed: called when nothing more can be written: all is written and it
            was asked to close, or nobody reads any more, or C{error}.
        """
        super().__init__(reactor)
        self._closed = closed
        self._blocking = os.get_blocking(1)
        os.set_blocking(1, False)
        if stat.S_ISFIFO(os.fstat(1).st_mode) and (
            fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        ):
            # This end of a pipe is readable when nobody is at the other end any more.
            self.startReading()  # type: ignore[no-untyped-call]

    def fileno(self) -> int:
        """
        @return: 1.
        """
        return 1

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

    def writeSomeData(self, data: Any) -> Any:
        """
        @return: how many octets could be written.
        """
        try:
            return os.write(1, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.error = error
            return CONNECTION_LOST

    def connectionLost(self, reason: Failure) -> None:
        """
        Nothing more can be written. Who produced for this goes on: he is to be told
        by C{closed}, if at all.
        """
        self.producer = None
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        # As whoever shares it expects to find it.
        os.set_blocking(1, self._blocking)
        self._closed()
