"""
Check whether a mail server supports STARTTLS (RFC 3207), and print the extensions that
it offers under TLS::

    $ python smtp_probe.py mail.example.org 587

If it does not, or if its certificate is not valid, the program prints the reason and
exits with status 1. An optional third argument is a file with certificates to trust
instead of those of the platform.
"""

import sys
from pathlib import Path

from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.internet.task import react

from twisted_clienttcp import ClientTCPFactory, errorDetails
from twisted_clienttcp.framing import Line


class Refused(Exception):
    """
    The server has rejected a command.
    """


async def reply(negotiation):
    """
    @return: the lines of the next reply, without its code.

    @raise Refused: if the code reports an error.
    """
    lines = []
    while True:
        line = await negotiation.nextRecord()
        lines.append(line[4:])
        if line[3:4] != "-":
            break
    if line[:1] not in "23":
        raise Refused(line)
    return lines


class Probe:
    """
    Checks one server.
    """

    def __init__(self, options):
        self.options = options
        self.error = None

    async def preConnect(self, client, negotiation):
        await reply(negotiation)
        negotiation.put("EHLO probe.invalid")
        if "STARTTLS" not in await reply(negotiation):
            raise Refused("no STARTTLS")
        negotiation.put("STARTTLS")
        await reply(negotiation)
        await negotiation.startTLS(self.options)
        negotiation.put("EHLO probe.invalid")
        for line in await reply(negotiation):
            print(line)
        return True

    def connected(self, client, peer):
        client.put("QUIT")
        client.shutdown()

    def connectError(self, client, failure):
        self.error = errorDetails(failure).text
        client.shutdown()


async def main(reactor, host, port, authority=None):
    options = True
    if authority is not None:
        pem = Path(authority).read_bytes()
        options = optionsForClientTLS(
            host, trustRoot=trustRootFromCertificates([Certificate.loadPEM(pem)])
        )
    probe = Probe(options)
    await ClientTCPFactory(
        remoteAddress=host,
        remotePort=port,
        framing=Line(encoding="ascii", delimiter=b"\r\n"),
        preConnect=probe.preConnect,
        connected=probe.connected,
        connectError=probe.connectError,
        serverInput=lambda client, line: None,
    ).start()
    if probe.error is not None:
        sys.exit(probe.error)


if __name__ == "__main__":
    react(main, sys.argv[1:])
