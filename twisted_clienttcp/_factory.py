"""
What users configure and hold.

The factory checks what it is given, and turns the user's orders into inputs of the
L{lifecycle<twisted_clienttcp._lifecycle>}. What follows is the business of
L{twisted_clienttcp._effects}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from inspect import signature
from operator import attrgetter, is_
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
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
from twisted.python.failure import Failure
from zope.interface import implementer

from . import _check
from ._callbacks import rejectMethods, withMethods
from ._connection import ClientTCPProtocol, Disconnection
from ._effects import CALLBACKS, LifecycleFactory, neverConnected
from ._inbound import Hold
from ._lifecycle import (
    CONNECTING,
    IDLE,
    STOPPED,
    WAITING,
    Inputs,
    ordered,
    retryable,
    stopping,
)
from ._outbox import (
    Marks,
)
from ._session import Session
from ._stats import Stats
from ._target import targetFrom, withoutTLS
from ._waiters import waiterIn
from .errors import (
    NotConnectedError,
)
from .framing import Line
from .framing._building import FramingSpec, buildFraming, freshFraming
from .retry import Policy

#: A place to connect to.
Endpoint = IStreamClientEndpoint | str

#: What is set on a client, not given to its constructor.
_ATTRIBUTES = ("factor", "heap", "initialDelay", "jitter", "maxDelay", "maxRetries")


#: The framing of those who give none.
_LINE = Line()

#: The parameters that are attributes from then on, and what checks them.
_SETTINGS: dict[str, Callable[[str, Any], Any]] = {
    "autoReconnect": _check.flag,
    "retryPolicy": _check.policy,
    "shutdownOnError": _check.flag,
    "noDelay": _check.flag,
    "offlineLimit": _check.octets,
    "connectTimeout": _check.seconds,
    "drainTimeout": _check.seconds,
    "lingerTimeout": _check.seconds,
    "idleTimeout": _check.optionalSeconds,
    "keepAlive": _check.keepAlive,
}


@implementer(IProtocolFactory, IConsumer, IPushProducer)
class ClientTCPFactory(LifecycleFactory):
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

    __slots__ = ()

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        rejectMethods(cls, ClientTCPFactory)

    @_check.parameters(attributes=_ATTRIBUTES, framing=Line)
    def __init__(
        self,
        *,
        serverInput: Callable[[Any, Any], object] | None = None,
        serverInputBatch: Callable[[Any, list[Any]], object] | None = None,
        handler: object | None = None,
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
        @param handler: an object whose methods are callbacks: each method with the name
            of a callback is used like the parameter of that name, C{serverInput} and
            C{preConnect} included. Other methods are left alone, except those that have
            nearly the name of a callback (C{server_input}, C{conected}), which are
            rejected. A subclass of this class cannot have the callbacks as its own
            methods.
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
            C{client.tried} tells how each has failed. Without this callback, failures
            are logged; if no log observer is running, the first failure of the process
            is also printed to standard error, once, for all clients.
        @param serverError: C{serverError(client, failure)}: the connection ends, and we
            did not ask for it; a clean end of stream is a
            L{ConnectionDone<twisted.internet.error.ConnectionDone>} (POE:
            ServerError). Logged if not given, as for C{connectError}; a clean end is
            not printed.
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

        @raise TypeError: if a parameter is missing, unknown or of the wrong type; or if
            a callback is given both as a parameter and by the handler.
        @raise ValueError: if one is out of its range.
        @raise ImportError: if one needs an extra that is not installed.
        """
        callbacks: dict[str, Any] = {
            "started": started,
            "preConnect": preConnect,
            "connected": connected,
            "connectError": connectError,
            "serverInput": serverInput,
            "serverInputBatch": serverInputBatch,
            "serverError": serverError,
            "serverFlushed": serverFlushed,
            "serverHigh": serverHigh,
            "serverLow": serverLow,
            "disconnected": disconnected,
            "stopped": stopped,
        }
        if handler is not None:
            callbacks = withMethods(handler, callbacks, ClientTCPFactory)
        each, batch = callbacks["serverInput"], callbacks["serverInputBatch"]
        if each is None and batch is None:
            raise TypeError(
                "serverInput is required, as in serverInput=lambda client, record: "
                "print(record), or as a method of the object given as handler"
            )
        if each is not None and batch is not None:
            raise TypeError("serverInput and serverInputBatch exclude each other")
        if each is None:
            self.batched = True
        name = "serverInputBatch" if self.batched else "serverInput"
        record = "records" if self.batched else "record"
        self.serverInput = _check.callback(
            name, callbacks[name], ("client", record), awaited=True
        )
        self._preConnect = _check.callback(
            "preConnect",
            callbacks["preConnect"],
            ("client", "negotiation"),
            awaited=True,
        )
        self._args = () if args is None else _check.sequence("args", args)
        for name, gets in CALLBACKS.items():
            called = callbacks[name]
            setattr(self, f"_on_{name}", called)
            if called is not None:
                more = map(repr, self._args) if name == "started" else ()
                _check.callback(name, called, (*gets, *more))
        self._framing = buildFraming(_LINE if framing is None else framing)
        values = (
            autoReconnect,
            retryPolicy,
            shutdownOnError,
            noDelay,
            offlineLimit,
            connectTimeout,
            drainTimeout,
            lingerTimeout,
            idleTimeout,
            keepAlive,
        )
        settings = _settingsOf(self)
        if not all(map(is_, values, settings)):
            for (name, check), value, setting in zip(
                _SETTINGS.items(), values, settings, strict=True
            ):
                if value is not setting and (own := check(name, value)) != setting:
                    setattr(self, name, own)
        if stableAfter is not None:
            self.stableAfter = _check.delay("stableAfter", stableAfter)
        if highMark is not None or lowMark is not None:
            self.marks = Marks(highMark, lowMark)
        elif callbacks["serverHigh"] is not None or callbacks["serverLow"] is not None:
            raise TypeError(
                "serverHigh and serverLow need highMark and lowMark, in bytes"
            )
        if heartbeat is not None:
            self.heartbeat = self._heartbeatFrom(heartbeat)
        self.clock: Any = None
        if reactor is not None:
            self.clock = self._reactor = _check.reactor("reactor", reactor)
        if clock is not None:
            self.clock = _check.reactor("clock", clock)
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
                raise TypeError(f"alias must be a str that is not empty, not {alias!r}")
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
        super().__init__()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name()} {self._phase.value}>"

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

    # -- the user's orders

    def start(self) -> Deferred[None]:
        """
        Begin: call C{started} and connect. A client that runs already goes on. (Where
        an endpoint connects or fails at once, what follows is called at once too.)

        @return: as L{whenStopped}.

        @raise ValueError: if there is nothing to connect to, or C{initialDelay} or
            another of these attributes is out of its range.
        @raise RuntimeError: if the client is shutting down, or is in the hands of a
            C{ClientService}.
        """
        self._mayConnect("start")
        if stopping(self) and self._phase is not STOPPED:
            raise RuntimeError(
                "start() cannot be called while the client is shutting down: wait for "
                "whenStopped(), or call reconnect()"
            )
        self._checkDelays()
        self._claimAlias()
        if self._busy and self._phase in (IDLE, STOPPED):
            # From inside a callback, in the next turn: a connector may be in the midst
            # of telling a loss, and one that fails at once would be tried for ever.
            self._feed(Inputs.reconnect, 0.0)
        else:
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
                raise withoutTLS("the settings of connectSSL() are not known here")
            self._target = self._target.moved(address, port)
            self._foreign = False
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
        if self._phase is STOPPED and self._stopping is not None:
            return waiterIn(self._stopping, "shutdown")
        if self._phase in (IDLE, STOPPED):
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
        octets = outbox.encode(record)
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
                f"{order}() needs a connection: start() the client, and call it in "
                "connected() or later, or after whenConnected(); in preConnect, use "
                "the negotiation"
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
            built = freshFraming(framing)
            connection.setInputFraming(built)
        connection.setOutputFraming(built)

    def setInputFraming(self, framing: FramingSpec) -> None:
        """
        As L{setFraming}, for input alone (POE: set_input_filter).
        """
        connection = self._live("setInputFraming")
        if framing is not connection.inputFraming:
            connection.setInputFraming(freshFraming(framing))

    def setOutputFraming(self, framing: FramingSpec) -> None:
        """
        As L{setFraming}, for output alone (POE: set_output_filter). What has been put
        is framed already.
        """
        connection = self._live("setOutputFraming")
        connection.setOutputFraming(freshFraming(framing))

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
        if self._phase is STOPPED and not self._hosted:
            return fail(neverConnected(self._outcome))
        return self._waiter("connected", failAfterFailures)

    def whenStopped(self) -> Deferred[None]:
        """
        @return: a Deferred that fires with None when the client has stopped, or fails
            with what C{stopped} gets; at once if it has stopped already. While a
            C{ClientService} drives the client it never does.
        """
        if self._phase is STOPPED and not self._hosted:
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
        if self._phase in (WAITING, CONNECTING) or ordered(self):
            self._feed(Inputs.shutdown)

    def retry(self, connector: Any = None) -> None:
        """
        Make another attempt after the delay that the policy gives, if it gives one, as
        L{reconnect}. Where one is under way or will come anyhow, that is it; a client
        that has stopped, or was told to, stays so.

        @param connector: the connector to use for it, and from then on.

        @raise RuntimeError: if the client is in the hands of a C{ClientService}.
        @raise ValueError: if there is nothing to connect to.
        """
        if connector is None:
            self._mayConnect("retry")
        else:
            self._mayNotBeHosted("retry")
        if not retryable(self) or self._attempting or self._retryComes:
            return
        if connector is not None:
            self._connectBy(connector)
        delay = self._retryDelay()
        if delay is not None:
            self.reconnect(delay)

    @property
    def _attempting(self) -> bool:
        """
        Whether an attempt is under way. A subclass that has kept its end from us calls
        C{retry} then.
        """
        return self._phase is CONNECTING and (
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


_settingsOf = attrgetter(*_SETTINGS)

# What they are if they are not given is said once, by the constructor.
for _name in _SETTINGS:
    setattr(
        ClientTCPFactory, _name, signature(ClientTCPFactory).parameters[_name].default
    )
