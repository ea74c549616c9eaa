"""
Tests for the settings: what the constructor rejects, attributes of subclasses, and when
a later change takes effect.
"""

from __future__ import annotations

import sys
from functools import partial, wraps
from typing import Any
from unittest.mock import Mock

from twisted.internet.error import ConnectionDone
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.internet.task import Clock
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import NotConnectedError, OutputFull
from twisted_clienttcp.framing import Framing, JSONLines, Line, Stream
from twisted_clienttcp.retry import constant

from .._memory import ABC, ClientTestCase, RetryTestCase, Transport
from .._processes import run
from .._support import Recorder


class ArgumentTests(SynchronousTestCase):
    """
    The constructor rejects wrong arguments. The error names them and says what to do.
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
        The error for an unknown parameter suggests the nearest one.
        """
        self.refused(TypeError, "serverInptu", "serverInput?", serverInptu=print)
        self.refused(TypeError, "RemotePort", "remotePort?", RemotePort=5)
        self.refused(TypeError, "zzz", "use one of", zzz=1)
        self.refused(TypeError, "Filter", "framing?", Filter=Line)
        self.refused(TypeError, "host", "remoteAddress?", host="localhost")
        self.refused(TypeError, "initialDelya", "initialDelay?", initialDelya=1)
        self.refused(TypeError, "heap", "client.heap", heap=1)
        self.refused(TypeError, "framing=Line(maxLength=...)", maxLength=5)
        self.refused(TypeError, "framing=Line(delimiter=...)", delimiter=b"|")

    def test_position(self) -> None:
        """
        Only the address and the port can be passed by position.
        """
        error = self.assertRaises(TypeError, ClientTCPFactory, "localhost", 7, "third")
        self.assertEqual(
            str(error),
            "only remoteAddress and remotePort can be passed by position, not 'third': "
            "pass it by its name, as in serverInput=...",
        )

    #: Unknown parameters as users of Twisted, POE and other libraries write them, and
    #: what is suggested; None for the list of all parameters.
    LIKELY: dict[str, str | None] = {
        "reconnect": "autoReconnect?",
        "auto_reconnect": "autoReconnect?",
        "autoReconect": "autoReconnect?",
        "retries": "maxRetries?",
        "max_retries": "maxRetries?",
        "delay": "initialDelay?",
        "reconnectDelay": "initialDelay?",
        "backoff": "initialDelay?",
        "ssl": "tls?",
        "ssl_context": "tls?",
        "contextFactory": "tls?",
        "useTLS": "tls?",
        "hostname": "remoteAddress?",
        "server": "remoteAddress?",
        "port": "remotePort?",
        "timeout": "connectTimeout?",
        "connectionTimeout": "connectTimeout?",
        "keepalive": "keepAlive?",
        "tcpNoDelay": "noDelay?",
        "source_address": "bindAddress?",
        "family": "domain?",
        "protocol": "framing?",
        "Filter": "framing?",
        "max_length": "framing=Line(maxLength=...)",
        "separator": "framing=Line(delimiter=...)",
        "loop": "reactor?",
        "ping_interval": "heartbeat?",
        "highWaterMark": "highMark?",
        "queueSize": "outputLimit?",
        "connectionMade": "connected?",
        "onConnect": "connected?",
        "on_connected": "connected?",
        "dataReceived": "serverInput?",
        "lineReceived": "serverInput?",
        "on_message": "serverInput?",
        "ServerInput": "serverInput?",
        "onError": "serverError?",
        "connectionLost": "disconnected?",
        "on_close": "disconnected?",
        "clientConnectionFailed": "connectError?",
        "onStop": "stopped?",
        "password": None,
        "username": None,
        "logger": None,
        "verify": None,
        "on": None,
    }

    def test_likely(self) -> None:
        """
        For likely mistakes, the suggestion has that meaning. There is no suggestion of
        a parameter that is similar by chance.
        """
        for name, meant in self.LIKELY.items():
            self.refused(TypeError, name, meant or "use one of", **{name: 1})

    def test_positional(self) -> None:
        """
        The address and the port can be given by position, and nothing else.
        """
        client = ClientTCPFactory("localhost", 7, serverInput=print)
        self.assertEqual((client.remoteAddress, client.remotePort), ("localhost", 7))
        wrong: Any = ClientTCPFactory
        self.assertRaises(TypeError, wrong, "localhost", 7, print)
        self.assertRaises(
            TypeError, wrong, "localhost", 7, remotePort=7, serverInput=print
        )
        self.assertRaises(ValueError, wrong, "localhost", 0, serverInput=print)

    def test_serverInput(self) -> None:
        """
        C{serverInput} is required, and must be a function.
        """
        self.refused(TypeError, "serverInput is required", serverInput=None)
        self.refused(TypeError, "serverInput", "function", serverInput=5)

    def test_callbacks(self) -> None:
        """
        The others must be functions too, and not coroutine functions.
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
        A callback that does not accept its arguments is rejected. The error shows them.
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
        C{putMany} rejects one record: it would send its bytes one by one.
        """
        client = ClientTCPFactory(
            serverInput=print, offlineLimit=100, framing=JSONLines
        )
        for record in (b"text", bytearray(b"text"), memoryview(b"text"), "text"):
            raised = self.assertRaises(TypeError, client.putMany, record)
            self.assertIn("put() sends one record", str(raised))
        self.assertEqual(client.pendingBytes, 0)

    def test_fittingSignatures(self) -> None:
        """
        All others are accepted: with defaults, wrapped, or without a known signature.
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
        # True equals the 1 of the client before, but is not the same key.
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
        self.refused(TypeError, "together", endpoint="tcp:localhost:7")
        nowhere = {"remoteAddress": None, "remotePort": None}
        self.refused(ValueError, "endpoint", endpoint="nonsense", **nowhere)
        self.refused(TypeError, "endpoint", endpoint=5, **nowhere)

    def test_endpointNeedsNoReactor(self) -> None:
        """
        Describing an endpoint does not install a reactor.
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
        Each parameter sets the attribute of its name and no other.
        """
        policy = constant(7)
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
            "unacknowledgedTimeout": 9.0,
        }
        for each in ({name: value} for name, value in settings.items()):
            client: Any = ClientTCPFactory(serverInput=print, **each)  # type: ignore[arg-type]
            usual: Any = ClientTCPFactory(serverInput=print)
            for name in settings:
                expected = each.get(name, getattr(usual, name))
                self.assertEqual(getattr(client, name), expected, (each, name))

    def test_ofASubclass(self) -> None:
        """
        A parameter wins over an attribute of the class.
        """

        class Patient(ClientTCPFactory):
            autoReconnect = False
            connectTimeout = 5.0

        client = Patient(serverInput=print, autoReconnect=True, connectTimeout=30.0)
        self.assertEqual((client.autoReconnect, client.connectTimeout), (True, 30.0))

    def test_methodWithoutSelf(self) -> None:
        """
        A method without a parameter for its object is rejected.
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

        class Unrepeatable(Stream):
            def fresh(self) -> Any:
                return None

        class Duck:
            def decode(self, data: Any, start: int, searched: int) -> Any: ...

            def encode(self, record: Any) -> Any: ...

        self.refused(TypeError, "Unrepeatable", "fresh()", framing=Unrepeatable)
        self.refused(TypeError, "subclass of Framing", framing=Duck)
        self.refused(TypeError, "subclass of Framing", framing=Duck())
        self.refused(TypeError, "use Receiver(", framing=LineReceiver)
        self.refused(TypeError, "decode()", framing=Framing)
        for good in (Line, Line(), (Line, {"delimiter": b"|"}), Stream):
            ClientTCPFactory(serverInput=print, framing=good)

    def test_others(self) -> None:
        """
        Other parameters.
        """
        self.refused(TypeError, "args", args="text")
        self.refused(TypeError, "args", args=5)
        self.refused(TypeError, "args", args={})
        self.refused(TypeError, "reactor", "IReactorTime", reactor=5)
        self.refused(TypeError, "clock", "IReactorTime", clock=5)
        self.refused(TypeError, "autoReconnect", autoReconnect="no")

    def test_nowhere(self) -> None:
        """
        Without an address, only a connector of another object can connect it.
        """
        client = ClientTCPFactory(serverInput=print)
        self.assertIsInstance(client, ReconnectingClientFactory)
        for order in (client.start, client.reconnect, client.connect):
            error = self.assertRaises(ValueError, order)
            self.assertIn("remoteAddress", str(error))

    def test_connectChecks(self) -> None:
        """
        C{connect} validates its arguments as the constructor does, and changes nothing
        if they are wrong.
        """
        client = ClientTCPFactory(serverInput=print)
        self.assertRaises(TypeError, client.connect, "localhost")
        self.assertRaises(ValueError, client.connect, "localhost", 0)
        self.assertRaises(ValueError, client.reconnect)


