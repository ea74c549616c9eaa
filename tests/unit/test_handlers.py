"""
Tests for the command's C{--client}: the user's own callbacks.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._command.handlers import clientFrom
from twisted_clienttcp._command.options import Options

MODULE = '''
"""Handlers of all kinds."""
from twisted_clienttcp import ClientTCPFactory

class Handlers:
    def connected(self, client, peer):
        pass
    def serverInput(self, client, record):
        client.heap.got = (self, record)

handlers = Handlers()

class Needy(Handlers):
    def __init__(self, argument):
        pass

class Deaf:
    def connected(self, client, peer):
        pass

class Own(ClientTCPFactory):
    def __init__(self, **given):
        super().__init__(serverInput=lambda client, record: None, **given)

whole = ClientTCPFactory(remoteAddress="localhost", remotePort=7,
                         serverInput=lambda client, record: None)

def make(reactor, options):
    client = options.client(serverInput=lambda client, record: None)
    client.heap.made = (reactor, options)
    return client

def wrong(reactor, options):
    return 5

def broken(reactor, options):
    raise ValueError("no luck")

number = 5

def serverInput(client, record):
    client.heap.got = record
'''


class HandlerTests(SynchronousTestCase):
    """
    C{--client}.
    """

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.write("some_handlers", MODULE)
        self.patch(sys, "path", [str(self.home), *sys.path])
        self.reactor = Clock()

    def write(self, name: str, source: str) -> None:
        (self.home / f"{name}.py").write_text(source)
        self.addCleanup(sys.modules.pop, name, None)

    def options(self, name: str, *words: str) -> Options:
        options = Options()
        options.parseOptions([f"--client={name}", *words])
        return options

    def made(self, name: str, *words: str) -> ClientTCPFactory:
        """
        @return: the client.
        """
        words = words or ("localhost", "7")
        return clientFrom(self.options(f"some_handlers:{name}", *words), self.reactor)

    def refused(
        self, name: str, *expected: str, words: Any = ("localhost", "7")
    ) -> None:
        """
        Check that the error has all these parts.
        """
        options = self.options(name, *words)
        error = self.assertRaises(usage.UsageError, clientFrom, options, self.reactor)
        for part in expected:
            self.assertIn(part, str(error))
        self.assertNotIn("\n", str(error))
        # The place of an error is never in our own modules or in Python's.
        self.assertNotIn("_handlers.py, line", str(error).replace("some_handlers", ""))
        self.assertNotIn("<frozen", str(error))

    def test_handlers(self) -> None:
        """
        The callbacks are in a class, an object or a module.
        """
        for name in ("Handlers", "handlers"):
            client = self.made(name)
            client.serverInput(client, b"record")
            self.assertEqual(client.heap.got[1], b"record")
            self.assertEqual(type(client.heap.got[0]).__name__, "Handlers")
        client = clientFrom(self.options("some_handlers", "localhost:7"), self.reactor)
        client.serverInput(client, b"record")
        self.assertEqual(client.heap.got, b"record")

    def test_factories(self) -> None:
        """
        A subclass gets the options; a complete client accepts none.
        """
        own = self.made("Own", "--connect-timeout=5", "localhost", "7")
        self.assertEqual(type(own).__name__, "Own")
        self.assertEqual(own.connectTimeout, 5)
        options = self.options("some_handlers:whole")
        whole = clientFrom(options, self.reactor)
        self.assertIs(whole, sys.modules["some_handlers"].whole)
        self.refused("some_handlers:whole", "complete client", "HOST and PORT")
        self.refused(
            "some_handlers:whole", "--linger", words=["--linger=3", "--verbose"]
        )

    def test_function(self) -> None:
        """
        A function gets the reactor and the options, and returns the client.
        """
        client = self.made("make", "localhost:7", "--drain-timeout=3")
        reactor, options = client.heap.made
        self.assertIs(reactor, self.reactor)
        self.assertIsInstance(options, Options)
        self.assertEqual(client.drainTimeout, 3)

    def test_refused(self) -> None:
        """
        An error names the module and the reason.
        """
        self.write("half_baked", "import some_handlers\nimport no_such_thing\n")
        self.write("unlucky", "x = 1\nraise OSError('the disk')\n")
        self.write("misspelt", "def f(:\n")
        for name, *expected in (
            ("no_such_module:x", "no module no_such_module"),
            ("some_handlers.deeper:x", "some_handlers.deeper"),
            ("some_handlers:nobody", "some_handlers has no attribute nobody"),
            ("half_baked:x", "half_baked", "no_such_thing", "half_baked.py, line 2"),
            ("unlucky:x", "unlucky", "OSError: the disk", "unlucky.py, line 2"),
            ("misspelt:x", "misspelt", "SyntaxError", "line 1"),
            ("some_handlers:Needy", "some_handlers:Needy", "argument"),
            ("some_handlers:number", "some_handlers:number", "serverInput"),
            ("some_handlers:wrong", "must return a ClientTCPFactory", "not 5"),
            ("some_handlers:broken", "some_handlers:broken", "ValueError: no luck"),
            (":x", "--client"),
        ):
            self.refused(name, *expected)

    def test_current(self) -> None:
        """
        Modules in the current directory are found, as C{python -m} finds them.
        """
        self.patch(sys, "path", sys.path[1:])
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.home)
        client = self.made("Handlers")
        self.assertIsInstance(client, ClientTCPFactory)

    def test_rules(self) -> None:
        """
        The rules for C{handler=} hold here too: one mechanism serves both.
        """
        self.write(
            "mistaken",
            "from twisted_clienttcp import ClientTCPFactory\n"
            "class Misspelt:\n"
            "    def serverInput(self, client, record): pass\n"
            "    def conected(self, client, peer): pass\n"
            "class OnlyMisspelt:\n"
            "    def server_input(self, client, record): pass\n"
            "class Deaf:\n"
            "    def connected(self, client, peer): pass\n",
        )
        self.write(
            "subclassed",
            "from twisted_clienttcp import ClientTCPFactory\n"
            "class Client(ClientTCPFactory):\n"
            "    def connected(self, peer): pass\n",
        )
        for name, expected in (
            (
                "Misspelt",
                "Misspelt.conected is not a callback: did you mean connected?",
            ),
            ("OnlyMisspelt", "did you mean serverInput?"),
            ("Deaf", "serverInput is required"),
        ):
            stderr = io.StringIO()
            self.patch(sys, "stderr", stderr)
            options = self.options(f"mistaken:{name}", "localhost", "7")
            error = self.assertRaises(SystemExit, clientFrom, options, self.reactor)
            self.assertEqual(error.code, 64)
            self.assertIn(expected, stderr.getvalue())
        self.refused("subclassed:Client", "Client.connected would never be called")
