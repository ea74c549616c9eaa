"""
The client of a scenario: performs the actions of C{client} in a golden file with our
client, and records the calls of callbacks.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IOpenSSLClientConnectionCreator,
)
from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    globalLogPublisher,
)
from twisted.python.failure import Failure
from zope.interface import implementer

import twisted_clienttcp
from twisted_clienttcp import ClientTCPFactory, errorDetails, framing

from ..filter_cases.filters import CODE, FILTERS, translated
from .rules import NAMES, PARAMETERS, Entry, ordered

#: POE's texts for two error numbers, in place of ours.
TEXTS = {0: "", errno.ETIMEDOUT: os.strerror(errno.ETIMEDOUT)}

#: The session types.
SESSIONS = {
    "POE::Session": "Session",
    "POE::MultiDispatchSession": "MultiDispatchSession",
}

#: Our names for keys of POE's heap.
HEAP = {
    "shutdown_on_error": "shutdownOnError",
    "connected": "connected",
    "shutdown": "shuttingDown",
}


@implementer(IOpenSSLClientConnectionCreator)
class Unverified:
    """
    TLS as in POE, which does not verify the certificate.
    """

    def clientConnectionForTLS(self, tlsProtocol: object) -> Any:
        from OpenSSL.SSL import Connection
        from twisted.internet.ssl import CertificateOptions

        connection = Connection(CertificateOptions(verify=False).getContext(), None)
        connection.set_connect_state()
        return connection


class Unknown(Exception):
    """
    The scenario contains an unknown word.
    """


def _framingOf(client: Any) -> Any:
    """
    @return: the framing of the input, which has no public name.
    """
    return client.server.inputFraming


def _octets(record: Any) -> Any:
    """
    @return: a record of the scenario, as a record of our framings.
    """
    if isinstance(record, list):
        return [_octets(each) for each in record]
    return str(record).encode("latin-1")


def _text(record: Any) -> Any:
    """
    @return: a record of our framings, in the form of the trace.
    """
    if isinstance(record, (list, tuple)):
        return [_text(each) for each in record]
    text = record.decode("latin-1") if isinstance(record, bytes) else str(record)
    return text if len(text) <= 200 else f"{text[:20]}...({len(text)})"


@implementer(ILogObserver)
class Client:
    """
    One run of a scenario.

    @ivar trace: the trace, in the form of L{tests.conformance.rules}.
    """

    def __init__(self, spec: dict[str, Any], ports: dict[str, int], reactor: Any):
        self._spec = spec
        self._ports = ports
        self._names = {port: f"@{name}" for name, port in ports.items()}
        self._reactor = reactor
        self._over: Deferred[None] = Deferred()
        self._counts: Counter[str] = Counter()
        #: The number of entries of C{timeline} and C{outer} that are not done yet.
        self._steps: Counter[str] = Counter()
        self._sums: dict[str, Counter[str]] = {}
        self._delays: dict[str, IDelayedCall] = {}
        self._timers: set[IDelayedCall] = set()
        self._settling: IDelayedCall | None = None
        self._lines: list[str] = []
        self._given: Any = None
        self._clients: list[ClientTCPFactory] = []
        self._begun: list[ClientTCPFactory] = []
        self._running = 0
        self._began = reactor.seconds()
        self._ended = False
        self.trace: list[Entry] = []

    # -- values of the scenario

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            ((kind, content),) = value.items()
            if kind == "hex":
                return bytes.fromhex(content)
            if kind == "code":
                return CODE[content]
            if kind == "sub":
                return lambda *args: None
            if kind == "list":
                return [self._value(each) for each in content]
            if kind == "hash":
                return {name: self._value(each) for name, each in content.items()}
            if kind == "port":
                return self._ports[content]
            if kind == "domain":
                domains = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
                return domains.get(content, content)
            return self._filter(kind, content)
        if isinstance(value, list):
            return [self._value(each) for each in value]
        if isinstance(value, str) and value[:1] == "@" and value[1:] in self._ports:
            return self._ports[value[1:]]
        return value

    def _alias(self, name: str) -> str:
        """
        @return: a unique alias: other scenarios that use the same one may be running.
        """
        return f"{name} of {id(self)}"

    def _filter(self, kind: str, content: Any) -> Any:
        """
        @return: the framing for a filter: a class, an array of a class and its
            parameters, or an object.
        """
        name, *arguments = [content] if kind == "class" else content
        known = name.removeprefix("POE::Filter::")
        if known not in FILTERS:
            return name
        ours, given = translated(known, self._value(arguments))
        cls = getattr(framing, ours)
        if kind == "class":
            return cls
        if kind == "array":
            return cls, given
        self._given = cls(**given)
        return self._given

    def _parameter(self, name: str, value: Any) -> tuple[str, Any]:
        """
        @return: a parameter of POE, as one of ours.
        """
        ours = "framing" if name == "Filter" else name[:1].lower() + name[1:]
        value = self._value(value)
        if name == "Alias" and isinstance(value, str):
            value = self._alias(value)
        elif name == "SessionType":
            value = getattr(twisted_clienttcp, SESSIONS.get(value, value))
        elif name == "SessionParams":
            # POE's pairs are a dict here; a hash is wrong in POE, as pairs are here.
            if isinstance(value, dict):
                value = list(value)
            elif isinstance(value, list):
                value = dict(zip(value[::2], value[1::2], strict=False))
                value.update(value.pop("options", {}))
        return ours, value

    # -- the trace

    def _log(self, what: str, client: Any = None, /, **details: Any) -> None:
        if what in self._spec.get("summarise", {}) and what in NAMES:
            sums = self._sums.setdefault(NAMES[what], Counter())
            sums["count"] += 1
            if "record" in details:
                sums["octets"] += len(details["record"])
            return
        passed = round(self._reactor.seconds() - self._began, 2)
        entry = {"t": passed, "ev": NAMES.get(what, what), **details}
        if client is None and self._clients:
            client = self._clients[-1]
        if client is not None:
            entry["connected"] = client.connected
            entry["shuttingDown"] = client.shuttingDown
            entry["server"] = client.server is not None
            entry["pending"] = client.pendingBytes
        self.trace.append({k: self._named(v) for k, v in entry.items()})

    def _named(self, value: Any) -> Any:
        """
        @return: a value with the names of ports in place of their numbers.
        """
        if isinstance(value, list):
            return [self._named(each) for each in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return self._names.get(value, value)
        return value

    def __call__(self, event: LogEvent) -> None:
        """
        Record the failures that the client logs as warnings, as POE's default handlers
        print them (C{ILogObserver}).
        """
        isFailure = "operation" in event and event["log_level"] is LogLevel.warn
        if isFailure and event.get("log_source") in self._clients:
            text = event["text"] if event["errno"] else "Normal disconnection"
            self._lines.append(
                f"got {event['operation']} error {event['errno']} ({text})"
            )

    # -- the callbacks

    def _details(self, name: str, args: tuple[Any, ...]) -> Entry:
        if name == "Started":
            return {"args": list(args)}
        if name == "PreConnect":
            return _address(args[0].transport.getPeer())
        if name == "Connected":
            return _address(args[0])
        if name in ("ConnectError", "ServerError"):
            operation, number, text = errorDetails(args[0])
            error = TEXTS.get(number, text)
            return {"op": operation, "errno": number, "error": error}
        if name == "ServerInput":
            if name in self._spec.get("summarise", {}):
                return {"record": args[0]}
            return {"record": _text(args[0])}
        return {}

    def _callback(self, name: str) -> Callable[..., Any]:
        def callback(client: Any, *args: Any) -> Any:
            self._counts[name] += 1
            self._log(name, client, **self._details(name, args))
            does = self._spec.get("on", {}).get(name, [])
            if isinstance(does, dict):
                does = does.get(str(self._counts[name]), does.get("*", []))
            answer = self._act(does, client, args)
            return answer if name == "PreConnect" else None

        return callback

    def _state(self, kind: str, name: str, does: Any) -> Callable[..., Any]:
        def state(client: Any, *args: Any) -> Any:
            self._log("state", client, kind=kind, name=name, args=list(args))
            return self._act(does, client, args)

        return state

    def _started(self, client: Any, *args: Any) -> None:
        self._running += 1
        if client not in self._begun:
            self._begun.append(client)
            for entry in self._spec.get("timeline", []):
                self._at("timeline", entry, client)
        if "Started" not in self._spec.get("omit", []):
            self._callback("Started")(client, *args)

    def _stopped(self, client: Any, failure: Failure | None) -> None:
        if not self._spec.get("keep_stop"):
            self._log("session_stop", client)
        self._running -= 1
        self._maybeOver()

    # -- the actions

    def _act(self, does: Any, client: Any, args: tuple[Any, ...]) -> Any:
        answer = None
        for name, *arguments in does or []:
            if name == "return_undef":
                return None
            try:
                action = getattr(self, f"do_{name}", None)
                if action is None:
                    raise Unknown(f"there is no action {name!r}")
                done = action(client, *arguments, callback=args)
            except Unknown as e:
                self._end(Failure(e))
                raise
            if name.startswith("return_"):
                answer = done
        return answer

    def do_put(self, client: Any, *records: Any, callback: Any) -> None:
        try:
            answers = [client.put(_octets(each)) for each in records]
        except twisted_clienttcp.errors.NotConnectedError:
            self._log("put_failed", client)
        else:
            self._log("put", client, records=len(records), ret=int(any(answers)))

    def do_put_n(self, client: Any, size: int, callback: Any) -> None:
        answer = client.put(b"x" * size)
        self._log("put", client, size=size, ret=int(bool(answer)))

    def do_put_list(self, client: Any, size: int, count: int, callback: Any) -> None:
        records = [b"x" * size] * count
        if hasattr(client, "putMany"):
            answer = client.putMany(records)
        else:
            # Put each of them, even if the first one returns True.
            answer = True in [bool(client.put(each)) for each in records]
        self._log("put", client, size=size, records=count, ret=int(bool(answer)))

    def do_put_many(self, client: Any, size: int, count: int, callback: Any) -> None:
        answers = [bool(client.put(b"x" * size)) for _ in range(count)]
        first = answers.index(True) + 1 if True in answers else None
        self._log(
            "put_many",
            client,
            size=size,
            times=count,
            first_true=first,
            last_ret=int(answers[-1]),
        )

    def _send(self, client: Any, method: str, *args: Any) -> Any:
        """
        Have an event handled. POE ignores an event without a handler; here it is an
        error, after which the scenario continues.
        """
        try:
            return getattr(client, method)(*self._value(list(args)))
        except twisted_clienttcp.errors.UnknownEvent:
            return None

    def do_yield(self, client: Any, *event: Any, callback: Any) -> None:
        self._send(client, "post", *event)

    def do_call(self, client: Any, *event: Any, callback: Any) -> None:
        self._send(client, "call", *event)

    def do_delay(
        self,
        client: Any,
        event: str,
        seconds: float | None = None,
        *args: Any,
        callback: Any,
    ) -> None:
        self._cancel(self._delays.pop(event, None))
        if seconds is not None:
            call = self._send(client, "postLater", seconds, event, *args)
            if call is not None:
                self._delays[event] = call

    def do_post(
        self, client: Any, alias: str, event: str, *args: Any, callback: Any
    ) -> None:
        number = None
        if alias == "outer":
            number = None if self._steps["outer"] else errno.ESRCH
        else:
            try:
                twisted_clienttcp.post(
                    self._alias(alias), event, *self._value(list(args))
                )
            except twisted_clienttcp.errors.UnknownAlias:
                number = errno.ESRCH
            except twisted_clienttcp.errors.UnknownEvent:
                pass
        self._log(
            "post",
            client,
            to=alias,
            event=event,
            ret=int(number is None),
            errno=number,
        )

    def do_post_id(self, client: Any, event: str, *args: Any, callback: Any) -> None:
        # A session's id is known while the session exists.
        number = None if self._running else errno.ESRCH
        if number is None:
            self._send(self._clients[0], "post", event, *args)
        self._log("post_id", client, event=event, ret=int(number is None), errno=number)

    def do_alias(self, client: Any, name: str, callback: Any) -> None:
        if name == "outer":
            known = self._steps["outer"] > 0
        else:
            try:
                twisted_clienttcp.resolve(self._alias(name))
                known = True
            except twisted_clienttcp.errors.UnknownAlias:
                known = False
        self._log("alias", client, name=name, resolves=int(known))

    def do_set_filter(self, client: Any, spec: Any, callback: Any) -> None:
        self._log("set_filter_begin", client)
        client.setFraming(self._filter("object", spec))
        self._log("set_filter_end", client)

    def do_set_input_filter(self, client: Any, spec: Any, callback: Any) -> None:
        self._log("set_filter_begin", client)
        client.setInputFraming(self._filter("object", spec))
        self._log("set_filter_end", client)

    def do_set_output_filter(self, client: Any, spec: Any, callback: Any) -> None:
        client.setOutputFraming(self._filter("object", spec))

    def do_set_same_filter(self, client: Any, callback: Any) -> None:
        self._log("set_filter_begin", client)
        client.setFraming(_framingOf(client))
        self._log("set_filter_end", client)

    def do_flush(self, client: Any, callback: Any) -> None:
        # Records are sent at the end of this turn, without a call.
        self._log("flush_begin", client)
        self._log("flush_end", client)

    def do_pause_input(self, client: Any, callback: Any) -> None:
        client.pauseProducing()

    def do_resume_input(self, client: Any, callback: Any) -> None:
        client.resumeProducing()

    def do_shutdown_output(self, client: Any, callback: Any) -> None:
        client.loseWriteConnection()
        self._log("shutdown_output", client)

    def do_set_high_mark(self, client: Any, level: int, callback: Any) -> None:
        client.highMark = level
        self._log("set_high_mark", client, level=level)

    def do_set_low_mark(self, client: Any, level: int, callback: Any) -> None:
        client.lowMark = level
        self._log("set_low_mark", client, level=level)

    def do_set_heap(self, client: Any, key: str, value: Any, callback: Any) -> None:
        if key in HEAP:
            setattr(client, HEAP[key], bool(value))
        else:
            setattr(client.heap, key, value)

    def do_show_heap(self, client: Any, key: str, callback: Any) -> None:
        value: Any = getattr(client.heap, key, None)
        if key in HEAP:
            value = int(getattr(client, HEAP[key]))
        self._log("show_heap", client, key=key, value=value)

    def do_delete_server(self, client: Any, callback: Any) -> None:
        client.server.transport.abortConnection()
        self._log("delete_server", client)

    def do_sndbuf(self, client: Any, size: int, callback: Any) -> None:
        handle = client.server.transport.getHandle()
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)

    def do_object_pending(self, client: Any, callback: Any) -> None:
        rest = self._given.takeBack()
        value = rest.decode("latin-1") if rest else None
        self._log("object_pending", client, value=value)

    def do_same_filter(self, client: Any, callback: Any) -> None:
        same = _framingOf(client) is self._given
        self._log("same_filter", client, is_original=int(same))

    def do_note(self, client: Any, text: str, callback: Any) -> None:
        self._log("note", client, text=text)

    def do_snapshot(self, client: Any, callback: Any) -> None:
        self._log("snapshot", client)

    def do_sleep(self, client: Any, seconds: float, callback: Any) -> None:
        # The scenario is about a callback that blocks the whole process.
        time.sleep(seconds)

    def do_die(self, client: Any, text: str, callback: Any) -> None:
        raise RuntimeError(text)

    def do_return_socket(self, client: Any, callback: Any) -> Any:
        return callback[0]

    def do_return_value(self, client: Any, value: Any, callback: Any) -> Any:
        return value

    def do_return_tls(self, client: Any, callback: Any) -> Any:
        answer = callback[0].startTLS(Unverified())
        self._log("tls_started", client)
        return True if answer is None else answer

    def do_tls_cipher(self, client: Any, callback: Any) -> None:
        handle = client.server.transport.getHandle()
        known = handle.get_cipher_name() is not None
        self._log("tls_cipher", client, known=int(known))

    # -- the run

    def run(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when the scenario has ended.
        """
        if "ctor" in self._spec:
            for check in self._spec["ctor"]:
                self._construct(check["args"])
            self._over.callback(None)
        else:
            self._start()
        return self._over

    def _construct(self, arguments: Any) -> None:
        """
        Try a constructor with the arguments for that of POE.
        """
        # Python has no keyword argument without a value.
        accepted = len(arguments) % 2 == 0
        given = dict(zip(arguments[::2], arguments[1::2], strict=False))
        if accepted:
            try:
                ClientTCPFactory(**self._parameters(given))
            except (TypeError, ValueError):
                accepted = False
        self.trace.append({"ev": "ctor", "args": arguments, "accepted": accepted})

    def _parameters(self, given: dict[str, Any]) -> dict[str, Any]:
        return dict(self._parameter(name, value) for name, value in given.items())

    def _start(self) -> None:
        globalLogPublisher.addObserver(self)
        deadline = self._spec.get("deadline") or 4
        self._deadline = self._reactor.callLater(deadline, self._late)
        self._timers.add(self._deadline)
        self._build()
        if self._spec.get("second_client"):
            self._build()
        for entry in self._spec.get("outer", []):
            if entry["at"] is None:
                self._log("outer")
                self._act(entry["do"], None, ())
            else:
                self._at("outer", entry, None)
        self._maybeOver()

    def _build(self) -> None:
        """
        Build a client and start it.
        """
        spec = self._spec
        parameters = {
            **PARAMETERS,
            **self._parameters(spec.get("params", {})),
            **spec.get("ours", {}),
        }
        fraction = spec.get("start_at_fraction")
        if fraction is not None and "connectTimeout" in parameters:
            rest = parameters["connectTimeout"] - fraction
            parameters["connectTimeout"] = max(rest, 0.01)
        left = {"Started", "session_stop", *spec.get("omit", [])}
        if "PreConnect" not in spec.get("on", {}):
            left.add("PreConnect")
        if spec.get("params", {}).get("HighMark") is None:
            left |= {"ServerHigh", "ServerLow"}
        for name in NAMES.keys() - left:
            ours = NAMES[name]
            parameters[ours] = self._callback(name)
        parameters["started"] = self._started
        parameters["stopped"] = self._stopped
        parameters.update(self._states())
        try:
            client = ClientTCPFactory(reactor=self._reactor, **parameters)
            self._clients.append(client)
            client.start().addErrback(lambda failure: None)
        except (TypeError, ValueError) as e:
            self.trace.append({"ev": "refused", "error": type(e).__name__})

    def _states(self) -> dict[str, Any]:
        """
        @return: the parameters for the scenario's own states.
        """
        spec = self._spec
        does = spec.get("methods", {})
        states: dict[str, Any] = {}
        inline = {
            name: self._state("inline", name, actions)
            for name, actions in spec.get("inline", {}).items()
        }
        if inline:
            states["inlineStates"] = inline
        for kind in ("object", "package"):
            table = spec.get(f"{kind}_states")
            if not table:
                continue
            methods = {
                name: staticmethod(self._state(kind, name, does.get(name)))
                for name in (table.values() if isinstance(table, dict) else table)
            }
            cls = type("Handlers", (), methods)
            holder = cls() if kind == "object" else cls
            states[f"{kind}States"] = [(holder, table)]
        return states

    def _at(self, kind: str, entry: dict[str, Any], client: Any) -> None:
        """
        Perform the actions of an entry of C{timeline} or C{outer} at its time.
        """

        def act() -> None:
            self._timers.discard(call)
            self._log(kind, client, at=entry["at"])
            try:
                self._act(entry["do"], client, ())
            except Exception as e:
                self._log("raised", client, error=type(e).__name__)
            self._steps[kind] -= 1
            self._maybeOver()

        self._steps[kind] += 1
        call = self._reactor.callLater(entry["at"], act)
        self._timers.add(call)

    def _isOver(self) -> bool:
        return not (
            self._running
            or self._timers - {self._deadline}
            or any(call.active() for call in self._delays.values())
        )

    def _maybeOver(self, turns: int = 2) -> None:
        """
        End the run if nothing is going on any more, after some turns in which the
        events of the last callback are handled.
        """
        if self._isOver() and not self._ended:
            if turns:
                self._cancel(self._settling)
                self._settling = self._reactor.callLater(0, self._maybeOver, turns - 1)
            else:
                self._end(None)

    def _cancel(self, call: IDelayedCall | None) -> None:
        if call is not None and call.active():
            call.cancel()

    def _late(self) -> None:
        self._log("deadline")
        self._end(None)

    def _end(self, result: Any) -> None:
        """
        Stop everything that is still going on.
        """
        if self._ended:
            return
        self._ended = True
        if self._sums:
            sums = {name: dict(sums) for name, sums in self._sums.items()}
            self.trace.append({"ev": "summary", **sums})
        trace = ordered(self.trace, self._lines)
        # Callbacks of this clean-up do not belong to the scenario.
        self._spec = {}
        globalLogPublisher.removeObserver(self)
        for call in [*self._timers, *self._delays.values(), self._settling]:
            self._cancel(call)
        for client in self._clients:
            client.stopTrying()
            client.shutdown()
            server = client.server
            if server is not None:
                server.abort()
        self.trace = trace
        self._over.callback(result)


def _address(peer: IAddress) -> Entry:
    address: Any = peer
    return {"addr": address.host, "port": address.port}
