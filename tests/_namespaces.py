"""
Two network namespaces with a wire between them, which a test can break without an
effect on other processes.

A socket always belongs to the namespace in which it was created. So one process and one
reactor are enough for both ends: the test enters the client's namespace until it ends,
and the server's only to listen.
"""

from __future__ import annotations

import ctypes
import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ._processes import completed, program, unavailable
from ._support import NetworkTestCase, Server, reactor

#: C{setns} of this kind of namespace (linux/sched.h); in Python only since 3.12.
CLONE_NEWNET = 0x40000000

#: The addresses of the two ends.
CLIENT, CLIENT6 = "10.99.0.1", "fd00:99::1"
SERVER, SERVER6 = "10.99.0.2", "fd00:99::2"

#: An address behind the server that is a black hole: packets to it are dropped, and no
#: error is reported.
NOWHERE6 = "fd00:dead::1"

_serial = itertools.count()


def _enter(namespace: int) -> None:
    """
    Move this thread to a network namespace.

    @param namespace: its file descriptor.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Wire:
    """
    The namespaces C{client} and C{server}, with an interface C{wire} in each.
    """

    def __init__(self) -> None:
        self._program = program("ip")
        name = f"clienttcp-{os.getpid()}-{next(_serial)}"
        self._names = {end: f"{name}-{end}" for end in ("client", "server")}

    def make(self) -> None:
        """
        Create the namespaces and connect them.

        @raise SkipTest: if that is not permitted here, except in CI.
        """
        try:
            self._make()
        except OSError as error:
            unavailable(f"no network namespaces: {error}")

    def _make(self) -> None:
        for name in self._names.values():
            self._ip("netns", "add", name)
        peer = self._names["server"]
        self.ip(
            "client", *f"link add wire type veth peer name wire netns {peer}".split()
        )
        for end, address, address6 in (
            ("client", CLIENT, CLIENT6),
            ("server", SERVER, SERVER6),
        ):
            self.ip(end, "addr", "add", f"{address}/24", "dev", "wire")
            # Without the detection of duplicates, it can be used immediately.
            self.ip(end, "addr", "add", f"{address6}/64", "dev", "wire", "nodad")
            self.ip(end, "link", "set", "lo", "up")
            self.ip(end, "link", "set", "wire", "up")
        with self.inside("server"):
            Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
        self.ip("client", "route", "add", f"{NOWHERE6}/128", "via", SERVER6)
        self.ip("server", "route", "add", "blackhole", f"{NOWHERE6}/128")

    def ip(self, end: str, *words: str) -> None:
        """
        Run C{ip} in a namespace.
        """
        self._ip("-n", self._names[end], *words)

    def _ip(self, *words: str) -> None:
        done = completed(self._program, *words)
        if done.returncode:
            raise OSError(done.stderr.strip())

    def breakOff(self) -> None:
        """
        Drop all packets to and from the server. The client keeps its addresses and
        routes, and does not notice.
        """
        self.ip("server", "link", "set", "wire", "down")

    def unplug(self) -> None:
        """
        Take the client's interface down: it has no network, and notices.
        """
        self.ip("client", "link", "set", "wire", "down")

    def repair(self) -> None:
        """
        Let all packets pass again.
        """
        for end in ("client", "server"):
            self.ip(end, "link", "set", "wire", "up")

    @contextmanager
    def inside(self, end: str) -> Iterator[None]:
        """
        Run the body in a namespace.
        """
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self._names[end]}", os.O_RDONLY)
        _enter(there)
        try:
            yield
        finally:
            _enter(here)
            os.close(there)
            os.close(here)

    def remove(self) -> None:
        """
        Remove the namespaces that exist.
        """
        for name in self._names.values():
            if os.path.exists(f"/run/netns/{name}"):
                self._ip("netns", "del", name)


class WireTestCase(NetworkTestCase):
    """
    A test on the client's end of a wire.
    """

    wire: Wire

    def setUp(self) -> None:
        self.wire = Wire()
        self.addCleanup(self.wire.remove)
        self.wire.make()
        inside = ExitStack()
        self.addCleanup(inside.close)
        inside.enter_context(self.wire.inside("client"))

    async def serve(self) -> Server:
        """
        @return: a server at the other end of the wire, at L{SERVER} and L{SERVER6}.
        """
        server = Server()
        self.addCleanup(self._closeAll, server)
        with self.wire.inside("server"):
            # On Linux, an IPv6 socket accepts both families.
            listening = reactor.listenTCP(0, server, interface="::")
        self.addCleanup(listening.stopListening)
        server.port = listening.getHost().port
        return server
