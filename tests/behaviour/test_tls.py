"""
TLS, against servers whose certificates are good, or bad in every way there is.
"""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Callable
from errno import ECONNRESET, EPROTO
from functools import cache
from itertools import product
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionLost, TimeoutError
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    ISSLTransport,
)
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    VerificationError,
    optionsForClientTLS,
)
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides, implementer

from twisted_clienttcp import ClientTCPFactory, _tls
from twisted_clienttcp._connection import ClientTCPProtocol
from twisted_clienttcp.errors import (
    ClearText,
    NegotiationRefused,
    NotConnectedError,
    TLSError,
)

from .._support import NetworkTestCase, Peer, Recorder, Server, reactor, turn
from .test_destinations import Naming
from .test_installation import run

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)


def private(issued: trustme.LeafCert) -> PrivateCertificate:
    """
    @return: a certificate and its key, as Twisted has them.
    """
    pem = issued.private_key_pem.bytes() + issued.cert_chain_pems[0].bytes()
    loaded: PrivateCertificate = PrivateCertificate.loadPEM(pem)
    return loaded


def below(peer: Peer) -> Any:
    """
    @return: the transport below the TLS of a server's connection.
    """
    transport: Any = peer.transport
    wrapped = isinstance(transport, TLSMemoryBIOProtocol)
    return transport.transport if wrapped else transport.protocol.transport


class Authority:
    """
    Certificates; made once, since a key takes a while.
    """

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.root = Certificate.loadPEM(self.authority.cert_pem.bytes())
        self.good = private(self.authority.issue_cert("localhost", "127.0.0.1"))
        self.elsewhere = private(self.authority.issue_cert("else.where"))
        self.expired = private(
            self.authority.issue_cert(
                "localhost",
                not_before=LONG_AGO,
                not_after=LONG_AGO + datetime.timedelta(days=1),
            )
        )
        self.stranger = private(trustme.CA().issue_cert("localhost"))
        self.client = private(self.authority.issue_cert("client.example"))


@cache
def made() -> Authority:
    """
    @return: the one.
    """
    return Authority()


