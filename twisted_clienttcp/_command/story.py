"""
C{--demo}: show the client at work, with a server in the same process. Each step is
checked.

Nothing is printed before the end, so that log lines cannot interrupt the story.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import DeferredQueue
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from .. import ClientTCPFactory, Disconnection, _tls
from .._connection.peer import addressText
from ..demo import Echo
from ..errors import TLSError
from .stdio import write

#: The line that makes the server drop the connection.
DROP = b"please drop me"

#: The longest time in seconds that a step may take.
STEP_TIMEOUT = 4.0

#: The marks, in bytes, and the line that is put until the high mark is reached.
HIGH = 256 * 1024
LOW = 64 * 1024
LINE = b"x" * 9_998

#: The lines that are sent at the end: 2,000,000 bytes.
LAST_LINES = [b"x" * 99_998] * 20


class DemoFailed(Exception):
    """
    A step of the demo has failed.
    """


class EchoServer(Echo, LineReceiver):
    """
    Sends back lines.

    @cvar received: the number of bytes that all connections have received.
    """

    MAX_LENGTH = 1024 * 1024
    received = 0

    def dataReceived(self, data: bytes) -> None:
        """
        Count the bytes.
        """
        EchoServer.received += len(data)
        LineReceiver.dataReceived(self, data)

    def lineReceived(self, line: bytes) -> None:
        """
        Send the line back, or drop the connection.
        """
        if line == DROP:
            self.close()
        else:
            self.sendLine(line)  # type: ignore[no-untyped-call]


class _Story:
    """
    A client, and a queue of the calls of its callbacks.
    """

    def __init__(
        self, reactor: Any, port: Any, tell: Callable[[str], object], **settings: Any
    ) -> None:
        """
        @param port: the server's port.
        @param tell: called with each line of the story.
        @param settings: settings of the client.
        """
        self._reactor = reactor
        self.tell = tell
        self._calls: DeferredQueue[tuple[str, Any]] = DeferredQueue()
        names = ["connected", "connectError", "serverInput", "serverError"]
        names += ["serverHigh", "serverLow", "disconnected"]
        address = port.getHost()
        self.client = ClientTCPFactory(
            address.host,
            address.port,
            reactor=reactor,
            highMark=HIGH,
            lowMark=LOW,
            initialDelay=0.1,
            **{name: self._callback(name) for name in names},
            **settings,
        )

    def _callback(self, name: str) -> Any:
        return lambda client, value=None: self._calls.put((name, value))

    async def expect(self, step: str, *names: str) -> Any:
        """
        @return: the name and the argument of the next call, which must be one of these
            callbacks; for a single callback, only the argument.

        @raise DemoFailed: if another callback is called, or none.
        """
        wanted = " or ".join(names)
        try:
            name, value = await self._calls.get().addTimeout(
                STEP_TIMEOUT, self._reactor
            )
        except DeferredTimeout:
            raise DemoFailed(f"{step}: no {wanted} in {STEP_TIMEOUT} seconds") from None
        if isinstance(value, Failure) and name not in names:
            value = value.getErrorMessage()
        _check(name in names, f"{step}: {name} ({value!r:.40}) instead of {wanted}")
        return value if len(names) == 1 else (name, value)

    async def exchange(self, *lines: bytes) -> None:
        """
        Send lines one by one, and receive each one back.
        """
        for line in lines:
            self.client.put(line)
            echo = await self.expect("the exchange of lines", "serverInput")
            _check(echo == line, f"the exchange of lines: {line!r} became {echo!r}")
            self.tell(f"  sent {line.decode()!r}, received {echo.decode()!r}")

    def start(self) -> None:
        """
        Start the client. The callbacks report what happens.
        """
        self.client.start().addErrback(lambda failure: None)

    async def shutdown(self, step: str, lines: Iterable[bytes] = ()) -> None:
        """
        Put lines and shut down immediately. Check that everything has arrived.
        """
        before = EchoServer.received
        self.client.putMany(lines)
        pending = self.client.pendingBytes
        self.client.shutdown()
        self.tell(f"The client queues {pending:,} bytes and shuts down at once.")
        name, end = "", None
        while name != "disconnected":
            name, end = await self.expect(
                step, "serverHigh", "serverLow", "disconnected"
            )
        assert isinstance(end, Disconnection)
        counted = EchoServer.received - before
        _check(end.confirmed and end.unsent == 0, f"{step}: {end}")
        _check(counted == pending, f"{step}: the server got {counted} of {pending}")
        self.tell(f"  The server has read {counted:,} bytes: nothing is lost.")


def _check(fact: bool, otherwise: str) -> None:
    if not fact:
        raise DemoFailed(otherwise)


async def demo(reactor: Any) -> None:
    """
    Run the demo, and print its story on standard output when it has ended.

    @raise DemoFailed: if a step goes wrong; the text names it.
    """
    story: list[str] = []
    try:
        await _play(reactor, story.append)
    finally:
        try:
            # Under twistd, print() would write to the log.
            write(1, "".join(f"{line}\n" for line in story))
        except OSError as error:
            raise DemoFailed(
                f"standard output cannot be written: {error.strerror}"
            ) from error


async def _play(reactor: Any, tell: Callable[[str], object]) -> None:
    listener: Any = Factory.forProtocol(EchoServer)
    listener.noisy = False
    port = reactor.listenTCP(0, listener, interface="127.0.0.1")
    address = port.getHost()
    story = _Story(reactor, port, tell)
    tell("A server and a client run in one process.")
    tell("The server sends back each line that it receives.")
    try:
        tell("\n1. Lines")
        story.start()
        await story.expect("the first connection", "connected")
        tell(f"The client has connected to {addressText(address)}.")
        await story.exchange(b"hello", b"is anybody there?")
        tell("\n2. A lost connection")
        await _playLoss(story)
        tell("\n3. More output than can be sent at once")
        await _playMarks(story)
        tell("\n4. A shutdown that loses nothing")
        await story.shutdown("the shutdown", LAST_LINES)
    finally:
        await story.client.abort()
        await port.stopListening()
    tell("\n5. TLS")
    try:
        _tls.require("This step")
    except ImportError as error:
        tell(str(error))
    else:
        await _playTLS(reactor, listener, tell)
    tell("\nThe demo has ended: each step went as it should.")


async def _playLoss(story: _Story) -> None:
    story.client.put(DROP)
    await story.expect("the drop", "serverError")
    disconnection = await story.expect("the drop", "disconnected")
    _check(disconnection.initiator == "peer", f"the drop: {disconnection}")
    story.tell("The server has closed the connection.")
    await story.expect("the reconnection", "connected")
    story.tell("The client has waited for a moment and connected again by itself.")
    await story.exchange(b"still there?")


async def _playMarks(story: _Story) -> None:
    client = story.client
    lines = 1
    while not client.put(LINE):
        lines += 1
        _check(lines < 1000, "the marks: put() never reaches the high mark")
    await story.expect("the high mark", "serverHigh")
    pending = client.pendingBytes
    story.tell(f"The client has put {lines} lines of {len(LINE) + 2:,} bytes.")
    story.tell(f"  {pending:,} bytes are pending, which means not sent yet.")
    story.tell(f"  That is more than the high mark, {HIGH:,}.")
    story.tell("  serverHigh is called, and the client puts no more.")
    left, echoed = None, 0
    while left is None or echoed < lines:
        name, value = await story.expect("the low mark", "serverLow", "serverInput")
        if name == "serverInput":
            _check(value == LINE, f"the low mark: {value!r:.40} came back")
            echoed += 1
        else:
            left = client.pendingBytes
            _check(left <= LOW, f"the low mark is {LOW}, but {left} bytes are pending")
            story.tell(f"  {left:,} bytes are left: less than the low mark, {LOW:,}.")
            story.tell("  serverLow is called: the client could put more now.")
    story.tell(f"  All {lines} lines have come back.")


async def _playTLS(reactor: Any, listener: Any, tell: Callable[[str], object]) -> None:
    """
    Use the same server with TLS and a self-signed certificate.
    """
    from twisted.internet.ssl import optionsForClientTLS

    served, root = _certificate()
    port = reactor.listenSSL(0, listener, served, interface="127.0.0.1")
    strict = _Story(reactor, port, tell, tls=True, autoReconnect=False)
    trusting = optionsForClientTLS(port.getHost().host, trustRoot=root)
    story = _Story(reactor, port, tell, tls=trusting)
    tell("The server uses TLS now, with a certificate that it has made itself.")
    try:
        strict.start()
        step = "the unknown certificate"
        refusal = await strict.expect(step, "connectError")
        _check(isinstance(refusal.value, TLSError), f"{step}: {refusal.value}")
        tell("A client that does not know this certificate does not connect:")
        tell(f"  {refusal.getErrorMessage()}")
        story.start()
        await story.expect("the connection over TLS", "connected")
        tell("A client that is configured to trust this certificate has connected.")
        await story.exchange(b"a secret")
        await story.shutdown("the shutdown of TLS", [b"goodbye"])
    finally:
        await strict.client.abort()
        await story.client.abort()
        await port.stopListening()


def _certificate() -> tuple[Any, Any]:
    """
    Make a certificate for this machine.

    @return: the server's options, and the certificate for a client to trust.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from twisted.internet.ssl import Certificate, CertificateOptions

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "clienttcp --demo")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    # Twisted's annotations still require pyOpenSSL's own classes, which are deprecated.
    identity: dict[str, Any] = {"privateKey": key, "certificate": certificate}
    return (
        CertificateOptions(**identity),
        Certificate.loadPEM(certificate.public_bytes(serialization.Encoding.PEM)),
    )
