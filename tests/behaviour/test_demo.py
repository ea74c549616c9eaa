"""
Tests for the demo, and for the demo servers that the documents' examples connect to.
"""

from __future__ import annotations

import re
import signal
from typing import Any

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_clienttcp import ClientTCPFactory, demo
from twisted_clienttcp.framing import Line, Stream

from .._commands import CLIENTTCP, TWIST, TWISTD, USAGE, Command, CommandTestCase
from .._support import NetworkTestCase, freePort, reactor

#: More bytes than the socket buffers of a loopback connection can hold.
MANY = 10_000_000


#: The output of the demo.
STORY = """\
A server and a client run in one process.
The server sends back each line that it receives.

1. Lines
The client has connected to N.
  sent 'hello', received 'hello'
  sent 'is anybody there?', received 'is anybody there?'

2. A lost connection
The server has closed the connection.
The client has waited for a moment and connected again by itself.
  sent 'still there?', received 'still there?'

3. More output than can be sent at once
The client has put N lines of N bytes.
  N bytes are pending, which means not sent yet.
  That is more than the high mark, N.
  serverHigh is called, and the client puts no more.
  N bytes are left: less than the low mark, N.
  serverLow is called: the client could put more now.
  All N lines have come back.

4. A shutdown that loses nothing
The client queues N bytes and shuts down at once.
  The server has read N bytes: nothing is lost.

5. TLS
The server uses TLS now, with a certificate that it has made itself.
A client that does not know this certificate does not connect:
  the server's certificate was rejected: unknown CA: self-signed certificate
A client that is configured to trust this certificate has connected.
  sent 'a secret', received 'a secret'
The client queues 9 bytes and shuts down at once.
  The server has read 9 bytes: nothing is lost.

The demo has ended: each step went as it should.
"""


class DemoServerTestCase(NetworkTestCase):
    """
    Tests with a demo server and a client.
    """

    def serve(self, start: Any) -> Any:
        """
        @return: the port of a demo server, which is closed when the test ends.
        """
        port = start(reactor)
        self.addCleanup(port.stopListening)
        return port

    async def receive(self, port: Any, *lines: bytes, **parameters: Any) -> list[Any]:
        """
        Send lines, end our side, and wait for the end of the server's side.

        @return: the records received.
        """
        received: list[Any] = []

        def connected(client: ClientTCPFactory, peer: object) -> None:
            client.putMany(lines)
            client.loseWriteConnection()

        address = port.getHost()
        client = ClientTCPFactory(
            remoteAddress=address.host,
            remotePort=address.port,
            autoReconnect=False,
            connected=connected,
            serverInput=lambda client, record: received.append(record),
            **parameters,
        )
        await client.start()
        return received


class ListeningTests(DemoServerTestCase):
    """
    Both servers.
    """

    def test_loopback(self) -> None:
        """
        Each call listens on a free port of its own, on the loopback interface only.
        """
        ports = [self.serve(start) for start in (*demo.SERVERS.values(),) * 2]
        for port in ports:
            verifyObject(IListeningPort, port)
            self.assertEqual(port.getHost().host, "127.0.0.1")
        self.assertEqual(len({port.getHost().port for port in ports}), len(ports))

    async def test_stopListening(self) -> None:
        """
        A server that has been stopped accepts no more connections.
        """
        for start in demo.SERVERS.values():
            port: Any = start(reactor)
            address = port.getHost()
            await port.stopListening()
            client = ClientTCPFactory(
                remoteAddress=address.host,
                remotePort=address.port,
                autoReconnect=False,
                serverInput=lambda client, line: None,
                connectError=lambda client, failure: None,
            )
            with self.assertRaises(ConnectionRefusedError):
                await client.start()

    async def test_samePort(self) -> None:
        """
        A server can be started again on the port of one that has been stopped.
        """
        for start in (demo.echo, demo.quotes):
            first: Any = start(reactor)
            number = first.getHost().port
            await first.stopListening()
            again: Any = start(reactor, port=number)
            self.assertEqual(again.getHost().port, number)
            await again.stopListening()

    def test_names(self) -> None:
        """
        L{demo.SERVERS} has the servers by their names.
        """
        self.assertEqual(demo.SERVERS, {"echo": demo.echo, "quotes": demo.quotes})


