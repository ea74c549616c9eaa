"""
C{twistd clienttcp} and C{twist clienttcp}.
"""

from __future__ import annotations

import signal
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from . import ClientTCPFactory
from ._command.console import Console
from ._command.handlers import clientFrom
from ._command.options import Options
from ._command.status import exitStatus
from ._command.stdio import refuse
from ._command.story import demo
from .demo import SERVERS
from .service import ClientTCPService

__all__ = ["Options", "makeService"]


class _RunningService(ClientTCPService):
    """
    A client whose end is that of the process.
    """

    _log = Logger()

    def __init__(
        self, client: ClientTCPFactory, console: Console | None, reactor: Any
    ) -> None:
        super().__init__(client)
        self._console = console
        self._reactor = reactor

    def startService(self) -> None:
        """
        Start the client.
        """
        super().startService()
        self.client.whenStopped().addBoth(self._stopped)

    def stopService(self) -> Deferred[Any]:
        """
        Send and print all that is to be.
        """
        console = self._console
        if console is None:
            return super().stopService()
        console.hurry()
        console.stopReading()
        return super().stopService().addCallback(lambda _: console.close())

    def _stopped(self, outcome: Any) -> None:
        if not self.running:
            return
        failure = outcome if isinstance(outcome, Failure) else None
        if self._console is None:
            status = exitStatus(failure)
        else:
            failure = failure or self._console.failure
            status = self._console.exitStatus(failure)
        if failure is not None:
            why = failure.getErrorMessage()
        else:
            why = "not all was sent and printed" if status else "all in order"
        self._log.info(
            "The client has stopped: {why} (as exit status: {status})",
            why=why,
            status=status,
        )
        if status:
            _fail()
        else:
            self._reactor.stop()


class _DemoService(Service):
    """
    Plays the demo and ends the process.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def startService(self) -> None:
        """
        Play, once the reactor runs.
        """
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._play)

    def _play(self) -> None:
        playing = Deferred.fromCoroutine(demo(self._reactor))
        playing.addCallbacks(lambda _: self._reactor.stop(), self._failed)

    def _failed(self, failure: Failure) -> None:
        self._log.failure(
            "The demo failed: {step}", failure, step=failure.getErrorMessage()
        )
        _fail()


class _DemoServer(Service):
    """
    A demo server.
    """

    _log = Logger()

    def __init__(self, name: str, reactor: Any) -> None:
        self._name = name
        self._reactor = reactor

    def startService(self) -> None:
        """
        Listen, and log the address.
        """
        super().startService()  # type: ignore[no-untyped-call]
        self._port = SERVERS[self._name](self._reactor)
        address: Any = self._port.getHost()
        self._log.info(
            "The {name} server listens on {host}:{port}",
            name=self._name,
            host=address.host,
            port=address.port,
        )

    def stopService(self) -> Any:
        """
        Stop listening.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        return self._port.stopListening()


def _fail() -> None:
    """
    End twistd with a status that is not 0, in the only way there is.
    """
    signal.raise_signal(signal.SIGTERM)


def makeService(options: Options) -> Service:
    """
    @return: the service that the options ask for.
    """
    from twisted.internet import reactor

    if options["demo"]:
        return _DemoService(reactor)
    if options["demo-server"] is not None:
        return _DemoServer(options["demo-server"], reactor)
    if options["client"] is not None:
        try:
            return _RunningService(clientFrom(options, reactor), None, reactor)
        except UsageError as e:
            refuse(e)
    console = Console(options, reactor)
    return _RunningService(options.client(**console.callbacks()), console, reactor)
