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

from . import _tls

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
    @raise ImportError: if the extra C{tls} is not installed.
    """
    if not (servername or ca or cert or key or alpn or insecure):
        return True
    _tls.require("--tls")
    from twisted.internet import ssl

    if key and not cert:
        raise UsageError("--key needs --cert: the certificate that it is for")
    extra: dict[str, Any] = {}
    ours: Any = None
    if cert:
        chain = _certificates("--cert", cert)
        secret = _read("--key", key or cert)
        try:
            ours = ssl.PrivateCertificate.loadPEM(chain[0] + b"\n" + secret)
        except Exception as error:
            raise UsageError(
                f"--key: {key or cert} has no key in PEM for the certificate"
            ) from error
        if chain[1:]:
            extra["extraCertChain"] = [
                ssl.Certificate.loadPEM(pem).original for pem in chain[1:]
            ]
    protocols = [protocol.encode() for protocol in alpn or ()]
    name = servername or host
    if insecure:
        _log.warn(
            "WARNING: the certificate of the server is NOT verified (--insecure): "
            "anybody can be taken for it"
        )
        if ours is not None:
            extra |= {
                "privateKey": ours.privateKey.original,
                "certificate": ours.original,
            }
        context = ssl.CertificateOptions(**extra).getContext()
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
        clientCertificate=ours,
        acceptableProtocols=protocols or None,
        extraCertificateOptions=extra or None,
    )


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
