"""
Checks of arguments: each error names the parameter and the remedy.
"""

from __future__ import annotations

import difflib
import math
import os
import socket
import sys
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from inspect import (
    CO_ASYNC_GENERATOR,
    CO_COROUTINE,
    CO_GENERATOR,
    CO_VARARGS,
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
    signature,
)
from types import FunctionType, MethodType
from typing import Any, TypeVar

Init = TypeVar("Init", bound=Callable[..., None])

#: What else a parameter may be looked for under.
SYNONYMS = {
    "address": "remoteAddress",
    "filter": "framing",
    "host": "remoteAddress",
    "hostname": "remoteAddress",
    "port": "remotePort",
    "protocol": "framing",
    "timeout": "connectTimeout",
}


def parameters(attributes: Collection[str], framing: type) -> Callable[[Init], Init]:
    """
    Let a constructor refuse a parameter that it does not know with a L{TypeError} that
    names the nearest one that it does.

    @param attributes: what is set on the object, not given to its constructor.
    @param framing: a framing, whose parameters are its own.
    """

    def decorate(init: Init) -> Init:
        known = {name: name for name in signature(init).parameters if name != "self"}
        names = {name.lower(): name for name in sorted(known)} | SYNONYMS
        cutting = signature(framing).parameters

        @wraps(init)
        def checked(self: Any, *args: Any, **given: Any) -> None:
            try:
                init(self, *args, **given)
            except TypeError:
                # To look for it before would cost all who make no mistake.
                if error := unknown(given):
                    raise error from None
                raise

        def unknown(given: dict[str, Any]) -> TypeError | None:
            for name in given.keys() - known:
                if name in attributes:
                    hint = f"it is an attribute: set client.{name}"
                elif name in cutting:
                    hint = (
                        "it is one of the framing's, as in "
                        f"framing={framing.__name__}({name}=...)"
                    )
                elif near := difflib.get_close_matches(name.lower(), names, 1, 0.5):
                    hint = f"did you mean {names[near[0]]}?"
                else:
                    hint = f"known are {', '.join(known)}"
                return TypeError(f"unknown parameter {name}: {hint}")
            return None

        return checked  # type: ignore[return-value]

    return decorate


def callback(
    name: str,
    value: object,
    gets: tuple[str, ...] | None = None,
    awaited: bool = False,
    required: bool = False,
) -> Any:
    """
    @param gets: the names of what it is called with; None where that varies.
    @param awaited: whether what it returns is waited for.
    @param required: whether None will not do.

    @raise TypeError: if it cannot be called, or if nobody would wait for it.
    """
    if value is None and not required:
        return None
    if gets is not None and _plainlyTakes(value, len(gets), awaited):
        return value
    if not callable(value):
        raise TypeError(f"{name} must be a function, not {value!r}")
    if isgeneratorfunction(value) or isasyncgenfunction(value):
        raise TypeError(
            f"{name} must be a plain function: a generator would never run here"
        )
    if not awaited and iscoroutinefunction(value):
        raise TypeError(
            f"{name} must be a plain function: a coroutine is not awaited here; start "
            "it inside the function with Deferred.fromCoroutine"
        )
    if gets is not None and not _takes(value, len(gets)):
        raise TypeError(
            f"{name} is called as {name}({', '.join(gets)}), which {_signed(value)} "
            "does not accept"
        )
    return value


def policy(name: str, value: object) -> Any:
    """
    @raise TypeError: if it cannot be called with a number of failures.
    """
    return callback(name, value, ("failures",))


def _plainlyTakes(function: object, arguments: int, awaited: bool) -> bool:
    """
    @return: whether this is a function of Python's, or a method, of no special kind,
        that can be called with so many positional arguments. Nearly all are, and
        L{inspect} takes microseconds to tell what the code tells.
    """
    inner = function.__func__ if isinstance(function, MethodType) else function
    if not isinstance(inner, FunctionType) or vars(inner):
        # It may be marked, or wrap another.
        return False
    code = inner.__code__
    if code.co_kwonlyargcount or code.co_flags & (_RUN if awaited else _SPECIAL):
        return False
    most = code.co_argcount - (inner is not function)
    if arguments > most:
        return bool(code.co_flags & CO_VARARGS)
    return arguments >= most - len(inner.__defaults__ or ())


#: The flags of what has to be run by somebody, and of what may be waited for beside.
_RUN = CO_GENERATOR | CO_ASYNC_GENERATOR
_SPECIAL = _RUN | CO_COROUTINE


