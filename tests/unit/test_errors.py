"""
Tests for exceptions, and for the words that describe a failure.
"""

from __future__ import annotations

import pickle
from errno import errorcode
from socket import gaierror
from typing import Any

from twisted.internet import error
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import errors
from twisted_clienttcp._command.table import ALL, asOption
from twisted_clienttcp._details import (
    ConnectTimeout,
    LostWhileWriting,
    describe,
    detailsWith,
    errorDetails,
)
from twisted_clienttcp._texts import LimitExceeded
from twisted_clienttcp.errors import (
    CallbackError,
    DrainTimeout,
    FramingError,
    HeartbeatTimeout,
    IdleTimeout,
    LingerTimeout,
    OutputFull,
    RecordTooLong,
    nameOf,
)


class NameTests(SynchronousTestCase):
    """
    Tests for L{nameOf}.
    """

    def test_text(self) -> None:
        """
        The text of an exception follows its class, if it has one.
        """
        self.assertEqual(nameOf(ValueError("no number")), "ValueError: no number")
        self.assertEqual(nameOf(KeyError("tea")), "KeyError: 'tea'")
        self.assertEqual(nameOf(AssertionError()), "AssertionError")

    def test_broken(self) -> None:
        """
        An exception whose C{__str__} raises is described without its text.
        """

        for raised in (ValueError("no text"), SystemExit(1)):

            class Broken(Exception):
                error: BaseException = raised

                def __str__(self) -> str:
                    raise self.error

            self.assertEqual(nameOf(Broken()), "Broken")
            self.assertEqual(
                str(CallbackError("connected", Broken())), "connected raised Broken"
            )


#: For each error of an exceeded setting: an error, its problem, and its setting.
EXCEEDED: tuple[tuple[Any, str, str], ...] = (
    (IdleTimeout(1.25, 1), "nothing was received for 1.2 s", "idleTimeout=1"),
    (HeartbeatTimeout(600, 300.0), "nothing was received for 10 min", "heartbeat=300"),
    (DrainTimeout("5 bytes are left", 0.5), "5 bytes are left", "drainTimeout=0.5"),
    (LingerTimeout("no end", 30.0), "no end", "lingerTimeout=30"),
    (
        OutputFull(7, 6, 12, "outputLimit"),
        "7 bytes cannot be put, because 6 are pending",
        "outputLimit=12",
    ),
    (
        OutputFull(7, 6, 12, "offlineLimit"),
        "7 bytes cannot be put, because 6 are pending",
        "offlineLimit=12",
    ),
    (
        RecordTooLong(1048577, 1048576),
        "a record of at least 1048577 bytes is too long",
        "maxLength=1048576",
    ),
    (
        ConnectTimeout("not connected in time", "connectTimeout", 2.0),
        "not connected in time",
        "connectTimeout=2",
    ),
)

#: The options of these settings; C{outputLimit} has none.
OPTIONS = {
    "idleTimeout": "--idle-timeout",
    "heartbeat": "--heartbeat",
    "drainTimeout": "--drain-timeout",
    "lingerTimeout": "--linger-timeout",
    "outputLimit": "outputLimit",
    "offlineLimit": "--offline-limit",
    "maxLength": "--max-length",
    "connectTimeout": "--connect-timeout",
}


class LimitExceededTests(SynchronousTestCase):
    """
    Tests for the errors of exceeded settings.
    """

    def test_complete(self) -> None:
        """
        The table has every such class.
        """
        kinds: set[type] = {ConnectTimeout}
        for value in vars(errors).values():
            if isinstance(value, type) and issubclass(value, LimitExceeded):
                kinds.add(value)
        tested = {
            base for exceeded, _, _ in EXCEEDED for base in type(exceeded).__mro__
        }
        self.assertEqual(kinds - tested, set())

    def test_library(self) -> None:
        """
        In the library, a text ends in the setting as a parameter.
        """
        for exceeded, problem, setting in EXCEEDED:
            text = f"{problem} ({setting})"
            self.assertEqual(str(exceeded), text)
            self.assertEqual(errorDetails(Failure(exceeded)).text, text)

    def test_command(self) -> None:
        """
        In the command, it ends in the option that the user types.
        """
        for exceeded, problem, setting in EXCEEDED:
            name, _, value = setting.partition("=")
            option = OPTIONS[name]
            if option != name:
                self.assertIn(option[2:], ALL)
            text = f"{problem} ({option}={value})"
            self.assertEqual(detailsWith(Failure(exceeded), asOption).text, text)
            self.assertTrue(describe(Failure(exceeded), asOption).endswith(text))

    def test_pickled(self) -> None:
        """
        They can be pickled.
        """
        for exceeded, _, _ in EXCEEDED:
            copied = pickle.loads(pickle.dumps(exceeded))
            self.assertEqual(str(copied), str(exceeded))
            self.assertEqual(vars(copied), vars(exceeded))


