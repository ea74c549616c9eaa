"""
Measure how the time to decode a stream grows with its length, for each framing and each
way to use it::

    python -m tests.growth [NAME ...]

From C{n} to C{8n} bytes, a linear time grows by a factor of 8, and a quadratic time by
64. The limit is between them, far enough from 8 for a busy machine. Only CPU time is
measured. (Counting function calls instead would miss the copying of bytes.)
"""

from __future__ import annotations

import gc
import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.protocols.basic import Int32StringReceiver, LineReceiver

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import (
    SLIP,
    Block,
    Framing,
    Grep,
    JSONLines,
    JSONValues,
    LengthPrefixed,
    Line,
    Map,
    Netstring,
    Receiver,
    RecordBlock,
    Serialized,
    Stackable,
    Stream,
    int16,
    tpkt,
)
from twisted_clienttcp.testing import MemoryServer

#: The ratio of the lengths of the two streams.
FACTOR = 8

#: The greatest ratio of the times that is allowed.
LIMIT = 14.0

#: The shortest time in seconds that is measured.
LEAST = 0.002

#: The same for a long record in pieces. If it is too short, searching or copying all of
#: it at each piece takes less time than the other work.
LEAST_LONG = 0.008

#: A read of a socket.
READ = 64 * 1024

#: A limit that no stream of a measurement reaches.
HUGE = 1 << 30


def colonLength(head: bytearray) -> int | None:
    """
    Decode a length in decimal digits and a colon, for L{Block}.
    """
    digits, colon, _ = head.partition(b":")
    if not colon:
        return None
    del head[: len(digits) + 1]
    return int(digits)


def withColonLength(record: bytes) -> bytes:
    """
    Encode a record with its length in decimal digits and a colon.
    """
    return b"%d:%b" % (len(record), record)


