"""
Framings that make records of the records of another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from ..errors import FramingError, InvalidRecord
from . import _json
from ._common import MAX_LENGTH, Octets, collect, octetsOf, thenRaise
from ._interface import Framing
from ._line import Line


class Converted:
    """
    What lies above another framing, and makes any number of records of each of that
    one's.

    What makes a swap exact is a rule about the octets of those below: they are taken
    when all records made of one are delivered, and not before. What is dropped is taken
    with the next record that is delivered, and at the latest with the batch it came in:
    a peer could send without end what is dropped.
    """

    chunkInvariant: bool
    reversible: bool

    #: Whether what is given is made again of what it was made of.
    _reverses = True

    def __init__(self, below: Framing) -> None:
        self._lieOn(below)

    def _lieOn(self, below: Framing) -> None:
        self._below = below
        self.chunkInvariant = below.chunkInvariant
        self.reversible = below.reversible and self._reverses
        self._empty()

    def _empty(self) -> None:
        #: How many records below the last batch was made of.
        self._count = 0
        #: For each record of it, which of these it was made of, counted from 1.
        self._sources: list[int] = []
        #: Behind how many of these a fault was found, and the rest left for later.
        self._stop: int | None = None

    # -- for subclasses

    def _convert(self, record: Any) -> Iterable[Any]:
        """
        @return: the records made of one that was received.

        @raise Exception: if it is none; what is no L{FramingError} becomes one.
        """
        raise NotImplementedError

    def _give(self, record: Any) -> Iterable[Any]:
        """
        @return: the records to send for one that was put.
        """
        raise NotImplementedError

    # -- the contract

    @property
    def swallows(self) -> bytes:
        """
        As L{Framing.release} has it.
        """
        swallows: bytes = getattr(self._below, "swallows", b"")
        return swallows

    def feed(self, data: bytes) -> Iterable[Any]:
        """
        @return: the records that are complete now.

        @raise FramingError: from the iterator, behind the records before it, if the
            framing below raised one, or what that gave cannot be converted;
            C{__cause__} is what was raised then.
        """
        if self._stop is not None:
            data = self._below.release(self._stop) + data
        return self._made(self._below.feed, data)

    def _made(self, make: Callable[..., Iterable[Any]], *args: Any) -> Iterable[Any]:
        below, fault = collect(self._below, make, *args)
        self._empty()
        self._count = len(below)
        made: list[Any] = []
        _, wrong = collect(self, self._convertAll, below, made)
        if wrong is None:
            self._stop = None
        elif self._stop is not None:
            # Of the faulty one, if it gave any before.
            self._sources += [self._stop] * (len(made) - len(self._sources))
        fault = wrong or fault
        return made if fault is None else thenRaise(made, fault)

    def _convertAll(self, below: list[Any], made: list[Any]) -> list[Any]:
        sources = self._sources
        for place, record in enumerate(below, 1):
            self._stop = place
            made += self._convert(record)
            sources += [place] * (len(made) - len(sources))
        return []

    def _wholeFrom(self, number: int) -> int:
        """
        @return: up to which record of the last batch all were made of what the one of
            that number was made of.
        """
        sources = self._sources
        source = sources[number - 1]
        while number < len(sources) and sources[number] == source:
            number += 1
        return number

    def finish(self) -> Iterable[Any]:
        """
        @return: the records which the end of the stream completes.

        @raise TruncatedRecord: from the iterator, if a record is unfinished.
        """
        return self._made(self._below.finish)

    def frame(self, record: Any) -> bytes:
        """
        @return: the octets for a record.

        @raise TypeError: if it is of a type that cannot be sent.
        @raise InvalidRecord: if it would not be read back.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        return b"".join(map(self._below.frame, self._give(record)))

    def release(self, delivered: int) -> bytes:
        """
        @return: the octets behind the first C{delivered} records of the last batch; the
            octets of a record that several others were made of count as taken when all
            of these are delivered.
        """
        sources = self._sources
        if delivered:
            taken = sources[delivered - 1]
            following = self._count + 1
            if delivered < len(sources):
                following = sources[delivered]
            if taken in (following, self._stop):
                taken -= 1
            elif isinstance(self._below, Converted):
                # What is dropped of the one that they were all made of is no reason to
                # have that once more.
                whole = self._below._wholeFrom(taken)
                if whole < following:
                    taken = whole
        else:
            # Where all was dropped there is no record that the user could be at.
            taken = 0 if sources or self._stop else self._count
        octets = self._below.release(taken)
        self._empty()
        return octets

    def on(self, below: Framing) -> Any:
        """
        @return: an empty one with the same settings, above that framing.
        """
        other = copy(self)
        other._lieOn(below)
        return other

    def clone(self) -> Any:
        """
        @return: an empty one with the same settings.
        """
        return self.on(self._below.clone())


class JSONLines(Converted):
    """
    A JSON value a line (jsonlines.org): any value that JSON knows, in UTF-8, with LF
    behind it. Empty lines are no records.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest line in octets.
        @param onTooLong: C{"close"} the connection at a longer one, or C{"skip"} it.

        @raise TypeError: if an argument is of the wrong type.
        @raise ValueError: if one is out of its range.
        """
        super().__init__(
            Line(delimiter=b"\n", maxLength=maxLength, onTooLong=onTooLong)
        )

    def _convert(self, line: bytes) -> list[Any]:
        if not line.strip():
            return []
        try:
            return [_json.loads(line)]
        except (ValueError, RecursionError) as error:
            raise FramingError(f"not JSON: {error}: {line!r:.60}") from error

    def _give(self, record: Any) -> list[bytes]:
        try:
            return [_json.dumps(record).encode("utf-8")]
        except (ValueError, RecursionError) as error:
            raise InvalidRecord(f"cannot be encoded as JSON: {error}") from error


_END, _ESC, _ESC_END, _ESC_ESC = b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd"


class SLIP(Converted):
    """
    Packets of the Serial Line Internet Protocol (RFC 1055): an END octet behind each,
    and before it too on output, which flushes what noise may have left.
    """

    def __init__(
        self, *, maxLength: int = MAX_LENGTH, onTooLong: str = "close"
    ) -> None:
        """
        @param maxLength: the longest packet in octets, as it is sent: an octet that has
            to be escaped counts twice.
        @param onTooLong: C{"close"} the connection at a longer one, or C{"skip"} it.

        @raise TypeError: if an argument is of the wrong type.
        @raise ValueError: if one is out of its range.
        """
        super().__init__(Line(delimiter=_END, maxLength=maxLength, onTooLong=onTooLong))

    def _convert(self, line: bytes) -> list[bytes]:
        if not line:
            return []
        if _ESC not in line:
            return [line]
        first, *others = line.split(_ESC)
        packet = [first]
        for part in others:
            if part[:1] not in (b"\xdc", b"\xdd"):
                raise FramingError(f"SLIP has no escape sequence ESC {part[:1]!r}")
            packet += [_END if part[:1] == b"\xdc" else _ESC, part[1:]]
        return [b"".join(packet)]

    def _give(self, record: Octets) -> list[bytes]:
        packet = octetsOf(record)
        if not packet:
            raise InvalidRecord("SLIP cannot send an empty packet")
        return [packet.replace(_ESC, _ESC_ESC).replace(_END, _ESC_END)]

    def frame(self, record: Octets) -> bytes:
        """
        @return: the packet between two END octets.

        @raise TypeError: if the record is not octets.
        @raise InvalidRecord: if it is empty: SLIP has no empty packets.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        """
        return _END + super().frame(record)
