"""
Tests for connecting through endpoints, also ones that raise, or answer early or late.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import (
    IConnector,
    IHalfCloseableProtocol,
    IStreamClientEndpoint,
)
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_clienttcp import ClientTCPFactory

from .._memory import ClientTestCase, SlowEndpoint, Transport


class EndpointTests(ClientTestCase):
    """
    Tests for the connector that endpoints are connected with.
    """

    def client(self, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client that needs a connector of its own.
        """
        return super().client(**{"remoteAddress": "fe80::1%0", **parameters})

    def test_interfaces(self) -> None:
        """
        It is an C{IConnector}; a connection can be half-closed.
        """
        client, transport = self.connected()
        self.assertIsNot(self.attempts()[-1][2], client)
        self.assertTrue(verifyObject(IConnector, client.connector))
        self.assertTrue(verifyObject(IHalfCloseableProtocol, client.server))
        self.assertEqual(client.connector.getDestination().port, 7)

    def test_state(self) -> None:
        """
        It has the states of Twisted's connectors; a second attempt is an error.
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
        It calls the same methods of the factory as Twisted's connectors.
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

    def test_cancellerRaises(self) -> None:
        """
        An endpoint whose Deferred cannot be cancelled does not keep the client from
        stopping; the error is logged.
        """

        @implementer(IStreamClientEndpoint)
        class Stubborn:
            def connect(self, factory: Any) -> Deferred[Any]:
                return Deferred(self.cancel)

            def cancel(self, connecting: Deferred[Any]) -> None:
                raise ZeroDivisionError

        client = self.client(remoteAddress=None, remotePort=None, endpoint=Stubborn())
        stopped = client.start()
        self.assertEqual(client.numPorts, 1)
        client.shutdown()
        self.successResultOf(stopped)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(client.numPorts, 0)

    def test_builtAndNeverMade(self) -> None:
        """
        An endpoint that has built the protocol and never connects it is timed out like
        any other; if it connects later, the transport is closed.
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
        An endpoint that raises is a failed attempt.
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
        If an overridden method raises, only the attempt fails.
        """
        raising = [ZeroDivisionError()]

        class Hooked(ClientTCPFactory):
            def startedConnecting(self, connector: Any) -> None:
                if raising:
                    raise raising.pop()
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
        An endpoint may fail at once: a client that is started again each time it stops
        does not keep the reactor from its other work.
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
        An attempt that was given up and succeeds later is closed.
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
        A factory that is in use does not build a second protocol.
        """
        client, transport = self.connected()
        self.assertIsNone(client.buildProtocol(None))
