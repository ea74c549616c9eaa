"""
Run one query on a PostgreSQL server, over TLS, and print the rows::

    $ python postgres_query.py localhost 5432 me template1 "SELECT version()"

The login changes the framing twice: the server answers the request for TLS with one
byte, and after the TLS handshake, each message has a type and a length. The program
does not send a password, so the server must trust the user. An optional last argument
is a file with certificates to trust instead of those of the platform. If the query
fails, the program prints the reason and exits with status 1.
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
from twisted_clienttcp.framing import Block, LengthPrefixed

#: The request for TLS: its length and a number.
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")

#: The version of the protocol, 3.0.
VERSION = (3 << 16).to_bytes(4, "big")

#: A type of 1 byte, a length of 4 bytes that counts itself, and the content. Records
#: contain all of these, and the length is filled in when one is sent.
MESSAGES = LengthPrefixed(prefixSize=4, offset=1, adjustment=-4, strip=0)


def reasonOf(message):
    """
    Return the text in an error message of the server.
    """
    fields = message[5:].split(b"\0")
    return b", ".join(field[1:] for field in fields if field[:1] == b"M").decode()


def valuesOf(row):
    """
    Return the values in a message that holds a row.
    """
    values, at = [], 7
    for _ in range(int.from_bytes(row[5:7], "big")):
        size = int.from_bytes(row[at : at + 4], "big", signed=True)
        at += 4
        values.append("NULL" if size < 0 else row[at : at + size].decode())
        at += max(size, 0)
    return values


class Query:
    """
    Sends one query and prints its result.
    """

    def __init__(self, user, database, query, options):
        self.user, self.database, self.query = user, database, query
        self.options = options
        self.error = None

    async def preConnect(self, client, negotiation):
        negotiation.setFraming(Block(size=1))
        negotiation.write(SSL_REQUEST)
        if await negotiation.nextRecord() != b"S":
            return self.fail("the server does not support TLS")
        await negotiation.startTLS(self.options)

        negotiation.setFraming(MESSAGES)
        names = [b"user", self.user, b"database", self.database, b"", b""]
        start = VERSION + b"\0".join(names)
        negotiation.write((4 + len(start)).to_bytes(4, "big") + start)
        while True:
            message = await negotiation.nextRecord()
            if message[:1] == b"E":
                return self.fail(reasonOf(message))
            if message[:1] == b"R" and message[5:9] != b"\0\0\0\0":
                return self.fail("the server requires a password")
            if message[:1] == b"Z":
                return True

    def connected(self, client, peer):
        client.put(b"Q\0\0\0\0" + self.query + b"\0")

    def serverInput(self, client, message):
        if message[:1] == b"D":
            print(" | ".join(valuesOf(message)))
        elif message[:1] == b"E":
            self.fail(reasonOf(message))
        elif message[:1] == b"Z":
            client.put(b"X\0\0\0\0")
            client.shutdown()

    def connectError(self, client, failure):
        self.fail(errorDetails(failure).text)
        client.shutdown()

    def fail(self, reason):
        """
        Keep the first reason. Return False, with which preConnect refuses a connection.
        """
        self.error = self.error or reason
        return False


async def main(reactor, host, port, user, database, query, authority=None):
    options = True
    if authority is not None:
        pem = Path(authority).read_bytes()
        options = optionsForClientTLS(
            host, trustRoot=trustRootFromCertificates([Certificate.loadPEM(pem)])
        )
    handler = Query(user.encode(), database.encode(), query.encode(), options)
    client = ClientTCPFactory(remoteAddress=host, remotePort=port, handler=handler)
    await client.start()
    if handler.error is not None:
        sys.exit(handler.error)


if __name__ == "__main__":
    react(main, sys.argv[1:])