class RecordTooLongTests(SynchronousTestCase):
    """
    L{RecordTooLong}.
    """

    def test_text(self) -> None:
        """
        The text has the limit, and says whether the record was skipped.
        """
        for skipped, words in ((False, "too long"), (True, "too long and was skipped")):
            self.assertEqual(
                str(RecordTooLong(5, 3, skipped)),
                f"a record of at least 5 bytes is {words} (maxLength=3)",
            )

    def test_pickled(self) -> None:
        """
        It can be pickled, as by programs that collect errors of other processes.
        """
        error = pickle.loads(pickle.dumps(RecordTooLong(5, 3, skipped=True, end=7)))
        self.assertEqual(vars(error), vars(RecordTooLong(5, 3, True, 7)))


class DescribeTests(SynchronousTestCase):
    """
    Tests for L{describe}.
    """

    def test_words(self) -> None:
        """
        Every kind of failure has its own words, and none shows an error number.
        """
        for exception, words in (
            (error.ConnectionRefusedError(111), "cannot connect: Connection refused"),
            (error.NoRouteError(), "cannot connect: Network is unreachable"),
            (error.TimeoutError(), "cannot connect: Connection timed out"),
            (
                error.TimeoutError(string="no connection in 3 seconds"),
                "cannot connect: no connection in 3 seconds",
            ),
            (
                error.ConnectBindError(98, "in use"),
                "cannot bind the local address: Address already in use",
            ),
            (
                error.DNSLookupError("no results for hostname lookup: nowhere"),
                "cannot resolve the name: no results for hostname lookup: nowhere",
            ),
            (
                error.ConnectionLost(),
                "the connection was lost: Connection reset by peer",
            ),
            (error.ConnectionDone(), "the server closed the connection"),
            (
                CallbackError("serverInput", ValueError("no number")),
                "serverInput raised ValueError: no number",
            ),
            (FramingError("not JSON"), "not JSON"),
        ):
            failure = Failure(exception)
            self.assertEqual(describe(failure), words)
            self.assertIn(errorDetails(failure).errno, [0, *errorcode, -2])
            self.assertNotIn(str(errorDetails(failure).errno), words)

    def test_neverEmpty(self) -> None:
        """
        No failure is described by an empty text, even if its exception has none.
        """
        kinds: list[type[BaseException]] = [ValueError, KeyError, OSError, gaierror]
        for module in (error, errors):
            for value in vars(module).values():
                if isinstance(value, type) and issubclass(value, Exception):
                    kinds.append(value)
        kinds.append(LostWhileWriting)
        described = 0
        for kind in kinds:
            try:
                exception = kind()
            except TypeError:
                # It has arguments, from which its text is made.
                continue
            described += 1
            failure = Failure(exception)
            for text in (errorDetails(failure).text, describe(failure)):
                self.assertTrue(text.strip(), kind)
                self.assertFalse(text.endswith(": "), kind)
        self.assertGreater(described, 30)

    def test_proxy(self) -> None:
        """
        A proxy that is not reached is named.
        """
        for exception, words in (
            (
                error.ConnectionRefusedError(111),
                "cannot connect to the proxy http://a.test:1: Connection refused",
            ),
            (
                error.DNSLookupError("no address"),
                "cannot resolve the name of the proxy http://a.test:1: no address",
            ),
            (
                error.ConnectBindError(98, "in use"),
                "cannot bind the local address: Address already in use",
            ),
        ):
            failure: Any = Failure(exception)
            failure.proxy = "http://a.test:1"
            self.assertEqual(describe(failure), words)
