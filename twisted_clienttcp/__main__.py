"""
The command C{clienttcp}, also C{python -m twisted_clienttcp}.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    globalLogBeginner,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from ._command.options import Options
from ._command.progress import Progress
from ._command.status import EX_FAILED
from ._command.stdio import flush, writeIfReady
from ._command.tasks import taskFrom
from ._command.text import now
from ._logevents import BUG, CLIENT


@implementer(ILogObserver)
class _Messages:
    """
    Writes log events as messages to standard error.

    @ivar progress: the progress line, which makes room for them.
    """

    progress: Progress | None = None

    def __init__(self, options: Options) -> None:
        self._timestamps = options["timestamps"]
        levels = LogLevelFilterPredicate(LogLevel.warn)
        if options["verbose"]:
            # The user's callbacks may log in any namespace.
            ours = "" if "client" in options.given else "twisted_clienttcp"
            levels.setLogLevelForNamespace(ours, LogLevel.info)
            if ours:
                # The console reports the events of the client, each once.
                levels.setLogLevelForNamespace(CLIENT, LogLevel.warn)
        globalLogBeginner.beginLoggingTo(
            [FilteringLogObserver(self, [levels])], redirectStandardIO=False
        )

    def __call__(self, event: LogEvent) -> None:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if self.progress is not None:
            self.progress.hide()
        when = f"{now()} " if self._timestamps else ""
        writeIfReady(f"{when}clienttcp: {text}\n")


def main() -> None:
    """
    Run the command.

    @raise SystemExit: with the exit status, at the end.
    """
    try:
        _main()
    finally:
        flush()


def _announce(text: str) -> None:
    # No punctuation touches the address, so that a double click selects only it.
    writeIfReady(f"{text} (press Ctrl-C to stop it)\n", 1)


def _main() -> NoReturn:
    options = Options()
    options.parseOptions()
    for descriptor in range(3):
        # If a standard stream is closed, the next file to be opened would get its
        # number, and with it everything that C libraries write to standard error.
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    from twisted.internet import reactor as _reactor

    reactor: Any = _reactor
    task = taskFrom(options, reactor, _announce)
    messages = _Messages(options)
    if task.console is not None and os.isatty(2) and not os.isatty(0):
        messages.progress = Progress(reactor, task.console.look)
        task.console.progress = messages.progress
    signalled = 0
    status = EX_FAILED

    def interrupt(signum: int, frame: object) -> None:
        nonlocal signalled
        # The next signal of this kind ends the process immediately.
        signal.signal(signum, signal.SIG_DFL)
        signalled = 128 + signum
        reactor.callFromThread(task.stop, signal.Signals(signum).name)

    async def run() -> None:
        nonlocal status
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, interrupt)
        try:
            status = (await task.start()).status
        except Exception:
            BUG.log(task, {"log_failure": Failure()})
        finally:
            reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(run()))
    reactor.run()
    sys.exit(signalled or status)


if __name__ == "__main__":
    main()
