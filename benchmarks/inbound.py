"""
Receive records of several sizes and kinds.

Each competitor connects, decodes the stream, and calls the same callback with each
record. The figure is its CPU time from the moment when it is connected until the end of
the stream.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any, cast

from .cuts import (
    INT32,
    Cut,
    int32,
    lines,
    longBlock,
    longLine,
    newlines,
    shortLines,
)
from .drivers import runClient, runPerl, runProtocol
from .measure import (
    HOST,
    KIB,
    LIMIT,
    MIB,
    OURS,
    READ,
    Competitor,
    Figure,
    Opponent,
    Ratio,
    Workload,
    always,
    perl,
    same,
    tls,
    uvloop,
)
from .run import Run

BATCH = "clienttcp, serverInputBatch"
PROTOCOL = "Protocol"
HUGE = 64 * MIB

#: The greatest and the mean length, in workloads with records of unequal length.
LONGEST = 128
MEAN = (1 + LONGEST) / 2


@dataclass(frozen=True)
class Inbound(Workload):
    """
    A stream of records for a competitor.

    @ivar records: the number of records that are delivered.
    @ivar size: the mean length of a delivered record in bytes.
    @ivar wire: called with C{size}; returns the bytes to send for C{lump} records.
    @ivar framing: a Python expression for our framing, which may use the names of
        C{twisted_clienttcp.framing} and of C{twisted.protocols.basic}.
    @ivar lump: the number of records in a result of C{wire}.
    @ivar read: the size in bytes of every read; None to let each competitor choose.
    """

    records: int
    size: float
    wire: Callable[[Any], bytes]
    framing: str
    lump: int = 1
    read: int | None = None

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Send all records at once.
        """
        size, times = self.size, 1
        if self.records == 1:
            # The scale applies to the size of a single record.
            size = opponent.part(int(size))
            chunk = self.wire(size)
            records = 1
        else:
            wire = self.wire(size)
            lumps = max(1, opponent.part(self.records) // self.lump)
            atOnce = max(1, min(MIB // len(wire), lumps))
            chunk = wire * atOnce
            times = lumps // atOnce
            records = times * atOnce * self.lump
        report = self.send(opponent, chunk, times)
        same(report["bytes"], round(records * size))
        return {
            "seconds": report["cpu"] / records,
            "peak": report["peak"] / (records * size),
        }

    def send(self, opponent: Opponent, chunk: bytes, times: int) -> dict[str, Any]:
        """
        Send a chunk several times.

        @return: the report of the competitor.
        """
        opponent.start()
        with opponent.accept() as server:
            for _ in range(times):
                server.sendall(chunk)
            server.shutdown(socket.SHUT_WR)
            return opponent.report()


class SecureInbound(Inbound):
    """
    The same over TLS.
    """

    def send(self, opponent: Opponent, chunk: bytes, times: int) -> dict[str, Any]:
        """
        Send a chunk several times, and a close_notify.
        """
        from trustme import CA

        authority, context = CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(context)
        with authority.cert_pem.tempfile() as path:
            opponent.start(path)
            with context.wrap_socket(opponent.accept(), server_side=True) as server:
                for _ in range(times):
                    server.sendall(chunk)
                with server.unwrap():
                    return opponent.report()


def blocking(run: Run, cut: Cut) -> None:
    """
    A loop that reads from a blocking socket and calls the callback.
    """
    deliver, read = run.deliver, run.workload.read or READ
    rest: Any = b""
    with socket.create_connection((HOST, run.port)) as server:
        run.begin()
        while data := server.recv(read):
            found, rest = cut(rest, data)
            for record in found:
                deliver(None, record)
        run.end()


def switching(run: Run) -> None:
    """
    A loop that reads from a blocking socket, in which the callback chooses whether the
    next record is a line or a block of 100 bytes.
    """
    deliver = run.deliver
    isLine = True

    def callback(client: object, record: bytes) -> None:
        nonlocal isLine
        deliver(client, record)
        isLine = not isLine

    rest = b""
    with socket.create_connection((HOST, run.port)) as server:
        run.begin()
        while data := server.recv(READ):
            data = rest + data
            start, end = 0, len(data)
            while start < end:
                if isLine:
                    stop = data.find(b"\n", start)
                    following = stop + 1
                    if stop < 0:
                        break
                else:
                    stop = following = start + 100
                    if stop > end:
                        break
                callback(None, data[start:stop])
                start = following
            rest = data[start:]
        run.end()


def cutting(run: Run, cut: Cut) -> None:
    """
    A Twisted C{Protocol} that decodes like the limit: the smallest Twisted client.
    """
    from twisted.internet.protocol import Protocol

    fixReads(run)
    deliver = run.deliver

    class Rival(Protocol):
        rest = b""

        def dataReceived(self, data: bytes) -> None:
            found, self.rest = cut(self.rest, data)
            for record in found:
                deliver(None, record)

    runProtocol(run, Rival, connectionMade=run.begin)


def _options(run: Run) -> Any:
    """
    @return: options for TLS that trust the server.
    """
    from twisted.internet.ssl import (
        Certificate,
        optionsForClientTLS,
        trustRootFromCertificates,
    )

    authority = Certificate.loadPEM(Path(run.args[0]).read_bytes())
    return optionsForClientTLS(HOST, trustRootFromCertificates([authority]))


def cuttingTLS(run: Run, cut: Cut) -> None:
    """
    L{cutting} over TLS.
    """
    from twisted.internet import protocol, reactor
    from twisted.internet.interfaces import IHandshakeListener
    from zope.interface import implementer

    deliver, theReactor = run.deliver, cast(Any, reactor)

    @implementer(IHandshakeListener)
    class Rival(protocol.Protocol):
        rest = b""

        def handshakeCompleted(self) -> None:
            run.begin()

        def dataReceived(self, data: bytes) -> None:
            found, self.rest = cut(self.rest, data)
            for record in found:
                deliver(None, record)

        def connectionLost(self, reason: object = None) -> None:
            run.end()
            theReactor.stop()

    factory = protocol.ClientFactory.forProtocol(Rival)
    theReactor.connectSSL(HOST, run.port, factory, _options(run))
    theReactor.run()


def rawMode(run: Run) -> None:
    """
    A C{LineReceiver} that calls C{setRawMode} after each line, and C{setLineMode} after
    the next 100 bytes.
    """
    from twisted.protocols.basic import LineReceiver

    deliver = run.deliver

    base: Any = LineReceiver

    class Rival(base):  # type: ignore[misc]
        delimiter = b"\n"
        rest = b""

        def lineReceived(self, line: bytes) -> None:
            deliver(None, line)
            self.setRawMode()

        def rawDataReceived(self, data: bytes) -> None:
            data = self.rest + data
            self.rest = b""
            if len(data) < 100:
                self.rest = data
                return
            deliver(None, data[:100])
            self.setLineMode(data[100:])

    runProtocol(run, Rival, connectionMade=run.begin)


def answering(run: Run, waits: bool) -> None:
    """
    A Twisted C{Protocol} with a callback that returns a Deferred for each line. The
    next line is delivered when it has fired.

    @param waits: True if the Deferred fires in the next turn of the reactor, False if
        it has already fired.
    """
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred, succeed
    from twisted.internet.protocol import Protocol
    from twisted.python import log

    deliver = run.deliver
    callLater, report = cast(Any, reactor).callLater, cast(Any, log).err

    def callback(client: object, record: bytes) -> Deferred[None]:
        deliver(client, record)
        if not waits:
            return succeed(None)
        turn: Deferred[None] = Deferred()
        callLater(0, turn.callback, None)
        return turn

    class Rival(Protocol):
        rest = b""
        isPaused = False

        def dataReceived(self, data: bytes) -> None:
            found, self.rest = lines(self.rest, data)
            self.waiting = iter(found)
            self.go()

        def go(self, result: object = None) -> None:
            for record in self.waiting:
                answer = callback(None, record)
                if not answer.called:
                    answer.addCallback(self.go)
                    answer.addErrback(report)
                    self.pause(True)
                    return
                answer.addErrback(report)
            self.pause(False)

        def pause(self, wanted: bool) -> None:
            if self.isPaused is not wanted:
                self.isPaused = wanted
                transport: Any = self.transport
                if wanted:
                    transport.pauseProducing()
                else:
                    transport.resumeProducing()

    runProtocol(run, Rival, connectionMade=run.begin)


def fixReads(run: Run) -> None:
    """
    If the workload sets a read size, use it for all of Twisted's transports, so that
    neither Twisted nor the client can choose another one.
    """
    read = run.workload.read
    if read is not None:
        from twisted.internet.tcp import Connection

        fixed = property(lambda transport: read, lambda transport, size: None)
        cast(Any, Connection).bufferSize = fixed


# -- ours


def ours(run: Run, **callbacks: Any) -> None:
    """
    The whole client.

    @param callbacks: callbacks to use instead of the default C{serverInput}.
    """
    fixReads(run)
    framings = dict(vars(import_module("twisted.protocols.basic")))
    framings |= vars(import_module("twisted_clienttcp.framing"))
    framing = eval(run.workload.framing, framings)
    parameters = callbacks or {"serverInput": run.deliver}
    if isinstance(run.workload, SecureInbound):
        parameters["tls"] = _options(run)
    runClient(run, framing=framing, connected=run.begin, **parameters)


def batch(run: Run) -> None:
    """
    The whole client, with C{serverInputBatch}.
    """
    ours(run, serverInputBatch=run.deliverBatch)


def swapping(run: Run) -> None:
    """
    The whole client, with a callback that switches to another framing after each
    record.
    """
    from twisted_clienttcp.framing import Block, Line

    deliver = run.deliver
    framings = cycle((Block(size=100), Line(delimiter=b"\n")))

    def serverInput(client: Any, record: bytes) -> None:
        deliver(client, record)
        client.setInputFraming(next(framings))

    ours(run, serverInput=serverInput)


def coroutines(run: Run, waits: bool) -> None:
    """
    The whole client, with a coroutine function as its callback.

    @param waits: True if each coroutine waits for the next turn of the reactor.
    """
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred

    deliver = run.deliver
    callLater = cast(Any, reactor).callLater

    async def serverInput(client: Any, record: bytes) -> None:
        deliver(client, record)
        if waits:
            turn: Deferred[None] = Deferred()
            callLater(0, turn.callback, None)
            await turn

    ours(run, serverInput=serverInput)


# -- other competitors


def receiver(run: Run, base: str, hook: str) -> None:
    """
    A class of C{twisted.protocols.basic}.
    """
    fixReads(run)
    members: dict[str, Any] = {
        hook: run.deliver,
        "connectionMade": run.begin,
        "delimiter": b"\n",
        "MAX_LENGTH": 2 * HUGE,
    }
    kind = getattr(import_module("twisted.protocols.basic"), base)
    runProtocol(run, kind, **members)


def makefile(run: Run) -> None:
    """
    A loop over the lines of C{socket.makefile}.
    """
    deliver = run.deliver
    with socket.create_connection((HOST, run.port)) as server:
        run.begin()
        for line in server.makefile("rb", READ):
            deliver(None, line[:-1])
        run.end()


def streams(run: Run, loopFrom: str, blocks: bool = False) -> None:
    """
    C{asyncio}'s streams.

    @param loopFrom: the module that provides the event loop.
    @param blocks: True for blocks, False for lines.
    """

    async def main() -> None:
        deliver = run.deliver
        reader, writer = await asyncio.open_connection(HOST, run.port)
        run.begin()
        try:
            while blocks:
                head = await reader.readexactly(4)
                deliver(None, await reader.readexactly(INT32.unpack(head)[0]))
        except asyncio.IncompleteReadError:
            pass
        while line := await reader.readline():
            deliver(None, line.rstrip(b"\r\n"))
        run.end()
        writer.close()

    import_module(loopFrom).new_event_loop().run_until_complete(main())


def protocol(run: Run, loopFrom: str, cut: Cut) -> None:
    """
    An C{asyncio} protocol that decodes like the limit.
    """
    loop = import_module(loopFrom).new_event_loop()
    lost = loop.create_future()
    deliver = run.deliver

    class Rival(asyncio.Protocol):
        rest: Any = b""

        def connection_made(self, transport: object) -> None:
            run.begin()

        def data_received(self, data: bytes) -> None:
            found, self.rest = cut(self.rest, data)
            for record in found:
                deliver(None, record)

        def connection_lost(self, error: Exception | None) -> None:
            run.end()
            lost.set_result(None)

    loop.run_until_complete(loop.create_connection(Rival, HOST, run.port))
    loop.run_until_complete(lost)


_POE = r"""
use POE qw(Component::Client::TCP Filter::Line Filter::Block);
use Time::HiRes 'clock';
my ($bytes, $began) = (0, 0);
POE::Component::Client::TCP->new(
  RemoteAddress => '127.0.0.1', RemotePort => $ARGV[0], Filter => FILTER,
  Connected => sub { $began = clock },
  ServerInput => sub { $bytes += length $_[ARG0] },
  ServerError => sub {
    printf qq({"cpu": %f, "peak": 0, "bytes": %d}\n), clock() - $began, $bytes;
    exit;
  },
);
POE::Kernel->run;
"""


def poe(run: Run, filter: str) -> None:
    """
    The original component, for Perl's POE.

    @param filter: a Perl expression for its filter.
    """
    runPerl(run, _POE.replace("FILTER", filter))


# -- workloads


def _competitors(cut: Cut, **rivals: Competitor) -> dict[str, Competitor]:
    """
    @return: the limit, our client, and others.
    """
    return {
        LIMIT: Competitor(partial(blocking, cut=cut)),
        OURS: Competitor(ours),
        **rivals,
    }


def _field(cut: Cut, filter: str, **more: Competitor) -> dict[str, Competitor]:
    """
    @return: the competitors for lines or blocks.
    """
    blocks = cut is int32
    found = _competitors(cut, **more)
    for loop, missing in (("asyncio", always), ("uvloop", uvloop)):
        found[f"{loop} streams"] = Competitor(
            partial(streams, loopFrom=loop, blocks=blocks), missing, share=0.1
        )
        found[f"{loop} Protocol"] = Competitor(
            partial(protocol, loopFrom=loop, cut=cut), missing
        )
    found["POE"] = Competitor(partial(poe, filter=filter), perl, share=0.05)
    return found


def figures(
    most: dict[str, float], peak: float | None = None, huge: bool = False
) -> tuple[Figure, ...]:
    """
    @param most: the bounds of the ratio to the limit.
    @param peak: the bound of our memory, as a multiple of the size of the record.
    @param huge: True if there is only one record: memory is also a figure then.
    """
    seconds = Figure("seconds", "us a record", 1e6, (Ratio(LIMIT, most),))
    if not huge:
        return (seconds,)
    bound = {} if peak is None else {OURS: peak}
    return (seconds, Figure("peak", "peak x bytes", most=bound, digits=2))


_LINE_RECEIVER = Competitor(
    partial(receiver, base="LineReceiver", hook="lineReceived"), share=0.2
)
_INT32_RECEIVER = Competitor(
    partial(receiver, base="Int32StringReceiver", hook="stringReceived")
)
_LINES = _field(
    lines,
    r'POE::Filter::Line->new(Literal => "\n")',
    LineReceiver=_LINE_RECEIVER,
    LineOnlyReceiver=Competitor(
        partial(receiver, base="LineOnlyReceiver", hook="lineReceived")
    ),
    makefile=Competitor(makefile),
)
_BLOCKS = _field(
    int32,
    "POE::Filter::Block->new(LengthCodec => [sub {}, sub { "
    "length ${$_[0]} < 4 ? undef : unpack 'N', substr ${$_[0]}, 0, 4, '' }])",
    Int32StringReceiver=_INT32_RECEIVER,
)


def _line(size: int) -> bytes:
    return b"x" * size + b"\n"


def _mixed(size: int) -> bytes:
    return b"x" * size + b"\r\n" + b"x" * size + b"\n"


def _block(size: int) -> bytes:
    return INT32.pack(size) + b"x" * size


def _lineAndBlock(size: int) -> bytes:
    return b"x" * 16 + b"\n" + b"y" * 100


def unequal(encode: Callable[[bytes], bytes]) -> Callable[[object], bytes]:
    """
    @return: the function L{Inbound.wire} for records of 1 to L{LONGEST} random bytes:
        one record of each length, in random order.
    """
    chance = random.Random(0)
    records = [chance.randbytes(length) for length in range(1, LONGEST + 1)]
    chance.shuffle(records)
    return lambda size: b"".join(map(encode, records))


def _blocks(read: int | None, title: str, **more: Competitor) -> Inbound:
    return Inbound(
        f"blocks of 1 to {LONGEST} bytes, int32{title}",
        _competitors(int32, Protocol=Competitor(partial(cutting, cut=int32)), **more),
        figures({OURS: 1.2}),
        *(400_000, MEAN, unequal(lambda r: INT32.pack(len(r)) + r), "int32()"),
        lump=LONGEST,
        read=read,
    )


def _answers(title: str, waits: bool, records: int) -> Inbound:
    return Inbound(
        f"lines of 16 bytes, {title}",
        {
            LIMIT: Competitor(partial(answering, waits=waits)),
            OURS: Competitor(partial(coroutines, waits=waits)),
        },
        figures({OURS: 1.5}),
        *(records, 16, _line, r"Line(delimiter=b'\n')"),
    )


WORKLOADS = {
    "lines16": Inbound(
        "lines of 16 bytes",
        {**_LINES, BATCH: Competitor(batch)},
        figures({OURS: 1.08, BATCH: 0.55}),
        *(1_000_000, 16, _line, r"Line(delimiter=b'\n')"),
    ),
    "lines1024": Inbound(
        "lines of 1 KiB",
        _LINES,
        figures({OURS: 0.55}),
        *(200_000, 1024, _line, r"Line(delimiter=b'\n')"),
    ),
    "tls": SecureInbound(
        "TLS lines of 100 bytes",
        {
            PROTOCOL: Competitor(partial(cuttingTLS, cut=lines), tls),
            OURS: Competitor(ours, tls),
        },
        (Figure("seconds", "us a record", 1e6, (Ratio(PROTOCOL, {OURS: 1.08}),)),),
        *(2_000_000, 100, _line, r"Line(delimiter=b'\n')"),
    ),
    "newlines": Inbound(
        "lines of 16 bytes, default newline, CR LF and LF mixed",
        _field(newlines, "POE::Filter::Line->new"),
        figures({OURS: 1.05}),
        *(1_000_000, 16, _mixed, "Line()"),
        lump=2,
    ),
    "blocks64": Inbound(
        "blocks of 64 bytes, int32",
        _BLOCKS,
        figures({OURS: 0.60}),
        *(1_000_000, 64, _block, "int32()"),
    ),
    "blocks1024": Inbound(
        "blocks of 1 KiB, int32",
        _BLOCKS,
        figures({OURS: 0.65}),
        *(200_000, 1024, _block, "int32()"),
    ),
    "unequal": _blocks(None, "", Int32StringReceiver=_INT32_RECEIVER),
    "unequal4": _blocks(4 * KIB, ", reads of 4 KiB"),
    "unequal64": _blocks(64 * KIB, ", reads of 64 KiB"),
    "unequal512": _blocks(512 * KIB, ", reads of 512 KiB"),
    "hugeLine": Inbound(
        "one line of 64 MiB",
        _competitors(longLine, LineReceiver=replace(_LINE_RECEIVER, share=1)),
        figures({OURS: 0.9}, peak=2.1, huge=True),
        *(1, HUGE, _line, rf"Line(delimiter=b'\n', maxLength={HUGE})"),
    ),
    "hugeBlock": Inbound(
        "one block of 64 MiB, int32",
        _competitors(longBlock, Int32StringReceiver=_INT32_RECEIVER),
        figures({OURS: 1.05}, peak=2.1, huge=True),
        *(1, HUGE, _block, f"int32(maxLength={HUGE})"),
    ),
    "swap": Inbound(
        "a line of 16 bytes, then a block of 100 bytes, another framing for each",
        {
            LIMIT: Competitor(switching),
            OURS: Competitor(swapping),
            "LineReceiver": Competitor(rawMode, share=0.2),
        },
        figures({OURS: 4}),
        *(200_000, 58, _lineAndBlock, r"Line(delimiter=b'\n')"),
        lump=2,
    ),
    "coroutine": _answers("a coroutine for each", False, 200_000),
    "turn": _answers("a coroutine for each, which waits for one turn", True, 20_000),
    # Streams with which a hostile peer may try to make decoding expensive.
    "empty": Inbound(
        "lines, one of 16 bytes among 255 empty ones, default newline",
        _competitors(newlines),
        figures({OURS: 1.5}),
        *(2_000_000, 1 / 16, lambda size: b"\n" * 255 + _line(16), "Line()"),
        lump=256,
    ),
    "tooLong": Inbound(
        "lines of 16 bytes, among as many that are skipped",
        _competitors(shortLines),
        figures({}),
        *(100_000, 16, lambda size: _line(17) + _line(16)),
        r"Line(delimiter=b'\n', maxLength=16, onTooLong='skip')",
    ),
    "nineEqual": Inbound(
        "blocks, nine of 64 bytes and one of 74 in turn, int32",
        _competitors(int32),
        figures({OURS: 1.2}),
        *(400_000, 65, lambda size: _block(64) * 9 + _block(74), "int32()"),
        lump=10,
    ),
}
