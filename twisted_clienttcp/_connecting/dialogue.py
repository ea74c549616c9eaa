"""
The base class of the dialogues with proxies, and helpers. A dialogue does no I/O.
"""

from __future__ import annotations

import base64

#: User and password.
Credentials = tuple[bytes, bytes]

#: The most bytes that the answer of a proxy may have.
RESPONSE_LIMIT = 64 * 1024


class Dialogue:
    """
    The bytes to send to a proxy, depending on its answers.

    @ivar rest: the bytes after the proxy's last answer, which are the first bytes of
        the server; None until the proxy has agreed.
    """

    rest: bytes | None = None

    def start(self) -> bytes:
        """
        @return: the first bytes to send.
        """
        raise NotImplementedError

    def receive(self, data: bytes) -> bytes:
        """
        @param data: the next bytes of the proxy.

        @return: the next bytes to send.

        @raise Refusal: if the proxy has refused, or does not speak this protocol.
        """
        raise NotImplementedError


class Refusal(Exception):
    """
    The proxy has refused, or does not speak its protocol. The text continues the
    sentence "the proxy ...".
    """


def basic(credentials: Credentials) -> bytes:
    """
    @return: user and password as the Basic scheme encodes them (RFC 7617, 2).
    """
    return base64.b64encode(b":".join(credentials))


def redacted(data: bytes, credentials: Credentials | None) -> bytes:
    """
    @param data: an answer of a proxy, which may repeat what was sent to it.

    @return: the same without user and password.
    """
    if credentials is not None:
        for secret in (basic(credentials), *credentials):
            if secret:
                data = data.replace(secret, b"***")
    return data


def excerpt(data: bytes) -> str:
    """
    @return: the first bytes of an answer, for messages.
    """
    return f"{bytes(data[:40])!r}{'...' if len(data) > 40 else ''}"
