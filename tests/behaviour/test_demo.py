"""
The demo servers, which the examples in the documents connect to.
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

from .._support import NetworkTestCase, reactor
from .test_command import CLIENTTCP, TWIST, TWISTD, USAGE, Command, CommandTestCase

#: More bytes than the socket buffers of a loopback connection hold.
MANY = 10_000_000


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
    What both servers have in common.
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
        Every byte comes back, also those that are on their way when the client ends
        its side.
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
        found = re.search(rb"server listens on (127\.0\.0\.1:[0-9]+)\.", command.out)
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

    async def test_signals(self) -> None:
        """
        Ctrl-C and SIGTERM stop it quietly, with the exit status that the shell uses for
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
