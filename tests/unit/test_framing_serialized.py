"""
Tests for L{Serialized}, also compared with what POE wrote.
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

from twisted_clienttcp.errors import (
    FramingError,
    InvalidRecord,
    RecordTooLong,
    TruncatedRecord,
)
from twisted_clienttcp.framing._serialized import Serialized

from .._streams import cuts, pieces, read

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)

#: What was recorded from the original.
RECORDED = b'11\0{"a":[1,2]}2\0[]10\0{"k":null}'
VALUES = [{"a": [1, 2]}, [], {"k": None}]


class SerializedTests(SynchronousTestCase):
    """
    L{Serialized}.
    """

    @given(st.lists(values), cuts, st.booleans())
    def test_reversible(self, records: list[Any], at: list[int], zipped: bool) -> None:
        """
        What is sent is read back, however it is cut.
        """
        framing = Serialized(compress=zipped)
        framed = b"".join(map(framing.frame, records))
        self.assertEqual(read(framing, pieces(framed, at)), (records, None))

    @given(st.lists(values), cuts, st.booleans(), st.data())
    def test_release(
        self, records: list[Any], at: list[int], zipped: bool, choice: Any
    ) -> None:
        """
        Released after any record, the octets are those of the stream behind it.
        """
        framing = Serialized(compress=zipped)
        data = b"".join(map(framing.frame, records))
        chunks = pieces(data, at)
        stop = choice.draw(st.integers(0, len(chunks) - 1))
        found = [value for chunk in chunks[:stop] for value in framing.feed(chunk)]
        batch = list(framing.feed(chunks[stop]))
        delivered = choice.draw(st.integers(0, len(batch)))
        rest = framing.release(delivered) + b"".join(chunks[stop + 1 :])
        self.assertTrue(data.endswith(rest))
        found += batch[:delivered]
        self.assertEqual(found + list(framing.feed(rest)), records)

    def test_likePOE(self) -> None:
        """
        The cases that were recorded from the original.
        """
        framing = Serialized()
        self.assertEqual(b"".join(map(framing.frame, VALUES)), RECORDED)
        self.assertEqual(framing.feed(RECORDED), VALUES)
        zipped = bytes.fromhex(
            "313900789cab564a54b28a36d4318aad0500124b031f"
            "313000789c8b8e0500011500b9"
            "313800789cab56ca56b2ca2bcdc9a90500123f039d"
        )
        self.assertEqual(Serialized(compress=True).feed(zipped), VALUES)

    def test_malformed(self) -> None:
        """
        What is no value is a fault behind the good ones; so is what is no length.
        """
        for octets in (b"5\0{nope3\0[]", b"x3\0[1]", b"3\0NaN", b"2\0\xff\xff", b"0\0"):
            batch = iter(Serialized().feed(b"3\0[1]" + octets))
            self.assertEqual(next(batch), [1])
            self.assertRaises(FramingError, next, batch)
        deep = b"[" * 200_000
        batch = iter(Serialized().feed(b"%d\0%b" % (len(deep), deep)))
        error = self.assertRaises(FramingError, next, batch)
        self.assertIsNotNone(error.__cause__)

    def test_bomb(self) -> None:
        """
        What inflates over the limit is found out without being inflated.
        """
        for size, fault in (
            (98, None),
            (99, RecordTooLong),
            (50_000_000, RecordTooLong),
        ):
            # Large enough for what is sent.
            limit = 100 if size < 100 else 100_000
            bomb = zlib.compress(b'"' + b"x" * size + b'"')
            framing = Serialized(compress=True, maxLength=limit)
            found = read(framing, [b"%d\0%b" % (len(bomb), bomb)])
            self.assertEqual((len(found[0]), found[1]), (fault is None, fault), size)

    def test_bombInflatesNoFurther(self) -> None:
        """
        Not more is inflated than the limit, and one octet.
        """
        asked = []

        class Inflate:
            eof, unused_data = True, b""

            def decompress(self, octets: bytes, most: int) -> bytes:
                asked.append(most)
                return b"x" * most

        self.patch(zlib, "decompressobj", Inflate)
        framing = Serialized(compress=True, maxLength=10)
        self.assertRaises(RecordTooLong, list, framing.feed(b"1\0x"))
        self.assertEqual(asked, [11])

    def test_brokenCompression(self) -> None:
        """
        Compressed octets that are none, end early, or have others behind them.
        """
        good = zlib.compress(b"[]")
        for octets in (b"xx", good[:-1], good + b"x"):
            batch = Serialized(compress=True).feed(b"%d\0%b" % (len(octets), octets))
            self.assertRaises(FramingError, list, batch)

    def test_skip(self) -> None:
        """
        Values that are too long, as sent or inflated, are skipped.
        """
        framing = Serialized(compress=True, maxLength=100, onTooLong="skip")
        bomb = zlib.compress(b"[" + b" " * 200 + b"]")
        small = framing.frame([1])
        batch = iter(framing.feed(small + b"%d\0%b" % (len(bomb), bomb) + small))
        self.assertEqual(next(batch), [1])
        error = self.assertRaises(RecordTooLong, next, batch)
        self.assertTrue(error.skipped)
        self.assertEqual(framing.feed(b""), [[1]])
        plain = Serialized(maxLength=4, onTooLong="skip")
        batch = iter(plain.feed(b"2\0[]5\0[1,2]3\0[3]"))
        self.assertEqual(next(batch), [])
        self.assertRaises(RecordTooLong, next, batch)
        self.assertEqual(plain.feed(b""), [[3]])

    def test_limit(self) -> None:
        """
        The length is judged before the value comes, and on output before it goes.
        """
        framing = Serialized(maxLength=4)
        self.assertRaises(RecordTooLong, list, framing.feed(b"5\0"))
        self.assertEqual(framing.frame([12]), b"4\0[12]")
        self.assertRaises(RecordTooLong, framing.frame, [123])
        zipped = Serialized(maxLength=20, compress=True)
        self.assertRaises(RecordTooLong, zipped.frame, "x" * 50)

    def test_refused(self) -> None:
        """
        Values that JSON does not know are the caller's fault.
        """
        self.assertRaises(TypeError, Serialized().frame, b"octets")
        self.assertRaises(InvalidRecord, Serialized().frame, float("nan"))
        # Half of a surrogate pair, which JSON can tell and UTF-8 cannot.
        [half] = Serialized().feed(b'8\0"\\ud800"')
        self.assertRaises(InvalidRecord, Serialized().frame, half)

    def test_truncated(self) -> None:
        """
        An unfinished value is reported with its octets.
        """
        framing = Serialized()
        framing.feed(b"5\0[1")
        error = self.assertRaises(TruncatedRecord, list, framing.finish())
        self.assertEqual(error.rest, b"5\0[1")

    def test_ownSerializer(self) -> None:
        """
        Anything with dumps and loads serves; so pickle does, when it is asked for.
        """
        framing = Serialized(serializer=pickle).clone()
        self.assertEqual(framing.feed(framing.frame({1, 2})), [{1, 2}])
        upper = SimpleNamespace(dumps=str.upper, loads=bytes.decode)
        self.assertEqual(Serialized(serializer=upper).frame("ab"), b"2\0AB")

    def test_neverPickle(self) -> None:
        """
        No default and no name gives pickle.
        """
        for serializer in (None, "json"):
            octets = pickle.dumps([1])
            batch = Serialized(serializer=serializer).feed(
                b"%d\0%b" % (len(octets), octets)
            )
            self.assertRaises(FramingError, list, batch)
        error = self.assertRaises(ValueError, Serialized, serializer="pickle")
        self.assertIn("json, msgpack, cbor", str(error))

    def test_missing(self) -> None:
        """
        A serializer that is not installed is told with its extra, when the framing is
        made.
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
            framed = b"".join(map(framing.frame, [*VALUES, b"octets"]))
            found = [
                r for n in range(len(framed)) for r in framing.feed(framed[n:][:1])
            ]
            self.assertEqual(found, [*VALUES, b"octets"])
        batch = Serialized(serializer=name).feed(b"1\0\xc1")
        self.assertRaises(FramingError, list, batch)

    def test_msgpack(self) -> None:
        """
        MessagePack, where it is installed.
        """
        self.others("msgpack", "msgpack")

    def test_cbor(self) -> None:
        """
        CBOR, where it is installed.
        """
        self.others("cbor", "cbor2")

    def test_arguments(self) -> None:
        """
        A wrong argument is refused by name.
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

    def test_clone(self) -> None:
        """
        A clone has the settings and none of the octets.
        """
        framing = Serialized(compress=True, maxLength=5, onTooLong="skip")
        framing.feed(b"5\0x")
        clone = framing.clone()
        self.assertEqual(list(clone.finish()), [])
        framed = Serialized(compress=True).frame([1, 2, 3, 4])
        error = self.assertRaises(RecordTooLong, list, clone.feed(framed))
        self.assertTrue(error.skipped)

    def test_deepCopy(self) -> None:
        """
        A deep copy works, with any serializer, also with a module.
        """
        # C{twisted.persisted.styles}, which trial imports, makes modules copyable.
        self.patch(copy, "dispatch_table", {})
        for serializer in ("json", "msgpack", "cbor", pickle):
            framing = Serialized(serializer=serializer)
            framed = framing.frame([1, "a"])
            self.assertEqual(copy.deepcopy(framing).feed(framed), [[1, "a"]])
