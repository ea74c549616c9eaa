"""
The client at work, with a server in the same process: a story each step of which is
checked.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import DeferredQueue
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from .. import ClientTCPFactory, _tls
from ..demo import Echo
from ..errors import TLSError
from ..framing import Line
from ..framing._buffer import InputBuffer
from .stdio import write

#: The line at which the server drops the connection.
DROP = b"please drop me"

#: The seconds for which the server does not read after each read.
PAUSE = 0.02

#: The seconds that a step may take.
PATIENCE = 4.0

#: The marks, in bytes, and the line that is put until the high one is reached.
HIGH = 256 * 1024
LOW = 64 * 1024
LINE = b"x" * 9_998

#: What is sent at the end: 2,000,000 bytes.
LAST_LINES = 20
LAST_LINE = b"x" * 99_998


class DemoFailed(Exception):
    """
    A step did not go as the story says.
    """


class EchoServer(Echo):
    """
    Echoes lines, but reads slowly. Its factory has the C{clock} to use, and its
    C{latest} is the latest connection.

    @ivar received: the number of bytes received.
    """

    received = 0
    _resuming: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """
        Become the factory's latest connection.
        """
        super().connectionMade()
        self._input = InputBuffer(Line())
        listener: Any = self.factory
        listener.latest = self

    def dataReceived(self, data: bytes) -> None:
        """
        Count, echo, and pause.
        """
        transport = self.transport
        listener: Any = self.factory
        self.received += len(data)
        self._input.append(data)
        while lines := self._input.decode():
            if lines == [DROP]:
                self.close()
                return
            transport.write(self._input.framing.encode(lines[0]))
        transport.pauseProducing()
        self._resuming = listener.clock.callLater(PAUSE, transport.resumeProducing)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Read no more.
        """
        if self._resuming is not None and self._resuming.active():
            self._resuming.cancel()


class _Story:
    """
    The events of a client, in order.
    """

    def __init__(self, reactor: Any, port: Any, **parameters: Any) -> None:
        self._reactor = reactor
        self._events: DeferredQueue[tuple[str, Any]] = DeferredQueue()
        names = "connected connectError serverInput serverError serverHigh serverLow"
        address = port.getHost()
        self.client = ClientTCPFactory(
            remoteAddress=address.host,
            remotePort=address.port,
            reactor=reactor,
            highMark=HIGH,
            lowMark=LOW,
            **{name: self._callback(name) for name in names.split()},
            disconnected=self._callback("disconnected"),
            **parameters,
        )
        self.client.initialDelay = 0.1

    def _callback(self, name: str) -> Any:
        return lambda client, value=None: self._events.put((name, value))

    async def expect(self, name: str, step: str) -> Any:
        """
        @return: what the callback C{name} was given, which must be the next called.

        @raise DemoFailed: if it is not.
        """
        got, value = await self.next(f"{step}: no {name}")
        if got != name:
            if isinstance(value, Failure):
                value = value.getErrorMessage()
            raise DemoFailed(f"{step}: {got} ({value}) came instead of {name}")
        return value

    async def next(self, otherwise: str) -> tuple[str, Any]:
        """
        @return: the next callback called, and what it was given.

        @raise DemoFailed: if there is none.
        """
        try:
            return await self._events.get().addTimeout(PATIENCE, self._reactor)
        except DeferredTimeout:
            raise DemoFailed(f"{otherwise} in {PATIENCE} seconds") from None

    async def exchange(self, line: bytes) -> None:
        """
        Send a line, and get it back.
        """
        self.client.put(line)
        echo = await self.expect("serverInput", "the exchange of lines")
        _check(echo == line, f"the exchange of lines: {line!r} came back as {echo!r}")
        _tell(f"  sent {line.decode()!r}, got {echo.decode()!r}")

    def start(self) -> None:
        """
        Begin. What becomes of it is told by the callbacks.
        """
        self.client.start().addErrback(lambda failure: None)

    async def stop(self) -> None:
        """
        Be at an end, whatever has happened.
        """
        await self.client.abort()


def _tell(text: str) -> None:
    # A print() would go to the log under twistd. If nobody reads it, the steps are
    # checked all the same.
    try:
        write(1, f"{text}\n")
    except OSError as error:
        raise DemoFailed(
            f"standard output cannot be written: {error.strerror}"
        ) from error


def _check(fact: bool, otherwise: str) -> None:
    if not fact:
        raise DemoFailed(otherwise)


async def demo(reactor: Any) -> None:
    """
    Play the story and tell it on standard output.

    @raise DemoFailed: if a step goes wrong; it says which.
    """
    listener: Any = Factory.forProtocol(EchoServer)
    listener.noisy = False
    listener.clock = reactor
    port = reactor.listenTCP(0, listener, interface="127.0.0.1")
    story = _Story(reactor, port)
    address = port.getHost()
    _tell(
        "A server that echoes lines, and reads slowly, listens on "
        f"{address.host}:{address.port}."
    )
    try:
        await _play(story, listener)
    finally:
        await story.stop()
        await port.stopListening()
    try:
        _tls.require("it")
    except ImportError as error:
        _tell(f"TLS is not shown: {error}.")
    else:
        await _encrypted(reactor, listener)


