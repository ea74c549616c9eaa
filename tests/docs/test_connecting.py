"""
The messages in C{docs/howto/connecting.rst} and C{docs/howto/proxies.rst} are those
that users see: each one is produced here, and there is no other.
"""

from __future__ import annotations

import os
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import provider

from twisted_clienttcp._connecting.resolving import inWords
from twisted_clienttcp._details import describe
from twisted_clienttcp.proxy import Proxy as ProxyURL

from .._documents import GUIDE, PROXIES, ROUTES, fits, table, terms
from .._proxies import ScriptedProxy
from .._resolver import NamingReactor
from .._support import UNBOUND, Server, freePort, reactor, suppressing
from .._tls import TLSTestCase

#: The time in which something does not answer, and how a message shows it.
TIMEOUT, SHORT = 0.05, "connectTimeout=0.05"


READY = b"\x05\x00"


def status(line: str) -> bytes:
    """
    @return: a response of an HTTP proxy.
    """
    return f"HTTP/1.1 {line}\r\n\r\n".encode("ascii")


def reply(number: int) -> bytes:
    """
    @return: an answer of a SOCKS proxy to the request for a connection.
    """
    return bytes((5, number, 0, 1, 0, 0, 0, 0, 0, 0))


class FailingTestCase(TLSTestCase):
    """
    Tests of attempts that fail.
    """

    async def message(self, server: Server, **parameters: Any) -> str:
        """
        Make an attempt.

        @return: the message about its failure. The port of the server is 7 there.
        """
        failures: list[Failure] = []
        callbacks = {"serverInput": lambda client, record: None}
        for name in ("connectError", "serverError"):
            callbacks[name] = lambda client, failure: failures.append(failure)
        client = self.client(server, **{**callbacks, **parameters})
        await client.start().addErrback(lambda failure: None)
        text = describe(failures[0]) + inWords(client.tried)
        return re.sub(rf"\b{server.port}\b", "7", text).replace(
            SHORT, "connectTimeout=30"
        )

    def nowhere(self) -> Server:
        """
        @return: a server that does not listen.
        """
        server = Server()
        server.port = freePort()
        return server


@contextmanager
def withoutDescriptors() -> Iterator[None]:
    """
    Let this process open no file while the body runs.
    """
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class GuideTests(FailingTestCase):
    """
    The guide about failed attempts.
    """

    def setUp(self) -> None:
        super().setUp()
        #: The messages.
        self.found: list[str] = []

    async def attempt(self, server: Server, **parameters: Any) -> None:
        """
        Make an attempt and note its message.
        """
        self.found.append(await self.message(server, **parameters))

    async def reachNobody(self) -> None:
        """
        Nothing listens at the address.
        """
        await self.attempt(self.nowhere())
        itself = self.nowhere()
        await self.attempt(itself, bindAddress="127.0.0.1", bindPort=itself.port)
        two = NamingReactor(reactor, server=["127.0.0.1", "127.0.0.2"])
        await self.attempt(self.nowhere(), remoteAddress="server", reactor=two)
        path = {"remoteAddress": self.socketPath(), "remotePort": None}
        await self.attempt(self.nowhere(), domain=socket.AF_UNIX, **path)

    async def findNoName(self) -> None:
        """
        The name cannot be looked up.
        """
        none = NamingReactor(reactor, server=[])
        # Its scope does not exist.
        await self.attempt(self.nowhere(), remoteAddress="fe80::1%nosuch")
        await self.attempt(self.nowhere(), remoteAddress="server", reactor=none)

    async def waitTooLong(self) -> None:
        """
        Something does not answer in time.
        """
        silent = await self.listen()
        never: Deferred[None] = Deferred()
        await self.attempt(
            silent,
            remoteAddress="server",
            reactor=NamingReactor(reactor),
            connectTimeout=TIMEOUT,
        )
        for parameters in (
            {"tls": self.options()},
            {"preConnect": lambda client, negotiation: negotiation.nextRecord()},
            {"preConnect": lambda client, negotiation: never},
        ):
            await self.attempt(silent, connectTimeout=TIMEOUT, **parameters)

    async def lackResources(self) -> None:
        """
        This machine does not let the client connect.
        """
        taken = await self.listen()
        await self.attempt(taken, bindAddress="127.0.0.1", bindPort=taken.port)
        # Reserved for documentation (RFC 5737).
        await self.attempt(taken, bindAddress="192.0.2.1")
        unknown = [(socket.SOL_TCP, 9999, 1)]
        await self.attempt(taken, socketOptions=unknown)
        with withoutDescriptors():
            await self.attempt(taken)

    async def distrust(self) -> None:
        """
        TLS does not accept the server, or the server does not accept the client.
        """
        made = self.made
        for certificate in (made.stranger, made.expired, made.elsewhere):
            server = await self.serve(certificate)
            await self.attempt(server, tls=self.options())
        server = await self.serve(made.stranger)
        await self.attempt(server, tls=self.options("other.example"))
        greets, closes = (lambda p: p.send(b"220 hello\r\n"), lambda p: p.close())
        for met in (greets, closes):
            server = await self.listen()
            server.met = met
            await self.attempt(server, tls=self.options())
        for old in (False, True):
            server = await self.serve(None, made.root, old=old)
            await self.attempt(server, tls=self.options())
        server = await self.listen()
        server.met = lambda peer: peer.send(b"220 go ahead\r\nEHLO\r\n")

        async def preConnect(client: Any, negotiation: Any) -> Any:
            await negotiation.nextRecord()
            return await negotiation.startTLS(self.options())

        await self.attempt(server, preConnect=preConnect)

    async def disagree(self) -> None:
        """
        C{preConnect} does not accept the connection, or loses it.
        """
        server = await self.listen()

        async def nothing(client: Any, negotiation: Any) -> None:
            pass

        async def wrong(client: Any, negotiation: Any) -> Any:
            users: dict[str, bool] = {}
            return users["user"]

        async def waits(client: Any, negotiation: Any) -> Any:
            return await negotiation.nextRecord()

        for preConnect in (nothing, lambda client, negotiation: False, wrong):
            await self.attempt(server, preConnect=preConnect)
        self.flushLoggedErrors(KeyError)
        for met in (lambda peer: peer.close(), lambda peer: peer.reset()):
            server = await self.listen()
            server.met = met
            await self.attempt(server, preConnect=waits)

    async def giveUp(self) -> None:
        """
        The policy allows no other attempt.
        """
        client = self.client(
            self.nowhere(),
            autoReconnect=True,
            maxRetries=1,
            connectError=lambda client, failure: None,
            serverInput=lambda client, record: None,
        )
        await client.start().addErrback(
            lambda failure: self.found.append(describe(failure))
        )

    async def test_log(self) -> None:
        """
        A client without C{connectError} logs the message.
        """
        lines: list[str] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            lines.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        client = self.client(self.nowhere(), serverInput=lambda client, line: None)
        await client.start().addErrback(lambda failure: None)
        message = f"Client 127.0.0.1:{client.remotePort}: {terms(GUIDE)[0]}"
        self.assertTrue(any(line.startswith(message) for line in lines), lines)

    @suppressing(UNBOUND)
    async def test_messages(self) -> None:
        """
        The guide quotes each message that an attempt can fail with, and no other.
        """
        await self.reachNobody()
        await self.findNoName()
        await self.waitTooLong()
        await self.lackResources()
        await self.distrust()
        await self.disagree()
        await self.giveUp()
        quoted = [each for each in terms(GUIDE) if each not in ROUTES]
        for text in self.found:
            self.assertTrue(any(fits(text, each) for each in quoted), text)
        for each in quoted:
            self.assertTrue(any(fits(text, each) for text in self.found), each)


