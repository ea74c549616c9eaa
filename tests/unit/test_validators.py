"""
Tests for the validators that several modules share.
"""

from __future__ import annotations

from ipaddress import ip_address
from socket import AF_INET, AF_INET6
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._connecting.addresses import literal
from twisted_clienttcp._connection import tcp as _tcp


class LiteralTests(SynchronousTestCase):
    """
    Tests for telling IP literals from names.
    """

    @given(st.ip_addresses(), st.sampled_from(["", "%", "%eth0"]))
    def test_families(self, address: Any, scope: str) -> None:
        """
        The family of a literal is recognized. Only IPv6 has scopes.
        """
        family = AF_INET if address.version == 4 else AF_INET6
        scoped = scope == "%eth0" and family == AF_INET6
        expected = family if scoped or not scope else None
        self.assertEqual(literal(f"{address}{scope}"), expected)

    @given(st.text("0123456789abcdef:.% g\0é", max_size=20))
    def test_noFamily(self, text: str) -> None:
        """
        What L{ipaddress} does not take for one is none.
        """
        try:
            ip_address(text)
        except ValueError:
            self.assertIsNone(literal(text))


class KeepAliveTests(SynchronousTestCase):
    """
    Tests for C{keepAlive}.
    """

    def test_otherPlatforms(self) -> None:
        """
        Where the kernel takes no numbers, they are refused; a flag is not.
        """
        self.patch(_tcp, "KEEP_IDLE", None)
        error = self.assertRaises(
            ValueError, ClientTCPFactory, serverInput=print, keepAlive=(60, 10, 3)
        )
        self.assertIn("platform", str(error))
        ClientTCPFactory(serverInput=print, keepAlive=True)
