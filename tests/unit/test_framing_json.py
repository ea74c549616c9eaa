"""
JSON as framings decode and encode it, and other values that must fill their block.
"""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_clienttcp.errors import FramingError, InvalidRecord, RecordTooLong
from twisted_clienttcp.framing import Framing, JSONLines, JSONValues, Serialized
from twisted_clienttcp.testing import decodeAll

from .._decoding import decoded, replaced, singly
from .._streams import cuts, pieces

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
    b"'a'",
    b"01",
    b"1-2",
    b"\xff",
    b"[}",
    b'"\n"',
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

#: Bytes in which the delimiters of JSON values are frequent.
streams = st.lists(
    st.sampled_from(
        [*b'[]{}"\\ \n,:', b"1", b"-2.5e3", b'"a"', b"true", b"fal", b"null"]
    )
).map(lambda parts: b"".join(bytes([p]) if isinstance(p, int) else p for p in parts))


def wire(framing: Framing[Any], data: bytes) -> bytes:
    """
    @return: the bytes that carry a serialized value.
    """
    if isinstance(framing, Serialized):
        return b"%d\0" % len(data) + data
    return data + b"\n"


class JSONTests(SynchronousTestCase):
    """
    Tests for valid JSON, with each framing that decodes it.
    """

    def framings(self) -> tuple[Framing[Any], ...]:
        return JSONLines(), Serialized(), JSONValues()

    def test_notJSON(self) -> None:
        """
        Text that is not JSON is an error after the values before it.
        """
        for data in NOT_JSON:
            for framing in self.framings():
                stream = wire(framing, b"0") + wire(framing, data)
                records, error = decodeAll(framing, [stream])
                self.assertEqual((records, type(error)), ([0], FramingError), data)

    def test_depth(self) -> None:
        """
        A value that is nested too deeply for the parser is an error.
        """
        deep = b"[" * 200_000 + b"]" * 200_000
        for framing in self.framings():
            records, error = decodeAll(framing, [wire(framing, deep)])
            self.assertEqual((records, type(error)), ([], FramingError))

    @given(st.text(alphabet='0123456789eE+-.[]",NaInfity', max_size=12))
    def test_finite(self, text: str) -> None:
        """
        Every value that is decoded can be written as JSON.
        """
        for framing in self.framings():
            for record in decodeAll(framing, [wire(framing, text.encode())])[0]:
                json.dumps(record, allow_nan=False)

    def test_notFinite(self) -> None:
        """
        NaN and infinite numbers are rejected on output.
        """
        for value in (math.nan, math.inf, [{"a": -math.inf}]):
            for framing in self.framings():
                self.assertRaises(InvalidRecord, framing.encode, value)


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
                data = framing.encode(value).partition(b"\0")[2]
                self.assertEqual(
                    decodeAll(framing, [wire(framing, data)]), ([value], None)
                )
                if name == "json" and not compress and not extra.strip():
                    # White space after a JSON text belongs to it.
                    continue
                longer = wire(framing, data + extra)
                if name == "json" and isinstance(value, (int, float)):
                    # More digits make another number.
                    longer = wire(framing, data + b" " + extra)
                self.assertIsInstance(decodeAll(framing, [longer])[1], FramingError)


