"""
Runs a scenario and compares the traces.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from .._processes import spawn
from .._support import freePort
from . import rules
from .client import Client

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
EXPECTED = HERE / "expected"

#: The seconds that a peer may take, after the client, to read everything.
PATIENCE = 3.0


@attrs.frozen
class Outcome:
    """
    The outcome of a scenario.

    @ivar verdict: C{"same"}: as recorded. C{"corrected"}: POE is wrong, and our trace
        is right. C{"different"}: neither. C{"unjudged"}: POE is wrong, and the right
        trace is not known; ours follows the general rules. C{"not applicable"}: not
        run.
    @ivar why: the first difference, or the reason.
    @ivar trace: our trace.
    """

    name: str
    verdict: str
    why: str = ""
    trace: list[rules.Entry] = attrs.field(factory=list, repr=False)

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}" + (f": {self.why}" if self.why else "")


class Peer(ProcessProtocol):
    """
    The process of a scenario's peer.

    @ivar log: the entries that it has written.
    """

    def __init__(self) -> None:
        self.log: list[rules.Entry] = []
        self._rest = b""
        self._until: list[tuple[Callable[[], bool], Deferred[None]]] = []
        self._ended: Deferred[None] = Deferred()
        self.transport: Any = None

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.log += map(json.loads, lines)
        self._look()

    def _look(self) -> None:
        for condition, waiter in self._until[:]:
            if condition():
                self._until.remove((condition, waiter))
                waiter.callback(None)

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """
        @return: a Deferred that fires when the condition holds.
        """
        waiter: Deferred[None] = Deferred()
        self._until.append((condition, waiter))
        self._look()
        return waiter

    def processEnded(self, reason: Failure) -> None:
        self._ended.callback(None)

    def stop(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when the process has ended.
        """
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass
        return self._ended


def load(path: Path) -> dict[str, Any]:
    """
    @return: the content of a JSON file.
    """
    with path.open() as file:
        content: dict[str, Any] = json.load(file)
    return content


def expectation(name: str, folder: Path = GOLDEN) -> dict[str, Any] | None:
    """
    @param folder: the folder of the scenario; it may have its own C{expected}.

    @return: the expected trace of a scenario in which the recorded one is wrong.
    """
    for place in (folder / "expected", EXPECTED):
        path = place / f"{name}.json"
        if path.exists():
            return load(path)
    return None


async def run(
    reactor: Any, golden: dict[str, Any], expected: dict[str, Any] | None
) -> Outcome:
    """
    Run a scenario and compare the traces.

    @param expected: the expected trace, if the recorded one is wrong.
    """
    name = golden["name"]
    if name in rules.NOT_APPLICABLE:
        return Outcome(name, "not applicable", rules.NOT_APPLICABLE[name])
    with TemporaryDirectory() as folder:
        peer = Peer() if golden["peer"] else None
        ports = {"main": 9}
        if peer is not None:
            ports = await _startPeer(reactor, peer, golden["peer"], Path(folder))
        if "spare" in json.dumps(golden["client"]):
            ports["spare"] = freePort()
        try:
            spec = {**golden["client"], **(expected or {}).get("client", {})}
            client = Client(spec, ports if peer else {}, reactor)
            await client.run()
            judge = Judge(golden, expected, client.trace, ports, peer)
            if peer is not None:
                waiter = peer.until(judge.peerIsDone)
                waiter.addTimeout(PATIENCE, reactor, lambda result, timeout: None)
                await waiter
            return judge.outcome()
        except Exception as e:
            failed = f"the runner failed: {type(e).__name__}: {e}"
            return Outcome(name, "different", failed)
        finally:
            if peer is not None:
                await peer.stop()


async def _startPeer(
    reactor: Any, peer: Peer, script: dict[str, Any], folder: Path
) -> dict[str, int]:
    (folder / "script.json").write_text(json.dumps(script))
    arguments = [sys.executable, HERE / "peer.py", folder / "script.json"]
    if any(each.get("tls") for each in script["listeners"].values()):
        arguments += _certificate(folder)
    spawn(peer, *arguments, reactor=reactor)
    await peer.until(lambda: bool(peer.log))
    ports: dict[str, int] = peer.log[0]["ports"]
    return ports


def _certificate(folder: Path) -> list[Path]:
    """
    @return: files with a certificate and its key.
    """
    import trustme

    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return [folder / "cert.pem", folder / "key.pem"]


class Judge:
    """
    Compares our trace with the right one.
    """

    def __init__(
        self,
        golden: dict[str, Any],
        expected: dict[str, Any] | None,
        trace: list[rules.Entry],
        ports: dict[str, int],
        peer: Peer | None,
    ) -> None:
        self._golden = golden
        self._expected = expected or {}
        self._trace = trace
        self._names = {port: f"@{name}" for name, port in ports.items()}
        self._peer = peer
        dependent = any(
            each.startswith("peer_trace:") for each in golden["platform_dependent"]
        )
        #: The right traces, each with the bytes that the peer receives; None if these
        #: depend on the platform.
        self._right: list[tuple[list[rules.Entry], list[list[Any]] | None]] = [
            (
                rules.recorded(golden, each),
                None if dependent else rules.heard(each["peer_trace"] or [], golden),
            )
            for each in [golden, *golden.get("other_runs", [])]
        ]
        if expected is not None:
            trace, hears = self._right[0]
            self._right = [(expected.get("trace", trace), expected.get("peer", hears))]

    def _heard(self) -> list[list[Any]]:
        if self._peer is None:
            return []
        log = [
            {**entry, "port": self._names.get(entry["port"], "@ephemeral")}
            if "port" in entry
            else entry
            for entry in self._peer.log
        ]
        return rules.heard(log, self._golden)

    def peerIsDone(self) -> bool:
        """
        @return: True if the peer has received everything.
        """
        heard = self._heard()
        return any(wanted is None or heard == wanted for _, wanted in self._right)

    def _difference(self) -> str | None:
        differences = []
        heard = self._heard()
        for trace, wanted in self._right:
            difference = rules.difference(
                rules.patient(trace, self._golden),
                rules.patient(self._trace, self._golden),
            )
            if difference is None and wanted is not None and heard != wanted:
                difference = f"the peer: expected {wanted!r}, got {heard!r}"
            if difference is None:
                return None
            differences.append(difference)
        return differences[0]

    def outcome(self) -> Outcome:
        """
        @return: the outcome.
        """
        golden = self._golden
        difference = self._difference()
        if not self._expected and rules.refusedInstead(golden, self._trace):
            verdict, why, difference = "corrected", "checked by the constructor", None
        elif self._expected:
            verdict, why = "corrected", self._expected["why"]
        elif golden["recommend"] != "fix":
            verdict, why = "same", ""
        elif difference is None and self._right[0][0] != rules.recorded(
            golden, golden, repaired=False
        ):
            verdict, why = "corrected", "a bug that is in many recordings"
        else:
            # The right trace is not known, but some traces are wrong in any case.
            verdict = "unjudged"
            why = (
                f"fix, no expected trace: {golden['correct']} (against the "
                f"recording: {difference or 'no difference'})"
            )
            difference = rules.broken(self._trace)
        if difference is not None:
            verdict, why = "different", difference
        return Outcome(golden["name"], verdict, why, trace=self._trace)
