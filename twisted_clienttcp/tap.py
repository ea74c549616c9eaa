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

from ._console import Console
from ._demo import demo
from ._options import FRAMINGS, Options
from .service import ClientTCPService

__all__ = ["Options", "makeService"]


class _ConsoleService(ClientTCPService):
    """
    A client between standard input and output.
    """

    def __init__(self, options: Options) -> None:
        self._console = Console(FRAMINGS[options["framing"]], staying=True)
        super().__init__(options.client(**self._console.callbacks()))

    def stopService(self) -> Deferred[Any]:
        """
        Send and print all that is to be.
        """
        self._console.pause()
        return super().stopService().addCallback(lambda _: self._console.close())


class _DemoService(Service):
    """
    Plays the demo and ends the process.
    """

    _log = Logger()

    def startService(self) -> None:
        """
        Play, once the reactor runs.
        """
        super().startService()  # type: ignore[no-untyped-call]
        from twisted.internet import reactor

        self._reactor: Any = reactor
        self._reactor.callWhenRunning(self._play)

    def _play(self) -> None:
        playing = Deferred.fromCoroutine(demo(self._reactor))
        playing.addCallbacks(lambda _: self._reactor.stop(), self._failed)

    def _failed(self, failure: Failure) -> None:
        self._log.failure(
            "The demo failed: {step}", failure, step=failure.getErrorMessage()
        )
        # The only way to end twistd with a status that is not 0.
        signal.raise_signal(signal.SIGTERM)


def makeService(options: Options) -> Service:
    """
    @return: the service that the options ask for.
    """
    return _DemoService() if options["demo"] else _ConsoleService(options)
