"""
Tests that run the examples of C{docs/howto/sinks.rst} while their servers are killed.
"""

from __future__ import annotations

import json
import runpy
import sys
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.testing import decodeAll

from .._examples import EXAMPLES, Example, ExampleTestCase
from .._processes import execute
from .._servers import Served
from .._support import Peer, Server, freePort, reactor, turn

#: Reads all messages of a stream of NATS, and prints the position and the data of each.
READ_NATS = """
import asyncio, json, sys, nats

async def main(url, name):
    connection = await nats.connect(url)
    stream = connection.jetstream()
    count = (await stream.stream_info(name)).state.messages
    subscription = await stream.subscribe(name, ordered_consumer=True)
    found = []
    while len(found) < count:
        message = await subscription.next_msg(timeout=60)
        found.append(f"{message.headers['Nats-Msg-Id']} {message.data.decode()}")
    await connection.close()
    print(json.dumps(found))

asyncio.run(main(*sys.argv[1:]))
"""


@implementer(IPullProducer)
class Feeding:
    """
    Sends the records of a feed on one connection, as fast as the client reads.
    """

    def __init__(self, feed: Feed, peer: Peer, position: int) -> None:
        self.feed = feed
        self.peer = peer
        self.position = position

    def begin(self) -> None:
        """
        Send what is available.
        """
        transport: Any = self.peer.transport
        transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        last = min(self.position + 100, self.feed.available)
        transport: Any = self.peer.transport
        if last == self.position:
            transport.unregisterProducer()
            self.feed.waiting = self
            return
        lines = [record(number) for number in range(self.position + 1, last + 1)]
        self.position = last
        self.peer.send("".join(f"{line}\r\n" for line in lines).encode())

    def stopProducing(self) -> None:
        pass


def record(number: int) -> str:
    """
    @return: a record of the feed: its position and its data.
    """
    return f"{number} the data of record {number}"


class Feed(Server):
    """
    A feed that can be resumed at any position.

    @ivar available: how many records it has.
    @ivar waiting: the connection that has sent all of them and waits for more.
    @ivar resumed: the position from which each connection was resumed.
    """

    def __init__(self, available: int) -> None:
        super().__init__()
        self.available = available
        self.waiting: Feeding | None = None
        self.resumed: list[int] = []
        self.heard = self.request

    def request(self, peer: Peer, data: bytes) -> None:
        if peer.received.endswith(b"\r\n"):
            self.resumed.append(int(peer.received.split()[1]))
            Feeding(self, peer, self.resumed[-1]).begin()

    def grow(self, available: int) -> None:
        """
        Add records.
        """
        self.available = available
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.begin()


def stored(output: bytes) -> tuple[int, int]:
    """
    @return: the last position that a writer has reported as stored, and how many
        records the server had already until then.
    """
    lines = output[output.rfind(b"stored up to") :].split(b"\n")
    if len(lines) < 2:
        return 0, 0
    words = lines[0].split()
    return int(words[3].rstrip(b",")), int(words[4])


def hasStored(position: int, output: bytes) -> bool:
    """
    @return: True if a writer has reported that position as stored, or a later one.
    """
    return stored(output)[0] >= position


async def kill(served: Served) -> None:
    """
    Kill a server, which gets no chance to write anything.
    """
    served.process.signalProcess("KILL")
    await served.ended


