"""
TLS: what a client may be given for it, how it is put around a connection, and its
failures in words.

Nothing of OpenSSL is imported before it is needed: it comes with the extra C{tls}.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

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

from .errors import TLSError, nameOf

#: What OpenSSL says of bytes that are no TLS.
_NOT_TLS = {
    "wrong version number",
    "packet length too long",
    "unknown protocol",
    "http request",
    "https proxy request",
    "record layer failure",
    # What a server that echoes sends is our own greeting.
    "unexpected message",
}

#: The numbers of OpenSSL's X509_V_ERR_ for a chain that ends at nobody who is trusted.
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21}


def require(what: str) -> None:
    """
    @param what: what needs TLS, for people.

    @raise ImportError: if the extra C{tls} is not installed.
    """
    try:
        import service_identity  # noqa: F401
        import twisted.internet.ssl  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{what} needs OpenSSL: pip install 'twisted_clienttcp[tls]'"
        ) from error


def check(name: str, value: object) -> Any:
    """
    @return: True for the platform's trust, an C{IOpenSSLClientConnectionCreator}, or
        None for no TLS.

    @raise TypeError: if it is none of these, or False.
    @raise ImportError: if the extra C{tls} is not installed.
    """
    if value is None or value is False:
        return None
    return given(name, value)


def given(name: str, value: object) -> Any:
    """
    As L{check}, where it is TLS in any case.
    """
    if value is not True and (
        not IOpenSSLClientConnectionCreator.providedBy(value)
        # CertificateOptions, which verify no host name.
        or IOpenSSLContextFactory.providedBy(value)
    ):
        raise TypeError(
            f"{name} must be True or what optionsForClientTLS() of "
            f"twisted.internet.ssl gives, not {value!r}"
        )
    require(f"{name}={value!r}")
    return value


@lru_cache(maxsize=64)
def platformOptions(name: str) -> Any:
    """
    Read in the certificates that the platform trusts, which takes a while and much
    memory: so clients of one server share them.

    @param name: the host name or IP address that the certificate must be for.

    @raise ValueError: if there can be none for it.
    """
    from twisted.internet.ssl import optionsForClientTLS

    # The zone of an IPv6 address is known to this machine alone, and the dot at the end
    # of a name to the resolver (RFC 6066, 3).
    host = name.partition("%")[0].removesuffix(".")
    if not host.isascii():
        # IDNA 2008, which Twisted goes by, knows no capital letters.
        host = host.lower()
    try:
        return optionsForClientTLS(host)
    except ValueError as error:
        raise ValueError(
            f"tls=True: no certificate can be for {name!r} ({error}); give another "
            "name, or tls=twisted.internet.ssl.optionsForClientTLS('the.host')"
        ) from error


def secured(
    options: Any, protocol: IProtocol, owner: IProtocolFactory, clock: IReactorTime
) -> IProtocol:
    """
    @return: a protocol that speaks TLS below C{protocol}, which must be an
        C{IHandshakeListener}.
    """
    from twisted.protocols.tls import TLSMemoryBIOFactory

    factory = TLSMemoryBIOFactory(_Creator(options), True, owner, clock)
    return factory.protocol(factory, protocol)


@implementer(IOpenSSLClientConnectionCreator)
class _Creator:
    """
    Makes what the options of the user's make. Where they raise, Twisted would be left
    with half a connection, whose end it cannot tell: so it gets a whole one, of which
    L{fault} tells, to be aborted in the same turn.
    """

    def __init__(self, options: Any) -> None:
        self._options = options

    def clientConnectionForTLS(self, protocol: Any) -> Any:
        """
        @return: an OpenSSL connection.
        """
        from OpenSSL import SSL

        options = self._options
        made: Any = None
        try:
            made = options.clientConnectionForTLS(protocol)
            if not isinstance(made, SSL.Connection):
                raise TypeError(f"it returned {made!r}, which is not a connection")
        except Exception as error:
            made = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
            made.fault = TLSError(
                f"{options!r} cannot make a TLS connection: {nameOf(error)}"
            )
            made.fault.__cause__ = error
        return made


def fault(transport: Any) -> Failure | None:
    """
    @return: what keeps a TLS transport from ever beginning its handshake; mostly None.
    """
    getHandle = getattr(transport, "getHandle", None)
    error = None if getHandle is None else getattr(getHandle(), "fault", None)
    return None if error is None else Failure(error)


def start(transport: Any, options: Any, swallow: bytes) -> None:
    """
    Speak TLS on a transport from now on.

    @param swallow: bytes that may yet come in clear text, being the rest of a record
        that is complete without them. No TLS begins with them.
    """
    transport.startTLS(_Creator(options))
    if not swallow:
        return
    tls = transport.protocol

    def first(data: bytes) -> None:
        del tls.dataReceived
        data = data.removeprefix(swallow)
        if data:
            # Nothing at all it takes for an error.
            tls.dataReceived(data)

    tls.dataReceived = first


def verified(transport: Any) -> bool:
    """
    Twisted before 25 says that a handshake is completed also when it has just found
    the certificate to be for another host. But it has told the transport to go then.

    @return: whether the certificate is good, where the handshake is completed.
    """
    layers = (transport, getattr(transport, "protocol", None))
    return not any(getattr(layer, "disconnecting", False) for layer in layers)


def inWords(reason: Failure, transport: Any, shaking: bool) -> Failure:
    """
    @param reason: why a connection is lost.
    @param shaking: its handshake is not done.

    @return: a L{TLSError} if TLS was why; the reason as it is if not.
    """
    if not ISSLTransport.providedBy(transport):
        return reason
    from OpenSSL.SSL import Error
    from twisted.internet.ssl import VerificationError

    if reason.check(VerificationError):
        # The error of the substitute for service_identity tells no names.
        wrong = getattr(reason.value, "errors", ())
        names = " or ".join(_nameOf(each.mismatched_id) for each in wrong)
        text = f"the server's certificate is not for {names or 'this host'}"
    elif reason.check(Error):
        connection: Any = transport
        text = "; ".join(_sentences(reason.value, connection.getHandle()))
    elif shaking and reason.check(ConnectionDone, ConnectionLost):
        text = (
            "the connection was closed during the handshake: the server may not speak "
            "TLS, or may refuse this client"
        )
    else:
        return reason
    error = TLSError(text)
    error.__cause__ = reason.value
    return Failure(error)


def _nameOf(identity: Any) -> str:
    """
    @return: the host name or IP address of service_identity's.
    """
    name = getattr(identity, "hostname", None) or getattr(identity, "ip", identity)
    return name.decode() if isinstance(name, bytes) else str(name)


def _sentences(error: Any, connection: Any) -> Iterator[str]:
    """
    @return: what the errors in OpenSSL's queue mean.
    """
    queue = error.args[0] if error.args else None
    if not isinstance(queue, list) or not queue:
        yield str(error) if queue else "TLS has failed"
        return
    for _, _, said in queue:
        _, isAlert, alert = said.partition(" alert ")
        if said == "certificate verify failed":
            yield f"the server's certificate is refused: {_fault(connection) or said}"
        elif said in _NOT_TLS:
            yield f"the server does not speak TLS: {said}"
        elif isAlert:
            yield f"the server has refused: {alert}"
        else:
            yield str(said)


def _fault(connection: Any) -> str | None:
    """
    OpenSSL knows what is wrong with a certificate, but pyOpenSSL does not hand it on:
    so verify it once more.

    @return: the fault, or None if it cannot be found again.
    """
    from OpenSSL.crypto import X509StoreContext, X509StoreContextError

    chain = connection.get_peer_cert_chain()
    if not chain:
        return None
    store = connection.get_context().get_cert_store()
    try:
        X509StoreContext(store, chain[0], chain[1:]).verify_certificate()
    except X509StoreContextError as error:
        number, _, said = error.errors
        return f"unknown CA: {said}" if number in _UNKNOWN_AUTHORITY else str(said)
    return None
