"""
Tests for the URLs of proxies, and for those of the environment.
"""

from __future__ import annotations

import traceback
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connecting.addresses import host
from twisted_clienttcp._connecting.proxies import (
    Proxy,
    Route,
    fromEnvironment,
    isExcepted,
)

from .._processes import setVariable

SERVER = host("host", "server.test")


class ProxyTests(SynchronousTestCase):
    """
    Tests for L{Proxy}.
    """

    def test_urls(self) -> None:
        """
        Scheme, host and port, in every form. User and password are in no text.
        """
        for url, text in (
            ("socks5://proxy.test", "socks5://proxy.test:1080"),
            ("SOCKS5H://Proxy.Test:9/", "socks5h://proxy.test:9"),
            ("socks5://me:secret@[::1]:9", "socks5://[::1]:9"),
            ("http://me:se%40cret%2F@127.0.0.1:3128", "http://127.0.0.1:3128"),
            ("http://me:s@cret@proxy.test:8080", "http://proxy.test:8080"),
            ("https://me@proxy.test:443", "https://proxy.test:443"),
        ):
            proxy = Proxy(url)
            self.assertEqual((str(proxy), repr(proxy)), (text, f"<Proxy {text}>"))

    def test_credentials(self) -> None:
        """
        User and password are percent-decoded.
        """
        proxy: Any = Proxy("socks5://m%C3%A9:s%3a%40%25%00@proxy.test")
        dialogue = proxy.dialogue(SERVER, 7)
        dialogue.start()
        self.assertEqual(
            dialogue.receive(b"\x05\x02"), b"\x01\x03m\xc3\xa9\x05s:@%\x00"
        )

    WRONG = (
        ("secret", ValueError, "the URL has no scheme"),
        ("socks5:/me:secret@proxy.test", ValueError, "the URL has no scheme"),
        ("ftp://me:secret@proxy.test:1", ValueError, "the scheme of the URL must be"),
        ("http://me:secret@proxy.test", ValueError, "the URL has no port"),
        ("http://me:secret@proxy.test:0", ValueError, "from 1 to 65535, not 0"),
        ("http://me:secret@proxy.test:70000", ValueError, "65535, not 70000"),
        ("http://me:secret", ValueError, "must end in a host and a port"),
        ("http://me:secret@", ValueError, "must end in a host and a port"),
        (
            "http://me:secret@proxy.test:1/path",
            ValueError,
            "must end in a host and a port",
        ),
        ("http://me:secret@[::1:1", ValueError, "must end in a host and a port"),
        ("http://me:secret@pro xy:1", ValueError, "neither a host name nor"),
        ("http://:secret@proxy.test:1", ValueError, "a password, but no user"),
        ("http://m%3Ae:secret@proxy.test:1", ValueError, "must not contain a colon"),
        (f"socks5://me:{'secret' * 50}@proxy.test", ValueError, "at most 255 bytes"),
        (b"http://me:secret@proxy.test:1", TypeError, "must be a URL as str"),
        (5, TypeError, "must be a URL as str"),
    )

    def test_wrong(self) -> None:
        """
        Each mistake has a message, and neither the message nor the traceback repeats
        the password.
        """
        for url, kind, words in self.WRONG:
            error = self.assertRaises(kind, Proxy, url)
            self.assertIn(words, str(error))
            text = "".join(traceback.format_exception(error))
            self.assertNotIn("secret", text.replace("test_wrong", ""))

    def test_tls(self) -> None:
        """
        Options for TLS are for C{https} only.
        """
        error = self.assertRaises(ValueError, Proxy, "http://proxy.test:1", None)
        self.assertIn("tls is only for https", str(error))
        self.assertRaises(TypeError, Proxy, "https://proxy.test:1", 5)
        self.assertIsNotNone(Proxy("https://proxy.test:1").tlsOptions)
        self.assertIsNone(Proxy("http://proxy.test:1").tlsOptions)


