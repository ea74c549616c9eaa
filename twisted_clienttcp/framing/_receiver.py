"""
Framings made from the receiver classes of L{twisted.protocols.basic}.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar

from ..errors import FramingError, InvalidRecord, RecordTooLong
from ._base import DIRECT, Buffer, Framing
from ._checks import cut, wrongType

#: The attribute in which Twisted's C{LineReceiver} keeps an incomplete line. It is
#: private to Twisted.
_HELD = "_buffer"


class _Transport:
    """
    The transport of a receiver, which keeps the bytes that the receiver writes.

    @ivar disconnecting: True if the receiver has closed this transport.
    """

    disconnecting = False

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.written += data

    def loseConnection(self) -> None:
        # Receivers stop decoding when this is true.
        self.disconnecting = True

    abortConnection = loseConnection

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"a receiver that serves as a framing has no transport.{name}: use the "
            "client to pause, to close, or to get addresses"
        )


def _noRawMode(*args: object) -> NoReturn:
    raise FramingError(
        "a receiver that serves as a framing has no raw mode: "
        "use client.setFraming(Stream())"
    )


_Self = TypeVar("_Self", bound="Receiver")


class Receiver(Framing[Any]):
    """
    A framing that uses one of Twisted's receiver classes: C{LineReceiver},
    C{LineOnlyReceiver}, C{Int8StringReceiver}, C{Int16StringReceiver},
    C{Int32StringReceiver}, or a subclass of one of these::

        Receiver(MyLineReceiver, MAX_LENGTH=100000)

    The framing uses the class's parser, its C{sendLine} or C{sendString}, and its
    attributes. Records are passed to C{serverInput} instead of C{lineReceived} or
    C{stringReceived}. A record that is too long causes a L{RecordTooLong} instead of a
    call of C{lineLengthExceeded} or C{lengthLimitExceeded}. A receiver that closes its
    transport causes a L{FramingError}. A receiver cannot pause the transport or use raw
    mode.

    The class determines the speed, the memory and how the limit is checked. A unit is
    the data of one call of C{dataReceived}. When another framing takes over, it decodes
    the bytes that the class still holds. They are lost if the class defines its own
    C{dataReceived}.
    """

    def __init__(self, cls: type[object], **attributes: object) -> None:
        """
        @param cls: the receiver class.
        @param attributes: attributes to set on its instances, such as C{delimiter}, or
            C{MAX_LENGTH} in bytes.

        @raise TypeError: if C{cls} is not such a class, has no such attribute, cannot
            be created without arguments, or writes or closes as soon as it is
            connected.
        """
        known = isinstance(cls, type) and (
            (hasattr(cls, "lineReceived") and hasattr(cls, "sendLine"))
            or (hasattr(cls, "stringReceived") and hasattr(cls, "prefixLength"))
        )
        if not known:
            raise TypeError(
                "cls must be LineReceiver, LineOnlyReceiver, an IntNStringReceiver or "
                f"a subclass of one, not {cls!r}"
            )
        for name in attributes:
            if not hasattr(cls, name):
                raise TypeError(f"{cls.__name__} has no attribute {name!r}")
        self._cls = cls
        self._attributes = attributes
        self._lines = hasattr(cls, "lineReceived")
        parser: Any = getattr(cls, "dataReceived", None)
        self._isTwisteds = parser.__module__ == "twisted.protocols.basic"
        #: True if the bytes of an incomplete line must be kept here, because the class
        #: does not have them as an attribute.
        self._isCounted = self._isTwisteds and self._lines and not hasattr(cls, _HELD)
        #: Until a delimiter is complete, LineOnlyReceiver counts its first bytes as
        #: part of the line. At the limit, the records therefore depend on the reads.
        self.chunkInvariant = not self._lines or hasattr(cls, "setRawMode")
        self._renew()

    def _renew(self) -> None:
        """
        Start with a new instance of the class.
        """
        self._transport = _Transport()
        self._records: list[Any] = []
        #: The error that follows the records that have been returned, and the bytes
        #: after these records.
        self._error: Exception | None = None
        self._unread = b""
        #: The incomplete line, if its bytes are counted.
        self._counted = b""
        try:
            self._receiver = self._made()
        except Exception as error:
            raise TypeError(
                f"{self._cls.__name__} cannot serve as a framing: {error}"
            ) from error

    def _made(self) -> Any:
        receiver: Any = self._cls()
        for name, value in self._attributes.items():
            setattr(receiver, name, value)
        if self._lines:
            receiver.lineReceived = self._records.append
            receiver.lineLengthExceeded = self._lineTooLong
            receiver.rawDataReceived = receiver.setRawMode = _noRawMode
            self._around = len(receiver.delimiter)
        else:
            receiver.stringReceived = self._records.append
            receiver.lengthLimitExceeded = self._tooLong
            self._around = receiver.prefixLength
        receiver.makeConnection(self._transport)
        if self._transport.written or self._transport.disconnecting:
            raise TypeError("it writes or closes as soon as it is connected")
        return receiver

    def __repr__(self) -> str:
        given = [f"{name}={value!r}" for name, value in self._attributes.items()]
        return f"{type(self).__name__}({', '.join([self._cls.__name__, *given])})"

    def fresh(self: _Self) -> _Self:
        unused = super().fresh()
        unused._attributes = dict(self._attributes)
        unused._renew()
        return unused

    @property
    def maxLength(self) -> int:
        limit: int = self._receiver.MAX_LENGTH
        return limit

    @maxLength.setter
    def maxLength(self, maxLength: int) -> None:
        self._attributes["MAX_LENGTH"] = self._receiver.MAX_LENGTH = maxLength

    @property
    def hasMore(self) -> bool:  # type: ignore[override]
        return self._error is not None

    # -- called by the receiver

    def _lineTooLong(self, line: bytes) -> None:
        # These bytes may contain other lines too.
        self._tooLong(len(line.split(self._receiver.delimiter, 1)[0]))

    def _tooLong(self, length: int) -> None:
        self._fail(RecordTooLong(length, self.maxLength))

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._transport.loseConnection()

    # -- decoding

    def decode(
        self, data: Buffer, start: int, searched: int
    ) -> tuple[list[object], int] | None:
        end = start
        if self._error is None:
            # LineReceiver copies the rest of its data after each line, so its time
            # grows with the square of the size of a read.
            end = min(len(data), start + DIRECT)
            if (records := self.receive(cut(data, start, end))) is not None:
                return records, end
        elif not self._records:
            raise self._error
        return self._taken(), end

    def receive(self, data: bytes) -> list[object] | None:
        held = self._heldLine()
        try:
            self._receiver.dataReceived(data)
        except Exception as error:
            self._fail(error)
        if self._transport.disconnecting:
            self._end(held + data)
            return None
        if self._isCounted:
            self._counted = self._behindRecords(held + data)
        return self._taken() if self._records else []

    def _taken(self) -> list[Any]:
        records = self._records[:]
        self._records.clear()
        return records

    def _end(self, data: bytes) -> None:
        """
        Stop decoding, and keep the part of C{data} that is not in any record.
        """
        if self._error is None:
            self._error = FramingError(f"{self._cls.__name__} closed its transport")
        if self._isTwisteds:
            rest = self._behindRecords(data) if self._lines else self._receiver.recvd
            self._unread = rest

    def _behindRecords(self, data: bytes) -> bytes:
        size = sum(map(len, self._records)) + len(self._records) * self._around
        return data[size:]

    def _heldLine(self) -> bytes:
        """
        @return: the incomplete line that the receiver holds.
        """
        held: bytes = getattr(self._receiver, _HELD, self._counted)
        return held

    def takeBack(self) -> bytes:
        back = self._unread
        if self._isTwisteds and self._error is None:
            back = self._heldLine() if self._lines else self._receiver.recvd
        self._renew()
        return back

    # -- encoding

    def encode(self, record: object) -> bytes:
        """
        Encode a record with the methods of the class.

        @param record: a record that C{sendLine} or C{sendString} accepts.

        @return: the bytes that C{sendLine} or C{sendString} writes.

        @raise TypeError: if the class does not accept such a record.
        @raise InvalidRecord: if the peer would not decode the result as that record.
        @raise RecordTooLong: if it is longer than C{MAX_LENGTH}, or than its length
            prefix allows.
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
        encoded = b"".join(written)
        length = len(encoded) - self._around
        if length > limit:
            raise RecordTooLong(length, limit)
        if self._lines and encoded.find(receiver.delimiter) != length:
            raise InvalidRecord(
                f"a line cannot contain its own delimiter: {record!r:.60}"
            )
        return encoded
