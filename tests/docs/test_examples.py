"""
Tests that run the documents' examples as a user does, against real servers where there
is one.
"""

from __future__ import annotations

import io
import json
import runpy
import sys
import time
from pathlib import Path
from typing import Any

import trustme
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory
from twisted.mail.smtp import ESMTP
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Line
from twisted_clienttcp.testing import MemoryServer

from .._documents import ROOT
from .._examples import EXAMPLES, ExampleTestCase
from .._support import GUARD, Peer, Server, freePort, reactor, turn
from .._tls import Identity


class HeadTests(ExampleTestCase):
    """
    C{http_head.py}.
    """

    async def test_nginx(self) -> None:
        """
        Only the head of nginx's answer is printed.
        """
        example = self.example("http_head", "localhost", await self.nginx(), "/")
        self.assertEqual(await example.ended, 0)
        lines = example.output.decode().splitlines()
        self.assertEqual(lines[0], "HTTP/1.1 200 OK")
        self.assertIn("Content-Length: 5", lines)


class RedisTests(ExampleTestCase):
    """
    C{redis_subscriber.py}.
    """

    async def ask(self, port: int, command: bytes) -> None:
        """
        Send a command to the server, and wait for the answer.
        """
        client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=port,
            framing=Line(delimiter=b"\r\n"),
            serverInput=lambda client, line: client.shutdown(),
        )
        stopped = client.start()
        await client.whenConnected()
        client.put(command)
        await stopped

    async def test_messages(self) -> None:
        """
        Messages are printed with their newlines, also after the server has closed the
        connection once.
        """
        port = await self.redis()
        example = self.example("redis_subscriber", "127.0.0.1", port, "news", "weather")
        await example.printed(b"subscribed weather\n")
        await self.ask(port, b'PUBLISH news "one\\r\\ntwo"')
        await example.printed(b"news: one\n" + b"two\n")
        await self.ask(port, b"PUBLISH weather fine")
        await example.printed(b"weather: fine\n")
        example.output = b""
        await self.ask(port, b"CLIENT KILL TYPE pubsub")
        await example.printed(b"subscribed weather\n")
        await self.ask(port, b"PUBLISH news three")
        await example.printed(b"news: three\n")


class IRCTests(ExampleTestCase):
    """
    C{irc_bot.py}.
    """

    async def user(self, port: int, name: str) -> Any:
        """
        @return: a client that is in the channel. Its C{heap.lines} are the lines that
            it has received; C{heap.heard(text)} waits for a line that contains a text.
        """
        waiting: list[tuple[str, Deferred[None]]] = []

        def heard(text: str) -> Deferred[None]:
            waiter: Deferred[None] = Deferred()
            waiting.append((text, waiter))
            return waiter.addTimeout(GUARD, reactor)

        def serverInput(client: ClientTCPFactory, line: str) -> None:
            client.heap.lines.append(line)
            for one in waiting[:]:
                if one[0] in line:
                    waiting.remove(one)
                    one[1].callback(None)

        client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=port,
            autoReconnect=False,
            framing=Line(encoding="utf-8", delimiter=b"\r\n"),
            serverInput=serverInput,
            serverError=lambda client, failure: None,
        )
        client.heap.lines = []
        client.heap.heard = heard
        client.start().addErrback(lambda failure: None)
        self.addCleanup(client.shutdown)
        await client.whenConnected()
        client.put(f"NICK {name}")
        client.put(f"USER {name} 0 * :somebody")
        welcome = heard(" 001 ")
        await welcome
        return client

    async def test_bot(self) -> None:
        """
        The bot answers, takes another name if its own is used, and returns when the
        server does.
        """
        port = freePort()
        served = await self.ngircd(port)
        user = await self.user(port, "pongbot")
        joined = user.heap.heard("JOIN :#chat")
        user.put("JOIN #chat")
        await joined
        came = user.heap.heard("pongbot_!")
        example = self.example("irc_bot", "127.0.0.1", port, "pongbot", "#chat")
        await example.printed(b"joined as pongbot_\n")
        await came
        pong = user.heap.heard("PRIVMSG #chat :pong, pongbot")
        user.put("PRIVMSG #chat :!ping")
        await pong
        served.process.signalProcess("TERM")
        await example.printed(b"disconnected by the peer\n")
        await served.ended
        await user.whenStopped().addErrback(lambda failure: None)
        await self.ngircd(port)
        await example.printed(b"joined as pongbot\n")


