"""
Where to connect: addresses, descriptions of endpoints, and several of these in turn.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from ipaddress import ip_address
from socket import AF_INET, AF_INET6
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet._resolver import GAIResolver
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
)
from twisted.internet.error import (
    ConnectionDone,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TimeoutError,
)
from twisted.internet.interfaces import (
    IHostnameResolver,
    IReactorPluggableNameResolver,
)
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase
from zope.interface import implementer

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._check import literal
from twisted_clienttcp._target import Target
from twisted_clienttcp.errors import RetriesExhausted
from twisted_clienttcp.framing import Netstring

from .._support import NetworkTestCase, Recorder, Server, reactor
from .test_factory import ClientTestCase, SlowEndpoint, Transport
from .test_installation import run

ABC = ("tcp:127.0.0.1:1", "tcp:127.0.0.2:2", "tcp:127.0.0.3:3")


@implementer(IReactorPluggableNameResolver, IHostnameResolver)
class Naming:
    """
    A reactor that knows names of the test's own.

    @ivar names: addresses by name; a name that is not among them is looked up for ever.
    @ivar asked: for each look-up the name and the families.
    """

    def __init__(self, reactor: Any, **names: list[str]) -> None:
        self._reactor = reactor
        self.names = names
        self.asked: list[tuple[str, Any]] = []
        self.nameResolver = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def installNameResolver(self, resolver: Any) -> Any:
        raise NotImplementedError

    def resolveHostName(
        self,
        receiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        self.asked.append((hostName, addressTypes))
        if hostName in self.names:
            for host in self.names[hostName]:
                kind = IPv6Address if ":" in host else IPv4Address
                if addressTypes is None or kind in addressTypes:
                    receiver.addressResolved(kind("TCP", host, portNumber))
            receiver.resolutionComplete()
        return receiver


class AddressTests(ClientTestCase):
    """
    What is made of an address or a description, over a memory reactor.
    """

    def made(self, **parameters: Any) -> tuple[Any, ...]:
        """
        @return: the last attempt of a client that is given these: host, port, timeout
            and local side.
        """
        nowhere = {"remoteAddress": None, "remotePort": None}
        client = self.client(**{**nowhere, **parameters})
        client.start()
        host, port, _, timeout, binding = self.attempts()[-1]
        return host, port, timeout, binding

    @given(st.ip_addresses(), st.sampled_from(["", "%", "%eth0"]))
    def test_families(self, address: Any, scope: str) -> None:
        """
        A literal is told by its family. Only IPv6 has scopes.
        """
        family = AF_INET if address.version == 4 else AF_INET6
        scoped = scope == "%eth0" and family == AF_INET6
        expected = family if scoped or not scope else None
        self.assertEqual(literal(f"{address}{scope}"), expected)

    @given(st.text("0123456789abcdef:.% g\0é", max_size=20))
    def test_noFamily(self, text: str) -> None:
        """
        What L{ipaddress} does not take for one is none.
        """
        try:
            ip_address(text)
        except ValueError:
            self.assertIsNone(literal(text))

    def test_literal(self) -> None:
        """
        A literal is connected to as it is, without a look-up.
        """
        for host in ("127.0.0.1", "::1"):
            self.assertEqual(
                self.made(remoteAddress=host, remotePort=7), (host, 7, 30.0, None)
            )

    def test_description(self) -> None:
        """
        A literal in a description is the same; what else the description says counts,
        but for a timeout longer than C{connectTimeout}.
        """
        for description, expected in (
            ("tcp:127.0.0.1:7", ("127.0.0.1", 7, 60.0, None)),
            ("tcp:host=127.0.0.1:port=7:timeout=5", ("127.0.0.1", 7, 5, None)),
            ("tcp:127.0.0.1:7:timeout=99", ("127.0.0.1", 7, 60.0, None)),
            (
                "tcp:127.0.0.1:7:bindAddress=127.0.0.9",
                ("127.0.0.1", 7, 60.0, ("127.0.0.9", 0)),
            ),
            (r"TCP:\:\:1:7", ("::1", 7, 60.0, None)),
        ):
            made = self.made(endpoint=description, connectTimeout=60.0)
            self.assertEqual(made, expected, description)

    def test_names(self) -> None:
        """
        A name, also that of a description, is looked up for both families; for one if
        C{domain} or the local side says so.
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
            naming = Naming(self.reactor, both=["::2", "192.0.2.1"])
            made = self.made(reactor=naming, **parameters)
            self.assertEqual(made[0], host, parameters)
            self.assertEqual(naming.asked, [("both", families)], parameters)

    def test_wrong(self) -> None:
        """
        What is wrong is told by the constructor.
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
            (TypeError, "exclude", {"endpoint": ABC, "bindPort": 5}),
            (
                ValueError,
                "different families",
                {"remoteAddress": "::1", "remotePort": 7, "bindAddress": "127.0.0.1"},
            ),
        ):
            given_: Any = {"serverInput": print, **nowhere, **parameters}
            error = self.assertRaises(kind, ClientTCPFactory, **given_)
            self.assertIn(words, str(error), parameters)

    def test_names2003(self) -> None:
        """
        Names that IDNA 2008 does not know, but resolvers do.
        """
        for host, name in (
            ("my_service", "my_service"),
            ("r3---sn-4g5e.example", "r3---sn-4g5e.example"),
            ("B\xdcCHER.example", "xn--bcher-kva.example"),
            ("\u2603.example", "xn--n3h.example"),
        ):
            naming = Naming(self.reactor, **{name: ["192.0.2.1"]})
            for parameters in (
                {"remoteAddress": host, "remotePort": 7},
                {"endpoint": f"tcp:{host}:7"},
                {"remoteAddress": host, "remotePort": 7, "domain": socket.AF_INET},
            ):
                made = self.made(reactor=naming, **parameters)
                self.assertEqual(made[0], "192.0.2.1", host)

    def test_paths(self) -> None:
        """
        What cannot be the path of a socket is told by the constructor; a name in the
        abstract namespace of Linux is none.
        """
        unix: Any = {"domain": socket.AF_UNIX, "serverInput": print}
        for path, words in (
            ("/tmp/" + "\xe4" * 52, "at most 107 octets long, not 109"),
            ("\0" + "a" * 108, "at most 108 octets long, not 109"),
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
        naming = Naming(self.reactor, nowhere=[])
        client = self.client(
            remoteAddress="nowhere", reactor=naming, autoReconnect=False
        )
        stopped = client.start()
        self.reactor.advance(0)
        self.failureResultOf(stopped, DNSLookupError)
        self.assertEqual(self.events[1][:2], ("connectError", "getaddrinfo"))

    def test_lookUpHangs(self) -> None:
        """
        A look-up that does not end is bounded by C{connectTimeout}, and so is what
        comes after it, all together.
        """
        naming = Naming(self.reactor)
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


class EachAddressTests(ClientTestCase):
    """
    C{client.tried}: of the addresses of one name, which failed and why.
    """

    def several(self, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client of a name with three addresses.
        """
        naming = Naming(self.reactor, three=["2001:db8::1", "192.0.2.1", "192.0.2.2"])
        return self.client(remoteAddress="three", reactor=naming, **parameters)

    def failed(self, index: int, error: Exception) -> None:
        """
        Have one of the connections that are tried fail.
        """
        self.attempts()[index][2].clientConnectionFailed(None, Failure(error))

    def told(self, client: ClientTCPFactory) -> list[tuple[str, Any]]:
        """
        @return: the hosts and what became of them.
        """
        tried: dict[Any, Failure | None] = {**client.tried}
        return [
            (address.host, None if failure is None else type(failure.value))
            for address, failure in tried.items()
        ]

    def test_all(self) -> None:
        """
        Each with its own failure, in the order in which they were tried; the next
        attempt begins anew.
        """
        client = self.several()
        told: list[Any] = []
        self.recorder.on["connectError"] = lambda client, failure: told.append(
            self.told(client)
        )
        client.start()
        self.failed(0, NoRouteError())
        self.reactor.advance(0.3)
        self.reactor.advance(0.3)
        self.failed(2, ConnectionRefusedError())
        self.assertEqual(told, [])
        self.failed(1, TimeoutError())
        self.reactor.advance(0.3)
        expected = [
            ("2001:db8::1", NoRouteError),
            ("192.0.2.1", TimeoutError),
            ("192.0.2.2", ConnectionRefusedError),
        ]
        self.assertEqual(told, [expected])
        self.reactor.advance(client.delay)
        self.assertEqual(self.told(client), [("2001:db8::1", None)])

    def test_noAnswer(self) -> None:
        """
        Those that were given up have not failed: there is None of them. So is there of
        the one that has answered.
        """
        client = self.several(connectTimeout=1, autoReconnect=False)
        client.start().addErrback(lambda failure: None)
        self.reactor.advance(0)
        self.reactor.advance(0.3)
        self.failed(0, NoRouteError())
        self.reactor.advance(0.8)
        self.assertEqual(self.events[-2][:2], ("connectError", "connect"))
        self.assertEqual(
            self.told(client)[:2], [("2001:db8::1", NoRouteError), ("192.0.2.1", None)]
        )
        client = self.several()
        client.start()
        self.establish()
        self.assertEqual(self.told(client), [("2001:db8::1", None)])

    def test_logged(self) -> None:
        """
        Without C{connectError} the log tells all of it.
        """
        client = self.several(connectError=None, connectTimeout=1)
        client.start()
        self.reactor.advance(0)
        self.reactor.advance(0.3)
        with capturedLogs() as logs:
            self.failed(0, NoRouteError())
            self.reactor.advance(0.8)
        said = [formatEvent(event) for event in logs if "operation" in event]
        self.assertIn(
            "2001:db8::1: Network is unreachable; 192.0.2.1: no answer", str(said[0])
        )

    def test_one(self) -> None:
        """
        A literal, or an endpoint of the user's own, is one address: there is nothing to
        tell apart.
        """
        client = self.client()
        client.start()
        self.refuse()
        self.assertEqual(client.tried, {})


