"""
Tests for the words that describe a TLS error.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.ssl import VerificationError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from twisted_clienttcp import _tls
from twisted_clienttcp.errors import TLSError


class Secure:
    """
    A transport whose TLS has no certificate of the server's.
    """

    def __init__(self) -> None:
        directlyProvides(self, ISSLTransport)

    def getHandle(self) -> Any:
        """
        @return: a connection that has not begun.
        """
        return SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)


class WordTests(SynchronousTestCase):
    """
    Failures in words, where they are rare.
    """

    def words(self, error: Exception, isHandshaking: bool = True) -> str:
        """
        @return: what is made of it.
        """
        value: Any = _tls.explained(Failure(error), Secure(), isHandshaking).value
        self.assertIsInstance(value, TLSError)
        self.assertIs(value.__cause__, error)
        return str(value)

    def test_openssl(self) -> None:
        """
        Any error of OpenSSL has a text.
        """
        for arguments, words in (
            (([("SSL routines", "", "bad record mac")],), "bad record mac"),
            (
                ([("", "", "a"), ("", "", "sslv3 alert bad certificate")],),
                "a; the server refused the connection: bad certificate",
            ),
            (
                ([("", "", "certificate verify failed")],),
                "the server's certificate was rejected: certificate verify failed",
            ),
            (([],), "TLS has failed"),
            ((), "TLS has failed"),
        ):
            self.assertEqual(self.words(SSL.Error(*arguments)), words)
        self.assertIn("104", self.words(SSL.SysCallError(104, "ECONNRESET")))

    def test_substitute(self) -> None:
        """
        A verification error without names.
        """
        error = VerificationError(errors=())
        self.assertIn("not for this host", self.words(error))

    def test_others(self) -> None:
        """
        A loss after the handshake stays as it is.
        """
        lost = Failure(ConnectionLost())
        self.assertIs(_tls.explained(lost, Secure(), False), lost)
        self.assertIn("during the handshake", self.words(ConnectionLost()))
