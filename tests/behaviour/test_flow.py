"""
Tests for flow control: the water marks and their callbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from twisted_clienttcp import ClientTCPFactory

from .._peers import MANY, TOO_MUCH, BlockedServerTestCase
from .._support import CHUNK, Recorder, Server, turn


class HighTests(BlockedServerTestCase):
    """
    Events at, or inside, C{serverHigh}.
    """

    async def ending(
        self, end: Callable[[ClientTCPFactory, Server], object]
    ) -> Recorder:
        """
        Put records, one in each turn, and do something inside the first C{serverHigh}.

        @return: the recorded callbacks.
        """
        client, recorder, server = await self.connected()
        recorder.on["serverHigh"] = lambda client: end(client, server)
        data = 0
        while data < TOO_MUCH and client.connected:
            client.put(b"x" * 100_000)
            data += 100_000
            await turn()
        await client.whenStopped().addErrback(lambda failure: None)
        self.assertEqual(self.marks(recorder), ["serverHigh"])
        self.assertEqual(recorder.events.count("disconnected"), 1)
        self.assertEqual(recorder.events[-1], "stopped")
        [reported] = recorder.disconnections
        self.assertGreaterEqual(reported.unsent, 200_000 - CHUNK)
        self.assertLess(reported.unsent, data)
        return recorder

    async def test_reset(self) -> None:
        """
        The peer resets.
        """
        recorder = await self.ending(lambda client, server: server.peers[0].reset())
        self.assertEqual(recorder.disconnections[0].initiator, "network")
        self.assertEqual(
            [event[0] for event in recorder.events if "Error" in event[0]],
            ["serverError"],
        )

    async def test_transportAborted(self) -> None:
        """
        The transport is aborted behind the client's back.
        """
        await self.ending(
            lambda client, server: client.server.transport.abortConnection()  # type: ignore[union-attr]
        )

    async def test_lost(self) -> None:
        """
        The transport is lost inside the callback.
        """

        def lose(client: Any, server: Server) -> None:
            client.server.transport.connectionLost(Failure(ConnectionLost()))

        recorder = await self.ending(lose)
        self.assertEqual(recorder.disconnections[0].initiator, "network")

    async def test_abort(self) -> None:
        """
        C{abort()}.
        """
        recorder = await self.ending(lambda client, server: client.abort())
        self.assertEqual(recorder.disconnections[0].initiator, "local")

    async def test_reconnect(self) -> None:
        """
        C{reconnect()}: the next connection has no pending output.
        """
        client, recorder, server = await self.connected()
        recorder.on["serverHigh"] = lambda client: client.reconnect()
        client.put(b"x" * TOO_MUCH)
        while "disconnected" not in recorder.events:
            await turn()
        await client.whenConnected()
        self.assertEqual(client.pendingBytes, 0)
        self.assertGreater(recorder.disconnections[0].unsent, 0)
        client.put(b"again")
        while len(server.peers) < 2:
            await turn()
        server.peers[1].transport.resumeProducing()  # type: ignore[union-attr]
        self.assertEqual(await server.peers[1].until(b"again"), b"again")

    async def test_shutdown(self) -> None:
        """
        C{shutdown()}, which flushes past the low mark.
        """
        client, recorder, server = await self.connected()
        recorder.on["serverHigh"] = lambda client: client.shutdown()
        client.put(b"x" * TOO_MUCH)
        server.peers[0].transport.resumeProducing()  # type: ignore[union-attr]
        await client.whenStopped()
        self.assertEqual(self.marks(recorder), ["serverHigh", "serverLow"])
        self.assertEqual(
            recorder.events[-4:],
            ["serverLow", "serverFlushed", "disconnected", "stopped"],
        )
        self.assertEqual(len(await server.peers[0].ended), TOO_MUCH)
        self.assertTrue(recorder.disconnections[0].confirmed)

    async def test_shutdownAtLow(self) -> None:
        """
        C{shutdown()} inside C{serverLow}: what is still pending is flushed.
        """
        client, recorder, server = await self.connected()
        recorder.on["serverLow"] = lambda client: client.shutdown()
        client.put(b"x" * TOO_MUCH)
        server.peers[0].transport.resumeProducing()  # type: ignore[union-attr]
        await client.whenStopped()
        self.assertEqual(self.marks(recorder), ["serverHigh", "serverLow"])
        self.assertEqual(len(await server.peers[0].ended), TOO_MUCH)
        self.assertTrue(recorder.disconnections[0].confirmed)


class MarksTests(BlockedServerTestCase):
    """
    Small marks, and marks that change.
    """

    async def test_smallest(self) -> None:
        """
        Marks of 2 and 1: each record of two bytes is high and then low; one byte is
        neither.
        """
        client, recorder, server = await self.connected(highMark=2, lowMark=1)
        server.peers[0].transport.resumeProducing()  # type: ignore[union-attr]
        for number in range(1, 101):
            self.assertFalse(client.put(b"a"))
            self.assertTrue(client.put(b"b"))
            await client.flushed()
            self.assertEqual(len(self.marks(recorder)), 2 * number)
        self.assertFalse(client.put(b"c"))
        await client.flushed()
        await turn()
        self.assertEqual(len(self.marks(recorder)), 200)
        self.assertEqual(recorder.events.count("serverFlushed"), 101)
        self.assertEqual(client.stats.flushes, 101)
        end: Any = await client.shutdown()
        self.assertTrue(end.confirmed)
        self.assertEqual(server.peers[0].received, b"ab" * 100 + b"c")

    async def test_changedWhileHigh(self) -> None:
        """
        Raising the marks while the output is high makes it low, and lowering them again
        makes it high, at once.
        """
        client, recorder, server = await self.connected()
        self.assertTrue(client.put(b"x" * MANY * 4))
        for _ in range(20):
            await turn()
        self.assertEqual(self.marks(recorder), ["serverHigh"])
        pending = client.pendingBytes

        async def change(high: int, low: int, *reported: str) -> None:
            before = len(self.marks(recorder))
            client.setMarks(high, low)
            await turn()
            self.assertEqual(self.marks(recorder)[before:], [*reported])

        await change(2 * pending, pending, "serverLow")
        self.assertFalse(client.put(b"y"))
        # The kernel may have accepted a little more meanwhile.
        await change(pending // 2, pending // 4, "serverHigh")
        # It is high already.
        await change(pending // 3, pending // 6)
        await change(2, 1)
        server.peers[0].transport.resumeProducing()  # type: ignore[union-attr]
        await client.flushed()
        await turn()
        self.assertEqual(self.marks(recorder)[3:], ["serverLow"])
        self.assertEqual(recorder.events.count("serverFlushed"), 1)
        await client.shutdown()
        self.assertEqual(len(await server.peers[0].ended), MANY * 4 + 1)
