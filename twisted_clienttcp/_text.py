"""
How records and events look on standard input and output.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from twisted.internet.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
)
from twisted.python.failure import Failure

from . import Disconnection, errorDetails
from .errors import InvalidRecord, TruncatedRecord
from .framing import Framing, JSONLines, Line, Serialized, Stream


def now() -> str:
    """
    @return: the time, as RFC 3339 has it.
    """
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


class Form:
    """
    What stands for a record: with L{Stream} its octets; with any other framing a line,
    which holds the octets, the text in UTF-8, or, of L{JSONLines} and L{Serialized},
    the value as JSON.

    @ivar exact: nothing stands between two records.
    """

    def __init__(self, framing: Framing, **limits: Any) -> None:
        """
        @param framing: the framing whose records they are.
        @param limits: C{maxLength} of the lines read.
        """
        self.exact = isinstance(framing, Stream)
        self._cut: Framing = Stream() if self.exact else Line(**limits)
        self._values = isinstance(framing, (JSONLines, Serialized))
        self._text = not self._values and _takesText(framing)

    def read(self, data: bytes) -> Iterable[Any]:
        """
        @return: the records that are complete now.

        @raise FramingError: from the iterator, behind the records before it, if a line
            is too long or no record.
        """
        return self._records(self._cut.feed(data))

    def end(self) -> Iterable[Any]:
        """
        @return: the last record, if the input ended inside it.

        @raise FramingError: likewise.
        """
        try:
            lines = list(self._cut.finish())
        except TruncatedRecord as last:
            lines = [last.rest]
        return self._records(lines)

    def _records(self, lines: Iterable[bytes]) -> Iterable[Any]:
        return map(self._record, lines) if self._values or self._text else lines

    def _record(self, line: bytes) -> Any:
        try:
            return json.loads(line) if self._values else line.decode()
        except ValueError as error:
            what = "JSON value" if self._values else "text in UTF-8"
            raise InvalidRecord(f"{line!r:.60} is no {what}: {error}") from error

    def write(self, record: Any) -> bytes:
        """
        @return: the octets that show a record.
        """
        if self.exact:
            octets: bytes = record
            return octets
        if self._values:
            return dumped(record)
        if isinstance(record, str):
            # Some encodings have halves of surrogate pairs, UTF-8 has not.
            record = record.encode(errors="backslashreplace")
        return bytes(record) + b"\n"


def _takesText(framing: Framing) -> bool:
    try:
        framing.frame("")
    except Exception:
        return False
    return True


def dumped(value: Any) -> bytes:
    """
    @return: the JSON of a value, on a line. Octets that JSON has nothing for are
        C{{"base64": ...}}.
    """
    text = json.dumps(value, ensure_ascii=False, default=_plain)
    # Half a surrogate pair is in no encoding; JSON has an escape for it, this one.
    return text.encode(errors="backslashreplace") + b"\n"


def _plain(value: object) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": base64.b64encode(value).decode()}
    return str(value)


def event(name: str, pending: int, value: object = None) -> bytes:
    """
    @param name: the name of a callback.
    @param pending: C{pendingOctets} of the client.
    @param value: what it got besides the client, if anything.

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
        if value.truncated is not None:
            told["truncated"] = _text(value.truncated.rest)
    elif name == "connected":
        told["peer"] = place(value)
    return dumped(told)


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
    @return: octets as text, if they are any in UTF-8.
    """
    if isinstance(record, bytes):
        try:
            return record.decode()
        except UnicodeDecodeError:
            pass
    return record


def _why(failure: object) -> dict[str, Any]:
    """
    @return: the triple of POE.
    """
    if not isinstance(failure, Failure):
        return {}
    operation, errno, text = errorDetails(failure)
    return {"operation": operation, "errno": errno, "text": text}
