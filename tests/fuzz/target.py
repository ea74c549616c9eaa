"""
What must hold for a framing, whatever octets come and however they are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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


def batchOf(
    make: Callable[..., Iterable[Any]], *args: Any
) -> tuple[list[Any], FramingError | None]:
    """
    @return: the records, and the fault behind them.

    @raise Broken: if there is one that nobody documents, or no list where all is well.
    """
    batch: list[Any] = []
    try:
        records = make(*args)
    except Exception as error:
        raise Broken(f"raised {error!r} in place of an iterator") from error
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

    @ivar events: records and faults, in a row.
    @ivar batch: the records of the last batch.
    @ivar ended: nothing more can be read.
    """

    def __init__(
        self, made: Made, framing: Framing | None = None, weighs: bool = False
    ) -> None:
        """
        @param weighs: see what it holds after each read.
        """
        self.made = made
        self.framing = framing or made.pattern.clone()
        self.events: list[Any] = []
        self.batch: list[Any] = []
        self.faults = 0
        self.ended = False
        self._empty = octetsHeld(self.framing) if weighs else None

    def _take(
        self, read: int, make: Callable[..., Iterable[Any]], *args: Any
    ) -> FramingError | None:
        self.batch, fault = batchOf(make, *args)
        self.events += [("record", repr(record)) for record in self.batch]
        if fault is not None:
            self.faults += 1
            self.events.append(("fault", type(fault).__name__))
        if self._empty is not None:
            held = octetsHeld(self.framing) - self._empty
            most = self.made.holds + self.made.reads * read
            require(held <= most, "holds more than it may", held, most)
        return fault

    def feed(self, data: bytes, stops: bool = False) -> None:
        """
        Read octets, and go on behind what is skipped.

        @param stops: do not.
        """
        if self.ended:
            return
        fault = self._take(len(data), self.framing.feed, data)
        while getattr(fault, "skipped", False) and not stops:
            fault = self._take(len(data), self.framing.feed, b"")
            require(len(self.events) < 10_000, "skips without end")
        self.ended = fault is not None

    def finish(self) -> None:
        """
        The stream ends.
        """
        fault = self._take(0, self.framing.finish)
        require(
            fault is None or isinstance(fault, TruncatedRecord), "the end raises", fault
        )
        require(batchOf(self.framing.finish) == ([], None), "ends twice")


def outcome(made: Made, chunks: Iterable[bytes], weighs: bool = False) -> Outcome:
    """
    @return: what these reads give.
    """
    reader = Reader(made, weighs=weighs)
    for chunk in chunks:
        reader.feed(chunk)
    if reader.ended:
        # The end of a stream that is broken gives nothing of interest.
        batchOf(reader.framing.finish)
    else:
        reader.finish()
    batchOf(reader.framing.finish)
    require(reader.framing.release(0) == b"", "is not empty behind its end")
    return Outcome(reader.events, reader.ended)


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
    cut = outcome(made, chunks, weighs=True)
    if made.pattern.chunkInvariant:
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
    stops = choice & 1 == 0
    for place, chunk in enumerate(chunks):
        reader.feed(chunk, stops)
        if reader.ended:
            # What comes behind a fault is not read.
            later = b"".join(chunks[place + 1 :]) + later
            chunks = chunks[: place + 1]
            break
    framing, batch = reader.framing, reader.batch
    delivered = (choice >> 1) % (len(batch) + 1)
    octets = framing.release(delivered)
    require(type(octets) is bytes, "hands over", octets)
    most = made.holds + max(map(len, chunks), default=0)
    require(len(octets) <= most, "hands over more than it may hold", octets)
    stream = b"".join(chunks) + later
    if made.raw:
        require(stream.endswith(octets + later), "hands over", octets)
    require(framing.release(0) == b"", "is not empty")
    # Where something was skipped, and the rest of it is to be dropped, that is
    # forgotten.
    if not framing.chunkInvariant or not made.exact or (reader.faults and not stops):
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
    if not same.ended:
        same.finish()
    require(same.events == again.events, "is not empty", octets, same.events)


def checkFrame(made: Made, stream: bytes) -> None:
    """
    Output raises what is documented; what was framed is read back.
    """
    framing = made.pattern.clone()
    records = [stream, stream.decode("latin-1")]
    records += batchOf(made.pattern.clone().feed, stream)[0]
    for record in records:
        try:
            framed = framing.frame(record)
        except (TypeError, FramingError):
            continue
        except ValueError as error:
            raise Broken(f"frame({record!r}) raised {error!r}") from error
        if framing.reversible and framing.chunkInvariant:
            events = outcome(made, [framed]).events
            require(
                events == [("record", repr(record))], "not read back", record, events
            )
