"""
Tests for C{tls}: which servers are trusted, and the errors for all others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from errno import ECONNRESET, EPROTO
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionLost, TimeoutError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, ISSLTransport
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    VerificationError,
    optionsForClientTLS,
)
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_clienttcp import ClientTCPFactory, _tls
from twisted_clienttcp.errors import NegotiationRefused, TLSError
from twisted_clienttcp.framing import Stream

from .._processes import run, setVariable
from .._resolver import NamingReactor
from .._support import NetworkTestCase, Recorder, Server, reactor, turn
from .._support import keepAliveSettings as settings
from .._tls import Identity, TLSTestCase, below


class VerifiedTests(TLSTestCase):
    """
    C{tls}: C{connected} is called after the certificate has been verified, or never.
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
        With an address, an endpoint's description, an endpoint, and C{connectTCP}.
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
        C{tls=True} trusts the authorities of the platform, for exactly this name or IP
        address.
        """
        server = await self.serve()
        with self.made.authority.cert_pem.tempfile() as path:
            setVariable(self, "SSL_CERT_FILE", path)
            _tls.platformOptions.cache_clear()
            self.addCleanup(_tls.platformOptions.cache_clear)
            for host in ("localhost", "127.0.0.1"):
                await self.echo(server, remoteAddress=host, tls=True)
            # They are read once per process and name: a change has no effect.
            setVariable(self, "SSL_CERT_FILE", os.devnull)
            await self.echo(server, remoteAddress="localhost", tls=True)
            self.events.clear()
            wrong = await self.serve(self.made.elsewhere)
            error = await self.failing(wrong, remoteAddress="127.0.0.1", tls=True)
            self.assertRefused(error, "not for 127.0.0.1")

    async def test_names(self) -> None:
        """
        The certificate must be valid for the name in lower case and in ASCII, without
        the dot at its end. The server is asked for the same name (RFC 6066, section 3).
        """
        names = "xn--bcher-kva.example", "xn--strae-oqa.example", "xn--nxasmm1c.example"
        identity = Identity(self.made.authority.issue_cert(*names))
        asked: list[bytes | None] = []
        server = await self.serve(identity, asked=asked)
        naming = NamingReactor(
            reactor,
            **{name + dot: ["127.0.0.1"] for name in names for dot in ("", ".")},
        )
        with self.made.authority.cert_pem.tempfile() as path:
            setVariable(self, "SSL_CERT_FILE", path)
            _tls.platformOptions.cache_clear()
            self.addCleanup(_tls.platformOptions.cache_clear)
            for host, name in (
                ("xn--bcher-kva.example.", names[0]),
                ("B\xdcCHER.example", names[0]),
                ("Stra\xdfe.example", names[1]),
                ("\u03b2\u03cc\u03bb\u03bf\u03c2.example.", names[2]),
            ):
                await self.echo(server, remoteAddress=host, tls=True, reactor=naming)
                self.assertEqual(asked.pop(), name.encode())

    async def test_platformDoesNotTrust(self) -> None:
        """
        C{tls=True} does not trust every authority.
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
        A certificate of an unknown authority.
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

    async def test_wrongHostAndAuthority(self) -> None:
        """
        A certificate that is both for another host and of an unknown authority: the
        error has both reasons, if this version of Twisted reports the name first.
        """
        for old in (False, True):
            self.events.clear()
            server = await self.serve(self.made.stranger, old=old)
            options = self.options("127.0.0.1")
            error = await self.failing(server, tls=options)
            self.assertRefused(error, "was rejected: unknown CA: ")
            if isinstance(error.__cause__, VerificationError):
                self.assertRefused(error, "not for 127.0.0.1, and was rejected: ")

    async def test_oldTLS(self) -> None:
        """
        With TLS 1.2 too, wrong certificates are rejected and the right one is accepted.
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
        A server without TLS: one that greets, one that answers to unknown commands, one
        that echoes, one that closes at once.
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

    async def test_silentServer(self) -> None:
        """
        A server that accepts and never sends anything: C{connectTimeout} covers the
        handshake, also one that C{preConnect} starts.
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
            self.assertEqual(
                str(error),
                "not connected in time: the TLS handshake has not finished "
                "(connectTimeout=0.05)",
            )
            self.assertEqual(self.events[1], ("connectError", "connect", 110))
            self.assertEqual(len(self.events), 3)

    async def test_backOff(self) -> None:
        """
        A bad certificate counts as a failure: the delays grow.
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
        A server that asks for the client's certificate receives it.
        """
        server = await self.serve(None, self.made.root)
        options = self.options(extraCertificateOptions=self.made.client.parameters)
        await self.echo(server, tls=options)

    async def test_noClientCertificate(self) -> None:
        """
        Without a certificate, the client is connected with TLS 1.3 before the server
        rejects it: C{serverError}. With TLS 1.2, the attempt fails.
        """
        server = await self.serve(None, self.made.root)
        error = await self.failing(server, tls=self.options())
        self.assertIn("refused the connection: certificate required", str(error))
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
        self.assertRefused(error, "refused the connection: handshake failure")

    async def test_reconnect(self) -> None:
        """
        After a loss, the next connection uses TLS too.
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
        The server ends TLS with a close_notify: a clean end.
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
        The server ends TCP without ending TLS. Data may be missing, so this is not a
        clean end.
        """
        server = await self.serve()
        server.heard = lambda peer, data: below(peer).loseConnection()
        self.recorder.on["connected"] = lambda client, peer: client.put(b"x")
        client = self.client(server, tls=self.options(), **self.recorder.parameters())
        await self.assertFailure(client.start(), ConnectionLost)
        self.assertEqual(self.events[-3], ("serverError", "read", ECONNRESET))
        self.assertFalse(self.recorder.disconnections[0].confirmed)

    async def test_largeReads(self) -> None:
        """
        While all TLS records are full, the socket below reads larger amounts; after a
        shorter record, it reads as much as usual.
        """
        server = await self.serve()
        server.met = lambda peer: peer.send(bytes(2_000_001))
        sizes: list[int] = []
        received: list[int] = []

        def serverInput(client: ClientTCPFactory, data: bytes) -> None:
            received.append(len(data))
            transport: Any = client.server and client.server.transport
            sizes.append(transport.transport.bufferSize)
            if sum(received) == 2_000_001:
                reactor.callLater(0, last, transport.transport)

        def last(socket: Any) -> None:
            sizes.append(socket.bufferSize)
            client.shutdown()

        client = self.client(
            server, tls=self.options(), framing=Stream(), serverInput=serverInput
        )
        await client.start()
        self.assertGreater(max(sizes), sizes[0])
        self.assertEqual(sizes[-1], sizes[0])

    async def test_unreadTickets(self) -> None:
        """
        The session tickets that a server sends after the handshake are read before the
        end: closing with them unread would send a reset, and lose output.
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
        A connection can be dropped while its loss waits for paused records. Its
        transport is lost already, and Twisted's TLS transport would raise.
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
        C{disconnect} of the connector ends TLS with a close_notify.
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
        An endpoint that uses TLS itself needs no C{tls}.
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
            self.assertIn("uses TLS already", str(error))


@implementer(IOpenSSLClientConnectionCreator)
class Broken:
    """
    Options that cannot create connections.

    @ivar make: called instead; it raises, or returns an object that is not a
        connection.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __repr__(self) -> str:
        return "<Broken>"

    def clientConnectionForTLS(self, protocol: Any) -> Any:
        return self.make()


