"""
C{python -m tests.conformance [FOLDER [NAME ...]]}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.task import react
from twisted.logger import globalLogBeginner

from .runner import GOLDEN, Outcome, expectation, load, run


async def main(reactor: Any, *words: str) -> None:
    """
    Run scenarios and print a line for each.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Run recorded scenarios with this package and compare the traces.",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=GOLDEN, help="where the files are"
    )
    parser.add_argument("names", nargs="*", help="the scenarios to run (default: all)")
    parser.add_argument(
        "-j", "--jobs", type=int, default=4, help="how many at a time (default: 4)"
    )
    parser.add_argument(
        "--trace", action="store_true", help="print our traces, an entry a line"
    )
    options = parser.parse_args(words)
    names = options.names or sorted(
        path.stem for path in options.folder.glob("*.json") if "client" in load(path)
    )
    for name in options.names:
        if not (options.folder / f"{name}.json").is_file():
            parser.error(f"there is no scenario {name} in {options.folder}")
    if not names:
        parser.error(f"there are no scenarios in {options.folder}")
    # The errors that a scenario provokes are part of its trace.
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    places = DeferredSemaphore(options.jobs)

    def one(name: str) -> Deferred[Outcome]:
        golden = load(options.folder / f"{name}.json")
        return Deferred.fromCoroutine(
            run(reactor, golden, expectation(name, options.folder))
        )

    counts: Counter[str] = Counter()
    for place in [places.run(one, name) for name in names]:
        outcome = await place
        counts[outcome.verdict] += 1
        print(outcome, flush=True)
        if options.trace:
            for entry in outcome.trace:
                print("   ", json.dumps(entry))
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    if counts["different"]:
        raise SystemExit(1)


if __name__ == "__main__":
    react(main, sys.argv[1:])
