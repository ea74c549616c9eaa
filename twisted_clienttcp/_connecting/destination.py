"""
The destination of a client: one address or endpoint, or several for failover. It is
validated when it is set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from functools import lru_cache, partial
from operator import is_, itemgetter
from socket import AF_UNIX
from typing import Any

import attrs
from twisted.internet.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
)
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IReactorPluggableNameResolver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from .. import _tls
from .._connection.peer import hostAndPort
from . import addresses as _addresses
from .connector import Attempt, Connector
from .proxied import Proxied, through
from .proxies import ENVIRONMENT, Route
from .resolving import ATTEMPT_DELAY, Candidate, Race, interleaved, lookUp

#: The settings of the destination, in the order of L{Target}'s parameters.
DESTINATION = (
    "remoteAddress",
    "remotePort",
    "endpoint",
    "tls",
    "domain",
    "bindAddress",
    "bindPort",
    "socketOptions",
    "proxy",
)


@attrs.frozen
class Address:
    """
    The address of a server.

    @ivar host: the host, or with C{AF_UNIX} the path.
    @ivar port: its port; None with C{AF_UNIX}.
    @ivar domain: the family to connect with; None for any.
    @ivar binding: the local address and port; None for any.
    @ivar timeout: the longest time in seconds that an attempt at one of its IP
        addresses may take; None for no limit.
    @ivar options: the options of its sockets.
    """

    host: _addresses.Host
    port: int | None
    domain: int | None = None
    binding: tuple[str, int] | None = None
    timeout: float | None = None
    options: tuple[_addresses.SocketOption, ...] | None = None

    def __str__(self) -> str:
        host = self.host.name
        return host if self.port is None else hostAndPort(host, self.port)

    #: Connections are not TLS unless the client starts it.
    secure = False

    @property
    def name(self) -> str | None:
        """
        The name that the server's certificate must have; None for a UNIX socket.
        """
        return None if self.port is None else self.host.name

    @property
    def address(self) -> IAddress:
        "See L{Place}."
        name = self.host.name
        if self.port is None or self.host.family is not None:
            return self.addressOf(name)
        address: IAddress = HostnameAddress(name.encode("ascii"), self.port)
        return address

    def limit(self, timeout: float) -> float:
        "See L{Place}."
        return timeout if self.timeout is None else min(timeout, self.timeout)

    def connect(self, reactor: object, attempt: Attempt) -> None:
        "See L{Place}."
        host = self.host
        if self.port is None or host.family is not None:
            self._race([host.name], reactor, attempt)
        else:
            lookup = lookUp(reactor, host.lookupName, self.domain)
            attempt.waitFor(lookup)
            lookup.addCallback(interleaved)
            lookup.addCallbacks(
                self._race, attempt.failed, callbackArgs=(reactor, attempt)
            )

    def _race(self, hosts: list[str], reactor: Any, attempt: Attempt) -> None:
        # A second socket cannot be bound to the same port.
        delay = None if self.binding and self.binding[1] else ATTEMPT_DELAY
        attempt.run(
            Race(
                hosts,
                reactor,
                partial(self._start, reactor),
                attempt.buildProtocol,
                attempt.failed,
                delay,
            )
        )

    def addressOf(self, host: str) -> IAddress:
        "See L{Place}."
        address: IAddress
        if self.port is None:
            address = UNIXAddress(host)
        elif ":" in host:
            address = IPv6Address("TCP", host, self.port)
        else:
            address = IPv4Address("TCP", host, self.port)
        return address

    def _start(self, reactor: Any, host: str, candidate: Candidate) -> IConnector:
        connector: IConnector
        if self.port is None:
            connector = reactor.connectUNIX(host, candidate, self.timeout)
        else:
            connector = reactor.connectTCP(
                host, self.port, candidate, self.timeout, self.binding
            )
        if self.options:
            self._setOptions(connector, candidate)
        return connector

    def _setOptions(self, connector: Any, candidate: Candidate) -> None:
        # Twisted's connectors call connect(2) in the next turn of the reactor.
        try:
            handle = connector.transport.getHandle()
        except AttributeError:
            # There is no socket, and the connector will report the reason.
            return
        try:
            for option in self.options or ():
                handle.setsockopt(*option)
        except Exception:
            candidate.fail(Failure())
            connector.disconnect()


@implementer(IAddress)
@attrs.frozen
class EndpointAddress:
    """
    The address of a user's endpoint. Only the endpoint itself is known.

    @ivar endpoint: the endpoint, or the string that describes it, as it was given.
    """

    endpoint: object

    def __str__(self) -> str:
        return str(self.endpoint)


@attrs.define
class UserEndpoint:
    """
    A user's endpoint.

    @ivar given: the endpoint, or a string that describes it.
    """

    given: object
    name: None = None
    port: None = None
    _built: Any = None

    def __str__(self) -> str:
        return str(self.given)

    @property
    def secure(self) -> bool:
        """
        True if it is known to speak TLS itself.
        """
        return isinstance(self.given, str) and _schemeOf(self.given) in _SECURE

    @property
    def address(self) -> IAddress:
        "See L{Place}."
        address: IAddress = EndpointAddress(self.given)
        return address

    def addressOf(self, host: str) -> IAddress:
        "See L{Place}. The single addresses of an endpoint are not known."
        return self.address

    def limit(self, timeout: float) -> None:
        "See L{Place}."

    def connect(self, reactor: object, attempt: Attempt) -> None:
        "See L{Place}."
        connecting = maybeDeferred(self._connect, reactor, attempt)
        attempt.waitFor(connecting)
        connecting.addErrback(attempt.failed)

    def _connect(self, reactor: object, attempt: Attempt) -> object:
        if self._built is None:
            # For TLS this reads the trust roots of the platform, so do it only once.
            isText = isinstance(self.given, str)
            self._built = (
                clientFromString(reactor, self.given) if isText else self.given
            )
        return self._built.connect(attempt)


AnyPlace = Address | UserEndpoint | Proxied


class Target:
    """
    The destination that L{DESTINATION} describes: one or several places (addresses or
    endpoints), or none if only a connector other than ours knows it.

    A client keeps using a place that works. After a failed attempt it uses the next
    one. A I{round} ends when each place has been tried once. A target with only one
    place has no state.

    @ivar others: the other places, in the order in which they follow.
    @ivar speaksTLS: whether the setting C{tls} asks for TLS.
    """

    __slots__ = (
        "_binding",
        "_domain",
        "_first",
        "_flaps",
        "_options",
        "_place",
        "_route",
        "_tls",
        "_tried",
        "given",
        "others",
        "speaksTLS",
    )

    def __init__(
        self,
        remoteAddress: object = None,
        remotePort: object = None,
        endpoint: object = None,
        tls: object = None,
        domain: object = None,
        bindAddress: object = None,
        bindPort: object = None,
        socketOptions: object = None,
        proxy: object = None,
        reactor: object = None,
    ) -> None:
        """
        @param reactor: the reactor that validates the description of an endpoint; None
            to install no reactor yet.

        @raise TypeError: if a setting has the wrong type or is missing, or if two
            settings exclude each other.
        @raise ValueError: if a setting is out of its range.
        @raise ImportError: if a setting needs an extra that is not installed.
        """
        endpoint = endpointsFrom("endpoint", endpoint)
        self._options = _addresses.socketOptions("socketOptions", socketOptions)
        proxy = endpointsFrom("proxy", proxy)
        self._route = Route(proxy)
        #: The values of L{DESTINATION}.
        self.given: tuple[object, ...] = (
            remoteAddress,
            remotePort,
            endpoint,
            tls,
            domain,
            bindAddress,
            bindPort,
            self._options,
            proxy,
        )
        self._domain = _addresses.domain(domain)
        self._binding = _addresses.binding(bindAddress, bindPort, self._domain)
        self._tls = _tls.checkOptionalOptions("tls", tls)
        self.speaksTLS = self._tls is not None
        #: The current place.
        self._place: AnyPlace | None = None
        self.others: tuple[AnyPlace, ...] = ()
        #: How many places have been tried in this round.
        self._tried = 0
        #: How many connections to the current place in a row were lost before they
        #: were stable.
        self._flaps = 0
        if remoteAddress is not None or remotePort is not None:
            self._place = through(
                self._route, self._addressOf(remoteAddress, remotePort)
            )
        if endpoint is not None:
            _excludeAddress(
                remoteAddress=remoteAddress,
                remotePort=remotePort,
                domain=domain,
                bindAddress=bindAddress,
                bindPort=bindPort,
            )
            places = _placesOf(endpoint, self._options, reactor)
            self._place, *others = (through(self._route, each) for each in places)
            self.others = tuple(others)
        self._first = self._place
        if self._tls is not None:
            _excludeDoubleTLS(self._all)
        if self._tls is True:
            for place in self._all or (None,):
                _tls.platformOptions(_nameOf(place))

    @property
    def known(self) -> bool:
        """
        Whether there is a place to connect to.
        """
        return self._place is not None

    @property
    def _all(self) -> tuple[AnyPlace, ...]:
        return () if self._place is None else (self._place, *self.others)

    def __str__(self) -> str:
        return str(self._place)

    def moved(self, address: object, port: object) -> Target:
        """
        @param address: the new C{remoteAddress}; None for the current one.
        @param port: the new C{remotePort}; None for the current one.

        @return: a copy with another address.

        @raise TypeError: if an argument has the wrong type, or is missing.
        @raise ValueError: if it cannot be an address or a port, or if an endpoint
            speaks TLS and connections to the address would not.
        """
        for place in self._all:
            if place.secure:
                raise withoutTLS(
                    "connect() to another address",
                    f"endpoint {str(place)!r} speaks TLS itself",
                )
        known = self._place
        if isinstance(known, (Address, Proxied)):
            address = known.host.lookupName if address is None else address
            port = known.port if port is None else port
        moved = through(self._route, self._addressOf(address, port))
        if self._tls is True:
            _tls.platformOptions(_nameOf(moved))
        target = copy(self)
        target.given = (address, port, None, *self.given[3:])
        target._place = target._first = moved
        target.others = ()
        target._tried = target._flaps = 0
        return target

    def _addressOf(self, address: object, port: object) -> Address:
        if address is None:
            raise TypeError("remotePort needs remoteAddress too")
        domain, binding = self._domain, self._binding
        # The family for reaching a proxy may differ from the one that the proxy uses.
        isFree = domain != AF_UNIX and bool(self._route)
        host = _addresses.host("remoteAddress", address, None if isFree else domain)
        if domain == AF_UNIX:
            if port is not None:
                raise TypeError(
                    "remotePort cannot be used with domain=AF_UNIX: omit it"
                )
            number = None
        elif port is None:
            raise TypeError("remoteAddress needs remotePort too")
        else:
            number = _addresses.port("remotePort", port)
        if domain is None and binding is not None:
            # A local address reaches only addresses of its own family.
            domain = _addresses.literal(binding[0])
            isOther = domain is not None and host.family not in (None, domain)
            if isOther and not isFree:
                raise ValueError(
                    f"bindAddress {binding[0]!r} and remoteAddress {host.name!r} are "
                    "of different families; use two of the same family"
                )
        return Address(host, number, domain, binding, options=self._options)

    @property
    def place(self) -> AnyPlace | None:
        """
        The current place; None if nothing is known.
        """
        return self._place

    @property
    def isProxied(self) -> bool:
        """
        True if there is a proxy, though perhaps not for the current place.
        """
        return bool(self._route)

    # -- failover

    @property
    def left(self) -> bool:
        """
        Whether the last attempt has failed, and places are left that have not been
        tried in this round.
        """
        return 0 < self._tried <= len(self.others)

    def begin(self) -> None:
        """
        Begin a round: the client starts.
        """
        if self._tried:
            self._useNext()
            self._tried = 0

    def reached(self) -> None:
        """
        The current place works.
        """
        if self._tried:
            self._tried = 0

    def lost(self, stable: bool) -> None:
        """
        A connection to the current place is lost, and we did not close it. Try the
        place again first. A place that accepts connections and drops them repeatedly
        does not work. This has no effect if there are no L{others}.
        """
        if self.others:
            self._flaps = 0 if stable else self._flaps + 1
            if self._flaps > 1:
                self._useNext()

    @property
    def isFirst(self) -> bool:
        """
        Whether the current place is the first of those that were given.
        """
        return self._place is self._first

    def failBack(self) -> None:
        """
        Begin the next round at the first place.
        """
        while not self.isFirst:
            self._useNext()
        self._tried = 0

    def _useNext(self) -> None:
        assert self._place is not None
        following, *others = self.others
        self.others = (*others, self._place)
        self._place = following
        self._flaps = 0

    def connect(
        self, factory: ClientFactory, reactor: object, timeout: float
    ) -> IConnector:
        """
        Start an attempt: if the last one failed, at the next place.

        @param timeout: the seconds that the client allows for it.

        @return: its connector. It has reported the attempt to the factory.
        """
        if self._tried:
            self._useNext()
        if self.others:
            self._tried = self._tried % (1 + len(self.others)) + 1
        place = self._place
        assert place is not None
        connector = Connector(factory, place, reactor, timeout)
        connector.connect()
        return connector

    # -- TLS

    @property
    def tls(self) -> Any:
        """
        The options for TLS to the current place; None for no TLS.
        """
        return self.tlsOptions(self._tls)

    def tlsOptions(self, tls: object) -> Any:
        """
        @param tls: options, or True for those of the platform.

        @return: the options.

        @raise ValueError: if those of the platform need a host name, and there is none.
        """
        if tls is not True:
            return tls
        return _tls.platformOptions(_nameOf(self._place))


def endpointsFrom(name: str, value: object) -> object:
    """
    @return: several endpoints as a tuple, since an iterator can be read only once;
        anything else unchanged.
    """
    if (
        value is None
        or IStreamClientEndpoint.providedBy(value)
        or not isinstance(value, Iterable)
        or isinstance(value, (str, bytes, dict, set))
    ):
        return value
    return tuple(value)


#: A target of one address has no state, so clients of one server share it.
_shared = lru_cache(maxsize=128, typed=True)(Target)

#: The target of clients that were passed no destination.
NOWHERE = Target()

_NOTHING = (None,) * len(DESTINATION)

#: Returns the values of L{DESTINATION} in a mapping.
_valuesOf = itemgetter(*DESTINATION)


def targetFrom(settings: Mapping[str, object], reactor: object) -> Target:
    """
    @param settings: the values of L{DESTINATION} by their names.

    @return: L{NOWHERE} if all settings are None, or a L{Target} with these settings.

    @raise Exception: see L{Target}.
    """
    given = _valuesOf(settings)
    if all(map(is_, given, _NOTHING)):
        return NOWHERE
    isShared = settings["endpoint"] is settings["tls"] is None
    if isShared and settings["proxy"] != ENVIRONMENT:
        try:
            return _shared(*given)
        except TypeError:
            # One has the wrong type, which Target reports; or cannot be hashed.
            pass
    return Target(**settings, reactor=reactor)


def placeholders(given: dict[str, object], always: bool = False) -> dict[str, object]:
    """
    Complete settings that can be validated, but not used yet: fill in an address that
    has no port, or a port that has no address.

    @param always: fill in the address and the port even if there is neither.
    """
    hasAddress = given["remoteAddress"] is not None
    hasPort = given["remotePort"] is not None
    if given["endpoint"] is not None or (hasAddress == hasPort and not always):
        return given
    port = None if given["domain"] == AF_UNIX else 1
    return {
        **given,
        "remoteAddress": given["remoteAddress"] if hasAddress else "localhost",
        "remotePort": given["remotePort"] if hasPort else port,
    }


def replaced(former: dict[str, object], given: dict[str, object]) -> dict[str, object]:
    """
    @return: the settings in C{given}, and for the rest those in C{former}. An endpoint
        replaces an address, and an address an endpoint.
    """
    if given.get("endpoint") is not None:
        kept = {name: former[name] for name in ("tls", "socketOptions", "proxy")}
        former = dict.fromkeys(DESTINATION) | kept
    elif given.get("remoteAddress") is not None:
        former = former | {"endpoint": None}
    return former | given


def _nameOf(place: AnyPlace | None) -> str:
    """
    @return: the name that the certificate of a place must have.

    @raise ValueError: if it is unknown.
    """
    if place is None or place.name is None:
        where = "without remoteAddress or endpoint" if place is None else str(place)
        raise ValueError(
            f"tls=True cannot know the host that the certificate must be for: {where}; "
            "pass tls=twisted.internet.ssl.optionsForClientTLS('the.host')"
        )
    return place.name


def _placesOf(
    given: object, options: tuple[_addresses.SocketOption, ...] | None, reactor: object
) -> tuple[Address | UserEndpoint, ...]:
    """
    @return: the places that C{endpoint} describes.

    @raise TypeError: if an item is neither an endpoint nor text, or cannot have socket
        options.
    @raise ValueError: if an item does not describe an endpoint, or there is none.
    """
    if not isinstance(given, tuple):
        given = (given,)
    places = tuple(_placeOf(each, options, reactor) for each in given)
    if not places:
        raise ValueError("endpoint is an empty sequence: pass at least one endpoint")
    for place in places:
        if options and isinstance(place, UserEndpoint):
            raise TypeError(
                f"socketOptions cannot be used with the endpoint {str(place)!r}, which "
                "makes its own sockets; use remoteAddress, or 'tcp:host:port'"
            )
    return places


def _placeOf(
    endpoint: object,
    options: tuple[_addresses.SocketOption, ...] | None,
    reactor: object,
) -> Address | UserEndpoint:
    if IStreamClientEndpoint.providedBy(endpoint):
        return UserEndpoint(endpoint)
    if not isinstance(endpoint, str):
        raise TypeError(
            "endpoint must provide IStreamClientEndpoint, be a string such as "
            f"'tcp:host:port', or a sequence of these, not {endpoint!r}"
        )
    scheme = _schemeOf(endpoint)
    if scheme in _SECURE:
        _tls.require(f"endpoint {endpoint!r}")
    try:
        if "\0" in endpoint and scheme != "unix":
            raise ValueError("it must not contain a NUL")
        # No reactor is needed before the client starts, so do not install one now.
        asking = _Asking()
        described: Any = clientFromString(
            asking if scheme in ("tcp", "unix") or reactor is None else reactor,
            endpoint,
        )
        if scheme == "unix":
            described.connect(None)
            _addresses.path("endpoint", asking.path)
        if scheme != "tcp":
            return UserEndpoint(endpoint)
        # Twisted's endpoint for this description does not reach hosts that have only
        # IPv6 addresses. So use an Address instead.
        described.connect(None)
        host, port, timeout, binding = asking.asked
        return Address(
            _addresses.host("endpoint", host),
            _addresses.port("endpoint", port),
            _addresses.literal(binding[0]) if binding else None,
            binding,
            timeout if "timeout=" in endpoint else None,
            options,
        )
    except Exception as e:
        raise ValueError(
            f"endpoint: {endpoint!r} does not describe a client endpoint ({e}); pass "
            "one such as 'tcp:host:port'"
        ) from e


#: The schemes of endpoints that speak TLS themselves.
_SECURE = ("tls", "ssl")


def _schemeOf(description: str) -> str:
    return description.partition(":")[0].lower()


def _excludeDoubleTLS(places: Iterable[AnyPlace]) -> None:
    """
    @raise TypeError: if an endpoint speaks TLS itself.
    """
    for place in places:
        if place.secure:
            raise TypeError(
                f"endpoint {str(place)!r} and tls exclude each other: it uses TLS "
                "already; omit tls, or pass 'tcp:host:port'"
            )


def withoutTLS(what: str, why: str) -> ValueError:
    """
    @return: the error for a change that would make connections use no TLS.
    """
    return ValueError(
        f"{what} would not be TLS: {why}; for several addresses, pass remoteAddress, "
        "remotePort and tls to the factory"
    )


def _excludeAddress(**parameters: object) -> None:
    """
    @raise TypeError: if one of them is set together with an endpoint.
    """
    for name, value in parameters.items():
        if value is not None:
            raise TypeError(
                f"endpoint and {name} exclude each other: the endpoint has an address "
                f"of its own; omit {name}"
            )


@implementer(IReactorPluggableNameResolver)
class _Asking:
    """
    A reactor that records the arguments with which an endpoint would connect.

    @ivar asked: host, port, timeout and local address of C{connectTCP}.
    @ivar path: the path of C{connectUNIX}.
    """

    nameResolver = None
    asked: tuple[str, int, float, tuple[str, int] | None]
    path: str

    def installNameResolver(self, resolver: object) -> Any:
        "Do nothing."

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: object,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> None:
        "Record the arguments."
        self.asked = host, port, timeout, bindAddress

    def connectUNIX(self, address: str, factory: object, **options: object) -> None:
        "Record the path."
        self.path = address
