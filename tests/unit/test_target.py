"""
Tests for the choice among several destinations, in any order of events.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connecting.target import Target


class TargetTests(SynchronousTestCase):
    """
    The order of destinations, for any number of them and any order of events.
    """

    @given(
        st.integers(1, 5),
        st.lists(st.sampled_from(["failed", "dropped", "lost", "start"]), max_size=30),
    )
    def test_turns(self, count: int, outcomes: list[str]) -> None:
        """
        After a failure, the next destination is tried; after a stable connection, the
        same one. In no round is a destination tried twice or left out.
        """
        target = Target(
            remoteAddress=None,
            remotePort=None,
            endpoint=[f"tcp:127.0.0.1:{port}" for port in range(1, count + 1)],
            domain=None,
            bindAddress=None,
            bindPort=None,
            tls=None,
        )
        reactor = MemoryReactorClock()
        target.begin()
        expected, drops = str(target), 0
        round_: list[str] = []
        for outcome in outcomes:
            connector: Any = target.connect(ReconnectingClientFactory(), reactor, 30)
            here = str(target)
            self.assertEqual(here, expected)
            self.assertEqual(here, f"127.0.0.1:{connector.getDestination().port}")
            after = f"127.0.0.1:{int(here.rpartition(':')[2]) % count + 1}"
            round_.append(here)
            self.assertEqual(len(set(round_)), len(round_))
            if outcome in ("dropped", "lost"):
                target.reached()
                target.lost(stable=outcome == "lost")
                self.assertFalse(target.left)
                drops = drops + 1 if outcome == "dropped" else 0
                expected = here if drops < 2 else after
                round_ = []
            else:
                self.assertEqual(target.left, len(round_) < count)
                if outcome == "start":
                    target.begin()
                    self.assertFalse(target.left)
                expected = after
                if not target.left:
                    round_ = []
            if expected == after:
                drops = 0
