"""
Tests for a list of endpoints: which of them is tried next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import RetriesExhausted
from twisted_clienttcp.framing import Netstring

from .._memory import ABC, ClientTestCase, SlowEndpoint, Transport
from .._resolver import NamingReactor


class FailoverTests(ClientTestCase):
    """
    The order of several endpoints.
    """

    def setUp(self) -> None:
        super().setUp()
        #: The destination of each attempt, from the connector in C{connectError}.
        self.failed: list[int] = []
        self.recorder.on["connectError"] = lambda client, failure: self.failed.append(
            client.connector.getDestination().port
        )

    def several(self, endpoint: Any = ABC, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client of several endpoints.
        """
        return self.client(
            **{
                "remoteAddress": None,
                "remotePort": None,
                "endpoint": endpoint,
                **parameters,
            }
        )

    def tried(self) -> list[int]:
        """
        @return: the ports of all attempts until now.
        """
        return [attempt[1] for attempt in self.attempts()]

    def test_round(self) -> None:
        """
        One attempt is one endpoint. Within a round there is no delay; between two
        rounds there is.
        """
        client = self.several()
        client.start()
        for ports in ([1], [1, 2], [1, 2, 3]):
            self.assertEqual(self.tried(), ports)
            self.refuse()
        self.assertEqual(self.failed, [1, 2, 3])
        self.assertEqual(self.tried(), [1, 2, 3])
        self.assertEqual(client.retries, 1)
        self.reactor.advance(client.initialDelay * 0.99)
        self.assertEqual(self.tried(), [1, 2, 3])
        self.reactor.advance(client.initialDelay * 0.01)
        for ports in ([1], [1, 2], [1, 2, 3]):
            self.assertEqual(self.tried()[3:], ports)
            self.refuse()
        self.assertEqual(client.retries, 2)
        self.assertEqual(
            self.events, ["started"] + [("connectError", "connect", 111)] * 6
        )

    def test_kept(self) -> None:
        """
        The endpoint that worked is used until it fails; then the round begins with it.
        """
        client = self.several()
        client.start()
        self.refuse()
        for _ in range(3):
            transport = self.establish()
            self.reactor.advance(client.stableAfter)
            transport.lose()
            self.assertEqual(self.tried()[-1], 2)
            self.reactor.advance(client.delay)
        self.assertEqual(self.tried(), [1, 2, 2, 2, 2])
        self.refuse()
        self.assertEqual(self.tried()[5:], [3])
        self.refuse()
        self.assertEqual(self.tried()[5:], [3, 1])
        self.refuse()
        self.assertEqual(self.tried()[5:], [3, 1])
        self.reactor.advance(client.delay)
        self.assertEqual(self.tried()[5:], [3, 1, 2])

    def test_giveUp(self) -> None:
        """
        C{maxRetries} counts rounds.
        """
        client = self.several()
        client.maxRetries = 1
        stopped = client.start()
        for _ in range(6):
            self.refuse()
            self.reactor.advance(client.initialDelay)
        self.assertEqual(self.tried(), [1, 2, 3, 1, 2, 3])
        self.failureResultOf(stopped, RetriesExhausted)

    def test_oneRound(self) -> None:
        """
        Without C{autoReconnect}, there is one round; the client stops with the last
        failure. When it is started again, it continues with the next endpoint.
        """
        client = self.several(autoReconnect=False)
        for _ in range(2):
            stopped = client.start()
            for _ in range(3):
                self.refuse()
            self.failureResultOf(stopped, ConnectionRefusedError)
        self.assertEqual(self.tried(), [1, 2, 3, 1, 2, 3])

    def test_newRound(self) -> None:
        """
        A client that was stopped in the middle of a round, and is started again, begins
        a whole one.
        """
        client = self.several(autoReconnect=False)
        client.start()
        self.refuse()
        self.assertEqual(self.tried(), [1, 2])
        client.shutdown()
        stopped = client.start()
        for _ in range(3):
            self.refuse()
        self.assertEqual(self.tried(), [1, 2, 3, 1, 2])
        self.failureResultOf(stopped, ConnectionRefusedError)

    def test_oneConnection(self) -> None:
        """
        Without C{autoReconnect} nothing follows a loss.
        """
        client = self.several(autoReconnect=False)
        client.start().addErrback(lambda failure: None)
        self.refuse()
        self.establish().lose()
        self.assertEqual(self.events[-1], "stopped")
        self.assertEqual(self.tried(), [1, 2])

    def test_deadline(self) -> None:
        """
        C{connectTimeout} applies to each attempt.
        """
        client = self.several(connectTimeout=5)
        client.start()
        self.tried()
        for ports in ([1, 2], [1, 2, 3]):
            self.reactor.advance(5)
            self.assertEqual(self.tried(), ports)
        self.assertEqual(self.failed, [1, 2])
        self.assertEqual(self.events[-1], ("connectError", "connect", 110))

    def test_negotiation(self) -> None:
        """
        An attempt that C{preConnect} refuses has failed too.
        """
        client = self.several(preConnect=lambda client, negotiation: False)
        client.start()
        self.establish().lose()
        self.assertEqual(self.tried(), [1, 2])
        self.assertEqual(self.failed, [1])

    def test_dropping(self) -> None:
        """
        An endpoint that accepts and drops connections is left when it has done so twice
        in a row before they were stable, each time after a delay.
        """
        client = self.several()
        client.start()
        for ports in ([1], [1, 1], [1, 1, 2], [1, 1, 2, 2], [1, 1, 2, 2, 3]):
            self.assertEqual(self.tried(), ports)
            self.establish().lose()
            self.assertEqual(self.tried(), ports)
            self.reactor.advance(client.delay)
        self.assertEqual(self.failed, [])

    def test_silent(self) -> None:
        """
        So is an endpoint that accepts and sends nothing, or nothing that can be
        decoded, although the client drops the connection then.
        """

        def mute(transport: Transport) -> None:
            self.reactor.pump([1.0] * 4)

        def babbling(transport: Transport) -> None:
            assert transport.protocol is not None
            transport.protocol.dataReceived(b"no number:")

        for cause, parameters in (
            (mute, {"heartbeat": (1, b"?")}),
            (mute, {"idleTimeout": 2}),
            (babbling, {"framing": Netstring}),
        ):
            self.setUp()
            client = self.several(**parameters)
            client.start()
            for ports in ([1], [1, 1], [1, 1, 2]):
                self.assertEqual(self.tried(), ports)
                transport = self.establish()
                cause(transport)
                transport.lose(ConnectionDone())
                self.reactor.advance(client.delay)

    def test_ourOwnEnd(self) -> None:
        """
        A connection that the client has ended does not count against its endpoint.
        """
        client = self.several()
        client.start()
        for _ in range(4):
            transport = self.establish()
            client.reconnect()
            transport.lose()
        self.assertEqual(self.tried(), [1] * 5)

    def test_orders(self) -> None:
        """
        Calls in C{connectError} take precedence over the round.
        """
        for order, later in (
            (lambda client: client.reconnect(5), [1, 2]),
            (lambda client: client.shutdown(), [1]),
            (lambda client: client.stopTrying(), [1]),
        ):
            self.setUp()
            act: Callable[[Any], Any] = order
            self.recorder.on["connectError"] = lambda client, failure, act=act: act(
                client
            )
            client = self.several()
            client.start().addErrback(lambda failure: None)
            self.refuse()
            self.assertEqual(self.tried(), [1])
            self.reactor.advance(5)
            self.assertEqual(self.tried(), later)

    def test_elsewhere(self) -> None:
        """
        Another address replaces all endpoints.
        """
        client = self.several()
        client.start()
        self.refuse()
        self.assertEqual(self.tried(), [1, 2])
        client.connect("127.0.0.9", 9)
        self.assertEqual(self.tried(), [1, 2, 9])
        self.refuse()
        self.reactor.advance(client.delay)
        self.assertEqual(self.tried(), [1, 2, 9, 9])

    def test_elsewhereWithoutTLS(self) -> None:
        """
        Not if the endpoints use TLS themselves: another address would not.
        """
        client = self.several(
            ["tcp:127.0.0.1:1", "tls:127.0.0.2:2"],
            # Twisted deprecates host names on a reactor without a resolver.
            reactor=NamingReactor(self.reactor),
        )
        client.start()
        error = self.assertRaises(ValueError, client.connect, "127.0.0.9", 9)
        self.assertIn("'tls:127.0.0.2:2'", str(error))
        self.assertIn("remoteAddress, remotePort and tls", str(error))
        self.assertEqual(self.tried(), [1])

    def test_kinds(self) -> None:
        """
        Endpoints and descriptions can be mixed, in any iterable; each failure names its
        endpoint.
        """
        slow = SlowEndpoint()
        object4 = TCP4ClientEndpoint(self.reactor, "127.0.0.4", 4)
        where: list[Any] = []
        self.recorder.on["connectError"] = lambda client, failure: where.append(
            str(client.connector.getDestination())
        )
        client = self.several(iter([ABC[0], slow, object4, "unix:/no/such"]))
        client.start()
        self.refuse()
        self.reactor.advance(0)
        slow.results[0].errback(ConnectionRefusedError())
        self.refuse()
        self.assertEqual(client.connector.getDestination().endpoint, object4)
        self.reactor.advance(0)
        self.assertEqual(len(self.reactor.unixClients), 1)
        self.reactor.unixClients[0][1].clientConnectionFailed(
            None, Failure(ConnectionRefusedError())
        )
        self.assertEqual(
            where,
            [
                "IPv4Address(type='TCP', host='127.0.0.1', port=1)",
                str(slow),
                str(object4),
                "unix:/no/such",
            ],
        )

    def test_logged(self) -> None:
        """
        Without C{connectError}, the log names the endpoint.
        """
        client = self.client(
            remoteAddress=None, remotePort=None, endpoint=ABC, connectError=None
        )
        client.start()
        with capturedLogs() as logs:
            for _ in range(3):
                self.refuse()
        said = [formatEvent(event) for event in logs if "operation" in event]
        for line, port in zip(said, (1, 2, 3), strict=True):
            self.assertIn(f"127.0.0.{port}:{port}", str(line))

    def test_transport(self) -> None:
        """
        C{client.server} is the connection to the endpoint that answered.
        """
        client = self.several()
        client.start()
        self.refuse()
        self.assertIsInstance(self.establish(), Transport)
        self.assertEqual(client.connector.getDestination().port, 2)
        self.assertIn("127.0.0.2:2", repr(client))