def _takes(function: Any, arguments: int) -> bool:
    """
    @return: whether it can be called with so many positional arguments, as far as can
        be known: not of everything that is built in.
    """
    try:
        # What is wrapped may get other arguments than what wraps it.
        signed = signature(function, follow_wrapped=False)
    except TypeError:
        return True
    except ValueError:
        # Nothing is known of it; or it is a method that does not even take its object.
        return not isinstance(function, MethodType)
    try:
        signed.bind(*range(arguments))
    except TypeError:
        return False
    return True


def _signed(function: Any) -> str:
    """
    @return: the function's name and parameters; its repr if they are not known.
    """
    try:
        return f"{function.__qualname__}{signature(function, follow_wrapped=False)}"
    except (AttributeError, TypeError, ValueError):
        return repr(function)


def sequence(name: str, value: object) -> tuple[Any, ...]:
    """
    @raise TypeError: if it is no sequence, or text.
    """
    if isinstance(value, (str, bytes, dict)) or not isinstance(value, Iterable):
        raise TypeError(
            f"{name} must be a sequence, as in {name}=(1, 2), not {value!r}"
        )
    return tuple(value)


def reactor(name: str, value: object) -> Any:
    """
    @raise TypeError: if it cannot tell the time and call later.
    """
    if value is not None and not callable(getattr(value, "callLater", None)):
        raise TypeError(f"{name} must provide IReactorTime, not {value!r}")
    return value


def flag(name: str, value: object) -> bool:
    """
    @raise TypeError: if it is neither True nor False.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


def octets(name: str, value: object) -> int:
    """
    @raise TypeError: if it is no whole number.
    @raise ValueError: if it is negative.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a number of bytes, not {value!r}")
    if value < 0:
        raise ValueError(f"{name} must be 0 bytes or more, not {value}")
    return value


def seconds(name: str, value: object) -> float:
    """
    @raise TypeError: if it is no number.
    @raise ValueError: if it is no positive and finite one.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"{name} must be more than 0 seconds, not {value!r}")
    return number


def delay(name: str, value: object) -> float:
    """
    @raise TypeError: if it is no number.
    @raise ValueError: if it is negative or not finite.
    """
    if value == 0 and value is not False:
        return 0.0
    if isinstance(value, (int, float)) and value < 0:
        raise ValueError(f"{name} must be 0 or more seconds, not {value!r}")
    return seconds(name, value)


def optionalSeconds(name: str, value: object) -> float | None:
    """
    As L{seconds}, or None.
    """
    return None if value is None else seconds(name, value)


def keepAlive(name: str, value: object) -> KeepAlive:
    """
    @raise TypeError: if it is neither a flag nor three numbers.
    @raise ValueError: if a number is out of its range, or if this platform takes none.
    """
    if isinstance(value, bool):
        return value
    if not isinstance(value, tuple) or len(value) != 3:
        raise TypeError(
            f"{name} must be True, False, or (idle, interval, count), as in "
            f"{name}=(60, 10, 3), not {value!r}"
        )
    if KEEP_IDLE is None or not hasattr(socket, "TCP_KEEPINTVL"):
        raise ValueError(f"{name} must be True or False on this platform")
    idle, interval, probes = value
    # Linux's limits, which are the narrowest.
    return (
        count(f"{name}'s idle", idle, 1, 32767),
        count(f"{name}'s interval", interval, 1, 32767),
        count(f"{name}'s count", probes, 1, 127),
    )


#: Whether the kernel probes a silent peer; or after how many seconds of silence, how
#: many seconds apart, and how often before it takes it for gone.
KeepAlive = bool | tuple[int, int, int]

#: The option for the first of these; macOS has its own name for it.
KEEP_IDLE: Any = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))


def count(name: str, value: object, least: int, most: int | None = None) -> int:
    """
    @raise TypeError: if it is no whole number.
    @raise ValueError: if it is out of that range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < least or (most is not None and value > most):
        bounds = f"{least} or more" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be {bounds}, not {value!r}")
    return value


def port(name: str, value: object) -> int:
    """
    @param value: a port number, or the name of a TCP service.

    @return: the number.

    @raise TypeError: if it is neither.
    @raise ValueError: if there is no such port or service.
    """
    if isinstance(value, str):
        if value.isdecimal():
            value = int(value)
        else:
            try:
                return socket.getservbyname(value, "tcp")
            except (OSError, ValueError):
                raise ValueError(
                    f"{name}: there is no TCP service {value!r} on this machine; "
                    "use the port number"
                ) from None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(
            f"{name} must be a port number or the name of a service, not {value!r}"
        )
    if not 1 <= value <= 65535:
        raise ValueError(f"{name} must be from 1 to 65535, not {value}")
    return value


