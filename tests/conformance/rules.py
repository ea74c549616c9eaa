"""
How our trace is compared with the recorded one. All that may differ stands here:

 1. I{Names} are ours: C{serverInput} for C{ServerInput}, C{stopped} for the C{_stop} of
    the session (L{NAMES}).
 2. I{Two parameters} have the value that means what POE does: C{autoReconnect=False},
    and a short C{lingerTimeout}, since POE does not wait for the peer to end its side
    (L{PARAMETERS}).
 3. I{C{ConnectTimeout} counts whole seconds of the wall clock} in POE. Where a scenario
    says in which fraction of a second it begins, ours gets only the rest.
 4. I{Perl's own affairs} are left out: what C{new} returned, the end of the process and
    of other sessions, the types of references, the texts of exceptions, the wheel's id
    that C{Disconnected} happens to get, the internal keys of the heap. A flag that is
    undefined is false.
 5. I{The component's callbacks are never nested.} What POE calls inside another one we
    call after it; the flags of what the outer one did after that are not compared.
 6. I{C{stopped} comes with the end of the last connection or attempt}, a session's
    C{_stop} when its last timer is gone too. So it is compared as the last entry,
    without flags; and where a timer starts a client again that has stopped, that it
    has is not compared.
 7. I{A closing connection is there until C{disconnected}}: C{server} is compared only
    where a client is connected, or has nothing to do with one any more.
 8. I{What the default error handlers print} is compared without the client's name, at
    the end of the trace.
 9. I{Of the peer}, what is compared is which octets each connection brought it, and
    from which address if a particular one was asked for. Connections that brought
    none (an attempt given up at once) do not count.
10. I{When a shutdown and a flush come in the same turn}, asked for from a timer, which
    of them is first is scheduling: the flags of that C{serverFlushed} are not compared.
11. I{What differed between the runs of the original}, or depends on the platform, is
    not compared.
12. I{Four faults of the original} are in many recordings, also of scenarios that are
    about something else, and are taken out of all of them (L{_repaired}):
    C{Disconnected} is not called when a client reconnects while it is connected;
    records of the connection that was given up still come; one loss gives two
    C{ServerError}s; C{ServerHigh} is not called when C{put} reaches the mark, nor
    C{ServerLow} after a small put between the marks.
13. I{Constructors} either take their parameters or not; the texts of errors are ours.
14. I{How often a peer refuses} that listens only after a while depends on the load:
    refusals in a row count as one.
15. I{An event that nobody handles} is ignored in POE. Here the order that posts it
    raises, and the scenario goes on behind that.
16. I{An address that cannot be one} is refused by our constructor, by name, where POE
    tells C{ConnectError} of it later (L{REFUSED}).
17. I{A loss is visible at once}: C{connected} is false in C{serverError}, where it is
    still true in POE, which clears the flag together with the wheel, behind
    C{ServerError}. This is on purpose: a callback that reads the flag must not put
    records on a lost connection, and while an awaited result delays C{serverError},
    other code reads it too. So only this flag is not compared there, unless the peer
    has only ended its side; that it is false is tested with the order of callbacks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

#: An entry of a trace, as it is compared.
Entry = dict[str, Any]

#: What POE calls the callbacks, and what we do.
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
    @return: what the default error handlers say in those lines (rule 8).
    """
    return [match[1] for line in lines if (match := _PRINTED.match(line))]


def recorded(
    golden: dict[str, Any], run: dict[str, Any], repaired: bool = True
) -> list[Entry]:
    """
    @param run: the golden file itself, or one of its other runs.
    @param repaired: without the faults of rule 12.

    @return: the trace of the original, as it is compared.
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
    Put last what has no place of its own: C{stopped} (rule 6), then sums, then what was
    printed (rule 8).
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
    Rule 5: move what is nested behind the callback that it stands in.
    """
    result: list[Entry] = []
    inner: list[Entry] = []
    # For each depth: whether the callback there is moved.
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
        # Two clients, and the trace does not tell them apart.
        return trace
    told = {name for name in NAMES if name not in client.get("omit", ())}
    repaired: list[Entry] = []
    isConnected = isHigh = reachedHigh = hasFailed = isOld = False
    for entry in trace:
        name = entry["ev"]
        givenUp = (entry.get("heap") or {}).get("server") == "SocketFactory"
        if isConnected and (givenUp or name == "Connected"):
            isConnected = isHigh = reachedHigh = False
            if "Disconnected" in told:
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
            if name != "ServerHigh" and "ServerHigh" in told:
                repaired.append({"ev": "ServerHigh"})
        if not isHigh and (entry.get("ret") or entry.get("first_true")):
            isHigh = reachedHigh = name.startswith("put")
        elif name == "ServerHigh":
            isHigh = True
        elif name == "ServerLow":
            isHigh = False
        elif name == "ServerFlushed" and isHigh:
            isHigh = False
            if "ServerLow" in told:
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

    @return: for each connection of the peer that is compared, the listener, the
        client's address and port, and what it read.
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
    @param expected: entries; what one of them does not say is not compared, and
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
    What holds in every trace of ours, whatever the scenario: C{disconnected} once for
    each C{connected}, at most one C{serverError} between, no callback outside, and an
    end.

    @return: what does not hold in this one, or None.
    """
    names = [entry["ev"] for entry in trace]
    if "disconnected" in names and "connected" in names:
        isConnected = False
        errors = 0
        for name in names:
            if name in ("connected", "disconnected"):
                if isConnected == (name == "connected"):
                    return f"{name} comes twice in a row"
                isConnected = not isConnected
                errors = 0
            elif name in ("serverInput", "serverError", "serverFlushed"):
                errors += name == "serverError"
                if not isConnected or errors > 1:
                    return f"{name} comes after the end of the connection"
    if names.count("started") > 1 or names.count("stopped") > 1:
        return "started or stopped comes twice"
    if "deadline" in names:
        return "it does not come to an end"
    return None
