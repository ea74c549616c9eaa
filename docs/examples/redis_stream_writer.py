"""
Copy a feed to a Redis stream, and lose no record while Redis or the feed is down::

    $ python redis_stream_writer.py feed.example.org 1234 localhost 6379 prices

The feed sends lines of the form "position data", with positions that increase from 1.
After "FROM 17" it begins with position 18.

The position is the record's ID in the stream. So Redis remembers the last position that
it has stored, and rejects a record that it already has.
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Framing


class RedisError(Exception):
    """
    An error that Redis has answered with.
    """


class RESP(Framing):
    """
    The Redis protocol: commands are lists of bytes; an answer is bytes, a number, None,
    a RedisError, or a list of answers.
    """

    def decode(self, data, start, searched):
        # An answer that is not complete is decoded again when more of it has arrived,
        # so ask for answers that fit into a few reads.
        try:
            answer, end = self._answer(data, start)
        except EOFError:
            return None
        return [answer], end

    def _answer(self, data, start):
        end = data.find(b"\r\n", start)
        if end < 0:
            raise EOFError
        kind, text = data[start : start + 1], bytes(data[start + 1 : end])
        end += 2
        if kind == b"*":
            answers = []
            for _ in range(int(text)):
                answer, end = self._answer(data, end)
                answers.append(answer)
            return answers, end
        if kind == b"$" and text != b"-1":
            start, end = end, end + int(text) + 2
            if len(data) < end:
                raise EOFError
            return bytes(data[start : end - 2]), end
        if kind == b"-":
            return RedisError(text.decode()), end
        return {b":": int, b"+": bytes, b"$": lambda text: None}[bytes(kind)](text), end

    def encode(self, words):
        parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
        return b"*%d\r\n%s" % (len(parts), b"".join(parts))


class Stream:
    """
    Stores records in a Redis stream.
    """

    def __init__(self, reactor, host, port, name):
        self.reactor = reactor
        self.name = name
        self.known = 0
        self.answers = []
        self.missing = 0
        self.answered = None
        self.client = ClientTCPFactory(host, port, framing=RESP(), handler=self)

    def serverInputBatch(self, client, answers):
        self.answers += answers
        if self.answered is not None and len(self.answers) == self.missing:
            answered, self.answered = self.answered, None
            answered.callback(self.answers)

    def disconnected(self, client, disconnection):
        if self.answered is not None:
            answered, self.answered = self.answered, None
            answered.errback(disconnection.failure)

    async def ask(self, *commands):
        """
        Send commands, and return their answers. Repeat this until all answers have
        arrived before the connection is lost, and the last one is not an error.
        """
        while True:
            await self.client.whenConnected()
            self.answers, self.missing = [], len(commands)
            self.answered = Deferred()
            self.client.putMany(commands)
            try:
                answers = await self.answered
            except Exception as error:
                print("repeating:", error, flush=True)
                continue
            if not isinstance(answers[-1], RedisError):
                return answers
            # For example, Redis has been restarted and is loading its data.
            print("Redis:", answers[-1], flush=True)
            await deferLater(self.reactor, 0.5)

    async def position(self):
        """
        Return the position of the last record in the stream.
        """
        [newest] = await self.ask([b"XREVRANGE", self.name, b"+", b"-", b"COUNT", b"1"])
        return int(newest[0][0].split(b"-")[0]) if newest else 0

    async def store(self, records):
        """
        Return when Redis has stored the records, each a position and its data.
        """
        # A transaction: Redis stores all of them or none, so there is never a gap.
        commands = [
            [b"XADD", self.name, position + b"-0", b"data", data]
            for position, data in records
        ]
        answers = await self.ask([b"MULTI"], *commands, [b"EXEC"])
        for answer in answers[-1]:
            if isinstance(answer, RedisError):
                if "equal or smaller" not in str(answer):
                    raise answer
                self.known += 1


class Feed:
    """
    Receives the feed.
    """

    def __init__(self, stream):
        self.stream = stream

    async def preConnect(self, client, negotiation):
        negotiation.put(b"FROM %d" % await self.stream.position())
        return True

    async def serverInputBatch(self, client, lines):
        # Until this returns, no other records are delivered, and soon the feed has to
        # wait too.
        records = [line.split(b" ", 1) for line in lines]
        await self.stream.store(records)
        stored, known = int(records[-1][0]), self.stream.known
        print(f"stored up to {stored}, {known} of them sent twice", flush=True)


def main(reactor, feedHost, feedPort, redisHost, redisPort, name):
    stream = Stream(reactor, redisHost, redisPort, name.encode())
    stream.client.start()
    return ClientTCPFactory(feedHost, feedPort, handler=Feed(stream)).start()


if __name__ == "__main__":
    react(main, sys.argv[1:])
