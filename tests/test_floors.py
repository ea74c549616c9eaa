"""
Tests for the structure: modules of the package import only from lower layers, and tests
of behaviour use only public names.
"""

from __future__ import annotations

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted_clienttcp

PACKAGE = Path(twisted_clienttcp.__file__).parent
BEHAVIOUR = Path(__file__).parent / "behaviour"

#: The private names that tests of behaviour may use, each with the reason.
PRIVATE = {
    # The system's certificates are read once per process. A test that replaces them has
    # to empty this cache.
    ("test_tls.py", "twisted_clienttcp._tls"),
    ("test_starttls.py", "twisted_clienttcp._tls"),
}

#: The floor of each module, by its name below the package.
FLOORS = {
    "errors": 0,
    "_validators": 0,
    "_callbacks": 0,
    "framing._base": 1,
    "framing._buffer": 1,
    "framing._checks": 1,
    "framing._delimiters": 1,
    "framing._units": 1,
    "framing._line": 1,
    "framing._stream": 1,
    "framing._prefixed": 1,
    "framing._netstring": 1,
    "framing._block": 1,
    "framing._json": 1,
    "framing._jsonvalues": 1,
    "framing._decimal": 1,
    "framing._converted": 1,
    "framing._compose": 1,
    "framing._serialized": 1,
    "framing._receiver": 1,
    "framing._spec": 1,
    "framing._building": 1,
    "framing": 1,
    "_lifecycle": 1,
    "_outbox": 1,
    "_supply": 1,
    "_stats": 2,
    "retry": 1,
    "_session": 1,
    "_inbound": 1,
    "_waiters": 1,
    "_watch": 1,
    "_details": 2,
    "_logging": 2,
    "_tcp": 2,
    "_sender": 2,
    "_negotiation": 2,
    "_connection": 2,
    "_connector": 2,
    "_target": 2,
    "_addresses": 2,
    "_tls": 2,
    "_settings": 3,
    "_effects": 3,
    "_factory": 3,
    "service": 4,
    "testing": 4,
    "demo": 4,
    "": 4,
    "_options": 5,
    "_certificates": 5,
    "_console": 5,
    "_handlers": 5,
    "_progress": 5,
    "_status": 5,
    "_stdio": 5,
    "_text": 5,
    "_demo": 5,
    "tap": 5,
    "__main__": 5,
}

#: The packages of others that tell of reactors and transports, and what the lowest
#: floors may import of them.
OTHERS = ("attr", "twisted", "zope")
ALLOWED: dict[int, tuple[str, ...]] = {
    0: (),
    1: ("twisted.internet.defer", "twisted.internet.interfaces", "zope.interface"),
}


