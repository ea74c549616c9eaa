"""
What a client has done, in numbers.
"""

from __future__ import annotations

import attrs
from twisted.python.failure import Failure


@attrs.define(kw_only=True)
class Stats:
    """
    The counts of a client since it was made (C{client.stats}): a copy of what they are
    at that time.

    @ivar bytesIn: bytes received, TLS apart.
    @ivar recordsIn: records delivered.
    @ivar bytesOut: bytes accepted for output, as they are framed.
    @ivar recordsOut: records accepted for output.
    @ivar pendingBytes: those of C{bytesOut} that the kernel does not have yet.
    @ivar offlineBytes: those of them that wait for a connection.
    @ivar unsentBytes: those of C{bytesOut} that were lost; an upper bound, as in
        L{Disconnection<twisted_clienttcp.Disconnection>}.
    @ivar highs: how often the output reached the high mark.
    @ivar lows: how often it fell to the low mark after that.
    @ivar flushes: how often the kernel had every byte.
    @ivar attempts: attempts to connect.
    @ivar connections: those that C{connected} was called for.
    @ivar failures: those that ended in C{connectError}.
    @ivar losses: connections that the peer or the network ended.
    @ivar framingFaults: received bytes that were no record, and records that were
        skipped.
    @ivar lastError: what C{connectError} or C{serverError} was given last.
    @ivar secondsConnected: for how long there was a connection, in all.
    """

    bytesIn: int = 0
    recordsIn: int = 0
    bytesOut: int = 0
    recordsOut: int = 0
    pendingBytes: int = 0
    offlineBytes: int = 0
    unsentBytes: int = 0
    highs: int = 0
    lows: int = 0
    flushes: int = 0
    attempts: int = 0
    connections: int = 0
    failures: int = 0
    losses: int = 0
    framingFaults: int = 0
    lastError: Failure | None = None
    secondsConnected: float = 0.0
