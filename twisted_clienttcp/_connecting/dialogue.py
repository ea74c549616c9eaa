"""
The base class of dialogues with proxies, which do no I/O, and helpers.
"""

from __future__ import annotations

import base64

#: User and password.
Credentials = tuple[bytes, bytes]

#: The greatest size of a proxy's answer in bytes.
RESPONSE_LIMIT = 64 * 1024


class Dialogue:
    """
    Computes the bytes to send to a proxy from the proxy's answers.

    @ivar rest: the bytes after the proxy's last answer, which come from the server;
        None until the proxy has agreed.
    """

    rest: bytes | None = None

    def start(self) -> bytes:
        """
        @return: the first bytes to send.
        """
        raise NotImplementedError

    def receive(self, data: bytes) -> bytes:
        """
        @param data: the next bytes from the proxy.

        @return: the next bytes to send; may be empty.

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
    @return: user and password, encoded for the Basic authentication scheme (RFC 7617,
        2).
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
    @return: the beginning of an answer as text, for messages.
    """
    return f"{bytes(data[:40])!r}{'...' if len(data) > 40 else ''}"
