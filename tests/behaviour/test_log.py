"""
Tests for the log of a client: one line for each event, at the default level, and not
the same line again and again.
"""

from __future__ import annotations

import json
import random
from io import StringIO
from itertools import count
from typing import Any

from twisted.internet.error import NoRouteError
from twisted.logger import LogLevel, capturedLogs, formatEvent, jsonFileLogObserver
from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp.errors import ClientTCPError
from twisted_clienttcp.framing import Line
from twisted_clienttcp.retry import constant
from twisted_clienttcp.testing import MemoryServer

from .._log import assertDocumented
from .._memory import ABC, ClientTestCase

#: The beginning of each line.
NAME = "Client quotes.example.org:1717"


class LogTestCase(SynchronousTestCase):
    """
    Tests with a client whose log is recorded.
    """

    def setUp(self) -> None:
        logs = capturedLogs()
        self.events: Any = logs.__enter__()
        self.addCleanup(logs.__exit__, None, None, None)

    def client(self, **parameters: Any) -> ClientTCPFactory:
        """
        @return: a client whose waits are not random.
        """
        return ClientTCPFactory(
            "quotes.example.org",
            1717,
            **{
                "serverInput": lambda client, record: None,
                "jitter": None,
                **parameters,
            },
        )

    def server(self, **parameters: Any) -> MemoryServer:
        """
        @return: the server of a client that has been started.
        """
        return MemoryServer(self.client(**parameters))

    def taken(self) -> list[dict[str, Any]]:
        """
        @return: the events of clients since the last call.
        """
        events = [
            event
            for event in self.events
            if event["log_namespace"] == "twisted_clienttcp.ClientTCPFactory"
        ]
        self.events.clear()
        for event in events:
            assertDocumented(self, event)
        return events

    def lines(self) -> list[str]:
        """
        @return: the lines since the last call, without the name of the client.
        """
        lines = [str(formatEvent(event)) for event in self.taken()]
        for line in lines:
            self.assertTrue(line.startswith(NAME), line)
        return [line.removeprefix(NAME).removeprefix(": ") for line in lines]

    def refuse(self, server: MemoryServer, times: int, error: Any = None) -> None:
        """
        Let attempts fail, and wait until the next one.
        """
        for _ in range(times):
            server.refuse(error)
            server.advance(server.client.delay)


