"""
Tests for clients whose callbacks are the methods of an object.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.testing import MemoryServer


class Base:
    """
    Remembers the calls.
    """

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def started(self, client: ClientTCPFactory, *args: Any) -> None:
        self.calls.append(("started", *args))

    def connected(self, client: ClientTCPFactory, peer: Any) -> None:
        self.calls.append("connected")

    def connectError(self, client: ClientTCPFactory, failure: Any) -> None:
        self.calls.append("connectError")

    def serverError(self, client: ClientTCPFactory, failure: Any) -> None:
        self.calls.append("serverError")

    def serverFlushed(self, client: ClientTCPFactory) -> None:
        self.calls.append("serverFlushed")

    def disconnected(self, client: ClientTCPFactory, details: Any) -> None:
        self.calls.append("disconnected")

    def stopped(self, client: ClientTCPFactory, failure: Any) -> None:
        self.calls.append("stopped")


class Plain(Base):
    """
    Has no method that is awaited.
    """

    def preConnect(self, client: ClientTCPFactory, negotiation: Any) -> bool:
        self.calls.append("preConnect")
        return True

    def serverInput(self, client: ClientTCPFactory, record: bytes) -> None:
        self.calls.append(record)


class Marked(Plain):
    """
    Has the callbacks of the marks too.
    """

    def serverHigh(self, client: ClientTCPFactory) -> None:
        self.calls.append("serverHigh")

    def serverLow(self, client: ClientTCPFactory) -> None:
        self.calls.append("serverLow")


class Awaited(Base):
    """
    Has coroutine methods where they are allowed.
    """

    answer: Deferred[None]

    async def preConnect(self, client: ClientTCPFactory, negotiation: Any) -> bool:
        self.calls.append(await negotiation.nextRecord())
        return True

    async def serverInput(self, client: ClientTCPFactory, record: bytes) -> None:
        self.calls.append(record)
        self.answer = Deferred()
        await self.answer


class Batched(Base):
    """
    Takes all records of a read at once.
    """

    def serverInputBatch(self, client: ClientTCPFactory, records: list[bytes]) -> None:
        self.calls.append(records)


class HandlerTests(SynchronousTestCase):
    """
    Tests for C{handler=}.
    """

    def server(self, handler: Base, **parameters: Any) -> MemoryServer:
        """
        @return: the server of a client with this handler.
        """
        return MemoryServer(
            ClientTCPFactory(
                remoteAddress="quotes.example.org",
                remotePort=1717,
                handler=handler,
                **parameters,
            )
        )

    def test_wholeLife(self) -> None:
        """
        Every method with the name of a callback is called, as the parameter would be.
        """
        handler = Marked()
        server = self.server(handler, args=[5], highMark=10, lowMark=5)
        server.refuse()
        server.advance(60)
        server.accept()
        server.send(b"tea 42\r\n")
        server.client.put(b"GET coffee")
        server.read()
        server.client.shutdown()
        server.advance(0)
        self.assertEqual(
            handler.calls,
            [
                ("started", 5),
                "connectError",
                "preConnect",
                "connected",
                b"tea 42",
                "serverHigh",
                "serverLow",
                "serverFlushed",
                "disconnected",
                "stopped",
            ],
        )

    def test_awaited(self) -> None:
        """
        C{preConnect} and C{serverInput} may be coroutine methods, which are awaited.
        """
        handler = Awaited()
        server = self.server(handler)
        server.accept()
        self.assertFalse(server.client.connected)
        server.send(b"welcome\r\none\r\ntwo\r\n")
        expected = [("started",), b"welcome", "connected", b"one"]
        self.assertEqual(handler.calls, expected)
        handler.answer.callback(None)
        self.assertEqual(handler.calls, [*expected, b"two"])

    def test_batch(self) -> None:
        """
        A handler may have C{serverInputBatch} in place of C{serverInput}.
        """
        handler = Batched()
        server = self.server(handler)
        server.accept()
        server.send(b"one\r\ntwo\r\n")
        self.assertEqual(handler.calls[-1], [b"one", b"two"])

    def test_both(self) -> None:
        """
        Parameters add callbacks that the handler does not have.
        """
        handler = Base()
        records: list[bytes] = []
        server = self.server(
            handler, serverInput=lambda client, record: records.append(record)
        )
        server.accept()
        server.send(b"one\r\n")
        self.assertEqual(records, [b"one"])
        self.assertIn("connected", handler.calls)

    def test_raises(self) -> None:
        """
        A method that raises is reported by the name of the callback.
        """
        failures: list[Any] = []

        class Raising(Plain):
            def serverInput(self, client: ClientTCPFactory, record: bytes) -> None:
                raise ValueError("no number")

            def serverError(self, client: ClientTCPFactory, failure: Any) -> None:
                failures.append(failure.getErrorMessage())

        server = self.server(Raising())
        server.accept()
        server.send(b"tea\r\n")
        self.assertEqual(failures, ["serverInput raised ValueError: no number"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
