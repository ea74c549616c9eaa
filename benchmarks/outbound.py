"""
Send records, and a file.

All competitors send the same records as lines, one at a time unless their name says
otherwise. All except the limit wait while too much output is pending: our client at its
marks, and each rival in its own way. The figure is the sender's CPU time from the
moment when it is connected until the server has read everything and has ended the
connection.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import chain, repeat
from tempfile import NamedTemporaryFile
from typing import Any

from .drivers import runClient, runNode, runPerl, runProtocol
from .measure import (
    HOST,
    KIB,
    LIMIT,
    MIB,
    OURS,
    Competitor,
    Figure,
    Opponent,
    Ratio,
    Workload,
    expect,
    noise,
    perl,
    program,
    uvloop,
)
from .run import Run

PUT = "clienttcp, put"
PUT_MANY = "clienttcp, putMany"
PLAIN = "transport"

#: Distinct records of 32 bytes, which are sent repeatedly.
BATCH = [b"%032d" % number for number in range(1000)]
SENT = b"".join(record + b"\n" for record in BATCH)

#: Equal to asyncio's marks and Twisted's threshold.
MARKS = {"highMark": 64 * KIB, "lowMark": 16 * KIB}


@dataclass(frozen=True)
class Outbound(Workload):
    """
    Records that a competitor sends.

    @ivar batches: how many times it sends L{BATCH}.
    """

    batches: int

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Read and check everything.
        """
        batches = opponent.part(self.batches)
        opponent.start(batches)
        with opponent.accept() as server:
            expect(server.recv, SENT, batches * len(SENT))
        report = opponent.report()
        return {"seconds": report["cpu"] / (batches * len(BATCH))}


def batches(run: Run) -> Iterator[list[bytes]]:
    """
    @return: the batches to send.
    """
    return repeat(BATCH, int(run.args[0]))


def records(run: Run) -> Iterator[bytes]:
    """
    @return: the records to send.
    """
    return chain.from_iterable(batches(run))


def blocking(run: Run) -> None:
    """
    A loop that encodes records, and sends a thousand at a time to a blocking socket.
    """
    with socket.create_connection((HOST, run.port)) as server:
        run.begin()
        gathered: list[bytes] = []
        for record in records(run):
            gathered.append(record + b"\n")
            if len(gathered) == 1000:
                server.sendall(b"".join(gathered))
                gathered.clear()
        _finish(run, server)


def blockingMany(run: Run) -> None:
    """
    A loop that encodes batches, as C{putMany} does, and sends each to a blocking
    socket.
    """
    with socket.create_connection((HOST, run.port)) as server:
        run.begin()
        for batch in batches(run):
            server.sendall(b"\n".join(batch) + b"\n")
        _finish(run, server)


def _finish(run: Run, server: socket.socket) -> None:
    server.shutdown(socket.SHUT_WR)
    server.recv(1)
    run.end()


# -- ours


def _line() -> Any:
    from twisted_clienttcp.framing import Line

    return Line(delimiter=b"\n")


def ours(run: Run) -> None:
    """
    A loop that calls C{put}, and pauses from the high mark to the low mark.
    """
    waiting = records(run)

    def fill(client: Any) -> None:
        put = client.put
        for record in waiting:
            if put(record):
                return
        client.shutdown()

    _runOurs(run, fill)


def oursMany(run: Run) -> None:
    """
    The same with C{putMany}.
    """
    waiting = batches(run)

    def fill(client: Any) -> None:
        putMany = client.putMany
        for batch in waiting:
            if putMany(batch):
                return
        client.shutdown()

    _runOurs(run, fill)


def _runOurs(run: Run, fill: Any) -> None:
    def connected(client: Any, peer: object) -> None:
        run.begin()
        fill(client)

    runClient(
        run,
        framing=_line(),
        connected=connected,
        serverLow=fill,
        serverInput=run.deliver,
        **MARKS,
    )


# -- rivals


def producing(run: Run, method: str) -> None:
    """
    A push producer that calls a method of the transport or the protocol.

    @param method: C{"sendLine"}, C{"write"} or C{"writeSequence"}.
    """
    from twisted.protocols.basic import LineReceiver

    single, many = records(run), batches(run)

    def send(self: Any) -> None:
        self.paused = False
        if method == "sendLine":
            for record in single:
                self.sendLine(record)
                if self.paused:
                    return
        elif method == "write":
            write = self.transport.write
            for record in single:
                write(record + b"\n")
                if self.paused:
                    return
        else:
            writeSequence = self.transport.writeSequence
            for batch in many:
                writeSequence([record + b"\n" for record in batch])
                if self.paused:
                    return
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def pause(self: Any) -> None:
        self.paused = True

    def connectionMade(self: Any) -> None:
        run.begin()
        self.transport.registerProducer(self, True)
        send(self)

    runProtocol(
        run,
        LineReceiver,
        delimiter=b"\n",
        connectionMade=connectionMade,
        pauseProducing=pause,
        resumeProducing=send,
    )


