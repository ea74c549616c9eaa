"""
The factory: its arguments, its orders and their order of callbacks, its delays. The
network here is a memory reactor and the time a clock.
"""

from __future__ import annotations

import socket
import sys
from functools import partial, wraps
from typing import Any
from unittest.mock import Mock

from twisted.internet.address import IPv4Address
from twisted.internet.base import BaseConnector
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import (
    ConnectBindError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.internet.interfaces import (
    IConnector,
    IHalfCloseableProtocol,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_clienttcp import ClientTCPFactory, Disconnection, errorDetails
from twisted_clienttcp._connector import EndpointConnector
from twisted_clienttcp._effects import CALLBACKS
from twisted_clienttcp.errors import (
    CallbackError,
    FramingError,
    NegotiationRefused,
    NotConnectedError,
    RecordTooLong,
)
from twisted_clienttcp.framing import JSONLines, Line, Stream
from twisted_clienttcp.retry import constant

from .._support import Recorder
from ..unit.test_outbound import AskingTransport
from .test_installation import run


class Transport(AskingTransport):
    """
    A transport whose end the test decides.
    """

    aborted = False

    def __init__(self) -> None:
        super().__init__()
        self.protocol: Any = None

    def abortConnection(self) -> None:
        self.aborted = True

    def lose(self, reason: Any = None) -> None:
        """
        Be lost.
        """
        if self.producer is not None:
            self.producer.stopProducing()
        self.protocol.connectionLost(Failure(reason or ConnectionLost()))


class ClientTestCase(SynchronousTestCase):
    """
    A client over a memory reactor.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.recorder = Recorder()
        self.events = self.recorder.events

    def client(self, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client with a recorder's callbacks, and waits without chance.
        """
        given = {
            "remoteAddress": "127.0.0.1",
            "remotePort": 7,
            "reactor": self.reactor,
            **self.recorder.parameters(),
            **parameters,
        }
        client = ClientTCPFactory(**given)
        client.jitter = 0
        return client

    def attempts(self) -> list[Any]:
        """
        @return: the attempts made until now, in the next turn.
        """
        self.reactor.advance(0)
        return self.reactor.tcpClients

    def refuse(self) -> None:
        """
        Let the last attempt fail.
        """
        self.attempts()[-1][2].clientConnectionFailed(
            None, Failure(ConnectionRefusedError())
        )

    def establish(self) -> Transport:
        """
        Let the last attempt succeed.
        """
        protocol = self.attempts()[-1][2].buildProtocol(None)
        transport = Transport()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return transport

    def connected(self, **parameters: Any) -> tuple[ClientTCPFactory, Transport]:
        """
        @return: a connected client and its transport.
        """
        client = self.client(**parameters)
        client.start().addErrback(lambda failure: None)
        return client, self.establish()


class ArgumentTests(SynchronousTestCase):
    """
    Wrong arguments are refused by the constructor: by name, and with the remedy.
    """

    def refused(self, error: type[Exception], *words: str, **parameters: Any) -> None:
        given = {
            "serverInput": print,
            "remoteAddress": "localhost",
            "remotePort": 7,
            **parameters,
        }
        raised = self.assertRaises(error, ClientTCPFactory, **given)
        for word in words:
            self.assertIn(word, str(raised))

    def test_unknown(self) -> None:
        """
        An unknown parameter is named with the nearest known one.
        """
        self.refused(TypeError, "serverInptu", "serverInput?", serverInptu=print)
        self.refused(TypeError, "RemotePort", "remotePort?", RemotePort=5)
        self.refused(TypeError, "zzz", "known are", zzz=1)
        self.refused(TypeError, "Filter", "framing?", Filter=Line)
        self.refused(TypeError, "host", "remoteAddress?", host="localhost")
        self.refused(TypeError, "initialDelay", "client.initialDelay", initialDelay=1)
        self.refused(TypeError, "framing=Line(maxLength=...)", maxLength=5)
        self.refused(TypeError, "framing=Line(delimiter=...)", delimiter=b"|")

    def test_positional(self) -> None:
        """
        All are keywords.
        """
        wrong: Any = ClientTCPFactory
        self.assertRaises(TypeError, wrong, "localhost", 7)

    def test_serverInput(self) -> None:
        """
        C{serverInput} is required, and must be a function.
        """
        self.refused(TypeError, "serverInput is required", serverInput=None)
        self.refused(TypeError, "serverInput", "function", serverInput=5)

    def test_callbacks(self) -> None:
        """
        So must the others be; and nobody would wait for a coroutine.
        """
        for name in Recorder().parameters():
            self.refused(TypeError, name, "function", **{name: "text"})

        async def coroutine(client: Any, *args: Any) -> None:
            pass

        def generator(client: Any, *args: Any) -> Any:
            yield

        self.refused(TypeError, "connected", "plain function", connected=coroutine)
        self.refused(TypeError, "serverInput", "generator", serverInput=generator)
        ClientTCPFactory(serverInput=print, preConnect=coroutine)

    def test_signatures(self) -> None:
        """
        A callback that does not take what it is called with is told at once, with that.
        """
        wrong: Any
        for wrong in (
            lambda client: None,
            lambda client, one, two: None,
            lambda client, one, *, two: None,
            lambda client, *, one=None, **more: None,
            partial(lambda client: None),
            self.tearDown,
        ):
            for name in ("serverInput", "preConnect", "connected", "connectError"):
                self.refused(TypeError, f"called as {name}(client, ", **{name: wrong})
        batch = {"serverInput": None, "serverInputBatch": lambda client: None}
        self.refused(TypeError, "serverInputBatch(client, records)", **batch)
        self.refused(TypeError, "stopped(client, failure)", stopped=lambda client: None)
        self.refused(TypeError, "serverLow(client)", serverLow=lambda: None)
        self.refused(TypeError, "retryPolicy(failures)", retryPolicy=lambda: 5)
        self.refused(TypeError, "heartbeat(client)", heartbeat=(5, lambda: b"PING"))
        self.refused(TypeError, "started(client, 1, 2)", started=len, args=(1, 2))

    def test_manyOfOne(self) -> None:
        """
        C{putMany} of one record would send its octets, or its letters, one by one.
        """
        client = ClientTCPFactory(
            serverInput=print, offlineLimit=100, framing=JSONLines
        )
        for record in (b"text", bytearray(b"text"), memoryview(b"text"), "text"):
            raised = self.assertRaises(TypeError, client.putMany, record)
            self.assertIn("put() sends one record", str(raised))
        self.assertEqual(client.pendingOctets, 0)

    def test_fittingSignatures(self) -> None:
        """
        All others will do: with defaults, wrapped, or with a signature that nobody
        knows.
        """

        @wraps(lambda: None)
        def wrapper(*args: Any) -> None:
            pass

        class Method:
            def take(self, client: Any, record: Any, more: int = 0) -> None:
                pass

        good: Any
        for good in (
            print,
            min,
            wrapper,
            Mock(),
            Method().take,
            partial(Method.take, Method()),
            lambda client, record, more=0: None,
            lambda client, record, *, more=0: None,
        ):
            ClientTCPFactory(serverInput=good)
        ClientTCPFactory(serverInput=print, started=lambda c, a: None, args=(1,))

    def test_port(self) -> None:
        """
        A port is a number in range or a service that exists.
        """
        self.refused(ValueError, "remotePort", "1 to 65535", remotePort=0)
        self.refused(ValueError, "remotePort", "1 to 65535", remotePort=65536)
        self.refused(
            ValueError, "remotePort", "no-such-service", remotePort="no-such-service"
        )
        self.refused(TypeError, "remotePort", remotePort=7.5)
        ClientTCPFactory(remoteAddress="localhost", remotePort=1, serverInput=print)
        # What is true is not the 1 of the client before.
        self.refused(TypeError, "remotePort", remotePort=True)
        self.refused(TypeError, "remotePort", remotePort=[7])
        self.refused(TypeError, "remoteAddress needs remotePort", remotePort=None)

    def test_address(self) -> None:
        """
        An address is a name, a literal, or packed.
        """
        self.refused(TypeError, "remoteAddress", remoteAddress=5)
        self.refused(TypeError, "remoteAddress", remoteAddress=["127.0.0.1"])
        self.refused(ValueError, "remoteAddress", remoteAddress="")
        self.refused(ValueError, "remoteAddress", remoteAddress="http://host/")
        self.refused(ValueError, "remoteAddress", remoteAddress="a" * 64)
        self.refused(ValueError, "remoteAddress", "4 or 16", remoteAddress=b"name!")
        self.refused(TypeError, "remotePort needs remoteAddress", remoteAddress=None)

    def test_endpoint(self) -> None:
        """
        An endpoint is one or describes one, and excludes an address.
        """
        self.refused(TypeError, "exclude", endpoint="tcp:localhost:7")
        nowhere = {"remoteAddress": None, "remotePort": None}
        self.refused(ValueError, "endpoint", endpoint="nonsense", **nowhere)
        self.refused(TypeError, "endpoint", endpoint=5, **nowhere)

    def test_endpointNeedsNoReactor(self) -> None:
        """
        To describe an endpoint is not to install a reactor.
        """
        source = (
            "import sys; from twisted_clienttcp import ClientTCPFactory as C; "
            "C(serverInput=print, endpoint='tcp:localhost:7'); "
            "C(serverInput=print, endpoint='unix:/x'); "
            "C(serverInput=print, remoteAddress='localhost', remotePort=7); "
            "assert 'twisted.internet.reactor' not in sys.modules"
        )
        run(sys.executable, "-c", source)

    def test_seconds(self) -> None:
        """
        Times are positive numbers.
        """
        for name in ("connectTimeout", "drainTimeout", "lingerTimeout"):
            for wrong in (0, -1, float("nan"), float("inf")):
                self.refused(ValueError, name, "seconds", **{name: wrong})
            self.refused(TypeError, name, "seconds", **{name: "5"})
            self.refused(TypeError, name, "seconds", **{name: True})

    def test_each(self) -> None:
        """
        Each is what is given under its own name, and else what the class has.
        """
        policy, heard = constant(7), [Mock(spec=()) for _ in range(9)]
        settings = {
            "autoReconnect": False,
            "retryPolicy": policy,
            "shutdownOnError": False,
            "noDelay": False,
            "offlineLimit": 1,
            "connectTimeout": 2.0,
            "drainTimeout": 3.0,
            "lingerTimeout": 4.0,
            "idleTimeout": 5.0,
            "keepAlive": (6, 7, 8),
        }
        for each in ({name: value} for name, value in settings.items()):
            client: Any = ClientTCPFactory(serverInput=print, **each)  # type: ignore[arg-type]
            usual: Any = ClientTCPFactory(serverInput=print)
            for name in settings:
                expected = each.get(name, getattr(usual, name))
                self.assertEqual(getattr(client, name), expected, (each, name))
        callbacks = dict(zip(CALLBACKS, heard, strict=True))
        client = ClientTCPFactory(serverInput=print, highMark=2, lowMark=1, **callbacks)
        for name, callback in callbacks.items():
            self.assertIs(getattr(client, f"_on_{name}"), callback)

    def test_ofASubclass(self) -> None:
        """
        What the constructor says goes before what the class has.
        """

        class Patient(ClientTCPFactory):
            autoReconnect = False
            connectTimeout = 5.0

        client = Patient(serverInput=print, autoReconnect=True, connectTimeout=30.0)
        self.assertEqual((client.autoReconnect, client.connectTimeout), (True, 30.0))

    def test_methodWithoutSelf(self) -> None:
        """
        A method that does not even take its object takes nothing else.
        """

        class Odd:
            def heard() -> None:  # type: ignore[misc]
                pass

        odd: Any = Odd()
        self.refused(TypeError, "serverInput", serverInput=odd.heard)

    def test_framing(self) -> None:
        """
        A framing is built once, to check it.
        """
        self.refused(TypeError, "framing", framing=5)
        self.refused(TypeError, "framing", framing=object())
        self.refused(TypeError, "'int8'", "fromSpec()", framing="int8")
        self.refused(TypeError, "framing", framing=(Line,))
        self.refused(ValueError, "delimiter", framing=(Line, {"delimiter": b""}))
        self.refused(TypeError, "framing", "delim", framing=(Line, {"delim": b"|"}))

        class Unclonable(Stream):
            def clone(self) -> Any:
                return None

        self.refused(TypeError, "framing", "clone", framing=Unclonable)
        for good in (Line, Line(), (Line, {"delimiter": b"|"}), Stream):
            ClientTCPFactory(serverInput=print, framing=good)

    def test_others(self) -> None:
        """
        The rest.
        """
        self.refused(TypeError, "args", args="text")
        self.refused(TypeError, "args", args=5)
        self.refused(TypeError, "args", args={})
        self.refused(TypeError, "reactor", "IReactorTime", reactor=5)
        self.refused(TypeError, "clock", "IReactorTime", clock=5)
        self.refused(TypeError, "autoReconnect", autoReconnect="no")

    def test_nowhere(self) -> None:
        """
        Without an address it is for others to connect: it cannot start by itself.
        """
        client = ClientTCPFactory(serverInput=print)
        self.assertIsInstance(client, ReconnectingClientFactory)
        for order in (client.start, client.reconnect, client.connect):
            error = self.assertRaises(ValueError, order)
            self.assertIn("remoteAddress", str(error))

    def test_connectChecks(self) -> None:
        """
        C{connect} checks its arguments as the constructor does, and then leaves all as
        it was.
        """
        client = ClientTCPFactory(serverInput=print)
        self.assertRaises(TypeError, client.connect, "localhost")
        self.assertRaises(ValueError, client.connect, "localhost", 0)
        self.assertRaises(ValueError, client.reconnect)


class OrderTests(ClientTestCase):
    """
    The order of the callbacks.
    """

    def test_wholeLife(self) -> None:
        """
        From C{started} to C{stopped}.
        """
        client = self.client(args=("x",))
        stopped = client.start()
        self.assertEqual(self.events, ["started"])
        transport = self.establish()
        self.assertEqual(self.events, ["started", "connected"])
        self.assertTrue(client.connected)
        client.put(b"one")
        self.assertEqual(client.pendingOctets, 5)
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"one\r\n")
        transport.drain()
        transport.protocol.dataReceived(b"two\r\nthr")
        disconnection = client.shutdown()
        self.assertEqual((client.connected, client.shuttingDown), (False, True))
        self.assertTrue(transport.disconnecting)
        self.assertNoResult(disconnection)
        transport.lose(ConnectionDone())
        self.assertEqual(
            self.events,
            [
                "started",
                "connected",
                "serverFlushed",
                ("serverInput", b"two"),
                "disconnected",
                "stopped",
            ],
        )
        self.assertIsInstance(self.successResultOf(disconnection), Disconnection)
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_startedArguments(self) -> None:
        """
        C{started} gets C{args}; it can stop the client before any attempt.
        """
        got: list[Any] = []
        client = self.client(args=[1, 2], started=lambda *args: got.append(args))
        client.start()
        self.assertEqual(got, [(client, 1, 2)])

        def started(client: ClientTCPFactory) -> None:
            client.shutdown()

        stopped = self.client(started=started).start()
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(len(self.attempts()), 1)

    def test_refusedWithoutRetry(self) -> None:
        """
        C{connectError} alone, then the end, with the failure.
        """
        client = self.client(autoReconnect=False)
        stopped, connection = client.start(), client.whenConnected()
        self.refuse()
        self.assertEqual(
            self.events, ["started", ("connectError", "connect", 111), "stopped"]
        )
        self.failureResultOf(stopped, ConnectionRefusedError)
        self.failureResultOf(connection, ConnectionRefusedError)
        self.failureResultOf(client.whenConnected(), ConnectionRefusedError)
        self.failureResultOf(client.whenStopped(), ConnectionRefusedError)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_retry(self) -> None:
        """
        After a failure and after a loss there is another attempt.
        """
        client = self.client()
        client.start()
        self.refuse()
        self.assertEqual(len(self.attempts()), 1)
        self.reactor.advance(1)
        transport = self.establish()
        transport.lose()
        self.assertEqual(
            self.events[-2:], [("serverError", "read", 104), "disconnected"]
        )
        self.assertFalse(client.shuttingDown)
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 3)

    def test_orderFromConnectError(self) -> None:
        """
        C{reconnect} from C{connectError} is what follows, and it alone.
        """
        client = self.client(autoReconnect=False)
        stopped = client.start()
        self.recorder.on["connectError"] = lambda client, failure: client.reconnect(3)
        self.refuse()
        self.assertNoResult(stopped)
        self.reactor.advance(2.9)
        self.assertEqual(len(self.attempts()), 1)
        self.reactor.advance(0.1)
        self.assertEqual(len(self.attempts()), 2)

    def test_orderFromServerError(self) -> None:
        """
        C{reconnect} from C{serverError}: C{disconnected} first, then the attempt.
        """
        client, transport = self.connected(autoReconnect=False)
        self.recorder.on["serverError"] = lambda client, failure: client.reconnect()
        transport.protocol.readConnectionLost()
        transport.lose(ConnectionDone())
        self.assertEqual(self.events[-2:], [("serverError", "read", 0), "disconnected"])
        self.assertEqual(len(self.attempts()), 2)

    def test_reconnectWhileConnected(self) -> None:
        """
        The connection is aborted, its C{disconnected} tells what was lost, and no
        record of it comes any more.
        """
        client, transport = self.connected(autoReconnect=False)
        client.put(b"lost")
        self.recorder.on["serverInput"] = lambda client, line: client.reconnect()
        transport.protocol.dataReceived(b"a\r\nb\r\n")
        self.assertTrue(transport.aborted)
        self.assertEqual((client.connected, client.shuttingDown), (False, False))
        transport.protocol.dataReceived(b"c\r\n")
        transport.lose()
        self.assertEqual(
            self.events, ["started", "connected", ("serverInput", b"a"), "disconnected"]
        )
        self.assertEqual(self.recorder.disconnections[0].unsent, 6)
        self.assertEqual(self.recorder.disconnections[0].initiator, "local")
        self.establish()
        self.assertEqual(self.events[-1], "connected")

    def test_connectElsewhere(self) -> None:
        """
        A new address is remembered; the attempt at the old one is dropped without a
        word.
        """
        client = self.client()
        client.start()
        self.attempts()
        client.connect("127.0.0.2", 8)
        self.assertEqual(self.attempts()[-1][:2], ("127.0.0.2", 8))
        self.refuse()
        self.reactor.advance(1)
        self.assertEqual(self.attempts()[-1][:2], ("127.0.0.2", 8))
        client.connect(port=9)
        self.assertEqual(self.attempts()[-1][:2], ("127.0.0.2", 9))
        self.assertEqual(self.events, ["started", ("connectError", "connect", 111)])

    def test_connectFromStarted(self) -> None:
        """
        An address given in C{started} is the first one tried.
        """
        self.recorder.on["started"] = lambda client: client.connect("127.0.0.3", 9)
        self.client().start()
        self.assertEqual([a[:2] for a in self.attempts()], [("127.0.0.3", 9)])

    def test_shutdownWhileConnecting(self) -> None:
        """
        The attempt is dropped: C{stopped}, and nothing else.
        """
        client = self.client()
        stopped = client.start()
        self.attempts()
        self.assertIsNone(self.successResultOf(client.shutdown()))
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.events, ["started", "stopped"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_shutdownWhileWaiting(self) -> None:
        """
        Between two attempts likewise.
        """
        client = self.client()
        client.start()
        self.refuse()
        client.shutdown()
        self.assertEqual(self.events[-1], "stopped")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_shutdownTwice(self) -> None:
        """
        The second C{shutdown} changes nothing; each has its own Deferred.
        """
        client, transport = self.connected()
        client.put(b"x")
        first, second = client.shutdown(), client.shutdown()
        first.cancel()
        self.failureResultOf(first)
        self.reactor.advance(0)
        transport.drain()
        self.assertTrue(transport.disconnecting)
        transport.lose(ConnectionDone())
        self.assertIsNotNone(self.successResultOf(second))
        self.assertEqual(self.events.count("disconnected"), 1)
        self.assertIsNone(self.successResultOf(client.shutdown()))

    def test_nothingAfterShutdown(self) -> None:
        """
        No record follows C{shutdown}, of the same read or of a later one.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, line: client.shutdown()
        transport.protocol.dataReceived(b"a\r\nb\r\nc\r\n")
        transport.protocol.dataReceived(b"d\r\n")
        self.assertEqual(self.events[2:], [("serverInput", b"a")])

    def test_restart(self) -> None:
        """
        A client that has stopped can be started again, also from C{stopped}; who starts
        it then waits for the next stop.
        """
        again: list[Deferred[None]] = []

        def stopped(client: ClientTCPFactory, failure: Any) -> None:
            if not again:
                again.append(client.start())

        self.recorder.on["stopped"] = stopped
        client = self.client()
        first = client.start()
        client.shutdown()
        self.assertIsNone(self.successResultOf(first))
        self.assertNoResult(again[0])
        self.assertEqual(self.events, ["started", "stopped", "started"])
        self.establish()
        self.assertTrue(client.connected)

    def test_ordersInOneCallback(self) -> None:
        """
        Who starts the client again, in the callback in which he has stopped it, waits
        for the next stop.
        """
        waiting: list[Any] = []

        def connectError(client: ClientTCPFactory, failure: Any) -> None:
            if not waiting:
                waiting.append(client.shutdown())
                waiting.append(client.shutdown())
                waiting.append(client.whenStopped())
                waiting.append(client.start())
                waiting.append(client.whenConnected())

        self.recorder.on["connectError"] = connectError
        client = self.client()
        client.start()
        self.refuse()
        for waiter in waiting[:3]:
            self.assertIsNone(self.successResultOf(waiter))
        for waiter in waiting[3:]:
            self.assertNoResult(waiter)
        self.establish()
        self.assertIs(self.successResultOf(waiting[4]), client.server)

    def test_shutdownBehindALoss(self) -> None:
        """
        C{shutdown} between two attempts, or before C{connected}, had no connection.
        """
        client, transport = self.connected()
        transport.lose()
        self.assertIsNone(self.successResultOf(client.shutdown()))
        self.setUp()
        client, transport = self.connected(preConnect=lambda c, n: Deferred())
        stopping = client.shutdown()
        transport.lose()
        self.assertIsNone(self.successResultOf(stopping))

    def test_startWhileShuttingDown(self) -> None:
        """
        An order that would be lost is refused.
        """
        client, transport = self.connected()
        client.shutdown()
        self.assertRaises(RuntimeError, client.start)

    def test_startTwice(self) -> None:
        """
        A second start changes nothing; both Deferreds fire.
        """
        client = self.client()
        first, second = client.start(), client.start()
        client.shutdown()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.events, ["started", "stopped"])

    def test_whenConnected(self) -> None:
        """
        It fires with the connection, behind C{connected}; at once when there is one.
        """
        client = self.client()
        early = client.whenConnected()
        given_up = client.whenConnected()
        given_up.cancel()
        self.failureResultOf(given_up)
        client.start()
        self.recorder.on["connected"] = lambda client, peer: self.assertNoResult(early)
        self.establish()
        self.assertIs(self.successResultOf(early), client.server)
        self.assertIs(self.successResultOf(client.whenConnected()), client.server)

    def test_whenConnectedFails(self) -> None:
        """
        It fails when the client is stopped before.
        """
        client = self.client()
        client.start()
        waiting = client.whenConnected()
        client.shutdown()
        self.failureResultOf(waiting, NotConnectedError)

    def test_cleanEnd(self) -> None:
        """
        A clean end of stream is no failure of the client's: it stops with None.
        """
        client, transport = self.connected(autoReconnect=False)
        stopped = client.whenStopped()
        transport.protocol.readConnectionLost()
        self.assertEqual(self.events[-1], ("serverError", "read", 0))
        self.assertTrue(client.shuttingDown)
        transport.lose(ConnectionDone())
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.recorder.disconnections[0].initiator, "peer")

    def test_flags(self) -> None:
        """
        What the flags say in each callback.
        """
        flags: list[Any] = []

        def note(name: str) -> Any:
            return lambda client, *args: flags.append(
                (name, client.connected, client.shuttingDown, client.server is not None)
            )

        for name in self.recorder.parameters():
            self.recorder.on[name] = note(name)
        client, transport = self.connected(autoReconnect=False)
        transport.protocol.dataReceived(b"a\n")
        transport.lose()
        self.assertEqual(
            flags,
            [
                ("started", False, False, False),
                ("connected", True, False, True),
                ("serverInput", True, False, True),
                ("serverError", True, False, True),
                ("disconnected", False, True, False),
                ("stopped", False, True, False),
            ],
        )

    def test_truncated(self) -> None:
        """
        What stood unfinished at the end is told.
        """
        client, transport = self.connected()
        transport.protocol.dataReceived(b"a\r\nrest")
        transport.protocol.readConnectionLost()
        transport.lose(ConnectionDone())
        self.assertEqual(self.recorder.disconnections[0].truncated.rest, b"rest")

    def test_endOfStreamTwice(self) -> None:
        """
        A transport that reports the end of stream again is heard once.
        """
        client, transport = self.connected()
        transport.protocol.readConnectionLost()
        transport.protocol.readConnectionLost()
        self.assertEqual(self.events.count(("serverError", "read", 0)), 1)


class PutTests(ClientTestCase):
    """
    C{put}.
    """

    def test_notConnected(self) -> None:
        """
        Without a connection: before, between, after.
        """
        client = self.client()
        self.assertRaises(NotConnectedError, client.put, b"x")
        client.start()
        self.assertRaises(NotConnectedError, client.put, b"x")
        transport = self.establish()
        transport.lose()
        self.assertRaises(NotConnectedError, client.put, b"x")
        self.assertEqual(client.pendingOctets, 0)

    def test_wrongRecords(self) -> None:
        """
        What the framing refuses is the caller's error, and leaves the connection alone.
        """
        client, transport = self.connected()
        self.assertRaises(TypeError, client.put, "text")
        self.assertRaises(FramingError, client.put, b"a\nb")
        client.put(b"good")
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"good\r\n")

    def test_framingThatMakesNoOctets(self) -> None:
        """
        A framing that frames wrongly is named to the caller.
        """

        class Wrong(Stream):
            def frame(self, record: Any) -> Any:
                return "text"

            def clone(self) -> Wrong:
                return Wrong()

        client, transport = self.connected(framing=Wrong)
        error = self.assertRaises(TypeError, client.put, b"x")
        self.assertIn("Wrong.frame() must return bytes", str(error))

    def test_whileShuttingDown(self) -> None:
        """
        It is accepted until our side is ended, and flushed with the rest.
        """
        client, transport = self.connected()
        client.put(b"a")
        client.shutdown()
        client.put(b"b")
        self.reactor.advance(0)
        transport.drain()
        self.assertEqual(transport.sent, b"a\r\nb\r\n")
        self.assertRaises(NotConnectedError, client.put, b"c")

    def test_fromServerInput(self) -> None:
        """
        What is put while octets are received goes out at their end, in one write.
        """
        client, transport = self.connected()
        self.recorder.on["serverInput"] = lambda client, line: client.put(line)
        transport.protocol.dataReceived(b"a\r\nb\r\n")
        self.assertEqual(transport.value(), b"a\r\nb\r\n")


class FaultTests(ClientTestCase):
    """
    Callbacks that raise, and octets that are no records.
    """

    def test_callbackRaises(self) -> None:
        """
        It is logged, told to C{serverError} once, and costs the connection; what it has
        not seen of the batch it never sees.
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
        A coroutine that nobody would wait for is no less of a fault if it is returned
        by a function that does not look like it.
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
        C{SystemExit} costs the connection too, and goes on to whoever called us.
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
        Whichever raises: the order of the others stays, and the client goes on.
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

    def test_framingFault(self) -> None:
        """
        The records before the fault are delivered; then C{serverError}, and the end.
        What was put is still flushed.
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
            def feed(self, data: bytes) -> Any:
                raise KeyError("oops")

            def clone(self) -> Broken:
                return self

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
        transport.protocol.readConnectionLost()
        transport.lose(ConnectionDone())
        got = [line for line in lines if line.startswith("Client ")]
        self.assertEqual(
            got,
            [
                "Client 127.0.0.1:7: cannot connect: Connection refused",
                "Client 127.0.0.1:7: the server closed the connection",
            ],
        )

    def test_unsentIsNeverSilent(self) -> None:
        """
        Without C{disconnected} the octets lost are logged.
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


class NegotiationTests(ClientTestCase):
    """
    C{preConnect}.
    """

    def negotiating(self, preConnect: Any, **more: Any) -> tuple[Any, Transport]:
        return self.connected(preConnect=preConnect, autoReconnect=False, **more)

    def test_true(self) -> None:
        """
        Something true lets the connection go on; before that, C{put} has none.
        """
        seen: list[Any] = []

        def preConnect(client: ClientTCPFactory, negotiation: Any) -> bool:
            seen.append((negotiation.transport, client.connected))
            self.assertRaises(NotConnectedError, client.put, b"x")
            return True

        client, transport = self.negotiating(preConnect)
        self.assertEqual(seen, [(transport, False)])
        self.assertEqual(self.events, ["started", "connected"])

    def test_false(self) -> None:
        """
        Anything false refuses it: the transport is closed, and C{connectError} gets
        what was returned.
        """
        for answer in (None, False, 0, ""):
            self.setUp()
            client, transport = self.negotiating(lambda c, n, answer=answer: answer)
            self.assertTrue(transport.aborted)
            self.assertEqual(self.events, ["started"])
            transport.lose()
            self.assertEqual(
                self.events,
                ["started", ("connectError", "preconnect", 103), "stopped"],
            )
            refusal = self.recorder.failures[0]
            self.assertTrue(refusal.check(NegotiationRefused))
            self.assertIn(f"it returned {answer!r}", refusal.getErrorMessage())

    def test_raises(self) -> None:
        """
        An exception refuses it too, and is logged.
        """
        client, transport = self.negotiating(lambda c, n: 1 / 0)
        transport.lose()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        refusal = self.recorder.failures[0].value
        self.assertIsInstance(refusal.__cause__, ZeroDivisionError)

    def test_dialogue(self) -> None:
        """
        A coroutine talks record by record; what stands behind the last one it read goes
        to C{serverInput}, once C{connected} has returned.
        """
        got: list[Any] = []

        async def preConnect(client: Any, negotiation: Any) -> bool:
            got.append(await negotiation.nextRecord())
            negotiation.put(b"USER me")
            got.append(await negotiation.nextRecord())
            return True

        client, transport = self.negotiating(preConnect)
        self.assertEqual(transport.producerState, "producing")
        transport.protocol.dataReceived(b"hel")
        transport.protocol.dataReceived(b"lo\r\n")
        self.reactor.advance(0)
        self.assertEqual(transport.value(), b"USER me\r\n")
        transport.protocol.dataReceived(b"welcome\r\nfirst\r\nsec")
        self.assertEqual(got, [b"hello", b"welcome"])
        transport.protocol.dataReceived(b"ond\r\n")
        self.assertEqual(
            self.events[1:],
            ["connected", ("serverInput", b"first"), ("serverInput", b"second")],
        )

    def test_oneReadManyRecords(self) -> None:
        """
        Records that came in one read go out one by one, and nothing is read between.
        """
        answer: Deferred[bool] = Deferred()
        negotiations: list[Any] = []

        def preConnect(client: Any, negotiation: Any) -> Deferred[bool]:
            negotiations.append(negotiation)
            return answer

        client, transport = self.negotiating(preConnect)
        self.assertEqual(transport.producerState, "paused")
        [negotiation] = negotiations
        first = negotiation.nextRecord()
        self.assertEqual(transport.producerState, "producing")
        self.assertRaises(RuntimeError, negotiation.nextRecord)
        transport.protocol.dataReceived(b"a\r\nb\r\nc\r")
        self.assertEqual(transport.producerState, "paused")
        self.assertEqual(self.successResultOf(first), b"a")
        self.assertEqual(self.successResultOf(negotiation.nextRecord()), b"b")
        self.assertEqual(self.successResultOf(negotiation.nextRecord()), b"c")
        answer.callback(True)
        self.assertEqual(transport.producerState, "producing")
        transport.protocol.dataReceived(b"\nd\r\n")
        self.assertEqual(self.events[1:], ["connected", ("serverInput", b"d")])
        self.failureResultOf(negotiation.nextRecord(), NotConnectedError)
        self.assertRaises(NotConnectedError, negotiation.put, b"late")

    def test_forgottenDecorator(self) -> None:
        """
        What nobody waits for is no consent: a generator whose decorator was forgotten,
        a future of another kind.
        """

        def generator(client: Any, negotiation: Any) -> Any:
            yield negotiation.nextRecord()

        class Future:
            def __await__(self) -> Any:
                yield

        for answer in (lambda c, n: generator(c, n), lambda c, n: Future()):
            self.setUp()
            client, transport = self.negotiating(answer)
            self.assertTrue(transport.aborted)
            transport.lose()
            self.assertEqual(self.events[1], ("connectError", "preconnect", 103))

    def test_cancellerRaises(self) -> None:
        """
        A Deferred that cannot be cancelled does not hinder the end.
        """

        def cancel(waiting: Deferred[Any]) -> None:
            raise ZeroDivisionError()

        client, transport = self.negotiating(lambda c, n: Deferred(cancel))
        client.shutdown()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        transport.lose()
        self.assertEqual(self.events, ["started", "stopped"])

    def test_reason(self) -> None:
        """
        C{nextRecord} fails with what ended the connection.
        """
        reasons: list[Any] = []

        def preConnect(client: Any, negotiation: Any) -> Any:
            return negotiation.nextRecord().addErrback(reasons.append)

        client, transport = self.negotiating(preConnect)
        transport.protocol.readConnectionLost()
        self.assertTrue(reasons[0].check(ConnectionDone))

    def test_overWhenConnected(self) -> None:
        """
        When C{connected} is called the negotiation is over.
        """
        negotiations: list[Any] = []

        def preConnect(client: Any, negotiation: Any) -> bool:
            negotiations.append(negotiation)
            return True

        def connected(client: Any, peer: Any) -> None:
            self.assertRaises(NotConnectedError, negotiations[0].put, b"late")
            client.shutdown()

        self.recorder.on["connected"] = connected
        client, transport = self.negotiating(preConnect)
        self.assertTrue(transport.disconnecting)

    def test_lostMeanwhile(self) -> None:
        """
        A loss fails the record that is waited for, and the attempt.
        """

        async def preConnect(client: Any, negotiation: Any) -> bool:
            await negotiation.nextRecord()
            return True

        client, transport = self.negotiating(preConnect)
        transport.lose()
        self.assertEqual(
            self.events, ["started", ("connectError", "read", 104), "stopped"]
        )

    def test_endedMeanwhile(self) -> None:
        """
        So does the peer's end of stream, however clean: it is a failed attempt.
        """

        async def preConnect(client: Any, negotiation: Any) -> bool:
            await negotiation.nextRecord()
            return True

        client, transport = self.negotiating(preConnect)
        transport.protocol.readConnectionLost()
        transport.lose()
        self.assertEqual(
            self.events, ["started", ("connectError", "read", 0), "stopped"]
        )
        self.failureResultOf(client.whenStopped(), ConnectionDone)

    def test_lostWhileWaiting(self) -> None:
        """
        So does any other loss, and C{preConnect} is cancelled.
        """
        cancelled: list[Any] = []
        _, transport = self.negotiating(lambda c, n: Deferred(cancelled.append))
        transport.lose()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(
            self.events, ["started", ("connectError", "read", 104), "stopped"]
        )

    def test_shutdownMeanwhile(self) -> None:
        """
        An order to stop cancels C{preConnect} and tells no error.
        """
        cancelled: list[Any] = []
        client, transport = self.negotiating(lambda c, n: Deferred(cancelled.append))
        client.shutdown()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.events, ["started"])
        transport.lose()
        self.assertEqual(self.events, ["started", "stopped"])

    def test_deadline(self) -> None:
        """
        C{connectTimeout} covers it: one deadline for the whole attempt.
        """
        client = self.client(
            preConnect=lambda c, n: Deferred(), connectTimeout=5, autoReconnect=False
        )
        stopped = client.start()
        self.attempts()
        self.reactor.advance(3)
        transport = self.establish()
        self.reactor.advance(1.9)
        self.assertFalse(transport.aborted)
        self.reactor.advance(0.1)
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertEqual(
            self.events, ["started", ("connectError", "connect", 110), "stopped"]
        )
        expired = self.failureResultOf(stopped, TimeoutError)
        self.assertIn("in 5.0 seconds: no end of preConnect", str(expired.value))

    def test_badRecord(self) -> None:
        """
        Octets that are no record fail the record that is waited for.
        """
        failures: list[Any] = []

        async def preConnect(client: Any, negotiation: Any) -> bool:
            try:
                await negotiation.nextRecord()
            except FramingError as error:
                failures.append(error)
            return False

        client, transport = self.negotiating(preConnect, framing=Line(maxLength=2))
        transport.protocol.dataReceived(b"long\r\n")
        self.assertEqual(len(failures), 1)
        self.assertTrue(transport.aborted)


