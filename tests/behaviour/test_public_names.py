"""
The objects that callbacks get show users the names that are documented for them, and no
others: in the API pages, in a type checker, and in the completion of a shell.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, get_type_hints

from twisted.internet.protocol import Protocol

from twisted_clienttcp import ClientTCPFactory, ClientTCPProtocol, Negotiation
from twisted_clienttcp.service import ClientTCPService

from .._memory import ClientTestCase
from .._processes import ROOT

METHODS = (ROOT / "docs" / "methods.rst").read_text()

#: The names of every protocol of Twisted.
TWISTED = {name for name in dir(Protocol) if not name.startswith("_")}


def documented(holder: str) -> set[str]:
    """
    @return: the names that the page about methods lists for an object.
    """
    terms = re.findall(r"^``.*$", METHODS, re.M)
    return set(re.findall(rf"``{holder}\.(\w+)", "\n".join(terms)))


def shown(candidate: object) -> set[str]:
    """
    @return: the public names that C{dir} returns.
    """
    return {name for name in dir(candidate) if not name.startswith("_")}


class PublicNameTests(ClientTestCase):
    """
    C{client.server}, and the argument of C{preConnect}.
    """

    def test_server(self) -> None:
        """
        The connection has what a protocol of Twisted has, and what is documented.
        """
        client, _ = self.connected()
        names = documented("server")
        self.assertLessEqual({"transport", "factory"}, names)
        for each in (client.server, ClientTCPProtocol):
            self.assertEqual(shown(each) - TWISTED, names - TWISTED)
        self.assertIsInstance(client.server, ClientTCPProtocol)

    def test_negotiation(self) -> None:
        """
        The negotiation has what is documented.
        """
        met: list[Negotiation] = []

        def preConnect(client: Any, negotiation: Negotiation) -> bool:
            met.append(negotiation)
            return True

        self.connected(preConnect=preConnect)
        [negotiation] = met
        self.assertIsInstance(negotiation, Negotiation)
        self.assertEqual(shown(negotiation), documented("negotiation"))
        self.assertEqual(shown(Negotiation) | {"transport"}, shown(negotiation))

    def test_types(self) -> None:
        """
        A type checker knows the classes with these names.
        """
        server = vars(ClientTCPFactory)["server"].fget
        self.assertEqual(get_type_hints(server)["return"], ClientTCPProtocol | None)
        for kind in (ClientTCPFactory, ClientTCPService):
            source = inspect.signature(kind.whenConnected)
            self.assertEqual(source.return_annotation, "Deferred[ClientTCPProtocol]")

    def test_implemented(self) -> None:
        """
        The connection implements every name.
        """
        client, _ = self.connected()
        for name in documented("server"):
            ours = vars(ClientTCPProtocol).get(name)
            if ours is not None and name not in TWISTED:
                self.assertIsNot(getattr(type(client.server), name), ours)
