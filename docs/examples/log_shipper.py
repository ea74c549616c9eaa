"""
Ships a file of JSON lines to a server that says how much of it it has, so that a loss
in the middle costs nothing::

    $ python log_shipper.py logs.example.org 5140 access.json

The client says which file it is, {"file": "access.json"}; the server answers with what
it has already, {"stored": 4096}, and says so again whenever it has stored more. The
rest is sent as it stands in the file, by Twisted's FileSender, at the speed at which
the server reads.
"""

import sys
from pathlib import Path

from twisted.internet.task import react
from twisted.protocols.basic import FileSender

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import JSONLines


class Shipper:
    """
    One file on its way.
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
        print(f"{self.stored} of {self.size} bytes are there", flush=True)
        if self.stored == self.size:
            client.shutdown()
            return
        file = self.path.open("rb")
        file.seek(self.stored)
        # Where it fails because of a loss, the next connection goes on.
        sending = FileSender().beginFileTransfer(file, client)
        sending.addBoth(lambda result: file.close())

    def serverInput(self, client, record):
        self.stored = record["stored"]
        if self.stored == self.size:
            print(f"all {self.size} bytes are there", flush=True)
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