class SinkTestCase(ExampleTestCase):
    """
    Tests that copy a feed into a server which is killed three times. Once the
    connection of the feed is lost too, and once the writer is killed.
    """

    #: The number of records of the feed.
    count = 0

    def setUp(self) -> None:
        self.port = freePort()
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        # The rest follows after the last kill, so that the copy does not end before.
        self.feed = Feed(self.count // 2)

    async def start(self) -> Served:
        """
        Start the server with the data that it has.
        """
        raise NotImplementedError

    async def content(self) -> list[str]:
        """
        @return: the records in the server, each as in the feed.
        """
        raise NotImplementedError

    async def copy(self, name: str, *arguments: object) -> list[str]:
        """
        Kill and restart the server while a writer runs, and check each time that it
        has every record that it has acknowledged.

        @param name: the writer.
        @param arguments: its arguments, those for the feed excepted.

        @return: the final content.
        """
        await self.listen(self.feed)
        served = await self.start()
        given = ("127.0.0.1", self.feed.port, *arguments)
        writer = self.example(name, *given)
        for step in (1, 2, 3):
            await writer.until(partial(hasStored, step * self.count // 10))
            await kill(served)
            acknowledged, _ = stored(writer.output)
            if step == 2:
                self.feed.peers[-1].reset()
            if step == 3:
                writer.transport.signalProcess("KILL")  # type: ignore[union-attr]
                await writer.ended
                writer = self.example(name, *given)
            served = await self.start()
            self.assertComplete(acknowledged, await self.content())
            while len(self.feed.resumed) < step:
                await turn()
        self.feed.grow(self.count)
        await writer.until(partial(hasStored, self.count))
        content = await self.content()
        self.assertComplete(self.count, content)
        return content

    def assertComplete(self, last: int, found: list[str]) -> None:
        """
        Check that no record up to the last one is missing.
        """
        missing = {record(number) for number in range(1, last + 1)} - set(found)
        self.assertEqual(len(missing), 0, sorted(missing)[:5])


class RedisTests(SinkTestCase):
    """
    Tests for C{redis_stream_writer.py} and C{redis_stream_reader.py}.
    """

    count = 60_000

    def setUp(self) -> None:
        super().setUp()
        self.module = runpy.run_path(str(EXAMPLES / "redis_stream_writer.py"))

    async def start(self) -> Served:
        return await self.durableRedis(self.port, self.home)

    async def ask(self, *command: bytes) -> Any:
        """
        @return: the answer to a command.
        """
        answers: list[Any] = []

        def serverInput(client: ClientTCPFactory, answer: Any) -> None:
            if isinstance(answer, self.module["RedisError"]):
                # It is loading its data.
                client.put(list(command))
            else:
                answers.append(answer)
                client.shutdown()

        await ClientTCPFactory(
            "127.0.0.1",
            self.port,
            framing=self.module["RESP"](),
            connected=lambda client, peer: client.put(list(command)),
            serverInput=serverInput,
        ).start()
        return answers[0]

    async def content(self) -> list[str]:
        found: list[str] = []
        start = b"-"
        while page := await self.ask(
            *(b"XRANGE", b"feed", start, b"+", b"COUNT", b"10000")
        ):
            for position, (_, data) in page:
                found.append(f"{position.split(b'-')[0].decode()} {data.decode()}")
            start = b"(" + page[-1][0]
        return found

    async def test_writer(self) -> None:
        """
        The stream has each record once, and in the order of the feed.
        """
        content = await self.copy("redis_stream_writer", "127.0.0.1", self.port, "feed")
        wanted = [record(number) for number in range(1, self.count + 1)]
        self.assertTrue(content == wanted)

    async def test_known(self) -> None:
        """
        Redis rejects records that it has already: they are counted, and are not in the
        stream twice.
        """
        await self.start()
        stream = self.module["Stream"](reactor, "127.0.0.1", self.port, b"feed")
        stopped = stream.client.start()
        records = [(b"%d" % number, b"x") for number in range(1, 11)]
        await stream.store(records[:7])
        await stream.store(records)
        self.assertEqual(stream.known, 7)
        self.assertEqual(await stream.position(), 10)
        self.assertEqual(await self.ask(b"XLEN", b"feed"), 10)
        stream.client.shutdown()
        await stopped

    def test_split(self) -> None:
        """
        An answer is the same in any pieces.
        """
        data = b"*3\r\n:1\r\n$2\r\n\r\n\r\n*2\r\n$-1\r\n*-1\r\n+OK\r\n*0\r\n"
        for size in (1, 2, len(data)):
            pieces = [data[at : at + size] for at in range(0, len(data), size)]
            records, error = decodeAll(self.module["RESP"](), pieces)
            self.assertIsNone(error)
            self.assertEqual(records, [[1, b"\r\n", [None, []]], b"OK", []])

    async def test_readers(self) -> None:
        """
        The members of a group process every record, though Redis and one of them are
        killed. The member that is left processes the records of the other one.
        """
        count = 10_000
        served = await self.start()

        async def fill(first: int, last: int) -> None:
            stream = self.module["Stream"](reactor, "127.0.0.1", self.port, b"feed")
            stopped = stream.client.start()
            await stream.store([(b"%d" % n, b"x") for n in range(first, last + 1)])
            stream.client.shutdown()
            await stopped

        def reader(name: str) -> Example:
            return self.example(
                "redis_stream_reader",
                *("127.0.0.1", self.port, "feed", "group", name, 1),
            )

        await fill(1, count // 2)
        first = reader("first")
        await first.until(lambda output: output.count(b"\n") > 500)
        second = reader("second")
        await kill(served)
        await self.start()
        await fill(count // 2 + 1, count)
        first.transport.signalProcess("KILL")  # type: ignore[union-attr]
        await first.ended
        wanted = {b"%d-0 x" % number for number in range(1, count + 1)}
        earlier = set(first.output.split(b"\n"))
        await second.until(lambda output: wanted <= earlier.union(output.split(b"\n")))


class NATSTests(SinkTestCase):
    """
    Tests for C{nats_stream_writer.py}.
    """

    count = 20_000

    async def start(self) -> Served:
        return await self.nats(self.port, self.home)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def content(self) -> list[str]:
        out, err, status = await execute(
            *(sys.executable, "-c", READ_NATS, self.url, "feed")
        )
        self.assertEqual((status, err), (0, b""))
        found: list[str] = json.loads(out)
        return found

    async def test_writer(self) -> None:
        """
        The stream has each record, and none twice.
        """
        content = await self.copy("nats_stream_writer", self.url, "feed")
        self.assertEqual(len(content), self.count)
