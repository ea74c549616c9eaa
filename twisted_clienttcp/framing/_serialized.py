"""
Python values, serialized.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from io import BytesIO
from typing import Any, Protocol

from ..errors import FramingError, InvalidRecord, RecordTooLong
from . import _json
from ._block import Block
from ._common import MAX_LENGTH, checkOnTooLong
from ._converted import Converted


class Serializer(Protocol):
    """
    What makes octets of a value, and the value of the octets.
    """

    def dumps(self, value: Any, /) -> Any:
        """
        @return: the octets, or text for UTF-8.
        """

    def loads(self, octets: bytes, /) -> Any:
        """
        @return: the value.
        """


class _CBOR:
    """
    CBOR by cbor2, whose C{loads} ignores bytes after the value.
    """

    def __init__(self, cbor2: Any) -> None:
        self.dumps = cbor2.dumps
        self._decoder = cbor2.CBORDecoder

    def loads(self, data: bytes) -> Any:
        """
        @raise ValueError: if there are bytes after the value.
        """
        file = BytesIO(data)
        value = self._decoder(file).decode()
        extra = len(data) - file.tell()
        if extra:
            raise ValueError(f"there are {extra} bytes after the value")
        return value


#: The serializers that need an extra, which has the same name, and their modules.
_MODULES = {"msgpack": "msgpack", "cbor": "cbor2"}


def _serializer(serializer: Any) -> Any:
    """
    @return: an object that has C{dumps} and C{loads}.
    """
    if serializer is None or serializer == "json":
        return _json
    if isinstance(serializer, str):
        if serializer not in _MODULES:
            names = ", ".join(["json", *_MODULES])
            raise ValueError(f"serializer must be one of {names}, not {serializer!r}")
        try:
            module = import_module(_MODULES[serializer])
        except ImportError as error:
            raise ImportError(
                f"serializer={serializer!r} needs {_MODULES[serializer]}: "
                f"pip install twisted_clienttcp[{serializer}]"
            ) from error
        return _CBOR(module) if serializer == "cbor" else module
    for name in ("dumps", "loads"):
        if not callable(getattr(serializer, name, None)):
            raise TypeError(
                f"serializer must be a name or have dumps and loads, not {serializer!r}"
            )
    return serializer


class Serialized(Converted):
    """
    Values that a serializer can express, each behind its length in decimal digits and a
    NUL (POE::Filter::Reference).

    Nothing here runs code that a peer has sent, unless the serializer does: C{pickle}
    does, so it is for peers only that may run anything.

    @ivar maxLength: the longest value in bytes.
    """

    def __init__(
        self,
        *,
        serializer: str | Serializer | None = None,
        compress: bool = False,
        maxLength: int = MAX_LENGTH,
        onTooLong: str = "close",
    ) -> None:
        """
        @param serializer: C{"json"} (also if not given), C{"msgpack"}, C{"cbor"}, or
            anything with C{dumps(value)} and C{loads(octets)} (POE: Serializer).
        @param compress: with zlib (POE: Compression).
        @param maxLength: the longest value in octets, both as it is sent and inflated
            (POE: MaxBuffer).
        @param onTooLong: C{"close"} the connection at a longer one, or C{"skip"} it.

        @raise TypeError: if an argument is of the wrong type.
        @raise ValueError: if one is out of its range.
        @raise ImportError: if the serializer is not installed.
        """
        if not isinstance(compress, bool):
            raise TypeError(f"compress must be True or False, not {compress!r}")
        super().__init__(Block(maxLength=maxLength, onTooLong=onTooLong))
        # The functions, since a framing with a module in it cannot be deep-copied.
        codec = _serializer(serializer)
        self._dumps, self._loads = codec.dumps, codec.loads
        self._compress = compress
        self.maxLength = maxLength
        self._skips = checkOnTooLong(onTooLong)

    def _convert(self, record: bytes) -> list[Any]:
        octets = self._inflated(record) if self._compress else record
        return [self._loads(octets)]

    def _inflated(self, record: bytes) -> bytes:
        inflate = zlib.decompressobj()
        # One more than is allowed tells whether it is too much.
        octets = inflate.decompress(record, self.maxLength + 1)
        if len(octets) > self.maxLength:
            raise RecordTooLong(len(octets), self.maxLength, self._skips)
        if not inflate.eof or inflate.unused_data:
            raise FramingError("what was compressed does not end where its block does")
        return octets

    def _give(self, record: Any) -> list[bytes]:
        try:
            octets = self._dumps(record)
            if isinstance(octets, str):
                octets = octets.encode("utf-8")
        except (ValueError, OverflowError, RecursionError) as error:
            raise InvalidRecord(f"cannot be serialized: {error}") from error
        if len(octets) > self.maxLength:
            raise RecordTooLong(len(octets), self.maxLength)
        return [zlib.compress(octets) if self._compress else octets]
