"""
The settings: every parameter of the client except its callbacks.

Each setting has one row in the table L{SETTINGS}, with its default, validator and
documentation. The constructor, attributes of subclasses, assignments to a client and
the table in C{docs/parameters.rst} use that row:

 1. Settings are plain attributes: reading one takes no call. The default is an
    attribute of the class, and a client stores only what differs from its class.
 2. An assignment to a client is validated by C{__setattr__}.
 3. When a subclass is created, each setting among its attributes, and those of mixins,
    is validated.
 4. The constructor (L{constructor<twisted_clienttcp._client.constructor>}) stores the
    settings that were passed. A value that was passed wins over the class's, even if it
    equals the default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from inspect import signature
from typing import Any, NoReturn, TypeAlias, TypeVar, cast

import attrs
from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLClientConnectionCreator,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import ReconnectingClientFactory

from .._connecting.addresses import socketOptions
from .._connecting.endpoints import tupleIfSeveral
from .._connecting.proxies import Proxy
from .._connecting.target import (
    DESTINATION,
    Target,
    placeholders,
    replaced,
    targetFrom,
)
from .._connection.liveness import TimedRecord
from .._connection.queue import Marks
from .._connection.tcp import KeepAlive, keepAliveFrom, unacknowledgedTimeoutFrom
from .._connection.wirelog import WireLog, wireLogFrom
from .._validators import (
    byteCount,
    callback,
    count,
    delay,
    factor,
    flag,
    fraction,
    misspelt,
    optionalSeconds,
    policy,
    seconds,
)
from ..framing import Line
from ..framing._base import AnyFraming
from ..framing._building import buildFraming
from ..retry import Policy
from .callbacks import CALLBACKS
from .events import Session, fillSession, handlersFrom

_Value = TypeVar("_Value")
_Validator: TypeAlias = Callable[[str, object], object]

#: The handlers of one object: C{{event: method name}}, or a list of names.
EventMethods = dict[str, str] | Sequence[str]

#: One endpoint, or a string that describes it.
Endpoint = IStreamClientEndpoint | str

# When a later change takes effect.
NOW = "immediately"
FAILURE = "at the next failure or loss"
ATTEMPT = "at the next attempt"
CONNECTION = "at the next connection"
CLOSE = "when a connection begins to close"
START = "at the next start"
NEVER = "cannot be changed"

#: The default framing.
LINE = Line()

_DESTINATION = frozenset(DESTINATION)
_NONE: frozenset[str] = frozenset()
_MARKS = frozenset(("highMark", "lowMark"))

_STATES = (
    "inlineStates",
    "objectStates",
    "packageStates",
    "sessionType",
    "sessionParams",
)

#: The settings that describe a session.
SESSION = frozenset(_STATES)


# -- how a change is carried out


def _checkName(name: str) -> None:
    """
    @raise TypeError: if the name of an attribute is probably a misspelt setting.
    """
    meant = misspelt(name, SETTINGS)
    # Short names are often similar by chance.
    if meant and len(meant) > 4:
        raise TypeError(f"{name} is not a setting: did you mean {meant}?")


def store(client: Settings, name: str, value: object) -> None:
    """
    Store an attribute without the checks for users.
    """
    object.__setattr__(client, name, value)


def _refuse(client: Settings, name: str, value: object) -> NoReturn:
    hint = "; to replace only the time, set clock" if name == "reactor" else ""
    raise AttributeError(
        f"{name} cannot be changed after the client was created: pass {name}= to the "
        f"constructor, or define it in a subclass{hint}"
    )


def _setDestination(client: Settings, name: str, value: object) -> None:
    values = {each: getattr(client, each) for each in DESTINATION} | {name: value}
    targetFrom(placeholders(values), client.reactor)
    client._moved |= {name}
    store(client, name, value)


def _setFraming(client: Any, name: str, value: AnyFraming) -> None:
    _checkTimed("heartbeat", client.heartbeat, value)
    _checkTimed("keepTalking", client.keepTalking, value)
    store(client, name, value)


def _setTimed(client: Settings, name: str, value: TimedRecord | None) -> None:
    _checkTimed(name, value, client.framing)
    store(client, name, value)


def _setMark(client: Any, name: str, value: int | None) -> None:
    values = {"highMark": client.highMark, "lowMark": client.lowMark, name: value}
    client.setMarks(**values)


def storeClock(client: Settings, clock: IReactorTime) -> None:
    """
    Use another clock.
    """
    store(client, "clock", clock)


def storeMarks(client: Settings, marks: Marks) -> None:
    """
    Use other marks.
    """
    store(client, "marks", marks)
    store(client, "highMark", marks.high if marks.given else None)
    store(client, "lowMark", marks.low if marks.given else None)


# -- the other validators


def _unchecked(name: str, value: object) -> object:
    """
    The settings of the destination are validated together, by L{targetFrom}.
    """
    return value


def _framing(name: str, value: object) -> AnyFraming:
    return LINE if value is None else buildFraming(value)


def _optionalBytes(name: str, value: object) -> int | None:
    return None if value is None else byteCount(name, value)


def _optionalCount(name: str, value: object) -> int | None:
    return None if value is None else count(name, value, 0)


def _timedRecord(name: str, value: object) -> TimedRecord | None:
    if value is None:
        return None
    if not isinstance(value, tuple) or len(value) != 2:
        raise TypeError(
            f"{name} must be (seconds, record) or (seconds, function), as in "
            f"{name}=(30, b'PING'), not {value!r}"
        )
    interval, record = value
    if callable(record):
        callback(name, record, ("client",))
    return TimedRecord(seconds(f"{name}'s seconds", interval), record)


def _checkTimed(name: str, timed: TimedRecord | None, framing: AnyFraming) -> None:
    """
    @raise TypeError: if the framing does not accept records of this type.
    @raise ValueError: if it cannot encode this one.
    """
    if timed is None or callable(timed.record):
        return
    try:
        framing.fresh().encode(timed.record)
    except Exception as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}'s record cannot be encoded: {error}") from error


def _arguments(name: str, value: object) -> tuple[object, ...]:
    if value is None:
        return ()
    if isinstance(value, (str, bytes, dict)) or not isinstance(value, Iterable):
        raise TypeError(
            f"{name} must be a sequence, as in {name}=(1, 2), not {value!r}"
        )
    return tuple(value)


def _alias(name: str, value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise TypeError(f"{name} must be a str that is not empty, not {value!r}")
    return value


def _sessionType(name: str, value: object) -> type[Session]:
    if not (isinstance(value, type) and issubclass(value, Session)):
        raise TypeError(
            f"{name} must be Session, MultiDispatchSession or a subclass, not {value!r}"
        )
    return value


def _sessionParams(name: str, value: object) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{name} must be a dict of keyword arguments, not {value!r}")
    return value


def _handlers(name: str, value: object) -> object:
    handlersFrom(name, value)
    return value


def _reactorTime(name: str, value: object) -> object:
    if value is not None and not callable(getattr(value, "callLater", None)):
        raise TypeError(f"{name} must provide IReactorTime, not {value!r}")
    return value


# -- the table


@attrs.frozen(eq=False)
class Setting:
    """
    One setting: a row of the table.

    @ivar default: the default value.
    @ivar validate: a function that is called with the name and a value, and returns the
        value to use or raises an exception.
    @ivar kind: the possible values, for the documentation.
    @ivar later: when a later change takes effect, for the documentation.
    @ivar poe: the corresponding parameter of POE::Component::Client::TCP.
    @ivar apply: a function that is called with the client, the name and a valid value,
        and carries out an assignment.
    """

    default: object
    validate: _Validator
    kind: str
    later: str
    poe: str = ""
    apply: Callable[[Settings, str, Any], None] = store


def _setting(
    default: _Value,
    validate: _Validator,
    kind: str,
    later: str,
    poe: str = "",
    apply: Callable[[Settings, str, Any], None] = store,
) -> _Value:
    """
    @return: a L{Setting}, as a value of the type that L{Settings} declares.
    """
    return cast(_Value, Setting(default, validate, kind, later, poe, apply))


def _destinationSetting(
    kind: str, validate: _Validator = _unchecked, poe: str = ""
) -> Any:
    return Setting(None, validate, kind, ATTEMPT, poe, _setDestination)


def _fixed(default: object, validate: _Validator, kind: str, poe: str = "") -> Any:
    return Setting(default, validate, kind, NEVER, poe, _refuse)


class Settings(ReconnectingClientFactory):
    """
    The base class of the client, which holds its settings.

    @ivar remoteAddress: the server: a host name, an IPv4 or IPv6 literal, or an address
        packed into 4 or 16 bytes; with C{domain=AF_UNIX}, the path of a socket.
    @ivar remotePort: the port of the server: a number, or the name of a service.
    @ivar endpoint: the endpoint to connect to, instead of C{remoteAddress} and
        C{remotePort}: an C{IStreamClientEndpoint}, or a string that describes one. With
        C{"tcp:host:port"}, the host is looked up for IPv4 and IPv6. For failover, pass
        a sequence of endpoints. Each attempt uses one endpoint, for at most
        C{connectTimeout}. If it fails, the client tries the next endpoint immediately,
        and waits only when all have failed. The client keeps using an endpoint that
        works until an attempt fails, or until two connections in a row are lost before
        C{stableAfter}. To randomise the order, shuffle the sequence.
    @ivar tls: True to use TLS, and to require a server certificate that the platform
        trusts and that is valid for the host name or IP address of the server. To
        choose the trusted authority or a client certificate, or to name the host of an
        endpoint object, pass the result of C{twisted.internet.ssl.optionsForClientTLS}.
        C{preConnect} and C{connected} are called after the certificate has been
        verified. If it is not valid, C{connectError} gets a C{TLSError}. Needs the
        extra C{tls}.
    @ivar domain: the address family to connect with. With C{AF_UNIX}, C{remoteAddress}
        is a path and there is no port. None to use every family that the name resolves
        to.
    @ivar bindAddress: the local IP address to connect from.
    @ivar bindPort: the local port to connect from.
    @ivar socketOptions: options to set on each socket before it connects: a list of
        C{(level, name, value)}, the arguments of C{socket.setsockopt}. If the kernel
        rejects an option, the attempt fails. The options apply only to sockets that the
        client itself creates, so not with endpoints other than C{"tcp:..."}, and not
        with C{connectTCP}.
    @ivar proxy: the proxy to connect through: C{"socks5://user:password@host:1080"},
        C{"http://user:password@host:3128"} or C{"https://host:443"}; a
        C{twisted_clienttcp.proxy.Proxy}; a sequence of these, each reached through the
        one before; or C{"environment"}, to use the variables C{ALL_PROXY} and
        C{NO_PROXY}, which are read when the client is created and when its destination
        changes. The last proxy looks up the server's name. C{domain}, C{bindAddress},
        C{bindPort} and C{socketOptions} apply to the connection to the first proxy.
        C{http} and C{https} need the extra C{proxy}, and C{https} also the extra
        C{tls}.
    @ivar connectTimeout: the seconds that an attempt may take, from the lookup of the
        name to the end of C{preConnect}, including proxies.
    @ivar framing: how the byte stream is split into records: a framing, its class, or a
        pair of the class and its keyword arguments. Each connection uses a fresh copy.
        None for C{Line()}. To change the framing of the current connection, call
        C{setFraming}.
    @ivar autoReconnect: connect again after a failed attempt or a lost connection. If
        False, the client stops instead, unless a callback has called C{connect} or
        C{reconnect} (as in POE).
    @ivar retryPolicy: a function that is called after each failure with the number of
        failures in a row, and returns the seconds to wait before the next attempt, or
        None to give up. It replaces C{initialDelay}, C{factor} and C{jitter}; see
        C{twisted_clienttcp.retry}. If it raises an exception or returns anything else,
        the client logs this and stops.
    @ivar initialDelay: the longest wait in seconds after the first failure. If
        C{maxDelay} is less, that is the limit.
    @ivar maxDelay: the longest wait in seconds before any attempt. A longer delay from
        a C{retryPolicy} is reduced to this.
    @ivar factor: the longest wait is multiplied by this number after each failure.
    @ivar jitter: the fraction of each wait that is random. With 1 (full jitter), each
        wait is chosen uniformly between 0 and the longest wait. None or 0 for no
        jitter.
    @ivar maxRetries: the client gives up when this many retries in a row have failed;
        None for no limit.
    @ivar stableAfter: when a connection has lasted for this many seconds, the waits and
        the count of retries are reset: its loss is a first failure. The loss of a
        shorter connection is one more failure in a row.
    @ivar maxAge: the age in seconds at which a connection is drained and replaced, as
        by C{reconnect(drain=True)}. Without C{autoReconnect}, the client stops instead.
        If the server closes the connection when our side ends, set C{halfClose} to
        False too. With full C{jitter}, the age is chosen uniformly from the last tenth
        of this time, so that clients that connected at the same time do not all
        reconnect at the same time. A smaller C{jitter} makes this range smaller. None
        for no limit.
    @ivar failBack: if C{endpoint} is a sequence, the age in seconds at which a
        connection to any endpoint but the first is drained and replaced. The next round
        of attempts begins at the first endpoint. C{jitter} and C{halfClose} apply as
        for C{maxAge}. If C{maxAge} is less, that is the limit. Without a sequence, this
        setting has no effect: a name with several addresses is one server. None to keep
        such a connection.
    @ivar keepAlive: whether the kernel probes a silent peer, and drops the connection
        if the peer does not answer (TCP keepalive). True uses the kernel's own values,
        usually two hours of silence before the first probe. C{(idle, interval, count)}
        sets them: the seconds of silence before the first probe, the seconds between
        probes, and the number of probes. UNIX sockets do not use this setting.
    @ivar unacknowledgedTimeout: if data that was sent has not been acknowledged for
        this many seconds, the kernel drops the connection (TCP_USER_TIMEOUT, Linux).
        This also drops a peer that acknowledges data but does not read any for this
        time. None for the kernel's own limit, usually 15 minutes. With
        C{keepAlive=(idle, interval, count)}, choose C{idle + interval * count}.
    @ivar idleTimeout: the seconds after which a connection is dropped if nothing is
        received: C{serverError} gets an C{IdleTimeout}. Any byte counts, even if it
        does not complete a record or a TLS record, and so does output that the peer
        accepts. Accepted output is noticed up to a quarter of this time later, so the
        connection may be dropped that much later. Time during which reading is paused,
        or a result of C{serverInput} is awaited, does not count. None for no limit.
    @ivar heartbeat: when nothing has been received for this many seconds, put a record:
        C{(seconds, record)}; or C{(seconds, function)}, to put the result of
        C{function(client)}, unless it is None. If nothing is received for the same time
        again, and the peer accepts no other output either, the connection is half open
        and is dropped: C{serverError} gets a C{HeartbeatTimeout}. So a dead peer is
        detected after twice this time, or up to a quarter of it later if the peer has
        accepted output since the record was put.
    @ivar keepTalking: when nothing has been sent for this many seconds, put a record:
        C{(seconds, record)} or C{(seconds, function)}, as for C{heartbeat}. For servers
        that drop a silent client, such as MQTT brokers.
    @ivar drainTimeout: the seconds that C{shutdown} or a drain may take to flush the
        output; also the seconds after a loss during which records that were received
        before it are still delivered.
    @ivar lingerTimeout: the seconds to wait, after the flush, for the peer to end its
        side too.
    @ivar halfClose: whether a drain ends our side of the connection when the output is
        flushed, and then waits for the end of the peer's side. Set it to False for
        servers that close the connection when our side ends, because these discard the
        answers that they have not sent. A Twisted protocol does this unless it
        implements C{IHalfCloseableProtocol}. With False, a drain ends our side only
        when nothing has arrived for 5 seconds, or for half of C{lingerTimeout} if that
        is less.
        With TLS and through a proxy, a drain always works this way, because most TLS
        servers and many proxies close the connection when one side has ended. Only
        drains use this setting.
    @ivar shutdownOnError: whether the peer's end of stream ends the connection. If
        False, the connection stays open for output until C{shutdown} or C{reconnect}:
        the client must call one of them. Any other loss ends it immediately, and so
        does an end of stream under TLS.
    @ivar highMark: when this many bytes of output are pending, C{put} returns True,
        C{serverHigh} is called and a registered producer is paused. Without marks, a
        producer is paused at 64 KiB and resumed at 16 KiB. To change both marks, call
        C{setMarks}.
    @ivar lowMark: when the pending output has fallen to this many bytes, C{serverLow}
        is called and the producer is resumed.
    @ivar outputLimit: the number of bytes that may be pending during a connection. If a
        record would exceed it, C{put} raises an C{OutputFull} and queues nothing.
        Choose more than C{highMark}: a program should stop putting records at the high
        mark, and this limit bounds the memory if it does not. None for no limit.
    @ivar offlineLimit: the number of bytes that may be put without a connection. They
        are sent on the next one, after C{connected} has returned. At a loss, records
        that had not been passed to the transport are kept too, except those put in
        C{connected}. 0 to keep none.
    @ivar noDelay: send small writes immediately (TCP_NODELAY).
    @ivar args: arguments for C{started}, which follow the client.
    @ivar alias: the name under which C{twisted_clienttcp.post} and
        C{twisted_clienttcp.resolve} find this client while it runs.
    @ivar inlineStates: handlers of named events, C{{event: function}}, each called as
        C{function(client, *args)}.
    @ivar objectStates: methods as handlers: pairs of an object and either C{{event:
        method name}} or a list of names.
    @ivar packageStates: the same with classes or modules.
    @ivar sessionType: the class that dispatches named events: C{Session},
        C{MultiDispatchSession} or a subclass.
    @ivar sessionParams: keyword arguments for C{sessionType}; C{trace=True} logs each
        event.
    @ivar reactor: the reactor to connect with; None for the installed one.
    @ivar clock: the C{IReactorTime} that tells the time and runs timers; None for the
        reactor. Set it before the start: timers that are running keep their clock.
        Twisted's reactors use the time of day, so timers are early or late if it is
        changed. To avoid this, set C{reactor.seconds = time.monotonic} before any timer
        is started.
    @ivar wireLog: a C{twisted_clienttcp.wirelog.WireLog}, which logs the bytes of each
        connection in both directions. None for no such log.
    """

    remoteAddress: str | bytes | None = _destinationSetting(
        "name, address or packed address", poe="RemoteAddress"
    )
    remotePort: int | str | None = _destinationSetting(
        "number or service name", poe="RemotePort"
    )
    endpoint: Endpoint | Iterable[Endpoint] | None = _destinationSetting(
        "endpoint, description, or several", tupleIfSeveral
    )
    tls: IOpenSSLClientConnectionCreator | bool | None = _destinationSetting(
        "True, options or None"
    )
    domain: int | None = _destinationSetting(
        "AF_INET, AF_INET6, AF_UNIX or None", poe="Domain"
    )
    bindAddress: str | bytes | None = _destinationSetting(
        "IP address or None", poe="BindAddress"
    )
    bindPort: int | str | None = _destinationSetting("number or None", poe="BindPort")
    socketOptions: Sequence[tuple[int, int, int | bytes]] | None = _destinationSetting(
        "list of (level, name, value), or None", socketOptions
    )
    proxy: str | Proxy | Iterable[str | Proxy] | None = _destinationSetting(
        "URL, Proxy, several, 'environment' or None", tupleIfSeveral
    )
    connectTimeout: float = _setting(
        30.0, seconds, "seconds", ATTEMPT, poe="ConnectTimeout"
    )
    framing: Any = _setting(
        LINE,
        _framing,
        "framing, class, or (class, arguments)",
        CONNECTION,
        poe="Filter",
        apply=_setFraming,
    )
    autoReconnect: bool = _setting(True, flag, "True or False", NOW)
    retryPolicy: Policy | None = _setting(None, policy, "function or None", FAILURE)
    initialDelay: float = _setting(1.0, delay, "seconds", FAILURE)
    maxDelay: float = _setting(  # type: ignore[assignment]
        60.0, delay, "seconds", FAILURE
    )
    factor: float = _setting(2.0, factor, "number, 1 or more", FAILURE)
    jitter: float | None = _setting(  # type: ignore[assignment]
        1.0, fraction, "number from 0 to 1, or None", FAILURE
    )
    maxRetries: int | None = _setting(  # type: ignore[assignment]
        None, _optionalCount, "count or None", FAILURE
    )
    stableAfter: float = _setting(10.0, delay, "seconds", NOW)
    maxAge: float | None = _setting(
        None, optionalSeconds, "seconds or None", CONNECTION
    )
    failBack: float | None = _setting(
        None, optionalSeconds, "seconds or None", CONNECTION
    )
    keepAlive: KeepAlive = _setting(
        True, keepAliveFrom, "True, False or (idle, interval, count)", CONNECTION
    )
    unacknowledgedTimeout: float | None = _setting(
        None, unacknowledgedTimeoutFrom, "seconds or None", CONNECTION
    )
    idleTimeout: float | None = _setting(
        None, optionalSeconds, "seconds or None", CONNECTION
    )
    heartbeat: tuple[float, object] | None = _setting(
        None,
        _timedRecord,
        "(seconds, record or function) or None",
        CONNECTION,
        apply=_setTimed,
    )
    keepTalking: tuple[float, object] | None = _setting(
        None,
        _timedRecord,
        "(seconds, record or function) or None",
        CONNECTION,
        apply=_setTimed,
    )
    drainTimeout: float = _setting(60.0, seconds, "seconds", CLOSE)
    lingerTimeout: float = _setting(30.0, seconds, "seconds", CLOSE)
    halfClose: bool = _setting(True, flag, "True or False", CLOSE)
    shutdownOnError: bool = _setting(
        True, flag, "True or False", NOW, poe="heap shutdown_on_error"
    )
    highMark: int | None = _setting(
        None,
        _optionalBytes,
        "bytes or None",
        NOW,
        poe="HighMark",
        apply=_setMark,
    )
    lowMark: int | None = _setting(
        None,
        _optionalBytes,
        "bytes or None",
        NOW,
        poe="LowMark",
        apply=_setMark,
    )
    outputLimit: int | None = _setting(None, _optionalBytes, "bytes or None", NOW)
    offlineLimit: int = _setting(0, byteCount, "bytes", NOW)
    noDelay: bool = _setting(True, flag, "True or False", CONNECTION)
    args: Iterable[object] | None = _setting(
        (), _arguments, "sequence", START, poe="Args"
    )
    alias: str | None = _fixed(None, _alias, "text or None", poe="Alias")
    inlineStates: dict[str, Callable[..., object]] | None = _fixed(
        None, _handlers, "dict or None", poe="InlineStates"
    )
    objectStates: Sequence[tuple[object, EventMethods]] = _fixed(
        (), _handlers, "list of pairs", poe="ObjectStates"
    )
    packageStates: Sequence[tuple[object, EventMethods]] = _fixed(
        (), _handlers, "list of pairs", poe="PackageStates"
    )
    sessionType: type[Session] = _fixed(
        Session, _sessionType, "class", poe="SessionType"
    )
    sessionParams: dict[str, Any] | None = _fixed(
        None, _sessionParams, "dict or None", poe="SessionParams"
    )
    reactor: Any = _fixed(None, _reactorTime, "reactor or None")
    clock: Any = _setting(None, _reactorTime, "IReactorTime or None", NOW)
    wireLog: WireLog | None = _setting(None, wireLogFrom, "WireLog or None", CONNECTION)

    #: C{highMark} and C{lowMark}.
    marks = Marks()

    #: The connector of the last attempt.
    connector: Any

    #: The class's settings of the destination.
    _classDestination: dict[str, object] = dict.fromkeys(DESTINATION)
    #: The settings that a subclass assigned before it called our constructor.
    _early: dict[str, object]
    #: The target of the last attempt, and the settings of the destination that have
    #: been changed since.
    _target: Target
    _moved: frozenset[str]
    #: The peer of the last connection, if no target or connector knows the destination.
    _peer: IAddress | None = None

    def __init_subclass__(cls, **named: object) -> None:
        super().__init_subclass__(**named)
        try:
            cls._adoptAttributes()
        except (TypeError, ValueError, ImportError) as error:
            kinds = (TypeError, ImportError, ValueError)
            kind = next(kind for kind in kinds if isinstance(error, kind))
            raise kind(f"class {cls.__name__}: {error}") from error

    @classmethod
    def _adoptAttributes(cls) -> None:
        """
        Validate the settings that this class and its mixins have as attributes.
        """
        for base in cls.__mro__:
            if not issubclass(Settings, base):
                for name in vars(base):
                    if not hasattr(super(base, cls), name):
                        _checkName(name)
        for name, setting in SETTINGS.items():
            base = next(base for base in cls.__mro__ if name in vars(base))
            if base is cls or not issubclass(base, Settings):
                value: object = setting.validate(name, getattr(cls, name))
                if callable(value) and not isinstance(value, type):
                    # A function would become a method.
                    value = staticmethod(value)
                setattr(cls, name, value)
        cls.marks = Marks(cls.highMark, cls.lowMark)
        given = {name: getattr(cls, name) for name in DESTINATION}
        targetFrom(placeholders(given, always=True), cls.reactor)
        cls._classDestination = given

    def __setattr__(self, name: str, value: object) -> None:
        setting = SETTINGS.get(name)
        if setting is None:
            if name in CALLBACKS:
                raise AttributeError(
                    f"{name} is a callback and cannot be assigned: pass {name}= to the "
                    "constructor, or define it as a method of a handler"
                )
            if not hasattr(type(self), name):
                _checkName(name)
            super().__setattr__(name, value)
            return
        value = setting.validate(name, value)
        if hasattr(self, "_target"):
            self._changing(name, value)
            setting.apply(self, name, value)
            self._changed(name)
        else:
            self._early = {**getattr(self, "_early", {}), name: value}
            store(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name in SETTINGS:
            setattr(self, name, getattr(type(self), name))
        else:
            super().__delattr__(name)

    def _configure(self, passed: dict[str, object]) -> None:
        """
        Store the settings that were passed to the constructor.

        @raise Exception: any exception of the constructor.
        """
        cls = type(self)
        passed = getattr(self, "_early", {}) | passed
        given = {}
        for name, value in passed.items():
            if name in _DESTINATION:
                given[name] = value
            elif name in SETTINGS:
                passed[name] = SETTINGS[name].validate(name, value)
                self._keep(name, passed[name])
        self._keep("clock", passed.get("clock", cls.clock) or self.reactor)
        if not passed.keys().isdisjoint(_MARKS):
            storeMarks(self, Marks(self.highMark, self.lowMark))
        for name in ("heartbeat", "keepTalking"):
            _checkTimed(name, getattr(self, name), self.framing)
        values = cls._classDestination
        if given:
            values = replaced(values, given)
        moveTo(self, targetFrom(values, self.reactor))

    def _keep(self, name: str, value: object) -> None:
        """
        Store the value of a setting, unless it is the class's value.
        """
        if value is not getattr(type(self), name):
            store(self, name, value)

    def _sets(self, names: frozenset[str]) -> bool:
        """
        @return: True if one of these settings is not the default.
        """
        return any(getattr(self, name) is not SETTINGS[name].default for name in names)

    def _changing(self, name: str, value: object) -> None:
        """
        Check whether a setting can be changed now. A subclass overrides this.

        @param value: the new value, which is valid.

        @raise Exception: if it cannot be changed.
        """

    def _changed(self, name: str) -> None:
        """
        Apply a setting that has been changed, if it takes effect immediately. A
        subclass overrides this.
        """


def newSession(client: Settings) -> Session:
    """
    @return: the session that the settings describe.

    @raise TypeError: if its class does not accept C{sessionParams}.
    @raise ValueError: if an event has two handlers.
    """
    parameters = client.sessionParams or {}
    try:
        signature(client.sessionType).bind(**parameters)
    except TypeError as e:
        raise TypeError(f"sessionParams: {e}") from e
    session = client.sessionType(**parameters)
    fillSession(
        session,
        inlineStates=client.inlineStates,
        objectStates=client.objectStates,
        packageStates=client.packageStates,
    )
    return session


# -- the destination, which can be changed in several steps


def currentTarget(client: Settings) -> Target:
    """
    @return: the target of the last attempt.
    """
    return client._target


def storePeer(client: Settings, peer: IAddress | None) -> None:
    """
    Keep the peer of a connection whose destination is not known in another way.
    """
    client._peer = peer


def lastPeer(client: Settings) -> IAddress | None:
    """
    @return: the address passed to L{storePeer}.
    """
    return client._peer


def isMoving(client: Settings) -> bool:
    """
    @return: True if the destination has been changed since the last attempt began.
    """
    return bool(client._moved)


def movesAddress(client: Settings) -> bool:
    """
    @return: like L{isMoving}, but False if only C{tls} has been changed.
    """
    return bool(client._moved - {"tls"})


def nextTarget(client: Settings) -> Target:
    """
    @return: the target of the next attempt.

    @raise TypeError: if an address has no port yet, or a port has no address.
    """
    if not isMoving(client):
        return client._target
    values = {name: getattr(client, name) for name in DESTINATION}
    return targetFrom(values, client.reactor)


def moveToNext(client: Settings) -> None:
    """
    Move to the target of the next attempt.

    @raise TypeError: see L{nextTarget}.
    """
    if isMoving(client):
        moveTo(client, nextTarget(client))


def moveTo(client: Settings, target: Target) -> None:
    """
    Move to another target, and store its settings.
    """
    client._target = target
    client._moved = _NONE
    for name, value in zip(DESTINATION, target.given, strict=True):
        if value is not getattr(client, name):
            store(client, name, value)


#: Each setting by its name.
SETTINGS: dict[str, Setting] = {
    name: value for name, value in vars(Settings).items() if isinstance(value, Setting)
}

for _name, _row in SETTINGS.items():
    setattr(Settings, _name, _row.default)

#: The documentation of each setting, as one line of epytext.
DOCUMENTATION = {
    name: " ".join(text.split())
    for name, text in re.findall(
        r"@ivar (\w+): (.*?)(?=\n *@|\Z)", Settings.__doc__ or "", re.DOTALL
    )
}

#: The settings by subject, for the documentation.
GROUPS: dict[str, tuple[str, ...]] = {
    "Destination": (*DESTINATION, "connectTimeout"),
    "Records": ("framing",),
    "Staying connected": (
        "autoReconnect",
        "retryPolicy",
        "initialDelay",
        "maxDelay",
        "factor",
        "jitter",
        "maxRetries",
        "stableAfter",
        "maxAge",
        "failBack",
    ),
    "Silent peers": (
        "keepAlive",
        "unacknowledgedTimeout",
        "idleTimeout",
        "heartbeat",
        "keepTalking",
    ),
    "Closing": ("drainTimeout", "lingerTimeout", "halfClose", "shutdownOnError"),
    "Output": ("highMark", "lowMark", "outputLimit", "offlineLimit", "noDelay"),
    "Events and names": ("args", "alias", *_STATES),
    "Reactor": ("reactor", "clock"),
    "Debugging": ("wireLog",),
}
