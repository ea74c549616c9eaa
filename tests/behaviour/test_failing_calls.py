"""
A call that raises an exception changes nothing: a table of calls that cannot succeed,
in every phase of a client.
"""

from __future__ import annotations

import contextlib
import inspect
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone

from twisted_clienttcp import ClientTCPFactory, resolve
from twisted_clienttcp.errors import UnknownAlias
from twisted_clienttcp.framing import JSONLines, Line

from .._memory import ClientTestCase, Producer, Transport


class Connector:
    """
    A connector that makes no attempts.
    """

    def connect(self) -> None:
        pass

    def stopConnecting(self) -> None:
        pass


#: The parameters of a client that are settings.
SETTINGS = [
    name
    for name in inspect.signature(ClientTCPFactory).parameters
    if hasattr(ClientTCPFactory, name)
]

Call = Callable[[Any], object]


def records() -> Any:
    """
    @return: an iterator over a record and one that cannot be encoded.
    """
    return iter([b"good", b"bad\r\n"])


def assigning(name: str, value: object) -> Call:
    """
    @return: a call that assigns a setting.
    """
    return lambda client: setattr(client, name, value)


#: Calls that raise an exception in at least one phase, by what they show.
CALLS: dict[str, Call] = {
    "start": lambda client: client.start(),
    "connect": lambda client: client.connect(),
    "connect, to an address": lambda client: client.connect("127.0.0.9", 9),
    "connect, to another port": lambda client: client.connect(port=9),
    "connect, to a port out of range": lambda client: client.connect("127.0.0.9", 0),
    "connect, to no address": lambda client: client.connect(5),
    "reconnect": lambda client: client.reconnect(),
    "reconnect, with a wrong delay": lambda client: client.reconnect(-1),
    "retry": lambda client: client.retry(),
    "retry, with a connector": lambda client: client.retry(Connector()),
    "stop, without a failure": lambda client: client.stop(ValueError()),
    "put, of a wrong type": lambda client: client.put(5),
    "put, of what cannot be encoded": lambda client: client.put(b"two\r\nlines"),
    "put, beyond the limit": lambda client: client.put(b"x" * 2000),
    "putMany, of one record": lambda client: client.putMany(b"one"),
    "putMany, with a bad record": lambda client: client.putMany(records()),
    "write, of text": lambda client: client.write("text"),
    "registerProducer": lambda client: client.registerProducer(Producer(), True),
    "setMarks, of one": lambda client: client.setMarks(5, None),
    "setMarks, in the wrong order": lambda client: client.setMarks(5, 6),
    "setFraming, of nothing": lambda client: client.setFraming(object()),
    "setInputFraming, of nothing": lambda client: client.setInputFraming(object()),
    "setOutputFraming, of nothing": lambda client: client.setOutputFraming(object()),
    "setFraming": lambda client: client.setFraming(Line(maxLength=9)),
    "post": lambda client: client.post("unknown"),
    "call": lambda client: client.call("unknown"),
    "postLater": lambda client: client.postLater(1, "unknown"),
    "postLater, in the past": lambda client: client.postLater(-1, "shutdown"),
    "whenConnected": lambda client: client.whenConnected(0),
    "remoteAddress": assigning("remoteAddress", 5),
    "remoteAddress, of a ClientService": assigning("remoteAddress", "127.0.0.9"),
    "remotePort": assigning("remotePort", -1),
    "endpoint": assigning("endpoint", ["tcp:nowhere"]),
    "tls": assigning("tls", "yes"),
    "domain": assigning("domain", socket.AF_INET6),
    "proxy": assigning("proxy", "gopher://127.0.0.1"),
    "framing": assigning("framing", object()),
    "framing, unfit for the heartbeat": assigning("framing", JSONLines()),
    "heartbeat": assigning("heartbeat", (1, "text")),
    "highMark": assigning("highMark", 1),
    "outputLimit": assigning("outputLimit", -1),
    "clock": assigning("clock", object()),
    "reactor": assigning("reactor", None),
    "alias": assigning("alias", "other"),
    "args": assigning("args", 5),
    "misspelt": assigning("remoteAdress", "127.0.0.9"),
}


