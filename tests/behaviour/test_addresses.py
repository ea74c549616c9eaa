"""
Tests for C{remoteAddress}, C{domain} and C{endpoint}: where a client connects to.
"""

from __future__ import annotations

import socket
import sys
from errno import ECONNREFUSED, ENOPROTOOPT
from typing import Any
from unittest.mock import patch

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
)
from twisted.internet.error import (
    ConnectionRefusedError,
    DNSLookupError,
    NoProtocol,
    NoRouteError,
    TimeoutError,
)
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory

from .._memory import ABC, ClientTestCase, SlowEndpoint, Transport
from .._processes import run
from .._resolver import NamingReactor
from .._support import (
    UNBOUND,
    NetworkTestCase,
    Recorder,
    Server,
    freePort,
    reactor,
    suppressing,
)


class AddressTests(ClientTestCase):
    """
    How addresses and descriptions are connected to, with a reactor in memory.
    """

    def made(self, **parameters: Any) -> tuple[Any, ...]:
        """
        @return: the last attempt of a client with these parameters: host, port, timeout
            and local side.
        """
        nowhere = {"remoteAddress": None, "remotePort": None}
        client = self.client(**{**nowhere, **parameters})
        client.start()
        host, port, _, timeout, binding = self.attempts()[-1]
        return host, port, timeout, binding

    def test_literal(self) -> None:
        """
        A literal address is used without a lookup. C{connectTimeout} is not passed to
        the reactor's connector.
        """
        for host in ("127.0.0.1", "::1"):
            self.assertEqual(
                self.made(remoteAddress=host, remotePort=7), (host, 7, None, None)
            )

    def test_description(self) -> None:
        """
        A literal address in a description is used in the same way; the other parts of
        the description count too.
        """
        for description, expected in (
            ("tcp:127.0.0.1:7", ("127.0.0.1", 7, None, None)),
            ("tcp:host=127.0.0.1:port=7:timeout=5", ("127.0.0.1", 7, 5, None)),
            ("tcp:127.0.0.1:7:timeout=99", ("127.0.0.1", 7, 99, None)),
            (
                "tcp:127.0.0.1:7:bindAddress=127.0.0.9",
                ("127.0.0.1", 7, None, ("127.0.0.9", 0)),
            ),
            (r"TCP:\:\:1:7", ("::1", 7, None, None)),
        ):
            made = self.made(endpoint=description, connectTimeout=60.0)
            self.assertEqual(made, expected, description)

    def test_names(self) -> None:
        """
        A name, also one in a description, is looked up for both families, or for one if
        C{domain} or the local side determines it.
        """
        both = {"remoteAddress": "both", "remotePort": 7}
        four, six = [IPv4Address], [IPv6Address]
        for parameters, families, host in (
            (both, None, "::2"),
            ({"endpoint": "tcp:both:7"}, None, "::2"),
            ({**both, "domain": socket.AF_INET}, four, "192.0.2.1"),
            ({**both, "domain": socket.AF_INET6}, six, "::2"),
            ({**both, "bindAddress": "127.0.0.9"}, four, "192.0.2.1"),
            ({"endpoint": "tcp:both:7:bindAddress=127.0.0.9"}, four, "192.0.2.1"),
            ({**both, "bindAddress": "::1", "bindPort": 9}, six, "::2"),
            ({**both, "bindPort": 9}, None, "::2"),
        ):
            naming = NamingReactor(self.reactor, both=["::2", "192.0.2.1"])
            made = self.made(reactor=naming, **parameters)
            self.assertEqual(made[0], host, parameters)
            self.assertEqual(
                naming.nameResolver.asked, [("both", families)], parameters
            )

    def test_wrong(self) -> None:
        """
        The constructor rejects wrong addresses.
        """
        nowhere = {"remoteAddress": None, "remotePort": None}
        for kind, words, parameters in (
            (ValueError, "'tcp:a:b'", {"endpoint": "tcp:a:b"}),
            (ValueError, "endpoint", {"endpoint": "tcp:a"}),
            (ValueError, "endpoint", {"endpoint": "tcp:a:0"}),
            (ValueError, "endpoint", {"endpoint": "tcp:a b:7"}),
            (ValueError, "'nonsense'", {"endpoint": ["tcp:a:7", "nonsense"]}),
            (ValueError, "at least one", {"endpoint": []}),
            (TypeError, "not 5", {"endpoint": ["tcp:a:7", 5]}),
            (TypeError, "not b'tcp:a:7'", {"endpoint": b"tcp:a:7"}),
            (TypeError, "a sequence of these", {"endpoint": {"tcp:a:7"}}),
            (TypeError, "together", {"endpoint": ABC, "bindPort": 5}),
            (
                ValueError,
                "different families",
                {"remoteAddress": "::1", "remotePort": 7, "bindAddress": "127.0.0.1"},
            ),
        ):
            given_: Any = {"serverInput": print, **nowhere, **parameters}
            error = self.assertRaises(kind, ClientTCPFactory, **given_)
            self.assertIn(words, str(error), parameters)

    def test_hostNames(self) -> None:
        """
        Names are looked up in lower case and in ASCII, with the dot at their end; in
        reports they have no dot. Names in ASCII that IDNA rejects are looked up too.
        """
        for host, lookedUp in (
            ("localhost", "localhost"),
            ("LocalHost.", "localhost."),
            ("my_service", "my_service"),
            ("r3---sn-4g5e.example", "r3---sn-4g5e.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("B\xdcCHER.example.", "xn--bcher-kva.example."),
            ("bu\u0308cher.example", "xn--bcher-kva.example"),
            ("b\xfccher\u3002example", "xn--bcher-kva.example"),
            # IDNA 2003 would look up strasse.example and the other sigma.
            ("stra\xdfe.example", "xn--strae-oqa.example"),
            (
                "\u03b2\u03cc\u03bb\u03bf\u03c2.example",
                "xn--nxasmm1c.example",
            ),
        ):
            naming = NamingReactor(self.reactor, **{lookedUp: ["192.0.2.1"]})
            for parameters in (
                {"remoteAddress": host, "remotePort": 7},
                {"endpoint": f"tcp:{host}:7"},
                {"remoteAddress": host, "remotePort": 7, "domain": socket.AF_INET},
            ):
                nowhere = {"remoteAddress": None, "remotePort": None}
                client = self.client(**{**nowhere, "reactor": naming, **parameters})
                client.start()
                self.assertEqual(self.attempts()[-1][0], "192.0.2.1", host)
                reported = lookedUp.removesuffix(".")
                address = client.connector.getDestination()
                self.assertEqual(address, HostnameAddress(reported.encode(), 7))
                self.assertIn(f"{reported}:7", repr(client))

    def test_notAHostName(self) -> None:
        """
        Names that IDNA 2008 rejects, and labels of a wrong length, are errors.
        """
        for host in ("\u2603.example", "b\xfccher_.example", "a" * 64, "a..b", "."):
            with self.assertRaisesRegex(ValueError, "neither a host name nor"):
                ClientTCPFactory(remoteAddress=host, remotePort=7, serverInput=print)

    def test_withoutIDNA(self) -> None:
        """
        Without C{idna}, only a name that is not ASCII is an error.
        """
        with patch.dict(sys.modules, {"idna": None}):
            ClientTCPFactory(remoteAddress="a.example", remotePort=7, serverInput=print)
            with self.assertRaisesRegex(ImportError, r"twisted_clienttcp\[tls\]"):
                ClientTCPFactory(remoteAddress="\xfc", remotePort=7, serverInput=print)

    def test_moved(self) -> None:
        """
        C{connect} with another port keeps the dot at the end of the name.
        """
        naming = NamingReactor(self.reactor, **{"a.": ["192.0.2.1"]})
        client = self.client(remoteAddress="a.", reactor=naming)
        client.connect(port=8)
        self.assertEqual(self.attempts()[-1][:2], ("192.0.2.1", 8))

    def test_paths(self) -> None:
        """
        The constructor rejects what cannot be the path of a socket; a name in Linux's
        abstract namespace is accepted.
        """
        unix: Any = {"domain": socket.AF_UNIX, "serverInput": print}
        for path, words in (
            ("/tmp/" + "\xe4" * 52, "at most 107 bytes, not 109"),
            ("\0" + "a" * 108, "at most 108 bytes, not 109"),
            ("/tmp/a\0b", "NUL"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                ClientTCPFactory(remoteAddress=path, **unix)
        for path in ("/tmp/" + "a" * 102, "\0" + "a" * 107, "\0a\0b"):
            ClientTCPFactory(remoteAddress=path, **unix)

    def test_lookUpFails(self) -> None:
        """
        A name that has no address is a failed attempt.
        """
        naming = NamingReactor(self.reactor, nowhere=[])
        client = self.client(
            remoteAddress="nowhere", reactor=naming, autoReconnect=False
        )
        stopped = client.start()
        self.reactor.advance(0)
        self.failureResultOf(stopped, DNSLookupError)
        self.assertEqual(self.events[1][:2], ("connectError", "getaddrinfo"))

    def test_lookUpHangs(self) -> None:
        """
        C{connectTimeout} limits a lookup that does not end, and the lookup together
        with what follows it.
        """
        naming = NamingReactor(self.reactor)
        client = self.client(
            remoteAddress="hangs", reactor=naming, autoReconnect=False, connectTimeout=5
        )
        stopped = client.start()
        self.reactor.advance(0)
        self.reactor.advance(4.9)
        self.assertNoResult(stopped)
        self.reactor.advance(0.1)
        self.failureResultOf(stopped, TimeoutError)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class LookupTests(ClientTestCase):
    """
    Clients that need the same name at the same time.
    """

    def test_shared(self) -> None:
        """
        They share a lookup, whatever their ports are. One that stops does not affect
        the others.
        """
        naming = NamingReactor(self.reactor)
        pending: list[Any] = []
        naming.nameResolver.resolveHostName = (  # type: ignore[method-assign]
            lambda receiver, *args: pending.append(receiver)
        )
        clients = [
            self.client(remoteAddress="name", remotePort=port, reactor=naming)
            for port in range(1, 301)
        ]
        for client in clients:
            client.start()
        self.assertEqual(self.attempts(), [])
        (receiver,) = pending
        clients[0].shutdown()
        self.assertEqual(self.events.count("stopped"), 1)
        receiver.addressResolved(IPv4Address("TCP", "192.0.2.1", 0))
        receiver.resolutionComplete()
        ports = [port for _, port, *_ in self.attempts()]
        self.assertEqual(ports, list(range(2, 301)))

    def test_bindPort(self) -> None:
        """
        With C{bindPort}, addresses are tried one after the other: two sockets cannot
        have the same port.
        """
        naming = NamingReactor(self.reactor, two=["192.0.2.1", "192.0.2.2"])
        client = self.client(remoteAddress="two", bindPort=9, reactor=naming)
        client.start()
        self.reactor.advance(10)
        self.assertEqual(len(self.attempts()), 1)
        self.refuse()
        hosts = [(host, bound) for host, _, _, _, bound in self.attempts()]
        self.assertEqual(hosts, [("192.0.2.1", ("", 9)), ("192.0.2.2", ("", 9))])

    def test_errors(self) -> None:
        """
        A resolver that raises ends the attempt immediately, with its reason.
        """
        for error in (OSError(24, "no descriptors"), UnicodeError("label too long")):

            def resolve(*args: Any, error: Exception = error) -> None:
                raise error

            self.setUp()
            naming = NamingReactor(self.reactor)
            naming.nameResolver.resolveHostName = resolve  # type: ignore[method-assign,assignment]
            client = self.client(remoteAddress="name", reactor=naming)
            client.start()
            self.assertEqual(self.events[1][0], "connectError")
            (failure,) = self.recorder.failures
            self.assertIs(failure.value, error)


class StoppedReactorTests(SynchronousTestCase):
    """
    Lookups when the reactor stops.
    """

    def test_fewCalls(self) -> None:
        """
        The process waits for the lookups that run, at most one per thread, and not for
        those that wait for a thread.
        """
        code = (
            "import signal, socket, threading\n"
            "signal.alarm(60)\n"
            "calls, stopping = [], threading.Event()\n"
            "def getaddrinfo(name, *arguments):\n"
            "    calls.append(name)\n"
            "    if len(calls) == 10:\n"
            "        reactor.callFromThread(reactor.stop)\n"
            "    stopping.wait()\n"
            "    raise socket.gaierror(socket.EAI_AGAIN, 'later')\n"
            "socket.getaddrinfo = getaddrinfo\n"
            "from twisted.internet import reactor\n"
            "from twisted_clienttcp import ClientTCPFactory\n"
            "for number in range(50):\n"
            "    ClientTCPFactory(serverInput=print, remotePort=7,\n"
            "                     remoteAddress=f'{number}.example').start()\n"
            "reactor.addSystemEventTrigger('before', 'shutdown', stopping.set)\n"
            "reactor.run()\n"
            "print(len(calls))\n"
        )
        self.assertEqual(run(sys.executable, "-c", code), "10\n")


class EachAddressTests(ClientTestCase):
    """
    C{client.tried}: the result of each address of a name.
    """

    def several(self, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client of a name with three addresses.
        """
        naming = NamingReactor(
            self.reactor, three=["2001:db8::1", "192.0.2.1", "192.0.2.2"]
        )
        return self.client(remoteAddress="three", reactor=naming, **parameters)

    def failed(self, index: int, error: Exception) -> None:
        """
        Make one of the attempts fail.
        """
        self.attempts()[index][2].clientConnectionFailed(None, Failure(error))

    def results(self, client: ClientTCPFactory) -> list[tuple[str, Any]]:
        """
        @return: the hosts and their results.
        """
        tried: dict[Any, Any] = {**client.tried}
        return [
            (address.host, type(result.value) if type(result) is Failure else result)
            for address, result in tried.items()
        ]

    def test_all(self) -> None:
        """
        Each address has its own failure, in the order of their start. The next attempt
        replaces them.
        """
        client = self.several()
        seen: list[Any] = []
        self.recorder.on["connectError"] = lambda client, failure: seen.append(
            self.results(client)
        )
        client.start()
        self.failed(0, NoRouteError())
        self.reactor.advance(0.3)
        self.failed(2, ConnectionRefusedError())
        self.assertEqual(seen, [])
        self.failed(1, TimeoutError())
        expected = [
            ("2001:db8::1", NoRouteError),
            ("192.0.2.1", TimeoutError),
            ("192.0.2.2", ConnectionRefusedError),
        ]
        self.assertEqual(seen, [expected])
        self.reactor.advance(client.delay)
        self.assertEqual(self.results(client), [("2001:db8::1", "connecting")])

    def test_noAnswer(self) -> None:
        """
        An address that has not answered before C{connectTimeout} is abandoned.
        """
        client = self.several(connectTimeout=1, autoReconnect=False)
        client.start().addErrback(lambda failure: None)
        self.failed(0, NoRouteError())
        self.reactor.advance(0.3)
        self.reactor.advance(0.7)
        self.assertEqual(self.events[-2][:2], ("connectError", "connect"))
        self.assertEqual(
            self.results(client),
            [
                ("2001:db8::1", NoRouteError),
                ("192.0.2.1", "abandoned"),
                ("192.0.2.2", "abandoned"),
            ],
        )
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_connected(self) -> None:
        """
        The first to answer is connected, others are abandoned; both remain visible as
        long as the connection lasts.
        """
        client = self.several()
        client.start()
        self.attempts()
        self.reactor.advance(0.3)
        self.establish()
        self.assertEqual(self.events, ["started", "connected"])
        self.assertEqual(
            self.results(client),
            [("2001:db8::1", "abandoned"), ("192.0.2.1", "connected")],
        )

    def test_afterTheRace(self) -> None:
        """
        A connection that C{preConnect} refuses does not lead to another address.
        """
        client = self.several(preConnect=lambda client, negotiation: False)
        client.start()
        self.establish().lose()
        self.assertEqual(self.events[-1][:2], ("connectError", "preconnect"))
        self.assertEqual(len(self.attempts()), 1)

    def test_noProtocol(self) -> None:
        """
        Nor does a C{buildProtocol} that refuses the connection or raises.
        """

        def build(self: Any, addr: Any) -> Any:
            if raising:
                raise raising.pop()

        hooked: Any = type("Hooked", (ClientTCPFactory,), {"buildProtocol": build})
        cases: tuple[list[Exception], ...] = ([], [ZeroDivisionError()])
        for raising in cases:
            self.setUp()
            kind = ZeroDivisionError if raising else NoProtocol
            naming = NamingReactor(self.reactor, two=["::1", "127.0.0.1"])
            client = hooked(
                remoteAddress="two",
                remotePort=7,
                reactor=naming,
                **self.recorder.parameters(),
            )
            client.start()
            self.assertIsNone(self.attempts()[0][2].buildProtocol(None))
            (failure,) = self.recorder.failures
            self.assertTrue(failure.check(kind))
            self.assertEqual(len(self.attempts()), 1)

    def test_logged(self) -> None:
        """
        Without C{connectError} the log has all results.
        """
        client = self.several(connectError=None, connectTimeout=1)
        client.start()
        self.attempts()
        with capturedLogs() as logs:
            self.failed(0, NoRouteError())
            self.reactor.advance(0.1)
            self.reactor.advance(0.9)
        said = [formatEvent(event) for event in logs if "operation" in event]
        self.assertIn(
            "2001:db8::1: Network is unreachable; 192.0.2.1: abandoned", str(said[0])
        )

    def test_connectedLogged(self) -> None:
        """
        The log has the name, and the address that was first to answer.
        """
        client = self.several()
        client.start()
        with capturedLogs() as logs:
            self.failed(0, NoRouteError())
            self.attempts()[1][2].buildProtocol(
                IPv4Address("TCP", "192.0.2.1", 7)
            ).makeConnection(Transport())
        (event,) = [each for each in logs if each.get("kind") == "connected"]
        self.assertEqual(formatEvent(event), "Client three:7: connected to 192.0.2.1:7")

    def test_literal(self) -> None:
        """
        A literal is one address.
        """
        client = self.client()
        client.start()
        self.refuse()
        self.assertEqual(self.results(client), [("127.0.0.1", ConnectionRefusedError)])

    def test_endpoint(self) -> None:
        """
        An endpoint does not report its addresses.
        """
        client = self.client(
            remoteAddress=None, remotePort=None, endpoint=SlowEndpoint()
        )
        client.start()
        self.assertEqual(client.tried, {})


class NetworkTests(NetworkTestCase):
    """
    Real sockets.
    """

    async def exchange(self, server: Server, **parameters: Any) -> Recorder:
        """
        Connect and stop.
        """
        recorder = Recorder()
        recorder.on["connected"] = lambda client, peer: client.shutdown()
        nowhere = {"remoteAddress": None, "remotePort": None}
        client = self.client(
            server, **{**recorder.parameters(), **nowhere, **parameters}
        )
        await client.start()
        return recorder

    async def test_onlyIPv6(self) -> None:
        """
        A name that has only an IPv6 address, as an address and in a description.
        """
        server = Server()
        try:
            listening = await TCP6ServerEndpoint(reactor, 0, interface="::1").listen(
                server
            )
        except OSError as error:
            raise SkipTest(f"no IPv6 here: {error}") from error
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        port = listening.getHost().port
        naming = NamingReactor(reactor, six=["::1"])
        for parameters in (
            {"remoteAddress": "six", "remotePort": port},
            {"endpoint": f"tcp:six:{port}"},
        ):
            recorder = await self.exchange(server, reactor=naming, **parameters)
            self.assertEqual(recorder.events[1], "connected")

    async def test_itself(self) -> None:
        """
        A socket that has connected to itself is refused, for every way to connect, and
        leaves the port free.
        """
        port = freePort()
        here = ("127.0.0.1", port)
        nowhere = {"remoteAddress": None, "remotePort": None}
        naming = NamingReactor(reactor, here=["127.0.0.1"])
        bound = {"bindAddress": here[0], "bindPort": port}
        for parameters in (
            bound,
            {**bound, "remoteAddress": "here", "reactor": naming},
            {**nowhere, "endpoint": TCP4ClientEndpoint(reactor, *here, 30, here)},
            nowhere,
        ):
            recorder = Recorder()
            server = Server()
            server.port = port
            client = self.client(server, **{**recorder.parameters(), **parameters})
            if parameters is nowhere:
                reactor.connectTCP(*here, client, bindAddress=here)
            else:
                client.start().addErrback(lambda failure: None)
            await client.whenStopped().addErrback(lambda failure: None)
            self.assertEqual(
                recorder.events,
                ["started", ("connectError", "connect", ECONNREFUSED), "stopped"],
            )
            self.assertIn("itself", str(recorder.failures[0].value))
            with socket.socket() as free:
                free.bind(here)

    async def test_socketOptions(self) -> None:
        """
        Sockets have their options before they connect.
        """
        server = await self.listen()
        options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 5000)]
        for parameters in (
            {"remoteAddress": "127.0.0.1", "remotePort": server.port},
            {"endpoint": f"tcp:127.0.0.1:{server.port}"},
        ):
            found: list[int] = []

            def connected(client: Any, peer: Any, found: list[int] = found) -> None:
                handle = client.server.transport.getHandle()
                found.append(handle.getsockopt(*options[0][:2]))
                client.shutdown()

            nowhere = {"remoteAddress": None, "remotePort": None}
            client = self.client(
                server,
                serverInput=print,
                connected=connected,
                **{**nowhere, "socketOptions": options, **parameters},
            )
            await client.start()
            # Linux doubles the value.
            self.assertIn(found, ([5000], [10000]))

    async def test_impossibleOption(self) -> None:
        """
        An option that the kernel rejects is a failed attempt; the reason is that of the
        kernel, and no socket remains.
        """
        server = await self.listen()
        naming = NamingReactor(reactor, two=["127.0.0.1", "127.0.0.2"])
        recorder = Recorder()
        client = self.client(
            server,
            remoteAddress="two",
            reactor=naming,
            socketOptions=[(socket.SOL_SOCKET, 9999, 1)],
            **recorder.parameters(),
        )
        await client.start().addErrback(lambda failure: None)
        self.assertEqual(
            recorder.events,
            ["started", ("connectError", "connect", ENOPROTOOPT), "stopped"],
        )
        self.assertEqual(len(client.tried), 2)
        self.assertEqual(server.peers, [])

    @suppressing(UNBOUND)
    async def test_optionsWithoutSocket(self) -> None:
        """
        If there is no socket that could have options, the reason for that is reported.
        """
        server = await self.listen()
        recorder = Recorder()
        client = self.client(
            server,
            bindAddress="192.0.2.77",
            socketOptions=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
            **recorder.parameters(),
        )
        await client.start().addErrback(lambda failure: None)
        self.assertEqual(recorder.events[1][:2], ("connectError", "bind"))

    def test_optionsOfEndpoints(self) -> None:
        """
        An endpoint makes its own sockets, so the setting is rejected.
        """
        options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        for endpoint in (SlowEndpoint(), ["tcp:localhost:7", "unix:/tmp/socket"]):
            with self.assertRaisesRegex(TypeError, "makes its own sockets"):
                ClientTCPFactory(
                    endpoint=endpoint, socketOptions=options, serverInput=print
                )

    async def test_lookUpInThread(self) -> None:
        """
        The reactor runs while a name is looked up.
        """
        server = await self.listen()
        turns = 0
        running = True

        def count() -> None:
            nonlocal turns
            turns += 1
            if running:
                reactor.callLater(0, count)

        began: Deferred[None] = Deferred()

        def lookUp(*arguments: Any) -> Any:
            # In a thread.
            reactor.callFromThread(began.callback, None)
            while turns < 5:
                pass
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

        self.patch(socket, "getaddrinfo", lookUp)
        began.addCallback(lambda _: count())
        recorder = await self.exchange(
            server, remoteAddress="slow.example", remotePort=server.port
        )
        running = False
        self.assertEqual(recorder.events[1], "connected")

    async def test_failover(self) -> None:
        """
        The first endpoint refuses, the second one answers, over a socket of the file
        system.
        """
        server = Server()
        path = self.socketPath()
        listening = await UNIXServerEndpoint(reactor, path).listen(server)
        self.addCleanup(listening.stopListening)
        self.addCleanup(self._closeAll, server)
        recorder = await self.exchange(
            server, endpoint=[f"unix:{path}.not", "tcp:127.0.0.1:1", f"unix:{path}"]
        )
        self.assertEqual(
            [
                event if isinstance(event, str) else event[0]
                for event in recorder.events
            ],
            [
                "started",
                *["connectError"] * 2,
                "connected",
                "disconnected",
                "stopped",
            ],
        )