class ClientsTestCase(RetryTestCase):
    """
    A client whose output the kernel accepts when the test says so.
    """

    def sent(self, transport: Transport) -> bytes:
        """
        Let the kernel accept everything.

        @return: all that was sent.
        """
        self.reactor.advance(0)
        while transport.held:
            transport.drain()
            self.reactor.advance(0)
        return bytes(transport.sent)


class SubclassTests(ClientsTestCase):
    """
    Settings as attributes of a subclass.
    """

    def of(self, kind: type[ClientTCPFactory], **parameters: Any) -> ClientTCPFactory:
        """
        @return: a started client of that class.
        """
        client = kind(reactor=self.reactor, **self.recorder.parameters(), **parameters)
        self.stop = client.start()
        return client

    def test_connectTimeout(self) -> None:
        """
        They are honoured.
        """

        class Impatient(ClientTCPFactory):
            remoteAddress = "127.0.0.1"
            remotePort = 7
            connectTimeout = 5.0

        self.of(Impatient)
        (deadline,) = self.reactor.getDelayedCalls()
        self.assertEqual(deadline.getTime(), 5)

    def test_described(self) -> None:
        """
        A class can describe a whole client.
        """

        class Feed(ClientTCPFactory):
            endpoint = ABC[:2]
            framing = JSONLines
            jitter = None
            initialDelay = 3
            stableAfter = 0
            idleTimeout = 60
            offlineLimit = 100
            args = ("feed",)
            inlineStates = {"tick": lambda client: client.put("tick")}
            retryPolicy = staticmethod(constant(4))

        started: list[Any] = []
        self.recorder.on["started"] = lambda client, *args: started.append(args)
        client = self.of(Feed)
        client.post("tick")
        transport = self.establish()
        self.assertEqual(self.sent(transport), b'"tick"\n')
        self.assertEqual(started, [("feed",)])
        # At the first deadline, the output has been accepted: the peer is alive.
        for isIdle in (False, True):
            self.reactor.advance(60)
            self.reactor.advance(0)
            self.assertEqual(transport.aborted, isIdle)
        transport.lose()
        self.assertEqual(self.wait(client), 4)

    def test_error(self) -> None:
        """
        A wrong one is an error at the definition of the class. It names the class.
        """
        with self.assertRaises(TypeError) as caught:

            class Feeder(ClientTCPFactory):
                connectTimeout = "soon"  # type: ignore[assignment]

        self.assertEqual(
            str(caught.exception),
            "class Feeder: connectTimeout must be a number of seconds, not 'soon'",
        )

    def test_withoutMarks(self) -> None:
        """
        A class can go back to the default of its base.
        """

        class Marked(ClientTCPFactory):
            highMark: int | None = 2
            lowMark: int | None = 1
            remoteAddress: Any = "localhost"
            remotePort: Any = 7

        class Plain(Marked):
            highMark = None
            lowMark = None
            remoteAddress = None
            remotePort = None

        marked, plain = Marked(serverInput=print), Plain(serverInput=print)
        self.assertEqual((marked.highMark, marked.lowMark), (2, 1))
        self.assertEqual((plain.highMark, plain.lowMark), (None, None))
        self.assertRaises(ValueError, plain.start)


