"""
Against servers that nobody here wrote.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.trial.unittest import SkipTest

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Line

from ._support import NetworkTestCase, Recorder, reactor
from .test_drivers import freePort


def program(name: str) -> str:
    """
    @return: the path of a program.

    @raise SkipTest: if it is not installed, except in CI, where it must be.
    """
    path = shutil.which(name, path=os.defpath + os.pathsep + "/usr/sbin")
    if path is None:
        if os.environ.get("CI"):
            raise AssertionError(f"{name} is not installed, and CI must not skip")
        raise SkipTest(f"{name} is not installed")
    return path


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


class RealServerTestCase(NetworkTestCase):
    """
    A server of Debian's on a free port.
    """

    def serve(self, name: str, *arguments: str) -> Served:
        """
        Run a server until the test ends.
        """
        served = Served()
        process = served.process = reactor.spawnProcess(
            served, program(name), [name, *arguments], env=os.environ
        )

        def stop() -> Deferred[None]:
            if not served.ended.called:
                process.signalProcess("TERM")
            return served.ended

        self.addCleanup(stop)
        return served

    async def accepting(self, port: int, served: Served) -> None:
        """
        Wait until the server takes connections: with a client of ours, whose business
        it is to try until it succeeds.
        """
        client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=port,
            serverInput=lambda client, record: None,
            connectError=lambda client, failure: client.reconnect(0.05),
        )
        stopped = client.start()
        await client.whenConnected()
        await client.shutdown()
        await stopped

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


class RedisTests(RealServerTestCase):
    """
    redis-server.
    """

    async def test_ping(self) -> None:
        """
        PING is answered.
        """
        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.put(b"PING")
        recorder.on["serverInput"] = lambda client, line: client.shutdown()
        client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=await self.redis(),
            framing=Line(delimiter=b"\r\n"),
            **recorder.parameters(),
        )
        await client.start()
        self.assertEqual(
            recorder.events,
            [
                "started",
                "connected",
                "serverFlushed",
                ("serverInput", b"+PONG"),
                "disconnected",
                "stopped",
            ],
        )
        self.assertTrue(recorder.disconnections[0].confirmed)

    async def test_pipeline(self) -> None:
        """
        A batch of 10,000 SETs in one go gets 10,000 answers, and the values are there.
        """
        count, answers = 10_000, []

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            for number in range(count):
                client.put(b"SET key:%d value:%d" % (number, number))
            client.put(b"DBSIZE")
            client.put(b"GET key:9999")

        def serverInput(client: ClientTCPFactory, line: bytes) -> None:
            answers.append(line)
            if len(answers) == count + 3:
                client.shutdown()

        client = ClientTCPFactory(
            remoteAddress="127.0.0.1",
            remotePort=await self.redis(),
            framing=Line(delimiter=b"\r\n"),
            connected=connected,
            serverInput=serverInput,
        )
        await client.start()
        self.assertEqual(answers[:count], [b"+OK"] * count)
        self.assertEqual(answers[count:], [b":10000", b"$10", b"value:9999"])


class NginxTests(RealServerTestCase):
    """
    nginx.
    """

    async def test_head(self) -> None:
        """
        The synopsis of POE::Component::Client::TCP: HEAD / of a web server, and print
        what comes until it closes.
        """
        port = await self.nginx()
        recorder = Recorder()

        def connected(client: ClientTCPFactory, peer: Any) -> None:
            client.put(b"HEAD / HTTP/1.0")
            client.put(b"")

        recorder.on["connected"] = connected
        client = ClientTCPFactory(
            remoteAddress="localhost",
            remotePort=port,
            autoReconnect=False,
            **recorder.parameters(),
        )
        await client.start()
        lines = [event[1] for event in recorder.events if event[0] == "serverInput"]
        self.assertEqual(lines[0], b"HTTP/1.1 200 OK")
        self.assertIn(b"Content-Length: 5", lines)
        self.assertEqual(lines[-1], b"")
        self.assertEqual(
            recorder.events[-3:],
            [("serverError", "read", 0), "disconnected", "stopped"],
        )
