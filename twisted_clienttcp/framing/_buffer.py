"""
The input buffer: bytes that have been received and not decoded yet.

The buffer is usually C{bytes}, so that a framing can split a whole read at once. While
a record arrives in many pieces, the buffer is a C{bytearray}, to which a piece is
appended without copying the others. All other steps only move an index. So the time is
linear in the number of received bytes, for pieces and records of any size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import FramingError, RecordTooLong, nameOf
from ._base import AnyFraming, Buffer, Converter

#: How many bytes of a large read are copied to complete a record that began in the read
#: before. The rest is not copied (benchmark rows: blocks and lines of 1 KiB).
HEAD = 4096

#: A read of up to this size is copied as a whole, which is cheaper (benchmark row:
#: lines of 16 bytes).
SMALL = 64 * 1024


class InputBuffer:
    """
    Received bytes, and the framing that decodes them, without I/O.

    @ivar framing: the current framing.
    @ivar isEmpty: True if the last call of L{decode} decoded all bytes.
    @ivar batch: how the last records were decoded, for L{rewind}: the data, the indices
        between which the records were, the framing, and its C{maxLength}. Set it to
        None when all the records have been delivered, to free the memory.
    @ivar convert: the function with which the caller must convert each of the last
        records before delivering it; None if there is none.
    """

    __slots__ = (
        "_data",
        "_excess",
        "_isDecoding",
        "_next",
        "_oneByOne",
        "_searched",
        "_skipper",
        "_start",
        "_successor",
        "_swallows",
        "batch",
        "convert",
        "framing",
        "isEmpty",
    )

    def __init__(self, framing: AnyFraming) -> None:
        self.framing = framing
        self._data: Buffer = b""
        #: The index of the first byte that is not decoded.
        self._start = 0
        #: The framing has searched the bytes before this index.
        self._searched = 0
        #: A large read that follows C{_data}, which then ends with an incomplete
        #: record.
        self._next = b""
        #: While a record that is too long is skipped and its end is unknown: the
        #: framing that skips it. And how many bytes of such a record have not arrived,
        #: if its end is known.
        self._skipper: AnyFraming | None = None
        self._excess = 0
        #: The C{swallows} of the previous framing.
        self._swallows = b""
        #: How many bytes to decode unit by unit before the next batch: as many as the
        #: last batch searched for records that were not used. This keeps the total time
        #: linear.
        self._oneByOne = 0
        #: True while the framing decodes a unit. A user's function may choose another
        #: framing in the meantime, the successor, which takes over at the end of the
        #: unit.
        self._isDecoding = False
        self._successor: AnyFraming | None = None
        self.isEmpty = False
        self.batch: tuple[bytes, int, int, AnyFraming, int] | None = None
        self.convert: Converter | None = None

    def __len__(self) -> int:
        """
        Return how many bytes wait to be decoded; 1 if there are none, but the framing
        can return records without more data.
        """
        waiting = len(self._data) - self._start + len(self._next)
        return waiting or int(self.framing.hasMore)

    def append(self, data: bytes) -> None:
        """
        Add received bytes.

        @raise FramingError: if the framing has kept a view of the buffer. The bytes are
            added in this case too.
        """
        self.isEmpty = False
        if self._excess:
            dropped = min(self._excess, len(data))
            self._excess -= dropped
            data = data[dropped:]
        if self._next:
            self._join()
        buffer, start = self._data, self._start
        rest = len(buffer) - start
        self._searched = max(self._searched - start, 0)
        self._start = 0
        if not rest:
            self._data = data
        elif rest <= len(data):
            # The rest, which is copied, is not longer than the data, so the time stays
            # linear.
            before = memoryview(buffer)[start:]
            if len(data) > SMALL and self.framing.chunkInvariant:
                self._data, self._next = bytes(before), data
            else:
                self._data = b"".join((before, data))
        elif isinstance(buffer, bytes):
            self._data = bytearray(memoryview(buffer)[start:])
            # Free the old buffer before the new one grows.
            del buffer
            self._data += data
        else:
            try:
                del buffer[:start]
                buffer += data
            except BufferError:
                self._data = bytearray(memoryview(buffer)[-rest:])
                self._data += data
                raise FramingError(
                    f"{type(self.framing).__name__} has kept a view of the data that "
                    "was passed to decode(): copy the bytes, as with bytes(view)"
                ) from None

    def decode(
        self,
        many: bool = False,
        lazily: bool = False,
        onSkipped: Callable[[RecordTooLong], object] | None = None,
    ) -> list[Any] | None:
        """
        Decode one unit.

        @param many: True to decode all complete units, if the framing can do this at
            once.
        @param lazily: with C{many}, True to leave the conversion of the records to the
            caller (see C{convert}).
        @param onSkipped: called for a record that is skipped, instead of raising the
            error; then no records are returned.

        @return: the records; None if the next unit is not complete.

        @raise RecordTooLong: if the next record is too long. If its C{skipped} is true,
            the next call continues after that record.
        @raise FramingError: if the bytes cannot be decoded.
        """
        batch, self.batch, self.convert = self.batch, None, None
        framing = self.framing
        if self._skipper is not None and not self._skip(self._skipper):
            return None
        if self._swallows or framing.swallows:
            self._swallow()
        data, start = self._data, self._start
        try:
            # Do not search again where there is no complete unit: after the last batch,
            # and in bytes for which the framing has returned None.
            if (
                many
                and self._oneByOne <= 0
                and start < len(data) > self._searched
                and (batch is None or batch[0] is not data)
                and not self._next
            ):
                if self._searched <= start and not isinstance(data, bytes):
                    self._replaceRest(self.rest)
                    data, start = self._data, self._start
                # While a record arrives in pieces, C{data} is a bytearray: complete it
                # first.
                if isinstance(data, bytes):
                    base, convert = framing, None
                    if lazily and (above := framing.above) is not None:
                        base, convert = above
                    records, end = base.decodeMany(data, start)
                    if end > start:
                        first, start = start, end
                        self._start = self._searched = end
                        if records:
                            self.batch = data, first, end, base, base.maxLength
                            self.convert = convert
                            if end == len(data) and not framing.hasMore:
                                self._data, self._start, self._searched = b"", 0, 0
                                self.isEmpty = True
                            return records
            if self._next:
                data += self._next[:HEAD]
            size = len(data)
            hasMore = framing.hasMore
            if start >= size and not hasMore:
                self._data, self._start, self._searched = b"", 0, 0
                return None
            searched = self._searched
            self._isDecoding = True
            found = framing.decode(data, start, searched if searched > start else start)
        except RecordTooLong as error:
            self._isDecoding = False
            if error.skipped:
                self._dropTo(error.end)
            if self._successor is not None:
                self._decoded()
            if not error.skipped or onSkipped is None:
                raise
            # A peer may send many such records: do not raise the error again, and drop
            # the traceback (benchmark row: lines, among as many that are skipped).
            error.__traceback__ = None
            onSkipped(error)
            return []
        except BaseException as error:
            self._decoded()
            if isinstance(error, FramingError) or not isinstance(error, Exception):
                raise
            raise self.converted(error) from error
        self._isDecoding = False
        if found is None:
            self._searched = size
            if self._next:
                self._join()
                return self.decode()
            self._trim()
            return None
        records, end = found
        if not start < end <= size and not (hasMore and end == start):
            raise FramingError(
                f"{type(framing).__name__}.decode() must return an index from "
                f"{start + 1} to {size}, not {end!r}"
            )
        self._start = self._searched = end
        self._oneByOne -= end - start
        if self._next:
            self._leave(end)
        # A successor waits for the rest of the unit, and for an error in it.
        if self._successor is not None and not framing.hasMore:
            self._decoded()
        return records

    def _decoded(self) -> None:
        """
        End the decoding of a unit: if another framing was chosen in the meantime, use
        it.
        """
        self._isDecoding = False
        successor, self._successor = self._successor, None
        if successor is not None:
            self.use(successor)

    def rewind(self, delivered: int) -> int | None:
        """
        Move back to the end of the unit that contains the last delivered record, so
        that another framing can continue there.

        @param delivered: how many records of the last result of L{decode} were
            delivered.

        @return: how many of these records are consumed; None if all of them are. If
            this is more than C{delivered}, the last unit holds more records, which must
            be delivered too.
        """
        batch, self.batch, self.convert = self.batch, None, None
        if batch is None:
            return None
        data, position, end, framing, maxLength = batch
        framing.swallows = b""
        limit, framing.maxLength = framing.maxLength, maxLength
        consumed = 0
        try:
            while consumed < delivered:
                found = framing.decode(data, position, position)
                assert found is not None, "decodeMany() has returned this record"
                consumed += len(found[0])
                position = found[1]
        finally:
            framing.maxLength = limit
        if self._data is data and not self._next:
            self._start = self._searched = position
        else:
            # More bytes have arrived since.
            self._replaceRest(data[position:end] + self.rest)
        self._oneByOne = len(data) - position
        return consumed

    def use(self, framing: AnyFraming) -> None:
        """
        Decode with another framing from now on.
        """
        if self._isDecoding:
            self._successor = framing
            return
        self._successor = None
        previous = self.framing
        self._swallows = previous.swallows or self._swallows
        if back := previous.takeBack():
            # The other framing decodes all of the last newline, with its second byte.
            self._swallows = b""
            self._replaceRest(back + self.rest)
        self._searched = self._start
        self.framing = framing

    def decodeEnd(self) -> list[Any]:
        """
        Return the records that the end of the stream completes. L{decode} must have
        returned None before.

        @raise FramingError: if the bytes cannot be decoded.
        """
        if self._skipper is not None:
            self._dropSkipped()
        try:
            self._isDecoding = True
            records = self.framing.decodeEnd(self._data, self._start)
        except FramingError as error:
            if isinstance(error, RecordTooLong) and error.skipped:
                self._replaceRest(b"")
            raise
        except Exception as error:
            raise self.converted(error) from error
        else:
            if records is not None:
                self._replaceRest(b"")
        finally:
            self._isDecoding = False
            if self._successor is not None:
                self._decoded()
        return records or []

    def takeRest(self) -> bytes:
        """
        Return and forget all bytes that are not in any record.
        """
        if self._skipper is not None:
            self._dropSkipped()
        if self._swallows or self.framing.swallows:
            self._swallow()
        back = self.framing.takeBack()
        if not back and self._start == len(self._data) and not self._next:
            return b""
        rest = back + self.rest
        self._replaceRest(b"")
        return rest

    def converted(self, error: Exception) -> FramingError:
        """
        Convert any exception that the framing has raised to a L{FramingError}.
        """
        if isinstance(error, FramingError):
            return error
        converted = FramingError(
            f"{type(self.framing).__name__} could not decode a record: {nameOf(error)}"
        )
        converted.__cause__ = error
        return converted

    @property
    def swallows(self) -> bytes:
        """
        The byte that is dropped if it is the next to arrive; empty for none.
        """
        return b"" if len(self) else self._swallows or self.framing.swallows

    @property
    def direct(self) -> Callable[[bytes], list[object] | None] | None:
        """
        The framing's C{receive}, if it can decode the next read without this buffer.
        """
        receive = self.framing.receive
        if receive is None or self._skipper is not None:
            return None
        return None if self._excess or self._swallows or len(self) else receive

    @property
    def rest(self) -> bytes:
        """
        The bytes that wait to be decoded.
        """
        return b"".join((memoryview(self._data)[self._start :], self._next))

    def _join(self) -> None:
        """
        Append the large read to the data.
        """
        self._data += self._next
        self._next = b""

    def _leave(self, end: int) -> None:
        """
        Continue after a unit that ends at this index of C{_data}, to which the first
        C{HEAD} bytes of C{_next} were appended.
        """
        border = len(self._data)
        if end < border:
            self._join()
        else:
            self._replaceRest(self._next)
            self._start = self._searched = end - border

    def _replaceRest(self, data: bytes) -> None:
        self.isEmpty = False
        self._data = data
        self._next = b""
        self._start = self._searched = 0

    def _trim(self) -> None:
        """
        Free the bytes that have been decoded.
        """
        if self._start:
            self._data = self._data[self._start :]
            self._searched = max(self._searched - self._start, 0)
            self._start = 0

    def _swallow(self) -> None:
        """
        Drop the second byte of the last newline, if it comes next.
        """
        data, start = self._data, self._start
        if start == len(data):
            return
        following = data[start : start + 1]
        if self._swallows:
            dropped = following == self._swallows
            self._swallows = b""
        else:
            dropped = following == self.framing.swallows
            if dropped:
                self.framing.swallows = b""
        if dropped:
            self._start = start + 1

    def _skip(self, skipper: AnyFraming) -> bool:
        """
        Skip a record that is too long.

        @return: True if its end was found.
        """
        if self._next:
            self._join()
        data, start = self._data, self._start
        if start == len(data):
            return False
        try:
            index, done = skipper.skip(data, start, max(start, self._searched))
        except FramingError:
            raise
        except Exception as error:
            raise self.converted(error) from error
        self._dropTo(index)
        if done:
            self._skipper = None
            if skipper is not self.framing:
                self._swallows = skipper.swallows
        else:
            self._trim()
        return done

    def _dropSkipped(self) -> None:
        """
        Drop the record that is being skipped, because its end will not arrive.
        """
        self._skipper = None
        self._replaceRest(b"")

    def _dropTo(self, index: int | None) -> None:
        """
        Drop all bytes before this index, which may be beyond the end of the data. They
        belong to a record that is skipped.

        @param index: None if the framing must look for the end of the record.
        """
        if index is None:
            self._skipper = self.framing
            return
        if self._next:
            self._join()
        size = len(self._data)
        if index > size:
            self._excess = index - size
            index = size
        self._start = self._searched = index
        # A batch ends at each such record, but may have searched far beyond it.
        self._oneByOne = size - index