class SentenceTests(LogTestCase):
    """
    Tests for what the lines say.
    """

    def test_connected(self) -> None:
        """
        To which address the client has connected.
        """
        self.server().accept()
        self.assertEqual(self.lines(), ["connected to 127.0.0.1:7"])

    def test_failed(self) -> None:
        """
        Why an attempt has failed, and when the next one starts; then after how many
        failures it has connected, and for how long it had failed.
        """
        server = self.server(retryPolicy=constant(4))
        self.refuse(server, 3)
        server.accept()
        self.assertEqual(
            self.lines(),
            [
                "cannot connect: Connection refused; next attempt in 4 s",
                "connected to 127.0.0.1:7 after 3 failed attempts in 12 s",
            ],
        )

    def test_lost(self) -> None:
        """
        Why a connection was lost, how long it had lasted, and when the next attempt
        starts.
        """
        server = self.server()
        server.accept()
        server.advance(3700)
        server.reset()
        server.advance(1)
        server.accept()
        self.assertEqual(
            self.lines()[1:],
            [
                "the connection was lost: Connection reset by peer (connected for 62 "
                "min); next attempt in 1 s",
                "connected to 127.0.0.1:7",
            ],
        )

    def test_gaveUp(self) -> None:
        """
        Why the client gave up.
        """
        server = self.server(maxRetries=1)
        server.stopped.addErrback(lambda failure: None)
        server.refuse()
        server.advance(1)
        server.refuse(NoRouteError())
        self.assertEqual(
            self.lines(),
            [
                "cannot connect: Connection refused; next attempt in 1 s",
                "cannot connect: Network is unreachable",
                " gives up: 2 failures in 1 s; the last one: cannot connect: "
                "Network is unreachable",
            ],
        )

    def test_stopped(self) -> None:
        """
        Why the client stops otherwise; with the failures, if it was not connected.
        """
        server = self.server(retryPolicy=constant(2))
        server.accept()
        server.client.shutdown()
        server.advance(0)
        self.assertEqual(
            self.lines()[1:],
            ["closed the connection after 0 s", " stops: on request"],
        )
        server = self.server(retryPolicy=constant(2))
        self.refuse(server, 2)
        server.client.shutdown()
        self.assertEqual(
            self.lines()[1:],
            [" stops: on request after 2 failed attempts in 4 s"],
        )
        server = self.server(autoReconnect=False)
        server.accept()
        server.close()
        self.assertEqual(self.lines()[2:], [" stops: the connection has ended"])
        server = self.server(autoReconnect=False)
        server.accept()
        server.client.stopTrying()
        server.close()
        self.assertEqual(self.lines()[2:], [" stops: on request"])
        server = self.server(autoReconnect=False)
        server.stopped.addErrback(lambda failure: None)
        server.refuse()
        self.assertEqual(
            self.lines(),
            [
                "cannot connect: Connection refused",
                " stops: cannot connect: Connection refused",
            ],
        )

    def test_chosen(self) -> None:
        """
        A wait that a callback chooses is the one that is logged, and a client that a
        callback stops has no next attempt.
        """

        def choose(client: Any, failure: Any) -> None:
            client.reconnect(17)

        def stop(client: Any, failure: Any) -> None:
            client.shutdown()

        for connectError, outlook in ((choose, "; next attempt in 17 s"), (stop, "")):
            server = self.server(connectError=connectError)
            server.refuse()
            self.assertEqual(
                self.lines()[0], f"cannot connect: Connection refused{outlook}"
            )

    def test_events(self) -> None:
        """
        A failure is logged at once even if the client waits for a named event before it
        stops.
        """
        server = self.server(
            autoReconnect=False,
            inlineStates={"later": lambda client: None},
            connectError=lambda client, failure: client.postLater(3600, "later"),
        )
        server.stopped.addErrback(lambda failure: None)
        server.refuse()
        self.assertEqual(self.lines(), ["cannot connect: Connection refused"])

    def test_reconnect(self) -> None:
        """
        A connection that is closed for another one.
        """
        server = self.server()
        server.accept()
        server.advance(30)
        server.client.reconnect()
        server.advance(0)
        self.assertEqual(
            self.lines()[1:], ["closed the connection after 30 s; next attempt now"]
        )

    def test_continuing(self) -> None:
        """
        An error that does not end the connection.
        """
        server = self.server(framing=Line(maxLength=3, onTooLong="skip"))
        server.accept()
        server.send(b"four\r\n" * 5)
        server.advance(61)
        server.send(b"four\r\n")
        start = "a record of at least 4 bytes is too long and was skipped (maxLength=3)"
        self.assertEqual(self.lines()[1:], [start, f"{start} (5 times in 61 s)"])

    def test_alias(self) -> None:
        """
        Each line of a client with an alias begins with it, so that clients with the
        same destination can be told apart.
        """
        for alias in ("first", "second"):
            server = self.server(alias=alias)
            server.refuse()
            server.advance(1)
            server.accept()
            server.client.shutdown()
            server.advance(0)
            events = self.taken()
            self.assertEqual(len(events), 4)
            for event in events:
                start = f"Client {alias} (quotes.example.org:1717)"
                self.assertTrue(str(formatEvent(event)).startswith(start))
                self.assertEqual(event["alias"], alias)
                self.assertEqual(event["id"], id(server.client))
                self.assertIs(event["log_source"], server.client)

    def test_oneLine(self) -> None:
        """
        A text that contains ends of lines or control characters is one line.
        """

        def raising(client: Any, record: bytes) -> None:
            raise ValueError("first\nClient other: \x1b[31mred\u2028")

        server = self.server(serverInput=raising)
        server.accept()
        server.send(b"tea\r\n")
        self.flushLoggedErrors(ValueError)
        line = self.lines()[-1]
        self.assertIn(r"first\nClient other: \x1b[31mred\u2028", line)
        self.assertTrue(line.isprintable())


