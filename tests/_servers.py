"""
Start servers from other projects: redis, NATS, nginx, memcached, ngircd, aiosmtpd,
PostgreSQL, POE.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import Any

import trustme
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from twisted_clienttcp import ClientTCPFactory

from ._processes import program, spawn
from ._support import NetworkTestCase, freePort


class Served(ProcessProtocol):
    """
    A server's process.
    """

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self.output = b""
        #: The process, to send it signals.
        self.process: Any = None

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.output += data

    def processEnded(self, reason: Any) -> None:
        reason.trap(ProcessDone, ProcessTerminated)
        self.ended.callback(None)


class ProcessTestCase(NetworkTestCase):
    """
    Tests with servers in processes of their own.
    """

    def runServer(
        self, name: str, *arguments: str, variables: dict[str, str] | None = None
    ) -> Served:
        """
        Run a server until the test ends.

        @param variables: variables to add to its environment.
        """
        return self.runCommand(program(name), *arguments, variables=variables)

    def runCommand(self, *command: str, **options: Any) -> Served:
        """
        Run a command until the test ends.

        @param options: keyword arguments of L{spawn}.
        """
        served = Served()
        process = served.process = spawn(served, *command, **options)

        def stop() -> Deferred[None]:
            if not served.ended.called:
                process.signalProcess("TERM")
            return served.ended

        self.addCleanup(stop)
        return served

    async def accepting(self, port: int, served: Served) -> None:
        """
        Wait until the server accepts connections, with a client that retries until it
        succeeds.

        @raise AssertionError: if the server exits before that.
        """
        client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=port,
            serverInput=lambda client, record: None,
            connectError=lambda client, failure: client.reconnect(0.05),
        )

        def exited(result: None) -> None:
            text = f"the server has exited: {served.output!r}"
            client.stop(Failure(AssertionError(text)))

        served.ended.addCallback(exited)
        client.start().addErrback(lambda failure: None)
        connection = await client.whenConnected()
        # A proxy would wait for a request.
        connection.abort()
        await client.shutdown()


class RealServerTestCase(ProcessTestCase):
    """
    Tests with servers that Debian provides, on free ports.
    """

    serve = ProcessTestCase.runServer

    async def redis(self) -> int:
        """
        Run redis-server until the test ends.

        @return: its port.
        """
        port = freePort()
        served = self.serve(
            *("redis-server", "--port", str(port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--dir", str(Path(".").absolute())),
        )
        await self.accepting(port, served)
        return port

    async def durableRedis(self, port: int, home: Path) -> Served:
        """
        Run a redis-server that has written every record to its disk before it
        acknowledges it, until the test ends.

        @param home: the folder for its data.
        """
        served = self.serve(
            *("redis-server", "--port", str(port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
            *("--dir", str(home)),
        )
        await self.accepting(port, served)
        return served

    async def nats(self, port: int, home: Path) -> Served:
        """
        Run a nats-server with JetStream until the test ends.

        @param home: the folder for its data.
        """
        served = self.serve(
            *("nats-server", "-a", "127.0.0.1", "-p", str(port)),
            *("-js", "-sd", str(home)),
        )
        await self.accepting(port, served)
        return served

    async def nginx(self) -> int:
        """
        Run a web server that says hello until the test ends.

        @return: its port.
        """
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        port = freePort()
        configuration = home / "nginx.conf"
        configuration.write_text(
            f"""
            daemon off; master_process off; pid {home}/pid; error_log stderr;
            events {{}}
            http {{
                access_log off;
                client_body_temp_path {home}; proxy_temp_path {home};
                fastcgi_temp_path {home}; uwsgi_temp_path {home};
                scgi_temp_path {home};
                server {{ listen 127.0.0.1:{port}; return 200 "hello"; }}
            }}
            """
        )
        served = self.serve("nginx", "-c", str(configuration), "-p", str(home))
        await self.accepting(port, served)
        return port

    async def ngircd(self, port: int) -> Served:
        """
        Run an IRC server until the test ends.
        """
        configuration = Path(self.mktemp()).absolute()
        configuration.write_text(
            f"""
            [Global]
            Name = irc.test
            Info = test
            Listen = 127.0.0.1
            Ports = {port}
            [Options]
            DNS = no
            Ident = no
            PAM = no
            [Limits]
            MaxConnectionsIP = 0
            """
        )
        served = self.serve("ngircd", "--nodaemon", "--config", str(configuration))
        await self.accepting(port, served)
        return served

    async def memcached(self) -> int:
        """
        Run memcached until the test ends.

        @return: its port.
        """
        port = freePort()
        await self.accepting(
            port,
            self.serve("memcached", "-l", "127.0.0.1", "-p", str(port), "-u", "root"),
        )
        return port

    async def smtp(self) -> tuple[int, Served, str]:
        """
        Run a mail server that demands STARTTLS until the test ends.

        @return: its port, its process, and the file with the certificate of its
            authority.
        """
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        authority = trustme.CA()
        certificate = authority.issue_cert("mail.test")
        files = {name: str(home / name) for name in ("ca", "cert", "key")}
        authority.cert_pem.write_to_path(files["ca"])
        certificate.private_key_pem.write_to_path(files["key"])
        for part in certificate.cert_chain_pems:
            part.write_to_path(files["cert"], append=True)
        port = freePort()
        served = self.serve(
            *("aiosmtpd", "-n", "-l", f"127.0.0.1:{port}"),
            *("--tlscert", files["cert"], "--tlskey", files["key"]),
            # A test reads its output, which is a pipe.
            variables={"PYTHONUNBUFFERED": "1"},
        )
        await self.accepting(port, served)
        return port, served, files["ca"]

    async def postgres(self, authority: trustme.CA) -> int:
        """
        Run PostgreSQL with TLS until the test ends. Its only user, "me", needs no
        password.

        @param authority: signs the server's certificate, which is for "localhost".

        @return: its port.
        """
        # The server refuses to run as root, and "nobody" cannot enter trial's folder.
        home = Path(tempfile.mkdtemp(prefix="clienttcp-postgres-"))
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        certificate = authority.issue_cert("localhost")
        key, chain = home / "server.key", home / "server.crt"
        certificate.private_key_pem.write_to_path(str(key))
        for part in certificate.cert_chain_pems:
            part.write_to_path(str(chain), append=True)
        key.chmod(0o600)
        user: dict[str, Any] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            user = {"uid": nobody.pw_uid, "gid": nobody.pw_gid}
            for path in (home, key, chain):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        data = home / "data"
        made = Served()
        spawn(
            made,
            *(postgresProgram("initdb"), "-D", data, "-A", "trust", "-U", "me"),
            "--no-sync",
            path=str(home),
            **user,
        )
        await made.ended
        port = freePort()
        served = Served()
        process = spawn(
            served,
            *(postgresProgram("postgres"), "-D", data, "-p", port),
            *("-c", "ssl=on", "-c", f"ssl_key_file={key}"),
            *("-c", f"ssl_cert_file={chain}", "-c", "listen_addresses=127.0.0.1"),
            *("-c", "unix_socket_directories=", "-c", "fsync=off"),
            path=str(home),
            **user,
        )

        def stop() -> Deferred[None]:
            if not served.ended.called:
                # With this signal, it does not wait for its clients.
                process.signalProcess("INT")
            return served.ended

        self.addCleanup(stop)
        await self.accepting(port, served)
        return port

    async def poe(self) -> int:
        """
        Run POE::Component::Server::TCP, which answers in capitals, until the test ends.

        @return: its port.
        """
        port = freePort()
        served = self.serve("perl", "-e", POE_SERVER, str(port))
        await self.accepting(port, served)
        return port


def postgresProgram(name: str) -> str:
    """
    @return: the path of one of PostgreSQL's programs, which Debian keeps in a folder
        of its own.

    @raise SkipTest: if it is not installed, except in CI, where it must be.
    """
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else program(name)


POE_SERVER = """
use POE qw(Component::Server::TCP);
POE::Component::Server::TCP->new(
    Address => "127.0.0.1",
    Port => $ARGV[0],
    ClientInput => sub {
        my ($heap, $line) = @_[HEAP, ARG0];
        $heap->{client}->put(uc $line);
        $_[KERNEL]->yield("shutdown") if $line eq "bye";
    },
);
POE::Kernel->run;
"""
