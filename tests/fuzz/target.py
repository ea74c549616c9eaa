"""
The laws that any framing obeys, whatever bytes it decodes and however they are split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from twisted_clienttcp.errors import FramingError
from twisted_clienttcp.framing._buffer import InputBuffer

from .._framings import Made

#: How many bytes of an input say how the stream behind them is treated.
HEAD = 6


class Broken(AssertionError):
    """
    A framing breaks a law.
    """


class Outcome(NamedTuple):
    """
    The result of a stream.

    @ivar events: its records and errors, in order.
    @ivar ended: True if nothing behind the last error can be decoded.
    """

    events: list[tuple[str, str]]
    ended: bool


def require(condition: object, about: str, *values: Any) -> None:
    """
    @raise Broken: if the condition is false.
    """
    if not condition:
        raise Broken(": ".join([about, *map(repr, values)]))


def bytesHeld(framing: Any) -> int:
    """
    Return how many bytes the attributes of a framing hold.
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
            # Names and the like are no received bytes, but they do not grow.
            total += len(each)
        elif isinstance(each, dict):
            todo += each.values()
        elif isinstance(each, (list, tuple, set)):
            todo += each
        elif isinstance(each, InputBuffer):
            todo += [each.rest, each.framing]
        elif not isinstance(
            each, (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)
        ):
            todo.append(getattr(each, "__dict__", None))
    return total


def called(function: Callable[..., Any], *args: Any) -> tuple[Any, FramingError | None]:
    """
    Call a method of a framing.

    @return: its result, and the error that it raises.

    @raise Broken: if it raises anything else.
    """
    try:
        return function(*args), None
    except FramingError as error:
        return None, error
    except Broken:
        raise
    except Exception as error:
        raise Broken(f"{function.__name__}() raised {error!r}") from error


class StrictBuffer(InputBuffer):
    """
    An input buffer that does not convert exceptions to L{FramingError}.
    """

    __slots__ = ()

    def converted(self, error: Exception) -> FramingError:
        raise Broken(f"raised {error!r}") from error


class Reader:
    """
    Drives a framing as a connection does.

    @ivar events: records and errors, in order.
    @ivar ended: nothing more can be decoded.
    """

    def __init__(self, made: Made, many: bool = True, weighs: bool = False) -> None:
        """
        @param many: decode several units at once.
        @param weighs: check how much is held after each read.
        """
        self.made = made
        self.many = many
        kind = InputBuffer if made.raises else StrictBuffer
        self.buffer = kind(made.pattern.fresh())
        self.events: list[tuple[str, str]] = []
        self.ended = False
        self._empty = bytesHeld(self.buffer.framing) if weighs else None

    def _take(self, step: Callable[..., list[Any] | None], *args: Any) -> bool:
        """
        @return: True if there may be more.
        """
        records, error = called(step, *args)
        if error is not None:
            self.events.append(("error", type(error).__name__))
            self.ended = not getattr(error, "skipped", False)
            require(len(self.events) < 10_000, "skips without end")
            return not self.ended
        self.events += [("record", repr(record)) for record in records or ()]
        return records is not None

    def feed(self, data: bytes) -> None:
        """
        Read bytes, and continue behind records that are skipped.
        """
        if self.ended:
            return
        buffer = self.buffer
        buffer.append(data)
        while self._take(buffer.decode, self.many):
            pass
        if self._empty is not None and not self.ended:
            held = len(buffer.rest) + bytesHeld(buffer.framing) - self._empty
            require(held <= self.made.holds, "holds more than it may", held)

    def finish(self) -> None:
        """
        The stream ends.
        """
        if self.ended:
            return
        self._take(self.buffer.decodeEnd)
        if rest := self.buffer.takeRest():
            self.events.append(("rest", repr(rest)))
        require(self.buffer.takeRest() == b"", "keeps bytes behind the end")


def outcome(
    made: Made, chunks: Iterable[bytes], many: bool = True, weighs: bool = False
) -> Outcome:
    """
    Decode these reads.
    """
    reader = Reader(made, many, weighs)
    for chunk in chunks:
        reader.feed(chunk)
    reader.finish()
    return Outcome(reader.events, reader.ended)


