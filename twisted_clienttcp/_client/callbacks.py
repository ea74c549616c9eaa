"""
The user's callbacks: their names, and the queue in which they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import iscoroutine

from .._validators import callback

#: Each callback, with the names of its arguments; C{started} gets C{args} too.
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

#: The callbacks whose results are awaited. The others return nothing.
AWAITED = ("preConnect", "serverInput", "serverInputBatch")


def checked(
    given: Mapping[str, Function | None],
    args: Iterable[object],
    hasMarks: bool,
) -> dict[str, Function]:
    """
    Check the callbacks of a client.

    @param given: each callback, or None, by its name.
    @param args: the further arguments of C{started}.
    @param hasMarks: True if the client has C{highMark} and C{lowMark}.

    @return: the callbacks that were given.

    @raise TypeError: if one is missing, or cannot be called with its arguments.
    """
    each, batch = given["serverInput"], given["serverInputBatch"]
    if each is None and batch is None:
        raise TypeError(
            "serverInput is required, as in serverInput=lambda client, record: "
            "print(record), or as a method of the object given as handler"
        )
    if each is not None and batch is not None:
        raise TypeError(
            "serverInput and serverInputBatch exclude each other: pass one of them"
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
    Calls the user's callbacks.

    The connection itself calls the callbacks for records. All others are called in
    I{steps}: functions that run one after the other, never nested. A step may also be
    an action that must follow the callbacks that were queued before it.

    @ivar functions: the callbacks by their names.
    @ivar isRunning: True while a step runs.
    """

    __slots__ = ("_client", "_raised", "_steps", "functions", "isRunning")

    def __init__(
        self,
        client: object,
        functions: Mapping[str, Callable[..., object]],
        raised: Callable[[str, BaseException], None],
    ) -> None:
        """
        @param client: the first argument of each callback.
        @param functions: see the attribute.
        @param raised: called with the name of a callback that has raised, and the
            exception.
        """
        self._client = client
        self._raised = raised
        #: The queued steps; None, which takes less memory, if there are none.
        self._steps: list[tuple[Callable[..., object], tuple[object, ...]]] | None = (
            None
        )
        self.functions = functions
        self.isRunning = False

    def call(self, name: str, *args: object) -> bool:
        """
        Call a callback, if there is one. This must be called in a step.

        @return: False if it has raised.
        """
        function = self.functions.get(name)
        if function is None:
            return True
        try:
            answer = function(self._client, *args)
            if answer is not None and iscoroutine(answer):
                answer.close()
                raise TypeError(
                    "it returned a coroutine, which is not awaited here: start it "
                    "inside the callback with Deferred.fromCoroutine"
                )
        except BaseException as error:
            self._raised(name, error)
            return False
        return True

    def later(self, step: Callable[..., object], *args: object) -> None:
        """
        Queue a step.
        """
        if self._steps is None:
            self._steps = []
        self._steps.append((step, args))

    def run(self) -> None:
        """
        Run all queued steps, including those that they queue, unless a step is running:
        then they follow it. If steps raise, the first exception is raised after the
        last step.
        """
        if self.isRunning or self._steps is None:
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
