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

from ._block import Block
from ._compose import Grep, Map, RecordBlock, Stackable
from ._converted import SLIP, JSONLines
from ._interface import Framing
from ._line import Line
from ._netstring import Netstring
from ._prefixed import LengthPrefixed, int8, int16, int32, tpkt
from ._receiver import Receiver
from ._serialized import Serialized
from ._spec import SPECS, fromSpec
from ._stream import Stream

__all__ = [
    "SLIP",
    "SPECS",
    "Block",
    "Framing",
    "Grep",
    "JSONLines",
    "LengthPrefixed",
    "Line",
    "Map",
    "Netstring",
    "Receiver",
    "RecordBlock",
    "Serialized",
    "Stackable",
    "Stream",
    "fromSpec",
    "int8",
    "int16",
    "int32",
    "tpkt",
]
