"""
Tests for the unit file in C{docs/howto/daemons.rst}, without systemd itself.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.protocol import DatagramProtocol

from .._documents import ROOT, programs
from .._processes import execute, program
from .._servers import ProcessTestCase, Served
from .._support import Server, freePort, reactor

PAGE = ROOT / "docs" / "howto" / "daemons.rst"


class Manager(DatagramProtocol):
    """
    Receives the notifications that systemd would receive.
    """

    def __init__(self) -> None:
        self.states: DeferredQueue[bytes] = DeferredQueue()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.states.put(datagram)


class UnitTests(ProcessTestCase):
    """
    The unit file is installed in a folder of the test instead of C{/srv/feeder}.
    """

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        binaries = self.home / "venv" / "bin"
        binaries.mkdir(parents=True)
        (binaries / "twistd").symlink_to(Path(sys.executable).with_name("twistd"))
        text = PAGE.read_text()
        begin = text.index("    [Unit]\n")
        end = text.index("WantedBy=multi-user.target\n", begin)
        unit = dedent(text[begin:end] + "    WantedBy=multi-user.target\n")
        self.unit = unit.replace("/srv/feeder", str(self.home))
        self.port = freePort()
        [tac] = [
            source
            for each in programs(PAGE)
            for source in each.files.values()
            if "NOTIFY_SOCKET" in source
        ]
        here = tac.replace('"quotes.example.org", 1717', f'"127.0.0.1", {self.port}')
        self.assertNotEqual(here, tac)
        (self.home / "feeder.tac").write_text(here)

    async def test_verify(self) -> None:
        """
        systemd accepts the unit file.
        """
        path = self.home / "feeder.service"
        path.write_text(self.unit)
        out, err, status = await execute(program("systemd-analyze"), "verify", path)
        self.assertEqual((out, err, status), (b"", b"", 0))

    async def start(self, address: str) -> Served:
        """
        Run the command of the unit until the test ends.

        @param address: the address for notifications.
        """
        [line] = [
            line for line in self.unit.split("\n") if line.startswith("ExecStart=")
        ]
        return self.runCommand(
            *shlex.split(line.partition("=")[2]),
            variables={"NOTIFY_SOCKET": address},
            path=str(self.home),
        )

    async def check(self, address: str) -> None:
        """
        Check the notifications of a program that connects, loses its connection, and
        is stopped.

        @param address: the address for notifications.
        """
        manager = Manager()
        listening = reactor.listenUNIXDatagram(address.replace("@", "\0"), manager)
        self.addCleanup(listening.stopListening)
        served = await self.start(address)
        server, again = Server(), Deferred[None]()

        def heard(peer: Any, data: bytes) -> None:
            if len(server.peers) == 1:
                peer.transport.abortConnection()
            else:
                again.callback(None)

        server.heard = heard
        await self.listen(server, self.port)
        self.assertEqual(await manager.states.get(), b"READY=1")
        await again
        self.assertEqual(len(server.peers), 2, served.output)
        served.process.signalProcess("TERM")
        self.assertEqual(await manager.states.get(), b"STOPPING=1")
        await served.ended
        self.assertEqual(server.peers[1].received, b"USER me\r\n")
        self.assertEqual(manager.states.pending, [])

    async def test_notify(self) -> None:
        """
        The command of the unit reports that it is ready when it has connected for the
        first time, and that it stops.
        """
        await self.check(self.socketPath())

    async def test_notifyAbstract(self) -> None:
        """
        The address of systemd's socket can be an abstract one.
        """
        await self.check(f"@clienttcp-{self.port}")
