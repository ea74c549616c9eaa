"""
Tests for the command: standard input to the server, its records to standard output.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.protocols.basic import FileSender

import twisted_clienttcp

from .._commands import (
    CLIENTTCP,
    ERASE,
    TWIST,
    TWISTD,
    USAGE,
    CommandTestCase,
    ServedTestCase,
    Source,
    Terminal,
    answers,
    answersLate,
    hold,
    killed,
    position,
)
from .._support import GUARD, Peer, Server, freePort, reactor


class UsageTests(CommandTestCase):
    """
    Wrong usage is reported in one line.
    """

    async def test_refused(self) -> None:
        """
        Wrong usage is one line on standard error, and status 64.
        """
        for word, arguments in {
            b"--no-such": ["--no-such", "localhost", "7"],
            b"HOST and PORT": ["localhost"],
            b"too many": ["localhost", "7", "8"],
            b"65535": ["localhost", "65536"],
            b"no-such-service": ["localhost", "no-such-service"],
            b"not be a URL": ["http://localhost", "7"],
            b"--reconnect is missing": ["--max-delay=1", "localhost", "7"],
            b"did you mean delimiter=?": ["--framing=line:delim=|", "localhost", "7"],
            b"may end with k, M or G": ["--max-length=1T", "localhost", "7"],
            b"framing": ["--framing=xml", "localhost", "7"],
            b"seconds": ["--connect-timeout=soon", "localhost", "7"],
            b"more than 0": ["--connect-timeout=-1", "localhost", "7"],
            b"--demo": ["--demo", "localhost", "7"],
        }.items():
            await self.refused(word, *CLIENTTCP, *arguments)

    async def refused(self, word: bytes, *arguments: str) -> None:
        """
        Check that a command is rejected.
        """
        done = await self.run_(*arguments)
        self.assertEqual((self.status, done.out), (USAGE, b""), done.err)
        self.assertEqual(done.err.count(b"\n"), 1, done.err)
        self.assertIn(word, done.err)

    async def test_refusedUnderTwistd(self) -> None:
        """
        The same holds under twistd and twist.
        """
        for command in (TWISTD, TWIST):
            for word, arguments in {
                b"--no-such": ["--no-such", "localhost", "7"],
                b"--reconnect": ["--reconnect", "localhost", "7"],
                b"65535": ["localhost", "65536"],
                b"not be a URL": ["http://localhost:7/"],
                b"--endpoint is missing": ["--fail-back=1", "localhost", "7"],
                b"may end with k, M or G": ["--max-length=1T", "localhost", "7"],
            }.items():
                await self.refused(word, *command, "clienttcp", *arguments)

    async def test_daemon(self) -> None:
        """
        A daemon is rejected: it has no standard input and output.
        """
        await self.refused(b"nodaemon", *TWISTD[:2], "clienttcp", "localhost", "7")

    async def test_help(self) -> None:
        """
        C{--help} of each command lists the options.
        """
        for command, reconnects in (
            (CLIENTTCP, True),
            ((*TWISTD, "clienttcp"), False),
            ((*TWIST, "clienttcp"), False),
        ):
            done = await self.run_(*command, "--help")
            self.assertEqual(self.status, 0, done.err)
            for part in (b"HOST PORT", b"--framing=", b"clienttcp(1)", b"--demo"):
                self.assertIn(part, done.out)
            self.assertEqual(b"--reconnect" in done.out, reconnects)

    async def test_version(self) -> None:
        """
        C{--version} and C{-V} print the version of this package.
        """
        for option in ("--version", "-V"):
            done = await self.run_(*CLIENTTCP, option)
            self.assertEqual(self.status, 0, done.err)
            version = f"clienttcp {twisted_clienttcp.__version__}\n"
            self.assertEqual(done.out, version.encode())


class ConsoleTests(ServedTestCase):
    """
    Standard input is sent to the server, and received records are printed.
    """

    async def test_fullDisk(self) -> None:
        """
        It is an error if standard output cannot be written: received data is lost.
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
        Lines are sent and received. Nothing else is on standard output or standard
        error.
        """
        server = await self.serve()
        done = await self.run_(*CLIENTTCP, *self.where, given=b"one\ntwo\r\nbye\n")
        self.assertEqual(server.peers[0].received, b"one\r\ntwo\r\nbye\r\n")
        self.assertEqual(done.out, b"ONE\nTWO\nBYE\n")
        self.assertEqual((self.status, done.err), (0, b""))

    async def test_half(self) -> None:
        """
        At the end of standard input, the connection is half-closed, and records that
        the server sends after that are printed. The last line needs no newline.
        """

        def left(peer: Peer) -> None:
            peer.send(b"at last\n")
            peer.close()

        server = await self.serve()
        server.left = left
        done = await self.run_(*CLIENTTCP, *self.where, given=b"one\ntwo")
        self.assertEqual(server.peers[0].received, b"one\r\ntwo\r\n")
        self.assertEqual(done.out, b"ONE\nTWO\nat last\n")
        self.assertEqual((self.status, done.err), (0, b""))

    async def test_keep(self) -> None:
        """
        With C{--eof=keep}, the connection stays open until the server closes it.
        """
        server = await self.serve()
        command = self.spawn(*CLIENTTCP, "--eof=keep", *self.where)
        command.type(b"one\n")
        await command.said(b"ONE")
        peer = server.peers[0]
        self.assertFalse(peer.ended.called)
        peer.send(b"more\n")
        await command.said(b"more")
        self.assertFalse(peer.ended.called)
        peer.close()
        await self.end(command, 0)

    async def test_close(self) -> None:
        """
        With C{--eof=close}, the command ends when everything is sent, and does not
        print what it receives after that. The same holds for C{--send-only}, which
        never prints records.
        """
        for option, printed in (("--eof=close", b"hello\n"), ("--send-only", b"")):
            server = await self.serve()
            server.met = lambda peer: peer.send(b"hello\n")
            server.heard = lambda peer, data: None
            server.left = answersLate
            command = self.spawn(*CLIENTTCP, option, *self.where)
            command.type(b"one\n", end=False)
            await self.met(server)
            await server.peers[0].until(b"one")
            if printed:
                await command.said(printed)
            command.type(b"two\n")
            await self.end(command, 0)
            self.assertEqual(command.out, printed)
            self.assertEqual(server.peers[0].received, b"one\r\ntwo\r\n")
            self.assertEqual(command.err, b"")

    async def test_receiveOnly(self) -> None:
        """
        With C{--recv-only}, standard input is not read.
        """

        def met(peer: Peer) -> None:
            peer.send(b"hello\n")
            peer.close()

        server = await self.serve()
        server.met = met
        given = Path(self.directory(), "given")
        given.write_bytes(b"for somebody else\n")
        with given.open("rb") as stdin:
            command = self.spawn(
                *CLIENTTCP,
                *("--recv-only", *self.where),
                childFDs={0: stdin.fileno(), 1: "r", 2: "r"},
            )
            await self.end(command, 0)
            self.assertEqual(position(stdin)(), 0)
        self.assertEqual((command.out, command.err), (b"hello\n", b""))

    async def test_framings(self) -> None:
        """
        With all framings but stream, a record is a line of standard input and output.
        """
        for spec, given, sent, printed in (
            ("netstring", b"one\ntwo\n", b"3:one,3:two,", b"one\ntwo\n"),
            (
                "jsonlines",
                b'{"a": [1]}\n"x"\n',
                b'{"a":[1]}\n"x"\n',
                b'{"a": [1]}\n"x"\n',
            ),
            ("line:delimiter=|", b"one\ntwo", b"one|two|", b"one\ntwo\n"),
            (
                "line:encoding=latin-1",
                "é\n".encode(),
                b"\xe9\r\n",
                "é\n".encode(),
            ),
        ):
            server = await self.serve()
            server.heard = lambda peer, data: peer.send(data)
            done = await self.run_(
                *CLIENTTCP, f"--framing={spec}", *self.where, given=given
            )
            self.assertEqual(server.peers[0].received, sent)
            self.assertEqual(done.out, printed)
            self.assertEqual((self.status, done.err), (0, b""))

    async def test_noRecord(self) -> None:
        """
        A line that is not a record is reported, and the lines before it are sent.
        """
        server = await self.serve()
        done = await self.run_(
            *CLIENTTCP, "--framing=jsonlines", *self.where, given=b"1\n}\n"
        )
        self.assertEqual(server.peers[0].received, b"1\n")
        self.assertEqual(self.status, 1)
        self.assertIn(b"standard input: b'}' is not a JSON value", done.err)
        self.assertEqual(done.err.count(b"\n"), 1)

    async def test_timestamps(self) -> None:
        """
        With C{--timestamps}, each record and each message begins with the time.
        """
        await self.serve()
        done = await self.run_(
            *CLIENTTCP, "--timestamps", "-v", *self.where, given=b"one\nbye\n"
        )
        stamp = rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d "
        times = re.findall(stamp + rb"(ONE|BYE)$", done.out, re.MULTILINE)
        self.assertEqual(times, [b"ONE", b"BYE"])
        messages = re.findall(stamp + b"clienttcp: (\\w+)", done.err, re.MULTILINE)
        self.assertEqual(messages, [b"connected", b"disconnected"])

    async def test_verbose(self) -> None:
        """
        With C{-v}, connections are reported too.
        """
        await self.serve()
        done = await self.run_(*CLIENTTCP, "-v", *self.where, given=b"bye\n")
        self.assertEqual(self.status, 0)
        message = f"clienttcp: connected to {':'.join(map(str, self.where))}\n"
        self.assertIn(message.encode(), done.err)
        self.assertIn(b"5 bytes sent, 5 bytes received", done.err)

    async def test_jsonEvents(self) -> None:
        """
        Every callback is a line with a JSON object, and nothing else is on standard
        output.
        """

        def met(peer: Peer) -> None:
            peer.send("é\r\n".encode() + b"\xff\r\nrest")

        server = await self.serve()
        server.met = met
        server.heard = lambda peer, data: None
        done = await self.run_(*CLIENTTCP, "--json-events", *self.where, given=b"one\n")
        self.assertEqual((self.status, done.err), (0, b""))
        events = [json.loads(line) for line in done.out.splitlines()]
        for event in events:
            self.assertRegex(event.pop("time"), r"^\d{4}-\d\d-\d\dT")
        # The kernel decides when this happens.
        events.remove({"event": "serverFlushed", "pending": 0})
        text = "the server closed the connection"
        end = {"operation": "read", "errno": 0, "text": text}
        self.assertEqual(
            events,
            [
                {"event": "started"},
                {
                    "event": "connected",
                    "peer": f"127.0.0.1 {server.port}",
                    "tried": {"127.0.0.1": "connected"},
                },
                {"event": "serverInput", "record": "é"},
                {"event": "serverInput", "record": {"base64": "/w=="}},
                {"event": "serverError", **end},
                {
                    "event": "disconnected",
                    "initiator": "peer",
                    "unsent": 0,
                    "unacknowledged": 0,
                    "confirmed": True,
                    "undelivered": 0,
                    "truncated": "rest",
                    **end,
                },
                {"event": "stopped"},
            ],
        )

    async def test_jsonEventsOfFailure(self) -> None:
        """
        The same holds for the callbacks of a failure.
        """
        done = await self.run_(*CLIENTTCP, "--json-events", "127.0.0.1", freePort())
        self.assertEqual(self.status, 1)
        events = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual(
            [(event["event"], event.get("errno")) for event in events],
            [("started", None), ("connectError", 111), ("stopped", 111)],
        )
        self.assertEqual(events[1]["tried"], {"127.0.0.1": "Connection refused"})

    async def test_slowReader(self) -> None:
        """
        If standard output is not read, the server is not read either, and memory does
        not grow.
        """
        total = 64 * 1024 * 1024
        chunk = bytes(range(256)) * 256

        def talk(peer: Any) -> None:
            peer.sent = 0
            FileSender().beginFileTransfer(
                Source(peer, chunk, total), peer.transport
            ).addCallback(lambda _: peer.close())

        server = await self.serve()
        server.met = talk
        server.left = lambda peer: None
        command = self.spawn(*CLIENTTCP, "--framing=stream", *self.where)
        pipes = self.process.pipes
        pipes[1].pauseProducing()
        await self.met(server)
        peer: Any = server.peers[0]
        held = await self.settled(lambda: int(peer.sent))
        self.assertLess(held, total // 2)
        command.keep = False
        pipes[1].resumeProducing()
        await peer.lost
        self.assertLess(self.memory(), 100 * 1024 * 1024)
        command.type(b"")
        await self.end(command, 0)
        self.assertEqual(command.outLength, total)

    async def test_slowServer(self) -> None:
        """
        If the server reads nothing, only the part of 2 GiB of standard input is read
        that fits into the buffers, and memory does not grow.
        """
        given = Path(self.directory(), "given")
        with given.open("wb") as sparse:
            sparse.truncate(2 * 1024**3)
        server = await self.serve()
        server.met = hold
        for spec in ("stream", "line:delimiter=\\0"):
            with given.open("rb") as stdin:
                self.spawn(
                    *(*CLIENTTCP, f"--framing={spec}", *self.where),
                    childFDs={0: stdin.fileno(), 1: "r", 2: "r"},
                )
                read = await self.settled(position(stdin))
            self.assertLess(read, 64 * 1024 * 1024)
            self.assertLess(self.memory(), 100 * 1024 * 1024)

    async def test_progress(self) -> None:
        """
        On a terminal, a line shows the progress of a long send; it is erased at the
        end.
        """
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        server = await self.serve()
        server.met = hold
        server.heard = lambda peer, data: None
        given = Path(self.directory(), "given")
        given.write_bytes(b"x" * 30_000_000)
        with given.open("rb") as stdin:
            command = self.spawn(
                *(*CLIENTTCP, "--framing=stream", *self.where),
                childFDs={0: stdin.fileno(), 1: "r", 2: slave},
            )
        os.close(slave)
        screen = Terminal(master)
        await screen.said("pending")
        peer: Any = server.peers[0]
        peer.transport.resumeProducing()
        await self.end(command, 0)
        screen.look()
        self.assertRegex(screen.text, r"MiB sent, .*/s, .*KiB pending")
        self.assertTrue(screen.text.endswith(ERASE), screen.text)

    async def test_screen(self) -> None:
        """
        On a terminal, a prompt is shown before its line is complete, and escape
        sequences are visible; with C{--raw} they are printed as they are.
        """
        for options, shown in (
            ((), "^[[1mlogin: "),
            (("--raw",), "\x1b[1mlogin: "),
        ):
            master, slave = os.openpty()
            self.addCleanup(os.close, master)
            server = await self.serve()
            server.met = lambda peer: peer.send(b"\x1b[1mlogin: ")
            command = self.spawn(
                *(*CLIENTTCP, *options, *self.where),
                childFDs={0: "w", 1: slave, 2: "r"},
            )
            os.close(slave)
            screen = Terminal(master)
            if not options:
                await screen.said(shown)
            command.type(b"bye\n")
            await self.end(command, 0)
            screen.look()
            self.assertTrue(screen.text.startswith(shown), screen.text)
            self.assertTrue(screen.text.endswith("BYE\r\n"), screen.text)

    async def test_timeout(self) -> None:
        """
        If an attempt takes too long, the status is 124.
        """
        # The queue of this socket holds few connections, and none is accepted.
        listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listening.close)
        for _ in range(4):
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        done = await self.run_(
            *CLIENTTCP, "--connect-timeout=0.3", *listening.getsockname()
        )
        self.assertEqual(self.status, 124, done.err)
        self.assertEqual(done.err.count(b"\n"), 1)

    async def test_silentServer(self) -> None:
        """
        If the server is silent for too long, the status is 124. A server that answers
        heartbeats is not silent.
        """
        server = await self.serve()
        command = self.spawn(*CLIENTTCP, "--idle-timeout=0.2", *self.where)
        await self.end(command, 124)
        self.assertEqual(command.err.count(b"\n"), 1, command.err)
        server = await self.serve()
        command = self.spawn(
            *(*CLIENTTCP, "--idle-timeout=5", "--heartbeat=0.1:ping", *self.where)
        )
        await self.met(server)
        await server.peers[0].until(b"ping\r\nping\r\n")
        command.type(b"bye\n")
        await self.end(command, 0)
        server = await self.serve()
        server.heard = lambda peer, data: None
        command = self.spawn(*CLIENTTCP, "--heartbeat=0.1:ping", *self.where)
        await self.end(command, 124)

    async def test_failover(self) -> None:
        """
        Of several endpoints, the first one that works is used.
        """
        server = await self.serve()
        free = freePort()
        done = await self.run_(
            *CLIENTTCP,
            f"--endpoint=tcp:127.0.0.1:{free}",
            f"--endpoint=tcp:127.0.0.1:{server.port}",
            given=b"bye\n",
        )
        self.assertEqual((self.status, done.out), (0, b"BYE\n"))
        why = f"clienttcp: 127.0.0.1:{free}: cannot connect: Connection refused\n"
        self.assertEqual(done.err, why.encode())

    async def test_proxy(self) -> None:
        """
        If the proxy cannot be reached, the message says so, in the words of the log.
        """
        url = f"http://127.0.0.1:{freePort()}"
        words = f"cannot connect to the proxy {url}: Connection refused"
        where = (f"--proxy={url}", "server.test", "7")
        done = await self.run_(*CLIENTTCP, *where)
        expected = f"clienttcp: server.test:7 through {url}: {words}\n"
        self.assertEqual((self.status, done.err), (1, expected.encode()))
        done = await self.run_(*TWIST, "clienttcp", "--max-retries=0", *where)
        self.assertIn(f'"reason": "{words}"', done.out.decode())

    async def test_unix(self) -> None:
        """
        C{unix:} connects to a socket in the file system.
        """
        path = self.socketPath()
        server = Server()
        server.heard = answers
        listening = reactor.listenUNIX(path, server)
        self.addCleanup(listening.stopListening)
        done = await self.run_(
            *CLIENTTCP, "--json-events", f"unix:{path}", given=b"bye\n"
        )
        self.assertEqual((self.status, done.err), (0, b""))
        self.assertEqual(json.loads(done.out.splitlines()[1])["peer"], path)

    async def test_lateLoss(self) -> None:
        """
        The loss of the connection after the end of standard input is a failure too.
        """
        server = await self.serve()
        server.left = lambda peer: peer.reset()
        done = await self.run_(*CLIENTTCP, *self.where, given=b"one\n")
        self.assertEqual(self.status, 1)
        # The server's kernel may or may not have acknowledged the end of our side.
        self.assertRegex(
            done.err,
            rb"^clienttcp: [0-9.:]+: the connection was lost: Connection reset by "
            rb"peer\n(clienttcp: the server has not acknowledged 1 bytes .*\n)?$",
        )

    async def test_offline(self) -> None:
        """
        With C{--offline-limit}, standard input is read without a connection, up to the
        limit. All of it is sent to the next connection.
        """
        lines = b"".join(b"%07d\n" % number for number in range(40_000))
        for limit, most in (("100k", 200_000), ("1", 100_000), ("1G", len(lines) + 1)):
            port = freePort()
            given = Path(self.directory(), "given")
            given.write_bytes(lines)
            with given.open("rb") as stdin:
                command = self.spawn(
                    *(*CLIENTTCP, "--reconnect", f"--offline-limit={limit}"),
                    *("--max-delay=0.2", "127.0.0.1", port),
                    childFDs={0: stdin.fileno(), 1: "r", 2: "r"},
                )
                await self.settled(position(stdin))
                self.assertLess(position(stdin)(), most)
            server = Server()
            listening = reactor.listenTCP(port, server, interface="127.0.0.1")
            self.addCleanup(listening.stopListening)
            self.addCleanup(self._closeAll, server)
            await self.end(command, 0)
            [peer] = server.peers
            self.assertTrue(peer.received == lines.replace(b"\n", b"\r\n"))

    async def test_marks(self) -> None:
        """
        With marks given, reaching them is an event.
        """
        server = await self.serve()
        server.met = hold
        server.heard = lambda peer, data: None
        given = Path(self.directory(), "given")
        given.write_bytes(b"x" * 10_000_000)
        with given.open("rb") as stdin:
            command = self.spawn(
                *(*CLIENTTCP, "--framing=stream", "--json-events", "--high-mark=200k"),
                *("--low-mark=1k", *self.where),
                childFDs={0: stdin.fileno(), 1: "r", 2: "r"},
            )
            await self.settled(position(stdin))
        peer: Any = server.peers[0]
        peer.transport.resumeProducing()
        await self.end(command, 0)
        events = [json.loads(line) for line in command.out.splitlines()]
        marks = [e for e in events if e["event"] in ("serverHigh", "serverLow")]
        self.assertGreaterEqual(len(marks), 2)
        for place, event in enumerate(marks):
            high = place % 2 == 0
            self.assertEqual(event["event"], "serverHigh" if high else "serverLow")
            self.assertEqual(event["pending"] >= 200 * 1024, high)

    async def test_skipped(self) -> None:
        """
        A skipped record is reported, and the command continues.
        """
        server = await self.serve()
        server.met = lambda peer: peer.send(b"x" * 100 + b"\r\nshort\r\n")
        command = self.spawn(
            *(*CLIENTTCP, "--max-length=10", "--on-too-long=skip", *self.where)
        )
        await command.said(b"short")
        command.type(b"bye\n")
        await self.end(command, 0)
        self.assertEqual(command.out, b"short\nBYE\n")
        self.assertIn(b"was skipped", command.err)

    async def test_unreadOutput(self) -> None:
        """
        When standard output has no reader any more, the command ends, even if the
        server sends nothing.
        """
        server = await self.serve()
        server.left = lambda peer: None
        command = self.spawn(*CLIENTTCP, *self.where)
        await self.met(server)
        self.process.closeStdout()
        await self.end(command, 1)
        self.assertEqual(command.err, b"")

    async def test_unread(self) -> None:
        """
        A signal ends the command even if its output is not read. That is reported.
        """
        server = await self.serve()
        server.met = lambda peer: peer.send(b"x" * 1_000_000)
        for run in (CLIENTTCP, (*TWISTD, "--logfile=log", "clienttcp")):
            command = self.spawn(*run, "--framing=stream", *self.where)
            output = self.process.pipes[1]
            await command.said(b"x")
            output.pauseProducing()
            server.peers[-1].send(b"x" * 1_000_000)
            self.process.signalProcess("TERM")
            await command.exited.addTimeout(GUARD, reactor)
            output.resumeProducing()
            await self.end(command)
            self.assertIn(self.status, (143, -15))
            if run is CLIENTTCP:
                self.assertIn(b"not all output could be printed", command.err)

    async def test_unreadable(self) -> None:
        """
        A standard input that cannot be read is an error.
        """
        await self.serve()
        with open(os.devnull, "wb") as writable:
            command = self.spawn(
                *(*CLIENTTCP, *self.where),
                childFDs={0: writable.fileno(), 1: "r", 2: "r"},
            )
        await self.end(command, 1)
        self.assertEqual(
            command.err,
            b"clienttcp: standard input cannot be read: Bad file descriptor\n",
        )

    async def test_closedDescriptors(self) -> None:
        """
        The command works if its standard descriptors are closed.
        """
        server = await self.serve()
        server.met = lambda peer: peer.close()
        command = self.spawn(*CLIENTTCP, *self.where, childFDs={})
        await self.end(command, 0)

    async def test_truncated(self) -> None:
        """
        An unfinished last line from the server is printed as it is. It is an error that
        the server closed the connection before the end of standard input.
        """

        def met(peer: Peer) -> None:
            peer.send(b"one\r\ntwo")
            peer.close()

        server = await self.serve()
        server.met = met
        command = self.spawn(*CLIENTTCP, *self.where)
        await self.end(command, 1)
        self.assertEqual(command.out, b"one\ntwo")
        self.assertEqual(
            command.err,
            b"clienttcp: the server closed the connection before the end of standard "
            b"input\n",
        )

    async def test_files(self) -> None:
        """
        Standard input and output may be files; all bytes are passed as they are.
        """
        content = bytes(range(256)) * 4000 + b"bye"

        def echo(peer: Peer, data: bytes) -> None:
            peer.send(data)
            if data.endswith(b"bye"):
                peer.close()

        server = await self.serve()
        server.heard = echo
        given, got = (Path(self.directory(), name) for name in ("given", "got"))
        given.write_bytes(content)
        with given.open("rb") as stdin, got.open("wb") as stdout:
            command = self.spawn(
                *CLIENTTCP,
                "--framing=stream",
                *self.where,
                childFDs={0: stdin.fileno(), 1: stdout.fileno(), 2: "r"},
            )
            await self.end(command, 0)
        self.assertEqual(command.err, b"")
        self.assertTrue(got.read_bytes() == content)

    async def test_terminal(self) -> None:
        """
        Standard input and output may be a terminal.
        """
        await self.serve()
        command = self.spawn(*CLIENTTCP, *self.where, usePTY=True)
        self.process.write(b"one\n")
        await command.said(b"ONE")
        self.process.write(b"bye\n")
        await self.end(command, 1)
        self.assertIn(b"BYE", command.out)

    async def test_controlC(self) -> None:
        """
        Ctrl-C on a terminal is SIGINT.
        """
        server = await self.serve()
        command = self.spawn(*CLIENTTCP, *self.where, usePTY=True)
        self.process.write(b"one\n")
        await command.said(b"ONE")
        self.process.write(b"two\n\x03")
        await self.end(command, 130)
        self.assertTrue(server.peers[0].received.startswith(b"one\r\n"))
        self.assertNotIn(b"Traceback", command.out)

    async def test_sendOnlyTruncated(self) -> None:
        """
        With C{--send-only}, not even an unfinished line is printed.
        """

        def met(peer: Peer) -> None:
            peer.send(b"one\r\ntwo")
            peer.close()

        server = await self.serve()
        server.met = met
        command = self.spawn(*CLIENTTCP, "--send-only", *self.where)
        await self.end(command, 1)
        self.assertEqual(command.out, b"")

    async def test_tooLong(self) -> None:
        """
        A line that is too long is reported, and the lines before it are sent.
        """
        server = await self.serve()
        given = b"one\n" + b"x" * 1_100_000
        done = await self.run_(*CLIENTTCP, *self.where, given=given)
        self.assertEqual(server.peers[0].received, b"one\r\n")
        self.assertEqual(self.status, 1)
        self.assertIn(b"--max-length=1048576", done.err)
        self.assertEqual(done.err.count(b"\n"), 1)

    async def test_closedOutput(self) -> None:
        """
        When standard output has no reader any more, as after C{| head -1}, the command
        ends quietly, even if the server continues to send. The status is 1: standard
        input has not been sent to its end.
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
        await self.end(command, 1)
        self.assertEqual(command.err, b"")

    async def test_refused(self) -> None:
        """
        A refused connection is one line, and status 1.
        """
        free = freePort()
        done = await self.run_(*CLIENTTCP, "127.0.0.1", free)
        self.assertEqual(self.status, 1)
        why = f"clienttcp: 127.0.0.1:{free}: cannot connect: Connection refused\n"
        self.assertEqual(done.err, why.encode())

    async def test_outlook(self) -> None:
        """
        With C{--reconnect}, a failed attempt has one line, which says what follows;
        after a lost connection, this is a line of its own.
        """
        often = ("--reconnect", "--max-retries=1", "--initial-delay=0.01")
        free = freePort()
        failed = f"clienttcp: 127.0.0.1:{free}: cannot connect: Connection refused"
        done = await self.run_(*CLIENTTCP, *often, "127.0.0.1", free)
        self.assertEqual(self.status, 1)
        self.assertRegex(
            done.err.decode(),
            rf"^{failed}; next attempt in [0-9.e-]+ s\n"
            rf"{failed}; giving up after 2 failures\n$",
        )
        server = await self.serve()
        command = self.spawn(*CLIENTTCP, *often, *self.where)
        server.met = lambda peer: command.type(b"a line\n", end=False)
        server.heard = lambda peer, data: peer.reset()
        await self.end(command, 1)
        lost = "clienttcp: [0-9.:]+: the connection was lost: Connection reset by peer"
        self.assertRegex(
            command.err.decode(),
            rf"^{lost}\nclienttcp: next attempt in [0-9.e-]+ s\n"
            rf"{lost}\nclienttcp: giving up after 2 failures\n$",
        )

    async def test_reset(self) -> None:
        """
        A lost connection is one line, and status 1.
        """
        server = await self.serve()
        server.heard = lambda peer, data: peer.reset()
        command = self.spawn(*CLIENTTCP, *self.where)
        command.type(b"one\n", end=False)
        await self.end(command, 1)
        where = ":".join(map(str, self.where))
        lost = (
            f"clienttcp: {where}: the connection was lost: Connection reset by peer\n"
        )
        self.assertEqual(command.err.decode(), lost)

    async def test_interrupted(self) -> None:
        """
        A signal ends an idle command.
        """
        for name, status in (("INT", 130), ("TERM", 143)):
            server = await self.serve()
            server.met = lambda peer: peer.send(b"ready\n")
            command = self.spawn(*CLIENTTCP, *self.where)
            await command.said(b"ready")
            self.process.signalProcess(name)
            await self.end(command, status)
            self.assertEqual(command.err, b"")

    async def test_interruptedWhileSending(self) -> None:
        """
        Data that was read from standard input before a signal is sent. Data that the
        server does not accept is not read.
        """
        lines = b"".join(b"%07d\n" % number for number in range(4_000_000))
        given = Path(self.directory(), "given")
        given.write_bytes(lines)
        for run, status in (
            (CLIENTTCP, 143),
            ((*TWISTD, "--logfile=-", "clienttcp"), -15),
        ):
            server = await self.serve()
            server.met = hold
            server.heard = lambda peer, data: None
            with given.open("rb") as stdin:
                at = position(stdin)
                command = self.spawn(
                    *(*run, *self.where),
                    childFDs={0: stdin.fileno(), 1: "r", 2: "r"},
                )
                await self.settled(at)
                self.process.signalProcess("TERM")
                await command.said(b"SIGTERM")
                peer: Any = server.peers[0]
                peer.transport.resumeProducing()
                await self.end(command, status)
                self.assertLess(at(), len(lines))
                read = lines[: at()]
            whole = read[: read.rindex(b"\n") + 1]
            self.assertTrue(peer.received == whole.replace(b"\n", b"\r\n"))

    async def test_reconnect(self) -> None:
        """
        With C{--reconnect}, the command continues after a failure, and sends what is
        typed in the meantime to the next connection.
        """
        port = freePort()
        command = self.spawn(*CLIENTTCP, "--reconnect", "127.0.0.1", port)
        command.type(b"one\n", end=False)
        await command.said(b"refused; next attempt in ")
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
        Under twistd and twist, the client connects again and continues after the end of
        standard input. A signal ends it when everything is sent.
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

    async def test_givingUp(self) -> None:
        """
        When the client gives up, the log says why, with the exit status that
        C{clienttcp} would have had, and the process ends.
        """
        port = freePort()
        for run in (TWISTD, (*TWIST, "--log-format=text")):
            done = await self.run_(
                *run, "clienttcp", "--max-retries=0", "127.0.0.1", port
            )
            self.assertEqual(self.status, -15, done.out)
            self.assertIn(b"refused", done.out)
            self.assertIn(b"(as exit status: 1)", done.out)
        server = await self.serve()
        done = await self.run_(
            *TWISTD, "clienttcp", "--eof=close", *self.where, given=b"one\n"
        )
        self.assertEqual(self.status, 0, done.out)
        self.assertEqual(server.peers[0].received, b"one\r\n")
        self.assertIn(b"(as exit status: 0)", done.out)


