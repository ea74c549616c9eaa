"""
A TCP client in which you write callbacks instead of a protocol and a factory::

    from twisted.internet.task import react
    from twisted_clienttcp import ClientTCPFactory, demo

    def connected(client, peer):
        client.put(b"GET tea")

    def serverInput(client, line):
        print(line.decode())
        if line == b"tea 42":
            client.shutdown()

    def main(reactor):
        server = demo.quotes(reactor).getHost()
        client = ClientTCPFactory(remoteAddress=server.host, remotePort=server.port,
                                  connected=connected, serverInput=serverInput)
        return client.start()

    react(main)

It connects, reconnects, splits the byte stream into records, and closes without losing
data. It is Perl's C{POE::Component::Client::TCP} in Twisted's terms.

By subject: L{twisted_clienttcp.demo}, L{twisted_clienttcp.errors},
L{twisted_clienttcp.framing}, L{twisted_clienttcp.metrics}, L{twisted_clienttcp.retry},
L{twisted_clienttcp.service}, L{twisted_clienttcp.testing},
L{twisted_clienttcp.wirelog}.
"""

from ._client.events import MultiDispatchSession, Session, post, resolve
from ._client.factory import ClientTCPFactory
from ._connection.disconnection import Disconnection
from ._connection.negotiation import Negotiation
from ._connection.server import ClientTCPProtocol
from ._details import ErrorDetails, errorDetails

__version__ = "0.2.0"

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
