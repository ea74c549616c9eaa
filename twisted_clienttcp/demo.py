"""
Small servers, to try a client with.

L{echo} and L{quotes} each start a server on a free port of the loopback interface and
return the listening port. The example in L{twisted_clienttcp} connects a client to such
a port. To run a server in another process, use the command C{clienttcp
--demo-server=echo}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IListeningPort,
    IReactorTCP,
    ISSLTransport,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

__all__ = ["SERVERS", "Echo", "Quotes", "echo", "quotes"]


@implementer(IHalfCloseableProtocol)
class _Server(Protocol):
    """
    The server's side of a connection. It sends all output before it closes the
    connection. Without TLS, it does not read while output is pending.
    """

    transport: Any

    def connectionMade(self) -> None:
        """
        Register the transport as its own producer, so that it does not read while its
        output is pending.
        """
        # With TLS, a write before the end of the handshake would stop the reading that
        # the handshake needs.
        if not ISSLTransport.providedBy(self.transport):
            self.transport.registerProducer(self.transport, True)

    def close(self) -> None:
        """
        Close the connection when all output has been sent.
        """
        # A transport with a paused producer would wait for it and never close.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def readConnectionLost(self) -> None:
        """
        Close the connection when the client has ended its side. Without this method,
        Twisted would discard the pending output.
        """
        self.close()

    def writeConnectionLost(self) -> None:
        """
        Do nothing. The interface requires this method, but nothing calls it, because
        the server does not half-close the connection.
        """


class Echo(_Server):
    """
    Sends back every byte (RFC 862).
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Send the data back.
        """
        self.transport.write(data)


class Quotes(_Server, LineReceiver):
    """
    Answers commands, one per line: C{USER name}, C{GET word}, C{PING} and C{QUIT}.

    @cvar delimiter: the end of a line; a carriage return before it is ignored.
    """

    delimiter = b"\n"

    def connectionMade(self) -> None:
        """
        Greet the client.
        """
        super().connectionMade()
        self._answer(b"quotes 1.0 ready")

    def lineReceived(self, line: bytes) -> None:
        """
        Answer one command.
        """
        command, _, argument = line.removesuffix(b"\r").partition(b" ")
        if command == b"USER":
            self._answer(b"OK " + argument if argument else b"NO name")
        elif command == b"GET":
            self._answer(argument + b" 42")
        elif command == b"PING":
            self._answer(b"PONG")
        elif command == b"QUIT":
            self.close()
        else:
            self._answer(b"ERROR what?")

    def _answer(self, text: bytes) -> None:
        self.transport.write(text + b"\r\n")


def _listen(
    reactor: IReactorTCP, protocol: type[Protocol], port: int
) -> IListeningPort:
    factory: Any = Factory.forProtocol(protocol)
    factory.noisy = False
    return reactor.listenTCP(port, factory, interface="127.0.0.1")


def echo(reactor: IReactorTCP, port: int = 0) -> IListeningPort:
    """
    Start a server that sends back every byte.

    @param reactor: the reactor that runs it.
    @param port: the port on the loopback interface; 0 for any free port. Pass the port
        of a server that has stopped, to watch a client connect to it again.

    @return: the listening port. Its C{getHost()} has the C{host} and the C{port} to
        connect to, and C{stopListening()} stops the server.
    """
    return _listen(reactor, Echo, port)


def quotes(reactor: IReactorTCP, port: int = 0) -> IListeningPort:
    """
    Start a quote server. It greets each client with C{quotes 1.0 ready} and answers
    lines: C{USER name} with C{OK name}, C{GET word} with C{word 42}, C{PING} with
    C{PONG}, and C{QUIT} by closing the connection.

    @param reactor: the reactor that runs it.
    @param port: the port on the loopback interface; 0 for any free port. Pass the port
        of a server that has stopped, to watch a client connect to it again.

    @return: the listening port. Its C{getHost()} has the C{host} and the C{port} to
        connect to, and C{stopListening()} stops the server.
    """
    return _listen(reactor, Quotes, port)


#: The functions that start servers, by the names that C{clienttcp --demo-server}
#: accepts.
SERVERS: dict[str, Callable[..., IListeningPort]] = {
    "echo": echo,
    "quotes": quotes,
}
