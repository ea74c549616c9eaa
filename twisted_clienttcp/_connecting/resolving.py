"""
Connect to a host name: look up its addresses, and let them race.

I{Lookups.} Clients that need the same name at the same time share one lookup. There is
no cache: a lookup that has ended is forgotten. C{getaddrinfo} runs in the thread pool
of the reactor, which gets only as many lookups as it has threads. The other lookups
wait here, where they can be cancelled. (The pool would complete all of them before the
process ends.)

I{Happy eyeballs} (RFC 8305). Often some of the addresses of a name do not work: IPv6 is
configured but has no route, or one of several servers is down. Trying one address after
another can take minutes, because an address that does not answer fails only after the
kernel's timeout. Trying all addresses at the same time would burden each server with
connections that are dropped immediately. So the attempts start one after another, but
overlap: the next one starts as soon as one has failed, or after 250 ms without an
answer, and earlier ones continue. The first completed handshake wins, and the other
attempts are abandoned. The address families alternate, so that a family that does not
work at all costs only 250 ms.
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import chain, zip_longest
from typing import Any, Literal

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionRefusedError,
    DNSLookupError,
    NoProtocol,
)
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IDelayedCall,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IResolutionReceiver,
)
from twisted.internet.protocol import Protocol
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from zope.interface import implementer

from .._connection.tcp import refuseOwnEnd
from .._details import errorDetails
from .._logevents import LOOKUP_NOT_CANCELLED
from .._raising import caught

try:
    from twisted.internet._resolver import GAIResolver
except ImportError:  # pragma: no cover - for a Twisted that has moved it
    GAIResolver = None  # type: ignore[assignment,misc]

#: The time in seconds after which clients no longer join a lookup. It may never end, if
#: the resolver has lost track of it, and then every later attempt would wait for it.
JOINABLE = 30.0

#: The class of the addresses of each family.
_FAMILIES: dict[int, type] = {
    socket.AF_INET: IPv4Address,
    socket.AF_INET6: IPv6Address,
}
_TYPES: dict[int | None, list[type] | None] = {
    None: None,
    **{family: [kind] for family, kind in _FAMILIES.items()},
}

#: Reactor, resolver, name and address family; the first two by their C{id}.
_Key = tuple[int, int, str, int | None]

#: The time in seconds after which the next attempt starts if the last one is not
#: connected (RFC 8305, 5: the Connection Attempt Delay).
ATTEMPT_DELAY = 0.25

#: The state of an address that has not failed.
State = Literal["connecting", "connected", "abandoned"]


def lookUp(reactor: object, name: str, family: int | None) -> Deferred[list[str]]:
    """
    Look up a name, or join a lookup that has not ended.

    @param name: the name in ASCII.
    @param family: C{AF_INET} or C{AF_INET6}; None for both.

    @return: a Deferred that fires with the addresses: one or more IP literals, in the
        order of preference. It fails with the resolver's error, or with a
        L{DNSLookupError<twisted.internet.error.DNSLookupError>} if there is no address.
        Cancelling it does not affect other clients.
    """
    resolver = getattr(reactor, "nameResolver", None)
    key = id(reactor), id(resolver), name, family
    lookup = _lookups.get(key)
    if lookup is None or not lookup.isJoinable():
        # Call getaddrinfo here instead of through Twisted's own resolver, which reports
        # only gaierror.
        threaded = resolver is None or type(resolver) is GAIResolver
        kind = _ThreadedLookup if threaded else _ResolverLookup
        lookup = _lookups[key] = kind(key, reactor, resolver)
    waiter = lookup.join()
    lookup.start()
    return waiter


class _Lookup:
    """
    A lookup that has not ended, and the clients that wait for it.

    @ivar name: the name that is looked up.
    @ivar family: its address family, or None.
    """

    def __init__(self, key: _Key, reactor: Any, resolver: Any) -> None:
        self._key = key
        *_, self.name, self.family = key
        self._reactor = reactor
        # Keep the reactor and the resolver alive: their ids are in the key.
        self._resolver = resolver
        # There may be thousands, so removal must take constant time.
        self._waiters: OrderedDict[Deferred[list[str]], None] = OrderedDict()
        self._hasStarted = False

    def join(self) -> Deferred[list[str]]:
        """
        @return: a new Deferred for the result.
        """
        waiter: Deferred[list[str]] = Deferred(self._leave)
        self._waiters[waiter] = None
        return waiter

    def _leave(self, waiter: Deferred[list[str]]) -> None:
        del self._waiters[waiter]
        if not self._waiters:
            self._abandon()

    def isJoinable(self) -> bool:
        """
        @return: True if another client can wait for this lookup.
        """
        raise NotImplementedError

    def start(self) -> None:
        """
        Start the lookup, unless it has been started.
        """
        if not self._hasStarted:
            self._hasStarted = True
            try:
                self._start()
            except BaseException as error:
                caught(self._reactor)
                self.end(error)

    def _start(self) -> None:
        raise NotImplementedError

    def _abandon(self) -> None:
        """
        Stop the lookup if possible, because no client waits for it.
        """
        raise NotImplementedError

    def _forget(self) -> None:
        """
        Let the next client start a new lookup.
        """
        if _lookups.get(self._key) is self:
            del _lookups[self._key]

    def end(self, result: list[str] | BaseException) -> None:
        """
        Pass the result to all clients. Each of them gets its own list or C{Failure}.

        @param result: the addresses or the error.
        """
        self._forget()
        if isinstance(result, socket.gaierror):
            result = _lookupError(result.errno, result.strerror)
        elif not isinstance(result, BaseException) and not result:
            result = _lookupError(socket.EAI_NONAME, "The name has no address")
        while self._waiters:
            # Callbacks of one client may cancel the Deferreds of others.
            waiter, _ = self._waiters.popitem(last=False)
            if isinstance(result, BaseException):
                waiter.errback(Failure(result))
            else:
                waiter.callback(list(result))


#: The lookups that have not ended.
_lookups: dict[_Key, _Lookup] = {}


@implementer(IResolutionReceiver)
class _ResolverLookup(_Lookup):
    """
    A lookup by a resolver that the application has installed.
    """

    _resolution: IHostResolution | None = None

    def _start(self) -> None:
        self._begun = self._reactor.seconds()
        self._found: list[str] = []
        self._resolver.resolveHostName(self, self.name, 0, _TYPES[self.family], "TCP")

    def isJoinable(self) -> bool:
        "See L{_Lookup}."
        passed: float = self._reactor.seconds() - self._begun
        return passed < JOINABLE

    def _abandon(self) -> None:
        self._forget()
        if self._resolution is not None:
            try:
                self._resolution.cancel()
            except NotImplementedError:
                # Twisted's resolver cannot cancel.
                pass
            except Exception:
                fields = {"name": self.name, "log_failure": Failure()}
                LOOKUP_NOT_CANCELLED.log(self, fields)

    # -- what the resolver calls

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        "See the interface."
        self._resolution = resolutionInProgress

    def addressResolved(self, address: Any) -> None:
        "See the interface."
        types = tuple(_TYPES[self.family] or _FAMILIES.values())
        # Some resolvers return addresses of types that were not requested.
        if type(address) in types:
            self._found.append(_literal(address.host, getattr(address, "scopeID", 0)))

    def resolutionComplete(self) -> None:
        "See the interface."
        # From now on, there is nothing to cancel.
        self._resolution = None
        self.end(self._found)


class _ThreadedLookup(_Lookup):
    """
    A lookup by C{getaddrinfo}, in a thread.
    """

    def _start(self) -> None:
        reactor = self._reactor
        self._threads = _threads.get(id(reactor)) or _Threads(reactor)
        self._threads.add(self)

    def isJoinable(self) -> bool:
        "See L{_Lookup}. C{getaddrinfo} always ends."
        return True

    def _abandon(self) -> None:
        if self._threads.remove(self):
            self._forget()


class _Threads:
    """
    The lookups in the threads of one reactor, and those that wait for a thread.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = reactor.getThreadPool()
        self._running = 0
        # There may be thousands, so removal must take constant time.
        self._waiting: OrderedDict[_ThreadedLookup, None] = OrderedDict()
        _threads[id(reactor)] = self

    def add(self, lookup: _ThreadedLookup) -> None:
        """
        Call C{getaddrinfo} as soon as a thread is free.
        """
        self._waiting[lookup] = None
        self._continue()

    def remove(self, lookup: _ThreadedLookup) -> bool:
        """
        Cancel a lookup that waits for a thread.

        @return: False if it is not waiting any more.
        """
        return self._waiting.pop(lookup, self) is None

    def _continue(self) -> None:
        while self._waiting and self._running < self._pool.max:
            lookup, _ = self._waiting.popitem(last=False)
            try:
                called = deferToThreadPool(
                    self._reactor, self._pool, _addressesOf, lookup.name, lookup.family
                )
            except Exception as error:
                lookup.end(error)
            else:
                self._running += 1
                called.addBoth(self._called, lookup)
        if not self._running:
            _threads.pop(id(self._reactor), None)

    def _called(self, result: list[str] | Failure, lookup: _ThreadedLookup) -> None:
        self._running -= 1
        self._continue()
        if isinstance(result, Failure):
            error: Any = result.value
            lookup.end(error)
        else:
            lookup.end(result)


