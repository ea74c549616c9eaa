"""
Tests for L{twisted_clienttcp.metrics}.
"""

from __future__ import annotations

from concurrent import futures
from pathlib import Path
from threading import Thread

from attrs import fields
from twisted.python import threadable
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import metrics
from twisted_clienttcp._stats import Stats

ROOT = Path(__file__).parent.parent.parent


#: The statistics that follow from others, or are not numbers.
DERIVED = {"phase", "failures", "lows", "lastError"}


class TableTests(SynchronousTestCase):
    """
    Tests for the metrics as a whole.
    """

    def test_complete(self) -> None:
        """
        Each statistic is a metric, and the guide has each metric.
        """
        tables = metrics._GAUGES + metrics._COUNTERS + metrics._ERRORS
        exported = {attribute for _, _, attribute in tables}
        self.assertEqual(exported | DERIVED, {each.name for each in fields(Stats)})
        page = (ROOT / "docs" / "howto" / "monitoring.rst").read_text()
        for table, ending in (
            (metrics._GAUGES, ""),
            (metrics._COUNTERS, "_total"),
            (metrics._ERRORS, "_total"),
        ):
            for name, _, _ in table:
                self.assertIn(f"``{name}{ending}``", page)


class ThreadTests(SynchronousTestCase):
    """
    Tests for a thread that collects.
    """

    def test_blockedReactor(self) -> None:
        """
        Another thread does not wait forever for a reactor that does not answer: it
        would keep a reactor that stops from ending.
        """
        self.patch(metrics, "_REACTOR_TIMEOUT", 0)
        self.patch(threadable, "ioThread", threadable.getThreadID())
        collector = metrics.ClientTCPCollector()
        caught: list[BaseException] = []

        def collect() -> None:
            try:
                collector.collect()
            except futures.TimeoutError as error:
                caught.append(error)

        thread = Thread(target=collect)
        thread.start()
        thread.join()
        self.assertEqual(len(caught), 1)
        self.assertEqual(len(list(collector.collect())), 19)