def pieces(stream: bytes, sizes: Sequence[int]) -> list[bytes]:
    """
    Split a stream into pieces of these sizes, over and over; 0 means all the rest.
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

    @raise Broken: if it breaks a law.
    """
    head, stream = data[:HEAD].ljust(HEAD, b"\1"), data[HEAD:]
    chunks = pieces(stream, head[:4])
    checkDecode(made, stream)
    checkMany(made, stream)
    whole = outcome(made, [stream])
    split = outcome(made, chunks, weighs=True)
    for reads, found in ([stream], whole), (chunks, split):
        apart = outcome(made, reads, many=False)
        require(found == apart, "decodeMany() differs", found, apart)
    if made.pattern.chunkInvariant:
        require(split == whole, "depends on the reads", chunks, split, whole)
        single = outcome(made, pieces(stream, [1]))
        require(single == whole, "depends on the reads", single, whole)
    checkSwap(made, stream, head[4] % (len(stream) + 1), head[5], whole)
    checkEncode(made, stream)


def checkDecode(made: Made, stream: bytes) -> None:
    """
    C{decode} leaves the data alone, keeps no view of it, returns an index behind the
    one where the unit begins, and returns the same if it is called again after None or
    an error.
    """
    if made.raises:
        return
    framing = made.pattern.fresh()
    data = bytearray(stream)
    start = 0
    while start < len(data):
        framing.swallows = b""
        found, error = called(framing.decode, data, start, start)
        require(bytes(data) == stream, "changed the data", bytes(data))
        if error is not None or found is None:
            if not framing.hasMore:
                again = called(framing.decode, data, start, start)
                require(
                    (again[0], type(again[1])) == (None, type(error)),
                    "decodes differently after None or an error",
                    again,
                )
            break
        require(
            start < found[1] <= len(data) or (framing.hasMore and found[1] == start),
            "the unit must end behind",
            start,
            found[1],
        )
        start = found[1]
    try:
        data += b"x"
    except BufferError as view:
        raise Broken("keeps a view of the data") from view


def checkMany(made: Made, stream: bytes) -> None:
    """
    C{decodeMany} never raises, and stops where C{decode} returns None or raises.
    """
    framing = made.pattern.fresh()
    if not stream:
        return
    try:
        _, end = framing.decodeMany(stream, 0)
    except Exception as error:
        raise Broken(f"decodeMany() raised {error!r}") from error
    if framing.swallows and stream.startswith(framing.swallows, end):
        end += 1
    framing.swallows = b""
    if 0 < end < len(stream) and not made.raises:
        # At the beginning a framing may decline.
        found, _ = called(framing.decode, stream, end, end)
        require(found is None, "decodeMany() stops early", end, found)


def checkSwap(
    made: Made, stream: bytes, split: int, after: int, whole: Outcome
) -> None:
    """
    A framing of the same kind that takes over, after any record and between any two
    reads, decodes the remaining records.
    """
    if not (made.pattern.chunkInvariant and made.exact):
        return
    reader = Reader(made)
    buffer = reader.buffer
    buffer.append(stream[:split])
    records, _ = called(buffer.decode, True)
    if records is None:
        delivered = 0
    else:
        delivered = after % (len(records) + 1)
        consumed = buffer.rewind(delivered)
        delivered = len(records) if consumed is None else consumed
        reader.events += [("record", repr(record)) for record in records[:delivered]]
    if reader.events != whole.events[: len(reader.events)]:
        raise Broken(f"lost or doubled: {reader.events!r}: {whole.events!r}")
    if len(whole.events) > delivered and whole.events[delivered][0] == "error":
        # The state of a record that is skipped belongs to the first framing.
        return
    buffer.use(made.pattern.fresh())
    reader.feed(stream[split:])
    reader.finish()
    require(
        reader.events == whole.events, "lost or doubled", reader.events, whole.events
    )


def checkEncode(made: Made, stream: bytes) -> None:
    """
    C{encode} raises only documented exceptions; an encoded record is decoded as that
    record.
    """
    framing = made.pattern.fresh()
    records = [stream, stream.decode("latin-1")]
    if stream:
        records += made.pattern.fresh().decodeMany(stream, 0)[0]
    for record in records:
        try:
            encoded = framing.encode(record)
        except (TypeError, FramingError):
            continue
        except ValueError as error:
            raise Broken(f"encode({record!r}) raised {error!r}") from error
        if framing.reversible and framing.chunkInvariant:
            events = outcome(made, [encoded]).events
            require(
                events == [("record", repr(record))], "not read back", record, events
            )
