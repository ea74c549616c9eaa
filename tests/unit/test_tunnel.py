"""
Tests for the way through proxies, on a transport of the test.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone, NoProtocol, NoRouteError
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import AccumulatingProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connecting.addresses import host
from twisted_clienttcp._connecting.dialogue import RESPONSE_LIMIT
from twisted_clienttcp._connecting.proxies import Proxy
from twisted_clienttcp._connecting.tunnel import Tunnel
from twisted_clienttcp._connection.peer import ProxiedAddress
from twisted_clienttcp.errors import ProxyError

from .._memory import Transport

HTTP_AGREES = b"HTTP/1.1 200 OK\r\n\r\n"
SOCKS_AGREES = b"\x05\x00", b"\x05\x00\x00\x01abcd\x00\x07"


class TunnelTests(SynchronousTestCase):
    """
    Tests for L{Tunnel}.
    """

    def open(self, *urls: str, build: Any = None) -> None:
        """
        Start on the way through proxies.
        """
        self.built: list[Any] = []
        self.protocol = AccumulatingProtocol()
        proxies = [Proxy(url) for url in urls]
        address = ProxiedAddress("server.test", 7, tuple(map(str, proxies)))

        def record(addr: Any) -> Any:
            self.built.append(addr)
            return self.protocol

        self.tunnel = Tunnel(
            proxies, host("host", "server.test"), address, build or record, Clock()
        )
        self.transport: Any = Transport()
        self.transport.protocol = self.tunnel.next()
        self.transport.protocol.makeConnection(self.transport)

    def receive(self, *pieces: bytes) -> None:
        """
        Pass bytes to the protocol that the transport has at that time.
        """
        for piece in pieces:
            self.transport.protocol.dataReceived(piece)

    def failure(self, isLost: bool = False) -> Any:
        """
        @return: the error of the tunnel, whose transport is aborted unless it is lost.
        """
        error: Any = self.failureResultOf(self.tunnel.done).value
        self.assertIs(self.transport.aborted, not isLost)
        self.assertEqual(self.protocol.data, b"")
        return error

    def test_agreed(self) -> None:
        """
        The protocol gets the transport itself, and the bytes behind the answer first.
        """
        for pieces in (
            [HTTP_AGREES + b"rest"],
            [bytes((byte,)) for byte in HTTP_AGREES + b"rest"],
        ):
            self.open("http://proxy.test:1")
            self.receive(*pieces)
            self.assertIs(self.successResultOf(self.tunnel.done), self.protocol)
            self.assertIs(self.transport.protocol, self.protocol)
            self.assertIs(self.protocol.transport, self.transport)
            self.assertEqual(self.protocol.data, b"rest")
            self.assertEqual(
                self.built,
                [ProxiedAddress("server.test", 7, ("http://proxy.test:1",))],
            )

    def test_chain(self) -> None:
        """
        Each proxy is asked for the next one, and the last one for the server, also if
        all answers arrive at once.
        """
        urls = ("http://a.test:1", "socks5://b.test:2", "http://c.test:3")
        answers = (HTTP_AGREES, *SOCKS_AGREES, HTTP_AGREES)
        for pieces in (answers, [b"".join(answers)]):
            self.open(*urls)
            self.receive(*pieces)
            sent = self.transport.value()
            self.assertTrue(sent.startswith(b"CONNECT b.test:2 HTTP/1.1\r\n"))
            self.assertIn(b"\x05\x01\x00\x03\x06c.test\x00\x03", sent)
            self.assertIn(b"CONNECT server.test:7 HTTP/1.1\r\n", sent)
            self.successResultOf(self.tunnel.done)

    def test_refused(self) -> None:
        """
        The error has the proxy, the words and the response; no password is in it.
        """
        self.open("http://me:secret@proxy.test:1")
        response = b"HTTP/1.1 403 secret\r\nX: me secret\r\n\r\nbody"
        self.receive(response[:20], response[20:])
        error = self.failure()
        self.assertIsInstance(error, ProxyError)
        self.assertEqual(error.proxy, "http://proxy.test:1")
        self.assertEqual(error.response, b"HTTP/1.1 403 ***\r\nX: *** ***\r\n\r\nbody")
        self.assertEqual(
            str(error),
            "the proxy http://proxy.test:1 refused, with '403 ***': its rules do not "
            "allow this connection",
        )

    def test_tooLong(self) -> None:
        """
        An endless response ends at the limit, and no more of it is kept.
        """
        self.open("http://proxy.test:1")
        for _ in range(9):
            self.receive(b"x" * 10_000)
        error = self.failure()
        self.assertIn("more than 65536 bytes", str(error))
        self.assertLessEqual(len(error.response), RESPONSE_LIMIT)

    def test_closed(self) -> None:
        """
        A proxy closes before it has answered, or in the middle of an answer.
        """
        for answer in (b"", HTTP_AGREES[:-1]):
            self.open("http://proxy.test:1")
            if answer:
                self.receive(answer)
            self.transport.protocol.connectionLost(Failure(ConnectionDone()))
            error = self.failure(isLost=True)
            self.assertIn("closed the connection before it had answered", str(error))
            self.assertEqual(error.response, answer)

    def test_lost(self) -> None:
        """
        Other reasons for a loss are passed on.
        """
        self.open("http://proxy.test:1")
        self.transport.protocol.connectionLost(Failure(NoRouteError()))
        self.assertIsInstance(self.failure(isLost=True), NoRouteError)

    def test_unwanted(self) -> None:
        """
        No protocol is built for an attempt that has ended; one that cannot be built is
        a failure.
        """

        def fail(addr: Any) -> Any:
            raise ZeroDivisionError

        for build, kind in ((lambda addr: None, NoProtocol), (fail, ZeroDivisionError)):
            self.open("http://proxy.test:1", build=build)
            self.receive(HTTP_AGREES)
            self.assertIsInstance(self.failure(), kind)

    def test_cancelled(self) -> None:
        """
        Cancelling aborts the transport, and what arrives then is ignored.
        """
        self.open("http://proxy.test:1")
        self.tunnel.done.cancel()
        self.receive(HTTP_AGREES)
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertIsInstance(self.failure(), CancelledError)
        self.assertEqual(self.built, [])

    def test_closedInConnectionMade(self) -> None:
        """
        A protocol that closes the transport immediately gets no bytes.
        """

        class Closing(Protocol):
            def connectionMade(self) -> None:
                transport: Any = self.transport
                transport.loseConnection()

            def dataReceived(self, data: bytes) -> None:
                raise AssertionError(data)

        self.open("http://proxy.test:1", build=lambda addr: Closing())
        self.receive(HTTP_AGREES + b"rest")
        self.successResultOf(self.tunnel.done)

    def test_raising(self) -> None:
        """
        A protocol that raises when it gets its transport is a failure.
        """

        class Raising(Protocol):
            def connectionMade(self) -> None:
                raise ZeroDivisionError

        self.open("http://proxy.test:1", build=lambda addr: Raising())
        self.assertRaises(ZeroDivisionError, self.receive, HTTP_AGREES)
        self.assertIsInstance(self.failure(), ZeroDivisionError)

    def test_cancelledByUser(self) -> None:
        """
        Code of the user may cancel the tunnel: when it builds the protocol, or when the
        protocol gets its transport. No bytes arrive after that.
        """

        class Cancelling(Protocol):
            def connectionMade(protocol) -> None:
                self.tunnel.done.cancel()

            def dataReceived(protocol, data: bytes) -> None:
                raise AssertionError(data)

        def cancelled(addr: object) -> Any:
            self.tunnel.done.cancel()
            return self.protocol

        for build in (lambda addr: Cancelling(), cancelled):
            self.open("http://proxy.test:1", build=build)
            self.receive(HTTP_AGREES + b"rest")
            self.assertIsInstance(self.failure(), CancelledError)
            self.assertFalse(self.protocol.made)

    def test_swapped(self) -> None:
        """
        If the protocol replaces itself, the bytes go to the other one.
        """
        other = AccumulatingProtocol()

        class Swapping(Protocol):
            def connectionMade(self) -> None:
                transport: Any = self.transport
                transport.protocol = other
                other.makeConnection(transport)

        self.open("http://proxy.test:1", build=lambda addr: Swapping())
        self.receive(HTTP_AGREES + b"rest")
        self.assertEqual(other.data, b"rest")


class ProxiedAddressTests(SynchronousTestCase):
    """
    Tests for L{ProxiedAddress}.
    """

    def test_str(self) -> None:
        """
        An IPv6 address is in brackets.
        """
        for name, text in (("a.test", "a.test:7"), ("::1", "[::1]:7")):
            address = ProxiedAddress(name, 7, ("http://b.test:1", "http://c.test:1"))
            self.assertEqual(
                str(address), f"{text} through http://b.test:1 and http://c.test:1"
            )
        self.assertNotEqual(address, IPv4Address("TCP", "::1", 7))
