"""
The API pages: pydoctor's, with only the public names, and without repetitions.

pydoctor loads the class L{Site} by C{--system-class}. The folder C{apidocs} has the
templates and the style sheet, which uses the colours and fonts of the other pages.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydoctor import linker
from pydoctor.model import (
    Class,
    Documentable,
    Function,
    Inheritable,
    PrivacyClass,
    System,
)

from twisted_clienttcp._client.settings import DOCUMENTATION

PACKAGE = Path(__file__).parent.parent / "twisted_clienttcp"

#: The constructor whose parameters are the settings.
CONSTRUCTOR = "twisted_clienttcp.ClientTCPFactory.__init__"


def isPrivate(ob: Documentable) -> bool:
    """
    @return: True if an object has no place on the pages. The setter of a property is
        described with the property, and a constructor without parameters needs no
        words.
    """
    if ob.name == "__init__":
        return isinstance(ob, Function) and not hasParameters(ob)
    return ob.name.startswith("_") or ob.name.endswith(".setter")


def hasParameters(ob: Function) -> bool:
    """
    @return: True if a method has parameters other than C{self}.
    """
    return ob.signature is None or len(ob.signature.parameters) > 1


# pydoctor shortens a link within a page, also where the docstring is inherited and so
# shown on another page: then the shorter link leads nowhere.
linker._EpydocLinker.page_url = property(lambda self: "")


class Site(System):
    """
    The objects of the package, as the site shows them.
    """

    isComplete = False

    def privacyClass(self, ob: Documentable) -> PrivacyClass:
        """
        Hide private names.
        """
        return PrivacyClass.HIDDEN if isPrivate(ob) else super().privacyClass(ob)

    def addModule(self, path: Path, parent: Any) -> None:
        """
        Leave out C{__main__}: it is the command, which has a page of its own.
        """
        if path.name != "__main__.py":
            super().addModule(path, parent)

    def objForFullName(self, fullName: str) -> Documentable | None:
        """
        @return: what has this name; None for what is hidden, when pages are written: so
            no page has a link to it.
        """
        found = super().objForFullName(fullName)
        isHidden = self.isComplete and found is not None and not found.isVisible
        return None if isHidden else found

    def postProcess(self) -> None:
        """
        Describe the settings as parameters of the constructor, and each attribute that
        is overridden as in the base class; then remove private base classes.
        """
        constructor = self.allobjects[CONSTRUCTOR]
        constructor.docstring = withSettings(constructor.docstring or "")
        classes = list(self.objectsOfType(Class))
        findMovedBases(classes)
        super().postProcess()
        for ob in classes:
            for member in ob.contents.values():
                if isinstance(member, Inheritable):
                    inherit(member)
        for ob in classes:
            removePrivateBases(ob)
        for ob in classes:
            for base in ob.baseobjects:
                if base is not None and ob.isVisible:
                    base.subclasses.append(ob)
        self.isComplete = True


def withSettings(docstring: str) -> str:
    """
    @return: the docstring of the constructor, with the parameters that are settings.
    """
    text, raises, rest = docstring.partition("@raise ")
    params = "".join(f"@param {name}: {said}\n" for name, said in DOCUMENTATION.items())
    return f"{text.rstrip()}\n{params}\n{raises}{rest}"


def findMovedBases(classes: list[Class]) -> None:
    """
    Find base classes by the names under which they are defined. pydoctor moves what a
    package exports there, and may then not find it under its former name.
    """
    defined = {}
    for ob in classes:
        if ob.source_path is not None:
            path = ob.source_path.relative_to(PACKAGE.parent).with_suffix("")
            defined[".".join((*path.parts, ob.name))] = ob
    for ob in classes:
        for index, name in enumerate(ob._initialbases):
            if ob._initialbaseobjects[index] is None:
                ob._initialbaseobjects[index] = defined.get(name)


def inherit(member: Inheritable) -> None:
    """
    Give a member without a docstring that of the nearest base class that has one.
    pydoctor does so itself, but not for C{@ivar} fields, nor when the base class has
    been removed.
    """
    if member.docstring is None and member.parsed_docstring is None:
        for source in member.docsources():
            if source.docstring or source.parsed_docstring:
                if not (source.docstring and source.isVisible):
                    member.docstring = source.docstring
                    member.parsed_docstring = source.parsed_docstring
                return


def isShown(ob: object) -> bool:
    """
    @return: False for a class that is hidden; True for a class of another project.
    """
    return not isinstance(ob, Class) or ob.isVisible


def shownBases(ob: Class) -> Iterator[tuple[str, Class | None]]:
    """
    @return: the bases of a class; in place of a hidden one, its own bases.
    """
    for name, base in zip(ob.bases, ob.baseobjects, strict=True):
        if base is None or base.isVisible:
            yield name, base
        else:
            yield from shownBases(base)


def removePrivateBases(ob: Class) -> None:
    """
    Remove what is hidden from the bases of a class and its method resolution order.
    """
    named: dict[str, Class | None] = {}
    for name, base in shownBases(ob):
        # A class that another base inherits from too is left out.
        others = [other for _, other in shownBases(ob) if other not in (None, base)]
        if not any(base in other.mro(include_self=False) for other in others):
            named[name] = base
    kept = [
        (name, base)
        for name, base in named.items()
        if name.rpartition(".")[2] not in ("object", "Generic", "Protocol")
    ]
    ob.rawbases = [
        (name.rpartition(".")[2], ast.Name(name.rpartition(".")[2])) for name, _ in kept
    ]
    ob._finalbases = [name for name, _ in kept]
    ob._finalbaseobjects = [base for _, base in kept]
    ob._mro = [each for each in ob.mro(include_external=True) if isShown(each)]
    ob.subclasses.clear()
