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

    @ivar octetsIn: octets received, TLS apart.
    @ivar recordsIn: records delivered.
    @ivar octetsOut: octets accepted for output, as they are framed.
    @ivar recordsOut: records accepted for output.
    @ivar pendingOctets: those of C{octetsOut} that the kernel does not have yet.
    @ivar offlineOctets: those of them that wait for a connection.
    @ivar unsentOctets: those of C{octetsOut} that were lost; an upper bound, as in
        L{Disconnection<twisted_clienttcp.Disconnection>}.
    @ivar highs: how often the output reached the high mark.
    @ivar lows: how often it fell to the low mark after that.
    @ivar flushes: how often the kernel had every octet.
    @ivar attempts: attempts to connect.
    @ivar connections: those that C{connected} was called for.
    @ivar failures: those that ended in C{connectError}.
    @ivar losses: connections that the peer or the network ended.
    @ivar framingFaults: received octets that were no record, and records that were
        skipped.
    @ivar lastError: what C{connectError} or C{serverError} was given last.
    @ivar secondsConnected: for how long there was a connection, in all.
    """

    octetsIn: int = 0
    recordsIn: int = 0
    octetsOut: int = 0
    recordsOut: int = 0
    pendingOctets: int = 0
    offlineOctets: int = 0
    unsentOctets: int = 0
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
