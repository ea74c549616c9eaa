"""
Tests for addresses in words.
"""

from __future__ import annotations

from twisted.internet.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
)
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._command import text
from twisted_clienttcp._connection.peer import ProxiedAddress, addressText


class AddressTextTests(SynchronousTestCase):
    """
    Tests for L{addressText}, and for the form that the command uses.
    """

    def test_addresses(self) -> None:
        """
        Host and port are written as in a URL, with brackets around an IPv6 address; by
        the command as two arguments. A text is always one line, and a route through
        proxies has no credentials.
        """
        for address, inMessages, asArguments in (
            (IPv4Address("TCP", "192.0.2.1", 7), "192.0.2.1:7", "192.0.2.1 7"),
            (IPv6Address("TCP", "2001:db8::1", 7), "[2001:db8::1]:7", "2001:db8::1 7"),
            (HostnameAddress(b"a.example", 7), "a.example:7", "a.example 7"),
            (UNIXAddress("/run/a\nb"), "/run/a\\nb", "/run/a\\nb"),
            (UNIXAddress("\0a"), "\\x00a", "\\x00a"),
            (UNIXAddress(None), "an unnamed socket", "an unnamed socket"),
            (None, "?", "?"),
            (
                ProxiedAddress("a.example", 7, ("socks5://p:1080",)),
                "a.example:7 through socks5://p:1080",
                "a.example:7 through socks5://p:1080",
            ),
        ):
            self.assertEqual(addressText(address), inMessages)
            self.assertEqual(text.addressText(address), asArguments)
