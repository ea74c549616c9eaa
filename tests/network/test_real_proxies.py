"""
Tests with proxies that Debian provides.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from twisted_clienttcp.errors import ProxyError
from twisted_clienttcp.proxy import Proxy

from .._servers import ProcessTestCase
from .._support import Recorder, Server, freePort, reactor, turn
from .._tls import TLSTestCase


class RealProxyTestCase(TLSTestCase, ProcessTestCase):
    """
    A server in clear text, one with TLS, and proxies in front of them.
    """

    async def microsocks(self) -> int:
        """
        Run a SOCKS server that demands a password.
        """
        port = freePort()
        arguments = ("-i", "127.0.0.1", "-p", str(port), "-u", "me", "-P", "se:cret")
        await self.accepting(port, self.runServer("microsocks", *arguments))
        return port

    async def dante(self, forbidden: int) -> int:
        """
        Run a SOCKS server without authentication.

        @param forbidden: a port to which it does not connect.
        """
        port = freePort()
        configuration = Path(self.mktemp()).absolute()
        configuration.write_text(
            f"""
            logoutput: stderr
            internal: 127.0.0.1 port = {port}
            external: 127.0.0.1
            clientmethod: none
            socksmethod: none
            client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
            socks block {{ from: 127.0.0.0/8 to: 0.0.0.0/0 port = {forbidden} }}
            socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
            """
        )
        await self.accepting(port, self.runServer("danted", "-f", str(configuration)))
        return port

    async def tinyproxy(self) -> int:
        """
        Run an HTTP proxy that demands a password.
        """
        port = freePort()
        configuration = Path(self.mktemp()).absolute()
        configuration.write_text(
            f"""
            Port {port}
            Listen 127.0.0.1
            BasicAuth me secret
            LogLevel Critical
            """
        )
        await self.accepting(
            port, self.runServer("tinyproxy", "-d", "-c", str(configuration))
        )
        return port

    async def squid(self, forbidden: int) -> tuple[int, int]:
        """
        Run an HTTP proxy with TLS and without.

        @param forbidden: a port to which it does not connect.

        @return: the ports without TLS and with it.
        """
        # It does not run as root, and "nobody" cannot enter trial's folder.
        home = Path(tempfile.mkdtemp(prefix="clienttcp-squid-"))
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        identity = self.made.authority.issue_cert("localhost", "127.0.0.1")
        identity.private_key_and_cert_chain_pem.write_to_path(str(home / "pem"))
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for path in (home, home / "pem"):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        clear, secure = freePort(), freePort()
        configuration = home / "squid.conf"
        configuration.write_text(
            f"""
            http_port 127.0.0.1:{clear}
            https_port 127.0.0.1:{secure} tls-cert={home}/pem
            acl forbidden port {forbidden}
            http_access deny forbidden
            http_access allow all
            cache deny all
            cache_effective_user nobody
            access_log none
            cache_log stdio:/dev/stderr
            pid_filename none
            netdb_filename none
            coredump_dir {home}
            visible_hostname proxy.test
            shutdown_lifetime 0
            """
        )
        served = self.runServer("squid", "-N", "-f", str(configuration))
        await self.accepting(clear, served)
        await self.accepting(secure, served)
        return clear, secure

    async def use(self, *servers: Server, proxy: Any) -> None:
        """
        Exchange a line with each server, the last of which has TLS, and shut down.
        """
        for server in servers:
            isTLS = server is servers[-1]
            server.heard = lambda peer, data: peer.send(data.upper())
            recorder, received = Recorder(), Deferred()  # type: ignore[var-annotated]
            recorder.on["serverInput"] = lambda client, line, received=received: (
                received.callback(line)
            )
            client = self.client(
                server,
                **recorder.parameters(),
                remoteAddress="localhost",
                tls=self.options("localhost") if isTLS else None,
                proxy=proxy,
            )
            client.start().addErrback(received.errback)
            await client.whenConnected()
            client.put(b"hello")
            self.assertEqual(await received, b"HELLO")
            ending: Any = await client.shutdown()
            self.assertEqual((ending.unsent, ending.confirmed), (0, isTLS))
            self.assertEqual(recorder.failures, [None])

    async def replace(self, *servers: Server, proxy: Any) -> None:
        """
        Drain a connection with each server, the last of which has TLS, and answer until
        the client ends its side: nothing is lost, and a record that is put meanwhile is
        sent on the next connection.
        """
        for server in servers:
            before = len(server.peers)
            recorder, clock = Recorder(), Clock()
            server.heard = lambda peer, data: peer.send(data.upper())
            client = self.client(
                server,
                **recorder.parameters(),
                remoteAddress="localhost",
                tls=self.options("localhost") if server is servers[-1] else None,
                proxy=proxy,
                clock=clock,
                jitter=0,
                autoReconnect=True,
                maxAge=100,
            )

            async def until(
                *expected: bytes, recorder: Recorder = recorder, clock: Clock = clock
            ) -> None:
                """
                Wait until these are all records.
                """
                records = [("serverInput", record) for record in expected]
                while [e for e in recorder.events if len(e) == 2] != records:
                    clock.advance(0)
                    await turn()

            client.start().addErrback(lambda failure: None)
            while not client.connected:
                clock.advance(0)
                await turn()
            client.put(b"question")
            await until(b"QUESTION")
            clock.advance(100)
            client.put(b"next")
            expected = [b"QUESTION"]
            for answer in (b"first", b"second"):
                # The client would end its side after 5 seconds without one.
                clock.advance(4)
                server.peers[before].send(answer + b"\r\n")
                expected.append(answer)
                await until(*expected)
            clock.advance(5)
            await until(*expected, b"NEXT")
            old, new = server.peers[before:]
            self.assertEqual(old.received, b"question\r\n")
            self.assertEqual(new.received, b"next\r\n")
            (end,) = recorder.disconnections
            self.assertEqual((end.initiator, end.unsent), ("local", 0))
            self.assertEqual(recorder.failures, [])

    async def _stop(self, client: Any) -> None:
        client.clock = reactor
        await super()._stop(client)

    async def refused(self, port: int, proxy: Any) -> Any:
        """
        @return: the error of an attempt.
        """
        client = self.client(
            Server(), **Recorder().parameters(), remotePort=port, proxy=proxy
        )
        return await self.assertFailure(client.start(), ProxyError)


class RealProxyTests(RealProxyTestCase):
    """
    Tests of each proxy: with and without TLS with the server, drains, and refusals.
    """

    async def test_microsocks(self) -> None:
        """
        microsocks, with a password.
        """
        servers = await self.listen(), await self.serve()
        port = await self.microsocks()
        proxy = f"socks5://me:se%3Acret@127.0.0.1:{port}"
        await self.use(*servers, proxy=proxy)
        await self.replace(*servers, proxy=proxy)
        error = await self.refused(servers[0].port, f"socks5://127.0.0.1:{port}")
        self.assertIn("requires authentication", str(error))
        error = await self.refused(freePort(), f"socks5://me:x@127.0.0.1:{port}")
        self.assertIn("did not accept the user and password", str(error))
        error = await self.refused(
            freePort(), f"socks5://me:se%3Acret@127.0.0.1:{port}"
        )
        self.assertIn("the server refused the connection", str(error))

    async def test_dante(self) -> None:
        """
        dante, whose rules forbid one port.
        """
        servers = await self.listen(), await self.serve()
        forbidden = freePort()
        proxy = f"socks5://127.0.0.1:{await self.dante(forbidden)}"
        await self.use(*servers, proxy=proxy)
        await self.replace(*servers, proxy=proxy)
        error = await self.refused(forbidden, proxy)
        self.assertIn("its rules do not allow this connection", str(error))
        error = await self.refused(freePort(), proxy)
        self.assertIn("the server refused the connection", str(error))

    async def test_tinyproxy(self) -> None:
        """
        tinyproxy, with a password.
        """
        servers = await self.listen(), await self.serve()
        port = await self.tinyproxy()
        proxy = f"http://me:secret@127.0.0.1:{port}"
        await self.use(*servers, proxy=proxy)
        await self.replace(*servers, proxy=proxy)
        error = await self.refused(servers[0].port, f"http://127.0.0.1:{port}")
        self.assertIn("it requires a user and a password", str(error))
        error = await self.refused(servers[0].port, f"http://me:x@127.0.0.1:{port}")
        self.assertIn("it did not accept the user and password", str(error))

    async def test_squid(self) -> None:
        """
        squid, with TLS and without.
        """
        servers = await self.listen(), await self.serve()
        forbidden = freePort()
        clear, secure = await self.squid(forbidden)
        secured = Proxy(f"https://127.0.0.1:{secure}", self.options("127.0.0.1"))
        for proxy in (f"http://127.0.0.1:{clear}", secured):
            await self.use(*servers, proxy=proxy)
            await self.replace(*servers, proxy=proxy)
            error = await self.refused(forbidden, proxy)
            self.assertIn("403 Forbidden", str(error))
            self.assertIn(b"X-Squid-Error: ERR_ACCESS_DENIED", error.response)
            error = await self.refused(freePort(), proxy)
            self.assertIn("503 Service Unavailable", str(error))
            self.assertIn("it cannot reach the server", str(error))

    async def test_chain(self) -> None:
        """
        A chain of all: SOCKS, then HTTP, then HTTP with TLS.
        """
        servers = await self.listen(), await self.serve()
        _, secure = await self.squid(freePort())
        chain = [
            f"socks5://me:se%3Acret@127.0.0.1:{await self.microsocks()}",
            f"http://me:secret@127.0.0.1:{await self.tinyproxy()}",
            Proxy(f"https://127.0.0.1:{secure}", self.options("127.0.0.1")),
            f"socks5://127.0.0.1:{await self.dante(freePort())}",
        ]
        await self.use(*servers, proxy=chain)
        await self.replace(*servers, proxy=chain)
