"""
Metrics of clients for Prometheus::

    from prometheus_client import REGISTRY
    from twisted_clienttcp.metrics import ClientTCPCollector

    collector = ClientTCPCollector()
    REGISTRY.register(collector)
    collector.add("feed", client)

The statistics of the clients (C{client.stats}) are metrics, except those that follow
from others. They are read only at a scrape, so they do not slow a client down. Every
metric has the label C{client}: the name that the client was added with. Metrics of
errors also have the label C{reason}: the operation of
L{errorDetails<twisted_clienttcp.errorDetails>}, from a fixed set. The metric of the
phase has the label that OpenMetrics prescribes.

This module needs the extra C{prometheus}.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.registry import Collector
from twisted.python import threadable

from ._client.factory import ClientTCPFactory
from ._client.lifecycle import Phase
from ._details import OPERATIONS
from ._stats import Stats

__all__ = ["ClientTCPCollector"]

_PREFIX = "twisted_clienttcp_"

#: How many seconds another thread waits for the reactor.
_REACTOR_TIMEOUT = 10

#: The gauges: name, description, attribute of the statistics.
_GAUGES = (
    (
        "pending_bytes",
        "Bytes accepted for output that the kernel has not accepted yet.",
        "pendingBytes",
    ),
    ("offline_bytes", "Pending bytes that wait for a connection.", "offlineBytes"),
)

#: The counters, in the same form.
_COUNTERS = (
    ("attempts", "Attempts to connect.", "attempts"),
    ("connections", "Attempts that reached connected.", "connections"),
    ("losses", "Connections that the peer or the network ended.", "losses"),
    ("connected_seconds", "Total time of all connections.", "secondsConnected"),
    ("received_bytes", "Bytes received, counted above TLS.", "bytesIn"),
    ("received_records", "Records delivered.", "recordsIn"),
    ("framing_errors", "Errors in received bytes.", "framingErrors"),
    ("sent_bytes", "Bytes accepted for output, including pending ones.", "bytesOut"),
    ("sent_records", "Records accepted for output.", "recordsOut"),
    ("unsent_bytes", "Bytes accepted and lost: an upper bound.", "unsentBytes"),
    (
        "rejected_records",
        "Records that waited and that the framing could not encode.",
        "recordsRejected",
    ),
    ("flushes", "How often the pending output was flushed.", "flushes"),
    ("highs", "How often the pending output reached the high mark.", "highs"),
    ("high_seconds", "Total time above the high mark.", "secondsHigh"),
)

#: The counters with a reason, in the same form.
_ERRORS = (
    ("connect_errors", "Failed attempts.", "connectErrors"),
    ("server_errors", "Errors of connections, including losses.", "serverErrors"),
)


class ClientTCPCollector(Collector):
    """
    Collects the metrics of clients. Register it once with a registry of
    C{prometheus_client}, and add any number of clients before or after that.

    Any thread can call C{collect}: the reactor's thread reads the statistics.
    """

    def __init__(self) -> None:
        self._clients: dict[str, ClientTCPFactory] = {}

    def add(self, name: str, client: ClientTCPFactory) -> None:
        """
        Collect the metrics of a client from now on. Call this in the reactor's thread.

        @param name: the value of the label C{client}. Use the same name after a restart
            of the program, and not many names: each has fewer than sixty time series.
        @param client: the client.

        @raise TypeError: if an argument has the wrong type.
        @raise ValueError: if another client has this name.
        """
        # A wrong argument would make every scrape fail, and hide all metrics of the
        # process.
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {name!r}")
        if not isinstance(client, ClientTCPFactory):
            raise TypeError(f"client must be a ClientTCPFactory, not {client!r}")
        if name in self._clients:
            raise ValueError(f"there is a client {name!r} already; remove() it first")
        self._clients[name] = client

    def remove(self, name: str) -> None:
        """
        Stop collecting the metrics of a client. Call this in the reactor's thread.

        @param name: the name that it was added with.

        @raise LookupError: if no client has this name.
        """
        del self._clients[name]

    def describe(self) -> Iterator[Metric]:
        """
        List the metrics, for the registry.

        @return: the metrics, without values.
        """
        return _metrics({})

    def collect(self) -> Iterator[Metric]:
        """
        Read the metrics of all clients.

        @return: the metrics, with their current values.

        @raise concurrent.futures.TimeoutError: in a thread other than the reactor's, if
            the reactor does not answer within 10 seconds because it is blocked or has
            stopped.
        """
        return _metrics(self._statsFromAnyThread())

    def _stats(self) -> dict[str, Stats]:
        return {name: client.stats for name, client in self._clients.items()}

    def _statsFromAnyThread(self) -> dict[str, Stats]:
        # While no reactor is running, nothing changes the clients.
        if threadable.ioThread is None or threadable.isInIOThread():
            return self._stats()
        from twisted.internet import reactor

        result: Future[dict[str, Stats]] = Future()

        def answer() -> None:
            try:
                result.set_result(self._stats())
            except BaseException as error:
                result.set_exception(error)

        # Not blockingCallFromThread(): once the reactor has stopped, it would wait
        # forever, and a reactor waits for the threads of its pool when it stops.
        reactor.callFromThread(answer)
        return result.result(_REACTOR_TIMEOUT)


def _metrics(clients: dict[str, Stats]) -> Iterator[Metric]:
    """
    Create the metrics.

    @param clients: the statistics of each client, by its name.

    @return: the metrics, with the values of these clients.
    """
    phase = StateSetMetricFamily(f"{_PREFIX}phase", "The phase.", labels=["client"])
    for name, stats in clients.items():
        phase.add_metric(
            [name], {each.value: each.value == stats.phase for each in Phase}
        )
    yield phase
    for kind, rows in ((GaugeMetricFamily, _GAUGES), (CounterMetricFamily, _COUNTERS)):
        for metric, text, attribute in rows:
            family = kind(f"{_PREFIX}{metric}", text, labels=["client"])
            for name, stats in clients.items():
                family.add_metric([name], getattr(stats, attribute))
            yield family
    for metric, text, attribute in _ERRORS:
        counter = CounterMetricFamily(
            f"{_PREFIX}{metric}", text, labels=["client", "reason"]
        )
        for name, stats in clients.items():
            counts = getattr(stats, attribute)
            # A rate is only correct if the counter was scraped before its first event,
            # so every reason has a value from the beginning.
            for reason in sorted(OPERATIONS):
                counter.add_metric([name, reason], counts.get(reason, 0))
        yield counter
