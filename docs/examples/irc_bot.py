"""
An IRC bot that answers !ping, and that returns after a netsplit, a kick, or a restart
of the server::

    $ python irc_bot.py irc.example.org 6667 pongbot '#chat'

The bot is connected when the server has welcomed it. If its name is still in use, for
example by its last connection, it appends an underscore to the name.
"""

import sys

from twisted.internet.task import react

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Line

#: The seconds for which the bot stays away after a kick.
SULK = 5


def parse(line):
    """
    @return: the parts of a message: the sender, the command, and its arguments.
    """
    prefix = ""
    if line.startswith(":"):
        prefix, _, line = line[1:].partition(" ")
    head, colon, last = line.partition(" :")
    words = head.split()
    return prefix.partition("!")[0], words[0].upper(), words[1:] + [last] * bool(colon)


class Bot:
    """
    The callbacks of the bot, and its state.
    """

    def __init__(self, name, channel):
        self.name = self.wanted = name
        self.channel = channel

    async def preConnect(self, client, negotiation):
        self.name = self.wanted
        negotiation.put(f"NICK {self.name}")
        negotiation.put(f"USER {self.name} 0 * :a bot")
        while True:
            sender, command, words = parse(await negotiation.nextRecord())
            if command == "001":
                return True
            if command == "433":
                self.name += "_"
                negotiation.put(f"NICK {self.name}")
            elif command == "PING":
                negotiation.put(f"PONG :{words[-1]}")
            elif command == "ERROR":
                return False

    def connected(self, client, peer):
        print(f"joined as {self.name}")
        client.call("join")

    def join(self, client):
        if client.connected:
            client.put(f"JOIN {self.channel}")

    def serverInput(self, client, line):
        sender, command, words = parse(line)
        if command == "PING":
            client.put(f"PONG :{words[-1]}")
        elif command == "PRIVMSG" and words[-1] == "!ping":
            where = sender if words[0] == self.name else words[0]
            client.put(f"PRIVMSG {where} :pong, {sender}")
        elif command == "KICK" and words[1] == self.name:
            client.postLater(SULK, "join")

    def disconnected(self, client, details):
        print(f"disconnected by the {details.initiator}")


def makeClient(host, port, name, channel):
    bot = Bot(name, channel)
    return ClientTCPFactory(
        remoteAddress=host,
        remotePort=port,
        framing=Line(encoding="utf-8", delimiter=b"\r\n"),
        handler=bot,
        inlineStates={"join": bot.join},
    )


def main(reactor, *arguments):
    return makeClient(*arguments).start()


if __name__ == "__main__":
    react(main, sys.argv[1:])
