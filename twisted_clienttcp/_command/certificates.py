"""
The TLS options of the command.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import TYPE_CHECKING, Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.python.usage import UsageError
from zope.interface import implementer

from .. import _tls
from .._connecting import addresses
from .._logevents import INSECURE

if TYPE_CHECKING:
    from OpenSSL.SSL import Connection, Context

_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL
)


def tlsFrom(
    *,
    hosts: Set[str | None],
    servername: str | None,
    ca: str | None,
    cert: str | None,
    key: str | None,
    alpn: list[str] | None,
    insecure: bool,
) -> object:
    """
    @param hosts: the name or address of each server; None for one that has none.
    @param servername: the name in the certificate, if it is not that of the server.
    @param ca: a file with the certificates to trust.
    @param cert: a file with the client's certificate and its chain.
    @param key: a file with the client's key; None if C{cert} contains it.
    @param alpn: the protocols to offer.
    @param insecure: True to verify nothing.

    @return: the value of the setting C{tls}.

    @raise UsageError: if a file cannot be used, or the server's name is unknown.
    @raise ValueError: if C{servername} cannot be the name of a host.
    @raise ImportError: if the extra C{tls} is not installed.
    """
    _tls.require("--tls")
    if None not in hosts and not (servername or ca or cert or alpn or insecure):
        return True
    from twisted.internet import ssl

    host = next(iter(hosts)) if len(hosts) == 1 else None
    identity = _identity(cert, key or cert) if cert else {}
    protocols = [protocol.encode() for protocol in alpn or ()]
    name: str | None = None
    if servername or host:
        option = "--servername" if servername else "HOST"
        name = addresses.host(option, servername or host).name
    if insecure:
        INSECURE.log(_Unverified)
        context = ssl.CertificateOptions(**identity).getContext()
        return _Unverified(name, context, protocols)
    if name is None:
        raise UsageError(
            "--servername is missing: with unix: and --endpoint, pass the name in the "
            "server's certificate"
        )
    roots: Any = None
    if ca:
        pems = _certificates("--ca", ca)
        try:
            roots = ssl.trustRootFromCertificates(map(ssl.Certificate.loadPEM, pems))
        except Exception as error:
            raise UsageError(f"--ca: {ca} has a broken certificate") from error
    return _tls.optionsFor(
        name,
        trustRoot=roots,
        acceptableProtocols=protocols or None,
        # Not clientCertificate: Twisted's PrivateCertificate holds objects of
        # pyOpenSSL, for which pyOpenSSL 24.3 and later issue deprecation warnings.
        extraCertificateOptions=identity or None,
    )


def _identity(cert: str, key: str) -> dict[str, Any]:
    """
    Load the client's certificate, its chain, and its key.

    @return: arguments for C{CertificateOptions}.

    @raise UsageError: if a file cannot be used, or the key is for another certificate.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        first, *chain = map(load_pem_x509_certificate, _certificates("--cert", cert))
    except ValueError as error:
        raise UsageError(f"--cert: {cert} has a broken certificate") from error
    try:
        private = load_pem_private_key(_read("--key", key), password=None)
    except TypeError as error:
        raise UsageError(
            f"--key: {key} is encrypted: decrypt it first, for instance with "
            "'openssl pkey'"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"--key: {key} has no key in PEM") from error
    if private.public_key() != first.public_key():
        raise UsageError(f"--key: {key} has the key of another certificate")
    return {"privateKey": private, "certificate": first, "extraCertChain": chain}


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
    Creates TLS connections that accept any certificate.
    """

    def __init__(
        self, name: str | None, context: Context, protocols: list[bytes]
    ) -> None:
        self._context = context
        self._protocols = protocols
        self._name = b""
        if name and not (isIPAddress(name) or isIPv6Address(name)):
            self._name = name.encode("ascii")

    def clientConnectionForTLS(self, tlsProtocol: object) -> Connection:
        """
        @return: a connection that asks for the name, but does not verify it.
        """
        from OpenSSL.SSL import Connection

        connection = Connection(self._context, None)
        connection.set_connect_state()
        if self._name:
            connection.set_tlsext_host_name(self._name)
        if self._protocols:
            connection.set_alpn_protos(self._protocols)
        return connection
