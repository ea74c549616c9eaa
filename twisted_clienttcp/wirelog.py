"""
A log of the bytes that pass over connections, in both directions: the wire log::

    import sys
    from twisted_clienttcp import ClientTCPFactory
    from twisted_clienttcp.wirelog import WireLog

    log = WireLog(sys.stderr)
    client = ClientTCPFactory("quotes.example", 1717, wireLog=log, serverInput=print)

Its entries look like this::

    2026-11-30T21:03:11.004816Z #1 quotes.example:1717 > offset 0, length 9
    00000000  47 45 54 20 74 65 61 0d  0a                       |GET tea..|

The heading has the time in UTC, by the clock of the client; the number of the
connection; the alias of the client or, without one, its destination; C{>} for output
and C{<} for input; and the offset and the number of the bytes in the stream of this
direction. The bytes follow in the format of C{hexdump -C}. Other entries say that the
connection was made, that TLS has begun, that a side has ended, and how the connection
was lost.

Output is logged when it is passed to the transport, which may still wait for the kernel
and the peer. With TLS, the log shows the bytes before encryption and after decryption.
Dialogues with proxies are not logged.
"""

from ._connection.wirelog import WireLog

__all__ = ["WireLog"]
