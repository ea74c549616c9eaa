"""
Tests against servers from other projects, which are skipped where these are missing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Line

from .._commands import CLIENTTCP, TWISTD, CommandTestCase
from .._servers import RealServerTestCase
from .._support import Recorder, freePort


class RedisTests(RealServerTestCase):
    """
    redis-server.
    """

    async def test_ping(self) -> None:
        """
        PING is answered.
        """
        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.put(b"PING")
        recorder.on["serverInput"] = lambda client, line: client.shutdown()
        client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=await self.redis(),
            framing=Line(delimiter=b"\r\n"),
            **recorder.parameters(),
        )
        await client.start()
        self.assertEqual(
            recorder.events,
            [
                "started",
                "connected",
                "serverFlushed",
                ("serverInput", b"+PONG"),
                "disconnected",
                "stopped",
            ],
        )
        self.assertTrue(recorder.disconnections[0].confirmed)

    async def test_pipeline(self) -> None:
        """
        10,000 SETs in one batch get 10,000 answers, and the values are stored.
        """
        count, answers = 10_000, []

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            for number in range(count):
                client.put(b"SET key:%d value:%d" % (number, number))
            client.put(b"DBSIZE")
            client.put(b"GET key:9999")

        def serverInput(client: ClientTCPFactory, line: bytes) -> None:
            answers.append(line)
            if len(answers) == count + 3:
                client.shutdown()

        client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=await self.redis(),
            framing=Line(delimiter=b"\r\n"),
            connected=connected,
            serverInput=serverInput,
        )
        await client.start()
        self.assertEqual(answers[:count], [b"+OK"] * count)
        self.assertEqual(answers[count:], [b":10000", b"$10", b"value:9999"])


class NginxTests(RealServerTestCase):
    """
    nginx.
    """

    async def test_head(self) -> None:
        """
        The synopsis of POE::Component::Client::TCP: send HEAD / to a web server, and
        print the answer until the server closes the connection.
        """
        port = await self.nginx()
        recorder = Recorder()

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            client.put(b"HEAD / HTTP/1.0")
            client.put(b"")

        recorder.on["connected"] = connected
        client = ClientTCPFactory(
            remoteAddress="localhost",
            remotePort=port,
            autoReconnect=False,
            **recorder.parameters(),
        )
        await client.start()
        lines = [event[1] for event in recorder.events if event[0] == "serverInput"]
        self.assertEqual(lines[0], b"HTTP/1.1 200 OK")
        self.assertIn(b"Content-Length: 5", lines)
        self.assertEqual(lines[-1], b"")
        self.assertEqual(
            recorder.events[-3:],
            [("serverError", "read", 0), "disconnected", "stopped"],
        )


class CommandTests(RealServerTestCase, CommandTestCase):
    """
    The commands, with all of these servers.
    """

    async def check(
        self, port: int, given: bytes, *expected: bytes, options: Any = ()
    ) -> None:
        """
        Run a command with some input, and return its output.
        """
        done = await self.run_(*CLIENTTCP, *options, "127.0.0.1", port, given=given)
        for part in expected:
            self.assertIn(part, done.out)
        self.assertEqual((self.status, done.err), (0, b""))

    async def test_redis(self) -> None:
        """
        Commands are sent through a pipe, and answers are printed.
        """
        port = await self.redis()
        await self.check(port, b"SET a 1\nINCR a\nGET a\n", b"+OK\n:2\n$1\n2\n")
        values = b"".join(b"SET key:%d %d\r\n" % (n, n) for n in range(10_000))
        await self.check(
            port,
            values + b"DBSIZE\r\n",
            b"+OK\r\n" * 10_000 + b":10001",
            options=["--framing=stream"],
        )

    async def test_subscriber(self) -> None:
        """
        With C{--eof=keep}, it continues to receive, and under twistd until SIGTERM.
        """
        port = await self.redis()
        for run in (CLIENTTCP, (*TWISTD, "--logfile=log", "clienttcp")):
            command = self.spawn(*run, "--eof=keep", "127.0.0.1", port)
            process = self.process
            command.type(b"SUBSCRIBE news\n")
            await command.said(b"subscribe")
            await self.check(port, b"PUBLISH news hello\n", b":1\n")
            await command.said(b"hello")
            process.signalProcess("TERM")
            await self.end(command)
            self.assertIn(self.status, (143, -15))
            self.assertEqual(command.err, b"")

    async def test_nginx(self) -> None:
        """
        A web page is printed.
        """
        await self.check(
            await self.nginx(),
            b"GET / HTTP/1.0\n\n",
            *(b"HTTP/1.1 200 OK\n", b"Content-Length: 5\n", b"\n\nhello"),
        )

    async def test_memcached(self) -> None:
        """
        A value is stored and read.
        """
        await self.check(
            await self.memcached(),
            b"set a 0 60 5\nhello\nget a\nquit\n",
            b"STORED\nVALUE a 0 5\nhello\nEND\n",
        )

    async def test_poe(self) -> None:
        """
        A server of POE.
        """
        port = await self.poe()
        await self.check(port, b"hello\nbye\n", b"HELLO\nBYE\n")
        command = self.spawn(*CLIENTTCP, "127.0.0.1", port, usePTY=True)
        self.process.write(b"typed\n")
        await command.said(b"TYPED")
        self.process.write(b"\x04")
        await self.end(command, 0)

    async def test_irc(self) -> None:
        """
        A greeting is printed, and as a JSON event.
        """
        port = freePort()
        await self.ngircd(port)
        command = self.spawn(
            *CLIENTTCP,
            "--json-events",
            "--framing=line:encoding=utf-8",
            "127.0.0.1",
            port,
        )
        command.type(b"NICK somebody\nUSER somebody 0 * :me\n", end=False)
        await command.said(b" 001 somebody ")
        command.type(b"QUIT :bye\n")
        await self.end(command, 0)
        events = [json.loads(line) for line in command.out.splitlines()]
        said = [e["record"] for e in events if e["event"] == "serverInput"]
        self.assertIn("ERROR", said[-1])

    async def test_smtp(self) -> None:
        """
        The user's own handlers send a mail after STARTTLS.
        """
        port, served, authority = await self.smtp()
        home = self.directory()
        Path(home, "mail.py").write_text(SMTP.format(authority=authority))
        command = self.spawn(
            *CLIENTTCP, "--client=mail:Mail", "127.0.0.1", port, path=home
        )
        await self.end(command, 0)
        self.assertEqual(command.out, b"delivered over TLSv1.3\n")
        self.assertIn(b"Subject: greetings", served.output)


SMTP = """
from twisted.internet.ssl import Certificate, optionsForClientTLS

