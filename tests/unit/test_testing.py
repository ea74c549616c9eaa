"""
Tests for the helpers that the package offers to its users' tests.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, DNSLookupError
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IPushProducer,
    ITCPTransport,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Line
from twisted_clienttcp.testing import FramingConformance, MemoryServer

from .._support import Recorder


class FramingConformanceTests(SynchronousTestCase):
    """
    L{FramingConformance} reports which law a framing breaks.
    """

    def broken(self, decode: Any = None, **methods: Any) -> Any:
        """
        Make the conformance tests of a L{Line} with other methods.
        """
        if decode is not None:
            methods["decode"] = decode
        kind: Any = type("Broken", (Line,), methods)

        class Suite(FramingConformance):
            records = (b"one", b"two")

            def framing(self) -> Any:
                return kind(delimiter=b"\r\n")

        return Suite()

    def test_laws(self) -> None:
        """
        Each of these framings fails the test of a law, with an error that says why.
        """
        line = Line.decode

        def keeps(self: Any, data: Any, start: int, searched: int) -> Any:
            # The beginning of a line, without takeBack().
            kept = getattr(self, "kept", b"")
            found = line(self, data, start, searched)
            if found is None:
                self.kept = kept + bytes(data[start:])
                return [], len(data)
            self.kept = b""
            return [kept + found[0][0]], found[1]

        def loses(self: Any, data: Any, start: int, searched: int) -> Any:
            found = line(self, data, start, searched)
            return found or ([], len(data))

        def depends(self: Any, data: Any, start: int, searched: int) -> Any:
            found = line(self, data, start, searched)
            return found or ([bytes(data[start:])], len(data))

        def forgets(self: Any, data: Any, start: int, searched: int) -> Any:
            # Half a delimiter may end at the index.
            return line(self, data, max(start, searched), searched)

        def changes(self: Any, data: Any, start: int, searched: int) -> Any:
            if isinstance(data, bytearray):
                data[start] ^= 1
            return line(self, data, start, searched)

        def views(self: Any, data: Any, start: int, searched: int) -> Any:
            self.view = memoryview(data)
            return line(self, data, start, searched)

        def stays(self: Any, data: Any, start: int, searched: int) -> Any:
            found = line(self, data, start, searched)
            return found and (found[0], start)

        def remembers(self: Any, data: Any, start: int, searched: int) -> Any:
            # A copy shares the list.
            self.__dict__.setdefault("seen", []).append(start)
            found = line(self, data, start, searched)
            return found if len(self.seen) < 3 else ([b"?"], len(data))

        def reversed_(self: Any, records: Any) -> bytes:
            return b"".join(map(self.encode, records[::-1]))

        def raises(self: Any, data: Any, start: int) -> Any:
            raise ZeroDivisionError

        for suite, test, words in (
            (self.broken(keeps), "test_replaced", "replaced at 1"),
            (self.broken(loses), "test_chunkInvariant", "single bytes"),
            (self.broken(decodeEnd=raises), "test_unfinished", "the end at 0"),
            (self.broken(depends), "test_chunkInvariant", "single bytes"),
            (self.broken(forgets), "test_chunkInvariant", "single bytes"),
            (self.broken(changes), "test_unchanged", "the data after decode()"),
            (self.broken(views), "test_unchanged", "kept a view"),
            (self.broken(stays), "test_unchanged", "ends at 0"),
            (self.broken(stays), "test_reversible", "must return an index"),
            (self.broken(encodeMany=reversed_), "test_encodeMany", "encodeMany"),
            (self.broken(encode=lambda s, r: b""), "test_wrongType", "did not raise"),
            (self.broken(remembers), "test_fresh", "the records of a fresh framing"),
        ):
            raised = self.assertRaises(AssertionError, getattr(suite, test))
            self.assertIn(words, str(raised), test)

    def test_bothLimited(self) -> None:
        """
        If both framings have the limit, no record that is too long can be decoded.
        """

        class Suite(FramingConformance):
            longest = b"four"
            tooLong = b"fiver"

            def framing(self) -> Any:
                return Line(maxLength=4)

            limited = framing

        raised = self.assertRaises(AssertionError, Suite().test_limit)
        self.assertIn("framing() must be able to encode tooLong", str(raised))


class MemoryServerTests(SynchronousTestCase):
    """
    L{MemoryServer}.
    """

    def setUp(self) -> None:
        self.recorder = Recorder()
        self.events = self.recorder.events

    def serve(self, **parameters: Any) -> MemoryServer:
        """
        @return: the server of a client that records, and whose waits are not drawn.
        """
        client = ClientTCPFactory(
            **{
                "remoteAddress": "server.invalid",
                "remotePort": 7,
                **self.recorder.parameters(),
                **parameters,
            }
        )
        client.jitter = 0
        return MemoryServer(client)

    def test_noClient(self) -> None:
        """
        Its argument must be a client.
        """
        nothing: Any = object()
        self.assertRaises(TypeError, MemoryServer, nothing)

    def test_started(self) -> None:
        """
        The client must not have been started: it would use the network. A client that
        has stopped can be started again.
        """
        server = self.serve()
        self.assertRaises(RuntimeError, MemoryServer, server.client)
        server.client.abort()
        server.advance(0)
        MemoryServer(server.client).accept()
        self.assertTrue(server.client.connected)

    def test_text(self) -> None:
        """
        A server sends bytes. Text is rejected at once, not by the client.
        """
        server = self.serve()
        server.accept()
        text: Any = "text"
        self.assertRaises(TypeError, server.send, text)
        self.assertTrue(server.client.connected)

    def test_dialogue(self) -> None:
        """
        Bytes are exchanged in pieces of any size, and are read once.
        """
        server = self.serve()
        server.accept()
        server.client.put(b"one")
        server.client.put(b"two")
        self.assertEqual(server.read(), b"one\r\ntwo\r\n")
        self.assertEqual(server.read(), b"")
        server.send(b"th")
        server.send(b"ree\r\n")
        self.assertEqual(
            self.events,
            ["started", "connected", "serverFlushed", ("serverInput", b"three")],
        )

    def test_beforeAccept(self) -> None:
        """
        An error says that an attempt waits to be accepted.
        """
        server = self.serve()
        for act in (server.reset, server.close, lambda: server.send(b"x")):
            raised = self.assertRaises(AssertionError, act)
            self.assertIn("connecting>; call accept() first", str(raised))
        server.refuse()
        raised = self.assertRaises(AssertionError, server.close)
        self.assertTrue(str(raised).endswith("waiting>"), raised)

    def test_acceptedAlready(self) -> None:
        """
        An error says that an attempt was accepted already.
        """
        server = self.serve()
        server.accept()
        for act in (server.accept, server.refuse):
            raised = self.assertRaises(AssertionError, act)
            self.assertIn("the client is not making an attempt: it is ", str(raised))
            self.assertTrue(
                str(raised).endswith(" connected>; its attempt was accepted already"),
                raised,
            )

    def test_noProtocol(self) -> None:
        """
        A client that accepts no connection loses it at once, and makes another attempt.
        """

        class Picky(ClientTCPFactory):
            def buildProtocol(self, addr: object) -> None:
                return None

        server = MemoryServer(Picky(serverInput=print))
        server.client.jitter = 0
        server.accept()
        self.assertFalse(server.attempting)
        server.advance(server.client.delay)
        self.assertTrue(server.attempting)

    def test_refuse(self) -> None:
        """
        An attempt fails, with the error that the test passes, if any; the next one
        starts at its time.
        """
        server = self.serve()
        server.refuse()
        raised = self.assertRaises(AssertionError, server.accept)
        self.assertIn("waiting>; call advance(1) first", str(raised))
        server.advance(0.9)
        self.assertFalse(server.attempting)
        server.advance(0.1)
        self.assertTrue(server.attempting)
        server.refuse(DNSLookupError("who?"))
        self.assertEqual(
            [event[1] for event in self.events[1:]], ["connect", "getaddrinfo"]
        )
        self.assertEqual(server.attempts, 2)

    def test_close(self) -> None:
        """
        The end of the stream arrives after the bytes that were sent before.
        """
        server = self.serve(autoReconnect=False)
        server.accept()
        server.client.pauseProducing()
        server.send(b"last\r\n")
        server.close()
        self.assertEqual(self.events, ["started", "connected"])
        server.client.resumeProducing()
        server.advance(0)
        self.assertEqual(
            self.events[2:],
            [
                ("serverInput", b"last"),
                ("serverError", "read", 0),
                "disconnected",
                "stopped",
            ],
        )
        self.assertRaises(AssertionError, server.send, b"")
        self.assertEqual(self.successResultOf(server.stopped), None)

    def test_reset(self) -> None:
        """
        A connection is lost, and the next one is a new one.
        """
        server = self.serve()
        server.accept()
        server.client.put(b"nobody reads this")
        server.reset()
        self.assertEqual(self.recorder.disconnections[0].initiator, "network")
        server.advance(1)
        server.accept()
        server.client.put(b"again")
        self.assertEqual(server.read(), b"again\r\n")

    def test_shutdown(self) -> None:
        """
        The client ends cleanly when the server has read everything.
        """
        server = self.serve()
        server.accept()
        server.reading = False
        server.client.put(b"x" * 200_000)
        stopped = server.client.shutdown()
        server.advance(1)
        self.assertNoResult(stopped)
        self.assertFalse(server.ended)
        server.reading = True
        self.assertEqual(len(server.read()), 200_002)
        self.assertTrue(server.ended)
        disconnection: Any = self.successResultOf(stopped)
        self.assertTrue(disconnection.confirmed)
        self.assertIs(disconnection.failure.type, ConnectionDone)

    def test_marks(self) -> None:
        """
        If the server does not read, the output reaches the high mark; when it reads
        again, the output falls to the low mark.
        """
        reported: list[str] = []
        server = self.serve(
            highMark=1000,
            lowMark=10,
            serverHigh=lambda client: reported.append("high"),
            serverLow=lambda client: reported.append("low"),
        )
        server.accept()
        server.reading = False
        self.assertTrue(server.client.put(b"x" * 1000))
        server.advance(60)
        self.assertEqual(reported, ["high"])
        self.assertEqual(server.client.pendingBytes, 1002)
        server.reading = True
        server.advance(0)
        self.assertEqual(reported, ["high", "low"])

    def test_neverCloses(self) -> None:
        """
        The client closes the connection if the server does not end its side in time.
        """
        server = self.serve()
        server.closing = False
        server.accept()
        stopped = server.client.shutdown()
        server.advance(0)
        self.assertTrue(server.ended)
        self.assertNoResult(stopped)
        server.advance(30)
        disconnection: Any = self.successResultOf(stopped)
        self.assertFalse(disconnection.confirmed)

    def test_givenUp(self) -> None:
        """
        An attempt that the client has given up cannot be accepted.
        """
        server = self.serve()
        server.client.shutdown()
        self.assertFalse(server.attempting)
        self.successResultOf(server.stopped)

    def test_timeout(self) -> None:
        """
        An attempt that is not accepted in time fails.
        """
        server = self.serve(connectTimeout=5)
        server.advance(5)
        self.assertEqual(self.recorder.events[1][0], "connectError")
        self.assertFalse(server.attempting)

    def test_interfaces(self) -> None:
        """
        The transport of the client has the interfaces of a transport.
        """
        server = self.serve()
        server.accept()
        transport = server.client.server.transport  # type: ignore[union-attr]
        for interface in (
            IConsumer,
            IHalfCloseableDescriptor,
            IPushProducer,
            ITCPTransport,
        ):
            self.assertTrue(verifyObject(interface, transport))
