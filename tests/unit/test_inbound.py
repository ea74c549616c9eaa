"""
Tests for the delivery of records: in order, each once, also when it is interrupted.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted_clienttcp._delivery import Delivery, Hold

from twisted_clienttcp.framing import Line, Stream

from .._streams import cuts, pieces

#: Streams of short words between two delimiters.
words = st.lists(st.sampled_from([b"a", b"bb", b"|", b";", b"c|", b"d;"])).map(b"".join)


def model(data: bytes, swaps: set[int]) -> list[bytes]:
    """
    What swapping between the delimiters | and ; after those records gives, one record
    at a time.
    """
    records: list[bytes] = []
    delimiter = b"|"
    while delimiter in data:
        record, data = data.split(delimiter, 1)
        records.append(record)
        if len(records) in swaps:
            delimiter = b";" if delimiter == b"|" else b"|"
    return records


class Owner:
    """
    Collects what the delivery tells.
    """

    def __init__(self) -> None:
        self.told: list[BaseException | None] = []

    def _faulted(self, fault: Exception) -> None:
        self.told.append(fault)

    def _raised(self, error: BaseException) -> None:
        self.told.append(error)

    def _resumed(self) -> None:
        self.told.append(None)


class DeliveryTests(SynchronousTestCase):
    """
    L{Delivery}.
    """

    def test_answersThatAreThere(self) -> None:
        """
        An answer that is there already costs nothing for the records behind it.
        """
        taken: list[int] = []

        class Watched(Delivery):
            def _takeBack(self) -> list[Any]:
                waiting = super()._takeBack()
                taken.append(len(waiting))
                return waiting

        records: list[bytes] = []

        def deliver(client: Any, record: bytes) -> Deferred[None]:
            records.append(record)
            return succeed(None)

        Watched(Line(delimiter=b"|"), deliver, None, Owner()).feed(b"x|" * 100)
        self.assertEqual((len(records), sum(taken)), (100, 0))

    @given(words, cuts, st.sets(st.integers(1, 12)), st.sets(st.integers(1, 12)))
    def test_swapsAndHolds(
        self, data: bytes, at: list[int], swaps: set[int], holds: set[int]
    ) -> None:
        """
        However the stream is cut, whenever the framing is changed and the delivery
        held: the records are those of one that takes one record at a time.
        """
        records: list[bytes] = []
        owner = Owner()

        def deliver(delivery: list[Delivery], record: bytes) -> None:
            [present] = delivery
            records.append(record)
            if len(records) in swaps:
                framing: Any = present.framing
                other = b";" if framing.frame(b"") == b"|" else b"|"
                present.swap(Line(delimiter=other))
            if len(records) in holds:
                present.hold(Hold.USER)

        holder: list[Delivery] = []
        delivery = Delivery(Line(delimiter=b"|"), deliver, holder, owner)
        holder.append(delivery)
        for piece in pieces(data, at):
            delivery.feed(piece)
            if len(piece) % 2:
                delivery.release(Hold.USER)
        while delivery.held:
            delivery.release(Hold.USER)
        self.assertEqual(records, model(data, swaps))
        self.assertEqual(owner.told, [])

    def test_finishIsCalledOnce(self) -> None:
        """
        A framing whose end never ends does not hang the reactor.
        """

        class Endless(Stream):
            def finish(self) -> Any:
                return [b"last"]

        records: list[bytes] = []
        ends: list[None] = []
        delivery = Delivery(
            Endless(), lambda to, record: to.append(record), records, Owner()
        )
        delivery.end(lambda: ends.append(None))
        self.assertEqual((records, ends), ([b"last"], [None]))

    def test_swapInANewline(self) -> None:
        """
        A newline belongs to its line, also when its second octet comes after another
        framing has taken over.
        """
        for chunks in ([b"a\r\nbody"], [b"a\r", b"\nbody"], [b"a\r", b"\n", b"body"]):
            records: list[bytes] = []

            def deliver(holder: list[Delivery], record: bytes) -> None:
                records.append(record)  # noqa: B023
                if record == b"a":
                    holder[0].swap(Stream())

            holder: list[Delivery] = []
            holder.append(Delivery(Line(), deliver, holder, Owner()))
            for chunk in chunks:
                holder[0].feed(chunk)
            self.assertEqual(records, [b"a", b"body"])

    def test_swapTwiceInANewline(self) -> None:
        """
        Also after two others in a row, and if it came while the records were held.
        """
        records: list[bytes] = []

        def deliver(holder: list[Delivery], record: bytes) -> None:
            records.append(record)
            if record == b"a":
                holder[0].hold(Hold.USER)

        holder: list[Delivery] = []
        holder.append(Delivery(Line(), deliver, holder, Owner()))
        holder[0].feed(b"a\r")
        holder[0].feed(b"\nbody")
        holder[0].swap(Line())
        holder[0].swap(Stream())
        holder[0].release(Hold.USER)
        self.assertEqual(records, [b"a", b"body"])

    def test_nestedFeed(self) -> None:
        """
        Octets that come from inside a delivery are delivered behind the present ones.
        """
        records: list[bytes] = []

        def deliver(holder: list[Delivery], record: bytes) -> None:
            records.append(record)
            if record == b"a":
                holder[0].feed(b"c|")

        holder: list[Delivery] = []
        line = Line(delimiter=b"|")
        holder.append(Delivery(line, deliver, holder, Owner()))
        holder[0].feed(b"a|b|")
        self.assertEqual(records, [b"a", b"b", b"c"])
