"""
The scripted peer of a scenario: C{python peer.py SCRIPT.json [CERTIFICATE KEY]}.

It uses only the standard library, and nothing of the package that is tested. First it
writes its ports, C{{"ev": "ready", "ports": {"main": 40123}}}, then a line of JSON for
each action and each event, until it is killed.

A script is C{{"listeners": {NAME: LISTENER}}}. A listener has the keys:

  - C{family}: C{"inet"} (the default) or C{"inet6"}
  - C{mode}: C{"accept"} (the default), C{"refuse"} (bound, never listening), or
    C{"backlog_full"} (no attempt succeeds before its timeout)
  - C{listen_after}: refuse for so many seconds, accept afterwards
  - C{close_listener_after}: stop listening after so many connections
  - C{tls}: true for TLS, with the certificate and key given
  - C{rcvbuf}: C{SO_RCVBUF} of the accepted sockets
  - C{conns}: a list of operations for each connection; the last list is used again

The operations are::

    ["send", TEXT]  ["send_hex", HEX]  ["send_n", N]   TEXT is latin-1
    ["sleep", S]    ["stall", S]                       a stall is logged
    ["read", N]     ["read_line"]      ["read_some"]   N bytes; to LF; one recv
    ["read_slow", N, S]                                N bytes each S s, to the end
    ["read_eof"]    ["half_close"]     ["close"]       ["reset"]

They are followed by a C{read_eof} and a C{close}.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import ssl
import struct
import sys
import time
from typing import Any

STARTED = time.monotonic()


def log(event: str, **details: Any) -> None:
    """
    Write a line.
    """
    entry = {"t": round(time.monotonic() - STARTED, 2), "ev": event, **details}
    print(json.dumps(entry), flush=True)


def shown(octets: bytes) -> dict[str, Any]:
    """
    @return: bytes in the form of the log: their digest if there are many.
    """
    if len(octets) <= 200:
        return {"n": len(octets), "data": octets.decode("latin-1")}
    return {"n": len(octets), "sha1": hashlib.sha1(octets).hexdigest()}


class Connection:
    """
    An accepted connection: a socket, or streams under TLS.
    """

    def __init__(self, tag: str, sock: Any = None, streams: Any = None) -> None:
        self.tag = tag
        self.sock = sock
        self.streams = streams
        self.loop = asyncio.get_running_loop()
        self.isOpen = True
        self.ended = False

    async def receive(self, size: int = 65536) -> bytes:
        """
        Read once.
        """
        if self.streams is not None:
            octets: bytes = await self.streams[0].read(size)
            return octets
        return await self.loop.sock_recv(self.sock, size)

    async def send(self, octets: bytes) -> None:
        """
        Send bytes, and wait until they can leave.
        """
        if self.streams is not None:
            self.streams[1].write(octets)
            await self.streams[1].drain()
        else:
            await self.loop.sock_sendall(self.sock, octets)

    def close(self) -> None:
        """
        Close the connection if it is open.
        """
        if self.isOpen:
            self.isOpen = False
            (self.sock if self.streams is None else self.streams[1]).close()

    async def run(self, operations: list[list[Any]]) -> None:
        """
        Perform the operations of the script.
        """
        try:
            for name, *arguments in [*operations, ["read_eof"], ["close"]]:
                if not self.isOpen:
                    break
                await getattr(self, f"do_{name}")(*arguments)
        except OSError as e:
            log("error", conn=self.tag, error=type(e).__name__)
        finally:
            self.close()

    async def do_send(self, text: str) -> None:
        octets = text.encode("latin-1")
        await self.send(octets)
        log("sent", conn=self.tag, **shown(octets))

    async def do_send_hex(self, text: str) -> None:
        octets = bytes.fromhex(text)
        await self.send(octets)
        log("sent", conn=self.tag, n=len(octets), hex=text)

    async def do_send_n(self, size: int) -> None:
        await self.send(b"x" * size)
        log("sent", conn=self.tag, n=size)

    async def do_sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def do_stall(self, seconds: float) -> None:
        log("stall", conn=self.tag)
        await asyncio.sleep(seconds)

    async def do_read(self, size: int) -> None:
        octets = b""
        while len(octets) < size:
            chunk = await self.receive(size - len(octets))
            if not chunk:
                break
            octets += chunk
        log("read", conn=self.tag, **shown(octets))

    async def do_read_line(self) -> None:
        octets = b""
        while not octets.endswith(b"\n"):
            chunk = await self.receive(1)
            if not chunk:
                break
            octets += chunk
        log("read", conn=self.tag, **shown(octets))

    async def do_read_some(self) -> None:
        log("read", conn=self.tag, **shown(await self.receive()))

    async def do_read_slow(self, size: int, seconds: float) -> None:
        digest, total = hashlib.sha1(), 0
        while chunk := await self.receive(size):
            total += len(chunk)
            digest.update(chunk)
            await asyncio.sleep(seconds)
        log("read_to_eof", conn=self.tag, n=total, sha1=digest.hexdigest())
        self.close()

    async def do_read_eof(self) -> None:
        if self.ended:
            return
        self.ended = True
        octets = bytearray()
        try:
            while chunk := await self.receive():
                octets += chunk
            log("read_to_eof", conn=self.tag, **shown(bytes(octets)))
        except (ConnectionResetError, ssl.SSLError) as e:
            error = type(e).__name__
            log("read_to_reset", conn=self.tag, error=error, **shown(bytes(octets)))
            self.close()

    async def do_half_close(self) -> None:
        if self.streams is not None:
            self.streams[1].write_eof()
        else:
            self.sock.shutdown(socket.SHUT_WR)
        log("half_close", conn=self.tag)

    async def do_close(self) -> None:
        self.close()
        log("close", conn=self.tag)

    async def do_reset(self) -> None:
        streams = self.streams
        sock = self.sock if streams is None else streams[1].get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if streams is None:
            self.close()
        else:
            streams[1].transport.abort()
            self.isOpen = False
        log("reset", conn=self.tag)


class Listener:
    """
    One of the script's listeners.
    """

    def __init__(self, name: str, spec: dict[str, Any]) -> None:
        self.name = name
        self.spec = spec
        self.conns = spec.get("conns") or [[]]
        self.accepted = 0
        # Nothing may be collected as garbage: neither tasks nor sockets.
        self.kept: list[Any] = []
        family = socket.AF_INET6 if spec.get("family") == "inet6" else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if "rcvbuf" in spec:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, spec["rcvbuf"])
        self.sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.mode = spec.get("mode", "accept")
        if self.mode == "accept" and not spec.get("listen_after"):
            self.sock.listen(64)
        elif self.mode == "backlog_full":
            self.sock.listen(0)
            for _ in range(3):
                filler = socket.socket(family, socket.SOCK_STREAM)
                filler.setblocking(False)
                filler.connect_ex(self.sock.getsockname()[:2])
                self.kept.append(filler)
        self.sock.setblocking(False)

    def tag(self) -> tuple[str, list[list[Any]]]:
        """
        @return: the name of the next connection, and its operations.
        """
        number = self.accepted
        self.accepted += 1
        return f"{self.name}#{number}", self.conns[min(number, len(self.conns) - 1)]

    async def serve(self, certificate: list[str]) -> None:
        """
        Accept connections.
        """
        if self.mode != "accept":
            return
        if delay := self.spec.get("listen_after"):
            await asyncio.sleep(delay)
            self.sock.listen(64)
            log("listening", listener=self.name)
        if self.spec.get("tls"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.kept.append(
                await asyncio.start_server(self.secured, sock=self.sock, ssl=context)
            )
            return
        loop = asyncio.get_running_loop()
        while self.accepted != self.spec.get("close_listener_after"):
            sock, (host, port, *_) = await loop.sock_accept(self.sock)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tag, operations = self.tag()
            log("accept", conn=tag, addr=host, port=port)
            run = Connection(tag, sock=sock).run(operations)
            self.kept.append(asyncio.ensure_future(run))
        self.sock.close()

    async def secured(self, reader: Any, writer: Any) -> None:
        """
        Called when the handshake of a connection has ended.
        """
        tag, operations = self.tag()
        version = writer.get_extra_info("ssl_object").version()
        log("accept_tls", conn=tag, version=version)
        await Connection(tag, streams=(reader, writer)).run(operations)


async def main(script: str, *certificate: str) -> None:
    """
    Serve until the process is killed.
    """
    with open(script) as file:
        spec = json.load(file)
    listeners = [Listener(name, each) for name, each in spec["listeners"].items()]
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: log("loop_error", error=str(context.get("exception")))
    )
    # If the process that started this one dies, this one must end too.
    asyncio.get_running_loop().call_later(spec.get("limit", 60), os._exit, 0)
    log("ready", ports={each.name: each.port for each in listeners})
    await asyncio.gather(*(each.serve(list(certificate)) for each in listeners))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
