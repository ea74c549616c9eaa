"""
The floors of the house: imports only go down.
"""

from __future__ import annotations

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted_clienttcp

PACKAGE = Path(twisted_clienttcp.__file__).parent

#: The floor of each module, by its name below the package.
FLOORS = {
    "errors": 0,
    "_check": 0,
    "_callbacks": 0,
    "framing._interface": 0,
    "framing._common": 1,
    "framing._line": 1,
    "framing._stream": 1,
    "framing._prefixed": 1,
    "framing._netstring": 1,
    "framing._block": 1,
    "framing._json": 1,
    "framing._converted": 1,
    "framing._compose": 1,
    "framing._serialized": 1,
    "framing._receiver": 1,
    "framing._spec": 1,
    "framing._pattern": 1,
    "framing": 1,
    "_lifecycle": 1,
    "_outbox": 1,
    "_supply": 1,
    "_stats": 2,
    "retry": 1,
    "_session": 1,
    "_delivery": 1,
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
    "_tls": 2,
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
