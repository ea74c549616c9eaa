"""
Tests for C{wireLog}: a log of the bytes that pass over connections.
"""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Stream
from twisted_clienttcp.testing import MemoryServer
from twisted_clienttcp.wirelog import WireLog

from .._memory import ClientTestCase, Transport
from .._output import data, sizes
from .._support import CHUNK, Recorder, Server
from .._tls import TLSTestCase
from .._ways import TLS_WAYS, WAYS, WaysTestCase
from .._wirelog import Dump

OUT, IN = ">", "<"


class MemoryTestCase(SynchronousTestCase):
    """
    Tests in memory, with a client whose waits are not random.
    """

    def setUp(self) -> None:
        self.file = io.StringIO()
        self.recorder = Recorder()

    def server(self, **parameters: Any) -> MemoryServer:
        """
        @return: a server whose client has a log that shows up to 64 bytes of an entry.
        """
        given = {
            "remoteAddress": "quotes.example",
            "remotePort": 1717,
            "wireLog": WireLog(self.file, limit=64),
            "jitter": 0,
            **self.recorder.parameters(),
            **parameters,
        }
        return MemoryServer(ClientTCPFactory(**given))

    def dump(self) -> Dump:
        return Dump(self.file.getvalue())


class EntryTests(MemoryTestCase):
    """
    The entries of the log.
    """

    def test_connection(self) -> None:
        """
        The log shows the bytes of both directions, in the order in which they are
        received and passed to the transport, and the end of each side.
        """
        self.recorder.on["connected"] = lambda client, peer: client.put(b"USER me")
        server = self.server()
        server.accept()
        server.send(b"welcome\r\n")
        server.advance(1.5)
        server.client.put(b"GET tea")
        server.advance(0)
        server.send(b"tea 42\r\n")
        server.client.shutdown()
        server.advance(0)
        time, later = "1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:01.500000Z"
        name = "#1 quotes.example:1717"
        self.assertEqual(
            self.file.getvalue().splitlines(),
            [
                f"{time} {name} connected from 127.0.0.1:49152 to 127.0.0.1:7",
                f"{time} {name} > offset 0, length 9, masked",
                f"{time} {name} < offset 0, length 9",
                "00000000  77 65 6c 63 6f 6d 65 0d  0a                       "
                "|welcome..|",
                f"{later} {name} > offset 9, length 9",
                "00000009  47 45 54 20 74 65 61 0d  0a                       "
                "|GET tea..|",
                f"{later} {name} < offset 9, length 8",
                "00000009  74 65 61 20 34 32 0d 0a                           "
                "|tea 42..|",
                f"{later} {name} > end of stream",
                f"{later} {name} < end of stream",
                f"{later} {name} closed",
            ],
        )

    def test_alias(self) -> None:
        """
        The alias names the client, if there is one.
        """
        self.server(alias="feed").accept()
        [note] = self.dump().notes
        self.assertTrue(note.startswith("#1 feed connected from "), note)

    def test_reconnected(self) -> None:
        """
        Each connection has a number of its own, and offsets from 0.
        """
        server = self.server()
        for _ in range(2):
            server.accept()
            server.send(b"welcome\r\n")
            server.reset()
            server.advance(server.client.delay)
        found = [(e.number, e.offset, e.data) for e in self.dump().entries]
        welcome = b"welcome\r\n"
        self.assertEqual(found, [(1, 0, welcome), (2, 0, welcome)])
        name = "quotes.example:1717 lost: Connection reset by peer"
        self.assertEqual(self.dump().notes[1::2], [f"#1 {name}", f"#2 {name}"])

    def test_severalClients(self) -> None:
        """
        Several clients can have the same log.
        """
        log = WireLog(self.file)
        servers = [self.server(wireLog=log, alias=name) for name in ("one", "two")]
        for server in servers:
            server.accept()
        for server in servers:
            server.send(b"welcome\r\n")
        found = [(entry.number, entry.name) for entry in self.dump().entries]
        self.assertEqual(found, [(1, "one"), (2, "two")])

    def test_output(self) -> None:
        """
        Output is logged when it is passed to the transport, in chunks.
        """
        server = self.server(framing=Stream)
        server.accept()
        server.reading = False
        server.client.put(b"x" * (2 * CHUNK + 1))
        self.assertEqual(self.dump().entries, [])
        server.advance(0)
        self.assertEqual([e.length for e in self.dump().entries], [CHUNK])
        server.reading = True
        server.advance(0)
        self.assertEqual(
            [(e.offset, e.length, len(e.data)) for e in self.dump().entries],
            [(0, CHUNK, 64), (CHUNK, CHUNK, 64), (2 * CHUNK, 1, 1)],
        )

    @given(st.lists(st.one_of(sizes, st.sampled_from(["turn", "hold", "read"]))))
    def test_complete(self, steps: list[int | str]) -> None:
        """
        Whatever is put when, and however fast the server reads, the entries are about
        exactly the bytes that the server receives.
        """
        self.file = io.StringIO()
        server = self.server(framing=Stream)
        server.accept()
        received = b""
        for number, step in enumerate(steps):
            if isinstance(step, int):
                server.client.put(data(step, number))
            elif step == "turn":
                received += server.read()
            else:
                server.reading = step == "read"
        server.reading = True
        received += server.read()
        end = 0
        for entry in self.dump().entries:
            self.assertEqual(entry.offset, end)
            end += entry.length
            shown = received[entry.offset : min(end, entry.offset + 64)]
            self.assertEqual(entry.data, shown)
        self.assertEqual(end, len(received))

    def test_changed(self) -> None:
        """
        A log that is set later is for the next connections. One can also be set in a
        subclass.
        """

        class Logged(ClientTCPFactory):
            wireLog: WireLog | None = WireLog(self.file)

        client = Logged("quotes.example", 1717, serverInput=print, jitter=0)
        server = MemoryServer(client)
        server.accept()
        client.wireLog = None
        server.client.put(b"one")
        server.read()
        server.reset()
        server.advance(client.delay)
        server.accept()
        client.put(b"two")
        server.advance(0)
        self.assertEqual([e.data for e in self.dump().entries], [b"one\r\n"])

    def test_refused(self) -> None:
        """
        Any other value is rejected, with an example.
        """
        for wrong in (print, "wire.log", True):
            error = self.assertRaises(TypeError, self.server, wireLog=wrong)
            self.assertIn("wireLog=WireLog(sys.stderr)", str(error))

    def test_off(self) -> None:
        """
        Only connections that are logged have a class of their own, so that the others
        are as fast as ever.
        """
        kinds: list[type] = []
        for log in (None, WireLog(self.file)):
            server = self.server(wireLog=log)
            server.accept()
            kinds.append(type(server.client.server))
        usual, logged = kinds
        self.assertTrue(issubclass(logged, usual))
        self.assertIsNot(logged, usual)


