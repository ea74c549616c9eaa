"""
C{python -m tests.filter_cases [FILE]}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from .rules import VERDICTS, judge
from .runner import CASES


def main(words: list[str]) -> int:
    """
    Run the cases, print a line for each that differs or cannot be run, and a summary.

    @return: the exit status.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.filter_cases",
        description="Run recorded cases of POE's filters with our framings.",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, default=CASES, help="the recorded cases"
    )
    parser.add_argument(
        "--all", action="store_true", help="print a line for every case"
    )
    options = parser.parse_args(words)
    counts: Counter[str] = Counter()
    for case in json.loads(options.file.read_text(encoding="utf-8")):
        outcome = judge(case)
        counts[outcome.verdict] += 1
        if options.all or outcome.verdict == "different":
            print(outcome, flush=True)
    print(", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS))
    return int(counts["different"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
