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

    It is a producer: to pass its records to a consumer, register it with the consumer.
    Everything else is done with the client. The client creates the connection, from a
    subclass of this class.

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
        Hold the records, for a consumer that this connection is registered with. The
        pauses of the client itself are independent.
        """
        raise NotImplementedError

    def resumeProducing(self) -> None:
        """
        Release the records.
        """
        raise NotImplementedError

    def stopProducing(self) -> None:
        """
        Stop the client, as C{client.shutdown()} does: the consumer wants no more
        records.
        """
        raise NotImplementedError

    def abort(self) -> None:
        """
        Drop the connection immediately. Pending output is lost, and counted in
        C{unsent}. The client is not stopped: it continues by its policy.
        """
        raise NotImplementedError
