"""
Tests for the structure: modules of the package import only from lower layers and
without circles, and tests of behaviour use only public names.
"""

from __future__ import annotations

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted_clienttcp

PACKAGE = Path(twisted_clienttcp.__file__).parent
BEHAVIOUR = Path(__file__).parent / "behaviour"

#: The private names that tests of behaviour may use, with the reasons.
PRIVATE = {
    # The system's certificates are read once per process. A test that replaces them
    # must clear this cache.
    ("test_tls.py", "twisted_clienttcp._tls"),
    ("test_starttls.py", "twisted_clienttcp._tls"),
}

#: The layer of each subpackage and of each module outside of them. The name of the
#: package itself is empty.
LAYERS = {
    "_texts": 0,
    "errors": 1,
    "_validators": 1,
    "_logevents": 1,
    "_raising": 1,
    "framing": 2,
    "retry": 2,
    "_tls": 2,
    "_details": 2,
    "_stats": 2,
    "_connection": 3,
    "_connecting": 3,
    "_client": 4,
    "proxy": 4,
    "wirelog": 4,
    "": 5,
    "service": 5,
    "testing": 5,
    "demo": 5,
    "metrics": 5,
    "_command": 6,
    "tap": 7,
    "__main__": 7,
}

#: The only subpackage that may import from another one of its layer, and which.
ASIDE = {"_connecting": "_connection"}

#: The packages that contain reactors and transports, and the parts of them that modules
#: without I/O may import.
OTHERS = ("attr", "twisted", "zope")
NOTHING: tuple[str, ...] = ()
DEFERRED = ("twisted.internet.defer", "twisted.internet.interfaces", "zope.interface")
WITHOUT_IO = {
    "_texts": NOTHING,
    "errors": NOTHING,
    "_validators": NOTHING,
    "framing": DEFERRED,
    "retry": (*DEFERRED, "twisted.python.failure"),
    "_client.callbacks": NOTHING,
    "_client.handler": NOTHING,
    "_client.events": DEFERRED,
    "_client.lifecycle": DEFERRED,
    "_client.waiters": DEFERRED,
    "_connection.inbound": DEFERRED,
    "_connection.liveness": DEFERRED,
    "_connection.offline": DEFERRED,
    "_connection.producer": DEFERRED,
    "_connection.queue": DEFERRED,
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
    @return: the absolute names that a module imports: of modules, and of names in
        modules with their module's name in front.
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


def owner(name: str) -> str:
    """
    @return: the subpackage of a module, or the module if it is in none; empty for a
        name that the package itself defines.
    """
    first = name.split(".")[0]
    return first if first in LAYERS else ""


def violations(source: str, name: str, isPackage: bool = False) -> list[str]:
    """
    @param source: the source of a module.
    @param name: its name in the package.
    @param isPackage: True if it is the C{__init__} of a package.

    @return: a message for each import that it must not have.
    """
    mine = owner(name)
    allowed = next((WITHOUT_IO[n] for n in (name, mine) if n in WITHOUT_IO), OTHERS)
    wrong = []
    for imported in imports(source, name, isPackage):
        package, _, target = imported.partition(".")
        if package == "twisted_clienttcp":
            theirs = owner(target)
            below = LAYERS[theirs] < LAYERS[mine]
            if not below and theirs not in (mine, ASIDE.get(mine)):
                wrong.append(f"{name} (layer {LAYERS[mine]}) imports {imported}")
        elif package in OTHERS and not imported.startswith(allowed):
            wrong.append(f"{name}, which does no I/O, imports {imported}")
    return wrong


def modules() -> dict[str, tuple[str, bool]]:
    """
    @return: the source of each module, and whether it is a package, by its name.
    """
    return {
        moduleName(path, PACKAGE): (path.read_text(), path.name == "__init__.py")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def circle(needed: dict[str, set[str]]) -> list[str]:
    """
    @param needed: the modules that each module imports.

    @return: modules each of which imports the next, and the last one the first; empty
        if there are none.
    """
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name not in done:
            for other in sorted(needed.get(name, ())):
                if found := follow(other, [*path, name]):
                    return found
            done.add(name)
        return []

    return next(filter(None, (follow(name, []) for name in needed)), [])


class LayerTests(SynchronousTestCase):
    """
    Each module belongs to a layer and imports only from lower ones, or from its own
    subpackage without circles.
    """

    def test_layers(self) -> None:
        """
        Every module has a layer, and no import is from a higher one.
        """
        wrong = []
        for name, (source, isPackage) in modules().items():
            self.assertIn(name.split(".")[0], LAYERS, f"{name} has no layer")
            wrong += violations(source, name, isPackage)
        self.assertEqual(wrong, [])

    def test_upwardsFails(self) -> None:
        """
        The check finds an import from a higher layer, in every way to write it.
        """
        for line in (
            "from .._client.factory import ClientTCPFactory",
            "from .._client import factory",
            "import twisted_clienttcp._client.factory",
            "from twisted_clienttcp import ClientTCPFactory",
            "def f():\n    from ..service import ClientTCPService",
            "from .._connecting import destination",
        ):
            self.assertNotEqual(violations(line, "_connection.protocol"), [], line)
        upwards = "from ._connection.queue import OutputQueue"
        self.assertNotEqual(violations(upwards, "errors"), [])
        aside = "from .._connection.tcp import noDelay"
        self.assertEqual(violations(aside, "_connecting.connector"), [])

    def test_circles(self) -> None:
        """
        No modules of a subpackage import each other.
        """
        found = modules()
        needed = {
            name: {
                target
                for imported in imports(source, name, isPackage)
                for target in (imported.partition(".")[2],)
                for target in (target, target.rpartition(".")[0])
                if target in found and target != name and not found[target][1]
            }
            for name, (source, isPackage) in found.items()
        }
        self.assertEqual(circle(needed), [])

    def test_circleFails(self) -> None:
        """
        The check finds a circle.
        """
        self.assertEqual(circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}), ["b", "c"])
        self.assertEqual(circle({"a": {"b", "c"}, "b": {"c"}}), [])

    def test_withoutIO(self) -> None:
        """
        Modules that do no I/O import no reactor and no transport.
        """
        for line, name in (
            ("from twisted.internet import reactor", "retry"),
            ("import twisted.internet.tcp", "_connection.queue"),
            ("from twisted.internet import defer", "errors"),
            ("from twisted.internet import reactor", "framing._line"),
        ):
            self.assertNotEqual(violations(line, name), [], line)
        self.assertEqual(
            violations("from twisted.internet.defer import Deferred", "retry"), []
        )


