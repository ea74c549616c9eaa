"""
Tests for callbacks that raise, input that cannot be decoded, and C{errorDetails}.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import (
    ConnectBindError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import errorDetails
from twisted_clienttcp.errors import CallbackError, NotConnectedError, RecordTooLong
from twisted_clienttcp.framing import Line, Stream

from .._memory import ClientTestCase


class CallbackErrorTests(ClientTestCase):
    """
    Callbacks that raise, and bytes that cannot be decoded.
    """

    def test_callbackRaises(self) -> None:
        """
        The exception is logged and passed to C{serverError} once, and the connection is
        dropped; the rest of the batch is not delivered.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, line: 1 / 0
        transport.protocol.dataReceived(b"a\r\nb\r\n")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.events[-1], ("serverError", "callback", 125))
        error = self.recorder.failures[-1].value
        self.assertIsInstance(error, CallbackError)
        self.assertEqual(error.callback, "serverInput")
        self.assertIsInstance(error.__cause__, ZeroDivisionError)
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertEqual(
            self.events[2:],
            [
                ("serverInput", b"a"),
                ("serverError", "callback", 125),
                "disconnected",
            ],
        )
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 2)

    def test_coroutine(self) -> None:
        """
        A coroutine that would never be awaited is an error too if a function that is
        not a coroutine function returns it.
        """

        async def greet(client: Any) -> None:
            raise AssertionError("nobody runs this")

        self.recorder.on["connected"] = lambda client, peer: greet(client)
        _, transport = self.connected()
        [logged] = self.flushLoggedErrors(TypeError)
        self.assertIn("Deferred.fromCoroutine", str(logged.value))
        self.assertEqual(self.events[-1], ("serverError", "callback", 125))
        self.assertTrue(transport.aborted)

    def test_exit(self) -> None:
        """
        C{SystemExit} drops the connection too, and is raised to the caller.
        """
        client, transport = self.connected()

        def leave(client: Any, line: bytes) -> None:
            raise SystemExit(3)

        self.recorder.on["serverInput"] = leave
        self.assertRaises(SystemExit, transport.protocol.dataReceived, b"a\r\nb\r\n")
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        self.assertEqual(self.events[-1], ("serverError", "callback", 125))
        transport.lose()
        self.assertEqual(self.recorder.disconnections[0].initiator, "local")

    def test_anyCallbackRaises(self) -> None:
        """
        Any callback may raise: the others are called in the same order, and the client
        continues.
        """
        for name in self.recorder.parameters("serverInput"):
            self.setUp()
            self.recorder.on[name] = lambda client, *args: 1 / 0
            client = self.client()
            client.start()
            self.refuse()
            self.reactor.advance(1)
            transport = self.establish()
            if client.connected:
                client.put(b"x")
                self.reactor.advance(0)
                transport.drain()
                transport.lose()
            else:
                transport.lose()
            self.assertEqual(self.events.count("disconnected"), 1, name)
            errors = [e for e in self.events if e[0] == "serverError"]
            self.assertEqual(len(errors), 1, name)
            client.shutdown()
            self.assertEqual(self.events[-1], "stopped", name)
            self.assertEqual(self.reactor.getDelayedCalls(), [], name)
            self.assertTrue(self.flushLoggedErrors(ZeroDivisionError), name)

    def test_framingError(self) -> None:
        """
        The records before the error are delivered; then C{serverError} is called, and
        the connection ends. Pending output is still flushed.
        """
        client, transport = self.connected(framing=Line(maxLength=3))
        client.put(b"bye")
        transport.protocol.dataReceived(b"a\r\nb\r\nlong\r\nc\r\n")
        self.assertEqual(
            self.events[2:],
            [
                ("serverInput", b"a"),
                ("serverInput", b"b"),
                ("serverError", "framing", 90),
            ],
        )
        self.assertTrue(self.recorder.failures[-1].check(RecordTooLong))
        self.reactor.advance(0)
        transport.drain()
        self.assertEqual(transport.sent, b"bye\r\n")
        transport.lose(ConnectionDone())
        self.assertEqual(self.recorder.disconnections[0].initiator, "local")
        self.assertTrue(self.recorder.disconnections[0].failure.check(RecordTooLong))

    def test_framingRaisesAnything(self) -> None:
        """
        An error that a framing should not raise does not reach the reactor either.
        """

        class Broken(Stream):
            def decode(self, data: Any, start: int, searched: int) -> Any:
                raise KeyError("oops")

        client, transport = self.connected(framing=Broken())
        transport.protocol.dataReceived(b"x")
        self.assertEqual(self.events[-1], ("serverError", "framing", 71))
        self.assertIn("KeyError", self.recorder.failures[-1].getErrorMessage())

    def test_defaultHandlers(self) -> None:
        """
        Without callbacks for errors, what POE prints is logged.
        """
        from twisted.logger import formatEvent, globalLogPublisher

        lines: list[Any] = []
        observer: Any = lambda event: lines.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        client = self.client(connectError=None, serverError=None)
        client.start()
        self.refuse()
        self.reactor.advance(1)
        transport = self.establish()
        self.reactor.advance(3)
        transport.protocol.readConnectionLost()
        transport.lose(ConnectionDone())
        got = [line for line in lines if line.startswith("Client ")]
        self.assertEqual(
            got,
            [
                "Client 127.0.0.1:7: cannot connect: Connection refused; next attempt "
                "in 1 s",
                "Client 127.0.0.1:7: connected to 192.168.1.1:54321 after 1 failed "
                "attempt in 1 s",
                "Client 127.0.0.1:7: the server closed the connection (connected for "
                "3 s); next attempt in 2 s",
            ],
        )

    def test_unsentIsNeverSilent(self) -> None:
        """
        Without C{disconnected} the bytes lost are logged.
        """
        from twisted.logger import globalLogPublisher

        events: list[Any] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        client, transport = self.connected(disconnected=None)
        client.put(b"lost")
        transport.lose()
        self.assertEqual([e["unsent"] for e in events if "unsent" in e], [6])


class ErrorDetailsTests(SynchronousTestCase):
    """
    L{errorDetails}.
    """

    def test_triples(self) -> None:
        """
        The operation, number and text are those of POE.
        """
        for error, operation, number, text in (
            (ConnectionDone(), "read", 0, "the connection was closed"),
            (ConnectionLost(), "read", 104, "Connection reset by peer"),
            (ConnectionRefusedError(), "connect", 111, "Connection refused"),
            (ConnectionRefusedError(osError=111), "connect", 111, "Connection refused"),
            (TimeoutError(), "connect", 110, "Connection timed out"),
            (DNSLookupError("nowhere"), "getaddrinfo", -2, None),
            (NotConnectedError("x"), "put", 107, "x"),
            (OSError(101, "no"), "connect", 101, "Network is unreachable"),
            # An IPv6 address whose zone does not exist on this machine.
            (socket.gaierror(-2, "not known"), "getaddrinfo", -2, "not known"),
            (ConnectBindError(-2, "not known"), "bind", -2, None),
            (ValueError("what"), "connect", 5, "what"),
        ):
            details = errorDetails(Failure(error))
            self.assertEqual(details[:2], (operation, number), error)
            if text is not None:
                self.assertEqual(details.text, text)
