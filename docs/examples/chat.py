"""
A client for line-oriented games and chats, on the terminal::

    $ python chat.py mud.example.org 4000

The program sends the lines that you type and prints the lines that it receives. When
your input ends, it ends its side of the connection, and continues to print until the
server closes.
"""

import sys

from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineOnlyReceiver

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Line


class Keyboard(LineOnlyReceiver):
    """
    Sends the lines that are typed.
    """

    delimiter = b"\n"

    def __init__(self, client):
        self.client = client

    def lineReceived(self, line):
        if self.client.connected:
            self.client.put(line.decode(errors="replace"))
        else:
            print("* not connected: not sent")

    def connectionLost(self, reason):
        if self.client.connected:
            self.client.loseWriteConnection()
        else:
            self.client.shutdown()


def connected(client, peer):
    print(f"* connected to {peer.host}")


def serverInput(client, line):
    print(line)


def disconnected(client, details):
    print(f"* closed by the {details.initiator}")


def main(reactor, host, port):
    client = ClientTCPFactory(
        remoteAddress=host,
        remotePort=port,
        autoReconnect=False,
        framing=Line(encoding="utf-8"),
        connected=connected,
        serverInput=serverInput,
        serverError=lambda client, failure: None,
        disconnected=disconnected,
    )
    stopped = client.start()
    client.whenConnected().addCallbacks(
        lambda connection: StandardIO(Keyboard(client)), lambda failure: None
    )
    return stopped


if __name__ == "__main__":
    react(main, sys.argv[1:])
