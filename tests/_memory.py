"""
Helpers for tests without sockets: a client on a memory reactor, transports whose peer
the test plays.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import RetriesExhausted
from twisted_clienttcp.framing import Line

from ._support import Recorder


class AskingTransport(StringTransport):
    """
    A transport that asks a pull producer for more when it is registered, and then
    whenever the test has C{drain}ed it, as a socket does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        producer.resumeProducing()

    def drain(self) -> None:
        """
        Give all to the kernel.
        """
        self.sent += self.value()
        self.clear()
        if self.producer is not None:
            self.producer.resumeProducing()

    @property
    def held(self) -> int:
        """
        The bytes that the kernel does not have.
        """
        return len(self.value())


class Producer:
    """
    An application's producer, push or pull.

    @ivar step: what a pull producer does when it is asked.
    """

    def __init__(self, step: Any = None) -> None:
        self.told: list[str] = []
        self.step = step

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")
        if self.step is not None:
            self.step()

    def stopProducing(self) -> None:
        self.told.append("stop")


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


def phase(client: ClientTCPFactory) -> str:
    """
    @return: the phase of a client, as its C{repr} shows it.
    """
    return repr(client).rpartition(" ")[2].rstrip(">")


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


class FlowTestCase(ClientTestCase):
    """
    A client with a framing that adds one byte to a record.
    """

    def connected(self, **parameters: Any) -> tuple[ClientTCPFactory, Transport]:
        return super().connected(**{"framing": Line(delimiter=b"\n"), **parameters})

    def records(self) -> list[Any]:
        return [event[1] for event in self.events if event[0] == "serverInput"]

    def unsent(self, stopped: Deferred[Any]) -> int:
        """
        @return: what a Deferred of C{shutdown} tells to be unsent.
        """
        unsent: int = self.successResultOf(stopped).unsent
        return unsent

    def drain(self, transport: Transport) -> None:
        """
        Let the kernel take all there is, and all that follows.
        """
        self.reactor.advance(0)
        while transport.held:
            transport.drain()
            self.reactor.advance(0)


class RetryTestCase(ClientTestCase):
    """
    A client that is started, and whose failure is looked at by the test.
    """

    def started(self, **parameters: Any) -> ClientTCPFactory:
        client = self.client(**parameters)
        self.stop = client.start()
        return client

    def assertGaveUp(self, *cause: type[BaseException]) -> RetriesExhausted:
        """
        The client has given up, and nothing of it is left.
        """
        error = self.failureResultOf(self.stop, RetriesExhausted).value
        self.assertEqual(self.events[-1], "stopped")
        self.assertIs(self.recorder.failures[-1].value, error)
        self.assertIsInstance(error.__cause__, cause)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        assert isinstance(error, RetriesExhausted)
        return error

    def wait(self, client: ClientTCPFactory) -> float:
        """
        Let the wait be over.

        @return: how long it was.
        """
        (timer,) = self.reactor.getDelayedCalls()
        wait: float = timer.getTime() - self.reactor.seconds()
        attempts = len(self.attempts())
        self.reactor.advance(wait)
        self.assertEqual(len(self.attempts()), attempts + 1)
        return wait


ABC = ("tcp:127.0.0.1:1", "tcp:127.0.0.2:2", "tcp:127.0.0.3:3")
