"""
The client side of SOCKS 5 (RFC 1928), with user and password (RFC 1929).
"""

from __future__ import annotations

import socket
from collections.abc import Generator

from .addresses import Host
from .dialogue import Credentials, Dialogue, Refusal, excerpt

_VERSION = 5
_NO_AUTHENTICATION, _PASSWORD, _NONE_OF_THESE = 0, 2, 0xFF
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4

#: The meanings of replies (RFC 1928, 6).
_REPLIES = {
    1: "general SOCKS server failure",
    2: "its rules do not allow this connection",
    3: "network unreachable",
    4: "host unreachable",
    5: "the server refused the connection",
    6: "TTL expired",
    7: "it does not support CONNECT",
    8: "it does not support this type of address",
}

#: A generator that yields the bytes to send and the number of bytes that it needs next,
#: and is resumed with these bytes.
_Steps = Generator[tuple[bytes, int], bytes, None]


class SOCKS5(Dialogue):
    """
    A dialogue that requests a connection to a server. The proxy resolves the server's
    name.
    """

    def __init__(self, credentials: Credentials | None, host: Host, port: int):
        """
        @param credentials: user and password; None for none.
        @param host: the server.
        @param port: the port of the server.
        """
        self._buffer = bytearray()
        self._needed = 0
        self._steps = self._speak(credentials, host, port)

    def start(self) -> bytes:
        "See L{Dialogue<twisted_clienttcp._connecting.dialogue.Dialogue>}."
        output, self._needed = next(self._steps)
        return output

    def receive(self, data: bytes) -> bytes:
        "See L{Dialogue<twisted_clienttcp._connecting.dialogue.Dialogue>}."
        buffer = self._buffer
        buffer += data
        sent = b""
        while len(buffer) >= self._needed:
            answer = bytes(buffer[: self._needed])
            del buffer[: self._needed]
            try:
                output, self._needed = self._steps.send(answer)
            except StopIteration:
                self.rest = bytes(buffer)
                break
            sent += output
        return sent

    def _speak(self, credentials: Credentials | None, host: Host, port: int) -> _Steps:
        methods = [_NO_AUTHENTICATION]
        if credentials is not None:
            methods.append(_PASSWORD)
        answer = yield bytes((_VERSION, len(methods), *methods)), 2
        version, method = answer
        if version != _VERSION:
            raise Refusal(f"does not speak SOCKS 5: it answered {excerpt(answer)}")
        if method == _PASSWORD and credentials is not None:
            user, password = credentials
            version, status = yield (
                b"\x01%c%b%c%b" % (len(user), user, len(password), password),
                2,
            )
            if status != 0:
                raise Refusal("did not accept the user and password")
        elif method == _NONE_OF_THESE and credentials is None:
            raise Refusal("requires authentication: add user and password to its URL")
        elif method == _NONE_OF_THESE:
            raise Refusal("accepts neither no authentication nor user and password")
        elif method != _NO_AUTHENTICATION:
            raise Refusal(f"chose method {method}, which was not offered")
        request = bytes((_VERSION, _CONNECT, 0)) + _encoded(host)
        answer = yield request + port.to_bytes(2, "big"), 2
        version, reply = answer
        if version != _VERSION:
            raise Refusal(f"does not speak SOCKS 5: it answered {excerpt(answer)}")
        if reply != 0:
            words = _REPLIES.get(reply, "a reply that SOCKS 5 does not define")
            raise Refusal(f"refused, with reply {reply}: {words}")
        # The address from which the proxy connects, and its port.
        _, kind = yield b"", 2
        if kind not in (_IPV4, _NAME, _IPV6):
            raise Refusal(f"answered with an unknown type of address, {kind}")
        size = {_IPV4: 4, _IPV6: 16}.get(kind)
        if size is None:
            (size,) = yield b"", 1
        yield b"", size + 2


def _encoded(host: Host) -> bytes:
    """
    @return: the type of a host's address and the address, as in a request.
    """
    if host.family is None:
        name = host.lookupName.encode("ascii")
        return bytes((_NAME, len(name))) + name
    kind = _IPV4 if host.family == socket.AF_INET else _IPV6
    return bytes((kind,)) + socket.inet_pton(host.family, host.name)
