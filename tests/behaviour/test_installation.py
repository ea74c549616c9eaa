"""
What is installed, from the wheel and from a clone, is complete.

The environments of these tests have the declared dependencies and nothing else. They
are copied from the environment in which the tests run, so no package index is needed.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterable
from email import message_from_string
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from twisted.trial.unittest import TestCase

import twisted_clienttcp

from .._processes import ROOT, run

#: As C{twistd}, which is a script of Twisted's own installation.
TWISTD = ("-c", "from twisted.scripts.twistd import run; run()")


#: The folders in the source distribution.
SOURCES = ("benchmarks", "docs", "tests", "twisted", "twisted_clienttcp")

#: The files that the wheel installs into the folder C{share} of the environment.
SHARED = ("man/man1/clienttcp.1", "zsh/site-functions/_clienttcp")

#: The files that describe the wheel.
METADATA = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")


def sources(*folders: str) -> set[str]:
    """
    @return: the files in these folders that are not made by a program.
    """
    return {
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and not {"__pycache__", "_build"} & {*path.parts}
        and path.name != "dropin.cache"
    }


def tool(*arguments: object) -> str:
    """
    Run a module of this Python that builds or installs packages. Its warnings are not
    ours.
    """
    return run(sys.executable, "-m", *arguments, variables={"PYTHONWARNINGS": "ignore"})


def closure(requirements: Iterable[str]) -> list[Distribution]:
    """
    @return: the installed distributions that these requirements need.
    """
    found: dict[str, Distribution] = {}
    wanted = [Requirement(each) for each in requirements]
    while wanted:
        each = wanted.pop()
        if each.name in found or (each.marker and not each.marker.evaluate()):
            continue
        found[each.name] = distribution(each.name)
        wanted += map(Requirement, found[each.name].requires or ())
    return list(found.values())


class InstallationTests(TestCase):
    """
    Fresh environments.
    """

    timeout = 600

    def folder(self) -> Path:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        return folder

    def install(self, wheel: Path) -> Path:
        """
        Install a wheel into an environment that has only what it requires.

        @return: the folder of the environment's programs.
        """
        with zipfile.ZipFile(wheel) as archive:
            [name] = [n for n in archive.namelist() if n.endswith("/METADATA")]
            metadata = message_from_string(archive.read(name).decode())
        home = self.folder()
        venv.create(home, symlinks=True)
        python = home / "bin" / "python"
        site = run(python, "-c", "import sysconfig as s; print(s.get_path('purelib'))")
        for each in closure(metadata.get_all("Requires-Dist", ())):
            for file in each.files or ():
                # Neither scripts nor compiled files: they name the environment.
                if ".." not in file.parts and file.suffix != ".pyc":
                    target = Path(site.strip(), file)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(str(file.locate()), target)
        pip = ("pip", "--disable-pip-version-check", "--python", python)
        tool(*pip, "install", "-q", "--no-index", "--no-deps", wheel)
        self.assertIn("No broken requirements", tool(*pip, "check"))
        return python.parent

    def assertHasPlugin(self, programs: Path) -> None:
        """
        C{twistd} lists the plugin.
        """
        listed = run(programs / "python", *TWISTD, "--help", cwd=self.folder())
        self.assertRegex(listed, r"\n +clienttcp ")

    def test_wheel(self) -> None:
        """
        The source distribution, and the wheel that is built from it, hold what they
        should and nothing else. Installed, the wheel runs the demo, and C{twistd} lists
        the plugin.
        """
        folder = self.folder()
        printed = tool("build", "--no-isolation", "--outdir", folder, ROOT)
        self.assertNotIn("warning", printed.lower())
        [source] = folder.glob("twisted_clienttcp-*.tar.gz")
        with tarfile.open(source) as packed:
            names = {
                str(Path(*Path(each.name).parts[1:]))
                for each in packed.getmembers()
                if each.isfile()
            }
        written = {"PKG-INFO", ".gitignore", "LICENSE", "pyproject.toml"}
        written |= {path.name for path in ROOT.glob("*.rst")}
        self.assertEqual(names - sources(*SOURCES), written)
        self.assertEqual(sources(*SOURCES) - names, set())
        [wheel] = folder.glob("twisted_clienttcp-*-py3-none-any.whl")
        with zipfile.ZipFile(wheel) as archive:
            files = set(archive.namelist())
        version = twisted_clienttcp.__version__
        root = f"twisted_clienttcp-{version}"
        added = {f"{root}.dist-info/{name}" for name in METADATA}
        added |= {f"{root}.data/data/share/{name}" for name in SHARED}
        self.assertEqual(files, sources("twisted_clienttcp", "twisted") | added)
        self.assertIn("twisted_clienttcp/py.typed", files)
        # These would hide Twisted's own plugins.
        self.assertNotIn("twisted/__init__.py", files)
        self.assertNotIn("twisted/plugins/__init__.py", files)
        checked = tool("twine", "--no-color", "check", "--strict", source, wheel)
        self.assertEqual(checked.count("PASSED"), 2, checked)

        programs = self.install(wheel)
        self.assertHasPlugin(programs)
        for name in SHARED:
            self.assertTrue((programs.parent / "share" / name).exists(), name)
        story = run(
            *(programs / "python", *TWISTD, "--nodaemon", "clienttcp", "--demo"),
            cwd=self.folder(),
        )
        self.assertIn("The demo has ended", story)
        self.assertIn("nothing is lost", story)

    def test_editable(self) -> None:
        """
        An editable installation has the plugin and the command too.
        """
        folder = self.folder()
        build = "import sys; from hatchling.build import build_editable as build"
        run(sys.executable, "-c", f"{build}; build(sys.argv[1])", folder)
        [wheel] = folder.glob("*.whl")
        programs = self.install(wheel)
        self.assertHasPlugin(programs)
        printed = run(programs / "clienttcp", "--help", cwd=self.folder())
        self.assertIn("HOST", printed)
