"""
Tests that the benchmarks run, print the right tables, and fail if a byte is missing. No
test depends on the speed of anything.
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import connections, echo, herd, inbound, outbound, pipe
from benchmarks.__main__ import TABLES
from benchmarks.measure import (
    LIMIT,
    OURS,
    Competitor,
    Failed,
    Figure,
    Opponent,
    Ratio,
    Workload,
    compare,
)
from benchmarks.plot import plot
from benchmarks.show import WIDTH, show

from .._processes import Completed, completed

#: The smallest amounts for each table.
FEW: dict[str, tuple[str, ...]] = {
    "inbound": ("--only", "lines16", "hugeBlock", "unequal4", "swap", "turn"),
    "framings": ("--only", "netstring", "json", "slipUnequal"),
    "pipe": ("--scale", "0.002"),
}


def run(table: str, *args: object) -> Completed:
    """
    Run a table as a user would.
    """
    command = [sys.executable, "-m", "benchmarks", table, "--rounds", "1"]
    command += ["--scale", "0.001", *FEW.get(table, ()), *map(str, args)]
    return completed(*command, seconds=200)


class TableTests(SynchronousTestCase):
    """
    Each table, once, with the smallest amounts.
    """

    def check(self, table: str) -> None:
        """
        Every workload and every competitor has its row, with a number or a word.
        """
        done = run(table)
        self.assertEqual(done.returncode, 0, done.stderr)
        workloads = TABLES[table]
        only = [word for word in FEW.get(table, ()) if word in workloads]
        blocks = done.stdout.split("\n\n")[1:]
        self.assertEqual(len(blocks), len(only or workloads), done.stdout)
        for key, block in zip(only or workloads, blocks, strict=True):
            title, *rows = block.splitlines()
            self.assertEqual(title, workloads[key].title)
            for figure in workloads[key].figures:
                self.assertIn(f"  {figure.title}", block)
            # A wide table is folded: each competitor has a row in each part.
            for name in workloads[key].competitors:
                pattern = rf"(?m)^  {name} +(-?\d[\d.]*\b|missing$)"
                self.assertRegex(block, pattern)
            self.assertLessEqual(max(map(len, rows)), WIDTH)

    def test_inbound(self) -> None:
        """
        The table of received records.
        """
        self.check("inbound")

    def test_framings(self) -> None:
        """
        The table of the other framings.
        """
        self.check("framings")

    def test_outbound(self) -> None:
        """
        The table of sent records, and of a file.
        """
        self.check("outbound")

    def test_echo(self) -> None:
        """
        The table of lines that are echoed.
        """
        self.check("echo")

    def test_herd(self) -> None:
        """
        The table of the simulation.
        """
        self.check("herd")

    def test_connections(self) -> None:
        """
        The tables of idle connections, and of repeated connections.
        """
        self.check("connections")

    def test_pipe(self) -> None:
        """
        The table of the command.
        """
        self.check("pipe")

    def test_jsonAndPlot(self) -> None:
        """
        The same as JSON, for one workload, and as a picture.
        """
        picture = Path(self.mktemp()).absolute()
        done = run("herd", "--only", "down", "--json", "--plot", picture)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(list(report["workloads"]), ["down"])
        self.assertEqual(report["workloads"]["down"][OURS]["peak"]["most"], 2)
        self.assertIn("10,000 clients", picture.read_text())

    def test_unknownWork(self) -> None:
        """
        An unknown workload is rejected, with the known ones in the message.
        """
        done = run("echo", "--only", "nothing")
        self.assertEqual(done.returncode, 2)
        self.assertIn("unknown workload 'nothing': use one of lines", done.stderr)


class LossTests(SynchronousTestCase):
    """
    A competitor that does not deliver everything fails the benchmark, by name.
    """

    def fails(self, workload: Workload, reason: str, script: str | None = None) -> None:
        """
        One round of a workload fails for a reason.

        @param script: the script that replaces its competitor, with C{server}
            connected.
        """
        if script is not None:
            head = dedent(
                """\
                import json, socket, sys
                port = int(sys.argv[1])
                server = socket.create_connection(("127.0.0.1", port))
                def tell(**report):
                    print(json.dumps({"cpu": 1, "peak": 0, "growth": 0, **report}))
                """
            )
            lines = head + dedent(script)

            def command(opponent: Opponent, *args: object) -> list[str]:
                return [
                    sys.executable,
                    "-c",
                    lines,
                    str(opponent.port),
                    *map(str, args),
                ]

            self.patch(Opponent, "command", command)
        name = next(iter(workload.competitors))
        workload = replace(workload, competitors={name: workload.competitors[name]})
        failed = self.assertRaises(Failed, compare, "table", "key", workload, 1, 0.001)
        self.assertRegex(str(failed), f"^key, {name}: {reason}")

    def test_inbound(self) -> None:
        """
        Fewer bytes have been delivered than were sent.
        """
        script = """
            while server.recv(65536): pass
            tell(bytes=15999)
            """
        self.fails(
            inbound.WORKLOADS["lines16"], "15999 bytes arrived, not 16000$", script
        )

    def test_outbound(self) -> None:
        """
        The last byte has not arrived.
        """
        script = """
            from benchmarks.outbound import SENT
            server.sendall(SENT[:-1])
            server.shutdown(socket.SHUT_WR)
            server.recv(1)
            tell()
            """
        self.fails(
            outbound.WORKLOADS["records"], "32999 bytes arrived, not 33000$", script
        )

    def test_otherBytes(self) -> None:
        """
        The number of bytes is right, but the bytes are wrong.
        """
        script = """
            from benchmarks.outbound import SENT
            server.sendall(SENT[33:] + SENT[:33])
            """
        self.fails(outbound.WORKLOADS["records"], "other bytes than were sent", script)

    def test_file(self) -> None:
        """
        A file has arrived twice.
        """
        script = """
            server.sendall(open(sys.argv[2], "rb").read() * 2)
            """
        self.fails(
            outbound.WORKLOADS["file"], "2097152 bytes arrived, not 1048576$", script
        )

    def test_echo(self) -> None:
        """
        A line that was echoed has not been delivered.
        """
        script = """
            from benchmarks.outbound import SENT
            server.sendall(SENT[:33 * 50])
            server.shutdown(socket.SHUT_WR)
            while server.recv(65536): pass
            tell(bytes=32 * 49)
            """
        self.fails(echo.WORKLOADS["lines"], "1568 bytes arrived, not 1600$", script)

    def test_connections(self) -> None:
        """
        A connection is silent.
        """
        script = """
            more = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
            tell(bytes=0)
            tell(bytes=50)
            """
        self.fails(connections.WORKLOADS["idle"], "50 bytes arrived, not 60$", script)

    def test_cycles(self) -> None:
        """
        A connection was lost before anything was received.
        """
        script = """
            for _ in range(5):
                server = socket.create_connection(("127.0.0.1", port))
            tell(bytes=50, memory=0)
            """
        self.fails(connections.WORKLOADS["cycles"], "50 bytes arrived, not 60$", script)

    def test_pipe(self) -> None:
        """
        A command does not pass on the last byte.
        """
        script = dedent(
            """
            import socket, sys
            server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            if sys.argv[2] == "into":
                server.sendall(sys.stdin.buffer.read()[:-1])
            else:
                data = server.makefile("rb").read()
                sys.stdout.buffer.write(data[:-1])
            """
        )

        def command(port: str, into: bool) -> list[str]:
            return [sys.executable, "-c", script, port, "into" if into else "out"]

        for key, workload in pipe.WORKLOADS.items():
            lossy = replace(workload, competitors={key: Competitor(command)})
            self.fails(lossy, "1048575 bytes arrived, not 1048576$")

    def test_ends(self) -> None:
        """
        A competitor ends without a report.
        """
        script = """
            while server.recv(65536): pass
            sys.exit(3)
            """
        self.fails(inbound.WORKLOADS["lines16"], "exit status 3$", script)


class HerdTests(SynchronousTestCase):
    """
    The simulation counts attempts.
    """

    def test_counts(self) -> None:
        """
        Each attempt is counted in its second, until the time is over.
        """
        counts = herd.simulate([lambda: 100.0, lambda: 250.0, lambda: 2000.0])
        attempts = {second: n for second, n in enumerate(counts) if n}
        once = dict.fromkeys([100, 200, 250, 300, 400, 600, 700, 750, 800, 900], 1)
        self.assertEqual(attempts, {**once, 500: 2})

    def test_counting(self) -> None:
        """
        A policy is called with the number of failures in a row, from 1.
        """
        wait = herd.counting(float)
        self.assertEqual([wait(), wait(), wait()], [1.0, 2.0, 3.0])

    def test_reconnecting(self) -> None:
        """
        The factory's waits grow, but not if it was connected each time.
        """
        self.patch(random, "normalvariate", lambda mean, deviation: mean)
        growing = herd.reconnecting(accepted=False)
        first, *_, last = [growing() for _ in range(10)]
        self.assertLess(first, 3)
        self.assertGreater(last, 100)
        steady = herd.reconnecting(accepted=True)
        self.assertLess(max(steady() for _ in range(10)), 3)


class ReportTests(SynchronousTestCase):
    """
    Medians, ratios and bounds.
    """

    def workload(self, *seconds: float) -> tuple[Workload, dict[str, Any]]:
        """
        @return: a workload in which we may take at most twice the limit, and the
            results of rounds in which we take these seconds and the limit takes 2.
        """
        ours = iter(seconds)

        class Fake(Workload):
            def measure(self, opponent: Opponent) -> dict[str, float]:
                return {"seconds": 2.0 if opponent.name == LIMIT else next(ours)}

        competitors = {
            LIMIT: Competitor(int),
            OURS: Competitor(int),
            "rival": Competitor(int, lambda: "missing"),
        }
        figure = Figure("seconds", "ms", 1e3, (Ratio(LIMIT, {OURS: 2}),), digits=1)
        workload = Fake("a work", competitors, (figure,))
        return workload, compare("table", "key", workload, len(seconds), 1)

    def test_medians(self) -> None:
        """
        The table shows the median of the rounds, for ratios too.
        """
        _, results = self.workload(3, 100, 1)
        self.assertEqual(
            results[OURS]["seconds"],
            {"value": 3000, "most": None, "ratios": {LIMIT: {"ratio": 1.5, "most": 2}}},
        )

    def test_met(self) -> None:
        """
        The figure that was reached is next to its bound, and a missing row is named.
        """
        workload, results = self.workload(3)
        self.assertEqual(
            [line.split() for line in show(workload, results).splitlines()],
            [
                ["a", "work"],
                ["ms", "x", "limit", "at", "most"],
                ["limit", "2000.0", "1.00"],
                ["clienttcp", "3000.0", "1.50", "2.00"],
                ["rival", "missing"],
            ],
        )

    def test_missed(self) -> None:
        """
        A bound that is not reached is marked.
        """
        [row] = [line for line in show(*self.workload(5)).splitlines() if OURS in line]
        self.assertRegex(row, r"2\.50 +2\.00 MISSED$")

    def test_plot(self) -> None:
        """
        There is a bar for each ratio, from 1 on, and a mark for each bound.
        """
        workload, results = self.workload(1)
        tree = ElementTree.fromstring(
            plot("<title>", {"key": workload}, {"key": results})
        )
        found = {
            kind: [each.attrib for each in tree.iter() if each.get("class") == kind]
            for kind in ("ours", "rival", "one", "most")
        }
        [one], [ours], [limit], [most] = (
            found[kind] for kind in ("one", "ours", "rival", "most")
        )
        # Half as much as the limit: as far to the left as the bound is to the right.
        self.assertEqual(float(limit["width"]), 0)
        middle = float(one["x1"])
        self.assertAlmostEqual(float(ours["x"]) + float(ours["width"]), middle, delta=1)
        self.assertAlmostEqual(
            float(ours["width"]), float(most["x1"]) - middle, delta=1
        )
