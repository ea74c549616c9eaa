"""
Tests for L{JSONLines} and L{SLIP}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.errors import FramingError, InvalidRecord
from twisted_clienttcp.framing import SLIP, JSONLines


class ConvertedTests(SynchronousTestCase):
    """
    L{JSONLines} and L{SLIP}.
    """

    def test_json(self) -> None:
        """
        Values a line; empty lines are none; what is no JSON is a fault.
        """
        framing = JSONLines()
        self.assertEqual(framing.feed(b'{"a": 1}\n\n[2]\r\nnul'), [{"a": 1}, [2]])
        for wrong in (b"\n", b"NaN\n", b"\xff\n", b"[" * 100_000 + b"\n"):
            self.assertRaises(FramingError, list, JSONLines().feed(b"x" + wrong))
        self.assertEqual(framing.frame({"a": "ä"}), '{"a":"ä"}\n'.encode())
        self.assertRaises(InvalidRecord, framing.frame, float("nan"))
        self.assertRaises(TypeError, framing.frame, b"octets")

    def test_slip(self) -> None:
        """
        RFC 1055: END and ESC are escaped; an escape of anything else is a fault.
        """
        framing = SLIP()
        self.assertEqual(framing.frame(b"a\xc0\xdb"), b"\xc0a\xdb\xdc\xdb\xdd\xc0")
        self.assertEqual(
            framing.feed(b"\xc0a\xdb\xdc\xdb\xdd\xc0\xc0b"), [b"a\xc0\xdb"]
        )
        self.assertRaises(FramingError, list, framing.feed(b"\xdbx\xc0"))
        self.assertRaises(InvalidRecord, framing.frame, b"")

    def test_releaseCountsRecords(self) -> None:
        """
        Empty frames are no records, and do not count.
        """
        framing = SLIP()
        self.assertEqual(framing.feed(b"\xc0a\xc0\xc0b\xc0c"), [b"a", b"b"])
        self.assertEqual(framing.release(1), b"\xc0b\xc0c")