#: The lookups in threads, by the C{id} of their reactor.
_threads: dict[int, _Threads] = {}


def _addressesOf(name: str, family: int | None) -> list[str]:
    found = socket.getaddrinfo(name, 0, family or socket.AF_UNSPEC, socket.SOCK_STREAM)
    return [_literal(str(each[0]), *each[3:]) for *_, each in found]


def _lookupError(number: int | None, text: str | None) -> DNSLookupError:
    """
    @return: Twisted's error for lookups, with the number and the text of the resolver.
    """
    error = DNSLookupError(text or "The lookup failed")
    error.errno, error.strerror = number, text
    return error


def _literal(host: str, scope: object = 0) -> str:
    """
    @return: an IP address as text, with its scope if it has one: a link-local address
        cannot be used without it.
    """
    return f"{host}%{scope}" if scope and "%" not in host else host


def interleaved(addresses: Iterable[str]) -> list[str]:
    """
    Sort addresses so that the families alternate, beginning with the family of the
    first address (RFC 8305, 4). The order within a family does not change.

    @param addresses: IP literals.

    @return: the sorted addresses, without duplicates.
    """
    families: dict[bool, list[str]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(":" in address, []).append(address)
    alternating = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in alternating if address is not None]


class Race:
    """
    Attempts to connect to several addresses. The first that connects wins.

    @ivar candidates: the attempts that have started.
    @ivar clock: the reactor.
    @ivar factory: see the constructor.
    """

    __slots__ = (
        "_build",
        "_connect",
        "_delay",
        "_failed",
        "_timer",
        "_waiting",
        "candidates",
        "clock",
        "factory",
        "lastFailure",
    )

    def __init__(
        self,
        hosts: Iterable[str],
        clock: IReactorTime,
        connect: Callable[[str, Candidate], IConnector],
        build: Callable[[IAddress | None], IProtocol | None],
        failed: Callable[[Failure], None],
        delay: float | None = ATTEMPT_DELAY,
        factory: IProtocolFactory | None = None,
    ) -> None:
        """
        @param hosts: one or more addresses, without port, in the order in which to try
            them.
        @param clock: the reactor.
        @param connect: starts an attempt at one address.
        @param build: called when an attempt has won; returns the protocol.
        @param failed: called with the last failure if all attempts have failed, or with
            the failure of C{build}.
        @param delay: the time in seconds after which the next attempt starts even if
            the last one has not failed; None to wait until it fails.
        @param factory: the factory to notify of connections; None if there is none.
        """
        self._waiting = list(hosts)
        self.clock = clock
        self.factory = factory
        self._connect = connect
        self._build = build
        self._failed = failed
        self._delay = delay
        self._timer: IDelayedCall | None = None
        self.candidates: list[Candidate] = []
        self.lastFailure: Failure

    def advance(self) -> None:
        """
        Start the next attempt. If all attempts have failed, report this.
        """
        self._stopTimer()
        while self._waiting:
            candidate = Candidate(self._waiting.pop(0), self)
            self.candidates.append(candidate)
            candidate.start(self._connect)
            if not isinstance(candidate.result, Failure):
                if self._waiting and self._delay is not None:
                    self._timer = self.clock.callLater(self._delay, self._timeUp)
                return
        if all(isinstance(each.result, Failure) for each in self.candidates):
            self._failed(self.lastFailure)

    def _timeUp(self) -> None:
        self._timer = None
        self.advance()

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def won(self, address: IAddress | None) -> IProtocol | None:
        """
        An attempt has connected: abandon the others, and build the protocol.

        @param address: the address of the peer.

        @return: the protocol for the connection; None to close it.
        """
        self.cancel()
        try:
            protocol = self._build(address)
            if protocol is None:
                raise NoProtocol()
        except BaseException:
            self._failed(caught(self.clock))
            return None
        return protocol

    def cancel(self) -> None:
        """
        Abandon all attempts.
        """
        self._stopTimer()
        self._waiting.clear()
        for candidate in self.candidates:
            candidate.abandon()


