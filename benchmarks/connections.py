"""
Measure the memory and the CPU time of connections, and check that reconnecting leaves
nothing behind.

Memory is the growth of the resident set size. CPU time is that of the connecting
process. At the end, the server sends a line on each connection to verify that it works.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from .addresses import ADDRESSES
from .measure import (
    HOST,
    KIB,
    Competitor,
    Figure,
    Opponent,
    Ratio,
    Workload,
    same,
)
from .run import Run, cpuSeconds, memory

FACTORY = "ReconnectingClientFactory"
SERVICE = "ClientService"
TCP = "clienttcp, connectTCP"
LITERAL = "clienttcp, address"
NAME = "clienttcp, name"
HOSTED = "clienttcp, ClientService"
HOSTNAME = "HostnameEndpoint"
PROTOCOL = "asyncio Protocol"
CYCLES = "clienttcp"

#: The number of concurrent attempts.
WINDOW = 100
#: The number of connections before the measurement, as a fraction of those measured.
WARM = 0.2
LINE = b"still here"


def openFiles(number: int) -> None:
    """
    Allow this process to open this many files or sockets.

    @raise OSError: if the hard limit of the system is lower.
    """
    needed = number + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        if hard < needed:
            raise OSError(f"{needed} descriptors are needed: raise `ulimit -Hn`")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# -- many connections


@dataclass(frozen=True)
class Crowd(Workload):
    """
    Many idle connections.

    @ivar number: the number of connections to measure.
    """

    number: int

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Accept all connections, and send a line on each at the end.
        """
        number = opponent.part(self.number)
        warm = max(1, round(number * WARM))
        openFiles(warm + number)
        opponent.start(warm, number)
        with ExitStack() as stack:
            servers = [
                stack.enter_context(opponent.accept()) for _ in range(warm + number)
            ]
            report = opponent.report()
            for server in servers:
                server.sendall(LINE + b"\n")
            same(opponent.report()["bytes"], (warm + number) * len(LINE))
        return {"memory": report["growth"] / number, "cpu": report["cpu"] / number}


class Connecting:
    """
    Makes many connections, with at most L{WINDOW} attempts at a time. The first
    connections are not measured: they use up the memory that the process has already
    allocated but not used.
    """

    def __init__(self, run: Run, connect: Callable[[], object]) -> None:
        self._run = run
        self._connect = connect
        self._warm, number = map(int, run.args)
        self._number = self._warm + number
        self._begun = self._made = 0
        openFiles(self._number)

    def go(self) -> None:
        """
        Begin as many attempts as L{WINDOW} allows.
        """
        limit = self._warm if self._made < self._warm else self._number
        while self._begun < limit and self._begun - self._made < WINDOW:
            self._begun += 1
            self._connect()

    def made(self, *args: object) -> None:
        """
        Count a connection that has been made, and begin further attempts.
        """
        self._made += 1
        if self._made == self._number:
            self._run.end()
            return
        if self._made == self._warm:
            gc.collect()
            self._run.begin()
        self.go()

    def heard(self, client: Any, line: bytes) -> None:
        """
        Count a received line, and report when one has arrived on each connection.
        """
        self._run.deliver(client, line)
        count = self._run.delivered()
        if count == self._number * len(LINE):
            self._run.report(bytes=count)
            # Do not close the connections: this would take time and is not measured.
            os._exit(0)


def _withTwisted(run: Run, connect: Callable[[Any, Connecting], object]) -> None:
    """
    Run the reactor.

    @param connect: called with the reactor; makes a connection.
    """
    from twisted.internet import reactor

    theReactor: Any = reactor

    def begin() -> None:
        connecting = Connecting(run, lambda: connect(theReactor, connecting))
        connecting.go()

    theReactor.callWhenRunning(begin)
    theReactor.run()


def _receiver(connecting: Connecting) -> type:
    """
    @return: a C{LineReceiver} subclass that reports its connection and its lines.
    """
    from twisted.protocols.basic import LineReceiver

    members = {
        "delimiter": b"\n",
        "connectionMade": lambda self: connecting.made(),
        "lineReceived": lambda self, line: connecting.heard(self, line),
    }
    return type("Rival", (LineReceiver,), members)


def factories(run: Run) -> None:
    """
    C{ReconnectingClientFactory} and C{LineReceiver}, with one factory per connection.
    """
    from twisted.internet.protocol import ReconnectingClientFactory

    def connect(reactor: Any, connecting: Connecting) -> None:
        factory: Any = ReconnectingClientFactory.forProtocol(built(connecting))
        factory.noisy = False
        reactor.connectTCP(HOST, run.port, factory)

    built = _once(_receiver)
    _withTwisted(run, connect)


