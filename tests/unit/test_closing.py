"""
Tests for the end of a connection: its states, and how long a close waits for
acknowledgements.
"""

from __future__ import annotations

from unittest.mock import Mock

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from twisted_clienttcp import ClientTCPFactory, Disconnection, _tls, testing
from twisted_clienttcp._connection.closing import (
    ACKNOWLEDGE_STEP,
    ACKNOWLEDGE_TIME,
    Closing,
    State,
)
from twisted_clienttcp._connection.inbound import Hold
from twisted_clienttcp._connection.reading import Reading
from twisted_clienttcp.testing import MemoryServer

#: What can happen to a connection.
INPUTS = "close drain hear endSending abort flush peerEnds silence limit lose deliver"

#: The next state for each of these; a dash if the state stays the same.
TABLE = """
OPEN          FLUSHING  DRAINING EMPTYING HALF_CLOSING ABORTED - - - - LOST -
HALF_CLOSING  FLUSHING  DRAINING EMPTYING - ABORTED HALF_CLOSED - - - LOST -
HALF_CLOSED   LINGERING RECEIVING HEARING - ABORTED - - - - LOST -
EMPTYING      FLUSHING  - - DRAINING      ABORTED HEARING       - - ABORTED LOST -
HEARING       LINGERING - - RECEIVING ABORTED - ACKNOWLEDGING LINGERING ABORTED LOST -
DRAINING      FLUSHING  - - -             ABORTED RECEIVING     - - ABORTED LOST -
RECEIVING     LINGERING - - -             ABORTED - ACKNOWLEDGING - ABORTED LOST -
FLUSHING      -         - - -             ABORTED LINGERING     - - ABORTED REPORTED -
LINGERING     -         - - -             ABORTED - ACKNOWLEDGING -       - REPORTED -
ACKNOWLEDGING -         - - -             ABORTED - - -                   - REPORTED -
ABORTED       -         - - -             - - - -                         - REPORTED -
LOST          REPORTED  - - -             REPORTED - - -           REPORTED - REPORTED
REPORTED      -         - - -             - - - -                         - - -
"""

#: What leads to each state.
PATHS = {
    State.OPEN: "",
    State.HALF_CLOSING: "endSending",
    State.HALF_CLOSED: "endSending flush",
    State.EMPTYING: "hear",
    State.HEARING: "hear flush",
    State.DRAINING: "drain",
    State.RECEIVING: "drain flush",
    State.FLUSHING: "close",
    State.LINGERING: "close flush",
    State.ACKNOWLEDGING: "close flush peerEnds",
    State.ABORTED: "abort",
    State.LOST: "lose",
    State.REPORTED: "lose deliver",
}