class FailingCallTests(ClientTestCase):
    """
    Each call in each phase, with an alias that is free and with one that another client
    has.
    """

    #: The phases, each with whether there is a transport.
    PHASES = {
        "idle": False,
        "connecting": False,
        "negotiating": True,
        "connected": True,
        "draining": True,
        "waiting": False,
        "stopped": False,
        "hosted": True,
    }

    def reach(self, name: str, **parameters: Any) -> tuple[Any, Transport | None]:
        """
        @return: a client in that phase, and its transport.
        """
        if name == "negotiating":
            parameters["preConnect"] = lambda client, negotiation: (
                negotiation.nextRecord()
            )
        client = self.client(
            highMark=100,
            lowMark=10,
            outputLimit=1000,
            heartbeat=(50, b"PING"),
            **parameters,
        )
        if name == "hosted":
            transport = Transport()
            transport.protocol = client.buildProtocol(None)
            transport.protocol.makeConnection(transport)
            return client, transport
        if name == "idle":
            return client, None
        client.start().addErrback(lambda failure: None)
        self.attempts()
        if name == "connecting":
            return client, None
        if name == "waiting":
            self.refuse()
            return client, None
        transport = self.establish()
        if name in ("draining", "stopped"):
            client.put(b"rest")
            client.shutdown()
        if name == "stopped":
            transport.lose(ConnectionDone())
        return client, transport

    def state(self, client: Any, transport: Transport | None) -> dict[str, object]:
        """
        @return: everything that can be seen of a client.
        """
        server = client.server
        try:
            owner: object = resolve(self.alias)
        except UnknownAlias:
            owner = None
        return {
            **{name: getattr(client, name) for name in SETTINGS},
            "stats": repr(client.stats),
            "repr": repr(client),
            "delay": client.delay,
            "retries": client.retries,
            "continueTrying": client.continueTrying,
            "connector": client.connector,
            "marks": client.marks,
            "flags": (client.connected, client.shuttingDown),
            "framings": server and (server.inputFraming, server.outputFraming),
            "alias": owner,
            "attempts": len(self.reactor.tcpClients),
            "timers": [(id(call), call.getTime()) for call in self.reactor.calls],
            "sent": transport and transport.value(),
            "reading": transport and transport.producerState,
            "callbacks": list(self.events),
            "attributes": sorted(vars(client)),
        }

    def calls(self, taken: bool) -> set[str]:
        """
        Make each call in each phase that can be reached, and compare the state.

        @param taken: another client has the alias.

        @return: the names of the calls that have raised an exception.
        """
        raising = set()
        for name in self.PHASES:
            if taken and name not in ("idle", "stopped"):
                continue
            for about, call in CALLS.items():
                self.setUp()
                # A client that a ClientService drives keeps its alias.
                self.alias = f"{about} {name}"
                client, transport = self.reach(name, alias=self.alias)
                producer = Producer()
                if name == "connected":
                    client.registerProducer(producer, True)
                other = self.client(alias=self.alias)
                if taken:
                    other.start().addErrback(lambda failure: None)
                before = self.state(client, transport)
                try:
                    call(client)
                except Exception:
                    raising.add(about)
                    after = self.state(client, transport)
                    different = {
                        key: (value, after[key])
                        for key, value in before.items()
                        if value != after[key]
                    }
                    self.assertEqual(different, {}, f"{about} while {name}")
                    self.assertEqual(producer.calls, [])
                for each in (client, other):
                    with contextlib.suppress(Exception):
                        each.abort()
                if transport is not None and name != "stopped":
                    transport.lose()
        return raising

    def test_phases(self) -> None:
        """
        In each phase.
        """
        raising = self.calls(taken=False)
        self.assertEqual(CALLS.keys(), raising)

    def test_alias(self) -> None:
        """
        When the alias is in use.
        """
        raising = self.calls(taken=True)
        self.assertLessEqual(
            {"start", "connect", "connect, to an address", "reconnect", "retry"},
            raising,
        )
