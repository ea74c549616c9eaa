"""
Serialized Python values.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from io import BytesIO
from typing import Any, Protocol

from .._validators import flag
from ..errors import FramingError, InvalidRecord, RecordTooLong
from . import _json
from ._base import MAX_LENGTH
from ._block import Block
from ._converted import Converted


class Serializer(Protocol):
    """
    Converts values to bytes and back.
    """

    def dumps(self, value: Any, /) -> Any:
        """
        Serialize a value.

        @return: bytes; or a L{str}, which is sent in UTF-8.
        """

    def loads(self, data: bytes, /) -> Any:
        """
        Return the value that was serialized as these bytes.
        """


class _CBOR:
    """
    CBOR with cbor2. Its own C{loads} ignores bytes after the value; this one does not.
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


#: The module of each named serializer other than JSON.
_MODULES = {"msgpack": "msgpack", "cbor": "cbor2"}


def _serializer(serializer: Any) -> Any:
    """
    Return the serializer, an object with C{dumps} and C{loads}, for the argument of a
    L{Serialized}.
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
                "serializer must be a name or an object with dumps and loads, not "
                f"{serializer!r}"
            )
    return serializer


class Serialized(Converted[Any]):
    """
    Values of any serializer, each after its length in decimal digits and a NUL
    (POE::Filter::Reference). A decoded value takes many times as much memory as its
    bytes.

    Decoding does not run code from the peer, unless the serializer does, as C{pickle}
    does. Use C{pickle} only if the peer is allowed to run any code in your program.
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
        @param serializer: C{"json"} (the default), C{"msgpack"}, C{"cbor"}, or an
            object with C{dumps(value)} and C{loads(data)} (POE: Serializer).
        @param compress: True to compress values with zlib (POE: Compression).
        @param maxLength: the longest serialized value in bytes, before and after
            compression (POE: MaxBuffer).
        @param onTooLong: what to do with a longer value: C{"close"} the connection, or
            C{"skip"} the value.

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if an argument is out of range.
        @raise ImportError: if the serializer is not installed.
        """
        self._compresses = flag("compress", compress)
        super().__init__(Block(maxLength=maxLength, onTooLong=onTooLong))
        # Keep only the functions, because a module cannot be deep-copied.
        codec = _serializer(serializer)
        self._dumps, self._loads = codec.dumps, codec.loads

    def _fromLower(self, records: list[bytes]) -> list[Any]:
        if self._compresses:
            records = list(map(self._decompressed, records))
        return list(map(self._loads, records))

    def _decompressed(self, record: bytes) -> bytes:
        decompressor = zlib.decompressobj()
        # A byte beyond the limit shows that the value is too long.
        data = decompressor.decompress(record, self.maxLength + 1)
        if len(data) > self.maxLength:
            raise self.tooLong(len(data))
        if not decompressor.eof or decompressor.unused_data:
            raise FramingError(
                "the compressed data is incomplete, or followed by other bytes"
            )
        return data

    def _toLower(self, record: object) -> bytes:
        try:
            data = self._dumps(record)
            if isinstance(data, str):
                data = data.encode("utf-8")
        except (ValueError, OverflowError, RecursionError) as error:
            raise InvalidRecord(f"cannot be serialized: {error}") from error
        if len(data) > self.maxLength:
            raise RecordTooLong(len(data), self.maxLength)
        return zlib.compress(data) if self._compresses else data