class NameTests(SynchronousTestCase):
    """
    A misspelt setting is an error in each place where a setting may be given.
    """

    #: Misspelt names, and the settings that are meant.
    MISSPELT = {
        "maxretries": "maxRetries",
        "conectTimeout": "connectTimeout",
        "connect_timeout": "connectTimeout",
        "remotePrt": "remotePort",
    }

    def test_later(self) -> None:
        """
        As an attribute of a client; other new attributes are the user's own.
        """
        client = ClientTCPFactory("localhost", 7, serverInput=print)
        for name, meant in self.MISSPELT.items():
            error = self.assertRaises(TypeError, setattr, client, name, 1)
            self.assertEqual(
                str(error), f"{name} is not a setting: did you mean {meant}?"
            )
        # A name that begins with an underscore is never a setting.
        for name in ("colour", "arg", "_maxretries", "retries"):
            setattr(client, name, 1)
            self.assertEqual(getattr(client, name), 1)

    def test_subclass(self) -> None:
        """
        As an attribute of a subclass or of a mixin.
        """
        for name, meant in self.MISSPELT.items():
            mixin = type("Mixin", (), {name: 1})
            for bases, members in (
                ((ClientTCPFactory,), {name: 1}),
                ((mixin, ClientTCPFactory), {}),
            ):
                error = self.assertRaises(TypeError, type, "Mine", bases, members)
                self.assertIn(f"did you mean {meant}?", str(error))
        type("Mine", (ClientTCPFactory,), {"colour": 1, "arg": 2})


