"""
Tests for the command's TLS options: files that are used, and files that are rejected.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._command.certificates import tlsFrom


@cache
def authority() -> trustme.CA:
    """
    @return: an authority, created once because its key takes time.
    """
    return trustme.CA()


@cache
def issued() -> trustme.LeafCert:
    """
    @return: a client's certificate.
    """
    return trustme.CA(parent_cert=authority()).issue_cert("client.example")


class CertificateTests(SynchronousTestCase):
    """
    L{tlsFrom}.
    """

    def file(self, content: bytes) -> str:
        path = Path(self.mktemp())
        path.write_bytes(content)
        return str(path)

    def tls(self, **options: Any) -> Any:
        """
        @return: the setting C{tls} for a connection to C{localhost}.
        """
        given: dict[str, Any] = dict.fromkeys(
            ["servername", "ca", "cert", "key", "alpn"]
        )
        return tlsFrom(
            **{**given, "hosts": {"localhost"}, "insecure": False, **options}
        )

    def chain(self) -> bytes:
        """
        @return: the client's certificate and the intermediate one, in PEM.
        """
        return b"".join(pem.bytes() for pem in issued().cert_chain_pems)

    def key(self, password: bytes | None = None) -> bytes:
        """
        @return: the client's key in PEM.
        """
        plain: bytes = issued().private_key_pem.bytes()
        if password is None:
            return plain
        return load_pem_private_key(plain, None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password)
        )

    def test_clientCertificate(self) -> None:
        """
        The certificate, its chain and its key are used, with and without verification,
        and no library issues a warning about the way in which they are passed.
        """
        both = self.file(self.chain() + self.key())
        for options in (
            {"cert": both},
            {"cert": self.file(self.key() + self.chain())},
            {"cert": self.file(self.chain()), "key": self.file(self.key())},
            {"cert": both, "insecure": True},
            {"cert": both, "ca": self.file(authority().cert_pem.bytes())},
        ):
            factory = TLSMemoryBIOFactory(
                self.tls(**options), True, Factory.forProtocol(Protocol), Clock()
            )
            protocol: Any = factory.buildProtocol(None)
            protocol.makeConnection(StringTransport())
            used = protocol.getHandle().get_certificate(as_cryptography=True)
            self.assertEqual(
                used.public_bytes(Encoding.PEM), issued().cert_chain_pems[0].bytes()
            )
        self.assertEqual(self.flushWarnings(), [])

    def test_rejected(self) -> None:
        """
        An error names the option, the file, and what is wrong with the file.
        """
        nothing = self.file(b"nothing")
        chain = self.file(self.chain())
        broken = self.file(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        )
        other = self.file(authority().issue_cert("else.where").private_key_pem.bytes())
        encrypted = self.file(self.key(b"password"))
        for text, options in (
            (f"--cert: {nothing} has no certificate in PEM", {"cert": nothing}),
            (f"--cert: {broken} has a broken certificate", {"cert": broken}),
            (f"--ca: {broken} has a broken certificate", {"ca": broken}),
            (f"--key: {chain} has no key in PEM", {"cert": chain}),
            (f"--key: {nothing} has no key", {"cert": chain, "key": nothing}),
            (f"--key: {other} has the key of another", {"cert": chain, "key": other}),
            (f"--key: {encrypted} is encrypted", {"cert": chain, "key": encrypted}),
        ):
            error = self.assertRaises(UsageError, self.tls, **options)
            self.assertTrue(str(error).startswith(text), error)
            self.assertNotIn("\n", str(error))
