"""
Tests for whether a record can be put, in each state of a client: which connection sends
it, which limit applies, and which error there is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from unittest.mock import Mock

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import NotConnectedError, OutputFull
from twisted_clienttcp.testing import MemoryServer

#: For each state: what happens to a record, without and with C{offlineLimit}; the limit
#: that a large record exceeds, with both limits; and what happens to a producer.
TABLE = """
idle            none    kept    offlineLimit  stopped
connecting      none    kept    offlineLimit  stopped
preConnect      none    kept    offlineLimit  stopped
connected       sent    sent    outputLimit   registered
halfClosing     sent    sent    outputLimit   registered
halfClosed      closed  closed  closed        stopped
draining        kept    kept    outputLimit   stopped
drainingProducer sent   sent    outputLimit   RuntimeError
drained         kept    kept    outputLimit   stopped
replacing       kept    kept    outputLimit   stopped
retrying        none    kept    offlineLimit  stopped
stopTrying      sent    sent    outputLimit   registered
stopTryingLate  closed  closed  closed        stopped
shuttingDown    sent    sent    outputLimit   registered
shutDown        closed  closed  closed        stopped
lost            closed  kept    offlineLimit  stopped
stopped         stopped stopped stopped       stopped
"""

#: The errors, by a part of their texts.
ERRORS = {
    "there is no connection": "none",
    "the sending side of the connection is closed": "closed",
    "the client has stopped": "stopped",
}


class AcceptanceTests(SynchronousTestCase):
    """
    C{put}, C{putMany}, C{write} and C{registerProducer} follow one rule.
    """

    def bring(self, state: str, offlineLimit: int, outputLimit: int | None) -> None:
        """
        Bring a client into a state.
        """
        self.client = client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=7,
            # A loss is reported when this has an answer.
            serverInput=lambda client, record: Deferred(),
            connectError=lambda client, failure: None,
            serverError=lambda client, failure: None,
            preConnect=(lambda client, negotiation: negotiation.nextRecord())
            if state == "preConnect"
            else None,
            offlineLimit=offlineLimit,
            outputLimit=outputLimit,
        )
        if state == "idle":
            return
        self.server = server = MemoryServer(client)
        # Only a step ends the server's side.
        server.closing = False
        if state == "connecting":
            return
        server.accept()
        steps: dict[str, list[Callable[[], object]]] = {
            "preConnect": [],
            "connected": [],
            "halfClosing": [self.fill, client.loseWriteConnection],
            "halfClosed": [client.loseWriteConnection],
            "draining": [self.fill, self.drain],
            "drainingProducer": [self.register, self.drain],
            "drained": [self.drain],
            "replacing": [self.drain, server.close],
            "retrying": [server.close],
            "stopTrying": [self.fill, self.drain, client.stopTrying],
            "stopTryingLate": [self.drain, client.stopTrying],
            "shuttingDown": [self.fill, client.shutdown],
            "shutDown": [client.shutdown],
            "lost": [self.send, server.reset],
            "stopped": [client.abort],
        }
        for step in steps[state]:
            step()
        server.advance(0)

    def fill(self) -> None:
        """
        Leave output that the server does not read.
        """
        self.server.reading = False
        self.client.put(b"first")

    def send(self) -> None:
        self.server.send(b"held\r\n" * 2)

    def drain(self) -> None:
        self.client.reconnect(drain=True)

    def register(self) -> None:
        self.client.registerProducer(Mock(), True)

    def outcome(self, call: Callable[[], object]) -> str:
        """
        @return: what happens to the records that C{call} puts.
        """
        before = self.client.stats.offlineBytes
        try:
            call()
        except NotConnectedError as error:
            [name] = [ERRORS[text] for text in ERRORS if text in str(error)]
            return name
        except OutputFull as error:
            return error.setting
        return "kept" if self.client.stats.offlineBytes > before else "sent"

    def producer(self) -> str:
        """
        @return: what happens to a producer.
        """
        producer = Mock()
        try:
            self.client.registerProducer(producer, True)
        except RuntimeError:
            return "RuntimeError"
        return "stopped" if producer.stopProducing.called else "registered"

    def test_table(self) -> None:
        """
        L{TABLE} is true.
        """
        found = []
        for line in TABLE.strip().split("\n"):
            state = line.split()[0]
            outcomes: list[str] = []
            for offlineLimit, outputLimit, size in (
                (0, None, 5),
                (30, None, 5),
                (30, 50, 99),
            ):
                record = b"x" * size
                each = set()
                for name, argument in (
                    ("put", record),
                    ("putMany", [record]),
                    ("write", record),
                ):
                    self.bring(state, offlineLimit, outputLimit)
                    each.add(
                        self.outcome(partial(getattr(self.client, name), argument))
                    )
                self.assertEqual(len(each), 1, (state, each))
                outcomes.extend(each)
            self.bring(state, 0, None)
            outcomes.append(self.producer())
            found.append(" ".join([state, *outcomes]))
        expected = [" ".join(line.split()) for line in TABLE.strip().split("\n")]
        self.assertEqual(found, expected)
