"""
Workloads, rounds, ratios and bounds.

In each round, the competitors run the same workload once, one after another, each in
its own process. This process is the server, and checks every byte. A ratio compares two
figures of the same round. The tables show the median of all rounds.
"""

from __future__ import annotations

import json
import os
import platform
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from shutil import which
from statistics import median
from threading import Timer
from typing import Any

HOST = "127.0.0.1"
READ = 65536
KIB = 1024
MIB = 1024 * KIB

OURS = "clienttcp"
LIMIT = "limit"

#: The time in seconds after which a competitor is killed.
TIMEOUT = 600

NOT_INSTALLED = "missing"


class Failed(Exception):
    """
    A competitor failed, or did not deliver the right data.
    """


def always() -> str:
    """
    Return an empty string: the competitor can always run.
    """
    return ""


@dataclass(frozen=True)
class Competitor:
    """
    A program that runs a workload.

    @ivar go: runs the workload once.
    @ivar missing: returns a word that is printed if it cannot run here; empty if it
        can.
    @ivar share: the fraction of the workload that it runs: less than 1 if it is slow.
    """

    go: Callable[..., Any]
    missing: Callable[[], str] = always
    share: float = 1


@dataclass(frozen=True)
class Ratio:
    """
    A figure divided by that of another competitor in the same round.

    @ivar to: the name of the other competitor.
    @ivar most: for some competitors, the greatest ratio that is acceptable.
    @ivar title: the printed name of the other competitor; empty to print C{to}.
    """

    to: str
    most: dict[str, float] = field(default_factory=dict)
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """
    A figure that each run reports.

    @ivar key: its name in the result of L{Workload.measure}.
    @ivar title: its printed name, with its unit.
    @ivar unit: the factor that converts the value to the printed unit.
    @ivar ratios: the ratios to print next to it.
    @ivar most: for some competitors, the greatest value that is acceptable, in the
        printed unit.
    @ivar digits: the number of printed decimal places.
    """

    key: str
    title: str
    unit: float = 1
    ratios: tuple[Ratio, ...] = ()
    most: dict[str, float] = field(default_factory=dict)
    digits: int = 3


