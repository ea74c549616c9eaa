"""
Helpers for tests with TLS: certificates, and servers that use them.
"""

from __future__ import annotations

import datetime
from errno import EPROTO
from functools import cache
from typing import Any

import trustme
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol

from twisted_clienttcp.errors import TLSError

from ._support import NetworkTestCase, Peer, Recorder, Server, reactor

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)


class Identity:
    """
    A certificate and its key.

    @ivar parameters: both, as arguments for C{CertificateOptions}. They are objects of
        cryptography: for those of pyOpenSSL, which Twisted's C{PrivateCertificate}
        holds, pyOpenSSL issues deprecation warnings.
    """

    def __init__(self, issued: trustme.LeafCert) -> None:
        certificate = issued.cert_chain_pems[0].bytes()
        self.parameters: dict[str, Any] = {
            "certificate": load_pem_x509_certificate(certificate),
            "privateKey": load_pem_private_key(issued.private_key_pem.bytes(), None),
        }

    def options(self, *authorities: Certificate, **more: Any) -> Any:
        """
        @param authorities: if there are any, clients need a certificate of one of them.
        @param more: more arguments for C{CertificateOptions}.

        @return: options for a server.
        """
        if authorities:
            more["trustRoot"] = trustRootFromCertificates(authorities)
        return CertificateOptions(**self.parameters, **more)


def layer(peer: Peer) -> Any:
    """
    @return: the TLS of a server's connection.
    """
    transport: Any = peer.transport
    wrapped = isinstance(transport, TLSMemoryBIOProtocol)
    return transport if wrapped else transport.protocol


def below(peer: Peer) -> Any:
    """
    @return: the transport below the TLS of a server's connection.
    """
    return layer(peer).transport


class Authority:
    """
    An authority and certificates.

    @ivar root: the authority's own certificate.
    @ivar good: the certificate for this machine.
    @ivar elsewhere: one for another name.
    @ivar expired: one that is not valid any more.
    @ivar stranger: one of another authority.
    @ivar client: one for a client.
    """

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.root = Certificate.loadPEM(self.authority.cert_pem.bytes())
        self.good = Identity(self.authority.issue_cert("localhost", "127.0.0.1"))
        self.elsewhere = Identity(self.authority.issue_cert("else.where"))
        self.expired = Identity(
            self.authority.issue_cert(
                "localhost",
                not_before=LONG_AGO,
                not_after=LONG_AGO + datetime.timedelta(days=1),
            )
        )
        self.stranger = Identity(trustme.CA().issue_cert("localhost"))
        self.client = Identity(self.authority.issue_cert("client.example"))


@cache
def made() -> Authority:
    """
    @return: the authority of this process, created once because keys take time.
    """
    return Authority()


class TLSTestCase(NetworkTestCase):
    """
    Tests with servers that use TLS.
    """

    def setUp(self) -> None:
        self.made = made()
        self.recorder = Recorder()
        self.events = self.recorder.events

    def options(self, host: str = "localhost", **more: Any) -> Any:
        """
        @return: options for a client that trusts the authority.
        """
        return optionsForClientTLS(host, trustRoot=self.made.root, **more)

    async def serve(
        self,
        certificate: Identity | None = None,
        *authorities: Any,
        old: bool = False,
        asked: list[bytes | None] | None = None,
    ) -> Server:
        """
        Start a server that uses TLS.

        @param certificate: its certificate; by default, the good one.
        @param authorities: if there are any, clients need a certificate of one of them.
        @param old: True for TLS 1.2 or older.
        @param asked: a list to which the name is added that each client asks for.
        """
        options: Any = (certificate or self.made.good).options(*authorities)
        if old:
            options.getContext().set_max_proto_version(SSL.TLS1_2_VERSION)
        if asked is not None:
            options.getContext().set_tlsext_servername_callback(
                lambda connection: asked.append(connection.get_servername())
            )
        server = Server()
        listening = reactor.listenSSL(0, server, options, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        server.port = listening.getHost().port
        return server

    def failing(
        self, server: Server, kind: type[Exception] = TLSError, **parameters: Any
    ) -> Deferred[Any]:
        """
        Start a client whose only attempt fails.

        @return: a Deferred that fires with the error, which must be of this kind.
        """
        client = self.client(server, **{**self.recorder.parameters(), **parameters})
        return self.assertFailure(client.start(), kind)

    def assertRefused(self, error: Exception, *words: str) -> None:
        """
        Check that the attempt called only C{connectError}, with a text that contains
        these words.
        """
        for word in words:
            self.assertIn(word, str(error))
        self.assertEqual(
            self.events, ["started", ("connectError", "tls", EPROTO), "stopped"]
        )