class TimeTests(SynchronousTestCase):
    """
    Whose time it is.
    """

    def test_timeIsSet(self) -> None:
        """
        Where the time of day is put back in the middle of an attempt, C{connectTimeout}
        is none the longer, if the reactor goes by another clock.
        """
        code = (
            "import signal, time\n"
            "signal.alarm(10)\n"
            "back, now = 0, time.time\n"
            "time.time = lambda: now() - back\n"
            "from twisted.internet import reactor\n"
            "from twisted.internet.protocol import Factory, Protocol\n"
            "reactor.seconds = time.monotonic\n"
            "from twisted_clienttcp import ClientTCPFactory\n"
            "def preConnect(client, negotiation):\n"
            "    global back\n"
            "    back = 3600\n"
            "    return negotiation.nextRecord()\n"
            "listening = reactor.listenTCP(0, Factory.forProtocol(Protocol),\n"
            "                              interface='127.0.0.1')\n"
            "client = ClientTCPFactory(serverInput=print, preConnect=preConnect,\n"
            "                          remoteAddress='127.0.0.1',\n"
            "                          remotePort=listening.getHost().port,\n"
            "                          connectTimeout=0.1, autoReconnect=False)\n"
            "client.start().addErrback(lambda failure: reactor.stop())\n"
            "reactor.run()\n"
        )
        run(sys.executable, "-c", code)