class MaskingTests(MemoryTestCase):
    """
    Without C{hide}, the log does not show what may be a login.
    """

    def test_preConnect(self) -> None:
        """
        Everything is masked until C{connected} has returned: what C{preConnect} and
        C{connected} put, and what arrives before.
        """

        async def preConnect(client: Any, negotiation: Any) -> bool:
            self.assertEqual(await negotiation.nextRecord(), b"hello")
            negotiation.put(b"PASS secret")
            return bool(await negotiation.nextRecord() == b"secret ok")

        def connected(client: Any, peer: Any) -> None:
            client.put(b"PASS secret too")

        self.recorder.on.update(preConnect=preConnect, connected=connected)
        parameters = self.recorder.parameters() | {"preConnect": preConnect}
        server = self.server(**parameters)
        server.accept()
        server.send(b"hello\r\n")
        server.send(b"secret ok\r\nearly\r\n")
        server.client.put(b"GET tea")
        server.advance(0)
        server.send(b"tea 42\r\n")
        self.assertEqual(
            [(e.direction, e.offset, e.length, e.note) for e in self.dump().entries],
            [
                (IN, 0, 7, "masked"),
                (OUT, 0, 13, "masked"),
                (IN, 7, 18, "masked"),
                (OUT, 13, 17, "masked"),
                (OUT, 30, 9, ""),
                (IN, 25, 8, ""),
            ],
        )
        self.assertEqual(self.dump().stream(OUT), b"GET tea\r\n")
        self.assertNotIn("secret", self.file.getvalue())

    def test_oneChunk(self) -> None:
        """
        If bytes from before and after leave together, only the first ones are masked.
        """

        def connected(client: Any, peer: Any) -> None:
            client.put(b"PASS secret")
            client.whenConnected().addCallback(lambda server: client.put(b"GET tea"))

        self.recorder.on["connected"] = connected
        self.server().accept()
        first, second = self.dump().entries
        self.assertEqual((first.length, first.note), (13, "masked"))
        self.assertEqual((second.offset, second.data), (13, b"GET tea\r\n"))

    def test_offline(self) -> None:
        """
        Records that have waited for the connection are not part of a login.
        """
        self.recorder.on["connected"] = lambda client, peer: client.put(b"PASS secret")
        server = self.server(offlineLimit=100)
        server.client.put(b"GET tea")
        server.accept()
        first, second = self.dump().entries
        self.assertEqual((first.length, first.note), (13, "masked"))
        self.assertEqual((second.offset, second.data), (13, b"GET tea\r\n"))
        self.assertEqual(server.read(), b"PASS secret\r\nGET tea\r\n")

    def test_endedInConnected(self) -> None:
        """
        What C{connected} puts is masked too if it has ended our side before.
        """
        for call in ("shutdown", "loseWriteConnection"):

            def connected(client: Any, peer: Any, call: str = call) -> None:
                client.put(b"USER me")
                getattr(client, call)()
                client.put(b"PASS secret")

            self.recorder.on["connected"] = connected
            server = self.server()
            server.accept()
            self.assertEqual(server.read(), b"USER me\r\nPASS secret\r\n")
            self.assertNotIn("PASS", self.file.getvalue())

    def test_neverConnected(self) -> None:
        """
        If the negotiation fails, nothing was shown. The reason of C{preConnect} is not
        in this log either.
        """

        def preConnect(client: Any, negotiation: Any) -> None:
            negotiation.put(b"PASS secret")
            raise ZeroDivisionError("secret")

        server = self.server(preConnect=preConnect)
        server.accept()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNotIn("secret", self.file.getvalue())
        self.assertTrue(self.dump().notes[-1].endswith(" aborted"))

    def test_shutDownInConnected(self) -> None:
        """
        A client that shuts down in C{connected} has shown nothing either.
        """

        def connected(client: Any, peer: Any) -> None:
            client.put(b"PASS secret")
            client.shutdown()

        self.recorder.on["connected"] = connected
        server = self.server()
        server.accept()
        self.assertEqual(server.read(), b"PASS secret\r\n")
        [entry] = self.dump().entries
        self.assertEqual((entry.length, entry.note), (13, "masked"))

    def test_hide(self) -> None:
        """
        C{hide} decides instead.
        """

        def hide(direction: str, data: bytes) -> bytes:
            return data.replace(b"secret", b"***") if direction == OUT else data

        self.recorder.on["connected"] = lambda client, peer: client.put(b"PASS secret")
        server = self.server(wireLog=WireLog(self.file, hide=hide))
        server.accept()
        server.send(b"secret ok\r\n")
        self.assertEqual(
            [(e.direction, e.note, e.data) for e in self.dump().entries],
            [(OUT, "edited", b"PASS ***\r\n"), (IN, "", b"secret ok\r\n")],
        )
        self.assertEqual(server.read(), b"PASS secret\r\n")


