"""
Tests for the messages that a client logs when it has no callbacks for errors.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.logger import LogLevel, formatEvent
from twisted.logger import capturedLogs as capture
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import NegotiationRefused
from twisted_clienttcp.testing import MemoryServer

from .._commands import TWIST, TWISTD
from .._processes import execute
from .._support import GUARD, NetworkTestCase


class FailureMessageTests(SynchronousTestCase):
    """
    Tests for the messages about failures.
    """

    def logged(self, act: Any, **callbacks: Any) -> list[str]:
        """
        @param act: called with the server.

        @return: the warnings that the client has logged.
        """
        given = {"serverInput": lambda client, record: None, **callbacks}
        with capture() as events:
            server = MemoryServer(
                ClientTCPFactory(
                    remoteAddress="quotes.example.org",
                    remotePort=1717,
                    jitter=None,
                    **given,
                )
            )
            act(server)
        for event in events:
            if str(event["log_namespace"]).startswith("twisted_clienttcp"):
                # Observers can tell the clients of a program apart.
                self.assertIs(event["log_source"], server.client)
        return [
            formatEvent(event)
            for event in events
            if event["log_level"] is LogLevel.warn
        ]

    def test_words(self) -> None:
        """
        A message names the client and describes the failure in words.
        """

        def raising(client: Any, record: bytes) -> None:
            raise ValueError("no number")

        def sending(server: MemoryServer) -> None:
            server.accept()
            server.send(b"tea\r\n")

        def closing(server: MemoryServer) -> None:
            server.accept()
            server.close()

        def resetting(server: MemoryServer) -> None:
            server.accept()
            server.reset()

        lasted = " (connected for 0 s)"
        for act, callbacks, words in (
            (MemoryServer.refuse, {}, "cannot connect: Connection refused"),
            (closing, {}, f"the server closed the connection{lasted}"),
            (
                resetting,
                {},
                f"the connection was lost: Connection reset by peer{lasted}",
            ),
            (
                sending,
                {"serverInput": raising},
                f"serverInput raised ValueError: no number{lasted}",
            ),
            (
                MemoryServer.accept,
                {"preConnect": lambda client, negotiation: False},
                "preConnect refused the connection: it returned False",
            ),
        ):
            messages = self.logged(act, **callbacks)
            expected = f"Client quotes.example.org:1717: {words}; next attempt in 1 s"
            self.assertEqual(messages, [expected])
            self.flushLoggedErrors(ValueError)

    def test_fields(self) -> None:
        """
        The event of a failure has the failure and its details as fields, for observers
        that need them.
        """
        with capture() as events:
            MemoryServer(
                ClientTCPFactory(
                    remoteAddress="quotes.example.org",
                    remotePort=1717,
                    serverInput=lambda client, record: None,
                )
            ).refuse()
        (event,) = events
        self.assertEqual(event["operation"], "connect")
        self.assertEqual(event["text"], "Connection refused")
        self.assertTrue(event["failure"].check(ConnectionRefusedError))


class RefusalTests(SynchronousTestCase):
    """
    Tests for the error of a C{preConnect} that does not accept the connection.
    """

    def refusal(self, answer: object) -> str:
        """
        @return: the text of the error.
        """
        failures: list[Any] = []
        server = MemoryServer(
            ClientTCPFactory(
                remoteAddress="quotes.example.org",
                remotePort=1717,
                serverInput=lambda client, record: None,
                preConnect=lambda client, negotiation: answer,
                connectError=lambda client, failure: failures.append(failure),
            )
        )
        server.accept()
        (failure,) = failures
        self.assertTrue(failure.check(NegotiationRefused))
        return str(failure.value)

    def test_deliberate(self) -> None:
        """
        A false value is a refusal and is reported as one; no advice is needed.
        """
        for answer, shown in (
            (False, "False"),
            (0, "0"),
            ("", "''"),
            (succeed(False), "False"),
        ):
            self.assertEqual(
                self.refusal(answer),
                f"preConnect refused the connection: it returned {shown}",
            )

    def test_forgotten(self) -> None:
        """
        None may come from a missing return statement: the error says so.
        """
        for answer in (None, succeed(None)):
            text = self.refusal(answer)
            self.assertIn("it returned None", text)
            self.assertIn("must return True", text)
            self.assertIn("return statement missing?", text)

    def test_notAwaited(self) -> None:
        """
        A generator is not awaited: the error says what can be returned.
        """
        text = self.refusal(each for each in range(2))
        self.assertIn("<generator object", text)
        self.assertIn("True, or a Deferred or coroutine", text)


class FirstFailureTests(NetworkTestCase):
    """
    Tests for the output of a program without callbacks for errors, whose server is
    down.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        # A port that is taken, and refuses connections.
        self.socket = socket.socket()
        self.addCleanup(self.socket.close)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    async def printed(self, *words: str) -> tuple[str, str]:
        """
        Run Python with these arguments until it ends.

        @return: its standard output and standard error.
        """
        out, err, _ = await execute(
            sys.executable,
            *words,
            path=self.folder,
            variables={"PYTHONPATH": str(self.folder)},
        )
        return out.decode(), err.decode()

    def program(self, parameters: str = "", before: str = "", clients: int = 2) -> str:
        """
        @param parameters: further parameters of the clients.
        @param before: what to do before the clients are created.

        @return: the name of a program whose clients make three attempts each.
        """
        (self.folder / "program.py").write_text(
            f"""
import sys
from twisted import logger
from twisted.internet.defer import gatherResults
from twisted.internet.task import react
from twisted.python import log
from twisted_clienttcp import ClientTCPFactory

def main(reactor):
    {before or "pass"}
    clients = [
        ClientTCPFactory(remoteAddress="127.0.0.1", remotePort={self.port},
                         serverInput=print, {parameters})
        for _ in range({clients})
    ]
    for client in clients:
        client.initialDelay = 0.01
        connected = client.whenConnected(3)
        connected.addErrback(lambda failure, client=client: client.shutdown())
        client.start()
    # A guard, in case that the program does not end by itself.
    reactor.callLater({GUARD // 2}, reactor.stop)
    return gatherResults([client.whenStopped() for client in clients])

react(main)
"""
        )
        return "program.py"

    async def test_react(self) -> None:
        """
        Under C{react}, the first failure is printed to standard error: once, for all
        clients of the process, with a hint.
        """
        out, err = await self.printed(self.program())
        self.assertEqual(out, "")
        words = f"Client 127.0.0.1:{self.port}: cannot connect: Connection refused; "
        self.assertTrue(err.startswith(words), err)
        self.assertEqual(err.count("cannot connect"), 1)
        self.assertIn("startLogging(sys.stderr)", err)
        self.assertIn("connectError and serverError", err)

    async def test_observers(self) -> None:
        """
        Nothing is printed that way if an observer is running, or was added, or if
        logging has begun without any; nor if the callback is given.
        """
        for parameters, before in (
            ("", "log.startLogging(sys.stdout)"),
            ("", "log.addObserver(lambda event: None)"),
            ("", "logger.globalLogPublisher.addObserver(lambda event: None)"),
            ("", "logger.globalLogBeginner.beginLoggingTo([])"),
            ("connectError=lambda client, failure: None", ""),
        ):
            out, err = await self.printed(self.program(parameters, before))
            self.assertEqual(err, "", before)
            if "stdout" in before:
                self.assertIn("cannot connect", out)

    async def test_interrupted(self) -> None:
        """
        A connection that is lost because the reactor stops is not printed as a failure.
        """
        self.socket.listen()
        stop = "connected=lambda client, peer: client.clock.stop()"
        program = self.program(stop, clients=1)
        self.assertEqual(await self.printed(program), ("", ""))

    async def test_raised(self) -> None:
        """
        An exception of a callback is printed with its traceback, as Twisted prints
        every critical event where no observer is running. The loss of the connection
        that follows from it is not printed.
        """
        self.socket.listen()
        for callback in ("connected", "preConnect"):
            raising = f"autoReconnect=False, {callback}=lambda client, peer: 1 / 0"
            out, err = await self.printed(self.program(raising))
            words = f"Client 127.0.0.1:{self.port}: {callback} raised\nTraceback "
            self.assertTrue(err.startswith(words), err)
            self.assertIn("ZeroDivisionError", err)
            self.assertNotIn("observer", err)

    async def test_cleanEnd(self) -> None:
        """
        Nor is the end of a connection that the server has closed.
        """
        server = await self.listen()
        server.met = lambda peer: peer.close()
        self.port = server.port
        program = self.program("autoReconnect=False")
        self.assertEqual(await self.printed(program), ("", ""))

    async def test_beforeConnected(self) -> None:
        """
        It is printed if it ends an attempt, which has failed then.
        """
        server = await self.listen()
        server.met = lambda peer: peer.close()
        self.port = server.port
        waiting = "preConnect=lambda client, negotiation: negotiation.nextRecord()"
        out, err = await self.printed(self.program(f"autoReconnect=False, {waiting}"))
        words = f"Client 127.0.0.1:{self.port}: the server closed the connection\n"
        self.assertTrue(err.startswith(words), err)

    async def test_commands(self) -> None:
        """
        The commands have logs of their own, so they print it nowhere else.
        """
        (self.folder / "quiet.py").write_text("def serverInput(client, record): pass\n")
        arguments = [
            "clienttcp",
            "--client=quiet",
            "--max-retries=2",
            "--initial-delay=0.01",
            "127.0.0.1",
            str(self.port),
        ]
        for words in (
            [*TWIST, "--log-file=log", *arguments],
            [*TWISTD, "--logfile=log", *arguments],
        ):
            out, err = await self.printed(*words)
            self.assertEqual((out, err), ("", ""), words)
            log = self.folder / "log"
            self.assertIn("cannot connect", log.read_text())
            log.unlink()
        out, err = await self.printed(
            "-m", "twisted_clienttcp", "--reconnect", *arguments[1:]
        )
        self.assertEqual(out, "")
        self.assertNotIn("observer", err)
        # The first failure, and the reason why the client gives up: the others are
        # repetitions.
        self.assertEqual(err.count("cannot connect"), 2, err)

    async def test_noDuplicates(self) -> None:
        """
        Each failure and each connection is in one line: of the command under
        C{clienttcp}, with C{--verbose} too, and of the client in the log of twistd and
        twist.
        """
        address = ("127.0.0.1", str(self.port))
        once = ("--max-retries=0", *address)
        for words in (
            [*TWIST, "--log-format=text", "--log-file=log"],
            [*TWISTD, "--logfile=log"],
        ):
            await self.printed(*words, "clienttcp", *once)
            log = self.folder / "log"
            lines = log.read_text().splitlines()
            log.unlink()
            refused = [line for line in lines if "refused" in line]
            # The failure, the client's stop, and the end of the command.
            self.assertEqual(len(refused), 3, lines)
            self.assertIn("cannot connect: Connection refused", refused[0])
            self.assertIn("gives up", refused[1])
            self.assertIn("exit status", refused[2])
        for verbose in ([], ["--verbose"]):
            _, err = await self.printed("-m", "twisted_clienttcp", *verbose, *address)
            self.assertEqual(err.count("refused"), 1, err)
        server = await self.listen()
        server.met = lambda peer: peer.close()
        address = ("127.0.0.1", str(server.port))
        _, err = await self.printed("-m", "twisted_clienttcp", "--verbose", *address)
        self.assertEqual(err.count("connected to"), 1, err)
        _, err = await self.printed("-m", "twisted_clienttcp", *address)
        self.assertNotIn("connected", err.replace("closed the connection", ""))

    async def test_trial(self) -> None:
        """
        Under trial nothing is printed.
        """
        (self.folder / "test_quiet.py").write_text(
            """
from twisted.trial.unittest import SynchronousTestCase
from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.testing import MemoryServer

class Tests(SynchronousTestCase):
    def test_refused(self):
        client = ClientTCPFactory(remoteAddress="localhost", remotePort=7,
                                  serverInput=print)
        MemoryServer(client).refuse()
"""
        )
        out, err = await self.printed("-m", "twisted.trial", "test_quiet")
        self.assertEqual(err, "")
        self.assertIn("PASSED", out)
        self.assertNotIn("cannot connect", out)
