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
    One run of a competitor, with its measurements.

    @ivar port: the port of the server.
    @ivar args: more arguments.
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
        Begin to measure.
        """
        self._memory = memory()
        self._cpu = cpuSeconds()

    def end(self, *args: object) -> None:
        """
        End the measurement.
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
        Send figures to the other end.
        """
        print(json.dumps(figures), flush=True)


def cpuSeconds() -> float:
    """
    @return: the CPU time of this process, user and system.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def memory(name: str = "VmRSS") -> int:
    """
    @return: the value in bytes that Linux reports under this name. (C{ru_maxrss}, which
        other systems report, can be the value of the parent process on Linux.)
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
