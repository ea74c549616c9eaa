"""
The age at which a connection is replaced.
"""

from __future__ import annotations

from random import random

from .settings import Settings, currentTarget

#: The part of an age that full jitter makes random. gRPC uses the same for its
#: MAX_CONNECTION_AGE, but in both directions; this age is never more than the setting.
RANDOM_PART = 0.1


def greatestAge(client: Settings, isTarget: bool) -> tuple[float, str] | None:
    """
    Choose how old a connection that is made now may become.

    @param isTarget: True if the connection is to the current target of the client.

    @return: the age in seconds at which the connection must be replaced, and the name
        of the setting that limits it; None for no limit.
    """
    age, name = client.maxAge, "maxAge"
    isBehind = isTarget and not currentTarget(client).isFirst
    failBack = client.failBack if isBehind else None
    if failBack is not None and (age is None or failBack < age):
        age, name = failBack, "failBack"
    if age is None:
        return None
    return age * (1.0 - RANDOM_PART * (client.jitter or 0.0) * random()), name
