"""
Helpers for tests with TLS: certificates, and servers that use them.
"""

from __future__ import annotations

import datetime
from errno import EPROTO
from functools import cache
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS
from twisted.protocols.tls import TLSMemoryBIOProtocol

from twisted_clienttcp.errors import TLSError

from ._support import NetworkTestCase, Peer, Recorder, Server, reactor

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)


def private(issued: trustme.LeafCert) -> PrivateCertificate:
    """
    @return: a certificate and its key, as Twisted has them.
    """
    pem = issued.private_key_pem.bytes() + issued.cert_chain_pems[0].bytes()
    loaded: PrivateCertificate = PrivateCertificate.loadPEM(pem)
    return loaded


def below(peer: Peer) -> Any:
    """
    @return: the transport below the TLS of a server's connection.
    """
    transport: Any = peer.transport
    wrapped = isinstance(transport, TLSMemoryBIOProtocol)
    return transport.transport if wrapped else transport.protocol.transport


class Authority:
    """
    Certificates; made once, since a key takes a while.
    """

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.root = Certificate.loadPEM(self.authority.cert_pem.bytes())
        self.good = private(self.authority.issue_cert("localhost", "127.0.0.1"))
        self.elsewhere = private(self.authority.issue_cert("else.where"))
        self.expired = private(
            self.authority.issue_cert(
                "localhost",
                not_before=LONG_AGO,
                not_after=LONG_AGO + datetime.timedelta(days=1),
            )
        )
        self.stranger = private(trustme.CA().issue_cert("localhost"))
        self.client = private(self.authority.issue_cert("client.example"))


@cache
def made() -> Authority:
    """
    @return: the one.
    """
    return Authority()


class TLSTestCase(NetworkTestCase):
    """
    A test with servers that speak TLS.
    """

    def setUp(self) -> None:
        self.made = made()
        self.recorder = Recorder()
        self.events = self.recorder.events

    def options(self, host: str = "localhost", **more: Any) -> Any:
        """
        @return: options for a client that trusts our authority.
        """
        return optionsForClientTLS(host, trustRoot=self.made.root, **more)

    async def serve(
        self,
        certificate: PrivateCertificate | None = None,
        *authorities: Any,
        old: bool = False,
    ) -> Server:
        """
        Start a server that speaks TLS.

        @param authorities: those one of which clients need a certificate of.
        @param old: TLS 1.2 at most.
        """
        options: Any = (certificate or self.made.good).options(*authorities)
        if old:
            options.getContext().set_max_proto_version(SSL.TLS1_2_VERSION)
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
        @return: fires with the error, of that kind, of a client whose one attempt
            fails.
        """
        client = self.client(server, **{**self.recorder.parameters(), **parameters})
        return self.assertFailure(client.start(), kind)

    def assertRefused(self, error: Exception, *words: str) -> None:
        """
        The attempt was C{connectError} alone, with those words.
        """
        for word in words:
            self.assertIn(word, str(error))
        self.assertEqual(
            self.events, ["started", ("connectError", "tls", EPROTO), "stopped"]
        )
