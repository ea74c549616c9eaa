"""
Python values, serialized.
"""

from __future__ import annotations

import json
import zlib
from importlib import import_module
from typing import Any, Protocol

from ..errors import FramingError, InvalidRecord, RecordTooLong
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


class _JSON:
    """
    JSON in UTF-8, without the numbers that are none.
    """

    def dumps(self, value: Any) -> str:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )

    def loads(self, octets: bytes) -> Any:
        return json.loads(octets.decode("utf-8"), parse_constant=self._refuse)

    def _refuse(self, name: str) -> None:
        raise ValueError(f"{name} is no JSON")


#: The serializers with a name of their own, the module of each, and its extra.
_MODULES = {"msgpack": "msgpack", "cbor": "cbor2"}


def _serializer(serializer: Any) -> Any:
    """
    @return: what has C{dumps} and C{loads}.
    """
    if serializer is None or serializer == "json":
        return _JSON()
    if isinstance(serializer, str):
        if serializer not in _MODULES:
            names = ", ".join(["json", *_MODULES])
            raise ValueError(f"serializer must be one of {names}, not {serializer!r}")
        try:
            return import_module(_MODULES[serializer])
        except ImportError as error:
            raise ImportError(
                f"serializer={serializer!r} needs {_MODULES[serializer]}: "
                f"pip install twisted_clienttcp[{serializer}]"
            ) from error
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
        self._serializer = _serializer(serializer)
        self._compress = compress
        self._maxLength = maxLength
        self._skips = checkOnTooLong(onTooLong)

    def _convert(self, record: bytes) -> list[Any]:
        octets = self._inflated(record) if self._compress else record
        return [self._serializer.loads(octets)]

    def _inflated(self, record: bytes) -> bytes:
        inflate = zlib.decompressobj()
        # One more than is allowed tells whether it is too much.
        octets = inflate.decompress(record, self._maxLength + 1)
        if len(octets) > self._maxLength:
            raise RecordTooLong(len(octets), self._maxLength, self._skips)
        if not inflate.eof or inflate.unused_data:
            raise FramingError("what was compressed does not end where its block does")
        return octets

    def _give(self, record: Any) -> list[bytes]:
        try:
            octets = self._serializer.dumps(record)
            if isinstance(octets, str):
                octets = octets.encode("utf-8")
        except (ValueError, OverflowError, RecursionError) as error:
            raise InvalidRecord(f"cannot be serialized: {error}") from error
        if len(octets) > self._maxLength:
            raise RecordTooLong(len(octets), self._maxLength)
        return [zlib.compress(octets) if self._compress else octets]
