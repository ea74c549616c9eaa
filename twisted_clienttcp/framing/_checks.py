"""
Checks of parameters and records, shared by several framings.
"""

from __future__ import annotations

from .._validators import count, oneOf
from ._base import Buffer

#: The types that framings of bytes accept as records.
BytesLike = bytes | bytearray | memoryview


def checkMaxLength(value: object, name: str = "maxLength") -> int:
    """
    @raise TypeError: if it is not a whole number.
    @raise ValueError: if it is not positive.
    """
    return count(name, value, 1)


def checkChoice(name: str, value: object, *choices: str) -> str:
    """
    @raise ValueError: if it is not one of the choices.
    """
    if value not in choices:
        offered = oneOf(map(repr, choices))
        raise ValueError(f"{name} must be {offered}, not {value!r}")
    return str(value)


def cut(data: Buffer, start: int, end: int) -> bytes:
    """
    Return C{data[start:end]} as C{bytes}, with one copy.
    """
    if isinstance(data, bytes):
        return data[start:end]
    return bytes(memoryview(data)[start:end])


def bytesOf(record: object) -> bytes:
    """
    Return the bytes of a record.

    @raise TypeError: if it is not C{bytes}, C{bytearray} or C{memoryview}.
    """
    if isinstance(record, bytes):
        return record
    if isinstance(record, (bytearray, memoryview)):
        return bytes(record)
    raise wrongType(record)


def wrongType(record: object) -> TypeError:
    """
    Return the error for a record that is not bytes.
    """
    hint = ": encode it first" if isinstance(record, str) else ""
    return TypeError(
        f"this framing accepts bytes, not {type(record).__name__} ({record!r:.60})"
        f"{hint}"
    )
