"""
Tests for L{Stream}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.framing import Stream
from twisted_clienttcp.framing._buffer import InputBuffer

from .._decoding import decode
from .._streams import cuts, pieces


class StreamTests(SynchronousTestCase):
    """
    L{Stream}.
    """

    @given(st.binary(), cuts)
    def test_decode(self, data: bytes, at: list[int]) -> None:
        """
        The bytes of each read are one record.
        """
        chunks = pieces(data, at)
        for many in (True, False):
            found = decode(Stream(), chunks, many)
            self.assertEqual(found, ([chunk for chunk in chunks if chunk], [], b""))

    def test_takesOver(self) -> None:
        """
        The bytes behind the records of another framing are one record.
        """
        buffer = InputBuffer(Stream())
        buffer.append(b"ab")
        buffer.append(b"cd")
        self.assertEqual(buffer.decode(), [b"abcd"])
        self.assertEqual(buffer.takeRest(), b"")

    def test_encode(self) -> None:
        """
        Bytes are sent as they are.
        """
        self.assertEqual(Stream().encode(b"a\r\nb"), b"a\r\nb")
        self.assertEqual(Stream().encode(bytearray(b"a")), b"a")
        self.assertRaises(TypeError, Stream().encode, "text")

    def test_properties(self) -> None:
        """
        The records depend on the reads.
        """
        self.assertFalse(Stream().chunkInvariant)
        self.assertTrue(Stream().reversible)
        self.assertEqual(repr(Stream().fresh()), "Stream()")
