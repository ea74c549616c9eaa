"""
Checks of parameters and records that several framings share.
"""

from __future__ import annotations

from ._base import Buffer

#: What can be sent as bytes.
BytesLike = bytes | bytearray | memoryview


def checkNumber(name: str, value: object, least: int | None = None) -> int:
    """
    @raise TypeError: if it is not a whole number.
    @raise ValueError: if it is less than C{least}.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if least is not None and value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return value


def checkMaxLength(value: object, name: str = "maxLength") -> int:
    """
    @raise TypeError: if it is not a whole number.
    @raise ValueError: if it is not positive.
    """
    return checkNumber(name, value, 1)


def checkChoice(name: str, value: object, *choices: str) -> str:
    """
    @raise ValueError: if it is not one of the choices.
    """
    if value not in choices:
        offered = ", ".join(map(repr, choices[:-1]))
        raise ValueError(f"{name} must be {offered} or {choices[-1]!r}, not {value!r}")
    return str(value)


def checkFlag(name: str, value: object) -> bool:
    """
    @raise TypeError: if it is not True or False.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


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

    @raise TypeError: if it is not C{bytes} or the like.
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
