"""
Helpers for tests of closing: a server that makes it hard, a plain Twisted client to
compare with, and a socket that counts.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.task import LoopingCall

from ._support import Peer, Server, reactor

#: As many octets as no socket buffer of the loopback interface holds.
MANY = 3_000_000


class TalkingServer(Server):
    """
    A server with a small receive buffer that reads slowly and talks all the time, until
    its client has ended its side.
    """

    def __init__(self) -> None:
        super().__init__()
        self.met = self.slow

    def slow(self, peer: Peer) -> None:
        transport: Any = peer.transport
        transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        talking = LoopingCall(peer.send, b"blah " * 200)
        talking.start(0.001)
        resuming: list[Any] = []

        def pause(peer: Peer, data: bytes) -> None:
            transport.pauseProducing()
            resuming[:] = [reactor.callLater(0.001, transport.resumeProducing)]

        def lost(result: None) -> None:
            talking.stop()
            if resuming and resuming[0].active():
                resuming[0].cancel()

        peer.lost.addCallback(lost)

        self.heard = pause


class NaiveClient(Protocol):
    """
    The same job as Twisted's users do it: C{transport.write} and C{loseConnection}.
    """

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(b"x" * MANY)
        transport.loseConnection()


class CountingSocket:
    """
    A socket that notes what it sends.
    """

    def __init__(self, taking: Any, sent: list[int]) -> None:
        self._taking = taking
        self._sent = sent

    def send(self, octets: Any) -> int:
        taken: int = self._taking.send(octets)
        self._sent.append(taken)
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._taking, name)