class ErrorTests(MemoryTestCase):
    """
    An error of the log does not disturb the connection.
    """

    def exchange(self, log: WireLog) -> None:
        """
        Check that records pass in both directions.
        """
        self.recorder.events.clear()
        server = self.server(wireLog=log)
        server.accept()
        for _ in range(2):
            server.client.put(b"GET tea")
            self.assertEqual(server.read(), b"GET tea\r\n")
            server.send(b"tea 42\r\n")
        server.client.shutdown()
        server.advance(0)
        self.assertIsNone(self.successResultOf(server.stopped))
        events = self.recorder.events
        self.assertEqual(events.count(("serverInput", b"tea 42")), 2)
        self.assertNotIn("serverError", events)
        self.assertTrue(self.recorder.disconnections[-1].confirmed)

    def test_closed(self) -> None:
        """
        A closed file is reported once, for all clients of the log.
        """
        self.file.close()
        log = WireLog(self.file)
        self.exchange(log)
        self.exchange(log)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_hideRaises(self) -> None:
        """
        An exception of C{hide} is reported once.
        """

        def hide(direction: str, data: bytes) -> bytes:
            raise ZeroDivisionError

        self.exchange(WireLog(self.file, hide=hide))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual({e.note for e in self.dump().entries}, {"masked"})


