"""
Tests for the producers that fill the output of a client.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.framing import Stream
from twisted_clienttcp.testing import MemoryServer


def connect(**parameters: Any) -> tuple[ClientTCPFactory, MemoryServer]:
    """
    @return: a connected client with marks at 5 and 10 bytes, and its server.
    """
    client = ClientTCPFactory(
        **{
            "remoteAddress": "192.0.2.1",
            "remotePort": 7,
            "framing": Stream(),
            "autoReconnect": False,
            "lowMark": 5,
            "highMark": 10,
            "serverInput": lambda client, record: None,
            **parameters,
        }
    )
    server = MemoryServer(client)
    server.stopped.addErrback(lambda failure: None)
    server.accept()
    return client, server


class Chain:
    """
    A sequence of producers. Each of them, when a method of it is called for the given
    time, unregisters itself and registers the next one.

    @ivar calls: the calls of each producer, in order.
    @ivar streaming: for each producer, whether it is a push producer.
    """

    def __init__(self, client: ClientTCPFactory, links: list[tuple[bool, int]]) -> None:
        """
        @param links: for each producer, whether it is a push producer, and at which
            call it is replaced.
        """
        self.calls: list[list[str]] = []
        self.streaming: list[bool] = []
        self._client = client
        self._links = links

    def next(self) -> None:
        """
        Register the next producer, if there is one.
        """
        if len(self.calls) < len(self._links):
            streaming, last = self._links[len(self.calls)]
            calls: list[str] = []
            self.calls.append(calls)
            self.streaming.append(streaming)
            self._client.registerProducer(_Link(self, calls, last), streaming)

    def called(self, last: bool) -> None:
        """
        A method of the present producer has been called.
        """
        if last:
            self._client.unregisterProducer()
            self.next()
        elif not self.streaming[-1]:
            self._client.write(b"xxx")


class _Link:
    """
    One producer of a L{Chain}.
    """

    def __init__(self, chain: Chain, calls: list[str], last: int) -> None:
        self._chain = chain
        self._calls = calls
        self._last = last

    def _call(self, name: str) -> None:
        self._calls.append(name)
        self._chain.called(len(self._calls) == self._last)

    def pauseProducing(self) -> None:
        self._call("pause")

    def resumeProducing(self) -> None:
        self._call("resume")

    def stopProducing(self) -> None:
        self._calls.append("stop")


class SuccessionTests(SynchronousTestCase):
    """
    Tests for producers that replace one another.
    """

    def test_pushAfterPull(self) -> None:
        """
        A push producer that is registered when a pull producer ends is not resumed
        before it is paused.
        """
        client, server = connect()
        chain = Chain(client, [(False, 2), (True, 9)])
        chain.next()
        server.advance(0)
        self.assertEqual(chain.calls, [["resume", "resume"], []])

    @given(
        links=st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=6),
        reads=st.lists(st.booleans(), max_size=12),
    )
    def test_contract(self, links: list[tuple[bool, int]], reads: list[bool]) -> None:
        """
        In any succession of producers, a push producer is paused and resumed by turns,
        beginning with a pause; a pull producer is only resumed; both are stopped at
        most once, at the end.
        """
        client, server = connect()
        chain = Chain(client, links)
        chain.next()
        for reading in reads:
            server.reading = reading
            client.write(b"yyyyyy")
            server.advance(0)
        server.reset()
        for streaming, calls in zip(chain.streaming, chain.calls, strict=True):
            if calls[-1:] == ["stop"]:
                calls.pop()
            turns = ["pause", "resume"] if streaming else ["resume"]
            wanted = turns * len(calls)
            self.assertEqual(calls, wanted[: len(calls)])