@dataclass
class Subject:
    """
    A framing to measure.

    @ivar make: creates it, with C{maxLength} and C{onTooLong} if it has them.
    @ivar records: examples of short records.
    @ivar long: creates a record of a given length; None if records cannot be long.
    @ivar limited: True if it has C{maxLength} and C{onTooLong="skip"}.
    """

    make: Callable[..., Framing[Any]]
    records: list[Any] = field(default_factory=lambda: [b"a", b"bcd"])
    long: Callable[[int], Any] | None = lambda length: b"x" * length
    limited: bool = True

    def framing(self, maxLength: int = HUGE, onTooLong: str = "close") -> Framing[Any]:
        """
        Create the framing.
        """
        if self.limited:
            return self.make(maxLength=maxLength, onTooLong=onTooLong)
        return self.make()

    def stream(self, length: int, records: list[Any] | None = None) -> bytes:
        """
        Encode records until the stream has this length or more.
        """
        framing = self.framing()
        unit = b"".join(map(framing.encode, records or self.records))
        return unit * (length // len(unit) + 1)


def _stack(*framings: Callable[..., Framing[Any]]) -> Callable[..., Framing[Any]]:
    def make(**limits: Any) -> Framing[Any]:
        lowest = framings[0](**limits)
        return Stackable(framings=[lowest, *(make() for make in framings[1:])])

    return make


_TEXT: Callable[[int], Any] = lambda length: "x" * length  # noqa: E731

SUBJECTS = {
    "line": Subject(Line),
    "line \\n": Subject(partial(Line, delimiter=b"\n")),
    "line \\r\\n": Subject(partial(Line, delimiter=b"\r\n")),
    "line of several": Subject(
        partial(Line, inputDelimiter=[b"\r\n", b"|"], outputDelimiter=b"|")
    ),
    "line pattern": Subject(
        partial(Line, inputPattern=rb"[;,]x?", outputDelimiter=b";")
    ),
    "line autodetect": Subject(partial(Line, autodetect=True)),
    "line utf-8": Subject(partial(Line, encoding="utf-8"), ["a", "bcd"], _TEXT),
    "line kept": Subject(
        partial(Line, delimiter=b"\n", keepDelimiter=True),
        [b"a\n", b"bcd\n"],
        lambda length: b"x" * length + b"\n",
    ),
    "stream": Subject(Stream, limited=False, long=None),
    "block of 2": Subject(partial(Block, size=2), [b"ab", b"cd"], None, limited=False),
    "block": Subject(Block),
    "block codec": Subject(
        partial(Block, encoder=withColonLength, decoder=colonLength)
    ),
    "int32": Subject(LengthPrefixed),
    "int16 little": Subject(
        partial(LengthPrefixed, prefixSize=2, byteOrder="little"), long=None
    ),
    "int16": Subject(int16, long=None),
    "offset": Subject(partial(LengthPrefixed, offset=2)),
    "varint": Subject(partial(LengthPrefixed, prefixSize="varint")),
    "tpkt": Subject(tpkt, long=None),
    "netstring": Subject(Netstring),
    "slip": Subject(SLIP),
    "jsonlines": Subject(JSONLines, [1, "ab"], _TEXT),
    "jsonvalues": Subject(
        lambda maxLength, onTooLong: JSONValues(maxLength=maxLength),
        [[1], "ab"],
        _TEXT,
        limited=True,
    ),
    "serialized": Subject(Serialized, [1, "ab"], _TEXT),
    "compressed": Subject(
        partial(Serialized, compress=True),
        [1, "ab"],
        lambda length: random.Random(0).randbytes(length).hex(),
    ),
    "map": Subject(_stack(Line, partial(Map, code=lambda record: record))),
    "grep": Subject(
        _stack(Line, partial(Grep, get=lambda r: r != b"a", put=lambda r: True))
    ),
    "recordblock": Subject(
        _stack(Line, partial(RecordBlock, size=3)), [[b"a", b"bcd", b"e"]], None
    ),
    "lines over blocks": Subject(_stack(Block, partial(Line, maxLength=HUGE))),
    # These classes copy the start of a long record at each read.
    "LineReceiver": Subject(
        lambda: Receiver(LineReceiver, MAX_LENGTH=HUGE), long=None, limited=False
    ),
    "Int32StringReceiver": Subject(
        lambda: Receiver(Int32StringReceiver, MAX_LENGTH=HUGE), long=None, limited=False
    ),
}


# -- the ways to use a framing; each returns the function to measure


def _client(framing: Framing[Any], **parameters: Any) -> MemoryServer:
    callbacks: dict[str, Any] = {
        "serverInput": lambda client, record: None,
        "serverError": lambda client, failure: None,
    }
    client = ClientTCPFactory(
        remoteAddress="127.0.0.1",
        remotePort=7,
        framing=framing,
        autoReconnect=False,
        **{**callbacks, **parameters},
    )
    server = MemoryServer(client)
    server.accept()
    return server


def _send(server: MemoryServer, stream: bytes, size: int = READ) -> None:
    for at in range(0, len(stream), size):
        server.send(stream[at : at + size])


def plain(subject: Subject, length: int, size: int = READ) -> Callable[[], object]:
    """
    Many short records, in reads of the given size.
    """
    server, stream = _client(subject.framing()), subject.stream(length)
    return lambda: _send(server, stream, size)


def long(subject: Subject, length: int, size: int = READ) -> Callable[[], object]:
    """
    One long record, in reads of the given size.
    """
    assert subject.long is not None
    framing = subject.framing()
    server, stream = _client(framing), framing.encode(subject.long(length))
    return lambda: _send(server, stream, size)


def skip(subject: Subject, length: int, size: int = READ) -> Callable[[], object]:
    """
    Short records, and many that are a little too long and are skipped.
    """
    assert subject.long is not None
    records = [*subject.records, subject.long(12), subject.long(40)]
    server = _client(subject.framing(maxLength=8, onTooLong="skip"))
    stream = subject.stream(length, records)
    return lambda: _send(server, stream, size)


def skipHeld(subject: Subject, length: int) -> Callable[[], object]:
    """
    The same, held after the first record and released by the handler of an event: the
    errors of all skipped records wait until it has returned.
    """
    assert subject.long is not None
    first = iter([True])

    def serverInput(client: Any, record: Any) -> None:
        if next(first, False):
            client.pauseProducing()

    server = _client(
        subject.framing(maxLength=8, onTooLong="skip"),
        serverInput=serverInput,
        inlineStates={"release": lambda client: client.resumeProducing()},
    )
    records = [*subject.records, subject.long(12), subject.long(40)]
    server.send(subject.stream(length, records))

    def release() -> None:
        # Waiting errors are many objects, and the passes of the garbage collector over
        # them take a share of the time that grows until it is constant.
        gc.disable()
        try:
            server.client.post("release")
            server.advance(0)
        finally:
            gc.enable()

    return release


def endless(subject: Subject, length: int) -> Callable[[], object]:
    """
    One long record that is skipped.
    """
    assert subject.long is not None
    framing = subject.framing()
    stream = framing.encode(subject.long(length))
    server = _client(subject.framing(maxLength=8, onTooLong="skip"))
    return lambda: _send(server, stream, 64)


def split(subject: Subject, length: int) -> Callable[[], object]:
    """
    One record that is delivered in pieces.
    """
    framing = subject.framing(maxLength=8, onTooLong="split")
    server, stream = _client(framing), b"x" * length
    return lambda: _send(server, stream)


def _perRecord(
    subject: Subject, length: int, answer: Callable[[Any, Any], object]
) -> Callable[[], object]:
    server = _client(subject.framing(), serverInput=answer)
    stream = subject.stream(length)

    def run() -> None:
        _send(server, stream)
        while server.clock.getDelayedCalls():
            server.advance(0.001)

    return run


def awaited(subject: Subject, length: int) -> Callable[[], object]:
    """
    A Deferred for each record, which fires in the next turn.
    """

    def answer(client: Any, record: Any) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        client.clock.callLater(0, waiter.callback, None)
        return waiter

    return _perRecord(subject, length, answer)


def coroutine(subject: Subject, length: int) -> Callable[[], object]:
    """
    A coroutine for each record, which returns immediately.
    """

    async def answer(client: Any, record: Any) -> None:
        return None

    return _perRecord(subject, length, answer)


def paused(subject: Subject, length: int) -> Callable[[], object]:
    """
    A pause for each record, until the next turn.
    """

    def answer(client: Any, record: Any) -> None:
        client.pauseProducing()
        client.clock.callLater(0, client.resumeProducing)

    return _perRecord(subject, length, answer)


def swapped(subject: Subject, length: int) -> Callable[[], object]:
    """
    A new framing for each record.
    """
    framing = subject.framing()

    def answer(client: Any, record: Any) -> None:
        client.setInputFraming(framing)

    return _perRecord(subject, length, answer)


def negotiated(subject: Subject, length: int) -> Callable[[], object]:
    """
    All records read with C{nextRecord}.
    """

    async def preConnect(client: Any, negotiation: Any) -> bool:
        while True:
            await negotiation.nextRecord()

    server = _client(subject.framing(), preConnect=preConnect, connectTimeout=1e9)
    stream = subject.stream(length)
    return lambda: _send(server, stream)


class Way(NamedTuple):
    """
    A way to use a framing.

    @ivar title: its name in the table.
    @ivar prepare: prepares a measurement with a stream of the given length in bytes,
        and returns the function to measure.
    @ivar least: the shortest time in seconds that is measured.
    """

    title: str
    prepare: Callable[[Subject, int], Callable[[], object]]
    least: float = LEAST


def waysFor(name: str, subject: Subject) -> Iterator[Way]:
    """
    Return all ways in which a framing can be used.
    """
    yield Way("64 KiB", plain)
    for size in (1, 2, 64):
        yield Way(f"pieces of {size}", partial(plain, size=size))
    for each in (awaited, coroutine, paused, swapped, negotiated):
        yield Way(each.__name__, each)
    if subject.long is not None:
        for size in (1, 2):
            yield Way(f"long, pieces of {size}", partial(long, size=size))
        yield Way("long, pieces of 64", partial(long, size=64), LEAST_LONG)
        if subject.limited and name != "jsonvalues":
            yield Way("skip", skip)
            yield Way("skip, pieces of 2", partial(skip, size=2))
            yield Way("endless", endless)
    if isinstance(subject.framing(), Line) and name != "line utf-8":
        yield Way("split", split)
    if name == "line":
        # The framing makes no difference here.
        yield Way("skip, held", skipHeld, 4 * LEAST_LONG)


# -- measuring


def _time(way: Way, subject: Subject, length: int, rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        run = way.prepare(subject, length)
        # The tracer of coverage.py would take most of the time, and hide the growth.
        tracer = sys.gettrace()
        sys.settrace(None)
        before = time.thread_time()
        try:
            run()
        finally:
            seconds = time.thread_time() - before
            sys.settrace(tracer)
        best = min(best, seconds)
    return best


def _shortest(way: Way, subject: Subject) -> int:
    """
    Return a length in bytes for which the time is long enough to be measured.
    """
    length = 256
    while (seconds := _time(way, subject, length, 1)) < way.least:
        factor = way.least / max(seconds, way.least / 1024)
        length *= 2 ** max(1, int(math.log2(factor)))
    return length


def growth(
    way: Way, subject: Subject, enough: float = 0, rounds: int = 3
) -> tuple[float, int]:
    """
    Measure the growth of the time.

    @param enough: a ratio at which to stop the rounds.
    @param rounds: the number of measurements, at most; the shortest time counts.

    @return: the ratio of the times, and the length of the shorter stream in bytes.
    """
    length = _shortest(way, subject)
    short = max(_time(way, subject, length, rounds), 1e-9)
    ratio = float("inf")
    for _ in range(rounds):
        ratio = min(ratio, _time(way, subject, length * FACTOR, 1) / short)
        if ratio <= enough:
            break
    return ratio, length


def tooFast(name: str, subject: Subject) -> list[str]:
    """
    Return the ways to use a framing in which the time grows too fast, in each of two
    measurements.
    """
    found = []
    for way in waysFor(name, subject):
        ratios: list[float] = []
        while len(ratios) < 2 and min(ratios, default=LIMIT + 1) > LIMIT:
            ratios.append(growth(way, subject, LIMIT)[0])
        if min(ratios) > LIMIT:
            found.append(f"{name}, {way.title}: {ratios}")
    return found


def main(names: list[str]) -> int:
    """
    Print a table.

    @param names: the names of framings; empty for all framings.

    @return: the exit status: 1 if a time grows too fast.
    """
    worst = 0.0
    for name, subject in SUBJECTS.items():
        if names and name not in names:
            continue
        print(name)
        for way in waysFor(name, subject):
            ratio, length = growth(way, subject)
            if ratio > LIMIT:
                ratio = min(ratio, growth(way, subject)[0])
            worst = max(worst, ratio)
            late = "  TOO MUCH" if ratio > LIMIT else ""
            print(
                f"    {way.title:24} from {length:8} bytes: {ratio:5.1f}{late}",
                flush=True,
            )
    print(f"the most: {worst:.1f}, allowed: {LIMIT}")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
