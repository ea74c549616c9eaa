"""
Tests for the measured structure: the package is within its limits, and each figure is
counted by its rule.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path
from textwrap import dedent
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from . import house


class HouseTestCase(SynchronousTestCase):
    """
    A package that a test writes.
    """

    def package(self, **sources: str) -> Path:
        """
        @param sources: the source of each module.

        @return: the checkout.
        """
        root = Path(self.mktemp())
        for name, source in sources.items():
            path = root / house.PACKAGE / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(source))
        return root

    def figure(self, name: str, **sources: str) -> float:
        """
        @return: one of the figures of such a package.
        """
        return house.measure(self.package(**sources)).figures[name]


class LimitTests(HouseTestCase):
    """
    C{--check}.
    """

    def run_(self, *arguments: str) -> tuple[int, str]:
        """
        @return: the exit status of the command, and its messages.
        """
        errors = io.StringIO()
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(errors),
        ):
            status = house.main(list(arguments))
        return status, errors.getvalue()

    def test_withinLimits(self) -> None:
        """
        The package is within its limits.
        """
        self.assertEqual(self.run_("--check"), (0, ""))

    def test_limits(self) -> None:
        """
        The limits cover what the design bounds: the size of modules, the underscored
        attributes and the calls. None is below its bound.
        """
        checked = {name for name in house.BOUNDS if name.startswith("calls: ")}
        checked |= {"largest module", "underscored attributes"}
        self.assertEqual(house.LIMITS.keys(), checked)
        for name, limit in house.LIMITS.items():
            self.assertGreaterEqual(limit, house.BOUNDS[name] or 0)

    def test_violation(self) -> None:
        """
        Each figure over its limit leads to a message and to status 1.
        """
        calls = {name: house.LIMITS[name] for name in house.LIMITS if "calls" in name}
        self.patch(house, "measureCalls", lambda root: calls)
        most = int(house.LIMITS["largest module"])
        uses = int(house.LIMITS["underscored attributes"])
        root = self.package(good="x = 1\n" * most, bad="y._z\n" * uses)
        self.assertEqual(self.run_("--check", "--root", str(root)), (0, ""))

        root = self.package(long="x = 1\n" * (most + 1))
        status, message = self.run_("--check", "--root", str(root))
        self.assertEqual(status, 1)
        self.assertIn(f"largest module: {most + 1}", message)
        self.assertEqual(self.run_("--root", str(root)), (0, ""))

        root = self.package(nosy="y._z\n" * (uses + 1))
        self.assertEqual(self.run_("--check", "--root", str(root))[0], 1)

        root = self.package(good="x = 1")
        for name in calls:
            calls[name] += 1
            status, message = self.run_("--check", "--root", str(root))
            self.assertEqual((status, message.count("\n")), (1, 1))
            self.assertIn(name, message)
            calls[name] -= 1


class RuleTests(HouseTestCase):
    """
    The rules by which the figures are counted.
    """

    def test_codeLines(self) -> None:
        """
        Docstrings, comments and blank lines are not code; each line of a text is.
        """
        source = '''
            """
            A docstring.
            """

            # A comment.
            class Kind:
                "Another one."

                def method(self):
                    """
                    A third one.
                    """
                    return """a
                    text"""

            call(  # of two lines
            )
        '''
        self.assertEqual(self.figure("largest module", a=source), 6)
        self.assertEqual(self.figure("largest class", a=source), 4)

    def test_groups(self) -> None:
        """
        Code lines belong to the group of their module.
        """
        found = house.measure(
            self.package(
                framing___line="x = 1",
                _command__options="x = 1\n" * 2,
                tap="x = 1\n" * 4,
                testing="x = 1\n" * 8,
                retry="x = 1\n" * 16,
                _client__driver="x = 1\n" * 32,
            )
        ).figures
        lines = {
            name.partition(": ")[2]: number
            for name, number in found.items()
            if name.startswith("code lines: ")
        }
        self.assertEqual(
            lines,
            {
                "framing": 1,
                "command": 6,
                "testing": 8,
                "client, connection, connecting": 48,
                "all": 63,
            },
        )

    def test_underscored(self) -> None:
        """
        Only attributes of other modules' objects count.
        """
        head = """
            import os
            from . import module
            from typing import Protocol

            def _function(): ...

            class Interface(Protocol):
                _required: int
                def _needed(self): ...

            class Own:
                _given = 1
                _annotated: int
                def __init__(self): self._assigned = 1
                def _method(self): ...

        """
        for line, number in {
            "other._stranger": 1,
            "self.client._stranger": 1,
            "other._stranger._deeper": 2,
            "other._function()": 1,
            "other._required + other._needed()": 2,
            "self._stranger, cls._stranger, super()._stranger": 0,
            "other._given, other._annotated, other._assigned, other._method()": 0,
            "os._exit(1), module._name": 0,
            "other.__class__, other.public": 0,
        }.items():
            source = dedent(head) + line
            figure = self.figure("underscored attributes", a=source)
            self.assertEqual(figure, number, line)

    def test_interfaces(self) -> None:
        """
        Interfaces are classes of C{typing.Protocol}, not of Twisted's C{Protocol}.
        """
        for source, number in {
            "from typing import Protocol\nclass A(Protocol): x: int": 1,
            "from typing import Any, Protocol as P\nclass A(P[T]): x: int": 1,
            "import typing\nclass A(B, typing.Protocol): x: int": 1,
            "from twisted.internet.protocol import Protocol\nclass A(Protocol): ...": 0,
        }.items():
            self.assertEqual(self.figure("interfaces", a=source), number, source)
            private = self.figure(
                "interfaces with underscored members", a=source.replace("x:", "_x:")
            )
            self.assertEqual(private, number, source)

    def test_any(self) -> None:
        """
        Each use of the name counts.
        """
        source = "from typing import Any\nx: Any\ny: dict[Any, Any]\nz = 'Any'"
        self.assertEqual(self.figure("Any per 1,000 code lines", a=source), 750)

    def test_calls(self) -> None:
        """
        Calls of functions in the folder count, except those of comprehensions and of
        C{testing}.
        """
        function = "def inner(): return [x for x in (y for y in (1, 2))]\n"
        root = self.package(
            module=function + "def outer(): inner(); len(()); (lambda: 1)()",
            testing=function,
        )
        folder = root.resolve() / house.PACKAGE
        loaded: dict[str, Any] = {}
        for name in ("module", "testing"):
            path = folder / f"{name}.py"
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None and spec.loader is not None
            loaded[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(loaded[name])
        self.assertEqual(house.countCalls(folder, loaded["module"].outer), 3)
        self.assertEqual(house.countCalls(folder, loaded["testing"].inner), 0)
