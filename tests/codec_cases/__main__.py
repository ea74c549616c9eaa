"""
C{python -m tests.codec_cases [FILE ...]}.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from .runner import FILES, VERDICTS, cases, judge, run


def main(words: list[str]) -> int:
    """
    Run the cases, print a line for each that does not simply agree, and a summary.

    @return: the exit status: 1 if a case differs for a reason that is not recorded.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.codec_cases",
        description="Run cases from other projects' test suites with our framings.",
    )
    parser.add_argument("files", nargs="*", type=Path, help="the recorded cases")
    parser.add_argument(
        "--all", action="store_true", help="print a line for every case"
    )
    options = parser.parse_args(words)
    counts: Counter[str] = Counter()
    for path in options.files or FILES:
        for case in cases(path):
            verdict = judge(case)
            counts[verdict] += 1
            if options.all or verdict != "agrees":
                why = case.get("differs", case.get("inexpressible", ""))
                print(
                    f"{path.stem} {case['id']}: {verdict}", why, sep=": " if why else ""
                )
            if verdict == "different":
                print(f"    {run(case)!r:.1000}")
    print(", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS))
    return int(counts["different"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
