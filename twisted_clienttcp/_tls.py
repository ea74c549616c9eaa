"""
TLS options, the TLS layer below a connection, and descriptions of TLS failures.

OpenSSL comes with the extra C{tls}, so it is imported only where it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLContextFactory,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    ISSLTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from ._raising import caught
from ._validators import imported
from .errors import TLSError, nameOf

if TYPE_CHECKING:
    from OpenSSL.SSL import Connection
    from twisted.protocols.tls import TLSMemoryBIOProtocol

#: Options for TLS; True for those of L{platformOptions}.
TLSOptions = IOpenSSLClientConnectionCreator | bool

#: The errors that OpenSSL reports for bytes that are not TLS.
_NOT_TLS = {
    "wrong version number",
    "packet length too long",
    "unknown protocol",
    "http request",
    "https proxy request",
    "record layer failure",
    # From an echo server, which sends our own ClientHello back.
    "unexpected message",
}

#: OpenSSL's X509_V_ERR_ numbers for a certificate chain without a trusted authority.
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21}


def require(what: str) -> None:
    """
    @param what: the name of the feature that needs TLS, for the message.

    @raise ImportError: if the extra C{tls} is not installed.
    """
    for module in ("service_identity", "twisted.internet.ssl"):
        imported(module, what, needs="OpenSSL", extra="tls")


def checkOptionalOptions(name: str, value: object) -> TLSOptions | None:
    """
    Validate options for TLS, or None or False for no TLS.

    @return: the value; None for no TLS.

    @raise Exception: see L{checkOptions}.
    """
    if value is None or value is False:
        return None
    return checkOptions(name, value)


def checkOptions(name: str, value: object) -> TLSOptions:
    """
    Validate options for TLS.

    @param name: their name, for messages.
    @param value: True, to trust the platform's authorities, or an
        C{IOpenSSLClientConnectionCreator}.

    @return: the value.

    @raise TypeError: if it is neither.
    @raise ImportError: if the extra C{tls} is not installed.
    """
    if value is not True and (
        not IOpenSSLClientConnectionCreator.providedBy(value)
        # Reject CertificateOptions, which do not verify the host name.
        or IOpenSSLContextFactory.providedBy(value)
    ):
        raise TypeError(
            f"{name} must be True or the result of "
            f"twisted.internet.ssl.optionsForClientTLS(), not {value!r}"
        )
    require(f"{name}={value!r}")
    return value


@lru_cache(maxsize=64)
def platformOptions(name: str) -> IOpenSSLClientConnectionCreator:
    """
    Create options that trust the platform's authorities. Reading their certificates
    takes time and memory, so all clients of a server share the options.

    @param name: see L{optionsFor}.

    @raise ValueError: if no certificate can have this name.
    """
    return optionsFor(name)


def optionsFor(name: str, **more: Any) -> IOpenSSLClientConnectionCreator:
    """
    Create options for a server.

    @param name: the IP address or host name that the server's certificate must be valid
        for. A host name is in lower case, in ASCII (A-labels), and without a dot at the
        end.
    @param more: other arguments for C{optionsForClientTLS}.

    @raise ValueError: if no certificate can have this name.
    """
    from twisted.internet.ssl import optionsForClientTLS

    try:
        # The zone of an IPv6 address has a meaning only on this machine.
        return optionsForClientTLS(name.partition("%")[0], **more)
    except ValueError as error:
        raise ValueError(
            f"tls: no certificate can be for {name!r} ({error}); use another name, or "
            "tls=twisted.internet.ssl.optionsForClientTLS('the.host')"
        ) from error


def secured(
    options: IOpenSSLClientConnectionCreator,
    protocol: IProtocol,
    owner: IProtocolFactory,
    clock: IReactorTime,
) -> IProtocol:
    """
    Create a TLS layer.

    @param options: the options for TLS.
    @param protocol: the protocol above TLS, which must be an C{IHandshakeListener}.
    @param owner: the factory of the protocol.
    @param clock: the source of time.

    @return: the protocol to connect to the transport.
    """
    from twisted.protocols.tls import TLSMemoryBIOFactory

    factory = TLSMemoryBIOFactory(Creator(options, clock), True, owner, clock)
    return factory.protocol(factory, protocol)


@implementer(IOpenSSLClientConnectionCreator)
class Creator:
    """
    Creates OpenSSL connections with the user's options. If an exception were raised
    here, Twisted could not report the end of the transport, so a substitute connection
    holds the exception as an attribute. L{setupFailure} returns it, and its caller must
    abort the transport in the same turn of the reactor.
    """

    def __init__(
        self, options: IOpenSSLClientConnectionCreator, clock: IReactorTime
    ) -> None:
        self._options = options
        self._clock = clock

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> Connection:
        """
        Create an OpenSSL connection.

        @return: the connection, or a substitute that holds the exception of the
            options.
        """
        from OpenSSL import SSL

        options = self._options
        try:
            made = options.clientConnectionForTLS(protocol)
            if not isinstance(made, SSL.Connection):
                raise TypeError(f"it returned {made!r}, which is not a connection")
        except BaseException as error:
            caught(self._clock)
            refusal = TLSError(
                f"{options!r} cannot make a TLS connection: {nameOf(error)}"
            )
            refusal.__cause__ = error
            made = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
            made.setupError = refusal  # type: ignore[attr-defined]
        return made


def setupFailure(transport: object) -> Failure | None:
    """
    @return: the reason why a TLS transport cannot start its handshake; None if it can.
    """
    getHandle = getattr(transport, "getHandle", None)
    error = None if getHandle is None else getattr(getHandle(), "setupError", None)
    return None if error is None else Failure(error)


def start(
    transport: Any, options: IOpenSSLClientConnectionCreator, swallow: bytes, above: Any
) -> Any:
    """
    Start TLS on a transport.

    @param transport: the transport. It may itself use TLS, with a proxy.
    @param above: the protocol above the transport.
    @param options: the options for TLS.
    @param swallow: bytes to drop if the peer sends them first, in clear text: they
        belong to the last record, which was complete without them (see
        C{Framing.swallows}). TLS never begins with these bytes.

    @return: the transport to use from now on.
    """
    creator = Creator(options, above.timeSource())
    if endsAtProxy(transport):
        secure = tls = transport.insert(creator)
    else:
        transport.startTLS(creator)
        secure, tls = transport, transport.protocol
    if not swallow:
        return secure

    def first(data: bytes) -> None:
        del tls.dataReceived
        data = data.removeprefix(swallow)
        if data:
            # TLS would treat empty input as an error.
            tls.dataReceived(data)

    tls.dataReceived = first
    return secure


def layerOf(transport: object) -> Any:
    """
    @return: the TLS layer of a transport, whose attribute C{transport} is the transport
        below it; None without TLS, or if the TLS is not Twisted's. (After C{startTLS},
        the layer is not the same object as the transport.)
    """
    if not usesTLS(transport):
        return None
    from twisted.protocols.tls import TLSMemoryBIOProtocol

    for layer in (transport, getattr(transport, "protocol", None)):
        if isinstance(layer, TLSMemoryBIOProtocol):
            return layer
    return None


def below(layer: TLSMemoryBIOProtocol) -> Any:
    """
    @param layer: a result of L{layerOf}.

    @return: the transport below all layers of TLS, those with proxies included.
    """
    from twisted.protocols.tls import TLSMemoryBIOProtocol

    transport: Any = layer.transport
    while isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    return transport


def whenClosed(transport: Any, closed: Callable[[], object]) -> None:
    """
    Call a function when TLS closes the transport below it, for example because the peer
    has ended its side. TLS itself reports nothing until the transport has sent
    everything and is closed.

    @param transport: the transport below TLS.
    @param closed: the function, which replaces the one of an earlier call.
    """
    close = type(transport).loseConnection

    def loseConnection(*args: object) -> None:
        del transport.loseConnection
        close(transport, *args)
        closed()

    transport.loseConnection = loseConnection


def whenClosing(transport: Any, closing: Callable[[], object]) -> None:
    """
    Call a function when C{loseConnection} of a TLS transport is called. TLS then waits
    for the close_notify of the peer, without a time limit.
    """
    close = type(transport).loseConnection

    def loseConnection(*args: object) -> None:
        close(transport, *args)
        closing()

    transport.loseConnection = loseConnection


def endsAtProxy(transport: object) -> bool:
    """
    @return: True if the TLS of a transport ends at a proxy: the proxy sees the bytes
        for the server in clear text. It does not provide C{ISSLTransport}.
    """
    # Ask the class: a layer forwards unknown attributes to the transport below it.
    return getattr(type(transport), "endsAtProxy", False)


def usesTLS(transport: object) -> bool:
    """
    @return: True if a transport uses TLS, with the server or a proxy.
    """
    return ISSLTransport.providedBy(transport) or endsAtProxy(transport)


def unbufferedWrite(layer: TLSMemoryBIOProtocol) -> Callable[[bytes], None]:
    """
    @param layer: a result of L{layerOf}.

    @return: a function that encrypts data and writes it to the transport below
        immediately. (The layer's own method may join small writes.)
    """
    from twisted.protocols.tls import TLSMemoryBIOProtocol

    return partial(TLSMemoryBIOProtocol.write, layer)


def peerHasEnded(transport: object) -> bool:
    """
    @return: True if the peer's close_notify has been received.
    """
    if not usesTLS(transport):
        return False
    from OpenSSL.SSL import RECEIVED_SHUTDOWN

    connection: Any = transport
    return bool(connection.getHandle().get_shutdown() & RECEIVED_SHUTDOWN)


def whenReceived(transport: object, heard: Callable[[], object]) -> None:
    """
    Call a function whenever a TLS transport receives bytes, even if they do not
    complete a TLS record. Do nothing without TLS. The handshake must be complete: then
    the method that L{start} may have replaced is restored.
    """
    layer = layerOf(transport)
    if layer is None:
        return
    from twisted.protocols.tls import TLSMemoryBIOProtocol

    # TLS with the server may be within TLS with a proxy.
    while isinstance(layer.transport, TLSMemoryBIOProtocol):
        layer = layer.transport
    dataReceived = layer.dataReceived

    def received(data: bytes) -> None:
        heard()
        dataReceived(data)

    layer.dataReceived = received


def verified(transport: object) -> bool:
    """
    @return: True if a handshake that is reported as completed has verified the
        certificate. (Before Twisted 25, a handshake with a certificate for another host
        is reported too, but then the transport is disconnecting.)
    """
    layers = (transport, getattr(transport, "protocol", None))
    return not any(getattr(layer, "disconnecting", False) for layer in layers)


def explained(reason: Failure, transport: object, isHandshaking: bool) -> Failure:
    """
    Replace the reason for the loss of a connection by a L{TLSError}, if TLS has failed.

    @param reason: the reason.
    @param transport: its transport, which uses TLS.
    @param isHandshaking: True if the handshake has not completed.

    @return: the L{TLSError}, or the same reason.
    """
    from OpenSSL.SSL import Error
    from twisted.internet.ssl import VerificationError

    connection: Any = transport
    if reason.check(VerificationError):
        # Twisted's substitute for service_identity does not report the names.
        wrong = getattr(reason.value, "errors", ())
        names = " or ".join(_nameOf(each.mismatched_id) for each in wrong)
        text = f"the server's certificate is not for {names or 'this host'}"
        # Twisted reports the wrong name even if OpenSSL refuses the certificate too.
        if problem := _problem(connection.getHandle()):
            text += f", and was rejected: {problem}"
    elif reason.check(Error):
        text = "; ".join(_sentences(reason.value, connection.getHandle()))
    elif isHandshaking and reason.check(ConnectionDone, ConnectionLost):
        text = (
            "the connection was closed during the handshake: the server may not speak "
            "TLS, or may refuse this client"
        )
    else:
        return reason
    error = TLSError(text)
    error.__cause__ = reason.value
    return Failure(error)


def _nameOf(identity: object) -> str:
    """
    @return: the host name or IP address of an identity of service_identity.
    """
    name = getattr(identity, "hostname", None) or getattr(identity, "ip", identity)
    return name.decode() if isinstance(name, bytes) else str(name)


def _sentences(error: Any, connection: Connection) -> Iterator[str]:
    """
    @return: a sentence for each error in OpenSSL's queue.
    """
    queue = error.args[0] if error.args else None
    if not isinstance(queue, list) or not queue:
        yield str(error) if queue else "TLS has failed"
        return
    for _, _, said in queue:
        _, isAlert, alert = said.partition(" alert ")
        if said == "certificate verify failed":
            problem = _problem(connection) or said
            yield f"the server's certificate was rejected: {problem}"
        elif said in _NOT_TLS:
            yield f"the server does not speak TLS: {said}"
        elif isAlert:
            yield f"the server refused the connection: {alert}"
        else:
            yield str(said)


def _problem(connection: Connection) -> str | None:
    """
    Find out why OpenSSL refused the peer's certificate, by verifying it again:
    pyOpenSSL does not report the reason.

    @return: the reason; None if there is nothing to verify, or this time it succeeds.
    """
    from OpenSSL.crypto import X509StoreContext, X509StoreContextError

    chain = connection.get_peer_cert_chain()
    store = connection.get_context().get_cert_store()
    if not chain or store is None:
        return None
    try:
        X509StoreContext(store, chain[0], chain[1:]).verify_certificate()
    except X509StoreContextError as error:
        number, _, said = error.errors
        return f"unknown CA: {said}" if number in _UNKNOWN_AUTHORITY else str(said)
    return None
