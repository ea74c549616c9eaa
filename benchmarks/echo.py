"""
Send a line, wait until the server has sent it back, and send the next one.

The figure is the client's CPU time from the moment when it is connected until the
connection is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import cycle, islice
from typing import Any

from .drivers import runClient, runProtocol
from .measure import (
    HOST,
    OURS,
    Competitor,
    Figure,
    Opponent,
    Ratio,
    Workload,
    expected,
    same,
    uvloop,
)
from .outbound import BATCH, SENT
from .run import Run

PLAIN = "Protocol"


@dataclass(frozen=True)
class Echo(Workload):
    """
    Lines that the server sends back.

    @ivar lines: the number of lines.
    """

    lines: int

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Send back all data.
        """
        lines = opponent.part(self.lines)
        opponent.start(lines)
        with opponent.accept() as server:
            length = lines * len(SENT) // len(BATCH)
            for data in expected(server.recv, SENT, length):
                server.sendall(data)
        report = opponent.report()
        # Competitors deliver lines without their delimiters.
        same(report["bytes"], lines * len(BATCH[0]))
        return {"seconds": report["cpu"] / lines}


def lines(run: Run) -> Iterator[bytes]:
    """
    @return: the lines to send.
    """
    return islice(cycle(BATCH), int(run.args[0]))


def ours(run: Run) -> None:
    """
    The complete client.
    """
    from twisted_clienttcp.framing import Line

    waiting = lines(run)
    deliver = run.deliver

    def connected(client: Any, peer: object) -> None:
        run.begin()
        client.put(next(waiting))

    def serverInput(client: Any, line: bytes) -> None:
        deliver(client, line)
        following = next(waiting, None)
        if following is None:
            client.shutdown()
        else:
            client.put(following)

    runClient(
        run,
        framing=Line(delimiter=b"\n"),
        connected=connected,
        serverInput=serverInput,
    )


def plain(run: Run) -> None:
    """
    A C{Protocol} that splits the lines itself and calls C{transport.write}.
    """
    from twisted.internet.protocol import Protocol

    waiting = lines(run)
    deliver = run.deliver

    def connectionMade(self: Any) -> None:
        run.begin()
        self.rest = b""
        self.transport.write(next(waiting) + b"\n")

    def dataReceived(self: Any, data: bytes) -> None:
        found = (self.rest + data).split(b"\n")
        self.rest = found.pop()
        for line in found:
            deliver(self, line)
            following = next(waiting, None)
            if following is None:
                self.transport.loseConnection()
            else:
                self.transport.write(following + b"\n")

    runProtocol(run, Protocol, connectionMade=connectionMade, dataReceived=dataReceived)


def lineReceiver(run: Run) -> None:
    """
    C{LineReceiver} and C{sendLine}.
    """
    from twisted.protocols.basic import LineReceiver

    waiting = lines(run)
    deliver = run.deliver

    def connectionMade(self: Any) -> None:
        run.begin()
        self.sendLine(next(waiting))

    def lineReceived(self: Any, line: bytes) -> None:
        deliver(self, line)
        following = next(waiting, None)
        if following is None:
            self.transport.loseConnection()
        else:
            self.sendLine(following)

    runProtocol(
        run,
        LineReceiver,
        delimiter=b"\n",
        connectionMade=connectionMade,
        lineReceived=lineReceived,
    )


def streams(run: Run, loopFrom: str) -> None:
    """
    C{asyncio}'s streams.
    """

    async def main() -> None:
        deliver = run.deliver
        reader, writer = await asyncio.open_connection(HOST, run.port)
        run.begin()
        for line in lines(run):
            writer.write(line + b"\n")
            deliver(None, (await reader.readline())[:-1])
        run.end()
        writer.close()

    import_module(loopFrom).new_event_loop().run_until_complete(main())


def protocol(run: Run, loopFrom: str) -> None:
    """
    An C{asyncio} protocol, which splits the lines like L{plain}.
    """
    loop = import_module(loopFrom).new_event_loop()
    lost = loop.create_future()
    waiting = lines(run)
    deliver = run.deliver

    class Rival(asyncio.Protocol):
        rest = b""

        def connection_made(self, transport: Any) -> None:
            run.begin()
            self.transport = transport
            transport.write(next(waiting) + b"\n")

        def data_received(self, data: bytes) -> None:
            found = (self.rest + data).split(b"\n")
            self.rest = found.pop()
            for line in found:
                deliver(None, line)
                following = next(waiting, None)
                if following is None:
                    self.transport.close()
                else:
                    self.transport.write(following + b"\n")

        def connection_lost(self, error: Exception | None) -> None:
            run.end()
            lost.set_result(None)

    loop.run_until_complete(loop.create_connection(Rival, HOST, run.port))
    loop.run_until_complete(lost)


WORKLOADS = {
    "lines": Echo(
        "echo: a line of 32 bytes, one at a time",
        {
            PLAIN: Competitor(plain),
            OURS: Competitor(ours),
            "LineReceiver": Competitor(lineReceiver),
            "asyncio streams": Competitor(partial(streams, loopFrom="asyncio")),
            "asyncio Protocol": Competitor(partial(protocol, loopFrom="asyncio")),
            "uvloop streams": Competitor(partial(streams, loopFrom="uvloop"), uvloop),
            "uvloop Protocol": Competitor(partial(protocol, loopFrom="uvloop"), uvloop),
        },
        (Figure("seconds", "us a line", 1e6, (Ratio(PLAIN, {OURS: 1.0}),)),),
        lines=50_000,
    ),
}
