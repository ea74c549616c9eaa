"""
Tests for the cases from other projects' test suites, and for their runner.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from .__main__ import main
from .runner import FILES, cases, judge

#: All cases by their names.
CASES = {f"{path.stem} {case['id']}": case for path in FILES for case in cases(path)}

#: How many cases there are, and how many of them may be impossible to express.
TOTAL = 86
INEXPRESSIBLE = 5


class CaseTests(SynchronousTestCase):
    """
    Tests with all cases.
    """

    def test_all(self) -> None:
        """
        Every case agrees, or differs for a reason that is given with it.
        """
        verdicts = {name: judge(case) for name, case in CASES.items()}
        different = [name for name in verdicts if verdicts[name] == "different"]
        self.assertEqual(different, [])
        self.assertEqual(len(verdicts), TOTAL)
        counts = Counter(verdicts.values())
        self.assertLessEqual(counts["not expressible"], INEXPRESSIBLE)
        self.assertGreater(counts["agrees"], TOTAL // 2)

    def test_reasons(self) -> None:
        """
        Each case that differs or cannot be expressed says why.
        """
        for name, case in CASES.items():
            for key in ("differs", "inexpressible"):
                if key in case:
                    self.assertGreater(len(case[key].split()), 3, name)


class JudgeTests(SynchronousTestCase):
    """
    Tests that a change of a case is reported.
    """

    def changed(self, change: Callable[[dict[str, Any]], bool]) -> int:
        """
        Check that a change of any case that it applies to makes it different.

        @return: how many cases it applies to.
        """
        count = 0
        for name, case in CASES.items():
            case = deepcopy(case)
            if "inexpressible" not in case and change(case):
                count += 1
                self.assertEqual(judge(case), "different", name)
        return count

    def test_lostRecord(self) -> None:
        """
        A record is missing.
        """

        def change(case: dict[str, Any]) -> bool:
            outs = case.get("ours") or [step.get("out") for step in case["steps"]]
            for out in outs:
                if isinstance(out, list) and out:
                    del out[0]
                    return True
            return False

        self.assertGreater(self.changed(change), TOTAL // 2)

    def test_anotherRecord(self) -> None:
        """
        There is another record or error.
        """

        def change(case: dict[str, Any]) -> bool:
            outs = case.get("ours") or [step.get("out") for step in case["steps"]]
            for out in outs:
                if isinstance(out, list):
                    out.append({"error": "NoSuchError"})
                    return True
            return False

        self.assertGreater(self.changed(change), TOTAL // 2)

    def test_otherBytes(self) -> None:
        """
        Other bytes are sent.
        """

        def change(case: dict[str, Any]) -> bool:
            if "ours" in case:
                return False
            for step in case["steps"]:
                if isinstance(step.get("wire"), str):
                    step["wire"] += "x"
                    return True
            return False

        self.assertGreater(self.changed(change), 5)


class CommandTests(SynchronousTestCase):
    """
    C{python -m tests.codec_cases}.
    """

    def call(self, *words: str) -> tuple[int, str]:
        output = StringIO()
        with redirect_stdout(output):
            status = main([*words])
        return status, output.getvalue()

    def test_all(self) -> None:
        """
        Without a file it runs all cases, and ends with a summary.
        """
        status, output = self.call()
        self.assertEqual(status, 0)
        self.assertTrue(output.endswith(" 0 different\n"), output)

    def test_different(self) -> None:
        """
        A case that differs is printed, and the command fails.
        """
        case = {
            "id": "wrong",
            "framing": "Line",
            "params": {"delimiter": "|"},
            "steps": [{"in": "a|b|", "out": ["a"]}],
        }
        path = Path(self.mktemp())
        path.write_text(json.dumps([case]))
        status, output = self.call("--all", str(path))
        self.assertEqual(status, 1)
        self.assertIn("wrong: different\n    [['a', 'b']]\n", output)
        self.assertIn("1 different", output)
