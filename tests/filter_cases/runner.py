"""
Runs the request of a case with our framings.

Every request is converted to a list of steps, as in a C{session}. Its result is a
L{Step} for each of them, up to the first error.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted_clienttcp.errors import FramingError
from twisted_clienttcp.framing._buffer import InputBuffer

from .filters import CODE, CODECS, DEFAULT_LIMIT, framingClass, translated

#: The recorded cases.
CASES = Path(__file__).parent / "filter_cases.json"


@dataclass(eq=False)
class Step:
    """
    The result of one step.

    @ivar records: the records of a read; None for other kinds of steps.
    @ivar octets: the bytes to send, or the pending bytes, in hexadecimal.
    @ivar error: the exception that was raised after these records.
    @ivar isHeld: True if a new framing could continue from the pending bytes.
    """

    kind: str
    records: list[Any] | None = None
    octets: str | None = None
    error: object = None
    isHeld: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and (
            self.kind,
            self.records,
            self.octets,
            bool(self.error),
        ) == (other.kind, other.records, other.octets, bool(other.error))

    def __str__(self) -> str:
        parts = [self.kind]
        if self.records is not None:
            parts.append(json.dumps(self.records))
        if self.octets is not None:
            parts.append(self.octets or "nothing")
        if self.error:
            parts.append(f"error: {self.error!s:.60}")
        return " ".join(parts)


class Refused(Exception):
    """
    The constructor rejects its parameters.
    """


def steps(request: dict[str, Any]) -> list[list[Any]]:
    """
    @return: the request as steps.
    """
    operation = request["op"]
    if operation == "get":
        return [*(["get", chunk] for chunk in request["chunks"]), ["pending"]]
    if operation == "put":
        return [["put", request["records"]]]
    if operation == "session":
        return list(request["steps"])
    if operation == "new":
        return []
    raise ValueError(f"there is no operation {operation!r}")


def build(name: str, arguments: list[Any]) -> Any:
    """
    @return: the framing for a filter.

    @raise Refused: if its constructor rejects the arguments.
    @raise Waiting: if the framing does not exist yet.
    """
    values = [_value(each) for each in arguments]
    try:
        ours, parameters = translated(name, values)
        if ours in ("Line", "Block", "Serialized"):
            parameters.setdefault("maxLength", DEFAULT_LIMIT)
        return framingClass(ours)(**parameters)
    except (TypeError, ValueError) as e:
        raise Refused(str(e)) from e


def _value(value: Any) -> Any:
    """
    @return: an argument of the case, as a value for our framings.
    """
    if not isinstance(value, dict):
        return value
    if "filter" in value:
        return build(value["filter"], value.get("args") or [])
    ((kind, content),) = value.items()
    if kind == "hex":
        return bytes.fromhex(content)
    if kind == "qr":
        return re.compile(content.encode("latin-1"))
    if kind == "code":
        return CODE[content]
    if kind == "codec":
        return CODECS[content]
    if kind == "list":
        return [_value(each) for each in content]
    if kind == "hash":
        return {name: _value(each) for name, each in content.items()}
    if kind == "serializer":
        return content
    raise ValueError(f"there is no value {kind!r}")


def toRecord(record: Any) -> Any:
    """
    @return: a record of the case, as a record of our framings.
    """
    if isinstance(record, str):
        return bytes.fromhex(record)
    if record is None:
        return None
    ((kind, content),) = record.items()
    return [toRecord(each) for each in content] if kind == "list" else content


def fromRecord(record: Any, isData: bool) -> Any:
    """
    @param isData: True if the record is any value, as with POE's Reference.

    @return: a record of our framings, as the case would write it.
    """
    if record is None:
        return None
    if isData and isinstance(record, (dict, list, bool)):
        return {"data": record}
    if isinstance(record, (list, tuple)):
        return {"list": [fromRecord(each, isData) for each in record]}
    if isinstance(record, (bytes, bytearray)):
        return bytes(record).hex()
    return str(record).encode().hex()


class Run:
    """
    The steps of one case.

    @ivar isData: True if records are any values.
    """

    def __init__(self, request: dict[str, Any], fresh: bool = False) -> None:
        """
        @param fresh: True to build a new framing in place of each clone.
        """
        self._request = request
        self._fresh = fresh
        self.isData = request["filter"] == "Reference"
        self._buffers = {"main": InputBuffer(self.build())}
        self._current = "main"
        #: The bytes that each buffer has received.
        self._fed = {"main": b""}

    def build(self) -> Any:
        """
        @return: a new framing.
        """
        return build(self._request["filter"], self._request.get("args") or [])

    def run(self) -> list[Step]:
        """
        @return: the results of the steps, up to the first error.
        """
        results = []
        for name, *arguments in steps(self._request):
            step: Step = getattr(self, f"do_{name}")(*arguments)
            step.kind = name
            results.append(step)
            if step.error:
                break
        return results

    def do_get(self, octets: str) -> Step:
        read = bytes.fromhex(octets)
        self._fed[self._current] += read
        records, error = self.read(self._buffers[self._current], read)
        return Step("get", records=records, error=error)

    def do_drain(self) -> Step:
        return self.do_get("")

    def do_put(self, records: list[Any]) -> Step:
        framing = self._buffers[self._current].framing
        try:
            octets = b"".join(framing.encode(toRecord(each)) for each in records)
        except (FramingError, TypeError, ValueError) as e:
            return Step("put", error=e)
        return Step("put", octets=octets.hex())

    def do_pending(self) -> Step:
        pending = self.pending()
        return Step("pending", octets=pending.hex(), isHeld=self._isHeld(pending))

    def do_clone(self, name: str) -> Step:
        original = self._buffers[self._current].framing
        fresh = self.build() if self._fresh else original.fresh()
        self._buffers[name] = InputBuffer(fresh)
        self._fed[name] = b""
        return Step("clone")

    def do_use(self, name: str) -> Step:
        self._current = name
        return Step("use")

    def read(self, buffer: InputBuffer, data: bytes) -> tuple[list[Any], object]:
        """
        @return: the records of a read, and the error after them, if any.
        """
        records: list[Any] = []
        try:
            buffer.append(data)
            while (decoded := buffer.decode(many=True)) is not None:
                records += [fromRecord(record, self.isData) for record in decoded]
        except FramingError as error:
            return records, error
        return records, None

    def pending(self) -> bytes:
        """
        @return: the bytes in the current buffer that belong to no record. They stay
            there.
        """
        return copy.deepcopy(self._buffers[self._current]).takeRest()

    def _isHeld(self, pending: bytes) -> bool:
        """
        @return: True if a new framing that reads the pending bytes continues as the
            current one does, for any further data. (Where the records depend on the
            reads, this checks only that the pending bytes are received ones, in order.)
        """
        current, fed = self._buffers[self._current], self._fed[self._current]
        octets = iter(fed)
        if not all(octet in octets for octet in pending):
            return False
        if not current.framing.chunkInvariant:
            return True
        swallows = current.swallows
        for rest in (fed, b"\n", b"\r", b"0", b"9\0" + fed):
            new = InputBuffer(self.build())
            one = self.read(copy.deepcopy(current), rest)
            if self.read(new, pending)[0]:
                return False
            other = self.read(new, rest[bool(swallows) and rest.startswith(swallows) :])
            if (one[0], bool(one[1])) != (other[0], bool(other[1])):
                return False
        return True

    def readsBack(self, octets: bytes) -> list[Any] | None:
        """
        @return: the records that a new framing decodes from bytes; None for an error.
        """
        records, error = self.read(InputBuffer(self.build()), octets)
        return None if error else records
