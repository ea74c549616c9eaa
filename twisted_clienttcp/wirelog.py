"""
The wire log: the bytes that a client sends and receives::

    import sys
    from twisted_clienttcp import ClientTCPFactory
    from twisted_clienttcp.wirelog import WireLog

    log = WireLog(sys.stderr)
    client = ClientTCPFactory("quotes.example", 1717, wireLog=log, serverInput=print)

Its entries look like this::

    2026-11-30T21:03:11.004816Z #1 quotes.example:1717 > offset 0, length 9
    00000000  47 45 54 20 74 65 61 0d  0a                       |GET tea..|

The first line contains the time in UTC, by the client's clock; the number of the
connection; the client's alias or, without one, its destination; C{>} for output or C{<}
for input; the offset of the bytes in the stream of this direction; and their number.
The bytes follow in the format of C{hexdump -C}. Other entries report that the
connection was made, that TLS began, that a side ended, and how the connection was lost.

Output is logged when it is passed to the transport, which is before the kernel and the
peer accept it. With TLS, the log shows the bytes before encryption and after
decryption. Dialogues with proxies are not logged.
"""

from ._connection.wirelog import WireLog

__all__ = ["WireLog"]
