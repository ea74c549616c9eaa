"""
The progress line for a long send, on a terminal.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from .stdio import writeIfReady

#: The seconds between updates. If everything is sent in less time, no line is shown.
INTERVAL = 1.0

#: Erases a line of a terminal.
ERASE = "\r\x1b[K"


def size(number: float) -> str:
    """
    @return: a number of bytes as text, with a unit.
    """
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"


class Progress:
    """
    A line that is updated every second while data is being sent.
    """

    def __init__(
        self,
        clock: IReactorTime,
        look: Callable[[], tuple[int, int]],
        write: Callable[[str], None] = writeIfReady,
    ) -> None:
        """
        @param look: returns the number of bytes put so far, and how many of them are
            pending.
        @param write: writes to the terminal.
        """
        self._write = write
        self._look = look
        self._sent = 0
        self._isShown = False
        self._marks = ""
        self._call = LoopingCall(self._update)
        self._call.clock = clock

    def start(self, highMark: int | None, lowMark: int | None) -> None:
        """
        Begin to show the line.

        @param highMark: the high mark in bytes; None if it is not set.
        @param lowMark: the low mark in bytes; None if it is not set. The line shows the
            marks if both are set.
        """
        if highMark is not None and lowMark is not None:
            self._marks = f" (marks {size(highMark)}, {size(lowMark)})"
        if not self._call.running:
            self._call.start(INTERVAL, now=False)

    def stop(self) -> None:
        """
        Erase the line, and update it no more.
        """
        if self._call.running:
            self._call.stop()
        self.hide()

    def hide(self) -> None:
        """
        Erase the line until the next update, to make room for other text.
        """
        if self._isShown:
            self._isShown = False
            self._write(ERASE)

    def _update(self) -> None:
        put, pending = self._look()
        sent = put - pending
        rate = max(sent - self._sent, 0) / INTERVAL
        self._sent = sent
        if rate or pending:
            self._isShown = True
            self._write(
                f"{ERASE}{size(sent)} sent, {size(rate)}/s, {size(pending)} pending"
                f"{self._marks}"
            )
        else:
            self.hide()
