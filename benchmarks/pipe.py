"""
Compare the command with ncat and socat: pipe data into and out of a local server.

The figure is the CPU time of the whole process.
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
    Workload,
    expect,
    noise,
    program,
)

NCAT = "ncat"


@dataclass(frozen=True)
class Pipe(Workload):
    """
    Bytes that pass through a command.

    @ivar size: the number of MiB.
    @ivar into: True to send from standard input to the server; False to receive from
        the server to standard output.
    """

    size: int
    into: bool

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Write to one end and read the other.
        """
        size = opponent.part(self.size)
        process = opponent.launch(
            opponent.competitor.go(str(opponent.port), self.into),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL if self.into else subprocess.PIPE,
        )
        # One of the streams may be None, but only the other one is used.
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
    Start a thread that writes data.

    @param size: the number of MiB.
    @param write: writes a piece of the data.
    @param end: called after the last piece.
    """

    def feed() -> None:
        try:
            for _ in range(size):
                write(noise())
            end()
        except OSError:
            # The reader reports that bytes are missing.
            pass

    thread = Thread(target=feed, daemon=True)
    thread.start()
    return thread


def ours(port: str, into: bool) -> list[str]:
    """
    C{clienttcp}, with C{--recv-only} if the server sends: it would be an error not to
    send all of standard input.
    """
    command = [sys.executable, "-m", "twisted_clienttcp"]
    way = [] if into else ["--recv-only"]
    return [*command, *way, "--framing", "stream", HOST, port]


def ncat(port: str, into: bool) -> list[str]:
    """
    C{ncat}, with C{--recv-only} if the server sends: it would wait for the end of
    standard input.
    """
    return [NCAT, *([] if into else ["--recv-only"]), HOST, port]


def socat(port: str, into: bool) -> list[str]:
    """
    C{socat}, in one direction.
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


WORKLOADS = {
    "into": _pipe("1 GiB from standard input into a server", into=True),
    "out": _pipe("1 GiB out of a server to standard output", into=False),
}