def moduleName(path: Path, package: Path) -> str:
    """
    @return: the dotted name of a module below its package.
    """
    parts = list(path.relative_to(package).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def imports(source: str, name: str, isPackage: bool) -> list[str]:
    """
    @return: the absolute names of all that a module imports; a name from a package
        counts as that module of it, if there is one.
    """
    found = []
    parents = f"twisted_clienttcp.{name}".rstrip(".").split(".")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = node.level - (1 if isPackage else 0)
                above = parents[: len(parents) - up]
                base = ".".join([*above, base]).rstrip(".")
            found += [f"{base}.{alias.name}" for alias in node.names]
    return found


def faults(source: str, name: str, isPackage: bool = False) -> list[str]:
    """
    @return: what is wrong with the imports of a module of that name.
    """
    floor = FLOORS[name]
    wrong = []
    for imported in imports(source, name, isPackage):
        if imported.split(".")[0] == "twisted_clienttcp":
            target = imported.partition(".")[2]
            while target not in FLOORS:
                target = target.rpartition(".")[0]
            ours = target == name or (isPackage and target.startswith(name + "."))
            if FLOORS[target] > floor or (target == "" and floor < 5 and not ours):
                wrong.append(f"{name} (floor {floor}) imports {imported}")
        elif imported.split(".")[0] in OTHERS and not imported.startswith(
            ALLOWED.get(floor, OTHERS)
        ):
            wrong.append(f"{name} (floor {floor}) imports {imported}")
    return wrong


class FloorTests(SynchronousTestCase):
    """
    Each module stands on a floor and imports only from there down.
    """

    def test_house(self) -> None:
        """
        No import goes up a floor, and every module has one.
        """
        wrong = []
        for path in sorted(PACKAGE.rglob("*.py")):
            name = moduleName(path, PACKAGE)
            self.assertIn(name, FLOORS, f"{path} stands on no floor")
            wrong += faults(path.read_text(), name, path.name == "__init__.py")
        self.assertEqual(wrong, [])

    def test_upwardsFails(self) -> None:
        """
        The check sees an import that goes up, however it is written.
        """
        for line in (
            "from ._factory import ClientTCPFactory",
            "from . import _factory",
            "import twisted_clienttcp._factory",
            "from twisted_clienttcp import ClientTCPFactory",
            "def f():\n    from .service import ClientTCPService",
        ):
            self.assertNotEqual(faults(line, "_connection"), [], line)
        self.assertNotEqual(faults("from ._outbox import Outbox", "errors"), [])

    def test_lowestFloors(self) -> None:
        """
        The lowest floors know no reactor and no transport.
        """
        self.assertNotEqual(faults("from twisted.internet import reactor", "retry"), [])
        self.assertNotEqual(faults("import twisted.internet.tcp", "_outbox"), [])
        self.assertNotEqual(faults("from twisted.internet import defer", "errors"), [])
        self.assertEqual(
            faults("from twisted.internet.defer import Deferred", "retry"), []
        )


def isPrivate(name: str) -> bool:
    """
    @return: whether a name is private by convention.
    """
    return name.startswith("_") and not name.endswith("__")


def privateNames(source: str) -> list[str]:
    """
    @return: the private names of other modules that a test uses: modules and names that
        it imports from the package, and attributes of objects other than itself.
    """
    found = []
    for name in imports(source, "", False):
        package, *parts = name.split(".")
        if package == "twisted_clienttcp" and any(map(isPrivate, parts)):
            found.append(name)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isPrivate(node.attr):
            owner = ast.unparse(node.value)
            if owner not in ("self", "cls", "super()"):
                found.append(f"{owner}.{node.attr}")
    return found


class SupportTests(SynchronousTestCase):
    """
    Helpers are in modules of their own, so that a test file can be divided or renamed
    without a look at others.
    """

    def test_fromTests(self) -> None:
        """
        No module of the tests imports from a test file.
        """
        found = [
            (path.name, name)
            for path in BEHAVIOUR.parent.rglob("*.py")
            for name in imports(path.read_text(), "", False)
            if any(part.startswith("test_") for part in name.split("."))
        ]
        self.assertEqual(found, [])


class BehaviourTests(SynchronousTestCase):
    """
    Tests in C{tests/behaviour} use public names, so that the package can be rewritten
    without them.
    """

    def test_public(self) -> None:
        """
        They use no private name other than the listed ones, and those are needed.
        """
        used = {
            (path.name, name)
            for path in BEHAVIOUR.glob("*.py")
            for name in privateNames(path.read_text())
        }
        self.assertEqual(used, PRIVATE)

    def test_privateFails(self) -> None:
        """
        The check finds a private name, in every way to use one.
        """
        for line in (
            "from twisted_clienttcp._factory import ClientTCPFactory",
            "from twisted_clienttcp import _factory",
            "from twisted_clienttcp.framing._line import Line",
            "from twisted_clienttcp.tap import _name",
            "import twisted_clienttcp._factory",
            "import twisted_clienttcp.framing._line as line",
            "def test():\n    from twisted_clienttcp import _factory",
            "client._phase",
            "self.client._phase = None",
        ):
            self.assertNotEqual(privateNames(line), [], line)
        for line in (
            "from twisted_clienttcp import ClientTCPFactory, __version__",
            "from .._support import Recorder",
            "self._count, super()._stop(), client.__class__",
        ):
            self.assertEqual(privateNames(line), [], line)
