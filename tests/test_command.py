"""
The three commands as people run them: processes of their own, with pipes, files and
a terminal, towards servers on the loopback interface.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import LoopingCall

import twisted_clienttcp

from ._support import GUARD, NetworkTestCase, Peer, Server, reactor

ROOT = Path(twisted_clienttcp.__file__).parent.parent

CLIENTTCP = ("-m", "twisted_clienttcp")
TWISTD = ("-c", "from twisted.scripts.twistd import run; run()", "--nodaemon")
TWIST = ("-m", "twisted")

USAGE = 64


class Command(ProcessProtocol):
    """
    A running command.

    @ivar ended: fires with its status when it has ended; the negative number of the
        signal, if one has ended it.
    """

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.ended: Deferred[int] = Deferred()
        self._waiting: list[tuple[bytes, Deferred[None]]] = []

    def outReceived(self, data: bytes) -> None:
        self.out += data
        self._look()

    def errReceived(self, data: bytes) -> None:
        self.err += data
        self._look()

    def said(self, octets: bytes) -> Deferred[None]:
        """
        @return: fires when those octets have been written to either output.
        """
        waiter: Deferred[None] = Deferred()
        self._waiting.append((octets, waiter))
        self._look()
        return waiter.addTimeout(GUARD, reactor)

    def _look(self) -> None:
        waiting, self._waiting = self._waiting, []
        for octets, waiter in waiting:
            if octets in self.out or octets in self.err:
                waiter.callback(None)
            else:
                self._waiting.append((octets, waiter))

    def type(self, octets: bytes, end: bool = True) -> None:
        """
        Give standard input.
        """
        transport: Any = self.transport
        transport.write(octets)
        if end:
            transport.closeStdin()

    def processEnded(self, reason: Any) -> None:
        status = 0
        if reason.check(ProcessTerminated):
            signal = reason.value.signal
            status = reason.value.exitCode if signal is None else -signal
        self.ended.callback(status)


class CommandTestCase(NetworkTestCase):
    """
    Runs commands.
    """

    def spawn(self, *arguments: object, **options: Any) -> Command:
        """
        Start Python with those arguments, in a directory of its own.
        """
        command = Command()
        self.process = reactor.spawnProcess(
            command,
            sys.executable,
            [sys.executable, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            path=self.directory(),
            **options,
        )
        self.addCleanup(self._end, command, self.process)
        return command

    def directory(self) -> str:
        """
        @return: a directory that goes when the test ends.
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
        @return: a command that has ended, with its C{status}.
        """
        command = self.spawn(*arguments)
        command.type(given)
        await self.end(command)
        return command

    async def end(self, command: Command, status: int | None = None) -> None:
        """
        Wait for the end, and check the status.
        """
        self.status = await command.ended.addTimeout(GUARD, reactor)
        if status is not None:
            self.assertEqual(self.status, status, command.err)


def answers(peer: Peer, data: bytes) -> None:
    """
    Answer in capitals, and close behind a line that says C{bye}.
    """
    peer.send(data.upper())
    if b"bye" in peer.received:
        peer.close()


class DemoTests(CommandTestCase):
    """
    The demo tells its story, and fails if a step does.
    """

    async def test_story(self) -> None:
        """
        All three commands tell it and end with status 0.
        """
        for command in (CLIENTTCP, (*TWISTD, "clienttcp"), (*TWIST, "clienttcp")):
            done = await self.run_(*command, "--demo")
            self.assertEqual(self.status, 0, done.err)
            at = -1
            for part in (
                b"is connected",
                b"got 'hello'",
                b"has dropped the connection",
                b"connected again",
                b"got 'still there?'",
                b"shuts down with 2,000,000 octets",
                b"has read 2,000,000 octets: none is lost",
            ):
                at = done.out.find(part, at + 1)
                self.assertNotEqual(at, -1, (part, done.out))

    async def test_unheard(self) -> None:
        """
        C{--demo | head -1} ends quietly.
        """
        command = self.spawn(*CLIENTTCP, "--demo")
        await command.said(b"\n")
        self.process.closeStdout()
        await self.end(command, 0)
        self.assertEqual(command.err, b"")

    async def broken(self, run: str, wrong: str, *arguments: str) -> Command:
        """
        Run the demo with a server in which something is wrong.
        """
        code = f"import twisted_clienttcp._demo as demo\n{wrong}\n{run}\n"
        return await self.run_("-c", code, *arguments, "--demo")

    async def test_failures(self) -> None:
        """
        Whichever step fails is named, and the status is not 0.
        """
        for step, wrong in {
            b"the exchange of lines": "demo.EchoServer.dataReceived = "
            "lambda self, data: self.transport.write(data.upper())",
            b"the drop": "demo.DROP = type('', (bytes,), "
            "{'__eq__': lambda self, line: False})(b'drop')",
            b"the reconnection": "demo.PATIENCE = 0.5\n"
            "demo.ClientTCPFactory._retryDelay = lambda self: None",
            b"the shutdown": "demo.EchoServer.received = property(lambda self: 5, "
            "lambda self, value: None)",
        }.items():
            main = "from twisted_clienttcp.__main__ import main; main()"
            done = await self.broken(main, wrong)
            self.assertEqual(self.status, 1, (step, done.out, done.err))
            self.assertIn(b"the demo failed: " + step, done.err)
            self.assertNotIn(b"Traceback", done.err)

    async def test_failureUnderTwistd(self) -> None:
        """
        Under twistd the log says it, and the process ends by SIGTERM.
        """
        wrong = "demo.EchoServer.dataReceived = lambda self, data: None"
        wrong += "\ndemo.PATIENCE = 0.1"
        for run, arguments in (
            ("from twisted.scripts.twistd import run; run()", ("--nodaemon",)),
            ("from twisted.application.twist._twist import Twist; Twist.main()", ()),
        ):
            done = await self.broken(run, wrong, *arguments, "clienttcp")
            self.assertEqual(self.status, -15, done.out + done.err)
            self.assertIn(b"the exchange of lines: no serverInput", done.out)


class UsageTests(CommandTestCase):
    """
    Wrong usage is told in one line.
    """

    async def test_refused(self) -> None:
        """
        What cannot be used is one line on standard error, and status 64.
        """
        for word, arguments in {
            b"--no-such": ["--no-such", "localhost", "7"],
            b"HOST and PORT": ["localhost"],
            b"too many": ["localhost", "7", "8"],
            b"65535": ["localhost", "65536"],
            b"no-such-service": ["localhost", "no-such-service"],
            b"remoteAddress": ["http://localhost", "7"],
            b"framing": ["--framing=xml", "localhost", "7"],
            b"seconds": ["--connect-timeout=soon", "localhost", "7"],
            b"more than 0": ["--connect-timeout=-1", "localhost", "7"],
            b"--demo": ["--demo", "localhost", "7"],
        }.items():
            await self.refused(word, *CLIENTTCP, *arguments)

    async def refused(self, word: bytes, *arguments: str) -> None:
        """
        Check one.
        """
        done = await self.run_(*arguments)
        self.assertEqual((self.status, done.out), (USAGE, b""), done.err)
        self.assertEqual(done.err.count(b"\n"), 1, done.err)
        self.assertIn(word, done.err)

    async def test_refusedUnderTwistd(self) -> None:
        """
        The same under twistd and twist.
        """
        for command in (TWISTD, TWIST):
            for word, arguments in {
                b"--no-such": ["--no-such", "localhost", "7"],
                b"--reconnect": ["--reconnect", "localhost", "7"],
                b"65535": ["localhost", "65536"],
            }.items():
                await self.refused(word, *command, "clienttcp", *arguments)

    async def test_daemon(self) -> None:
        """
        A daemon is refused: it has no standard input and output.
        """
        await self.refused(b"nodaemon", *TWISTD[:2], "clienttcp", "localhost", "7")

    async def test_help(self) -> None:
        """
        Each command lists what it takes.
        """
        for command, reconnects in (
            (CLIENTTCP, True),
            ((*TWISTD, "clienttcp"), False),
            ((*TWIST, "clienttcp"), False),
        ):
            done = await self.run_(*command, "--help")
            self.assertEqual(self.status, 0, done.err)
            for part in (b"HOST PORT", b"--framing=", b"[connectTimeout;", b"--demo"):
                self.assertIn(part, done.out)
            self.assertEqual(b"--reconnect" in done.out, reconnects)

    async def test_version(self) -> None:
        """
        C{--version} tells ours.
        """
        done = await self.run_(*CLIENTTCP, "--version")
        self.assertIn(twisted_clienttcp.__version__.encode(), done.out)


class ConsoleTests(CommandTestCase):
    """
    Standard input goes to the server, and what comes to standard output.
    """

    async def serve(self) -> Server:
        """
        @return: a server that L{answers}.
        """
        server = await self.listen()
        server.heard = answers
        self.where = ("127.0.0.1", server.port)
        return server

    async def freePort(self) -> int:
        """
        @return: the number of a port that nobody listens on.
        """
        listening = reactor.listenTCP(0, Server(), interface="127.0.0.1")
        port: int = listening.getHost().port
        await listening.stopListening()
        return port

    async def test_fullDisk(self) -> None:
        """
        A standard output that takes nothing is an error: what came is lost.
        """
        await self.serve()
        with open("/dev/full", "wb") as full:
            command = self.spawn(
                *CLIENTTCP, *self.where, childFDs={0: "w", 1: full.fileno(), 2: "r"}
            )
        command.type(b"one\nbye\n")
        self.assertEqual(await command.ended, 1)
        self.assertIn(b"standard output cannot be written", command.err)

    async def test_pipe(self) -> None:
        """
        Lines go and come; nothing else is on standard output or error.
        """
        server = await self.serve()
        done = await self.run_(*CLIENTTCP, *self.where, given=b"one\ntwo\r\nbye\n")
        self.assertEqual(server.peers[0].received, b"one\r\ntwo\r\nbye\r\n")
        self.assertEqual(done.out, b"ONE\nTWO\nBYE\n")
        self.assertEqual((self.status, done.err), (0, b""))

    async def test_silence(self) -> None:
        """
        When the server does not close, its silence ends the command, once the answers
        have come. A last line needs no newline.
        """
        server = await self.serve()
        done = await self.run_(*CLIENTTCP, *self.where, given=b"one\ntwo")
        self.assertEqual(server.peers[0].received, b"one\r\ntwo\r\n")
        self.assertEqual(done.out, b"ONE\nTWO\n")
        self.assertEqual((self.status, done.err), (0, b""))

    async def test_truncated(self) -> None:
        """
        An unfinished last line of the server's is printed as it came. That the server
        closed before the end of standard input is told.
        """

        def met(peer: Peer) -> None:
            peer.send(b"one\r\ntwo")
            peer.close()

        server = await self.serve()
        server.met = met
        command = self.spawn(*CLIENTTCP, *self.where)
        await self.end(command, 0)
        self.assertEqual(command.out, b"one\ntwo")
        self.assertEqual(
            command.err, b"clienttcp: the server has closed the connection\n"
        )

    async def test_files(self) -> None:
        """
        Both may be files, and all octets arrive as they are.
        """
        octets = bytes(range(256)) * 4000 + b"bye"

        def echo(peer: Peer, data: bytes) -> None:
            peer.send(data)
            if data.endswith(b"bye"):
                peer.close()

        server = await self.serve()
        server.heard = echo
        given, got = (Path(self.directory(), name) for name in ("given", "got"))
        given.write_bytes(octets)
        with given.open("rb") as stdin, got.open("wb") as stdout:
            command = self.spawn(
                *CLIENTTCP,
                "--framing=stream",
                *self.where,
                childFDs={0: stdin.fileno(), 1: stdout.fileno(), 2: "r"},
            )
            await self.end(command, 0)
        self.assertEqual(command.err, b"")
        self.assertTrue(got.read_bytes() == octets)

    async def test_terminal(self) -> None:
        """
        Both may be a terminal.
        """
        await self.serve()
        command = self.spawn(*CLIENTTCP, *self.where, usePTY=True)
        self.process.write(b"one\n")
        await command.said(b"ONE")
        self.process.write(b"bye\n")
        await self.end(command, 0)
        self.assertIn(b"BYE", command.out)

    async def test_tooLong(self) -> None:
        """
        A line too long to be one is told, and what stands before it is sent.
        """
        server = await self.serve()
        given = b"one\n" + b"x" * 1_100_000
        done = await self.run_(*CLIENTTCP, *self.where, given=given)
        self.assertEqual(server.peers[0].received, b"one\r\n")
        self.assertEqual(self.status, 1)
        self.assertIn(b"maxLength", done.err)
        self.assertEqual(done.err.count(b"\n"), 1)

    async def test_closedOutput(self) -> None:
        """
        When nobody reads standard output any more, as behind C{| head -1}, the command
        ends quietly, though the server talks on.
        """

        def talk(peer: Peer) -> None:
            talking = LoopingCall(peer.send, b"line\n")
            talking.start(0.001)
            peer.lost.addCallback(lambda _: talking.stop())

        server = await self.serve()
        server.met = talk
        server.left = lambda peer: None
        command = self.spawn(*CLIENTTCP, *self.where)
        await command.said(b"line\n")
        self.process.closeStdout()
        await self.end(command, 0)
        self.assertEqual(command.err, b"")

    async def test_refused(self) -> None:
        """
        A connection refused is one line, and status 1.
        """
        done = await self.run_(*CLIENTTCP, "127.0.0.1", await self.freePort())
        self.assertEqual(self.status, 1)
        self.assertEqual(done.err, b"clienttcp: connect: Connection refused\n")

    async def test_reset(self) -> None:
        """
        A connection lost is one line, and status 1.
        """
        server = await self.serve()
        server.heard = lambda peer, data: peer.reset()
        command = self.spawn(*CLIENTTCP, *self.where)
        command.type(b"one\n", end=False)
        await self.end(command, 1)
        self.assertEqual(command.err, b"clienttcp: read: Connection reset by peer\n")

    async def test_interrupted(self) -> None:
        """
        A signal ends a command that has nothing to do.
        """
        for signal, status in (("INT", 130), ("TERM", 143)):
            server = await self.serve()
            server.met = lambda peer: peer.send(b"ready\n")
            command = self.spawn(*CLIENTTCP, *self.where)
            await command.said(b"ready")
            self.process.signalProcess(signal)
            await self.end(command, status)
            self.assertEqual(command.err, b"")

    async def test_interruptedWhileSending(self) -> None:
        """
        A signal loses nothing of what has been read from standard input; and what the
        server does not take is not read.
        """
        lines = b"".join(b"%07d\n" % number for number in range(4_000_000))
        given = Path(self.directory(), "given")
        given.write_bytes(lines)

        def hold(peer: Any) -> None:
            peer.transport.pauseProducing()

        server = await self.serve()
        server.met = hold
        server.heard = lambda peer, data: None
        with given.open("rb") as stdin:

            def position() -> int:
                # The child's too: it is the same open file.
                return os.lseek(stdin.fileno(), 0, os.SEEK_CUR)

            command = self.spawn(
                *CLIENTTCP,
                *self.where,
                childFDs={0: stdin.fileno(), 1: "r", 2: "r"},
            )
            await self.settled(position)
            self.assertLess(position(), len(lines))
            self.process.signalProcess("TERM")
            await command.said(b"SIGTERM: sending the last")
            peer: Any = server.peers[0]
            peer.transport.resumeProducing()
            await self.end(command, 143)
            read = lines[: position()]
        whole = read[: read.rindex(b"\n") + 1]
        self.assertTrue(peer.received == whole.replace(b"\n", b"\r\n"))

    async def settled(self, position: Callable[[], int]) -> None:
        """
        Wait until a position has left 0 and moves no more.
        """
        former = [0, 0, 0]

        def look() -> None:
            former.append(position())
            if former[-1] and len(set(former[-4:])) == 1:
                looking.stop()

        looking = LoopingCall(look)
        await looking.start(0.05).addTimeout(GUARD, reactor)

    async def test_reconnect(self) -> None:
        """
        With C{--reconnect} a failure is no end, and what is typed meanwhile is sent
        when there is a connection.
        """
        port = await self.freePort()
        command = self.spawn(*CLIENTTCP, "--reconnect", "127.0.0.1", port)
        command.type(b"one\n", end=False)
        await command.said(b"refused")
        server = Server()
        server.heard = lambda peer, data: peer.reset() if data else None
        listening = reactor.listenTCP(port, server, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        await command.said(b"reset")
        server.heard = answers
        command.type(b"bye\n")
        await self.end(command, 0)
        self.assertEqual(
            [peer.received for peer in server.peers], [b"one\r\n", b"bye\r\n"]
        )
        self.assertEqual(command.out, b"BYE\n")

    async def test_twistd(self) -> None:
        """
        Under twistd and twist it connects again, goes on behind the end of standard
        input, and ends with a signal when all is sent.
        """
        for run in ((*TWISTD, "--logfile=log"), (*TWIST, "--log-file=log")):
            server = await self.serve()
            command = self.spawn(*run, "clienttcp", *self.where)
            command.type(b"bye\n", end=False)
            await command.said(b"BYE")
            command.type(b"again\n")
            await command.said(b"AGAIN")
            server.peers[-1].send(b"more\n")
            await command.said(b"more")
            self.process.signalProcess("TERM")
            await self.end(command, -15)
            self.assertEqual(len(server.peers), 2)
            self.assertEqual(command.out, b"BYE\nAGAIN\nmore\n")
            self.assertEqual(command.err, b"")
