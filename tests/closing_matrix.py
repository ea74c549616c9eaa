"""
A matrix of ways in which a connection ends: transports, peers, sizes of the output, and
calls in callbacks.

The peer of each case is a script with blocking sockets in a thread, which counts the
bytes that it reads. L{Run} plays one case with a real client, and L{problems} compares
the claims of the client with what the peer has read and what the kernel has accepted.
"""

from __future__ import annotations

import socket
import ssl
import struct
from asyncio import CancelledError as AsyncioCancelled
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from threading import Event, Thread
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from twisted_clienttcp import ClientTCPFactory, resolve
from twisted_clienttcp._connection import closing
from twisted_clienttcp.errors import NotConnectedError, UnknownAlias

from ._peers import CountingSocket
from ._support import CHUNK, reactor

TRANSPORTS = ("tcp", "unix", "tls")

#: The number of bytes that are put: few; more than a chunk; more than any buffer holds.
SIZES = (10, 150_000, 2_000_000)

#: A record that is put while a connection drains.
LATE_RECORD = b"late\r\n"

#: The seconds for which a client waits for a peer that does not do its part.
SHORT = 0.2

#: The seconds of silence after which a drain ends, if the peer could hang up. This is
#: not a setting.
SILENCE = 0.1


#: The seconds after which a client that should have stopped has failed.
LONG = 20


class ScriptedPeer:
    """
    The peer's end of one connection.

    @ivar read: how many bytes it has read.
    @ivar said: what it has sent.
    @ivar expected: how many bytes the client has put, or will put.
    """

    def __init__(self, run: Run, connection: socket.socket, expected: int) -> None:
        self._run = run
        self.connection = connection
        self.read = 0
        self.said = b""
        self.expected = expected

    def say(self, data: bytes) -> None:
        self.said += data
        self.connection.sendall(data)

    def take(self, count: int) -> bool:
        """
        Read until C{count} bytes have been read in all.

        @return: False if the client has ended its side before.
        """
        while self.read < count:
            data = self.connection.recv(65536)
            if not data:
                return False
            self.read += len(data)
        return True

    def takeAll(self, whenRead: Callable[[], None] = lambda: None) -> None:
        """
        Read until the client ends its side.
        """
        if self.take(self.expected):
            self._run.proceed()
        while self.take(self.read + 1):
            whenRead()

    def end(self) -> None:
        """
        End the peer's side. TLS has no half-close: the end of the TCP stream follows no
        close_notify.
        """
        self.connection.shutdown(socket.SHUT_WR)

    def proceed(self) -> None:
        """
        Let the client close the connection, unless it has.
        """
        self._run.proceed()

    def waitForCall(self) -> None:
        """
        Wait until the client closes the connection, or has put everything.
        """
        self._run.called.wait(LONG)

    def waitForEnd(self) -> None:
        """
        Wait until the client has stopped.
        """
        if not self._run.stopped.wait(LONG):
            self._run.events.insert(0, "timeout")

    def reset(self) -> None:
        """
        Send a reset; a UNIX socket is closed.
        """
        plain = self.connection
        if plain.family != socket.AF_UNIX:
            linger = struct.pack("ii", 1, 0)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()

    def close(self) -> None:
        if isinstance(self.connection, ssl.SSLSocket):
            # Without this, the descriptor is closed only when the object is freed.
            self.connection = socket.socket(fileno=self.connection.detach())
        self.connection.close()

    def notifyClose(self) -> None:
        """
        Under TLS, send a close_notify.
        """
        if isinstance(self.connection, ssl.SSLSocket):
            try:
                self.connection.unwrap()
            except OSError:
                # The client does not wait for the answer.
                pass


Script = Callable[[ScriptedPeer], None]


def reads(peer: ScriptedPeer) -> None:
    """
    Reads everything, then ends its side.
    """
    peer.takeAll()
    peer.notifyClose()


def talks(peer: ScriptedPeer) -> None:
    """
    Sends data all the time while it reads.
    """
    peer.takeAll(whenRead=partial(peer.say, b"talk\r\n" * 20))
    peer.notifyClose()


def endsFirst(peer: ScriptedPeer) -> None:
    """
    Ends its side before it reads everything.
    """
    peer.end()
    peer.proceed()
    peer.takeAll()


def endsUnread(peer: ScriptedPeer) -> None:
    """
    Ends its side without having read anything, and does nothing more until the client
    has stopped; then resets the connection.
    """
    peer.proceed()
    peer.waitForCall()
    peer.end()
    peer.waitForEnd()
    peer.reset()


