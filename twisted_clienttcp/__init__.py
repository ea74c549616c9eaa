"""
A TCP client made of nothing but callbacks::

    from twisted.internet.task import react
    from twisted_clienttcp import ClientTCPFactory

    def connected(client, peer):
        client.put(b"hello")

    def serverInput(client, line):
        print(line.decode())
        client.shutdown()

    def main(reactor):
        client = ClientTCPFactory(remoteAddress="localhost", remotePort=7,
                                  autoReconnect=False, connected=connected,
                                  serverInput=serverInput)
        return client.start()

    react(main)

It connects, reconnects, cuts what it reads into records, and closes without losing what
it was given. Perl's C{POE::Component::Client::TCP} in Twisted's terms.

By subject: L{twisted_clienttcp.errors}, L{twisted_clienttcp.framing},
L{twisted_clienttcp.retry}, L{twisted_clienttcp.service}.
"""

from ._connection import ClientTCPProtocol, Disconnection
from ._details import ErrorDetails, errorDetails
from ._factory import ClientTCPFactory
from ._negotiation import Negotiation
from ._session import MultiDispatchSession, Session, post, resolve

__version__ = "0.1.0"

__all__ = [
    "ClientTCPFactory",
    "ClientTCPProtocol",
    "Disconnection",
    "ErrorDetails",
    "MultiDispatchSession",
    "Negotiation",
    "Session",
    "errorDetails",
    "post",
    "resolve",
]