class BrokenTransportTests(ClientTestCase):
    """
    The log of a transport that raises an exception.
    """

    def setUp(self) -> None:
        super().setUp()
        self.file = io.StringIO()

    def test_unknownEnds(self) -> None:
        """
        If a transport does not know the addresses, the first entry has none, and the
        attempt fails as it does without a log.
        """

        def getHost(transport: object) -> None:
            raise OSError(22, "Invalid argument")

        self.patch(Transport, "getHost", getHost)
        for log in (None, WireLog(self.file)):
            _, transport = self.connected(wireLog=log)
            self.assertTrue(transport.aborted)
            transport.lose()
            self.assertIn(("connectError", "connect", 22), self.events)
            self.events.clear()
        dump = Dump(self.file.getvalue())
        self.assertEqual(dump.notes[0], "#1 127.0.0.1:7 connected")


class TransportTests(WaysTestCase):
    """
    The log with every kind of transport.
    """

    async def exchange(self, way: str, data: bytes) -> Dump:
        """
        Send data, and receive it in reverse.
        """
        file = io.StringIO()
        received: list[bytes] = []
        self.recorder.on["serverInput"] = lambda client, part: received.append(part)
        client, peer = await self.connected(
            way, framing=Stream, wireLog=WireLog(file, limit=1 << 20)
        )
        client.put(data)
        peer.send(data[::-1])
        await self.until(
            lambda: len(peer.received) == len(data) == len(b"".join(received))
        )
        client.shutdown()
        await self.logged(file, " closed\n")
        return Dump(file.getvalue())

    async def logged(self, file: io.StringIO, text: str) -> None:
        """
        Wait until a text is in the log.
        """
        await self.until(lambda: text in file.getvalue())

    async def test_each(self) -> None:
        """
        The log has exactly the bytes of both streams, with TLS before encryption and
        after decryption. In each direction, they are more than the kernel buffers.
        """
        data = bytes(range(256)) * 1000
        for way in WAYS:
            dump = await self.exchange(way, data)
            self.assertEqual(dump.stream(OUT), data, way)
            self.assertEqual(dump.stream(IN), data[::-1], way)
            self.assertIn(" connected from ", dump.notes[0], way)
            secured = any("the TLS handshake is complete" in n for n in dump.notes)
            self.assertEqual(secured, way in TLS_WAYS, way)

    async def test_halfClosed(self) -> None:
        """
        The end of each side is an entry, where the transport has such an end.
        """
        for way in ("tcp", "unix"):
            file = io.StringIO()
            client, _ = await self.connected(
                way, wireLog=WireLog(file), shutdownOnError=False
            )
            client.loseWriteConnection()
            await self.logged(file, "< end of stream")
            client.shutdown()
            await self.logged(file, "closed")
            ends = [note.split(" ", 2)[2] for note in Dump(file.getvalue()).notes]
            wanted = ["> end of stream", "< end of stream", "closed"]
            self.assertEqual(ends[1:], wanted, way)

    async def test_lost(self) -> None:
        """
        A reset and an abort are entries, with the reason.
        """
        for way in WAYS:
            file = io.StringIO()
            client, _ = await self.connected(way, wireLog=WireLog(file))
            assert client.server is not None
            client.server.abort()
            await self.logged(file, " aborted\n")
            self.assertNotIn("lost", file.getvalue())
        file = io.StringIO()
        _, peer = await self.connected("tcp", wireLog=WireLog(file))
        peer.reset()
        await self.logged(file, " lost: Connection reset by peer\n")