class TLSTestCase(NetworkTestCase):
    """
    A test with servers that speak TLS.
    """

    def setUp(self) -> None:
        self.made = made()
        self.recorder = Recorder()
        self.events = self.recorder.events

    def options(self, host: str = "localhost", **more: Any) -> Any:
        """
        @return: options for a client that trusts our authority.
        """
        return optionsForClientTLS(host, trustRoot=self.made.root, **more)

    async def serve(
        self,
        certificate: PrivateCertificate | None = None,
        *authorities: Any,
        old: bool = False,
    ) -> Server:
        """
        Start a server that speaks TLS.

        @param authorities: those one of which clients need a certificate of.
        @param old: TLS 1.2 at most.
        """
        options: Any = (certificate or self.made.good).options(*authorities)
        if old:
            options.getContext().set_max_proto_version(SSL.TLS1_2_VERSION)
        server = Server()
        listening = reactor.listenSSL(0, server, options, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        server.port = listening.getHost().port
        return server

    def failing(
        self, server: Server, kind: type[Exception] = TLSError, **parameters: Any
    ) -> Deferred[Any]:
        """
        @return: fires with the error, of that kind, of a client whose one attempt
            fails.
        """
        client = self.client(server, **{**self.recorder.parameters(), **parameters})
        return self.assertFailure(client.start(), kind)

    def assertRefused(self, error: Exception, *words: str) -> None:
        """
        The attempt was C{connectError} alone, with those words.
        """
        for word in words:
            self.assertIn(word, str(error))
        self.assertEqual(
            self.events, ["started", ("connectError", "tls", EPROTO), "stopped"]
        )


class VerifiedTests(TLSTestCase):
    """
    C{tls}: C{connected} comes after the certificate has been verified, or never.
    """

    async def echo(self, server: Server, **parameters: Any) -> ClientTCPFactory:
        """
        Have a line echoed.
        """
        server.heard = lambda peer, data: peer.send(data)

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            server = client.server
            assert server is not None
            self.assertTrue(ISSLTransport.providedBy(server.transport))
            client.put(b"hello")

        self.recorder.on["connected"] = connected
        self.recorder.on["serverInput"] = lambda client, line: client.shutdown()
        client = self.client(server, **{**self.recorder.parameters(), **parameters})
        await client.start()
        self.assertEqual(
            self.events[-6:],
            [
                "started",
                "connected",
                "serverFlushed",
                ("serverInput", b"hello"),
                "disconnected",
                "stopped",
            ],
        )
        return client

    async def test_good(self) -> None:
        """
        By an address, an endpoint's description, an endpoint, or C{connectTCP}.
        """
        server = await self.serve()
        tcp = f"tcp:localhost:{server.port}"
        nowhere = {"remoteAddress": None, "remotePort": None}
        for where in (
            {"remoteAddress": "localhost"},
            {},
            {**nowhere, "endpoint": tcp},
            {
                **nowhere,
                "endpoint": TCP4ClientEndpoint(reactor, "127.0.0.1", server.port),
            },
        ):
            await self.echo(server, tls=self.options(), **where)
        self.recorder.events.clear()
        client = self.client(
            server, tls=self.options(), **nowhere, **self.recorder.parameters()
        )
        reactor.connectTCP("127.0.0.1", server.port, client)
        await client.whenStopped()
        self.assertIn(("serverInput", b"hello"), self.events)

    async def test_platform(self) -> None:
        """
        C{tls=True} trusts whom the platform trusts, for the very name or IP address.
        """
        server = await self.serve()
        with self.made.authority.cert_pem.tempfile() as path:
            self.patch(os, "environ", {**os.environ})
            os.putenv("SSL_CERT_FILE", path)
            self.addCleanup(os.unsetenv, "SSL_CERT_FILE")
            _tls.platformOptions.cache_clear()
            self.addCleanup(_tls.platformOptions.cache_clear)
            for host in ("localhost", "127.0.0.1"):
                await self.echo(server, remoteAddress=host, tls=True)
            self.events.clear()
            wrong = await self.serve(self.made.elsewhere)
            error = await self.failing(wrong, remoteAddress="127.0.0.1", tls=True)
            self.assertRefused(error, "not for 127.0.0.1")

    async def test_names(self) -> None:
        """
        The dot at the end of a name, and capital letters, are no part of it for TLS.
        """
        server = await self.serve(
            private(self.made.authority.issue_cert("xn--bcher-kva.example"))
        )
        naming = Naming(
            reactor,
            **{
                name: ["127.0.0.1"]
                for name in ("xn--bcher-kva.example.", "xn--bcher-kva.example")
            },
        )
        with self.made.authority.cert_pem.tempfile() as path:
            self.patch(os, "environ", {**os.environ})
            os.putenv("SSL_CERT_FILE", path)
            self.addCleanup(os.unsetenv, "SSL_CERT_FILE")
            _tls.platformOptions.cache_clear()
            self.addCleanup(_tls.platformOptions.cache_clear)
            for host in ("xn--bcher-kva.example.", "B\xdcCHER.example"):
                await self.echo(server, remoteAddress=host, tls=True, reactor=naming)

    async def test_platformDoesNotTrust(self) -> None:
        """
        C{tls=True} does not trust everybody.
        """
        _tls.platformOptions.cache_clear()
        error = await self.failing(await self.serve(), tls=True)
        self.assertRefused(error, "unknown CA")

    async def test_expired(self) -> None:
        """
        A certificate that has expired.
        """
        server = await self.serve(self.made.expired)
        error = await self.failing(server, tls=self.options())
        self.assertRefused(error, "certificate has expired")
        self.assertIsInstance(error.__cause__, SSL.Error)

    async def test_unknownAuthority(self) -> None:
        """
        A certificate by somebody else.
        """
        server = await self.serve(self.made.stranger)
        error = await self.failing(server, tls=self.options())
        self.assertRefused(error, "unknown CA")

    async def test_wrongHost(self) -> None:
        """
        A certificate for another host, by name and by IP address.
        """
        server = await self.serve(self.made.elsewhere)
        for host in ("localhost", "127.0.0.1"):
            self.events.clear()
            error = await self.failing(server, tls=self.options(host))
            self.assertRefused(error, f"not for {host}")

    async def test_oldTLS(self) -> None:
        """
        All the same with TLS 1.2.
        """
        for certificate, word in (
            (self.made.expired, "expired"),
            (self.made.stranger, "unknown CA"),
            (self.made.elsewhere, "not for localhost"),
        ):
            self.events.clear()
            server = await self.serve(certificate, old=True)
            error = await self.failing(server, tls=self.options())
            self.assertRefused(error, word)

    async def test_plainServer(self) -> None:
        """
        A server that speaks no TLS: one that greets, one that answers what it does not
        understand, one that echoes, one that closes at once.
        """
        cases: Any = (
            (lambda p: p.send(b"220 hello\r\n"), lambda p, d: None, "not speak TLS"),
            (lambda p: None, lambda p, d: p.send(b"ERROR\r\n"), "not speak TLS"),
            (lambda p: None, lambda p, d: p.send(d), "not speak TLS"),
            (lambda p: p.close(), lambda p, d: None, "during the handshake"),
            (lambda p: None, lambda p, d: p.reset(), "during the handshake"),
        )
        for met, heard, words in cases:
            self.events.clear()
            server = await self.listen()
            server.met, server.heard = met, heard
            error = await self.failing(server, tls=self.options())
            self.assertRefused(error, words)

    async def test_mute(self) -> None:
        """
        A server that accepts and never says anything: C{connectTimeout} covers the
        handshake, also one begun by C{preConnect}.
        """
        server = await self.listen()
        for parameters in (
            {"tls": self.options()},
            {"preConnect": lambda client, each: each.startTLS(self.options())},
        ):
            self.events.clear()
            error = await self.failing(
                server, TimeoutError, connectTimeout=0.05, **parameters
            )
            self.assertIn(
                "no connection in 0.05 seconds: no end of the TLS handshake", str(error)
            )
            self.assertEqual(self.events[1], ("connectError", "connect", 110))
            self.assertEqual(len(self.events), 3)

    async def test_backOff(self) -> None:
        """
        A bad certificate counts as any failure: the delays grow.
        """
        server = await self.serve(self.made.expired)
        delays: list[float] = []
        client = self.client(
            server,
            tls=self.options(),
            autoReconnect=True,
            **self.recorder.parameters("connectError"),
            connectError=lambda client, failure: delays.append(client.delay),
        )
        client.jitter, client.factor, client.maxRetries = 0, 2, 3
        await self.assertFailure(client.start(), Exception)
        self.assertEqual(delays, [0.01, 0.01, 0.02, 0.04])

    async def test_clientCertificate(self) -> None:
        """
        A server that wants a certificate of the client's gets it.
        """
        server = await self.serve(None, self.made.root)
        options = self.options(clientCertificate=self.made.client)
        await self.echo(server, tls=options)

    async def test_noClientCertificate(self) -> None:
        """
        Without one, with TLS 1.3 the client is connected before the server refuses it:
        C{serverError}. With TLS 1.2 the attempt fails.
        """
        server = await self.serve(None, self.made.root)
        error = await self.failing(server, tls=self.options())
        self.assertIn("refused: certificate required", str(error))
        self.assertEqual(
            self.events,
            [
                "started",
                "connected",
                ("serverError", "tls", EPROTO),
                "disconnected",
                "stopped",
            ],
        )
        self.events.clear()
        server = await self.serve(None, self.made.root, old=True)
        error = await self.failing(server, tls=self.options())
        self.assertRefused(error, "refused: handshake failure")

    async def test_reconnect(self) -> None:
        """
        After a loss the next connection is TLS as well.
        """
        server = await self.serve()
        recorder = self.recorder
        recorder.on["connected"] = lambda client, peer: client.put(b"x")
        server.heard = lambda peer, data: (
            peer.reset() if len(server.peers) < 3 else peer.send(b"bye\n")
        )
        recorder.on["serverInput"] = lambda client, line: client.shutdown()
        client = self.client(
            server, tls=self.options(), autoReconnect=True, **recorder.parameters()
        )
        await client.start()
        self.assertEqual(self.events.count("connected"), 3)
        self.assertEqual(self.events.count("disconnected"), 3)

    async def test_closeNotify(self) -> None:
        """
        The server ends TLS in order: a clean end.
        """
        server = await self.serve()
        server.heard = lambda peer, data: peer.close()
        self.recorder.on["connected"] = lambda client, peer: client.put(b"x")
        client = self.client(server, tls=self.options(), **self.recorder.parameters())
        await client.start()
        self.assertEqual(self.events[-3], ("serverError", "read", 0))
        self.assertEqual(self.recorder.disconnections[0].initiator, "peer")

    async def test_cutOff(self) -> None:
        """
        The server ends TCP without having ended TLS: something may be missing, so that
        is no clean end.
        """
        server = await self.serve()
        server.heard = lambda peer, data: below(peer).loseConnection()
        self.recorder.on["connected"] = lambda client, peer: client.put(b"x")
        client = self.client(server, tls=self.options(), **self.recorder.parameters())
        await self.assertFailure(client.start(), ConnectionLost)
        self.assertEqual(self.events[-3], ("serverError", "read", ECONNRESET))
        self.assertFalse(self.recorder.disconnections[0].confirmed)

    async def test_unreadTickets(self) -> None:
        """
        The session tickets that a server sends behind the handshake are read before the
        end: closing with them unread would send a reset, and cost what was put.
        """
        server = await self.serve()
        server.left = lambda peer: None

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            client.pauseProducing()
            for _ in range(3):
                client.put(b"x" * 1_000_000)
            client.shutdown()

        self.recorder.on["connected"] = connected
        client = self.client(server, tls=self.options(), **self.recorder.parameters())
        await client.start()
        await server.peers[0].ended
        self.assertEqual(len(server.peers[0].received), 3_000_006)
        self.assertEqual(self.recorder.disconnections[0].unsent, 0)

    async def test_abortWhenLost(self) -> None:
        """
        An order to drop a connection whose loss waits behind paused records: its
        transport is gone already (and Twisted's for TLS would raise).
        """
        server = await self.serve()
        server.met = lambda peer: peer.send(b"220 1\r\n220 2\r\n")
        paused: Deferred[None] = Deferred()

        def serverInput(client: ClientTCPFactory, line: bytes) -> None:
            client.pauseProducing()
            paused.callback(None)

        self.recorder.on["serverInput"] = serverInput
        client = self.client(server, tls=self.options(), **self.recorder.parameters())
        client.start()
        await paused
        connection: Any = client.server
        server.peers[0].reset()
        await server.peers[0].lost
        while connection.transport.connected:
            client.put(b"x")
            await turn()
        self.assertNotIn("disconnected", self.events)
        server.met = lambda peer: None
        self.recorder.on["connected"] = lambda client, peer: client.shutdown()
        client.reconnect()
        await client.whenStopped()
        self.assertEqual(self.events.count("disconnected"), 2)
        connection.abort()

    async def test_connectorDisconnects(self) -> None:
        """
        C{disconnect} of the connector ends TLS in order.
        """
        server = await self.serve()
        self.recorder.on["connected"] = lambda client, peer: (
            client.connector.disconnect()
        )
        client = self.client(server, tls=self.options(), **self.recorder.parameters())
        await client.start()
        self.assertEqual(self.events[-2:], ["disconnected", "stopped"])

    async def test_double(self) -> None:
        """
        An endpoint that speaks TLS itself needs no C{tls}.
        """
        server = await self.serve()
        for description in (f"tls:localhost:{server.port}", f"SSL:a:{server.port}"):
            error = self.assertRaises(
                TypeError,
                ClientTCPFactory,
                serverInput=print,
                endpoint=["tcp:a:1", description],
                tls=True,
            )
            self.assertIn("is TLS already", str(error))


@implementer(IOpenSSLClientConnectionCreator)
class Broken:
    """
    Options whose connections cannot be made.

    @ivar make: called instead; raises, or returns what is no connection.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __repr__(self) -> str:
        return "<Broken>"

    def clientConnectionForTLS(self, protocol: Any) -> Any:
        return self.make()


class BrokenOptionsTests(TLSTestCase):
    """
    Options that raise when a connection is to be made end the attempt at once, and
    nothing is sent.
    """

    cases = (
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda: None, "TypeError: it has made None, which is no connection"),
    )

    async def check(self, words: str, **parameters: Any) -> None:
        """
        One attempt fails so.
        """
        server = await self.listen()
        self.events.clear()
        error = await self.failing(server, **parameters)
        self.assertRefused(error, "<Broken> cannot make a TLS connection", words)
        if "ZeroDivisionError" in words:
            self.assertIsInstance(error.__cause__, ZeroDivisionError)
        await server.peers[0].ended
        self.assertEqual(server.peers[0].received, b"")

    async def test_tls(self) -> None:
        """
        With C{tls}.
        """
        for make, words in self.cases:
            await self.check(words, tls=Broken(make))

    async def test_startTLS(self) -> None:
        """
        With C{startTLS}, which fails with the same, whether C{preConnect} looks at that
        or not.
        """
        seen: list[Any] = []

        async def careful(client: Any, negotiation: Any) -> bool:
            try:
                return bool(await negotiation.startTLS(Broken(self.cases[0][0])))
            except TLSError as error:
                seen.append(str(error))
                return True

        for make, words in self.cases:
            options = Broken(make)
            await self.check(
                words, preConnect=lambda client, talk, o=options: talk.startTLS(o)
            )
        await self.check(self.cases[0][1], preConnect=careful)
        self.assertIn("<Broken> cannot make a TLS connection", seen[0])

    async def test_noOptions(self) -> None:
        """
        What would verify nothing, or is nothing of the kind, is refused by C{startTLS}
        as by the constructor.
        """
        server = await self.listen()
        for wrong in (None, False, "localhost", CertificateOptions()):
            refusal = await self.failing(
                server,
                NegotiationRefused,
                preConnect=lambda client, talk, wrong=wrong: talk.startTLS(wrong),
            )
            self.assertIn("must be True or what optionsForClientTLS()", str(refusal))
            self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    async def test_goesOn(self) -> None:
        """
        It counts as any failure, and the next attempt may do better.
        """
        server = await self.serve()
        good = self.options()
        options = Broken(lambda: 1 / 0)
        self.recorder.on["connectError"] = lambda client, failure: setattr(
            options, "clientConnectionForTLS", good.clientConnectionForTLS
        )
        self.recorder.on["connected"] = lambda client, peer: client.shutdown()
        client = self.client(
            server, tls=options, autoReconnect=True, **self.recorder.parameters()
        )
        await client.start()
        self.assertEqual(
            self.events,
            [
                "started",
                ("connectError", "tls", EPROTO),
                "connected",
                "disconnected",
                "stopped",
            ],
        )


class Dialogue(Server):
    """
    A server that greets, agrees to C{STARTTLS}, and then echoes.

    @ivar injected: what somebody puts in between, by the place where he does:
        C{"greeting"} and C{"answer"}, in one segment with what the server sends;
        C{"behind"} the answer, in a segment of its own; or at the C{"hello"} of the
        client's TLS.
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
        Have what comes behind the answer be sent now.
        """
        behind = self.injected.get("behind")
        if behind:
            peer = self.peers[-1]
            peer.send(behind)
            transport: Any = peer.transport
            transport.doWrite()

    def hear(self, peer: Peer, data: bytes) -> None:
        """
        Take part.
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

    async def dialogue(self, certificate: PrivateCertificate | None = None) -> Dialogue:
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
        @param turns: how many turns of the reactor to wait before TLS.
        @param answers: how many records to read after C{STARTTLS}.

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
        Have a line echoed through TLS.
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
        Greeting, C{STARTTLS}, answer, TLS, records; with turns of the reactor between,
        or none.
        """
        server = await self.dialogue()
        for turns in range(3):
            await self.echo(server, self.preConnect(turns))

    async def test_octetByOctet(self) -> None:
        """
        However the answer is cut, also within its newline.
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
        The framing keeps nothing of what it saw in clear text: not even that a newline
        of one octet may get a second one.
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
        Of what comes at once, and in several pieces since that is how TLS hands it out,
        the negotiation takes what it asks for, and C{serverInput} gets all the rest.
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
        What C{startTLS} returns can be waited for, returned, or left alone: the
        handshake is done before C{connected} in any case.
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
        By C{connectTCP} and by C{ClientService} as well.
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
        So it is where the handshake fails; nobody is told twice.
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
        Certificates are verified here as well; the waiting C{preConnect} is told.
        """
        told: list[Exception] = []
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
                    told.append(e)
                return True

            error = await self.failing(server, preConnect=preConnect)
            self.assertRefused(error, words)
            self.assertIs(told.pop(), error)

    async def test_platform(self) -> None:
        """
        C{startTLS(True)} trusts whom the platform does, for the host connected to.
        """
        server = await self.dialogue()
        _tls.platformOptions.cache_clear()
        error = await self.failing(server, preConnect=self.preConnect(options=True))
        self.assertRefused(error, "unknown CA")

    async def test_outputFirst(self) -> None:
        """
        What was put before TLS goes in clear text, before it; what is put afterwards is
        protected, though the handshake is not done.
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
        C{put} and C{startTLS} in one turn: the octets in clear text leave first.
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
        Octets in clear text that somebody puts into the dialogue, at any point of it,
        as a whole record, a part of one or several, never reach the framing as if they
        were protected: the attempt fails.
        """
        server = await self.dialogue()
        points = ("greeting", "answer", "behind", "hello")
        texts = (b"220 evil\r\n", b"22", b"220 evil\r\n" * 20)
        for point, text, turns, more in product(points, texts, range(3), (0, 5)):
            if more and (point in ("behind", "hello") or text.count(b"\n") <= more):
                # That would be to wait for records that never come, or to read all as
                # what it is.
                continue
            self.events.clear()
            server.injected = {point: text}
            preConnect = self.preConnect(turns, 1 + more)
            if (point, text) == ("greeting", b"22"):
                # It has come to be a part of the answer, which is no good one then.
                await self.failing(server, NegotiationRefused, preConnect=preConnect)
            else:
                error = await self.failing(server, preConnect=preConnect)
                self.assertRefused(error)

    async def test_clearText(self) -> None:
        """
        Where the octets are here already, the error says so, before any TLS.
        """
        server = await self.dialogue()
        server.injected = {"answer": b"evil\r\n"}
        error = await self.failing(server, preConnect=self.preConnect())
        self.assertIsInstance(error, ClearText)
        self.assertRefused(error, "6 octets in clear text")
        self.assertEqual(error.octets, 6)

    async def test_defiant(self) -> None:
        """
        C{preConnect} cannot go on with such a connection.
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
        A part of a record whose reading was given up is clear text too.
        """
        server = await self.dialogue()
        server.greeting = b"22"

        async def preConnect(client: Any, negotiation: Any) -> Any:
            record = negotiation.nextRecord()
            record.addErrback(lambda failure: None)
            while not negotiation._framing._held:
                await turn()
            record.cancel()
            return await negotiation.startTLS(self.options())

        error = await self.failing(server, preConnect=preConnect)
        self.assertRefused(error, "2 octets in clear text")

    async def test_misuse(self) -> None:
        """
        While a record is waited for, twice, or on a connection that is TLS.
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
            (server, {"preConnect": waiting}, "while nextRecord() is still waiting"),
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
        An end of TCP that is none of TLS is no clean end here either.
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


class Secure:
    """
    A transport whose TLS has no certificate of the server's.
    """

    def __init__(self) -> None:
        directlyProvides(self, ISSLTransport)

    def getHandle(self) -> Any:
        """
        @return: a connection that has not begun.
        """
        return SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)


