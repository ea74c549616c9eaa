"""
Records and events as text.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from twisted.internet.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
)
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import Disconnection
from twisted_clienttcp._progress import ERASE, Progress, octets
from twisted_clienttcp._target import EndpointAddress
from twisted_clienttcp._text import Form, dumped, event, place
from twisted_clienttcp.errors import InvalidRecord, RecordTooLong, TruncatedRecord
from twisted_clienttcp.framing import SPECS, Stream, fromSpec

values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
) | some.text(some.characters())

lines = some.binary().filter(lambda line: not set(line) & set(b"\r\n"))


class FormTests(SynchronousTestCase):
    """
    Records on standard input and output.
    """

    @given(some.lists(some.binary(min_size=1)))
    def test_stream(self, chunks: list[bytes]) -> None:
        """
        Octets are passed as they are.
        """
        form = Form(Stream())
        self.assertEqual([r for c in chunks for r in form.read(c)], chunks)
        self.assertEqual(list(form.end()), [])
        self.assertEqual(b"".join(map(form.write, chunks)), b"".join(chunks))

    @given(some.lists(lines))
    def test_octets(self, records: list[bytes]) -> None:
        """
        With framings of octets a line holds these.
        """
        form = Form(fromSpec("netstring"))
        written = b"".join(map(form.write, records))
        self.assertEqual(list(form.read(written)), records)
        self.assertEqual(list(form.end()), [])

    @given(
        some.lists(
            some.text(
                some.characters(exclude_characters="\r\n", exclude_categories=["Cs"])
            )
        )
    )
    def test_text(self, records: list[str]) -> None:
        """
        With framings of text it holds that in UTF-8.
        """
        form = Form(fromSpec("line:encoding=utf-16"))
        written = b"".join(map(form.write, records))
        self.assertEqual(list(form.read(written)), records)
        self.assertEqual(form.write("\ud800"), b"\\ud800\n")

    @given(some.lists(values))
    def test_values(self, records: list[Any]) -> None:
        """
        With framings of values it holds these in JSON.
        """
        for spec in ("jsonlines", "serialized"):
            form = Form(fromSpec(spec))
            written = b"".join(map(form.write, records))
            self.assertEqual(written.count(b"\n"), len(records))
            self.assertEqual(list(form.read(written)), records)

    def test_end(self) -> None:
        """
        The last line needs no newline.
        """
        form = Form(fromSpec("jsonlines"))
        self.assertEqual(list(form.read(b"1\n2")), [1])
        self.assertEqual(list(form.end()), [2])

    def test_faults(self) -> None:
        """
        The records before a fault are not lost by it.
        """
        for spec, data, before, error in (
            ("jsonlines", b"1\n}\n2\n", [1], InvalidRecord),
            ("line:encoding=utf-8", b"a\n\xff\n", ["a"], InvalidRecord),
            ("line", b"a\n" + b"x" * 11, [b"a"], RecordTooLong),
        ):
            form = Form(fromSpec(spec), maxLength=10)
            records: list[Any] = []

            def read(form: Form = form, into: Any = records, data: Any = data) -> None:
                for record in form.read(data):
                    into.append(record)

            self.assertRaises(error, read)
            self.assertEqual(records, before)

    def test_all(self) -> None:
        """
        There is a form for every framing that has a name.
        """
        for name in SPECS:
            spec = "block:size=1" if name == "block" else name
            form = Form(fromSpec(spec))
            self.assertEqual(form.exact, name == "stream")


class EventTests(SynchronousTestCase):
    """
    Events as JSON.
    """

    def told(self, *args: Any) -> dict[str, Any]:
        shown = event(*args)
        self.assertEqual(shown.count(b"\n"), 1)
        told: dict[str, Any] = json.loads(shown)
        self.assertRegex(told.pop("time"), r"^\d{4}-\d\d-\d\dT")
        return told

    def test_records(self) -> None:
        """
        A record is text, or a value, or octets in base 64.
        """
        for record, shown in (
            (b"abc", "abc"),
            ("é".encode(), "é"),
            (b"\xff", {"base64": "/w=="}),
            ({"a": [None]}, {"a": [None]}),
            ({"a": b"\xff"}, {"a": {"base64": "/w=="}}),
            ("\ud800", "\ud800"),
        ):
            self.assertEqual(
                self.told("serverInput", 0, record),
                {"event": "serverInput", "record": shown},
            )

    def test_others(self) -> None:
        """
        Each tells what its callback gets.
        """
        for address, peer in (
            (IPv4Address("TCP", "127.0.0.1", 7), "127.0.0.1 7"),
            (UNIXAddress("/run/x"), "/run/x"),
        ):
            told = self.told("connected", 0, address)
            self.assertEqual(told, {"event": "connected", "peer": peer})
        told = self.told("serverHigh", 5)
        self.assertEqual(told, {"event": "serverHigh", "pending": 5})
        told = self.told("connectError", 0, Failure(ConnectionRefusedError()))
        self.assertEqual((told["operation"], told["errno"]), ("connect", 111))
        self.assertEqual(self.told("stopped", 0, None), {"event": "stopped"})
        disconnection = Disconnection(
            failure=Failure(ConnectionDone()),
            initiator="peer",
            unsent=3,
            confirmed=False,
            truncated=TruncatedRecord(b"re"),
        )
        told = self.told("disconnected", 0, disconnection)
        self.assertEqual(
            (told["initiator"], told["unsent"], told["confirmed"], told["truncated"]),
            ("peer", 3, False, "re"),
        )

    def test_places(self) -> None:
        """
        An address looks as it is given on the command line.
        """
        for address, shown in (
            (IPv4Address("TCP", "127.0.0.1", 7), "127.0.0.1 7"),
            (IPv6Address("TCP", "::1", 7), "::1 7"),
            (HostnameAddress(b"localhost", 7), "localhost 7"),
            (UNIXAddress("/run/x"), "/run/x"),
            (EndpointAddress("unix:/run/x"), "unix:/run/x"),
        ):
            self.assertEqual(place(address), shown)

    @given(values)
    def test_dumped(self, value: Any) -> None:
        """
        Any value comes back.
        """
        self.assertEqual(json.loads(dumped(value)), value)


class ProgressTests(SynchronousTestCase):
    """
    The line for whoever watches.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.drawn: list[str] = []
        self.put, self.pending = 0, 0
        self.progress = Progress(
            self.clock, lambda: (self.put, self.pending), self.drawn.append
        )
        self.progress.start(2048, 1024)

    def test_lines(self) -> None:
        """
        A second after the start, and each second, it tells what has been done.
        """
        self.put, self.pending = 3 * 1024 * 1024, 1024
        self.assertEqual(self.drawn, [])
        self.clock.advance(1)
        self.put += 1024
        self.clock.advance(1)
        self.assertEqual(
            self.drawn,
            [
                f"{ERASE}3.0 MiB sent, 3.0 MiB/s, 1.0 KiB pending (marks 2.0 KiB, "
                "1.0 KiB)",
                f"{ERASE}3.0 MiB sent, 1.0 KiB/s, 1.0 KiB pending (marks 2.0 KiB, "
                "1.0 KiB)",
            ],
        )

    def test_idle(self) -> None:
        """
        When nothing is sent it goes.
        """
        self.clock.advance(1)
        self.assertEqual(self.drawn, [])
        self.put = 10
        self.clock.advance(1)
        self.assertIn("10 octets sent", self.drawn[-1])
        self.clock.advance(1)
        self.assertEqual(self.drawn[-1], ERASE)
        self.clock.advance(1)
        self.assertEqual(len(self.drawn), 2)

    def test_stop(self) -> None:
        """
        At the end nothing is left of it.
        """
        self.put = 10
        self.clock.advance(1)
        self.progress.stop()
        self.assertEqual(self.drawn[-1], ERASE)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.progress.stop()
        self.assertEqual(len(self.drawn), 2)

    def test_octets(self) -> None:
        """
        Numbers for people.
        """
        for number, shown in (
            (0, "0 octets"),
            (1023, "1023 octets"),
            (1024, "1.0 KiB"),
            (5.5 * 1024**3, "5.5 GiB"),
            (5000 * 1024**3, "5000.0 GiB"),
        ):
            self.assertEqual(octets(number), shown)