class LevelTests(LogTestCase):
    """
    Tests for the levels.
    """

    def levels(self, **callbacks: Any) -> dict[str, LogLevel]:
        """
        @return: the level of each kind of event, for a client with these callbacks.
        """
        server = self.server(maxRetries=1, stableAfter=0, **callbacks)
        server.stopped.addErrback(lambda failure: None)
        server.accept()
        server.reading = False
        server.client.put(b"lost")
        server.reset()
        server.advance(1)
        server.refuse()
        server.advance(2)
        return {event["kind"]: event["log_level"] for event in self.taken()}

    def test_handled(self) -> None:
        """
        A failure is a warning if the client has no callback for it. If it has one, the
        event is still logged, as information.
        """
        failures = {
            "attemptFailed": "connectError",
            "connectionLost": "serverError",
            "outputLost": "disconnected",
        }
        callbacks = {name: lambda *args: None for name in failures.values()}
        for given, level in (({}, LogLevel.warn), (callbacks, LogLevel.info)):
            levels = self.levels(**given)
            for kind in failures:
                self.assertEqual(levels[kind], level, kind)
            self.assertEqual(levels["connected"], LogLevel.info)

    def test_raised(self) -> None:
        """
        An exception in a callback is critical, with its traceback.
        """
        server = self.server(connected=lambda client, peer: 1 / 0)
        server.accept()
        events = [event for event in self.taken() if event["kind"] == "raised"]
        self.assertEqual(events[0]["log_level"], LogLevel.critical)
        self.assertIn("Traceback", events[0]["log_failure"].getTraceback())
        self.flushLoggedErrors(ZeroDivisionError)


class Unprintable(Exception):
    """
    An exception without a text.
    """

    def __str__(self) -> str:
        raise ZeroDivisionError