class EchoTests(DemoServerTestCase):
    """
    The echo server.
    """

    async def test_all(self) -> None:
        """
        Every byte is echoed, also those that are on their way when the client ends its
        side.
        """
        sent = bytes(range(256)) * (MANY // 256)
        port = self.serve(demo.echo)
        received = await self.receive(port, sent, framing=Stream)
        self.assertEqual(b"".join(received), sent)


class QuotesTests(DemoServerTestCase):
    """
    The quotes server.
    """

    async def test_answers(self) -> None:
        """
        Each command has its answer.
        """
        port = self.serve(demo.quotes)
        for command, answer in (
            (b"USER me", b"OK me"),
            (b"USER", b"NO name"),
            (b"GET tea", b"tea 42"),
            (b"PING", b"PONG"),
            (b"get tea", b"ERROR what?"),
            (b"", b"ERROR what?"),
        ):
            received = await self.receive(port, command)
            self.assertEqual(received, [b"quotes 1.0 ready", answer])

    async def test_quit(self) -> None:
        """
        After C{QUIT} the server has answered what came before it, ignores the rest, and
        closes.
        """
        received = await self.receive(
            self.serve(demo.quotes), b"GET tea", b"QUIT", b"GET coffee"
        )
        self.assertEqual(received, [b"quotes 1.0 ready", b"tea 42"])

    async def test_newlines(self) -> None:
        """
        A line may end in LF alone, as C{nc} sends it.
        """
        received = await self.receive(
            self.serve(demo.quotes),
            b"PING",
            framing=Line(inputDelimiter=b"\r\n", outputDelimiter=b"\n"),
        )
        self.assertEqual(received, [b"quotes 1.0 ready", b"PONG"])

    async def test_many(self) -> None:
        """
        A client that sends all of its commands and then ends its side gets all of the
        answers.
        """
        numbers = range(100_000)
        received = await self.receive(
            self.serve(demo.quotes), *(b"GET %d" % number for number in numbers)
        )
        # assertEqual would compute a difference, which takes minutes.
        self.assertTrue(received[1:] == [b"%d 42" % number for number in numbers])

    async def test_quitWhilePaused(self) -> None:
        """
        If the answers before C{QUIT} are more than the transport takes at once, the
        server sends all of them and then closes.
        """
        received = await self.receive(self.serve(demo.quotes), *[b""] * 20_000, b"QUIT")
        self.assertEqual(len(received), 1 + 20_000)


class BackPressureTests(SynchronousTestCase):
    """
    A client that sends and does not read.
    """

    def test_paused(self) -> None:
        """
        The server stops reading while its own output is pending, so its memory does not
        grow.
        """
        for protocol in (demo.Echo(), demo.Quotes()):
            transport: Any = StringTransport()
            protocol.makeConnection(transport)
            transport.producer.pauseProducing()
            self.assertEqual(transport.producerState, "paused", protocol)
            transport.producer.resumeProducing()
            self.assertEqual(transport.producerState, "producing", protocol)
            self.assertTrue(transport.streaming)


class DemoServerTests(CommandTestCase):
    """
    C{--demo-server}.
    """

    async def address(self, command: Command) -> str:
        """
        @return: the address that a command says its server listens on.
        """
        await command.said(b" server listens on ")
        await command.said(b"\n")
        found = re.search(rb"server listens on (127\.0\.0\.1:[0-9]+)\s", command.out)
        assert found is not None, command.out
        return found[1].decode()

    async def test_clienttcp(self) -> None:
        """
        C{clienttcp} prints where the server listens; C{clienttcp} with that address is
        its client.
        """
        for name, line, answer in (
            ("echo", b"hello\n", b"hello\n"),
            ("quotes", b"GET tea\n", b"quotes 1.0 ready\ntea 42\n"),
        ):
            server = self.spawn(*CLIENTTCP, f"--demo-server={name}")
            address = await self.address(server)
            client = await self.run_(*CLIENTTCP, address, given=line)
            self.assertEqual((self.status, client.out), (0, answer), client.err)

    async def test_port(self) -> None:
        """
        The server listens on the given port; if it cannot, that is an error of one
        line.
        """
        port = freePort()
        for command in (CLIENTTCP, (*TWIST, "--log-format=text", "clienttcp")):
            server = self.spawn(*command, f"--demo-server=echo:{port}")
            process = self.process
            self.assertEqual(await self.address(server), f"127.0.0.1:{port}")
            # Twisted leaves the socket of a port that is taken to the garbage
            # collector, as UNBOUND describes.
            second = self.spawn(
                *(*CLIENTTCP, f"--demo-server=quotes:{port}"),
                variables={"PYTHONWARNINGS": "ignore::ResourceWarning"},
            )
            await self.end(second, 1)
            self.assertEqual(second.out, b"")
            self.assertIn(b": Address already in use", second.err)
            self.assertEqual(second.err.count(b"\n"), 1, second.err)
            process.signalProcess("TERM")
            await server.ended

    async def test_signals(self) -> None:
        """
        Ctrl-C and SIGTERM stop the server quietly, with the shell's exit status for
        them.
        """
        for signum in (signal.SIGINT, signal.SIGTERM):
            server = self.spawn(*CLIENTTCP, "--demo-server=echo")
            process = self.process
            await self.address(server)
            process.signalProcess(signum)
            await self.end(server, 128 + signum)
            self.assertEqual(server.err, b"")
            self.assertEqual(server.out.count(b"\n"), 1, server.out)

    async def test_twisted(self) -> None:
        """
        Under C{twistd} and C{twist} the log has the address, and the server stops with
        its service.
        """
        for twisted in (TWISTD, (*TWIST, "--log-format=text")):
            server = self.spawn(*twisted, "clienttcp", "--demo-server=quotes")
            process = self.process
            address = await self.address(server)
            client = await self.run_(*CLIENTTCP, address, given=b"PING\n")
            self.assertEqual(client.out, b"quotes 1.0 ready\nPONG\n", client.err)
            process.signalProcess("TERM")
            await server.ended
            self.assertNotIn(b"Traceback", server.out + server.err)

    async def test_refused(self) -> None:
        """
        Another name, and options of a client, are errors.
        """
        for arguments, message in (
            (["--demo-server=x"], b"--demo-server must be echo or quotes, not 'x'"),
            (["--demo-server=echo", "--tls"], b"leave out --tls"),
            (["--demo-server=echo", "localhost", "7"], b"leave out HOST and PORT"),
            (["--demo-server=echo", "--demo"], b"leave out --demo"),
        ):
            refused = await self.run_(*CLIENTTCP, *arguments)
            self.assertEqual(self.status, USAGE)
            self.assertIn(message, refused.err)


class DemoTests(CommandTestCase):
    """
    The demo reports each step, and fails if a step fails.
    """

    async def test_story(self) -> None:
        """
        All three commands run it and end with status 0. No line of the log is inside
        the story.
        """
        for command in (CLIENTTCP, (*TWISTD, "clienttcp"), (*TWIST, "clienttcp")):
            done = await self.run_(*command, "--demo")
            self.assertEqual(self.status, 0, done.err)
            # Each number of two digits and more is N. Versions of OpenSSL differ.
            numbered = re.sub(r"(?<!\n)\d[\d,.:]*\d", "N", done.out.decode())
            numbered = numbered.replace("self signed", "self-signed")
            self.assertIn(STORY, numbered)
            if command is CLIENTTCP:
                self.assertEqual(STORY, numbered)
                self.assertEqual(done.err, b"")

    async def test_closedOutput(self) -> None:
        """
        C{--demo | true} ends quietly.
        """
        command = self.spawn(*CLIENTTCP, "--demo")
        self.process.closeStdout()
        await self.end(command, 0)
        self.assertEqual(command.err, b"")

    async def broken(self, run: str, wrong: str, *arguments: str) -> Command:
        """
        Run the demo with a server in which something is wrong.
        """
        code = f"import twisted_clienttcp._command.story as demo\n{wrong}\n{run}\n"
        return await self.run_("-c", code, *arguments, "--demo")

    async def test_withoutTLS(self) -> None:
        """
        Without the extra C{tls}, the demo says how to install it.
        """
        main = "from twisted_clienttcp.__main__ import main; main()"
        wrong = "import sys; sys.modules['service_identity'] = None"
        done = await self.broken(main, wrong)
        self.assertEqual(self.status, 0, done.err)
        self.assertIn(b"nothing is lost", done.out)
        self.assertIn(b"pip install 'twisted_clienttcp[tls]'", done.out)

    async def test_failures(self) -> None:
        """
        If a step fails, the message names it, and the status is not 0.
        """
        for step, wrong in {
            b"the exchange of lines": "demo.EchoServer.dataReceived = "
            "lambda self, data: self.transport.write(data.upper())",
            b"the drop": "demo.DROP = type('', (bytes,), "
            "{'__eq__': lambda self, line: False})(b'drop')",
            b"the reconnection": "demo.STEP_TIMEOUT = 0.5\n"
            "demo.ClientTCPFactory.maxRetries = 0",
            b"the marks": "demo.HIGH = 10**9",
            b"the high mark": "import twisted_clienttcp._client.connections as module\n"
            "module.Connections.outputChanged = lambda *args: None\n"
            "demo.STEP_TIMEOUT = 0.5",
            b"the low mark": "demo.ClientTCPFactory.pendingBytes = "
            "property(lambda self: 10**6)",
            b"the unknown certificate": "demo.TLSError = LookupError",
            b"the connection over TLS": "import twisted.internet.ssl as ssl\n"
            "options = ssl.optionsForClientTLS\n"
            "ssl.optionsForClientTLS = lambda *a, **b: options('elsewhere', **b)",
            b"the shutdown": "receive = demo.EchoServer.lineReceived\n"
            "demo.EchoServer.lineReceived = lambda self, line: "
            "setattr(demo.EchoServer, 'received', 0) or receive(self, line)",
        }.items():
            main = "from twisted_clienttcp.__main__ import main; main()"
            done = await self.broken(main, wrong)
            self.assertEqual(self.status, 1, (step, done.out, done.err))
            self.assertIn(b"the demo failed: " + step, done.err)
            self.assertNotIn(b"Traceback", done.err)

    async def test_failureUnderTwistd(self) -> None:
        """
        Under twistd and twist, the message is in the log, and the process ends by
        SIGTERM.
        """
        wrong = "demo.EchoServer.dataReceived = lambda self, data: None"
        wrong += "\ndemo.STEP_TIMEOUT = 0.1"
        for run, arguments in (
            ("from twisted.scripts.twistd import run; run()", ("--nodaemon",)),
            ("from twisted.application.twist._twist import Twist; Twist.main()", ()),
        ):
            done = await self.broken(run, wrong, *arguments, "clienttcp")
            self.assertEqual(self.status, -15, done.out + done.err)
            self.assertIn(b"the exchange of lines: no serverInput", done.out)