class DelayTests(ClientTestCase):
    """
    When the next attempt comes.
    """

    def delays(self, client: ClientTCPFactory, count: int) -> list[float]:
        found = []
        client.start()
        for _ in range(count):
            self.refuse()
            found.append(client.delay)
            self.reactor.advance(client.delay)
        return found

    def test_exponential(self) -> None:
        """
        The attributes of C{ReconnectingClientFactory} say how the waits grow.
        """
        client = self.client()
        client.factor = 2
        client.maxDelay = 5
        self.assertEqual(self.delays(client, 5), [1, 2, 4, 5, 5])

    def test_subclass(self) -> None:
        """
        They are honoured in a subclass, from the first wait on.
        """

        class Slow(ClientTCPFactory):
            initialDelay = 3
            factor = 3

        client = Slow(
            remoteAddress="127.0.0.1",
            remotePort=7,
            reactor=self.reactor,
            **self.recorder.parameters(),
        )
        client.jitter = 0
        self.assertEqual(self.delays(client, 3), [3, 9, 27])

    def test_jitter(self) -> None:
        """
        By default each wait is drawn between nothing and the longest.
        """
        client = self.client()
        del client.jitter
        client.maxDelay = 8
        drawn = self.delays(client, 50)
        self.assertTrue(all(0 <= delay <= 8 for delay in drawn))
        self.assertGreater(len(set(drawn)), 40)

    def test_nonsense(self) -> None:
        """
        Delays that are none are refused at the start; set later they end the client
        instead of leaving it hanging.
        """
        for name, wrong in (("initialDelay", -1), ("factor", 0.5), ("jitter", 2)):
            client = self.client()
            setattr(client, name, wrong)
            error = self.assertRaises(ValueError, client.start)
            self.assertIn(name, str(error))
        client = self.client()
        stopped = client.start()
        client.maxDelay = "soon"  # type: ignore[assignment]
        self.refuse()
        self.failureResultOf(stopped, TypeError)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_noJitter(self) -> None:
        """
        None stands for no jitter, as in C{ReconnectingClientFactory}.
        """
        client = self.client()
        client.jitter = None  # type: ignore[assignment]
        self.assertEqual(self.delays(client, 1), [1])

    def test_resetAfterStability(self) -> None:
        """
        The waits begin anew only after a connection that has held.
        """
        client = self.client()
        self.delays(client, 3)
        self.establish().lose()
        self.assertEqual(client.retries, 4)
        self.reactor.advance(client.delay)
        transport = self.establish()
        self.reactor.advance(client.stableAfter)
        transport.lose()
        self.assertEqual(client.retries, 1)

    def test_deadline(self) -> None:
        """
        An attempt that takes too long fails as one, and is dropped.
        """
        client = self.client(connectTimeout=5)
        client.start()
        self.attempts()
        self.reactor.advance(5)
        self.assertEqual(self.events[-1], ("connectError", "connect", 110))
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 2)

    def test_stopTrying(self) -> None:
        """
        C{stopTrying} ends waiting and connecting at once, and a connection's client
        when that is lost.
        """
        client = self.client()
        client.start()
        self.refuse()
        client.stopTrying()
        self.assertEqual(self.events[-1], "stopped")
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        client.start().addErrback(lambda failure: None)
        transport = self.establish()
        client.stopTrying()
        self.assertTrue(client.connected)
        transport.lose()
        self.assertEqual(self.events[-1], "stopped")
        client.resetDelay()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_retry(self) -> None:
        """
        C{retry} makes an attempt after the policy's wait.
        """
        client = self.client()
        client.start()
        self.refuse()
        client.retry()
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 2)


