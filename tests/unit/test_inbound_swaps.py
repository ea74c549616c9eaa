"""
Tests for changing the framing in mid-stream, between any two framings at any record.
The result must be that of a reader that decodes one record at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted_clienttcp._delivery import Delivery, Hold

from twisted_clienttcp.errors import FramingError

from .._framings import FRAMINGS
from .._memory import ClientTestCase
from .._streams import cuts, pieces

#: All whose records do not depend on how a stream is cut.
INVARIANT = [name for name, made in FRAMINGS.items() if made.pattern.chunkInvariant]


#: Octets that stand for something in one of them.
_ODD = [b"\r", b"\n", b"\r\n", b"|", b"#", b",", b"--|", b"aa", b"\0", b"\2", b"\xc0"]

_ODD += [b"3:ab", b"3\0", b"a", b"7", b"[]", b"x" * 21]


def framedBy(name: str) -> list[bytes]:
    """
    @return: what a framing makes of its examples.
    """
    made = FRAMINGS[name]
    return [made.pattern.clone().frame(record) for record in made.records]


def model(names: Sequence[str], data: bytes, swaps: set[int]) -> list[Any]:
    """
    Read one octet after the other. After each record of a number in C{swaps} the next
    one of the framings takes over, and reads what comes behind that record.

    @return: the records, by their C{repr}, and faults by their types.
    """
    events: list[Any] = []
    records = present = position = since = 0
    framing = FRAMINGS[names[0]].pattern.clone()
    while position <= len(data):
        ends = position == len(data)
        try:
            octet = data[position : position + 1]
            batch = iter(framing.finish() if ends else framing.feed(octet))
            position += 1
            count = 0
            while True:
                try:
                    record = next(batch)
                except StopIteration:
                    break
                except FramingError as fault:
                    events.append(type(fault))
                    if not getattr(fault, "skipped", False):
                        return events
                    batch, count = iter(framing.feed(b"")), 0
                    continue
                events.append(repr(record))
                records += 1
                count += 1
                if records in swaps:
                    rest = framing.release(count)
                    if not rest and not ends:
                        # The octet that completes a newline belongs to its line.
                        skip = getattr(framing, "swallows", b"")
                        if data[position : position + 1] == skip:
                            position += len(skip)
                    # What is handed over stands for all that was not delivered.
                    name, later = names[present % len(names)], rest + data[position:]
                    if FRAMINGS[name].exact and not FRAMINGS[name].several:
                        wanted = model([name], data, set())[len(events) - since :]
                        assert model([name], later, set()) == wanted, (name, later)
                    data, position, since = later, 0, len(events)
                    present += 1
                    framing = FRAMINGS[names[present % len(names)]].pattern.clone()
                    break
        except FramingError as fault:
            raise AssertionError("raised before its iterator") from fault
    return events


class Swapper:
    """
    The same, as a connection delivers it.
    """

    def __init__(self, names: Sequence[str], swaps: set[int], holds: set[int]) -> None:
        self.names, self.swaps, self.holds = names, swaps, holds
        self.events: list[Any] = []
        self.records = self.present = 0
        self.delivery = Delivery(
            FRAMINGS[names[0]].pattern.clone(),
            Swapper.deliver,
            self,
            self,
        )

    def deliver(self, record: Any) -> None:
        self.events.append(repr(record))
        self.records += 1
        if self.records in self.swaps:
            self.present += 1
            name = self.names[self.present % len(self.names)]
            self.delivery.swap(FRAMINGS[name].pattern.clone())
        if self.records in self.holds:
            self.delivery.hold(Hold.USER)

    def _faulted(self, fault: Exception) -> None:
        self.events.append(type(fault))
        if not getattr(fault, "skipped", False):
            self.delivery.stop()

    def _raised(self, error: BaseException) -> None:
        raise AssertionError("nothing raises here") from error

    def _resumed(self) -> None:
        pass

    def read(self, chunks: Sequence[bytes]) -> list[Any]:
        for number, chunk in enumerate(chunks):
            self.delivery.feed(chunk)
            if number % 2:
                self.delivery.release(Hold.USER)
        self.delivery.end(lambda: None)
        while self.delivery.held:
            self.delivery.release(Hold.USER)
        return self.events


def _streams(names: Sequence[str]) -> st.SearchStrategy[bytes]:
    frames = [octets for name in names for octets in framedBy(name)]
    parts = st.sampled_from([*frames, *frames, *_ODD]) | st.binary(max_size=3)
    return st.lists(parts, max_size=12).map(b"".join)


numbers = st.sets(st.integers(1, 12))


#: Names of framings, and a stream of what they frame.
framingsAndStream = st.lists(
    st.sampled_from(INVARIANT), min_size=1, max_size=3
).flatmap(lambda names: st.tuples(st.just(names), _streams(names)))


class SwapTests(SynchronousTestCase):
    """
    L{Delivery} with all framings.
    """

    def test_everyPair(self) -> None:
        """
        From each framing to each other, and back, at every record of a stream.
        """
        for first, second in permutations(INVARIANT, 2):
            head, tail = framedBy(first), framedBy(second)
            data = b"".join([*head, *tail[:2], *head[:2], *tail])
            for swaps in ({len(head)}, {1, 2, 3, 5, 8}):
                expected = model([first, second], data, swaps)
                for size in (len(data) or 1, 7):
                    chunks = [data[n : n + size] for n in range(0, len(data), size)]
                    found = Swapper([first, second], swaps, set()).read(chunks)
                    self.assertEqual(found, expected, (first, second, swaps, size))

    @settings(max_examples=500)
    @given(framingsAndStream, cuts, numbers, numbers)
    def test_anyStream(
        self,
        namesAndData: tuple[list[str], bytes],
        at: list[int],
        swaps: set[int],
        holds: set[int],
    ) -> None:
        """
        Any stream, cut and held anywhere, also with what is no record in it.
        """
        names, data = namesAndData
        found = Swapper(names, swaps, holds).read(pieces(data, at))
        self.assertEqual(found, model(names, data, swaps))

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
        To hold the records anywhere, and let them go before the next read, changes
        nothing, whatever the framing says of itself.
        """
        name, data = nameAndData
        chunks = pieces(data, at)
        plain = Swapper([name], set(), set())
        held = Swapper([name], set(), holds)
        for chunk in chunks:
            plain.delivery.feed(chunk)
            held.delivery.feed(chunk)
            while held.delivery.held:
                held.delivery.release(Hold.USER)
        self.assertEqual(held.events, plain.events)

    def test_traits(self) -> None:
        """
        Those that depend on the cuts, and those that do not read back what they frame,
        are the expected few; and only of those that read whatever comes, and of a
        regular expression, is neither true.
        """

        def those(*traits: str) -> list[str]:
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
        self.assertEqual(those("chunkInvariant", "reversible"), neither)
        self.assertEqual(
            set(those("chunkInvariant")) - set(neither),
            {"line:autodetect=true", "stream", "receiver, LineOnlyReceiver"},
        )
        self.assertEqual(
            [n for n in those("reversible") if n not in neither and "stack" not in n],
            [
                "block:size=3",
                "lengthprefixed:octets=1,offset=1,adjustment=1,strip=1",
                "line, several",
                "lengthprefixed, netty",
            ],
        )


class ClientTests(ClientTestCase):
    """
    The same through the client.
    """

    @settings(max_examples=100)
    @given(framingsAndStream, cuts, numbers, numbers)
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
        records = [e for e in model(names, data, swaps) if isinstance(e, str)]
        self.assertEqual(found, records)
