"""
How octets become records and records octets, without I/O::

    >>> from twisted_clienttcp.framing import Line
    >>> framing = Line()
    >>> framing.feed(b"one\\r\\ntw")
    [b'one']
    >>> framing.feed(b"o\\n")
    [b'two']
    >>> framing.frame(b"three")
    b'three\\r\\n'

A framing of your own is any object that keeps the contract of L{Framing}.
"""

from ._interface import Framing
from ._line import Line
from ._stream import Stream

__all__ = ["Framing", "Line", "Stream"]
