"""
A simulated network for the programs in the documents, which run in it as printed::

    $ python -m tests._world program.py

Every host name, except those below C{.invalid}, has the same address, one that is
reserved for documentation (RFC 5737). Its well-known ports lead to servers in this
module, on free ports of the loopback interface; its other ports are closed. These ports
of 127.0.0.1 lead to the same servers, and the ports that the program listens on are
free ports of the loopback interface too. Other addresses are not changed. The servers
and the program share one process and one reactor, of any kind that the program
installs.
"""

from __future__ import annotations

import os
import re
import runpy
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import main
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from twisted.protocols.basic import LineReceiver
from zope.interface import provider

from twisted_clienttcp.demo import Echo, Quotes

from ._resolver import FakeResolver

#: The address of every host name.
ADDRESS = "192.0.2.1"

#: A port of the loopback interface on which nothing listens.
CLOSED = 1


class Discard(Protocol):
    """
    Reads and ignores everything (RFC 863).
    """

    def dataReceived(self, data: bytes) -> None:
        pass


class Daytime(Protocol):
    """
    Sends a time and closes the connection (RFC 867).
    """

    def connectionMade(self) -> None:
        self.transport.write(  # type: ignore[union-attr]
            b"Thursday, October 1, 1998 08:00:00-UTC\r\n"
        )
        self.transport.loseConnection()  # type: ignore[union-attr]


class Web(LineReceiver):
    """
    A web server, for one request.
    """

    def lineReceived(self, line: bytes) -> None:
        if not line:
            self.sendLine(b"HTTP/1.0 200 OK")
            self.sendLine(b"")
            self.transport.loseConnection()  # type: ignore[union-attr]


class Mail(LineReceiver):
    """
    A mail server with STARTTLS (RFC 3207) that accepts no mail.
    """

    secured = False

    def connectionMade(self) -> None:
        self.sendLine(b"220 mail.example.org ESMTP")

    def lineReceived(self, line: bytes) -> None:
        word = line.upper().split(b" ")[0]
        if word == b"EHLO":
            answers = [b"250-mail.example.org", b"250 8BITMIME"]
            if not self.secured:
                answers.insert(1, b"250-STARTTLS")
        elif word == b"STARTTLS":
            answers = [b"220 go ahead"]
        elif word == b"QUIT":
            answers = [b"221 bye"]
        else:
            answers = [b"250 ok"]
        for answer in answers:
            self.sendLine(answer)
        if word == b"STARTTLS":
            self.secured = True
            self.transport.startTLS(certificate())  # type: ignore[union-attr]
        elif word == b"QUIT":
            self.transport.loseConnection()  # type: ignore[union-attr]


class Proxy(Protocol):
    """
    An HTTP proxy for CONNECT (RFC 9110, section 9.3.6), whose destinations all echo.
    """

    request = b""
    through = False

    def dataReceived(self, data: bytes) -> None:
        if self.through:
            self.transport.write(data)  # type: ignore[union-attr]
            return
        self.request += data
        head, end, rest = self.request.partition(b"\r\n\r\n")
        if end:
            self.through = True
            line = head.split(b"\r\n")[0].split(b" ")
            good = line[0] == b"CONNECT" and line[1].count(b":") == 1
            answer = b"200 Connection established" if good else b"400 Bad request"
            self.transport.write(b"HTTP/1.1 " + answer + b"\r\n\r\n" + rest)  # type: ignore[union-attr]


class Socks(Protocol):
    """
    A SOCKS 5 proxy without authentication (RFC 1928), whose destinations all echo.
    """

    request = b""
    stage = 0

    def dataReceived(self, data: bytes) -> None:
        write = self.transport.write  # type: ignore[union-attr]
        if self.stage == 2:
            write(data)
            return
        self.request += data
        if self.stage == 0 and len(self.request) >= 3:
            assert self.request[:3] == b"\x05\x01\x00", self.request
            self.request = self.request[3:]
            self.stage = 1
            write(b"\x05\x00")
        if self.stage == 1 and len(self.request) > 4:
            assert self.request[:4] == b"\x05\x01\x00\x03", self.request
            if len(self.request) == 7 + self.request[4]:
                self.stage = 2
                write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x07")


#: The servers by port, without and with TLS.
SERVERS: dict[int, type[Protocol]] = {
    7: Echo,
    9: Discard,
    13: Daytime,
    80: Web,
    587: Mail,
    1080: Socks,
    1717: Quotes,
    3128: Proxy,
}
SECURED: dict[int, type[Protocol]] = {
    443: Echo,
    1718: Quotes,
}