class BrokenOptionsTests(TLSTestCase):
    """
    Options that raise when they must create a connection: the attempt ends at once, and
    nothing is sent.
    """

    cases = (
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda: None, "TypeError: it returned None, which is not a connection"),
    )

    async def check(self, words: str, **parameters: Any) -> None:
        """
        One attempt fails with this message.
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
        With C{startTLS}, which fails with the same error, whether C{preConnect} awaits
        it or not.
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
        Options that verify nothing, and objects that are not options, are rejected by
        C{startTLS} as by the constructor.
        """
        server = await self.listen()
        for wrong in (None, False, "localhost", CertificateOptions()):
            refusal = await self.failing(
                server,
                NegotiationRefused,
                preConnect=lambda client, talk, wrong=wrong: talk.startTLS(wrong),
            )
            self.assertIn("must be True or the result of", str(refusal))
            self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    async def test_nextAttempt(self) -> None:
        """
        The error counts as a failure, and the next attempt may succeed.
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


class ArgumentTests(SynchronousTestCase):
    """
    The constructor checks C{tls}.
    """

    def test_type(self) -> None:
        """
        C{CertificateOptions} do not verify the host name, so they are rejected.
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
            self.assertIn("tls must be True or the result of", str(error))

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
        Some names can be looked up, but no certificate can be valid for them.
        """
        for name in ("my_service", "-.example"):
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
        C{tls=False} means no TLS.
        """
        clock = MemoryReactorClock()
        client = ClientTCPFactory(
            serverInput=print,
            remoteAddress="127.0.0.1",
            remotePort=1,
            tls=False,
            reactor=clock,
        )
        protocol: Any = client.buildProtocol(None)
        self.assertNotIsInstance(protocol, TLSMemoryBIOProtocol)

    def test_extraMissing(self) -> None:
        """
        Without OpenSSL, a client without TLS works; C{tls} is an error that names the
        extra.
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
                "    hint = \"pip install 'twisted_clienttcp[tls]'\"\n"
                "    assert hint in str(error), error\n"
                "else:\n"
                "    raise AssertionError('no error')\n"
            )
            run(sys.executable, "-c", code)

    def test_extraMissingAtStartTLS(self) -> None:
        """
        The same error, raised by C{startTLS}.
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
            "assert \"pip install 'twisted_clienttcp[tls]'\" in said[0], said\n"
        )
        run(sys.executable, "-c", code)


