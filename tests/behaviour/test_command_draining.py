"""
Tests for the command: connections that are replaced while standard input stays open.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred

from .._commands import CLIENTTCP, Command, ServedTestCase
from .._support import Peer, Server

reactor: Any = _reactor

#: Replaces connections soon.
SOON = ("--reconnect", "--max-age=0.2", "--jitter=0", "--initial-delay=0.01")

#: How many connections a test waits for.
CONNECTIONS = 4


class ReplacedTests(ServedTestCase):
    """
    C{--max-age} with standard input from a pipe.

    @ivar count: the number of lines that were typed.
    @ivar isOpen: True until standard input is closed.
    @ivar closed: a Deferred that fires then.
    """

    command: Command

    async def start(self, *options: object, **callbacks: Any) -> Server:
        """
        Run the command with a server that answers in capitals.

        @param callbacks: the callbacks of the server.
        """
        server = await self.serve()
        self.count, self.isOpen = 0, True
        self.closed: Deferred[None] = Deferred()
        for name, callback in callbacks.items():
            setattr(server, name, callback)
        self.command = self.spawn(*CLIENTTCP, *SOON, *options, *self.where)
        return server

    def typeLine(self, end: bool) -> None:
        """
        Write the next numbered line to standard input.
        """
        self.command.type(b"line %d\n" % self.count, end)
        self.count += 1
        if end:
            self.isOpen = False
            self.closed.callback(None)

    def assertReceived(self, server: Server) -> bytes:
        """
        Every line has arrived once, in order.

        @return: the answers.
        """
        lines = b"".join(b"line %d\r\n" % number for number in range(self.count))
        self.assertEqual(b"".join(peer.received for peer in server.peers), lines)
        self.assertEqual(self.command.err, b"")
        return lines.upper().replace(b"\r\n", b"\n")

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

    async def test_endDuringDrain(self) -> None:
        """
        A last line that is typed during a drain is sent on the next connection. If
        nothing is left to be sent, the command ends after the drain.
        """

        def left(peer: Peer) -> None:
            if self.isOpen and hasLine:
                self.typeLine(end=True)
            elif self.isOpen:
                self.isOpen = False
                self.command.type(b"")
            # In the meantime, the command usually reads this.
            reactor.callLater(0.1, peer.close)

        for eof in ("half", "close"):
            for hasLine in (True, False):
                server = await self.start(f"--eof={eof}", left=left)
                await self.end(self.command, 0)
                self.assertEqual(len(server.peers), 2 if hasLine else 1)
                answers = self.assertReceived(server)
                if eof != "close":
                    self.assertEqual(self.command.out, answers)

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

    async def test_cutOff(self) -> None:
        """
        If the server does not end its side of a replaced connection, answers may be
        missing: the exit status is 1 although the last connection ended well.
        """

        def left(peer: Peer) -> None:
            if len(peer.server.peers) > 1:
                peer.close()

        def met(peer: Peer) -> None:
            if len(peer.server.peers) == 2:
                self.typeLine(end=True)

        server = await self.start(
            *("--linger-timeout=0.2", "--eof=half"),
            left=left,
            met=met,
        )
        await self.end(self.command, 1)
        self.assertIn(b"within lingerTimeout", self.command.err)
        self.assertEqual(server.peers[1].received, b"line 0\r\n")
        self.assertEqual(self.command.out, b"LINE 0\n")
