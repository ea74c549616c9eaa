"""
Tests for lookups and the race of addresses, without a network.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectionRefusedError,
    DNSLookupError,
    NoProtocol,
    NoRouteError,
)
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connecting import resolving
from twisted_clienttcp._connecting.resolving import (
    ATTEMPT_DELAY,
    JOINABLE,
    Candidate,
    Race,
    interleaved,
    lookUp,
)

from .._memory import Transport


class Resolver:
    """
    A resolver whose lookups end when the test says so.

    @ivar receivers: for each lookup, the receiver.
    @ivar asked: for each lookup, the name and the address types.
    @ivar cancelled: how many lookups were cancelled.
    """

    def __init__(self) -> None:
        self.receivers: list[Any] = []
        self.asked: list[Any] = []
        self.cancelled = 0

    def resolveHostName(
        self, receiver: Any, name: str, port: int, types: Any, transport: str
    ) -> Any:
        self.receivers.append(receiver)
        self.asked.append((name, types))
        receiver.resolutionBegan(self)

    def cancel(self) -> None:
        self.cancelled += 1

    def answer(self, *hosts: str, index: int = -1) -> None:
        """
        End a lookup.
        """
        for host in hosts:
            kind = IPv6Address if ":" in host else IPv4Address
            self.receivers[index].addressResolved(kind("TCP", host, 0))
        self.receivers[index].resolutionComplete()


class LookupTestCase(SynchronousTestCase):
    """
    A reactor with such a resolver.
    """

    reactor: Any

    def setUp(self) -> None:
        self.resolver = Resolver()
        self.reactor = Clock()
        self.reactor.nameResolver = self.resolver

    def lookUp(self, name: str = "a", family: int | None = None) -> Deferred[list[str]]:
        return lookUp(self.reactor, name, family)

    def tearDown(self) -> None:
        """
        Nothing is remembered.
        """
        for receiver in self.resolver.receivers:
            receiver.resolutionComplete()
        self.assertEqual(resolving._lookups, {})
        self.assertEqual(resolving._threads, {})


class LookupTests(LookupTestCase):
    """
    One lookup for all clients that need it.
    """

    def test_shared(self) -> None:
        """
        Clients join a lookup until it ends. Each has a list of its own.
        """
        first, second = self.lookUp(), self.lookUp()
        self.assertEqual(len(self.resolver.asked), 1)
        self.resolver.answer("::1", "127.0.0.1")
        found = self.successResultOf(first)
        self.assertEqual(found, ["::1", "127.0.0.1"])
        found.clear()
        self.assertEqual(self.successResultOf(second), ["::1", "127.0.0.1"])
        third = self.lookUp()
        self.assertEqual(len(self.resolver.asked), 2)
        self.resolver.answer("127.0.0.2")
        self.assertEqual(self.successResultOf(third), ["127.0.0.2"])

    def test_key(self) -> None:
        """
        Another name, family, resolver or reactor is another lookup.
        """
        lookups = [self.lookUp("a")]
        lookups.append(self.lookUp("b"))
        lookups.append(self.lookUp("a", socket.AF_INET))
        lookups.append(self.lookUp("a", socket.AF_INET6))
        self.assertEqual(
            self.resolver.asked,
            [
                ("a", None),
                ("b", None),
                ("a", [IPv4Address]),
                ("a", [IPv6Address]),
            ],
        )
        former, self.reactor.nameResolver = self.resolver, Resolver()
        lookups.append(self.lookUp("a"))
        other: Any = Clock()
        other.nameResolver = former
        lookups.append(lookUp(other, "a", None))
        self.assertEqual(len(former.asked), 5)
        self.reactor.nameResolver.answer("::1")
        for index in range(5):
            former.answer("::1", "127.0.0.1", index=index)
        families = [self.successResultOf(lookup) for lookup in lookups]
        self.assertEqual(families[2:4], [["127.0.0.1"], ["::1"]])

    def test_families(self) -> None:
        """
        Addresses of another kind than those that were wanted are ignored.
        """
        lookup = self.lookUp(family=socket.AF_INET)
        self.resolver.receivers[0].addressResolved(UNIXAddress("/a"))
        self.resolver.answer("::1")
        self.failureResultOf(lookup, DNSLookupError)

    def test_scope(self) -> None:
        """
        A link-local address keeps its scope.
        """
        lookup = self.lookUp()
        self.resolver.receivers[0].addressResolved(
            IPv6Address("TCP", "fe80::1", 0, 0, 3)
        )
        self.resolver.answer("fe80::2%4")
        self.assertEqual(self.successResultOf(lookup), ["fe80::1%3", "fe80::2%4"])

    def test_cancel(self) -> None:
        """
        To cancel removes only the client that cancels; the last one cancels the lookup.
        """
        first, second = self.lookUp(), self.lookUp()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertNoResult(second)
        self.assertEqual(self.resolver.cancelled, 0)
        third = self.lookUp()
        second.cancel()
        self.failureResultOf(second, CancelledError)
        third.cancel()
        self.failureResultOf(third, CancelledError)
        self.assertEqual(self.resolver.cancelled, 1)
        self.assertEqual(len(self.resolver.asked), 1)
        fourth = self.lookUp()
        self.assertEqual(len(self.resolver.asked), 2)
        # The first lookup ends although it was cancelled.
        self.resolver.answer("::1", index=0)
        self.assertNoResult(fourth)
        self.resolver.answer("::2")
        self.assertEqual(self.successResultOf(fourth), ["::2"])

    def test_cannotCancel(self) -> None:
        """
        It does not matter if a resolver cannot cancel; other errors are logged.
        """
        for error in (NotImplementedError, ZeroDivisionError):

            def cancel(error: type[Exception] = error) -> None:
                raise error()

            self.patch(self.resolver, "cancel", cancel)
            lookup = self.lookUp()
            lookup.cancel()
            self.failureResultOf(lookup, CancelledError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_others(self) -> None:
        """
        A client that raises or cancels others when the result arrives does not affect
        the rest.
        """
        first, second, third = self.lookUp(), self.lookUp(), self.lookUp()
        first.addCallback(lambda _: second.cancel())
        first.addCallback(lambda _: 1 / 0)
        self.resolver.answer("::1")
        self.failureResultOf(first, ZeroDivisionError)
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.successResultOf(third), ["::1"])

    def test_cancelAfterTheEnd(self) -> None:
        """
        A resolver is not asked to cancel a lookup that it has completed, even if the
        last client cancels before it gets the result.
        """
        first, second = self.lookUp(), self.lookUp()
        first.addCallback(lambda _: second.cancel())
        self.resolver.answer("::1")
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.resolver.cancelled, 0)

    def test_raises(self) -> None:
        """
        A resolver that raises ends the lookup with its reason: for each client a
        C{Failure} of its own.
        """

        def resolve(*args: Any) -> None:
            joined.append(self.lookUp())
            raise error

        self.patch(self.resolver, "resolveHostName", resolve)
        for error in (OSError(24, "too many"), UnicodeError(), SystemExit()):
            joined: list[Deferred[Any]] = []
            first = self.failureResultOf(self.lookUp())
            second = self.failureResultOf(joined[0])
            self.assertIs(first.value, error)
            self.assertIs(second.value, error)
            self.assertIsNot(first, second)

    def test_empty(self) -> None:
        """
        No address at all is an error.
        """
        lookup = self.lookUp()
        self.resolver.answer()
        error: Any = self.failureResultOf(lookup, DNSLookupError).value
        self.assertEqual(error.errno, socket.EAI_NONAME)

    def test_two(self) -> None:
        """
        Of two answers the first one counts.
        """
        lookup = self.lookUp()
        self.resolver.answer("::1")
        again = self.lookUp()
        self.resolver.answer("::2", index=0)
        self.assertEqual(self.successResultOf(lookup), ["::1"])
        self.assertNoResult(again)
        self.resolver.answer("::3")
        self.assertEqual(self.successResultOf(again), ["::3"])

    def test_swallowed(self) -> None:
        """
        If a resolver never ends a lookup, clients stop joining it.
        """
        for seconds, lookups in ((0, 1), (JOINABLE - 1, 1), (1, 2), (1, 2)):
            self.reactor.advance(seconds)
            self.lookUp().addErrback(lambda failure: failure.trap(DNSLookupError))
            self.assertEqual(len(self.resolver.asked), lookups)


class Pool:
    """
    A thread pool whose calls end when the test says so.
    """

    def __init__(self, max: int) -> None:
        self.max = max
        self.calls: list[Callable[[], None]] = []

    def callInThreadWithCallback(
        self, done: Any, function: Any, *args: Any, **named: Any
    ) -> None:
        def run() -> None:
            try:
                result = function(*args, **named)
            except BaseException:
                done(False, Failure())
            else:
                done(True, result)

        self.calls.append(run)

    def finish(self) -> None:
        """
        End the oldest call.
        """
        self.calls.pop(0)()


class ThreadTests(LookupTestCase):
    """
    C{getaddrinfo} in threads.
    """

    def setUp(self) -> None:
        super().setUp()
        self.pool = Pool(2)
        self.reactor.nameResolver = None
        self.reactor.getThreadPool = lambda: self.pool
        self.reactor.callFromThread = lambda function, *args: function(*args)
        self.asked: list[Any] = []
        self.patch(socket, "getaddrinfo", self.getaddrinfo)

    def getaddrinfo(self, *args: Any) -> Any:
        self.asked.append(args)
        return [
            (socket.AF_INET6, 1, 6, "", ("::1", 0, 0, 0)),
            (socket.AF_INET6, 1, 6, "", ("fe80::1", 0, 0, 2)),
            (socket.AF_INET, 1, 6, "", ("127.0.0.1", 0)),
        ]

    def test_call(self) -> None:
        """
        It is called with the name and family, and not with a port.
        """
        for family, argument in ((None, 0), (socket.AF_INET, socket.AF_INET)):
            lookup = self.lookUp(family=family)
            self.pool.finish()
            self.assertEqual(self.asked[-1], ("a", 0, argument, socket.SOCK_STREAM))
            self.assertEqual(
                self.successResultOf(lookup), ["::1", "fe80::1%2", "127.0.0.1"]
            )

    def test_twistedsResolver(self) -> None:
        """
        Twisted's own resolver would drop errors, so it is not used.
        """
        from twisted.internet._resolver import GAIResolver

        self.reactor.nameResolver = GAIResolver(self.reactor)

        def fail(*args: Any) -> Any:
            raise error

        self.patch(socket, "getaddrinfo", fail)
        for error in (OSError(24, "too many"), UnicodeError("too long")):
            lookup = self.lookUp()
            self.pool.finish()
            self.assertIs(self.failureResultOf(lookup).value, error)

    def test_twistedsResolverUnknown(self) -> None:
        """
        If Twisted's own resolver cannot be recognized, it is used like any other.
        """
        from twisted.internet._resolver import GAIResolver

        self.patch(resolving, "GAIResolver", None)
        arguments: list[Any] = [self.reactor.getThreadPool, self.getaddrinfo]
        self.reactor.nameResolver = GAIResolver(self.reactor, *arguments)
        lookup = self.lookUp()
        self.pool.finish()
        self.assertIn("127.0.0.1", self.successResultOf(lookup))

    def test_gaierror(self) -> None:
        """
        An error of the resolver has the class that Twisted uses for it.
        """

        def fail(*args: Any) -> Any:
            raise socket.gaierror(socket.EAI_AGAIN, "Try again")

        self.patch(socket, "getaddrinfo", fail)
        lookup = self.lookUp()
        self.pool.finish()
        error: Any = self.failureResultOf(lookup, DNSLookupError).value
        self.assertEqual((error.errno, error.strerror), (socket.EAI_AGAIN, "Try again"))

    def test_limit(self) -> None:
        """
        There are no more calls than threads. The others wait, in order, and can be
        cancelled.
        """
        lookups = [self.lookUp(name) for name in "abcde"]
        self.assertEqual(len(self.pool.calls), 2)
        lookups[3].cancel()
        self.failureResultOf(lookups[3], CancelledError)
        for _ in range(4):
            self.assertLessEqual(len(self.pool.calls), 2)
            self.pool.finish()
        self.assertEqual([args[0] for args in self.asked], ["a", "b", "c", "e"])
        self.assertEqual(self.pool.calls, [])
        for index in (0, 1, 2, 4):
            self.successResultOf(lookups[index])

    def test_joinAbandoned(self) -> None:
        """
        A call that has begun cannot be cancelled, so it can be joined until it ends:
        clients that come and go do not occupy the threads.
        """
        for _ in range(5):
            lookup = self.lookUp()
            lookup.cancel()
            self.failureResultOf(lookup, CancelledError)
            self.reactor.advance(JOINABLE)
        joined = self.lookUp()
        self.assertEqual(len(self.pool.calls), 1)
        self.pool.finish()
        self.successResultOf(joined)

    def test_noThread(self) -> None:
        """
        A pool that has no thread left ends only the lookup.
        """

        def call(*args: Any) -> None:
            raise RuntimeError("can't start new thread")

        former = self.pool.callInThreadWithCallback
        self.patch(self.pool, "callInThreadWithCallback", call)
        self.failureResultOf(self.lookUp(), RuntimeError)
        self.patch(self.pool, "callInThreadWithCallback", former)
        lookup = self.lookUp()
        self.pool.finish()
        self.successResultOf(lookup)

    def test_noPool(self) -> None:
        """
        A reactor without threads ends the lookup.
        """
        del self.reactor.getThreadPool
        self.failureResultOf(self.lookUp(), AttributeError)


class InterleavedTests(SynchronousTestCase):
    """
    The order of addresses.
    """

    def test_examples(self) -> None:
        """
        The families alternate, beginning with the first address.
        """
        for addresses, expected in (
            ([], []),
            (["::1"], ["::1"]),
            (["::1", "::2", "::3", "1.1.1.1"], ["::1", "1.1.1.1", "::2", "::3"]),
            (["1.1.1.1", "1.1.1.2", "::1"], ["1.1.1.1", "::1", "1.1.1.2"]),
            (["1.1.1.1", "1.1.1.1", "::1", "::1"], ["1.1.1.1", "::1"]),
        ):
            self.assertEqual(interleaved(addresses), expected)

    @given(st.lists(st.sampled_from(["::1", "::2", "::3", "1.1.1.1", "1.1.1.2"])))
    def test_property(self, addresses: list[str]) -> None:
        """
        Each address occurs once, and its family keeps its order.
        """
        found = interleaved(addresses)
        self.assertEqual(found[:1], addresses[:1])
        for is6 in (True, False):
            self.assertEqual(
                [each for each in found if (":" in each) is is6],
                [each for each in dict.fromkeys(addresses) if (":" in each) is is6],
            )


class Connector:
    """
    The connector of an attempt at one address.
    """

    transport: Any = None

    def __init__(self, host: str, candidate: Candidate) -> None:
        self.candidate = candidate
        self.stopped = False

    def disconnect(self) -> None:
        self.stopped = True
        # Twisted's report this like a failure.
        self.fail(ZeroDivisionError())

    def fail(self, error: Exception) -> None:
        self.candidate.clientConnectionFailed(self, Failure(error))

    def connect(self) -> Any:
        peer = None if self.transport is None else self.transport.getPeer()
        return self.candidate.buildProtocol(peer)


class RaceTests(SynchronousTestCase):
    """
    Tests for L{Race} by a clock.
    """

    def race(self, count: int = 3, **parameters: Any) -> Race:
        """
        Start a race of some addresses.
        """
        self.clock = Clock()
        self.started: list[Connector] = []
        self.failures: list[Failure] = []
        self.protocol: Any = Protocol()
        given_: dict[str, Any] = {
            "connect": self.connect,
            "build": lambda address: self.protocol,
            **parameters,
        }
        race = Race(
            map(str, range(count)),
            self.clock,
            failed=self.failures.append,
            **given_,
        )
        race.advance()
        return race

    def connect(self, host: str, candidate: Candidate) -> Any:
        self.started.append(Connector(host, candidate))
        return self.started[-1]

    def results(self, race: Race) -> list[Any]:
        return [
            type(each.result.value) if type(each.result) is Failure else each.result
            for each in race.candidates
        ]

    def test_delay(self) -> None:
        """
        Without an answer, the next address starts after 250 ms.
        """
        self.race()
        for count in (1, 2, 3):
            self.assertEqual(len(self.started), count)
            self.clock.advance(ATTEMPT_DELAY * 0.9)
            self.assertEqual(len(self.started), count)
            self.clock.advance(ATTEMPT_DELAY * 0.1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(ATTEMPT_DELAY, 0.25)

    def test_failure(self) -> None:
        """
        When one fails, the next one starts immediately, and gets its 250 ms.
        """
        self.race()
        self.clock.advance(ATTEMPT_DELAY * 0.9)
        self.started[0].fail(NoRouteError())
        self.assertEqual(len(self.started), 2)
        self.clock.advance(ATTEMPT_DELAY * 0.9)
        self.assertEqual(len(self.started), 2)
        self.clock.advance(ATTEMPT_DELAY * 0.1)
        self.assertEqual(len(self.started), 3)

    def test_olderFails(self) -> None:
        """
        The one that fails need not be the one that started last.
        """
        self.race()
        self.clock.advance(ATTEMPT_DELAY)
        self.started[0].fail(NoRouteError())
        self.assertEqual(len(self.started), 3)

    def test_won(self) -> None:
        """
        The first completed handshake wins, abandons the others and starts no more.
        """
        for winner in (0, 1):
            race = self.race()
            self.clock.advance(ATTEMPT_DELAY)
            self.assertIs(self.started[winner].connect(), self.protocol)
            loser = self.started[1 - winner]
            self.assertTrue(loser.stopped)
            self.assertFalse(self.started[winner].stopped)
            self.assertEqual(race.candidates[winner].result, "connected")
            self.assertEqual(race.candidates[1 - winner].result, "abandoned")
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertEqual(len(self.started), 2)
            # Too late.
            self.assertIsNone(loser.connect())
            self.assertEqual(self.failures, [])

    def test_allFail(self) -> None:
        """
        The last failure is that of the race.
        """
        race = self.race()
        self.clock.advance(ATTEMPT_DELAY)
        self.clock.advance(ATTEMPT_DELAY)
        for index, error in ((1, OSError()), (2, NoRouteError()), (0, ValueError())):
            self.assertEqual(self.failures, [])
            self.started[index].fail(error)
        self.assertEqual(self.results(race), [ValueError, OSError, NoRouteError])
        (failure,) = self.failures
        self.assertTrue(failure.check(ValueError))

    def test_raises(self) -> None:
        """
        A reactor that raises has failed to connect.
        """

        def connect(host: str, candidate: Candidate) -> Any:
            if host == "2":
                return self.connect(host, candidate)
            raise OSError()

        race = self.race(connect=connect)
        self.assertEqual(self.results(race), [OSError, OSError, "connecting"])
        self.started[0].fail(ValueError())
        self.assertEqual(len(self.failures), 1)

    def test_failsAtOnce(self) -> None:
        """
        A reactor may also report the failure before C{connectTCP} returns.
        """

        def connect(host: str, candidate: Candidate) -> Any:
            connector = Connector(host, candidate)
            connector.fail(OSError())
            return connector

        self.race(1000, connect=connect)
        self.assertEqual(len(self.failures), 1)

    def test_cancel(self) -> None:
        """
        A race that is cancelled stops all attempts and reports nothing.
        """
        race = self.race()
        self.clock.advance(ATTEMPT_DELAY)
        race.cancel()
        self.assertEqual([each.stopped for each in self.started], [True, True])
        self.assertEqual(self.results(race), ["abandoned", "abandoned"])
        self.assertEqual(self.failures, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @given(
        st.integers(1, 5),
        st.lists(
            st.tuples(
                st.sampled_from(["wait", "fail", "connect", "cancel"]),
                st.integers(0, 4),
            ),
            max_size=15,
        ),
    )
    def test_anyOrder(self, count: int, events: list[tuple[str, int]]) -> None:
        """
        In any order of events, a race ends once: with a protocol, with a failure or by
        C{cancel}. Then nothing is left of it.
        """
        built: list[Any] = []

        def build(address: Any) -> Any:
            built.append(address)
            return self.protocol

        race = self.race(count, build=build)
        ended = False
        for event, index in events:
            started = len(self.started)
            if event == "wait":
                self.clock.advance(ATTEMPT_DELAY)
            elif event == "cancel":
                race.cancel()
                ended = True
            elif index < started and event == "fail":
                self.started[index].fail(OSError())
            elif index < started:
                self.started[index].connect()
            results = self.results(race)
            reported = len(built) + len(self.failures)
            self.assertLessEqual(reported, 1)
            self.assertEqual(len(built), results.count("connected"))
            self.assertEqual(len(self.failures), int(results == [OSError] * count))
            if ended or reported:
                self.assertNotIn("connecting", results)
                self.assertEqual(self.clock.getDelayedCalls(), [])
                self.assertEqual(len(self.started), len(results))
            else:
                self.assertIn("connecting", results)

    def test_oneAfterTheOther(self) -> None:
        """
        Without a delay, an address waits for the failure of the one before.
        """
        self.race(delay=None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.started[0].fail(ValueError())
        self.assertEqual(len(self.started), 2)

    def test_noProtocol(self) -> None:
        """
        If there is no protocol for the winner, that is the end of the race.
        """

        def fail(address: Any) -> Any:
            raise ValueError()

        for build, error in ((lambda address: None, NoProtocol), (fail, ValueError)):
            self.race(build=build)
            self.assertIsNone(self.started[0].connect())
            self.assertEqual(len(self.started), 1)
            (failure,) = self.failures
            self.assertTrue(failure.check(error))

    def test_connectedToItself(self) -> None:
        """
        A socket that has connected to itself is aborted, and then it has lost.
        """
        race = self.race()
        transport: Any = Transport()
        transport.hostAddr = transport.peerAddr = IPv4Address("TCP", "127.0.0.1", 9)
        self.started[0].transport = transport
        protocol = self.started[0].connect()
        self.assertIsNot(protocol, self.protocol)
        protocol.makeConnection(transport)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.results(race), ["connecting"])
        protocol.connectionLost()
        self.assertEqual(self.results(race), [ConnectionRefusedError, "connecting"])
        self.started[1].transport = Transport()
        self.assertIs(self.started[1].connect(), self.protocol)
