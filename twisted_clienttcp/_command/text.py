"""
The text for records and events on standard input and output.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Set
from datetime import datetime
from math import inf, isfinite
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from .. import Disconnection
from .._connection import peer as _peer
from .._details import CLOSED, detailsWith
from ..errors import InvalidRecord
from ..framing import JSONLines, JSONValues, Line, Serialized, Stream
from ..framing._base import MAX_LENGTH, AnyFraming
from ..framing._buffer import InputBuffer
from ..framing._json import loads
from .table import asOption


def now() -> str:
    """
    @return: the time in the form of RFC 3339.
    """
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


class Form:
    """
    Converts records to text, and text to records. With L{Stream}, the text is the
    record itself. With any other framing, it is a line, which contains the record's
    bytes, its text in UTF-8, or (with framings of JSON values and L{Serialized}) its
    value as JSON.

    @ivar limit: see L{dumped}.
    @ivar hasLines: True if a record is a line of bytes, printed as received.
    """

    def __init__(self, framing: AnyFraming, maxLength: int | None = None) -> None:
        """
        @param framing: the framing of the records.
        @param maxLength: the length of the longest line to read; None for the default.
        """
        self._isStream = isinstance(framing, Stream)
        line = Line(atEnd="record", maxLength=maxLength or MAX_LENGTH)
        self._input = InputBuffer(Stream() if self._isStream else line)
        self._hasValues = isinstance(framing, (JSONLines, JSONValues, Serialized))
        self._hasText = not self._hasValues and _acceptsText(framing)
        self.hasLines = isinstance(framing, Line) and not self._hasText
        self.limit = inf
        if isinstance(framing, Serialized):
            self.limit = _EXPANSION * framing.maxLength

    def read(self, data: bytes) -> Iterator[object]:
        """
        @param data: the next part of the text.

        @return: an iterator over the records that are now complete.

        @raise FramingError: from the iterator, after the records before the error, if a
            line is too long or does not contain a record.
        """
        self._input.append(data)
        while (lines := self._input.decode(many=True)) is not None:
            yield from map(self._record, lines)

    def end(self) -> Iterator[object]:
        """
        @return: the last record, if the input ended without a newline.

        @raise FramingError: see L{read}.
        """
        return map(self._record, self._input.decodeEnd())

    def isInsideRecord(self) -> bool:
        """
        @return: True if a part of a line has been read.
        """
        return bool(len(self._input))

    def _record(self, line: bytes) -> object:
        try:
            if self._hasValues:
                return loads(line)
            return line.decode() if self._hasText else line
        except (ValueError, RecursionError) as error:
            what = "a JSON value" if self._hasValues else "text in UTF-8"
            raise InvalidRecord(f"{line!r:.60} is not {what}: {error}") from error

    def write(self, record: Any) -> bytes:
        """
        @return: the text for a record.
        """
        if self._hasValues:
            return dumped(record, self.limit)
        if isinstance(record, str):
            # The text may contain surrogates, which UTF-8 cannot encode.
            record = record.encode(errors="backslashreplace")
        return bytes(record) if self._isStream else bytes(record) + b"\n"


def _acceptsText(framing: AnyFraming) -> bool:
    try:
        framing.encode("")
    except Exception:
        return False
    return True


#: The most characters of JSON per byte of a value: a date is two bytes of CBOR.
_EXPANSION = 32

#: Replaces a part of a value that is left out.
_OMITTED = '"..."'

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def dumped(value: object, limit: float = inf) -> bytes:
    """
    Write any value as JSON (RFC 8259). A server may send values that JSON cannot
    represent:

      - bytes become C{{"base64": ...}};
      - a number that is not finite becomes a string, such as C{"NaN"};
      - a map whose keys JSON cannot represent, or that would be equal in JSON, becomes
        a list of C{[key, value]} pairs;
      - a tag of CBOR becomes C{{"tag": ..., "value": ...}};
      - any other value becomes its text.

    A value may be nested to any depth. In CBOR, a part can occur more than once. A part
    inside itself, and a part beyond C{limit}, becomes C{"..."}.

    @param limit: the number of characters after which the rest is left out; infinite
        for values in which no part can occur twice.

    @return: the JSON and a newline.
    """
    if limit == inf:
        # Nearly all values come from JSON. For these, the encoder in C is five times as
        # fast. It raises an exception for the values listed above.
        try:
            return _escaped(_encode(value))
        except (TypeError, ValueError, RecursionError):
            pass
    parts: list[str] = []
    length = 0
    # The containers that are being written: their items, closing bracket and identity.
    # Do not use recursion, because the server would choose its depth.
    path: list[tuple[Iterator[tuple[str, object]], str, int]]
    path = [(iter([("", value)]), "", 0)]
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


#: Characters that control a terminal, or that a log collector may take for the end of a
#: line. JSON allows them in strings.
_MISLEADING = re.compile("[\x7f-\x9f\u2028\u2029]")


def _escaped(text: str) -> bytes:
    text = _MISLEADING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    # A lone surrogate cannot be encoded; this is JSON's escape for it.
    return text.encode(errors="backslashreplace") + b"\n"


def _items(
    plain: dict[str, object] | list[object],
) -> Iterator[tuple[str, object]]:
    """
    @return: the items of a container, each with the text before it.
    """
    comma = ""
    pairs = (
        plain.items() if isinstance(plain, dict) else ((None, item) for item in plain)
    )
    for name, item in pairs:
        yield comma if name is None else f"{comma}{_encode(name)}: ", item
        comma = ", "


def _plain(value: Any) -> object:
    """
    @return: a value that JSON can represent, except for the parts of a container.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else _NOT_FINITE[str(value)]
    if isinstance(value, int):
        # Python may refuse to convert more than 640 decimal digits.
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


