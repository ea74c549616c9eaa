"""
The types of a client's parameters. mypy does the real work: it checks this module with
C{warn_unused_ignores}, so each C{type: ignore} shows that it finds the mistake.
"""

from __future__ import annotations

from twisted.trial import unittest

from twisted_clienttcp import ClientTCPFactory
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
