"""
Tests for exceptions of the user's code or of the transport: after each, the client
continues or stops properly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet import defer
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IHostnameResolver,
    IOpenSSLClientConnectionCreator,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_clienttcp import ClientTCPFactory, resolve
from twisted_clienttcp.errors import (
    CallbackError,
    NegotiationRefused,
    TLSError,
    UnknownAlias,
)
from twisted_clienttcp.framing import Line
from twisted_clienttcp.proxy import Proxy, ProxyEndpoint
from twisted_clienttcp.testing import MemoryServer

from .._memory import ClientTestCase, Producer, Transport
from .._proxies import HTTP_AGREES
from .._support import NetworkTestCase, reactor, turn


class Unusual(BaseException):
    """
    An exception that is not an C{Exception}.
    """


#: The exceptions that the user's code may raise.
KINDS: tuple[type[BaseException], ...] = (
    ZeroDivisionError,
    defer.CancelledError,
    asyncio.CancelledError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    Unusual,
)


def coroutine(raising: Callable[..., Any]) -> Callable[..., Any]:
    """
    @return: a coroutine function that raises the same.
    """

    async def function(*args: Any) -> Any:
        return raising(*args)

    return function


def once(
    raising: Callable[..., Any], usual: Callable[..., Any] = lambda *args: None
) -> Callable[..., Any]:
    """
    @return: a function that raises when it is called for the first time, and then does
        what C{usual} does.
    """
    called: list[Any] = []

    def function(*args: Any) -> Any:
        called.append(args)
        if len(called) == 1:
            return raising(*args)
        return usual(*args)

    return function


class Answers:
    """
    Answers C{serverInput} with a Deferred that fails later.
    """

    def __init__(self, raising: Callable[..., Any]) -> None:
        self.raising = raising
        self.answer: Deferred[Any] = Deferred()

    def __call__(self, client: Any, record: Any) -> Deferred[Any]:
        self.answer.addCallback(self.raising)
        return self.answer


class Raises(Producer):
    """
    A producer with a method that raises an exception.
    """

    def __init__(self, method: str, raising: Callable[[], Any]) -> None:
        super().__init__()
        setattr(self, method, raising)


#: For each callback: its parameter, and the steps that lead to it.
CALLBACKS: dict[str, tuple[str, str]] = {
    "started": ("started", "start"),
    "preConnect": ("preConnect", "start connect"),
    "preConnect, awaited": ("preConnect*", "start connect"),
    "connected": ("connected", "start connect"),
    "connectError": ("connectError", "start refuse"),
    "serverInput": ("serverInput", "start connect receive"),
    "serverInput at the end": ("serverInput", "start connect part end"),
    "serverInput at a loss": ("serverInput", "start connect part lose"),
    "serverInput after a loss": ("serverInput", "start connect pause receive resume"),
    "serverInput, awaited": ("serverInput*", "start connect receive"),
    "serverInputBatch": ("serverInputBatch", "start connect receive"),
    "serverInputBatch, awaited": ("serverInputBatch*", "start connect receive"),
    "serverError": ("serverError", "start connect lose"),
    "serverError at the end": ("serverError", "start connect end"),
    "serverFlushed": ("serverFlushed", "start connect put drain"),
    "serverHigh": ("serverHigh", "start connect put drain"),
    "serverLow": ("serverLow", "start connect put drain"),
    "disconnected": ("disconnected", "start connect lose"),
    "disconnected at the end": ("disconnected", "start connect end finish"),
    "stopped": ("stopped", "start connect lose"),
    "stopped at once": ("stopped", "start shutdown"),
    "stopped after a failure": ("stopped", "start refuse"),
    "retryPolicy": ("retryPolicy", "start refuse"),
    "retryPolicy at a loss": ("retryPolicy", "start connect lose"),
    "heartbeat": ("heartbeat", "start connect wait"),
    "a posted event": ("posted", "start connect post"),
    "a delayed event": ("posted", "start connect postLater wait"),
}

#: For each method of a producer: whether it is a push producer, and the steps that lead
#: to the method when the client is connected.
PRODUCERS: dict[str, tuple[str, bool, str]] = {
    "pauseProducing": ("pauseProducing", True, "register put"),
    "pauseProducing at once": ("pauseProducing", True, "put register"),
    "resumeProducing": ("resumeProducing", True, "register put drain"),
    "resumeProducing, pull": ("resumeProducing", False, "register"),
    "resumeProducing, pull, later": ("resumeProducing", False, "put register drain"),
    "stopProducing at a loss": ("stopProducing", True, "register lose"),
    "stopProducing at a loss, pull": ("stopProducing", False, "register lose"),
    "stopProducing by abort": ("stopProducing", True, "register abort"),
    "stopProducing by reconnect": ("stopProducing", True, "register reconnect"),
    "stopProducing at a deadline": ("stopProducing", True, "register shutdown wait"),
}


class RaisingTestCase(ClientTestCase):
    """
    A client that is driven in named steps, each of which may raise.
    """

    def begin(self, kind: type[BaseException]) -> None:
        self.setUp()
        self.error = kind("the reason")
        self.reached = 0
        self.escaped: list[BaseException] = []
        self.waiting: list[Deferred[Any]] = []
        self.transport: Transport | None = None
        self.lost = False
        self.producer: Any = None
        self.streaming = True

    def raising(self, *args: Any) -> Any:
        """
        Raise the error.
        """
        self.reached += 1
        raise self.error

    def attemptFailed(self, wrapper: type[Exception]) -> None:
        """
        Check that the attempt has failed with the error, and the client has stopped.

        @param wrapper: the class of an exception of which the error may be the cause.
        """
        names = [e[0] if isinstance(e, tuple) else e for e in self.events]
        self.assertEqual(names, ["started", "connectError", "stopped"])
        error = self.recorder.failures[0].value
        if isinstance(error, wrapper):
            error = error.__cause__
        self.assertIs(error, self.error)

    def make(self, **parameters: Any) -> None:
        """
        Make the client.
        """
        self.theClient = self.client(
            **{
                "alias": f"raising {id(self.error)}",
                "autoReconnect": False,
                "framing": Line(atEnd="record"),
                "drainTimeout": 5,
                "lingerTimeout": 5,
                **self.recorder.marks(10, 5),
                **parameters,
            }
        )
        self.wait(self.theClient.whenConnected())
        self.wait(self.theClient.whenStopped())

    def wait(self, waiter: Deferred[Any]) -> None:
        # The result of some of them is the failure.
        self.waiting.append(waiter.addBoth(lambda result: None))

    def drive(self, steps: str) -> None:
        """
        Take some steps.
        """
        for step in steps.split():
            try:
                getattr(self, f"do_{step}")()
                self.reactor.advance(0)
            except BaseException as error:
                if error is not self.error:
                    raise
                self.escaped.append(error)
        try:
            self.reactor.advance(0)
        except BaseException as error:
            self.escaped.append(error)

    def do_start(self) -> None:
        self.wait(self.theClient.start())

    def do_refuse(self) -> None:
        self.refuse()

    def do_connect(self) -> None:
        self.lost = False
        protocol = self.attempts()[-1][2].buildProtocol(None)
        self.transport = protocol.transport = Transport()
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)

    def do_receive(self) -> None:
        assert self.transport is not None
        self.transport.protocol.dataReceived(b"a\r\nb\r\n")

    def do_part(self) -> None:
        assert self.transport is not None
        self.transport.protocol.dataReceived(b"the last record")

    def do_end(self) -> None:
        assert self.transport is not None
        self.transport.protocol.readConnectionLost()

    def do_lose(self) -> None:
        self._lose()

    def do_pause(self) -> None:
        self.theClient.pauseProducing()

    def do_resume(self) -> None:
        self._lose()
        self.theClient.resumeProducing()

    def do_put(self) -> None:
        self.theClient.put(b"x" * 20)
        self.wait(self.theClient.flushed())

    def do_drain(self) -> None:
        if self.transport is not None:
            self.transport.drain()

    def do_post(self) -> None:
        self.theClient.post("raise")
        self.theClient.post("count")

    def do_postLater(self) -> None:
        self.theClient.postLater(1, "raise")
        self.theClient.postLater(1, "count")

    def do_wait(self) -> None:
        for _ in range(10):
            self.reactor.advance(1)

    def do_register(self) -> None:
        self.theClient.registerProducer(self.producer, self.streaming)

    def do_shutdown(self) -> None:
        self.wait(self.theClient.shutdown())

    def do_abort(self) -> None:
        self.wait(self.theClient.abort())

    def do_reconnect(self) -> None:
        self.theClient.reconnect()

    def do_finish(self) -> None:
        """
        Let the kernel report the end of a connection that has been closed.
        """
        transport = self.transport
        if transport is not None and not self.lost:
            if transport.aborted:
                self._lose(ConnectionAborted())
            elif transport.disconnecting:
                self._lose(ConnectionDone())

    def _lose(self, reason: Exception | None = None) -> None:
        assert self.transport is not None
        self.lost = True
        self.transport.lose(reason)

    @contextmanager
    def row(self, name: str, kind: type[BaseException]) -> Iterator[None]:
        """
        Name the row of the table in the report of a failure.
        """
        self.begin(kind)
        try:
            yield
        except Exception as error:
            row = f"{name} raises {kind.__name__}"
            raise self.failureException(f"{row}: {error}") from error

    def end(self, logged: int | None = None) -> None:
        """
        Stop the client, and check that nothing is left.

        @param logged: how often the error has been logged; as often as it was raised,
            if this is None.
        """
        self.drive("wait finish shutdown drain wait finish wait finish")
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        for waiter in self.waiting:
            self.assertTrue(waiter.called)
        self.assertRaises(UnknownAlias, resolve, f"raising {id(self.error)}")
        self.assertTrue(self.theClient.shuttingDown)
        self.assertIsNone(self.theClient.server)
        if self.transport is not None:
            self.assertTrue(self.lost, "the transport is open")
        errors = self.flushLoggedErrors(type(self.error))
        self.assertEqual(len(errors), self.reached if logged is None else logged)
        self.assertTrue(all(error.getTraceback() for error in errors))
        for error in self.escaped:
            self.assertIs(error, self.error)
        if isinstance(self.error, Exception):
            self.assertEqual(self.escaped, [])


class CallbackTests(RaisingTestCase):
    """
    Tests for callbacks that raise.
    """

    def check(self, name: str) -> None:
        """
        Check a row of the table.
        """
        parameter, steps = CALLBACKS[name]
        raising: Any = self.raising
        awaited = parameter.endswith("*")
        if awaited:
            raising = coroutine(raising)
        parameters: dict[str, Any] = {parameter.removesuffix("*"): raising}
        counted: list[Any] = []
        if parameter == "posted":
            states = {"raise": raising, "count": counted.append}
            parameters = {"inlineStates": states}
        elif parameter == "heartbeat":
            parameters = {"heartbeat": (3, raising)}
        elif parameter == "retryPolicy":
            parameters["autoReconnect"] = True
        elif parameter.startswith("serverInputBatch"):
            parameters["serverInput"] = None
        self.make(**parameters)
        self.drive(steps)
        self.assertTrue(self.reached, name)
        if parameter == "posted":
            self.assertEqual(counted, [self.theClient])
        self.end()
        for event, most in (("connected", 1), ("disconnected", 1), ("stopped", 1)):
            if event != parameter:
                self.assertLessEqual(self.events.count(event), most, event)
        if parameter != "stopped":
            self.assertEqual(self.events[-1], "stopped")
        if parameter not in ("connected", "disconnected"):
            connected = self.events.count("connected")
            self.assertEqual(self.events.count("disconnected"), connected)
        expected = not awaited and not isinstance(self.error, Exception)
        self.assertEqual(len(self.escaped), self.reached if expected else 0)

    def test_anyCallback(self) -> None:
        """
        Any callback that raises anything is logged, and leaves no connection open, no
        Deferred unfired and no alias claimed. After that, an error that is not an
        C{Exception} is raised again.
        """
        for name in CALLBACKS:
            for kind in KINDS:
                with self.row(name, kind):
                    self.check(name)

    def test_failsLater(self) -> None:
        """
        An awaited result that fails later has the same effects.
        """
        for kind in KINDS:
            for parameter in ("serverInput", "preConnect"):
                with self.row(parameter, kind):
                    answers = Answers(self.raising)
                    self.make(**{parameter: answers})
                    steps = "start connect"
                    if parameter == "serverInput":
                        steps += " receive"
                    self.drive(steps)
                    answers.answer.callback(None)
                    self.assertEqual(self.reached, 1)
                    self.end()
                    self.assertEqual(self.escaped, [])

    def test_reconnects(self) -> None:
        """
        A client that reconnects makes its next attempt, with any exception of a
        callback.
        """
        for kind in KINDS:
            for name, steps in (
                ("started", "start connect lose wait"),
                ("connected", "start connect finish wait"),
                ("connectError", "start refuse wait"),
                ("serverInput", "start connect receive finish wait"),
                ("serverError", "start connect lose wait"),
                ("disconnected", "start connect lose wait"),
            ):
                with self.row(name, kind):
                    self.make(autoReconnect=True, **{name: once(self.raising)})
                    self.drive(steps)
                    self.assertEqual(len(self.attempts()), 2)
                    self.drive("connect")
                    self.assertTrue(self.theClient.connected)
                    self.end()


class ProducerTests(RaisingTestCase):
    """
    Tests for producers that raise.
    """

    def test_anyMethod(self) -> None:
        """
        Any exception of any method of a producer is logged once and drops the
        connection, and nothing else.
        """
        for name, (method, streaming, steps) in PRODUCERS.items():
            for kind in KINDS:
                with self.row(name, kind):
                    self.make()
                    self.producer = Raises(method, self.raising)
                    self.streaming = streaming
                    self.drive("start connect")
                    self.drive(steps)
                    self.assertEqual(self.reached, 1)
                    self.drive("finish")
                    if "reconnect" in steps:
                        self.assertEqual(len(self.attempts()), 2)
                    self.end()
                    expected = not isinstance(self.error, Exception)
                    self.assertEqual(len(self.escaped), expected)
                    self.assertEqual(self.events.count("disconnected"), 1)
                    self.assertEqual(self.events[-1], "stopped")

    def test_inACallback(self) -> None:
        """
        The same is true of a producer that is registered in a callback.
        """
        for kind in KINDS:
            with self.row("resumeProducing", kind):
                self.producer = Raises("resumeProducing", self.raising)
                self.recorder.on["connected"] = lambda client, peer: (
                    client.registerProducer(self.producer, False)
                )
                self.make()
                self.drive("start connect")
                self.assertEqual(self.reached, 1)
                self.end()
                expected = not isinstance(self.error, Exception)
                self.assertEqual(len(self.escaped), expected)
                self.assertEqual(self.events.count("disconnected"), 1)
                (error,) = (f.value for f in self.recorder.failures[:1])
                self.assertIsInstance(error, CallbackError)
                self.assertIs(error.__cause__, self.error)

    def test_offline(self) -> None:
        """
        A producer that raises when it is stopped at a loss does not lose the records
        that wait for the next connection.
        """
        for kind in KINDS:
            with self.row("stopProducing", kind):
                self.make(autoReconnect=True, offlineLimit=1000)
                self.producer = Raises("stopProducing", self.raising)
                self.drive("start connect register")
                self.theClient.put(b"kept")
                self.drive_lose()
                self.drive("wait connect drain drain")
                assert self.transport is not None
                self.assertEqual(self.transport.sent, b"kept\r\n")
                self.end()

    def drive_lose(self) -> None:
        """
        Lose the connection before the turn in which the output is sent.
        """
        try:
            self._lose()
        except BaseException as error:
            self.assertIs(error, self.error)


class Obstinate:
    """
    An answer of C{preConnect} that cannot be used as a truth value.
    """

    def __init__(self, raising: Callable[[], Any]) -> None:
        self.raising = raising

    def __bool__(self) -> bool:
        result: bool = self.raising()
        return result


class Unrepeatable(Line):
    """
    A framing that cannot be used for a connection.
    """

    raising: Any = None

    def fresh(self) -> Any:
        if self.raising is None:
            return super().fresh()
        return self.raising()


class SetUpTests(RaisingTestCase):
    """
    Tests for errors between C{connectionMade} and C{connected}.
    """

    #: The methods of the transport that are called there.
    methods = ("setTcpNoDelay", "setTcpKeepAlive", "getPeer", "pauseProducing")

    def fail_(self, step: str) -> None:
        """
        Let a step of the set-up raise.
        """
        if step == "fresh":
            framing = Unrepeatable()
            self.make(framing=framing)
            framing.raising = self.raising
        elif step == "bool":
            self.make(preConnect=lambda client, negotiation: Obstinate(self.raising))
        elif step == "bool, later":
            answer: Any = Deferred()
            self.make(preConnect=lambda client, negotiation: answer)
            self.reactor.callLater(3, answer.callback, Obstinate(self.raising))
        else:
            self.make(preConnect=lambda client, negotiation: Deferred())
        transport: Any = Transport
        if step in self.methods:
            method = staticmethod(self.raising)
            transport = type("Failing", (Transport,), {step: method})
        self.drive("start")
        protocol = self.attempts()[-1][2].buildProtocol(None)
        self.transport = transport()
        self.transport.protocol = protocol
        try:
            protocol.makeConnection(self.transport)
        except BaseException as error:
            self.escaped.append(error)
        self.drive("wait")

    def test_anyStep(self) -> None:
        """
        If any step raises any exception, the attempt fails with this exception.
        """
        for step in (*self.methods, "fresh", "bool", "bool, later"):
            for kind in KINDS:
                with self.row(step, kind):
                    self.fail_(step)
                    self.assertEqual(self.reached, 1)
                    assert self.transport is not None
                    self.assertTrue(self.transport.aborted)
                    self.drive("finish")
                    self.attemptFailed(NegotiationRefused)
                    # connectError has been called with an error of the transport.
                    self.end(logged=int(step not in (*self.methods[:3], "fresh")))

    def test_options(self) -> None:
        """
        The kernel may refuse an option of a connection that has been reset: the
        transport reports that, so the refusal is ignored.
        """
        for step in ("setTcpNoDelay", "setTcpKeepAlive"):
            with self.row(step, OSError):
                self.fail_(step)
                self.assertEqual(self.reached, 1)
                assert self.transport is not None
                self.assertFalse(self.transport.aborted)
                self.end(logged=0)


@implementer(IHostnameResolver, IStreamClientEndpoint, IOpenSSLClientConnectionCreator)
class Broken:
    """
    A resolver, an endpoint, and options for TLS, whose methods raise.
    """

    def __init__(self, raising: Callable[..., Any]) -> None:
        self.resolveHostName = self.connect = self.clientConnectionForTLS = raising


class ConnectingTests(RaisingTestCase):
    """
    Tests for errors of resolvers, endpoints, factories, options and the reactor.
    """

    #: For each call that raises: the settings of the client, and the answers of the
    #: proxies before the call.
    CALLS: dict[str, tuple[dict[str, Any], tuple[bytes, ...] | None]] = {
        "resolveHostName": ({"remoteAddress": "server.test"}, None),
        "connect": ({"endpoint": None}, None),
        "connectTCP": ({}, None),
        "connectTCP, at a proxy": ({"proxy": "http://127.0.0.1:2"}, None),
        "buildProtocol": ({}, ()),
        "buildProtocol, after a proxy": (
            {"proxy": "http://127.0.0.1:2"},
            (HTTP_AGREES,),
        ),
        "clientConnectionForTLS": ({"tls": None}, ()),
        "clientConnectionForTLS, for a proxy": ({"proxy": [None]}, ()),
        "clientConnectionForTLS, for the next proxy": (
            {"proxy": ["http://127.0.0.1:2", None]},
            (HTTP_AGREES,),
        ),
    }

    def fail_(
        self, call: str, settings: dict[str, Any], answers: tuple[bytes, ...] | None
    ) -> None:
        """
        Let a call raise.
        """
        broken: Any = Broken(self.raising)
        given = dict(settings)
        if "endpoint" in given:
            given |= {"endpoint": broken, "remoteAddress": None, "remotePort": None}
        if "tls" in given:
            given["tls"] = broken
        if isinstance(given.get("proxy"), list):
            given["proxy"] = [
                each or Proxy("https://127.0.0.1:3", broken) for each in given["proxy"]
            ]
        self.reactor.nameResolver = broken
        name = call.partition(",")[0]
        if name == "connectTCP":
            self.patch(self.reactor, name, self.raising)
        if name == "buildProtocol":
            self.factory = type("Failing", (self.factory,), {name: self.raising})
        self.make(**given)
        self.drive("start")
        if answers is not None:
            self.drive("connect")
            for answer in answers:
                self.answer = answer
                self.drive("answer")

    def do_connect(self) -> None:
        self.lost = False
        address = IPv4Address("TCP", "127.0.0.1", 7)
        protocol = self.attempts()[-1][2].buildProtocol(address)
        if protocol is not None:
            self.transport = Transport()
            self.transport.protocol = protocol
            protocol.makeConnection(self.transport)

    def do_answer(self) -> None:
        assert self.transport is not None
        self.transport.protocol.dataReceived(self.answer)

    def test_anyCall(self) -> None:
        """
        If any call raises any exception, the attempt fails with it. An error that is
        not an C{Exception} is also raised again, in a later turn.
        """
        for call, (settings, answers) in self.CALLS.items():
            for kind in KINDS:
                with self.row(call, kind):
                    self.fail_(call, settings, answers)
                    self.assertEqual(self.reached, 1)
                    self.drive("finish")
                    self.attemptFailed(TLSError)
                    isExpected = isinstance(self.error, Exception)
                    self.assertEqual(len(self.escaped), 0 if isExpected else 1)
                    self.end(logged=0)

    def test_endpoint(self) -> None:
        """
        The same for a L{ProxyEndpoint}, with a proxy and without one.
        """
        for proxy, answer in (("http://127.0.0.1:2", HTTP_AGREES), (None, b"")):
            for kind in KINDS:
                with self.row(f"buildProtocol, proxy={proxy}", kind):
                    factory: Any = Factory()
                    factory.buildProtocol = self.raising
                    endpoint = ProxyEndpoint(self.reactor, proxy, "127.0.0.1", 7)
                    connecting = endpoint.connect(factory)
                    self.drive("connect")
                    if answer:
                        self.answer = answer
                        self.drive("answer")
                    self.assertIs(self.failureResultOf(connecting).value, self.error)
                    isExpected = isinstance(self.error, Exception)
                    self.assertEqual(self.escaped, [] if isExpected else [self.error])
                    self.assertEqual(self.reactor.getDelayedCalls(), [])


class BrokenEncoder(Line):
    """
    A framing whose C{encode} raises when C{raising} is set.
    """

    raising: Any = None

    def encode(self, record: Any) -> bytes:
        if self.raising is not None:
            self.raising()
        return super().encode(record)


class GivenUpTests(RaisingTestCase):
    """
    Tests for a C{preConnect} that gives up its own connection.
    """

    def test_raises(self) -> None:
        """
        An exception that it raises afterwards is logged.
        """
        for kind in KINDS:
            for awaited in (False, True):

                def give(client: Any, negotiation: Any) -> Any:
                    client.shutdown()
                    return self.raising()

                with self.row("preConnect", kind):
                    self.make(preConnect=coroutine(give) if awaited else give)
                    self.drive("start connect finish")
                    self.end(logged=1)
                    self.assertNotIn("connected", self.events)

    def test_waits(self) -> None:
        """
        A Deferred that it returns afterwards is cancelled.
        """
        for kind in KINDS:
            answers: list[Deferred[Any]] = []

            def give(
                client: Any, negotiation: Any, answers: list[Any] = answers
            ) -> Any:
                client.shutdown()
                answers.append(Deferred())
                return answers[0]

            with self.row("preConnect", kind):
                self.make(preConnect=give)
                self.drive("start connect")
                self.assertTrue(answers[0].called)
                self.drive("finish")
                self.end(logged=0)


class OfflineTests(RaisingTestCase):
    """
    Tests for a framing that raises when records that have waited are encoded again.
    """

    def test_encode(self) -> None:
        """
        The error is reported, and the connection is kept.
        """
        for kind in KINDS:
            with self.row("encode", kind):
                self.make(offlineLimit=1000)
                self.theClient.start()
                self.theClient.put(b"waits")
                framing = BrokenEncoder()
                self.theClient.framing = framing
                framing.raising = self.raising
                self.drive("connect finish")
                self.assertEqual(self.reached, 1)
                self.assertEqual(self.theClient.stats.recordsRejected, 1)
                self.assertIs(self.recorder.failures[0].value, self.error)
                isUsual = isinstance(self.error, Exception)
                self.assertEqual(len(self.escaped), int(not isUsual))
                self.assertTrue(self.theClient.connected)
                self.end(logged=0)


class ConnectorTests(SynchronousTestCase):
    """
    Tests for errors that a callback raises while a connector of Twisted reports
    something.
    """

    def test_connectorIsNotified(self) -> None:
        """
        The connector learns that its attempt or its connection is over, and makes the
        next attempt.
        """

        def leave(*args: Any) -> None:
            raise SystemExit(3)

        for name in ("connectError", "serverError", "disconnected", "serverInput"):
            given: dict[str, Any] = {
                "serverInput": lambda client, record: None,
                name: once(leave),
            }
            client = ClientTCPFactory(
                remoteAddress="192.0.2.1",
                remotePort=7,
                framing=Line(atEnd="record"),
                **given,
            )
            server = MemoryServer(client)
            if name == "connectError":
                self.assertRaises(SystemExit, server.refuse)
            else:
                server.accept()
                server.send(b"the last record")
                self.assertRaises(SystemExit, server.reset)
            server.advance(10)
            server.accept()
            self.assertEqual((server.attempts, client.connected), (2, True), name)
            client.shutdown()
            server.advance(0)
            self.assertEqual(client.numPorts, 0, name)
            self.assertTrue(self.flushLoggedErrors(SystemExit), name)


class ClientServiceTests(NetworkTestCase):
    """
    Tests for errors that a callback raises while an endpoint connects.
    """

    async def test_serviceContinues(self) -> None:
        """
        C{ClientService} learns that the connection was made and lost, and makes the
        next one.
        """

        def leave(*args: Any) -> None:
            raise SystemExit(3)

        server = await self.listen()
        twice: Deferred[None] = Deferred()
        client = ClientTCPFactory(
            serverInput=lambda client, record: None,
            connected=once(leave, lambda *args: twice.callback(None)),
        )
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
        service: Any = ClientService(endpoint, client, retryPolicy=lambda failures: 0)
        service.startService()
        await service.whenConnected()
        await twice
        await turn()
        await service.stopService()
        self.assertTrue(self.flushLoggedErrors(SystemExit))
