"""
The types of a client's parameters. mypy does the real work: it checks this module with
C{warn_unused_ignores}, so each C{type: ignore} shows that it finds the mistake.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from twisted.trial import unittest

from twisted_clienttcp import ClientTCPFactory, Disconnection, Negotiation
from twisted_clienttcp.framing import (
    SLIP,
    Framing,
    LengthPrefixed,
    Line,
    Map,
    Netstring,
)


def onText(client: ClientTCPFactory, record: str) -> None:
    """
    Accept a record that is text.
    """


def onBytes(client: ClientTCPFactory, record: bytes) -> None:
    """
    Accept a record of bytes.
    """


def onBatch(client: ClientTCPFactory, records: list[bytes]) -> None:
    """
    Accept several records of bytes.
    """


def onAnything(client: ClientTCPFactory, record: object) -> None:
    """
    Accept a record of any type.
    """


class Numbers(Framing[int]):
    """
    A user's framing.
    """

    def decode(
        self, data: bytes | bytearray, start: int, searched: int
    ) -> tuple[list[int], int]:
        return [data[start]], start + 1

    def encode(self, record: int) -> bytes:
        return bytes([record])


class RecordTypeTests(unittest.TestCase):
    """
    The type of the records of a framing must be the type that C{serverInput} accepts.
    """

    def test_accepted(self) -> None:
        """
        Each callback accepts the records of its framing.
        """
        clients = [
            ClientTCPFactory(serverInput=onBytes),
            ClientTCPFactory(framing=Line, serverInput=onBytes),
            ClientTCPFactory(framing=Line(encoding="utf-8"), serverInput=onText),
            ClientTCPFactory(framing=Netstring, serverInput=onBytes),
            ClientTCPFactory(framing=SLIP(), serverInput=onAnything),
            ClientTCPFactory(framing=Map(code=bytes), serverInput=onBytes),
            ClientTCPFactory(
                framing=(LengthPrefixed, {"prefixSize": 4}), serverInputBatch=onBatch
            ),
            ClientTCPFactory(
                framing=Numbers(), serverInput=lambda client, record: print(record + 1)
            ),
        ]
        self.assertFalse(any(client.connected for client in clients))

    def test_mistakes(self) -> None:
        """
        mypy reports a callback for records of another type.
        """
        ClientTCPFactory(
            framing=LengthPrefixed(prefixSize=4),
            serverInput=onText,  # type: ignore[arg-type]
        )
        ClientTCPFactory(
            framing=Netstring,
            serverInput=onText,  # type: ignore[arg-type]
        )
        ClientTCPFactory(
            framing=SLIP(),
            serverInputBatch=onBytes,  # type: ignore[arg-type]
        )
        ClientTCPFactory(
            framing=Numbers(),
            serverInput=onBytes,  # type: ignore[arg-type]
        )


class CallbackTypeTests(unittest.TestCase):
    """
    Each callback accepts functions with the types of C{docs/howto/types.rst}.
    """

    def test_documented(self) -> None:
        """
        mypy accepts each of them.
        """

        async def preConnect(
            client: ClientTCPFactory, negotiation: Negotiation
        ) -> bool:
            answer: bytes = await negotiation.nextRecord()
            return answer.startswith(b"OK")

        def onPeer(client: ClientTCPFactory, peer: IAddress) -> None:
            "Do nothing."

        def onFailure(client: ClientTCPFactory, failure: Failure) -> None:
            "Do nothing."

        def onEnd(client: ClientTCPFactory, end: Disconnection) -> None:
            "Do nothing."

        def onStop(client: ClientTCPFactory, failure: Failure | None) -> None:
            "Do nothing."

        def onOutput(client: ClientTCPFactory) -> None:
            "Do nothing."

        client = ClientTCPFactory(
            preConnect=preConnect,
            connected=onPeer,
            connectError=onFailure,
            serverInput=onBytes,
            serverError=onFailure,
            serverFlushed=onOutput,
            serverHigh=onOutput,
            serverLow=onOutput,
            disconnected=onEnd,
            stopped=onStop,
            highMark=2,
            lowMark=1,
        )
        self.assertFalse(client.connected)
