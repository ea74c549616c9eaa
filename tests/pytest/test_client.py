"""
A client under pytest-twisted: coroutines, generators and plain functions as tests, with
a reactor that runs on from test to test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.error import ConnectionRefusedError

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.testing import MemoryServer

from .._support import freePort


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_coroutine(client: ClientTCPFactory, lines: DeferredQueue[bytes]) -> None:
    """
    A coroutine can await what the client returns and what its callbacks cause.
    """
    client.put(b"hello")
    await client.flushed()
    assert await lines.get() == b"hello"
    disconnection = await client.shutdown()
    assert disconnection is not None
    assert disconnection.confirmed
    assert not client.connected


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_generator(
    client: ClientTCPFactory, lines: DeferredQueue[bytes]
) -> Iterator[Deferred[Any]]:
    """
    So can a generator.
    """
    client.put(b"hello")
    line = yield lines.get()
    assert line == b"hello"
    yield client.shutdown()
    assert not client.connected


def test_function(
    makeClient: Callable[..., ClientTCPFactory], lines: DeferredQueue[bytes]
) -> Deferred[None]:
    """
    A plain function returns a Deferred.
    """
    client = makeClient(connected=lambda client, peer: client.put(b"hello"))

    def received(line: bytes) -> None:
        assert line == b"hello"

    client.start()
    return lines.get().addCallback(received)


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_reconnects(
    makeClient: Callable[..., ClientTCPFactory], lines: DeferredQueue[bytes]
) -> None:
    """
    A client reconnects by itself while the test waits.
    """
    losses: DeferredQueue[object] = DeferredQueue()
    client = makeClient(
        disconnected=lambda client, disconnection: losses.put(disconnection),
        serverError=lambda client, failure: None,
    )
    client.start()
    await client.whenConnected()
    client.put(b"bye")
    await losses.get()
    await client.whenConnected()
    client.put(b"again")
    assert [await lines.get() for _ in range(2)] == [b"bye", b"again"]


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_refused(makeClient: Callable[..., ClientTCPFactory]) -> None:
    """
    A failure is raised where it is awaited.
    """
    client = makeClient(remotePort=freePort(), autoReconnect=False)
    with pytest.raises(ConnectionRefusedError):
        await client.start()


@pytest.mark.parametrize("count", [1, 100])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_many(
    client: ClientTCPFactory, lines: DeferredQueue[bytes], count: int
) -> None:
    """
    Parameters and fixtures come together.
    """
    sent = [b"%d" % number for number in range(count)]
    client.putMany(sent)
    assert [await lines.get() for _ in sent] == sent


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_awaitedInput(
    makeClient: Callable[..., ClientTCPFactory], lines: DeferredQueue[bytes]
) -> None:
    """
    C{serverInput} may be a coroutine function; the next record waits for it.
    """

    async def serverInput(client: ClientTCPFactory, line: bytes) -> None:
        lines.put(line)
        if line == b"first":
            await client.flushed()
            lines.put(b"flushed")

    client = makeClient(serverInput=serverInput)
    client.start()
    await client.whenConnected()
    client.putMany([b"first", b"second"])
    expected = [b"first", b"flushed", b"second"]
    assert [await lines.get() for _ in expected] == expected


def test_memory(memory: MemoryServer, lines: DeferredQueue[bytes]) -> None:
    """
    Without a network, and without a reactor.
    """
    memory.accept()
    memory.client.put(b"hello")
    assert memory.read() == b"hello\r\n"
    memory.send(b"HELLO\r\n")
    line: list[bytes] = []
    lines.get().addCallback(line.append)
    assert line == [b"HELLO"]
