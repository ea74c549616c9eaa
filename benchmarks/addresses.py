"""
Measure the time to connect to a host name if some of its addresses do not work.

All addresses are loopback addresses. The server listens on only one of them. Another
one does not answer, because it belongs to a listener with a full queue.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from twisted.internet.address import IPv4Address

from .measure import HOST, Competitor, Figure, Opponent, Workload
from .run import Run

OURS = "clienttcp"
HOSTNAME = "HostnameEndpoint"

#: An address that does not answer.
SILENT = "127.0.0.9"

#: The addresses of each name. No address of the last name works.
NAMES = {
    "refused": ["127.0.0.2", "127.0.0.3", HOST],
    "silent": [SILENT, HOST],
    "none": [f"127.0.1.{number}" for number in range(1, 21)],
}


def linux() -> str:
    """
    Require Linux, where every address in 127.0.0.0/8 is a loopback address.

    @return: see L{Competitor.missing}.
    """
    return "" if sys.platform == "linux" else "missing"


@dataclass(frozen=True)
class Addresses(Workload):
    """
    Attempts to connect to each of these names.
    """

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Accept the two connections to the names with a working address.
        """
        opponent.start()
        with opponent.accept(), opponent.accept():
            return opponent.report()


class Resolver:
    """
    A resolver that knows L{NAMES}.
    """

    def resolveHostName(
        self,
        receiver: Any,
        name: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """
        Report the addresses of a name.
        """
        receiver.resolutionBegan(self)
        for host in NAMES[name]:
            receiver.addressResolved(IPv4Address("TCP", host, portNumber))
        receiver.resolutionComplete()
        return self


def fill(port: int) -> list[socket.socket]:
    """
    Make the silent address ignore connection attempts.

    @return: a listener at this address, and the connection that fills its queue.
    """
    listener = socket.socket()
    listener.bind((SILENT, port))
    listener.listen(0)
    return [listener, socket.create_connection((SILENT, port))]


def timed(run: Run, connect: Callable[[str, Callable[..., object]], object]) -> None:
    """
    Connect to each name, one after another, and report the times in seconds.

    @param connect: called with a name, and with a function that it must call when the
        attempt has ended.
    """
    from twisted.internet import reactor

    theReactor: Any = reactor
    theReactor.installNameResolver(Resolver())
    waiting = list(NAMES)
    times: dict[str, float] = {}
    sockets = fill(run.port)

    def begin() -> None:
        begun = perf_counter()
        name = waiting.pop(0)

        def ended(*args: object) -> None:
            times[name] = perf_counter() - begun
            if waiting:
                theReactor.callLater(0, begin)
            else:
                for each in sockets:
                    each.close()
                run.report(**times)
                theReactor.stop()

        connect(name, ended)

    theReactor.callWhenRunning(begin)
    theReactor.run()


def ours(run: Run) -> None:
    """
    Our client.
    """
    from twisted_clienttcp import ClientTCPFactory

    def connect(name: str, ended: Callable[..., object]) -> None:
        ClientTCPFactory(
            remoteAddress=name,
            remotePort=run.port,
            autoReconnect=False,
            connected=ended,
            connectError=ended,
            serverInput=run.deliver,
        ).start().addErrback(lambda failure: None)

    timed(run, connect)


def hostnameEndpoint(run: Run) -> None:
    """
    Twisted's endpoint for names.
    """
    from twisted.internet import reactor
    from twisted.internet.endpoints import HostnameEndpoint
    from twisted.internet.protocol import Factory, Protocol

    def connect(name: str, ended: Callable[..., object]) -> None:
        factory: Any = Factory.forProtocol(Protocol)
        factory.noisy = False
        HostnameEndpoint(reactor, name, run.port).connect(factory).addBoth(ended)

    timed(run, connect)


ADDRESSES = Addresses(
    "A name with addresses that do not work",
    {
        OURS: Competitor(ours, linux),
        HOSTNAME: Competitor(hostnameEndpoint, linux),
    },
    (
        Figure("refused", "ms: 2 of 3 refuse", 1e3, most={OURS: 50}, digits=1),
        Figure("silent", "ms: 1 of 2 is silent", 1e3, most={OURS: 300}, digits=1),
        Figure("none", "ms: 20 refuse", 1e3, most={OURS: 3000}, digits=1),
    ),
)