class RepetitionTests(LogTestCase):
    """
    Tests for failures that are repeated.
    """

    def raised(self) -> list[str]:
        """
        @return: the lines about exceptions since the last call.
        """
        lines = [
            str(formatEvent(event))
            for event in self.taken()
            if event["kind"] == "raised"
        ]
        self.assertEqual(len(self.flushLoggedErrors()), len(lines))
        return [line.removeprefix(f"{NAME}: ") for line in lines]

    def test_raised(self) -> None:
        """
        A callback that always raises writes a traceback the first time, then at most
        once a minute, with the number of times. So do the other calls that an attempt
        or a connection makes.
        """

        numbers = count()

        def fail(*args: object) -> None:
            raise ZeroDivisionError(f"record {next(numbers)} is too long")

        for name in ("connected", "serverInput", "preConnect"):
            server = self.server(**{name: fail}, retryPolicy=constant(1))
            for second in range(61):
                server.accept()
                if name == "serverInput":
                    server.send(b"record\r\n")
                if second == 59:
                    self.assertEqual(self.raised(), [f"{name} raised"])
                server.advance(1)
            self.assertEqual(self.raised(), [f"{name} raised (60 times in 60 s)"])

    def test_unprintable(self) -> None:
        """
        An exception may have no text.
        """

        def fail(*args: object) -> None:
            raise Unprintable

        self.server(connected=fail).accept()
        self.assertEqual(self.raised(), ["connected raised"])

    def test_raisedElsewhere(self) -> None:
        """
        Exceptions of another callback, and of another kind, are not repetitions.
        """
        errors = [KeyError("a"), KeyError("b"), ValueError("b"), ValueError("b")]

        def fail(client: Any, details: Any) -> None:
            raise errors.pop(0)

        server = self.server(
            disconnected=fail, serverError=fail, retryPolicy=constant(1)
        )
        for _ in range(2):
            server.accept()
            server.reset()
            server.advance(1)
        lines = ["serverError raised", "disconnected raised"]
        self.assertEqual(self.raised(), lines * 2)

    def test_sameReason(self) -> None:
        """
        A failure with the same reason is logged the first time, then at most once a
        minute, with a count of all that it stands for.
        """
        server = self.server(retryPolicy=constant(7))
        self.refuse(server, 20)
        refused = "cannot connect: Connection refused"
        self.assertEqual(
            self.lines(),
            [
                f"{refused}; next attempt in 7 s",
                f"{refused} (9 times in 63 s); next attempt in 7 s",
                f"{refused} (9 times in 63 s); next attempt in 7 s",
            ],
        )

    def test_nothingLost(self) -> None:
        """
        Failures that were left out are in the line about the next connection, or the
        end.
        """
        server = self.server(retryPolicy=constant(7))
        self.refuse(server, 4)
        server.accept()
        server.client.shutdown()
        server.advance(0)
        lines = self.lines()
        self.assertIn("after 4 failed attempts in 28 s", lines[1])
        self.assertEqual(lines[-1], " stops: on request")

    def test_changedReason(self) -> None:
        """
        Another reason is logged at once.
        """
        server = self.server(retryPolicy=constant(7))
        self.refuse(server, 2)
        self.refuse(server, 2, NoRouteError())
        self.assertEqual(
            self.lines(),
            [
                "cannot connect: Connection refused; next attempt in 7 s",
                "cannot connect: Network is unreachable; next attempt in 7 s",
            ],
        )

    def test_alternatingReasons(self) -> None:
        """
        Reasons that alternate, as with several endpoints, are limited each.
        """
        server = self.server(retryPolicy=constant(1))
        for _ in range(20):
            self.refuse(server, 1)
            self.refuse(server, 1, NoRouteError())
        self.assertEqual(len(self.lines()), 2)

    def test_manyReasons(self) -> None:
        """
        A peer that causes a different reason each time does not fill the log; reasons
        that differ only in numbers are one.
        """
        server = self.server(retryPolicy=constant(0.1))
        for number in range(3):
            self.refuse(server, 1, OSError(f"failure number {number}"))
        self.assertEqual(len(self.lines()), 1)
        for number in range(100):
            letters = "".join(chr(ord("a") + int(each)) for each in str(number))
            self.refuse(server, 1, OSError(f"reason {letters}"))
        self.assertLess(len(self.lines()), 12)

    def test_clockSetBack(self) -> None:
        """
        The time in a line about the past is not negative if the clock is set back.
        """
        server = self.server(retryPolicy=constant(1))
        self.refuse(server, 2)
        server.clock.rightNow = -100.0
        server.accept()
        self.assertIn("after 2 failed attempts in 0 s", self.lines()[-1])

    def test_flapping(self) -> None:
        """
        A server that accepts connections and drops them does not fill the log. When a
        connection has lasted, one line says since when, and how many were lost before.
        """
        server = self.server(retryPolicy=constant(0.5))
        for _ in range(30):
            server.accept()
            server.close()
            server.advance(0.5)
        self.assertEqual(
            self.lines(),
            [
                "connected to 127.0.0.1:7",
                "the server closed the connection (connected for 0 s); next attempt in "
                "0.5 s",
                "connected to 127.0.0.1:7",
            ],
        )
        server.accept()
        server.advance(9.9)
        self.assertEqual(self.lines(), [])
        server.advance(0.1)
        (event,) = self.taken()
        self.assertEqual(
            formatEvent(event),
            f"{NAME}: connected to 127.0.0.1:7 and stable for 10 s, after 29 lost "
            "connections in 14 s",
        )
        self.assertEqual(event["age"], 10)
        self.assertEqual(event["losses"], 29)
        # The next loss is one: those before have been reported.
        server.advance(40)
        server.close()
        (line,) = self.lines()
        self.assertNotIn("times", line)

    def test_oneLeftOut(self) -> None:
        """
        If only the end of one connection was left out, the line about the next one
        counts it.
        """
        server = self.server(retryPolicy=constant(1))
        for _ in range(2):
            server.accept()
            server.close()
            server.advance(1)
        server.accept()
        self.lines()
        server.advance(10)
        self.assertEqual(
            self.lines(),
            [
                "connected to 127.0.0.1:7 and stable for 10 s, after 1 lost connection "
                "in 1 s"
            ],
        )

    def test_countedSince(self) -> None:
        """
        A line about a connection that has lasted reports the time before that
        connection. The count that follows has the time since it was made.
        """
        server = self.server(retryPolicy=constant(1))
        for lasts in (0, 0, 20, 30, 6):
            server.accept()
            server.advance(lasts)
            server.close()
            server.advance(1)
        # The third connection was made after 2 s, and the fifth has ended after 60.
        self.assertIn(" (3 times in 58 s)", self.lines()[-1])

    def test_flappingSlowly(self) -> None:
        """
        Of connections that are lost soon after they were stable, one a minute is
        logged.
        """
        server = self.server(retryPolicy=constant(1))
        while server.clock.seconds() < 600:
            server.accept()
            server.advance(12)
            server.close()
            server.advance(1)
        ages = [event["age"] for event in self.taken() if event.get("age")]
        self.assertGreater(len(ages), 5)
        self.assertLessEqual(len(ages), 10)

    def test_restarted(self) -> None:
        """
        A server that is restarted soon after a connection: the next connection is
        logged at once.
        """
        server = self.server(retryPolicy=constant(1))
        server.accept()
        server.close()
        server.advance(1)
        self.refuse(server, 3)
        self.lines()
        server.accept()
        self.assertEqual(
            self.lines(),
            [
                "connected to 127.0.0.1:7 after 3 failed attempts and 1 lost "
                "connection in 4 s"
            ],
        )

    def test_flappingForever(self) -> None:
        """
        One that drops connections for an hour needs three lines a minute at most, also
        if each connection lasts for some time.
        """
        for lasts in (0, 3, 12, 59):
            server = self.server(retryPolicy=constant(1))
            while server.clock.seconds() < 3600:
                server.accept()
                server.advance(lasts)
                server.close()
                server.advance(1)
            lines = self.lines()
            self.assertLessEqual(len(lines), 3 * 60, lasts)
            self.assertGreater(len(lines), 50, lasts)

    def test_flappingInWords(self) -> None:
        """
        One that drops each connection for another reason does not fill the log either.
        """

        def raising(client: Any, record: bytes) -> None:
            raise ValueError(record.decode())

        server = self.server(retryPolicy=constant(0.5), serverInput=raising)
        while server.clock.seconds() < 600:
            server.accept()
            server.send(f"{random.choices('abcdefgh', k=9)}\r\n".encode())
            server.advance(0.5)
        self.flushLoggedErrors(ValueError)
        kinds = [event["kind"] for event in self.taken() if event["kind"] != "raised"]
        ends = len(kinds) - kinds.count("connected")
        self.assertLessEqual(ends, 11 * 9)
        # One a minute, and one after each end that was logged.
        self.assertLessEqual(kinds.count("connected"), 11 + ends)

    def test_noTimer(self) -> None:
        """
        A client whose connections are logged has no timer for that, and none is left
        over by one whose connection is not.
        """
        server = self.server(retryPolicy=constant(1))
        server.accept()
        idle = len(server.clock.getDelayedCalls())
        for timers in (0, 1, 1):
            server.close()
            server.advance(1)
            server.accept()
            self.assertEqual(len(server.clock.getDelayedCalls()), idle + timers)
        server.client.shutdown()
        server.advance(0)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_output(self) -> None:
        """
        Bytes that were lost again and again are added up, and none is left out.
        """
        server = self.server(retryPolicy=constant(1))
        server.reading = False
        for _ in range(5):
            server.accept()
            server.client.put(b"12345678")
            server.reset()
            server.advance(1)
        server.client.shutdown()
        server.advance(0)
        unsent = [event["unsent"] for event in self.taken() if "unsent" in event]
        self.assertEqual(unsent, [10, 40])

    def test_clients(self) -> None:
        """
        Each client is limited by itself, and begins again when it is started again.
        """
        for _ in range(2):
            server = self.server()
            self.refuse(server, 2)
            self.assertEqual(len(self.lines()), 1)
        server.client.shutdown()
        self.lines()
        server.client.start()
        server.advance(0)
        server.refuse()
        self.assertEqual(len(self.lines()), 1)


