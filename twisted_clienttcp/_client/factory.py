"""
The client as users see it: the constructor, methods and flags.

The factory itself has no state. It forwards calls to the parts of its L{Driver}, where
a request becomes an input of the L{lifecycle<twisted_clienttcp._client.lifecycle>}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, NoReturn, SupportsIndex, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
    IPushProducer,
    IReactorTime,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from .. import _validators
from .._connecting.proxies import Proxy
from .._connecting.resolving import State
from .._connecting.target import DESTINATION
from .._connection.disconnection import Disconnection
from .._connection.inbound import Hold
from .._connection.negotiation import Negotiation
from .._connection.protocol import Connection
from .._connection.queue import (
    Marks,
)
from .._connection.server import ClientTCPProtocol
from .._connection.tcp import KeepAlive
from .._connection.wirelog import WireLog
from .._stats import Stats
from ..errors import (
    NotConnectedError,
)
from ..framing._base import Record
from ..framing._building import FramingSpec, freshFraming
from ..retry import Policy
from .callbacks import Function, checked
from .constructor import constructor
from .driver import Driver
from .events import Events, Session
from .handler import rejectMethods, withMethods
from .lifecycle import CONNECTING, IDLE, STOPPED, WAITING, Phase
from .reporting import destinationOf, nextDestinationOf, triedBy
from .settings import (
    LINE,
    SESSION,
    Endpoint,
    EventMethods,
    Settings,
    moveTo,
    newSession,
    nextTarget,
    store,
    storeMarks,
)

_Client = TypeVar("_Client", bound="ClientTCPFactory")


@implementer(IProtocolFactory, IConsumer, IPushProducer)
class ClientTCPFactory(Settings):
    """
    A TCP client made of callbacks (POE::Component::Client::TCP).

    The first argument of every callback is the client, this object. The order of the
    callbacks is::

        started -> ( attempt -> preConnect -> connected
                     -> any of serverInput, serverFlushed, serverHigh and serverLow
                     -> serverError? -> disconnected )* -> stopped

    An attempt that does not reach C{connected} calls only C{connectError}. If a
    callback raises an exception, it is logged, C{serverError} is called with a
    L{CallbackError<twisted_clienttcp.errors.CallbackError>}, and the connection is
    dropped. The client then continues as after any loss. If C{preConnect} raises an
    exception, C{connectError} is called.

    There are three ways to run a client:

      - C{client.start()}: everything works as described here.
      - C{reactor.connectTCP(host, port, client)}, C{connectSSL}, C{connectUNIX}: the
        same, but the connector determines the address.
      - C{ClientService(endpoint, client)}: the service connects, retries and stops, and
        does not report this to the client. So C{started} and C{stopped} are not called,
        and C{connectError} is called only if TLS or C{preConnect} fails. C{connect} and
        C{reconnect} raise an exception. C{shutdown} ends the connection, but the
        service makes another one. Stopping the service does not flush the output;
        stopping a L{ClientTCPService<twisted_clienttcp.service.ClientTCPService>} does.

    All parameters except the callbacks can also be attributes of a subclass, or be
    assigned to a client later.

    @cvar noisy: whether Twisted logs that this factory starts and stops.
    @ivar batched: True if C{serverInput} is the callback C{serverInputBatch}.
    @ivar connector: the connector of the last attempt.
    @ivar continueTrying: 0 after C{stopTrying}, and otherwise 1.
    @ivar numPorts: the number of connectors that use this factory (Twisted counts
        them).
    @ivar serverInput: the callback for input, C{serverInput} or C{serverInputBatch}.
    """

    __slots__ = (
        "_driver",
        "_early",
        "_moved",
        "_output",
        "_parts",
        "_target",
        "batched",
        "serverInput",
    )

    noisy = False
    batched: bool
    serverInput: Callable[[Any, Any], object]

    # Subclasses may use these types, which are wider than ReconnectingClientFactory's.
    jitter: float | None
    maxDelay: float
    maxRetries: int | None

    _heap: Any = None

    #: False if a subclass overrides a method that connectors call (see L{Driver}).
    _direct = True

    def __init_subclass__(cls, **named: object) -> None:
        super().__init_subclass__(**named)
        rejectMethods(cls, ClientTCPFactory)
        cls._direct = all(
            getattr(cls, name) is getattr(ClientTCPFactory, name)
            for name in ("startedConnecting", "buildProtocol", "clientConnectionFailed")
        )

    @constructor(attributes=("heap",))
    def __init__(
        self: _Client,
        remoteAddress: str | bytes | None = None,
        remotePort: int | str | None = None,
        *,
        serverInput: Callable[[_Client, Record], object] | None = None,
        serverInputBatch: Callable[[_Client, list[Record]], object] | None = None,
        handler: object | None = None,
        endpoint: Endpoint | Iterable[Endpoint] | None = None,
        tls: IOpenSSLClientConnectionCreator | bool | None = None,
        domain: int | None = None,
        bindAddress: str | bytes | None = None,
        bindPort: int | str | None = None,
        socketOptions: Sequence[tuple[int, int, int | bytes]] | None = None,
        proxy: str | Proxy | Iterable[str | Proxy] | None = None,
        connectTimeout: float = 30.0,
        framing: FramingSpec[Record] | None = LINE,
        autoReconnect: bool = True,
        retryPolicy: Policy | None = None,
        initialDelay: float = 1.0,
        maxDelay: float = 60.0,
        factor: float = 2.0,
        jitter: float | None = 1.0,
        maxRetries: int | None = None,
        stableAfter: float = 10.0,
        maxAge: float | None = None,
        failBack: float | None = None,
        keepAlive: KeepAlive = True,
        unacknowledgedTimeout: float | None = None,
        idleTimeout: float | None = None,
        heartbeat: tuple[float, object] | None = None,
        keepTalking: tuple[float, object] | None = None,
        drainTimeout: float = 60.0,
        lingerTimeout: float = 30.0,
        halfClose: bool = True,
        shutdownOnError: bool = True,
        highMark: int | None = None,
        lowMark: int | None = None,
        outputLimit: int | None = None,
        offlineLimit: int = 0,
        noDelay: bool = True,
        started: Callable[..., object] | None = None,
        args: Iterable[object] | None = (),
        preConnect: Callable[[_Client, Negotiation], object] | None = None,
        connected: Callable[[_Client, IAddress], object] | None = None,
        connectError: Callable[[_Client, Failure], object] | None = None,
        serverError: Callable[[_Client, Failure], object] | None = None,
        serverFlushed: Callable[[_Client], object] | None = None,
        serverHigh: Callable[[_Client], object] | None = None,
        serverLow: Callable[[_Client], object] | None = None,
        disconnected: Callable[[_Client, Disconnection], object] | None = None,
        stopped: Callable[[_Client, Failure | None], object] | None = None,
        alias: str | None = None,
        inlineStates: dict[str, Callable[..., object]] | None = None,
        objectStates: Sequence[tuple[object, EventMethods]] = (),
        packageStates: Sequence[tuple[object, EventMethods]] = (),
        sessionType: type[Session] = Session,
        sessionParams: dict[str, Any] | None = None,
        reactor: Any = None,
        clock: IReactorTime | None = None,
        wireLog: WireLog | None = None,
    ) -> None:
        """
        The first two parameters can be passed by position, all others only by name. All
        except the callbacks are settings, which can also be attributes of a subclass,
        or be assigned to the client later. The page I{Parameters} of the documentation
        lists the settings by subject.

        @param serverInput: C{serverInput(client, record)}: called for each record that
            is received (POE: ServerInput). It may return a Deferred or be a coroutine
            function: then the next record is delivered when the result has arrived. If
            more than 64 KiB are waiting, the client stops reading. Required, unless
            C{serverInputBatch} is passed.
        @param serverInputBatch: C{serverInputBatch(client, records)}: called instead of
            C{serverInput}, with a list of all the records that one read completed.
        @param handler: an object whose methods are callbacks: each method with the name
            of a callback is used like the parameter of that name. Other methods are
            ignored, unless the name is probably a mistake: a misspelt callback
            (C{server_input}, C{conected}), or an event of another library
            (C{onConnect}) for which there is no callback. Such methods are rejected. A
            subclass of this class cannot define callbacks as its own methods.
        @param started: C{started(client, *args)}: called once per start, before the
            first attempt (POE: Started).
        @param preConnect: C{preConnect(client, negotiation)}: called when there is a
            transport (POE: PreConnect). To accept the connection, it must return a true
            value, or a Deferred or coroutine with such a result. See
            L{Negotiation<twisted_clienttcp.Negotiation>}.
        @param connected: C{connected(client, peer)}: the connection can be used (POE:
            Connected). C{peer} is the peer's C{IAddress}.
        @param connectError: C{connectError(client, failure)}: an attempt did not reach
            C{connected} (POE: ConnectError). C{client.connector.getDestination()} is
            its address; if a name has several addresses, C{client.tried} has the
            failure of each. Without this callback, failures are logged as warnings. If
            no log observer is running, the first such warning of the process is also
            printed to standard error.
        @param serverError: C{serverError(client, failure)}: the connection ends without
            a request of yours, or an error has happened after which it continues (POE:
            ServerError). For a clean end of stream, the failure is a
            L{ConnectionDone<twisted.internet.error.ConnectionDone>}. Without this
            callback, failures are logged as for C{connectError}, but a clean end is not
            printed.
        @param serverFlushed: C{serverFlushed(client)}: the kernel has accepted every
            byte that was put (POE: ServerFlushed).
        @param serverHigh: C{serverHigh(client)}: the pending output has reached
            C{highMark} (POE: ServerHigh).
        @param serverLow: C{serverLow(client)}: after C{serverHigh}, the pending output
            has fallen to C{lowMark} (POE: ServerLow).
        @param disconnected: C{disconnected(client, disconnection)}: called exactly once
            for each C{connected}; see L{Disconnection<twisted_clienttcp.Disconnection>}
            (POE: Disconnected).
        @param stopped: C{stopped(client, failure)}: the client has stopped. This is the
            last callback. The failure is the reason why the client gave up, the
            argument of C{stop}, or the reason why C{shutdown} or C{abort} did not send
            everything. It is None if the client stopped on request, or at a clean end
            of stream, and everything was sent.

        @raise TypeError: if a parameter is missing, unknown or has the wrong type; or
            if a callback is given both as a parameter and by the handler.
        @raise ValueError: if a parameter is out of range.
        @raise ImportError: if a parameter needs an extra that is not installed.
        """
        given: dict[str, Function | None] = {
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
            given = withMethods(handler, given, ClientTCPFactory)
        functions = checked(given, self.args or (), self.marks.given)
        self.batched = "serverInputBatch" in functions
        name = "serverInputBatch" if self.batched else "serverInput"
        store(self, "serverInput", functions[name])
        session = newSession(self) if self._sets(SESSION) else None
        self._driver = Driver(self, functions, self._direct)
        self._parts = self._driver.parts
        self._output = self._parts.output
        if session is not None:
            self._driver.attachSession(session)

    def __repr__(self) -> str:
        isIdle = self._phase in (IDLE, WAITING, STOPPED)
        destination = nextDestinationOf(self) if isIdle else destinationOf(self)
        return f"<{type(self).__name__} {destination} {self._phase.value}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """
        Refuse to be copied or pickled.
        """
        raise TypeError(
            "a client cannot be pickled or copied, because it holds a connection, "
            "timers and callbacks; create another client with the same parameters"
        )

    # -- attributes

    @property
    def heap(self) -> Any:
        """
        A namespace for data that callbacks share (POE: the heap).
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
        True if C{connected} has been called for the current connection, and the
        connection is neither lost nor being closed (POE: heap connected).
        """
        return self._parts.isConnected

    @property
    def shuttingDown(self) -> bool:
        """
        True if the client is stopping or has stopped (POE: heap shutdown).
        """
        return self._parts.lifecycle.stopping

    @property
    def server(self) -> ClientTCPProtocol | None:
        """
        The current connection, from the call of C{connected} to that of
        C{disconnected}; otherwise None (POE: heap server).
        """
        return self._parts.server

    @property
    def tried(self) -> dict[IAddress, Failure | State]:
        """
        The addresses that the last attempt tried, in order, each with its result: a
        C{Failure}; C{"connecting"} if it has not answered yet; C{"connected"} if it
        answered first; or C{"abandoned"} if the attempt ended before it answered. Empty
        for endpoint objects, C{connectTCP} and C{ClientService}.
        """
        return triedBy(self)

    @property
    def pendingBytes(self) -> int:
        """
        The number of bytes that were put and that the kernel has not accepted yet,
        including those that wait for a connection (POE: get_driver_out_octets). It is
        an upper bound, which is too high by at most one chunk (64 KiB).
        """
        return self._output.pending

    @property
    def stats(self) -> Stats:
        """
        A copy of the client's current statistics.
        """
        return self._parts.stats()

    @property
    def delay(self) -> float:
        """
        The last wait before an attempt in seconds; C{initialDelay} before the first.
        """
        return self._parts.retries.delay

    @delay.setter
    def delay(self, delay: float) -> None:
        self._parts.retries.delay = delay

    @property
    def retries(self) -> int:
        """
        The number of failures in a row.
        """
        return self._parts.retries.count

    @retries.setter
    def retries(self, retries: int) -> None:
        self._parts.retries.count = retries

    @property
    def _phase(self) -> Phase:
        return self._parts.lifecycle.phase

    def _changing(self, name: str, value: object) -> None:
        """
        Check whether a setting can be changed now.
        """
        if name in DESTINATION and name != "tls":
            self._driver.attempts.mustBeMovable(f"setting {name}")
        elif name == "args" and isinstance(value, tuple):
            started = self._parts.functions.get("started")
            _validators.callback("started", started, ("client", *map(repr, value)))

    def _changed(self, name: str) -> None:
        """
        Apply a setting that takes effect immediately.
        """
        if name == "framing":
            self._output.setFraming(self.framing)
        elif name in ("offlineLimit", "outputLimit"):
            self._driver.connections.limitsChanged()

    # -- methods

    def start(self) -> Deferred[None]:
        """
        Start the client: call C{started}, and connect. If the client is running, do
        nothing. (If an endpoint connects or fails immediately, the callbacks for this
        are called before this method returns.)

        @return: see L{whenStopped}.

        @raise ValueError: if there is nothing to connect to.
        @raise TypeError: if C{remoteAddress} was set without C{remotePort}, or
            C{remotePort} without C{remoteAddress}.
        @raise RuntimeError: if the client is shutting down, or if a C{ClientService}
            drives it.
        @raise AliasInUse: if another running client has the C{alias}.
        """
        self._driver.start()
        return self._driver.whenStopped()

    def connect(
        self, address: str | bytes | None = None, port: int | str | None = None
    ) -> None:
        """
        Abort the current connection, and connect again (POE: the connect event). An
        address or a port replaces the settings of the destination. If the client is not
        running, start it.

        @param address: the new C{remoteAddress}; None to keep the current one.
        @param port: the new C{remotePort}; None to keep the current one.

        @raise RuntimeError: if a C{ClientService} drives the client.
        @raise AliasInUse: if another running client has the C{alias}.
        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if an argument cannot be an address or a port; or if the
            client uses TLS because of an endpoint or C{connectSSL}, and would not use
            it with the new address.
        """
        if address is not None or port is not None:
            attempts = self._driver.attempts
            attempts.mustNotBeHosted("connect")
            attempts.mustBeMovable("connect() to another address")
            target = nextTarget(self).moved(address, port)
            attempts.mustHaveAlias()
            moveTo(self, target)
            attempts.isForeign = False
        self.reconnect()

    def reconnect(self, delay: float = 0, *, drain: bool = False) -> None:
        """
        Connect again (POE: the reconnect event). This cancels an attempt that is in
        progress, or aborts the current connection: C{disconnected} is called, with the
        number of lost bytes in C{unsent}. If the client is not running, start it:
        C{started} is called before the wait.

        @param delay: the seconds to wait before the attempt.
        @param drain: True to close the current connection in order: flush the output,
            for at most C{drainTimeout}; end our side; deliver the input
            until the peer ends its side, for at most C{lingerTimeout}; and only then
            call C{disconnected}. For TLS, and for servers that close the connection
            when our side ends, see C{halfClose}. Records that are put until the next
            C{connected}, or until the attempt fails, wait for the next connection, even
            without an C{offlineLimit}, and count toward C{outputLimit}. If a limit is
            reached, C{serverError} is called with a L{DrainTimeout
            <twisted_clienttcp.errors.DrainTimeout>} or a L{LingerTimeout
            <twisted_clienttcp.errors.LingerTimeout>}. If the connection is already
            being closed, that continues.

        @raise RuntimeError: if a C{ClientService} drives the client.
        @raise AliasInUse: if another running client has the C{alias}.
        @raise ValueError: if there is nothing to connect to, or the delay is negative.
        """
        seconds = _validators.delay("delay", delay)
        drains = _validators.flag("drain", drain)
        driver = self._driver
        driver.attempts.mustKnowDestination("reconnect")
        driver.attempts.claimAlias()
        driver.stopFailure = None
        self._parts.lifecycle.reconnect(seconds, drains)

    def shutdown(self) -> Deferred[Disconnection | None]:
        """
        Stop the client without losing output (POE: the shutdown event). The client does
        not call C{serverInput} again, flushes the output (for at most C{drainTimeout}),
        ends our side of the connection, and gives the peer time to end its side
        (C{lingerTimeout}). Then it calls C{disconnected} and C{stopped}.

        The client waits for events that are scheduled after this call, but not for
        those that were scheduled before. So a second call ends the wait for them.

        @return: a Deferred that fires when the client has stopped, with the
            L{Disconnection<twisted_clienttcp.Disconnection>}, or with None if
            C{connected} was not called. If a callback requests another attempt in the
            meantime, the Deferred fires when the connection has ended.
        """
        return self._driver.shutdown()

    def stop(self, failure: Failure) -> Deferred[Disconnection | None]:
        """
        Stop as L{shutdown} does, because of a failure: C{stopped} is called with it,
        and the Deferreds of C{start}, C{whenStopped} and C{whenConnected} fail with it.
        Of several calls before the client has stopped, the first one determines the
        failure. If the client has stopped already, do nothing.

        @param failure: why the client stops.

        @return: see L{shutdown}.

        @raise TypeError: if it is not a C{Failure}.
        """
        if not isinstance(failure, Failure):
            raise TypeError(f"stop() takes a Failure, not {failure!r}")
        driver = self._driver
        if self._phase not in (IDLE, STOPPED) and driver.stopFailure is None:
            driver.stopFailure = failure
        return self.shutdown()

    def abort(self) -> Deferred[Disconnection | None]:
        """
        Stop immediately, without flushing the output. C{Disconnection.unsent} counts
        the pending output, which is lost.

        @return: see L{shutdown}.
        """
        stopped = self.shutdown()
        connection = self._parts.connection
        if connection is not None and connection.transport is not None:
            connection.abort()
        return stopped

    def put(self, record: object) -> bool:
        """
        Send a record (POE: put of the wheel). Records put in one turn of the reactor
        are sent together. Without a connection, up to C{offlineLimit} bytes are kept
        for the next one.

        @param record: the record, of a type that the framing accepts.

        @return: True if the pending output has reached C{highMark}. Without marks,
            always False.

        @raise NotConnectedError: if there is no connection and no C{offlineLimit}, or
            the sending side of the connection is closed.
        @raise OutputFull: if the record would exceed C{outputLimit} or, without a
            connection, C{offlineLimit}.
        @raise TypeError: if the framing does not accept records of this type.
        @raise FramingError: if the framing cannot encode this record.
        """
        queue = self._output.queue
        data = queue.encode(record)
        queue.parts.append(data)
        queue.pending = pending = queue.pending + len(data)
        return pending >= queue.edge and queue.reached()

    def putMany(self, records: Iterable[object]) -> bool:
        """
        Send several records, in order. This is faster than a call of L{put} for each.
        If one of them cannot be encoded, none is sent.

        @param records: the records.

        @return: see L{put}.

        @raise TypeError: if C{records} is a single record, or not iterable.
        @raise Exception: see L{put}.
        """
        if isinstance(records, (bytes, bytearray, memoryview, str)):
            raise TypeError(
                f"putMany takes an iterable of records, not {records!r}: put() sends "
                "one record"
            )
        return self._output.queue.putMany(records)

    def write(self, data: bytes) -> None:
        """
        Send bytes unchanged, without the framing (C{IConsumer}).

        @param data: the bytes.

        @raise NotConnectedError: see L{put}.
        @raise OutputFull: see L{put}.
        @raise TypeError: if C{data} is not bytes.
        """
        self._output.queue.write(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Register a producer for the output (C{IConsumer}). It is paused at the high
        mark, resumed at the low mark, and stopped when the connection ends. C{shutdown}
        waits, for at most C{drainTimeout}, until the producer is unregistered. If the
        current connection, if there is one, would not send a record that is put now, as
        in a drain, the producer is stopped immediately.

        @param producer: an C{IPushProducer} or C{IPullProducer}.
        @param streaming: True for an C{IPushProducer}, False for an C{IPullProducer}.

        @raise RuntimeError: if a producer is registered already.
        """
        connection = self._parts.server
        if connection is not None and self._output.isSentBy(connection.outbound):
            connection.outbound.registerProducer(producer, streaming)
        else:
            producer.stopProducing()

    def unregisterProducer(self) -> None:
        """
        Unregister the producer (C{IConsumer}).
        """
        if self._parts.server is not None:
            self._parts.server.unregisterProducer()

    def setMarks(self, highMark: int | None, lowMark: int | None) -> None:
        """
        Change both marks, for this connection and all later ones. If the pending output
        is already at a new mark, C{serverHigh} or C{serverLow} is called.

        @param highMark: the high mark in bytes; None for no marks.
        @param lowMark: the low mark in bytes; None if C{highMark} is None.

        @raise TypeError: if only one of them is None, or one is not a number.
        @raise ValueError: unless 0 < lowMark < highMark.
        """
        marks = Marks(highMark, lowMark)
        storeMarks(self, marks)
        self._output.setMarks(marks)
        connection = self._parts.connection
        if connection is not None and connection.transport is not None:
            connection.outbound.setMarks(marks)

    def flushed(self) -> Deferred[None]:
        """
        Wait until the output has been flushed.

        @return: a Deferred that fires when the kernel has accepted every byte that was
            put; immediately if it already has. It fails with an L{OutputLost
            <twisted_clienttcp.errors.OutputLost>} if bytes are lost.
        """
        return self._parts.flushed()

    def _live(self, call: str) -> Connection:
        connection = self._parts.server
        if connection is None:
            raise NotConnectedError(
                f"{call}() needs a connection: start() the client, and call it in "
                "connected() or later, or after whenConnected(); in preConnect, use "
                "the negotiation"
            )
        return connection

    def loseWriteConnection(self) -> None:
        """
        Flush the output, end our side of the connection, and continue to read (POE:
        shutdown_output of the wheel). The connection ends when the peer ends its side,
        or when L{shutdown} is called.

        @raise NotConnectedError: if there is no connection.
        @raise RuntimeError: if the transport cannot close only its sending side. TLS
            cannot.
        """
        connection = self._live("loseWriteConnection")
        self._driver.connections.sendOffline(connection)
        connection.loseWriteConnection()

    def setFraming(self, framing: FramingSpec[Any]) -> None:
        """
        Use another framing for this connection, from the next record on, in both
        directions (POE: set_filter of the wheel). The new framing decodes all bytes
        after the last delivered record. The records in these bytes are delivered when
        the current callback has returned.

        @param framing: a value of the setting C{framing}.

        @raise NotConnectedError: if there is no connection.
        @raise TypeError: if it is not a framing.
        """
        connection = self._live("setFraming")
        if framing is connection.inputFraming:
            built = connection.inputFraming
        else:
            built = freshFraming(framing)
            connection.setInputFraming(built)
        connection.setOutputFraming(built)

    def setInputFraming(self, framing: FramingSpec[Any]) -> None:
        """
        Like L{setFraming}, for input only (POE: set_input_filter).

        @param framing: see L{setFraming}.

        @raise Exception: see L{setFraming}.
        """
        connection = self._live("setInputFraming")
        if framing is not connection.inputFraming:
            connection.setInputFraming(freshFraming(framing))

    def setOutputFraming(self, framing: FramingSpec[Any]) -> None:
        """
        Like L{setFraming}, for output only (POE: set_output_filter). Records that have
        been put already are not encoded again.

        @param framing: see L{setFraming}.

        @raise Exception: see L{setFraming}.
        """
        connection = self._live("setOutputFraming")
        connection.setOutputFraming(freshFraming(framing))

    def pauseProducing(self) -> None:
        """
        Stop delivering records, and reading from the connection, until
        L{resumeProducing} is called (POE: pause_input of the wheel). In the meantime, a
        loss of the connection is noticed only if something is written. Without a
        connection, do nothing.

        To pass the records to a consumer, register C{client.server} with it. The
        consumer's pauses and these are independent.
        """
        if self._parts.server is not None:
            self._parts.server.reading.hold(Hold.USER)

    def resumeProducing(self) -> None:
        """
        Deliver the held records, and continue to read (POE: resume_input of the wheel).
        """
        if self._parts.server is not None:
            self._parts.server.reading.release(Hold.USER)

    def stopProducing(self) -> None:
        """
        Stop, like L{shutdown} (C{IPushProducer}).
        """
        self.shutdown()

    # -- named events

    def post(self, event: str, *args: object) -> None:
        """
        Call the handler of an event in the next turn of the reactor, after those posted
        before (POE: yield). C{connect}, C{reconnect} and C{shutdown} are events too.

        A client that gives up does not stop while events are pending, because their
        handlers may request another attempt. After L{shutdown}, it waits only for
        posted events, and for events that were scheduled since then. When it stops, it
        cancels all others.

        @param event: the name of the event.
        @param args: arguments for the handler, which follow the client.

        @raise UnknownEvent: if the event has no handler.
        """
        self._events.post(event, *args)

    def call(self, event: str, *args: object) -> object:
        """
        Call the handler of an event now (POE: call).

        @param event: the name of the event.
        @param args: arguments for the handler, which follow the client.

        @return: the result of the handler.

        @raise UnknownEvent: if the event has no handler.
        """
        return self._driver.callEvent(self._events, event, *args)

    def postLater(self, seconds: float, event: str, *args: object) -> IDelayedCall:
        """
        Call the handler of an event after some seconds (POE: delay). When the client
        stops, scheduled events are cancelled.

        @param seconds: the seconds to wait.
        @param event: the name of the event.
        @param args: arguments for the handler, which follow the client.

        @return: the call, which can be postponed or cancelled.

        @raise UnknownEvent: if the event has no handler.
        @raise ValueError: if the seconds are negative.
        """
        delay = _validators.delay("seconds", seconds)
        later: IDelayedCall = self._events.postLater(delay, event, *args)
        return later

    @property
    def _events(self) -> Events:
        if self._parts.events is None:
            return self._driver.attachSession(newSession(self))
        return self._parts.events

    def whenConnected(
        self, failAfterFailures: int | None = None
    ) -> Deferred[ClientTCPProtocol]:
        """
        Wait for a connection.

        @param failAfterFailures: the number of failed attempts from now on (with
            several endpoints, of rounds) after which the Deferred fails; None for no
            limit. The client continues in any case. (C{ClientService} has the same
            parameter. If one drives the client, only failures of TLS and C{preConnect}
            count.)

        @return: a Deferred that fires with the connection when C{connected} has
            returned; immediately if there is a connection. After C{failAfterFailures}
            failures, it fails with the last one. If the client stops first, it fails
            with the reason or, without one, with a L{NotConnectedError
            <twisted_clienttcp.errors.NotConnectedError>}.

        @raise TypeError: if C{failAfterFailures} is not a whole number.
        @raise ValueError: if it is less than 1.
        """
        if failAfterFailures is not None:
            _validators.count("failAfterFailures", failAfterFailures, 1)
        return self._driver.whenConnected(failAfterFailures)

    def whenStopped(self) -> Deferred[None]:
        """
        Wait until the client has stopped.

        @return: a Deferred that fires with None when the client has stopped, or fails
            with the failure that C{stopped} gets; immediately if it has already
            stopped. While a C{ClientService} drives the client, it never fires.
        """
        return self._driver.whenStopped()

    # -- the methods of ReconnectingClientFactory

    def startedConnecting(self, connector: Any) -> None:
        """
        Note that a connector has begun an attempt.

        @param connector: the connector.
        """
        self._driver.attempts.startedConnecting(connector)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        Create the connection of an attempt that has succeeded.

        @param addr: the address of the peer; None if it is unknown.

        @return: the new connection, or the TLS protocol below it; None if there is a
            connection already, or if none is wanted.
        """
        return self._driver.connections.build(addr)

    def clientConnectionFailed(self, connector: Any, reason: Failure | None) -> None:
        """
        Note that an attempt has failed.

        @param connector: the connector that has made it.
        @param reason: the reason; None if it is unknown.
        """
        self._driver.attempts.clientConnectionFailed(connector, reason)

    def clientConnectionLost(self, connector: Any, reason: Failure | None) -> None:
        """
        Note that a connector has lost its connection, which the connection itself has
        already reported.

        @param connector: the connector that has made it.
        @param reason: the reason; None if it is unknown.
        """
        if self._parts.lifecycle.phase in (IDLE, STOPPED, CONNECTING):
            self._driver.attempts.clientConnectionLost(connector, reason)

    def resetDelay(self) -> None:
        """
        Reset the delay and the count of failures. A connection that has lasted for
        C{stableAfter} seconds does the same. This does not end a wait, or start a
        client that has stopped.
        """
        self._parts.retries.reset()

    def stopTrying(self) -> None:
        """
        Make no more attempts. The client stops now or, if there is a connection, when
        it is lost. A later call of L{connect} or L{reconnect} makes one attempt.
        """
        self.continueTrying = 0
        self._driver.stopTrying()

    def retry(self, connector: Any = None) -> None:
        """
        Make another attempt, as L{reconnect} does, after the delay that the policy
        returns. Do nothing if an attempt has begun or will follow anyway, or if the
        client is stopping or has stopped.

        @param connector: the connector to use from now on.

        @raise RuntimeError: if a C{ClientService} drives the client.
        @raise AliasInUse: if another running client has the C{alias}.
        @raise ValueError: if there is nothing to connect to.
        """
        delay = self._driver.retry(connector)
        if delay is not None:
            self.reconnect(delay)
