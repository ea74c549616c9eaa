"""
Tests for standard input and output, with pipes, terminals and files.
"""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import tempfile
from typing import NoReturn

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._command.stdio import (
    StandardInput,
    StandardOutput,
    flush,
    writeIfReady,
)


class DescriptorTestCase(SynchronousTestCase):
    """
    Has descriptors that are closed when a test ends.
    """

    def closing(self, descriptor: int) -> int:
        self.addCleanup(self.close, descriptor)
        return descriptor

    def close(self, descriptor: int) -> None:
        try:
            os.close(descriptor)
        except OSError:
            # The test has closed it.
            pass

    def pipe(self) -> tuple[int, int]:
        reading, writing = os.pipe()
        return self.closing(reading), self.closing(writing)

    def terminal(self) -> tuple[int, int]:
        master, slave = os.openpty()
        return self.closing(master), self.closing(slave)

    def file(self, data: bytes) -> int:
        descriptor, path = tempfile.mkstemp()
        os.unlink(path)
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return self.closing(descriptor)

    def withoutProc(self) -> None:
        """
        Make every attempt to open a file fail.
        """

        def refuse(path: object, *args: object) -> int:
            raise PermissionError

        self.patch(os, "open", refuse)


class StandardInputTests(DescriptorTestCase):
    """
    Tests for L{StandardInput}.
    """

    def read(self, descriptor: int) -> StandardInput:
        self.got: list[bytes] = []
        self.reactor = MemoryReactorClock()
        made = StandardInput(
            self.reactor,
            descriptor,
            self.got.append,
            lambda error: self.got.append(b"END"),
        )
        self.addCleanup(self.close, made.fileno())
        return made

    def test_hasEndedPipe(self) -> None:
        """
        A pipe has ended if it is empty and has no writer.
        """
        reading, writing = self.pipe()
        stdin = self.read(reading)
        self.assertFalse(stdin.hasEnded())
        os.write(writing, b"x")
        self.assertFalse(stdin.hasEnded())
        os.close(writing)
        self.assertFalse(stdin.hasEnded())
        stdin.doRead()
        self.assertTrue(stdin.hasEnded())
        self.assertEqual(self.got, [b"x"])

    def test_hasEndedFile(self) -> None:
        """
        A file has ended if it has been read to its end.
        """
        stdin = self.read(self.file(b"x"))
        self.assertFalse(stdin.hasEnded())
        stdin.doRead()
        self.assertTrue(stdin.hasEnded())

    def test_hasEndedTerminal(self) -> None:
        """
        A terminal has ended when Ctrl-D is next, and when it has hung up.
        """
        master, slave = self.terminal()
        stdin = self.read(slave)
        self.assertFalse(stdin.hasEnded())
        os.write(master, b"line\n")
        self.assertFalse(stdin.hasEnded())
        stdin.doRead()
        self.assertFalse(stdin.hasEnded())
        os.write(master, b"\x04")
        self.assertTrue(stdin.hasEnded())
        os.close(master)
        self.assertTrue(stdin.hasEnded())

    def test_hasEndedDevice(self) -> None:
        """
        The null device has always ended, and the zero device never.
        """
        for path, ended in (("/dev/null", True), ("/dev/zero", False)):
            stdin = self.read(self.closing(os.open(path, os.O_RDONLY)))
            self.assertEqual(stdin.hasEnded(), ended)

    def test_discarded(self) -> None:
        """
        Reading does not block if Ctrl-C has discarded what could be read.
        """
        _, slave = self.terminal()
        stdin = self.read(slave)
        self.assertIs(stdin.doRead(), None)
        self.assertEqual(self.got, [])
        self.assertTrue(os.get_blocking(slave))