class FailoverTests(ClientTestCase):
    """
    Several endpoints: the turns they have.
    """

    def setUp(self) -> None:
        super().setUp()
        #: Where attempts went, as the connector says in C{connectError}.
        self.failed: list[int] = []
        self.recorder.on["connectError"] = lambda client, failure: self.failed.append(
            client.connector.getDestination().port
        )

    def several(self, endpoint: Any = ABC, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client of several endpoints.
        """
        return self.client(
            **{
                "remoteAddress": None,
                "remotePort": None,
                "endpoint": endpoint,
                **parameters,
            }
        )

    def tried(self) -> list[int]:
        """
        @return: the ports of all attempts until now.
        """
        return [attempt[1] for attempt in self.attempts()]

    def test_round(self) -> None:
        """
        One attempt is one endpoint. Within a round there is no delay; between two
        rounds there is.
        """
        client = self.several()
        client.start()
        for ports in ([1], [1, 2], [1, 2, 3]):
            self.assertEqual(self.tried(), ports)
            self.refuse()
        self.assertEqual(self.failed, [1, 2, 3])
        self.assertEqual(self.tried(), [1, 2, 3])
        self.assertEqual(client.retries, 1)
        self.reactor.advance(client.initialDelay * 0.99)
        self.assertEqual(self.tried(), [1, 2, 3])
        self.reactor.advance(client.initialDelay * 0.01)
        for ports in ([1], [1, 2], [1, 2, 3]):
            self.assertEqual(self.tried()[3:], ports)
            self.refuse()
        self.assertEqual(client.retries, 2)
        self.assertEqual(
            self.events, ["started"] + [("connectError", "connect", 111)] * 6
        )

    def test_kept(self) -> None:
        """
        The one that worked is kept until it fails; then the round begins with it.
        """
        client = self.several()
        client.start()
        self.refuse()
        for _ in range(3):
            transport = self.establish()
            self.reactor.advance(client.stableAfter)
            transport.lose()
            self.assertEqual(self.tried()[-1], 2)
            self.reactor.advance(client.delay)
        self.assertEqual(self.tried(), [1, 2, 2, 2, 2])
        self.refuse()
        self.assertEqual(self.tried()[5:], [3])
        self.refuse()
        self.assertEqual(self.tried()[5:], [3, 1])
        self.refuse()
        self.assertEqual(self.tried()[5:], [3, 1])
        self.reactor.advance(client.delay)
        self.assertEqual(self.tried()[5:], [3, 1, 2])

    def test_giveUp(self) -> None:
        """
        C{maxRetries} counts rounds.
        """
        client = self.several()
        client.maxRetries = 1
        stopped = client.start()
        for _ in range(6):
            self.refuse()
            self.reactor.advance(client.initialDelay)
        self.assertEqual(self.tried(), [1, 2, 3, 1, 2, 3])
        self.failureResultOf(stopped, RetriesExhausted)

    def test_oneRound(self) -> None:
        """
        Without C{autoReconnect} there is one round; the last failure is what stopped
        the client. A client started again goes on behind that.
        """
        client = self.several(autoReconnect=False)
        for _ in range(2):
            stopped = client.start()
            for _ in range(3):
                self.refuse()
            self.failureResultOf(stopped, ConnectionRefusedError)
        self.assertEqual(self.tried(), [1, 2, 3, 1, 2, 3])

    def test_newRound(self) -> None:
        """
        A client that was stopped in the middle of a round, and is started again, begins
        a whole one.
        """
        client = self.several(autoReconnect=False)
        client.start()
        self.refuse()
        self.assertEqual(self.tried(), [1, 2])
        client.shutdown()
        stopped = client.start()
        for _ in range(3):
            self.refuse()
        self.assertEqual(self.tried(), [1, 2, 3, 1, 2])
        self.failureResultOf(stopped, ConnectionRefusedError)

    def test_oneConnection(self) -> None:
        """
        Without C{autoReconnect} nothing follows a loss.
        """
        client = self.several(autoReconnect=False)
        client.start().addErrback(lambda failure: None)
        self.refuse()
        self.establish().lose()
        self.assertEqual(self.events[-1], "stopped")
        self.assertEqual(self.tried(), [1, 2])

    def test_deadline(self) -> None:
        """
        C{connectTimeout} is each attempt's own.
        """
        client = self.several(connectTimeout=5)
        client.start()
        self.tried()
        for ports in ([1, 2], [1, 2, 3]):
            self.reactor.advance(5)
            self.assertEqual(self.tried(), ports)
        self.assertEqual(self.failed, [1, 2])
        self.assertEqual(self.events[-1], ("connectError", "connect", 110))

    def test_negotiation(self) -> None:
        """
        An attempt that C{preConnect} refuses has failed too.
        """
        client = self.several(preConnect=lambda client, negotiation: False)
        client.start()
        self.establish().lose()
        self.assertEqual(self.tried(), [1, 2])
        self.assertEqual(self.failed, [1])

    def test_dropping(self) -> None:
        """
        One that accepts and drops connections is left when it has done so twice in a
        row, before they were stable; each time after a delay.
        """
        client = self.several()
        client.start()
        for ports in ([1], [1, 1], [1, 1, 2], [1, 1, 2, 2], [1, 1, 2, 2, 3]):
            self.assertEqual(self.tried(), ports)
            self.establish().lose()
            self.assertEqual(self.tried(), ports)
            self.reactor.advance(client.delay)
        self.assertEqual(self.failed, [])

    def test_silent(self) -> None:
        """
        So is one that accepts and says nothing, or nothing that can be read, though it
        is we who drop the connection then.
        """

        def mute(transport: Transport) -> None:
            self.reactor.pump([1.0] * 4)

        def babbling(transport: Transport) -> None:
            assert transport.protocol is not None
            transport.protocol.dataReceived(b"no number:")

        for fault, parameters in (
            (mute, {"heartbeat": (1, b"?")}),
            (mute, {"idleTimeout": 2}),
            (babbling, {"framing": Netstring}),
        ):
            self.setUp()
            client = self.several(**parameters)
            client.start()
            for ports in ([1], [1, 1], [1, 1, 2]):
                self.assertEqual(self.tried(), ports)
                transport = self.establish()
                fault(transport)
                transport.lose(ConnectionDone())
                self.reactor.advance(client.delay)

    def test_ourOwnEnd(self) -> None:
        """
        A connection that we have ended says nothing against an endpoint.
        """
        client = self.several()
        client.start()
        for _ in range(4):
            transport = self.establish()
            client.reconnect()
            transport.lose()
        self.assertEqual(self.tried(), [1] * 5)

    def test_orders(self) -> None:
        """
        Orders given in C{connectError} go before the round.
        """
        for order, later in (
            (lambda client: client.reconnect(5), [1, 2]),
            (lambda client: client.shutdown(), [1]),
            (lambda client: client.stopTrying(), [1]),
        ):
            self.setUp()
            act: Callable[[Any], Any] = order
            self.recorder.on["connectError"] = lambda client, failure, act=act: act(
                client
            )
            client = self.several()
            client.start().addErrback(lambda failure: None)
            self.refuse()
            self.assertEqual(self.tried(), [1])
            self.reactor.advance(5)
            self.assertEqual(self.tried(), later)

    def test_elsewhere(self) -> None:
        """
        Another address takes the place of all.
        """
        client = self.several()
        client.start()
        self.refuse()
        self.assertEqual(self.tried(), [1, 2])
        client.connect("127.0.0.9", 9)
        self.assertEqual(self.tried(), [1, 2, 9])
        self.refuse()
        self.reactor.advance(client.delay)
        self.assertEqual(self.tried(), [1, 2, 9, 9])

    def test_elsewhereWithoutTLS(self) -> None:
        """
        Not where the endpoints speak TLS themselves: another address would not.
        """
        client = self.several(["tcp:127.0.0.1:1", "tls:127.0.0.2:2"])
        client.start()
        error = self.assertRaises(ValueError, client.connect, "127.0.0.9", 9)
        self.assertIn("'tls:127.0.0.2:2'", str(error))
        self.assertIn("give the factory remoteAddress, remotePort and tls", str(error))
        self.assertEqual(self.tried(), [1])

    def test_kinds(self) -> None:
        """
        Endpoints and descriptions can be mixed, in anything that can be iterated; each
        failure says which it was.
        """
        slow = SlowEndpoint()
        object4 = TCP4ClientEndpoint(self.reactor, "127.0.0.4", 4)
        where: list[Any] = []
        self.recorder.on["connectError"] = lambda client, failure: where.append(
            str(client.connector.getDestination())
        )
        client = self.several(iter([ABC[0], slow, object4, "unix:/no/such"]))
        client.start()
        self.refuse()
        self.reactor.advance(0)
        slow.results[0].errback(ConnectionRefusedError())
        self.refuse()
        self.assertEqual(client.connector.getDestination().endpoint, object4)
        self.reactor.advance(0)
        self.assertEqual(len(self.reactor.unixClients), 1)
        self.reactor.unixClients[0][1].clientConnectionFailed(
            None, Failure(ConnectionRefusedError())
        )
        self.assertEqual(
            where,
            [
                "IPv4Address(type='TCP', host='127.0.0.1', port=1)",
                str(slow),
                str(object4),
                "unix:/no/such",
            ],
        )

    def test_logged(self) -> None:
        """
        Without C{connectError} the log says which.
        """
        client = self.client(
            remoteAddress=None, remotePort=None, endpoint=ABC, connectError=None
        )
        client.start()
        with capturedLogs() as logs:
            for _ in range(3):
                self.refuse()
        said = [formatEvent(event) for event in logs if "operation" in event]
        for line, port in zip(said, (1, 2, 3), strict=True):
            self.assertIn(f"127.0.0.{port}:{port}", str(line))

    def test_transport(self) -> None:
        """
        C{client.server} is of the endpoint that answered.
        """
        client = self.several()
        client.start()
        self.refuse()
        self.assertIsInstance(self.establish(), Transport)
        self.assertEqual(client.connector.getDestination().port, 2)
        self.assertIn("127.0.0.2:2", repr(client))


class TargetTests(SynchronousTestCase):
    """
    The turns, for any number of places and any order of events.
    """

    @given(
        st.integers(1, 5),
        st.lists(st.sampled_from(["failed", "dropped", "lost", "start"]), max_size=30),
    )
    def test_turns(self, count: int, outcomes: list[str]) -> None:
        """
        After a failure it is the next one's turn, after a stable connection the same
        one's. In no round is a place tried twice or left out.
        """
        target = Target(
            remoteAddress=None,
            remotePort=None,
            endpoint=[f"tcp:127.0.0.1:{port}" for port in range(1, count + 1)],
            domain=None,
            bindAddress=None,
            bindPort=None,
            tls=None,
        )
        reactor = MemoryReactorClock()
        target.begin()
        expected, drops = str(target), 0
        round_: list[str] = []
        for outcome in outcomes:
            connector: Any = target.connect(
                ReconnectingClientFactory(), reactor, 30, True
            )
            here = str(target)
            self.assertEqual(here, expected)
            self.assertEqual(here, f"127.0.0.1:{connector.getDestination().port}")
            after = f"127.0.0.1:{int(here.rpartition(':')[2]) % count + 1}"
            round_.append(here)
            self.assertEqual(len(set(round_)), len(round_))
            if outcome in ("dropped", "lost"):
                target.reached()
                target.lost(stable=outcome == "lost")
                self.assertFalse(target.left)
                drops = drops + 1 if outcome == "dropped" else 0
                expected = here if drops < 2 else after
                round_ = []
            else:
                self.assertEqual(target.left, len(round_) < count)
                if outcome == "start":
                    target.begin()
                    self.assertFalse(target.left)
                expected = after
                if not target.left:
                    round_ = []
            if expected == after:
                drops = 0


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
        A name that has an IPv6 address alone, by address or description.
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
        naming = Naming(reactor, six=["::1"])
        for parameters in (
            {"remoteAddress": "six", "remotePort": port},
            {"endpoint": f"tcp:six:{port}"},
        ):
            recorder = await self.exchange(server, reactor=naming, **parameters)
            self.assertEqual(recorder.events[1], "connected")

    async def test_lookUpInThread(self) -> None:
        """
        The reactor runs while a name is looked up, with the resolver that it has.
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
            # In a thread of the resolver's.
            reactor.callFromThread(began.callback, None)
            while turns < 5:
                pass
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
            ]

        slowly: Any = lookUp
        resolver = GAIResolver(reactor, getaddrinfo=slowly)
        former = reactor.installNameResolver(resolver)
        self.addCleanup(reactor.installNameResolver, former)
        began.addCallback(lambda _: count())
        recorder = await self.exchange(
            server, remoteAddress="slow.example", remotePort=server.port
        )
        running = False
        self.assertEqual(recorder.events[1], "connected")

    async def test_failover(self) -> None:
        """
        The first refuses, the second answers, over a socket of the file system.
        """
        server = Server()
        path = self.mktemp()
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
