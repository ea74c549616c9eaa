"""
Helpers for tests of the three commands: processes with pipes, files and a terminal.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import SkipTest

from ._processes import spawn
from ._support import GUARD, NetworkTestCase, Peer, Server, reactor

CLIENTTCP = ("-m", "twisted_clienttcp")
TWISTD = ("-c", "from twisted.scripts.twistd import run; run()", "--nodaemon")
TWIST = ("-m", "twisted")
USAGE = 64

#: The characters that remove the progress line from a terminal: back to its start, and
#: clear it.
ERASE = "\r\x1b[K"


class Command(ProcessProtocol):
    """
    A running command.

    @ivar ended: a Deferred that fires with its exit status when it has exited and its
        output has been read; the negative number of the signal, if one has ended it.
    @ivar exited: a Deferred that fires when it has exited.
    @ivar outLength: the number of bytes that it has written to standard output.
    @ivar keep: False to only count those bytes.
    """

    keep = True

    def __init__(self) -> None:
        self.out = b""
        self.outLength = 0
        self.err = b""
        self.ended: Deferred[int] = Deferred()
        self.exited: Deferred[None] = Deferred()
        self._waiting: list[tuple[bytes, Deferred[None]]] = []

    def outReceived(self, data: bytes) -> None:
        self.outLength += len(data)
        if self.keep:
            self.out += data
            self._look()

    def errReceived(self, data: bytes) -> None:
        self.err += data
        self._look()

    def said(self, data: bytes) -> Deferred[None]:
        """
        @return: a Deferred that fires when these bytes have been written to standard
            output or standard error.
        """
        waiter: Deferred[None] = Deferred()
        self._waiting.append((data, waiter))
        self._look()
        return waiter.addTimeout(GUARD, reactor)

    def _look(self) -> None:
        waiting, self._waiting = self._waiting, []
        for data, waiter in waiting:
            if data in self.out or data in self.err:
                waiter.callback(None)
            else:
                self._waiting.append((data, waiter))

    def type(self, data: bytes, end: bool = True) -> None:
        """
        Write to standard input.

        @param end: True to close it then.
        """
        transport: Any = self.transport
        transport.write(data)
        if end:
            transport.closeStdin()

    def processExited(self, reason: Any) -> None:
        self.exited.callback(None)

    def processEnded(self, reason: Any) -> None:
        status = 0
        if reason.check(ProcessTerminated):
            number = reason.value.signal
            status = reason.value.exitCode if number is None else -number
        self.ended.callback(status)


class CommandTestCase(NetworkTestCase):
    """
    Runs commands.
    """

    def spawn(self, *arguments: object, **options: Any) -> Command:
        """
        Start Python with these arguments, in a directory of its own.
        """
        command = Command()
        self.process = spawn(
            command,
            sys.executable,
            *arguments,
            **{"path": self.directory(), **options},
        )
        self.addCleanup(self._end, command, self.process)
        return command

    def directory(self) -> str:
        """
        @return: a directory that is removed when the test ends.
        """
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        return directory

    async def _end(self, command: Command, process: Any) -> None:
        if process.pid is not None:
            process.signalProcess("KILL")
            await command.ended

    async def run_(self, *arguments: object, given: bytes = b"") -> Command:
        """
        Run a command until it has ended; C{self.status} is its exit status.

        @param given: its standard input.
        """
        command = self.spawn(*arguments)
        command.type(given)
        await self.end(command)
        return command

    async def end(self, command: Command, status: int | None = None) -> None:
        """
        Wait until a command has ended.

        @param status: the exit status that it must have; None for any.
        """
        self.status = await command.ended.addTimeout(GUARD, reactor)
        if status is not None:
            self.assertEqual(self.status, status, command.err)


def answers(peer: Peer, data: bytes) -> None:
    """
    Answer in capitals, and close the connection after a line that says C{bye}.
    """
    peer.send(data.upper())
    if b"bye" in peer.received:
        peer.close()


def answersLate(peer: Peer) -> None:
    """
    Answer when the client has ended its side.
    """
    peer.send(b"late\n")
    peer.close()


def hold(peer: Any) -> None:
    """
    Read nothing.
    """
    peer.transport.pauseProducing()


def position(stdin: Any) -> Callable[[], int]:
    """
    @return: a function that returns how far a file has been read, also by a child
        process whose standard input is the same open file.
    """
    return lambda: os.lseek(stdin.fileno(), 0, os.SEEK_CUR)


class Source(io.RawIOBase):
    """
    A file that counts the bytes that have been read, in C{peer.sent}.
    """

    def __init__(self, peer: Any, chunk: bytes, total: int) -> None:
        self._peer, self._chunk, self._total = peer, chunk, total

    def read(self, size: int = -1) -> bytes:
        if self._peer.sent >= self._total:
            return b""
        self._peer.sent += len(self._chunk)
        return self._chunk


class Terminal:
    """
    The output on a terminal.

    @ivar text: the output until now.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    text = ""

    async def said(self, word: str) -> None:
        """
        Wait until a word is shown.
        """

        def look() -> None:
            self.look()
            if word in self.text:
                looking.stop()

        looking = LoopingCall(look)
        await looking.start(0.02).addTimeout(GUARD, reactor)

    def look(self) -> None:
        """
        Read new output.
        """
        try:
            self.text += os.read(self._descriptor, 65536).decode()
        except OSError:
            # There is no new output, or no process writes to the terminal any more.
            pass


class ServedTestCase(CommandTestCase):
    """
    Runs commands that connect to a server.
    """

    async def serve(self) -> Server:
        """
        @return: a server that L{answers}.
        """
        server = await self.listen()
        server.heard = answers
        self.where = ("127.0.0.1", server.port)
        return server

    async def met(self, server: Server) -> None:
        """
        Wait until the server has a peer.
        """
        met: Deferred[Any] = Deferred()
        before = server.met
        if not server.peers:

            def meet(peer: Peer) -> None:
                before(peer)
                met.callback(None)

            server.met = meet
            await met.addTimeout(GUARD, reactor)

    async def settled(self, position: Callable[[], int]) -> int:
        """
        Wait until a position is not 0 and has stopped moving.

        @return: the position.
        """
        former = [0, 0, 0]

        def look() -> None:
            former.append(position())
            if former[-1] and len(set(former[-4:])) == 1:
                looking.stop()

        looking = LoopingCall(look)
        await looking.start(0.05).addTimeout(GUARD, reactor)
        return former[-1]

    def memory(self) -> int:
        """
        @return: the peak memory of the command in bytes.
        """
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            raise SkipTest("there is no /proc to look at the memory of a process")
        [line] = re.findall(r"VmHWM:\s+([0-9]+) kB", status.read_text())
        return int(line) * 1024


def killed(pid: int) -> None:
    """
    Kill a daemon that a failed test has left behind, if it is running.
    """
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