class ReplacementTests(LogTestCase):
    """
    Connections that the client replaces are not lost.
    """

    def test_causes(self) -> None:
        """
        The line about the end says why another connection replaces this one, at the
        level of information; the client has not lost anything.
        """
        for cause, settings in (("drain requested", {}), ("maxAge", {"maxAge": 100})):
            server = self.server(**settings)
            server.accept()
            server.advance(99)
            server.advance(1)
            if cause == "drain requested":
                server.client.reconnect(drain=True)
                server.advance(0)
            server.accept()
            server.client.abort()
            server.advance(0)
            events = self.taken()
            event = next(each for each in events if "cause" in each)
            self.assertEqual(event["kind"], "connectionReplaced")
            self.assertEqual(event["log_level"], LogLevel.info)
            self.assertEqual(
                formatEvent(event),
                f"{NAME}: closed the connection after 100 s, to replace it ({cause}); "
                "next attempt now",
            )
            again = [each for each in events if each["kind"] == "connected"][-1]
            self.assertEqual((again["replacements"], again["losses"]), (1, 0))
            self.assertNotIn("lost", "".join(map(str, map(formatEvent, events))))

    def test_eachCause(self) -> None:
        """
        A replacement for another reason is not a repetition.
        """
        server = self.server(maxAge=10)
        server.accept()
        server.advance(10)
        server.accept()
        server.client.reconnect(drain=True)
        server.advance(0)
        causes = [event["cause"] for event in self.taken() if "cause" in event]
        self.assertEqual(causes, ["maxAge", "drain requested"])

    def test_many(self) -> None:
        """
        Replacements that were left out are counted as such.
        """
        server = self.server(maxAge=0.3)
        for _ in range(7):
            server.accept()
            server.advance(0.3)
        server.client.shutdown()
        self.assertEqual(
            self.lines(),
            [
                "connected to 127.0.0.1:7",
                "closed the connection after 0.3 s, to replace it (maxAge); next "
                "attempt now",
                "connected to 127.0.0.1:7",
                " stops: on request after 6 replaced connections in 1.5 s",
            ],
        )

    def test_lost(self) -> None:
        """
        A drain that ends in a loss is a loss.
        """
        for reads, ends, act, argument in (
            (False, True, MemoryServer.reset, ()),
            # A DrainTimeout, and a LingerTimeout.
            (False, True, MemoryServer.advance, (60,)),
            (True, False, MemoryServer.advance, (30,)),
        ):
            server = self.server()
            server.accept()
            server.reading, server.closing = reads, ends
            server.client.put(b"x")
            server.client.reconnect(drain=True)
            server.advance(0)
            act(server, *argument)
            server.advance(1)
            kinds = [event["kind"] for event in self.taken()]
            self.assertIn("connectionLost", kinds)
            self.assertNotIn("connectionReplaced", kinds)

    def test_notReplaced(self) -> None:
        """
        A drain that a request to stop, or an immediate reconnect(), ends is not a
        replacement.
        """
        for act in (
            ClientTCPFactory.shutdown,
            ClientTCPFactory.stopTrying,
            ClientTCPFactory.abort,
            ClientTCPFactory.reconnect,
        ):
            server = self.server()
            server.accept()
            server.client.reconnect(drain=True)
            act(server.client)
            server.advance(0)
            kinds = [event["kind"] for event in self.taken()]
            self.assertIn("connectionClosed", kinds, act)
            self.assertNotIn("connectionReplaced", kinds, act)