def host(name: str, value: object, domain: int | None = None) -> tuple[str, int | None]:
    """
    @param value: a host name, an IPv4 or IPv6 literal, or an address packed into 4 or
        16 octets; with C{AF_UNIX} the path of a socket.
    @param domain: the family that it must be of; None for any.

    @return: the name, literal or path, and the family of a literal.

    @raise TypeError: if it is neither text nor octets.
    @raise ValueError: if it cannot be the name of a host, or is of another family.
    """
    if domain == socket.AF_UNIX:
        if not isinstance(value, str) or not value:
            raise TypeError(f"{name} must be a path as str, not {value!r}")
        return path(name, value), None
    if isinstance(value, bytes):
        if len(value) not in (4, 16):
            raise ValueError(
                f"{name}: bytes must be a packed address of 4 or 16 bytes, not "
                f"{value!r}; pass a name as str"
            )
        packed = socket.AF_INET if len(value) == 4 else socket.AF_INET6
        value = socket.inet_ntop(packed, value)
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be a host name or an IP address as str, or a packed "
            f"address as bytes, not {value!r}"
        )
    if "\0" in value:
        # C ends a string at a NUL: another host would be looked up.
        raise ValueError(f"{name}: there is a NUL in {value!r}")
    family = literal(value)
    if family is not None:
        if domain is not None and family != domain:
            raise ValueError(
                f"{name}: {value!r} is not an address of the domain "
                f"{socket.AddressFamily(domain).name}; omit domain, or change one of "
                "them"
            )
        return value, family
    try:
        # In ASCII, some letters become delimiters: one is "a/c".
        encoded = value.encode("idna").decode()
    except UnicodeError:
        encoded = ""
    if not encoded or any(c <= " " or c in ":/\x7f" for c in encoded):
        raise ValueError(
            f"{name}: {value!r} is neither a host name nor an IP address; use the "
            "host alone, without scheme, port or brackets"
        )
    return value, None


def path(name: str, value: str) -> str:
    """
    @return: the path of a UNIX socket, as it is.

    @raise ValueError: if it is too long, or contains a NUL. Linux's abstract names
        begin with one.
    """
    octets = os.fsencode(value)
    # A name in the abstract namespace of Linux begins with NUL, and ends with no other.
    abstract = octets.startswith(b"\0")
    most = PATH_OCTETS if abstract else PATH_OCTETS - 1
    if len(octets) > most:
        raise ValueError(
            f"{name}: the path of a socket has at most {most} bytes, not "
            f"{len(octets)}: {value!r}; use a shorter path, or one relative to the "
            "current directory"
        )
    if b"\0" in octets and not abstract:
        raise ValueError(f"{name}: there is a NUL in the path {value!r}")
    return value


#: How many octets the kernel has for the path of a socket, with the NUL at its end.
PATH_OCTETS = 108 if sys.platform.startswith("linux") else 104


def literal(value: str) -> int | None:
    """
    @return: the family of an IP literal; None if it is none.
    """
    address, percent, scope = value.partition("%")
    families = [socket.AF_INET, socket.AF_INET6]
    if percent:
        # Only IPv6 has scopes (RFC 4007, 11).
        families = [socket.AF_INET6] if scope and "%" not in scope else []
    for family in families:
        try:
            socket.inet_pton(family, address)
        except (OSError, ValueError):
            continue
        return family
    return None


def domain(value: object) -> int | None:
    """
    @raise ValueError: if it is no family that can be connected to.
    """
    if value is not None and value not in DOMAINS:
        known = ", ".join(f"socket.{family.name}" for family in DOMAINS)
        raise ValueError(f"domain must be one of {known} or None, not {value!r}")
    return None if value is None else int(value)  # type: ignore[call-overload]


#: The families that can be connected to.
DOMAINS = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


def binding(
    address: object, port_: object, family: int | None
) -> tuple[str, int] | None:
    """
    @return: the local side; None if any will do.

    @raise TypeError: if a part is of the wrong type.
    @raise ValueError: if a part is out of range, or nothing can be bound.
    """
    if address is None and port_ is None:
        return None
    if family == socket.AF_UNIX:
        raise ValueError(
            "bindAddress and bindPort cannot be used with domain=AF_UNIX: omit them"
        )
    local = ""
    if address is not None:
        local, localFamily = host("bindAddress", address, family)
        if localFamily is None:
            raise ValueError(
                f"bindAddress must be an IP address of this machine, not {address!r}"
            )
    return local, 0 if port_ is None or port_ == 0 else port("bindPort", port_)
