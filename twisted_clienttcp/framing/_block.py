"""
Blocks: records of one size, or with their length before them in a form of the user's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ..errors import FramingError, InvalidRecord, RecordTooLong
from ._common import MAX_LENGTH, Octets, octetsOf
from ._prefixed import Measure, Measured

#: Makes the octets to send of a record: its length, and itself.
Encoder = Callable[[bytes], bytes]

#: Takes the length from the head of what has come; None while it is not complete.
Decoder = Callable[[bytearray], "int | None"]

_LENGTH = re.compile(rb"([0-9]{1,18})\0")
_DIGITS = re.compile(rb"[0-9]{0,18}")

#: How many octets a codec of the user's gets to see at first.
_WINDOW = 64


class Block(Measured):
    """
    Records of a fixed C{size}, or records with their length before them: as decimal
    digits and a NUL, or as C{encoder} and C{decoder} have it (POE::Filter::Block).
    """

    def __init__(
        self,
        *,
        size: int | None = None,
        encoder: Encoder | None = None,
        decoder: Decoder | None = None,
        maxLength: int = MAX_LENGTH,
        onTooLong: str = "close",
    ) -> None:
        """
        @param size: the octets of each record (POE: BlockSize).
        @param encoder: makes the octets to send of a record (POE: the first of
            LengthCodec).
        @param decoder: takes the length, in octets, from the head of a L{bytearray} and
            removes it there; returns None while it is not complete (POE: the second of
            LengthCodec).
        @param maxLength: the longest record in octets (POE: MaxLength).
        @param onTooLong: C{"close"} the connection at a longer one, or C{"skip"} it.

        @raise TypeError: if an argument is of the wrong type, or one of the codec's two
            is missing.
        @raise ValueError: if one is out of its range, or excludes another.
        """
        super().__init__(maxLength, onTooLong)
        if size is not None:
            if not isinstance(size, int) or isinstance(size, bool):
                raise TypeError(f"size must be a number of bytes, not {size!r}")
            if not 1 <= size <= self._maxLength:
                raise ValueError(
                    f"size must be from 1 to maxLength={self._maxLength}, not {size}"
                )
            if encoder is not None or decoder is not None:
                raise ValueError("size cannot be combined with encoder and decoder")
        for name, function in (("encoder", encoder), ("decoder", decoder)):
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be a function, not {function!r}")
        if (encoder is None) is not (decoder is None):
            raise TypeError("encoder and decoder must be given together")
        self._size = size
        self._encoder = encoder
        self._decoder = decoder
        #: With a fixed size, records that are not whole blocks are joined.
        self.reversible = size is None

    def _measure(self, octets: bytes, start: int) -> Measure | None:
        if self._size is not None:
            return Measure(0, self._size)
        if self._decoder is not None:
            return self._decoded(octets, start)
        found = _LENGTH.match(octets, start)
        if found is not None:
            return Measure(found.end() - start, int(found[1]))
        if _DIGITS.fullmatch(octets, start) is None:
            raise FramingError(
                "a block begins with its length and a NUL, not "
                f"{octets[start : start + 20]!r}"
            )
        return None

    def _decoded(self, octets: bytes, start: int) -> Measure | None:
        assert self._decoder is not None
        for window in (octets[start : start + _WINDOW], octets[start:]):
            buffer = bytearray(window)
            try:
                length = self._decoder(buffer)
            except Exception as error:
                raise FramingError(f"decoder raised {error!r}") from error
            if length is not None:
                if not isinstance(length, int) or length < 0:
                    raise FramingError(f"decoder returned {length!r} as the length")
                return Measure(len(window) - len(buffer), length)
            if len(window) < _WINDOW:
                break
        if len(octets) - start > max(self._maxLength, _WINDOW):
            raise FramingError(
                f"decoder found no length in {len(octets) - start} bytes"
            )
        return None

    def _cut(
        self, data: bytes, records: list[bytes], start: int = 0
    ) -> Iterable[bytes]:
        size = self._size
        if size is None:
            return super()._cut(data, records, start)
        whole = len(data) - (len(data) - start) % size
        records += [data[at : at + size] for at in range(start, whole, size)]
        if whole < len(data):
            self._keep(data[whole:], Measure(0, size))
        if records:
            self._source = [data]
        return records

    def frame(self, record: Octets) -> bytes:
        """
        @return: the record behind its length; with a fixed size, as it is.

        @raise TypeError: if the record is not octets.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        @raise InvalidRecord: with a fixed size, if it is no whole number of blocks: POE
            sends such a one, and the peer joins it with the next.
        """
        record = octetsOf(record)
        if self._size is not None:
            if len(record) % self._size:
                raise InvalidRecord(
                    f"{len(record)} bytes are not a whole number of blocks of "
                    f"size={self._size}"
                )
            return record
        if len(record) > self._maxLength:
            raise RecordTooLong(len(record), self._maxLength)
        if self._encoder is not None:
            return self._encoder(record)
        return b"%d\0%b" % (len(record), record)

    def clone(self) -> Block:
        """
        @return: an empty one with the same settings.
        """
        return type(self)(
            size=self._size,
            encoder=self._encoder,
            decoder=self._decoder,
            maxLength=self._maxLength,
            onTooLong="skip" if self._skips else "close",
        )
