"""
Helpers for tests without sockets: a client on a memory reactor, and transports whose
peer is the test.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IPushProducer, IStreamClientEndpoint
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
    A transport that, like that of a socket, resumes a pull producer when it is
    registered and whenever all output has been accepted: here, by L{drain}.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        producer.resumeProducing()

    def drain(self) -> None:
        """
        Let the kernel accept all output.
        """
        self.sent += self.value()
        self.clear()
        if self.producer is not None:
            self.producer.resumeProducing()

    @property
    def held(self) -> int:
        """
        The number of bytes that the kernel has not accepted.
        """
        return len(self.value())


@implementer(IPushProducer)
class Producer:
    """
    A producer of an application, push or pull.

    @ivar calls: the calls of its methods.
    @ivar step: called by C{resumeProducing}.
    """

    def __init__(self, step: Any = None) -> None:
        self.calls: list[str] = []
        self.step = step

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")
        if self.step is not None:
            self.step()

    def stopProducing(self) -> None:
        self.calls.append("stop")


class Transport(AskingTransport):
    """
    A transport that the test can lose.

    @ivar aborted: True if C{abortConnection} was called.
    """

    aborted = False

    def __init__(self) -> None:
        super().__init__()
        self.protocol: Any = None

    def abortConnection(self) -> None:
        self.aborted = True

    def lose(self, reason: Any = None) -> None:
        """
        Lose the connection.

        @param reason: the exception; by default, a C{ConnectionLost}.
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
    Tests with a client on a memory reactor.

    @ivar factory: the class of the clients.
    """

    factory: type[ClientTCPFactory] = ClientTCPFactory

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.recorder = Recorder()
        self.events = self.recorder.events

    def client(self, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client with the recorder's callbacks, whose delays are not random.
        """
        given = {
            "remoteAddress": "127.0.0.1",
            "remotePort": 7,
            "reactor": self.reactor,
            **self.recorder.parameters(),
            **parameters,
        }
        client = self.factory(**given)
        client.jitter = 0
        return client

    def attempts(self) -> list[Any]:
        """
        Advance to the next turn of the reactor.

        @return: the attempts made until then.
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
    An endpoint whose attempts end when the test ends them.
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
    Tests with a client whose framing adds one byte to each record.
    """

    def connected(self, **parameters: Any) -> tuple[ClientTCPFactory, Transport]:
        return super().connected(**{"framing": Line(delimiter=b"\n"), **parameters})

    def records(self) -> list[Any]:
        """
        @return: the records that were delivered.
        """
        return [event[1] for event in self.events if event[0] == "serverInput"]

    def unsent(self, stopped: Deferred[Any]) -> int:
        """
        @return: the C{unsent} of the result of C{shutdown}.
        """
        unsent: int = self.successResultOf(stopped).unsent
        return unsent

    def drain(self, transport: Transport) -> None:
        """
        Let the kernel accept all output, also output that is sent in reply to that.
        """
        self.reactor.advance(0)
        while transport.held:
            transport.drain()
            self.reactor.advance(0)


class RetryTestCase(ClientTestCase):
    """
    Tests that check how a started client stops.
    """

    def started(self, **parameters: Any) -> ClientTCPFactory:
        client = self.client(**parameters)
        self.stop = client.start()
        return client

    def assertGaveUp(self, *cause: type[BaseException]) -> RetriesExhausted:
        """
        Check that the client has given up and that no timer is left.

        @param cause: the class of the last failure.

        @return: the error.
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
        Advance to the next attempt.

        @return: the seconds until then.
        """
        (timer,) = self.reactor.getDelayedCalls()
        wait: float = timer.getTime() - self.reactor.seconds()
        attempts = len(self.attempts())
        self.reactor.advance(wait)
        self.assertEqual(len(self.attempts()), attempts + 1)
        return wait


ABC = ("tcp:127.0.0.1:1", "tcp:127.0.0.2:2", "tcp:127.0.0.3:3")
