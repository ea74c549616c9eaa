"""
Tests for the wire log: its entries, what it hides, and its own errors.
"""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection.wirelog import (
    IN,
    OUT,
    ConnectionLog,
    WireLog,
    hexdump,
)

from .._wirelog import Dump


class HexdumpTests(SynchronousTestCase):
    """
    The lines of bytes are those of C{hexdump -C}.
    """

    def test_example(self) -> None:
        """
        Each line has the offset, sixteen bytes in two groups, and their characters.
        These lines are from that program.
        """
        data = b"GET tea\r\n\x00\x1f\x7e\x7f\x80\xff|tea 42\r\n7"
        lines = [
            "00000000  47 45 54 20 74 65 61 0d  0a 00 1f 7e 7f 80 ff 7c  "
            "|GET tea....~...||",
            "00000010  74 65 61 20 34 32 0d 0a  37                       |tea 42..7|",
        ]
        self.assertEqual(list(hexdump(data)), lines)
        self.assertEqual(list(hexdump(b"")), [])

    def test_longOffset(self) -> None:
        """
        Offsets start with that of the first byte, and may have more than eight digits.
        """
        first, second = hexdump(bytes(17), 1 << 36)
        self.assertTrue(first.startswith("1000000000  00 "))
        self.assertTrue(second.startswith("1000000010  00 "))


