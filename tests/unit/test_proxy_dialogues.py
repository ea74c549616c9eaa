"""
Tests for the dialogues with proxies, without I/O.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp._connecting.addresses import host
from twisted_clienttcp._connecting.dialogue import RESPONSE_LIMIT, Refusal, redacted
from twisted_clienttcp._connecting.httpconnect import HTTPConnect
from twisted_clienttcp._connecting.socks import SOCKS5

USER = (b"me", b"se:cret")
NAME = host("host", "server.test")
SOCKS_REPLY = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38"
HTTP_REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\n"


def play(dialogue: Any, *answers: bytes) -> bytes:
    """
    Receive answers.

    @return: all that the dialogue has sent.
    """
    sent: bytes = dialogue.start()
    for answer in answers:
        sent += dialogue.receive(answer)
    return sent


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


class DialogueTests(SynchronousTestCase):
    """
    Tests of both dialogues.
    """

    AGREEING = (
        (lambda: SOCKS5(None, NAME, 7), b"\x05\x00" + SOCKS_REPLY),
        (lambda: SOCKS5(USER, NAME, 7), b"\x05\x02\x01\x00" + SOCKS_REPLY),
        (lambda: HTTPConnect(None, NAME, 7), HTTP_REPLY),
        (lambda: HTTPConnect(USER, NAME, 7), HTTP_REPLY),
    )

    @given(st.sampled_from(AGREEING), st.binary(max_size=20), st.data())
    def test_chunks(self, row: Any, rest: bytes, data: Any) -> None:
        """
        However the answer is split into reads, the bytes behind it are not lost, and
        what is sent is the same.
        """
        make, answer = row
        whole, split = make(), make()
        expected = play(whole, answer + rest)
        self.assertEqual(whole.rest, rest)
        stream, sent = answer + rest, split.start()
        while split.rest is None:
            size = data.draw(st.integers(1, len(stream)))
            sent += split.receive(stream[:size])
            stream = stream[size:]
        self.assertEqual((sent, split.rest + stream), (expected, rest))

    def test_incomplete(self) -> None:
        """
        Without the last byte, nothing has been agreed.
        """
        for make, answer in self.AGREEING:
            dialogue = make()
            play(dialogue, *bytewise(answer[:-1]))
            self.assertIsNone(dialogue.rest)

    @given(st.sampled_from([row[0] for row in AGREEING]), st.binary(max_size=200))
    def test_garbage(self, make: Any, data: bytes) -> None:
        """
        Nothing but a L{Refusal} is raised, whatever a proxy sends.
        """
        dialogue = make()
        dialogue.start()
        try:
            dialogue.receive(data)
        except Refusal as refusal:
            self.assertNotIn("cret", str(refusal))


class SOCKS5Tests(SynchronousTestCase):
    """
    Tests for L{SOCKS5}.
    """

    def test_requests(self) -> None:
        """
        The request has the type of the address (RFC 1928, 5).
        """
        for name, encoded in (
            ("server.test", b"\x03\x0bserver.test"),
            ("server.test.", b"\x03\x0cserver.test."),
            ("127.0.0.1", b"\x01\x7f\x00\x00\x01"),
            ("::1", b"\x04" + bytes(15) + b"\x01"),
        ):
            sent = play(SOCKS5(None, host("host", name), 258), b"\x05\x00")
            self.assertEqual(
                sent, b"\x05\x01\x00" + b"\x05\x01\x00" + encoded + b"\x01\x02"
            )

    def test_password(self) -> None:
        """
        User and password are sent only if the proxy asks for them (RFC 1929).
        """
        self.assertNotIn(b"cret", play(SOCKS5(USER, NAME, 7), b"\x05\x00"))
        self.assertEqual(
            play(SOCKS5(USER, NAME, 7), b"\x05\x02"),
            b"\x05\x02\x00\x02" + b"\x01\x02me\x07se:cret",
        )

    def test_addresses(self) -> None:
        """
        The reply may have an address of any type.
        """
        for address in (b"\x01abcd", b"\x03\x02ab", b"\x03\x00", b"\x04" + bytes(16)):
            dialogue = SOCKS5(None, NAME, 7)
            play(dialogue, b"\x05\x00", b"\x05\x00\x00" + address + b"\x00\x07rest")
            self.assertEqual(dialogue.rest, b"rest")

    def test_refusals(self) -> None:
        """
        Each refusal is reported in words.
        """
        for user, answers, words in (
            (None, [b"HT"], "does not speak SOCKS 5: it answered b'HT'"),
            (None, [b"\x05\xff"], "requires authentication: add user and"),
            (USER, [b"\x05\xff"], "accepts neither no authentication nor"),
            (None, [b"\x05\x02"], "chose method 2, which was not offered"),
            (USER, [b"\x05\x01"], "chose method 1, which was not offered"),
            (USER, [b"\x05\x02\x01\x01"], "did not accept the user and password"),
            (None, [b"\x05\x00\x04\x00"], "does not speak SOCKS 5"),
            (None, [b"\x05\x00\x05\x01"], "refused, with reply 1: general"),
            (None, [b"\x05\x00\x05\x02"], "its rules do not allow this connection"),
            (None, [b"\x05\x00\x05\x03"], "network unreachable"),
            (None, [b"\x05\x00\x05\x04"], "host unreachable"),
            (None, [b"\x05\x00\x05\x05"], "the server refused the connection"),
            (None, [b"\x05\x00\x05\x06"], "TTL expired"),
            (None, [b"\x05\x00\x05\x07"], "it does not support CONNECT"),
            (None, [b"\x05\x00\x05\x08"], "does not support this type of address"),
            (None, [b"\x05\x00\x05\x63"], "reply 99: a reply that SOCKS 5 does not"),
            (None, [b"\x05\x00\x05\x00\x00\x07"], "an unknown type of address, 7"),
        ):
            dialogue = SOCKS5(user, NAME, 7)
            error = self.assertRaises(Refusal, play, dialogue, *answers)
            self.assertIn(words, str(error))
            self.assertIsNone(dialogue.rest)


class HTTPConnectTests(SynchronousTestCase):
    """
    Tests for L{HTTPConnect}.
    """

    def test_requests(self) -> None:
        """
        The target is host and port, an IPv6 address in brackets (RFC 9110, 9.3.6).
        """
        for name, target in (("server.test", "server.test:7"), ("::1", "[::1]:7")):
            self.assertEqual(
                play(HTTPConnect(None, host("host", name), 7)),
                f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode(),
            )

    def test_password(self) -> None:
        """
        User and password are sent as the Basic scheme wants them (RFC 7617).
        """
        sent = play(HTTPConnect(USER, NAME, 7))
        self.assertIn(b"\r\nProxy-Authorization: Basic bWU6c2U6Y3JldA==\r\n", sent)

    def test_agreed(self) -> None:
        """
        Any status from 200 to 299 agrees, in HTTP/1.0 too, also after others. A length
        of the content is ignored.
        """
        for response in (
            b"HTTP/1.0 200 Connection established\r\n\r\n",
            b"HTTP/1.1 299 \r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ):
            dialogue = HTTPConnect(None, NAME, 7)
            play(dialogue, response + b"220 hello\r\n")
            self.assertEqual(dialogue.rest, b"220 hello\r\n")

    def test_limit(self) -> None:
        """
        A response of 64 KiB is accepted, and a longer one is not, in any pieces: also
        one that consists of many responses. The bytes behind it do not count.
        """
        start, end = b"HTTP/1.1 200 OK\r\nX: ", b"\r\n\r\n"
        longest = start + b"x" * (RESPONSE_LIMIT - len(start + end)) + end
        rest = b"r" * RESPONSE_LIMIT
        halves = [longest[:30000], longest[30000:] + rest]
        for pieces in ([longest + rest], halves):
            dialogue = HTTPConnect(None, NAME, 7)
            play(dialogue, *pieces)
            self.assertEqual(dialogue.rest, rest)
        continued = b"HTTP/1.1 100 Continue\r\n\r\n"
        for tooLong in (
            start + longest[len(start) - 1 :],
            start + b"x" * RESPONSE_LIMIT,
            b"x" * (RESPONSE_LIMIT + 1),
            continued * (1 + RESPONSE_LIMIT // len(continued)),
        ):
            for size in (len(tooLong), 5000):
                pieces = [tooLong[i : i + size] for i in range(0, len(tooLong), size)]
                dialogue = HTTPConnect(None, NAME, 7)
                error = self.assertRaises(Refusal, play, dialogue, *pieces)
                self.assertIn("answered with more than 65536 bytes", str(error))

    def test_refusals(self) -> None:
        """
        Each refusal is reported with the response and in words.
        """
        demands = "'407 No': it requires a user and a password"
        for user, response, words in (
            (None, "407 No", demands),
            (USER, "407 No", "'407 No': it did not accept the user and password"),
            (USER, "401 No", "'401 No': it did not accept the user and password"),
            (None, "403 No", "'403 No': its rules do not allow this connection"),
            (None, "405 No", "'405 No': it does not support CONNECT"),
            (None, "502 No", "'502 No': it cannot reach the server"),
            (None, "503 No", "'503 No': it cannot reach the server"),
            (None, "504 No", "'504 No': the server has not answered it"),
            (None, "301 Elsewhere", "refused, with '301 Elsewhere'"),
            (None, "500", "refused, with '500'"),
            (USER, "500 you are me, se:cret", "with '500 you are ***, ***'"),
            (USER, "500 bWU6c2U6Y3JldA==", "with '500 ***'"),
        ):
            answer = f"HTTP/1.1 {response}\r\n\r\n".encode()
            dialogue = HTTPConnect(user, NAME, 7)
            error = self.assertRaises(Refusal, play, dialogue, answer)
            self.assertIn(words, str(error))
        for answer in (b"220 smtp.test ready\r\n\r\n", b"\x15\x03\x01", b"\x05\x00"):
            dialogue = HTTPConnect(None, NAME, 7)
            error = self.assertRaises(Refusal, play, dialogue, answer)
            self.assertIn(f"does not speak HTTP: it answered {answer!r}", str(error))


class RedactedTests(SynchronousTestCase):
    """
    Tests for L{redacted}.
    """

    def test_all(self) -> None:
        """
        User, password and both in base64 are replaced.
        """
        self.assertEqual(
            redacted(b"me se:cret bWU6c2U6Y3JldA== x", USER), b"*** *** *** x"
        )
        self.assertEqual(redacted(b"abc", (b"me", b"")), b"abc")
        self.assertEqual(redacted(b"me", None), b"me")