class HandlersTests(ServedTestCase):
    """
    C{--client} replaces standard input and output.
    """

    SOURCE = """
class Handlers:
    def connected(self, client, peer):
        for number in range(20):
            client.put(b"x" * 99_998)

    def serverInput(self, client, line):
        print(line.decode(), flush=True)
        if line == b"enough":
            client.shutdown()
"""

    def home(self) -> str:
        """
        @return: a directory with the handlers.
        """
        home = self.directory()
        Path(home, "handlers.py").write_text(self.SOURCE)
        return home

    async def test_command(self) -> None:
        """
        The command runs the callbacks until they shut down; standard input is not read.
        """
        server = await self.serve()
        server.heard = lambda peer, data: (
            peer.send(b"hello\nenough\n") if len(peer.received) == 2_000_000 else None
        )
        command = self.spawn(
            *CLIENTTCP, "--client=handlers:Handlers", *self.where, path=self.home()
        )
        await self.end(command, 0)
        self.assertEqual((command.out, command.err), (b"hello\nenough\n", b""))

    async def test_signal(self) -> None:
        """
        A signal ends the command when everything is sent.
        """
        server = await self.serve()
        server.met = hold
        server.heard = lambda peer, data: None
        command = self.spawn(
            *CLIENTTCP, "--client=handlers:Handlers", *self.where, path=self.home()
        )
        await self.met(server)
        self.process.signalProcess("TERM")
        peer: Any = server.peers[0]
        peer.transport.resumeProducing()
        await self.end(command, 143)
        self.assertEqual(len(peer.received), 2_000_000)

    async def test_raised(self) -> None:
        """
        If a callback raises, the status is 1, even if it was called after
        C{shutdown()}, and even if the client continued.
        """
        source = """
class Late:
    def connected(self, client, peer):
        client.shutdown()

    def serverInput(self, client, line):
        pass

    def disconnected(self, client, disconnection):
        raise ValueError("too late")

class Twice(Late):
    times = 0

    def connected(self, client, peer):
        client.shutdown()

    def preConnect(self, client, negotiation):
        self.times += 1
        return True if self.times > 1 else 1 / 0

    def disconnected(self, client, disconnection):
        pass

class Fine(Twice):
    times = 1
"""
        server = await self.serve()
        for handlers, status, error in (
            ("Late", 1, b"too late"),
            ("Twice", 1, b"ZeroDivisionError"),
            ("Fine", 0, b""),
        ):
            for run in (CLIENTTCP, (*TWISTD, "--logfile=log", "clienttcp")):
                home = self.directory()
                Path(home, "raising.py").write_text(source)
                words = [f"--client=raising:{handlers}", "--initial-delay=0"]
                if run is CLIENTTCP:
                    words.append("--reconnect")
                command = self.spawn(*run, *words, *self.where, path=home)
                await self.end(command)
                if run is CLIENTTCP:
                    self.assertEqual(self.status, status, command.err)
                    self.assertIn(error, command.err)
                else:
                    log = Path(home, "log").read_text()
                    self.assertIn(f"(as exit status: {status})", log)
        self.assertEqual(len(server.peers), 8)

    async def test_refused(self) -> None:
        """
        If the callbacks cannot be loaded, each command prints one line.
        """
        for run in (CLIENTTCP, (*TWISTD, "clienttcp"), (*TWIST, "clienttcp")):
            done = await self.run_(*run, "--client=no_such:thing", "localhost", "7")
            self.assertEqual((self.status, done.out), (USAGE, b""))
            self.assertIn(b"there is no module no_such", done.err)
            self.assertEqual(done.err.count(b"\n"), 1)

    async def test_cannotStart(self) -> None:
        """
        A client that cannot start is one line, and status 1.
        """
        source = """
from twisted_clienttcp import ClientTCPFactory
client = ClientTCPFactory(serverInput=lambda client, line: None)
"""
        for run, status in ((CLIENTTCP, 1), ((*TWISTD, "clienttcp"), -15)):
            home = self.directory()
            Path(home, "incomplete.py").write_text(source)
            command = self.spawn(*run, "--client=incomplete:client", path=home)
            await self.end(command, status)
            reason = b"the client cannot start: start() has nothing to connect to"
            self.assertIn(reason, command.out + command.err)
            self.assertNotIn(b"Traceback", command.out + command.err)
        self.assertIn(b"(as exit status: 1)", command.out)

    async def test_daemon(self) -> None:
        """
        They run in a daemon with a pid file. SIGTERM ends it when everything is sent.
        """
        server = await self.serve()
        server.met = hold
        server.heard = lambda peer, data: None
        home = self.home()
        pidfile = Path(home, "twistd.pid")
        started = self.spawn(
            *TWISTD[:2],
            *("--pidfile=twistd.pid", "--logfile=log", "clienttcp"),
            *("--client=handlers:Handlers", *self.where),
            path=home,
        )
        await self.end(started, 0)
        await self.met(server)
        pid = int(pidfile.read_text())
        self.addCleanup(killed, pid)
        os.kill(pid, signal.SIGTERM)
        peer: Any = server.peers[0]
        peer.transport.resumeProducing()
        await peer.lost
        self.assertEqual(len(peer.received), 2_000_000)
        await self.until(lambda: not pidfile.exists())
        self.assertIn("Server Shut Down", Path(home, "log").read_text())

    async def until(self, true: Callable[[], bool]) -> None:
        """
        Wait until a function returns True.
        """

        def look() -> None:
            if true():
                looking.stop()

        looking = LoopingCall(look)
        await looking.start(0.05).addTimeout(GUARD, reactor)
