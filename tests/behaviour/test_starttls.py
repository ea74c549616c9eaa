"""
Tests for C{negotiation.startTLS}: switching to TLS on an open connection.
"""

from __future__ import annotations

from collections.abc import Callable
from errno import ECONNRESET
from itertools import product
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ISSLTransport

from twisted_clienttcp import ClientTCPFactory, _tls
from twisted_clienttcp.errors import (
    ClearText,
    NegotiationRefused,
    NotConnectedError,
    TLSError,
)

from .._support import Peer, Server, reactor, turn
from .._tls import Identity, TLSTestCase, below


class Dialogue(Server):
    """
    A server that greets, agrees to C{STARTTLS}, and then echoes.

    @ivar injected: bytes that an attacker injects, by position: C{"greeting"} and
        C{"answer"}, in one segment with what the server sends; C{"behind"} the answer,
        in a segment of its own; or at the C{"hello"} of the client's TLS.
    """

    def __init__(self, options: Any) -> None:
        super().__init__()
        self.options = options
        self.injected: dict[str, bytes] = {}
        self.greeting = b"220 hi\r\n"
        self.answer = b"220 go\r\n"
        self.secret = b""
        self.clear = b""
        self.met = lambda peer: peer.send(
            self.greeting + self.injected.get("greeting", b"")
        )
        self.heard = self.hear

    def interject(self) -> None:
        """
        Send the bytes behind the answer now.
        """
        behind = self.injected.get("behind")
        if behind:
            peer = self.peers[-1]
            peer.send(behind)
            transport: Any = peer.transport
            transport.doWrite()

    def hear(self, peer: Peer, data: bytes) -> None:
        """
        Answer the client.
        """
        transport: Any = peer.transport
        if ISSLTransport.providedBy(transport):
            peer.send(data)
        elif data.startswith(b"STARTTLS\r\n"):
            self.clear += b"STARTTLS\r\n"
            peer.send(self.answer + self.injected.get("answer", b""))
            if data[10:]:
                self.hear(peer, data[10:])
        elif data:
            peer.send(self.injected.get("hello", b""))
            transport.startTLS(self.options)
            transport.protocol.dataReceived(data)
            peer.send(self.secret)