class DetailTests(SynchronousTestCase):
    """
    L{errorDetails}.
    """

    def test_triples(self) -> None:
        """
        POE's operation, number and text.
        """
        for error, operation, number, text in (
            (ConnectionDone(), "read", 0, ""),
            (ConnectionLost(), "read", 104, "Connection reset by peer"),
            (ConnectionRefusedError(), "connect", 111, "Connection refused"),
            (ConnectionRefusedError(osError=111), "connect", 111, "Connection refused"),
            (TimeoutError(), "connect", 110, "Connection timed out"),
            (DNSLookupError("nowhere"), "getaddrinfo", -2, None),
            (NotConnectedError("x"), "put", 107, "x"),
            (OSError(101, "no"), "connect", 101, "Network is unreachable"),
            # An IPv6 address whose zone is none of this machine's.
            (socket.gaierror(-2, "not known"), "getaddrinfo", -2, "not known"),
            (ConnectBindError(-2, "not known"), "bind", -2, None),
            (ValueError("what"), "connect", 5, "what"),
        ):
            details = errorDetails(Failure(error))
            self.assertEqual(details[:2], (operation, number), error)
            if text is not None:
                self.assertEqual(details.text, text)


@implementer(IStreamClientEndpoint)
class SlowEndpoint:
    """
    An endpoint whose attempts end when the test says so.
    """

    def __init__(self) -> None:
        self.factories: list[Any] = []
        self.results: list[Deferred[Any]] = []

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        self.factories.append(protocolFactory)
        self.results.append(Deferred())
        return self.results[-1]


