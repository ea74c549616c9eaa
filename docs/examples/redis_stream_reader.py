"""
Process the records of a Redis stream in several processes, which share the work::

    $ python redis_stream_reader.py localhost 6379 prices totals worker1
    $ python redis_stream_reader.py localhost 6379 prices totals worker2

Redis gives each record to one member of the group "totals". A member acknowledges its
records when it has processed them. If it dies before that, another member gets them
after a minute, or after the number of seconds in the last argument. So a record is
processed at least once, and in rare cases twice.
"""

import sys

from redis_stream_writer import RESP, RedisError
from twisted.internet.task import react

from twisted_clienttcp import ClientTCPFactory


class Member:
    """
    A member of a group.
    """

    def __init__(self, stream, group, name, patience):
        self.stream, self.group, self.name = stream, group, name
        self.patience = patience
        self.start = b"0"

    async def preConnect(self, client, negotiation):
        negotiation.put(
            [b"XGROUP", b"CREATE", self.stream, self.group, b"0", b"MKSTREAM"]
        )
        answer = await negotiation.nextRecord()
        if isinstance(answer, RedisError) and "BUSYGROUP" not in str(answer):
            # For example, Redis has been restarted and is loading its data.
            print("Redis:", answer, flush=True)
            return False
        return True

    def connected(self, client, peer):
        # Begin with the records that this member got and has not acknowledged.
        self.start = b"0"
        self.read(client)

    def read(self, client):
        where = [b"BLOCK", b"1000", b"STREAMS", self.stream, self.start]
        client.put(
            [b"XREADGROUP", b"GROUP", self.group, self.name, b"COUNT", b"500", *where]
        )

    def claim(self, client):
        which = [b"%d" % (self.patience * 1000), b"0", b"COUNT", b"500"]
        client.put([b"XAUTOCLAIM", self.stream, self.group, self.name, *which])

    def serverInput(self, client, answer):
        if isinstance(answer, RedisError):
            print("Redis:", answer, flush=True)
            client.reconnect(1)
        elif isinstance(answer, list) and answer:
            # XAUTOCLAIM answers with a cursor and records, XREADGROUP with a list of
            # streams, each with its name and records.
            isClaim = isinstance(answer[0], bytes)
            self.take(client, answer[1] if isClaim else answer[0][1])
            self.read(client)
        elif answer == []:
            # No record has arrived for a second.
            self.claim(client)

    def take(self, client, records):
        if not records:
            # This member has acknowledged all its records, so ask for new ones.
            self.start = b">"
            return
        for position, fields in records:
            # A record that was deleted from the stream has no fields.
            if fields is not None:
                self.process(position, fields[1])
        ids = [position for position, _ in records]
        client.put([b"XACK", self.stream, self.group, *ids])

    def process(self, position, data):
        print(position.decode(), data.decode(), flush=True)


def main(reactor, host, port, stream, group, name, patience="60"):
    member = Member(stream.encode(), group.encode(), name.encode(), float(patience))
    return ClientTCPFactory(host, port, framing=RESP(), handler=member).start()


if __name__ == "__main__":
    react(main, sys.argv[1:])
