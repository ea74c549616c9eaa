"""
The command C{clienttcp}, also C{python -m twisted_clienttcp}.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
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
from zope.interface import provider

from . import ClientTCPFactory
from ._console import Console
from ._demo import DemoFailed, demo
from ._options import FRAMINGS, CommandOptions

_log = Logger()


@provider(ILogObserver)
def _observe(event: LogEvent) -> None:
    text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    print(f"clienttcp: {text}", file=sys.stderr)


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


async def _run(reactor: Any, client: ClientTCPFactory, console: Console) -> int:
    """
    Run the client until it stops.

    @return: the exit status.
    """
    status = 0

    def interrupt(signum: int, frame: object) -> None:
        nonlocal status
        status = 128 + signum
        # The second one ends the process at once.
        signal.signal(signum, signal.SIG_DFL)
        reactor.callFromThread(console.interrupt, signal.Signals(signum).name)

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, interrupt)
    try:
        await client.start()
    except Exception:
        # The console has told what it was.
        status = status or 1
    await console.close()
    return status or int(console.lost)


def main() -> None:
    """
    Run the command.

    @raise SystemExit: with its exit status, at the end.
    """
    options = CommandOptions()  # type: ignore[no-untyped-call]
    options.parseOptions()
    if not options["demo"]:
        console = Console(FRAMINGS[options["framing"]], staying=False)
        client = options.client(
            autoReconnect=bool(options["reconnect"]), **console.callbacks()
        )
    for descriptor in range(3):
        # One that was closed by the caller would be that of the reactor's own next.
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    quiet = LogLevelFilterPredicate(LogLevel.warn)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(_observe, [quiet])], redirectStandardIO=False
    )
    from twisted.internet import reactor as _reactor

    reactor: Any = _reactor
    status = 1

    def ended(result: int) -> None:
        nonlocal status
        status = result

    def start() -> None:
        work: Coroutine[Any, Any, int]
        if options["demo"]:
            work = _demonstrate(reactor)
        else:
            work = _run(reactor, client, console)
        done = Deferred.fromCoroutine(work).addCallback(ended)
        done.addErrback(lambda failure: _log.failure("this is a bug", failure))
        done.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    # Whoever shares it expects to find it so.
    os.set_blocking(0, True)
    sys.exit(status)


if __name__ == "__main__":
    main()
