"""
The user's callbacks: their names, and the queue in which they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from .._raising import raiseAgain
from .._validators import callback

#: Each callback, with the names of its arguments. C{started} is also called with the
#: values of the setting C{args}.
CALLBACKS: dict[str, tuple[str, ...]] = {
    "started": ("client",),
    "preConnect": ("client", "negotiation"),
    "connected": ("client", "peer"),
    "connectError": ("client", "failure"),
    "serverInput": ("client", "record"),
    "serverInputBatch": ("client", "records"),
    "serverError": ("client", "failure"),
    "serverFlushed": ("client",),
    "serverHigh": ("client",),
    "serverLow": ("client",),
    "disconnected": ("client", "details"),
    "stopped": ("client", "failure"),
}

#: Any callback.
Function = Callable[..., object]

#: The callbacks whose results are awaited. No other callback may be a coroutine
#: function.
AWAITED = ("preConnect", "serverInput", "serverInputBatch")


def checked(
    given: Mapping[str, Function | None],
    args: Iterable[object],
    hasMarks: bool,
) -> dict[str, Function]:
    """
    Check the callbacks of a client.

    @param given: the callbacks by name; None for each one that was not given.
    @param args: the additional arguments of C{started}.
    @param hasMarks: True if the client has C{highMark} and C{lowMark}.

    @return: the callbacks that were given.

    @raise TypeError: if a callback cannot be called with its arguments; if neither
        C{serverInput} nor C{serverInputBatch} is given, or both are; or if
        C{serverHigh} or C{serverLow} is given without the marks.
    """
    each, batch = given["serverInput"], given["serverInputBatch"]
    if each is None and batch is None:
        raise TypeError(
            "serverInput is required, as in serverInput=lambda client, record: "
            "print(record), or as a method of the object given as handler"
        )
    if each is not None and batch is not None:
        raise TypeError(
            "serverInput and serverInputBatch cannot be used together: pass one of them"
        )
    functions = {}
    for name, arguments in CALLBACKS.items():
        function = given[name]
        if function is not None:
            more = map(repr, args) if name == "started" else ()
            awaited = name in AWAITED
            callback(name, function, (*arguments, *more), awaited=awaited)
            functions[name] = function
    if not hasMarks and ("serverHigh" in functions or "serverLow" in functions):
        raise TypeError("serverHigh and serverLow need highMark and lowMark, in bytes")
    return functions


class Callbacks:
    """
    The queue of the user's callbacks.

    The connection calls the callbacks for records directly. All other callbacks are
    called from I{steps}: functions that run one after another, never nested. A step may
    also be an action that must follow the callbacks queued before it.

    @ivar isRunning: True while a step runs.
    @ivar isHeld: True while the lifecycle processes an input. Steps that are queued
        during that time run afterwards.
    """

    __slots__ = ("_steps", "isHeld", "isRunning")

    def __init__(self) -> None:
        #: The queued steps; None, to save memory, if there are none.
        self._steps: list[tuple[Callable[..., object], tuple[object, ...]]] | None = (
            None
        )
        self.isRunning = False
        self.isHeld = False

    def later(self, step: Callable[..., object], *args: object) -> None:
        """
        Queue a step.
        """
        if self._steps is None:
            self._steps = []
        self._steps.append((step, args))

    def run(self) -> None:
        """
        Run all queued steps, including those that they queue. Do nothing while a step
        is running or the queue is held: the steps run after that.

        @raise BaseException: after the last step, the first exception that a step
            raised.
        """
        if self._steps is None or self.isRunning or self.isHeld:
            return
        self.isRunning = True
        first: BaseException | None = None
        while self._steps is not None:
            steps, self._steps = self._steps, None
            for step, args in steps:
                try:
                    step(*args)
                except BaseException as error:
                    first = first or error
        self.isRunning = False
        if first is not None:
            raise first

    def do(self, step: Callable[..., object], *args: object) -> None:
        """
        Queue a step and L{run} the queue.
        """
        if self._steps is not None or self.isRunning or self.isHeld:
            self.later(step, *args)
            self.run()
            return
        # In the usual case, avoid the cost of the queue (benchmark rows: echo; lines,
        # among as many that are skipped).
        self.isRunning = True
        try:
            step(*args)
        except BaseException as error:
            # As in run(), raise it after the steps that this one has queued.
            self._steps = [(raiseAgain, (error,)), *(self._steps or ())]
        self.isRunning = False
        if self._steps is not None:
            self.run()
