"""
Helpers for tests of flow control and closing: servers that make both difficult, a plain
Twisted client to compare with, and a socket that counts bytes.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.task import LoopingCall

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Stream

from ._support import NetworkTestCase, Peer, Recorder, Server, reactor, turn

#: More bytes than the socket buffers of the loopback interface hold.
MANY = 3_000_000


class TalkingServer(Server):
    """
    A server with a small receive buffer that reads slowly and sends all the time, until
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
    A client as one writes it with Twisted alone: C{transport.write} and
    C{loseConnection}.
    """

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(b"x" * MANY)
        transport.loseConnection()


class CountingSocket:
    """
    A socket that records the number of bytes of each send.
    """

    def __init__(self, taking: Any, sent: list[int]) -> None:
        self._taking = taking
        self._sent = sent

    def send(self, data: Any) -> int:
        taken: int = self._taking.send(data)
        self._sent.append(taken)
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._taking, name)


#: More than all buffers between two processes of this machine can hold.
TOO_MUCH = 20_000_000


class BlockedServerTestCase(NetworkTestCase):
    """
    A client with marks, and a server that does not read.
    """

    timeout = 60

    async def connected(
        self, **parameters: Any
    ) -> tuple[ClientTCPFactory, Recorder, Server]:
        server = await self.listen()
        server.met = lambda peer: peer.transport.pauseProducing()  # type: ignore[union-attr]
        recorder = Recorder()
        client = self.client(
            server,
            **{
                "framing": Stream,
                "highMark": 200_000,
                "lowMark": 50_000,
                **recorder.parameters(),
                "serverHigh": recorder.callback("serverHigh"),
                "serverLow": recorder.callback("serverLow"),
                **parameters,
            },
        )
        client.start().addErrback(lambda failure: None)
        await client.whenConnected()
        while not server.peers:
            await turn()
        return client, recorder, server

    def marks(self, recorder: Recorder) -> list[str]:
        """
        @return: the calls of C{serverHigh} and C{serverLow}, which must alternate.
        """
        found = [
            event for event in recorder.events if event in ("serverHigh", "serverLow")
        ]
        self.assertEqual(found[::2], ["serverHigh"] * len(found[::2]))
        self.assertEqual(found[1::2], ["serverLow"] * len(found[1::2]))
        return found
