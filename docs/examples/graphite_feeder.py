"""
Send the load of this machine to a Graphite server (carbon), and keep the values while
the server cannot be reached::

    $ python graphite_feeder.py graphite.example.org 2003 hosts.web1 10

This measures every 10 seconds. At SIGINT and SIGTERM, the program sends the pending
values before it exits.
"""

import os
import sys
import time

from twisted.internet.task import react

from twisted_clienttcp import ClientTCPFactory, errorDetails
from twisted_clienttcp.errors import OutputFull
from twisted_clienttcp.framing import Line

#: The number of bytes that are kept without a connection: enough for some days, at one
#: line per minute.
KEPT = 1_000_000


class Feeder:
    """
    Measures the load and puts it.
    """

    def __init__(self, prefix, seconds):
        self.prefix = prefix
        self.seconds = seconds

    def measure(self, client):
        client.postLater(self.seconds, "measure")
        load = os.getloadavg()[0]
        try:
            client.put(f"{self.prefix}.load {load:.2f} {time.time():.3f}")
        except OutputFull as full:
            print(f"dropped: {full}", file=sys.stderr)


def connected(client, peer):
    waiting = client.stats.offlineBytes
    print(f"connected, {waiting} bytes were kept", file=sys.stderr)


def failed(client, failure):
    print(f"not connected: {errorDetails(failure).text or 'closed'}", file=sys.stderr)


def main(reactor, host, port, prefix, seconds="60"):
    feeder = Feeder(prefix, float(seconds))
    client = ClientTCPFactory(
        remoteAddress=host,
        remotePort=port,
        framing=Line(delimiter=b"\n", encoding="ascii"),
        offlineLimit=KEPT,
        started=feeder.measure,
        connected=connected,
        connectError=failed,
        serverError=failed,
        serverInput=lambda client, line: None,
        inlineStates={"measure": feeder.measure},
    )
    reactor.addSystemEventTrigger("before", "shutdown", client.shutdown)
    return client.start()


if __name__ == "__main__":
    react(main, sys.argv[1:])
