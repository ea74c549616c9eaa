"""
Tests that run the recorded scenarios with our client, and tests of the runner itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from .._processes import execute
from .._support import GUARD, UNBOUND
from . import rules
from .runner import EXPECTED, GOLDEN, Outcome, expectation, load, run


class ConformanceTests(TestCase):
    """
    A test for each scenario; see L{tests.conformance}.
    """

    timeout = GUARD
    suppress = [UNBOUND]


def _scenario(name: str) -> Callable[[ConformanceTests], Deferred[None]]:
    async def check(self: ConformanceTests) -> None:
        golden = load(GOLDEN / f"{name}.json")
        outcome = await run(reactor, golden, expectation(name))
        # The exceptions of callbacks are part of the trace.
        self.flushLoggedErrors()
        self.assertIn(outcome.verdict, ("same", "corrected"), outcome)

    def test(self: ConformanceTests) -> Deferred[None]:
        return Deferred.fromCoroutine(check(self))

    return test


NAMES = sorted(path.stem for path in GOLDEN.glob("*.json"))

for _name in NAMES:
    if _name not in rules.NOT_APPLICABLE:
        setattr(ConformanceTests, f"test_{_name}", _scenario(_name))


class RunnerTests(TestCase):
    """
    The runner finds differences.
    """

    timeout = 30

    def test_all(self) -> None:
        """
        Each of the 131 scenarios has a test, or a reason why it has no meaning here.
        """
        self.assertEqual(len(NAMES), 131)
        left = set(rules.NOT_APPLICABLE)
        self.assertEqual(left - set(NAMES), set())
        for name in NAMES:
            self.assertEqual(
                hasattr(ConformanceTests, f"test_{name}"), name not in left
            )

    def judged(
        self, change: Callable[[Any], object], name: str = "line_exchange"
    ) -> Deferred[Outcome]:
        """
        @return: the outcome of a scenario whose file has been changed.
        """
        golden = load(GOLDEN / f"{name}.json")
        change(golden)
        return Deferred.fromCoroutine(run(reactor, golden, None))

    async def differs(
        self, change: Callable[[Any], object], why: str, name: str = "peer_close"
    ) -> None:
        outcome = await self.judged(change, name)
        self.assertEqual(outcome.verdict, "different")
        self.assertIn(why, outcome.why)

    async def test_argument(self) -> None:
        """
        A callback is called with another argument.
        """
        await self.differs(
            lambda golden: golden["trace"][3].update(op="write"),
            "serverError: op: expected 'write', got 'read'",
        )

    async def test_flag(self) -> None:
        """
        A flag has another value.
        """
        await self.differs(
            lambda golden: golden["trace"][3]["heap"].update(connected=0),
            "serverError: connected: expected False, got True",
        )

    async def test_missing(self) -> None:
        """
        A callback is not called.
        """
        await self.differs(
            lambda golden: golden["trace"].insert(
                3, {"t": 0, "ev": "ServerInput", "record": "x"}
            ),
            "expected serverInput(record='x'), got serverError(",
        )

    async def test_extra(self) -> None:
        """
        A callback is called that should not be.
        """
        await self.differs(
            lambda golden: golden["trace"].pop(4),
            "expected stopped(), got disconnected()",
        )

    async def test_order(self) -> None:
        """
        Two callbacks are called in the wrong order.
        """
        await self.differs(
            lambda golden: golden["trace"].insert(3, golden["trace"].pop(4)),
            "expected disconnected(), got serverError(",
        )

    async def test_octets(self) -> None:
        """
        The peer receives other bytes.
        """
        await self.differs(
            lambda golden: golden["peer_trace"][1].update(data="Hello\r\n"),
            "the peer: expected",
            "stream_filter_binary",
        )

    async def test_printed(self) -> None:
        """
        Another text is logged.
        """
        await self.differs(
            lambda golden: golden["exit"].update(stderr=[]),
            "expected no more, got printed(",
            "default_server_error_reset",
        )

    async def test_unjudged(self) -> None:
        """
        A scenario in which POE is wrong, without an expected trace.
        """
        outcome = await self.judged(lambda golden: None, "crlf_split_race")
        self.assertEqual(outcome.verdict, "unjudged")
        self.assertIn("swallow the partner octet", outcome.why)

    async def test_repaired(self) -> None:
        """
        A scenario without an expected trace, whose bug is one of those that are removed
        from all recordings.
        """
        outcome = await self.judged(lambda golden: None, "peer_reset_output_pending")
        self.assertEqual(outcome.verdict, "corrected")

    async def test_unknownParameter(self) -> None:
        """
        A parameter that the component does not know is an error of the constructor.
        """
        await self.differs(
            lambda golden: golden["client"]["params"].update(Bogus=1),
            "got refused(error='TypeError')",
        )

    async def test_action(self) -> None:
        """
        An action that the runner does not know is a difference.
        """
        await self.differs(
            lambda golden: golden["client"].update(on={"Connected": [["dance"]]}),
            "there is no action 'dance'",
        )
        self.flushLoggedErrors()

    def test_contract(self) -> None:
        """
        The rules that every trace follows.
        """
        good = ["started", "connected", "serverError", "disconnected", "stopped"]
        for names, error in (
            (good, None),
            ([*good, "stopped"], "called twice"),
            (["connected", "connected", "disconnected"], "twice in a row"),
            (["connected", "disconnected", "disconnected"], "twice in a row"),
            (["connected", "disconnected", "serverInput"], "after the end"),
            (["connected", *["serverError"] * 2, "disconnected"], "after the end"),
            (["started", "deadline"], "does not end"),
        ):
            broken = rules.broken([{"ev": name} for name in names])
            if error is None:
                self.assertIsNone(broken)
            else:
                self.assertIn(error, str(broken))

    def test_expected(self) -> None:
        """
        Each scenario in which POE is wrong has an expected trace.
        """
        wrong = {
            path.stem
            for path in GOLDEN.glob("*.json")
            if load(path)["recommend"] == "fix"
        }
        self.assertLessEqual(wrong, {path.stem for path in EXPECTED.glob("*.json")})

    async def test_command(self) -> None:
        """
        The command accepts any folder, prints a line for each scenario and a summary,
        and fails if one is different.
        """
        holder = TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        folder = Path(holder.name)
        golden = load(GOLDEN / "refused.json")
        altered = deepcopy(golden)
        altered["name"] = "altered"
        altered["trace"][2]["errno"] = 112
        for each in (golden, altered):
            (folder / f"{each['name']}.json").write_text(json.dumps(each))
        outcome = await self.command(str(folder))
        self.assertEqual(
            outcome,
            (
                "altered: different: #2 connectError: errno: expected 112, got 111\n"
                "refused: same\n"
                "1 different, 1 same\n",
                1,
            ),
        )
        outcome = await self.command(str(folder), "refused")
        self.assertEqual(outcome, ("refused: same\n1 same\n", 0))

    async def command(self, *arguments: str) -> tuple[str, int]:
        """
        @return: what the command prints, and its exit status.
        """
        output, _, status = await execute(
            sys.executable, "-m", "tests.conformance", *arguments
        )
        return output.decode(), status
