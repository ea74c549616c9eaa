"""
What several framings need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import FramingError, nameOf

#: What stands for octets.
Octets = bytes | bytearray | memoryview

#: The default C{maxLength} in octets, 1 MiB. C{LineReceiver} allows 16 KiB and
#: asyncio's streams 64 KiB, which real lines exceed (a JSON document, a base64
#: body); POE allows 64 MiB, which lets a hostile peer take that much memory a
#: connection.
MAX_LENGTH = 1024 * 1024


def thenRaise(records: Iterable[Any], error: FramingError) -> Iterator[Any]:
    """
    Yield the good records, then raise the fault that came after them.
    """
    yield from records
    raise error


def collect(
    owner: object, make: Callable[..., Iterable[Any]], *args: Any
) -> tuple[list[Any], FramingError | None]:
    """
    @return: the good records, and the fault behind them if there is one. Whatever else
        is raised becomes a L{FramingError}.
    """
    made: list[Any] = []
    try:
        records = make(*args)
        if type(records) is list:
            return records, None
        # One by one: a list made at once would be lost when the fault comes.
        for record in records:
            made.append(record)
    except FramingError as fault:
        return made, fault
    except Exception as error:
        wrapped = FramingError(
            f"{type(owner).__name__} could not read a record: {nameOf(error)}"
        )
        wrapped.__cause__ = error
        return made, wrapped
    return made, None


def checkMaxLength(maxLength: object) -> int:
    """
    @raise TypeError: if it is no whole number.
    @raise ValueError: if it is not positive.
    """
    if not isinstance(maxLength, int) or isinstance(maxLength, bool):
        raise TypeError(f"maxLength must be a number of bytes, not {maxLength!r}")
    if maxLength < 1:
        raise ValueError(f"maxLength must be at least 1 byte, not {maxLength}")
    return maxLength


def checkOnTooLong(onTooLong: object) -> bool:
    """
    @return: whether records that are too long are skipped.

    @raise ValueError: if it is neither C{"close"} nor C{"skip"}.
    """
    if onTooLong not in ("close", "skip"):
        raise ValueError(f"onTooLong must be 'close' or 'skip', not {onTooLong!r}")
    return onTooLong == "skip"


def octetsOf(record: Octets) -> bytes:
    """
    @return: the octets of a record.

    @raise TypeError: if it is none.
    """
    if isinstance(record, bytes):
        return record
    if isinstance(record, (bytearray, memoryview)):
        return bytes(record)
    raise wrongType(record)


def wrongType(record: object) -> TypeError:
    """
    @return: the error for a record that is not octets.
    """
    remedy = ": encode it first" if isinstance(record, str) else ""
    return TypeError(
        f"this framing takes bytes, not {type(record).__name__} ({record!r:.60})"
        f"{remedy}"
    )
