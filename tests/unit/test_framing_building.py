"""
Tests for the values that can be passed as a framing.
"""

from __future__ import annotations

from typing import Any

from twisted.protocols.basic import Int32StringReceiver, LineReceiver
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp.framing import (
    SLIP,
    Block,
    Framing,
    Grep,
    JSONLines,
    JSONValues,
    LengthPrefixed,
    Line,
    Map,
    Netstring,
    Receiver,
    RecordBlock,
    Serialized,
    Stackable,
    Stream,
)
from twisted_clienttcp.framing._building import buildFraming


class Slotted(Line):
    """
    A framing with an attribute that is not in its dictionary.
    """

    __slots__ = ("extra",)
    extra: int


class Copied(Line):
    """
    A framing that decides how it is copied.
    """

    def __copy__(self) -> Copied:
        return Copied(delimiter=b"copied")


class FreshTests(SynchronousTestCase):
    """
    L{Framing.fresh}.
    """

    def test_copies(self) -> None:
        """
        All attributes are copied, as by C{copy.copy}.
        """
        slotted = Slotted()
        slotted.extra = 7
        fresh: Any = slotted.fresh()
        self.assertEqual(fresh.extra, 7)
        self.assertEqual(Copied().fresh().encode(b"a"), b"acopied")
        line = Line(delimiter=b"|")
        self.assertEqual(vars(line.fresh()), vars(line))


class BuildFramingTests(SynchronousTestCase):
    """
    L{buildFraming}.
    """

    def test_forms(self) -> None:
        """
        A framing, its class, or a pair of class and keyword arguments.
        """
        line = Line()
        self.assertIs(buildFraming(line), line)
        self.assertIs(type(buildFraming(JSONLines)), JSONLines)
        built = buildFraming((Line, {"delimiter": b"|"}))
        self.assertEqual(built.encode(b"a"), b"a|")

    def test_rejected(self) -> None:
        """
        Anything else is rejected, and the error says what to do instead.
        """

        class Half(Framing[bytes]):
            def decode(self, data: Any, start: int, searched: int) -> Any:
                return None

        class Duck:
            decode = encode = len

        class Broken(Line):
            def fresh(self) -> Any:
                return None

        for wrong, words in (
            (LineReceiver, "use Receiver(LineReceiver)"),
            (LineReceiver(), "use Receiver(LineReceiver)"),
            (Int32StringReceiver, "use Receiver(Int32StringReceiver)"),
            ("line", "fromSpec"),
            (b"line", "must be a framing"),
            (None, "must be a framing"),
            (str, "must be a framing"),
            ((Line,), "keyword arguments"),
            ((Line, 5), "keyword arguments"),
            ((Line, {"delimeter": b"|"}), "did you mean delimiter"),
            ((Line, {"delimiter": "|"}), "delimiter must be bytes"),
            (Map, "pass code"),
            (Half(), "must define encode()"),
            (Duck, "subclass of Framing"),
            (Broken(), "fresh()"),
        ):
            error = self.assertRaises(TypeError, buildFraming, wrong)
            self.assertIn(words, str(error))

    def test_subclasses(self) -> None:
        """
        A subclass of any framing works with a constructor of its own.
        """
        for base, arguments in (
            (Line, {"delimiter": b"|"}),
            (Stream, {}),
            (Block, {"maxLength": 5}),
            (LengthPrefixed, {"prefixSize": 2}),
            (Netstring, {}),
            (JSONLines, {}),
            (JSONValues, {}),
            (SLIP, {}),
            (Serialized, {"compress": True}),
            (Map, {"code": bytes.upper}),
            (Grep, {"code": bool}),
            (RecordBlock, {"size": 2}),
            (Stackable, {"framings": [Line()]}),
            (Receiver, {"cls": LineReceiver, "MAX_LENGTH": 5}),
        ):

            def construct(
                self: Any, own: int, base: Any = base, arguments: Any = arguments
            ) -> None:
                base.__init__(self, **arguments)
                self.own = own

            cls: Any = type("Own", (base,), {"__init__": construct})
            for framing in (buildFraming(cls(7)), buildFraming((cls, {"own": 7}))):
                fresh: Any = framing.fresh()
                self.assertIs(type(fresh), cls)
                self.assertIsNot(fresh, framing)
                self.assertEqual(fresh.own, 7)
                self.assertEqual(fresh.maxLength, framing.maxLength)
