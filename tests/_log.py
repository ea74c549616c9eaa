"""
Helpers for tests of log events.
"""

from __future__ import annotations

from typing import Any
from unittest import TestCase

from twisted_clienttcp._logevents import CLIENT, COMMON, KINDS

#: The fields that Twisted adds, those for observers of its older interface included.
TWISTEDS = frozenset(
    ["failure", "format", "isError", "logLevel", "message", "system", "time", "why"]
)


def assertDocumented(case: TestCase, event: dict[str, Any]) -> None:
    """
    Check that an event of the package has exactly the documented fields.
    """
    kind = KINDS[event["kind"]]
    documented = {"kind", *kind.fields}
    if kind.namespace == CLIENT:
        documented.update(COMMON)
    elif "{client}" in kind.format:
        documented.add("client")
    case.assertEqual(documented - set(event), set(), f"{kind.name}: missing")
    more = {name for name in event if not name.startswith("log_")} - documented
    case.assertEqual(more - TWISTEDS, set(), f"{kind.name}: not documented")