class WordTests(SynchronousTestCase):
    """
    Failures in words, where they are rare.
    """

    def words(self, error: Exception, shaking: bool = True) -> str:
        """
        @return: what is made of it.
        """
        value: Any = _tls.inWords(Failure(error), Secure(), shaking).value
        self.assertIsInstance(value, TLSError)
        self.assertIs(value.__cause__, error)
        return str(value)

    def test_openssl(self) -> None:
        """
        Whatever OpenSSL says, something is told.
        """
        for arguments, words in (
            (([("SSL routines", "", "bad record mac")],), "bad record mac"),
            (
                ([("", "", "a"), ("", "", "sslv3 alert bad certificate")],),
                "a; the server has refused: bad certificate",
            ),
            (
                ([("", "", "certificate verify failed")],),
                "the server's certificate is refused: certificate verify failed",
            ),
            (([],), "TLS has failed"),
            ((), "TLS has failed"),
        ):
            self.assertEqual(self.words(SSL.Error(*arguments)), words)
        self.assertIn("104", self.words(SSL.SysCallError(104, "ECONNRESET")))

    def test_substitute(self) -> None:
        """
        A verification error that names nobody.
        """
        error = VerificationError(errors=())
        self.assertIn("not for this host", self.words(error))

    def test_others(self) -> None:
        """
        What is none of TLS stays as it is: a loss after the handshake, and any on a
        transport that is not TLS.
        """
        lost = Failure(ConnectionLost())
        self.assertIs(_tls.inWords(lost, Secure(), False), lost)
        self.assertIs(_tls.inWords(lost, object(), True), lost)
        self.assertIn("during the handshake", self.words(ConnectionLost()))


