"""
The receiver classes of L{twisted.protocols.basic} as framings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from ..errors import FramingError, InvalidRecord, RecordTooLong, TruncatedRecord
from ._common import collect, thenRaise, wrongType


class _Transport:
    """
    Keeps what a receiver writes, and whether it wants to close.
    """

    disconnecting = False

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.written += data

    def loseConnection(self) -> None:
        # Receivers look here to know that nothing more is to be read.
        self.disconnecting = True

    abortConnection = loseConnection

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"a receiver that serves as a framing has no transport.{name}: use "
            "the client to pause, to close and to get addresses"
        )


def _noRawMode(*args: object) -> NoReturn:
    raise FramingError(
        "a receiver that serves as a framing has no raw mode: "
        "use client.setFraming(Stream())"
    )


class Receiver:
    """
    What C{LineReceiver}, C{LineOnlyReceiver}, C{Int8StringReceiver},
    C{Int16StringReceiver}, C{Int32StringReceiver} or a class made of one of them reads
    and sends, as a framing::

        Receiver(MyLineReceiver, MAX_LENGTH=100000)

    Its parser, its C{sendLine} or C{sendString}, and its attributes are used. What is
    received goes to C{serverInput} in place of C{lineReceived} or C{stringReceived},
    and what is too long is a L{RecordTooLong} in place of C{lineLengthExceeded} or
    C{lengthLimitExceeded}: these methods are not called. A receiver that closes its
    transport ends in a L{FramingError}; there is nothing to pause, and no raw mode.

    It is as fast as its class, and judges its limit as that does.
    """

    reversible = True

    def __init__(self, cls: type[Any], **attributes: Any) -> None:
        """
        @param cls: the class.
        @param attributes: what its instances have in place of the class's own, such as
            C{delimiter} and C{MAX_LENGTH} in octets.

        @raise TypeError: if it is no such class, has no such attribute, or does more
            than reading when it is made or connected.
        """
        known = isinstance(cls, type) and (
            (hasattr(cls, "lineReceived") and hasattr(cls, "sendLine"))
            or (hasattr(cls, "stringReceived") and hasattr(cls, "prefixLength"))
        )
        if not known:
            raise TypeError(
                "cls must be LineReceiver, LineOnlyReceiver, an IntNStringReceiver or "
                f"a subclass, not {cls!r}"
            )
        for name in attributes:
            if not hasattr(cls, name):
                raise TypeError(f"{cls.__name__} has no attribute {name!r}")
        self._cls = cls
        self._attributes = attributes
        self._lines = hasattr(cls, "lineReceived")
        #: LineOnlyReceiver counts the head of a delimiter as part of the line while the
        #: rest of it has not come, so at the limit the cuts matter.
        self.chunkInvariant = not self._lines or hasattr(cls, "setRawMode")
        self._empty()

    def _empty(self) -> None:
        self._transport = _Transport()
        self._records: list[bytes] = []
        self._fault: FramingError | None = None
        try:
            self._receiver = self._made()
        except Exception as error:
            raise TypeError(
                f"{self._cls.__name__} cannot serve as a framing: {error}"
            ) from error
        #: The octets of the unfinished record, and of the last batch; its records.
        self._parts: list[bytes] = []
        self._source: list[bytes] = []
        self._batch: list[bytes] = []

    def _made(self) -> Any:
        receiver = self._cls()
        for name, value in self._attributes.items():
            setattr(receiver, name, value)
        if self._lines:
            receiver.lineReceived = self._received
            receiver.lineLengthExceeded = self._lineTooLong
            receiver.rawDataReceived = receiver.setRawMode = _noRawMode
            self._head = 0
            self._tail = len(receiver.delimiter)
        else:
            receiver.stringReceived = self._received
            receiver.lengthLimitExceeded = self._tooLong
            self._head = receiver.prefixLength
            self._tail = 0
        receiver.makeConnection(self._transport)
        if self._transport.written or self._transport.disconnecting:
            raise TypeError("it writes or closes as soon as it is connected")
        return receiver

    def _received(self, record: bytes) -> None:
        self._records.append(record)

    def _lineTooLong(self, line: bytes) -> None:
        # It may have others behind it.
        self._tooLong(len(line.split(self._receiver.delimiter, 1)[0]))

    def _tooLong(self, length: int) -> None:
        self._fault = RecordTooLong(length, self._receiver.MAX_LENGTH)
        self._transport.loseConnection()

    def feed(self, data: bytes) -> Iterable[bytes]:
        """
        @return: what the class received.

        @raise RecordTooLong: from the iterator, behind the records before it, as soon
            as the class finds it.
        @raise FramingError: likewise, if the class closed its transport or raised;
            C{__cause__} is what it raised.
        """
        self._records = []
        _, raised = collect(self._receiver, self._read, data)
        records = self._records
        self._batch = records.copy()
        self._source = [*self._parts, data]
        if records:
            rest = sum(map(len, self._source)) - self._length(len(records))
            self._parts = [data[len(data) - rest :]]
        elif data:
            self._parts.append(data)
        fault = self._fault or raised
        if fault is None and self._transport.disconnecting:
            fault = FramingError(f"{self._cls.__name__} closed its transport")
        return records if fault is None else thenRaise(records, fault)

    def _read(self, data: bytes) -> list[Any]:
        self._receiver.dataReceived(data)
        return []

    def _length(self, count: int) -> int:
        """
        @return: how many octets so many records of the last batch were.
        """
        return sum(map(len, self._batch[:count])) + count * (self._head + self._tail)

    def finish(self) -> Iterable[bytes]:
        """
        @return: nothing.

        @raise TruncatedRecord: from the iterator, if a record is unfinished.
        """
        rest = b"".join(self._parts)
        self._empty()
        return thenRaise([], TruncatedRecord(rest)) if rest else []

    def frame(self, record: Any) -> bytes:
        """
        @return: what C{sendLine} or C{sendString} writes.

        @raise TypeError: if it takes no such record.
        @raise InvalidRecord: if it would not be read back as that one record.
        @raise RecordTooLong: if it is longer than C{MAX_LENGTH} or the length allows.
        """
        if isinstance(record, (bytearray, memoryview)):
            record = bytes(record)
        receiver, written = self._receiver, self._transport.written
        written.clear()
        limit = receiver.MAX_LENGTH
        if not self._lines:
            limit = min(limit, 256**receiver.prefixLength - 1)
            if isinstance(record, bytes) and len(record) > limit:
                raise RecordTooLong(len(record), limit)
        try:
            (receiver.sendLine if self._lines else receiver.sendString)(record)
        except TypeError as error:
            if isinstance(record, bytes):
                raise
            raise wrongType(record) from error
        framed = b"".join(written)
        length = len(framed) - self._head - self._tail
        if length > limit:
            raise RecordTooLong(length, limit)
        if self._lines and framed.find(receiver.delimiter) != length:
            raise InvalidRecord(f"a line cannot hold its own delimiter: {record!r:.60}")
        return framed

    def release(self, delivered: int) -> bytes:
        """
        @return: the octets behind the first C{delivered} records of the last batch.
        """
        octets = b"".join(self._source)[self._length(delivered) :]
        self._empty()
        return octets

    def clone(self) -> Receiver:
        """
        @return: an empty one of the same class.
        """
        return type(self)(self._cls, **self._attributes)