def streams(run: Run, loopFrom: str) -> None:
    """
    C{asyncio}'s streams.
    """

    async def main() -> None:
        reader, writer = await asyncio.open_connection(HOST, run.port)
        run.begin()
        for record in records(run):
            writer.write(record + b"\n")
            await writer.drain()
        writer.write_eof()
        await reader.read()
        run.end()
        writer.close()

    import_module(loopFrom).new_event_loop().run_until_complete(main())


_POE = r"""
use POE qw(Component::Client::TCP Filter::Line);
use Time::HiRes 'clock';
my @batch = map { sprintf '%032d', $_ } 0 .. 999;
my ($port, $left) = @ARGV;
my $began;
sub fill {
  if ($left-- > 0) { $_[HEAP]{server}->put($_) for @batch }
  else { $_[KERNEL]->yield('shutdown') }
}
POE::Component::Client::TCP->new(
  RemoteAddress => '127.0.0.1', RemotePort => $port,
  Filter => POE::Filter::Line->new(Literal => "\n"),
  Connected => sub { $began = clock; &fill },
  ServerInput => sub { },
  ServerFlushed => \&fill,
  Disconnected => sub { printf qq({"cpu": %f}\n), clock() - $began; exit },
);
POE::Kernel->run;
"""

_NODE = r"""
const [port, batches] = process.argv.slice(1).map(Number);
const batch = Array.from({length: 1000}, (_, n) => String(n).padStart(32, '0'));
let number = 0, began;
const fill = () => {
  while (number < batches * 1000)
    if (!server.write(batch[number++ % 1000] + '\n', 'latin1'))
      return server.once('drain', fill);
  server.end();
};
const server = require('net').connect(port, '127.0.0.1', () => {
  began = process.cpuUsage();
  fill();
});
server.resume();
server.on('close', () => {
  const {user, system} = process.cpuUsage(began);
  console.log(JSON.stringify({cpu: (user + system) / 1e6}));
});
"""


# -- a file


@dataclass(frozen=True)
class Sending(Workload):
    """
    A file that a competitor sends.

    @ivar size: its size in MiB.
    """

    size: int

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Read and check it.
        """
        size = opponent.part(self.size)
        opponent.start(_file(size))
        with opponent.accept() as server:
            expect(server.recv, noise(), size * MIB)
        report = opponent.report()
        return {"seconds": report["cpu"] / size, "peak": report["peak"]}


_files: dict[int, Any] = {}


def _file(size: int) -> str:
    """
    @param size: the size in MiB.

    @return: the name of a file of this size, which is removed when this process ends.
    """
    if size not in _files:
        _files[size] = made = NamedTemporaryFile(prefix="benchmarks.")  # noqa: SIM115
        for _ in range(size):
            made.write(noise())
        made.flush()
    name: str = _files[size].name
    return name


def fileSender(run: Run) -> None:
    """
    C{FileSender}, with the transport as its consumer.
    """
    from twisted.internet.protocol import Protocol
    from twisted.protocols.basic import FileSender

    def connectionMade(self: Any) -> None:
        run.begin()
        sent = FileSender().beginFileTransfer(file, self.transport)
        sent.addCallback(lambda last: self.transport.loseConnection())

    with open(run.args[0], "rb") as file:
        runProtocol(run, Protocol, connectionMade=connectionMade)


def oursFileSender(run: Run) -> None:
    """
    C{FileSender}, with our client as its consumer.
    """
    from twisted.protocols.basic import FileSender

    def connected(client: Any, peer: object) -> None:
        run.begin()
        sent = FileSender().beginFileTransfer(file, client)
        sent.addCallback(lambda last: client.shutdown())

    with open(run.args[0], "rb") as file:
        runClient(run, connected=connected, serverInput=run.deliver)


WORKLOADS = {
    "records": Outbound(
        "1,000,000 records of 32 bytes, as lines",
        {
            LIMIT: Competitor(blocking),
            "socket, given batches": Competitor(blockingMany),
            PUT: Competitor(ours),
            PUT_MANY: Competitor(oursMany),
            "transport.write": Competitor(partial(producing, method="write")),
            "sendLine": Competitor(partial(producing, method="sendLine")),
            "writeSequence": Competitor(partial(producing, method="writeSequence")),
            "asyncio writer": Competitor(
                partial(streams, loopFrom="asyncio"), share=0.2
            ),
            "uvloop writer": Competitor(
                partial(streams, loopFrom="uvloop"), uvloop, share=0.2
            ),
            "POE": Competitor(partial(runPerl, script=_POE), perl, share=0.1),
            "node": Competitor(
                partial(runNode, script=_NODE), program("node"), share=0.2
            ),
        },
        (
            Figure(
                "seconds",
                "us a record",
                1e6,
                (Ratio(LIMIT, {PUT: 5.5, PUT_MANY: 1.0}),),
            ),
        ),
        batches=1000,
    ),
    "file": Sending(
        "FileSender, 1 GiB",
        {
            PLAIN: Competitor(fileSender),
            OURS: Competitor(oursFileSender),
        },
        (
            Figure("seconds", "us a MiB", 1e6, (Ratio(PLAIN, {OURS: 0.7}),), digits=1),
            Figure("peak", "peak KiB", 1 / KIB, digits=0),
        ),
        size=1024,
    ),
}
