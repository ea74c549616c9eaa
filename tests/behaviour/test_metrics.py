"""
Tests for C{twisted_clienttcp.metrics}.
"""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plainFamilies
from prometheus_client.twisted import MetricsResource
from twisted.internet.error import DNSLookupError
from twisted.python.failure import Failure
from twisted.web.server import Site

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Line, Stream
from twisted_clienttcp.metrics import ClientTCPCollector

from .._memory import FlowTestCase
from .._support import NetworkTestCase, Recorder, reactor

#: The reasons that every client has from the beginning: the operations that
#: C{docs/howto/monitoring.rst} lists.
REASONS = {
    *("alias", "bind", "callback", "client", "close", "connect", "framing"),
    *("getaddrinfo", "post", "preconnect", "proxy", "put", "read", "retry", "tls"),
    "write",
}


def samples(families: Any) -> dict[tuple[str, str, str], float]:
    """
    @return: the value of each sample by its name, its client, and its third label or
        an empty text.
    """
    found = {}
    for family in families:
        for name, labels, value, *_ in family.samples:
            labels = dict(labels)
            client = labels.pop("client")
            assert set(labels) <= {"reason", "twisted_clienttcp_phase"}, labels
            found[name, client, "".join(labels.values())] = value
    return found


class CollectorTests(FlowTestCase):
    """
    Tests for L{ClientTCPCollector} without sockets.
    """

    def setUp(self) -> None:
        super().setUp()
        self.collector = ClientTCPCollector()
        self.registry = CollectorRegistry()
        self.registry.register(self.collector)

    def scraped(self) -> dict[tuple[str, str, str], float]:
        """
        @return: the samples, as a strict parser reads them.
        """
        text = exposition.generate_latest(self.registry).decode()
        plain = generate_latest(self.registry).decode()
        found = samples(text_string_to_metric_families(text))
        self.assertEqual(samples(plainFamilies(plain)), found)
        return found

    def test_values(self) -> None:
        """
        Each metric has the value of the statistics.
        """
        client = self.client(framing=Line(delimiter=b"\n"), **self.recorder.marks(4, 2))
        self.collector.add("feed", client)
        client.start()
        self.refuse()
        self.reactor.advance(client.delay)
        transport = self.establish()
        transport.protocol.dataReceived(b"a\nb\nc")
        client.put(b"abc")
        self.reactor.advance(0)
        self.reactor.advance(3)
        found = self.scraped()
        values = {
            name.removeprefix("twisted_clienttcp_"): value
            for (name, _, third), value in found.items()
            if not third
        }
        self.assertEqual(
            values,
            {
                "attempts_total": 2,
                "connected_seconds_total": 3,
                "connections_total": 1,
                "flushes_total": 0,
                "framing_errors_total": 0,
                "high_seconds_total": 3,
                "highs_total": 1,
                "losses_total": 0,
                "offline_bytes": 0,
                "pending_bytes": 4,
                "received_bytes_total": 5,
                "received_records_total": 2,
                "rejected_records_total": 0,
                "sent_bytes_total": 4,
                "sent_records_total": 1,
                "unsent_bytes_total": 0,
            },
        )
        phases = {
            third: value
            for (name, _, third), value in found.items()
            if name.endswith("phase")
        }
        self.assertEqual([p for p in phases if phases[p]], ["connected"])
        self.assertEqual(len(phases), 7)
        self.assertEqual(
            found["twisted_clienttcp_connect_errors_total", "feed", "connect"], 1
        )
        transport.lose()
        self.assertEqual(
            self.scraped()["twisted_clienttcp_server_errors_total", "feed", "read"], 1
        )

    def test_fixedLabels(self) -> None:
        """
        The time series of a client are the same whatever happens to it.
        """
        client = self.client()
        self.collector.add("feed", client)
        before = set(self.scraped())
        for metric in ("connect_errors", "server_errors"):
            reasons = {r for n, _, r in before if n.endswith(f"{metric}_total")}
            self.assertEqual(reasons, REASONS)
        client.start()
        for error in (DNSLookupError(), OSError(5, "odd"), ValueError("odd")):
            self.attempts()[-1][2].clientConnectionFailed(None, Failure(error))
            self.reactor.advance(client.delay)
        self.establish().lose()
        self.assertEqual(set(self.scraped()), before)

    def test_clients(self) -> None:
        """
        There can be any number of clients, each with a name of its own.
        """
        self.assertEqual(self.scraped(), {})
        for name in ("a", 'quote" and\nnewline'):
            self.collector.add(name, self.client())
        self.assertRaises(ValueError, self.collector.add, "a", self.client())
        self.assertEqual(
            {c for _, c, _ in self.scraped()}, {"a", 'quote" and\nnewline'}
        )
        self.collector.remove("a")
        self.assertRaises(LookupError, self.collector.remove, "a")
        self.assertEqual({c for _, c, _ in self.scraped()}, {'quote" and\nnewline'})
        self.collector.add("a", self.client())

    def test_wrongType(self) -> None:
        """
        A wrong argument is rejected. Otherwise every scrape of the registry would fail.
        """
        arguments: Any
        for arguments in (
            (5, self.client()),
            (b"feed", self.client()),
            ("feed", object()),
            ("feed", ClientTCPFactory),
        ):
            self.assertRaises(TypeError, self.collector.add, *arguments)
        self.assertEqual(self.scraped(), {})


class EndpointTests(NetworkTestCase):
    """
    Tests with an HTTP server that is scraped.
    """

    async def test_scrape(self) -> None:
        """
        The resource of C{prometheus_client} works, which collects in another thread.
        """
        server = await self.listen()
        client = self.client(server, **Recorder().parameters())
        collector = ClientTCPCollector()
        collector.add("feed", client)
        registry = CollectorRegistry()
        registry.register(collector)
        web = reactor.listenTCP(
            0, Site(MetricsResource(registry)), interface="127.0.0.1"
        )
        self.addCleanup(web.stopListening)
        client.start()
        await client.whenConnected()
        received: list[bytes] = []
        await ClientTCPFactory(
            "127.0.0.1",
            web.getHost().port,
            autoReconnect=False,
            framing=Stream(),
            connected=lambda client, peer: client.put(b"GET /metrics HTTP/1.0\r\n\r\n"),
            serverInput=lambda client, data: received.append(data),
            serverError=lambda client, failure: None,
        ).start()
        head, _, body = b"".join(received).decode().partition("\r\n\r\n")
        self.assertIn(" 200 OK\r\n", head)
        found = samples(plainFamilies(body))
        self.assertEqual(found["twisted_clienttcp_phase", "feed", "connected"], 1)
        self.assertEqual(found["twisted_clienttcp_connections_total", "feed", ""], 1)
