"""
From received bytes to the user's callback: in order, each record once.

The loop that calls the callback makes one test per record: whether the callback has
returned anything to wait for. Everything else, such as a pause or another framing, ends
the loop from inside, by moving its iterator to the end in constant time. The position
is kept, and a later loop continues from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    The reasons for which records are held, as bits. Each is set and cleared
    independently.
    """

    # An operation on an enum.IntFlag takes ten times as long as one on numbers
    # (benchmark row: a coroutine for each line, which waits).

    #: the user has called C{client.pauseProducing}
    USER: Final = 1
    #: a consumer of the records has called C{client.server.pauseProducing}
    CONSUMER: Final = 2
    #: the result of the callback for the last record is awaited
    RESULT: Final = 4


class Cursor:
    """
    An iterator over a list that can be moved from inside the loop that uses it, for
    interpreters whose list iterators cannot be moved.
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
        Return how many items follow.
        """
        return max(len(self._items) - self._index, 0)

    def __setstate__(self, index: int, /) -> None:
        """
        Continue at that index.
        """
        self._index = index


def cursorsFor(iterators: type) -> Callable[[list[object]], Cursor]:
    """
    Return the function that makes cursors: C{iter} if list iterators, which are of this
    class, can be moved, as on CPython; otherwise L{Cursor}.
    """
    isMovable = hasattr(iterators, "__setstate__") and hasattr(
        iterators, "__length_hint__"
    )
    return cast(Callable[[list[object]], Cursor], iter) if isMovable else Cursor


#: Returns a cursor at the beginning of a list. The list's own iterator costs the loop
#: nothing (benchmark row: lines of 16 bytes).
cursor = cursorsFor(type(iter([])))


class Inbound:
    """
    Decodes received bytes and delivers the records. It can be held, stopped and given
    another framing at any time, even by the callback.

    @ivar buffer: the bytes that are not decoded yet.
    @ivar held: the reasons for which nothing is delivered.
    @ivar sinceRead: how many records and errors were decoded since the last read.
    @ivar delivered: how many records were delivered.
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
        @param deliver: called with the client and each record. If it returns a Deferred
            or a coroutine, the next record waits for the result.
        @param failed: called if the bytes after the delivered records cannot be
            decoded. If it does not stop the input, decoding continues.
        @param raised: called if C{deliver} has raised, or if its awaited result has
            failed. Nothing is delivered afterwards.
        @param resumed: called if the awaited result has arrived.
        @param batched: call C{deliver} with a list of all the records there are.
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
        #: Where the next loop begins, if the last one was ended from inside.
        self._saved: int | None = None
        #: How many records were decoded and not taken back.
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
        How many records were delivered.
        """
        return self._decoded - self._remaining() if self._records else self._decoded

    @property
    def awaited(self) -> Deferred[object] | None:
        """
        The result that is awaited; None if there is none.
        """
        return self._awaited if self.held & Hold.RESULT else None

    def feed(self, data: bytes = b"") -> None:
        """
        Deliver all that can be delivered.

        @param data: received bytes, which are added first.
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
                    # The usual case: nothing is left (benchmark row: echo).
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
                if self._atEnd is None or not self.buffer.isEmpty:
                    records = self.buffer.decode(
                        True, not self._batched, self._onFailed
                    )
                else:
                    records = None
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
        Return True if a hold leaves something undelivered.
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
        The stream has ended: return the records that its end completes.

        @return: None if there are none, after the end was reported.

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
        The callback has returned something: wait for it, if that is possible.

        @raise TypeError: if nothing would ever run it.
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
        @param step: passes that to the coroutine.
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
            # Usually by cancel(), because the connection has ended.
            return
        self.stop()
        self._onRaised(failure.value)

    # -- the loop, from inside

    def _remaining(self) -> int:
        """
        Return how many decoded records were not delivered.
        """
        if self._saved is not None:
            return len(self._records) - self._saved
        return self._cursor.__length_hint__()

    def _endLoop(self) -> None:
        """
        End the loop over the records, and keep its position.
        """
        if self._saved is None:
            records = self._records
            self._saved = len(records) - self._cursor.__length_hint__()
            self._cursor.__setstate__(len(records))

    def _resumeLoop(self) -> None:
        """
        Continue where L{_endLoop} has ended the loop.
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
        Decode everything that follows the records delivered until now (and those that
        come from the same unit as the last of them) with another framing.

        @return: True if L{feed} must be called to deliver what waits. Within a
            callback, that is delivered when the callback has returned.
        """
        buffer = self.buffer
        if buffer.batch is not None:
            self._takeBack()
        buffer.use(framing)
        self._direct = None
        self._hasEnded = False
        if self._error is not None and not getattr(self._error, "skipped", False):
            # The other framing may be able to decode these bytes.
            self._error = None
        return not self._running and bool(self._remaining() or len(buffer))

    def _takeBack(self) -> None:
        """
        Move back to the end of the last record of the batch that was delivered.
        """
        records = self._records
        consumed = self.buffer.rewind(len(records) - self._remaining())
        if consumed is not None:
            self._decoded -= len(records) - consumed
            del records[consumed:]

    def discard(self) -> int:
        """
        Forget all that was received and not delivered.

        @return: the number of undecoded bytes plus the number of decoded records.
        """
        remaining = self._remaining()
        self._decoded -= remaining
        self._records, self._saved = [], 0
        return len(self.buffer.takeRest()) + remaining

    def abandon(self) -> int:
        """
        Stop delivering, and count the received records that are left.

        @return: how many records were not delivered.
        """
        count = self._remaining()
        decode = partial(self.buffer.decode, True, onSkipped=lambda error: None)
        try:
            while (records := decode()) is not None:
                count += len(records)
            count += len(self.buffer.decodeEnd())
            if rest := self.buffer.takeRest():
                self.truncated = TruncatedRecord(rest)
        except FramingError:
            # Only what was decoded counts.
            pass
        self.stop()
        return count

    def cancel(self) -> None:
        """
        Cancel the result that is awaited.
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
