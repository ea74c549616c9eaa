"""
Tests for the TLS options of the command: verification, and the messages of failures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._commands import CLIENTTCP, USAGE, Command, CommandTestCase, answers
from .._support import Peer, Server, reactor
from .._tls import Identity, TLSTestCase, made


class CommandTLSTests(CommandTestCase, TLSTestCase):
    """
    C{--tls} and the related options.
    """

    def setUp(self) -> None:
        super().setUp()
        self.home = Path(self.directory())
        self.ca = self.file("ca", made().authority.cert_pem.bytes())

    def file(self, name: str, content: bytes) -> Path:
        path = self.home / name
        path.write_bytes(content)
        return path

    async def answering(
        self, certificate: Identity | None = None, *authorities: Any
    ) -> Server:
        """
        @return: a server that answers in capitals.
        """
        server = await self.serve(certificate, *authorities)
        server.heard = answers
        return server

    async def talk(self, server: Server, *options: object) -> Command:
        """
        Send a line to a server.
        """
        return await self.run_(
            *CLIENTTCP, *options, "localhost", server.port, "-4", given=b"bye\n"
        )

    async def test_verified(self) -> None:
        """
        A certificate for the host, from a trusted authority, is accepted.
        """
        server = await self.answering()
        done = await self.talk(server, "--ca", self.ca)
        self.assertEqual((self.status, done.out, done.err), (0, b"BYE\n", b""))

    async def test_refused(self) -> None:
        """
        A certificate that is not valid is one line, and status 2; also after several
        failed attempts.
        """
        for word, options, certificate in (
            (b"unknown CA", ["--tls"], None),
            (b"unknown CA", ["--ca", self.ca], made().stranger),
            (b"expired", ["--ca", self.ca], made().expired),
            (b"not for localhost", ["--ca", self.ca], made().elsewhere),
            (b"not for other", ["--ca", self.ca, "--servername=other"], None),
        ):
            server = await self.answering(certificate)
            done = await self.talk(server, *options)
            self.assertEqual((self.status, done.out), (2, b""), done.err)
            self.assertIn(word, done.err)
            self.assertEqual(done.err.count(b"\n"), 1, done.err)
        done = await self.talk(
            server, "--tls", "--reconnect", "--max-retries=1", "--initial-delay=0"
        )
        self.assertEqual(self.status, 2, done.err)

    async def test_notTLS(self) -> None:
        """
        A server that does not speak TLS is a failure of another kind: status 1.
        """
        server = await self.listen()
        server.heard = lambda peer, data: peer.send(b"500 what?\r\n")
        done = await self.talk(server, "--tls")
        self.assertEqual(self.status, 1, done.err)
        self.assertIn(b"does not speak TLS", done.err)

    async def test_servername(self) -> None:
        """
        With C{--servername}, the certificate is for that name.
        """
        server = await self.answering(made().elsewhere)
        done = await self.talk(server, "--ca", self.ca, "--servername=else.where")
        self.assertEqual((self.status, done.out, done.err), (0, b"BYE\n", b""))
        done = await self.run_(
            *(*CLIENTTCP, "--ca", self.ca, "--servername=else.where"),
            f"--endpoint=tcp:127.0.0.1:{server.port}",
            given=b"bye\n",
        )
        self.assertEqual((self.status, done.out, done.err), (0, b"BYE\n", b""))

    async def test_insecure(self) -> None:
        """
        C{--insecure} accepts any server, with a warning.
        """
        server = await self.answering(made().expired)
        done = await self.talk(server, "--insecure")
        self.assertEqual((self.status, done.out), (0, b"BYE\n"), done.err)
        self.assertIn(b"NOT verified", done.err)
        self.assertEqual(done.err.count(b"\n"), 1)

    async def test_clientCertificate(self) -> None:
        """
        The client's certificate is sent, with its key in the same file or another one,
        and with or without verification.
        """
        issued = made().authority.issue_cert("client.example")
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        key = issued.private_key_pem.bytes()
        both = self.file("both", chain + key)
        alone, secret = self.file("alone", chain), self.file("secret", key)
        for options in (
            ["--ca", self.ca, "--cert", both],
            ["--ca", self.ca, "--cert", alone, "--key", secret],
            ["--insecure", "--cert", both],
        ):
            server = await self.answering(None, made().root)
            done = await self.talk(server, *options)
            self.assertEqual((self.status, done.out), (0, b"BYE\n"), done.err)
        server = await self.answering(None, made().root)
        done = await self.talk(server, "--ca", self.ca)
        self.assertEqual(self.status, 1, done.err)

    async def test_alpn(self) -> None:
        """
        The server gets the offered protocols.
        """
        server = Server()

        def tell(peer: Peer, data: bytes) -> None:
            transport: Any = peer.transport
            peer.send(transport.negotiatedProtocol + b"\n")
            peer.close()

        server.heard = tell
        options = made().good.options(acceptableProtocols=[b"second", b"first"])
        listening = reactor.listenSSL(0, server, options, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        server.port = listening.getHost().port
        for how in (["--ca", self.ca], ["--insecure"]):
            done = await self.talk(server, *how, "--alpn=other,second")
            self.assertEqual((self.status, done.out), (0, b"second\n"), done.err)

    async def test_wrong(self) -> None:
        """
        A file that cannot be used is one line, and status 64.
        """
        nothing = self.file("nothing", b"nothing")
        certificate = self.file("own", made().authority.cert_pem.bytes())
        for word, options in (
            (b"No such file", ["--ca", self.home / "missing"]),
            (b"no certificate in PEM", ["--ca", nothing]),
            (b"no certificate in PEM", ["--cert", nothing]),
            (b"has no key", ["--cert", certificate]),
            (b"has no key", ["--cert", certificate, "--key", nothing]),
            (b"--cert is missing", ["--key", nothing]),
            (b"--alpn", ["--alpn", ","]),
        ):
            done = await self.run_(*CLIENTTCP, *options, "localhost", "7")
            self.assertEqual((self.status, done.out), (USAGE, b""), done.err)
            self.assertIn(word, done.err)
            self.assertEqual(done.err.count(b"\n"), 1, done.err)
        done = await self.run_(*CLIENTTCP, "--ca", self.ca, "unix:/run/x")
        self.assertEqual(self.status, USAGE)
        self.assertIn(b"--servername is missing", done.err)
