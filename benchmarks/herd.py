"""
Simulate a thundering herd: many clients lose one server at the same moment.

An attempt takes no time. The figures are the largest number of attempts in one second
after the first minute, as a multiple of the mean; the mean; and the largest number of
attempts in any second. The delays are those of the real classes and functions. Only the
time is simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heapreplace
from statistics import mean
from typing import Any

from .measure import OURS, Competitor, Figure, Opponent, Workload

SECONDS = 1000
#: The second after which the herd should have spread.
SETTLED = 60

#: Returns the delay in seconds after a failure or a loss.
Waits = Callable[[], float]


@dataclass(frozen=True)
class Herd(Workload):
    """
    A herd of clients.
    """

    clients: int

    def measure(self, opponent: Opponent) -> dict[str, float]:
        """
        Simulate all clients. There is no process and no connection.
        """
        clients = opponent.part(self.clients)
        counts = simulate([opponent.competitor.go() for _ in range(clients)])
        usual = mean(counts[SETTLED:]) or 1
        scale = self.clients / clients
        return {
            "peak": max(counts[SETTLED:]) / usual,
            "mean": usual * scale,
            "worst": max(counts) * scale,
        }


def simulate(herd: list[Waits]) -> list[int]:
    """
    @return: the number of attempts in each second.
    """
    counts = [0] * SECONDS
    attempts = [(waits(), number) for number, waits in enumerate(herd)]
    heapify(attempts)
    while attempts[0][0] < SECONDS:
        now, number = attempts[0]
        counts[int(now)] += 1
        heapreplace(attempts, (now + herd[number](), number))
    return counts


def counting(policy: Callable[[int], float]) -> Waits:
    """
    @return: the delays of a policy that is called with the number of consecutive
        failures.
    """
    failed = 0

    def wait() -> float:
        nonlocal failed
        failed += 1
        return policy(failed)

    return wait


def ours() -> Waits:
    """
    Our policy with the default settings of the client. A connection that is lost
    immediately has not lasted for C{stableAfter}, so it counts as a failure.
    """
    from twisted_clienttcp import ClientTCPFactory as Client
    from twisted_clienttcp.retry import exponential

    return counting(
        exponential(
            initialDelay=Client.initialDelay,
            maxDelay=Client.maxDelay,
            factor=Client.factor,
            jitter=Client.jitter,
        )
    )


def reconnecting(accepted: bool) -> Waits:
    """
    C{ReconnectingClientFactory} itself, with a clock that only records the delay.

    @param accepted: True if a connection is made before each loss. Its documentation
        says that C{resetDelay} must be called then.
    """
    from twisted.internet.protocol import ReconnectingClientFactory

    waited = 0.0

    class Clock:
        def callLater(self, seconds: float, call: object) -> None:
            nonlocal waited
            waited = seconds

    factory: Any = ReconnectingClientFactory()
    factory.noisy = False
    factory.clock = Clock()

    def wait() -> float:
        if accepted:
            factory.resetDelay()
        factory.retry(factory)
        return waited

    return wait


def service(accepted: bool) -> Waits:
    """
    The default policy of C{ClientService}, which resets its delay at each connection.
    """
    from twisted.application.internet import backoffPolicy

    policy = backoffPolicy()
    return (lambda: policy(1)) if accepted else counting(policy)


def _herd(title: str, accepted: bool) -> Herd:
    # To save time, use fewer clients where each one makes about a thousand attempts.
    share = 0.1 if accepted else 1
    return Herd(
        title,
        {
            OURS: Competitor(ours),
            "ReconnectingClientFactory": Competitor(
                partial(reconnecting, accepted), share=share
            ),
            "ClientService": Competitor(partial(service, accepted), share=share),
        },
        (
            Figure("peak", "peak x mean", most={OURS: 2}, digits=2),
            Figure("mean", "attempts/s", digits=1),
            Figure("worst", "worst second", digits=0),
        ),
        clients=10_000,
    )


WORKLOADS = {
    "down": _herd("10,000 clients lose a server, which stays down", accepted=False),
    "closes": _herd(
        "10,000 clients lose a server, which from then on accepts and closes",
        accepted=True,
    ),
}
