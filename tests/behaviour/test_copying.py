"""
Tests that a client cannot be copied or pickled.
"""

from __future__ import annotations

import copy
import pickle

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory


class Subclass(ClientTCPFactory):
    """
    A subclass that could be imported to unpickle it.
    """


class CopyTests(SynchronousTestCase):
    """
    A copy of a client would share its connection, timers and name.
    """

    def test_refused(self) -> None:
        """
        Every way to copy a client raises a C{TypeError} that says what to do.
        """
        for kind in (ClientTCPFactory, Subclass):
            client = kind(serverInput=print)
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                with self.assertRaisesRegex(TypeError, "create another client"):
                    pickle.dumps(client, protocol)
            for way in (copy.copy, copy.deepcopy):
                with self.assertRaisesRegex(TypeError, "create another client"):
                    way(client)
            with self.assertRaisesRegex(TypeError, "create another client"):
                pickle.dumps([client])