class MailTests(ExampleTestCase):
    """
    C{smtp_probe.py}, and the server of C{twisted.mail}.
    """

    async def mail(self, authority: trustme.CA, withTLS: bool = True) -> int:
        """
        Run a mail server until the test ends.

        @return: its port.
        """
        issued = authority.issue_cert("localhost")
        context = Identity(issued).options()

        def protocol() -> ESMTP:
            return ESMTP(contextFactory=context if withTLS else None)

        factory = Factory.forProtocol(protocol)
        factory.noisy = False
        listening = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(
            factory
        )
        self.addCleanup(listening.stopListening)
        port: int = listening.getHost().port
        return port

    async def probe(self, port: int, trusted: trustme.CA) -> tuple[int, bytes]:
        """
        @return: the exit status of the example, and what it has printed.
        """
        pem = Path(self.mktemp()).absolute()
        trusted.cert_pem.write_to_path(str(pem))
        example = self.example("smtp_probe", "localhost", port, pem)
        return await example.ended, example.output

    async def test_good(self) -> None:
        """
        The server supports TLS and has a valid certificate.
        """
        authority = trustme.CA()
        status, output = await self.probe(await self.mail(authority), authority)
        self.assertEqual(status, 0, output)
        self.assertIn(b"nice to meet you", output)
        self.assertNotIn(b"STARTTLS", output)

    async def test_bad(self) -> None:
        """
        A certificate of an unknown authority, a server without TLS, and no server: the
        reason is printed, and the exit status is 1.
        """
        authority = trustme.CA()
        for port, reason in (
            (await self.mail(trustme.CA()), b"certificate"),
            (await self.mail(authority, withTLS=False), b"no STARTTLS"),
            (freePort(), b"Connection refused"),
        ):
            status, output = await self.probe(port, authority)
            self.assertEqual(status, 1, output)
            self.assertIn(reason, output)


class PostgresTests(ExampleTestCase):
    """
    C{postgres_query.py}, and PostgreSQL.
    """

    async def query(
        self, port: int, authority: trustme.CA, user: str, query: str
    ) -> tuple[int, bytes]:
        """
        @return: the exit status of the example, and what it has printed.
        """
        pem = Path(self.mktemp()).absolute()
        authority.cert_pem.write_to_path(str(pem))
        example = self.example(
            "postgres_query", "localhost", port, user, "template1", query, pem
        )
        return await example.ended, example.output

    async def test_query(self) -> None:
        """
        The rows are printed; or the reason why there are none, with exit status 1.
        """
        authority = trustme.CA()
        port = await self.postgres(authority)
        status, output = await self.query(port, authority, "me", "SELECT 1, 'a', NULL")
        self.assertEqual((status, output), (0, b"1 | a | NULL\n"))
        for user, query, reason in (
            ("me", "SELECT nothing", b'column "nothing" does not exist\n'),
            ("you", "SELECT 1", b'role "you" does not exist\n'),
        ):
            status, output = await self.query(port, authority, user, query)
            self.assertEqual((status, output), (1, reason))

    async def test_untrusted(self) -> None:
        """
        A server whose certificate is not trusted gets no query.
        """
        port = await self.postgres(trustme.CA())
        status, output = await self.query(port, trustme.CA(), "me", "SELECT 1")
        self.assertEqual(status, 1)
        self.assertIn(b"certificate", output)


class BotTests(SynchronousTestCase):
    """
    C{irc_bot.py} without a network, for everything that depends on time.
    """

    def setUp(self) -> None:
        example = runpy.run_path(str(EXAMPLES / "irc_bot.py"))
        self.sulk = example["SULK"]
        self.printed = io.StringIO()
        self.patch(sys, "stdout", self.printed)
        client = example["makeClient"]("irc.example.org", 6667, "bot", "#chat")
        self.server = MemoryServer(client)
        self.server.accept()

    def welcome(self) -> None:
        """
        Send the welcome, after which the bot joins its channel.
        """
        self.assertEqual(self.server.read(), b"NICK bot\r\nUSER bot 0 * :a bot\r\n")
        self.server.send(b":irc 001 bot :Welcome\r\n")
        self.assertEqual(self.server.read(), b"JOIN #chat\r\n")

    def test_register(self) -> None:
        """
        Before the welcome, the bot answers a PING, and tries another name if its own
        is used.
        """
        self.server.read()
        self.server.send(b"PING :123\r\n:irc 433 * bot :Nickname is in use\r\n")
        self.assertEqual(self.server.read(), b"PONG :123\r\nNICK bot_\r\n")
        self.server.send(b":irc 001 bot_ :Welcome\r\n")
        self.assertEqual(self.printed.getvalue(), "joined as bot_\n")

    def test_refused(self) -> None:
        """
        The bot connects again later if the server rejects it.
        """
        self.server.send(b"ERROR :go away\r\n")
        self.assertFalse(self.server.client.connected)
        self.assertFalse(self.server.attempting)
        self.server.advance(60)
        self.assertTrue(self.server.attempting)

    def test_kick(self) -> None:
        """
        After a kick, the bot waits before it joins the channel again.
        """
        self.welcome()
        self.server.send(b":op!o@h KICK #chat bot :enough\r\n")
        self.server.advance(self.sulk - 0.1)
        self.assertEqual(self.server.read(), b"")
        self.server.advance(0.1)
        self.assertEqual(self.server.read(), b"JOIN #chat\r\n")

    def test_netsplit(self) -> None:
        """
        After a loss, the bot registers again.
        """
        self.welcome()
        self.server.reset()
        self.server.advance(60)
        self.server.accept()
        self.welcome()

    def test_private(self) -> None:
        """
        The bot answers a private message with a private message.
        """
        self.welcome()
        self.server.send(b":me!m@h PRIVMSG bot :!ping\r\n")
        self.assertEqual(self.server.read(), b"PRIVMSG me :pong, me\r\n")