class Mail:
    async def answer(self, negotiation, expected):
        while True:
            line = await negotiation.nextRecord()
            if line[3:4] != b"-":
                return line.startswith(expected)

    async def preConnect(self, client, negotiation):
        await self.answer(negotiation, b"220")
        negotiation.put(b"EHLO me")
        await self.answer(negotiation, b"250")
        negotiation.put(b"STARTTLS")
        if not await self.answer(negotiation, b"220"):
            return False
        with open({authority!r}) as file:
            trusted = Certificate.loadPEM(file.read())
        await negotiation.startTLS(optionsForClientTLS("mail.test", trusted))
        return True

    def connected(self, client, peer):
        self.steps = [
            b"EHLO me", b"MAIL FROM:<me@mail.test>", b"RCPT TO:<you@mail.test>",
            b"DATA", b"Subject: greetings\\r\\n\\r\\nhello\\r\\n.", b"QUIT",
        ]
        self.serverInput(client, b"250 ")

    def serverInput(self, client, line):
        if line[3:4] == b"-":
            return
        if self.steps:
            for part in self.steps.pop(0).split(b"\\r\\n"):
                client.put(part)
        elif line.startswith(b"221"):
            version = client.server.transport.getHandle().get_protocol_version_name()
            print("delivered over", version, flush=True)
            client.shutdown()
"""