class LogTestCase(SynchronousTestCase):
    """
    Tests with a log.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.file = io.StringIO()
        self.events: list[Any] = []

    def log(self, **options: Any) -> WireLog:
        return WireLog(self.file, **options)

    def connection(self, log: WireLog, name: str = "feed") -> ConnectionLog:
        return ConnectionLog(log, name, self.clock)

    def observe(self) -> None:
        """
        Collect the events of Twisted's log.
        """
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def problems(self) -> list[str]:
        """
        @return: the warnings and errors in Twisted's log.
        """
        bad = (LogLevel.warn, LogLevel.error, LogLevel.critical)
        return [e["log_format"] for e in self.events if e["log_level"] in bad]

    @property
    def text(self) -> str:
        return self.file.getvalue()


class EntryTests(LogTestCase):
    """
    The entries of a connection.
    """

    def test_entries(self) -> None:
        """
        A heading has the time in UTC, the number and the name of the connection, the
        direction, the offset in the stream of this direction, and the length.
        """
        connection = self.connection(self.log())
        connection.note("connected")
        connection.show(0)
        connection.passed(OUT, b"GET tea\r\n")
        self.clock.advance(1_700_000_000.25)
        connection.passed(IN, b"tea 42\r\n")
        connection.passed(OUT, b"bye")
        self.assertEqual(
            self.text.splitlines(),
            [
                "1970-01-01T00:00:00.000000Z #1 feed connected",
                "1970-01-01T00:00:00.000000Z #1 feed > offset 0, length 9",
                "00000000  47 45 54 20 74 65 61 0d  0a                       "
                "|GET tea..|",
                "2023-11-14T22:13:20.250000Z #1 feed < offset 0, length 8",
                "00000000  74 65 61 20 34 32 0d 0a                           "
                "|tea 42..|",
                "2023-11-14T22:13:20.250000Z #1 feed > offset 9, length 3",
                "00000009  62 79 65                                          |bye|",
            ],
        )

    def test_numbers(self) -> None:
        """
        The connections of all clients of a log have different numbers.
        """
        log = self.log()
        for name in ("feed", "feed", "other"):
            self.connection(log, name).note("connected")
        names = [line.split(" ", 1)[1] for line in self.text.splitlines()]
        wanted = ["#1 feed connected", "#2 feed connected", "#3 other connected"]
        self.assertEqual(names, wanted)

    def test_flushed(self) -> None:
        """
        Each entry is one write, and is flushed: it is not lost if the process is.
        """
        calls: list[str] = []

        class File(io.StringIO):
            def write(self, text: str) -> int:
                calls.append(text)
                return len(text)

            def flush(self) -> None:
                calls.append("flush")

        connection = self.connection(WireLog(File()))
        connection.show(0)
        connection.passed(OUT, b"x" * 100)
        entry, flush = calls
        self.assertEqual((entry.count("\n"), flush), (8, "flush"))

    def test_function(self) -> None:
        """
        Instead of a file, a function is called with each entry, without the newline at
        its end.
        """
        entries: list[str] = []
        connection = self.connection(WireLog(entries.append))
        connection.show(0)
        connection.passed(OUT, b"x")
        connection.note("closed")
        self.assertEqual([entry.count("\n") for entry in entries], [1, 0])

    def test_forged(self) -> None:
        """
        A name or a note with a newline, an escape sequence or another language does not
        look like an entry and cannot control a terminal: the log is ASCII, and each
        heading is one line.
        """
        connection = self.connection(self.log(), "feed\n1970 \x1b[2J\u2028\xe9")
        connection.note("lost: \r\nforged\x9b")
        [line] = self.text.splitlines()
        self.assertTrue(line.isascii() and line.isprintable())
        self.assertIn(r"feed\n1970 \x1b[2J\u2028\xe9 lost: \r\nforged\x9b", line)

    def test_limit(self) -> None:
        """
        An entry shows at most C{limit} bytes, and says so.
        """
        for limit in (0, 1, 16, 1024):
            self.file = io.StringIO()
            connection = self.connection(self.log(limit=limit))
            connection.show(0)
            cut = f"first {limit} shown"
            lengths = {limit: "", limit + 1: cut, 1 << 20: cut}
            lengths.pop(0, None)
            for length in lengths:
                connection.passed(IN, b"x" * length)
            dump = Dump(self.text)
            self.assertEqual({e.length: e.note for e in dump.entries}, lengths)
            self.assertEqual({len(e.data) for e in dump.entries}, {limit})
            # A heading, and lines of at most 79 characters.
            bound = 100 + 80 * (limit // 16 + 1)
            self.assertLess(len(self.text), len(lengths) * bound)

    def test_memory(self) -> None:
        """
        However long the bytes are, only those that are shown are copied.
        """
        data = bytes(32 << 20)
        connections = [
            self.connection(WireLog(lambda entry: None, hide=hide))
            for hide in (None, lambda direction, data: data)
        ]
        connections[0].show(0)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for connection in connections:
            connection.passed(IN, data)
            connection.passed(OUT, data)
        _, peak = tracemalloc.get_traced_memory()
        self.assertLess(peak, 64 * 1024)

    def test_arguments(self) -> None:
        """
        Wrong arguments are rejected, with a message that has the name.
        """
        wrong: Any

        async def write(entry: str) -> None:
            pass

        for wrong in (None, 7, "wire.log", object(), io.BytesIO(), write):
            error = self.assertRaises(TypeError, WireLog, wrong)
            self.assertIn("output must be", str(error), wrong)
        for name, kind, wrong in (
            ("limit", TypeError, "1k"),
            ("limit", TypeError, None),
            ("limit", ValueError, -1),
            ("hide", TypeError, b"secret"),
            ("hide", TypeError, lambda data: data),
        ):
            error = self.assertRaises(kind, self.log, **{name: wrong})
            self.assertIn(name, str(error))

    @given(
        st.lists(st.tuples(st.sampled_from([OUT, IN]), st.binary(min_size=1))),
        st.integers(0, 200),
    )
    def test_complete(self, pieces: list[tuple[str, bytes]], limit: int) -> None:
        """
        The offsets, lengths and bytes of the entries are those of the two streams, up
        to the limit.
        """
        self.file = io.StringIO()
        connection = self.connection(self.log(limit=limit))
        connection.show(0)
        streams = {OUT: b"", IN: b""}
        for direction, data in pieces:
            connection.passed(direction, data)
            streams[direction] += data
        dump = Dump(self.text)
        self.assertEqual(len(dump.entries), len(pieces))
        counts = {OUT: 0, IN: 0}
        for entry, (direction, data) in zip(dump.entries, pieces, strict=True):
            offset = counts[direction]
            counts[direction] += len(data)
            self.assertEqual(
                (entry.direction, entry.offset, entry.length),
                (direction, offset, len(data)),
            )
            wanted = streams[direction][offset : offset + min(len(data), limit)]
            self.assertEqual(entry.data, wanted)


class HidingTests(LogTestCase):
    """
    What the log does not show.
    """

    def test_masked(self) -> None:
        """
        Without C{hide}, everything is masked until the log is to show it: of the
        output, that which was put before; of the input, that which has been received.
        """
        connection = self.connection(self.log())
        connection.passed(OUT, b"PASS secret\r\n")
        connection.passed(IN, b"secret ok\r\n")
        connection.show(20)
        connection.passed(OUT, b"secret\nGET")
        connection.passed(IN, b"tea")
        dump = Dump(self.text)
        self.assertEqual(
            [(e.direction, e.offset, e.length, e.note, e.data) for e in dump.entries],
            [
                (OUT, 0, 13, "masked", b""),
                (IN, 0, 11, "masked", b""),
                (OUT, 13, 7, "masked", b""),
                (OUT, 20, 3, "", b"GET"),
                (IN, 11, 3, "", b"tea"),
            ],
        )
        self.assertNotIn("secret", self.text)

    def test_onlyOnce(self) -> None:
        """
        Later calls hide nothing more.
        """
        connection = self.connection(self.log())
        connection.show(3)
        connection.show(100)
        connection.passed(OUT, b"123456")
        first, second = Dump(self.text).entries
        self.assertEqual((first.length, second.data), (3, b"456"))

    @given(st.lists(st.binary(min_size=1)), st.lists(st.binary(min_size=1)), st.data())
    def test_anySplit(
        self, before: list[bytes], after: list[bytes], data: st.DataObject
    ) -> None:
        """
        However the output is divided into chunks, exactly the bytes that were put
        before are masked.
        """
        self.file = io.StringIO()
        connection = self.connection(self.log(limit=1 << 20))
        secret, public = b"".join(before), b"".join(after)
        stream = secret + public
        sent = 0
        early = data.draw(st.integers(0, len(secret)))
        while sent < len(stream):
            if sent >= early:
                connection.show(len(secret))
            most = early if sent < early else len(stream)
            size = data.draw(st.integers(1, most - sent))
            connection.passed(OUT, stream[sent : sent + size])
            sent += size
        dump = Dump(self.text)
        shown = b"".join(e.data for e in dump.entries)
        hidden = sum(e.length for e in dump.entries if e.note == "masked")
        self.assertEqual((shown, hidden), (public, len(secret)))

    def test_hide(self) -> None:
        """
        C{hide} decides about everything, from the first byte on. It is called with the
        direction and all bytes of an entry, also those behind the limit.
        """
        calls: list[tuple[str, bytes]] = []

        def hide(direction: str, data: bytes) -> bytes:
            calls.append((direction, data))
            return data.replace(b"secret", b"***")

        connection = self.connection(self.log(hide=hide, limit=10))
        connection.passed(OUT, b"PASS secret\r\n")
        connection.show(0)
        connection.passed(IN, b"0123456789secret")
        self.assertEqual(calls, [(OUT, b"PASS secret\r\n"), (IN, b"0123456789secret")])
        first, second = Dump(self.text).entries
        self.assertEqual(
            (first.length, first.note, first.data), (13, "edited", b"PASS ***\r\n")
        )
        self.assertEqual(
            (second.length, second.note, second.data),
            (16, "edited, first 10 shown", b"0123456789"),
        )

    def test_nothingHidden(self) -> None:
        """
        An entry that C{hide} has not changed looks like any other.
        """
        for hide in (lambda way, data: data, lambda way, data: bytes([*data])):
            connection = self.connection(self.log(hide=hide))
            connection.passed(OUT, b"login")
            entry = Dump(self.text).entries[-1]
            self.assertEqual((entry.note, entry.data), ("", b"login"))

    def test_hideRaises(self) -> None:
        """
        If C{hide} raises an exception or returns something else than bytes, the entry
        is masked. This is reported once.
        """

        def broken(direction: str, data: bytes) -> Any:
            if data == b"text":
                return "secret"
            raise ZeroDivisionError(data)

        self.observe()
        connection = self.connection(self.log(hide=broken))
        for data in (b"text", b"secret", b"more secret"):
            connection.passed(OUT, data)
        self.assertEqual(
            [(e.length, e.note, e.data) for e in Dump(self.text).entries],
            [(4, "masked", b""), (6, "masked", b""), (11, "masked", b"")],
        )
        [problem] = self.problems()
        self.assertIn("hide", problem)
        [error] = self.flushLoggedErrors(TypeError)
        self.assertEqual(error.getErrorMessage(), "hide must return bytes, not str")


class ErrorTests(LogTestCase):
    """
    An error of the log does not disturb the connection.
    """

    def failing(self, error: BaseException) -> Callable[[str], object]:
        self.written: list[str] = []

        def write(entry: str) -> None:
            self.written.append(entry)
            raise error

        return write

    def test_diskFull(self) -> None:
        """
        An error of the system is reported once, and ends the log for all connections.
        """
        self.observe()
        hidden: list[bytes] = []

        def hide(direction: str, data: bytes) -> bytes:
            hidden.append(data)
            return data

        full = self.failing(OSError(28, "No space left on device"))
        log = WireLog(full, hide=hide)
        connections = [self.connection(log) for _ in range(2)]
        for connection in connections:
            connection.show(0)
            connection.passed(OUT, b"data")
            connection.note("closed")
        self.assertEqual((len(self.written), len(hidden)), (1, 1))
        [problem] = self.problems()
        self.assertIn("wire log has stopped", problem)
        [event] = [e for e in self.events if e["log_level"] is LogLevel.warn]
        self.assertIn("No space left", str(event["error"]))

    def test_closedFile(self) -> None:
        """
        Any other exception, such as that of a closed file, is reported in the same way,
        with its traceback.
        """
        self.observe()
        connection = self.connection(self.log())
        self.file.close()
        connection.note("connected")
        connection.note("closed")
        self.assertEqual(len(self.problems()), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_exit(self) -> None:
        """
        An exception that is not an C{Exception} is raised in a turn of its own.
        """
        for error in (SystemExit(3), KeyboardInterrupt()):
            connection = self.connection(WireLog(self.failing(error)))
            connection.note("connected")
            self.assertRaises(type(error), self.clock.advance, 0)
            connection.passed(OUT, b"data")
            self.assertRaises(type(error), self.clock.advance, 0)

            def hide(
                direction: str, data: bytes, error: BaseException = error
            ) -> bytes:
                raise error

            connection = self.connection(self.log(hide=hide))
            connection.passed(OUT, b"data")
            self.assertRaises(type(error), self.clock.advance, 0)
            self.assertNotIn("data", self.text)

    def test_badClock(self) -> None:
        """
        A time that is not a date ends the log too, not the connection.
        """
        self.observe()
        self.clock.rightNow = 1e30
        self.connection(self.log()).note("connected")
        self.assertEqual(len(self.problems()), 1)
        self.flushLoggedErrors()
