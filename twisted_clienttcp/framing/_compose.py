"""
Framings made of framings.

A stack is a chain of pairs: a framing, and a layer above it which makes records of that
one's records. What makes a swap exact is a rule about their octets: those of a record
below count as taken when all records made of it are delivered, and not before. So a
swap between two records that L{Map} made of one line hands that line over again. What
a layer has dropped is taken with the next record that is delivered, and at the latest
with the batch it came in: a peer could send without end what is dropped. Where a layer
cuts octets itself, as lines that run across blocks, the rest of a block that is begun
is handed over as a block of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..errors import FramingError, TruncatedRecord
from ._common import octetsOf, thenRaise
from ._interface import Framing
from ._stream import Stream


def collect(
    owner: object, make: Callable[..., Iterable[Any]], *args: Any
) -> tuple[list[Any], FramingError | None]:
    """
    @return: the good records, and the fault behind them if there is one. Whatever else
        is raised becomes a L{FramingError}.
    """
    made: list[Any] = []
    try:
        records = make(*args)
        if type(records) is list:
            return records, None
        # One by one: a list made at once would be lost when the fault comes.
        for record in records:
            made.append(record)
    except FramingError as fault:
        return made, fault
    except Exception as error:
        wrapped = FramingError(
            f"{type(owner).__name__} could not read a record: "
            f"{type(error).__name__}: {error}"
        )
        wrapped.__cause__ = error
        return made, wrapped
    return made, None


class Layer:
    """
    What makes records of records. It is also a framing by itself, for which each read
    is one record, as it is for L{Stream}.
    """

    chunkInvariant = False
    reversible = False

    #: Whether what is handed over may begin inside an input.
    cuts = False

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        #: What the last batch was made of; so many of it are from batches before.
        self._inputs: list[Any] = []
        self._old = 0
        #: For each of these, how many records must be delivered for it to be taken.
        self._needs: list[int] = []
        #: What stands behind one that was faulty.
        self._behind: list[Any] = []

    # -- for subclasses

    def _convert(self, record: Any) -> Iterable[Any]:
        """
        @return: the records made of one that was received.
        """
        raise NotImplementedError

    def give(self, record: Any) -> Iterable[Any]:
        """
        @return: the records to send for one that was put.
        """
        raise NotImplementedError

    # -- for a pair

    @property
    def waiting(self) -> bool:
        """
        Something stands behind a fault: L{take} goes on with it.
        """
        return bool(self._behind)

    @property
    def pending(self) -> int:
        """
        How many of the inputs would not be taken if all records were delivered.
        """
        return len(self._behind)

    def take(self, inputs: list[Any]) -> Iterable[Any]:
        """
        @return: the records made of these, as L{Framing.feed} does.
        """
        self._old = len(self._behind) if inputs else 0
        self._inputs = inputs = [*self._behind, *inputs]
        self._needs = needs = []
        self._behind = []
        made: list[Any] = []
        for record in inputs:
            before = len(made)
            records, fault = collect(self, self._convert, record)
            made += records
            needs.append(max(len(made), before + 1))
            if fault is not None:
                self._behind = inputs[len(needs) :]
                return thenRaise(made, fault)
        if not made:
            # There is no record that the user could be at, so all is dropped for good.
            needs[:] = [0] * len(needs)
        return made

    def end(self) -> Iterable[Any]:
        """
        @return: the records which the end of the stream completes, as
            L{Framing.finish} does.
        """
        return []

    def _taken(self, delivered: int) -> int:
        """
        @return: how many inputs are taken when so many records are delivered.
        """
        count = 0
        while count < len(self._needs) and self._needs[count] <= delivered:
            count += 1
        return count

    def split(self, delivered: int) -> tuple[list[Any], int]:
        """
        Be empty.

        @return: the inputs of former batches that are not taken, and how many of the
            last batch are not.
        """
        taken = self._taken(delivered)
        inputs, old = self._inputs, self._old
        self._clear()
        return inputs[taken:old], len(inputs) - max(taken, old)

    # -- the contract

    def feed(self, data: bytes) -> Iterable[Any]:
        """
        @return: the records made of these octets.

        @raise FramingError: from the iterator, behind the records before it, if the
            function raised; C{__cause__} is what it raised.
        """
        return self.take([data])

    def finish(self) -> Iterable[Any]:
        """
        @return: nothing.

        @raise TruncatedRecord: from the iterator, if a record is unfinished.
        """
        rest = b"".join(self._inputs[len(self._inputs) - self.pending :])
        self._clear()
        return thenRaise([], TruncatedRecord(rest)) if rest else []

    def frame(self, record: Any) -> bytes:
        """
        @return: the octets to send for a record. What the function raises goes to who
            put the record.

        @raise TypeError: if that are no octets.
        """
        return b"".join(map(octetsOf, self.give(record)))

    def release(self, delivered: int) -> bytes:
        """
        @return: the reads of which a record is not among the first C{delivered}.
        """
        octets = b"".join(self._inputs[self._taken(delivered) :])
        self._clear()
        return octets

    def clone(self) -> Any:
        """
        @return: an empty one with the same settings.
        """
        raise NotImplementedError


class _ByFunctions(Layer):
    """
    A layer that is one function for input and one for output.
    """

    def __init__(
        self,
        *,
        get: Callable[[Any], Any] | None = None,
        put: Callable[[Any], Any] | None = None,
        code: Callable[[Any], Any] | None = None,
    ) -> None:
        """
        @param get: the function for records that are received (POE: Get).
        @param put: the function for records that are put (POE: Put).
        @param code: one for both (POE: Code).

        @raise TypeError: if one of them is no function, or missing, or one too many.
        """
        super().__init__()
        if code is not None:
            if get is not None or put is not None:
                raise TypeError("code is for both ways: give it, or get and put")
            get = put = code
        elif get is None or put is None:
            raise TypeError("code, or both get and put must be given")
        for name, function in (("get", get), ("put", put)):
            if not callable(function):
                name = name if code is None else "code"
                raise TypeError(f"{name} must be a function, not {function!r}")
        self._get: Callable[[Any], Any] = get
        self._put: Callable[[Any], Any] = put

    def _made(self, record: Any, result: Any) -> Iterable[Any]:
        """
        @return: the records that a function's result stands for.
        """
        raise NotImplementedError

    def _convert(self, record: Any) -> Iterable[Any]:
        return self._made(record, self._get(record))

    def give(self, record: Any) -> Iterable[Any]:
        """
        @return: what the function for output makes of the record.
        """
        return self._made(record, self._put(record))

    def clone(self) -> Any:
        """
        @return: another one with the same functions.
        """
        return type(self)(get=self._get, put=self._put)


class Map(_ByFunctions):
    """
    Records changed by a function (POE::Filter::Map). What it returns is the record; a
    list or an iterator are several records, or none. So a record that is a list itself
    is returned in a list.
    """

    def _made(self, record: Any, result: Any) -> Iterable[Any]:
        return result if isinstance(result, (list, Iterator)) else [result]


class Grep(_ByFunctions):
    """
    Only the records for which a function returns something true
    (POE::Filter::Grep).
    """

    def _made(self, record: Any, result: Any) -> Iterable[Any]:
        return [record] if result else []


class RecordBlock(Layer):
    """
    Lists of C{size} records (POE::Filter::RecordBlock). A list that is put is sent
    record by record.
    """

    def __init__(self, *, size: int, checkPut: bool = False) -> None:
        """
        @param size: the records in each list (POE: BlockSize).
        @param checkPut: send only as many records as make whole lists, and keep the
            others for the next one that is put (POE: CheckPut).

        @raise TypeError: if an argument is of the wrong type.
        @raise ValueError: if the size is not positive.
        """
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"size must be a number of records, not {size!r}")
        if size < 1:
            raise ValueError(f"size must be at least 1 record, not {size}")
        if not isinstance(checkPut, bool):
            raise TypeError(f"checkPut must be True or False, not {checkPut!r}")
        super().__init__()
        self._size = size
        self._checkPut = checkPut
        self._kept: list[Any] = []

    @property
    def pending(self) -> int:
        """
        How many records do not make a list yet.
        """
        return len(self._inputs) % self._size

    def take(self, inputs: list[Any]) -> Iterable[Any]:
        """
        @return: the lists that are complete now.
        """
        records, size = self._inputs, self._size
        del records[: len(records) - self.pending]
        self._old = len(records)
        records += inputs
        whole = len(records) - self.pending
        return [records[start : start + size] for start in range(0, whole, size)]

    def end(self) -> Iterable[Any]:
        """
        @raise TruncatedRecord: from the iterator, if a list is not complete.
        """
        return thenRaise([], TruncatedRecord(b"")) if self.pending else []

    def _taken(self, delivered: int) -> int:
        return delivered * self._size

    def give(self, record: Sequence[Any]) -> Iterable[Any]:
        """
        @return: the records of the list.

        @raise TypeError: if it is no list.
        """
        if not isinstance(record, (list, tuple)):
            raise TypeError(f"RecordBlock takes a list of records, not {record!r:.60}")
        if not self._checkPut:
            return record
        self._kept += record
        whole = len(self._kept) - len(self._kept) % self._size
        given, self._kept = self._kept[:whole], self._kept[whole:]
        return given

    def clone(self) -> RecordBlock:
        """
        @return: an empty one of the same size.
        """
        return RecordBlock(size=self._size, checkPut=self._checkPut)


class _Cutting(Layer):
    """
    A framing that cuts the records of another one, which are octets.

    Which octets are taken is found by a clone, which reads again what came since the
    last record of the batch before. That cannot be told behind a record that was
    skipped; until the next one is complete the rule for all layers holds: the input
    that was cut is handed over as a whole.
    """

    cuts = True

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self.reversible = framing.reversible
        super().__init__()

    def _clear(self) -> None:
        super()._clear()
        #: What came since nothing was unfinished, and how many records it gave: all
        #: of it, and before this batch. None if that cannot be told.
        self._log: list[bytes] | None = []
        self._made = 0
        self._before = 0
        #: How many inputs in it are older than this batch.
        self._former = 0
        #: How many records the last input gave, and whether it was faulty.
        self._last = 0
        self._faulty = False

    @property
    def pending(self) -> int:
        """
        None: the unfinished octets are known here.
        """
        return 0

    def _settle(self) -> None:
        """
        Forget what has been taken.
        """
        if self._faulty:
            self._log = None
        elif self._log is not None:
            if self._made:
                place, rest = self._replay(self._made)
                self._log = [rest, *self._log[place + 1 :]]
        elif self._last:
            rest = self._framing.release(self._last)
            collect(self, self._framing.feed, rest)
            self._log = [rest]
        else:
            return
        self._made = 0
        self._faulty = False

    def take(self, inputs: list[Any]) -> Iterable[Any]:
        """
        @return: the records made of these, as L{Framing.feed} does.
        """
        self._settle()
        if self._log is not None:
            self._former = len(self._log)
            self._log += inputs
        self._before = self._made
        made = super().take(inputs)
        if self._faulty:
            # Feeding nothing goes on behind the fault.
            self._behind.insert(0, b"")
        return made

    def _convert(self, record: Any) -> Iterable[Any]:
        if not isinstance(record, bytes):
            self._faulty = True
            raise FramingError(
                f"{type(self._framing).__name__} cuts octets, and what is below it "
                f"gave {type(record).__name__}"
            )
        records, fault = collect(self, self._framing.feed, record)
        self._last = len(records)
        self._made += self._last
        if fault is not None:
            self._faulty = True
            return thenRaise(records, fault)
        return records

    def end(self) -> Iterable[Any]:
        """
        @return: the records which the end of the stream completes.
        """
        return self._framing.finish()

    def _replay(self, count: int) -> tuple[int, bytes]:
        """
        @return: in which of the inputs the record of that number ends, and the octets
            behind it there.
        """
        assert self._log is not None
        if not count:
            return -1, b""
        other = self._framing.clone()
        for place, octets in enumerate(self._log):
            records, _ = collect(self, other.feed, octets)
            if count <= len(records):
                return place, other.release(count)
            count -= len(records)
        collect(self, other.finish)
        return len(self._log) - 1, other.release(count)

    def split(self, delivered: int) -> tuple[list[Any], int]:
        """
        Be empty.

        @return: the octets that are not taken, which may begin inside an input, and how
            many of the last inputs are not at all.
        """
        old: list[Any]
        if self._log is None:
            whole = delivered >= (self._needs[-1] if self._needs else 0)
            rest = self._framing.release(self._last if whole else 0)
            old, fresh = super().split(delivered)
            if whole:
                old = [rest]
        else:
            place, rest = self._replay(self._before + delivered)
            log, former = self._log, self._former
            old = [rest, *log[place + 1 : former]]
            fresh = len(log) - max(place + 1, former)
            self._framing.release(0)
        self._clear()
        return [octets for octets in old if octets], fresh

    def give(self, record: Any) -> Iterable[Any]:
        """
        @return: the record, framed.
        """
        return [self._framing.frame(record)]


class _Pair:
    """
    A framing, and a layer above it.
    """

    def __init__(self, lower: Framing, upper: Layer) -> None:
        self._lower = lower
        self._upper = upper
        self.chunkInvariant = lower.chunkInvariant
        self.reversible = lower.reversible and upper.reversible
        #: Whether the octets below a record may have to be framed anew, so that they
        #: cannot be told from those of the next.
        self._blurred: bool = isinstance(lower, _Pair) and (
            lower._upper.cuts or lower._blurred
        )
        self._empty()

    def _empty(self) -> None:
        #: How many records the last batch of the lower one had.
        self._count = 0
        #: The octets of records from batches before, which the upper one still holds.
        self._held: list[bytes] = []
        #: Whether what comes next may be the end of their last newline.
        self._open = False
        #: A fault of the lower one, behind a fault of the upper one.
        self._late: FramingError | None = None

    @property
    def swallows(self) -> bytes:
        """
        As L{Framing.release} has it.
        """
        swallows: bytes = getattr(self._lower, "swallows", b"")
        return swallows

    def feed(self, data: bytes) -> Iterable[Any]:
        inputs: list[Any] = []
        fault, self._late = self._late, None
        # Without octets, go on with what stands behind a fault.
        if data or not (self._upper.waiting or fault):
            self._hold()
            if data and self._open:
                self._open = False
                if self.swallows and data.startswith(self.swallows):
                    self._held.append(self.swallows)
            if self._held and self._blurred:
                self._held.append(data)
            inputs, found = collect(self, self._lower.feed, data)
            self._count = len(inputs)
            fault = fault or found
        made, above = collect(self, self._upper.take, inputs)
        if above is not None:
            self._late = fault
            fault = above
        return made if fault is None else thenRaise(made, fault)

    def _hold(self) -> None:
        """
        Keep the octets of those records from the last batch which the upper one holds.
        """
        pending, count = self._upper.pending, self._count
        if pending <= count:
            self._held.clear()
            self._open = False
        if not pending or not count:
            return
        if self._blurred and self._held:
            return
        # How many octets they are is seen when they are taken back and cut again.
        octets = self._lower.release(max(count - pending, 0))
        again, _ = collect(self, self._lower.feed, octets)
        self._count = 0
        if self._blurred:
            # All that follows is held with them.
            self._held.append(octets)
            return
        rest = self._lower.release(len(again))
        if rest:
            collect(self, self._lower.feed, rest)
        self._held.append(octets[: len(octets) - len(rest)])
        self._open = not rest

    def _framed(self, pieces: Iterable[bytes]) -> bytes:
        """
        @return: octets that are read back as these.
        """
        framed = []
        for piece in pieces:
            try:
                framed.append(self._lower.frame(piece))
            except FramingError:
                # Part of a block of fixed size: such blocks are nothing but octets.
                framed.append(piece)
        return b"".join(framed)

    def finish(self) -> Iterable[Any]:
        self._hold()
        held = b"".join(self._held)
        inputs, fault = collect(self, self._lower.finish)
        self._count = len(inputs)
        made, above = collect(self, self._upper.take, inputs)
        if above is None:
            more, above = collect(self, self._upper.end)
            made = [*made, *more]
        if isinstance(above, TruncatedRecord):
            # It is told in octets as they came.
            held += self._framed([above.rest] if above.rest else [])
            above = None
            fault = fault or TruncatedRecord(b"")
        if isinstance(fault, TruncatedRecord):
            whole = self._blurred and self._held
            fault = TruncatedRecord(held if whole else held + fault.rest)
        fault = above or fault
        return made if fault is None else thenRaise(made, fault)

    def frame(self, record: Any) -> bytes:
        return b"".join(map(self._lower.frame, self._upper.give(record)))

    def release(self, delivered: int) -> bytes:
        old, fresh = self._upper.split(delivered)
        octets = self._lower.release(max(self._count - fresh, 0))
        if old and self._upper.cuts:
            octets = self._framed(old) + octets
        elif old:
            held = b"".join(self._held)
            octets = held if self._blurred else held + octets
        self._empty()
        return octets

    def clone(self) -> _Pair:
        return _Pair(self._lower.clone(), self._upper.clone())


class Stackable:
    """
    Framings above each other (POE::Filter::Stackable): what the first one reads from
    the network is read by the second one, and so on; what is put goes the other way.

    Limits are those of its parts. What a part raises on reading, if it is no
    L{FramingError}, becomes one.
    """

    def __init__(self, *, framings: Sequence[Framing]) -> None:
        """
        @param framings: the framings, that next to the network first (POE: Filters).
            They are cloned.

        @raise TypeError: if one of them is no framing.
        @raise ValueError: if there is none.
        """
        if not isinstance(framings, (list, tuple)):
            raise TypeError(f"framings must be a list of framings, not {framings!r}")
        if not framings:
            raise ValueError("framings must have at least one framing")
        parts: list[Framing] = []
        for position, framing in enumerate(framings):
            if isinstance(framing, type) or not all(
                callable(getattr(framing, name, None))
                for name in ("feed", "finish", "frame", "release", "clone")
            ):
                raise TypeError(
                    f"framings[{position}] must be a framing such as Line(), not "
                    f"{framing!r}"
                )
            parts += framing._parts if isinstance(framing, Stackable) else [framing]
        # Reads that are given on as they come: what cuts them can do so by itself.
        while (
            len(parts) > 1
            and type(parts[0]) is Stream
            and not isinstance(parts[1], Layer)
        ):
            del parts[0]
        parts = [part.clone() for part in parts]
        self._parts: list[Framing] = parts
        self._top: Framing = parts[0]
        for part in parts[1:]:
            upper = part if isinstance(part, Layer) else _Cutting(part)
            self._top = _Pair(self._top, upper)
        self.chunkInvariant = self._top.chunkInvariant
        self.reversible = self._top.reversible

    @property
    def swallows(self) -> bytes:
        """
        As L{Framing.release} has it.
        """
        swallows: bytes = getattr(self._top, "swallows", b"")
        return swallows

    def feed(self, data: bytes) -> Iterable[Any]:
        """
        @return: the records of the last framing that are complete now.

        @raise FramingError: from the iterator, behind the records before it, if one of
            the framings found a fault.
        """
        return self._top.feed(data)

    def finish(self) -> Iterable[Any]:
        """
        @return: the records which the end of the stream completes.

        @raise TruncatedRecord: from the iterator, if one of the framings holds octets
            that are no record.
        """
        return self._top.finish()

    def frame(self, record: Any) -> bytes:
        """
        @return: the octets for a record of the last framing. What one of them raises
            goes to who put the record.
        """
        return self._top.frame(record)

    def release(self, delivered: int) -> bytes:
        """
        @return: the octets behind the first C{delivered} records of the last batch; the
            octets of a record that several others were made of count as taken when all
            of these are delivered.
        """
        return self._top.release(delivered)

    def clone(self) -> Stackable:
        """
        @return: an empty one of clones of the same framings.
        """
        return Stackable(framings=self._parts)
