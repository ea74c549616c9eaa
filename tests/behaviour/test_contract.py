"""
Tests for each name of POE::Component::Client::TCP that the migration guide maps. Each
shows in a few lines what a name means; other files test it thoroughly.
"""

from __future__ import annotations

import inspect
import re
import socket
from typing import Any

from twisted.internet.error import (
    ConnectBindError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from twisted_clienttcp import (
    ClientTCPFactory,
    MultiDispatchSession,
    errorDetails,
    post,
    resolve,
)
from twisted_clienttcp.errors import NotConnectedError, UnknownAlias
from twisted_clienttcp.framing import Line, Stream

from .._memory import ClientTestCase
from .._processes import ROOT
from .._support import (
    CHUNK,
    UNBOUND,
    NetworkTestCase,
    Peer,
    Recorder,
    Server,
    freePort,
    reactor,
    suppressing,
)

MIGRATION = ROOT / "docs" / "migration.rst"


def rows() -> list[str]:
    """
    @return: our names in the table of the migration guide.
    """
    return re.findall(r"^   \* - .*\n     - ``(\w+)``$", MIGRATION.read_text(), re.M)


class TableTests(ClientTestCase):
    """
    The table itself.
    """

    def test_everyRowHasATest(self) -> None:
        """
        Each row has a test of its name here.
        """
        tests = {*dir(MemoryContractTests), *dir(NetworkContractTests)}
        missing = [name for name in rows() if f"test_{name}" not in tests]
        self.assertEqual(missing, [])
        self.assertGreater(len(rows()), 40)

    def test_everyParameterHasARow(self) -> None:
        """
        Nothing of POE is left out: each parameter is in the table, except those that it
        does not know.
        """
        beyond = {
            *("endpoint", "autoReconnect", "drainTimeout", "lingerTimeout", "stopped"),
            *("tls", "reactor", "clock", "serverInputBatch", "offlineLimit", "noDelay"),
            *("outputLimit", "keepTalking", "unacknowledgedTimeout"),
            *("socketOptions", "proxy", "wireLog", "maxAge", "failBack", "halfClose"),
            *("keepAlive", "retryPolicy", "stableAfter", "idleTimeout", "heartbeat"),
            *("handler", "initialDelay", "maxDelay", "factor", "jitter", "maxRetries"),
        }
        parameters = {*inspect.signature(ClientTCPFactory).parameters}
        self.assertEqual(parameters - {*rows()}, beyond)


class Bars(Line):
    """
    A framing with a constructor of its own.
    """

    def __init__(self) -> None:
        super().__init__(delimiter=b"|")


class MemoryContractTests(ClientTestCase):
    """
    Tests that need no network.
    """

    def test_connectTimeout(self) -> None:
        """
        An attempt fails after this many seconds, which may be a fraction.
        """
        client = self.client(connectTimeout=2.5, autoReconnect=False)
        client.start().addErrback(lambda failure: None)
        self.attempts()
        self.reactor.advance(2.4)
        self.assertEqual(self.events, ["started"])
        self.reactor.advance(0.1)
        self.assertEqual(self.events[1:], [("connectError", "connect", 110), "stopped"])

    def test_started(self) -> None:
        """
        C{started} is called once for each start, before the first attempt.
        """
        attempts: list[int] = []
        self.recorder.on["started"] = lambda client: attempts.append(
            len(self.reactor.tcpClients)
        )
        self.client().start()
        self.assertEqual(self.events, ["started"])
        self.assertEqual(attempts, [0])
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_args(self) -> None:
        """
        C{args} are the arguments of C{started}.
        """
        got: list[Any] = []
        client = self.client(args=(1, "two"), started=lambda *args: got.extend(args))
        client.start()
        self.assertEqual(got, [client, 1, "two"])

    def test_preConnect(self) -> None:
        """
        A true value accepts the connection, a false one does not.
        """
        self.connected(preConnect=lambda client, negotiation: True)
        self.assertEqual(self.events, ["started", "connected"])
        self.setUp()
        client, transport = self.connected(
            preConnect=lambda client, negotiation: None, autoReconnect=False
        )
        transport.lose()
        self.assertEqual(
            self.events, ["started", ("connectError", "preconnect", 103), "stopped"]
        )

    def test_connectError(self) -> None:
        """
        C{connectError} is the only callback for a failed attempt.
        """
        client = self.client()
        client.start()
        self.refuse()
        self.assertEqual(self.events, ["started", ("connectError", "connect", 111)])

    def test_serverInput(self) -> None:
        """
        C{serverInput} is called once for each record. An incomplete record waits for
        more data.
        """
        client, transport = self.connected()
        transport.protocol.dataReceived(b"a\r\nb\r\nc")
        transport.protocol.dataReceived(b"d\r\n")
        self.assertEqual(
            self.events[2:], [("serverInput", line) for line in (b"a", b"b", b"cd")]
        )

    def test_serverError(self) -> None:
        """
        C{serverError} reports a loss that the client has not requested. The end of
        stream has errno 0.
        """
        for end, number in ((ConnectionLost(), 104), (None, 0)):
            self.setUp()
            client, transport = self.connected()
            if end is None:
                transport.protocol.readConnectionLost()
            transport.lose(end or ConnectionDone())
            self.assertEqual(
                self.events[2:], [("serverError", "read", number), "disconnected"]
            )

    def test_serverFlushed(self) -> None:
        """
        C{serverFlushed} is called once each time that everything has been sent, for any
        number of calls of C{put}.
        """
        client, transport = self.connected()
        for _ in range(10):
            client.put(b"x")
        self.reactor.advance(0)
        self.assertNotIn("serverFlushed", self.events)
        transport.drain()
        self.assertEqual(self.events.count("serverFlushed"), 1)

    def test_serverHigh(self) -> None:
        """
        C{serverHigh} is called each time that the output reaches the mark, and C{put}
        returns True.
        """
        client, transport = self.connected(**self.recorder.marks(10, 5))
        for _ in range(2):
            self.assertIs(client.put(b"x" * 7), False)
            self.assertIs(client.put(b"x"), True)
            self.assertIs(client.put(b"x"), True)
            self.reactor.advance(0)
            transport.drain()
        reported = ["serverHigh", "serverLow", "serverFlushed"]
        self.assertEqual(self.events, ["started", "connected", *reported, *reported])

    def test_serverLow(self) -> None:
        """
        C{serverLow} is called once after each C{serverHigh}, even if a record was put
        between the marks.
        """
        client, transport = self.connected(**self.recorder.marks(CHUNK * 2, 10))
        client.put(b"x" * CHUNK * 2)
        self.reactor.advance(0)
        self.assertEqual(self.events[2:], ["serverHigh"])
        transport.drain()
        self.assertIs(client.put(b"x"), False)
        self.assertEqual(self.events[2:], ["serverHigh"])
        while transport.held:
            transport.drain()
        self.assertEqual(self.events[2:], ["serverHigh", "serverLow", "serverFlushed"])

    def test_highMark(self) -> None:
        """
        The marks are validated immediately, must both be set or not, and are required
        by C{serverHigh} and C{serverLow}.
        """
        self.assertRaises(ValueError, self.client, highMark=5, lowMark=5)
        self.assertRaises(TypeError, self.client, highMark=5)
        error = self.assertRaises(
            TypeError, ClientTCPFactory, serverInput=print, serverHigh=print
        )
        self.assertIn("highMark", str(error))
        self.assertEqual(self.client(highMark=2, lowMark=1).highMark, 2)

    def test_lowMark(self) -> None:
        """
        The same.
        """
        self.assertRaises(ValueError, self.client, highMark=5, lowMark=0)
        self.assertRaises(TypeError, self.client, lowMark=5)
        self.assertEqual(self.client(highMark=2, lowMark=1).lowMark, 1)
        self.assertIsNone(self.client().lowMark)

    def test_setMarks(self) -> None:
        """
        Both marks can be changed at once, or one by its attribute. A mark that has
        already been reached is reported.
        """
        client, transport = self.connected(**self.recorder.marks(100, 50))
        client.put(b"x" * 28)
        client.setMarks(20, 10)
        self.reactor.advance(0)
        self.assertEqual(self.events[2:], ["serverHigh"])
        client.highMark = 1000
        client.lowMark = 30
        self.assertEqual(self.events[2:], ["serverHigh", "serverLow"])
        self.assertRaises(ValueError, setattr, client, "lowMark", 1000)
        self.assertEqual((client.highMark, client.lowMark), (1000, 30))

    def test_disconnected(self) -> None:
        """
        C{disconnected} is called exactly once for each C{connected}.
        """
        client, transport = self.connected()
        transport.lose()
        self.reactor.advance(client.delay)
        self.refuse()
        self.assertEqual(self.events.count("disconnected"), 1)

    def test_framing(self) -> None:
        """
        C{framing} is an instance, a class, or a class and its arguments. Each
        connection uses a fresh copy.
        """
        for framing in (
            Line(delimiter=b"|"),
            (Line, {"delimiter": b"|"}),
            Bars,
        ):
            self.setUp()
            client, transport = self.connected(framing=framing)
            transport.protocol.dataReceived(b"a|part")
            transport.lose()
            self.reactor.advance(client.delay)
            transport = self.establish()
            transport.protocol.dataReceived(b"new|")
            self.assertEqual(
                [e[1] for e in self.events if e[0] == "serverInput"], [b"a", b"new"]
            )

    def test_alias(self) -> None:
        """
        C{alias} names the client from its start until it has stopped.
        """
        client = self.client(alias="cli")
        client.start()
        self.assertIs(resolve("cli"), client)
        client.shutdown()
        self.assertRaises(UnknownAlias, resolve, "cli")

    def test_resolve(self) -> None:
        """
        C{resolve} returns the client with an alias.
        """
        self.assertRaises(LookupError, resolve, "nobody")

    def test_inlineStates(self) -> None:
        """
        C{inlineStates} maps events to functions.
        """
        got: list[Any] = []
        client = self.client(inlineStates={"e": lambda *args: got.extend(args)})
        client.call("e", 1)
        self.assertEqual(got, [client, 1])

    def test_objectStates(self) -> None:
        """
        Methods by event.
        """
        client = self.client(objectStates=[(self, {"e": "method"})])
        self.assertEqual(client.call("e", 1), (client, 1))

    def method(self, *args: Any) -> tuple[Any, ...]:
        return args

    def test_packageStates(self) -> None:
        """
        Functions of a module or class by event.
        """
        client = self.client(packageStates=[(MemoryContractTests, ["package"])])
        self.assertEqual(client.call("package", 1), (MemoryContractTests, client, 1))

    @classmethod
    def package(cls, *args: Any) -> tuple[Any, ...]:
        return (cls, *args)

    def test_sessionType(self) -> None:
        """
        The class that dispatches: C{MultiDispatchSession} calls all handlers.
        """
        client = self.client(
            inlineStates={"method": lambda client: "first"},
            objectStates=[(self, ["method"])],
            sessionType=MultiDispatchSession,
        )
        self.assertEqual(client.call("method"), (client,))

    def test_sessionParams(self) -> None:
        """
        C{trace=True} logs every event.
        """
        events: list[Any] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.client(sessionParams={"trace": True}).call("shutdown")
        self.assertIn("shutdown", [event.get("event") for event in events])

    def test_connect(self) -> None:
        """
        A connection to another address, which is kept.
        """
        client, transport = self.connected(autoReconnect=False)
        client.connect("127.0.0.9", 99)
        transport.lose()
        self.assertEqual(self.events[2:], ["disconnected"])
        self.assertEqual(self.attempts()[-1][:2], ("127.0.0.9", 99))
        client.reconnect()
        self.assertEqual(self.attempts()[-1][:2], ("127.0.0.9", 99))

    def test_reconnect(self) -> None:
        """
        Another attempt, after some seconds; C{disconnected} is called first.
        """
        client, transport = self.connected(autoReconnect=False)
        client.reconnect(2)
        transport.lose()
        self.assertEqual(self.events[2:], ["disconnected"])
        self.reactor.advance(2)
        self.assertEqual(len(self.attempts()), 2)

    def test_shutdown(self) -> None:
        """
        Flush, close, stop; twice is once.
        """
        client, transport = self.connected()
        client.put(b"last")
        client.shutdown()
        client.shutdown()
        self.reactor.advance(0)
        transport.drain()
        transport.lose(ConnectionDone())
        self.assertEqual(transport.sent, b"last\r\n")
        self.assertEqual(self.events[2:], ["serverFlushed", "disconnected", "stopped"])

    def test_post(self) -> None:
        """
        In the next turn, first in, first out; also to a client by its alias.
        """
        got: list[Any] = []
        client = self.client(
            alias="cli", inlineStates={"e": lambda client, n: got.append(n)}
        )
        client.start()
        client.post("e", 1)
        post("cli", "e", 2)
        self.assertEqual(got, [])
        self.reactor.advance(0)
        self.assertEqual(got, [1, 2])
        client.shutdown()

    def test_call(self) -> None:
        """
        The handler is called now, and its value is returned.
        """
        client = self.client(inlineStates={"e": lambda client, n: n + 1})
        self.assertEqual(client.call("e", 1), 2)

    def test_postLater(self) -> None:
        """
        After some seconds.
        """
        got: list[Any] = []
        client = self.client(inlineStates={"e": lambda client, n: got.append(n)})
        client.postLater(3, "e", 1)
        client.postLater(2, "e", 2).cancel()
        self.reactor.advance(3)
        self.assertEqual(got, [1])

    def test_heap(self) -> None:
        """
        The user's own value, for all connections.
        """
        client, transport = self.connected()
        client.heap.count = 1
        transport.lose()
        self.reactor.advance(client.delay)
        self.establish()
        self.assertEqual(client.heap.count, 1)

    def test_server(self) -> None:
        """
        The present connection, or None.
        """
        client = self.client()
        self.assertIsNone(client.server)
        client, transport = self.connected()
        self.assertIs(client.server.transport, transport)  # type: ignore[union-attr]
        transport.lose()
        self.assertIsNone(client.server)

    def test_connected(self) -> None:
        """
        The flag; and the callback, whose argument is the peer's address.
        """
        peers: list[Any] = []
        client = self.client(connected=lambda client, peer: peers.append(peer))
        self.assertFalse(client.connected)
        client.start()
        transport = self.establish()
        self.assertTrue(client.connected)
        self.assertEqual(peers, [transport.getPeer()])
        transport.lose()
        self.assertFalse(client.connected)

    def test_shuttingDown(self) -> None:
        """
        The client has stopped, or is about to.
        """
        client, transport = self.connected()
        self.assertFalse(client.shuttingDown)
        client.shutdown()
        self.assertTrue(client.shuttingDown)

    def test_shutdownOnError(self) -> None:
        """
        Without it, the client can still write after the peer's end of stream.
        """
        client, transport = self.connected()
        client.shutdownOnError = False
        transport.protocol.readConnectionLost()
        self.assertTrue(client.connected)
        client.put(b"still")

    def test_put(self) -> None:
        """
        A record is encoded and sent; without a connection, this is an error.
        """
        self.assertRaises(NotConnectedError, self.client().put, b"x")
        client, transport = self.connected()
        client.put(b"x")
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"x\r\n")

    def test_setFraming(self) -> None:
        """
        Another framing in both directions, from the next record on.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, line: client.setFraming(Stream)
        transport.protocol.dataReceived(b"a\r\nb\r\n")
        self.assertEqual(
            self.events[2:], [("serverInput", b"a"), ("serverInput", b"b\r\n")]
        )
        client.put(b"c")
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"c")

    def test_setInputFraming(self) -> None:
        """
        Only for the input.
        """
        client, transport = self.connected()
        client.setInputFraming(Stream)
        transport.protocol.dataReceived(b"a")
        self.assertEqual(self.events[2:], [("serverInput", b"a")])
        client.put(b"c")
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"c\r\n")

    def test_setOutputFraming(self) -> None:
        """
        Only for the output.
        """
        client, transport = self.connected()
        client.setOutputFraming(Stream)
        client.put(b"c")
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"c")

    def test_inputFraming(self) -> None:
        """
        The framing that decodes received bytes.
        """
        client, transport = self.connected()
        client.setInputFraming(Stream)
        assert client.server is not None
        self.assertIsInstance(client.server.inputFraming, Stream)

    def test_outputFraming(self) -> None:
        """
        The framing that encodes records.
        """
        client, transport = self.connected()
        client.setOutputFraming(Stream)
        assert client.server is not None
        self.assertIsInstance(client.server.outputFraming, Stream)

    def test_pendingBytes(self) -> None:
        """
        The bytes that were put and have not been sent.
        """
        client, transport = self.connected()
        client.put(b"abc")
        self.assertEqual(client.pendingBytes, 5)
        self.reactor.advance(0)
        self.assertEqual(client.pendingBytes, 5)
        transport.drain()
        self.assertEqual(client.pendingBytes, 0)

    def test_pauseProducing(self) -> None:
        """
        No records are delivered, and nothing is read.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, line: client.pauseProducing()
        transport.protocol.dataReceived(b"a\r\nb\r\n")
        self.assertEqual(self.events[2:], [("serverInput", b"a")])
        self.assertEqual(transport.producerState, "paused")

    def test_resumeProducing(self) -> None:
        """
        The waiting records, and those that arrive.
        """
        client, transport = self.connected()
        client.pauseProducing()
        transport.protocol.dataReceived(b"a\r\n")
        client.resumeProducing()
        transport.protocol.dataReceived(b"b\r\n")
        self.assertEqual(
            self.events[2:], [("serverInput", b"a"), ("serverInput", b"b")]
        )

    def test_errorDetails(self) -> None:
        """
        The three arguments of POE's callbacks for errors.
        """
        self.assertEqual(
            errorDetails(Failure(ConnectionRefusedError())),
            ("connect", 111, "Connection refused"),
        )


