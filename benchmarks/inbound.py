"""
Records from the server to a callback, by size and kind.

The competitor connects, cuts what comes into records, and calls the same callback with
each of them. What counts is its CPU time from when the connection is up until the end
of the stream.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

from .cuts import INT32, Cut, int32, lines, longBlock, longLine, newlines
from .drivers import runClient, runPerl, runProtocol
from .measure import (
    HOST,
    LIMIT,
    MIB,
    OURS,
    READ,
    Competitor,
    Figure,
    Opponent,
    Ratio,
    Work,
    always,
    perl,
    same,
    uvloop,
)
from .run import Run

BATCH = "clienttcp, serverInputBatch"
HUGE = 64 * MIB


@dataclass(frozen=True)
class Inbound(Work):
    """
    What is sent to a competitor.

    @ivar records: how many records are sent.
    @ivar size: the length of each as it is delivered.
    @ivar wire: what is sent for one of that length, or for C{lump} of them.
    @ivar framing: an expression for our framing, in the namespace of C{framing}.
    """

    records: int
    size: int
    wire: Callable[[int], bytes]
    framing: str
    lump: int = 1

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Send all records at once.
        """
        size, times = self.size, 1
        if self.records == 1:
            # A single record: what can be less is its size.
            size = opponent.part(size)
            chunk = self.wire(size)
            records = 1
        else:
            wire = self.wire(size)
            lumps = max(1, min(MIB // len(wire), opponent.part(self.records)))
            chunk = wire * lumps
            lumps *= self.lump
            times = max(1, opponent.part(self.records) // lumps)
            records = times * lumps
        opponent.start()
        with opponent.accept() as server:
            for _ in range(times):
                server.sendall(chunk)
            server.shutdown(socket.SHUT_WR)
            report = opponent.report()
        same(report["octets"], records * size)
        return {
            "seconds": report["cpu"] / records,
            "peak": report["peak"] / (records * size),
        }


def blocking(run: Run, cut: Cut) -> None:
    """
    A blocking socket, and a loop that calls.
    """
    deliver = run.deliver
    rest: Any = b""
    with socket.create_connection((HOST, run.port)) as server:
        run.begin()
        while data := server.recv(READ):
            found, rest = cut(rest, data)
            for record in found:
                deliver(None, record)
        run.end()


# -- ours


def ours(run: Run, batch: bool = False) -> None:
    """
    The whole client.
    """
    callbacks: dict[str, Any] = {"serverInput": run.deliver}
    if batch:
        callbacks = {"serverInputBatch": run.deliverBatch}
    framings = dict(vars(import_module("twisted_clienttcp.framing")))
    framing = eval(run.work.framing, framings)
    runClient(run, framing=framing, connected=run.begin, **callbacks)


# -- rivals


def receiver(run: Run, base: str, hook: str) -> None:
    """
    A class of C{twisted.protocols.basic}.
    """
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
    The lines of C{socket.makefile}.
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
    C{asyncio}'s Protocol, cutting as the limit does.
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
my ($octets, $began) = (0, 0);
POE::Component::Client::TCP->new(
  RemoteAddress => '127.0.0.1', RemotePort => $ARGV[0], Filter => FILTER,
  Connected => sub { $began = clock },
  ServerInput => sub { $octets += length $_[ARG0] },
  ServerError => sub {
    printf qq({"cpu": %f, "peak": 0, "octets": %d}\n), clock() - $began, $octets;
    exit;
  },
);
POE::Kernel->run;
"""


def poe(run: Run, filter: str) -> None:
    """
    The original.
    """
    runPerl(run, _POE.replace("FILTER", filter))


# -- works


def _competitors(cut: Cut, **rivals: Competitor) -> dict[str, Competitor]:
    """
    @return: the limit, ourselves, and rivals.
    """
    return {
        LIMIT: Competitor(partial(blocking, cut=cut)),
        OURS: Competitor(ours),
        **rivals,
    }


def _field(cut: Cut, filter: str, **more: Competitor) -> dict[str, Competitor]:
    """
    @return: all who compete at lines or blocks.
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
    @param most: what ratio to the limit must be reached.
    @param peak: how many times the record's octets our process may take.
    @param huge: whether there is one record, whose memory counts.
    """
    seconds = Figure("seconds", "us a record", 1e6, (Ratio(LIMIT, most),))
    if not huge:
        return (seconds,)
    bound = {} if peak is None else {OURS: peak}
    return (seconds, Figure("peak", "peak x octets", most=bound, digits=2))


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
_BATCH = Competitor(partial(ours, batch=True))


def _line(size: int) -> bytes:
    return b"x" * size + b"\n"


def _mixed(size: int) -> bytes:
    return b"x" * size + b"\r\n" + b"x" * size + b"\n"


def _block(size: int) -> bytes:
    return INT32.pack(size) + b"x" * size


WORKS = {
    "lines16": Inbound(
        "lines of 16 octets",
        {**_LINES, BATCH: _BATCH},
        figures({OURS: 1.10, BATCH: 0.60}),
        *(1_000_000, 16, _line, r"Line(delimiter=b'\n')"),
    ),
    "lines1024": Inbound(
        "lines of 1 KiB",
        _LINES,
        figures({OURS: 0.75}),
        *(200_000, 1024, _line, r"Line(delimiter=b'\n')"),
    ),
    "newlines": Inbound(
        "lines of 16 octets, default newline, CR LF and LF mixed",
        _field(newlines, "POE::Filter::Line->new"),
        figures({OURS: 1.15}),
        *(1_000_000, 16, _mixed, "Line()"),
        lump=2,
    ),
    "blocks64": Inbound(
        "blocks of 64 octets, int32",
        _BLOCKS,
        figures({OURS: 0.80}),
        *(1_000_000, 64, _block, "int32()"),
    ),
    "blocks1024": Inbound(
        "blocks of 1 KiB, int32",
        _BLOCKS,
        figures({OURS: 0.95}),
        *(200_000, 1024, _block, "int32()"),
    ),
    "hugeLine": Inbound(
        "one line of 64 MiB",
        _competitors(longLine, LineReceiver=replace(_LINE_RECEIVER, share=1)),
        figures({OURS: 1.10}, peak=2.1, huge=True),
        *(1, HUGE, _line, rf"Line(delimiter=b'\n', maxLength={HUGE})"),
    ),
    "hugeBlock": Inbound(
        "one block of 64 MiB, int32",
        _competitors(longBlock, Int32StringReceiver=_INT32_RECEIVER),
        figures({OURS: 1.3}, huge=True),
        *(1, HUGE, _block, f"int32(maxLength={HUGE})"),
    ),
}