class StandardOutputTests(DescriptorTestCase):
    """
    Tests for L{StandardOutput}.
    """

    def write(self, descriptor: int) -> StandardOutput:
        self.closed = 0
        self.reactor = MemoryReactorClock()

        def close(error: OSError | None) -> None:
            self.closed += 1

        made = StandardOutput(self.reactor, descriptor, close)
        self.addCleanup(self.close, made.fileno())
        return made

    def test_pending(self) -> None:
        """
        Pending output is counted, and writing never blocks.
        """
        for kind in (self.pipe, self.terminal):
            ours, theirs = kind()
            stdout = self.write(theirs)
            stdout.write(bytes(1_000_000))
            self.assertEqual(stdout.pending, 1_000_000)
            before = None
            while stdout.pending != before:
                before = stdout.pending
                stdout.doWrite()
            self.assertTrue(0 < stdout.pending < 1_000_000)
            self.assertTrue(os.get_blocking(theirs))

    def test_withoutProc(self) -> None:
        """
        If a pipe cannot be opened again, only as much is written at a time as it
        accepts without blocking.
        """
        self.withoutProc()
        ours, theirs = self.pipe()
        stdout = self.write(theirs)
        stdout.write(bytes(10_000))
        stdout.doWrite()
        self.assertEqual(stdout.pending, 10_000 - 4096)
        self.assertEqual(len(os.read(ours, 10_000)), 4096)
        self.assertTrue(os.get_blocking(theirs))

    def test_file(self) -> None:
        """
        A file is written at once, after the output of other processes.
        """
        file = self.file(b"before")
        os.lseek(file, 0, os.SEEK_END)
        stdout = self.write(file)
        stdout.write(bytes(100_000))
        stdout.doWrite()
        os.write(file, b"after")
        self.assertEqual(
            os.pread(file, 200_000, 0), b"before" + bytes(100_000) + b"after"
        )

    def test_device(self) -> None:
        """
        A device that is not a terminal accepts any number of bytes at once.
        """
        stdout = self.write(self.closing(os.open("/dev/null", os.O_WRONLY)))
        stdout.write(bytes(100_000))
        stdout.doWrite()
        self.assertEqual(stdout.pending, 0)

    def test_unread(self) -> None:
        """
        A pipe without a reader is noticed, even if it cannot be opened again.
        """
        for alter in (lambda: None, self.withoutProc):
            alter()
            ours, theirs = self.pipe()
            stdout = self.write(theirs)
            self.assertIn(stdout, self.reactor.getReaders())
            os.close(ours)
            stdout.write(b"x")
            reason = stdout.doWrite()
            self.assertIsInstance(reason, Exception)
            self.assertIs(stdout.error, None)


class WriteIfReadyTests(DescriptorTestCase):
    """
    Tests for L{writeIfReady}.
    """

    def setUp(self) -> None:
        """
        Interrupt a write that blocks.
        """

        def interrupt(signum: int, frame: object) -> NoReturn:
            raise AssertionError("writeIfReady blocks")

        before = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        self.addCleanup(signal.alarm, 0)
        signal.alarm(20)

    def test_room(self) -> None:
        """
        A text is written as far as there is room for it, in one or several parts.
        """
        reading, writing = self.pipe()
        writeIfReady("x" * 10_000, writing)
        self.assertEqual(os.read(reading, 20_000), b"x" * 10_000)
        writeIfReady("x" * 1_000_000, writing)
        self.assertEqual(select.select([], [writing], [], 0)[1], [])
        self.assertTrue(os.get_blocking(writing))

    def test_full(self) -> None:
        """
        If there is no room, or no reader, the text is dropped.
        """
        for kind in (self.pipe, self.terminal):
            ours, theirs = kind()
            for _ in range(2):
                writeIfReady("x" * 1_000_000, theirs)
            os.close(ours)
            writeIfReady("x", theirs)


class FlushTests(SynchronousTestCase):
    """
    Tests for L{flush}.
    """

    def test_nothing(self) -> None:
        """
        It does nothing if standard output is missing, or a callback has closed it.
        """
        closed = io.StringIO()
        closed.close()
        for stdout in (None, closed):
            self.patch(sys, "stdout", stdout)
            flush()
