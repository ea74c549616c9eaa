"""
Run the workloads of a table, and print the figures of each competitor::

    python -m benchmarks inbound
    python -m benchmarks framings --only netstring slip --rounds 3
    python -m benchmarks outbound --plot outbound.svg
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from . import connections, echo, framings, herd, inbound, outbound, pipe
from .measure import Failed, compare, machine
from .plot import plot
from .show import show

TABLES: dict[str, Any] = {
    "inbound": inbound.WORKLOADS,
    "framings": framings.WORKLOADS,
    "outbound": outbound.WORKLOADS,
    "echo": echo.WORKLOADS,
    "herd": herd.WORKLOADS,
    "connections": connections.WORKLOADS,
    "pipe": pipe.WORKLOADS,
}


def main() -> int:
    """
    Run the command.

    @return: the exit status: 1 if a competitor did not deliver the right data.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument(
        "--only", nargs="+", metavar="WORKLOAD", help="run only these workloads"
    )
    parser.add_argument(
        "--scale", type=float, default=1, help="run only this part of each workload"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the ratios: SVG"
    )
    options = parser.parse_args()
    workloads = TABLES[options.table]
    if options.rounds < 1 or options.scale <= 0:
        parser.error("--rounds and --scale must be positive")
    for key in options.only or ():
        if key not in workloads:
            parser.error(f"unknown workload {key!r}: use one of {', '.join(workloads)}")
    if not options.json:
        print(*machine().values(), sep="; ")
    report: dict[str, Any] = {"machine": machine(), "rounds": options.rounds}
    report["workloads"] = {}
    try:
        for key in options.only or workloads:
            workload = workloads[key]
            results = compare(
                options.table, key, workload, options.rounds, options.scale
            )
            report["workloads"][key] = results
            if not options.json:
                print(f"\n{show(workload, results)}", flush=True)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(report, indent=2))
    if options.plot is not None:
        drawn = {key: workloads[key] for key in report["workloads"]}
        title = f"{options.table}: {', '.join(machine().values())}"
        options.plot.write_text(plot(title, drawn, report["workloads"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
