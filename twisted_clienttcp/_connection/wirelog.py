"""
The wire log: its entries, and what they show of the bytes that pass.
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

#: The number of bytes in a line.
_WIDTH = 16

#: The character for each byte: a dot for those that are not printable.
_CHARACTERS = bytes(byte if 32 <= byte < 127 else ord(".") for byte in range(256))


_BINARY = (io.RawIOBase, io.BufferedIOBase)


class WireLog:
    """
    A log for any number of clients: the value of their setting C{wireLog}.

    By default, it does not show what is exchanged before C{connected} has returned,
    because that may be a login: of these bytes, only the number is logged. The
    parameter C{hide} replaces this rule.

    If the log cannot be written, this is reported once in Twisted's log, and nothing is
    written from then on. Connections are not disturbed.

    @ivar limit: the most bytes that an entry shows.
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
            Entries are ASCII. The reactor waits until the file or the function has
            finished, so it should be fast; and the function must not call methods of
            the client.
        @param limit: the most bytes that an entry shows, from its beginning. An entry
            is a read, of up to 1 MiB, or a chunk of output, of up to 64 KiB.
        @param hide: C{hide(direction, data)}: called with C{">"} or C{"<"} and the
            bytes of an entry; returns the bytes to show, such as the same ones with
            asterisks for a password. It decides about all entries, including those
            before C{connected}: C{lambda direction, data: data} shows everything. A
            record may be divided between two entries. If it raises an exception, the
            entry is masked, and the first exception is logged.

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
        @return: the data as C{hide} shows it; None if that has raised an exception.
        """
        if self._hide is None:
            return data
        try:
            shown = self._hide(direction, data)
            if not isinstance(shown, bytes):
                # Its value may be the secret.
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
        Write an entry. If this raises an exception, report it, and write no more.

        @param clock: the clock, for the time and for exceptions that must be raised
            again.
        @param heading: the heading, without the time.
        @param data: the bytes to show.
        @param offset: the offset of the first one.
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
    The part of one connection in a wire log. Its methods raise no exceptions.
    """

    __slots__ = ("_clock", "_counts", "_log", "_masked", "_name")

    def __init__(self, log: WireLog, name: str, clock: IReactorTime) -> None:
        """
        @param name: the name of the client.
        """
        self._log = log
        self._clock = clock
        self._name = f"#{next(log._numbers)} {_printable(name)}"
        #: How many bytes have passed in each direction, and how many of them are masked
        #: because they may be a login.
        self._counts = {OUT: 0, IN: 0}
        self._masked = dict.fromkeys((OUT, IN), NEVER if log._hide is None else 0)

    def show(self, put: int) -> None:
        """
        Show the bytes that are put or received from now on.

        @param put: the number of bytes that were put until now. They may leave later.
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
        Add an entry for bytes that have been received, or are passed to the transport;
        or two, if only the first of them are masked.
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
    @return: a text on one line, in ASCII and without control characters, so that a name
        from elsewhere cannot look like an entry.
    """
    return ascii(text)[1:-1]


def hexdump(data: bytes, offset: int = 0) -> Iterator[str]:
    """
    @param offset: the offset of the first byte.

    @return: the lines of C{hexdump -C}.
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
