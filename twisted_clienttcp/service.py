"""
A client as a service of a Twisted application.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._client.factory import ClientTCPFactory
from ._connection.protocol import ClientTCPProtocol


class ClientTCPService(Service):
    """
    Runs a client while the service runs. Unlike
    L{ClientService<twisted.application.internet.ClientService>} it stops in order: all
    that was put is flushed first.

    A client needs no privileges: it connects when the service is started, in the first
    turn of the reactor after that, as Twisted's clients do.

    @ivar client: the client.
    """

    _log = Logger()

    def __init__(self, client: ClientTCPFactory) -> None:
        """
        @param client: a client with an address or an endpoint.

        @raise TypeError: if it is none.
        """
        if not isinstance(client, ClientTCPFactory):
            raise TypeError(f"client must be a ClientTCPFactory, not {client!r}")
        self.client = client

    def startService(self) -> None:
        """
        Start the client; if it is still shutting down, when it has stopped.

        @raise ValueError: if there is nothing to connect to, or as of
            L{start<ClientTCPFactory.start>} otherwise.
        """
        super().startService()  # type: ignore[no-untyped-call]
        if self.client.shuttingDown:
            stopped = self.client.whenStopped()
            stopping = not stopped.called
            stopped.addErrback(lambda failure: None)
            if stopping:
                stopped.addCallback(lambda _: self._restart())
                stopped.addErrback(self._failed)
                return
        self._start()

    def _start(self) -> None:
        try:
            started = self.client.start()
        except BaseException:
            super().stopService()  # type: ignore[no-untyped-call]
            raise
        # Whether it stops by itself is told by its callbacks, and nobody waits here.
        started.addErrback(lambda failure: None)

    def _restart(self) -> None:
        # Unless it has been stopped again.
        if self.running:
            self._start()

    def _unlessCancelled(self, failure: Failure) -> Failure | None:
        # What it has stopped with is of no interest to who waits for the next time.
        return failure if failure.check(CancelledError) else None

    def _failed(self, failure: Failure) -> None:
        self._log.failure("{client} cannot start again", failure, client=self.client)

    def stopService(self) -> Deferred[Any]:
        """
        Shut the client down: what was put is flushed, for C{drainTimeout} seconds at
        most.

        @return: a Deferred that fires when it has stopped, with the L{Disconnection
            <twisted_clienttcp.Disconnection>}, or with None if there was no connection.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        return self.client.shutdown()

    def whenConnected(
        self, failAfterFailures: int | None = None
    ) -> Deferred[ClientTCPProtocol]:
        """
        As the client's own L{whenConnected<ClientTCPFactory.whenConnected>}. If the
        service was started again while it stopped, the connection to come is meant.
        """
        if self.running and self.client.shuttingDown:
            again: Deferred[Any] = self.client.whenStopped()
            again.addErrback(self._unlessCancelled)
            again.addCallback(lambda _: self.client.whenConnected(failAfterFailures))
            return again
        return self.client.whenConnected(failAfterFailures)
