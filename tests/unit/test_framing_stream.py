"""
Tests for L{Stream}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.framing import Stream

from .._streams import cuts, pieces, read


class StreamTests(SynchronousTestCase):
    """
    L{Stream}.
    """

    @given(st.binary(), cuts)
    def test_octets(self, data: bytes, at: list[int]) -> None:
        """
        The records are the reads, and their octets all octets.
        """
        chunks = pieces(data, at)
        self.assertEqual(read(Stream(), chunks), ([c for c in chunks if c], None))

    def test_frame(self) -> None:
        """
        Octets go out as they are.
        """
        self.assertEqual(Stream().frame(b"a\r\nb"), b"a\r\nb")
        self.assertEqual(Stream().frame(bytearray(b"a")), b"a")
        self.assertRaises(TypeError, Stream().frame, "text")

    def test_release(self) -> None:
        """
        What was not delivered is given back, once.
        """
        framing = Stream().clone()
        framing.feed(b"abc")
        self.assertEqual(framing.release(0), b"abc")
        self.assertEqual(framing.release(0), b"")
        framing.feed(b"abc")
        self.assertEqual(framing.release(1), b"")