class LaterTests(ClientsTestCase):
    """
    When a change of a setting takes effect.
    """

    def where(self) -> tuple[str, int]:
        """
        @return: the address of the last attempt.
        """
        host, port = self.attempts()[-1][:2]
        return host, port

    def end(self, client: ClientTCPFactory, transport: Transport) -> None:
        """
        Lose the connection, and let the next attempt begin.
        """
        transport.lose(ConnectionDone())
        self.wait(client)

    def test_address(self) -> None:
        """
        An address is used from the next attempt on. It can be changed in two steps.
        """
        client = self.started()
        transport = self.establish()
        client.remoteAddress, client.remotePort = "127.0.0.2", 8
        self.assertIn("127.0.0.1:7", repr(client))
        self.end(client, transport)
        self.assertEqual(self.where(), ("127.0.0.2", 8))
        self.assertIn("127.0.0.2:8", repr(client))

    def test_addressShown(self) -> None:
        """
        Between attempts, the C{repr} has the address of the next one. While the address
        is not complete, it has that of the last one.
        """
        client = self.client()
        client.remotePort = 9
        self.assertIn("127.0.0.1:9 idle", repr(client))
        client.remotePort = None
        self.assertIn("127.0.0.1:7 idle", repr(client))
        client.remoteAddress = "127.0.0.2"
        client.remotePort = 8
        self.assertIn("127.0.0.2:8 idle", repr(client))
        client.start().addErrback(lambda failure: None)
        self.refuse()
        client.remotePort = 10
        self.assertIn("127.0.0.2:10 waiting", repr(client))
        client.shutdown()
        client.remotePort = 11
        self.assertIn("127.0.0.2:11 stopped", repr(client))

    def test_addressDuringAnAttempt(self) -> None:
        """
        The present attempt continues.
        """
        client = self.started()
        client.remoteAddress = "127.0.0.2"
        self.establish()
        self.assertTrue(client.connected)
        self.assertEqual(self.where(), ("127.0.0.1", 7))

    def test_addressBeforeTheStart(self) -> None:
        """
        A client without an address can get one, and starts when it is complete.
        """
        client = self.client(remoteAddress=None, remotePort=None)
        client.remoteAddress = "127.0.0.2"
        self.assertRaises(TypeError, client.start)
        client.remotePort = 8
        client.start()
        self.assertEqual(self.where(), ("127.0.0.2", 8))

    def test_incomplete(self) -> None:
        """
        If it is incomplete when an attempt begins, the attempt fails.
        """
        client = self.started()
        client.remotePort = None
        self.refuse()
        self.reactor.advance(client.delay)
        error = self.recorder.failures[-1].value
        self.assertIsInstance(error, TypeError)
        self.assertIn("remotePort", str(error))
        client.remotePort = 9
        self.wait(client)
        self.assertEqual(self.where(), ("127.0.0.1", 9))

    def test_endpoint(self) -> None:
        """
        An endpoint can replace an address; they cannot be used together.
        """
        client = self.started()
        error = self.assertRaises(TypeError, setattr, client, "endpoint", ABC)
        self.assertIn("cannot be used together", str(error))
        client.remoteAddress = client.remotePort = None
        client.endpoint = iter(ABC)
        self.assertEqual(client.endpoint, ABC)
        self.refuse()
        self.wait(client)
        self.assertEqual(self.where(), ("127.0.0.1", 1))
        self.refuse()
        self.assertEqual(self.where(), ("127.0.0.2", 2))

    def test_connect(self) -> None:
        """
        C{connect} changes the settings too, also those that were assigned before.
        """
        client = self.client(remoteAddress=None, remotePort=None, endpoint=ABC)
        client.connect("127.0.0.9", 9)
        self.assertEqual(
            (client.remoteAddress, client.remotePort, client.endpoint),
            ("127.0.0.9", 9, None),
        )
        self.assertEqual(self.where(), ("127.0.0.9", 9))
        client.remoteAddress = "127.0.0.5"
        client.connect(port=5)
        self.assertEqual(self.where(), ("127.0.0.5", 5))
        self.assertEqual(client.remotePort, 5)

    def test_foreignConnector(self) -> None:
        """
        An address also replaces that of a connector that is not the client's own.
        """
        client = self.client(remoteAddress=None, remotePort=None)
        self.reactor.connectTCP("127.0.0.1", 7, client)
        client.remoteAddress, client.remotePort = "127.0.0.2", 8
        self.refuse()
        self.wait(client)
        self.assertEqual(self.where(), ("127.0.0.2", 8))

    def test_service(self) -> None:
        """
        While a C{ClientService} connects, an address is rejected.
        """
        client = self.client(remoteAddress=None, remotePort=None)
        transport = Transport()
        transport.protocol = client.buildProtocol(None)
        transport.protocol.makeConnection(transport)
        error = self.assertRaises(
            RuntimeError, setattr, client, "remoteAddress", "127.0.0.2"
        )
        self.assertIn("ClientService", str(error))

    def test_connectTimeout(self) -> None:
        """
        C{connectTimeout} counts from the next attempt on, also in messages.
        """
        client = self.started(remoteAddress="fe80::1%0", connectTimeout=5)
        client.connectTimeout = 90
        self.reactor.advance(5)
        self.assertIn("connectTimeout=5)", str(self.recorder.failures[-1].value))
        self.reactor.advance(client.delay)
        self.reactor.advance(6)
        self.assertEqual(client.stats.failures, 1)
        self.reactor.advance(84)
        self.assertIn("connectTimeout=90)", str(self.recorder.failures[-1].value))

    def test_framing(self) -> None:
        """
        A framing is used from the next connection on; for records that are put without
        a connection, at once.
        """
        client = self.started(framing=Line(delimiter=b"|"), offlineLimit=100)
        transport = self.establish()
        client.framing = Line(delimiter=b";")
        client.put(b"one")
        self.assertEqual(self.sent(transport), b"one|")
        transport.lose(ConnectionDone())
        client.put(b"two")
        self.wait(client)
        transport = self.establish()
        transport.protocol.dataReceived(b"a;b|")
        self.assertEqual(self.sent(transport), b"two;")
        self.assertEqual(self.events[-2], ("serverInput", b"a"))

    def test_offlineLimit(self) -> None:
        """
        C{offlineLimit} counts at once, and what is queued stays queued.
        """
        client = self.client(framing=Stream())
        self.assertRaises(NotConnectedError, client.put, b"x")
        client.offlineLimit = 4
        client.put(b"abcd")
        self.assertRaises(OutputFull, client.put, b"x")
        client.offlineLimit = 5
        client.put(b"e")
        client.offlineLimit = 0
        self.assertRaises(NotConnectedError, client.put, b"x")
        self.assertEqual(client.pendingBytes, 5)
        self.stop = client.start()
        transport = self.establish()
        self.assertEqual(self.sent(transport), b"abcde")

    def test_offlineLimitOfAStoppedClient(self) -> None:
        """
        A client that has stopped accepts nothing until its next start.
        """
        client = self.client(framing=Stream())
        client.start()
        client.shutdown()
        client.offlineLimit = 4
        self.assertRaises(NotConnectedError, client.put, b"x")
        client.start().addErrback(lambda failure: None)
        client.put(b"abcd")
        self.assertEqual(client.pendingBytes, 4)

    def test_marks(self) -> None:
        """
        Marks count at once.
        """
        client = self.started(framing=Stream(), **self.recorder.marks(100, 10))
        self.establish()
        self.assertFalse(client.put(b"x" * 50))
        client.highMark = 40
        self.reactor.advance(0)
        self.assertEqual(self.events[-1], "serverHigh")
        self.assertEqual((client.highMark, client.lowMark), (40, 10))
        self.assertRaises(ValueError, setattr, client, "lowMark", 40)

    def test_args(self) -> None:
        """
        C{args} are passed at the next start.
        """
        started: list[Any] = []
        self.recorder.on["started"] = lambda client, *args: started.append(args)
        client = self.client()
        client.args = (1, 2)
        client.start()
        self.assertEqual(started, [(1, 2)])

    def test_clock(self) -> None:
        """
        A clock is used for timers that are started from then on.
        """
        client, clock = self.client(), Clock()
        client.clock = clock
        self.stop = client.start()
        self.refuse()
        clock.advance(0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(len(clock.getDelayedCalls()), 1)
        self.assertIs(client.clock, clock)

    def test_reactor(self) -> None:
        """
        A reactor cannot be changed. The error suggests the clock.
        """
        client = self.client()
        error = self.assertRaises(AttributeError, setattr, client, "reactor", Clock())
        self.assertIn("set clock", str(error))
        self.assertIs(client.reactor, self.reactor)

    def test_delays(self) -> None:
        """
        The settings of the backoff are used at the next failure.
        """
        client = self.started()
        self.refuse()
        client.initialDelay, client.factor = 5, 3
        self.assertEqual(self.wait(client), 1)
        self.refuse()
        self.assertEqual(self.wait(client), 15)
        client.retryPolicy = constant(2)
        self.refuse()
        self.assertEqual(self.wait(client), 2)
        client.maxRetries = 3
        self.refuse()
        self.assertGaveUp(Refused)

    def test_options(self) -> None:
        """
        C{noDelay}, C{keepAlive} and C{idleTimeout} are used for the next connection.
        """
        client = self.started(idleTimeout=None)
        transport = self.establish()
        client.idleTimeout, client.noDelay, client.keepAlive = 5, False, False
        self.reactor.advance(50)
        self.assertTrue(client.connected)
        self.end(client, transport)
        transport = self.establish()
        self.reactor.advance(5)
        self.reactor.advance(0)
        self.assertTrue(transport.aborted)


class DrainTests(ClientTestCase):
    """
    C{drainTimeout} counts when a connection begins to close.
    """

    def test_drainTimeout(self) -> None:
        """
        A later change does not change the close that has begun, nor its message.
        """
        client, transport = self.connected(framing=Stream(), drainTimeout=90)
        client.put(b"x")
        self.reactor.advance(0)
        client.drainTimeout = 5
        client.shutdown()
        client.drainTimeout = 70
        self.reactor.advance(4)
        self.assertFalse(transport.aborted)
        self.reactor.advance(1)
        self.assertTrue(transport.aborted)
        transport.lose()
        failure = self.recorder.disconnections[-1].failure
        self.assertIn("drainTimeout=5", str(failure.value))