class Connecting:
    """
    A transport that is not connected yet.
    """

    def __init__(self, connector: BaseConnector) -> None:
        self._connector = connector

    def failIfNotConnected(self, error: Exception) -> None:
        self._connector.connectionFailed(Failure(error))


class TimedConnector(BaseConnector):
    """
    One of Twisted's connectors, for which the network does nothing.
    """

    def _makeTransport(self) -> Any:
        return Connecting(self)

    def getDestination(self) -> Any:
        return IPv4Address("TCP", "127.0.0.1", 7)


class DeadlineTests(ClientTestCase):
    """
    Who sees to it that an attempt does not take too long.
    """

    def begun(
        self,
        timeout: float | None = 30.0,
        make: Any = ClientTCPFactory,
        wrap: Any = lambda client: client,
        **parameters: Any,
    ) -> ClientTCPFactory:
        """
        @return: a client for which a connector of Twisted's has begun an attempt.
        """
        given = {**self.recorder.parameters(), "reactor": self.reactor, **parameters}
        client: ClientTCPFactory = make(**given)
        connector: Any = TimedConnector(wrap(client), timeout, self.reactor)  # type: ignore[arg-type]
        connector.connect()
        return client

    def timers(self) -> list[float]:
        """
        @return: when the calls are due that wait.
        """
        return sorted(call.getTime() for call in self.reactor.getDelayedCalls())

    def test_theirs(self) -> None:
        """
        Twisted's connector, if its time is no longer than ours, and nothing is to come
        but the transport. The failure says how long it was.
        """
        self.begun(timeout=5)
        self.assertEqual(self.timers(), [5.0])
        told: list[str] = []
        self.recorder.on["connectError"] = lambda client, failure: told.append(
            str(failure.value)
        )
        self.reactor.advance(5)
        self.assertEqual(self.events, ["started", ("connectError", "connect", 110)])
        self.assertIn("no connection in 5 seconds", told[0])

    def test_itsWords(self) -> None:
        """
        What somebody else says of a time that is up is left as it is.
        """
        client = self.begun(timeout=5)
        told: list[str] = []
        self.recorder.on["connectError"] = lambda client, failure: told.append(
            str(failure.value)
        )
        client.connector.connectionFailed(Failure(TimeoutError(string="by a proxy")))
        self.assertIn("by a proxy", told[0])

    def test_ours(self) -> None:
        """
        The client, in every other case.
        """

        class Refusing(ClientTCPFactory):
            def buildProtocol(self, addr: Any) -> Any:
                return None

        class Keeping(ClientTCPFactory):
            def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
                pass

        cases: tuple[dict[str, Any], ...] = (
            {"timeout": None},
            {"timeout": 31.0},
            {"preConnect": lambda client, negotiation: Deferred()},
            {"wrap": WrappingFactory},
            {"tls": optionsForClientTLS("localhost")},
            {"make": Refusing},
            {"make": Keeping},
        )
        for parameters in cases:
            self.setUp()
            self.begun(**{"timeout": 29.0, **parameters})
            self.assertIn(30.0, self.timers(), parameters)
            if parameters.get("timeout", 29) in (None, 31.0):
                self.reactor.advance(30)
                self.assertEqual(self.events[1:], [("connectError", "connect", 110)])

    def test_hooked(self) -> None:
        """
        Of a subclass that may refuse a connection, no connector of Twisted's makes the
        attempts, though the address is a literal.
        """

        class Refusing(ClientTCPFactory):
            def buildProtocol(self, addr: Any) -> Any:
                return None

        client = Refusing(
            remoteAddress="127.0.0.1",
            remotePort=7,
            reactor=self.reactor,
            **self.recorder.parameters(),
        )
        client.start()
        self.assertIsInstance(client.connector, EndpointConnector)
        self.assertEqual(self.timers(), [30.0])

    def test_waitIsOver(self) -> None:
        """
        An attempt that the user makes while the client waits is not timed out by that
        wait.
        """
        client = self.begun()
        client.initialDelay = 7
        client.jitter = 0
        client.connector.connectionFailed(Failure(ConnectionRefusedError()))
        self.reactor.advance(1)
        client.connector.connect()
        self.reactor.advance(7)
        self.assertEqual(self.events[1:], [("connectError", "connect", 111)])
        self.assertEqual(self.timers(), [31.0])

    def test_otherClock(self) -> None:
        """
        The client, if it goes by another clock than the connector's reactor.
        """
        clock = Clock()
        self.begun(clock=clock)
        self.assertEqual(len(clock.getDelayedCalls()), 1)

    def test_hosted(self) -> None:
        """
        Nobody where a ClientService hands over a connection that can be used at once.
        """
        client = self.client(remoteAddress=None, remotePort=None)
        protocol = client.buildProtocol(None)
        transport = Transport()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        self.assertEqual(self.events, ["connected"])
        self.assertEqual(self.timers(), [])

    def test_hostedNegotiation(self) -> None:
        """
        But the client where there is something to negotiate.
        """
        client = self.client(
            remoteAddress=None,
            remotePort=None,
            preConnect=lambda client, negotiation: Deferred(),
        )
        protocol = client.buildProtocol(None)
        transport = Transport()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        self.assertEqual(self.timers(), [30.0])
        self.reactor.advance(30)
        self.assertTrue(transport.aborted)

    def test_builtAndNeverMade(self) -> None:
        """
        And the client where an endpoint has built a protocol at once, and gives it no
        transport.
        """

        class Hasty(SlowEndpoint):
            def connect(self, protocolFactory: Any) -> Deferred[Any]:
                protocolFactory.buildProtocol(None)
                return super().connect(protocolFactory)

        client = self.client(remoteAddress=None, remotePort=None, endpoint=Hasty())
        client.start()
        self.assertEqual(self.timers(), [30.0])