class EndpointTests(NetworkTestCase):
    """
    Connections with TLS, by an endpoint and by C{connectSSL}.
    """

    def serve(self, server: Server) -> tuple[Any, Any]:
        """
        @return: options for clients: one that trusts the server, and one that does not.
        """
        authority = trustme.CA()
        issued = authority.issue_cert("localhost")
        options = Identity(issued).options()
        listening = reactor.listenSSL(0, server, options, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        server.port = listening.getHost().port
        root = Certificate.loadPEM(authority.cert_pem.bytes())
        return (
            optionsForClientTLS("localhost", trustRoot=root),
            optionsForClientTLS("localhost"),
        )

    async def test_exchange(self) -> None:
        """
        C{connected} is called when the certificate has been verified; all output is
        flushed before the close.
        """
        server = Server()
        trusting, _ = self.serve(server)
        for endpoint in (True, False):
            recorder = Recorder()

            def connected(client: ClientTCPFactory, peer: Any) -> None:
                client.put(b"x" * 1_000_000)
                client.shutdown()

            recorder.on["connected"] = connected
            client = self.tls(server, trusting, endpoint, recorder)
            await client.whenStopped()
            peer = server.peers[-1]
            self.assertEqual(len(await peer.until(b"\r\n")), 1_000_002)
            self.assertEqual(
                recorder.events,
                ["started", "connected", "serverFlushed", "disconnected", "stopped"],
            )
            self.assertEqual(recorder.disconnections[0].unsent, 0)

    async def test_untrusted(self) -> None:
        """
        A certificate of an authority that is not trusted is a failed attempt.
        """
        server = Server()
        _, wary = self.serve(server)
        for endpoint in (True, False):
            recorder = Recorder()
            client = self.tls(server, wary, endpoint, recorder)
            await self.assertFailure(client.whenStopped(), TLSError)
            self.assertEqual(
                [
                    event if isinstance(event, str) else event[0]
                    for event in recorder.events
                ],
                ["started", "connectError", "stopped"],
            )

    async def test_connectElsewhere(self) -> None:
        """
        Under C{connectSSL}, a new address is rejected: our own connector would not use
        that TLS.
        """
        server = Server()
        trusting, _ = self.serve(server)
        recorder = Recorder()
        refused: list[str] = []

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            try:
                client.connect("127.0.0.1", server.port)
            except ValueError as error:
                refused.append(str(error))
            client.shutdown()

        recorder.on["connected"] = connected
        client = self.tls(server, trusting, False, recorder)
        await client.whenStopped()
        self.assertIn("remoteAddress, remotePort and tls", refused[0])
        self.assertEqual(len(server.peers), 1)

    async def test_keepAlive(self) -> None:
        """
        The kernel's keepalive is set on the socket below TLS.
        """
        server = Server()
        trusting, _ = self.serve(server)
        for endpoint in (True, False):
            client = self.tls(
                server, trusting, endpoint, Recorder(), keepAlive=(77, 11, 5)
            )
            await client.whenConnected()
            self.assertEqual(settings(client), [1, 77, 11, 5])
            await client.shutdown()

    def tls(
        self,
        server: Server,
        options: Any,
        endpoint: bool,
        recorder: Recorder,
        **parameters: Any,
    ) -> ClientTCPFactory:
        """
        @return: a client that connects by an endpoint, or by C{connectSSL}.
        """
        parameters.update(recorder.parameters())
        if endpoint:
            plain = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
            client = self.client(
                server,
                remoteAddress=None,
                remotePort=None,
                endpoint=wrapClientTLS(options, plain),
                **parameters,
            )
            client.start().addErrback(lambda failure: None)
        else:
            client = self.client(
                server, remoteAddress=None, remotePort=None, **parameters
            )
            reactor.connectSSL("127.0.0.1", server.port, client, options)
        return client
