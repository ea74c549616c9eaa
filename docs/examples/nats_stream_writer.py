"""
Copy a feed to a stream of NATS JetStream, and lose no record while NATS or the feed is
down::

    $ python nats_stream_writer.py feed.example.org 1234 nats://localhost:4222 prices

The feed sends lines of the form "position data", with positions that increase from 1.
After "FROM 17" it begins with position 18.

NATS stores the last acknowledged position too, in a bucket of its own. The position is
the ID of the message, so NATS recognises a record that it already has, if it was sent
less than an hour ago.

This needs nats-py, which works with asyncio, and so with Twisted's asyncio reactor.
"""

import asyncio
import sys

import nats
from nats.js.api import StreamConfig
from nats.js.errors import KeyNotFoundError
from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from twisted_clienttcp import ClientTCPFactory

#: How many messages are sent before the first of them is acknowledged.
WINDOW = 256

#: The errors of a server that is down, or does not answer in time.
ERRORS = (nats.errors.Error, asyncio.TimeoutError, OSError)


class Stream:
    """
    Stores records in a stream. Its methods are coroutines of asyncio.
    """

    def __init__(self, name):
        self.name = name
        self.known = 0

    async def open(self, url):
        connection = await nats.connect(
            url, max_reconnect_attempts=-1, reconnect_time_wait=0.5
        )
        self.jetStream = connection.jetstream()
        await self.jetStream.add_stream(
            StreamConfig(
                self.name, subjects=[self.name], storage="file", duplicate_window=3600
            )
        )
        self.positions = await self.jetStream.create_key_value(
            bucket=f"{self.name}-position", storage="file"
        )

    async def position(self):
        """
        Return the last position that was acknowledged.
        """
        while True:
            try:
                return int((await self.positions.get("last")).value)
            except KeyNotFoundError:
                return 0
            except ERRORS as error:
                await self.pause(error)

    async def store(self, records):
        """
        Return when NATS has stored the records, each a position and its data.
        """
        for start in range(0, len(records), WINDOW):
            await self.publish(records[start : start + WINDOW])
        while True:
            try:
                await self.positions.put("last", records[-1][0])
                return
            except ERRORS as error:
                await self.pause(error)

    async def publish(self, records):
        while records:
            answers = await asyncio.gather(
                *(
                    self.jetStream.publish(
                        self.name, data, headers={"Nats-Msg-Id": position.decode()}
                    )
                    for position, data in records
                ),
                return_exceptions=True,
            )
            missing, error = [], None
            for record, answer in zip(records, answers, strict=True):
                if not isinstance(answer, BaseException):
                    self.known += bool(answer.duplicate)
                elif isinstance(answer, ERRORS):
                    missing.append(record)
                    error = answer
                else:
                    raise answer
            records = missing
            if records:
                await self.pause(error)

    async def pause(self, error):
        print("repeating:", repr(error), flush=True)
        await asyncio.sleep(0.5)


class Feed:
    """
    Receives the feed.
    """

    def __init__(self, loop, stream):
        self.loop = loop
        self.stream = stream

    def run(self, coroutine):
        """
        Run a coroutine of asyncio, and return a Deferred for its result.
        """
        return Deferred.fromFuture(self.loop.create_task(coroutine))

    async def preConnect(self, client, negotiation):
        negotiation.put(b"FROM %d" % await self.run(self.stream.position()))
        return True

    async def serverInputBatch(self, client, lines):
        # Until this returns, no other records are delivered, and soon the feed has to
        # wait too.
        records = [line.split(b" ", 1) for line in lines]
        await self.run(self.stream.store(records))
        stored, known = int(records[-1][0]), self.stream.known
        print(f"stored up to {stored}, {known} of them sent twice", flush=True)


async def main(reactor, loop, feedHost, feedPort, url, name):
    feed = Feed(loop, Stream(name))
    await feed.run(feed.stream.open(url))
    await ClientTCPFactory(feedHost, feedPort, handler=feed).start()


if __name__ == "__main__":
    loop = asyncio.new_event_loop()
    asyncioreactor.install(loop)
    react(main, [loop, *sys.argv[1:]])
