"""
Tests for the command: connections that are replaced while standard input stays open.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from .._commands import CLIENTTCP, Command, ServedTestCase
from .._support import Peer, Server, freePort

#: Replaces connections soon. How soon does not matter: the tests wait for connections.
SOON = ("--jitter=0", "--initial-delay=0.01")
REPLACED = ("--reconnect", "--max-age=0.2", *SOON)

#: How many connections a test waits for.
CONNECTIONS = 4


class ReplacedTestCase(ServedTestCase):
    """
    Tests in which lines are typed while connections are replaced.

    @ivar count: the number of lines that were typed.
    @ivar isOpen: True until standard input is closed.
    @ivar closed: a Deferred that fires then.
    """

    command: Command

    def setUp(self) -> None:
        self.begin()

    def begin(self) -> None:
        """
        Forget the lines of an earlier command.
        """
        self.count, self.isOpen = 0, True
        self.closed: Deferred[None] = Deferred()

    def typeLine(self, end: bool) -> None:
        """
        Write the next numbered line to standard input.
        """
        self.command.type(b"line %d\n" % self.count, end)
        self.count += 1
        if end:
            self.isOpen = False
            self.closed.callback(None)

    def assertReceived(self, *servers: Server) -> bytes:
        """
        Every line has arrived once, in order.

        @param servers: the servers in the order in which they were used.

        @return: the answers.
        """
        lines = b"".join(b"line %d\r\n" % number for number in range(self.count))
        received = [peer.received for server in servers for peer in server.peers]
        self.assertEqual(b"".join(received), lines)
        return lines.upper().replace(b"\r\n", b"\n")


class MaxAgeTests(ReplacedTestCase):
    """
    C{--max-age} with standard input from a pipe.
    """

    async def start(self, *options: object, **callbacks: Any) -> Server:
        """
        Run the command with a server that answers in capitals.

        @param callbacks: the callbacks of the server.
        """
        server = await self.serve()
        self.begin()
        for name, callback in callbacks.items():
            setattr(server, name, callback)
        self.command = self.spawn(*CLIENTTCP, *REPLACED, *options, *self.where)
        return server

    async def test_lines(self) -> None:
        """
        Lines that are typed while connections are replaced arrive once, in order.
        """

        def heard(peer: Peer, data: bytes) -> None:
            peer.send(data.upper())
            if self.isOpen:
                self.typeLine(end=len(peer.server.peers) >= CONNECTIONS)

        for eof, status in (("half", 0), ("close", 0), ("keep", 143)):
            server = await self.start(f"--eof={eof}", heard=heard)
            self.typeLine(end=False)
            if eof == "keep":
                await self.closed
                await self.command.said(b"LINE %d\n" % (self.count - 1))
                self.process.signalProcess("TERM")
            await self.end(self.command, status)
            answers = self.assertReceived(server)
            self.assertEqual(self.command.err, b"")
            if eof != "close":
                self.assertEqual(self.command.out, answers)

    async def test_idle(self) -> None:
        """
        Connections are replaced while nothing is typed.
        """

        def met(peer: Peer) -> None:
            if len(peer.server.peers) == CONNECTIONS:
                self.typeLine(end=True)

        server = await self.start("--eof=half", met=met)
        await self.end(self.command, 0)
        self.assertEqual(self.command.out, self.assertReceived(server))
        self.assertEqual(self.command.err, b"")

    async def test_signalDuringDrain(self) -> None:
        """
        A signal during a drain ends the command. A line that was typed for the next
        connection is not sent.
        """
        server = await self.start(left=lambda peer: self.typeLine(end=False))
        await self.met(server)
        await server.peers[0].ended
        self.process.signalProcess("TERM")
        await self.end(self.command, 143)
        self.assertEqual([peer.received for peer in server.peers], [b""])


class FailBackTests(ReplacedTestCase):
    """
    C{--fail-back} with standard input from a pipe.
    """

    async def test_lines(self) -> None:
        """
        Lines that are typed while the command uses the second endpoint, drains that
        connection, and returns to the first endpoint arrive once, in order.
        """
        first, second = Server(), await self.serve()
        port = freePort()

        async def returns() -> None:
            await self.listen(first, port)

        def heard(peer: Peer, data: bytes) -> None:
            peer.send(data.upper())
            if len(second.peers) == 2 and not first.port:
                # From now on, the first endpoint works.
                first.port = port
                listening.append(Deferred.fromCoroutine(returns()))
            if self.isOpen:
                self.typeLine(end=bool(first.peers))

        listening: list[Deferred[None]] = []
        first.heard = second.heard = heard
        self.command = self.spawn(
            *(*CLIENTTCP, "--reconnect", *SOON, "--fail-back=0.2"),
            f"--endpoint=tcp:127.0.0.1:{port}",
            f"--endpoint=tcp:127.0.0.1:{second.port}",
        )
        self.typeLine(end=False)
        await self.end(self.command, 0)
        await listening[0]
        self.assertEqual(self.command.out, self.assertReceived(second, first))
        self.assertIn(b"Connection refused", self.command.err)
        self.assertEqual(len(first.peers), 1)
        self.assertIn(b"line %d\r\n" % (self.count - 1), first.peers[0].received)
