"""
Tests for the command's text: records, events, messages and the progress line.
"""

from __future__ import annotations

import json
import math
import os
from fractions import Fraction
from importlib.util import find_spec
from math import inf
from select import select
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as some
from twisted.internet.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
)
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import eventAsText, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_clienttcp import Disconnection
from twisted_clienttcp._command import console as _console
from twisted_clienttcp._command.console import Console
from twisted_clienttcp._command.options import Options
from twisted_clienttcp._command.progress import ERASE, Progress, size
from twisted_clienttcp._command.text import Form, addressText, dumped, event
from twisted_clienttcp._connecting.destination import EndpointAddress
from twisted_clienttcp._details import ConnectTimeout
from twisted_clienttcp.errors import (
    ClientTCPError,
    InvalidRecord,
    RecordTooLong,
    TruncatedRecord,
)
from twisted_clienttcp.framing import SPECS, Stream, fromSpec
from twisted_clienttcp.testing import MemoryServer, decodeAll

from .._log import assertDocumented

values = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
) | some.text(some.characters())


#: Values that decoders of MessagePack and CBOR return.
scalars = (
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats()
    | some.text(some.characters())
    | some.binary()
    | some.dates()
    | some.fractions()
)


foreign = some.recursive(
    scalars,
    lambda inner: (
        some.lists(inner)
        | some.lists(inner).map(tuple)
        | some.dictionaries(scalars | some.tuples(scalars), inner)
        | some.frozensets(scalars)
        | inner.map(lambda value: SimpleNamespace(tag=1, value=value))
    ),
)


#: Framings of values; JSON cannot represent all of them.
SERIALIZED = tuple(
    f"serialized:serializer={name}"
    for name, module in (("msgpack", "msgpack"), ("cbor", "cbor2"))
    if find_spec(module) is not None
)

#: A map with bytes as a key, values that contain themselves, and numbers that are not
#: finite.
HOSTILE = (
    b"\x81\xc4\x01a\x01",
    b"\xa1\x41a\x01",
    b"\xd8\x1c\x81\xd8\x1d\x00",
    b"\xd8\x1c\xc6\xd8\x1d\x00",
    b"\xf9\x7e\x00",
    b"\xcb\x7f\xf8" + bytes(6),
)


#: CBOR: a list that contains the same list twice, which contains the same list twice,
#: and so on.
SHARED = b"\xd8\x1c\x80"

for _index in range(23):
    SHARED = b"\xd8\x1c\x82" + SHARED + b"\xd8\x1d" + bytes([23 - _index])


lines = some.binary().filter(lambda line: not set(line) & set(b"\r\n"))


class FormTests(SynchronousTestCase):
    """
    Records on standard input and output.
    """

    @given(some.lists(some.binary(min_size=1)))
    def test_stream(self, chunks: list[bytes]) -> None:
        """
        With C{stream}, bytes are passed as they are.
        """
        form = Form(Stream())
        self.assertEqual([r for c in chunks for r in form.read(c)], chunks)
        self.assertEqual(list(form.end()), [])
        self.assertEqual(b"".join(map(form.write, chunks)), b"".join(chunks))

    @given(some.lists(lines))
    def test_bytes(self, records: list[bytes]) -> None:
        """
        With framings of bytes, a line contains the bytes.
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
        With framings of text, a line contains the text in UTF-8.
        """
        form = Form(fromSpec("line:encoding=utf-16"))
        written = b"".join(map(form.write, records))
        self.assertEqual(list(form.read(written)), records)
        self.assertEqual(form.write("\ud800"), b"\\ud800\n")

    @given(some.lists(values))
    def test_values(self, records: list[Any]) -> None:
        """
        With framings of values, a line contains the value as JSON.
        """
        for spec in ("jsonlines", "jsonvalues", "serialized"):
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

    def test_errors(self) -> None:
        """
        The records before an error are not lost.
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
        Every framing that has a name has a form.
        """
        for name in SPECS:
            spec = "block:size=1" if name == "block" else name
            form = Form(fromSpec(spec))
            shown = form.write(b"x")
            self.assertEqual(shown.endswith(b"\n"), name != "stream")

    @given(values)
    def test_framed(self, value: Any) -> None:
        """
        A JSON value on standard input can be sent, or is rejected with an error that
        the command reports.
        """
        line = json.dumps(value).encode() + b"\n"
        for spec in ("jsonlines", "serialized", *SERIALIZED):
            framing = fromSpec(spec)
            for record in Form(framing).read(line):
                try:
                    framing.encode(record)
                except ClientTCPError:
                    pass

    def test_notJSON(self) -> None:
        """
        Lines that are not JSON are rejected, although Python reads some of them.
        """
        for line in (b"NaN", b"1e999", b"[" * 100_000, b"9" * 5000, b"\xff"):
            form = Form(fromSpec("jsonlines"))
            self.assertRaises(InvalidRecord, list, form.read(line + b"\n"))

    def test_isInsideRecord(self) -> None:
        """
        An unfinished last line is noticed, even if it is too long.
        """
        for spec, data, inside in (
            ("line", b"a\nb", True),
            ("line", b"a\n", False),
            ("line", b"", False),
            ("stream", b"a", False),
            ("jsonlines", b"1\n[", True),
            ("line", b"x" * 2_000_000, True),
        ):
            form = Form(fromSpec(spec))
            try:
                list(form.read(data))
            except RecordTooLong:
                pass
            self.assertEqual(form.isInsideRecord(), inside)