class ChatTests(ExampleTestCase):
    """
    C{chat.py}.
    """

    async def test_terminal(self) -> None:
        """
        Lines that are typed on a terminal are sent, and lines that arrive are printed;
        the end of the input ends our side of the connection.
        """
        server = await self.listen()
        server.met = lambda peer: peer.send("Grüß Gott\r\n".encode())
        server.heard = lambda peer, data: peer.send(b"you say " + data)

        def left(peer: Peer) -> None:
            peer.send(b"farewell\r\n")
            peer.close()

        server.left = left
        example = self.example("chat", "127.0.0.1", server.port, terminal=True)
        await example.printed("Grüß Gott\n".encode())
        transport: Any = example.transport
        transport.write(b"look\n")
        await example.printed(b"you say look\n")
        self.assertEqual(server.peers[0].received, b"look\r\n")
        transport.write(b"\x04")
        await example.printed(b"farewell\n")
        await example.printed(b"* closed by the peer\n")
        self.assertEqual(await example.ended, 0)


class FeederTests(ExampleTestCase):
    """
    C{graphite_feeder.py}.
    """

    async def test_offline(self) -> None:
        """
        Measurements from before the server was started arrive in order, and so do those
        that are pending when the feeder is stopped.
        """
        port = freePort()
        example = self.example("graphite_feeder", "127.0.0.1", port, "hosts.me", "0.05")
        await example.printed(b"not connected: Connection refused\n")
        began = time.time()
        server = await self.listen(Server(), port)
        await example.printed(b"bytes were kept\n")
        while not server.peers or server.peers[0].received.count(b"\n") < 5:
            await turn()
        transport: Any = example.transport
        transport.signalProcess("TERM")
        received = await server.peers[0].ended
        lines = received.decode().splitlines()
        times = [float(line.split()[2]) for line in lines]
        self.assertTrue(all(line.startswith("hosts.me.load ") for line in lines))
        self.assertLess(times[0], began)
        self.assertEqual(times, sorted(times))


class ShipperTests(ExampleTestCase):
    """
    C{log_shipper.py}.
    """

    async def test_loss(self) -> None:
        """
        A server that resets the connection in the middle receives the whole file, each
        byte once.
        """
        lines = [
            json.dumps({"line": number, "text": "x" * 90}) for number in range(20_000)
        ]
        path = Path(self.mktemp())
        path.write_text("\n".join(lines) + "\n")
        stored = b""

        def heard(peer: Peer, data: bytes) -> None:
            nonlocal stored
            if peer.received == data:
                self.assertEqual(json.loads(data), {"file": path.name})
            else:
                stored += data
            peer.send(json.dumps({"stored": len(stored)}).encode() + b"\n")
            if len(server.peers) == 1 and len(stored) > 1_000_000:
                peer.reset()

        server = await self.listen()
        server.heard = heard
        example = self.example("log_shipper", "127.0.0.1", server.port, path.absolute())
        self.assertEqual(await example.ended, 0, example.output)
        self.assertEqual(len(server.peers), 2)
        self.assertEqual(stored, path.read_bytes())
        self.assertIn(b"all 2", example.output)


class PageTests(SynchronousTestCase):
    """
    The page of the examples.
    """

    def test_whole(self) -> None:
        """
        It shows each example, and each has a test.
        """
        page = (ROOT / "docs" / "examples.rst").read_text()
        folder = Path(__file__).parent
        tests = Path(__file__).read_text() + (folder / "test_sinks.py").read_text()
        for path in EXAMPLES.glob("*.py"):
            self.assertIn(f".. literalinclude:: examples/{path.name}\n", page)
            self.assertRegex(tests, rf'self\.(example|copy)\(\s*"{path.stem}",')
