"""
Tests for the log events of the package: every event is documented, with its fields.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

import twisted_clienttcp
from twisted_clienttcp import _logevents
from twisted_clienttcp._client.callbacks import CALLBACKS
from twisted_clienttcp._logevents import CLIENT, COMMON, FIELDS, KINDS

PACKAGE = Path(twisted_clienttcp.__file__).parent

#: The methods of a logger that log an event.
METHODS = {"debug", "info", "warn", "error", "critical", "failure", "emit"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """
    @return: the modules of the package.
    """
    for path in sorted(PACKAGE.rglob("*.py")):
        name = str(path.relative_to(PACKAGE))
        yield name, ast.parse(path.read_text(), name)


class KindTests(SynchronousTestCase):
    """
    Tests for L{KINDS} and L{FIELDS}.
    """

    def test_onePlace(self) -> None:
        """
        No other module creates a logger, or logs in another way: there is no event that
        is not in L{KINDS}.
        """
        for name, tree in modules():
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and name != "_logevents.py":
                    called = node.func
                    self.assertFalse(
                        isinstance(called, ast.Name) and called.id == "Logger", name
                    )
                    # L{FailureLog} is called with the kind's own format.
                    isLogger = (
                        isinstance(called, ast.Attribute)
                        and called.attr in METHODS
                        and isinstance(called.value, (ast.Name, ast.Attribute))
                        and "log" in ast.unparse(called.value).lower()
                    )
                    allowed = name in ("_client/reporting.py", "_client/story.py")
                    self.assertFalse(isLogger and not allowed, f"{name}: {node.lineno}")
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = {alias.name for alias in node.names}
                    isOld = node.module == "twisted.python" and "log" in names
                    self.assertFalse(isOld, name)

    def test_used(self) -> None:
        """
        Each kind is used by another module.
        """
        constants = {
            name
            for name, value in vars(_logevents).items()
            if isinstance(value, _logevents.Kind)
        }
        self.assertEqual(len(constants), len(KINDS))
        used: set[str] = set()
        for name, tree in modules():
            if name != "_logevents.py":
                for node in ast.walk(tree):
                    if isinstance(node, ast.Attribute):
                        used.add(node.attr)
                    elif isinstance(node, ast.Name):
                        used.add(node.id)
        self.assertEqual(constants - used, set())

    def test_fields(self) -> None:
        """
        Each field of an event is documented, and each documented field is one of an
        event.
        """
        used = {"kind", *COMMON}
        for kind in KINDS.values():
            for field in kind.fields:
                self.assertIn(field, FIELDS, kind.name)
            used.update(kind.fields)
        self.assertEqual(used, set(FIELDS))

    def test_formats(self) -> None:
        """
        A sentence of a client names the client, and contains no field of a field.
        """
        for kind in KINDS.values():
            names = [name for _, name, _, _ in Formatter().parse(kind.format) if name]
            for name in names:
                self.assertTrue(name.isidentifier(), kind.format)
            self.assertNotIn("failure", names)
            if kind.namespace == CLIENT:
                self.assertEqual(names[0], "client", kind.name)
            self.assertTrue(kind.namespace.startswith("twisted_clienttcp."))

    def test_levels(self) -> None:
        """
        Only exceptions in the code of users are critical; what a callback may handle is
        a warning.
        """
        for kind in KINDS.values():
            hasTraceback = "log_failure" in kind.fields
            self.assertEqual(kind.level is LogLevel.critical, hasTraceback, kind.name)
            if kind.handledBy:
                self.assertIn(kind.handledBy, CALLBACKS)
                self.assertIs(kind.level, LogLevel.warn)
                self.assertIs(kind.levelWith([kind.handledBy]), LogLevel.info)
            self.assertIs(kind.levelWith([]), kind.level)

    def test_log(self) -> None:
        """
        An event has the kind, the fields and a namespace that does not depend on where
        it is logged.
        """
        for kind in KINDS.values():
            values: dict[str, object] = {
                name: f"<{name}>" for name in (*COMMON, *kind.fields)
            }
            if "log_failure" in values:
                values["log_failure"] = Failure(ZeroDivisionError())
            with capturedLogs() as events:
                kind.log(self, values)
            (event,) = events
            self.assertEqual(event["kind"], kind.name)
            self.assertEqual(event["log_namespace"], kind.namespace)
            self.assertIs(event["log_source"], self)
            self.assertIs(event["log_level"], kind.level)
            self.assertIn(kind.format.partition("{")[0], str(formatEvent(event)))
        self.flushLoggedErrors(ZeroDivisionError)
