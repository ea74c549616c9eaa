"""
Tests for the choice among several destinations, in any order of events.
"""

from __future__ import annotations

import os
from socket import AF_UNIX, SO_KEEPALIVE, SOL_SOCKET
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connecting.target import (
    DESTINATION,
    Target,
    placeholders,
    replaced,
    targetFrom,
)

#: No settings.
NONE: dict[str, object] = dict.fromkeys(DESTINATION)


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

    def test_failBackFromFirst(self) -> None:
        """
        L{Target.failBack} at the first destination has no effect on later failures.
        """
        target = Target(endpoint=["tcp:127.0.0.1:1", "tcp:127.0.0.1:2"])
        target.failBack()
        for _ in range(2):
            target.lost(stable=False)
        target.connect(ReconnectingClientFactory(), MemoryReactorClock(), 30)
        self.assertEqual(str(target), "127.0.0.1:2")

    def test_familyBehindProxy(self) -> None:
        """
        Through a proxy, the server's address may be of another family than the local
        one.
        """
        given = {"remoteAddress": "2001:db8::1", "remotePort": 7}
        bound: Any = {**given, "bindAddress": "127.0.0.1"}
        self.assertRaises(ValueError, Target, **bound)
        target = Target(**bound, proxy="socks5://127.0.0.1:1080")
        self.assertIn("2001:db8::1", str(target))


class SettingsTests(SynchronousTestCase):
    """
    A target that is made from settings.
    """

    def test_environment(self) -> None:
        """
        The proxies of the environment are looked up for each target.
        """
        settings = {
            **NONE,
            "remoteAddress": "server.test",
            "remotePort": 7,
            "proxy": "environment",
        }
        for number in (1, 2):
            url = f"http://proxy{number}.test:1"
            self.patch(os, "environ", {"https_proxy": url, "all_proxy": url})
            target = targetFrom(settings, None)
            self.assertIn(f"proxy{number}.test", str(target))

    def test_placeholders(self) -> None:
        """
        Settings without an address can be validated, also for a UNIX socket.
        """
        cases: list[dict[str, object]] = [{}, {"domain": AF_UNIX}, {"remotePort": 7}]
        for case in cases:
            Target(**placeholders({**NONE, **case}, always=True))

    def test_replaced(self) -> None:
        """
        An endpoint replaces the address, but not the settings that it can have too.
        """
        options = ((SOL_SOCKET, SO_KEEPALIVE, 1),)
        kept = {"tls": object(), "socketOptions": options, "proxy": "socks5://a:1"}
        address = {"remoteAddress": "a.example", "remotePort": 7, "domain": 2}
        former = {**NONE, **kept, **address}
        after = replaced(former, {"endpoint": "tcp:b.example:7"})
        self.assertEqual(after, {**NONE, **kept, "endpoint": "tcp:b.example:7"})
        back = replaced(after, address)
        self.assertEqual(back, former)
