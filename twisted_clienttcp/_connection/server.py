"""
The connection as users see it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from ..framing import Framing


@implementer(IPushProducer)
class ClientTCPProtocol(Protocol):
    """
    The current connection of a client: C{client.server}.

    It is a push producer: to pause the connection when a consumer is full, register it
    with the consumer. For everything else, use the client. The client creates an
    instance of a private subclass.

    @ivar transport: Twisted's transport.
    @ivar factory: the client.
    """

    __slots__ = ()

    factory: Any
    transport: Any

    @property
    def inputFraming(self) -> Framing[Any]:
        """
        The framing that decodes received bytes (POE: get_input_filter).
        """
        raise NotImplementedError

    @property
    def outputFraming(self) -> Framing[Any]:
        """
        The framing that encodes records (POE: get_output_filter).
        """
        raise NotImplementedError

    def pauseProducing(self) -> None:
        """
        Deliver no records until L{resumeProducing} is called. A consumer calls this. It
        is independent of C{client.pauseProducing()}.
        """
        raise NotImplementedError

    def resumeProducing(self) -> None:
        """
        Continue to deliver records.
        """
        raise NotImplementedError

    def stopProducing(self) -> None:
        """
        Stop the client, as C{client.shutdown()} does, because the consumer wants no
        more records.
        """
        raise NotImplementedError

    def abort(self) -> None:
        """
        Drop the connection immediately. Pending output is lost, and counted in
        C{Disconnection.unsent}. This does not stop the client: it reconnects if its
        settings say so.
        """
        raise NotImplementedError