class ArgumentTests(SynchronousTestCase):
    """
    What the constructor says of C{tls}.
    """

    def test_type(self) -> None:
        """
        C{CertificateOptions} verify no host name, so they are no such thing.
        """
        for wrong in (CertificateOptions(), "localhost", 1):
            error = self.assertRaises(
                TypeError,
                ClientTCPFactory,
                serverInput=print,
                remoteAddress="localhost",
                remotePort=1,
                tls=wrong,
            )
            self.assertIn("tls must be True or what optionsForClientTLS()", str(error))

    def test_noName(self) -> None:
        """
        C{tls=True} needs a host name.
        """
        clock = MemoryReactorClock()
        for parameters in (
            {},
            {"endpoint": TCP4ClientEndpoint(clock, "127.0.0.1", 1)},
            {"endpoint": ["tcp:localhost:1", "unix:/tmp/socket"]},
            {"remoteAddress": "/tmp/socket", "domain": 1},
        ):
            given: Any = {"serverInput": print, "tls": True, **parameters}
            error = self.assertRaises(ValueError, ClientTCPFactory, **given)
            self.assertIn("optionsForClientTLS('the.host')", str(error))

    def test_impossibleName(self) -> None:
        """
        Some names can be looked up, but no certificate is ever for them.
        """
        for name in ("my_service", "\u2603.example"):
            words = f"no certificate can be for {name!r} .*optionsForClientTLS"
            with self.assertRaisesRegex(ValueError, words):
                ClientTCPFactory(
                    serverInput=print, remoteAddress=name, remotePort=7, tls=True
                )
            client = ClientTCPFactory(
                serverInput=print, remoteAddress="a.example", remotePort=7, tls=True
            )
            with self.assertRaisesRegex(ValueError, words):
                client.connect(name)
            self.assertIn("a.example", repr(client))

    def test_off(self) -> None:
        """
        C{tls=False} is no TLS.
        """
        clock = MemoryReactorClock()
        client = ClientTCPFactory(
            serverInput=print,
            remoteAddress="127.0.0.1",
            remotePort=1,
            tls=False,
            reactor=clock,
        )
        self.assertIsInstance(client.buildProtocol(None), ClientTCPProtocol)

    def test_extraMissing(self) -> None:
        """
        Without OpenSSL a client without TLS works, and one with TLS is an error that
        names the extra.
        """
        for given in ("tls=True", "endpoint='tls:localhost:7'"):
            where = "" if "endpoint" in given else "remoteAddress='a', remotePort=7, "
            code = (
                "import sys\n"
                "sys.modules['OpenSSL'] = None\n"
                "from twisted_clienttcp import ClientTCPFactory\n"
                "ClientTCPFactory(serverInput=print, remoteAddress='a', remotePort=7)\n"
                "ClientTCPFactory(serverInput=print, endpoint='tcp:a:7')\n"
                "assert 'twisted.internet.ssl' not in sys.modules\n"
                "try:\n"
                f"    ClientTCPFactory(serverInput=print, {where}{given})\n"
                "except ImportError as error:\n"
                "    assert 'pip install twisted_clienttcp[tls]' in str(error), error\n"
                "else:\n"
                "    raise AssertionError('no error')\n"
            )
            run(sys.executable, "-c", code)

    def test_extraMissingAtStartTLS(self) -> None:
        """
        The same where C{startTLS} is called.
        """
        code = (
            "import sys\n"
            "sys.modules['OpenSSL'] = None\n"
            "from twisted.internet.testing import MemoryReactorClock, StringTransport\n"
            "from twisted_clienttcp import ClientTCPFactory\n"
            "said = []\n"
            "def preConnect(client, negotiation):\n"
            "    try:\n"
            "        negotiation.startTLS()\n"
            "    except ImportError as error:\n"
            "        said.append(str(error))\n"
            "client = ClientTCPFactory(serverInput=print, preConnect=preConnect,\n"
            "                          reactor=MemoryReactorClock())\n"
            "client.buildProtocol(None).makeConnection(StringTransport())\n"
            "assert 'pip install twisted_clienttcp[tls]' in said[0], said\n"
        )
        run(sys.executable, "-c", code)
