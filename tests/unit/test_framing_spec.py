"""
Tests for framings that are described in a string.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import framing
from twisted_clienttcp.framing._spec import _PARAMETERS, SPECS, fromSpec


class SpecTests(SynchronousTestCase):
    """
    L{fromSpec}.
    """

    def test_names(self) -> None:
        """
        Each name gives a framing that can be fed, if the package has it.
        """
        for name in SPECS:
            try:
                made = fromSpec(name)
            except ValueError as error:
                self.assertIn("there is no framing", str(error))
            else:
                self.assertEqual(made.feed(b""), [], name)

    def test_parameters(self) -> None:
        """
        Parameters, with what has to be escaped.
        """
        for text, record, octets in (
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
            ("lengthprefixed:octets=varint", b"a", b"\1a"),
            ("lengthprefixed:octets=2,byteOrder=little", b"a", b"\1\0a"),
            ("lengthprefixed:octets=1,adjustment=-1", b"a", b"\2a"),
            ("netstring", b"a", b"1:a,"),
            ("jsonlines", [1], b"[1]\n"),
            ("stream", b"a", b"a"),
        ):
            self.assertEqual(fromSpec(text).frame(record), octets, text)
        self.assertEqual(fromSpec("line:encoding=utf-8").feed(b"\xc3\xa9\n"), ["\xe9"])
        pattern = fromSpec(r"line:inputPattern=[;\,\n]|\d{1\,2}")
        self.assertEqual(pattern.feed(b"a;b,c\nd12"), [b"a", b"b", b"c", b"d"])
        skipping = fromSpec("line:delimiter=|,maxLength=1,onTooLong=skip")
        self.assertTrue(skipping.clone().chunkInvariant)
        self.assertFalse(fromSpec("line:autodetect=true").chunkInvariant)

    def test_unknown(self) -> None:
        """
        What does not exist is told with what does.
        """
        for text, words in (
            ("lines", ["lines", "line", "netstring", "block"]),
            ("", ["line"]),
            ("map", ["line"]),
            ("line:delimeter=|", ["delimeter", "delimiter", "maxLength"]),
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
        Values out of their range are told with the framing and the parameter.
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
            ("lengthprefixed:octets=5", "octets"),
            ("int8:maxLength=0", "maxLength"),
        ):
            message = str(self.assertRaises(ValueError, fromSpec, text))
            self.assertIn(word, message)
            self.assertIn(text.partition(":")[0], message)

    def test_notText(self) -> None:
        """
        Only text is read.
        """
        wrong: Any
        for wrong in (b"line", None, framing.Line()):
            self.assertRaises(TypeError, fromSpec, wrong)

    def test_missing(self) -> None:
        """
        A framing that the package has not is not offered.
        """
        self.patch(framing, "Netstring", None)
        del framing.Netstring
        message = str(self.assertRaises(ValueError, fromSpec, "netstring"))
        self.assertNotIn("netstring", message.partition("there are")[2])

    def test_everyParameter(self) -> None:
        """
        Each parameter that can be said belongs to a framing.
        """
        said: set[str] = set()
        for name in SPECS:
            message = str(self.assertRaises(ValueError, fromSpec, f"{name}:?=1"))
            said.update(word.strip("=,") for word in message.split())
        if hasattr(framing, "Serialized"):
            self.assertEqual(set(_PARAMETERS) - said, set())
