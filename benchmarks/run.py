"""
The process of a competitor, which runs a workload once and reports its figures::

    python -m benchmarks.run TABLE WORKLOAD COMPETITOR PORT [ARGUMENT...]
"""

from __future__ import annotations

import gc
import json
import re
import resource
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from .measure import Workload

_STATUS = Path("/proc/self/status")


class Run:
    """
    The measurements of one run of a competitor.

    @ivar workload: the workload.
    @ivar port: the port of the server.
    @ivar args: the arguments that the workload has passed to L{Opponent.start}.
    @ivar deliver: the callback for input, which counts the bytes of a record.
    @ivar deliverBatch: the same for a list of records.
    @ivar delivered: returns the number of these bytes.
    """

    def __init__(self, workload: Workload, port: int, args: list[str]) -> None:
        self.workload: Any = workload
        self.port = port
        self.args = args
        count = 0

        def deliver(client: Any, record: Any) -> None:
            nonlocal count
            count += len(record)

        def deliverBatch(client: Any, records: list[Any]) -> None:
            nonlocal count
            count += sum(map(len, records))

        def delivered() -> int:
            return count

        self.deliver = deliver
        self.deliverBatch = deliverBatch
        self.delivered = delivered

    def begin(self, *args: object) -> None:
        """
        Begin the measurement.
        """
        self._memory = memory()
        self._cpu = cpuSeconds()

    def end(self, *args: object) -> None:
        """
        End the measurement, and report it.
        """
        cpu = cpuSeconds() - self._cpu
        gc.collect()
        self.report(
            cpu=cpu,
            growth=memory() - self._memory,
            peak=memory("VmHWM") - self._memory,
            bytes=self.delivered(),
        )

    def report(self, **figures: float) -> None:
        """
        Print figures for L{Opponent.report}.
        """
        print(json.dumps(figures), flush=True)


def cpuSeconds() -> float:
    """
    @return: the user and system CPU time of this process in seconds.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def memory(name: str = "VmRSS") -> int:
    """
    @param name: the name of a value in Linux's C{/proc/self/status}.

    @return: the value in bytes; on other systems, the greatest resident set size.
        (C{ru_maxrss} is not used on Linux, where it can be the value of the parent
        process.)
    """
    if _STATUS.exists():
        found = re.search(rf"{name}:\s*(\d+) kB", _STATUS.read_text())
        if found is not None:
            return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(table: str, key: str, name: str, port: str, *args: str) -> None:
    """
    Run a workload once.
    """
    workload = import_module(f"benchmarks.{table}").WORKLOADS[key]
    workload.competitors[name].go(Run(workload, int(port), list(args)))


if __name__ == "__main__":
    main(*sys.argv[1:])
