"""
Tests for changing the framing in mid-stream, between any two framings at any record.
The result must be that of a reader that decodes one unit at a time of the whole stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connection.inbound import Hold, Inbound
from twisted_clienttcp.errors import FramingError
from twisted_clienttcp.framing import _buffer
from twisted_clienttcp.framing._buffer import InputBuffer

from .._framings import FRAMINGS
from .._memory import ClientTestCase
from .._streams import cuts, pieces

#: The framings whose records do not depend on how a stream is split.
INVARIANT = [name for name, made in FRAMINGS.items() if made.pattern.chunkInvariant]

#: Of these, the ones whose units do not depend on it either.
EXACT = [name for name in INVARIANT if not FRAMINGS[name].unitsOfReads]

#: Bytes that have a meaning in one of the framings.
_ODD = [b"\r", b"\n", b"\r\n", b"|", b"#", b",", b"--|", b"aa", b"\0", b"\2", b"\xc0"]
_ODD += [b"3:ab", b"3\0", b"a", b"7", b"[]", b"x" * 21]


def encodedBy(name: str) -> list[bytes]:
    """
    Encode the examples of a framing.
    """
    made = FRAMINGS[name]
    return [made.pattern.fresh().encode(record) for record in made.records]


def model(
    names: Sequence[str], chunks: Sequence[bytes], swaps: set[int], ends: bool = True
) -> list[Any]:
    """
    Decode one unit after the other. After each record whose number is in C{swaps} the
    next framing takes over.

    @param ends: the stream ends.

    @return: the records, by their C{repr}, and the errors, by their types.
    """
    events: list[Any] = []
    records = present = 0
    buffer = InputBuffer(FRAMINGS[names[0]].pattern.fresh())
    waiting = list(chunks)
    hasEnded = not ends
    while True:
        try:
            unit = buffer.decode()
            if unit is None and waiting:
                buffer.append(waiting.pop(0))
                continue
            if unit is None:
                if hasEnded:
                    return events
                hasEnded = True
                unit = buffer.decodeEnd()
        except FramingError as error:
            events.append(type(error))
            if not getattr(error, "skipped", False):
                return events
            continue
        for record in unit:
            events.append(repr(record))
            records += 1
            if records in swaps:
                present += 1
                name = names[present % len(names)]
                buffer.use(FRAMINGS[name].pattern.fresh())
                hasEnded = not ends


class Swapper:
    """
    A reader that does the same with L{Inbound}, as a connection does.
    """

    def __init__(self, names: Sequence[str], swaps: set[int], holds: set[int]) -> None:
        self.names, self.swaps, self.holds = names, swaps, holds
        self.events: list[Any] = []
        self.records = self.present = 0
        self.inbound = Inbound(
            FRAMINGS[names[0]].pattern.fresh(),
            Swapper.deliver,
            self,
            self.inputFailed,
            self.inputRaised,
            self.inputResumed,
        )

    def deliver(self, record: Any) -> None:
        self.events.append(repr(record))
        self.records += 1
        if self.records in self.swaps:
            self.present += 1
            name = self.names[self.present % len(self.names)]
            self.inbound.use(FRAMINGS[name].pattern.fresh())
        if self.records in self.holds:
            self.inbound.hold(Hold.USER)

    def inputFailed(self, error: FramingError) -> None:
        self.events.append(type(error))
        if not getattr(error, "skipped", False):
            self.inbound.stop()

    def inputRaised(self, error: BaseException) -> None:
        raise AssertionError("nothing raises here") from error

    def inputResumed(self) -> None:
        raise AssertionError("nothing is awaited here")

    def read(self, chunks: Sequence[bytes]) -> list[Any]:
        """
        Read a stream, and release the records after every second piece.
        """
        for number, chunk in enumerate(chunks):
            self.inbound.feed(chunk)
            if number % 2:
                self.inbound.release(Hold.USER)
        self.inbound.end(lambda: None)
        while self.inbound.held:
            self.inbound.release(Hold.USER)
        return self.events


def _streams(names: Sequence[str]) -> st.SearchStrategy[bytes]:
    encoded = [unit for name in names for unit in encodedBy(name)]
    parts = st.sampled_from([*encoded, *encoded, *_ODD]) | st.binary(max_size=3)
    return st.lists(parts, max_size=12).map(b"".join)


def _namesAndStream(among: Sequence[str]) -> st.SearchStrategy[tuple[list[str], bytes]]:
    return st.lists(st.sampled_from(among), min_size=1, max_size=3).flatmap(
        lambda names: st.tuples(st.just(names), _streams(names))
    )


numbers = st.sets(st.integers(1, 12))


class SwapTests(SynchronousTestCase):
    """
    L{Inbound.use} with all framings.
    """

    def test_everyPair(self) -> None:
        """
        From each framing to each other one, and back, at every record of a stream.
        """
        for first, second in permutations(INVARIANT, 2):
            head, tail = encodedBy(first), encodedBy(second)
            data = b"".join([*head, *tail[:2], *head[:2], *tail])
            isExact = {first, second} <= set(EXACT)
            for swaps in ({len(head)}, {1, 2, 3, 5, 8}):
                for size in (len(data) or 1, 7, 1):
                    chunks = [data[n : n + size] for n in range(0, len(data), size)]
                    expected = model(
                        [first, second], [data] if isExact else chunks, swaps
                    )
                    found = Swapper([first, second], swaps, set()).read(chunks)
                    self.assertEqual(found, expected, (first, second, swaps, size))

    @settings(max_examples=500)
    @given(_namesAndStream(EXACT), cuts, numbers, numbers)
    def test_anyStream(
        self,
        namesAndData: tuple[list[str], bytes],
        at: list[int],
        swaps: set[int],
        holds: set[int],
    ) -> None:
        """
        Any stream, also one that is not valid, split and held anywhere.
        """
        names, data = namesAndData
        found = Swapper(names, swaps, holds).read(pieces(data, at))
        self.assertEqual(found, model(names, [data], swaps))

    @settings(max_examples=500)
    @given(_namesAndStream(EXACT), cuts, numbers, numbers)
    def test_largeReads(
        self,
        namesAndData: tuple[list[str], bytes],
        at: list[int],
        swaps: set[int],
        holds: set[int],
    ) -> None:
        """
        The same if reads count as large, of which only the beginning is copied to
        complete a record.
        """
        names, data = namesAndData
        with patch.multiple(_buffer, HEAD=2, SMALL=0):
            found = Swapper(names, swaps, holds).read(pieces(data, at))
        self.assertEqual(found, model(names, [data], swaps))

    @settings(max_examples=200)
    @given(_namesAndStream(INVARIANT), cuts, numbers)
    def test_unitsOfReads(
        self, namesAndData: tuple[list[str], bytes], at: list[int], swaps: set[int]
    ) -> None:
        """
        A framing whose unit is a read ends where the read does.
        """
        names, data = namesAndData
        chunks = [piece for piece in pieces(data, at) if piece]
        found = Swapper(names, swaps, set()).read(chunks)
        self.assertEqual(found, model(names, chunks, swaps))

    @settings(max_examples=300)
    @given(
        st.sampled_from(sorted(FRAMINGS)).flatmap(
            lambda name: st.tuples(st.just(name), _streams([name]))
        ),
        cuts,
        numbers,
    )
    def test_holds(
        self, nameAndData: tuple[str, bytes], at: list[int], holds: set[int]
    ) -> None:
        """
        Holding the records anywhere until the next read changes nothing, for any
        framing.
        """
        name, data = nameAndData
        chunks = pieces(data, at)
        plain = Swapper([name], set(), set())
        held = Swapper([name], set(), holds)
        for chunk in chunks:
            plain.inbound.feed(chunk)
            held.inbound.feed(chunk)
            while held.inbound.held:
                held.inbound.release(Hold.USER)
        self.assertEqual(held.events, plain.events)

    def test_traits(self) -> None:
        """
        Only these framings depend on how a stream is split, or do not decode what they
        encode; only those that accept any bytes, and some sets of delimiters, do both.
        """

        def without(*traits: str) -> list[str]:
            return [
                name
                for name, made in FRAMINGS.items()
                if not name.endswith(", skip")
                and not any(getattr(made.pattern, trait) for trait in traits)
            ]

        neither = [
            "line:inputPattern=[;\\,]+x?",
            "line, prefixes",
            "map",
            "grep",
            "recordblock",
        ]
        self.assertEqual(without("chunkInvariant", "reversible"), neither)
        self.assertEqual(
            set(without("chunkInvariant")) - set(neither),
            {"line:autodetect=true", "stream", "receiver, LineOnlyReceiver"},
        )
        self.assertEqual(
            [n for n in without("reversible") if n not in neither and "stack" not in n],
            [
                "block:size=3",
                "lengthprefixed:prefixSize=1,offset=1,adjustment=1,strip=1",
                "line, several",
                "lengthprefixed, netty",
            ],
        )


class ClientTests(ClientTestCase):
    """
    The same through the client.
    """

    @settings(max_examples=100)
    @given(_namesAndStream(EXACT), cuts, numbers, numbers)
    def test_anyStream(
        self,
        namesAndData: tuple[list[str], bytes],
        at: list[int],
        swaps: set[int],
        holds: set[int],
    ) -> None:
        """
        C{setInputFraming} at any record, C{pauseProducing} and C{resumeProducing}
        anywhere.
        """
        names, data = namesAndData
        self.setUp()
        found: list[Any] = []
        done = [0]

        def serverInput(client: Any, record: Any) -> None:
            found.append(repr(record))
            if len(found) in swaps:
                done[0] += 1
                name = names[done[0] % len(names)]
                client.setInputFraming(FRAMINGS[name].pattern)
            if len(found) in holds:
                client.pauseProducing()

        self.recorder.on["serverInput"] = serverInput
        client, transport = self.connected(framing=FRAMINGS[names[0]].pattern)
        for number, chunk in enumerate(pieces(data, at)):
            if client.connected and chunk:
                transport.protocol.dataReceived(chunk)
            if number % 2:
                client.resumeProducing()
        for _ in range(len(holds) + 1):
            client.resumeProducing()
        events = model(names, [data], swaps, ends=False)
        self.assertEqual(found, [e for e in events if isinstance(e, str)])
