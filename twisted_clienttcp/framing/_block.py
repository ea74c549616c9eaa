"""
Blocks: records of a fixed size, or prefixed with their length.
"""

from __future__ import annotations

from collections.abc import Callable

from .._validators import count
from ..errors import FramingError, InvalidRecord, RecordTooLong
from ._base import MAX_LENGTH, Buffer
from ._checks import BytesLike, bytesOf, checkMaxLength
from ._decimal import DecimalHeader
from ._prefixed import Measured

#: Returns the bytes to send for a record: its length, then the record.
Encoder = Callable[[bytes], bytes]

#: Removes the header from the beginning of the received bytes and returns the length of
#: the record; None if the header is not complete.
Decoder = Callable[[bytearray], "int | None"]

#: The default of C{headerLimit} in bytes.
HEADER_LIMIT = 1024

_HEADER = DecimalHeader("block", mark=b"\0", trailer=b"", padded=True)


class Block(Measured, leaf=True):
    """
    Records of a fixed C{size}, or prefixed with their length (POE::Filter::Block). The
    length is written in decimal digits and a NUL, or in the format that C{encoder} and
    C{decoder} define.
    """

    def __init__(
        self,
        *,
        size: int | None = None,
        encoder: Encoder | None = None,
        decoder: Decoder | None = None,
        headerLimit: int = HEADER_LIMIT,
        maxLength: int = MAX_LENGTH,
        onTooLong: str = "close",
    ) -> None:
        """
        @param size: the length of each record in bytes (POE: BlockSize).
        @param encoder: a function that is called with a record and returns the bytes to
            send: the length and the record (POE: the first function of LengthCodec).
        @param decoder: a function that is called with a L{bytearray} of received bytes.
            It removes the header at the beginning and returns the length of the record
            in bytes, or None if the header is not complete (POE: the second function of
            LengthCodec). It is called again for each read until the record is complete,
            so its result must depend only on these bytes.
        @param headerLimit: the largest number of bytes that C{decoder} is called with.
            A longer header is an error.
        @param maxLength: the longest record in bytes (POE: MaxLength).
        @param onTooLong: what to do with a longer record: C{"close"} the connection, or
            C{"skip"} the record.

        @raise TypeError: if an argument has the wrong type, or only one of C{encoder}
            and C{decoder} is given.
        @raise ValueError: if an argument is out of range, or two arguments cannot be
            combined.
        """
        super().__init__(maxLength, onTooLong)
        if size is not None:
            count("size", size, 1)
            if size > maxLength:
                raise ValueError(
                    f"size must be from 1 to maxLength={maxLength}, not {size}"
                )
            if encoder is not None or decoder is not None:
                raise ValueError("pass size, or encoder and decoder, but not both")
        for name, function in (("encoder", encoder), ("decoder", decoder)):
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be a function, not {function!r}")
        if (encoder is None) is not (decoder is None):
            raise TypeError("encoder and decoder belong together: pass both")
        self._size = size
        self._encoder = encoder
        self._decoder = decoder
        self._headerLimit = checkMaxLength(headerLimit, "headerLimit")
        #: With a fixed size, one record that is put may be several blocks.
        self.reversible = size is None

    # -- decoding

    def measure(self, data: Buffer, start: int) -> tuple[int, int, int] | None:
        found: tuple[int, int] | None
        if self._size is not None:
            found = start, start + self._size
        elif self._decoder is not None:
            found = self._askDecoder(self._decoder, data, start)
        else:
            found = _HEADER.measure(data, start)
        return None if found is None else (*found, found[1])

    def _askDecoder(
        self, decoder: Decoder, data: Buffer, start: int
    ) -> tuple[int, int] | None:
        limit = self._headerLimit
        window = bytearray(memoryview(data)[start : start + limit])
        size = len(window)
        try:
            length = decoder(window)
        except Exception as error:
            raise FramingError(f"decoder raised {error!r}") from error
        if length is None:
            if size < limit:
                return None
            raise FramingError(
                f"decoder found no length in the first headerLimit={limit} bytes"
            )
        header = size - len(window)
        if not isinstance(length, int) or length < 0:
            raise FramingError(
                f"decoder must return a length in bytes or None, not {length!r}"
            )
        if header < 0 or header + length == 0:
            raise FramingError(
                "decoder must remove the header from the bytes it is called with"
            )
        return start + header, start + header + length

    def decodeMany(self, data: bytes, start: int) -> tuple[list[bytes], int]:
        size = self._size
        if self._decoder is not None:
            return super().decodeMany(data, start)
        if size is None:
            return _HEADER.decodeMany(data, start, self.maxLength)
        if size > self.maxLength:
            return [], start
        # benchmark row: Block, 64 bytes
        end = len(data) - (len(data) - start) % size
        return [data[index : index + size] for index in range(start, end, size)], end

    # -- encoding

    def encode(self, record: BytesLike) -> bytes:
        """
        Encode a block.

        @param record: C{bytes}, C{bytearray} or C{memoryview}.

        @return: the length and the record; with a fixed size, only the record.

        @raise TypeError: if the record, or the result of C{encoder}, is not bytes.
        @raise RecordTooLong: if it is longer than C{maxLength}.
        @raise InvalidRecord: if the length of the record is not a multiple of the fixed
            size. (POE sends such a record, and the peer joins it with the next one.)
        """
        record = bytesOf(record)
        if self._size is not None:
            if len(record) % self._size:
                raise InvalidRecord(
                    f"the length of a record must be a multiple of size={self._size}, "
                    f"not {len(record)}"
                )
            return record
        if len(record) > self.maxLength:
            raise RecordTooLong(len(record), self.maxLength)
        if self._encoder is None:
            return b"%d\0%b" % (len(record), record)
        encoded = self._encoder(record)
        if not isinstance(encoded, bytes):
            raise TypeError(f"encoder must return bytes, not {encoded!r:.60}")
        return encoded