@dataclass(frozen=True)
class Workload:
    """
    A workload, and its competitors.
    """

    title: str
    competitors: dict[str, Competitor]
    figures: tuple[Figure, ...]

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Make a competitor run this workload once.

        @return: the value of each figure, by its key.

        @raise Failed: if it did not deliver the right data.
        @raise OSError: if a connection fails.
        """
        raise NotImplementedError


class Opponent:
    """
    One run of a competitor: its process, and the server that it connects to.

    @ivar scale: the fraction of the workload that it runs.
    """

    process: subprocess.Popen[bytes] | None = None

    def __init__(
        self, table: str, key: str, workload: Workload, name: str, scale: float
    ):
        self._which = (table, key, name)
        self.name = name
        self.competitor = workload.competitors[name]
        self.scale = scale * self.competitor.share
        self._listener = socket.create_server((HOST, 0), backlog=4096)
        self._listener.settimeout(60)
        self.port: int = self._listener.getsockname()[1]

    def part(self, amount: int) -> int:
        """
        @return: this number times C{scale}, but at least 1.
        """
        return max(1, round(amount * self.scale))

    def command(self, *args: object) -> list[str]:
        """
        @return: the command that runs the competitor (see L{benchmarks.run}).
        """
        words = [*self._which, self.port, *args]
        return [sys.executable, "-m", "benchmarks.run", *map(str, words)]

    def start(self, *args: object) -> None:
        """
        Start the process of the competitor.

        @param args: the attribute C{args} of its L{Run<benchmarks.run.Run>}.
        """
        self.launch(self.command(*args), stdout=subprocess.PIPE)

    def launch(self, command: list[str], **how: Any) -> subprocess.Popen[bytes]:
        """
        Start a process, and kill it after L{TIMEOUT} seconds.
        """
        self.process = process = subprocess.Popen(command, **how)
        self._timer = Timer(TIMEOUT, process.kill)
        self._timer.daemon = True
        self._timer.start()
        return process

    def accept(self) -> socket.socket:
        """
        @return: the next connection of the competitor.
        """
        server, _ = self._listener.accept()
        server.settimeout(60)
        return server

    def report(self) -> dict[str, Any]:
        """
        @return: the next report of the competitor.

        @raise Failed: if it has ended without a report.
        """
        assert self.process is not None and self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"exit status {self.process.wait()}")
        report: dict[str, Any] = json.loads(line)
        return report

    def close(self) -> None:
        """
        Close everything that is still open.
        """
        self._listener.close()
        if self.process is not None:
            self._timer.cancel()
            self.process.kill()
            self.process.__exit__(None, None, None)


def expect(server: Callable[[int], bytes], pattern: bytes, length: int) -> None:
    """
    Read to the end of the stream, and check every byte.

    @param server: reads and returns at most the given number of bytes.
    @param pattern: the bytes that are sent repeatedly.
    @param length: the number of bytes that must arrive.

    @raise Failed: if anything else arrives.
    """
    for _ in expected(server, pattern, length):
        pass


def expected(
    server: Callable[[int], bytes], pattern: bytes, length: int
) -> Iterable[bytes]:
    """
    Like L{expect}, but yield the bytes as they are read.
    """
    # Each read is a slice of this.
    twice = pattern * 2
    arrived = 0
    while data := server(min(READ * 4, len(pattern))):
        if not twice.startswith(data, arrived % len(pattern)):
            raise Failed(f"other bytes than were sent, after {arrived} bytes")
        arrived += len(data)
        yield data
    same(arrived, length)


@cache
def noise() -> bytes:
    """
    @return: 1 MiB of random bytes, which are the same in each run.
    """
    return random.Random(0).randbytes(MIB)


def same(arrived: int, sent: int) -> None:
    """
    @raise Failed: unless all bytes that were sent have arrived.
    """
    if arrived != sent:
        raise Failed(f"{arrived} bytes arrived, not {sent}")


# -- requirements of competitors


def program(name: str) -> Callable[[], str]:
    """
    @return: the function L{Competitor.missing} of a competitor that needs a program.
    """
    return lambda: "" if which(name) else NOT_INSTALLED


def perl() -> str:
    """
    Require Perl's POE.
    """
    try:
        done = subprocess.run(["perl", "-MPOE", "-e", "exit"], capture_output=True)
    except OSError:
        return NOT_INSTALLED
    return NOT_INSTALLED if done.returncode else ""


def tls() -> str:
    """
    Require the packages for TLS and certificates.
    """
    needed = ("OpenSSL", "service_identity", "trustme")
    return "" if all(map(find_spec, needed)) else NOT_INSTALLED


def uvloop() -> str:
    """
    Require uvloop.
    """
    return "" if find_spec("uvloop") else NOT_INSTALLED


# -- rounds


def compare(
    table: str, key: str, workload: Workload, rounds: int, scale: float
) -> dict[str, Any]:
    """
    Make all competitors run one workload.

    @param scale: the fraction of the workload to run.

    @return: for each competitor, the medians of its figures, or the word that is
        printed because it cannot run.

    @raise Failed: if a competitor did not deliver the right data.
    """
    words = {
        name: competitor.missing() for name, competitor in workload.competitors.items()
    }
    names = [name for name, word in words.items() if not word]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(rounds):
        # Rotate the order, in case a run affects the next one.
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            runs[name].append(_once(table, key, workload, name, scale))
    return {
        name: word
        or {figure.key: _median(figure, name, runs) for figure in workload.figures}
        for name, word in words.items()
    }


def _once(
    table: str, key: str, workload: Workload, name: str, scale: float
) -> dict[str, float]:
    opponent = Opponent(table, key, workload, name, scale)
    try:
        return workload.measure(opponent)
    except (OSError, ValueError, Failed) as error:
        raise Failed(f"{key}, {name}: {error}") from error
    finally:
        opponent.close()


def _median(
    figure: Figure, name: str, runs: dict[str, list[dict[str, float]]]
) -> dict[str, Any]:
    """
    @return: the median of a figure of one competitor, with its ratios and bounds.
    """
    own = [run[figure.key] for run in runs[name]]
    ratios = {}
    for ratio in figure.ratios:
        others = [run[figure.key] for run in runs.get(ratio.to, ())]
        value = None
        if others and all(others):
            value = median(a / b for a, b in zip(own, others, strict=True))
        ratios[ratio.to] = {"ratio": value, "most": ratio.most.get(name)}
    return {
        "value": median(own) * figure.unit,
        "most": figure.most.get(name),
        "ratios": ratios,
    }


def machine() -> dict[str, str]:
    """
    @return: a description of the machine and of the versions used.
    """
    return {
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "twisted": f"Twisted {version('twisted')}",
    }
