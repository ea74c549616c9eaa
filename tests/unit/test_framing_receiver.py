"""
Receivers of Twisted as framings: the records are the ones that they receive.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

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

from twisted_clienttcp._connection.inbound import Inbound
from twisted_clienttcp.errors import FramingError, InvalidRecord, RecordTooLong
from twisted_clienttcp.framing import Receiver, _receiver
from twisted_clienttcp.framing._base import DIRECT
from twisted_clienttcp.framing._buffer import InputBuffer
from twisted_clienttcp.testing import decodeAll

from .._decoding import decoded, read, replaced
from .._streams import cuts, pieces


class Pipes(LineReceiver):
    """
    A user's class that overrides a method and attributes.
    """

    delimiter = b"||"
    MAX_LENGTH = 6

    def lineReceived(self, line: bytes) -> None:
        raise AssertionError("not called")


class Text(LineOnlyReceiver):
    """
    A user's class that sends text.
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
    @return: the records that such a receiver receives, and whether it closes.
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


class FailingOwner:
    """
    Owns an L{Inbound}, and keeps the types of its errors.
    """

    def __init__(self) -> None:
        self.errors: list[type[Exception]] = []
        self.inbound: Any = None

    def inputFailed(self, error: Exception) -> None:
        self.errors.append(type(error))
        self.inbound.stop()


