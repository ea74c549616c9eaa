"""
Statistics of a client.
"""

from __future__ import annotations

import attrs
from twisted.python.failure import Failure


@attrs.define(kw_only=True)
class Stats:
    """
    The statistics of a client since it was created: C{client.stats} returns a copy of
    their current values.

    @ivar phase: the current phase, one of those on the page I{The lifecycle}.
    @ivar bytesIn: bytes received, counted above TLS.
    @ivar recordsIn: records delivered.
    @ivar bytesOut: encoded bytes accepted for output.
    @ivar recordsOut: records accepted for output.
    @ivar pendingBytes: the part of C{bytesOut} that the kernel has not accepted yet.
    @ivar offlineBytes: the part of C{pendingBytes} that waits for a connection.
    @ivar unsentBytes: the part of C{bytesOut} that was lost: an upper bound, as in
        L{Disconnection<twisted_clienttcp.Disconnection>}.
    @ivar recordsRejected: records that were put without a connection, and that the next
        connection's framing could not encode.
    @ivar highs: how often the pending output reached C{highMark}.
    @ivar lows: how often the pending output then fell to C{lowMark}.
    @ivar secondsHigh: the total time in seconds from C{highMark} to C{lowMark}, or to
        the end of the connection.
    @ivar flushes: how often the pending output was flushed: the kernel had accepted
        every byte.
    @ivar attempts: attempts to connect.
    @ivar connections: attempts that reached C{connected}.
    @ivar failures: attempts that ended in C{connectError}.
    @ivar connectErrors: how often C{connectError} was called, for each C{operation} of
        L{errorDetails<twisted_clienttcp.errorDetails>}. The operations are those of
        Twisted's errors and of this package's exceptions; an error with any other
        operation is counted as C{"client"}.
    @ivar serverErrors: the same for C{serverError}.
    @ivar losses: connections that the peer or the network ended.
    @ivar framingErrors: errors of the framing in received bytes, skipped records
        included.
    @ivar lastError: the failure that C{connectError} or C{serverError} was last called
        with; None if there was none.
    @ivar secondsConnected: the total time of all connections in seconds.
    """

    phase: str = ""
    bytesIn: int = 0
    recordsIn: int = 0
    bytesOut: int = 0
    recordsOut: int = 0
    pendingBytes: int = 0
    offlineBytes: int = 0
    unsentBytes: int = 0
    recordsRejected: int = 0
    highs: int = 0
    lows: int = 0
    secondsHigh: float = 0.0
    flushes: int = 0
    attempts: int = 0
    connections: int = 0
    failures: int = 0
    connectErrors: dict[str, int] = attrs.field(factory=dict)
    serverErrors: dict[str, int] = attrs.field(factory=dict)
    losses: int = 0
    framingErrors: int = 0
    lastError: Failure | None = None
    secondsConnected: float = 0.0