async def _play(story: _Story, listener: Any) -> None:
    client = story.client
    expect = story.expect
    story.start()
    await expect("connected", "the first connection")
    _tell("The client is connected.")
    await story.exchange(b"hello")
    await story.exchange(b"is anybody there?")

    client.put(DROP)
    await expect("serverError", "the drop")
    disconnection = await expect("disconnected", "the drop")
    _check(disconnection.initiator == "peer", f"the drop: {disconnection}")
    _tell("The server has dropped the connection.")
    await expect("connected", "the reconnection")
    _tell("The client has connected again by itself.")
    await story.exchange(b"still there?")

    await _throttled(story)

    server = listener.latest
    before = server.received
    for _ in range(LAST_LINES):
        client.put(LAST_LINE)
    pending = client.pendingBytes
    client.shutdown()
    _tell(f"The client shuts down with {pending:,} bytes of output pending.")
    disconnection = None
    while disconnection is None:
        name, value = await story.next("the shutdown: no disconnected")
        if name == "disconnected":
            disconnection = value
        else:
            marks = name in ("serverHigh", "serverLow")
            _check(marks, f"the shutdown: {name} came instead of disconnected")
    counted = server.received - before
    _check(
        disconnection.confirmed and disconnection.unsent == 0,
        f"the shutdown: {disconnection}",
    )
    _check(
        counted == pending == LAST_LINES * (len(LAST_LINE) + 2),
        f"the shutdown: {pending} bytes were pending, the server got {counted}",
    )
    _tell(f"The server has read {counted:,} bytes: none is lost.")


async def _throttled(story: _Story) -> None:
    """
    Put lines up to the high mark, wait for the low one, and see all of them come back.
    """
    client = story.client
    lines = 1
    while not client.put(LINE):
        lines += 1
        _check(lines < 1000, "the marks: put() never tells of the high mark")
    pending = client.pendingBytes
    await story.expect("serverHigh", "the high mark")
    _tell(
        f"The client has put {lines} lines: with {pending:,} bytes pending the high "
        f"mark, {HIGH:,}, is reached."
    )
    _tell("  serverHigh: it puts no more.")
    left = None
    echoed = 0
    while left is None or echoed < lines:
        name, value = await story.next("the low mark: no serverLow, or no echo")
        if name == "serverLow":
            left = client.pendingBytes
            _tell(f"  serverLow: {left:,} are pending, the low mark is {LOW:,}. On!")
        else:
            _check(
                name == "serverInput" and value == LINE,
                f"the low mark: {name} ({value!r:.40}) came instead of serverLow",
            )
            echoed += 1
    _check(left <= LOW, f"the low mark: {left} bytes are pending")
    _tell(f"All {lines} lines have come back.")


async def _encrypted(reactor: Any, listener: Any) -> None:
    """
    The same server with TLS, and a certificate that nobody vouches for but we.
    """
    from twisted.internet.ssl import optionsForClientTLS

    served, root = _throwaway()
    port = reactor.listenSSL(0, listener, served, interface="127.0.0.1")
    _tell("The same server speaks TLS, with a certificate made a moment ago.")
    strict = _Story(reactor, port, tls=True, autoReconnect=False)
    trusting = optionsForClientTLS(port.getHost().host, trustRoot=root)
    story = _Story(reactor, port, tls=trusting)
    try:
        strict.start()
        refusal = await strict.expect("connectError", "the stranger's certificate")
        _check(
            isinstance(refusal.value, TLSError),
            f"the stranger's certificate: {refusal.value}",
        )
        _tell(f"  The client does not trust it: {refusal.getErrorMessage()}.")
        story.start()
        await story.expect("connected", "the connection over TLS")
        _tell("  Told to trust it, the client is connected.")
        await story.exchange(b"a secret")
        story.client.shutdown()
        disconnection = await story.expect("disconnected", "the shutdown of TLS")
        _check(disconnection.unsent == 0, f"the shutdown of TLS: {disconnection}")
    finally:
        await strict.stop()
        await story.stop()
        await port.stopListening()
    _tell("  It has said goodbye: nobody could have read or cut short what was said.")


def _throwaway() -> tuple[Any, Any]:
    """
    Make a certificate for this machine.

    @return: the server's options, and the certificate that a client can trust.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from twisted.internet.ssl import Certificate, CertificateOptions

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "clienttcp --demo")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    # Twisted's annotations still ask for pyOpenSSL's own, deprecated, classes.
    identity: dict[str, Any] = {"privateKey": key, "certificate": certificate}
    return (
        CertificateOptions(**identity),
        Certificate.loadPEM(certificate.public_bytes(serialization.Encoding.PEM)),
    )