class ReceiverTests(SynchronousTestCase):
    """
    L{Receiver}.
    """

    @given(st.sampled_from(CLASSES), streams, cuts)
    def test_sameAsItsClass(self, cls: Any, data: bytes, at: list[int]) -> None:
        """
        The records are those of the class, which closes where there is an error.
        """
        chunks = pieces(data, at)
        found, error = decodeAll(Receiver(cls), chunks)
        closes = isinstance(error, RecordTooLong)
        self.assertEqual((found, closes), received(cls, chunks))

    @given(st.sampled_from(CLASSES[:5]), streams, cuts)
    def test_anySplit(self, cls: Any, data: bytes, at: list[int]) -> None:
        """
        However the stream is split.
        """
        whole = decoded(Receiver(cls), [data])
        for oneByOne in (False, True):
            self.assertEqual(decoded(Receiver(cls), pieces(data, at), oneByOne), whole)

    @given(st.sampled_from(CLASSES[:5]), streams, cuts, st.data())
    def test_replaced(self, cls: Any, data: bytes, at: list[int], choice: Any) -> None:
        """
        Another framing continues with the bytes that the class holds.
        """
        framing = Receiver(cls)
        whole = decoded(framing, [data], end=False)
        if RecordTooLong in whole[0]:
            return
        chunks = pieces(data, at)
        stop = choice.draw(st.integers(0, len(chunks) - 1))
        count = choice.draw(st.integers(0, len(whole[0])))
        self.assertEqual(replaced(framing, chunks, stop, count), whole)

    @given(st.sampled_from([LineReceiver, LineOnlyReceiver, Pipes]), streams, cuts)
    def test_counted(self, cls: Any, data: bytes, at: list[int]) -> None:
        """
        If the class does not show the bytes that it holds, they are counted.
        """
        chunks = pieces(data, at)
        known = decoded(Receiver(cls), chunks)
        with patch.object(_receiver, "_HELD", "another name"):
            self.assertEqual(decoded(Receiver(cls), chunks), known)

    @given(st.sampled_from(CLASSES), st.lists(streams), cuts)
    def test_reversible(self, cls: Any, records: list[bytes], at: list[int]) -> None:
        """
        Encoded records are decoded; a record that would not be is rejected.
        """
        framing = Receiver(cls)
        encoded, kept = b"", []
        for record in records:
            try:
                encoded += framing.encode(record)
            except (InvalidRecord, RecordTooLong):
                pass
            else:
                kept.append(record)
        self.assertEqual(decodeAll(framing, pieces(encoded, at)), (kept, None))

    def test_attributes(self) -> None:
        """
        Attributes of the class can be given, and no others.
        """
        framing = Receiver(LineReceiver, delimiter=b"|", MAX_LENGTH=2)
        self.assertEqual(
            repr(framing), "Receiver(LineReceiver, delimiter=b'|', MAX_LENGTH=2)"
        )
        self.assertEqual(framing.encode(b"ab"), b"ab|")
        records, error = decodeAll(framing, [b"ab|abc|d|"])
        assert isinstance(error, RecordTooLong)
        self.assertEqual(records, [b"ab"])
        self.assertEqual((error.length, error.maxLength, error.skipped), (3, 2, False))
        raised = self.assertRaises(TypeError, Receiver, LineReceiver, delimitr=b"|")
        self.assertIn("delimitr", str(raised))

    def test_limit(self) -> None:
        """
        C{maxLength} is the limit of the class, and can be changed.
        """
        framing = Receiver(LineReceiver)
        self.assertEqual(framing.maxLength, LineReceiver.MAX_LENGTH)
        framing.maxLength = 1
        for each in (framing, framing.fresh()):
            self.assertRaises(RecordTooLong, each.encode, b"ab")
        self.assertEqual(decoded(framing, [b"a\r\nab\r\n"])[0], [b"a", RecordTooLong])
        self.assertEqual(LineReceiver.MAX_LENGTH, Receiver(LineReceiver).maxLength)

    def test_tooLong(self) -> None:
        """
        A record that is too long is an error behind the good records.
        """
        for cls, data in (
            (LineReceiver, b"a\r\nbcd\r\ne\r\n"),
            (LineOnlyReceiver, b"a\r\nbcd\r\ne\r\n"),
            (Int8StringReceiver, b"\1a\3"),
            (Int16StringReceiver, b"\0\1a\0\3"),
        ):
            framing = Receiver(cls, MAX_LENGTH=2)
            self.assertEqual(decoded(framing, [data])[0], [b"a", RecordTooLong])
            self.assertRaises(RecordTooLong, framing.encode, b"abc")

    def test_lineOnlyAtItsLimit(self) -> None:
        """
        A LineOnlyReceiver counts half a delimiter as part of the line, and the framing
        says so.
        """
        framing = Receiver(LineOnlyReceiver, MAX_LENGTH=2)
        self.assertEqual(decoded(framing, [b"ab\r\n"])[0], [b"ab"])
        self.assertEqual(decoded(framing, [b"ab\r", b"\n"])[0], [RecordTooLong])
        self.assertFalse(framing.chunkInvariant)
        for cls in (LineReceiver, Int8StringReceiver, Pipes):
            self.assertTrue(Receiver(cls).chunkInvariant)

    def test_replacedBeforeError(self) -> None:
        """
        Another framing gets the bytes in which the class has found an error.
        """
        for cls, data, rest in (
            (LineReceiver, b"a\r\nlong\r\nb\r\nc", b"long\r\nb\r\nc"),
            (LineOnlyReceiver, b"a\r\nlong\r\nb\r\nc", b"long\r\nb\r\nc"),
            (Int8StringReceiver, b"\1a\4long\1", b"\4long\1"),
        ):
            buffer = InputBuffer(Receiver(cls, MAX_LENGTH=2))
            buffer.append(data[:2])
            self.assertEqual(read(buffer)[1], True)
            buffer.append(data[2:])
            buffer.decode(many=True)
            buffer.use(Receiver(cls))
            self.assertEqual(buffer.rest, rest)

    def test_delivered(self) -> None:
        """
        Reads that are passed straight to the class result in the same records, one by
        one or in lists, also those that the callback passes on while it runs.
        """

        def feed(test: Any, record: Any) -> None:
            delivered.append(record)
            if record in (b"again", [b"again"]):
                inbound.feed(b"x\r\n" + b"y" * DIRECT)

        for batched in (False, True):
            delivered: list[Any] = []
            owner: Any = FailingOwner()
            fail: Any = self.fail
            framing = Receiver(LineReceiver, MAX_LENGTH=DIRECT + 1)
            inbound = Inbound(
                framing.fresh(),
                feed,
                self,
                owner.inputFailed,
                fail,
                fail,
                batched,
            )
            owner.inbound = inbound
            for chunk in (b"a", b"\r\nb", b"\r\n", b"again\r\n", b"\r\n", b"c\r\n"):
                inbound.feed(chunk)
            expected = [b"a", b"b", b"again", b"x", b"y" * DIRECT, b"c"]
            self.assertEqual(delivered, [[e] if batched else e for e in expected])
            inbound.feed(b"d\r\n" + b"z" * 2 * DIRECT)
            self.assertEqual(delivered[-1:], [[b"d"] if batched else b"d"])
            self.assertEqual(owner.errors, [RecordTooLong])

    def test_largeReads(self) -> None:
        """
        A large read is passed to the class in parts.
        """
        lengths: list[int] = []

        class Measures(LineReceiver):
            def dataReceived(self, data: bytes) -> None:
                lengths.append(len(data))
                super().dataReceived(data)

        records, error = decodeAll(Receiver(Measures), [b"a\r\n" * 100_000])
        self.assertEqual((len(records), error), (100_000, None))
        self.assertLessEqual(max(lengths), 64 * 1024)

    def test_encode(self) -> None:
        """
        The class sends; the caller gets an error for a record that it cannot send.
        """
        self.assertEqual(Receiver(LineReceiver).encode(bytearray(b"a")), b"a\r\n")
        self.assertEqual(Receiver(Int8StringReceiver).encode(memoryview(b"a")), b"\1a")
        self.assertEqual(Receiver(Text).encode("\xe9"), b"\xc3\xa9\r\n")
        self.assertRaises(InvalidRecord, Receiver(LineReceiver).encode, b"a\r\nb")
        self.assertRaises(InvalidRecord, Receiver(Pipes).encode, b"a|")
        error = self.assertRaises(
            RecordTooLong, Receiver(Int8StringReceiver).encode, b"x" * 256
        )
        self.assertEqual(error.maxLength, 255)
        for cls in (LineReceiver, LineOnlyReceiver, Int32StringReceiver):
            framing = Receiver(cls)
            self.assertRaises(TypeError, framing.encode, "text")
            # Nothing of it is sent with the next record.
            self.assertEqual(framing.encode(b"a"), Receiver(cls).encode(b"a"))

    def test_truncated(self) -> None:
        """
        An unfinished record is reported with its bytes.
        """
        self.assertEqual(
            decoded(Receiver(Int16StringReceiver), [b"\0\1a\0", b"\2b"]),
            ([b"a"], b"\0\2b"),
        )

    def test_closes(self) -> None:
        """
        A class that closes its transport, pauses it, or changes to raw mode is an error
        behind the records.
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
            records, error = decodeAll(Receiver(cls), [b"a\r\n"])
            self.assertEqual((records, type(error)), ([b"a"], FramingError))
            self.assertIn(word, str(error))

    def test_greets(self) -> None:
        """
        A class that writes or asks when it is connected is rejected when the framing is
        created.
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
        Other classes are rejected.
        """
        for cls in (NetstringReceiver, str, LineReceiver(), None):
            raised = self.assertRaises(TypeError, Receiver, cls)
            self.assertIn("LineReceiver", str(raised))