class StartTLSTests(TLSTestCase):
    """
    The log of a connection that starts TLS.
    """

    async def test_startTLS(self) -> None:
        """
        The log has the bytes in clear text, then the beginning of TLS and the end of
        its handshake, and then the bytes that TLS protects. Offsets continue.
        """
        server = await self.listen(Server())
        options = self.made.good.options()

        def heard(peer: Any, data: bytes) -> None:
            if peer.received == b"STARTTLS\r\n":
                peer.send(b"go\r\n")
                server.heard = secure

        def secure(peer: Any, data: bytes) -> None:
            if data:
                server.heard = lambda peer, data: peer.send(data.upper())
                peer.transport.startTLS(options)
                peer.transport.protocol.dataReceived(data)

        async def preConnect(client: Any, negotiation: Any) -> Any:
            negotiation.put(b"STARTTLS")
            await negotiation.nextRecord()
            return await negotiation.startTLS(self.options())

        server.heard = heard
        file = io.StringIO()
        answer: Deferred[bytes] = Deferred()
        self.recorder.on["serverInput"] = lambda client, line: answer.callback(line)
        client = self.client(
            server,
            **self.recorder.parameters() | {"preConnect": preConnect},
            wireLog=WireLog(file, hide=lambda direction, data: data),
        )
        stopped = client.start()
        await client.whenConnected()
        client.put(b"hello")
        self.assertEqual(await answer, b"HELLO")
        client.shutdown()
        await stopped
        dump = Dump(file.getvalue())
        self.assertEqual(
            [(e.direction, e.offset, e.data) for e in dump.entries],
            [
                (OUT, 0, b"STARTTLS\r\n"),
                (IN, 0, b"go\r\n"),
                (OUT, 10, b"hello\r\n"),
                (IN, 4, b"HELLO\r\n"),
            ],
        )
        order = [
            "connected",
            "> offset 0",
            "< offset 0",
            "TLS begins",
            "the TLS handshake is complete",
            "> offset 10",
            "< offset 4",
            "closed",
        ]
        places = [file.getvalue().index(text) for text in order]
        self.assertEqual(places, sorted(places))

    async def test_refused(self) -> None:
        """
        If the handshake fails, the reason is an entry.
        """
        for identity, host, reason in (
            (self.made.stranger, "localhost", "was rejected: "),
            (self.made.good, "elsewhere.example", "is not for "),
        ):
            server = await self.serve(identity)
            file = io.StringIO()
            await self.failing(server, tls=self.options(host), wireLog=WireLog(file))
            dump = Dump(file.getvalue())
            self.assertEqual(dump.entries, [])
            self.assertEqual(len(dump.notes), 2, dump.notes)
            lost = f" lost: the server's certificate {reason}"
            self.assertIn(lost, dump.notes[1])
