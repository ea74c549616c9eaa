"""
Framings split a byte stream into records, and encode records as bytes, without I/O::

    >>> from twisted_clienttcp.framing import Line
    >>> framing = Line()
    >>> framing.decode(b"one\\r\\ntw", 0, 0)
    ([b'one'], 5)
    >>> framing.encode(b"three")
    b'three\\r\\n'

L{Framing} is the base class of all framings. Subclass it to write your own.
"""

from ._base import Framing
from ._block import Block
from ._compose import Grep, Map, RecordBlock, Stackable
from ._converted import SLIP, JSONLines
from ._jsonvalues import JSONValues
from ._line import Line, Piece
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
    "JSONValues",
    "LengthPrefixed",
    "Line",
    "Map",
    "Netstring",
    "Piece",
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
