"""
The three commands and their standard streams: shared with other processes, or missing.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall

from .._commands import (
    CLIENTTCP,
    TWIST,
    TWISTD,
    USAGE,
    Command,
    ServedTestCase,
    hold,
    position,
)
from .._support import GUARD, Peer, Server, reactor

#: Each command, with its log in a file.
COMMANDS = (
    CLIENTTCP,
    (*TWISTD, "--pidfile=", "--logfile=log", "clienttcp"),
    (*TWIST, "--log-format=text", "--log-file=log", "clienttcp"),
)


class StreamTestCase(ServedTestCase):
    """
    Runs commands with pipes, terminals and sockets of the test.
    """

    def closing(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            self.addCleanup(os.close, descriptor)

    def pipe(self) -> tuple[int, int]:
        """
        @return: a pipe that is closed when the test ends.
        """
        ends = os.pipe()
        self.closing(*ends)
        return ends

    def terminal(self) -> tuple[int, int]:
        """
        @return: the two sides of a terminal, which are closed when the test ends.
        """
        ends = os.openpty()
        self.closing(*ends)
        return ends

    def sockets(self) -> tuple[int, int]:
        """
        @return: a pair of sockets, which are closed when the test ends.
        """
        ends = tuple(end.detach() for end in socket.socketpair())
        self.closing(*ends)
        return ends[0], ends[1]

    def unread(self) -> int:
        """
        @return: the writing end of a pipe that is not read.
        """
        reading, writing = os.pipe()
        os.close(reading)
        self.closing(writing)
        return writing

    def openForWriting(self, path: str) -> int:
        descriptor = os.open(path, os.O_WRONLY)
        self.closing(descriptor)
        return descriptor

    async def until(self, true: Any) -> None:
        """
        Wait until a function returns something true.
        """

        def look() -> None:
            if true():
                looking.stop()

        looking = LoopingCall(look)
        await looking.start(0.02).addTimeout(GUARD, reactor)


class ModeTests(StreamTestCase):
    """
    The blocking mode of a stream belongs to all processes that share it. If one of them
    changes it, another one loses output.
    """

    #: Each sequence of signals, and whether the process has ended after it. SIGSTOP
    #: does what Ctrl-Z does, also to a process that no shell controls.
    SIGNALS = (
        (("TERM", "TERM"), True),
        (("HUP",), True),
        (("QUIT",), True),
        (("STOP",), False),
        (("STOP", "CONT"), False),
    )

    async def test_unchanged(self) -> None:
        """
        The mode of any stream is the same while a command runs, while it is stopped,
        and after it has ended.
        """
        for command, kind in (
            *((command, self.pipe) for command in COMMANDS),
            (CLIENTTCP, self.terminal),
            (CLIENTTCP, self.sockets),
        ):
            server = await self.serve()
            server.met = lambda peer: peer.send(b"ready\n")
            server.left = lambda peer: None
            theirInput, ourInput = kind()
            ourOutput, theirOutput = kind()
            if kind is self.terminal:
                # Only the other side has the mode of a terminal.
                theirInput, ourInput = ourInput, theirInput
            process = self.spawn(
                *(*command, *self.where),
                childFDs={0: theirInput, 1: theirOutput, 2: "r"},
            )
            await self.until(lambda out=ourOutput: b"ready" in waiting(out))
            self.assertTrue(os.get_blocking(theirInput))
            self.assertTrue(os.get_blocking(theirOutput))
            self.process.signalProcess("KILL")
            await process.ended

    async def test_signals(self) -> None:
        """
        The mode is the same after each signal.
        """
        for signals, ends in self.SIGNALS:
            server = await self.serve()
            server.met = lambda peer: peer.send(b"ready\n")
            server.left = lambda peer: None
            theirInput, _ = self.pipe()
            ourOutput, theirOutput = self.pipe()
            command = self.spawn(
                *(*CLIENTTCP, *self.where),
                childFDs={0: theirInput, 1: theirOutput, 2: "r"},
            )
            await self.until(lambda out=ourOutput: b"ready" in waiting(out))
            for name in signals:
                self.process.signalProcess(getattr(signal, f"SIG{name}"))
                if name == "TERM":
                    # After the first one, the client ends its side.
                    await server.peers[0].ended
            if ends:
                await command.ended
            else:
                stopped = signals[-1] != "CONT"
                await self.until(lambda wanted=stopped: self.stopped() == wanted)
            for descriptor in (theirInput, theirOutput):
                self.assertTrue(os.get_blocking(descriptor), signals)

    def stopped(self) -> bool:
        """
        True if the process is stopped.
        """
        return Path(f"/proc/{self.process.pid}/stat").read_text().split()[2] == "T"


def waiting(descriptor: int) -> bytes:
    """
    @return: the data that can be read now, without changing the mode.
    """
    found = b""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while poll.poll(0):
        data = os.read(descriptor, 4096)
        if not data:
            break
        found += data
    return found


class ClosedTests(StreamTestCase):
    """
    Each command works without its standard streams. It never uses a file that has got
    the number of one of them instead.
    """

    async def test_closed(self) -> None:
        """
        Without standard input, nothing is sent; without standard output, nothing is
        printed. Everything else works as usual.
        """
        cases: tuple[set[int], ...] = ({0}, {1}, {2}, {0, 1, 2})
        for command in COMMANDS:
            await gatherResults(
                [Deferred.fromCoroutine(self.closed(command, case)) for case in cases]
            )

    async def closed(self, command: tuple[str, ...], closed: set[int]) -> None:
        """
        Check a command without some of its streams.
        """
        server = await self.listen()
        server.met = lambda peer: peer.send(b"hello\n")
        streams: dict[int, Any] = {0: "w", 1: "r", 2: "r"}
        home = self.directory()
        process = self.spawn(
            *(*command, "--eof=keep", "127.0.0.1", server.port),
            childFDs={d: streams[d] for d in streams if d not in closed},
            path=home,
        )
        running = self.process
        await self.met(server)
        if 1 not in closed:
            await process.said(b"hello")
        if 0 not in closed:
            process.type(b"one\n", end=False)
            await server.peers[0].until(b"one")
        running.signalProcess("TERM")
        status = await process.ended.addTimeout(GUARD, reactor)
        about = (command, closed, process.err)
        self.assertEqual(status, 143 if command is CLIENTTCP else -15, about)
        self.assertEqual(process.err, b"", about)
        self.assertEqual(process.out, b"" if 1 in closed else b"hello\n", about)
        received = b"" if 0 in closed else b"one\r\n"
        self.assertEqual([peer.received for peer in server.peers], [received], about)
        log = Path(home, "log")
        if command is not CLIENTTCP:
            self.assertNotIn("Error", log.read_text(), about)

    async def test_demo(self) -> None:
        """
        The demo needs no standard streams.
        """
        process = self.spawn(*COMMANDS[1], "--demo", childFDs={})
        await self.end(process, 0)


class OutputTests(StreamTestCase):
    """
    Text that a command prints without a client: help, versions, errors and the demo.
    """

    async def finished(self, *arguments: str, **streams: Any) -> Command:
        """
        Run a command, and set C{status} to its exit status.
        """
        descriptors = {0: "w", 1: "r", 2: "r"}
        given = {int(name[1:]): stream for name, stream in streams.items()}
        command = self.spawn(*arguments, childFDs={**descriptors, **given})
        await self.end(command)
        return command

    #: Commands that print to standard output.
    PRINTING = (
        (*CLIENTTCP, "--help"),
        (*CLIENTTCP, "--version"),
        (*TWISTD, "clienttcp", "--help"),
        (*TWIST, "clienttcp", "--help"),
    )

    #: Commands that print to standard error.
    REFUSED = (
        (*CLIENTTCP, "--no-such-option"),
        (*CLIENTTCP, "--client=no_such:thing", "localhost", "7"),
        (*TWISTD, "clienttcp", "localhost", "65536"),
        (*TWIST, "clienttcp", "localhost", "65536"),
    )

    async def test_unread(self) -> None:
        """
        If standard output is not read, as after C{| head -n 1}, that is not an error.
        """
        for arguments in self.PRINTING:
            done = await self.finished(*arguments, _1=self.unread())
            self.assertEqual((self.status, done.err), (0, b""), arguments)

    async def test_full(self) -> None:
        """
        If standard output cannot be written, that is an error of one line.
        """
        for arguments in (self.PRINTING[0], (*CLIENTTCP, "--demo")):
            done = await self.finished(*arguments, _1=self.openForWriting("/dev/full"))
            self.assertEqual(self.status, 1, (arguments, done.err))
            self.assertIn(b"standard output cannot be written: No space left", done.err)
            self.assertEqual(done.err.count(b"\n"), 1, done.err)

    async def test_refused(self) -> None:
        """
        Wrong usage has its status even if the message cannot be written.
        """
        full = self.openForWriting("/dev/full")
        for arguments, descriptor in (
            *((arguments, self.unread()) for arguments in self.REFUSED),
            (self.REFUSED[0], full),
        ):
            done = await self.finished(*arguments, _2=descriptor)
            self.assertEqual((self.status, done.out), (USAGE, b""), arguments)

    async def test_nonBlocking(self) -> None:
        """
        All of the help is printed, even to a pipe that another process has made
        non-blocking.
        """
        reading, writing = self.pipe()
        os.set_blocking(writing, False)
        filled = 0
        try:
            while True:
                filled += os.write(writing, bytes(65536))
        except BlockingIOError:
            pass
        command = self.spawn(
            *CLIENTTCP, "--help", childFDs={0: "w", 1: writing, 2: "r"}
        )
        found = b""

        def look() -> bool:
            nonlocal found
            found += waiting(reading)
            return b"explains each option." in found[filled:]

        await self.until(look)
        await self.end(command, 0)
        found += waiting(reading)
        self.assertTrue(found[filled:].startswith(b"Usage: clienttcp"))

    async def test_callbacks(self) -> None:
        """
        Text that callbacks have printed is written before the process ends.
        """
        source = """
