"""
Tests for the exit status of a failure.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from unittest import mock

from twisted.internet import error as twistedErrors
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_clienttcp import errors
from twisted_clienttcp._command.status import exitStatus
from twisted_clienttcp._details import describe, errorDetails

#: Arguments for each parameter of our constructors.
ARGUMENTS = {
    "attempts": 3,
    "callback": "connected",
    "cause": None,
    "elapsed": 1.0,
    "error": ValueError("x"),
    "length": 1,
    "maxLength": 1,
    "count": 1,
    "limit": 1,
    "pending": 1,
    "problem": "it has not ended",
    "proxy": "http://a.test:1",
    "rest": b"x",
    "seconds": 1.0,
    "setting": "offlineLimit",
    "size": 1,
    "text": "x",
    "unsent": 1,
}

#: Arguments that other classes may accept.
SEVERAL: list[tuple[object, ...]] = [
    (),
    ("text",),
    (b"\xff",),
    (0,),
    (111, "refused"),
    ([],),
    (None,),
]


def classes(base: type[BaseException]) -> Iterator[type[BaseException]]:
    """
    @return: the class and all its subclasses.
    """
    yield base
    for below in base.__subclasses__():
        yield from classes(below)


def instances(kind: type[BaseException]) -> Iterator[BaseException]:
    """
    @return: exceptions of a class, created in every possible way.
    """
    if issubclass(kind, errors.ClientTCPError) and "__init__" in vars(kind):
        parameters = inspect.signature(kind).parameters.values()
        yield kind(*(ARGUMENTS[p.name] for p in parameters if p.default is p.empty))
    for args in SEVERAL:
        try:
            yield kind(*args)
        except (TypeError, ValueError):
            # It does not accept them.
            pass
    # As after unpickling, or by a subclass that does not call __init__.
    yield kind.__new__(kind)


def causes() -> Iterator[BaseException | None]:
    """
    @return: exceptions that may be the cause of others.
    """
    yield None
    yield ValueError("x")
    yield from instances(twistedErrors.TimeoutError)
    yield from instances(errors.RetriesExhausted)
    try:
        from OpenSSL.SSL import Error
        from twisted.internet.ssl import VerificationError
    except ImportError:
        return
    several: tuple[tuple[object, ...], ...] = (
        (),
        (None,),
        (1,),
        ("text",),
        ([],),
        ([()],),
        ([("SSL routines", "", "certificate verify failed")],),
        ([("SSL routines", "", "wrong version number")],),
    )
    for args in several:
        yield Error(*args)
    yield VerificationError.__new__(VerificationError)


class ExitStatusTests(SynchronousTestCase):
    """
    Tests for L{exitStatus}.
    """

    def failures(self) -> Iterator[Failure]:
        kinds = [*classes(errors.ClientTCPError)]
        for kind in vars(twistedErrors).values():
            if isinstance(kind, type) and issubclass(kind, Exception):
                kinds.append(kind)
        for kind in kinds:
            for cause in causes():
                for exception in instances(kind):
                    exception.__cause__ = cause
                    yield Failure(exception)

    def test_total(self) -> None:
        """
        Every failure has a status that is not 0, and a description, however its
        exception was created.
        """
        for failure in self.failures():
            self.assertIn(exitStatus(failure), (1, 2, 124), failure.value)
            self.assertIsInstance(errorDetails(failure).text, str)
            self.assertIsInstance(describe(failure), str)

    def test_withoutOpenSSL(self) -> None:
        """
        The same holds if OpenSSL is not installed.
        """
        failures = list(self.failures())
        missing = dict.fromkeys(("OpenSSL", "OpenSSL.SSL", "twisted.internet.ssl"))
        with mock.patch.dict(sys.modules, missing):
            for failure in failures:
                self.assertIn(exitStatus(failure), (1, 124), failure.value)

    def test_unverified(self) -> None:
        """
        A certificate that is not valid has a status of its own.
        """
        try:
            from OpenSSL.SSL import Error
            from twisted.internet.ssl import VerificationError
        except ImportError as error:
            raise SkipTest(str(error)) from None
        refused = Error([("SSL routines", "", "certificate verify failed")])
        other = Error([("SSL routines", "", "wrong version number")])
        for cause, status in (
            (refused, 2),
            (VerificationError(errors=[]), 2),
            (other, 1),
            (None, 1),
        ):
            tls = errors.TLSError("x")
            tls.__cause__ = cause
            for exception in (tls, errors.RetriesExhausted(1, 1.0, tls)):
                self.assertEqual(exitStatus(Failure(exception)), status)

    def test_success(self) -> None:
        """
        Without a failure, the status is 0.
        """
        self.assertEqual(exitStatus(None), 0)
