"""
Serialized values: POE's results, and limits that hold for compressed bytes too.
"""

from __future__ import annotations

import copy
import pickle
import sys
import zlib
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_clienttcp.errors import FramingError, InvalidRecord, RecordTooLong
from twisted_clienttcp.framing import Serialized
from twisted_clienttcp.testing import decodeAll

from .._decoding import decoded, replaced, singly
from .._streams import cuts, pieces

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)

#: Cases that were recorded with POE.
RECORDED = b'11\0{"a":[1,2]}2\0[]10\0{"k":null}'
VALUES = [{"a": [1, 2]}, [], {"k": None}]


def wire(data: bytes) -> bytes:
    """
    @return: a block with this data.
    """
    return b"%d\0%b" % (len(data), data)


class SerializedTests(SynchronousTestCase):
    """
    L{Serialized}.
    """

    @given(st.lists(values), cuts, st.booleans())
    def test_reversible(self, records: list[Any], at: list[int], zipped: bool) -> None:
        """
        Encoded values are decoded, however they are split.
        """
        framing = Serialized(compress=zipped)
        encoded = b"".join(map(framing.encode, records))
        for oneByOne in (False, True):
            found = decoded(framing, pieces(encoded, at), oneByOne)
            self.assertEqual(found, (records, b""))

    @given(st.lists(values), cuts, st.booleans(), st.data())
    def test_replaced(
        self, records: list[Any], at: list[int], zipped: bool, choice: Any
    ) -> None:
        """
        Another framing can take over behind any record.
        """
        framing = Serialized(compress=zipped)
        chunks = pieces(b"".join(map(framing.encode, records)), at)
        stop = choice.draw(st.integers(0, len(chunks) - 1))
        count = choice.draw(st.integers(0, len(records)))
        self.assertEqual(replaced(framing, chunks, stop, count), (records, b""))

    def test_likePOE(self) -> None:
        """
        The cases that were recorded with POE.
        """
        framing = Serialized()
        self.assertEqual(b"".join(map(framing.encode, VALUES)), RECORDED)
        self.assertEqual(decodeAll(framing, [RECORDED]), (VALUES, None))
        zipped = bytes.fromhex(
            "313900789cab564a54b28a36d4318aad0500124b031f"
            "313000789c8b8e0500011500b9"
            "313800789cab56ca56b2ca2bcdc9a90500123f039d"
        )
        self.assertEqual(decodeAll(Serialized(compress=True), [zipped]), (VALUES, None))

    def test_malformed(self) -> None:
        """
        A block that is not a value is an error behind the good ones; so is a wrong
        length.
        """
        deep = b"[" * 200_000
        for data in (
            b"5\0{nope3\0[]",
            b"x3\0[1]",
            b"3\0NaN",
            b"2\0\xff\xff",
            b"0\0",
            wire(deep),
        ):
            for chunks in ([b"3\0[1]" + data], pieces(b"3\0[1]" + data, [3, 6, 8])):
                self.assertEqual(decoded(Serialized(), chunks)[0], [[1], FramingError])

    def test_anyError(self) -> None:
        """
        Any exception that a serializer raises for received bytes is a L{FramingError}.
        """
        for raised in (RecursionError, MemoryError, KeyError, RuntimeError):

            def loads(data: bytes, raised: Any = raised) -> Any:
                raise raised("reason")

            framing = Serialized(serializer=SimpleNamespace(dumps=str, loads=loads))
            records, error = decodeAll(framing, [b"1\0x"])
            self.assertEqual((records, type(error)), ([], FramingError))
            self.assertIn("reason", str(error))

    def test_bomb(self) -> None:
        """
        Data that is longer than the limit when decompressed is found out without
        decompressing it all.
        """
        for size, error in (
            (98, None),
            (99, RecordTooLong),
            (50_000_000, RecordTooLong),
        ):
            # Large enough for what is sent.
            limit = 100 if size < 100 else 100_000
            bomb = zlib.compress(b'"' + b"x" * size + b'"')
            framing = Serialized(compress=True, maxLength=limit)
            found, raised = decodeAll(framing, [wire(bomb)])
            self.assertEqual(len(found), error is None, size)
            self.assertIsInstance(raised, error or type(None))

    def test_bombIsNotDecompressed(self) -> None:
        """
        No more is decompressed than the limit and one byte, also if the limit has been
        changed.
        """
        asked = []

        class Decompressor:
            eof, unused_data = True, b""

            def decompress(self, data: bytes, most: int) -> bytes:
                asked.append(most)
                return b"x" * most

        self.patch(zlib, "decompressobj", Decompressor)
        framing = Serialized(compress=True, maxLength=10)
        self.assertIsInstance(decodeAll(framing, [b"1\0x"])[1], RecordTooLong)
        framing.maxLength = 20
        self.assertIsInstance(decodeAll(framing, [b"1\0x"])[1], RecordTooLong)
        self.assertEqual(asked[0], 11)
        self.assertEqual(asked[-1], 21)

    def test_brokenCompression(self) -> None:
        """
        Compressed data that is wrong, ends early, or has other bytes behind it.
        """
        good = zlib.compress(b"[]")
        for data in (b"xx", good[:-1], good + b"x"):
            found, _ = decoded(Serialized(compress=True), [wire(data)])
            self.assertEqual(found, [FramingError])

    def test_skip(self) -> None:
        """
        Values that are too long, as sent or decompressed, are skipped.
        """
        framing = Serialized(compress=True, maxLength=100, onTooLong="skip")
        bomb = zlib.compress(b"[" + b" " * 200 + b"]")
        small = framing.encode([1])
        data = small + wire(bomb) + small
        plain = Serialized(maxLength=4, onTooLong="skip")
        for each, stream, expected in (
            (framing, data, [[1], RecordTooLong, [1]]),
            (plain, b"2\0[]5\0[1,2]3\0[3]", [[], RecordTooLong, [3]]),
        ):
            for chunks in ([stream], singly(stream)):
                for oneByOne in (False, True):
                    found = decoded(each, chunks, oneByOne)
                    self.assertEqual(found, (expected, b""))

    def test_limit(self) -> None:
        """
        The length is checked before the value arrives, and before a value is sent.
        """
        framing = Serialized(maxLength=4)
        self.assertIsInstance(decodeAll(framing, [b"5\0"])[1], RecordTooLong)
        self.assertEqual(framing.encode([12]), b"4\0[12]")
        self.assertRaises(RecordTooLong, framing.encode, [123])
        zipped = Serialized(maxLength=20, compress=True)
        self.assertRaises(RecordTooLong, zipped.encode, "x" * 50)

    def test_rejected(self) -> None:
        """
        A value that JSON cannot represent is an error of the caller.
        """
        self.assertRaises(TypeError, Serialized().encode, b"bytes")
        self.assertRaises(InvalidRecord, Serialized().encode, float("nan"))
        # Half of a surrogate pair, which JSON can express and UTF-8 cannot.
        [half] = decodeAll(Serialized(), [b'8\0"\\ud800"'])[0]
        self.assertRaises(InvalidRecord, Serialized().encode, half)

    def test_truncated(self) -> None:
        """
        An unfinished value is reported with its bytes.
        """
        self.assertEqual(decoded(Serialized(), [b"5\0[1"]), ([], b"5\0[1"))

    def test_ownSerializer(self) -> None:
        """
        Any object with dumps and loads is a serializer; pickle too, if it is given.
        """
        framing = Serialized(serializer=pickle)
        self.assertEqual(decodeAll(framing, [framing.encode({1, 2})]), ([{1, 2}], None))
        upper = SimpleNamespace(dumps=str.upper, loads=bytes.decode)
        self.assertEqual(Serialized(serializer=upper).encode("ab"), b"2\0AB")

    def test_neverPickle(self) -> None:
        """
        Neither the default nor any name means pickle.
        """
        for serializer in (None, "json"):
            framing = Serialized(serializer=serializer)
            self.assertEqual(
                decoded(framing, [wire(pickle.dumps([1]))])[0], [FramingError]
            )
        error = self.assertRaises(ValueError, Serialized, serializer="pickle")
        self.assertIn("json, msgpack, cbor", str(error))

    def test_missing(self) -> None:
        """
        A serializer that is not installed is an error that names its extra, when the
        framing is created.
        """
        for name, module in (("msgpack", "msgpack"), ("cbor", "cbor2")):
            self.patch(sys, "modules", {**sys.modules, module: None})
            error = self.assertRaises(ImportError, Serialized, serializer=name)
            self.assertIn(f"pip install twisted_clienttcp[{name}]", str(error))

    def others(self, name: str, module: str) -> None:
        try:
            __import__(module)
        except ImportError:
            raise SkipTest(f"{module} is not installed") from None
        for zipped in (False, True):
            framing = Serialized(serializer=name, compress=zipped)
            records = [*VALUES, b"bytes"]
            encoded = b"".join(map(framing.encode, records))
            self.assertEqual(decoded(framing, singly(encoded)), (records, b""))
        found, _ = decoded(Serialized(serializer=name), [b"1\0\xc1"])
        self.assertEqual(found, [FramingError])

    def test_msgpack(self) -> None:
        """
        MessagePack, if it is installed.
        """
        self.others("msgpack", "msgpack")

    def test_cbor(self) -> None:
        """
        CBOR, if it is installed.
        """
        self.others("cbor", "cbor2")

    def test_arguments(self) -> None:
        """
        A wrong argument is rejected by name.
        """
        wrong: tuple[tuple[type[Exception], dict[str, Any]], ...] = (
            (TypeError, {"serializer": 5}),
            (ValueError, {"serializer": "xml"}),
            (TypeError, {"compress": 1}),
            (ValueError, {"maxLength": 0}),
            (TypeError, {"maxLength": "5"}),
            (ValueError, {"onTooLong": "drop"}),
        )
        for error, arguments in wrong:
            raised = self.assertRaises(error, Serialized, **arguments)
            self.assertIn(next(iter(arguments)), str(raised))

    def test_fresh(self) -> None:
        """
        A fresh framing has the same settings.
        """
        fresh = Serialized(compress=True, maxLength=5, onTooLong="skip").fresh()
        self.assertEqual((fresh.maxLength, fresh.onTooLong), (5, "skip"))
        encoded = Serialized(compress=True).encode([1, 2, 3, 4])
        self.assertEqual(decoded(fresh, [encoded]), ([RecordTooLong], b""))

    def test_deepCopy(self) -> None:
        """
        A deep copy works, with any serializer, also with a module.
        """
        # C{twisted.persisted.styles}, which trial imports, makes modules copyable.
        self.patch(copy, "dispatch_table", {})
        for serializer in ("json", "msgpack", "cbor", pickle):
            framing = Serialized(serializer=serializer)
            encoded = framing.encode([1, "a"])
            copied = copy.deepcopy(framing)
            self.assertEqual(decodeAll(copied, [encoded]), ([[1, "a"]], None))