class JSONValuesTests(SynchronousTestCase):
    """
    L{JSONValues}.
    """

    @given(streams, cuts, st.sampled_from([(1 << 20, "close"), (3, "skip")]))
    def test_anySplit(self, data: bytes, at: list[int], limit: tuple[int, str]) -> None:
        """
        However the stream is split, and one by one or together, the same values and
        errors result.
        """
        framing = JSONValues(maxLength=limit[0], onTooLong=limit[1])
        whole = decoded(framing, [data])
        for chunks in (pieces(data, at), singly(data)):
            self.assertEqual(decoded(framing, chunks), whole)
            self.assertEqual(decoded(framing, chunks, oneByOne=True), whole)

    @given(st.lists(values), st.lists(st.sampled_from([b"", b" \r\n\t"])), cuts)
    def test_reversible(
        self, records: list[Any], spaces: list[bytes], at: list[int]
    ) -> None:
        """
        Encoded values are decoded, with and without more white space.
        """
        framing = JSONValues()
        data = b"".join(map(framing.encode, records))
        self.assertEqual(data, framing.encodeMany(records))
        for space in spaces:
            data = space + data.replace(b"\n", b"\n" + space)
        self.assertEqual(decoded(framing, pieces(data, at)), (records, b""))

    @given(st.lists(values), cuts, st.data())
    def test_replaced(self, records: list[Any], at: list[int], choice: Any) -> None:
        """
        Another framing can take over behind any value.
        """
        framing = JSONValues()
        chunks = pieces(b"".join(map(framing.encode, records)), at)
        stop = choice.draw(st.integers(0, len(chunks) - 1))
        count = choice.draw(st.integers(0, len(records)))
        self.assertEqual(replaced(framing, chunks, stop, count), (records, b""))

    def test_values(self) -> None:
        """
        Values need nothing between them, apart from two numbers.
        """
        for data, records in (
            (b'{"a":1}{"b":[2]}', [{"a": 1}, {"b": [2]}]),
            (b'[]"a""b"1"c"', [[], "a", "b", 1, "c"]),
            (b'truefalsenull1true-2.5[""]', [True, False, None, 1, True, -2.5, [""]]),
            (b"1 2\t3\r\n4 ", [1, 2, 3, 4]),
            (rb'"\\" "\"" ["\\\"]"]', ["\\", '"', ['\\"]']]),
            (b'{"}":"]"}[{}]', [{"}": "]"}, [{}]]),
        ):
            for chunks in ([data], singly(data)):
                self.assertEqual(decoded(JSONValues(), chunks), (records, b""))

    def test_end(self) -> None:
        """
        The end of the stream completes a number, and nothing else.
        """
        for data, expected in (
            (b"1 23", ([1, 23], b"")),
            (b"-0.5e1", ([-5.0], b"")),
            (b"1e", ([], b"1e")),
            (b"-", ([], b"-")),
            (b"tru", ([], b"tru")),
            (b'[1, "', ([], b'[1, "')),
            (b"1 \n ", ([1], b"")),
            (b"", ([], b"")),
        ):
            self.assertEqual(decoded(JSONValues(), [data]), expected)

    def test_early(self) -> None:
        """
        Bytes that begin no value are an error at once; a value too long, as soon as
        that is known.
        """
        for data in (b"]", b"}", b",", b"trx", b"N", b"'"):
            self.assertEqual(decoded(JSONValues(), [data]), ([FramingError], b""))
        for data in (b"[1,2", b'"abc', b"12345", b"[123]"):
            found, _ = decoded(JSONValues(maxLength=3), [data])
            self.assertEqual(found, [RecordTooLong])
        self.assertEqual(decoded(JSONValues(maxLength=3), [b"[1]123 "])[0], [[1], 123])
        self.assertRaises(RecordTooLong, JSONValues(maxLength=3).encode, [12])

    def test_skip(self) -> None:
        """
        A value that is too long is skipped, whatever its kind.
        """
        framing = JSONValues(maxLength=3, onTooLong="skip")
        for long in (b"[1,2,3]", b'"a\\"]b"', b"12345", b"true", b'{"a":"\\\\"}'):
            data = b"1 " + long + b" [2]"
            for chunks in ([data], singly(data)):
                self.assertEqual(
                    decoded(framing, chunks)[0], [1, RecordTooLong, [2]], long
                )

    def test_fresh(self) -> None:
        """
        A fresh framing knows nothing of the value that the other one skips or scans.
        """
        framing = JSONValues(maxLength=3, onTooLong="skip")
        self.assertEqual(framing.decode(b'"a', 0, 0), None)
        framing.skip(b'"a', 0, 0)
        self.assertEqual(decoded(framing, [b"[1]"]), ([[1]], b""))
