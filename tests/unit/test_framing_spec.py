"""
Tests for framings that are described in a string.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.framing import SPECS, Framing, Line, fromSpec
from twisted_clienttcp.framing._spec import _PARAMETERS
from twisted_clienttcp.testing import decodeAll


class SpecTests(SynchronousTestCase):
    """
    L{fromSpec}.
    """

    def test_names(self) -> None:
        """
        Each name stands for a framing.
        """
        for name in SPECS:
            self.assertIsInstance(fromSpec(name), Framing)

    def test_parameters(self) -> None:
        """
        Parameters, with escapes.
        """
        for text, record, encoded in (
            ("line", b"a", b"a\r\n"),
            (" LINE :", b"a", b"a\r\n"),
            ("line:delimiter=|", b"a", b"a|"),
            (r"line:delimiter=\,\\,maxLength=5", b"a", b"a,\\"),
            (r"line:delimiter=\r\n\x41\0\t", b"a", b"a\r\nA\0\t"),
            ("line:delimiter=\xe9", b"a", b"a\xc3\xa9"),
            ("line:delimiter==", b"a", b"a="),
            ("line: delimiter=|, maxLength=5", b"a", b"a|"),
            ("block:size=3", b"abc", b"abc"),
            ("block", b"a", b"1\0a"),
            ("int16", b"a", b"\0\1a"),
            ("lengthprefixed:prefixSize=varint", b"a", b"\1a"),
            ("lengthprefixed:prefixSize=2,byteOrder=little", b"a", b"\1\0a"),
            ("lengthprefixed:prefixSize=1,adjustment=-1", b"a", b"\2a"),
            ("netstring", b"a", b"1:a,"),
            ("jsonlines", [1], b"[1]\n"),
            ("jsonvalues:maxLength=3", [1], b"[1]\n"),
            ("line:delimiter=|,keepDelimiter=true", b"a|", b"a|"),
            ("line:inputPattern=x,maxMatch=9,atEnd=record", b"a", b"a\r\n"),
            ("stream", b"a", b"a"),
        ):
            self.assertEqual(fromSpec(text).encode(record), encoded, text)
        utf8 = fromSpec("line:encoding=utf-8")
        self.assertEqual(decodeAll(utf8, [b"\xc3\xa9\n"])[0], ["\xe9"])
        pattern = fromSpec(r"line:inputPattern=[;\,\n]|\d{1\,2}")
        found = decodeAll(pattern, [b"a;b,c\nd12"])[0]
        self.assertEqual(found, [b"a", b"b", b"c", b"d"])
        skipping = fromSpec("line:delimiter=|,maxLength=1,onTooLong=skip")
        self.assertTrue(skipping.fresh().chunkInvariant)
        self.assertFalse(fromSpec("line:autodetect=true").chunkInvariant)

    def test_unknown(self) -> None:
        """
        An unknown name or parameter is reported with the one that was probably meant,
        or else with the known ones.
        """
        for text, words in (
            ("lines", ["lines", "did you mean line?"]),
            ("nonsense", ["nonsense", "line", "netstring", "block"]),
            ("", ["line"]),
            ("map", ["line"]),
            ("line:delimeter=|", ["delimeter", "did you mean delimiter=?"]),
            ("line:nonsense=|", ["nonsense", "delimiter", "maxLength"]),
            ("line:delimiter", ["delimiter"]),
            ("stream:maxLength=5", ["maxLength", "no parameters"]),
            ("block:decoder=x", ["decoder", "size"]),
            ("line:maxLength=5,maxLength=6", ["twice"]),
        ):
            message = str(self.assertRaises(ValueError, fromSpec, text))
            for word in words:
                self.assertIn(word, message)

    def test_values(self) -> None:
        """
        Values out of range are reported with the framing and the parameter.
        """
        for text, word in (
            ("line:maxLength=x", "maxLength"),
            ("line:maxLength=0", "maxLength"),
            ("line:maxLength=-1", "maxLength"),
            ("line:delimiter=", "delimiter"),
            ("line:autodetect=yes", "autodetect"),
            ("line:onTooLong=drop", "onTooLong"),
            ("line:encoding=klingon", "encoding"),
            (r"line:encoding=\xff", "encoding"),
            ("line:inputPattern=(", "inputPattern"),
            ("lengthprefixed:prefixSize=5", "prefixSize"),
            ("int8:maxLength=0", "maxLength"),
        ):
            message = str(self.assertRaises(ValueError, fromSpec, text))
            self.assertIn(word, message)
            self.assertIn(text.partition(":")[0], message)

    def test_notText(self) -> None:
        """
        Only text is accepted.
        """
        wrong: Any
        for wrong in (b"line", None, Line()):
            self.assertRaises(TypeError, fromSpec, wrong)

    def test_everyParameter(self) -> None:
        """
        Each parameter that can be given belongs to a framing.
        """
        known: set[str] = set()
        for name in SPECS:
            message = str(self.assertRaises(ValueError, fromSpec, f"{name}:?=1"))
            known.update(word.strip("=,") for word in message.split())
        self.assertEqual(set(_PARAMETERS) - known, set())
