"""
Runs a case and compares the results.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted_clienttcp import framing
from twisted_clienttcp.errors import FramingError
from twisted_clienttcp.framing._buffer import InputBuffer

#: The recorded files.
FILES = sorted(Path(__file__).parent.glob("*.json"))

#: The possible results of a case.
VERDICTS = ("agrees", "differs by design", "not expressible", "different")


def run(case: dict[str, Any]) -> list[Any]:
    """
    Run the steps of a case.

    @return: for each step, its records and errors, the bytes sent, or None.
    """
    parameters = {
        name: _encoded(value) if name.lower().endswith("delimiter") else value
        for name, value in case["params"].items()
    }
    buffer = InputBuffer(getattr(framing, case["framing"])(**parameters))
    results: list[Any] = []
    for step in case["steps"]:
        try:
            results.append(_step(buffer, step))
        except _Closed as closed:
            results.append(closed.args[0])
            # After an error a connection reads nothing more.
            results += [[] for _ in case["steps"][len(results) :]]
            break
    return results


class _Closed(Exception):
    """
    The bytes received cannot be decoded. The argument is the result of the step.
    """


def _step(buffer: InputBuffer, step: dict[str, Any]) -> Any:
    if "set" in step:
        for name, value in step["set"].items():
            setattr(buffer.framing, name, value)
        return None
    if "put" in step:
        try:
            return _decoded(buffer.framing.encode(_encoded(step["put"])))
        except Exception as error:
            return {"error": type(error).__name__}
    out: list[Any] = []
    buffer.append(_encoded(step.get("in", "")))
    while True:
        try:
            records = buffer.decode(many=True)
        except FramingError as error:
            out.append({"error": type(error).__name__})
            if not getattr(error, "skipped", False):
                raise _Closed(out) from error
        else:
            if records is None:
                break
            out += map(_decoded, records)
    if "end" in step:
        try:
            out += map(_decoded, buffer.decodeEnd())
        except FramingError as error:
            raise _Closed([*out, {"error": type(error).__name__}]) from error
        if buffer.takeRest():
            out.append({"error": "TruncatedRecord"})
    return out


def _encoded(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("latin-1")
    return [_encoded(each) for each in value] if isinstance(value, list) else value


def _decoded(record: Any) -> Any:
    return bytes(record).decode("latin-1") if isinstance(record, bytes) else record


def judge(case: dict[str, Any]) -> str:
    """
    Run a case.

    @return: one of L{VERDICTS}.
    """
    if "inexpressible" in case:
        return "not expressible"
    got = run(case)
    if "differs" in case:
        return "differs by design" if got == case["ours"] else "different"
    wanted = [step.get("wire", step.get("out")) for step in case["steps"]]
    if case["framing"] == "JSONValues":
        wanted = [_values(each) for each in wanted]
    if case.get("note") in ("late", "sequenceOnly"):
        got, wanted = [_flat(got)], [_flat(wanted)]
    return "agrees" if _alike(got, wanted) else "different"


def _values(wanted: Any) -> Any:
    if isinstance(wanted, list):
        return [_values(each) for each in wanted]
    return json.loads(wanted) if isinstance(wanted, str) else wanted


def _flat(results: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for result in results:
        flat += result if isinstance(result, list) else [result]
    return flat


def _alike(got: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return (
            isinstance(got, list)
            and len(got) == len(wanted)
            and all(map(_alike, got, wanted))
        )
    if wanted == {"error": "any"}:
        return isinstance(got, dict) and "error" in got
    return bool(got == wanted)


def cases(path: Path) -> list[dict[str, Any]]:
    """
    Read the cases of a file.
    """
    read: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return read
