"""
Tests for the set-up of a connection's transport, its sizes, and what it does without.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._connection import queue as _queue
from twisted_clienttcp._connection import reading as _reading
from twisted_clienttcp._connection.tcp import keepAlive
from twisted_clienttcp.testing import MemoryServer

from .. import _support


class KeepAliveTests(SynchronousTestCase):
    """
    Tests for setting the kernel's keepalive.
    """

    def test_refusedByTheKernel(self) -> None:
        """
        The kernel may refuse this for a connection that is lost already; its transport
        reports the loss, and nothing else does.
        """

        class Refusing:
            asked = 0

            def setTcpKeepAlive(self, enabled: bool) -> None:
                self.asked += 1
                raise OSError("Invalid argument")

        transport = Refusing()
        keepAlive(transport, True)
        self.assertEqual(transport.asked, 1)


class SizeTests(SynchronousTestCase):
    """
    Tests for the sizes that tests of behaviour know.
    """

    def test_same(self) -> None:
        """
        They are those of the package.
        """
        self.assertEqual(_support.CHUNK, _queue.CHUNK)
        self.assertEqual(_support.LARGE_READ, _reading.LARGE_READ)
        self.assertEqual(_support.BACKLOG, _reading.BACKLOG)


class IdleTests(SynchronousTestCase):
    """
    Tests for what is created only when it is needed.
    """

    def test_late(self) -> None:
        """
        A connection on which nothing happens has no inbound side and no closing, and
        its client has no counts, retries and story. All of them exist after a loss.
        """
        client = ClientTCPFactory(
            "127.0.0.1",
            7,
            serverInput=lambda client, line: None,
            serverError=lambda client, failure: None,
        )
        server = MemoryServer(client)
        server.accept()
        connection = client._parts.connection
        assert connection is not None
        self.assertIsNone(connection.reading.input)
        self.assertIsNone(connection._closing)
        self.assertEqual(vars(client._parts), {})
        self.assertEqual((client.stats.attempts, client.stats.connections), (1, 1))
        server.send(b"line\r\n")
        server.reset()
        self.assertIsNotNone(connection.reading.input)
        self.assertIsNotNone(connection._closing)
        self.assertEqual(set(vars(client._parts)), {"counts", "retries", "story"})
