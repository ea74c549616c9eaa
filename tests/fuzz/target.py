"""
What must hold for a framing, whatever octets come and however they are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from twisted_clienttcp.errors import FramingError, TruncatedRecord
from twisted_clienttcp.framing import Framing

from .._framings import Made

#: How many octets of an input say how the stream behind them is treated.
HEAD = 6


class Broken(AssertionError):
    """
    A framing does what none may.
    """


class Outcome(NamedTuple):
    """
    What a stream has given: its records, and its faults by type, in one row.
    """

    events: list[Any]
    #: Nothing more can be read.
    ended: bool


def require(condition: object, about: str, *values: Any) -> None:
    """
    @raise Broken: if that does not hold.
    """
    if not condition:
        raise Broken(": ".join([about, *map(repr, values)]))


def octetsHeld(framing: Any) -> int:
    """
    @return: how many octets hang on a framing.
    """
    total = 0
    seen: set[int] = set()
    todo = [framing]
    while todo:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, (bytes, bytearray, str)):
            # Names and the like are not what was received.
            total += len(each)
        elif isinstance(each, dict):
            todo += each.values()
        elif isinstance(each, (list, tuple, set)):
            todo += each
        elif not isinstance(
            each, (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)
        ):
            todo.append(getattr(each, "__dict__", None))
    return total


def batchOf(records: Iterable[Any]) -> tuple[list[Any], FramingError | None]:
    """
    @return: the records, and the fault behind them.

    @raise Broken: if there is one that nobody documents, or no list where all is well.
    """
    batch: list[Any] = []
    try:
        for record in records:
            batch.append(record)
    except FramingError as fault:
        return batch, fault
    except Exception as error:
        raise Broken(f"raised {error!r}") from error
    require(type(records) is list, "no list where all is well", records)
    return batch, None


class Reader:
    """
    Drives a framing as a connection does.
    """

    def __init__(self, made: Made, framing: Framing | None = None) -> None:
        self.made = made
        self.framing = framing or made.make()
        self.events: list[Any] = []
        self.batch: list[Any] = []
        self.faults = 0
        self.ended = False
        self._empty = octetsHeld(made.make())

    def _take(self, records: Iterable[Any], read: int) -> FramingError | None:
        self.batch, fault = batchOf(records)
        self.events += [("record", repr(record)) for record in self.batch]
        if fault is not None:
            self.faults += 1
            self.events.append(("fault", type(fault).__name__))
        held = octetsHeld(self.framing) - self._empty
        most = self.made.holds + self.made.reads * read
        require(held <= most, "holds more than it may", held, most)
        return fault

    def feed(self, data: bytes) -> None:
        """
        Read octets, and go on behind what is skipped.
        """
        if self.ended:
            return
        fault = self._take(self.framing.feed(data), len(data))
        while fault is not None and getattr(fault, "skipped", False):
            before = len(self.events)
            fault = self._take(self.framing.feed(b""), len(data))
            require(before < 10_000, "skips without end")
        self.ended = fault is not None

    def finish(self) -> Outcome:
        """
        The stream ends.
        """
        fault = self._take(self.framing.finish(), 0)
        if not self.ended:
            require(
                fault is None or isinstance(fault, TruncatedRecord),
                "the end raises",
                fault,
            )
        require(list(self.framing.finish()) == [], "ends twice")
        return Outcome(self.events, self.ended)


def outcome(made: Made, chunks: Iterable[bytes]) -> Outcome:
    """
    @return: what these reads give.
    """
    reader = Reader(made)
    for chunk in chunks:
        reader.feed(chunk)
    if reader.ended:
        # The end of a stream that is broken gives nothing of interest, and raises
        # nothing else.
        batchOf(list(_quiet(reader.framing)))
        return Outcome(reader.events, True)
    return reader.finish()


def _quiet(framing: Framing) -> Iterable[Any]:
    try:
        yield from framing.finish()
    except FramingError:
        pass


def pieces(stream: bytes, sizes: Sequence[int]) -> list[bytes]:
    """
    @return: the stream in pieces of such sizes, over and over; 0 takes all.
    """
    chunks: list[bytes] = []
    for size in cycle(sizes):
        if not stream:
            return chunks
        size = size or len(stream)
        chunks.append(stream[:size])
        stream = stream[size:]
    return chunks


def check(made: Made, data: bytes) -> None:
    """
    Check a framing with an input of a fuzzer.

    @raise Broken: if it does what none may.
    """
    head, stream = data[:HEAD].ljust(HEAD, b"\1"), data[HEAD:]
    chunks = pieces(stream, head[:4])
    whole = outcome(made, [stream])
    cut = outcome(made, chunks)
    invariant = made.make().chunkInvariant
    if invariant:
        require(cut == whole, "depends on the cuts", chunks, cut, whole)
        single = outcome(made, pieces(stream, [1]))
        require(single == whole, "depends on the cuts", single, whole)
    stop = head[4] % (len(chunks) + 1)
    checkRelease(made, chunks[:stop], b"".join(chunks[stop:]), head[5], whole)
    checkFrame(made, stream)


def checkRelease(
    made: Made, chunks: list[bytes], later: bytes, choice: int, whole: Outcome
) -> None:
    """
    What is handed over behind any record is all that stands there, and a framing that
    goes on from it goes on as if nothing had been.
    """
    reader = Reader(made)
    for chunk in chunks:
        reader.feed(chunk)
        if reader.ended:
            # What comes behind a fault was not read.
            later = b"".join(chunks[chunks.index(chunk) + 1 :]) + later
            break
    framing, batch = reader.framing, reader.batch
    delivered = choice % (len(batch) + 1)
    octets = framing.release(delivered)
    require(type(octets) is bytes, "hands over", octets)
    most = made.holds + max(map(len, chunks), default=0)
    require(len(octets) <= most, "hands over more than it may hold", octets)
    stream = b"".join(chunks) + later
    if made.raw and not reader.ended:
        swallows = getattr(framing, "swallows", b"") if not octets else b""
        require(stream.endswith(octets + later), "hands over", octets, swallows)
    require(framing.release(0) == b"", "is not empty")
    # Where something was skipped or is being dropped, that is forgotten.
    if not framing.chunkInvariant or not made.exact or reader.faults:
        return
    skip = b"" if octets else getattr(framing, "swallows", b"")
    records = [e for e in reader.events if e[0] == "record"]
    done = records[: len(records) - len(batch) + delivered]
    again = outcome(made, [octets, later.removeprefix(skip)])
    while made.several and done and done + again.events != whole.events:
        done.pop()
    require(done + again.events == whole.events, "lost or doubled", octets)
    same = Reader(made, framing)
    same.feed(octets + later)
    require(same.ended or same.finish() == again, "is not empty", octets, same.events)


def checkFrame(made: Made, stream: bytes) -> None:
    """
    Output raises what is documented; what was framed is read back.
    """
    framing = made.make()
    records = [stream, stream.decode("latin-1")]
    records += batchOf(_before(made.make().feed(stream)))[0]
    for record in records:
        try:
            framed = framing.frame(record)
        except (TypeError, FramingError):
            continue
        except ValueError as error:
            if made.make().chunkInvariant and framing.reversible:
                raise Broken(f"frame({record!r}) raised {error!r}") from error
            continue
        if framing.reversible and framing.chunkInvariant:
            events = outcome(made, [framed]).events
            require(
                events == [("record", repr(record))], "not read back", record, events
            )


def _before(records: Iterable[Any]) -> list[Any]:
    found = []
    try:
        for record in records:
            found.append(record)
    except FramingError:
        pass
    return found
