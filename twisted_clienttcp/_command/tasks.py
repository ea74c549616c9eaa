"""
The tasks of the commands: to run a client, the demo, or a demo server.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from .. import ClientTCPFactory
from .._connection.peer import addressText
from .._details import describe
from .._logevents import CANNOT_START
from .._texts import textOf
from ..demo import SERVERS
from .console import Console
from .handlers import clientFrom
from .options import Options
from .status import EX_FAILED, exitStatus
from .stdio import refuse
from .story import DemoFailed, demo
from .table import asOption

#: The reason for status 0.
OK = "all in order"


class Outcome(NamedTuple):
    """
    How a task has ended.

    @ivar status: the exit status.
    @ivar reason: the reason for it.
    """

    status: int
    reason: str


def _failed(source: object, what: str, why: str) -> Outcome:
    CANNOT_START.log(source, {"what": what, "error": why})
    return Outcome(EX_FAILED, what)


class Task:
    """
    Something that a command runs until it ends or is stopped.
    """

    #: Connects a client with standard input and output.
    console: Console | None = None
    _running: Deferred[Outcome]

    def __init__(
        self, run: Callable[[], Coroutine[Deferred[Any], Any, Outcome]]
    ) -> None:
        """
        @param run: returns a coroutine that runs the task. The coroutine is cancelled
            if the task is stopped.
        """
        self._run = run

    def start(self) -> Deferred[Outcome]:
        """
        Start the task.

        @return: a Deferred that fires when the task has ended.
        """

        def stopped(failure: Failure) -> Outcome:
            failure.trap(CancelledError)
            return Outcome(0, "stopped")

        self._running = Deferred.fromCoroutine(self._run())
        return self._running.addErrback(stopped)

    def stop(self, signal: str | None = None) -> None:
        """
        Stop the task. It ends soon, or when pending output has been sent.

        @param signal: the name of the signal that is the reason; None if there is none.
        """
        self._running.cancel()


class ClientTask(Task):
    """
    A client, which runs until it stops.
    """

    def __init__(
        self, client: ClientTCPFactory, console: Console | None = None
    ) -> None:
        """
        @param console: None if the client has the user's callbacks.
        """
        super().__init__(self._runClient)
        self._client = client
        self.console = console

    async def _runClient(self) -> Outcome:
        """
        Run the client. An exception that was logged also counts as a failure, even if
        the client continued after it.
        """
        critical = False

        def observe(event: LogEvent) -> None:
            nonlocal critical
            critical = critical or event.get("log_level") is LogLevel.critical

        observer: Any = observe
        globalLogPublisher.addObserver(observer)
        try:
            outcome = await self._runToEnd()
        finally:
            globalLogPublisher.removeObserver(observer)
        if critical and not outcome.status:
            return Outcome(EX_FAILED, "an exception was logged")
        return outcome

    async def _runToEnd(self) -> Outcome:
        try:
            stopped = self._client.start()
        except Exception as error:
            return _failed(self, "the client cannot start", textOf(error))
        failure: Failure | None = None
        try:
            await stopped
        except Exception:
            # The callbacks have reported it.
            failure = Failure()
        status = exitStatus(failure)
        if self.console is not None:
            await self.console.close()
            failure = failure or self.console.failure
            status = self.console.exitStatus(failure)
        if failure is not None:
            return Outcome(status, describe(failure, asOption))
        return Outcome(status, "not everything was sent and printed" if status else OK)

    def stop(self, signal: str | None = None) -> None:
        """
        Stop when everything that was read from standard input has been sent.
        """
        if self.console is None:
            self._client.shutdown()
        else:
            self.console.interrupt(signal)


async def _playDemo(reactor: Any) -> Outcome:
    try:
        await demo(reactor)
    except DemoFailed as error:
        return _failed(demo, "the demo failed", textOf(error))
    return Outcome(0, OK)


async def _runServer(
    name: str, number: int, reactor: Any, announce: Callable[[str], object]
) -> Outcome:
    try:
        port: Any = SERVERS[name](reactor, number)
    except CannotListenError as error:
        what = f"the demo server cannot listen on {error.interface}:{error.port}"
        return _failed(SERVERS[name], what, os.strerror(error.socketError.errno))
    announce(f"The {name} server listens on {addressText(port.getHost())}")
    stopped: Deferred[Outcome] = Deferred()
    try:
        return await stopped
    finally:
        await port.stopListening()


def taskFrom(options: Options, reactor: Any, announce: Callable[[str], object]) -> Task:
    """
    @param announce: called with a sentence that contains the address of a demo server.

    @return: what the options ask for.

    @raise SystemExit: with 64, if that cannot be made.
    """
    if options["demo"]:
        return Task(lambda: _playDemo(reactor))
    if options["demo-server"] is not None:
        name, port = options["demo-server"]
        return Task(lambda: _runServer(name, port, reactor, announce))
    if options["client"] is not None:
        try:
            return ClientTask(clientFrom(options, reactor))
        except UsageError as error:
            refuse(error)
    console = Console(options, reactor)
    client = options.client(**console.marks(), **console.callbacks())
    return ClientTask(client, console)
