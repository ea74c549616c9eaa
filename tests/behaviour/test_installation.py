"""
What is installed from the wheel, and from the tree, is whole.
"""

from __future__ import annotations

import sys
import venv
import zipfile
from pathlib import Path

from twisted.trial.unittest import TestCase

from .._processes import ROOT, run


class InstallationTests(TestCase):
    """
    Fresh environments.
    """

    timeout = 600

    def environment(self) -> Path:
        """
        @return: the folder of the programs of an empty environment.
        """
        home = Path(self.mktemp()).absolute()
        venv.create(home, with_pip=True)
        return home / "bin"

    def test_wheel(self) -> None:
        """
        The wheel holds what it should and nothing else; installed into an empty
        environment it runs the demonstration, and C{twistd} lists the plugin.
        """
        folder = Path(self.mktemp()).absolute()
        run(
            *(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps"),
            *("--no-build-isolation", "-w", folder, ROOT),
        )
        [wheel] = folder.glob("*.whl")
        self.assertTrue(wheel.name.startswith("twisted_clienttcp-0.1.0-"))
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
        self.assertIn("twisted_clienttcp/py.typed", names)
        self.assertIn("twisted/plugins/clienttcp_plugin.py", names)
        self.assertTrue(any(name.endswith("LICENSE") for name in names))
        for name in names:
            self.assertNotIn("dropin.cache", name)
            self.assertNotIn("__pycache__", name)
            self.assertRegex(name, r"^(twisted_clienttcp|twisted/plugins)")
        self.assertNotIn("twisted/__init__.py", names)
        self.assertNotIn("twisted/plugins/__init__.py", names)

        programs = self.environment()
        run(programs / "pip", "install", "-q", wheel)
        elsewhere = Path(self.mktemp())
        elsewhere.mkdir()
        self.assertIn("clienttcp", run(programs / "twistd", "--help", cwd=elsewhere))
        story = run(
            programs / "twistd", "--nodaemon", "clienttcp", "--demo", cwd=elsewhere
        )
        self.assertIn("connected again by itself", story)
        self.assertIn("none is lost", story)

    def test_editable(self) -> None:
        """
        An editable installation has the plugin and the command too.
        """
        programs = self.environment()
        run(programs / "pip", "install", "-q", "-e", ROOT)
        elsewhere = Path(self.mktemp())
        elsewhere.mkdir()
        self.assertIn("clienttcp", run(programs / "twistd", "--help", cwd=elsewhere))
        self.assertIn("HOST", run(programs / "clienttcp", "--help", cwd=elsewhere))