#: What a proxy answers, with SOCKS 5 and with HTTP, for each row of the table in the
#: guide; None if it closes the connection.
ANSWERS: list[tuple[list[bytes | None], ...]] = [
    # demands user and password
    ([b"\x05\xff"], [status("407 Proxy Authentication Required")]),
    # its rules, the network, the machine, the server, the time
    ([READY, reply(2)], [status("403 Forbidden")]),
    ([READY, reply(3)], [status("502 Bad Gateway")]),
    ([READY, reply(4)], [status("503 Service Unavailable")]),
    ([READY, reply(5)], [status("502 Bad Gateway")]),
    ([READY, reply(6)], [status("504 Gateway Timeout")]),
    # does not support CONNECT, or has failed
    ([READY, reply(7)], [status("405 Method Not Allowed")]),
    ([READY, reply(1)], [status("500 Internal Server Error")]),
    # closes, or is not such a proxy
    ([None], [None]),
    ([b"220 hello\r\n\r\n"], [b"220 hello\r\n\r\n"]),
]


class ProxiesTests(FailingTestCase):
    """
    The tables of what proxies report.
    """

    async def report(self, url: str, *script: bytes | None, **more: Any) -> str:
        """
        @param url: the URL of the proxy, in which C{%s} stands for host and port.
        @param script: its answers.

        @return: the message, with C{host} as host and port.
        """
        proxy = await self.listen(ScriptedProxy(*script))
        text = await self.message(
            proxy,
            remoteAddress="server.test",
            remotePort=80,
            **{"proxy": url % f"127.0.0.1:{proxy.port}", **more},
        )
        return text.replace("127.0.0.1:7", "host")

    async def test_answers(self) -> None:
        """
        The table quotes the text for each answer of a proxy.
        """
        rows = table(PROXIES, "what the proxy does")
        self.assertEqual(len(rows), len(ANSWERS))
        for (_, *quoted), answers in zip(rows, ANSWERS, strict=True):
            for scheme, cell, script in zip(
                ("socks5", "http"), quoted, answers, strict=True
            ):
                text = await self.report(f"{scheme}://%s", *script)
                quote = f"the proxy {scheme}://host {cell.strip('`')}"
                self.assertTrue(fits(text, quote), (text, quote))

    async def test_others(self) -> None:
        """
        The other table quotes the texts of the other failures.
        """
        page = " ".join(PROXIES.read_text().split())
        page = re.sub(r"\bhost:\d+", "host", page)
        demands = status("407 Proxy Authentication Required")
        certificate = await self.serve(self.made.elsewhere)
        secure = ProxyURL(
            f"https://127.0.0.1:{certificate.port}", self.options("127.0.0.1")
        )
        for text in (
            await self.report("socks5://me:secret@%s", b"\x05\x02", b"\x01\x01"),
            await self.report("http://%s", b"HTTP/1.1 200 " + b"x" * 70_000),
            await self.report("http://%s", connectTimeout=TIMEOUT),
        ):
            self.assertIn(f"``{text.removeprefix('cannot connect: ')}``", page)
        text = await self.report("http://me:secret@%s", demands)
        self.assertTrue(text.endswith("': it did not accept the user and password"))
        text = await self.message(certificate, proxy=secure)
        text = text.replace("127.0.0.1:7", "host").replace("127.0.0.1", "host")
        self.assertIn(f"``{text}``, or another", page)