class RouteTests(SynchronousTestCase):
    """
    Tests for L{Route}.
    """

    def test_chain(self) -> None:
        """
        A sequence is a chain; an empty one is an error.
        """
        chain = ["socks5://a.test", Proxy("http://b.test:1")]
        found = Route(chain).to(SERVER, 7)
        self.assertEqual(
            [*map(str, found)], ["socks5://a.test:1080", "http://b.test:1"]
        )
        self.assertIs(found[1], chain[1])
        self.assertRaises(ValueError, Route, [])
        self.assertFalse(Route(None))
        self.assertEqual(Route(None).to(SERVER, 7), ())

    def test_servers(self) -> None:
        """
        Not every server can be asked for.
        """
        route = Route("socks5://a.test")
        zoned, long = host("host", "fe80::1%lo"), host("host", "a." * 126 + "abcd")
        self.assertIn("zone", str(self.assertRaises(ValueError, route.to, zoned, 7)))
        self.assertIn("255", str(self.assertRaises(ValueError, route.to, long, 7)))
        self.assertEqual(len(Route("http://a.test:1").to(long, 7)), 1)

    def test_environment(self) -> None:
        """
        C{ALL_PROXY} without a scheme is for HTTP; without it, there is no proxy.
        """
        for variables, expected in (
            ({"ALL_PROXY": "socks5://a.test"}, ["socks5://a.test:1080"]),
            ({"all_proxy": "a.test:1"}, ["http://a.test:1"]),
            ({"ALL_PROXY": "a.test:1", "NO_PROXY": "test"}, []),
            ({"NO_PROXY": "b.test"}, []),
        ):
            for name in ("ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
                setVariable(self, name, variables.get(name, ""))
            found = Route("environment").to(SERVER, 7)
            self.assertEqual([*map(str, found)], expected)


class EnvironmentTests(SynchronousTestCase):
    """
    Tests for L{fromEnvironment} and L{isExcepted}.
    """

    def test_names(self) -> None:
        """
        A variable in lower case wins, unless it is empty.
        """
        for variables, expected in (
            ({}, ("", ())),
            ({"ALL_PROXY": "a", "all_proxy": "b"}, ("b", ())),
            ({"ALL_PROXY": " a ", "all_proxy": ""}, ("a", ())),
            ({"NO_PROXY": "A, b c,,d"}, ("", ("a", "b", "c", "d"))),
        ):
            self.assertEqual(fromEnvironment(variables), expected)

    def test_excepted(self) -> None:
        """
        Names, domains, addresses and networks, each with a port or without.
        """
        for name, items, expected in (
            ("a.test", ["*"], True),
            ("127.0.0.1", ["*"], True),
            ("a.test", ["a.test"], True),
            ("b.a.test", ["a.test"], True),
            ("b.a.test", [".a.test"], True),
            ("b.a.test", ["*.a.test"], True),
            ("a.test", [".a.test"], True),
            ("ba.test", ["a.test"], False),
            ("a.test", ["b.test", ".", ""], False),
            ("a.test.", ["a.test"], True),
            ("a.test", ["a.test."], True),
            ("a.test", ["a.test:7"], True),
            ("a.test", ["a.test:8"], False),
            ("127.0.0.1", ["127.0.0.1"], True),
            ("127.0.0.1", ["127.0.0.1:8"], False),
            ("127.0.0.1", ["127.0.0.0/8"], True),
            ("126.0.0.1", ["127.0.0.0/8"], False),
            ("127.0.0.1", ["0.1"], False),
            ("::1", ["::1"], True),
            ("::1", ["[::1]"], True),
            ("::1", ["[::1]:7"], True),
            ("::1", ["[::1]:8"], False),
            ("::1", ["::/64"], True),
            ("::1", ["0:0::1"], True),
            ("127.0.0.1", ["::/0"], False),
            ("fe80::1%lo", ["fe80::/10"], True),
        ):
            found = isExcepted(host("host", name), 7, items)
            self.assertEqual(found, expected, (name, items))

    @given(st.text(), st.sampled_from(["a.test", "127.0.0.1", "::1"]))
    def test_anything(self, text: str, name: str) -> None:
        """
        No item raises.
        """
        _, items = fromEnvironment({"no_proxy": text})
        isExcepted(host("host", name), 7, items)
