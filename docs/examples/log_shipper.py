"""
Send a file of JSON lines to a server that reports how much of it has been stored, so
that a lost connection loses no data::

    $ python log_shipper.py logs.example.org 5140 access.json

The client sends the name of the file, {"file": "access.json"}. The server answers with
the number of bytes that it has stored already, {"stored": 4096}, and reports this
number again whenever it has stored more. Twisted's FileSender sends the rest of the
file, no faster than the server reads.
"""

import sys
from pathlib import Path

from twisted.internet.task import react
from twisted.protocols.basic import FileSender

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import JSONLines


class Shipper:
    """
    Sends one file.
    """

    def __init__(self, path):
        self.path = path
        self.size = path.stat().st_size
        self.stored = 0

    async def preConnect(self, client, negotiation):
        negotiation.put({"file": self.path.name})
        self.stored = (await negotiation.nextRecord())["stored"]
        return True

    def connected(self, client, peer):
        print(f"{self.stored} of {self.size} bytes are stored", flush=True)
        if self.stored == self.size:
            client.shutdown()
            return
        file = self.path.open("rb")
        file.seek(self.stored)
        # If the connection is lost, this fails, and the next connection continues.
        sending = FileSender().beginFileTransfer(file, client)
        sending.addBoth(lambda result: file.close())

    def serverInput(self, client, record):
        self.stored = record["stored"]
        if self.stored == self.size:
            print(f"all {self.size} bytes are stored", flush=True)
            client.shutdown()


def main(reactor, host, port, path):
    shipper = Shipper(Path(path))
    return ClientTCPFactory(
        remoteAddress=host,
        remotePort=port,
        framing=JSONLines(),
        handler=shipper,
    ).start()


if __name__ == "__main__":
    react(main, sys.argv[1:])
