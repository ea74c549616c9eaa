"""
Tests for a reactor that is stopped, as by Ctrl-C, while a client runs.
"""

from __future__ import annotations

import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from .._processes import run

#: Interrupts itself at the event that is its first argument, in the reactor that is the
#: second one.
PROGRAM = """
import os, signal, sys

event, installer = sys.argv[1:]
if installer == "asyncio":
    from twisted.internet import asyncioreactor
    asyncioreactor.install()

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import react
from twisted_clienttcp import ClientTCPFactory


def interrupt(*args):
    os.kill(os.getpid(), signal.SIGINT)


class Silent(Protocol):
    def dataReceived(self, data):
        if event == "handshake":
            interrupt()


def note(name):
    return lambda client, failure: print(name, failure.type.__name__, failure.value)


async def main(reactor):
    if event == "unix":
        reactor.listenUNIX("client.socket", Factory.forProtocol(Silent))
        place = {"remoteAddress": "client.socket", "domain": 1}
    else:
        factory = Factory.forProtocol(Silent)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        place = {"remoteAddress": "127.0.0.1", "remotePort": port.getHost().port}
    if event == "handshake":
        place["tls"] = True
    await ClientTCPFactory(
        serverInput=print,
        connected=interrupt,
        serverError=note("serverError"),
        connectError=note("connectError"),
        disconnected=lambda client, end: print(
            "disconnected", end.initiator, end.failure.value
        ),
        **place,
    ).start()


react(main)
"""


class InterruptTests(SynchronousTestCase):
    """
    Tests for connections that Twisted drops because its reactor stops.
    """

    def output(self, event: str, reactor: str = "default") -> str:
        """
        @return: what a client reports that is interrupted at this event.
        """
        cwd = self.mktemp()
        os.mkdir(cwd)
        return run(sys.executable, "-c", PROGRAM, event, reactor, cwd=cwd)

    def test_connected(self) -> None:
        """
        The connection was ended locally, and C{serverError} is not called.
        """
        for event, reactor in (
            ("connected", "default"),
            ("connected", "asyncio"),
            ("unix", "default"),
        ):
            output = self.output(event, reactor)
            self.assertTrue(output.startswith("disconnected local "), output)
            self.assertIn("the reactor was stopped", output)
            self.assertEqual(output.count("\n"), 1, output)

    def test_handshake(self) -> None:
        """
        An attempt fails for that reason, and not because of the server.
        """
        output = self.output("handshake")
        self.assertTrue(output.startswith("connectError ConnectionAborted"), output)
        self.assertIn("the reactor was stopped", output)
