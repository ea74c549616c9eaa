"""
How our trace is compared with the recorded one. These differences are allowed:

 1. I{Names} are ours: C{serverInput} for C{ServerInput}, C{stopped} for the C{_stop} of
    the session (L{NAMES}).
 2. I{Two parameters} are set so that the client behaves like POE:
    C{autoReconnect=False}, and a short C{lingerTimeout}, because POE does not wait for
    the peer to end its side (L{PARAMETERS}).
 3. I{C{ConnectTimeout} counts whole seconds of the wall clock} in POE. If a scenario
    says in which fraction of a second it begins, our timeout is shorter by that.
 4. I{Details of Perl} are left out: the result of C{new}, the end of the process and of
    other sessions, the types of references, the texts of exceptions, the wheel's id
    that is passed to C{Disconnected}, the internal keys of the heap. A flag that is
    undefined is false.
 5. I{The component's callbacks are never nested.} A callback that POE calls inside
    another one is called after it here; the flags of what the outer callback does after
    that are not compared.
 6. I{C{stopped} is called at the end of the last connection or attempt}, a session's
    C{_stop} only when its last timer has ended too. So it is compared as the last
    entry, without flags. If a timer starts a stopped client again, its C{stopped} is
    not compared.
 7. I{A closing connection exists until C{disconnected}}: C{server} is compared only
    while a client is connected, or when it has no connection any more.
 8. I{The output of the default error handlers} is compared without the client's name,
    at the end of the trace.
 9. I{The peer's side} is compared by the bytes that each connection has sent, and by
    the address of the client, if the scenario asks for one. Connections that sent
    nothing (an attempt that was given up at once) do not count.
10. I{If a shutdown and a flush happen in the same turn}, caused by a timer, their order
    is a matter of scheduling: the flags of that C{serverFlushed} are not compared.
11. I{Values that differed between the runs of POE}, or that depend on the platform, are
    not compared.
12. I{Four bugs of POE} are in many recordings, also of scenarios about other subjects,
    and are removed from all of them (L{_repaired}): C{Disconnected} is not called when
    a client reconnects while it is connected; records of the dropped connection are
    still delivered; one loss causes two calls of C{ServerError}; C{ServerHigh} is not
    called when C{put} reaches the mark, nor C{ServerLow} after a small put between the
    marks.
13. I{Constructors} either accept their parameters or not; the texts of errors are ours.
14. I{The number of refused attempts}, if a peer listens only after a while, depends on
    the load: consecutive refusals count as one.
15. I{An event without a handler} is ignored in POE. Here the call that posts it raises,
    and the scenario continues after it.
16. I{An impossible address} is rejected by our constructor; POE calls C{ConnectError}
    later (L{REFUSED}).
17. I{A loss is visible at once}: C{connected} is false in C{serverError}. In POE it is
    still true, because POE clears the flag together with the wheel, after
    C{ServerError}. This is on purpose: a callback that reads the flag must not put
    records on a lost connection, and other code may read it too while an awaited result
    delays C{serverError}. So this flag is not compared there, unless the peer has only
    ended its side; other tests check that it is false.
18. I{The texts of a clean end of stream and of a timeout} are ours, because they say
    more than POE's. The client of the tests replaces them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

#: An entry of a trace, in the form in which it is compared.
Entry = dict[str, Any]

#: The names of the callbacks in POE and here.
NAMES = {
    "Started": "started",
    "PreConnect": "preConnect",
    "Connected": "connected",
    "ConnectError": "connectError",
    "Disconnected": "disconnected",
    "ServerInput": "serverInput",
    "ServerError": "serverError",
    "ServerFlushed": "serverFlushed",
    "ServerHigh": "serverHigh",
    "ServerLow": "serverLow",
    "session_stop": "stopped",
}

#: The parameters that make our client behave as POE's (rule 2).
PARAMETERS: dict[str, Any] = {"autoReconnect": False, "lingerTimeout": 0.05}

#: Scenarios without a meaning in Python: name and reason.
NOT_APPLICABLE = {
    "remote_address_undef": (
        "None is 'not given' in Python, and an address must be given with a port"
    ),
}

#: The operations of C{ConnectError} that ours does in the constructor (rule 16).
REFUSED = {"domain", "getservbyname"}

_PERLS_OWN = {"new_returned", "process_exit", "outer_stop"}
_ENDS = {"deadline", "kernel_died", "summary"}
_PERLS_FIELDS = {"t", "heap", "depth", "arg0", "id_ok"}
_CALLBACKS = {*NAMES.values(), "state", "timeline", "outer"}
_GIVEN_UP = {"connected": 0, "shutdown": 0, "server": None}
_PRINTED = re.compile(r"^Client \S+ (got .*)$")
_LOCAL = ("127.0.0.1", "::1", None)


def printed(lines: Iterable[str]) -> list[str]:
    """
    @return: the messages of the default error handlers in these lines (rule 8).
    """
    return [match[1] for line in lines if (match := _PRINTED.match(line))]


def recorded(
    golden: dict[str, Any], run: dict[str, Any], repaired: bool = True
) -> list[Entry]:
    """
    @param run: the golden file itself, or one of its other runs.
    @param repaired: True to remove the bugs of rule 12.

    @return: the trace of POE, in the form in which it is compared.
    """
    entries = _unnested(run["trace"])
    if repaired:
        entries = _repaired(entries, golden["client"])
    entries = [entry for entry in entries if entry["ev"] not in _PERLS_OWN]
    trace = [_translated(entry, golden) for entry in entries]
    _unscheduled(trace)
    lines = run.get("exit", golden["exit"])["stderr"]
    return ordered(trace, printed(lines))


def ordered(trace: list[Entry], lines: list[str]) -> list[Entry]:
    """
    Move the entries without a fixed position to the end: C{stopped} (rule 6), then
    summaries, then the printed lines (rule 8).
    """
    names = [entry["ev"] for entry in trace]
    if "stopped" in names:
        stopped = names.index("stopped")
        behind = names[stopped:]
        if "started" in behind:
            again = behind.index("started")
            if {"timeline", "outer"}.intersection(behind[:again]):
                rest = [*trace[:stopped], *trace[stopped + 1 : stopped + again]]
                return ordered([*rest, *trace[stopped + again + 1 :]], lines)
    last = [entry for entry in trace if entry["ev"] in ("stopped", "summary")]
    last.sort(key=lambda entry: str(entry["ev"]))
    return [
        *(entry for entry in trace if entry["ev"] not in ("stopped", "summary")),
        *last,
        *({"ev": "printed", "text": line} for line in lines),
    ]


def _unnested(trace: list[Entry]) -> list[Entry]:
    """
    Rule 5: move nested calls behind the callback that contains them.
    """
    result: list[Entry] = []
    inner: list[Entry] = []
    # For each depth: True if the callback there is moved.
    moved = [False]
    for entry in trace:
        name, depth = entry["ev"], entry.get("depth", 0)
        if depth and _isCallback(name):
            above = moved[min(depth, len(moved)) - 1]
            moved[depth:] = [above or name != "state"]
        if moved[min(depth, len(moved) - 1)]:
            inner.append(entry)
            continue
        if inner and not depth and (_isCallback(name) or name in _PERLS_OWN | _ENDS):
            result += inner
            inner = []
        result.append(
            {k: v for k, v in entry.items() if k != "heap"} if inner else entry
        )
    return result + inner


def _repaired(trace: list[Entry], client: Entry) -> list[Entry]:
    """
    Rule 12.
    """
    if client.get("second_client"):
        # The trace does not say which of two clients an entry is about.
        return trace
    called = {name for name in NAMES if name not in client.get("omit", ())}
    repaired: list[Entry] = []
    isConnected = isHigh = reachedHigh = hasFailed = isOld = False
    for entry in trace:
        name = entry["ev"]
        givenUp = (entry.get("heap") or {}).get("server") == "SocketFactory"
        if isConnected and (givenUp or name == "Connected"):
            isConnected = isHigh = reachedHigh = False
            if "Disconnected" in called:
                repaired.append({"ev": "Disconnected", "args": [], "heap": _GIVEN_UP})
        isOld = givenUp and (name == "ServerInput" or (isOld and not _isCallback(name)))
        if (name == "ServerError" and hasFailed) or isOld:
            continue
        if name == "Connected":
            isConnected, hasFailed = True, False
        elif name == "Disconnected":
            isConnected = isHigh = reachedHigh = False
        elif name == "ServerError":
            hasFailed = True
        if reachedHigh and _isCallback(name):
            reachedHigh = False
            if name != "ServerHigh" and "ServerHigh" in called:
                repaired.append({"ev": "ServerHigh"})
        if not isHigh and (entry.get("ret") or entry.get("first_true")):
            isHigh = reachedHigh = name.startswith("put")
        elif name == "ServerHigh":
            isHigh = True
        elif name == "ServerLow":
            isHigh = False
        elif name == "ServerFlushed" and isHigh:
            isHigh = False
            if "ServerLow" in called:
                repaired.append({"ev": "ServerLow"})
        repaired.append(entry)
    return repaired


def _unscheduled(trace: list[Entry]) -> None:
    """
    Rule 10.
    """
    callbacks = [entry for entry in trace if entry["ev"] in _CALLBACKS]
    for before, entry, after in zip(
        callbacks, callbacks[1:], callbacks[2:], strict=False
    ):
        if (
            before["ev"] in ("timeline", "state", "outer")
            and entry["ev"] == "serverFlushed"
            and after["ev"] == "disconnected"
        ):
            for flag in ("connected", "shuttingDown", "server"):
                entry.pop(flag, None)


def _isCallback(name: str) -> bool:
    return NAMES.get(name, name) in _CALLBACKS


def _translated(entry: Entry, golden: dict[str, Any]) -> Entry:
    """
    Rules 1, 4, 7, 11 and 13, for one entry.
    """
    name = NAMES.get(entry["ev"], entry["ev"])
    result = {k: v for k, v in entry.items() if k not in _PERLS_FIELDS}
    result["ev"] = name
    if name == "disconnected":
        del result["args"]
    elif name == "put_failed":
        del result["error"]
    elif name == "summary":
        return {NAMES.get(key, key): value for key, value in result.items()}
    elif name == "ctor":
        return {"ev": "ctor", "args": entry["args"], "accepted": not entry["error"]}
    heap = entry.get("heap")
    if heap is None or name == "stopped":
        return result
    result["connected"] = bool(heap["connected"])
    result["shuttingDown"] = bool(heap["shutdown"])
    if name == "serverError" and (entry["errno"] or "tls" in golden["name"]):
        # Rule 17. The end of a TLS connection is a loss.
        del result["connected"]
    server = heap["server"] == "ReadWrite"
    if server == result.get("connected"):
        result["server"] = server
    loose = any(each.startswith("trace:") for each in golden["platform_dependent"])
    unstable = golden["unstable"].get("trace", [])
    if (
        "pending" in heap
        and f"{entry['ev']}.heap.pending" not in unstable
        and (not loose or name == "put")
    ):
        result["pending"] = heap["pending"]
    return result


def heard(log: list[Entry], golden: dict[str, Any]) -> list[list[Any]]:
    """
    Rule 9.

    @return: for each compared connection of the peer, the listener, the client's
        address and port, and the bytes that it has sent.
    """
    digest = "read.sha1" not in golden["unstable"].get("peer_trace", [])
    connections: dict[str, list[Any]] = {}
    for entry in log:
        tag = entry.get("conn", "")
        if entry["ev"].startswith("accept"):
            connections[tag] = [
                tag.partition("#")[0],
                entry.get("addr"),
                entry.get("port", "@ephemeral"),
                [],
            ]
        elif tag and entry["ev"].startswith("read") and entry["n"]:
            text = entry.get("data") or [entry["n"], entry.get("sha1")]
            connections[tag][3].append(text if digest else "?")
    return sorted(
        (
            connection
            for connection in connections.values()
            if connection[3]
            or connection[1] not in _LOCAL
            or connection[2] != "@ephemeral"
        ),
        key=lambda connection: str(connection[0]),
    )


def patient(trace: list[Entry], golden: dict[str, Any]) -> list[Entry]:
    """
    Rule 14.
    """
    listeners = (golden["peer"] or {"listeners": {}})["listeners"].values()
    if not any("listen_after" in listener for listener in listeners):
        return trace
    return [
        entry
        for before, entry in zip([{}, *trace], trace, strict=False)
        if not entry["ev"] == before.get("ev") == "connectError"
    ]


def refusedInstead(golden: dict[str, Any], trace: list[Entry]) -> bool:
    """
    Rule 16.
    """
    failures = [e for e in golden["trace"] if e["ev"] == "ConnectError"]
    return (
        [entry["ev"] for entry in trace] == ["refused"]
        and trace[0]["error"] == "ValueError"
        and bool(failures)
        and failures[0]["op"] in REFUSED
    )


def difference(expected: list[Entry], got: list[Entry]) -> str | None:
    """
    @param expected: entries. A field that one of them does not have is not compared;
        C{notBefore} is a number of seconds since the beginning.

    @return: the first difference in words, or None.
    """
    for number, (wanted, entry) in enumerate(zip(expected, got, strict=False), 1):
        if wanted["ev"] != entry["ev"]:
            return f"#{number}: expected {shown(wanted)}, got {shown(entry)}"
        for field, value in wanted.items():
            if field == "notBefore":
                if entry["t"] < value:
                    return f"#{number} {entry['ev']}: came after {entry['t']} s"
            elif field not in entry or entry[field] != value:
                return (
                    f"#{number} {entry['ev']}: {field}: expected {value!r}, "
                    f"got {entry.get(field)!r}"
                )
    if len(expected) > len(got):
        return f"#{len(got) + 1}: expected {shown(expected[len(got)])}, got no more"
    if len(got) > len(expected):
        return (
            f"#{len(expected) + 1}: expected no more, got {shown(got[len(expected)])}"
        )
    return None


def shown(entry: Entry) -> str:
    """
    @return: an entry in short.
    """
    flags = ("ev", "t", "connected", "shuttingDown", "server", "pending")
    fields = ", ".join(f"{k}={v!r}" for k, v in entry.items() if k not in flags)
    return f"{entry['ev']}({fields})"


def broken(trace: list[Entry]) -> str | None:
    """
    Check the rules that our trace of any scenario follows: one C{disconnected} for each
    C{connected}, at most one C{serverError} between them, no callback outside, and an
    end.

    @return: the rule that this trace breaks, or None.
    """
    names = [entry["ev"] for entry in trace]
    if "disconnected" in names and "connected" in names:
        isConnected = False
        errors = 0
        for name in names:
            if name in ("connected", "disconnected"):
                if isConnected == (name == "connected"):
                    return f"{name} is called twice in a row"
                isConnected = not isConnected
                errors = 0
            elif name in ("serverInput", "serverError", "serverFlushed"):
                errors += name == "serverError"
                if not isConnected or errors > 1:
                    return f"{name} is called after the end of the connection"
    if names.count("started") > 1 or names.count("stopped") > 1:
        return "started or stopped is called twice"
    if "deadline" in names:
        return "it does not end"
    return None
