"""
Tests for what is read from a descriptor before it is closed.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection.descriptor import Descriptor
from twisted_clienttcp._connection.reading import Reading

RESET = Failure(ConnectionLost())


class Transport(FileDescriptor):
    """
    A transport that reads from a pipe.

    @ivar reads: the results of the next calls of C{doRead}: how many bytes it reads, or
        an exception.
    @ivar lost: the reasons for which the transport was lost, each with the number of
        reads that were left.
    """

    def __init__(self, test: SynchronousTestCase, data: bytes, reads: list[Any]):
        super().__init__(Clock())  # type: ignore[arg-type]
        self.source, sink = os.pipe()
        test.addCleanup(os.close, self.source)
        os.write(sink, data)
        os.close(sink)
        self.reads = reads
        self.lost: list[tuple[Failure, int]] = []

    def fileno(self) -> int:
        return self.source

    def doRead(self) -> Any:
        read = self.reads.pop(0)
        if isinstance(read, int):
            os.read(self.source, read)
            return None
        if isinstance(read, ZeroDivisionError):
            raise read
        return read

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append((reason, len(self.reads)))


class Input(Reading):
    """
    The input of a connection that is held when so many reads are left.
    """

    def __init__(self, reads: list[Any], keep: int = -1) -> None:
        self.reads, self.keep = reads, keep

    def delivers(self) -> bool:
        return len(self.reads) > self.keep


class Socket:
    """
    A socket whose options are all this value, or raise this exception.
    """

    family = socket.AF_INET

    def __init__(self, answer: bytes | OSError) -> None:
        self.answer = answer

    def getsockopt(self, *option: int) -> bytes:
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


class Above:
    """
    A transport such as that of TLS.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport


class DescriptorTests(SynchronousTestCase):
    """
    L{Descriptor}.
    """

    def lose(
        self, data: bytes, reads: list[Any], reason: Failure = RESET, keep: int = -1
    ) -> tuple[Descriptor, Transport]:
        """
        Let the reactor report the loss of a transport.

        @param data: the data that waits in the kernel.
        @param keep: nothing may be read while so many reads are left.
        """
        transport = Transport(self, data, reads)
        descriptor = Descriptor(transport, Input(reads, keep))
        transport.connectionLost(reason)
        return descriptor, transport

    def test_everything(self) -> None:
        """
        When the connection is reset, all data is read before the loss is reported.
        """
        descriptor, transport = self.lose(b"123456", [5, 1, 9])
        self.assertEqual(transport.lost, [(RESET, 1)])
        self.assertEqual(descriptor.unread, 0)

    def test_held(self) -> None:
        """
        Nothing is read while it would not be delivered, and what is left is counted.
        """
        descriptor, transport = self.lose(b"123456", [2, 1, 9], keep=1)
        self.assertEqual(transport.lost, [(RESET, 1)])
        self.assertEqual(descriptor.unread, 3)

    def test_nothingRead(self) -> None:
        """
        A read that leaves as many bytes as there were is the last one.
        """
        descriptor, transport = self.lose(b"123456", [0, 6])
        self.assertEqual(transport.lost, [(RESET, 1)])
        self.assertEqual(descriptor.unread, 6)

    def test_ends(self) -> None:
        """
        A read that ends the connection is the last one.
        """
        _, transport = self.lose(b"123456", [1, ConnectionDone(), 5])
        self.assertEqual(transport.lost, [(RESET, 1)])

    def test_otherReasons(self) -> None:
        """
        Nothing is read if our side has closed the connection.
        """
        for error in (ConnectionDone(), ConnectionAborted()):
            reason = Failure(error)
            descriptor, transport = self.lose(b"123456", [6], reason)
            self.assertEqual(transport.lost, [(reason, 1)])
            self.assertEqual(descriptor.unread, 6)

    def test_raises(self) -> None:
        """
        A callback that raises while the rest is read does not hide the loss.
        """
        with self.assertRaises(ZeroDivisionError):
            self.lose(b"123456", [ZeroDivisionError()])
        transport = Transport(self, b"123456", [ZeroDivisionError()])
        Descriptor(transport, Input(transport.reads))
        self.assertRaises(ZeroDivisionError, transport.connectionLost, RESET)
        self.assertEqual(transport.lost, [(RESET, 0)])

    def test_twice(self) -> None:
        """
        A transport that is lost twice, as when it is aborted while the rest is read,
        reads nothing the second time.
        """
        descriptor, transport = self.lose(b"123", [3, 3])
        transport.connectionLost(RESET)
        self.assertEqual(transport.lost, [(RESET, 1), (RESET, 1)])
        self.assertEqual(descriptor.unread, 0)

    def test_scheduled(self) -> None:
        """
        After a half-close, C{loseConnection} of Twisted schedules a call of the method.
        If the connection is lost before that, this call does nothing.
        """
        transport = Transport(self, b"", [])
        Descriptor(transport, Input(transport.reads))
        scheduled = transport.connectionLost
        transport.connectionLost(RESET)
        scheduled(Failure(ConnectionDone()))
        self.assertEqual(transport.lost, [(RESET, 0)])

    def test_below(self) -> None:
        """
        The descriptor of a TLS transport is that of the transport below.
        """
        transport = Transport(self, b"123", [3])
        above = Above(transport)
        descriptor = Descriptor(above, Input(transport.reads))
        transport.connectionLost(RESET)
        self.assertEqual((transport.reads, descriptor.unread), ([], 0))

    def test_unknown(self) -> None:
        """
        Nothing is known of a transport without a descriptor.
        """
        descriptor = Descriptor(object(), Input([]))
        self.assertIsNone(descriptor.countUnacknowledged())
        self.assertIsNone(descriptor.unread)
        self.assertIsNone(descriptor.unacknowledged)

    def test_refused(self) -> None:
        """
        The numbers are unknown if the system does not know them: a pipe has none of
        unacknowledged bytes.
        """
        descriptor, _ = self.lose(b"", [])
        self.assertIsNone(descriptor.unacknowledged)

    def test_closed(self) -> None:
        """
        A socket that the user has closed, or one that does not know an option, neither
        hides the loss nor breaks the timers that look at it.
        """
        for errors in (OSError(errno.EBADF, "closed"), OSError(errno.ENOPROTOOPT, "")):
            transport: Any = Transport(self, b"", [])
            transport.socket = Socket(errors)
            descriptor = Descriptor(transport, Input([]))
            accepted = descriptor.acceptance(lambda: 0)
            self.assertEqual(accepted(), 0)
            transport.connectionLost(RESET)
            self.assertEqual(transport.lost, [(RESET, 0)])
            self.assertFalse(descriptor.failed)
            self.assertEqual(accepted(), 0)

    def test_shortAnswer(self) -> None:
        """
        An older kernel does not count acknowledged bytes.
        """
        transport: Any = Transport(self, b"", [])
        transport.socket = Socket(b"x" * 104)
        accepted = Descriptor(transport, Input([])).acceptance(lambda: 0)
        self.assertEqual(accepted(), 0)
