"""
Named events, and aliases of clients.

A L{Session} holds the handlers of named events. L{Events} holds the pending events:
posted events, which are dispatched in order in the next turn of the reactor, and
scheduled events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from .._validators import callback
from ..errors import AliasInUse, UnknownAlias, UnknownEvent

#: A handler of a named event. It is called with the client and the arguments.
Handler = Callable[..., object]


class Session:
    """
    Dispatches each named event to its handler (POE::Session). A subclass may override
    L{dispatch}, and add parameters to the constructor.
    """

    _client: object

    def __init__(self, *, trace: bool = False) -> None:
        """
        @param trace: True to log each event that is dispatched.
        """
        self._trace = trace
        self._handlers: dict[str, list[Handler]] = {}

    def _handle(self, event: str, handler: Handler) -> None:
        """
        Add the handler of an event.

        @raise ValueError: if the event already has a handler.
        """
        if event in self._handlers:
            raise ValueError(
                f"the event {event!r} has two handlers; use "
                "sessionType=MultiDispatchSession to call both"
            )
        self._handlers[event] = [handler]

    def dispatch(self, event: str, *args: object) -> object:
        """
        Call the handler of an event.

        @param event: the name of the event.
        @param args: its arguments, which follow the client.

        @return: the result of the handler.

        @raise UnknownEvent: if there is no handler.
        """
        result: object = None
        for handler in self._handlersOf(event):
            result = handler(self._client, *args)
        return result

    def _handlersOf(self, event: str) -> list[Handler]:
        """
        @raise UnknownEvent: if there is no handler.
        """
        try:
            return self._handlers[event]
        except KeyError:
            raise UnknownEvent(
                f"there is no event {event!r}: the known events are "
                f"{', '.join(sorted(self._handlers))}; add it with inlineStates, "
                "objectStates or packageStates"
            ) from None


class MultiDispatchSession(Session):
    """
    Dispatches each named event to all its handlers, in the order of the settings
    (POE::Session::MultiDispatch). The result is that of the last handler.
    """

    def _handle(self, event: str, handler: Handler) -> None:
        """
        Add another handler of an event.
        """
        self._handlers.setdefault(event, []).append(handler)


class Events:
    """
    The pending events of a client.

    @ivar serial: the number of events that have been scheduled.
    """

    def __init__(
        self,
        session: Session,
        client: object,
        clock: Callable[[], IReactorTime],
        dispatch: Callable[..., None],
        done: Callable[[], None],
    ) -> None:
        """
        @param session: the session with the handlers of the events. It belongs to this
            client.
        @param client: the first argument of each handler.
        @param clock: a function that returns the clock.
        @param dispatch: a function that is called with each event and its arguments
            when the event is due. It calls L{call} and handles exceptions.
        @param done: a function that is called when a scheduled event has been
            cancelled.
        """
        self._session = session
        self._session._client = client
        self._clock = clock
        self._dispatch = dispatch
        self._done = done
        self._posted: deque[tuple[str, tuple[object, ...]]] = deque()
        self._delayed: set[DelayedEvent] = set()
        self._turn: IDelayedCall | None = None
        self.serial = 0

    @property
    def isTraced(self) -> bool:
        """
        True if every event must be logged.
        """
        return self._session._trace

    @property
    def arePosted(self) -> bool:
        """
        True if posted events wait to be dispatched.
        """
        return bool(self._posted)

    def areExpected(self, since: int) -> bool:
        """
        @param since: an earlier value of C{serial}.

        @return: True if a posted event is pending, or an event that was scheduled since
            then.
        """
        return bool(self._posted) or any(d.serial > since for d in self._delayed)

    def call(self, event: str, *args: object) -> object:
        """
        Call the handler of an event now.

        @return: its result.
        """
        return self._session.dispatch(event, *args)

    def post(self, event: str, *args: object) -> None:
        """
        Dispatch an event in the next turn of the reactor, after those posted before.

        @raise UnknownEvent: if it has no handler.
        """
        self._session._handlersOf(event)
        self._posted.append((event, args))
        self._continue()

    def postLater(self, seconds: float, event: str, *args: object) -> DelayedEvent:
        """
        Dispatch an event after some seconds.

        @raise UnknownEvent: if it has no handler.
        """
        self._session._handlersOf(event)
        self.serial += 1
        delayed = DelayedEvent(self, event, args, self.serial)
        self._delayed.add(delayed)
        delayed.call = self._clock().callLater(seconds, self._due, delayed)
        return delayed

    def _continue(self) -> None:
        if self._posted and self._turn is None:
            self._turn = self._clock().callLater(0, self._dispatchPosted)

    def _dispatchPosted(self) -> None:
        self._turn = None
        # Events that these handlers post are dispatched in the next turn.
        try:
            for _ in range(len(self._posted)):
                if not self._posted:
                    # A handler has stopped the client, which cleared the events.
                    return
                event, args = self._posted.popleft()
                self._dispatch(event, *args)
        finally:
            # Also if a handler has raised something that is not an Exception.
            self._continue()

    def _due(self, delayed: DelayedEvent) -> None:
        self._delayed.discard(delayed)
        self._dispatch(delayed.event, *delayed.args)

    def cancelled(self, delayed: DelayedEvent) -> None:
        """
        Forget a scheduled event that has been cancelled.
        """
        self._delayed.discard(delayed)
        self._done()

    def clear(self) -> None:
        """
        Cancel all pending events.
        """
        delayed, self._delayed = self._delayed, set()
        for event in delayed:
            event.call.cancel()
        self._posted.clear()
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()


@implementer(IDelayedCall)
class DelayedEvent:
    """
    A scheduled event.
    """

    call: IDelayedCall

    def __init__(
        self, events: Events, event: str, args: tuple[object, ...], serial: int
    ) -> None:
        self._events = events
        self.event = event
        self.args = args
        self.serial = serial

    def getTime(self) -> float:
        """
        @return: when the event is due, in seconds of the client's clock.
        """
        time: float = self.call.getTime()
        return time

    def cancel(self) -> None:
        """
        Cancel the event.

        @raise AlreadyCalled: if it has been dispatched.
        @raise AlreadyCancelled: if it has been cancelled already.
        """
        self.call.cancel()
        self._events.cancelled(self)

    def delay(self, secondsLater: float) -> None:
        """
        Postpone the event by this number of seconds.
        """
        self.call.delay(secondsLater)

    def reset(self, secondsFromNow: float) -> None:
        """
        Reschedule the event to this number of seconds from now.
        """
        self.call.reset(secondsFromNow)

    def active(self) -> bool:
        """
        @return: True if the event is pending.
        """
        active: bool = self.call.active()
        return active


#: The named events that every client has.
BUILT_IN: dict[str, Handler] = {
    "connect": lambda client, *args: client.connect(*args),
    "reconnect": lambda client, *args: client.reconnect(*args),
    # POE passes the arguments to Disconnected, which has no use for them.
    "shutdown": lambda client, *args: client.shutdown(),
}


def fillSession(session: Session, **states: object) -> None:
    """
    Add the handlers of named events to a session.

    @param states: C{inlineStates}, C{objectStates} and C{packageStates}.

    @raise TypeError: see L{handlersFrom}.
    @raise ValueError: see L{handlersFrom}, or if an event has two handlers.
    """
    for name, value in states.items():
        for event, handler in handlersFrom(name, value):
            session._handle(event, handler)
    for event, handler in BUILT_IN.items():
        session._handlers[event] = [handler]


def handlersFrom(name: str, states: object) -> list[tuple[str, Handler]]:
    """
    List the handlers in a setting.

    @param name: the name of the setting. C{"inlineStates"}: C{states} must be C{{event:
        function}} or None. C{"objectStates"}: it must be a list of pairs of an object
        and either C{{event: method name}} or a list of method names that are also the
        names of the events. C{"packageStates"}: the same with classes or modules.

    @return: pairs of an event and its handler.

    @raise TypeError: if C{states} has another form.
    @raise ValueError: if an event has a reserved name, or the name of one of POE's
        internal events.
    """
    if name != "inlineStates":
        found = _methods(name, states)
    elif states is None:
        found = []
    elif isinstance(states, dict):
        found = list(states.items())
    else:
        raise TypeError(f"{name} must be a dict of functions by event, not {states!r}")
    for event, handler in found:
        if not isinstance(event, str):
            raise TypeError(f"{name}: an event's name must be a str, not {event!r}")
        if event in _INTERNAL:
            raise ValueError(
                f"{name}: the event name {event!r} is reserved: it is one of POE's "
                "internal events, which do not exist here, so the handler would never "
                f"be called; use the callback {_INTERNAL[event]} instead"
            )
        if event in BUILT_IN or event.startswith("_"):
            raise ValueError(
                f"{name}: the event name {event!r} is reserved (as are "
                f"{', '.join(BUILT_IN)} and every name that begins with _): choose "
                "another name"
            )
        callback(f"{name}: the handler of {event!r}", handler, required=True)
    return found


def _methods(name: str, states: object) -> list[tuple[str, Handler]]:
    remedy = f"{name} must be a list of pairs (object, {{event: method}} or [names])"
    if not isinstance(states, (list, tuple)):
        raise TypeError(f"{remedy}, not {states!r}")
    found = []
    for pair in states:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise TypeError(f"{remedy}; it contains {pair!r}")
        holder, events = pair
        if isinstance(events, (list, tuple)):
            events = {event: event for event in events}
        if not isinstance(events, dict):
            raise TypeError(f"{remedy}; it contains {events!r}")
        if isinstance(holder, str):
            raise TypeError(f"{remedy}: {holder!r} is a name, not the object itself")
        for event, method in events.items():
            handler = getattr(holder, str(method), None)
            if handler is None:
                raise TypeError(f"{name}: {holder!r} has no method {method!r}")
            found.append((event, handler))
    return found


#: The events that POE::Component::Client::TCP and POE::Session post to themselves, with
#: the corresponding callbacks. C{got_server_flushed} is not an event of POE, but a
#: likely mistake for C{got_server_flush}.
_INTERNAL = {
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


#: The running clients by alias. The references are weak: an alias does not keep a
#: client alive.
_aliases: WeakValueDictionary[str, object] = WeakValueDictionary()


def claimAlias(alias: str, client: object) -> None:
    """
    Register a client under an alias.

    @raise AliasInUse: if another client has this alias.
    """
    checkAlias(alias, client)
    _aliases[alias] = client


def checkAlias(alias: str, client: object) -> None:
    """
    Check that a client can have an alias.

    @raise AliasInUse: if another client has it.
    """
    if _aliases.get(alias, client) is not client:
        raise AliasInUse(
            f"the alias {alias!r} is in use by {_aliases[alias]!r}, until that client "
            "has stopped"
        )


def releaseAlias(alias: str, client: object) -> None:
    """
    Unregister a client.
    """
    if _aliases.get(alias) is client:
        del _aliases[alias]


def resolve(alias: str) -> Any:
    """
    Find a client by its alias (POE: alias_resolve). A client has its alias from its
    start until it has stopped.

    @param alias: the alias.

    @return: the client.

    @raise UnknownAlias: if no running client has this alias.
    """
    try:
        return _aliases[alias]
    except KeyError:
        raise UnknownAlias(f"no running client has the alias {alias!r}") from None


def post(alias: str, event: str, *args: object) -> None:
    """
    Post an event to the client with an alias (POE: post).

    @param alias: the alias.
    @param event: the name of the event.
    @param args: its arguments, which follow the client.

    @raise UnknownAlias: if no running client has this alias.
    @raise UnknownEvent: if the client has no handler for this event.
    """
    resolve(alias).post(event, *args)
