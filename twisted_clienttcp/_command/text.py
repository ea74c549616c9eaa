"""
How records and events look on standard input and output.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import datetime
from math import inf, isfinite
from typing import Any

from twisted.internet.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
)
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from .. import Disconnection, errorDetails
from .._details import fullText
from ..errors import InvalidRecord
from ..framing import Framing, JSONLines, Line, Serialized, Stream
from ..framing._buffer import InputBuffer
from ..framing._json import loads


def now() -> str:
    """
    @return: the time, as RFC 3339 has it.
    """
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


class Form:
    """
    What stands for a record: with L{Stream} its bytes; with any other framing a line,
    which holds the bytes, the text in UTF-8, or, of L{JSONLines} and L{Serialized},
    the value as JSON.

    @ivar exact: nothing stands between two records.
    @ivar limit: the limit of L{dumped}.
    """

    def __init__(self, framing: Framing[Any], **limits: Any) -> None:
        """
        @param framing: the framing whose records they are.
        @param limits: C{maxLength} of the lines read.
        """
        self.exact = isinstance(framing, Stream)
        unit = Stream() if self.exact else Line(atEnd="record", **limits)
        self._input = InputBuffer(unit)
        self._values = isinstance(framing, (JSONLines, Serialized))
        self._text = not self._values and _takesText(framing)
        self.limit = inf
        if isinstance(framing, Serialized):
            self.limit = _EXPANSION * framing.maxLength

    def read(self, data: bytes) -> Iterable[Any]:
        """
        @return: the records that are complete now.

        @raise FramingError: from the iterator, behind the records before it, if a line
            is too long or no record.
        """
        self._input.append(data)
        return self._records(self._lines())

    def _lines(self) -> Iterator[bytes]:
        while (lines := self._input.decodeMany()) is not None:
            yield from lines

    def end(self) -> Iterable[Any]:
        """
        @return: the last record, if the input ended inside it.

        @raise FramingError: likewise.
        """
        return self._records(self._input.decodeEnd())

    def endsInside(self) -> bool:
        """
        True if the input ended inside a record; instead of L{end}.
        """
        return bool(self._input.decodeEnd())

    def _records(self, lines: Iterable[bytes]) -> Iterable[Any]:
        return map(self._record, lines) if self._values or self._text else lines

    def _record(self, line: bytes) -> Any:
        try:
            return loads(line) if self._values else line.decode()
        except (ValueError, RecursionError) as error:
            what = "a JSON value" if self._values else "text in UTF-8"
            raise InvalidRecord(f"{line!r:.60} is not {what}: {error}") from error

    def write(self, record: Any) -> bytes:
        """
        @return: the bytes that show a record.
        """
        if self.exact:
            data: bytes = record
            return data
        if self._values:
            return dumped(record, self.limit)
        if isinstance(record, str):
            # Some encodings have halves of surrogate pairs, UTF-8 has not.
            record = record.encode(errors="backslashreplace")
        return bytes(record) + b"\n"


def _takesText(framing: Framing[Any]) -> bool:
    try:
        framing.encode("")
    except Exception:
        return False
    return True


#: The length of the JSON of a value, in characters, per byte of the value at most;
#: the worst is a date in two bytes of CBOR.
_EXPANSION = 32

#: Takes the place of a part of a value that is not written.
_OMITTED = '"..."'

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def dumped(value: Any, limit: float = inf) -> bytes:
    """
    Write any value as JSON (RFC 8259). A server may send values that JSON does not
    have:

      - bytes are C{{"base64": ...}};
      - a number that is not finite is a string, such as C{"NaN"};
      - a map with keys that JSON does not have, or that would be equal in JSON, is a
        list of its C{[key, value]} pairs;
      - a tag of CBOR is C{{"tag": ..., "value": ...}};
      - any other value is its text.

    A value may be nested to any depth. CBOR can refer to a part again: where that is
    inside the part itself, or where C{limit} is exceeded, C{"..."} is written instead.

    @param value: the value.
    @param limit: the number of characters after which all that is left is omitted;
        infinite if no part occurs twice.

    @return: the JSON and a newline.
    """
    if limit == inf:
        # A value read from JSON, as nearly always: the encoder in C is five times as
        # fast, and raises for all of the above.
        try:
            return _escaped(_encode(value))
        except (TypeError, ValueError, RecursionError):
            pass
    parts: list[str] = []
    length = 0
    # The containers that are being written: their items, end and identity. There is no
    # recursion, because the depth is the server's choice.
    path: list[tuple[Iterator[tuple[str, Any]], str, int]] = []
    path.append((iter([("", value)]), "", 0))
    inside: set[int] = set()
    while path:
        items, end, identity = path[-1]
        for before, item in items:
            length += len(before) + 1
            if length > limit:
                parts += before, _OMITTED, *(end for _, end, _ in reversed(path))
                return _escaped("".join(parts))
            if id(item) in inside:
                parts += before, _OMITTED
                continue
            plain = _plain(item)
            if isinstance(plain, (dict, list)):
                start, end = "{}" if isinstance(plain, dict) else "[]"
                parts += before, start
                path.append((_items(plain), end, id(item)))
                inside.add(id(item))
                break
            text = _encode(plain)
            length += len(text)
            parts += before, text
        else:
            path.pop()
            inside.discard(identity)
            parts.append(end)
    return _escaped("".join(parts))


def _escaped(text: str) -> bytes:
    """
    @return: the line for a JSON text.
    """
    # Half a surrogate pair is in no encoding; JSON has an escape for it, this one.
    return text.encode(errors="backslashreplace") + b"\n"


def _items(plain: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    """
    @return: the items of a container, each with the text before it.
    """
    comma = ""
    if isinstance(plain, list):
        for item in plain:
            yield comma, item
            comma = ", "
    else:
        for name, item in plain.items():
            yield f"{comma}{_encode(name)}: ", item
            comma = ", "


def _plain(value: Any) -> Any:
    """
    @return: a value of a type that JSON has; the parts of a container as they are.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else _NOT_FINITE[str(value)]
    if isinstance(value, int):
        # Python may refuse to write more than 640 decimal digits.
        return value if value.bit_length() <= 2000 else hex(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        names = [_name(key) for key in value]
        if None in names or len(set(names)) < len(names):
            return [list(pair) for pair in value.items()]
        return dict(zip(names, value.values(), strict=True))
    if isinstance(value, (list, tuple, Set)):
        return list(value)
    if isinstance(getattr(value, "tag", None), int) and hasattr(value, "value"):
        return {"tag": value.tag, "value": value.value}
    try:
        return str(value)
    except Exception:
        return object.__repr__(value)


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _name(key: Any) -> str | None:
    """
    @return: the name for the key of a map, as L{json.dumps} converts it; None if JSON
        does not have such a key.
    """
    if isinstance(key, str):
        return key
    if (key is None or isinstance(key, (int, float))) and _plain(key) is key:
        return _encode(key)
    return None


def event(name: str, pending: int, value: object = None, limit: float = inf) -> bytes:
    """
    @param name: the name of a callback.
    @param pending: C{pendingBytes} of the client.
    @param value: what it got besides the client, if anything.
    @param limit: the limit of L{dumped}.

    @return: a JSON object on a line, with C{event}, C{time}, and what is to be told.
    """
    told: dict[str, Any] = {"event": name, "time": now()}
    if name == "serverInput":
        told["record"] = _text(value)
    elif name in ("serverFlushed", "serverHigh", "serverLow"):
        told["pending"] = pending
    elif name in ("connectError", "serverError", "stopped"):
        told |= _why(value)
    elif isinstance(value, Disconnection):
        told |= {
            "initiator": value.initiator,
            "unsent": value.unsent,
            "confirmed": value.confirmed,
            **_why(value.failure),
        }
        if value.initiator == "local" and value.failure.check(ConnectionDone):
            told["text"] = "the client closed the connection"
        if value.truncated is not None:
            told["truncated"] = _text(value.truncated.rest)
    elif name == "connected":
        told["peer"] = place(value)
    return dumped(told, limit)


def place(address: object) -> str:
    """
    @param address: an C{IAddress}.

    @return: it, as it is given on the command line.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        return f"{address.host} {address.port}"
    if isinstance(address, HostnameAddress):
        return f"{address.hostname.decode()} {address.port}"
    if isinstance(address, UNIXAddress):
        return os.fsdecode(address.name or "")
    return str(address)


def _text(record: object) -> object:
    """
    @return: bytes as text, if they are any in UTF-8.
    """
    if isinstance(record, bytes):
        try:
            return record.decode()
        except UnicodeDecodeError:
            pass
    return record


def _why(failure: object) -> dict[str, Any]:
    """
    @return: the triple of POE, with a text that is never empty.
    """
    if not isinstance(failure, Failure):
        return {}
    operation, errno, _ = errorDetails(failure)
    return {"operation": operation, "errno": errno, "text": fullText(failure)}