class CountTests(LogTestCase):
    """
    What the counts claim is what has happened.
    """

    def play(self, chance: random.Random) -> None:
        """
        Play a random sequence of events, and check all counts.
        """
        ends = {
            "failures": "attemptFailed",
            "losses": "connectionLost",
            "replacements": "connectionReplaced",
            "closures": "connectionClosed",
        }
        happened = dict.fromkeys(ends, 0)
        drained: list[bool] = []

        def failed(client: Any, failure: Any) -> None:
            happened["failures"] += 1

        def disconnected(client: Any, disconnection: Any) -> None:
            local = disconnection.initiator == "local"
            if not local or isinstance(disconnection.failure.value, ClientTCPError):
                happened["losses"] += 1
            else:
                happened["replacements" if drained else "closures"] += 1
            drained.clear()

        server = self.server(
            retryPolicy=constant(chance.choice((0, 0.5, 7, 50))),
            stableAfter=chance.choice((0, 10, 300)),
            connectError=failed,
            disconnected=disconnected,
        )
        client = server.client
        for _ in range(chance.randrange(1, 120)):
            if server.attempting:
                if chance.random() < 0.7:
                    server.accept()
                else:
                    errors = (
                        None,
                        NoRouteError(),
                        OSError(chance.choice("abcdefghijk")),
                    )
                    server.refuse(chance.choice(errors))
            elif client.connected:
                act = chance.choice(("close", "reset", "drain", "reconnect", "last"))
                if act == "drain":
                    drained.append(True)
                    # Without an answer, it is a LingerTimeout.
                    server.closing = chance.random() < 0.7
                    client.reconnect(drain=True)
                elif act == "reconnect":
                    client.reconnect()
                elif act != "last":
                    getattr(server, act)()
            server.advance(chance.choice((0, 0, 0.5, 7, 15, 70)))
        drained.clear()
        client.abort()
        server.advance(0)
        events = self.taken()
        counted = dict.fromkeys(ends, 0)
        since, mixed, total = dict.fromkeys(ends, 0), 0, 0
        for event in events:
            if "history" in event:
                for name in ends:
                    # Lines about single events count a part of these.
                    self.assertLessEqual(since[name], event[name])
                    total += event[name]
                    counted[name] += event[name]
                    if event[name] and event["history"]:
                        self.assertIn(f" {event[name]} ", event["history"])
                self.assertLessEqual(sum(since.values()) + mixed, total)
                since, mixed, total = dict.fromkeys(ends, 0), 0, 0
            for name, kind in ends.items():
                if event["kind"] == kind:
                    isMixed = "other event" in event["again"]
                    since[name] += 1 if isMixed else event["count"]
                    mixed += event["count"] - 1 if isMixed else 0
        self.assertEqual(counted, happened)

    def test_random(self) -> None:
        """
        Each failure and each end of a connection is in the count of exactly one line
        about the state; and the lines about single events claim no more than those.
        """
        for seed in range(150):
            with self.subTest(seed=seed):
                self.play(random.Random(seed))


