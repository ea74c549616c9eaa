"""
The target of a client: the destination that the settings describe, or several of them
for failover. Settings are validated when they are set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from functools import lru_cache
from operator import is_, itemgetter
from socket import AF_UNIX
from typing import Any

from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory

from .. import _tls
from . import addresses as _addresses
from .connector import Connector
from .destination import Address, UserEndpoint
from .endpoints import destinationsOf, tupleIfSeveral
from .proxied import Proxied, through
from .proxies import ENVIRONMENT, Route

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

AnyDestination = Address | UserEndpoint | Proxied


class Target:
    """
    The destinations that the settings L{DESTINATION} describe: one; several, if there
    are several endpoints; or none, if a connector that is not ours has its own address.

    I{Failover.} A client uses the same destination as long as it works, and the next
    one after a failed attempt. A I{round} tries each destination once. A target with
    only one destination has no state.

    @ivar current: the current destination; None if there is none.
    @ivar others: the other destinations, in the order in which they will be used.
    @ivar given: the values of L{DESTINATION}.
    @ivar speaksTLS: True if the setting C{tls} requires TLS.
    """

    __slots__ = (
        "_binding",
        "_domain",
        "_failsBack",
        "_first",
        "_flaps",
        "_options",
        "_route",
        "_tls",
        "_tried",
        "current",
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
        The other parameters are settings of the client.

        @param reactor: the reactor for validating descriptions of endpoints; None if no
            reactor must be installed yet.

        @raise TypeError: if a setting has the wrong type or is missing, or if two
            settings cannot be combined.
        @raise ValueError: if a setting is out of range.
        @raise ImportError: if a setting needs an extra that is not installed.
        """
        endpoint = tupleIfSeveral("endpoint", endpoint)
        self._options = _addresses.socketOptions("socketOptions", socketOptions)
        proxy = tupleIfSeveral("proxy", proxy)
        self._route = Route(proxy)
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
        self.current: AnyDestination | None = None
        self.others: tuple[AnyDestination, ...] = ()
        #: The number of destinations that have been tried in this round.
        self._tried = 0
        #: The number of consecutive connections to the current destination that were
        #: lost before they were stable.
        self._flaps = 0
        #: True if the next attempt must use the first destination.
        self._failsBack = False
        if remoteAddress is not None or remotePort is not None:
            self.current = through(
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
            destinations = destinationsOf(endpoint, self._options, reactor)
            self.current, *others = (
                through(self._route, each) for each in destinations
            )
            self.others = tuple(others)
        self._first = self.current
        if self._tls is not None:
            _excludeDoubleTLS(self._all)
        if self._tls is True:
            for destination in self._all or (None,):
                _tls.platformOptions(_nameOf(destination))

    @property
    def known(self) -> bool:
        """
        True if there is a destination to connect to.
        """
        return self.current is not None

    @property
    def _all(self) -> tuple[AnyDestination, ...]:
        return () if self.current is None else (self.current, *self.others)

    def __str__(self) -> str:
        return str(self.current)

    def moved(self, address: object, port: object) -> Target:
        """
        @param address: the new C{remoteAddress}; None for the current one.
        @param port: the new C{remotePort}; None for the current one.

        @return: a copy with another address.

        @raise TypeError: if an argument has the wrong type, or is missing.
        @raise ValueError: if it cannot be an address or a port, or if an endpoint
            speaks TLS and connections to the address would not.
        """
        for destination in self._all:
            if destination.isSecure:
                raise withoutTLS(
                    "connect() to another address",
                    f"endpoint {str(destination)!r} speaks TLS itself",
                )
        known = self.current
        if isinstance(known, (Address, Proxied)):
            address = known.host.lookupName if address is None else address
            port = known.port if port is None else port
        moved = through(self._route, self._addressOf(address, port))
        if self._tls is True:
            _tls.platformOptions(_nameOf(moved))
        target = copy(self)
        target.given = (address, port, None, *self.given[3:])
        target.current = target._first = moved
        target.others = ()
        target._tried = target._flaps = 0
        target._failsBack = False
        return target

    def _addressOf(self, address: object, port: object) -> Address:
        if address is None:
            raise TypeError("remotePort needs remoteAddress too")
        domain, binding = self._domain, self._binding
        # A proxy may use another address family than the one for reaching the proxy.
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
    def isProxied(self) -> bool:
        """
        True if there is a proxy, although it may not be for the current destination.
        """
        return bool(self._route)

    # -- failover

    @property
    def left(self) -> bool:
        """
        True if the last attempt has failed, but other destinations have not been tried
        in this round.
        """
        return 0 < self._tried <= len(self.others)

    def begin(self) -> None:
        """
        Begin a round, because the client starts. If the last round was interrupted
        after a failed attempt, begin with the next destination.
        """
        if self._tried:
            self._useNext()
            self._tried = 0

    def reached(self) -> None:
        """
        An attempt at the current destination has succeeded: begin a new round.
        """
        if self._tried:
            self._tried = 0

    def lost(self, stable: bool) -> None:
        """
        A connection to the current destination is lost, and we did not close it. Use
        the next destination if this is the second consecutive loss of a connection that
        was not stable. This has no effect if there are no L{others}.

        @param stable: True if the connection had lasted for C{stableAfter} seconds.
        """
        if self.others:
            self._flaps = 0 if stable else self._flaps + 1
            if self._flaps > 1:
                self._useNext()

    @property
    def isFirst(self) -> bool:
        """
        True if the current destination is the first one in the settings.
        """
        return self.current is self._first

    def failBack(self) -> None:
        """
        Use the first destination in the next attempt. The current destination does not
        change before that, because there is a connection to it.
        """
        self._failsBack = not self.isFirst

    def _useNext(self) -> None:
        assert self.current is not None
        following, *others = self.others
        self.others = (*others, self.current)
        self.current = following
        self._flaps = 0

    def connect(
        self, factory: ClientFactory, reactor: object, timeout: float
    ) -> IConnector:
        """
        Start an attempt: at the next destination if the last attempt failed, at the
        first one after L{failBack}, and otherwise at the current one.

        @param factory: the client.
        @param timeout: the client's time limit for the attempt in seconds.

        @return: the connector, which has already reported the attempt to the factory.
        """
        if self._failsBack:
            self._failsBack = False
            while not self.isFirst:
                self._useNext()
        elif self._tried:
            self._useNext()
        if self.others:
            self._tried = self._tried % (1 + len(self.others)) + 1
        destination = self.current
        assert destination is not None
        connector = Connector(factory, destination, reactor, timeout)
        connector.connect()
        return connector

    # -- TLS

    @property
    def tls(self) -> Any:
        """
        The options for TLS to the current destination; None for no TLS.
        """
        return self.tlsOptions(self._tls)

    def tlsOptions(self, tls: object) -> Any:
        """
        @param tls: options, or True for those that trust the platform's authorities.

        @return: the options.

        @raise ValueError: if C{tls} is True and no host name is known.
        """
        if tls is not True:
            return tls
        return _tls.platformOptions(_nameOf(self.current))


#: Like L{Target}. A target with one address has no state, so clients of the same server
#: share it.
_shared = lru_cache(maxsize=128, typed=True)(Target)

#: The target of clients without a destination.
NOWHERE = Target()

_NOTHING = (None,) * len(DESTINATION)

#: Returns the values of L{DESTINATION} in a mapping.
_valuesOf = itemgetter(*DESTINATION)


def targetFrom(settings: Mapping[str, object], reactor: object) -> Target:
    """
    @param settings: the values of L{DESTINATION} by name.
    @param reactor: see L{Target}.

    @return: a L{Target} with these settings; L{NOWHERE} if all of them are None.

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
            # A setting has the wrong type, which Target reports, or cannot be hashed.
            pass
    return Target(**settings, reactor=reactor)


def placeholders(given: dict[str, object], always: bool = False) -> dict[str, object]:
    """
    Complete incomplete settings, so that they can be validated: add an address to a
    port, or a port to an address.

    @param given: the values of L{DESTINATION} by name.
    @param always: add both even if there is neither.

    @return: the complete settings.
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
    @return: the settings in C{former}, updated with those in C{given}. An endpoint
        replaces an address, and an address replaces an endpoint.
    """
    if given.get("endpoint") is not None:
        kept = {name: former[name] for name in ("tls", "socketOptions", "proxy")}
        former = dict.fromkeys(DESTINATION) | kept
    elif given.get("remoteAddress") is not None:
        former = former | {"endpoint": None}
    return former | given


def _nameOf(destination: AnyDestination | None) -> str:
    """
    @return: the name that a destination's certificate must be valid for.

    @raise ValueError: if it is unknown.
    """
    if destination is None or destination.name is None:
        where = (
            "without remoteAddress or endpoint"
            if destination is None
            else str(destination)
        )
        raise ValueError(
            f"tls=True cannot know the host that the certificate must be for: {where}; "
            "pass tls=twisted.internet.ssl.optionsForClientTLS('the.host')"
        )
    return destination.name


def _excludeDoubleTLS(destinations: Iterable[AnyDestination]) -> None:
    """
    @raise TypeError: if an endpoint speaks TLS itself.
    """
    for each in destinations:
        if each.isSecure:
            raise TypeError(
                f"endpoint {str(each)!r} uses TLS already: omit tls, or pass "
                "'tcp:host:port'"
            )


def withoutTLS(what: str, why: str) -> ValueError:
    """
    @param what: the change.
    @param why: the reason.

    @return: the error for a change after which connections would not use TLS.
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
                f"endpoint and {name} cannot be used together, because the endpoint "
                f"has an address of its own: omit {name}"
            )