def _name(key: object) -> str | None:
    """
    @return: the name for a key of a map, as L{json.dumps} converts it; None if JSON
        cannot represent the key.
    """
    if isinstance(key, str):
        return key
    if (key is None or isinstance(key, (int, float))) and _plain(key) is key:
        return _encode(key)
    return None


def event(
    name: str,
    pending: int,
    value: object = None,
    limit: float = inf,
    tried: dict[str, str] | None = None,
) -> bytes:
    """
    @param name: the name of a callback.
    @param pending: the client's C{pendingBytes}.
    @param value: the callback's argument, if it has one.
    @param limit: the limit of L{dumped}.
    @param tried: the result of each address, in words.

    @return: a line with a JSON object: C{event}, C{time}, and the argument.
    """
    fields: dict[str, object] = {"event": name, "time": now()}
    if name == "serverInput":
        fields["record"] = _text(value)
    elif name in ("serverFlushed", "serverHigh", "serverLow"):
        fields["pending"] = pending
    elif name == "connected":
        fields["peer"] = addressText(value)
    elif isinstance(value, Failure):
        fields |= _details(value)
    elif isinstance(value, Disconnection):
        fields |= {
            "initiator": value.initiator,
            "unsent": value.unsent,
            "unacknowledged": value.unacknowledged,
            "confirmed": value.confirmed,
            "undelivered": value.undelivered,
            **_details(value.failure),
        }
        if value.initiator == "local" and value.failure.check(ConnectionDone):
            fields["text"] = "the client closed the connection"
        if value.truncated is not None:
            fields["truncated"] = _text(value.truncated.rest)
    if name in ("connected", "connectError") and tried:
        fields["tried"] = tried
    return dumped(fields, limit)


def addressText(address: object) -> str:
    """
    @return: an address as on the command line, where host and port are two arguments.
    """
    return _peer.addressText(address, "{} {}".format)


def _text(record: object) -> object:
    """
    @return: bytes as text if they are UTF-8; otherwise the record.
    """
    if isinstance(record, bytes):
        try:
            return record.decode()
        except UnicodeDecodeError:
            pass
    return record


def _details(failure: Failure) -> dict[str, object]:
    """
    @return: the details of a failure.
    """
    details = detailsWith(failure, asOption)._asdict()
    if failure.check(ConnectionDone):
        details["text"] = CLOSED
    return details
