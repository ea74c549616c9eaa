"""
The command C{clienttcp}, also C{python -m twisted_clienttcp}.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from twisted.internet.defer import Deferred, DeferredQueue
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    globalLogBeginner,
)
from twisted.python.failure import Failure
from twisted.python.usage import UsageError
from zope.interface import implementer

from . import ClientTCPFactory
from ._command.console import Console
from ._command.handlers import clientFrom
from ._command.options import Options
from ._command.progress import Progress
from ._command.status import exitStatus
from ._command.stdio import flush, refuse, writeIfReady
from ._command.story import DemoFailed, demo
from ._command.text import now
from .demo import SERVERS

_log = Logger()


@implementer(ILogObserver)
class _Messages:
    """
    Messages go to standard error.
    """

    def __init__(self, options: Options) -> None:
        self._timestamps = options["timestamps"]
        self.progress: Progress | None = None
        levels = LogLevelFilterPredicate(LogLevel.warn)
        if options["verbose"]:
            # Handlers may have something to say in any namespace of their own.
            ours = "" if "client" in options.given else "twisted_clienttcp"
            levels.setLogLevelForNamespace(ours, LogLevel.info)
        globalLogBeginner.beginLoggingTo(
            [FilteringLogObserver(self, [levels])], redirectStandardIO=False
        )

    def __call__(self, event: LogEvent) -> None:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if self.progress is not None:
            self.progress.hide()
        when = f"{now()} " if self._timestamps else ""
        writeIfReady(f"{when}clienttcp: {text}\n")


async def _demonstrate(reactor: Any) -> int:
    """
    @return: the exit status of the demo.
    """
    try:
        await demo(reactor)
    except DemoFailed as e:
        _log.error("the demo failed: {error}", error=e)
        return 1
    return 0


def _catchSignals(caught: Callable[[signal.Signals], object]) -> None:
    """
    Call a function at the first SIGINT and at the first SIGTERM. The second one of a
    kind ends the process at once.
    """

    def interrupt(signum: int, frame: object) -> None:
        signal.signal(signum, signal.SIG_DFL)
        caught(signal.Signals(signum))

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, interrupt)


async def _serve(reactor: Any, name: str) -> int:
    """
    Run a demo server until a signal stops it.

    @return: the exit status.
    """
    stopped: DeferredQueue[int] = DeferredQueue()
    _catchSignals(lambda signum: reactor.callFromThread(stopped.put, 128 + signum))
    address: Any = SERVERS[name](reactor).getHost()
    where = f"{address.host}:{address.port}"
    # No punctuation touches the address, so that a double click selects only it.
    writeIfReady(f"The {name} server listens on {where} (press Ctrl-C to stop it)\n", 1)
    return await stopped.get()


async def _run(reactor: Any, client: ClientTCPFactory, console: Console | None) -> int:
    """
    Run the client until it stops.

    @return: the exit status.
    """
    signalled = 0

    def interrupt(signum: signal.Signals) -> None:
        nonlocal signalled
        signalled = 128 + signum
        if console is None:
            reactor.callFromThread(client.shutdown)
        else:
            reactor.callFromThread(console.interrupt, signum.name)

    _catchSignals(interrupt)
    failure: Failure | None = None
    try:
        await client.start()
    except Exception:
        # The callbacks have told what it was.
        failure = Failure()
    if console is None:
        return signalled or exitStatus(failure)
    await console.close()
    return signalled or console.exitStatus(failure)


def main() -> None:
    """
    Run the command.

    @raise SystemExit: with its exit status, at the end.
    """
    try:
        _main()
    finally:
        flush()


def _main() -> NoReturn:
    options = Options()
    options.parseOptions()
    for descriptor in range(3):
        # If one is closed, the next file to be opened would get its number, and
        # anything that C libraries write to standard error.
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    from twisted.internet import reactor as _reactor

    reactor: Any = _reactor
    console: Console | None = None
    if options["client"] is not None:
        try:
            client = clientFrom(options, reactor)
        except UsageError as e:
            refuse(e)
    elif not options["demo"] and options["demo-server"] is None:
        console = Console(options, reactor)
        client = options.client(**console.callbacks())
    messages = _Messages(options)
    if console is not None and os.isatty(2) and not os.isatty(0):
        console.progress = messages.progress = Progress(reactor, console.look)
    status = 1

    def ended(result: int) -> None:
        nonlocal status
        status = result

    def start() -> None:
        work: Coroutine[Any, Any, int]
        if options["demo"]:
            work = _demonstrate(reactor)
        elif options["demo-server"] is not None:
            work = _serve(reactor, options["demo-server"])
        else:
            work = _run(reactor, client, console)
        done = Deferred.fromCoroutine(work).addCallback(ended)
        done.addErrback(lambda failure: _log.failure("this is a bug", failure))
        done.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    sys.exit(status)


if __name__ == "__main__":
    main()
