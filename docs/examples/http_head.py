"""
Request the headers of a web page and print them. This is the synopsis of
POE::Component::Client::TCP::

    $ python http_head.py example.org 80 /
"""

import sys

from twisted.internet.task import react

from twisted_clienttcp import ClientTCPFactory


def main(reactor, host, port, path="/"):
    def connected(client, peer):
        client.putMany(
            [
                f"HEAD {path} HTTP/1.1".encode(),
                f"Host: {host}".encode(),
                b"Connection: close",
                b"",
            ]
        )

    def serverInput(client, line):
        if line:
            print(line.decode("latin-1"))
        else:
            client.shutdown()

    return ClientTCPFactory(
        remoteAddress=host,
        remotePort=port,
        autoReconnect=False,
        connected=connected,
        serverInput=serverInput,
    ).start()


if __name__ == "__main__":
    react(main, sys.argv[1:])
