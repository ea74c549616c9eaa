"""
Tests for the ends of connections: a random sample of a matrix of transports, peers,
sizes, and calls in callbacks.

If the test fails, it prints the command that repeats its sample. This plays 3,000 of
about 26,000 cases::

    $ python -m tests.behaviour.test_closing_matrix --cases 3000
"""

from __future__ import annotations

import argparse
import random
import socket
import ssl
import sys

import trustme
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.trial import reporter, runner

from .._support import NetworkTestCase, turn
from ..closing_matrix import Case, Run, cases, loseTransport, neverEnds, problems

COMMAND = "python -m tests.behaviour.test_closing_matrix"


class ClosingMatrixTests(NetworkTestCase):
    """
    The report of the end of a connection is true.
    """

    timeout = 3600
    #: How many cases are played, and the seed that selects them; None for any.
    size = 120
    seed: int | None = None

    def setUp(self) -> None:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        root = Certificate.loadPEM(authority.cert_pem.bytes())
        trust = trustRootFromCertificates([root])
        self.tls = context, optionsForClientTLS("127.0.0.1", trustRoot=trust)

    async def test_closedTLS(self) -> None:
        """
        A program closes the transport itself, and the peer does not end its side of
        TLS: C{drainTimeout} limits the wait.
        """
        for place in ("connected", "pauseProducing", "serverInput"):
            case = Case("tls", neverEnds, 2_000_000, place, loseTransport)
            self.assertEqual(await self.play(case), [], place)

    async def play(self, case: Case) -> list[str]:
        """
        @return: the problems that the case shows.
        """
        family = socket.AF_UNIX if case.transport == "unix" else socket.AF_INET
        server, address = self.listeningSocket(family, 16384)
        run = Run(case, server, address, self.tls if case.transport == "tls" else None)
        await run.play()
        await turn()
        server.close()
        # The errors that callbacks have raised.
        self.flushLoggedErrors()
        return problems(run)

    async def test_sample(self) -> None:
        """
        None of the cases of the sample shows a problem.
        """
        seed = random.randrange(10**6) if self.seed is None else self.seed
        every = cases()
        size = min(self.size, len(every))
        found = []
        for case in random.Random(seed).sample(every, size):
            for problem in await self.play(case):
                found.append(f"{case}: {problem}")
        if found:
            again = f"{COMMAND} --cases {size} --seed {seed}"
            self.fail("\n".join([again, *found]))


def main() -> int:
    """
    @return: the exit status: 1 if a case has shown a problem.
    """
    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("--cases", type=int, default=ClosingMatrixTests.size)
    parser.add_argument("--seed", type=int, help="default: a random one")
    options = parser.parse_args()
    ClosingMatrixTests.size, ClosingMatrixTests.seed = options.cases, options.seed
    suite = runner.TestLoader().loadClass(ClosingMatrixTests)
    trial = runner.TrialRunner(reporter.TextReporter, workingDirectory="_trial_temp")
    result = trial.run(suite)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
