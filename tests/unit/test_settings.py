"""
Tests for where the client keeps its settings.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._effects import CALLBACKS


class CallbackTests(SynchronousTestCase):
    """
    Tests for the callbacks.
    """

    def test_each(self) -> None:
        """
        Each callback is kept under its own name.
        """
        callbacks: dict[str, Any] = {name: Mock(spec=()) for name in CALLBACKS}
        client = ClientTCPFactory(serverInput=print, highMark=2, lowMark=1, **callbacks)
        for name, callback in callbacks.items():
            self.assertIs(getattr(client, f"_on_{name}"), callback)
