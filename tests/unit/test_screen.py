"""
Tests for received records on a terminal.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._command.screen import LONGEST, Screen
from twisted_clienttcp.framing import Line, Stream
from twisted_clienttcp.framing._buffer import InputBuffer


class ScreenTests(SynchronousTestCase):
    """
    Tests for L{Screen}, with lines.
    """

    def setUp(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.clock = Clock()
        self.written: list[bytes] = []
        self.screen = Screen(self.clock, self.written.append)
        framing = Line().fresh()
        self.screen.watch(framing)
        self.buffer = InputBuffer(framing)

    def receive(self, data: bytes, turn: bool = True) -> bytes:
        """
        Receive data as a client does.

        @param turn: False if more arrives in the same turn of the reactor.

        @return: what is shown then.
        """
        self.written.clear()
        self.buffer.append(data)
        while (records := self.buffer.decode(many=True)) is not None:
            for record in records:
                self.screen.show(record + b"\n")
        if turn:
            self.clock.advance(0)
        return b"".join(self.written)

    def test_prompt(self) -> None:
        """
        An incomplete line is shown at once; the rest of the line follows it.
        """
        self.assertEqual(self.receive(b"hello\r\nlogin: "), b"hello\nlogin: ")
        self.assertEqual(self.receive(b"ann"), b"ann")
        self.assertEqual(self.receive(b"\r\nnext\r\n"), b"\nnext\n")
        self.assertEqual(self.receive(b"> "), b"> ")

    def test_completed(self) -> None:
        """
        A line that is completed in the same turn is shown once.
        """
        self.assertEqual(self.receive(b"a", turn=False), b"")
        self.assertEqual(self.receive(b"b\n"), b"ab\n")

    def test_long(self) -> None:
        """
        The prompt has a bound; the whole line follows.
        """
        line = b"x" * 3 * LONGEST
        self.assertEqual(self.receive(line), line[:LONGEST])
        self.assertEqual(self.receive(line), b"")
        self.assertEqual(self.receive(b"\n"), (line * 2)[LONGEST:] + b"\n")

    @given(some.lists(some.sampled_from([b"a", b"\n", b"\xc3", b"\xa4", b"xyz"])))
    def test_pieces(self, pieces: list[bytes]) -> None:
        """
        However the data arrives, the same text is shown.
        """
        self.begin()
        shown = b"".join([self.receive(piece) for piece in pieces])
        self.begin()
        whole = self.receive(b"".join(pieces))
        self.assertEqual(shown.decode(), whole.decode())

    def test_visible(self) -> None:
        """
        Control characters are visible; newlines, tabs and letters stay as they are.
        """
        for data, shown in (
            (b"\x1b[2J", "^[[2J"),
            (b"a\tb\x00\x7f\x07", "a\tb^@^?^G"),
            ("\u00e4\u20ac".encode(), "\u00e4\u20ac"),
            ("\x9b1m".encode(), r"\x9b1m"),
            (b"\x9b1m", r"\x9b1m"),
            (b"\xff", r"\xff"),
        ):
            self.begin()
            self.assertEqual(self.receive(data + b"\n").decode(), shown + "\n")

    def test_stream(self) -> None:
        """
        A character may arrive in two parts.
        """
        stream = Stream().fresh()
        for part in ("\u20ac".encode()[:1], "\u20ac".encode()[1:]):
            records, _ = stream.decode(part, 0, 0) or ([], 0)
            for record in records:
                self.screen.show(record)
        self.assertEqual(b"".join(self.written), "\u20ac".encode())
