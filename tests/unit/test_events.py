"""
Tests for the names that an event may have.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory

#: The events that POE::Component::Client::TCP 1.370 posts to itself, from its source,
#: and POE::Session's own; with the callback that has their place.
INTERNAL = {
    "_start": "started",
    "_stop": "stopped",
    "got_connect_error": "connectError",
    "got_connect_success": "connected",
    "got_connect_timeout": "connectError",
    "got_high": "serverHigh",
    "got_low": "serverLow",
    "got_server_error": "serverError",
    "got_server_flush": "serverFlushed",
    "got_server_flushed": "serverFlushed",
    "got_server_input": "serverInput",
}


class EventNameTests(SynchronousTestCase):
    """
    Tests for names of events that are rejected.
    """

    def rejected(self, event: str, **states: Any) -> str:
        """
        @return: the error of the constructor.
        """
        error = self.assertRaises(
            ValueError,
            ClientTCPFactory,
            remoteAddress="localhost",
            remotePort=7,
            serverInput=lambda client, record: None,
            **states,
        )
        (parameter,) = states
        self.assertTrue(str(error).startswith(f"{parameter}: "), error)
        self.assertIn(repr(event), str(error))
        return str(error)

    def test_internal(self) -> None:
        """
        A handler for one of POE's internal events would never be called. The error
        names the callback to use, in every parameter that takes handlers.
        """
        for event, callback in INTERNAL.items():
            self.assertIn(callback, signature(ClientTCPFactory).parameters)
            for states in (
                {"inlineStates": {event: lambda client: None}},
                {"objectStates": [(self, {event: "rejected"})]},
                {"packageStates": [(EventNameTests, {event: "rejected"})]},
            ):
                self.assertIn(
                    f"use the callback {callback} instead",
                    self.rejected(event, **states),
                )

    def test_reserved(self) -> None:
        """
        The events that every client has cannot be redefined; nor can a name begin with
        an underscore.
        """
        for event in ("connect", "reconnect", "shutdown", "_default", "_mine"):
            text = self.rejected(event, inlineStates={event: lambda client: None})
            self.assertIn("choose another name", text)

    def test_similar(self) -> None:
        """
        Other names are the user's, also those that begin like POE's.
        """
        client = ClientTCPFactory(
            remoteAddress="localhost",
            remotePort=7,
            serverInput=lambda client, record: None,
            inlineStates={"got_mail": lambda client: 5, "got_server": lambda client: 6},
        )
        self.assertEqual(client.call("got_mail"), 5)
