"""
The client side of HTTP CONNECT (RFC 9110, 9.3.6), with user and password (RFC 7617).

h11 comes with the extra C{proxy}, so it is imported only where it is needed.
"""

from __future__ import annotations

from .._connection.peer import hostAndPort
from .._validators import imported
from .addresses import Host
from .dialogue import (
    RESPONSE_LIMIT,
    Credentials,
    Dialogue,
    Refusal,
    basic,
    excerpt,
    redacted,
)

#: The statuses for a missing or wrong password. (tinyproxy uses 401 for a wrong one.)
_DEMANDING = (401, 407)

#: The meanings of other statuses, for proxies that do not explain them.
_STATUSES = {
    403: "its rules do not allow this connection",
    405: "it does not support CONNECT",
    502: "it cannot reach the server",
    503: "it cannot reach the server",
    504: "the server has not answered it",
}

_TOO_LONG = f"answered with more than {RESPONSE_LIMIT} bytes"

#: The greatest number of characters of a response that a message contains.
_SHOWN = 200


def require(what: str) -> None:
    """
    @param what: the feature that needs h11, for the message.

    @raise ImportError: if the extra C{proxy} is not installed.
    """
    imported("h11", what, needs="h11", extra="proxy")


class HTTPConnect(Dialogue):
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
        import h11

        self._credentials = credentials
        self._target = hostAndPort(host.lookupName, port)
        self._connection = h11.Connection(h11.CLIENT, RESPONSE_LIMIT)
        #: The number of received bytes, and the first of these bytes.
        self._received = 0
        self._head = b""

    def start(self) -> bytes:
        "See L{Dialogue<twisted_clienttcp._connecting.dialogue.Dialogue>}."
        import h11

        headers = [("Host", self._target)]
        if self._credentials is not None:
            token = "Basic " + basic(self._credentials).decode("ascii")
            headers.append(("Proxy-Authorization", token))
        request = h11.Request(method="CONNECT", target=self._target, headers=headers)
        output: bytes | None = self._connection.send(request)
        # CONNECT has no content, so the end of the request adds no bytes.
        self._connection.send(h11.EndOfMessage())
        return output or b""

    def receive(self, data: bytes) -> bytes:
        "See L{Dialogue<twisted_clienttcp._connecting.dialogue.Dialogue>}."
        import h11

        connection = self._connection
        self._received += len(data)
        self._head = (self._head + data)[:RESPONSE_LIMIT]
        connection.receive_data(data)
        try:
            # Responses such as 100 (Continue) come before the final one.
            while isinstance(
                event := connection.next_event(), h11.InformationalResponse
            ):
                pass
        except h11.RemoteProtocolError:
            if self._received > RESPONSE_LIMIT:
                raise Refusal(_TOO_LONG) from None
            # The text of the error may contain user and password.
            answer = excerpt(redacted(self._head, self._credentials))
            raise Refusal(f"does not speak HTTP: it answered {answer}") from None
        rest, _ = connection.trailing_data
        if self._received - len(rest) > RESPONSE_LIMIT:
            raise Refusal(_TOO_LONG)
        if isinstance(event, h11.Response):
            if not 200 <= event.status_code < 300:
                raise Refusal(self._refused(event.status_code, event.reason))
            # Content-Length and Transfer-Encoding are ignored (RFC 9110, 9.3.6).
            self.rest = rest
        return b""

    def _refused(self, status: int, reason: bytes) -> str:
        if status in _DEMANDING and self._credentials is None:
            words = "it requires a user and a password"
        elif status in _DEMANDING:
            words = "it did not accept the user and password"
        else:
            words = _STATUSES.get(status, "")
        reason = redacted(reason, self._credentials)
        said = f"{status} {reason.decode('latin-1')[:_SHOWN]}".strip()
        return f"refused, with {said!r}{words and ': '}{words}"
