"""
The wire log, which shows the bytes that connections send and receive.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from itertools import count
from typing import TextIO

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from .._logevents import HIDE_FAILED, WIRE_FAILED, WIRE_STOPPED
from .._validators import byteCount, callback
from .queue import NEVER

#: The directions: output and input.
OUT, IN = ">", "<"

#: The number of bytes on each line of a hex dump.
_WIDTH = 16

#: The character for each byte: a dot for those that are not printable.
_CHARACTERS = bytes(byte if 32 <= byte < 127 else ord(".") for byte in range(256))


_BINARY = (io.RawIOBase, io.BufferedIOBase)


class WireLog:
    """
    A log of the bytes that clients send and receive: the value of the setting
    C{wireLog} of any number of clients.

    By default, the bytes exchanged before C{connected} has returned are masked, because
    they may contain a password: only their number is logged. The parameter C{hide}
    replaces this rule.

    If the log cannot be written, this is reported once in Twisted's log, and the wire
    log stops. The connections continue.

    @ivar limit: the greatest number of bytes that an entry shows.
    """

    def __init__(
        self,
        output: TextIO | Callable[[str], object],
        *,
        limit: int = 1024,
        hide: Callable[[str, bytes], bytes] | None = None,
    ) -> None:
        """
        @param output: a text file, to which each entry is written and flushed; or a
            function that is called with each entry, without a newline at its end.
            Entries are ASCII. Writing blocks the reactor, so it should be fast. The
            function must not call methods of the client.
        @param limit: the greatest number of bytes that an entry shows, from its
            beginning. An entry is a read, of up to 1 MiB, or a chunk of output, of up
            to 64 KiB.
        @param hide: C{hide(direction, data)}: a function that is called with C{">"}
            (sent) or C{"<"} (received) and the bytes of an entry, and returns the bytes
            to show: for example, the same bytes with asterisks in place of a password.
            It is called for all entries, including those before C{connected}: C{lambda
            direction, data: data} shows everything. A record may be split between two
            entries. If the function raises an exception, the entry is masked, and the
            first exception is logged.

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if the limit is negative.
        """
        if callable(output):
            self._write = callback("output", output, ("entry",))
        elif hasattr(output, "write") and not isinstance(output, _BINARY):
            self._write = lambda entry: _writeLine(output, entry)
        else:
            raise TypeError(
                f"output must be a text file or a function, not {output!r}: to log to "
                "a new file, pass open(path, 'a')"
            )
        self.limit = byteCount("limit", limit)
        self._hide = callback("hide", hide, ("direction", "data"))
        self._numbers = count(1)
        self._hasStopped = False
        self._hasRaised = False

    def _shown(self, clock: IReactorTime, direction: str, data: bytes) -> bytes | None:
        """
        @return: the bytes that C{hide} returns for the data; None if it has raised an
            exception.
        """
        if self._hide is None:
            return data
        try:
            shown = self._hide(direction, data)
            if not isinstance(shown, bytes):
                # The value itself may contain the secret.
                raise TypeError(f"hide must return bytes, not {type(shown).__name__}")
        except Exception:
            if not self._hasRaised:
                self._hasRaised = True
                HIDE_FAILED.log(self, {"log_failure": Failure()})
        except BaseException:
            clock.callLater(0, Failure().raiseException)
        else:
            return shown
        return None

    def _add(
        self, clock: IReactorTime, heading: str, data: bytes = b"", offset: int = 0
    ) -> None:
        """
        Write an entry. If this raises an exception, log it and stop the wire log.

        @param clock: the clock, for the time and for exceptions that must be raised
            again.
        @param heading: the heading, without the time.
        @param data: the bytes to show.
        @param offset: the offset of the first byte in the stream.
        """
        if self._hasStopped:
            return
        try:
            moment = datetime.fromtimestamp(clock.seconds(), timezone.utc)
            time = moment.replace(tzinfo=None).isoformat(timespec="microseconds")
            self._write("\n".join([f"{time}Z {heading}", *hexdump(data, offset)]))
        except OSError as error:
            self._hasStopped = True
            WIRE_STOPPED.log(self, {"error": error})
        except Exception:
            self._hasStopped = True
            WIRE_FAILED.log(self, {"log_failure": Failure()})
        except BaseException:
            clock.callLater(0, Failure().raiseException)


def _writeLine(file: TextIO, entry: str) -> None:
    file.write(f"{entry}\n")
    file.flush()


class ConnectionLog:
    """
    The part of a wire log that belongs to one connection. Its methods never raise
    exceptions.
    """

    __slots__ = ("_clock", "_counts", "_log", "_masked", "_name")

    def __init__(self, log: WireLog, name: str, clock: IReactorTime) -> None:
        """
        @param log: the wire log.
        @param name: the name of the client.
        @param clock: the clock, for the time of each entry.
        """
        self._log = log
        self._clock = clock
        self._name = f"#{next(log._numbers)} {_printable(name)}"
        #: For each direction, the number of bytes so far, and how many bytes at the
        #: beginning are masked because they may contain a password.
        self._counts = {OUT: 0, IN: 0}
        self._masked = dict.fromkeys((OUT, IN), NEVER if log._hide is None else 0)

    def show(self, put: int) -> None:
        """
        Show the bytes that are put or received from now on.

        @param put: the number of bytes that were put until now. They stay masked even
            if they are sent later.
        """
        self._masked[OUT] = min(self._masked[OUT], put)
        self._masked[IN] = 0

    def note(self, text: str) -> None:
        """
        Add an entry without bytes.
        """
        self._log._add(self._clock, f"{self._name} {_printable(text)}")

    def passed(self, direction: str, data: bytes) -> None:
        """
        Add an entry for bytes that were received or are about to be sent. Add two
        entries if only the first of the bytes are masked.

        @param direction: L{OUT} or L{IN}.
        @param data: the bytes.
        """
        log, offset, length = self._log, self._counts[direction], len(data)
        if log._hasStopped:
            return
        self._counts[direction] += length
        masked = min(max(self._masked[direction] - offset, 0), length)
        if masked:
            self._add(direction, offset, masked, ["masked"])
        if masked == length:
            return
        shown = log._shown(self._clock, direction, data)
        notes = []
        if shown is None:
            notes.append("masked")
            shown = b""
        elif shown != data:
            notes.append("edited")
        if len(shown) - masked > log.limit:
            notes.append(f"first {log.limit} shown")
        part = shown[masked : masked + log.limit]
        self._add(direction, offset + masked, length - masked, notes, part)

    def _add(
        self,
        direction: str,
        offset: int,
        length: int,
        notes: list[str],
        shown: bytes = b"",
    ) -> None:
        what = ", ".join([f"{direction} offset {offset}", f"length {length}", *notes])
        self._log._add(self._clock, f"{self._name} {what}", shown, offset)


def _printable(text: str) -> str:
    """
    @return: a text on one line, in ASCII and without control characters, so that it
        cannot forge an entry.
    """
    return ascii(text)[1:-1]


def hexdump(data: bytes, offset: int = 0) -> Iterator[str]:
    """
    @param offset: the offset of the first byte.

    @return: the lines, in the format of C{hexdump -C}.
    """
    for start in range(0, len(data), _WIDTH):
        line = data[start : start + _WIDTH]
        first, second = line[:8].hex(" "), line[8:].hex(" ")
        text = line.translate(_CHARACTERS).decode("ascii")
        yield f"{offset + start:08x}  {first:23}  {second:23}  |{text}|"


def wireLogFrom(name: str, value: object) -> WireLog | None:
    """
    Validate the setting C{wireLog}.

    @raise TypeError: if the value is neither a L{WireLog} nor None.
    """
    if value is not None and not isinstance(value, WireLog):
        raise TypeError(
            f"{name} must be a WireLog, as in {name}=WireLog(sys.stderr), not {value!r}"
        )
    return value
