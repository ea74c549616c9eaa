"""
Decode received bytes, and call the user's callback with each record once, in order.

The loop that calls the callback makes one test per record: whether the callback
returned something to wait for. Anything else that must stop the loop, such as a pause
or another framing, ends it from inside: it saves the position and moves the iterator of
the loop to the end, in constant time. A later loop continues at the saved position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from inspect import isawaitable, iscoroutine, isgenerator
from types import CoroutineType
from typing import Any, Final, cast

from twisted.internet.defer import CancelledError, Deferred, fail

from ..errors import FramingError, TruncatedRecord
from ..framing._base import DIRECT, AnyFraming, Converter
from ..framing._buffer import InputBuffer


class Hold:
    """
    The reasons for holding records, as bits. Each is set and cleared independently.
    """

    # Operations on an enum.IntFlag take ten times as long as those on an int (benchmark
    # row: a coroutine for each line, which waits).

    #: the user has called C{client.pauseProducing}
    USER: Final = 1
    #: a consumer of the records has called C{client.server.pauseProducing}
    CONSUMER: Final = 2
    #: the result of the callback for the last record is awaited
    RESULT: Final = 4


class Cursor:
    """
    A list iterator that can be moved from inside the loop that uses it, for
    interpreters whose own list iterators cannot be moved.
    """

    def __init__(self, items: list[object]) -> None:
        self._items = items
        self._index = 0

    def __iter__(self) -> Cursor:
        return self

    def __next__(self) -> object:
        if self._index >= len(self._items):
            raise StopIteration
        self._index += 1
        return self._items[self._index - 1]

    def __length_hint__(self) -> int:
        """
        Return the number of items that follow.
        """
        return max(len(self._items) - self._index, 0)

    def __setstate__(self, index: int, /) -> None:
        """
        Continue at that index.
        """
        self._index = index


def cursorsFor(iterators: type) -> Callable[[list[object]], Cursor]:
    """
    Return the function that creates cursors: C{iter} if list iterators can be moved, as
    on CPython; otherwise L{Cursor}.

    @param iterators: the class of list iterators.
    """
    isMovable = hasattr(iterators, "__setstate__") and hasattr(
        iterators, "__length_hint__"
    )
    return cast(Callable[[list[object]], Cursor], iter) if isMovable else Cursor


#: Returns a cursor at the beginning of a list. The list's own iterator adds no cost to
#: the loop (benchmark row: lines of 16 bytes).
cursor = cursorsFor(type(iter([])))


class Inbound:
    """
    Decodes received bytes and delivers the records. It can be held, stopped and
    switched to another framing at any time, even by the callback.

    @ivar buffer: the bytes that are not decoded yet.
    @ivar held: the reasons for holding records, as bits of L{Hold}.
    @ivar sinceRead: the number of records and errors decoded since the last read.
    @ivar truncated: the bytes after the last complete record, once the stream has
        ended; None if there are none.
    """

    __slots__ = (
        "_atEnd",
        "_awaited",
        "_batched",
        "_client",
        "_cursor",
        "_decoded",
        "_deliver",
        "_direct",
        "_error",
        "_hasEnded",
        "_onFailed",
        "_onRaised",
        "_onResumed",
        "_records",
        "_running",
        "_saved",
        "_stopped",
        "buffer",
        "held",
        "sinceRead",
        "truncated",
    )

    def __init__(
        self,
        framing: AnyFraming,
        deliver: Callable[[Any, Any], object],
        client: Any,
        failed: Callable[[FramingError], object],
        raised: Callable[[BaseException], object],
        resumed: Callable[[], object],
        batched: bool = False,
    ) -> None:
        """
        @param framing: the framing of the connection.
        @param deliver: called with the client and each record. If it returns a Deferred
            or a coroutine, the next record waits for the result.
        @param client: the first argument of C{deliver}.
        @param failed: called if the bytes after the delivered records cannot be
            decoded. Unless it calls L{stop}, decoding continues.
        @param raised: called if C{deliver} has raised an exception, or if its awaited
            result has failed. Nothing is delivered afterwards.
        @param resumed: called when the awaited result has arrived.
        @param batched: True to call C{deliver} with a list of all records that can be
            decoded now, instead of with each record.
        """
        self.buffer = InputBuffer(framing)
        self.held = 0
        self.sinceRead = 0
        self.truncated: TruncatedRecord | None = None
        self._deliver = deliver
        #: The framing's C{receive}, while nothing waits to be decoded or delivered.
        self._direct: Callable[[bytes], list[object] | None] | None = None
        self._client = client
        self._onFailed = failed
        self._onRaised = raised
        self._onResumed = resumed
        self._batched = batched
        #: The last records that were decoded, and the cursor of the loop over them.
        self._records: list[object] = []
        self._cursor = cursor(self._records)
        #: The index at which the next loop begins, if the last loop was ended from
        #: inside; otherwise None.
        self._saved: int | None = None
        #: The number of records that were decoded, without those taken back.
        self._decoded = 0
        #: An error to report after the records of a batch.
        self._error: FramingError | None = None
        self._atEnd: Callable[[], None] | None = None
        #: The last result that was awaited.
        self._awaited: Deferred[object] | None = None
        self._hasEnded = False
        self._running = False
        self._stopped = False

    @property
    def delivered(self) -> int:
        """
        The number of records that were delivered.
        """
        return self._decoded - self._remaining() if self._records else self._decoded

    @property
    def awaited(self) -> Deferred[object] | None:
        """
        The awaited result; None if there is none.
        """
        return self._awaited if self.held & Hold.RESULT else None

    def feed(self, data: bytes = b"") -> None:
        """
        Deliver all records that can be delivered now.

        @param data: received bytes to add first.
        """
        isLoaded = False
        if data:
            self.sinceRead = 0
            direct, self._direct = self._direct, None
            if direct is None or len(data) > DIRECT or self._running:
                try:
                    self.buffer.append(data)
                except FramingError as error:
                    self._onFailed(error)
            elif (records := direct(data)) is not None:
                # benchmark rows: Receiver
                self._direct = direct
                if not records:
                    return
                self._load(records)
                isLoaded = True
        if self._running:
            return
        self._running = True
        deliver, client = self._deliver, self._client
        try:
            while isLoaded or self._advance():
                isLoaded = False
                try:
                    convert = self.buffer.convert
                    for record in (
                        self._cursor if convert is None else self._converted(convert)
                    ):
                        if (result := deliver(client, record)) is not None:
                            self._returned(result)
                except BaseException as error:
                    self.stop()
                    self._onRaised(error)
                    if not isinstance(error, Exception):
                        raise
                if self.buffer.isEmpty and self._saved is None and self._atEnd is None:
                    # In the usual case, nothing is left (benchmark row: echo).
                    self._records = []
                    self.buffer.batch = None
                    break
        finally:
            self._running = False

    def end(self, atEnd: Callable[[], None]) -> None:
        """
        Deliver the records that the end of the stream completes, after all earlier
        records.

        @param atEnd: called after that.
        """
        self._atEnd = atEnd
        self._direct = None
        self.feed()

    def next(self) -> tuple[object] | None:
        """
        Decode one record without delivering it.

        @return: the record; None if the next one is not complete.

        @raise FramingError: if the bytes cannot be decoded.
        """
        if self.buffer.convert is not None:
            self._takeBack()
        while not self._remaining():
            records = self.buffer.decode()
            if records is None:
                return None
            self._decoded += len(records)
            self.sinceRead += len(records)
            self._records, self._saved = records, 0
        assert self._saved is not None
        self._saved += 1
        return (self._records[self._saved - 1],)

    def _advance(self) -> bool:
        """
        Prepare the next loop.

        @return: True if there are records to deliver.
        """
        while not self._stopped:
            if self.held and self._isWaiting():
                return False
            if self._saved is not None and self._saved < len(self._records):
                if self._batched:
                    # next() has taken the records before these.
                    self._records, self._saved = [self._records[self._saved :]], 0
                self._cursor = cursor(self._records)
                self._resumeLoop()
                return True
            # Free the memory of the last records for the next ones (benchmark row:
            # lines of 16 bytes).
            self._records, self._saved = [], None
            if self._direct is not None:
                return False
            try:
                if self._error is not None:
                    error, self._error = self._error, None
                    raise error
                records = None
                if self._atEnd is None or not self.buffer.isEmpty:
                    records = self.buffer.decode(
                        True, not self._batched, self._onFailed
                    )
                if records is None:
                    if self._atEnd is not None:
                        records = self._decodeEnd(self._atEnd)
                elif self._batched:
                    self._decodeAll(records)
            except TruncatedRecord as truncated:
                self.truncated = truncated
            except FramingError as error:
                self.sinceRead += 1
                self._onFailed(error)
            else:
                if records is None:
                    if not (self._hasEnded or self.held):
                        self._direct = self.buffer.direct
                    return False
                self.sinceRead += len(records) or 1
                if records:
                    # Like _load(), without a call (benchmark row: echo).
                    self._decoded += len(records)
                    self._records = [records] if self._batched else records
                    if self._saved is None:
                        self._cursor = cursor(self._records)
                        return True
                    # A user's function that the framing calls has held the records.
        return False

    def _load(self, records: list[object]) -> None:
        """
        Let the next loop deliver these records.
        """
        self._decoded += len(records)
        self.sinceRead += len(records)
        self._records = [records] if self._batched else records
        self._cursor = cursor(self._records)

    def _converted(self, convert: Converter) -> Iterator[object]:
        """
        Convert the records of the loop, each just before it is delivered.
        """
        for lower in self._cursor:
            records: list[object] = []
            error = None
            try:
                records += convert(lower)
            except Exception as raised:
                error = self.buffer.converted(raised)
            if self._stopped:
                self._decoded -= 1
                return
            isHeld = self._saved is not None
            if len(records) == 1 and error is None and not isHeld:
                yield records[0]
                continue
            self._decoded += len(records) - 1
            if records or error is not None:
                # Deliver these, and decode what follows unit by unit.
                self._takeBack()
                self._error = error
                self._records, self._saved = records, 0 if isHeld else None
                self._cursor = cursor(self._records)
                if not isHeld:
                    yield from self._cursor
                return

    def _isWaiting(self) -> bool:
        """
        Return True if records or bytes wait behind a hold.
        """
        return bool(self.held & Hold.RESULT or self._remaining() or len(self.buffer))

    def _decodeAll(self, records: list[object]) -> None:
        """
        Append all further records that can be decoded now.
        """
        try:
            while (more := self.buffer.decode(many=True)) is not None:
                records += more
        except FramingError as error:
            self._error = error

    def _decodeEnd(self, atEnd: Callable[[], None]) -> list[object] | None:
        """
        Return the records that the end of the stream completes. If there are none,
        report the end.

        @param atEnd: called to report the end.

        @return: the records; None if there are none.

        @raise FramingError: if the bytes cannot be decoded.
        """
        if not self._hasEnded:
            self._hasEnded = True
            if records := self.buffer.decodeEnd():
                return records
        self._atEnd = None
        if not self.buffer.isEmpty and (rest := self.buffer.takeRest()):
            self.truncated = TruncatedRecord(rest)
        atEnd()
        return None

    def _returned(self, result: object) -> None:
        """
        Wait for the result of the callback, if it is a Deferred or a coroutine.

        @raise TypeError: if it is something else that would have to be awaited.
        """
        if iscoroutine(result):
            self._continue(None, result.send, result, copy_context())
        elif isinstance(result, Deferred):
            self._await(result, self._arrived, self._failed)
        elif isgenerator(result) or isawaitable(result):
            raise TypeError(
                f"it returned {result!r}, which is never awaited: return a Deferred "
                "or a coroutine"
            )

    def _continue(
        self,
        result: Any,
        step: Callable[[Any], object],
        coroutine: CoroutineType[object, object, object],
        context: Context,
    ) -> None:
        """
        Run a coroutine until it awaits a Deferred or ends. C{Deferred.fromCoroutine}
        would take several times as long (benchmark rows: a coroutine for each line).

        @param result: the result of the last Deferred that it has awaited.
        @param step: called with C{result} to continue the coroutine.
        @param coroutine: the coroutine.
        @param context: the context variables of the coroutine.
        """
        hasEnded = False
        try:
            # As in Twisted, awaiting an object that is not a Deferred returns that
            # object.
            while not isinstance(result := context.run(step, result), Deferred):
                step = coroutine.send
        except StopIteration as stop:
            result, hasEnded = stop.value, True
        except BaseException:
            fail().addErrback(self._failed)
            return
        if not hasEnded:
            args = coroutine.send, coroutine, context
            self._await(result, self._continue, self._throw, *args)
        elif result is not None and isinstance(result, Deferred):
            self._await(result, self._arrived, self._failed)
        elif self.held & Hold.RESULT:
            self._arrived(None)

    def _throw(
        self,
        failure: Any,
        step: Callable[[Any], object],
        coroutine: CoroutineType[object, object, object],
        context: Context,
    ) -> None:
        """
        Continue a coroutine with the error of the Deferred that it has awaited.
        """
        step = failure.throwExceptionIntoGenerator
        self._continue(coroutine, step, coroutine, context)

    def _await(
        self,
        awaited: Deferred[object],
        arrived: Callable[..., None],
        failed: Callable[..., None],
        *args: object,
    ) -> None:
        self.held |= Hold.RESULT
        awaited.addCallbacks(arrived, failed, callbackArgs=args, errbackArgs=args)
        if self.held & Hold.RESULT:
            self._awaited = awaited
            self._endLoop()

    def _arrived(self, result: object) -> None:
        self.release(Hold.RESULT)
        self._onResumed()

    def _failed(self, failure: Any) -> None:
        self.held &= ~Hold.RESULT
        if self._stopped and failure.check(CancelledError):
            # This is usually the effect of cancel(), after the end of the connection.
            return
        self.stop()
        self._onRaised(failure.value)

    # -- the loop, from inside

    def _remaining(self) -> int:
        """
        Return the number of decoded records that were not delivered.
        """
        if self._saved is not None:
            return len(self._records) - self._saved
        return self._cursor.__length_hint__()

    def _endLoop(self) -> None:
        """
        End the loop over the records, and save its position.
        """
        if self._saved is None:
            records = self._records
            self._saved = len(records) - self._cursor.__length_hint__()
            self._cursor.__setstate__(len(records))

    def _resumeLoop(self) -> None:
        """
        Continue the loop at the position that L{_endLoop} has saved.
        """
        if self._saved is not None:
            self._cursor.__setstate__(self._saved)
            self._saved = None

    def hold(self, reason: int) -> None:
        """
        Deliver nothing until L{release}.
        """
        self.held |= reason
        self._direct = None
        self._endLoop()

    def release(self, reason: int) -> None:
        """
        Continue to deliver, unless there is another reason to hold the records.
        """
        self.held &= ~reason
        if self.held or self._stopped:
            return
        if self._running:
            self._resumeLoop()
        else:
            self.feed()

    def use(self, framing: AnyFraming) -> bool:
        """
        Use another framing after the last delivered record and the other records of the
        same unit.

        @return: True if the caller must call L{feed} later, to deliver what waits. (Not
            inside a callback: the loop continues when the callback has returned.)
        """
        buffer = self.buffer
        if buffer.batch is not None:
            self._takeBack()
        buffer.use(framing)
        self._direct = None
        self._hasEnded = False
        if self._error is not None and not getattr(self._error, "skipped", False):
            # The new framing may be able to decode these bytes.
            self._error = None
        return not self._running and bool(self._remaining() or len(buffer))

    def _takeBack(self) -> None:
        """
        Move back to the end of the last delivered record of the batch: the bytes of the
        other records count as not decoded.
        """
        records = self._records
        consumed = self.buffer.rewind(len(records) - self._remaining())
        if consumed is not None:
            self._decoded -= len(records) - consumed
            del records[consumed:]

    def discard(self) -> int:
        """
        Forget everything that was received but not delivered.

        @return: how many bytes this was, at least: a decoded record counts as one.
        """
        remaining = self._remaining()
        self._decoded -= remaining
        self._records, self._saved = [], 0
        return len(self.buffer.takeRest()) + remaining

    def abandon(self) -> int:
        """
        Stop delivering, and count the records that were received but not delivered.

        @return: the number of these records.
        """
        count = self._remaining()
        decode = partial(self.buffer.decode, True, onSkipped=lambda error: None)
        # At an error, only what was decoded before it counts.
        with suppress(FramingError):
            while (records := decode()) is not None:
                count += len(records)
            count += len(self.buffer.decodeEnd())
            if rest := self.buffer.takeRest():
                self.truncated = TruncatedRecord(rest)
        self.stop()
        return count

    def cancel(self) -> None:
        """
        Cancel the awaited result, if there is one.
        """
        if self.held & Hold.RESULT and self._awaited is not None:
            try:
                self._awaited.cancel()
            except BaseException as error:
                self._onRaised(error)
                if not isinstance(error, Exception):
                    raise

    def stop(self) -> None:
        """
        Stop delivering, and forget everything that waits.
        """
        self._stopped = True
        self._direct = None
        if self._records:
            self._decoded -= self._remaining()
            self._endLoop()
        self._records, self._saved = [], 0
        self._error = None
        self._atEnd = None
        if not self.buffer.isEmpty:
            self.buffer = InputBuffer(self.buffer.framing)
