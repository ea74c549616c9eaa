"""
Tests for L{Netstring}.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import NetstringReceiver
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.errors import FramingError, RecordTooLong
from twisted_clienttcp.framing import Netstring

from .._decoding import decode, decodeEachWay
from .._streams import cuts, pieces

#: Bytes of which many are netstrings, or nearly.
noise = st.lists(
    st.sampled_from(
        [b"0", b"1", b"12", b":", b",", b"a", b"+", b" ", b"_", b"0:,", b"3:abc,"]
    )
    | st.binary(max_size=12).map(Netstring().encode)
).map(b"".join)


class NetstringTests(SynchronousTestCase):
    """
    L{Netstring}.
    """

    @given(
        st.sampled_from([1, 5, 500]), st.sampled_from(["close", "skip"]), noise, cuts
    )
    def test_anyBytes(
        self, maxLength: int, onTooLong: str, data: bytes, at: list[int]
    ) -> None:
        """
        Records, errors and the rest do not depend on how the stream is split or on how
        many netstrings are decoded at once.
        """
        framing = Netstring(maxLength=maxLength, onTooLong=onTooLong)
        found = decodeEachWay(framing, data, at)
        self.assertTrue(all(len(record) <= maxLength for record in found.records))

    @given(st.lists(st.binary(max_size=200)), cuts)
    def test_reversible(self, records: list[bytes], at: list[int]) -> None:
        """
        Encoded records are decoded.
        """
        stream = Netstring().encodeMany(records)
        self.assertEqual(decode(Netstring(), pieces(stream, at)), (records, [], b""))

    @given(noise, cuts, st.sampled_from([2, 11, 500]))
    def test_receiver(self, data: bytes, at: list[int], limit: int) -> None:
        """
        Any bytes, with a limit, produce the same records as in C{NetstringReceiver}.
        It checks the digits of a length as they arrive, we when the colon is there.
        """
        receiver: Any = NetstringReceiver()
        receiver.MAX_LENGTH = limit
        records: list[bytes] = []
        receiver.stringReceived = records.append
        transport = StringTransport()
        receiver.makeConnection(transport)
        chunks = pieces(data, at)
        for chunk in chunks:
            if not transport.disconnecting:
                receiver.dataReceived(chunk)
        found = decode(Netstring(maxLength=limit), chunks)
        self.assertEqual(found.records, records)
        if transport.disconnecting and not found.errors:
            self.assertTrue(found.rest.isdigit())
        else:
            self.assertEqual(transport.disconnecting, bool(found.errors))

    def test_garbage(self) -> None:
        """
        Bytes that are not a netstring are an error, behind the records before them.
        """
        for wrong in (
            b"x",
            b":",
            b"1:b;",
            b"01:b,",
            b"00:,",
            b"+1:b,",
            b" 1:b,",
            b"1_0:bbbbbbbbbb,",
            b"9" * 19,
        ):
            found = decodeEachWay(Netstring(), b"1:a," + wrong, [])
            self.assertEqual(found, ([b"a"], [(1, FramingError)], b""), wrong)

    def test_incomplete(self) -> None:
        """
        A netstring that is not complete is left.
        """
        for rest in (b"0", b"12", b"9" * 18, b"0:", b"3:ab", b"3:abc"):
            found = decodeEachWay(Netstring(), b"1:a," + rest, [])
            self.assertEqual(found, ([b"a"], [], rest))

    def test_limitBeforeTheBody(self) -> None:
        """
        A length over the limit is an error before the record arrives.
        """
        found = decodeEachWay(Netstring(maxLength=5), b"6:", [])
        self.assertEqual(found, ([], [(0, RecordTooLong)], b""))

    def test_encode(self) -> None:
        """
        Records over the limit and those that are not bytes are rejected.
        """
        framing = Netstring(maxLength=5)
        self.assertEqual(framing.encode(bytearray(b"ab")), b"2:ab,")
        self.assertRaises(RecordTooLong, framing.encode, b"123456")
        self.assertRaises(TypeError, framing.encode, "text")

    def test_arguments(self) -> None:
        """
        The error for a wrong argument names it.
        """
        for arguments in ({"maxLength": 0}, {"onTooLong": "split"}):
            error = self.assertRaises(ValueError, Netstring, **arguments)
            self.assertIn(next(iter(arguments)), str(error))
