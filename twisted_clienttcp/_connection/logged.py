"""
Connections with a wire log. Only clients with a L{WireLog
<twisted_clienttcp.wirelog.WireLog>} use these classes, so the log costs other clients
nothing.

Theory of operation:

 1. Received bytes are logged in C{dataReceived}, before they are decoded.
 2. Output is logged in L{OutputQueue.take}, which returns each chunk for the transport.
 3. Both methods are above TLS, so the log shows clear text. It does not show the
    dialogues with proxies, which other protocols have had before.
 4. The queue counts the bytes that were put until C{connected} returned. So the log can
    mask exactly these bytes, although they are sent later.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IAddress, ITransport
from twisted.python.failure import Failure

from .. import _tls
from .._details import errorDetails
from ..framing._base import AnyFraming
from .closing import ABORTED, Closing
from .outbound import Outbound
from .owner import ConnectionOwner
from .peer import ProxiedAddress, addressText
from .protocol import Client, Connection
from .wirelog import IN, OUT, ConnectionLog


class LoggedOutbound(Outbound):
    """
    The output of a connection with a wire log.
    """

    __slots__ = ()

    def take(self) -> bytes:
        """
        See L{OutputQueue.take}.
        """
        chunk = super().take()
        if chunk:
            self._connection.log.passed(OUT, chunk)
        return chunk


class LoggedClosing(Closing):
    """
    The end of a connection with a wire log.
    """

    __slots__ = ()

    def peerEnded(self) -> None:
        """
        See L{Closing.peerEnded}.
        """
        self._connection.log.note(f"{IN} end of stream")
        super().peerEnded()

    def lost(self, reason: Failure, deliveryTimeout: float, isTLS: bool) -> None:
        """
        See L{Closing.lost}.
        """
        self._connection.log.note(self._ending(reason))
        super().lost(reason, deliveryTimeout, isTLS)

    def _ending(self, reason: Failure) -> str:
        """
        @return: how the transport was lost. This does not include the cause that was
            recorded, such as an exception of C{preConnect}: it may contain a secret.
        """
        if isinstance(reason.value, ConnectionAborted):
            return ": ".join(["aborted", *map(str, reason.value.args)])
        if self.state is ABORTED:
            # TLS reports a different reason.
            return "aborted"
        if reason.check(ConnectionDone):
            return "closed"
        return f"lost: {errorDetails(reason).text}"


class LoggedConnection(Connection):
    """
    A connection with a wire log.

    @ivar log: its part of the log.
    """

    __slots__ = ("log",)

    outboundType = LoggedOutbound
    closingType = LoggedClosing

    def __init__(
        self,
        owner: ConnectionOwner[Connection],
        client: Client,
        framing: AnyFraming,
        peer: IAddress | None,
        log: ConnectionLog,
    ) -> None:
        """
        @param owner: see L{Connection}, also for C{client}, C{framing} and C{peer}.
        @param log: the part of the log for this connection.
        """
        super().__init__(owner, client, framing, peer)
        self.log = log

    def connectionMade(self) -> None:
        """
        See L{Connection.connectionMade}.
        """
        self.log.note(f"connected{_ends(self.transport, self.peer)}")
        super().connectionMade()

    def _startTLS(self, options: object, swallow: bytes) -> None:
        super()._startTLS(options, swallow)
        self.log.note("TLS begins")

    def handshakeCompleted(self) -> None:
        """
        See L{Connection.handshakeCompleted}.
        """
        if _tls.verified(self.transport):
            self.log.note("the TLS handshake is complete")
        super().handshakeCompleted()

    def returned(self) -> None:
        """
        See L{Connection.returned}. The login is over: show the bytes from now on.
        """
        self.log.show(self.outbound.accepted[0])

    def dataReceived(self, data: bytes) -> None:
        """
        See L{Connection.dataReceived}.
        """
        self.log.passed(IN, data)
        super().dataReceived(data)

    def writeConnectionLost(self) -> None:
        """
        See L{Connection.writeConnectionLost}.
        """
        self.log.note(f"{OUT} end of stream")
        super().writeConnectionLost()


def _ends(transport: ITransport, peer: IAddress | None) -> str:
    """
    @return: the addresses of both ends; empty if the transport does not know them.
    """
    try:
        ends = (transport.getHost(), peer or transport.getPeer())
    except Exception:
        # The connection itself reports the error, if it needs the addresses.
        return ""
    return " from {} to {}".format(*map(_inWords, ends))


def _inWords(address: object) -> str:
    text = addressText(address)
    if isinstance(address, ProxiedAddress):
        return f"{text} (the dialogue with proxies is not logged)"
    return text