class StartTLSTests(TLSTestCase):
    """
    C{negotiation.startTLS}.
    """

    async def dialogue(self, certificate: Identity | None = None) -> Dialogue:
        """
        Start a server.
        """
        self.server = Dialogue((certificate or self.made.good).options())
        await self.listen(self.server)
        return self.server

    def preConnect(
        self, turns: int = 0, answers: int = 1, options: Any = None
    ) -> Callable[[Any, Any], Any]:
        """
        @param turns: the number of turns of the reactor to wait before TLS.
        @param answers: the number of records to read after C{STARTTLS}.

        @return: the client's part.
        """

        async def preConnect(client: Any, negotiation: Any) -> Any:
            await negotiation.nextRecord()
            negotiation.put(b"STARTTLS")
            for _ in range(answers):
                answer = await negotiation.nextRecord()
                if not answer.startswith(b"220 "):
                    return False
            self.server.interject()
            for _ in range(turns):
                await turn()
            return await negotiation.startTLS(options or self.options())

        return preConnect

    async def echo(self, server: Server, preConnect: Any, **parameters: Any) -> None:
        """
        Send a line and receive its echo through TLS.
        """
        self.events.clear()

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            server = client.server
            assert server is not None
            self.assertTrue(ISSLTransport.providedBy(server.transport))
            client.put(b"secret")

        self.recorder.on["connected"] = connected
        self.recorder.on["serverInput"] = lambda client, line: (
            client.shutdown() if line == b"secret" else None
        )
        client = self.client(
            server, preConnect=preConnect, **self.recorder.parameters(), **parameters
        )
        await client.start()
        self.assertEqual(self.events[:2], ["started", "connected"])
        self.assertEqual(
            self.events[-3:], [("serverInput", b"secret"), "disconnected", "stopped"]
        )

    async def test_exchange(self) -> None:
        """
        Greeting, C{STARTTLS}, answer, TLS, records; with and without turns of the
        reactor in between.
        """
        server = await self.dialogue()
        for turns in range(3):
            await self.echo(server, self.preConnect(turns))

    async def test_byteByByte(self) -> None:
        """
        The answer may be split into reads anywhere, even within its newline.
        """
        server = await self.dialogue()
        for greeting, answer, late in (
            (b"220 hi\r\n", b"220 go\r", b"\n"),
            (b"220 hi\r", b"\n220 go\n", b"\r"),
            (b"220 hi\n", b"220 go\n", b""),
        ):
            server.greeting, server.answer = greeting, answer
            server.injected = {"behind": late} if late else {}
            for turns in range(3):
                await self.echo(server, self.preConnect(turns))

    async def test_memory(self) -> None:
        """
        The framing keeps no state from the clear text, not even that a newline of one
        byte may be followed by a second byte.
        """
        server = await self.dialogue()
        server.answer = b"220 go\r"
        server.secret = b"\nfirst\r\n"
        await self.echo(server, self.preConnect())
        self.assertEqual(
            [event for event in self.events if event[0] == "serverInput"],
            [
                ("serverInput", b""),
                ("serverInput", b"first"),
                ("serverInput", b"secret"),
            ],
        )

    async def test_manyRecords(self) -> None:
        """
        Several records that arrive at once, in the pieces in which TLS delivers them:
        the negotiation takes those that it asks for, and C{serverInput} receives the
        rest.
        """
        server = await self.dialogue()
        lines = [b"%d" % number for number in range(20_000)]
        server.secret = b"".join(line + b"\r\n" for line in lines)
        taken: list[bytes] = []

        async def preConnect(client: Any, negotiation: Any) -> bool:
            await self.preConnect()(client, negotiation)
            for _ in range(3):
                taken.append(await negotiation.nextRecord())
                await turn()
            return True

        await self.echo(server, preConnect)
        given = [event[1] for event in self.events if event[0] == "serverInput"]
        self.assertEqual(taken + given, [*lines, b"secret"])

    async def test_ways(self) -> None:
        """
        The result of C{startTLS} can be awaited, returned, or ignored: the handshake
        has ended before C{connected} in each case.
        """
        server = await self.dialogue()

        async def waits(client: Any, negotiation: Any) -> bool:
            negotiation.put(b"STARTTLS")
            await negotiation.nextRecord()
            await negotiation.nextRecord()
            self.assertIs(await negotiation.startTLS(self.options()), True)
            return True

        async def leaves(client: Any, negotiation: Any) -> bool:
            negotiation.put(b"STARTTLS")
            await negotiation.nextRecord()
            await negotiation.nextRecord()
            negotiation.startTLS(self.options())
            return True

        for way in (waits, leaves):
            await self.echo(server, way)
        direct = Dialogue(self.made.good.options())
        direct.greeting = b""
        await self.listen(direct)

        def leavesAtOnce(client: Any, negotiation: Any) -> bool:
            negotiation.startTLS(self.options())
            return True

        await self.echo(direct, lambda client, each: each.startTLS(self.options()))
        await self.echo(direct, leavesAtOnce)

    async def test_drivers(self) -> None:
        """
        With C{connectTCP} and C{ClientService} too.
        """
        server = await self.dialogue()

        async def preConnect(client: Any, negotiation: Any) -> Any:
            return await self.preConnect()(client, negotiation)

        for hosted in (False, True):
            self.events.clear()
            heard: Deferred[None] = Deferred()
            self.recorder.on["connected"] = lambda client, peer: client.put(b"hello")
            self.recorder.on["serverInput"] = lambda client, line, heard=heard: (
                heard.callback(None)
            )
            client = ClientTCPFactory(
                preConnect=preConnect,
                autoReconnect=False,
                **self.recorder.parameters(),
            )
            if hosted:
                endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
                service = ClientService(endpoint, client)
                service.startService()
                await heard
                await service.stopService()
            else:
                reactor.connectTCP("127.0.0.1", server.port, client)
                await heard
                await client.shutdown()
            self.assertIn(("serverInput", b"hello"), self.events)
            self.assertNotIn("connectError", {event[0] for event in self.events})

    async def test_left(self) -> None:
        """
        The same is true if the handshake fails; the failure is reported once.
        """
        server = await self.dialogue(self.made.expired)
        server.greeting = b""

        def leaves(client: Any, negotiation: Any) -> bool:
            negotiation.startTLS(self.options())
            return True

        error = await self.failing(server, preConnect=leaves)
        self.assertRefused(error, "expired")

    async def test_bad(self) -> None:
        """
        Certificates are verified here too; C{preConnect} receives the failure.
        """
        reported: list[Exception] = []
        for certificate, words in (
            (self.made.expired, "expired"),
            (self.made.stranger, "unknown CA"),
            (self.made.elsewhere, "not for localhost"),
        ):
            self.events.clear()
            server = await self.dialogue(certificate)

            async def preConnect(client: Any, negotiation: Any) -> bool:
                try:
                    return bool(await self.preConnect()(client, negotiation))
                except TLSError as e:
                    reported.append(e)
                return True

            error = await self.failing(server, preConnect=preConnect)
            self.assertRefused(error, words)
            self.assertIs(reported.pop(), error)

    async def test_platform(self) -> None:
        """
        C{startTLS(True)} trusts the authorities of the platform, for the host of the
        connection.
        """
        server = await self.dialogue()
        _tls.platformOptions.cache_clear()
        error = await self.failing(server, preConnect=self.preConnect(options=True))
        self.assertRefused(error, "unknown CA")

    async def test_outputFirst(self) -> None:
        """
        Records put before TLS are sent in clear text, before it; those put afterwards
        are encrypted, even if the handshake has not ended.
        """
        server = await self.dialogue()
        server.greeting = b""

        async def preConnect(client: Any, negotiation: Any) -> Any:
            for _ in range(3):
                negotiation.put(b"STARTTLS")
            await negotiation.nextRecord()
            await negotiation.nextRecord()
            await negotiation.nextRecord()
            handshake = negotiation.startTLS(self.options())
            negotiation.put(b"EHLO")
            self.assertEqual(await negotiation.nextRecord(), b"EHLO")
            return await handshake

        def heard(peer: Peer, data: bytes) -> None:
            for line in data.splitlines(True) if data.startswith(b"START") else [data]:
                server.hear(peer, line)

        server.heard = heard
        await self.echo(server, preConnect)
        self.assertEqual(server.clear, b"STARTTLS\r\n" * 3)

    async def test_unreadAtOnce(self) -> None:
        """
        C{put} and C{startTLS} in one turn: the clear text is sent first.
        """
        server = await self.dialogue()
        server.greeting = server.answer = b""

        def preConnect(client: Any, negotiation: Any) -> Any:
            negotiation.put(b"STARTTLS")
            return negotiation.startTLS(self.options())

        await self.echo(server, preConnect)
        self.assertEqual(server.clear, b"STARTTLS\r\n")

    async def test_injection(self) -> None:
        """
        Injected clear text, at any point of the dialogue, as a record, a part of one or
        several, never reaches the framing as if it were protected: the attempt fails.
        """
        server = await self.dialogue()
        points = ("greeting", "answer", "behind", "hello")
        texts = (b"220 evil\r\n", b"22", b"220 evil\r\n" * 20)
        for point, text, turns, more in product(points, texts, range(3), (0, 5)):
            if more and (point in ("behind", "hello") or text.count(b"\n") <= more):
                # This would wait for records that never arrive, or read everything as
                # it is.
                continue
            self.events.clear()
            server.injected = {point: text}
            preConnect = self.preConnect(turns, 1 + more)
            if (point, text) == ("greeting", b"22"):
                # It has become a part of the answer, which is wrong then.
                await self.failing(server, NegotiationRefused, preConnect=preConnect)
            else:
                error = await self.failing(server, preConnect=preConnect)
                self.assertRefused(error)

    async def test_clearText(self) -> None:
        """
        If the bytes have arrived already, the error says so, before TLS starts.
        """
        server = await self.dialogue()
        server.injected = {"answer": b"evil\r\n"}
        error = await self.failing(server, preConnect=self.preConnect())
        self.assertIsInstance(error, ClearText)
        self.assertRefused(error, "6 bytes in clear text")
        self.assertEqual(error.count, 6)

    async def test_useAfterClearText(self) -> None:
        """
        C{preConnect} cannot use this connection.
        """
        server = await self.dialogue()
        server.injected = {"answer": b"evil\r\n"}

        async def preConnect(client: Any, negotiation: Any) -> bool:
            try:
                await self.preConnect()(client, negotiation)
            except ClearText:
                self.assertRaises(NotConnectedError, negotiation.put, b"x")
                self.assertRaises(NotConnectedError, negotiation.startTLS)
            return True

        error = await self.failing(server, preConnect=preConnect)
        self.assertRefused(error, "clear text")

    async def test_cancelledRecord(self) -> None:
        """
        A part of a record whose C{nextRecord} was cancelled is clear text too.
        """
        server = await self.dialogue()
        server.greeting = b"22"

        async def preConnect(client: Any, negotiation: Any) -> Any:
            record = negotiation.nextRecord()
            record.addErrback(lambda failure: None)
            while client.stats.bytesIn < 2:
                await turn()
            record.cancel()
            return await negotiation.startTLS(self.options())

        error = await self.failing(server, preConnect=preConnect)
        self.assertRefused(error, "2 bytes in clear text")

    async def test_misuse(self) -> None:
        """
        C{startTLS} while a record is awaited, twice, and on a connection that uses TLS.
        """
        server = await self.dialogue()

        def waiting(client: Any, negotiation: Any) -> bool:
            negotiation.nextRecord().addErrback(lambda failure: None)
            negotiation.startTLS(self.options())
            return True

        def twice(client: Any, negotiation: Any) -> bool:
            negotiation.startTLS(self.options()).addErrback(lambda failure: None)
            negotiation.startTLS(self.options())
            return True

        secure = await self.serve()
        cases: Any = (
            (server, {"preConnect": waiting}, "while nextRecord() is waiting"),
            (server, {"preConnect": twice}, "TLS already"),
            (
                secure,
                {"tls": self.options(), "preConnect": self.preConnect()},
                "TLS already",
            ),
        )
        secure.met = lambda peer: peer.send(b"220 1\r\n220 2\r\n")
        for where, parameters, words in cases:
            refusal = await self.failing(where, NegotiationRefused, **parameters)
            self.assertIn(words, str(refusal))
            self.flushLoggedErrors(RuntimeError)

    async def test_cutOff(self) -> None:
        """
        An end of TCP without an end of TLS is not a clean end here either.
        """
        server = await self.dialogue()
        server.heard = lambda peer, data: (
            below(peer).loseConnection()
            if ISSLTransport.providedBy(peer.transport)
            else server.hear(peer, data)
        )
        self.recorder.on["connected"] = lambda client, peer: client.put(b"x")
        client = self.client(
            server, preConnect=self.preConnect(), **self.recorder.parameters()
        )
        await self.assertFailure(client.start(), ConnectionLost)
        self.assertEqual(self.events[-3], ("serverError", "read", ECONNRESET))
