"""
Tests for the constructor's arguments: wrong ones are refused with the remedy.
"""

from __future__ import annotations

import sys
from functools import partial, wraps
from typing import Any
from unittest.mock import Mock

from twisted.internet.protocol import ReconnectingClientFactory
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Framing, JSONLines, Line, Stream
from twisted_clienttcp.retry import constant

from .._processes import run
from .._support import Recorder


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
        }
        for each in ({name: value} for name, value in settings.items()):
            client: Any = ClientTCPFactory(serverInput=print, **each)  # type: ignore[arg-type]
            usual: Any = ClientTCPFactory(serverInput=print)
            for name in settings:
                expected = each.get(name, getattr(usual, name))
                self.assertEqual(getattr(client, name), expected, (each, name))

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