class NetworkContractTests(NetworkTestCase):
    """
    Tests that need a server.
    """

    async def meet(self, server: Server, **parameters: Any) -> Recorder:
        """
        Connect, shut down, and be confirmed.
        """
        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.shutdown()
        client = self.client(server, **{**recorder.parameters(), **parameters})
        await client.start()
        self.assertEqual(
            recorder.events, ["started", "connected", "disconnected", "stopped"]
        )
        return recorder

    async def test_remoteAddress(self) -> None:
        """
        A name, a literal, or packed.
        """
        server = await self.listen()
        for address in ("localhost", "127.0.0.1", b"\x7f\0\0\1"):
            await self.meet(server, remoteAddress=address)

    async def test_remotePort(self) -> None:
        """
        A number or the name of a service.
        """
        server = await self.listen()
        await self.meet(server, remotePort=server.port)
        await self.meet(server, remotePort=str(server.port))
        memory = MemoryReactorClock()
        ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort="echo",
            serverInput=print,
            reactor=memory,
        ).start()
        memory.advance(0)
        self.assertEqual(memory.tcpClients[0][1], 7)

    async def test_domain(self) -> None:
        """
        The family: of a literal, of a name, or a path.
        """
        server = await self.listen()
        await self.meet(server, domain=socket.AF_INET)
        await self.meet(server, domain=socket.AF_INET, remoteAddress="localhost")
        six = Server()
        listening = reactor.listenTCP(0, six, interface="::1")
        self.addCleanup(listening.stopListening)
        six.port = listening.getHost().port
        await self.meet(six, remoteAddress="::1")
        await self.meet(six, remoteAddress="::1", domain=socket.AF_INET6)
        # The name has both families here, and the other one would be refused.
        recorder = Recorder()
        client = self.client(
            six,
            remoteAddress="localhost",
            domain=socket.AF_INET,
            **recorder.parameters(),
        )
        await self.assertFailure(client.start(), ConnectionRefusedError)
        path = self.socketPath()
        unix = Server()
        listening = reactor.listenUNIX(path, unix)
        self.addCleanup(listening.stopListening)
        await self.meet(
            unix, domain=socket.AF_UNIX, remoteAddress=path, remotePort=None
        )
        for wrong in (
            {"domain": 99},
            {"domain": socket.AF_INET6},
            {"domain": socket.AF_INET, "remoteAddress": "::1"},
            {"domain": socket.AF_UNIX, "bindPort": 5, "remotePort": None},
        ):
            self.assertRaises(
                ValueError, self.client, server, serverInput=print, **wrong
            )

    @suppressing(UNBOUND)
    async def test_bindAddress(self) -> None:
        """
        The local address.
        """
        server = await self.listen()
        await self.meet(server, bindAddress="127.0.0.2")
        transport: Any = server.peers[0].transport
        self.assertEqual(transport.getPeer().host, "127.0.0.2")
        recorder = Recorder()
        client = self.client(server, bindAddress="192.0.2.1", **recorder.parameters())
        await self.assertFailure(client.start(), ConnectBindError)
        self.assertEqual(recorder.events[1], ("connectError", "bind", 99))
        self.assertRaises(
            ValueError, self.client, server, serverInput=print, bindAddress="localhost"
        )

    async def test_bindPort(self) -> None:
        """
        The local port.
        """
        server = await self.listen()
        port = freePort()
        await self.meet(server, bindPort=port)
        transport: Any = server.peers[0].transport
        self.assertEqual(transport.getPeer().port, port)

    async def test_loseWriteConnection(self) -> None:
        """
        Our side ends when everything is flushed; the answer is still read.
        """
        server = await self.listen()

        def left(peer: Peer) -> None:
            peer.send(b"%d bytes\r\n" % len(peer.received))
            peer.close()

        server.left = left
        recorder = Recorder()

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            client.put(b"x" * 1_000_000)
            client.loseWriteConnection()
            client.put(b"and this")

        recorder.on["connected"] = connected
        client = self.client(server, framing=Stream, **recorder.parameters())
        await client.start()
        self.assertEqual(
            recorder.events,
            [
                "started",
                "connected",
                "serverFlushed",
                ("serverInput", b"1000008 bytes\r\n"),
                ("serverError", "read", 0),
                "disconnected",
                "stopped",
            ],
        )
        self.assertTrue(recorder.disconnections[0].confirmed)

    async def test_synopsis(self) -> None:
        """
        POE's synopsis, as in the migration guide, with a web server that answers and
        closes.
        """
        source = re.search(
            r"code-block:: python\n\n((?:    .*\n|\n)+)", MIGRATION.read_text()
        )
        assert source is not None
        program = re.sub(r"^    ", "", source[1], flags=re.M)
        server = await self.listen()

        def heard(peer: Peer, data: bytes) -> None:
            if peer.received.endswith(b"\r\n\r\n"):
                peer.send(b"HTTP/1.0 200 OK\r\nServer: test\r\n\r\n")
                peer.close()

        server.heard = heard
        printed: list[str] = []
        scope: dict[str, Any] = {
            "print": lambda *words: printed.append(" ".join(words))
        }
        program = program.replace('"yahoo.com"', '"127.0.0.1"')
        program = program.replace("remotePort=80", f"remotePort={server.port}")
        exec(program.replace("react(main)", ""), scope)
        await scope["main"](reactor)
        self.assertEqual(server.peers[0].received, b"HEAD / HTTP/1.0\r\n\r\n")
        self.assertEqual(
            printed,
            [
                "from server: HTTP/1.0 200 OK",
                "from server: Server: test",
                "from server: ",
            ],
        )
