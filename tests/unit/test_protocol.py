"""
Tests for the set-up of a connection's transport, and its sizes.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection import queue as _queue
from twisted_clienttcp._connection import reading as _reading
from twisted_clienttcp._connection.tcp import keepAlive

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