def services(run: Run) -> None:
    """
    C{ClientService} and C{LineReceiver}, with one factory for all connections.
    """
    from twisted.application.internet import ClientService
    from twisted.internet.endpoints import TCP4ClientEndpoint
    from twisted.internet.protocol import Factory

    def connect(reactor: Any, connecting: Connecting) -> None:
        endpoint = TCP4ClientEndpoint(reactor, HOST, run.port)
        ClientService(endpoint, factory(connecting)).startService()

    def make(connecting: Connecting) -> Any:
        made: Any = Factory.forProtocol(_receiver(connecting))
        made.noisy = False
        return made

    factory = _once(make)
    _withTwisted(run, connect)


def _once(make: Callable[[Connecting], Any]) -> Callable[[Connecting], Any]:
    """
    @return: a function that returns the same object for all connections.
    """
    made: list[Any] = []

    def get(connecting: Connecting) -> Any:
        if not made:
            made.append(make(connecting))
        return made[0]

    return get


def ours(run: Run, driver: str) -> None:
    """
    Our client, one for each connection.
    """
    from twisted.application.internet import ClientService
    from twisted.internet.endpoints import TCP4ClientEndpoint

    from twisted_clienttcp import ClientTCPFactory
    from twisted_clienttcp.framing import Line

    framing = Line(delimiter=b"\n")

    def callbacks(connecting: Connecting) -> dict[str, Any]:
        return {"connected": connecting.made, "serverInput": connecting.heard}

    def connect(reactor: Any, connecting: Connecting) -> None:
        address: dict[str, Any] = {}
        if driver in (LITERAL, NAME):
            host = HOST if driver == LITERAL else "localhost"
            address = {"remoteAddress": host, "remotePort": run.port}
        client = ClientTCPFactory(framing=framing, **given(connecting), **address)
        if driver == TCP:
            reactor.connectTCP(HOST, run.port, client)
        elif driver == HOSTED:
            endpoint = TCP4ClientEndpoint(reactor, HOST, run.port)
            ClientService(endpoint, client).startService()
        else:
            client.start()

    given = _once(callbacks)
    _withTwisted(run, connect)


def endpoints(run: Run) -> None:
    """
    C{HostnameEndpoint} and C{LineReceiver}.
    """
    from twisted.internet.endpoints import HostnameEndpoint
    from twisted.internet.protocol import Factory

    def connect(reactor: Any, connecting: Connecting) -> None:
        HostnameEndpoint(reactor, "localhost", run.port).connect(factory(connecting))

    def make(connecting: Connecting) -> Any:
        made: Any = Factory.forProtocol(_receiver(connecting))
        made.noisy = False
        return made

    factory = _once(make)
    _withTwisted(run, connect)


