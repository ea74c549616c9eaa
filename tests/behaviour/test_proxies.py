"""
Tests of connecting through proxies.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from twisted.application.internet import ClientService
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionLost,
    ConnectionRefusedError,
    TimeoutError,
)
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import (
    capturedLogs,
    formatEvent,
    globalLogPublisher,
    textFileLogObserver,
)
from twisted.python.failure import Failure

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import (
    HeartbeatTimeout,
    OutputLost,
    ProxyError,
    TLSError,
)
from twisted_clienttcp.framing import Stream
from twisted_clienttcp.proxy import ProxiedAddress, ProxyEndpoint
from twisted_clienttcp.proxy import Proxy as ProxyURL
from twisted_clienttcp.wirelog import WireLog

from .._memory import ClientTestCase, SlowEndpoint, Transport, phase
from .._processes import setVariable
from .._proxies import (
    HTTP_AGREES,
    SOCKS_AGREES,
    Proxy,
    ProxyTestCase,
    ScriptedProxy,
)
from .._resolver import FakeResolver
from .._support import NetworkTestCase, Recorder, Server, freePort, reactor, turn
from .._wirelog import Dump

PROXY = "http://me:secret@127.0.0.1:3128"
HIDDEN = "http://127.0.0.1:3128"


class WaysTests(ProxyTestCase):
    """
    Tests of each kind of proxy, with and without TLS with the server.
    """

    async def test_each(self) -> None:
        """
        The client talks to the server, whose name the proxy looks up.
        """
        clear = await self.listen()
        secure = await self.serve()
        for scheme in ("socks5", "http", "https"):
            for server, tls in ((clear, None), (secure, self.options("localhost"))):
                proxy = await self.proxy(scheme)
                ending = await self.exchange(server, proxy=self.url(proxy), tls=tls)
                self.assertEqual(proxy.asked, [("server.test", server.port)])
                self.assertEqual(
                    self.met.pop(),
                    ProxiedAddress("server.test", server.port, (proxy.url,)),
                )
                self.assertEqual(ending.initiator, "local")
                self.assertEqual(
                    (ending.unsent, ending.unacknowledged), (0, None), (scheme, tls)
                )
                self.assertEqual(ending.confirmed, tls is not None, (scheme, tls))

    async def test_chain(self) -> None:
        """
        Each proxy is reached through the one before, also with several TLS layers.
        """
        proxies = [
            await self.proxy(scheme) for scheme in ("https", "socks5", "https", "http")
        ]
        server = await self.serve()
        chain = [self.url(proxy) for proxy in proxies]
        ending = await self.exchange(server, proxy=chain, tls=self.options())
        self.assertTrue(ending.confirmed)
        ports = [("127.0.0.1", proxy.port) for proxy in proxies[1:]]
        self.assertEqual(
            [proxy.asked for proxy in proxies],
            [[port] for port in (*ports, ("server.test", server.port))],
        )

    async def test_password(self) -> None:
        """
        User and password are sent to the proxy.
        """
        server = await self.listen()
        proxy = await self.proxy("socks5", b"me", b"se:cret")
        url = f"socks5://me:se%3Acret@127.0.0.1:{proxy.port}"
        await self.exchange(server, proxy=url)
        proxy = await self.proxy("http")
        await self.exchange(server, proxy=f"http://me:s%40@127.0.0.1:{proxy.port}")
        self.assertIn(b"\r\nProxy-Authorization: Basic bWU6c0A=", proxy.requests[0])

    async def test_logged(self) -> None:
        """
        The log shows the route, without user and password.
        """
        server = await self.listen()
        proxy = await self.proxy("socks5", b"me", b"secret")
        with capturedLogs() as logs:
            url = f"socks5://me:secret@127.0.0.1:{proxy.port}"
            await self.exchange(server, proxy=url)
        lines = [str(formatEvent(event)) for event in logs if "kind" in event]
        route = f"server.test:{server.port} through {proxy.url}"
        self.assertEqual(lines[0], f"Client {route}: connected to {route}")
        self.assertEqual(lines[-1], f"Client {route} stops: on request")
        self.assertNotIn("secret", str(logs))

    async def test_preConnect(self) -> None:
        """
        C{preConnect} talks to the server, and C{startTLS} in it works behind a proxy
        without TLS and behind one with TLS.
        """
        server = await self.listen()
        for scheme in ("socks5", "https"):
            proxy = await self.proxy(scheme)

            async def preConnect(client: Any, negotiation: Any) -> Any:
                negotiation.put(b"STARTTLS")
                await negotiation.nextRecord()
                return await negotiation.startTLS(self.options())

            def heard(peer: Any, data: bytes) -> None:
                if data == b"STARTTLS\r\n":
                    peer.send(b"go\r\n")
                    peer.transport.startTLS(self.made.good.options())
                else:
                    peer.send(data)

            server.heard = heard
            received: Deferred[Any] = Deferred()
            client = self.client(
                server,
                proxy=self.url(proxy),
                preConnect=preConnect,
                connected=lambda client, peer: client.put(b"secret"),
                serverInput=lambda client, line, got=received: got.callback(line),
                connectError=lambda client, failure, got=received: got.errback(failure),
            )
            client.start().addErrback(lambda failure: None)
            self.assertEqual(await received, b"secret")
            ending: Any = await client.shutdown()
            self.assertTrue(ending.confirmed)

    async def test_failover(self) -> None:
        """
        With several endpoints, the next one is tried through the same proxy.
        """
        server = await self.listen()
        proxy = await self.proxy("socks5")
        bad = freePort()
        await self.exchange(
            server,
            remoteAddress=None,
            remotePort=None,
            endpoint=[f"tcp:127.0.0.1:{port}" for port in (bad, server.port)],
            proxy=proxy.url,
        )
        self.assertEqual(proxy.asked, [("127.0.0.1", bad), ("127.0.0.1", server.port)])
        self.assertEqual(self.recorder.events[1][0], "connectError")

    async def test_environment(self) -> None:
        """
        The proxy of the environment is used, but not for servers that it excepts.
        """
        server = await self.listen()
        proxy = await self.proxy("http")
        for name in ("all_proxy", "no_proxy", "NO_PROXY"):
            setVariable(self, name, "")
        setVariable(self, "ALL_PROXY", proxy.url)
        await self.exchange(server, proxy="environment")
        self.assertEqual(proxy.asked, [("server.test", server.port)])
        setVariable(self, "NO_PROXY", "localhost,127.0.0.0/8")
        await self.exchange(server, remoteAddress="127.0.0.1", proxy="environment")
        self.assertEqual(len(proxy.asked), 1)


class WireLogTests(ProxyTestCase):
    """
    The wire log never has the user and the password of a proxy.
    """

    #: As they may appear: in SOCKS, in the URL, and as the Basic scheme encodes them.
    SECRETS = (b"the user", b"pass:word", b"dGhlIHVzZXI6", b"pass%3Aword")
    WAY = "the%20user:pass%3Aword@"

    def assertHidden(self, file: io.StringIO, *more: bytes) -> Dump:
        dump = Dump(file.getvalue())
        text = file.getvalue().encode("ascii")
        for stream in (text, dump.stream(">"), dump.stream("<")):
            for secret in (*self.SECRETS, *more):
                self.assertNotIn(secret, stream)
                self.assertNotIn(secret.hex(" ").encode(), stream)
        return dump

    def shown(self) -> tuple[io.StringIO, WireLog]:
        """
        @return: a log that hides nothing by itself, and its file.
        """
        file = io.StringIO()
        return file, WireLog(file, hide=lambda direction, data: data)

    async def test_each(self) -> None:
        """
        The dialogue with a proxy is not logged, whatever C{hide} shows. What follows
        is, with offsets from 0; and the first entry names the proxies.
        """
        server = await self.listen()
        for scheme in ("socks5", "http", "https"):
            credentials = (b"the user", b"pass:word") if scheme == "socks5" else ()
            proxy = await self.proxy(scheme, *credentials)
            url: Any = proxy.url.replace("//", f"//{self.WAY}")
            if scheme == "https":
                url = ProxyURL(url, self.options("127.0.0.1"))
            file, log = self.shown()
            await self.exchange(server, proxy=url, wireLog=log)
            if scheme != "socks5":
                self.assertIn(b"Basic dGhlIHVzZXI6", proxy.requests[0])
            dump = self.assertHidden(file)
            self.assertEqual(
                [(e.direction, e.offset, e.data) for e in dump.entries],
                [(">", 0, b"hello\r\n"), ("<", 0, b"HELLO\r\n")],
            )
            self.assertIn(
                f" to server.test:{server.port} through {proxy.url} (the dialogue with "
                "proxies is not logged)",
                dump.notes[0],
            )

    async def test_firstBytes(self) -> None:
        """
        Bytes of the server that arrive together with the answer of a proxy are logged.
        """
        for scheme, script in (
            ("socks5", (*SOCKS_AGREES[:-1], SOCKS_AGREES[-1] + b"welcome\r\n")),
            ("http", (HTTP_AGREES + b"welcome\r\n",)),
        ):
            proxy = await self.listen(ScriptedProxy(*script))
            file, log = self.shown()
            answer: Deferred[bytes] = Deferred()
            client = self.client(
                proxy,
                remoteAddress="server.test",
                remotePort=7,
                proxy=f"{scheme}://{self.WAY}127.0.0.1:{proxy.port}",
                serverInput=lambda client, line, answer=answer: answer.callback(line),
                wireLog=log,
            )
            client.start().addErrback(lambda failure: None)
            self.assertEqual(await answer, b"welcome")
            self.assertEqual(self.assertHidden(file).stream("<"), b"welcome\r\n")

    async def test_refused(self) -> None:
        """
        Without a connection to the server, nothing is logged, even if the proxy repeats
        what was sent to it.
        """
        echo = b"HTTP/1.1 407 the user:pass:word\r\n\r\ndGhlIHVzZXI6cGFzczp3b3Jk"
        proxy = await self.listen(ScriptedProxy(echo))
        file, log = self.shown()
        client = self.client(
            proxy,
            remoteAddress="server.test",
            remotePort=7,
            proxy=f"http://{self.WAY}127.0.0.1:{proxy.port}",
            serverInput=print,
            connectError=lambda client, failure: None,
            wireLog=log,
        )
        await self.assertFailure(client.start(), ProxyError)
        self.assertEqual(file.getvalue(), "")


class AnyPasswordTests(ClientTestCase):
    """
    The wire log with any password, in memory.
    """

    #: What a proxy answers until it agrees.
    ANSWERS = {
        "socks5": (b"\x05\x02", b"\x01\x00", SOCKS_AGREES[-1]),
        "http": (HTTP_AGREES,),
    }

    @given(
        st.sampled_from(sorted(ANSWERS)),
        st.binary(min_size=8, max_size=40),
        st.binary(min_size=8, max_size=40),
        st.integers(1, 40),
    )
    def test_hidden(self, scheme: str, user: bytes, password: bytes, size: int) -> None:
        """
        However the proxy divides its answers, the log has what is exchanged with the
        server, and nothing else.
        """
        self.setUp()
        user = user.replace(b":", b";")
        file = io.StringIO()
        secrets = f"{quote(user)}:{quote(password)}"
        client, transport = self.connected(
            remoteAddress="server.test",
            proxy=f"{scheme}://{secrets}@127.0.0.1:1080",
            wireLog=WireLog(file, hide=lambda direction, data: data),
        )
        for answer in self.ANSWERS[scheme]:
            for start in range(0, len(answer), size):
                transport.protocol.dataReceived(answer[start : start + size])
        transport.protocol.dataReceived(b"welcome\r\n")
        self.assertTrue(client.connected)
        dialogue = transport.value()
        if scheme == "socks5":
            self.assertIn(user, dialogue)
        client.put(b"hello")
        self.reactor.advance(0)
        dump = Dump(file.getvalue())
        self.assertEqual(dump.stream(">"), b"hello\r\n")
        self.assertEqual(dump.stream("<"), b"welcome\r\n")
        [note] = dump.notes
        self.assertNotIn(quote(user), note)
        self.assertNotIn(quote(password), note)


class LayersTests(ProxyTestCase):
    """
    Tests of TLS with the server within TLS with the proxy.
    """

    def secured(self, server: Server) -> dict[str, Any]:
        """
        @return: the parameters for TLS with the server.
        """
        return {"tls": self.options()}

    async def connected(
        self, server: Server, **parameters: Any
    ) -> tuple[ClientTCPFactory, Recorder, Proxy]:
        """
        @return: a connected client, its callbacks and its proxy.
        """
        proxy = await self.proxy("https")
        recorder = Recorder()
        given = {
            "proxy": self.url(proxy),
            **self.secured(server),
            **recorder.parameters(),
            **parameters,
        }
        client = self.client(server, **given)
        client.start().addErrback(lambda failure: None)
        waiter = client.whenConnected()
        clock = given.get("clock")
        while clock is not None and not waiter.called:
            clock.advance(0)
            await turn()
        await waiter
        return client, recorder, proxy

    async def test_flushed(self) -> None:
        """
        C{flushed} means that the kernel has accepted everything, through both layers.
        """
        server = await self.serve()
        client, _, _ = await self.connected(server, framing=Stream())
        size = 3_000_000
        client.put(b"x" * size)
        self.assertGreater(client.pendingBytes, size - 1)
        await client.flushed()
        self.assertEqual(client.pendingBytes, 0)
        ending: Any = await client.shutdown()
        self.assertEqual((ending.unsent, ending.confirmed), (0, True))
        self.assertEqual(len(server.peers[0].received), size)

    async def test_unsent(self) -> None:
        """
        Bytes that an abort has dropped are counted: never too few.
        """
        server = await self.serve()
        client, recorder, proxy = await self.connected(server, framing=Stream())
        for relay in proxy.relays:
            relay.transport.pauseProducing()  # type: ignore[union-attr]
        size = 30_000_000
        client.put(b"x" * size)
        client.put(b"x")
        pending = client.pendingBytes
        assert client.server is not None
        client.server.abort()
        # As with one layer.
        await self.assertFailure(client.whenStopped(), OutputLost, ConnectionLost)
        (ending,) = recorder.disconnections
        self.assertEqual((ending.unsent, ending.confirmed), (pending, False))

    async def test_peerEnds(self) -> None:
        """
        The server ends cleanly: the client sees a clean end, also if the proxy never
        closes.
        """
        for closes in (True, False):
            server = await self.serve()
            client, recorder, proxy = await self.connected(server)
            proxy.closes = closes
            server.peers[0].send(b"bye\r\n")
            server.peers[0].close()
            await client.whenStopped()
            self.assertIn(("serverInput", b"bye"), recorder.events)
            (ending,) = recorder.disconnections
            self.assertEqual((ending.initiator, ending.confirmed), ("peer", False))

    async def test_shutdown(self) -> None:
        """
        A shutdown ends with the close_notify of the server, also if the proxy never
        closes.
        """
        server = await self.serve()
        client, _, proxy = await self.connected(server)
        proxy.closes = False
        client.put(b"hello")
        ending: Any = await client.shutdown()
        self.assertEqual((ending.unsent, ending.confirmed), (0, True))
        self.assertEqual(server.peers[0].received, b"hello\r\n")

    async def test_truncated(self) -> None:
        """
        Without a close_notify of the server, the end is not clean, though the proxy has
        sent one of its own.
        """
        server = await self.serve()
        client, recorder, _ = await self.connected(server)
        server.peers[0].reset()
        await self.assertFailure(client.whenStopped(), ConnectionLost)
        (ending,) = recorder.disconnections
        self.assertEqual((ending.initiator, ending.confirmed), ("network", False))
        self.assertIsInstance(ending.failure.value, ConnectionLost)

    async def test_heartbeat(self) -> None:
        """
        A server that does not answer is noticed, although the proxy is alive.
        """
        server = await self.serve()
        clock = Clock()
        client, _, _ = await self.connected(
            server, heartbeat=(10, b"PING"), clock=clock
        )
        for _ in range(2):
            heard = server.peers[0].until(b"PING\r\n")
            clock.advance(10)
            clock.advance(0)
            await heard
        clock.advance(20)
        await self.assertFailure(client.whenStopped(), HeartbeatTimeout)

    async def droppedDespite(
        self, talk: Callable[[Any, Clock], Coroutine[Any, Any, None]]
    ) -> None:
        """
        Check that a server that does not answer is noticed.

        @param talk: puts a record, and lets a second pass.
        """
        server = await self.serve()
        clock = Clock()
        client, _, _ = await self.connected(
            server, heartbeat=(10, b"PING"), clock=clock
        )
        stopped = client.whenStopped()
        for _ in range(30):
            if not client.connected:
                break
            await talk(client, clock)
        self.assertFalse(client.connected)
        await self.assertFailure(stopped, HeartbeatTimeout)

    async def test_heartbeatOfATalker(self) -> None:
        """
        So is one that does not answer while the client sends records, which the proxy
        accepts.
        """

        async def talk(client: Any, clock: Clock) -> None:
            client.put(b"x" * 100)
            flushed = client.flushed()
            clock.advance(0)
            await flushed
            for _ in range(4):
                await turn()
            clock.advance(1)
            clock.advance(0)

        await self.droppedDespite(talk)

    async def test_heartbeatOfARegularTalker(self) -> None:
        """
        So is one that does not answer while the client puts records at the very times
        at which the output is checked.
        """

        async def talk(client: Any, clock: Clock) -> None:
            # This is called before the check that is due at the end of the second.
            clock.callLater(0.1, client.put, b"x" * 100)
            clock.advance(1)
            await client.flushed()
            for _ in range(4):
                await turn()

        await self.droppedDespite(talk)

    async def test_certificates(self) -> None:
        """
        The message says whether the certificate of the proxy or that of the server is
        wrong.
        """
        proxy = await self.proxy("https")
        stranger = ProxyURL(proxy.url, self.options("other.test"))
        for value, words in (
            (stranger, f"proxy https://127.0.0.1:{proxy.port}: the server's cert"),
            (self.url(proxy), "the server's certificate is not for localhost"),
        ):
            server = await self.serve(self.made.elsewhere)
            error = await self.failing(server, proxy=value, tls=self.options())
            self.assertTrue(str(error).startswith(words), error)

    async def test_clearProxy(self) -> None:
        """
        A proxy that does not speak TLS is reported as that.
        """
        server = await self.listen(ScriptedProxy(HTTP_AGREES))
        url = f"https://127.0.0.1:{server.port}"
        client = self.client(
            server,
            **Recorder().parameters(),
            proxy=ProxyURL(url, self.options("127.0.0.1")),
        )
        error: Any = await self.assertFailure(client.start(), TLSError)
        self.assertIn(f"proxy {url}: the server does not speak TLS", str(error))


class StartTLSLayersTests(LayersTests):
    """
    The same, if C{preConnect} starts TLS with the server.
    """

    #: The name that the certificate must be for.
    host = "localhost"

    async def serve(self, *args: Any, **named: Any) -> Server:
        return await self.listen()

    def secured(self, server: Server) -> dict[str, Any]:
        async def preConnect(client: Any, negotiation: Any) -> Any:
            negotiation.write(b"STARTTLS\r\n")
            self.assertEqual((await negotiation.nextRecord()).rstrip(), b"go")
            isSecure = await negotiation.startTLS(self.options(self.host))
            self.layer = negotiation.transport
            return isSecure

        heard = server.heard

        def begin(peer: Any, data: bytes) -> None:
            server.heard = heard
            peer.send(b"go\r\n")
            peer.received = b""
            peer.transport.startTLS(self.made.good.options())

        server.heard = begin
        return {"preConnect": preConnect}

    async def test_transport(self) -> None:
        """
        C{client.server.transport} and C{negotiation.transport} are the inner layer.
        """
        server = await self.serve()
        client, _, _ = await self.connected(server)
        transport: Any = client.server and client.server.transport
        self.assertIs(transport, self.layer)
        self.assertIsNot(transport.getHandle(), transport.transport.getHandle())

    async def test_certificates(self) -> None:
        """
        If the certificate is for another name, the attempt fails.
        """
        server = await self.serve()
        proxy = await self.proxy("https")
        self.host = "other.test"
        error = await self.failing(
            server, proxy=self.url(proxy), **self.secured(server)
        )
        self.assertIn("the server's certificate is not for other.test", str(error))


class HostileTests(NetworkTestCase):
    """
    Tests with proxies that do what they should not.
    """

    async def attempt(self, scheme: str, *script: bytes | None) -> Any:
        """
        Make an attempt through a proxy with a script.

        @return: the error; or the first input, if the attempt has succeeded.
        """
        proxy = await self.listen(ScriptedProxy(*script))
        result: Deferred[Any] = Deferred()
        client = self.client(
            proxy,
            remoteAddress="server.test",
            remotePort=7,
            proxy=f"{scheme}://me:secret@127.0.0.1:{proxy.port}",
            serverInput=lambda client, line: result.callback(line),
            connectError=lambda client, failure: result.callback(failure.value),
        )
        client.start().addErrback(lambda failure: None)
        return await result

    async def test_firstBytes(self) -> None:
        """
        The bytes behind the answer are the first ones of the server.
        """
        greeting = b"220 hello\r\n"
        for scheme, script in (
            ("http", [HTTP_AGREES + greeting]),
            ("socks5", [SOCKS_AGREES[0], SOCKS_AGREES[1] + greeting]),
            ("socks5", [b"".join(SOCKS_AGREES) + greeting]),
        ):
            found = await self.attempt(scheme, *script)
            self.assertEqual(found, b"220 hello")

    async def test_errors(self) -> None:
        """
        Anything else is a failed attempt, with an error that says what the proxy did.
        """
        for scheme, script, words in (
            ("http", [None], "closed the connection before it had answered"),
            ("socks5", [SOCKS_AGREES[0], None], "closed the connection before it"),
            ("http", [b"HTTP/1.1 407 No\r\n\r\n"], "refused, with '407 No'"),
            ("http", [b"220 smtp\r\n\r\n"], "does not speak HTTP"),
            ("http", [b"x" * 70_000], "answered with more than 65536 bytes"),
            ("socks5", [b"HTTP/1.1 400 No\r\n"], "does not speak SOCKS 5"),
            ("socks5", [SOCKS_AGREES[0], b"\x05\x02"], "its rules do not allow"),
        ):
            error = await self.attempt(scheme, *script)
            self.assertIsInstance(error, ProxyError)
            self.assertIn(words, str(error))
            self.assertNotIn("secret", str(error))


class AttemptTests(ClientTestCase):
    """
    Tests of attempts without a network.
    """

    def begun(self, **parameters: Any) -> tuple[ClientTCPFactory, Any]:
        """
        @return: a client, and its transport to the proxy.
        """
        return self.connected(proxy=PROXY, **parameters)

    def test_deadline(self) -> None:
        """
        One deadline is for everything; the message says what has not finished.
        """
        _, transport = self.begun(connectTimeout=5, autoReconnect=False)
        self.reactor.advance(5)
        self.assertTrue(transport.aborted)
        error: Any = self.recorder.failures[0].value
        self.assertEqual(
            str(error),
            f"not connected in time: the dialogue with {HIDDEN} has not finished "
            "(connectTimeout=5)",
        )

    def test_unreachable(self) -> None:
        """
        The message about a proxy that is not reached before the deadline names it.
        """
        client = self.client(proxy=PROXY, connectTimeout=5, autoReconnect=False)
        client.start().addErrback(lambda failure: None)
        self.reactor.advance(5)
        failure = self.recorder.failures[0]
        self.assertEqual(
            str(failure.value),
            f"not connected in time: connecting to the proxy {HIDDEN} has not finished "
            "(connectTimeout=5)",
        )

    def test_retry(self) -> None:
        """
        After a refusal, the client tries again.
        """
        client, transport = self.begun(initialDelay=1)
        transport.protocol.dataReceived(b"HTTP/1.1 503 No\r\n\r\n")
        self.assertTrue(transport.aborted)
        self.assertEqual(phase(client), "waiting")
        self.reactor.advance(1)
        transport = self.establish()
        transport.protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertEqual(phase(client), "connected")

    def test_shutdown(self) -> None:
        """
        A shutdown during the dialogue aborts it and reports no error.
        """
        client, transport = self.begun()
        client.shutdown()
        self.assertTrue(transport.aborted)
        transport.protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertEqual(self.events, ["started", "stopped"])

    def test_hidden(self) -> None:
        """
        User and password are in no log, C{repr} or error.
        """
        log = io.StringIO()
        observer = textFileLogObserver(log)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        parameters = self.recorder.parameters("connectError")
        client = ClientTCPFactory(
            "server.test", 7, proxy=PROXY, reactor=self.reactor, **parameters
        )
        client.start()
        transport = self.establish()
        shown = [repr(client), str(client), repr(client.connector)]
        transport.protocol.dataReceived(b"HTTP/1.1 403 me secret\r\n\r\n")
        shown += [log.getvalue(), repr(client), repr(client.tried)]
        shown.append(repr(client.connector.getDestination()))
        self.assertIn(f"server.test:7 through {HIDDEN}: the proxy", log.getvalue())
        for text in shown:
            self.assertNotIn("secret", text)
            self.assertNotIn("me:", text)
        self.flushWarnings()

    def test_changed(self) -> None:
        """
        The setting takes effect at the next attempt; an endpoint that makes its own
        connections and a UNIX socket exclude it.
        """
        client = self.client()
        client.proxy = PROXY
        client.start()
        self.assertEqual(self.attempts()[-1][:2], ("127.0.0.1", 3128))
        for parameters in (
            {"endpoint": "unix:/x"},
            {"endpoint": SlowEndpoint()},
            {"remoteAddress": "/x", "remotePort": None, "domain": socket.AF_UNIX},
        ):
            given = {"remoteAddress": None, "remotePort": None, **parameters}
            error = self.assertRaises(TypeError, self.client, proxy=PROXY, **given)
            self.assertIn("proxy cannot be used with", str(error))
            self.client(proxy="environment", **given)

    def test_families(self) -> None:
        """
        C{domain} and C{bindAddress} are for the proxy, not for the server.
        """
        client = self.client(
            remoteAddress="::1",
            domain=socket.AF_INET,
            bindAddress="127.0.0.2",
            proxy=PROXY,
        )
        client.start()
        self.assertEqual(self.attempts()[-1][0], "127.0.0.1")
        self.assertEqual(self.attempts()[-1][4], ("127.0.0.2", 0))

    def test_connectElsewhere(self) -> None:
        """
        C{connect} to another address goes through the proxy too.
        """
        client, transport = self.begun()
        transport.protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
        client.connect("other.test", 8)
        transport.lose()
        self.assertIn(b"CONNECT other.test:8", self.establish().value())

    def test_otherDrivers(self) -> None:
        """
        A connector of Twisted or a C{ClientService} would bypass the proxy: that is an
        error.
        """
        client = self.client(proxy=PROXY)
        port = freePort()
        error = self.assertRaises(
            ValueError, reactor.connectTCP, "127.0.0.1", port, client
        )
        self.assertIn("proxy has no effect on connectTCP()", str(error))
        self.assertRaises(ValueError, self.client(proxy=PROXY).buildProtocol, None)


class Received(Protocol):
    """
    A protocol that collects what it receives.

    @ivar lost: a Deferred that fires with that when the connection is lost.
    """

    def __init__(self) -> None:
        self.data = b""
        self.lost: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(self.data)


class EndpointTests(ProxyTestCase):
    """
    Tests for L{ProxyEndpoint}.
    """

    def factory(self) -> Any:
        """
        @return: a factory of protocols.
        """
        factory = Factory.forProtocol(Received)
        factory.noisy = False
        return factory

    async def test_connect(self) -> None:
        """
        The Deferred fires with the protocol of the factory.
        """
        server = await self.listen()
        server.met = lambda peer: peer.send(b"hello")
        for scheme in ("socks5", "https"):
            proxy = await self.proxy(scheme)
            endpoint = ProxyEndpoint(
                reactor, self.url(proxy), "server.test", server.port
            )
            self.assertIn(f"server.test:{server.port} through", repr(endpoint))
            protocol: Any = await endpoint.connect(self.factory())
            self.assertFalse(ISSLTransport.providedBy(protocol.transport))
            server.peers[-1].close()
            self.assertEqual(await protocol.lost, b"hello")

    async def test_service(self) -> None:
        """
        A client that a C{ClientService} drives through the endpoint knows that there is
        a proxy.
        """
        server = await self.listen()
        proxy = await self.proxy("socks5")
        recorder = Recorder()
        client = ClientTCPFactory(**recorder.parameters())
        service = ClientService(
            ProxyEndpoint(reactor, proxy.url, "server.test", server.port), client
        )
        service.startService()
        await client.whenConnected()
        server.peers[0].close()
        await server.peers[0].lost
        await service.stopService()
        ending = recorder.disconnections[0]
        self.assertEqual((ending.confirmed, ending.unacknowledged), (False, None))

    async def test_failures(self) -> None:
        """
        Failures of the proxy, and of the connection to it.
        """
        silent = await self.listen()
        proxy = await self.proxy("socks5")
        for url, kind in (
            (f"socks5://127.0.0.1:{freePort()}", ConnectionRefusedError),
            (proxy.url, ProxyError),
        ):
            endpoint = ProxyEndpoint(reactor, url, "server.test", freePort())
            proxy.closes = True
            await self.assertFailure(endpoint.connect(self.factory()), kind)
        endpoint = ProxyEndpoint(
            reactor, f"http://127.0.0.1:{silent.port}", "server.test", 7, timeout=0.1
        )
        error = await self.assertFailure(endpoint.connect(self.factory()), TimeoutError)
        self.assertIn("has not finished in time (timeout=0.1)", str(error))
        await silent.peers[0].lost

    async def test_cancel(self) -> None:
        """
        Cancelling aborts the connection to the proxy.
        """
        silent = await self.listen()
        met: Deferred[Any] = Deferred()
        silent.met = met.callback
        endpoint = ProxyEndpoint(
            reactor, f"http://127.0.0.1:{silent.port}", "server.test", 7
        )
        connecting = endpoint.connect(self.factory())
        peer = await met
        connecting.cancel()
        await self.assertFailure(connecting, ConnectingCancelledError, CancelledError)
        await peer.lost

    def test_timeout(self) -> None:
        """
        A wrong timeout is rejected by the constructor.
        """
        for timeout, kind in (
            ("1", TypeError),
            (None, TypeError),
            (-1, ValueError),
            (float("nan"), ValueError),
        ):
            wrong: Any = timeout
            with self.assertRaises(kind):
                ProxyEndpoint(reactor, "socks5://a:1", "server.test", 7, wrong)

    def test_directLookups(self) -> None:
        """
        Without a proxy, endpoints connect as the client does: they share lookups, and
        try the next address of a name after 250 ms.
        """
        clock = MemoryReactorClock()
        clock.nameResolver = resolver = FakeResolver(lambda name: None)
        endpoints = [ProxyEndpoint(clock, None, "server.test", 7) for _ in range(2)]
        first, second = (endpoint.connect(self.factory()) for endpoint in endpoints)
        self.assertEqual(len(resolver.asked), 1)
        for connecting in (first, second):
            connecting.cancel()
            self.failureResultOf(connecting, ConnectingCancelledError)
        clock.nameResolver = FakeResolver(lambda name: ["127.0.0.1", "::1"])
        connecting = endpoints[0].connect(self.factory())
        clock.advance(0.25)
        hosts = [host for host, *_ in clock.tcpClients]
        self.assertEqual(hosts, ["127.0.0.1", "::1"])
        for attempt in clock.tcpClients:
            factory: Any = attempt[2]
            factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.failureResultOf(connecting, ConnectionRefusedError)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_directProtocol(self) -> None:
        """
        The protocol may raise in C{connectionMade}, or cancel the attempt.
        """
        clock = MemoryReactorClock()
        endpoint = ProxyEndpoint(clock, None, "127.0.0.1", 7)
        made: list[Any] = []

        class Hasty(Protocol):
            def connectionMade(self) -> None:
                made.pop()()

        def fail() -> None:
            raise ZeroDivisionError

        connecting: list[Deferred[Any]] = []
        for step, kind in (
            (lambda: connecting[-1].cancel(), ConnectingCancelledError),
            (fail, ZeroDivisionError),
        ):
            made.append(step)
            connecting.append(endpoint.connect(Factory.forProtocol(Hasty)))
            transport = Transport()
            peer = IPv4Address("TCP", "127.0.0.1", 7)
            transport.protocol = clock.tcpClients[-1][2].buildProtocol(peer)
            try:
                transport.protocol.makeConnection(transport)
            except ZeroDivisionError:
                # The transport closes itself then.
                self.assertIs(step, fail)
            else:
                self.assertTrue(transport.aborted)
            self.failureResultOf(connecting[-1], kind)
            self.assertEqual(clock.getDelayedCalls(), [])

    async def test_direct(self) -> None:
        """
        Without a proxy in the environment, the endpoint connects directly.
        """
        for name in ("ALL_PROXY", "all_proxy"):
            setVariable(self, name, None)
        server = await self.listen()
        endpoint = ProxyEndpoint(reactor, "environment", "127.0.0.1", server.port)
        protocol: Any = await endpoint.connect(self.factory())
        self.assertEqual(protocol.transport.getPeer().port, server.port)
        protocol.transport.loseConnection()
        await server.peers[0].ended
