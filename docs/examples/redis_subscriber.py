"""
Print the messages that are published on channels of a Redis server, and subscribe again
after each loss of the connection::

    $ python redis_subscriber.py localhost 6379 news weather

A Redis message begins with the number of its parts, and each part with its length.
Lines and blocks alternate, so the framing changes with every record.
"""

import sys

from twisted.internet.task import react

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Block, Line

LINE = Line(delimiter=b"\r\n")


class Subscriber:
    """
    Assembles messages.
    """

    def __init__(self, channels):
        self.channels = channels
        self.parts = []
        self.missing = 0

    def connected(self, client, peer):
        # Discard a message that the last connection has not completed.
        self.parts, self.missing = [], 0
        client.put(b"SUBSCRIBE " + b" ".join(self.channels))

    def serverInput(self, client, record):
        if isinstance(client.server.inputFraming, Block):
            client.setInputFraming(LINE)
            self.part(record[:-2])
        elif record.startswith(b"*"):
            self.parts, self.missing = [], int(record[1:])
        elif record.startswith(b"$"):
            client.setInputFraming(Block(size=int(record[1:]) + 2))
        else:
            self.part(record[1:])

    def part(self, data):
        self.parts.append(data.decode())
        self.missing -= 1
        if self.missing == 0:
            kind, channel, text = self.parts
            print(f"{channel}: {text}" if kind == "message" else f"{kind}d {channel}")


def main(reactor, host, port, *channels):
    subscriber = Subscriber([channel.encode() for channel in channels])
    return ClientTCPFactory(
        remoteAddress=host,
        remotePort=port,
        framing=LINE,
        connected=subscriber.connected,
        serverInput=subscriber.serverInput,
    ).start()


if __name__ == "__main__":
    react(main, sys.argv[1:])