def protocols(run: Run) -> None:
    """
    An C{asyncio} protocol that splits the lines itself.
    """

    class Lines(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.buffer = b""
            current[0].made()

        def data_received(self, data: bytes) -> None:
            *lines, self.buffer = (self.buffer + data).split(b"\n")
            for line in lines:
                current[0].heard(self, line)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        tasks = set()

        def connect() -> None:
            tasks.add(
                asyncio.create_task(loop.create_connection(Lines, HOST, run.port))
            )

        current.append(Connecting(run, connect))
        current[0].go()
        await asyncio.Event().wait()

    current: list[Connecting] = []
    asyncio.run(main())


def streams(run: Run) -> None:
    """
    C{asyncio}'s streams, with one reading task for each connection.
    """

    async def main() -> None:
        tasks = set()
        room = asyncio.Event()

        async def one() -> None:
            reader, writer = await asyncio.open_connection(HOST, run.port)
            connecting.made()
            connecting.heard(writer, (await reader.readline())[:-1])

        def connect() -> None:
            tasks.add(asyncio.create_task(one()))

        connecting = Connecting(run, connect)
        connecting.go()
        await room.wait()

    asyncio.run(main())


# -- one connection, which is lost and made again many times


@dataclass(frozen=True)
class Cycles(Workload):
    """
    One client that loses its connection and reconnects many times.

    @ivar number: the number of cycles to measure.
    """

    number: int

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Accept each connection, send a line, and close it.
        """
        number = opponent.part(self.number)
        warm = max(1, round(number * WARM))
        opponent.start(warm, number)
        for _ in range(warm + number):
            with opponent.accept() as server:
                server.sendall(LINE + b"\n")
        report = opponent.report()
        same(report.pop("bytes"), (warm + number) * len(LINE))
        report["memory"] /= number
        report["cpu"] /= number
        return report


class Cycling:
    """
    Counts the losses, and measures at the end of the warm-up and at the last loss.
    """

    def __init__(self, run: Run, reactor: Any) -> None:
        self._run = run
        self._reactor = reactor
        self._lost = 0
        self._warm, number = map(int, run.args)
        self._last = self._warm + number

    def lost(self, *args: object) -> None:
        """
        Count a loss. Report the figures at the last one.
        """
        self._lost += 1
        if self._lost == self._warm:
            self._before = self._count()
        elif self._lost == self._last:
            before, after = self._before, self._count()
            growth = {name: after[name] - before[name] for name in after}
            self._run.report(**growth, bytes=self._run.delivered())
            os._exit(0)

    def _count(self) -> dict[str, float]:
        gc.collect()
        return {
            "cpu": cpuSeconds(),
            "timers": len(self._reactor.getDelayedCalls()),
            "descriptors": len(os.listdir("/dev/fd")),
            "memory": memory(),
        }


def oursAgain(run: Run) -> None:
    """
    Our client, with no delay.
    """
    from twisted.internet import reactor

    from twisted_clienttcp import ClientTCPFactory
    from twisted_clienttcp.framing import Line

    theReactor: Any = reactor
    client = ClientTCPFactory(
        remoteAddress=HOST,
        remotePort=run.port,
        framing=Line(delimiter=b"\n"),
        serverInput=run.deliver,
        serverError=lambda client, failure: None,
        disconnected=Cycling(run, theReactor).lost,
    )
    client.initialDelay = 0.0
    client.start()
    theReactor.run()


def factoryAgain(run: Run) -> None:
    """
    C{ReconnectingClientFactory} and C{LineReceiver}, with no delay.
    """
    from twisted.internet import reactor
    from twisted.internet.protocol import ReconnectingClientFactory
    from twisted.protocols.basic import LineReceiver

    theReactor: Any = reactor
    cycling = Cycling(run, theReactor)

    class Factory(ReconnectingClientFactory):
        noisy = False
        initialDelay = delay = 0.0
        protocol = type(
            "Rival", (LineReceiver,), {"delimiter": b"\n", "lineReceived": run.deliver}
        )

        def clientConnectionLost(self, connector: Any, reason: Any) -> None:
            cycling.lost()
            self.retry(connector)  # type: ignore[no-untyped-call]

    theReactor.connectTCP(HOST, run.port, Factory())
    theReactor.run()


WORKLOADS = {
    "idle": Crowd(
        "5,000 idle connections",
        {
            FACTORY: Competitor(factories),
            SERVICE: Competitor(services),
            HOSTNAME: Competitor(endpoints, share=0.2),
            "asyncio streams": Competitor(streams),
            PROTOCOL: Competitor(protocols),
            **{
                name: Competitor(partial(ours, driver=name))
                for name in (TCP, LITERAL, NAME, HOSTED)
            },
        },
        (
            Figure(
                "memory",
                "KiB each",
                1 / KIB,
                (
                    Ratio(FACTORY, {TCP: 2.5}, "first"),
                    Ratio(SERVICE, {LITERAL: 1.5, NAME: 1.5, HOSTED: 1.5}, "service"),
                ),
                digits=1,
            ),
            Figure(
                "cpu",
                "us a connect",
                1e6,
                (
                    Ratio(FACTORY, {TCP: 1.6, LITERAL: 1.6}, "first"),
                    Ratio(PROTOCOL, {TCP: 0.95, LITERAL: 0.95}),
                    Ratio(HOSTNAME, {NAME: 1.0}),
                    Ratio(SERVICE, {NAME: 1.0}, "service"),
                ),
                digits=1,
            ),
        ),
        number=5000,
    ),
    "cycles": Cycles(
        "5,000 cycles of one client: connect, lose, reconnect",
        {CYCLES: Competitor(oursAgain), FACTORY: Competitor(factoryAgain)},
        (
            # Any object that a cycle could leave behind is larger than this.
            Figure("memory", "bytes a cycle", most={CYCLES: 40}, digits=1),
            Figure("timers", "timers left", most={CYCLES: 0}, digits=0),
            Figure("descriptors", "descriptors left", most={CYCLES: 0}, digits=0),
            Figure("cpu", "us a cycle", 1e6, digits=1),
        ),
        number=5000,
    ),
    "addresses": ADDRESSES,
}
