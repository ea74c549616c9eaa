"""
The contract of a framing.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from .._validators import meant
from ..errors import RecordTooLong

#: Received bytes: usually C{bytes}, and a C{bytearray} while a long record arrives.
Buffer = bytes | bytearray


class _Arguments(NamedTuple):
    """
    The arguments of a constructor.
    """

    args: tuple[object, ...]
    kwargs: dict[str, object]


#: The longest read in bytes that is passed to C{Framing.receive}.
DIRECT = 64 * 1024

_Self = TypeVar("_Self", bound="AnyFraming")

#: The type of a framing's records.
Record = TypeVar("Record")

#: A framing of any type of records.
AnyFraming: TypeAlias = "Framing[Any]"

#: Converts one record of the lower framing into any number of records. The iteration of
#: its result may raise an exception too.
Converter = Callable[[object], Iterable[object]]

#: The default of C{maxLength} in bytes: 1 MiB. Real lines, such as JSON documents and
#: base64 bodies, exceed the 16 KiB of C{LineReceiver} and the 64 KiB of asyncio's
#: streams. With POE's 64 MiB, a hostile peer can occupy that much memory per
#: connection.
MAX_LENGTH = 1024 * 1024


class Framing(Generic[Record]):
    """
    Splits a byte stream into records, and encodes records as bytes.

    A framing does no I/O and keeps no input: the connection owns the received bytes,
    and L{decode} examines them. A subclass must define only L{decode} and L{encode}::

        class Pairs(Framing):
            def decode(self, data, start, searched):
                if len(data) - start < 2:
                    return None
                return [bytes(data[start : start + 2])], start + 2

            def encode(self, record):
                return record

    The other methods are optional. They make a framing faster, or serve special needs.

    Three rules make it safe to change the framing mid-stream, to limit memory, and to
    read a stream in pieces of any size:

     1. L{decode} must not change C{data}, and no C{memoryview} of C{data} may outlive
        the call.
     2. Between two calls, a framing may keep only L{swallows}, and a cache about
        C{data[start:searched]}, which is invalid when C{searched == start}. A framing
        with any other state must define L{takeBack} and must not define L{decodeMany}.
     3. A call of L{decode} that returns None or raises an exception must not change
        anything else. (A L{RecordTooLong<twisted_clienttcp.errors.RecordTooLong>} with
        an C{end} consumes the record.)

    L{twisted_clienttcp.testing.FramingConformance} contains tests of these rules for
    your framing.

    @cvar chunkInvariant: True if the records do not depend on how the stream is split
        into reads.
    @cvar reversible: True if decoding an encoded record returns an equal record.
    @ivar maxLength: the longest record in bytes. It may be changed between records.
    @ivar onTooLong: what happens when a longer record arrives. C{"close"}: the
        connection is dropped. C{"skip"}: the record is reported and left out, and
        decoding continues at its end, which is passed to L{tooLong} or found by
        L{skip}.
    @ivar hasMore: True while L{decode} can return records or raise an exception without
        more data. L{decode} is then also called with C{start == len(data)}, and may
        return C{start} as the end. Only a framing that keeps state needs this, to
        deliver records before the error that follows them.
    @ivar swallows: a byte that belongs to the last record if it comes next: the second
        byte of a newline whose first byte ended a line. The connection drops this byte,
        even if the framing has been replaced in the meantime, and then clears this
        attribute. A framing that sets this attribute must also clear it in L{decode}.
    """

    chunkInvariant: bool = True
    reversible: bool = True
    maxLength: int = MAX_LENGTH
    onTooLong: str = "close"
    hasMore: bool = False
    swallows: bytes = b""

    #: The arguments of the constructor, for C{repr}.
    _arguments: _Arguments

    #: True if the class defines both C{decode} and C{encode}.
    isComplete = False

    #: True if no attribute holds a framing.
    _isLeaf = False

    def __new__(cls: type[_Self], /, *args: object, **kwargs: object) -> _Self:
        framing = super().__new__(cls)
        framing._arguments = _Arguments(args, kwargs)
        if kwargs:
            _checkNames(cls, kwargs)
        return framing

    def __init_subclass__(cls, leaf: bool = False, **kwargs: object) -> None:
        """
        @param leaf: True if no attribute of these framings is a framing, so that
            L{fresh} need not look for one. Subclasses do not inherit this.
        """
        super().__init_subclass__(**kwargs)
        cls._isLeaf = leaf
        cls.isComplete = not {Framing.decode, Framing.encode} & {cls.decode, cls.encode}
        if "__slots__" in vars(cls):
            # Without __copy__(), copy.copy() copies the slots too.
            cls.__copy__ = None  # type: ignore[assignment]
        # A subclass that overrides the method for one record must not inherit a method
        # for many records that bypasses it.
        for one, many in (("decode", "decodeMany"), ("encode", "encodeMany")):
            if one in vars(cls) and many not in vars(cls):
                setattr(cls, many, vars(Framing)[many])

    def __repr__(self) -> str:
        args, kwargs = self._arguments
        parameters = [repr(value) for value in args]
        parameters += [f"{name}={value!r}" for name, value in kwargs.items()]
        return f"{type(self).__name__}({', '.join(parameters)})"

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[Record], int] | None:
        """
        Decode the first unit of C{data[start:]}, the smallest part of the stream that
        is consumed as a whole. It usually holds one record; none if the record is
        filtered out, several in a stack of framings.

        @param data: the received bytes. C{data[start:]} is not empty, unless C{hasMore}
            is true.
        @param start: the index at which the unit begins.
        @param searched: C{data[start:searched]} was already present in the last call,
            which returned None: a search for a delimiter can continue from there.

        @return: the records and the index at which the unit ends, which must be greater
            than C{start}; None if the unit is not complete.

        @raise FramingError: if the bytes are not a unit. Any other exception is
            converted to a L{FramingError<twisted_clienttcp.errors.FramingError>}.
        @raise RecordTooLong: if the record is longer than C{maxLength}, as early as
            that is known.
        """
        raise NotImplementedError(f"{type(self).__name__} must define decode()")

    #: Optional, for a framing that keeps its own input. Decodes a read of up to
    #: C{DIRECT} bytes as one unit, without the connection's buffer, and returns the
    #: records; or returns None and sets C{hasMore}, and then L{decode} returns the
    #: records or raises an exception. The connection calls it only while nothing else
    #: waits to be decoded or delivered.
    receive: Callable[[bytes], list[Record] | None] | None = None

    #: Optional, for a framing that converts each record of a lower framing with a
    #: user's function: the lower framing and the function, or None if they cannot be
    #: used now. The connection then calls the lower framing's C{decodeMany} instead of
    #: this one's, and converts each record just before it delivers it.
    above: tuple[AnyFraming, Converter] | None = None

    def encode(self, record: Record) -> bytes:
        """
        Encode a record.

        @param record: the record.

        @return: the bytes to send.

        @raise TypeError: if this framing does not accept records of that type.
        @raise InvalidRecord: if the peer would not decode the result as that record.
        @raise RecordTooLong: if the record is longer than C{maxLength}.
        """
        raise NotImplementedError(f"{type(self).__name__} must define encode()")

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Record], int]:
        """
        Decode all complete units at once, up to the first one for which L{decode} would
        return None or raise. This method never raises: the connection then calls
        L{decode} for that unit.

        @param data: the received bytes.
        @param start: the index at which the first unit begins.

        @return: the records, and the index at which the last of these units ends. The
            base class returns no records and C{start}, so that units are decoded one by
            one.
        """
        return [], start

    def decodeEnd(self, data: Buffer, start: int) -> list[Record] | None:
        """
        Decode the last records, those that the end of the stream completes.

        @param data: the received bytes, for which L{decode} has returned None.
        @param start: the index at which the incomplete unit begins.

        @return: the records, possibly none, if they consume all of C{data[start:]};
            None if that is an incomplete record, which is then reported as truncated.
        """
        return None

    def skip(self, data: Buffer, start: int, searched: int) -> tuple[int, bool]:
        """
        Skip the record for which L{decode} raised
        L{RecordTooLong<twisted_clienttcp.errors.RecordTooLong>} without knowing its
        end.

        @param data: the received bytes.
        @param start: the index at which the record begins, or which the last call
            returned.
        @param searched: C{data[start:searched]} was already present in the last call.

        @return: the index up to which the bytes can be dropped, and True if the record
            ends there. The index must be before any bytes that may be half a delimiter.
            It may be beyond the end of the data. If the record does not end there, this
            method is called again from that index when more data has arrived.
        """
        raise NotImplementedError(
            f'{type(self).__name__} must define skip() for onTooLong="skip"'
        )

    def encodeMany(self, records: Sequence[Record]) -> bytes:
        """
        Encode several records.

        @param records: the records.

        @return: the bytes to send.

        @raise Exception: the exception that L{encode} raises for the first record that
            it cannot encode.
        """
        return b"".join(map(self.encode, records))

    def fresh(self: _Self) -> _Self:
        """
        Return an unused framing with the same configuration. Each connection uses one
        of these, never the user's object.

        The base class returns a shallow copy in which every attribute that is a
        framing, or a list or tuple of framings, is replaced by fresh framings. A
        framing with other state that changes must override this method.

        @return: the unused framing.
        """
        if self._isLeaf:
            # copy.copy() and a look at each attribute take five times as long
            # (benchmark row: swap).
            unused = self.__copy__()
        else:
            unused = copy.copy(self)
            for name, value in vars(unused).items():
                if isinstance(value, Framing):
                    setattr(unused, name, value.fresh())
                elif isinstance(value, (list, tuple)) and all(
                    isinstance(item, Framing) for item in value
                ):
                    setattr(unused, name, type(value)(item.fresh() for item in value))
        if unused.swallows:
            unused.swallows = b""
        return unused

    def __copy__(self: _Self) -> _Self:
        copied = object.__new__(type(self))
        copied.__dict__ = vars(self).copy()
        return copied

    def __deepcopy__(self: _Self, memo: dict[int, object]) -> _Self:
        copied = copy.copy(self)
        for name, value in vars(self).items():
            # The arguments may include a serializer that is a module and cannot be
            # copied.
            if name != "_arguments":
                vars(copied)[name] = copy.deepcopy(value, memo)
        return copied

    def takeBack(self) -> bytes:
        """
        Return and forget the consumed bytes that are not in any record yet.

        Only a framing that keeps such bytes needs this: a wrapped parser, or a stack
        whose upper framing waits for the rest of a record. The connection calls this
        method when the framing is replaced, and when the stream ends.

        @return: the bytes.
        """
        return b""

    def tooLong(self, length: int, end: int | None = None) -> RecordTooLong:
        """
        Create the exception for a record that is longer than C{maxLength}, for
        L{decode} to raise.

        @param length: the length in bytes, or a lower bound.
        @param end: the index at which the record ends, which may be beyond the end of
            the data; None if it is unknown, so that L{skip} must find it.

        @return: the exception.
        """
        return RecordTooLong(length, self.maxLength, self.onTooLong == "skip", end)


def _checkNames(cls: type, kwargs: dict[str, object]) -> None:
    """
    @raise TypeError: if one of these names is not a parameter of the constructor. The
        message suggests the nearest parameter.
    """
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    known = [name for name in parameters if name != "self"]
    for name in kwargs:
        if name not in known:
            hint = meant(name, known)
            raise TypeError(f"{cls.__name__} has no parameter {name!r}{hint}")
