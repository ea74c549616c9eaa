"""
Who competes, and at what.

Each competitor connects to a port, cuts what comes into records, and calls the same
callback with each of them. It runs in a process of its own, which prints what it has
counted::

    python -m benchmarks.competitors WORK COMPETITOR PORT
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from struct import Struct
from typing import Any

OURS = "clienttcp"
BATCH = "clienttcp, serverInputBatch"
LIMIT = "limit"

HOST = "127.0.0.1"
READ = 65536
MIB = 1024 * 1024
HUGE = 64 * MIB

_STATUS = Path("/proc/self/status")
_INT32 = Struct("!I")


@dataclass(frozen=True)
class Work:
    """
    What is sent, and who competes to receive it.

    @ivar records: how many records are sent.
    @ivar size: the length of each as it is delivered.
    @ivar wire: what is sent for one of that length, or for C{lump} of them.
    @ivar framing: an expression for our framing, in the namespace of C{framing}.
    @ivar must: what ratio to the limit a competitor must reach.
    @ivar peak: how many times the record's octets our process may take.
    """

    title: str
    records: int
    size: int
    wire: Callable[[int], bytes]
    framing: str
    competitors: dict[str, Callable[[Run], None]]
    must: dict[str, float] = field(default_factory=dict)
    peak: float | None = None
    lump: int = 1


class Run:
    """
    One run of a competitor: what it calls, and what is counted meanwhile.
    """

    def __init__(self, work: Work, port: int) -> None:
        self.work = work
        self.port = port
        octets = 0

        def deliver(client: Any, record: Any) -> None:
            nonlocal octets
            octets += len(record)

        def deliverBatch(client: Any, records: list[Any]) -> None:
            nonlocal octets
            octets += sum(map(len, records))

        def delivered() -> int:
            return octets

        self.deliver = deliver
        self.deliverBatch = deliverBatch
        self.delivered = delivered

    def begin(self, *args: object) -> None:
        """
        The connection is up.
        """
        self._memory = _memory("VmRSS")
        self._cpu = _cpuSeconds()

    def end(self, *args: object) -> None:
        """
        The stream has ended.
        """
        cpu = _cpuSeconds() - self._cpu
        peak = _memory("VmHWM") - self._memory
        report = {"cpu": cpu, "peak": peak, "octets": self.delivered()}
        print(json.dumps(report), flush=True)


def _cpuSeconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _memory(name: str) -> int:
    """
    @return: the octets of this process that Linux has under that name. Its C{ru_maxrss}
        can be that of the process which has started this one; elsewhere it must do.
    """
    if _STATUS.exists():
        found = re.search(rf"{name}:\s*(\d+) kB", _STATUS.read_text())
        if found is not None:
            return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


# -- the limits: what is kept and what was read become records and what is to be kept

Cut = Callable[[Any, bytes], tuple[list[Any], Any]]


def lines(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    found = data.split(b"\n")
    found[0] = rest + found[0]
    return found, found.pop()


def newlines(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    data = rest + data
    found = data.splitlines()
    if data[-1] == 10:
        return found, b""
    # A CR is kept too: its LF may come.
    return found, found.pop() + (b"\r" if data[-1] == 13 else b"")


def matches(
    rest: bytes, data: bytes, pattern: re.Pattern[bytes]
) -> tuple[list[bytes], bytes]:
    found = pattern.split(rest + data)
    return found, found.pop()


def longLine(rest: Any, data: bytes) -> tuple[list[bytes], list[bytes]]:
    parts: list[bytes] = rest or []
    end = data.find(b"\n")
    if end < 0:
        parts.append(data)
        return [], parts
    parts.append(data[:end])
    return [b"".join(parts)], [data[end + 1 :]]


def int32(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    data = rest + data
    found, start, end = [], 0, len(data)
    unpack = _INT32.unpack_from
    while start + 4 <= end:
        behind = start + 4 + unpack(data, start)[0]
        if behind > end:
            break
        found.append(data[start + 4 : behind])
        start = behind
    return found, data[start:]


def longBlock(rest: Any, data: bytes) -> tuple[list[bytes], list[Any]]:
    if not rest:
        rest = [_INT32.unpack_from(data)[0]]
        data = data[4:]
    rest[0] -= len(data)
    rest.append(data)
    return ([], rest) if rest[0] else ([b"".join(rest[1:])], [])


def varint(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    data = rest + data
    found, start, end = [], 0, len(data)
    while start < end:
        at, length, shift = start, 0, 0
        while at < end and data[at] & 128:
            length |= (data[at] & 127) << shift
            shift += 7
            at += 1
        if at == end:
            break
        behind = at + 1 + (length | data[at] << shift)
        if behind > end:
            break
        found.append(data[at + 1 : behind])
        start = behind
    return found, data[start:]


def counted(
    rest: bytes, data: bytes, mark: bytes = b"\0", trailer: int = 0
) -> tuple[list[bytes], bytes]:
    data = rest + data
    found, start, end = [], 0, len(data)
    while (at := data.find(mark, start)) >= 0:
        behind = at + 1 + int(data[start:at])
        if behind + trailer > end:
            break
        found.append(data[at + 1 : behind])
        start = behind + trailer
    return found, data[start:]


def fixed(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    data = rest + data
    whole = len(data) - len(data) % 64
    return [data[start : start + 64] for start in range(0, whole, 64)], data[whole:]


def slip(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    found = (rest + data).split(b"\xc0")
    rest = found.pop()
    return [
        packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
        if b"\xdb" in packet
        else packet
        for packet in found
        if packet
    ], rest


def reads(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    return [data], b""


def converted(cut: Cut, convert: Callable[[bytes], Any]) -> Cut:
    def cutAndConvert(rest: bytes, data: bytes) -> tuple[list[Any], bytes]:
        found, rest = cut(rest, data)
        return list(map(convert, found)), rest

    return cutAndConvert


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
    from twisted.internet import task

    from twisted_clienttcp import ClientTCPFactory

    factory: Any = ClientTCPFactory
    callbacks: dict[str, Any] = {"serverInput": run.deliver}
    if batch:
        callbacks = {"serverInputBatch": run.deliverBatch}

    def main(reactor: Any) -> Any:
        client = factory(
            remoteAddress=HOST,
            remotePort=run.port,
            framing=ourFraming(run.work),
            autoReconnect=False,
            connected=run.begin,
            serverError=lambda client, failure: None,
            disconnected=run.end,
            **callbacks,
        )
        return client.start()

    task.react(main)


def ourFraming(work: Work) -> Any:
    """
    @raise NameError: if there is no such framing yet.
    @raise TypeError: if it does not know a parameter yet.
    """
    return eval(work.framing, dict(vars(import_module("twisted_clienttcp.framing"))))


# -- rivals


def receiver(run: Run, base: str, hook: str) -> None:
    """
    A class of C{twisted.protocols.basic}.
    """
    from twisted.internet import protocol, reactor
    from twisted.protocols import basic

    theReactor: Any = reactor

    def connectionLost(self: object, reason: object) -> None:
        run.end()
        theReactor.stop()

    members = {
        hook: run.deliver,
        "connectionMade": run.begin,
        "connectionLost": connectionLost,
        "delimiter": b"\n",
        "MAX_LENGTH": 2 * HUGE,
    }
    built = type("Rival", (getattr(basic, base),), members)
    theReactor.connectTCP(HOST, run.port, protocol.ClientFactory.forProtocol(built))
    theReactor.run()


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
                deliver(None, await reader.readexactly(_INT32.unpack(head)[0]))
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
    script = _POE.replace("FILTER", filter)
    os.execvp("perl", ["perl", "-e", script, str(run.port)])


def available(work: Work, name: str) -> bool:
    """
    @return: whether that competitor can run here and now.
    """
    if name == BATCH:
        factory = import_module("twisted_clienttcp").ClientTCPFactory
        return "serverInputBatch" in signature(factory).parameters
    if name == OURS:
        try:
            ourFraming(work)
        except (NameError, TypeError):
            return False
    if name.startswith("uvloop"):
        return find_spec("uvloop") is not None
    if name == "POE":
        command = ["perl", "-MPOE", "-e", "exit"]
        try:
            return subprocess.run(command, capture_output=True).returncode == 0
        except OSError:
            return False
    return True


#: What part of the records is enough for those that take long over each.
SHARE = {
    "LineReceiver": 0.2,
    "asyncio streams": 0.1,
    "uvloop streams": 0.1,
    "POE": 0.05,
}


def _field(cut: Cut, filter: str, **more: Callable[[Run], None]) -> dict[str, Any]:
    """
    @return: those who compete at lines or blocks.
    """
    blocks = cut is int32
    return {
        LIMIT: partial(blocking, cut=cut),
        OURS: ours,
        **more,
        "asyncio streams": partial(streams, loopFrom="asyncio", blocks=blocks),
        "asyncio Protocol": partial(protocol, loopFrom="asyncio", cut=cut),
        "uvloop streams": partial(streams, loopFrom="uvloop", blocks=blocks),
        "uvloop Protocol": partial(protocol, loopFrom="uvloop", cut=cut),
        "POE": partial(poe, filter=filter),
    }


def _against(cut: Cut, **rivals: Callable[[Run], None]) -> dict[str, Any]:
    return {LIMIT: partial(blocking, cut=cut), OURS: ours, **rivals}


_LINE_RECEIVER = partial(receiver, base="LineReceiver", hook="lineReceived")
_INT32_RECEIVER = partial(receiver, base="Int32StringReceiver", hook="stringReceived")
_LINES = _field(
    lines,
    r'POE::Filter::Line->new(Literal => "\n")',
    LineReceiver=_LINE_RECEIVER,
    LineOnlyReceiver=partial(receiver, base="LineOnlyReceiver", hook="lineReceived"),
    makefile=makefile,
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
    return _INT32.pack(size) + b"x" * size


INBOUND = {
    "lines16": Work(
        "lines of 16 octets",
        *(1_000_000, 16, _line, r"Line(delimiter=b'\n')"),
        {**_LINES, BATCH: partial(ours, batch=True)},
        {OURS: 1.10, BATCH: 0.60},
    ),
    "lines1024": Work(
        "lines of 1 KiB",
        *(200_000, 1024, _line, r"Line(delimiter=b'\n')"),
        _LINES,
        {OURS: 0.75},
    ),
    "newlines": Work(
        "lines of 16 octets, default newline, CR LF and LF mixed",
        *(1_000_000, 16, _mixed, "Line()"),
        _field(newlines, "POE::Filter::Line->new"),
        {OURS: 1.15},
        lump=2,
    ),
    "blocks64": Work(
        "blocks of 64 octets, int32",
        *(1_000_000, 64, _block, "int32()"),
        _BLOCKS,
        {OURS: 0.80},
    ),
    "blocks1024": Work(
        "blocks of 1 KiB, int32",
        *(200_000, 1024, _block, "int32()"),
        _BLOCKS,
        {OURS: 0.95},
    ),
    "hugeLine": Work(
        "one line of 64 MiB",
        *(1, HUGE, _line, rf"Line(delimiter=b'\n', maxLength={HUGE})"),
        _against(longLine, LineReceiver=_LINE_RECEIVER),
        {OURS: 1.10},
        peak=2.1,
    ),
    "hugeBlock": Work(
        "one block of 64 MiB, int32",
        *(1, HUGE, _block, f"int32(maxLength={HUGE})"),
        _against(longBlock, Int32StringReceiver=_INT32_RECEIVER),
        {OURS: 1.3},
    ),
}


def _framing(
    title: str, head: bytes, tail: bytes, framing: str, cut: Cut, size: int = 62
) -> Work:
    def wire(size: int) -> bytes:
        return head + b"x" * size + tail

    return Work(title, 40 * MIB // size, size, wire, framing, _against(cut))


_NETSTRING = partial(counted, mark=b":", trailer=1)
_CRLF = partial(matches, pattern=re.compile(rb"\r?\n"))

FRAMINGS = {
    "stream": _framing("Stream, reads", b"", b"", "Stream()", reads, READ),
    "text": _framing(
        "Line, decoded",
        *(b"", b"\n", r"Line(delimiter=b'\n', encoding='utf-8')"),
        converted(lines, bytes.decode),
    ),
    "pattern": _framing(
        "Line, regular expression",
        *(b"", b"\r\n", r"Line(inputPattern=rb'\r?\n', outputDelimiter=b'\n')", _CRLF),
    ),
    "autodetect": _framing(
        "Line, autodetection", b"", b"\n", "Line(autodetect=True)", lines
    ),
    "json": _framing(
        "JSONLines", b'"', b'"\n', "JSONLines()", converted(lines, json.loads)
    ),
    "block": _framing("Block, 64 octets", b"", b"", "Block(size=64)", fixed, 64),
    "counted": _framing("Block, length codec", b"62\0", b"", "Block()", counted),
    "varint": _framing(
        "LengthPrefixed, varint",
        *(b"\x3e", b"", "LengthPrefixed(octets='varint')", varint),
    ),
    "netstring": _framing("Netstring", b"62:", b",", "Netstring()", _NETSTRING),
    "serialized": _framing(
        "Serialized, JSON",
        *(b'64\0"', b'"', "Serialized(serializer='json')"),
        converted(counted, json.loads),
    ),
    "slip": _framing("SLIP", b"\xc0", b"\xc0", "SLIP()", slip),
}
FRAMINGS["netstring"].competitors["NetstringReceiver"] = partial(
    receiver, base="NetstringReceiver", hook="stringReceived"
)

TABLES = {"inbound": INBOUND, "framings": FRAMINGS}


if __name__ == "__main__":
    chosen = {**INBOUND, **FRAMINGS}[sys.argv[1]]
    chosen.competitors[sys.argv[2]](Run(chosen, int(sys.argv[3])))
