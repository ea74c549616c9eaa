"""
Run the different kinds of competitors.
"""

from __future__ import annotations

import os
from typing import Any

from .measure import HOST
from .run import Run


def runClient(run: Run, **parameters: Any) -> None:
    """
    Run our complete client until it stops.

    @param parameters: parameters of C{ClientTCPFactory} in addition to, or instead of,
        those that all workloads use.
    """
    from twisted.internet import task

    from twisted_clienttcp import ClientTCPFactory

    factory: Any = ClientTCPFactory
    given: dict[str, Any] = {
        "remoteAddress": HOST,
        "remotePort": run.port,
        "autoReconnect": False,
        "serverError": lambda client, failure: None,
        "disconnected": run.end,
        **parameters,
    }
    task.react(lambda reactor: factory(**given).start())


def runProtocol(run: Run, base: type, **members: Any) -> None:
    """
    Run a Twisted C{Protocol} until its connection is lost.

    @param members: attributes and methods of the protocol, as a subclass of C{base}.
    """
    from twisted.internet import protocol, reactor

    theReactor: Any = reactor

    def connectionLost(self: object, reason: object) -> None:
        run.end()
        theReactor.stop()

    built = type("Rival", (base,), {"connectionLost": connectionLost, **members})
    theReactor.connectTCP(HOST, run.port, protocol.ClientFactory.forProtocol(built))
    theReactor.run()


def runPerl(run: Run, script: str) -> None:
    """
    Replace this process by perl.
    """
    os.execvp("perl", ["perl", "-e", script, str(run.port), *run.args])


def runNode(run: Run, script: str) -> None:
    """
    Replace this process by node.
    """
    os.execvp("node", ["node", "-e", script, str(run.port), *run.args])