_context: list[Any] = []


def certificate() -> Any:
    """
    @return: a server's factory of TLS contexts, with a certificate for all names that
        the documents use. The programs trust its authority like the platform's own.
    """
    if not _context:
        import trustme
        from OpenSSL import SSL
        from twisted.internet.ssl import ContextFactory

        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "*.example.org", "example.org")
        bundle = Path(os.environ["SSL_CERT_FILE"])
        authority.cert_pem.write_to_path(str(bundle))
        authority.cert_pem.write_to_path(str(bundle.with_name("ca.pem")))
        context = SSL.Context(SSL.TLS_METHOD)
        issued.configure_cert(context)

        class Certificate(ContextFactory):
            def getContext(self) -> Any:
                return context

        _context.append(Certificate())
    return _context[0]


def lookUp(name: str) -> list[str]:
    """
    @return: the addresses of a host name.
    """
    return [] if name.endswith(".invalid") else [ADDRESS]


#: The port of each server, by the port that the documents use.
_ports: dict[int, int] = {}


def furnish(reactor: Any) -> None:
    """
    Give a reactor the simulated network.
    """
    ports = _ports
    connectTCP = reactor.connectTCP

    def connect(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if host == ADDRESS:
            host, port = "127.0.0.1", ports.get(port, CLOSED)
        elif host == "127.0.0.1":
            port = ports.get(port, port)
        return connectTCP(host, port, *args, **kwargs)

    reactor.connectTCP = connect
    reactor.installNameResolver(FakeResolver(lookUp))
    for number, kind in SERVERS.items():
        factory = Factory.forProtocol(kind)
        factory.noisy = False
        listening = reactor.listenTCP(0, factory, interface="127.0.0.1")
        ports[number] = listening.getHost().port
    for number, kind in SECURED.items():
        factory = Factory.forProtocol(kind)
        factory.noisy = False
        listening = reactor.listenSSL(0, factory, certificate(), interface="127.0.0.1")
        ports[number] = listening.getHost().port

    listenTCP = reactor.listenTCP

    def listen(port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        listening = listenTCP(0, factory, backlog, "127.0.0.1")
        if port:
            ports[port] = listening.getHost().port
        return listening

    reactor.listenTCP = listen


def plainText() -> Any:
    """
    A factory for the option C{--logger} of twistd.

    @return: an observer that prints what a program and its clients log as plain text,
        and what Twisted logs only if it is a warning or an error, to standard error.
    """

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        namespace = str(event["log_namespace"]).partition(".")[0]
        # Standard output and standard error of the process: print() writes to the log.
        if event["log_level"] >= LogLevel.warn:
            os.write(2, f"{text}\n".encode())
        elif namespace not in ("twisted", "log_legacy"):
            os.write(1, f"{_located(text)}\n".encode())

    return observe


def _located(text: str) -> str:
    """
    @return: a text with the addresses that the servers have for the documents, the time
        of an idle machine, and a line of at most 90 characters.
    """
    isLocal = "localhost" in text or "127.0.0.1" in text.partition(": ")[0]
    host = "127.0.0.1" if isLocal else ADDRESS
    for port, number in _ports.items():
        text = text.replace(f"127.0.0.1:{number}", f"{host}:{port}")
    # On a busy machine it may take longer.
    text = re.sub(r"failures in [\d.]+ s\b", "failures in 0.1 s", text)
    return text if len(text) <= 90 else f"{text[:87].rpartition(' ')[0]} ..."


def run(program: str) -> None:
    """
    Run a program in the simulated network: a C{.tac} file by twistd, any other by
    Python.
    """
    install = main.installReactor

    def installReactor(reactor: Any) -> None:
        install(reactor)
        furnish(reactor)

    main.installReactor = installReactor
    with TemporaryDirectory() as home:
        os.environ["SSL_CERT_FILE"] = str(Path(home, "trusted.pem"))
        os.chdir(home)
        # The files of a program can import each other.
        sys.path.insert(0, str(Path(program).parent))
        if program.endswith(".tac"):
            from twisted.scripts import twistd

            logger = f"--logger={plainText.__module__}.plainText"
            sys.argv = ["twistd", "--nodaemon", "--pidfile=", logger, "--python"]
            sys.argv.append(program)
            twistd.run()
        else:
            sys.argv = [program]
            runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    run(sys.argv[1])
