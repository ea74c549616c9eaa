"""
C{--tls} and what belongs to it.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import Logger
from twisted.python.usage import UsageError
from zope.interface import implementer

from .. import _tls
from .._connecting import addresses as _addresses

_log = Logger()

_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL
)


def tlsFrom(
    *,
    host: str | None,
    servername: str | None,
    ca: str | None,
    cert: str | None,
    key: str | None,
    alpn: list[str] | None,
    insecure: bool,
) -> Any:
    """
    @param host: whom we connect to, if that is one host with a name or an address.
    @param servername: what the certificate must be for instead of that.
    @param ca: a file with the certificates that vouch for the server's.
    @param cert: a file with our certificate and those that vouch for it.
    @param key: the file with its key; that of the certificate if there is none.
    @param alpn: the protocols that we offer.
    @param insecure: whether nothing is to be verified.

    @return: what the client's C{tls} takes.

    @raise UsageError: if a file cannot be used, or no name is known.
    @raise ValueError: if C{servername} cannot be the name of a host.
    @raise ImportError: if the extra C{tls} is not installed.
    """
    if not (servername or ca or cert or key or alpn or insecure):
        return True
    _tls.require("--tls")
    from twisted.internet import ssl

    if key and not cert:
        raise UsageError("--key needs --cert: the certificate that it is for")
    ours = _identity(cert, key or cert) if cert else {}
    protocols = [protocol.encode() for protocol in alpn or ()]
    if servername:
        _addresses.host("--servername", servername)
    name = servername or host
    if insecure:
        _log.warn(
            "WARNING: the certificate of the server is NOT verified (--insecure): "
            "anybody can be taken for it"
        )
        context = ssl.CertificateOptions(**ours).getContext()
        return _Unverified(name, context, protocols)
    if name is None:
        raise UsageError(
            "--servername is needed with --endpoint and unix:, to say whom the "
            "certificate must be for"
        )
    roots: Any = None
    if ca:
        try:
            roots = ssl.trustRootFromCertificates(
                [ssl.Certificate.loadPEM(pem) for pem in _certificates("--ca", ca)]
            )
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(f"--ca: {ca} has a broken certificate") from error
    return ssl.optionsForClientTLS(
        name,
        trustRoot=roots,
        acceptableProtocols=protocols or None,
        # Not clientCertificate: Twisted's PrivateCertificate holds objects of
        # pyOpenSSL, for which pyOpenSSL 24.3 and later issue deprecation warnings.
        extraCertificateOptions=ours or None,
    )


def _identity(cert: str, key: str) -> dict[str, Any]:
    """
    Load the client's certificate and its key.

    @param cert: the file with the certificate, followed by those that vouch for it.
    @param key: the file with the key.

    @return: arguments for C{CertificateOptions}.

    @raise UsageError: if a file cannot be used, or the key is for another certificate.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        chain = [
            load_pem_x509_certificate(pem) for pem in _certificates("--cert", cert)
        ]
    except ValueError as error:
        raise UsageError(f"--cert: {cert} has a broken certificate") from error
    try:
        private: Any = load_pem_private_key(_read("--key", key), password=None)
    except TypeError as error:
        raise UsageError(
            f"--key: {key} is encrypted: decrypt the key first, for instance with "
            "'openssl pkey'"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"--key: {key} has no key in PEM") from error
    if private.public_key() != chain[0].public_key():
        raise UsageError(f"--key: {key} has the key of another certificate")
    return {
        "privateKey": private,
        "certificate": chain[0],
        "extraCertChain": chain[1:],
    }


def _read(option: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{option}: {path}: {error.strerror}") from error


def _certificates(option: str, path: str) -> list[bytes]:
    found = _CERTIFICATE.findall(_read(option, path))
    if not found:
        raise UsageError(f"{option}: {path} has no certificate in PEM")
    return found


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """
    TLS with whoever answers.
    """

    def __init__(self, name: str | None, context: Any, protocols: list[bytes]) -> None:
        self._context = context
        self._protocols = protocols
        self._name = b""
        if name and not (isIPAddress(name) or isIPv6Address(name)):
            self._name = name.encode("idna")

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """
        @return: a connection that asks for the name, and believes any.
        """
        from OpenSSL.SSL import Connection

        connection = Connection(self._context, None)
        connection.set_connect_state()
        if self._name:
            connection.set_tlsext_host_name(self._name)
        if self._protocols:
            connection.set_alpn_protos(self._protocols)
        return connection
