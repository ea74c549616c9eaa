"""
Tests for exceptions, and for the words that describe a failure.
"""

from __future__ import annotations

import pickle
from errno import errorcode
from typing import Any

from twisted.internet import error
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._details import describe, errorDetails
from twisted_clienttcp.errors import CallbackError, FramingError, RecordTooLong, nameOf


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


class RecordTooLongTests(SynchronousTestCase):
    """
    L{RecordTooLong}.
    """

    def test_text(self) -> None:
        """
        The text has the limit, and says whether the record was skipped.
        """
        self.assertEqual(
            str(RecordTooLong(5, 3)), "a record of at least 5 bytes exceeds maxLength=3"
        )
        self.assertTrue(str(RecordTooLong(5, 3, True)).endswith(" and was skipped"))

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
