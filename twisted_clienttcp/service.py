"""
A client as a service of a Twisted application.
"""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ._client.driver import StillStopping
from ._client.factory import ClientTCPFactory
from ._connection.disconnection import Disconnection
from ._connection.server import ClientTCPProtocol
from ._logevents import NOT_RESTARTED


class ClientTCPService(Service):
    """
    Runs a client while the service is running. Unlike
    L{ClientService<twisted.application.internet.ClientService>}, it flushes the output
    before it stops.

    A client needs no privileges, so C{privilegedStartService} does nothing: the client
    connects in C{startService}.

    @ivar client: the client.
    """

    def __init__(self, client: ClientTCPFactory) -> None:
        """
        @param client: a client with an address or an endpoint.

        @raise TypeError: if it is not a client.
        """
        if not isinstance(client, ClientTCPFactory):
            raise TypeError(f"client must be a ClientTCPFactory, not {client!r}")
        self.client = client

    def startService(self) -> None:
        """
        Start the client. If the client is still shutting down, start it when it has
        stopped. If this later start fails, log the error and stop the service.

        @raise Exception: any exception that L{start<ClientTCPFactory.start>} raises.
            The service is not running then.
        """
        super().startService()  # type: ignore[no-untyped-call]
        self._start()

    def _start(self) -> None:
        try:
            stopped = self.client.start()
        except StillStopping:
            self._startWhenStopped()
            return
        except BaseException:
            super().stopService()  # type: ignore[no-untyped-call]
            raise
        # The client reports this failure: it calls stopped() with it, or logs it.
        stopped.addErrback(lambda failure: None)

    def _startWhenStopped(self) -> None:
        def again(result: object) -> None:
            # The service may have been stopped again.
            if self.running:
                self._start()

        def failed(failure: Failure) -> None:
            NOT_RESTARTED.log(self, {"client": self.client, "log_failure": failure})

        self.client.whenStopped().addBoth(again).addErrback(failed)

    def stopService(self) -> Deferred[Disconnection | None]:
        """
        Shut the client down: flush its output, for at most C{drainTimeout} seconds, and
        close the connection.

        @return: a Deferred that fires when the client has stopped, with the
            L{Disconnection<twisted_clienttcp.Disconnection>}, or with None if there was
            no connection.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        return self.client.shutdown()

    def whenConnected(
        self, failAfterFailures: int | None = None
    ) -> Deferred[ClientTCPProtocol]:
        """
        Wait for a connection, as the client's L{whenConnected
        <ClientTCPFactory.whenConnected>} does. If the service was started while the
        client was shutting down, wait for the connection that follows.

        @param failAfterFailures: see the client's method.

        @return: see the client's method.

        @raise Exception: see the client's method.
        """

        def waitAgain(result: object) -> Deferred[ClientTCPProtocol]:
            if isinstance(result, Failure) and result.check(CancelledError):
                # The caller has cancelled the Deferred.
                result.raiseException()
            return self.client.whenConnected(failAfterFailures)

        if self.running and self.client.shuttingDown:
            return self.client.whenStopped().addBoth(waitAgain)
        return self.client.whenConnected(failAfterFailures)
