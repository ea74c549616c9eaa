"""
Tests for the queue of the user's callbacks.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from twisted_clienttcp import ClientTCPFactory
from twisted_clienttcp._client.callbacks import AWAITED, CALLBACKS, Callbacks


class CallbacksTests(SynchronousTestCase):
    """
    Tests for L{Callbacks}.
    """

    def setUp(self) -> None:
        self.calls: list[Any] = []
        self.callbacks = Callbacks()

    def record(self, *args: object) -> None:
        self.calls.append(args)

    def test_steps(self) -> None:
        """
        Steps run in order, and those that a step queues follow it.
        """

        def first() -> None:
            self.assertTrue(self.callbacks.isRunning)
            self.callbacks.later(self.record, 3)
            self.callbacks.run()
            self.calls.append(1)

        self.callbacks.later(first)
        self.callbacks.later(self.record, 2)
        self.assertEqual(self.calls, [])
        self.callbacks.run()
        self.assertEqual(self.calls, [1, (2,), (3,)])
        self.assertFalse(self.callbacks.isRunning)

    def test_stepRaises(self) -> None:
        """
        If steps raise, the others run, and then the first exception is raised.
        """
        for kind in (SystemExit, KeyboardInterrupt, ZeroDivisionError):
            self.callbacks.later(partial(self.throw, kind))
            self.callbacks.later(self.record, kind)
        self.assertRaises(SystemExit, self.callbacks.run)
        self.assertEqual(
            self.calls, [(SystemExit,), (KeyboardInterrupt,), (ZeroDivisionError,)]
        )
        self.callbacks.run()

    def test_do(self) -> None:
        """
        A step runs at once, but after those that are queued, and before those that it
        queues.
        """

        def step() -> None:
            self.assertTrue(self.callbacks.isRunning)
            self.callbacks.do(self.record, 3)
            self.calls.append(1)

        self.callbacks.do(step)
        self.assertEqual(self.calls, [1, (3,)])
        self.assertFalse(self.callbacks.isRunning)
        self.callbacks.later(self.record, 4)
        self.callbacks.do(self.record, 5)
        self.assertEqual(self.calls, [1, (3,), (4,), (5,)])

    def test_doRaises(self) -> None:
        """
        If the step raises, those that it has queued run first.
        """

        def step() -> None:
            self.callbacks.do(self.throw, ZeroDivisionError)
            self.callbacks.do(self.record, 1)
            self.throw(SystemExit)

        self.assertRaises(SystemExit, self.callbacks.do, step)
        self.assertEqual(self.calls, [(1,)])
        self.assertFalse(self.callbacks.isRunning)

    def test_held(self) -> None:
        """
        Nothing runs while the queue is held.
        """
        self.callbacks.isHeld = True
        self.callbacks.do(self.record, 1)
        self.callbacks.later(self.record, 2)
        self.callbacks.run()
        self.assertEqual(self.calls, [])
        self.callbacks.isHeld = False
        self.callbacks.run()
        self.assertEqual(self.calls, [(1,), (2,)])

    def throw(self, kind: type[BaseException]) -> None:
        raise kind


class ParameterTests(SynchronousTestCase):
    """
    Tests for the callbacks of a client.
    """

    def test_each(self) -> None:
        """
        Each callback is kept under its own name.
        """
        functions: dict[str, Any] = {
            name: Mock(spec=()) for name in CALLBACKS if name != "serverInputBatch"
        }
        client = ClientTCPFactory(highMark=2, lowMark=1, **functions)
        self.assertIs(client.serverInput, functions["serverInput"])
        for name, function in functions.items():
            self.assertIs(client._parts.functions[name], function)

    def test_assigned(self) -> None:
        """
        A callback cannot be assigned to a client, not even before the constructor is
        called: the error says how to pass it.
        """

        class Early(ClientTCPFactory):
            def __init__(self, name: str) -> None:
                setattr(self, name, print)

        client = ClientTCPFactory(serverInput=print)
        for name in CALLBACKS:
            before = getattr(client, name, None)
            for assign in (partial(setattr, client, name, print), partial(Early, name)):
                error = self.assertRaises(AttributeError, assign)
                self.assertIn(f"pass {name}= to the constructor", str(error))
            self.assertEqual(getattr(client, name, None), before)

    def test_awaited(self) -> None:
        """
        The callbacks that may be coroutine functions are callbacks.
        """
        self.assertLessEqual(set(AWAITED), set(CALLBACKS))