class PipesTestCase(SynchronousTestCase):
    """
    Tests for L{Console}, with pipes for standard input and output.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        (self.input, self.given), (self.taken, self.output) = os.pipe(), os.pipe()
        for descriptor in (self.input, self.given, self.taken, self.output):
            self.addCleanup(os.close, descriptor)
        self.patch(_console, "standard", [self.input, self.output].__getitem__)

    def make(self, *arguments: str) -> None:
        """
        Make a console and its client, as the command does for these options.
        """
        options = Options()
        options.parseOptions([*arguments, "localhost", "7"])
        self.console = Console(options, self.reactor)
        self.callbacks = self.console.callbacks()
        self.client = options.client(**self.console.marks(), **self.callbacks)

    def endInput(self) -> None:
        """
        Close the pipe of standard input.
        """
        os.close(self.given)
        # For the cleanup.
        os.dup2(self.taken, self.given)


class DrainTests(PipesTestCase):
    """
    Standard input while connections are replaced. The server is in memory, and does not
    end its side by itself.
    """

    def run_(self, *options: str) -> None:
        """
        Run the command until its first connection is 100 seconds old, and drains.
        """
        self.make("--reconnect", "--max-age=100", "--jitter=0", *options)
        self.server = MemoryServer(self.client)
        self.server.closing = False
        self.server.stopped.addErrback(lambda failure: None)
        self.server.accept()
        self.step()
        self.server.advance(100)
        self.assertFalse(self.client.connected)

    def step(self) -> None:
        """
        Let the command do everything that is due, and read and write what it can.
        """
        self.reactor.advance(0)
        for reader in list(self.reactor.getReaders()):
            if select([reader], [], [], 0)[0] and (lost := reader.doRead()) is not None:
                self.reactor.removeReader(reader)
                reader.connectionLost(Failure(lost))
        for writer in list(self.reactor.getWriters()):
            writer.doWrite()
        self.server.advance(0)

    def test_endDuringDrain(self) -> None:
        """
        A last line that is read during a drain is sent on the next connection. If
        nothing is left to be sent, the command ends after the drain, except with
        C{--eof=keep}.
        """
        for eof in ("half", "close", "keep"):
            for line in (b"last\n", b""):
                self.setUp()
                self.run_(f"--eof={eof}")
                os.write(self.given, line)
                self.endInput()
                self.step()
                self.step()
                self.assertEqual(self.client.pendingBytes, len(line) + bool(line))
                self.server.close()
                self.step()
                follows = bool(line) or eof == "keep"
                self.assertEqual(self.server.attempting, follows)
                self.assertEqual(self.server.stopped.called, not follows)
                if follows:
                    self.server.accept()
                    self.step()
                    self.assertEqual(self.server.read(), line.replace(b"\n", b"\r\n"))
                    self.assertEqual(self.server.ended, eof != "keep")
                    self.client.shutdown()
                    self.server.close()
                self.assertTrue(self.server.stopped.called)
                self.assertEqual(self.console.exitStatus(None), 0)

    def test_endBetween(self) -> None:
        """
        Between a drain and the next connection, nothing is read. The end of standard
        input is then acted on when the next connection has sent what was there.
        """
        for eof in ("half", "close"):
            self.setUp()
            self.run_(f"--eof={eof}")
            self.server.close()
            os.write(self.given, b"last\n")
            self.endInput()
            self.step()
            self.assertEqual(self.client.pendingBytes, 0)
            self.server.refuse()
            self.server.advance(self.client.delay)
            self.server.accept()
            for _ in range(3):
                self.step()
            self.assertEqual(self.server.read(), b"last\r\n")
            self.assertTrue(self.server.ended)
            self.server.close()
            self.assertEqual(self.console.exitStatus(None), 0)

    def test_endBefore(self) -> None:
        """
        If the line that ends standard input has been read while the next connection was
        awaited, that ends its side when the line has been sent.
        """
        self.run_("--eof=half", "--offline-limit=1k")
        self.server.close()
        os.write(self.given, b"last\n")
        self.endInput()
        self.step()
        self.step()
        self.assertEqual(self.client.pendingBytes, 6)
        self.server.accept()
        self.step()
        self.assertEqual(self.server.read(), b"last\r\n")
        self.assertTrue(self.server.ended)

    def test_emptyWithoutConnection(self) -> None:
        """
        If standard input ends before there is a connection and nothing is left to be
        sent, C{--eof=close} ends the command, and the others wait for the connection.
        """
        for eof in ("half", "close", "keep"):
            self.setUp()
            self.make(f"--eof={eof}", "--offline-limit=1k")
            self.server = MemoryServer(self.client)
            self.endInput()
            self.step()
            self.assertEqual(self.server.stopped.called, eof == "close")
            self.client.shutdown()
            self.server.stopped.addErrback(lambda failure: None)

    def test_answersAfterDrain(self) -> None:
        """
        Records that arrive during a drain are printed.
        """
        self.run_()
        self.server.send(b"late\r\n")
        self.step()
        self.assertEqual(os.read(self.taken, 100), b"late\n")

    def test_cutOff(self) -> None:
        """
        If the server does not end its side of a replaced connection, answers may be
        missing: the exit status is 1 although the last connection ended well.
        """
        for end, status in ((self.expire, 1), (self.close, 0)):
            self.setUp()
            self.run_("--linger-timeout=20")
            end()
            self.assertTrue(self.server.attempting)
            self.server.accept()
            self.endInput()
            for _ in range(2):
                self.step()
            self.server.close()
            self.successResultOf(self.server.stopped)
            self.assertEqual(self.console.exitStatus(None), status)

    def expire(self) -> None:
        self.server.advance(20)
        self.server.advance(self.client.delay)

    def close(self) -> None:
        self.server.close()


class ConsoleTests(PipesTestCase):
    """
    What the command writes at its end, and its exit status.
    """

    def setUp(self) -> None:
        super().setUp()
        self.make("--framing=stream")
        self.events: list[Any] = []
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.callbacks["started"](self.client)

    def receive(self, data: bytes) -> None:
        self.callbacks["serverInput"](self.client, data)

    @property
    def messages(self) -> list[str]:
        """
        The messages so far.
        """
        for each in self.events:
            assertDocumented(self, each)
        return [eventAsText(each, includeTimestamp=False) for each in self.events]

    def flush(self) -> None:
        """
        Write as the reactor would.
        """
        for writer in list(self.reactor.getWriters()):
            if (lost := writer.doWrite()) is not None:
                writer.connectionLost(Failure(lost))

    def test_nothingReceived(self) -> None:
        """
        After a signal, there is no message about standard output if nothing was
        received, however long the client takes to end.
        """
        self.console.interrupt("SIGTERM")
        self.reactor.advance(100)
        closed = self.console.close()
        self.flush()
        self.successResultOf(closed)
        self.reactor.advance(100)
        self.assertEqual((self.messages, self.console.lost), ([], False))

    def test_interruptedListener(self) -> None:
        """
        After a signal, a server that keeps sending is not waited for, unless data must
        still be sent, or the user has set the time.
        """
        for pending, options, limit in (
            (0, [], _console.LINGER_TIMEOUT),
            (1, [], 30),
            (0, ["--linger-timeout=7"], 7),
        ):
            with self.subTest(pending=pending, options=options):
                given = Options()
                given.parseOptions([*options, "localhost", "7"])
                console = Console(given, self.reactor)
                callbacks = console.callbacks()
                client = given.client(**console.marks(), **callbacks)
                callbacks["started"](client)
                self.patch(type(client), "pendingBytes", pending)
                console.interrupt("SIGINT")
                self.assertEqual(client.lingerTimeout, limit)

    def test_outputNotRead(self) -> None:
        """
        After a signal, output that is not read is dropped soon.
        """
        self.receive(bytes(1_000_000))
        self.flush()
        self.console.interrupt("SIGTERM")
        self.reactor.advance(_console.OUTPUT_TIMEOUT)
        self.assertIn("nobody reads it", "".join(self.messages))
        self.assertTrue(self.console.lost)
        self.successResultOf(self.console.close())

    def test_endNotRead(self) -> None:
        """
        The same holds for output that was received after the signal.
        """
        self.console.interrupt("SIGTERM")
        self.reactor.advance(_console.OUTPUT_TIMEOUT)
        self.receive(bytes(1_000_000))
        self.flush()
        closed = self.console.close()
        self.assertNoResult(closed)
        self.reactor.advance(_console.OUTPUT_TIMEOUT)
        self.successResultOf(closed)
        self.assertTrue(self.console.lost)

    def test_status(self) -> None:
        """
        The status is 0 only if standard input was read to its end.
        """
        self.assertEqual(self.console.exitStatus(None), 1)
        os.write(self.given, b"x")
        self.assertEqual(self.console.exitStatus(None), 1)
        os.read(self.input, 1)
        self.endInput()
        self.assertEqual(self.console.exitStatus(None), 0)

    def test_reasons(self) -> None:
        """
        If standard input was not read to its end, there is a message about the reason,
        and only one. Its reader has closed standard output: that needs no message.
        """
        peer, done = IPv4Address("TCP", "127.0.0.1", 7), Failure(ConnectionDone())
        for reason, message in (
            (lambda: None, "the connection was closed before the end of"),
            (
                lambda: self.callbacks["serverError"](self.client, done),
                "the server closed the connection before the end of",
            ),
            (lambda: self.console.interrupt("SIGTERM"), ""),
            (self.closeOutput, ""),
        ):
            self.setUp()
            self.callbacks["connected"](self.client, peer)
            reason()
            self.assertEqual(self.console.exitStatus(None), 1)
            self.assertEqual(len(self.messages), bool(message))
            self.assertIn(message, "".join(self.messages))

    def closeOutput(self) -> None:
        (writer,) = self.reactor.getReaders()
        writer.connectionLost(Failure(ConnectionDone()))

    def test_statusAfterALoss(self) -> None:
        """
        With C{--reconnect}, a connection that was lost in the meantime changes the
        status only if something was not sent, not acknowledged or not printed.
        """
        reset = Failure(ConnectionLost())
        for numbers, status in (
            ({"unsent": 0, "unacknowledged": None}, 0),
            ({"unsent": 0, "unacknowledged": 0}, 0),
            ({"unsent": 1, "unacknowledged": None}, 1),
            ({"unsent": 0, "unacknowledged": 1}, 1),
            ({"unsent": 0, "undelivered": 1}, 1),
        ):
            self.setUp()
            self.endInput()
            given: dict[str, Any] = {"confirmed": False, **numbers}
            self.callbacks["connected"](self.client, IPv4Address("TCP", "127.0.0.1", 7))
            self.callbacks["serverError"](self.client, reset)
            self.callbacks["disconnected"](
                self.client, Disconnection(failure=reset, initiator="network", **given)
            )
            self.callbacks["connected"](self.client, IPv4Address("TCP", "127.0.0.1", 7))
            self.assertEqual(self.console.exitStatus(None), status, numbers)


class EventTests(SynchronousTestCase):
    """
    Events as JSON.
    """

    def event(self, *args: Any) -> dict[str, Any]:
        shown = event(*args)
        self.assertEqual(shown.count(b"\n"), 1)
        fields: dict[str, Any] = json.loads(shown)
        self.assertRegex(fields.pop("time"), r"^\d{4}-\d\d-\d\dT")
        return fields

    def test_records(self) -> None:
        """
        A record is text, a value, or bytes in base 64.
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
                self.event("serverInput", 0, record),
                {"event": "serverInput", "record": shown},
            )

    def test_others(self) -> None:
        """
        Each event has the argument of its callback.
        """
        for address, peer in (
            (IPv4Address("TCP", "127.0.0.1", 7), "127.0.0.1 7"),
            (UNIXAddress("/run/x"), "/run/x"),
        ):
            fields = self.event("connected", 0, address)
            self.assertEqual(fields, {"event": "connected", "peer": peer})
        fields = self.event("serverHigh", 5)
        self.assertEqual(fields, {"event": "serverHigh", "pending": 5})
        fields = self.event("connectError", 0, Failure(ConnectionRefusedError()))
        self.assertEqual((fields["operation"], fields["errno"]), ("connect", 111))
        self.assertNotIn("tried", fields)
        tried = {"::1": "Connection refused", "127.0.0.1": "abandoned"}
        refused = Failure(ConnectionRefusedError())
        for name, expected in (("connectError", tried), ("stopped", None)):
            fields = self.event(name, 0, refused, inf, tried)
            self.assertEqual(fields.get("tried"), expected)
        self.assertEqual(self.event("stopped", 0, None), {"event": "stopped"})
        disconnection = Disconnection(
            failure=Failure(ConnectionDone()),
            initiator="peer",
            unsent=3,
            confirmed=False,
            truncated=TruncatedRecord(b"re"),
        )
        fields = self.event("disconnected", 0, disconnection)
        self.assertEqual(
            (
                fields["initiator"],
                fields["unsent"],
                fields["confirmed"],
                fields["truncated"],
            ),
            ("peer", 3, False, "re"),
        )

    def test_texts(self) -> None:
        """
        The end of a connection has a text in every event, and the client's own deadline
        is named.
        """
        server, client = (
            f"the {side} closed the connection" for side in ("server", "client")
        )
        deadline = "not connected in time (--connect-timeout=30)"
        done = Failure(ConnectionDone())
        for name in ("connectError", "serverError", "stopped"):
            self.assertEqual(self.event(name, 0, done)["text"], server)
        timeout = Failure(ConnectTimeout("not connected in time", "connectTimeout", 30))
        self.assertEqual(self.event("connectError", 0, timeout)["text"], deadline)
        for initiator, failure, text in (
            ("peer", done, server),
            ("local", done, client),
            ("network", Failure(ConnectionLost()), "Connection reset by peer"),
        ):
            end = Disconnection(
                failure=failure, initiator=initiator, unsent=0, confirmed=False
            )
            self.assertEqual(self.event("disconnected", 0, end)["text"], text)

    def test_places(self) -> None:
        """
        An address has the form that it has on the command line.
        """
        for address, shown in (
            (IPv4Address("TCP", "127.0.0.1", 7), "127.0.0.1 7"),
            (IPv6Address("TCP", "::1", 7), "::1 7"),
            (HostnameAddress(b"localhost", 7), "localhost 7"),
            (UNIXAddress("/run/x"), "/run/x"),
            (EndpointAddress("unix:/run/x"), "unix:/run/x"),
        ):
            self.assertEqual(addressText(address), shown)

    @given(values)
    def test_dumped(self, value: Any) -> None:
        """
        A value of JSON survives, and has one form.
        """
        self.assertEqual(json.loads(dumped(value)), value)
        self.assertEqual(dumped(value), dumped(value, limit=10**9))

    @given(foreign)
    def test_foreign(self, value: Any) -> None:
        """
        Any value that a server may send is written as JSON.
        """
        for limit in (math.inf, 1000):
            strict(dumped(value, limit))

    def test_misleading(self) -> None:
        """
        Characters that a terminal or a log collector could misread are escaped, in
        names and values.
        """
        codes = [*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029]
        value = {chr(code): f"a{chr(code)}b" for code in codes}
        for limit in (inf, 10**6):
            shown = dumped(value, limit).decode()
            self.assertEqual(json.loads(shown), value)
            self.assertEqual([c for c in codes if chr(c) in shown[:-1]], [])
            self.assertIn(r"\u2028", shown)

    def test_substitutes(self) -> None:
        """
        Each value that JSON cannot represent has a form.
        """
        inside: list[Any] = [1]
        inside.append(inside)
        for value, shown in (
            (math.nan, "NaN"),
            ([math.inf, -math.inf], ["Infinity", "-Infinity"]),
            (10**5000, hex(10**5000)),
            (-(10**5000), hex(-(10**5000))),
            ({None: 3, True: 4}, {"true": 4, "null": 3}),
            ({2: 3, 0.5: None}, {"2": 3, "0.5": None}),
            ({1: 2, "1": 3}, [[1, 2], ["1", 3]]),
            ({b"a": 1}, [[{"base64": "YQ=="}, 1]]),
            ({(1, 2): 3}, [[[1, 2], 3]]),
            ({math.nan: 1}, [["NaN", 1]]),
            (frozenset([1]), [1]),
            (inside, [1, "..."]),
            (
                SimpleNamespace(tag=6, value=b"a"),
                {"tag": 6, "value": {"base64": "YQ=="}},
            ),
            (Fraction(1, 3), "1/3"),
        ):
            self.assertEqual(strict(dumped(value, 10**6)), shown)
        self.assertIn("Fraction", strict(dumped(Fraction(1, 10**5000))))

    @given(
        some.sampled_from(["json", "msgpack", "cbor"]),
        some.binary() | some.sampled_from(HOSTILE),
    )
    @example("cbor", SHARED)
    @settings(deadline=None)
    def test_received(self, serializer: str, data: bytes) -> None:
        """
        Every value that a serializer reads can be printed, as a record and as an event.
        """
        try:
            framing: Any = fromSpec(
                f"serialized:serializer={serializer},maxLength=1000"
            )
        except ImportError as error:
            raise SkipTest(str(error)) from None
        records, refused = decodeAll(framing, [b"%d\0" % len(data) + data])
        if refused is not None:
            return
        [record] = records
        form = Form(framing)
        strict(form.write(record))
        strict(event("serverInput", 0, record, form.limit))

    def test_depth(self) -> None:
        """
        A value may be nested to any depth.
        """
        value: Any = b""
        for _ in range(100_000):
            value = [value]
        shown = dumped(value)
        self.assertEqual(
            shown, b"[" * 100_000 + b'{"base64": ""}' + b"]" * 100_000 + b"\n"
        )

    def test_expansion(self) -> None:
        """
        A value whose parts occur many times is not written in full.
        """
        value: Any = ["x" * 100]
        for _ in range(60):
            value = [value, value]
        shown = dumped(value, limit=10_000)
        self.assertLess(len(shown), 12_000)
        self.assertIn("x" * 100, shown.decode())
        strict(shown)


def strict(line: bytes) -> Any:
    """
    @return: the value of a line of JSON.
    """
    [text] = line.splitlines()
    return json.loads(text, parse_constant=int)


class ProgressTests(SynchronousTestCase):
    """
    The progress line.
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
        The line appears a second after the start, and changes each second.
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
        The line disappears while nothing is sent.
        """
        self.clock.advance(1)
        self.assertEqual(self.drawn, [])
        self.put = 10
        self.clock.advance(1)
        self.assertIn("10 bytes sent", self.drawn[-1])
        self.clock.advance(1)
        self.assertEqual(self.drawn[-1], ERASE)
        self.clock.advance(1)
        self.assertEqual(len(self.drawn), 2)

    def test_stop(self) -> None:
        """
        At the end, the line is erased.
        """
        self.put = 10
        self.clock.advance(1)
        self.progress.stop()
        self.assertEqual(self.drawn[-1], ERASE)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.progress.stop()
        self.assertEqual(len(self.drawn), 2)

    def test_size(self) -> None:
        """
        A number of bytes has a unit.
        """
        for number, shown in (
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (5.5 * 1024**3, "5.5 GiB"),
            (5000 * 1024**3, "5000.0 GiB"),
        ):
            self.assertEqual(size(number), shown)