class FailoverTests(ClientTestCase):
    """
    Tests for the failures of several destinations.
    """

    def test_eachDestination(self) -> None:
        """
        A failure at another destination is not a repetition.
        """
        with capturedLogs() as events:
            client = self.client(remoteAddress=None, remotePort=None, endpoint=ABC)
            client.start().addErrback(lambda failure: None)
            for _ in range(6):
                self.refuse()
                self.reactor.advance(client.delay)
        failed = [
            each["destination"] for each in events if each["kind"] == "attemptFailed"
        ]
        self.assertEqual(len(failed), 3)
        self.assertEqual(len(set(failed)), 3)


class HiddenTests(ClientTestCase):
    """
    Tests for what no event may contain.
    """

    def test_credentials(self) -> None:
        """
        User and password of a proxy are in no field of any event.
        """
        with capturedLogs() as events:
            client = self.client(
                proxy="socks5://somebody:secret@192.0.2.9",
                connectError=None,
                serverError=None,
                stopped=None,
                maxRetries=1,
                alias="proxied",
                sessionParams={"trace": True},
            )
            client.start().addErrback(lambda failure: None)
            client.call("reconnect")
            self.refuse()
            self.reactor.advance(2)
            self.refuse()
        self.assertGreater(len(events), 2)
        out = StringIO()
        write = jsonFileLogObserver(out, recordSeparator="")
        for event in events:
            write(event)
            for shown in (formatEvent(event), *map(str, event.values())):
                self.assertNotIn("secret", str(shown))
                self.assertNotIn("somebody", str(shown))
        self.assertNotIn("secret", out.getvalue())
        for line in out.getvalue().splitlines():
            fields = json.loads(line)
            self.assertIn("through socks5://", fields["destination"])
