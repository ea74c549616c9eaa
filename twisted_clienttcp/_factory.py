"""
What users configure and hold.

The factory translates: Twisted's factory calls and the user's orders become inputs of
the L{lifecycle<twisted_clienttcp._lifecycle>}, whose effects it carries out. Users'
callbacks about the lifecycle are I{steps}, called in order, one after the other and
never inside one another; an order given in one of them takes effect at once, what it
leads to is told afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from functools import partial
from inspect import isawaitable, iscoroutine, isgenerator, signature
from types import SimpleNamespace
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, NotConnectingError, TimeoutError
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
    IPushProducer,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from . import _check, _tls
from ._connection import ClientTCPProtocol, Disconnection
from ._connector import EndpointConnector
from ._delivery import Hold
from ._details import errorDetails
from ._lifecycle import Core, Inputs, Phase, give
from ._outbox import (
    HAS_STOPPED,
    NOT_CONNECTED,
    STOPPED,
    Marks,
    OfflineQueue,
    Outbox,
)
from ._session import Session, claimAlias, fillSession, releaseAlias
from ._stats import Stats
from ._target import targetFrom, withoutTLS
from ._waiters import Waiters, fire, impatient, waiterIn
from ._watch import Heartbeat
from .errors import (
    AliasInUse,
    CallbackError,
    FramingError,
    NegotiationRefused,
    NotConnectedError,
    OutputLost,
    PeerSilent,
    RetriesExhausted,
)
from .framing import Line
from .framing._pattern import FramingSpec, patternFrom
from .retry import MEMORY, Attempt, Policy, exponential

#: A place to connect to.
Endpoint = IStreamClientEndpoint | str

#: What is set on a client, not given to its constructor.
_ATTRIBUTES = ("factor", "heap", "initialDelay", "jitter", "maxDelay", "maxRetries")


class Callbacks(NamedTuple):
    """
    The user's callbacks, but for those that get records or may return a Deferred.
    """

    started: Callable[..., object] | None
    connected: Callable[..., object] | None
    connectError: Callable[..., object] | None
    serverError: Callable[..., object] | None
    serverFlushed: Callable[..., object] | None
    serverHigh: Callable[..., object] | None
    serverLow: Callable[..., object] | None
    disconnected: Callable[..., object] | None
    stopped: Callable[..., object] | None


#: The framing of those who give none.
_LINE = Line()

#: The named events that every client has.
_BUILT_IN: dict[str, Callable[..., object]] = {
    "connect": lambda client, *args: client.connect(*args),
    "reconnect": lambda client, *args: client.reconnect(*args),
    # POE hands the arguments on to Disconnected; nobody relies on it.
    "shutdown": lambda client, *args: client.shutdown(),
}


@implementer(IProtocolFactory, IConsumer, IPushProducer)
class ClientTCPFactory(ReconnectingClientFactory):
    """
    A TCP client made of callbacks (POE::Component::Client::TCP).

    Each callback gets the client, this object, as its first argument. Their order is::

        started -> ( attempt -> preConnect -> connected -> any of serverInput and
        serverFlushed -> serverError? -> disconnected )* -> stopped

    An attempt that does not reach C{connected} is C{connectError} alone. A callback
    that raises is logged, and the client goes on by its policy. Where there is a
    connection it costs that, and is given to C{serverError} first as a
    L{CallbackError<twisted_clienttcp.errors.CallbackError>}; C{preConnect} that raises
    is a C{connectError}.

    There are three ways to run one:

      - C{client.start()}: the whole contract.
      - C{reactor.connectTCP(host, port, client)}, C{connectSSL}, C{connectUNIX}: the
        whole contract too; the address is the connector's.
      - C{ClientService(endpoint, client)}: the service connects, retries and stops, and
        does not tell us. So there are no C{started} and C{stopped}, and C{connectError}
        is called only where TLS or C{preConnect} fails; C{connect} and C{reconnect}
        raise; C{shutdown} ends the connection, and the service makes the next; and
        stopping the service does not flush what was put.
        L{ClientTCPService<twisted_clienttcp.service.ClientTCPService>} does.

    @ivar connector: the connector of the last attempt.
    @ivar initialDelay: the longest wait in seconds before the first new attempt.
    @ivar maxDelay: the longest wait in seconds before any; what a C{retryPolicy} gives
        is cut to it.
    @ivar factor: what the longest wait is multiplied by after each failure.
    @ivar jitter: the share of a wait that is drawn at random, from 0 to 1.
    @ivar maxRetries: after how many retries in a row that failed the client gives up;
        None for any number.
    @ivar stableAfter: for how many seconds a connection must hold for the waits and
        the count to begin anew.
    """

    # What each client has. The rest is the class's, until a client has its own.
    __slots__ = (
        "_args",
        "_attempts",
        "_busy",
        "_callbacks",
        "_connectedAt",
        "_connection",
        "_connections",
        "_core",
        "_disconnection",
        "_expired",
        "_failedAt",
        "_failingSince",
        "_failure",
        "_framing",
        "_heap",
        "_lastEvent",
        "_loss",
        "_negotiating",
        "_offline",
        "_outbox",
        "_outcome",
        "_preConnect",
        "_reason",
        "_session",
        "_stats",
        "_steps",
        "_stopping",
        "_target",
        "_timer",
        "_waiters",
        "clock",
        "connector",
        "delay",
        "numPorts",
        "retries",
        "serverInput",
    )

    noisy = False
    connector: Any
    maxDelay: float = 60.0  # type: ignore[assignment]
    maxRetries: int | None = None  # type: ignore[assignment]
    jitter: float = 1.0

    stableAfter: float = 10.0
    autoReconnect = True
    batched = False
    connectTimeout = 30.0
    drainTimeout = 60.0
    lingerTimeout = 30.0
    keepAlive: _check.KeepAlive = True
    idleTimeout: float | None = None
    heartbeat: Heartbeat | None = None
    shutdownOnError = True
    marks = Marks()
    offlineLimit = 0
    noDelay = True
    retryPolicy: Policy | None = None

    _alias: str | None = None
    _reactor: Any = None
    #: The connector is for another address than the present one.
    _moved = False

    _log = Logger()

    @_check.parameters(attributes=_ATTRIBUTES, framing=Line)
    def __init__(
        self,
        *,
        serverInput: Callable[[Any, Any], object] | None = None,
        serverInputBatch: Callable[[Any, list[Any]], object] | None = None,
        remoteAddress: str | bytes | None = None,
        remotePort: int | str | None = None,
        endpoint: Endpoint | Iterable[Endpoint] | None = None,
        tls: IOpenSSLClientConnectionCreator | bool | None = None,
        domain: int | None = None,
        bindAddress: str | bytes | None = None,
        bindPort: int | None = None,
        framing: FramingSpec | None = None,
        autoReconnect: bool = True,
        retryPolicy: Policy | None = None,
        stableAfter: float | None = None,
        connectTimeout: float = 30.0,
        drainTimeout: float = 60.0,
        lingerTimeout: float = 30.0,
        keepAlive: _check.KeepAlive = True,
        idleTimeout: float | None = None,
        heartbeat: tuple[float, Any] | None = None,
        shutdownOnError: bool = True,
        highMark: int | None = None,
        lowMark: int | None = None,
        offlineLimit: int = 0,
        noDelay: bool = True,
        started: Callable[..., object] | None = None,
        args: Iterable[Any] | None = None,
        preConnect: Callable[[Any, Any], object] | None = None,
        connected: Callable[[Any, IAddress], object] | None = None,
        connectError: Callable[[Any, Failure], object] | None = None,
        serverError: Callable[[Any, Failure], object] | None = None,
        serverFlushed: Callable[[Any], object] | None = None,
        serverHigh: Callable[[Any], object] | None = None,
        serverLow: Callable[[Any], object] | None = None,
        disconnected: Callable[[Any, Disconnection], object] | None = None,
        stopped: Callable[[Any, Failure | None], object] | None = None,
        alias: str | None = None,
        inlineStates: dict[str, Callable[..., object]] | None = None,
        objectStates: Sequence[tuple[Any, Any]] = (),
        packageStates: Sequence[tuple[Any, Any]] = (),
        sessionType: type[Session] = Session,
        sessionParams: dict[str, Any] | None = None,
        reactor: Any = None,
        clock: IReactorTime | None = None,
    ) -> None:
        """
        @param serverInput: C{serverInput(client, record)}: a record has come (POE:
            ServerInput). It may return a Deferred or be a coroutine function: the next
            record waits until that is done, and so, if more than 64 KiB wait, does the
            peer. Required, unless C{serverInputBatch} is given.
        @param serverInputBatch: C{serverInputBatch(client, records)}, instead: the list
            of all the records that one read has completed.
        @param remoteAddress: the server: a host name, an IPv4 or IPv6 literal, or an
            address packed into 4 or 16 octets (POE: RemoteAddress).
        @param remotePort: its port: a number, or the name of a service (POE:
            RemotePort).
        @param endpoint: instead of address and port an C{IStreamClientEndpoint}, or a
            string that describes one, such as C{"tcp:host:port"}, whose name is looked
            up for IPv4 and IPv6. Or a sequence of these to fail over between: one
            attempt is one endpoint, and where it fails the next one is tried at once;
            only when all have failed, C{connectTimeout} for each of them, does the wait
            come that the delays give. The one that works is kept until it fails, or has
            dropped two connections in a row before C{stableAfter}. For an order by
            chance give a sequence that is shuffled.
        @param tls: True for TLS with a certificate that the platform trusts and that is
            for the host name or IP address connected to. Or what
            C{twisted.internet.ssl.optionsForClientTLS} gives: for an authority or a
            client certificate of one's own, or for an endpoint that is an object and
            does not tell its host. C{preConnect} and C{connected} come when the
            certificate has been verified; where it is not good, C{connectError} gets a
            L{TLSError<twisted_clienttcp.errors.TLSError>}. It needs the extra C{tls}.
        @param domain: the family to connect with: C{AF_INET}, C{AF_INET6}, or
            C{AF_UNIX}, with which C{remoteAddress} is a path and there is no port. None
            for whatever the name resolves to (POE: Domain).
        @param bindAddress: the IP address of the local side (POE: BindAddress).
        @param bindPort: its port (POE: BindPort).
        @param framing: how octets become records (POE: Filter): a framing, which is
            cloned for each connection, or its class, or a pair of class and keyword
            arguments. L{Line<twisted_clienttcp.framing.Line>} if not given.
        @param autoReconnect: whether a new attempt follows a failure or a loss. If
            False, the client stops then, unless a callback has called C{connect} or
            C{reconnect} (POE's rule).
        @param retryPolicy: how long to wait before the next attempt, and when to give
            up: a function from the number of failures in a row to seconds, or to None
            to give up, instead of C{initialDelay}, C{factor} and C{jitter}; see
            L{twisted_clienttcp.retry}. One that raises, or returns what is no number of
            seconds, is logged and stops the client.
        @param stableAfter: for how many seconds a connection must hold for the waits to
            begin anew; shorter ones count as failures in a row. 10 if not given. (The
            class may have it as an attribute.)
        @param connectTimeout: the seconds an attempt may take, from the look-up of the
            name to the end of C{preConnect} (POE: ConnectTimeout).
        @param drainTimeout: the seconds that C{shutdown} may take to flush.
        @param lingerTimeout: the seconds to wait, after that, for the peer to end its
            side too.
        @param keepAlive: whether the kernel probes a peer that is silent, and takes it
            for gone if it does not answer; or C{(idle, interval, count)}: after so many
            seconds of silence, so many seconds apart, so many times (else the kernel's
            own numbers, on most after two hours). For TCP, not for UNIX sockets.
        @param idleTimeout: after how many seconds in which not an octet was received
            a connection is dropped, with an L{IdleTimeout
            <twisted_clienttcp.errors.IdleTimeout>} for C{serverError}; None for never.
            Time in which the reading was paused, or the answer of C{serverInput} waited
            for, does not count.
        @param heartbeat: C{(seconds, record)}, or C{(seconds, function)}: after so many
            seconds in which not an octet was received the record is put, or what
            C{function(client)} returns, unless that is None. If not an octet of any
            kind comes within as many seconds again, while the peer takes no output
            either, the connection is half open: it is dropped, with a
            L{HeartbeatTimeout<twisted_clienttcp.errors.HeartbeatTimeout>} for
            C{serverError}. So that is known twice these seconds after the last octet.
        @param shutdownOnError: whether the peer's end of stream ends the connection. If
            False, the connection stays, to write to, until C{shutdown} or C{reconnect}:
            the client must call one of them. Any other loss ends it at once, and so
            does an end of stream under TLS (POE: heap shutdown_on_error).
        @param highMark: how many octets of output may wait until L{put} returns True,
            C{serverHigh} is called and a registered producer is paused (POE: HighMark).
            Without marks a producer is paused at 64 KiB and resumed at 16 KiB.
        @param lowMark: down to how many they must fall for C{serverLow} to be called
            and the producer to be resumed (POE: LowMark).
        @param offlineLimit: how many octets may be put without a connection, to be sent
            when there is one, after C{connected} has returned; 0 for none. At a loss,
            the records that no transport was handed are kept likewise, less what was
            put in C{connected} itself.
        @param noDelay: send small writes at once (TCP_NODELAY).
        @param started: C{started(client, *args)}: called once a start, before the first
            attempt (POE: Started).
        @param args: what C{started} gets (POE: Args).
        @param preConnect: C{preConnect(client, negotiation)}: there is a transport
            (POE: PreConnect). Must return something true, or a Deferred or coroutine
            of that, for the connection to go on. See
            L{Negotiation<twisted_clienttcp.Negotiation>}.
        @param connected: C{connected(client, peer)}: the connection is usable; C{peer}
            is its C{IAddress} (POE: Connected).
        @param connectError: C{connectError(client, failure)}: an attempt did not reach
            C{connected} (POE: ConnectError). Which address that was is told by
            C{client.connector.getDestination()}. Of a name with several of them,
            C{client.connector.tried} tells how each has failed, where the connector is
            ours. Logged if not given.
        @param serverError: C{serverError(client, failure)}: the connection ends, and we
            did not ask for it; a clean end of stream is a
            L{ConnectionDone<twisted.internet.error.ConnectionDone>} (POE:
            ServerError). Logged if not given.
        @param serverFlushed: C{serverFlushed(client)}: the kernel has every octet that
            was put (POE: ServerFlushed).
        @param serverHigh: C{serverHigh(client)}: the output has reached C{highMark}
            (POE: ServerHigh).
        @param serverLow: C{serverLow(client)}: it has fallen to C{lowMark} after that
            (POE: ServerLow).
        @param disconnected: C{disconnected(client, disconnection)}: called exactly once
            for each C{connected}; see L{Disconnection<twisted_clienttcp.Disconnection>}
            (POE: Disconnected).
        @param stopped: C{stopped(client, failure)}: the client does nothing more; the
            failure is what made it stop, or what kept C{shutdown} from sending all;
            None if that was an order, or a clean end of stream, and all was sent.
        @param alias: the name under which L{post<twisted_clienttcp.post>} and
            L{resolve<twisted_clienttcp.resolve>} find this client while it runs (POE:
            Alias).
        @param inlineStates: handlers of named events, C{{event: function}}, each called
            as C{function(client, *args)} (POE: InlineStates).
        @param objectStates: methods as handlers: pairs of an object and either
            C{{event: method name}} or a list of names (POE: ObjectStates).
        @param packageStates: the same with classes or modules (POE: PackageStates).
        @param sessionType: what dispatches named events: L{Session
            <twisted_clienttcp.Session>}, L{MultiDispatchSession
            <twisted_clienttcp.MultiDispatchSession>} or a subclass (POE: SessionType).
        @param sessionParams: its keyword arguments; C{trace=True} logs each event (POE:
            SessionParams).
        @param reactor: the reactor to connect with; the installed one if not given.
        @param clock: the C{IReactorTime} to tell the time by; the reactor if not given.
            Twisted's reactors go by the time of day: if that is set while they run, all
            that waits comes early or late. C{reactor.seconds = time.monotonic}, before
            anything waits, has a reactor go by what nobody sets.

        @raise TypeError: if a parameter is missing, unknown or of the wrong type.
        @raise ValueError: if one is out of its range.
        @raise ImportError: if one needs an extra that is not installed.
        """
        if serverInput is None and serverInputBatch is None:
            raise TypeError(
                "serverInput is required, as in serverInput=lambda client, record: "
                "print(record)"
            )
        if serverInput is not None and serverInputBatch is not None:
            raise TypeError("serverInput and serverInputBatch exclude each other")
        if serverInput is None:
            self.batched = True
        name = "serverInputBatch" if self.batched else "serverInput"
        given = serverInputBatch if self.batched else serverInput
        gets = "client", "records" if self.batched else "record"
        self.serverInput = _check.callback(name, given, gets, awaited=True)
        self._preConnect = _check.callback(
            "preConnect", preConnect, ("client", "negotiation"), awaited=True
        )
        self._args = _check.sequence("args", () if args is None else args)
        self._callbacks = Callbacks(
            _check.callback("started", started, ("client", *map(repr, self._args))),
            _check.callback("connected", connected, ("client", "peer")),
            _check.callback("connectError", connectError, ("client", "failure")),
            _check.callback("serverError", serverError, ("client", "failure")),
            _check.callback("serverFlushed", serverFlushed, ("client",)),
            _check.callback("serverHigh", serverHigh, ("client",)),
            _check.callback("serverLow", serverLow, ("client",)),
            _check.callback("disconnected", disconnected, ("client", "details")),
            _check.callback("stopped", stopped, ("client", "failure")),
        )
        self._framing = patternFrom(_LINE if framing is None else framing)
        for name, check, value in (
            ("autoReconnect", _check.flag, autoReconnect),
            ("retryPolicy", _check.callback, retryPolicy),
            ("shutdownOnError", _check.flag, shutdownOnError),
            ("noDelay", _check.flag, noDelay),
            ("offlineLimit", _check.octets, offlineLimit),
            ("connectTimeout", _check.seconds, connectTimeout),
            ("drainTimeout", _check.seconds, drainTimeout),
            ("lingerTimeout", _check.seconds, lingerTimeout),
            ("idleTimeout", _check.optionalSeconds, idleTimeout),
            ("keepAlive", _check.keepAlive, keepAlive),
        ):
            checked = check(name, value)
            if checked != getattr(self, name):
                setattr(self, name, checked)
        if stableAfter is not None:
            self.stableAfter = _check.delay("stableAfter", stableAfter)
        if highMark is not None or lowMark is not None:
            self.marks = Marks(highMark, lowMark)
        elif serverHigh is not None or serverLow is not None:
            raise TypeError(
                "serverHigh and serverLow need highMark and lowMark, in octets"
            )
        if heartbeat is not None:
            self.heartbeat = self._heartbeatFrom(heartbeat)
        if reactor is not None:
            self._reactor = _check.reactor("reactor", reactor)
        self.clock: Any = _check.reactor("clock", reactor if clock is None else clock)
        self._target = targetFrom(
            remoteAddress=remoteAddress,
            remotePort=remotePort,
            endpoint=endpoint,
            domain=domain,
            bindAddress=bindAddress,
            bindPort=bindPort,
            tls=tls,
            reactor=reactor,
        )
        if alias is not None:
            if not isinstance(alias, str) or not alias:
                raise TypeError(f"alias must be a name as str, not {alias!r}")
            self._alias = alias
        #: None until there is a named event.
        self._session: Session | None = None
        if not (
            sessionType is Session
            and sessionParams is inlineStates is None
            and objectStates == packageStates == ()
        ):
            self._session = self._sessionFrom(
                sessionType, sessionParams, inlineStates, objectStates, packageStates
            )
        #: Events put off later than this one may ask for another attempt; those before
        #: were put off before the order to shut down.
        self._lastEvent = 0

        self.connector = None
        self.numPorts = 0
        self.resetDelay()
        self._heap: Any = None
        self._core = Core(self)
        self._connection: ClientTCPProtocol | None = None
        #: What is put goes into the outbox of the connection, or waits for one.
        self._offline = NOT_CONNECTED
        if self.offlineLimit:
            self._offline = OfflineQueue(
                self._framing.clone(), self.marks, self.offlineLimit
            )
        self._outbox: Outbox = self._offline
        self._attempts = 0
        self._connections = 0
        #: What else there is to count, if there is.
        self._stats: Stats | None = None
        self._negotiating: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        self._connectedAt = 0.0
        #: When the last failures were, the newest first, and the first one in a row.
        self._failedAt: tuple[float, ...] = ()
        self._failingSince = 0.0
        #: How the last attempt or connection ended.
        self._failure: Failure | None = None
        #: Why the last attempt or connection ended, if not well; and the same if octets
        #: were lost by that.
        self._reason: Failure | None = None
        self._loss: Failure | None = None
        self._expired: Failure | None = None
        #: What the last C{stopped} was given.
        self._outcome: Failure | None = None
        self._disconnection: Disconnection | None = None
        self._steps: tuple[tuple[Callable[..., object], tuple[Any, ...]], ...] = ()
        self._busy = False
        self._waiters: Waiters | None = None
        #: Those of a stop that is about to be told.
        self._stopping: Waiters | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name()} {self._core.phase.value}>"

    # -- what the user reads

    @property
    def heap(self) -> Any:
        """
        A namespace of the user's own, for what callbacks share (POE: the heap).
        """
        if self._heap is None:
            self._heap = SimpleNamespace()
        return self._heap

    @heap.setter
    def heap(self, heap: Any) -> None:
        self._heap = heap

    @property
    def connected(self) -> bool:
        """
        Whether there is a connection that C{connected} was called for and that is not
        about to end (POE: heap connected).
        """
        return self._core.phase is Phase.CONNECTED

    @property
    def shuttingDown(self) -> bool:
        """
        Whether the client has stopped or is about to (POE: heap shutdown).
        """
        return self._core.stopping

    @property
    def server(self) -> ClientTCPProtocol | None:
        """
        The live connection, until C{disconnected} is called (POE: heap server).
        """
        if self._core.phase in (Phase.CONNECTED, Phase.DRAINING):
            return self._connection
        return None

    @property
    def pendingOctets(self) -> int:
        """
        The octets put that the kernel does not have yet: never too few, and too many
        by one chunk (64 KiB) at the most (POE: get_driver_out_octets). Those that wait
        for a connection are among them.
        """
        offline = self._offline
        pending = 0 if self._outbox is offline else self._outbox.pending
        return pending + offline.pending

    @property
    def highMark(self) -> int | None:
        """
        The high mark in octets; None without marks. Setting it counts at once (POE:
        set_high_mark of the wheel); to set both marks use L{setMarks}.
        """
        return self.marks.high if self.marks.given else None

    @highMark.setter
    def highMark(self, octets: int) -> None:
        self.setMarks(octets, self.lowMark)

    @property
    def lowMark(self) -> int | None:
        """
        The low mark, likewise (POE: set_low_mark).
        """
        return self.marks.low if self.marks.given else None

    @lowMark.setter
    def lowMark(self, octets: int) -> None:
        self.setMarks(self.highMark, octets)

    @property
    def stats(self) -> Stats:
        """
        The counts of this client, as they are now.
        """
        now = copy(self._counted())
        now.attempts = self._attempts
        now.connections = self._connections
        now.pendingOctets = self.pendingOctets
        now.offlineOctets = self._offline.pending
        connection = self._connection
        if connection is not None and connection.transport is not None:
            connection.count(now)
        if self.server is not None:
            passed = self._timeSource().seconds() - self._connectedAt
            now.secondsConnected += passed
        octets, records = self._offline.accepted
        now.octetsOut += octets
        now.recordsOut += records
        return now

    def _counted(self) -> Stats:
        """
        @return: what has been counted, but for what each client has.
        """
        if self._stats is None:
            self._stats = Stats()
        return self._stats

    # -- the user's orders

    def start(self) -> Deferred[None]:
        """
        Begin: call C{started} and connect. A client that runs already goes on.

        @return: as L{whenStopped}.

        @raise ValueError: if there is nothing to connect to, or C{initialDelay} or
            another of these attributes is out of its range.
        @raise RuntimeError: if the client is shutting down, or is in the hands of a
            C{ClientService}.
        """
        self._mayConnect("start")
        if self._core.stopping and self._core.phase is not Phase.STOPPED:
            raise RuntimeError(
                "start() while shutting down: wait for whenStopped(), or reconnect()"
            )
        self._checkDelays()
        self._claimAlias()
        self._feed(Inputs.start)
        return self.whenStopped()

    def connect(
        self, address: str | bytes | None = None, port: int | str | None = None
    ) -> None:
        """
        Connect, to another address if one is given, which is remembered (POE: the
        connect event). A connection that there is, is aborted first.

        @param address: as C{remoteAddress}; the present one if not given.
        @param port: as C{remotePort}; the present one if not given.

        @raise RuntimeError: if the client is in the hands of a C{ClientService}.
        @raise TypeError: if an argument is of the wrong type.
        @raise ValueError: if it cannot be an address or a port, or if the present
            connections are TLS by an endpoint's or C{connectSSL}'s own doing, which
            those to another address would not be.
        """
        if address is not None or port is not None:
            self._mayNotBeHosted("connect")
            if getattr(self.connector, "factory", self) is not self:
                raise withoutTLS("what connectSSL() adds is not known here")
            self._target = self._target.moved(address, port)
            self._moved = True
        self.reconnect()

    def reconnect(self, delay: float = 0) -> None:
        """
        Make an attempt (POE: the reconnect event). An attempt under way is dropped,
        and a connection aborted: its C{disconnected} comes first and tells in C{unsent}
        what was lost.

        @param delay: after how many seconds.

        @raise RuntimeError: if the client is in the hands of a C{ClientService}.
        @raise ValueError: if there is nothing to connect to, or the delay is negative.
        """
        seconds = _check.delay("delay", delay)
        self._mayConnect("reconnect")
        self._claimAlias()
        self._feed(Inputs.reconnect, seconds)

    def shutdown(self) -> Deferred[Disconnection | None]:
        """
        Stop (POE: the shutdown event): no more C{serverInput}; all that was put is
        flushed; our side of the connection is ended, and the peer given time to end its
        own. Then C{disconnected} and C{stopped} are called. Doing it again changes
        nothing, but that events are not waited for which were put off meanwhile.

        @return: a Deferred that fires when the client has stopped, with the
            L{Disconnection<twisted_clienttcp.Disconnection>}, or with None if there was
            no connection that C{connected} was called for. If a callback asks for
            another attempt, it fires when the connection has ended.
        """
        if self._core.phase is Phase.STOPPED and self._stopping is not None:
            return waiterIn(self._stopping, "shutdown")
        if self._core.phase in (Phase.IDLE, Phase.STOPPED):
            self._dropOffline()
            return succeed(None)
        waiter = self._waiter("shutdown")
        if self._session is not None:
            self._lastEvent = self._session._serial
        self._feed(Inputs.shutdown)
        return waiter

    def abort(self) -> Deferred[Disconnection | None]:
        """
        Stop at once: as L{shutdown}, but what is pending is lost, and told as
        C{unsent}.

        @return: as L{shutdown}.
        """
        stopped = self.shutdown()
        if self._connection is not None:
            self._connection.abort()
        return stopped

    def put(self, record: Any) -> bool:
        """
        Send a record (POE: put of the wheel). What is put in one turn of the reactor
        leaves together. Without a connection, it is kept for the next one, up to
        C{offlineLimit}.

        @return: whether the output that waits is at or over C{highMark}; False without
            marks.

        @raise NotConnectedError: if there is no connection and no C{offlineLimit}, or
            the sending side of the connection is closed.
        @raise OutputFull: if there is no connection, and this would be too much.
        @raise TypeError: if the framing takes no such record.
        @raise FramingError: if the framing cannot frame this one.
        """
        outbox = self._outbox
        octets = outbox.frame(record)
        outbox.parts.append(octets)
        outbox.pending = pending = outbox.pending + len(octets)
        return pending >= outbox.edge and outbox.reached()

    def putMany(self, records: Iterable[Any]) -> bool:
        """
        Send records, in order; if one of them cannot be framed, none is sent. Faster
        than a L{put} for each.

        @return: as L{put}.

        @raise TypeError: also if that is one record, or no iterable.
        @raise Exception: as L{put}.
        """
        if isinstance(records, (bytes, bytearray, memoryview, str)):
            raise TypeError(
                f"putMany takes an iterable of records, not {records!r}: put() sends "
                "one record"
            )
        return self._outbox.sendAll(records, self._offline.limit > 0)

    def write(self, data: bytes) -> None:
        """
        Send octets as they are, without framing them (C{IConsumer}).

        @raise NotConnectedError: as L{put}.
        @raise OutputFull: as L{put}.
        @raise TypeError: if that is not octets.
        """
        self._outbox.write(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Let a producer fill the output (C{IConsumer}). It is paused at the high mark and
        resumed at the low one, and stopped at the end of the connection. C{shutdown}
        waits, for at most C{drainTimeout}, until it has unregistered. Without a
        connection it is stopped at once.

        @param producer: an C{IPushProducer} or C{IPullProducer}.
        @param streaming: whether it is an C{IPushProducer}.

        @raise RuntimeError: if there is one already.
        """
        connection = self.server
        if connection is None:
            producer.stopProducing()
        else:
            connection.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """
        The producer has no more.
        """
        if self.server is not None:
            self.server.unregisterProducer()

    def setMarks(self, highMark: int | None, lowMark: int | None) -> None:
        """
        Change both marks, for all connections. If the new ones are reached already,
        C{serverHigh} or C{serverLow} is called. With none, nothing is high any more.

        @param highMark: in octets; None, as C{lowMark}, for no marks.

        @raise TypeError: if only one is given, or one is no number.
        @raise ValueError: unless 0 < lowMark < highMark.
        """
        self.marks = marks = Marks(highMark, lowMark)
        if self._offline.limit:
            self._offline.mark(marks)
        if self._connection is not None:
            self._connection.mark(marks)

    def flushed(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when the kernel has every octet that was put; at
            once if it has. Under TLS that may be early by what one buffer of the
            transport holds. It fails with an L{OutputLost
            <twisted_clienttcp.errors.OutputLost>} if a part of them is lost.
        """
        if not self.pendingOctets:
            return succeed(None)
        return self._waiter("flushed")

    def _live(self, order: str) -> ClientTCPProtocol:
        connection = self.server
        if connection is None:
            raise NotConnectedError(
                f"cannot {order} without a connection: start() the client, and do so "
                "from connected() on, or after whenConnected(); in preConnect, use the "
                "negotiation"
            )
        return connection

    def loseWriteConnection(self) -> None:
        """
        Flush, end our side of the connection, and read on (POE: shutdown_output of the
        wheel). The connection ends when the peer ends its side, or at C{shutdown}.

        @raise NotConnectedError: if there is no connection.
        @raise RuntimeError: if the transport cannot end one side alone, as TLS cannot.
        """
        connection = self._live("loseWriteConnection")
        self._sendOffline(connection)
        connection.loseWriteConnection()

    def setFraming(self, framing: FramingSpec) -> None:
        """
        Use another framing for this connection, from the next record on, both ways
        (POE: set_filter of the wheel). Every octet behind the records delivered until
        now is cut with it; what there is of them already is delivered when the present
        callback has returned.

        @param framing: as the constructor's.

        @raise NotConnectedError: if there is no connection.
        @raise TypeError: if that is no framing.
        """
        connection = self._live("setFraming")
        if framing is connection.inputFraming:
            built = connection.inputFraming
        else:
            built = patternFrom(framing).clone()
            connection.setInputFraming(built)
        connection.setOutputFraming(built)

    def setInputFraming(self, framing: FramingSpec) -> None:
        """
        As L{setFraming}, for input alone (POE: set_input_filter).
        """
        connection = self._live("setInputFraming")
        if framing is not connection.inputFraming:
            connection.setInputFraming(patternFrom(framing).clone())

    def setOutputFraming(self, framing: FramingSpec) -> None:
        """
        As L{setFraming}, for output alone (POE: set_output_filter). What has been put
        is framed already.
        """
        connection = self._live("setOutputFraming")
        connection.setOutputFraming(patternFrom(framing).clone())

    def pauseProducing(self) -> None:
        """
        Deliver no records of the present connection and read nothing from it, until
        L{resumeProducing} (POE: pause_input of the wheel). A loss is seen then, or when
        something is written. Without a connection there is nothing to pause.

        Register C{client.server} with a consumer that is to be fed with the records:
        its pauses are kept apart from these.
        """
        if self.server is not None:
            self.server.hold(Hold.USER)

    def resumeProducing(self) -> None:
        """
        Deliver what waits, and read on (POE: resume_input of the wheel).
        """
        if self.server is not None:
            self.server.release(Hold.USER)

    def stopProducing(self) -> None:
        """
        As L{shutdown}.
        """
        self.shutdown()

    # -- named events

    def post(self, event: str, *args: Any) -> None:
        """
        Have an event handled in the next turn of the reactor, behind those posted
        before (POE: yield). C{connect}, C{reconnect} and C{shutdown} are events too.

        A client that would give up does not stop while an event is to come that was
        posted or put off: it may ask for another attempt. After C{shutdown} only those
        posted or put off since are waited for; the others are cancelled.

        @raise UnknownEvent: if there is no handler for it.
        """
        self._events()._post(event, *args)

    def call(self, event: str, *args: Any) -> object:
        """
        Have an event handled now (POE: call).

        @return: what its handler returns.

        @raise UnknownEvent: if there is no handler for it.
        """
        return self._events()._call(event, *args)

    def postLater(self, seconds: float, event: str, *args: Any) -> IDelayedCall:
        """
        Have an event handled after some seconds (POE: delay). What is still to come
        when the client stops is cancelled.

        @return: what can put it off further, or cancel it.

        @raise UnknownEvent: if there is no handler for it.
        @raise ValueError: if the seconds are negative.
        """
        delay = _check.delay("seconds", seconds)
        later: IDelayedCall = self._events()._postLater(delay, event, *args)
        return later

    def whenConnected(
        self, failAfterFailures: int | None = None
    ) -> Deferred[ClientTCPProtocol]:
        """
        @param failAfterFailures: after how many attempts that fail from now on (of
            several endpoints: rounds) not to wait any longer: 1 for the first, None for
            any number. The client goes on all the same. (As ClientService's; where one
            drives the client, only what fails in TLS or C{preConnect} is known.)

        @return: a Deferred that fires with the connection, when C{connected} has
            returned; at once if there is one. It fails with what C{connectError} was
            given, if that was the last attempt to wait for; or with what stopped the
            client, or with a L{NotConnectedError
            <twisted_clienttcp.errors.NotConnectedError>}, if that comes before.

        @raise TypeError: if C{failAfterFailures} is no whole number.
        @raise ValueError: if it is less than 1.
        """
        if failAfterFailures is not None:
            _check.count("failAfterFailures", failAfterFailures, 1)
        connection = self.server
        if self.connected and connection is not None and connection.opened:
            return succeed(connection)
        if self._core.phase is Phase.STOPPED and not self._core.hosted:
            return fail(_neverConnected(self._outcome))
        return self._waiter("connected", failAfterFailures)

    def whenStopped(self) -> Deferred[None]:
        """
        @return: a Deferred that fires with None when the client has stopped, or fails
            with what C{stopped} gets; at once if it has stopped already. While a
            C{ClientService} drives the client it never does.
        """
        if self._core.phase is Phase.STOPPED and not self._core.hosted:
            if self._stopping is not None:
                return waiterIn(self._stopping, "stopped")
            return succeed(None) if self._outcome is None else fail(self._outcome)
        return self._waiter("stopped")

    # -- the orders of ReconnectingClientFactory

    def stopTrying(self) -> None:
        """
        Make no more attempts: stop, if there is no connection, and otherwise when it is
        lost. An order of the user's to connect that comes later is carried out, once.
        """
        self.continueTrying = 0
        core = self._core
        if core.phase in (Phase.WAITING, Phase.CONNECTING) or core.ordered:
            self._feed(Inputs.shutdown)

    def resetDelay(self) -> None:
        """
        Let the delays and the count of failures begin anew. It need not be called: a
        connection that has held for L{stableAfter} seconds does the same. A client that
        has stopped, or waits, goes on doing so.
        """
        self.delay = self.initialDelay
        self.retries = 0

    def retry(self, connector: Any = None) -> None:
        """
        Make another attempt after the delay that the policy gives, if it gives one, as
        L{reconnect}. Where one is under way or will come anyhow, that is it; a client
        that has stopped, or was told to, stays so.

        @param connector: the connector to use from now on.

        @raise RuntimeError: if the client is in the hands of a C{ClientService}.
        @raise ValueError: if there is nothing to connect to.
        """
        if connector is not None:
            self.connector = connector
        self._mayConnect("retry")
        if not self._core.retryable or self._attempting or self._retryComes:
            return
        delay = self._retryDelay()
        if delay is not None:
            self.reconnect(delay)

    @property
    def _attempting(self) -> bool:
        """
        Whether an attempt is under way. A subclass that has kept its end from us calls
        C{retry} then.
        """
        return self._core.phase is Phase.CONNECTING and (
            getattr(self.connector, "state", None) == "connecting"
        )

    @property
    def _retryComes(self) -> bool:
        """
        Whether the present connection is lost, and there will be a retry as soon as its
        last records are delivered.
        """
        connection = self.server
        return connection is not None and connection.lost and self._retrying

    # -- what Twisted tells the factory

    def startedConnecting(self, connector: Any) -> None:
        """
        An attempt has begun.
        """
        try:
            self._claimAlias()
        except AliasInUse:
            connector.stopConnecting()
            raise
        self.connector = connector
        self._attempts += 1
        self._feed(Inputs.attempting)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        @return: the connection, below TLS if that was asked for; None if there is one
            already or none is wanted.
        """
        if self._core.phase not in (Phase.IDLE, Phase.STOPPED, Phase.CONNECTING):
            self._log.warn(
                "{client} refuses a second connection, to {addr}",
                client=self,
                addr=addr,
            )
            return None
        self._claimAlias()
        connection = ClientTCPProtocol(self, self._framing.clone())
        connection.factory = self
        self._connection = connection
        options = self._target.tls
        if options is None:
            return connection
        return _tls.secured(options, connection, self, self._timeSource())

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """
        An attempt has failed.
        """
        if self._core.phase is not Phase.CONNECTING:
            # Given up by order: nothing is to be told.
            return
        expired, self._expired = self._expired, None
        self._attemptFailed(expired or reason)
        self._later(give, self._core, Inputs.failed)
        self._run()

    def _attemptFailed(self, failure: Failure) -> None:
        """
        An attempt has not reached C{connected}, and nobody here has asked for that.
        """
        self._reason = self._failure = failure
        self._counted().failures += 1
        self._later(self._callOrLog, "connectError", failure)
        if not self._target.left:
            self._later(fire, impatient(self._waiters or {}), failure)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        """
        A connection is lost. The connection itself has told all about it before.
        """

    # -- what the connection tells

    def _timeSource(self) -> IReactorTime:
        """
        @return: the clock; the installed reactor if there is none.
        """
        if self.clock is None:
            self.clock = self._theReactor()
        clock: IReactorTime = self.clock
        return clock

    def _made(self, connection: ClientTCPProtocol) -> None:
        """
        There is a transport.
        """
        if connection is not self._connection:
            # It was given up before it came.
            connection.abort()
            return
        if self._core.phase is Phase.CONNECTING and self._ownConnector is not None:
            self._ownConnector.connectionMade(connection)
        self._feed(Inputs.made)

    @property
    def _ownConnector(self) -> EndpointConnector | None:
        """
        Our own connector, which has to be told what Twisted's learn from their
        transports; None if the connector is one of Twisted's.
        """
        connector = self.connector
        return connector if isinstance(connector, EndpointConnector) else None

    def _secured(self, connection: ClientTCPProtocol) -> None:
        """
        The transport can be used.
        """
        if not self._negotiable(connection):
            return
        if self._preConnect is None:
            self._feed(Inputs.negotiated)
        else:
            self._later(self._negotiate, connection)
            self._run()

    def _negotiable(self, connection: ClientTCPProtocol) -> bool:
        return (
            connection is self._connection
            and self._core.phase is Phase.NEGOTIATING
            and not connection.ending
        )

    def _negotiate(self, connection: ClientTCPProtocol) -> None:
        if not self._negotiable(connection):
            return
        negotiation = connection.negotiation
        try:
            answer = self._preConnect(self, negotiation)
        except Exception:
            self._refuse(Failure(), connection)
            return
        if isgenerator(answer) or (isawaitable(answer) and not _waitable(answer)):
            self._agree(None, connection, f"{answer!r}, which is not waited for")
            return
        if iscoroutine(answer):
            answer = Deferred.fromCoroutine(answer)
        if isinstance(answer, Deferred):
            negotiation._wait()
            self._negotiating = answer
            answer.addCallback(self._agree, connection)
            answer.addErrback(self._refuse, connection)
        else:
            self._agree(answer, connection)

    def _agree(
        self, answer: Any, connection: ClientTCPProtocol, shown: str = ""
    ) -> None:
        self._negotiating = None
        if not self._negotiable(connection):
            return
        negotiation = connection.negotiation
        if answer:
            negotiation._agreed(partial(self._feed, Inputs.negotiated))
        else:
            refusal = NegotiationRefused(
                f"preConnect returned {shown or repr(answer)}: to go on it must return "
                "True, or a Deferred or coroutine of it"
            )
            self._giveUp(connection, Failure(refusal))

    def _refuse(self, failure: Failure, connection: ClientTCPProtocol) -> None:
        self._negotiating = None
        if not self._negotiable(connection):
            # The connection was lost or given up, and this is how preConnect took it.
            return
        self._log.failure("preConnect raised", failure)
        refusal = NegotiationRefused(
            f"preConnect raised {type(failure.value).__name__}: "
            f"{failure.getErrorMessage()}"
        )
        refusal.__cause__ = failure.value
        self._giveUp(connection, Failure(refusal))

    def _giveUp(self, connection: ClientTCPProtocol, failure: Failure) -> None:
        """
        The connection must not be used.
        """
        connection.blame(failure, "local")
        self._feed(Inputs.refused)

    def _tlsOptions(self, given: Any) -> Any:
        """
        @return: options for TLS; those of the platform for True.
        """
        return self._target.tlsOptions(given)

    def _negotiationEnded(self, connection: ClientTCPProtocol) -> None:
        """
        The peer has ended its side before the connection was open.
        """
        if self._negotiable(connection):
            connection.blame(Failure(ConnectionDone()), "peer")
            self._feed(Inputs.refused)

    def _tell(self, connection: ClientTCPProtocol, callback: str) -> bool:
        """
        Call C{serverHigh}, C{serverLow} or C{serverFlushed}.

        @return: whether this is a connection that there is anything to tell of.
        """
        if connection is not self.server:
            return False
        stats = self._stats or self._counted()
        if getattr(self._callbacks, callback) is not None:
            # Before those who wait: what they order may lead to more to tell.
            self._later(self._call, callback)
        if callback == "serverFlushed":
            stats.flushes += 1
            self._fire("flushed", None)
        elif callback == "serverHigh":
            stats.highs += 1
        else:
            stats.lows += 1
        self._run()
        return True

    def _outputLost(self, connection: ClientTCPProtocol) -> None:
        """
        The connection takes no more output, and sends none: records that no transport
        was handed wait for the next one, if there is to be any.
        """
        outbox = connection.outbox
        limit = self._offline.limit
        if self._outbox is outbox and not self._core.stopping and limit:
            self._outbox = self._offline
            self._offline.adopt(outbox.giveBack(limit))

    def _ended(
        self, connection: ClientTCPProtocol, failure: Failure, closing: bool
    ) -> None:
        """
        There will be no more input, and nobody here has asked for that.
        """
        self._later(self._callOrLog, "serverError", failure)
        if closing:
            self._later(give, self._core, Inputs.ended)
        self._run()

    def _callbackRaised(
        self,
        callback: str,
        error: BaseException,
        connection: ClientTCPProtocol | None = None,
    ) -> None:
        """
        A callback of the user's has raised: log it, and drop the connection it has left
        in a state that nobody knows.

        @param connection: the one that it was called for, if it may be another than the
            present one.
        """
        self._log.failure("{callback} raised", Failure(error), callback=callback)
        if connection is None:
            connection = self.server
        if connection is not None and connection is self.server:
            failure = Failure(CallbackError(callback, error))
            self._broken(connection, failure, told=callback == "serverError")

    def _broken(
        self, connection: ClientTCPProtocol, failure: Failure, told: bool = False
    ) -> None:
        """
        The connection cannot go on: drop it.

        @param told: C{serverError} knows it already.
        """
        if connection.blame(failure, "local") and not told:
            self._later(self._callOrLog, "serverError", failure)
        self._later(give, self._core, Inputs.broken)
        self._run()

    def _gone(
        self, connection: ClientTCPProtocol, disconnection: Disconnection, told: bool
    ) -> None:
        """
        The transport is gone.
        """
        if connection is not self._connection:
            return
        self._reason = self._failure = disconnection.failure
        self._loss = None
        if self._core.phase is not Phase.NEGOTIATING:
            self._disconnection = disconnection
            self._counted().losses += disconnection.initiator != "local"
            if self._reason.check(ConnectionDone):
                lost = OutputLost(disconnection.unsent)
                self._reason = Failure(lost) if disconnection.unsent else None
            if disconnection.unsent:
                self._loss = self._reason
        if self._core.phase is Phase.NEGOTIATING:
            self._forget(connection, disconnection)
            self._cancelNegotiation()
            if self._core.then is None:
                self._attemptFailed(disconnection.failure)
        elif not told:
            self._later(self._callOrLog, "serverError", disconnection.failure)
        self._later(give, self._core, Inputs.lost)
        self._run()
        if not self._core.hosted and self._ownConnector is not None:
            self._ownConnector.connectionLost(disconnection.failure)

    def _forget(
        self, connection: ClientTCPProtocol, disconnection: Disconnection
    ) -> None:
        """
        The connection is over and done with: what it counted is the client's.
        """
        connection.count(self._counted())
        self._counted().unsentOctets += disconnection.unsent
        self._connection = None

    # -- what the lifecycle asks for (its Effects)

    @property
    def _retrying(self) -> bool:
        """
        Whether the client goes on by itself after a failure or a loss.
        """
        return bool(self.continueTrying and (self.autoReconnect or self._target.left))

    @property
    def _expectant(self) -> bool:
        """
        Whether an event is to come that may yet ask for another attempt.
        """
        session = self._session
        return session is not None and session._expects(self._lastEvent)

    def _retryDelay(self) -> float | None:
        """
        @return: the seconds to wait before the next attempt, or None to give up.
        """
        if not self.continueTrying:
            return None
        if self._target.left:
            return 0.0
        now = self._timeSource().seconds()
        if not self.retries:
            self._failingSince = now
        self.retries += 1
        self._failedAt = (now, *self._failedAt[: MEMORY - 1])
        elapsed = now - self._failingSince
        try:
            delay = self._policyDelay(now, elapsed)
        except Exception:
            # Nonsense: say so, and do not hang.
            self._reason = Failure()
            self._log.failure("no retry is possible", self._reason)
            return None
        if delay is None:
            last = None if self._failure is None else self._failure.value
            self._reason = Failure(RetriesExhausted(self.retries, elapsed, last))
        else:
            self.delay = delay
        return delay

    def _policyDelay(self, now: float, elapsed: float) -> float | None:
        self._checkDelays()
        if self.maxRetries is not None and self.retries > self.maxRetries:
            return None
        policy = self._ownPolicy() if self.retryPolicy is None else self.retryPolicy
        attempt = Attempt(
            self.retries,
            elapsed=elapsed,
            ages=(now - at for at in self._failedAt),
            failure=self._failure,
        )
        delay = policy(attempt)
        if delay is None:
            return None
        delay = _check.delay(f"what retryPolicy returns for {attempt}", delay)
        if delay > self.maxDelay:
            self._log.info(
                "{client} waits maxDelay={maxDelay} seconds, not {delay}",
                client=self,
                maxDelay=self.maxDelay,
                delay=delay,
            )
        return min(delay, self.maxDelay)

    def _ownPolicy(self) -> Policy:
        """
        @return: the policy that the attributes describe.

        @raise TypeError: if one is of the wrong type.
        @raise ValueError: if one is out of its range.
        """
        return exponential(
            initialDelay=self.initialDelay,
            maxDelay=self.maxDelay,
            factor=self.factor,
            # None stands for none in ReconnectingClientFactory.
            jitter=self.jitter or 0.0,
        )

    def _checkDelays(self) -> None:
        """
        Check the attributes, which may have been set to anything, as L{_ownPolicy}.
        """
        self._ownPolicy()
        _check.delay("stableAfter", self.stableAfter)
        if self.maxRetries is not None:
            _check.count("maxRetries", self.maxRetries, 0)

    def _attempt(self) -> None:
        """
        Begin an attempt.
        """
        self._expired = None
        self._disconnection = None
        self._lastEvent = 0
        try:
            ours = self.connector is None or self._ownConnector is not None
            if self._moved or (ours and self._target.next()) or self.connector is None:
                self._moved = False
                self.connector = EndpointConnector(
                    self._target.destination(self._theReactor(), self.connectTimeout),
                    self,
                )
            self.connector.connect()
        except Exception:
            self.clientConnectionFailed(self.connector, Failure())

    def _cancelAttempt(self) -> None:
        """
        Forget the attempt under way.
        """
        self._connection = None
        if self.connector is not None:
            try:
                self.connector.stopConnecting()
            except NotConnectingError:
                pass

    def _expireAttempt(self) -> None:
        """
        End the attempt under way, with a timeout as its failure.
        """
        said = f"no connection in {self.connectTimeout} seconds"
        expired = Failure(TimeoutError(string=said))
        connection = self._connection
        if self._core.phase is Phase.NEGOTIATING and connection is not None:
            what = "the TLS handshake" if connection.shaking else "preConnect"
            expired = Failure(TimeoutError(string=f"{said}: no end of {what}"))
            connection.blame(expired, "local")
            self._abort()
        else:
            self._expired = expired
            self._cancelAttempt()
            if self._expired is not None:
                # It had ended already, and a subclass has kept that from us.
                ClientTCPFactory.clientConnectionFailed(self, self.connector, expired)

    def _drain(self) -> None:
        """
        Close the connection when all its output has been taken.
        """
        if self._connection is not None:
            self._sendOffline(self._connection)
            self._connection.close()

    def _abort(self) -> None:
        """
        Close the connection now.
        """
        if self._connection is not None:
            self._connection.abort()
        self._cancelNegotiation()

    def _cancelNegotiation(self) -> None:
        negotiating, self._negotiating = self._negotiating, None
        if negotiating is not None:
            try:
                negotiating.cancel()
            except Exception:
                self._log.failure("preConnect could not be cancelled")

    def _startTimer(self, seconds: float | None = None) -> None:
        """
        Give C{timeUp} after so many seconds, or C{connectTimeout}.
        """
        self._stopTimer()
        self._timer = self._timeSource().callLater(
            self.connectTimeout if seconds is None else seconds, self._timeUp
        )

    def _timeUp(self) -> None:
        self._timer = None
        self._feed(Inputs.timeUp)

    def _stopTimer(self) -> None:
        """
        Stop the timer, if it runs.
        """
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _tellStarted(self) -> None:
        """
        Call C{started}, later.
        """
        if self._core.phase is Phase.WAITING:
            # By an order of ours; who has called stopTrying() before connectTCP() wants
            # one attempt alone, as of any ReconnectingClientFactory.
            self.continueTrying = 1
        self._reason = None
        self._loss = None
        self._failure = None
        self._failedAt = ()
        self.resetDelay()
        self._target.begin()
        self._accept(True)
        self._later(self._call, "started", *self._args)

    def _tellConnected(self) -> None:
        """
        Call C{connected}, later.
        """
        self._connectedAt = self._timeSource().seconds()
        self._target.reached()
        assert self._connection is not None
        self._outbox = self._connection.outbox
        self._connections += 1
        self._later(self._callConnected, self._connection)

    def _callConnected(self, connection: ClientTCPProtocol) -> None:
        transport: Any = connection.transport
        connection.negotiated()
        if self._call("connected", transport.getPeer()):
            self._sendOffline(connection)
            connection.open()
        if connection.opened:
            self._fire("connected", connection)

    def _sendOffline(self, connection: ClientTCPProtocol) -> None:
        """
        What has waited for a connection goes out, behind what C{connected} has put
        until now.
        """
        outbox = connection.outbox
        if self._outbox is outbox:
            outbox.own()
            self._offline.moveTo(outbox)

    def _tellDisconnected(self) -> None:
        """
        Call C{disconnected}, later.
        """
        held = self._timeSource().seconds() - self._connectedAt
        stable = held >= self.stableAfter
        if stable:
            self.resetDelay()
        disconnection = self._disconnection
        if disconnection is not None and (
            disconnection.initiator != "local"
            # It is we who go, but for what the peer does.
            or disconnection.failure.check(PeerSilent, FramingError)
        ):
            self._target.lost(stable)
        self._later(self._callDisconnected)

    def _callDisconnected(self) -> None:
        connection, disconnection = self._connection, self._disconnection
        assert connection is not None and disconnection is not None
        self._forget(connection, disconnection)
        passed = self._timeSource().seconds() - self._connectedAt
        self._counted().secondsConnected += passed
        self._outbox = self._offline
        if disconnection.unsent:
            self._fire("flushed", Failure(OutputLost(disconnection.unsent)))
        if self._callbacks.disconnected is not None:
            self._call("disconnected", disconnection)
        elif disconnection.unsent:
            self._log.warn(
                "Client {client} lost up to {unsent} octets that were put and not sent",
                client=self._name(),
                unsent=disconnection.unsent,
            )
        if not self._core.stopping:
            # An order to connect again came after that to shut down.
            self._loss = self._disconnection = None
            self._fire("shutdown", disconnection)

    def _tellStopped(self, gaveUp: bool, hosted: bool) -> None:
        """
        Call C{stopped}, later.
        """
        if not hosted:
            self._dropOffline()
            self._accept(False)
        # An order to stop that cost octets has not gone well either.
        self._outcome = (self._reason if gaveUp else None) or self._loss
        # Those who wait from now on wait for the next time.
        waiters, self._waiters = self._waiters or {}, None
        if hosted:
            self._waiters = {
                event: waiters.pop(event)
                for event in ("connected", "stopped", "flushed")
                if event in waiters
            }
        self._stopping = waiters
        self._later(self._callStopped, self._outcome, hosted, waiters)

    def _accept(self, accepting: bool) -> None:
        """
        Let records wait for a connection from now on, or not.
        """
        former = self._offline
        if not former.limit:
            # Nothing ever waits, and that is the same for all clients.
            self._offline = NOT_CONNECTED if accepting else STOPPED
            if self._outbox is former:
                self._outbox = self._offline
        elif accepting:
            former.open()
        else:
            former.close(HAS_STOPPED)

    def _dropOffline(self) -> None:
        """
        What waits for a connection waits in vain.
        """
        unsent = self._offline.pending
        if unsent:
            octets, records = self._offline.accepted
            self._counted().octetsOut += octets
            self._counted().recordsOut += records
            self._counted().unsentOctets += unsent
            self._offline.clear()
            self._loss = self._loss or Failure(OutputLost(unsent))
            self._log.warn(
                "Client {client} stops with {unsent} octets put and never sent",
                client=self._name(),
                unsent=unsent,
            )
            self._fire("flushed", self._loss)

    def _callStopped(
        self, failure: Failure | None, hosted: bool, waiters: Waiters
    ) -> None:
        disconnection, self._disconnection = self._disconnection, None
        if not hosted:
            if self._session is not None:
                self._session._forget()
            if self._callbacks.stopped is not None:
                self._call("stopped", failure)
            elif failure is not None and failure.check(RetriesExhausted):
                self._log.warn(
                    "Client {client} gives up: {reason}",
                    client=self._name(),
                    reason=str(failure.value),
                    failure=failure,
                )
        if self._stopping is waiters:
            self._stopping = None
        fire(waiters.get("stopped"), failure)
        fire(waiters.get("flushed"), _neverConnected(failure))
        fire(waiters.get("connected"), _neverConnected(failure))
        fire(waiters.get("shutdown"), disconnection)
        if self._alias is not None and not hosted and self._core.phase is Phase.STOPPED:
            releaseAlias(self._alias, self)

    def _settleLater(self) -> None:
        """
        Give C{settle} behind all that is still to be told.
        """
        self._later(give, self._core, Inputs.settle)

    @property
    def eventful(self) -> bool:
        """
        Whether events are posted that have not been handled yet.
        """
        return self._session is not None and bool(self._session._posted)

    # -- what the session needs (as its owner)

    def _traced(self, event: str, args: tuple[Any, ...]) -> None:
        """
        An event is about to be dispatched, and the user wants to see that.
        """
        self._log.info(
            "Client {client} dispatches {event} {args}",
            client=self._name(),
            event=event,
            args=args,
        )

    def _eventDone(self) -> None:
        """
        An event that was to come has been dispatched or cancelled.
        """
        if self._core.phase is Phase.WAITING:
            self._feed(Inputs.settle)

    def _sessionFrom(
        self, kind: Any, parameters: Any, inline: Any, objects: Any, packages: Any
    ) -> Session:
        if not (isinstance(kind, type) and issubclass(kind, Session)):
            raise TypeError(
                "sessionType must be Session, MultiDispatchSession or a subclass, not "
                f"{kind!r}"
            )
        if parameters is not None and not isinstance(parameters, dict):
            raise TypeError(
                f"sessionParams must be a dict of keyword arguments, not {parameters!r}"
            )
        parameters = parameters or {}
        try:
            signature(kind).bind(**parameters)
        except TypeError as e:
            raise TypeError(f"sessionParams: {e}") from e
        session = kind(**parameters)
        session._attach(self)
        fillSession(
            session, _BUILT_IN, {} if inline is None else inline, objects, packages
        )
        return session

    def _events(self) -> Session:
        """
        @return: the session.
        """
        if self._session is None:
            self._session = self._sessionFrom(Session, None, None, (), ())
        return self._session

    def _heartbeatFrom(self, given: object) -> Heartbeat:
        if not isinstance(given, tuple) or len(given) != 2:
            raise TypeError(
                "heartbeat must be (seconds, record) or (seconds, function), as in "
                f"heartbeat=(30, b'PING'), not {given!r}"
            )
        seconds = _check.seconds("heartbeat's seconds", given[0])
        if callable(given[1]):
            return Heartbeat(
                seconds, _check.callback("heartbeat", given[1], ("client",))
            )
        record = given[1]
        try:
            self._framing.clone().frame(record)
        except Exception as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"heartbeat's record cannot be framed: {error}") from error
        return Heartbeat(seconds, lambda client: record)

    def _claimAlias(self) -> None:
        if self._alias is not None:
            claimAlias(self._alias, self)

    # -- steps

    def _feed(self, given: Callable[..., None], *args: Any) -> None:
        """
        Give the lifecycle an input, now, and tell what there is to tell of it
        afterwards.
        """
        busy, self._busy = self._busy, True
        try:
            give(self._core, given, *args)
        finally:
            self._busy = busy
        self._run()

    def _waiter(self, event: str, patience: int | None = None) -> Deferred[Any]:
        if self._waiters is None:
            self._waiters = {}
        return waiterIn(self._waiters, event, patience)

    def _fire(self, event: str, result: Any) -> None:
        """
        Fire all that wait.
        """
        if self._waiters is not None:
            fire(self._waiters.get(event), result)

    def _later(self, step: Callable[..., object], *args: Any) -> None:
        self._steps += ((step, args),)

    def _run(self) -> None:
        """
        Do the steps that wait, unless somebody is doing it.
        """
        if self._busy:
            return
        self._busy = True
        try:
            while self._steps:
                step, args = self._steps[0]
                self._steps = self._steps[1:]
                step(*args)
        finally:
            self._busy = False

    def _call(self, name: str, *args: Any) -> bool:
        """
        Call a callback of the user's, if there is one.

        @return: whether it did not raise.
        """
        callback = getattr(self._callbacks, name)
        if callback is not None:
            try:
                if iscoroutine(answer := callback(self, *args)):
                    answer.close()
                    raise TypeError(
                        "it returned a coroutine, which nothing waits for here: start "
                        "it inside with Deferred.fromCoroutine"
                    )
            except BaseException as error:
                self._callbackRaised(name, error)
                if not isinstance(error, Exception):
                    raise
                return False
        return True

    def _callOrLog(self, name: str, failure: Failure) -> None:
        """
        Call a callback for errors; without one, log what POE prints.
        """
        self._counted().lastError = failure
        if getattr(self._callbacks, name) is not None:
            self._call(name, failure)
            return
        operation, number, text = errorDetails(failure)
        if name == "connectError" and self._ownConnector is not None:
            text += _each(self._ownConnector.tried)
        self._log.warn(
            "Client {client} got {operation} error {errno} ({text})",
            client=self._name(),
            operation=operation,
            errno=number,
            text=text or "Normal disconnection",
            failure=failure,
        )

    # -- where to

    def _theReactor(self) -> Any:
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = reactor
        return self._reactor

    def _name(self) -> str:
        """
        @return: whom this client is connected to, for people.
        """
        if self._target.known:
            return str(self._target)
        return "?" if self.connector is None else str(self.connector.getDestination())

    def _mayNotBeHosted(self, order: str) -> None:
        core = self._core
        if core.hosted and (core.phase is not Phase.STOPPED or order != "start"):
            raise RuntimeError(
                f"{order}() is not for a client that a ClientService drives: the "
                "service connects; use ClientTCPService or start() instead"
            )

    def _mayConnect(self, order: str) -> None:
        self._mayNotBeHosted(order)
        if not self._target.known and self.connector is None:
            raise ValueError(
                f"{order}() has nothing to connect to: give the factory remoteAddress "
                "and remotePort, or endpoint"
            )


def _each(tried: dict[IAddress, Failure | None]) -> str:
    """
    @return: how each address has failed, for people, if there are several.
    """
    if len(tried) < 2:
        return ""
    words = []
    for address, failure in tried.items():
        why = "no answer" if failure is None else errorDetails(failure).text
        words.append(f"{getattr(address, 'host', address)}: {why}")
    return f": {'; '.join(words)}"


def _waitable(answer: object) -> bool:
    return isinstance(answer, Deferred) or iscoroutine(answer)


def _neverConnected(failure: Failure | None) -> Failure:
    """
    @return: why C{whenConnected} fails.
    """
    return failure or Failure(
        NotConnectedError("the client was stopped before it was connected")
    )
