"""
Measure how much memory the inbound side of a connection uses, for each framing::

    python -m tests.memory [NAME ...]

This measures with C{tracemalloc}, and compares the figures with the bounds that the
functions below state.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from twisted_clienttcp._connection.inbound import Hold, Inbound

from .growth import SUBJECTS, Subject

#: The bytes that each connection may use in addition to a bound.
SPARE = 64 * 1024

#: The size of a read of a socket.
READ = 64 * 1024

#: The length of the record, for each size of the reads.
SIZES = {1: 16 * 1024, 1000: 512 * 1024, READ: 2 * 1024 * 1024}

#: The memory that a batch of records may take, as a multiple of its read. In the worst
#: case, a block of two bytes, it is 28: the record takes 35 bytes, which the allocator
#: rounds up to 48, and 8 in the list of records.
BATCH = 32


class Use(NamedTuple):
    """
    The memory used in a measurement.

    @ivar title: the way in which the framing is used.
    @ivar used: the memory in bytes, at the time when it was closest to the bound.
    @ivar allowed: the bound at that time.
    """

    title: str
    used: int
    allowed: int


class Reader:
    """
    The owner of an L{Inbound}, which ignores the records.

    @ivar holdsAt: the number of the record at which it holds the input; 0 for none.
    @ivar records: the number of records.
    @ivar errors: the number of skipped records.
    """

    def __init__(self, framing: Any, holdsAt: int = 0) -> None:
        self.holdsAt = holdsAt
        self.inbound = Inbound(
            framing.fresh(),
            Reader.deliver,
            self,
            self.inputFailed,
            self.inputRaised,
            self.inputResumed,
        )
        self.records = 0
        self.errors = 0

    def deliver(self, record: Any) -> None:
        self.records += 1
        if self.records == self.holdsAt:
            self.inbound.hold(Hold.USER)

    def inputFailed(self, error: Exception) -> None:
        if not getattr(error, "skipped", False):
            raise AssertionError("the stream must be valid") from error
        self.errors += 1

    def inputRaised(self, error: BaseException) -> None:
        raise AssertionError("nothing raises here") from error

    def inputResumed(self) -> None:
        raise AssertionError("nothing is awaited here")


def reads(stream: bytes, size: int) -> Iterator[bytes]:
    """
    Split a stream into reads.
    """
    for at in range(0, len(stream), size):
        yield stream[at : at + size]


def measured(reader: Reader, stream: Iterable[bytes]) -> Iterator[tuple[int, int, int]]:
    """
    Read a stream, and measure each time when its length has grown by a quarter, and at
    the end.

    @return: the number of bytes that have arrived, the greatest memory use until then,
        and the current use.
    """
    # The tracer of coverage.py uses memory too.
    tracer = sys.gettrace()
    sys.settrace(None)
    gc.collect()
    tracemalloc.start()
    try:
        arrived, following = 0, 1
        before = tracemalloc.get_traced_memory()[0]
        for data in stream:
            reader.inbound.feed(data)
            arrived += len(data)
            del data
            if arrived >= following:
                following = arrived + arrived // 4 + 1
                now, most = tracemalloc.get_traced_memory()
                yield arrived, most - before, now - before
        now, most = tracemalloc.get_traced_memory()
        yield arrived, most - before, now - before
    finally:
        tracemalloc.stop()
        sys.settrace(tracer)


def _worst(title: str, uses: Iterable[tuple[int, int]]) -> Use:
    used, allowed = max(uses, key=lambda use: use[0] / use[1])
    return Use(title, used, allowed)


def incomplete(subject: Subject, size: int) -> Use:
    """
    A long record that does not end, in reads of this size: 1.25 times what has arrived,
    one read, and L{SPARE}.
    """
    assert subject.long is not None
    framing = subject.framing()
    stream = framing.encode(subject.long(SIZES[size]))
    reader = Reader(framing)
    # Leave out the end of the record: a delimiter and the like are shorter than this.
    uses = [
        (most, arrived + arrived // 4 + size + SPARE)
        for arrived, most, _ in measured(reader, reads(stream[:-16], size))
    ]
    assert not reader.records, "the record must be incomplete"
    return _worst(f"incomplete, reads of {size}", uses)


def skipped(subject: Subject, size: int) -> Use:
    """
    A long record that is skipped and does not end: two reads and L{SPARE}.
    """
    assert subject.long is not None
    stream = subject.framing().encode(subject.long(SIZES[size]))
    reader = Reader(subject.framing(maxLength=8, onTooLong="skip"))
    uses = [
        (most, 2 * size + SPARE)
        for _, most, _ in measured(reader, reads(stream[:-16], size))
    ]
    assert reader.errors == 1 and not reader.records
    return _worst(f"skipped, reads of {size}", uses)


def held(subject: Subject) -> Use:
    """
    Short records that are held from the first one on, in several reads: the bytes that
    are not decoded, one read, and the records of one batch.
    """
    reader = Reader(subject.framing(), holdsAt=1)
    stream = subject.stream(4 * READ)
    uses = [
        (most, arrived + READ + BATCH * READ + SPARE)
        for arrived, most, _ in measured(reader, reads(stream, READ))
    ]
    assert reader.records == 1
    return _worst("held", uses)


def tail(subject: Subject) -> Use:
    """
    After a large read that ended in an incomplete short record: only L{SPARE}.
    """
    reader = Reader(subject.framing())
    stream = subject.stream(2 * READ)
    *_, (_, _, now) = measured(reader, [stream[:-1]])
    assert reader.records
    return Use("after a read", now, SPARE)


def usesOf(name: str, subject: Subject) -> Iterator[Use]:
    """
    Measure all ways to use a framing.
    """
    if subject.long is not None:
        for size in SIZES:
            yield incomplete(subject, size)
            if subject.limited and name != "jsonvalues":
                yield skipped(subject, size)
    yield held(subject)
    yield tail(subject)


def main(names: list[str]) -> int:
    """
    Print a table.

    @param names: the names of framings; empty for all framings.

    @return: the exit status: 1 if too much memory is used.
    """
    status = 0
    for name, subject in SUBJECTS.items():
        if names and name not in names:
            continue
        print(name)
        for use in usesOf(name, subject):
            much = use.used > use.allowed
            status |= much
            late = "  TOO MUCH" if much else ""
            print(
                f"    {use.title:28} {use.used:>10,} of {use.allowed:>10,} bytes{late}",
                flush=True,
            )
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
