"""
The report of the end of a connection.
"""

from __future__ import annotations

import attrs
from twisted.python.failure import Failure

from ..errors import TruncatedRecord


@attrs.frozen(kw_only=True)
class Disconnection:
    """
    How a connection ended: the second argument of C{disconnected}, and the result of
    the Deferred of C{shutdown()}.

    @ivar failure: the reason, from Twisted or from this package;
        L{ConnectionDone<twisted.internet.error.ConnectionDone>} for a clean end.
    @ivar initiator: C{"local"} (a method was called, the input had an error, a callback
        raised an exception, or the peer was silent for too long), C{"peer"} (the peer
        ended its side), or C{"network"} (a reset, or a lost route).
    @ivar unsent: the number of bytes that were put but never passed to the kernel. It
        is an upper bound: the last chunk (up to 64 KiB) counts as a whole even if a
        part of it was passed.
    @ivar unacknowledged: the number of bytes passed to the kernel that the peer's
        kernel had not acknowledged when the connection was closed. Our end of stream
        counts as one byte. With TLS, these are bytes of ciphertext. On a UNIX socket,
        any number other than 0 means that the peer's program had not read everything.

        The number is None if it is unknown: on systems other than Linux; after a reset
        if everything had been acknowledged, because the peer's kernel may have
        discarded it; with TLS, if the peer ended its side first and only our answer to
        its close_notify may be missing; and, instead of 0, through a proxy, because the
        proxy's kernel acknowledges the bytes, not the peer's.
    @ivar confirmed: True if the peer's kernel has received everything and the peer has
        ended its side: C{unsent} and C{unacknowledged} are 0, no reset had arrived when
        we closed the connection, and the peer's end of stream was read after we had
        ended our side. (With TLS, each side ends with a close_notify.) It does not mean
        that the peer's program has read everything: no transport can know that. Through
        a proxy, it is always False in clear text; with TLS to the server, it is True
        only if the server's close_notify arrived after ours had been sent.
    @ivar truncated: if the peer or the network ended the connection, the bytes received
        after the last complete record, as a
        L{TruncatedRecord<twisted_clienttcp.errors.TruncatedRecord>}; None if there were
        none.
    @ivar undelivered: the number of records that were received before a loss but not
        delivered within C{drainTimeout} after it, because an awaited result or a pause
        held them back.
    @ivar unread: the number of bytes that the kernel had received but that were not
        read before the connection was closed, because records were held back or
        discarded; None if it is unknown.
    """

    failure: Failure
    initiator: str
    unsent: int
    confirmed: bool
    unacknowledged: int | None = None
    truncated: TruncatedRecord | None = None
    undelivered: int = 0
    unread: int | None = None