def endsUnreadAndResets(peer: ScriptedPeer) -> None:
    """
    Ends its side without having read anything, and resets the connection immediately.
    """
    peer.proceed()
    peer.waitForCall()
    peer.end()
    peer.reset()


def resetsHalfway(peer: ScriptedPeer) -> None:
    """
    Reads a half, then resets the connection.
    """
    peer.take(peer.expected // 2)
    peer.reset()


def resets(peer: ScriptedPeer) -> None:
    """
    Resets the connection at once.
    """
    peer.reset()


def closesUnread(peer: ScriptedPeer) -> None:
    """
    Closes without having read: the kernel sends a reset if anything was unread.
    """
    peer.proceed()
    peer.waitForCall()


def isSilent(peer: ScriptedPeer) -> None:
    """
    Neither reads nor ends its side until the client has stopped.
    """
    peer.proceed()
    peer.waitForEnd()


def neverEnds(peer: ScriptedPeer) -> None:
    """
    Reads everything, and does not end its side until the client has stopped.
    """
    peer.takeAll()
    peer.waitForEnd()


PEERS: tuple[Script, ...] = (
    reads,
    talks,
    endsFirst,
    endsUnread,
    endsUnreadAndResets,
    resetsHalfway,
    resets,
    closesUnread,
    isSilent,
    neverEnds,
)

#: The peers that read everything and then end their side.
HONEST = (reads, talks)

#: Those that read all that the client sends.
READERS = (*HONEST, endsFirst, neverEnds)

#: Those that a client must not wait for without a bound.
LATE = (endsUnread, isSilent, neverEnds)


#: A call, of which the result is the result of the callback that makes it.
Call = Callable[[ClientTCPFactory], object]


class Unusual(BaseException):
    """
    An exception that is not an C{Exception}.
    """


def raising(kind: type[BaseException]) -> Call:
    def call(client: ClientTCPFactory) -> object:
        raise kind("the reason")

    call.__name__ = f"raise {kind.__name__}"
    return call


def nothing(client: ClientTCPFactory) -> None:
    pass


def shutdown(client: ClientTCPFactory) -> None:
    client.shutdown()


def shutdownTwice(client: ClientTCPFactory) -> None:
    client.shutdown()
    client.shutdown()


def abort(client: ClientTCPFactory) -> None:
    client.abort()


def reconnect(client: ClientTCPFactory) -> None:
    client.reconnect()


def drain(client: ClientTCPFactory) -> None:
    client.reconnect(drain=True)


def drainAndPut(client: ClientTCPFactory) -> None:
    """
    The record is sent on the connection that follows, or reported as lost.
    """
    client.reconnect(drain=True)
    try:
        client.write(LATE_RECORD)
    except NotConnectedError:
        # There is no connection that drains, but perhaps one that is lost.
        return
    client.heap.late = len(LATE_RECORD)


def drainAndShutdown(client: ClientTCPFactory) -> None:
    client.reconnect(drain=True)
    client.shutdown()


def reconnectAndShutdown(client: ClientTCPFactory) -> None:
    client.reconnect()
    client.shutdown()


def stopTrying(client: ClientTCPFactory) -> None:
    client.stopTrying()


def pause(client: ClientTCPFactory) -> None:
    client.pauseProducing()


def pauseAndShutdown(client: ClientTCPFactory) -> None:
    client.pauseProducing()
    client.shutdown()


def endSending(client: ClientTCPFactory) -> None:
    """
    TLS has no half-close, and without a connection there is no side to end.
    """
    try:
        client.loseWriteConnection()
    except Exception:
        client.shutdown()


def loseTransport(client: ClientTCPFactory) -> None:
    """
    As in many programs: without looking at the result.
    """
    if client.server is not None:
        client.server.transport.loseConnection()


def abortTransport(client: ClientTCPFactory) -> None:
    if client.server is not None:
        client.server.transport.abortConnection()


def awaitNothing(client: ClientTCPFactory) -> object:
    """
    A Deferred that never fires. C{serverInput} waits for it.
    """
    return Deferred()


def awaitFlush(client: ClientTCPFactory) -> object:
    return client.flushed()


CALLS: tuple[Call, ...] = (
    nothing,
    shutdown,
    shutdownTwice,
    abort,
    reconnect,
    reconnectAndShutdown,
    drain,
    drainAndPut,
    drainAndShutdown,
    stopTrying,
    pause,
    pauseAndShutdown,
    endSending,
    loseTransport,
    abortTransport,
    awaitNothing,
    awaitFlush,
    *map(
        raising,
        (
            ZeroDivisionError,
            CancelledError,
            AsyncioCancelled,
            SystemExit,
            KeyboardInterrupt,
            GeneratorExit,
            Unusual,
        ),
    ),
)

#: The calls that drain the connection.
DRAINING = (drain, drainAndPut)

#: The calls after which the client may start again.
AGAIN = (reconnect, reconnectAndShutdown, *DRAINING, drainAndShutdown)

#: The calls after which an honest peer gets all, and the client knows it.
ORDERLY = (nothing, shutdown, shutdownTwice)

#: Where the call is made: in a callback, in a method of a producer, or in none.
PLACES = (
    "started",
    "preConnect",
    "connected",
    "serverInput",
    "serverError",
    "serverFlushed",
    "serverHigh",
    "serverLow",
    "disconnected",
    "stopped",
    "pauseProducing",
    "resumeProducing",
    "stopProducing",
    "later",
)


@dataclass(frozen=True)
class Case:
    """
    One cell of the matrix.
    """

    transport: str
    peer: Script
    size: int
    place: str
    call: Call

    def __str__(self) -> str:
        return (
            f"{self.transport}, {self.size} bytes, peer {self.peer.__name__}, "
            f"{self.call.__name__} in {self.place}"
        )


def cases() -> list[Case]:
    """
    @return: all cells.
    """
    return [Case(*cell) for cell in product(TRANSPORTS, PEERS, SIZES, PLACES, CALLS)]


class Producer:
    """
    A push producer that has nothing to produce.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def pauseProducing(self) -> None:
        self._run.at("pauseProducing")

    def resumeProducing(self) -> None:
        self._run.at("resumeProducing")

    def stopProducing(self) -> None:
        self._run.at("stopProducing")


@dataclass
class Connection:
    """
    The events of one connection.

    @ivar put: how many bytes were put.
    @ivar sent: how many bytes the kernel has accepted, below TLS, call by call.
    @ivar delivered: how many records were delivered.
    @ivar end: the second argument of C{disconnected}.
    """

    put: int = 0
    delivered: int = 0
    sent: list[int] = field(default_factory=list)
    end: Any = None


class Run:
    """
    Plays one case.

    @ivar called: set when the call has been made.
    @ivar stopped: set when the client has stopped.
    """

    def __init__(
        self,
        case: Case,
        listening: socket.socket,
        address: dict[str, Any],
        tls: tuple[ssl.SSLContext, Any] | None,
    ) -> None:
        """
        @param listening: the server's socket.
        @param address: the parameters of the client that say where it connects to.
        @param tls: the server's context and the client's options.
        """
        self.case = case
        self.events: list[str] = []
        self.connections: list[Connection] = []
        self.peers: list[ScriptedPeer] = []
        self.called = Event()
        self.stopped = Event()
        self.waiting: list[Deferred[Any]] = []
        self.outcome: Failure | None = None
        self._made = False
        #: The connection that the call drains.
        self._drained: Connection | None = None
        self._isProducing = False
        self._over: Deferred[None] = Deferred()
        self._listening = listening
        self._context = None if tls is None else tls[0]
        self._thread = Thread(target=self._serve, daemon=True)
        late = case.peer in LATE or case.call is awaitNothing
        callbacks: dict[str, Any] = {
            name: partial(self._callback, name)
            for name in (
                "started",
                "serverError",
                "serverFlushed",
                "serverHigh",
                "serverLow",
                "serverInput",
            )
        }
        self.client = ClientTCPFactory(
            **address,
            **callbacks,
            preConnect=self._preConnect,
            connected=self._connected,
            disconnected=self._disconnected,
            stopped=self._stopped,
            connectError=lambda client, failure: self.events.append("connectError"),
            tls=None if tls is None else tls[1],
            autoReconnect=False,
            alias="closing matrix",
            highMark=1000,
            lowMark=500,
            drainTimeout=SHORT if late else LONG,
            lingerTimeout=SHORT if late else LONG,
        )

    async def play(self) -> None:
        """
        Play the case, until the client has stopped and the peer has ended.
        """
        silence, closing.LINGER_SILENCE = closing.LINGER_SILENCE, SILENCE
        try:
            await self._play()
        finally:
            closing.LINGER_SILENCE = silence

    async def _play(self) -> None:
        self._thread.start()
        self.waiting += [
            waiting.addBoth(self._fired)
            for waiting in (self.client.whenConnected(), self.client.whenStopped())
        ]
        # An error that is not an Exception is raised to the reactor.
        reactor.callLater(0, self._start)
        try:
            await self._over.addTimeout(LONG, reactor)
        except TimeoutError:
            self.events.append("timeout")
            self.client.abort()
        await self._ended()

    def _start(self) -> None:
        self.client.start().addErrback(self._fired)

    def _fired(self, result: object) -> None:
        """
        The result of a Deferred does not matter, only that it has one.
        """

    async def _ended(self) -> None:
        """
        The server accepts no more connections, and each of its scripts has ended.
        """
        self.stopped.set()
        self.called.set()
        # Wakes accept().
        self._listening.shutdown(socket.SHUT_RDWR)
        await _joined(self._thread)

    # -- the peer's side, in a thread

    def _serve(self) -> None:
        threads = []
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                break
            thread = Thread(target=self._talk, args=(connection,), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join(LONG)

    def _talk(self, connection: socket.socket) -> None:
        first = not self.peers
        peer = ScriptedPeer(self, connection, self.case.size if first else 0)
        self.peers.append(peer)
        try:
            if self._context is not None:
                secured = self._context.wrap_socket(connection, server_side=True)
                peer.connection = secured
            peer.say(b"hello\r\nagain\r\n")
            (self.case.peer if first else reads)(peer)
        except OSError:
            # The client has aborted the connection.
            pass
        finally:
            peer.close()
            # A client whose connection has been lost still stops.
            self.proceed()

    def proceed(self) -> None:
        """
        Let the client end the connection, if nothing has made it do so.
        """
        reactor.callFromThread(self._proceed)

    # -- the client's side

    def _proceed(self) -> None:
        if self._over.called:
            return
        try:
            self.at("later")
        finally:
            self._unregister()
            if not self._drains:
                self._finish()

    @property
    def _drains(self) -> bool:
        """
        True if a connection drains, so that another one will follow.
        """
        return self._drained is not None and self._drained.end is None

    def _unregister(self) -> None:
        if self._isProducing:
            self._isProducing = False
            self.client.unregisterProducer()

    def _finish(self) -> None:
        if self.connections:
            self.client.shutdown()
            self.called.set()
        else:
            # The peer was faster than preConnect.
            reactor.callLater(0, self._proceed)

    def at(self, place: str) -> object:
        """
        Make the call, if this is its place, once.
        """
        if place != self.case.place or self._made:
            return None
        self._made = True
        if self.client.connected and self.case.call in DRAINING:
            self._drained = self.connections[-1]
        try:
            result = self.case.call(self.client)
        finally:
            self.called.set()
        if isinstance(result, Deferred) and place != "serverInput":
            # The client does not wait for it.
            result.addErrback(self._fired)
        return result

    def _callback(self, name: str, client: ClientTCPFactory, *args: Any) -> object:
        self.events.append(name)
        if name == "serverInput":
            self.connections[-1].delivered += 1
        return self.at(name)

    def _preConnect(self, client: ClientTCPFactory, negotiation: Any) -> bool:
        self.at("preConnect")
        return True

    def _connected(self, client: ClientTCPFactory, peer: Any) -> None:
        self.events.append("connected")
        connection = Connection()
        self.connections.append(connection)
        transport: Any = client.server and client.server.transport
        # Below TLS.
        transport = getattr(transport, "transport", transport)
        transport.socket = CountingSocket(transport.socket, connection.sent)
        if len(self.connections) == 1:
            self.waiting.append(client.flushed().addBoth(self._fired))
            if self.case.place.endswith("Producing"):
                self._isProducing = True
                client.registerProducer(Producer(self), True)
            connection.put = self.case.size
            client.write(b"x" * self.case.size)
            self.waiting.append(client.flushed().addBoth(self._fired))
        self.at("connected")

    def _disconnected(self, client: ClientTCPFactory, end: Any) -> None:
        self.events.append("disconnected")
        self.connections[-1].end = end
        self.at("disconnected")

    def _stopped(self, client: ClientTCPFactory, failure: Failure | None) -> None:
        self.events.append("stopped")
        self.outcome = failure
        try:
            self.at("stopped")
        finally:
            # The call may have started the client again.
            client.whenStopped().addBoth(self._ends)

    def _ends(self, result: object) -> None:
        if not self._over.called:
            self._over.callback(None)


def _joined(thread: Thread) -> Deferred[None]:
    """
    @return: a Deferred that fires when the thread has ended.
    """
    joined: Deferred[None] = Deferred()

    def join() -> None:
        thread.join(LONG)
        reactor.callFromThread(joined.callback, None)

    Thread(target=join, daemon=True).start()
    return joined


def problems(run: Run) -> list[str]:
    """
    @return: each claim of the client that is not true, and each promise not kept.
    """
    case, events = run.case, run.events
    found = []

    def check(holds: bool, what: str) -> None:
        if not holds:
            found.append(what)

    check(
        events.count("stopped") == 1 or case.call in AGAIN,
        "stopped is not called once",
    )
    check(events[-1:] == ["stopped"], "stopped is not last")
    check("timeout" not in events, "the client has not stopped by itself")
    check(
        events.count("connected") == events.count("disconnected"),
        "connected and disconnected are not called equally often",
    )
    check(all(waiting.called for waiting in run.waiting), "a Deferred has not fired")
    try:
        resolve("closing matrix")
    except UnknownAlias:
        pass
    else:
        found.append("the alias is still claimed")
    check(not run._thread.is_alive(), "the peer still has a connection")
    check(run.client.server is None, "client.server is still there")
    check(not run.client.connected, "client.connected is True")
    for connection in run.connections:
        if connection.end is not None:
            found += _untrue(case, connection)
    first = run.connections[0] if run.connections else None
    # If the first attempt did not reach connected, another peer read what was put.
    isScripted = len(run.connections) == len(run.peers)
    if first is not None and first.end is not None and isScripted:
        end, read = first.end, run.peers[0].read
        if case.peer in READERS:
            # Under TLS, endsFirst reads the ciphertext.
            isTrue = not end.confirmed or read >= first.put
        else:
            hasAll = not end.unsent and end.unacknowledged == 0
            isTrue = not hasAll or case.size < max(SIZES)
        check(isTrue, f"{end}, although the peer has read {read} bytes")
    if run.connections and run.connections[0].end is not None and case.call in ORDERLY:
        found += _disorderly(case, run, run.connections[0].end)
    if isScripted:
        found += _unaccounted(case, run)
    return found


def _unaccounted(case: Case, run: Run) -> list[str]:
    """
    @return: what was put, or sent by an honest peer of a connection that drained, and
        has neither arrived nor been reported as lost.
    """
    found: list[str] = []
    stats = run.client.stats
    late = getattr(run.client.heap, "late", 0)
    put = late + sum(connection.put for connection in run.connections)
    if stats.bytesOut != put:
        found.append(f"{put} bytes were put, and {stats.bytesOut} are counted")
    if stats.pendingBytes:
        found.append(f"{stats.pendingBytes} bytes are pending after the end")
    sent = sum(sum(connection.sent) for connection in run.connections)
    if put > sent + stats.unsentBytes:
        found.append(f"{put} bytes were put, {sent} sent and {stats.unsentBytes} lost")
    first = run.connections[0] if run.connections else None
    if first is None or first.end is None or case.peer not in HONEST:
        return found
    hasAll = not stats.unsentBytes and all(
        connection.end.confirmed for connection in run.connections
    )
    read = sum(peer.read for peer in run.peers)
    if hasAll and read != put:
        found.append(f"{put} bytes were put, and the peers have read {read}")
    drained = (
        run._made
        and case.call in DRAINING
        and case.place
        in (
            *("connected", "serverInput", "serverFlushed", "serverHigh", "serverLow"),
            *("pauseProducing", "resumeProducing", "later"),
        )
    )
    if drained and first.end.initiator == "local":
        lines = run.peers[0].said.count(b"\n")
        if first.delivered != lines:
            found.append(f"{lines} lines were sent, and {first.delivered} delivered")
        if type(first.end.failure.value) is not ConnectionDone:
            found.append(f"a drain has ended with {first.end}")
    return found


def _untrue(case: Case, connection: Connection) -> list[str]:
    """
    @return: what is wrong with the claims about one connection.
    """
    end, sent = connection.end, sum(connection.sent)
    found = []
    least = connection.put - sent
    if end.unsent < least:
        found.append(f"unsent is {end.unsent}, but at least {least} bytes are")
    most = connection.put if case.transport == "tls" else max(least, 0) + CHUNK
    if end.unsent > most:
        found.append(f"unsent is {end.unsent}, but at most {most} bytes are")
    if end.confirmed:
        if end.unsent:
            found.append("confirmed, although bytes are unsent")
        if end.unacknowledged != 0:
            found.append(f"confirmed, although unacknowledged={end.unacknowledged}")
    return found


def _disorderly(case: Case, run: Run, end: Any) -> list[str]:
    """
    @return: what is wrong with an end that both sides have wanted.
    """
    found: list[str] = []
    first = run.peers[0]
    inVain = case.peer not in HONEST or run.connections[0].put == 0
    if inVain:
        return found
    if first.read != case.size:
        found.append(f"the peer has read {first.read} of {case.size} bytes")
    if end.unsent or not end.confirmed or run.outcome is not None:
        found.append(f"{end} and stopped({run.outcome}) although the peer has read all")
    return found
