"""
Tests for L{twisted_clienttcp.metrics}.
"""

from __future__ import annotations

from concurrent import futures
from threading import Thread

from twisted.python import threadable
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import metrics


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
        self.assertEqual(len(list(collector.collect())), 13)