class ConnectorTests(ClientTestCase):
    """
    L{EndpointConnector}.
    """

    def client(self, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client that needs one: for this the reactor's own does not do.
        """
        return super().client(**{"remoteAddress": "fe80::1%0", **parameters})

    def test_interfaces(self) -> None:
        """
        It is an C{IConnector}; a connection can be half-closed.
        """
        client, transport = self.connected()
        self.assertIsInstance(client.connector, EndpointConnector)
        self.assertTrue(verifyObject(IConnector, client.connector))
        self.assertTrue(verifyObject(IHalfCloseableProtocol, client.server))
        self.assertEqual(client.connector.getDestination().port, 7)

    def test_state(self) -> None:
        """
        Its state is that of Twisted's; a second attempt is refused.
        """
        client = self.client()
        client.start()
        self.attempts()
        connector = client.connector
        self.assertEqual(connector.state, "connecting")
        self.assertRaises(RuntimeError, connector.connect)
        transport = self.establish()
        self.assertEqual(connector.state, "connected")
        connector.disconnect()
        self.assertTrue(transport.disconnecting)
        transport.lose(ConnectionDone())
        self.assertEqual(connector.state, "disconnected")
        self.assertEqual(self.recorder.disconnections[0].initiator, "local")
        self.reactor.advance(client.delay)
        self.attempts()
        client.connector.disconnect()
        self.assertEqual(self.events[-1][0], "connectError")

    def test_factoryCalls(self) -> None:
        """
        It tells the factory what Twisted's connectors tell theirs.
        """
        calls: list[str] = []

        class Telling(ClientTCPFactory):
            def startFactory(self) -> None:
                calls.append("startFactory")

            def stopFactory(self) -> None:
                calls.append("stopFactory")

            def clientConnectionLost(self, connector: Any, reason: Any) -> None:
                calls.append("lost")
                super().clientConnectionLost(connector, reason)

            def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
                calls.append("failed")
                super().clientConnectionFailed(connector, reason)

        client = Telling(
            remoteAddress="fe80::1%0",
            remotePort=7,
            reactor=self.reactor,
            **self.recorder.parameters(),
        )
        client.start()
        self.refuse()
        self.assertEqual(calls, ["startFactory", "failed", "stopFactory"])
        self.reactor.advance(1)
        self.establish().lose()
        self.assertEqual(calls[3:], ["startFactory", "lost", "stopFactory"])
        self.assertEqual(client.numPorts, 0)

    def test_builtAndNeverMade(self) -> None:
        """
        An endpoint that has built the protocol and never gives it a transport is timed
        out as any; if it comes to it all the same, the transport is closed.
        """
        endpoint = SlowEndpoint()
        client = self.client(
            remoteAddress=None,
            remotePort=None,
            endpoint=endpoint,
            autoReconnect=False,
            connectTimeout=5,
        )
        stopped = client.start()
        self.reactor.advance(0)
        protocol = endpoint.factories[0].buildProtocol(None)
        self.reactor.advance(5)
        self.assertEqual(
            self.events, ["started", ("connectError", "connect", 110), "stopped"]
        )
        self.failureResultOf(stopped, TimeoutError)
        transport = Transport()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertEqual(self.events[2:], ["stopped"])

    def test_builtAndFailed(self) -> None:
        """
        Nor does it matter that the protocol was built if the endpoint then fails.
        """
        endpoint = SlowEndpoint()
        client = self.client(remoteAddress=None, remotePort=None, endpoint=endpoint)
        client.start()
        self.reactor.advance(0)
        endpoint.factories[0].buildProtocol(None)
        endpoint.results[0].errback(ConnectionRefusedError())
        self.assertEqual(self.events[-1], ("connectError", "connect", 111))
        self.reactor.advance(client.delay)
        self.assertEqual(len(endpoint.factories), 2)

    def test_endpointRaises(self) -> None:
        """
        An endpoint that raises has failed.
        """

        @implementer(IStreamClientEndpoint)
        class Raising:
            def connect(self, factory: Any) -> Any:
                raise ZeroDivisionError()

        client = self.client(
            remoteAddress=None, remotePort=None, endpoint=Raising(), autoReconnect=False
        )
        stopped = client.start()
        self.reactor.advance(0)
        self.failureResultOf(stopped, ZeroDivisionError)

    def test_startedConnectingRaises(self) -> None:
        """
        A subclass's hook that raises costs the attempt, and no more.
        """
        faults = [ZeroDivisionError()]

        class Hooked(ClientTCPFactory):
            def startedConnecting(self, connector: Any) -> None:
                if faults:
                    raise faults.pop()
                super().startedConnecting(connector)

        client = Hooked(
            remoteAddress="127.0.0.1",
            remotePort=7,
            reactor=self.reactor,
            **self.recorder.parameters(),
        )
        client.start()
        self.reactor.advance(0)
        self.assertEqual(self.events[-1][0], "connectError")
        self.reactor.advance(client.delay)
        self.assertEqual(len(self.attempts()), 1)

    def test_atOnce(self) -> None:
        """
        An endpoint may connect at once.
        """

        @implementer(IStreamClientEndpoint)
        class Hasty:
            def connect(self, factory: Any) -> Deferred[Any]:
                transport = Transport()
                transport.protocol = factory.buildProtocol(None)
                transport.protocol.makeConnection(transport)
                return succeed(transport.protocol)

        client = self.client(remoteAddress=None, remotePort=None, endpoint=Hasty())
        client.start()
        self.assertEqual(self.events, ["started", "connected"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_failsAtOnce(self) -> None:
        """
        Or fail at once: a client that is started again each time it has stopped does
        not keep the reactor from its other work.
        """

        @implementer(IStreamClientEndpoint)
        class Failing:
            def connect(self, factory: Any) -> Deferred[Any]:
                return fail(ConnectionRefusedError())

        def stopped(client: ClientTCPFactory, failure: Any) -> None:
            if self.events.count("stopped") < 3:
                client.start().addErrback(lambda failure: None)

        self.recorder.on["stopped"] = stopped
        client = self.client(
            remoteAddress=None,
            remotePort=None,
            endpoint=Failing(),
            autoReconnect=False,
        )
        client.start().addErrback(lambda failure: None)
        self.assertEqual(self.events.count("stopped"), 1)
        self.reactor.advance(0)
        self.assertEqual(self.events.count("stopped"), 3)

    def test_lateSuccess(self) -> None:
        """
        An attempt that was given up and succeeds all the same is closed.
        """
        endpoint = SlowEndpoint()
        client = self.client(remoteAddress=None, remotePort=None, endpoint=endpoint)
        stopped = client.start()
        self.reactor.advance(0)
        client.shutdown()
        self.successResultOf(stopped)
        self.assertIsNone(endpoint.factories[0].buildProtocol(None))

    def test_secondConnection(self) -> None:
        """
        A factory in use builds no second protocol.
        """
        client, transport = self.connected()
        self.assertIsNone(client.buildProtocol(None))
