"""
JSON as framings read and write it, and other values that a framing must take whole.
"""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_clienttcp.errors import FramingError, InvalidRecord
from twisted_clienttcp.framing import Framing, JSONLines, Serialized

#: Texts that Python's L{json} reads although they are not JSON, or that become values
#: which JSON does not have.
NOT_JSON = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b'[1, {"a": 1E+400}]',
    b"%s.0" % (b"9" * 400),
    b"\xef\xbb\xbf1",
    '"é"'.encode("utf-16-le"),
    b"1 1",
    b"'a'",
    b"01",
    b"\xff",
    b"[" * 100_000,
    b"9" * 5000,
)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def wire(framing: Framing, data: bytes) -> bytes:
    """
    @return: the bytes that carry a serialized value.
    """
    return (
        data + b"\n" if isinstance(framing, JSONLines) else b"%d\0" % len(data) + data
    )


class JSONTests(SynchronousTestCase):
    """
    L{JSONLines} and L{Serialized} in JSON.
    """

    def framings(self) -> tuple[Framing, ...]:
        return JSONLines(), Serialized()

    def test_notJSON(self) -> None:
        """
        Text that is not JSON is an error after the values before it.
        """
        for data in NOT_JSON:
            for framing in self.framings():
                records = iter(framing.feed(wire(framing, b"0") + wire(framing, data)))
                self.assertEqual(next(records), 0)
                self.assertRaises(FramingError, next, records)

    @given(st.text(alphabet='0123456789eE+-.[]",NaInfity', max_size=12))
    def test_finite(self, text: str) -> None:
        """
        Every value that is read can be written as JSON.
        """
        for framing in self.framings():
            try:
                records = list(framing.feed(wire(framing, text.encode())))
            except FramingError:
                continue
            for record in records:
                json.dumps(record, allow_nan=False)

    def test_notFinite(self) -> None:
        """
        NaN and infinite numbers are refused on output.
        """
        for value in (math.nan, math.inf, [{"a": -math.inf}]):
            for framing in self.framings():
                self.assertRaises(InvalidRecord, framing.frame, value)


class WholeTests(SynchronousTestCase):
    """
    A block must contain one serialized value and nothing else.
    """

    @given(values, st.binary(min_size=1, max_size=8))
    def test_extra(self, value: Any, extra: bytes) -> None:
        """
        Bytes after the value are an error, with every serializer and with compression.
        """
        for name in ("json", "msgpack", "cbor"):
            for compress in (False, True):
                try:
                    framing = Serialized(serializer=name, compress=compress)
                except ImportError as error:
                    raise SkipTest(str(error)) from None
                data = framing.frame(value).partition(b"\0")[2]
                self.assertEqual(list(framing.feed(wire(framing, data))), [value])
                if name == "json" and not compress and not extra.strip():
                    # White space after a JSON text belongs to it.
                    continue
                longer = wire(framing, data + extra)
                if name == "json" and isinstance(value, (int, float)):
                    # More digits make another number.
                    longer = wire(framing, data + b" " + extra)
                self.assertRaises(FramingError, list, framing.feed(longer))