class ScriptedClosing:
    """
    The end of a connection on which each of L{INPUTS} is a method.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.transport = transport = Mock()
        alsoProvides(transport, IHalfCloseableDescriptor, IPushProducer)
        self.owner = Mock()
        self.descriptor = Mock(
            countUnacknowledged=lambda: 1, unacknowledged=1, unread=None, failed=False
        )
        self.reading = Reading(transport, self.clock, self.newInbound)
        self.reading.open()
        # There is output, and no acknowledgement, until flush() is called.
        self.outbound = Mock(
            pending=1, hasProducer=False, keepsRecords=False, refusal=None
        )
        self.closing = Closing(
            None,
            self.owner,
            transport,
            self.clock,
            self.outbound,
            self.reading,
            self.descriptor,
            False,
        )

    def newInbound(self) -> Mock:
        """
        @return: an inbound side with a record that is held.
        """
        self.inbound = Mock(held=0, awaited=None, truncated=None)
        self.inbound.abandon.return_value = 1
        return self.inbound

    def close(self) -> None:
        self.closing.close(40, 30)

    def drain(self) -> None:
        self.closing.drain(40, 30, True)

    def hear(self) -> None:
        self.closing.drain(40, 30, False)

    def endSending(self) -> None:
        self.closing.endSending()

    def abort(self) -> None:
        self.closing.abort()

    def flush(self) -> None:
        """
        The kernel has accepted everything.
        """
        self.outbound.pending = 0
        self.closing.flushed()

    def peerEnds(self) -> None:
        """
        As the connection reports it.
        """
        if not self.reading.hasEnded:
            self.reading.hasEnded = True
            self.reading.stopWatching()
            self.closing.peerEnded()

    def silence(self) -> None:
        """
        Nothing arrives for 5 seconds.
        """
        self.clock.advance(5)

    def limit(self) -> None:
        """
        Bytes arrive all the time, until every limit has passed.
        """
        for _ in range(50):
            self.clock.advance(1)
            if self.reading.watch is not None:
                self.reading.watch.heard()

    def lose(self) -> None:
        """
        The transport is lost, once.
        """
        if self.closing.reason is None:
            self.closing.lost(Failure(ConnectionLost()), 40, False)

    def deliver(self) -> None:
        """
        All records have been delivered.
        """
        if self.closing.state is State.LOST:
            [[atEnd], _] = self.inbound.end.call_args
            atEnd()


class StateTests(SynchronousTestCase):
    """
    The states of the end of a connection, and what moves it from one to another.
    """

    def closingIn(self, state: State) -> ScriptedClosing:
        """
        @return: the end of a connection that has come this far.
        """
        scripted = ScriptedClosing()
        for name in PATHS[state].split():
            getattr(scripted, name)()
        self.assertIs(scripted.closing.state, state)
        return scripted

    def test_table(self) -> None:
        """
        L{TABLE} has the next state for every state and input.
        """
        table = {
            line.split()[0]: line.split()[1:] for line in TABLE.split("\n") if line
        }
        for state in State:
            for name, after in zip(INPUTS.split(), table[state.name], strict=True):
                scripted = self.closingIn(state)
                getattr(scripted, name)()
                expected = state.name if after == "-" else after
                self.assertEqual(
                    (state.name, name, scripted.closing.state.name),
                    (state.name, name, expected),
                )

    def test_peerFirst(self) -> None:
        """
        If the peer has ended its side before the output is flushed, both sides have
        ended after that.
        """
        for state, after in (
            (State.HALF_CLOSING, State.HALF_CLOSED),
            (State.EMPTYING, State.ACKNOWLEDGING),
            (State.DRAINING, State.ACKNOWLEDGING),
            (State.FLUSHING, State.ACKNOWLEDGING),
        ):
            scripted = self.closingIn(state)
            scripted.peerEnds()
            self.assertIs(scripted.closing.state, state)
            scripted.flush()
            self.assertIs(scripted.closing.state, after)

    def test_closeKeepsTheLimit(self) -> None:
        """
        A drain that becomes a close has no more time for its output.
        """
        for state in (State.EMPTYING, State.DRAINING):
            scripted = self.closingIn(state)
            scripted.clock.advance(39)
            scripted.close()
            self.assertIs(scripted.closing.state, State.FLUSHING)
            scripted.clock.advance(1)
            self.assertIs(scripted.closing.state, State.ABORTED)

    def test_closeWhileLingering(self) -> None:
        """
        If a drain has ended our side and waits for the peer, a close does not make it
        wait for longer.
        """
        scripted = self.closingIn(State.HEARING)
        scripted.silence()
        self.assertIs(scripted.closing.state, State.LINGERING)
        for second in range(30):
            scripted.transport.loseConnection.assert_not_called()
            if second == 29:
                scripted.close()
            assert scripted.reading.watch is not None
            scripted.reading.watch.heard()
            scripted.clock.advance(1)
        scripted.transport.loseConnection.assert_called_once_with()

    def test_delivery(self) -> None:
        """
        After the limit of a drain, records that have been received are delivered until
        C{abort} is called; and so are those before a loss.
        """
        scripted = self.closingIn(State.RECEIVING)
        scripted.limit()
        self.assertIs(scripted.closing.state, State.ABORTED)
        scripted.lose()
        self.assertIs(scripted.closing.state, State.LOST)
        scripted.abort()
        self.assertIs(scripted.closing.state, State.REPORTED)

    def test_lostByTheEnd(self) -> None:
        """
        If the transport is lost while it ends our side, the end is reported once, and
        nothing follows.
        """
        scripted = self.closingIn(State.FLUSHING)
        scripted.transport.loseWriteConnection = scripted.lose
        scripted.flush()
        self.assertIs(scripted.closing.state, State.REPORTED)
        self.assertEqual(scripted.clock.getDelayedCalls(), [])

    def test_reportedOnce(self) -> None:
        """
        A delivery that ends after its limit is not reported again.
        """
        scripted = self.closingIn(State.LOST)
        [[atEnd], _] = scripted.inbound.end.call_args
        scripted.limit()
        atEnd()
        scripted.owner.connectionEnded.assert_called_once()

    def test_closeReads(self) -> None:
        """
        C{close} reads even if the input of a drain is paused, because it waits for the
        peer's end.
        """
        scripted = self.closingIn(State.RECEIVING)
        scripted.reading.inbound.held = Hold.USER
        scripted.transport.resumeProducing.reset_mock()
        scripted.close()
        scripted.transport.resumeProducing.assert_called_once()

    def test_bothEnded(self) -> None:
        """
        If the peer has ended its side, the connection is closed without a half-close.
        """
        scripted = self.closingIn(State.FLUSHING)
        scripted.peerEnds()
        scripted.flush()
        scripted.transport.loseWriteConnection.assert_not_called()


class ReportTests(SynchronousTestCase):
    """
    What is reported about the bytes that the peer has received.
    """

    def report(
        self, *steps: str, isTLS: bool = False, unacknowledged: int = 0, **other: bool
    ) -> Disconnection:
        """
        @param steps: the names of methods, of the script or of the closing.
        @param other: other attributes of the descriptor.

        @return: what is reported if the transport is then closed.
        """
        scripted = ScriptedClosing()
        if isTLS:
            alsoProvides(scripted.transport, ISSLTransport)
        scripted.descriptor.configure_mock(unacknowledged=unacknowledged, **other)
        for name in steps:
            (getattr(scripted, name, None) or getattr(scripted.closing, name))()
        scripted.closing.lost(Failure(ConnectionDone()), 40, isTLS)
        [[_, report, _], _] = scripted.owner.connectionEnded.call_args
        assert isinstance(report, Disconnection)
        return report

    def test_confirmed(self) -> None:
        """
        The end is confirmed if the peer has ended its side after ours, everything is
        acknowledged, and the socket has no error.
        """
        steps = ("close", "flush", "ourSideEnded", "peerEnds")
        self.assertTrue(self.report(*steps).confirmed)
        self.assertFalse(self.report(*steps, failed=True).confirmed)
        self.assertFalse(self.report(*steps, unacknowledged=1).confirmed)
        self.assertFalse(self.report(*steps[:-1]).confirmed)

    def test_peerFirst(self) -> None:
        """
        It is not confirmed if the peer has ended its side first, even if our side ends
        before the input has been delivered.
        """
        steps = ("endSending", "peerEnds", "flush", "ourSideEnded", "close")
        self.assertFalse(self.report(*steps).confirmed)

    def test_closeNotify(self) -> None:
        """
        With TLS, the same is true for the peer's close_notify.
        """
        for hasEnded in (False, True):
            self.patch(_tls, "peerHasEnded", lambda transport, has=hasEnded: has)
            report = self.report("close", "flush", isTLS=True)
            self.assertEqual(report.confirmed, not hasEnded)

    def test_unacknowledgedTLS(self) -> None:
        """
        If we have ended TLS first, the number of unacknowledged bytes is known, even if
        it is small.
        """
        self.patch(_tls, "peerHasEnded", lambda transport: False)
        report = self.report("close", "flush", isTLS=True, unacknowledged=50)
        self.assertEqual((report.unacknowledged, report.confirmed), (50, False))


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