class Candidate:
    """
    An attempt at one address: the factory for the reactor's connector.

    @ivar host: the address, without port.
    @ivar result: the failure of the attempt, or its state.
    """

    __slots__ = ("_connector", "_factory", "_race", "host", "result")

    def __init__(self, host: str, race: Race) -> None:
        self.host = host
        self.result: Failure | State = "connecting"
        self._race: Race | None = race
        self._factory = race.factory
        self._connector: IConnector | None = None

    def start(self, connect: Callable[[str, Candidate], IConnector]) -> None:
        """
        Start the attempt.

        @param connect: see L{Race}.
        """
        race = self._race
        assert race is not None
        try:
            connector = connect(self.host, self)
        except BaseException:
            # The scope of an IPv6 address may not exist, for example.
            self._end(caught(race.clock))
        else:
            if self._race is not None:
                self._connector = connector

    def abandon(self) -> None:
        """
        End the attempt, if it has not ended.
        """
        connector = self._connector
        if self._end("abandoned") is not None and connector is not None:
            connector.disconnect()

    def _end(self, result: Failure | State) -> Race | None:
        """
        @return: the race; None if the attempt had already ended.
        """
        race, self._race, self._connector = self._race, None, None
        if race is not None:
            self.result = result
            if isinstance(result, Failure):
                race.lastFailure = result
        return race

    def fail(self, reason: Failure) -> None:
        """
        End the attempt with a failure, unless it has already ended.
        """
        hasStarted = self._connector is not None
        race = self._end(reason)
        if race is not None and hasStarted:
            race.advance()

    # -- what the connector of the reactor calls

    def doStart(self) -> None:
        "The attempt begins: notify the factory, as Twisted's endpoints do."
        if self._factory is not None:
            self._factory.doStart()

    def doStop(self) -> None:
        "The attempt has failed, or its connection is lost: notify the factory."
        if self._factory is not None:
            self._factory.doStop()

    def startedConnecting(self, connector: object) -> None:
        "Do nothing."

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """
        The TCP handshake is complete.

        @return: the protocol; None to close the connection.
        """
        transport = getattr(self._connector, "transport", None)
        if transport is not None:
            try:
                refuseOwnEnd(transport, addr)
            except ConnectionRefusedError:
                return _Refusing(Failure(), self)
        race = self._end("connected")
        return None if race is None else race.won(addr)

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        "See C{ClientFactory}."
        self.fail(reason)

    def clientConnectionLost(self, connector: object, reason: Failure) -> None:
        "Do nothing: the protocol reports the loss."


class _Refusing(Protocol):
    """
    A protocol for a connection that must not be used: it aborts the connection, and
    then ends the attempt. (A normal close could keep the server's port in use for
    minutes.)
    """

    def __init__(self, reason: Failure, candidate: Candidate) -> None:
        self._reason = reason
        self._candidate = candidate

    def connectionMade(self) -> None:
        "Abort the connection."
        transport: Any = self.transport
        transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        "Report the failure."
        self._candidate.fail(self._reason)


def resultsOf(tried: dict[IAddress, Failure | State]) -> dict[str, str]:
    """
    @param tried: the result of each address.

    @return: the result of each host (or path) as text.
    """
    return {
        getattr(address, "host", str(address)): errorDetails(result).text
        if isinstance(result, Failure)
        else result
        for address, result in tried.items()
    }


def inWords(tried: dict[IAddress, Failure | State]) -> str:
    """
    @param tried: the result of each address.

    @return: all results, for messages; empty if there is only one.
    """
    words = [f"{host}: {result}" for host, result in resultsOf(tried).items()]
    return f" ({'; '.join(words)})" if len(words) > 1 else ""
