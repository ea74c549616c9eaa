"""
Tests for C{connectTimeout}: it ends every attempt, for each way to connect.
"""

from __future__ import annotations

import sys
from errno import ETIMEDOUT
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.base import BaseConnector
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import Clock
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory, errorDetails

from .._memory import ClientTestCase, SlowEndpoint, Transport
from .._processes import run


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
    A connector of Twisted, on a network that never answers.
    """

    def _makeTransport(self) -> Any:
        return Connecting(self)

    def getDestination(self) -> Any:
        return IPv4Address("TCP", "127.0.0.1", 7)


class DeadlineTests(ClientTestCase):
    """
    Tests for the timer that limits an attempt.
    """

    def begun(
        self,
        timeout: float | None = 30.0,
        make: Any = ClientTCPFactory,
        wrap: Any = lambda client: client,
        **parameters: Any,
    ) -> ClientTCPFactory:
        """
        @return: a client for which a connector of Twisted has begun an attempt.
        """
        given = {**self.recorder.parameters(), "reactor": self.reactor, **parameters}
        client: ClientTCPFactory = make(**given)
        connector: Any = TimedConnector(wrap(client), timeout, self.reactor)  # type: ignore[arg-type]
        connector.connect()
        return client

    def timers(self) -> list[float]:
        """
        @return: the times of the delayed calls.
        """
        return sorted(call.getTime() for call in self.reactor.getDelayedCalls())

    def test_theirs(self) -> None:
        """
        The timer of Twisted's connector is used if its time is not longer than ours,
        and only the transport is missing. The failure has that time.
        """
        self.begun(timeout=5)
        self.assertEqual(self.timers(), [5.0])
        reported: list[str] = []
        self.recorder.on["connectError"] = lambda client, failure: reported.append(
            str(failure.value)
        )
        self.reactor.advance(5)
        self.assertEqual(self.events, ["started", ("connectError", "connect", 110)])
        self.assertEqual(reported, ["not connected in time (timeout=5)"])

    def test_otherText(self) -> None:
        """
        The text of another object's timeout is left as it is.
        """
        client = self.begun(timeout=5)
        reported: list[str] = []
        self.recorder.on["connectError"] = lambda client, failure: reported.append(
            str(failure.value)
        )
        client.connector.connectionFailed(Failure(TimeoutError(string="by a proxy")))
        self.assertIn("by a proxy", reported[0])

    def test_ours(self) -> None:
        """
        The timer of the client is used in every other case.
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
        It is used too if a subclass may refuse a connection.
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
        It is used if the client has another clock than the connector's reactor.
        """
        clock = Clock()
        self.begun(clock=clock)
        self.assertEqual(len(clock.getDelayedCalls()), 1)

    def test_hosted(self) -> None:
        """
        No timer is used if a C{ClientService} passes on a connection that can be used
        at once.
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
        The client's timer is used if there is a C{preConnect}.
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
        The client's timer is used if an endpoint has built a protocol and never
        connects it.
        """

        class Hasty(SlowEndpoint):
            def connect(self, protocolFactory: Any) -> Deferred[Any]:
                protocolFactory.buildProtocol(None)
                return super().connect(protocolFactory)

        client = self.client(remoteAddress=None, remotePort=None, endpoint=Hasty())
        client.start()
        self.assertEqual(self.timers(), [30.0])


class TimeTests(SynchronousTestCase):
    """
    The clock that is used.
    """

    def test_timeIsSet(self) -> None:
        """
        If the time of day is set back during an attempt, C{connectTimeout} does not
        take longer, provided that the reactor uses another clock.
        """
        code = (
            "import signal, time\n"
            "signal.alarm(10)\n"
            "back, now = 0, time.time\n"
            "time.time = lambda: now() - back\n"
            "from twisted.internet import reactor\n"
            "from twisted.internet.protocol import Factory, Protocol\n"
            "reactor.seconds = time.monotonic\n"
            "from twisted_clienttcp import ClientTCPFactory\n"
            "def preConnect(client, negotiation):\n"
            "    global back\n"
            "    back = 3600\n"
            "    return negotiation.nextRecord()\n"
            "listening = reactor.listenTCP(0, Factory.forProtocol(Protocol),\n"
            "                              interface='127.0.0.1')\n"
            "client = ClientTCPFactory(serverInput=print, preConnect=preConnect,\n"
            "                          remoteAddress='127.0.0.1',\n"
            "                          remotePort=listening.getHost().port,\n"
            "                          connectTimeout=0.1, autoReconnect=False)\n"
            "client.start().addErrback(lambda failure: reactor.stop())\n"
            "reactor.run()\n"
        )
        run(sys.executable, "-c", code)


class WordTests(ClientTestCase):
    """
    Tests for the words in which a passed deadline is reported.
    """

    def words(self) -> str:
        """
        @return: the error that C{connectError} has been called with.
        """
        (failure,) = self.recorder.failures
        self.assertTrue(failure.check(TimeoutError))
        self.assertEqual(errorDetails(failure)[:2], ("connect", ETIMEDOUT))
        self.recorder.failures.clear()
        return str(failure.value)

    def start(self, make: Any = ClientTCPFactory, **parameters: Any) -> None:
        """
        Start a client that stays alive after a failure.
        """
        given = {**self.recorder.parameters(), "reactor": self.reactor, **parameters}
        make(**given).start().addErrback(lambda failure: None)

    def test_connectTimeout(self) -> None:
        """
        The client names its own deadline, and what has not finished.
        """
        self.start(endpoint=SlowEndpoint())
        self.reactor.advance(30)
        self.assertEqual(self.words(), "not connected in time (connectTimeout=30)")
        self.setUp()
        client, transport = self.connected(
            preConnect=lambda client, negotiation: Deferred(), connectTimeout=2.5
        )
        self.reactor.advance(2.5)
        transport.lose()
        self.assertEqual(
            self.words(),
            "not connected in time: preConnect has not finished (connectTimeout=2.5)",
        )

    def test_endpoint(self) -> None:
        """
        An endpoint has the same deadline, or one of its own.
        """

        class Hooked(ClientTCPFactory):
            def startedConnecting(self, connector: Any) -> None:
                super().startedConnecting(connector)

        place: dict[str, Any] = {"remoteAddress": "192.0.2.1", "remotePort": 7}
        for parameters, words in (
            (place, "not connected in time (connectTimeout=30)"),
            (
                {"endpoint": "tcp:192.0.2.1:7:timeout=5"},
                "not connected in time (timeout=5)",
            ),
        ):
            self.setUp()
            self.start(Hooked, **parameters)
            factory = self.attempts()[-1][2]
            factory.clientConnectionFailed(None, Failure(TimeoutError()))
            self.assertEqual(self.words(), words)
        self.setUp()
        endpoint = SlowEndpoint()
        self.start(endpoint=endpoint)
        endpoint.results[0].errback(Failure(TimeoutError()))
        self.assertIn("not connected within the endpoint's timeout", self.words())
