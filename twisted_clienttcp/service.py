"""
A client as a service of a Twisted application.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from ._factory import ClientTCPFactory


class ClientTCPService(Service):
    """
    Runs a client while the service runs. Unlike
    L{ClientService<twisted.application.internet.ClientService>} it stops in order: all
    that was put is flushed first.

    @ivar client: the client.
    """

    def __init__(self, client: ClientTCPFactory) -> None:
        """
        @param client: a client with an address or an endpoint.

        @raise TypeError: if it is none.
        """
        if not isinstance(client, ClientTCPFactory):
            raise TypeError(f"client must be a ClientTCPFactory, not {client!r}")
        self.client = client
        self._stopping: Deferred[Any] | None = None

    def startService(self) -> None:
        """
        Start the client; when it has stopped, if it is still shutting down.
        """
        super().startService()  # type: ignore[no-untyped-call]
        if self._stopping is None:
            self._start()

    def _start(self) -> None:
        # Whether it stops by itself is told by its callbacks, and nobody waits here.
        self.client.start().addErrback(lambda failure: None)

    def stopService(self) -> Deferred[Any]:
        """
        Shut the client down.

        @return: a Deferred that fires when it has stopped.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        stopping = self._stopping = self.client.shutdown()

        def stopped(result: Any) -> Any:
            if self._stopping is stopping:
                self._stopping = None
                if self.running:
                    self._start()
            return result

        return stopping.addCallback(stopped)
