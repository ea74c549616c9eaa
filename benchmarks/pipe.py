"""
The command beside ncat and socat: a pipe into a local server, and out of one.

What counts is the CPU time of the whole process, from its start to its end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from socket import SHUT_WR
from threading import Thread
from typing import Any

from .measure import (
    HOST,
    MIB,
    OURS,
    Competitor,
    Failed,
    Figure,
    Opponent,
    Ratio,
    Work,
    expect,
    noise,
    program,
)

NCAT = "ncat"


@dataclass(frozen=True)
class Pipe(Work):
    """
    Bytes through a command.

    @ivar size: how many MiB.
    @ivar into: whether they go to the server; otherwise they come from there.
    """

    size: int
    into: bool

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Feed one end and read the other.
        """
        size = opponent.part(self.size)
        process = opponent.launch(
            opponent.competitor.go(str(opponent.port), self.into),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL if self.into else subprocess.PIPE,
        )
        # Whoever runs it sees to these by stdin and stdout above.
        source: Any = process.stdin
        sink: Any = process.stdout
        with opponent.accept() as server:
            if self.into:
                feeding = _feed(size, source.write, source.close)
                expect(server.recv, noise(), size * MIB)
            else:
                feeding = _feed(size, server.sendall, lambda: server.shutdown(SHUT_WR))
                expect(partial(os.read, sink.fileno()), noise(), size * MIB)
            feeding.join()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Failed(f"exit status {process.returncode}")
        return {"seconds": usage.ru_utime + usage.ru_stime}


def _feed(
    size: int, write: Callable[[bytes], object], end: Callable[[], object]
) -> Thread:
    """
    Write so many MiB, beside what else is done.
    """

    def feed() -> None:
        try:
            for _ in range(size):
                write(noise())
            end()
        except OSError:
            # Whoever reads will miss it.
            pass

    thread = Thread(target=feed, daemon=True)
    thread.start()
    return thread


def ours(port: str, into: bool) -> list[str]:
    """
    C{clienttcp}, one way where it would be an error that standard input has not ended.
    """
    command = [sys.executable, "-m", "twisted_clienttcp"]
    way = [] if into else ["--recv-only"]
    return [*command, *way, "--framing", "stream", HOST, port]


def ncat(port: str, into: bool) -> list[str]:
    """
    C{ncat}, one way where it would wait for standard input to end too.
    """
    return [NCAT, *([] if into else ["--recv-only"]), HOST, port]


def socat(port: str, into: bool) -> list[str]:
    """
    C{socat}, one way.
    """
    server = f"TCP:{HOST}:{port}"
    return ["socat", "-u", *(["-", server] if into else [server, "-"])]


def _pipe(title: str, into: bool) -> Pipe:
    return Pipe(
        title,
        {
            NCAT: Competitor(ncat, program(NCAT)),
            OURS: Competitor(ours),
            "socat": Competitor(socat, program("socat")),
        },
        (Figure("seconds", "seconds", 1, (Ratio(NCAT, {OURS: 3.0}),), digits=2),),
        size=1024,
        into=into,
    )


WORKS = {
    "into": _pipe("1 GiB from standard input into a server", into=True),
    "out": _pipe("1 GiB out of a server to standard output", into=False),
}
