"""
Tests for L{Receiver}, which makes a framing of one of Twisted's receivers.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import (
    Int8StringReceiver,
    Int16StringReceiver,
    Int32StringReceiver,
    LineOnlyReceiver,
    LineReceiver,
    NetstringReceiver,
)
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.errors import (
    FramingError,
    InvalidRecord,
    RecordTooLong,
    TruncatedRecord,
)
from twisted_clienttcp.framing._receiver import Receiver

from .._streams import cuts, pieces, read


class Pipes(LineReceiver):
    """
    A user's: it overrides the hook, and attributes.
    """

    delimiter = b"||"
    MAX_LENGTH = 6

    def lineReceived(self, line: bytes) -> None:
        raise AssertionError("not called")


class Text(LineOnlyReceiver):
    """
    A user's that sends text.
    """

    def sendLine(self, line: Any) -> Any:
        return super().sendLine(line.encode("utf-8"))


CLASSES = [
    LineReceiver,
    LineOnlyReceiver,
    Int8StringReceiver,
    Int16StringReceiver,
    Int32StringReceiver,
    Pipes,
]

streams = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"|", b"||", b"\0", b"\0\1", b"\0\2", b"a", b"bc"])
).map(b"".join)


def received(cls: Any, chunks: list[bytes]) -> tuple[list[bytes], bool]:
    """
    @return: what such a receiver receives by itself, and whether it closes.
    """
    records: list[bytes] = []
    receiver = cls()
    receiver.lineReceived = receiver.stringReceived = records.append
    transport = StringTransport()
    receiver.makeConnection(transport)
    for chunk in chunks:
        if not transport.disconnecting:
            receiver.dataReceived(chunk)
    return records, transport.disconnecting


class ReceiverTests(SynchronousTestCase):
    """
    L{Receiver}.
    """

    @given(st.sampled_from(CLASSES), streams, cuts)
    def test_sameAsItsClass(self, cls: Any, data: bytes, at: list[int]) -> None:
        """
        The records are what the class receives, and it closes where there is a fault.
        """
        chunks = pieces(data, at)
        found, fault = read(Receiver(cls), chunks)
        self.assertEqual((found, fault is RecordTooLong), received(cls, chunks))

    @given(st.sampled_from(CLASSES[:5]), streams, cuts)
    def test_anyCut(self, cls: Any, data: bytes, at: list[int]) -> None:
        """
        However the stream is cut.
        """
        whole = read(Receiver(cls), [data])
        self.assertEqual(read(Receiver(cls), pieces(data, at)), whole)

    @given(st.sampled_from(CLASSES[:5]), streams, cuts, st.data())
    def test_release(self, cls: Any, data: bytes, at: list[int], choice: Any) -> None:
        """
        Released after any record, the octets are those of the stream behind it.
        """
        framing = Receiver(cls)
        chunks = pieces(data, at)
        stop = choice.draw(st.integers(0, len(chunks) - 1))
        try:
            found = [r for chunk in chunks[:stop] for r in framing.feed(chunk)]
        except RecordTooLong:
            return
        batch = []
        try:
            for record in framing.feed(chunks[stop]):
                batch.append(record)
        except RecordTooLong:
            pass
        delivered = choice.draw(st.integers(0, len(batch)))
        rest = framing.release(delivered) + b"".join(chunks[stop + 1 :])
        self.assertTrue(data.endswith(rest))
        again = read(framing, [rest])
        self.assertEqual(
            (found + batch[:delivered] + again[0], again[1]),
            read(Receiver(cls), [data]),
        )

    @given(st.sampled_from(CLASSES), st.lists(streams), cuts)
    def test_reversible(self, cls: Any, records: list[bytes], at: list[int]) -> None:
        """
        What can be sent is read back; what would not be is refused.
        """
        framing = Receiver(cls)
        framed, kept = b"", []
        for record in records:
            try:
                framed += framing.frame(record)
            except (InvalidRecord, RecordTooLong):
                pass
            else:
                kept.append(record)
        self.assertEqual(read(framing, pieces(framed, at))[0], kept)

    def test_attributes(self) -> None:
        """
        Attributes of the class can be given, and only those.
        """
        framing = Receiver(LineReceiver, delimiter=b"|", MAX_LENGTH=2).clone()
        self.assertEqual(framing.frame(b"ab"), b"ab|")
        batch = iter(framing.feed(b"ab|abc|d|"))
        self.assertEqual(next(batch), b"ab")
        error = self.assertRaises(RecordTooLong, next, batch)
        self.assertEqual((error.length, error.maxLength, error.skipped), (3, 2, False))
        raised = self.assertRaises(TypeError, Receiver, LineReceiver, delimitr=b"|")
        self.assertIn("delimitr", str(raised))

    def test_tooLong(self) -> None:
        """
        Behind the good records, whichever class finds it.
        """
        for cls, data in (
            (LineReceiver, b"a\r\nbcd\r\ne\r\n"),
            (LineOnlyReceiver, b"a\r\nbcd\r\ne\r\n"),
            (Int8StringReceiver, b"\1a\3"),
            (Int16StringReceiver, b"\0\1a\0\3"),
        ):
            framing = Receiver(cls, MAX_LENGTH=2)
            self.assertEqual(read(framing, [data]), ([b"a"], RecordTooLong))
            self.assertRaises(RecordTooLong, framing.frame, b"abc")
            self.assertEqual(list(framing.clone().feed(b"")), [])

    def test_lineOnlyAtItsLimit(self) -> None:
        """
        A LineOnlyReceiver judges half a delimiter as part of the line, and the framing
        says that.
        """
        framing = Receiver(LineOnlyReceiver, MAX_LENGTH=2)
        self.assertEqual(framing.feed(b"ab\r\n"), [b"ab"])
        self.assertEqual(read(framing, [b"ab\r", b"\n"]), ([], RecordTooLong))
        self.assertFalse(framing.chunkInvariant)
        for cls in (LineReceiver, Int8StringReceiver, Pipes):
            self.assertTrue(Receiver(cls).chunkInvariant)

    def test_releaseBeforeFault(self) -> None:
        """
        Octets that hold a fault are handed over like any others.
        """
        framing = Receiver(LineReceiver, MAX_LENGTH=2)
        batch = framing.feed(b"a\r\nb\r\nlong\r\n")
        self.assertEqual(next(iter(batch)), b"a")
        self.assertEqual(framing.release(1), b"b\r\nlong\r\n")
        self.assertEqual(framing.feed(b"c\r\n"), [b"c"])

    def test_frame(self) -> None:
        """
        The class sends; what it cannot take is the caller's fault.
        """
        self.assertEqual(Receiver(LineReceiver).frame(bytearray(b"a")), b"a\r\n")
        self.assertEqual(Receiver(Int8StringReceiver).frame(memoryview(b"a")), b"\1a")
        self.assertEqual(Receiver(Text).frame("\xe9"), b"\xc3\xa9\r\n")
        self.assertRaises(InvalidRecord, Receiver(LineReceiver).frame, b"a\r\nb")
        self.assertRaises(InvalidRecord, Receiver(Pipes).frame, b"a|")
        error = self.assertRaises(
            RecordTooLong, Receiver(Int8StringReceiver).frame, b"x" * 256
        )
        self.assertEqual(error.maxLength, 255)
        for cls in (LineReceiver, LineOnlyReceiver, Int32StringReceiver):
            framing = Receiver(cls)
            self.assertRaises(TypeError, framing.frame, "text")
            # Nothing of it is sent with the next.
            self.assertEqual(framing.frame(b"a"), Receiver(cls).frame(b"a"))

    def test_truncated(self) -> None:
        """
        What is unfinished is reported with its octets.
        """
        framing = Receiver(Int16StringReceiver)
        self.assertEqual(framing.feed(b"\0\1a\0"), [b"a"])
        self.assertEqual(framing.feed(b"\2b"), [])
        error = self.assertRaises(TruncatedRecord, list, framing.finish())
        self.assertEqual(error.rest, b"\0\2b")

    def test_closes(self) -> None:
        """
        A class that closes its transport, or pauses it, or reads raw, says so.
        """

        class Closes(LineReceiver):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                assert self.transport is not None
                self.transport.loseConnection()

        class Pauses(LineReceiver):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.pauseProducing()

        class Raw(LineReceiver):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.setRawMode()

        for cls, word in ((Closes, "closed"), (Pauses, "pause"), (Raw, "raw mode")):
            batch = iter(Receiver(cls).feed(b"a\r\n"))
            self.assertEqual(next(batch), b"a")
            error = self.assertRaises(FramingError, next, batch)
            self.assertIn(word, str(error))

    def test_greets(self) -> None:
        """
        A class that writes or asks when it is connected is refused when the framing is
        made.
        """

        class Greets(LineReceiver):
            def connectionMade(self) -> None:
                self.sendLine(b"hello")

        class Asks(LineReceiver):
            def connectionMade(self) -> None:
                assert self.transport is not None
                self.transport.getPeer()

        class Needs(LineReceiver):
            def __init__(self, argument: int) -> None:
                pass

        for cls in (Greets, Asks, Needs):
            error = self.assertRaises(TypeError, Receiver, cls)
            self.assertIn(cls.__name__, str(error))

    def test_arguments(self) -> None:
        """
        Other classes are refused.
        """
        for cls in (NetstringReceiver, str, LineReceiver(), None):
            raised = self.assertRaises(TypeError, Receiver, cls)
            self.assertIn("LineReceiver", str(raised))
