"""
The progress of a long send, on a terminal.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from .stdio import writeIfReady

#: The seconds between two looks; what is done sooner is not shown.
INTERVAL = 1.0

#: What takes a line of a terminal away.
ERASE = "\r\x1b[K"


def size(number: float) -> str:
    """
    @return: a number of bytes, with a unit.
    """
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"


class Progress:
    """
    One line, which is redrawn every second while data is being sent.
    """

    def __init__(
        self,
        clock: IReactorTime,
        look: Callable[[], tuple[int, int]],
        draw: Callable[[str], None] = writeIfReady,
    ) -> None:
        """
        @param look: returns the number of bytes put so far, and how many of them are
            pending.
        @param draw: draws.
        """
        self._write = draw
        self._look = look
        self._sent = 0
        self._drawn = False
        self._call = LoopingCall(self._draw)
        self._call.clock = clock
        self._marks = ""

    def start(self, highMark: int | None, lowMark: int | None) -> None:
        """
        Begin to draw.

        @param highMark: what is pending is shown against this, if there is such a one.
        """
        if highMark is not None and lowMark is not None:
            self._marks = f" (marks {size(highMark)}, {size(lowMark)})"
        if not self._call.running:
            self._call.start(INTERVAL, now=False)

    def stop(self) -> None:
        """
        Draw no more.
        """
        if self._call.running:
            self._call.stop()
        self.hide()

    def hide(self) -> None:
        """
        Make room for other words, until the next time.
        """
        if self._drawn:
            self._drawn = False
            self._write(ERASE)

    def _draw(self) -> None:
        put, pending = self._look()
        sent = put - pending
        rate = (sent - self._sent) / INTERVAL
        self._sent = sent
        if rate > 0 or pending:
            self._drawn = True
            self._write(
                f"{ERASE}{size(sent)} sent, {size(max(rate, 0))}/s, "
                f"{size(pending)} pending{self._marks}"
            )
        else:
            self.hide()
