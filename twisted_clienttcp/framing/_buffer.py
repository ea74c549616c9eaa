"""
The bytes that have been received and not decoded yet.

The buffer is C{bytes} as a rule, so that a framing can split a whole read at once.
While a record arrives in many pieces, the buffer is a C{bytearray}, to which each piece
is appended in constant time. All other steps move an index. So the time is linear in
the number of received bytes, whatever the size of the pieces and of the records.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import FramingError, RecordTooLong, nameOf
from ._base import Buffer, Framing

#: How much of a large read is copied to complete the record that the last read has
#: begun. The rest of that read is used as it is (benchmark rows: blocks and lines of 1
#: KiB).
HEAD = 4096

#: Up to this size, it is cheaper to copy the whole read (benchmark row: lines of 16
#: bytes).
SMALL = 64 * 1024


class _Batch(NamedTuple):
    """
    What L{InputBuffer.decodeMany} has decoded, to find the position of one of its
    records again.

    @ivar data: the buffer at that time, of which C{data[start:end]} was decoded.
    @ivar maxLength: the limit at that time.
    @ivar earlier: how many records of the unit in front of C{data[start:]} were
        returned with the batch.
    """

    data: bytes
    start: int
    end: int
    maxLength: int
    earlier: int


class InputBuffer:
    """
    Received bytes, and the framing that decodes them, without I/O.

    @ivar framing: the present framing.
    """

    __slots__ = (
        "_batch",
        "_border",
        "_data",
        "_excess",
        "_following",
        "_oneByOne",
        "_searched",
        "_skipper",
        "_start",
        "_swallows",
        "framing",
    )

    def __init__(self, framing: Framing[Any]) -> None:
        self.framing = framing
        self._data: Buffer = b""
        #: A read of which C{data} ends with the first L{HEAD} bytes, from the index
        #: C{border} on.
        self._following: bytes | None = None
        self._border = 0
        #: The index of the first byte that is not decoded.
        self._start = 0
        #: The framing has looked at the bytes before this index.
        self._searched = 0
        #: The framing that skips a record that is too long, until its end is found, and
        #: how many bytes of such a record are still to arrive.
        self._skipper: Framing[Any] | None = None
        self._excess = 0
        #: The byte that the previous framing would have swallowed.
        self._swallows = b""
        #: How many bytes are to be decoded unit by unit before the next batch. As many
        #: were looked at in vain, so the time stays linear.
        self._oneByOne = 0
        self._batch: _Batch | None = None

    def __len__(self) -> int:
        """
        Return how many bytes wait to be decoded; 1 if there are none, but C{decode} has
        more to return without them.
        """
        waiting = len(self._data) - self._start
        if self._following is not None:
            waiting += len(self._following) - HEAD
        return waiting or int(self.framing.hasMore)

    def append(self, data: bytes) -> None:
        """
        Add received bytes.

        @raise FramingError: if the framing has kept a view of the buffer. The bytes
            are added nevertheless.
        """
        if self._excess:
            dropped = min(self._excess, len(data))
            self._excess -= dropped
            data = data[dropped:]
        if self._following is not None:
            self._join()
        buffer, start = self._data, self._start
        rest = len(buffer) - start
        if self._searched > start:
            self._searched -= start
        else:
            self._searched = 0
        self._start = 0
        if not rest:
            self._data = data
        elif rest <= len(data):
            # This copies no more than the data itself.
            head = data
            if len(data) > SMALL and self.framing.chunkInvariant:
                self._following, self._border = data, rest
                head = data[:HEAD]
            self._data = b"".join((memoryview(buffer)[start:], head))
        elif isinstance(buffer, bytes):
            self._data = bytearray(memoryview(buffer)[start:])
            # Free it before the new buffer grows.
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
                    "was passed to decode()"
                ) from None

    def decode(self) -> list[Any] | None:
        """
        Decode one unit.

        @return: its records; None if the next unit is not complete.

        @raise RecordTooLong: if the next record is too long. If C{skipped} is true,
            the next call continues behind that record.
        @raise FramingError: if the bytes cannot be decoded.
        """
        self._batch = None
        framing = self.framing
        if self._skipper is not None and not self._skip(self._skipper):
            return None
        if self._swallows or framing.swallows:
            self._swallow()
        data, start, searched = self._data, self._start, self._searched
        hasMore = framing.hasMore
        if start >= len(data) and not hasMore:
            self._trim()
            return None
        try:
            found = framing.decode(data, start, searched if searched > start else start)
        except RecordTooLong as error:
            if error.skipped:
                self._skipper = framing
                # A batch stops at each such record, and may have looked far beyond it.
                self._oneByOne = len(self)
            raise
        except FramingError:
            raise
        except Exception as error:
            raise self._converted(error) from error
        if found is None:
            if self._following is not None:
                self._join()
                self._searched = len(data)
                return self.decode()
            self._trim()
            self._searched = len(self._data)
            return None
        records, end = found
        if not start < end <= len(data) and not (hasMore and end == start):
            raise FramingError(
                f"{type(framing).__name__}.decode() must return an index from "
                f"{start + 1} to {len(data)}, not {end!r}"
            )
        self._start = end
        self._oneByOne -= end - start
        if self._following is not None and end >= self._border:
            self._data, self._following = self._following, None
            self._start = end - self._border
            self._searched = 0
        return records

    def decodeMany(self) -> list[Any] | None:
        """
        Decode all complete units, if the framing can do so at once; otherwise one unit.

        @return: the records; None if the next unit is not complete.

        @raise FramingError: as L{decode}.
        """
        if self._oneByOne > 0:
            return self.decode()
        batch, self._batch = self._batch, None
        earlier: list[Any] | None = None
        if self._following is not None or isinstance(self._data, bytearray):
            earlier = self.decode()
            if earlier is None or self._following is not None:
                return earlier
            if isinstance(self._data, bytearray):
                # The record that arrived in pieces is complete; the bytes behind it can
                # be split as a whole again.
                self._data = bytes(memoryview(self._data)[self._start :])
                self._start = self._searched = 0
        framing = self.framing
        if self._skipper is not None and not self._skip(self._skipper):
            return None
        if self._swallows or framing.swallows:
            self._swallow()
        data, start = self._data, self._start
        assert isinstance(data, bytes)
        # Neither behind the last batch nor in what decode() has looked at in vain is
        # there a complete unit.
        isNew = batch is None or batch.data is not data
        if start < len(data) > self._searched and isNew:
            try:
                records, end = framing.decodeMany(data, start)
            except Exception as error:
                if earlier is not None:
                    # The next call raises it.
                    return earlier
                raise self._converted(error) from error
            if end > start:
                if earlier:
                    records[:0] = earlier
                self._start = end
                self._batch = _Batch(
                    data, start, end, framing.maxLength, len(earlier or ())
                )
                return records
        return self.decode() if earlier is None else earlier

    def rewind(self, delivered: int) -> int | None:
        """
        Move back to the end of the unit of the last record that was delivered, for
        another framing to go on there.

        @param delivered: how many records of the last result of L{decodeMany} were
            delivered.

        @return: how many of these records are consumed: more than C{delivered} if the
            last unit holds others, which must be delivered too; None for all of them.
        """
        batch, self._batch = self._batch, None
        if batch is None:
            return None
        framing = self.framing
        framing.swallows = b""
        limit, framing.maxLength = framing.maxLength, batch.maxLength
        position, consumed = batch.start, batch.earlier
        try:
            while consumed < delivered:
                found = framing.decode(batch.data, position, position)
                assert found is not None, "decodeMany() has returned this record"
                consumed += len(found[0])
                position = found[1]
        finally:
            framing.maxLength = limit
        if self._following is not None:
            self._join()
        if self._data is batch.data:
            self._start = position
        else:
            # More has arrived since.
            behind = memoryview(self._data)[self._start :]
            undone = memoryview(batch.data)[position : batch.end]
            self._data = b"".join((undone, behind))
            self._start = 0
        self._searched = 0
        self._oneByOne = len(batch.data) - position
        return consumed

    def use(self, framing: Framing[Any]) -> None:
        """
        Decode with another framing from here on.
        """
        previous = self.framing
        if back := previous.takeBack():
            self._replaceRest(back + self.rest)
        self._swallows = previous.swallows or self._swallows
        self._searched = 0
        self.framing = framing

    def decodeEnd(self) -> list[Any]:
        """
        The stream has ended: return the records that its end completes. L{decode} must
        have returned None before.

        @raise FramingError: if the bytes cannot be decoded.
        """
        if self._skipper is not None:
            self._skipper = None
            self._replaceRest(b"")
        if self._following is not None:
            self._join()
        try:
            records = self.framing.decodeEnd(self._data, self._start)
        except FramingError:
            raise
        except Exception as error:
            raise self._converted(error) from error
        if records:
            self._replaceRest(b"")
        return records

    def takeRest(self) -> bytes:
        """
        Return all bytes that are in no record, and forget them.
        """
        if self._swallows or self.framing.swallows:
            self._swallow()
        rest = self.framing.takeBack() + self.rest
        self._replaceRest(b"")
        return rest

    @property
    def swallows(self) -> bytes:
        """
        A byte that is dropped if it is the next one to arrive.
        """
        return b"" if len(self) else self._swallows or self.framing.swallows

    @property
    def rest(self) -> bytes:
        """
        The bytes that wait to be decoded.
        """
        if self._following is not None:
            self._join()
        return bytes(memoryview(self._data)[self._start :])

    def _join(self) -> None:
        """
        Make one buffer of the bytes before the last read and that read.
        """
        assert self._following is not None
        before = memoryview(self._data)[: self._border]
        self._data = b"".join((before, self._following))
        self._following = None

    def _replaceRest(self, data: bytes) -> None:
        self._data = data
        self._following = None
        self._start = self._searched = 0

    def _trim(self) -> None:
        """
        Keep only the bytes that are not decoded.
        """
        if self._start:
            self._data = self._data[self._start :]
            self._start = self._searched = 0

    def _swallow(self) -> None:
        """
        Drop the second half of the last newline, if that comes next.
        """
        data, start = self._data, self._start
        if start >= len(data):
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

    def _skip(self, skipper: Framing[Any]) -> bool:
        """
        Skip a record that is too long.

        @return: True if its end is found.
        """
        if self._following is not None:
            self._join()
        data, start = self._data, self._start
        if start >= len(data) and not skipper.hasMore:
            return False
        try:
            index, done = skipper.skip(data, start, max(start, self._searched))
        except FramingError:
            raise
        except Exception as error:
            raise self._converted(error) from error
        self._excess = max(index - len(data), 0)
        self._start = self._searched = min(index, len(data))
        if done:
            self._skipper = None
            if skipper is not self.framing:
                self._swallows = skipper.swallows
        else:
            self._trim()
        return done

    def _converted(self, error: Exception) -> FramingError:
        return FramingError(
            f"{type(self.framing).__name__} could not decode a record: {nameOf(error)}"
        )
