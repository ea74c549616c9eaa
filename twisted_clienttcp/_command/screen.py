"""
Print received records on a terminal.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..framing._base import AnyFraming, Buffer

#: The greatest number of bytes of an incomplete line that are shown.
LONGEST = 4096

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _caret(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"^{chr(code ^ 64)}" if code < 128 else f"\\x{code:02x}"


class Screen:
    """
    Shows records, with control characters as visible text, so that a server cannot
    control the terminal. Also shows a prompt: the beginning of an incomplete line.
    """

    def __init__(self, clock: IReactorTime, write: Callable[[bytes], None]) -> None:
        """
        @param write: writes to the terminal.
        """
        self._clock = clock
        self._write = write
        # A read of a stream may end inside a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._prompt = b""
        #: The part of the prompt that is on the screen.
        self._shown = b""
        self._call: IDelayedCall | None = None

    def watch(self, framing: AnyFraming) -> None:
        """
        Show the beginnings of lines that this framing of a connection decodes.
        """
        decode = framing.decode

        def decoded(
            data: Buffer, start: int, searched: int
        ) -> tuple[list[object], int] | None:
            found = decode(data, start, searched)
            if found is None and searched - start < LONGEST:
                self._prompt = bytes(data[start : start + LONGEST]).removesuffix(b"\r")
                # Wait until the records before it have been delivered.
                if self._call is None:
                    self._call = self._clock.callLater(0, self._showPrompt)
            return found

        framing.decode = decoded  # type: ignore[method-assign]

    def _showPrompt(self) -> None:
        self._call = None
        shown, self._shown = self._shown, self._prompt
        self._print(self._prompt[len(shown) :])

    def show(self, record: bytes) -> None:
        """
        Show the text of a record.
        """
        if self._call is not None:
            self._call.cancel()
            self._call = None
        shown, self._shown = self._shown, b""
        self._print(record[len(shown) :])

    def _print(self, data: bytes) -> None:
        self._write(_CONTROL.sub(_caret, self._decoder.decode(data)).encode())
