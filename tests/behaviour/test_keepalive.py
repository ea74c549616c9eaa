"""
Tests for C{keepAlive}: the kernel's check that the peer still exists.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory

from .._support import NetworkTestCase, Server, keepAliveSettings, reactor


class SettingTests(NetworkTestCase):
    """
    Tests for the options that are passed to the kernel.
    """

    async def test_settings(self) -> None:
        """
        By default, the kernel sends probes with its own numbers; with False, it does
        not; with numbers, it uses these.
        """
        server = await self.listen()
        found = []
        for wanted in (True, False, (77, 11, 5)):
            client = self.client(server, serverInput=print, keepAlive=wanted)
            client.start().addErrback(lambda failure: None)
            await client.whenConnected()
            found.append(keepAliveSettings(client))
            await client.shutdown()
        self.assertEqual([one[0] for one in found], [1, 0, 1])
        self.assertEqual(found[0][1:], found[1][1:])
        self.assertEqual(found[2], [1, 77, 11, 5])

    async def test_unacknowledgedTimeout(self) -> None:
        """
        The time without acknowledgement is passed to the kernel in milliseconds.
        """
        if not hasattr(socket, "TCP_USER_TIMEOUT"):
            raise SkipTest("this platform has no TCP_USER_TIMEOUT")
        server = await self.listen()
        found = []
        for wanted in (None, 2.5):
            client = self.client(
                server, serverInput=print, unacknowledgedTimeout=wanted
            )
            client.start().addErrback(lambda failure: None)
            await client.whenConnected()
            transport: Any = client.server and client.server.transport
            read = transport.socket.getsockopt
            found.append(read(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
            await client.shutdown()
        self.assertEqual(found, [0, 2500])

    async def test_unix(self) -> None:
        """
        A UNIX socket has no such options, and still connects.
        """
        server, path = Server(), self.socketPath()
        listening = await UNIXServerEndpoint(reactor, path).listen(server)
        self.addCleanup(listening.stopListening)
        client = ClientTCPFactory(
            serverInput=print,
            remoteAddress=path,
            domain=socket.AF_UNIX,
            autoReconnect=False,
            keepAlive=(77, 11, 5),
            unacknowledgedTimeout=(
                5.0 if hasattr(socket, "TCP_USER_TIMEOUT") else None
            ),
        )
        client.start()
        await client.whenConnected()
        await client.shutdown()


class ArgumentTests(SynchronousTestCase):
    """
    Wrong keepAliveSettings.
    """

    def test_nonsense(self) -> None:
        """
        They are rejected by name, with an example or the range.
        """
        for wrong, kind, words in (
            (5, TypeError, "(idle, interval, count)"),
            ((60, 10), TypeError, "(idle, interval, count)"),
            ([60, 10, 3], TypeError, "(idle, interval, count)"),
            ((60, 10, "3"), TypeError, "count"),
            ((0, 10, 3), ValueError, "idle must be from 1 to 32767"),
            ((60, 40000, 3), ValueError, "interval must be"),
            ((60, 10, 128), ValueError, "count must be from 1 to 127"),
            ((True, 10, 3), TypeError, "idle"),
            ((1.5, 10, 3), TypeError, "idle"),
        ):
            error = self.assertRaises(
                kind, ClientTCPFactory, serverInput=print, keepAlive=wrong
            )
            self.assertIn("keepAlive", str(error))
            self.assertIn(words, str(error))
