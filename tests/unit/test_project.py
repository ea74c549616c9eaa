"""
The project's configuration agrees with itself.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .._processes import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class ConfigurationTests(SynchronousTestCase):
    """
    Versions that stand in several files.
    """

    def setUp(self) -> None:
        if not (ROOT / ".github").exists():
            raise SkipTest("a source distribution has no workflows")
        self.project: dict[str, Any] = tomllib.loads(
            (ROOT / "pyproject.toml").read_text()
        )

    def yaml(self, path: str | Path) -> Any:
        return YAML(typ="safe").load(ROOT / path)

    def test_pins(self) -> None:
        """
        pre-commit uses the versions that the extra C{dev} has.
        """
        extras = self.project["project"]["optional-dependencies"]
        pinned = {
            each.split(";")[0].replace(" ", "")
            for each in extras["dev"]
            if " == " in each
        }
        used = {
            requirement
            for repository in self.yaml(".pre-commit-config.yaml")["repos"]
            for hook in repository["hooks"]
            for requirement in hook.get("additional_dependencies", ())
        }
        self.assertLessEqual(used, pinned)
        for tool in ("ruff", "mypy", "check-jsonschema"):
            [version] = [pin for pin in pinned if pin.startswith(f"{tool}==")]
            self.assertTrue(version in used or tool == "mypy", version)

    def test_pythons(self) -> None:
        """
        The workflow tests the Pythons that the package says it is for.
        """
        jobs = self.yaml(".github/workflows/ci.yml")["jobs"]
        tested = jobs["tests"]["strategy"]["matrix"]["python"]
        classifiers = "\n".join(self.project["project"]["classifiers"])
        self.assertEqual(tested, re.findall(r":: (3\.\d+)$", classifiers, re.MULTILINE))
        self.assertEqual(self.project["project"]["requires-python"], f">={tested[0]}")

    def test_limits(self) -> None:
        """
        Every job has a time limit.
        """
        for path in (ROOT / ".github" / "workflows").glob("*.yml"):
            for name, job in self.yaml(path)["jobs"].items():
                self.assertIn("timeout-minutes", job, f"{path.name}: {name}")