def isPrivate(name: str) -> bool:
    """
    @return: whether a name is private by convention.
    """
    return name.startswith("_") and not name.endswith("__")


def privateNames(source: str) -> list[str]:
    """
    @return: the private names of other modules that a test uses: private modules and
        names that it imports from the package, and private attributes of objects other
        than itself.
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
    Helpers are in separate modules, so that a test file can be divided or renamed
    without an effect on others.
    """

    def test_fromTests(self) -> None:
        """
        No module of the tests imports from a test file.
        """
        found = [
            (path.name, name)
            for path in BEHAVIOUR.parent.rglob("*.py")
            for name in imports(path.read_text(), "", False)
            if not name.startswith("twisted.")
            and any(part.startswith("test_") for part in name.split("."))
        ]
        self.assertEqual(found, [])


class BehaviourTests(SynchronousTestCase):
    """
    Tests in C{tests/behaviour} use public names, so that the package can be rewritten
    without them.
    """

    def test_public(self) -> None:
        """
        They use exactly the private names that are listed.
        """
        used = {
            (path.name, name)
            for path in BEHAVIOUR.glob("*.py")
            for name in privateNames(path.read_text())
        }
        self.assertEqual(used, PRIVATE)

    def test_privateFails(self) -> None:
        """
        The check finds a private name in every way to use it.
        """
        for line in (
            "from twisted_clienttcp._client.factory import ClientTCPFactory",
            "from twisted_clienttcp import _factory",
            "from twisted_clienttcp.framing._line import Line",
            "from twisted_clienttcp.tap import _name",
            "import twisted_clienttcp._client.factory",
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
