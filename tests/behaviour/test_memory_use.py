"""
Tests for the memory that received bytes take, for all framings: while a record is
incomplete, is skipped or is held, when all records have been delivered, and when one
has led to an error.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import (
    Block,
    Framing,
    Grep,
    JSONLines,
    Line,
    Map,
    Netstring,
    Receiver,
    RecordBlock,
    Serialized,
    Stackable,
)
from twisted_clienttcp.testing import MemoryServer

from ..growth import SUBJECTS, Subject
from ..memory import (
    READ,
    SPARE,
    Reader,
    Use,
    held,
    incomplete,
    measured,
    reads,
    skipped,
    tail,
    usesOf,
)


class MemoryTests(SynchronousTestCase):
    """
    Tests with all framings. There is one method for each.
    """

    timeout = 120

    @classmethod
    def add(cls, name: str, subject: Subject) -> None:
        def test(self: MemoryTests) -> None:
            uses = list(usesOf(name, subject))
            self.assertEqual([use for use in uses if use.used > use.allowed], [])

        test.__doc__ = f"Bounded in every way: {name}."
        setattr(cls, f"test_{''.join(filter(str.isalnum, name.title()))}", test)


for _name, _subject in SUBJECTS.items():
    MemoryTests.add(_name, _subject)


def stack(*framings: Framing[Any]) -> Framing[Any]:
    """
    Put framings above each other.
    """
    return Stackable(framings=framings)


class ListTests(SynchronousTestCase):
    """
    Tests for lists of very many short records, of which none is complete. They take
    about as much memory as their bytes, whatever the framing below.
    """

    #: How many times the bytes that have arrived may be in memory. A buffer that grows
    #: has room for an eighth more; beside L{Map} and L{Grep} there are also their
    #: results.
    once, twice = 1.25, 2.5

    def check(self, times: float, *framings: Framing[Any]) -> None:
        size = 20_000
        framing = stack(*framings, RecordBlock(size=size), RecordBlock(size=2))
        reader = Reader(framing)
        stream = b"ab\n" * (2 * size - 1)
        uses = [
            (most, int(arrived * times) + READ + SPARE)
            for arrived, most, _ in measured(reader, reads(stream, 1000))
        ]
        self.assertEqual(reader.records, 0)
        self.assertEqual([use for use in uses if use[0] > use[1]], [])
        # All bytes are there.
        self.assertEqual(reader.inbound.discard(), len(stream))

    def test_bytes(self) -> None:
        """
        Bytes that are decoded again when the list is complete.
        """
        self.check(self.once, Line(delimiter=b"\n"))
        self.check(self.once, Block(size=3))
        self.check(self.once, Line(), RecordBlock(size=5))

    def test_records(self) -> None:
        """
        Records that cannot be decoded again, but encoded.
        """
        self.check(self.once, Receiver(LineReceiver, delimiter=b"\n"))
        self.check(self.once, Line(delimiter=b"\n", onTooLong="split"))

    def test_results(self) -> None:
        """
        Results of functions.
        """
        self.check(self.twice, Line(), Grep(code=bool))
        self.check(self.twice, Line(), Map(code=bytes.upper))


class Parts(Line):
    """
    A framing that keeps each piece of a line as an object.
    """

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.parts: list[Any] = []

    def decode(self, data: Any, start: int, searched: int) -> Any:
        self.parts.append(bytearray(data[searched:]))
        return super().decode(data, start, searched)

    def skip(self, data: Any, start: int, searched: int) -> tuple[int, bool]:
        self.parts.append(bytearray(data[start:]))
        return super().skip(data, start, searched)


class Records(Line):
    """
    A framing that keeps the records that it has decoded.
    """

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
        records, end = super().decodeMany(data, start)
        kept = self.__dict__.setdefault("kept", [])
        kept.extend({"record": record} for record in records)
        return records, end


class HoardingTests(SynchronousTestCase):
    """
    Tests that too much memory is found.
    """

    def tooMuch(self, use: Use) -> None:
        self.assertGreater(use.used, use.allowed)

    def test_incomplete(self) -> None:
        """
        While a record is incomplete, or is skipped.
        """
        self.tooMuch(incomplete(Subject(Parts), 1))
        self.tooMuch(skipped(Subject(Parts), READ))

    def test_delivered(self) -> None:
        """
        When the records were delivered, or while they are held.
        """
        self.tooMuch(tail(Subject(Records)))
        self.tooMuch(held(Subject(Records)))


#: What exists anyway.
SHARED = ModuleType, type, FunctionType, BuiltinFunctionType


def longIn(root: object, length: int) -> Iterator[Any]:
    """
    @return: the strings of at least this length that an object keeps in memory.
    """
    found: dict[int, object] = {}
    waiting: list[Any] = [root]
    while waiting:
        each = waiting.pop()
        if id(each) in found or isinstance(each, SHARED):
            continue
        found[id(each)] = each
        if isinstance(each, Failure):
            # pytest makes every Failure of Twisted keep its traceback here.
            vars(each).pop("_twisted_raw_excinfo", None)
        waiting += gc.get_referents(each)
        isText = isinstance(each, (bytes, bytearray, memoryview, str))
        if isText and len(each) >= length:
            yield each


class Refusing(Line):
    """
    A framing with an error of its own.
    """

    def decode(
        self, data: Any, start: int, searched: int
    ) -> tuple[list[Any], int] | None:
        raise KeyError("refused")

    def decodeMany(self, data: bytes, start: int) -> tuple[list[Any], int]:
        return [], start


class KeptFailureTests(SynchronousTestCase):
    """
    Tests that a failure does not keep received data, or records: the client keeps its
    last failure, and applications may keep more of them.
    """

    #: The length of the data.
    LENGTH = 100_000

    def check(
        self,
        *,
        data: bytes = b"",
        before: Callable[[ClientTCPFactory], object] = lambda client: None,
        **parameters: Any,
    ) -> None:
        """
        A client fails, and its last failure keeps little.

        @param data: sent by the server.
        @param before: called with the client before it is connected.
        """
        given: dict[str, Any] = {"serverInput": lambda client, record: None}
        if "serverInputBatch" in parameters:
            given.clear()
        seen: list[object] = []
        for callback in ("connectError", "serverError", "disconnected"):
            given[callback] = lambda client, about: seen.append(about)
        client = ClientTCPFactory(**(given | parameters))
        server = MemoryServer(client)
        before(client)
        server.accept()
        if data:
            server.send(data)
            server.advance(0)
        seen.append(client.stats.lastError)
        self.flushLoggedErrors()
        for each in seen:
            self.assertEqual([*map(len, longIn(each, self.LENGTH))], [], each)

    def test_framings(self) -> None:
        """
        Bytes that a framing cannot decode: in the record, or after it.
        """
        length = self.LENGTH
        for framing, bad in (
            (Line(maxLength=9), b"0123456789\n"),
            (Line(maxLength=9, onTooLong="skip"), b"0123456789\n"),
            (Line(encoding="ascii"), b"\xff\n"),
            (Line(encoding="ascii", maxLength=2 * length), b"\xff" * length + b"\n"),
            (JSONLines(maxLength=2 * length), b"x" * length + b"\n"),
            (Serialized(serializer="json", maxLength=2 * length), b"x\n"),
            (Netstring(), b"x:"),
            (Refusing(), b"x\n"),
            (stack(Line(), Map(code=int)), b"x\n"),
            (stack(Line(), Refusing()), b"x\n"),
            (Receiver(LineReceiver, delimiter=b"\n", MAX_LENGTH=9), b"0123456789\n"),
        ):
            for rest in (b"", b"x" * length, b"\n" * length):
                self.check(framing=framing, data=bad + rest)

    def test_text(self) -> None:
        """
        The text of the traceback remains.
        """
        client = ClientTCPFactory(serverInput=print, framing=Refusing())
        server = MemoryServer(client)
        server.accept()
        server.send(b"x\n")
        failure = client.stats.lastError
        assert failure is not None
        self.assertIn("refused", failure.getTraceback())
        self.assertIn("_buffer.py", failure.getTraceback())

    def test_negotiation(self) -> None:
        """
        An exception in C{preConnect}, or a record that it cannot decode.
        """

        async def read(client: Any, negotiation: Any) -> bool:
            record = await negotiation.nextRecord()
            raise ValueError(len(record))

        rest = b"\r\n" + b"x" * self.LENGTH
        for data in (b"x" + rest, b"x" * 20_000 + rest, b"\xff" + rest):
            framing = Line(maxLength=10_000, encoding="ascii")
            self.check(framing=framing, preConnect=read, data=data)

    def test_callbacks(self) -> None:
        """
        An exception in a callback for records.
        """

        def one(client: Any, record: Any) -> None:
            raise ValueError(len(record))

        async def coroutine(client: Any, record: Any) -> None:
            raise ValueError(len(record))

        for name in ("serverInput", "serverInputBatch"):
            for function in (one, coroutine):
                record = b"x" * self.LENGTH
                parameters: dict[str, Any] = {name: function}
                framing = Line(maxLength=2 * self.LENGTH)
                self.check(framing=framing, data=2 * (record + b"\n"), **parameters)

    def test_serverError(self) -> None:
        """
        An exception in C{serverError}.
        """

        def serverError(client: Any, failure: Failure) -> None:
            raise ValueError(failure)

        for onTooLong in ("close", "skip"):
            self.check(
                framing=Line(maxLength=9, onTooLong=onTooLong),
                serverError=serverError,
                data=b"0123456789\n" + b"x" * self.LENGTH,
            )

    def test_offline(self) -> None:
        """
        A record that waited for a connection and cannot be encoded for it.
        """

        def connected(client: ClientTCPFactory, peer: object) -> None:
            client.setFraming(Line(maxLength=9))

        self.check(
            framing=Line(maxLength=2 * self.LENGTH),
            offlineLimit=2 * self.LENGTH,
            connected=connected,
            before=lambda client: client.put(b"x" * self.LENGTH),
        )
