"""
Fixtures for pytest-twisted, as a user would write them.

The reactor is imported where it is used: pytest-twisted installs it, and C{--reactor}
chooses it, after this file has been imported.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import DeferredQueue
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.testing import MemoryServer


class Echo(LineReceiver):
    """
    Sends each line back; closes the connection after C{bye}.
    """

    def lineReceived(self, line: bytes) -> None:
        self.sendLine(line)
        if line == b"bye":
            assert self.transport is not None
            self.transport.loseConnection()


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def server() -> AsyncIterator[int]:
    """
    The port of a server that echoes lines, on the loopback interface.
    """
    from twisted.internet import reactor

    factory = Factory.forProtocol(Echo)
    factory.noisy = False
    endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
    listening = await endpoint.listen(factory)
    yield listening.getHost().port
    await listening.stopListening()


@pytest.fixture
def lines() -> DeferredQueue[bytes]:
    """
    The lines that the clients of a test have received.
    """
    return DeferredQueue()


@pytest.fixture
def makeClient(
    server: int, lines: DeferredQueue[bytes]
) -> Iterator[Callable[..., ClientTCPFactory]]:
    """
    A function that makes a client of the server. All clients are shut down at the end.
    """
    made: list[ClientTCPFactory] = []

    def make(**parameters: Any) -> ClientTCPFactory:
        client = ClientTCPFactory(
            **{
                "remoteAddress": "127.0.0.1",
                "remotePort": server,
                "serverInput": lambda client, line: lines.put(line),
                **parameters,
            }
        )
        client.initialDelay = 0.01
        made.append(client)
        return client

    yield make
    for client in made:
        pytest_twisted.blockon(client.shutdown())


@pytest_twisted.async_fixture  # type: ignore[untyped-decorator]
async def client(makeClient: Callable[..., ClientTCPFactory]) -> ClientTCPFactory:
    """
    A client that is connected to the server.
    """
    client = makeClient()
    client.start()
    await client.whenConnected()
    return client


@pytest.fixture
def memory(lines: DeferredQueue[bytes]) -> MemoryServer:
    """
    A client's server without a network: the test says what it does, and the time.
    """
    return MemoryServer(
        ClientTCPFactory(
            remoteAddress="localhost",
            remotePort=7,
            serverInput=lambda client, line: lines.put(line),
        )
    )
