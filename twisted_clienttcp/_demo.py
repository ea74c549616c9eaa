"""
The client at work, with a server in the same process: a story each step of which is
checked.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import DeferredQueue
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from . import ClientTCPFactory
from .framing import Line

#: The line at which the server drops the connection.
DROP = b"please drop me"

#: The seconds for which the server does not read after each read.
PAUSE = 0.02

#: The seconds that a step may take.
PATIENCE = 4.0

#: What is sent at the end: 2,000,000 octets.
LAST_LINES = 20
LAST_LINE = b"x" * 99_998


class DemoFailed(Exception):
    """
    A step did not go as the story says.
    """


class EchoServer(Protocol):
    """
    Echoes lines, but is slow to read them. Its factory has a C{clock}, and learns which
    connection is its C{latest}.

    @ivar received: how many octets have been.
    """

    received = 0
    _resuming: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """
        Be the one whose octets are counted.
        """
        self._framing = Line()
        listener: Any = self.factory
        listener.latest = self

    def dataReceived(self, data: bytes) -> None:
        """
        Count, echo, and pause.
        """
        transport: Any = self.transport
        listener: Any = self.factory
        self.received += len(data)
        for line in self._framing.feed(data):
            if line == DROP:
                transport.loseConnection()
                return
            transport.write(self._framing.frame(line))
        transport.pauseProducing()
        self._resuming = listener.clock.callLater(PAUSE, transport.resumeProducing)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Read no more.
        """
        if self._resuming is not None and self._resuming.active():
            self._resuming.cancel()


class _Story:
    """
    The events of a client, in order.
    """

    def __init__(self, reactor: Any, address: Any) -> None:
        self._reactor = reactor
        self._events: DeferredQueue[tuple[str, Any]] = DeferredQueue()
        names = ("connected", "connectError", "serverInput", "serverError")
        self.client = ClientTCPFactory(
            remoteAddress=address.host,
            remotePort=address.port,
            reactor=reactor,
            **{name: self._callback(name) for name in (*names, "disconnected")},
        )
        self.client.initialDelay = 0.1

    def _callback(self, name: str) -> Any:
        return lambda client, value: self._events.put((name, value))

    async def expect(self, name: str, step: str) -> Any:
        """
        @return: what the callback C{name} was given, which must be the next called.

        @raise DemoFailed: if it is not.
        """
        try:
            got, value = await self._events.get().addTimeout(PATIENCE, self._reactor)
        except DeferredTimeout:
            raise DemoFailed(f"{step}: no {name} in {PATIENCE} seconds") from None
        if got != name:
            raise DemoFailed(f"{step}: {got} ({value}) came instead of {name}")
        return value


def _tell(text: str) -> None:
    # A print() would go to the log under twistd.
    try:
        os.write(1, text.encode() + b"\n")
    except BrokenPipeError:
        # Nobody listens any more; the steps are checked all the same.
        pass


def _check(fact: bool, otherwise: str) -> None:
    if not fact:
        raise DemoFailed(otherwise)


async def demo(reactor: Any) -> None:
    """
    Play the story and tell it on standard output.

    @raise DemoFailed: if a step goes wrong; it says which.
    """
    listener: Any = Factory.forProtocol(EchoServer)
    listener.noisy = False
    listener.clock = reactor
    port = reactor.listenTCP(0, listener, interface="127.0.0.1")
    address = port.getHost()
    story = _Story(reactor, address)
    try:
        await _play(story, listener, f"{address.host}:{address.port}")
    finally:
        stopped = story.client.shutdown()
        if story.client.server is not None:
            story.client.server.abort()
        await stopped
        await port.stopListening()


async def _play(story: _Story, listener: Any, address: str) -> None:
    client = story.client
    expect = story.expect

    async def exchange(line: bytes) -> None:
        client.put(line)
        echo = await expect("serverInput", "the exchange of lines")
        _check(echo == line, f"the exchange of lines: {line!r} came back as {echo!r}")
        _tell(f"  sent {line.decode()!r}, got {echo.decode()!r}")

    _tell(f"A server that echoes lines, and reads slowly, listens on {address}.")
    client.start()
    await expect("connected", "the first connection")
    _tell("The client is connected.")
    await exchange(b"hello")
    await exchange(b"is anybody there?")

    client.put(DROP)
    await expect("serverError", "the drop")
    disconnection = await expect("disconnected", "the drop")
    _check(disconnection.initiator == "peer", f"the drop: {disconnection}")
    _tell("The server has dropped the connection.")
    await expect("connected", "the reconnection")
    _tell("The client has connected again by itself.")
    await exchange(b"still there?")

    server = listener.latest
    before = server.received
    for _ in range(LAST_LINES):
        client.put(LAST_LINE)
    pending = client.pendingOctets
    client.shutdown()
    _tell(f"The client shuts down with {pending:,} octets of output pending.")
    disconnection = await expect("disconnected", "the shutdown")
    counted = server.received - before
    _check(
        disconnection.confirmed and disconnection.unsent == 0,
        f"the shutdown: {disconnection}",
    )
    _check(
        counted == pending == LAST_LINES * (len(LAST_LINE) + 2),
        f"the shutdown: {pending} octets were pending, the server got {counted}",
    )
    _tell(f"The server has read {counted:,} octets: none is lost.")