class Handlers:
    def connected(self, client, peer):
        print("connected")
        client.shutdown()

    def serverInput(self, client, line):
        pass
"""
        server = await self.serve()
        arguments = (*CLIENTTCP, "--client=handlers:Handlers", *map(str, self.where))
        for stream, status, error in (
            (self.unread(), 0, b""),
            (
                self.openForWriting("/dev/full"),
                1,
                b"clienttcp: standard output cannot be written: No space left on "
                b"device\n",
            ),
        ):
            home = self.directory()
            Path(home, "handlers.py").write_text(source)
            command = self.spawn(
                *arguments, path=home, childFDs={0: "w", 1: stream, 2: "r"}
            )
            await self.end(command, status)
            self.assertEqual(command.err, error)
        self.assertEqual(len(server.peers), 2)


class StatusTests(StreamTestCase):
    """
    The exit status is 0 only if standard input was sent to its end.
    """

    async def ended(
        self, stdin: int, met: Any, status: int, *options: str, left: Any = None
    ) -> Command:
        """
        Check the status of a command, with a server that calls C{met} with each
        connection.
        """
        server = Server()
        server.met = met
        if left is not None:
            server.left = left
        await self.listen(server)
        command = self.spawn(
            *(*CLIENTTCP, *options, "127.0.0.1", server.port),
            childFDs={0: stdin, 1: "r", 2: "r"},
        )
        await self.end(command, status)
        return command

    def endless(self) -> int:
        """
        @return: a file of zeros, larger than all buffers between two ends of a
            connection.
        """
        path = Path(self.directory(), "file")
        path.touch()
        os.truncate(path, 1_000_000_000)
        descriptor = os.open(path, os.O_RDONLY)
        self.closing(descriptor)
        return descriptor

    async def test_left(self) -> None:
        """
        The status is 1 if the server closes before that, and one line says so.
        """
        silent, writing = self.pipe()
        closed = b"before the end of standard input"
        file = self.endless()
        for stdin, met in (
            (silent, Peer.close),
            (self.terminal()[1], Peer.close),
            (file, self.halfClose),
        ):
            done = await self.ended(stdin, met, 1, "--framing=stream")
            self.assertIn(closed, done.err)
            self.assertEqual(done.err.count(b"\n"), 1, done.err)

    def halfClose(self, peer: Peer) -> None:
        """
        End the server's side alone.
        """
        transport: Any = peer.transport
        transport.loseWriteConnection()

    async def test_ended(self) -> None:
        """
        The status is 0 if nothing is left to read, even if the server closes before the
        client has noticed that; and with C{--recv-only}.
        """
        reading, writing = os.pipe()
        os.close(writing)
        self.closing(reading)
        null = os.open(os.devnull, os.O_RDONLY)
        self.closing(null)
        for stdin in (null, reading):
            done = await self.ended(stdin, Peer.close, 0)
            self.assertEqual(done.err, b"")
        silent, _ = self.pipe()
        await self.ended(silent, Peer.close, 0, "--recv-only")

    async def test_unacknowledged(self) -> None:
        """
        The status is 1 if the server ends its side before its kernel has acknowledged
        all of standard input, even if ours has accepted it.
        """
        server = await self.serve()
        server.met = hold
        path = Path(self.directory(), "file")
        path.write_bytes(bytes(2_000_000))
        with path.open("rb") as file:
            command = self.spawn(
                *(*CLIENTTCP, "--framing=stream", "--eof=keep", *self.where),
                childFDs={0: file.fileno(), 1: "r", 2: "r"},
            )
            self.assertEqual(await self.settled(position(file)), 2_000_000)
        self.halfClose(server.peers[0])
        await self.end(command, 1)
        self.assertRegex(
            command.err,
            rb"^clienttcp: the server has not acknowledged \d{4,} bytes .*\n$",
        )

    async def test_twistd(self) -> None:
        """
        Under twistd and twist the log says so.
        """
        for command in COMMANDS[1:]:
            silent, _ = self.pipe()
            server = await self.serve()
            home = self.directory()
            reading, writing = os.pipe()
            process = self.spawn(
                *(*command, "--max-retries=0", "--stable-after=60", *self.where),
                childFDs={0: silent, 1: writing, 2: "r"},
                path=home,
            )
            os.close(writing)
            await self.met(server)
            os.close(reading)
            server.peers[0].close()
            await process.ended.addTimeout(GUARD, reactor)
            self.assertIn("(as exit status: 1)", Path(home, "log").read_text())


class MessageTests(StreamTestCase):
    """
    Messages on standard error.
    """

    async def test_unreadOutput(self) -> None:
        """
        A signal ends the command while its output is not read, even if its messages go
        to the same pipe (C{2>&1}).
        """
        server = await self.serve()
        server.met = lambda peer: peer.send(bytes(300_000) + b"\n")
        server.left = lambda peer: None
        _, writing = self.pipe()
        process = self.spawn(
            *(*CLIENTTCP, "--verbose", "--framing=stream", *self.where),
            childFDs={0: "w", 1: writing, 2: writing},
        )
        await self.until(lambda: not select.select([], [writing], [], 0)[1])
        self.process.signalProcess("TERM")
        await self.end(process, 128 + signal.SIGTERM)
