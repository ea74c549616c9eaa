"""
Run a table of works, and print what each competitor takes for a record::

    python -m benchmarks inbound
    python -m benchmarks framings --only netstring slip --rounds 3

In every round each competitor receives the same octets once, one after the other, each
in a process of its own; this process sends. What counts is the CPU time of the
receiving process, user and system, from when the connection is up until the end of the
stream. The ratio is that to the limit of the same round; of both the median is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
from importlib.metadata import version
from statistics import median
from typing import Any

from .competitors import BATCH, HOST, LIMIT, MIB, OURS, SHARE, TABLES, Work, available


class Failed(Exception):
    """
    A competitor has not delivered what was sent.
    """


def measure(key: str, work: Work, name: str, scale: float) -> dict[str, float]:
    """
    Run one competitor once.

    @return: the seconds per record, and the most memory that was taken, as a multiple
        of the octets sent.
    """
    size, records = work.size, work.records
    if records == 1:
        # A single record: what can be less is its size.
        size = max(1, round(size * scale))
        chunk, times = work.wire(size), 1
    else:
        wire = work.wire(size)
        lumps = max(1, MIB // len(wire))
        chunk = wire * lumps
        lumps *= work.lump
        times = max(1, round(records * scale * SHARE.get(name, 1) / lumps))
        records = times * lumps
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(60)
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.competitors", key, name, str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as receiver:
            try:
                server, _ = listener.accept()
                with server:
                    for _ in range(times):
                        server.sendall(chunk)
                    server.shutdown(socket.SHUT_WR)
                    output, _ = receiver.communicate(timeout=600)
            except (OSError, subprocess.TimeoutExpired) as error:
                receiver.kill()
                raise Failed(f"{key}, {name}: {error}") from error
    if receiver.returncode or not output:
        raise Failed(f"{key}, {name}: exit status {receiver.returncode}")
    report = json.loads(output)
    if report["octets"] != records * size:
        raise Failed(f"{key}, {name}: {report['octets']} octets, not {records * size}")
    return {
        "seconds": report["cpu"] / records,
        "peak": report["peak"] / (records * size),
    }


def compare(key: str, work: Work, rounds: int, scale: float) -> dict[str, Any]:
    """
    Let all competitors do one work.

    @return: for each of them the medians; None for those that cannot run yet.
    """
    names = [name for name in work.competitors if available(work, name)]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(rounds):
        # Nobody is always the one that follows the same other one.
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            runs[name].append(measure(key, work, name, scale))
    results: dict[str, Any] = dict.fromkeys(work.competitors)
    for name in names:
        pairs = zip(runs[name], runs[LIMIT], strict=True)
        results[name] = {
            "microseconds": median(run["seconds"] for run in runs[name]) * 1e6,
            "ratio": median(run["seconds"] / limit["seconds"] for run, limit in pairs),
            "must": work.must.get(name),
        }
        if work.records == 1:
            results[name]["peak"] = median(run["peak"] for run in runs[name])
            results[name]["mustPeak"] = work.peak if name == OURS else None
    return results


def show(work: Work, results: dict[str, Any]) -> None:
    """
    Print the results of one work.
    """
    print(f"\n{work.title}")
    print(f"  {'':28}{'us a record':>12}{'x limit':>9}{'at most':>9}")
    for name, result in results.items():
        if result is None:
            print(f"  {name:28}{'not yet' if name in (OURS, BATCH) else 'missing':>12}")
            continue
        line = f"  {name:28}{result['microseconds']:12.3f}{result['ratio']:9.2f}"
        must = result["must"]
        if must is not None:
            line += f"{must:9.2f}" + (" MISSED" if result["ratio"] > must else "")
        if "peak" in result:
            line += f"   peak {result['peak']:.2f} x"
            most = result["mustPeak"]
            if most is not None:
                line += f" (at most {most})"
                line += " MISSED" if result["peak"] > most else ""
        print(line, flush=True)


def machine() -> dict[str, str]:
    """
    @return: where this was measured.
    """
    return {
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "twisted": f"Twisted {version('twisted')}",
    }


def main() -> int:
    """
    @return: the exit status: 1 if a run has not delivered what was sent.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--only", nargs="+", metavar="WORK", help="these works alone")
    parser.add_argument("--scale", type=float, default=1, help="send that part alone")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    works = TABLES[options.table]
    if options.rounds < 1 or options.scale <= 0:
        parser.error("--rounds and --scale must be positive")
    for key in options.only or ():
        if key not in works:
            parser.error(f"no work {key!r}: there are {', '.join(works)}")
    if not options.json:
        print(*machine().values(), sep="; ")
    report: dict[str, Any] = {"machine": machine(), "rounds": options.rounds}
    report["works"] = {}
    try:
        for key in options.only or works:
            results = compare(key, works[key], options.rounds, options.scale)
            report["works"][key] = results
            if not options.json:
                show(works[key], results)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
