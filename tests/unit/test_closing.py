"""
Tests for the end of a connection: how long a close waits for acknowledgements.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory, Disconnection, testing
from twisted_clienttcp._connection.closing import ACKNOWLEDGE_STEP, ACKNOWLEDGE_TIME
from twisted_clienttcp.testing import MemoryServer


class AcknowledgeTests(SynchronousTestCase):
    """
    Both sides have ended: only acknowledgements may be missing.
    """

    def setUp(self) -> None:
        self.missing = 0
        self.patch(
            testing._Transport, "countUnacknowledged", lambda transport: self.missing
        )
        self.reports: list[Disconnection] = []
        client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=7,
            serverInput=lambda client, record: None,
            serverError=lambda client, failure: None,
            disconnected=lambda client, report: self.reports.append(report),
        )
        self.server = MemoryServer(client)
        self.server.accept()

    def assertClosed(self, confirmed: bool, unacknowledged: int) -> None:
        [report] = self.reports
        self.assertEqual(
            (report.confirmed, report.unacknowledged), (confirmed, unacknowledged)
        )

    def test_acknowledged(self) -> None:
        """
        If nothing is missing, the connection is closed at once.
        """
        self.server.client.shutdown()
        self.server.advance(0)
        self.assertClosed(True, 0)

    def test_onlyTheEnd(self) -> None:
        """
        The acknowledgement of our end of stream may come a little later.
        """
        self.missing = 1
        self.server.client.shutdown()
        self.server.advance(0)
        self.server.advance(ACKNOWLEDGE_STEP)
        self.assertEqual(self.reports, [])
        self.missing = 0
        self.server.advance(ACKNOWLEDGE_STEP)
        self.assertClosed(True, 0)

    def test_never(self) -> None:
        """
        If it does not come, the connection is closed without it.
        """
        self.missing = 1
        self.server.client.shutdown()
        self.server.advance(0)
        self.wait(ACKNOWLEDGE_TIME - ACKNOWLEDGE_STEP)
        self.assertEqual(self.reports, [])
        self.wait(2 * ACKNOWLEDGE_STEP)
        self.assertClosed(False, 1)

    def wait(self, seconds: float) -> None:
        """
        Let time pass in small steps, as the reactor does.
        """
        for _ in range(round(seconds / ACKNOWLEDGE_STEP)):
            self.server.advance(ACKNOWLEDGE_STEP)

    def test_more(self) -> None:
        """
        A peer that has answered our end of stream without acknowledging the bytes
        before it has not read them: do not wait.
        """
        self.missing = 2
        self.server.client.shutdown()
        self.server.advance(0)
        self.assertClosed(False, 2)

    def test_peerFirst(self) -> None:
        """
        If the peer has ended its side first, all bytes may still be on their way.
        """
        self.missing = 1000
        self.server.close()
        self.server.advance(ACKNOWLEDGE_STEP)
        self.assertEqual(self.reports, [])
        self.missing = 0
        self.server.advance(ACKNOWLEDGE_STEP)
        self.assertClosed(False, 0)

    def test_abortMeanwhile(self) -> None:
        """
        C{abort} does not wait.
        """
        self.missing = 1
        self.server.client.shutdown()
        self.server.advance(0)
        self.server.client.abort()
        self.server.advance(0)
        self.assertClosed(False, 1)

    def test_lostMeanwhile(self) -> None:
        """
        Nor does a loss.
        """
        self.missing = 1
        self.server.client.shutdown()
        self.server.advance(0)
        self.server.reset()
        self.assertEqual(len(self.reports), 1)
        self.assertFalse(self.reports[0].confirmed)
        self.server.advance(1)
        self.assertEqual(len(self.reports), 1)
